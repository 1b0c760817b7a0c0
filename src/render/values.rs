//! What templates may ask for. Most ask for little, so each value is made when it is asked for.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use minijinja::value::{Object, Value};
use serde_json::{Map, Value as Json};

use super::foreign::{Place, safe, safe_value};
use super::instant::{Instant, zone};
use crate::domain::{Calendar, Facts, FireContent, Rendering, Trigger, UtcMs};

/// What a template may ask for.
pub const NAMES: [&str; 14] = [
    "due", "planned", "now", "late", "job", "run", "trigger", "backfill", "workday", "holiday", "account", "im",
    "target", "env",
];

/// Those that only a job with a list of days can tell.
pub const NAMES_OF_DAYS: [&str; 2] = ["workday", "holiday"];

/// What a template may ask for where a source makes the content of its job; `data` where that is JSON.
pub(super) const NAMES_OF_CONTENTS: [&str; 3] = ["output", "data", "previous"];

/// What the arguments of a program may ask for: nobody has been chosen then.
pub(super) const NAMES_OF_ARGUMENTS: [&str; 8] = ["due", "planned", "now", "late", "job", "trigger", "backfill", "env"];

/// What is known of one push.
#[derive(Debug)]
pub(super) struct Known {
    zone: TimeZone,
    due_at: UtcMs,
    now: UtcMs,
    job: Option<String>,
    run: u64,
    trigger: Trigger,
    backfill: bool,
    calendar: Option<Arc<Calendar>>,
    account: String,
    im: String,
    target: String,
    /// What a source made for the fire, and whether it is trusted.
    content: Option<(bool, Arc<FireContent>)>,
    /// The columns that a list has of the recipient; those of other lists are empty.
    columns: Map<String, Json>,
    trusts_columns: bool,
}

impl Known {
    pub(super) fn new(rendering: &Rendering, facts: &Facts<'_>) -> Result<Arc<Known>, String> {
        let zone =
            zone(&rendering.timezone).ok_or_else(|| format!("there is no time zone '{}'", rendering.timezone))?;
        let Facts { due_at, now, job, run, trigger, backfill, calendar, account, im, target, content, columns } =
            *facts;
        let column = |field: &String| {
            let value = columns.and_then(|columns| columns.get(field)).cloned();
            (field.clone(), value.unwrap_or_else(|| Json::from("")))
        };
        Ok(Arc::new(Known {
            zone,
            due_at,
            now,
            job: job.map(str::to_owned),
            run,
            trigger,
            backfill,
            calendar: calendar.cloned(),
            account: account.to_owned(),
            im: im.to_owned(),
            target: target.id().to_owned(),
            content: rendering.content.as_ref().map(|known| (known.trusted, content.cloned().unwrap_or_default())),
            columns: rendering.fields.iter().map(column).collect(),
            trusts_columns: rendering.trusts_fields,
        }))
    }

    /// Whether some value may call whom it likes.
    pub(super) fn trusts_any(&self) -> bool {
        self.trusts_columns || self.content.as_ref().is_some_and(|(trusted, _)| *trusted)
    }

    /// What was made or read for the fire of the push alone.
    fn made(&self, place: Place, name: &str) -> Option<Value> {
        if let Some(column) = self.columns.get(name) {
            return Some(safe_value(place, self.trusts_columns, column));
        }
        let (trusted, content) = self.content.as_ref()?;
        match name {
            "output" => Some(if *trusted { content.text.as_str().into() } else { safe(place, &content.text).into() }),
            "data" => Some(safe_value(place, *trusted, content.data.as_ref()?)),
            "previous" => {
                let previous = content.previous.as_ref().map(|previous| safe_value(place, *trusted, previous));
                Some(previous.unwrap_or_else(|| Value::from(())))
            }
            _ => None,
        }
    }

    /// The values as they may stand in such a place. `env` is safe there already.
    pub(super) fn in_place(self: &Arc<Known>, place: Place, env: &Value) -> Value {
        Value::from_object(Values { known: self.clone(), place, env: env.clone() })
    }

    fn at(&self, instant: UtcMs) -> Option<Zoned> {
        Some(Timestamp::from_millisecond(instant.0).ok()?.to_zoned(self.zone.clone()))
    }

    /// Nothing on a day that is not off. Whoever wrote the list named the day, or did not.
    fn holiday(&self) -> Option<&str> {
        let (list, day) = self.day()?;
        Some(match list.holiday(day) {
            Some("") => "holiday",
            Some(name) => name,
            None => "",
        })
    }

    /// The list of days, and the day for which it is asked.
    fn day(&self) -> Option<(&Calendar, Date)> {
        Some((self.calendar.as_deref()?, self.at(self.due_at)?.date()))
    }
}

/// The values of a push in one place.
#[derive(Debug)]
struct Values {
    known: Arc<Known>,
    place: Place,
    env: Value,
}

impl Object for Values {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let known = &self.known;
        let instant = |at| known.at(at).map(|at| Value::from_object(Instant(at)));
        Some(match key.as_str()? {
            "due" | "planned" => instant(known.due_at)?,
            "now" => instant(known.now)?,
            "late" => known.now.ms_since(known.due_at).max(0).into(),
            "job" => known.job.as_deref().unwrap_or_default().into(),
            "run" => known.run.into(),
            "trigger" => known.trigger.as_str().into(),
            "backfill" => known.backfill.into(),
            "workday" => known.day().map(|(list, day)| list.is_workday(day))?.into(),
            "holiday" => safe(self.place, known.holiday()?).into(),
            "account" => known.account.as_str().into(),
            "im" => known.im.as_str().into(),
            "target" => known.target.as_str().into(),
            "env" => self.env.clone(),
            name => known.made(self.place, name)?,
        })
    }
}
