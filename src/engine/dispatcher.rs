//! Carries out what the core decides about open pushes: the database, the senders and the clock on one side, one task
//! that owns the core on the other.
//!
//! Whatever takes long runs in a task of its own and comes back as an input. An attempt's row is durable before its
//! sender is called, and no transaction is open while it runs.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::{debug, warn};

use crate::clock::SharedClock;
use crate::domain::limits::Usage;
use crate::domain::{Delivery, Moment, Outcome, Report, UtcMs};
use crate::engine::core::{Action, Core, Dice, Input, Start};
use crate::engine::observer::Observer;
use crate::engine::push_media::PushMedia;
use crate::engine::releases::Releases;
use crate::engine::send_journal::SendJournal;
use crate::senders::{Probe, Sender};
use crate::store::Store;

pub use crate::engine::core::{Event, STOP_GRACE};

/// Inputs taken in before the next tick, so that a burst of results is recorded in few transactions.
const INPUTS_AT_ONCE: usize = 1024;
/// Rows told anew in one transaction.
const TOLD_AT_ONCE: usize = 1024;
/// A sender that keeps neither its deadline nor its promise to return is given up this long after its deadline.
const OVERDUE: Duration = Duration::from_secs(600);

/// Numbers for the status line and the metrics, kept up by the dispatcher.
#[derive(Debug, Default)]
pub struct EngineGauges {
    pub open_pushes: AtomicUsize,
    pub accounts_offline: AtomicUsize,
    /// Made since the start: while the dispatcher lives, each [`Event::Tick`] is followed by one.
    pub rounds: AtomicUsize,
}

/// The task that owns every open push.
pub struct Dispatcher {
    core: Core,
    dice: Dice,
    store: Arc<dyn Store>,
    clock: SharedClock,
    media: Arc<PushMedia>,
    journal: SendJournal,
    /// Attempts whose media are fetched or whose sender was called.
    tasks: HashMap<i64, AbortHandle>,
    gauges: Arc<EngineGauges>,
    releases: Arc<Releases>,
    events: mpsc::UnboundedSender<Event>,
    results: mpsc::UnboundedSender<Input>,
}

/// The receiving ends of a dispatcher.
pub struct Inbox {
    events: mpsc::UnboundedReceiver<Event>,
    results: mpsc::UnboundedReceiver<Input>,
}

impl Dispatcher {
    /// A dispatcher and the way to reach it.
    pub fn new(
        store: Arc<dyn Store>,
        clock: SharedClock,
        media: Arc<PushMedia>,
        journal: SendJournal,
    ) -> (Dispatcher, Inbox) {
        let (events, from_outside) = mpsc::unbounded_channel();
        let (results, of_actions) = mpsc::unbounded_channel();
        let dispatcher = Dispatcher {
            core: Core::new(clock.reading()),
            dice: Dice::unforeseen(),
            store,
            clock,
            media,
            journal,
            tasks: HashMap::new(),
            gauges: Arc::default(),
            releases: Arc::default(),
            events,
            results,
        };
        (dispatcher, Inbox { events: from_outside, results: of_actions })
    }

    /// Where events for this dispatcher go.
    pub fn handle(&self) -> mpsc::UnboundedSender<Event> {
        self.events.clone()
    }

    /// Has `observer` told of every attempt, every end of a push, and how accounts are.
    pub fn set_observer(&mut self, observer: Observer) {
        self.core.set_observer(observer);
    }

    /// The pushes that wait for their content.
    pub fn releases(&self) -> Arc<Releases> {
        self.releases.clone()
    }

    pub fn gauges(&self) -> Arc<EngineGauges> {
        self.gauges.clone()
    }

