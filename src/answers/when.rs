//! Instants as people write and read them: in a zone, to the second.

mod spoken;

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::Serialize;

pub(crate) use self::spoken::Lean;
use self::spoken::{DAY_MS, clock};
use crate::domain::{UtcMs, length};
use crate::texts::{self, Text};

/// `2026-01-01 09:00` in `zone`; with the offset where `with_offset`, or where the clock shows that time twice.
pub(crate) fn shown(at: UtcMs, zone: &TimeZone, with_seconds: bool, with_offset: bool) -> String {
    let zoned = at.to_jiff().to_zoned(zone.clone());
    let twice = matches!(zone.to_ambiguous_timestamp(zoned.datetime()).offset(), AmbiguousOffset::Fold { .. });
    let clock = if with_seconds { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    let offset = if with_offset || twice { zoned.strftime(" %:::z").to_string() } else { String::new() };
    format!("{}{offset}", zoned.strftime(clock))
}

/// As [`shown`] with seconds, and with the thousandths of an instant that has some: cut, it would be another one.
pub(crate) fn exact(at: UtcMs, zone: &TimeZone, with_offset: bool) -> String {
    let whole = shown(at, zone, true, with_offset);
    match at.0.rem_euclid(1000) {
        0 => whole,
        ms => {
            // Behind the clock, before the offset.
            let (clock, offset) = whole.split_at(CLOCK_LEN.min(whole.len()));
            format!("{clock}.{ms:03}{offset}")
        }
    }
}

/// An instant that a schedule calls for, to the minute where it is one.
pub(crate) fn due(at: UtcMs, zone: &TimeZone, with_offset: bool) -> String {
    match at.0 % 60_000 {
        0 => shown(at, zone, false, with_offset),
        _ => exact(at, zone, with_offset),
    }
}

/// So long is `2026-01-01 09:00:00`.
const CLOCK_LEN: usize = 19;

/// The zone of that name; UTC for one that the system no longer knows, since a row must be shown all the same.
pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// A stretch of time that a person named by its beginning: `09:00` is a whole minute, `09:00:30` a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TimeRange {
    pub from: UtcMs,
    /// Exclusive.
    pub until: UtcMs,
    /// What summer time makes of it.
    #[serde(skip)]
    pub note: Option<ClockNote>,
}

/// What the clocks of a zone do at a time that a person named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "clock", rename_all = "snake_case")]
pub(crate) enum ClockNote {
    /// They show it twice.
    Twice { time: String, date: String },
    /// They never show it.
    Skipped { time: String, date: String },
}

impl ClockNote {
    /// In words.
    pub(crate) fn text(&self) -> Text {
        match self {
            ClockNote::Twice { time, date } => texts::clock_twice(time, date),
            ClockNote::Skipped { time, date } => texts::clock_skips(time, date),
        }
    }
}

impl fmt::Display for ClockNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().english())
    }
}

/// Reads an instant: with its offset (`2026-01-01T01:00:00Z`), by the clock of `zone` (`2026-01-01T09:00`,
/// `2026-01-01 09:00:30`, `2026-01-01`, `09:00` for today, `yesterday`, `sat 08:30`), or before `now` (`90m`, `7d`).
///
/// # Errors
///
/// In words, when it is none of these.
pub(crate) fn parse(text: &str, zone: &TimeZone, now: UtcMs) -> Result<TimeRange, String> {
    parse_leaning(text, zone, now, Lean::Today)
}

/// As [`parse`], of a time that has come: `08:30` is yesterday's where today's is still to come.
///
/// # Errors
///
/// As [`parse`].
pub(crate) fn past(text: &str, zone: &TimeZone, now: UtcMs) -> Result<TimeRange, String> {
    parse_leaning(text, zone, now, Lean::Past)
}

