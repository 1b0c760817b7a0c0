//! Which account a due push goes to, or why it waits or ends without an attempt.

use tracing::warn;

use super::Dispatcher;
use crate::domain::{Next, UtcMs};
use crate::engine::news::News;
use crate::policy::account::Choice;
use crate::policy::retry::{self, Obstacle};
use crate::senders::Gate;
use crate::store::Settle;

/// Pushes chosen for in one go, so that a large burst does not keep the loop from finished attempts.
const CHOOSE_AT_ONCE: usize = 4096;

impl Dispatcher {
    pub(super) fn choose_accounts(&mut self, now: UtcMs) {
        let lead = self.lead();
        for id in self.queue.due(now + lead, CHOOSE_AT_ONCE) {
            let Some(push) = self.queue.get(id) else { continue };
            match self.roster.choose(push, now) {
                Choice::Use { index, rule } => {
                    let member = &self.roster.members()[index];
                    match member.sender.gate(&push.target, None, now) {
                        Gate::Open if push.expires_at <= now => {
                            self.cannot_try(id, Obstacle::Gate("too_late"), None, now)
                        }
                        Gate::Open => {
                            let (account, limits) = (member.id.clone(), member.limits);
                            self.queue.assign(id, &account, rule, limits);
                        }
                        Gate::Closed { reason, until } => self.cannot_try(id, Obstacle::Gate(reason), until, now),
                    }
                }
                Choice::ProbeFirst { index } => {
                    let account = self.roster.members()[index].id.clone();
                    self.probe(&account);
                    // Not written down: the answer comes within seconds and decides.
                    self.queue.park(id, "probing");
                }
                Choice::Wait { reason, until } => self.cannot_try(id, Obstacle::Account(reason), until, now),
                Choice::Never { reason } => self.settle(id, Next::Failed { reason: reason.to_owned() }),
            }
        }
    }

    /// Parks a push without spending an attempt, and says why in its row, once; or ends it when its time is over.
    pub(super) fn cannot_try(&mut self, id: i64, obstacle: Obstacle, until: Option<UtcMs>, now: UtcMs) {
        let Some(push) = self.queue.get(id) else { return };
        let next = retry::decide_snooze(obstacle, until, push.perhaps_sent, now, push.expires_at);
        let Next::Retry { at, .. } = next else { return self.settle(id, next) };
        let (Obstacle::Account(reason) | Obstacle::Gate(reason)) = obstacle;
        self.queue.park(id, reason);
        self.look_again_at = self.look_again_at.min(self.clock.monotonic() + at.since(now));
        if self.snoozed.insert(id, reason) != Some(reason) {
            self.settles.push(Settle { push_id: id, next });
        }
    }

    /// Ends a push without an attempt.
    pub(super) fn settle(&mut self, id: i64, next: Next) {
        if let Some(push) = self.queue.get(id) {
            let reason = next.reason().unwrap_or_default();
            (self.news)(News::Ended { im: &push.im, account: None, state: next.state() });
            warn!(push = id, job = push.job.as_deref(), im = %push.im, target = %push.target, state = next.state().as_str(), reason, "push ended without being sent");
        }
        self.forget(id);
        self.settles.push(Settle { push_id: id, next });
    }

    pub(super) fn forget(&mut self, id: i64) {
        self.queue.remove(id);
        self.snoozed.remove(&id);
        self.desk.release(id);
    }
}
