//! Calendars, and what jobs say about days.

use serde_json::{Value, json};

use super::blocks::{Key, VARIABLE, choice, key, known, list_of, object, reference};
use crate::config::keys::{CALENDAR_KEYS, CALENDAR_YEAR_KEYS, COVERS_KEYS};

const DAY: &str = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
const DAY_OF_THE_YEAR: &str = "[0-9]{2}-[0-9]{2}";

fn text(pattern: &str) -> Value {
    json!({"type": "string", "pattern": format!("{pattern}|{VARIABLE}")})
}

/// One or some, each a day or `a..b`.
fn days(day: &str) -> Value {
    let days = text(&format!(r"^\s*{day}\s*(\.\.\s*{day}\s*)?$"));
    json!({"anyOf": [days, list_of(days.clone())]})
}

/// As [`days`], or by the names of holidays.
fn named_days(day: &str) -> Value {
    json!({"anyOf": [days(day), {"type": "object", "additionalProperties": days(day)}]})
}

pub(super) fn calendar() -> Value {
    let year = object([
        key("rest", named_days(DAY_OF_THE_YEAR), "Days off."),
        key("work", days(DAY_OF_THE_YEAR), "Days of a weekend that are worked."),
        key("workdays", super::whole(0, Some(366)), "How many workdays the year has, as a checksum."),
    ]);
    let date = text(&format!("^{DAY}$"));
    let covers = object([
        key("from", date.clone(), "The first day that the list answers for."),
        key("until", date.clone(), "The last one."),
        key("settled_until", date, "What comes after may still be changed by the list of the next year."),
    ]);
    let year_alone = json!({"anyOf": [{"type": "integer"}, text("^[0-9]{4}$")]});
    let schema = object([
        key("calendar", reference("text"), "Its name again, in a file of its own."),
        key("version", reference("text"), "What this list is called: the day of its making."),
        key("based_on", reference("text"), "The calendar whose days hold where this one says nothing."),
        key(
            "covers",
            json!({"anyOf": [year_alone, known(covers, &COVERS_KEYS)]}),
            "The time of which the list knows, beside that of the one that it is based on. All of it when absent.",
        ),
        key(
            "weekend",
            json!({"anyOf": [weekday(), list_of(weekday())]}),
            "The days of the week on which nobody works, six at most.",
        )
        .or(json!(["sat", "sun"])),
        key("rest", named_days(DAY), "Days off: days and spans, or those by the names of holidays."),
        key("work", days(DAY), "Days of a weekend that are worked."),
        key("every_year", named_days(DAY_OF_THE_YEAR), "Days off by law, for years that the list does not cover."),
        key(
            "years",
            json!({"type": "object", "additionalProperties": known(year, &CALENDAR_YEAR_KEYS)}),
            "Days by year: 10-01 and 10-01..10-07 under 2026.",
        ),
        key(
            "ics",
            reference("text"),
            "An iCalendar file: its all-day events are days off. Goes with 'covers', of which it must name a day.",
        ),
        key(
            "url",
            reference("address"),
            "An address of a list (our YAML, iCalendar, or JSON of holiday-cn) that the daemon fetches by the rules of media; \
             its last good version is kept in the database. The days above go over it.",
        ),
        key("every", reference("duration"), "How often it is fetched. At least 1m.").or("1d"),
        key("old_after", reference("duration"), "So long after the last good fetch its age is told.").or("7d"),
        key("work_if", reference("text"), "A regular expression: events whose summary it finds are worked."),
    ]);
    known(schema, &CALENDAR_KEYS)
}

fn weekday() -> Value {
    choice(&crate::domain::calendar::WEEKDAYS.map(|(word, _)| word))
}

/// Days, and the sets of days that calendars have.
pub(super) fn day_sets() -> Value {
    let set = text(&format!(r"^\s*({DAY}\s*(\.\.\s*{DAY}\s*)?|.+\.(workdays|rest|holidays|makeup)\s*)$"));
    json!({"anyOf": [set, list_of(set.clone())]})
}

/// The keys of a job about days.
pub(super) fn job_keys() -> [Key; 7] {
    [
        key(
            "workdays",
            reference("text"),
            "A calendar whose workdays take the place of the cron text's day fields, which are '*' then, or 1-5.",
        ),
        key("only", reference("day_sets"), "Of what the schedule calls for, only these days fire."),
        key("except", reference("day_sets"), "These days do not fire."),
        key("also", reference("day_sets"), "These days fire too, whatever else is said."),
        key(
            "shift",
            choice(&["none", "next", "previous"]),
            "Where an instant goes that falls on a wrong day: nowhere (it is skipped), or to the next or previous right one.",
        )
        .or("none"),
        key("nth", json!({"anyOf": [{"type": "integer", "minimum": -23, "maximum": 23, "not": {"const": 0}}, text("^-?[0-9]+$")]}), "Only this workday of each month: 1 is the first, -1 the last."),
        on_missing(),
    ]
}

pub(super) fn on_missing() -> Key {
    key(
        "on_missing_calendar",
        choice(&["weekdays", "skip", "hold"]),
        "On days that no list covers yet: take Monday to Friday as workdays (but for days off by law), skip, or fire on those and hold the pushes until a list says what the day is, 12h at most.",
    )
    .or("weekdays")
}
