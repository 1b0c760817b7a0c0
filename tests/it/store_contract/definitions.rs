//! apply_jobs, jobs, set_paused.

use std::sync::Arc;

use pushcron::domain::job::DstGap;
use pushcron::domain::{Job, Misfire, MisfirePolicy, Next, Overlap, PushState, Schedule};
use pushcron::store::{Applied, JobChange, StoreError};

use crate::store_contract::world::{World, at, change, cursor, fire, job, sent};

pub(super) async fn a_job_reads_back_as_it_was_loaded(world: Arc<World>) {
    let mut daily = job("日报 'daily'");
    daily.schedule = Schedule::Cron("0 9 * * 1-5".to_owned());
    daily.enabled = false;
    daily.overlap = Overlap::Replace;
    daily.dst_gap = DstGap::Skip;
    daily.misfire = Misfire { policy: MisfirePolicy::All, max: 7, ..Misfire::default() };
    let applied = world.store.apply_jobs(vec![change(daily.clone(), at(60))], vec![], at(0)).await.unwrap();
    assert_eq!(applied, Applied { added: 1, ..Applied::default() });

    let stored = world.stored(&daily.name).await;
    assert_eq!(stored.schedule, daily.schedule);
    assert_eq!(stored.timezone, daily.timezone);
    assert_eq!(stored.dst_gap, DstGap::Skip);
    assert!(!stored.enabled && !stored.paused);
    assert_eq!(stored.misfire, daily.misfire);
    assert_eq!(stored.overlap, Overlap::Replace);
    assert_eq!(stored.next_due_at, Some(at(60)));
    assert_eq!(stored.definition_hash, change(daily, at(60)).definition_hash);
    assert_eq!((stored.revision, stored.loaded_at), (1, at(0)));
}

pub(super) async fn a_change_makes_a_new_revision_and_moves_the_place(world: Arc<World>) {
    let mut daily = job("daily");
    world.load(&daily, at(0)).await;
    world.fire(&daily, at(0)).await;
    // Two more are recorded ahead; the change withdraws them.
    let fires = vec![fire(&daily, at(1)), fire(&daily, at(2))];
    let ahead = world.store.record_fires(fires, vec![cursor(&daily, at(1), at(3))], at(0)).await.unwrap().pushes;

    daily.schedule = Schedule::Every(5000);
    let applied = world.store.apply_jobs(vec![change(daily, at(5))], vec![], at(0)).await.unwrap();
    assert_eq!((applied.added, applied.changed, applied.removed), (0, 1, 0));
    assert_eq!(applied.withdrawn, ahead.iter().map(|push| push.id).collect::<Vec<_>>());
    assert!(applied.cancelled.is_empty());
    let stored = world.stored("daily").await;
    assert_eq!((stored.revision, stored.loaded_at, stored.next_due_at), (2, at(0), Some(at(5))));
    assert_eq!(world.open_ids().await.len(), 1, "what was due before the change is still sent");
}

pub(super) async fn a_change_ends_what_earlier_revisions_held_later_than_it(world: Arc<World>) {
    let mut daily = job("daily");
    let load = |daily: &Job, now| world.store.apply_jobs(vec![change(daily.clone(), at(100))], vec![], at(now));
    for (now, seconds) in [(0, 5), (60, 5), (90, 7)] {
        daily.schedule = Schedule::Every(seconds * 1000);
        load(&daily, now).await.unwrap();
    }
    // The clock was put back behind the end of the first, and a fourth comes.
    daily.enabled = false;
    load(&daily, 30).await.unwrap();
    let revisions = world.store.revisions("daily").await.unwrap();
    let ends: Vec<_> = revisions.iter().map(|revision| (revision.from_at, revision.until_at)).collect();
    let (first, second) = ((at(0), Some(at(30))), (at(60), Some(at(30))));
    assert_eq!(ends, [first, second, (at(90), Some(at(30))), (at(30), None)]);
}

pub(super) async fn a_change_of_the_text_alone_keeps_an_earlier_place(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(3)).await;
    let keeping = |place| JobChange { keeps_place: true, ..change(daily.clone(), place) };
    for (told, place) in [(5, 3), (2, 2), (4, 2)] {
        world.store.apply_jobs(vec![keeping(at(told))], vec![], at(0)).await.unwrap();
        assert_eq!(world.stored("daily").await.next_due_at, Some(at(place)), "told {told}");
    }
    // The withdrawn one is decided anew.
    world.fire_seen(&daily, at(2), at(0)).await;
    world.store.apply_jobs(vec![keeping(at(3))], vec![], at(0)).await.unwrap();
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(2)));
}

