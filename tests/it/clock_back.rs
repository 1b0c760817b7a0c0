//! A clock that is put back: what had fired stays fired, what had not is decided anew, and nothing else changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::common::world::{START, World, account, cron, job};
use pushcron::clock::Clock;
use pushcron::domain::{Calendar, DayRule, Schedule, UtcMs};

const DAY: Duration = Duration::from_secs(86_400);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How often something arrived for each instant of each job.
fn arrivals(world: &World) -> BTreeMap<(String, UtcMs), usize> {
    let mut arrivals = BTreeMap::new();
    for (_, delivery) in world.platform.arrived() {
        *arrivals.entry((delivery.job.unwrap(), delivery.due_at)).or_default() += 1;
    }
    arrivals
}

fn doubled(world: &World) -> Vec<(String, UtcMs)> {
    arrivals(world).into_iter().filter(|(_, times)| *times > 1).map(|(instant, _)| instant).collect()
}

/// Deletes all history that is older by the clock of the world, as a daemon does that has no doubt about it.
async fn prune(world: &World, keep: Duration) {
    while world.store.prune(world.clock.now() - keep, 200).await.unwrap().fires > 0 {}
}

#[tokio::test]
async fn what_fired_and_was_deleted_by_a_clock_that_stood_ahead_does_not_fire_again_and_all_else_does() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("minute", cron("* * * * *")), job("daily", cron("0 2 * * *"))]).await;
    world.pass(seconds(180)).await;
    world.settled().await;
    assert_eq!(world.platform.count(), 3);
    world.clock.step_wall_to(START + DAY * 100);
    world.pass(seconds(5)).await;
    world.settled().await;
    prune(&world, DAY * 90).await;
    world
        .expect(
            "select count(*) from fires where job = 'minute' and decision = 'fired' and due_at < '2026-02'",
            &[&["0"]],
        )
        .await;
    // Of the days that were missed ahead, those before the eleventh of January are deleted too.
    world.expect("select min(due_at) from fires where job = 'daily'", &[&["2026-01-11T02:00:00.000Z"]]).await;

    world.clock.step_wall_to(START + seconds(30));
    world.scheduler.run_once().await.unwrap();
    world.pass(seconds(300)).await;
    world.settled().await;
    assert_eq!(doubled(&world), []);
    let after =
        "select substr(due_at, 12, 5) from fires where job = 'minute' and decision = 'fired' and due_at < '2026-02'";
    world.expect(after, &[&["01:04"], &["01:05"]]).await;
    // What was only missed under the wrong clock fires at its hour.
    world.clock.advance(seconds(3600 - 330));
    world.scheduler.run_once().await.unwrap();
    world.settled().await;
    assert_eq!(arrivals(&world).get(&("daily".to_owned(), START + seconds(3600))), Some(&1));
    assert_eq!(doubled(&world), []);
    world.balanced_ledger();

    let explain = world.said(&["explain", "minute", "2026-01-01T01:02:00Z", "--json"]);
    assert!(explain.contains("its row is not kept any more (keep_history)"), "{explain}");
}

/// What a job with lists of days left out is no part of what fired, however its neighbours lie.
#[tokio::test]
async fn days_that_a_job_left_out_and_pruning_passed_over_fire_once_it_says_otherwise() {
    let mut world = World::new(vec![account("a", true)]).await;
    let every_day = job("daily", cron("0 2 * * *"));
    let list = Arc::new(Calendar { name: "own".to_owned(), ..Calendar::default() });
    let days = DayRule { workdays: Some(list.reference()), ..DayRule::default() };
    let workdays = pushcron::domain::Job { days: Some(Box::new(days)), ..every_day.clone() };
    world.load(&[workdays]).await;
    // From a Thursday to the Wednesday after next, the clock stands right as far as anybody knows.
    let day_by_day = async |world: &mut World| {
        for _ in 0..13 {
            world.clock.advance(seconds(3601));
            world.scheduler.run_once().await.unwrap();
            world.settled().await;
            world.clock.advance(DAY - seconds(3601));
            world.scheduler.run_once().await.unwrap();
            world.settled().await;
        }
    };
    day_by_day(&mut world).await;
    assert_eq!(world.platform.count(), 9);
    prune(&world, seconds(3600)).await;
    world.expect("select count(*) from fires where decision = 'fired'", &[&["0"]]).await;

    world.clock.step_wall_to(START);
    world.scheduler.run_once().await.unwrap();
    world.load(&[every_day]).await;
    day_by_day(&mut world).await;
    assert_eq!(doubled(&world), [], "what fired is known beyond its row");
    let (weekend, fired) = (
        "select group_concat(substr(due_at, 9, 2), ' ') from fires where decision = 'fired' order by due_at",
        "03 04 10 11",
    );
    world.expect(weekend, &[&[fired]]).await;
}

