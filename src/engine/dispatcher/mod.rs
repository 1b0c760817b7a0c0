//! From open pushes to recorded outcomes: picks an account, opens an attempt, sends, records, decides what is next.
//!
//! One task owns all of its memory and handles one event at a time; whatever takes long (the database, the network)
//! runs in tasks of its own and comes back as an event. An attempt's row is durable before its sender is called, and
//! no transaction is open while it runs.

mod accounts;
mod choosing;
mod outcomes;
mod recording;
mod sending;
mod stopping;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tracing::debug;

use crate::clock::SharedClock;
use crate::domain::{Delivery, Reading, Report, UtcMs};
use crate::engine::desk::MediaDesk;
use crate::engine::flights::Flights;
use crate::engine::news::{self, Listener};
use crate::engine::queue::Queue;
use crate::engine::roster::Roster;
use crate::engine::runway::Runway;
use crate::policy::clock_doubt::{ClockDoubt, doubt};
use crate::senders::{Probe, SenderEvent};
use crate::store::{Begin, Finish, OpenPush, Settle, SharedStore, StoreError, TakeBack};

pub use stopping::STOP_GRACE;

/// Attempts are opened this long before their instant, so that nothing is left to do at the instant but to send: so
/// long for the first, and more for each that has to be opened beside it.
const LEAD: Duration = Duration::from_millis(20);
const LEAD_OF_EACH: Duration = Duration::from_micros(10);
/// Parked pushes are looked at again at least this often (their accounts' events wake them earlier).
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How soon a clock that shows an impossible time is looked at again.
const DOUBT_PAUSE: Duration = Duration::from_secs(1);
/// A wall clock that differs so much from what it should show was set.
const STEP: Duration = Duration::from_secs(2);
/// Rows told anew in one transaction.
const TOLD_AT_ONCE: usize = 1024;
/// How long the database is left alone after it could not be written.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What the dispatcher reacts to.
pub enum Event {
    /// Pushes that were recorded, or are open in the store.
    Opened(Vec<OpenPush>),
    /// Pushes that are no longer open: cancelled, or withdrawn before their instant.
    Dropped(Vec<i64>),
    /// Jobs that left the definitions: what is under way ends, and is not retried.
    JobsRemoved(Vec<Arc<str>>),
    /// Definitions of accounts after a load.
    Accounts(Roster),
    /// Ask every account that jobs use how it is.
    ProbeAll,
    /// A sender's background work has news.
    FromSender { account: Arc<str>, generation: u64, event: SenderEvent },
    /// No new attempts; those under way may end within the grace. The sender is told when all is recorded.
    Stop(oneshot::Sender<()>),
    #[doc(hidden)]
    Internal(Internal),
}

/// What the dispatcher's own tasks report back.
pub enum Internal {
    Begun {
        begins: Vec<Begin>,
        result: Result<Vec<Delivery>, StoreError>,
    },
    /// `asked`: the sender was called, so that the report says something of the account.
    Done {
        push_id: i64,
        report: Report,
        asked: bool,
    },
    Recorded {
        finishes: Vec<Finish>,
        result: Result<Vec<i64>, StoreError>,
    },
    TakenBack {
        attempts: Vec<TakeBack>,
        result: Result<Vec<i64>, StoreError>,
    },
    Settled {
        settles: Vec<Settle>,
        result: Result<(), StoreError>,
    },
    Probed {
        account: Arc<str>,
        generation: u64,
        probe: Probe,
    },
}

/// An attempt under way.
struct Flight {
    delivery: Arc<Delivery>,
    account: Arc<str>,
    /// Of the account's definition, which a reload may have replaced when the answer comes.
    generation: u64,
    started_at: UtcMs,
    line: u64,
    idempotent: bool,
    task: AbortHandle,
}

/// Figures for the status line, kept up by the dispatcher.
#[derive(Debug, Default)]
pub struct Vitals {
    pub open_pushes: AtomicUsize,
    pub accounts_offline: AtomicUsize,
}

struct Stopping {
    until: Duration,
    done: Option<oneshot::Sender<()>>,
}

