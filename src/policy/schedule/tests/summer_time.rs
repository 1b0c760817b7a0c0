//! What a change of the clock does.

use jiff::tz::db;

use super::*;

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
        Some(Occurrence { at: gap_end, skipped: Some(Skip::DstGap) }),
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
fn what_a_short_span_holds_is_found_though_the_next_after_it_is_a_year_away() {
    let yearly = cron("0,30 2 25 10 *", "Europe/Berlin");
    let found = fires(&yearly, "Europe/Berlin", "2026-10-25T00:31:00Z", "2026-10-25T01:31:00Z");
    assert_eq!(found, ["10-25 02:00+01:00", "10-25 02:30+01:00"]);
    assert_eq!(
        yearly.previous_within(utc("2026-10-25T01:01:00Z"), utc("2026-10-26T00:00:00Z")),
        Some(utc("2026-10-25T01:30:00Z"))
    );
    assert_eq!(yearly.previous_within(utc("2026-10-25T01:31:00Z"), utc("2026-10-26T00:00:00Z")), None);
}
