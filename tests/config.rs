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
