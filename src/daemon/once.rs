//! A push outside any job, with or without a daemon.

use std::time::Duration;

use tokio::sync::oneshot;

use std::sync::Arc;

use super::setup::{self, Opened};
use super::{DaemonError, Options};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::domain::{Next, PushState, UtcMs};
use crate::engine::desk::MediaDesk;
use crate::engine::dispatcher::{Dispatcher, Event};
use crate::store::sqlite::{Access, DaemonLock, LockError, Purpose, SqliteStore, is_daemon};
use crate::store::{AdHoc, Settle, SharedStore};

/// How often the state of a push is looked up while waiting for its end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What became of the push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushResult {
    pub push_id: i64,
    pub state: PushState,
    /// Whether a daemon goes on trying where the state is still open.
    pub daemon: bool,
}

/// Pushes once: through the running daemon where there is one, else from here. Waits at most `wait` for the end.
///
/// Without a daemon nobody would ever try again, so a push that is still open after the wait is cancelled.
///
/// `config` is the one by whose rules the push was judged.
///
/// # Errors
/// [`DaemonError`] where the push could not even be recorded.
pub fn push(options: &Options, config: Config, push: AdHoc, wait: Duration) -> Result<PushResult, DaemonError> {
    super::runtime()?.block_on(push_with(options, config, push, wait, SystemClock::shared()))
}

async fn push_with(
    options: &Options,
    config: Config,
    mut push: AdHoc,
    wait: Duration,
    clock: SharedClock,
) -> Result<PushResult, DaemonError> {
    let path = setup::database_path(options, &config)?;
    let until = clock.monotonic() + wait;
    // Another push by hand is waited for: it looks at its own row only.
    let opened = match Opened::within(&path, Purpose::Push, wait, &clock).await {
        Ok(opened) => opened,
        Err(DaemonError::Lock(LockError::Held { holder, .. })) if is_daemon(&holder) => {
            let store: SharedStore = Arc::new(SqliteStore::open(&path, Access::Write, clock.now()).await?);
            setup::keep_inline(&store, &mut push.spec.message, clock.now()).await?;
            let push_id = store.push_ad_hoc(push, clock.now()).await?;
            let left = until.saturating_sub(clock.monotonic());
            let mut state = wait_for_end(&store, &clock, push_id, left).await?;
            // The daemon may have ended meanwhile, and whoever holds the database now looks at a push of its own.
            let daemon = DaemonLock::daemon_runs(&path);
            if !daemon && !state.is_final() && store.cancel(push_id, clock.now()).await.is_ok() {
                state = store.push_state(push_id).await?.unwrap_or(PushState::Unknown);
            }
            store.close().await;
            return Ok(PushResult { push_id, state, daemon });
        }
        Err(error) => return Err(error),
    };
    let store = opened.store.clone();
    let environment = setup::environment(&clock, &store, &path)?;
    let roster = setup::roster(&config, &environment)?;
    let desk = Arc::new(MediaDesk::new(setup::media(&config, &path), clock.clone(), store.clone()));
    let (_, notes) = opened.recover(&roster, &clock).await?;
    let (dispatcher, inbox) = Dispatcher::new(store.clone(), clock.clone(), desk, notes);
    let events = dispatcher.handle();
    setup::keep_inline(&store, &mut push.spec.message, clock.now()).await?;
    let push_id = store.push_ad_hoc(push, clock.now()).await?;
    // Other open pushes wait for the daemon: this process is here for one.
    let ours = store.open_pushes().await?.into_iter().filter(|open| open.id == push_id).collect();
    let _ = events.send(Event::Accounts(roster));
    let _ = events.send(Event::Opened(ours));
    let dispatching = tokio::spawn(dispatcher.run(inbox));
    let left = until.saturating_sub(clock.monotonic());
    wait_for_end(&store, &clock, push_id, left).await?;
    let (done, stopped) = oneshot::channel();
    let _ = events.send(Event::Stop(done));
    let _ = stopped.await;
    let _ = dispatching.await;
    give_up(&store, push_id, clock.now()).await?;
    let state = store.push_state(push_id).await?.unwrap_or(PushState::Unknown);
    store.close().await;
    Ok(PushResult { push_id, state, daemon: false })
}

/// Ends the push if it is still open, since nobody would ever look at it again.
async fn give_up(store: &SharedStore, push_id: i64, now: UtcMs) -> Result<(), DaemonError> {
    let open = store.open_pushes().await?.into_iter().find(|open| open.id == push_id);
    let Some(open) = open else { return Ok(()) };
    let reason = "not sent in time, and no daemon goes on".to_owned();
    let next = if open.perhaps_sent { Next::Unknown { reason } } else { Next::Cancelled { reason } };
    store.settle(vec![Settle { push_id, next }], now).await?;
    Ok(())
}

async fn wait_for_end(
    store: &SharedStore,
    clock: &SharedClock,
    push_id: i64,
    wait: Duration,
) -> Result<PushState, DaemonError> {
    let until = clock.monotonic() + wait;
    loop {
        let state = store.push_state(push_id).await?.unwrap_or(PushState::Unknown);
        if state.is_final() || clock.monotonic() >= until {
            return Ok(state);
        }
        clock.sleep(LOOK_EVERY).await;
    }
}
