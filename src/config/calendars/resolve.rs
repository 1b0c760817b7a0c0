//! Drafts to calendars: what they are based on, what an iCalendar file says, and whether a list holds together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use regex_lite::Regex;

use super::draft::{CalendarDraft, IcsDraft, of_two_names};
use super::ics;
use crate::config::address;
use crate::config::diagnostics::{Diagnostics, Place};
use crate::config::files::{self, FileProblem};
use crate::config::text::shown;
use crate::domain::calendar::{Coverage, put_over};
use crate::domain::near::near_match;
use crate::domain::{Calendar, CalendarRef};
use crate::texts::{self, Text};

/// The lists that pushcron brings along.
const BUILT_IN: [(&str, &str); 1] = [("cn", include_str!("cn.yaml"))];

/// So many workdays a Chinese year has: 248 to 252 since 2004. A list far off is cut, or not China's.
const WORKDAYS_OF_CN: std::ops::RangeInclusive<usize> = 240..=256;

/// Days before the last day of a list from which on its end is told: lists for a year come in its last months.
const TELL_BEFORE: i32 = 60;

/// Lists that somebody has asked for, and those that could be.
pub(in crate::config) struct CalendarSet {
    today: Date,
    drafts: HashMap<String, CalendarDraft>,
    /// None for one with a problem, which has been told.
    resolved: HashMap<String, Option<CalendarRef>>,
    /// Those whose end was looked at.
    doubted: HashSet<String>,
    /// Being resolved: who is asked for again is based on itself.
    under_way: Vec<String>,
}

impl CalendarSet {
    /// `today` is the day of the asker.
    pub(crate) fn new(drafts: HashMap<String, CalendarDraft>, today: Date) -> CalendarSet {
        CalendarSet { today, drafts, resolved: HashMap::new(), doubted: HashSet::new(), under_way: Vec::new() }
    }

    /// What the files say of the list of this name.
    pub(crate) fn draft(&self, name: &str) -> Option<CalendarDraft> {
        self.drafts.get(name).cloned()
    }

    /// The list of this name, asked for at `place`. None where there is none or it has a problem; that is told.
    pub(crate) fn get(&mut self, name: &str, place: Place, diagnostics: &mut Diagnostics) -> Option<CalendarRef> {
        let calendar = self.judged(name, place, diagnostics)?;
        if self.doubted.insert(name.to_owned()) {
            self.doubt_coverage(&calendar, place, diagnostics);
        }
        Some(calendar)
    }

    /// Judges the lists that nobody asked for too: one that is wrong is told when it is written, and not when a job first goes
    /// by it.
    pub(crate) fn judge_all(&mut self, allow_private: bool, diagnostics: &mut Diagnostics) {
        let urls = self.drafts.values().filter_map(|draft| draft.url.as_ref()).filter(|_| !allow_private);
        let mut refused: Vec<(Place, Text)> =
            urls.filter_map(|url| Some((url.place, address::refused(&url.url, true)?))).collect();
        refused.sort_by_key(|(place, _)| *place);
        for (place, problem) in refused {
            diagnostics.error(place, texts::of_key("url", problem)).hint(texts::allow_private());
        }
        let mut drafts: Vec<(Place, String)> =
            self.drafts.values().map(|draft| (draft.place, draft.name.clone())).collect();
        drafts.sort();
        for (place, name) in drafts {
            self.judged(&name, place, diagnostics);
        }
    }

