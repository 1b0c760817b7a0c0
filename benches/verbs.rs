//! What people wait for who ask at a terminal: `cargo bench --bench verbs` starts the program for each everyday verb, over
//! a database of 1,000 jobs and their pushes, and prints milliseconds from start to end.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the machine's clock")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 50;
const JOBS: usize = 1_000;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let job = |n| format!("  - {{name: job{n}, cron: \"* * * * * *\", push: {{im: console, group: 1, text: hi}}}}\n");
    let jobs: String = (0..JOBS).map(job).collect();
    let yaml = format!("accounts:\n  - {{id: screen, im: console, sender: console, default: true}}\njobs:\n{jobs}");
    std::fs::write(dir.path().join("jobs.yaml"), yaml).expect("the folder can be written");
    live_through(dir.path(), Duration::from_secs(5));
    println!("{:<10}{:>10}{:>10}{:>10}   ms, {RUNS} runs", "verb", "best", "median", "worst");
    for verb in ["jobs", "accounts", "history", "check", "next"] {
        let mut took: Vec<f64> = (0..RUNS).map(|_| run(dir.path(), verb)).collect();
        took.sort_by(f64::total_cmp);
        println!("{verb:<10}{:>10.1}{:>10.1}{:>10.1}", took[0], took[RUNS / 2], took[RUNS - 1]);
    }
}

fn pushcron(dir: &Path, verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushcron"));
    command.arg(verb).current_dir(dir).env("PUSHCRON_CONFIG", "jobs.yaml").stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A daemon records and sends for so long, and is killed.
fn live_through(dir: &Path, time: Duration) {
    let mut daemon = pushcron(dir, "run").spawn().expect("the daemon starts");
    std::thread::sleep(time);
    daemon.kill().and_then(|()| daemon.wait()).expect("the daemon ends");
}

fn run(dir: &Path, verb: &str) -> f64 {
    let before = Instant::now();
    let ended = pushcron(dir, verb).status().expect("the verb runs");
    assert!(ended.success(), "{verb}: {ended}");
    before.elapsed().as_secs_f64() * 1000.0
}
