//! What a job says about days, ready to be asked month by month: as bit sets, like the day fields of a cron text.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;

use super::error::ScheduleError;
use super::month::Month;
use super::occurrence::Skip;
use crate::domain::calendar::{CalendarPart, DaySet, MissingList, Shift};
use crate::domain::{Calendar, CalendarRef, DayRule};
use crate::texts::{self, Text};

/// Further than this no instant is moved to a day that fits: a month has one.
const MONTHS_TO_SHIFT: usize = 2;

/// The lists that rules name, each made ready once.
#[derive(Debug, Default)]
pub(super) struct Lists(HashMap<CalendarRef, Arc<List>>);

impl Lists {
    fn get(&mut self, calendar: &CalendarRef) -> Result<Arc<List>, ScheduleError> {
        if let Some(list) = self.0.get(calendar) {
            return Ok(list.clone());
        }
        let unknown = || ScheduleError::UnknownCalendar { name: calendar.name.clone() };
        let list = Arc::new(List::new(calendar.list.clone().ok_or_else(unknown)?));
        self.0.insert(calendar.clone(), list.clone());
        Ok(list)
    }
}

/// A calendar as sets of days, for each month in which it names any.
#[derive(Debug)]
struct List {
    calendar: Arc<Calendar>,
    /// Weekdays without work, bit 0 for Sunday.
    weekend: u32,
    rest: BTreeMap<(i16, u32), u32>,
    work: BTreeMap<(i16, u32), u32>,
    /// Days off by law, by month.
    every_year: [u32; 13],
}

impl List {
    fn new(calendar: Arc<Calendar>) -> List {
        let mut every_year = [0; 13];
        for day in calendar.every_year.keys() {
            if let Some(days) = every_year.get_mut(usize::from(day.month.unsigned_abs())) {
                *days |= 1 << day.day;
            }
        }
        let weekend = calendar.weekend.0.iter().fold(0, |days, day| days | 1 << day.to_sunday_zero_offset());
        List { weekend, rest: by_month(calendar.rest.keys()), work: by_month(&calendar.work), every_year, calendar }
    }

    fn covered(&self, month: Month) -> u32 {
        self.calendar.covers.map_or(month.days(), |covers| month.between(covers.from, covers.until))
    }

    /// Of a month: its workdays as far as they are known or assumed.
    fn part(&self, part: CalendarPart, month: Month) -> u32 {
        let covered = self.covered(month);
        let of = |days: &BTreeMap<_, u32>| days.get(&month.key()).copied().unwrap_or(0);
        let makeup = of(&self.work);
        let by_law = self.every_year[month.number as usize] & month.days() & !covered;
        let holidays = of(&self.rest) | by_law;
        let workdays = (month.days() & !self.weekend_of(month) & !holidays) | makeup;
        match part {
            CalendarPart::Workdays => workdays,
            CalendarPart::Rest => month.days() & !workdays,
            CalendarPart::Holidays => holidays,
            CalendarPart::Makeup => makeup,
        }
    }

    fn weekend_of(&self, month: Month) -> u32 {
        month.on_weekdays(self.weekend)
    }
}

fn by_month<'a>(days: impl IntoIterator<Item = &'a Date>) -> BTreeMap<(i16, u32), u32> {
    let mut months = BTreeMap::new();
    for day in days {
        *months.entry((day.year(), day.month().unsigned_abs().into())).or_insert(0) |= 1 << day.day();
    }
    months
}

#[derive(Debug)]
enum Set {
    Days(Date, Date),
    Part(Arc<List>, CalendarPart),
}

impl Set {
    fn of(&self, month: Month) -> u32 {
        match self {
            Set::Days(from, until) => month.between(*from, *until),
            Set::Part(list, part) => list.part(*part, month),
        }
    }
}

/// A [`DayRule`] with the lists that it names.
#[derive(Debug)]
pub(super) struct Days {
    workdays: Option<Arc<List>>,
    only: Vec<Set>,
    except: Vec<Set>,
    also: Vec<Set>,
    shift: Shift,
    nth: Option<i8>,
    on_missing: MissingList,
    /// Every list that is asked, each once.
    lists: Vec<Arc<List>>,
    /// What it was made from.
    rule: DayRule,
}

/// Which days of a month are called for, and which of those do not fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Called {
    pub days: u32,
    pub unwanted: u32,
}

/// What the lists have to say of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "day", rename_all = "snake_case")]
pub enum DayNote {
    /// A day off.
    Holiday { list: String, name: String },
    /// No workday, or not in the days that the job wants.
    NotIn { list: String },
    /// Worked although it lies on a weekend.
    Makeup { list: String },
    /// No list covers the day.
    NoList { list: String, year: i16, on_missing: MissingList },
}