    fn judged(&mut self, name: &str, place: Place, diagnostics: &mut Diagnostics) -> Option<CalendarRef> {
        if let Some(known) = self.resolved.get(name) {
            return known.clone();
        }
        if self.under_way.iter().any(|under_way| under_way == name) {
            diagnostics.error(place, texts::based_on_itself(name));
            return None;
        }
        let Some(draft) = self.drafts.get(name).cloned() else {
            let known = self.drafts.keys().map(String::as_str).chain(BUILT_IN.map(|(name, _)| name));
            let near = near_match(name, known);
            let diagnostic = diagnostics.error(place, texts::no_such_calendar(name));
            diagnostic.hint(match near {
                Some(near) => texts::did_you_mean(near),
                None => texts::name_the_calendar(name),
            });
            self.resolved.insert(name.to_owned(), None);
            return None;
        };
        self.under_way.push(name.to_owned());
        let is_sound = draft.is_sound;
        let calendar = self.finish(draft, diagnostics).filter(|_| is_sound);
        let calendar = calendar.map(|calendar| Arc::new(calendar).reference());
        self.under_way.pop();
        self.resolved.insert(name.to_owned(), calendar.clone());
        calendar
    }

    /// Warns in time of a list that ends: from two months before its last day on.
    fn doubt_coverage(&self, calendar: &CalendarRef, place: Place, diagnostics: &mut Diagnostics) {
        let Some(covers) = calendar.list.as_ref().and_then(|list| list.covers) else { return };
        if covers == Coverage::NOTHING {
            // That the list is still to be fetched was told where its address stands.
            return;
        }
        let left = (covers.until - self.today).get_days();
        if left <= TELL_BEFORE {
            let message = texts::calendar_ends_so(&calendar.name, covers.until);
            diagnostics.warning(place, message).hint(texts::take_a_new_list());
        }
    }

    fn finish(&mut self, draft: CalendarDraft, diagnostics: &mut Diagnostics) -> Option<Calendar> {
        let place = draft.place;
        let base = match &draft.based_on {
            Some((name, place)) => Some(self.judged(name, *place, diagnostics)?),
            None => None,
        };
        let has_base = base.is_some();
        let mut calendar = base.and_then(|base| base.list).map(Arc::unwrap_or_clone).unwrap_or_default();
        calendar.name = draft.name;
        let based_on = std::mem::take(&mut calendar.version);
        calendar.version = draft.version.unwrap_or(based_on);
        calendar.weekend = draft.weekend.unwrap_or(calendar.weekend);
        calendar.every_year.extend(draft.every_year);
        if let Some(list) = draft.ics {
            let days = read_ics(&list, draft.covers.or(calendar.covers), diagnostics)?;
            put_over((&mut calendar.rest, &mut calendar.work), (days.rest, days.work));
        }
        if let Some(day) = torn(&draft.rest, &draft.work) {
            let name = &calendar.name;
            diagnostics.error(place, texts::calendar_day_is_both(name, day));
            return None;
        }
        put_over((&mut calendar.rest, &mut calendar.work), (draft.rest, draft.work));
        calendar.covers = match (calendar.covers, draft.covers) {
            (Some(below), Some(own)) => match below.and(own) {
                Ok(both) => Some(both),
                Err(gap) => {
                    let message = texts::covers_gap(gap);
                    diagnostics.error(place, message);
                    return None;
                }
            },
            // The list below covers all years, and so does this one.
            (None, Some(_)) if has_base => None,
            (below, own) => own.or(below),
        };
        self.check_years(&calendar, &draft.workdays, place, diagnostics).then_some(calendar)
    }

    /// Whether the years have as many workdays as the list itself says, and as China's can have.
    fn check_years(
        &self,
        calendar: &Calendar,
        said: &[(i16, usize, Place)],
        place: Place,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let mut is_sound = true;
        for (year, count, place) in said {
            let found = calendar.workdays_in(*year);
            if found != *count {
                let name = &calendar.name;
                diagnostics.error(*place, texts::other_count_of_workdays(name, found, year, count));
                is_sound = false;
            }
        }
        let years = calendar.covers.filter(|_| calendar.name == "cn");
        for year in years.map(|covers| covers.from.year()..=covers.until.year()).into_iter().flatten() {
            let found = calendar.workdays_in(year);
            let is_whole = Coverage::of_year(year)
                .is_some_and(|year| [year.from, year.until].iter().all(|day| calendar.is_covered(*day)));
            if is_whole && !WORKDAYS_OF_CN.contains(&found) {
                let (least, most) = (WORKDAYS_OF_CN.start(), WORKDAYS_OF_CN.end());
                let message = texts::odd_count_of_workdays(found, year, least, most);
                diagnostics.error(place, message);
                is_sound = false;
            }
        }
        is_sound
    }
}

