//! `status`: whether the daemon is there and well, and what waits for a person.

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::lines;
use super::render::{self, Screen};
use super::say::say;
use crate::answers::status::{Down, Life, Status};
use crate::answers::when;
use crate::answers::words::brief_ms;
use crate::config::Problem;
use crate::domain::presence::{LastReload, ReloadOutcome};
use crate::domain::{UtcMs, escaped};
use crate::texts::{self, Language, Text};

/// So many columns of a screen the titles take.
const TITLES: usize = 10;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron status
  pushcron status --quiet && echo alive     for a health check: 0 where a daemon runs and is well, else 69
  pushcron status --strict                  1 also where something waits for a person

What is told by --strict: files that were refused or cannot be read, accounts that are down, and pushes that are unknown.")]
pub(super) struct StatusVerb {
    /// End with 1 where something waits for a person, though a daemon runs
    #[arg(long)]
    strict: bool,
    /// One JSON object: at, daemon, last_reload, files_unread, what comes and what waits, accounts_down
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
        let unread = context.unread_files();
        if self.json {
            let mut told = json!(status);
            told["files_unread"] = json!(unread);
            say(render::pretty(&told));
        } else if !context.is_quiet() {
            let zone = if self.utc { TimeZone::UTC } else { when::zone(&whereabouts.timezone) };
            let (language, width) = (context.language(), Screen::of_stdout().width);
            let narrator = Narrator { status: &status, unread: &unread, zone, language, width };
            for line in narrator.lines().iter().flat_map(|line| line.split('\n')) {
                say(escaped(line));
            }
        }
        Ok(match status.is_alive() {
            false => Exit::OutOfReach,
            true if self.strict && !(status.is_well() && unread.is_empty()) => Exit::Failed,
            true => Exit::Done,
        })
    }
}

struct Narrator<'a> {
    status: &'a Status,
    /// What is wrong with the files as they are now.
    unread: &'a [Problem],
    zone: TimeZone,
    language: Language,
    /// Of the screen.
    width: usize,
}

