use super::*;
use crate::domain::{LedgerRevision, Schedule};

const HERE: &str = "2026a";

/// So many minutes into 2026.
fn at(minutes: i64) -> UtcMs {
    UtcMs("2026-01-01T00:00:00Z".parse::<UtcMs>().unwrap().0 + minutes * 60_000)
}

/// A job that is called for every so many minutes, revision by revision, each from one minute until the next one's.
fn job(revisions: &[(i64, u64)], place: i64) -> LedgerJob {
    let ends = revisions.iter().skip(1).map(|(from, _)| Some(at(*from))).chain([None]);
    let revision = |(number, ((from, period), until_at)): (usize, (&(i64, u64), _))| LedgerRevision {
        revision: number as u32 + 1,
        schedule: Ok(Schedule::Every(period * 60_000)),
        timezone: "UTC".to_owned(),
        dst_gap: None,
        days: None,
        life: None,
        from_at: at(*from),
        until_at,
    };
    LedgerJob {
        name: "daily".into(),
        next_due_at: Some(at(place)),
        pruned_until: None,
        revisions: revisions.iter().zip(ends).enumerate().map(revision).collect(),
    }
}

fn row(due: i64, revision: u32) -> LedgerRow {
    let zone = Some(format!("UTC {HERE}"));
    LedgerRow { due_at: at(due), until_at: None, count: 1, revision, recorded_at: at(due), zone }
}

fn rows(due: impl IntoIterator<Item = i64>, revision: u32) -> Vec<LedgerRow> {
    due.into_iter().map(|due| row(due, revision)).collect()
}

/// A row that stands for every minute of a stretch.
fn many(from: i64, until: i64, revision: u32) -> LedgerRow {
    let count = (until - from + 1) as u64;
    LedgerRow { until_at: Some(at(until)), count, recorded_at: at(until), ..row(from, revision) }
}

fn balance_between(job: &LedgerJob, rows: &[LedgerRow], from: Option<i64>, until: i64) -> Balance {
    let mut ledger = Ledger::open(job, from.map(at), at(until), HERE, &mut ScheduleCache::default()).unwrap();
    let (first, last) = ledger.span();
    let mut rows: Vec<&LedgerRow> = rows.iter().collect();
    rows.sort_by_key(|row| row.due_at);
    // As the store gives them.
    let wanted = |row: &LedgerRow| row.until_at.unwrap_or(row.due_at) >= first && row.due_at <= last;
    rows.into_iter().filter(|row| wanted(row)).for_each(|row| ledger.enter(row));
    ledger.close()
}

fn balance(job: &LedgerJob, rows: &[LedgerRow]) -> Balance {
    balance_between(job, rows, None, 1_000_000)
}

#[track_caller]
fn assert_even(job: &LedgerJob, rows: &[LedgerRow], expected: u64) {
    let balance = balance(job, rows);
    assert!(balance.is_even(), "{balance:?}");
    assert_eq!((balance.expected, balance.recorded), (expected, expected));
}

fn surplus(at: UtcMs, because: Surplus) -> Finding {
    Finding::Surplus { at, because }
}

#[test]
fn a_ledger_begins_after_the_loading_and_ends_before_the_place() {
    let every_minute = job(&[(0, 1)], 11);
    assert_even(&every_minute, &rows(1..=10, 1), 10);
    // The one at the place is recorded ahead, and not looked at.
    assert_even(&every_minute, &rows(1..=11, 1), 10);
    let nothing_yet = job(&[(0, 60)], 60);
    assert_even(&nothing_yet, &[], 0);
}

#[test]
fn an_instant_without_a_row_is_missing() {
    let job = job(&[(0, 1)], 11);
    let balance = balance(&job, &rows((1..=10).filter(|due| *due != 4 && *due != 10), 1));
    assert_eq!((balance.expected, balance.recorded, balance.missing, balance.surplus), (10, 8, 2, 0));
    assert_eq!(balance.first, [Finding::Missing { at: at(4) }, Finding::Missing { at: at(10) }]);
}

#[test]
fn a_row_that_nothing_called_for_is_surplus() {
    let mut even = job(&[(0, 2)], 12);
    let table = [
        (row(5, 1), Surplus::NotInSchedule),
        (row(-2, 1), Surplus::NotInForce),
        (row(7, 3), Surplus::NoSuchRevision),
        (many(6, 9, 3), Surplus::NoSuchRevision),
    ];
    for (extra, because) in table {
        let mut all = rows([2, 4, 6, 8, 10], 1);
        all.retain(|row| row.due_at != extra.due_at);
        let without = 5 - all.len() as u64;
        all.push(extra.clone());
        let balance = balance(&even, &all);
        assert_eq!((balance.missing, balance.surplus), (without, extra.count), "{because:?}: {balance:?}");
        assert!(balance.first.contains(&surplus(extra.due_at, because)), "{balance:?}");
    }
    even.next_due_at = None;
    assert_eq!(balance_between(&even, &rows([2, 4, 6], 1), None, 7).surplus, 0, "no place: until the asked instant");
}

