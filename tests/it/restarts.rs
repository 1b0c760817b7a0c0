//! What was decided and shown stays so over a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::common::world::{START, World, account, cron, job, text};
use fastrand::Rng;
use pushcron::clock::Clock;
use pushcron::domain::{Account, Job, Misfire, MisfirePolicy, PushSpec, RetryPolicy, Schedule, Trigger, UtcMs};
use pushcron::engine::dispatcher::Event;
use pushcron::senders::Probe;
use pushcron::store::AdHoc;

const PUSHES: &str =
    "select p.id, f.due_at, p.state, p.reason from pushes as p join fires as f on f.id = p.fire_id order by 1";

fn every_minute() -> Job {
    let retry = RetryPolicy { give_up_after: Duration::from_secs(6 * 3600), jitter: 0.0, ..RetryPolicy::default() };
    Job { push: vec![PushSpec { retry: retry.into(), ..text("1") }], ..job("morning", cron("* * * * *")) }
}

/// A quiet installation whose one account is down: two pushes wait for it.
async fn waiting(job: Job) -> World {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.set_probe("a", Probe::down("logged out"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select online from accounts", &[&["0"]]).await;
    world.load(&[job]).await;
    for instant in 1..=2 {
        world.pass(Duration::from_secs(60)).await;
        world.expect("select count(*) from pushes where reason = 'no_sender'", &[&[&instant.to_string()]]).await;
    }
    world
}

async fn both_are_there_and_are_sent(mut world: World, job: Job) {
    world.load(&[job]).await;
    world.scheduler.run_once().await.unwrap();
    let first_two = format!("select * from ({PUSHES}) where id <= 2");
    let waiting = |id, due_at| [id, due_at, "pending", "no_sender"];
    let expected = [waiting("1", "2026-01-01T01:01:00.000Z"), waiting("2", "2026-01-01T01:02:00.000Z")];
    world.expect(&first_two, &[&expected[0], &expected[1]]).await;
    world
        .expect(
            "select count(*) from fires where decision = 'missed' and due_at <= '2026-01-01T01:02:00.000Z'",
            &[&["0"]],
        )
        .await;
    world.balanced_ledger();
    world.platform.set_probe("a", Probe::up());
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select state from pushes where id <= 2", &[&["sent"], &["sent"]]).await;
}

fn skipping() -> Job {
    Job { misfire: Misfire { policy: MisfirePolicy::Skip, ..Misfire::default() }, ..every_minute() }
}

fn changed() -> Job {
    Job { schedule: cron("30 8 * * *"), ..every_minute() }
}

#[tokio::test]
async fn pushes_that_wait_for_an_account_keep_their_ids_over_a_stop() {
    for (before, after) in [(every_minute(), every_minute()), (skipping(), skipping()), (every_minute(), changed())] {
        let world = waiting(before).await.stop_and_restart(Duration::from_secs(5400)).await;
        both_are_there_and_are_sent(world, after).await;
    }
}

#[tokio::test]
async fn pushes_that_wait_for_an_account_keep_their_ids_over_a_kill() {
    for (before, after) in [(every_minute(), every_minute()), (skipping(), skipping()), (every_minute(), changed())] {
        let world = waiting(before).await;
        world.clock.advance(Duration::from_secs(5400));
        both_are_there_and_are_sent(world.kill_and_restart().await, after).await;
    }
}

#[tokio::test]
async fn what_is_still_to_come_is_decided_anew_after_a_restart() {
    let mut world = waiting(every_minute()).await;
    world.pass(Duration::from_secs(56)).await;
    world.expect("select count(*) from pushes", &[&["3"]]).await;
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world.expect("select id from pushes", &[&["1"], &["2"], &["4"]]).await;
}

#[tokio::test]
async fn what_was_recorded_ahead_keeps_its_id_where_the_clock_is_put_back_while_nobody_runs() {
    let mut world = waiting(every_minute()).await;
    world.pass(Duration::from_secs(56)).await;
    world.expect("select count(*) from pushes", &[&["3"]]).await;
    // Before the kill it may have come to the instant of the third, and shown it, without a look at it.
    world.clock.step_wall_to(UtcMs(START.0 + 100_000));
    let mut world = world.kill_and_restart().await;
    world.expect("select id from pushes", &[&["1"], &["2"], &["3"]]).await;
    world.pass(Duration::from_secs(140)).await;
    let of_pushes = "from pushes p join fires f on f.id = p.fire_id";
    world.expect(&format!("select due_at {of_pushes} where p.id = 3"), &[&["2026-01-01T01:03:00.000Z"]]).await;
    let last = "2026-01-01T01:04:00.000Z";
    world.expect(&format!("select count(distinct due_at), max(due_at) {of_pushes}"), &[&["4", last]]).await;
    world.expect("select count(*) from pushes", &[&["4"]]).await;
    world.balanced_ledger();
}

#[tokio::test]
async fn a_push_whose_attempt_was_opened_and_not_begun_keeps_its_id_over_a_kill() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute()]).await;
    world.pass(Duration::from_secs(59)).await;
    // Attempts are opened some milliseconds ahead of their instant.
    world.clock.advance(Duration::from_millis(990));
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.clock.advance(Duration::from_secs(600));
    let world = world.kill_and_restart().await;
    world.expect("select id, state from pushes where id = 1", &[&["1", "sent"]]).await;
    assert_eq!(world.platform.count(), 1);
    world.balanced_ledger();
}

