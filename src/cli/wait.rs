//! `--wait`: what became of pushes that a daemon was asked to send.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::args::{Show, duration};
use super::context::Context;
use super::failure::{Exit, Failure};
use super::{pushes, say};
use crate::acts::Acts;
use crate::answers::rows::rows;
use crate::answers::words::brief_ms;
use crate::domain::{Moment, PushState};
use crate::texts::{self, Language};

/// Whether to wait, and how long.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Waiting {
    /// Wait for the outcome and show it; as --wait 60s no longer than that
    #[arg(short, long, value_name = "DURATION", require_equals = true, value_parser = duration)]
    wait: Option<Option<Duration>>,
}

impl Waiting {
    pub(super) fn is_wanted(self) -> bool {
        self.wait.is_some()
    }

    /// When it ends, if it begins now.
    pub(super) fn until(self, acts: &Acts) -> Option<Moment> {
        acts.wait_until(self.wait.flatten())
    }

    /// Says that it has ended before its pushes.
    pub(super) fn tell_over(self, language: Language) {
        let limit = self.wait.flatten().unwrap_or_default();
        let over = brief_ms(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
        say::aside(&texts::wait_over_daemon_goes_on(over), language);
    }
}

/// The words with `--wait 60s` as `--wait=60s`. With verbs whose `--wait` may stand alone the word behind it would be the
/// job, or the number of a push; neither looks like a duration.
pub(super) fn with_durations_joined(words: Vec<OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(words.len());
    let mut are_options = true;
    for word in words {
        are_options &= word != "--";
        let is_duration = word.to_str().is_some_and(|word| word.ends_with(['s', 'm', 'h']) && duration(word).is_ok());
        match joined.last_mut() {
            Some(wait) if are_options && is_duration && (wait == "--wait" || wait == "-w") => {
                wait.push("=");
                wait.push(word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

/// Where it is wanted, shows what became of these pushes once all are final or `until` has come. Else says so if nobody
/// is there to send them.
///
/// # Errors
///
/// When the daemon that is waited for is gone.
pub(super) async fn or_tell(
    context: &Context,
    acts: &Acts,
    push_ids: &[i64],
    (waiting, until): (Waiting, Option<Moment>),
) -> Result<Exit, Failure> {
    if !waiting.is_wanted() {
        if !context.daemon_runs()? {
            say::aside(&texts::no_daemon_will_send(), context.language());
        }
        return Ok(Exit::Done);
    }
    let table = acts.follow(push_ids, until, || context.daemon_runs()).await?;
    let show = Show::default();
    let zone = context.whereabouts()?.timezone;
    let language = context.language();
    say::aloud(|out| pushes::print(out, show, &zone, &table, language));
    let is_open = |state: &str| PushState::parse(state).is_some_and(|state| !state.is_final());
    if rows(&table).any(|row| is_open(&row.text("state"))) {
        waiting.tell_over(language);
    }
    // A push whose row is gone has nothing to show for it.
    let sent = rows(&table).filter(|row| row.text("state") == PushState::Sent.as_str()).count();
    Ok(if sent == push_ids.len() { Exit::Done } else { Exit::Failed })
}
