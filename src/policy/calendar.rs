//! What speaks against putting one list of days in the place of another.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::domain::Calendar;
use crate::domain::calendar::Coverage;

/// Days before today are looked at so far back at least: a list that covers all time has no beginning.
const DAYS_BACK: i64 = 366;

/// Why a list should not take the place of another: it knows of less, or days that are past would change. `today` is a day
/// by the clock of those who use it.
pub fn objections(before: &Calendar, new: &Calendar, today: Date, past_may_change: bool) -> Vec<String> {
    let mut objections = Vec::new();
    let covers_less = |old: Coverage, covers: Coverage| covers.from > old.from || covers.until < old.until;
    match (before.covers, new.covers) {
        (Some(old), Some(covers)) if covers_less(old, covers) => objections.push(format!(
            "it covers {} to {}, and the present list {} to {}",
            covers.from, covers.until, old.from, old.until
        )),
        (None, Some(covers)) => {
            objections.push(format!("it covers {} to {}, and the present list all time", covers.from, covers.until))
        }
        _ => {}
    }
    let after = days_by_year(new);
    for (year, count) in days_by_year(before) {
        if !after.contains_key(&year) {
            let days = if count == 1 { "one".to_owned() } else { count.to_string() };
            objections.push(format!("it names no day in {year}, and the present list {days}"));
        }
    }
    if !past_may_change {
        let changed = changed_before(today, before, new);
        if let [first, ..] = changed[..] {
            let more = if changed.len() > 1 { format!(" and {} more", changed.len() - 1) } else { String::new() };
            objections.push(format!("{first}{more} would change, which is past; --past allows it"));
        }
    }
    objections
}

/// How many days a list names in each year in which it names any.
fn days_by_year(calendar: &Calendar) -> BTreeMap<i16, usize> {
    let mut years = BTreeMap::new();
    for day in calendar.rest.keys().chain(&calendar.work) {
        *years.entry(day.year()).or_default() += 1;
    }
    years
}

/// Days that the present list answers for and that are judged otherwise by the other one, be it for its weekend or for what it
/// is based on.
fn changed_before(today: Date, before: &Calendar, new: &Calendar) -> Vec<Date> {
    let named = [before, new].into_iter().flat_map(|list| list.rest.keys().chain(&list.work)).min().copied();
    let back = today.saturating_sub(jiff::Span::new().days(DAYS_BACK));
    let from = before.covers.map_or_else(|| named.map_or(back, |named| named.min(back)), |covers| covers.from);
    let Ok(until) = today.yesterday() else { return Vec::new() };
    let days = Coverage { from, until, settled_until: None }.days();
    days.filter(|day| before.is_covered(*day) && before.is_workday(*day) != new.is_workday(*day)).collect()
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

    fn told(before: &Calendar, new: &Calendar, past: bool) -> Vec<String> {
        objections(before, new, day("2026-11-29"), past)
    }

    #[test]
    fn a_year_more_is_not_objected_to() {
        let old = list("2025-01-01", "2026-12-31", &["2026-10-01"]);
        let new = list("2025-01-01", "2027-12-31", &["2026-10-01", "2027-02-05"]);
        assert_eq!(told(&old, &new, false), Vec::<String>::new());
    }

    #[test]
    fn less_coverage_and_a_changed_past_are_objected_to() {
        let old = list("2025-01-01", "2026-12-31", &["2026-10-01"]);
        let shorter = list("2026-01-01", "2026-12-31", &["2026-10-01"]);
        assert!(told(&old, &shorter, false)[0].contains("covers 2026-01-01"));
        let all = Calendar { covers: None, ..old.clone() };
        assert!(told(&all, &old, false)[0].contains("all time"));
        let changed = list("2025-01-01", "2026-12-31", &["2026-10-02", "2026-12-30"]);
        assert!(told(&old, &changed, false)[0].starts_with("2026-10-01 and 1 more would change"));
        assert_eq!(told(&old, &changed, true), Vec::<String>::new());
    }

    #[test]
    fn a_year_whose_days_are_gone_is_objected_to_whatever_may_change() {
        let old = list("2025-01-01", "2027-12-31", &["2026-10-01", "2027-10-01", "2027-10-04"]);
        let emptied = list("2025-01-01", "2027-12-31", &["2026-10-01"]);
        assert_eq!(told(&old, &emptied, true), ["it names no day in 2027, and the present list 2"]);
    }

    #[test]
    fn another_weekend_changes_days_that_no_list_names() {
        let old = list("2026-11-20", "2026-12-31", &[]);
        let weekend = crate::domain::calendar::Weekend(vec![jiff::civil::Weekday::Friday]);
        let new = Calendar { weekend, ..old.clone() };
        // Friday to Sunday, twice, of which today is the last.
        assert!(told(&old, &new, false)[0].starts_with("2026-11-20 and 4 more would change"));
    }
}
