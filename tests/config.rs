//! The configuration from outside: files in, definitions or exact reports out.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pushcron::config::{self, Config, ConfigErrors, Surroundings};
use pushcron::domain::job::DstGap;
use pushcron::domain::sender::{SettingKind, SettingSpec};
use pushcron::domain::{
    Body, Item, Kind, Media, MisfirePolicy, Overlap, RetryPolicy, Schedule, SenderSpec, Support, Target, UtcMs,
};
use pushcron::senders;

/// 2026-01-01T00:00:00Z, a Thursday.
const NOW: UtcMs = UtcMs(1_767_225_600_000);

const fn setting(key: &'static str, kind: SettingKind, required: bool) -> SettingSpec {
    SettingSpec { key, kind, required, default: "", doc: "what it is for" }
}

/// A sender with settings of every kind, which cannot send voice to groups. The registry's own would change these
/// reports with every sender that joins.
static WIRE: SenderSpec = SenderSpec {
    name: "wire",
    about: "for tests",
    default_im: "chat",
    settings: &[
        setting("url", SettingKind::Url, true),
        setting("token", SettingKind::Secret, false),
        setting("nick", SettingKind::Text, false),
        setting("quiet", SettingKind::Bool, false),
        setting("port", SettingKind::Int, false),
        setting("window", SettingKind::Duration, false),
        setting("rooms", SettingKind::List, false),
        setting("ca_file", SettingKind::Path, false),
        setting("flavour", SettingKind::Choice(&["plain", "markdown"]), false),
    ],
    support: |kind, is_group| match (kind, is_group) {
        (Kind::Voice, true) => Support::Refused("groups have no voice"),
        (Kind::Video, _) => Support::Fallback("as link"),
        _ => Support::Native,
    },
    idempotent: |_| false,
    concurrency: 1,
    min_interval_ms: 0,
    max_media_bytes: 1,
};

static SCREEN: SenderSpec =
    SenderSpec { name: "screen", default_im: "screen", settings: &[], support: |_, _| Support::Native, ..WIRE };

const CANARY: &str = "CANARY-7f3a";

fn surroundings() -> Surroundings {
    Surroundings {
        now: NOW,
        variable: Box::new(|name| match name {
            "TOKEN" => Some(CANARY.to_owned()),
            "GROUP" => Some("778899".to_owned()),
            "EMPTY" => Some(String::new()),
            "YES" => Some("true".to_owned()),
            _ => None,
        }),
        working_directory: PathBuf::from("/srv"),
        timezone: Some("Europe/Berlin".to_owned()),
        needs_credentials: true,
        user: rustix::process::geteuid().as_raw(),
    }
}

fn load(paths: &[&Path]) -> Result<Config, ConfigErrors> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    config::load(&paths, &[&WIRE, &SCREEN], &surroundings())
}

/// Loads one text as a file of its own.
fn load_text(text: &str) -> Result<Config, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    let file = private_file(directory.path(), "pushcron.yaml", text);
    load(&[&file])
}

