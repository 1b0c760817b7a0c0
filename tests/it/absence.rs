//! Long absences: what is due now goes first, and who is killed in the middle of the catch-up has lost and doubled
//! nothing.

use std::time::Duration;

use crate::common::world::{World, account, cron, job, text};
use pushcron::clock::Clock;
use pushcron::domain::{Decision, Job, Misfire, MisfirePolicy};
use pushcron::engine::observer::EngineEvent;
use pushcron::engine::scheduler::{Command, Scheduler};
use tokio::sync::{mpsc, oneshot};

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

fn every_minute(name: &str) -> Job {
    job(name, cron("* * * * *"))
}

/// Twenty jobs of every minute that nobody watches for fifteen hours, 899 instants each that will not fire any more.
async fn away() -> (World, Vec<Job>) {
    let mut world = World::new(vec![account("a", true)]).await;
    let jobs: Vec<Job> = (0..20).map(|n| every_minute(&format!("late{n:02}"))).collect();
    world.load(&jobs).await;
    let (dir, clock, store) = world.stop().await;
    store.close().await;
    drop(store);
    clock.advance(hours(15) + Duration::from_secs(30));
    (World::again(dir, clock, vec![account("a", true)]).await, jobs)
}

const RECORDED: &str = "select count(*) from fires";

async fn recorded(world: &World) -> usize {
    world.rows(RECORDED).await[0][0].parse().unwrap()
}

