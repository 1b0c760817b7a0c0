//! A list of days as a file that [`read`](super::read) understands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use jiff::civil::Date;

use super::draft::CalendarDraft;
use crate::domain::calendar::{MonthDay, WEEKDAYS};

/// The text of `calendars/NAME.yaml`.
pub(super) fn calendar_file(calendar: &CalendarDraft) -> String {
    let mut text = format!("calendar: {}\n", calendar.name);
    // Writing to a text cannot fail.
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{arguments}");
    };
    if let Some(version) = &calendar.version {
        line(format_args!("version: {}", quoted(version)));
    }
    if let Some((name, _)) = &calendar.based_on {
        line(format_args!("based_on: {}", quoted(name)));
    }
    if let Some(covers) = calendar.covers {
        let settled = covers.settled_until.map(|day| format!(", settled_until: {day}")).unwrap_or_default();
        line(format_args!("covers: {{from: {}, until: {}{settled}}}", covers.from, covers.until));
    }
    if let Some(weekend) = &calendar.weekend {
        let word = |day| WEEKDAYS.iter().find(|(_, known)| *known == day).map(|(word, _)| *word);
        let words: Vec<&str> = weekend.0.iter().filter_map(|day| word(*day)).collect();
        line(format_args!("weekend: [{}]", words.join(", ")));
    }
    if !calendar.every_year.is_empty() {
        // A year that has every day.
        let days = calendar.every_year.iter().filter_map(|(day, name)| Some((day.in_year(2000)?, name)));
        line(format_args!("every_year:"));
        for (name, days) in by_name(days) {
            line(format_args!("  {}: [{days}]", quoted(name)));
        }
    }
    let days = calendar.rest.keys().chain(&calendar.work).map(|day| day.year());
    let years: BTreeSet<i16> = days.chain(calendar.workdays.iter().map(|(year, ..)| *year)).collect();
    line(format_args!("years:{}", if years.is_empty() { " {}" } else { "" }));
    for year in years {
        line(format_args!("  {year}:"));
        let rest = calendar.rest.iter().filter(|(day, _)| day.year() == year).map(|(day, name)| (*day, name));
        let rest = by_name(rest);
        line(format_args!("    rest:{}", if rest.is_empty() { " {}" } else { "" }));
        for (name, days) in rest {
            line(format_args!("      {}: [{days}]", quoted(name)));
        }
        let work: Vec<Date> = calendar.work.iter().copied().filter(|day| day.year() == year).collect();
        line(format_args!("    work: [{}]", spans(&work)));
        for (_, count, _) in calendar.workdays.iter().filter(|(of, ..)| *of == year) {
            line(format_args!("    workdays: {count}"));
        }
    }
    text
}

/// Days of a year under the names of their holidays, in the order of the first of each.
fn by_name<'a>(days: impl Iterator<Item = (Date, &'a String)>) -> Vec<(&'a str, String)> {
    let mut names: Vec<&str> = Vec::new();
    let mut of: BTreeMap<&str, Vec<Date>> = BTreeMap::new();
    for (day, name) in days {
        if !of.contains_key(name.as_str()) {
            names.push(name);
        }
        of.entry(name).or_default().push(day);
    }
    names.into_iter().map(|name| (name, spans(&of[name]))).collect()
}

/// `01-01, 02-15..02-23`.
fn spans(days: &[Date]) -> String {
    let mut spans: Vec<(Date, Date)> = Vec::new();
    for day in days {
        match spans.last_mut() {
            Some((_, until)) if until.tomorrow().is_ok_and(|next| next == *day) => *until = *day,
            _ => spans.push((*day, *day)),
        }
    }
    let text = |(from, until): (Date, Date)| {
        let (from, until) = (MonthDay::from(from), MonthDay::from(until));
        if from == until { from.to_string() } else { format!("{from}..{until}") }
    };
    spans.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

/// As JSON writes a text, which YAML reads too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