/// The task that owns every open push.
pub struct Dispatcher {
    store: SharedStore,
    clock: SharedClock,
    desk: Arc<MediaDesk>,
    roster: Roster,
    queue: Queue,
    runways: HashMap<Arc<str>, Runway>,
    flights: HashMap<i64, Flight>,
    notes: Flights,
    /// Why a push was snoozed, as its row says, so that the row is not written again and again.
    snoozed: HashMap<i64, &'static str>,
    finishes: Vec<Finish>,
    take_backs: VecDeque<TakeBack>,
    settles: VecDeque<Settle>,
    /// Writes under way.
    writing: usize,
    /// At most one batch of attempts is being opened at a time; the next one gathers meanwhile.
    beginning: bool,
    /// Likewise for outcomes, for attempts taken back, and for pushes that are put back or ended without an attempt.
    recording: bool,
    taking_back: bool,
    settling: bool,
    store_down_until: Option<Duration>,
    store_told_at: Option<Duration>,
    look_again_at: Duration,
    /// The last instant that surely has passed, against which the clock is judged.
    last_known: Option<UtcMs>,
    /// What both clocks showed when they were last compared.
    compared: Reading,
    stopping: Option<Stopping>,
    vitals: Arc<Vitals>,
    news: Listener,
    events: mpsc::UnboundedSender<Event>,
}

impl Dispatcher {
    /// A dispatcher and the way to reach it.
    pub fn new(store: SharedStore, clock: SharedClock, desk: Arc<MediaDesk>, notes: Flights) -> (Dispatcher, Inbox) {
        let (events, inbox) = mpsc::unbounded_channel();
        let look_again_at = clock.monotonic() + LOOK_AGAIN;
        let compared = clock.reading();
        let dispatcher = Dispatcher {
            store,
            clock,
            desk,
            roster: Roster::default(),
            queue: Queue::default(),
            runways: HashMap::new(),
            flights: HashMap::new(),
            notes,
            snoozed: HashMap::new(),
            finishes: Vec::new(),
            take_backs: VecDeque::new(),
            settles: VecDeque::new(),
            writing: 0,
            beginning: false,
            recording: false,
            taking_back: false,
            settling: false,
            store_down_until: None,
            store_told_at: None,
            look_again_at,
            last_known: None,
            compared,
            stopping: None,
            vitals: Arc::default(),
            news: news::nobody(),
            events,
        };
        (dispatcher, Inbox(inbox))
    }

    /// Where events for this dispatcher go.
    pub fn handle(&self) -> mpsc::UnboundedSender<Event> {
        self.events.clone()
    }

    /// Has `listener` told of every attempt, every end of a push, and how accounts are.
    pub fn on_news(&mut self, listener: Listener) {
        self.news = listener;
    }

