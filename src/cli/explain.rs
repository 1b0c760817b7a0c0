//! `explain`: why a job fired at a time, or did not.

use std::io::{self, Write};

use clap::Args;
use clap_complete::ArgValueCandidates;
use jiff::tz::TimeZone;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::{candidates, lines, render};
use crate::answers::Asked;
use crate::answers::explain::Explanation;
use crate::answers::when::TimeRange;
use crate::domain::escaped;
use crate::texts::Language;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron explain daily-report 09:00                 today, by the clock of the job's zone
  pushcron explain daily-report 'sat 08:30'
  pushcron explain daily-report '2026-03-29 02:30'
  pushcron explain daily-report 2026-03-29T01:00:00Z --json")]
pub(super) struct Explain {
    /// The name of the job
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
    /// 09:00, 2026-01-01T09:00, 2026-01-01 (the whole day), 2026-01-01T01:00:00Z, 'sat 08:30', yesterday; `pushcron history`
    /// and `pushcron next` have those of the job
    time: String,
    /// A JSON object: the answer, and the rows behind it
    #[arg(long)]
    json: bool,
    /// Times in UTC instead of the job's zone
    #[arg(long)]
    utc: bool,
}

impl Explain {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let (now, explained) = context.reading(async |store| {
            let now = context.present(store).await?;
            let explained = Explanation::read(store, &self.job, &self.time, now).await;
            Ok((now, explained.map_err(|refusal| context.of_job(&self.job, refusal))?))
        })?;
        let waiting = explained.waiting_ims();
        let contacts = context.contacts(|account| waiting.contains(account.im.as_str()));
        let zone = if self.utc { TimeZone::UTC } else { explained.zone() };
        // Programs read English.
        let language = if self.json { Language::English } else { context.language() };
        let answer = explained.lines(zone, now, context.daemon_runs()?, &contacts, language);
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", render::pretty(&explained.with_answer(&answer)))?;
        } else {
            for line in wrapped(&answer, language) {
                writeln!(out, "{line}")?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Each of the lines as the screen takes it.
fn wrapped(answer: &[String], language: Language) -> Vec<String> {
    let width = render::Screen::of_stdout().width.min(100);
    let indent = if answer.len() > 1 { 2 } else { 0 };
    let broken = match language {
        Language::English => lines::hanging,
        // Its sentences have few blanks to be broken at.
        Language::Chinese => lines::hanging_filled,
    };
    answer.iter().flat_map(|line| broken(&escaped(line), width, indent)).collect()
}

/// What is to be told of a job in a stretch of time, on as many lines as the screen needs.
pub(super) async fn told(
    context: &Context,
    store: &dyn Asked,
    job: &str,
    asked: TimeRange,
    utc: bool,
    language: Language,
) -> Result<String, Failure> {
    let now = context.present(store).await?;
    let explained = Explanation::of_range(store, job, asked).await?;
    let zone = if utc { TimeZone::UTC } else { explained.zone() };
    Ok(wrapped(&explained.lines(zone, now, context.daemon_runs()?, &[], language), language).join("\n"))
}
