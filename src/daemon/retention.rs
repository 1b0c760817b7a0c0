//! What keeps history and disk within their bounds: deleting the oldest in small steps, at a quiet hour, and a word
//! before the disk is full.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing::{debug, info, warn};

use crate::clock::SharedClock;
use crate::config::DaemonSettings;
use crate::domain::{Database, Moment, UtcMs};
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
pub struct Retention {
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
pub struct Disk {
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
pub fn disk(database: &Database) -> Option<Disk> {
    let found = rustix::fs::statvfs(&store::place(database)?).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Disk { free: bytes(found.f_bavail), all: bytes(found.f_blocks) })
}

impl Retention {
    pub fn new(store: SharedStore, clock: SharedClock, database: Database) -> Retention {
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
    pub fn watch_disk(&self) {
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
    pub fn watch_log(&self) {
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
    pub async fn look_at_clock(&self) {
        if let Err(error) = self.surely_now().await {
            debug!(%error, "how the clock has run cannot be noted now");
        }
    }

    /// Asked every hour; does its work once a night.
    pub async fn tend(&self, settings: &DaemonSettings) {
        let now = self.clock.now();
        let last_at = *self.last_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = is_time(now, last_at, &settings.timezone);
        match self.delete(settings, is_time).await {
            Ok(()) if is_time => *self.last_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now),
            Ok(()) => {}
            Err(error) => warn!(%error, "old history cannot be deleted now; the next try comes in an hour"),
        }
    }

    async fn delete(&self, settings: &DaemonSettings, is_time: bool) -> Result<(), StoreError> {
        // Every hour, so that a restart finds how the clock has run.
        self.surely_now().await?;
        if is_time {
            self.by_age(settings.keep_history).await?;
            self.by_count(settings.max_history_rows).await?;
        }
        self.by_size(settings.max_database_size).await
    }

    /// The hour that has surely come. By a clock that leapt ahead, and is put back one day, what was deleted could be called
    /// for again.
    async fn surely_now(&self) -> Result<UtcMs, StoreError> {
        let known = *self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.reading();
        let course = match known {
            Some((course, looked_at)) => course.looked(now.wall, now.moment.since(looked_at)),
            None => self.kept_course(now.wall).await?.resumed(now.wall),
        };
        // What cannot be written is no JSON of numbers.
        let kept = serde_json::to_string(&course).unwrap_or_default();
        self.store.save_state("", CLOCK_COURSE, &kept, now.wall).await?;
        *self.course.lock().unwrap_or_else(PoisonError::into_inner) = Some((course, now.moment));
        Ok(course.believed())
    }

    /// As an earlier process left it, or else from its last record.
    async fn kept_course(&self, now: UtcMs) -> Result<ClockCourse, StoreError> {
        let kept = self.store.load_state("").await?.into_iter().find(|(key, _)| key == CLOCK_COURSE);
        if let Some(course) = kept.and_then(|(_, kept)| serde_json::from_str(&kept).ok()) {
            return Ok(course);
        }
        Ok(ClockCourse::since(self.store.last_recorded_at().await?.unwrap_or(now)))
    }

    async fn by_age(&self, keep: Duration) -> Result<(), StoreError> {
        let (before, mut gone) = (self.surely_now().await? - keep, Pruned::default());
        while self.step(before, STEP, &mut gone).await? {}
        tell(gone, "keep_history");
        Ok(())
    }

    async fn by_count(&self, most: Option<u64>) -> Result<(), StoreError> {
        let Some(most) = most else { return Ok(()) };
        let excess = self.store.finished_pushes().await?.saturating_sub(most);
        let (before, mut gone) = (self.surely_now().await? - YOUNG, Pruned::default());
        while gone.pushes < excess && self.step(before, STEP.min(excess - gone.pushes), &mut gone).await? {}
        tell(gone, "max_history_rows");
        Ok(())
    }

    async fn by_size(&self, most: Option<u64>) -> Result<(), StoreError> {
        let Some(most) = most else { return Ok(()) };
        let (before, mut gone) = (self.surely_now().await? - YOUNG, Pruned::default());
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
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::domain::{Body, Message, Next, PushSpec, Reason, RetryPolicy, Target, Trigger};
    use crate::store::{Access, AdHoc, Settle};

    #[test]
    fn history_is_deleted_in_the_small_hours_and_at_the_latest_after_a_day() {
        let at = |text: &str| format!("2026-01-{text}:00.000Z").parse::<UtcMs>().unwrap();
        // Asia/Shanghai is eight hours ahead: its quiet hours begin at 19:00 UTC.
        let rows = [
            ("02T12:00", None, true),
            ("02T12:00", Some("02T11:00"), false),
            ("02T18:59", Some("02T11:00"), false),
            ("02T19:00", Some("02T11:00"), true),
            ("02T20:59", Some("02T19:00"), false),
            ("02T20:00", Some("01T19:30"), true),
            ("02T21:00", Some("02T11:00"), false),
            ("03T12:00", Some("02T11:00"), true),
            ("02T12:00", Some("02T13:00"), true),
        ];
        for (now, last_at, expected) in rows {
            assert_eq!(is_time(at(now), last_at.map(at), "Asia/Shanghai"), expected, "{now} {last_at:?}");
        }
    }

    #[test]
    fn a_disk_is_low_before_it_is_full() {
        let (mb, gb) = (1_u64 << 20, 1_u64 << 30);
        let rows = [
            (100 * mb, gb, false),
            (50 * mb, gb, true),
            (30 * gb, 1000 * gb, false),
            (2 * gb, 1000 * gb, false),
            (gb - 1, 1000 * gb, true),
            (0, mb, true),
        ];
        for (free, all, expected) in rows {
            assert_eq!(Disk { free, all }.is_low(), expected, "{free} of {all}");
        }
        let dir = tempfile::tempdir().unwrap();
        let disk = disk(&Database::at(dir.path())).unwrap();
        assert!(disk.all > disk.free && disk.free > 0, "{disk:?}");
    }

    #[tokio::test]
    async fn a_log_that_a_reader_keeps_is_told_when_it_is_long_and_when_it_has_doubled() {
        let bench = Bench::new().await;
        // A sparse file takes no room. It lies beside a database that nobody opens.
        let database = Database::at(bench._dir.path().join("other.db"));
        let log = store::log(&database).unwrap();
        let retention = Retention::new(bench.store.clone(), bench.clock.clone(), database);
        let at = |bytes: u64| {
            std::fs::File::create(&log).unwrap().set_len(bytes).unwrap();
            retention.watch_log();
            retention.long_log.load(Ordering::Relaxed)
        };
        retention.watch_log();
        let mb = 1 << 20;
        let rows = [(255, 0), (256, 256), (500, 256), (512, 512), (1000, 512), (2000, 2000), (100, 0), (300, 300)];
        for (bytes, told_at) in rows {
            assert_eq!(at(bytes * mb), told_at * mb, "{bytes} MiB");
        }
    }

    /// A clock on which whoever sleeps has slept, so that no time passes but what is waited for.
    struct Hasty(Arc<ManualClock>);

    #[async_trait]
    impl Clock for Hasty {
        fn now(&self) -> UtcMs {
            self.0.now()
        }

        fn monotonic(&self) -> Duration {
            self.0.monotonic()
        }

        fn boottime(&self) -> Moment {
            self.0.boottime()
        }

        async fn sleep_until(&self, until: Moment) {
            self.0.advance(until.since(self.boottime()));
        }
    }

    struct Bench {
        _dir: tempfile::TempDir,
        clock: Arc<ManualClock>,
        store: SharedStore,
        retention: Arc<Retention>,
    }

    impl Bench {
        async fn new() -> Bench {
            let dir = tempfile::tempdir().unwrap();
            let clock = ManualClock::new(UtcMs(1_767_229_200_000));
            let database = Database::at(dir.path().join("pushcron.db"));
            let store = store::open(&database, Access::Daemon, clock.now()).await.unwrap();
            let retention = Arc::new(Retention::new(store.clone(), Arc::new(Hasty(clock.clone())), database));
            Bench { _dir: dir, clock, store, retention }
        }

        /// Finished pushes of one kilobyte each.
        async fn finished(&self, count: usize) -> Vec<i64> {
            let mut ids = Vec::new();
            for _ in 0..count {
                ids.push(self.open().await);
            }
            let failed = || Next::Failed { reason: Reason::NoSender };
            let settles = ids.iter().map(|&push_id| Settle { push_id, next: failed() }).collect();
            self.store.settle(settles, self.clock.now()).await.unwrap();
            ids
        }

        async fn open(&self) -> i64 {
            let spec = PushSpec {
                im: "qq".to_owned(),
                target: Target::Group("1".to_owned()),
                account: None,
                message: Message { title: None, body: Body::Text { text: "x".repeat(1000) } },
                timeout: Duration::from_secs(5),
                retry: RetryPolicy::default(),
                render: None,
            };
            let push = AdHoc { spec, triggered_by: Trigger::Manual, chat: None };
            self.store.push_ad_hoc(push, self.clock.now()).await.unwrap()
        }

        /// The daemon starts again over the same database.
        fn restarted(&mut self) {
            let database = self.retention.database.clone();
            self.retention =
                Arc::new(Retention::new(self.store.clone(), Arc::new(Hasty(self.clock.clone())), database));
        }

        async fn exists(&self, id: i64) -> bool {
            self.store.push_state(id).await.unwrap().is_some()
        }
    }

    #[tokio::test]
    async fn beyond_a_number_the_oldest_finished_pushes_go() {
        let bench = Bench::new().await;
        let open = bench.open().await;
        let old = bench.finished(30).await;
        bench.clock.advance(Duration::from_secs(7200));
        let young = bench.finished(5).await;
        bench.retention.by_count(Some(12)).await.unwrap();
        assert_eq!(bench.store.finished_pushes().await.unwrap(), 12);
        assert!(!bench.exists(old[22]).await && bench.exists(old[23]).await);
        assert!(bench.exists(open).await, "what is open stays");
        bench.retention.by_count(Some(1)).await.unwrap();
        assert_eq!(bench.store.finished_pushes().await.unwrap(), 5, "the last hour stays");
        assert!(bench.exists(young[0]).await);
        bench.retention.by_count(None).await.unwrap();
    }

    #[tokio::test]
    async fn an_impossible_clock_makes_nothing_old() {
        let bench = Bench::new().await;
        let old = bench.finished(3).await;
        let (right, keep) = (bench.clock.now(), Duration::from_secs(86_400));
        bench.clock.step_wall_to("2099-01-01T00:00:00Z".parse().unwrap());
        bench.retention.by_age(keep).await.unwrap();
        assert!(bench.exists(old[0]).await);
        // Once it is set, what is old goes.
        bench.clock.step_wall_to(right);
        hour_by_hour(&bench, keep, 25).await;
        assert!(!bench.exists(old[0]).await);
    }

    /// As every hour, by the daemon.
    async fn hour_by_hour(bench: &Bench, keep: Duration, hours: u32) {
        for _ in 0..hours {
            bench.clock.advance(Duration::from_secs(3600));
            bench.retention.by_age(keep).await.unwrap();
        }
    }

    #[tokio::test]
    async fn by_a_clock_that_leapt_ahead_nothing_is_old_before_it_has_run_steadily_for_a_day() {
        for starts_again in [false, true] {
            let mut bench = Bench::new().await;
            let old = bench.finished(3).await;
            let (right, keep) = (bench.clock.now(), Duration::from_secs(90 * 86_400));
            hour_by_hour(&bench, keep, 1).await;
            bench.clock.step_wall_to(right + Duration::from_secs(100 * 86_400));
            bench.retention.by_age(keep).await.unwrap();
            hour_by_hour(&bench, keep, 20).await;
            if starts_again {
                // A restart under that clock proves nothing.
                bench.restarted();
            }
            hour_by_hour(&bench, keep, 3).await;
            assert!(bench.exists(old[0]).await, "{starts_again}");
            hour_by_hour(&bench, keep, 3).await;
            assert!(!bench.exists(old[0]).await, "{starts_again}: at last it is believed");
        }
    }

    #[tokio::test]
    async fn a_clock_that_leaps_every_day_is_not_steady() {
        let bench = Bench::new().await;
        let old = bench.finished(3).await;
        let keep = Duration::from_secs(90 * 86_400);
        for _ in 0..10 {
            bench.clock.step_wall_to(bench.clock.now() + Duration::from_secs(20 * 86_400));
            hour_by_hour(&bench, keep, 20).await;
        }
        assert!(bench.exists(old[0]).await);
    }

    #[tokio::test]
    async fn a_machine_that_is_off_every_night_keeps_no_more_than_others() {
        let mut bench = Bench::new().await;
        let old = bench.finished(3).await;
        let keep = Duration::from_secs(90 * 86_400);
        for _ in 0..91 {
            hour_by_hour(&bench, keep, 8).await;
            // Off for sixteen hours, which the clock that counts from the boot does not know.
            bench.clock.step_wall_to(bench.clock.now() + Duration::from_secs(16 * 3600));
            bench.restarted();
        }
        bench.retention.by_age(keep).await.unwrap();
        assert!(!bench.exists(old[0]).await);
    }

    #[tokio::test]
    async fn beyond_a_size_the_oldest_go_and_the_room_is_given_back() {
        let bench = Bench::new().await;
        let old = bench.finished(1000).await;
        bench.clock.advance(Duration::from_secs(7200));
        let before = bench.store.database_stats().await.unwrap();
        let most = before.used_bytes / 2;
        bench.retention.by_size(Some(most)).await.unwrap();
        let after = bench.store.database_stats().await.unwrap();
        assert!(after.used_bytes <= most, "{before:?} {after:?}");
        assert!(after.used_bytes + after.free_bytes.unwrap() < before.used_bytes * 3 / 4, "{before:?} {after:?}");
        assert!(!bench.exists(old[0]).await && bench.exists(old[999]).await);
    }
}
