//! A push outside any job, with or without a daemon.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::patience::{Patience, Signal};
use super::setup::{self, Opened};
use super::{DaemonError, Options, threads};
use crate::acts::{Actor, Acts, Progress, PushUpdate, follow, is_hopeless};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::domain::{Database, Next, PushState, Reason};
use crate::engine::dispatcher::{Dispatcher, Event, STOP_GRACE};
use crate::engine::push_media::PushMedia;
use crate::store::{self, Access, AdHoc, Holder, LeaseError, Purpose, Settle, SharedStore, Store};
use crate::texts::{self, Text};

/// How often the state of a push is looked up while waiting for its end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What became of the push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushResult {
    pub push_id: i64,
    pub state: PushState,
    /// Those that went out in its place.
    pub fallbacks: Vec<(i64, PushState)>,
    /// Whether a daemon goes on trying where the state is still open.
    pub daemon: bool,
    /// What ended the wait before its time.
    pub signal: Option<Signal>,
}

impl PushResult {
    /// Whether the message was sent, to the push's own target or to one that took its place.
    pub fn is_sent(&self) -> bool {
        self.state == PushState::Sent || self.fallbacks.iter().any(|(_, state)| *state == PushState::Sent)
    }
}

/// Why nothing is known of a push.
#[derive(Debug)]
pub enum PushError {
    Daemon(DaemonError),
    /// Another push by hand held the database all the while.
    NoTurn {
        holder: Holder,
        database: Database,
        wait: Duration,
    },
    /// The database cannot be held.
    Lease(LeaseError),
    /// Only the daemon sees what accounts are given, and it is gone.
    DaemonEnded,
    /// It would wait for an account that nobody has: an account's id, or an im.
    NotLoaded(Text),
    Ended(Signal),
    /// They are recorded, and their ends could not be seen or written.
    Lost {
        push_ids: Vec<i64>,
        error: Box<DaemonError>,
    },
}

impl PushError {
    /// Why, for people.
    pub(crate) fn text(&self) -> Text {
        match self {
            PushError::Daemon(error) => Text::same(error.to_string()),
            PushError::NoTurn { holder, database, wait } => texts::no_turn(holder, database, format!("{wait:?}")),
            PushError::Lease(error) => texts::nothing_recorded(error),
            PushError::DaemonEnded => texts::daemon_just_ended(),
            PushError::NotLoaded(account) => texts::not_loaded_yet(account),
            PushError::Ended(signal) => texts::ended_in_the_queue(signal),
            PushError::Lost { push_ids, error } => texts::lost(named(push_ids), error),
        }
    }
}

impl From<DaemonError> for PushError {
    fn from(error: DaemonError) -> PushError {
        PushError::Daemon(error)
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().english())
    }
}

impl std::error::Error for PushError {}

