use proptest::prelude::*;

use super::*;
use crate::domain::job::DstGap;
use crate::domain::{Reason, Schedule};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn utc(text: &str) -> UtcMs {
    text.parse().unwrap()
}

fn compiled(schedule: Schedule) -> CompiledSchedule {
    CompiledSchedule::compile(&schedule, "Europe/Berlin", DstGap::Skip).unwrap()
}

fn cron(text: &str) -> CompiledSchedule {
    compiled(Schedule::Cron(text.to_owned()))
}

fn misfire(policy: MisfirePolicy) -> Misfire {
    Misfire { policy, ..Misfire::default() }
}

fn on<'a>(schedule: &'a CompiledSchedule, misfire: &'a Misfire) -> JobView<'a> {
    JobView { schedule, misfire, enabled: true, paused: false }
}

/// A plan with the rows of its gap written out.
#[derive(Debug, PartialEq)]
struct Plan {
    fires: Vec<InstantDecision>,
    next_due_at: Option<UtcMs>,
}

fn plan(job: &JobView, from: UtcMs, now: UtcMs, until: UtcMs) -> Plan {
    let super::Plan { gap, fires, next_due_at } = super::plan(job, from, now, until, usize::MAX);
    let rows = gap.map(|gap| gap.rows(job.schedule)).unwrap_or_default();
    Plan { fires: rows.into_iter().chain(fires).collect(), next_due_at }
}

/// Runs of rows with the same decision and reason, as `count reason`.
fn summary(plan: &Plan) -> String {
    let word = |fire: &InstantDecision| fire.reason.map_or(fire.decision.as_str(), Reason::as_str);
    let runs = plan.fires.chunk_by(|a, b| word(a) == word(b));
    runs.map(|run| format!("{} {}", run.len(), word(&run[0]))).collect::<Vec<_>>().join(", ")
}

#[test]
fn each_policy_decides_about_a_morning_without_a_daemon() {
    // Away from 08:00 to 12:00:30; a job of every ten minutes, so that 12:00 is merely late.
    let schedule = cron("*/10 * * * *");
    let (from, now) = (utc("2026-06-01T08:00:00Z"), utc("2026-06-01T12:00:30Z"));
    let with = |policy, change: fn(&mut Misfire)| {
        let mut misfire = misfire(policy);
        change(&mut misfire);
        let plan = plan(&on(&schedule, &misfire), from, now, now);
        assert_eq!(plan.next_due_at, Some(utc("2026-06-01T12:10:00Z")));
        assert!(plan.fires.iter().all(|fire| fire.count == 1 && fire.until_at.is_none()));
        summary(&plan)
    };
    let no_grace: fn(&mut Misfire) = |misfire| misfire.grace = Duration::ZERO;
    let capped: fn(&mut Misfire) = |misfire| misfire.max = 2;
    let uncaught: fn(&mut Misfire) = |misfire| misfire.max = 0;
    let narrow: fn(&mut Misfire) =
        |misfire| (misfire.grace, misfire.within) = (Duration::ZERO, Duration::from_secs(29));
    let touching: fn(&mut Misfire) =
        |misfire| (misfire.grace, misfire.within) = (Duration::ZERO, Duration::from_secs(30));
    let to_the_second: fn(&mut Misfire) =
        |misfire| (misfire.grace, misfire.within) = (Duration::ZERO, Duration::from_secs(630));
    assert_eq!(with(MisfirePolicy::Latest, to_the_second), "23 misfire_window, 1 misfire_latest, 1 caught_up");
    let within_grace: fn(&mut Misfire) = |misfire| misfire.within = Duration::from_secs(1);
    assert_eq!(with(MisfirePolicy::Latest, within_grace), "24 misfire_window, 1 fired");
    assert_eq!(with(MisfirePolicy::All, within_grace), "24 misfire_window, 1 fired");
    assert_eq!(with(MisfirePolicy::Skip, |_| {}), "24 misfire_skip, 1 fired");
    assert_eq!(with(MisfirePolicy::Skip, no_grace), "25 misfire_skip");
    assert_eq!(with(MisfirePolicy::Latest, |_| {}), "19 misfire_window, 5 misfire_latest, 1 fired");
    assert_eq!(with(MisfirePolicy::Latest, no_grace), "19 misfire_window, 5 misfire_latest, 1 caught_up");
    assert_eq!(with(MisfirePolicy::Latest, narrow), "25 misfire_window");
    assert_eq!(with(MisfirePolicy::Latest, touching), "24 misfire_window, 1 caught_up");
    assert_eq!(with(MisfirePolicy::All, |_| {}), "19 misfire_window, 5 caught_up, 1 fired");
    assert_eq!(with(MisfirePolicy::All, no_grace), "19 misfire_window, 6 caught_up");
    assert_eq!(with(MisfirePolicy::All, narrow), "25 misfire_window");
    assert_eq!(with(MisfirePolicy::All, touching), "24 misfire_window, 1 caught_up");
    assert_eq!(with(MisfirePolicy::All, capped), "19 misfire_window, 3 misfire_cap, 2 caught_up, 1 fired");
    assert_eq!(with(MisfirePolicy::All, uncaught), "19 misfire_window, 5 misfire_cap, 1 fired");
}

