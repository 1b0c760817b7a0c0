//! A random walk of timer and core together: every input and every result in any order, reloads, pauses, kills between
//! any two steps, clocks that are set, databases that cannot be written. No task, no file, no clock: one seed gives one walk.
//!
//! `PUSHCRON_CORE_WALKS=10000` walks as many seeds, `PUSHCRON_CORE_SEED=N` repeats one.

mod accounts;
mod ending;
mod ledger;
mod outside;
mod platforms;
mod rows;
mod sending;
mod timing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::ledger::Ledger;
use self::platforms::Platforms;
use self::rows::Rows;
use self::timing::{hashed, timer};
use fastrand::Rng;
use pushcron::domain::{Decision, Job, Moment, Reading, UtcMs};
use pushcron::engine::core::recovery::close_interrupted;
use pushcron::engine::core::timer::{self, Answer, Ask, Timer};
use pushcron::engine::core::{Action, Core, Dice, Event, Input, STOP_GRACE, Start};
use pushcron::store::{Interrupted, StoreError};

const STEPS: usize = 800;
const WALKS: u64 = 200;
const ACCOUNTS: [&str; 2] = ["a", "b"];
const CONCURRENCY: u32 = 2;
/// In a walk where many may be under way at once.
const CROWD: u32 = 8;
/// 2026-01-01T01:00:00.000Z
const START: UtcMs = UtcMs(1_767_229_200_000);