/// `push 7 is`, `pushes 7, 8 are`.
fn named(push_ids: &[i64]) -> Text {
    match push_ids {
        [id] => texts::one_push_is(id),
        ids => texts::pushes_are(ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// By which rules pushes were judged.
pub(crate) struct Judged {
    pub config: Config,
    /// Everything that accounts are given was there, so that all can be sent from here.
    pub sees_all: bool,
}

/// Pushes once, all of these or none: through the running daemon where there is one, else from here. Waits at most `wait` for the end, and
/// not after SIGTERM or SIGINT.
///
/// Without a daemon nobody would ever try again, so a push that is still open after the wait is cancelled.
///
/// # Errors
/// [`PushError`] where the push could not even be recorded, or its end not be told.
pub(crate) fn push(
    options: &Options,
    judged: Judged,
    pushes: Vec<AdHoc>,
    wait: Duration,
    actor: Actor,
    tell: &dyn Fn(i64, &PushUpdate),
) -> Result<Vec<PushResult>, PushError> {
    let runtime = threads::runtime()?;
    let pushed = runtime.block_on(async {
        let clock = SystemClock::shared();
        let patience = Patience::new(wait, clock.clone())?;
        let database = setup::database(options, &judged.config).map_err(DaemonError::from)?;
        let Judged { config, sees_all } = judged;
        let by_hand =
            ByHand { config, sees_all, database, clock, patience, wait, actor, tell, watch: RefCell::default() };
        by_hand.push(pushes).await
    });
    // A look-up of a name that nobody answers holds its thread for as long as it likes.
    runtime.shutdown_background();
    pushed
}

/// What was seen of the pushes so far.
#[derive(Default)]
struct Watch {
    progress: BTreeMap<i64, Progress>,
    looks: u32,
    /// Nothing that could happen here would have any of them sent.
    is_hopeless: bool,
}

/// Looks at the state of the push between two at all that hangs on it.
const STATES_A_LOOK: u32 = 5;

/// Pushes by hand and what they need.
struct ByHand<'a> {
    config: Config,
    sees_all: bool,
    database: Database,
    clock: SharedClock,
    patience: Patience,
    wait: Duration,
    actor: Actor,
    /// Who waits is told at once what goes wrong.
    tell: &'a dyn Fn(i64, &PushUpdate),
    watch: RefCell<Watch>,
}

impl ByHand<'_> {
    async fn push(&self, pushes: Vec<AdHoc>) -> Result<Vec<PushResult>, PushError> {
        // Another push by hand is waited for: it looks at its own rows only.
        match self.patience.unless_told(self.turn(self.wait)).await {
            Err(signal) => Err(PushError::Ended(signal)),
            Ok(Ok(opened)) if !self.sees_all => {
                opened.store.close().await;
                Err(PushError::DaemonEnded)
            }
            Ok(Ok(opened)) => self.alone(&opened, pushes).await,
            Ok(Err(DaemonError::Lease(LeaseError::Held { holder, .. }))) if holder.is_daemon => {
                self.through_daemon(pushes).await
            }
            Ok(Err(DaemonError::Lease(LeaseError::Held { holder, database }))) => {
                Err(PushError::NoTurn { holder, database, wait: self.wait })
            }
            Ok(Err(DaemonError::Lease(error))) => Err(PushError::Lease(error)),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    async fn turn(&self, wait: Duration) -> Result<Opened, DaemonError> {
        Opened::within(&self.database, Purpose::Push, wait, &self.clock).await
    }

    async fn through_daemon(&self, pushes: Vec<AdHoc>) -> Result<Vec<PushResult>, PushError> {
        let opened = store::open(&self.database, Access::Write, self.clock.now()).await;
        let store = opened.map_err(DaemonError::from)?;
        if let Some(missing) = not_loaded(&*store, &pushes).await? {
            store.close().await;
            return Err(PushError::NotLoaded(missing));
        }
        let push_ids = self.record(&store, pushes).await?;
        let ending = async {
            self.wait_for_ends(&store, &push_ids, false).await?;
            // The daemon may have ended meanwhile; a push by hand that holds the database looks at its own rows.
            let daemon = self.daemon_runs() || self.leave(&store, &push_ids).await?;
            self.results(&store, &push_ids, daemon).await
        };
        let result =
            ending.await.map_err(|error| PushError::Lost { push_ids: push_ids.clone(), error: Box::new(error) });
        store.close().await;
        result
    }

    fn daemon_runs(&self) -> bool {
        store::holder(&self.database).is_some_and(|holder| holder.is_daemon)
    }

    /// Ends pushes whose daemon is gone. Returns whether there is one again.
    async fn leave(&self, store: &SharedStore, push_ids: &[i64]) -> Result<bool, DaemonError> {
        match self.turn(Duration::ZERO).await {
            // Who does not see all accounts cannot judge what the daemon left open.
            Ok(opened) if !self.sees_all => {
                self.give_up(&opened.store, push_ids).await?;
                opened.store.close().await;
                Ok(false)
            }
            // What the daemon left open has an end first: it may have been this very one.
            Ok(opened) => {
                let environment = setup::environment(&self.clock, &opened.store, &opened.state_dir)?;
                let accounts = setup::accounts(&self.config, &environment)?;
                opened.recover(&accounts, &self.clock).await?;
                self.give_up(&opened.store, push_ids).await?;
                opened.store.close().await;
                Ok(false)
            }
            Err(DaemonError::Lease(LeaseError::Held { holder, .. })) if holder.is_daemon => Ok(true),
            // Without the lease, what is being sent keeps its state; whoever starts next decides it.
            Err(DaemonError::Lease(_)) => self.give_up(store, push_ids).await.map(|()| false),
            Err(error) => Err(error),
        }
    }

    async fn alone(&self, opened: &Opened, pushes: Vec<AdHoc>) -> Result<Vec<PushResult>, PushError> {
        let store = &opened.store;
        let environment = setup::environment(&self.clock, store, &opened.state_dir)?;
        let mut accounts = setup::accounts(&self.config, &environment)?;
        store.render_with(setup::templates(&self.config));
        let media = setup::media(&self.config, &self.database);
        let media = Arc::new(PushMedia::new(media, self.clock.clone(), store.clone()));
        let journal = opened.recover_to_send(&mut accounts, &self.clock).await?.journal;
        let (dispatcher, inbox) = Dispatcher::new(store.clone(), self.clock.clone(), media, journal);
        let events = dispatcher.handle();
        let push_ids = self.record(store, pushes).await?;
        let ending = async {
            // Other open pushes wait for the daemon: this process is here for these.
            let ours = store.open_pushes().await?.into_iter().filter(|open| push_ids.contains(&open.id)).collect();
            let _ = events.send(Event::Accounts(accounts));
            let _ = events.send(Event::Opened(ours));
            let dispatching = tokio::spawn(dispatcher.run(inbox));
            let waited = self.wait_for_ends(store, &push_ids, true).await;
            // Who set a limit is told at its end what is known then; who ends the wait himself may have the answer under way.
            let grace =
                if self.patience.signal().is_some() { STOP_GRACE } else { self.patience.left().min(STOP_GRACE) };
            let _ = events.send(Event::Stop { grace });
            let _ = dispatching.await;
            waited?;
            self.give_up(store, &push_ids).await?;
            self.results(store, &push_ids, false).await
        };
        let result =
            ending.await.map_err(|error| PushError::Lost { push_ids: push_ids.clone(), error: Box::new(error) });
        store.close().await;
        result
    }

    async fn record(&self, store: &SharedStore, pushes: Vec<AdHoc>) -> Result<Vec<i64>, DaemonError> {
        Ok(Acts::new(&**store, self.clock.clone(), self.actor.clone()).push(pushes).await?)
    }

    async fn results(
        &self,
        store: &SharedStore,
        push_ids: &[i64],
        daemon: bool,
    ) -> Result<Vec<PushResult>, DaemonError> {
        let mut results = Vec::with_capacity(push_ids.len());
        for push_id in push_ids.iter().copied() {
            let mut fallbacks = Vec::new();
            for id in store.fallbacks(push_id).await? {
                fallbacks.push((id, state(store, id).await?));
            }
            let state = state(store, push_id).await?;
            results.push(PushResult { push_id, state, fallbacks, daemon, signal: self.patience.signal() });
        }
        Ok(results)
    }

    /// Ends these pushes, and what went out in their place, where they are still open, since nobody would ever look at
    /// them again.
    async fn give_up(&self, store: &SharedStore, push_ids: &[i64]) -> Result<(), DaemonError> {
        let mut ours = push_ids.to_vec();
        for push_id in push_ids {
            ours.extend(store.fallbacks(*push_id).await?);
        }
        let reason = match self.patience.signal() {
            Some("SIGINT") => Reason::EndedBySigint,
            Some(_) => Reason::EndedBySigterm,
            None if self.watch.borrow().is_hopeless => Reason::NothingWillCome,
            None => Reason::NotSentInTime,
        };
        let open = store.open_pushes().await?.into_iter().filter(|open| ours.contains(&open.id));
        let settles: Vec<Settle> = open
            .map(|open| {
                let next = if open.perhaps_sent { Next::Unknown { reason } } else { Next::Cancelled { reason } };
                Settle::of(open.id, next)
            })
            .collect();
        if !settles.is_empty() {
            store.settle(settles, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Where it is `alone`, the wait is over as soon as it is sure that nothing will come; a daemon asks its accounts again.
    async fn wait_for_ends(&self, store: &SharedStore, push_ids: &[i64], alone: bool) -> Result<(), DaemonError> {
        let rest = async || {
            self.look(store, push_ids, alone).await?;
            let goes_on = !self.patience.is_over() && !self.watch.borrow().is_hopeless;
            if goes_on {
                self.patience.rest(LOOK_EVERY).await;
            }
            Ok(goes_on)
        };
        for push_id in push_ids.iter().copied() {
            follow::<DaemonError>(&**store, push_id, &rest).await?;
            for id in store.fallbacks(push_id).await? {
                follow::<DaemonError>(&**store, id, &rest).await?;
            }
        }
        Ok(())
    }
}

impl ByHand<'_> {
    /// Tells what is new of the pushes, and sees whether there is hope for any of them.
    async fn look(&self, store: &SharedStore, push_ids: &[i64], alone: bool) -> Result<(), DaemonError> {
        let looks = self.watch.borrow().looks;
        self.watch.borrow_mut().looks = looks.wrapping_add(1);
        if !looks.is_multiple_of(STATES_A_LOOK) {
            return Ok(());
        }
        let mut ours = push_ids.to_vec();
        for push_id in push_ids {
            ours.extend(store.fallbacks(*push_id).await?);
        }
        let mut stories = Vec::with_capacity(ours.len());
        for push_id in ours {
            stories.extend(store.push_story(push_id).await?.map(|story| (push_id, story)));
        }
        // After the stories: read before them, they lack what a push waits for that was parked in between.
        let accounts = store.accounts().await?;
        let (mut open, mut hopeless) = (0, 0);
        for (push_id, story) in stories {
            let mut watch = self.watch.borrow_mut();
            let updates = watch.progress.entry(push_id).or_default().look(&story, &accounts);
            updates.iter().for_each(|update| (self.tell)(push_id, update));
            if story.fire.pushes.first().is_some_and(|push| !push.state.is_final()) {
                open += 1;
                hopeless += u32::from(is_hopeless(&story, &accounts, self.clock.now(), self.patience.left()));
            }
        }
        self.watch.borrow_mut().is_hopeless = alone && open > 0 && hopeless == open;
        Ok(())
    }
}

/// What pushes name that the daemon does not know. One that has left no word of its accounts yet is asked nothing.
async fn not_loaded(store: &dyn Store, pushes: &[AdHoc]) -> Result<Option<Text>, DaemonError> {
    let accounts = store.accounts().await?;
    let missing = pushes.iter().find_map(|push| match &push.spec.account {
        Some(named) => (!accounts.iter().any(|account| account.id == *named)).then(|| texts::account_named(named)),
        None => {
            let im = &push.spec.im;
            (!accounts.iter().any(|account| account.im == *im)).then(|| texts::account_of_im(im))
        }
    });
    Ok(missing.filter(|_| !accounts.is_empty()))
}

async fn state(store: &SharedStore, push_id: i64) -> Result<PushState, DaemonError> {
    Ok(store.push_state(push_id).await?.unwrap_or(PushState::Unknown))
}