    /// Runs until a stop ([`Event::Stop`]) is complete: who waits for that waits for this to end.
    pub async fn run(mut self, mut inbox: Inbox) {
        let clock = self.clock.clone();
        let mut actions = Vec::new();
        while !self.core.has_stopped(self.clock.reading()) {
            let next = self.next_look();
            tokio::select! {
                biased;
                Some(event) = inbox.events.recv() => self.step(Input::Event(event), &mut actions),
                Some(result) = inbox.results.recv() => self.step(result, &mut actions),
                () = clock.sleep_until(next) => {}
            }
            for _ in 0..INPUTS_AT_ONCE {
                let Ok(event) = inbox.events.try_recv() else { break };
                self.step(Input::Event(event), &mut actions);
            }
            for _ in 0..INPUTS_AT_ONCE {
                let Ok(result) = inbox.results.try_recv() else { break };
                self.step(result, &mut actions);
            }
            self.step(Input::Tick, &mut actions);
            actions.drain(..).for_each(|action| self.carry_out(action));
            self.gauges.open_pushes.store(self.core.open_pushes(), Ordering::Relaxed);
            self.gauges.rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn step(&mut self, input: Input, actions: &mut Vec<Action>) {
        if let Input::Done { push_id, .. } | Input::Resolved { push_id, .. } = &input {
            self.tasks.remove(push_id);
        }
        self.core.step(self.clock.reading(), &mut self.dice, input, actions);
    }

    /// Until when nothing will have to be done unless something comes in.
    fn next_look(&mut self) -> Moment {
        self.core.wake(self.clock.reading()).moment(|at| self.clock.moment_at(at))
    }

    fn carry_out(&mut self, action: Action) {
        let store = self.store.clone();
        match action {
            Action::Begin { begins, now } => self.report(async move {
                let result = store.begin_attempts(begins.clone(), now).await;
                Input::Begun { begins, result }
            }),
            Action::Finish(finishes) => self.report(async move {
                let result = store.finish_attempts(finishes.clone()).await;
                Input::Finished { finishes, result }
            }),
            Action::TakeBack { attempts, now } => self.report(async move {
                let result = store.take_back_attempts(attempts.clone(), now).await;
                Input::TakenBack { attempts, result }
            }),
            Action::Settle { settles, now } => self.report(async move {
                let result = store.settle(settles.clone(), now).await;
                Input::Settled { settles, result }
            }),
            Action::Probe { account, generation, sender } => self.report(async move {
                let probe = AssertUnwindSafe(sender.probe()).catch_unwind().await;
                let probe = probe.unwrap_or_else(|_| Probe::down("the probe broke down (a bug of pushcron)"));
                Input::Probed { account, generation, probe, usage: usage_of(&*sender) }
            }),
            Action::MakeContent(push_ids) => self.releases.ask(push_ids),
            Action::Resolve { sender_name, delivery } => self.resolve(sender_name, delivery),
            Action::Start(starts) => self.start(starts),
            Action::RecordAccounts { rows, all } => {
                self.gauges.accounts_offline.store(self.core.accounts_offline(), Ordering::Relaxed);
                let mut recording = Box::pin(async move {
                    if let Err(error) = store.record_accounts(rows, all).await {
                        debug!(%error, "account health cannot be written now");
                    }
                });
                // Asked for before what follows from it: who reads that a push waits for its account finds why.
                if recording.as_mut().now_or_never().is_none() {
                    tokio::spawn(recording);
                }
            }
            Action::Confirm { account, message_id, now } => {
                tokio::spawn(confirm(store, account, message_id, now));
            }
            Action::TellNextAttempts(rows) => {
                tokio::spawn(async move {
                    for some in rows.chunks(TOLD_AT_ONCE) {
                        if let Err(error) = store.tell_next_attempts(some.to_vec()).await {
                            debug!(%error, "rows tell the ends of waits by the clock as it was before");
                            return;
                        }
                    }
                });
            }
            Action::Closed(push_id) => self.journal.release(push_id),
            Action::SetMediaAside(push_id) => self.media.set_aside(push_id),
            Action::ReleaseMedia(push_id) => self.media.release(push_id),
            Action::Abort(push_id) => {
                if let Some(task) = self.tasks.remove(&push_id) {
                    task.abort();
                }
            }
        }
    }

    /// Runs what takes long; what it comes to is an input.
    fn report(&self, work: impl Future<Output = Input> + Send + 'static) {
        tokio::spawn(send_result(self.results.clone(), work));
    }

    /// The same for the attempt of a push, which can be aborted.
    fn report_attempt(&mut self, push_id: i64, work: impl Future<Output = Input> + Send + 'static) {
        let task = tokio::spawn(send_result(self.results.clone(), work));
        self.tasks.insert(push_id, task.abort_handle());
    }

    fn start(&mut self, starts: Vec<Start>) {
        let attempts: Vec<(i64, u32)> =
            starts.iter().map(|start| (start.delivery.push_id, start.delivery.attempt)).collect();
        if let Err(error) = self.journal.append(&attempts) {
            let push_ids = attempts.into_iter().map(|(push_id, _)| push_id).collect();
            let _ = self.results.send(Input::NotStarted { push_ids, error: error.to_string() });
            return;
        }
        for Start { sender, delivery } in starts {
            self.send(sender, delivery);
        }
    }

    fn resolve(&mut self, sender_name: &'static str, delivery: Arc<Delivery>) {
        let (media, clock, push_id) = (self.media.clone(), self.clock.clone(), delivery.push_id);
        self.report_attempt(push_id, async move {
            let limit = delivery.timeout + OVERDUE;
            let resolved = AssertUnwindSafe(media.with_media(&delivery, sender_name)).catch_unwind();
            let result = tokio::select! {
                biased;
                resolved = resolved => resolved.unwrap_or_else(|_| {
                    Err(Report::failed(Outcome::Unreachable, "media could not be read (a bug of pushcron)"))
                }),
                () = clock.sleep(limit) => Err(Report::failed(Outcome::Unreachable, "media were not there in time")),
            };
            let result = result.map(|with_media| with_media.map_or(delivery, Arc::new));
            Input::Resolved { push_id, result }
        });
    }

    fn send(&mut self, sender: Arc<dyn Sender>, delivery: Arc<Delivery>) {
        let (clock, push_id) = (self.clock.clone(), delivery.push_id);
        self.report_attempt(push_id, async move {
            let sent = AssertUnwindSafe(sender.send(&delivery)).catch_unwind();
            let unknown = |problem| Report::failed(Outcome::Unknown, problem);
            // An answer that is there counts, also where the process stood still until after the deadline.
            let report = tokio::select! {
                biased;
                report = sent => report.unwrap_or_else(|_| {
                    unknown("the sender broke down in the middle of the attempt (a bug of pushcron)")
                }),
                () = clock.sleep(delivery.timeout + OVERDUE) => unknown("the sender did not come back in time"),
            };
            Input::Done { push_id, report, usage: usage_of(&*sender) }
        });
    }
}

/// What the account of this sender has used of its limits. One that breaks down over it says nothing.
pub fn usage_of(sender: &dyn Sender) -> Option<Box<Usage>> {
    catch_unwind(AssertUnwindSafe(|| sender.usage())).unwrap_or_default().map(Box::new)
}

async fn send_result(results: mpsc::UnboundedSender<Input>, work: impl Future<Output = Input>) {
    // A dispatcher that has ended does not ask.
    let _ = results.send(work.await);
}

async fn confirm(store: Arc<dyn Store>, account: Arc<str>, message_id: String, now: UtcMs) {
    match store.confirm(&account, &message_id, now).await {
        Ok(true) => debug!(account = &*account, message_id, "delivery confirmed"),
        Ok(false) => debug!(account = &*account, message_id, "confirmation of a message that is not ours"),
        Err(error) => warn!(account = &*account, message_id, %error, "a confirmation cannot be recorded"),
    }
}
