//! Jobs: all of them by name, and one with what it did and will do.

use askama::Template;
use serde::Serialize;

use super::acts::ActRow;
use super::answer::{Answer, html};
use super::chart::Chart;
use super::explained::Explained;
use super::frame::Frame;
use super::stamp::Stamp;
use super::strip;
use super::tell::{Mark, PushRow};
use crate::answers::jobs::{self, JobLine};
use crate::answers::next::{self, in_words};
use crate::answers::rows::rows;
use crate::answers::when;
use crate::domain::{UtcMs, escaped_json};
use crate::net::http1::StatusCode;
use crate::store::{Filter, Unfired, View};
use crate::texts::{self, Text};
use crate::web::pages::{Given, cursor_of_name, name_of};
use crate::web::problem::Problem;
use crate::web::state::Api;

const JOBS: u64 = 100;
const LAST: u64 = 20;
const SKIPPED: u64 = 10;
const NEXT: usize = 10;
/// Longer definitions are cut: media stand in them as they are.
const DEFINITION: usize = 20_000;

/// One job among others.
struct JobRow {
    name: String,
    schedule: String,
    timezone: String,
    state: Mark,
    next: Option<Stamp>,
    last: Option<Stamp>,
    results: Vec<Mark>,
    open: i64,
}

#[derive(Template)]
#[template(path = "jobs.html", config = "src/web/askama.toml")]
struct JobsPage {
    f: Frame,
    jobs: Vec<JobRow>,
    next: Option<String>,
}

/// Instants that did not fire.
struct SkippedRow {
    due: Stamp,
    until: Option<Stamp>,
    count: u64,
    decision: String,
    reason: String,
}

struct NextLine {
    at: Stamp,
    note: Option<String>,
}

#[derive(Template)]
#[template(path = "job.html", config = "src/web/askama.toml")]
struct JobPage {
    f: Frame,
    name: String,
    schedule: String,
    timezone: String,
    mark: Mark,
    is_paused: bool,
    by_verb: bool,
    revision: i64,
    loaded: Option<Stamp>,
    ended: Option<Stamp>,
    next: Vec<NextLine>,
    lines: Vec<PushRow>,
    skipped: Vec<SkippedRow>,
    /// The time that somebody asks about, and the answer.
    asked: String,
    told: Vec<String>,
    /// Where all pushes of that time are.
    asked_pushes: Option<String>,
    /// The last weeks, day by day.
    chart: Chart,
    acts: Vec<ActRow>,
    definition: String,
    is_cut: bool,
}

