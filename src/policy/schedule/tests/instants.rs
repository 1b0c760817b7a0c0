//! Which instant comes next, which came last, and how many there are.

use super::*;

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
    let first = cache
        .get_or_compile(Timing {
            schedule: &schedule,
            timezone: "Asia/Shanghai",
            dst_gap: DstGap::Fire,
            days: None,
            life: None,
        })
        .unwrap();
    let second = cache
        .get_or_compile(Timing {
            schedule: &schedule,
            timezone: "Asia/Shanghai",
            dst_gap: DstGap::Fire,
            days: None,
            life: None,
        })
        .unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    for (zone, gap) in [("Europe/Berlin", DstGap::Fire), ("Asia/Shanghai", DstGap::Skip)] {
        let other = cache
            .get_or_compile(Timing { schedule: &schedule, timezone: zone, dst_gap: gap, days: None, life: None })
            .unwrap();
        assert!(!Arc::ptr_eq(&first, &other), "{zone} {gap:?}");
    }
    assert!(size_of::<CompiledSchedule>() <= 256, "{}", size_of::<CompiledSchedule>());
}
