//! What keeps history and disk within their bounds: deleting the oldest in small steps, at a quiet hour, and a word
//! before the disk is full.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing::{debug, info, warn};

use crate::clock::SharedClock;
use crate::config::DaemonSettings;
use crate::domain::{Database, Locked, Moment, UtcMs};
use crate::policy::clock_course::ClockCourse;
use crate::policy::clock_doubt::{ClockDoubt, doubt};
use crate::store::{self, Pruned, SharedStore, StoreError};

/// Fires deleted in one transaction: short enough that no push notices.
const STEP: u64 = 200;
/// Room between two steps for the pushes that are due meanwhile.
const PAUSE: Duration = Duration::from_millis(50);
/// The hours of the day, in the daemon's zone, in which history is deleted.
const QUIET: std::ops::Range<i8> = 3..5;
/// After so long it is deleted at any hour: the machine may never be up at the quiet one.
const OVERDUE: Duration = Duration::from_secs(25 * 3600);
/// What is younger stays, whatever the bounds: the ledger must know the instants that a clock set back would call for
/// again.
const YOUNG: Duration = Duration::from_secs(3600);

/// The key under which the course of the clock is kept over restarts.
const CLOCK_COURSE: &str = "clock_course";

/// The daemon folds its log every 8 MB, or at the next quiet moment; so much comes together only behind a reader.
const LONG_LOG: u64 = 256 << 20;

/// The bounds, and when they were last seen to.
pub(super) struct Retention {
    store: SharedStore,
    clock: SharedClock,
    database: Database,
    last_at: Mutex<Option<UtcMs>>,
    /// How the clock has run, and when that was looked at.
    course: Mutex<Option<(ClockCourse, Moment)>>,
    low: AtomicBool,
    /// The length at which the write-ahead log was last told to be too long.
    long_log: AtomicU64,
}

/// The disk that the database lies on, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    pub free: u64,
    pub all: u64,
}

impl Disk {
    /// A twentieth, or a gigabyte where that is less.
    fn is_low(self) -> bool {
        self.free < (self.all / 20).min(1 << 30)
    }
}

/// What whoever is not root may still write, where the database fills a disk of this machine.
pub(super) fn disk(database: &Database) -> Option<Disk> {
    let found = rustix::fs::statvfs(&store::place(database)?).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Disk { free: bytes(found.f_bavail), all: bytes(found.f_blocks) })
}

impl Retention {
    pub(super) fn new(store: SharedStore, clock: SharedClock, database: Database) -> Retention {
        Retention {
            store,
            clock,
            database,
            last_at: Mutex::default(),
            course: Mutex::default(),
            low: AtomicBool::new(false),
            long_log: AtomicU64::new(0),
        }
    }

    /// Says so when the disk is getting full, and when it has room again.
    pub(super) fn watch_disk(&self) {
        let Some(disk) = disk(&self.database) else { return };
        let told = self.low.swap(disk.is_low(), Ordering::Relaxed);
        let free_mb = disk.free / 1_000_000;
        match disk.is_low() {
            true if !told => warn!(
                free_mb,
                database = %self.database,
                "the disk is nearly full; when it is, nothing is sent any more: make room, or lower daemon.keep_history"
            ),
            false if told => info!(free_mb, "the disk has room again"),
            _ => {}
        }
    }

    /// Says so when the write-ahead log has grown far beyond what the daemon itself lets come together, again when it has
    /// doubled since, and when it is short again. Whoever reads keeps all that was written since they began from being
    /// folded into the database.
    pub(super) fn watch_log(&self) {
        let Some(log) = store::log(&self.database) else { return };
        let bytes = std::fs::metadata(&log).map_or(0, |log| log.len());
        let told_at = self.long_log.load(Ordering::Relaxed);
        let size_mb = bytes / 1_000_000;
        if bytes >= LONG_LOG && (told_at == 0 || bytes >= told_at.saturating_mul(2)) {
            self.long_log.store(bytes, Ordering::Relaxed);
            warn!(
                size_mb,
                file = %log.display(),
                "the write-ahead log grows: somebody reads the database in one long transaction (fuser -v shows who)"
            );
        } else if bytes < LONG_LOG && told_at > 0 {
            self.long_log.store(0, Ordering::Relaxed);
            info!(size_mb, "the write-ahead log is short again");
        }
    }

    /// At the start: a clock that leaps afterwards is noticed.
    pub(super) async fn look_at_clock(&self) {
        if let Err(error) = self.look().await {
            debug!(%error, "how the clock has run cannot be noted now");
        }
    }

    /// Asked every hour; does its work once a night.
    pub(super) async fn tend(&self, settings: &DaemonSettings) {
        let now = self.clock.now();
        let last_at = *self.last_at.locked();
        let is_time = is_time(now, last_at, &settings.timezone);
        match self.delete(settings, is_time).await {
            Ok(()) if is_time => *self.last_at.locked() = Some(now),
            Ok(()) => {}
            Err(error) => warn!(%error, "old history cannot be deleted now; the next try comes in an hour"),
        }
    }

