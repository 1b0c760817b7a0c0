//! The memory of the timer, what it is told, and what it says is to be done.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::ask::{Answer, Ask};
use super::backfill::Backfill;
use super::changes::Changes;
use super::refusals::Refusals;
use super::timeline::{Plan, Timeline};
use super::unwatched::Late;
use crate::domain::{Decision, Job, Moment, Reading, UtcMs};
use crate::engine::core::Event;
use crate::policy::clock_doubt::{ClockDoubt, doubt};
use crate::policy::schedule::ScheduleError;
use crate::store::{Applied, JobChange, StoreError, StoredJob};

/// Never asleep longer than this, so that a stepped clock is noticed.
pub(super) const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Why definitions could not be applied. Those from before stay in force, but for [`ApplyError::Partly`].
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("job {job}: {error}")]
    Schedule { job: String, error: ScheduleError },
    #[error("the clock shows {now}, which cannot be: set it first")]
    Clock { now: UtcMs },
    #[error(
        "job {job}: what its definition called for until now is refused by the database again and again (a bug of \
         pushcron): keep the log, and restart"
    )]
    Refused { job: String },
    /// Very many changes go in parts, and the first of them are durable.
    #[error("{error}; {done} of {all} changed jobs are in force already, and the others follow once it can be written")]
    Partly { done: usize, all: usize, error: StoreError },
}

/// What the timer reacts to. All but [`Input::Answer`] are commands: they are done one after the other, and each ends in
/// one [`Action::Done`].
pub enum Input {
    /// At the start of a daemon, before anything of an earlier one is touched: ends what nobody watched and its policy
    /// would not send any more, and takes back what is still to come, unless the clock cannot be believed. What is due by
    /// now stays, whatever was shown of it.
    BeginWatch,
    /// At the end of a daemon: what is still to come of what was recorded ahead is decided anew by whoever runs then,
    /// unless the clock cannot be believed.
    EndWatch,
    /// Reads the stored jobs, once.
    Load,
    /// One round: what is due, as far as one transaction takes it. `awake` is the progress of a clock that nobody sets
    /// and that stands still while the machine sleeps.
    Tick { awake: Duration },
    /// New definitions, all of them, with their hashes, and when they were read: what passes until they are in force is not
    /// lost with it. None: now.
    Apply(Vec<(Job, i64)>, Option<UtcMs>),
    /// What a verb says of some jobs, in a process of its own, and since when it waits to say so.
    ApplyByVerb { changed: Vec<(Job, i64)>, removed: Vec<Arc<str>>, said_at: Option<UtcMs> },
    /// Another process paused or resumed jobs, or made, changed or removed some: all is read again.
    Reread,
    /// What the one [`Action::Ask`] under way came to.
    Answer(Result<Answer, StoreError>),
}

/// What is to be done, in this order.
pub enum Action {
    /// Ask the store. There is never more than one question under way.
    Ask(Ask),
    /// Tell the core of open pushes. At a [`Input::BeginWatch`] there is nobody to tell.
    Tell(Event),
    /// Fires wait for their content.
    Prepare,
    /// So many instants were decided about, for whoever counts.
    Fires { decision: Decision, count: u64 },
    /// A command is done.
    Done(Result<Done, ApplyError>),
}

/// What a command came to.
#[derive(Debug, Default)]
pub struct Done {
    /// There may be more to do at once: tick again.
    pub more: bool,
    /// What [`Input::Apply`] changed.
    pub applied: Applied,
}

/// Something that is still to be done, or that waits for the answer to its question.
pub(super) enum Task {
    NoticeJump {
        awake: Duration,
    },
    RereadUnlessDone,
    Believe,
    ApplyPostponed,
    ApplyUnfinished,
    RecordBatch,
    NoteWatch,
    WatchNoted,

    Reread {
        awake_at: UtcMs,
    },
    RereadDone,
    EndUnwatched {
        now: UtcMs,
    },
    TellEnded {
        late: Vec<Late>,
    },
    Withdraw {
        now: UtcMs,
    },
    Withdrawn,
    ReadJobs {
        now: UtcMs,
    },
    PutBack {
        timeline: Box<Timeline>,
        now: UtcMs,
    },
    PlacesPutBack {
        timeline: Box<Timeline>,
        plan: Plan,
        now: UtcMs,
    },

    BeginWatch {
        now: UtcMs,
    },
    BeginWatchSince {
        last_known: Option<UtcMs>,
        now: UtcMs,
    },
    EndWatch {
        now: UtcMs,
    },
    Load,
    LoadRestored,

