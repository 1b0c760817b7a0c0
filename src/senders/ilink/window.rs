//! When the bot may write to a contact (sheet A6): within a day of the contact's last message, and at most ten times
//! until the next one. Pure: the time is an argument.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{Reason, UtcMs};
use crate::senders::sender::Gate;
use crate::senders::shared::sliding::Window;

/// The platform's day, with a margin of an hour.
pub const WINDOW: Duration = Duration::from_secs(23 * 3600);
/// Messages of the bot between two of the contact.
pub const QUOTA: u32 = 10;

/// At most so many sends in any five minutes: more is where others saw the platform lock a bot.
pub const PACE: &[Window] = &[Window::fine(6, Duration::from_secs(5 * 60))];

/// The waits after refusals (`ret -2`) that follow one another; the last one stays.
const REFUSAL_WAITS: [Duration; 5] = [
    Duration::from_secs(90),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(4 * 3600),
];

/// One contact of one bot, as it is kept over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Comes with each message of the contact and goes back with each of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_inbound_at: Option<UtcMs>,
    #[serde(default)]
    pub sends_since_inbound: u32,
}

/// How long a window is open and how much passes.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub window: Duration,
    pub quota: u32,
}

impl Contact {
    /// Notes a message of the contact. One that is not newer than the last is a repeat and grants nothing.
    pub fn inbound(&mut self, at: UtcMs, context_token: Option<&str>) {
        if self.last_inbound_at.is_none_or(|last| at > last) {
            self.last_inbound_at = Some(at);
            self.sends_since_inbound = 0;
        }
        if let Some(token) = context_token {
            self.context_token = Some(token.to_owned());
        }
    }

    /// When the window ends; None where it never opened.
    pub fn window_end(&self, rules: Rules) -> Option<UtcMs> {
        Some(self.last_inbound_at? + rules.window)
    }

    pub fn sends_left(&self, rules: Rules) -> u32 {
        rules.quota.saturating_sub(self.sends_since_inbound)
    }

    /// Why `needed` sends cannot pass now, in words; None where they can. A message that needs more than a whole
    /// window grants may begin with a fresh one, and goes on with the next.
    pub fn obstacle(&self, needed: u32, rules: Rules, now: UtcMs) -> Option<String> {
        let Some(end) = self.window_end(rules) else {
            return Some("the contact has not written to the bot yet".to_owned());
        };
        if now >= end {
            return Some(format!("the window closed at {end}: the contact has to write first"));
        }
        let (left, needed) = (self.sends_left(rules), needed.clamp(1, rules.quota));
        (left < needed).then(|| {
            format!("{left} of {} sends are left and {needed} are needed: the contact has to write first", rules.quota)
        })
    }

    /// One line for people.
    pub fn describe(&self, rules: Rules, now: UtcMs) -> String {
        let (Some(last), Some(end)) = (self.last_inbound_at, self.window_end(rules)) else {
            return "never wrote to the bot: window closed".to_owned();
        };
        let window = if now < end { "open until" } else { "closed since" };
        format!("last message {last}, window {window} {end}, {} of {} pushes left", self.sends_left(rules), rules.quota)
    }
}

/// Refusals in a row. They make later tries rarer, since trying makes the platform refuse for longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    count: usize,
    until: Option<UtcMs>,
}

impl Refusals {
    /// Notes one more and returns how long to wait.
    pub fn add(&mut self, now: UtcMs) -> Duration {
        let wait = REFUSAL_WAITS[self.count.min(REFUSAL_WAITS.len() - 1)];
        self.count = (self.count + 1).min(REFUSAL_WAITS.len());
        self.until = Some(now + wait);
        wait
    }

    /// A rest that an earlier run noted under a clock that was put back since lasts no longer than it was meant to.
    pub fn bring_back(&mut self, now: UtcMs) {
        let longest = REFUSAL_WAITS[self.count.saturating_sub(1).min(REFUSAL_WAITS.len() - 1)];
        self.until = self.until.map(|until| until.min(now + longest));
    }

    pub fn blocked_until(&self, now: UtcMs) -> Option<UtcMs> {
        self.until.filter(|until| *until > now)
    }
}

/// The gate for a contact: the window first, then what else holds sends up, and until when.
pub fn gate(contact: &Contact, blocked_until: Option<UtcMs>, needed: u32, rules: Rules, now: UtcMs) -> Gate {
    if contact.obstacle(needed, rules, now).is_some() {
        return Gate::Closed { reason: Reason::WindowClosed, until: None };
    }
    match blocked_until {
        None => Gate::Open,
        until => Gate::Closed { reason: Reason::RateLimit, until },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::senders::shared::sliding::{Tally, free_at};

    const RULES: Rules = Rules { window: WINDOW, quota: QUOTA };
    const NOW: UtcMs = UtcMs(1_767_229_200_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn contact(last_inbound: Option<UtcMs>, sends: u32) -> Contact {
        Contact { context_token: None, last_inbound_at: last_inbound, sends_since_inbound: sends }
    }

    #[test]
    fn the_window_is_open_for_a_day_and_for_ten_sends() {
        let rows = [
            (contact(None, 0), 1, Some("not written")),
            (contact(Some(NOW), 0), 1, None),
            (contact(Some(NOW - 22 * HOUR), 9), 1, None),
            (contact(Some(NOW - 23 * HOUR), 0), 1, Some("closed at")),
            (contact(Some(NOW), 10), 1, Some("0 of 10")),
            (contact(Some(NOW), 6), 4, None),
            (contact(Some(NOW), 7), 4, Some("3 of 10 sends are left and 4 are needed")),
            (contact(Some(NOW), 0), 14, None),
            (contact(Some(NOW), 1), 14, Some("9 of 10 sends are left and 10 are needed")),
        ];
        for (contact, needed, expected) in rows {
            let obstacle = contact.obstacle(needed, RULES, NOW);
            match expected {
                None => assert_eq!(obstacle, None, "{contact:?}"),
                Some(words) => assert!(obstacle.as_ref().unwrap().contains(words), "{obstacle:?}"),
            }
        }
    }

    #[test]
    fn only_a_newer_message_of_the_contact_opens_the_window_again() {
        let mut contact = contact(Some(NOW), 10);
        contact.inbound(NOW, Some("t1"));
        assert_eq!((contact.sends_left(RULES), contact.context_token.as_deref()), (0, Some("t1")));
        contact.inbound(NOW + HOUR, None);
        assert_eq!((contact.sends_left(RULES), contact.context_token.as_deref()), (10, Some("t1")));
        assert_eq!(contact.window_end(RULES), Some(NOW + 24 * HOUR));
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
