//! The views, read for people: filters, order and values as JSON.

use jiff::tz::TimeZone;
use serde_json::Value;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Column, Encode, Executor, Postgres, Row, SqlSafeStr, Statement, Type, TypeInfo};

use super::ask::{all, done};
use super::cells::number;
use super::connect::{ANSWER, within};
use super::fault::{Fault, Result};
use super::instants::At;
use crate::domain::PushState;
use crate::store::model::{Filter, Mark, Table, View};
use crate::store::walk::{Beyond, Walk, bounds};

pub(super) async fn view(conn: &mut PgConnection, view: View, filter: &Filter) -> Result<Table> {
    if view == View::FailuresToday {
        count_days_here(conn).await?;
    }
    let Query { sql, arguments } = build(view, filter)?;
    let rows = all(conn, sqlx::query_with(AssertSqlSafe(sql.clone()), arguments)).await?;
    let columns = match rows.first() {
        Some(row) => names(row.columns()),
        // Where there is no line, the statement tells what its columns are.
        None => {
            let statement = within(ANSWER, conn.prepare(AssertSqlSafe(sql).into_sql_str())).await?;
            names(statement.columns())
        }
    };
    Ok(Table { columns, rows: rows.iter().map(cells).collect::<Result<_>>()? })
}

fn names<C: Column>(columns: &[C]) -> Vec<String> {
    columns.iter().map(|column| column.name().to_owned()).collect()
}

/// Today is that of the machine that asks, until the transaction ends.
async fn count_days_here(conn: &mut PgConnection) -> Result<()> {
    let here = TimeZone::system();
    let Some(name) = here.iana_name().filter(|_| !here.is_unknown()) else { return Ok(()) };
    done(conn, sqlx::query("SELECT set_config('TimeZone', $1, true)").bind(name)).await?;
    Ok(())
}

/// A statement being put together: its text out of constants alone, and what is bound to its `$1` and so on.
#[derive(Default)]
struct Query {
    sql: String,
    arguments: PgArguments,
}

impl Query {
    fn push(&mut self, constant: &'static str) -> &mut Query {
        self.sql.push_str(constant);
        self
    }

    /// Only an instant before all that people know cannot be bound.
    fn bind<'t, T: Encode<'t, Postgres> + Type<Postgres>>(&mut self, value: T) -> Result<&mut Query> {
        self.arguments.add(value).map_err(|problem| Fault::Row(problem.to_string()))?;
        self.sql.push('$');
        self.sql.push_str(&self.arguments.len().to_string());
        Ok(self)
    }
}

fn build(view: View, filter: &Filter) -> Result<Query> {
    let mut query = Query::default();
    query.push("SELECT * FROM ").push(view.name()).push(" WHERE true");
    match view {
        View::PushHistory => {
            let walk = Walk::of(filter);
            push_filters(&mut query, filter, Some(walk))?;
            if let Some(after) = filter.after {
                go_on(&mut query, walk, after, filter.oldest_first)?;
            }
            query.push(walk.order(filter.oldest_first));
        }
        View::DuePushes => {
            push_filters(&mut query, filter, None)?;
            if let Some(after) = filter.after {
                // One that is being sent has no next attempt, and stands first.
                query.push(" AND (coalesce(next_attempt_at, '-infinity'), id) > (coalesce(");
                query.bind(after.ordered_at.map(At::from))?.push("::timestamptz, '-infinity'), ");
                query.bind(after.id)?.push(")");
            }
            query.push(" ORDER BY next_attempt_at NULLS FIRST, id");
        }
        View::FailuresToday => {
            push_filters(&mut query, filter, None)?;
            ended_before(&mut query, filter)?;
            query.push(" ORDER BY finished_at DESC, id DESC");
        }
        View::UnknownPushes => {
            // The view has no column for what is the same in all its rows.
            let all_unknown = filter.states.is_empty() || filter.states.contains(&PushState::Unknown);
            query.push(if all_unknown { "" } else { " AND false" });
            push_filters(&mut query, &Filter { states: Vec::new(), ..filter.clone() }, None)?;
            ended_before(&mut query, filter)?;
            query.push(" ORDER BY finished_at DESC, id DESC");
        }
        View::JobOverview => {
            equals(&mut query, " AND job = ", filter.job.as_deref())?;
            equals(&mut query, " AND job > ", filter.after_job.as_deref())?;
            query.push(" ORDER BY job");
        }
        View::Acts => acts(&mut query, filter)?,
        // In the order of the files, which is the view's own.
        View::AccountOverview => {
            equals(&mut query, " AND account = ", filter.account.as_deref())?;
            equals(&mut query, " AND im = ", filter.im.as_deref())?;
        }
    }
    if let Some(limit) = filter.limit {
        query.push(" LIMIT ").bind(number(limit))?;
        if filter.skip > 0 {
            query.push(" OFFSET ").bind(number(filter.skip))?;
        }
    }
    Ok(query)
}

