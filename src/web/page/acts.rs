//! Acts: who did what, newest first.

use askama::Template;

use super::answer::{Answer, html};
use super::frame::Frame;
use super::stamp::Stamp;
use crate::answers::rows::{Row, rows};
use crate::domain::PushState;
use crate::net::http1::StatusCode;
use crate::store::{Filter, StoreError, Table, View};
use crate::texts;
use crate::web::pages::{Given, filter_of_acts, next};
use crate::web::state::Api;

/// Acts on one push or one job that its page tells.
const ON_IT: u64 = 50;

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
#[template(path = "acts.html", config = "src/web/askama.toml")]
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
        let filter = filter_of_acts(given)?;
        let table = self.reader.view(View::Acts, &filter).await?;
        let text = |name: &str| given.text(name).unwrap_or_default().to_owned();
        let (job, push) = (text("job"), text("push"));
        let next = next(&table, &filter).map(|cursor| f.after(&cursor));
        let acts = ActRow::all(&table, &f);
        html(StatusCode::OK, &ActsPage { job, push, acts, next, f })
    }

    /// The newest acts on a push or a job.
    pub(super) async fn acts_on(&self, filter: Filter, frame: &Frame) -> Result<Vec<ActRow>, StoreError> {
        let filter = Filter { limit: Some(ON_IT), ..filter };
        Ok(ActRow::all(&self.reader.view(View::Acts, &filter).await?, frame))
    }
}
