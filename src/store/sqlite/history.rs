//! The views, read for people: filters, order and values as JSON; and the whole story of a few fires.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, QueryBuilder, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef};

use super::accounts::instant;
use super::fault::{Fault, Result};
use crate::domain::{PushState, Target, UtcMs};
use crate::store::{BadEnd, BadEnds, Filter, FireRecord, Revision, Table, View};

pub(super) async fn view(conn: &mut SqliteConnection, view: View, filter: &Filter) -> Result<Table> {
    let mut query = build(view, filter);
    let rows: Vec<SqliteRow> = query.build().fetch_all(&mut *conn).await?;
    let columns = match rows.first() {
        Some(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
        None => columns(conn, view).await?,
    };
    let rows = rows.iter().map(values).collect::<Result<_>>()?;
    Ok(Table { columns, rows })
}

/// An empty page has headings too.
async fn columns(conn: &mut SqliteConnection, view: View) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT name FROM pragma_table_info(?1)").bind(view.name()).fetch_all(conn).await?)
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
            _ if filter.push_id.is_some() || filter.after_id.is_some() || filter.by_id => Walk::Id,
            Some(state) if !state.is_final() => Walk::Open,
            Some(state) if state != PushState::Sent => Walk::Trouble,
            _ if filter.job.is_some() => Walk::Job,
            _ if filter.since.is_some() || filter.until.is_some() => Walk::Due,
            _ if filter.account.is_some() => Walk::Account,
            _ if filter.im.is_some() => Walk::Im,
            _ => Walk::Newest,
        }
    }

    /// Newest first, in the order that the index gives: sorting would mean to read them all.
    fn order(self) -> &'static str {
        match self {
            Walk::Trouble => " ORDER BY finished_at DESC, id DESC",
            Walk::Job | Walk::Due => " ORDER BY due_at DESC, id DESC",
            Walk::Id | Walk::Open | Walk::Account | Walk::Im | Walk::Newest => " ORDER BY id DESC",
        }
    }
}

