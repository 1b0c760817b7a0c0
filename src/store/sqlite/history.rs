//! The views, read for people: filters, order and values as JSON; and the whole story of a few fires.

use rusqlite::types::{ToSql, ValueRef};
use rusqlite::{Connection, Row, params, params_from_iter};
use serde_json::Value;

use super::cells::{At, instant, maybe_instant, number, text};
use super::fault::{Fault, Result};
use crate::domain::{PushState, UtcMs};
use crate::store::{BadEnd, BadEnds, Filter, FireRecord, Mark, Revision, Standing, Table, View};

pub(super) fn view(conn: &Connection, view: View, filter: &Filter) -> Result<Table> {
    let Query { sql, values } = build(view, filter);
    let mut statement = conn.prepare(&sql)?;
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let rows = statement.query_and_then(params_from_iter(values), |row| cells(row, columns.len()))?;
    let rows = rows.collect::<Result<_>>()?;
    Ok(Table { columns, rows })
}

/// The index by which a page of `push_history` is walked. Without statistics SQLite would guess, and among ten
/// million rows a wrong guess is the difference between a millisecond and minutes; so the conditions on all other
/// indexed columns are hidden from the planner behind a unary plus.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    Id,
    /// Final states other than `sent` are few.
    Trouble,
    /// So are open pushes.
    Open,
    Job,
    Due,
    Account,
    Im,
    /// Newest first until the page is full.
    Newest,
}

impl Walk {
    fn of(filter: &Filter) -> Walk {
        match filter.state {
            _ if filter.push_id.is_some() || filter.after_id.is_some() || filter.ids.is_some() => Walk::Id,
            Some(state) if !state.is_final() => Walk::Open,
            Some(state) if state != PushState::Sent => Walk::Trouble,
            _ if filter.job.is_some() => Walk::Job,
            _ if filter.since.is_some() || filter.until.is_some() => Walk::Due,
            _ if filter.account.is_some() => Walk::Account,
            _ if filter.im.is_some() => Walk::Im,
            _ => Walk::Newest,
        }
    }

    /// The order that the index gives: sorting would mean to read them all.
    fn order(self, oldest_first: bool) -> &'static str {
        match (self, oldest_first) {
            (Walk::Trouble, false) => " ORDER BY finished_at DESC, id DESC",
            (Walk::Trouble, true) => " ORDER BY finished_at, id",
            (Walk::Job | Walk::Due, false) => " ORDER BY due_at DESC, id DESC",
            (Walk::Job | Walk::Due, true) => " ORDER BY due_at, id",
            (_, false) => " ORDER BY id DESC",
            (_, true) => " ORDER BY id",
        }
    }

    /// What follows a mark in this order.
    fn go_on(self, query: &mut Query, after: Mark) {
        let at = match self {
            Walk::Trouble => after.finished_at.unwrap_or(after.due_at),
            Walk::Job | Walk::Due => after.due_at,
            _ => return query.push(" AND id > ").bind(after.id),
        };
        let column = if self == Walk::Trouble { "finished_at" } else { "due_at" };
        query.push(" AND ").push(column).push(" >= ").bind(At::from(at));
        query.push(" AND (+").push(column).push(" > ").bind(At::from(at));
        query.push(" OR +id > ").bind(after.id);
        query.push(")");
    }
}

/// A statement being put together: its text out of constants alone, and what is bound to its `?`.
#[derive(Default)]
struct Query {
    sql: String,
    values: Vec<Box<dyn ToSql>>,
}

impl Query {
    fn push(&mut self, constant: &'static str) -> &mut Query {
        self.sql.push_str(constant);
        self
    }

    fn bind(&mut self, value: impl ToSql + 'static) {
        self.sql.push('?');
        self.values.push(Box::new(value));
    }
}

fn build(view: View, filter: &Filter) -> Query {
    let mut query = Query::default();
    query.push("SELECT * FROM ").push(view.name()).push(" WHERE true");
    match view {
        View::PushHistory => {
            let walk = Walk::of(filter);
            push_filters(&mut query, filter, Some(walk));
            if let Some(after) = filter.after {
                walk.go_on(&mut query, after);
            }
            query.push(walk.order(filter.oldest_first));
        }
        View::DuePushes => {
            push_filters(&mut query, filter, None);
            query.push(" ORDER BY next_attempt_at, id");
        }
        View::FailuresToday => {
            push_filters(&mut query, filter, None);
            query.push(" ORDER BY finished_at DESC, id DESC");
        }
        View::UnknownPushes => {
            // The view has no column for what is the same in all its rows.
            let all_unknown = filter.state.is_none_or(|state| state == PushState::Unknown);
            query.push(if all_unknown { "" } else { " AND false" });
            push_filters(&mut query, &Filter { state: None, ..filter.clone() }, None);
            query.push(" ORDER BY finished_at DESC, id DESC");
        }
        View::JobOverview => {
            equals(&mut query, "job", filter.job.as_deref(), true);
            query.push(" ORDER BY job");
        }
        // In the order of the files, which is the view's own.
        View::AccountOverview => {
            equals(&mut query, "account", filter.account.as_deref(), true);
            equals(&mut query, "im", filter.im.as_deref(), true);
        }
    }
    if let Some(limit) = filter.limit {
        query.push(" LIMIT ").bind(number(limit));
        if filter.skip > 0 {
            query.push(" OFFSET ").bind(number(filter.skip));
        }
    }
    query
}

