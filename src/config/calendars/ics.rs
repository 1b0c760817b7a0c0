//! Lists of days in iCalendar form (RFC 5545): all-day events are days off, or worked ones where they say so.
//!
//! Only what such lists are made of is understood. What would name other days than we read is refused, with its line:
//! a rule of repetition beyond "every year", an event with hours.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use regex_lite::Regex;

use super::draft::name_day;

/// An event that lasts longer is no holiday.
const LONGEST: i32 = 366;

/// The days of a list.
#[derive(Debug, Default, PartialEq)]
pub(super) struct IcsDays {
    pub rest: BTreeMap<Date, String>,
    pub work: BTreeSet<Date>,
    /// Days of events that meet, in words.
    pub with_two_names: Vec<String>,
}

/// What cannot be read, and where: its line, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IcsProblem {
    pub line: usize,
    pub problem: String,
}

#[derive(Default)]
struct Event {
    line: usize,
    start: Option<Date>,
    /// Exclusive.
    end: Option<Date>,
    summary: String,
    is_yearly: bool,
    /// What a provider says of the kind of day (`X-APPLE-SPECIAL-DAY`).
    special: Option<String>,
    is_cancelled: bool,
}

/// Reads a list for the years `from..=until`, in which yearly events are repeated.
pub(super) fn read(text: &str, work_if: Option<&Regex>, years: (i16, i16)) -> Result<IcsDays, IcsProblem> {
    let mut days = IcsDays::default();
    let mut event: Option<Event> = None;
    let mut is_calendar = false;
    for (line, text) in unfolded(text) {
        let problem = |problem: String| IcsProblem { line, problem };
        let Some((name, value)) = property(&text) else {
            return Err(problem("expected a property such as DTSTART;VALUE=DATE:20261001".to_owned()));
        };
        match (&*name, &mut event) {
            ("BEGIN", _) if value.eq_ignore_ascii_case("VCALENDAR") => is_calendar = true,
            ("BEGIN", None) if value.eq_ignore_ascii_case("VEVENT") => event = Some(Event { line, ..Event::default() }),
            ("END", Some(_)) if value.eq_ignore_ascii_case("VEVENT") => {
                if let Some(event) = event.take() {
                    event.add_to(&mut days, work_if, years)?;
                }
            }
            ("DTSTART" | "DTEND", Some(event)) => {
                let date = date(value).ok_or_else(|| {
                    problem(format!("{name}: expected a whole day such as 20261001, found '{value}': an event with hours is no day off"))
                })?;
                if name == "DTSTART" { event.start = Some(date) } else { event.end = Some(date) }
            }
            ("DURATION", Some(event)) => {
                let length =
                    value.strip_prefix('P').and_then(|rest| rest.strip_suffix('D')).and_then(|n| n.parse().ok());
                let end = event.start.zip(length).and_then(|(start, days): (Date, i32)| {
                    start.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
                });
                event.end = Some(end.ok_or_else(|| {
                    problem(format!("DURATION: expected whole days such as P3D behind DTSTART, found '{value}'"))
                })?);
            }
            ("SUMMARY", Some(event)) => event.summary = unescaped(value),
            ("STATUS", Some(event)) => event.is_cancelled = value.eq_ignore_ascii_case("CANCELLED"),
            ("X-APPLE-SPECIAL-DAY", Some(event)) => event.special = Some(value.to_owned()),
            ("RRULE", Some(event)) => {
                let plain = value
                    .split(';')
                    .all(|part| part.eq_ignore_ascii_case("FREQ=YEARLY") || part.eq_ignore_ascii_case("INTERVAL=1"));
                if !plain {
                    return Err(problem(format!("RRULE: expected FREQ=YEARLY and nothing else, found '{value}'")));
                }
                event.is_yearly = true;
            }
            ("RDATE" | "EXDATE" | "RECURRENCE-ID", Some(_)) => {
                return Err(problem(format!("{name} is not understood: write the days as events of their own")));
            }
            _ => {}
        }
    }
    match (is_calendar, event) {
        (_, Some(event)) => {
            Err(IcsProblem { line: event.line, problem: "this event has no end: the file is cut".to_owned() })
        }
        (false, None) => {
            Err(IcsProblem { line: 1, problem: "expected BEGIN:VCALENDAR: this is no iCalendar file".to_owned() })
        }
        (true, None) => Ok(days),
    }
}

impl Event {
    fn add_to(self, days: &mut IcsDays, work_if: Option<&Regex>, years: (i16, i16)) -> Result<(), IcsProblem> {
        if self.is_cancelled {
            return Ok(());
        }
        let problem = |problem: &str| IcsProblem { line: self.line, problem: problem.to_owned() };
        let start = self.start.ok_or_else(|| problem("this event has no DTSTART"))?;
        // Without an end it is the one day.
        let length = self.end.map_or(1, |end| (end - start).get_days());
        if !(1..=LONGEST).contains(&length) {
            return Err(problem("this event ends before it begins, or lasts over a year"));
        }
        let is_work = self.special.as_deref() == Some("ALTERNATE-WORKDAY")
            || work_if.is_some_and(|pattern| pattern.is_match(&self.summary));
        let starts = match self.is_yearly {
            // One of the year before may reach into the first.
            true => (start.year().max(years.0 - 1)..=years.1)
                .filter_map(|year| Date::new(year, start.month(), start.day()).ok())
                .collect(),
            false => vec![start],
        };
        let is_asked = |day: &Date| !self.is_yearly || (years.0..=years.1).contains(&day.year());
        let days_of = |start: Date| start.series(jiff::Span::new().days(1)).take(length as usize);
        for day in starts.into_iter().flat_map(days_of).filter(is_asked) {
            if is_work {
                days.work.insert(day);
            } else {
                days.with_two_names.extend(name_day(&mut days.rest, day, &self.summary));
            }
        }
        Ok(())
    }
}