#[test]
fn the_grace_is_exact_and_never_shorter_than_a_second() {
    let schedule = cron("0 12 * * *");
    let due = utc("2026-06-01T10:00:00Z");
    let skip = misfire(MisfirePolicy::Skip);
    let graceless = Misfire { grace: Duration::ZERO, ..skip.clone() };
    for (misfire, late, expected) in [
        (&skip, 60_000, "1 fired"),
        (&skip, 60_001, "1 misfire_skip"),
        (&graceless, 1_000, "1 fired"),
        (&graceless, 1_001, "1 misfire_skip"),
        (&graceless, 0, "1 fired"),
    ] {
        let now = UtcMs(due.0 + late);
        assert_eq!(summary(&plan(&on(&schedule, misfire), due, now, now)), expected, "{late} ms late");
    }
}

#[test]
fn nothing_is_due_before_its_instant_unless_recorded_ahead() {
    let schedule = cron("0 12 * * *");
    let latest = misfire(MisfirePolicy::Latest);
    let due = utc("2026-06-01T10:00:00Z");
    let early = UtcMs(due.0 - 1);
    assert_eq!(plan(&on(&schedule, &latest), due, early, early), Plan { fires: Vec::new(), next_due_at: Some(due) });
    let ahead = plan(&on(&schedule, &latest), due, early, due);
    assert_eq!(summary(&ahead), "1 fired");
    assert_eq!(ahead.next_due_at, Some(utc("2026-06-02T10:00:00Z")));
}

#[test]
fn an_instant_recorded_ahead_is_not_the_latest_yet() {
    let schedule = cron("0 * * * *");
    let latest = misfire(MisfirePolicy::Latest);
    let (from, now) = (utc("2026-06-01T08:00:00Z"), utc("2026-06-01T08:59:57Z"));
    let ahead = plan(&on(&schedule, &latest), from, now, now + Duration::from_secs(5));
    assert_eq!(summary(&ahead), "1 caught_up, 1 fired");
}

#[test]
fn after_a_suspend_of_eight_hours_the_latest_fires_and_each_other_has_its_row() {
    // F18: the wall clock alone moved.
    let schedule = cron("* * * * *");
    let latest = misfire(MisfirePolicy::Latest);
    let (from, now) = (utc("2026-06-01T00:00:00Z"), utc("2026-06-01T08:00:30Z"));
    let plan = plan(&on(&schedule, &latest), from, now, now);
    assert_eq!(summary(&plan), "421 misfire_window, 59 misfire_latest, 1 fired");
}

#[test]
fn after_three_days_the_newest_hundred_are_caught_up_and_the_rest_is_missed() {
    // F21: a minute job with policy all.
    let schedule = cron("* * * * *");
    let all = Misfire { within: HOUR * 24, ..misfire(MisfirePolicy::All) };
    let (from, now) = (utc("2026-06-01T00:00:00Z"), utc("2026-06-04T00:00:30Z"));
    let plan = plan(&on(&schedule, &all), from, now, now);
    assert_eq!(summary(&plan), "1 misfire_window, 100 caught_up, 1 fired");
    assert_eq!((plan.fires[0].count, plan.fires[1].due_at), (2881 + 1339, utc("2026-06-03T22:20:00Z")));
}

