use std::collections::BTreeSet;

use jiff::tz::db;
use proptest::prelude::*;

use super::*;

fn cron(text: &str, zone: &str) -> CompiledSchedule {
    with_gap(text, zone, DstGap::Fire)
}

fn with_gap(text: &str, zone: &str, gap: DstGap) -> CompiledSchedule {
    CompiledSchedule::compile(&Schedule::Cron(text.to_owned()), zone, gap)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> ScheduleError {
    CompiledSchedule::compile(&Schedule::Cron(text.to_owned()), "UTC", DstGap::Fire).expect_err(text)
}

fn utc(text: &str) -> UtcMs {
    text.parse().unwrap()
}

/// Every fire in a span, as `month-day hour:minute±offset` of the zone.
fn fires(schedule: &CompiledSchedule, zone: &str, from: &str, to: &str) -> Vec<String> {
    let zone = db().get(zone).unwrap();
    let shown = |at: UtcMs| at.to_jiff().to_zoned(zone.clone()).strftime("%m-%d %H:%M%:z").to_string();
    schedule.occurrences(utc(from), utc(to)).map(shown).collect()
}

#[test]
fn the_dst_table_holds_in_berlin() {
    let spring = ("2026-03-28T23:00:00Z", "2026-03-29T03:00:00Z");
    let autumn = ("2026-10-24T22:00:00Z", "2026-10-25T03:00:00Z");
    let table: [(&str, (&str, &str), &[&str]); 11] = [
        ("30 2 * * *", spring, &["03-29 03:00+02:00"]),
        ("0 3 * * *", spring, &["03-29 03:00+02:00"]),
        ("59 1 * * *", spring, &["03-29 01:59+01:00"]),
        ("30 2 * * *", autumn, &["10-25 02:30+02:00"]),
        ("0 3 * * *", autumn, &["10-25 03:00+01:00"]),
        ("30 2-3 * * *", spring, &["03-29 03:30+02:00"]),
        ("0,30 2 * * *", spring, &[]),
        ("30 * * * *", spring, &["03-29 00:30+01:00", "03-29 01:30+01:00", "03-29 03:30+02:00", "03-29 04:30+02:00"]),
        ("30 2,4 * * *", autumn, &["10-25 02:30+02:00", "10-25 02:30+01:00"]),
        ("*/30 2 * * *", autumn, &["10-25 02:00+02:00", "10-25 02:30+02:00", "10-25 02:00+01:00", "10-25 02:30+01:00"]),
        (
            "30 * * * *",
            autumn,
            &["10-25 00:30+02:00", "10-25 01:30+02:00", "10-25 02:30+02:00", "10-25 02:30+01:00", "10-25 03:30+01:00"],
        ),
    ];
    for (text, (from, to), expected) in table {
        assert_eq!(fires(&cron(text, "Europe/Berlin"), "Europe/Berlin", from, to), expected, "{text} from {from}");
    }
}

#[test]
fn a_fixed_time_asked_for_within_the_second_half_of_a_fold_does_not_come_again() {
    // The clock goes back at 01:00Z, from 03:00 to 02:00.
    let table = [
        ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ("30 2 * * *", "2026-10-25T00:59:59Z", "2026-10-26T01:30:00Z"),
        ("30 2 * * *", "2026-10-25T01:00:00Z", "2026-10-26T01:30:00Z"),
        ("30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"),
        ("30 2 * * *", "2026-10-25T01:59:59Z", "2026-10-26T01:30:00Z"),
        // The last second that was shown before, and the first that was not.
        ("59 59 2 * * *", "2026-10-25T01:10:00Z", "2026-10-26T01:59:59Z"),
        ("0 3 * * *", "2026-10-25T01:10:00Z", "2026-10-25T02:00:00Z"),
        ("0 3 * * *", "2026-10-25T00:59:59Z", "2026-10-25T02:00:00Z"),
    ];
    for (text, after, expected) in table {
        assert_eq!(cron(text, "Europe/Berlin").next_after(utc(after)), Some(utc(expected)), "{text} after {after}");
    }
}

#[test]
fn nothing_comes_after_the_end_of_time() {
    for text in ["* * * * * *", "0 0 * * *"] {
        for zone in ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
            let schedule = cron(text, zone);
            assert_eq!(schedule.next_after(UtcMs::MAX), None, "{text} in {zone}");
            assert!(schedule.next_after(UtcMs::MIN).is_some(), "{text} in {zone}");
            let last = schedule.previous_before(UtcMs::MAX);
            assert!(last > Some(UtcMs(UtcMs::MAX.0 - 2 * 86_400_000)), "{text} in {zone}: {last:?}");
        }
    }
}

