//! Carries out what the timer decides: asks the store, hands the pushes to the dispatcher, and sleeps until the next
//! instant.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use super::core::timer::Timeline;
use super::core::timer::{Action, Answer, Ask, Done, Input, Timer};
use super::dispatcher::Event;
use super::observer::{self, EngineEvent, Observer};
use crate::clock::{Clock, SharedClock};
use crate::domain::{Job, Moment, Reading, UtcMs};
use crate::store::{Applied, Backend, Expected, SharedStore, StoreError};

pub use super::core::timer::ApplyError;

/// What the scheduler is asked from outside.
pub enum Command {
    /// New definitions, all of them, with their hashes, and when they were read.
    Apply { jobs: Vec<(Job, i64)>, read_at: UtcMs, done: oneshot::Sender<Result<Applied, ApplyError>> },
    /// Another process paused or resumed jobs: places and standings are read again.
    Reread,
}

/// The timer over the store.
pub struct Scheduler {
    timer: Timer,
    store: SharedStore,
    clock: SharedClock,
    dispatcher: mpsc::UnboundedSender<Event>,
    tick: Option<Arc<dyn Fn(Tick) + Send + Sync>>,
    prepare: Arc<Notify>,
    observer: Observer,
}

/// What each round of the timer tells: the watchdog is fed from it, and the status line made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    pub jobs: usize,
    pub next_look_at: Option<UtcMs>,
}

impl Scheduler {
    /// A scheduler over the stored jobs.
    ///
    /// # Errors
    /// [`ApplyError`] where jobs cannot be read or a stored schedule no longer compiles.
    pub async fn new(
        store: SharedStore,
        clock: SharedClock,
        zone_version: String,
        dispatcher: mpsc::UnboundedSender<Event>,
    ) -> Result<Scheduler, ApplyError> {
        let timer = Timer::new(clock.reading(), clock.monotonic(), zone_version);
        let mut scheduler = Scheduler {
            timer,
            store,
            clock,
            dispatcher,
            tick: None,
            prepare: Arc::default(),
            observer: observer::nobody(),
        };
        scheduler.carry_out(Input::Load).await?;
        Ok(scheduler)
    }

    /// Has `tick` called at every round.
    pub fn on_tick(&mut self, tick: Arc<dyn Fn(Tick) + Send + Sync>) {
        self.tick = Some(tick);
    }

    /// Has `prepare` told whenever fires wait for their content.
    pub fn on_unexpanded(&mut self, prepare: Arc<Notify>) {
        self.prepare = prepare;
    }

    /// Has `observer` told of every decision.
    pub fn set_observer(&mut self, observer: Observer) {
        self.observer = observer;
    }

    /// Wakes at least this often, to feed a watchdog in time.
    pub fn sleep_at_most(&mut self, limit: Option<Duration>) {
        self.timer.sleep_at_most(limit);
    }

    pub fn timeline(&self) -> &Timeline {
        self.timer.timeline()
    }

    /// Decides about everything due by now and hands the pushes on.
    ///
    /// # Errors
    /// Those of [`Scheduler::step`].
    pub async fn run_once(&mut self) -> Result<(), ApplyError> {
        while self.step().await? {}
        Ok(())
    }

    /// One transaction's worth of it. Returns whether there may be more.
    ///
    /// # Errors
    /// The store's; what was not recorded stays due.
    pub async fn step(&mut self) -> Result<bool, ApplyError> {
        Ok(self.carry_out(Input::Tick { awake: self.clock.monotonic() }).await?.more)
    }

    /// Puts new definitions in force, all of them, with their hashes, that were read just now.
    ///
    /// # Errors
    /// As [`Scheduler::apply_read`].
    pub async fn apply(&mut self, jobs: Vec<(Job, i64)>) -> Result<Applied, ApplyError> {
        self.apply_read(jobs, self.clock.now()).await
    }

