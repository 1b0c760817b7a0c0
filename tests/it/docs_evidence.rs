//! The tests that `docs/dev/faults.md`, `docs/SECURITY.md` and the scripts of `.ci` name are there.

use std::path::Path;

/// Each source file: the path of its module, as `engine::core::queue::tests`, and its text.
fn sources() -> Vec<(String, String)> {
    let (mut sources, root) = (Vec::new(), Path::new(env!("CARGO_MANIFEST_DIR")));
    for within in ["src", "tests/it", "tests"] {
        read(&root.join(within), &root.join(within), &mut sources);
    }
    sources
}

fn read(root: &Path, dir: &Path, sources: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = path.strip_prefix(root).unwrap().with_extension("").to_str().unwrap().replace('/', "::");
            sources.push((module.trim_end_matches("::mod").to_owned(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The name of a test, or its beginning: `f05_…`, `a_name_of_many_words`. Settings and files have fewer words.
fn test_name(word: &str) -> Option<&str> {
    let name = word.trim_end_matches('…');
    (is_name(name) && (name != word || name.matches('_').count() > 2)).then_some(name)
}

fn is_name(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A row names the module first, as in `faults`: `f05_…`, and its tests are there and nowhere else.
#[test]
fn every_test_that_the_docs_call_as_a_witness_is_where_they_say() {
    let (root, sources) = (Path::new(env!("CARGO_MANIFEST_DIR")), sources());
    let is_in = |module: &str, within: &str| {
        within == module || within.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"))
    };
    for page in ["docs/dev/faults.md", "docs/SECURITY.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let (mut named, mut wrong) = (0, Vec::new());
        for row in text.lines() {
            let mut module = None;
            let words: Vec<&str> = row.split('`').collect();
            for (word, after) in words.iter().skip(1).step_by(2).zip(words.iter().skip(2).step_by(2)) {
                if let Some(name) = test_name(word) {
                    named += 1;
                    let of = format!("fn {name}");
                    let mut there = sources.iter().filter(|(_, text)| text.contains(&of)).map(|(within, _)| within);
                    if !there.any(|within| module.is_none_or(|module| is_in(module, within))) {
                        wrong.push(format!("{page}: no test {name} in {}", module.unwrap_or("the sources")));
                    }
                } else if after.starts_with(':') && word.split("::").all(is_name) {
                    module = Some(*word);
                }
            }
        }
        assert!(named > 20, "{page}: {named}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// A case that nobody shows would be missed by nobody.
#[test]
fn every_case_of_the_design_that_is_built_has_its_row() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dev/faults.md")).unwrap();
    let (_, table) = text.split_once("\n## Days, contents, simulation and jobs made at run time, by id\n").unwrap();
    let table = table.split("\n## ").next().unwrap();
    for (letter, cases) in [("D", 7), ("E", 8), ("G", 7), ("H", 8)] {
        for case in 1..=cases {
            let row = table.lines().find(|row| row.starts_with(&format!("| {letter}{case} |")));
            let shown_by = row.and_then(|row| row.trim_end_matches(" |").rsplit(" | ").next()).unwrap_or_default();
            assert!(shown_by.split('`').any(|word| test_name(word).is_some()), "{letter}{case}: {row:?}");
        }
    }
}

/// A filter that matches nothing is no failure to `cargo test`.
#[test]
fn every_module_that_a_script_or_a_page_runs_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = std::fs::read_to_string(root.join("tests/it/main.rs")).unwrap();
    let mut ran = 0;
    for dir in [".ci/steps", "tests/real", "docs", "docs/dev"] {
        for entry in std::fs::read_dir(root.join(dir)).unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            for after in text.split("--test it ").skip(1) {
                let Some((module, _)) = after.split_once("::").filter(|(module, _)| is_name(module)) else { continue };
                assert!(modules.contains(&format!("mod {module};")), "{} runs {module}", path.display());
                ran += 1;
            }
        }
    }
    assert!(ran >= 9, "{ran}");
}

/// Where people are sent to look, there must be something: names and places change more often than pages.
#[test]
fn every_path_of_the_sources_that_a_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_path = |word: &str| word.contains('/') && (word.ends_with('/') || word.ends_with(".rs"));
    let in_words = |word: &str| word.contains(|c: char| c.is_uppercase() || c.is_whitespace() || "*$~".contains(c));
    for (page, least) in
        [("docs/dev/architecture.md", 2), ("docs/dev/development.md", 12), ("docs/dev/adding-a-sender.md", 3)]
    {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let words = text.split('`').skip(1).step_by(2);
        let paths: Vec<_> = words.filter(|word| is_path(word) && !in_words(word) && !word.starts_with('/')).collect();
        assert!(paths.len() >= least, "{page}: {paths:?}");
        for path in paths {
            assert!(root.join(path).exists() || root.join("src").join(path).exists(), "{page} names {path}");
        }
    }
}