fn private_file(directory: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn loaded(text: &str) -> Config {
    load_text(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn refused(text: &str) -> ConfigErrors {
    match load_text(text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(errors) => errors,
    }
}

/// The first message of a text that must be refused.
fn first_error(text: &str) -> String {
    refused(text).errors[0].message.clone()
}

const ACCOUNT: &str = "accounts: [{id: a, sender: screen}]\n";

/// One job with this push on the account of the screen.
fn push(push: &str) -> String {
    format!("{ACCOUNT}jobs:\n  - name: j\n    every: 1m\n    push: {push}\n")
}

/// One job with these keys beside its push.
fn job(keys: &str) -> String {
    format!("{ACCOUNT}jobs:\n  - {{name: j, push: {{im: screen, user: u, text: hi}}, {keys}}}\n")
}

fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

/// Without those about the rights of files: a checkout has what rights it has.
fn about_the_text(warnings: Vec<config::Problem>) -> Vec<config::Problem> {
    warnings.into_iter().filter(|warning| !warning.message.contains("of this machine can")).collect()
}

/// Each `NAME.yaml` is refused with exactly the report in `NAME.txt`. `PUSHCRON_WRITE_REPORTS=1` writes the reports anew.
#[test]
fn bad_files_are_refused_with_their_exact_reports() {
    let files = files("tests/data/bad", "yaml");
    assert!(files.len() > 10);
    for file in files {
        let errors = load(&[&file]).err().unwrap_or_else(|| panic!("{} was accepted", file.display()));
        // Paths of token files are absolute.
        let report = format!("{errors}\n").replace(env!("CARGO_MANIFEST_DIR"), "ROOT");
        let expected = file.with_extension("txt");
        if std::env::var_os("PUSHCRON_WRITE_REPORTS").is_some() {
            std::fs::write(&expected, &report).unwrap();
        }
        assert!(!report.contains("CANARY"), "{report}");
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        assert!(report == expected, "{} got:\n{report}\nexpected:\n{expected}", file.display());
    }
}

/// Files of earlier versions too: what loaded once loads for ever.
#[test]
fn good_files_load_without_a_warning() {
    for file in files("tests/data/good", "yaml") {
        let config = load(&[&file]).unwrap_or_else(|errors| panic!("{}: {errors}", file.display()));
        assert_eq!(about_the_text(config.warnings), [], "{}", file.display());
    }
}

#[test]
fn the_file_of_the_design_means_what_it_says() {
    let config = load(&[Path::new("tests/data/good/design.yaml")]).unwrap();
    assert_eq!(config.daemon.database, Path::new("/srv/pushcron.db"));
    assert_eq!(config.daemon.keep_history, Duration::from_secs(90 * 86_400));
    assert_eq!(config.accounts.iter().map(|account| account.id.as_str()).collect::<Vec<_>>(), ["bot_qq_ops", "screen"]);
    assert_eq!(config.accounts[0].settings.secret("token").unwrap().expose(), CANARY);
    assert!(config.accounts[0].is_default);
    let names: Vec<_> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["daily-report", "晨报", "christmas"]);

    let report = &config.jobs[0];
    assert_eq!(report.schedule, Schedule::Cron("0 9 * * 1-5".to_owned()));
    assert_eq!((report.overlap, report.dst_gap), (Overlap::Allow, DstGap::Fire));
    assert_eq!(report.push[0].target, Target::Group("0123456".to_owned()), "an id keeps its zero");
    assert_eq!(report.push[0].timeout, Duration::from_secs(8));
    assert_eq!(report.push[0].retry, RetryPolicy::default());

    let morning = &config.jobs[1];
    assert_eq!(morning.schedule, Schedule::Every(30_000));
    assert_eq!(morning.timezone, "Asia/Shanghai");
    assert_eq!(morning.push[0].timeout, Duration::from_millis(5000));
    assert_eq!(morning.push[0].account.as_deref(), Some("screen"));
    assert_eq!(morning.push[1].timeout, Duration::from_secs(20), "from defaults");
    assert_eq!(morning.push[1].retry.max_attempts, 7, "from defaults");

    let christmas: UtcMs = "2026-12-24T10:00:00Z".parse().unwrap();
    assert_eq!(config.jobs[2].schedule, Schedule::At(christmas));
    let picture = std::fs::canonicalize("tests/data/good").unwrap().join("pics/a.png");
    assert_eq!(config.jobs[2].push[0].message.body.media()[0].source, picture.to_str().unwrap());
}

#[test]
fn the_spellings_of_the_plugin_sdk_say_the_same() {
    let ours = loaded(&push(
        "{im: screen, group: '1', image: {source: 'https://h/a.png', filename: a.png, mime_type: image/png}, account: a, timeout: 5s}",
    ));
    for spelling in [
        "{imType: screen, groupCode: 1, userID: '', imageUrl: 'https://h/a.png', options: {account_id: a, filename: a.png, mimeType: image/png}, timeout: 5000}",
        "{im_type: screen, group_code: '1', user_id: , imageUrl: 'https://h/a.png', options: {accountID: a, fileName: a.png, mime_type: image/png}, timeout: 5s}",
        "{imType: screen, groupCode: '${EMPTY}1', imageUrl: 'https://h/a.png', content: '', options: {accountId: a, file_name: a.png, mime_type: image/png}, timeout: '5000'}",
    ] {
        assert_eq!(loaded(&push(spelling)).jobs, ours.jobs, "{spelling}");
    }
    let text = |push_text: &str| loaded(&push(push_text)).jobs[0].push[0].clone();
    assert_eq!(text("{imType: screen, userID: 10001, content: hi}"), text("{im: screen, user: '10001', text: hi}"));
    assert_eq!(
        text(
            "{imType: screen, user_id: u, items: [{type: text, content: a}, {type: image, imageUrl: 'http://h/a'}, {type: at, userID: 5}]}"
        ),
        text("{im: screen, user: u, mixed: [{text: a}, {image: 'http://h/a'}, {at: '5'}]}"),
    );
    for (key, kind) in [("voiceUrl", Kind::Voice), ("videoUrl", Kind::Video), ("fileUrl", Kind::File)] {
        assert_eq!(text(&format!("{{im: screen, user: u, {key}: 'http://h/a'}}")).message.body.kind(), kind);
    }
}

#[test]
fn a_title_is_the_text_where_there_is_no_content_and_a_note_elsewhere() {
    let message = |text: &str| loaded(&push(text)).jobs[0].push[0].message.clone();
    for content in ["", "text: '', ", "content: , ", "content: '${EMPTY}', "] {
        let message = message(&format!("{{im: screen, user: u, {content}title: T}}"));
        assert_eq!(message.body, Body::Text { text: "T".to_owned() }, "{content}");
        assert_eq!(message.title, None, "said once, not twice");
    }
    let with_text = message("{im: screen, user: u, title: T, text: hi}");
    assert_eq!((with_text.title.as_deref(), with_text.body), (Some("T"), Body::Text { text: "hi".to_owned() }));
    assert_eq!(message("{im: screen, user: u, title: T, image: /a.png}").title.as_deref(), Some("T"));
}

#[test]
fn items_of_mixed_messages_tell_their_type_by_their_key() {
    let config = loaded(&push(
        "{im: screen, user: u, mixed: [{text: a}, {type: markdown, text: b}, {markdown: c}, {image: /x.png}, \
         {type: video, source: /v.mp4, cover: /c.png}, {file: {source: /f.pdf, filename: F.pdf}}, {at: 7}, {at_all: true}, {type: at_all}]}",
    ));
    let media = |source: &str| Media { source: source.to_owned(), ..Media::default() };
    let text = |text: &str| text.to_owned();
    let expected = vec![
        Item::Text { text: text("a") },
        Item::Markdown { text: text("b") },
        Item::Markdown { text: text("c") },
        Item::Image(media("/x.png")),
        Item::Video(Media { cover: Some(text("/c.png")), ..media("/v.mp4") }),
        Item::File(Media { filename: Some(text("F.pdf")), ..media("/f.pdf") }),
        Item::At { user: text("7") },
        Item::AtAll,
        Item::AtAll,
    ];
    assert_eq!(config.jobs[0].push[0].message.body, Body::Mixed { items: expected });
}

#[test]
fn scalars_keep_the_text_they_were_written_with() {
    for (written, id) in
        [("0123456", "0123456"), ("1e3", "1e3"), ("'007'", "007"), ("0x1F", "0x1F"), ("'${GROUP}'", "778899")]
    {
        let config = loaded(&push(&format!("{{im: screen, group: {written}, text: 1.50}}")));
        assert_eq!(config.jobs[0].push[0].target, Target::Group(id.to_owned()), "{written}");
        assert_eq!(config.jobs[0].push[0].message.body, Body::Text { text: "1.50".to_owned() });
    }
}

#[test]
fn settings_of_jobs_come_from_the_job_then_defaults_then_the_built_in_ones() {
    let text = "accounts: [{id: a, sender: screen}]
defaults: {retry: {max_attempts: 7, backoff: 2s}, misfire: all, timeout: 3s, overlap: skip, dst_gap: skip}
jobs:
  - {name: plain, every: 1m, push: {im: screen, user: u, text: hi}}
  - {name: own, every: 1m, push: {im: screen, user: u, text: hi, timeout: 1s}, retry: {backoff: 20m}, misfire: {max: 5}, overlap: replace, dst_gap: fire, timezone: UTC, enabled: '${YES}'}
";
    let config = loaded(text);
    let [plain, own] = &config.jobs[..] else { panic!() };
    let retry = RetryPolicy { max_attempts: 7, backoff: Duration::from_secs(2), ..RetryPolicy::default() };
    assert_eq!(plain.push[0].retry, retry);
    assert_eq!((plain.misfire.policy, plain.misfire.max), (MisfirePolicy::All, 100));
    assert_eq!((plain.overlap, plain.dst_gap, plain.timezone.as_str()), (Overlap::Skip, DstGap::Skip, "Europe/Berlin"));
    assert_eq!(plain.push[0].timeout, Duration::from_secs(3));
    let twenty = Duration::from_secs(1200);
    let retry = RetryPolicy { max_attempts: 7, backoff: twenty, max_backoff: twenty, ..RetryPolicy::default() };
    assert_eq!(own.push[0].retry, retry, "a long first wait is not cut by a limit that nobody asked for");
    assert_eq!((own.misfire.policy, own.misfire.max), (MisfirePolicy::All, 5));
    assert_eq!((own.overlap, own.dst_gap, own.timezone.as_str()), (Overlap::Replace, DstGap::Fire, "UTC"));
    assert_eq!(own.push[0].timeout, Duration::from_secs(1));
}

#[test]
fn an_instant_is_read_in_the_zone_of_its_job_unless_it_has_an_offset() {
    for (written, zone, instant) in [
        ("2026-12-24T18:00", "Asia/Shanghai", "2026-12-24T10:00:00Z"),
        ("2026-12-24 18:00:30", "Europe/Berlin", "2026-12-24T17:00:30Z"),
        ("2026-12-24T18:00Z", "Asia/Shanghai", "2026-12-24T18:00:00Z"),
        ("2026-12-24T18:00+09:00", "Asia/Shanghai", "2026-12-24T09:00:00Z"),
        // In the gap: the first instant after it. In the fold: the first of the two.
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"),
    ] {
        let config = loaded(&job(&format!("at: '{written}', timezone: {zone}")));
        assert_eq!(config.jobs[0].schedule, Schedule::At(instant.parse().unwrap()), "{written}");
    }
    for written in ["2026-12-24", "18:00", "tomorrow", "2026-12-24T25:00", "2026-02-30T10:00", "2026-12-24T18:00+99:00"]
    {
        assert!(first_error(&job(&format!("at: '{written}'"))).contains("expected a date and time"), "{written}");
    }
}

#[test]
fn an_instant_in_the_past_is_a_warning() {
    let config = loaded(&job("at: 2025-12-31T00:00"));
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].message.contains("is past"), "{}", config.warnings[0]);
    assert_eq!(loaded(&job("at: 2025-12-31T00:00, enabled: false")).warnings, []);
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let text = "accounts: [{id: a, sender: screen}]
defaults: {retry: &patient {max_attempts: 9, backoff: 1s}}
jobs:
  - &base
    name: first
    every: 1m
    push: &hello {im: screen, user: u, text: hi}
    retry: *patient
  - {<<: *base, name: second, every: 2m}
  - name: third
    cron: '@daily'
    push: [*hello, {<<: [{user: v}, *hello], text: other}]
";
    let config = loaded(text);
    let names: Vec<_> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["first", "second", "third"]);
    assert_eq!(config.jobs[1].schedule, Schedule::Every(120_000), "the mapping's own keys win");
    assert_eq!(config.jobs[1].push[0].retry.max_attempts, 9);
    assert_eq!(config.jobs[2].push[0], loaded(&push("{im: screen, user: u, text: hi}")).jobs[0].push[0].clone_with(9));
    assert_eq!(config.jobs[2].push[1].target, Target::User("v".to_owned()), "of merged mappings the first wins");
}

