//! `docs/senders/` says what the code says: its tables are written from the registry, and every sender has its page.
//! `PUSHCRON_WRITE_DOCS=1 cargo test --test it docs_senders::` brings them up to date.

use pushcron::domain::account::{SettingValue, Settings};
use pushcron::domain::sender::{SettingKind, SettingSpec};
use pushcron::domain::{Kind, SenderSpec, Support};
use pushcron::senders::specs;

const DOCS: &str = "docs/senders";

/// What every page tells in words, since no table can.
const PARAGRAPHS: [&str; 4] = ["**Targets.**", "**Limits.**", "**Unknown outcomes.**", "**Health.**"];

#[test]
fn the_tables_are_those_of_the_registry() {
    holds("README", &[("kinds".to_owned(), kinds()), ("pace".to_owned(), pace())]);
    for spec in specs() {
        holds(spec.name, &[(format!("settings of {}", spec.name), settings(spec))]);
    }
}

#[test]
fn every_sender_has_a_page_that_answers_the_same_questions() {
    let index = std::fs::read_to_string(format!("{DOCS}/README.md")).unwrap();
    for spec in specs() {
        let page = std::fs::read_to_string(format!("{DOCS}/{}.md", spec.name)).unwrap();
        assert!(page.starts_with(&format!("# {}\n", spec.name)), "{page}");
        assert!(index.contains(&format!("]({}.md)", spec.name)), "{DOCS}/README.md does not lead to {}", spec.name);
        for paragraph in PARAGRAPHS {
            assert!(page.contains(paragraph), "the page of {} lacks {paragraph}", spec.name);
        }
    }
}

/// In Chinese there are some of the pages, with every key of the sender and no other.
#[test]
fn the_pages_in_chinese_know_the_keys_of_their_senders() {
    let mut pages = Vec::new();
    for spec in specs() {
        let Ok(page) = std::fs::read_to_string(format!("docs/zh/senders/{}.md", spec.name)) else { continue };
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|row| row.split('`').next());
        let keys: Vec<&str> = spec.settings.iter().map(|setting| setting.key).collect();
        assert_eq!(rows.collect::<Vec<_>>(), keys, "docs/zh/senders/{}.md", spec.name);
        pages.push(spec.name);
    }
    assert_eq!(pages, ["onebot11", "ilink", "wecom_robot", "wecom_app", "qianxun"]);
}

/// That the page has these blocks as they are; it is written where that is asked for.
fn holds(page: &str, blocks: &[(String, String)]) {
    let path = format!("{DOCS}/{page}.md");
    let docs = std::fs::read_to_string(&path).unwrap();
    let written = blocks.iter().fold(docs.clone(), |docs, (name, content)| with_block(&docs, name, content));
    if std::env::var_os("PUSHCRON_WRITE_DOCS").is_some() {
        std::fs::write(&path, &written).unwrap();
    } else {
        assert!(
            docs == written,
            "{path} is out of date: run PUSHCRON_WRITE_DOCS=1 cargo test --test it docs_senders::"
        );
    }
}

/// `docs` with the text between the marks of that block replaced.
fn with_block(docs: &str, name: &str, content: &str) -> String {
    let (start, end) = (format!("<!-- {name}: written by a test -->\n"), "<!-- end -->");
    let (before, rest) = docs.split_once(&start).unwrap_or_else(|| panic!("a page of {DOCS} lacks the mark {start}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("the block {name} has no end"));
    format!("{before}{start}{content}{end}{after}")
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rule = vec!["---".to_owned(); head.len()];
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    let escaped = |row: Vec<String>| row.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
    [line(head), line(rule)].into_iter().chain(rows.into_iter().map(|row| line(escaped(row)))).collect()
}

/// One line per sender where groups and users are served alike, else one for each.
fn kinds() -> String {
    let support = |spec: &SenderSpec, group: bool| Kind::ALL.map(|kind| (spec.support)(kind, group));
    let row = |spec: &SenderSpec, to: &str, cells: [Support; 6]| {
        let mut reasons: Vec<&str> = cells.iter().filter_map(|cell| refusal(*cell)).collect();
        reasons.dedup();
        let ends = [format!("[`{0}`]({0}.md)", spec.name), to.to_owned()].into_iter().chain(cells.map(describe));
        ends.chain([reasons.join("; ")]).collect()
    };
    let rows = specs().into_iter().flat_map(|spec| match (support(spec, true), support(spec, false)) {
        (groups, users) if groups == users => vec![row(spec, "group, user", groups)],
        (groups, users) => vec![row(spec, "group", groups), row(spec, "user", users)],
    });
    table(&["sender", "to", "text", "image", "voice", "video", "file", "mixed", "why refused"], rows)
}

fn refusal(support: Support) -> Option<&'static str> {
    match support {
        Support::Refused(reason) => Some(reason),
        Support::Native | Support::Fallback(_) => None,
    }
}

fn describe(support: Support) -> String {
    match support {
        Support::Native => "native".to_owned(),
        Support::Fallback(form) => form.to_owned(),
        Support::Refused(_) => "refused".to_owned(),
    }
}

fn pace() -> String {
    let rows = specs().into_iter().map(|spec| {
        vec![
            format!("`{}`", spec.name),
            spec.default_im.to_owned(),
            spec.concurrency.to_string(),
            format!("{} ms", spec.min_interval_ms),
            match spec.max_media_bytes {
                u64::MAX => "as the daemon".to_owned(),
                bytes => format!("{} MiB", bytes / (1024 * 1024)),
            },
            repeats(spec),
        ]
    });
    table(
        &["sender", "default `im`", "sends at once", "pause between", "largest media", "unknown may be repeated"],
        rows,
    )
}

/// Whether an unknown outcome may be tried again, perhaps only with a switch of the account.
fn repeats(spec: &SenderSpec) -> String {
    if (spec.idempotent)(&Settings::default()) {
        return "yes".to_owned();
    }
    let switches = spec.settings.iter().filter(|setting| setting.kind == SettingKind::Bool);
    let mut helpful = switches.filter(|setting| {
        let on = Settings { values: [(setting.key.to_owned(), SettingValue::Bool(true))].into() };
        (spec.idempotent)(&on)
    });
    helpful.next().map_or("no".to_owned(), |setting| format!("with `{}: true`", setting.key))
}

fn settings(spec: &SenderSpec) -> String {
    if spec.settings.is_empty() {
        return "No settings of its own.\n".to_owned();
    }
    let row = |setting: &SettingSpec| {
        let default = if setting.required { "required" } else { setting.default };
        vec![format!("`{}`", setting.key), kind_of(setting.kind), default.to_owned(), setting.doc.to_owned()]
    };
    table(&["key", "type", "when absent", "meaning"], spec.settings.iter().map(row))
}

fn kind_of(kind: SettingKind) -> String {
    match kind {
        SettingKind::Text => "text".to_owned(),
        SettingKind::Secret => "secret".to_owned(),
        SettingKind::Url => "address".to_owned(),
        SettingKind::Bool => "true or false".to_owned(),
        SettingKind::Int => "number".to_owned(),
        SettingKind::Duration => "duration".to_owned(),
        SettingKind::List => "list".to_owned(),
        SettingKind::Path => "path".to_owned(),
        SettingKind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
    }
}