fn acts(query: &mut Query, filter: &Filter) -> Result<()> {
    equals(query, " AND job = ", filter.job.as_deref())?;
    if let Some(id) = filter.push_id {
        query.push(" AND (push_id = ").bind(id)?;
        query.push(" OR fire_id = (SELECT fire_id FROM pushes WHERE id = ").bind(id)?;
        query.push(") AND push_id IS NULL)");
    }
    if let Some(since) = filter.since {
        query.push(" AND at >= ").bind(At::from(since))?;
    }
    if let Some(until) = filter.until {
        query.push(" AND at <= ").bind(At::from(until))?;
    }
    if let Some(after) = filter.after {
        query.push(if filter.oldest_first { " AND id > " } else { " AND id < " }).bind(after.id)?;
    }
    query.push(if filter.oldest_first { " ORDER BY id" } else { " ORDER BY id DESC" });
    Ok(())
}

/// What follows a mark in the order of a walk.
fn go_on(query: &mut Query, walk: Walk, after: Mark, oldest_first: bool) -> Result<()> {
    let (beyond, from) = if oldest_first { (" > ", " >= ") } else { (" < ", " <= ") };
    match walk.beyond(after) {
        Beyond::Id(id) => query.push(" AND id").push(beyond).bind(id)?,
        Beyond::At { column, at, id } => {
            query.push(" AND ").push(column).push(from).bind(At::from(at))?;
            query.push(" AND (").push(column).push(beyond).bind(At::from(at))?;
            query.push(" OR id").push(beyond).bind(id)?.push(")")
        }
    };
    Ok(())
}

/// What follows a mark where the newest end comes first.
fn ended_before(query: &mut Query, filter: &Filter) -> Result<()> {
    if let Some(after) = filter.after {
        query.push(" AND (finished_at, id) < (").bind(At::from(after.ordered_at.unwrap_or(after.due_at)))?;
        query.push(", ").bind(after.id)?.push(")");
    }
    Ok(())
}

fn push_filters(query: &mut Query, filter: &Filter, walk: Option<Walk>) -> Result<()> {
    equals(query, " AND job = ", filter.job.as_deref())?;
    equals(query, " AND im = ", filter.im.as_deref())?;
    equals(query, " AND account = ", filter.account.as_deref())?;
    if !filter.states.is_empty() {
        let words: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
        query.push(" AND state = ANY(").bind(words)?.push(")");
    }
    if !filter.targets.is_empty() {
        query.push(" AND target = ANY(").bind(&filter.targets)?.push(")");
    }
    // Spelt as the partial indexes spell it, else they are not used.
    match walk {
        Some(Walk::Trouble) => query.push(" AND finished_at IS NOT NULL AND state <> 'sent'"),
        Some(Walk::Open) => query.push(" AND finished_at IS NULL"),
        _ => query.push(""),
    };
    let (since, until) = bounds(filter, walk);
    if let Some(since) = since {
        query.push(" AND due_at >= ").bind(At::from(since))?;
    }
    if let Some(until) = until {
        query.push(" AND due_at <= ").bind(At::from(until))?;
    }
    if let Some(id) = filter.push_id {
        query.push(" AND id = ").bind(id)?;
    }
    if let Some(id) = filter.after_id {
        query.push(" AND id > ").bind(id)?;
    }
    if let Some(ids) = &filter.ids {
        query.push(" AND id = ANY(").bind(ids)?.push(")");
    }
    Ok(())
}

fn equals(query: &mut Query, condition: &'static str, value: Option<&str>) -> Result<()> {
    if let Some(value) = value {
        query.push(condition).bind(value)?;
    }
    Ok(())
}

/// The same values as SQLite's: instants as the text that they have everywhere, flags as 0 and 1.
fn cells(row: &PgRow) -> Result<Vec<Value>> {
    let cell = |column: &sqlx::postgres::PgColumn| {
        let place = column.ordinal();
        Ok(match column.type_info().name() {
            "TIMESTAMPTZ" => row.try_get::<Option<At>, _>(place)?.map(|at| at.0.to_string()).into(),
            "BOOL" => row.try_get::<Option<bool>, _>(place)?.map(i64::from).into(),
            "INT8" => row.try_get::<Option<i64>, _>(place)?.into(),
            "INT4" => row.try_get::<Option<i32>, _>(place)?.into(),
            _ => row.try_get::<Option<String>, _>(place)?.into(),
        })
    };
    row.columns().iter().map(cell).collect()
}
