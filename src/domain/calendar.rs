//! Which days people work: calendars, and what a job says about days.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hex::hex;

/// A list of days off and of made-up workdays. What it was based on is in it already.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calendar {
    pub name: String,
    /// As its maker calls it, for people; which list it is, the digest says.
    pub version: String,
    /// The days that the list answers for; all of them where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covers: Option<Coverage>,
    pub weekend: Weekend,
    /// Days off and what they are called, which may be nothing. Weekends inside a holiday are in it, others are not.
    pub rest: BTreeMap<Date, String>,
    /// Days on which people work although they lie on a weekend.
    pub work: BTreeSet<Date>,
    /// Days off by law in every year, for the years that the list does not cover.
    pub every_year: BTreeMap<MonthDay, String>,
}

/// The first and the last day that a list answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    pub from: Date,
    pub until: Date,
    /// What comes after may still be changed by the list of the next year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_until: Option<Date>,
}

impl Coverage {
    /// That of a list that nobody has seen yet.
    pub const NOTHING: Coverage = {
        let day = Date::constant(1970, 1, 1);
        Coverage { from: day, until: day, settled_until: None }
    };

    /// A whole year; None for one that no calendar has.
    pub fn of_year(year: i16) -> Option<Coverage> {
        let (from, until) = (Date::new(year, 1, 1).ok()?, Date::new(year, 12, 31).ok()?);
        Some(Coverage { from, until, settled_until: None })
    }

    /// Every day of it.
    pub fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let until = self.until;
        std::iter::successors(Some(self.from), |day| day.tomorrow().ok()).take_while(move |day| *day <= until)
    }

    pub fn has(&self, day: Date) -> bool {
        (self.from..=self.until).contains(&day)
    }

    /// What two lists cover together.
    ///
    /// # Errors
    /// The time between them, where one ends before the other begins: nobody knows anything of it.
    pub fn and(self, other: Coverage) -> Result<Coverage, Gap> {
        let (early, late) = if self.from <= other.from { (self, other) } else { (other, self) };
        if let (Ok(from), Ok(until)) = (early.until.tomorrow(), late.from.yesterday())
            && from <= until
        {
            return Err(Gap { from, until });
        }
        // The one that goes further has settled what the other one left open.
        let last = if other.until >= self.until { other } else { self };
        Ok(Coverage { from: early.from, until: last.until, settled_until: last.settled_until })
    }
}

/// Days between two lists that neither covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{from} to {until} would be in neither of the lists")]
pub struct Gap {
    pub from: Date,
    pub until: Date,
}

/// Puts the days of a list over those of another one: where both name a day, the upper one has its way.
pub fn put_over(
    (rest, work): (&mut BTreeMap<Date, String>, &mut BTreeSet<Date>),
    (upper_rest, upper_work): (BTreeMap<Date, String>, BTreeSet<Date>),
) {
    work.retain(|day| !upper_rest.contains_key(day));
    rest.retain(|day, _| !upper_work.contains(day));
    rest.extend(upper_rest);
    work.extend(upper_work);
}

/// The days of a week on which nobody works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weekend(#[serde(with = "weekday_words")] pub Vec<Weekday>);

impl Default for Weekend {
    fn default() -> Weekend {
        Weekend(vec![Weekday::Saturday, Weekday::Sunday])
    }
}

/// The words for weekdays in files, from Monday.
pub const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

mod weekday_words {
    use jiff::civil::Weekday;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::WEEKDAYS;

    pub(super) fn serialize<S: Serializer>(days: &[Weekday], serializer: S) -> Result<S::Ok, S::Error> {
        let word = |day: &Weekday| WEEKDAYS.iter().find(|(_, known)| known == day).map(|(word, _)| *word);
        days.iter().filter_map(word).collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Weekday>, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        let day = |word: &String| WEEKDAYS.iter().find(|(known, _)| known == word).map(|(_, day)| *day);
        words.iter().map(|word| day(word).ok_or_else(|| D::Error::custom(format!("no weekday: {word}")))).collect()
    }
}

/// A day of every year: `10-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MonthDay {
    pub month: i8,
    pub day: i8,
}

impl MonthDay {
    /// The day in a year; None for 29 February in most of them.
    pub fn in_year(self, year: i16) -> Option<Date> {
        Date::new(year, self.month, self.day).ok()
    }
}

impl From<Date> for MonthDay {
    fn from(day: Date) -> MonthDay {
        MonthDay { month: day.month(), day: day.day() }
    }
}

impl fmt::Display for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl From<MonthDay> for String {
    fn from(day: MonthDay) -> String {
        day.to_string()
    }
}

impl FromStr for MonthDay {
    type Err = String;

    fn from_str(text: &str) -> Result<MonthDay, String> {
        // A year that has every day.
        let day: Result<Date, _> = format!("2000-{text}").parse();
        day.ok().filter(|_| text.len() == 5).map(MonthDay::from).ok_or_else(|| format!("no day of a year: {text}"))
    }
}

impl TryFrom<String> for MonthDay {
    type Error = String;

