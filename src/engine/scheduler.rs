//! The durable timer: records what is due, hands the pushes to the dispatcher, and sleeps until the next instant.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::ahead::expire_unwatched;
use super::around::around_recorded;
use super::dispatcher::Event;
use super::news::{self, Listener, News};
use super::timeline::{Plan, Timeline};
use crate::clock::SharedClock;
use crate::domain::{Decision, Job, UtcMs};
use crate::policy::clock_doubt::{ClockDoubt, doubt};
use crate::policy::schedule::{CompiledSchedule, ScheduleError};
use crate::store::{Applied, JobChange, NewFire, Recorded, SharedStore, Store, StoreError, StoredJob, WATCHED_UNTIL};

/// Jobs decided about in one transaction: small enough that no push under way waits for it noticeably.
const BATCH: usize = 500;
/// So many changed jobs hold up nobody's push noticeably.
const CHANGES_AT_ONCE: usize = 1000;
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

/// Of more jobs that vanished only the number is told.
const MOST_NAMED: usize = 20;

/// Jobs that are gone while pushes of theirs were waiting: perhaps nobody meant that.
fn tell_vanished(jobs: &[(String, usize)]) {
    if jobs.is_empty() {
        return;
    }
    let names: Vec<&str> = jobs.iter().take(MOST_NAMED).map(|(name, _)| &**name).collect();
    let more = match jobs.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let pushes: usize = jobs.iter().map(|(_, pushes)| pushes).sum();
    warn!(
        jobs = format!("{}{more}", names.join(", ")),
        cancelled_pushes = pushes,
        "jobs are gone from the configuration while pushes of theirs were waiting: these are cancelled"
    );
}

/// Why definitions could not be applied. Those from before stay in force.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("job {job}: {error}")]
    Schedule { job: String, error: ScheduleError },
}

/// Definitions that are not in force yet, each with its hash, and jobs that are to go.
#[derive(Default)]
struct Changes {
    changed: VecDeque<(Job, i64)>,
    removed: Vec<Arc<str>>,
}

