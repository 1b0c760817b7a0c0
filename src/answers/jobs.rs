//! Each job: when it fires next, and what became of its last fire.

use std::borrow::Cow;

use super::rows::{Instants, Row, rows};
use crate::domain::UtcMs;
use crate::store::{Filter, History, StoreError, Table, View};

/// The jobs, in the columns of the view `job_overview`.
///
/// # Errors
///
/// Those of the store.
pub async fn jobs(store: &dyn History) -> Result<Table, StoreError> {
    store.view(View::JobOverview, &Filter::default()).await
}

/// One job.
pub struct JobLine<'a> {
    pub job: Cow<'a, str>,
    pub schedule: Cow<'a, str>,
    pub timezone: Cow<'a, str>,
    /// `active`, `paused`, `disabled`.
    pub state: Cow<'a, str>,
    pub next_due_at: Option<UtcMs>,
    pub last_due_at: Option<UtcMs>,
    /// What became of the last fire: the states of its pushes, else its own decision.
    pub result: Cow<'a, str>,
    /// Open pushes; None where there are none.
    pub open: Option<i64>,
}

impl<'a> JobLine<'a> {
    pub fn all(jobs: &'a Table) -> impl Iterator<Item = JobLine<'a>> {
        rows(jobs).map(JobLine::of)
    }

    fn of(row: Row<'a>) -> JobLine<'a> {
        // A fire's own decision says it all, unless it made pushes: then they do.
        let result = if row.get("last_pushes").is_null() { "last_decision" } else { "last_pushes" };
        JobLine {
            job: row.text("job"),
            schedule: row.text("schedule"),
            timezone: row.text("timezone"),
            state: row.text("state"),
            next_due_at: row.instant("next_due_at"),
            last_due_at: row.instant("last_due_at"),
            result: row.text(result),
            open: row.int("open_pushes").filter(|open| *open > 0),
        }
    }
}

/// How the instants of these jobs are shown.
pub fn instants(utc: bool, jobs: &Table) -> Instants {
    fn both(line: JobLine<'_>) -> [(Option<UtcMs>, Option<Cow<'_, str>>); 2] {
        [line.next_due_at, line.last_due_at].map(|at| (at, Some(line.timezone.clone())))
    }
    Instants::new(utc, "UTC", JobLine::all(jobs).flat_map(both))
}
