//! What the core has done during a walk: by the store, by the journal of sends, and by the senders.

use std::time::Duration;

use pushcron::domain::{Outcome, PushState, Report};
use pushcron::engine::core::{Action, Input, Start};
use pushcron::senders::Probe;
use pushcron::store::{Closed, StoreError};

use super::Walk;

impl Walk {
    pub(super) fn hand_in_one(&mut self) {
        if !self.results.is_empty() {
            let result = self.results.swap_remove(self.rng.usize(0..self.results.len()));
            self.input(result);
        }
        if self.rng.bool() {
            self.input(Input::Tick);
        }
    }

    pub(super) fn carry_out_one(&mut self) {
        if !self.actions.is_empty() {
            let action = self.actions.swap_remove(self.rng.usize(0..self.actions.len()));
            self.carry_out(action);
        }
    }

    pub(super) fn carry_out(&mut self, action: Action) {
        let refused = (!self.store_ok).then(|| StoreError::Unavailable("disk full".to_owned()));
        match action {
            Action::Begin { begins, .. } => {
                let result = refused.map_or_else(|| Ok(self.rows.begin(&begins)), Err);
                self.results.push(Input::Begun { begins, result });
            }
            Action::Finish(finishes) => {
                let result =
                    refused.map_or_else(|| Ok(Closed { lost: self.rows.finish(&finishes), ..Closed::default() }), Err);
                self.results.push(Input::Finished { finishes, result });
            }
            Action::TakeBack { attempts, .. } => {
                let reasons = attempts.iter().filter_map(|attempt| attempt.reason);
                reasons.for_each(|reason| *self.held.entry(reason.as_str()).or_default() += 1);
                let result = refused.map_or_else(|| Ok(self.rows.take_back(&attempts)), Err);
                self.results.push(Input::TakenBack { attempts, result });
            }
            Action::Settle { settles, .. } => {
                let reasons = settles.iter().filter_map(|settle| settle.next.reason());
                reasons.for_each(|reason| *self.held.entry(reason.as_str()).or_default() += 1);
                if refused.is_none() {
                    self.rows.settle(&settles);
                }
                let result = refused.map_or(Ok(Vec::new()), Err);
                self.results.push(Input::Settled { settles, result });
            }
            Action::Resolve { delivery, .. } => {
                let unreachable = || Err(Report::failed(Outcome::Unreachable, "no such file"));
                let push_id = delivery.push_id;
                assert!(self.rows.0[&push_id].has_media, "push {push_id} has nothing to resolve");
                let result = if self.rng.u8(0..4) == 0 { unreachable() } else { Ok(delivery) };
                self.results.push(Input::Resolved { push_id, result });
            }
            Action::Start(starts) => self.begin_sending(starts),
            Action::Probe { account, generation, .. } => {
                let probe = if self.up[&*account] { Probe::up() } else { Probe::down("scripted") };
                self.generations.insert(account.clone(), generation);
                let usage = self.platforms.tell(&account);
                self.results.push(Input::Probed { account, generation, probe, usage });
            }
            Action::TellNextAttempts(rows) => {
                for (id, at) in rows {
                    if let Some(row) = self.rows.0.get_mut(&id).filter(|row| row.is_waiting()) {
                        row.next_attempt_at = at;
                    }
                }
            }
            Action::Closed(id) => self.journal.retain(|(push_id, _)| *push_id != id),
            Action::Abort(id) => {
                self.in_flight.remove(&id);
                self.aborted.insert(id);
            }
            Action::MakeContent(_)
            | Action::RecordAccounts { .. }
            | Action::Confirm { .. }
            | Action::SetMediaAside(_)
            | Action::ReleaseMedia(_) => {}
        }
    }

    pub(super) fn begin_sending(&mut self, starts: Vec<Start>) {
        if !self.journal_ok {
            let push_ids = starts.iter().map(|start| start.delivery.push_id).collect();
            return self.results.push(Input::NotStarted { push_ids, error: "scripted".to_owned() });
        }
        self.journal.extend(starts.iter().map(|start| (start.delivery.push_id, start.delivery.attempt)));
        for Start { delivery, .. } in starts {
            self.send(delivery.push_id);
        }
    }

    /// The sender is called: whatever is wrong from here on, people see it.
    pub(super) fn send(&mut self, id: i64) {
        if self.aborted.contains(&id) {
            return;
        }
        let row = &self.rows.0[&id];
        let attempt = row.attempts.len() as u32;
        assert_eq!(row.state, PushState::Sending, "push {id} is sent without an open row");
        assert!(self.journal.contains(&(id, attempt)), "push {id} is sent without a note");
        assert!(attempt <= row.retry.max_attempts, "push {id} is tried too often");
        let may_repeat = row.was_unknown() && (self.idempotent || row.retry.resend_unknown);
        assert!(row.arrived == 0 || may_repeat, "push {id} arrives twice");
        let account = row.through.clone().unwrap();
        assert!(self.in_flight.insert(id, account.clone()).is_none(), "push {id} is under way already");
        let is_beside = |other: &i64| {
            let other = &self.rows.0[other];
            other.is_exclusive && other.job == row.job && other.target == row.target
        };
        let beside = self.in_flight.keys().find(|other| **other != id && row.is_exclusive && is_beside(other));
        assert_eq!(beside, None, "push {id} is under way beside another of its job to the same target");
        self.platforms.begin(id, &account, &row.target, self.now);
        let busy = self.in_flight.values().filter(|through| **through == account).count();
        assert!(busy <= self.concurrency() as usize, "{busy} at once through {account}");
        self.note(|| format!("push {id} is sent, attempt {attempt}, by {account}"));
    }

    /// One of the senders that were called answers, or what it took is never heard of.
    pub(super) fn answer_one(&mut self) {
        let Some(id) = self.rng.choice(self.in_flight.keys().copied().collect::<Vec<i64>>()) else { return };
        let account = self.in_flight.remove(&id).unwrap();
        let failed = |outcome| Report::failed(outcome, "scripted");
        let (arrives, report) = match self.rng.u8(0..12) {
            _ if !self.up[&*account] => (false, failed(Outcome::AccountDown)),
            0 => (true, failed(Outcome::Unknown)),
            1 => (false, failed(Outcome::Unknown)),
            2 => (false, failed(Outcome::Unreachable)),
            3 => (false, failed(Outcome::Rejected)),
            4 => (false, failed(Outcome::TargetGone)),
            5 => (false, failed(Outcome::Throttled { wait: Some(Duration::from_secs(self.rng.u64(1..90))) })),
            _ => (true, Report::sent(None)),
        };
        self.note(|| format!("push {id} is answered {}, arrives {arrives}", report.outcome.as_str()));
        self.rows.0.get_mut(&id).unwrap().arrived += usize::from(arrives);
        self.platforms.end(id, &report.outcome);
        let usage = self.platforms.tell(&account);
        self.results.push(Input::Done { push_id: id, report, usage });
    }
}