impl Api {
    pub(super) async fn jobs_page(&self, frame: Frame, given: &Given) -> Answer {
        let f = frame.of_part("jobs", texts::nav_jobs());
        let after_job = given.text("before").map(name_of).transpose()?;
        let filter = Filter { limit: Some(JOBS), after_job, ..Filter::default() };
        let table = self.reader.view(View::JobOverview, &filter).await?;
        let row = |line: JobLine<'_>| JobRow {
            name: line.job.into_owned(),
            schedule: line.schedule.into_owned(),
            state: state_of_job(&line.state, &f),
            next: line.next_due_at.map(|at| f.at(at, Some(&line.timezone))),
            last: line.last_due_at.map(|at| f.at(at, Some(&line.timezone))),
            results: line.result.split(',').filter(|word| !word.is_empty()).map(|word| result(word, &f)).collect(),
            open: line.open.unwrap_or_default(),
            timezone: line.timezone.into_owned(),
        };
        let jobs: Vec<JobRow> = JobLine::all(&table).map(row).collect();
        let last = jobs.last().filter(|_| jobs.len() as u64 >= JOBS);
        let next = last.map(|job| f.after(&cursor_of_name(&job.name)));
        html(StatusCode::OK, &JobsPage { jobs, next, f })
    }

    pub(super) async fn job_page(&self, frame: Frame, name: &str, given: &Given) -> Answer {
        let found = jobs::definition(&*self.reader, name).await?;
        let f = frame.of_part("jobs", Text::same(name.to_owned()));
        let of_job = Filter { job: Some(name.to_owned()), ..Filter::default() };
        let table = self.reader.view(View::JobOverview, &of_job).await?;
        let missing = || Problem::not_found(format!("there is no job '{name}'"));
        let row = rows(&table).next().ok_or_else(missing)?;
        let zone = found.job.timezone.clone();
        let at = |column: &str| row.instant(column).map(|at| f.at(at, Some(&zone)));
        let lines = self.lines(&Filter { limit: Some(LAST), ..of_job.clone() }, &f).await?;
        let skipped = self.reader.unfired(Some(name), None, Some(f.now), SKIPPED).await?;
        let skipped = skipped.iter().map(|unfired| skipped_row(unfired, &zone, &f)).collect();
        let acts = self.acts_on(of_job, &f).await?;
        let asked = given.text("at").unwrap_or_default().to_owned();
        let told = if asked.is_empty() { Explained::default() } else { self.told_at(name, &asked, &f).await? };
        let asked_pushes = told.of.map(|(from, until)| {
            // The second in which it ends is meant as a whole there.
            let until = UtcMs((until.0 - 1000).max(from.0));
            format!("{}?job={}&since={from}&until={until}", f.to("/pushes"), f.encoded(name))
        });
        let days_zone = when::zone(&zone);
        let days = self.reader.job_days(name, &strip::since(&f, &days_zone), f.now).await?;
        let chart = strip::strip(&days, name, &days_zone, &f);
        let mut jobs = [found.job];
        let (definition, is_cut) = pretty(&jobs[0]);
        let counted = self.reader.counted_fires().await?.into_iter().collect();
        next::bring_to_their_ends(&mut jobs, &counted, f.now)?;
        let next = next::coming(&jobs, Some(name), Some(NEXT), f.now)?;
        let next = next.iter().map(|fire| NextLine {
            at: f.at(fire.at, Some(&zone)),
            note: in_words(&fire.notes).map(|note| f.say(note)),
        });
        let page = JobPage {
            name: name.to_owned(),
            schedule: row.text("schedule").into_owned(),
            mark: state_of_job(&row.text("state"), &f),
            is_paused: row.text("state") == "paused",
            by_verb: row.text("source") == "verb",
            revision: row.int("revision").unwrap_or_default(),
            loaded: at("loaded_at"),
            ended: at("ended_at"),
            next: next.collect(),
            timezone: zone.to_string(),
            lines,
            skipped,
            asked,
            told: told.lines,
            asked_pushes,
            chart,
            acts,
            definition,
            is_cut,
            f,
        };
        html(StatusCode::OK, &page)
    }
}

fn skipped_row(unfired: &Unfired, zone: &str, frame: &Frame) -> SkippedRow {
    let zone = unfired.timezone.as_deref().unwrap_or(zone);
    SkippedRow {
        due: frame.at(unfired.due_at, Some(zone)),
        until: unfired.until_at.map(|at| frame.at(at, Some(zone))),
        count: unfired.count,
        decision: frame.say(texts::decision(unfired.decision)),
        reason: frame.say(texts::reason_in_words(&unfired.reason)),
    }
}

/// The state of a job by its word in the view.
fn state_of_job(word: &str, frame: &Frame) -> Mark {
    match word {
        "active" => Mark::new("good", "●", frame.say(texts::job_active())),
        "paused" => Mark::new("odd", "‖", frame.say(texts::job_paused())),
        "ended" => Mark::new("gone", "■", frame.say(texts::job_ended())),
        _ => Mark::new("gone", "○", frame.say(texts::job_disabled())),
    }
}

/// What became of a fire: a state of its pushes, or its own decision.
fn result(word: &str, frame: &Frame) -> Mark {
    match word {
        "skipped" => Mark::new("gone", "–", frame.say(texts::decision_skipped())),
        "missed" => Mark::new("bad", "✗", frame.say(texts::decision_missed())),
        "fired" => Mark::new("open", "…", frame.say(texts::decision_fired())),
        word => Mark::of_word(word, frame),
    }
}

/// So much of a text as a page has room for.
pub(super) fn cut(text: &str) -> (String, bool) {
    match text.char_indices().nth(DEFINITION) {
        Some((at, _)) => (text[..at].to_owned(), true),
        None => (text.to_owned(), false),
    }
}

/// A value as people read it.
pub(super) fn pretty(value: &impl Serialize) -> (String, bool) {
    cut(&escaped_json(&serde_json::to_string_pretty(value).unwrap_or_default()))
}
