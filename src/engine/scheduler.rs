//! The durable timer: records what is due, hands the pushes to the dispatcher, and sleeps until the next instant.

mod definitions;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use self::definitions::Changes;
use super::ahead::expire_unwatched;
use super::around::around_recorded;
use super::dispatcher::Event;
use super::news::{self, Listener, News};
use super::timeline::{Plan, Timeline};
use crate::clock::SharedClock;
use crate::domain::{Decision, Job, UtcMs};
use crate::policy::clock_doubt::{ClockDoubt, doubt};
use crate::policy::schedule::ScheduleError;
use crate::store::{Applied, NewFire, Recorded, SharedStore, Store, StoreError, WATCHED_UNTIL};

/// Jobs decided about in one transaction: small enough that no push under way waits for it noticeably.
const BATCH: usize = 500;
/// Never asleep longer than this, so that a stepped clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// A difference between the progress of the wall clock and that of the monotonic clock that is called a jump.
const JUMP: Duration = Duration::from_secs(2);

/// How long after an instant that was recorded ahead it is noted that it was watched: not in the moment of the sends.
const NOTED_AFTER: Duration = Duration::from_secs(1);

/// How soon a clock that shows an impossible time is looked at again.
const DOUBT_PAUSE: Duration = Duration::from_secs(1);

/// What the scheduler is asked from outside.
pub enum Command {
    /// New definitions, all of them, with their hashes.
    Apply { jobs: Vec<(Job, i64)>, done: oneshot::Sender<Result<Applied, ApplyError>> },
    /// Another process paused or resumed jobs: places and standings are read again.
    Reread,
}

/// Why definitions could not be applied. Those from before stay in force.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("job {job}: {error}")]
    Schedule { job: String, error: ScheduleError },
}

/// The timer over the store.
pub struct Scheduler {
    store: SharedStore,
    clock: SharedClock,
    timeline: Timeline,
    zone_version: String,
    dispatcher: mpsc::UnboundedSender<Event>,
    /// Where wall and monotonic clock stood when last compared.
    compared: (UtcMs, Duration),
    /// The last instant that surely has passed, against which the clock is judged.
    last_known: Option<UtcMs>,
    /// What was due until then may have been sent by the database that was lost.
    restored_at: Option<UtcMs>,
    /// The clock cannot be believed, and nothing is decided.
    doubted: bool,
    /// Definitions that came meanwhile.
    postponed: Option<Vec<(Job, i64)>>,
    /// What is left of a change whose first parts are durable.
    unfinished: Changes,
    store_told_at: Option<Duration>,
    /// The last instant that was recorded ahead of itself, until it is noted that it was watched.
    ahead_until: Option<UtcMs>,
    beat: Option<Arc<dyn Fn(Beat) + Send + Sync>>,
    news: Listener,
    longest_sleep: Duration,
}

