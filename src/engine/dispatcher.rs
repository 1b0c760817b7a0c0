//! From open pushes to recorded outcomes: picks an account, opens an attempt, sends, records, decides what is next.
//!
//! One task owns all of its memory and handles one event at a time; whatever takes long (the database, the network)
//! runs in tasks of its own and comes back as an event. An attempt's row is durable before its sender is called, and
//! no transaction is open while it runs.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tracing::{debug, error, info, warn};

use super::desk::MediaDesk;
use super::flights::Flights;
use super::news::{self, Listener, News};
use super::queue::Queue;
use super::roster::Roster;
use super::runway::{Runway, Staged};
use crate::clock::SharedClock;
use crate::domain::{Delivery, Next, Outcome, Report, UtcMs};
use crate::policy::account::Choice;
use crate::policy::clock_doubt::{ClockDoubt, doubt};
use crate::policy::retry::{self, Attempted, Obstacle};
use crate::senders::{Gate, Probe, Sender, SenderEvent};
use crate::store::{Begin, Finish, OpenPush, Settle, SharedStore, StoreError};

/// Attempts are opened this long before their instant, so that nothing is left to do at the instant but to send: so
/// long for the first, and more for each that has to be opened beside it.
const LEAD: Duration = Duration::from_millis(20);
const LEAD_OF_EACH: Duration = Duration::from_micros(10);
/// Pushes chosen for in one go, so that a large burst does not keep the loop from finished attempts.
const CHOOSE_AT_ONCE: usize = 4096;
/// Parked pushes are looked at again at least this often (their accounts' events wake them earlier).
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How soon a clock that shows an impossible time is looked at again.
const DOUBT_PAUSE: Duration = Duration::from_secs(1);
/// How long the database is left alone after it could not be written.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// A sender that keeps neither its deadline nor its promise to return is given up this long after its deadline.
const OVERDUE: Duration = Duration::from_secs(600);
/// How long a stop waits for attempts under way.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

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
    FromSender { account: Arc<str>, event: SenderEvent },
    /// No new attempts; those under way may end within the grace. The sender is told when all is recorded.
    Stop(oneshot::Sender<()>),
    #[doc(hidden)]
    Internal(Internal),
}

/// What the dispatcher's own tasks report back.
pub enum Internal {
    Begun { begins: Vec<Begin>, result: Result<Vec<Delivery>, StoreError> },
    Done { push_id: i64, report: Report },
    Recorded { finishes: Vec<Finish>, result: Result<Vec<i64>, StoreError> },
    Settled { settles: Vec<Settle>, result: Result<(), StoreError> },
    Probed { account: Arc<str>, probe: Probe },
}