    /// Puts definitions in force that were read at this moment: what passes between is not lost with it.
    ///
    /// # Errors
    /// [`ApplyError`]; nothing has changed then, unless it says that some are in force: of very many changes those after
    /// the first thousand are tried again until the database can be written.
    pub async fn apply_read(&mut self, jobs: Vec<(Job, i64)>, read_at: UtcMs) -> Result<Applied, ApplyError> {
        Ok(self.carry_out(Input::Apply(jobs, Some(read_at))).await?.applied)
    }

    /// Another process paused or resumed jobs, or made, changed or removed some.
    ///
    /// # Errors
    /// The store's; it is tried again before anything else is decided.
    pub async fn reread(&mut self) -> Result<(), ApplyError> {
        self.carry_out(Input::Reread).await.map(drop)
    }

    /// Runs until the commands end.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            // What failed was told, and is tried again when the timer says so.
            let _ = self.step().await;
            if let Some(tick) = &self.tick {
                let next_look_at = self.timer.timeline_mut().next_look_at();
                tick(Tick { jobs: self.timeline().len(), next_look_at });
            }
            let (clock, next) = (self.clock.clone(), self.next_look());
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => {
                        if !self.on_command(command).await {
                            return;
                        }
                    }
                    None => return,
                },
                () = clock.sleep_until(next) => {}
            }
        }
    }

    fn next_look(&mut self) -> Moment {
        self.timer.wake(self.clock.reading()).moment(|at| self.clock.moment_at(at))
    }

    /// Returns whether to go on: who gave up waiting for new definitions is stopping, and what is not durable of them
    /// yet is the next start's, as after a kill.
    async fn on_command(&mut self, command: Command) -> bool {
        match command {
            Command::Apply { jobs, read_at, mut done } => {
                // What is due by now is still for the definitions that were in force.
                let _ = self.step().await;
                let result = tokio::select! {
                    biased;
                    result = self.apply_read(jobs, read_at) => result,
                    () = done.closed() => return false,
                };
                // Whoever asked may have given up waiting just now; the definitions are in force all the same.
                let _ = done.send(result);
            }
            Command::Reread => {
                let _ = self.reread().await;
            }
        }
        true
    }

    async fn carry_out(&mut self, command: Input) -> Result<Done, ApplyError> {
        let (dispatcher, observer, prepare) = (&self.dispatcher, &self.observer, &self.prepare);
        let other = |action| match action {
            // The dispatcher ends only after the scheduler, at a stop; what it misses then is open in the store.
            Action::Tell(event) => drop(dispatcher.send(event)),
            Action::Prepare => prepare.notify_one(),
            Action::Fires { decision, count } => observer(EngineEvent::Fires { decision, count }),
            Action::Ask(_) | Action::Done(_) => {}
        };
        let clock = &self.clock;
        carry_out(&mut self.timer, &*self.store, None, || clock.reading(), command, other).await
    }
}

/// Hands a command to the timer and answers its questions until it is done: those of a verb, which found this of its jobs,
/// as far as they concern these.
async fn carry_out(
    timer: &mut Timer,
    store: &dyn Backend,
    of_verb: Option<&[Expected]>,
    reading: impl Fn() -> Reading,
    command: Input,
    other: impl Fn(Action),
) -> Result<Done, ApplyError> {
    let mut actions = Vec::new();
    timer.step(reading(), command, &mut actions);
    let mut done = Ok(Done::default());
    loop {
        let mut asked = None;
        for action in actions.drain(..) {
            match action {
                Action::Ask(ask) => asked = Some(ask),
                Action::Done(result) => done = result,
                action => other(action),
            }
        }
        let Some(ask) = asked else { return done };
        let answer = match of_verb {
            Some(expected) => answer_verb(store, ask, expected).await,
            None => answer(store, ask).await,
        };
        timer.step(reading(), Input::Answer(answer), &mut actions);
    }
}

