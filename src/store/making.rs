//! Which hours figures are made of, and when: the same whatever database they are in.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::cells::zone;
use crate::domain::UtcMs;

pub(super) const HOUR: i64 = 3_600_000;
/// The longest day there is, and a moment: a clock is put back by an hour.
pub(super) const LONGEST_DAY: i64 = 26 * HOUR;
/// So long after its end an hour is made: what was due in it has begun by then, as a rule.
const AFTER: Duration = Duration::from_secs(300);
/// And again so much later.
const AGAIN: Duration = Duration::from_secs(86_400);
/// So long after an instant its day has ended in every zone.
const OF_A_DAY: i64 = 48 * HOUR;

/// Under which keys the database notes how far the hours are made, and how far for the second time.
pub(super) const MADE_UNTIL: &str = "figures_until";
pub(super) const MADE_AGAIN_UNTIL: &str = "figures_again_until";

/// How far the hours are made, and how far pruning has come.
pub(super) struct Made {
    pub until: Option<UtcMs>,
    pub again_until: Option<UtcMs>,
    pub pruned_until: Option<UtcMs>,
}

/// The next hour to make, and what is noted with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub hour: UtcMs,
    pub until: UtcMs,
    pub again_until: UtcMs,
}

/// A day that ended in an hour, in one zone.
#[derive(Clone)]
pub(super) struct Day {
    pub zone: String,
    pub date: String,
    pub begins: UtcMs,
    pub ends: UtcMs,
}

/// The beginning of the hour of an instant.
pub(super) fn hour_of(at: UtcMs) -> UtcMs {
    UtcMs(at.0 - at.0.rem_euclid(HOUR))
}

/// The date of an instant, when its day begins, and when the next one does.
pub(super) fn day_of(at: UtcMs, zone: &TimeZone) -> (Date, UtcMs, UtcMs) {
    let day = at.to_jiff().to_zoned(zone.clone()).date();
    let begins = |day: Date| day.to_zoned(zone.clone()).map_or(at, |midnight| UtcMs::from(midnight.timestamp()));
    (day, begins(day), begins(day.tomorrow().unwrap_or(day)))
}

/// Since when days of this zone are counted as they stand: since the first one that is not made, and that is yesterday or today.
pub(super) fn days_counted_from(made: Option<UtcMs>, now: UtcMs, zone: &TimeZone) -> UtcMs {
    let earliest = UtcMs(now.0 - LONGEST_DAY);
    day_of(made.unwrap_or(earliest).clamp(earliest, now), zone).1
}

/// Since when hours are counted as they stand: the last one's time comes five minutes after it, and what lies further back is not
/// counted on request.
pub(super) fn hours_counted_from(made: Option<UtcMs>, now: UtcMs) -> UtcMs {
    let running = hour_of(now);
    let before = UtcMs(running.0 - HOUR);
    made.unwrap_or(before).clamp(before, running)
}

/// Since when hours are missing, where the first instant that is not made had something due. Where nothing was due since, nothing is
/// missing.
pub(super) fn missing_from(first: Option<UtcMs>, now: UtcMs) -> Option<UtcMs> {
    first.filter(|first| first.0 < hour_of(now).0 - HOUR)
}

/// Which of these zones have a day that ended in the hour.
pub(super) fn days_that_ended(zones: Vec<String>, hour: UtcMs) -> Vec<Day> {
    let day = |name: String| {
        let (date, begins, ends) = day_of(hour, &zone(&name));
        Day { zone: name, date: date.to_string(), begins, ends }
    };
    let ended = |day: &Day| day.ends > hour && day.ends.0 <= hour.0 + HOUR;
    zones.into_iter().map(day).filter(ended).collect()
}

/// The last date that has ended in every zone by then.
pub(super) fn last_day_before(at: UtcMs) -> String {
    UtcMs(at.0 - OF_A_DAY / 2).to_jiff().to_zoned(TimeZone::UTC).date().to_string()
}

/// Which hour is next, if one's time has come. `first_since` tells the hour of the first fire since an instant.
pub(super) fn turn<E>(
    now: UtcMs,
    made: &Made,
    mut first_since: impl FnMut(UtcMs) -> Result<Option<UtcMs>, E>,
) -> Result<Option<Turn>, E> {
    let due = hour_of(now - AFTER);
    let due_again = hour_of(now - AFTER - AGAIN);
    let until = match made.until {
        // The clock was put back: from here on hours are made as they come.
        Some(until) if until > due => {
            return Ok(Some(Turn { hour: UtcMs(due.0 - HOUR), until: due, again_until: due_again }));
        }
        Some(until) => until,
        None => match first_since(UtcMs(0))? {
            Some(first) => first,
            None => return Ok(None),
        },
    };
    // The hour itself, or the next one in which anything was due where nothing was for two days before: no job's day ends between.
    let mut without_holes = |hour: UtcMs| -> Result<Option<UtcMs>, E> {
        Ok(first_since(UtcMs(hour.0 - OF_A_DAY))?.map(|found| found.max(hour)))
    };
    let again_until = made.again_until.unwrap_or(until).min(until);
    if let Some(hour) = without_holes(until)?.filter(|hour| *hour < due) {
        let made = UtcMs(hour.0 + HOUR);
        // More than a day back nothing more is to come, so once is enough, unless earlier hours wait to be made again.
        let again_until = if again_until == until && made <= due_again { made } else { again_until };
        return Ok(Some(Turn { hour, until: made, again_until }));
    }
    let again = match made.pruned_until {
        Some(pruned) => again_until.max(UtcMs(hour_of(pruned).0 + HOUR)),
        None => again_until,
    };
    let hour = without_holes(again)?.filter(|hour| *hour < due_again.min(until));
    Ok(hour.map(|hour| Turn { hour, until, again_until: UtcMs(hour.0 + HOUR) }))
}
