//! Reads jobs and their places: at the start, and again where another process or a clock that was set changed what
//! seemed decided.

use tracing::error;

use super::ask::Ask;
use super::state::{ApplyError, Step, Task, Timer, must_wait};
use super::timeline::Timeline;
use super::unwatched::{Late, too_late};
use crate::domain::{Reason, UtcMs};
use crate::policy::clock_doubt::doubt;
use crate::store::{Restored, StoredJob, Unwatched};

impl Timer {
    /// Takes back what was recorded ahead and reads places and standings again: another process changed them, or
    /// the clock was stepped, and what seemed decided is to be decided anew.
    ///
    /// What was due by now stays; of that, what nobody watched after `awake_at` may come too late.
    ///
    /// Where it fails in the middle, it is begun anew before anything else is decided: rows may be taken back already whose
    /// instants the places in memory have passed, and the store cannot tell of a job that owes a gap, whose place there
    /// lies before the gap all the time.
    pub(super) fn reread(&mut self, awake_at: UtcMs, step: &mut Step<'_>) {
        let now = step.now.wall;
        // Seen from 1970 the whole ledger would be ahead. Once the clock is set, this is done again.
        if self.must_wait(now) {
            return;
        }
        let awake_at = self.to_reread.map_or(awake_at, |earlier| earlier.min(awake_at));
        self.to_reread = Some(awake_at);
        self.tasks.extend([Task::RereadDone, Task::ReadJobs { now }, Task::Withdraw { now }]);
        self.ask(Ask::Unwatched { after: Some(awake_at), until: now }, Task::EndUnwatched { now }, step);
    }

    pub(super) fn reread_unless_done(&mut self) {
        if let Some(awake_at) = self.to_reread {
            self.tasks.push(Task::Reread { awake_at });
        }
    }

    pub(super) fn end_unwatched(&mut self, unwatched: Vec<Unwatched>, now: UtcMs, step: &mut Step<'_>) {
        let late = too_late(unwatched, now);
        if !late.is_empty() {
            let settles = late.iter().map(Late::settle).collect();
            self.ask(Ask::EndUntouched { settles, now }, Task::TellEnded { late }, step);
        }
    }

    pub(super) fn read_jobs(&mut self, stored: Vec<StoredJob>, now: UtcMs) -> Result<(), ApplyError> {
        let timeline = match self.timeline.is_empty() {
            true => Timeline::new(stored, &self.zone_version, now)
                .map_err(|(job, error)| ApplyError::Schedule { job, error })?,
            // One that nobody can read keeps nobody else from firing.
            false => {
                let (timeline, left_out) = self.timeline.again(stored, &self.zone_version, now);
                for (job, error) in left_out {
                    error!(job, %error, "the schedule of a job cannot be read; it fires again once the files are loaded");
                }
                timeline
            }
        };
        self.tasks.push(Task::PutBack { timeline: Box::new(timeline), now });
        Ok(())
    }

    /// Makes places durable that lie earlier than the store has them, in parts. Jobs of a restored database owe what was
    /// due after the backup was made: it may have been sent, and is recorded as missed and never made up for.
    pub(super) fn put_back(&mut self, mut timeline: Box<Timeline>, now: UtcMs, step: &mut Step<'_>) {
        let plan = timeline.put_back();
        if !plan.is_empty() && !self.must_wait(now) {
            let cursors = plan.cursors.clone();
            let task = Task::PlacesPutBack { timeline, plan, now };
            return self.ask(Ask::Record { fires: Vec::new(), cursors, now }, task, step);
        }
        if let Some(restored_at) = self.restored_at {
            timeline.close(restored_at, Reason::Restored);
        }
        self.timeline = *timeline;
        self.put_off_refused(step.now.moment);
    }

    pub(super) fn begin_watch(&mut self, last_known: Option<UtcMs>, now: UtcMs, step: &mut Step<'_>) {
        if !must_wait(now, last_known) {
            self.ask(Ask::WatchedUntil, Task::BeginWatchSince { last_known, now }, step);
        }
    }

    /// A database of an earlier release has no note of its watch unless its daemon ended in peace; its last record tells
    /// as much. A clock that stood ahead says nothing of the time since.
    pub(super) fn begin_watch_since(&mut self, watched: Option<UtcMs>, now: UtcMs, step: &mut Step<'_>) {
        let after = watched.filter(|at| *at <= now);
        self.tasks.push(Task::Withdraw { now });
        self.ask(Ask::Unwatched { after, until: now }, Task::EndUnwatched { now }, step);
    }

    pub(super) fn end_watch(&mut self, last_known: Option<UtcMs>, now: UtcMs) {
        if !must_wait(now, last_known) {
            self.tasks.push(Task::Withdraw { now });
        }
    }

    pub(super) fn load(&mut self, last_known: Option<UtcMs>, step: &mut Step<'_>) {
        if let Some(doubt) = doubt(step.now.wall, last_known) {
            error!("{doubt}");
            // Else nobody would be told where the clock is set before the first round.
            self.doubted = doubt.must_wait();
        }
        self.last_known = last_known;
        self.ask(Ask::Restored, Task::LoadRestored, step);
    }

    pub(super) fn load_restored(&mut self, restored: Option<Restored>, step: &Step<'_>) {
        self.restored_at = restored.map(|restored| restored.restored_at);
        self.tasks.push(Task::ReadJobs { now: step.now.wall });
    }
}
