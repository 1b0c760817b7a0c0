use serde_json::json;

use super::*;
use crate::answers::refusal::{Kind, Refusal};
use crate::clock::SystemClock;
use crate::domain::{Database, PushState, Trigger, UtcMs};
use crate::store::{self, Access, SharedStore, StoreError};

async fn store(dir: &tempfile::TempDir) -> SharedStore {
    let database = Database::at(dir.path().join("pushcron.db"));
    store::open(&database, Access::Write, UtcMs(0)).await.unwrap()
}

fn acts(store: &SharedStore) -> Acts<'_> {
    Acts::new(&**store, SystemClock::shared(), Actor::CommandLine { uid: 7 })
}

/// A picture of so many bytes to a group.
fn push(bytes: usize) -> AdHoc {
    use base64::Engine;
    let source = format!("base64://{}", base64::engine::general_purpose::STANDARD.encode(vec![7; bytes]));
    let message = json!({ "kind": "image", "source": source });
    let spec = json!({ "im": "qq", "target": "group:1", "message": message });
    AdHoc { spec: serde_json::from_value(spec).unwrap(), triggered_by: Trigger::Manual, chat: None }
}

#[tokio::test]
async fn a_push_is_recorded_and_followed_until_somebody_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let push_id = acts(&store).push(push(10)).await.unwrap();
    assert_eq!(store.push_state(push_id).await.unwrap(), Some(PushState::Pending));
    let rest = async || {
        acts(&store).cancel(push_id).await.unwrap();
        Ok::<_, StoreError>(true)
    };
    follow(&*store, push_id, rest).await.unwrap();
    assert_eq!(store.push_state(push_id).await.unwrap(), Some(PushState::Cancelled));
}

#[tokio::test]
async fn whoever_has_waited_enough_follows_no_longer_and_a_push_that_is_gone_is_no_wait() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let push_id = acts(&store).push(push(10)).await.unwrap();
    follow(&*store, push_id, async || Ok::<_, StoreError>(false)).await.unwrap();
    assert_eq!(store.push_state(push_id).await.unwrap(), Some(PushState::Pending));
    follow(&*store, push_id + 1, async || -> Result<bool, StoreError> { panic!("there is nothing to wait for") })
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_is_waited_for_without_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let acts = acts(&store);
    let push_id = acts.push(push(10)).await.unwrap();
    let refusal = acts.follow(&[push_id], || Ok::<_, Refusal>(false)).await.unwrap_err();
    assert_eq!(refusal.kind, Kind::OutOfReach);
    acts.cancel(push_id).await.unwrap();
    let table = acts.follow(&[push_id], || Ok::<_, Refusal>(false)).await.unwrap();
    assert_eq!(table.rows.len(), 1);
}

#[test]
fn what_was_done_is_told_to_programs_by_the_word_of_the_act_and_the_ids_of_its_pushes() {
    let fired = Done::Fired { job: "daily".into(), push_ids: vec![7, 8] };
    assert_eq!(json!(fired), json!({ "act": "fired", "job": "daily", "push_ids": [7, 8] }));
    assert_eq!(fired.push_ids(), [7, 8]);
    let resolved = Done::Resolved { push_id: 7, sent: true };
    assert_eq!(json!(resolved), json!({ "act": "resolved", "push_id": 7, "sent": true }));
    assert_eq!(resolved.push_ids(), [7]);
    let paused = Done::Paused { job: "daily".into(), changed: false };
    assert_eq!(json!(paused), json!({ "act": "paused", "job": "daily", "changed": false }));
    assert!(paused.push_ids().is_empty());
    assert_eq!(Actor::CommandLine { uid: 7 }.to_string(), "cli uid 7");
}
