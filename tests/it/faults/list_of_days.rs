//! A year whose list of workdays has not come, beneath a running daemon: from its last days on to its first workday.

use pushcron::clock::{Clock, SystemClock};
use pushcron::domain::UtcMs;

use super::beside_the_clock;
use crate::common::daemon::{House, until};

/// How far the machine's clock is from an instant, as libfaketime takes it.
fn off(instant: &str) -> String {
    let instant: UtcMs = instant.parse().unwrap();
    format!("{:+}", (instant.0 - SystemClock::new().now().0) / 1000)
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_a_list_that_did_not_come_is_told_once_a_day_and_weekdays_fire_but_days_by_law() {
    let house = House::new().await;
    let Some((command, set_clock)) = beside_the_clock(&house, &off("2026-12-30T08:00:00Z")) else { return };
    let pages = house.dir.path().join("told");
    let job = |name: &str, days: &str| {
        format!("  - {{name: {name}, cron: \"* * * * * *\"{days}, push: {{im: hook, group: 1, text: hi}}}}\n")
    };
    house.configure("", &(job("report", ", workdays: ours") + &job("always", "")));
    let yaml = std::fs::read_to_string(house.dir.path().join("jobs.yaml")).unwrap();
    let pager = format!("[/bin/sh, -c, 'cat >> {}']", pages.display());
    let on_failure = format!("on_failure: {{command: {pager}, as_root: true, every: 1s}}");
    let yaml = yaml.replacen("timezone: UTC", &format!("timezone: UTC, {on_failure}"), 1);
    house.write(&format!("{yaml}calendars:\n  ours: {{covers: 2026, rest: [2026-12-25], every_year: [01-01]}}\n"));
    let mut daemon = house.start(command).await;

    let told = || {
        let told = std::fs::read_to_string(&pages).unwrap_or_default();
        told.matches("the calendar ours ends on 2026-12-31").count()
    };
    // Both later on the first day and on the last, a holiday and a workday of the year without a list.
    let hours = [
        ("2026-12-30T08:00:00Z", 1),
        ("2026-12-30T16:00:00Z", 1),
        ("2026-12-31T08:00:00Z", 2),
        ("2027-01-01T08:00:00Z", 3),
        ("2027-01-04T08:00:00Z", 4),
    ];
    for (instant, alarms) in hours {
        set_clock(&off(instant));
        let at = format!("f.due_at >= '{}'", instant.replace('Z', ".000Z"));
        let sent = |job: &str| {
            format!(
                "SELECT count(*) FROM pushes p JOIN fires f ON f.id = p.fire_id WHERE p.state = 'sent' AND {at} AND f.job = '{job}'"
            )
        };
        until(instant, async || told() >= alarms).await;
        // The alarm looks every second, so that another one would be there.
        house.until_at_least(4, &sent("always")).await;
        assert_eq!(told(), alarms, "{instant}\n{}", daemon.log());
        let day_off = format!("SELECT count(*) FROM fires f WHERE f.reason = 'holiday' AND {at} AND f.job = 'report'");
        match instant.starts_with("2027-01-01") {
            true => house.until_at_least(1, &day_off).await,
            false => house.until_at_least(2, &sent("report")).await,
        }
    }
    daemon.stop().await;
    let by_law = "SELECT count(*) FROM pushes p JOIN fires f ON f.id = p.fire_id
                   WHERE f.job = 'report' AND f.due_at >= '2027-01-01' AND f.due_at < '2027-01-04'";
    assert_eq!(house.number(by_law).await, 0);
    let rows = "SELECT DISTINCT f.decision, f.calendar FROM fires f JOIN pushes p ON p.fire_id = f.id
                 WHERE f.job = 'report' AND f.due_at >= '2027-01-01'";
    assert_eq!(house.rows(rows).await, [["fired", "ours: no list for 2027: weekdays assumed"]]);
}
