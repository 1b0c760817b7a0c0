//! When a job is due: a schedule in its zone, through summer time and back.
//!
//! Two rules, after Vixie cron, decide what a change of the clock does:
//!
//! - A *fixed-time* job (second, minute and hour are single numbers) is called for at the first instant at which its
//!   clock shows that time or a later one. So it runs once, at the end of the gap, on the day whose hour does not
//!   exist (or not at all with [`DstGap::Skip`]), and once, at the first of the two, on the day that has it twice.
//! - All others (`*`, a step, a list or a range in second, minute or hour) are called for at every instant whose
//!   wall-clock time matches. So they follow elapsed time through both.
//!
//! croner's own walk agrees with this wherever one hour is skipped or repeated within a day. It is not used, because
//! it loses a fixed-time job whose gap ends on a day that the day fields do not name (23:30 on Saturdays in
//! America/Nuuk, where the gap ends at Sunday's midnight), and fails on gaps over two hours (Pacific/Apia, 2011).

mod days;
mod doubts;
mod dst_note;
mod error;
mod field;
mod month;
mod occurrence;
mod pattern;
mod wall;
mod zones;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use self::days::{Days, Lists};
use self::pattern::{Parts, Pattern, Which};
use self::wall::{FURTHEST, Place, Wall, civil, seconds_of};
use self::zones::find_zone;
use crate::domain::job::{DstGap, Life, Timing};
use crate::domain::{DayRule, Schedule, UtcMs};

pub use self::days::DayNote;
pub use self::doubts::{Doubt, doubts};
pub use self::dst_note::DstNote;
pub use self::error::ScheduleError;
pub use self::occurrence::{Occurrence, Skip};
pub use self::zones::{zone_doubt, zone_meant};

/// The beginning of 2025. A schedule without any fire after it is refused: earlier ones help nobody.
const REFERENCE: UtcMs = UtcMs(1_735_689_600_000);

/// A schedule that can be asked when it is due. Immutable, some 200 bytes, to be shared among the jobs that have it.
///
/// The zone's rules are those of the moment of compilation: compile anew (a new [`ScheduleCache`]) when the
/// configuration is loaded again.
#[derive(Debug)]
pub struct CompiledSchedule {
    kind: Kind,
    /// Its instants are not earlier.
    from: Option<UtcMs>,
    /// Nor later.
    until: Option<UtcMs>,
}

#[derive(Debug)]
enum Kind {
    Cron {
        pattern: Pattern,
        wall: Wall,
        dst_gap: DstGap,
    },
    /// Milliseconds, counted from the epoch, and the days of a zone on which it fires.
    Every(i64, Option<Box<(Wall, Days)>>),
    At(UtcMs),
    /// For jobs that fire on demand.
    Never,
}

impl CompiledSchedule {
    /// Gives a schedule its meaning in a zone, for jobs that say nothing about days.
    pub fn compile(schedule: &Schedule, timezone: &str, dst_gap: DstGap) -> Result<CompiledSchedule, ScheduleError> {
        let timing = Timing { schedule, timezone, dst_gap, days: None, life: None };
        CompiledSchedule::compile_with(timing, &mut Lists::default(), &mut Parts::default())
    }

    fn compile_with(
        timing: Timing<'_>,
        lists: &mut Lists,
        parts: &mut Parts,
    ) -> Result<CompiledSchedule, ScheduleError> {
        let Timing { schedule, timezone, dst_gap, days, life } = timing;
        let zone = find_zone(timezone)?;
        let rule = days.map(|rule| Days::compile(rule, lists)).transpose()?;
        let kind = match schedule {
            Schedule::Cron(text) => {
                let mut pattern = Pattern::parse(text, parts)?;
                if let Some(calendar) = days.and_then(|rule| rule.workdays.as_ref())
                    && !pattern.leaves_days_open()
                {
                    let (found, calendar) = (pattern::day_fields(text), calendar.name.clone());
                    return Err(ScheduleError::DaysBesideWorkdays { found, calendar });
                }
                pattern.rule = rule.map(Box::new);
                Kind::Cron { pattern, wall: Wall::new(zone), dst_gap }
            }
            Schedule::Every(ms) if *ms < 1000 => return Err(ScheduleError::TooOften { ms: *ms }),
            Schedule::Every(ms) => {
                Kind::Every(i64::try_from(*ms).unwrap_or(i64::MAX), rule.map(|rule| Box::new((Wall::new(zone), rule))))
            }
            Schedule::At(at) => Kind::At(*at),
            Schedule::OnDemand => Kind::Never,
        };
        let mut compiled = CompiledSchedule { kind, from: None, until: None };
        // A single instant may be past: that is a warning, and not ours to give. So may the days of a list.
        let may_end = matches!(schedule, Schedule::At(_) | Schedule::OnDemand) || days.is_some();
        if !may_end && compiled.next_after(REFERENCE).is_none() {
            return Err(ScheduleError::NeverFires { text: schedule.describe() });
        }
        (compiled.from, compiled.until) = bounds(life);
        Ok(compiled)
    }