/// The end of what a person named by it, as the last millisecond within: `2h` is that long ago, and a day is meant whole.
///
/// # Errors
///
/// As [`parse`].
pub(crate) fn past_end(text: &str, zone: &TimeZone, now: UtcMs) -> Result<UtcMs, String> {
    let stretch = past(text, zone, now)?;
    let is_ago = length(text.trim().strip_suffix("ago").unwrap_or(text).trim()).is_some();
    Ok(if is_ago { stretch.from } else { UtcMs(stretch.until.0 - 1) })
}

/// As [`parse`], with the word on which way words lean that come round again.
///
/// # Errors
///
/// As [`parse`].
pub(crate) fn parse_leaning(text: &str, zone: &TimeZone, now: UtcMs, lean: Lean) -> Result<TimeRange, String> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        let at = UtcMs::from(at);
        if at <= UtcMs::MIN || at >= UtcMs::MAX {
            return Err(outside(text));
        }
        return Ok(TimeRange { from: at, until: UtcMs(at.0 + 1000), note: None });
    }
    if let Some(ago) = length(text.strip_suffix("ago").unwrap_or(text).trim()) {
        let from = now - ago;
        return Ok(TimeRange { from, until: now, note: None });
    }
    let local = now.to_jiff().to_zoned(zone.clone()).datetime();
    let (civil, len_ms) = civil(text, local.date())
        .or_else(|| spoken::civil(text, local, lean))
        .ok_or_else(|| {
            format!("expected a time such as 2026-01-01T09:00, 09:00, 'sat 08:30', yesterday, 2026-01-01T01:00:00Z or 2h (ago), got '{text}'")
        })?;
    let civil = match lean {
        // A clock alone.
        Lean::Past if civil > local && clock(text).is_some() => civil.saturating_sub(jiff::Span::new().days(1)),
        _ => civil,
    };
    let stretch = by_the_clock(civil, len_ms, zone).and_then(|stretch| match len_ms % DAY_MS {
        // A day on which the clock changes is longer or shorter than others.
        0 => {
            let after = civil.checked_add(jiff::Span::new().days(len_ms / DAY_MS)).ok()?;
            Some(TimeRange { until: by_the_clock(after, 0, zone)?.from, ..stretch })
        }
        _ => Some(stretch),
    });
    let told = stretch.filter(|stretch| stretch.from > UtcMs::MIN && stretch.until < UtcMs::MAX);
    told.ok_or_else(|| outside(text))
}

/// What is told of a time that no row holds.
fn outside(text: &str) -> String {
    format!("'{text}' lies outside the years that can be told")
}

/// Reads an instant still to come, as [`parse`] does; a bare time is one of today, or of tomorrow where it has passed.
///
/// # Errors
///
/// In words, when it is no time, or past.
pub(crate) fn coming(text: &str, zone: &TimeZone, now: UtcMs) -> Result<UtcMs, String> {
    let text = text.trim();
    let expected = || format!("expected a time such as 14:30, 2026-12-24T18:00 or 2026-12-24T10:00:00Z, got '{text}'");
    if !text.contains(':') {
        return Err(expected());
    }
    let TimeRange { from: at, until, note } =
        parse(text, zone, now).map_err(|problem| if problem == outside(text) { problem } else { expected() })?;
    if at > now {
        return Ok(at);
    }
    // Between the two showings of a time the second one is meant.
    let second = UtcMs(until.0 - len_of(text));
    if second > now && matches!(note, Some(ClockNote::Twice { .. })) {
        return Ok(second);
    }
    let today = now.to_jiff().to_zoned(zone.clone()).date();
    let tomorrow = if text.contains('-') { None } else { today.tomorrow().ok() };
    match tomorrow.map(|date| parse(&format!("{date}T{text}"), zone, now)) {
        Some(tomorrow) => tomorrow.map(|stretch| stretch.from),
        None => Err(format!("{text} is past")),
    }
}

/// How long the stretch is that a time by the clock means.
fn len_of(time: &str) -> i64 {
    if time.matches(':').count() > 1 { 1000 } else { 60_000 }
}

