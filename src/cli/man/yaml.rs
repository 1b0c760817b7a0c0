//! pushcron.yaml(5): every key of the files, from the schema that editors use.

use serde_json::Value;

use super::paper::{Paper, option};
use crate::config::{self, KeyInWords, SPELLINGS, keys_in_words};
use crate::senders::specs;

/// The mappings of the schema, with the heading and the words under which a person finds them.
const MAPPINGS: [(&str, &str, &str); 21] = [
    ("daemon", "DAEMON", "The keys of `daemon`."),
    ("heartbeat", "DAEMON.HEARTBEAT", "The keys of `daemon.heartbeat`."),
    ("on_failure", "DAEMON.ON_FAILURE", "The keys of `daemon.on_failure`."),
    ("web", "DAEMON.WEB", "The keys of `daemon.web`."),
    ("web_user", "DAEMON.WEB.USERS", "The keys of each entry of `daemon.web.users`."),
    ("web_token", "DAEMON.WEB.TOKENS", "The keys of each entry of `daemon.web.tokens`."),
    ("account", "ACCOUNTS", "Keys of each entry of `accounts`, whatever its sender."),
    ("target", "TARGETS", "Keys of each entry of `targets`."),
    ("list", "TARGETS.FROM", "Keys of a target's `from`: the list that is read for each fire. It has one source."),
    ("job", "JOBS", "Keys of each entry of `jobs`. A schedule is `cron`, `every` or `at`."),
    ("push", "PUSHES", "Keys of a job's `push`, and of each entry where it is a list. It has one kind of content."),
    (
        "fallback",
        "FALLBACK",
        "Keys of each entry of a push's `fallback`: who gets the same message once the push ended badly.",
    ),
    (
        "content_from",
        "CONTENT_FROM",
        "Keys of a job's `content_from`, which makes the content of each fire. It has one source.",
    ),
    (
        "content_http",
        "CONTENT_FROM.HTTP",
        "Keys of `http` of a `content_from`, and of an address in a target's `from`, where they are more than an address.",
    ),
    ("prepared_push", "PUSHES WITH CONTENT_FROM", "What a push may say whose job has a `content_from`."),
    ("media", "MEDIA", "Keys of `image`, `voice`, `video` and `file`, where they are more than a source."),
    ("item", "MIXED", "Keys of each entry of `mixed`."),
    ("calendar", "CALENDARS", "Keys of each entry of `calendars`."),
    ("defaults", "DEFAULTS", "Keys of `defaults`, for jobs that do not say them themselves."),
    ("retry", "RETRY", "Keys of `retry`."),
    ("misfire", "MISFIRE", "Keys of `misfire`, which may also be the word of a policy."),
];

const TYPES: [(&str, &str); 7] = [
    ("text", "Any scalar. Numbers are kept as they are written."),
    ("name", "A text of 1 to 128 characters without `/` and outer spaces, other than `.` and `..`."),
    (
        "duration",
        "`1d12h`, `90m`, `30s`, `500ms`: whole numbers with `w`, `d`, `h`, `m`, `s` or `ms`, the greatest first.",
    ),
    ("size", "Bytes, or a number with a unit, such as `20MB` or `512KiB`."),
    ("path", "Relative to the file in which it stands."),
    ("source", "An `http://` or `https://` address, a path, `base64://…` or `data:…;base64,…`."),
    ("address", "`http://` or `https://`."),
];