    async fn delete(&self, settings: &DaemonSettings, is_time: bool) -> Result<(), StoreError> {
        // Every hour, so that a restart finds how the clock has run.
        let course = self.look().await?;
        if is_time {
            self.by_age(settings.keep_history, &course).await?;
            self.by_count(settings.max_history_rows, &course).await?;
        }
        self.by_size(settings.max_database_size, &course).await
    }

    /// Notes how the clock has run until now. By a clock that leapt ahead, and is put back one day, what was deleted could be
    /// called for again.
    async fn look(&self) -> Result<ClockCourse, StoreError> {
        let known = self.course.locked().clone();
        let now = self.clock.reading();
        let course = match known {
            Some((course, looked_at)) => course.looked(now.wall, now.moment.since(looked_at)),
            None => self.kept_course(now.wall).await?.resumed(now.wall),
        };
        // Numbers can always be written as JSON.
        let kept = serde_json::to_string(&course).unwrap_or_default();
        self.store.save_state("", CLOCK_COURSE, &kept, now.wall).await?;
        *self.course.locked() = Some((course.clone(), now.moment));
        Ok(course)
    }

    /// As an earlier process left it, or else from its last record.
    async fn kept_course(&self, now: UtcMs) -> Result<ClockCourse, StoreError> {
        let kept = self.store.load_state("").await?.into_iter().find(|(key, _)| key == CLOCK_COURSE);
        if let Some(course) = kept.and_then(|(_, kept)| serde_json::from_str(&kept).ok()) {
            return Ok(course);
        }
        Ok(ClockCourse::since(self.store.last_recorded_at().await?.unwrap_or(now)))
    }

    async fn by_age(&self, keep: Duration, course: &ClockCourse) -> Result<(), StoreError> {
        let (before, mut gone) = (course.before(keep), Pruned::default());
        while self.step(before, STEP, &mut gone).await? {}
        tell(gone, "keep_history");
        Ok(())
    }

    async fn by_count(&self, most: Option<u64>, course: &ClockCourse) -> Result<(), StoreError> {
        let Some(most) = most else { return Ok(()) };
        let excess = self.store.finished_pushes().await?.saturating_sub(most);
        let (before, mut gone) = (course.before(YOUNG), Pruned::default());
        while gone.pushes < excess && self.step(before, STEP.min(excess - gone.pushes), &mut gone).await? {}
        tell(gone, "max_history_rows");
        Ok(())
    }

    async fn by_size(&self, most: Option<u64>, course: &ClockCourse) -> Result<(), StoreError> {
        let Some(most) = most else { return Ok(()) };
        let (before, mut gone) = (course.before(YOUNG), Pruned::default());
        let mut used_bytes = self.store.database_stats().await?.used_bytes;
        while used_bytes > most && self.step(before, STEP, &mut gone).await? {
            used_bytes = self.store.database_stats().await?.used_bytes;
        }
        tell(gone, "max_database_size");
        if used_bytes > most {
            warn!(
                used_bytes,
                max_database_size = most,
                "the database stays larger than allowed: what is left is open, younger than an hour, or definitions"
            );
        }
        Ok(())
    }

    /// Deletes the oldest finished fires before an instant, at most `limit`, and leaves room for pushes. Returns whether
    /// there were any.
    async fn step(&self, before: UtcMs, limit: u64, gone: &mut Pruned) -> Result<bool, StoreError> {
        // By a clock at 2099 the whole history would be old.
        let last_known = self.store.last_recorded_at().await?;
        if doubt(self.clock.now(), last_known).is_some_and(ClockDoubt::must_wait) {
            return Ok(false);
        }
        let step = self.store.prune(before, limit).await?;
        gone.fires += step.fires;
        gone.pushes += step.pushes;
        if step.fires > 0 {
            self.clock.sleep(PAUSE).await;
        }
        Ok(step.fires > 0)
    }
}

fn tell(gone: Pruned, bound: &str) {
    if gone.fires > 0 {
        info!(fires = gone.fires, pushes = gone.pushes, bound, "old history deleted");
    }
}

fn is_time(now: UtcMs, last_at: Option<UtcMs>, timezone: &str) -> bool {
    let zone = TimeZone::get(timezone).unwrap_or(TimeZone::UTC);
    let is_quiet = QUIET.contains(&now.to_jiff().to_zoned(zone).hour());
    match last_at {
        None => true,
        // Once in a quiet hour is enough; a clock that was set back counts as overdue.
        Some(last) => now < last || now.since(last) >= OVERDUE || is_quiet && now.since(last) >= OVERDUE / 5,
    }
}

#[cfg(test)]
mod tests;