#[test]
fn paused_and_disabled_instants_are_skipped_one_row_each() {
    let schedule = cron("*/10 * * * *");
    let all = misfire(MisfirePolicy::All);
    let (from, now) = (utc("2026-06-01T08:00:00Z"), utc("2026-06-01T08:20:00Z"));
    for (enabled, paused, expected) in [
        (true, true, "3 paused"),
        (false, false, "3 disabled"),
        (false, true, "3 disabled"),
        (true, false, "2 caught_up, 1 fired"),
    ] {
        let plan = plan(&JobView { enabled, paused, ..on(&schedule, &all) }, from, now, now);
        assert_eq!(summary(&plan), expected);
        let is_off = !enabled || paused;
        assert!(plan.fires.iter().all(|fire| (fire.decision == Decision::Skipped) == is_off), "{expected}");
        assert_eq!(plan.next_due_at, Some(utc("2026-06-01T08:30:00Z")));
    }
}

#[test]
fn an_hour_that_the_gap_swallows_is_skipped_and_says_so() {
    let schedule = cron("30 2 * * *");
    let latest = Misfire { within: HOUR * 100, ..misfire(MisfirePolicy::Latest) };
    let from = utc("2026-03-28T01:30:00Z");
    let at_gap_end = utc("2026-03-29T01:00:00Z");
    let plan_until = |now| plan(&on(&schedule, &latest), from, now, now);
    let plan = plan_until(at_gap_end);
    assert_eq!(summary(&plan), "1 caught_up, 1 dst_gap", "a gap is not the latest instant");
    assert_eq!(plan.fires[1].decision, Decision::Skipped);
    assert_eq!(plan.fires[1].due_at, at_gap_end);
    assert_eq!(plan.next_due_at, Some(utc("2026-03-30T00:30:00Z")));
    assert_eq!(
        summary(&plan_until(utc("2026-03-31T00:30:00Z"))),
        "1 misfire_latest, 1 dst_gap, 1 misfire_latest, 1 fired"
    );
}

#[test]
fn a_single_instant_fires_once_or_is_missed() {
    let schedule = compiled(Schedule::At(utc("2026-06-01T10:00:00Z")));
    let latest = misfire(MisfirePolicy::Latest);
    let due = utc("2026-06-01T10:00:00Z");
    for (late, expected) in [(Duration::ZERO, "1 fired"), (HOUR, "1 caught_up"), (HOUR + MINUTE, "1 misfire_window")] {
        let plan = plan(&on(&schedule, &latest), due, due + late, due + late);
        assert_eq!((summary(&plan).as_str(), plan.next_due_at), (expected, None));
    }
}

#[test]
fn more_than_a_thousand_missed_instants_become_one_row() {
    let second = compiled(Schedule::Every(1000));
    let skip = misfire(MisfirePolicy::Skip);
    let from = utc("2026-06-01T00:00:00Z");
    // Instants up to one minute old are in time.
    let plan_for = |missed: u64| {
        let now = from + MINUTE + Duration::from_secs(missed);
        plan(&on(&second, &skip), from, now, now)
    };
    assert_eq!(summary(&plan_for(1000)), "1000 misfire_skip, 61 fired");
    let plan = plan_for(1001);
    assert_eq!(summary(&plan), "1 misfire_skip, 61 fired");
    let row = InstantDecision {
        due_at: from,
        decision: Decision::Missed,
        reason: Some(Reason::MisfireSkip),
        count: 1001,
        until_at: Some(from + Duration::from_secs(1000)),
    };
    assert_eq!(plan.fires[0], row);
}

#[test]
fn one_row_for_decades_is_missed_even_if_it_begins_in_a_gap() {
    let daily = cron("30 2 * * *");
    let skip = misfire(MisfirePolicy::Skip);
    let (gap_end, now) = (utc("1990-03-25T01:00:00Z"), utc("2026-06-01T12:00:00Z"));
    let row = plan(&on(&daily, &skip), gap_end, now, now).fires[0];
    assert_eq!((row.due_at, row.decision, row.reason), (gap_end, Decision::Missed, Some(Reason::MisfireSkip)));
    assert_eq!(row.count, daily.count_called(gap_end, now));
}

