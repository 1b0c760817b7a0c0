//! Definitions as the scheduler needs them, and what a change of them did.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::job::{DstGap, JobSource, Life, Timing};
use crate::domain::{DayRule, Job, Misfire, Overlap, Schedule, UtcMs};

/// A job as the scheduler needs it: without its messages.
#[derive(Clone, Debug)]
pub struct StoredJob {
    pub name: Arc<str>,
    pub schedule: Schedule,
    /// Shared, because most jobs are in one.
    pub timezone: Arc<str>,
    pub dst_gap: DstGap,
    /// Boxed, because most jobs say nothing about days.
    pub days: Option<Box<DayRule>>,
    pub enabled: bool,
    pub paused: bool,
    pub misfire: Misfire,
    pub overlap: Overlap,
    /// So long before its instant a fire is to be recorded, since its content takes time to be made; None: it has none
    /// to be made, and no recipients to be read.
    pub lead: Option<Duration>,
    /// The first instant that has no row in `fires` yet; None when the schedule has no more.
    pub next_due_at: Option<UtcMs>,
    /// Equal hashes mean equal definitions.
    pub definition_hash: i64,
    pub revision: u32,
    /// When this revision was loaded.
    pub loaded_at: UtcMs,
    pub source: JobSource,
    pub life: Option<Box<Life>>,
    /// The last instant of a job that has fired as often as it may: what comes after it is nobody's.
    pub spent_at: Option<UtcMs>,
    /// The last fire that has its content already, though its instant may be still to come.
    pub made_ahead: Option<MadeAhead>,
}

/// A fire that stays as it is over a restart, since its source was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeAhead {
    pub due_at: UtcMs,
    pub recorded_at: UtcMs,
}

impl StoredJob {
    /// A definition that is in force from `now` on, as the first revision of its job, which is not paused.
    pub fn new(job: &Job, definition_hash: i64, next_due_at: Option<UtcMs>, now: UtcMs) -> StoredJob {
        StoredJob {
            name: job.name.as_str().into(),
            schedule: job.schedule.clone(),
            timezone: job.timezone.clone(),
            dst_gap: job.dst_gap,
            days: job.days.clone(),
            enabled: job.enabled,
            paused: false,
            misfire: job.misfire.clone(),
            overlap: job.overlap,
            lead: job.lead(),
            next_due_at,
            definition_hash,
            revision: 1,
            loaded_at: now,
            source: JobSource::File,
            life: job.life.clone(),
            spent_at: None,
            made_ahead: None,
        }
    }

    /// Until when nothing is to be decided anew. A clock that was put back before a record makes that void.
    pub fn decided_until(&self, now: UtcMs) -> UtcMs {
        let holds = self.made_ahead.filter(|made| made.recorded_at <= now);
        holds.map_or(now, |made| made.due_at.max(now))
    }

    pub fn timing(&self) -> Timing<'_> {
        Timing {
            schedule: &self.schedule,
            timezone: &self.timezone,
            dst_gap: self.dst_gap,
            days: self.days.as_deref(),
            life: self.life.as_deref(),
        }
    }
}

/// A new or changed definition to be made durable.
#[derive(Clone, Debug)]
pub struct JobChange {
    pub job: Job,
    pub definition_hash: i64,
    /// Where its ledger goes on: the first instant of the new schedule.
    pub next_due_at: Option<UtcMs>,
    /// The schedule is as before, so that an earlier place holds: another process may have withdrawn what was
    /// recorded ahead since the caller looked.
    pub keeps_place: bool,
    /// What has fired goes on to count, for a job that fires so often and no more.
    pub keeps_count: bool,
    /// It was said earlier than it comes into force, and answers for what it calls for since then: whoever said it waited
    /// for the database. None: from now on.
    pub since: Option<UtcMs>,
    pub source: JobSource,
}

/// What a verb found before it makes, changes or removes a job: else somebody else was first, and it does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub job: Arc<str>,
    /// The revision of a job that verbs made; None where there must be no job of that name.
    pub revision: Option<u32>,
}

/// A job as [`History::definition`](crate::store::History::definition) tells it.
#[derive(Clone, Debug)]
pub struct Definition {
    pub job: Job,
    pub revision: u32,
    pub source: JobSource,
}

/// What [`Store::apply_jobs`](crate::store::Store::apply_jobs) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
    /// Open pushes of removed jobs, now cancelled.
    pub cancelled: Vec<i64>,
    /// Of which jobs these are, and how many of each, by name.
    pub cancelled_of: Vec<(String, usize)>,
    /// Pushes of instants still to come that were recorded ahead and are withdrawn, for the new definition to
    /// decide about.
    pub withdrawn: Vec<i64>,
    /// Jobs that came back, whose places lie before now, and where: the clock was put back, and what a row had settled
    /// of them beyond now is to be settled anew, but for what lies before now, which is nobody's to fire.
    pub reopened: Vec<(Arc<str>, UtcMs)>,
    /// Changed jobs that have fired as often as they may, with the last instants that they have.
    pub spent: Vec<(Arc<str>, UtcMs)>,
}
