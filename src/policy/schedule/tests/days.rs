//! Schedules with a rule about days.

use std::sync::Arc;

use jiff::civil::Date;

use super::super::{Occurrence, ScheduleCache, Skip};
use super::*;
use crate::domain::calendar::{CalendarPart, Coverage, DaySet, MissingList, Shift};
use crate::domain::job::Timing;
use crate::domain::{Calendar, CalendarRef, DayRule};

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// The second half of 2026 in China.
fn cn() -> CalendarRef {
    let spans = [("2026-09-25", "2026-09-27"), ("2026-10-01", "2026-10-07")];
    let rest = spans
        .iter()
        .flat_map(|(from, until)| day(from).series(jiff::Span::new().days(1)).take_while(move |at| *at <= day(until)));
    Arc::new(Calendar {
        name: "cn".to_owned(),
        version: "v1".to_owned(),
        covers: Some(Coverage { from: day("2026-07-01"), until: day("2026-12-31"), settled_until: None }),
        rest: rest.map(|at| (at, "国庆节".to_owned())).collect(),
        work: [day("2026-09-20"), day("2026-10-10")].into(),
        every_year: ["01-01", "05-01"].iter().map(|at| (at.parse().unwrap(), "元旦".to_owned())).collect(),
        ..Calendar::default()
    })
    .reference()
}

fn compile(cron: &str, rule: &DayRule) -> Arc<CompiledSchedule> {
    try_compile(&Schedule::Cron(cron.to_owned()), rule).unwrap()
}

fn try_compile(schedule: &Schedule, rule: &DayRule) -> Result<Arc<CompiledSchedule>, ScheduleError> {
    let timing = Timing { schedule, timezone: "Asia/Shanghai", dst_gap: DstGap::Fire, days: Some(rule), life: None };
    ScheduleCache::default().get_or_compile(timing)
}

fn workdays() -> DayRule {
    DayRule { workdays: Some(cn()), ..DayRule::default() }
}

/// The instant at which clocks in Shanghai show this.
fn shanghai(text: &str) -> UtcMs {
    instant_of(text.parse().unwrap(), "Asia/Shanghai").unwrap()
}

fn local(at: UtcMs) -> String {
    let zone = jiff::tz::db().get("Asia/Shanghai").unwrap();
    at.to_jiff().to_zoned(zone).strftime("%m-%d %H:%M").to_string()
}

/// What fires from one day to another, both included.
fn fires(schedule: &CompiledSchedule, from: &str, until: &str) -> Vec<String> {
    let until = UtcMs(shanghai(&format!("{until}T00:00")).0 + 86_400_000);
    schedule.occurrences(shanghai(&format!("{from}T00:00")), until).map(local).collect()
}

/// What has a row and does not fire.
fn skips(schedule: &CompiledSchedule, from: &str, until: &str) -> Vec<(String, Skip)> {
    let until = UtcMs(shanghai(&format!("{until}T00:00")).0 + 86_400_000);
    let from = UtcMs(shanghai(&format!("{from}T00:00")).0 - 1);
    let called =
        std::iter::successors(schedule.next_called_after(from), |called| schedule.next_called_after(called.at));
    called
        .take_while(|called| called.at < until)
        .filter_map(|Occurrence { at, skipped }| Some((local(at), skipped?)))
        .collect()
}

#[test]
fn workdays_take_the_place_of_the_days_and_weekends_that_are_worked_fire() {
    let job = compile("0 9 * * *", &workdays());
    let fired = fires(&job, "2026-09-18", "2026-10-12");
    for day in ["09-18", "09-20", "09-24", "09-28", "10-08", "10-10", "10-12"] {
        assert!(fired.contains(&format!("{day} 09:00")), "{day}: {fired:?}");
    }
    for day in ["09-19", "09-25", "09-26", "10-01", "10-07", "10-11"] {
        assert!(!fired.contains(&format!("{day} 09:00")), "{day}: {fired:?}");
    }
    // A weekday that is off has a row; a Saturday has none.
    let off: Vec<String> = skips(&job, "2026-09-21", "2026-10-12").into_iter().map(|(at, _)| at).collect();
    let days = ["09-25", "10-01", "10-02", "10-05", "10-06", "10-07"];
    assert_eq!(off, days.map(|day| format!("{day} 09:00")));
}

