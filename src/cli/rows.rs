//! Rows of views: one by one for people, whole for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::Show;
use super::render::{self, Cell, Dump, Tone};
use super::when;
use crate::domain::UtcMs;
use crate::store::Table;

/// One row under its column names. A column that the view has not is like NULL.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    columns: &'a [String],
    values: &'a [Value],
}

/// The rows of a view.
pub fn rows(table: &Table) -> impl DoubleEndedIterator<Item = Row<'_>> {
    table.rows.iter().map(|values| Row { columns: &table.columns, values })
}

impl<'a> Row<'a> {
    pub fn get(&self, column: &str) -> &'a Value {
        let index = self.columns.iter().position(|name| name == column);
        index.and_then(|index| self.values.get(index)).unwrap_or(&Value::Null)
    }

    pub fn text(&self, column: &str) -> Cow<'a, str> {
        render::plain(self.get(column))
    }

    pub fn cell(&self, column: &str) -> Cell {
        Cell::new(self.text(column))
    }

    pub fn int(&self, column: &str) -> Option<i64> {
        self.get(column).as_i64()
    }

    pub fn instant(&self, column: &str) -> Option<UtcMs> {
        self.get(column).as_str()?.parse().ok()
    }
}

/// A state, decision or outcome in its colour.
pub fn state(word: &str) -> Cell {
    let tone = match word {
        "sent" | "fired" | "active" => Tone::Good,
        "failed" | "expired" | "missed" => Tone::Bad,
        "unknown" | "retrying" | "paused" | "skipped" => Tone::Doubtful,
        "cancelled" | "disabled" => Tone::Faint,
        _ => Tone::Plain,
    };
    Cell::new(word).tone(tone)
}

/// Writes a view for programs.
///
/// # Errors
///
/// When `out` takes no more.
pub fn for_programs(out: &mut dyn Write, show: Show, table: &Table) -> io::Result<()> {
    let mut dump = Dump::new(out, show.csv);
    dump.write(table)?;
    dump.finish()
}

/// How the instants of a table are shown: each in its job's zone, with no more detail than the table needs.
pub struct Instants {
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
    /// `all` are the instants to come, each with the zone of its job.
    pub fn new<'a>(
        show: Show,
        fallback: &str,
        all: impl IntoIterator<Item = (Option<UtcMs>, Option<Cow<'a, str>>)>,
    ) -> Instants {
        let mut instants = Instants {
            utc: show.utc,
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
    pub fn with_seconds(self) -> Instants {
        Instants { with_seconds: true, ..self }
    }

    pub fn cell(&self, at: Option<UtcMs>, zone: Option<&str>) -> Cell {
        at.map(|at| Cell::new(self.text(at, zone))).unwrap_or_default()
    }

    pub fn text(&self, at: UtcMs, zone: Option<&str>) -> String {
        let zone: TimeZone = when::zone(self.zone_of(zone));
        when::shown(at, &zone, self.with_seconds, self.with_offset)
    }

    /// `times in Asia/Shanghai`, where one zone holds for all.
    pub fn told(&self) -> String {
        if self.with_offset { "times each in its job's zone".to_owned() } else { format!("times in {}", self.zone) }
    }
}
