//! Many jobs due at one second: starts the sink and a program, lets the instant pass, and asks both what they saw.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::harness::{self, Sink, median, option, ourselves, peak_mb};
use super::{now_ms, number};

pub(crate) struct Settings {
    pub jobs: usize,
    pub runs: usize,
    pub programs: Vec<String>,
}

impl Settings {
    fn read(arguments: &[String]) -> Settings {
        let programs = option(arguments, "--only").unwrap_or_else(|| "ours,ceiling,tcs-large,tcs-default".to_owned());
        Settings {
            jobs: option(arguments, "--jobs").map_or(10_000, |text| number(&text)),
            runs: option(arguments, "--runs").map_or(5, |text| number(&text)),
            programs: programs.split(',').map(str::to_owned).collect(),
        }
    }

    /// Time for each program to get ready.
    fn lead_ms(&self) -> f64 {
        8_000.0 + self.jobs as f64 / 4.0
    }
}

/// What one run came to.
pub(crate) struct Run {
    pub lost: i64,
    pub doubles: u64,
    /// Milliseconds after the instant.
    pub first: f64,
    pub last: f64,
    /// When the last result was durable; NaN where nothing is.
    pub durable: f64,
    pub peak_mb: f64,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lost {}, doubled {}, first {:.1} ms, last {:.1} ms, durable {:.1} ms, peak {:.1} MB",
            self.lost, self.doubles, self.first, self.last, self.durable, self.peak_mb
        )
    }
}

pub(crate) fn compare(arguments: &[String]) {
    let settings = Settings::read(arguments);
    println!("{} jobs due at one second, one push each; {} runs in alternation", settings.jobs, settings.runs);
    let mut results: Vec<(&String, Vec<Run>)> = settings.programs.iter().map(|name| (name, Vec::new())).collect();
    for run in 1..=settings.runs {
        for (name, runs) in &mut results {
            let result = measure(name, &settings);
            eprintln!("run {run}, {name}: {result}");
            runs.push(result);
        }
    }
    print_table(&results);
}

fn print_table(results: &[(&String, Vec<Run>)]) {
    let median = |runs: &[Run], of: fn(&Run) -> f64| median(runs.iter().map(of));
    let ceiling = results.iter().find(|(name, _)| *name == "ceiling").map(|(_, runs)| median(runs, |run| run.last).0);
    println!("\n| | lost | doubled | last push, ms (min–max) | to ceiling | last durable, ms | peak MB |");
    println!("|---|---|---|---|---|---|---|");
    for (name, runs) in results {
        let (last, least, most) = median(runs, |run| run.last);
        let (durable, ..) = median(runs, |run| run.durable);
        let (peak, ..) = median(runs, |run| run.peak_mb);
        let lost = runs.iter().map(|run| run.lost).max().unwrap_or_default();
        let doubles: u64 = runs.iter().map(|run| run.doubles).sum();
        let ratio = ceiling.map_or(f64::NAN, |ceiling| last / ceiling);
        println!(
            "| {name} | {lost} | {doubles} | {last:.0} ({least:.0}–{most:.0}) | {ratio:.2} | {durable:.0} | {peak:.0} |"
        );
    }
}

pub(crate) fn measure(name: &str, settings: &Settings) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = Sink::start();
    let due_ms = ((now_ms() + settings.lead_ms()) / 1000.0).ceil() * 1000.0;
    let mut child = start(name, &sink.url, due_ms, settings.jobs, dir.path());
    sink.ask(&format!("wait {}", settings.jobs));
    let durable = match name {
        "ours" | "constant" | "rendered" => wait_until_durable(&dir.path().join("pushcron.db")) - due_ms,
        "ceiling" => {
            let mut text = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut text).unwrap();
            number(text.trim())
        }
        _ => f64::NAN,
    };
    let peak_mb = peak_mb(child.id());
    let report = sink.ask(&format!("report {due_ms}"));
    let _ = child.kill();
    let _ = child.wait();
    let figures: Vec<f64> = report.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    Run {
        lost: settings.jobs as i64 - figures[0] as i64,
        doubles: figures[1] as u64,
        first: figures[2],
        last: figures[3],
        durable,
        peak_mb,
    }
}

fn start(name: &str, url: &str, due_ms: f64, jobs: usize, dir: &Path) -> Child {
    let (due, count) = (format!("{due_ms}"), jobs.to_string());
    let mut command = match name {
        "ours" | "constant" | "rendered" => {
            let text = match name {
                "rendered" => RENDERED,
                "constant" => CONSTANT,
                _ => "good morning",
            };
            write_jobs(url, due_ms, jobs, text, dir);
            let mut command = harness::daemon(dir);
            command.arg("-q");
            command
        }
        "ceiling" => {
            let mut command = ourselves();
            command.args(["ceiling", url, &due, &count, "1"]).arg(dir.join("ceiling.db"));
            command
        }
        "tcs-default" | "tcs-large" => {
            let channel = if name == "tcs-default" { 200 } else { jobs + 1 };
            let mut command = ourselves();
            command.args(["tcs", url, &due, &count]).arg(channel.to_string());
            command
        }
        other => panic!("there is no program '{other}': ours, ceiling, tcs-default, tcs-large"),
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Both come to about as many bytes; each job has another number in it, so that no two texts are one template.
const CONSTANT: &str = "good morning N from job12345, it is Thursday, 1 October 2026, 09:30";
const RENDERED: &str = "good morning N from {{ job }}, it is {{ due | date('%A, %-d %B %Y, %H:%M') }}";

fn write_jobs(url: &str, due_ms: f64, jobs: usize, text: &str, dir: &Path) {
    let due = jiff::Timestamp::from_millisecond(due_ms as i64).unwrap();
    let mut yaml = harness::head(url, dir);
    let render = text == RENDERED;
    for id in 0..jobs {
        let (group, text) = (id % 1000, text.replace('N', &id.to_string()));
        yaml += &format!(
            "  - {{name: job{id}, at: {due}, push: {{im: hook, group: \"{group}\", render: {render}, text: \"{text}\"}}}}\n"
        );
    }
    std::fs::write(dir.join("jobs.yaml"), yaml).unwrap();
}

/// When no push is open any more: then every result is committed. Asked only once the sink has seen everything.
fn wait_until_durable(database: &Path) -> f64 {
    let connection =
        rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    for _ in 0..20_000 {
        let none_open = "SELECT NOT EXISTS (SELECT 1 FROM pushes INDEXED BY pushes_open WHERE finished_at IS NULL)";
        if connection.query_row(none_open, [], |row| row.get(0)).unwrap() {
            return now_ms();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    f64::NAN
}