#[test]
fn gaps_and_folds_of_any_size_and_hour_keep_the_rules() {
    let table: [(&str, &str, &str, &str, &[&str]); 9] = [
        // Half an hour: 02:00 to 02:30, and back.
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z", &["10-04 02:30+11:00"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00:00Z", "2026-04-05T00:00:00Z", &["04-05 01:45+11:00"]),
        (
            "Australia/Lord_Howe",
            "45 1,5 * * *",
            "2026-04-04T12:00:00Z",
            "2026-04-04T18:00:00Z",
            &["04-05 01:45+11:00", "04-05 01:45+10:30"],
        ),
        // At midnight: the gap ends within the same day.
        ("America/Havana", "0 0 * * *", "2026-03-08T02:00:00Z", "2026-03-09T02:00:00Z", &["03-08 01:00-04:00"]),
        ("Asia/Beirut", "30 0 29 3 *", "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z", &["03-29 01:00+03:00"]),
        // The fold repeats the last hour of a day.
        ("America/Asuncion", "30 23 * * 6", "2024-03-23T12:00:00Z", "2024-03-25T12:00:00Z", &["03-23 23:30-03:00"]),
        // The gap swallows the last hour of Saturday and ends on Sunday.
        ("America/Nuuk", "30 23 * * 6", "2025-03-29T12:00:00Z", "2025-03-31T12:00:00Z", &["03-30 00:00-01:00"]),
        // A whole day that never was.
        (
            "Pacific/Apia",
            "0 9 * * *",
            "2011-12-29T12:00:00Z",
            "2011-12-31T12:00:00Z",
            &["12-29 09:00-10:00", "12-31 00:00+14:00", "12-31 09:00+14:00"],
        ),
        ("Pacific/Apia", "0 0 * * *", "2011-12-29T12:00:00Z", "2011-12-31T00:00:00Z", &["12-31 00:00+14:00"]),
    ];
    for (zone, text, from, to, expected) in table {
        assert_eq!(fires(&cron(text, zone), zone, from, to), expected, "{text} in {zone}");
    }
}

#[test]
fn dst_gap_skip_leaves_the_day_out_but_keeps_it_in_the_ledger() {
    let schedule = with_gap("30 2 * * *", "Europe/Berlin", DstGap::Skip);
    let gap_end = utc("2026-03-29T01:00:00Z");
    assert_eq!(schedule.next_after(utc("2026-03-28T12:00:00Z")), Some(utc("2026-03-30T00:30:00Z")));
    assert_eq!(
        schedule.next_called_after(utc("2026-03-28T12:00:00Z")),
        Some(Called { at: gap_end, skipped: true }),
        "the ledger tells of the skipped one"
    );
    assert_eq!(schedule.previous_before(utc("2026-03-29T12:00:00Z")), Some(utc("2026-03-28T01:30:00Z")));
    let note = schedule.note_at(utc("2026-03-30T00:30:00Z")).map(|note| note.to_string());
    assert_eq!(note.as_deref(), Some("02:30 does not exist on 2026-03-29"));
}

#[test]
fn notes_tell_what_summer_time_does() {
    let table = [
        ("30 2 * * *", "2026-03-29T01:00:00Z", Some("02:30 does not exist on 2026-03-29, fires at 03:00")),
        ("30 2 * * *", "2026-03-30T00:30:00Z", None),
        ("30 2 * * *", "2026-10-25T00:30:00Z", Some("first of two 02:30s")),
        ("30 2 * * *", "2026-06-01T00:30:00Z", None),
        ("15 30 2 * * *", "2026-10-25T00:30:15Z", Some("first of two 02:30:15s")),
        ("*/30 * * * *", "2026-10-25T01:30:00Z", Some("second of two 02:30s")),
        ("*/30 * * * *", "2026-10-25T02:00:00Z", None),
        ("*/30 * * * *", "2026-03-29T01:00:00Z", Some("02:30 does not exist on 2026-03-29")),
        ("*/30 * * * *", "2026-03-29T01:30:00Z", None),
    ];
    for (text, at, expected) in table {
        let note = cron(text, "Europe/Berlin").note_at(utc(at)).map(|note| note.to_string());
        assert_eq!(note.as_deref(), expected, "{text} at {at}");
    }
    let sundays = with_gap("30 2 * * 0", "Europe/Berlin", DstGap::Skip);
    let note = sundays.note_at(utc("2026-04-05T00:30:00Z")).map(|note| note.to_string());
    assert_eq!(note.as_deref(), Some("02:30 does not exist on 2026-03-29"), "the fire before this one was left out");
    let every = CompiledSchedule::compile(&Schedule::Every(1_800_000), "Europe/Berlin", DstGap::Fire).unwrap();
    assert_eq!(every.note_at(utc("2026-03-29T01:00:00Z")), None);
}

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

