//! Jobs that fire from when until when, and so often and no more, over a scheduler on a manual clock.
//!
//! `PUSHCRON_ENDS_SEED=N` repeats one walk, `PUSHCRON_ENDS_WALKS=N` walks so many new ones.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::world::{START, World, account, job, text};
use fastrand::Rng;
use pushcron::clock::Clock;
use pushcron::domain::job::Life;
use pushcron::domain::{Job, Misfire, MisfirePolicy, Overlap, Schedule, UtcMs};

const FIRED: &str = "select count(*) from fires where decision = 'fired' and triggered_by = 'cron'";
const END: &str = "select fires_left, ended_at, next_due_at from jobs";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn after(seconds: i64) -> UtcMs {
    UtcMs(START.0 + seconds * 1000)
}

/// Every ten seconds, so often and no more.
fn so_often(name: &str, max_fires: u64) -> Job {
    let life = Life { max_fires: Some(max_fires), ..Life::default() };
    Job { life: Some(Box::new(life)), ..job(name, Schedule::Every(10_000)) }
}

fn saying(mut job: Job, words: &str) -> Job {
    job.push = vec![text(words)];
    job
}

async fn world() -> World {
    World::new(vec![account("a", true)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_fire_ends_the_job_in_the_transaction_that_decides_it_and_nothing_comes_after() {
    let mut world = world().await;
    world.load(&[so_often("three", 3)]).await;
    world.pass(seconds(26)).await;
    // The third is recorded ahead of its instant, and the end with it.
    assert_eq!(world.rows(FIRED).await, [["3"]]);
    assert_eq!(world.rows(END).await, [["0".to_owned(), after(30).to_string(), String::new()]]);
    for _ in 0..3 {
        world.pass(seconds(60)).await;
        world = world.kill_and_restart().await;
        world.load(&[so_often("three", 3)]).await;
    }
    assert_eq!(world.rows(FIRED).await, [["3"]]);
    assert_eq!(world.balanced_ledger(), "1 job, 3 instants expected, 3 recorded: difference 0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_fire_that_was_recorded_ahead_and_is_taken_back_is_still_to_come() {
    let mut world = world().await;
    world.load(&[so_often("three", 3)]).await;
    world.pass(seconds(26)).await;
    world.store.set_paused("three", true, world.clock.now()).await.unwrap();
    assert_eq!(world.rows(END).await, [["1".to_owned(), String::new(), after(30).to_string()]]);
    world.scheduler.reread().await.unwrap();
    world.pass(seconds(20)).await;
    world.store.set_paused("three", false, world.clock.now()).await.unwrap();
    world.scheduler.reread().await.unwrap();
    world.pass(seconds(60)).await;
    let decided = world.rows("select decision, count(*) from fires group by 1 order by 1").await;
    assert_eq!(decided, [["fired", "3"], ["skipped", "2"]]);
    assert_eq!(world.rows(END).await, [["0".to_owned(), after(50).to_string(), String::new()]]);
    world.balanced_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_keeps_the_count_and_another_schedule_begins_a_new_one() {
    let mut world = world().await;
    world.load(&[so_often("three", 3)]).await;
    world.pass(seconds(31)).await;
    world.load(&[saying(so_often("three", 3), "2")]).await;
    world.pass(seconds(60)).await;
    assert_eq!(world.rows(FIRED).await, [["3"]], "another text");
    world.load(&[saying(so_often("three", 5), "2")]).await;
    world.pass(seconds(60)).await;
    assert_eq!(world.rows(FIRED).await, [["5"]], "two more");
    world.load(&[so_often("three", 4)]).await;
    world.pass(seconds(60)).await;
    assert_eq!(world.rows(FIRED).await, [["5"]], "fewer than there were");
    world.load(&[so_often("three", 5)]).await;
    world.pass(seconds(60)).await;
    assert_eq!(world.rows(FIRED).await, [["5"]], "as many as there were");
    world.load(&[]).await;
    world.pass(seconds(20)).await;
    world.load(&[so_often("three", 4)]).await;
    world.pass(seconds(60)).await;
    assert_eq!(world.rows(FIRED).await, [["5"]], "missing from the files for a while");
    world.load(&[Job { schedule: Schedule::Every(7_000), ..so_often("three", 2) }]).await;
    world.pass(seconds(60)).await;
    assert_eq!(world.rows(FIRED).await, [["7"]], "another schedule");
    world.load(&[job("three", Schedule::Every(7_000))]).await;
    world.pass(seconds(14)).await;
    world.load(&[Job { schedule: Schedule::Every(7_000), ..so_often("three", 1) }]).await;
    world.pass(seconds(60)).await;
    assert_eq!(world.rows(FIRED).await, [["10"]], "what had no end begins to count when it gets one");
    world.balanced_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_does_not_count_and_no_catching_up_fires_too_often() {
    let mut world = world().await;
    let misfire = Misfire { policy: MisfirePolicy::All, max: 20, ..Misfire::default() };
    world.load(&[Job { misfire, ..so_often("all", 5) }, so_often("latest", 5)]).await;
    world.pass(seconds(21)).await;
    world.clock.advance(seconds(600));
    world = world.kill_and_restart().await;
    world.pass(seconds(100)).await;
    let fired = world.rows("select job, count(*) from fires where decision = 'fired' group by 1 order by 1").await;
    assert_eq!(fired, [["all", "5"], ["latest", "5"]]);
    world.balanced_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_put_back_gives_no_fire_and_takes_none() {
    let mut world = world().await;
    let life = Life { from: Some(after(20)), until: Some(after(100)), max_fires: None };
    let within = Job { life: Some(Box::new(life)), ..job("within", Schedule::Every(10_000)) };
    world.load(&[so_often("three", 3), within.clone()]).await;
    world.pass(seconds(25)).await;
    // Seen from an hour later all is missed, and the one job is at its end.
    let now = world.clock.now();
    world.clock.step_wall_to(now + seconds(3600));
    world.scheduler.run_once().await.unwrap();
    let ended = "select name, ended_at from jobs where ended_at is not null";
    let ends = [["three".to_owned(), after(30).to_string()], ["within".to_owned(), after(100).to_string()]];
    assert_eq!(world.rows(ended).await, ends);
    world.clock.step_wall_to(now);
    world.scheduler.run_once().await.unwrap();
    world.pass(seconds(200)).await;
    let fired = world.rows("select job, count(*), max(due_at) from fires where decision = 'fired' group by 1").await;
    assert_eq!(fired[1], ["within".to_owned(), "9".to_owned(), after(100).to_string()]);
    assert_eq!(fired[0][..2], ["three", "3"]);
    for back in [150, 30] {
        world.clock.step_wall_to(world.clock.now() + seconds(60));
        world.scheduler.run_once().await.unwrap();
        world.clock.step_wall_to(after(back));
        world.scheduler.run_once().await.unwrap();
        world.pass(seconds(120)).await;
        assert_eq!(world.rows(FIRED).await, [["12"]], "back to {back}");
    }
    world.balanced_ledger();
}

/// Fired only after its definition was edited, by an instant of the one before.
async fn a_late_last_fire(back_to: Option<UtcMs>, last: &[Job]) {
    let mut world = world().await;
    let misfire = Misfire { policy: MisfirePolicy::All, max: 20, ..Misfire::default() };
    let late = |words| saying(Job { misfire: misfire.clone(), ..so_often("late", 1) }, words);
    world.load(&[late("before")]).await;
    world.pass(seconds(2)).await;
    world.clock.advance(seconds(60));
    world = world.kill_and_restart().await;
    world.load(&[late("after")]).await;
    world.pass(seconds(1)).await;
    let fired = world.rows("select decision, revision, due_at from fires").await;
    assert_eq!(fired, [["fired".to_owned(), "2".to_owned(), after(10).to_string()]]);
    // The first definition held until then too, by the clock that shows it again.
    if let Some(back_to) = back_to {
        world.clock.step_wall_to(back_to);
        world.scheduler.run_once().await.unwrap();
    }
    world.load(last).await;
    world.pass(seconds(20)).await;
    world.balanced_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_last_fire_ends_what_the_definition_before_called_for() {
    for back_to in [None, Some(after(40))] {
        a_late_last_fire(back_to, &[job("late", Schedule::Every(7_000))]).await;
        a_late_last_fire(back_to, &[]).await;
    }
}

fn some_job(number: usize, dice: &mut Rng) -> Job {
    let policy = *dice.choice(&[MisfirePolicy::Latest, MisfirePolicy::All, MisfirePolicy::Skip]).unwrap();
    let overlap = *dice.choice(&[Overlap::Allow, Overlap::Allow, Overlap::Skip]).unwrap();
    let misfire = Misfire { policy, max: dice.u32(1..20), ..Misfire::default() };
    Job { misfire, overlap, ..so_often(&format!("job{number}"), dice.u64(1..9)) }
}

async fn walk(seed: u64) {
    let mut dice = Rng::with_seed(seed);
    let mut world = world().await;
    let mut jobs: Vec<Job> = (0..6).map(|number| some_job(number, &mut dice)).collect();
    world.load(&jobs).await;
    for step in 0..60 {
        let what = dice.u8(0..12);
        println!("{step}: {what} at {}", world.clock.now());
        match what {
            0 => world = world.kill_and_restart().await,
            1 => {
                world.clock.advance(seconds(dice.u64(1..400)));
                world = world.kill_and_restart().await;
            }
            2 => {
                let by = seconds(dice.u64(3..300));
                let now = world.clock.now();
                world.clock.step_wall_to(if dice.bool() { now + by } else { now - by });
                world.scheduler.run_once().await.unwrap();
            }
            3 => {
                let name = &jobs[dice.usize(0..jobs.len())].name;
                world.store.set_paused(name, dice.bool(), world.clock.now()).await.unwrap();
                world.scheduler.reread().await.unwrap();
            }
            4 => {
                // Another text, and now and then some fires more.
                let index = dice.usize(0..jobs.len());
                let max = jobs[index].max_fires().unwrap() + dice.u64(0..2);
                let words = dice.u8(0..9).to_string();
                jobs[index].push = vec![text(&words)];
                jobs[index].life = so_often("", max).life;
                world.load(&jobs).await;
            }
            5 => {
                let but_one = &jobs[..jobs.len() - 1];
                world.load(but_one).await;
                world.pass(seconds(dice.u64(0..20))).await;
                world.load(&jobs).await;
            }
            _ => world.pass(seconds(dice.u64(1..12))).await,
        }
    }
    for job in &jobs {
        world.store.set_paused(&job.name, false, world.clock.now()).await.unwrap();
    }
    world.scheduler.reread().await.unwrap();
    // The clock may have been put back: what fired before then fires no more.
    for _ in 0..40 {
        world.pass(seconds(60)).await;
    }
    let rows = world.rows("select job, count(*) from fires where decision = 'fired' group by 1").await;
    let fired: BTreeMap<&str, &str> = rows.iter().map(|row| (&*row[0], &*row[1])).collect();
    for job in &jobs {
        let may = job.max_fires().unwrap().to_string();
        assert_eq!(fired.get(&*job.name), Some(&&*may), "{} may fire {may} times", job.name);
    }
    let open = "select count(*) from jobs where fires_left > 0 or ended_at is null or next_due_at is not null";
    assert_eq!(world.rows(open).await, [["0"]]);
    world.balanced_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_a_job_fires_as_often_as_it_may_and_no_more() {
    let told = |name| std::env::var(name).ok().map(|told| told.parse::<u64>().expect("a number"));
    let seeds = match (told("PUSHCRON_ENDS_SEED"), told("PUSHCRON_ENDS_WALKS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(walks)) => (0..walks).map(|_| fastrand::u64(..)).collect(),
        // The last two found instants without rows: of a job that was at its end only by fires which were taken back
        // after the clock had gone back over them, and of one that left the files then.
        (None, None) => (0..6).chain([7_023_793_770_475_827_526, 8_624_605_189_971_805_929]).collect(),
    };
    for seed in seeds {
        println!("PUSHCRON_ENDS_SEED={seed}");
        walk(seed).await;
    }
}