#[test]
fn a_year_of_seconds_is_one_row_and_balances() {
    let (from, now) = (utc("2025-07-01T00:00:00Z"), utc("2026-07-01T00:00:00Z"));
    let latest = misfire(MisfirePolicy::Latest);
    for text in ["* * * * * *", "*/7 * * * * *"] {
        let schedule = cron(text);
        let seconds = plan(&on(&schedule, &latest), from, now, now);
        let [row, fired @ ..] = &seconds.fires[..] else { panic!("{text}: no row") };
        assert_eq!((row.decision, row.reason), (Decision::Missed, Some(Reason::MisfireWindow)), "{text}");
        assert!(fired.iter().all(|fire| fire.decision == Decision::Fired), "{text}");
        assert_eq!(row.count + fired.len() as u64, schedule.count_called(from, UtcMs(now.0 + 1)), "{text}");
        assert!(row.until_at < Some(fired[0].due_at), "{text}");
        let paused = plan(&JobView { paused: true, ..on(&schedule, &latest) }, from, now, now);
        assert_eq!(paused.fires.len(), 1, "{text}");
        assert_eq!((paused.fires[0].decision, paused.fires[0].reason), (Decision::Skipped, Some(Reason::Paused)));
    }
}

#[test]
fn a_clock_put_back_repeats_nothing_and_silences_nothing() {
    let schedule = cron("*/10 * * * *");
    let (now, ahead) = (utc("2026-06-01T08:05:00Z"), utc("2099-01-01T00:00:00Z"));
    let coming = utc("2026-06-01T08:10:00Z");
    let overdue = utc("2026-06-01T07:00:00Z");
    for (place, expected) in [
        (Some(ahead), Some(coming)),
        (Some(coming), Some(coming)),
        (Some(overdue), Some(overdue)),
        (None, Some(coming)),
    ] {
        assert_eq!(place_at(&schedule, place, now), expected, "{place:?}");
    }
    let once = compiled(Schedule::At(coming));
    assert_eq!(place_at(&once, None, now), Some(coming));
    assert_eq!(place_at(&once, None, coming), None);
    assert_eq!(place_at(&once, Some(coming), ahead), Some(coming), "what is overdue stays in its place");
}

/// The rules once more, instant by instant.
fn naive(job: &JobView, from: UtcMs, now: UtcMs) -> Vec<(UtcMs, Option<Reason>)> {
    let mut called = Vec::new();
    let mut next = job.schedule.next_called_after(UtcMs(from.0 - 1));
    while let Some(instant) = next.filter(|instant| instant.at <= now) {
        called.push(instant);
        next = job.schedule.next_called_after(instant.at);
    }
    let age = |instant: &Occurrence| now.since(instant.at);
    let grace = job.misfire.grace.max(Duration::from_secs(1));
    let newest = called.iter().filter(|instant| instant.skipped.is_none()).map(|instant| instant.at).next_back();
    let mut rows = Vec::new();
    let mut caught_up = 0;
    for instant in called.iter().rev() {
        let reason = match job.misfire.policy {
            _ if instant.skipped.is_some() => Some(Reason::DstGap),
            _ if age(instant) <= grace => None,
            MisfirePolicy::Skip => Some(Reason::MisfireSkip),
            _ if age(instant) > job.misfire.within => Some(Reason::MisfireWindow),
            MisfirePolicy::Latest if Some(instant.at) == newest => Some(Reason::CaughtUp),
            MisfirePolicy::Latest => Some(Reason::MisfireLatest),
            MisfirePolicy::All if caught_up < job.misfire.max => Some(Reason::CaughtUp),
            MisfirePolicy::All => Some(Reason::MisfireCap),
        };
        if age(instant) > grace {
            caught_up += 1;
        }
        rows.push((instant.at, reason));
    }
    rows.reverse();
    rows
}

#[test]
fn a_row_settles_what_its_own_schedule_called_for() {
    let (minutes, fives) = (cron("* * * * *"), cron("*/5 * * * *"));
    let at = |minute: i64| UtcMs(utc("2026-06-01T08:00:00Z").0 + minute * 60_000);
    assert_eq!(row_span(&minutes, at(1), at(10)), Some((at(1), 10, Some(at(10)))));
    assert_eq!(row_span(&fives, at(1), at(9)), Some((at(5), 1, None)));
    assert_eq!(row_span(&fives, at(1), at(4)), None);
    assert_eq!(row_span(&fives, at(4), at(1)), None);
    let row = |from, until: Option<i64>, count| {
        let (due_at, until_at) = (at(from), until.map(at));
        LedgerRow { due_at, until_at, count, revision: 1, recorded_at: due_at, zone: None }
    };
    let gap = row(0, Some(20), 21);
    assert_eq!((settled_until(&minutes, &gap), settled_until(&fives, &gap)), (at(20), at(0)));
    assert_eq!(settled_until(&fives, &row(0, Some(20), 5)), at(20));
    assert_eq!(settled_until(&minutes, &row(7, None, 1)), at(7));
    assert_eq!(settled_until(&fives, &row(7, None, 1)), at(7));
}

