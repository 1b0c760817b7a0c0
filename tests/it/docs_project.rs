//! The pages about the project itself, and that pages lead where they say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// A line `key = "value"` of Cargo.toml.
fn of_manifest(key: &str) -> String {
    let start = format!("{key} = \"");
    let manifest = read("Cargo.toml");
    let line = manifest.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no {key}"));
    line.trim_end_matches('"').to_owned()
}

fn pages() -> Vec<PathBuf> {
    fn below(dir: &Path, pages: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let mut pages: Vec<PathBuf> =
        ["README.md", "README.zh-CN.md"].into_iter().map(PathBuf::from).filter(|page| page.exists()).collect();
    below(Path::new("docs"), &mut pages);
    pages
}

/// The text without what stands in blocks and in backticks, where brackets are no links.
fn prose(text: &str) -> String {
    let outside = |(at, piece): (usize, &str)| (at % 2 == 0).then(|| piece.to_owned());
    let without_blocks: String = text.split("```").enumerate().filter_map(outside).collect();
    without_blocks.split('`').enumerate().filter_map(outside).collect()
}

/// The names of the headings, as links call them.
fn anchors(text: &str) -> BTreeSet<String> {
    let outside = |(at, piece): (usize, &str)| (at % 2 == 0).then(|| piece.to_owned());
    let text: String = text.split("```").enumerate().filter_map(outside).collect();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let name = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
    };
    headings.map(name).collect()
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let (mut tried, mut broken) = (0, Vec::new());
    for page in pages() {
        let text = read(&page);
        for link in prose(&text).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            tried += 1;
            if !target.exists() {
                broken.push(format!("{}: {link} is not there", page.display()));
            } else if !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
                broken.push(format!("{}: {link} has no such heading", page.display()));
            }
        }
    }
    assert!(tried > 40, "{tried}");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A page that no index names is found by nobody.
#[test]
fn the_index_leads_to_every_page() {
    let index = read("docs/README.md");
    let senders = read("docs/senders/README.md");
    let in_chinese = pages().into_iter().find(|page| page.ends_with("zh/README.md")).map(read).unwrap_or_default();
    for page in pages() {
        let path = page.strip_prefix("docs").unwrap_or(&page).display().to_string();
        let (of, name) = match path.split_once('/') {
            _ if path == "README.md" || path == "README.zh-CN.md" || path == "zh/README.md" => continue,
            Some(("senders", name)) if name != "README.md" => (&senders, name),
            Some(("zh", name)) => (&in_chinese, name),
            _ => (&index, path.as_str()),
        };
        assert!(of.contains(&format!("]({name})")), "no index leads to {}", page.display());
    }
    assert!(read("README.md").contains("](docs/README.md)"));
}

#[test]
fn the_changelog_tells_of_this_version_and_each_kind_of_news_once() {
    let text = read("docs/CHANGELOG.md");
    let mut releases = text.split("\n## ").skip(1);
    let newest = releases.next().unwrap();
    let version = of_manifest("version");
    assert!(newest.starts_with("Not yet released\n") || newest.starts_with(&version), "{}", &newest[..40]);
    for release in std::iter::once(newest).chain(releases) {
        let groups: Vec<&str> =
            release.lines().skip(1).filter(|line| line.ends_with(':') && !line.starts_with([' ', '-'])).collect();
        let different: BTreeSet<&str> = groups.iter().copied().collect();
        assert_eq!(groups.len(), different.len(), "put what belongs together under one line: {groups:?}");
        assert!(release.contains("\n- "), "{}", &release[..40]);
    }
    let of_debian = read("systemd/debian/changelog");
    assert!(of_debian.starts_with(&format!("pushcron ({version}-1) ")), "{of_debian}");
}

#[test]
fn the_oldest_rust_is_the_same_wherever_it_is_told() {
    let told = format!("Rust {} or newer", of_manifest("rust-version"));
    for page in ["README.md", "docs/operating.md"] {
        assert!(read(page).contains(&told), "{page} does not say '{told}'");
    }
    let told = format!("Rust {} 以上", of_manifest("rust-version"));
    for page in ["README.zh-CN.md", "docs/zh/operating.md"] {
        assert!(read(page).contains(&told), "{page} does not say '{told}'");
    }
}

#[test]
fn people_are_told_where_a_weakness_and_a_fault_go() {
    let security = read("docs/SECURITY.md");
    assert!(security.contains("\n## Tell us of a weakness\n"), "{security}");
    let contributing = read("docs/CONTRIBUTING.md");
    for what in ["SECURITY.md", "development.md", "CHANGELOG.md", "pushcron --version", ".ci/run"] {
        assert!(contributing.contains(what), "docs/CONTRIBUTING.md does not name {what}");
    }
    let readme = read("README.md");
    for page in ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"] {
        assert!(readme.contains(page), "README.md does not lead to {page}");
    }
}

/// A package that is built of what is not there any more fails only when it is made.
#[test]
fn every_file_of_the_debian_package_is_there() {
    let manifest = read("Cargo.toml");
    let (_, assets) = manifest.split_once("\nassets = [\n").unwrap();
    let (assets, _) = assets.split_once("\n]").unwrap();
    let mut tried = 0;
    for asset in assets.lines() {
        let path = asset.split('"').nth(1).unwrap();
        if !path.starts_with("target/") {
            assert!(glob::glob(path).unwrap().next().is_some(), "{path} is not there");
            tried += 1;
        }
    }
    assert!(tried > 8, "{tried}");
}
