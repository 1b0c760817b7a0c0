//! Opening attempts ahead of their instants, and having the senders called.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracing::error;

use super::allowance::Permission;
use super::io::{Action, Start, Step};
use super::queue::Startable;
use super::staging::{Staged, Staging};
use super::starter::InFlight;
use super::state::{Core, LOOK_AGAIN};
use crate::domain::{Delivery, Outcome, Reason, Report, UtcMs};
use crate::store::{Begin, StoreError, TakeBack};

impl Core {
    /// Has attempts opened for the pushes whose turn it is.
    pub(super) fn begin(&mut self, step: &mut Step<'_>) {
        if self.starter.is_beginning || self.recorder.is_down(step.now) {
            return;
        }
        let Startable { begins, expired, unmade, overlapping } = self.queue.take_startable(step.now);
        expired.into_iter().for_each(|id| self.expire(id, step));
        // Not written down: the end of what is under way decides.
        self.queue.wait_for_overlapped(overlapping);
        if !unmade.is_empty() {
            unmade.iter().for_each(|id| self.queue.park(*id, Reason::Content));
            step.act(Action::MakeContent(unmade));
        }
        // Of accounts that turned out too slow for what was opened for them: others may need the room, and after a
        // power loss nobody could tell it from what was under way.
        for account in self.queue.overfull() {
            let staged = self.starter.unstage(Some(&account));
            self.take_back_all(staged, step);
        }
        if !begins.is_empty() {
            self.starter.is_beginning = true;
            step.act(Action::Begin { begins, now: step.now.wall });
        }
    }

    pub(super) fn begun(&mut self, begins: Vec<Begin>, result: Result<Vec<Delivery>, StoreError>, step: &mut Step<'_>) {
        self.starter.is_beginning = false;
        let deliveries = match result {
            Ok(deliveries) => deliveries,
            Err(error) => {
                self.recorder.failed("open attempts", &error, step.now);
                for begin in begins {
                    self.queue.reopen(begin.push_id);
                }
                return;
            }
        };
        let now = step.now;
        let mut accounts: BTreeMap<i64, Arc<str>> =
            begins.into_iter().map(|begin| (begin.push_id, begin.account)).collect();
        for delivery in deliveries {
            let Some(account) = accounts.remove(&delivery.push_id) else { continue };
            let start_at = self.queue.hour_of(delivery.push_id).unwrap_or(now.wall);
            // It may have gone, or gone down, or be of another im, since its attempts were asked for.
            let live = self.accounts.get(&account).filter(|live| {
                live.account.im == delivery.im && !live.health.is_down() && !live.health.is_cooling_down(now.moment)
            });
            let Some(live) = live else {
                self.take_back(&delivery, start_at, None, step);
                continue;
            };
            let per_target = live.limits.per_target();
            let staging = self.starter.staging.entry(account).or_insert_with(|| Staging::new(per_target));
            let target_key = self.queue.target_key_of(delivery.push_id);
            staging.stage(Staged { delivery: Arc::new(delivery), start_at, target_key }, now.wall);
        }
        // What the store did not hand out was cancelled, withdrawn or resolved meanwhile.
        for id in accounts.into_keys() {
            self.forget(id, step);
        }
        if self.stopping_until.is_some() {
            let staged = self.starter.unstage(None);
            self.take_back_all(staged, step);
        }
    }

