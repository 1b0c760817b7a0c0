//! The bookkeeping of a message that goes out in several sends: which parts are done, and what became of each.

use std::ops::Range;

use super::failure::{self, Failure, Sent};
use crate::domain::{Delivery, Kind, Outcome, PartReport, Report};

/// One send's worth of a message, as its sender cut it.
pub(crate) trait Part: Send + Sync + Sized {
    /// `text`, `image`, … for the report.
    fn kind(&self) -> &'static str;

    /// Puts the members of the album at `index` in its place; how many they are.
    fn one_by_one(_parts: &mut Vec<Self>, _index: usize) -> usize {
        0
    }

    /// Puts every text from `index` on before the media, captions too; how many there are.
    fn texts_first(_parts: &mut Vec<Self>, _index: usize) -> usize {
        0
    }
}

/// How far a delivery in several parts has come, earlier attempts included.
pub(crate) struct Progress {
    labels: Vec<String>,
    parts: Vec<PartReport>,
    /// The part that may be under way since an earlier attempt; or what it was cut into.
    perhaps_sent: Range<usize>,
    note: Option<String>,
    last: Result<Sent, Failure>,
}

impl Progress {
    /// Takes over what earlier attempts sent, if they cut the message in the same way: another sender may have
    /// tried before, and its first part is not ours.
    pub(crate) fn resume<P: Part>(delivery: &Delivery, parts: &[P]) -> Progress {
        let labels = labels(parts);
        let same = delivery.parts.iter().zip(&labels).all(|(part, label)| part.part == *label);
        let parts = if same { delivery.parts.clone() } else { Vec::new() };

        let open = parts.iter().position(|part| !part.is_sent()).unwrap_or(parts.len());
        // An attempt that left no result at all was cut off by a crash.
        let perhaps = parts.get(open).map_or(delivery.attempt > 1, |part| part.outcome == Outcome::Unknown.as_str());
        let perhaps_sent = open..open + usize::from(perhaps);
        // Without a part to send no platform is asked, and so none can have said yes.
        let last = match labels.is_empty() {
            true => Err(Failure::rejected("there is nothing to send: the message has neither a text nor media")),
            false => Ok(Sent::default()),
        };
        Progress { labels, parts, perhaps_sent, note: None, last }
    }

    /// The part at `index`, of which nothing arrived, goes out as `pieces` parts: `parts` is how the message is cut now.
    pub(crate) fn recut<P: Part>(&mut self, index: usize, pieces: usize, parts: &[P]) {
        self.labels = labels(parts);
        self.parts.truncate(index);
        for (part, label) in self.parts.iter_mut().zip(&self.labels) {
            part.part.clone_from(label);
        }
        if self.is_repeat(index) {
            self.perhaps_sent = index..index + pieces;
        }
    }

    pub(crate) fn is_sent(&self, index: usize) -> bool {
        self.parts.get(index).is_some_and(PartReport::is_sent)
    }

    /// Whether an earlier attempt may have sent this part.
    pub(crate) fn is_repeat(&self, index: usize) -> bool {
        self.perhaps_sent.contains(&index)
    }

    /// For platforms that forget an idempotency key: whether the part may go out although it perhaps did already.
    ///
    /// # Errors
    /// It perhaps did, the key no longer holds, and the job does not ask for a repeat all the same.
    pub(crate) fn may_repeat(&self, index: usize, delivery: &Delivery, key_holds: bool) -> Result<(), Failure> {
        if !self.is_repeat(index) || key_holds || delivery.retry.resend_unknown {
            return Ok(());
        }
        let error = "it may have been sent before, and the platform no longer knows the key of that attempt";
        Err(Failure::unknown(error))
    }

    /// Says that the delivery goes out in another form than asked for.
    pub(crate) fn note(&mut self, note: &str) {
        add_note(&mut self.note, Some(note));
    }

    /// Keeps what became of a part. False: the delivery stops here.
    #[must_use]
    pub(crate) fn record(&mut self, index: usize, done: Result<Sent, Failure>) -> bool {
        let is_sent = done.is_ok();
        let (outcome, message_id) = match &done {
            Ok(Sent { message_id, note, .. }) => {
                add_note(&mut self.note, note.as_deref());
                (Outcome::Sent, message_id.clone())
            }
            // That a repeat was refused does not tell what became of the first try.
            Err(Failure { message_id, .. }) if self.is_repeat(index) => (Outcome::Unknown, message_id.clone()),
            Err(Failure { class, message_id, .. }) => (class.clone().into(), message_id.clone()),
        };
        let part = PartReport { part: self.labels[index].clone(), outcome: outcome.as_str().to_owned(), message_id };
        self.parts.truncate(index);
        self.parts.push(part);
        self.last = done;
        is_sent
    }

