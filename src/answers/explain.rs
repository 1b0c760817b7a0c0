//! Why a job fired at a time, or did not.
//!
//! An [`Explanation`] is what the database knows of that time. From it [`Explanation::facts`] works out what is to be
//! told, in its order; the words are those of whoever shows it.

pub(crate) mod facts;
pub(crate) mod story;

use std::collections::HashSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Serialize;

use self::facts::{AttemptFact, By, Ending, Fact, FireFact, Nearest, NoRow, PushFact, Tense, WillBe};
use super::contacts::Known;
use super::names::no_job;
use super::refusal::{Kind, Refusal};
use super::rows::rows;
use super::when::{self, TimeRange};
use crate::domain::{PushState, Trigger, UtcMs};
use crate::policy::schedule::{CompiledSchedule, Occurrence, ScheduleCache, Skip};
use crate::store::{AttemptRecord, Filter, FireRecord, History, PushRecord, Revision, View};

/// Fires that are told one by one; a time that names a day may hold thousands.
const MOST: usize = 5;

/// What a time by the clock means; longer stretches are told by both of their ends.
const MINUTE_MS: i64 = 60_000;

/// What the database knows of a job in a stretch of time.
#[derive(Serialize)]
pub(crate) struct Explanation {
    pub asked: TimeRange,
    /// The first instants in the stretch that the schedule calls for, by the revisions that held, those that it skips itself
    /// too.
    pub calls: Vec<UtcMs>,
    pub story: Story,
}

/// All rows behind it.
#[derive(Serialize)]
pub(crate) struct Story {
    pub job: String,
    pub paused: bool,
    /// The first instant without a row in `fires`.
    pub next_due_at: Option<UtcMs>,
    pub revisions: Vec<Revision>,
    pub fires: Vec<FireRecord>,
    /// Rows up to here may have been deleted.
    #[serde(skip)]
    pub pruned_until: Option<UtcMs>,
}

impl Explanation {
    /// Reads what is known of a job at a time that a person named.
    ///
    /// # Errors
    ///
    /// When there is no such job, or `time` is none.
    pub(crate) async fn read(store: &dyn History, job: &str, time: &str, now: UtcMs) -> Result<Explanation, Refusal> {
        let revisions = store.revisions(job).await?;
        if revisions.is_empty() {
            return Err(no_job(job, []));
        }
        let asked = when::parse(time, &newest_zone(&revisions), now);
        let asked = asked.map_err(|problem| Refusal::new(Kind::Senseless, problem))?;
        if asked.until <= asked.from {
            return Err(Refusal::new(Kind::Senseless, format!("'{time}' is no stretch of time")));
        }
        Explanation::of(store, job, revisions, asked).await
    }

    /// As [`Explanation::read`], of a stretch of time.
    ///
    /// # Errors
    ///
    /// When there is no such job.
    pub(crate) async fn of_range(store: &dyn History, job: &str, asked: TimeRange) -> Result<Explanation, Refusal> {
        let revisions = store.revisions(job).await?;
        if revisions.is_empty() {
            return Err(no_job(job, []));
        }
        Explanation::of(store, job, revisions, asked).await
    }

    async fn of(
        store: &dyn History,
        job: &str,
        revisions: Vec<Revision>,
        asked: TimeRange,
    ) -> Result<Explanation, Refusal> {
        let filter = Filter { job: Some(job.to_owned()), ..Filter::default() };
        let overview = store.view(View::JobOverview, &filter).await?;
        let overview = rows(&overview).next();
        let ledger = store.ledger_jobs(Some(job), "", 1).await?;
        let story = Story {
            job: job.to_owned(),
            paused: overview.is_some_and(|row| row.text("state") == "paused"),
            next_due_at: overview.and_then(|row| row.instant("next_due_at")),
            revisions,
            fires: store.fires(job, asked.from, UtcMs(asked.until.0 - 1)).await?,
            pruned_until: ledger.first().and_then(|job| job.pruned_until),
        };
        let calls = story.calls(asked.from, asked.until);
        Ok(Explanation { calls: calls.map(|call| call.at).take(MOST).collect(), asked, story })
    }

    /// The zone in which the person thinks: the job's own.
    pub(crate) fn zone(&self) -> TimeZone {
        newest_zone(&self.story.revisions)
    }

    /// The ims of pushes that wait for a contact to write.
    pub(crate) fn waiting_ims(&self) -> HashSet<&str> {
        let pushes = self.story.fires.iter().flat_map(|fire| &fire.pushes);
        let waits = |push: &&PushRecord| !push.state.is_final() && push.reason.as_deref() == Some("window_closed");
        pushes.filter(waits).map(|push| push.im.as_str()).collect()
    }

