//! The facts that an explanation is made of, under the names of the views' columns where they have one.

use serde::Serialize;

use super::super::contacts::Known;
use super::super::when::ClockNote;
use crate::domain::{Decision, Kind, PushState, Target, Trigger, UtcMs};
use crate::policy::schedule::{DayNote, DstNote};
pub(crate) use crate::store::AttemptRecord;
use crate::store::{ContentRecord, ListRecord, Revision};

/// One fact. Each is told by itself.
#[derive(Debug, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(crate) enum Fact<'a> {
    /// What summer time makes of the time that was named.
    Clock {
        note: &'a ClockNote,
    },
    /// The job had left the files by then.
    Removed {
        removed_at: UtcMs,
    },
    /// What is kept of the job begins later.
    BeforeAllKept {
        at: UtcMs,
        first: By<'a>,
    },
    /// It was not in the files, between two times when it was.
    NotInFiles {
        at: UtcMs,
    },
    /// Nothing is recorded, and the schedule cannot be read, or the system no longer knows its zone.
    NotEvaluable {
        by: By<'a>,
    },
    /// The job had come to its end before.
    Ended {
        at: UtcMs,
        to_come: bool,
        by: By<'a>,
        ended_at: UtcMs,
        because: Ending,
    },
    /// The schedule calls for an instant that has not come yet.
    ToCome {
        due_at: UtcMs,
        by: By<'a>,
        will_be: WillBe,
        /// What the job's lists of days say of it, where that is why it will not fire.
        #[serde(skip_serializing_if = "Option::is_none")]
        day: Option<DayNote>,
    },
    /// The schedule called for an instant, and nothing is recorded of it.
    NoRow {
        due_at: UtcMs,
        by: By<'a>,
        because: NoRow,
    },
    /// The schedule calls for no instant at that time.
    NotCalled {
        at: UtcMs,
        /// Where a longer time was named, such as a day.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<UtcMs>,
        tense: Tense,
        by: By<'a>,
        before: Option<Nearest>,
        after: Option<Nearest>,
    },
    Fire(FireFact<'a>),
    /// So many fires of that time are not told.
    MoreFires {
        count: usize,
    },
    /// What is known of somebody for whom pushes wait.
    Contact(&'a Known),
}

/// The definition that held.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct By<'a> {
    pub revision: u32,
    /// In words.
    pub schedule: &'a str,
    pub timezone: &'a str,
    pub from_at: UtcMs,
}

impl By<'_> {
    pub(super) fn of(revision: &Revision) -> By<'_> {
        let Revision { revision, schedule, timezone, from_at, .. } = revision;
        By { revision: *revision, schedule, timezone, from_at: *from_at }
    }
}

/// Whether a stretch of time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tense {
    Past,
    Present,
    ToCome,
}

impl Tense {
    pub(super) fn of(from: UtcMs, until: UtcMs, now: UtcMs) -> Tense {
        match (from > now, until > now) {
            (true, _) => Tense::ToCome,
            (false, true) => Tense::Present,
            (false, false) => Tense::Past,
        }
    }
}

/// Why a job came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// It had fired so often, which is its `max_fires`.
    MaxFires(u64),
    /// Its `until` was over.
    Until(UtcMs),
}

/// What becomes of an instant to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WillBe {
    /// Nothing stands in its way now.
    Decided,
    /// It will be skipped: the job is disabled.
    Disabled,
    /// It will be skipped by what the job says about days, or about the change of the clock.
    Skipped,
    /// It will be skipped, unless the job is resumed before.
    Paused,
}

/// Why an instant that has passed has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoRow {
    /// A daemon runs, and is about to decide.
    AboutToBeDecided,
    /// No daemon has run since.
    NoDaemonSince,
    /// A revision holds for what comes after it was loaded.
    LoadedThen,
    /// It was pruned.
    NotKept,
    /// There is no reason why it should have none.
    Unexplained,
}

/// An instant of the schedule beside the time that was named.
#[derive(Debug, Serialize)]
pub(crate) struct Nearest {
    pub at: UtcMs,
    /// What summer time has to do with it.
    pub note: Option<DstNote>,
    /// What the job's lists of days say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<DayNote>,
}

/// What was decided about an instant, and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct FireFact<'a> {
    pub triggered_by: Trigger,
    pub due_at: UtcMs,
    /// Its instant is still to come.
    pub is_ahead: bool,
    /// The last instant that it stands for, where it stands for many.
    pub until_at: Option<UtcMs>,
    pub count: u64,
    pub by: Option<By<'a>>,
    pub decision: Decision,
    pub reason: Option<&'a str>,
    /// What a list of days had to say of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<&'a str>,
    pub decided_after_ms: i64,
    /// Empty where they are not kept any more, or not made yet.
    pub pushes: Vec<PushFact<'a>>,
    /// What was made for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<&'a ContentRecord>,
    /// The lists of recipients that were read for them.
    #[serde(skip_serializing_if = "<[ListRecord]>::is_empty")]
    pub lists: &'a [ListRecord],
    /// Their content is still to be made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_unexpanded: bool,
    /// It is made once the first of them can go out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub awaits_content: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct PushFact<'a> {
    pub id: i64,
    /// The push that ended badly and in whose place it went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_of: Option<i64>,
    pub im: &'a str,
    pub target: &'a Target,
    pub kind: Kind,
    pub state: PushState,
    /// Why it waits or came to its end, unless that is what its last attempt came to.
    pub reason: Option<&'a str>,
    /// How each account stood when none could send it, last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// Where it waits for its next attempt; so is `expires_at`.
    pub next_attempt_at: Option<UtcMs>,
    pub expires_at: Option<UtcMs>,
    pub confirmed_at: Option<UtcMs>,
    pub attempts: Vec<AttemptFact<'a>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct AttemptFact<'a> {
    #[serde(flatten)]
    pub attempt: &'a AttemptRecord,
    /// After the instant.
    pub lateness_ms: i64,
    /// None: it is under way.
    pub took_ms: Option<i64>,
}