    /// The first instant after `after` at which the job fires; None when there is no more.
    pub fn next_after(&self, after: UtcMs) -> Option<UtcMs> {
        self.next_before(after, UtcMs::MAX)
    }

    /// As [`Self::next_after`]; nothing is looked for from `until` on, and what lies there may not be found.
    fn next_before(&self, after: UtcMs, until: UtcMs) -> Option<UtcMs> {
        let mut called = self.next_of(after, Which::Wanted, until)?;
        while called.skipped.is_some() {
            called = self.next_of(called.at, Which::Wanted, until)?;
        }
        Some(called.at)
    }

    /// The first instant after `after` that the ledger has a row for: those of [`Self::next_after`], and those that
    /// are skipped for a reason of the schedule's own.
    pub fn next_called_after(&self, after: UtcMs) -> Option<Occurrence> {
        self.next_of(after, Which::Called, UtcMs::MAX)
    }

    /// Within the life of the job, and up to `until` at least.
    fn next_of(&self, after: UtcMs, which: Which, until: UtcMs) -> Option<Occurrence> {
        let after = self.from.map_or(after, |from| after.max(UtcMs(from.0 - 1)));
        let until = self.until.map_or(until, |last| UtcMs(last.0.saturating_add(1000)).min(until));
        self.next_at_all(after, which, until).filter(|called| self.until.is_none_or(|until| called.at <= until))
    }

    fn next_at_all(&self, after: UtcMs, which: Which, until: UtcMs) -> Option<Occurrence> {
        let until = until.0.div_euclid(1000);
        let (at, skipped) = match &self.kind {
            Kind::Every(period, days) => next_of_period(*period, days.as_deref(), after, which, until)?,
            Kind::At(at) => (Some(at.0).filter(|at| *at > after.0)?, None),
            Kind::Never => return None,
            Kind::Cron { pattern, wall, dst_gap } => {
                // Instants are whole seconds.
                let after = after.0.div_euclid(1000);
                let (at, shown, in_gap) = if pattern.fixed {
                    next_fixed(pattern, wall, after, which, until)?
                } else {
                    let at = next_elapsed(pattern, wall, after + 1, which, until)?;
                    (at, wall.show(at), false)
                };
                let in_gap = (in_gap && *dst_gap == DstGap::Skip).then_some(Skip::DstGap);
                (at * 1000, in_gap.or_else(|| pattern.why_unwanted(civil(shown)?.date())))
            }
        };
        (at <= UtcMs::MAX.0).then_some(Occurrence { at: UtcMs(at), skipped })
    }

    /// What the lists of the job say of the day of an instant that it calls for; nothing of an ordinary day.
    pub fn day_note(&self, at: UtcMs) -> Option<DayNote> {
        let (rule, date, is_unwanted) = self.day_of(at)?;
        rule.note(date, is_unwanted)
    }

    /// Whether the job holds pushes for which it has no list of days.
    pub fn may_hold(&self) -> bool {
        match &self.kind {
            Kind::Cron { pattern, .. } => pattern.rule.as_ref().is_some_and(|rule| rule.holds()),
            Kind::Every(_, days) => days.as_ref().is_some_and(|days| days.1.holds()),
            Kind::At(_) | Kind::Never => false,
        }
    }

    /// Whether the pushes of an instant that fires are to wait for a list of days.
    pub fn holds(&self, at: UtcMs) -> bool {
        self.may_hold() && matches!(self.day_note(at), Some(DayNote::NoList { .. }))
    }