#[test]
fn rows_tell_why_and_by_which_list() {
    let job = compile("0 9 * * *", &workdays());
    assert_eq!(skips(&job, "2026-10-01", "2026-10-01")[0].1, Skip::Holiday);
    let note = |at: &str| job.day_note(shanghai(at)).map(|note| note.to_string());
    assert_eq!(note("2026-10-01T09:00").as_deref(), Some("cn v1: 国庆节"));
    assert_eq!(note("2026-10-10T09:00").as_deref(), Some("cn v1: make-up workday"));
    assert_eq!(note("2026-10-12T09:00"), None);
    assert_eq!(note("2027-01-04T09:00").as_deref(), Some("cn v1: no list for 2027: weekdays assumed"));
}

#[test]
fn only_and_except_filter_and_also_adds() {
    let holidays = || DaySet::Part(cn(), CalendarPart::Holidays);
    let except = DayRule { except: vec![holidays()], ..DayRule::default() };
    let gym = compile("0 18 * * 2,4", &except);
    assert_eq!(fires(&gym, "2026-09-28", "2026-10-13"), ["09-29 18:00", "10-08 18:00", "10-13 18:00"]);
    assert_eq!(skips(&gym, "2026-09-28", "2026-10-08").len(), 2);

    let also = DayRule { also: vec![DaySet::Days(day("2026-10-10"), day("2026-10-11"))], ..except };
    assert_eq!(
        fires(&compile("0 18 * * 2,4", &also), "2026-10-08", "2026-10-12"),
        ["10-08 18:00", "10-10 18:00", "10-11 18:00"]
    );

    let only = DayRule { only: vec![DaySet::Part(cn(), CalendarPart::Makeup)], ..DayRule::default() };
    let job = compile("0 9 * * 6", &only);
    assert_eq!(fires(&job, "2026-10-01", "2026-10-31"), ["10-10 09:00"]);
    assert_eq!(skips(&job, "2026-10-12", "2026-10-18"), [("10-17 09:00".to_owned(), Skip::NotInCalendar)]);
}

#[test]
fn an_instant_on_a_wrong_day_moves_to_the_next_or_the_previous_right_one() {
    let rule = |shift| DayRule { only: vec![DaySet::Part(cn(), CalendarPart::Workdays)], shift, ..DayRule::default() };
    // Saturday, 15 August 2026.
    for (shift, fired) in [(Shift::Previous, "08-14 10:00"), (Shift::Next, "08-17 10:00")] {
        let salary = compile("0 10 15 * *", &rule(shift));
        assert_eq!(fires(&salary, "2026-08-01", "2026-08-31"), [fired]);
        assert_eq!(skips(&salary, "2026-08-01", "2026-08-31"), []);
    }
    // Over the end of a month: 1 October is off, the day before is worked.
    assert_eq!(fires(&compile("0 10 1 10 *", &rule(Shift::Previous)), "2026-09-01", "2026-10-31"), ["09-30 10:00"]);
    assert_eq!(fires(&compile("0 10 1 10 *", &rule(Shift::Next)), "2026-09-01", "2026-10-31"), ["10-08 10:00"]);
    // Two that meet are one.
    assert_eq!(fires(&compile("0 10 1-8 10 *", &rule(Shift::Next)), "2026-09-01", "2026-10-31"), ["10-08 10:00"]);
}

