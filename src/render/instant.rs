//! Instants in templates: `due | date('%F')`, `now.hour`, `due | in('Europe/Berlin')`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use jiff::Zoned;
use jiff::tz::{TimeZone, db};
use minijinja::value::{DynObject, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind};

/// How an instant looks that nobody gave a form.
const PLAIN: &str = "%Y-%m-%d %H:%M";

pub(super) fn zone(name: &str) -> Option<TimeZone> {
    db().get(name).ok().filter(|zone| !zone.is_unknown())
}

/// An instant in a zone.
#[derive(Debug)]
pub(super) struct Instant(pub Zoned);

impl Object for Instant {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = &self.0;
        Some(match key.as_str()? {
            "year" => at.year().into(),
            "month" => at.month().into(),
            "day" => at.day().into(),
            "hour" => at.hour().into(),
            "minute" => at.minute().into(),
            "second" => at.second().into(),
            // Monday is 1, as in ISO 8601.
            "weekday" => at.weekday().to_monday_one_offset().into(),
            "week" => at.date().iso_week_date().week().into(),
            "day_of_year" => at.day_of_year().into(),
            "timestamp" => at.timestamp().as_second().into(),
            _ => return None,
        })
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Instant>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime(PLAIN))
    }
}

fn instant<'v>(filter: &str, value: &'v Value) -> Result<&'v Zoned, Error> {
    let found = value.downcast_object_ref::<Instant>().map(|instant| &instant.0);
    found.ok_or_else(|| refused(format!("{filter}: expected an instant: due, planned or now")))
}

fn refused(problem: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}

/// An instant in the form of `strftime`.
pub(super) fn date(value: &Value, form: Option<&str>) -> Result<String, Error> {
    let form = form.unwrap_or("%Y-%m-%d");
    let told = jiff::fmt::strtime::format(form, instant("date", value)?);
    told.map_err(|error| refused(format!("date: '{form}' is no form of a date: {error}")))
}

/// The same instant in another zone.
pub(super) fn in_zone(value: &Value, name: &str) -> Result<Value, Error> {
    let at = instant("in", value)?;
    let zone = zone(name).ok_or_else(|| refused(format!("in: there is no time zone '{name}'")))?;
    Ok(Value::from_object(Instant(at.with_time_zone(zone))))
}