    /// The rule about days, the day of an instant, and whether the rule does not want it.
    fn day_of(&self, at: UtcMs) -> Option<(&Days, Date, bool)> {
        let second = at.0.div_euclid(1000);
        match &self.kind {
            Kind::Cron { pattern, wall, .. } => {
                let rule = pattern.rule.as_ref()?;
                let shown = if pattern.fixed {
                    next_fixed(pattern, wall, second - 1, Which::Called, second)?.1
                } else {
                    wall.show(second)
                };
                let date = civil(shown)?.date();
                Some((rule, date, pattern.is_unwanted(date)))
            }
            Kind::Every(_, Some(days)) => {
                let (wall, rule) = &**days;
                let date = civil(wall.show(second))?.date();
                Some((rule, date, !rule.has(date)))
            }
            _ => None,
        }
    }

    /// Every instant in `from..to` at which the job fires, oldest first.
    pub fn occurrences(&self, from: UtcMs, to: UtcMs) -> impl Iterator<Item = UtcMs> + '_ {
        std::iter::successors(self.next_before(UtcMs(from.0 - 1), to), move |at| self.next_before(*at, to))
            .take_while(move |at| *at < to)
    }

    /// Every instant in `from..to` that the ledger has a row for, oldest first.
    pub fn called(&self, from: UtcMs, to: UtcMs) -> impl Iterator<Item = Occurrence> + '_ {
        let next = move |at: UtcMs| self.next_of(at, Which::Called, to);
        std::iter::successors(next(UtcMs(from.0 - 1)), move |called| next(called.at))
            .take_while(move |called| called.at < to)
    }

    /// How many instants in `from..to` the ledger has rows for. Counted, not walked: a year of seconds takes no longer
    /// than a year of hours.
    pub fn count_called(&self, from: UtcMs, to: UtcMs) -> u64 {
        let from = self.from.map_or(from, |first| from.max(first));
        let to = self.until.map_or(to, |last| to.min(UtcMs(last.0 + 1)));
        let steps_up_to = |at: UtcMs, step: i64| (at.0 - 1).div_euclid(step);
        match &self.kind {
            _ if from >= to => 0,
            Kind::Never => 0,
            Kind::Every(period, _) => (steps_up_to(to, *period) - steps_up_to(from, *period)).unsigned_abs(),
            Kind::Cron { pattern, wall, .. } if !pattern.fixed => {
                count_elapsed(pattern, wall, steps_up_to(from, 1000) + 1, steps_up_to(to, 1000) + 1)
            }
            // At most one a day.
            _ => self.called(from, to).count() as u64,
        }
    }

    /// How many instants in `from..to` fire, those that the clock swallows counted too.
    pub fn count_fires(&self, from: UtcMs, to: UtcMs) -> u64 {
        match self.has_days() {
            true => self.occurrences(from, to).count() as u64,
            false => self.count_called(from, to),
        }
    }

    /// Whether both are the same schedule, but for the versions of the lists of days that it goes by.
    pub fn differs_by_lists_alone(&self, other: &CompiledSchedule) -> bool {
        (self.from, self.until) == (other.from, other.until) && self.has_days() && self.goes_on_as(other)
    }

    /// Whether both are the same schedule, whatever the versions of its lists of days, and from when until when it holds.
    pub fn goes_on_as(&self, other: &CompiledSchedule) -> bool {
        match (&self.kind, &other.kind) {
            (
                Kind::Cron { pattern, wall, dst_gap },
                Kind::Cron { pattern: other_pattern, wall: other_wall, dst_gap: other_gap },
            ) => pattern.is_as(other_pattern) && wall == other_wall && dst_gap == other_gap,
            (Kind::Every(period, days), Kind::Every(other_period, other_days)) => {
                let same_days = match (days, other_days) {
                    (Some(own), Some(other)) => own.0 == other.0 && own.1.is_as(&other.1),
                    (own, other) => own.is_none() && other.is_none(),
                };
                period == other_period && same_days
            }
            (Kind::At(at), Kind::At(other)) => at == other,
            (Kind::Never, Kind::Never) => true,
            _ => false,
        }
    }

    /// Whether the job says something about days.
    fn has_days(&self) -> bool {
        match &self.kind {
            Kind::Cron { pattern, .. } => pattern.rule.is_some(),
            Kind::Every(_, days) => days.is_some(),
            Kind::At(_) | Kind::Never => false,
        }
    }

    /// The last instant before `before` at which the job fires.
    pub fn previous_before(&self, before: UtcMs) -> Option<UtcMs> {
        last_before(before.0, |at| self.next_before(UtcMs(at), before).map(|next| next.0)).map(UtcMs)
    }

    /// The last instant in `from..before` at which the job fires.
    pub fn previous_within(&self, from: UtcMs, before: UtcMs) -> Option<UtcMs> {
        // Whether there is any is soon known, and so is then how far back the last one can be.
        self.occurrences(from, before).next().and_then(|_| self.previous_before(before))
    }

    /// The last instant before `before` that the ledger has a row for.
    pub fn previous_called_before(&self, before: UtcMs) -> Option<UtcMs> {
        last_before(before.0, |at| self.next_called_after(UtcMs(at)).map(|next| next.at.0)).map(UtcMs)
    }

    /// What summer time does to the job at `at`, an instant at which it fires.
    pub fn note_at(&self, at: UtcMs) -> Option<DstNote> {
        let Kind::Cron { pattern, wall, dst_gap } = &self.kind else { return None };
        let instant = at.0.div_euclid(1000);
        let local = wall.show(instant);
        let shown = civil(local)?;
        if let Some(Place::Twice(first)) = wall.place(local) {
            return Some(if instant == first { DstNote::FirstOfTwo(shown) } else { DstNote::SecondOfTwo(shown) });
        }
        let due_then = pattern.matches(local);
        let missing = last_before(local, |from| pattern.first_from(from, Which::Called, local))?;
        if !matches!(wall.place(missing)?, Place::Never(_)) {
            return None;
        }
        let missing = civil(missing)?;
        match (pattern.fixed, due_then, dst_gap) {
            (true, false, _) => Some(DstNote::MovedTo { missing, fires: shown }),
            // Its fire was at the end of the gap, and has its note there.
            (true, true, DstGap::Fire) => None,
            _ => Some(DstNote::Left { missing }),
        }
    }
}