impl Narrator<'_> {
    fn lines(&self) -> Vec<String> {
        let Status { last_reload, situation, accounts_down, .. } = self.status;
        let mut lines = vec![self.line(texts::title_daemon(), self.daemon())];
        lines.extend(last_reload.iter().flat_map(|last| self.files(last)));
        lines.extend(self.unread.iter().flat_map(|problem| self.unread(problem)));
        let paused = match situation.paused_jobs {
            0 => Text::none(),
            paused => texts::and_paused(paused),
        };
        let next = match &situation.next_fire {
            Some(next) => Text::same(format!("{}  {}", self.at(next.due_at), next.job)),
            None => texts::no_fire(),
        };
        lines.push(self.line(texts::title_jobs(), texts::active_jobs(situation.active_jobs, paused)));
        lines.push(self.line(texts::title_next_fire(), next));
        let waiting = match situation.waiting_fires {
            0 => Text::none(),
            fires => texts::and_fires_to_be_made(fires),
        };
        lines.push(self.line(texts::title_open(), texts::pushes(situation.open).and(&waiting)));
        let look = if situation.unknown == 0 { Text::none() } else { texts::look_then_resolve() };
        lines.push(self.line(texts::title_unknown(), texts::pushes(situation.unknown).and(&look)));
        let look = if situation.failed == 0 { Text::none() } else { texts::see_failed() };
        lines.push(self.line(texts::title_failed(), texts::in_24_hours(texts::pushes(situation.failed), look)));
        match &accounts_down[..] {
            [] => lines.push(self.line(texts::title_accounts(), texts::no_account_down())),
            down => lines.extend(down.iter().map(|down| self.line(texts::title_account(), self.down(down)))),
        }
        let zone = texts::times_in(self.zone.iana_name().unwrap_or("UTC"));
        lines.push(zone.in_language(self.language).to_owned());
        lines
    }

    /// A title and what stands beside it, in columns also where a sign is two columns wide, and on as many lines as it needs.
    fn line(&self, title: Text, told: Text) -> String {
        let (title, told) = (title.in_language(self.language), told.in_language(self.language));
        let gap = TITLES.saturating_sub(title.width());
        let (told, room) = (escaped(told), self.width.saturating_sub(TITLES + 1).max(20));
        let told = if told.width() <= room { vec![told.into_owned()] } else { lines::filled(&told, room) };
        format!("{title}{:gap$} {}", "", told.join(&format!("\n{:TITLES$} ", "")))
    }

    fn at(&self, at: UtcMs) -> String {
        when::shown(at, &self.zone, true, false)
    }

    /// `2026-01-01 09:00:00 (3h ago)`.
    fn ago(&self, at: UtcMs) -> Text {
        texts::ago(self.at(at), brief_ms(self.status.at.ms_since(at).max(0)))
    }

    fn daemon(&self) -> Text {
        let daemon = &self.status.daemon;
        let holder = holder(daemon.holder.as_deref().unwrap_or_default());
        let ago = |at: Option<UtcMs>| at.map_or_else(Text::none, |at| self.ago(at));
        let start = texts::start_it();
        match daemon.state {
            Life::Running => match daemon.started_at.filter(|_| daemon.stopped_at.is_none()) {
                Some(at) => texts::running_since(self.ago(at), holder),
                None => texts::running_since_now(holder),
            },
            Life::Stuck => texts::not_well(holder, ago(daemon.alive_at)),
            Life::Stopped => texts::stopped_at(ago(daemon.stopped_at), start),
            Life::Gone => texts::gone_since(ago(daemon.alive_at), start),
            Life::Never => texts::never_ran(start),
        }
    }

    fn files(&self, last: &LastReload) -> Vec<String> {
        let at = self.ago(last.at);
        let files = |told| self.line(texts::title_files(), told);
        let told = match last.outcome {
            ReloadOutcome::Loaded => return vec![files(texts::files_loaded(at))],
            ReloadOutcome::Refused if !self.status.is_alive() => texts::files_refused_and_read_at_start(at),
            ReloadOutcome::Refused => texts::files_refused(at),
            ReloadOutcome::InPart => texts::files_in_part(at),
        };
        let problem = last.problem.iter().flat_map(|problem| problem.lines());
        let problem = problem.map(|problem| format!("{:TITLES$} {problem}", ""));
        [files(told)].into_iter().chain(problem).collect()
    }

    /// The daemon goes on by what it knows; its next reload or start is refused.
    fn unread(&self, problem: &Problem) -> Vec<String> {
        let told = problem.told(self.language);
        let mut lines = told.lines();
        let first = texts::files_unread(lines.next().unwrap_or_default());
        let rest = lines.map(|line| format!("{:TITLES$} {line}", ""));
        [self.line(texts::title_files(), first)].into_iter().chain(rest).collect()
    }

    fn down(&self, down: &Down) -> Text {
        let Down { account, im, online, error, checked_at } = down;
        let asked = checked_at.map_or_else(Text::none, |at| texts::and_asked(self.ago(at)));
        let error = if error.is_empty() { Text::none() } else { texts::after_colon(error) };
        match online {
            Some(false) => texts::account_is_down(account, im, error, asked),
            _ => texts::account_may_not_send(account, im, error, asked),
        }
    }
}

/// Who holds the database, from its own words: `daemon, pid 7, since …`. Since when is told beside it, by the clock of
/// whoever asks.
fn holder(words: &str) -> Text {
    let mut parts = words.splitn(3, ", ");
    match (parts.next(), parts.next().and_then(|pid| pid.strip_prefix("pid "))) {
        (Some("daemon"), Some(pid)) => texts::a_daemon(pid),
        _ => Text::same(words.to_owned()),
    }
}
