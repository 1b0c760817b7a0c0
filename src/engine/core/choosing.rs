//! Which account a due push goes to, or why it waits or ends without an attempt.

use std::sync::Arc;

use tracing::warn;

use super::allowance::Permission;
use super::io::Step;
use super::state::Core;
use crate::domain::{Next, Reason, UtcMs};
use crate::engine::observer::EngineEvent;
use crate::policy::account::Choice;
use crate::policy::retry::{self, Obstacle};
use crate::store::Settle;

/// Pushes chosen for in one go, so that a large burst does not keep the loop from finished attempts.
const CHOOSE_AT_ONCE: usize = 4096;

impl Core {
    pub(super) fn choose_accounts(&mut self, step: &mut Step<'_>) {
        let now = step.now;
        let lead = self.lead();
        for id in self.queue.due(now, lead, CHOOSE_AT_ONCE) {
            let Some(push) = self.queue.get(id) else { continue };
            match self.accounts.choose(push, now.moment) {
                Choice::Use { index, rule } => {
                    let Some(live) = self.accounts.at_mut(index) else { continue };
                    match live.allowance.permission(&push.target, None, now) {
                        Permission::Granted if push.expires_at <= now.wall => self.expire(id, step),
                        Permission::Granted => {
                            let (account, limits) = (live.id.clone(), live.limits);
                            let trust = live.trust();
                            self.queue.assign(id, &account, rule, limits);
                            self.queue.set_trust(&account, trust);
                        }
                        // Not written down: the end of an attempt decides, which comes within moments.
                        Permission::AfterThoseUnderWay => self.queue.park(id, Reason::RateLimit),
                        Permission::Withheld { reason, until } => {
                            self.cannot_try(id, Obstacle::Gate(reason), until, step);
                        }
                    }
                }
                Choice::ProbeFirst { index } => {
                    let account = self.accounts.all()[index].id.clone();
                    self.probe(&account, step);
                    // Not written down: the answer comes within seconds and decides.
                    self.queue.park(id, Reason::Probing);
                }
                Choice::Wait { reason, until } => {
                    let until = until.map(|moment| now.wall_at(moment));
                    self.cannot_try(id, Obstacle::Account(reason), until, step);
                }
                Choice::Never { reason } => self.settle(id, Next::Failed { reason }, step),
            }
        }
    }

    /// Parks a push without spending an attempt, and says why in its row, once; or ends it when its time is over.
    pub(super) fn cannot_try(&mut self, id: i64, obstacle: Obstacle, until: Option<UtcMs>, step: &mut Step<'_>) {
        let now = step.now.wall;
        let Some(push) = self.queue.get(id) else { return };
        let next = retry::decide_snooze(obstacle, until, push.perhaps_sent, now, push.expires_at);
        let Next::Retry { at, .. } = next else { return self.settle(id, next, step) };
        let (Obstacle::Account(reason) | Obstacle::Gate(reason)) = obstacle;
        let detail = if self.recorder.reason_of(id) == Some(reason) { None } else { self.why_not(id, reason, step) };
        self.queue.park(id, reason);
        self.look_again_at = self.look_again_at.min(step.now.moment_at(at));
        self.recorder.snooze(Settle { push_id: id, next, detail }, reason);
    }

    /// How the accounts stand that could send a push, where it waits or ends because of them.
    fn why_not(&self, id: i64, reason: Reason, step: &Step<'_>) -> Option<Arc<str>> {
        let is_about_accounts = matches!(
            reason,
            Reason::NoSender
                | Reason::AccountOffline
                | Reason::AccountNotSendable
                | Reason::AccountCoolingDown
                | Reason::KindNotSupported
        );
        self.queue.get(id).filter(|_| is_about_accounts).and_then(|push| self.accounts.why_not(push, step.now.moment))
    }

    /// Ends a push whose time is over, and which was not begun.
    pub(super) fn expire(&mut self, id: i64, step: &mut Step<'_>) {
        let Some(push) = self.queue.get(id) else { return };
        let over = push.expires_at;
        let next = retry::decide_snooze(Obstacle::Gate(Reason::TooLate), None, push.perhaps_sent, over, over);
        self.settle(id, next, step);
    }

    /// Ends a push without an attempt.
    pub(super) fn settle(&mut self, id: i64, next: Next, step: &mut Step<'_>) {
        if let Some(push) = self.queue.get(id) {
            let reason = next.reason().map(Reason::as_str).unwrap_or_default();
            (self.observer)(EngineEvent::Ended {
                job: push.job.as_deref(),
                im: &push.im,
                account: push.last_account.as_deref(),
                state: next.state(),
            });
            warn!(push = id, job = push.job.as_deref(), im = %push.im, target = %push.target, state = next.state().as_str(), reason, "push ended without being sent");
        }
        let detail = next.reason().and_then(|reason| self.why_not(id, reason, step));
        self.forget(id, step);
        self.recorder.settle(Settle { push_id: id, next, detail });
    }
}