trait WithAttempts {
    fn clone_with(&self, max_attempts: u32) -> Self;
}

impl WithAttempts for pushcron::domain::PushSpec {
    fn clone_with(&self, max_attempts: u32) -> Self {
        let mut spec = self.clone();
        spec.retry.max_attempts = max_attempts;
        spec.retry.backoff = Duration::from_secs(1);
        spec
    }
}

#[test]
fn files_directories_and_includes_become_one_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let at = |name: &str, text: &str| private_file(root, name, text);
    at("conf/b.yaml", "jobs: [{name: b, every: 1m, push: {im: screen, user: u, image: pic.png}}]\n");
    at(
        "conf/a.yml",
        "include: [jobs.d/*.yaml, ../more.yaml]\ndaemon: {timezone: UTC}\naccounts: [{id: a, sender: screen}]\n",
    );
    at("conf/.hidden.yaml", "not: read\n");
    at("conf/notes.txt", "not: read\n");
    at("conf/jobs.d/2.yaml", "jobs: [{name: d2, every: 1m, push: {im: screen, user: u, image: pic.png}}]\n");
    at("conf/jobs.d/1.yaml", "jobs: [{name: d1, every: 1m, push: {im: screen, user: u, text: hi}}]\n");
    at(
        "more.yaml",
        "jobs: [{name: more, every: 1m, push: {im: screen, user: u, text: hi}}]\ndaemon: {probe_every: 10s}\n",
    );
    let extra = at("extra.yaml", "accounts: [{id: z, sender: screen}]\n");
    let config = load(&[&root.join("conf"), &extra, &root.join("conf/b.yaml")]).unwrap_or_else(|e| panic!("{e}"));
    let names: Vec<_> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["d1", "d2", "more", "b"], "in name order, includes behind the file, and no file twice");
    assert_eq!(config.accounts.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["a", "z"]);
    assert_eq!(config.daemon.probe_every, Duration::from_secs(10));
    assert_eq!(config.files.len(), 6);
    let real = std::fs::canonicalize(root).unwrap();
    let source = |job: usize| config.jobs[job].push[0].message.body.media()[0].source.clone();
    assert_eq!(source(1), real.join("conf/jobs.d/pic.png").to_str().unwrap(), "from the file's own directory");
    assert_eq!(source(3), real.join("conf/pic.png").to_str().unwrap());
    assert_eq!(config.daemon.media_roots, [real.join("conf"), real.join("conf/jobs.d"), real.clone()]);
}

