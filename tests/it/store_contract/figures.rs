//! fold_hours, hours, job_days, unfired_days.

use std::sync::Arc;
use std::time::Duration;

use pushcron::domain::{AtMost, Decision, Job, Next, Outcome, Reason, Report, Rule, UtcMs};
use pushcron::store::{Begin, Cursor, Ends, Finish, HourFigures, JobDay, NewFire, UnfiredDay};

use crate::store_contract::world::{NINE, World, at, finish, fire, job, sent};

const HOUR: i64 = 3600;

/// Makes every hour whose time has come, and tells how many that were.
async fn make(world: &World, now: UtcMs) -> usize {
    let mut made = 0;
    while world.store.fold_hours(now).await.unwrap() {
        made += 1;
        assert!(made < 2_000, "it does not end");
    }
    made
}

/// Without the bystander's, which was due before nine.
async fn hours(world: &World, now: UtcMs) -> Vec<HourFigures> {
    world.store.hours(NINE, now, now).await.unwrap().rows
}

/// A push of a job, due at an instant, that began so many milliseconds later and came to this end.
async fn ended(world: &World, job: &Job, due_at: UtcMs, late_ms: i64, next: Next) -> i64 {
    let push = world.fire(job, due_at).await.pushes.remove(0);
    let begun = UtcMs(due_at.0 + late_ms);
    let begin = Begin { push_id: push.id, account: Arc::from("bot_a"), sender: "console", rule: Rule::ImDefault };
    let delivery = world.store.begin_attempts(vec![begin], begun).await.unwrap().remove(0);
    let close = match next {
        Next::Sent => sent(&delivery, begun),
        next => finish(&delivery, Report::failed(Outcome::Unknown, "broken"), next, begun),
    };
    let close = Finish { started_at: begun, ..close };
    world.store.finish_attempts(vec![close]).await.unwrap();
    push.id
}

