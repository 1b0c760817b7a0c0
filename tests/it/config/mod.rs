//! The configuration from outside: files in, definitions or exact reports out.

mod emptied;
mod example;
mod files;
mod meaning;
mod recipients;
mod reports;
mod secrets;
mod settings;
mod slips;
mod targets;
mod templates;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pushcron::config::{self, Config, ConfigErrors, LoadEnvironment, Sight};
use pushcron::domain::sender::{SettingKind, SettingSpec, any_target};
use pushcron::domain::{Kind, SenderSpec, Support, UtcMs, WrongTarget};

/// 2026-01-01T00:00:00Z, a Thursday.
const NOW: UtcMs = UtcMs(1_767_225_600_000);

const fn setting(key: &'static str, kind: SettingKind, required: bool) -> SettingSpec {
    SettingSpec { key, kind, required, default: "", doc: "what it is for" }
}

/// A sender with settings of every kind, which cannot send voice to groups. The registry's own would change these
/// reports with every sender that joins.
static WIRE: SenderSpec = SenderSpec {
    name: "wire",
    about: "for tests",
    default_im: "chat",
    settings: &[
        setting("url", SettingKind::Url, true),
        setting("token", SettingKind::Secret, false),
        setting("nick", SettingKind::Text, false),
        setting("quiet", SettingKind::Bool, false),
        setting("port", SettingKind::Int, false),
        setting("window", SettingKind::Duration, false),
        setting("rooms", SettingKind::List, false),
        setting("ca_file", SettingKind::Path, false),
        setting("flavour", SettingKind::Choice(&["plain", "markdown"]), false),
    ],
    support: |kind, is_group| match (kind, is_group) {
        (Kind::Voice, true) => Support::Refused("groups have no voice"),
        (Kind::Video, _) => Support::Fallback("as link"),
        _ => Support::Native,
    },
    target: |target| match target.id() {
        "@nobody" => Err(WrongTarget {
            problem: "is nobody's name",
            expected: "a name such as @somebody",
            meant: Some("@somebody".to_owned()),
            is_secret: false,
        }),
        "@token" => Err(WrongTarget {
            problem: "looks like a token",
            expected: "a name such as @somebody",
            meant: None,
            is_secret: true,
        }),
        _ => Ok(()),
    },
    idempotent: |_| false,
    concurrency: 1,
    min_interval_ms: 0,
    max_media_bytes: 1,
};

static SCREEN: SenderSpec = SenderSpec {
    name: "screen",
    default_im: "screen",
    settings: &[],
    support: |_, _| Support::Native,
    target: any_target,
    ..WIRE
};

const CANARY: &str = "CANARY-7f3a";

fn surroundings() -> LoadEnvironment {
    LoadEnvironment {
        now: NOW,
        variable: Box::new(|name| match name {
            "TOKEN" => Some(CANARY.to_owned()),
            "GROUP" => Some("778899".to_owned()),
            "NOBODY" => Some("@nobody".to_owned()),
            "EMPTY" => Some(String::new()),
            "YES" => Some("true".to_owned()),
            "BRINGS" => Some("{{ due }}".to_owned()),
            _ => None,
        }),
        working_directory: PathBuf::from("/srv"),
        timezone: Some("Europe/Berlin".to_owned()),
        sight: Sight::Service,
        fetched: Box::new(Vec::new),
        user: rustix::process::geteuid().as_raw(),
    }
}

fn load(paths: &[&Path]) -> Result<Config, ConfigErrors> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    config::load(&paths, &[&WIRE, &SCREEN], &surroundings())
}

/// Loads one text as a file of its own.
fn load_text(text: &str) -> Result<Config, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    let file = private_file(directory.path(), "pushcron.yaml", text);
    load(&[&file])
}

fn private_file(directory: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn loaded(text: &str) -> Config {
    load_text(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn refused(text: &str) -> ConfigErrors {
    match load_text(text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(errors) => errors,
    }
}

/// The first message of a text that must be refused.
fn first_error(text: &str) -> String {
    refused(text).errors[0].message.english().to_owned()
}

const ACCOUNT: &str = "accounts: [{id: a, sender: screen}]\n";

/// One job with this push on the account of the screen.
fn push(push: &str) -> String {
    format!("{ACCOUNT}jobs:\n  - name: j\n    every: 1m\n    push: {push}\n")
}

/// One job with these keys beside its push.
fn job(keys: &str) -> String {
    format!("{ACCOUNT}jobs:\n  - {{name: j, push: {{im: screen, user: u, text: hi}}, {keys}}}\n")
}

fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

/// Without those about the rights of files: a checkout has what rights it has.
fn about_the_text(warnings: Vec<config::Problem>) -> Vec<config::Problem> {
    warnings.into_iter().filter(|warning| !warning.message.english().contains("of this machine can")).collect()
}
