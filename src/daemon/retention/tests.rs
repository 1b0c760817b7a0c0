use std::sync::Arc;

use super::*;
use crate::clock::{Clock, Hasty, ManualClock};
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
        let retention = Arc::new(Retention::new(store.clone(), Hasty::of(&clock), database));
        Bench { _dir: dir, clock, store, retention }
    }

    /// Finished pushes of one kilobyte each.
    async fn finished(&self, count: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.open().await);
        }
        let failed = || Next::Failed { reason: Reason::NoSender };
        let settles = ids.iter().map(|&push_id| Settle::of(push_id, failed())).collect();
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
            retry: RetryPolicy::default().into(),
            render: None,
            list: None,
            fallback: Vec::new(),
        };
        let push = AdHoc { spec, triggered_by: Trigger::Manual, chat: None };
        self.store.push_ad_hoc(push, self.clock.now()).await.unwrap()
    }

    /// The daemon starts again over the same database.
    fn restarted(&mut self) {
        let database = self.retention.database.clone();
        self.retention = Arc::new(Retention::new(self.store.clone(), Hasty::of(&self.clock), database));
    }

    async fn by_age(&self, keep: Duration) -> Result<(), StoreError> {
        self.retention.by_age(keep, &self.retention.look().await?).await
    }

    async fn by_count(&self, most: Option<u64>) -> Result<(), StoreError> {
        self.retention.by_count(most, &self.retention.look().await?).await
    }

    async fn by_size(&self, most: Option<u64>) -> Result<(), StoreError> {
        self.retention.by_size(most, &self.retention.look().await?).await
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
    bench.by_count(Some(12)).await.unwrap();
    assert_eq!(bench.store.finished_pushes().await.unwrap(), 12);
    assert!(!bench.exists(old[22]).await && bench.exists(old[23]).await);
    assert!(bench.exists(open).await, "what is open stays");
    bench.by_count(Some(1)).await.unwrap();
    assert_eq!(bench.store.finished_pushes().await.unwrap(), 5, "the last hour stays");
    assert!(bench.exists(young[0]).await);
    bench.by_count(None).await.unwrap();
}

#[tokio::test]
async fn an_impossible_clock_makes_nothing_old() {
    let bench = Bench::new().await;
    let old = bench.finished(3).await;
    let (right, keep) = (bench.clock.now(), Duration::from_secs(86_400));
    bench.clock.step_wall_to("2099-01-01T00:00:00Z".parse().unwrap());
    bench.by_age(keep).await.unwrap();
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
        bench.by_age(keep).await.unwrap();
    }
}

#[tokio::test]
async fn by_a_clock_that_stands_ahead_nothing_is_old_before_its_time_has_passed() {
    for starts_again in [false, true] {
        let mut bench = Bench::new().await;
        let old = bench.finished(3).await;
        let (right, keep) = (bench.clock.now(), Duration::from_secs(10 * 86_400));
        hour_by_hour(&bench, keep, 1).await;
        bench.clock.step_wall_to(right + Duration::from_secs(20 * 86_400));
        bench.by_age(keep).await.unwrap();
        hour_by_hour(&bench, keep, 100).await;
        if starts_again {
            // A restart under that clock proves nothing.
            bench.restarted();
        }
        hour_by_hour(&bench, keep, 138).await;
        assert!(bench.exists(old[0]).await, "{starts_again}: however long the clock has stood there");
        hour_by_hour(&bench, keep, 2).await;
        assert!(!bench.exists(old[0]).await, "{starts_again}: ten days have passed");
    }
}

#[tokio::test]
async fn a_clock_that_leaps_every_day_makes_nothing_old() {
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
async fn a_machine_that_is_off_for_long_keeps_what_it_had_and_no_more_than_that() {
    let mut bench = Bench::new().await;
    let keep = Duration::from_secs(10 * 86_400);
    let first = bench.finished(1).await[0];
    for week in 0..6 {
        hour_by_hour(&bench, keep, 5 * 24).await;
        assert!(bench.exists(first).await == (week < 2), "week {week}: ten days of running");
        bench.clock.step_wall_to(bench.clock.now() + Duration::from_secs(62 * 3600));
        bench.restarted();
        bench.finished(1).await;
    }
    assert_eq!(bench.store.finished_pushes().await.unwrap(), 3);
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
    bench.by_age(keep).await.unwrap();
    assert!(!bench.exists(old[0]).await);
}

#[tokio::test]
async fn beyond_a_size_the_oldest_go_and_the_room_is_given_back() {
    let bench = Bench::new().await;
    let old = bench.finished(1000).await;
    bench.clock.advance(Duration::from_secs(7200));
    let before = bench.store.database_stats().await.unwrap();
    let most = before.used_bytes / 2;
    bench.by_size(Some(most)).await.unwrap();
    let after = bench.store.database_stats().await.unwrap();
    assert!(after.used_bytes <= most, "{before:?} {after:?}");
    assert!(after.used_bytes + after.free_bytes.unwrap() < before.used_bytes * 3 / 4, "{before:?} {after:?}");
    assert!(!bench.exists(old[0]).await && bench.exists(old[999]).await);
}
