use super::*;
use crate::domain::Schedule;
use crate::domain::job::DstGap;
use crate::domain::{Decision, MisfirePolicy, Reason};
use crate::store::MadeAhead;

/// 2026-01-01T01:00:00.000Z
const START: UtcMs = UtcMs(1_767_229_200_000);

fn after(seconds: i64) -> UtcMs {
    UtcMs(START.0 + seconds * 1000)
}

/// Every minute, with the first instant a minute after the start.
fn every_minute(name: &str) -> StoredJob {
    StoredJob {
        name: name.into(),
        schedule: Schedule::Cron("* * * * *".to_owned()),
        timezone: "UTC".into(),
        dst_gap: DstGap::Fire,
        days: None,
        enabled: true,
        paused: false,
        misfire: Misfire::default(),
        overlap: Overlap::Allow,
        lead: None,
        next_due_at: Some(after(60)),
        definition_hash: 7,
        revision: 1,
        loaded_at: START,
        source: JobSource::File,
        life: None,
        spent_at: None,
        made_ahead: None,
    }
}

fn timeline(jobs: Vec<StoredJob>) -> Timeline {
    Timeline::new(jobs, "2026a", START).unwrap()
}

fn timeline_after_an_absence(jobs: Vec<StoredJob>) -> Timeline {
    Timeline::new(jobs, "2026a", after(AWAY)).unwrap()
}

/// What a plan records: name, seconds after the start, decision.
fn fires(plan: &Plan) -> Vec<(&str, i64, Decision)> {
    let fire = |fire: &NewFire| (fire.due_at.0 - START.0) / 1000;
    plan.fires.iter().map(|new| (&*new.job, fire(new), new.decision)).collect()
}

#[test]
fn only_what_depends_on_nothing_else_is_looked_at_ahead() {
    let job = || every_minute("a");
    for (job, look_at) in [
        (job(), after(60) - AHEAD),
        (StoredJob { overlap: Overlap::Skip, ..job() }, after(60)),
        (StoredJob { overlap: Overlap::Replace, ..job() }, after(60)),
        (StoredJob { lead: Some(Duration::ZERO), ..job() }, after(60)),
        (StoredJob { lead: Some(Duration::from_secs(20)), ..job() }, after(40)),
        (StoredJob { paused: true, ..job() }, after(60)),
        (StoredJob { enabled: false, ..job() }, after(60)),
    ] {
        let mut timeline = timeline(vec![job]);
        assert_eq!(timeline.next_look_at(), Some(look_at));
        assert_eq!(fires(&timeline.plan(UtcMs(look_at.0 - 1), 9)), []);
        assert_eq!(timeline.plan(look_at, 9).fires.len(), 1, "at {look_at}");
    }
}

#[test]
fn nothing_moves_on_until_the_plan_is_durable() {
    let mut timeline = timeline(vec![every_minute("a")]);
    let planned = [("a", 60, Decision::Fired)];
    assert_eq!(fires(&timeline.plan(after(60), 9)), planned);
    let again = timeline.plan(after(60), 9);
    assert_eq!(fires(&again), planned);
    let cursor = &again.cursors[0];
    assert_eq!((&*cursor.job, cursor.from, cursor.next_due_at), ("a", Some(after(60)), Some(after(120))));
    assert_eq!(again.fires[0].zone.as_deref(), Some("UTC 2026a"));
    timeline.advance(again);
    assert_eq!(timeline.next_look_at(), Some(after(120) - AHEAD));
    assert_eq!(timeline.plan(after(115), 9).cursors[0].from, Some(after(120)));
}

#[test]
fn a_plan_holds_no_more_jobs_than_it_may() {
    let mut timeline = timeline(["a", "b", "c"].map(every_minute).to_vec());
    let plan = timeline.plan(after(60), 2);
    assert_eq!(fires(&plan).len(), 2);
    timeline.advance(plan);
    let rest = timeline.plan(after(60), 2);
    assert_eq!(fires(&rest).len(), 1);
    timeline.advance(rest);
    assert_eq!(fires(&timeline.plan(after(60), 2)), []);
}

/// Away for 900 minutes and a half: 840 instants older than an hour, 59 missed for a newer one, one in time.
const AWAY: i64 = 900 * 60 + 30;
const NEWEST: i64 = 900 * 60;

