//! Acts: who did what, newest first.

use askama::Template;

use super::answer::{Answer, html};
use super::filters::PAGE;
use super::frame::Frame;
use super::stamp::Stamp;
use crate::answers::rows::{Row, rows};
use crate::domain::{PushState, UtcMs};
use crate::net::http1::StatusCode;
use crate::store::{Filter, Mark, StoreError, Table, View};
use crate::texts;
use crate::web::pages::{Given, cursor, mark};
use crate::web::state::Api;

/// One act.
pub(super) struct ActRow {
    pub at: Option<Stamp>,
    pub actor: String,
    pub via: String,
    pub verb: String,
    pub job: Option<String>,
    pub push_id: Option<i64>,
    pub before: String,
    pub after: String,
}

impl ActRow {
    fn all(table: &Table, frame: &Frame) -> Vec<ActRow> {
        rows(table).map(|row| ActRow::of(row, frame)).collect()
    }

    fn of(row: Row<'_>, frame: &Frame) -> ActRow {
        let state = |column: &str| match PushState::parse(&row.text(column)) {
            Some(state) => frame.say(texts::state(state)),
            None => row.text(column).into_owned(),
        };
        ActRow {
            at: row.instant("at").map(|at| frame.at(at, None)),
            actor: row.text("actor").into_owned(),
            via: row.text("via").into_owned(),
            verb: row.text("verb").into_owned(),
            job: Some(row.text("job").into_owned()).filter(|job| !job.is_empty()),
            push_id: row.int("push_id"),
            before: state("before"),
            after: state("after"),
        }
    }
}

#[derive(Template)]
#[template(path = "acts.html")]
struct ActsPage {
    f: Frame,
    job: String,
    push: String,
    acts: Vec<ActRow>,
    next: Option<String>,
}

impl Api {
    pub(super) async fn acts_page(&self, frame: Frame, given: &Given) -> Answer {
        let f = frame.of_part("acts", texts::nav_acts());
        let filter = Filter {
            job: given.text("job").map(str::to_owned),
            push_id: given.number("push").and_then(|id| i64::try_from(id).ok()),
            limit: Some(PAGE),
            after: mark(given)?,
            ..Filter::default()
        };
        let table = self.reader.view(View::Acts, &filter).await?;
        let last = rows(&table).next_back().and_then(|row| row.int("id"));
        let is_full = table.rows.len() as u64 >= PAGE;
        let mark = last.filter(|_| is_full).map(|id| Mark { id, due_at: UtcMs(0), ordered_at: None });
        let text = |name: &str| given.text(name).unwrap_or_default().to_owned();
        let (job, push) = (text("job"), text("push"));
        let next = mark.map(|mark| f.after(&cursor(mark)));
        let acts = ActRow::all(&table, &f);
        html(StatusCode::OK, &ActsPage { job, push, acts, next, f })
    }

    /// The newest acts on a push or a job.
    pub(super) async fn acts_on(&self, filter: Filter, frame: &Frame) -> Result<Vec<ActRow>, StoreError> {
        let filter = Filter { limit: Some(PAGE), ..filter };
        Ok(ActRow::all(&self.reader.view(View::Acts, &filter).await?, frame))
    }
}
