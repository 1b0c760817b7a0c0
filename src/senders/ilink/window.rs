//! When the bot may write to a contact (sheet A6): within a day of the contact's last message, and at most ten times
//! until the next one. Pure: the time is an argument.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::account::Settings;
use crate::domain::limits::{Conversation, Limits, Quota, Replies, Window};
use crate::domain::{Delivery, UtcMs};

/// The platform's day, with a margin of an hour.
pub(super) const WINDOW: Duration = Duration::from_secs(23 * 3600);
/// Messages of the bot between two of the contact.
pub(super) const QUOTA: u32 = 10;

/// At most so many sends in any five minutes: more is where others saw the platform lock a bot.
pub(super) const PACE: &[Window] = &[Window::fine(6, Duration::from_secs(5 * 60))];

/// The waits after refusals (`ret -2`) that follow one another; the last one stays.
const REFUSAL_WAITS: [Duration; 5] = [
    Duration::from_secs(90),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(4 * 3600),
];

/// The one place in which a bot's sends are counted.
pub(super) const BOT: &str = "bot";

fn pace() -> Quota<'static> {
    Quota { windows: PACE, subjects: vec![BOT] }
}

/// What the platform grants, where a delivery takes so many sends.
pub(super) fn granted(replies: Replies, sends: fn(&Delivery) -> u32) -> Limits {
    Limits { quota: |_| pace(), replies: Some(replies), sends }
}

/// How long a window is open and how much passes; None: the quota is no number from 1.
pub(super) fn replies(settings: &Settings) -> Option<Replies> {
    let quota = settings.int("quota").map_or(Some(QUOTA), |quota| u32::try_from(quota).ok());
    let quota = quota.filter(|quota| *quota > 0)?;
    Some(Replies { window: settings.duration("window").unwrap_or(WINDOW), quota })
}

/// One contact of one bot, as it is kept over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contact {
    /// Comes with each message of the contact and goes back with each of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_token: Option<String>,
    #[serde(flatten)]
    pub conversation: Conversation,
}

impl Contact {
    pub(super) fn inbound(&mut self, at: UtcMs, context_token: Option<&str>) {
        self.conversation.inbound(at);
        if let Some(token) = context_token {
            self.context_token = Some(token.to_owned());
        }
    }
}

/// Refusals in a row. They make later tries rarer, since trying makes the platform refuse for longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusals {
    count: usize,
    until: Option<UtcMs>,
}

impl Refusals {
    /// Notes one more and returns how long to wait.
    pub(super) fn add(&mut self, now: UtcMs) -> Duration {
        let wait = REFUSAL_WAITS[self.count.min(REFUSAL_WAITS.len() - 1)];
        self.count = (self.count + 1).min(REFUSAL_WAITS.len());
        self.until = Some(now + wait);
        wait
    }

    /// A rest that an earlier run noted under a clock that was put back since lasts no longer than it was meant to.
    pub(super) fn bring_back(&mut self, now: UtcMs) {
        let longest = REFUSAL_WAITS[self.count.saturating_sub(1).min(REFUSAL_WAITS.len() - 1)];
        self.until = self.until.map(|until| until.min(now + longest));
    }

    pub(super) fn blocked_until(&self, now: UtcMs) -> Option<UtcMs> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::{Tally, free_at};

    const NOW: UtcMs = UtcMs(1_767_229_200_000);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_contact_keeps_its_newest_token_and_reads_as_it_was_kept() {
        let mut contact = Contact::default();
        contact.inbound(NOW, Some("t1"));
        contact.inbound(NOW + HOUR, None);
        assert_eq!(contact.context_token.as_deref(), Some("t1"));
        let kept = serde_json::to_string(&contact).unwrap();
        let expected = r#"{"context_token":"t1","last_inbound_at":"2026-01-01T02:00:00.000Z","sends_since_inbound":0}"#;
        assert_eq!(kept, expected);
        assert_eq!(serde_json::from_str::<Contact>(&kept).unwrap(), contact);
        assert_eq!(serde_json::from_str::<Contact>("{}").unwrap(), Contact::default());
    }

    #[test]
    fn refusals_wait_longer_each_time() {
        let mut refusals = Refusals::default();
        let waits: Vec<u64> = (0..6).map(|_| refusals.add(NOW).as_secs()).collect();
        assert_eq!(waits, [90, 1800, 3600, 7200, 14_400, 14_400]);
        assert_eq!(refusals.blocked_until(NOW), Some(NOW + 4 * HOUR));
        assert_eq!(refusals.blocked_until(NOW + 4 * HOUR), None);
    }

    #[test]
    fn six_sends_fill_five_minutes() {
        let mut pace = Tally::default();
        let free_at = |pace: &Tally, now| free_at(&[pace], PACE, now);
        for second in 0..6 {
            let now = NOW + Duration::from_secs(second);
            assert_eq!(free_at(&pace, now), None);
            pace.add(PACE, now);
        }
        assert_eq!(free_at(&pace, NOW + HOUR / 60), Some(NOW + HOUR / 12));
        assert_eq!(free_at(&pace, NOW + HOUR / 12), None);
    }
}
