//! The views, read for people: filters, order and values as JSON.

use rusqlite::types::{ToSql, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use serde::Serialize;
use serde_json::Value;

use super::cells::{At, number};
use super::fault::Result;
use crate::domain::PushState;
use crate::store::model::{Filter, Mark, Table, View};
use crate::store::walk::{Beyond, Walk, bounds};

pub(super) fn view(conn: &Connection, view: View, filter: &Filter) -> Result<Table> {
    let Query { sql, values } = build(view, filter);
    let mut statement = conn.prepare(&sql)?;
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let rows = statement.query_and_then(params_from_iter(values), |row| cells(row, columns.len()))?;
    let rows = rows.collect::<Result<_>>()?;
    Ok(Table { columns, rows })
}

/// What follows a mark in the order of a walk.
fn go_on(query: &mut Query, walk: Walk, after: Mark, oldest_first: bool) {
    let (beyond, from) = if oldest_first { (" > ", " >= ") } else { (" < ", " <= ") };
    match walk.beyond(after) {
        Beyond::Id(id) => query.push(" AND id").push(beyond).bind(id),
        Beyond::At { column, at, id } => {
            query.push(" AND ").push(column).push(from).bind(At::from(at));
            query.push(" AND (+").push(column).push(beyond).bind(At::from(at));
            query.push(" OR +id").push(beyond).bind(id);
            query.push(")");
        }
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
                go_on(&mut query, walk, after, filter.oldest_first);
            }
            query.push(walk.order(filter.oldest_first));
        }
        View::DuePushes => {
            push_filters(&mut query, filter, None);
            if let Some(after) = filter.after {
                // One that is being sent has no next attempt, and stands first.
                query
                    .push(" AND (coalesce(next_attempt_at, ''), id) > (coalesce(")
                    .bind(after.ordered_at.map(At::from));
                query.push(", ''), ").bind(after.id);
                query.push(")");
            }
            query.push(" ORDER BY next_attempt_at, id");
        }
        View::FailuresToday => {
            push_filters(&mut query, filter, None);
            ended_before(&mut query, filter);
            query.push(" ORDER BY finished_at DESC, id DESC");
        }
        View::UnknownPushes => {
            // The view has no column for what is the same in all its rows.
            let all_unknown = filter.states.is_empty() || filter.states.contains(&PushState::Unknown);
            query.push(if all_unknown { "" } else { " AND false" });
            push_filters(&mut query, &Filter { states: Vec::new(), ..filter.clone() }, None);
            ended_before(&mut query, filter);
            query.push(" ORDER BY finished_at DESC, id DESC");
        }
        View::JobOverview => {
            equals(&mut query, "job", filter.job.as_deref(), true);
            if let Some(job) = &filter.after_job {
                query.push(" AND job > ").bind(job.clone());
            }
            query.push(" ORDER BY job");
        }
        View::Acts => {
            equals(&mut query, "job", filter.job.as_deref(), true);
            if let Some(id) = filter.push_id {
                query.push(" AND (push_id = ").bind(id);
                query.push(" OR fire_id = (SELECT fire_id FROM pushes WHERE id = ").bind(id);
                query.push(") AND push_id IS NULL)");
            }
            if let Some(since) = filter.since {
                query.push(" AND at >= ").bind(At::from(since));
            }
            if let Some(until) = filter.until {
                query.push(" AND at <= ").bind(At::from(until));
            }
            if let Some(after) = filter.after {
                query.push(if filter.oldest_first { " AND id > " } else { " AND id < " }).bind(after.id);
            }
            query.push(if filter.oldest_first { " ORDER BY id" } else { " ORDER BY id DESC" });
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

/// What follows a mark where the newest end comes first.
fn ended_before(query: &mut Query, filter: &Filter) {
    if let Some(after) = filter.after {
        query.push(" AND (finished_at, id) < (").bind(At::from(after.ordered_at.unwrap_or(after.due_at)));
        query.push(", ").bind(after.id);
        query.push(")");
    }
}

/// Without statistics SQLite would guess which index to walk by, and among ten million rows a wrong guess is the difference between
/// a millisecond and minutes; so the conditions on all other indexed columns are hidden from the planner behind a unary plus.
fn push_filters(query: &mut Query, filter: &Filter, walk: Option<Walk>) {
    let by = |index: Walk| walk.is_none_or(|walk| walk == index);
    equals(query, "job", filter.job.as_deref(), by(Walk::Job));
    equals(query, "im", filter.im.as_deref(), by(Walk::Im));
    equals(query, "account", filter.account.as_deref(), by(Walk::Account));
    match filter.states[..] {
        [] => {}
        [state] => equals(query, "state", Some(state.as_str()), by(Walk::Trouble)),
        ref states => {
            let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
            any_of(query, if by(Walk::Trouble) { " AND state" } else { " AND +state" }, &words);
        }
    }
    if !filter.targets.is_empty() {
        any_of(query, " AND +target", &filter.targets);
    }
    // Spelt as the partial indexes spell it, else they are not used.
    match walk {
        Some(Walk::Trouble) => query.push(" AND finished_at IS NOT NULL AND state <> 'sent'"),
        Some(Walk::Open) => query.push(" AND finished_at IS NULL"),
        _ => query.push(""),
    };
    let due = if by(Walk::Due) || by(Walk::Job) { "due_at" } else { "+due_at" };
    let (since, until) = bounds(filter, walk);
    if let Some(since) = since {
        query.push(" AND ").push(due).push(" >= ").bind(At::from(since));
    }
    if let Some(until) = until {
        query.push(" AND ").push(due).push(" <= ").bind(At::from(until));
    }
    if let Some(id) = filter.push_id {
        query.push(" AND id = ").bind(id);
    }
    if let Some(id) = filter.after_id {
        query.push(" AND id > ").bind(id);
    }
    if let Some(ids) = &filter.ids {
        any_of(query, " AND id", ids);
    }
}

/// Plain numbers and texts can always be written.
fn any_of(query: &mut Query, column: &'static str, values: &[impl Serialize]) {
    let values = serde_json::to_string(values).unwrap_or_default();
    query.push(column).push(" IN (SELECT value FROM json_each(").bind(values);
    query.push("))");
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