#[test]
fn what_fires_is_decided_a_part_at_a_time_and_comes_to_the_same() {
    let schedule = cron("*/10 * * * *");
    let all = Misfire { within: HOUR * 3, ..misfire(MisfirePolicy::All) };
    let (from, now) = (utc("2026-06-01T08:00:00Z"), utc("2026-06-01T12:00:30Z"));
    let whole = plan(&on(&schedule, &all), from, now, now);
    assert_eq!(summary(&whole), "7 misfire_window, 17 caught_up, 1 fired");
    let (mut place, mut parts, mut rows) = (Some(from), 0, Vec::new());
    while let Some(from) = place.filter(|at| *at <= now) {
        let part = super::plan(&on(&schedule, &all), from, now, now, 4);
        assert_eq!(part.gap.is_some(), parts == 0, "the rest of what fires leaves no gap");
        assert!(part.fires.len() <= 4);
        rows.extend(part.gap.iter().flat_map(|gap| gap.rows(&schedule)));
        rows.extend(part.fires);
        (place, parts) = (part.next_due_at, parts + 1);
    }
    assert_eq!((parts, rows, place), (5, whole.fires, whole.next_due_at));
}

#[test]
fn nothing_fires_of_what_is_closed() {
    let (schedule, latest) = (cron("*/10 * * * *"), misfire(MisfirePolicy::Latest));
    let (from, until) = (utc("2026-06-01T08:00:00Z"), utc("2026-06-01T08:20:00Z"));
    for (enabled, paused, expected) in
        [(true, false, "3 restored"), (true, true, "3 paused"), (false, false, "3 disabled")]
    {
        let job = JobView { enabled, paused, ..on(&schedule, &latest) };
        let closing = plan_closing(&job, from, until, Reason::Restored);
        let rows = closing.gap.unwrap().rows(&schedule);
        assert_eq!(summary(&Plan { fires: rows, next_due_at: None }), expected);
        assert!(closing.fires.is_empty());
        assert_eq!(closing.next_due_at, Some(utc("2026-06-01T08:30:00Z")));
    }
    assert_eq!(plan_closing(&on(&schedule, &latest), UtcMs(until.0 + 1), until, Reason::Restored).gap, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_is_the_rules_applied_to_every_instant(
        text in prop::sample::select(vec!["* * * * *", "*/7 * * * *", "30 2 * * *", "0,30 2,3 * * *", "15 */5 * * *", "0 0 1 * *"]),
        policy in prop::sample::select(vec![MisfirePolicy::Skip, MisfirePolicy::Latest, MisfirePolicy::All]),
        start in 1_774_500_000_000_i64..1_775_000_000_000,
        away in 0_i64..200_000_000,
        within in 0_u64..200_000,
        grace in 0_u64..5_000,
        max in 0_u32..200,
    ) {
        let schedule = cron(text);
        let misfire = Misfire { policy, within: Duration::from_secs(within), grace: Duration::from_secs(grace), max };
        let job = on(&schedule, &misfire);
        let (from, now) = (UtcMs(start), UtcMs(start + away));
        let planned = plan(&job, from, now, now);
        let rules = naive(&job, from, now);
        // A long gap is one row.
        let many = planned.fires.iter().take_while(|row| row.count > MAX_ROWS).count();
        let rows: Vec<_> =
            planned.fires[many..].iter().map(|fire| (fire.due_at, fire.reason)).collect();
        prop_assert_eq!(&rows[..], &rules[rules.len() - rows.len()..]);
        prop_assert_eq!(planned.fires.iter().map(|fire| fire.count).sum::<u64>(), rules.len() as u64);
        prop_assert!(planned.next_due_at > Some(now));
    }
}
