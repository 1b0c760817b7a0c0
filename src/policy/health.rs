//! What is known of an account after an attempt or a probe, and when a failing one is left alone for a while.

use std::time::Duration;

use crate::domain::{Health, Outcome, Reading, Report, UtcMs};

/// So many failures in a row open the breaker.
const BREAKER_FAILURES: u32 = 5;
/// An open breaker rests for so long; then one attempt or probe shows whether the account works again.
const BREAKER_REST: Duration = Duration::from_secs(60);
/// The rest after "slow down" without a told wait.
const UNTOLD_REST: Duration = Duration::from_secs(5);
/// No rest is longer, whatever was told.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// How many attempts of an account have failed in a row by the account's own fault, this one included.
fn failures_after(outcome: &Outcome, before: u32) -> u32 {
    match outcome {
        Outcome::AccountDown | Outcome::Unreachable => before.saturating_add(1),
        // It may have worked or not.
        Outcome::Unknown => before,
        Outcome::Sent | Outcome::Rejected | Outcome::TargetGone | Outcome::Throttled { .. } => 0,
    }
}

/// An account's health after an attempt.
pub fn after_attempt(report: &Report, before: &Health, now: Reading) -> Health {
    let failures = failures_after(&report.outcome, before.failures);
    let mut health = Health { failures, ..before.clone() };
    match &report.outcome {
        Outcome::Sent => {
            health =
                Health { online: Some(true), sendable: Some(true), checked_at: Some(now.wall), ..Health::default() };
        }
        // The platform answered, and the fault is not the account's.
        Outcome::Rejected | Outcome::TargetGone => {
            health.online = Some(true);
            health.checked_at = Some(now.wall);
        }
        Outcome::Throttled { wait } => {
            health.online = Some(true);
            health.checked_at = Some(now.wall);
            rest(&mut health, wait.unwrap_or(UNTOLD_REST).min(LONGEST_REST), now);
        }
        // Until a probe or an attempt that works shows otherwise.
        Outcome::AccountDown => {
            health.online = Some(false);
            health.checked_at = Some(now.wall);
        }
        Outcome::Unreachable | Outcome::Unknown => {}
    }
    if is_open(failures) && matches!(report.outcome, Outcome::AccountDown | Outcome::Unreachable) {
        rest(&mut health, BREAKER_REST, now);
    }
    if report.outcome != Outcome::Sent && report.error.is_some() {
        health.last_error = report.error.clone();
    }
    health.as_told(now)
}

/// An account's health after a probe. What the probe says holds, also that it cannot tell (None); a rest goes on, since
/// it was told by the platform or follows from attempts that a probe does not repeat.
pub fn after_probe(
    online: Option<bool>,
    sendable: Option<bool>,
    error: Option<String>,
    before: &Health,
    now: Reading,
) -> Health {
    // While it rests, people are told why.
    let of_rest = || before.last_error.clone().filter(|_| before.is_cooling_down(now.moment));
    let last_error = error.or_else(of_rest);
    // Of an account that cannot be asked whether it may send, only an attempt shows that it works.
    let works = online == Some(true) && sendable == Some(true);
    let failures = if works { 0 } else { before.failures };
    Health { online, sendable, checked_at: Some(now.wall), last_error, failures, ..before.clone() }.as_told(now)
}

/// What a reload leaves of an unchanged account's health. Whoever reloads may have mended it at the other end, so that a
/// rest which followed from failures is over, and the next attempt or probe shows; one that the platform asked for is
/// not.
pub fn after_reload(before: &Health) -> Health {
    if !is_open(before.failures) {
        return before.clone();
    }
    Health { rest_until: None, cooldown_until: None, ..before.clone() }
}

/// Whether so many failures in a row have opened the breaker. What follows is a trial: one attempt, until one works.
pub fn is_open(failures: u32) -> bool {
    failures >= BREAKER_FAILURES
}

