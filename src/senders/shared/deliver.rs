//! The one loop in which the parts of a message go out.
//!
//! A sender cuts its message into parts and says how one of them is sent; the rest is the same for all: parts that an
//! earlier attempt sent are passed over, the first that fails ends the attempt, and what became of each is reported.

use std::time::Duration;

use super::budget::Budget;
use super::failure::{Failure, Sent};
use super::parts::{Part, Progress};
use crate::clock::SharedClock;
use crate::domain::{Delivery, MediaFile, Report};

/// How a sender sends one part.
pub(crate) trait Post<P>: Sync {
    fn post(&self, part: &P, turn: &mut Turn<'_>) -> impl Future<Output = Result<Sent, Failure>> + Send;
}

/// One part's turn in an attempt.
pub(crate) struct Turn<'a> {
    pub delivery: &'a Delivery,
    pub index: usize,
    /// No other part went out in this attempt.
    pub is_first: bool,
    /// An earlier attempt may have sent this part.
    pub is_repeat: bool,
    pub budget: &'a mut Budget,
    /// In what other form than asked for it went out, whatever became of it.
    pub note: Option<String>,
    otherwise: Option<Otherwise>,
}

impl<'a> Turn<'a> {
    /// Stays the same over all attempts at this part.
    pub(crate) fn key(&self) -> String {
        format!("{}-{}", self.delivery.key, self.index)
    }

    /// The time left for the next request.
    pub(crate) fn left(&self) -> Result<Duration, Failure> {
        self.budget.left()
    }

    pub(crate) fn file(&self, index: usize) -> Result<&'a MediaFile, Failure> {
        file(self.delivery, index)
    }

    /// Says that the part, should it fail, may go out in another cut.
    pub(crate) fn may_go(&mut self, otherwise: Otherwise) {
        self.otherwise = Some(otherwise);
    }
}

/// What may go out in place of a part that was refused as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// The members of an album on their own.
    OneByOne,
    /// All texts, which need not wait for a media that the chat does not take; the attempt fails after them.
    TextsFirst,
}

/// The resolved file of a media.
///
/// # Errors
/// It is not there.
pub(crate) fn file(delivery: &Delivery, index: usize) -> Result<&MediaFile, Failure> {
    let missing = || Failure::rejected(format!("the file of media {} is not there", index + 1));
    delivery.media.get(index).ok_or_else(missing)
}

/// One attempt at a delivery.
pub(crate) struct Attempt<'a> {
    delivery: &'a Delivery,
    clock: &'a SharedClock,
    pause: Duration,
    more_time: Duration,
    key_holds: bool,
    notes: Vec<&'static str>,
}

/// Sends the parts that `plan` cut, one after the other.
pub(crate) async fn deliver<P: Part>(
    delivery: &Delivery,
    clock: &SharedClock,
    plan: Result<Vec<P>, Failure>,
    sender: &impl Post<P>,
) -> Report {
    Attempt::new(delivery, clock).run(plan, sender).await
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(delivery: &'a Delivery, clock: &'a SharedClock) -> Attempt<'a> {
        let (pause, more_time) = (Duration::ZERO, Duration::ZERO);
        Attempt { delivery, clock, pause, more_time, key_holds: true, notes: Vec::new() }
    }

    /// The platform wants so long a pause between two parts, which the push's timeout does not mean.
    pub(crate) fn pausing(self, pause: Duration) -> Attempt<'a> {
        Attempt { pause, ..self }
    }

    /// Each part after the first brings so much time of its own.
    pub(crate) fn with_more_time(self, more_time: Duration) -> Attempt<'a> {
        Attempt { more_time, ..self }
    }

    /// For platforms that forget the key by which they know a repeat: whether it still holds.
    pub(crate) fn guarded(self, key_holds: bool) -> Attempt<'a> {
        Attempt { key_holds, ..self }
    }

    /// Says that the delivery goes out in other forms than asked for.
    pub(crate) fn noting(mut self, notes: impl IntoIterator<Item = &'static str>) -> Attempt<'a> {
        self.notes.extend(notes);
        self
    }

    pub(crate) async fn run<P: Part>(self, plan: Result<Vec<P>, Failure>, sender: &impl Post<P>) -> Report {
        let mut parts = match plan {
            Ok(parts) => parts,
            Err(failure) => return failure.into(),
        };
        let mut progress = Progress::resume(self.delivery, &parts);
        self.notes.iter().for_each(|note| progress.note(note));
        let mut budget = Budget::new(self.clock, self.delivery.timeout);
        let (mut index, mut is_first) = (0, true);
        // A part that was refused, whose texts go first.
        let mut refused: Option<(usize, Failure)> = None;
        while let Some(part) = parts.get(index) {
            if progress.is_sent(index) {
                index += 1;
                continue;
            }
            if let Some((_, failure)) = refused.take_if(|(at, _)| *at == index) {
                let _ = progress.record(index, Err(failure));
                break;
            }
            if !is_first {
                self.pause(&mut budget).await;
            }
            let is_repeat = progress.is_repeat(index);
            let (delivery, budget) = (self.delivery, &mut budget);
            let mut turn = Turn { delivery, index, is_first, is_repeat, budget, note: None, otherwise: None };
            let sent = match progress.may_repeat(index, self.delivery, self.key_holds) {
                Ok(()) => sender.post(part, &mut turn).await,
                Err(failure) => Err(failure),
            };
            is_first = false;
            let Turn { note, otherwise, .. } = turn;
            note.iter().for_each(|note| progress.note(note));
            let failure = match (sent, otherwise) {
                (Err(_), Some(Otherwise::OneByOne)) => {
                    let pieces = P::one_by_one(&mut parts, index);
                    progress.recut(index, pieces, &parts);
                    progress.note("album one by one");
                    continue;
                }
                (Err(failure), Some(Otherwise::TextsFirst)) => failure,
                (done, _) => {
                    if !progress.record(index, done) {
                        break;
                    }
                    index += 1;
                    continue;
                }
            };
            let texts = P::texts_first(&mut parts, index);
            if texts == 0 {
                let _ = progress.record(index, Err(failure));
                break;
            }
            progress.recut(index, texts + 1, &parts);
            progress.note("text without media");
            refused = Some((index + texts, failure));
        }
        progress.finish()
    }

    async fn pause(&self, budget: &mut Budget) {
        budget.extend(self.pause + self.more_time);
        if !self.pause.is_zero() {
            self.clock.sleep(self.pause).await;
        }
    }
}
