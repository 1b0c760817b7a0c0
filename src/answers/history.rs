//! The pushes, and what became of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::rows::{Instants, Row, rows};
use super::words::brief_ms;
use crate::domain::{PushState, Reason, UtcMs};
pub(crate) use crate::store::Filter;
use crate::store::{History, Standing, StoreError, Table, View};
use crate::texts::{self, Text};

/// Rows that are read at once.
pub(crate) const PAGE: u64 = 1000;

/// Where the history is read.
pub(crate) trait Source {
    async fn standings(&self, after_id: i64, only_open: bool, limit: u64) -> Result<Vec<Standing>, StoreError>;
    async fn lines(&self, filter: &Filter) -> Result<Table, StoreError>;
}

impl Source for &dyn History {
    async fn standings(&self, after_id: i64, only_open: bool, limit: u64) -> Result<Vec<Standing>, StoreError> {
        History::standings(*self, after_id, only_open, limit).await
    }

    async fn lines(&self, filter: &Filter) -> Result<Table, StoreError> {
        self.view(View::PushHistory, filter).await
    }
}

/// Hands out what the filter lets through, oldest first, in pages, of which the first may be empty: millions of lines
/// would not fit into memory, and a reader that takes its time would keep the database's log from being folded.
///
/// # Errors
///
/// Those of the store, and of `take`.
pub(crate) async fn pages<E: From<StoreError>>(
    source: &impl Source,
    filter: &Filter,
    mut take: impl FnMut(&Table) -> Result<(), E>,
) -> Result<(), E> {
    let mut page = Filter { oldest_first: true, ..filter.clone() };
    let mut left = filter.limit.unwrap_or(u64::MAX);
    if let Some(limit) = filter.limit {
        // The newest line that is one too many.
        let before = Filter { limit: Some(1), skip: limit, ..filter.clone() };
        page.after = source.lines(&before).await?.mark();
    }
    loop {
        let wanted = left.min(PAGE);
        page.limit = Some(wanted);
        let table = source.lines(&page).await?;
        take(&table)?;
        left -= table.rows.len() as u64;
        page.after = table.mark();
        if (table.rows.len() as u64) < wanted || left == 0 {
            return Ok(());
        }
    }
}

/// These pushes, in the columns of the view `push_history`.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn of(store: &dyn History, push_ids: &[i64]) -> Result<Table, StoreError> {
    let mut table = Table::default();
    for id in push_ids {
        let found = store.view(View::PushHistory, &Filter { push_id: Some(*id), ..Filter::default() }).await?;
        table.columns = found.columns;
        table.rows.extend(found.rows);
    }
    Ok(table)
}

/// States that are not `sent`: what somebody did not get, or not yet.
pub(crate) fn not_sent() -> Vec<PushState> {
    PushState::ALL.into_iter().filter(|state| *state != PushState::Sent).collect()
}

/// Pushes by what may be done to them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pushes {
    Open,
    Unknown,
    All,
}

/// So many of these pushes, in the columns of their view.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn some(store: &dyn History, pushes: Pushes, limit: u64) -> Result<Table, StoreError> {
    let view = match pushes {
        Pushes::Open => View::DuePushes,
        Pushes::Unknown => View::UnknownPushes,
        Pushes::All => View::PushHistory,
    };
    store.view(view, &Filter { limit: Some(limit), ..Filter::default() }).await
}

/// One push.
pub(crate) struct PushLine<'a> {
    pub id: Cow<'a, str>,
    pub due_at: Option<UtcMs>,
    pub timezone: Cow<'a, str>,
    /// None outside any job.
    pub job: Option<Cow<'a, str>>,
    pub im: Cow<'a, str>,
    pub target: Cow<'a, str>,
    pub state: Cow<'a, str>,
    pub attempts: Cow<'a, str>,
    pub lateness_ms: Option<i64>,
    pub account: Cow<'a, str>,
    /// Empty where it is sent at once.
    pub why: Text,
}