    /// Has the senders called whose attempts are ready.
    pub(super) fn start(&mut self, step: &mut Step<'_>) {
        let now = step.now;
        let mut starts = Vec::new();
        for (account, Staged { delivery, start_at, target_key }) in self.starter.take_ready(&self.accounts, now.wall) {
            let Some(live) = self.accounts.get_mut(&account) else { continue };
            let sender = live.sender.clone();
            // When it is due again, and why, where it cannot start now.
            let put_off = if delivery.expires_at <= now.wall {
                // It stood in line until its time was over: what is not begun by then is not begun at all.
                Some((start_at, None))
            } else {
                match live.allowance.permission(&delivery.target, Some(&delivery), now) {
                    Permission::Granted => None,
                    Permission::AfterThoseUnderWay => Some((start_at, None)),
                    // Room for one send, but not for all parts of this message.
                    Permission::Withheld { reason, until } => {
                        Some((until.unwrap_or(now.wall + LOOK_AGAIN), Some(reason)))
                    }
                }
            };
            if let Some((due_again_at, reason)) = put_off {
                self.starter.free_slot(&account, target_key);
                if let Some(reason) = reason {
                    self.recorder.snoozed_for(delivery.push_id, reason);
                }
                self.take_back(&delivery, due_again_at, reason, step);
                continue;
            }
            // A sender that breaks down here promises nothing.
            let is_idempotent = AssertUnwindSafe(|| sender.is_idempotent(&delivery, now.wall));
            let idempotent = catch_unwind(is_idempotent).unwrap_or(false);
            let (sender_name, generation) = (live.limits.sender, live.generation);
            live.allowance.begin(&delivery);
            let unmade = delivery.unmade.clone();
            let is_called = unmade.is_none() && delivery.message.body.media().is_empty();
            if is_called {
                self.queue.started(&account, now.moment);
            }
            self.recorder.forget(delivery.push_id);
            let in_flight = InFlight {
                delivery: delivery.clone(),
                account,
                generation,
                started_at: now.wall,
                idempotent,
                sender: sender.clone(),
                is_called,
                start_at,
                target_key,
            };
            self.starter.in_flight.insert(delivery.push_id, in_flight);
            if let Some(problem) = unmade {
                // Nothing is sent, and that says nothing of the account.
                self.done(
                    delivery.push_id,
                    Report::failed(Outcome::Rejected, format!("not sent: {problem}")),
                    false,
                    step,
                );
            } else if is_called {
                starts.push(Start { sender, delivery });
            } else {
                step.act(Action::Resolve { sender_name, delivery });
            }
        }
        if !starts.is_empty() {
            step.act(Action::Start(starts));
        }
        let orphans = self.starter.unstage_orphans(&self.accounts);
        self.take_back_all(orphans, step);
    }

    /// Without a note of its start nothing is sent: after a kill it could not be told from what was never begun.
    pub(super) fn not_started(&mut self, push_ids: &[i64], error: &str, step: &mut Step<'_>) {
        error!(error, attempts = push_ids.len(), "the start of attempts cannot be noted, and nothing is sent without");
        self.recorder.pause(step.now);
        for id in push_ids {
            if let Some(InFlight { delivery, start_at, .. }) = self.end(*id) {
                self.take_back(&delivery, start_at, None, step);
            }
        }
    }

    /// The media of an attempt under way are there, or cannot be had.
    pub(super) fn resolved(&mut self, push_id: i64, result: Result<Arc<Delivery>, Report>, step: &mut Step<'_>) {
        // It was given up meanwhile, by a stop.
        let Some(in_flight) = self.starter.in_flight.get_mut(&push_id) else { return };
        let report = match result {
            Ok(delivery) if delivery.expires_at > step.now.wall => {
                in_flight.is_called = true;
                self.queue.started(&in_flight.account, step.now.moment);
                return step.act(Action::Start(vec![Start { sender: in_flight.sender.clone(), delivery }]));
            }
            Ok(_) => Report::failed(Outcome::Unreachable, "not sent: its time was over when its media were there"),
            Err(report) => report,
        };
        // Media that cannot be had are no fault of the account, and no proof that it works.
        self.done(push_id, report, false, step);
    }

    /// Takes back the attempts whose media are still fetched, since nobody will be there when they come.
    pub(super) fn take_back_resolving(&mut self, step: &mut Step<'_>) {
        for InFlight { delivery, start_at, .. } in self.abandon(|in_flight| !in_flight.is_called, step) {
            self.take_back(&delivery, start_at, None, step);
        }
    }

    /// Takes back attempts whose sender was not called: they were never made, and do not count.
    pub(super) fn take_back_all(&mut self, staged: Vec<Staged>, step: &mut Step<'_>) {
        for Staged { delivery, start_at, .. } in staged {
            self.take_back(&delivery, start_at, None, step);
        }
    }

    /// Takes back an attempt whose sender was not called: it was never made. The push is due again at `start_at`, or, with
    /// a reason, when what kept it is over.
    pub(super) fn take_back(
        &mut self,
        delivery: &Delivery,
        start_at: UtcMs,
        reason: Option<Reason>,
        step: &mut Step<'_>,
    ) {
        self.queue.take_back(delivery.push_id, step.now.moment);
        self.recorder.take_back(TakeBack {
            push_id: delivery.push_id,
            number: delivery.attempt,
            next_attempt_at: start_at,
            reason,
        });
    }
}
