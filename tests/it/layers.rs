//! Who may know whom: the import table of the crate, checked against every source file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module and those it may name, lowest first.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("texts", &["domain"]),
    ("clock", &["domain"]),
    ("whole_file", &[]),
    ("zone", &["domain"]),
    ("policy", &["domain", "texts"]),
    ("render", &["domain", "texts"]),
    ("config", &["domain", "texts", "whole_file", "policy", "render"]),
    ("store", &["domain", "whole_file"]),
    ("net", &["domain", "clock"]),
    ("senders", &["domain", "texts", "clock", "whole_file", "net"]),
    ("media", &["domain", "clock"]),
    ("program", &["domain", "clock"]),
    ("engine", &["domain", "clock", "policy", "store", "senders", "media", "program"]),
    ("simulate", &["domain", "policy", "config", "store", "senders", "engine"]),
    ("answers", &["domain", "texts", "clock", "zone", "policy", "config", "store", "senders"]),
    (
        "acts",
        &["domain", "texts", "clock", "zone", "policy", "config", "store", "senders", "media", "engine", "answers"],
    ),
    ("logging", &["domain", "clock"]),
    (
        "daemon",
        &[
            "domain",
            "texts",
            "clock",
            "whole_file",
            "zone",
            "policy",
            "render",
            "config",
            "store",
            "net",
            "senders",
            "media",
            "program",
            "engine",
            "acts",
            "logging",
        ],
    ),
    ("web", &["domain", "texts", "clock", "config", "store", "net", "senders", "answers", "acts", "daemon"]),
    ("mcp", &[]),
    (
        "cli",
        &[
            "domain", "texts", "clock", "zone", "policy", "config", "store", "senders", "simulate", "answers", "acts",
            "daemon", "web", "mcp", "logging",
        ],
    ),
];

/// Crates that only some modules may use.
const RESERVED: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("sqlx", &["store"]),
    ("reqwest", &["senders", "media", "mcp"]),
    ("hyper", &["net"]),
    ("hyper_util", &["net"]),
    ("clap", &["cli"]),
    ("granit_parser", &["config"]),
    ("croner", &["policy"]),
    ("minijinja", &["render"]),
    ("tokio_cron_scheduler", &["daemon"]),
    ("askama", &["web"]),
    ("argon2", &["web"]),
    ("rmcp", &["mcp"]),
];

/// Where the library itself takes literals only, but for what is marked with this word.
const TAKES_LITERALS: (&str, &str) = ("store/postgres", "AssertSqlSafe");

/// Files so marked: whose texts are put together of constants alone, each of type `&'static str`, with every value bound.
const MARKED: [&str; 1] = ["store/postgres/views.rs"];

/// Files that hand SQLite a text that is no literal, put together of numbers and constants of their own. Elsewhere it
/// gets literals only, so that no name and no text can become SQL.
const SQL_FROM_PIECES: [&str; 5] = [
    "store/sqlite/connect.rs",
    "store/sqlite/definitions.rs",
    "store/sqlite/records.rs",
    "store/sqlite/upkeep.rs",
    "store/sqlite/views.rs",
];

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
        // The build script is a program of its own, and runs before there is a crate.
        if ["lib", "main", "build"].contains(&module.as_str()) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            broken.push(format!("{}: the module is not in the table of tests/it/layers.rs", path.display()));
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

/// The modules in the order of a page's list, with the rest of their lines.
fn listed<'page>(page: &'page str, before: &str) -> Vec<(&'page str, &'page str)> {
    let lines = page.lines().filter_map(|line| line.strip_prefix(before)?.split_once('`'));
    lines.filter(|(name, _)| LAYERS.iter().any(|(known, _)| known == name)).collect()
}

#[test]
fn the_pages_that_people_read_tell_the_same_table() {
    let names: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = fs::read_to_string(root.join("docs/dev/architecture.md")).unwrap();
    let map = map.split("\n## ").find(|part| part.starts_with("Layers")).unwrap();
    let rows = listed(map, "| `");
    assert_eq!(rows.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names, "docs/dev/architecture.md");
    for ((name, allowed), (_, row)) in LAYERS.iter().zip(rows) {
        let told = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let may = if allowed.is_empty() { "–".to_owned() } else { allowed.join(", ") };
        assert_eq!(told, may, "docs/dev/architecture.md: what {name} may use");
    }
    let of_the_crate = fs::read_to_string(root.join("src/lib.rs")).unwrap().replace("[`", "`");
    let told: Vec<&str> = listed(&of_the_crate, "//! - `").into_iter().map(|(name, _)| name).collect();
    assert_eq!(told, names, "src/lib.rs");
}

