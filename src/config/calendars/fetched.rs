//! Lists of days that lie at an address: the last good version at a load, and what becomes of one that was fetched.
//!
//! What is kept is a list in our own form, joined of all that was fetched: one that knows only of the next year takes
//! nothing away from the present one, and days that are past stay as they were.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use regex_lite::Regex;

use super::draft::{CalendarDraft, FetchedSource, UrlDraft};
use super::ics;
use super::import::{ImportError, calendar, holiday_cn};
use super::join::joined;
use super::resolve::torn;
use super::write::calendar_file;
use crate::config::diagnostics::Place;
use crate::config::environment::{FetchedList, LoadEnvironment};
use crate::config::loader::Loader;
use crate::config::whole::finish;
use crate::domain::calendar::{Coverage, put_over};
use crate::domain::{Calendar, SenderSpec};
use crate::policy::calendar::objections;
use crate::texts;

/// A list that was fetched and says something new.
#[derive(Debug)]
pub struct TakenList {
    /// What is to be kept of it: [`FetchedList::text`].
    pub text: String,
    /// What held until then, if there is anything.
    pub before: Option<Calendar>,
    pub after: Calendar,
}

impl Loader<'_> {
    /// Puts the last good versions beneath what the files say of these calendars, and tells of those that are missing or old.
    pub(in crate::config) fn fetched_calendars(&mut self) {
        let mut drafts: Vec<(String, UrlDraft)> =
            self.calendars.values().filter_map(|draft| Some((draft.name.clone(), draft.url.clone()?))).collect();
        if drafts.is_empty() {
            return;
        }
        drafts.sort_by(|one, other| one.0.cmp(&other.0));
        let fetched = (self.environment.fetched)();
        for (name, url) in drafts {
            let found = fetched.iter().find(|list| list.name == name);
            let list = found.and_then(|found| parsed(&name, &found.text, self.environment));
            let Some(draft) = self.calendars.get_mut(&name) else { continue };
            match list {
                Some(list) => put_beneath(draft, list),
                // Every day is one that no list covers, but for those that the files name.
                None if draft.based_on.is_none() => draft.covers = Some(Coverage::NOTHING),
                None => draft.covers = None,
            }
            self.doubt_fetched(&name, &url, found);
            self.fetched_sources.push(FetchedSource { name, url: url.url, every: url.every, old_after: url.old_after });
        }
    }

    fn doubt_fetched(&mut self, name: &str, url: &UrlDraft, found: Option<&FetchedList>) {
        let (message, hint) = match found {
            None => (texts::not_fetched_yet(name), texts::a_daemon_fetches_it()),
            Some(FetchedList { good_at, .. }) if *good_at + url.old_after >= self.environment.now => return,
            Some(FetchedList { good_at, error: Some(error), .. }) => {
                (texts::not_fetched_since(name, good_at), texts::the_last_try(error))
            }
            Some(FetchedList { good_at, .. }) => (texts::not_tried_since(name, good_at), texts::a_daemon_tries_again()),
        };
        self.diagnostics.warning(url.place, message).hint(hint);
    }
}

/// A kept list; None where it is none.
fn parsed(name: &str, text: &str, environment: &LoadEnvironment) -> Option<CalendarDraft> {
    let mut loader = Loader::new(environment, &[]);
    let draft = loader.calendar(Path::new("what was fetched"), name, text)?;
    (loader.diagnostics.error_count() == 0).then_some(draft)
}

/// What the files say of a list goes over what was fetched.
fn put_beneath(draft: &mut CalendarDraft, mut fetched: CalendarDraft) {
    let own = (std::mem::take(&mut draft.rest), std::mem::take(&mut draft.work));
    if own.0.is_empty() && own.1.is_empty() {
        draft.workdays.append(&mut fetched.workdays);
    }
    put_over((&mut fetched.rest, &mut fetched.work), own);
    (draft.rest, draft.work) = (fetched.rest, fetched.work);
    draft.covers = fetched.covers;
    draft.weekend = draft.weekend.take().or(fetched.weekend);
    draft.version = draft.version.take().or(fetched.version);
    fetched.every_year.append(&mut draft.every_year);
    draft.every_year = fetched.every_year;
}

