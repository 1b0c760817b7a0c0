//! A cron text as bit sets over wall-clock time, without any zone.
//!
//! croner reads the text and knows what `L`, `#` and `W` mean; its own walk is not used. Its parsed form takes over
//! 5 KB for each schedule (a byte for each of 5,000 years), and its walk loses instants at some changes of the clock:
//! `super` says which.

use std::collections::HashMap;

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::Weekday;
use croner::{Cron, CronPattern};
use jiff::civil::{Date, Time};

use super::days::Days;
use super::error::{ScheduleError, nearest};
use super::field::{FIELDS, Field, split};
use super::month::Month;
use super::occurrence::Skip;
use super::wall::{civil, seconds_of};

pub(super) const DAY: i64 = 86_400;

/// Where a list of days has nothing more, nobody looks further: 29 February on a given weekday comes within forty years.
const YEARS_AHEAD: i16 = 60;

/// Which instants are asked for, where a job has a rule about days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All that have a row.
    Called,
    /// Those of them that fire.
    Wanted,
}

/// The instants of wall-clock time that a cron text names. Wall-clock time is counted in seconds as if the zone were
/// UTC.
#[derive(Debug)]
pub(super) struct Pattern {
    seconds: u64,
    minutes: u64,
    hours: u32,
    months: u16,
    /// The days that match, for each of the 28 forms that a month can have: see [`form`]. Bit 1 is the first.
    days: [u32; 28],
    /// Second, minute and hour are single numbers: a job for one hour of the day, which a change of the clock neither
    /// drops nor doubles. All others follow elapsed time.
    pub(super) fixed: bool,
    /// What the job says about days beside the cron text.
    pub(super) rule: Option<Box<Days>>,
}

/// A month's form: how long it is and on which weekday (0 is Sunday) it begins decide which days match.
fn form(length: u32, first_weekday: u32) -> usize {
    ((length - 28) * 7 + first_weekday) as usize
}

const MACROS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

impl Pattern {
    /// Reads five fields, six with seconds first, or a macro.
    pub(super) fn parse(text: &str, parts: &mut Parts) -> Result<Pattern, ScheduleError> {
        refuse_strangers(text)?;
        let fields = split(expand_macro(text)?);
        // A text of five fields begins with the minute.
        let kinds = match fields.len() {
            0 => return Err(ScheduleError::Empty),
            5 => &FIELDS[1..],
            6 => &FIELDS[..],
            found => return Err(ScheduleError::FieldCount { found }),
        };
        for (kind, (column, field)) in kinds.iter().zip(&fields) {
            kind.check(field, *column)?;
        }
        let texts: Vec<&str> = fields.iter().map(|(_, field)| *field).collect();
        let pattern = Pattern::of(&texts, parts).map_err(|_| blame(kinds, &fields))?;
        if pattern.names_no_day() {
            return Err(ScheduleError::NeverFires { text: text.trim().to_owned() });
        }
        Ok(pattern)
    }

    fn of(fields: &[&str], parts: &mut Parts) -> Result<Pattern, CronError> {
        let (seconds, minutes, hours, days) = match fields {
            [minutes, hours, days @ ..] if days.len() == 3 => (&"0", minutes, hours, days),
            [seconds, minutes, hours, days @ ..] => (seconds, minutes, hours, days),
            _ => return Err(CronError::EmptyPattern),
        };
        let (months, days) = parts.days(days)?;
        Ok(Pattern {
            seconds: parts.time(0, seconds)?,
            minutes: parts.time(1, minutes)?,
            hours: parts.time(2, hours)? as u32,
            months,
            days,
            fixed: [seconds, minutes, hours].iter().all(|field| field.bytes().all(|byte| byte.is_ascii_digit())),
            rule: None,
        })
    }

