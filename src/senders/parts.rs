//! The bookkeeping of a message that goes out in several sends: which parts are done, which is next, and whether
//! there is time for it.

use std::time::Duration;

use crate::clock::SharedClock;
use crate::domain::{Delivery, Outcome, PartReport, Report, UtcMs};

/// The slowest upload that an attempt waits for, beyond its own timeout.
const SLOWEST_UPLOAD_BYTES_PER_S: u64 = 128 * 1024;

/// Walks over the parts of one delivery, in order, and stops at the first that fails.
///
/// ```ignore
/// while let Some(index) = progress.next() {
///     let report = send_part(index, progress.time_left()).await;
///     progress.record(name(index), report);
/// }
/// progress.into_report()
/// ```
pub struct Progress<'a> {
    delivery: &'a Delivery,
    clock: SharedClock,
    /// By the monotonic clock.
    ends_at: Duration,
    total: usize,
    key_lasts: Option<Duration>,
    parts: Vec<PartReport>,
    notes: Vec<String>,
    stopped_by: Option<Report>,
    http_status: Option<u16>,
}

impl<'a> Progress<'a> {
    pub fn new(delivery: &'a Delivery, total: usize, clock: &SharedClock) -> Progress<'a> {
        Progress {
            delivery,
            clock: clock.clone(),
            ends_at: clock.monotonic() + delivery.timeout,
            total,
            key_lasts: None,
            parts: Vec::new(),
            notes: Vec::new(),
            stopped_by: None,
            http_status: None,
        }
    }

    /// For platforms that know an idempotency key only for so long: a part that may have gone out is not repeated
    /// once `window` has passed since the push was made, unless the job asks for it.
    pub fn key_lasts(mut self, window: Duration) -> Progress<'a> {
        self.key_lasts = Some(window);
        self
    }

    /// The next part to send, or None when all are sent or one has failed.
    pub fn next(&mut self) -> Option<usize> {
        while self.stopped_by.is_none() && self.parts.len() < self.total {
            let index = self.parts.len();
            match self.delivery.parts.get(index) {
                Some(earlier) if earlier.is_sent() => self.parts.push(earlier.clone()),
                earlier => {
                    let perhaps_sent = earlier.map_or(self.delivery.attempt > 1, is_unknown);
                    if perhaps_sent && self.key_is_forgotten() {
                        let error = "it may have been sent, and the platform no longer knows the key of that attempt";
                        self.stopped_by = Some(Report::failed(Outcome::Unknown, error));
                    } else if self.time_left().is_zero() {
                        let error = format!("no time left for part {} of {}", index + 1, self.total);
                        self.stopped_by = Some(Report::failed(Outcome::Unreachable, error));
                    } else {
                        return Some(index);
                    }
                }
            }
        }
        None
    }

    fn key_is_forgotten(&self) -> bool {
        !self.delivery.retry.resend_unknown
            && self.key_lasts.is_some_and(|window| !key_holds(self.delivery, window, self.clock.now()))
    }

    /// What remains of the attempt's timeout.
    pub fn time_left(&self) -> Duration {
        self.ends_at.saturating_sub(self.clock.monotonic())
    }

    /// Moves the deadline for an upload of so many bytes, as no fixed timeout suits both a word and a film.
    pub fn allow_upload(&mut self, bytes: u64) {
        self.ends_at += Duration::from_secs(bytes / SLOWEST_UPLOAD_BYTES_PER_S);
    }

    /// Notes that something went out in another form than asked for; the same note is kept once.
    pub fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|known| known == note) {
            self.notes.push(note.to_owned());
        }
    }

    /// The result of the part that [`Progress::next`] gave out.
    pub fn record(&mut self, part: &str, mut report: Report) {
        // A refusal of the repeat does not tell what became of the first try.
        let was_unknown = self.delivery.parts.get(self.parts.len()).is_some_and(is_unknown);
        let outcome = match &report.outcome {
            Outcome::Sent => Outcome::Sent,
            _ if was_unknown => Outcome::Unknown,
            outcome => outcome.clone(),
        };
        self.parts.push(PartReport {
            part: part.to_owned(),
            outcome: outcome.as_str().to_owned(),
            message_id: report.message_id.take(),
        });
        if let Some(note) = report.note.take() {
            self.note(&note);
        }
        self.http_status = report.http_status.or(self.http_status);
        if report.outcome != Outcome::Sent {
            if let Some(error) = report.error.take_if(|_| self.total > 1) {
                report.error = Some(format!("part {} of {} ({part}): {error}", self.parts.len(), self.total));
            }
            self.stopped_by = Some(report);
        }
    }

    /// The report of the whole attempt. Its message id is that of the first part. The parts are left out where they
    /// would only repeat it: when one part is all there is, and it was sent.
    pub fn into_report(self) -> Report {
        let mut report = self.stopped_by.unwrap_or_else(|| {
            let mut sent = Report::sent(self.parts.first().and_then(|part| part.message_id.clone()));
            sent.http_status = self.http_status;
            sent
        });
        report.note = (!self.notes.is_empty()).then(|| self.notes.join("; "));
        if self.total > 1 || report.outcome != Outcome::Sent {
            report.parts = self.parts;
            // Parts beyond the failed one may be known from an earlier attempt.
            report.parts.extend(self.delivery.parts.iter().skip(report.parts.len()).cloned());
        }
        report
    }
}

fn is_unknown(part: &PartReport) -> bool {
    part.outcome == Outcome::Unknown.as_str()
}

