//! A month of a thousand jobs in a minute: summer time begins twice, the daemon is killed and stays away, definitions
//! change, platforms refuse; and in the end every instant that was called for has its row.

use std::collections::HashMap;
use std::time::Duration;

use crate::common::world::{World, account, cron, failed, job, text};
use pushcron::clock::Clock;
use pushcron::domain::{Account, Job, Misfire, MisfirePolicy, Outcome, Schedule, UtcMs};
use pushcron::policy::schedule::CompiledSchedule;

/// From before New York's change (8 March) to after Berlin's (29 March) and Lord Howe's (5 April).
const FROM: &str = "2026-03-07T00:00:30Z";
const UNTIL: &str = "2026-04-07T00:00:30Z";
const ZONES: [&str; 5] = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// Some of everything. Names tell nothing: only the number does.
fn definition(number: u64, minute_shift: u64) -> Job {
    let (minute, hour, day) = ((number + minute_shift) % 12 * 5, number % 24, number % 7);
    let schedule = match number {
        0..5 => cron("*/15 * * * *"),
        5..25 => cron("30 * * * *"),
        25..50 => Schedule::Every(6 * 3_600_000),
        50..100 => cron("0,30 2-3 * * *"),
        100..600 => cron(&format!("{minute} {hour} * * *")),
        600..990 => cron(&format!("{minute} {hour} * * {day}")),
        _ => cron(&format!("{minute} 2 {} * *", 1 + number % 28)),
    };
    let policy = [MisfirePolicy::Latest, MisfirePolicy::All, MisfirePolicy::Skip][number as usize % 3];
    Job {
        timezone: ZONES[number as usize % ZONES.len()].into(),
        enabled: !number.is_multiple_of(50),
        push: vec![text(&(number % 10).to_string())],
        misfire: Misfire { policy, within: hours(12), ..Misfire::default() },
        ..job(&format!("job{number}"), schedule)
    }
}

/// Instants that a job's definitions call for, each within the time in which it held.
fn called_for(definition: &Job, from: UtcMs, until: UtcMs) -> Vec<UtcMs> {
    let schedule = CompiledSchedule::compile(&definition.schedule, &definition.timezone, definition.dst_gap).unwrap();
    schedule.occurrences(UtcMs(from.0 + 1), UtcMs(until.0 + 1)).collect()
}

/// Lets time pass from instant to instant, and lets the pushes of each end.
async fn pass_until(world: &mut World, until: UtcMs) {
    while world.clock.now() < until {
        world.scheduler.run_once().await.unwrap();
        world.settled().await;
        let next = world.scheduler.timeline().next_fire_at().map_or(until, |at| at.min(until));
        world.clock.advance(next.since(world.clock.now()).max(Duration::from_millis(1)));
    }
    world.scheduler.run_once().await.unwrap();
    world.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_of_a_month_of_a_thousand_jobs_balances() {
    let [from, until] = [FROM, UNTIL].map(|text| text.parse::<UtcMs>().unwrap());
    // Where syncing costs nothing: thousands of commits would otherwise wait for the disk of the machine.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let busy = |id, is_default| Account { concurrency: Some(32), ..account(id, is_default) };
    let mut world = World::within(dir, from, vec![busy("a", true), busy("b", false)]).await;
    let mut jobs: Vec<Job> = (0..1000).map(|number| definition(number, 0)).collect();
    world.load(&jobs).await;
    let mut expected: HashMap<String, Vec<UtcMs>> = HashMap::new();
    let mut expect = |jobs: &[Job], from: UtcMs, until: UtcMs| {
        for job in jobs {
            expected.entry(job.name.clone()).or_default().extend(called_for(job, from, until));
        }
    };

    // Away over a change of the clock, for a night, and for three days.
    for (day, away) in [(1, 6), (9, 10), (17, 72)] {
        pass_until(&mut world, from + hours(24 * day)).await;
        let outcomes = [Outcome::Unreachable, Outcome::Throttled { wait: None }, Outcome::Unknown, Outcome::Rejected];
        world.platform.answers("a", outcomes.map(failed));
        world.clock.advance(hours(away));
        world = world.kill_and_restart().await;
    }
    // Half of the daily jobs move, twenty go.
    pass_until(&mut world, from + hours(24 * 24)).await;
    let changed_at = world.clock.now();
    let (changing, staying) = jobs.split_at(350);
    let staying = staying.to_vec();
    expect(changing, from, changed_at);
    let changed: Vec<Job> = (20..350).map(|number| definition(number, 3)).collect();
    // Definitions that came out the same go on, and count as one.
    jobs = changed.iter().cloned().chain(staying.iter().cloned()).collect();
    world.load(&jobs).await;
    pass_until(&mut world, until).await;
    expect(&changed, changed_at, until);
    expect(&staying, from, until);
    world.settled().await;

    let recorded = world
        .rows(&format!(
            "select job, sum(count) from fires where due_at <= '{until}' and triggered_by = 'cron' group by job"
        ))
        .await;
    let recorded: HashMap<String, usize> =
        recorded.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
    let total: usize = expected.values().map(Vec::len).sum();
    println!("{total} instants were called for, {} messages arrived", world.platform.count());
    assert!(expected.len() == 1000 && total > 30_000);
    for (job, instants) in &expected {
        let recorded = recorded.get(job).copied().unwrap_or_default();
        assert_eq!(instants.len() as i64 - recorded as i64, 0, "{job}: expected minus recorded");
    }
    let rows = world.rows(&format!("select job, due_at from fires where due_at <= '{until}'")).await;
    for row in rows {
        let due_at: UtcMs = row[1].parse().unwrap();
        assert!(expected[&row[0]].binary_search(&due_at).is_ok(), "{} was never called for at {due_at}", row[0]);
    }

    // The shipped check comes to the same.
    let told = world.balanced_ledger();
    assert!(told.starts_with("1000 jobs, "), "{told}");

    let mut taken = world.platform.perhaps_taken();
    let arrived = taken.len();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), arrived, "no message arrived twice");
    world.expect("select count(*) from pushes where state = 'sent'", &[&[&(arrived - 3).to_string()]]).await;
    world
        .expect(
            "select state, count(*) from pushes where state not in ('sent', 'cancelled') group by 1 order by 1",
            &[&["failed", "3"], &["unknown", "3"]],
        )
        .await;
}
