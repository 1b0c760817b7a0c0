//! Verbs of another process beside those of the daemon: whoever comes second finds what the first one left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use pushcron::domain::{Body, Job, Overlap, Rule, Trigger, UtcMs};
use pushcron::store::postgres::PostgresStore;
use pushcron::store::{AdHoc, Begin, Once, OpenPush, RequestKey, Store, StoreError};

use super::cluster::cluster;
use super::{NINE, open};
use crate::store_contract::world::{change, job, push};

/// Enough that both are at work at once, whoever begins.
const PUSHES: usize = 60;

fn ad_hoc(text: &str) -> AdHoc {
    AdHoc { spec: push("group:1", text), triggered_by: Trigger::Manual, chat: None }
}

fn begin(push_id: i64) -> Begin {
    Begin { push_id, account: Arc::from("bot"), sender: "console", rule: Rule::ImDefault }
}

async fn waiting(store: &PostgresStore) -> Vec<i64> {
    let pushes = (0..PUSHES).map(|number| ad_hoc(&number.to_string())).collect();
    store.push_several(pushes, NINE).await.unwrap()
}

async fn load(store: &PostgresStore, overlap: Overlap) -> Arc<str> {
    let job = Job { overlap, ..job("tea") };
    let name = Arc::from(&*job.name);
    let change = change(job, NINE);
    store.apply_jobs(vec![change], vec![], NINE).await.unwrap();
    name
}

#[tokio::test]
async fn a_push_is_begun_or_cancelled_and_never_both() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let (daemon, verb) = (open(&address).await, open(&address).await);
    let ids = waiting(&daemon).await;
    let begins = join_all(ids.iter().map(|id| daemon.begin_attempts(vec![begin(*id)], NINE)));
    let cancels = join_all(ids.iter().rev().map(|id| verb.cancel(*id, NINE)));
    let (begun, cancelled) = join(begins, cancels).await;
    let begun: BTreeSet<i64> =
        begun.into_iter().flat_map(|begun| begun.unwrap()).map(|delivery| delivery.push_id).collect();
    let mut ended = BTreeSet::new();
    for (id, cancelled) in ids.iter().rev().zip(cancelled) {
        match cancelled {
            Ok(()) => assert!(ended.insert(*id)),
            Err(refused) => assert!(matches!(refused, StoreError::NotAllowed(_)), "{refused:?}"),
        }
    }
    assert!(begun.is_disjoint(&ended), "{begun:?} {ended:?}");
    assert_eq!(begun.len() + ended.len(), ids.len());
    let under_way: BTreeSet<i64> = daemon.interrupted().await.unwrap().into_iter().map(|push| push.push_id).collect();
    assert_eq!(under_way, begun);
    assert_eq!(verb.open_pushes().await.unwrap(), Vec::<OpenPush>::new());
    daemon.close().await;
    verb.close().await;
}

#[tokio::test]
async fn a_request_that_comes_to_two_processes_at_once_is_carried_out_once() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let (one, other) = (open(&address).await, open(&address).await);
    for key in ["a", "b", "c", "d", "e"] {
        let request = RequestKey { key: key.repeat(64), payload: "0".repeat(64) };
        let push = |store: &PostgresStore| {
            let store = store.clone();
            let request = request.clone();
            async move { store.push_once(vec![ad_hoc("once")], request, NINE).await.unwrap() }
        };
        let (first, second) = join(push(&one), push(&other)).await;
        match (first, second) {
            (Once::Recorded(ids), Once::Replayed(same)) | (Once::Replayed(same), Once::Recorded(ids)) => {
                assert_eq!(ids, same);
            }
            both => panic!("{both:?}"),
        }
    }
    assert_eq!(one.open_pushes().await.unwrap().len(), 5);
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn fires_by_hand_of_two_processes_in_one_millisecond_are_all_there_and_the_last_one_replaces_the_others() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let (one, other) = (open(&address).await, open(&address).await);
    let job = load(&one, Overlap::Replace).await;
    let fires = join_all((0..20).map(|turn| {
        let store = if turn % 2 == 0 { one.clone() } else { other.clone() };
        let job = job.clone();
        async move { store.fire_by_hand(&job, NINE).await.unwrap() }
    }));
    let ids: BTreeSet<i64> = fires.await.into_iter().flatten().collect();
    assert_eq!(ids, (1..=20).collect(), "no id is given twice, and none is left out");
    let open = other.open_pushes().await.unwrap();
    assert_eq!(open.iter().map(|push| push.id).collect::<Vec<_>>(), [20]);
    assert_eq!(open[0].due_at, UtcMs(NINE.0 + 19), "each has an instant of its own");
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn what_is_undone_gives_its_ids_back() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let store = open(&address).await;
    let before = store.push_ad_hoc(ad_hoc("before"), NINE).await.unwrap();
    let mut bad = ad_hoc("bad");
    bad.spec.timeout = Duration::ZERO;
    let refused = store.push_several(vec![ad_hoc("good"), bad], NINE).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused:?}");
    assert_eq!(store.push_ad_hoc(ad_hoc("after"), NINE).await.unwrap(), before + 1);
    let states: Vec<_> = store.open_pushes().await.unwrap().iter().map(|push| (push.id, push.attempts)).collect();
    assert_eq!(states, [(before, 0), (before + 1, 0)]);
    store.close().await;
}

#[tokio::test]
async fn a_text_with_a_character_that_no_column_holds_is_sent_as_it_is_written_down() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let store = open(&address).await;
    let id = store.push_ad_hoc(ad_hoc("a\0b"), NINE).await.unwrap();
    let delivery = store.begin_attempts(vec![begin(id)], NINE).await.unwrap().remove(0);
    assert!(matches!(&delivery.message.body, Body::Text { text } if text == "a\u{fffd}b"), "{delivery:?}");
    let again = store.interrupted().await.unwrap().remove(0);
    assert_eq!(format!("{:?}", again.delivery.unwrap()), format!("{delivery:?}"));
    store.close().await;
}
