//! Hosts that stand by for each other.

use pushcron::store::postgres::{Address, Fence, Member, PostgresStore, Turn};
use pushcron::store::{AccountState, StoreError};
use sqlx::Row;

use super::cluster::{cluster, look};
use super::proxy::Proxy;
use super::{NINE, open};

const SEAT: &str = "scheduler";

/// More turns than a silent host is waited for.
const LONG: usize = 8;

async fn member(store: &PostgresStore, name: &str) -> Member {
    Member::enter(store, name, name, SEAT, NINE).await.unwrap()
}

async fn holds(member: &mut Member) -> Fence {
    match member.turn(NINE).await {
        Turn::Holds(fence) => fence,
        other => panic!("{} does not hold it: {other:?}", member.host().id),
    }
}

/// Turns until the member holds the seat, and how many that took.
async fn turns_to_hold(member: &mut Member) -> (usize, Fence) {
    for turn in 1..=LONG {
        if let Turn::Holds(fence) = member.turn(NINE).await {
            return (turn, fence);
        }
    }
    panic!("{} never holds it", member.host().id)
}

async fn writes(store: &PostgresStore, fence: &Fence) -> bool {
    match store.under(fence.clone()).save_state("", &fence.host, "wrote", NINE).await {
        Ok(()) => true,
        Err(StoreError::NotAllowed(_)) => false,
        Err(problem) => panic!("{problem}"),
    }
}

/// C07, as far as seats go: the holder is killed for good.
#[tokio::test]
async fn c07_a_host_that_stands_by_takes_over_from_one_that_is_gone_within_six_turns() {
    let Some(cluster) = cluster() else { return };
    let store = open(&cluster.database("").await).await;
    let (mut a, mut b) = (member(&store, "a").await, member(&store, "b").await);
    let held = holds(&mut a).await;
    for _ in 0..LONG {
        assert_eq!(b.turn(NINE).await, Turn::StandsBy(Some(a.host().clone())), "its holder beats");
        assert_eq!(holds(&mut a).await, held);
    }
    drop(a);
    let (turns, taken) = turns_to_hold(&mut b).await;
    assert!((2..=6).contains(&turns), "{turns} turns");
    assert_eq!(taken.epoch, held.epoch + 1);
    assert!(!writes(&store, &held).await && writes(&store, &taken).await);
    store.close().await;
}

#[tokio::test]
async fn a_host_that_leaves_is_followed_at_once_and_a_successor_in_its_place_as_well() {
    let Some(cluster) = cluster() else { return };
    let store = open(&cluster.database("").await).await;
    let (mut a, mut b) = (member(&store, "a").await, member(&store, "b").await);
    holds(&mut a).await;
    a.leave().await.unwrap();
    let held = holds(&mut b).await;
    // The same machine starts it again after a kill.
    let mut again = member(&store, "b").await;
    let taken = holds(&mut again).await;
    assert_eq!(taken.epoch, held.epoch + 1);
    assert_eq!(b.turn(NINE).await, Turn::Lost);
    store.close().await;
}

/// C01: what the database answers to A's beats is lost, while its writer works. A rests before B takes over, and comes back as
/// another.
#[tokio::test]
async fn c01_a_host_whose_beats_are_not_answered_rests_before_another_takes_over() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let proxy = Proxy::to(cluster.socket()).await;
    let (beats, writer) = (open(&proxy.address(&address)).await, open(&address).await);
    let (mut a, mut b) = (member(&beats, "a").await, member(&writer, "b").await);
    let held = holds(&mut a).await;
    proxy.be_mute(true);
    let mut rested = Vec::new();
    for _ in 0..3 {
        match a.turn(NINE).await {
            Turn::Unheard { must_rest, .. } => rested.push(must_rest),
            other => panic!("{other:?}"),
        }
        assert_eq!(b.turn(NINE).await, Turn::StandsBy(Some(a.host().clone())));
    }
    assert_eq!(rested, [false, false, true]);
    assert!(writes(&writer, &held).await, "nobody else has the seat yet");
    let (turns, taken) = turns_to_hold(&mut b).await;
    assert!(turns <= 6, "{turns} turns");
    assert!(!writes(&writer, &held).await && writes(&writer, &taken).await);
    proxy.be_mute(false);
    let mut back = a.turn(NINE).await;
    for _ in 0..LONG {
        if back == Turn::Lost {
            break;
        }
        back = a.turn(NINE).await;
    }
    assert_eq!(back, Turn::Lost, "it learns of it once it is heard again");
    let mut again = member(&beats, "a").await;
    assert_eq!(again.turn(NINE).await, Turn::StandsBy(Some(b.host().clone())));
    assert_eq!(holds(&mut b).await, taken);
    writer.close().await;
}