#[test]
fn a_period_counts_from_the_epoch() {
    let schedule = CompiledSchedule::compile(&Schedule::Every(30_000), "UTC", DstGap::Fire).unwrap();
    for (after, next) in [(0, 30_000), (29_999, 30_000), (30_000, 60_000), (-1, 0), (-30_000, 0)] {
        assert_eq!(schedule.next_after(UtcMs(after)), Some(UtcMs(next)), "after {after}");
    }
    assert_eq!(schedule.previous_before(UtcMs(60_000)), Some(UtcMs(30_000)));
    assert_eq!(schedule.previous_before(UtcMs(60_001)), Some(UtcMs(60_000)));
    assert_eq!(schedule.next_after(UtcMs::MAX), None);
}

#[test]
fn a_single_instant_comes_once() {
    let schedule = CompiledSchedule::compile(&Schedule::At(UtcMs(5_000)), "UTC", DstGap::Fire).unwrap();
    assert_eq!(schedule.next_after(UtcMs(4_999)), Some(UtcMs(5_000)));
    assert_eq!(schedule.next_after(UtcMs(5_000)), None);
    assert_eq!(schedule.previous_before(UtcMs(5_000)), None);
    assert_eq!(schedule.previous_before(UtcMs(5_001)), Some(UtcMs(5_000)));
}

#[test]
fn the_next_instant_is_strictly_later() {
    let schedule = cron("* * * * *", "UTC");
    let minute = utc("2026-01-01T00:01:00Z");
    assert_eq!(schedule.next_after(minute - std::time::Duration::from_millis(1)), Some(minute));
    assert_eq!(schedule.next_after(minute), Some(utc("2026-01-01T00:02:00Z")));
    assert_eq!(schedule.previous_before(minute), Some(utc("2026-01-01T00:00:00Z")));
    let bounds: Vec<UtcMs> = schedule.occurrences(minute, utc("2026-01-01T00:03:00Z")).collect();
    assert_eq!(bounds, [minute, utc("2026-01-01T00:02:00Z")], "from is in, to is not");
}

#[test]
fn schedules_that_never_fire_are_refused() {
    for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 2,4 *", "0 0 30,31 FEB *", "0 0 31W 6 *"] {
        assert_eq!(refused(text), ScheduleError::NeverFires { text: text.to_owned() });
    }
    // The last Sunday in March at 02:30 is always skipped in Berlin.
    let always_in_the_gap = Schedule::Cron("30 2 * 3 0L".to_owned());
    assert!(CompiledSchedule::compile(&always_in_the_gap, "Europe/Berlin", DstGap::Fire).is_ok());
    assert!(CompiledSchedule::compile(&always_in_the_gap, "UTC", DstGap::Skip).is_ok());
    assert!(matches!(
        CompiledSchedule::compile(&always_in_the_gap, "Europe/Berlin", DstGap::Skip),
        Err(ScheduleError::NeverFires { .. })
    ));
    // Rare is not never: 29 February, and a fifth Monday in February.
    assert_eq!(cron("0 0 29 2 *", "UTC").next_after(utc("2096-03-01T00:00:00Z")), Some(utc("2104-02-29T00:00:00Z")));
    assert_eq!(cron("0 0 * 2 1#5", "UTC").next_after(utc("2024-01-01T00:00:00Z")), Some(utc("2044-02-29T00:00:00Z")));
}

