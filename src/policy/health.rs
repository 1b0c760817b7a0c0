//! What is known of an account after an attempt or a probe, and when a failing one is left alone for a while.

use std::time::Duration;

use crate::domain::{Health, Outcome, Report, UtcMs};

/// So many failures in a row open the breaker.
const BREAKER_FAILURES: u32 = 5;
/// An open breaker rests for so long; then one attempt or probe shows whether the account works again.
const BREAKER_REST: Duration = Duration::from_secs(60);
/// The rest after "slow down" without a told wait.
const UNTOLD_REST: Duration = Duration::from_secs(5);
/// No rest is longer, whatever was told.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// How many attempts of an account have failed in a row by the account's own fault, this one included.
pub fn failures_after(outcome: &Outcome, before: u32) -> u32 {
    match outcome {
        Outcome::AccountDown | Outcome::Unreachable => before.saturating_add(1),
        // It may have worked or not.
        Outcome::Unknown => before,
        Outcome::Sent | Outcome::Rejected | Outcome::TargetGone | Outcome::Throttled { .. } => 0,
    }
}

/// An account's health after an attempt; `failures` is what [`failures_after`] says of it.
pub fn after_attempt(report: &Report, before: &Health, failures: u32, now: UtcMs) -> Health {
    let mut health = before.clone();
    match &report.outcome {
        Outcome::Sent => {
            health = Health { online: Some(true), sendable: Some(true), checked_at: Some(now), ..Health::default() };
        }
        // The platform answered, and the fault is not the account's.
        Outcome::Rejected | Outcome::TargetGone => {
            health.online = Some(true);
            health.checked_at = Some(now);
        }
        Outcome::Throttled { wait } => {
            health.online = Some(true);
            health.checked_at = Some(now);
            rest(&mut health, now + wait.unwrap_or(UNTOLD_REST).min(LONGEST_REST));
        }
        // Until a probe or an attempt that works shows otherwise.
        Outcome::AccountDown => {
            health.online = Some(false);
            health.checked_at = Some(now);
        }
        Outcome::Unreachable | Outcome::Unknown => {}
    }
    if failures >= BREAKER_FAILURES && matches!(report.outcome, Outcome::AccountDown | Outcome::Unreachable) {
        rest(&mut health, now + BREAKER_REST);
    }
    if report.outcome != Outcome::Sent && report.error.is_some() {
        health.last_error = report.error.clone();
    }
    health
}

/// An account's health after a probe. What the probe says holds, also that it cannot tell (None); a rest goes on, since
/// it was told by the platform or follows from attempts that a probe does not repeat.
pub fn after_probe(
    online: Option<bool>,
    sendable: Option<bool>,
    error: Option<String>,
    before: &Health,
    now: UtcMs,
) -> Health {
    Health {
        online,
        sendable,
        checked_at: Some(now),
        last_error: error,
        cooldown_until: before.cooldown_until.filter(|until| *until > now),
    }
}

/// What a reload leaves of an unchanged account's health. Whoever reloads may have mended it at the other end, so that a
/// rest which followed from `failures` is over, and the next attempt or probe shows; one that the platform asked for is
/// not.
pub fn after_reload(before: &Health, failures: u32) -> Health {
    let cooldown_until = before.cooldown_until.filter(|_| failures < BREAKER_FAILURES);
    Health { cooldown_until, ..before.clone() }
}