#[test]
fn what_several_files_say_twice_is_refused_with_both_places() {
    let directory = tempfile::tempdir().unwrap();
    let text = "daemon: {timezone: UTC}\naccounts: [{id: a, sender: screen, default: true}]\n\
                jobs: [{name: j, every: 1m, push: {im: screen, user: u, text: hi}}]\ndefaults: {timeout: 1s}\n";
    let one = private_file(directory.path(), "1.yaml", text);
    let two = private_file(directory.path(), "2.yaml", text);
    let errors = load(&[directory.path()]).unwrap_err();
    let messages: Vec<_> = errors.errors.iter().map(|problem| problem.message.as_str()).collect();
    let first = |message: &str, place: &str| format!("{message} (first at {}:{place})", one.display());
    assert_eq!(
        messages,
        [
            first("daemon: timezone is set twice", "1:10"),
            first("there are two accounts with the id 'a'", "2:17"),
            first("there are two default accounts for the im 'screen'", "2:45"),
            first("there are two jobs with the name 'j'", "3:15"),
            first("defaults: timeout is set twice", "4:12"),
        ]
    );
    assert!(errors.errors.iter().all(|problem| problem.file == two.to_str().unwrap()));
}

#[test]
fn an_include_that_leads_back_to_itself_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    private_file(directory.path(), "b.yaml", "include: a.yaml\n");
    let file = private_file(directory.path(), "a.yaml", "include: [b.yaml, gone.yaml, none-*.yaml]\n");
    let errors = load(&[&file]).unwrap_err();
    let messages: Vec<_> = errors.errors.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{errors}");
    assert_eq!(messages[0], "include: there is no file 'gone.yaml'");
    assert!(messages[1].contains("a.yaml includes itself in the end"), "{errors}");
}

#[test]
fn a_long_chain_of_includes_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for index in 0..200 {
        private_file(directory.path(), &format!("{index}.yaml"), format!("include: {}.yaml\n", index + 1));
    }
    let errors = load(&[&directory.path().join("0.yaml")]).unwrap_err();
    assert_eq!(errors.errors.len(), 1, "{errors}");
    assert_eq!(errors.errors[0].message, "include: files include each other more than 16 deep");
}

#[test]
fn files_that_cannot_be_read_are_told_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let empty = root.join("empty.d");
    std::fs::create_dir(&empty).unwrap();
    let fifo = root.join("fifo.yaml");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let latin = private_file(root, "latin.yaml", b"jobs: []\n# caf\xe9\n");
    let large = private_file(root, "large.yaml", "");
    std::fs::File::options().write(true).open(&large).unwrap().set_len((64 << 20) + 1).unwrap();
    let gone = root.join("gone.yaml");
    for (path, line, message) in [
        (&empty, 0, "has no *.yaml or *.yml file"),
        (&fifo, 0, "cannot be read: not a regular file"),
        (&latin, 2, "the text is not UTF-8 from here on"),
        (&large, 0, "is larger than 64 MiB: split it with include"),
        (&gone, 0, "cannot be read: No such file or directory (os error 2)"),
    ] {
        let errors = load(&[path]).unwrap_err();
        let [problem] = &errors.errors[..] else { panic!("{errors}") };
        assert_eq!((problem.file.as_str(), problem.line), (path.to_str().unwrap(), line));
        assert_eq!(problem.message, message);
    }
}

#[test]
fn secrets_come_from_variables_files_and_credentials() {
    let directory = tempfile::tempdir().unwrap();
    let token = private_file(directory.path(), "token", format!("{CANARY}-file\n"));
    private_file(directory.path(), "creds/chat", format!("{CANARY}-credential"));
    let text = "accounts:
  - {id: v, sender: wire, url: http://127.0.0.1, token: '${TOKEN}'}
  - {id: f, sender: wire, url: http://127.0.0.1, token_file: token}
  - {id: c, sender: wire, url: http://127.0.0.1, token_credential: chat}
";
    let file = private_file(directory.path(), "a.yaml", text);
    let mut around = surroundings();
    let (credentials, other) = (directory.path().join("creds"), around.variable);
    around.variable = Box::new(move |name| match name {
        "CREDENTIALS_DIRECTORY" => Some(credentials.to_str().unwrap().to_owned()),
        _ => other(name),
    });
    let specs = [&WIRE];
    let config = config::load(std::slice::from_ref(&file), &specs, &around).unwrap_or_else(|errors| panic!("{errors}"));
    let tokens: Vec<_> = config.accounts.iter().map(|a| a.settings.secret("token").unwrap().expose()).collect();
    assert_eq!(tokens, [CANARY, &format!("{CANARY}-file"), &format!("{CANARY}-credential")]);
    assert_eq!(config.warnings, []);
    assert_eq!(config.secret_files.len(), 2);
    assert!(!format!("{config:?}").contains(CANARY));

    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let errors = config::load(&[file], &specs, &around).unwrap_err().to_string();
    assert!(errors.contains("other users may read or write it (mode 644)"), "{errors}");
    assert!(!errors.contains(CANARY), "{errors}");
}

#[test]
fn a_plain_secret_in_a_file_that_all_can_read_is_warned_of_twice() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("accounts: [{{id: a, sender: wire, url: http://127.0.0.1, token: {CANARY}}}]\n");
    let file = private_file(directory.path(), "a.yaml", text);
    let warnings = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let warnings = load(&[&file]).unwrap().warnings;
        assert!(warnings.iter().all(|warning| !warning.to_string().contains(CANARY)), "{warnings:?}");
        warnings.into_iter().map(|warning| warning.message).collect::<Vec<_>>()
    };
    assert_eq!(warnings(0o600), ["token: a secret in plain text"]);
    let loud = "every user of this machine can read the secrets in this file";
    assert_eq!(warnings(0o644), [loud, "token: a secret in plain text"]);
}

#[test]
fn files_and_directories_that_others_can_change_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let (etc, tokens) = (directory.path().join("etc"), directory.path().join("tokens"));
    private_file(&tokens, "a", CANARY);
    let text = "accounts: [{id: a, sender: wire, url: http://127.0.0.1, token_file: ../tokens/a}]\n";
    let file = private_file(&etc, "a.yaml", text);
    let warnings = |path: &Path, mode| {
        let before = std::fs::metadata(path).unwrap().permissions();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let warnings = load(&[&file]).unwrap().warnings;
        std::fs::set_permissions(path, before).unwrap();
        warnings.into_iter().map(|warning| (PathBuf::from(warning.file), warning.message)).collect::<Vec<_>>()
    };
    let told = |path: &Path, deed: &str| vec![(path.to_owned(), format!("every user of this machine can {deed}"))];
    assert_eq!(warnings(&etc, 0o755), []);
    assert_eq!(warnings(&file, 0o602), told(&file, "change what is in this file"));
    for open in [&etc, &tokens, directory.path()] {
        let expected = told(open, "put other files in the place of those in this directory");
        assert_eq!(warnings(open, 0o777), expected, "{}", open.display());
        assert_eq!(warnings(open, 0o1777), [], "{}", open.display());
    }
}