/// The lines of a file with those that continue one (they begin with a blank) joined to it, each with its number.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, before))) => before.push_str(rest),
            _ if line.trim().is_empty() => {}
            _ => lines.push((at + 1, line.trim_end().to_owned())),
        }
    }
    lines
}

/// The name of a property in capitals, and its value. A colon inside of quotes ends no parameter.
fn property(line: &str) -> Option<(String, &str)> {
    let mut is_quoted = false;
    let colon = line.char_indices().find(|(_, c)| {
        is_quoted ^= *c == '"';
        *c == ':' && !is_quoted
    })?;
    let (head, value) = (&line[..colon.0], line[colon.0 + 1..].trim());
    let name = head.split(';').next().unwrap_or(head);
    Some((name.to_ascii_uppercase(), value))
}

/// A whole day; None for one with an hour.
fn date(value: &str) -> Option<Date> {
    let digits = value.len() == 8 && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| format!("{}-{}-{}", &value[..4], &value[4..6], &value[6..]).parse().ok())?
}

fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('n' | 'N') => text.push(' '),
                escaped => text.push(escaped.unwrap_or('\\')),
            },
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:国庆节\r\n  黄金周\r\nDTSTART;VALUE=DATE:20261001\r\n\
        DTEND;VALUE=DATE:20261004\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:国庆节（班）\r\nDTSTART;VALUE=DATE:20261010\r\n\
        X-APPLE-SPECIAL-DAY:ALTERNATE-WORKDAY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    fn days(text: &str) -> Vec<Date> {
        text.split(' ').map(|day| day.parse().unwrap()).collect()
    }

    #[test]
    fn an_event_of_three_days_is_three_days_off_and_a_made_up_day_is_worked() {
        let read = read(LIST, None, (2026, 2026)).unwrap();
        assert_eq!(read.rest.keys().copied().collect::<Vec<_>>(), days("2026-10-01 2026-10-02 2026-10-03"));
        assert_eq!(read.work.into_iter().collect::<Vec<_>>(), days("2026-10-10"));
        assert_eq!(read.rest[&days("2026-10-01")[0]], "国庆节 黄金周");
    }

    #[test]
    fn a_pattern_tells_the_days_that_are_worked() {
        let text = LIST.replace("X-APPLE-SPECIAL-DAY:ALTERNATE-WORKDAY\r\n", "");
        assert!(read(&text, None, (2026, 2026)).unwrap().work.is_empty());
        let pattern = Regex::new("上班|（班）").unwrap();
        assert_eq!(read(&text, Some(&pattern), (2026, 2026)).unwrap().work.len(), 1);
    }

    #[test]
    fn a_yearly_event_comes_in_each_year_that_is_covered() {
        let text = LIST.replace("SUMMARY:国庆节\r\n", "RRULE:FREQ=YEARLY\r\nSUMMARY:国庆节\r\n");
        assert_eq!(read(&text, None, (2026, 2028)).unwrap().rest.len(), 9);
    }

    #[test]
    fn a_yearly_event_over_the_new_year_has_its_days_on_either_side() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:New Year\nRRULE:FREQ=YEARLY\nDTSTART;VALUE=DATE:20241231\n\
            DTEND;VALUE=DATE:20250102\nEND:VEVENT\nEND:VCALENDAR\n";
        let rest = |years| read(text, None, years).unwrap().rest.into_keys().collect::<Vec<_>>();
        assert_eq!(rest((2026, 2026)), days("2026-01-01 2026-12-31"));
        // Nothing comes before the first one.
        assert_eq!(rest((2024, 2025)), days("2024-12-31 2025-01-01 2025-12-31"));
        // A day that the calendar shows in some years only is in them alone.
        let leap = text.replace("20241231", "20240229").replace("20250102", "20240301");
        let leap = read(&leap, None, (2024, 2028)).unwrap().rest.into_keys().collect::<Vec<_>>();
        assert_eq!(leap, days("2024-02-29 2028-02-29"));
    }

    #[test]
    fn what_would_name_other_days_is_refused_with_its_line() {
        for (from, to, line, word) in [
            ("SUMMARY:国庆节\r\n", "RRULE:FREQ=YEARLY;BYDAY=1MO\r\n", 4, "RRULE"),
            ("DTSTART;VALUE=DATE:20261001", "DTSTART:20261001T090000Z", 6, "DTSTART"),
            ("SUMMARY:国庆节\r\n", "EXDATE:20261002\r\n", 4, "EXDATE"),
            ("DTEND;VALUE=DATE:20261004", "DTEND;VALUE=DATE:20260930", 3, "ends before"),
            ("END:VEVENT\r\nEND:VCALENDAR\r\n", "", 9, "cut"),
            ("BEGIN:VCALENDAR\r\n", "", 1, "VCALENDAR"),
        ] {
            let problem = read(&LIST.replace(from, to), None, (2026, 2026)).unwrap_err();
            assert!(problem.problem.contains(word), "{word}: {problem:?}");
            assert_eq!(problem.line, line, "{problem:?}");
        }
    }
}
