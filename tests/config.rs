//! The configuration from outside.
use std::path::{Path, PathBuf};

use pushcron::config::{self, Config, ConfigErrors, Surroundings};
use pushcron::domain::UtcMs;
use pushcron::senders;

fn surroundings() -> Surroundings {
    Surroundings {
        now: UtcMs(1_767_225_600_000),
        variable: Box::new(|name| (name == "QQ_TOKEN").then(|| "canary".to_owned())),
        working_directory: PathBuf::from("/work"),
        timezone: Some("Europe/Berlin".to_owned()),
    }
}

fn load(path: &Path) -> Result<Config, ConfigErrors> {
    config::load(&[path.to_owned()], &senders::specs(), &surroundings())
}

#[test]
fn the_file_of_the_design_loads() {
    let config = load(Path::new("tests/data/good/design.yaml")).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.warnings, []);
    assert_eq!(config.daemon.database, Path::new("/work/pushcron.db"));
    assert_eq!(config.accounts.iter().map(|account| account.id.as_str()).collect::<Vec<_>>(), ["bot_qq_ops", "screen"]);
    assert_eq!(config.accounts[0].settings.secret("token").unwrap().expose(), "canary");
    let names: Vec<_> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["daily-report", "晨报", "christmas"]);
    // An id written as a number keeps its zero.
    assert_eq!(config.jobs[0].push[0].target.to_string(), "group:0123456");
    assert_eq!(config.jobs[1].push[0].retry.max_attempts, 7);
}

#[test]
fn the_place_of_the_database_is_found_without_reading_or_judging_the_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let ask = |path: PathBuf| config::whereabouts(&[path], &surroundings());
    let missing_secret = "  heartbeat: {url: \"https://host/${NOT_SET}\", every: 1m}\n";
    let whole = file(
        "whole.yaml",
        &format!(
            "jobs:\n- name: broken\n  cron: nonsense\n\ndaemon:\n  database: a.db\n  timezone: Asia/Tokyo\n{missing_secret}accounts: 7\n"
        ),
    );
    let found = ask(whole).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((found.database, found.timezone.as_str()), (PathBuf::from("/work/a.db"), "Asia/Tokyo"));

    // Included files, flow style and absent keys count as they do for the daemon.
    file("inner.yaml", "daemon: {database: /var/inner.db}");
    let outer = file("outer.yaml", "{include: inner.yaml}");
    assert_eq!(ask(outer).unwrap().database, Path::new("/var/inner.db"));
    let plain = file("plain.yaml", "jobs: []\n");
    let found = ask(plain).unwrap();
    assert_eq!((found.database, found.timezone.as_str()), (PathBuf::from("/work/pushcron.db"), "Europe/Berlin"));

    let wrong = file("wrong.yaml", "jobs: []\ndaemon:\n  database: [a]\n");
    let errors = ask(wrong).unwrap_err();
    assert_eq!((errors.errors.len(), errors.errors[0].line), (1, 3), "{errors}");
    assert!(ask(folder.path().join("absent.yaml")).is_err());
}
