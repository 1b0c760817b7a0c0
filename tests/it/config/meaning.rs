//! What jobs and pushes mean, in every spelling.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pushcron::config;
use pushcron::domain::job::DstGap;
use pushcron::domain::{Body, Item, Kind, Media, MisfirePolicy, Overlap, RetryPolicy, Schedule, Target, UtcMs};
use pushcron::senders;

use super::{CANARY, first_error, job, load, loaded, private_file, push, surroundings};

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
    assert_eq!(*report.push[0].retry, RetryPolicy::default());

    let morning = &config.jobs[1];
    assert_eq!(morning.schedule, Schedule::Every(30_000));
    assert_eq!(&*morning.timezone, "Asia/Shanghai");
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
    assert_eq!(*plain.push[0].retry, retry);
    assert_eq!((plain.misfire.policy, plain.misfire.max), (MisfirePolicy::All, 100));
    assert_eq!((plain.overlap, plain.dst_gap, &*plain.timezone), (Overlap::Skip, DstGap::Skip, "Europe/Berlin"));
    assert_eq!(plain.push[0].timeout, Duration::from_secs(3));
    let twenty = Duration::from_secs(1200);
    let retry = RetryPolicy { max_attempts: 7, backoff: twenty, max_backoff: twenty, ..RetryPolicy::default() };
    assert_eq!(*own.push[0].retry, retry, "a long first wait is not cut by a limit that nobody asked for");
    assert_eq!((own.misfire.policy, own.misfire.max), (MisfirePolicy::All, 5));
    assert_eq!((own.overlap, own.dst_gap, &*own.timezone), (Overlap::Replace, DstGap::Fire, "UTC"));
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
    assert!(config.warnings[0].message.english().contains("is past"), "{}", config.warnings[0]);
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
        let retry = Arc::make_mut(&mut spec.retry);
        (retry.max_attempts, retry.backoff) = (max_attempts, Duration::from_secs(1));
        spec
    }
}

#[test]
fn a_push_outside_any_job_is_judged_by_the_rules_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.yaml");
    let text = "defaults: {timeout: 3s, retry: {max_attempts: 2}}\naccounts: [{id: screen, sender: console, im: qq}]\n";
    std::fs::write(&file, text).unwrap();
    let ask =
        |push: &str| config::load_with_pushes(std::slice::from_ref(&file), push, &senders::specs(), &surroundings());

    let (config, pushes) = ask(r#"{"im": "qq", "groupCode": 7, "text": "costs $${5}"}"#).unwrap();
    assert_eq!((config.accounts.len(), config.jobs.len(), pushes.len()), (1, 0, 1));
    let push = &pushes[0];
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
        assert!(errors.errors[0].message.english().contains(problem), "{errors}");
    }
}

#[test]
fn local_media_that_will_not_be_sent_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    private_file(root, "pictures/a.png", "a picture");
    let warnings = |roots: &str, source: &str| {
        let text = format!("{}daemon: {{{roots}}}\n", push(&format!("{{im: screen, user: u, image: '{source}'}}")));
        let config = load(&[&private_file(root, "a.yaml", text)]).unwrap_or_else(|errors| panic!("{errors}"));
        config.warnings.iter().map(|warning| warning.message.english().to_owned()).collect::<Vec<_>>()
    };
    let outside = ["a local file outside of daemon.media_roots will not be sent"];
    assert_eq!(warnings("", "pictures/a.png"), [""; 0]);
    assert_eq!(warnings("", "https://example.org/a.png"), [""; 0]);
    assert_eq!(warnings("media_roots: /usr", "/usr/share/a.png"), ["this local file is not there now"]);
    assert_eq!(warnings("", "../a.png"), outside);
    assert_eq!(warnings("", "/etc/passwd"), outside);
    assert_eq!(warnings("media_roots: /usr", "pictures/a.png"), outside);
    assert_eq!(warnings("media_roots: /usr", "/usr/../etc/passwd"), outside);
}
