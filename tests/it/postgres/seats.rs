//! Who holds a seat writes for it, and nobody else does, whatever anybody believes about the time.

use pushcron::domain::UtcMs;
use pushcron::store::postgres::{Fence, Fleet, Host, PostgresStore};
use pushcron::store::{AccountState, StoreError};
use sqlx::Row;

use super::cluster::{cluster, look};
use super::{NINE, open};

const SEAT: &str = "scheduler";

async fn enter(store: &PostgresStore, name: &str) -> Host {
    store.enter(name, name, "test", NINE).await.unwrap()
}

/// Whether the holder of this fence could write.
async fn writes(store: &PostgresStore, fence: &Fence, key: &str) -> bool {
    match store.under(fence.clone()).save_state("", key, &fence.host, NINE).await {
        Ok(()) => true,
        Err(StoreError::NotAllowed(problem)) => {
            assert!(problem.contains("does not hold the seat"), "{problem}");
            false
        }
        Err(problem) => panic!("{problem}"),
    }
}

fn beat_of(fleet: &Fleet, host: &Host) -> i64 {
    fleet.hosts.iter().find(|row| row.host == *host).unwrap().beat
}

#[tokio::test]
async fn a_seat_has_one_holder_and_its_epoch_only_grows() {
    let Some(cluster) = cluster() else { return };
    let store = open(&cluster.database("").await).await;
    let (a, b) = (enter(&store, "a").await, enter(&store, "b").await);
    let first = store.take(SEAT, &a, 0, NINE).await.unwrap().expect("nobody holds it");
    assert_eq!(first.epoch, 1);
    assert_eq!(store.take(SEAT, &b, 1, NINE).await.unwrap(), None, "its holder is live");
    assert_eq!(store.take(SEAT, &b, 0, NINE).await.unwrap(), None, "that epoch is over");
    assert!(store.release(&first).await.unwrap());
    assert!(!store.release(&first).await.unwrap(), "it was given up before");
    assert!(!writes(&store, &first, "k").await, "whoever gave a seat up writes nothing for it");
    let second = store.take(SEAT, &b, 1, NINE).await.unwrap().expect("it is free");
    assert_eq!(second.epoch, 2);
    assert!(writes(&store, &second, "k").await);
    store.leave(&b).await.unwrap();
    assert!(!writes(&store, &second, "k").await);
    let third = store.take(SEAT, &a, 2, NINE).await.unwrap().expect("its holder left");
    assert_eq!(third.epoch, 3);
    store.close().await;
}

/// C01, as far as the database decides it: A hears nothing of its beats, and writes on; B takes its seat.
#[tokio::test]
async fn c01_a_host_that_is_declared_lost_writes_nothing_more_and_comes_back_as_another() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let (on_a, on_b) = (open(&address).await, open(&address).await);
    let (a, b) = (enter(&on_a, "a").await, enter(&on_b, "b").await);
    let held = on_a.take(SEAT, &a, 0, NINE).await.unwrap().unwrap();
    let seen = beat_of(&on_b.beat(&b, NINE).await.unwrap().unwrap(), &a);
    assert!(on_a.beat(&a, NINE).await.unwrap().is_some());
    assert!(!on_b.declare_lost(&a, seen).await.unwrap(), "it went on");
    assert!(writes(&on_a, &held, "before").await);
    let seen = beat_of(&on_b.fleet().await.unwrap(), &a);
    assert!(on_b.declare_lost(&a, seen).await.unwrap());
    assert!(!writes(&on_a, &held, "between").await, "nobody took the seat yet, and it is not A's any more");
    let taken = on_b.take(SEAT, &b, held.epoch, NINE).await.unwrap().expect("its holder is lost");
    assert!(!writes(&on_a, &held, "after").await && writes(&on_b, &taken, "after").await);
    assert_eq!(on_a.beat(&a, NINE).await.unwrap(), None, "it learns that it holds nothing");
    assert!(!on_b.declare_lost(&a, seen).await.unwrap(), "once is enough");
    let again = enter(&on_a, "a").await;
    assert_eq!(again.incarnation, a.incarnation + 1);
    assert!(!writes(&on_a, &held, "later").await, "what the one before held is not its own");
    let kept = on_b.load_state("").await.unwrap();
    assert_eq!(kept, [("after".to_owned(), "b".to_owned()), ("before".to_owned(), "a".to_owned())]);
    on_a.close().await;
    on_b.close().await;
}

