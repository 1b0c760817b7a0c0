//! Times in the words that people say: `yesterday`, `sat 08:30`, `last week`.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Span, ToSpan};

/// Which of several times a person means by a word that comes round again, such as `sat` or `08:30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lean {
    /// The last one that has begun.
    Past,
    /// Of clocks the one of today, of days the last one that has begun.
    Today,
    /// Of clocks the one of today, of days the next one, today included.
    Ahead,
}

pub(super) const DAY_MS: i64 = 86_400_000;

/// `9:00` is a whole minute, `09:00:30` a second.
pub(super) fn clock(text: &str) -> Option<(Time, i64)> {
    // Only the forms that are documented: jiff also takes a whole date and time for a time, and `0900`.
    let is_clock = text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || c == ':');
    let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() };
    let time = is_clock.then(|| padded.parse::<Time>().ok()).flatten()?;
    Some((time, if text.matches(':').count() > 1 { 1000 } else { 60_000 }))
}

/// Days by their names, in the languages of those who run pushcron.
const DAYS: [(&str, Weekday); 42] = [
    ("monday", Weekday::Monday),
    ("mon", Weekday::Monday),
    ("周一", Weekday::Monday),
    ("星期一", Weekday::Monday),
    ("礼拜一", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("tues", Weekday::Tuesday),
    ("tue", Weekday::Tuesday),
    ("周二", Weekday::Tuesday),
    ("星期二", Weekday::Tuesday),
    ("礼拜二", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("wed", Weekday::Wednesday),
    ("周三", Weekday::Wednesday),
    ("星期三", Weekday::Wednesday),
    ("礼拜三", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("thurs", Weekday::Thursday),
    ("thur", Weekday::Thursday),
    ("thu", Weekday::Thursday),
    ("周四", Weekday::Thursday),
    ("星期四", Weekday::Thursday),
    ("礼拜四", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("fri", Weekday::Friday),
    ("周五", Weekday::Friday),
    ("星期五", Weekday::Friday),
    ("礼拜五", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sat", Weekday::Saturday),
    ("周六", Weekday::Saturday),
    ("星期六", Weekday::Saturday),
    ("礼拜六", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
    ("sun", Weekday::Sunday),
    ("周日", Weekday::Sunday),
    ("周天", Weekday::Sunday),
    ("星期日", Weekday::Sunday),
    ("星期天", Weekday::Sunday),
    ("礼拜天", Weekday::Sunday),
    ("礼拜日", Weekday::Sunday),
    ("週日", Weekday::Sunday),
];

/// A day, or several, with a clock behind it or without; and how long the stretch is that was meant.
pub(super) fn civil(text: &str, now: DateTime, lean: Lean) -> Option<(DateTime, i64)> {
    let text = text.to_lowercase();
    if let Some((monday_or_saturday, days)) = span(&text, now.date(), lean) {
        return Some((monday_or_saturday.to_datetime(Time::midnight()), days * DAY_MS));
    }
    // The clock is the last word; between `周六` and `08:30` nobody needs a blank.
    let digits = text.find(|c: char| c.is_ascii_digit()).filter(|_| text.contains(':'));
    let (day, time) = match digits {
        Some(at) => (text[..at].trim().trim_end_matches(" at").trim(), Some(clock(text[at..].trim())?)),
        None => (text.trim(), None),
    };
    let midnight = |date: Date| date.to_datetime(Time::midnight());
    let at = |date: Date| time.map_or(midnight(date), |(time, _)| date.to_datetime(time));
    let date = match day {
        "today" | "今天" => now.date(),
        "yesterday" | "昨天" => now.date().yesterday().ok()?,
        "tomorrow" | "明天" => now.date().tomorrow().ok()?,
        "前天" => now.date().checked_sub(2.days()).ok()?,
        day => weekday(day, now, lean, at)?,
    };
    Some((at(date), time.map_or(DAY_MS, |(_, len_ms)| len_ms)))
}

/// `this week`, `last week`, `weekend`: the first day, and how many.
fn span(text: &str, today: Date, lean: Lean) -> Option<(Date, i64)> {
    let back = |to: Weekday| today.checked_sub(Span::new().days(i64::from(today.weekday().since(to)))).ok();
    match text {
        "this week" | "本周" | "这周" => Some((back(Weekday::Monday)?, 7)),
        "last week" | "上周" => Some((back(Weekday::Monday)?.checked_sub(7.days()).ok()?, 7)),
        "weekend" | "the weekend" | "last weekend" | "周末" if lean != Lean::Ahead => {
            Some((back(Weekday::Saturday)?, 2))
        }
        _ => None,
    }
}

/// The day of that name that is meant; `at` says when on a day.
fn weekday(word: &str, now: DateTime, lean: Lean, at: impl Fn(Date) -> DateTime) -> Option<Date> {
    let (word, is_last) = match word.strip_prefix("last ").or_else(|| word.strip_prefix('上')) {
        Some(word) => (word.trim(), true),
        None => (word.trim_start_matches("on ").trim(), false),
    };
    let (_, wanted) = DAYS.iter().find(|(name, _)| *name == word)?;
    let days = |count: i8| Span::new().days(i64::from(count));
    let today = now.date();
    if lean == Lean::Ahead && !is_last {
        return today.checked_add(days(wanted.since(today.weekday()))).ok();
    }
    let latest = today.checked_sub(days(today.weekday().since(*wanted))).ok()?;
    // Of last Saturday nobody speaks on a Saturday who means today.
    let is_to_come = lean == Lean::Past && at(latest) > now;
    if is_to_come || (is_last && latest == today) { latest.checked_sub(7.days()).ok() } else { Some(latest) }
}