#[test]
fn files_and_directories_of_other_users_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let token = private_file(directory.path(), "token", CANARY);
    let text = "accounts: [{id: a, sender: wire, url: http://127.0.0.1, token_file: token}]\n";
    let file = private_file(directory.path(), "a.yaml", text);
    if let Err(error) = std::os::unix::fs::chown(&token, Some(1001), None) {
        eprintln!("SKIPPED: files of other users, since only root can make them ({error})");
        return;
    }
    let warnings = || load(&[&file]).unwrap().warnings.into_iter().map(|warning| warning.message).collect::<Vec<_>>();
    let told = warnings();
    assert!(told.len() == 1 && told[0].starts_with("token_file: "), "{told:?}");
    let owner = "user 1001 of this machine can change what is in this file, being its owner";
    assert!(told[0].ends_with(owner), "{told:?}");
    std::os::unix::fs::chown(&file, Some(1001), None).unwrap();
    assert_eq!(warnings()[0], owner);
    std::os::unix::fs::chown(directory.path(), Some(1001), None).unwrap();
    let other =
        "user 1001 of this machine can put other files in the place of those in this directory, being its owner";
    assert_eq!(warnings().iter().filter(|told| *told == other).count(), 1, "{:?}", warnings());
}

/// The canary stands in every place where a secret may stand, and each line is broken in turn.
#[test]
fn no_report_shows_a_secret_whatever_is_wrong() {
    let good = format!(
        "daemon:\n  heartbeat:\n    url: https://hc.test/{CANARY}\naccounts:\n  - id: a\n    sender: wire\n    url: 'https://u:{CANARY}@h/p?k={CANARY}'\n    \
         token: |-\n      {CANARY}\n  - {{id: b, sender: wire, url: http://h, token: \"{CANARY}\"}}\n  - id: c\n    sender: wire\n    \
         url: http://h\n    token: >-\n      {CANARY}\njobs:\n  - name: j\n    every: 1m\n    push:\n      im: chat\n      user: u\n      \
         image: https://u:{CANARY}@h/a.png?token={CANARY}\n"
    );
    loaded(&good);
    let lines: Vec<&str> = good.lines().collect();
    for broken in 0..lines.len() {
        let spoil: [fn(&str) -> String; 7] = [
            |line| format!("\t{line}"),
            |line| format!("{line} }}"),
            |line| format!("{line}\n  - ]"),
            |line| line.replacen(':', "", 1),
            |line| line.replacen(": ", "x: ", 1),
            |line| format!("{line}\""),
            |line| line.replacen("  ", " ", 1),
        ];
        for spoil in spoil {
            let mut text: Vec<String> = lines.iter().map(|line| line.to_string()).collect();
            text[broken] = spoil(&text[broken]);
            let text = text.join("\n");
            if let Err(errors) = load_text(&text) {
                let json = serde_json::to_string(&errors).unwrap();
                assert!(!errors.to_string().contains(CANARY), "{errors}\n{text}");
                assert!(!json.contains(CANARY), "{json}\n{text}");
            }
        }
    }
}

#[test]
fn bombs_are_refused_at_once() {
    let mut alias_bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        alias_bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let wide = format!("jobs:\n  - push: &p [{}]\n{}", "{im: a}, ".repeat(20_000), "  - push: *p\n".repeat(20_000));
    let keys: String = (0..200).map(|index| format!("k{index}: 1\n")).collect();
    for (text, message) in [
        (alias_bomb, "the aliases of this configuration stand for more than 4000000 values"),
        (wide, "so many problems that the rest of this file is not read"),
        ("[".repeat(200_000), "values are nested deeper than 64 levels"),
        ("{a: ".repeat(200_000), "values are nested deeper than 64 levels"),
        (format!("jobs: {}", "- ".repeat(200_000)), "not YAML"),
        (format!("jobs:\n{}", "- ".repeat(200_000)), "values are nested deeper than 64 levels"),
        (format!("jobs: [{{{}}}]", keys.replace('\n', ", ")), "a mapping with more than 100 keys"),
        ("jobs: &a [*a]".to_owned(), "an alias cannot stand inside the value that its anchor names"),
        ("jobs: [*nobody]".to_owned(), "this alias names an anchor that was not defined before"),
    ] {
        let errors = refused(&text);
        assert!(errors.errors.iter().any(|problem| problem.message.starts_with(message)), "{errors}");
    }
}