async fn answer(store: &dyn Backend, ask: Ask) -> Result<Answer, StoreError> {
    Ok(match ask {
        Ask::LastRecorded => Answer::Instant(store.last_recorded_at().await?),
        Ask::WatchedUntil => Answer::Instant(store.watched_until().await?),
        Ask::NoteWatch { now } => {
            store.note_watch(now).await?;
            Answer::Done
        }
        Ask::Restored => Answer::Restored(store.restored().await?),
        Ask::Jobs => Answer::Jobs(store.jobs().await?),
        Ask::Unwatched { after, until } => Answer::Unwatched(store.unwatched(after, until).await?),
        Ask::EndUntouched { settles, now } => Answer::Ended(store.end_untouched(settles, now).await?),
        Ask::WithdrawAhead { now } => {
            store.withdraw_ahead(now).await?;
            Answer::Done
        }
        Ask::LedgerRows { job, from, until, limit } => {
            Answer::LedgerRows(store.ledger_rows(&job, from, until, limit).await?)
        }
        Ask::Record { fires, cursors, now } => Answer::Recorded(store.record_fires(fires, cursors, now).await?),
        Ask::Apply { changes, removed, now } => Answer::Applied(store.apply_jobs(changes, removed, now).await?),
    })
}

/// Puts in force what a verb says of some jobs, in a process of its own, whether a daemon runs or not: `expected` is what
/// the verb found of them, and `said_at` when it was given, where it says when jobs fire: whatever it waited for since, what
/// they call for from then on is not lost. What they called for until now is settled by the same steps as when files change.
///
/// # Errors
/// [`ApplyError`]; nothing of it is in force then.
pub async fn apply_by_verb(
    store: &dyn Backend,
    clock: &dyn Clock,
    zone_version: String,
    changed: Vec<(Job, i64)>,
    removed: Vec<Arc<str>>,
    expected: Vec<Expected>,
    said_at: Option<UtcMs>,
) -> Result<Applied, ApplyError> {
    let mut timer = Timer::new(clock.reading(), clock.monotonic(), zone_version);
    let (of_verb, reading) = (Some(&*expected), || clock.reading());
    carry_out(&mut timer, store, of_verb, reading, Input::Load, drop).await?;
    let change = Input::ApplyByVerb { changed, removed, said_at };
    Ok(carry_out(&mut timer, store, of_verb, reading, change, drop).await?.applied)
}

/// A verb has to do with its own jobs only.
async fn answer_verb(store: &dyn Backend, ask: Ask, expected: &[Expected]) -> Result<Answer, StoreError> {
    match ask {
        Ask::Jobs => {
            let mut jobs = store.jobs().await?;
            jobs.retain(|job| expected.iter().any(|expected| expected.job == job.name));
            Ok(Answer::Jobs(jobs))
        }
        Ask::Apply { changes, removed, now } => {
            Ok(Answer::Applied(store.apply_by_verb(changes, removed, expected.to_vec(), now).await?))
        }
        ask => answer(store, ask).await,
    }
}

/// At the start of a daemon, before it takes up what an earlier one left ([`Input::BeginWatch`]).
///
/// # Errors
/// The store's.
pub async fn begin_watch(store: &dyn Backend, now: UtcMs) -> Result<(), ApplyError> {
    watch(store, now, Input::BeginWatch).await
}

/// At the end of a daemon ([`Input::EndWatch`]).
///
/// # Errors
/// The store's.
pub async fn end_watch(store: &dyn Backend, now: UtcMs) -> Result<(), ApplyError> {
    watch(store, now, Input::EndWatch).await
}

async fn watch(store: &dyn Backend, now: UtcMs, command: Input) -> Result<(), ApplyError> {
    let now = Reading { wall: now, moment: Moment(Duration::ZERO) };
    let mut timer = Timer::new(now, Duration::ZERO, String::new());
    carry_out(&mut timer, store, None, || now, command, drop).await.map(drop)
}
