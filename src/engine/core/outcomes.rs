//! What an attempt came to, and what it says of its push and its account.

use tracing::{debug, info, warn};

use super::io::{Action, Step};
use super::starter::InFlight;
use super::state::Core;
use crate::domain::limits::Usage;
use crate::domain::{Delivery, Health, Next, Outcome, Reason, Report};
use crate::engine::observer::EngineEvent;
use crate::policy::retry::{self, AttemptContext};
use crate::store::Finish;

impl Core {
    /// A sender that was called is done with an attempt.
    pub(super) fn answered(&mut self, push_id: i64, report: Report, usage: Option<Box<Usage>>, step: &mut Step<'_>) {
        if let Some(in_flight) = self.starter.get(push_id) {
            let (account, generation) = (in_flight.account.clone(), in_flight.generation);
            self.told(&account, generation, usage);
        }
        self.done(push_id, report, true, step);
    }

    /// What a sender says that its account has used of its limits, unless it is that of an earlier definition.
    pub(super) fn told(&mut self, account: &str, generation: u64, usage: Option<Box<Usage>>) {
        let live = self.accounts.get_mut(account).filter(|live| live.generation == generation);
        if let (Some(live), Some(usage)) = (live, usage) {
            live.allowance.told(*usage);
        }
    }

    /// The attempt of this push is no longer under way: its slot is free, and its place under the limits of its account.
    pub(super) fn end(&mut self, push_id: i64) -> Option<InFlight> {
        let ended = self.starter.end(push_id)?;
        let live = self.accounts.get_mut(&ended.account);
        if live.is_some_and(|live| live.allowance.end(push_id)) {
            self.queue.unpark();
        }
        Some(ended)
    }

    /// These attempts are not waited for any longer.
    pub(super) fn abandon(&mut self, which: impl Fn(&InFlight) -> bool, step: &mut Step<'_>) -> Vec<InFlight> {
        let abandoned = self.starter.under_way(which);
        abandoned.iter().for_each(|id| step.act(Action::Abort(*id)));
        abandoned.into_iter().filter_map(|id| self.end(id)).collect()
    }

    /// An attempt has ended. `asked`: its sender was called, so that the report says something of the account.
    pub(super) fn done(&mut self, push_id: i64, report: Report, asked: bool, step: &mut Step<'_>) {
        // An attempt given up at a stop was taken out already.
        let Some(ended) = self.end(push_id) else { return };
        self.conclude(ended, report, asked, step);
    }

    /// Decides what an attempt that has ended leads to, and has it recorded.
    pub(super) fn conclude(&mut self, ended: InFlight, report: Report, asked: bool, step: &mut Step<'_>) {
        let push_id = ended.delivery.push_id;
        let report = report.in_doubt_after(&ended.delivery.parts);
        self.queue.close(push_id, step.now.moment);
        let mut next = self.decide(&ended, &report.outcome, step);
        if matches!(next, Next::Retry { .. }) && self.queue.is_orphan(push_id) {
            let reason = Reason::JobRemoved;
            let is_perhaps_sent = report.outcome == Outcome::Unknown || self.is_perhaps_sent(push_id);
            next = if is_perhaps_sent { Next::Unknown { reason } } else { Next::Cancelled { reason } };
        }
        log_outcome(&ended, &report, &next);
        self.publish(&ended, &report.outcome, &next);
        let health = if asked { self.update_health(&ended, &report, step) } else { None };
        self.recorder.finish(Finish {
            push_id,
            number: ended.delivery.attempt,
            report,
            next,
            started_at: ended.started_at,
            finished_at: step.now.wall,
            health: health.map(|health| (ended.account.clone(), health)),
        });
    }

    /// Whether an earlier attempt may have reached the target: it must never be said then that nothing was sent.
    fn is_perhaps_sent(&self, push_id: i64) -> bool {
        self.queue.get(push_id).is_some_and(|push| push.perhaps_sent)
    }

    fn decide(&self, ended: &InFlight, outcome: &Outcome, step: &mut Step<'_>) -> Next {
        let delivery = &ended.delivery;
        if delivery.unmade.is_some() {
            return Next::Failed { reason: Reason::Content };
        }
        let context = AttemptContext {
            attempt: delivery.attempt,
            max_attempts: delivery.max_attempts,
            retry: &delivery.retry,
            idempotent: ended.idempotent,
            perhaps_sent: self.is_perhaps_sent(delivery.push_id),
            now: step.now.wall,
            expires_at: delivery.expires_at,
            unit_jitter: step.dice.unit(),
        };
        retry::decide(outcome, &context)
    }

    fn publish(&self, ended: &InFlight, outcome: &Outcome, next: &Next) {
        let (im, account, delivery) = (&*ended.delivery.im, &*ended.account, &ended.delivery);
        let lateness = (delivery.attempt == 1).then(|| ended.started_at.since(delivery.due_at));
        (self.observer)(EngineEvent::Attempt { im, account, outcome, lateness });
        if next.state().is_final() {
            let job = delivery.job.as_deref();
            (self.observer)(EngineEvent::Ended { job, im, account: Some(account), state: next.state() });
        }
    }

    /// What the attempt says of its account, if the account is still the one that it was made through.
    fn update_health(&mut self, ended: &InFlight, report: &Report, step: &mut Step<'_>) -> Option<Health> {
        let (account, now) = (&ended.account, step.now);
        self.accounts.get(account).filter(|live| live.generation == ended.generation)?;
        let learned = self.accounts.update_after_attempt(account, report, now);
        if let Some(live) = self.accounts.get(account) {
            self.queue.set_trust(account, live.trust());
        }
        let (health, could_send) = learned?;
        self.publish_health(account);
        match (could_send, health.can_send(now.moment)) {
            (false, true) => {
                info!(account = &**account, "account can send again");
                self.queue.unpark();
            }
            (true, false) => {
                let until = health.cooldown_until.map(tracing::field::display);
                warn!(
                    account = &**account,
                    error = report.error.as_deref(),
                    cooldown_until = until,
                    "account cannot send now"
                );
                self.leave_account(account, step);
            }
            _ => {}
        }
        Some(health)
    }
}

/// One line for each thing that a person would want to know; a push that was sent is no news.
fn log_outcome(ended: &InFlight, report: &Report, next: &Next) {
    let Delivery { push_id, job, im, target, attempt, .. } = &*ended.delivery;
    let (account, outcome, error) = (&*ended.account, report.outcome.as_str(), report.error.as_deref());
    let job = job.as_deref();
    match next {
        Next::Sent => debug!(push = push_id, job, im, %target, account, attempt, "sent"),
        Next::Retry { at, .. } => {
            info!(push = push_id, job, im, %target, account, attempt, outcome, error, next_attempt_at = %at, "not sent, will be tried again");
        }
        Next::Unknown { .. } => {
            warn!(push = push_id, job, im, %target, account, attempt, outcome, error, "push may have arrived, and nobody can tell: see `pushcron resolve`");
        }
        _ => {
            let state = next.state().as_str();
            warn!(push = push_id, job, im, %target, account, attempt, outcome, error, state, "push ended without being sent");
        }
    }
}