    /// The report of the whole delivery: sent when every part is, else the failure at which it stopped.
    pub(crate) fn finish(self) -> Report {
        let Progress { labels, parts, note, last, .. } = self;
        let mut report = Report { note, ..failure::report(last) };
        if labels.len() > 1 {
            if let (Some(error), Some(part)) = (&mut report.error, parts.last()) {
                *error = format!("{}: {error}", part.part);
            }
            report.message_id = parts.iter().find_map(|part| part.message_id.clone());
        }
        if labels.len() > 1 || report.outcome != Outcome::Sent {
            report.parts = parts;
        }
        report
    }
}

fn labels<P: Part>(parts: &[P]) -> Vec<String> {
    let count = parts.len();
    parts.iter().enumerate().map(|(index, part)| format!("{} {}/{count}", part.kind(), index + 1)).collect()
}

/// Says once that something goes out in another form than asked for.
pub(crate) fn add_note(note: &mut Option<String>, more: Option<&str>) {
    match (note, more) {
        (_, None) => {}
        (Some(note), Some(more)) if note.split(", ").any(|known| known == more) => {}
        (Some(note), Some(more)) => *note = format!("{note}, {more}"),
        (note, Some(more)) => *note = Some(more.to_owned()),
    }
}

/// What an attempt notes of a `kind` that goes out as `form`: nothing, where that is the same.
pub(crate) fn kind_as(kind: Kind, form: &str) -> Option<String> {
    (kind.as_str() != form).then(|| format!("{kind} as {form}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{Body, Message, RetryPolicy, Target, Trigger, UtcMs};

    const NOW: UtcMs = UtcMs(1_767_229_200_000);
    const HOUR: Duration = Duration::from_secs(3600);

    struct Text;

    impl Part for Text {
        fn kind(&self) -> &'static str {
            "text"
        }
    }

    fn delivery(attempt: u32, earlier: &[(&str, &str)]) -> Delivery {
        let part = |(part, outcome): &(&str, &str)| PartReport {
            part: (*part).into(),
            outcome: (*outcome).into(),
            message_id: None,
        };
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
            retry: RetryPolicy { give_up_after: 2 * HOUR, ..RetryPolicy::default() },
            max_attempts: 5,
            expires_at: NOW + 2 * HOUR,
            made_at: NOW,
            parts: earlier.iter().map(part).collect(),
            unmade: None,
        }
    }

    fn outcomes(report: &Report) -> Vec<&str> {
        report.parts.iter().map(|part| part.outcome.as_str()).collect()
    }

    fn throttled() -> Failure {
        Failure::throttled(None, "slow down")
    }

    #[test]
    fn a_retry_starts_at_the_first_part_not_sent_and_stops_at_the_first_that_fails() {
        let delivery = delivery(2, &[("text 1/4", "sent"), ("text 2/4", "throttled")]);
        let mut progress = Progress::resume(&delivery, &[Text, Text, Text, Text]);
        assert!(progress.is_sent(0) && !progress.is_sent(1));
        assert!(progress.record(1, Ok(Sent::new(Some("m1".into())))));
        assert!(!progress.record(2, Err(Failure::rejected("too long"))));

        let report = progress.finish();
        assert_eq!(report.outcome, Outcome::Rejected);
        assert_eq!(report.error.as_deref(), Some("text 3/4: too long"));
        assert_eq!(outcomes(&report), ["sent", "sent", "rejected"]);
    }

    #[test]
    fn a_part_that_may_have_gone_out_stays_unknown_until_it_is_sent() {
        let retry = delivery(2, &[("text 1/1", "unknown")]);
        let mut progress = Progress::resume(&retry, &[Text]);
        assert!(!progress.record(0, Err(throttled())));
        let report = progress.finish();
        assert_eq!((&report.outcome, outcomes(&report)), (&Outcome::Throttled { wait: None }, vec!["unknown"]));

        let mut progress = Progress::resume(&retry, &[Text]);
        assert!(progress.record(0, Ok(Sent::default())));
        assert_eq!(progress.finish(), Report::sent(None));
    }

    #[test]
    fn nothing_that_may_have_gone_out_is_repeated_once_the_key_is_forgotten() {
        let rows = [
            // attempt, earlier parts, the key holds, resend_unknown, may be sent
            (1, [].as_slice(), false, false, true),
            (2, &[("text 1/2", "throttled")], false, false, true),
            (2, &[("text 1/2", "unknown")], false, false, false),
            (2, &[("text 1/2", "unknown")], true, false, true),
            (2, &[("text 1/2", "unknown")], false, true, true),
            // A crash left an attempt without any result.
            (2, &[], false, false, false),
        ];
        for (attempt, earlier, key_holds, resend_unknown, allowed) in rows {
            let mut delivery = delivery(attempt, earlier);
            delivery.retry.resend_unknown = resend_unknown;
            let mut progress = Progress::resume(&delivery, &[Text, Text]);
            assert_eq!(progress.may_repeat(0, &delivery, key_holds).is_ok(), allowed, "{attempt} {earlier:?}");
            assert!(progress.record(0, Ok(Sent::default())));
            assert_eq!(progress.may_repeat(1, &delivery, false), Ok(()), "the second part was never tried");
        }
    }
}
