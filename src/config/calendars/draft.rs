//! What files say of calendars and days, before the lists are looked up: plain data.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;

use crate::config::diagnostics::{Diagnostics, Place};
use crate::config::text::quoted;
use crate::domain::calendar::{CalendarPart, Coverage, MissingList, MonthDay, Shift, Weekend};
use crate::texts::{self, Text};

/// A calendar as one file or block says it, before what it is based on is looked up.
#[derive(Clone, Debug)]
pub(in crate::config) struct CalendarDraft {
    pub name: String,
    pub place: Place,
    /// Nothing was wrong with what it says. Else that was told, and nobody is given the list.
    pub is_sound: bool,
    pub version: Option<String>,
    pub based_on: Option<(String, Place)>,
    pub covers: Option<Coverage>,
    pub weekend: Option<Weekend>,
    pub rest: BTreeMap<Date, String>,
    pub work: BTreeSet<Date>,
    pub every_year: BTreeMap<MonthDay, String>,
    /// How many workdays a year has, where the list says so.
    pub workdays: Vec<(i16, usize, Place)>,
    pub ics: Option<IcsDraft>,
    pub url: Option<UrlDraft>,
    /// Days off that stand there under more than one name, in words.
    pub with_two_names: Vec<String>,
}

/// A calendar that lies at an address.
#[derive(Clone, Debug)]
pub(in crate::config) struct UrlDraft {
    pub url: String,
    pub place: Place,
    /// As [`IcsDraft::work_if`], where an iCalendar file lies there.
    pub work_if: Option<String>,
    /// What the configuration itself says of it.
    pub covers: Option<Coverage>,
    pub every: Duration,
    pub old_after: Duration,
}

/// A calendar in iCalendar form.
#[derive(Clone, Debug)]
pub(in crate::config) struct IcsDraft {
    pub path: PathBuf,
    pub place: Place,
    /// Events whose summary this finds are worked, the others are days off.
    pub work_if: Option<String>,
}

/// A calendar that the daemon fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedSource {
    pub name: String,
    pub url: String,
    pub every: Duration,
    /// So long after the last good fetch its age is told.
    pub old_after: Duration,
}

/// Takes one more; a second one of its name is told.
pub(in crate::config) fn add_calendar(
    calendars: &mut HashMap<String, CalendarDraft>,
    draft: CalendarDraft,
    diagnostics: &mut Diagnostics,
) {
    let (name, place) = (draft.name.clone(), draft.place);
    let Some(before) = calendars.get_mut(&name) else {
        calendars.insert(name, draft);
        return;
    };
    // Nobody can tell which one is meant.
    before.is_sound = false;
    let message = texts::twin_calendars(quoted(&name));
    diagnostics.error(place, message).other(texts::first_at(), before.place);
}

impl CalendarDraft {
    pub(crate) fn new(name: &str, place: Place) -> CalendarDraft {
        CalendarDraft {
            name: name.to_owned(),
            place,
            is_sound: true,
            version: None,
            based_on: None,
            covers: None,
            weekend: None,
            rest: BTreeMap::new(),
            work: BTreeSet::new(),
            every_year: BTreeMap::new(),
            workdays: Vec::new(),
            ics: None,
            url: None,
            with_two_names: Vec::new(),
        }
    }

    /// Takes a day off. One that has another name already gets both, which is told.
    pub(crate) fn rest_on(&mut self, day: Date, name: &str) {
        if let Some(both) = name_day(&mut self.rest, day, name) {
            self.with_two_names.push(both);
        }
    }

    /// As [`CalendarDraft::rest_on`], for a day of every year.
    pub(crate) fn rest_every_year_on(&mut self, day: MonthDay, name: &str) {
        if let Some(both) = name_day(&mut self.every_year, day, name) {
            self.with_two_names.push(both);
        }
    }

    /// Whether it names a day that it covers.
    pub(crate) fn names_any_day(&self) -> bool {
        let is_covered = |day: &Date| self.covers.is_none_or(|covers| covers.has(*day));
        self.rest.keys().chain(&self.work).any(is_covered)
    }
}

/// Gives a day a name. Where it has another one already, that a list was put together wrongly is as likely as that two
/// holidays meet: it gets both, and the return says so.
pub(super) fn name_day<D: Ord + fmt::Display>(days: &mut BTreeMap<D, String>, day: D, name: &str) -> Option<String> {
    let shown = day.to_string();
    let known = days.entry(day).or_default();
    if name.is_empty() || known.split(BETWEEN_NAMES).any(|known| known == name) {
        return None;
    }
    if known.is_empty() {
        name.clone_into(known);
        return None;
    }
    known.push_str(BETWEEN_NAMES);
    known.push_str(name);
    Some(format!("{shown} ({known})"))
}

const BETWEEN_NAMES: &str = " / ";

/// What is told of days with two names.
pub(in crate::config) fn of_two_names(days: &[String]) -> Option<Text> {
    days.first().map(|first| texts::days_with_two_names(days.len(), first))
}

/// The keys that were found, before the lists are looked up.
#[derive(Debug, Default)]
pub(in crate::config) struct DaysDraft {
    pub workdays: Option<(String, Place)>,
    pub only: Vec<SetDraft>,
    pub except: Vec<SetDraft>,
    pub also: Vec<SetDraft>,
    pub shift: Option<(Shift, Place)>,
    pub nth: Option<(i8, Place)>,
    pub on_missing: Option<MissingList>,
}

#[derive(Debug)]
pub(in crate::config) enum SetDraft {
    Days(Date, Date),
    Part(String, CalendarPart, Place),
}

/// A list of days that somebody is about to write.
pub(in crate::config) struct ListToCome {
    pub path: PathBuf,
    pub name: String,
    pub text: String,
}
