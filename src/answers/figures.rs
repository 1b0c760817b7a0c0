//! Figures put together: by the hour of the day, by day, by account, as somebody's clock shows them.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::domain::{Lateness, UtcMs};
use crate::store::{Ends, HourFigures};

/// What came to an account, by the hour of the day.
pub(crate) struct Load {
    pub im: String,
    /// Empty: no attempt was made.
    pub account: String,
    pub hours: [u64; 24],
}

impl Load {
    pub(crate) fn all(&self) -> u64 {
        self.hours.iter().sum()
    }
}

/// The hour of the day in which an hour begins. Where a zone is off by half an hour, so are its hours.
fn hour_of_day(at: UtcMs, zone: &TimeZone) -> usize {
    usize::try_from(at.to_jiff().to_zoned(zone.clone()).hour()).unwrap_or(0)
}

pub(crate) fn date(at: UtcMs, zone: &TimeZone) -> String {
    at.to_jiff().to_zoned(zone.clone()).date().to_string()
}

/// So many dates, the last of them this one or that of `now`, whichever is later; oldest first.
pub(crate) fn dates(count: usize, now: UtcMs, zone: &TimeZone, last: Option<&str>) -> Vec<String> {
    let today = now.to_jiff().to_zoned(zone.clone()).date();
    let last = last.and_then(|last| last.parse().ok()).map_or(today, |last: jiff::civil::Date| last.max(today));
    let mut dates: Vec<String> = std::iter::successors(Some(last), |date| date.yesterday().ok())
        .take(count)
        .map(|date| date.to_string())
        .collect();
    dates.reverse();
    dates
}

pub(crate) fn lateness_by_hour(rows: &[HourFigures], since: UtcMs, zone: &TimeZone) -> [Lateness; 24] {
    let mut hours = [Lateness::default(); 24];
    for row in rows.iter().filter(|row| row.hour >= since) {
        hours[hour_of_day(row.hour, zone)].merge(&row.lateness);
    }
    hours
}

pub(crate) fn ends_by_day(rows: &[HourFigures], zone: &TimeZone) -> BTreeMap<String, Ends> {
    let mut days: BTreeMap<String, Ends> = BTreeMap::new();
    for row in rows {
        days.entry(date(row.hour, zone)).or_default().merge(row.ends);
    }
    days
}

/// The accounts to which most came first.
pub(crate) fn load_by_account(rows: &[HourFigures], since: UtcMs, zone: &TimeZone) -> Vec<Load> {
    let mut accounts: BTreeMap<(&str, &str), [u64; 24]> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.hour >= since) {
        accounts.entry((&row.im, &row.account)).or_default()[hour_of_day(row.hour, zone)] += row.ends.all();
    }
    let load =
        |((im, account), hours): ((&str, &str), [u64; 24])| Load { im: im.into(), account: account.into(), hours };
    let mut loads: Vec<Load> = accounts.into_iter().map(load).collect();
    loads.sort_by_key(|load| std::cmp::Reverse(load.all()));
    loads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hour: &str, account: &str, sent: u64) -> HourFigures {
        HourFigures {
            hour: format!("2026-03-{hour}:00:00.000Z").parse().unwrap(),
            im: "qq".to_owned(),
            account: account.to_owned(),
            ends: Ends { sent, ..Ends::default() },
            lateness: Lateness { most_ms: Some(sent), ..Lateness::default() },
        }
    }

    #[test]
    fn hours_and_days_are_those_of_the_clock_that_is_looked_at() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let rows = [row("01T15", "a", 1), row("01T16", "b", 5), row("02T16", "a", 2)];
        let days = ends_by_day(&rows, &zone);
        assert_eq!(
            days.iter().map(|(day, ends)| (&day[8..], ends.sent)).collect::<Vec<_>>(),
            [("01", 1), ("02", 5), ("03", 2)]
        );
        let late = lateness_by_hour(&rows, rows[0].hour, &zone);
        assert_eq!((late[23].most_ms, late[0].most_ms, late[15].most_ms), (Some(1), Some(5), None));
        let loads = load_by_account(&rows, rows[1].hour, &zone);
        let told: Vec<(&str, u64, u64)> =
            loads.iter().map(|load| (&*load.account, load.all(), load.hours[0])).collect();
        assert_eq!(told, [("b", 5, 5), ("a", 2, 2)]);
    }

    #[test]
    fn dates_go_on_to_the_latest_that_anything_was_due_on() {
        let now = "2026-03-01T01:00:00.000Z".parse().unwrap();
        assert_eq!(dates(2, now, &TimeZone::UTC, None), ["2026-02-28", "2026-03-01"]);
        assert_eq!(dates(2, now, &TimeZone::UTC, Some("2026-02-03")), ["2026-02-28", "2026-03-01"]);
        assert_eq!(dates(2, now, &TimeZone::UTC, Some("2026-03-02")), ["2026-03-01", "2026-03-02"]);
    }
}
