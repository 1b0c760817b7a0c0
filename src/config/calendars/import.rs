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
use crate::config::files;
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
    let text = match files::read(path) {
        Ok(file) => file.text,
        Err(_) => {
            loader.diagnostics.error(place, "cannot be read as UTF-8 text");
            String::new()
        }
    };
    if !is_name(name) {
        // It becomes the name of a file beside the configuration, and must lead nowhere else.
        loader
            .diagnostics
            .error(place, "a calendar's name has letters, digits, '_' and '-' only: say another with --name");
    }
    let mut draft = CalendarDraft { covers: year.and_then(whole_year), ..CalendarDraft::new(name, place) };
    let draft = match extension.as_str() {
        "ics" => {
            loader.sources.push(SourceText { name: shown(path), text: String::new() });
            let work_if = work_if.map(str::to_owned);
            draft.ics = Some(IcsDraft { path: path.to_owned(), place, work_if });
            Some(draft)
        }
        "json" => {
            loader.sources.push(SourceText { name: shown(path), text: String::new() });
            match serde_json::from_str::<HolidayCn>(&text) {
                Ok(list) => {
                    draft.covers = whole_year(list.year);
                    for day in list.days {
                        match day.is_off_day {
                            true => drop(draft.rest.insert(day.date, day.name)),
                            false => drop(draft.work.insert(day.date)),
                        }
                    }
                    Some(draft)
                }
                Err(problem) => {
                    let message =
                        format!("expected the JSON of holiday-cn (year, days with name, date, isOffDay): {problem}");
                    loader.diagnostics.error(place, message);
                    None
                }
            }
        }
        _ => loader.calendar(path, name, &text),
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

fn whole_year(year: i16) -> Option<Coverage> {
    Some(Coverage { from: Date::new(year, 1, 1).ok()?, until: Date::new(year, 12, 31).ok()?, settled_until: None })
}