fn push_filters(query: &mut Query, filter: &Filter, walk: Option<Walk>) {
    let by = |index: Walk| walk.is_none_or(|walk| walk == index);
    equals(query, "job", filter.job.as_deref(), by(Walk::Job));
    equals(query, "im", filter.im.as_deref(), by(Walk::Im));
    equals(query, "account", filter.account.as_deref(), by(Walk::Account));
    equals(query, "state", filter.state.map(PushState::as_str), by(Walk::Trouble));
    // Spelt as the partial indexes spell it, else they are not used.
    match walk {
        Some(Walk::Trouble) => query.push(" AND finished_at IS NOT NULL AND state <> 'sent'"),
        Some(Walk::Open) => query.push(" AND finished_at IS NULL"),
        _ => query.push(""),
    };
    let due = if by(Walk::Due) || by(Walk::Job) { "due_at" } else { "+due_at" };
    // A page begins where the last one ended, not where the first one did.
    let reached = filter.after.filter(|_| matches!(walk, Some(Walk::Job | Walk::Due))).map(|after| after.due_at);
    if let Some(since) = filter.since.filter(|since| reached.is_none_or(|reached| reached < *since)) {
        query.push(" AND ").push(due).push(" >= ").bind(At::from(since));
    }
    if let Some(until) = filter.until {
        query.push(" AND ").push(due).push(" <= ").bind(At::from(until));
    }
    if let Some(id) = filter.push_id {
        query.push(" AND id = ").bind(id);
    }
    if let Some(id) = filter.after_id {
        query.push(" AND id > ").bind(id);
    }
    if let Some(ids) = &filter.ids {
        // Plain numbers.
        let ids = serde_json::to_string(ids).unwrap_or_default();
        query.push(" AND id IN (SELECT value FROM json_each(").bind(ids);
        query.push("))");
    }
}

fn equals(query: &mut Query, column: &'static str, value: Option<&str>, by_index: bool) {
    if let Some(value) = value {
        let plus = if by_index { "" } else { "+" };
        query.push(" AND ").push(plus).push(column).push(" = ").bind(value.to_owned());
    }
}

fn cells(row: &Row<'_>, columns: usize) -> Result<Vec<Value>> {
    (0..columns)
        .map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => number.into(),
                ValueRef::Real(number) => number.into(),
                text => text.as_str()?.into(),
            })
        })
        .collect()
}

pub(super) fn standings(conn: &Connection, after_id: i64, only_open: bool, limit: u64) -> Result<Vec<Standing>> {
    let mut statement = conn.prepare_cached(match only_open {
        true => {
            "SELECT id, state, attempts FROM pushes INDEXED BY pushes_open
              WHERE finished_at IS NULL AND id > ?1 ORDER BY id LIMIT ?2"
        }
        false => "SELECT id, state, attempts FROM pushes WHERE id > ?1 ORDER BY id LIMIT ?2",
    })?;
    let rows = statement.query_and_then(params![after_id, number(limit)], |row| {
        Ok(Standing { id: row.get(0)?, state: state(text(row, 1)?)?, attempts: row.get(2)? })
    })?;
    rows.collect()
}

/// What ended badly. A push that was retried by hand and failed again counts once, by its last end.
const BAD_ENDS: &str = "
   FROM bad_ends AS b
   JOIN pushes AS p ON p.id = b.push_id
   JOIN fires AS f ON f.id = p.fire_id
   LEFT JOIN attempts AS last ON last.push_id = p.id AND last.number = p.attempts
  WHERE b.seq > ?1 AND (?2 IS NULL OR p.finished_at > ?2)
    AND b.seq = (SELECT max(seq) FROM bad_ends WHERE push_id = p.id)
    AND p.state IN ('failed', 'unknown', 'expired')
    AND p.reason IS NOT 'resolved by hand'
    AND NOT (f.job IS NULL AND p.im IS ?3 AND p.target IS ?4)";

