//! Platforms that let an account only answer: for so long after a message of the contact, and so often until the next.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::UtcMs;

/// How long after a contact's message the account may write, and how often until the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replies {
    pub window: Duration,
    pub quota: u32,
}

/// What went to and fro with one contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_inbound_at: Option<UtcMs>,
    #[serde(default)]
    pub sends_since_inbound: u32,
}

impl Conversation {
    /// Notes a message of the contact. One that is not newer than the last is a repeat and grants nothing.
    pub fn inbound(&mut self, at: UtcMs) {
        if self.last_inbound_at.is_none_or(|last| at > last) {
            self.last_inbound_at = Some(at);
            self.sends_since_inbound = 0;
        }
    }

    /// When the window ends; None where it never opened.
    pub fn window_end(&self, replies: Replies) -> Option<UtcMs> {
        Some(self.last_inbound_at? + replies.window)
    }

    pub fn sends_left(&self, replies: Replies) -> u32 {
        replies.quota.saturating_sub(self.sends_since_inbound)
    }

    /// Why `needed` sends cannot pass now, in words; None where they can. A message that needs more than a whole
    /// window grants may begin with a fresh one, and goes on with the next.
    pub fn obstacle(&self, needed: u32, replies: Replies, now: UtcMs) -> Option<String> {
        let Some(end) = self.window_end(replies) else {
            return Some("the contact has not written to the bot yet".to_owned());
        };
        if now >= end {
            return Some(format!("the window closed at {end}: the contact has to write first"));
        }
        let (left, needed) = (self.sends_left(replies), needed.clamp(1, replies.quota.max(1)));
        (left < needed).then(|| {
            format!(
                "{left} of {} sends are left and {needed} are needed: the contact has to write first",
                replies.quota
            )
        })
    }

    /// One line for people.
    pub fn describe(&self, replies: Replies, now: UtcMs) -> String {
        let (Some(last), Some(end)) = (self.last_inbound_at, self.window_end(replies)) else {
            return "never wrote to the bot: window closed".to_owned();
        };
        let window = if now < end { "open until" } else { "closed since" };
        let left = self.sends_left(replies);
        format!("last message {last}, window {window} {end}, {left} of {} pushes left", replies.quota)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const REPLIES: Replies = Replies { window: Duration::from_secs(23 * 3600), quota: 10 };
    const NOW: UtcMs = UtcMs(1_767_229_200_000);

    fn conversation(last_inbound_at: Option<UtcMs>, sends_since_inbound: u32) -> Conversation {
        Conversation { last_inbound_at, sends_since_inbound }
    }

    #[test]
    fn the_window_is_open_for_a_day_and_for_ten_sends() {
        let rows = [
            (conversation(None, 0), 1, Some("not written")),
            (conversation(Some(NOW), 0), 1, None),
            (conversation(Some(NOW - 22 * HOUR), 9), 1, None),
            (conversation(Some(NOW - 23 * HOUR), 0), 1, Some("closed at")),
            (conversation(Some(NOW), 10), 1, Some("0 of 10")),
            (conversation(Some(NOW), 6), 4, None),
            (conversation(Some(NOW), 7), 4, Some("3 of 10 sends are left and 4 are needed")),
            (conversation(Some(NOW), 0), 14, None),
            (conversation(Some(NOW), 1), 14, Some("9 of 10 sends are left and 10 are needed")),
        ];
        for (conversation, needed, expected) in rows {
            let obstacle = conversation.obstacle(needed, REPLIES, NOW);
            match expected {
                None => assert_eq!(obstacle, None, "{conversation:?}"),
                Some(words) => assert!(obstacle.as_ref().unwrap().contains(words), "{obstacle:?}"),
            }
        }
    }

    #[test]
    fn only_a_newer_message_of_the_contact_opens_the_window_again() {
        let mut conversation = conversation(Some(NOW), 10);
        conversation.inbound(NOW);
        assert_eq!(conversation.sends_left(REPLIES), 0);
        conversation.inbound(NOW + HOUR);
        assert_eq!(conversation.sends_left(REPLIES), 10);
        assert_eq!(conversation.window_end(REPLIES), Some(NOW + 24 * HOUR));
    }
}
