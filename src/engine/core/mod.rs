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
mod allowance;
mod choosing;
mod fair_queue;
mod io;
mod one_at_a_time;
mod outcomes;
pub(super) mod preparation;
mod queue;
mod recorder;
mod recording;
pub mod recovery;
mod stable;
mod staging;
mod starter;
mod starting;
mod state;
mod stopping;
pub mod timer;

use std::time::Duration;

use tracing::debug;

use self::io::Step;
use self::queue::Queue;
use self::recorder::{Recorder, STORE_PAUSE};
use self::starter::Starter;
use self::state::LOOK_AGAIN;
use super::accounts::Accounts;
use super::observer::{self, Observer};
use crate::domain::{Moment, Reading, UtcMs};
use crate::policy::clock_doubt::{ClockDoubt, doubt};

pub use self::account_queue::{AccountLimits, Trust};
pub use self::allowance::Allowance;
pub use self::io::{Action, Dice, Event, Input, Start, Wake};
pub use self::state::Core;
pub use self::stopping::STOP_GRACE;

/// Attempts are opened this long before their instant, so that nothing is left to do at the instant but to send: so
/// long for the first, and more for each that has to be opened beside it.
const LEAD: Duration = Duration::from_millis(20);
const LEAD_OF_EACH: Duration = Duration::from_micros(10);
/// How soon a clock that shows an impossible time is looked at again.
const DOUBT_PAUSE: Duration = Duration::from_secs(1);
/// A wall clock that differs so much from what it should show was set.
const CLOCK_SET: Duration = Duration::from_secs(2);

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
            Input::Done { push_id, report, usage } => self.answered(push_id, report, usage, step),
            Input::Finished { finishes, result } => self.finished(finishes, result, step),
            Input::TakenBack { attempts, result } => self.taken_back(attempts, result, step),
            Input::Settled { settles, result } => {
                let fallbacks = self.recorder.settled(settles, result, now);
                fallbacks.into_iter().for_each(|push| self.queue.add(push, now));
            }
            Input::Probed { account, generation, probe, usage } => {
                self.told(&account, generation, usage);
                self.probed(&account, generation, probe, step);
            }
            Input::Tick => self.tick(step),
        }
    }

    fn on_event(&mut self, event: Event, step: &mut Step<'_>) {
        match event {
            Event::Opened(pushes) => pushes.into_iter().for_each(|push| self.queue.add(push, step.now)),
            Event::Resumed { pushes, by } => pushes.into_iter().for_each(|push| self.queue.add(push, by)),
            Event::Dropped(ids) => ids.into_iter().for_each(|id| self.forget(id, step)),
            Event::Made(ids) => ids.into_iter().for_each(|id| self.queue.made(id)),
            Event::JobsRemoved(jobs) => self.queue.orphan(&jobs.into_iter().collect()),
            Event::Accounts(accounts) => self.replace_accounts(accounts, step),
            Event::ProbeAll => self.probe_all(step),
            Event::ProbeEach => self.probe_each(step),
            Event::FromSender { account, generation, event, usage } => {
                self.told(&account, generation, usage);
                self.on_sender_event(&account, generation, event, step);
            }
            Event::Tick => {}
            Event::Stop { grace } => self.stop(grace, step),
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
            // While attempts are being opened no more are: what has been opened is an input, and a tick comes with it.
            let paced = if self.starter.is_beginning() { None } else { self.queue.next_paced_at() };
            for moment in [self.queue.next_due_after(), paced].into_iter().flatten() {
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
