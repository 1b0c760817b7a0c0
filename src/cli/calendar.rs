//! `calendar`: the lists of days that jobs can name, shown and brought up to date.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::render;
use super::say::say;
use crate::answers::calendar::{Holiday, Year};
use crate::config::ForeignList;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron calendar show cn 2026
  pushcron calendar import 2027.json --name cn      a year of holiday-cn, beside the years that are there
  pushcron calendar import feed.ics --name sse --year 2027 --work-if '上班|补班'")]
pub(super) struct CalendarVerb {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Show the days off and the made-up workdays of a year
    Show {
        /// The calendar's name; `cn` is there without any file
        name: String,
        /// The present one when absent
        year: Option<i16>,
        /// A JSON object: days off with their names, made-up workdays, and how many workdays there are
        #[arg(long)]
        json: bool,
    },
    /// Write a list into calendars/NAME.yaml beside the configuration; a daemon takes it at the next reload
    Import {
        /// Our own YAML, iCalendar (.ics), or the JSON of holiday-cn
        file: PathBuf,
        /// The calendar's name; the file's when absent
        #[arg(long)]
        name: Option<String>,
        /// The year that an iCalendar file covers
        #[arg(long)]
        year: Option<i16>,
        /// Of an iCalendar file: events whose summary this regular expression finds are worked
        #[arg(long, value_name = "REGEX")]
        work_if: Option<String>,
        /// Days that are past may change
        #[arg(long)]
        past: bool,
    },
}

impl CalendarVerb {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.act {
            Act::Show { name, year, json } => show(context, name, *year, *json),
            Act::Import { file, name, year, work_if, past } => {
                let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                let name = name.as_deref().unwrap_or(&stem);
                let list = ForeignList { path: file, name, year: *year, work_if: work_if.as_deref() };
                let done = context.files()?.import(&list, *past, &context.actor())?;
                say(in_words(&done).in_language(context.language()));
                Ok(Exit::Done)
            }
        }
    }
}

fn show(context: &Context, name: &str, year: Option<i16>, json: bool) -> Result<Exit, Failure> {
    let calendar = context.calendar(name)?;
    let year = year.unwrap_or_else(|| context.now().to_jiff().to_zoned(TimeZone::system()).year());
    let told = Year::of(&calendar, year);
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", render::pretty(&json!(told)))?;
        return Ok(Exit::Done);
    }
    for line in lines(&told) {
        writeln!(out, "{line}")?;
    }
    Ok(Exit::Done)
}

/// A year for people.
fn lines(told: &Year) -> Vec<String> {
    let version = if told.version.is_empty() { String::new() } else { format!(" ({})", told.version) };
    let mut lines = vec![format!("{} {}{version}: {} workdays", told.calendar, told.year, told.workdays)];
    let day = |day: Date| day.strftime("%m-%d %a").to_string();
    for Holiday { name, from, until } in &told.holidays {
        let days = if from == until { day(*from) } else { format!("{} to {}", day(*from), day(*until)) };
        lines.push(format!("  off     {days}  {name}").trim_end().to_owned());
    }
    lines.extend(told.makeup.iter().map(|at| format!("  worked  {}", day(*at))));
    if !told.covered {
        lines.push("  no list covers the whole year: days without one count as their weekday says".to_owned());
    }
    if let Some(until) = told.settled_until {
        lines.push(format!("  what comes after {} may be changed by the list of {}", day(until), told.year + 1));
    }
    lines
}
