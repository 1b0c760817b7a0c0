//! Each job: when it fires next, and what became of its last fire.

use std::borrow::Cow;

use super::names::{did_you_mean, no_job};
use super::refusal::{Kind, Refusal};
use super::rows::{Instants, Row, rows};
use crate::domain::UtcMs;
use crate::store::{Definition, Filter, History, StoreError, Table, View};

/// The jobs, in the columns of the view `job_overview`.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn jobs(store: &dyn History) -> Result<Table, StoreError> {
    store.view(View::JobOverview, &Filter::default()).await
}

/// A job with all that it says.
///
/// # Errors
///
/// When there is none of that name.
pub(crate) async fn definition(store: &dyn History, name: &str) -> Result<Definition, Refusal> {
    Ok(store.definition(name).await?)
}

/// Whether there is, or was, a job of that name.
///
/// # Errors
///
/// When there is none.
pub(crate) async fn definition_or_past(store: &dyn History, name: &str) -> Result<(), Refusal> {
    match store.revisions(name).await?.is_empty() {
        true => Err(no_job(name, [])),
        false => Ok(()),
    }
}

/// As [`definition`], of a job that a verb made. `place` tells where the files bring it.
///
/// # Errors
///
/// Also where it is a job of the files, with its place.
pub(crate) async fn verb_job(
    store: &dyn History,
    name: &str,
    place: impl FnOnce() -> Option<String>,
) -> Result<Definition, Refusal> {
    let found = store.definition(name).await?;
    if found.source.is_verb() {
        return Ok(found);
    }
    let text = match place() {
        Some(place) => format!("job '{name}' is in the files, at {place}: change or remove it there, and reload"),
        None => format!("job '{name}' came from the files, which do not name it any more: reload them"),
    };
    Err(Refusal::new(Kind::NotAllowed, text))
}

/// Why nothing is known of a job: one that the files bring and that nobody has loaded yet is not called missing, and for a slip
/// of the pen the job of the files is told that was probably meant.
pub(crate) fn or_not_loaded(
    refusal: Refusal,
    job: &str,
    in_files: impl FnOnce() -> Vec<String>,
    daemon_runs: impl FnOnce() -> bool,
) -> Refusal {
    if refusal.kind != Kind::NotFound {
        return refusal;
    }
    let in_files = in_files();
    if !in_files.iter().any(|name| name == job) {
        let text = refusal.to_string();
        let near = did_you_mean(job, in_files.iter().map(String::as_str)).filter(|_| !text.contains("did you mean"));
        return near.map_or(refusal, |near| Refusal::new(Kind::NotFound, format!("{text}; {near}")));
    }
    let advice = match daemon_runs() {
        true => "the daemon that runs has not loaded it: `systemctl reload pushcron`, or send it SIGHUP",
        false => "no daemon has loaded it: start one (`pushcron run`)",
    };
    Refusal::new(Kind::NotFound, format!("job '{job}' is in the files, and {advice}"))
}

/// Leaves out jobs from elsewhere than `source` and, unless `all` are wanted, those that have come to their end by `now`.
/// Returns how many of the latter.
pub(crate) fn leave_out(jobs: &mut Table, source: Option<&str>, all: bool, now: UtcMs) -> usize {
    let keeps: Vec<(bool, bool)> = rows(jobs)
        .map(|row| {
            let wanted = source.is_none_or(|source| row.text("source") == source);
            (wanted, all || row.instant("ended_at").is_none_or(|at| at > now))
        })
        .collect();
    let ended = keeps.iter().filter(|(wanted, shown)| *wanted && !shown).count();
    let mut keeps = keeps.into_iter();
    jobs.rows.retain(|_| keeps.next().is_none_or(|(wanted, shown)| wanted && shown));
    ended
}

/// How much a person should mind a state: the less, the later in a list.
pub(crate) fn trouble(state: &str) -> usize {
    const WORST_FIRST: [&str; 8] =
        ["failed", "unknown", "expired", "cancelled", "retrying", "sending", "pending", "sent"];
    WORST_FIRST.iter().position(|word| *word == state).unwrap_or(WORST_FIRST.len())
}

/// One job.
pub(crate) struct JobLine<'a> {
    pub job: Cow<'a, str>,
    pub schedule: Cow<'a, str>,
    pub timezone: Cow<'a, str>,
    /// `active`, `paused`, `disabled`.
    pub state: Cow<'a, str>,
    pub next_due_at: Option<UtcMs>,
    pub last_due_at: Option<UtcMs>,
    /// What became of the last fire: the states of its pushes, the worst one first, else its own decision.
    pub result: String,
    /// Open pushes; None where there are none.
    pub open: Option<i64>,
}

impl<'a> JobLine<'a> {
    pub(crate) fn all(jobs: &'a Table) -> impl Iterator<Item = JobLine<'a>> {
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
            result: worst_first(&row.text(result)),
            open: row.int("open_pushes").filter(|open| *open > 0),
        }
    }
}

/// `failed,sent` of `sent,failed`.
fn worst_first(states: &str) -> String {
    let mut states: Vec<&str> = states.split(',').collect();
    states.sort_by_key(|state| trouble(state));
    states.join(",")
}

/// How the instants of these jobs are shown.
pub(crate) fn instants(utc: bool, jobs: &Table) -> Instants {
    fn both(line: JobLine<'_>) -> [(Option<UtcMs>, Option<Cow<'_, str>>); 2] {
        [line.next_due_at, line.last_due_at].map(|at| (at, Some(line.timezone.clone())))
    }
    Instants::new(utc, "UTC", JobLine::all(jobs).flat_map(both))
}