/// SQLite does not know that few fires wait for their pushes, and that there may be millions of others: left to choose, it
/// begins with those, in every question and on the way of every fire.
#[test]
fn what_waits_is_looked_up_in_the_history_and_never_the_other_way() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.contains("unexpanded_fires AS u JOIN") {
            broken.push(format!("{}: say `unexpanded_fires AS u CROSS JOIN fires`", path.display()));
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

/// Files of the command line that name the store: one opens it and hands it to questions and acts, one tells its errors.
const CLI_AT_THE_STORE: [&str; 2] = ["cli/context.rs", "cli/failure.rs"];

#[test]
fn verbs_ask_and_act_and_leave_the_store_to_answers_and_acts() {
    let sources = sources();
    let at_the_store: Vec<_> = sources
        .iter()
        .filter(|(path, text)| path.starts_with("cli") && names_after(text, "crate::").any(|name| name == "store"))
        .map(|(path, _)| path.to_str().unwrap())
        .collect();
    assert_eq!(at_the_store, CLI_AT_THE_STORE);
}

/// Those who may say of which kind a database is, beside the store: the noun itself, and where its files lie.
const KNOW_THE_BACKENDS: [&str; 2] = ["domain/database.rs", "domain/state_dir.rs"];

#[test]
fn nobody_but_the_store_knows_which_backends_there_are() {
    let named = |text: &str| {
        // A module by its whole name: a text may speak of the tool `sqlite3`.
        let is_backend = |name: &str| {
            ["sqlite", "postgres"].contains(&name) || ["Sqlite", "Postgres"].iter().any(|word| name.starts_with(word))
        };
        bare_code(text).split(|c: char| !is_in_name(c)).any(is_backend)
    };
    let sources = sources();
    let naming: Vec<&str> =
        sources.iter().filter(|(_, text)| named(text)).map(|(path, _)| path.to_str().unwrap()).collect();
    assert!(naming.len() > 5, "only {} files name a backend", naming.len());
    let strangers: Vec<_> =
        naming.into_iter().filter(|path| !path.starts_with("store/") && !KNOW_THE_BACKENDS.contains(path)).collect();
    assert!(strangers.is_empty(), "ask `store` in place of naming a backend: {strangers:#?}");
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
    let (by_itself, mark) = TAKES_LITERALS;
    let marked = sources.iter().filter(|(_, text)| text.contains(mark)).map(|(path, _)| path.to_str().unwrap());
    assert_eq!(marked.collect::<Vec<_>>(), MARKED, "SQL that is no literal");
    let found: Vec<_> = sources
        .iter()
        .filter(|(path, _)| path.starts_with("store") && !path.starts_with(by_itself))
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

/// Files and functions that are still too long; each leaves when it is short.
const KNOWN_LONG: &[&str] = &[];

const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 80;

#[test]
fn no_file_names_one_that_leads_back_to_it() {
    let crates = Modules::of_crate();
    let circles = crates.circles();
    let all: Vec<_> = circles.iter().collect();
    assert!(all.is_empty(), "files in a circle; move what both need into a third:\n{}", crates.in_words(&all));
}

#[test]
fn circles_are_found_through_imports_paths_and_re_exports() {
    let crates = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        Modules::new(&files).circles()
    };
    let parent = ("a/mod.rs", "mod b;\nmod c;\npub use self::c::{Deep, other::Thing};\npub struct Own;");
    let none: [Vec<String>; 0] = [];
    assert_eq!(crates(&[parent, ("a/b.rs", "use super::Deep;"), ("a/c.rs", "pub struct Deep;")]), none);
    assert_eq!(crates(&[parent, ("a/c.rs", "use super::Own;\npub struct Deep;")]), [["a/mod.rs", "a/c.rs"]]);
    let named = ("a/b.rs", "fn f() { super::c::g(\"super::none\") } // crate::none::at_all");
    assert_eq!(crates(&[parent, named, ("a/c.rs", "use crate::a::b;\nfn g() { b::f() }")]), [["a/b.rs", "a/c.rs"]]);
    let tested = "fn g() {}\n#[cfg(test)]\nmod tests {\n    use super::super::b::f;\n}";
    assert_eq!(crates(&[parent, named, ("a/c.rs", tested)]), none);
}

/// `domain::is_blank` does: what `trim` leaves may be a text that nobody can see.
#[test]
fn no_sender_judges_by_itself_whether_a_text_shows_nothing() {
    let judges = |(path, text): &(PathBuf, String)| {
        path.starts_with("senders") && code(text).any(|line| line.contains("trim().is_empty()"))
    };
    let judging: Vec<PathBuf> = sources().into_iter().filter(judges).map(|(path, _)| path).collect();
    assert!(judging.is_empty(), "ask domain::is_blank: {judging:?}");
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let long: BTreeSet<String> = sources().iter().flat_map(|(path, text)| too_long(path, text)).collect();
    let known: BTreeSet<String> = KNOWN_LONG.iter().map(|long| (*long).to_owned()).collect();
    let new: Vec<_> = long.difference(&known).collect();
    assert!(new.is_empty(), "more than {LONGEST_FILE} lines, or a function of more than {LONGEST_FUNCTION}: {new:#?}");
    let gone: Vec<_> = known.difference(&long).collect();
    assert!(gone.is_empty(), "not too long any more, take them off KNOWN_LONG: {gone:?}");
}

#[test]
fn a_long_function_is_found_by_its_name() {
    let function =
        |lines: usize| format!("impl A {{\n    pub async fn go() {{\n{}    }}\n}}\n", "        ();\n".repeat(lines));
    let long = |text: &str| too_long(Path::new("a.rs"), text);
    assert_eq!(long(&function(LONGEST_FUNCTION - 2)), Vec::<String>::new());
    assert_eq!(long(&function(LONGEST_FUNCTION - 1)), ["a.rs fn go"]);
    assert_eq!(long(&"\n".repeat(LONGEST_FILE + 1)), ["a.rs"]);
}

/// The file, if it is too long, and its functions that are. Formatted code closes a function where it began.
fn too_long(path: &Path, text: &str) -> Vec<String> {
    let path = path.display();
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<String> = (lines.len() > LONGEST_FILE).then(|| path.to_string()).into_iter().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let opens =
            lines[at..].iter().position(|line| line.ends_with('{') || line.ends_with(';') || line.ends_with('}'));
        if !opens.is_some_and(|opens| lines[at + opens].ends_with('{')) {
            continue;
        }
        let length = lines[at..].iter().position(|line| *line == end).map_or(0, |last| last + 1);
        if length > LONGEST_FUNCTION {
            found.push(format!("{path} fn {name}"));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let modifiers = ["pub", "pub(super)", "pub(crate)", "async", "const", "unsafe", "extern", "\"C\""];
    let is_function = before.split_whitespace().all(|word| modifiers.contains(&word));
    let name = &after[..after.find(|c: char| !is_in_name(c)).unwrap_or(after.len())];
    (is_function && !name.is_empty()).then_some(name)
}

fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The files of the crate as modules, and what each of them names.
struct Modules {
    /// By path: `a::b` for a/b.rs and a/b/mod.rs.
    files: BTreeMap<Vec<String>, File>,
}

struct File {
    path: String,
    /// What it imports: the name here, and the path that it stands for.
    imports: BTreeMap<String, Vec<String>>,
    /// Every path that its code names, imports included.
    paths: Vec<Vec<String>>,
}

impl Modules {
    fn of_crate() -> Modules {
        Modules::new(&sources())
    }

    fn new(sources: &BTreeMap<PathBuf, String>) -> Modules {
        let mut files = BTreeMap::new();
        for (path, text) in sources {
            let module: Vec<String> = path
                .with_extension("")
                .components()
                .map(|part| part.as_os_str().to_str().unwrap().to_owned())
                .filter(|part| !matches!(part.as_str(), "mod" | "lib"))
                .collect();
            if module.iter().any(|part| part == "tests") {
                continue;
            }
            let code = bare_code(text);
            let imports = imports(&code);
            let paths = imports.iter().map(|(_, path)| path.clone()).chain(paths(&code)).collect();
            let imports = imports.into_iter().collect();
            files.insert(module, File { path: path.to_str().unwrap().to_owned(), imports, paths });
        }
        Modules { files }
    }

    /// The module that defines what `path` means inside `module`; None for what is not of this crate, and for a module
    /// itself, which is a name for what is in it.
    fn definer(&self, module: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            _ => return self.step(module, path, depth),
        };
        match rest.first().map(String::as_str) {
            Some("super") => self.definer(&start, rest, depth),
            Some(_) => self.step(&start, rest, depth),
            None => None,
        }
    }

    /// Follows `path` downwards from a module.
    fn step(&self, module: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let child = [module, std::slice::from_ref(first)].concat();
        if self.files.contains_key(&child) {
            return if rest.is_empty() { None } else { self.step(&child, rest, depth) };
        }
        let file = self.files.get(module)?;
        match file.imports.get(first) {
            Some(import) if depth < 10 => {
                let full = [import.as_slice(), rest].concat();
                if import.first() == Some(first) && !matches!(first.as_str(), "crate" | "self" | "super") {
                    return None;
                }
                self.definer(module, &full, depth + 1)
            }
            _ => Some(module.to_vec()),
        }
    }

    /// The files that a file names.
    fn named(&self, module: &[String]) -> BTreeSet<Vec<String>> {
        let file = &self.files[module];
        let is_known = |path: &&Vec<String>| {
            let first = path[0].as_str();
            let child = [module, std::slice::from_ref(&path[0])].concat();
            matches!(first, "crate" | "self" | "super")
                || file.imports.contains_key(first)
                || self.files.contains_key(&child)
        };
        let found = file.paths.iter().filter(is_known).filter_map(|path| self.definer(module, path, 0));
        found.filter(|other| *other != module && !other.is_empty()).collect()
    }

    /// Every group of files of which each leads to all others, by their paths.
    fn circles(&self) -> Vec<Vec<String>> {
        let named: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> =
            self.files.keys().map(|module| (module, self.named(module))).collect();
        let reached = |from: &Vec<String>| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = next.pop() {
                let further = named.get(&module).into_iter().flatten();
                next.extend(further.filter(|other| seen.insert((*other).clone())).cloned());
            }
            seen
        };
        let reached: BTreeMap<&Vec<String>, _> = named.keys().map(|module| (*module, reached(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, others) in &reached {
            if others.contains(*module) {
                let both = |other: &&Vec<String>| reached.get(*other).is_some_and(|back| back.contains(*module));
                circles.insert(others.iter().filter(both).map(|other| self.files[other].path.clone()).collect());
            }
        }
        circles.into_iter().collect()
    }

    /// The circles with who names whom in them.
    fn in_words(&self, circles: &[&Vec<String>]) -> String {
        let mut words = String::new();
        for circle in circles {
            words.push_str("circle:\n");
            for (module, file) in self.files.iter().filter(|(_, file)| circle.contains(&file.path)) {
                let named = self.named(module);
                let inside: Vec<&str> = named
                    .iter()
                    .map(|other| self.files[other].path.as_str())
                    .filter(|path| circle.iter().any(|file| file == path))
                    .collect();
                words.push_str(&format!("  {} names {}\n", file.path, inside.join(", ")));
            }
        }
        words
    }
}

/// The text up to its tests, without comments and string literals.
fn bare_code(text: &str) -> String {
    let mut lines = text.lines();
    let mut bare = String::new();
    let mut module_ends_with: Option<String> = None;
    while let Some(line) = lines.next() {
        // An inline module of tests ends a file; a file of tests is declared and left alone.
        if line.trim() == "#[cfg(test)]" && lines.clone().next().is_some_and(|next| next.ends_with('{')) {
            break;
        }
        if line.trim_start().starts_with("//") {
            continue;
        }
        let trimmed = line.trim_start();
        let is_module = trimmed.starts_with("mod ") || trimmed.starts_with("pub mod ");
        if is_module && line.ends_with('{') {
            module_ends_with = Some(format!("{}}}", &line[..line.len() - trimmed.len()]));
        } else if module_ends_with.as_deref() == Some(line) {
            module_ends_with = None;
        }
        // Inside an inline module `super` is the file itself.
        let line = &if module_ends_with.is_some() { line.replace("super::", "self::") } else { line.to_owned() };
        for (piece, part) in line.split('"').enumerate() {
            if piece % 2 == 0 {
                bare.push_str(part.split(" // ").next().unwrap());
            } else {
                bare.push_str("\"\"");
            }
        }
        bare.push('\n');
    }
    bare
}

/// Every import: the name that it gives here, and the path.
fn imports(code: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let is_start = code[..at].trim_end_matches([' ', '\t']);
        let is_start =
            is_start.is_empty() || is_start.ends_with(['\n', '}', ';', '{', ')']) || is_start.ends_with("pub");
        if let Some(end) = code[at..].find(';').filter(|_| is_start) {
            let tree: String = code[at + 4..at + end].split_whitespace().collect::<Vec<_>>().join(" ");
            leaves(&tree, &[], &mut found);
        }
    }
    found
}

/// The leaves of an import tree.
fn leaves(tree: &str, before: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let tree = tree.trim();
    if let Some(brace) = tree.find('{') {
        let mut path = before.to_vec();
        path.extend(tree[..brace].split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
        let inside = &tree[brace + 1..tree.rfind('}').unwrap_or(tree.len())];
        let (mut depth, mut start) = (0, 0);
        for (at, sign) in inside.char_indices().chain([(inside.len(), ',')]) {
            match sign {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    leaves(&inside[start..at], &path, found);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let (path, name) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name.trim())));
    let mut full = before.to_vec();
    full.extend(path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()));
    if full.len() > 1 && full.last().is_some_and(|last| last == "self") {
        full.pop();
    }
    if let Some(last) = full.last().filter(|_| !tree.is_empty()).cloned() {
        found.push((name.map_or(last, str::to_owned), full));
    }
}

/// Every path of at least two names.
fn paths(code: &str) -> Vec<Vec<String>> {
    let words = code.split(|c: char| !is_in_name(c) && c != ':');
    let is_path = |word: &&str| word.contains("::");
    words
        .filter(is_path)
        .map(|word| word.split("::").map(str::to_owned).filter(|part| !part.is_empty()).collect::<Vec<_>>())
        .filter(|path: &Vec<String>| path.len() > 1)
        .collect()
}