/// What each round of the timer tells: the watchdog is fed from it, and the status line made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
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
        let compared = (clock.now(), clock.monotonic());
        let last_known = store.last_recorded_at().await?;
        if let Some(doubt) = doubt(clock.now(), last_known) {
            error!("{doubt}");
        }
        let restored_at = store.restored().await?.map(|restored| restored.restored_at);
        let mut scheduler = Scheduler {
            store,
            clock,
            timeline: Timeline::default(),
            zone_version,
            dispatcher,
            compared,
            last_known,
            restored_at,
            doubted: false,
            postponed: None,
            unfinished: Changes::default(),
            store_told_at: None,
            ahead_until: None,
            beat: None,
            news: news::nobody(),
            longest_sleep: LONGEST_SLEEP,
        };
        scheduler.read_timeline(scheduler.clock.now()).await?;
        Ok(scheduler)
    }

    /// Has `beat` called at every round.
    pub fn on_beat(&mut self, beat: Arc<dyn Fn(Beat) + Send + Sync>) {
        self.beat = Some(beat);
    }

    /// Has `listener` told of every decision.
    pub fn on_news(&mut self, listener: Listener) {
        self.news = listener;
    }

    /// Wakes at least this often, to feed a watchdog in time.
    pub fn sleep_at_most(&mut self, limit: Option<Duration>) {
        self.longest_sleep = limit.map_or(LONGEST_SLEEP, |limit| limit.min(LONGEST_SLEEP));
    }

    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Decides about everything due by now and hands the pushes on.
    ///
    /// # Errors
    /// The store's; what was not recorded stays due.
    pub async fn run_once(&mut self) -> Result<(), StoreError> {
        while self.step().await? {}
        Ok(())
    }

    /// One transaction's worth of it. Returns whether there may be more.
    ///
    /// # Errors
    /// The store's; what was not recorded stays due.
    pub async fn step(&mut self) -> Result<bool, StoreError> {
        self.notice_jump().await?;
        if self.doubts_the_clock() {
            return Ok(false);
        }
        self.apply_postponed().await?;
        self.apply_unfinished().await?;
        let more = self.record_batch().await?;
        if !more {
            self.note_watch().await?;
        }
        Ok(more)
    }

    /// An instant has passed that was recorded ahead, and nothing was recorded since: only this tells that somebody was
    /// there, and that its pushes merely wait for their turn.
    async fn note_watch(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        if self.ahead_until.is_some_and(|at| at + NOTED_AFTER <= now) {
            self.store.remember("", WATCHED_UNTIL, &now.to_string(), now).await?;
            self.ahead_until = None;
        }
        Ok(())
    }

    /// One transaction's worth of what is due. Returns whether there may be more.
    async fn record_batch(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let plan = self.timeline.plan(now, BATCH);
        if plan.is_empty() {
            return Ok(false);
        }
        match self.record(plan, now).await {
            Ok(_) => {}
            Err(ApplyError::Store(error)) => return Err(error),
            Err(error) => error!(%error, "cannot read the jobs again after a change by another process"),
        }
        Ok(true)
    }

    /// Makes a plan durable in one transaction and hands on what came of it. Returns the jobs of which nothing was
    /// recorded: another process paused or resumed them between its write and our looking, and all is read again.
    async fn record(&mut self, plan: Plan, now: UtcMs) -> Result<Vec<Arc<str>>, ApplyError> {
        if plan.cursors.is_empty() {
            self.timeline.advance(plan);
            return Ok(Vec::new());
        }
        let fires = around_recorded(&*self.store, &self.timeline, plan.fires.clone()).await?;
        let recorded = self.store.record_fires(fires, plan.cursors.clone(), now).await?;
        // Not before: while the database cannot be written, the same would be told every second.
        self.tell_missed(&plan.fires);
        self.spread(&plan.fires, &recorded);
        self.timeline.advance(plan);
        // The dispatcher ends only after the scheduler, at a stop; what it misses then is open in the store.
        if !recorded.cancelled.is_empty() {
            let _ = self.dispatcher.send(Event::Dropped(recorded.cancelled));
        }
        let last_ahead = recorded.pushes.iter().map(|push| push.due_at).max().filter(|at| *at > now);
        self.ahead_until = last_ahead.or(self.ahead_until);
        if !recorded.pushes.is_empty() {
            let _ = self.dispatcher.send(Event::Opened(recorded.pushes));
        }
        if !recorded.stale.is_empty() {
            self.read_timeline(now).await?;
        }
        Ok(recorded.stale)
    }

    fn spread(&self, fires: &[NewFire], recorded: &Recorded) {
        let is_durable = |fire: &&NewFire| !recorded.stale.contains(&fire.job);
        for decision in [Decision::Fired, Decision::Skipped, Decision::Missed] {
            let of_it = fires.iter().filter(is_durable).filter(|fire| fire.decision == decision);
            let decided: u64 = of_it.map(|fire| fire.count).sum();
            let count = match decision {
                Decision::Fired => decided.saturating_sub(recorded.skipped),
                Decision::Skipped => decided + recorded.skipped,
                Decision::Missed => decided,
            };
            if count > 0 {
                (self.news)(News::Fires { decision, count });
            }
        }
    }

    /// One line per job, however many instants it missed.
    fn tell_missed(&self, fires: &[NewFire]) {
        let mut missed = fires.iter().filter(|fire| fire.decision == Decision::Missed).peekable();
        while let Some(first) = missed.next() {
            let mut count = first.count;
            let mut last = first.until_at.unwrap_or(first.due_at);
            while let Some(next) = missed.next_if(|next| next.job == first.job) {
                count += next.count;
                last = next.until_at.unwrap_or(next.due_at);
            }
            warn!(job = &*first.job, count, from = %first.due_at, until = %last, reason = first.reason, "instants missed");
        }
    }

    /// Runs until the commands end.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let wait = match self.step().await {
                // After a long absence there is much to record: a stop or a reload does not wait for all of it.
                Ok(true) => Duration::ZERO,
                Ok(false) => self.time_to_next(),
                Err(error) => {
                    self.store_failed(&error);
                    Duration::from_secs(1)
                }
            };
            if let Some(beat) = &self.beat {
                beat(Beat { jobs: self.timeline.len(), next_look_at: self.timeline.next_look_at() });
            }
            let clock = self.clock.clone();
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                () = clock.sleep(wait) => {}
            }
        }
    }

    fn time_to_next(&mut self) -> Duration {
        if self.doubted {
            return DOUBT_PAUSE;
        }
        let now = self.clock.now();
        let looks = [self.timeline.next_look_at(), self.ahead_until.map(|at| at + NOTED_AFTER)];
        looks.into_iter().flatten().map(|at| at.since(now)).fold(self.longest_sleep, Duration::min)
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Apply { jobs, done } => {
                // What is due by now is still for the definitions that were in force.
                if let Err(error) = self.step().await {
                    self.store_failed(&error);
                }
                let result = self.apply(jobs).await;
                // Whoever asked may have given up waiting; the definitions are in force all the same.
                let _ = done.send(result);
            }
            Command::Reread => {
                if let Err(error) = self.reread(self.clock.now()).await {
                    error!(%error, "cannot read the jobs again after a change by another process");
                }
            }
        }
    }

    /// Takes back what was recorded ahead and reads places and standings again: another process changed them, or
    /// the clock was stepped, and what seemed decided is to be decided anew.
    ///
    /// What was due by now stays; of that, what nobody watched after `awake_at` may come too late.
    async fn reread(&mut self, awake_at: UtcMs) -> Result<(), ApplyError> {
        let now = self.clock.now();
        // Seen from 1970 the whole ledger would be ahead. Once the clock is set, this is called again.
        if must_wait(now, self.last_known) {
            return Ok(());
        }
        let expired = expire_unwatched(&*self.store, Some(awake_at), now).await?;
        withdraw_ahead(&*self.store, now).await?;
        if !expired.is_empty() {
            // The dispatcher ends only after the scheduler.
            let _ = self.dispatcher.send(Event::Dropped(expired));
        }
        self.read_timeline(now).await
    }

    /// Reads the jobs and their places. Those of a restored database owe what was due after the backup was made: it may
    /// have been sent, and is recorded as missed and never made up for.
    async fn read_timeline(&mut self, now: UtcMs) -> Result<(), ApplyError> {
        let stored = self.store.jobs().await?;
        let mut timeline = Timeline::new(stored, &self.zone_version, now)
            .map_err(|(job, error)| ApplyError::Schedule { job, error })?;
        while !must_wait(now, self.last_known) {
            let put_back = timeline.put_back();
            if put_back.is_empty() {
                break;
            }
            self.store.record_fires(Vec::new(), put_back.cursors.clone(), now).await?;
            timeline.advance(put_back);
        }
        if let Some(restored_at) = self.restored_at {
            timeline.close(restored_at, "restored");
        }
        self.timeline = timeline;
        Ok(())
    }

    /// Whether the clock shows a time that cannot be. Nothing is decided then: instants of such a time would fill
    /// the ledger with rows that never were.
    fn doubts_the_clock(&mut self) -> bool {
        let now = self.clock.now();
        let doubt = doubt(now, self.last_known).filter(|doubt| doubt.must_wait());
        match doubt {
            Some(doubt) if !self.doubted => error!("{doubt}"),
            None if self.doubted => warn!(%now, "the clock can be believed again"),
            _ => {}
        }
        self.doubted = doubt.is_some();
        if !self.doubted {
            self.last_known = Some(now);
        }
        self.doubted
    }

    /// Compares the progress of the two clocks since the last look.
    async fn notice_jump(&mut self) -> Result<(), StoreError> {
        let (wall, monotonic) = (self.clock.now(), self.clock.monotonic());
        let (wall_before, monotonic_before) = std::mem::replace(&mut self.compared, (wall, monotonic));
        let passed = i64::try_from((monotonic - monotonic_before).as_millis()).unwrap_or(i64::MAX);
        let jump_ms = wall.ms_since(wall_before) - passed;
        if jump_ms.unsigned_abs() < JUMP.as_millis() as u64 {
            return Ok(());
        }
        warn!(jump_ms, now = %wall, "the clock jumped (set by hand, corrected, or the machine slept)");
        // Hours of a clock that was not believed are nobody's watch: after 1970 the whole ledger would be still to come.
        let was_doubted = must_wait(wall_before, self.last_known);
        let watched_until = self.last_known.filter(|_| was_doubted).unwrap_or(wall_before);
        if let Err(error) = self.reread(wall.min(watched_until)).await {
            // The places in memory are still right but for what was recorded ahead, which the next round repeats.
            error!(%error, "cannot read the jobs again after the clock jumped");
        }
        Ok(())
    }

    /// Told once a minute, since the database may stay unwritable for hours.
    fn store_failed(&mut self, error: &StoreError) {
        let now = self.clock.monotonic();
        if self.store_told_at.is_none_or(|told| now >= told + Duration::from_secs(60)) {
            self.store_told_at = Some(now);
            error!(%error, "due fires cannot be recorded and are not sent; trying again every second");
        }
    }
}

