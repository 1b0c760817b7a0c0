//! What other processes write: `fire`, `push`, `retry`, `cancel`, `pause` and a person's own SQL.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::debug;

use crate::clock::SharedClock;
use crate::engine::dispatcher::Event;
use crate::engine::scheduler::Command;
use crate::store::sqlite::{Identity, Lost};
use crate::store::{OpenPush, SharedStore, StoreError};

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
            if let Err(error) =
                look(&store, store.open_pushes(), &dispatcher, &scheduler, &mut paused, &mut behind).await
            {
                // The next look comes soon, and a database in trouble is told by whoever writes.
                debug!(%error, "cannot see what other processes wrote");
            }
            clock.sleep(LOOK_EVERY).await;
        }
    })
}

/// `open_pushes` is asked only where somebody wrote.
async fn look(
    store: &SharedStore,
    open_pushes: impl Future<Output = Result<Vec<OpenPush>, StoreError>> + Send,
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
    let _ = dispatcher.send(Event::Opened(open_pushes.await?));
    *behind = false;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::domain::{Body, Database, Message, PushSpec, RetryPolicy, Target, Trigger, UtcMs};
    use crate::store::{self, Access, AdHoc};

    #[tokio::test]
    async fn what_another_process_wrote_stays_news_until_it_has_been_read() {
        let dir = tempfile::tempdir().unwrap();
        let now = ManualClock::new(UtcMs(1_767_229_200_000)).now();
        let database = Database::at(dir.path().join("pushcron.db"));
        let store = store::open(&database, Access::Daemon, now).await.unwrap();
        let (dispatcher, mut told) = mpsc::unbounded_channel();
        let (scheduler, _commands) = mpsc::channel(1);
        let (mut paused, mut behind) = (None, false);
        look(&store, store.open_pushes(), &dispatcher, &scheduler, &mut paused, &mut behind).await.unwrap();
        while told.try_recv().is_ok() {}

        let spec = PushSpec {
            im: "qq".to_owned(),
            account: None,
            target: Target::Group("1".to_owned()),
            message: Message { title: None, body: Body::Text { text: "hi".to_owned() } },
            timeout: Duration::from_secs(8),
            retry: RetryPolicy::default(),
        };
        let push = AdHoc { spec, triggered_by: Trigger::Manual, chat: None };
        let other = store::open(&database, Access::Write, now).await.unwrap();
        let id = other.push_ad_hoc(push, now).await.unwrap();

        let unread = async { Err(StoreError::Unavailable("database is locked".to_owned())) };
        let failed = look(&store, unread, &dispatcher, &scheduler, &mut paused, &mut behind).await;
        assert!(failed.is_err() && told.try_recv().is_err());
        look(&store, store.open_pushes(), &dispatcher, &scheduler, &mut paused, &mut behind).await.unwrap();
        let Ok(Event::Opened(pushes)) = told.try_recv() else { panic!("nothing is told") };
        assert_eq!(pushes.iter().map(|push| push.id).collect::<Vec<_>>(), [id]);
    }
}
