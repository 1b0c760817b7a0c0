//! Lists of days from files of others: our own form, iCalendar, and the JSON of holiday-cn.
//!
//! What becomes of one is the text of a file that the next load takes, found by loading everything with that file in its place:
//! nothing else is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use serde::Deserialize;

use super::draft::{CalendarDraft, IcsDraft, ListToCome, of_two_names};
use super::imported::ImportedList;
use super::join::joined;
use super::read::is_name;
use super::resolve::{CalendarSet, candidates, read_ics, torn};
use super::write::calendar_file;
use crate::config::diagnostics::{Place, SourceText};
use crate::config::environment::LoadEnvironment;
use crate::config::loader::Loader;
use crate::config::problem::ConfigErrors;
use crate::config::text::shown;
use crate::config::whole::finish;
use crate::domain::calendar::{Coverage, put_over};
use crate::domain::{Calendar, SenderSpec};
use crate::texts::{self, Text};

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

/// A file with a list, and what it does not say of itself.
#[derive(Clone, Copy, Debug)]
pub struct ForeignList<'a> {
    pub path: &'a Path,
    /// The calendar's name.
    pub name: &'a str,
    /// The year that an iCalendar file covers.
    pub year: Option<i16>,
    /// Of an iCalendar file: events whose summary this regular expression finds are worked.
    pub work_if: Option<&'a str>,
}

/// Why a list is not taken.
#[derive(Debug)]
pub enum ImportError {
    /// Something is wrong with its file, with those that are there, or with both together.
    Refused(ConfigErrors),
    /// In words.
    Objection(String),
}

impl From<ConfigErrors> for ImportError {
    fn from(errors: ConfigErrors) -> ImportError {
        ImportError::Refused(errors)
    }
}

/// Finds out what the files would have to say for a list to hold, which lies at `path` unless there is a file for it already.
///
/// # Errors
/// The list cannot be read, or the files would be refused with it, or it would not be used.
pub fn import_calendar(
    paths: &[PathBuf],
    list: &ForeignList<'_>,
    path: PathBuf,
    specs: &[&'static SenderSpec],
    environment: &LoadEnvironment,
) -> Result<ImportedList, ImportError> {
    let new = read_list(list, environment)?;
    let Lists { mut loader, set: mut present, file } = lists(paths, list.name, None, specs, environment)?;
    let path = file.unwrap_or(path);
    let told = of_two_names(&new.with_two_names);
    let (draft, before) = match present.draft(list.name) {
        None => (new, None),
        Some(mut draft) => {
            let calendar = present.get(list.name, Place::whole(0), &mut loader.diagnostics);
            let calendar = calendar.and_then(|calendar| calendar.list).map(Arc::unwrap_or_clone);
            // What is there and cannot be read is not written over.
            let before = known(calendar, loader)?;
            take_in(&mut draft, &before);
            let gap = |gap| ImportError::Objection(format!("{gap}: import the one of that time first"));
            (joined(draft, new).map_err(gap)?, Some(before))
        }
    };
    let text = calendar_file(&draft);
    let to_come = || Some(ListToCome { path: path.clone(), name: list.name.to_owned(), text: text.clone() });
    // All of it is judged, as `check` does.
    let mut whole = Loader::new(environment, specs);
    whole.list_to_come = to_come();
    whole.paths(paths);
    let beside = whole.files.first().cloned();
    finish(whole, environment, specs)?;

    let Lists { mut loader, mut set, .. } = lists(paths, list.name, to_come(), specs, environment)?;
    let used = set.draft(list.name).map(|draft| draft.version).unwrap_or_default();
    if used != draft.version {
        let (version, used) = (draft.version.unwrap_or_default(), used.unwrap_or_default());
        return Err(ImportError::Objection(format!(
            "it would not be used: {version} is older than the one that pushcron brings along ({used})"
        )));
    }
    let after = set.get(list.name, Place::whole(0), &mut loader.diagnostics).and_then(|calendar| calendar.list);
    let after = known(after.map(Arc::unwrap_or_clone), loader)?;
    Ok(ImportedList { path, beside, text, before, after, told })
}

/// The lists that files have.
struct Lists<'a> {
    loader: Loader<'a>,
    set: CalendarSet,
    /// The file in which the list of that name lies, if it has one of its own.
    file: Option<PathBuf>,
}