    /// What is to be told at `now`; `contacts` are those for whom pushes wait.
    pub(crate) fn facts<'a>(&'a self, now: UtcMs, daemon_runs: bool, contacts: &'a [Known]) -> Vec<Fact<'a>> {
        let fires = &self.story.fires;
        let mut facts: Vec<Fact<'a>> = self.asked.note.iter().map(|note| Fact::Clock { note }).collect();
        if fires.is_empty() {
            facts.push(self.nothing(now, daemon_runs));
        }
        facts.extend(fires.iter().take(MOST).map(|fire| Fact::Fire(self.fire(fire, now))));
        facts.extend((fires.len() > MOST).then(|| Fact::MoreFires { count: fires.len() - MOST }));
        facts.extend(fires.last().and_then(|last| self.next_beyond(last, now)));
        facts.extend(contacts.iter().map(Fact::Contact));
        facts
    }

    // --- nothing happened ---------------------------------------------------------------------------------------

    /// Why there is no fire.
    fn nothing(&self, now: UtcMs, daemon_runs: bool) -> Fact<'_> {
        let (story, TimeRange { from, until, .. }) = (&self.story, &self.asked);
        let (from, until) = (*from, *until);
        let removed_at = story.revisions.last().and_then(|revision| revision.until_at);
        if let Some(removed_at) = removed_at.filter(|removed_at| *removed_at <= from) {
            return Fact::Removed { removed_at };
        }
        if let Some(Call { at: due_at, skipped, revision, schedule }) = story.calls(from, until).next() {
            if due_at > now {
                return self.to_come(due_at, skipped, revision, &schedule);
            }
            let because = self.no_row(due_at, revision, daemon_runs);
            return Fact::NoRow { due_at, by: By::of(revision), because };
        }
        if let Some(removed_at) = removed_at.filter(|removed_at| *removed_at < until) {
            return Fact::Removed { removed_at };
        }
        // Of the future the newest revision knows most, and so it does of a day that has begun.
        let newest = story.revisions.last().filter(|_| from > now);
        let Some(revision) =
            newest.or_else(|| story.revisions.iter().rfind(|known| held(known, from, until).is_some()))
        else {
            return match story.revisions.first().filter(|first| from < first.from_at) {
                Some(first) => Fact::BeforeAllKept { at: from, first: By::of(first) },
                None => Fact::NotInFiles { at: from },
            };
        };
        let (held_from, _) = held(revision, from, until).unwrap_or((from, until));
        if let Some((ended_at, because)) = ended_before(revision, held_from) {
            return Fact::Ended { at: from, to_come: from > now, by: By::of(revision), ended_at, because };
        }
        let Some(schedule) = compiled(revision) else { return Fact::NotEvaluable { by: By::of(revision) } };
        // Not in the schedule: what is near, and what summer time has to do with it.
        let near = |at: UtcMs| Nearest { at, note: schedule.note_at(at), day: schedule.day_note(at) };
        let (before, after) = (schedule.previous_before(held_from), schedule.next_after(UtcMs(until.0 - 1)));
        Fact::NotCalled {
            at: held_from,
            until: (until.ms_since(held_from) > MINUTE_MS).then_some(until),
            tense: Tense::of(held_from, until, now),
            by: By::of(revision),
            before: before.map(near),
            after: after.map(near),
        }
    }

    /// What the stretch still holds behind the last of its fires.
    fn next_beyond(&self, last: &FireRecord, now: UtcMs) -> Option<Fact<'_>> {
        let from = UtcMs(last.until_at.unwrap_or(last.due_at).max(now).0 + 1);
        let call = self.story.calls(from, self.asked.until).next()?;
        Some(self.to_come(call.at, call.skipped, call.revision, &call.schedule))
    }

    fn to_come<'a>(
        &self,
        due_at: UtcMs,
        skipped: Option<Skip>,
        revision: &'a Revision,
        schedule: &CompiledSchedule,
    ) -> Fact<'a> {
        let day = skipped.and_then(|_| schedule.day_note(due_at));
        Fact::ToCome { due_at, by: By::of(revision), will_be: self.will_be(revision, skipped), day }
    }

    fn will_be(&self, revision: &Revision, skipped: Option<Skip>) -> WillBe {
        match (revision.enabled, skipped, self.story.paused) {
            (false, ..) => WillBe::Disabled,
            (true, Some(_), _) => WillBe::Skipped,
            (true, None, true) => WillBe::Paused,
            (true, None, false) => WillBe::Decided,
        }
    }

    fn no_row(&self, due_at: UtcMs, revision: &Revision, daemon_runs: bool) -> NoRow {
        match self.story.next_due_at.is_some_and(|next| next <= due_at) {
            true if daemon_runs => NoRow::AboutToBeDecided,
            true => NoRow::NoDaemonSince,
            false if due_at <= revision.from_at => NoRow::LoadedThen,
            false if self.story.pruned_until.is_none_or(|until| until < due_at) => NoRow::Unexplained,
            false => NoRow::NotKept,
        }
    }

    // --- something happened -------------------------------------------------------------------------------------

    fn fire<'a>(&'a self, fire: &'a FireRecord, now: UtcMs) -> FireFact<'a> {
        let revision = self.story.revisions.iter().find(|known| Some(known.revision) == fire.revision);
        FireFact {
            triggered_by: fire.triggered_by,
            due_at: fire.due_at,
            is_ahead: fire.triggered_by == Trigger::Cron && fire.due_at > now,
            until_at: fire.until_at,
            count: fire.count,
            by: revision.map(By::of),
            decision: fire.decision,
            reason: fire.reason.as_deref(),
            calendar: fire.calendar.as_deref(),
            decided_after_ms: fire.recorded_at.ms_since(fire.due_at).max(0),
            pushes: fire.pushes.iter().map(|push| push_fact(push, fire.due_at)).collect(),
            content: fire.content.as_ref(),
            lists: &fire.lists,
            is_unexpanded: fire.is_unexpanded,
            awaits_content: fire.awaits_content && fire.pushes.iter().any(|push| !push.state.is_final()),
        }
    }
}