#[test]
fn errors_name_the_field_its_column_and_what_was_expected() {
    let table = [
        ("60 * * * *", "minute", 1, "60"),
        ("* 24 * * *", "hour", 3, "24"),
        ("0 9 * * 1-5 0-60", "day of week", 13, "0-60"),
        ("0  9 * 13 *", "month", 8, "13"),
        ("0 9 1,2,32 * *", "day of month", 9, "32"),
        ("0 9 0 * *", "day of month", 5, "0"),
        ("0 9 * * 8", "day of week", 9, "8"),
        ("0 9 * * MONDAY", "day of week", 9, "MONDAY"),
        ("0 9 * JANFEB *", "month", 7, "JANFEB"),
        ("0 MON * * *", "hour", 3, "MON"),
        ("0,,5 * * * *", "minute", 3, ""),
        ("5- * * * *", "minute", 1, "5-"),
        ("*/0 * * * *", "minute", 1, "*/0"),
        ("*/61 * * * *", "minute", 1, "*/61"),
        ("0 */25 * * *", "hour", 3, "*/25"),
        ("0 0 * * L", "day of week", 9, "L"),
        ("0 0 * * 1#6", "day of week", 9, "1#6"),
        ("0 0 1L * *", "day of month", 5, "1L"),
        ("0 0 * * 1W", "day of week", 9, "1W"),
        ("0 0 32W * *", "day of month", 5, "32W"),
        ("0 0 * * +1", "day of week", 9, "+1"),
        ("0 九 * * *", "hour", 3, "九"),
        ("-5 * * * *", "minute", 1, "-5"),
        ("99999999999 * * * *", "minute", 1, "99999999999"),
    ];
    for (text, field, column, found) in table {
        let error = refused(text);
        assert_eq!(error.column(), Some(column), "{text}: {error}");
        assert!(error.to_string().starts_with(&format!("{field}: expected ")), "{text}: {error}");
        assert!(error.to_string().ends_with(&format!("found '{found}'")), "{text}: {error}");
    }
}

#[test]
fn ranges_that_wrap_and_steps_without_a_range_are_told_as_what_they_mean() {
    let table = [
        ("0 0 * * 5-1", "5-7,0-1", 9),
        ("0 0 * * FRI-MON", "FRI-SAT,SUN-MON", 9),
        ("0 0 * * 5-0", "5-7", 9),
        ("0 0 * * 7-2", "0-2", 9),
        ("0 22-6 * * *", "22-23,0-6", 3),
        ("0 23-0 * * *", "23,0", 3),
        ("0 8,22-6 * * *", "22-23,0-6", 5),
        ("0 21-6/2 * * *", "21,23,1,3,5", 3),
        ("0 0 * NOV-FEB *", "NOV-DEC,JAN-FEB", 7),
        ("0 0 * 11-2 *", "11-12,1-2", 7),
        ("0 0 25-5 * *", "25-31,1-5", 5),
        ("50-10 * * * *", "50-59,0-10", 1),
        ("0/5 * * * *", "*/5", 1),
        ("5/10 * * * *", "5-59/10", 1),
        ("0 1/2 * * *", "1-23/2", 3),
    ];
    for (text, meant, column) in table {
        let error = refused(text);
        assert_eq!(error.column(), Some(column), "{text}: {error}");
        assert!(error.to_string().contains(&format!("write '{meant}'")), "{text}: {error}");
        // And what is said can be written.
        let field = text[column - 1..].split([' ', ',']).next().unwrap();
        cron(&text.replace(field, meant), "UTC");
    }
    let weekdays =
        |text: &str| cron(text, "UTC").count_called(utc("2026-01-01T00:00:00Z"), utc("2026-01-29T00:00:00Z"));
    for (text, days) in [
        ("0 0 * * SUN-THU", 5),
        ("0 0 * * 0-4", 5),
        ("0 0 * * SUN-SAT", 7),
        ("0 0 * * SAT-SUN", 2),
        ("0 0 * * 5-7,0-1", 4),
    ] {
        assert_eq!(weekdays(text), days * 4, "{text}");
    }
}

