//! Tells the program which commit it is built from: `pushcron --version`, the first line of the log, the metrics.
//!
//! It knows that from `PUSHCRON_COMMIT`, else from git where this directory is a checkout of its own, else from
//! `src/commit.txt`, which `git archive` fills in. None of them need be there: a tarball of the sources builds as well.
//! A debug build asks nobody but the variable, so that a commit alone recompiles nothing for those who work here.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-env-changed=PUSHCRON_COMMIT");
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match std::env::var("PUSHCRON_COMMIT") {
        Ok(given) => plain(&given),
        Err(_) if is_release => of_checkout().or_else(of_archive),
        Err(_) => None,
    };
    println!("cargo::rustc-env=PUSHCRON_COMMIT={}", commit.as_deref().unwrap_or_default());
    let told = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    println!("cargo::rustc-env=PUSHCRON_BUILT_FROM={told}");
}

/// What git says, and whether something differs from it. Not where the sources lie in a repository of somebody else.
fn of_checkout() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).ok()?;
    if Path::new(&top).canonicalize().ok()? != here {
        return None;
    }
    // Both change with what is told here: the one with each commit, the others with each edit.
    for of_git in ["logs/HEAD", "HEAD"] {
        let path = git(&["rev-parse", "--git-path", of_git])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let built = ["src", "migrations", "templates", "Cargo.toml", "Cargo.lock", "jobs.example.yaml"];
    for path in built.iter().filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
    let commit = short(&git(&["log", "-1", "--format=%H %cs"])?)?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(built);
    let is_changed = git(&status).is_none_or(|changes| !changes.is_empty());
    Some(if is_changed { format!("{commit}, changed") } else { commit })
}

fn of_archive() -> Option<String> {
    println!("cargo::rerun-if-changed=src/commit.txt");
    short(&std::fs::read_to_string("src/commit.txt").ok()?)
}

/// `HASH DATE` with as much of the hash as people write. None of what git has not filled in.
fn short(line: &str) -> Option<String> {
    let (hash, date) = line.trim().split_once(' ')?;
    let is_hash = hash.len() >= 10 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| plain(&format!("{} {date}", &hash[..10])))?
}

/// A text that neither cargo nor a terminal takes for more than one.
fn plain(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " .,_-+".contains(c);
    let text: String = text.chars().filter(|c| is_plain(*c)).take(64).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}