/// The latest instant before `before`, told only what comes next; whether the asked instant itself counts as next makes
/// no difference.
fn last_before(before: i64, next: impl Fn(i64) -> Option<i64>) -> Option<i64> {
    let comes_before = |from: i64| next(from).is_some_and(|next| next < before);
    let mut reach = 1;
    while !comes_before(before - reach) {
        reach *= 2;
        if reach > 1 << 48 {
            return None;
        }
    }
    let (mut early, mut late) = (before - reach, before - reach / 2);
    while early + 1 < late {
        let middle = early + (late - early) / 2;
        if comes_before(middle) {
            early = middle;
        } else {
            late = middle;
        }
    }
    next(early)
}

/// The first call of a fixed-time job after `after`, the wall-clock time that it is for, and whether that does not exist.
fn next_fixed(pattern: &Pattern, wall: &Wall, after: i64, which: Which, until: i64) -> Option<(i64, i64, bool)> {
    // A time that the clock has already shown, or passed over, has had its call.
    let due = pattern.first_from(wall.latest_shown(after) + 1, which, until.saturating_add(FURTHEST))?;
    let place = wall.place(due)?;
    Some((place.first(), due, matches!(place, Place::Never(_))))
}

/// The first whole period after `after`; those of days that the job does not want are skipped.
fn next_of_period(
    period: i64,
    days: Option<&(Wall, Days)>,
    after: UtcMs,
    which: Which,
    until: i64,
) -> Option<(i64, Option<Skip>)> {
    let following = |after: i64| after.div_euclid(period).checked_add(1)?.checked_mul(period);
    let mut at = following(after.0)?;
    let Some((wall, rule)) = days else { return Some((at, None)) };
    let last = civil(until.saturating_add(FURTHEST)).map_or(Date::MAX, |last| last.date());
    loop {
        let date = civil(wall.show(at.div_euclid(1000)))?.date();
        match (rule.has(date), which) {
            (true, _) => return Some((at, None)),
            (false, Which::Called) => return Some((at, Some(rule.reason(date)))),
            (false, Which::Wanted) => {
                let midnight = seconds_of(rule.first_from(date, last)?.to_datetime(jiff::civil::Time::midnight()))?;
                at = following(wall.place(midnight)?.first() * 1000 - 1)?;
            }
        }
    }
}

