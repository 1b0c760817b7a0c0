//! What people do during a walk, and what becomes of their accounts.

use std::sync::Arc;
use std::time::Duration;

use pushcron::domain::{PushState, RetryPolicy, Target};
use pushcron::engine::core::{Event, Input};
use pushcron::senders::SenderEvent;

use super::rows::Row;
use super::{ACCOUNTS, Walk};

impl Walk {
    pub(super) fn new_push(&mut self) {
        let due_at = self.now.wall + Duration::from_millis(self.rng.u64(0..30_000));
        let is_of_the_crowd = self.is_crowded && self.rng.u8(0..3) > 0;
        let (job, target) = match is_of_the_crowd {
            true => (Some("one"), 0),
            false => ([None, Some("one"), Some("two")][self.rng.usize(0..3)], self.rng.u8(0..4)),
        };
        let row = Row {
            target: Target::Group(target.to_string()),
            job: job.map(Arc::from),
            is_exclusive: job == Some("one"),
            account: [None, None, Some("a"), Some("b")][self.rng.usize(0..4)].map(str::to_owned),
            has_media: self.rng.u8(0..4) == 0,
            retry: RetryPolicy {
                max_attempts: self.rng.u32(1..5),
                backoff: Duration::from_secs(2),
                resend_unknown: self.rng.u8(0..4) == 0,
                ..RetryPolicy::default()
            },
            due_at,
            expires_at: due_at + Duration::from_secs(self.rng.u64(5..600)),
            state: PushState::Pending,
            next_attempt_at: due_at,
            is_resting: false,
            has_reason: false,
            is_retired: false,
            attempts: Vec::new(),
            through: None,
            arrived: 0,
            by_hand: false,
        };
        let id = self.rows.insert(row);
        self.note(|| format!("push {id} due {due_at}"));
        self.input(Input::Event(Event::Opened(vec![self.rows.open(id)])));
    }

    /// As `pushcron cancel` does: refused while it is being sent.
    pub(super) fn cancel_by_hand(&mut self) {
        let waiting: Vec<i64> = self.rows.0.iter().filter(|(_, row)| row.is_waiting()).map(|(id, _)| *id).collect();
        let Some(id) = self.rng.choice(waiting) else { return };
        self.note(|| format!("push {id} is cancelled by hand"));
        let row = self.rows.0.get_mut(&id).unwrap();
        row.state = PushState::Cancelled;
        row.by_hand = true;
        self.input(Input::Event(Event::Dropped(vec![id])));
    }

    pub(super) fn flip_account(&mut self) {
        let account = ACCOUNTS[self.rng.usize(0..2)];
        let up = self.up.get_mut(account).unwrap();
        *up = !*up;
    }

    /// Somebody writes to `b`.
    pub(super) fn inbound(&mut self) {
        let from = Target::Group(self.rng.u8(0..4).to_string());
        self.note(|| format!("{from} writes to b"));
        self.inbound_from(&from);
    }

    pub(super) fn inbound_from(&mut self, from: &Target) {
        self.platforms.inbound(from, self.now.wall);
        let account: Arc<str> = "b".into();
        let generation = self.generations.get(&account).copied().unwrap_or_default();
        let (event, usage) = (SenderEvent::GateOpened, self.platforms.tell(&account));
        self.input(Input::Event(Event::FromSender { account, generation, event, usage }));
    }
}
