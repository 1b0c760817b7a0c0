//! prune, checkpoint, backup, close.

use std::sync::Arc;

use pushcron::domain::{Body, Decision, Job, Media, Next, PushState, Reason, Trigger};
use pushcron::store::{AdHoc, NewFire, Pruned, Restored, StoreError};

use crate::store_contract::world::{World, at, cursor, fire, job};

pub(super) async fn pruning_takes_old_finished_fires_in_steps(world: Arc<World>) {
    // Older than the bystander, so that it is not among them.
    let old = job("old");
    world.load(&old, at(-1000)).await;
    let mut pushes = Vec::new();
    for i in 0..5 {
        let id = world.fire(&old, at(-1000 + i)).await.pushes.remove(0).id;
        let delivery = world.begin(id, at(-900)).await;
        world.store.finish_attempts(vec![crate::store_contract::world::sent(&delivery, at(-900))]).await.unwrap();
        pushes.push(id);
    }
    let before = at(-996);
    assert_eq!(world.store.prune(before, 3).await.unwrap(), Pruned { fires: 3, pushes: 3 });
    assert_eq!(world.store.prune(before, 3).await.unwrap().fires, 1);
    assert_eq!(world.store.prune(before, 3).await.unwrap().fires, 0);
    for id in &pushes[..4] {
        assert_eq!(world.store.push_state(*id).await.unwrap(), None);
    }
    assert_eq!(world.state(pushes[4]).await, PushState::Sent);
}

pub(super) async fn pruning_spares_what_is_open(world: Arc<World>) {
    let old = job("old");
    world.load(&old, at(-1000)).await;
    let id = world.fire(&old, at(-1000)).await.pushes.remove(0).id;
    assert_eq!(world.store.prune(at(-100), 10).await.unwrap().fires, 0);
    world.store.cancel(id, at(-900)).await.unwrap();
    assert_eq!(world.store.prune(at(-100), 10).await.unwrap().fires, 1);
    // A job that left long ago goes with the last of its history.
    world.store.apply_jobs(vec![], vec![Arc::from("old")], at(-800)).await.unwrap();
    world.store.prune(at(-100), 10).await.unwrap();
    world.load(&old, at(0)).await;
    assert_eq!(world.stored("old").await.revision, 1);
}

pub(super) async fn pruning_notes_how_far_it_came_and_leaves_a_gap_that_reaches_on(world: Arc<World>) {
    let pruned_until = async || world.store.ledger_jobs(Some("old"), "", 1).await.unwrap()[0].pruned_until;
    let old = job("old");
    world.load(&old, at(-1000)).await;
    let missed = |due: i64, until: i64| NewFire {
        decision: Decision::Missed,
        reason: Some(Reason::MisfireWindow),
        count: (until - due + 1) as u64,
        until_at: Some(at(until)),
        ..fire(&old, at(due))
    };
    let fires = vec![missed(-1000, -901), missed(-900, -101)];
    world.store.record_fires(fires, vec![cursor(&old, at(-1000), at(-100))], at(-100)).await.unwrap();
    world.load(&Job { enabled: false, ..old.clone() }, at(-100)).await;

    assert_eq!(world.store.prune(at(-950), 10).await.unwrap().fires, 0);
    assert_eq!(pruned_until().await, None);
    assert_eq!(world.store.prune(at(-200), 10).await.unwrap().fires, 1);
    assert_eq!(pruned_until().await, Some(at(-901)));
    assert_eq!(world.store.revisions("old").await.unwrap().len(), 2, "the gap still needs its definition");
    assert_eq!(world.store.prune(at(-9), 10).await.unwrap().fires, 1);
    assert_eq!(pruned_until().await, Some(at(-101)));
    world.store.prune(at(-8), 10).await.unwrap();
    assert_eq!(pruned_until().await, Some(at(-101)));
}

pub(super) async fn pruning_forgets_media_that_nothing_needs(world: Arc<World>) {
    let [in_use, forgotten, fresh] = [b"in use", b"nobody", b"recent"].map(|bytes| bytes.to_vec());
    let in_use = world.store.put_blob(in_use, at(-1000)).await.unwrap();
    let forgotten = world.store.put_blob(forgotten, at(-1000)).await.unwrap();
    let fresh = world.store.put_blob(fresh, at(-50)).await.unwrap();
    let mut picture = job("picture");
    picture.push[0].message.body = Body::Image(Media { source: format!("blob:{in_use}"), ..Media::default() });
    world.load(&picture, at(0)).await;
    world.store.prune(at(-5), 10).await.unwrap();
    let kept = async |id: &str| world.store.blob(id).await.unwrap().is_some();
    assert!(kept(&in_use).await);
    assert!(!kept(&forgotten).await);
    assert!(!kept(&fresh).await);

    // Taken out of its job, it stays as long as the history that may need it.
    world.store.apply_jobs(vec![], vec![Arc::from("picture")], at(50)).await.unwrap();
    world.store.prune(at(-5), 10).await.unwrap();
    assert!(kept(&in_use).await);
}

