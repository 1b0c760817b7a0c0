//! What templates may ask for. Most ask for little, so each value is made when it is asked for.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use minijinja::value::{Object, Value};

use super::foreign::{Place, safe};
use super::instant::{Instant, zone};
use crate::domain::{Calendar, Facts, Rendering, Trigger, UtcMs};

/// What a template may ask for.
pub const NAMES: [&str; 14] = [
    "due", "planned", "now", "late", "job", "run", "trigger", "backfill", "workday", "holiday", "account", "im",
    "target", "env",
];

/// Those that only a job with a list of days can tell.
pub const NAMES_OF_DAYS: [&str; 2] = ["workday", "holiday"];

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
}

impl Known {
    pub fn new(rendering: &Rendering, facts: &Facts<'_>) -> Result<Arc<Known>, String> {
        let zone =
            zone(&rendering.timezone).ok_or_else(|| format!("there is no time zone '{}'", rendering.timezone))?;
        let Facts { due_at, now, job, run, trigger, backfill, calendar, account, im, target } = *facts;
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
        }))
    }

    /// The values as they may stand in such a place. `env` is safe there already.
    pub fn in_place(self: &Arc<Known>, place: Place, env: &Value) -> Value {
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
            _ => return None,
        })
    }
}
