//! What the text of a schedule means, form by form, and for any lists of values.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn every_form_of_a_field_means_what_cron_means_by_it() {
    // From Thursday, 1 January 2026: the next four fires.
    let table = [
        ("0 9 * * 1-5", "01-01 09:00 01-02 09:00 01-05 09:00 01-06 09:00"),
        ("0 9 * * MON-FRI", "01-01 09:00 01-02 09:00 01-05 09:00 01-06 09:00"),
        ("0 9 * * sat,Sun", "01-03 09:00 01-04 09:00 01-10 09:00 01-11 09:00"),
        ("0 0 * * 7", "01-04 00:00 01-11 00:00 01-18 00:00 01-25 00:00"),
        ("0 0 * * FRI-SUN", "01-02 00:00 01-03 00:00 01-04 00:00 01-09 00:00"),
        ("0 0 1 JAN,jul *", "01-01 00:00 07-01 00:00 01-01 00:00 07-01 00:00"),
        ("0 0 L * *", "01-31 00:00 02-28 00:00 03-31 00:00 04-30 00:00"),
        ("0 0 LW * *", "01-30 00:00 02-27 00:00 03-31 00:00 04-30 00:00"),
        ("0 0 15W * *", "01-15 00:00 02-16 00:00 03-16 00:00 04-15 00:00"),
        ("0 0 * * 1#2", "01-12 00:00 02-09 00:00 03-09 00:00 04-13 00:00"),
        ("0 0 * * friL", "01-30 00:00 02-27 00:00 03-27 00:00 04-24 00:00"),
        ("0 0 ? * 5L", "01-30 00:00 02-27 00:00 03-27 00:00 04-24 00:00"),
        ("0-10/5 8 * * *", "01-01 08:00 01-01 08:05 01-01 08:10 01-02 08:00"),
        ("59 23 31 12 *", "12-31 23:59 12-31 23:59 12-31 23:59 12-31 23:59"),
        // Both day fields given: either matches.
        ("0 0 13 * 5", "01-02 00:00 01-09 00:00 01-13 00:00 01-16 00:00"),
        // But not when one of them begins with `*`, as in Vixie cron: Mondays on odd days.
        ("0 0 */2 * 1", "01-05 00:00 01-19 00:00 02-09 00:00 02-23 00:00"),
        ("*/60 */24 * * *", "01-01 00:00 01-02 00:00 01-03 00:00 01-04 00:00"),
        ("@hourly", "01-01 00:00 01-01 01:00 01-01 02:00 01-01 03:00"),
        ("@daily", "01-01 00:00 01-02 00:00 01-03 00:00 01-04 00:00"),
        (" @Midnight ", "01-01 00:00 01-02 00:00 01-03 00:00 01-04 00:00"),
        ("@weekly", "01-04 00:00 01-11 00:00 01-18 00:00 01-25 00:00"),
        ("@monthly", "01-01 00:00 02-01 00:00 03-01 00:00 04-01 00:00"),
        ("@yearly", "01-01 00:00 01-01 00:00 01-01 00:00 01-01 00:00"),
        ("@annually", "01-01 00:00 01-01 00:00 01-01 00:00 01-01 00:00"),
    ];
    for (text, expected) in table {
        let schedule = cron(text, "UTC");
        let fires: Vec<String> = schedule
            .occurrences(utc("2026-01-01T00:00:00Z"), UtcMs::MAX)
            .take(4)
            .map(|at| at.to_jiff().strftime("%m-%d %H:%M").to_string())
            .collect();
        assert_eq!(fires.join(" "), expected, "{text}");
    }
}

#[test]
fn seconds_come_first_when_there_are_six_fields() {
    let schedule = cron("*/20 5 * * * *", "Asia/Shanghai");
    let fires: Vec<String> = schedule
        .occurrences(utc("2026-01-01T00:05:01Z"), utc("2026-01-01T01:05:20Z"))
        .map(|at| at.to_string())
        .collect();
    assert_eq!(fires, ["2026-01-01T00:05:20.000Z", "2026-01-01T00:05:40.000Z", "2026-01-01T01:05:00.000Z"]);
}

/// Values of a field; empty stands for `*`.
fn field(values: std::ops::RangeInclusive<i64>, most: usize) -> impl Strategy<Value = BTreeSet<i64>> {
    prop::collection::btree_set(values, 0..=most)
}

fn text_of(field: &BTreeSet<i64>) -> String {
    let values: Vec<String> = field.iter().map(i64::to_string).collect();
    if values.is_empty() { "*".to_owned() } else { values.join(",") }
}

/// The rule of the two day fields once more, from the calendar itself.
fn is_due_on(date: jiff::civil::Date, [days, months, weekdays]: [&BTreeSet<i64>; 3]) -> bool {
    let in_field = |field: &BTreeSet<i64>, value: i8| field.contains(&value.into());
    let (day, weekday) = (in_field(days, date.day()), in_field(weekdays, date.weekday().to_sunday_zero_offset()));
    let day_is_due = match (days.is_empty(), weekdays.is_empty()) {
        (true, true) => true,
        (false, true) => day,
        (true, false) => weekday,
        (false, false) => day || weekday,
    };
    day_is_due && (months.is_empty() || in_field(months, date.month()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_lists_of_values_fire_as_the_calendar_says(
        seconds in field(0..=59, 3),
        minutes in field(0..=59, 3),
        hours in field(0..=23, 3),
        days in field(1..=31, 3),
        months in field(1..=12, 3),
        weekdays in field(0..=6, 2),
        start in 946_684_800_i64..4_102_444_800,
    ) {
        let fields = [&seconds, &minutes, &hours, &days, &months, &weekdays];
        let text = fields.map(text_of).join(" ");
        let compiled = CompiledSchedule::compile(&Schedule::Cron(text.clone()), "UTC", DstGap::Fire);
        prop_assume!(compiled.is_ok());
        let schedule = compiled.unwrap();
        let first_day = start.div_euclid(86_400);
        let has = |field: &BTreeSet<i64>, value: i64| field.is_empty() || field.contains(&value);
        let is_due_at = |at: &i64| has(&hours, at / 3600) && has(&minutes, at / 60 % 60) && has(&seconds, at % 60);
        let times: Vec<i64> = (0..86_400).filter(is_due_at).collect();
        let mut expected = Vec::new();
        for midnight in (first_day..first_day + 800).map(|day| UtcMs(day * 86_400_000)) {
            let date = midnight.to_jiff().to_zoned(TimeZone::UTC).date();
            if expected.len() < 60 && is_due_on(date, [&days, &months, &weekdays]) {
                let instants = times.iter().map(|at| UtcMs(midnight.0 + at * 1000));
                expected.extend(instants.filter(|at| at.0 >= start * 1000).take(60));
            }
        }
        expected.truncate(60);
        let end = UtcMs((first_day + 800) * 86_400_000);
        let fires: Vec<UtcMs> = schedule.occurrences(UtcMs(start * 1000), end).take(60).collect();
        prop_assert_eq!(&fires, &expected, "{}", &text);
        if let Some(last) = expected.last() {
            prop_assert_eq!(schedule.count_called(UtcMs(start * 1000), UtcMs(last.0 + 1)), expected.len() as u64, "{}", &text);
            prop_assert_eq!(schedule.previous_before(UtcMs(last.0 + 1)), Some(*last), "{}", &text);
        }
    }
}