/// `except` is an im and a target.
pub(super) fn bad_ends(
    conn: &Connection,
    after: i64,
    since: Option<UtcMs>,
    except: Option<(String, String)>,
    first: u64,
) -> Result<BadEnds> {
    let (im, target) = except.unzip();
    let since = since.map(At::from);
    let last = conn.query_row("SELECT coalesce(max(seq), 0) FROM bad_ends", [], |row| row.get::<_, i64>(0))?;
    let mut ends = BadEnds { last: last.max(after), ..BadEnds::default() };
    let mut statement = conn.prepare(&format!("SELECT p.state, count(*) {BAD_ENDS} GROUP BY p.state"))?;
    let mut rows = statement.query(params![after, since, im, target])?;
    while let Some(row) = rows.next()? {
        ends.counts.push((state(text(row, 0)?)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)));
    }
    if !ends.counts.is_empty() {
        let mut statement = conn.prepare(&format!(
            "SELECT p.id, f.job, p.im, p.target, p.state, p.reason, last.error, p.account, p.finished_at {BAD_ENDS}
              ORDER BY p.finished_at, p.id LIMIT ?5"
        ))?;
        let rows = statement.query_and_then(params![after, since, im, target, number(first)], bad_end)?;
        ends.first = rows.collect::<Result<_>>()?;
    }
    Ok(ends)
}

fn state(word: &str) -> Result<PushState> {
    PushState::parse(word).ok_or_else(|| Fault::Row(format!("a push has the unknown state '{word}'")))
}

fn bad_end(row: &Row<'_>) -> Result<BadEnd> {
    Ok(BadEnd {
        id: row.get(0)?,
        job: row.get(1)?,
        im: row.get(2)?,
        target: row.get(3)?,
        state: state(text(row, 4)?)?,
        reason: row.get(5)?,
        error: row.get(6)?,
        account: row.get(7)?,
        finished_at: instant(row, 8)?,
    })
}

/// Fires as JSON objects with their pushes, and these with their attempts: the fields of the records in the trait.
pub(super) fn fires(conn: &Connection, job: &str, from: UtcMs, until: UtcMs) -> Result<Vec<FireRecord>> {
    // Gaps do not overlap, so of the rows before the time only the last can reach into it.
    let mut statement = conn.prepare(
        "SELECT json_object(
                  'triggered_by', triggered_by, 'due_at', due_at, 'until_at', until_at, 'count', count,
                  'decision', decision, 'reason', reason, 'recorded_at', recorded_at, 'zone', zone,
                  'revision', revision,
                  'pushes', (SELECT json_group_array(json_object(
                      'id', id, 'im', im, 'target', target, 'kind', kind, 'state', state, 'reason', reason,
                      'max_attempts', max_attempts, 'next_attempt_at', next_attempt_at, 'expires_at', expires_at,
                      'finished_at', finished_at, 'confirmed_at', confirmed_at,
                      'attempts', (SELECT json_group_array(json_object(
                          'number', number, 'account', account, 'rule', rule, 'sender', sender,
                          'started_at', started_at, 'finished_at', finished_at, 'outcome', outcome, 'error', error,
                          'http_status', http_status, 'message_id', message_id, 'note', note) ORDER BY number)
                                     FROM attempts WHERE push_id = pushes.id)) ORDER BY ordinal)
                               FROM pushes WHERE fire_id = f.id))
           FROM (SELECT * FROM fires WHERE job = ?1 AND due_at BETWEEN ?2 AND ?3
                 UNION ALL
                 SELECT * FROM (SELECT * FROM fires WHERE job = ?1 AND due_at < ?2 AND triggered_by = 'cron'
                                 ORDER BY due_at DESC LIMIT 1)
                  WHERE until_at >= ?2) AS f
          ORDER BY due_at, id",
    )?;
    let rows = statement.query_and_then(params![job, At::from(from), At::from(until)], |row| {
        Ok(serde_json::from_str(text(row, 0)?)?)
    })?;
    rows.collect()
}

pub(super) fn revisions(conn: &Connection, job: &str) -> Result<Vec<Revision>> {
    let mut statement = conn.prepare(
        "SELECT revision, schedule, timezone, enabled, definition, from_at, until_at FROM job_revisions WHERE job = ?1
         UNION ALL
         SELECT revision, schedule, timezone, enabled, definition, loaded_at, NULL FROM jobs WHERE name = ?1 AND removed_at IS NULL
          ORDER BY revision",
    )?;
    let rows = statement.query_and_then([job], |row| {
        Ok(Revision {
            revision: row.get(0)?,
            schedule: row.get(1)?,
            timezone: row.get(2)?,
            enabled: row.get(3)?,
            definition: serde_json::from_str(text(row, 4)?).ok(),
            from_at: instant(row, 5)?,
            until_at: maybe_instant(row, 6)?,
        })
    })?;
    rows.collect()
}
