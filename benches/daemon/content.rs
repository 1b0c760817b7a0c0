//! A command that makes contents and takes its time, beside a lone job that has nothing to do with it.

use super::harness::{self, Sink, option};
use super::scenarios::{Daemon, Lateness, next_second, sleep, ticking};
use super::{now_ms, number};

/// How long the command takes, and how often it is asked: one runs at any time.
const TAKES_S: usize = 3;

/// `content`: one push every second, before, while and after a content is made beside it by a command, over and over.
pub(crate) fn beside(arguments: &[String]) {
    let seconds: usize = option(arguments, "--seconds").map_or(60, |text| number(&text));
    let runs: usize = option(arguments, "--runs").map_or(3, |text| number(&text));
    println!("one push every second, {seconds} s in each span, beside a command of {TAKES_S} s; {runs} runs\n");
    println!("| run | span | pushes | lost | p50, ms | p99, ms | most, ms | contents made |");
    println!("|---|---|---|---|---|---|---|---|");
    for run in 1..=runs {
        for Span { name, late, contents } in spans(seconds) {
            let lost = seconds - late.count.min(seconds);
            println!(
                "| {run} | {name} | {} | {lost} | {:.2} | {:.2} | {:.2} | {contents} |",
                late.count, late.p50, late.p99, late.most
            );
        }
    }
}

struct Span {
    name: &'static str,
    late: Lateness,
    contents: usize,
}

/// One run of one daemon: alone, beside the command, alone again.
fn spans(seconds: usize) -> Vec<Span> {
    let dir = tempfile::tempdir().unwrap();
    // Its pushes go elsewhere, so that the sink of the lone job is asked about nothing else.
    let (mut lone, mut reports) = (Sink::start(), Sink::start());
    let span_ms = seconds as f64 * 1000.0;
    let first_ms = next_second(4_000.0);
    // The command of the last instant ends, and its push leaves, before the third span begins.
    let rest_ms = (TAKES_S as f64 + 2.0) * 1000.0;
    let from_ms = [first_ms, first_ms + span_ms, first_ms + 2.0 * span_ms + rest_ms];
    let instant = |ms: f64| jiff::Timestamp::from_millisecond(ms as i64).unwrap();
    let account =
        format!("  - {{id: reports, im: reports, sender: webhook, url: \"{}\", default: true}}\n", reports.url);
    let report = format!(
        "  - {{name: report, every: {TAKES_S}s, from: \"{}\", until: \"{}\", \
         content_from: {{command: [/bin/sh, -c, \"sleep {TAKES_S}; echo good morning\"], timeout: 30s, as_root: true}}, \
         push: {{im: reports, group: \"1\"}}}}\n",
        instant(from_ms[1]),
        instant(from_ms[1] + span_ms - 1.0),
    );
    let head = harness::head(&lone.url, dir.path()).replacen("jobs:\n", &format!("{account}jobs:\n"), 1);
    std::fs::write(dir.path().join("jobs.yaml"), head + &ticking(0) + &report).unwrap();
    let mut daemon = Daemon::start(dir.path());
    daemon.read_no_more();
    sleep((from_ms[2] + span_ms + 1_000.0 - now_ms()) / 1000.0);
    let spans = ["alone", "beside the command", "alone again"].into_iter().zip(from_ms);
    spans
        .map(|(name, from_ms)| Span {
            name,
            late: Lateness::ask(&mut lone, from_ms, from_ms + span_ms),
            contents: Lateness::ask(&mut reports, from_ms, from_ms + span_ms).count,
        })
        .collect()
}