#[test]
fn what_is_allowed_and_hardly_meant_is_doubted() {
    let table: [(&str, usize, &[&str]); 16] = [
        ("* 50 10-11,14-17 * * 1-5", 1, &["every second", "write 0 for the seconds"]),
        ("* 0 9 * * *", 1, &["every second"]),
        ("* * */6 * * *", 1, &["every second"]),
        ("*/45 * * * *", 1, &["*/45", "15", "every: 45m"]),
        ("0 */23 * * *", 3, &["*/23", "every: 23h"]),
        ("*/50 * * * * *", 1, &["*/50", "every: 50s"]),
        ("0 0 1 */5 *", 7, &["*/5"]),
        ("0 45 5 ? * 2-6", 12, &["1 is Monday", "TUE-SAT"]),
        ("0 9 ? * 6", 9, &["1 is Monday", "SAT"]),
        ("0 0 9 ? * 6L", 11, &["SATL"]),
        ("0 9 ? * 1#2", 9, &["MON#2"]),
        ("*/10 * * * * *", 0, &[]),
        ("*/45 9 * * *", 0, &[]),
        ("0 9 ? * MON-FRI", 0, &[]),
        ("0 9 ? * MON#2", 0, &[]),
        ("0 9 * * 1-5", 0, &[]),
    ];
    for (text, column, parts) in table {
        cron(text, "UTC");
        let doubts = doubts(text);
        assert_eq!(doubts.len(), usize::from(column > 0), "{text}: {doubts:?}");
        for doubt in doubts {
            assert_eq!(doubt.column, column, "{text}: {doubt:?}");
            let words = format!("{}; {}", doubt.problem, doubt.hint);
            assert!(parts.iter().all(|part| words.contains(part)), "{text}: {words}");
        }
    }
    for text in ["@daily", "nonsense", "", "* * *"] {
        assert_eq!(doubts(text), [], "{text}");
    }
}

#[test]
fn zones_that_people_write_are_understood_or_not_guessed_at() {
    for (name, meant) in [
        ("Asia/Beijing", Some("Asia/Shanghai")),
        ("北京", Some("Asia/Shanghai")),
        ("China Standard Time", Some("Asia/Shanghai")),
        ("W. Europe Standard Time", Some("Europe/Berlin")),
        ("Asia/Shangai", Some("Asia/Shanghai")),
        ("shanghai", Some("Asia/Shanghai")),
        ("New York", Some("America/New_York")),
        ("GMT+8", None),
        ("UTC+8", None),
        ("+08:00", None),
        ("CST", None),
        ("", None),
    ] {
        assert_eq!(zone_meant(name).as_deref(), meant, "{name}");
    }
    let doubt = |name: &str| zone_doubt(name).map(|(problem, _)| problem);
    assert!(doubt("Etc/GMT+8").unwrap().contains("8 hours west of Greenwich"));
    assert!(doubt("Etc/GMT-8").unwrap().contains("8 hours east of Greenwich"));
    assert!(doubt("Factory").is_some());
    for name in ["Etc/GMT", "Etc/GMT+0", "GMT", "UTC", "Etc/UTC", "Asia/Shanghai"] {
        assert_eq!(doubt(name), None, "{name}");
    }
}

