//! A random walk over due times, outcomes, kills, clock jumps, pauses and reloads. `PUSHCRON_WALK_SEED=N` repeats the
//! dice of one walk.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::common::world::{Answer, World, account, cron, failed, job, text};
use fastrand::Rng;
use pushcron::clock::Clock;
use pushcron::domain::{Job, Misfire, MisfirePolicy, Outcome, Overlap, Schedule, UtcMs};
use pushcron::engine::dispatcher::Event;
use pushcron::policy::schedule::CompiledSchedule;

const STEPS: usize = 120;
const JOBS: usize = 6;
const DAY: Duration = Duration::from_secs(86_400);
const OPEN: &str =
    "select id, state, reason, attempts, next_attempt_at, expires_at from pushes where finished_at is null";

/// What was in force, and since when.
struct Held {
    definition: Job,
    since: UtcMs,
}

/// What must be true in the end.
#[derive(Default)]
struct Promises {
    held: BTreeMap<String, Held>,
    /// Instants that were called for.
    called: HashSet<(String, UtcMs)>,
    /// Every schedule that a job ever had.
    schedules: HashMap<String, Vec<CompiledSchedule>>,
}

fn compiled(definition: &Job) -> CompiledSchedule {
    CompiledSchedule::compile(&definition.schedule, &definition.timezone, definition.dst_gap).unwrap()
}

impl Promises {
    /// From `now` on these definitions hold, and no others.
    fn hold(&mut self, jobs: &[Job], now: UtcMs) {
        let kept = |name: &str, held: &Held| {
            jobs.iter().any(|job| job.name == *name && job.schedule == held.definition.schedule)
        };
        let ended: Vec<String> =
            self.held.iter().filter(|(name, held)| !kept(name, held)).map(|(name, _)| name.clone()).collect();
        for name in ended {
            self.end(&name, now);
        }
        for job in jobs {
            self.schedules.entry(job.name.clone()).or_default().push(compiled(job));
            let since = self.held.get(&job.name).map_or(now, |held| held.since);
            self.held.insert(job.name.clone(), Held { definition: job.clone(), since });
        }
    }

    /// The clock was put back: what lies ahead again is decided anew, by the definitions that hold now.
    fn go_back(&mut self, now: UtcMs) {
        self.called.retain(|(_, at)| *at <= now);
        for held in self.held.values_mut() {
            held.since = held.since.min(now);
        }
    }

    fn end(&mut self, name: &str, now: UtcMs) {
        let Some(held) = self.held.remove(name) else { return };
        let schedule = compiled(&held.definition);
        let instants = schedule.occurrences(UtcMs(held.since.0 + 1), UtcMs(now.0 + 1));
        self.called.extend(instants.map(|at| (name.to_owned(), at)));
    }
}

fn definition(name: &str, dice: &mut Rng) -> Job {
    let schedule = match dice.u8(0..4) {
        0 => Schedule::Every(dice.u64(7..90) * 1000),
        1 => cron(&format!("*/{} * * * * *", dice.u8(10..50))),
        2 => cron("* * * * *"),
        _ => cron(&format!("{} * * * *", dice.u8(0..60))),
    };
    let policy = *dice.choice(&[MisfirePolicy::Latest, MisfirePolicy::All, MisfirePolicy::Skip]).unwrap();
    let overlap = *dice.choice(&[Overlap::Allow, Overlap::Allow, Overlap::Skip, Overlap::Replace]).unwrap();
    let misfire = Misfire { policy, max: dice.u32(1..5), ..Misfire::default() };
    Job { misfire, overlap, push: vec![text(&dice.u8(0..3).to_string())], ..job(name, schedule) }
}

fn answer(dice: &mut Rng) -> Answer {
    match dice.u8(0..7) {
        0 => Answer::Silence,
        1 => failed(Outcome::Unreachable),
        2 => failed(Outcome::AccountDown),
        3 => failed(Outcome::Throttled { wait: Some(Duration::from_secs(dice.u64(0..40))) }),
        4 => failed(Outcome::Rejected),
        5 => failed(Outcome::TargetGone),
        _ => failed(Outcome::Unknown),
    }
}

async fn pass(world: &mut World, seconds: u64, step: u64) {
    for _ in 0..seconds / step {
        world.clock.advance(Duration::from_secs(step));
        world.scheduler.run_once().await.unwrap();
        // The dispatcher and the store work beside the clock, and must not be left hours behind it.
        let _ = tokio::time::timeout(Duration::from_millis(2), std::future::pending::<()>()).await;
    }
}

