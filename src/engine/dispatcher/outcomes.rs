//! What an attempt came to, and what it says of its push and its account.

use std::sync::Arc;

use tracing::{debug, info, warn};

use super::{Dispatcher, Flight};
use crate::domain::{Delivery, Next, Outcome, Reading, Report, UtcMs};
use crate::engine::news::News;
use crate::policy::retry::{self, Attempted};
use crate::store::Finish;

impl Dispatcher {
    pub(super) fn done(&mut self, push_id: i64, report: Report, asked: bool) {
        // An attempt given up at a stop was taken out already.
        let Some(flight) = self.flights.remove(&push_id) else { return };
        self.landed(&flight.account, flight.line);
        let now = self.clock.reading();
        self.queue.close(push_id, now.moment);
        let delivery = &flight.delivery;
        let mut next = self.decide(&flight, &report.outcome, now.wall);
        if matches!(next, Next::Retry { .. }) && self.queue.is_orphan(push_id) {
            next = Next::Cancelled { reason: "job_removed".to_owned() };
        }
        self.tell(&flight, &report, &next);
        self.spread(&flight, &report.outcome, &next);
        // Media that cannot be had are no fault of the account, and no proof that it works.
        let health = if asked { self.learn(&flight.account, flight.generation, &report, now) } else { None };
        self.finishes.push(Finish {
            push_id,
            number: delivery.attempt,
            report,
            next,
            started_at: flight.started_at,
            finished_at: now.wall,
            health: health.map(|health| (flight.account.clone(), health)),
        });
    }

    pub(super) fn decide(&self, flight: &Flight, outcome: &Outcome, now: UtcMs) -> Next {
        let delivery = &flight.delivery;
        let attempted = Attempted {
            attempt: delivery.attempt,
            max_attempts: delivery.max_attempts,
            retry: &delivery.retry,
            idempotent: flight.idempotent,
            perhaps_sent: self.queue.get(delivery.push_id).is_some_and(|push| push.perhaps_sent),
            now,
            expires_at: delivery.expires_at,
            unit_jitter: fastrand::f64(),
        };
        retry::decide(outcome, &attempted)
    }

    /// One line for each thing that a person would want to know; a push that was sent is no news.
    pub(super) fn tell(&self, flight: &Flight, report: &Report, next: &Next) {
        let Delivery { push_id, job, im, target, attempt, .. } = &*flight.delivery;
        let (account, outcome, error) = (&*flight.account, report.outcome.as_str(), report.error.as_deref());
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

    pub(super) fn spread(&self, flight: &Flight, outcome: &Outcome, next: &Next) {
        let (im, account, delivery) = (&*flight.delivery.im, &*flight.account, &flight.delivery);
        let lateness = (delivery.attempt == 1).then(|| flight.started_at.since(delivery.due_at));
        (self.news)(News::Attempt { im, account, outcome, lateness });
        if next.state().is_final() {
            (self.news)(News::Ended { im, account: Some(account), state: next.state() });
        }
    }

    /// What the attempt says of its account, if the account is still the one that it was made through.
    pub(super) fn learn(
        &mut self,
        account: &Arc<str>,
        generation: u64,
        report: &Report,
        now: Reading,
    ) -> Option<crate::domain::Health> {
        self.roster.get(account).filter(|member| member.generation == generation)?;
        let learned = self.roster.learn_attempt(account, report, now);
        if let Some(member) = self.roster.get(account) {
            self.queue.set_trust(account, member.trust());
        }
        let (health, could_send) = learned?;
        self.spread_health(account);
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
                self.leave_account(account);
            }
            _ => {}
        }
        Some(health)
    }
}