/// An instant that a schedule calls for.
struct Call<'a> {
    at: UtcMs,
    skipped: Option<Skip>,
    /// That which held then.
    revision: &'a Revision,
    schedule: Arc<CompiledSchedule>,
}

impl Story {
    /// What was called for in `from..until`, in order, by each revision for as long as it held: the first few of each.
    fn calls(&self, from: UtcMs, until: UtcMs) -> impl Iterator<Item = Call<'_>> {
        let mut calls: Vec<Call> = self.revisions.iter().flat_map(|revision| calls_of(revision, from, until)).collect();
        // Of a revision and the one that took its place in that very millisecond, the earlier decided.
        calls.sort_by_key(|call| call.at);
        calls.dedup_by_key(|call| call.at);
        calls.into_iter()
    }
}

fn calls_of(revision: &Revision, from: UtcMs, until: UtcMs) -> Vec<Call<'_>> {
    let Some(((from, until), schedule)) = held(revision, from, until).zip(compiled(revision)) else {
        return Vec::new();
    };
    // It had none after the last that it was allowed.
    let until = revision.spent_at.map_or(until, |last| until.min(UtcMs(last.0 + 1)));
    let call = |Occurrence { at, skipped }| Call { at, skipped, revision, schedule: schedule.clone() };
    schedule.called(from, until).take(MOST).map(call).collect()
}

/// That part of `from..until` for which a revision held.
fn held(revision: &Revision, from: UtcMs, until: UtcMs) -> Option<(UtcMs, UtcMs)> {
    let from = from.max(revision.from_at);
    let until = revision.until_at.map_or(until, |last| until.min(UtcMs(last.0 + 1)));
    (from < until).then_some((from, until))
}

fn push_fact(push: &PushRecord, due_at: UtcMs) -> PushFact<'_> {
    let PushRecord { id, im, target, kind, state, .. } = push;
    // The word of the last outcome stands with its attempt.
    let outcome = push.attempts.last().and_then(|attempt| attempt.outcome.as_deref());
    let is_open = matches!(state, PushState::Pending | PushState::Retrying);
    PushFact {
        id: *id,
        fallback_of: push.fallback_of,
        im,
        target,
        kind: *kind,
        state: *state,
        reason: push.reason.as_deref().filter(|reason| Some(*reason) != outcome),
        detail: push.detail.as_deref(),
        next_attempt_at: push.next_attempt_at.filter(|_| is_open),
        expires_at: is_open.then_some(push.expires_at),
        confirmed_at: push.confirmed_at,
        attempts: push.attempts.iter().map(|attempt| attempt_fact(attempt, due_at)).collect(),
    }
}

fn attempt_fact(attempt: &AttemptRecord, due_at: UtcMs) -> AttemptFact<'_> {
    AttemptFact {
        attempt,
        lateness_ms: attempt.started_at.ms_since(due_at),
        took_ms: attempt.finished_at.map(|at| at.ms_since(attempt.started_at)),
    }
}

fn newest_zone(revisions: &[Revision]) -> TimeZone {
    revisions.last().map_or(TimeZone::UTC, |revision| when::zone(&revision.timezone))
}

/// When and why a job had come to its end before an instant, by the revision that held then.
fn ended_before(revision: &Revision, at: UtcMs) -> Option<(UtcMs, Ending)> {
    let life = revision.definition.as_ref()?.life.as_deref()?;
    let spent_at = revision.spent_at.filter(|spent_at| *spent_at < at);
    if let (Some(spent_at), Some(max)) = (spent_at, life.max_fires) {
        return Some((spent_at, Ending::MaxFires(max)));
    }
    let until = life.until.filter(|until| *until < at)?;
    let last = compiled(revision)?.previous_before(at).unwrap_or(until);
    Some((last, Ending::Until(until)))
}

/// The schedule of a revision; None when it cannot be read, or the system no longer knows its zone.
pub(super) fn compiled(revision: &Revision) -> Option<Arc<CompiledSchedule>> {
    ScheduleCache::default().get_or_compile(revision.definition.as_ref()?.timing()).ok()
}

#[cfg(test)]
mod tests;
