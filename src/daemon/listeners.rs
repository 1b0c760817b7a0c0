//! The background work of senders: one task per account that jobs use.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::keep_up::{Ended, keep_up};
use crate::clock::SharedClock;
use crate::engine::accounts::{Accounts, LiveAccount};
use crate::engine::dispatcher::{Event, usage_of};

/// Events that a sender may be ahead of the dispatcher by.
const BACKLOG: usize = 64;

/// The running tasks.
pub(super) struct Listeners {
    clock: SharedClock,
    running: HashMap<Arc<str>, Listener>,
}

struct Listener {
    account: crate::domain::Account,
    task: JoinHandle<()>,
}

impl Listeners {
    pub(super) fn start(
        accounts: &Accounts,
        dispatcher: &mpsc::UnboundedSender<Event>,
        clock: &SharedClock,
    ) -> Listeners {
        let mut listeners = Listeners { clock: clock.clone(), running: HashMap::new() };
        listeners.replace(accounts, dispatcher);
        listeners
    }

    /// After a reload: accounts that stayed the same keep listening, so that no long poll is cut for nothing.
    pub(super) fn replace(&mut self, accounts: &Accounts, dispatcher: &mpsc::UnboundedSender<Event>) {
        let mut kept = HashMap::new();
        for live in accounts.all().iter().filter(|live| live.used) {
            let listener = match self.running.remove(&live.id) {
                Some(running) if running.account == live.account => running,
                Some(changed) => {
                    changed.task.abort();
                    listen(live, dispatcher, &self.clock)
                }
                None => listen(live, dispatcher, &self.clock),
            };
            kept.insert(live.id.clone(), listener);
        }
        let clock = self.clock.clone();
        std::mem::replace(self, Listeners { clock, running: kept }).stop();
    }

    pub(super) fn stop(self) {
        for listener in self.running.into_values() {
            listener.task.abort();
        }
    }
}

fn listen(live: &LiveAccount, dispatcher: &mpsc::UnboundedSender<Event>, clock: &SharedClock) -> Listener {
    let (events, mut inbox) = mpsc::channel(BACKLOG);
    let generation = live.generation;
    let (sender, account, dispatcher) = (live.sender.clone(), live.id.clone(), dispatcher.clone());
    let clock = clock.clone();
    let task = tokio::spawn(async move {
        let what = format!("listening for account {account}");
        // By returning after it has listened, a sender would leave its account deaf for good.
        let told_of = sender.clone();
        let listening = keep_up(&what, clock, move || {
            let (sender, events) = (sender.clone(), events.clone());
            async move {
                sender.listen(events).await;
                Ended::TooEarly
            }
        });
        let forward = async {
            while let Some(event) = inbox.recv().await {
                let (account, usage) = (account.clone(), usage_of(&*told_of));
                if dispatcher.send(Event::FromSender { account, generation, event, usage }).is_err() {
                    return;
                }
            }
        };
        tokio::join!(listening, forward);
    });
    Listener { account: live.account.clone(), task }
}
