//! Opening attempts ahead of their instants, and calling the senders.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tracing::error;

use super::choosing::gate;
use super::{Dispatcher, Event, Flight, Internal, LOOK_AGAIN, STORE_PAUSE};
use crate::domain::{Delivery, Outcome, Reading, Report, UtcMs};
use crate::engine::queue::Startable;
use crate::engine::runway::{Runway, Staged};
use crate::senders::{Gate, Sender};
use crate::store::{Begin, StoreError};

/// A sender that keeps neither its deadline nor its promise to return is given up this long after its deadline.
const OVERDUE: Duration = Duration::from_secs(600);

impl Dispatcher {
    pub(super) fn begin(&mut self, now: Reading) {
        if self.beginning || self.store_is_down() {
            return;
        }
        let Startable { begins, expired } = self.queue.take_startable(now);
        expired.into_iter().for_each(|id| self.expire(id));
        self.free_overfull();
        if begins.is_empty() {
            return;
        }
        self.beginning = true;
        let (store, events) = (self.store.clone(), self.events.clone());
        tokio::spawn(async move {
            let result = store.begin_attempts(begins.clone(), now.wall).await;
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
                    self.queue.reopen(begin.push_id);
                }
                return;
            }
        };
        let now = self.clock.now();
        let mut accounts: HashMap<i64, Arc<str>> =
            begins.into_iter().map(|begin| (begin.push_id, begin.account)).collect();
        for delivery in deliveries {
            let Some(account) = accounts.remove(&delivery.push_id) else { continue };
            let start_at = self.queue.hour_of(delivery.push_id).unwrap_or(now);
            let Some(member) = self.roster.get(&account) else {
                self.take_back(&delivery, start_at, None);
                continue;
            };
            if member.health.is_down() || member.health.is_cooling_down(self.clock.boottime()) {
                // It went down while its attempts were being opened.
                self.take_back(&delivery, start_at, None);
                continue;
            }
            let runway = self.runways.entry(account).or_insert_with(|| Runway::new(member.limits.per_target()));
            let line = self.queue.line_of(delivery.push_id);
            runway.stage(Staged { delivery: Arc::new(delivery), start_at, line }, now);
        }
        // What the store did not hand out was cancelled, withdrawn or resolved meanwhile.
        for id in accounts.into_keys() {
            self.forget(id);
        }
        if self.stopping.is_some() {
            self.unstage();
        }
    }

    pub(super) fn start(&mut self, now: Reading) {
        let mut starting = Vec::new();
        for (account, runway) in &mut self.runways {
            let Some(member) = self.roster.get(account) else { continue };
            while let Some(staged) = runway.take(now.wall, member.limits.concurrency) {
                starting.push((account.clone(), member.sender.clone(), staged));
            }
        }
        let mut cleared = Vec::with_capacity(starting.len());
        for (account, sender, Staged { delivery, start_at, line }) in starting {
            if delivery.expires_at <= now.wall {
                // It stood in line until its time was over: what is not begun by then is not begun at all.
                self.landed(&account, line);
                self.take_back(&delivery, start_at, None);
                continue;
            }
            match gate(&*sender, &delivery.target, Some(&delivery), now.wall) {
                Gate::Open => cleared.push((account, sender, delivery, start_at, line)),
                Gate::Closed { reason, until } => {
                    // Room for one send, but not for all parts of this message.
                    self.landed(&account, line);
                    self.snoozed.insert(delivery.push_id, reason);
                    self.take_back(&delivery, until.unwrap_or(now.wall + LOOK_AGAIN), Some(reason));
                }
            }
        }
        let attempts: Vec<(i64, u32)> =
            cleared.iter().map(|(_, _, delivery, ..)| (delivery.push_id, delivery.attempt)).collect();
        let noted = self.notes.note(&attempts);
        if let Err(error) = &noted {
            error!(%error, attempts = cleared.len(), "the start of attempts cannot be noted, and nothing is sent without");
            self.store_down_until = Some(self.clock.monotonic() + STORE_PAUSE);
        }
        for (account, sender, delivery, start_at, line) in cleared {
            if noted.is_ok() {
                self.fly(account, sender, delivery, line, now.wall);
            } else {
                self.landed(&account, line);
                self.take_back(&delivery, start_at, None);
            }
        }
        self.unstage_orphans();
    }

    /// Gives back what was opened for accounts that turned out too slow for it: others may need the room, and after a
    /// power loss nobody could tell it from what was under way.
    fn free_overfull(&mut self) {
        for account in self.queue.overfull() {
            let staged = self.runways.get_mut(&account).map(Runway::take_all).unwrap_or_default();
            self.take_back_all(staged);
        }
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
        let member = self.roster.get(&account);
        let (sender_name, generation) = member.map_or(("", 0), |member| (member.limits.sender, member.generation));
        // A sender that breaks down here promises nothing.
        let idempotent = catch_unwind(AssertUnwindSafe(|| sender.is_idempotent(&delivery, now))).unwrap_or(false);
        let (events, clock, desk, to_send) =
            (self.events.clone(), self.clock.clone(), self.desk.clone(), delivery.clone());
        let task = tokio::spawn(async move {
            let limit = to_send.timeout + OVERDUE;
            let attempt = AssertUnwindSafe(async {
                match desk.with_media(&to_send, sender_name).await {
                    Ok(None) => (sender.send(&to_send).await, true),
                    Ok(Some(_)) if to_send.expires_at <= clock.now() => {
                        let problem = "not sent: its time was over when its media were there";
                        (Report::failed(Outcome::Unreachable, problem), false)
                    }
                    Ok(Some(with_media)) => (sender.send(&with_media).await, true),
                    Err(report) => (report, false),
                }
            });
            let broken = |report| (report, true);
            // An answer that is there counts, also where the process stood still until after the deadline.
            let (report, asked) = tokio::select! {
                biased;
                result = attempt.catch_unwind() => result.unwrap_or_else(|_| {
                    broken(Report::failed(Outcome::Unknown, "the sender broke down in the middle of the attempt (a bug of pushcron)"))
                }),
                () = clock.sleep(limit) => broken(Report::failed(Outcome::Unknown, "the sender did not come back in time")),
            };
            let _ = events.send(Event::Internal(Internal::Done { push_id, report, asked }));
        });
        let flight =
            Flight { delivery, account, generation, started_at: now, line, idempotent, task: task.abort_handle() };
        self.flights.insert(push_id, flight);
    }

    /// A slot of the account is free again.
    pub(super) fn landed(&mut self, account: &str, line: u64) {
        if let Some(runway) = self.runways.get_mut(account) {
            runway.landed(line);
        }
    }
}
