//! `src/build.rs`, which tells the program what it is built from: run as cargo runs it, in a checkout, in what
//! `git archive` made of one, and in plain sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A tree of sources with the build script.
struct Sources {
    dir: TempDir,
    script: PathBuf,
}

impl Sources {
    /// None where there is no compiler to be called by its name.
    fn new() -> Option<Sources> {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        let compiled = Command::new("rustc").args(["--edition=2024", "-o"]).arg(&script).arg("src/build.rs").status();
        if !compiled.as_ref().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: the build script cannot be compiled here: {compiled:?}");
            return None;
        }
        let sources = Sources { dir, script };
        std::fs::create_dir_all(sources.tree().join("src")).unwrap();
        for path in ["src/build.rs", "src/commit.txt", ".gitattributes", "Cargo.toml"] {
            std::fs::copy(path, sources.tree().join(path)).unwrap();
        }
        Some(sources)
    }

    fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    fn git(&self, line: &str) -> String {
        let command = Command::new("git").args(line.split(' ')).current_dir(self.tree()).envs(identity()).output();
        let output = command.unwrap();
        assert!(output.status.success(), "git {line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self) {
        self.git("init -q");
        self.git("add -A");
        self.git("commit -q -m sources --date 2026-11-28T12:00:00+00:00");
    }

    /// What `--version` adds to the number.
    fn built_from(&self, tree: &Path, profile: &str, given: Option<&str>) -> String {
        let mut script = Command::new(&self.script);
        script.current_dir(tree).env("PROFILE", profile).env_remove("PUSHCRON_COMMIT").envs(identity());
        script.env("GIT_CEILING_DIRECTORIES", self.dir.path().parent().unwrap());
        script.envs(given.map(|given| ("PUSHCRON_COMMIT", given)));
        let output = script.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8(output.stdout).unwrap();
        told.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=PUSHCRON_BUILT_FROM=")).unwrap().to_owned()
    }
}

fn identity() -> [(&'static str, &'static str); 6] {
    [
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@localhost"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@localhost"),
        ("GIT_COMMITTER_DATE", "2026-11-28T12:00:00+00:00"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ]
}

#[test]
fn a_checkout_tells_its_commit_and_whether_something_differs() {
    let Some(sources) = Sources::new() else { return };
    sources.commit();
    let tree = sources.tree();
    let commit = format!(" ({} 2026-11-28)", &sources.git("rev-parse HEAD")[..10]);
    assert_eq!(sources.built_from(&tree, "release", None), commit);
    assert_eq!(sources.built_from(&tree, "debug", None), "", "a commit alone recompiles nothing");
    std::fs::write(tree.join("src/main.rs"), "fn main() {}").unwrap();
    let changed = commit.replace(')', ", changed)");
    assert_eq!(sources.built_from(&tree, "release", None), changed);
}

#[test]
fn an_archive_of_git_tells_the_commit_that_it_was_made_of() {
    let Some(sources) = Sources::new() else { return };
    sources.commit();
    sources.git("archive -o ../sources.tar HEAD");
    let unpacked = sources.dir.path().join("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    let tar = Command::new("tar").arg("-xf").arg("../sources.tar").current_dir(&unpacked).status().unwrap();
    assert!(tar.success());
    let commit = format!(" ({} 2026-11-28)", &sources.git("rev-parse HEAD")[..10]);
    assert_eq!(sources.built_from(&unpacked, "release", None), commit);
}

#[test]
fn plain_sources_build_and_know_nothing() {
    let Some(sources) = Sources::new() else { return };
    assert_eq!(sources.built_from(&sources.tree(), "release", None), "");
    std::fs::remove_file(sources.tree().join("src/commit.txt")).unwrap();
    assert_eq!(sources.built_from(&sources.tree(), "release", None), "");
}

#[test]
fn sources_in_a_repository_of_somebody_else_do_not_take_its_commit() {
    let Some(sources) = Sources::new() else { return };
    sources.commit();
    let inner = sources.tree().join("vendored");
    std::fs::create_dir_all(inner.join("src")).unwrap();
    std::fs::copy("src/commit.txt", inner.join("src/commit.txt")).unwrap();
    assert_eq!(sources.built_from(&inner, "release", None), "");
}

#[test]
fn a_builder_that_knows_better_is_believed_but_cannot_forge_lines() {
    let Some(sources) = Sources::new() else { return };
    sources.commit();
    let told = |given| sources.built_from(&sources.tree(), "debug", Some(given));
    assert_eq!(told("v0.1.0-3 2026-11-28"), " (v0.1.0-3 2026-11-28)");
    assert_eq!(told("a\ncargo::warning=b\u{1b}[31m"), " (acargowarningb31m)");
    assert_eq!(told(""), "");
}
