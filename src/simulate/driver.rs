//! The engine's core over an event heap: virtual time, rows in memory, a platform by script.
//!
//! Nothing is decided here. The timer says what is recorded, the core what becomes of a push; this hands both the hour,
//! the dice and what came of their actions, and goes on to the next instant at which one of them has something to do.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::error::SimulateError;
use super::platform::Platform;
use super::rows::Rows;
use super::usage::Usages;
use super::written::Written;
use crate::config::{Absence, Scenario, Scripted};
use crate::domain::{Delivery, Job, Moment, Outcome, Reading, Report, UtcMs};
use crate::engine::core::recovery::{close_interrupted, resume_waits};
use crate::engine::core::timer::{self, Timer};
use crate::engine::core::{Action, Core, Dice, Event, Input, STOP_GRACE, Start, Wake};
use crate::policy::clock_doubt::believable;
use crate::store::{Closed, Finish, SimulatedWrite, TakeBack};

/// How often the daemon asks its accounts how they are (design §4).
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// How far ahead of now the timer wakes at most, only to notice that a clock was set: here it is told.
const IDLE_LOOK: Duration = Duration::from_secs(30);
/// So often nothing can be done at one instant.
const MOST_TURNS: u32 = 1_000_000;
/// When the simulated machine was booted: before the simulation began.
const BOOTED: Duration = Duration::from_secs(1000);

/// What comes at its moment.
enum Happening {
    Answered {
        life: u32,
        account: Arc<str>,
        push_id: i64,
        report: Box<Report>,
    },
    ProbeAll {
        life: u32,
    },
    /// The event of the script begins, or is over.
    Begins(usize),
    Ends(usize),
}

/// A daemon that runs.
struct Process {
    core: Core,
    timer: Timer,
    is_stopping: bool,
    will_probe: bool,
}

