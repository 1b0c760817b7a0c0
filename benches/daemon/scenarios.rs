//! The daemon's ordinary life: a steady stream, a lone job, many idle jobs, a reload under way, a target that hangs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use super::harness::{self, Sink, cpu_ms, median, option, ourselves, peak_mb, resident_mb};
use super::{now_ms, number};

pub(crate) fn sleep(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

/// What the sink saw of a span, in milliseconds after the instants.
pub(crate) struct Lateness {
    pub count: usize,
    pub doubles: f64,
    pub most: f64,
    pub p50: f64,
    pub p99: f64,
}

impl Lateness {
    pub(crate) fn ask(sink: &mut Sink, from_ms: f64, until_ms: f64) -> Lateness {
        let answer = sink.ask(&format!("lateness {from_ms} {until_ms}"));
        let figures: Vec<f64> = answer.split_whitespace().map(number).collect();
        Lateness { count: figures[0] as usize, doubles: figures[1], most: figures[3], p50: figures[4], p99: figures[5] }
    }
}

/// A running daemon; killed when the scenario is over.
pub(crate) struct Daemon {
    child: Child,
    log: Option<BufReader<ChildStderr>>,
    /// How long it took until it had started.
    pub started_ms: f64,
}

impl Daemon {
    pub(crate) fn start(dir: &Path) -> Daemon {
        let started_ms = now_ms();
        let mut command = harness::daemon(dir);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut daemon = Daemon { child, log: Some(log), started_ms };
        daemon.wait_for(" started");
        daemon.started_ms = now_ms() - started_ms;
        daemon
    }

    /// Reads the log until a line holds the words.
    fn wait_for(&mut self, words: &str) {
        let log = self.log.as_mut().expect("nobody else reads the log");
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the daemon ended before it said '{words}'");
        }
    }

    /// Whatever it says from now on goes nowhere; a log that nobody takes would hold it up.
    pub(crate) fn read_no_more(&mut self) {
        if let Some(mut log) = self.log.take() {
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
    }

    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn write_jobs(dir: &Path, url: &str, jobs: impl Iterator<Item = String>) {
    let mut yaml = harness::head(url, dir);
    yaml.extend(jobs);
    std::fs::write(dir.join("jobs.yaml"), yaml).unwrap();
}

pub(crate) fn ticking(id: usize) -> String {
    format!("  - {{name: tick{id}, every: 1s, push: {{im: hook, group: \"{id}\", text: good morning}}}}\n")
}

fn resting(id: usize, text: &str) -> String {
    resting_at("0 8 1 1 *", id, text)
}

fn resting_at(cron: &str, id: usize, text: &str) -> String {
    format!("  - {{name: rest{id}, cron: \"{cron}\", push: {{im: hook, group: \"{}\", text: {text}}}}}\n", id % 1000)
}

pub(crate) fn next_second(lead_ms: f64) -> f64 {
    ((now_ms() + lead_ms) / 1000.0).ceil() * 1000.0
}

/// `steady`: so many pushes every second, ours and the ceiling in alternation.
pub(crate) fn steady(arguments: &[String]) {
    let get = |name, default| option(arguments, name).map_or(default, |text| number(&text));
    let (jobs, seconds, runs) = (get("--jobs", 1000), get("--seconds", 30), get("--runs", 3));
    println!("{jobs} pushes every second for {seconds} s, {runs} runs in alternation\n");
    let mut results: Vec<(&str, Vec<(Lateness, f64)>)> = vec![("ours", Vec::new()), ("ceiling", Vec::new())];
    for _ in 0..runs {
        for (name, runs) in &mut results {
            runs.push(steady_run(name, jobs, seconds));
        }
    }
    println!(
        "| | lost | doubled | p50, ms | p99, ms (min–max) | most, ms | processor, s |\n|---|---|---|---|---|---|---|"
    );
    for (name, runs) in &results {
        let of = |figure: fn(&(Lateness, f64)) -> f64| median(runs.iter().map(figure));
        let lost = runs.iter().map(|(late, _)| jobs * seconds - late.count.min(jobs * seconds)).max().unwrap_or(0);
        let doubles: f64 = runs.iter().map(|(late, _)| late.doubles).sum();
        let (p99, least, most) = of(|(late, _)| late.p99);
        println!(
            "| {name} | {lost} | {doubles} | {:.2} | {p99:.2} ({least:.2}–{most:.2}) | {:.1} | {:.2} |",
            of(|(late, _)| late.p50).0,
            of(|(late, _)| late.most).0,
            of(|(_, cpu)| *cpu).0 / 1000.0
        );
    }
}

fn steady_run(name: &str, jobs: usize, seconds: usize) -> (Lateness, f64) {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = Sink::start();
    let span_ms = seconds as f64 * 1000.0;
    let (mut child, from_ms);
    match name {
        "ours" => {
            write_jobs(dir.path(), &sink.url, (0..jobs).map(ticking));
            let mut command = harness::daemon(dir.path());
            child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            from_ms = next_second(9_000.0);
        }
        _ => {
            from_ms = next_second(3_000.0);
            let mut command = ourselves();
            command
                .arg("ceiling")
                .arg(&sink.url)
                .args([from_ms as u64, jobs as u64, seconds as u64].map(|n| n.to_string()));
            child = command.arg(dir.path().join("ceiling.db")).stdout(Stdio::null()).spawn().unwrap();
        }
    }
    sleep((from_ms - 200.0 - now_ms()) / 1000.0);
    let before = cpu_ms(child.id());
    // Before the next second's work begins.
    sleep((from_ms + span_ms - 500.0 - now_ms()) / 1000.0);
    let cpu = cpu_ms(child.id()) - before;
    let late = Lateness::ask(&mut sink, from_ms, from_ms + span_ms);
    let _ = child.kill();
    child.wait().unwrap();
    (late, cpu)
}

/// `idle`: how a daemon with very many jobs starts, and what it costs while none is due.
pub(crate) fn idle(arguments: &[String]) {
    let jobs = option(arguments, "--jobs").map_or(100_000, |text| number(&text));
    let dir = tempfile::tempdir().unwrap();
    write_jobs(dir.path(), "http://127.0.0.1:9/", (0..jobs).map(|id| resting(id, "good morning")));
    println!("{jobs} jobs, none due\n");
    println!("| start | ready after, ms | resident, MB | peak, MB | processor in 10 s, ms |\n|---|---|---|---|---|");
    for start in ["cold", "files unchanged", "files unchanged", "files unchanged"] {
        let daemon = Daemon::start(dir.path());
        sleep(2.0);
        let pid = daemon.child.id();
        let before = cpu_ms(pid);
        sleep(10.0);
        let cpu = cpu_ms(pid) - before;
        println!("| {start} | {:.0} | {:.0} | {:.0} | {cpu:.0} |", daemon.started_ms, resident_mb(pid), peak_mb(pid));
        daemon.stop();
    }
}

/// `reload`: very many jobs of which ten (or `--changed N`) change, with `--schedules` their schedules too, while others
/// push every second.
pub(crate) fn reload(arguments: &[String]) {
    let jobs: usize = option(arguments, "--jobs").map_or(100_000, |text| number(&text));
    let changes: usize = option(arguments, "--changed").map_or(10, |text| number(&text));
    let schedules = arguments.iter().any(|argument| argument == "--schedules");
    let dir = tempfile::tempdir().unwrap();
    let mut sink = Sink::start();
    let url = sink.url.clone();
    let write = |changed: &str| {
        let rest = |id| match id % (jobs / changes) {
            0 if schedules => {
                resting_at(&format!("{} 8 1 1 *", changed.bytes().map(usize::from).sum::<usize>() % 60), id, changed)
            }
            0 => resting(id, changed),
            _ => resting(id, "good morning"),
        };
        write_jobs(dir.path(), &url, (0..jobs).map(rest).chain((0..100).map(ticking)));
    };
    write("one");
    let mut daemon = Daemon::start(dir.path());
    sleep(8.0);
    println!("{jobs} jobs, {changes} of them changed, beside 100 pushes every second\n");
    println!("| | took, ms | p50, ms | most, ms | pushes |\n|---|---|---|---|---|");
    let quiet_from = now_ms() - 5_000.0;
    let quiet = Lateness::ask(&mut sink, quiet_from, now_ms() - 500.0);
    println!("| no reload | – | {:.2} | {:.2} | {} |", quiet.p50, quiet.most, quiet.count);
    for changed in ["two", "three", "four", "five", "six"] {
        write(changed);
        // So that an instant falls into the middle of the work.
        sleep((next_second(500.0) - 300.0 - now_ms()) / 1000.0);
        let from_ms = now_ms();
        daemon.signal("HUP");
        daemon.wait_for("reloaded");
        let took = now_ms() - from_ms;
        sleep(2.5);
        let late = Lateness::ask(&mut sink, from_ms, from_ms + took + 1_500.0);
        println!("| reload | {took:.0} | {:.2} | {:.2} | {} |", late.p50, late.most, late.count);
    }
    daemon.stop();
}

/// `dead`: 200 pushes a minute to 50 targets, with and without one beside them that never answers.
pub(crate) fn dead(arguments: &[String]) {
    let seconds: usize = option(arguments, "--seconds").map_or(60, |text| number(&text));
    println!("200 pushes a minute on 50 healthy targets for {seconds} s\n");
    println!("| | pushes | p50, ms | p99, ms | most, ms |\n|---|---|---|---|---|");
    let healthy = (0..50).map(|id| {
        format!("  - {{name: healthy{id}, every: 15s, push: {{im: hook, group: \"{id}\", text: good morning}}}}\n")
    });
    let hung = "  - {name: hung, every: 1s, push: {im: hook, group: dead, text: good morning, timeout: 10s}}\n";
    let scenarios = [("healthy alone", None), ("beside a dead target, a push every second", Some(hung.to_owned()))];
    for (name, dead) in scenarios {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = Sink::start();
        write_jobs(dir.path(), &sink.url, healthy.clone().chain(dead));
        let daemon = Daemon::start(dir.path());
        // Long enough for the dead one to have filled what it can fill.
        sleep(20.0);
        let from_ms = now_ms();
        sleep(seconds as f64 + 1.0);
        let late = Lateness::ask(&mut sink, from_ms, from_ms + seconds as f64 * 1000.0);
        println!("| {name} | {} | {:.2} | {:.2} | {:.2} |", late.count, late.p50, late.p99, late.most);
        daemon.signal("KILL");
    }
}
