//! Suspicion of risk control: under it QQ swallows messages while the account still counts as online (qq.md §4).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::SharedClock;
use crate::domain::{Outcome, Report, Target};

/// So many targets in a row without a success are a sign.
const TARGETS: usize = 3;
/// After so long without another failure the account gets a new chance.
const RELIEF: Duration = Duration::from_secs(600);

pub struct Strain {
    clock: SharedClock,
    /// The targets that failed since the last success, and when the last one did by the monotonic clock.
    failed: Mutex<(Vec<Target>, Duration)>,
}

impl Strain {
    pub fn new(clock: &SharedClock) -> Strain {
        Strain { clock: clock.clone(), failed: Mutex::default() }
    }

    pub fn note(&self, target: &Target, report: &Report) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match report.outcome {
            Outcome::Sent => failed.0.clear(),
            // Without a status there was no answer: the implementation is down, which a probe tells better.
            Outcome::Unknown | Outcome::Unreachable if report.http_status.is_some() => {
                if !failed.0.contains(target) {
                    failed.0.push(target.clone());
                }
                failed.1 = self.clock.monotonic();
            }
            _ => {}
        }
    }

    pub fn is_likely(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.0.len() >= TARGETS && self.clock.monotonic().saturating_sub(failed.1) < RELIEF
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::UtcMs;

    #[test]
    fn three_targets_in_a_row_are_a_sign_until_one_gets_through_or_time_passes() {
        let clock = ManualClock::new(UtcMs(0));
        let shared: SharedClock = clock.clone();
        let strain = Strain::new(&shared);
        let swallowed = Report::failed(Outcome::Unknown, "timeout").with_status(200);
        let fail = |user: &str| strain.note(&Target::User(user.into()), &swallowed);
        fail("1");
        fail("2");
        fail("2");
        strain.note(&Target::User("3".into()), &Report::failed(Outcome::Unreachable, "refused"));
        assert!(!strain.is_likely(), "two targets, and one that nobody answered for");
        fail("3");
        assert!(strain.is_likely());
        clock.advance(RELIEF);
        assert!(!strain.is_likely());
        fail("4");
        assert!(strain.is_likely());
        strain.note(&Target::User("1".into()), &Report::sent(None));
        assert!(!strain.is_likely());
    }
}