    fn try_from(text: String) -> Result<MonthDay, String> {
        text.parse()
    }
}

impl Calendar {
    /// How definitions name this list.
    pub fn reference(self: Arc<Calendar>) -> CalendarRef {
        // A struct of maps with text keys always becomes JSON.
        let text = serde_json::to_vec(&*self).unwrap_or_default();
        let digest = hex(&Sha256::digest(&text)[..8]);
        CalendarRef { name: self.name.clone(), version: self.version.clone(), digest, list: Some(self) }
    }

    pub fn is_weekend(&self, day: Date) -> bool {
        self.weekend.0.contains(&day.weekday())
    }

    pub fn is_covered(&self, day: Date) -> bool {
        self.covers.is_none_or(|covers| covers.has(day))
    }

    /// What a day off is called; None for days that the list does not give off.
    pub fn holiday(&self, day: Date) -> Option<&str> {
        // Days that somebody wrote count, also where the list that they were put over has come to its end.
        let by_law = || self.every_year.get(&day.into()).filter(|_| !self.is_covered(day));
        self.rest.get(&day).or_else(by_law).map(String::as_str)
    }

    /// How many workdays a year has.
    pub fn workdays_in(&self, year: i16) -> usize {
        let days = Coverage::of_year(year).into_iter().flat_map(|year| year.days());
        days.filter(|day| self.is_workday(*day)).count()
    }

    /// Whether people work. A day that is not covered is taken as its weekday says, but for those that are off by law.
    pub fn is_workday(&self, day: Date) -> bool {
        self.work.contains(&day) || (!self.is_weekend(day) && self.holiday(day).is_none())
    }
}

/// One version of a calendar, as definitions name it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CalendarRef {
    pub name: String,
    #[serde(default)]
    pub version: String,
    /// Of the whole list: two that say the same of every day have the same one.
    pub digest: String,
    /// The list itself. Definitions only name it; the store, which keeps each version once, fills it in.
    #[serde(skip)]
    pub list: Option<Arc<Calendar>>,
}

impl CalendarRef {
    fn key(&self) -> (&str, &str, &str) {
        (&self.name, &self.version, &self.digest)
    }
}

impl PartialEq for CalendarRef {
    fn eq(&self, other: &CalendarRef) -> bool {
        self.key() == other.key()
    }
}

impl Eq for CalendarRef {}

impl Hash for CalendarRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// What a job says about the days on which it fires.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct DayRule {
    /// Takes the place of the cron text's day fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdays: Option<CalendarRef>,
    /// Of what is called for, only these days fire; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<DaySet>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<DaySet>,
    /// These fire whatever else is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<DaySet>,
    pub shift: Shift,
    /// Only this workday of each month: 1 is the first, -1 the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<i8>,
    pub on_missing: MissingList,
}

impl DayRule {
    /// Every list that the rule asks, each once.
    pub fn calendars(&self) -> Vec<&CalendarRef> {
        let sets = self.only.iter().chain(&self.except).chain(&self.also);
        let named = sets.filter_map(|set| match set {
            DaySet::Part(calendar, _) => Some(calendar),
            DaySet::Days(..) => None,
        });
        let mut found: Vec<&CalendarRef> = Vec::new();
        for calendar in self.workdays.iter().chain(named) {
            if !found.contains(&calendar) {
                found.push(calendar);
            }
        }
        found
    }

    /// As [`Self::calendars`], each time that one is named: to fill in their lists.
    pub fn calendars_mut(&mut self) -> impl Iterator<Item = &mut CalendarRef> {
        let sets = self.only.iter_mut().chain(&mut self.except).chain(&mut self.also);
        let named = sets.filter_map(|set| match set {
            DaySet::Part(calendar, _) => Some(calendar),
            DaySet::Days(..) => None,
        });
        self.workdays.iter_mut().chain(named)
    }
}

/// Some days.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaySet {
    /// From the first to the last, both included.
    Days(Date, Date),
    Part(CalendarRef, CalendarPart),
}

/// The sets of days that each calendar has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarPart {
    Workdays,
    /// All that are no workdays.
    Rest,
    /// Days off that the list names; weekends beside them are not among them.
    Holidays,
    /// Days that are worked although they lie on a weekend.
    Makeup,
}

impl CalendarPart {
    pub const WORDS: [(&str, CalendarPart); 4] = [
        ("workdays", CalendarPart::Workdays),
        ("rest", CalendarPart::Rest),
        ("holidays", CalendarPart::Holidays),
        ("makeup", CalendarPart::Makeup),
    ];
}

/// Where an instant goes that falls on a day which the rule does not want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// Nowhere: it is skipped.
    #[default]
    None,
    Next,
    Previous,
}

/// What is done on days that no list covers yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingList {
    /// Monday to Friday are workdays, but for the days off by law.
    #[default]
    Weekdays,
    Skip,
    /// As weekdays, but the pushes wait for the list, for [`LONGEST_HOLD`] at most.
    Hold,
}

/// So long after their instant pushes wait for a list of days.
pub const LONGEST_HOLD: Duration = Duration::from_secs(12 * 3600);