#[test]
fn problems_are_told_to_programs_as_json() {
    let errors = refused("jbos: []\naccounts: [{id: a, sender: screne}]\n");
    let json = serde_json::to_value(&errors).unwrap();
    let first = &json["errors"][0];
    assert_eq!((&first["line"], &first["column"]), (&1.into(), &1.into()));
    assert_eq!(first["message"], "unknown key 'jbos' at the top");
    assert_eq!(first["hint"], "did you mean 'jobs'?");
    assert!(first["file"].as_str().unwrap().ends_with("pushcron.yaml"));
    assert_eq!(json["errors"][1]["hint"], "did you mean 'screen'?");
}

#[test]
fn reading_stops_at_a_thousand_problems() {
    let jobs: String = (0..1500).map(|index| format!("  - {{name: {index}, nmae: x}}\n")).collect();
    let errors = refused(&format!("jobs:\n{jobs}"));
    assert_eq!(errors.errors.len(), 1001);
    let stop = "so many problems that the rest of this file is not read";
    assert!(errors.errors.iter().any(|problem| problem.message == stop));
    assert!(errors.more);
}

#[test]
fn the_database_lies_in_the_state_directory_if_there_is_one() {
    let mut around = surroundings();
    around.variable =
        Box::new(|name| (name == "STATE_DIRECTORY").then(|| "/var/lib/pushcron:/var/lib/other".to_owned()));
    let directory = tempfile::tempdir().unwrap();
    for (text, database) in [
        ("", "/var/lib/pushcron/pushcron.db"),
        ("daemon: {database: a/b.db}", "/var/lib/pushcron/a/b.db"),
        ("daemon: {database: /srv/p.db}", "/srv/p.db"),
    ] {
        let file = private_file(directory.path(), "a.yaml", text);
        let config = config::load(&[file], &[], &around).unwrap();
        assert_eq!(config.daemon.database, Path::new(database));
    }
}

#[test]
fn the_daemons_settings_are_carried() {
    let config = loaded(
        "accounts: [{id: a, sender: screen}]
daemon:
  keep_history: 30d
  max_history_rows: 1000000
  max_database_size: 2GiB
  accounts_fallback: no_default
  media_roots: [/]
  media_allow_private: true
  media_max_bytes: 5MB
  probe_every: 1m
  metrics_file: numbers.prom
  metrics_listen: '[::1]:9464'
  heartbeat: {url: 'https://hc.test/x', every: 5m}
  on_failure: {push: {im: screen, user: me, title: pushcron}, command: [/bin/alert, -x], as_root: true, every: 15m}
",
    );
    let daemon = &config.daemon;
    assert_eq!(daemon.max_history_rows, Some(1_000_000));
    assert_eq!(daemon.max_database_size, Some(2 << 30));
    assert_eq!(daemon.accounts_fallback, pushcron::policy::account::Fallback::NoDefault);
    assert_eq!(daemon.media_roots, [Path::new("/")]);
    assert_eq!((daemon.media_allow_private, daemon.media_max_bytes), (true, 5_000_000));
    assert!(daemon.metrics_file.as_ref().unwrap().ends_with("numbers.prom"));
    assert_eq!(daemon.metrics_listen.unwrap().port(), 9464);
    let heartbeat = daemon.heartbeat.as_ref().unwrap();
    assert_eq!((heartbeat.url.expose(), heartbeat.every), ("https://hc.test/x", Duration::from_secs(300)));
    let on_failure = daemon.on_failure.as_ref().unwrap();
    assert_eq!(on_failure.push.as_ref().unwrap().target, Target::User("me".to_owned()));
    assert_eq!(on_failure.push.as_ref().unwrap().message.title.as_deref(), Some("pushcron"));
    assert_eq!(on_failure.command.as_deref().unwrap(), ["/bin/alert", "-x"]);
    assert_eq!((on_failure.as_root, on_failure.every), (true, Duration::from_secs(900)));
}

#[test]
fn an_account_has_the_settings_of_its_sender() {
    let config = loaded(
        "accounts:
  - id: a
    im: qq
    sender: wire
    url: http://127.0.0.1:3000
    nick: Bot
    quiet: true
    port: -1
    window: 1h
    rooms: [a, b]
    ca_file: certs/ca.pem
    flavour: markdown
    concurrency: 3
    min_interval: 500ms
  - {id: b, sender: wire, url: http://h, rooms: one}
",
    );
    let account = &config.accounts[0];
    assert_eq!((account.im.as_str(), account.concurrency), ("qq", Some(3)));
    assert_eq!(account.min_interval, Some(Duration::from_millis(500)));
    let settings = &account.settings;
    assert_eq!(settings.text("nick"), Some("Bot"));
    assert_eq!(settings.bool("quiet"), Some(true));
    assert_eq!(settings.int("port"), Some(-1));
    assert_eq!(settings.duration("window"), Some(Duration::from_secs(3600)));
    assert_eq!(settings.list("rooms"), ["a", "b"]);
    assert_eq!(settings.text("flavour"), Some("markdown"));
    assert!(
        settings.path("ca_file").unwrap().is_absolute() && settings.path("ca_file").unwrap().ends_with("certs/ca.pem")
    );
    assert_eq!(config.accounts[1].im, "chat", "the sender's own im");
    assert_eq!(config.accounts[1].settings.list("rooms"), ["one"]);
}

#[test]
fn an_empty_file_is_an_empty_configuration() {
    for text in ["", "# nothing yet\n", "---\n", "jobs:\n", "accounts: []\njobs: []\n", "\u{feff}jobs: []\n"] {
        assert_eq!(loaded(text).jobs, [], "{text:?}");
    }
}

#[test]
fn the_registered_senders_can_be_asked() {
    assert!(senders::specs().iter().any(|spec| spec.name == "console"));
}

#[test]
fn the_place_of_the_database_is_found_without_reading_or_judging_the_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let ask = |path: PathBuf| config::whereabouts(&[path], &surroundings());
    let missing_secret = "  heartbeat: {url: \"https://host/${NOT_SET}\", every: 1m}\n";
    let whole = file(
        "whole.yaml",
        &format!(
            "jobs:\n- name: broken\n  cron: nonsense\n\ndaemon:\n  database: a.db\n  timezone: Asia/Tokyo\n{missing_secret}accounts: 7\n"
        ),
    );
    let found = ask(whole).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((found.database, found.timezone.as_str()), (PathBuf::from("/srv/a.db"), "Asia/Tokyo"));

    // Included files, flow style and absent keys count as they do for the daemon.
    file("inner.yaml", "daemon: {database: /var/inner.db}");
    let outer = file("outer.yaml", "{include: inner.yaml}");
    assert_eq!(ask(outer).unwrap().database, Path::new("/var/inner.db"));
    let plain = file("plain.yaml", "jobs: []\n");
    let found = ask(plain).unwrap();
    assert_eq!((found.database, found.timezone.as_str()), (PathBuf::from("/srv/pushcron.db"), "Europe/Berlin"));

    let wrong = file("wrong.yaml", "jobs: []\ndaemon:\n  database: [a]\n");
    let errors = ask(wrong).unwrap_err();
    assert_eq!((errors.errors.len(), errors.errors[0].line), (1, 3), "{errors}");
    assert!(ask(folder.path().join("absent.yaml")).is_err());
}

