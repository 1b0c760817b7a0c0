//! The durable timer: which instants are due, what definitions hold, what a clock that was set means, and what is left of
//! an absence. It decides; the store and the clock are somebody else's.
//!
//! ```text
//! Tick ─→ clock jumped? ─→ all read again? ─→ believed? ─→ postponed and unfinished definitions ─→ plan ─→ backfill ─→ Record ─→ Opened
//!             └→ Reread ─→ end what nobody watched ─→ withdraw what is to come ─→ read jobs ─→ put back places
//! Apply ─→ compare ─→ for each part: close what the old ones called for (plan … Record) ─→ Apply
//! ```
//!
//! A command is a list of tasks. A question to the store holds the list up until its answer comes; a failure drops what
//! stands in the list up to the mark that deals with it. So whoever drives the timer may be killed between any two steps.

mod ask;
mod backfill;
mod changes;
mod clock;
mod definitions;
mod reading;
mod recording;
mod refusals;
mod state;
mod timeline;
mod unwatched;

use std::time::Duration;

use tracing::{debug, error};

use self::state::{LONGEST_SLEEP, Mark, Step, Task};
use super::recorder::STORE_PAUSE;
use super::{DOUBT_PAUSE, Wake};
use crate::domain::{Moment, Reading};
use crate::store::StoreError;

pub use self::ask::{Answer, Ask};
pub use self::state::{Action, ApplyError, Done, Input, Timer};
pub use self::timeline::Timeline;

/// A database that stays unwritable for hours is told of once in a while.
const TELL_EVERY: Duration = Duration::from_secs(60);

impl Timer {
    /// Takes one input in, and says what is to be done.
    pub fn step(&mut self, now: Reading, input: Input, actions: &mut Vec<Action>) {
        let step = &mut Step { now, actions };
        match input {
            Input::Answer(answer) => match (self.asked.take(), answer) {
                (Some(task), Ok(answer)) => {
                    let taken = self.take_answer(task, answer, step);
                    self.unless_failed(taken, step);
                }
                (Some(_), Err(error)) => self.fail(error.into(), step),
                (None, _) => debug!("an answer that nobody waits for"),
            },
            command => self.commands.push_back(command),
        }
        while self.asked.is_none() {
            if let Some(task) = self.tasks.pop() {
                let done = self.go_on(task, step);
                self.unless_failed(done, step);
            } else if let Some(command) = self.commands.pop_front() {
                self.begin(command, step);
            } else {
                return;
            }
        }
    }

    /// When the next [`Input::Tick`] has something to do, unless another input comes before. To be asked of an idle timer.
    pub fn wake(&mut self, now: Reading) -> Wake {
        let longest = now.moment + self.longest_sleep;
        if self.done.more {
            // After a long absence there is much to record: a stop or a reload does not wait for all of it.
            return Wake { at: None, after: now.moment };
        }
        if let Some(until) = self.rests_until {
            return Wake { at: None, after: until.min(longest) };
        }
        if self.doubted {
            return Wake { at: None, after: longest.min(now.moment + DOUBT_PAUSE) };
        }
        let looks = [self.timeline.next_look_at(), self.note_watch_at()];
        let after = self.refusals.next_end().map_or(longest, |end| end.min(longest));
        Wake { at: looks.into_iter().flatten().min(), after }
    }

    /// Whether no question is under way and no command waits.
    pub fn is_idle(&self) -> bool {
        self.asked.is_none() && self.tasks.is_empty() && self.commands.is_empty()
    }

