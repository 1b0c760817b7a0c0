//! What the core is told, and what it has done.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::limits::Usage;
use crate::domain::{Delivery, Moment, Reading, Report, UtcMs};
use crate::engine::accounts::Accounts;
use crate::senders::{Probe, Sender, SenderEvent};
use crate::store::{AccountRow, Begin, Closed, Finish, OpenPush, Settle, StoreError, TakeBack};

/// Chance, all of it: one seed gives one course of events.
pub struct Dice(fastrand::Rng);

impl Dice {
    /// Dice that fall as those of every other game with this seed.
    pub fn with_seed(seed: u64) -> Dice {
        Dice(fastrand::Rng::with_seed(seed))
    }

    /// Seeded by the system, differently in every process.
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
    /// The contents of these pushes are there, or were all the time.
    Made(Vec<i64>),
    /// Jobs that left the definitions: what is under way ends, and is not retried.
    JobsRemoved(Vec<Arc<str>>),
    /// Definitions of accounts after a load.
    Accounts(Accounts),
    /// Ask every account that jobs use how it is.
    ProbeAll,
    /// The same of every account there is.
    ProbeEach,
    /// A sender's background work has news.
    FromSender { account: Arc<str>, generation: u64, event: SenderEvent, usage: Option<Box<Usage>> },
    /// Nothing but a reason for a tick, whatever there is to do, so that it is seen that rounds are made.
    Tick,
    /// No new attempts; those under way may end within the grace, and all is recorded.
    Stop { grace: Duration },
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
        usage: Option<Box<Usage>>,
    },
    /// What [`Action::Finish`] came to.
    Finished {
        finishes: Vec<Finish>,
        result: Result<Closed, StoreError>,
    },
    /// What [`Action::TakeBack`] came to: the ids of pushes that are not open any more.
    TakenBack {
        attempts: Vec<TakeBack>,
        result: Result<Vec<i64>, StoreError>,
    },
    /// What [`Action::Settle`] came to: the fallbacks of pushes that ended badly.
    Settled {
        settles: Vec<Settle>,
        result: Result<Vec<OpenPush>, StoreError>,
    },
    /// What [`Action::Probe`] came to.
    Probed {
        account: Arc<str>,
        generation: u64,
        probe: Probe,
        usage: Option<Box<Usage>>,
    },
    /// All that came is taken in, or the time has come that [`super::Core::wake`] told: do what can be done now.
    Tick,
}

/// What is to be done. What needs neither the store nor a sender is done at once and in this order; all else may take as
/// long as it likes and overtake one another, since what depends on a result waits for it.
pub enum Action {
    /// Open attempts in the store. At most one of these is under way.
    Begin { begins: Vec<Begin>, now: UtcMs },
    /// Have the contents made that these pushes wait for; told again while they are not. What becomes of the pushes is an
    /// event.
    MakeContent(Vec<i64>),
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

impl Wake {
    /// The earlier of the two, where the wall clock shows an instant at the moment that `moment_at` says.
    pub fn moment(self, moment_at: impl FnOnce(UtcMs) -> Moment) -> Moment {
        self.at.map_or(self.after, |at| self.after.min(moment_at(at)))
    }
}

/// One step's surroundings.
pub(super) struct Step<'a> {
    pub now: Reading,
    pub dice: &'a mut Dice,
    pub actions: &'a mut Vec<Action>,
}

impl Step<'_> {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }
}