    /// Whether no month ever has a matching day, as for 30 February. Within 400 years every month begins on every
    /// weekday in every length that it can have, so this is exact.
    fn names_no_day(&self) -> bool {
        (1..=12).filter(|month| self.has_month(*month)).all(|month| {
            let lengths = match month {
                2 => 28..=29,
                4 | 6 | 9 | 11 => 30..=30,
                _ => 31..=31,
            };
            lengths.flat_map(|length| (0..7).map(move |weekday| form(length, weekday))).all(|form| self.days[form] == 0)
        })
    }

    fn has_month(&self, month: u32) -> bool {
        self.months & 1 << month != 0
    }

    /// Whether both name the same, perhaps by other versions of the same lists of days.
    pub(super) fn is_as(&self, other: &Pattern) -> bool {
        let fields = |of: &Pattern| (of.seconds, of.minutes, of.hours, of.months, of.days, of.fixed);
        let same_rule = match (&self.rule, &other.rule) {
            (Some(own), Some(other)) => own.is_as(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        fields(self) == fields(other) && same_rule
    }

    /// Whether this second of wall-clock time is named.
    pub(super) fn matches(&self, local: i64) -> bool {
        self.first_from(local, Which::Called, local) == Some(local)
    }

    /// The first named second at or after `local`; None past the year 9999, or where a rule about days leaves nothing for
    /// [`YEARS_AHEAD`]. It may be None, too, where there is none up to `until`: months after that are not looked at, since
    /// a job may have hardly a day to fire.
    pub(super) fn first_from(&self, local: i64, which: Which, until: i64) -> Option<i64> {
        let midnight = local.div_euclid(DAY) * DAY;
        let date = civil(local)?.date();
        let mut month = Month::of(date);
        let last_year = if self.rule.is_some() { month.year.saturating_add(YEARS_AHEAD).min(9999) } else { 9999 };
        let mut days = self.days_of(month, which) & (u32::MAX << date.day());
        if days & 1 << date.day() != 0 {
            if let Some(time) = self.time_from(local - midnight) {
                return Some(midnight + time);
            }
            days &= !(1 << date.day());
        }
        let last = civil(until).map_or((last_year, 12), |until| Month::of(until.date()).key().min((last_year, 12)));
        while days == 0 {
            month = month.following();
            if month.key() > last {
                return None;
            }
            days = self.days_of(month, which);
        }
        let date = Date::new(month.year, month.number as i8, days.trailing_zeros() as i8).ok()?;
        Some(seconds_of(date.to_datetime(Time::midnight()))? + self.time_from(0)?)
    }

    /// How many named seconds lie in `from..to`.
    pub(super) fn count(&self, from: i64, to: i64) -> u64 {
        if from >= to {
            return 0;
        }
        let (first, last) = (from.div_euclid(DAY), to.div_euclid(DAY));
        // Whole days from the first to the last, less the part of the first before `from`, plus that of the last.
        let days = self.count_days(first, last);
        days * self.count_times(DAY) + self.part_of_day(to) - self.part_of_day(from)
    }

    /// Matching days in `from..to`, counted in days since the epoch.
    fn count_days(&self, from: i64, to: i64) -> u64 {
        let mut count = 0;
        let mut day = from;
        while day < to {
            let Some(date) = civil(day * DAY).map(|at| at.date()) else { break };
            let month = Month::of(date);
            let rest_of_month = i64::from(month.length) - i64::from(date.day()) + 1;
            let taken = rest_of_month.min(to - day);
            let span = ((1u64 << taken) - 1) << date.day();
            count += u64::from((u64::from(self.days_of(month, Which::Called)) & span).count_ones());
            day += taken;
        }
        count
    }

    /// Named seconds of `local`'s day before `local`.
    fn part_of_day(&self, local: i64) -> u64 {
        let day = local.div_euclid(DAY);
        self.count_days(day, day + 1) * self.count_times(local.rem_euclid(DAY))
    }

    /// Named seconds of a matching day before second `until` of that day.
    fn count_times(&self, until: i64) -> u64 {
        let below = |set: u64, value: i64| u64::from((set & ((1u64 << value) - 1)).count_ones());
        let (hour, minute, second) = (until / 3600, until / 60 % 60, until % 60);
        let (per_minute, per_hour) = (below(self.seconds, 60), below(self.minutes, 60) * below(self.seconds, 60));
        let mut count = below(self.hours.into(), hour) * per_hour;
        if self.hours & 1 << hour != 0 {
            count += below(self.minutes, minute) * per_minute;
            if self.minutes & 1 << minute != 0 {
                count += below(self.seconds, second);
            }
        }
        count
    }

    /// The days of a month that are called for, or those of them that the job wants.
    fn days_of(&self, month: Month, which: Which) -> u32 {
        let Some(rule) = &self.rule else { return self.own_days(month) };
        let called = rule.called(month, |month| self.own_days(month));
        match which {
            Which::Called => called.days,
            Which::Wanted => called.days & !called.unwanted,
        }
    }

    /// Whether a day that is called for is one that its job does not want.
    pub(super) fn is_unwanted(&self, date: Date) -> bool {
        let called = self.rule.as_ref().map(|rule| rule.called(Month::of(date), |month| self.own_days(month)));
        called.is_some_and(|called| called.unwanted & 1 << date.day() != 0)
    }

    /// Why the instants of a day that is called for do not fire.
    pub(super) fn why_unwanted(&self, date: Date) -> Option<Skip> {
        let rule = self.rule.as_ref()?;
        self.is_unwanted(date).then(|| rule.reason(date))
    }

    /// Whether the text names every day, or Monday to Friday: what a list of workdays can take the place of.
    pub(super) fn leaves_days_open(&self) -> bool {
        let month = Month { year: 2023, number: 1, length: 31, first_weekday: 0 };
        let all = self.months == 0b1_1111_1111_1110;
        let named = self.own_days(month);
        all && (named == month.days() || named == month.on_weekdays(0b011_1110))
    }

    /// What the text's own fields name.
    fn own_days(&self, month: Month) -> u32 {
        if self.has_month(month.number) { self.days[form(month.length, month.first_weekday)] } else { 0 }
    }

    /// The first named second of a day at or after `second` of it.
    fn time_from(&self, second: i64) -> Option<i64> {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        if let Some(found) = lowest(self.hours.into(), hour) {
            if found > hour {
                return Some(found * 3600 + self.time_in_hour(0)?);
            }
            if let Some(time) = self.time_in_hour(minute * 60 + second) {
                return Some(hour * 3600 + time);
            }
        }
        let next = lowest(self.hours.into(), hour + 1)?;
        Some(next * 3600 + self.time_in_hour(0)?)
    }

    fn time_in_hour(&self, second: i64) -> Option<i64> {
        let (minute, second) = (second / 60, second % 60);
        if self.minutes & 1 << minute != 0
            && let Some(found) = lowest(self.seconds, second)
        {
            return Some(minute * 60 + found);
        }
        let next = lowest(self.minutes, minute + 1)?;
        Some(next * 60 + lowest(self.seconds, 0)?)
    }
}

/// The lowest member of `set` that is at least `from`.
fn lowest(set: u64, from: i64) -> Option<i64> {
    let rest = set & (u64::MAX << from);
    (rest != 0).then(|| rest.trailing_zeros().into())
}

/// What the parts of cron texts mean, each read once: jobs differ in their minutes and share their days.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Fields of the second, the minute and the hour.
    times: [HashMap<String, u64>; 3],
    /// The last three fields: months, and the days of each form.
    days: HashMap<String, (u16, [u32; 28])>,
}

impl Parts {
    /// The values that a field names; `place` is 0 for seconds, 1 for minutes, 2 for hours.
    fn time(&mut self, place: usize, field: &str) -> Result<u64, CronError> {
        if let Some(set) = self.times[place].get(field) {
            return Ok(*set);
        }
        let mut fields = ["*"; 6];
        fields[place] = field;
        let parsed = croner(&fields)?.pattern;
        let set = bits([parsed.seconds, parsed.minutes, parsed.hours][place].values());
        self.times[place].insert(field.to_owned(), set);
        Ok(set)
    }

