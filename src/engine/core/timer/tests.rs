use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::domain::job::DstGap;
use crate::domain::{Job, Misfire, Overlap, Schedule, UtcMs};
use crate::store::{Applied, Recorded, StoredJob};

const START: UtcMs = UtcMs(1_767_229_200_000);

fn now(seconds: u64) -> Reading {
    let passed = Duration::from_secs(seconds);
    Reading { wall: START + passed, moment: Moment(Duration::from_secs(1000) + passed) }
}

fn job(name: &str) -> Job {
    Job {
        name: name.to_owned(),
        schedule: Schedule::Every(10_000),
        timezone: "UTC".to_owned(),
        enabled: true,
        push: Vec::new(),
        misfire: Misfire::default(),
        overlap: Overlap::Skip,
        dst_gap: DstGap::Fire,
    }
}

/// Two jobs of every ten seconds, and a store that takes nothing of the one that is stuck.
struct Bench {
    timer: Timer,
    jobs: BTreeMap<Arc<str>, StoredJob>,
    is_stuck: bool,
    is_readable: bool,
    asked: Vec<&'static str>,
    fired: BTreeMap<Arc<str>, usize>,
}

impl Bench {
    fn new() -> Bench {
        let stored = ["stuck", "well"].map(|name| StoredJob::new(&job(name), 1, Some(now(10).wall), START));
        let mut bench = Bench {
            timer: Timer::new(now(0), now(0).moment.0, "2026a".to_owned()),
            jobs: stored.into_iter().map(|job| (job.name.clone(), job)).collect(),
            is_stuck: true,
            is_readable: true,
            asked: Vec::new(),
            fired: BTreeMap::new(),
        };
        bench.carry_out(0, Input::Load).unwrap();
        bench.asked.clear();
        bench
    }

    fn carry_out(&mut self, seconds: u64, command: Input) -> Result<Done, ApplyError> {
        let mut actions = Vec::new();
        self.timer.step(now(seconds), command, &mut actions);
        let mut done = None;
        for _ in 0..200 {
            let mut asked = None;
            for action in actions.drain(..) {
                match action {
                    Action::Ask(ask) => asked = Some(ask),
                    Action::Done(result) => done = Some(result),
                    _ => {}
                }
            }
            let Some(ask) = asked else { return done.expect("it is done") };
            let answer = self.answer(ask);
            self.timer.step(now(seconds), Input::Answer(answer), &mut actions);
        }
        panic!("the timer never comes to an end: {:?}", self.asked);
    }

    /// Ticks until there is nothing more to do at once, and tells how long the timer would sleep at most.
    fn come_to_rest(&mut self, seconds: u64, awake: u64) -> Duration {
        for _ in 0..50 {
            let awake = now(awake).moment.0;
            let more = self.carry_out(seconds, Input::Tick { awake }).is_ok_and(|done| done.more);
            let wake = self.timer.wake(now(seconds));
            if !more && wake.after > now(seconds).moment && wake.at.is_none_or(|at| at > now(seconds).wall) {
                return wake.after.since(now(seconds).moment);
            }
        }
        panic!("the timer spins: {:?}", self.asked);
    }

    fn answer(&mut self, ask: Ask) -> Result<Answer, StoreError> {
        let (name, answer) = match ask {
            Ask::LastRecorded | Ask::WatchedUntil => ("instant", Answer::Instant(None)),
            Ask::Restored => ("restored", Answer::Restored(None)),
            Ask::Jobs => ("jobs", Answer::Jobs(self.jobs.values().cloned().collect())),
            Ask::Unwatched { .. } => ("unwatched", Answer::Unwatched(Vec::new())),
            Ask::WithdrawAhead { .. } => ("withdraw", Answer::Done),
            Ask::LedgerRows { .. } => ("rows", Answer::LedgerRows(Vec::new())),
            Ask::Apply { .. } => ("apply", Answer::Applied(Applied::default())),
            Ask::Record { fires, cursors, .. } => {
                let mut recorded = Recorded::default();
                for cursor in cursors {
                    match self.is_stuck && &*cursor.job == "stuck" {
                        true => recorded.stale.push(cursor.job),
                        false => self.jobs.get_mut(&cursor.job).unwrap().next_due_at = cursor.next_due_at,
                    }
                }
                for fire in fires.iter().filter(|fire| !recorded.stale.contains(&fire.job)) {
                    *self.fired.entry(fire.job.clone()).or_default() += 1;
                }
                ("record", Answer::Recorded(recorded))
            }
            Ask::NoteWatch { .. } | Ask::Settle { .. } => ("note", Answer::Done),
        };
        self.asked.push(name);
        match self.is_readable || name != "jobs" {
            true => Ok(answer),
            false => Err(StoreError::Unavailable("disk on fire".to_owned())),
        }
    }

    fn rows(&self, name: &str) -> usize {
        self.fired.get(name).copied().unwrap_or_default()
    }
}

#[test]
fn a_job_that_is_refused_again_and_again_waits_longer_each_time_and_no_other_waits_for_it() {
    let mut bench = Bench::new();
    let mut seconds = 10;
    let mut pauses = Vec::new();
    for _ in 0..6 {
        bench.asked.clear();
        let pause = bench.come_to_rest(seconds, seconds);
        assert!(bench.asked.len() < 20, "{:?}", bench.asked);
        pauses.push(pause.as_secs());
        seconds += pause.as_secs();
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30], "the last is cut by the longest sleep");
    assert_eq!(bench.rows("stuck"), 0);
    assert!(bench.rows("well") >= 4, "{}", bench.rows("well"));

    bench.is_stuck = false;
    bench.come_to_rest(seconds, seconds);
    bench.come_to_rest(seconds + 30, seconds + 30);
    assert_eq!(bench.rows("stuck"), bench.rows("well"), "each of its instants has its row");
}

#[test]
fn a_change_of_a_job_of_which_nothing_is_taken_is_refused_and_not_tried_for_ever() {
    let mut bench = Bench::new();
    let result = bench.carry_out(25, Input::Apply(vec![(job("well"), 1)]));
    assert!(matches!(&result, Err(ApplyError::Refused { job }) if job == "stuck"), "{result:?}");
    assert!(!bench.asked.contains(&"apply"));
}

#[test]
fn a_reading_that_failed_is_begun_anew_before_anything_is_decided() {
    let mut bench = Bench::new();
    (bench.is_stuck, bench.is_readable) = (false, false);
    bench.come_to_rest(10, 10);
    bench.asked.clear();
    // The wall clock moved by 20 s, the other one did not.
    let result = bench.carry_out(30, Input::Tick { awake: now(10).moment.0 });
    assert!(matches!(result, Err(ApplyError::Store(_))), "{result:?}");
    assert!(bench.carry_out(31, Input::Apply(vec![(job("well"), 7)])).is_err());
    let reading = ["unwatched", "note", "withdraw", "jobs"];
    assert_eq!(bench.asked, [reading, reading].concat());
    bench.asked.clear();
    bench.is_readable = true;
    bench.come_to_rest(32, 12);
    assert_eq!(bench.asked[..5], ["unwatched", "note", "withdraw", "jobs", "record"]);
}
