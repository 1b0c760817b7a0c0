//! Pushes that wait for a list of days (`on_missing_calendar: hold`), and what becomes of them once it is there.

use super::schedule::{Occurrence, ScheduleCache};
use crate::domain::calendar::LONGEST_HOLD;
use crate::domain::job::Timing;
use crate::domain::{DayRule, Job, Reason, UtcMs};

/// What holds the pushes of a fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing, or nothing any more: they go out.
    Free,
    /// No list covers the day yet. So long they wait.
    Until(UtcMs),
    /// Nobody brought the list in time.
    Over,
    /// By the list that came the day is none for the job.
    Unwanted(Reason),
}

/// Judges a fire of the schedule by the definition that it fired by, with the lists of the present one. Many are judged with
/// the same `schedules`.
pub fn hold(fired_by: &Job, present: Option<&Job>, due_at: UtcMs, now: UtcMs, schedules: &mut ScheduleCache) -> Hold {
    let Some(rule) = fired_by.days.as_deref() else { return Hold::Free };
    // What cannot be evaluated any more holds nothing.
    let Ok(then) = schedules.get_or_compile(fired_by.timing()) else { return Hold::Free };
    if !then.holds(due_at) {
        return Hold::Free;
    }
    let rule = with_lists_of(rule, present.and_then(|job| job.days.as_deref()));
    let timing = Timing { days: Some(&rule), ..fired_by.timing() };
    let Ok(judged) = schedules.get_or_compile(timing) else { return Hold::Free };
    let until = due_at + LONGEST_HOLD;
    match judged.called(due_at, UtcMs(due_at.0 + 1)).next() {
        None => Hold::Unwanted(Reason::NotInCalendar),
        Some(Occurrence { skipped: Some(skip), .. }) => Hold::Unwanted(skip.into()),
        Some(_) if !judged.holds(due_at) => Hold::Free,
        Some(_) if until <= now => Hold::Over,
        Some(_) => Hold::Until(until),
    }
}

/// The rule with another one's lists of the same names, and what that one says of days without a list.
fn with_lists_of(rule: &DayRule, present: Option<&DayRule>) -> DayRule {
    let mut rule = rule.clone();
    let Some(present) = present else { return rule };
    rule.on_missing = present.on_missing;
    let lists = present.calendars();
    for calendar in rule.calendars_mut() {
        if let Some(list) = lists.iter().find(|list| list.name == calendar.name) {
            *calendar = (*list).clone();
        }
    }
    rule
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::domain::Calendar;
    use crate::domain::calendar::{Coverage, MissingList};

    fn hold(fired_by: &Job, present: Option<&Job>, due_at: UtcMs, now: UtcMs) -> Hold {
        super::hold(fired_by, present, due_at, now, &mut ScheduleCache::default())
    }

    const HOUR: Duration = Duration::from_secs(3600);

    /// A job at nine on the workdays of a list that covers up to this day, with these days off.
    fn job(until: &str, rest: &[&str], on_missing: MissingList) -> Job {
        let day = |text: &str| text.parse().unwrap();
        let list = Arc::new(Calendar {
            name: "own".to_owned(),
            covers: Some(Coverage { from: day("2026-01-01"), until: day(until), settled_until: None }),
            rest: rest.iter().map(|text| (day(text), String::new())).collect(),
            ..Calendar::default()
        });
        let rule = DayRule { workdays: Some(list.reference()), on_missing, ..DayRule::default() };
        let definition = serde_json::json!({ "name": "a", "schedule": { "cron": "0 9 * * *" }, "timezone": "UTC" });
        Job { days: Some(Box::new(rule)), ..serde_json::from_value(definition).unwrap() }
    }

    /// Monday, 4 January 2027.
    fn due() -> UtcMs {
        "2027-01-04T09:00:00.000Z".parse().unwrap()
    }

    #[test]
    fn pushes_wait_for_the_list_and_go_by_what_it_says() {
        use MissingList::{Hold as Held, Skip, Weekdays};
        let fired_by = job("2026-12-31", &[], Held);
        let (end, over) = (due() + 12 * HOUR, due() + 13 * HOUR);
        for (present, now, expected) in [
            (job("2026-12-31", &[], Held), due(), Hold::Until(end)),
            (job("2026-12-31", &[], Held), over, Hold::Over),
            (job("2027-12-31", &[], Held), due(), Hold::Free),
            // A list that comes late is a list all the same.
            (job("2027-12-31", &[], Held), over, Hold::Free),
            (job("2027-12-31", &["2027-01-04"], Held), due(), Hold::Unwanted(Reason::Holiday)),
            (job("2026-12-31", &[], Weekdays), due(), Hold::Free),
            (job("2026-12-31", &[], Skip), due(), Hold::Unwanted(Reason::NoCalendar)),
        ] {
            assert_eq!(hold(&fired_by, Some(&present), due(), now), expected, "{:?}", present.days);
        }
        assert_eq!(hold(&fired_by, None, due(), due()), Hold::Until(end));
    }

    #[test]
    fn nothing_else_is_held() {
        let covered = "2026-10-05T09:00:00.000Z".parse().unwrap();
        assert_eq!(hold(&job("2026-12-31", &[], MissingList::Hold), None, covered, covered), Hold::Free);
        assert_eq!(hold(&job("2026-12-31", &[], MissingList::Weekdays), None, due(), due()), Hold::Free);
        let without = Job { days: None, ..job("2026-12-31", &[], MissingList::Hold) };
        assert_eq!(hold(&without, None, due(), due()), Hold::Free);
    }
}