    Apply {
        jobs: Vec<(Job, i64)>,
        read_at: Option<UtcMs>,
    },
    ApplyByVerb {
        changed: Vec<(Job, i64)>,
        removed: Vec<Arc<str>>,
        said_at: Option<UtcMs>,
    },
    NextPart {
        now: UtcMs,
    },
    ApplyPart {
        changes: Vec<JobChange>,
        removed: Vec<Arc<str>>,
        now: UtcMs,
    },
    PartApplied {
        scheduled: Vec<StoredJob>,
        removed: Vec<Arc<str>>,
        now: UtcMs,
    },
    Close {
        names: Vec<Arc<str>>,
        now: UtcMs,
    },
    Closed {
        names: Vec<Arc<str>>,
        taken: usize,
        now: UtcMs,
    },

    Record {
        plan: Plan,
        now: UtcMs,
    },
    Backfill {
        plan: Plan,
        backfill: Box<Backfill>,
        now: UtcMs,
    },
    Recorded {
        plan: Plan,
        now: UtcMs,
    },

    /// Reached when all before it was done; what fails before it ends here.
    Until(Mark),
}

/// Where a failure ends, and what is told of a success.
pub(super) enum Mark {
    JumpFollowed,
    PostponedInForce,
    UnfinishedInForce,
    BatchRecorded,
    /// So many changes there were.
    InForce {
        all: usize,
    },
    /// The command is done.
    Round,
    Reread,
    Command,
}

/// The timer.
pub struct Timer {
    pub(super) timeline: Timeline,
    pub(super) zone_version: String,
    /// What wall clock and waking time showed when they were last compared.
    pub(super) compared: (UtcMs, Duration),
    /// The last instant that surely has passed, against which the clock is judged.
    pub(super) last_known: Option<UtcMs>,
    /// What was due until then may have been sent by the database that was lost.
    pub(super) restored_at: Option<UtcMs>,
    /// What was recorded ahead is taken back, or may be, and the places in memory may be later than those of the store:
    /// nothing is decided before all is read again. The last instant that surely was watched.
    pub(super) to_reread: Option<UtcMs>,
    /// The clock cannot be believed, and nothing is decided.
    pub(super) doubted: bool,
    /// Definitions that came meanwhile.
    pub(super) postponed: Option<Vec<(Job, i64)>>,
    /// What is left of a change whose first parts are durable.
    pub(super) unfinished: Changes,
    /// Jobs of the part under way that change nothing but the versions of their lists of days.
    pub(super) relisted: HashSet<Arc<str>>,
    pub(super) store_told_at: Option<Moment>,
    /// The last instant that was recorded ahead of itself, until it is noted that it was watched.
    pub(super) ahead_until: Option<UtcMs>,
    pub(super) longest_sleep: Duration,
    /// Not before: a round failed.
    pub(super) rests_until: Option<Moment>,
    /// What the command under way comes to.
    pub(super) done: Done,
    /// Jobs of which the last record took nothing.
    pub(super) stale: Vec<Arc<str>>,
    /// Jobs that owe a part of what the last record was about.
    pub(super) left: Vec<Arc<str>>,
    pub(super) refusals: Refusals,
    pub(super) commands: VecDeque<Input>,
    /// What is still to be done of the command under way, the next last.
    pub(super) tasks: Vec<Task>,
    /// Who waits for the answer to the question under way.
    pub(super) asked: Option<Task>,
}

impl Timer {
    /// A timer that knows no job yet. `awake` as in [`Input::Tick`]; `zone_version` names the zone data that schedules are
    /// evaluated with.
    pub fn new(now: Reading, awake: Duration, zone_version: String) -> Timer {
        Timer {
            timeline: Timeline::default(),
            zone_version,
            compared: (now.wall, awake),
            last_known: None,
            restored_at: None,
            to_reread: None,
            doubted: false,
            postponed: None,
            unfinished: Changes::default(),
            relisted: HashSet::new(),
            store_told_at: None,
            ahead_until: None,
            longest_sleep: LONGEST_SLEEP,
            rests_until: None,
            done: Done::default(),
            stale: Vec::new(),
            left: Vec::new(),
            refusals: Refusals::default(),
            commands: VecDeque::new(),
            tasks: Vec::new(),
            asked: None,
        }
    }

    /// Holds what is to be done up until `task` is answered.
    pub(super) fn ask(&mut self, ask: Ask, task: Task, step: &mut Step<'_>) {
        step.actions.push(Action::Ask(ask));
        self.asked = Some(task);
    }

    pub(super) fn must_wait(&self, now: UtcMs) -> bool {
        must_wait(now, self.last_known)
    }
}

/// Whether nothing may be decided by a clock that shows this.
pub(super) fn must_wait(now: UtcMs, last_known: Option<UtcMs>) -> bool {
    doubt(now, last_known).is_some_and(ClockDoubt::must_wait)
}

/// One step's surroundings.
pub(super) struct Step<'a> {
    pub now: Reading,
    pub actions: &'a mut Vec<Action>,
}

impl Step<'_> {
    pub(super) fn tell(&mut self, event: Event) {
        self.actions.push(Action::Tell(event));
    }
}
