//! The pure decisions on the hot path: `cargo bench --bench policy`. The store's verbs (claim, record) have their own
//! benchmark, `store`.
//!
//! Each figure is the median of eleven rounds, in nanoseconds a call.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the machine's clock")]

use std::hint::black_box;
use std::time::Instant;

use pushcron::domain::job::DstGap;
use pushcron::domain::{Health, Kind, Moment, Schedule, Support, Trigger, UtcMs};
use pushcron::policy::account::{Candidate, Fallback, PushQuery, choose};
use pushcron::policy::schedule::CompiledSchedule;

const ROUNDS: usize = 11;
const CALLS: u32 = 20_000;
const NOW: UtcMs = UtcMs(1_767_258_000_000);

fn main() {
    for (name, schedule, zone) in [
        ("every 30s", Schedule::Every(30_000), "UTC"),
        ("30 8 * * *, UTC", Schedule::Cron("30 8 * * *".to_owned()), "UTC"),
        ("30 8 * * *, Asia/Shanghai", Schedule::Cron("30 8 * * *".to_owned()), "Asia/Shanghai"),
        ("30 8 * * 1-5, America/New_York", Schedule::Cron("30 8 * * 1-5".to_owned()), "America/New_York"),
        ("0 0 29 2 *, Europe/Berlin", Schedule::Cron("0 0 29 2 *".to_owned()), "Europe/Berlin"),
    ] {
        let compiled = CompiledSchedule::compile(&schedule, zone, DstGap::default()).expect("a good schedule");
        // From instant to instant, as the timer asks.
        let mut at = NOW;
        report(&format!("next fire, {name}"), || {
            at = compiled.next_after(at).filter(|at| at.0 < NOW.0 + 40 * 31_557_600_000).unwrap_or(NOW);
            at
        });
        report(&format!("compile, {name}"), || CompiledSchedule::compile(&schedule, zone, DstGap::default()).is_ok());
    }
    for accounts in [1, 10, 100] {
        let health = Health { online: Some(true), ..Health::default() };
        let names: Vec<String> = (0..accounts).map(|n| format!("bot_{n}")).collect();
        let candidate =
            |id| Candidate { id, im: "qq", is_default: false, health: &health, support: |_, _| Support::Native };
        let mut candidates: Vec<Candidate> = names.iter().map(|id| candidate(id)).collect();
        if let Some(last) = candidates.last_mut() {
            last.is_default = true;
        }
        let query = PushQuery {
            im: "qq",
            kind: Kind::Text,
            is_group: true,
            account: None,
            trigger: Trigger::Cron,
            chat: None,
            fallback: Fallback::CannotSend,
            now: Moment::default(),
        };
        report(&format!("choose among {accounts}, the last is the default"), || choose(&query, black_box(&candidates)));
    }
}

fn report<T>(name: &str, mut call: impl FnMut() -> T) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let since = Instant::now();
            for _ in 0..CALLS {
                black_box(call());
            }
            since.elapsed().as_nanos() as f64 / f64::from(CALLS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{name:<44} {:>10.0} ns", rounds[ROUNDS / 2]);
}