/// Judges what was fetched for the calendar of that name, by all that is said of it and by whoever goes by it. None where it
/// says nothing new. `around` is the surroundings of a load, as often as it is asked.
///
/// # Errors
/// Why it is not taken.
pub fn take_fetched(
    paths: &[PathBuf],
    name: &str,
    bytes: &[u8],
    specs: &[&'static SenderSpec],
    around: &dyn Fn() -> LoadEnvironment,
) -> Result<Option<TakenList>, ImportError> {
    let environment = around();
    let mut loader = Loader::new(&environment, specs);
    loader.paths(paths);
    loader.calendar_files();
    let url = loader.calendars.get(name).and_then(|draft| draft.url.clone());
    let Some(url) = url else { return Err(objection("the configuration has no url for it any more")) };
    let kept = (environment.fetched)();
    let stored = kept.iter().find(|list| list.name == name).map(|list| list.text.clone());
    let today = environment.today();
    let old = stored.as_deref().and_then(|text| parsed(name, text, &environment));
    let new = understood(name, bytes, &url, &environment)?;
    // Whether the file itself says which version it is; else it is the day on which it was first seen.
    let own_version = new.version.clone().filter(|version| !version.is_empty());
    let before_version = old.as_ref().and_then(|old| old.version.clone());
    let mut draft = match old {
        Some(old) => {
            let new = with_past_of(&old, new, today);
            joined(old, new).map_err(|gap| objection(&format!("{gap}")))?
        }
        None => new,
    };
    (draft.based_on, draft.url) = (None, None);
    draft.version = own_version.clone().or(before_version);
    let mut text = calendar_file(&draft);
    if stored.as_ref() == Some(&text) {
        return Ok(None);
    }
    draft.version = own_version.or_else(|| Some(today.to_string()));
    text = calendar_file(&draft);
    let before = stored.is_some().then(|| calendar(paths, name, specs, &environment)).transpose()?;
    let after = judged(paths, name, &text, specs, around)?;
    if let Some(before) = &before
        && let Some(first) = objections(before, &after, today, false).first()
    {
        return Err(objection(first));
    }
    Ok(Some(TakenList { text, before, after }))
}

/// Loads everything as if the list were kept already.
fn judged(
    paths: &[PathBuf],
    name: &str,
    text: &str,
    specs: &[&'static SenderSpec],
    around: &dyn Fn() -> LoadEnvironment,
) -> Result<Calendar, ImportError> {
    let mut environment = around();
    let mut lists: Vec<FetchedList> = (environment.fetched)().into_iter().filter(|list| list.name != name).collect();
    lists.push(FetchedList { name: name.to_owned(), text: text.to_owned(), good_at: environment.now, error: None });
    environment.fetched = Box::new(move || lists.clone());
    let mut whole = Loader::new(&environment, specs);
    whole.paths(paths);
    finish(whole, &environment, specs)?;
    Ok(calendar(paths, name, specs, &environment)?)
}

/// The list in what was fetched, whatever its form.
fn understood(
    name: &str,
    bytes: &[u8],
    url: &UrlDraft,
    environment: &LoadEnvironment,
) -> Result<CalendarDraft, ImportError> {
    let text = std::str::from_utf8(bytes).map_err(|_| objection("it is no text in UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let empty = CalendarDraft::new(name, Place::whole(0));
    let begin = text.trim_start();
    let draft = if begin.get(..15).is_some_and(|begin| begin.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        icalendar(text, url, empty, environment.today())?
    } else if begin.starts_with('{') {
        holiday_cn(text, empty).map_err(|problem| objection(problem.english()))?
    } else {
        let mut loader = Loader::new(environment, &[]);
        let draft = loader.calendar(Path::new("what was fetched"), name, text);
        match draft.filter(|_| loader.diagnostics.error_count() == 0) {
            Some(draft) if draft.ics.is_none() && draft.url.is_none() => draft,
            Some(_) => return Err(objection("it leads to another file (ics, url)")),
            None => return Err(ImportError::Refused(loader.errors())),
        }
    };
    if let Some(day) = torn(&draft.rest, &draft.work) {
        return Err(objection(&format!("it has {day} both as a day off and as a workday")));
    }
    let covers = url.covers.or(draft.covers);
    if covers.is_none() {
        return Err(objection("it does not say what time it covers (covers)"));
    }
    let draft = CalendarDraft { covers, ..draft };
    if !draft.names_any_day() {
        return Err(objection("it names no day of the time that it covers"));
    }
    Ok(draft)
}

/// An iCalendar file covers the years of which it names days, where nothing else is said. Days of every year are known of as
/// many years as somebody may plan for.
fn icalendar(text: &str, url: &UrlDraft, draft: CalendarDraft, today: Date) -> Result<CalendarDraft, ImportError> {
    let years =
        url.covers.map_or((today.year() - 1, today.year() + 1), |covers| (covers.from.year(), covers.until.year()));
    // Tried when the pattern was read.
    let work_if = url.work_if.as_deref().and_then(|pattern| Regex::new(pattern).ok());
    let mut days = ics::read(text, work_if.as_ref(), years)
        .map_err(|problem| objection(&format!("line {}: {}", problem.line, problem.problem)))?;
    let has = |day: &Date| (years.0..=years.1).contains(&day.year());
    days.rest.retain(|day, _| has(day));
    days.work.retain(has);
    let named = || days.rest.keys().chain(&days.work).map(|day| day.year());
    let covers = match (named().min(), named().max()) {
        (Some(first), Some(last)) => Coverage::of_year(first).zip(Coverage::of_year(last)),
        _ => None,
    };
    let covers = covers.map(|(first, last)| Coverage { from: first.from, ..last });
    Ok(CalendarDraft { covers, rest: days.rest, work: days.work, ..draft })
}

/// Days before `today` that the old list covers are as they were.
fn with_past_of(old: &CalendarDraft, mut new: CalendarDraft, today: Date) -> CalendarDraft {
    let is_settled = |day: &Date| *day < today && old.covers.is_none_or(|covers| covers.has(*day));
    new.rest.retain(|day, _| !is_settled(day));
    new.work.retain(|day| !is_settled(day));
    let rest = old.rest.iter().filter(|(day, _)| is_settled(day));
    new.rest.extend(rest.map(|(day, name)| (*day, name.clone())));
    new.work.extend(old.work.iter().copied().filter(is_settled));
    new
}

fn objection(words: &str) -> ImportError {
    ImportError::Objection(words.to_owned())
}
