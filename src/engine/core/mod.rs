//! What becomes of open pushes: picks an account, has an attempt opened, has it sent, decides what its outcome leads to.
//!
//! Every decision of the engine about a push is made here, by a value that knows no task, no file, no network, no clock
//! and no chance but what it is handed: [`Core::step`] takes the time, the dice and one input, and says what is to be
//! done. The dispatcher carries that out and hands the results back as inputs; `simulate` does the same over a heap.
//!
//! ```text
//! Waiting ─due→ choose ─→ Ready(account) ─take_startable→ Open (durable) ─→ staged ─instant, slot→ gate ─→ Start ─→ Send
//!    ↑            └→ Parked ─event, 30 s→ Waiting           ↑ TakeBack (never made) ←────────┘ closed, account down, stop  │
//!    └──────────────────────── retry ←── Finish (durable) ←── decide ←── Done ←───────────────────────────────────────────┘
//! ```
//!
//! Its memory has owners: `Accounts` the accounts and what is known of them, the queue every open push and where it
//! stands, the starter what is opened and what is being sent, the recorder what waits to be written.

mod account_events;
mod account_queue;
mod choosing;
mod fair_queue;
mod outcomes;
mod queue;
mod recorder;
pub mod recovery;
mod stable;
mod staging;
mod starter;
mod stopping;
pub mod timer;

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use self::queue::Queue;
use self::recorder::Recorder;
use self::starter::Starter;
use super::accounts::Accounts;
use super::observer::{self, Observer};
use crate::domain::{Delivery, Moment, Reading, Report, UtcMs};
use crate::policy::clock_doubt::{ClockDoubt, doubt};
use crate::senders::{Probe, Sender, SenderEvent};
use crate::store::{AccountRow, Begin, Finish, OpenPush, Settle, StoreError, TakeBack};

pub use self::account_queue::{AccountLimits, Trust};
pub use self::stopping::STOP_GRACE;

/// Attempts are opened this long before their instant, so that nothing is left to do at the instant but to send: so
/// long for the first, and more for each that has to be opened beside it.
const LEAD: Duration = Duration::from_millis(20);
const LEAD_OF_EACH: Duration = Duration::from_micros(10);
/// Parked pushes are looked at again at least this often (their accounts' events wake them earlier).
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How soon a clock that shows an impossible time is looked at again.
const DOUBT_PAUSE: Duration = Duration::from_secs(1);
/// A wall clock that differs so much from what it should show was set.
const CLOCK_SET: Duration = Duration::from_secs(2);
/// How long the database is left alone after it could not be written.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Chance, all of it: one seed gives one course of events.
pub struct Dice(fastrand::Rng);

impl Dice {
    /// Dice that fall as those of every other game with this seed.
    pub fn with_seed(seed: u64) -> Dice {
        Dice(fastrand::Rng::with_seed(seed))
    }

    /// Dice that nobody foresees.
    pub fn unforeseen() -> Dice {
        Dice(fastrand::Rng::new())
    }

    /// A number from 0 to 1, the latter excluded.
    pub fn unit(&mut self) -> f64 {
        self.0.f64()
    }
}

/// What the core is told from outside.
pub enum Event {
    /// Pushes that were recorded, or are open in the store.
    Opened(Vec<OpenPush>),
    /// Pushes that an earlier process left, whose lengths end at instants of this reading (`recovery::resume_waits`). The
    /// clock may be set before they are taken in, as one that was wrong at the start is.
    Resumed { pushes: Vec<OpenPush>, by: Reading },
    /// Pushes that are no longer open: cancelled, or withdrawn before their instant.
    Dropped(Vec<i64>),
    /// Jobs that left the definitions: what is under way ends, and is not retried.
    JobsRemoved(Vec<Arc<str>>),
    /// Definitions of accounts after a load.
    Accounts(Accounts),
    /// Ask every account that jobs use how it is.
    ProbeAll,
    /// A sender's background work has news.
    FromSender { account: Arc<str>, generation: u64, event: SenderEvent },
    /// Nothing but a reason for a tick, whatever there is to do, so that it is seen that rounds are made.
    Tick,
    /// No new attempts; those under way may end within the grace, and all is recorded.
    Stop,
}

/// What the core reacts to: news from outside, and the results of its own actions.
pub enum Input {
    Event(Event),
    /// What [`Action::Begin`] came to.
    Begun {
        begins: Vec<Begin>,
        result: Result<Vec<Delivery>, StoreError>,
    },
    /// The start of these attempts could not be noted, so that their senders were not called.
    NotStarted {
        push_ids: Vec<i64>,
        error: String,
    },
    /// The media of a started attempt: the delivery with its media, or the report of an attempt that ended there.
    Resolved {
        push_id: i64,
        result: Result<Arc<Delivery>, Report>,
    },
    /// What the call of a sender ([`Action::Start`]) came to.
    Done {
        push_id: i64,
        report: Report,
    },
    /// What [`Action::Finish`] came to: the ids of pushes whose attempt was no longer open.
    Finished {
        finishes: Vec<Finish>,
        result: Result<Vec<i64>, StoreError>,
    },
    /// What [`Action::TakeBack`] came to: the ids of pushes that are not open any more.
    TakenBack {
        attempts: Vec<TakeBack>,
        result: Result<Vec<i64>, StoreError>,
    },
    /// What [`Action::Settle`] came to.
    Settled {
        settles: Vec<Settle>,
        result: Result<(), StoreError>,
    },
    /// What [`Action::Probe`] came to.
    Probed {
        account: Arc<str>,
        generation: u64,
        probe: Probe,
    },
    /// All that came is taken in, or the time has come that [`Core::wake`] told: do what can be done now.
    Tick,
}

