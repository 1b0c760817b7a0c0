//! Who may know whom: the import table of the crate, checked against every source file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A module and those it may name, lowest first.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("zone", &["domain"]),
    ("policy", &["domain"]),
    ("config", &["domain", "policy"]),
    ("store", &["domain"]),
    ("net", &["domain", "clock"]),
    ("senders", &["domain", "clock", "net"]),
    ("media", &["domain", "clock"]),
    ("engine", &["domain", "clock", "policy", "store", "senders", "media"]),
    ("logging", &["domain", "clock"]),
    (
        "daemon",
        &["domain", "clock", "zone", "policy", "config", "store", "net", "senders", "media", "engine", "logging"],
    ),
    ("cli", &["domain", "clock", "zone", "policy", "config", "store", "senders", "daemon", "logging"]),
];

/// Crates that only some modules may use.
const RESERVED: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("reqwest", &["senders", "media"]),
    ("hyper", &["net"]),
    ("hyper_util", &["net"]),
    ("clap", &["cli"]),
    ("granit_parser", &["config"]),
    ("croner", &["policy"]),
    ("tokio_cron_scheduler", &["daemon"]),
];

/// Files that hand SQLite a text that is no literal, put together of numbers and constants of their own. Elsewhere it
/// gets literals only, so that no name and no text can become SQL.
const SQL_FROM_PIECES: [&str; 4] =
    ["store/sqlite/connect.rs", "store/sqlite/definitions.rs", "store/sqlite/history.rs", "store/sqlite/upkeep.rs"];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(dir: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &mut found);
    found.into_iter().map(|(path, text)| (path.strip_prefix(&root).unwrap().to_owned(), text)).collect()
}

/// The top module that a file belongs to.
fn module_of(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The text without comment lines and string literals.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| line.split('"').step_by(2))
}

/// What stands behind each `word` in code, up to the next sign that cannot be in a name.
fn names_after<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    code(text)
        .flat_map(move |line| line.match_indices(word).map(move |(at, _)| &line[at + word.len()..]))
        .map(|rest| &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())])
}

#[test]
fn every_module_knows_only_those_below_it() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            broken.push(format!("{}: the module is not in the table of tests/layers.rs", path.display()));
            continue;
        };
        for name in names_after(&text, "crate::") {
            if name != module && !allowed.contains(&name) {
                broken.push(format!("{}: {module} may not know {name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_crate_with_one_room_stays_in_it() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        for (reserved, rooms) in RESERVED {
            let path_into = format!("{reserved}::");
            let used = code(&text).any(|code| code.contains(&path_into));
            if used && !rooms.contains(&module.as_str()) && module != "main" {
                broken.push(format!("{}: only {rooms:?} may use {reserved}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_table_itself_has_no_cycle() {
    for (position, (module, allowed)) in LAYERS.iter().enumerate() {
        for below in *allowed {
            let place = LAYERS.iter().position(|(name, _)| name == below);
            assert!(place.is_some_and(|place| place < position), "{module} names {below}, which is not below it");
        }
    }
}

#[test]
fn sql_is_constant_but_where_it_was_looked_at() {
    let takes_sql = [".prepare(", ".prepare_cached(", ".execute(", ".execute_batch(", ".query_row("];
    // A literal, or what is bound to a statement that is prepared already.
    let harmless = ["\"", "concat!(", "params![", "["];
    let sources = sources();
    let mut calls = 0;
    let found: Vec<_> = sources
        .iter()
        .filter(|(path, _)| path.starts_with("store"))
        .filter(|(_, text)| {
            let arguments = takes_sql.iter().flat_map(|call| text.split(call).skip(1)).map(str::trim_start);
            let (_, bare): (Vec<_>, Vec<_>) = arguments
                .inspect(|_| calls += 1)
                .partition(|text| harmless.iter().any(|start| text.starts_with(start)));
            !bare.is_empty()
        })
        .map(|(path, _)| path.to_str().unwrap())
        .collect();
    assert_eq!(found, SQL_FROM_PIECES);
    assert!(calls > 60, "only {calls} calls were found");
}