/// `jobs.example.yaml`, as it is.
fn example() -> String {
    std::fs::read_to_string("jobs.example.yaml").unwrap()
}

/// The example with its commented samples taken in: lines commented out with a '#' and no single space.
fn example_with_samples() -> String {
    let is_sample = |rest: &str| !rest.is_empty() && (!rest.starts_with(' ') || rest.starts_with("  "));
    let uncommented = |line: &str| match line.split_once('#') {
        Some((indent, rest)) if indent.trim().is_empty() && is_sample(rest) => format!("{indent}{rest}\n"),
        _ => format!("{line}\n"),
    };
    example().lines().map(uncommented).collect()
}

#[test]
fn the_example_runs_as_it_is_and_pushes_within_ten_seconds() {
    let around = Surroundings { variable: Box::new(|_| None), ..surroundings() };
    let path = PathBuf::from("jobs.example.yaml");
    let config = config::load(&[path], &senders::specs(), &around).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(about_the_text(config.warnings), []);
    let hello = &config.jobs[0];
    assert_eq!((hello.enabled, &hello.schedule), (true, &Schedule::Every(5000)));
    assert!(config.jobs[1..].iter().all(|job| !job.enabled));
    let defaults =
        loaded(&format!("{ACCOUNT}jobs: [{{name: j, every: 1m, push: {{im: screen, user: u, text: hi}}}}]\n"));
    let (with, without) = (&hello.push[0], &defaults.jobs[0].push[0]);
    assert_eq!((&with.retry, with.timeout), (&without.retry, without.timeout), "its defaults are the built-in ones");
    assert_eq!(hello.misfire, defaults.jobs[0].misfire);
}

#[test]
fn every_registered_sender_has_a_sample_account_in_the_example() {
    let directory = tempfile::tempdir().unwrap();
    let file = private_file(directory.path(), "jobs.yaml", example_with_samples());
    let around = Surroundings { variable: Box::new(|_| Some("https://example.org/x".to_owned())), ..surroundings() };
    let config = config::load(&[file], &senders::specs(), &around).unwrap_or_else(|errors| panic!("{errors}"));
    for spec in senders::specs() {
        let account = config.accounts.iter().find(|account| account.sender == spec.name);
        let account = account.unwrap_or_else(|| panic!("jobs.example.yaml has no sample account of {}", spec.name));
        let used = config.jobs.iter().flat_map(|job| &job.push).any(|push| push.im == account.im);
        assert!(used, "jobs.example.yaml has no job that uses the account of {}", spec.name);
    }
}