#[tokio::test]
async fn a_job_that_comes_back_after_the_clock_was_put_back_decides_anew_what_had_not_come() {
    let mut world = World::new(vec![account("a", true)]).await;
    let all =
        [job("often", Schedule::Every(3000)), job("seldom", Schedule::Every(60_000)), job("other", cron("@daily"))];
    world.load(&all).await;
    world.pass(seconds(6)).await;
    // Nobody is there for two hours: of the one job a row stands for all that was missed, of the other each has its own.
    world.clock.advance(seconds(7200));
    let mut world = world.kill_and_restart().await;
    world.load(&all).await;
    world.pass(seconds(5)).await;
    world
        .expect(
            "select job, count > 1, count(*) > 100 from fires where decision = 'missed' group by 1, 2",
            &[&["often", "1", "0"], &["seldom", "0", "1"]],
        )
        .await;
    world.load(&all[2..]).await;
    let back = world.clock.now() - seconds(1800);
    world.clock.step_wall_to(back);
    world.scheduler.run_once().await.unwrap();
    world.load(&all).await;
    world.pass(seconds(120)).await;
    world.settled().await;
    let fired = format!(
        "select job, count(*) from fires where decision = 'fired' and due_at between '{back}' and '{}' group by 1",
        world.clock.now()
    );
    world.expect(&fired, &[&["often", "40"], &["seldom", "2"]]).await;
    world.clock.advance(seconds(3600));
    world.scheduler.run_once().await.unwrap();
    world.pass(seconds(10)).await;
    world.settled().await;
    assert_eq!(doubled(&world), []);
    world.balanced_ledger();
    world.expect("select count(*) from fires as f join fires as g on g.job = f.job and g.due_at > f.due_at and g.due_at <= f.until_at",
        &[&["0"]]).await;
    let mut world = world.kill_and_restart().await;
    world.load(&all).await;
    world.pass(seconds(10)).await;
    world.balanced_ledger();
}

/// A row that the database refuses, as by a trigger of somebody's or a fault of ours.
#[tokio::test]
async fn a_job_whose_rows_are_refused_keeps_nobody_else_from_firing() {
    let mut world = World::new(vec![account("a", true)]).await;
    let jobs = [job("stuck", cron("* * * * *")), job("well", Schedule::Every(1000))];
    world.load(&jobs).await;
    world.pass(seconds(5)).await;
    world.settled().await;
    world.execute(
        "create trigger somebodys before insert on fires when new.job = 'stuck' and new.decision = 'missed'
          begin select raise(abort, 'no'); end",
    );
    let (before, loaded) = (START - seconds(1200), START - seconds(1201));
    world.execute(&format!("update jobs set next_due_at = '{before}', loaded_at = '{loaded}' where name = 'stuck'"));
    for _ in 0..180 {
        world.clock.advance(seconds(1));
        let _ = world.scheduler.run_once().await;
    }
    world.settled().await;
    world.expect("select count(*) > 180 from fires where job = 'well' and decision = 'fired'", &[&["1"]]).await;
    world.execute("drop trigger somebodys");
    for _ in 0..600 {
        world.clock.advance(seconds(1));
        world.scheduler.run_once().await.unwrap();
    }
    world.settled().await;
    world.expect("select next_due_at > '2026-01-01T01:13' from jobs", &[&["1"], &["1"]]).await;
    world.balanced_ledger();
}