/// What is to be done. What needs neither the store nor a sender is done at once and in this order; all else may take as
/// long as it likes and overtake one another, since what depends on a result waits for it.
pub enum Action {
    /// Open attempts in the store. At most one of these is under way.
    Begin { begins: Vec<Begin>, now: UtcMs },
    /// Have the media of an attempt resolved, before anything is sent; its sender's name decides how large they may be.
    Resolve { sender_name: &'static str, delivery: Arc<Delivery> },
    /// Note that the senders of these attempts are called next, all or none, and call them. What ends without a note
    /// was never begun.
    Start(Vec<Start>),
    /// Record outcomes.
    Finish(Vec<Finish>),
    /// Take attempts back that were never made.
    TakeBack { attempts: Vec<TakeBack>, now: UtcMs },
    /// Snooze or end pushes without an attempt.
    Settle { settles: Vec<Settle>, now: UtcMs },
    /// Ask an account how it is.
    Probe { account: Arc<str>, generation: u64, sender: Arc<dyn Sender> },
    /// Write the health of accounts; `all` forgets the rows of others. Told again by the next probe, so that a failure
    /// is only worth a line.
    RecordAccounts { rows: Vec<AccountRow>, all: bool },
    /// The platform proved that a message arrived.
    Confirm { account: Arc<str>, message_id: String, now: UtcMs },
    /// Rows of pushes that wait for a length tell these instants from here on.
    TellNextAttempts(Vec<(i64, UtcMs)>),
    /// The attempt of this push was closed durably: the note of its start says nothing any more.
    Closed(i64),
    /// The push waits for another attempt: others may have the room of its files.
    SetMediaAside(i64),
    /// The push is done: its files may go.
    ReleaseMedia(i64),
    /// The attempt of this push is not waited for any longer.
    Abort(i64),
}

/// An attempt to be made now.
pub struct Start {
    pub sender: Arc<dyn Sender>,
    pub delivery: Arc<Delivery>,
}

/// When [`Input::Tick`] has something to do at the latest: by the wall clock, or by the one that nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    pub at: Option<UtcMs>,
    pub after: Moment,
}

/// One step's surroundings.
struct Step<'a> {
    now: Reading,
    dice: &'a mut Dice,
    actions: &'a mut Vec<Action>,
}

impl Step<'_> {
    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }
}

/// The memory of everything that is open, and all decisions about it.
pub struct Core {
    accounts: Accounts,
    queue: Queue,
    starter: Starter,
    recorder: Recorder,
    observer: Observer,
    look_again_at: Moment,
    /// The last instant that surely has passed, against which the clock is judged.
    last_known: Option<UtcMs>,
    /// What both clocks showed when they were last compared.
    compared: Reading,
    /// Stopping, and until when attempts under way are waited for.
    stopping_until: Option<Moment>,
}

impl Core {
    pub fn new(now: Reading) -> Core {
        Core {
            accounts: Accounts::default(),
            queue: Queue::default(),
            starter: Starter::default(),
            recorder: Recorder::default(),
            observer: observer::nobody(),
            look_again_at: now.moment + LOOK_AGAIN,
            last_known: None,
            compared: now,
            stopping_until: None,
        }
    }

    /// Has `observer` told of every attempt, every end of a push, and how accounts are.
    pub fn set_observer(&mut self, observer: Observer) {
        self.observer = observer;
    }