/// A date, a time of today, or both; and how long the stretch is that was meant.
fn civil(text: &str, today: Date) -> Option<(DateTime, i64)> {
    if let Some((time, len_ms)) = clock(text) {
        return Some((today.to_datetime(time), len_ms));
    }
    match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => {
            let (time, len_ms) = clock(time.trim())?;
            Some((date.parse::<Date>().ok()?.to_datetime(time), len_ms))
        }
        None => Some((text.parse::<Date>().ok()?.to_datetime(Time::midnight()), DAY_MS)),
    }
}

fn by_the_clock(civil: DateTime, len_ms: i64, zone: &TimeZone) -> Option<TimeRange> {
    let from = |at: jiff::Timestamp| UtcMs::from(at);
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    let earlier = from(ambiguous.earlier().ok()?);
    Some(match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => {
            TimeRange { from: earlier, until: UtcMs(earlier.0 + len_ms), note: None }
        }
        // Both showings of the time are meant; what lies between them does no harm, since it is told by its hour.
        AmbiguousOffset::Fold { .. } => {
            let later = from(ambiguous.later().ok()?);
            let note = ClockNote::Twice { time: civil.time().to_string(), date: civil.date().to_string() };
            TimeRange { from: earlier, until: UtcMs(later.0 + len_ms), note: Some(note) }
        }
        // Reading the time with either offset gives instants around the gap: its end lies between them.
        AmbiguousOffset::Gap { .. } => {
            let later = from(ambiguous.later().ok()?);
            let note = ClockNote::Skipped { time: civil.time().to_string(), date: civil.date().to_string() };
            let end = zone.following(earlier.to_jiff()).next().map_or(later, |change| from(change.timestamp()));
            TimeRange { from: end, until: UtcMs(end.0 + len_ms), note: Some(note) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcMs {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_means_the_stretch_that_its_precision_names() {
        let shanghai = zone("Asia/Shanghai");
        let now = at("2026-01-02T01:30:00.000Z");
        for (text, from, len) in [
            ("2026-01-01T01:00:00Z", "2026-01-01T01:00:00.000Z", 1000),
            ("2026-01-01T09:00:00+08:00", "2026-01-01T01:00:00.000Z", 1000),
            ("2026-01-01T09:00", "2026-01-01T01:00:00.000Z", 60_000),
            ("2026-01-01 09:00:30", "2026-01-01T01:00:30.000Z", 1000),
            ("09:00", "2026-01-02T01:00:00.000Z", 60_000),
            ("2026-01-01", "2025-12-31T16:00:00.000Z", 86_400_000),
            ("90m", "2026-01-02T00:00:00.000Z", 5_400_000),
            ("1h30m ago", "2026-01-02T00:00:00.000Z", 5_400_000),
        ] {
            let stretch = parse(text, &shanghai, now).unwrap();
            assert_eq!((stretch.from, stretch.until.ms_since(stretch.from)), (at(from), len), "{text}");
        }
        for text in ["", "nine", "25:00", "2026-02-30", "5", "m", "2026-01-01T"] {
            assert!(parse(text, &shanghai, now).is_err(), "{text}");
        }
    }

    #[test]
    fn times_that_exist_twice_or_never_say_so() {
        let berlin = zone("Europe/Berlin");
        let twice = parse("2026-10-25T02:30", &berlin, UtcMs(0)).unwrap();
        assert_eq!(twice.from, at("2026-10-25T00:30:00.000Z"));
        assert_eq!(twice.until, at("2026-10-25T01:31:00.000Z"));
        assert_eq!(twice.note.unwrap().to_string(), "the clock shows 02:30:00 twice on 2026-10-25");
        let never = parse("2026-03-29T02:30", &berlin, UtcMs(0)).unwrap();
        assert_eq!(never.from, at("2026-03-29T01:00:00.000Z"));
        assert_eq!(never.note.unwrap().to_string(), "02:30:00 does not exist on 2026-03-29: the clock skips it");
    }

    #[test]
    fn a_day_is_meant_whole_also_where_the_clock_changes() {
        let berlin = zone("Europe/Berlin");
        for (text, hours) in [("2026-10-25", 25), ("2026-03-29", 23), ("2026-03-30", 24)] {
            let day = parse(text, &berlin, UtcMs(0)).unwrap();
            assert_eq!(day.until.ms_since(day.from), hours * 3_600_000, "{text}");
        }
    }

    #[test]
    fn the_last_days_that_a_clock_knows_are_refused_in_every_form() {
        let shanghai = zone("Asia/Shanghai");
        for text in ["9999-12-31", "9999-12-31T09:00", "9999-12-30T22:00:00Z", "-000001-05-05T00:00Z", "-000001-05-05"]
        {
            let refused = parse(text, &shanghai, UtcMs(0)).unwrap_err();
            assert!(refused.contains("outside the years that can be told"), "{text}: {refused}");
        }
        assert!(parse("9999-12-29", &shanghai, UtcMs(0)).is_ok());
    }

    #[test]
    fn the_offset_is_shown_where_the_time_alone_would_not_tell() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(shown(at("2026-07-01T00:30:00.000Z"), &berlin, true, false), "2026-07-01 02:30:00");
        assert_eq!(shown(at("2026-07-01T00:30:00.000Z"), &berlin, true, true), "2026-07-01 02:30:00 +02");
        assert_eq!(shown(at("2026-10-25T01:30:00.000Z"), &berlin, true, false), "2026-10-25 02:30:00 +01");
        assert_eq!(shown(at("2026-10-25T00:30:00.000Z"), &TimeZone::UTC, true, false), "2026-10-25 00:30:00");
    }

    #[test]
    fn thousandths_of_a_second_are_shown_where_there_are_some() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(exact(at("2026-07-01T00:30:00.000Z"), &berlin, false), "2026-07-01 02:30:00");
        assert_eq!(exact(at("2026-07-01T00:30:00.050Z"), &berlin, false), "2026-07-01 02:30:00.050");
        assert_eq!(exact(at("2026-10-25T01:30:07.500Z"), &berlin, false), "2026-10-25 02:30:07.500 +01");
    }

    /// A Monday at seven in Shanghai.
    const NOW: &str = "2026-11-29T23:00:00.000Z";

    fn from(text: &str, lean: Lean, now: &str) -> String {
        let shanghai = zone("Asia/Shanghai");
        let stretch = parse_leaning(text, &shanghai, now.parse().unwrap(), lean).unwrap_or_else(|why| panic!("{why}"));
        let hours = stretch.until.ms_since(stretch.from) / 60_000;
        format!("{} {hours}m", shown(stretch.from, &shanghai, false, false))
    }

    #[test]
    fn days_and_clocks_are_taken_in_the_words_that_people_use() {
        for (text, meant) in [
            ("sat 08:30", "2026-11-28 08:30 1m"),
            ("Saturday 8:30", "2026-11-28 08:30 1m"),
            ("saturday at 08:30", "2026-11-28 08:30 1m"),
            ("周六 08:30", "2026-11-28 08:30 1m"),
            ("星期六08:30", "2026-11-28 08:30 1m"),
            ("上周六", "2026-11-28 00:00 1440m"),
            ("sat", "2026-11-28 00:00 1440m"),
            ("last sat", "2026-11-28 00:00 1440m"),
            ("fri", "2026-11-27 00:00 1440m"),
            ("monday", "2026-11-30 00:00 1440m"),
            ("last monday", "2026-11-23 00:00 1440m"),
            ("tue", "2026-11-24 00:00 1440m"),
            ("yesterday", "2026-11-29 00:00 1440m"),
            ("昨天 20:00", "2026-11-29 20:00 1m"),
            ("today", "2026-11-30 00:00 1440m"),
            ("weekend", "2026-11-28 00:00 2880m"),
            ("last week", "2026-11-23 00:00 10080m"),
            ("this week", "2026-11-30 00:00 10080m"),
            ("6:30", "2026-11-30 06:30 1m"),
        ] {
            assert_eq!(from(text, Lean::Past, NOW), meant, "{text}");
            assert_eq!(from(text, Lean::Today, NOW), meant, "{text}");
        }
        for text in ["someday", "sat 25:00", "sat0830", "saturday night", "last", "8", ":", "sat 8:3"] {
            assert!(past(text, &zone("UTC"), NOW.parse().unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_asked_of_the_past_is_never_still_to_come() {
        // At seven on a Monday, today's half past eight is not there yet.
        assert_eq!(from("08:30", Lean::Past, NOW), "2026-11-29 08:30 1m");
        assert_eq!(from("08:30", Lean::Today, NOW), "2026-11-30 08:30 1m");
        assert_eq!(from("mon 08:30", Lean::Past, NOW), "2026-11-23 08:30 1m");
        assert_eq!(from("mon 06:30", Lean::Past, NOW), "2026-11-30 06:30 1m");
        // What is asked of days to come is.
        assert_eq!(from("mon", Lean::Ahead, NOW), "2026-11-30 00:00 1440m");
        assert_eq!(from("sat", Lean::Ahead, NOW), "2026-12-05 00:00 1440m");
    }

    #[test]
    fn an_end_is_meant_whole_and_a_length_is_that_long_ago() {
        let (shanghai, now): (_, UtcMs) = (zone("Asia/Shanghai"), NOW.parse().unwrap());
        let end = |text: &str| past_end(text, &shanghai, now).unwrap().to_string();
        assert_eq!(end("sat"), "2026-11-28T15:59:59.999Z");
        assert_eq!(end("2026-11-28"), "2026-11-28T15:59:59.999Z");
        assert_eq!(end("2h"), "2026-11-29T21:00:00.000Z");
        assert_eq!(end("2h ago"), "2026-11-29T21:00:00.000Z");
    }

    #[test]
    fn a_bare_time_is_the_next_that_the_clock_shows_also_where_summer_time_takes_or_doubles_it() {
        let berlin = zone("Europe/Berlin");
        for (now, text, comes) in [
            ("2026-06-01T10:00:00.000Z", "14:30", "2026-06-01T12:30:00.000Z"),
            ("2026-06-01T12:30:00.000Z", "14:30", "2026-06-02T12:30:00.000Z"),
            ("2026-06-01T22:30:00.000Z", "00:10", "2026-06-02T22:10:00.000Z"),
            // The hour that is skipped ends when the next begins.
            ("2026-03-28T12:00:00.000Z", "02:30", "2026-03-29T01:00:00.000Z"),
            ("2026-03-29T00:59:30.000Z", "02:30", "2026-03-29T01:00:00.000Z"),
            ("2026-03-29T01:00:00.000Z", "02:30", "2026-03-30T00:30:00.000Z"),
            // The hour that comes twice: before, between and after both.
            ("2026-10-24T12:00:00.000Z", "02:30", "2026-10-25T00:30:00.000Z"),
            ("2026-10-25T00:40:00.000Z", "02:30", "2026-10-25T01:30:00.000Z"),
            ("2026-10-25T01:10:00.000Z", "02:30", "2026-10-25T01:30:00.000Z"),
            ("2026-10-25T01:10:00.000Z", "2026-10-25T02:30:15", "2026-10-25T01:30:15.000Z"),
            ("2026-10-25T01:30:00.000Z", "02:30", "2026-10-26T01:30:00.000Z"),
            // A day of 23 hours lies between.
            ("2026-03-28T13:40:00.000Z", "14:30", "2026-03-29T12:30:00.000Z"),
        ] {
            assert_eq!(coming(text, &berlin, at(now)), Ok(at(comes)), "{text} at {now}");
        }
        for text in ["2026-06-01T11:00", "tomorrow", "14", "25:00", "-1:00"] {
            assert!(coming(text, &berlin, at("2026-06-01T10:00:00.000Z")).is_err(), "{text}");
        }
    }
}