fn build(view: View, filter: &Filter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT * FROM ");
    query.push(view.name()).push(" WHERE true");
    match view {
        View::PushHistory => {
            let walk = Walk::of(filter);
            push_filters(&mut query, filter, Some(walk));
            query.push(if filter.by_id { " ORDER BY id" } else { walk.order() });
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
        query.push(" LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    }
    query
}

fn push_filters(query: &mut QueryBuilder<Sqlite>, filter: &Filter, walk: Option<Walk>) {
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
    if let Some(since) = filter.since {
        query.push(" AND ").push(due).push(" >= ").push_bind(since.to_string());
    }
    if let Some(until) = filter.until {
        query.push(" AND ").push(due).push(" <= ").push_bind(until.to_string());
    }
    if let Some(id) = filter.push_id {
        query.push(" AND id = ").push_bind(id);
    }
    if let Some(id) = filter.after_id {
        query.push(" AND id > ").push_bind(id);
    }
}

fn equals(query: &mut QueryBuilder<Sqlite>, column: &str, value: Option<&str>, by_index: bool) {
    if let Some(value) = value {
        let plus = if by_index { "" } else { "+" };
        query.push(" AND ").push(plus).push(column).push(" = ").push_bind(value.to_owned());
    }
}

fn values(row: &SqliteRow) -> Result<Vec<Value>> {
    (0..row.len())
        .map(|i| {
            let raw = row.try_get_raw(i)?;
            Ok(match raw.type_info().name() {
                _ if raw.is_null() => Value::Null,
                "INTEGER" => row.try_get::<i64, _>(i)?.into(),
                "REAL" => row.try_get::<f64, _>(i)?.into(),
                _ => row.try_get::<String, _>(i)?.into(),
            })
        })
        .collect()
}

/// What ended badly, spelt as the partial index spells it.
const BAD_ENDS: &str = "
   FROM pushes AS p INDEXED BY pushes_troubled
   JOIN fires AS f ON f.id = p.fire_id
   LEFT JOIN attempts AS last ON last.push_id = p.id AND last.number = p.attempts
  WHERE p.finished_at IS NOT NULL AND p.state <> 'sent'
    AND p.state IN ('failed', 'unknown', 'expired')
    AND p.finished_at > ?1 AND p.finished_at <= ?2
    AND p.reason IS NOT 'resolved by hand'
    AND NOT (f.job IS NULL AND p.im IS ?3 AND p.target IS ?4)";

pub(super) async fn bad_ends(
    conn: &mut SqliteConnection,
    after: UtcMs,
    until: UtcMs,
    except: Option<(&str, &Target)>,
    first: u64,
) -> Result<BadEnds> {
    let (im, target) = except.map(|(im, target)| (im, target.to_string())).unzip();
    // Both texts are constants of this file.
    let counting = format!("SELECT p.state, count(*), max(p.finished_at) {BAD_ENDS} GROUP BY p.state");
    let counts: Vec<(String, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(counting))
        .bind(after.to_string())
        .bind(until.to_string())
        .bind(im)
        .bind(&target)
        .fetch_all(&mut *conn)
        .await?;
    if counts.is_empty() {
        return Ok(BadEnds::default());
    }
    let telling = format!(
        "SELECT p.id, f.job, p.im, p.target, p.state, p.reason, last.error, p.account, p.finished_at {BAD_ENDS}
          ORDER BY p.finished_at, p.id LIMIT ?5"
    );
    let rows: Vec<SqliteRow> = sqlx::query(sqlx::AssertSqlSafe(telling))
        .bind(after.to_string())
        .bind(until.to_string())
        .bind(im)
        .bind(&target)
        .bind(i64::try_from(first).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    let mut ends = BadEnds { first: rows.iter().map(bad_end).collect::<Result<_>>()?, ..BadEnds::default() };
    for (word, count, last_at) in counts {
        ends.counts.push((state(&word)?, u64::try_from(count).unwrap_or(0)));
        ends.last_at = ends.last_at.max(Some(instant(last_at)?));
    }
    Ok(ends)
}

fn state(word: &str) -> Result<PushState> {
    PushState::parse(word).ok_or_else(|| Fault::Row(format!("a push has the unknown state '{word}'")))
}

fn bad_end(row: &SqliteRow) -> Result<BadEnd> {
    Ok(BadEnd {
        id: row.try_get("id")?,
        job: row.try_get("job")?,
        im: row.try_get("im")?,
        target: row.try_get("target")?,
        state: state(row.try_get("state")?)?,
        reason: row.try_get("reason")?,
        error: row.try_get("error")?,
        account: row.try_get("account")?,
        finished_at: instant(row.try_get("finished_at")?)?,
    })
}

/// Fires as JSON objects with their pushes, and these with their attempts: the fields of the records in the trait.
pub(super) async fn fires(
    conn: &mut SqliteConnection,
    job: &str,
    from: UtcMs,
    until: UtcMs,
) -> Result<Vec<FireRecord>> {
    // Gaps do not overlap, so of the rows before the time only the last can reach into it.
    let rows: Vec<String> = sqlx::query_scalar(
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
    )
    .bind(job)
    .bind(from.to_string())
    .bind(until.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok(serde_json::from_str(row)?)).collect()
}

pub(super) async fn revisions(conn: &mut SqliteConnection, job: &str) -> Result<Vec<Revision>> {
    let rows: Vec<(u32, String, String, Option<String>)> = sqlx::query_as(
        "SELECT revision, definition, from_at, until_at FROM job_revisions WHERE job = ?1
         UNION ALL
         SELECT revision, definition, loaded_at, NULL FROM jobs WHERE name = ?1 AND removed_at IS NULL
          ORDER BY revision",
    )
    .bind(job)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(revision, definition, from_at, until_at)| {
            let definition = serde_json::from_str(&definition)?;
            let until_at = until_at.map(instant).transpose()?;
            Ok(Revision { revision, definition, from_at: instant(from_at)?, until_at })
        })
        .collect()
}
