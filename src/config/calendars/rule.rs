//! What a job says about days: `workdays`, `only`, `except`, `also`, `shift`, `nth`, `on_missing_calendar`.

use super::draft::{DaysDraft, SetDraft};
use super::read::span;
use super::resolve::CalendarSet;
use crate::config::decoder::Decoder;
use crate::config::diagnostics::{Diagnostics, Place};
use crate::config::keys::{MISSING_LISTS, SHIFTS};
use crate::config::yaml::{Node, Value};
use crate::domain::DayRule;
use crate::domain::calendar::{CalendarPart, DaySet, MissingList};
use crate::texts::{self, Text};

const SOME_DAYS: fn() -> Text = texts::some_days;

/// What kind of schedule the rule stands beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Beside {
    Cron,
    Every,
    At,
    OnDemand,
}

impl Decoder<'_> {
    /// One of the keys about days.
    pub(crate) fn day_key(&mut self, key: &str, node: &Node, days: &mut DaysDraft) {
        let place = self.place(node.at);
        match key {
            "workdays" => days.workdays = self.name(key, node).map(|name| (name, place)),
            "only" => days.only = self.day_sets(key, node),
            "except" => days.except = self.day_sets(key, node),
            "also" => days.also = self.day_sets(key, node),
            "shift" => days.shift = self.choice(key, node, &SHIFTS).map(|shift| (shift, place)),
            "nth" => {
                let expected = texts::nth_form();
                let nth = self.parsed(key, node, expected, |text| {
                    text.trim().parse::<i8>().ok().filter(|nth| *nth != 0 && (-23..=23).contains(nth))
                });
                days.nth = nth.map(|nth| (nth, place));
            }
            _ => days.on_missing = self.choice(key, node, &MISSING_LISTS),
        }
    }

    fn day_sets(&mut self, key: &str, node: &Node) -> Vec<SetDraft> {
        let nodes = match node.value() {
            Value::List(nodes) => nodes.iter().collect(),
            _ => vec![node],
        };
        let mut sets = Vec::new();
        for node in nodes {
            let place = self.place(node.at);
            sets.extend(self.parsed(key, node, SOME_DAYS(), |text| set(text.trim(), place)));
        }
        sets
    }
}

fn set(text: &str, place: Place) -> Option<SetDraft> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let (from, until) = span(text, |day| (day.len() == 10).then(|| day.parse().ok())?)?;
        return Some(SetDraft::Days(from, until));
    }
    let (name, part) = text.rsplit_once('.')?;
    let (_, part) = CalendarPart::WORDS.into_iter().find(|(word, _)| *word == part)?;
    Some(SetDraft::Part(name.to_owned(), part, place))
}

impl DaysDraft {
    /// The rule with the lists that it names, or none where the job says nothing about days. What is wrong is told.
    pub(crate) fn finish(
        self,
        beside: Beside,
        at: Place,
        on_missing: MissingList,
        calendars: &mut CalendarSet,
        diagnostics: &mut Diagnostics,
    ) -> Option<Box<DayRule>> {
        let says_nothing =
            self.workdays.is_none() && [&self.only, &self.except, &self.also].iter().all(|sets| sets.is_empty());
        for (name, place) in [("nth", self.nth.map(|(_, at)| at)), ("shift", self.shift.map(|(_, at)| at))] {
            let Some(place) = place else { continue };
            if says_nothing || (name == "nth" && self.workdays.is_none()) {
                let message = texts::needs_workdays(name);
                diagnostics.error(place, message).hint(texts::such_as_workdays());
            }
        }
        if says_nothing {
            return None;
        }
        let only_filters = self.workdays.is_none() && self.also.is_empty() && self.shift.is_none();
        match beside {
            Beside::At => {
                diagnostics.error(at, texts::no_days_with_at());
                return None;
            }
            Beside::OnDemand => {
                diagnostics.error(at, texts::no_days_on_demand());
                return None;
            }
            Beside::Every if !only_filters => {
                diagnostics.error(at, texts::no_days_with_every());
                return None;
            }
            _ => {}
        }
        let mut find = |name: &str, place: Place| calendars.get(name, place, diagnostics);
        let mut sets = |sets: Vec<SetDraft>| -> Option<Vec<DaySet>> {
            let set = |set| {
                Some(match set {
                    SetDraft::Days(from, until) => DaySet::Days(from, until),
                    SetDraft::Part(name, part, place) => DaySet::Part(find(&name, place)?, part),
                })
            };
            sets.into_iter().map(set).collect()
        };
        let (only, except, also) = (sets(self.only)?, sets(self.except)?, sets(self.also)?);
        let workdays = match self.workdays {
            Some((name, place)) => Some(find(&name, place)?),
            None => None,
        };
        Some(Box::new(DayRule {
            workdays,
            only,
            except,
            also,
            shift: self.shift.map(|(shift, _)| shift).unwrap_or_default(),
            nth: self.nth.map(|(nth, _)| nth),
            on_missing: self.on_missing.unwrap_or(on_missing),
        }))
    }
}
