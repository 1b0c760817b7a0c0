//! `status`: whether the daemon is there and well, and what waits for a person.

use std::fmt::Display;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::render;
use super::say::say;
use crate::answers::status::{Down, Life, Status};
use crate::answers::when;
use crate::answers::words::brief_ms;
use crate::domain::presence::{LastReload, ReloadOutcome};
use crate::domain::{UtcMs, escaped};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron status
  pushcron status --quiet && echo alive     for a health check: 0 where a daemon runs and is well, else 69
  pushcron status --strict                  1 also where something waits for a person

What is told by --strict: files that were refused, accounts that are down, and pushes that are unknown.")]
pub(super) struct StatusVerb {
    /// End with 1 where something waits for a person, though a daemon runs
    #[arg(long)]
    strict: bool,
    /// One JSON object: at, daemon, last_reload, what comes and what waits, accounts_down
    #[arg(long)]
    json: bool,
    /// Times in UTC instead of daemon.timezone
    #[arg(long)]
    utc: bool,
}

impl StatusVerb {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let whereabouts = context.whereabouts()?;
        let status = context.reading_all(async |store| {
            let holder = context.holder()?;
            Ok(Status::read(store, holder, context.now()).await?)
        })?;
        if self.json {
            say(render::pretty(&json!(status)));
        } else if !context.is_quiet() {
            let zone = if self.utc { TimeZone::UTC } else { when::zone(&whereabouts.timezone) };
            for line in (Teller { status: &status, zone }).lines() {
                say(escaped(&line));
            }
        }
        Ok(match status.is_alive() {
            false => Exit::OutOfReach,
            true if self.strict && !status.is_well() => Exit::Failed,
            true => Exit::Done,
        })
    }
}

struct Teller<'a> {
    status: &'a Status,
    zone: TimeZone,
}

impl Teller<'_> {
    fn lines(&self) -> Vec<String> {
        let Status { last_reload, situation, accounts_down, .. } = self.status;
        let mut lines = vec![line("daemon", self.daemon())];
        lines.extend(last_reload.iter().flat_map(|last| self.files(last)));
        let paused = match situation.paused_jobs {
            0 => String::new(),
            paused => format!(" ({paused} more paused)"),
        };
        let next = match &situation.next_fire {
            Some(next) => format!("{}  {}", self.at(next.due_at), next.job),
            None => "none".to_owned(),
        };
        lines.push(line("jobs", format!("{} active{paused}", situation.active_jobs)));
        lines.push(line("next fire", next));
        let waiting = match situation.waiting_fires {
            0 => String::new(),
            1 => ", and 1 fire whose pushes are still to be made".to_owned(),
            fires => format!(", and {fires} fires whose pushes are still to be made"),
        };
        lines.push(line("open", format!("{}{waiting}", pushes(situation.open))));
        let look = match situation.unknown {
            0 => "",
            _ => ": look at the chats, then `pushcron resolve PUSH sent|failed` (history --state unknown)",
        };
        lines.push(line("unknown", format!("{}{look}", pushes(situation.unknown))));
        let look = match situation.failed {
            0 => "",
            _ => " (history --state failed,expired --since 24h)",
        };
        lines.push(line("failed", format!("{} in 24 hours{look}", pushes(situation.failed))));
        match &accounts_down[..] {
            [] => lines.push(line("accounts", "none is known to be down")),
            down => lines.extend(down.iter().map(|down| self.down(down))),
        }
        lines.push(format!("times in {}", self.zone.iana_name().unwrap_or("UTC")));
        lines
    }

    fn at(&self, at: UtcMs) -> String {
        when::shown(at, &self.zone, true, false)
    }

    /// `2026-01-01 09:00:00 (3h ago)`.
    fn ago(&self, at: UtcMs) -> String {
        format!("{} ({} ago)", self.at(at), brief_ms(self.status.at.ms_since(at).max(0)))
    }

    fn daemon(&self) -> String {
        let daemon = &self.status.daemon;
        let holder = daemon.holder.as_deref().unwrap_or_default();
        let last = daemon.alive_at.map(|at| self.ago(at)).unwrap_or_default();
        let start = "start it: `systemctl start pushcron`, or `pushcron run`";
        match daemon.state {
            Life::Running => {
                let since = daemon.started_at.filter(|_| daemon.stopped_at.is_none()).map(|at| self.ago(at));
                format!("running since {} ({holder})", since.unwrap_or_else(|| "just now".to_owned()))
            }
            Life::Stuck => format!(
                "NOT WELL: {holder} holds the database, and was last seen at work at {last}: its timer stands still, or the \
                 database cannot be written (see its log, and restart it)"
            ),
            Life::Stopped => {
                let at = daemon.stopped_at.map(|at| self.ago(at)).unwrap_or_default();
                format!("NOT RUNNING: stopped at {at}; nothing fires until one starts; {start}")
            }
            Life::Gone => {
                format!("NOT RUNNING: last seen at {last}, and gone without a word (killed?); nothing fires; {start}")
            }
            Life::Never => format!("NOT RUNNING; nothing fires; {start}"),
        }
    }

    fn files(&self, last: &LastReload) -> Vec<String> {
        let at = self.ago(last.at);
        let told = match last.outcome {
            ReloadOutcome::Loaded => return vec![line("files", format!("loaded at {at}"))],
            ReloadOutcome::Refused if !self.status.is_alive() => {
                format!("REFUSED at {at}; a start reads them anew (`pushcron check` says whether they are mended):")
            }
            ReloadOutcome::Refused => {
                format!("REFUSED at {at}; what was loaded before goes on running (`pushcron check`, then reload):")
            }
            ReloadOutcome::InPart => format!("loaded only in part at {at}; reload again:"),
        };
        let problem = last.problem.iter().flat_map(|problem| problem.lines());
        [line("files", told)].into_iter().chain(problem.map(|problem| format!("           {problem}"))).collect()
    }

    fn down(&self, down: &Down) -> String {
        let Down { account, im, online, error, checked_at } = down;
        let what = if *online == Some(false) { "is down" } else { "may not send" };
        let checked = checked_at.map(|at| format!(", asked {}", self.ago(at))).unwrap_or_default();
        let error = if error.is_empty() { String::new() } else { format!(": {error}") };
        line("account", format!("{account} ({im}) {what}{error}{checked}"))
    }
}

fn pushes(count: u64) -> String {
    if count == 1 { "1 push".to_owned() } else { format!("{count} pushes") }
}

fn line(name: &str, told: impl Display) -> String {
    format!("{name:<10} {told}")
}