    /// The months and days that day of month, month and weekday name together.
    fn days(&mut self, fields: &[&str]) -> Result<(u16, [u32; 28]), CronError> {
        let key = fields.join(" ");
        if let Some(days) = self.days.get(&key) {
            return Ok(*days);
        }
        let parsed = croner(&[&["0", "0"], fields].concat())?.pattern;
        let days = (bits(parsed.months.values()) as u16, day_table(&parsed));
        self.days.insert(key, days);
        Ok(days)
    }
}

fn bits(values: Vec<u16>) -> u64 {
    values.into_iter().fold(0, |set, value| set | 1 << value)
}

/// Asks croner about every day of every form that a month can have.
fn day_table(parsed: &CronPattern) -> [u32; 28] {
    let mut table = [0; 28];
    // A month of each length; which weekday it begins with is ours to say.
    for (year, month, length) in [(2023, 2, 28), (2024, 2, 29), (2023, 4, 30), (2023, 1, 31)] {
        for first in 0..7 {
            table[form(length, first)] = (1..=length)
                .filter(|day| {
                    let weekday = Weekday::from_days_from_sunday((first + day - 1) % 7);
                    parsed.day_match(year, month, *day, weekday).unwrap_or(false)
                })
                .fold(0, |days, day| days | 1 << day);
        }
    }
    table
}

fn croner(fields: &[&str]) -> Result<Cron, CronError> {
    let [.., day, _, weekday] = fields else { return Err(CronError::EmptyPattern) };
    CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        // Vixie cron joins the two day fields with "or" only if neither begins with `*`: `*/2` in one of them
        // narrows the other.
        .dom_and_dow(day.starts_with('*') || weekday.starts_with('*'))
        .build()
        .parse(&fields.join(" "))
}

/// The error for the first item that croner refuses even with every other field at `*`.
fn blame(kinds: &[Field], fields: &[(usize, &str)]) -> ScheduleError {
    for (at, (column, text)) in fields.iter().enumerate() {
        let mut alone = vec!["*"; fields.len()];
        let mut column = *column;
        for item in text.split(',') {
            alone[at] = item;
            if croner(&alone).is_err() {
                return kinds[at].error(item, column);
            }
            column += item.chars().count() + 1;
        }
    }
    // Each item is fine by itself, and a list is only their union; croner has no other reason to refuse.
    ScheduleError::FieldCount { found: fields.len() }
}

/// What stands in a crontab line or another scheduler's text and is said elsewhere here.
fn refuse_strangers(text: &str) -> Result<(), ScheduleError> {
    let text = text.trim();
    let strip = |prefix: &str| Some(text.get(prefix.len()..).filter(|_| text.starts_with(prefix))?.trim().to_owned());
    if let Some(rest) = strip("CRON_TZ=").or_else(|| strip("TZ=")) {
        let zone = rest.split_whitespace().next().unwrap_or_default().to_owned();
        return Err(ScheduleError::ZoneInside { zone });
    }
    if let Some(period) = strip("@every ") {
        return Err(ScheduleError::EveryInside { period });
    }
    match split(text).iter().any(|(column, field)| *column > 1 && field.starts_with('#')) {
        true => Err(ScheduleError::CommentInside),
        false => Ok(()),
    }
}

/// The day fields as they are written: day of the month, month and day of the week.
pub(super) fn day_fields(text: &str) -> String {
    let fields = split(expand_macro(text).unwrap_or(text));
    let texts: Vec<&str> = fields.iter().map(|(_, field)| *field).collect();
    texts[texts.len().saturating_sub(3)..].join(" ")
}

fn expand_macro(text: &str) -> Result<&str, ScheduleError> {
    let name = text.trim();
    if !name.starts_with('@') {
        return Ok(text);
    }
    if name.eq_ignore_ascii_case("@reboot") {
        return Err(ScheduleError::Reboot);
    }
    let found = MACROS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    found.map(|(_, fields)| *fields).ok_or_else(|| ScheduleError::UnknownMacro {
        found: name.to_owned(),
        near: nearest(name, MACROS.iter().map(|(known, _)| *known)),
    })
}