/// A day that one list names both as a day off and as a workday.
pub(super) fn torn(rest: &BTreeMap<Date, String>, work: &BTreeSet<Date>) -> Option<Date> {
    rest.keys().find(|day| work.contains(day)).copied()
}

/// The days of an iCalendar file. What is wrong with it is told.
pub(super) fn read_ics(
    list: &IcsDraft,
    covers: Option<Coverage>,
    diagnostics: &mut Diagnostics,
) -> Option<ics::IcsDays> {
    let Some(covers) = covers else {
        let diagnostic = diagnostics.error(list.place, texts::ics_needs_covers());
        diagnostic.hint(texts::such_as_covers());
        return None;
    };
    let name = shown(&list.path);
    let file = match files::read(&list.path) {
        Ok(file) => file,
        Err(problem) => {
            let (problem, hint) = match problem {
                FileProblem::Whole(problem, hint) => (problem, hint),
                FileProblem::UnderWay => (files::UNDER_WAY(), None),
                FileProblem::NotUtf8 { before } => {
                    let line = before.matches('\n').count() + 1;
                    diagnostics
                        .error(list.place, texts::ics_problem(name, line, files::NOT_UTF8()))
                        .hint(files::SAVE_AS_UTF8());
                    return None;
                }
            };
            let diagnostic = diagnostics.error(list.place, texts::ics_unusable(name, problem));
            if let Some(hint) = hint {
                diagnostic.hint(hint);
            }
            return None;
        }
    };
    // Tried when the pattern was read.
    let work_if = list.work_if.as_deref().and_then(|pattern| Regex::new(pattern).ok());
    let days = match ics::read(&file.text, work_if.as_ref(), (covers.from.year(), covers.until.year())) {
        Ok(days) => days,
        Err(problem) => {
            diagnostics.error(list.place, texts::ics_problem(name, problem.line, problem.problem));
            return None;
        }
    };
    if let Some(day) = torn(&days.rest, &days.work) {
        diagnostics.error(list.place, texts::ics_day_is_both(name, day));
        return None;
    }
    // A download that failed, or the file of another year: it must not make workdays of all holidays.
    if !days.rest.keys().chain(&days.work).any(|day| covers.has(*day)) {
        diagnostics.error(list.place, texts::ics_names_no_day(name, covers.from, covers.until));
        return None;
    }
    if let Some(told) = of_two_names(&days.with_two_names) {
        diagnostics.warning(list.place, texts::of_key("ics", texts::of_key(name, told)));
    }
    Some(days)
}

/// The files with lists beside the files of a configuration, in the order of their names; and directories with lists that
/// cannot be looked into, and why.
pub(in crate::config) fn candidates(directories: &[PathBuf]) -> (Vec<(PathBuf, String)>, Vec<(PathBuf, Text)>) {
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for directory in directories.iter().map(|directory| directory.join("calendars")) {
        // A directory may be there under two names.
        let is_new = |seen: &mut HashSet<PathBuf>, path: &Path| {
            seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
        };
        if directory.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
            || !is_new(&mut seen, &directory)
        {
            continue;
        }
        match files::in_directory(&directory) {
            Ok(paths) => found.extend(paths.into_iter().filter(|path| is_new(&mut seen, path)).map(|path| {
                let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                (path, name)
            })),
            Err(problem) => unread.push((directory, texts::cannot_be_read(problem))),
        }
    }
    (found, unread)
}

/// The lists that pushcron brings along.
pub(in crate::config) fn built_in() -> impl Iterator<Item = (&'static str, &'static Path, &'static str)> {
    BUILT_IN.into_iter().map(|(name, text)| (name, Path::new("the calendar cn that pushcron brings along"), text))
}
