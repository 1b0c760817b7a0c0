//! Which account a due push goes to, or why it waits or ends without an attempt.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::{error, warn};

use super::Dispatcher;
use crate::domain::{Delivery, Next, Reading, Target, UtcMs};
use crate::engine::news::News;
use crate::policy::account::Choice;
use crate::policy::retry::{self, Obstacle};
use crate::senders::{Gate, Sender};
use crate::store::Settle;

/// Pushes chosen for in one go, so that a large burst does not keep the loop from finished attempts.
const CHOOSE_AT_ONCE: usize = 4096;

impl Dispatcher {
    pub(super) fn choose_accounts(&mut self, now: Reading) {
        let lead = self.lead();
        for id in self.queue.due(now, lead, CHOOSE_AT_ONCE) {
            let Some(push) = self.queue.get(id) else { continue };
            match self.roster.choose(push, now.moment) {
                Choice::Use { index, rule } => {
                    let member = &self.roster.members()[index];
                    match gate(&*member.sender, &push.target, None, now.wall) {
                        Gate::Open if push.expires_at <= now.wall => self.expire(id),
                        Gate::Open => {
                            let (account, limits) = (member.id.clone(), member.limits);
                            let trust = member.trust();
                            self.queue.assign(id, &account, rule, limits);
                            self.queue.set_trust(&account, trust);
                        }
                        Gate::Closed { reason, until } => self.cannot_try(id, Obstacle::Gate(reason), until, now.wall),
                    }
                }
                Choice::ProbeFirst { index } => {
                    let account = self.roster.members()[index].id.clone();
                    self.probe(&account);
                    // Not written down: the answer comes within seconds and decides.
                    self.queue.park(id, "probing");
                }
                Choice::Wait { reason, until } => {
                    let until = until.map(|moment| now.wall_at(moment));
                    self.cannot_try(id, Obstacle::Account(reason), until, now.wall);
                }
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
            self.settles.push_back(Settle { push_id: id, next });
        }
    }

    /// Ends a push whose time is over, and which was not begun.
    pub(super) fn expire(&mut self, id: i64) {
        let Some(push) = self.queue.get(id) else { return };
        let over = push.expires_at;
        let next = retry::decide_snooze(Obstacle::Gate("too_late"), None, push.perhaps_sent, over, over);
        self.settle(id, next);
    }

    /// Ends a push without an attempt.
    pub(super) fn settle(&mut self, id: i64, next: Next) {
        if let Some(push) = self.queue.get(id) {
            let reason = next.reason().unwrap_or_default();
            (self.news)(News::Ended { im: &push.im, account: None, state: next.state() });
            warn!(push = id, job = push.job.as_deref(), im = %push.im, target = %push.target, state = next.state().as_str(), reason, "push ended without being sent");
        }
        self.forget(id);
        self.settles.push_back(Settle { push_id: id, next });
    }

    pub(super) fn forget(&mut self, id: i64) {
        self.queue.remove(id);
        self.snoozed.remove(&id);
        self.desk.release(id);
    }
}

/// Asks a sender's gate. One that breaks down keeps the pushes of its own account waiting, and nobody else's.
pub(super) fn gate(sender: &dyn Sender, target: &Target, delivery: Option<&Delivery>, now: UtcMs) -> Gate {
    let asked = catch_unwind(AssertUnwindSafe(|| sender.gate(target, delivery, now)));
    asked.unwrap_or_else(|_| {
        error!(%target, "a sender's gate broke down (a bug of pushcron); its pushes wait");
        Gate::Closed { reason: "sender_broken", until: None }
    })
}
