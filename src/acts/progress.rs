//! What happens to a push while somebody waits for it: each attempt that failed, and why it waits.

use std::time::Duration;

use crate::domain::{PushState, Reason, UtcMs};
use crate::store::{AccountRow, AttemptRecord, PushStory};
use crate::texts::{self, Text};

/// Something that who waits for a push should know at once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PushUpdate {
    /// An attempt ended, and the push with it not.
    Failed { attempt: AttemptRecord, next_attempt_at: Option<UtcMs> },
    /// Nobody sends it now; accounts of its im that are down, each with what it was told.
    Waits { reason: String, down: Vec<(String, Text)> },
}

/// How far somebody was told.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    attempts: usize,
    reason: Option<String>,
}

/// A push that waits for the end of a rest is looked at again so soon after it, and what came of that is written down.
const AFTER_A_REST: Duration = Duration::from_secs(5);

/// Reasons to wait that only the world outside can end.
const UNTIL_ASKED_AGAIN: [Reason; 5] = [
    Reason::NoSender,
    Reason::AccountOffline,
    Reason::AccountNotSendable,
    Reason::AccountUnknown,
    Reason::WindowClosed,
];

impl Progress {
    /// What is new since the last look.
    pub(crate) fn look(&mut self, story: &PushStory, accounts: &[AccountRow]) -> Vec<PushUpdate> {
        let Some(push) = story.fire.pushes.first().filter(|push| !push.state.is_final()) else { return Vec::new() };
        let mut updates = Vec::new();
        let ended = push.attempts.iter().filter(|attempt| attempt.outcome.is_some());
        for attempt in ended.skip(self.attempts) {
            self.attempts += 1;
            updates.push(PushUpdate::Failed { attempt: attempt.clone(), next_attempt_at: push.next_attempt_at });
        }
        if push.reason == self.reason {
            return updates;
        }
        self.reason.clone_from(&push.reason);
        if let Some(reason) = push.reason.as_deref().filter(|word| is_one_of(word, &UNTIL_ASKED_AGAIN)) {
            updates.push(PushUpdate::Waits { reason: reason.to_owned(), down: down(accounts, &push.im) });
        }
        updates
    }
}

/// Whether it is sure that nothing will come of a push within the wait that is left, where nobody asks the accounts again
/// and no daemon goes on.
pub(crate) fn is_hopeless(story: &PushStory, accounts: &[AccountRow], now: UtcMs, left: Duration) -> bool {
    let Some(push) = story.fire.pushes.first() else { return false };
    if !matches!(push.state, PushState::Pending | PushState::Retrying) {
        return false;
    }
    let Some(reason) = push.reason.as_deref() else { return false };
    // Also of one that has just ended: the push is about to be looked at again.
    let ends = |until: UtcMs| until + AFTER_A_REST > now && until <= now + left;
    let rests_end =
        accounts.iter().any(|account| account.im == push.im && account.health.cooldown_until.is_some_and(ends));
    let is_parked = is_one_of(reason, &UNTIL_ASKED_AGAIN) && !rests_end;
    is_parked || push.next_attempt_at.is_some_and(|at| at > now + left)
}

/// Accounts of an im that cannot send, each with what it was told.
fn down(accounts: &[AccountRow], im: &str) -> Vec<(String, Text)> {
    let is_down = |account: &&AccountRow| account.im == im && account.health.is_down();
    let told = |account: &AccountRow| {
        let health = &account.health;
        let word = if health.online == Some(false) { texts::it_is_offline() } else { texts::it_may_not_send_now() };
        (account.id.clone(), health.last_error.clone().map_or(word, Text::same))
    };
    accounts.iter().filter(is_down).map(told).collect()
}