/// Plans one after the other until nothing is due, as (job, seconds, decision) of each transaction.
fn transactions(timeline: &mut Timeline, now: UtcMs) -> Vec<Vec<(String, i64, Decision)>> {
    let mut all = Vec::new();
    loop {
        let plan = timeline.plan(now, 500);
        if plan.is_empty() {
            return all;
        }
        all.push(fires(&plan).into_iter().map(|(job, at, decision)| (job.to_owned(), at, decision)).collect());
        timeline.advance(plan);
    }
}

#[test]
fn after_a_long_absence_what_is_due_now_goes_first_and_what_was_missed_last() {
    let mut jobs: Vec<_> = (0..40).map(|n| every_minute(&format!("late{n:02}"))).collect();
    jobs.push(StoredJob { next_due_at: Some(after(NEWEST)), ..every_minute("punctual") });
    let mut timeline = timeline_after_an_absence(jobs);
    let plans = transactions(&mut timeline, after(AWAY));
    let first = &plans[0][..41];
    assert_eq!(first[0], ("punctual".to_owned(), NEWEST, Decision::Fired));
    assert!(first.iter().all(|row| row.1 == NEWEST && row.2 == Decision::Fired), "{first:?}");
    assert!(plans.iter().all(|rows| rows.len() <= 4096), "{:?}", plans.iter().map(Vec::len).collect::<Vec<_>>());
    assert!(plans.len() >= 18, "{} transactions", plans.len());
    let mut rows = plans.concat();
    rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let minutes = |_| (1..=900).map(|minute| minute * 60);
    let due: Vec<i64> = (0..40).flat_map(minutes).chain([NEWEST]).collect();
    assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), due, "each instant has its one row");
    assert_eq!(timeline.next_look_at(), Some(after(NEWEST + 60) - AHEAD));
}

#[test]
fn a_job_that_owes_a_gap_keeps_its_place_in_the_store_until_the_rows_are_there() {
    let mut timeline = timeline(vec![every_minute("a")]);
    let plan = timeline.plan(after(NEWEST + 57), 9);
    // The last instant lies 57 s back, in time; the next one is not recorded ahead.
    assert_eq!(fires(&plan), [("a", NEWEST, Decision::Fired)]);
    let cursor = |plan: &Plan| (plan.cursors[0].from, plan.cursors[0].next_due_at, plan.cursors.len());
    assert_eq!(cursor(&plan), (Some(after(60)), Some(after(60)), 1));
    timeline.advance(plan);
    assert_eq!(timeline.next_look_at(), Some(after(60)), "at once");
    // It fires on meanwhile, at its instants and not ahead of them.
    assert_eq!(timeline.plan(after(NEWEST + 59), 9).fires.len(), 899);
    let instant = timeline.plan(after(NEWEST + 60), 9);
    assert_eq!(fires(&instant), [("a", NEWEST + 60, Decision::Fired)]);
    assert_eq!(cursor(&instant), (Some(after(60)), Some(after(60)), 1));
    timeline.advance(instant);
    let gap = timeline.plan(after(NEWEST + 60), 9);
    assert_eq!((gap.fires.len(), fires(&gap)[0]), (899, ("a", 60, Decision::Missed)));
    assert_eq!(gap.fires[898].reason, Some(Reason::MisfireLatest), "as it was decided");
    assert_eq!(cursor(&gap), (Some(after(60)), Some(after(NEWEST + 120)), 1));
    timeline.advance(gap);
    assert_eq!(timeline.next_look_at(), Some(after(NEWEST + 120) - AHEAD));
    assert!(timeline.plan(after(NEWEST + 60), 9).is_empty());
}

#[test]
fn the_catch_up_of_one_job_is_divided_and_stays_in_order() {
    let misfire = Misfire { policy: MisfirePolicy::All, max: 10_000, within: Duration::MAX, ..Misfire::default() };
    let many = |name: &str| StoredJob { misfire: misfire.clone(), ..every_minute(name) };
    let mut timeline = timeline(vec![many("a"), many("b")]);
    let away = 12_000 * 60 + 30;
    let plans = transactions(&mut timeline, after(away));
    assert!(plans.iter().all(|rows| rows.len() <= 4096), "{:?}", plans.iter().map(Vec::len).collect::<Vec<_>>());
    for job in ["a", "b"] {
        let fired: Vec<i64> =
            plans.concat().iter().filter(|row| row.0 == job && row.2 == Decision::Fired).map(|row| row.1).collect();
        assert_eq!(fired, (2000..=12_000).map(|minute| minute * 60).collect::<Vec<_>>());
    }
}