/// An attempt under way.
struct Flight {
    delivery: Arc<Delivery>,
    account: Arc<str>,
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
    removed_jobs: HashSet<Arc<str>>,
    /// Why a push was snoozed, as its row says, so that the row is not written again and again.
    snoozed: HashMap<i64, &'static str>,
    finishes: Vec<Finish>,
    settles: Vec<Settle>,
    /// Writes under way.
    writing: usize,
    /// At most one batch of attempts is being opened at a time; the next one gathers meanwhile.
    beginning: bool,
    /// Likewise for outcomes.
    recording: bool,
    store_down_until: Option<Duration>,
    store_told_at: Option<Duration>,
    look_again_at: Duration,
    /// The last instant that surely has passed, against which the clock is judged.
    last_known: Option<UtcMs>,
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
        let dispatcher = Dispatcher {
            store,
            clock,
            desk,
            roster: Roster::default(),
            queue: Queue::default(),
            runways: HashMap::new(),
            flights: HashMap::new(),
            notes,
            removed_jobs: HashSet::new(),
            snoozed: HashMap::new(),
            finishes: Vec::new(),
            settles: Vec::new(),
            writing: 0,
            beginning: false,
            recording: false,
            store_down_until: None,
            store_told_at: None,
            look_again_at,
            last_known: None,
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
            Event::Opened(pushes) => pushes.into_iter().for_each(|push| self.queue.add(push)),
            Event::Dropped(ids) => ids.into_iter().for_each(|id| self.forget(id)),
            Event::JobsRemoved(jobs) => self.removed_jobs.extend(jobs),
            Event::Accounts(roster) => self.replace_roster(roster),
            Event::ProbeAll => self.probe_all(),
            Event::FromSender { account, event } => self.hear(&account, event),
            Event::Stop(done) => self.stop(done),
            Event::Internal(internal) => match internal {
                Internal::Begun { begins, result } => self.begun(begins, result),
                Internal::Done { push_id, report } => self.done(push_id, report),
                Internal::Recorded { finishes, result } => self.recorded(finishes, result),
                Internal::Settled { settles, result } => self.settled(settles, result),
                Internal::Probed { account, probe } => self.probed(&account, probe),
            },
        }
    }

    /// Everything that can be done now, in the order in which it makes room for the next.
    fn pump(&mut self) {
        let now = self.clock.now();
        if self.clock.monotonic() >= self.look_again_at {
            self.look_again_at = self.clock.monotonic() + LOOK_AGAIN;
            self.queue.unpark();
        }
        if self.stopping.is_some() {
            self.give_up_overdue(now);
        } else if !self.is_beyond_belief(now) {
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
            if let Some(at) = self.queue.next_paced_at() {
                wait = wait.min(self.clock.until(at));
            }
        }
        let next_start_at = self.runways.values().filter_map(Runway::next_start_at).min();
        next_start_at.map_or(wait, |at| wait.min(self.clock.until(at)))
    }

    // --- choosing ----------------------------------------------------------------------------------------------

    fn choose_accounts(&mut self, now: UtcMs) {
        let lead = self.lead();
        for id in self.queue.due(now + lead, CHOOSE_AT_ONCE) {
            let Some(push) = self.queue.get(id) else { continue };
            match self.roster.choose(push, now) {
                Choice::Use { index, rule } => {
                    let member = &self.roster.members()[index];
                    match member.sender.gate(&push.target, None, now) {
                        Gate::Open if push.expires_at <= now => {
                            self.cannot_try(id, Obstacle::Gate("too_late"), None, now)
                        }
                        Gate::Open => {
                            let (account, limits) = (member.id.clone(), member.limits);
                            self.queue.assign(id, &account, rule, limits);
                        }
                        Gate::Closed { reason, until } => self.cannot_try(id, Obstacle::Gate(reason), until, now),
                    }
                }
                Choice::ProbeFirst { index } => {
                    let account = self.roster.members()[index].id.clone();
                    self.probe(&account);
                    // Not written down: the answer comes within seconds and decides.
                    self.queue.park(id, "probing");
                }
                Choice::Wait { reason, until } => self.cannot_try(id, Obstacle::Account(reason), until, now),
                Choice::Never { reason } => self.settle(id, Next::Failed { reason: reason.to_owned() }),
            }
        }
    }

    /// Parks a push without spending an attempt, and says why in its row, once; or ends it when its time is over.
    fn cannot_try(&mut self, id: i64, obstacle: Obstacle, until: Option<UtcMs>, now: UtcMs) {
        let Some(push) = self.queue.get(id) else { return };
        let next = retry::decide_snooze(obstacle, until, push.perhaps_sent, now, push.expires_at);
        let Next::Retry { at, .. } = next else { return self.settle(id, next) };
        let (Obstacle::Account(reason) | Obstacle::Gate(reason)) = obstacle;
        self.queue.park(id, reason);
        self.look_again_at = self.look_again_at.min(self.clock.monotonic() + at.since(now));
        if self.snoozed.insert(id, reason) != Some(reason) {
            self.settles.push(Settle { push_id: id, next });
        }
    }

    /// Ends a push without an attempt.
    fn settle(&mut self, id: i64, next: Next) {
        if let Some(push) = self.queue.get(id) {
            let reason = next.reason().unwrap_or_default();
            (self.news)(News::Ended { im: &push.im, account: None, state: next.state() });
            warn!(push = id, job = push.job.as_deref(), im = %push.im, target = %push.target, state = next.state().as_str(), reason, "push ended without being sent");
        }
        self.forget(id);
        self.settles.push(Settle { push_id: id, next });
    }

    fn forget(&mut self, id: i64) {
        self.queue.remove(id);
        self.snoozed.remove(&id);
        self.desk.release(id);
    }

    // --- opening attempts and sending --------------------------------------------------------------------------

    fn begin(&mut self, now: UtcMs) {
        if self.beginning || self.store_is_down() {
            return;
        }
        let begins = self.queue.take_startable(now);
        if begins.is_empty() {
            return;
        }
        self.beginning = true;
        let (store, events) = (self.store.clone(), self.events.clone());
        tokio::spawn(async move {
            let result = store.begin_attempts(begins.clone(), now).await;
            let _ = events.send(Event::Internal(Internal::Begun { begins, result }));
        });
    }

    fn begun(&mut self, begins: Vec<Begin>, result: Result<Vec<Delivery>, StoreError>) {
        self.beginning = false;
        let deliveries = match result {
            Ok(deliveries) => deliveries,
            Err(error) => {
                self.store_failed("open attempts", &error);
                for begin in begins {
                    self.queue.close(begin.push_id);
                    let Some(push) = self.queue.get(begin.push_id) else { continue };
                    let (at, attempts) = (push.next_attempt_at, push.attempts);
                    self.queue.retry_at(begin.push_id, at, attempts, false);
                }
                return;
            }
        };
        let now = self.clock.now();
        let mut accounts: HashMap<i64, Arc<str>> =
            begins.into_iter().map(|begin| (begin.push_id, begin.account)).collect();
        for delivery in deliveries {
            let Some(account) = accounts.remove(&delivery.push_id) else { continue };
            let start_at = self.queue.get(delivery.push_id).map_or(delivery.due_at, |push| push.next_attempt_at);
            let Some(member) = self.roster.get(&account) else {
                self.take_back(&delivery, start_at, now, "account_removed");
                continue;
            };
            let runway = self.runways.entry(account).or_insert_with(|| Runway::new(member.limits.per_target()));
            let line = self.queue.line_of(delivery.push_id);
            runway.stage(Staged { delivery: Arc::new(delivery), start_at, line });
        }
        // What the store did not hand out was cancelled, withdrawn or resolved meanwhile.
        for id in accounts.into_keys() {
            self.forget(id);
        }
        if self.stopping.is_some() {
            self.unstage();
        }
    }

    fn start(&mut self, now: UtcMs) {
        let mut starting = Vec::new();
        for (account, runway) in &mut self.runways {
            let Some(member) = self.roster.get(account) else { continue };
            while let Some(staged) = runway.take(now, member.limits.concurrency) {
                starting.push((account.clone(), member.sender.clone(), staged));
            }
        }
        let mut cleared = Vec::with_capacity(starting.len());
        for (account, sender, Staged { delivery, line, .. }) in starting {
            match sender.gate(&delivery.target, Some(&delivery), now) {
                Gate::Open => cleared.push((account, sender, delivery, line)),
                Gate::Closed { reason, until } => {
                    // Room for one send, but not for all parts of this message.
                    self.landed(&account, line);
                    self.snoozed.insert(delivery.push_id, reason);
                    self.take_back(&delivery, until.unwrap_or(now + LOOK_AGAIN), now, reason);
                }
            }
        }
        let noted = self.notes.note(cleared.iter().map(|(_, _, delivery, _)| (delivery.push_id, delivery.attempt)));
        if let Err(error) = &noted {
            error!(%error, attempts = cleared.len(), "the start of attempts cannot be noted, and nothing is sent without");
        }
        for (account, sender, delivery, line) in cleared {
            if noted.is_ok() {
                self.fly(account, sender, delivery, line, now);
            } else {
                self.landed(&account, line);
                self.take_back(&delivery, now + STORE_PAUSE, now, "not_noted");
            }
        }
        self.unstage_orphans();
    }

    fn fly(&mut self, account: Arc<str>, sender: Arc<dyn Sender>, delivery: Arc<Delivery>, line: u64, now: UtcMs) {
        let push_id = delivery.push_id;
        self.snoozed.remove(&push_id);
        let sender_name = self.roster.get(&account).map_or("", |member| member.limits.sender);
        let idempotent = sender.is_idempotent(&delivery, now);
        let (events, clock, desk, to_send) =
            (self.events.clone(), self.clock.clone(), self.desk.clone(), delivery.clone());
        let task = tokio::spawn(async move {
            let limit = to_send.timeout + OVERDUE;
            let attempt = AssertUnwindSafe(async {
                match desk.with_media(&to_send, sender_name).await {
                    Ok(None) => sender.send(&to_send).await,
                    Ok(Some(with_media)) => sender.send(&with_media).await,
                    Err(report) => report,
                }
            });
            let report = tokio::select! {
                result = attempt.catch_unwind() => result.unwrap_or_else(|_| {
                    Report::failed(Outcome::Unknown, "the sender broke down in the middle of the attempt (a bug of pushcron)")
                }),
                () = clock.sleep(limit) => Report::failed(Outcome::Unknown, "the sender did not come back in time"),
            };
            let _ = events.send(Event::Internal(Internal::Done { push_id, report }));
        });
        let flight = Flight { delivery, account, started_at: now, line, idempotent, task: task.abort_handle() };
        self.flights.insert(push_id, flight);
    }

    /// A slot of the account is free again.
    fn landed(&mut self, account: &str, line: u64) {
        if let Some(runway) = self.runways.get_mut(account) {
            runway.landed(line);
        }
    }

    // --- outcomes ----------------------------------------------------------------------------------------------

    fn done(&mut self, push_id: i64, report: Report) {
        // An attempt given up at a stop was taken out already.
        let Some(flight) = self.flights.remove(&push_id) else { return };
        self.landed(&flight.account, flight.line);
        self.queue.close(push_id);
        let now = self.clock.now();
        let delivery = &flight.delivery;
        let mut next = self.decide(&flight, &report.outcome, now);
        if let Next::Retry { .. } = next
            && delivery.job.as_deref().is_some_and(|job| self.removed_jobs.contains(job))
        {
            next = Next::Cancelled { reason: "job_removed".to_owned() };
        }
        self.tell(&flight, &report, &next);
        self.spread(&flight, &report.outcome, &next);
        let health = self.learn(&flight.account, &report, now);
        self.finishes.push(Finish {
            push_id,
            number: delivery.attempt,
            report,
            next,
            started_at: flight.started_at,
            finished_at: now,
            health: health.map(|health| (flight.account.clone(), health)),
            uncounted: false,
        });
    }

    fn decide(&self, flight: &Flight, outcome: &Outcome, now: UtcMs) -> Next {
        let delivery = &flight.delivery;
        let attempted = Attempted {
            attempt: delivery.attempt,
            max_attempts: delivery.max_attempts,
            retry: &delivery.retry,
            idempotent: flight.idempotent,
            perhaps_sent: self.queue.get(delivery.push_id).is_some_and(|push| push.perhaps_sent),
            now,
            expires_at: delivery.expires_at,
            unit_jitter: fastrand::f64(),
        };
        retry::decide(outcome, &attempted)
    }

    /// One line for each thing that a person would want to know; a push that was sent is no news.
    fn tell(&self, flight: &Flight, report: &Report, next: &Next) {
        let Delivery { push_id, job, im, target, attempt, .. } = &*flight.delivery;
        let (account, outcome, error) = (&*flight.account, report.outcome.as_str(), report.error.as_deref());
        let job = job.as_deref();
        match next {
            Next::Sent => debug!(push = push_id, job, im, %target, account, attempt, "sent"),
            Next::Retry { at, .. } => {
                info!(push = push_id, job, im, %target, account, attempt, outcome, error, next_attempt_at = %at, "not sent, will be tried again");
            }
            Next::Unknown { .. } => {
                warn!(push = push_id, job, im, %target, account, attempt, outcome, error, "push may have arrived, and nobody can tell: see `pushcron resolve`");
            }
            _ => {
                let state = next.state().as_str();
                warn!(push = push_id, job, im, %target, account, attempt, outcome, error, state, "push ended without being sent");
            }
        }
    }

    fn spread(&self, flight: &Flight, outcome: &Outcome, next: &Next) {
        let (im, account, delivery) = (&*flight.delivery.im, &*flight.account, &flight.delivery);
        let lateness = (delivery.attempt == 1).then(|| flight.started_at.since(delivery.due_at));
        (self.news)(News::Attempt { im, account, outcome, lateness });
        if next.state().is_final() {
            (self.news)(News::Ended { im, account: Some(account), state: next.state() });
        }
    }

    fn learn(&mut self, account: &Arc<str>, report: &Report, now: UtcMs) -> Option<crate::domain::Health> {
        let (health, could_send) = self.roster.learn_attempt(account, report, now)?;
        self.spread_health(account);
        match (could_send, health.can_send(now)) {
            (false, true) => {
                info!(account = &**account, "account can send again");
                self.queue.unpark();
            }
            (true, false) => {
                let until = health.cooldown_until.map(tracing::field::display);
                warn!(
                    account = &**account,
                    error = report.error.as_deref(),
                    cooldown_until = until,
                    "account cannot send now"
                );
                self.leave_account(account, now);
            }
            _ => {}
        }
        Some(health)
    }

    /// Hands everything gathered to the store. What ends while outcomes are being recorded gathers for the next batch:
    /// the busier, the fewer and larger the transactions.
    fn flush(&mut self) {
        if self.store_is_down() {
            return;
        }
        if !self.settles.is_empty() {
            self.writing += 1;
            let settles = std::mem::take(&mut self.settles);
            let (store, events, now) = (self.store.clone(), self.events.clone(), self.clock.now());
            tokio::spawn(async move {
                let result = store.settle(settles.clone(), now).await;
                let _ = events.send(Event::Internal(Internal::Settled { settles, result }));
            });
        }
        if !self.finishes.is_empty() && !self.recording {
            self.writing += 1;
            self.recording = true;
            let finishes = std::mem::take(&mut self.finishes);
            let (store, events) = (self.store.clone(), self.events.clone());
            tokio::spawn(async move {
                let result = store.finish_attempts(finishes.clone()).await;
                let _ = events.send(Event::Internal(Internal::Recorded { finishes, result }));
            });
        }
    }

    fn recorded(&mut self, finishes: Vec<Finish>, result: Result<Vec<i64>, StoreError>) {
        self.writing -= 1;
        self.recording = false;
        match result {
            Ok(lost) => {
                for id in &lost {
                    warn!(push = id, "the attempt was ended by hand before its outcome came");
                }
                for finish in finishes {
                    match finish.next {
                        Next::Retry { at, .. } if !lost.contains(&finish.push_id) => {
                            let unknown = finish.report.outcome == Outcome::Unknown;
                            self.queue.retry_at(finish.push_id, at, finish.number, unknown);
                            match self.snoozed.get(&finish.push_id) {
                                // Taken back at the gate: it waits for the gate, not for the hour.
                                Some(reason) if finish.uncounted => self.queue.park(finish.push_id, reason),
                                _ => {}
                            }
                        }
                        _ => self.forget(finish.push_id),
                    }
                }
            }
            Err(StoreError::Unavailable(_)) => {
                // The outcome stays in memory and is written once the database takes it; until then the row says
                // `sending`, and a crash would make it `unknown`, which is the truth.
                let error = result.err();
                if let Some(error) = error {
                    self.store_failed("record outcomes", &error);
                }
                self.finishes.extend(finishes);
            }
            Err(error) if finishes.len() > 1 => {
                // One row spoils the batch: find it by recording each on its own.
                warn!(%error, "a batch of outcomes was refused, recording them one by one");
                for finish in finishes {
                    self.writing += 1;
                    let (store, events) = (self.store.clone(), self.events.clone());
                    tokio::spawn(async move {
                        let finishes = vec![finish];
                        let result = store.finish_attempts(finishes.clone()).await;
                        let _ = events.send(Event::Internal(Internal::Recorded { finishes, result }));
                    });
                }
            }
            Err(error) => {
                for finish in finishes {
                    error!(push = finish.push_id, attempt = finish.number, outcome = finish.report.outcome.as_str(), %error, "the outcome cannot be recorded; the push becomes unknown at the next start");
                    self.forget(finish.push_id);
                }
            }
        }
    }

    fn settled(&mut self, settles: Vec<Settle>, result: Result<(), StoreError>) {
        self.writing -= 1;
        if let Err(error) = result {
            self.store_failed("snooze or end pushes", &error);
            if matches!(error, StoreError::Unavailable(_)) {
                self.settles.extend(settles);
            }
        }
    }

    fn store_is_down(&mut self) -> bool {
        if self.store_down_until.is_some_and(|until| self.clock.monotonic() >= until) {
            self.store_down_until = None;
        }
        self.store_down_until.is_some()
    }

    /// Leaves the database alone for a moment; told once a minute, since it may stay like this for hours.
    fn store_failed(&mut self, activity: &str, error: &StoreError) {
        let now = self.clock.monotonic();
        self.store_down_until = Some(now + STORE_PAUSE);
        if self.store_told_at.is_none_or(|told| now >= told + Duration::from_secs(60)) {
            self.store_told_at = Some(now);
            error!(%error, "cannot {activity}; nothing is sent until the database can be written, trying again every second");
        }
    }

    // --- accounts ----------------------------------------------------------------------------------------------

    fn replace_roster(&mut self, roster: Roster) {
        self.roster.replace(roster);
        self.removed_jobs.clear();
        self.queue.leave_lanes(None);
        self.queue.unpark();
        self.write_accounts(true);
        self.probe_all();
    }

    fn probe_all(&mut self) {
        let used: Vec<Arc<str>> =
            self.roster.members().iter().filter(|member| member.used).map(|member| member.id.clone()).collect();
        for account in used {
            self.probe(&account);
        }
    }

    fn probe(&mut self, account: &Arc<str>) {
        let Some(member) = self.roster.get_mut(account) else { return };
        if std::mem::replace(&mut member.probing, true) {
            return;
        }
        let (sender, events, account) = (member.sender.clone(), self.events.clone(), account.clone());
        tokio::spawn(async move {
            let probe = AssertUnwindSafe(sender.probe()).catch_unwind().await;
            let probe = probe.unwrap_or_else(|_| Probe::down("the probe broke down (a bug of pushcron)"));
            let _ = events.send(Event::Internal(Internal::Probed { account, probe }));
        });
    }

    fn probed(&mut self, account: &str, probe: Probe) {
        let now = self.clock.now();
        let error = probe.error.clone();
        let is_news = self.roster.learn_probe(account, probe, now);
        self.spread_health(account);
        if is_news {
            let can_send = self.roster.get(account).is_some_and(|member| member.health.can_send(now));
            if can_send {
                info!(account, "account is online");
            } else {
                warn!(account, error, "account cannot send");
                self.leave_account(account, now);
            }
            self.queue.unpark();
        }
        self.write_accounts(false);
    }

    fn spread_health(&self, account: &str) {
        if let Some(member) = self.roster.get(account) {
            (self.news)(News::Account { im: &member.account.im, account, health: &member.health });
        }
    }

    fn hear(&mut self, account: &Arc<str>, event: SenderEvent) {
        match event {
            SenderEvent::Health(probe) => self.probed(account, probe),
            SenderEvent::GateOpened => {
                self.queue.unpark();
            }
            SenderEvent::Confirmed { message_id } => {
                let (store, account, now) = (self.store.clone(), account.clone(), self.clock.now());
                tokio::spawn(async move {
                    match store.confirm(&account, &message_id, now).await {
                        Ok(true) => debug!(account = &*account, message_id, "delivery confirmed"),
                        Ok(false) => {
                            debug!(account = &*account, message_id, "confirmation of a message that is not ours")
                        }
                        Err(error) => {
                            warn!(account = &*account, message_id, %error, "a confirmation cannot be recorded")
                        }
                    }
                });
            }
        }
    }

    /// Health is told again by the next probe, so that a failed write is only worth a line.
    fn write_accounts(&self, all: bool) {
        let offline = self.roster.members().iter().filter(|member| member.health.online == Some(false)).count();
        self.vitals.accounts_offline.store(offline, Ordering::Relaxed);
        let (store, rows) = (self.store.clone(), self.roster.rows());
        tokio::spawn(async move {
            if let Err(error) = store.record_accounts(rows, all).await {
                debug!(%error, "account health cannot be written now");
            }
        });
    }

    // --- stopping ----------------------------------------------------------------------------------------------

    fn stop(&mut self, done: oneshot::Sender<()>) {
        self.stopping = Some(Stopping { until: self.clock.monotonic() + STOP_GRACE, done: Some(done) });
        self.unstage();
    }

    fn has_stopped(&self) -> bool {
        let idle = self.flights.is_empty() && !self.beginning && self.writing == 0;
        let recorded = self.finishes.is_empty() && self.settles.is_empty();
        // A database that cannot be written must not keep the process from ending: what is not recorded is
        // `sending` on disk and becomes unknown at the next start.
        let overdue = self
            .stopping
            .as_ref()
            .is_some_and(|stopping| self.clock.monotonic() >= stopping.until + STORE_PAUSE && self.flights.is_empty());
        self.stopping.is_some() && (idle && recorded || overdue)
    }

    /// Takes back attempts whose sender was not called yet: they were not made, and do not count.
    fn unstage(&mut self) {
        let now = self.clock.now();
        let staged: Vec<Staged> = self.runways.values_mut().flat_map(Runway::take_all).collect();
        for Staged { delivery, start_at, .. } in staged {
            self.take_back(&delivery, start_at, now, "stopped");
        }
    }

    /// Has everything that waits for this account chosen for anew: it cannot send now.
    fn leave_account(&mut self, account: &str, now: UtcMs) {
        self.queue.leave_lanes(Some(account));
        let staged = self.runways.get_mut(account).map(Runway::take_all).unwrap_or_default();
        for Staged { delivery, start_at, .. } in staged {
            self.take_back(&delivery, start_at, now, "account_down");
        }
    }

    /// Takes back attempts staged for an account that left the definitions.
    fn unstage_orphans(&mut self) {
        let now = self.clock.now();
        let gone: Vec<Arc<str>> =
            self.runways.keys().filter(|account| self.roster.get(account).is_none()).cloned().collect();
        for account in gone {
            let Some(runway) = self.runways.get_mut(&account) else { continue };
            let staged = runway.take_all();
            if !runway.is_sending() {
                self.runways.remove(&account);
            }
            for Staged { delivery, start_at, .. } in staged {
                self.take_back(&delivery, start_at, now, "account_removed");
            }
        }
    }

    /// Closes an attempt whose sender was not called: it does not count, and the push is due again at `start_at`.
    fn take_back(&mut self, delivery: &Delivery, start_at: UtcMs, now: UtcMs, reason: &str) {
        self.queue.close(delivery.push_id);
        self.finishes.push(Finish {
            push_id: delivery.push_id,
            number: delivery.attempt,
            report: Report::failed(Outcome::Unreachable, format!("not begun: {reason}")),
            next: Next::Retry { at: start_at, reason: reason.to_owned() },
            started_at: now,
            finished_at: now,
            health: None,
            uncounted: true,
        });
    }

    /// At the end of the grace: what is still under way may or may not arrive, and says so.
    fn give_up_overdue(&mut self, now: UtcMs) {
        let Some(stopping) = &self.stopping else { return };
        if self.clock.monotonic() < stopping.until {
            return;
        }
        for (push_id, flight) in std::mem::take(&mut self.flights) {
            flight.task.abort();
            let report = Report::failed(Outcome::Unknown, "pushcron was stopped before the answer came");
            let next = self.decide(&flight, &report.outcome, now);
            self.tell(&flight, &report, &next);
            self.spread(&flight, &report.outcome, &next);
            self.queue.close(push_id);
            self.finishes.push(Finish {
                push_id,
                number: flight.delivery.attempt,
                report,
                next,
                started_at: flight.started_at,
                finished_at: now,
                health: None,
                uncounted: false,
            });
        }
    }
}

/// The receiving end of a dispatcher's events.
pub struct Inbox(mpsc::UnboundedReceiver<Event>);