/// The list of days of that name, as the files have it.
///
/// # Errors
/// When the files cannot be read, or have no such list.
pub fn calendar(
    paths: &[PathBuf],
    name: &str,
    specs: &[&'static SenderSpec],
    environment: &LoadEnvironment,
) -> Result<Calendar, ConfigErrors> {
    let Lists { mut loader, mut set, .. } = lists(paths, name, None, specs, environment)?;
    let found = set.get(name, Place::whole(0), &mut loader.diagnostics).and_then(|calendar| calendar.list);
    known(found.map(Arc::unwrap_or_clone), loader)
}

/// The lists of these files.
///
/// # Errors
/// There is a file for the list of that name, and it cannot be read.
fn lists<'a>(
    paths: &[PathBuf],
    name: &str,
    to_come: Option<ListToCome>,
    specs: &'a [&'static SenderSpec],
    environment: &'a LoadEnvironment,
) -> Result<Lists<'a>, ConfigErrors> {
    let mut loader = Loader::new(environment, specs);
    let is_to_come = to_come.is_some();
    loader.list_to_come = to_come;
    loader.paths(paths);
    loader.calendar_files();
    let file = candidates(&loader.directories).0.into_iter().find(|(_, of)| of == name).map(|(path, _)| path);
    // One that is there and cannot be read is not taken for the one that is brought along.
    if !is_to_come && file.as_ref().is_some_and(|file| !loader.files.contains(file)) {
        return Err(loader.errors());
    }
    loader.built_in_calendars();
    let set = CalendarSet::new(std::mem::take(&mut loader.calendars), environment.today());
    Ok(Lists { loader, set, file })
}

/// What was found, or all that is wrong where nothing was.
fn known<T>(found: Option<T>, loader: Loader<'_>) -> Result<T, ConfigErrors> {
    found.ok_or_else(|| loader.errors())
}

/// Takes the days of an iCalendar file that a list reads into the list itself, so that others can be put over them.
fn take_in(draft: &mut CalendarDraft, resolved: &Calendar) {
    let Some(ics) = draft.ics.take() else { return };
    // It was read a moment ago, and if that failed, nobody comes here.
    let covers = draft.covers.or(resolved.covers);
    let Some(mut days) = read_ics(&ics, covers, &mut Default::default()) else { return };
    let own = (std::mem::take(&mut draft.rest), std::mem::take(&mut draft.work));
    put_over((&mut days.rest, &mut days.work), own);
    (draft.rest, draft.work) = (days.rest, days.work);
}

/// Reads a list of days.
fn read_list(list: &ForeignList<'_>, environment: &LoadEnvironment) -> Result<CalendarDraft, ConfigErrors> {
    let ForeignList { path, name, year, work_if } = *list;
    let mut loader = Loader::new(environment, &[]);
    let place = Place::whole(0);
    if !is_name(name) {
        // It becomes the name of a file beside the configuration, and must lead nowhere else.
        loader.diagnostics.error(place, texts::name_of_the_import());
    }
    let draft = CalendarDraft { covers: year.and_then(Coverage::of_year), ..CalendarDraft::new(name, place) };
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let draft = match extension.as_str() {
        "ics" => {
            loader.sources.push(SourceText { name: shown(path), text: String::new() });
            icalendar(path, work_if, draft, &mut loader)
        }
        "json" => loader.read_file(path).and_then(|file| {
            loader.sources.push(SourceText { name: shown(path), text: String::new() });
            match holiday_cn(&file.text, draft) {
                Ok(draft) => Some(draft),
                Err(problem) => {
                    loader.diagnostics.error(place, problem);
                    None
                }
            }
        }),
        _ => loader.read_file(path).and_then(|file| loader.calendar(path, name, &file.text)),
    };
    if let Some(draft) = &draft
        && let Some(day) = torn(&draft.rest, &draft.work)
    {
        loader.diagnostics.error(draft.place, texts::day_is_both(day));
    }
    let draft = draft.filter(|_| loader.diagnostics.error_count() == 0);
    let mut draft = known(draft, loader)?;
    // Versions are days, and the newest list holds.
    draft.version =
        draft.version.filter(|version| !version.is_empty()).or_else(|| Some(environment.today().to_string()));
    Ok(draft)
}

fn icalendar(
    path: &Path,
    work_if: Option<&str>,
    draft: CalendarDraft,
    loader: &mut Loader<'_>,
) -> Option<CalendarDraft> {
    let place = draft.place;
    if draft.covers.is_none() {
        let diagnostic = loader.diagnostics.error(place, texts::ics_covers_what());
        diagnostic.hint(texts::say_its_year());
        return None;
    }
    let list = IcsDraft { path: path.to_owned(), place, work_if: work_if.map(str::to_owned) };
    if let Some(Err(error)) = work_if.map(regex_lite::Regex::new) {
        loader.diagnostics.error(place, texts::no_regular_expression("--work-if", error));
        return None;
    }
    let days = read_ics(&list, draft.covers, &mut loader.diagnostics)?;
    Some(CalendarDraft { rest: days.rest, work: days.work, with_two_names: days.with_two_names, ..draft })
}

/// A year of holiday-cn, put into a draft.
pub(super) fn holiday_cn(text: &str, draft: CalendarDraft) -> Result<CalendarDraft, Text> {
    let list: HolidayCn = serde_json::from_str(text).map_err(texts::json_of_holiday_cn)?;
    let year = list.year;
    let mut draft = CalendarDraft { covers: Coverage::of_year(year), ..draft };
    for day in list.days {
        match day.is_off_day {
            true => draft.rest_on(day.date, &day.name),
            false => drop(draft.work.insert(day.date)),
        }
    }
    // It is published empty before the notice of the year.
    if draft.covers.is_none() || !draft.names_any_day() {
        return Err(texts::names_no_day(year));
    }
    Ok(draft)
}
