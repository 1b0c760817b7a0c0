//! Who did what by hand.

use std::borrow::Cow;

use super::rows::{Instants, Row, Table, rows};
use crate::domain::UtcMs;
use crate::store::{Filter, History, StoreError, View};

/// Rows that are read at once.
const PAGE: u64 = 1000;

/// Hands out what the filter lets through, oldest first, in pages, of which the first may be empty; the newest ones where it has
/// a limit.
///
/// # Errors
///
/// Those of the store, and of `take`.
pub(crate) async fn pages<E: From<StoreError>>(
    store: &dyn History,
    filter: &Filter,
    mut take: impl FnMut(&Table) -> Result<(), E>,
) -> Result<(), E> {
    let mut page = Filter { oldest_first: true, ..filter.clone() };
    let mut left = filter.limit.unwrap_or(u64::MAX);
    if let Some(limit) = filter.limit {
        // The newest line that is one too many.
        let before = Filter { limit: Some(1), skip: limit, ..filter.clone() };
        page.after = store.view(View::Acts, &before).await?.mark();
    }
    loop {
        let wanted = left.min(PAGE);
        page.limit = Some(wanted);
        let table = store.view(View::Acts, &page).await?;
        take(&table)?;
        left -= table.rows.len() as u64;
        page.after = table.mark();
        if (table.rows.len() as u64) < wanted || left == 0 {
            return Ok(());
        }
    }
}

/// One act.
pub(crate) struct ActLine<'a> {
    pub at: Option<UtcMs>,
    pub actor: Cow<'a, str>,
    /// By which door: `cli`, `socket`, `token`.
    pub via: Cow<'a, str>,
    pub verb: Cow<'a, str>,
    /// The job, the push, or the fire.
    pub of: String,
    /// What it found, and what it made of it.
    pub change: String,
    pub request: Cow<'a, str>,
}

impl<'a> ActLine<'a> {
    pub(crate) fn all(acts: &'a Table) -> impl Iterator<Item = ActLine<'a>> {
        rows(acts).map(ActLine::of_row)
    }

    fn of_row(row: Row<'a>) -> ActLine<'a> {
        let (before, after) = (row.text("before"), row.text("after"));
        let change = match (before.is_empty(), after.is_empty()) {
            (true, _) => after.into_owned(),
            (false, true) => before.into_owned(),
            (false, false) => format!("{before} → {after}"),
        };
        let numbered = |word: &str, column: &str| row.int(column).map(|id| format!("{word} {id}"));
        let job = Some(row.text("job").into_owned()).filter(|job| !job.is_empty());
        let of: Vec<String> =
            [job, numbered("push", "push_id"), numbered("fire", "fire_id")].into_iter().flatten().collect();
        ActLine {
            at: row.instant("at"),
            actor: row.text("actor"),
            via: row.text("via"),
            verb: row.text("verb"),
            of: of.join(", "),
            change,
            request: row.text("request"),
        }
    }
}

/// How their instants are shown: no job's zone holds for them, but `zone`.
pub(crate) fn instants(utc: bool, zone: &str, acts: &Table) -> Instants {
    Instants::new(utc, zone, ActLine::all(acts).map(|line| (line.at, None)))
}