fn is_one_of(word: &str, reasons: &[Reason]) -> bool {
    reasons.iter().any(|reason| reason.as_str() == word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Health;

    fn at(second: i64) -> UtcMs {
        UtcMs(1_767_229_200_000 + second * 1000)
    }

    /// A push after so many failed attempts, with this reason, due again at that second.
    fn story(state: &str, attempts: u32, reason: Option<&str>, next: i64) -> PushStory {
        let attempt = |number: u32| {
            json!({
                "number": number, "account": "bot", "rule": "im_default", "sender": "onebot11",
                "started_at": at(0), "finished_at": at(1), "outcome": "unreachable", "error": "refused",
                "http_status": null, "message_id": null, "note": null,
            })
        };
        let push = json!({
            "id": 1, "im": "qq", "target": "group:1", "kind": "text", "state": state, "reason": reason,
            "max_attempts": 5, "next_attempt_at": at(next), "expires_at": at(3600), "finished_at": null,
            "confirmed_at": null, "attempts": (1..=attempts).map(attempt).collect::<Vec<_>>(),
        });
        let fire = json!({
            "triggered_by": "manual", "due_at": at(0), "until_at": null, "count": 1, "decision": "fired", "reason": null,
            "recorded_at": at(0), "zone": null, "revision": null, "pushes": [push],
        });
        let story = json!({
            "job": null, "ordinal": 0, "named_account": null, "message": { "kind": "text", "text": "hi" },
            "render": null, "timeout_ms": 1000, "retry": null, "parts": null, "timezone": null, "chat_im": null,
            "chat_account": null, "fallbacks": [], "fire": fire,
        });
        serde_json::from_value(story).unwrap()
    }

    fn bot(cooldown: Option<i64>) -> AccountRow {
        let health = Health {
            online: Some(false),
            last_error: Some("HTTP 403: token".to_owned()),
            cooldown_until: cooldown.map(at),
            ..Health::default()
        };
        AccountRow { id: "bot".into(), im: "qq".into(), sender: "onebot11".into(), is_default: true, health }
    }

    #[test]
    fn each_failed_attempt_and_each_reason_to_wait_is_news_once() {
        let mut progress = Progress::default();
        let accounts = [bot(None)];
        let mut kinds = |story: &PushStory| {
            let updates = progress.look(story, &accounts);
            updates.iter().map(|update| matches!(update, PushUpdate::Failed { .. })).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&story("pending", 0, None, 0)), Vec::<bool>::new());
        assert_eq!(kinds(&story("retrying", 1, Some("unreachable"), 5)), [true]);
        assert_eq!(kinds(&story("retrying", 1, Some("unreachable"), 5)), Vec::<bool>::new());
        assert_eq!(kinds(&story("retrying", 2, Some("account_offline"), 35)), [true, false]);
        assert_eq!(kinds(&story("retrying", 2, Some("account_offline"), 65)), Vec::<bool>::new());
        let mut fresh = Progress::default();
        let updates = fresh.look(&story("pending", 0, Some("no_sender"), 30), &accounts);
        let down = vec![("bot".to_owned(), Text::same("HTTP 403: token"))];
        assert_eq!(updates, [PushUpdate::Waits { reason: "no_sender".to_owned(), down }]);
    }

    #[test]
    fn hope_ends_where_nothing_that_happens_here_could_change_it() {
        let minute = Duration::from_secs(60);
        for (story, cooldown, hopeless) in [
            (story("pending", 0, None, 0), None, false),
            (story("pending", 0, Some("no_sender"), 30), None, true),
            // A rest that ends in time is an end that is known.
            (story("pending", 0, Some("no_sender"), 30), Some(30), false),
            (story("pending", 0, Some("no_sender"), 30), Some(300), true),
            // The moment after it, before the push is looked at again.
            (story("pending", 0, Some("no_sender"), 30), Some(0), false),
            (story("pending", 0, Some("no_sender"), 30), Some(-1), false),
            (story("pending", 0, Some("no_sender"), 30), Some(-10), true),
            (story("retrying", 1, Some("unreachable"), 5), None, false),
            (story("retrying", 1, Some("throttled"), 600), None, true),
            (story("sending", 1, Some("account_offline"), 5), None, false),
        ] {
            assert_eq!(is_hopeless(&story, &[bot(cooldown)], at(0), minute), hopeless, "{:?}", story.fire.pushes[0]);
        }
    }
}