pub(super) fn page() -> String {
    let schema = config::schema(&specs());
    let definitions = &schema["$defs"];
    let mut paper = Paper::new("pushcron.yaml", "5", "pushcron manual");
    paper.name("pushcron.yaml", "who sends what to whom, and when");
    paper
        .heading("DESCRIPTION")
        .paragraph("pushcron(1) reads one YAML file, several, or the `*.yaml` and `*.yml` files of a directory in the order of their names, as one configuration. It is taken whole or refused whole, by `pushcron check` with the place of every problem.")
        .paragraph("`${NAME}` in a value stands for an environment variable; `$${` is a literal `${`. Anchors, aliases and merge keys (`<<: *name`) work. Unknown keys are refused.")
        .paragraph(&format!("The keys of plugin SDKs are taken as well, so that a call can be pasted: {}; there a bare number as `timeout` is milliseconds.", SPELLINGS.map(|key| format!("`{key}`")).join(", ")));
    keys(paper.heading("FILE"), "What a file may have at its top.", &schema, &[]);
    for (name, heading, about) in MAPPINGS {
        keys(paper.heading(heading), about, &definitions[name], &SPELLINGS);
    }
    let common: Vec<&str> = keys_in_words(&definitions["account"]).iter().map(|row| row.key).collect();
    for case in definitions["account"]["allOf"].as_array().into_iter().flatten() {
        let sender = case["if"]["properties"]["sender"]["const"].as_str().unwrap_or_default();
        let about = specs().iter().find(|spec| spec.name == sender).map(|spec| spec.about).unwrap_or_default();
        let about = format!("Further keys of an account with `sender: {sender}` ({about}).");
        keys(paper.heading(&format!("ACCOUNTS: {}", sender.to_uppercase())), &about, &case["then"], &common);
    }
    paper.heading("TYPES");
    for (name, meaning) in TYPES {
        paper.term(option(&[], Some(name)), meaning);
    }
    paper.heading("EXAMPLES").as_typed(EXAMPLE.lines());
    paper
        .heading("FILES")
        .term(option(&[], Some("/etc/pushcron/*.yaml")), "What is read where no file is named.")
        .term(option(&[], Some("/usr/share/pushcron/pushcron.schema.json")), "This page for editors: a file that begins with `# yaml-language-server: $schema=` and this path is completed and checked as it is typed.")
        .term(option(&[], Some("/usr/share/doc/pushcron/jobs.example.yaml")), "Every key in use.")
        .see_also(["pushcron(1)", "pushcron-check(1)", "pushcron-schema(1)"]);
    paper.text()
}

fn keys(paper: &mut Paper, about: &str, mapping: &Value, without: &[&str]) {
    paper.paragraph(about);
    for KeyInWords { key, takes, absent, about } in keys_in_words(mapping) {
        if without.contains(&key) {
            continue;
        }
        let (takes, about) = match key {
            "sender" => ("text", "The protocol: one of the names below, each with its further keys."),
            _ => (takes.as_str(), about),
        };
        paper.term(option(&[key.to_owned()], Some(&takes.replace('`', ""))), about);
        if absent == "required" {
            paper.further("It must be there.");
        } else if !absent.is_empty() {
            paper.further(&format!("When absent: `{absent}`."));
        }
    }
}

const EXAMPLE: &str = r#"daemon:
  timezone: Asia/Shanghai
accounts:
  - id: bot
    im: qq
    sender: onebot11
    url: http://127.0.0.1:3000
    token: ${QQ_TOKEN}
    default: true
jobs:
  - name: report
    cron: "0 9 * * 1-5"
    push: {im: qq, group: "123456", text: Good morning}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_schema_is_on_the_page() {
        let page = page();
        let has = |key: &str| page.contains(&format!("\\fB{}\\fR", key.replace('-', "\\-")));
        let mut tried = 0;
        let mut look = |schema: &Value| {
            for row in keys_in_words(schema) {
                assert!(has(row.key), "{}: {page}", row.key);
                tried += 1;
            }
        };
        let schema = config::schema(&specs());
        look(&schema);
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            // What reports cannot have is a part of what pushes have.
            if !["options", "report_push"].contains(&name.as_str()) {
                look(definition);
            }
            definition["allOf"].as_array().into_iter().flatten().for_each(|case| look(&case["then"]));
        }
        assert!(tried > 150, "{tried}");
    }

    #[test]
    fn every_mapping_of_the_schema_has_its_section() {
        let schema = config::schema(&specs());
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            let told =
                MAPPINGS.iter().any(|(of, ..)| of == name) || ["options", "report_push"].contains(&name.as_str());
            assert!(told || keys_in_words(definition).is_empty(), "{name}");
        }
    }

    #[test]
    fn the_example_is_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pushcron.yaml");
        std::fs::write(&file, EXAMPLE.replace("${QQ_TOKEN}", "t")).unwrap();
        let mut environment = config::LoadEnvironment::of_process(crate::domain::UtcMs(1_800_000_000_000));
        environment.working_directory = dir.path().to_owned();
        let config = config::load(&[file], &specs(), &environment).map_err(|errors| errors.to_string()).unwrap();
        assert_eq!((config.jobs.len(), config.accounts.len()), (1, 1));
    }
}
