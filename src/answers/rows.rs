//! Rows of views, one by one, and how their instants are shown.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::when;
use crate::domain::UtcMs;
pub(crate) use crate::store::Table;
use crate::texts::{self, Text};

/// One row under its column names. A column that the view has not is like NULL.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    columns: &'a [String],
    values: &'a [Value],
}

/// The rows of a view.
pub(crate) fn rows(table: &Table) -> impl DoubleEndedIterator<Item = Row<'_>> {
    table.rows.iter().map(|values| Row { columns: &table.columns, values })
}

impl<'a> Row<'a> {
    pub(crate) fn get(&self, column: &str) -> &'a Value {
        let index = self.columns.iter().position(|name| name == column);
        index.and_then(|index| self.values.get(index)).unwrap_or(&Value::Null)
    }

    pub(crate) fn text(&self, column: &str) -> Cow<'a, str> {
        plain(self.get(column))
    }

    pub(crate) fn int(&self, column: &str) -> Option<i64> {
        self.get(column).as_i64()
    }

    pub(crate) fn instant(&self, column: &str) -> Option<UtcMs> {
        self.get(column).as_str()?.parse().ok()
    }
}

/// An object, under the names of the columns.
impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().zip(self.values))
    }
}

/// How the instants of a table are shown: each in its job's zone, with no more detail than the table needs.
pub(crate) struct Instants {
    utc: bool,
    /// For rows that belong to no job.
    fallback: String,
    with_seconds: bool,
    /// Rows have several zones, so that each instant tells its own.
    with_offset: bool,
    /// The zone of all rows.
    zone: String,
}

impl Instants {
    /// `all` are the instants to come, each with the zone of its job; in UTC whatever that is, where `utc`.
    pub(crate) fn new<'a>(
        utc: bool,
        fallback: &str,
        all: impl IntoIterator<Item = (Option<UtcMs>, Option<Cow<'a, str>>)>,
    ) -> Instants {
        let mut instants = Instants {
            utc,
            fallback: fallback.to_owned(),
            with_seconds: false,
            with_offset: false,
            zone: String::new(),
        };
        for (at, zone) in all {
            let zone = instants.zone_of(zone.as_deref()).to_owned();
            if instants.zone.is_empty() {
                instants.zone = zone;
            } else if instants.zone != zone {
                instants.with_offset = true;
            }
            instants.with_seconds |= at.is_some_and(|at| at.0 % 60_000 != 0);
        }
        if instants.zone.is_empty() {
            instants.zone = instants.zone_of(None).to_owned();
        }
        instants
    }

    fn zone_of<'a>(&'a self, zone: Option<&'a str>) -> &'a str {
        match zone.filter(|zone| !zone.is_empty()) {
            _ if self.utc => "UTC",
            Some(zone) => zone,
            None => &self.fallback,
        }
    }

    /// Rows still to come (`--follow`) may need seconds.
    pub(crate) fn with_seconds(self) -> Instants {
        Instants { with_seconds: true, ..self }
    }

    /// An instant by the clock of its job; nothing where there is none.
    pub(crate) fn shown(&self, at: Option<UtcMs>, zone: Option<&str>) -> String {
        let Some(at) = at else { return String::new() };
        let zone: TimeZone = when::zone(self.zone_of(zone));
        when::shown(at, &zone, self.with_seconds, self.with_offset)
    }

    /// `times in Asia/Shanghai`, where one zone holds for all.
    pub(crate) fn told(&self) -> Text {
        if self.with_offset { texts::times_each() } else { texts::times_in(&self.zone) }
    }
}

/// A value as text: a string as it is, nothing for null, JSON for the rest.
pub(crate) fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn programs_get_a_row_under_the_names_of_its_columns_in_their_order() {
        let columns = ["id", "job", "state"].map(str::to_owned).to_vec();
        let table = Table { columns, rows: vec![vec![json!(7), Value::Null, json!("sent")]] };
        let all: Vec<_> = rows(&table).collect();
        assert_eq!(serde_json::to_string(&all).unwrap(), r#"[{"id":7,"job":null,"state":"sent"}]"#);
    }
}