pub(super) async fn media_are_looked_for_in_every_definition_and_every_open_push(world: Arc<World>) {
    // More jobs than one question reads, each with a medium of its own.
    let picture = |id: &str| Body::Image(Media { source: format!("blob:{id}"), ..Media::default() });
    let mut in_use = Vec::new();
    let mut changes = Vec::new();
    for i in 0..2_100_u32 {
        let id = world.store.put_blob(i.to_be_bytes().to_vec(), at(-1000)).await.unwrap();
        let mut job = job(&format!("job{i:05}"));
        job.push[0].message.body = picture(&id);
        changes.push(crate::store_contract::world::change(job, at(0)));
        in_use.push(id);
    }
    world.store.apply_jobs(changes, vec![], at(-900)).await.unwrap();
    let mut waits = job("waits").push.remove(0);
    let by_hand = world.store.put_blob(b"by hand".to_vec(), at(-1000)).await.unwrap();
    waits.message.body = picture(&by_hand);
    let push = AdHoc { spec: waits, triggered_by: Trigger::Manual, chat: None };
    let waiting = world.store.push_ad_hoc(push, at(-900)).await.unwrap();
    let mut forgotten = Vec::new();
    for i in 0..20 {
        forgotten.push(world.store.put_blob(vec![i], at(-1000)).await.unwrap());
    }
    let kept = async |id: &str| world.store.blob(id).await.unwrap().is_some();
    world.store.prune(at(-5), 10).await.unwrap();
    for id in [&in_use[0], &in_use[2_099], &by_hand] {
        assert!(kept(id).await);
    }
    for id in &forgotten {
        assert!(!kept(id).await);
    }
    world.store.cancel(waiting, at(-800)).await.unwrap();
    world.store.prune(at(-5), 10).await.unwrap();
    assert!(!kept(&by_hand).await);
}

pub(super) async fn a_backup_is_a_whole_store(world: Arc<World>) {
    let id = world.ended("daily", Next::Sent).await;
    let path = world.backend.scratch().join("copy.db");
    world.store.backup(&path, at(9)).await.unwrap();
    let later = world.ended("later", Next::Sent).await;
    let copy = world.backend.open_backup(path, at(9)).await;
    assert_eq!(copy.push_state(id).await.unwrap(), Some(PushState::Sent));
    assert_eq!(copy.push_state(later).await.unwrap(), None);
    assert_eq!(copy.jobs().await.unwrap().len(), 2);
}

pub(super) async fn a_backup_never_overwrites(world: Arc<World>) {
    let path = world.backend.scratch().join("precious");
    std::fs::write(&path, "mine").unwrap();
    let error = world.store.backup(&path, at(0)).await.unwrap_err();
    assert!(error.to_string().contains("precious"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

pub(super) async fn a_checkpoint_disturbs_nothing(world: Arc<World>) {
    let id = world.ended("daily", Next::Sent).await;
    world.store.checkpoint().await.unwrap();
    world.store.checkpoint().await.unwrap();
    assert_eq!(world.state(id).await, PushState::Sent);
}

pub(super) async fn the_figures_tell_what_is_unresolved_and_how_large_it_is(world: Arc<World>) {
    let finished = world.store.finished_pushes().await.unwrap();
    let id = world.ended("lost", Next::Unknown { reason: Reason::Unknown }).await;
    world.ended("failed", Next::Failed { reason: Reason::Rejected }).await;
    world.waiting("waiting").await;
    let stats = world.store.database_stats().await.unwrap();
    assert_eq!(stats.unknown_pushes, 1);
    assert!(stats.used_bytes > 10_000, "{stats:?}");
    assert_eq!(world.store.finished_pushes().await.unwrap(), finished + 2);
    world.store.resolve(id, true, at(9)).await.unwrap();
    assert_eq!(world.store.database_stats().await.unwrap().unknown_pushes, 0);
}

pub(super) async fn a_closed_store_says_so(world: Arc<World>) {
    world.store.close().await;
    let error = world.store.cancel(1, at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(matches!(world.store.jobs().await.unwrap_err(), StoreError::Unavailable(_)));
    world.store.close().await;
}

pub(super) async fn a_restored_backup_repeats_nothing(world: Arc<World>) {
    assert_eq!(world.store.restored().await.unwrap(), None);
    let waiting = world.waiting("waiting").await.id;
    let sending = world.waiting("sending").await.id;
    let key = world.begin(sending, at(0)).await.key;
    let later = world.ended("later", Next::Retry { at: at(7200), reason: Reason::Throttled }).await;
    let path = world.backend.scratch().join("copy.db");
    world.store.backup(&path, at(9)).await.unwrap();

    // An hour later the copy is put in the place of the original.
    let copy = world.backend.open_backup(path.clone(), at(3600)).await;
    let span = Restored { taken_at: at(9), restored_at: at(3600) };
    assert_eq!(copy.restored().await.unwrap(), Some(span));
    for id in [waiting, sending] {
        assert_eq!(copy.push_state(id).await.unwrap(), Some(PushState::Unknown), "it may have been sent since");
    }
    assert!(copy.interrupted().await.unwrap().is_empty());
    assert_eq!(copy.push_state(later).await.unwrap(), Some(PushState::Retrying), "its time has not come");
    copy.retry(sending, at(3600)).await.unwrap();
    let delivery =
        copy.begin_attempts(vec![crate::store_contract::world::begin(sending)], at(3600)).await.unwrap().remove(0);
    assert_ne!(delivery.key, key, "the two databases must not be mistaken for one");
    copy.close().await;

    // It is restored once, not at every start.
    let again = world.backend.open_backup(path, at(5000)).await;
    assert_eq!(again.restored().await.unwrap(), Some(span));
    assert_eq!(again.push_state(sending).await.unwrap(), Some(PushState::Sending));
    assert_eq!(world.store.restored().await.unwrap(), None);
}