#[test]
fn an_instant_moves_to_a_day_that_also_names_as_to_any_right_one() {
    let rule = |shift, also: &str| DayRule {
        only: vec![DaySet::Part(cn(), CalendarPart::Workdays)],
        also: vec![DaySet::Days(day(also), day(also))],
        shift,
        ..DayRule::default()
    };
    // Saturday, 15 August 2026, and the Sunday after it.
    let salary = |shift, also: &str| fires(&compile("0 10 15 * *", &rule(shift, also)), "2026-08-01", "2026-08-31");
    assert_eq!(salary(Shift::Next, "2026-08-16"), ["08-16 10:00"]);
    // The last of the days before it.
    assert_eq!(salary(Shift::Previous, "2026-08-14"), ["08-14 10:00"]);
    assert_eq!(salary(Shift::Previous, "2026-08-09"), ["08-09 10:00", "08-14 10:00"]);
    // The whole of the months beside it is off: the day that `also` names is the only one to go to.
    let only =
        DayRule { only: vec![DaySet::Days(day("2026-01-05"), day("2026-01-05"))], ..rule(Shift::Next, "2026-08-20") };
    assert_eq!(fires(&compile("0 10 15 8 *", &only), "2026-08-01", "2026-12-31"), ["08-20 10:00"]);
    assert_eq!(skips(&compile("0 10 15 8 *", &only), "2026-08-01", "2026-12-31"), []);
}

#[test]
fn the_nth_workday_of_a_month_is_counted_from_either_end() {
    let nth = |nth| DayRule { nth: Some(nth), ..workdays() };
    let of = |n: i8| fires(&compile("0 17 * * *", &nth(n)), "2026-10-01", "2026-10-31");
    assert_eq!(of(1), ["10-08 17:00"]);
    assert_eq!(of(3), ["10-10 17:00"]);
    assert_eq!(of(-1), ["10-30 17:00"]);
    assert_eq!(of(23), Vec::<String>::new());
}

#[test]
fn a_period_fires_on_the_days_that_it_may() {
    let only = DayRule { only: vec![DaySet::Part(cn(), CalendarPart::Workdays)], ..DayRule::default() };
    let job = try_compile(&Schedule::Every(6 * 3_600_000), &only).unwrap();
    // Six hours from the epoch are 02:00, 08:00, 14:00 and 20:00 in Shanghai.
    assert_eq!(
        fires(&job, "2026-09-30", "2026-10-08"),
        ["02", "08", "14", "20"]
            .map(|h| format!("09-30 {h}:00"))
            .into_iter()
            .chain(["02", "08", "14", "20"].map(|h| format!("10-08 {h}:00")))
            .collect::<Vec<_>>()
    );
    assert_eq!(skips(&job, "2026-10-01", "2026-10-07").len(), 28);
    assert_eq!(job.count_called(shanghai("2026-10-01T00:00"), shanghai("2026-10-08T00:00")), 28);
}

#[test]
fn days_that_no_list_covers_are_weekdays_or_skipped() {
    let rule = |on_missing| DayRule { on_missing, ..workdays() };
    let weekdays = compile("0 9 * * *", &rule(MissingList::Weekdays));
    // 1 January is off by law; the second is a Saturday.
    assert_eq!(fires(&weekdays, "2026-12-31", "2027-01-05"), ["12-31 09:00", "01-04 09:00", "01-05 09:00"]);
    assert_eq!(skips(&weekdays, "2026-12-31", "2027-01-05"), [("01-01 09:00".to_owned(), Skip::Holiday)]);

    let held = DayRule { also: vec![DaySet::Days(day("2027-01-05"), day("2027-01-05"))], ..rule(MissingList::Hold) };
    let hold = compile("0 9 * * *", &held);
    for (at, is_held) in [
        ("2026-12-31T09:00", false),
        ("2027-01-01T09:00", false),
        ("2027-01-04T09:00", true),
        // Whatever a list will say of it.
        ("2027-01-05T09:00", false),
    ] {
        assert_eq!(hold.holds(shanghai(at)), is_held, "{at}");
    }
    assert_eq!(fires(&hold, "2026-12-31", "2027-01-05"), fires(&weekdays, "2026-12-31", "2027-01-05"));
    let skip = compile("0 9 * * *", &rule(MissingList::Skip));
    assert_eq!(fires(&skip, "2026-12-31", "2027-01-05"), ["12-31 09:00"]);
    assert_eq!(skips(&skip, "2027-01-04", "2027-01-04"), [("01-04 09:00".to_owned(), Skip::NoList)]);
}