#[test]
fn a_busy_day_does_not_put_off_what_waited_for_ever() {
    let mut jobs: Vec<_> = (0..3000)
        .map(|n| StoredJob { next_due_at: Some(after(NEWEST)), ..every_minute(&format!("busy{n}")) })
        .collect();
    jobs.push(every_minute("late"));
    let mut timeline = timeline_after_an_absence(jobs);
    let plan = timeline.plan(after(AWAY), 500);
    assert_eq!(plan.fires.len(), 501);
    assert_eq!(fires(&plan)[500], ("late", NEWEST, Decision::Fired));
    timeline.advance(plan);
    let plan = timeline.plan(after(AWAY), 500);
    assert_eq!(fires(&plan)[500], ("late", 60, Decision::Missed));
}

#[test]
fn a_job_that_is_off_owes_its_rows_and_writes_nothing_for_it() {
    let paused = StoredJob { paused: true, ..every_minute("a") };
    let mut timeline = timeline(vec![paused]);
    let plan = timeline.plan(after(AWAY), 9);
    assert_eq!((plan.is_empty(), plan.cursors.len()), (false, 0));
    timeline.advance(plan);
    let plan = timeline.plan(after(AWAY), 9);
    assert_eq!((plan.fires.len(), fires(&plan)[899]), (900, ("a", NEWEST, Decision::Skipped)));
}

#[test]
fn each_plan_starts_where_the_store_stands_though_no_instant_of_the_schedule_lies_there() {
    // What was withdrawn was called for by an earlier schedule, and its instant became the place.
    let off = |name| StoredJob { next_due_at: Some(after(63)), ..every_minute(name) };
    let jobs = vec![StoredJob { paused: true, ..off("paused") }, off("fires"), every_minute("other")];
    let mut store: HashMap<_, _> = jobs.iter().map(|job| (job.name.clone(), job.next_due_at)).collect();
    let mut timeline = timeline_after_an_absence(jobs);
    let mut plans = 0;
    loop {
        let plan = timeline.plan(after(AWAY), 500);
        if plan.is_empty() {
            break;
        }
        for Cursor { job, from, next_due_at } in &plan.cursors {
            let stored = store.insert(job.clone(), *next_due_at);
            assert_eq!(stored, Some(*from), "{job} would be refused as decided by another");
        }
        timeline.advance(plan);
        plans += 1;
    }
    assert!(plans > 1 && store.values().all(|place| *place == Some(after(NEWEST + 60))), "{plans} {store:?}");
}

#[test]
fn what_has_its_content_already_is_not_decided_anew_unless_the_clock_was_put_back_before_its_record() {
    let made = |recorded_at| Some(MadeAhead { due_at: after(120), recorded_at });
    let place = |next_due_at, made_ahead| {
        let job = StoredJob { next_due_at, made_ahead, lead: Some(Duration::from_secs(70)), ..every_minute("a") };
        Timeline::new(vec![job], "2026a", after(55)).unwrap().get("a").unwrap().next_due_at
    };
    assert_eq!(place(Some(after(180)), made(after(50))), Some(after(180)));
    assert_eq!(place(Some(after(180)), made(after(56))), Some(after(60)));
    assert_eq!(place(Some(after(60)), made(after(50))), Some(after(60)), "an earlier one is still to be decided");
    assert_eq!(place(Some(after(180)), None), Some(after(60)));
}

#[test]
fn a_changed_definition_owes_what_the_old_one_did_while_its_schedule_holds() {
    let owing = || {
        let mut timeline = timeline(vec![every_minute("a")]);
        let plan = timeline.plan(after(AWAY), 9);
        timeline.advance(plan);
        timeline
    };
    let mut timeline = owing();
    let place = timeline.get("a").unwrap().place_at(after(AWAY));
    let changed = StoredJob { definition_hash: 8, next_due_at: place, ..every_minute("a") };
    timeline.put(changed, after(AWAY)).unwrap();
    let plan = timeline.plan(after(AWAY), 9);
    assert_eq!((plan.fires.len(), plan.cursors[0].from), (899, Some(after(60))));
    // Another schedule was settled before.
    let mut timeline = owing();
    let hourly = Schedule::Cron("0 * * * *".to_owned());
    let place = Some(after(57_600));
    timeline.put(StoredJob { schedule: hourly, next_due_at: place, ..every_minute("a") }, after(AWAY)).unwrap();
    assert!(timeline.plan(after(AWAY), 9).is_empty());
    let mut timeline = owing();
    timeline.remove("a");
    assert_eq!((timeline.next_look_at(), timeline.plan(after(AWAY), 9).is_empty()), (None, true));
}