#[test]
fn other_errors_say_what_to_do() {
    let table = [
        ("", "the schedule is empty"),
        ("* * * *", "expected 5 fields (minute hour day month weekday), or 6 with seconds first, found 4"),
        ("0 0 0 1 1 * 2026", "found 7; a year is not supported"),
        ("@dayly", "unknown macro '@dayly'; did you mean '@daily'?"),
        ("@Reboot", "@reboot is not a time"),
        ("@every 1h30m", "write 'every: 1h30m' instead of cron"),
        ("CRON_TZ=Asia/Shanghai 0 9 * * *", "write 'timezone: Asia/Shanghai' beside it"),
        ("TZ=UTC 0 9 * * *", "write 'timezone: UTC' beside it"),
        ("0 9 * * * # daily", "a comment belongs outside of the quotes"),
        ("@daily #x", "a comment belongs outside of the quotes"),
    ];
    for (text, expected) in table {
        let error = refused(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let daily = Schedule::Cron("@daily".to_owned());
    for (zone, expected) in [
        ("Asia/Shangai", "unknown time zone 'Asia/Shangai'; did you mean 'Asia/Shanghai'?"),
        ("Asia/Beijing", "unknown time zone 'Asia/Beijing'; did you mean 'Asia/Shanghai'?"),
        ("UTC+8", "unknown time zone 'UTC+8'; expected the name of a place such as Asia/Shanghai, or UTC"),
        ("CST", "unknown time zone 'CST'; expected the name of a place such as Asia/Shanghai, or UTC"),
        ("", "unknown time zone ''; expected the name of a place such as Asia/Shanghai, or UTC"),
        (
            "../../etc/passwd",
            "unknown time zone '../../etc/passwd'; expected the name of a place such as Asia/Shanghai, or UTC",
        ),
    ] {
        let error = CompiledSchedule::compile(&daily, zone, DstGap::Fire).expect_err(zone);
        assert_eq!(error.to_string(), expected);
    }
    let error = CompiledSchedule::compile(&Schedule::Every(999), "UTC", DstGap::Fire).expect_err("too often");
    assert_eq!(error.to_string(), "the period must be at least 1s, found 999ms");
    assert!(CompiledSchedule::compile(&Schedule::Every(1000), "UTC", DstGap::Fire).is_ok());
    assert!(CompiledSchedule::compile(&Schedule::Every(u64::MAX), "UTC", DstGap::Fire).is_err());
}

#[test]
fn counting_agrees_with_walking_and_takes_a_year_of_seconds_at_once() {
    let spans = [
        ("2026-03-27T22:14:15Z", "2026-03-30T04:05:06.001Z"),
        ("2026-10-24T23:59:59.999Z", "2026-10-25T02:00:00Z"),
        ("2026-01-31T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-05-05T05:05:05Z", "2026-05-05T05:05:05.001Z"),
        ("2026-05-05T05:05:05Z", "2026-05-05T05:05:05Z"),
    ];
    for text in ["* * * * * *", "*/7 * * * * *", "5-50/5 3-40 1-3,22 * * SUN,SAT", "30 2 * * *", "0 0 L * *"] {
        for (from, to) in spans {
            let schedule = cron(text, "Europe/Berlin");
            let walked = schedule.occurrences(utc(from), utc(to)).count() as u64;
            assert_eq!(schedule.count_called(utc(from), utc(to)), walked, "{text} from {from} to {to}");
        }
    }
    let every = CompiledSchedule::compile(&Schedule::Every(7_000), "UTC", DstGap::Fire).unwrap();
    for (from, to, count) in [
        (0, 7_000, 1),
        (0, 7_001, 2),
        (1, 7_000, 0),
        (1, 7_001, 1),
        (-7_000, 1, 2),
        (9, 9, 0),
        (9, 7, 0),
        (7_001, 0, 0),
    ] {
        assert_eq!(every.count_called(UtcMs(from), UtcMs(to)), count, "{from}..{to}");
    }
    let second = CompiledSchedule::compile(&Schedule::Every(1000), "UTC", DstGap::Fire).unwrap();
    assert_eq!(second.count_called(UtcMs(0), UtcMs(3_000_000_000_000)), 3_000_000_000);
    let at = CompiledSchedule::compile(&Schedule::At(UtcMs(5)), "UTC", DstGap::Fire).unwrap();
    assert_eq!([at.count_called(UtcMs(5), UtcMs(6)), at.count_called(UtcMs(0), UtcMs(5))], [1, 0]);

    let (from, to) = (utc("2025-07-01T00:00:00Z"), utc("2026-07-01T00:00:00Z"));
    assert_eq!(cron("* * * * * *", "Europe/Berlin").count_called(from, to), 365 * 86_400);
    assert_eq!(cron("*/7 * * * * *", "Europe/Berlin").count_called(from, to), 365 * 1440 * 9);
}

#[test]
fn equal_schedules_share_one_compiled_form() {
    let mut cache = ScheduleCache::default();
    let schedule = Schedule::Cron("0 9 * * *".to_owned());
    let first = cache.get_or_compile(&schedule, "Asia/Shanghai", DstGap::Fire).unwrap();
    let second = cache.get_or_compile(&schedule, "Asia/Shanghai", DstGap::Fire).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    for (zone, gap) in [("Europe/Berlin", DstGap::Fire), ("Asia/Shanghai", DstGap::Skip)] {
        let other = cache.get_or_compile(&schedule, zone, gap).unwrap();
        assert!(!Arc::ptr_eq(&first, &other), "{zone} {gap:?}");
    }
    assert!(size_of::<CompiledSchedule>() <= 256, "{}", size_of::<CompiledSchedule>());
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