#[test]
fn each_revision_answers_for_its_own_time() {
    // Every minute, from the tenth on every five, from the twentieth on every five with another text.
    let changed = job(&[(0, 1), (10, 5), (20, 5)], 31);
    let all = [rows(1..=10, 1), rows([15, 20], 2), rows([25, 30], 3)].concat();
    assert_even(&changed, &all, 14);
    // The new text was loaded before the instants of the old one were decided.
    let late = [rows(1..=10, 1), rows([15, 20, 25, 30], 3)].concat();
    assert_even(&changed, &late, 14);
    let too_late = LedgerRow { recorded_at: at(9), ..row(12, 1) };
    let balance = balance(&changed, &[all, vec![too_late]].concat());
    assert_eq!(balance.first, [surplus(at(12), Surplus::NotInForce)]);
}

#[test]
fn a_fire_that_was_begun_ahead_outlives_a_change_before_its_instant() {
    let changed = job(&[(0, 10), (39, 60)], 60);
    let begun = LedgerRow { recorded_at: at(39), ..row(40, 1) };
    assert_even(&changed, &[rows([10, 20, 30], 1), vec![begun]].concat(), 4);
}

#[test]
fn a_removed_job_has_its_rows_until_it_went_and_none_while_it_was_away() {
    let mut back = job(&[(0, 1), (50, 1)], 61);
    back.revisions[0].until_at = Some(at(10));
    assert_even(&back, &[rows(1..=10, 1), rows(51..=60, 2)].concat(), 20);
    let mut gone = job(&[(0, 1)], 0);
    (gone.next_due_at, gone.revisions[0].until_at) = (None, Some(at(10)));
    assert_even(&gone, &rows(1..=10, 1), 10);
    assert_eq!(balance(&gone, &rows(1..=9, 1)).first, [Finding::Missing { at: at(10) }]);
}

#[test]
fn a_row_that_stands_for_many_must_count_right() {
    let job = job(&[(0, 1)], 101);
    let with = |gap: LedgerRow| balance(&job, &[rows(1..=10, 1), vec![gap], rows(91..=100, 1)].concat());
    assert!(with(many(11, 90, 1)).is_even());
    for (count, missing, surplus) in [(79, 1, 0), (82, 0, 2)] {
        let balance = with(LedgerRow { count, ..many(11, 90, 1) });
        assert_eq!((balance.missing, balance.surplus), (missing, surplus));
        let finding = Finding::Miscounted { at: at(11), until: at(90), count, called: 80 };
        assert_eq!(balance.first, [finding]);
    }
    assert_eq!(with(many(12, 90, 1)).first, [Finding::Missing { at: at(11) }]);
    assert_eq!(with(many(11, 89, 1)).first, [Finding::Missing { at: at(90) }]);
    let twice = balance(&job, &[rows(1..=10, 1), vec![many(11, 90, 1)], rows(90..=100, 1)].concat());
    assert_eq!(twice.first, [surplus(at(90), Surplus::CountedTwice)]);
    assert_eq!((twice.expected, twice.recorded), (100, 101));
}

#[test]
fn what_pruning_took_is_not_missed() {
    let mut pruned = job(&[(0, 1), (50, 1)], 101);
    pruned.pruned_until = Some(at(40));
    assert_even(&pruned, &rows(41..=100, 2), 60);
    // A gap reaches over the edge.
    assert_even(&pruned, &[vec![many(30, 60, 2)], rows(61..=100, 2)].concat(), 60);
    // The definition went with the history; a fire with an open push stayed.
    pruned.revisions.remove(0);
    assert_even(&pruned, &[rows([45], 1), rows(51..=100, 2)].concat(), 51);
    pruned.revisions.clear();
    assert_even(&pruned, &[rows([45], 1), vec![many(60, 70, 1)]].concat(), 12);
}

#[test]
fn only_the_asked_time_is_looked_at() {
    let job = job(&[(0, 1)], 101);
    let all = rows((1..=100).filter(|due| ![5, 50, 95].contains(due)), 1);
    let of = |from, until| {
        let balance = balance_between(&job, &all, from, until);
        (balance.expected, balance.missing)
    };
    assert_eq!(of(None, 1000), (100, 3));
    assert_eq!(of(Some(6), 94), (89, 1));
    assert_eq!(of(Some(50), 50), (1, 1));
    assert_eq!(of(Some(51), 94), (44, 0));
    assert_eq!(of(Some(200), 300), (0, 0));
    let gap = [many(1, 100, 1)];
    for (from, until, count) in [(None, 50, 50), (Some(40), 50, 11), (Some(90), 1000, 11)] {
        let balance = balance_between(&job, &gap, from, until);
        assert!(balance.is_even() && balance.recorded == count, "{from:?} {until} {balance:?}");
    }
}