#[test]
fn a_replaced_job_goes_by_its_new_definition_alone() {
    let mut timeline = timeline(vec![every_minute("a")]);
    let hourly = Schedule::Cron("0 * * * *".to_owned());
    let place = Some(after(3600));
    let new = StoredJob { schedule: hourly, next_due_at: place, definition_hash: 8, ..every_minute("a") };
    timeline.put(new, START).unwrap();
    assert_eq!((timeline.len(), timeline.get("a").unwrap().definition_hash), (1, 8));
    assert_eq!(timeline.next_look_at(), Some(after(3600) - AHEAD));
    assert_eq!(fires(&timeline.plan(after(60), 9)), []);
    // Again and again, without the stale entries of the heap piling up.
    for _ in 0..1000 {
        timeline.put(every_minute("a"), START).unwrap();
        timeline.advance(Plan::default());
    }
    assert!(timeline.coming.len() <= 66, "{}", timeline.coming.len());
    assert_eq!(fires(&timeline.plan(after(60), 9)), [("a", 60, Decision::Fired)]);
}

#[test]
fn a_removed_job_is_forgotten() {
    let mut timeline = timeline(["a", "b"].map(every_minute).to_vec());
    assert_eq!(timeline.len(), 2);
    timeline.remove("a");
    assert_eq!((timeline.len(), timeline.is_empty()), (1, false));
    assert_eq!(timeline.file_jobs().map(|name| &**name).collect::<Vec<_>>(), ["b"]);
    assert!(timeline.get("a").is_none());
    assert_eq!(fires(&timeline.plan(after(60), 9)), [("b", 60, Decision::Fired)]);
    timeline.remove("b");
    assert_eq!((timeline.is_empty(), timeline.next_look_at(), timeline.next_fire_at()), (true, None, None));
}

#[test]
fn the_next_fire_is_that_of_a_job_that_may_fire() {
    let mut timeline = timeline(vec![
        StoredJob { paused: true, ..every_minute("paused") },
        StoredJob { enabled: false, ..every_minute("disabled") },
    ]);
    assert_eq!(timeline.next_fire_at(), None);
    assert!(timeline.get("paused").unwrap().is_paused() && !timeline.get("disabled").unwrap().is_paused());
    let hourly = Schedule::Cron("0 * * * *".to_owned());
    let later = StoredJob { schedule: hourly, next_due_at: Some(after(3600)), ..every_minute("later") };
    timeline.put(later, START).unwrap();
    assert_eq!(timeline.next_fire_at(), Some(after(3600)));
}

#[test]
fn what_may_not_fire_any_more_is_closed_with_its_reason() {
    let timeline = timeline(vec![every_minute("a"), every_minute("b")]);
    let names = ["a", "nobody"].map(Arc::from);
    let (plan, taken) = timeline.plan_closing(&names, &HashSet::new(), after(60), Reason::DefinitionChanged);
    assert_eq!((fires(&plan), taken), (vec![("a", 60, Decision::Missed)], 2));
    assert_eq!(plan.fires[0].reason, Some(Reason::DefinitionChanged));
    let cursor = |plan: &Plan| (plan.cursors[0].from, plan.cursors[0].next_due_at, plan.cursors.len());
    assert_eq!(cursor(&plan), (Some(after(60)), Some(after(120)), 1));
    // What would not have fired anyway keeps its own reason.
    let paused = Timeline::new(vec![StoredJob { paused: true, ..every_minute("a") }], "2026a", START).unwrap();
    let skipped = &paused.plan_closing(&names, &HashSet::new(), after(62), Reason::DefinitionChanged).0.fires[0];
    assert_eq!((skipped.decision, skipped.reason), (Decision::Skipped, Some(Reason::Paused)));
    // Nothing is due: no fire, and the place as the store has it.
    let (plan, _) = timeline.plan_closing(&names, &HashSet::new(), after(59), Reason::DefinitionChanged);
    assert_eq!(fires(&plan), []);
    assert_eq!(cursor(&plan), (Some(after(60)), Some(after(60)), 1));
}