struct Walk {
    rng: Rng,
    dice: Dice,
    now: Reading,
    core: Core,
    rows: Rows,
    timer: Timer,
    ledger: Ledger,
    /// In this walk the clock is put forward only.
    keeps_hours: bool,
    /// In this walk much of one job goes to one target, through accounts that could take it all at once, and answers stay
    /// out long.
    is_crowded: bool,
    /// The definitions in the files.
    jobs: Vec<Job>,
    /// What the timer asks, what it is to be answered, and what it told the core and the core did not hear yet.
    asked: Option<Ask>,
    answer: Option<Result<Answer, StoreError>>,
    told: VecDeque<Event>,
    /// Notes of starts, which survive a kill.
    journal: BTreeSet<(i64, u32)>,
    /// What is still to be carried out, and what came of it and was not handed in yet.
    actions: Vec<Action>,
    results: Vec<Input>,
    /// Attempts whose sender was called and has not answered.
    in_flight: BTreeMap<i64, Arc<str>>,
    aborted: BTreeSet<i64>,
    up: BTreeMap<&'static str, bool>,
    platforms: Platforms,
    /// Of the senders of the accounts, as they were last probed.
    generations: BTreeMap<Arc<str>, u64>,
    /// How often a push was put off for its reason.
    held: BTreeMap<&'static str, usize>,
    idempotent: bool,
    store_ok: bool,
    journal_ok: bool,
    is_stopping: bool,
    trace: Vec<String>,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let mut rng = Rng::with_seed(seed);
        let now = Reading { wall: START, moment: Moment(Duration::from_secs(1000)) };
        let idempotent = rng.u8(0..4) == 0;
        let mut walk = Walk {
            dice: Dice::with_seed(rng.u64(..)),
            rng,
            now,
            core: Core::new(now),
            rows: Rows::default(),
            timer: timer(now),
            ledger: Ledger::default(),
            keeps_hours: seed.is_multiple_of(2),
            is_crowded: seed % 4 >= 2,
            jobs: Vec::new(),
            asked: None,
            answer: None,
            told: VecDeque::new(),
            journal: BTreeSet::new(),
            actions: Vec::new(),
            results: Vec::new(),
            in_flight: BTreeMap::new(),
            aborted: BTreeSet::new(),
            up: ACCOUNTS.into_iter().map(|account| (account, true)).collect(),
            platforms: Platforms::new(now),
            generations: BTreeMap::new(),
            held: BTreeMap::new(),
            idempotent,
            store_ok: true,
            journal_ok: true,
            is_stopping: false,
            trace: Vec::new(),
        };
        walk.start();
        walk
    }

    fn concurrency(&self) -> u32 {
        if self.is_crowded { CROWD } else { CONCURRENCY }
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        self.trace.push(format!("{} {}", self.now.wall, what()));
    }

    /// A process starts over what is there, as the daemon does.
    fn start(&mut self) {
        self.core = Core::new(self.now);
        self.is_stopping = false;
        self.actions.clear();
        self.results.clear();
        self.in_flight.clear();
        self.generations.clear();
        self.aborted.clear();
        (self.asked, self.answer) = (None, None);
        self.told.clear();
        self.timer = timer(self.now);
        if !self.begin_process() {
            self.note(|| "killed while it starts".to_owned());
            return self.start();
        }
        self.journal.clear();
        self.input(Input::Event(Event::Accounts(self.accounts())));
        self.input(Input::Event(Event::Resumed { pushes: self.rows.waiting(), by: self.now }));
    }

    /// What a start does before anything is sent. False: it was killed in the middle of it.
    fn begin_process(&mut self) -> bool {
        if !self.command(timer::Input::BeginWatch) {
            return false;
        }
        let interrupted = self.rows.interrupted().into_iter().map(|(push_id, number)| Interrupted {
            push_id,
            number,
            account: "a".to_owned(),
            sender: "console".to_owned(),
            started_at: self.now.wall,
            delivery: Ok(self.rows.delivery(push_id)),
        });
        let (journal, idempotent) = (&self.journal, self.idempotent);
        let noted = |push_id, number| journal.contains(&(push_id, number));
        let closing = close_interrupted(interrupted.collect(), self.now.wall, &mut self.dice, noted, |_, _| idempotent);
        self.rows.finish(&closing.finishes);
        if self.rng.u8(0..40) == 0 {
            return false;
        }
        self.rows.take_back(&closing.not_begun);
        self.change_jobs();
        self.command(timer::Input::Load) && self.command(timer::Input::Apply(hashed(&self.jobs), None))
    }

    fn input(&mut self, input: Input) {
        let before = self.actions.len();
        self.core.step(self.now, &mut self.dice, input, &mut self.actions);
        for action in &self.actions[before..] {
            let starts = if let Action::Start(starts) = action { &starts[..] } else { &[] };
            for Start { delivery, .. } in starts {
                let id = delivery.push_id;
                assert!(!self.is_stopping, "push {id} is begun at a stop");
                assert!(delivery.expires_at > self.now.wall, "push {id} is begun after its time");
            }
        }
        // What needs no task is done at once; all else in any order.
        let at_once = |action: &Action| matches!(action, Action::Closed(_) | Action::Abort(_));
        for action in self.actions.extract_if(before.., |action| at_once(action)).collect::<Vec<_>>() {
            self.carry_out(action);
        }
    }

    fn step(&mut self) {
        match self.rng.u8(0..124) {
            100..112 => self.timer_step(),
            112..118 => self.tell_one(),
            118 => self.reload(),
            119 => self.pause(),
            120 => self.timer_input(timer::Input::Reread),
            121..124 => self.timer_step(),
            0..38 => self.carry_out_one(),
            38..66 => self.hand_in_one(),
            66..78 if !self.is_crowded || self.rng.u8(0..4) == 0 => self.answer_one(),
            78..83 => self.pass_time(),
            83..86 => self.new_push(),
            86 => self.cancel_by_hand(),
            87 => self.flip_account(),
            88 => self.inbound(),
            89 => self.store_ok = !self.store_ok,
            90 => self.journal_ok = self.rng.u8(0..3) > 0,
            91 => self.set_clock(),
            92 => self.input(Input::Event(Event::Accounts(self.accounts()))),
            93 => self.input(Input::Event(Event::ProbeAll)),
            94 => {
                let job = Arc::from(if self.rng.bool() { "one" } else { "two" });
                self.note(|| format!("job {job} is removed"));
                self.input(Input::Event(Event::JobsRemoved(vec![job])));
            }
            95 => self.input(Input::Event(Event::Opened(self.rows.waiting()))),
            96 if self.rng.u8(0..3) == 0 => {
                self.note(|| "killed".to_owned());
                self.start();
            }
            97 if self.rng.u8(0..6) == 0 && !self.is_stopping => {
                self.note(|| "stops".to_owned());
                self.is_stopping = true;
                self.input(Input::Event(Event::Stop { grace: STOP_GRACE }));
            }
            _ => self.tick(),
        }
        if self.is_stopping && self.core.has_stopped(self.now) {
            self.note(|| "has stopped, starts again".to_owned());
            self.start();
        }
    }

    /// A core that wanted to be ticked at once, again and again, would keep its thread from everything else, and what it
    /// waits for might be just that.
    fn tick(&mut self) {
        for _ in 0..4 {
            self.input(Input::Tick);
            let wake = self.core.wake(self.now);
            let is_due = wake.after <= self.now.moment || wake.at.is_some_and(|at| at <= self.now.wall);
            if !is_due || self.core.has_stopped(self.now) {
                return;
            }
        }
        panic!("ticked at {} and ticked, it wants to be ticked again", self.now.wall);
    }

    fn pass_time(&mut self) {
        let ms = match self.rng.u8(0..4) {
            0 => self.rng.u64(1..50),
            1 => self.rng.u64(50..2000),
            2 => self.rng.u64(1000..10_000),
            _ => self.rng.u64(5_000..60_000),
        };
        self.pass(Duration::from_millis(ms));
    }

    fn pass(&mut self, time: Duration) {
        self.now = Reading { wall: self.now.wall + time, moment: self.now.moment + time };
    }

    fn set_clock(&mut self) {
        let by = i64::from(self.rng.i32(if self.keeps_hours { 0 } else { -120_000 }..120_000));
        self.note(|| format!("the clock is set by {by} ms"));
        self.now.wall = UtcMs(self.now.wall.0 + by);
    }
}