/// Lets the scheduler write transaction by transaction until so many rows are there.
async fn work_until(world: &mut World, rows: usize) {
    while recorded(world).await < rows {
        assert!(world.scheduler.step().await.unwrap(), "that was all before there were {rows} rows");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_now_is_recorded_before_what_was_missed() {
    let (mut world, _) = away().await;
    world.scheduler.run_once().await.unwrap();
    let rows = "select count(*), sum(decision = 'fired'), max(id) filter (where decision = 'fired') < \
                min(id) filter (where decision = 'missed') from fires";
    assert_eq!(world.rows(rows).await, [["18000", "20", "1"]]);
    world.settled().await;
    assert_eq!(world.platform.count(), 20);
    world.balanced_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_the_catch_up_nothing_is_lost_and_nothing_doubled() {
    let (mut world, _) = away().await;
    for rows in [1, 2000, 9000] {
        work_until(&mut world, rows).await;
        assert!(recorded(&world).await < 18_000, "that was not the middle");
        world = world.kill_and_restart().await;
    }
    world.pass(Duration::from_secs(60)).await;
    world.settled().await;
    assert_eq!(world.rows(RECORDED).await, [["18020"]]);
    // What was under way at a kill may have arrived, and says so.
    world.expect("select count(*) from pushes where state in ('sent', 'unknown')", &[&["40"]]).await;
    let mut taken = world.platform.perhaps_taken();
    let arrived = taken.len();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), arrived, "people may have seen one twice");
    assert!(world.balanced_ledger().contains("18020"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_on_firing_and_pausing_while_it_owes_what_it_missed() {
    let (mut world, jobs) = away().await;
    work_until(&mut world, 3000).await;
    // The next instant comes before the rest is there, and another process pauses a job that still owes.
    world.clock.advance(Duration::from_secs(30));
    work_until(&mut world, 6000).await;
    world.store.set_paused("late19", true, world.clock.now()).await.unwrap();
    world.pass(Duration::from_secs(120)).await;
    world.settled().await;
    let of = "select job, count(*), sum(decision = 'fired') from fires where job in ('late00', 'late19') group by job";
    let rows = world.rows(of).await;
    assert_eq!(rows, [["late00", "903", "4"], ["late19", "903", "2"]]);
    world.balanced_ledger();
    assert_eq!(jobs.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_changes_every_schedule_settles_what_is_owed_and_survives_a_kill_at_any_point() {
    let (mut world, jobs) = away().await;
    let changed: Vec<Job> = jobs.iter().map(|old| Job { schedule: cron("*/7 * * * *"), ..old.clone() }).collect();
    work_until(&mut world, 100).await;
    let path = world.dir.path().join("pushcron.db");
    let there = async {
        while crate::common::rows::query(&path, RECORDED)[0][0].parse::<usize>().unwrap() < 6000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = there => {}
        () = world.load(&changed) => panic!("the reload was over before half of its rows were there"),
    }
    let revisions = "select count(*) from jobs where revision > 1";
    assert_eq!(world.rows(revisions).await, [["0"]], "all or none");
    world = world.kill_and_restart().await;
    world.load(&changed).await;
    world.pass(Duration::from_secs(420)).await;
    world.settled().await;
    assert_eq!(world.rows(revisions).await, [["20"]]);
    world.balanced_ledger();
    let doubled = "select count(*) from (select 1 from fires group by job, due_at having count(*) > 1)";
    assert_eq!(world.rows(doubled).await, [["0"]]);
    // The newest of each job, and one of its new schedule.
    let ended = "select count(*) from pushes where state in ('sent', 'unknown')";
    world.expect(ended, &[&["40"]]).await;
}

/// In the order of their instants, however many there are.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_catches_up_is_sent_in_its_order_and_in_parts() {
    let mut world = World::new(vec![account("a", true)]).await;
    let misfire = Misfire { policy: MisfirePolicy::All, max: 5000, within: hours(24 * 30), ..Misfire::default() };
    let all = Job { misfire, push: vec![text("1")], ..every_minute("all") };
    world.load(&[all]).await;
    world.clock.advance(hours(200));
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = told.clone();
    world.scheduler.set_observer(std::sync::Arc::new(move |event| {
        if let EngineEvent::Fires { decision: Decision::Fired, count } = event {
            heard.lock().unwrap().push(count);
        }
    }));
    world.scheduler.run_once().await.unwrap();
    let parts = told.lock().unwrap().clone();
    assert!(parts.iter().all(|count| *count <= 4096) && parts.iter().sum::<u64>() == 5002, "{parts:?}");
    let order = "select count(*) from fires as a join fires as b on b.id > a.id and b.due_at < a.due_at \
                 and a.decision = 'fired' and b.decision = 'fired'";
    assert_eq!(world.rows(order).await, [["0"]]);
    assert_eq!(world.rows("select count(*) from fires where count > 1").await, [["1"]]);
    world.balanced_ledger();
}

/// A database that takes only so many more changes of definitions.
#[tokio::test(flavor = "multi_thread")]
async fn very_many_changes_are_made_in_parts_and_the_rest_follows_once_the_database_can_be_written() {
    let mut world = World::new(vec![account("a", true)]).await;
    let jobs: Vec<Job> = (0..2500).map(|n| job(&format!("job{n:04}"), cron("0 8 1 1 *"))).collect();
    world.load(&jobs).await;
    let refuse = "create trigger full before update of definition on jobs when new.name = 'job1234' \
                  begin select raise(abort, 'no room'); end";
    world.execute(refuse);
    let changed: Vec<Job> = jobs[..2400].iter().map(|old| Job { push: vec![text("2")], ..old.clone() }).collect();
    let error = world.try_load(&changed).await.unwrap_err().to_string();
    assert!(error.contains("1000 of 2500 changed jobs are in force already"), "{error}");
    let revisions = "select revision, removed_at is null, count(*) from jobs group by 1, 2";
    assert_eq!(world.rows(revisions).await, [["1", "1", "1500"], ["2", "1", "1000"]], "each part whole or not at all");
    assert!(world.scheduler.run_once().await.is_err(), "it is tried again, and told");
    assert_eq!(world.rows(revisions).await, [["1", "1", "1500"], ["2", "1", "1000"]]);
    world.execute("drop trigger full");
    world.scheduler.run_once().await.unwrap();
    assert_eq!(world.rows(revisions).await, [["1", "0", "100"], ["2", "1", "2400"]]);
    let same_instant = "select count(distinct loaded_at) from jobs where removed_at is null";
    assert_eq!(world.rows(same_instant).await, [["1"]]);
    // Nothing is left to do, and the next change goes its own way.
    world.load(&changed[..10]).await;
    assert_eq!(world.rows(revisions).await, [["1", "0", "100"], ["2", "0", "2390"], ["2", "1", "10"]]);
    world.balanced_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_midst_of_very_many_changes_is_heard_between_their_parts() {
    let mut world = World::new(vec![account("a", true)]).await;
    let jobs: Vec<Job> = (0..5500).map(|n| job(&format!("job{n:04}"), cron("0 8 1 1 *"))).collect();
    world.load(&jobs).await;
    let changed = jobs.iter().map(|old| Job { push: vec![text("2")], ..old.clone() });
    let changed: Vec<(Job, i64)> = changed.map(|job| (job, 4711)).collect();
    let zone = "2026a".to_owned();
    let other = Scheduler::new(world.store.clone(), world.clock.clone(), zone, world.events.clone()).await.unwrap();
    let (commands, heard) = mpsc::channel(1);
    let (done, stopped) = oneshot::channel();
    commands.send(Command::Apply { jobs: changed, read_at: world.clock.now(), done }).await.unwrap();
    // Whoever reloads is told to stop.
    drop(stopped);
    other.run(heard).await;
    let in_force = world.rows("select count(*) from jobs where revision = 2").await[0][0].parse::<u32>().unwrap();
    assert!(in_force <= 1000, "{in_force} are in force");
    world.balanced_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_refused_at_its_first_part_changes_nothing() {
    let mut world = World::new(vec![account("a", true)]).await;
    let jobs: Vec<Job> = (0..1500).map(|n| job(&format!("job{n:04}"), cron("0 8 1 1 *"))).collect();
    world.load(&jobs).await;
    let refuse = "create trigger full before update of definition on jobs when new.name = 'job0500' \
                  begin select raise(abort, 'no room'); end";
    world.execute(refuse);
    let changed: Vec<Job> = jobs.iter().map(|old| Job { push: vec![text("2")], ..old.clone() }).collect();
    let error = world.try_load(&changed).await.unwrap_err().to_string();
    assert!(!error.contains("in force already"), "{error}");
    world.execute("drop trigger full");
    world.scheduler.run_once().await.unwrap();
    assert_eq!(world.rows("select revision, count(*) from jobs group by 1").await, [["1", "1500"]]);
}
