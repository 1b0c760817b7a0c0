//! `docs/log-lines.md` says what to do about every line of the log from warn up, and `docs/operating.md` what every number
//! means.

use std::collections::BTreeSet;
use std::path::Path;

fn sources(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// What stands between the parentheses of each call of the macro.
fn calls<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(name).filter_map(move |(at, _)| {
        let start = at + name.len();
        let (mut depth, mut in_text) = (1, false);
        let mut escaped = false;
        for (offset, c) in text[start..].char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if in_text => escaped = true,
                '"' => in_text = !in_text,
                '(' if !in_text => depth += 1,
                ')' if !in_text => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(&text[start..start + offset]);
            }
        }
        None
    })
}

/// The message: the last text of a call, in the longest piece without a placeholder. None where nothing but a
/// placeholder is in it.
fn message(call: &str) -> Option<&str> {
    let texts: Vec<&str> = call.split('"').skip(1).step_by(2).collect();
    let pieces = texts.last()?.split(['{', '}']).step_by(2).map(|piece| piece.trim_matches([' ', ';', ':', ',']));
    pieces.max_by_key(|piece| piece.len()).filter(|piece| piece.len() > 3)
}

#[test]
fn every_line_from_warn_up_has_an_answer() {
    let docs = std::fs::read_to_string("docs/log-lines.md").unwrap();
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let mut lines = BTreeSet::new();
    for (path, text) in &files {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for call in ["warn!(", "error!("].into_iter().flat_map(|name| calls(code, name)) {
            if let Some(message) = message(call) {
                lines.insert((message.to_owned(), path));
            }
        }
    }
    assert!(lines.len() > 40, "only {} were found", lines.len());
    let missing: Vec<_> = lines.iter().filter(|(line, _)| !docs.contains(line.as_str())).collect();
    assert!(missing.is_empty(), "say in docs/log-lines.md what to do about {missing:#?}");
}

#[test]
fn every_number_is_explained() {
    let docs = std::fs::read_to_string("docs/operating.md").unwrap();
    let source = std::fs::read_to_string("src/daemon/metrics.rs").unwrap();
    let names = ["page.family(\"", "page.single(\""].into_iter().flat_map(|call| source.split(call).skip(1));
    let names: BTreeSet<&str> = names.filter_map(|rest| rest.split('"').next()).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(docs.contains(&format!("`pushcron_{name}`")), "docs/operating.md does not explain pushcron_{name}");
    }
    let alerts = std::fs::read_to_string("systemd/pushcron.rules.yml").unwrap();
    for word in alerts.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.starts_with("pushcron_")) {
        let name = word.trim_end_matches("_bucket");
        assert!(docs.contains(&format!("`{name}`")), "an alert asks for {word}, which there is not");
    }
}
