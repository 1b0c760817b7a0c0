//! Which sends may carry `enable_duplicate_check` (sheet C2). Pure: the time is an argument.
//!
//! With it the platform drops a request whose JSON it has seen within an interval. That makes the repeat of an
//! attempt whose answer was lost safe, and it would swallow a different push that happens to say the same: a job that
//! repeats its text every ten minutes. So a send is checked only where no same body went out within the interval, by
//! what is remembered here; and a send that went out unchecked, or too long ago, is not repeated at all unless the
//! job asks for it. A refused request counts as seen too, since nobody says whether the platform remembers those.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{Outcome, UtcMs};

/// The platform's own default; it covers the usual retries of a push.
pub(super) const INTERVAL: Duration = Duration::from_secs(1800);
/// Clocks differ, and the platform counts from its own receipt.
const MARGIN: Duration = Duration::from_secs(60);
/// Sends without an answer are remembered for so long: no push waits longer for its retry.
const OPEN_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
const KEPT: usize = 1000;

/// How a body may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Checked,
    Unchecked,
    /// An earlier attempt perhaps arrived, and the platform would not recognise the repeat.
    Unsafe,
}

/// The sends of late.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Repeats(Vec<Send>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Send {
    /// The push's key and the part.
    part: String,
    /// A hash of the body.
    body: String,
    at: UtcMs,
    checked: bool,
    /// There is no answer, or not yet.
    open: bool,
}

impl Repeats {
    /// Decides how the body of a part goes out, and notes that it does. `anyway`: the job prefers twice to never.
    pub(super) fn begin(&mut self, part: &str, body: &str, anyway: bool, now: UtcMs) -> Check {
        self.forget(now);
        if let Some(own) = self.0.iter().find(|send| send.open && send.part == part) {
            if own.checked && own.body == body && now < own.at + (INTERVAL - MARGIN) {
                return Check::Checked;
            }
            if !anyway {
                return Check::Unsafe;
            }
        }
        let seen = self.0.iter().any(|send| send.body == body && now < send.at + (INTERVAL + MARGIN));
        self.0.retain(|send| !(send.open && send.part == part));
        self.0.push(Send { part: part.to_owned(), body: body.to_owned(), at: now, checked: !seen, open: true });
        if seen { Check::Unchecked } else { Check::Checked }
    }

    /// Notes what became of the send that [`Repeats::begin`] let out.
    pub(super) fn end(&mut self, part: &str, outcome: &Outcome) {
        let is_own = |send: &Send| send.open && send.part == part;
        match outcome {
            Outcome::Unknown => {}
            Outcome::Unreachable => self.0.retain(|send| !is_own(send)),
            _ => self.0.iter_mut().filter(|send| is_own(send)).for_each(|send| send.open = false),
        }
    }

    /// What seems to lie ahead was noted by an earlier run, before the clock was put back. Nobody knows how long ago that
    /// was: its repeat is not safe, and what another push says counts as said just now.
    pub(super) fn bring_back(&mut self, now: UtcMs) {
        for send in self.0.iter_mut().filter(|send| send.at > now) {
            (send.at, send.checked) = (now, false);
        }
    }

    fn forget(&mut self, now: UtcMs) {
        let life = |send: &Send| if send.open { OPEN_FOR } else { INTERVAL + MARGIN };
        self.0.retain(|send| now < send.at + life(send));
        let surplus = self.0.len().saturating_sub(KEPT);
        self.0.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_767_229_200_000);
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_retry_after_a_lost_answer_is_checked_and_only_within_the_interval() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.begin("p1/0", "a", false, NOW), Check::Checked);
        repeats.end("p1/0", &Outcome::Unknown);
        assert_eq!(repeats.begin("p1/0", "a", false, NOW + 28 * MINUTE), Check::Checked);
        assert_eq!(repeats.begin("p1/0", "a", false, NOW + 29 * MINUTE), Check::Unsafe, "counted from the first");
        assert_eq!(repeats.begin("p1/0", "other", false, NOW + MINUTE), Check::Unsafe, "it is not the same request");
        assert_eq!(repeats.begin("p1/0", "a", true, NOW + 40 * MINUTE), Check::Checked, "the job asked for it");
    }

    #[test]
    fn a_crash_in_the_middle_counts_as_a_lost_answer() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.begin("p1/0", "a", false, NOW), Check::Checked);
        let kept = serde_json::to_string(&repeats).unwrap();
        let mut restarted: Repeats = serde_json::from_str(&kept).unwrap();
        assert_eq!(restarted.begin("p1/0", "a", false, NOW + MINUTE), Check::Checked);
        assert_eq!(restarted.begin("p1/0", "a", false, NOW + 60 * MINUTE), Check::Unsafe);
    }

    #[test]
    fn another_push_that_says_the_same_is_not_swallowed() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.begin("p1/0", "a", false, NOW), Check::Checked);
        repeats.end("p1/0", &Outcome::Sent);
        assert_eq!(repeats.begin("p2/0", "a", false, NOW + 10 * MINUTE), Check::Unchecked);
        repeats.end("p2/0", &Outcome::Unknown);
        assert_eq!(repeats.begin("p2/0", "a", false, NOW + 11 * MINUTE), Check::Unsafe, "it would be swallowed");
        assert_eq!(repeats.begin("p2/0", "a", true, NOW + 11 * MINUTE), Check::Unchecked);
        assert_eq!(repeats.begin("p3/0", "b", false, NOW), Check::Checked);
        repeats.end("p3/0", &Outcome::Sent);
        assert_eq!(repeats.begin("p4/0", "b", false, NOW + 31 * MINUTE), Check::Checked, "long ago");
    }

    #[test]
    fn what_never_left_leaves_no_trace_and_what_was_refused_counts_as_seen() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.begin("p1/0", "a", false, NOW), Check::Checked);
        repeats.end("p1/0", &Outcome::Unreachable);
        assert_eq!(repeats.begin("p1/0", "a", false, NOW), Check::Checked);
        repeats.end("p1/0", &Outcome::Throttled { wait: None });
        assert_eq!(repeats.begin("p1/0", "a", false, NOW + MINUTE), Check::Unchecked);
    }

    #[test]
    fn the_list_stays_short() {
        let mut repeats = Repeats::default();
        for number in 0..1500 {
            let part = format!("p{number}/0");
            repeats.begin(&part, &part, false, NOW);
            repeats.end(&part, &Outcome::Sent);
        }
        repeats.begin("last", "last", false, NOW);
        assert_eq!(repeats.0.len(), KEPT + 1);
        repeats.begin("later", "later", false, NOW + 32 * MINUTE);
        assert_eq!(repeats.0.len(), 2, "the open one and the new one");
    }
}