#[test]
fn many_jobs_are_closed_in_parts_with_what_they_owe() {
    let mut timeline = timeline((0..10).map(|n| every_minute(&format!("job{n}"))).collect());
    let plan = timeline.plan(after(AWAY), 500);
    assert_eq!(plan.fires.len(), 10);
    timeline.advance(plan);
    let mut names: Vec<Arc<str>> = (0..10).map(|n| format!("job{n}").into()).collect();
    let mut rows = Vec::new();
    while !names.is_empty() {
        let (plan, taken) =
            timeline.plan_closing(&names, &HashSet::new(), after(NEWEST + 60), Reason::DefinitionChanged);
        assert!(plan.fires.len() <= 4096 && taken > 0, "{taken} jobs in {} rows", plan.fires.len());
        rows.extend(plan.fires.iter().map(|fire| (fire.job.clone(), fire.due_at, fire.reason)));
        names.drain(..taken);
        timeline.advance(plan);
    }
    assert_eq!(rows.len(), 10 * 900, "899 that were owed, and one more minute");
    let reasons = |reason: Reason| rows.iter().filter(|row| row.2 == Some(reason)).count();
    assert_eq!((reasons(Reason::MisfireWindow), reasons(Reason::DefinitionChanged)), (10 * 840, 10));
    assert_eq!(timeline.next_look_at(), Some(after(NEWEST + 120) - AHEAD));
}

#[test]
fn what_a_restored_database_does_not_know_is_owed_and_never_fires() {
    let mut timeline = timeline(vec![every_minute("a"), every_minute("b")]);
    timeline.close(after(120), Reason::Restored);
    let plan = timeline.plan(after(121), 9);
    let missed = |job| [60, 120].map(|at| (job, at, Decision::Missed));
    assert_eq!(fires(&plan), [missed("a"), missed("b")].concat());
    assert!(plan.fires.iter().all(|fire| fire.reason == Some(Reason::Restored)));
    timeline.advance(plan);
    assert!(timeline.plan(after(121), 9).is_empty());
    assert_eq!(fires(&timeline.plan(after(180), 1)), [("a", 180, Decision::Fired)]);
}

#[test]
fn a_place_beyond_the_clock_is_put_back_and_then_as_the_store_has_it() {
    // Recorded until in an hour, and then the clock was put back.
    let ahead = StoredJob { next_due_at: Some(after(3600)), ..every_minute("a") };
    let mut timeline = timeline(vec![ahead, every_minute("b")]);
    assert_eq!(timeline.get("a").unwrap().place_at(after(70)), Some(after(60)));
    let plan = timeline.put_back();
    assert_eq!(plan.cursors.len(), 1);
    let cursor = &plan.cursors[0];
    assert_eq!((&*cursor.job, cursor.from, cursor.next_due_at), ("a", Some(after(3600)), Some(after(60))));
    timeline.advance(plan);
    assert!(timeline.put_back().is_empty());
    assert_eq!(timeline.plan(after(60), 9).cursors[0].from, Some(after(60)));
}

#[test]
fn very_many_places_are_put_back_in_parts() {
    let ahead = |n: i64| StoredJob { next_due_at: Some(after(3600)), ..every_minute(&format!("job{n}")) };
    let mut timeline = timeline((0..10_000).map(ahead).collect());
    let (mut put_back, mut parts) = (0, 0);
    loop {
        let plan = timeline.put_back();
        if plan.is_empty() {
            break;
        }
        assert!(plan.cursors.len() <= 4096);
        (put_back, parts) = (put_back + plan.cursors.len(), parts + 1);
        timeline.advance(plan);
    }
    assert_eq!((put_back, parts), (10_000, 5));
}

#[test]
fn jobs_share_zones_and_policies_and_each_keeps_its_own() {
    let misfire = |max| Misfire { max, ..Misfire::default() };
    let mut jobs: Vec<_> =
        (1..200).map(|max| StoredJob { misfire: misfire(max), ..every_minute(&format!("job{max}")) }).collect();
    jobs.push(StoredJob { timezone: "Asia/Shanghai".into(), ..every_minute("shanghai") });
    jobs.push(StoredJob { misfire: misfire(1), ..every_minute("again") });
    let timeline = timeline(jobs);
    for max in 1..200 {
        assert_eq!(timeline.get(&format!("job{max}")).unwrap().misfire.max, max);
    }
    let job = |name| timeline.get(name).unwrap();
    assert_eq!((&*job("job1").zone, &*job("shanghai").zone), ("UTC 2026a", "Asia/Shanghai 2026a"));
    assert!(Arc::ptr_eq(&job("job1").zone, &job("job199").zone));
    assert!(Arc::ptr_eq(&job("job1").misfire, &job("again").misfire));
    assert_eq!(timeline.misfires.len(), 64);
}

/// They are what an idle daemon consists of, and the rows they come from stand beside them at each start.
#[test]
fn a_scheduled_job_is_no_larger_than_a_hundred_thousand_of_them_may_be() {
    let sizes = (size_of::<Scheduled>(), size_of::<StoredJob>());
    assert!(sizes.0 <= 144 && sizes.1 <= 216, "{sizes:?}");
}
