//! One list of days put over another of the same name, as files say them.

use super::draft::CalendarDraft;
use crate::domain::calendar::{Gap, put_over};

/// The list with a new one's days over its own, in the time that the new one covers; one that says nothing of what it covers
/// takes its place. What neither says of the other one stays: what a list is based on, its weekend.
///
/// # Errors
/// Nobody covers the time between them.
pub(super) fn joined(before: CalendarDraft, new: CalendarDraft) -> Result<CalendarDraft, Gap> {
    let Some(covers) = new.covers else { return Ok(new) };
    let mut joined = before;
    joined.covers = match joined.covers {
        Some(old) => Some(old.and(covers)?),
        // Without it a list covers what the one below it does, or all time.
        None => joined.based_on.is_some().then_some(covers),
    };
    joined.version = new.version;
    joined.based_on = new.based_on.or(joined.based_on);
    joined.weekend = new.weekend.or(joined.weekend);
    joined.rest.retain(|day, _| !covers.has(*day));
    joined.work.retain(|day| !covers.has(*day));
    // The sum of a year is that of its days as they were.
    let says_of = |year: i16| {
        let mut days = new.rest.keys().chain(&new.work);
        (covers.from.year()..=covers.until.year()).contains(&year) || days.any(|day| day.year() == year)
    };
    joined.workdays.retain(|(year, ..)| !says_of(*year));
    joined.workdays.extend(new.workdays);
    put_over((&mut joined.rest, &mut joined.work), (new.rest, new.work));
    joined.every_year.extend(new.every_year);
    Ok(joined)
}
