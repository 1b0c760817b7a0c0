//! `jobs.example.yaml`, which everybody starts from.

use std::path::PathBuf;

use pushcron::config::{self, LoadEnvironment};
use pushcron::domain::Schedule;
use pushcron::senders;

use super::{ACCOUNT, about_the_text, loaded, private_file, surroundings};

/// `jobs.example.yaml`, as it is.
fn example() -> String {
    std::fs::read_to_string("jobs.example.yaml").unwrap()
}

/// The example with its commented samples taken in: lines commented out with a '#' and no single space.
fn example_with_samples() -> String {
    let is_sample = |rest: &str| !rest.is_empty() && (!rest.starts_with(' ') || rest.starts_with("  "));
    let uncommented = |line: &str| match line.split_once('#') {
        Some((indent, rest)) if indent.trim().is_empty() && is_sample(rest) => format!("{indent}{rest}\n"),
        _ => format!("{line}\n"),
    };
    example().lines().map(uncommented).collect()
}

#[test]
fn the_example_runs_as_it_is_and_pushes_within_ten_seconds() {
    let around = LoadEnvironment { variable: Box::new(|_| None), ..surroundings() };
    let path = PathBuf::from("jobs.example.yaml");
    let config = config::load(&[path], &senders::specs(), &around).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(about_the_text(config.warnings), []);
    let hello = &config.jobs[0];
    assert_eq!((hello.enabled, &hello.schedule), (true, &Schedule::Every(5000)));
    assert!(config.jobs[1..].iter().all(|job| !job.enabled));
    let defaults =
        loaded(&format!("{ACCOUNT}jobs: [{{name: j, every: 1m, push: {{im: screen, user: u, text: hi}}}}]\n"));
    let (with, without) = (&hello.push[0], &defaults.jobs[0].push[0]);
    assert_eq!((&with.retry, with.timeout), (&without.retry, without.timeout), "its defaults are the built-in ones");
    assert_eq!(hello.misfire, defaults.jobs[0].misfire);
}

#[test]
fn every_registered_sender_has_a_sample_account_in_the_example() {
    let directory = tempfile::tempdir().unwrap();
    let file = private_file(directory.path(), "jobs.yaml", example_with_samples());
    let around = LoadEnvironment { variable: Box::new(|_| Some("https://example.org/x".to_owned())), ..surroundings() };
    let config = config::load(&[file], &senders::specs(), &around).unwrap_or_else(|errors| panic!("{errors}"));
    for spec in senders::specs() {
        let account = config.accounts.iter().find(|account| account.sender == spec.name);
        let account = account.unwrap_or_else(|| panic!("jobs.example.yaml has no sample account of {}", spec.name));
        let used = config.jobs.iter().flat_map(|job| &job.push).any(|push| push.im == account.im);
        assert!(used, "jobs.example.yaml has no job that uses the account of {}", spec.name);
    }
}

/// With every key that a job can have, as a definition that comes back as it was.
#[test]
fn every_job_of_the_example_is_the_same_job_once_it_was_exported() {
    let directory = tempfile::tempdir().unwrap();
    let around = LoadEnvironment { variable: Box::new(|_| Some("https://example.org/x".to_owned())), ..surroundings() };
    let load = |text: String| {
        let file = private_file(directory.path(), "jobs.yaml", text);
        config::load(&[file], &senders::specs(), &around).unwrap_or_else(|errors| panic!("{errors}")).jobs
    };
    let jobs = load(example_with_samples());
    let exported: Vec<_> = jobs.iter().map(config::written).collect();
    let text = example_with_samples();
    let (before, _) = text.split_once("\njobs:\n").unwrap();
    // Other defaults change nothing of what was exported.
    let before = before.replace("max_attempts: 5", "max_attempts: 9").replace("render: false", "render: true");
    let again = load(format!("{before}\njobs: {}\n", serde_json::to_string(&exported).unwrap()));
    assert_eq!(jobs.len(), again.len());
    for (job, again) in jobs.iter().zip(&again) {
        assert_eq!(job, again);
    }
    assert!(jobs.iter().flat_map(|job| &job.push).any(|push| push.render.is_some()), "some text is a template");
}
