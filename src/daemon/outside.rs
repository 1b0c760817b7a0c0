//! What other processes write: `fire`, `push`, `retry`, `cancel`, `pause` and a person's own SQL.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::debug;

use crate::clock::SharedClock;
use crate::engine::dispatcher::Event;
use crate::engine::scheduler::Command;
use crate::store::sqlite::{Identity, Lost};
use crate::store::{SharedStore, StoreError};

/// How often the database is asked whether somebody else wrote: a counter in shared memory, some microseconds.
/// Verbs promise that a running daemon acts within a second.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Watches until aborted, or until the database or its log is no longer where it was.
pub fn watch(
    store: SharedStore,
    mut identity: Identity,
    clock: SharedClock,
    dispatcher: mpsc::UnboundedSender<Event>,
    scheduler: mpsc::Sender<Command>,
) -> JoinHandle<Lost> {
    tokio::spawn(async move {
        let mut paused = None;
        let mut behind = false;
        loop {
            if let Some(lost) = identity.look() {
                return lost;
            }
            if let Err(error) = look(&store, &dispatcher, &scheduler, &mut paused, &mut behind).await {
                // The next look comes soon, and a database in trouble is told by whoever writes.
                debug!(%error, "cannot see what other processes wrote");
            }
            clock.sleep(LOOK_EVERY).await;
        }
    })
}

async fn look(
    store: &SharedStore,
    dispatcher: &mpsc::UnboundedSender<Event>,
    scheduler: &mpsc::Sender<Command>,
    paused: &mut Option<Vec<String>>,
    behind: &mut bool,
) -> Result<(), StoreError> {
    if paused.is_none() {
        *paused = Some(store.paused_jobs().await?);
    }
    // What was written stays news until it has been read: the question is answered yes only once.
    *behind |= store.changed_outside().await?;
    if !*behind {
        return Ok(());
    }
    let paused_now = store.paused_jobs().await?;
    if paused.as_ref() != Some(&paused_now) {
        // Both ends are gone only while the daemon stops.
        let _ = scheduler.send(Command::Reread).await;
        *paused = Some(paused_now);
    }
    let _ = dispatcher.send(Event::Opened(store.open_pushes().await?));
    *behind = false;
    Ok(())
}