impl Changes {
    fn len(&self) -> usize {
        self.changed.len() + self.removed.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn first(&self, most: usize) -> Changes {
        let changed: VecDeque<_> = self.changed.iter().take(most).cloned().collect();
        let removed = self.removed.iter().take(most - changed.len()).cloned().collect();
        Changes { changed, removed }
    }

    fn forget(&mut self, changed: usize, removed: usize) {
        self.changed.drain(..changed);
        self.removed.drain(..removed);
    }
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

    /// Puts new definitions in force. A job whose schedule is unchanged keeps its place; a changed schedule counts
    /// from now, and what the old one called for until now is settled first.
    ///
    /// Under a clock that cannot be believed nothing is put in force yet: a job would be known since 1970, and all
    /// instants since then would be missed when the clock is set. The definitions wait until it is.
    ///
    /// # Errors
    /// [`ApplyError`]; nothing has changed then, unless it says that some are in force: of very many changes those after
    /// the first thousand are tried again until the database can be written.
    pub async fn apply(&mut self, jobs: Vec<(Job, i64)>) -> Result<Applied, ApplyError> {
        if must_wait(self.clock.now(), self.last_known) {
            warn!(jobs = jobs.len(), "definitions wait until the clock is set");
            self.postponed = Some(jobs);
            return Ok(Applied::default());
        }
        self.postponed = None;
        self.unfinished = Changes::default();
        // What is settled below was not still to come, whatever the clock shows next.
        self.last_known = Some(self.clock.now());
        self.put_in_force(jobs).await
    }

    async fn apply_postponed(&mut self) -> Result<(), StoreError> {
        let Some(jobs) = self.postponed.clone() else { return Ok(()) };
        match self.put_in_force(jobs).await {
            Ok(Applied { added, changed, removed, .. }) => {
                info!(added, changed, removed, "the definitions that waited for the clock are in force");
            }
            Err(ApplyError::Store(error)) => return Err(error),
            Err(error) => error!(%error, "the definitions that waited for the clock are refused"),
        }
        self.postponed = None;
        Ok(())
    }

    async fn apply_unfinished(&mut self) -> Result<(), StoreError> {
        if self.unfinished.is_empty() {
            return Ok(());
        }
        match self.finish().await {
            Ok(Applied { added, changed, removed, .. }) => {
                info!(added, changed, removed, "the rest of the new definitions is in force");
            }
            Err(ApplyError::Store(error)) => return Err(error),
            Err(error) => {
                error!(%error, "the rest of the new definitions is refused");
                self.unfinished = Changes::default();
            }
        }
        Ok(())
    }

    async fn put_in_force(&mut self, jobs: Vec<(Job, i64)>) -> Result<Applied, ApplyError> {
        let mut kept: HashSet<Arc<str>> = HashSet::with_capacity(jobs.len());
        let mut changed = VecDeque::new();
        for (job, definition_hash) in jobs {
            if let Some(known) = self.timeline.get(&job.name) {
                kept.insert(known.name.clone());
                if known.definition_hash == definition_hash {
                    continue;
                }
            }
            // All of them before any of them: the first refusal changes nothing.
            self.timeline
                .compile(&job.schedule, &job.timezone, job.dst_gap)
                .map_err(|error| ApplyError::Schedule { job: job.name.clone(), error })?;
            changed.push_back((job, definition_hash));
        }
        let removed = self.timeline.names().filter(|name| !kept.contains(*name)).cloned().collect();
        self.unfinished = Changes { changed, removed };
        let all = self.unfinished.len();
        self.finish().await.map_err(|error| match error {
            ApplyError::Store(error) if self.unfinished.len() < all => {
                let done = all - self.unfinished.len();
                ApplyError::Store(StoreError::Unavailable(format!(
                    "{error}; {done} of {all} changed jobs are in force already, and the others follow once it can be written"
                )))
            }
            error => {
                self.unfinished = Changes::default();
                error
            }
        })
    }

    /// Makes changes durable: so many that the pushes of a moment can wait for them in one transaction, all or none, and
    /// more of them one part after the other, each whole for its jobs. Nothing is decided in between, so that all of them
    /// hold from the same instant on. Who is killed between two parts reads the files again; where the database fails
    /// there, the rest is tried again with each round.
    async fn finish(&mut self) -> Result<Applied, ApplyError> {
        let now = self.clock.now();
        let mut all = Applied::default();
        while !self.unfinished.is_empty() {
            let part = self.unfinished.first(CHANGES_AT_ONCE);
            let (changed, removed) = (part.changed.len(), part.removed.len());
            let Applied { added, changed: renewed, removed: gone, cancelled, cancelled_of, withdrawn } =
                self.put_part(part, now).await?;
            self.unfinished.forget(changed, removed);
            (all.added, all.changed, all.removed) = (all.added + added, all.changed + renewed, all.removed + gone);
            all.cancelled.extend(cancelled);
            all.cancelled_of.extend(cancelled_of);
            all.withdrawn.extend(withdrawn);
        }
        Ok(all)
    }

    async fn put_part(&mut self, part: Changes, now: UtcMs) -> Result<Applied, ApplyError> {
        let Changes { changed, removed } = part;
        let mut outgoing = removed.clone();
        let mut changes = Vec::with_capacity(changed.len());
        for (job, definition_hash) in changed {
            let schedule = self
                .timeline
                .compile(&job.schedule, &job.timezone, job.dst_gap)
                .map_err(|error| ApplyError::Schedule { job: job.name.clone(), error })?;
            let known = self.timeline.get(&job.name);
            let keeps_place = known.is_some_and(|known| Arc::ptr_eq(&known.schedule, &schedule));
            let next_due_at = match known {
                Some(known) if keeps_place => known.place_at(now),
                _ => first_after(&schedule, now),
            };
            outgoing.extend(known.filter(|_| !keeps_place).map(|known| known.name.clone()));
            changes.push(JobChange { job, definition_hash, next_due_at, keeps_place });
        }
        self.close_definitions(outgoing, now).await?;
        let scheduled: Vec<StoredJob> = changes.iter().map(|change| scheduled(change, &self.timeline, now)).collect();
        let applied = self.store.apply_jobs(changes, removed.clone(), now).await?;
        tell_vanished(&applied.cancelled_of);
        for name in &removed {
            self.timeline.remove(name);
        }
        for job in scheduled {
            self.timeline.put(job, now).map_err(|(job, error)| ApplyError::Schedule { job, error })?;
        }
        // The dispatcher ends only after the scheduler.
        if !removed.is_empty() {
            let _ = self.dispatcher.send(Event::JobsRemoved(removed));
        }
        let gone: Vec<i64> = applied.cancelled.iter().chain(&applied.withdrawn).copied().collect();
        if !gone.is_empty() {
            let _ = self.dispatcher.send(Event::Dropped(gone));
        }
        Ok(applied)
    }

    /// Settles what these jobs' definitions called for until now: nobody watched those instants, and the definition that
    /// would have fired is gone. Each transaction is whole for its jobs: who is killed between two of them goes on with
    /// the others where they stood.
    async fn close_definitions(&mut self, mut names: Vec<Arc<str>>, now: UtcMs) -> Result<(), ApplyError> {
        while !names.is_empty() {
            let (closing, taken) = self.timeline.plan_closing(&names, now, "definition_changed");
            // Another process paused or resumed the stale ones, and withdrew what was recorded ahead.
            let stale = self.record(closing, now).await?;
            names.drain(..taken);
            names.extend(stale);
        }
        Ok(())
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

/// The job that [`Timeline::put`] is given for a change that was made durable.
fn scheduled(change: &JobChange, timeline: &Timeline, now: UtcMs) -> StoredJob {
    let JobChange { job, definition_hash, next_due_at, .. } = change;
    StoredJob {
        name: job.name.as_str().into(),
        schedule: job.schedule.clone(),
        timezone: job.timezone.clone(),
        dst_gap: job.dst_gap,
        enabled: job.enabled,
        paused: timeline.get(&job.name).is_some_and(|known| known.is_paused()),
        misfire: job.misfire.clone(),
        overlap: job.overlap,
        next_due_at: *next_due_at,
        definition_hash: *definition_hash,
        revision: 0,
        loaded_at: now,
    }
}

/// Where the ledger of a schedule begins that is in force from `now` on.
fn first_after(schedule: &CompiledSchedule, now: UtcMs) -> Option<UtcMs> {
    schedule.next_called_after(now).map(|called| called.at)
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