/// Whether an idempotency key that the platform remembers for `window` still guards a push at `now`.
///
/// The first attempt came no earlier than the push itself, so this errs on the safe side.
pub fn key_holds(delivery: &Delivery, window: Duration, now: UtcMs) -> bool {
    let pushed_at = delivery.expires_at - delivery.retry.give_up_after;
    now < pushed_at + window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::{Body, Message, RetryPolicy, Target, Trigger};

    const NOW: UtcMs = UtcMs(1_767_229_200_000);

    fn delivery(attempt: u32, earlier: &[&str]) -> Delivery {
        let part = |outcome: &&str| PartReport { part: "text".into(), outcome: (*outcome).into(), message_id: None };
        Delivery {
            push_id: 1,
            attempt,
            key: "k".into(),
            job: None,
            triggered_by: Trigger::Cron,
            due_at: NOW,
            im: "im".into(),
            target: Target::User("1".into()),
            message: Message { title: None, body: Body::Text { text: "a".into() } },
            media: Vec::new(),
            timeout: Duration::from_secs(8),
            retry: RetryPolicy { give_up_after: Duration::from_secs(7200), ..RetryPolicy::default() },
            max_attempts: 5,
            expires_at: NOW + Duration::from_secs(7200),
            parts: earlier.iter().map(part).collect(),
        }
    }

    fn outcomes(report: &Report) -> Vec<&str> {
        report.parts.iter().map(|part| part.outcome.as_str()).collect()
    }

    #[test]
    fn a_retry_starts_at_the_first_part_not_sent_and_stops_at_the_first_that_fails() {
        let clock: SharedClock = ManualClock::new(NOW);
        let delivery = delivery(2, &["sent", "throttled"]);
        let mut progress = Progress::new(&delivery, 4, &clock);

        assert_eq!(progress.next(), Some(1));
        progress.record("image", Report::sent(Some("m1".into())));
        assert_eq!(progress.next(), Some(2));
        progress.record("text", Report::failed(Outcome::Rejected, "too long"));
        assert_eq!(progress.next(), None);

        let report = progress.into_report();
        assert_eq!(report.outcome, Outcome::Rejected);
        assert_eq!(report.error.as_deref(), Some("part 3 of 4 (text): too long"));
        assert_eq!(outcomes(&report), ["sent", "sent", "rejected"]);
    }

    #[test]
    fn a_part_that_may_have_gone_out_stays_unknown_until_it_is_sent() {
        let clock: SharedClock = ManualClock::new(NOW);
        let delivery = delivery(2, &["unknown"]);
        let mut progress = Progress::new(&delivery, 1, &clock).key_lasts(Duration::from_secs(3600));
        assert_eq!(progress.next(), Some(0), "the key still holds");
        progress.record("text", Report::failed(Outcome::Throttled { wait: None }, "slow down"));
        let report = progress.into_report();
        assert_eq!(report.outcome, Outcome::Throttled { wait: None });
        assert_eq!(outcomes(&report), ["unknown"]);
    }

    #[test]
    fn nothing_that_may_have_gone_out_is_repeated_once_the_key_is_forgotten() {
        let rows = [
            (1, vec![], false, Some(0)),
            (2, vec!["throttled"], false, Some(0)),
            (2, vec!["unknown"], false, None),
            // A crash left an attempt without any result.
            (2, vec![], false, None),
            (2, vec!["unknown"], true, Some(0)),
        ];
        for (attempt, earlier, resend_unknown, expected) in rows {
            let manual = ManualClock::new(NOW);
            let clock: SharedClock = manual.clone();
            let mut delivery = delivery(attempt, &earlier);
            delivery.retry.resend_unknown = resend_unknown;
            manual.advance(Duration::from_secs(3600));
            let mut progress = Progress::new(&delivery, 1, &clock).key_lasts(Duration::from_secs(3600));
            assert_eq!(progress.next(), expected, "attempt {attempt}, earlier {earlier:?}");
            if expected.is_none() {
                assert_eq!(progress.into_report().outcome, Outcome::Unknown);
            }
        }
    }

    #[test]
    fn no_part_begins_when_the_time_is_up_and_an_upload_brings_its_own_time() {
        let manual = ManualClock::new(NOW);
        let clock: SharedClock = manual.clone();
        let delivery = delivery(1, &[]);
        let mut progress = Progress::new(&delivery, 2, &clock);
        progress.allow_upload(20 * 1024 * 1024);
        assert_eq!(progress.time_left(), Duration::from_secs(8 + 160));
        assert_eq!(progress.next(), Some(0));
        progress.record("video", Report::sent(None));
        manual.advance(Duration::from_secs(168));
        assert_eq!(progress.next(), None);
        let report = progress.into_report();
        assert_eq!((report.outcome.clone(), outcomes(&report)), (Outcome::Unreachable, vec!["sent"]));
    }

    #[test]
    fn a_message_in_one_part_needs_no_list_once_it_is_sent() {
        let clock: SharedClock = ManualClock::new(NOW);
        let delivery = delivery(1, &[]);
        let mut progress = Progress::new(&delivery, 1, &clock);
        assert_eq!(progress.next(), Some(0));
        progress.note("voice as file");
        progress.record("file", Report::sent(Some("m".into())).with_status(200));
        let report = progress.into_report();
        assert_eq!(
            report,
            Report { note: Some("voice as file".into()), ..Report::sent(Some("m".into())).with_status(200) }
        );
    }
}