/// A new rest never ends an older one earlier.
fn rest(health: &mut Health, until: UtcMs) {
    health.cooldown_until = Some(health.cooldown_until.map_or(until, |known| known.max(until)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_000_000);

    fn up() -> Health {
        Health { online: Some(true), sendable: Some(true), checked_at: Some(UtcMs(1)), ..Health::default() }
    }

    fn after(outcome: Outcome, before: &Health, failures: u32) -> Health {
        let report = match outcome {
            Outcome::Sent => Report::sent(None),
            other => Report::failed(other, "why"),
        };
        after_attempt(&report, before, failures, NOW)
    }

    #[test]
    fn each_outcome_says_its_part_of_the_account() {
        let seconds = |s: u64| Some(NOW + Duration::from_secs(s));
        let throttled = |s: u64| Outcome::Throttled { wait: Some(Duration::from_secs(s)) };
        let (seen, stale) = (Some(NOW), Some(UtcMs(1)));
        // Outcome, failures with it, then: online, checked, rest.
        let table = [
            (Outcome::Sent, 0, Some(true), seen, None),
            (Outcome::Rejected, 0, Some(true), seen, None),
            (Outcome::TargetGone, 0, Some(true), seen, None),
            (throttled(7), 0, Some(true), seen, seconds(7)),
            (throttled(86_400), 0, Some(true), seen, seconds(86_400)),
            (throttled(86_401), 0, Some(true), seen, seconds(86_400)),
            (Outcome::Throttled { wait: None }, 0, Some(true), seen, seconds(5)),
            (Outcome::AccountDown, 1, Some(false), seen, None),
            (Outcome::AccountDown, 4, Some(false), seen, None),
            (Outcome::AccountDown, 5, Some(false), seen, seconds(60)),
            (Outcome::Unreachable, 4, Some(true), stale, None),
            (Outcome::Unreachable, 5, Some(true), stale, seconds(60)),
            (Outcome::Unreachable, 6, Some(true), stale, seconds(60)),
            (Outcome::Unknown, 5, Some(true), stale, None),
        ];
        for (outcome, failures, online, checked_at, cooldown_until) in table {
            let label = format!("{outcome:?} after {failures} failures");
            let last_error = (outcome != Outcome::Sent).then(|| "why".to_owned());
            let expected = Health { online, sendable: Some(true), checked_at, last_error, cooldown_until };
            assert_eq!(after(outcome, &up(), failures), expected, "{label}");
        }
    }

    #[test]
    fn the_last_error_stays_until_a_newer_one_or_a_success() {
        let before = Health { last_error: Some("old".to_owned()), ..up() };
        let report =
            |outcome, error: Option<&str>| Report { error: error.map(str::to_owned), ..Report::failed(outcome, "") };
        let table = [
            (report(Outcome::Unknown, None), Some("old")),
            (report(Outcome::Unknown, Some("new")), Some("new")),
            (report(Outcome::Sent, None), None),
            (report(Outcome::Sent, Some("a remark")), None),
        ];
        for (report, expected) in table {
            assert_eq!(after_attempt(&report, &before, 0, NOW).last_error.as_deref(), expected, "{report:?}");
        }
    }

    #[test]
    fn only_faults_of_the_account_count_and_an_answer_ends_the_row() {
        let table = [
            (Outcome::AccountDown, 4),
            (Outcome::Unreachable, 4),
            (Outcome::Unknown, 3),
            (Outcome::Sent, 0),
            (Outcome::Rejected, 0),
            (Outcome::TargetGone, 0),
            (Outcome::Throttled { wait: None }, 0),
        ];
        for (outcome, expected) in table {
            assert_eq!(failures_after(&outcome, 3), expected, "{outcome:?}");
        }
        assert_eq!(failures_after(&Outcome::Unreachable, u32::MAX), u32::MAX);
    }

    #[test]
    fn a_later_rest_never_ends_an_earlier_one_and_a_success_ends_all() {
        let resting = Health { cooldown_until: Some(NOW + Duration::from_secs(30)), ..up() };
        let told = after(Outcome::Throttled { wait: Some(Duration::from_secs(7)) }, &resting, 0);
        assert_eq!(told.cooldown_until, resting.cooldown_until);
        let failed = Health { last_error: Some("old".to_owned()), online: Some(false), ..resting };
        let sent = after(Outcome::Sent, &failed, 0);
        assert_eq!(sent, Health { checked_at: Some(NOW), ..up() });
    }

    #[test]
    fn a_good_probe_brings_a_dead_account_back_but_does_not_end_its_rest() {
        let dead = Health {
            online: Some(false),
            last_error: Some("401".to_owned()),
            cooldown_until: Some(NOW + Duration::from_millis(1)),
            ..up()
        };
        let probed = after_probe(Some(true), Some(true), None, &dead, NOW);
        assert_eq!(probed, Health { checked_at: Some(NOW), cooldown_until: dead.cooldown_until, ..up() });
        let later = after_probe(Some(true), Some(true), None, &dead, NOW + Duration::from_millis(1));
        assert_eq!(later.cooldown_until, None);
        let down = after_probe(Some(false), None, Some("no answer".to_owned()), &up(), NOW);
        assert_eq!((down.online, down.sendable, down.last_error.as_deref()), (Some(false), None, Some("no answer")));
    }
    #[test]
    fn a_reload_ends_the_rest_of_an_open_breaker_and_no_other() {
        let resting = Health { cooldown_until: Some(NOW), last_error: Some("401".to_owned()), ..up() };
        for (failures, cooldown_until) in [(0, Some(NOW)), (4, Some(NOW)), (5, None), (6, None)] {
            let expected = Health { cooldown_until, ..resting.clone() };
            assert_eq!(after_reload(&resting, failures), expected, "{failures} failures");
        }
    }
}