/// What an earlier process wrote of an account that is in the files still: how it is now, nobody knows, but its failures
/// count on, the rest goes on for what is left of it, and what that follows from is known as long.
pub fn after_restart(failures: u32, cooldown_until: Option<UtcMs>, last_error: Option<&str>, now: Reading) -> Health {
    let left = cooldown_until.map(|until| until.since(now.wall).min(LONGEST_REST));
    let rest_until = left.filter(|left| !left.is_zero()).map(|left| now.moment + left);
    let last_error = last_error.filter(|_| rest_until.is_some()).map(str::to_owned);
    Health { rest_until, last_error, failures, ..Health::default() }.as_told(now)
}

/// Where it rests already, the later of both ends holds.
fn rest(health: &mut Health, length: Duration, now: Reading) {
    let until = now.moment + length;
    health.rest_until = Some(health.rest_until.map_or(until, |known| known.max(until)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Moment;

    const NOW: Reading = Reading { wall: UtcMs(1_000_000), moment: Moment(Duration::from_secs(500)) };

    fn later(ms: u64) -> Reading {
        let passed = Duration::from_millis(ms);
        Reading { wall: NOW.wall + passed, moment: NOW.moment + passed }
    }

    /// An account that was told to rest so long.
    fn resting(ms: u64) -> Health {
        Health { rest_until: Some(later(ms).moment), ..up() }.as_told(NOW)
    }

    fn up() -> Health {
        Health { online: Some(true), sendable: Some(true), checked_at: Some(UtcMs(1)), ..Health::default() }
    }

    fn after(outcome: Outcome, before: &Health) -> Health {
        let report = match outcome {
            Outcome::Sent => Report::sent(None),
            other => Report::failed(other, "why"),
        };
        after_attempt(&report, before, NOW)
    }

    #[test]
    fn each_outcome_says_its_part_of_the_account() {
        let seconds = |s: u64| Some(s);
        let throttled = |s: u64| Outcome::Throttled { wait: Some(Duration::from_secs(s)) };
        let (seen, stale) = (Some(NOW.wall), Some(UtcMs(1)));
        // Outcome, failures before and with it, then: online, checked, rest.
        let table = [
            (Outcome::Sent, 4, 0, Some(true), seen, None),
            (Outcome::Rejected, 4, 0, Some(true), seen, None),
            (Outcome::TargetGone, 4, 0, Some(true), seen, None),
            (throttled(7), 4, 0, Some(true), seen, seconds(7)),
            (throttled(86_400), 0, 0, Some(true), seen, seconds(86_400)),
            (throttled(86_401), 0, 0, Some(true), seen, seconds(86_400)),
            (Outcome::Throttled { wait: None }, 5, 0, Some(true), seen, seconds(5)),
            (Outcome::AccountDown, 0, 1, Some(false), seen, None),
            (Outcome::AccountDown, 3, 4, Some(false), seen, None),
            (Outcome::AccountDown, 4, 5, Some(false), seen, seconds(60)),
            (Outcome::Unreachable, 3, 4, Some(true), stale, None),
            (Outcome::Unreachable, 4, 5, Some(true), stale, seconds(60)),
            (Outcome::Unreachable, 5, 6, Some(true), stale, seconds(60)),
            (Outcome::Unknown, 5, 5, Some(true), stale, None),
        ];
        for (outcome, before, failures, online, checked_at, rest) in table {
            let label = format!("{outcome:?} after {before} failures");
            let last_error = (outcome != Outcome::Sent).then(|| "why".to_owned());
            let rest_until = rest.map(|s| later(s * 1000).moment);
            let cooldown_until = rest.map(|s| later(s * 1000).wall);
            let sendable = Some(true);
            let expected = Health { online, sendable, checked_at, last_error, rest_until, cooldown_until, failures };
            assert_eq!(after(outcome, &Health { failures: before, ..up() }), expected, "{label}");
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
            assert_eq!(after_attempt(&report, &before, NOW).last_error.as_deref(), expected, "{report:?}");
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
        let resting = resting(30_000);
        let told = after(Outcome::Throttled { wait: Some(Duration::from_secs(7)) }, &resting);
        assert_eq!((told.rest_until, told.cooldown_until), (resting.rest_until, Some(later(30_000).wall)));
        let failed = Health { last_error: Some("old".to_owned()), online: Some(false), failures: 3, ..resting };
        let sent = after(Outcome::Sent, &failed);
        assert_eq!(sent, Health { checked_at: Some(NOW.wall), ..up() });
    }

    #[test]
    fn a_good_probe_brings_a_dead_account_back_but_does_not_end_its_rest() {
        let dead = Health { online: Some(false), last_error: Some("401".to_owned()), ..resting(1) };
        let probed = after_probe(Some(true), Some(true), None, &dead, NOW);
        let why = Some("401".to_owned());
        assert_eq!(
            probed,
            Health { checked_at: Some(NOW.wall), last_error: why, ..resting(1) },
            "why it rests is told"
        );
        let rested = after_probe(Some(true), Some(true), None, &dead, later(1));
        assert_eq!((rested.rest_until, rested.cooldown_until, rested.last_error), (None, None, None));
        let down = after_probe(Some(false), None, Some("no answer".to_owned()), &up(), NOW);
        assert_eq!((down.online, down.sendable, down.last_error.as_deref()), (Some(false), None, Some("no answer")));
    }

    #[test]
    fn only_a_probe_that_says_that_the_account_may_send_ends_its_failures_in_a_row() {
        let failing = Health { failures: 4, ..up() };
        let table =
            [((Some(true), Some(true)), 0), ((Some(true), None), 4), ((Some(true), Some(false)), 4), ((None, None), 4)];
        for ((online, sendable), failures) in table {
            let probed = after_probe(online, sendable, None, &failing, NOW);
            assert_eq!(probed.failures, failures, "{online:?} {sendable:?}");
        }
    }

    #[test]
    fn a_reload_ends_the_rest_of_an_open_breaker_and_no_other() {
        let resting = Health { last_error: Some("401".to_owned()), ..resting(7) };
        let rested = Health { rest_until: None, cooldown_until: None, ..resting.clone() };
        for (failures, expected) in [(0, &resting), (4, &resting), (5, &rested), (6, &rested)] {
            let after = after_reload(&Health { failures, ..resting.clone() });
            assert_eq!(after, Health { failures, ..expected.clone() }, "{failures} failures");
        }
    }

    #[test]
    fn a_rest_is_a_length_whatever_is_done_to_the_wall_clock() {
        let resting = resting(7_000);
        for wall in [UtcMs(NOW.wall.0 - 7_200_000), NOW.wall, UtcMs(NOW.wall.0 + 7_200_000)] {
            let at = |ms: u64| Reading { wall: wall + Duration::from_millis(ms), moment: later(ms).moment };
            assert!(resting.is_cooling_down(at(6_999).moment) && !resting.is_cooling_down(at(7_000).moment));
            let probed = after_probe(Some(true), Some(true), None, &resting, at(1_000));
            assert_eq!(probed.cooldown_until, Some(wall + Duration::from_millis(7_000)), "people see when it ends");
        }
    }

    #[test]
    fn what_is_left_of_a_rest_goes_on_after_a_restart() {
        for (cooldown_until, left_ms) in [
            (None, None),
            (Some(NOW.wall), None),
            (Some(UtcMs(1)), None),
            (Some(later(900).wall), Some(900)),
            (Some(later(100_000_000).wall), Some(86_400_000)),
        ] {
            let health = after_restart(3, cooldown_until, Some("429"), NOW);
            assert_eq!(health.failures, 3);
            assert_eq!(health.last_error.is_some(), left_ms.is_some(), "of a rest that is over nobody asks why");
            assert_eq!(health.rest_until, left_ms.map(|ms| later(ms).moment), "{cooldown_until:?}");
            assert!(health.never_probed());
        }
    }
}
