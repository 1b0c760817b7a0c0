//! What follows from an attempt's outcome, and what becomes of a push that nobody may send now (design §5).

use std::time::Duration;

use crate::domain::{Next, Outcome, Reason, RetryPolicy, UtcMs};

/// No told wait counts for more than this; a platform that says "ten years" means "broken".
const LONGEST_TOLD_WAIT: Duration = Duration::from_secs(24 * 3600);

/// How long a push sleeps when nobody can tell when to look again. An account that comes up wakes it earlier.
const SNOOZE: Duration = Duration::from_secs(30);

/// An attempt that has ended, and the bounds within which another may follow.
#[derive(Clone, Copy, Debug)]
pub struct AttemptContext<'a> {
    /// Its number, from 1, and how many there may be.
    pub attempt: u32,
    pub max_attempts: u32,
    pub retry: &'a RetryPolicy,
    /// A repeat cannot be seen twice by the receiver.
    pub idempotent: bool,
    /// An earlier attempt of this push ended unknown: whatever follows, it must not be said that nothing was sent.
    pub perhaps_sent: bool,
    pub now: UtcMs,
    pub expires_at: UtcMs,
    /// Chance, uniform in 0..1, for the jitter of the wait.
    pub unit_jitter: f64,
}

/// The push's next state after an attempt with this outcome.
pub fn decide(outcome: &Outcome, context: &AttemptContext) -> Next {
    match outcome {
        Outcome::Sent => Next::Sent,
        Outcome::Rejected | Outcome::TargetGone => context.failed(Reason::from(outcome)),
        Outcome::Unknown if !context.may_repeat_unknown() => Next::Unknown { reason: Reason::Unknown },
        Outcome::Unknown => AttemptContext { perhaps_sent: true, ..*context }.again(outcome, Duration::ZERO),
        Outcome::Throttled { wait } => context.again(outcome, wait.unwrap_or_default()),
        Outcome::AccountDown | Outcome::Unreachable => context.again(outcome, Duration::ZERO),
    }
}

impl AttemptContext<'_> {
    fn may_repeat_unknown(&self) -> bool {
        self.idempotent || self.retry.resend_unknown
    }

    fn again(&self, outcome: &Outcome, told: Duration) -> Next {
        if self.attempt >= self.max_attempts {
            return self.failed(Reason::AttemptsExhausted);
        }
        let wait = backoff(self.retry, self.attempt, self.unit_jitter).max(told.min(LONGEST_TOLD_WAIT));
        let at = self.now + wait;
        let reason = Reason::from(outcome);
        if at < self.expires_at {
            Next::Retry { at, reason }
        } else if self.perhaps_sent {
            Next::Unknown { reason }
        } else {
            Next::Expired { reason }
        }
    }

    fn failed(&self, reason: Reason) -> Next {
        if self.perhaps_sent { Next::Unknown { reason } } else { Next::Failed { reason } }
    }
}

/// The wait after attempt number `attempt`: `backoff * factor^(attempt - 1)`, at most `max_backoff`, and then up to
/// `jitter` of it more or less, so that pushes that failed together do not return together.
pub fn backoff(retry: &RetryPolicy, attempt: u32, unit_jitter: f64) -> Duration {
    let exponent = f64::from(attempt.saturating_sub(1));
    let grown = retry.backoff.as_secs_f64() * retry.factor.powf(exponent);
    // The minimum also replaces what is not a number.
    let capped = grown.min(retry.max_backoff.as_secs_f64());
    let jittered = capped * (1.0 + retry.jitter * (2.0 * unit_jitter - 1.0));
    Duration::try_from_secs_f64(jittered).unwrap_or(retry.max_backoff)
}

/// Why a push cannot be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No account may send it: the reason of [`super::account::Choice::Wait`].
    Account(Reason),
    /// The sender's gate is closed to this target, by its own word such as `window_closed`.
    Gate(Reason),
}

