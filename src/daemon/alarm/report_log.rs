//! What happened and what of it was told: the memory of one channel of reports. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::UtcMs;
use crate::store::BadEnds;

/// What was told, kept over restarts, so that nothing is told twice and every recovery follows its failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reported {
    /// Ends of pushes up to this one, in the order in which they were recorded.
    #[serde(default)]
    pub after: i64,
    /// At the beginning: only what ended later than this. (An earlier release had nothing else to go by.)
    #[serde(default, alias = "until")]
    pub since: Option<UtcMs>,
    /// Accounts that are down as far as anybody was told.
    pub down: BTreeSet<String>,
    /// The day on which it was last told that lists of days end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists_told_on: Option<Date>,
    /// The files are refused as far as anybody was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub files_refused: bool,
}

/// What became of an account, or of the files, since the last report.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// It went down, and perhaps came back.
    Fell { down_at: UtcMs, up_at: Option<UtcMs>, error: Option<String> },
    /// It is up again, after its fall was told.
    Rose { up_at: UtcMs },
}

/// What was told, and what of the accounts is still to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReportLog {
    pub reported: Reported,
    changes: BTreeMap<String, Change>,
    /// What became of the files since the last report.
    files: Option<Change>,
}

/// What is to be told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Report {
    pub ends: BadEnds,
    pub changes: BTreeMap<String, Change>,
    /// What became of the files: they are down while they are refused.
    pub files: Option<Change>,
    /// Lists of days that end soon, with their last days; told once a day.
    pub lists: BTreeMap<String, Date>,
    pub today: Option<Date>,
}

impl Report {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.counts.is_empty() && self.changes.is_empty() && self.lists.is_empty() && self.files.is_none()
    }
}

impl ReportLog {
    pub(super) fn new(reported: Reported) -> ReportLog {
        ReportLog { reported, changes: BTreeMap::new(), files: None }
    }

    /// Notes how an account is, which need not be news.
    pub(super) fn note(&mut self, account: &str, down: bool, error: Option<&str>, now: UtcMs) {
        let mut change = self.changes.remove(account);
        take_in(&mut change, self.reported.down.contains(account), down, error, now);
        self.changes.extend(change.map(|change| (account.to_owned(), change)));
    }

    /// Notes what the files were refused for, if they were.
    pub(super) fn note_files(&mut self, refused: Option<&str>, now: UtcMs) {
        take_in(&mut self.files, self.reported.files_refused, refused.is_some(), refused, now);
    }

    /// Forgets accounts that left the configuration.
    pub(super) fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.reported.down.retain(|account| is_there(account));
        self.changes.retain(|account, _| is_there(account));
    }

    /// What is to be told, with the ends of pushes that the store knows of, and the lists of days that end soon as of `today`.
    pub(super) fn report(&self, ends: BadEnds, lists: &BTreeMap<String, Date>, today: Date) -> Report {
        let is_news = self.reported.lists_told_on != Some(today);
        let lists = if is_news { lists.clone() } else { BTreeMap::new() };
        Report { ends, changes: self.changes.clone(), files: self.files.clone(), lists, today: Some(today) }
    }

    /// The report went out, or there was nothing to report.
    pub(super) fn close(&mut self, report: &Report) {
        self.reported.after = report.ends.last;
        self.reported.since = None;
        for (account, change) in &report.changes {
            match change {
                Change::Fell { up_at: None, .. } => drop(self.reported.down.insert(account.clone())),
                Change::Fell { up_at: Some(_), .. } => {}
                Change::Rose { .. } => drop(self.reported.down.remove(account)),
            }
        }
        self.changes.clear();
        match &report.files {
            Some(Change::Fell { up_at: None, .. }) => self.reported.files_refused = true,
            Some(Change::Rose { .. }) => self.reported.files_refused = false,
            Some(Change::Fell { up_at: Some(_), .. }) | None => {}
        }
        self.files = None;
        if !report.lists.is_empty() {
            self.reported.lists_told_on = report.today;
        }
    }
}