impl<'a> PushLine<'a> {
    pub(crate) fn of(row: Row<'a>) -> PushLine<'a> {
        PushLine {
            id: row.text("id"),
            due_at: row.instant("due_at"),
            timezone: row.text("timezone"),
            job: (!row.get("job").is_null()).then(|| row.text("job")),
            im: row.text("im"),
            target: row.text("target"),
            state: row.text("state"),
            attempts: row.text("attempts"),
            lateness_ms: row.int("lateness_ms"),
            account: row.text("account"),
            why: why_text(row),
        }
    }
}

/// As [`why_text`], in English.
pub(crate) fn why(row: Row) -> String {
    why_text(row).english().to_owned()
}

/// The platform's own words where a push is not sent, else the reason. Of one that is called sent, whose word that is
/// where it is not the platform's, and with which attempt where others had failed.
pub(crate) fn why_text(row: Row) -> Text {
    let (error, reason) = (row.text("error"), row.text("reason"));
    let is_sent = row.text("state") == "sent";
    if is_sent && reason != Reason::ResolvedByHand.as_str() {
        return sent_late(row).unwrap_or_else(Text::none);
    }
    match row.text("detail") {
        // It is newer than the last attempt.
        detail if !is_sent && !detail.is_empty() => texts::reason_word(&reason).and(&Text::same(format!(": {detail}"))),
        _ if is_sent || error.is_empty() => texts::reason_word(&reason),
        _ => Text::same(error.into_owned()),
    }
}

/// That a push was sent, but not by its first attempt: how late that was in the end.
fn sent_late(row: Row) -> Option<Text> {
    let attempts = row.int("attempts").filter(|attempts| *attempts > 1)?;
    let late = row.instant("finished_at")?.ms_since(row.instant("due_at")?);
    Some(texts::sent_by_attempt(attempts, brief_ms(late)))
}

/// How the instants of these pushes are shown; `zone` is that of pushes outside any job.
pub(crate) fn instants(utc: bool, zone: &str, table: &Table) -> Instants {
    // A fire by hand is of any millisecond; the minute tells enough of it.
    let counts = |row: Row| row.instant("due_at").filter(|_| row.text("triggered_by") == "cron");
    Instants::new(utc, zone, rows(table).map(|row| (counts(row), Some(row.text("timezone")))))
}

/// What pushes come to.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub pushes: u64,
    /// How many are in which state, of those that there are.
    pub states: Vec<(PushState, u64)>,
    /// None where nothing was begun; so is the next.
    pub median_lateness_ms: Option<i64>,
    pub most_lateness_ms: Option<i64>,
}

/// The sum of pushes, counted page by page.
#[derive(Default)]
pub(crate) struct Tally {
    states: BTreeMap<&'static str, u64>,
    /// How often each lateness was seen, in milliseconds; in full seconds where it is long.
    late: BTreeMap<i64, u64>,
    lines: u64,
}

impl Tally {
    /// Adds a page.
    pub(crate) fn count(&mut self, page: &Table) {
        self.lines += page.rows.len() as u64;
        for row in rows(page) {
            if let Some(state) = PushState::parse(&row.text("state")) {
                *self.states.entry(state.as_str()).or_default() += 1;
            }
            if let Some(late) = row.int("lateness_ms") {
                let late = if late < 100_000 { late } else { late - late % 1000 };
                *self.late.entry(late).or_default() += 1;
            }
        }
    }

    /// What was counted.
    pub(crate) fn summary(&self) -> Summary {
        let of = |state: PushState| self.states.get(state.as_str()).map(|count| (state, *count));
        Summary {
            pushes: self.lines,
            states: PushState::ALL.into_iter().filter_map(of).collect(),
            median_lateness_ms: self.median_late(),
            most_lateness_ms: self.late.last_key_value().map(|(late, _)| *late),
        }
    }

    fn median_late(&self) -> Option<i64> {
        let mut before = self.late.values().sum::<u64>() / 2;
        for (late, count) in &self.late {
            match before.checked_sub(*count) {
                Some(rest) => before = rest,
                None => return Some(*late),
            }
        }
        None
    }
}