/// Walks, and tells in which states how many pushes ended.
fn walk(seed: u64) -> (BTreeMap<&'static str, usize>, [usize; 3], BTreeMap<&'static str, usize>) {
    let mut walk = Walk::new(seed);
    let walked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        (0..STEPS).for_each(|_| walk.step());
        walk.come_to_rest();
        walk.check_the_end();
    }));
    assert!(walked.is_ok(), "PUSHCRON_CORE_SEED={seed} repeats this walk:\n{}", walk.trace.join("\n"));
    let mut ends = BTreeMap::new();
    walk.rows.0.values().for_each(|row| *ends.entry(row.state.as_str()).or_default() += 1);
    let decided = [Decision::Fired, Decision::Skipped, Decision::Missed].map(|decision| walk.ledger.count(decision));
    (ends, decided, walk.held)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_comes_in_whatever_order_nothing_is_lost_doubled_or_called_what_it_is_not() {
    if let Some(seed) = number("PUSHCRON_CORE_SEED") {
        walk(seed);
        return;
    }
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut decided, mut held) = ([0; 3], BTreeMap::<&str, usize>::new());
    for seed in 0..number("PUSHCRON_CORE_WALKS").unwrap_or(WALKS) {
        let (ends, decisions, put_off) = walk(seed);
        put_off.into_iter().for_each(|(reason, count)| *held.entry(reason).or_default() += count);
        ends.into_iter().for_each(|(state, count)| *all.entry(state).or_default() += count);
        decided = [0, 1, 2].map(|at| decided[at] + decisions[at]);
    }
    println!("pushes by their ends: {all:?}; rows fired, skipped, missed: {decided:?}; put off: {held:?}");
    assert!(["rate_limit", "window_closed"].iter().all(|reason| held.contains_key(reason)), "{held:?}");
    assert!(decided.iter().all(|count| *count > 0), "{decided:?}");
    assert_eq!(Vec::from_iter(all.keys()), [&"cancelled", &"expired", &"failed", &"sent", &"unknown"], "{all:?}");
}

#[test]
fn one_seed_gives_one_walk() {
    let trace = |seed| {
        let mut walk = Walk::new(seed);
        (0..STEPS).for_each(|_| walk.step());
        walk.trace
    };
    assert!((0..20).all(|seed| trace(seed) == trace(seed)));
}
