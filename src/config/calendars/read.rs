//! The keys of a calendar.

use std::time::Duration;

use jiff::civil::{Date, Weekday};

use super::draft::{CalendarDraft, IcsDraft, UrlDraft, of_two_names};
use crate::config::decoder::Decoder;
use crate::config::keys::{CALENDAR_KEYS, CALENDAR_YEAR_KEYS, COVERS_KEYS};
use crate::config::yaml::{At, Entry, Node, Value};
use crate::domain::calendar::{Coverage, MonthDay, WEEKDAYS, Weekend};
use crate::texts::{self, Text};

/// How often a list is fetched, if nothing else is said, and when it is old.
const EVERY: Duration = Duration::from_secs(86_400);
const OLD_AFTER: Duration = Duration::from_secs(7 * 86_400);
const LEAST_EVERY: Duration = Duration::from_secs(60);

/// A span of more days than this is a slip.
const LONGEST_SPAN: i32 = 366;

const A_DAY: fn() -> Text = texts::a_day_or_days;
const A_DAY_OF_THE_YEAR: fn() -> Text = texts::a_day_of_the_year;

impl Decoder<'_> {
    /// `calendars:`: a mapping of names to lists.
    pub(crate) fn calendars(&mut self, node: &Node) -> Vec<CalendarDraft> {
        let Some(entries) = self.map("calendars", node) else { return Vec::new() };
        let mut drafts = Vec::new();
        for entry in entries {
            let name = &*entry.key;
            if !is_name(name) {
                self.error(entry.key_at, texts::calendar_name());
                continue;
            }
            drafts.extend(self.calendar(name, entry.key_at, &entry.node));
        }
        drafts
    }

    /// One list: a block under `calendars:`, or a file of its own.
    pub(crate) fn calendar(&mut self, name: &str, at: At, node: &Node) -> Option<CalendarDraft> {
        let mut draft = CalendarDraft::new(name, self.place(at));
        let errors = self.diagnostics.error_count();
        let (mut ics, mut work_if, mut url) = (None, None, None);
        let (mut every, mut old_after, mut is_beside) = (None, None, false);
        for entry in self.map(texts::a_calendar(), node)? {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "calendar" => {
                    let written = self.text(key, value);
                    if let Some(written) = written.filter(|written| *written != name) {
                        self.wrong(key, value, texts::as_the_file_is_called(name)).near(&written, [name]);
                    }
                }
                "version" => draft.version = self.text(key, value).map(|text| text.trim().to_owned()),
                "based_on" => draft.based_on = self.name(key, value).map(|name| (name, self.place(value.at))),
                "covers" => draft.covers = self.covers(value),
                "weekend" => draft.weekend = self.weekend(value),
                "rest" => self.rest(key, value, None, &mut draft),
                "work" => draft.work.extend(self.days(key, value, None)),
                "every_year" => self.every_year(value, &mut draft),
                "years" => self.years(value, &mut draft),
                "ics" => {
                    let path = self.path(key, value);
                    is_beside = self.is_beside(key, value.at, texts::the_file());
                    ics = path.filter(|_| !is_beside).map(|path| (path, self.place(value.at)));
                }
                "work_if" => work_if = self.pattern(key, value),
                "url" => url = self.content_url(key, value).map(|url| (url, self.place(value.at))),
                "every" => every = self.duration_from(key, value, LEAST_EVERY).map(|every| (every, entry.key_at)),
                "old_after" => old_after = self.duration_from(key, value, LEAST_EVERY).map(|age| (age, entry.key_at)),
                _ => self.unknown_key(entry, texts::a_calendar(), CALENDAR_KEYS),
            }
        }
        for (key, at) in [("every", every.map(|(_, at)| at)), ("old_after", old_after.map(|(_, at)| at))] {
            if let Some(at) = at.filter(|_| url.is_none()) {
                self.error(at, texts::belongs_to_a_url(key));
            }
        }
        if let (Some(_), Some((_, place))) = (&url, &ics) {
            self.diagnostics.error(*place, texts::ics_or_url());
        }
        draft.url = url.map(|(url, place)| UrlDraft {
            url,
            place,
            work_if: work_if.clone(),
            covers: draft.covers,
            every: every.map_or(EVERY, |(every, _)| every),
            old_after: old_after.map_or(OLD_AFTER, |(age, _)| age),
        });
        draft.ics = ics.map(|(path, place)| IcsDraft { path, place, work_if: work_if.clone() });
        draft.is_sound = self.diagnostics.error_count() == errors && !is_beside;
        if let Some(told) = of_two_names(&draft.with_two_names) {
            self.warning(at, texts::of_calendar(name, told));
        }
        Some(draft)
    }

    fn years(&mut self, node: &Node, draft: &mut CalendarDraft) {
        for entry in self.map("years", node).unwrap_or_default() {
            let Some(year) = entry.key.parse::<i16>().ok().filter(|year| (1900..=9999).contains(year)) else {
                self.error(entry.key_at, texts::expected_year());
                continue;
            };
            for entry in self.map(texts::a_year(), &entry.node).unwrap_or_default() {
                let (key, value) = (&*entry.key, &entry.node);
                match key {
                    "rest" => self.rest(key, value, Some(year), draft),
                    "work" => draft.work.extend(self.days(key, value, Some(year))),
                    "workdays" => {
                        let place = self.place(value.at);
                        let count = self.int(key, value, 0, 366).and_then(|count| usize::try_from(count).ok());
                        draft.workdays.extend(count.map(|count| (year, count, place)));
                    }
                    _ => self.unknown_key(entry, texts::a_year(), CALENDAR_YEAR_KEYS),
                }
            }
        }
    }

    /// Days off: a list, or lists by the name of the holiday.
    fn rest(&mut self, key: &str, node: &Node, year: Option<i16>, draft: &mut CalendarDraft) {
        match node.value() {
            Value::Map(entries) => {
                for Entry { key: name, node, .. } in entries {
                    let days = self.days(key, node, year);
                    days.into_iter().for_each(|day| draft.rest_on(day, name));
                }
            }
            _ => self.days(key, node, year).into_iter().for_each(|day| draft.rest_on(day, "")),
        }
    }

    /// A day or days, whole dates or such of a year.
    fn days(&mut self, key: &str, node: &Node, year: Option<i16>) -> Vec<Date> {
        let expected = if year.is_some() { A_DAY_OF_THE_YEAR } else { A_DAY };
        let nodes = match node.value() {
            Value::List(nodes) => nodes.iter().collect(),
            _ => vec![node],
        };
        let mut days = Vec::new();
        for node in nodes {
            let span = self.parsed(key, node, expected(), |text| span(text, |text| day(text, year)));
            days.extend(
                span.into_iter().flat_map(|(from, until)| Coverage { from, until, settled_until: None }.days()),
            );
        }
        days
    }

    fn every_year(&mut self, node: &Node, draft: &mut CalendarDraft) {
        let key = "every_year";
        // A year that has every day.
        let of = |decoder: &mut Self, node: &Node| decoder.days(key, node, Some(2000));
        match node.value() {
            Value::Map(entries) => {
                for Entry { key: name, node, .. } in entries {
                    let days = of(self, node);
                    days.into_iter().for_each(|day| draft.rest_every_year_on(day.into(), name));
                }
            }
            _ => {
                let days = of(self, node);
                days.into_iter().for_each(|day| draft.rest_every_year_on(day.into(), ""));
            }
        }
    }

    /// `covers: 2026`, or a mapping with its first and last day.
    fn covers(&mut self, node: &Node) -> Option<Coverage> {
        if let Value::Scalar(_) = node.value() {
            let year = self.parsed("covers", node, texts::covers_form(), |text| {
                text.trim().parse::<i16>().ok().filter(|year| (1900..=9999).contains(year))
            })?;
            return Coverage::of_year(year);
        }
        let (mut from, mut until, mut settled_until) = (None, None, None);
        for entry in self.map("covers", node)? {
            let value = &entry.node;
            match &*entry.key {
                "from" => from = self.date("from", value),
                "until" => until = self.date("until", value),
                "settled_until" => settled_until = self.date("settled_until", value),
                _ => self.unknown_key(entry, Text::same("covers"), COVERS_KEYS),
            }
        }
        match (from, until) {
            (Some(from), Some(until)) if from <= until => Some(Coverage { from, until, settled_until }),
            _ => {
                self.error(node.at, texts::covers_needs_both());
                None
            }
        }
    }

    pub(crate) fn date(&mut self, key: &str, node: &Node) -> Option<Date> {
        self.parsed(key, node, texts::a_day(), |text| day(text, None))
    }

    fn weekend(&mut self, node: &Node) -> Option<Weekend> {
        let words = self.texts("weekend", node)?;
        let mut days: Vec<Weekday> = Vec::new();
        for (at, word) in words {
            let found = WEEKDAYS.iter().find(|(known, _)| *known == word).map(|(_, day)| *day);
            if found.is_none() {
                let known = WEEKDAYS.map(|(word, _)| word);
                self.error(at, texts::weekend_of(known.join(", "))).near(&word, known);
            }
            days.extend(found);
        }
        days.sort_by_key(|day| day.to_monday_zero_offset());
        days.dedup();
        if days.len() == WEEKDAYS.len() {
            self.error(node.at, texts::weekend_of_seven());
        }
        Some(Weekend(days))
    }

    fn pattern(&mut self, key: &str, node: &Node) -> Option<String> {
        let text = self.text(key, node)?.into_owned();
        match regex_lite::Regex::new(&text) {
            Ok(_) => Some(text),
            Err(error) => {
                self.error(node.at, texts::no_regular_expression(key, error));
                None
            }
        }
    }
}

/// Names of lists are names of files too.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// A whole date, or a day of a year.
fn day(text: &str, year: Option<i16>) -> Option<Date> {
    match year {
        // Ten characters and nothing else: jiff reads times too.
        None => (text.len() == 10).then(|| text.parse().ok())?,
        Some(year) => text.parse::<MonthDay>().ok()?.in_year(year),
    }
}

/// `a..b`, or one day.
pub(crate) fn span(text: &str, day: impl Fn(&str) -> Option<Date>) -> Option<(Date, Date)> {
    let text = text.trim();
    let (from, until) = text.split_once("..").unwrap_or((text, text));
    let (from, until) = (day(from.trim())?, day(until.trim())?);
    let length = (until - from).get_days();
    (0..=LONGEST_SPAN).contains(&length).then_some((from, until))
}