#[test]
fn counting_agrees_with_walking() {
    let rule =
        DayRule { shift: Shift::Next, only: vec![DaySet::Part(cn(), CalendarPart::Workdays)], ..DayRule::default() };
    for (cron, rule) in [
        ("*/7 8-10 * * *", workdays()),
        ("0 9 */3 * *", rule),
        ("15 9,17 * * *", DayRule { nth: Some(-2), ..workdays() }),
    ] {
        let job = compile(cron, &rule);
        let (from, until) = (shanghai("2026-08-03T08:30"), shanghai("2026-11-01T09:10"));
        let walked =
            std::iter::successors(job.next_called_after(UtcMs(from.0 - 1)), |called| job.next_called_after(called.at));
        assert_eq!(
            job.count_called(from, until),
            walked.take_while(|called| called.at < until).count() as u64,
            "{cron}"
        );
    }
}

#[test]
fn other_day_fields_beside_workdays_are_refused_with_advice() {
    let error = try_compile(&Schedule::Cron("0 9 * * 3".to_owned()), &workdays()).unwrap_err();
    assert!(error.to_string().contains("only: cn.workdays"), "{error}");
    for fine in ["0 9 * * *", "0 9 * * 1-5", "0 9 * * mon-fri", "@daily"] {
        try_compile(&Schedule::Cron(fine.to_owned()), &workdays()).unwrap();
    }
}

#[test]
fn a_list_that_is_not_there_is_an_error_and_no_guess() {
    let mut rule = workdays();
    rule.calendars_mut().for_each(|calendar| calendar.list = None);
    let error = try_compile(&Schedule::Cron("0 9 * * *".to_owned()), &rule).unwrap_err();
    assert!(error.to_string().contains("'cn'"), "{error}");
}

#[test]
fn where_nothing_fires_any_more_the_search_ends() {
    let rule = DayRule { only: vec![DaySet::Days(day("2026-10-08"), day("2026-10-08"))], ..DayRule::default() };
    let job = compile("* * * * *", &rule);
    assert_eq!(job.next_after(shanghai("2026-10-08T23:59")), None);
    assert!(job.next_called_after(shanghai("2026-10-08T23:59")).unwrap().skipped.is_some());
}

/// Days are asked one by one by those who tell of them, and as sets by schedules: both must know the same workdays.
#[test]
fn a_list_says_the_same_of_each_day_whichever_way_it_is_asked() {
    let list = cn().list.unwrap();
    let job = compile("0 9 * * *", &workdays());
    for year in 2025..=2028 {
        let fired: Vec<String> = fires(&job, &format!("{year}-01-01"), &format!("{year}-12-31"));
        let days = Coverage::of_year(year).unwrap().days().filter(|day| list.is_workday(*day));
        assert_eq!(fired, days.map(|day| format!("{} 09:00", day.strftime("%m-%d"))).collect::<Vec<_>>());
    }
}

#[test]
fn what_a_span_holds_is_what_is_found_by_looking_on_from_its_beginning() {
    let hardly = DayRule { only: vec![DaySet::Days(day("2026-10-08"), day("2026-10-09"))], ..DayRule::default() };
    let every = try_compile(&Schedule::Every(7 * 3_600_000), &hardly).unwrap();
    for job in
        [compile("0 9 * * *", &hardly), compile("*/20 8-9 * * *", &workdays()), compile("0 0 1 * *", &hardly), every]
    {
        for (from, until) in [
            ("2026-10-01", "2026-10-09"),
            ("2026-10-08", "2026-10-10"),
            ("2026-10-10", "2027-02-01"),
            ("2026-10-08", "2026-10-08"),
        ] {
            let (from, until) = (shanghai(&format!("{from}T09:00")), shanghai(&format!("{until}T09:00")));
            let on = std::iter::successors(job.next_after(UtcMs(from.0 - 1)), |at| job.next_after(*at));
            let on: Vec<UtcMs> = on.take_while(|at| *at < until).collect();
            assert_eq!(job.occurrences(from, until).collect::<Vec<_>>(), on);
            assert_eq!(job.previous_within(from, until), on.last().copied());
        }
    }
}
