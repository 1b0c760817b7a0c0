//! Now: what wants a person, what waits, and what comes next.

use askama::Template;

use super::accounts::{AccountRow, account_rows};
use super::answer::{Answer, html};
use super::chart::Chart;
use super::frame::Frame;
use super::stamp::{Stamp, encoded};
use super::tell::PushRow;
use super::timeline::{since, timeline};
use crate::answers::accounts;
use crate::answers::next::{self, bring_to_their_ends, in_words, targets};
use crate::answers::when;
use crate::domain::{Job, PushState};
use crate::net::http1::StatusCode;
use crate::store::{Filter, StoreError, View};
use crate::texts;
use crate::web::problem::Problem;
use crate::web::state::Api;

const UNKNOWN: u64 = 10;
const FAILED: u64 = 20;
const OPEN: u64 = 20;
const NEXT: usize = 12;
/// Of so many jobs the next fires are worked out: those that come first.
const SOONEST: u64 = 200;
/// What counts as lately.
const LATELY_MS: i64 = 86_400_000;

/// A fire to come.
pub(super) struct NextRow {
    pub at: Stamp,
    pub job: String,
    pub place: String,
    pub targets: String,
    pub note: Option<String>,
}

#[derive(Template)]
#[template(path = "now.html", config = "src/web/askama.toml")]
struct NowPage {
    f: Frame,
    unknown: Vec<PushRow>,
    failed: Vec<PushRow>,
    open: Vec<PushRow>,
    accounts: Vec<AccountRow>,
    next: Vec<NextRow>,
    missing_from: Option<Stamp>,
    /// The hours behind and the day to come.
    chart: Chart,
}

impl Api {
    pub(super) async fn now_page(&self, frame: Frame) -> Answer {
        let f = frame.of_part("now", texts::nav_now());
        let one =
            |state: PushState, limit: u64| Filter { states: vec![state], limit: Some(limit), ..Filter::default() };
        let unknown = self.lines(&one(PushState::Unknown, UNKNOWN), &f).await?;
        let mut failed = self.lines(&one(PushState::Failed, FAILED), &f).await?;
        failed.extend(self.lines(&one(PushState::Expired, FAILED), &f).await?);
        failed.retain(|row| row.finished_at.is_some_and(|at| f.now.ms_since(at) < LATELY_MS));
        failed.sort_by_key(|row| std::cmp::Reverse((row.finished_at, row.id)));
        failed.truncate(usize::try_from(FAILED).unwrap_or(usize::MAX));
        let open = Filter {
            states: vec![PushState::Pending, PushState::Sending, PushState::Retrying],
            limit: Some(OPEN),
            oldest_first: true,
            ..Filter::default()
        };
        let open = self.lines(&open, &f).await?;
        let accounts = account_rows(&accounts::known(&*self.reader).await?, &f);
        let jobs = self.jobs_that_fire_next(&f).await?;
        let hours = self.reader.hours(since(f.now), f.now, f.now).await?;
        let chart = timeline(&hours.rows, &next::coming(&jobs, None, None, f.now)?, &when::zone(f.zone()), &f);
        let missing_from = hours.missing_from.map(|at| f.at(at, None));
        let next = next_rows(&jobs, &f)?;
        html(StatusCode::OK, &NowPage { unknown, failed, open, accounts, next, missing_from, chart, f })
    }

    pub(super) async fn lines(&self, filter: &Filter, frame: &Frame) -> Result<Vec<PushRow>, StoreError> {
        Ok(PushRow::all(&self.reader.view(View::PushHistory, filter).await?, frame))
    }

    async fn jobs_that_fire_next(&self, frame: &Frame) -> Result<Vec<Job>, Problem> {
        let mut jobs = self.reader.soonest_jobs(SOONEST, frame.now).await?;
        let paused = self.reader.paused_jobs().await?;
        jobs.retain(|job| !paused.contains(&job.name));
        let counted = self.reader.counted_fires().await?.into_iter().collect();
        bring_to_their_ends(&mut jobs, &counted, frame.now)?;
        Ok(jobs)
    }
}

fn next_rows(jobs: &[Job], frame: &Frame) -> Result<Vec<NextRow>, Problem> {
    let fires = next::coming(jobs, None, Some(NEXT), frame.now)?;
    let row = |fire: &next::Fire<'_>| NextRow {
        at: frame.at(fire.at, Some(&fire.job.timezone)),
        job: fire.job.name.clone(),
        place: frame.to(&format!("/jobs/{}", encoded(&fire.job.name))),
        targets: targets(fire.job),
        note: in_words(&fire.notes).map(|note| frame.say(note)),
    };
    Ok(fires.iter().map(row).collect())
}
