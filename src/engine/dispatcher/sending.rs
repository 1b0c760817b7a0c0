//! Opening attempts ahead of their instants, and calling the senders.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tracing::error;

use super::{Dispatcher, Event, Flight, Internal, LOOK_AGAIN, STORE_PAUSE};
use crate::domain::{Delivery, Outcome, Report, UtcMs};
use crate::engine::runway::{Runway, Staged};
use crate::senders::{Gate, Sender};
use crate::store::{Begin, StoreError};

/// A sender that keeps neither its deadline nor its promise to return is given up this long after its deadline.
const OVERDUE: Duration = Duration::from_secs(600);

impl Dispatcher {
    pub(super) fn begin(&mut self, now: UtcMs) {
        if self.beginning || self.store_is_down() {
            return;
        }
        let begins = self.queue.take_startable(now);
        if begins.is_empty() {
            return;
        }
        self.beginning = true;
        let (store, events) = (self.store.clone(), self.events.clone());
        tokio::spawn(async move {
            let result = store.begin_attempts(begins.clone(), now).await;
            let _ = events.send(Event::Internal(Internal::Begun { begins, result }));
        });
    }

    pub(super) fn begun(&mut self, begins: Vec<Begin>, result: Result<Vec<Delivery>, StoreError>) {
        self.beginning = false;
        let deliveries = match result {
            Ok(deliveries) => deliveries,
            Err(error) => {
                self.store_failed("open attempts", &error);
                for begin in begins {
                    self.queue.close(begin.push_id);
                    let Some(push) = self.queue.get(begin.push_id) else { continue };
                    let (at, attempts) = (push.next_attempt_at, push.attempts);
                    self.queue.retry_at(begin.push_id, at, attempts, false);
                }
                return;
            }
        };
        let now = self.clock.now();
        let mut accounts: HashMap<i64, Arc<str>> =
            begins.into_iter().map(|begin| (begin.push_id, begin.account)).collect();
        for delivery in deliveries {
            let Some(account) = accounts.remove(&delivery.push_id) else { continue };
            let start_at = self.queue.get(delivery.push_id).map_or(delivery.due_at, |push| push.next_attempt_at);
            let Some(member) = self.roster.get(&account) else {
                self.take_back(&delivery, start_at, now, "account_removed");
                continue;
            };
            let runway = self.runways.entry(account).or_insert_with(|| Runway::new(member.limits.per_target()));
            let line = self.queue.line_of(delivery.push_id);
            runway.stage(Staged { delivery: Arc::new(delivery), start_at, line });
        }
        // What the store did not hand out was cancelled, withdrawn or resolved meanwhile.
        for id in accounts.into_keys() {
            self.forget(id);
        }
        if self.stopping.is_some() {
            self.unstage();
        }
    }

    pub(super) fn start(&mut self, now: UtcMs) {
        let mut starting = Vec::new();
        for (account, runway) in &mut self.runways {
            let Some(member) = self.roster.get(account) else { continue };
            while let Some(staged) = runway.take(now, member.limits.concurrency) {
                starting.push((account.clone(), member.sender.clone(), staged));
            }
        }
        let mut cleared = Vec::with_capacity(starting.len());
        for (account, sender, Staged { delivery, line, .. }) in starting {
            match sender.gate(&delivery.target, Some(&delivery), now) {
                Gate::Open => cleared.push((account, sender, delivery, line)),
                Gate::Closed { reason, until } => {
                    // Room for one send, but not for all parts of this message.
                    self.landed(&account, line);
                    self.snoozed.insert(delivery.push_id, reason);
                    self.take_back(&delivery, until.unwrap_or(now + LOOK_AGAIN), now, reason);
                }
            }
        }
        let noted = self.notes.note(cleared.iter().map(|(_, _, delivery, _)| (delivery.push_id, delivery.attempt)));
        if let Err(error) = &noted {
            error!(%error, attempts = cleared.len(), "the start of attempts cannot be noted, and nothing is sent without");
        }
        for (account, sender, delivery, line) in cleared {
            if noted.is_ok() {
                self.fly(account, sender, delivery, line, now);
            } else {
                self.landed(&account, line);
                self.take_back(&delivery, now + STORE_PAUSE, now, "not_noted");
            }
        }
        self.unstage_orphans();
    }

    pub(super) fn fly(
        &mut self,
        account: Arc<str>,
        sender: Arc<dyn Sender>,
        delivery: Arc<Delivery>,
        line: u64,
        now: UtcMs,
    ) {
        let push_id = delivery.push_id;
        self.snoozed.remove(&push_id);
        let sender_name = self.roster.get(&account).map_or("", |member| member.limits.sender);
        let idempotent = sender.is_idempotent(&delivery, now);
        let (events, clock, desk, to_send) =
            (self.events.clone(), self.clock.clone(), self.desk.clone(), delivery.clone());
        let task = tokio::spawn(async move {
            let limit = to_send.timeout + OVERDUE;
            let attempt = AssertUnwindSafe(async {
                match desk.with_media(&to_send, sender_name).await {
                    Ok(None) => (sender.send(&to_send).await, true),
                    Ok(Some(with_media)) => (sender.send(&with_media).await, true),
                    Err(report) => (report, false),
                }
            });
            let broken = |report| (report, true);
            let (report, asked) = tokio::select! {
                result = attempt.catch_unwind() => result.unwrap_or_else(|_| {
                    broken(Report::failed(Outcome::Unknown, "the sender broke down in the middle of the attempt (a bug of pushcron)"))
                }),
                () = clock.sleep(limit) => broken(Report::failed(Outcome::Unknown, "the sender did not come back in time")),
            };
            let _ = events.send(Event::Internal(Internal::Done { push_id, report, asked }));
        });
        let flight = Flight { delivery, account, started_at: now, line, idempotent, task: task.abort_handle() };
        self.flights.insert(push_id, flight);
    }

    /// A slot of the account is free again.
    pub(super) fn landed(&mut self, account: &str, line: u64) {
        if let Some(runway) = self.runways.get_mut(account) {
            runway.landed(line);
        }
    }
}