async fn walk(seed: u64) {
    let mut dice = Rng::with_seed(seed);
    // Late enough that no walk goes back to a time that no clock can be believed to show.
    let start = "2026-09-01T00:00:00Z".parse().unwrap();
    let accounts = vec![account("a", true), account("b", false)];
    let mut world = World::within(tempfile::tempdir().unwrap(), start, accounts).await;
    let mut promises = Promises::default();
    let mut jobs: Vec<Job> = (0..JOBS).map(|number| definition(&format!("job{number}"), &mut dice)).collect();
    promises.hold(&jobs, world.clock.now());
    world.load(&jobs).await;
    for step in 0..STEPS {
        let what = dice.u8(0..13);
        println!("{step}: {what} at {}", world.clock.now());
        match what {
            0 => world = world.kill_and_restart().await,
            1 => {
                // Less than two seconds are no jump, but the drift of a clock.
                let most = *dice.choice(&[60, 7200, 4 * 86_400]).unwrap();
                let (now, by) = (world.clock.now(), Duration::from_secs(dice.u64(3..most)));
                let then = if dice.bool() { now + by } else { now - by };
                world.clock.step_wall_to(then);
                world.scheduler.run_once().await.unwrap();
                promises.go_back(then);
            }
            2 => {
                let index = dice.usize(0..JOBS);
                jobs[index] = definition(&format!("job{index}"), &mut dice);
                let mut loaded = jobs.clone();
                loaded.truncate(dice.usize(JOBS - 1..=JOBS));
                promises.hold(&loaded, world.clock.now());
                world.load(&loaded).await;
            }
            3 => {
                let name = format!("job{}", dice.usize(0..JOBS - 1));
                world.store.set_paused(&name, dice.bool(), world.clock.now()).await.unwrap();
            }
            4 | 5 => {
                let account = *dice.choice(&["a", "b"]).unwrap();
                world.platform.answers(account, [answer(&mut dice)]);
            }
            // A time that cannot be, perhaps over a crash; then it is set.
            12 => {
                let then = world.clock.now() + Duration::from_secs(dice.u64(3..7200));
                let wrong = *dice.choice(&["1970-01-01T00:00:07Z", "2099-01-01T00:00:00Z"]).unwrap();
                world.clock.step_wall_to(wrong.parse().unwrap());
                pass(&mut world, dice.u64(0..3), 1).await;
                if dice.bool() {
                    world = world.kill_and_restart().await;
                }
                pass(&mut world, dice.u64(0..3), 1).await;
                world.clock.step_wall_to(then);
                world.scheduler.run_once().await.unwrap();
            }
            // Away, and nobody looks.
            6 => {
                world.clock.advance(Duration::from_secs(dice.u64(1..600)));
                world = world.kill_and_restart().await;
            }
            _ => pass(&mut world, dice.u64(1..30), 1).await,
        }
    }
    // No more pushes from now on; those that are open have long enough for every wait to end.
    let disabled: Vec<Job> = jobs.iter().map(|job| Job { enabled: false, ..job.clone() }).collect();
    promises.hold(&disabled, world.clock.now());
    world.load(&disabled).await;
    pass(&mut world, 10, 10).await;
    while world.rows("select count(*) from pushes where finished_at is null").await != [["0"]] {
        world.events.send(Event::ProbeAll).ok().unwrap();
        // What was parked before the clock was put back by days waits for days.
        let step = if world.clock.monotonic() < DAY { 10 } else { 600 };
        pass(&mut world, 6 * step, step).await;
        assert!(world.clock.monotonic() < 60 * DAY, "open for ever: {:?}", world.rows(OPEN).await);
    }
    promises.hold(&[], world.clock.now());

    let rows = world.rows("select job, due_at, until_at from fires").await;
    let mut recorded: HashSet<(String, UtcMs)> =
        rows.iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
    assert_eq!(recorded.len(), rows.len(), "an instant has two rows");
    for row in rows.iter().filter(|row| !row[2].is_empty()) {
        let (from, until): (UtcMs, UtcMs) = (row[1].parse().unwrap(), row[2].parse().unwrap());
        let counted = |(job, at): &&(String, UtcMs)| *job == row[0] && (from..=until).contains(at);
        recorded.extend(promises.called.iter().filter(counted).cloned());
    }
    let missing: BTreeSet<_> = promises.called.difference(&recorded).collect();
    let named = |(job, at): &&(String, UtcMs)| format!("{job} {at}\n");
    assert!(missing.is_empty(), "called for and without a row:\n{}", missing.iter().map(named).collect::<String>());
    for (job, at) in &recorded {
        let before = UtcMs(at.0 - 1);
        let known = |schedule: &CompiledSchedule| schedule.next_after(before) == Some(*at);
        assert!(promises.schedules[job].iter().any(known), "{job} was never called for at {at}");
    }
    // The shipped check, which knows the history from the database alone, comes to the same.
    let told = world.balanced_ledger();
    let mut taken: HashMap<i64, usize> = HashMap::new();
    for push in world.platform.perhaps_taken() {
        *taken.entry(push).or_default() += 1;
    }
    let doubled: Vec<_> = taken.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "people may have seen these twice: {doubled:?}");
    for row in world.rows("select id from pushes where state = 'sent'").await {
        assert!(taken.contains_key(&row[0].parse().unwrap()), "push {} is called sent and never arrived", row[0]);
    }
    println!("seed {seed}: {} instants, {} messages, {told}", rows.len(), taken.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_holds_at_the_end_of_a_random_walk() {
    let told = std::env::var("PUSHCRON_WALK_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seeds = told.map_or_else(|| (0..4).map(|_| fastrand::u64(..)).collect(), |seed| vec![seed]);
    for seed in seeds {
        println!("PUSHCRON_WALK_SEED={seed}");
        walk(seed).await;
    }
}
