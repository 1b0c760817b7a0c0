//! Suspicion of risk control: under it QQ swallows messages while the account still counts as online (qq.md §4).

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::SharedClock;
use crate::domain::{Locked, Outcome, Report, Target, UtcMs};
use crate::senders::shared::steady::Steady;

/// So many targets in a row without a success are a sign.
const TARGETS: usize = 3;
/// After so long without another failure the account gets a new chance.
const RELIEF: Duration = Duration::from_secs(600);

pub(super) struct RiskControl {
    steady: Steady,
    failed: Mutex<Failed>,
}

#[derive(Default)]
struct Failed {
    /// The first targets that failed since the last success: as many as are a sign, and no more.
    targets: Vec<Target>,
    /// When the last one did.
    at: UtcMs,
    /// A probe found the account offline, and none has found it back since.
    is_offline: bool,
    /// How often it was found so.
    times_offline: u64,
}

/// The time in which a send began: between one time offline and the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct OnlinePeriod(u64);

impl RiskControl {
    pub(super) fn new(clock: &SharedClock) -> RiskControl {
        RiskControl { steady: Steady::new(clock), failed: Mutex::default() }
    }

    /// To be asked before a send, for [`RiskControl::note`] after it.
    pub(super) fn period(&self) -> OnlinePeriod {
        OnlinePeriod(self.failed().times_offline)
    }

    /// A probe found the account offline. That explains what failed before it, and what fails until it is back: the next
    /// good probe finds nothing to suspect.
    pub(super) fn offline(&self) {
        let mut failed = self.failed();
        failed.targets.clear();
        if !std::mem::replace(&mut failed.is_offline, true) {
            failed.times_offline += 1;
        }
    }

    /// A probe found the account online.
    pub(super) fn online(&self) {
        self.failed().is_offline = false;
    }

    pub(super) fn note(&self, period: OnlinePeriod, target: &Target, report: &Report) {
        let mut failed = self.failed();
        match report.outcome {
            Outcome::Sent => failed.targets.clear(),
            // The account was offline, which explains the failure.
            _ if failed.is_offline || period.0 != failed.times_offline => {}
            // Without a status there was no answer: the implementation is down, which a probe tells better.
            Outcome::Unknown | Outcome::Unreachable if report.http_status.is_some() => {
                if failed.targets.len() < TARGETS && !failed.targets.contains(target) {
                    failed.targets.push(target.clone());
                }
                failed.at = self.steady.now();
            }
            _ => {}
        }
    }

    pub(super) fn is_likely(&self) -> bool {
        let failed = self.failed();
        failed.targets.len() >= TARGETS && self.steady.now().since(failed.at) < RELIEF
    }

    fn failed(&self) -> MutexGuard<'_, Failed> {
        self.failed.locked()
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
        let risk_control = RiskControl::new(&shared);
        let swallowed = Report::failed(Outcome::Unknown, "timeout").with_status(200);
        let fail = |user: &str| risk_control.note(risk_control.period(), &Target::User(user.into()), &swallowed);
        fail("1");
        fail("2");
        fail("2");
        risk_control.note(
            risk_control.period(),
            &Target::User("3".into()),
            &Report::failed(Outcome::Unreachable, "refused"),
        );
        assert!(!risk_control.is_likely(), "two targets, and one that nobody answered for");
        fail("3");
        assert!(risk_control.is_likely());
        (0..10_000).for_each(|user| fail(&user.to_string()));
        assert_eq!(
            risk_control.failed.lock().unwrap().targets.len(),
            TARGETS,
            "a list that fails for days stays short"
        );
        clock.advance(RELIEF);
        assert!(!risk_control.is_likely());
        fail("4");
        assert!(risk_control.is_likely());
        risk_control.note(risk_control.period(), &Target::User("1".into()), &Report::sent(None));
        assert!(!risk_control.is_likely());
    }

    #[test]
    fn what_an_account_that_was_found_offline_did_not_send_is_no_sign() {
        let clock: SharedClock = ManualClock::new(UtcMs(0));
        let risk_control = RiskControl::new(&clock);
        let swallowed = Report::failed(Outcome::Unknown, "timeout").with_status(200);
        let fail = |period: OnlinePeriod| {
            ["1", "2", "3"]
                .iter()
                .for_each(|user| risk_control.note(period, &Target::User((*user).into()), &swallowed));
        };
        let before = risk_control.period();
        fail(before);
        assert!(risk_control.is_likely());
        risk_control.offline();
        let meanwhile = risk_control.period();
        fail(before);
        fail(meanwhile);
        risk_control.offline();
        risk_control.online();
        // What left before it was back may take its time to fail.
        fail(before);
        assert!(!risk_control.is_likely());
        fail(risk_control.period());
        assert!(risk_control.is_likely(), "what fails since then is one");
    }
}
