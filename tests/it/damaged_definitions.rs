//! A stored definition that cannot be read (a hand, or another release, wrote it) concerns its own job and no other.

use std::time::Duration;

use crate::common::world::{World, account, cron, job};
use pushcron::domain::Job;

const MINUTE: Duration = Duration::from_secs(60);

fn minutely(name: &str) -> Job {
    job(name, cron("* * * * *"))
}

async fn two_jobs() -> (World, [Job; 2]) {
    let mut world = World::new(vec![account("a", true)]).await;
    let jobs = ["bad", "good"].map(minutely);
    world.load(&jobs).await;
    world.pass(MINUTE).await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["2"]]).await;
    (world, jobs)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_starts_though_a_definition_cannot_be_read_and_takes_it_anew_from_the_files() {
    for definition in [r#"{"schedule":{"moon":1}}"#, "{}", "[]"] {
        let (world, jobs) = two_jobs().await;
        world.execute(&format!("update jobs set definition = '{definition}' where name = 'bad'"));
        let mut world = world.kill_and_restart().await;
        world.clock.advance(MINUTE);
        world.load(&jobs).await;
        // Of the instant that nobody watched, the row is there all the same.
        let minutes =
            "select job, due_at, decision from fires where due_at > '2026-01-01T01:01:30.000Z' order by due_at, job";
        world.pass(MINUTE).await;
        let second = "2026-01-01T01:02:00.000Z";
        let third = "2026-01-01T01:03:00.000Z";
        world
            .expect(
                minutes,
                &[
                    &["bad", second, "missed"],
                    &["good", second, "fired"],
                    &["bad", third, "fired"],
                    &["good", third, "fired"],
                ],
            )
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_left_the_files_is_removed_though_its_definition_cannot_be_read() {
    let (world, jobs) = two_jobs().await;
    world.execute("update jobs set definition = '{}' where name = 'bad'");
    let mut world = world.kill_and_restart().await;
    world.load(&jobs[1..]).await;
    world.expect("select name from jobs where removed_at is null", &[&["good"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_is_to_push_and_nobody_can_read_keeps_no_other_job_from_firing() {
    for damage in [
        "json_set(definition, '$.push[0].target', 'planet:1')",
        "json_remove(definition, '$.push[0].message.kind')",
        "json_remove(definition, '$.push')",
    ] {
        let (mut world, _) = two_jobs().await;
        world.execute(&format!("update jobs set definition = {damage} where name = 'bad'"));
        world.pass(MINUTE).await;
        world.pass(MINUTE).await;
        world.expect("select count(*) from pushes where state = 'sent'", &[&["4"]]).await;
        let missed = "select count(*), min(decision), min(reason) from fires where job = 'bad' and due_at > '2026-01-01T01:01:30.000Z'";
        world.expect(missed, &[&["2", "missed", "definition_unreadable"]]).await;
        world.balanced_ledger();
        assert!(world.store.fire_by_hand("bad", pushcron::clock::Clock::now(&*world.clock)).await.is_err());
    }
}