/// A database that nobody reaches makes nobody lost: when it is back, whoever held the seat goes on.
#[tokio::test]
async fn a_database_that_was_away_for_all_makes_nobody_lost() {
    let Some(cluster) = cluster() else { return };
    let address: Address = cluster.database("").await;
    let proxy = Proxy::to(cluster.socket()).await;
    let store = open(&proxy.address(&address)).await;
    let (mut a, mut b) = (member(&store, "a").await, member(&store, "b").await);
    let held = holds(&mut a).await;
    assert!(matches!(b.turn(NINE).await, Turn::StandsBy(Some(_))));
    proxy.be_mute(true);
    for _ in 0..2 {
        assert!(matches!(a.turn(NINE).await, Turn::Unheard { .. }));
        assert!(matches!(b.turn(NINE).await, Turn::Unheard { .. }));
    }
    proxy.be_mute(false);
    // B is the first to be heard again, and looks as often as it may without a beat of A's.
    let mut heard = 0;
    while heard < 5 {
        match b.turn(NINE).await {
            Turn::Unheard { .. } => assert_eq!(heard, 0),
            turn => {
                assert_eq!(turn, Turn::StandsBy(Some(a.host().clone())));
                heard += 1;
            }
        }
    }
    assert_eq!(holds(&mut a).await, held);
    store.close().await;
}

/// Three hosts at random: they take turns, are killed, come back, leave, and write under whatever fence they were given last,
/// as who slept through it all would. What was written, in the order of its commits, is of one holder after another.
#[tokio::test]
async fn whoever_is_killed_or_sleeps_and_whenever_seats_are_written_for_by_one_host_after_another() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let store = open(&address).await;
    let mut outside = look(&address).await;
    let keep = "CREATE TABLE written (seq bigint GENERATED ALWAYS AS IDENTITY, epoch bigint, host text);
                CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
                  INSERT INTO written (epoch, host) VALUES (NEW.key::bigint, NEW.value); RETURN NULL; END';
                CREATE TRIGGER keep AFTER INSERT OR UPDATE ON account_state FOR EACH ROW EXECUTE FUNCTION keep()";
    sqlx::raw_sql(keep).execute(&mut outside).await.unwrap();
    let seed = std::env::var("PUSHCRON_WALK_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    eprintln!("PUSHCRON_WALK_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let names = ["a", "b", "c"];
    let mut members: [Option<Member>; 3] = [None, None, None];
    let mut fences: [Option<Fence>; 3] = [None, None, None];
    let (mut written, mut refused, mut kills) = (0, 0, 0);
    for _ in 0..1500 {
        let one = random.usize(..3);
        match (random.u8(..100), members[one].take()) {
            (_, None) => members[one] = Some(member(&store, names[one]).await),
            (0..60, Some(mut member)) => match member.turn(NINE).await {
                Turn::Lost => {}
                turn => {
                    if let Turn::Holds(fence) = turn {
                        fences[one] = Some(fence);
                    }
                    members[one] = Some(member);
                }
            },
            (60..62, Some(member)) => member.leave().await.unwrap(),
            // Killed: it neither leaves nor beats, and whatever runs on by mistake keeps its fence.
            (62..66, Some(_)) => kills += 1,
            (_, Some(member)) => {
                members[one] = Some(member);
                let Some(fence) = &fences[one] else { continue };
                let under = store.under(fence.clone());
                match under
                    .save_state("", &fence.epoch.to_string(), &format!("{} {}", fence.host, fence.incarnation), NINE)
                    .await
                {
                    Ok(()) => written += 1,
                    Err(StoreError::NotAllowed(_)) => refused += 1,
                    Err(problem) => panic!("{problem}"),
                }
            }
        }
    }
    let rows = sqlx::query("SELECT epoch, host FROM written ORDER BY seq").fetch_all(&mut outside).await.unwrap();
    let rows: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows.len(), written);
    for pair in rows.windows(2) {
        let [(before, of), (after, by)] = pair else { unreachable!() };
        assert!(before < after || (before == after && of == by), "seed {seed}: {pair:?}");
    }
    let epochs = rows.last().map_or(0, |(epoch, _)| *epoch);
    assert!(written > 50 && refused > 10 && kills > 10 && epochs > 10, "{written} {refused} {kills} {epochs}");
    store.close().await;
}
