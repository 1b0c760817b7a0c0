//! What is refused or doubted, and in which words.

use super::*;

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
            let words = format!("{}; {}", doubt.problem.english(), doubt.hint.english());
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
    let doubt = |name: &str| zone_doubt(name).map(|(problem, _)| problem.english().to_owned());
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
