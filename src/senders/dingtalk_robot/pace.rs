//! When the robot sent of late, and when it may again. Pure: the time is an argument.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::limits::{Limits, Quota, Tallies, Tally, Usage, Window, free_at};
use crate::domain::{Reading, UtcMs};

/// 20 messages a minute.
const WINDOWS: &[Window] = &[Window::fine(20, Duration::from_secs(60))];
/// The one place that a robot writes to.
const ROBOT: &str = "robot";
pub(crate) const GRANTED: Limits =
    Limits { quota: |_| Quota { windows: WINDOWS, subjects: vec![ROBOT] }, replies: None, sends: |_| 1 };
/// How long a robot that sent too fast is shut out.
pub(super) const SHUT_OUT: Duration = Duration::from_secs(600);

/// The memory's key for the pace.
pub(super) const PACE: &str = "pace";

/// When the robot sent of late.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pace {
    sends: Tally,
    pub shut_out_until: Option<UtcMs>,
}

impl Pace {
    /// When the next message may go; None: now.
    pub(super) fn free_at(&self, now: UtcMs) -> Option<UtcMs> {
        let minute = free_at(&[&self.sends], WINDOWS, now);
        let shut_out = self.shut_out_until.filter(|until| *until > now);
        minute.max(shut_out)
    }

    pub(super) fn usage(&self, number: u64, line: Reading) -> Usage {
        let mut tallies = Tallies::default();
        tallies.of(ROBOT).clone_from(&self.sends);
        Usage { number, line, tallies, blocked_until: self.shut_out_until, conversations: None }
    }

    pub(super) fn count(&mut self, now: UtcMs) {
        self.sends.add(WINDOWS, now);
    }

    /// Takes back a send that never left.
    pub(super) fn take_back(&mut self, at: UtcMs) {
        self.sends.take_back(WINDOWS, at);
    }

    pub(super) fn to_text(&self) -> String {
        let sends: Vec<i64> = self.sends.instants().map(|at| at.0).collect();
        json!({"sends": sends, "shut_out_until": self.shut_out_until.map(|at| at.0)}).to_string()
    }

    /// What cannot be read counts as nothing sent, and what seems to lie ahead, since the clock was put back between
    /// two runs, as sent just now.
    pub(super) fn parse(text: &str, now: UtcMs) -> Pace {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let mut sends = Tally::default();
        for at in value["sends"].as_array().into_iter().flatten().filter_map(Value::as_i64) {
            sends.add(WINDOWS, UtcMs(at).min(now));
        }
        Pace { sends, shut_out_until: value["shut_out_until"].as_i64().map(|until| UtcMs(until).min(now + SHUT_OUT)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_twenty_in_any_minute() {
        let at = |seconds: i64| UtcMs(1_767_229_200_000 + seconds * 1000);
        let mut pace = Pace::default();
        for second in 0..20 {
            assert_eq!(pace.free_at(at(second)), None);
            pace.count(at(second));
        }
        assert_eq!(pace.free_at(at(20)), Some(at(60)));
        assert_eq!(pace.free_at(at(60)), None);
        pace.count(at(60));
        assert_eq!(pace.free_at(at(60)), Some(at(61)));
        assert_eq!(Pace::parse(&pace.to_text(), at(60)), pace);
        let behind = Pace::parse(&pace.to_text(), at(-3600));
        assert_eq!(behind.free_at(at(-3600)), Some(at(-3540)), "put back between two runs: a minute and no more");
        pace.shut_out_until = Some(at(660));
        assert_eq!(pace.free_at(at(100)), Some(at(660)));
        assert_eq!(Pace::parse("gibberish", at(0)), Pace::default());
    }
}