/// Takes in how something is, where it was `told` to be down: what is to be told of it changes by that.
fn take_in(change: &mut Option<Change>, told: bool, down: bool, error: Option<&str>, now: UtcMs) {
    let seemed_down = match change {
        Some(Change::Fell { up_at, .. }) => up_at.is_none(),
        Some(Change::Rose { .. }) => false,
        None => told,
    };
    if down == seemed_down {
        return;
    }
    *change = match change.take() {
        Some(Change::Fell { down_at, error, .. }) => {
            Some(Change::Fell { down_at, up_at: (!down).then_some(now), error })
        }
        // Down again before the recovery was reported: nothing changed since the last report.
        Some(Change::Rose { .. }) => None,
        None if down => Some(Change::Fell { down_at: now, up_at: None, error: error.map(str::to_owned) }),
        None => Some(Change::Rose { up_at: now }),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(down: &[&str]) -> ReportLog {
        ReportLog::new(Reported {
            after: 0,
            since: None,
            down: down.iter().map(|&account| account.to_owned()).collect(),
            lists_told_on: None,
            files_refused: false,
        })
    }

    fn told(log: &ReportLog) -> Report {
        log.report(BadEnds::default(), &BTreeMap::new(), Date::constant(2026, 1, 1))
    }

    /// What an account does, second by second, and what a report then says of it.
    #[test]
    fn a_report_tells_where_an_account_stands_and_nothing_twice() {
        let fell = |down_at, up_at: Option<i64>| {
            Some(Change::Fell { down_at: UtcMs(down_at), up_at: up_at.map(UtcMs), error: Some("why".to_owned()) })
        };
        // Told to be down before, down at second 1, 2 …, the change, told to be down after.
        let rows: [(bool, &[bool], Option<Change>, bool); 9] = [
            (false, &[false, false], None, false),
            (false, &[true, true], fell(1, None), true),
            (false, &[true, false], fell(1, Some(2)), false),
            (false, &[true, false, true], fell(1, None), true),
            (true, &[true, true], None, true),
            (true, &[false], Some(Change::Rose { up_at: UtcMs(1) }), false),
            (true, &[false, true], None, true),
            (true, &[false, true, false], Some(Change::Rose { up_at: UtcMs(3) }), false),
            (true, &[], None, true),
        ];
        for (before, course, change, after) in rows {
            let mut log = log(if before { &["bot"] } else { &[] });
            for (second, down) in (1..).zip(course) {
                log.note("bot", *down, Some("why"), UtcMs(second));
            }
            let report = told(&log);
            assert_eq!(report.changes.get("bot").cloned(), change, "{before} {course:?}");
            log.close(&report);
            assert_eq!(log.reported.down.contains("bot"), after, "{before} {course:?}");
            assert!(told(&log).is_empty(), "told once");
        }
    }

    #[test]
    fn refused_files_are_told_once_until_they_are_mended_which_is_told_too() {
        let mut log = log(&[]);
        let mut told_after = |refused: Option<&str>, second| {
            log.note_files(refused, UtcMs(second));
            let report = told(&log);
            log.close(&report);
            report.files
        };
        let fell = Change::Fell { down_at: UtcMs(2), up_at: None, error: Some("line 3".to_owned()) };
        assert_eq!(told_after(None, 1), None);
        assert_eq!(told_after(Some("line 3"), 2), Some(fell));
        assert_eq!(told_after(Some("line 7"), 3), None, "they still are");
        assert_eq!(told_after(None, 4), Some(Change::Rose { up_at: UtcMs(4) }));
        assert_eq!(told_after(None, 5), None);
    }

    #[test]
    fn an_account_that_left_is_neither_down_nor_up() {
        let mut log = log(&["old"]);
        log.note("older", true, None, UtcMs(1));
        log.keep(|account| account == "bot");
        assert!(log.reported.down.is_empty());
        assert!(told(&log).is_empty());
    }

    #[test]
    fn lists_that_end_are_told_once_a_day() {
        let lists = BTreeMap::from([("cn".to_owned(), Date::constant(2026, 12, 31))]);
        let mut log = log(&[]);
        for (day, is_told) in [(20, true), (20, false), (21, true), (21, false)] {
            let report = log.report(BadEnds::default(), &lists, Date::constant(2026, 12, day));
            assert_eq!(!report.is_empty(), is_told, "{day}");
            log.close(&report);
        }
    }
}