#[test]
fn a_push_outside_any_job_is_judged_by_the_rules_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.yaml");
    let text = "defaults: {timeout: 3s, retry: {max_attempts: 2}}\naccounts: [{id: screen, sender: console, im: qq}]\n";
    std::fs::write(&file, text).unwrap();
    let ask =
        |push: &str| config::load_with_push(std::slice::from_ref(&file), push, &senders::specs(), &surroundings());

    let (config, push) = ask(r#"{"im": "qq", "groupCode": 7, "text": "costs $${5}"}"#).unwrap();
    assert_eq!((config.accounts.len(), config.jobs.len()), (1, 0));
    assert_eq!((push.timeout.as_secs(), push.retry.max_attempts), (3, 2));
    assert_eq!(serde_json::to_value(&push.message).unwrap()["text"], "costs ${5}");

    for (push, problem) in [
        (r#"{"im": "qq", "user": "1", "text": "a", "account": "scren"}"#, "there is no account 'scren'"),
        (r#"{"im": "qq", "user": "1"}"#, "a push needs content"),
        (r#"{"im": "qq", "user": "1", "text": "a", "text": "b"}"#, "text"),
        (r#"{"im": "qq""#, ""),
    ] {
        let errors = ask(push).unwrap_err();
        assert_eq!(errors.errors.len(), 1, "{push}: {errors}");
        assert_eq!(errors.errors[0].file, config::COMMAND_LINE, "{errors}");
        assert!(errors.errors[0].message.contains(problem), "{errors}");
    }
}

#[test]
fn without_any_file_the_embedded_example_holds() {
    let around = Surroundings { variable: Box::new(|_| None), ..surroundings() };
    let config = config::load(&[], &senders::specs(), &around).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((config.files.len(), config.jobs[0].name.as_str()), (0, "hello"));
    assert_eq!(config.daemon.media_roots, [PathBuf::from("/srv")]);
    assert_eq!(config::whereabouts(&[], &around).unwrap().database, config.daemon.database);
}

/// A variable may be the wrong one, and hold a secret.
#[test]
fn values_of_variables_are_named_and_never_shown() {
    let v = "'${TOKEN}'";
    let text = format!(
        "daemon: {{timezone: {v}, keep_history: {v}, metrics_listen: {v}, accounts_fallback: {v}, max_history_rows: {v}}}
accounts:
  - {{id: {v}, im: {v}, sender: screen, default: true}}
  - {{id: {v}, im: {v}, sender: screen, default: true}}
  - {{id: f, sender: wire, url: {v}, token_file: {v}, port: {v}, flavour: {v}, window: {v}}}
  - {{id: s, sender: {v}}}
  - {{id: a, sender: screen}}
jobs:
  - {{name: {v}, cron: {v}, timezone: {v}, overlap: {v}, push: {{im: {v}, user: u, text: hi}}}}
  - {{name: {v}, cron: {v}, misfire: {v}, push: {{im: screen, user: u, text: hi, account: '${{TOKEN}}x'}}}}
  - {{name: {v}, every: {v}, push: {{im: '${{TOKEN}}x', user: u, text: hi, timeout: {v}}}}}
  - {{name: {v}, at: {v}, push: {{im: screen, user: u, image: 'ftp://{v}', account: {v}}}}}
  - {{name: n, every: 1m, push: {{im: screen, user: u, text: hi, account: {v}}}}}
include: ['${{TOKEN}}.yaml']
"
    );
    let errors = refused(&text);
    assert!(errors.errors.len() >= 20, "{errors}");
    assert!(!errors.to_string().contains(CANARY), "{errors}");
}

/// Whatever is done to a file, it is read or refused, in good time, with a place and without a secret.
#[test]
fn spoiled_files_are_refused_in_good_order() {
    let seeds: Vec<String> = files("tests/data/bad", "yaml")
        .iter()
        .chain([&PathBuf::from("jobs.example.yaml")])
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let bits = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        "- ",
        "\n",
        "  ",
        "\t",
        "\"",
        "'",
        "&a ",
        "*a",
        "<<: *a",
        "|",
        ">",
        "!",
        "%",
        "@",
        "? ",
        "${",
        "${TOKEN}",
        "~",
        "true",
        "-1",
        "1e400",
        "日",
        "\0",
        "\u{feff}",
        "\u{202e}",
        "\r",
        "---\n",
        "#",
        ",",
        "99999999999d",
        "at: 9999-12-31T23:59:59",
        "base64://",
        "data:;base64,",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..400 {
        let mut text = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..random.usize(1..5) {
            let at = text.floor_char_boundary(random.usize(..=text.len()));
            match random.bool() {
                true => text.insert_str(at, bits[random.usize(..bits.len())]),
                false => {
                    let end = text.floor_char_boundary((at + random.usize(..40)).min(text.len()));
                    text.replace_range(at..end.max(at), "");
                }
            }
        }
        let file = private_file(directory.path(), "a.yaml", &text);
        if let Err(errors) = load(&[&file]) {
            assert!(
                !errors.errors.is_empty() && errors.errors.iter().all(|problem| !problem.file.is_empty()),
                "{text}"
            );
            assert!(!errors.to_string().contains(CANARY), "{errors}\n{text}");
        }
    }
}

#[test]
fn local_media_that_will_not_be_sent_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let warnings = |roots: &str, source: &str| {
        let text = format!("{}daemon: {{{roots}}}\n", push(&format!("{{im: screen, user: u, image: '{source}'}}")));
        let config = load(&[&private_file(root, "a.yaml", text)]).unwrap_or_else(|errors| panic!("{errors}"));
        config.warnings.iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    let outside = ["a local file outside of daemon.media_roots will not be sent"];
    assert_eq!(warnings("", "pictures/a.png"), [""; 0]);
    assert_eq!(warnings("", "https://example.org/a.png"), [""; 0]);
    assert_eq!(warnings("media_roots: /usr", "/usr/share/a.png"), [""; 0]);
    assert_eq!(warnings("", "../a.png"), outside);
    assert_eq!(warnings("", "/etc/passwd"), outside);
    assert_eq!(warnings("media_roots: /usr", "pictures/a.png"), outside);
    assert_eq!(warnings("media_roots: /usr", "/usr/../etc/passwd"), outside);
}

#[test]
fn a_token_over_plain_http_beyond_the_local_network_is_warned_of() {
    let warned = |url: &str, token: &str| {
        let config = loaded(&format!("accounts: [{{id: a, sender: wire, url: '{url}', {token}}}]\n"));
        config.warnings.iter().any(|warning| warning.message == "url: tokens and messages travel without encryption")
    };
    for near in ["http://127.0.0.1:3000", "http://[::1]", "http://192.168.1.5", "http://napcat:3000", "http://nas.lan"]
    {
        assert!(!warned(near, "token: '${TOKEN}'"), "{near}");
    }
    assert!(warned("http://example.org", "token: '${TOKEN}'"));
    assert!(warned("http://203.0.113.5:3000", "token: '${TOKEN}'"));
    assert!(!warned("http://example.org", "quiet: true"), "nothing secret travels");
    assert!(!warned("https://example.org", "token: '${TOKEN}'"));
}

#[test]
fn whoever_only_looks_need_not_see_the_credentials_of_the_service() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.yaml");
    let yaml = "daemon: {heartbeat: {url_credential: beat}}
accounts:
  - {id: seen, sender: screen}
  - {id: hidden, im: qq, sender: wire, url: 'http://h', token_credential: token}
jobs: [{name: a, every: 1s, push: {im: qq, group: g, text: hi, account: hidden}}]
";
    std::fs::write(&file, yaml).unwrap();
    let load = |needs_credentials| {
        config::load(
            std::slice::from_ref(&file),
            &[&WIRE, &SCREEN],
            &Surroundings { needs_credentials, ..surroundings() },
        )
    };
    assert_eq!(load(true).unwrap_err().errors.len(), 2);
    let config = load(false).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.accounts.iter().map(|account| &account.id).collect::<Vec<_>>(), ["seen"]);
    assert_eq!((config.jobs.len(), config.daemon.heartbeat), (1, None));
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    assert!(config.warnings[1].to_string().contains("token_credential: not looked at"), "{:?}", config.warnings);
}