    /// Wakes at least this often, to feed a watchdog in time.
    pub fn sleep_at_most(&mut self, limit: Option<Duration>) {
        self.longest_sleep = limit.map_or(LONGEST_SLEEP, |limit| limit.min(LONGEST_SLEEP));
    }

    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The same to somebody who looks when each job is due.
    pub fn timeline_mut(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    fn begin(&mut self, command: Input, step: &Step<'_>) {
        let now = step.now.wall;
        self.done = Done::default();
        let (mark, task) = match command {
            Input::Apply(jobs, read_at) => {
                let apply = Task::Apply { jobs, read_at };
                self.tasks.extend([Task::Until(Mark::Command), apply, Task::RereadUnlessDone]);
                return;
            }
            Input::Tick { awake } => {
                self.rests_until = None;
                self.tasks.extend([
                    Task::Until(Mark::Round),
                    Task::NoteWatch,
                    Task::RecordBatch,
                    Task::ApplyUnfinished,
                    Task::ApplyPostponed,
                    Task::Believe,
                    Task::RereadUnlessDone,
                    Task::NoticeJump { awake },
                ]);
                return;
            }
            Input::ApplyByVerb { changed, removed, said_at } => {
                (Mark::Command, Task::ApplyByVerb { changed, removed, said_at })
            }
            Input::Reread => (Mark::Reread, Task::Reread { awake_at: now }),
            Input::BeginWatch => (Mark::Command, Task::BeginWatch { now }),
            Input::EndWatch => (Mark::Command, Task::EndWatch { now }),
            Input::Load => (Mark::Command, Task::Load),
            // An answer was handed to its task before.
            Input::Answer(_) => return,
        };
        self.tasks.extend([Task::Until(mark), task]);
    }

    fn go_on(&mut self, task: Task, step: &mut Step<'_>) -> Result<(), ApplyError> {
        match task {
            Task::NoticeJump { awake } => self.notice_jump(awake, step),
            Task::RereadUnlessDone => self.reread_unless_done(),
            Task::RereadDone => self.to_reread = None,
            Task::Believe => self.believe(step),
            Task::ApplyPostponed => return self.apply_postponed(step),
            Task::ApplyUnfinished => self.apply_unfinished(step),
            Task::RecordBatch => self.record_batch(step),
            Task::NoteWatch => self.note_watch(step),
            Task::Reread { awake_at } => self.reread(awake_at, step),
            Task::Withdraw { now } => self.ask(Ask::WithdrawAhead { now }, Task::Withdrawn, step),
            Task::ReadJobs { now } => self.ask(Ask::Jobs, Task::ReadJobs { now }, step),
            Task::PutBack { timeline, now } => self.put_back(timeline, now, step),
            task @ (Task::BeginWatch { .. } | Task::EndWatch { .. } | Task::Load) => {
                self.ask(Ask::LastRecorded, task, step);
            }
            Task::Apply { jobs, read_at } => return self.apply(jobs, read_at, step),
            Task::ApplyByVerb { changed, removed, said_at } => {
                return self.apply_by_verb(changed, removed, said_at, step);
            }
            Task::NextPart { now } => return self.next_part(now),
            Task::ApplyPart { changes, removed, now } => self.apply_part(changes, removed, now, step),
            Task::Close { names, now } => self.close(names, now),
            Task::Closed { names, taken, now } => return self.close_rest(names, taken, now),
            Task::Record { plan, now } => self.record(plan, now),
            Task::Backfill { plan, backfill, now } => self.backfill(plan, backfill, now, step),
            Task::Until(mark) => self.reached(mark, step),
            // The other tasks wait for an answer, and are never in the list.
            _ => {}
        }
        Ok(())
    }

    fn take_answer(&mut self, task: Task, answer: Answer, step: &mut Step<'_>) -> Result<(), ApplyError> {
        match (task, answer) {
            (Task::EndUnwatched { now }, Answer::Unwatched(unwatched)) => self.end_unwatched(unwatched, now, step),
            // Of those that were read, attempts may have been opened meanwhile: they are the core's to bring to an end.
            (Task::TellEnded { late }, Answer::Ended(ids)) => {
                unwatched::tell(&late, &ids);
                step.tell(super::Event::Dropped(ids));
            }
            (Task::WatchNoted, Answer::Done) => self.ahead_until = None,
            (Task::Withdrawn, Answer::Done) => {}
            (Task::ReadJobs { now }, Answer::Jobs(jobs)) => return self.read_jobs(jobs, now),
            (Task::PlacesPutBack { mut timeline, plan, now }, Answer::Recorded(_)) => {
                timeline.advance(plan);
                self.tasks.push(Task::PutBack { timeline, now });
            }
            (Task::BeginWatch { now }, Answer::Instant(last)) => self.begin_watch(last, now, step),
            (Task::BeginWatchSince { last_known, now }, Answer::Instant(watched)) => {
                self.begin_watch_since(watched.or(last_known), now, step);
            }
            (Task::EndWatch { now }, Answer::Instant(last)) => self.end_watch(last, now),
            (Task::Load, Answer::Instant(last)) => self.load(last, step),
            (Task::LoadRestored, Answer::Restored(restored)) => self.load_restored(restored, step),
            (Task::PartApplied { scheduled, removed, now }, Answer::Applied(applied)) => {
                return self.part_applied(applied, scheduled, removed, now, step);
            }
            (Task::Backfill { plan, mut backfill, now }, Answer::LedgerRows(rows)) => {
                backfill.take(&rows);
                self.tasks.push(Task::Backfill { plan, backfill, now });
            }
            (Task::Recorded { plan, now }, Answer::Recorded(recorded)) => self.recorded(plan, recorded, now, step),
            _ => return Err(StoreError::Refused("an answer to another question (a bug of pushcron)".to_owned()).into()),
        }
        Ok(())
    }

    fn unless_failed(&mut self, done: Result<(), ApplyError>, step: &mut Step<'_>) {
        if let Err(error) = done {
            self.fail(error, step);
        }
    }

    /// Drops what was to follow up to the mark that deals with the failure.
    fn fail(&mut self, mut error: ApplyError, step: &mut Step<'_>) {
        while let Some(task) = self.tasks.pop() {
            let Task::Until(mark) = task else { continue };
            match self.failed(mark, error, step) {
                Ok(()) => return,
                Err(further) => error = further,
            }
        }
    }

    /// All before the mark is done.
    fn reached(&mut self, mark: Mark, step: &mut Step<'_>) {
        match mark {
            Mark::JumpFollowed | Mark::InForce { .. } => {}
            Mark::BatchRecorded => self.done.more = true,
            Mark::PostponedInForce => {
                self.postponed = None;
                self.tell_in_force("the definitions that waited for the clock are in force");
            }
            Mark::UnfinishedInForce => self.tell_in_force("the rest of the new definitions is in force"),
            Mark::Round | Mark::Reread | Mark::Command => self.end(step),
        }
    }

    fn end(&mut self, step: &mut Step<'_>) {
        let done = Done { more: self.done.more, applied: std::mem::take(&mut self.done.applied) };
        step.actions.push(Action::Done(Ok(done)));
    }

    /// What is made of a failure before this mark. Returns it where more than that has failed.
    fn failed(&mut self, mark: Mark, error: ApplyError, step: &mut Step<'_>) -> Result<(), ApplyError> {
        match (mark, error) {
            (Mark::JumpFollowed, error) => {
                error!(%error, "cannot read the jobs again after the clock jumped");
                return Err(error);
            }
            (Mark::InForce { all }, error) => return Err(self.not_in_force(all, error)),
            (Mark::Round, error) => {
                self.round_failed(&error, step.now.moment);
                step.actions.push(Action::Done(Err(error)));
            }
            (Mark::Command, error) => step.actions.push(Action::Done(Err(error))),
            (Mark::Reread, error) => {
                error!(%error, "cannot read the jobs again after a change by another process");
                self.rests_until = Some(step.now.moment + STORE_PAUSE);
                step.actions.push(Action::Done(Err(error)));
            }
            (_, error @ (ApplyError::Store(_) | ApplyError::Partly { .. })) => return Err(error),
            (Mark::BatchRecorded, error) => {
                error!(%error, "cannot read the jobs again after a change by another process");
                self.done.more = true;
            }
            (Mark::PostponedInForce, error) => {
                error!(%error, "the definitions that waited for the clock are refused");
                self.postponed = None;
            }
            (Mark::UnfinishedInForce, error) => {
                error!(%error, "the rest of the new definitions is refused");
                self.unfinished = changes::Changes::default();
            }
        }
        Ok(())
    }

    fn round_failed(&mut self, error: &ApplyError, now: Moment) {
        self.done = Done::default();
        self.rests_until = Some(now + STORE_PAUSE);
        if self.store_told_at.is_none_or(|told| now >= told + TELL_EVERY) {
            self.store_told_at = Some(now);
            error!(%error, "due fires cannot be recorded and are not sent; trying again every second");
        }
    }
}

#[cfg(test)]
mod tests;