    /// Its figures.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.vitals.clone()
    }

    /// Runs until a stop is complete.
    pub async fn run(mut self, Inbox(mut inbox): Inbox) {
        let clock = self.clock.clone();
        while !self.has_stopped() {
            let wait = self.time_to_next();
            tokio::select! {
                biased;
                Some(event) = inbox.recv() => {
                    self.handle_event(event);
                    // A burst of results is taken in whole before the next decision, so that one transaction
                    // records many.
                    for _ in 0..1024 {
                        match inbox.try_recv() {
                            Ok(event) => self.handle_event(event),
                            Err(_) => break,
                        }
                    }
                }
                () = clock.sleep(wait) => {}
            }
            self.pump();
        }
        if let Some(done) = self.stopping.and_then(|stopping| stopping.done) {
            // Whoever asked for the stop may be gone, which changes nothing.
            let _ = done.send(());
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Opened(pushes) => {
                let now = self.clock.reading();
                pushes.into_iter().for_each(|push| self.queue.add(push, now));
            }
            Event::Dropped(ids) => ids.into_iter().for_each(|id| self.forget(id)),
            Event::JobsRemoved(jobs) => self.queue.orphan(&jobs.into_iter().collect()),
            Event::Accounts(roster) => self.replace_roster(roster),
            Event::ProbeAll => self.probe_all(),
            Event::FromSender { account, generation, event } => self.hear(&account, generation, event),
            Event::Stop(done) => self.stop(done),
            Event::Internal(internal) => match internal {
                Internal::Begun { begins, result } => self.begun(begins, result),
                Internal::Done { push_id, report, asked } => self.done(push_id, report, asked),
                Internal::Recorded { finishes, result } => self.recorded(finishes, result),
                Internal::TakenBack { attempts, result } => self.taken_back(attempts, result),
                Internal::Settled { settles, result } => self.settled(settles, result),
                Internal::Probed { account, generation, probe } => self.probed(&account, generation, probe),
            },
        }
    }

    /// Everything that can be done now, in the order in which it makes room for the next.
    fn pump(&mut self) {
        let now = self.clock.reading();
        let is_believed = !self.is_beyond_belief(now.wall);
        // Rows that tell of 2099 would be believed by the next start.
        if is_believed {
            self.notice_step(now);
        }
        if self.clock.monotonic() >= self.look_again_at {
            self.look_again_at = self.clock.monotonic() + LOOK_AGAIN;
            self.queue.unpark();
            if is_believed && self.stopping.is_none() {
                self.queue.overdue(now.wall).into_iter().for_each(|id| self.expire(id));
            }
        }
        if self.stopping.is_some() {
            self.give_up_overdue(now);
        } else if is_believed {
            self.choose_accounts(now);
            self.begin(now);
            self.start(now);
        }
        self.flush();
        self.vitals.open_pushes.store(self.queue.len(), Ordering::Relaxed);
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
    fn notice_step(&mut self, now: Reading) {
        let passed = now.moment.since(self.compared.moment);
        let stepped_ms = now.wall.ms_since(self.compared.wall + passed);
        let before = std::mem::replace(&mut self.compared, now).wall;
        if stepped_ms.unsigned_abs() < STEP.as_millis() as u64 {
            return;
        }
        self.queue.keep_hours(before + passed, now);
        self.write_accounts(None);
        let resting: Vec<(i64, UtcMs)> = self.queue.resting(now).collect();
        for (id, at) in &resting {
            self.queue.told(*id, *at);
        }
        let store = self.store.clone();
        tokio::spawn(async move {
            for some in resting.chunks(TOLD_AT_ONCE) {
                if let Err(error) = store.tell_next_attempts(some.to_vec()).await {
                    debug!(%error, "rows tell the ends of waits by the clock as it was before");
                    return;
                }
            }
        });
    }

    /// How long before the next instant attempts are to be opened.
    fn lead(&mut self) -> Duration {
        LEAD + LEAD_OF_EACH * u32::try_from(self.queue.crowd()).unwrap_or(u32::MAX)
    }

    /// How long nothing will have to be done unless an event comes.
    fn time_to_next(&mut self) -> Duration {
        let mut wait = self.look_again_at.saturating_sub(self.clock.monotonic());
        if let Some(stopping) = &self.stopping {
            return wait.min(stopping.until.saturating_sub(self.clock.monotonic()));
        }
        if self.is_beyond_belief(self.clock.now()) {
            return wait.min(DOUBT_PAUSE);
        }
        if let Some(until) = self.store_down_until {
            wait = wait.min(until.saturating_sub(self.clock.monotonic()));
        } else {
            if let Some(at) = self.queue.next_due_at() {
                let opened_at = at - self.lead();
                wait = wait.min(self.clock.until(opened_at));
            }
            let now = self.clock.boottime();
            for moment in [self.queue.next_due_after(), self.queue.next_paced_at()].into_iter().flatten() {
                wait = wait.min(moment.since(now));
            }
        }
        let next_start_at = self.runways.values().filter_map(Runway::next_start_at).min();
        next_start_at.map_or(wait, |at| wait.min(self.clock.until(at)))
    }
}

/// The receiving end of a dispatcher's events.
pub struct Inbox(mpsc::UnboundedReceiver<Event>);
