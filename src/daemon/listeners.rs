//! The background work of senders: one task per account that jobs use.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::engine::dispatcher::Event;
use crate::engine::roster::{Member, Roster};

/// Events that a sender may be ahead of the dispatcher by.
const BACKLOG: usize = 64;

/// The running tasks.
#[derive(Default)]
pub struct Listeners {
    running: HashMap<Arc<str>, Listener>,
}

struct Listener {
    account: crate::domain::Account,
    task: JoinHandle<()>,
}

impl Listeners {
    pub fn start(roster: &Roster, dispatcher: &mpsc::UnboundedSender<Event>) -> Listeners {
        let mut listeners = Listeners::default();
        listeners.replace(roster, dispatcher);
        listeners
    }

    /// After a reload: accounts that stayed the same keep listening, so that no long poll is cut for nothing.
    pub fn replace(&mut self, roster: &Roster, dispatcher: &mpsc::UnboundedSender<Event>) {
        let mut kept = HashMap::new();
        for member in roster.members().iter().filter(|member| member.used) {
            let listener = match self.running.remove(&member.id) {
                Some(running) if running.account == member.account => running,
                Some(changed) => {
                    changed.task.abort();
                    listen(member, dispatcher)
                }
                None => listen(member, dispatcher),
            };
            kept.insert(member.id.clone(), listener);
        }
        std::mem::replace(self, Listeners { running: kept }).stop();
    }

    pub fn stop(self) {
        for listener in self.running.into_values() {
            listener.task.abort();
        }
    }
}

fn listen(member: &Member, dispatcher: &mpsc::UnboundedSender<Event>) -> Listener {
    let (events, mut inbox) = mpsc::channel(BACKLOG);
    let generation = member.generation;
    let (sender, account, dispatcher) = (member.sender.clone(), member.id.clone(), dispatcher.clone());
    let task = tokio::spawn(async move {
        let forward = async {
            while let Some(event) = inbox.recv().await {
                if dispatcher.send(Event::FromSender { account: account.clone(), generation, event }).is_err() {
                    return;
                }
            }
        };
        tokio::join!(sender.listen(events), forward);
    });
    Listener { account: member.account.clone(), task }
}