impl DayNote {
    /// In words.
    pub(crate) fn text(&self) -> Text {
        let (list, said) = match self {
            DayNote::Holiday { list, name } if name.is_empty() => (list, texts::day_is_off()),
            DayNote::Holiday { list, name } => (list, Text::same(name.clone())),
            DayNote::NotIn { list } => (list, texts::day_not_wanted()),
            DayNote::Makeup { list } => (list, texts::day_made_up()),
            DayNote::NoList { list, year, on_missing } => {
                let then = match on_missing {
                    MissingList::Weekdays => texts::day_weekdays_assumed(),
                    MissingList::Skip => texts::day_skipped(),
                    MissingList::Hold => texts::day_held(),
                };
                (list, texts::day_without_list(year, then))
            }
        };
        texts::day_of_list(list, said)
    }
}

/// As rows keep it.
impl std::fmt::Display for DayNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text().english())
    }
}

impl Days {
    /// # Errors
    /// A list is named that nobody has.
    pub(super) fn compile(rule: &DayRule, lists: &mut Lists) -> Result<Days, ScheduleError> {
        let mut sets = |sets: &[DaySet]| -> Result<Vec<Set>, ScheduleError> {
            let set = |set: &DaySet| {
                Ok(match set {
                    DaySet::Days(from, until) => Set::Days(*from, *until),
                    DaySet::Part(calendar, part) => Set::Part(lists.get(calendar)?, *part),
                })
            };
            sets.iter().map(set).collect()
        };
        let (only, except, also) = (sets(&rule.only)?, sets(&rule.except)?, sets(&rule.also)?);
        Ok(Days {
            workdays: rule.workdays.as_ref().map(|calendar| lists.get(calendar)).transpose()?,
            only,
            except,
            also,
            shift: rule.shift,
            nth: rule.nth,
            on_missing: rule.on_missing,
            lists: rule.calendars().into_iter().map(|calendar| lists.get(calendar)).collect::<Result<_, _>>()?,
            rule: rule.clone(),
        })
    }

    /// Whether both say the same of the same lists, perhaps in other versions.
    pub(super) fn is_as(&self, other: &Days) -> bool {
        let unversioned = |days: &Days| {
            let mut rule = days.rule.clone();
            for calendar in rule.calendars_mut() {
                (calendar.version, calendar.digest) = (String::new(), String::new());
            }
            rule
        };
        unversioned(self) == unversioned(other)
    }

    /// The days of a month, where `base` says which ones the cron text's own day fields name.
    pub(super) fn called(&self, month: Month, base: impl Fn(Month) -> u32) -> Called {
        let named = self.named(month, &base);
        let right = self.right(month);
        let also = union(&self.also, month);
        let unwanted = named & !right;
        match self.shift {
            Shift::None => Called { days: named | also, unwanted },
            shift => {
                let stay = self.unmoved(month, shift) & unwanted;
                let moved = self.moved_into(month, shift, &base);
                Called { days: (named & right) | moved | also | stay, unwanted: stay }
            }
        }
    }

    /// Days on which an `every` job fires.
    pub(super) fn has(&self, date: Date) -> bool {
        let month = Month::of(date);
        self.right(month) & 1 << date.day() != 0
    }

    /// The first day from `from` on at which an `every` job fires, within ten years. Months after `until` are not looked at.
    pub(super) fn first_from(&self, from: Date, until: Date) -> Option<Date> {
        let mut month = Month::of(from);
        let last = Month::of(until).key();
        let mut days = self.right(month) & (u32::MAX << from.day());
        for _ in 0..120 {
            if days != 0 {
                return Date::new(month.year, month.number as i8, days.trailing_zeros() as i8).ok();
            }
            month = month.following();
            if month.key() > last {
                return None;
            }
            days = self.right(month);
        }
        None
    }

    /// Days that are called for before anybody asks whether they fit.
    fn named(&self, month: Month, base: &impl Fn(Month) -> u32) -> u32 {
        let Some(list) = &self.workdays else { return base(month) };
        match self.nth {
            Some(nth) => nth_of(list.part(CalendarPart::Workdays, month), nth),
            None => (month.days() & !list.weekend_of(month)) | list.part(CalendarPart::Makeup, month),
        }
    }

    /// Days on which an instant may fire: those that the rule leaves, and those that it adds.
    fn right(&self, month: Month) -> u32 {
        let mut days = month.days();
        if let Some(list) = &self.workdays {
            days &= list.part(CalendarPart::Workdays, month);
        }
        if !self.only.is_empty() {
            days &= union(&self.only, month);
        }
        days &= !union(&self.except, month);
        if self.on_missing == MissingList::Skip {
            days = self.lists.iter().fold(days, |days, list| days & list.covered(month));
        }
        days | union(&self.also, month)
    }

