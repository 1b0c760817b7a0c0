use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::domain::job::DstGap;
use crate::domain::{Job, LedgerRow, Misfire, MisfirePolicy, Overlap, Schedule, UtcMs};
use crate::store::{Applied, NewFire, Recorded, StoredJob, Unwatched};

/// Where the log lines of a test go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn count(&self, part: &str) -> usize {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().matches(part).count()
    }
}

/// Does this with its log lines at hand.
fn logged(what: impl FnOnce(&Lines)) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || what(&lines));
}

const START: UtcMs = UtcMs(1_767_229_200_000);

fn now(seconds: u64) -> Reading {
    let passed = Duration::from_secs(seconds);
    Reading { wall: START + passed, moment: Moment(Duration::from_secs(1000) + passed) }
}

fn job(name: &str) -> Job {
    Job {
        name: name.to_owned(),
        schedule: Schedule::Every(10_000),
        timezone: "UTC".into(),
        enabled: true,
        push: Vec::new(),
        content_from: None,
        misfire: Misfire::default(),
        overlap: Overlap::Skip,
        dst_gap: DstGap::Fire,
        days: None,
        life: None,
    }
}

/// Two jobs of every ten seconds, and a store that takes nothing of the one that is stuck.
struct Bench {
    timer: Timer,
    jobs: BTreeMap<Arc<str>, StoredJob>,
    is_stuck: bool,
    is_readable: bool,
    is_writable: bool,
    asked: Vec<&'static str>,
    fired: BTreeMap<Arc<str>, usize>,
    /// Instants of `well` that have their rows already, and how many others got one since.
    known: Vec<LedgerRow>,
    counted: u64,
    /// The most rows of one transaction.
    most_rows: usize,
    /// Pushes whose instants nobody watched, and which of them no attempt was begun for.
    unwatched: Vec<Unwatched>,
    untouched: Vec<i64>,
}

impl Bench {
    fn new() -> Bench {
        let stored = ["stuck", "well"].map(|name| StoredJob::new(&job(name), 1, Some(now(10).wall), START));
        let mut bench = Bench {
            timer: Timer::new(now(0), now(0).moment.0, "2026a".to_owned()),
            jobs: stored.into_iter().map(|job| (job.name.clone(), job)).collect(),
            is_stuck: true,
            is_readable: true,
            is_writable: true,
            asked: Vec::new(),
            fired: BTreeMap::new(),
            known: Vec::new(),
            counted: 0,
            most_rows: 0,
            unwatched: Vec::new(),
            untouched: Vec::new(),
        };
        bench.carry_out(0, Input::Load).unwrap();
        bench.asked.clear();
        bench
    }

