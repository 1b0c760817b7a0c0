//! What is heavy at once: jobs that nobody watched for a week, and an account that goes down with very many pushes
//! waiting for it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::harness::{Sink, median, option, peak_mb};
use super::scenarios::{Daemon, Lateness, next_second, sleep, ticking, write_jobs};
use super::{now_ms, number};

const WEEK_S: f64 = 7.0 * 86_400.0;

/// Jobs that push every second, beside the others.
const TICKING: usize = 100;

/// What a start after a week came to.
struct Return {
    ready: f64,
    first: f64,
    late: Lateness,
    caught_up: f64,
    rows: i64,
    peak: f64,
}

/// `absence`: a week away with very many jobs, and a hundred that pushed until the end and go on.
pub(crate) fn absence(arguments: &[String]) {
    let jobs: usize = option(arguments, "--jobs").map_or(1000, |text| number(&text));
    let runs: usize = option(arguments, "--runs").map_or(3, |text| number(&text));
    let periods = option(arguments, "--every").unwrap_or_else(|| "1s,2m,11m".to_owned());
    println!(
        "{jobs} jobs away for a week beside {TICKING} that push every second; {runs} runs, medians (least–most)\n"
    );
    println!(
        "| every | ready, ms | first push after the start, ms | pushes of the next 10 s: p50, ms | most, ms | all recorded after, s | rows | peak, MB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for every in periods.split(',') {
        let returns: Vec<Return> = (0..runs).map(|_| come_back(every, jobs)).collect();
        let of = |figure: fn(&Return) -> f64| {
            let (middle, least, most) = median(returns.iter().map(figure));
            format!("{middle:.0} ({least:.0}–{most:.0})")
        };
        println!(
            "| {every} | {} | {} | {} | {} | {} | {} | {} |",
            of(|run| run.ready),
            of(|run| run.first),
            of(|run| run.late.p50),
            of(|run| run.late.most),
            of(|run| run.caught_up / 1000.0),
            of(|run| run.rows as f64),
            of(|run| run.peak),
        );
    }
}

fn come_back(every: &str, jobs: usize) -> Return {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = Sink::start();
    let away = (0..jobs).map(|id| {
        format!("  - {{name: away{id}, every: {every}, push: {{im: hook, group: \"{id}\", text: good morning}}}}\n")
    });
    write_jobs(dir.path(), &sink.url, away.chain((0..TICKING).map(ticking)));
    Daemon::start(dir.path()).signal("KILL");
    let database = dir.path().join("pushcron.db");
    go_away(
        &database,
        number::<f64>(every.trim_end_matches(['s', 'm'])) * if every.ends_with('m') { 60.0 } else { 1.0 },
    );
    let started_ms = now_ms();
    let mut daemon = Daemon::start(dir.path());
    daemon.read_no_more();
    let from_ms = next_second(0.0);
    let pid = daemon.pid();
    let caught_up = wait_until_caught_up(&database) - started_ms;
    sleep(((from_ms + 12_000.0 - now_ms()) / 1000.0).max(0.0));
    let first = number(sink.ask(&format!("first {started_ms}")).trim());
    let late = Lateness::ask(&mut sink, from_ms, from_ms + 10_000.0);
    let rows = Connection::open(&database).unwrap();
    let rows = rows.query_row("SELECT count(*) FROM fires WHERE decision = 'missed'", [], |row| row.get(0)).unwrap();
    Return { ready: daemon.started_ms, first, late, caught_up, rows, peak: peak_mb(pid) }
}

/// As if the jobs `away…` had been loaded, and last looked at, a week ago.
fn go_away(database: &Path, period_s: f64) {
    let connection = Connection::open(database).unwrap();
    let then_s = ((now_ms() / 1000.0 - WEEK_S) / period_s).ceil() * period_s;
    let text = |seconds: f64| {
        let at = jiff::Timestamp::from_second(seconds as i64).unwrap();
        format!("{at:.3}")
    };
    connection
        .execute_batch(&format!(
            "PRAGMA foreign_keys = ON;
             DELETE FROM fires;
             UPDATE jobs SET next_due_at = '{}', loaded_at = '{}' WHERE name LIKE 'away%'",
            text(then_s),
            text(then_s - 1.0)
        ))
        .unwrap();
}

