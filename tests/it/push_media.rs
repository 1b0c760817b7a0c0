//! Media of many pushes at once: what is read once, what lies on the disk, and who waits for whom.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::common::fake_im::{Answer, FakeIm};
use crate::common::world::{START, World, account, cron, job};
use pushcron::clock::{Clock, ManualClock, SharedClock};
use pushcron::domain::job::Trigger;
use pushcron::domain::{Body, Database, Delivery, Media, Message, Outcome, RetryPolicy, Target, UtcMs};
use pushcron::engine::push_media::PushMedia;
use pushcron::media::Settings;
use pushcron::store::{self, Access};
use tokio::sync::Notify;

const BLOCK: usize = 4096;

struct Place {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    media: Arc<PushMedia>,
}

impl Place {
    async fn with_room_for(bytes: usize) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(START);
        let path = dir.path().join("pushcron.db");
        let store = store::open(&Database::at(&path), Access::Daemon, clock.now()).await.unwrap();
        let settings = Settings {
            roots: vec![dir.path().to_owned()],
            max_bytes: 10 * BLOCK as u64,
            allow_private: true,
            forbidden: Vec::new(),
            temp_dir: dir.path().join("media"),
            deadline: Duration::from_secs(60),
        };
        let media = Arc::new(PushMedia::within(bytes as u64, settings, clock.clone() as SharedClock, store));
        Place { dir, clock, media }
    }

    /// The bytes of all copies on the disk, in whole blocks.
    fn on_disk(&self) -> usize {
        fn below(dir: &Path) -> usize {
            let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
            let len = |entry: std::fs::DirEntry| match entry.metadata() {
                Ok(found) if found.is_dir() => below(&entry.path()),
                Ok(found) => usize::try_from(found.len()).unwrap().next_multiple_of(BLOCK),
                Err(_) => 0,
            };
            entries.flatten().map(len).sum()
        }
        below(&self.dir.path().join("media"))
    }

    async fn until(&self, what: &str, done: impl Fn(&Place) -> bool) {
        let look = async {
            while !done(self) {
                let _ = tokio::time::timeout(Duration::from_millis(2), std::future::pending::<()>()).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), look).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    fn resolving(&self, delivery: &Delivery) -> tokio::task::JoinHandle<Result<Vec<u8>, String>> {
        let (media, delivery) = (self.media.clone(), delivery.clone());
        tokio::spawn(async move {
            match media.with_media(&delivery, "").await {
                Ok(with_media) => Ok(std::fs::read(&with_media.unwrap().media[0].path).unwrap()),
                Err(report) => Err(report.error.unwrap()),
            }
        })
    }
}

fn delivery(push_id: i64, due_at: UtcMs, source: &str) -> Delivery {
    Delivery {
        push_id,
        attempt: 1,
        key: format!("key-{push_id}"),
        job: Some("j".into()),
        triggered_by: Trigger::Cron,
        due_at,
        im: "chat".into(),
        target: Target::User("u".into()),
        message: Message { title: None, body: Body::File(Media { source: source.to_owned(), ..Media::default() }) },
        media: Vec::new(),
        timeout: Duration::from_secs(30),
        retry: RetryPolicy::default(),
        max_attempts: 5,
        expires_at: due_at + Duration::from_secs(3600),
        made_at: due_at,
        parts: Vec::new(),
        unmade: None,
    }
}

#[tokio::test]
async fn a_hundred_pushes_of_one_fire_read_a_source_once_and_the_next_fire_reads_it_anew() {
    let (place, im) = (Place::with_room_for(1000 * BLOCK).await, FakeIm::start().await);
    let gate = Arc::new(Notify::new());
    im.script("/report", [Answer::text(200, "old").held(&gate), Answer::text(200, "new")]);
    let source = im.url("/report");
    let early: Vec<_> = (0..50).map(|id| place.resolving(&delivery(id, START, &source))).collect();
    im.wait_for_requests(1).await;
    gate.notify_one();
    for task in early {
        assert_eq!(task.await.unwrap().unwrap(), b"old");
    }
    // One after another, as the pace of an account has it, the former ones done.
    for id in 50..100 {
        place.media.release(id - 1);
        assert_eq!(place.resolving(&delivery(id, START, &source)).await.unwrap().unwrap(), b"old");
    }
    assert_eq!(im.requests().len(), 1);
    assert_eq!(place.on_disk(), BLOCK, "and one copy of it lies on the disk");
    let next = delivery(100, START + Duration::from_secs(1), &source);
    assert_eq!(place.resolving(&next).await.unwrap().unwrap(), b"new");
    assert_eq!(im.requests().len(), 2);
}

