//! The store as the core sees it: rows of pushes and their attempts, without a database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pushcron::domain::{
    Body, Delivery, Kind, Media, Message, Next, Outcome, PushState, RetryPolicy, Target, Trigger, UtcMs,
};
use pushcron::store::{Begin, Finish, OpenPush, Settle, TakeBack};

/// A push and all its attempts, None for the one that is open.
pub(super) struct Row {
    pub target: Target,
    pub job: Option<Arc<str>>,
    /// Its job lets one at a time go to a target.
    pub is_exclusive: bool,
    pub account: Option<String>,
    pub has_media: bool,
    pub retry: RetryPolicy,
    pub due_at: UtcMs,
    pub expires_at: UtcMs,
    pub state: PushState,
    pub next_attempt_at: UtcMs,
    pub is_resting: bool,
    /// It was looked at, and people may have seen why it waits.
    pub has_reason: bool,
    /// A newer fire replaced it, or its job is gone: not tried again.
    pub is_retired: bool,
    pub attempts: Vec<Option<Outcome>>,
    /// The account of the newest attempt.
    pub through: Option<Arc<str>>,
    /// How often its message was taken.
    pub arrived: usize,
    /// A person ended it.
    pub by_hand: bool,
}

impl Row {
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, PushState::Pending | PushState::Retrying)
    }

    /// Whether an earlier attempt may have reached the target.
    pub(super) fn was_unknown(&self) -> bool {
        self.attempts.contains(&Some(Outcome::Unknown))
    }

    fn apply(&mut self, next: &Next) {
        self.state = next.state();
        if let Next::Retry { at, .. } = next {
            self.next_attempt_at = *at;
            self.is_resting = true;
        }
        self.retire();
    }

    /// Ends it where it waits and is not to be tried again.
    fn retire(&mut self) -> bool {
        let ends = self.is_retired && self.is_waiting();
        if ends {
            self.state = if self.was_unknown() { PushState::Unknown } else { PushState::Cancelled };
        }
        ends
    }
}

/// Rows by their ids, and the last id that was given.
#[derive(Default)]
pub(super) struct Rows(pub BTreeMap<i64, Row>, i64);

impl Rows {
    pub(super) fn insert(&mut self, row: Row) -> i64 {
        self.1 += 1;
        self.0.insert(self.1, row);
        self.1
    }

    /// No more attempts for the pushes of this job. Returns those that this ends.
    pub(super) fn retire(&mut self, job: &str) -> Vec<i64> {
        let of_it = self.0.iter_mut().filter(|(_, row)| row.job.as_deref() == Some(job) && !row.state.is_final());
        of_it
            .filter_map(|(id, row)| {
                row.is_retired = true;
                row.retire().then_some(*id)
            })
            .collect()
    }

    /// Whether nothing happened to any of these.
    pub(super) fn are_untouched(&self, ids: &[i64]) -> bool {
        ids.iter().all(|id| self.0.get(id).is_some_and(|row| row.state == PushState::Pending && !row.has_reason))
    }

    /// What the core is told of a push that waits.
    pub(super) fn open(&self, id: i64) -> OpenPush {
        let row = &self.0[&id];
        OpenPush {
            id,
            job: row.job.clone(),
            triggered_by: Trigger::Cron,
            chat: None,
            im: "qq".to_owned(),
            target: row.target.clone(),
            kind: if row.has_media { Kind::Image } else { Kind::Text },
            account: row.account.clone(),
            due_at: row.due_at,
            next_attempt_at: row.next_attempt_at,
            expires_at: row.expires_at,
            is_resting: row.is_resting,
            awaits_content: false,
            is_exclusive: row.is_exclusive,
            perhaps_sent: row.was_unknown(),
            attempts: row.attempts.len() as u32,
            last_account: row.through.clone().filter(|_| !row.attempts.is_empty()),
        }
    }

    pub(super) fn waiting(&self) -> Vec<OpenPush> {
        self.0.iter().filter(|(_, row)| row.is_waiting()).map(|(id, _)| self.open(*id)).collect()
    }

    pub(super) fn begin(&mut self, begins: &[Begin]) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for Begin { push_id, account, .. } in begins {
            let Some(row) = self.0.get_mut(push_id).filter(|row| row.is_waiting()) else { continue };
            row.attempts.push(None);
            row.state = PushState::Sending;
            row.through = Some(account.clone());
            deliveries.push(self.delivery(*push_id));
        }
        deliveries
    }

    pub(super) fn delivery(&self, id: i64) -> Delivery {
        let row = &self.0[&id];
        let body = match row.has_media {
            false => Body::Text { text: "walk".to_owned() },
            true => Body::Image(Media { source: "a.png".to_owned(), ..Media::default() }),
        };
        Delivery {
            push_id: id,
            attempt: row.attempts.len() as u32,
            key: format!("key-{id}"),
            job: row.job.as_ref().map(|job| job.to_string()),
            triggered_by: Trigger::Cron,
            due_at: row.due_at,
            im: "qq".to_owned(),
            target: row.target.clone(),
            message: Message { title: None, body },
            media: Vec::new(),
            timeout: Duration::from_secs(15),
            retry: row.retry.clone(),
            max_attempts: row.retry.max_attempts,
            expires_at: row.expires_at,
            made_at: row.due_at,
            parts: Vec::new(),
            unmade: None,
        }
    }

    /// Returns the pushes whose attempt was no longer open.
    pub(super) fn finish(&mut self, finishes: &[Finish]) -> Vec<i64> {
        let mut lost = Vec::new();
        for finish in finishes {
            let row = self.0.get_mut(&finish.push_id).expect("it was begun");
            let number = row.attempts.len() as u32;
            match row.attempts.last_mut() {
                Some(open @ None) if number == finish.number => {
                    *open = Some(finish.report.outcome.clone());
                    row.apply(&finish.next);
                    if row.is_retired && matches!(finish.next, Next::Retry { .. }) {
                        lost.push(finish.push_id);
                    }
                }
                _ => lost.push(finish.push_id),
            }
        }
        lost
    }

    /// Returns the pushes that are not open any more.
    pub(super) fn take_back(&mut self, attempts: &[TakeBack]) -> Vec<i64> {
        let mut ended = Vec::new();
        for attempt in attempts {
            let row = self.0.get_mut(&attempt.push_id).expect("it was begun");
            if row.state.is_final() {
                ended.push(attempt.push_id);
            } else if row.attempts.last() == Some(&None) && row.attempts.len() as u32 == attempt.number {
                row.attempts.pop();
                row.state = if row.attempts.is_empty() { PushState::Pending } else { PushState::Retrying };
                row.next_attempt_at = attempt.next_attempt_at;
                row.has_reason |= attempt.reason.is_some();
                if row.retire() {
                    ended.push(attempt.push_id);
                }
            }
        }
        ended
    }

    pub(super) fn settle(&mut self, settles: &[Settle]) {
        for Settle { push_id, next, .. } in settles {
            if let Some(row) = self.0.get_mut(push_id).filter(|row| row.is_waiting()) {
                let was_resting = row.is_resting;
                row.apply(next);
                row.is_resting = was_resting;
                row.has_reason = true;
            }
        }
    }

    /// Attempts that are open, with their numbers.
    pub(super) fn interrupted(&self) -> Vec<(i64, u32)> {
        let open = self.0.iter().filter(|(_, row)| row.attempts.last() == Some(&None));
        open.map(|(id, row)| (*id, row.attempts.len() as u32)).collect()
    }
}