pub(super) async fn an_hour_tells_what_became_of_what_was_due_in_it(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    for (second, late_ms) in [(0, 0), (1, 10), (2, 11), (3, 4_000_000)] {
        ended(&world, &daily, at(second), late_ms, Next::Sent).await;
    }
    ended(&world, &daily, at(4), 70, Next::Unknown { reason: Reason::Unknown }).await;
    let waiting = world.fire(&daily, at(5)).await.pushes.remove(0);
    ended(&world, &daily, at(HOUR), 0, Next::Sent).await;
    assert_eq!(make(&world, at(HOUR + 299)).await, 1, "the bystander's alone");
    assert_eq!(make(&world, at(HOUR + 300)).await, 1);
    let made = hours(&world, at(HOUR + 300)).await;
    let of = |row: &HourFigures| (row.hour, row.im.clone(), row.account.clone(), row.ends);
    let told: Vec<_> = made.iter().map(of).collect();
    let (qq, bot) = ("qq".to_owned(), "bot_a".to_owned());
    assert_eq!(
        told,
        [
            (at(0), qq.clone(), String::new(), Ends { open: 1, ..Ends::default() }),
            (at(0), qq.clone(), bot.clone(), Ends { sent: 4, unknown: 1, ..Ends::default() }),
            (at(HOUR), qq, bot, Ends { sent: 1, ..Ends::default() }),
        ]
    );
    let late = made[1].lateness;
    assert_eq!((late.count(), late.most_ms), (5, Some(4_000_000)));
    assert_eq!(late.buckets, [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!([50, 99].map(|percent| late.percentile(percent).unwrap()), [AtMost::Ms(50), AtMost::Later]);
    assert_eq!(made[0].lateness.most_ms, None);
    assert_eq!(world.state(waiting.id).await.as_str(), "pending", "nothing is changed by it");
}

pub(super) async fn an_hour_made_twice_is_the_same_and_sees_what_was_resolved_meanwhile(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    ended(&world, &daily, at(0), 5, Next::Sent).await;
    let lost = ended(&world, &daily, at(1), 5, Next::Unknown { reason: Reason::Unknown }).await;
    make(&world, at(2 * HOUR)).await;
    let first = hours(&world, at(2 * HOUR)).await;
    assert_eq!(first[0].ends, Ends { sent: 1, unknown: 1, ..Ends::default() });
    world.store.resolve(lost, true, at(3 * HOUR)).await.unwrap();
    assert_eq!(hours(&world, at(4 * HOUR)).await, first, "it is not counted on every request");
    let next_day = 25 * HOUR + 300;
    make(&world, at(next_day - 1)).await;
    assert_eq!(hours(&world, at(next_day - 1)).await, first);
    make(&world, at(next_day)).await;
    let second = hours(&world, at(next_day)).await;
    assert_eq!(second, [HourFigures { ends: Ends { sent: 2, ..Ends::default() }, ..first[0].clone() }]);
    // From there on it stands.
    make(&world, at(60 * HOUR)).await;
    assert_eq!(hours(&world, at(60 * HOUR)).await, second);
    assert_eq!(world.store.job_days("daily", "2026-01-01", at(60 * HOUR)).await.unwrap()[0].ends, second[0].ends);
}

pub(super) async fn the_running_hour_is_counted_as_it_stands(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    ended(&world, &daily, at(0), 5, Next::Sent).await;
    make(&world, at(300)).await;
    assert_eq!(hours(&world, at(300)).await[0].ends.sent, 1);
    ended(&world, &daily, at(310), 5, Next::Sent).await;
    assert_eq!(hours(&world, at(320)).await[0].ends.sent, 2);
    // The hour is over, and its time comes in five minutes.
    assert_eq!(hours(&world, at(HOUR + 60)).await[0].ends.sent, 2);
    let of_before = world.store.hours(at(-HOUR), at(-1), at(HOUR + 60)).await.unwrap();
    assert_eq!((of_before.rows.len(), of_before.rows[0].hour), (1, at(-HOUR)), "made, and only what was asked for");
    assert_eq!(of_before.missing_from, None);
    let days = world.store.job_days("daily", "2026-01-01", at(320)).await.unwrap();
    let ends = Ends { sent: 2, ..Ends::default() };
    assert_eq!(days, [JobDay { day: "2026-01-01".to_owned(), fired: 2, ends, ..JobDay::default() }]);
    assert_eq!(world.store.job_days("daily", "2026-01-02", at(320)).await.unwrap(), []);
    assert_eq!(world.store.job_days("nobody", "2026-01-01", at(320)).await.unwrap(), []);
}

pub(super) async fn a_job_has_the_days_of_its_zone_with_their_23_and_25_hours(world: Arc<World>) {
    // Berlin: 2026-03-29 has 23 hours and begins at 23:00 UTC the day before; 2026-10-25 has 25 and begins at 22:00 UTC.
    let mut berlin = job("berlin");
    berlin.timezone = "Europe/Berlin".into();
    let utc = |text: &str| format!("2026-{text}:00.000Z").parse::<UtcMs>().unwrap();
    world.load(&berlin, utc("03-28T22:59")).await;
    let of_spring = ["03-28T22:59", "03-28T23:00", "03-29T21:59", "03-29T22:00"];
    let of_autumn = ["10-24T21:59", "10-24T22:00", "10-25T22:59", "10-25T23:00"];
    for text in of_spring.into_iter().chain(of_autumn) {
        ended(&world, &berlin, utc(text), 0, Next::Sent).await;
    }
    let expected: Vec<(String, u64, u64)> =
        [("03-28", 1), ("03-29", 2), ("03-30", 1), ("10-24", 1), ("10-25", 2), ("10-26", 1)]
            .map(|(day, fired)| (format!("2026-{day}"), fired, fired))
            .to_vec();
    let told = async |now: &str| {
        let days = world.store.job_days("berlin", "2026-03-01", utc(now)).await.unwrap();
        days.into_iter().map(|day| (day.day, day.fired, day.ends.sent)).collect::<Vec<_>>()
    };
    assert_eq!(told("03-29T22:00").await[..], expected[..3], "counted as they stand");
    make(&world, utc("10-25T23:30")).await;
    assert_eq!(told("10-25T23:30").await, expected, "the last day runs");
    make(&world, utc("10-29T00:00")).await;
    assert_eq!(told("10-29T00:00").await, expected, "and all are made");
}

pub(super) async fn what_did_not_fire_is_counted_by_day(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    let missed = |due: i64, until: i64| NewFire {
        decision: Decision::Missed,
        reason: Some(Reason::MisfireWindow),
        count: (until - due + 1) as u64,
        until_at: (until > due).then(|| at(until)),
        ..fire(&daily, at(due))
    };
    let skipped = NewFire { decision: Decision::Skipped, reason: Some(Reason::Overlap), ..fire(&daily, at(60)) };
    // Shanghai's day ends at 16:00 UTC, seven hours after nine.
    let fires = vec![missed(0, 49), skipped, missed(7 * HOUR - 1, 7 * HOUR - 1), missed(7 * HOUR, 7 * HOUR)];
    let place =
        |from: i64, next: i64| Cursor { job: Arc::from("daily"), from: Some(at(from)), next_due_at: Some(at(next)) };
    world.store.record_fires(fires, vec![place(0, 8 * HOUR)], at(7 * HOUR)).await.unwrap();
    let day = |day: &str, skipped: u64, missed: u64| UnfiredDay { day: day.to_owned(), skipped, missed };
    let expected = [day("2026-01-01", 1, 51), day("2026-01-02", 0, 1)];
    let told = async |now: i64| world.store.unfired_days("2026-01-01", at(now)).await.unwrap();
    assert_eq!(told(7 * HOUR).await, expected, "nothing is made yet");
    make(&world, at(8 * HOUR)).await;
    assert_eq!(told(8 * HOUR).await, expected, "one day is");
    make(&world, at(60 * HOUR)).await;
    assert_eq!(told(60 * HOUR).await, expected, "both are");
    assert_eq!(world.store.unfired_days("2026-01-02", at(60 * HOUR)).await.unwrap(), expected[1..]);
}

pub(super) async fn a_hole_in_the_history_is_left_out(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    ended(&world, &daily, at(0), 0, Next::Sent).await;
    let year = 365 * 24 * HOUR;
    ended(&world, &daily, at(year), 0, Next::Sent).await;
    let made = make(&world, at(year + 30 * HOUR)).await;
    assert!(made < 200, "{made} hours were made");
    let rows = hours(&world, at(year + 30 * HOUR)).await;
    assert_eq!(rows.iter().map(|row| row.hour).collect::<Vec<_>>(), [at(0), at(year)]);
    let days = world.store.job_days("daily", "2026-01-01", at(year + 30 * HOUR)).await.unwrap();
    assert_eq!(days.iter().map(|day| &*day.day).collect::<Vec<_>>(), ["2026-01-01", "2027-01-01"]);
    let idle = world.store.hours(NINE, at(2 * year), at(2 * year)).await.unwrap();
    assert_eq!(idle.missing_from, None, "where nothing was due nothing is missing");
}

pub(super) async fn a_clock_that_stood_ahead_does_not_end_the_figures(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    let year = 365 * 24 * HOUR;
    ended(&world, &daily, at(year), 0, Next::Sent).await;
    make(&world, at(year + 10 * HOUR)).await;
    ended(&world, &daily, at(0), 0, Next::Sent).await;
    make(&world, at(60)).await;
    ended(&world, &daily, at(HOUR), 0, Next::Sent).await;
    make(&world, at(2 * HOUR + 300)).await;
    let rows = hours(&world, at(3 * HOUR)).await;
    assert_eq!(rows.iter().map(|row| row.hour).collect::<Vec<_>>(), [at(0), at(HOUR)]);
}

pub(super) async fn figures_are_pruned_with_the_history(world: Arc<World>) {
    // Older than the bystander, so that it is not among them.
    let old = job("old");
    let day = |days: i64| at(-days * 24 * HOUR);
    world.load(&old, day(10)).await;
    for days in [10, 9, 8, 7] {
        ended(&world, &old, day(days), 0, Next::Sent).await;
    }
    make(&world, day(5)).await;
    let count = async || {
        let hours = world.store.hours(day(20), day(5), day(5)).await.unwrap().rows.len();
        (hours, world.store.job_days("old", "2025-01-01", day(5)).await.unwrap().len())
    };
    assert_eq!(count().await, (4, 4));
    let before = day(8) + Duration::from_secs(3600);
    assert_eq!(world.store.prune(before, 2).await.unwrap().fires, 2);
    assert_eq!(count().await, (4, 4), "there is more of the history to delete");
    assert_eq!(world.store.prune(before, 2).await.unwrap().fires, 1);
    assert_eq!(count().await, (1, 3), "a day goes when it is as old in every zone");
    // What is gone is not counted again as if it had never been.
    make(&world, day(4)).await;
    assert_eq!(count().await, (1, 3));
}