/// The first instant from `from` on whose wall-clock time matches.
fn next_elapsed(pattern: &Pattern, wall: &Wall, from: i64, which: Which, until: i64) -> Option<i64> {
    let is_limited = until < UtcMs::MAX.0.div_euclid(1000);
    let mut from = from;
    loop {
        let offset = wall.offset(from);
        let found =
            pattern.first_from(from + offset, which, until.saturating_add(FURTHEST)).map(|found| found - offset);
        match (found, wall.change_after(from)) {
            (Some(found), Some(change)) if change <= found => {
                // Nothing is due before the change. After it the clock may show times again that lie before
                // `from`'s, but only if that is close; otherwise nothing can match much before `found`.
                let is_far = change - from > FURTHEST;
                from = if is_far { change.max(found - FURTHEST) } else { change };
            }
            (None, Some(change)) if is_limited && change < until => from = change,
            _ => return found,
        }
    }
}

/// How many instants in `from..to` have a wall-clock time that matches.
fn count_elapsed(pattern: &Pattern, wall: &Wall, from: i64, to: i64) -> u64 {
    let (mut from, mut count) = (from, 0);
    while from < to {
        let until = wall.change_after(from).map_or(to, |change| change.min(to));
        let offset = wall.offset(from);
        count += pattern.count(from + offset, until + offset);
        from = until;
    }
    count
}

/// The instant at which the clock of a zone shows `local`: the first of two, or the end of the gap that swallows it.
///
/// # Errors
/// The zone is unknown.
pub fn instant_of(local: DateTime, timezone: &str) -> Result<UtcMs, ScheduleError> {
    let wall = Wall::new(find_zone(timezone)?);
    // Wall-clock seconds are counted as if the zone were UTC.
    let as_utc = TimeZone::UTC.to_timestamp(local).map(UtcMs::from).unwrap_or(UtcMs::MAX);
    let (second, ms) = (as_utc.0.div_euclid(1000), as_utc.0.rem_euclid(1000));
    Ok(match wall.place(second) {
        Some(Place::Once(at) | Place::Twice(at)) => UtcMs(at * 1000 + ms),
        Some(Place::Never(at)) => UtcMs(at * 1000),
        None => UtcMs::MAX,
    })
}

/// Compiled schedules by their definition, so that equal ones are compiled once and shared.
#[derive(Debug, Default)]
pub struct ScheduleCache {
    compiled: HashMap<Key, Arc<CompiledSchedule>>,
    parts: Parts,
    lists: Lists,
}

impl ScheduleCache {
    /// The shared form of a schedule, compiled if it is the first of its kind.
    ///
    /// # Errors
    /// It means nothing; or a zone or a list of days that it names is not there.
    pub fn get_or_compile(&mut self, timing: Timing<'_>) -> Result<Arc<CompiledSchedule>, ScheduleError> {
        let key = key(timing);
        if let Some(compiled) = self.compiled.get(&key) {
            return Ok(compiled.clone());
        }
        let compiled = Arc::new(CompiledSchedule::compile_with(timing, &mut self.lists, &mut self.parts)?);
        self.compiled.insert(key, compiled.clone());
        Ok(compiled)
    }

    /// Takes over what another one has compiled.
    pub fn keep(&mut self, timing: Timing<'_>, compiled: &Arc<CompiledSchedule>) {
        self.compiled.entry(key(timing)).or_insert_with(|| compiled.clone());
    }
}

/// How often it fires at most is no matter of its instants.
fn bounds(life: Option<&Life>) -> (Option<UtcMs>, Option<UtcMs>) {
    life.map_or((None, None), |life| (life.from, life.until))
}

type Key = (Schedule, String, DstGap, Option<DayRule>, (Option<UtcMs>, Option<UtcMs>));

fn key(timing: Timing<'_>) -> Key {
    let Timing { schedule, timezone, dst_gap, days, life } = timing;
    (schedule.clone(), timezone.to_owned(), dst_gap, days.cloned(), bounds(life))
}

#[cfg(test)]
mod tests;