    pub fn open_pushes(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is open, under way or still to be written.
    pub fn is_at_rest(&self) -> bool {
        self.queue.is_empty() && self.starter.is_idle() && self.recorder.is_idle()
    }

    pub fn accounts_offline(&self) -> usize {
        self.accounts.offline()
    }

    /// Takes one input in and adds what is to be done to `actions`. Nothing is sent or written for anything but a
    /// [`Input::Tick`]: whoever has many inputs hands them all in first, so that one transaction records many.
    pub fn step(&mut self, now: Reading, dice: &mut Dice, input: Input, actions: &mut Vec<Action>) {
        let mut step = Step { now, dice, actions };
        let step = &mut step;
        match input {
            Input::Event(event) => self.on_event(event, step),
            Input::Begun { begins, result } => self.begun(begins, result, step),
            Input::NotStarted { push_ids, error } => self.not_started(&push_ids, &error, step),
            Input::Resolved { push_id, result } => self.resolved(push_id, result, step),
            Input::Done { push_id, report } => self.done(push_id, report, true, step),
            Input::Finished { finishes, result } => self.finished(finishes, result, step),
            Input::TakenBack { attempts, result } => self.taken_back(attempts, result, step),
            Input::Settled { settles, result } => self.recorder.settled(settles, result, now),
            Input::Probed { account, generation, probe } => self.probed(&account, generation, probe, step),
            Input::Tick => self.tick(step),
        }
    }

    fn on_event(&mut self, event: Event, step: &mut Step<'_>) {
        match event {
            Event::Opened(pushes) => pushes.into_iter().for_each(|push| self.queue.add(push, step.now)),
            Event::Resumed { pushes, by } => pushes.into_iter().for_each(|push| self.queue.add(push, by)),
            Event::Dropped(ids) => ids.into_iter().for_each(|id| self.forget(id, step)),
            Event::JobsRemoved(jobs) => self.queue.orphan(&jobs.into_iter().collect()),
            Event::Accounts(accounts) => self.replace_accounts(accounts, step),
            Event::ProbeAll => self.probe_all(step),
            Event::FromSender { account, generation, event } => self.on_sender_event(&account, generation, event, step),
            Event::Tick => {}
            Event::Stop => self.stop(step),
        }
    }

    /// Everything that can be done now, in the order in which it makes room for the next.
    fn tick(&mut self, step: &mut Step<'_>) {
        let now = step.now;
        let is_believed = !self.is_beyond_belief(now.wall);
        // Rows that tell of 2099 would be believed by the next start.
        if is_believed {
            self.notice_set_clock(step);
        }
        if now.moment >= self.look_again_at {
            self.look_again_at = now.moment + LOOK_AGAIN;
            self.queue.unpark();
            if is_believed && self.stopping_until.is_none() {
                self.queue.overdue(now.wall).into_iter().for_each(|id| self.expire(id, step));
            }
        }
        if self.stopping_until.is_some() {
            self.give_up_overdue(step);
        } else if is_believed {
            self.choose_accounts(step);
            self.begin(step);
            self.start(step);
        }
        self.recorder.flush(step);
    }

    /// Whether the clock shows a time such as 2099: by it, whatever waits would be given up.
    fn is_beyond_belief(&mut self, now: UtcMs) -> bool {
        let is_beyond = matches!(doubt(now, self.last_known), Some(ClockDoubt::TooLate { .. }));
        if !is_beyond {
            self.last_known = Some(now);
        }
        is_beyond
    }

    /// Where the wall clock was set, rows that tell the end of a length tell it anew: people read them, and so does the
    /// next start. What waits for a length is not touched by it.
    fn notice_set_clock(&mut self, step: &mut Step<'_>) {
        let now = step.now;
        let passed = now.moment.since(self.compared.moment);
        let set_by_ms = now.wall.ms_since(self.compared.wall + passed);
        let before = std::mem::replace(&mut self.compared, now).wall;
        if set_by_ms.unsigned_abs() < CLOCK_SET.as_millis() as u64 {
            return;
        }
        debug!(set_by_ms, "the wall clock was set");
        self.queue.keep_hours(before + passed, now);
        self.record_accounts(None, step);
        let resting: Vec<(i64, UtcMs)> = self.queue.resting(now).collect();
        for (id, at) in &resting {
            self.queue.set_next_attempt_at(*id, *at);
        }
        step.act(Action::TellNextAttempts(resting));
    }

    /// How long before the next instant attempts are to be opened.
    fn lead(&mut self) -> Duration {
        LEAD + LEAD_OF_EACH * u32::try_from(self.queue.due_together()).unwrap_or(u32::MAX)
    }

    /// When the next [`Input::Tick`] has something to do, unless an input comes before.
    pub fn wake(&mut self, now: Reading) -> Wake {
        let mut wake = Wake { at: None, after: self.look_again_at };
        if let Some(until) = self.stopping_until {
            // Once the grace is over, only the database can still be waited for.
            let next = if now.moment < until { until } else { until + STORE_PAUSE };
            wake.after = self.recorder.is_down_until().into_iter().fold(wake.after.min(next), Moment::min);
            return wake;
        }
        if self.is_beyond_belief(now.wall) {
            wake.after = wake.after.min(now.moment + DOUBT_PAUSE);
            return wake;
        }
        if let Some(until) = self.recorder.is_down_until() {
            wake.after = wake.after.min(until);
        } else {
            if let Some(at) = self.queue.next_due_at() {
                wake.at = Some(at - self.lead());
            }
            for moment in [self.queue.next_due_after(), self.queue.next_paced_at()].into_iter().flatten() {
                wake.after = wake.after.min(moment);
            }
        }
        wake.at = wake.at.into_iter().chain(self.starter.next_start_at()).min();
        wake
    }

    /// Forgets a push that is not open any more.
    fn forget(&mut self, id: i64, step: &mut Step<'_>) {
        self.queue.remove(id);
        self.recorder.forget(id);
        step.act(Action::ReleaseMedia(id));
    }
}