    /// Right days of a month to which unwanted ones move, of this month or of those beside it.
    fn moved_into(&self, month: Month, shift: Shift, base: &impl Fn(Month) -> u32) -> u32 {
        let right = self.right(month);
        // Days are gone through against the direction of the move, from the month from which it can come: each takes
        // what was called for on the unwanted days before it.
        let mut months = vec![month];
        for _ in 0..MONTHS_TO_SHIFT {
            let last = months[months.len() - 1];
            months.push(if shift == Shift::Next { last.preceding() } else { last.following() });
        }
        let (mut pending, mut moved) = (false, 0);
        for at in months.into_iter().rev() {
            let (named, fits) = (self.named(at, base), if at == month { right } else { self.right(at) });
            for day in ordered(at, shift) {
                let bit = 1 << day;
                if fits & bit != 0 {
                    moved |= if pending && at == month { bit } else { 0 };
                    pending = false;
                } else if named & bit != 0 {
                    pending = true;
                }
            }
        }
        moved
    }

    /// Unwanted days for which no right one comes soon enough.
    fn unmoved(&self, month: Month, shift: Shift) -> u32 {
        let mut ahead = month;
        for _ in 0..MONTHS_TO_SHIFT {
            ahead = if shift == Shift::Next { ahead.following() } else { ahead.preceding() };
            if self.right(ahead) != 0 {
                return 0;
            }
        }
        let right = self.right(month);
        ordered(month, shift).rev().take_while(|day| right & 1 << day == 0).fold(0, |days, day| days | 1 << day)
    }

    /// Why an instant of this day does not fire.
    pub(super) fn reason(&self, date: Date) -> Skip {
        match self.note(date, true) {
            Some(DayNote::NoList { .. }) if self.on_missing == MissingList::Skip => Skip::NoList,
            Some(DayNote::Holiday { .. }) => Skip::Holiday,
            _ => Skip::NotInCalendar,
        }
    }

    /// Whether pushes wait where no list covers the day.
    pub(super) fn holds(&self) -> bool {
        self.on_missing == MissingList::Hold
    }

    /// A list that has nothing to say of a day for which it is asked: of those of `also` none is.
    fn uncovered(&self, date: Date) -> Option<&Arc<List>> {
        if union(&self.also, Month::of(date)) & 1 << date.day() != 0 {
            return None;
        }
        let is_named = |list: &List| list.calendar.rest.contains_key(&date) || list.calendar.work.contains(&date);
        self.lists.iter().find(|list| !list.calendar.is_covered(date) && !is_named(list))
    }

    /// What the lists say of a day, for people; nothing about an ordinary one.
    pub(super) fn note(&self, date: Date, unwanted: bool) -> Option<DayNote> {
        let label = |list: &Arc<List>| match &*list.calendar.version {
            "" => list.calendar.name.clone(),
            version => format!("{} {version}", list.calendar.name),
        };
        if let Some(list) = self.uncovered(date)
            && (!unwanted || self.on_missing == MissingList::Skip)
        {
            let (list, on_missing) = (label(list), self.on_missing);
            return Some(DayNote::NoList { list, year: date.year(), on_missing });
        }
        if unwanted {
            let holiday = |list: &Arc<List>| {
                let name = list.calendar.holiday(date).filter(|_| !list.calendar.is_workday(date))?;
                Some(DayNote::Holiday { list: label(list), name: name.to_owned() })
            };
            return self
                .lists
                .iter()
                .find_map(holiday)
                .or_else(|| self.lists.first().map(|list| DayNote::NotIn { list: label(list) }));
        }
        let makeup = self.lists.iter().find(|list| list.calendar.work.contains(&date));
        makeup.map(|list| DayNote::Makeup { list: label(list) })
    }
}

fn union(sets: &[Set], month: Month) -> u32 {
    sets.iter().fold(0, |days, set| days | set.of(month))
}

/// The days of a month in the order in which a move goes through them.
fn ordered(month: Month, shift: Shift) -> Box<dyn DoubleEndedIterator<Item = u32>> {
    match shift {
        Shift::Next | Shift::None => Box::new(1..=month.length),
        Shift::Previous => Box::new((1..=month.length).rev()),
    }
}

fn nth_of(days: u32, nth: i8) -> u32 {
    let each = (1..=31u32).filter(|day| days & 1 << day != 0);
    let at = usize::from(nth.unsigned_abs()).saturating_sub(1);
    let found = if nth < 0 { each.rev().nth(at) } else { each.into_iter().nth(at) };
    found.map_or(0, |day| 1 << day)
}