/// At the start of a daemon: ends what nobody watched and its policy would not send any more, and takes back what is still
/// to come, unless the clock cannot be believed. What is due by now stays, whatever was shown of it.
///
/// # Errors
/// The store's.
pub async fn begin_watch(store: &dyn Store, now: UtcMs) -> Result<(), StoreError> {
    let last_known = store.last_recorded_at().await?;
    if must_wait(now, last_known) {
        return Ok(());
    }
    // A database of an earlier release has no such note unless its daemon ended in peace. A clock that stood ahead says
    // nothing of the time since.
    let watched = watched_until(store).await?.or(last_known).filter(|at| *at <= now);
    expire_unwatched(store, watched, now).await?;
    withdraw_ahead(store, now).await
}

/// At the end of a daemon: what is still to come of what was recorded ahead is decided anew by whoever runs then, unless
/// the clock cannot be believed.
///
/// # Errors
/// The store's.
pub async fn end_watch(store: &dyn Store, now: UtcMs) -> Result<(), StoreError> {
    if must_wait(now, store.last_recorded_at().await?) {
        return Ok(());
    }
    withdraw_ahead(store, now).await
}

/// Takes back what was recorded ahead and is still to come, and notes that until now somebody watched.
async fn withdraw_ahead(store: &dyn Store, now: UtcMs) -> Result<(), StoreError> {
    store.remember("", WATCHED_UNTIL, &now.to_string(), now).await?;
    store.withdraw_ahead(now).await?;
    Ok(())
}

async fn watched_until(store: &dyn Store) -> Result<Option<UtcMs>, StoreError> {
    let kept = store.recall("").await?;
    Ok(kept.iter().find(|(key, _)| key == WATCHED_UNTIL).and_then(|(_, at)| at.parse().ok()))
}

fn must_wait(now: UtcMs, last_known: Option<UtcMs>) -> bool {
    doubt(now, last_known).is_some_and(ClockDoubt::must_wait)
}
