//! A random walk of timer and core together: every input and every result in any order, reloads, pauses, kills between
//! any two steps, clocks that are set, databases that cannot be written. No task, no file, no clock: one seed gives one walk.
//!
//! `PUSHCRON_CORE_WALKS=10000` walks as many seeds, `PUSHCRON_CORE_SEED=N` repeats one.

mod ledger;
mod platforms;
mod rows;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use self::ledger::{Ledger, ZONE_VERSION};
use self::platforms::Platforms;
use self::rows::{Row, Rows};
use async_trait::async_trait;
use fastrand::Rng;
use pushcron::domain::job::DstGap;
use pushcron::domain::limits::Limits;
use pushcron::domain::{
    Account, Decision, Delivery, Job, Misfire, MisfirePolicy, Moment, Outcome, Overlap, PushState, Reading, Report,
    RetryPolicy, Schedule, Target, UtcMs,
};
use pushcron::engine::accounts::{Accounts, LiveAccount};
use pushcron::engine::core::recovery::close_interrupted;
use pushcron::engine::core::timer::{self, Answer, Ask, Timer};
use pushcron::engine::core::{Action, Core, Dice, Event, Input, Start};
use pushcron::policy::account::Fallback;
use pushcron::senders::{Probe, Sender, SenderEvent, find};
use pushcron::store::{Interrupted, StoreError};

const STEPS: usize = 800;
const WALKS: u64 = 200;
const ACCOUNTS: [&str; 2] = ["a", "b"];
const CONCURRENCY: u32 = 2;
/// 2026-01-01T01:00:00.000Z
const START: UtcMs = UtcMs(1_767_229_200_000);

/// What the core may ask of a sender without waiting.
struct Told {
    account: &'static str,
    idempotent: bool,
}

#[async_trait]
impl Sender for Told {
    async fn send(&self, _: &Delivery) -> Report {
        unreachable!("the core sends nothing by itself")
    }

    async fn probe(&self) -> Probe {
        unreachable!("the core probes nothing by itself")
    }

    fn limits(&self) -> Option<Limits> {
        Some(platforms::limits(self.account))
    }