/// C02, as far as the database decides it.
#[tokio::test]
async fn c02_a_name_belongs_to_one_host_and_its_successor_in_the_same_place() {
    let Some(cluster) = cluster() else { return };
    let store = open(&cluster.database("").await).await;
    let first = store.enter("web1", "machine1:/var/lib/pushcron", "test", NINE).await.unwrap();
    let held = store.take(SEAT, &first, 0, NINE).await.unwrap().unwrap();
    let refused = store.enter("web1", "machine2:/var/lib/pushcron", "test", NINE).await.unwrap_err();
    assert!(refused.to_string().contains("machine1:/var/lib/pushcron"), "{refused}");
    assert!(writes(&store, &held, "k").await, "whoever was refused changed nothing");
    let next = store.enter("web1", "machine1:/var/lib/pushcron", "test", NINE).await.unwrap();
    assert_eq!((next.incarnation, store.beat(&first, NINE).await.unwrap()), (2, None));
    assert!(!writes(&store, &held, "k").await, "the one before is gone");
    let own = store.take(SEAT, &next, held.epoch, NINE).await.unwrap().expect("its own seats are free at once");
    assert!(writes(&store, &own, "k").await);
    let seen = beat_of(&store.fleet().await.unwrap(), &next);
    assert!(store.declare_lost(&next, seen).await.unwrap());
    store.enter("web1", "machine2:/var/lib/pushcron", "test", NINE).await.expect("a lost host's name is free");
    store.close().await;
}

/// C05, as far as the fence decides it: a write under the old epoch and the change of hands, at the same moment. It is written
/// before the seat is another's, or not at all.
#[tokio::test]
async fn c05_a_write_commits_before_the_seat_changes_hands_or_not_at_all() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let (on_a, on_b) = (open(&address).await, open(&address).await);
    let mut outside = look(&address).await;
    // What was the epoch of the seat when a row was committed: the trigger runs as the transaction ends.
    let watch = "CREATE TABLE seen (key text, epoch bigint);
                 CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql
                   AS 'BEGIN INSERT INTO seen SELECT NEW.key, epoch FROM seats; RETURN NULL; END';
                 CREATE CONSTRAINT TRIGGER see AFTER INSERT ON account_state DEFERRABLE INITIALLY DEFERRED
                   FOR EACH ROW EXECUTE FUNCTION see()";
    sqlx::raw_sql(watch).execute(&mut outside).await.unwrap();
    let (mut epoch, mut written, mut refused) = (0, 0, 0);
    for turn in 0..200 {
        let (a, b) = (enter(&on_a, "a").await, enter(&on_b, "b").await);
        let held = on_a.take(SEAT, &a, epoch, NINE).await.unwrap().expect("the one before left");
        let key = format!("k{turn:03}");
        let change = async {
            let seen = beat_of(&on_b.fleet().await.unwrap(), &a);
            assert!(on_b.declare_lost(&a, seen).await.unwrap());
            on_b.take(SEAT, &b, held.epoch, NINE).await.unwrap().expect("its holder is lost")
        };
        let (was_written, taken) = if turn % 2 == 0 {
            tokio::join!(writes(&on_a, &held, &key), change)
        } else {
            let (taken, was_written) = tokio::join!(change, writes(&on_a, &held, &key));
            (was_written, taken)
        };
        let seen = sqlx::query("SELECT epoch FROM seen WHERE key = $1").bind(&key).fetch_optional(&mut outside);
        let seen: Option<i64> = seen.await.unwrap().map(|row| row.get(0));
        assert_eq!(seen, was_written.then_some(held.epoch), "turn {turn}");
        *if was_written { &mut written } else { &mut refused } += 1;
        on_b.leave(&b).await.unwrap();
        epoch = taken.epoch;
    }
    assert_eq!(written + refused, 200);
    assert!(written > 0, "no write came before a change of hands");
    on_a.close().await;
    on_b.close().await;
}

/// A writer that holds the seat's row and is stopped in the midst of its transaction lets go of it by the server's word.
#[tokio::test]
async fn a_writer_that_stands_still_in_its_transaction_holds_up_a_change_of_hands_for_seconds_only() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let store = open(&address).await;
    let (a, b) = (enter(&store, "a").await, enter(&store, "b").await);
    let held = store.take(SEAT, &a, 0, NINE).await.unwrap().unwrap();
    let mut stopped = look(&address).await;
    let stop = "SET idle_in_transaction_session_timeout = '5s'; BEGIN; SELECT 1 FROM seats FOR SHARE";
    sqlx::raw_sql(stop).execute(&mut stopped).await.unwrap();
    let seen = beat_of(&store.fleet().await.unwrap(), &a);
    assert!(store.declare_lost(&a, seen).await.unwrap());
    // The server's lock_timeout of 2 s ends a turn, and the session's own end comes after 5 s.
    let taken = store.take(SEAT, &b, held.epoch, UtcMs(NINE.0 + 1)).await.unwrap();
    assert_eq!(taken.expect("the lock is free").epoch, 2);
    store.close().await;
}