/// One instant, a minute after the start.
fn once(misfire: Misfire) -> Job {
    Job { misfire, schedule: Schedule::At(START + Duration::from_secs(60)), ..every_minute() }
}

/// Recorded ahead of its instant and shown, and then the daemon is killed, three seconds before the instant.
async fn killed_before_its_instant(job: &Job) -> World {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(std::slice::from_ref(job)).await;
    world.pass(Duration::from_secs(57)).await;
    world.expect(PUSHES, &[&["1", "2026-01-01T01:01:00.000Z", "pending", ""]]).await;
    world
}

/// What becomes of it where the next daemon starts so many seconds after the instant.
async fn comes_to(world: World, job: Job, late: u64, state: &str, reason: &str) {
    world.clock.step_wall_to(START + Duration::from_secs(60 + late));
    let mut world = world.kill_and_restart().await;
    world.load(&[job]).await;
    world.scheduler.run_once().await.unwrap();
    world.expect(PUSHES, &[&["1", "2026-01-01T01:01:00.000Z", state, reason]]).await;
    world.expect("select decision, count(*) from fires where triggered_by = 'cron'", &[&["fired", "1"]]).await;
    world.balanced_ledger();
    assert_eq!(world.platform.count(), usize::from(state == "sent"));
}

#[tokio::test]
async fn a_push_shown_before_a_kill_keeps_its_id_and_its_policy_says_whether_it_is_still_sent() {
    let skip = Misfire { policy: MisfirePolicy::Skip, ..Misfire::default() };
    let strict = Misfire { grace: Duration::from_secs(10), ..skip.clone() };
    for (misfire, late, state, reason) in [
        (Misfire::default(), 30, "sent", ""),
        (Misfire::default(), 600, "sent", ""),
        (Misfire::default(), 7200, "expired", "misfire_window"),
        (skip.clone(), 30, "sent", ""),
        (skip, 600, "expired", "misfire_skip"),
        (strict.clone(), 5, "sent", ""),
        (strict, 30, "expired", "misfire_skip"),
    ] {
        let job = once(misfire);
        comes_to(killed_before_its_instant(&job).await, job, late, state, reason).await;
    }
}

#[tokio::test]
async fn of_several_instants_that_nobody_watched_only_the_latest_is_sent_and_the_older_ends_with_its_reason() {
    let world = killed_before_its_instant(&every_minute()).await;
    world.clock.step_wall_to(START + Duration::from_secs(60 + 605));
    let mut world = world.kill_and_restart().await;
    world.load(&[every_minute()]).await;
    world.scheduler.run_once().await.unwrap();
    let first = format!("select id, state, reason from ({PUSHES}) where id = 1");
    world.expect(&first, &[&["1", "expired", "misfire_latest"]]).await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["1"]]).await;
    world.balanced_ledger();
}

#[tokio::test]
async fn neither_a_clock_that_stood_ahead_nor_a_person_who_fires_by_hand_counts_as_a_watch() {
    let job = once(Misfire { policy: MisfirePolicy::Skip, ..Misfire::default() });
    let world = World::new(vec![account("a", true)]).await;
    // A stop under a clock that stood an hour ahead.
    let ahead = (START + Duration::from_secs(3600)).to_string();
    world.store.save_state("", "watched_until", &ahead, START).await.unwrap();
    let mut world = world.kill_and_restart().await;
    world.load(std::slice::from_ref(&job)).await;
    world.pass(Duration::from_secs(57)).await;
    comes_to(world, job.clone(), 600, "expired", "misfire_skip").await;

    let world = killed_before_its_instant(&job).await;
    let spec = text("2");
    let by_hand = AdHoc { spec, triggered_by: Trigger::Manual, chat: None };
    let id = world.store.push_ad_hoc(by_hand, START + Duration::from_secs(300)).await.unwrap();
    world.store.cancel(id, START + Duration::from_secs(301)).await.unwrap();
    world.clock.step_wall_to(START + Duration::from_secs(660));
    let world = world.kill_and_restart().await;
    world.expect("select state, reason from pushes where id = 1", &[&["expired", "misfire_skip"]]).await;
}

