//! The daemon as a whole, over loopback HTTP, beside what the machine can do at all and beside tokio-cron-scheduler.
//!
//! | `cargo bench --bench daemon -- …` | what it shows |
//! |---|---|
//! | `burst` (or nothing) | many jobs due at one second: 10,000, five times each in alternation; `--jobs 100000 --runs 3 --only ours,ceiling` changes that |
//! | `rendered` | 10,000 texts that are templates, each another, beside 10,000 that are constant: in alternation, seven times each; `--jobs`, `--runs` |
//! | `steady` | 1,000 pushes every second for 30 s, three times each; `--jobs 1 --seconds 60` is the lone job |
//! | `idle` | start, memory and processor of 100,000 jobs of which none is due |
//! | `reload` | ten of 100,000 jobs change while others push; `--changed 100000` changes them all, `--schedules` their schedules too |
//! | `dead` | a target that never answers beside fifty that do |
//! | `absence` | 1,000 jobs that nobody watched for a week: of every second, every two minutes, every eleven |
//! | `content` | a push every second while a command of 3 s makes a content beside it, and without; `--seconds 60`, `--runs 3` |
//! | `pages FILE` | every page eight times, over the history in the file; where there is none, one of `--pushes 10000000` is made that ends now |
//! | `streams` | 100 pushes every second, alone, beside 16 streams and a scraper, beside 16 pages that renew themselves and a scraper; `--seconds 30`, `--runs 3` |
//! | `down` | 100,000 pushes wait for an account that goes down, while others push |
//!
//! | program | what it is |
//! |---|---|
//! | `ours` | the daemon itself: reads YAML, records fires, attempts and results in a file with `synchronous=FULL` |
//! | `ceiling` | no scheduler: one durable transaction claims everything, the requests leave, results commit in groups |
//! | `tcs-default`, `tcs-large` | tokio-cron-scheduler with reqwest, its channel as it comes or larger than the jobs; nothing durable |
//!
//! The sink is a process of its own, so that none of them pays for its bookkeeping.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the machine's clock and waits on it")]

mod burst;
mod ceiling;
mod content;
mod cron_scheduler;
mod harness;
mod heavy;
mod pages;
mod rendered;
mod scenarios;
mod sink;
mod site;
mod streams;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sink"] => sink::serve(),
        ["ceiling", url, due_ms, jobs, seconds, database] => {
            ceiling::run(url, number(due_ms), number(jobs), number(seconds), database);
        }
        ["tcs", url, due_ms, jobs, channel] => cron_scheduler::run(url, number(due_ms), number(jobs), number(channel)),
        ["rendered", ..] => rendered::compare(&arguments),
        ["steady", ..] => scenarios::steady(&arguments),
        ["idle", ..] => scenarios::idle(&arguments),
        ["reload", ..] => scenarios::reload(&arguments),
        ["absence", ..] => heavy::absence(&arguments),
        ["content", ..] => content::beside(&arguments),
        ["pages", ..] => pages::read(&arguments),
        ["streams", ..] => streams::beside(&arguments),
        ["down", ..] => heavy::down(&arguments),
        ["dead", ..] => scenarios::dead(&arguments),
        _ => burst::compare(&arguments),
    }
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse().unwrap_or_else(|_| panic!("expected a number, got {text}"))
}

/// Milliseconds since the epoch, with their fraction.
fn now_ms() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("the clock is past 1970").as_secs_f64() * 1000.0
}

/// Blocks until the instant.
fn wait_until(due_ms: f64) {
    let wait = due_ms - now_ms();
    if wait > 0.0 {
        std::thread::sleep(std::time::Duration::from_secs_f64(wait / 1000.0));
    }
}
