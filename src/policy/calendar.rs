//! What speaks against putting one list of days in the place of another.

use jiff::civil::Date;

use crate::domain::Calendar;
use crate::domain::calendar::Coverage;

/// The list with another one's days over its own, in the years that the other covers.
pub fn joined(before: &Calendar, new: &Calendar) -> Calendar {
    let Some(covers) = new.covers else { return new.clone() };
    let mut joined = before.clone();
    joined.version.clone_from(&new.version);
    joined.rest.retain(|day, _| !covers.has(*day));
    joined.work.retain(|day| !covers.has(*day));
    joined.rest.extend(new.rest.iter().map(|(day, name)| (*day, name.clone())));
    joined.work.extend(&new.work);
    joined.every_year.extend(new.every_year.iter().map(|(day, name)| (*day, name.clone())));
    joined.covers = before.covers.map(|old| Coverage {
        from: old.from.min(covers.from),
        until: old.until.max(covers.until),
        settled_until: covers.settled_until.filter(|_| covers.until >= old.until).or(old.settled_until),
    });
    joined
}

/// Why a list should not take the place of another: days that are past would change, or it knows of less. `today` is a day
/// by the clock of those who use it.
pub fn objections(before: &Calendar, new: &Calendar, today: Date, past_may_change: bool) -> Vec<String> {
    let mut objections = Vec::new();
    if let (Some(old), Some(covers)) = (before.covers, new.covers)
        && (covers.from > old.from || covers.until < old.until)
    {
        objections.push(format!(
            "it covers {} to {}, and the present list {} to {}",
            covers.from, covers.until, old.from, old.until
        ));
    }
    if !past_may_change {
        let named = before.rest.keys().chain(&before.work).chain(new.rest.keys()).chain(&new.work);
        let mut changed: Vec<Date> = named
            .copied()
            .filter(|day| *day < today && before.is_covered(*day) && before.is_workday(*day) != new.is_workday(*day))
            .collect();
        changed.sort_unstable();
        changed.dedup();
        if let [first, ..] = changed[..] {
            let more = if changed.len() > 1 { format!(" and {} more", changed.len() - 1) } else { String::new() };
            objections.push(format!("{first}{more} would change, which is past; --past allows it"));
        }
    }
    objections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(from: &str, until: &str, rest: &[&str]) -> Calendar {
        Calendar {
            covers: Some(Coverage { from: day(from), until: day(until), settled_until: None }),
            rest: rest.iter().map(|at| (day(at), String::new())).collect(),
            ..Calendar::default()
        }
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn a_new_year_goes_beside_the_old_ones() {
        let (old, new) =
            (list("2025-01-01", "2026-12-31", &["2026-10-01"]), list("2027-01-01", "2027-12-31", &["2027-02-05"]));
        let joined = joined(&old, &new);
        assert_eq!(joined.rest.len(), 2);
        assert_eq!(
            joined.covers.map(|covers| (covers.from, covers.until)),
            Some((day("2025-01-01"), day("2027-12-31")))
        );
        assert_eq!(objections(&old, &joined, day("2026-11-29"), false), Vec::<String>::new());
    }

    #[test]
    fn less_coverage_and_a_changed_past_are_objected_to() {
        let old = list("2025-01-01", "2026-12-31", &["2026-10-01"]);
        let shorter = list("2026-01-01", "2026-12-31", &["2026-10-01"]);
        assert!(objections(&old, &shorter, day("2026-11-29"), false)[0].contains("covers 2026-01-01"));
        let changed = list("2025-01-01", "2026-12-31", &["2026-10-02", "2026-12-30"]);
        let told = objections(&old, &changed, day("2026-11-29"), false);
        assert!(told[0].starts_with("2026-10-01 and 1 more would change"), "{told:?}");
        assert_eq!(objections(&old, &changed, day("2026-11-29"), true), Vec::<String>::new());
    }
}