/// When no job's place lies more than a minute back.
fn wait_until_caught_up(database: &Path) -> f64 {
    let connection = Connection::open(database).unwrap();
    loop {
        let behind: i64 = connection
            .query_row(
                "SELECT count(*) FROM jobs WHERE next_due_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-12 minutes')",
                [],
                |row| row.get(0),
            )
            .unwrap();
        if behind == 0 {
            return now_ms();
        }
        sleep(0.05);
    }
}

/// `down`: very many pushes wait for an account that then refuses its login, beside a hundred pushes every second through
/// another one.
pub(crate) fn down(arguments: &[String]) {
    let waiting: usize = option(arguments, "--jobs").map_or(100_000, |text| number(&text));
    let runs: usize = option(arguments, "--runs").map_or(3, |text| number(&text));
    println!(
        "{waiting} pushes wait for an account that goes down, beside {TICKING} pushes every second; {runs} runs\n"
    );
    println!("| | p50, ms | most, ms | pushes |\n|---|---|---|---|");
    for _ in 0..runs {
        let (before, after) = go_down(waiting);
        println!("| while they wait | {:.2} | {:.2} | {} |", before.p50, before.most, before.count);
        println!("| when it goes down | {:.2} | {:.2} | {} |", after.p50, after.most, after.count);
    }
}

fn go_down(waiting: usize) -> (Lateness, Lateness) {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = Sink::start();
    let refuses = Arc::new(AtomicBool::new(false));
    let doomed = hold_until(refuses.clone());
    let due_ms = next_second(12_000.0 + waiting as f64 / 8.0);
    let due = jiff::Timestamp::from_millisecond(due_ms as i64).unwrap();
    let crowd = (0..waiting).map(|id| {
        format!(
            "  - {{name: crowd{id}, at: {due}, push: {{im: doomed, group: \"{}\", text: good morning, timeout: 5m}}}}\n",
            id % 1000
        )
    });
    write_jobs(dir.path(), &sink.url, crowd.chain((0..TICKING).map(ticking)));
    let yaml = std::fs::read_to_string(dir.path().join("jobs.yaml")).unwrap();
    let account = format!("  - {{id: doomed, im: doomed, sender: webhook, url: \"{doomed}\", default: true}}\njobs:\n");
    std::fs::write(dir.path().join("jobs.yaml"), yaml.replacen("jobs:\n", &account, 1)).unwrap();
    let mut daemon = Daemon::start(dir.path());
    daemon.read_no_more();
    // All are recorded, as many as may be are held by the account, and the rest stands in its line.
    sleep((due_ms + 15_000.0 - now_ms()) / 1000.0);
    let before = Lateness::ask(&mut sink, now_ms() - 8_500.0, now_ms() - 500.0);
    sleep((next_second(500.0) - 100.0 - now_ms()) / 1000.0);
    let from_ms = now_ms();
    refuses.store(true, Ordering::Relaxed);
    sleep(8.5);
    (before, Lateness::ask(&mut sink, from_ms, from_ms + 8_000.0))
}

/// A server that takes requests, says nothing until it is told to, and then that nobody may come in.
fn hold_until(refuses: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let refuses = refuses.clone();
            std::thread::spawn(move || refuse(stream.unwrap(), &refuses));
        }
    });
    url
}

fn refuse(mut stream: TcpStream, refuses: &AtomicBool) {
    let mut request = [0; 4096];
    while stream.read(&mut request).is_ok_and(|read| read > 0) {
        while !refuses.load(Ordering::Relaxed) {
            sleep(0.01);
        }
        if stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").is_err() {
            return;
        }
    }
}