pub(super) async fn a_removed_job_leaves_its_history_and_loses_its_waiting_pushes(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    let mut pushes = Vec::new();
    for i in 0..3 {
        pushes.extend(world.fire(&daily, at(i)).await.pushes);
    }
    let ahead = world.fire_seen(&daily, at(9), at(2)).await.pushes.remove(0);
    let sending = world.begin(pushes[0].id, at(2)).await;
    let done = world.begin(pushes[1].id, at(2)).await;
    world.store.finish_attempts(vec![sent(&done, at(3))]).await.unwrap();

    let applied = world.store.apply_jobs(vec![], vec![Arc::from("daily")], at(5)).await.unwrap();
    assert_eq!((applied.added, applied.changed, applied.removed), (0, 0, 1));
    assert_eq!(applied.cancelled, [pushes[2].id]);
    assert_eq!(applied.cancelled_of, [("daily".to_owned(), 1)]);
    assert_eq!(applied.withdrawn, [ahead.id]);
    assert!(world.store.jobs().await.unwrap().iter().all(|job| &*job.name != "daily"));
    assert_eq!(world.state(pushes[0].id).await, PushState::Sending);
    assert_eq!(world.state(pushes[1].id).await, PushState::Sent);
    assert_eq!(world.history(pushes[2].id).await["reason"], "job_removed");
    assert_eq!(world.store.push_state(ahead.id).await.unwrap(), None);
    world.store.finish_attempts(vec![sent(&sending, at(6))]).await.unwrap();
    assert_eq!(world.state(pushes[0].id).await, PushState::Sent);

    let again = world.store.apply_jobs(vec![], vec![Arc::from("daily")], at(7)).await.unwrap();
    assert_eq!(again, Applied::default(), "it is gone already");
}

pub(super) async fn a_job_that_comes_back_starts_anew_under_its_old_name(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    world.store.set_paused("daily", true, at(0)).await.unwrap();
    world.store.apply_jobs(vec![], vec![Arc::from("daily")], at(5)).await.unwrap();
    let applied = world.store.apply_jobs(vec![change(daily, at(20))], vec![], at(10)).await.unwrap();
    assert_eq!((applied.added, applied.changed), (1, 0));
    let stored = world.stored("daily").await;
    assert_eq!((stored.revision, stored.paused), (2, false));
    assert_eq!((stored.loaded_at, stored.next_due_at), (at(10), Some(at(20))));
}

pub(super) async fn many_thousand_jobs_are_loaded_and_read_in_pieces(world: Arc<World>) {
    let changes = (0..2500).map(|i| change(job(&format!("job-{i:05}")), at(i))).collect();
    let applied = world.store.apply_jobs(changes, vec![], at(0)).await.unwrap();
    assert_eq!(applied.added, 2500);
    let jobs = world.store.jobs().await.unwrap();
    assert_eq!(jobs.len(), 2501);
    assert!(jobs.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(world.stored("job-02499").await.next_due_at, Some(at(2499)));
    let removed = (0..2500).map(|i| Arc::from(format!("job-{i:05}"))).collect();
    assert_eq!(world.store.apply_jobs(vec![], removed, at(1)).await.unwrap().removed, 2500);
    assert_eq!(world.store.jobs().await.unwrap().len(), 1);
}

pub(super) async fn a_pause_is_noted_once_and_lifted_once(world: Arc<World>) {
    world.load(&job("daily"), at(0)).await;
    assert!(world.store.set_paused("daily", true, at(0)).await.unwrap());
    assert!(!world.store.set_paused("daily", true, at(1)).await.unwrap());
    assert!(world.stored("daily").await.paused);
    assert_eq!(world.store.paused_jobs().await.unwrap(), ["daily"]);
    assert!(world.store.set_paused("daily", false, at(2)).await.unwrap());
    assert!(!world.store.set_paused("daily", false, at(3)).await.unwrap());
    assert!(world.store.paused_jobs().await.unwrap().is_empty());
}

pub(super) async fn a_pause_withdraws_what_was_recorded_ahead(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    world.fire(&daily, at(0)).await;
    let fires = vec![fire(&daily, at(1)), fire(&daily, at(2))];
    world.store.record_fires(fires, vec![cursor(&daily, at(1), at(3))], at(0)).await.unwrap();
    world.store.set_paused("daily", true, at(1)).await.unwrap();
    assert_eq!(world.open_ids().await.len(), 2, "an instant that has come is not taken back");
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(2)));

    // The scheduler that recorded them does not know yet: it must not jump over the second.
    let unaware = world.store.record_fires(vec![fire(&daily, at(3))], vec![cursor(&daily, at(3), at(4))], at(1)).await;
    assert_eq!(unaware.unwrap().stale, [Arc::from("daily")]);

    // While paused, skips are recorded ahead too, and a resume takes them back.
    assert!(world.fire_seen(&daily, at(2), at(1)).await.pushes.is_empty());
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(3)));
    world.store.set_paused("daily", false, at(1)).await.unwrap();
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(2)));
    assert_eq!(world.fire(&daily, at(2)).await.pushes.len(), 1);
    let over = world.ended("other", Next::Sent).await;
    assert_eq!(world.state(over).await, PushState::Sent);
}

pub(super) async fn pausing_a_job_that_is_not_there_is_refused(world: Arc<World>) {
    world.load(&job("gone"), at(0)).await;
    world.store.apply_jobs(vec![], vec![Arc::from("gone")], at(0)).await.unwrap();
    for name in ["gone", "nobody"] {
        let error = world.store.set_paused(name, true, at(1)).await.unwrap_err();
        assert!(matches!(&error, StoreError::NotFound(text) if text.contains(name)), "{error}");
    }
}
