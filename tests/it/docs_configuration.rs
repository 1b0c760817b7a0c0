//! `docs/configuration.md` says what the code says: its tables are written from the JSON Schema.
//! `PUSHCRON_WRITE_DOCS=1 cargo test --test it docs_configuration::` brings them up to date.

use pushcron::config::KeyInWords;
use pushcron::{config, senders};
use serde_json::Value;

const DOCS: &str = "docs/configuration.md";

/// Further keys that have no row: the address of a heartbeat from elsewhere is told at `url`.
const ELSEWHERE: [&str; 2] = ["url_file", "url_credential"];

#[test]
fn the_tables_are_those_of_the_schema() {
    let schema = config::schema(&senders::specs());
    let docs = std::fs::read_to_string(DOCS).unwrap();
    let mut written = docs.clone();
    for name in [
        "daemon",
        "heartbeat",
        "on_failure",
        "web",
        "web_token",
        "account",
        "target",
        "list",
        "job",
        "content_from",
        "content_http",
        "push",
        "fallback",
        "media",
        "calendar",
        "defaults",
        "retry",
        "misfire",
    ] {
        written = with_block(&written, name, &table(&schema["$defs"][name]));
    }
    if std::env::var_os("PUSHCRON_WRITE_DOCS").is_some() {
        std::fs::write(DOCS, &written).unwrap();
    } else {
        assert!(
            docs == written,
            "{DOCS} is out of date: run PUSHCRON_WRITE_DOCS=1 cargo test --test it docs_configuration::"
        );
    }
}

/// The spellings of the SDK stand on the page in Chinese too: the same keys in the same order.
#[test]
fn the_spellings_of_the_sdk_are_the_same_in_chinese() {
    let rows = |page: &str, heading: &str| -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(page).unwrap();
        let (_, section) = text.split_once(heading).unwrap_or_else(|| panic!("{page} has no '{heading}'"));
        let table =
            section.split("\n#").next().unwrap().lines().filter(|line| line.contains("| ") && line.contains('`'));
        table.map(|row| row.split('`').skip(1).step_by(2).map(str::to_owned).collect()).collect()
    };
    let in_english = rows(DOCS, "### Spellings of the plugin SDK");
    assert!(in_english.len() > 10, "{in_english:?}");
    for row in rows("docs/zh/from-the-sdk.md", "## 键的写法").iter().zip(&in_english) {
        assert_eq!(row.0[0], row.1[0]);
        assert!(row.1.iter().all(|key| row.0.contains(key)), "{row:?}");
    }
    assert_eq!(rows("docs/zh/from-the-sdk.md", "## 键的写法").len(), in_english.len());
}

/// `docs` with the text between the marks of that block replaced.
fn with_block(docs: &str, name: &str, content: &str) -> String {
    let (start, end) = (format!("<!-- {name}: written by a test -->\n"), "<!-- end -->");
    let (before, rest) = docs.split_once(&start).unwrap_or_else(|| panic!("{DOCS} lacks the mark {start}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("the block {name} has no end"));
    format!("{before}{start}{content}{end}{after}")
}

fn table(definition: &Value) -> String {
    let mut table = "| key | type | when absent | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for KeyInWords { key, takes, absent, about } in config::keys_in_words(definition) {
        if config::SPELLINGS.contains(&key) || ELSEWHERE.contains(&key) {
            continue;
        }
        // The senders are listed on their own page.
        let (words, about) = match key {
            "sender" => ("text".to_owned(), "The protocol: one of those in docs/senders/README.md."),
            _ => (takes, about),
        };
        table.push_str(&format!("| `{key}` | {words} | {absent} | {about} |\n"));
    }
    table
}