pub(super) struct Driver<'a> {
    pub rows: Rows,
    written: Written,
    platform: Platform<'a>,
    usages: Usages<'a>,
    scenario: &'a Scenario,
    jobs: &'a [(Job, i64)],
    dice: Dice,
    zone_version: String,
    now: Reading,
    /// Where the wall clock stood at which moment when it was last set.
    set: Reading,
    started: Moment,
    first_hour: UtcMs,
    process: Option<Process>,
    /// Counts processes: what an earlier one waited for comes to nobody.
    life: u32,
    heap: BinaryHeap<Reverse<(Moment, u64, usize)>>,
    happenings: Vec<Option<Happening>>,
    free: Vec<usize>,
    order: u64,
    /// Attempts whose start was noted, which a kill does not forget.
    journal: BTreeSet<(i64, u32)>,
    under_way: BTreeSet<i64>,
    actions: Vec<Action>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        platform: Platform<'a>,
        scenario: &'a Scenario,
        jobs: &'a [(Job, i64)],
        from: UtcMs,
        seed: u64,
        zone_version: String,
        written: Written,
    ) -> Driver<'a> {
        let now = Reading { wall: from, moment: Moment(BOOTED) };
        Driver {
            rows: Rows::default(),
            written,
            usages: Usages::new(platform.config, scenario, now),
            platform,
            scenario,
            jobs,
            dice: Dice::with_seed(seed),
            zone_version,
            now,
            set: now,
            started: now.moment,
            first_hour: from,
            process: None,
            life: 0,
            heap: BinaryHeap::new(),
            happenings: Vec::new(),
            free: Vec::new(),
            order: 0,
            journal: BTreeSet::new(),
            under_way: BTreeSet::new(),
            actions: Vec::new(),
        }
    }

    /// Lives until the end: no instant from `until` on is called for any more, and what is open then stays open.
    pub(super) fn run(&mut self, until: UtcMs, most_fires: usize) -> Result<(), SimulateError> {
        let from = self.now.wall;
        let true_moment = |at: UtcMs| Moment(BOOTED) + at.since(from);
        for (index, event) in self.scenario.events.iter().enumerate() {
            let (begins, ends) = match event {
                Scripted::Account { span, .. } | Scripted::Answers { span, .. } | Scripted::Daemon { span, .. } => {
                    (span.from, Some(span.until))
                }
                Scripted::Inbound { at, .. } | Scripted::Clock { at, .. } => (*at, None),
            };
            if begins >= from {
                self.happens(true_moment(begins), Happening::Begins(index));
            }
            if let Some(ends) = ends.filter(|ends| *ends >= from) {
                self.happens(true_moment(ends), Happening::Ends(index));
            }
        }
        if !self.is_away_at(from) {
            self.start()?;
        }
        let end = true_moment(until);
        let mut turns = 0;
        while let Some(next) = self.next_moment().filter(|next| *next < end) {
            turns = if next > self.now.moment { 0 } else { turns + 1 };
            if turns > MOST_TURNS {
                return Err(SimulateError::Stuck { at: self.now.wall });
            }
            self.pass_to(next);
            self.turn()?;
            self.written.check()?;
            if self.rows.fires.len() > most_fires {
                return Err(SimulateError::TooMany { instants: self.rows.fires.len() as u64 });
            }
        }
        // The end is not a part of it any more.
        self.pass_to(Moment(end.0.saturating_sub(Duration::from_millis(1))));
        self.take_back_ahead()?;
        self.written.finish(self.now.wall)?;
        self.pass_to(end);
        Ok(())
    }

    /// What was opened or recorded ahead is taken back, as at a stop. What is under way stays so.
    fn take_back_ahead(&mut self) -> Result<(), SimulateError> {
        match &mut self.process {
            Some(process) if !process.is_stopping => process.is_stopping = true,
            _ => return Ok(()),
        }
        self.input(Input::Event(Event::Stop { grace: STOP_GRACE }));
        self.tick();
        self.command(timer::Input::EndWatch)
    }

    /// What the daemon's clock shows.
    pub(super) fn hour(&self) -> UtcMs {
        self.now.wall
    }

    fn is_away_at(&self, at: UtcMs) -> bool {
        let is_away = |event: &Scripted| matches!(event, Scripted::Daemon { span, .. } if span.contains(at));
        self.scenario.events.iter().any(is_away)
    }

    fn pass_to(&mut self, moment: Moment) {
        let moment = moment.max(self.now.moment);
        self.now = Reading { wall: self.set.wall_at(moment), moment };
    }

    fn happens(&mut self, at: Moment, what: Happening) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.happenings.push(None);
            self.happenings.len() - 1
        });
        self.happenings[slot] = Some(what);
        self.order += 1;
        self.heap.push(Reverse((at, self.order, slot)));
    }

    fn next_moment(&mut self) -> Option<Moment> {
        let now = self.now;
        let set = self.set;
        // Where it waits for an hour, the first millisecond that shows it.
        let moment_of = move |at: UtcMs| set.moment_at(at).max(now.moment);
        let mut next = self.heap.peek().map(|Reverse((moment, ..))| *moment);
        let Some(process) = self.process.as_mut() else { return next };
        let mut consider = |moment: Moment| next = Some(next.map_or(moment, |next: Moment| next.min(moment)));
        if !process.is_stopping {
            let Wake { at, after } = process.timer.wake(now);
            at.into_iter().for_each(|at| consider(moment_of(at)));
            if after < now.moment + IDLE_LOOK {
                consider(after.max(now.moment));
            }
        }
        // At rest there is nothing to look at again.
        if !process.core.is_at_rest() || process.is_stopping {
            let Wake { at, after } = process.core.wake(now);
            at.into_iter().for_each(|at| consider(moment_of(at)));
            consider(after.max(now.moment));
        }
        next
    }

    /// Everything that is to be done at this moment.
    fn turn(&mut self) -> Result<(), SimulateError> {
        while let Some(Reverse((moment, _, slot))) = self.heap.peek().copied()
            && moment <= self.now.moment
        {
            self.heap.pop();
            self.free.push(slot);
            if let Some(what) = self.happenings[slot].take() {
                self.meet(what)?;
            }
        }
        if self.process.as_ref().is_some_and(|process| !process.is_stopping) {
            let awake = self.awake();
            self.command(timer::Input::Tick { awake })?;
        }
        self.tick();
        let has_stopped = self.process.as_ref().is_some_and(|process| process.core.has_stopped(self.now));
        if has_stopped {
            self.command(timer::Input::EndWatch)?;
            self.end();
        }
        Ok(())
    }

    fn awake(&self) -> Duration {
        self.now.moment.since(self.started)
    }

    fn meet(&mut self, what: Happening) -> Result<(), SimulateError> {
        match what {
            Happening::Answered { life, account, push_id, report }
                if life == self.life && self.under_way.remove(&push_id) =>
            {
                let is_sent = report.outcome == Outcome::Sent;
                self.usages.end(&account, push_id, &report.outcome, self.now);
                let usage = self.usages.tell(&account);
                self.input(Input::Done { push_id, report: *report, usage });
                if !is_sent {
                    self.probe_soon();
                }
            }
            Happening::ProbeAll { life } if life == self.life => {
                if let Some(process) = &mut self.process {
                    process.will_probe = false;
                    self.input(Input::Event(Event::ProbeAll));
                }
            }
            Happening::Answered { .. } | Happening::ProbeAll { .. } => {}
            Happening::Begins(index) => self.begins(index)?,
            Happening::Ends(index) => {
                if let Scripted::Daemon { .. } = self.scenario.events[index] {
                    self.end();
                    self.start()?;
                }
                self.probe_soon();
            }
        }
        Ok(())
    }

    fn begins(&mut self, index: usize) -> Result<(), SimulateError> {
        match &self.scenario.events[index] {
            Scripted::Account { .. } | Scripted::Answers { .. } => self.probe_soon(),
            Scripted::Inbound { account, .. } => {
                // A daemon whose clock is behind takes the message for one of now.
                let event = self.usages.hear(account, self.true_hour().min(self.now.wall));
                self.input(Input::Event(event));
            }
            Scripted::Daemon { absence: Absence::Killed, .. } => self.end(),
            Scripted::Daemon { absence: Absence::Off, .. } => {
                if let Some(process) = &mut self.process {
                    process.is_stopping = true;
                    self.input(Input::Event(Event::Stop { grace: STOP_GRACE }));
                }
            }
            Scripted::Clock { by_ms, .. } => {
                self.now.wall = UtcMs(self.now.wall.0 + by_ms);
                self.set = self.now;
            }
        }
        Ok(())
    }

    /// The process is gone, with all that it waited for.
    fn end(&mut self) {
        self.process = None;
        self.life += 1;
        self.actions.clear();
        self.under_way.clear();
    }

    /// A process starts over what is there, in the order in which the daemon does it.
    fn start(&mut self) -> Result<(), SimulateError> {
        let awake = self.awake();
        let timer = Timer::new(self.now, awake, self.zone_version.clone());
        let core = Core::new(self.now);
        self.process = Some(Process { core, timer, is_stopping: false, will_probe: false });
        // Whom the timer tells here does not listen yet: what is open is read below.
        self.tell(timer::Input::BeginWatch)?;
        let last = self.rows.last_recorded();
        let wall = believable(self.now.wall, last);
        let mut accounts = self.platform.accounts();
        let closing = close_interrupted(
            self.rows.interrupted(),
            wall,
            &mut self.dice,
            |push_id, number| self.journal.contains(&(push_id, number)),
            |account, delivery: &Delivery| {
                accounts.get(account).is_some_and(|live| live.sender.is_idempotent(delivery, wall))
            },
        );
        self.finish(&closing.finishes);
        self.take_back(&closing.not_begun, self.now.wall);
        self.journal.clear();
        let mut events: VecDeque<Event> = self.tell(timer::Input::Load)?.into();
        events.extend(self.tell(timer::Input::Apply(self.jobs.to_vec(), None))?);
        let seen = Reading { wall: last.map_or(wall, |last| last.max(wall)), ..self.now };
        accounts.resume(&self.rows.past_accounts(), seen);
        let mut open = self.rows.open_pushes();
        resume_waits(&mut open, seen, self.now);
        events.into_iter().for_each(|event| self.input(Input::Event(event)));
        self.input(Input::Event(Event::Accounts(accounts)));
        self.input(Input::Event(Event::Resumed { pushes: open, by: self.now }));
        self.tick();
        Ok(())
    }

    /// Hands a command to the timer, and to the core what it says of pushes.
    fn command(&mut self, command: timer::Input) -> Result<(), SimulateError> {
        for event in self.tell(command)? {
            self.input(Input::Event(event));
        }
        Ok(())
    }

    /// Has the timer carry out a command, with the rows for an answer. Returns what the core is to be told.
    fn tell(&mut self, command: timer::Input) -> Result<Vec<Event>, SimulateError> {
        let (mut events, mut actions) = (Vec::new(), Vec::new());
        let Some(process) = &mut self.process else { return Ok(events) };
        process.timer.step(self.now, command, &mut actions);
        let mut asked: VecDeque<timer::Action> = actions.drain(..).collect();
        while let Some(action) = asked.pop_front() {
            match action {
                timer::Action::Ask(ask) => {
                    let question = self.written.is_wanted().then(|| ask.clone());
                    let answer = self.rows.answer(ask);
                    self.written.asked(question, &answer);
                    process.timer.step(self.now, timer::Input::Answer(Ok(answer)), &mut actions);
                    asked.extend(actions.drain(..));
                }
                timer::Action::Tell(event) => events.push(event),
                timer::Action::Fires { .. } | timer::Action::Prepare => {}
                timer::Action::Done(done) => drop(done?),
            }
        }
        Ok(events)
    }

    /// The accounts are asked at the daemon's next look, if that might say something new.
    fn probe_soon(&mut self) {
        let (now, life) = (self.now.moment, self.life);
        let Some(process) = self.process.as_mut().filter(|process| !process.will_probe) else { return };
        process.will_probe = true;
        let since = now.since(self.started).as_millis();
        let every = PROBE_EVERY.as_millis();
        let wait = Duration::from_millis(u64::try_from(every - since % every).unwrap_or(0));
        self.happens(now + wait, Happening::ProbeAll { life });
    }

    fn input(&mut self, input: Input) {
        if let Some(process) = &mut self.process {
            process.core.step(self.now, &mut self.dice, input, &mut self.actions);
        }
    }

    /// Lets the core do what can be done now, and takes what comes of it back at once, until nothing is left.
    fn tick(&mut self) {
        loop {
            self.input(Input::Tick);
            let actions = std::mem::take(&mut self.actions);
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.carry_out(action);
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Begin { begins, now } => {
                let deliveries = self.rows.begin(&begins, now);
                self.written.begun(&begins, now, &deliveries);
                let result = Ok(deliveries);
                self.input(Input::Begun { begins, result });
            }
            Action::Start(starts) => {
                for Start { delivery, .. } in starts {
                    self.journal.insert((delivery.push_id, delivery.attempt));
                    self.send(&delivery);
                }
            }
            // Media are not fetched: they are there at once.
            Action::Resolve { delivery, .. } => {
                let push_id = delivery.push_id;
                self.input(Input::Resolved { push_id, result: Ok(delivery) });
            }
            Action::Finish(finishes) => {
                let result = Ok(self.finish(&finishes));
                self.input(Input::Finished { finishes, result });
            }
            Action::TakeBack { attempts, now } => {
                let result = Ok(self.take_back(&attempts, now));
                self.input(Input::TakenBack { attempts, result });
            }
            Action::Settle { settles, now } => {
                let fallbacks = self.rows.settle(&settles, now);
                let made = || fallbacks.iter().map(|push| push.id).collect();
                self.written.write(|| SimulatedWrite::Settle { settles: settles.clone(), now, made: made() });
                self.input(Input::Settled { settles, result: Ok(fallbacks) });
            }
            Action::Probe { account, generation, .. } => {
                let probe = self.platform.probe(&account, self.true_hour());
                let usage = self.usages.probed(&account, generation);
                self.input(Input::Probed { account, generation, probe, usage });
            }
            Action::RecordAccounts { rows, all } => {
                self.rows.record_accounts(&rows);
                self.written.write(|| SimulatedWrite::RecordAccounts { accounts: rows, all });
            }
            Action::TellNextAttempts(rows) => {
                self.rows.tell_next_attempts(&rows);
                self.written.write(|| SimulatedWrite::TellNextAttempts(rows));
            }
            Action::Closed(push_id) => {
                let first = self.journal.range((push_id, 0)..=(push_id, u32::MAX)).next().copied();
                if let Some(note) = first {
                    self.journal.remove(&note);
                }
            }
            Action::Abort(push_id) => {
                self.under_way.remove(&push_id);
            }
            Action::MakeContent(_) | Action::Confirm { .. } | Action::SetMediaAside(_) | Action::ReleaseMedia(_) => {}
        }
    }

    fn finish(&mut self, finishes: &[Finish]) -> Closed {
        let closed = self.rows.finish(finishes);
        self.written.write(|| {
            let made = closed.fallbacks.iter().map(|push| push.id).collect();
            SimulatedWrite::Finish { finishes: finishes.to_vec(), stale: closed.lost.clone(), made }
        });
        closed
    }

    fn take_back(&mut self, attempts: &[TakeBack], now: UtcMs) -> Vec<i64> {
        let ended = self.rows.take_back(attempts, now);
        self.written.write(|| SimulatedWrite::TakeBack { attempts: attempts.to_vec(), now, ended: ended.clone() });
        ended
    }

    /// The hour by which the script goes, whatever the daemon's clock was set to.
    fn true_hour(&self) -> UtcMs {
        self.first_hour + self.now.moment.since(self.started)
    }

    fn send(&mut self, delivery: &Delivery) {
        let account = self.rows.push(delivery.push_id).attempts.last().map(|attempt| attempt.account.clone());
        let Some(account) = account else { return };
        let (after, report) = self.platform.answer(&account, delivery, self.true_hour());
        self.under_way.insert(delivery.push_id);
        self.usages.begin(&account, delivery, self.now);
        let (life, push_id, report) = (self.life, delivery.push_id, Box::new(report));
        self.happens(self.now.moment + after, Happening::Answered { life, account, push_id, report });
    }
}
