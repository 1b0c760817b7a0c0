//! Lists of days from files of others: our own form, iCalendar, and the JSON of holiday-cn.

use std::collections::HashMap;
use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;

use super::draft::{CalendarDraft, IcsDraft};
use super::read::is_name;
use super::resolve::CalendarSet;
use crate::config::diagnostics::{Place, SourceText};
use crate::config::environment::LoadEnvironment;
use crate::config::loader::Loader;
use crate::config::mask::SecretKeys;
use crate::config::problem::ConfigErrors;
use crate::config::text::shown;
use crate::domain::Calendar;
use crate::domain::calendar::Coverage;

/// A year as `holiday-cn` has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HolidayCn {
    year: i16,
    days: Vec<HolidayCnDay>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HolidayCnDay {
    name: String,
    date: Date,
    is_off_day: bool,
}

/// Reads a list of days from `path`. An iCalendar file says nothing of the years that it covers: `year` does.
///
/// # Errors
/// Every problem of the file.
pub fn read_calendar(
    path: &Path,
    name: &str,
    year: Option<i16>,
    work_if: Option<&str>,
    environment: &LoadEnvironment,
) -> Result<Calendar, ConfigErrors> {
    let mut loader = Loader::new(environment, &[]);
    let place = Place::whole(0);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    if !is_name(name) {
        // It becomes the name of a file beside the configuration, and must lead nowhere else.
        loader
            .diagnostics
            .error(place, "a calendar's name has letters, digits, '_' and '-' only: say another with --name");
    }
    let draft = CalendarDraft { covers: year.and_then(Coverage::of_year), ..CalendarDraft::new(name, place) };
    let draft = match extension.as_str() {
        "ics" => {
            loader.sources.push(SourceText { name: shown(path), text: String::new() });
            let work_if = work_if.map(str::to_owned);
            Some(CalendarDraft { ics: Some(IcsDraft { path: path.to_owned(), place, work_if }), ..draft })
        }
        "json" => loader.read_file(path).and_then(|file| {
            loader.sources.push(SourceText { name: shown(path), text: String::new() });
            let read = holiday_cn(&file.text, draft);
            read.map_err(|problem| {
                loader.diagnostics.error(place, problem);
            })
            .ok()
        }),
        _ => loader.read_file(path).and_then(|file| loader.calendar(path, name, &file.text)),
    };
    // A file of some years goes over the list that is there; so does not what says of itself what it is based on.
    let mut set = CalendarSet::new(
        draft.into_iter().map(|draft| (name.to_owned(), draft)).collect::<HashMap<_, _>>(),
        environment.today(),
    );
    let calendar = set.get(name, place, &mut loader.diagnostics).and_then(|calendar| calendar.list);
    loader.diagnostics.finish(&loader.sources, &SecretKeys::new(&[]))?;
    let unread = ConfigErrors { more: true, ..ConfigErrors::of(Vec::new()) };
    let mut calendar = calendar.map(std::sync::Arc::unwrap_or_clone).ok_or(unread)?;
    if calendar.version.is_empty() {
        // Versions are days, and the newest list holds.
        calendar.version = environment.today().to_string();
    }
    Ok(calendar)
}

/// A year of holiday-cn, put into a draft.
fn holiday_cn(text: &str, draft: CalendarDraft) -> Result<CalendarDraft, String> {
    let list: HolidayCn = serde_json::from_str(text).map_err(|problem| {
        format!("expected the JSON of holiday-cn (year, days with name, date, isOffDay): {problem}")
    })?;
    let mut draft = CalendarDraft { covers: Coverage::of_year(list.year), ..draft };
    for day in list.days {
        match day.is_off_day {
            true => drop(draft.rest.insert(day.date, day.name)),
            false => drop(draft.work.insert(day.date)),
        }
    }
    Ok(draft)
}