    fn carry_out(&mut self, seconds: u64, command: Input) -> Result<Done, ApplyError> {
        let mut actions = Vec::new();
        self.timer.step(now(seconds), command, &mut actions);
        let mut done = None;
        for _ in 0..500 {
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
            Ask::Unwatched { .. } => ("unwatched", Answer::Unwatched(self.unwatched.clone())),
            Ask::EndUntouched { .. } => ("end", Answer::Ended(self.untouched.clone())),
            Ask::WithdrawAhead { now } => {
                // What was decided of later instants had not fired.
                let first = UtcMs(now.0 - now.0.rem_euclid(10_000) + 10_000);
                self.jobs.values_mut().for_each(|job| job.next_due_at = job.next_due_at.min(Some(first)));
                ("withdraw", Answer::Done)
            }
            Ask::LedgerRows { job, from, until, limit } => {
                let of_it =
                    self.known.iter().filter(|row| &*job == "well" && row.due_at >= from && row.due_at <= until);
                ("rows", Answer::LedgerRows(of_it.take(limit as usize).cloned().collect()))
            }
            Ask::Apply { .. } => ("apply", Answer::Applied(Applied::default())),
            Ask::Record { .. } if !self.is_writable => {
                self.asked.push("record");
                return Err(StoreError::Unavailable("disk full".to_owned()));
            }
            Ask::Record { fires, cursors, .. } => {
                let mut recorded = Recorded::default();
                for cursor in cursors {
                    let job = self.jobs.get_mut(&cursor.job).unwrap();
                    match self.is_stuck && &*cursor.job == "stuck" || job.next_due_at != cursor.from {
                        true => recorded.stale.push(cursor.job),
                        false => job.next_due_at = cursor.next_due_at,
                    }
                }
                self.most_rows = self.most_rows.max(fires.len());
                let is_new = |fire: &&NewFire| {
                    let is_known = || self.known.iter().any(|row| row.due_at == fire.due_at);
                    &*fire.job == "well" && !recorded.stale.contains(&fire.job) && !is_known()
                };
                self.counted += fires.iter().filter(is_new).map(|fire| fire.count).sum::<u64>();
                for fire in fires.iter().filter(|fire| !recorded.stale.contains(&fire.job)) {
                    *self.fired.entry(fire.job.clone()).or_default() += 1;
                }
                ("record", Answer::Recorded(recorded))
            }
            Ask::NoteWatch { .. } => ("note", Answer::Done),
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
    let result = bench.carry_out(25, Input::Apply(vec![(job("well"), 1)], None));
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
    assert!(bench.carry_out(31, Input::Apply(vec![(job("well"), 7)], None)).is_err());
    // Whoever withdraws notes the watch in the same transaction, and is asked for it once.
    let reading = ["unwatched", "withdraw", "jobs"];
    assert_eq!(bench.asked, [reading, reading].concat());
    bench.asked.clear();
    bench.is_readable = true;
    bench.come_to_rest(32, 12);
    assert_eq!(bench.asked[..4], ["unwatched", "withdraw", "jobs", "record"]);
}

#[test]
fn a_zone_that_vanished_from_the_system_silences_nobody_when_the_clock_is_put_back() {
    let mut bench = Bench::new();
    bench.is_stuck = false;
    for seconds in [10, 20, 30, 40] {
        bench.come_to_rest(seconds, seconds);
    }
    assert_eq!((bench.rows("stuck"), bench.rows("well")), (4, 4));
    bench.jobs.get_mut("stuck").unwrap().timezone = "Nowhere/Gone".into();
    // The wall clock went back by 25 s, and both jobs are to go on from there.
    for (seconds, awake) in [(16, 41), (20, 45), (30, 55), (40, 65), (50, 75)] {
        bench.come_to_rest(seconds, awake);
    }
    assert_eq!((bench.rows("stuck"), bench.rows("well")), (8, 8), "{:?}", bench.asked);
}

#[test]
fn what_was_missed_is_told_once_when_it_is_recorded_and_not_before() {
    logged(|lines| {
        let mut bench = Bench::new();
        (bench.is_stuck, bench.is_writable) = (false, false);
        // Nobody was there for five minutes, and now the disk is full.
        for seconds in 310..320 {
            assert!(bench.carry_out(seconds, Input::Tick { awake: now(seconds).moment.0 }).is_err());
        }
        assert_eq!(lines.count("instants missed"), 0);
        assert!(lines.count("due fires cannot be recorded") > 0);
        bench.is_writable = true;
        bench.come_to_rest(320, 320);
        assert_eq!(lines.count("instants missed"), 2, "a line for each of the jobs");
        bench.come_to_rest(330, 330);
        assert_eq!(lines.count("instants missed"), 2);
        // Nor of a job of which nothing is taken.
        bench.is_stuck = true;
        bench.come_to_rest(700, 700);
        assert_eq!((lines.count("instants missed"), lines.count("job=\"stuck\" count")), (3, 1));
    });
}

#[test]
fn a_gap_around_very_many_rows_is_recorded_in_parts_and_each_of_its_instants_once() {
    for is_removed in [false, true] {
        let mut bench = Bench::new();
        bench.is_stuck = false;
        // A week in which nobody was there; but every other instant was lived before the clock was put back.
        let instants = 60_000;
        let row = |nth: u64| LedgerRow {
            due_at: now(20 * nth).wall,
            until_at: None,
            count: 1,
            revision: 1,
            recorded_at: START,
            zone: None,
        };
        bench.known = (1..=instants / 2).map(row).collect();
        let end = 10 * instants - 5;
        if is_removed {
            let others = vec![(job("stuck"), 1)];
            bench.carry_out(end, Input::Apply(others, None)).unwrap();
        } else {
            bench.come_to_rest(end, end);
        }
        assert_eq!(bench.counted, instants / 2, "{is_removed}");
        assert!(bench.most_rows < 2100, "{} rows in one transaction", bench.most_rows);
    }
}

#[test]
fn a_clock_that_is_set_before_the_first_round_is_told_to_be_believed_again() {
    logged(|lines| {
        let (mut bench, far_ahead) = (Bench::new(), 3_155_760_000);
        bench.timer = Timer::new(now(far_ahead), now(0).moment.0, "2026a".to_owned());
        bench.carry_out(far_ahead, Input::Load).unwrap();
        assert_eq!(lines.count("which cannot be; nothing is sent until it is set"), 1);
        bench.carry_out(10, Input::Tick { awake: now(10).moment.0 }).unwrap();
        assert_eq!(lines.count("the clock can be believed again"), 1);
    });
}

#[test]
fn of_pushes_that_nobody_watched_those_are_told_to_end_that_do() {
    logged(|lines| {
        let mut bench = Bench::new();
        let misfire = Misfire { policy: MisfirePolicy::Skip, ..Misfire::default() };
        let job = StoredJob { misfire, ..bench.jobs["well"].clone() };
        bench.unwatched = [1, 2, 3].map(|push_id| Unwatched { push_id, due_at: now(10).wall, job: job.clone() }).into();
        bench.carry_out(310, Input::Reread).unwrap();
        assert_eq!(lines.count("pushes end as expired"), 0, "attempts were begun for all of them meanwhile");
        bench.untouched = vec![2, 3];
        bench.carry_out(310, Input::Reread).unwrap();
        assert_eq!((lines.count("pushes end as expired"), lines.count("job=\"well\" pushes=2 ")), (1, 1));
    });
}
