//! `explain`: why a job fired at a time, or did not.

use std::io::{self, Write};

use clap::Args;
use clap_complete::ArgValueCandidates;
use jiff::tz::TimeZone;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::{candidates, render};
use crate::answers::explain::{self, Teller};
use crate::domain::escaped;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron explain daily-report 09:00                 today, by the clock of the job's zone
  pushcron explain daily-report '2026-03-29 02:30'
  pushcron explain daily-report 2026-03-29T01:00:00Z --json")]
pub struct Explain {
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
    /// 09:00, 2026-01-01T09:00, 2026-01-01 (the whole day), 2026-01-01T01:00:00Z
    time: String,
    /// A JSON object: the answer, and the rows behind it
    #[arg(long)]
    json: bool,
    /// Times in UTC instead of the job's zone
    #[arg(long)]
    utc: bool,
}

impl Explain {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let now = context.now();
        let (story, stretch) =
            context.reading(async |store| Ok(explain::read(store, &self.job, &self.time, now).await?))?;
        let zone = if self.utc { TimeZone::UTC } else { story.zone() };
        let waiting = story.waiting_ims();
        let contacts = context.contacts(|account| waiting.contains(account.im.as_str()));
        let teller =
            Teller { story: &story, stretch: &stretch, zone, now, daemon_runs: context.daemon_runs()?, contacts };
        let answer = teller.answer();
        let mut out = io::stdout().lock();
        if self.json {
            let asked = json!({ "from": stretch.from, "until": stretch.until });
            let told = json!({ "answer": answer, "asked": asked, "calls": teller.calls(), "story": story });
            writeln!(out, "{}", render::pretty(&told))?;
        } else {
            for line in render::wrapped(&escaped(&answer), render::Screen::of_stdout().width.min(100)) {
                writeln!(out, "{line}")?;
            }
        }
        Ok(Exit::Done)
    }
}
