//! How is it? Whether a daemon is there and well, whether what it runs is what the files say, and what waits for a person.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::accounts::{self, AccountLine};
use crate::domain::presence::{LAST_RELOAD, LastReload, PRESENCE, Presence, RUNS, ReloadOutcome, Runs};
use crate::domain::{Database, UtcMs};
use crate::store::{self, Access, Backend, Holder, Situation, StoreError};

/// A daemon leaves word of itself every 30 s, and its timer makes a round at least as often.
const SILENT_FOR: Duration = Duration::from_secs(180);

/// What counts as lately.
const LATELY: Duration = Duration::from_secs(86_400);

/// How things stand.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    pub at: UtcMs,
    pub daemon: Daemon,
    /// What became of the files when a daemon read them last; None where none of this release has.
    pub last_reload: Option<LastReload>,
    #[serde(flatten)]
    pub situation: Situation,
    pub accounts_down: Vec<Down>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Daemon {
    pub state: Life,
    /// Who holds the database, as it says itself: a daemon, or a push by hand.
    pub holder: Option<String>,
    /// The last daemon that there was; so are the next two.
    pub started_at: Option<UtcMs>,
    pub alive_at: Option<UtcMs>,
    pub stopped_at: Option<UtcMs>,
}

/// Whether a daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Life {
    Running,
    /// It is there, and has not been seen making its rounds for some minutes, or cannot write to the database.
    Stuck,
    /// It stopped because it was told to.
    Stopped,
    /// It is gone without a word: killed, or with its machine.
    Gone,
    /// Nothing is known of any.
    Never,
}

/// An account that cannot send now.
#[derive(Debug, Serialize)]
pub(crate) struct Down {
    pub account: String,
    pub im: String,
    pub online: Option<bool>,
    pub error: String,
    pub checked_at: Option<UtcMs>,
}

impl Status {
    /// Reads how things stand at `now`; `holder` is who holds the database.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn read(store: &dyn Backend, holder: Option<Holder>, now: UtcMs) -> Result<Status, StoreError> {
        let notes = store.load_state("").await?;
        let known = accounts::known(store).await?;
        let is_down = |line: &AccountLine<'_>| line.online == Some(false) || line.sendable == Some(false);
        let down = AccountLine::all(&known).filter(is_down).map(|line| Down {
            account: line.account.into_owned(),
            im: line.im.into_owned(),
            online: line.online,
            error: line.last_error.into_owned(),
            checked_at: line.checked_at,
        });
        Ok(Status {
            at: now,
            daemon: Daemon::of(noted::<Presence>(&notes, PRESENCE), holder, now),
            last_reload: noted(&notes, LAST_RELOAD),
            situation: store.situation(now, now - LATELY).await?,
            accounts_down: down.collect(),
        })
    }

    /// Whether a daemon runs and does its work: what a health check asks. An account that is down is no reason to start
    /// it again.
    pub(crate) fn is_alive(&self) -> bool {
        self.daemon.state == Life::Running
    }

    /// Whether nothing waits for a person either.
    pub(crate) fn is_well(&self) -> bool {
        self.is_alive() && self.runs_its_files() && self.situation.unknown == 0 && self.accounts_down.is_empty()
    }

    /// Whether what runs is what the files said when they were read last.
    pub(crate) fn runs_its_files(&self) -> bool {
        self.last_reload.as_ref().is_none_or(|last| last.outcome == ReloadOutcome::Loaded)
    }
}

/// By which files the last daemon ran; None where it was of an earlier release, or the database cannot be read.
pub(crate) fn runs(database: &Database, now: UtcMs) -> Option<Runs> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let store = store::open(database, Access::Read, now).await.ok()?;
        let notes = store.load_state("").await;
        store.close().await;
        noted(&notes.ok()?, RUNS)
    })
}

/// What cannot be read is of another release, and says nothing.
fn noted<T: DeserializeOwned>(notes: &[(String, String)], key: &str) -> Option<T> {
    notes.iter().find(|(name, _)| name == key).and_then(|(_, value)| serde_json::from_str(value).ok())
}

impl Daemon {
    fn of(presence: Option<Presence>, holder: Option<Holder>, now: UtcMs) -> Daemon {
        let runs = holder.as_ref().is_some_and(|holder| holder.is_daemon);
        let state = match (&presence, runs) {
            // Before its first word there is that of the one before.
            (Some(Presence { stopped_at: None, alive_at, .. }), true) if *alive_at + SILENT_FOR < now => Life::Stuck,
            (_, true) => Life::Running,
            (None, false) => Life::Never,
            (Some(presence), false) if presence.stopped_at.is_some() => Life::Stopped,
            (Some(_), false) => Life::Gone,
        };
        Daemon {
            state,
            holder: holder.map(|holder| holder.words),
            started_at: presence.map(|presence| presence.started_at),
            alive_at: presence.map(|presence| presence.alive_at),
            stopped_at: presence.and_then(|presence| presence.stopped_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_alive_by_the_word_that_it_leaves_and_the_database_that_it_holds() {
        let at = |minute: i64| UtcMs(minute * 60_000);
        let presence =
            |stopped: Option<i64>| Presence { started_at: at(0), alive_at: at(10), stopped_at: stopped.map(at) };
        let daemon = || Some(Holder { words: "daemon, pid 7".to_owned(), is_daemon: true });
        let push = || Some(Holder { words: "push, pid 7".to_owned(), is_daemon: false });
        for (presence, holder, now, state) in [
            (Some(presence(None)), daemon(), 11, Life::Running),
            (Some(presence(None)), daemon(), 14, Life::Stuck),
            (Some(presence(None)), None, 11, Life::Gone),
            (Some(presence(None)), push(), 11, Life::Gone),
            (Some(presence(Some(12))), None, 60, Life::Stopped),
            // It is just starting.
            (Some(presence(Some(12))), daemon(), 60, Life::Running),
            // One of an earlier release leaves no word.
            (None, daemon(), 60, Life::Running),
            (None, None, 60, Life::Never),
        ] {
            let told = Daemon::of(presence, holder, at(now));
            assert_eq!(told.state, state, "{told:?} at {now}");
        }
    }
}
