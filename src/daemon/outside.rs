//! What other processes write: `fire`, `push`, `retry`, `cancel`, `pause`, `add` and a person's own SQL; and what people
//! do through this process itself, which the database tells nobody of: they ring.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tracing::debug;

use crate::clock::{SharedClock, pauses};
use crate::domain::UtcMs;
use crate::domain::presence::PROBE_ASKED;
use crate::engine::dispatcher::Event;
use crate::engine::scheduler::Command;
use crate::store::{Lease, Lost, OpenPush, Pause, SharedStore, StoreError};

/// How often a database that tells nobody is asked whether somebody else wrote, and whether it is still there: some
/// microseconds. Verbs promise that a running daemon acts within a second.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Whoever asked for the health of accounts while the daemon began to start may still wait.
const ASKED_LATELY: Duration = Duration::from_secs(60);

/// Watches until aborted, or until the database or its log is no longer where it was.
pub(super) fn watch(
    store: SharedStore,
    lease: &dyn Lease,
    clock: &SharedClock,
    subscribers: Subscribers,
    standing: Vec<String>,
) -> JoinHandle<Lost> {
    let pause = pauses(clock, LOOK_EVERY);
    let lost = lease.until_lost(pause.clone());
    let (asked_at, since) = (None, clock.now() - ASKED_LATELY);
    let mut outside = Outside { subscribers, standing, behind: true, asked_at, since };
    tokio::spawn(async move {
        tokio::select! {
            biased;
            lost = lost => lost,
            never = outside.follow(&store, &*pause) => match never {},
        }
    })
}

/// Who is told of what other processes write.
pub(super) struct Subscribers {
    dispatcher: mpsc::UnboundedSender<Event>,
    scheduler: mpsc::Sender<Command>,
    /// Told of every change: a fire by hand may wait for its content, or one that waits be cancelled.
    preparer: Arc<Notify>,
    /// Rung once this process has written what somebody asked it for.
    bell: Arc<Notify>,
}

impl Subscribers {
    /// And the bell to be rung.
    pub(super) fn new(
        dispatcher: mpsc::UnboundedSender<Event>,
        scheduler: mpsc::Sender<Command>,
        preparer: Arc<Notify>,
    ) -> (Subscribers, Arc<Notify>) {
        let bell = Arc::new(Notify::new());
        (Subscribers { dispatcher, scheduler, preparer, bell: bell.clone() }, bell)
    }
}

/// Who is told, and how far they were told.
struct Outside {
    subscribers: Subscribers,
    /// What verbs had changed of jobs when the scheduler last read them.
    standing: Vec<String>,
    /// Something was written that is not read yet.
    behind: bool,
    /// When somebody last asked for the health of all accounts, as far as it was heeded.
    asked_at: Option<UtcMs>,
    /// Who asked before does not wait for an answer any more.
    since: UtcMs,
}

impl Outside {
    async fn follow(&mut self, store: &SharedStore, pause: &Pause) -> Infallible {
        loop {
            if let Err(error) = self.look(store, store.open_pushes(), pause).await {
                // The next look comes soon, and a database in trouble is told by whoever writes.
                debug!(%error, "cannot see what other processes wrote");
            }
            tokio::select! {
                () = pause() => {}
                () = self.subscribers.bell.notified() => self.behind = true,
            }
        }
    }

    /// Waits for a change and tells of it; `open_pushes` is asked only then.
    async fn look(
        &mut self,
        store: &SharedStore,
        open_pushes: impl Future<Output = Result<Vec<OpenPush>, StoreError>> + Send,
        pause: &Pause,
    ) -> Result<(), StoreError> {
        // What was written stays news until it has been read: of a change is told only once.
        if !self.behind {
            tokio::select! {
                changed = store.changed(pause) => changed?,
                () = self.subscribers.bell.notified() => {}
            }
            self.behind = true;
        }
        let standing = store.changed_by_verbs().await?;
        if self.standing != standing {
            // Both ends are gone only while the daemon stops.
            let _ = self.subscribers.scheduler.send(Command::Reread).await;
            self.standing = standing;
        }
        self.heed_probes(store).await?;
        self.subscribers.preparer.notify_one();
        let _ = self.subscribers.dispatcher.send(Event::Opened(open_pushes.await?));
        self.behind = false;
        Ok(())
    }

    /// Has all accounts asked where a verb wants to know how they are: it reads their rows.
    async fn heed_probes(&mut self, store: &SharedStore) -> Result<(), StoreError> {
        let kept = store.load_state("").await?;
        let asked = kept.iter().find(|(key, _)| key == PROBE_ASKED).and_then(|(_, at)| at.parse().ok());
        if asked != self.asked_at && asked.is_some_and(|at| at >= self.since) {
            let _ = self.subscribers.dispatcher.send(Event::ProbeEach);
        }
        self.asked_at = asked;
        Ok(())
    }
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
        let (dispatcher, mut heard) = mpsc::unbounded_channel();
        let (scheduler, _commands) = mpsc::channel(1);
        let (subscribers, bell) = Subscribers::new(dispatcher, scheduler, Arc::default());
        let mut outside = Outside { subscribers, standing: Vec::new(), behind: false, asked_at: None, since: now };
        let pause: &Pause = &|| Box::pin(tokio::task::yield_now());

        let spec = PushSpec {
            im: "qq".to_owned(),
            account: None,
            target: Target::Group("1".to_owned()),
            message: Message { title: None, body: Body::Text { text: "hi".to_owned() } },
            timeout: Duration::from_secs(8),
            retry: RetryPolicy::default().into(),
            render: None,
            list: None,
            fallback: Vec::new(),
        };
        let push = AdHoc { spec, triggered_by: Trigger::Manual, chat: None };
        let other = store::open(&database, Access::Write, now).await.unwrap();
        let id = other.push_ad_hoc(push.clone(), now).await.unwrap();

        let unread = async { Err(StoreError::Unavailable("database is locked".to_owned())) };
        let failed = outside.look(&store, unread, pause).await;
        assert!(failed.is_err() && heard.try_recv().is_err());
        outside.look(&store, store.open_pushes(), pause).await.unwrap();
        let Ok(Event::Opened(pushes)) = heard.try_recv() else { panic!("nothing is told") };
        assert_eq!(pushes.iter().map(|push| push.id).collect::<Vec<_>>(), [id]);

        // Of what this process writes itself the database tells nobody; who wrote it rings.
        let own = store.push_ad_hoc(push, now).await.unwrap();
        bell.notify_one();
        outside.look(&store, store.open_pushes(), pause).await.unwrap();
        let Ok(Event::Opened(pushes)) = heard.try_recv() else { panic!("nothing is told") };
        assert_eq!(pushes.iter().map(|push| push.id).collect::<Vec<_>>(), [id, own]);
    }
}
