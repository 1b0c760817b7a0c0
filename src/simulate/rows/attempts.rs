//! Attempts and what becomes of their pushes, as the store records them.

use super::{AttemptRow, Rows, place};
use crate::domain::{Delivery, Health, Next, PushState, Reason, Trigger, UtcMs};
use crate::engine::accounts::PastAccount;
use crate::store::{AccountRow, Begin, Closed, Finish, Interrupted, OpenPush, Settle, TakeBack};

impl Rows {
    pub(crate) fn begin(&mut self, begins: &[Begin], now: UtcMs) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(begins.len());
        for Begin { push_id, account, sender, rule } in begins {
            let push = &mut self.pushes[place(*push_id)];
            if !push.is_waiting() {
                continue;
            }
            let started_at = now.max(push.next_attempt_at);
            let account = account.clone();
            push.attempts.push(AttemptRow { account, rule: *rule, sender, started_at, outcome: None });
            (push.state, push.reason) = (PushState::Sending, None);
            self.last_recorded = self.last_recorded.max(Some(started_at));
            deliveries.push(self.delivery(*push_id));
        }
        deliveries
    }

    fn delivery(&self, id: i64) -> Delivery {
        let push = self.push(id);
        let (fire, spec) = (&self.fires[push.fire], self.spec(push));
        Delivery {
            push_id: id,
            attempt: u32::try_from(push.attempts.len()).unwrap_or(u32::MAX),
            key: String::new(),
            job: Some(self.jobs[fire.job].name.to_string()),
            triggered_by: Trigger::Cron,
            due_at: fire.due_at,
            im: spec.im.clone(),
            target: spec.target.clone(),
            message: spec.message.clone(),
            media: Vec::new(),
            timeout: spec.timeout,
            retry: (*spec.retry).clone(),
            max_attempts: push.max_attempts,
            expires_at: push.expires_at,
            made_at: fire.due_at.max(fire.recorded_at),
            parts: Vec::new(),
            unmade: None,
        }
    }

    pub(crate) fn finish(&mut self, finishes: &[Finish]) -> Closed {
        let mut ended = Closed::default();
        for Finish { push_id, number, report, next, started_at, finished_at, health } in finishes {
            if let Some((account, health)) = health {
                self.learn(account, health);
            }
            let push = &mut self.pushes[place(*push_id)];
            let is_open = push.state == PushState::Sending && push.attempts.len() == *number as usize;
            let Some(attempt) = push.attempts.last_mut().filter(|_| is_open) else {
                ended.lost.push(*push_id);
                continue;
            };
            (attempt.started_at, attempt.outcome) = (*started_at, Some(report.outcome.as_str()));
            let (account, at) = (attempt.account.to_string(), *started_at);
            if let Next::Retry { at, reason } = next {
                match push.reason.take() {
                    Some(why) => {
                        push.end_unwanted(&why, *finished_at);
                        ended.lost.push(*push_id);
                        self.closed(*push_id);
                    }
                    None => {
                        (push.state, push.reason, push.next_attempt_at) =
                            (PushState::Retrying, Some(reason.as_str().into()), *at);
                    }
                }
            } else {
                push.end(next.state(), next.reason().map(Reason::as_str), *finished_at);
                self.closed(*push_id);
                self.make_fallbacks(*push_id, next, *finished_at, &mut ended.fallbacks);
            }
            self.past(&account).last_attempt_at = Some(at);
        }
        ended
    }

    /// Returns the pushes that are not open any more.
    pub(crate) fn take_back(&mut self, attempts: &[TakeBack], now: UtcMs) -> Vec<i64> {
        let mut ended = Vec::new();
        for TakeBack { push_id, number, next_attempt_at, reason } in attempts {
            let push = &mut self.pushes[place(*push_id)];
            if push.state != PushState::Sending || push.attempts.len() != *number as usize {
                if push.state.is_final() {
                    ended.push(*push_id);
                }
                continue;
            }
            push.attempts.pop();
            if let Some(why) = push.reason.take() {
                push.end_unwanted(&why, now);
                ended.push(*push_id);
                self.closed(*push_id);
                continue;
            }
            let before = push.attempts.last().and_then(|attempt| attempt.outcome);
            push.state = if push.attempts.is_empty() { PushState::Pending } else { PushState::Retrying };
            push.reason = reason.map(Reason::as_str).or(before).map(Into::into);
            push.next_attempt_at = *next_attempt_at;
            push.waits_for(*reason);
        }
        ended
    }

    /// Returns what goes out in the place of pushes that ended badly.
    pub(crate) fn settle(&mut self, settles: &[Settle], now: UtcMs) -> Vec<OpenPush> {
        let mut made = Vec::new();
        for Settle { push_id, next, .. } in settles {
            let push = &mut self.pushes[place(*push_id)];
            if !push.is_waiting() {
                continue;
            }
            match next {
                Next::Retry { at, reason } => {
                    (push.next_attempt_at, push.reason) = (*at, Some(reason.as_str().into()));
                    push.waits_for(Some(*reason));
                }
                next => {
                    push.end(next.state(), next.reason().map(Reason::as_str), now);
                    self.closed(*push_id);
                    self.make_fallbacks(*push_id, next, now, &mut made);
                }
            }
        }
        made
    }

    pub(crate) fn tell_next_attempts(&mut self, rows: &[(i64, UtcMs)]) {
        for (id, at) in rows {
            let push = &mut self.pushes[place(*id)];
            if push.is_waiting() {
                push.next_attempt_at = *at;
            }
        }
    }

    /// Attempts that a process which is gone left open.
    pub(crate) fn interrupted(&self) -> Vec<Interrupted> {
        let sending = self.open.iter().filter(|id| self.push(**id).state == PushState::Sending);
        let interrupted = sending.filter_map(|id| {
            let push = self.push(*id);
            let attempt = push.attempts.last()?;
            Some(Interrupted {
                push_id: *id,
                number: u32::try_from(push.attempts.len()).ok()?,
                account: attempt.account.to_string(),
                sender: attempt.sender.to_owned(),
                started_at: attempt.started_at,
                delivery: Ok(self.delivery(*id)),
            })
        });
        interrupted.collect()
    }

    pub(crate) fn record_accounts(&mut self, rows: &[AccountRow]) {
        for row in rows {
            self.learn(&row.id, &row.health);
        }
    }

    fn learn(&mut self, account: &str, health: &Health) {
        let past = self.past(account);
        past.cooldown_until = health.cooldown_until;
        past.failures = health.failures;
        past.last_error.clone_from(&health.last_error);
    }

    fn past(&mut self, account: &str) -> &mut PastAccount {
        self.accounts.entry(account.to_owned()).or_insert_with(|| PastAccount {
            id: account.to_owned(),
            cooldown_until: None,
            failures: 0,
            last_error: None,
            last_attempt_at: None,
        })
    }

    pub(crate) fn past_accounts(&self) -> Vec<PastAccount> {
        self.accounts.values().cloned().collect()
    }

    pub(crate) fn last_recorded(&self) -> Option<UtcMs> {
        self.last_recorded
    }
}