#[tokio::test]
async fn what_waited_for_its_turn_when_the_daemon_was_killed_is_sent_however_strict_its_policy_is() {
    let job = once(Misfire { policy: MisfirePolicy::Skip, ..Misfire::default() });
    let paced = Account { min_interval: Some(Duration::from_secs(3600)), ..account("a", true) };
    let mut world = World::new(vec![paced]).await;
    let first = Job { schedule: Schedule::At(START + Duration::from_secs(58)), ..every_minute() };
    world.load(&[Job { name: "first".to_owned(), ..first }, job]).await;
    world.pass(Duration::from_secs(70)).await;
    let waits = [["sent", ""], ["pending", ""]];
    world.expect("select state, reason from pushes order by id", &[&waits[0], &waits[1]]).await;
    world.clock.advance(Duration::from_secs(600));
    let world = world.kill_and_restart().await;
    world.turn().await;
    world.expect("select state, reason from pushes order by id", &[&waits[0], &waits[1]]).await;
}

/// Looks at the history while the walk goes on: an id that was shown after its instant stays, and an end is an end.
#[derive(Default)]
struct Shown(BTreeMap<String, String>);

impl Shown {
    async fn look(&mut self, world: &World, now: UtcMs) {
        let rows = world.rows("select id, state, due_at from push_history").await;
        let there: BTreeMap<&str, &str> = rows.iter().map(|row| (&*row[0], &*row[1])).collect();
        for (id, before) in &self.0 {
            let Some(state) = there.get(&**id) else { panic!("push {id} was shown as {before} and is gone at {now}") };
            let was_over = !["pending", "sending", "retrying"].contains(&&**before);
            assert!(!was_over || state == before, "push {id} was shown as {before} and is {state} at {now}");
        }
        let due = rows.into_iter().filter(|row| row[2] <= now.to_string());
        self.0.extend(due.map(|row| (row[0].clone(), row[1].clone())));
    }
}

async fn walk(seed: u64) {
    let mut dice = Rng::with_seed(seed);
    let mut world =
        World::new(vec![Account { min_interval: Some(Duration::from_secs(1)), ..account("a", true) }]).await;
    let policies = [MisfirePolicy::Latest, MisfirePolicy::All, MisfirePolicy::Skip];
    let jobs: Vec<Job> = (0..4)
        .map(|number| {
            let grace = Duration::from_secs(dice.u64(0..90));
            let misfire = Misfire { policy: policies[number % 3], grace, ..Misfire::default() };
            let push = vec![text(&number.to_string())];
            Job { misfire, push, ..job(&format!("job{number}"), Schedule::Every(dice.u64(9..90) * 1000)) }
        })
        .collect();
    world.load(&jobs).await;
    let mut shown = Shown::default();
    for _ in 0..60 {
        match dice.u8(0..8) {
            0 => world = world.kill_and_restart().await,
            1 => {
                world.clock.advance(Duration::from_secs(dice.u64(1..4000)));
                world = world.kill_and_restart().await;
            }
            2 => world = world.stop_and_restart(Duration::from_secs(dice.u64(0..4000))).await,
            3 => {
                let probe = if dice.bool() { Probe::down("logged out") } else { Probe::up() };
                world.platform.set_probe("a", probe);
                world.events.send(Event::ProbeAll).ok().unwrap();
            }
            _ => {
                for _ in 0..dice.u64(1..40) {
                    world.pass(Duration::from_secs(1)).await;
                    shown.look(&world, world.clock.now()).await;
                }
            }
        }
        shown.look(&world, world.clock.now()).await;
    }
    world.load(&jobs).await;
    world.platform.set_probe("a", Probe::up());
    let disabled: Vec<Job> = jobs.iter().map(|job| Job { enabled: false, ..job.clone() }).collect();
    world.load(&disabled).await;
    while world.rows("select count(*) from pushes where finished_at is null").await != [["0"]] {
        world.events.send(Event::ProbeAll).ok().unwrap();
        world.pass(Duration::from_secs(10)).await;
        world.turn().await;
    }
    shown.look(&world, world.clock.now()).await;
    let arrived: BTreeSet<String> =
        world.platform.arrived().iter().map(|(_, delivery)| delivery.push_id.to_string()).collect();
    for row in world.rows("select id, state from pushes").await {
        let may = match &*row[1] {
            "sent" => arrived.contains(&row[0]),
            "unknown" => true,
            _ => !arrived.contains(&row[0]),
        };
        assert!(may, "push {} is {}, arrived: {}", row[0], row[1], arrived.contains(&row[0]));
    }
    world.balanced_ledger();
    println!("seed {seed}: {} pushes shown", shown.0.len());
}

/// `PUSHCRON_WALK_SEED=N` repeats the dice of one walk, or tries another one.
#[tokio::test(flavor = "multi_thread")]
async fn what_history_showed_is_there_at_the_end_of_a_random_walk_over_restarts() {
    let told = std::env::var("PUSHCRON_WALK_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seeds = told.map_or_else(|| (0..3).collect(), |seed| vec![seed]);
    for seed in seeds {
        println!("PUSHCRON_WALK_SEED={seed}");
        walk(seed).await;
    }
}