    fn is_idempotent(&self, _: &Delivery, _: UtcMs) -> bool {
        self.idempotent
    }
}

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
        self.command(timer::Input::Load) && self.command(timer::Input::Apply(hashed(&self.jobs)))
    }

    /// Has the timer do one thing from beginning to end. False: it was killed in the middle of it.
    fn command(&mut self, command: timer::Input) -> bool {
        self.timer_input(command);
        while let Some(ask) = self.asked.take() {
            if self.rng.u8(0..40) == 0 {
                return false;
            }
            let answer = self.ledger.answer(ask, &mut self.rows);
            if self.rng.u8(0..40) == 0 {
                return false;
            }
            self.timer_input(timer::Input::Answer(Ok(answer)));
        }
        true
    }

    fn timer_input(&mut self, input: timer::Input) {
        let mut actions = Vec::new();
        self.timer.step(self.now, input, &mut actions);
        for action in actions {
            match action {
                timer::Action::Ask(ask) => assert!(self.asked.replace(ask).is_none(), "two questions at once"),
                timer::Action::Tell(event) => self.told.push_back(event),
                timer::Action::Fires { .. } | timer::Action::Done(_) => {}
            }
        }
    }

    /// Whatever the timer can do next: its question is asked, its answer handed in, or it is told something new.
    fn timer_step(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.timer_input(timer::Input::Answer(answer));
        } else if let Some(ask) = self.asked.take() {
            let fails = !self.store_ok;
            self.answer = Some(match fails {
                true => Err(StoreError::Unavailable("disk full".to_owned())),
                false => Ok(self.ledger.answer(ask, &mut self.rows)),
            });
        } else {
            self.tick_timer();
        }
    }

    fn tick_timer(&mut self) {
        self.timer_input(timer::Input::Tick { awake: self.now.moment.0 });
    }

    /// A person edits the files.
    fn change_jobs(&mut self) {
        if self.jobs.is_empty() || self.rng.bool() {
            self.jobs.clear();
            for (name, every, overlap) in JOBS {
                if self.rng.u8(0..5) > 0 {
                    let job = job(name, every + self.rng.u64(0..2) * 1000, overlap, &mut self.rng);
                    self.jobs.push(job);
                }
            }
        }
    }

    fn reload(&mut self) {
        self.change_jobs();
        self.note(|| "reload".to_owned());
        self.tick_timer();
        self.timer_input(timer::Input::Apply(hashed(&self.jobs)));
    }

    /// Another process pauses or resumes a job, which the daemon notices later.
    fn pause(&mut self) {
        let (name, paused) = (JOBS[self.rng.usize(0..JOBS.len())].0, self.rng.bool());
        self.note(|| format!("job {name} paused: {paused}"));
        self.ledger.pause(name, paused, self.now.wall, &mut self.rows);
    }

    fn tell_one(&mut self) {
        let Some(event) = self.told.pop_front() else { return };
        if let Event::Dropped(ids) = &event {
            let is_open = |id: &&i64| self.rows.0.get(id).is_some_and(|row| !row.state.is_final());
            let open: Vec<&i64> = ids.iter().filter(is_open).collect();
            assert!(open.is_empty(), "the core is to forget pushes that are open: {open:?}");
        }
        self.input(Input::Event(event));
    }

    fn accounts(&self) -> Accounts {
        let accounts = ACCOUNTS.into_iter().map(|id| {
            let account = Account {
                id: id.to_owned(),
                im: "qq".to_owned(),
                sender: "console".to_owned(),
                is_default: id == "a",
                concurrency: Some(CONCURRENCY),
                min_interval: (id == "b").then_some(Duration::from_secs(2)),
                settings: Default::default(),
            };
            let sender = Told { account: id, idempotent: self.idempotent };
            LiveAccount::new(account, find("console").unwrap().spec, Arc::new(sender), true)
        });
        Accounts::new(accounts.collect(), Fallback::CannotSend)
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
            66..78 => self.answer_one(),
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
                self.input(Input::Event(Event::Stop));
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

    fn new_push(&mut self) {
        let due_at = self.now.wall + Duration::from_millis(self.rng.u64(0..30_000));
        let row = Row {
            target: Target::Group(self.rng.u8(0..4).to_string()),
            job: [None, Some("one"), Some("two")][self.rng.usize(0..3)].map(Arc::from),
            account: [None, None, Some("a"), Some("b")][self.rng.usize(0..4)].map(str::to_owned),
            has_media: self.rng.u8(0..4) == 0,
            retry: RetryPolicy {
                max_attempts: self.rng.u32(1..5),
                backoff: Duration::from_secs(2),
                resend_unknown: self.rng.u8(0..4) == 0,
                ..RetryPolicy::default()
            },
            due_at,
            expires_at: due_at + Duration::from_secs(self.rng.u64(5..600)),
            state: PushState::Pending,
            next_attempt_at: due_at,
            is_resting: false,
            has_reason: false,
            is_retired: false,
            attempts: Vec::new(),
            through: None,
            arrived: 0,
            by_hand: false,
        };
        let id = self.rows.insert(row);
        self.note(|| format!("push {id} due {due_at}"));
        self.input(Input::Event(Event::Opened(vec![self.rows.open(id)])));
    }

    /// As `pushcron cancel` does: refused while it is being sent.
    fn cancel_by_hand(&mut self) {
        let waiting: Vec<i64> = self.rows.0.iter().filter(|(_, row)| row.is_waiting()).map(|(id, _)| *id).collect();
        let Some(id) = self.rng.choice(waiting) else { return };
        self.note(|| format!("push {id} is cancelled by hand"));
        let row = self.rows.0.get_mut(&id).unwrap();
        row.state = PushState::Cancelled;
        row.by_hand = true;
        self.input(Input::Event(Event::Dropped(vec![id])));
    }

    fn flip_account(&mut self) {
        let account = ACCOUNTS[self.rng.usize(0..2)];
        let up = self.up.get_mut(account).unwrap();
        *up = !*up;
    }

    /// Somebody writes to `b`.
    fn inbound(&mut self) {
        let from = Target::Group(self.rng.u8(0..4).to_string());
        self.note(|| format!("{from} writes to b"));
        self.inbound_from(&from);
    }

    fn inbound_from(&mut self, from: &Target) {
        self.platforms.inbound(from, self.now.wall);
        let account: Arc<str> = "b".into();
        let generation = self.generations.get(&account).copied().unwrap_or_default();
        let (event, usage) = (SenderEvent::GateOpened, self.platforms.tell(&account));
        self.input(Input::Event(Event::FromSender { account, generation, event, usage }));
    }

    fn hand_in_one(&mut self) {
        if !self.results.is_empty() {
            let result = self.results.swap_remove(self.rng.usize(0..self.results.len()));
            self.input(result);
        }
        if self.rng.bool() {
            self.input(Input::Tick);
        }
    }

    fn carry_out_one(&mut self) {
        if !self.actions.is_empty() {
            let action = self.actions.swap_remove(self.rng.usize(0..self.actions.len()));
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        let refused = (!self.store_ok).then(|| StoreError::Unavailable("disk full".to_owned()));
        match action {
            Action::Begin { begins, .. } => {
                let result = refused.map_or_else(|| Ok(self.rows.begin(&begins)), Err);
                self.results.push(Input::Begun { begins, result });
            }
            Action::Finish(finishes) => {
                let result = refused.map_or_else(|| Ok(self.rows.finish(&finishes)), Err);
                self.results.push(Input::Finished { finishes, result });
            }
            Action::TakeBack { attempts, .. } => {
                let reasons = attempts.iter().filter_map(|attempt| attempt.reason);
                reasons.for_each(|reason| *self.held.entry(reason.as_str()).or_default() += 1);
                let result = refused.map_or_else(|| Ok(self.rows.take_back(&attempts)), Err);
                self.results.push(Input::TakenBack { attempts, result });
            }
            Action::Settle { settles, .. } => {
                let reasons = settles.iter().filter_map(|settle| settle.next.reason());
                reasons.for_each(|reason| *self.held.entry(reason.as_str()).or_default() += 1);
                if refused.is_none() {
                    self.rows.settle(&settles);
                }
                let result = refused.map_or(Ok(()), Err);
                self.results.push(Input::Settled { settles, result });
            }
            Action::Resolve { delivery, .. } => {
                let unreachable = || Err(Report::failed(Outcome::Unreachable, "no such file"));
                let push_id = delivery.push_id;
                assert!(self.rows.0[&push_id].has_media, "push {push_id} has nothing to resolve");
                let result = if self.rng.u8(0..4) == 0 { unreachable() } else { Ok(delivery) };
                self.results.push(Input::Resolved { push_id, result });
            }
            Action::Start(starts) => self.begin_sending(starts),
            Action::Probe { account, generation, .. } => {
                let probe = if self.up[&*account] { Probe::up() } else { Probe::down("scripted") };
                self.generations.insert(account.clone(), generation);
                let usage = self.platforms.tell(&account);
                self.results.push(Input::Probed { account, generation, probe, usage });
            }
            Action::TellNextAttempts(rows) => {
                for (id, at) in rows {
                    if let Some(row) = self.rows.0.get_mut(&id).filter(|row| row.is_waiting()) {
                        row.next_attempt_at = at;
                    }
                }
            }
            Action::Closed(id) => self.journal.retain(|(push_id, _)| *push_id != id),
            Action::Abort(id) => {
                self.in_flight.remove(&id);
                self.aborted.insert(id);
            }
            Action::RecordAccounts { .. }
            | Action::Confirm { .. }
            | Action::SetMediaAside(_)
            | Action::ReleaseMedia(_) => {}
        }
    }

    fn begin_sending(&mut self, starts: Vec<Start>) {
        if !self.journal_ok {
            let push_ids = starts.iter().map(|start| start.delivery.push_id).collect();
            return self.results.push(Input::NotStarted { push_ids, error: "scripted".to_owned() });
        }
        self.journal.extend(starts.iter().map(|start| (start.delivery.push_id, start.delivery.attempt)));
        for Start { delivery, .. } in starts {
            self.send(delivery.push_id);
        }
    }

    /// The sender is called: whatever is wrong from here on, people see it.
    fn send(&mut self, id: i64) {
        if self.aborted.contains(&id) {
            return;
        }
        let row = &self.rows.0[&id];
        let attempt = row.attempts.len() as u32;
        assert_eq!(row.state, PushState::Sending, "push {id} is sent without an open row");
        assert!(self.journal.contains(&(id, attempt)), "push {id} is sent without a note");
        assert!(attempt <= row.retry.max_attempts, "push {id} is tried too often");
        let may_repeat = row.was_unknown() && (self.idempotent || row.retry.resend_unknown);
        assert!(row.arrived == 0 || may_repeat, "push {id} arrives twice");
        let account = row.through.clone().unwrap();
        assert!(self.in_flight.insert(id, account.clone()).is_none(), "push {id} is under way already");
        self.platforms.begin(id, &account, &row.target, self.now);
        let busy = self.in_flight.values().filter(|through| **through == account).count();
        assert!(busy <= CONCURRENCY as usize, "{busy} at once through {account}");
        self.note(|| format!("push {id} is sent, attempt {attempt}, by {account}"));
    }

    /// One of the senders that were called answers, or what it took is never heard of.
    fn answer_one(&mut self) {
        let Some(id) = self.rng.choice(self.in_flight.keys().copied().collect::<Vec<i64>>()) else { return };
        let account = self.in_flight.remove(&id).unwrap();
        let failed = |outcome| Report::failed(outcome, "scripted");
        let (arrives, report) = match self.rng.u8(0..12) {
            _ if !self.up[&*account] => (false, failed(Outcome::AccountDown)),
            0 => (true, failed(Outcome::Unknown)),
            1 => (false, failed(Outcome::Unknown)),
            2 => (false, failed(Outcome::Unreachable)),
            3 => (false, failed(Outcome::Rejected)),
            4 => (false, failed(Outcome::TargetGone)),
            5 => (false, failed(Outcome::Throttled { wait: Some(Duration::from_secs(self.rng.u64(1..90))) })),
            _ => (true, Report::sent(None)),
        };
        self.note(|| format!("push {id} is answered {}, arrives {arrives}", report.outcome.as_str()));
        self.rows.0.get_mut(&id).unwrap().arrived += usize::from(arrives);
        self.platforms.end(id, &report.outcome);
        let usage = self.platforms.tell(&account);
        self.results.push(Input::Done { push_id: id, report, usage });
    }

    /// All is well again, and everything that can happen happens: nothing may be left over.
    fn come_to_rest(&mut self) {
        (self.store_ok, self.journal_ok) = (true, true);
        self.up.values_mut().for_each(|up| *up = true);
        self.let_the_timer_end();
        for _ in 0..20_000 {
            while let Some(action) = self.actions.pop() {
                self.carry_out(action);
            }
            while !self.in_flight.is_empty() {
                self.answer_one();
            }
            std::mem::take(&mut self.results).into_iter().for_each(|result| self.input(result));
            self.input(Input::Tick);
            if self.core.has_stopped(self.now) {
                self.start();
            }
            if !self.actions.is_empty() || !self.results.is_empty() {
                continue;
            }
            if self.core.is_at_rest() && !self.is_stopping {
                return;
            }
            // Nobody but the core says when it is to be asked again.
            let wake = self.core.wake(self.now);
            let wait = wake.after.since(self.now.moment);
            self.pass(wake.at.map_or(wait, |at| wait.min(at.since(self.now.wall))));
            // Whoever is written to writes back.
            (0..4).for_each(|target| self.inbound_from(&Target::Group(target.to_string())));
        }
        panic!("{} pushes are open for ever", self.core.open_pushes());
    }

    /// What is due is recorded, and from here on there are no jobs.
    fn let_the_timer_end(&mut self) {
        self.tick_timer();
        self.timer_input(timer::Input::Reread);
        self.tick_timer();
        for last in [false, true] {
            if last {
                self.timer_input(timer::Input::Apply(Vec::new()));
            }
            for _ in 0..1000 {
                while self.asked.is_some() || self.answer.is_some() {
                    self.timer_step();
                }
                let wake = self.timer.wake(self.now);
                if wake.after > self.now.moment && wake.at.is_none_or(|at| at > self.now.wall) {
                    break;
                }
                self.tick_timer();
            }
            self.ledger.check(self.now.wall);
        }
        while !self.told.is_empty() {
            self.tell_one();
        }
    }

    fn check_the_end(&self) {
        for (id, row) in &self.rows.0 {
            assert!(row.state.is_final(), "push {id} is {}", row.state.as_str());
            assert!(!row.attempts.contains(&None), "push {id} has an attempt without an end");
            match row.state {
                PushState::Sent => assert!(row.arrived > 0, "push {id} is called sent and never arrived"),
                PushState::Unknown => assert!(row.was_unknown(), "push {id} is unknown, and no attempt was"),
                PushState::Cancelled if row.by_hand => {}
                state => assert_eq!(row.arrived, 0, "push {id} is called {} and arrived", state.as_str()),
            }
        }
        assert!(self.journal.is_empty(), "notes of attempts that were closed: {:?}", self.journal);
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

/// Jobs by their names, with their periods in milliseconds.
const JOBS: [(&str, u64, Overlap); 4] = [
    ("every few seconds", 5_000, Overlap::Allow),
    ("a quarter minute", 15_000, Overlap::Allow),
    ("skips", 7_000, Overlap::Skip),
    ("replaces", 11_000, Overlap::Replace),
];

fn job(name: &str, every_ms: u64, overlap: Overlap, rng: &mut Rng) -> Job {
    let policy = [MisfirePolicy::Skip, MisfirePolicy::Latest, MisfirePolicy::All][rng.usize(0..3)];
    Job {
        name: name.to_owned(),
        schedule: Schedule::Every(every_ms),
        timezone: "UTC".to_owned(),
        enabled: rng.u8(0..8) > 0,
        push: Vec::new(),
        misfire: Misfire { policy, grace: Duration::from_secs(rng.u64(1..30)), ..Misfire::default() },
        overlap,
        dst_gap: DstGap::Fire,
        days: None,
    }
}

fn hashed(jobs: &[Job]) -> Vec<(Job, i64)> {
    let hash = |job: &Job| {
        let mut hasher = DefaultHasher::new();
        format!("{job:?}").hash(&mut hasher);
        hasher.finish() as i64
    };
    jobs.iter().map(|job| (job.clone(), hash(job))).collect()
}

fn timer(now: Reading) -> Timer {
    Timer::new(now, now.moment.0, ZONE_VERSION.to_owned())
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
