//! How long simulated time takes: `cargo bench --bench simulate` starts `pushcron simulate` over a month of 1,000 jobs, from
//! YAML to print, and prints milliseconds.
//!
//! `month` has the schedules of a house (some fifty thousand instants); `hourly` calls for all 1,000 jobs every hour (744,000).
//! Every run must print the same, byte by byte.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the machine's clock")]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

const RUNS: usize = 7;
const JOBS: u32 = 1_000;
const ACCOUNTS: &str = "daemon: {timezone: UTC}
accounts:
  - {id: a, im: qq, sender: console, default: true, concurrency: 32}
  - {id: b, im: qq, sender: console, concurrency: 32}
jobs:
";
const ZONES: [&str; 5] = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];

fn main() {
    println!("{:<10}{:>10}{:>10}{:>10}   ms, {RUNS} runs", "mix", "best", "median", "worst");
    for (name, schedule) in [("month", of_a_house as fn(u32) -> String), ("hourly", every_hour)] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let jobs: String = (0..JOBS).map(|number| job(number, &schedule(number))).collect();
        std::fs::write(dir.path().join("jobs.yaml"), format!("{ACCOUNTS}{jobs}")).expect("the folder can be written");
        let (_, first) = run(dir.path());
        let mut took = Vec::new();
        for _ in 0..RUNS {
            let (ms, told) = run(dir.path());
            assert!(told == first, "{name}: two runs differ");
            took.push(ms);
        }
        took.sort_by(f64::total_cmp);
        println!("{name:<10}{:>10.0}{:>10.0}{:>10.0}", took[0], took[RUNS / 2], took[RUNS - 1]);
        for line in first.lines().skip(1).take(2) {
            println!("          {line}");
        }
    }
}

fn job(number: u32, schedule: &str) -> String {
    let (zone, group) = (ZONES[number as usize % ZONES.len()], number % 10);
    format!("  - {{name: job{number}, {schedule}, timezone: {zone}, push: {{im: qq, group: {group}, text: hi}}}}\n")
}

/// As in the tests' month: a few that fire all the time, and many once a day or a week.
fn of_a_house(number: u32) -> String {
    let (minute, hour, day) = (number % 12 * 5, number % 24, number % 7);
    match number {
        0..5 => "cron: '*/15 * * * *'".to_owned(),
        5..25 => "cron: '30 * * * *'".to_owned(),
        25..50 => "every: 6h".to_owned(),
        50..100 => "cron: '0,30 2-3 * * *'".to_owned(),
        100..600 => format!("cron: '{minute} {hour} * * *'"),
        600..990 => format!("cron: '{minute} {hour} * * {day}'"),
        _ => format!("cron: '{minute} 2 {} * *'", 1 + number % 28),
    }
}

fn every_hour(number: u32) -> String {
    format!("cron: '{} * * * *'", number % 60)
}

fn run(dir: &Path) -> (f64, String) {
    let before = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushcron"));
    command.args(["-c", "jobs.yaml", "simulate", "--from", "2026-12-01", "--days", "31"]);
    let output = command.current_dir(dir).output().expect("the program starts");
    let ms = before.elapsed().as_secs_f64() * 1000.0;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (ms, String::from_utf8_lossy(&output.stdout).into_owned())
}
