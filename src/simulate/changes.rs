//! What another configuration would change: two courses of the same time held against each other.

use std::collections::BTreeMap;

use serde::Serialize;

use super::course::{Course, PushSeen};
use crate::domain::{PushState, UtcMs};

/// A job that fares otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    pub job: String,
    /// Pushes that there are only before, and only after.
    pub gone: u64,
    pub new: u64,
    /// Of those that there are in both: sent before and not any more, and the other way round.
    pub no_longer_sent: u64,
    pub now_sent: u64,
    /// By how much more the latest of them leaves after its instant; below zero where it leaves earlier.
    pub later_by_ms: i64,
    /// The first instant that is concerned.
    pub first_at: Option<UtcMs>,
}

impl Change {
    fn concerns(&mut self, at: UtcMs) {
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
    }
}

type Key<'a> = (UtcMs, String, u32, &'a str);

/// Pushes by job, each with whether it was sent and how late.
fn by_job(course: &Course) -> BTreeMap<&str, BTreeMap<Key<'_>, (bool, i64)>> {
    let mut jobs: BTreeMap<&str, BTreeMap<Key<'_>, (bool, i64)>> = BTreeMap::new();
    for push in course.pushes() {
        let late = push.late_by().map_or(0, |late| i64::try_from(late.as_millis()).unwrap_or(i64::MAX));
        let PushSeen { job, due_at, ordinal, im, target, state, .. } = push;
        let key = (due_at, target.to_string(), ordinal, im);
        jobs.entry(job).or_default().insert(key, (state == PushState::Sent, late));
    }
    jobs
}

/// The jobs that fare otherwise, by name. Jobs whose pushes leave at other instants only by chance (less than a second)
/// fare the same.
pub fn changes(before: &Course, after: &Course) -> Vec<Change> {
    let (before, after) = (by_job(before), by_job(after));
    let none = BTreeMap::new();
    let mut found = Vec::new();
    let mut names: Vec<&str> = before.keys().chain(after.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (old, new) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
        let mut change = Change { job: name.to_owned(), ..Change::default() };
        for (key, (was_sent, was_late)) in old {
            match new.get(key) {
                None => {
                    change.gone += 1;
                    change.concerns(key.0);
                }
                Some((is_sent, is_late)) => {
                    change.no_longer_sent += u64::from(*was_sent && !is_sent);
                    change.now_sent += u64::from(!was_sent && *is_sent);
                    let later = is_late - was_late;
                    if was_sent != is_sent || later.abs() >= 1000 {
                        change.concerns(key.0);
                    }
                    if later.abs() > change.later_by_ms.abs() && later.abs() >= 1000 {
                        change.later_by_ms = later;
                    }
                }
            }
        }
        for key in new.keys().filter(|key| !old.contains_key(*key)) {
            change.new += 1;
            change.concerns(key.0);
        }
        if change.first_at.is_some() {
            found.push(change);
        }
    }
    found
}