#[tokio::test]
async fn media_of_waiting_pushes_stay_within_their_room_and_are_read_again_when_due() {
    const ROOM: usize = 40 * BLOCK;
    let (place, im) = (Place::with_room_for(ROOM).await, FakeIm::start().await);
    im.on("", Answer::text(200, vec![7; 5 * BLOCK]));
    let push = |id: i64| delivery(id, START, &im.url(&format!("/{id}")));
    for id in 0..100 {
        assert_eq!(place.resolving(&push(id)).await.unwrap().unwrap().len(), 5 * BLOCK);
        place.media.set_aside(id);
        assert!(place.on_disk() <= ROOM && place.media.bytes_in_use() <= ROOM as u64, "after {id}");
    }
    place.until("the last is set aside", |place| place.on_disk() > 0).await;
    let requests = im.requests().len();
    assert_eq!(requests, 100);
    place.resolving(&push(0)).await.unwrap().unwrap();
    assert_eq!(im.requests().len(), requests + 1, "its file had gone");
    place.media.release(0);
    place
        .until("all files go a minute after their last use", |place| {
            place.clock.advance(Duration::from_secs(60));
            place.on_disk() == 0
        })
        .await;
    assert_eq!(place.media.bytes_in_use(), 0);
}

#[tokio::test]
async fn who_finds_no_room_waits_for_it_and_a_large_one_goes_alone() {
    let (place, im) = (Place::with_room_for(8 * BLOCK).await, FakeIm::start().await);
    im.on("", Answer::text(200, vec![7; 9 * BLOCK]));
    let push = |id: i64| delivery(id, START, &im.url(&format!("/{id}")));
    place.resolving(&push(1)).await.unwrap().unwrap();
    let second = place.resolving(&push(2));
    place.media.set_aside(1);
    second.await.unwrap().unwrap();
    place.until("the first has gone", |place| place.on_disk() == 9 * BLOCK).await;
    assert_eq!(im.requests().len(), 2);
}

#[tokio::test]
async fn who_stops_waiting_stops_nobody_else() {
    let (place, im) = (Place::with_room_for(1000 * BLOCK).await, FakeIm::start().await);
    let gate = Arc::new(Notify::new());
    im.script("/slow", [Answer::text(200, "x").held(&gate), Answer::text(200, "x")]);
    let source = im.url("/slow");
    let first = place.resolving(&delivery(1, START, &source));
    im.wait_for_requests(1).await;
    let others: Vec<_> = (2..10).map(|id| place.resolving(&delivery(id, START, &source))).collect();
    first.abort();
    for other in others {
        assert_eq!(other.await.unwrap().unwrap(), b"x");
    }
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_wait_for_it_and_by_nobody_after() {
    let (place, im) = (Place::with_room_for(1000 * BLOCK).await, FakeIm::start().await);
    let gate = Arc::new(Notify::new());
    im.script("/x", [Answer::status(503).held(&gate), Answer::text(200, "x")]);
    let source = im.url("/x");
    let waiting = (1..9).map(|id| {
        let (media, delivery) = (place.media.clone(), delivery(id, START, &source));
        async move { media.with_media(&delivery, "").await.err() }
    });
    let release = async {
        im.wait_for_requests(1).await;
        gate.notify_one();
    };
    let (failed, ()) = tokio::join!(futures_util::future::join_all(waiting), release);
    for report in failed {
        assert_eq!(report.expect("all share the failure").outcome, Outcome::Unreachable);
    }
    assert_eq!(im.requests().len(), 1);
    assert_eq!(place.resolving(&delivery(1, START, &source)).await.unwrap().unwrap(), b"x");
}

#[tokio::test]
async fn what_a_killed_process_left_goes_at_the_start_of_the_next() {
    let place = Place::with_room_for(BLOCK).await;
    assert!(!place.dir.path().join("media").exists(), "a start without media makes no directory");
    let left = place.dir.path().join("media/media-dead");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("copy"), "x").unwrap();
    let store = store::open(&Database::at(place.dir.path().join("other.db")), Access::Daemon, START).await.unwrap();
    let settings = Settings {
        roots: Vec::new(),
        max_bytes: 1,
        allow_private: false,
        forbidden: Vec::new(),
        temp_dir: place.dir.path().join("media"),
        deadline: Duration::from_secs(1),
    };
    let _media = PushMedia::new(settings, place.clock.clone() as SharedClock, store);
    place.until("the leftover goes", |_| !left.exists()).await;
}

#[tokio::test]
async fn media_that_cannot_be_stored_stop_no_text() {
    let mut world = World::new(vec![account("a", true)]).await;
    // Nothing can be written where the copies belong.
    std::fs::write(world.dir.path().join("media"), "in the way").unwrap();
    std::fs::write(world.dir.path().join("a.txt"), "x").unwrap();
    let mut pictures = job("pictures", cron("* * * * *"));
    let source = world.dir.path().join("a.txt").display().to_string();
    pictures.push = (0..8)
        .map(|_| {
            let mut push = pictures.push[0].clone();
            push.message.body = Body::File(Media { source: source.clone(), ..Media::default() });
            push
        })
        .collect();
    let words = job("words", cron("30 1 * * *"));
    world.load(&[pictures, words]).await;
    world.pass(Duration::from_secs(60)).await;
    world.expect("select count(*) > 5 from attempts where outcome = 'unreachable'", &[&["1"]]).await;
    world.pass(Duration::from_secs(29 * 60)).await;
    let words =
        "select p.state, p.attempts, p.snoozed from pushes p join fires f on f.id = p.fire_id where f.job = 'words'";
    let words = words.replace(", p.snoozed", "");
    world.expect(&words, &[&["sent", "1"]]).await;
    let health = "select count(*) from accounts where cooldown_until is not null or online = 0";
    world.expect(health, &[&["0"]]).await;
}