/// The next state of a push that cannot be tried now. No attempt is spent. At `expires_at` it ends: `failed` if it
/// had no account, `expired` if its gate stayed closed, and `unknown` if an earlier attempt may have reached the
/// target (`perhaps_sent`).
pub fn decide_snooze(
    obstacle: Obstacle,
    until: Option<UtcMs>,
    perhaps_sent: bool,
    now: UtcMs,
    expires_at: UtcMs,
) -> Next {
    let (Obstacle::Account(reason) | Obstacle::Gate(reason)) = obstacle;
    if now < expires_at {
        // Never at once again, even where the told instant is past.
        let soonest = now + Duration::from_secs(1);
        let at = until.unwrap_or(now + SNOOZE).max(soonest).min(expires_at);
        return Next::Retry { at, reason };
    }
    match obstacle {
        _ if perhaps_sent => Next::Unknown { reason },
        Obstacle::Account(_) => Next::Failed { reason },
        Obstacle::Gate(_) => Next::Expired { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_000_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn policy() -> RetryPolicy {
        RetryPolicy { jitter: 0.0, ..RetryPolicy::default() }
    }

    fn first<'a>(retry: &'a RetryPolicy) -> AttemptContext<'a> {
        AttemptContext {
            attempt: 1,
            max_attempts: 5,
            retry,
            idempotent: false,
            perhaps_sent: false,
            now: NOW,
            expires_at: NOW + HOUR,
            unit_jitter: 0.5,
        }
    }

    fn throttled(seconds: u64) -> Outcome {
        Outcome::Throttled { wait: Some(Duration::from_secs(seconds)) }
    }

    fn in_seconds(seconds: u64, reason: Reason) -> Next {
        Next::Retry { at: NOW + Duration::from_secs(seconds), reason }
    }

    fn failed(reason: Reason) -> Next {
        Next::Failed { reason }
    }

    fn unknown(reason: Reason) -> Next {
        Next::Unknown { reason }
    }

    fn expired(reason: Reason) -> Next {
        Next::Expired { reason }
    }

    #[test]
    fn every_outcome_has_its_consequence() {
        let plain = policy();
        let resend = RetryPolicy { resend_unknown: true, ..policy() };
        let patient = first(&plain);
        let last = AttemptContext { attempt: 5, ..patient };
        let safe = AttemptContext { idempotent: true, ..patient };
        let doubtful = AttemptContext { perhaps_sent: true, ..patient };
        let table = [
            (Outcome::Sent, patient, Next::Sent),
            (Outcome::Sent, AttemptContext { perhaps_sent: true, ..last }, Next::Sent),
            (Outcome::Rejected, patient, failed(Reason::Rejected)),
            (Outcome::TargetGone, patient, failed(Reason::TargetGone)),
            (Outcome::AccountDown, patient, in_seconds(5, Reason::AccountDown)),
            (Outcome::Unreachable, patient, in_seconds(5, Reason::Unreachable)),
            (Outcome::Throttled { wait: None }, patient, in_seconds(5, Reason::Throttled)),
            // The longer of the two waits.
            (throttled(3), patient, in_seconds(5, Reason::Throttled)),
            (throttled(7), patient, in_seconds(7, Reason::Throttled)),
            // Unknown is final unless a repeat is safe or asked for.
            (Outcome::Unknown, patient, unknown(Reason::Unknown)),
            (Outcome::Unknown, safe, in_seconds(5, Reason::Unknown)),
            (Outcome::Unknown, first(&resend), in_seconds(5, Reason::Unknown)),
            // No attempt left.
            (Outcome::Unreachable, AttemptContext { attempt: 4, ..patient }, in_seconds(40, Reason::Unreachable)),
            (Outcome::Unreachable, last, failed(Reason::AttemptsExhausted)),
            (Outcome::Unreachable, AttemptContext { attempt: 6, ..patient }, failed(Reason::AttemptsExhausted)),
            (throttled(7), last, failed(Reason::AttemptsExhausted)),
            (Outcome::Unknown, AttemptContext { attempt: 5, ..safe }, unknown(Reason::AttemptsExhausted)),
            // What may have gone out is never called failed or expired.
            (Outcome::Rejected, doubtful, unknown(Reason::Rejected)),
            (Outcome::Unreachable, AttemptContext { attempt: 5, ..doubtful }, unknown(Reason::AttemptsExhausted)),
            (throttled(3600), doubtful, unknown(Reason::Throttled)),
            (Outcome::Unknown, AttemptContext { expires_at: NOW, ..safe }, unknown(Reason::Unknown)),
            (Outcome::Unreachable, doubtful, in_seconds(5, Reason::Unreachable)),
        ];
        for (outcome, context, expected) in table {
            assert_eq!(decide(&outcome, &context), expected, "{outcome:?} of {context:?}");
        }
    }

    #[test]
    fn a_wait_beyond_the_end_expires_at_once() {
        let plain = policy();
        let day = 24 * 3600;
        let within = |hours: u32| AttemptContext { expires_at: NOW + HOUR * hours, ..first(&plain) };
        let table = [
            (throttled(3599), within(1), in_seconds(3599, Reason::Throttled)),
            (throttled(3600), within(1), expired(Reason::Throttled)),
            (throttled(10 * 365 * 86_400), within(1), expired(Reason::Throttled)),
            // A nonsensical wait counts as a day.
            (throttled(10 * 365 * 86_400), within(25), in_seconds(day, Reason::Throttled)),
            (Outcome::Throttled { wait: Some(Duration::MAX) }, within(24), expired(Reason::Throttled)),
            (
                Outcome::Unreachable,
                AttemptContext { expires_at: NOW + Duration::from_secs(5), ..first(&plain) },
                expired(Reason::Unreachable),
            ),
            (
                Outcome::Unreachable,
                AttemptContext { expires_at: NOW + Duration::from_millis(5001), ..first(&plain) },
                in_seconds(5, Reason::Unreachable),
            ),
        ];
        for (outcome, context, expected) in table {
            assert_eq!(decide(&outcome, &context), expected, "{outcome:?} of {context:?}");
        }
    }

    #[test]
    fn the_backoff_grows_to_its_cap_and_chance_moves_it_by_its_share() {
        let seconds = |retry: &RetryPolicy, attempt, chance| backoff(retry, attempt, chance).as_secs_f64();
        let plain = policy();
        let grown: Vec<f64> = [1, 2, 3, 7, 8, 9, u32::MAX].map(|attempt| seconds(&plain, attempt, 0.9)).to_vec();
        assert_eq!(grown, [5.0, 10.0, 20.0, 320.0, 600.0, 600.0, 600.0]);
        assert_eq!(seconds(&plain, 0, 0.5), 5.0);
        let shaken = RetryPolicy { jitter: 0.2, ..policy() };
        assert_eq!([0.0, 0.5, 0.75].map(|chance| seconds(&shaken, 2, chance)), [8.0, 10.0, 11.0]);
        let steady = RetryPolicy { factor: 1.0, ..policy() };
        assert_eq!(seconds(&steady, 9, 0.5), 5.0);
        let none = RetryPolicy { backoff: Duration::ZERO, ..policy() };
        assert_eq!(seconds(&none, 3, 0.5), 0.0);
        for factor in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let broken = RetryPolicy { factor, ..policy() };
            assert!(backoff(&broken, 2, 0.5) <= broken.max_backoff, "{factor}");
        }
    }

    #[test]
    fn a_push_that_nobody_may_send_sleeps_until_its_end_and_says_why() {
        let (nobody, closed) = (Obstacle::Account(Reason::NoSender), Obstacle::Gate(Reason::WindowClosed));
        let end = NOW + HOUR;
        let at = |seconds: u64| Some(NOW + Duration::from_secs(seconds));
        let table = [
            (nobody, None, false, NOW, in_seconds(30, Reason::NoSender)),
            (closed, None, false, NOW, in_seconds(30, Reason::WindowClosed)),
            (nobody, at(7), false, NOW, in_seconds(7, Reason::NoSender)),
            (nobody, at(900), true, NOW, in_seconds(900, Reason::NoSender)),
            // A told instant that is past does not make it spin.
            (nobody, Some(UtcMs(0)), false, NOW, in_seconds(1, Reason::NoSender)),
            // It wakes at its end, not later.
            (closed, at(7200), false, NOW, in_seconds(3600, Reason::WindowClosed)),
            (nobody, None, false, end - Duration::from_millis(1), in_seconds(3600, Reason::NoSender)),
            (nobody, None, false, end, failed(Reason::NoSender)),
            (nobody, at(7200), false, end, failed(Reason::NoSender)),
            (closed, at(7200), false, end, expired(Reason::WindowClosed)),
            (nobody, None, true, end, unknown(Reason::NoSender)),
            (closed, None, true, end, unknown(Reason::WindowClosed)),
        ];
        for (obstacle, until, perhaps_sent, now, expected) in table {
            let next = decide_snooze(obstacle, until, perhaps_sent, now, end);
            assert_eq!(next, expected, "{obstacle:?} until {until:?} at {now}");
        }
    }
}
