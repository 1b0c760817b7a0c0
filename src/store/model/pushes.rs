//! Pushes and attempts as the engine moves them, and the accounts that carry them.

use std::sync::Arc;

use crate::domain::{Delivery, Health, Kind, Next, Reason, Report, Rule, Target, Trigger, UtcMs};

/// An open push without its message: what the dispatcher keeps in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenPush {
    pub id: i64,
    pub job: Option<Arc<str>>,
    pub triggered_by: Trigger,
    /// The chat that asked for it, for trigger `message`: its im and account.
    pub chat: Option<(String, String)>,
    pub im: String,
    pub target: Target,
    pub kind: Kind,
    /// The account that the push names.
    pub account: Option<String>,
    pub due_at: UtcMs,
    pub next_attempt_at: UtcMs,
    pub expires_at: UtcMs,
    /// `next_attempt_at` is the end of a length, such as the wait before a retry, and not the hour of its fire.
    pub is_resting: bool,
    /// An earlier attempt ended `unknown`: whatever follows, it must not be said that nothing was sent.
    pub perhaps_sent: bool,
    /// How many attempts it has had; the newest one's number.
    pub attempts: u32,
    /// The account of the newest one.
    pub last_account: Option<Arc<str>>,
    /// What it says is made once it can go out: no attempt is opened before.
    pub awaits_content: bool,
    /// Its job has `overlap: skip` or `replace`: to one target no other push of the job is under way beside it.
    pub is_exclusive: bool,
}

/// An attempt about to be made.
#[derive(Clone, Debug)]
pub struct Begin {
    pub push_id: i64,
    pub account: Arc<str>,
    pub sender: &'static str,
    pub rule: Rule,
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub struct Finish {
    pub push_id: i64,
    pub number: u32,
    pub report: Report,
    pub next: Next,
    /// When the sender was really called; replaces the instant noted when the attempt was opened, which may be some
    /// milliseconds ahead of the due instant.
    pub started_at: UtcMs,
    pub finished_at: UtcMs,
    /// What the attempt says of its account, written in the same transaction.
    pub health: Option<(Arc<str>, Health)>,
}

/// What closing attempts came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closed {
    /// Pushes that ended otherwise than asked for, or whose attempt was no longer open.
    pub lost: Vec<i64>,
    /// Pushes that now go out in the place of some that ended badly.
    pub fallbacks: Vec<OpenPush>,
}

/// An attempt that was opened and never made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeBack {
    pub push_id: i64,
    pub number: u32,
    /// When the push is due again.
    pub next_attempt_at: UtcMs,
    /// Why it waits, where that is not its hour.
    pub reason: Option<Reason>,
}

/// A push put back, or ended, without an attempt.
#[derive(Clone, Debug)]
pub struct Settle {
    pub push_id: i64,
    pub next: Next,
    /// How each account stood that could have sent it, where that is why; None: nothing is said of it.
    pub detail: Option<Arc<str>>,
}

impl Settle {
    /// Without a word on accounts.
    pub fn of(push_id: i64, next: Next) -> Settle {
        Settle { push_id, next, detail: None }
    }
}

/// An attempt that a dead process left open.
#[derive(Clone, Debug)]
pub struct Interrupted {
    pub push_id: i64,
    pub number: u32,
    pub account: String,
    pub sender: String,
    pub started_at: UtcMs,
    /// What was to be sent, or why its row cannot be read.
    pub delivery: Result<Delivery, String>,
}

/// An account as the tables show it.
#[derive(Clone, Debug)]
pub struct AccountRow {
    pub id: String,
    pub im: String,
    pub sender: String,
    pub is_default: bool,
    pub health: Health,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a burst, and of all that waits for an account that is down, there are 100,000 at once.
    #[test]
    fn open_pushes_and_attempts_are_no_larger_than_a_hundred_thousand_of_them_may_be() {
        let sizes = (size_of::<OpenPush>(), size_of::<Delivery>());
        assert!(sizes.0 <= 208 && sizes.1 <= 464, "{sizes:?}");
    }
}