#[test]
fn an_hour_that_was_lived_twice_has_one_row_for_each_instant_of_both_definitions() {
    // Every ten minutes, changed at minute 60 to every fifteen; at minute 90 the clock was put back to minute 30, which
    // is since when the new one holds.
    let mut twice = job(&[(0, 10), (60, 15)], 121);
    twice.revisions[1].from_at = at(30);
    let old = rows([10, 20, 30, 40, 50, 60], 1);
    assert_even(&twice, &[old.clone(), rows([45, 75, 90, 105, 120], 2)].concat(), 11);
    assert_eq!(balance(&twice, &[old, rows([75, 90, 105, 120], 2)].concat()).first, [Finding::Missing { at: at(45) }]);
    // It was changed again in the second showing, at minute 40: what it did in the first one has its rows all the same.
    let mut again = job(&[(0, 10), (30, 15), (40, 60)], 61);
    again.revisions[0].until_at = Some(at(60));
    let first_showing = LedgerRow { recorded_at: at(75), ..row(75, 2) };
    assert_even(&again, &[rows([10, 20, 30, 40, 50, 60], 1), vec![first_showing.clone()]].concat(), 6);
    again.next_due_at = Some(at(120));
    assert_even(&again, &[rows([10, 20, 30, 40, 50, 60], 1), vec![first_showing]].concat(), 7);
    // A gap of the one definition does not count for the other.
    let old = [vec![LedgerRow { count: 6, ..many(10, 60, 1) }], rows([45, 75, 90, 105], 2)].concat();
    assert_eq!(balance(&twice, &old).first, [Finding::Missing { at: at(60) }, Finding::Missing { at: at(120) }]);
    // But where it begins, the other one can have no row.
    let old = [rows([10, 20, 30, 40, 50], 1), vec![LedgerRow { count: 2, ..many(60, 70, 1) }]].concat();
    twice.revisions[0].until_at = Some(at(70));
    assert_even(&twice, &[old, rows([45, 75, 90, 105, 120], 2)].concat(), 12);
}

#[test]
fn a_definition_that_held_before_its_own_past_is_not_asked_for_the_time_between() {
    // From minute 60 to 80; the clock was put back to minute 10, and the job left the files at minute 20.
    let mut earlier = job(&[(60, 10), (10, 10)], 0);
    earlier.next_due_at = None;
    (earlier.revisions[0].until_at, earlier.revisions[1].until_at) = (Some(at(80)), Some(at(20)));
    assert_even(&earlier, &[rows([20], 2), rows([70, 80], 1)].concat(), 3);
}

#[test]
fn a_definition_whose_whole_time_was_taken_back_stands_for_nothing() {
    // The second was loaded at minute 80; then the clock went back to minute 50, and the third came.
    let mut back = job(&[(0, 10), (80, 10), (50, 10)], 71);
    back.revisions[0].until_at = Some(at(50));
    assert_even(&back, &[rows([10, 20, 30, 40, 50], 1), rows([60, 70], 3)].concat(), 7);
}

#[test]
fn days_without_any_row_are_counted_and_not_walked() {
    let mut seconds = job(&[(0, 1)], 1);
    seconds.revisions[0].schedule = Ok(Schedule::Every(1000));
    seconds.next_due_at = None;
    let balance = balance_between(&seconds, &[], None, 365 * 1440);
    assert_eq!((balance.missing, balance.expected), (365 * 86_400, 365 * 86_400));
    assert_eq!(balance.first.len(), FEW);
}

#[test]
fn rows_decided_by_other_rules_of_the_zone_are_told() {
    let job = job(&[(0, 10)], 31);
    let in_zone = |zone: &str, due| LedgerRow { zone: Some(zone.to_owned()), ..row(due, 1) };
    let told = |rows: &[LedgerRow]| balance(&job, rows).other_rules;
    let (old, now) = (|due| in_zone("Europe/Berlin 2025b", due), |due| in_zone("Europe/Berlin 2026a", due));
    assert_eq!(told(&[old(10), old(20), old(30)]), None, "it balances");
    assert_eq!(told(&[old(10), old(21), old(30)]).as_deref(), Some("Europe/Berlin 2025b"));
    assert_eq!(told(&[now(10), now(21), old(30)]), None);
    assert_eq!(told(&[old(-10), old(10), old(20), old(30)]), None, "no rule makes a revision hold");
    let utc = |due| in_zone("UTC 2025b", due);
    assert_eq!(told(&[utc(10), utc(21), utc(30)]), None, "UTC has no rules");
}

#[test]
fn a_schedule_in_a_zone_that_is_gone_is_an_error() {
    let mut lost = job(&[(0, 1)], 10);
    lost.revisions[0].timezone = "Europe/Atlantis".to_owned();
    assert!(Ledger::open(&lost, None, at(10), HERE, &mut ScheduleCache::default()).is_err());
}
