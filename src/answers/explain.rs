//! Why a job fired at a time, or did not.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::contacts::Known;
use super::refusal::{Kind, Refusal};
use super::rows::rows;
use super::when::{self, Stretch};
use super::words::{brief_ms, rule_in_words};
use crate::domain::{Decision, Job, PushState, Trigger, UtcMs, reason};
use crate::policy::schedule::CompiledSchedule;
use crate::store::{AttemptRecord, Filter, FireRecord, History, PushRecord, Revision, StoreError, View};

/// What the database knows of a job at a time that a person named, and which time that is.
///
/// # Errors
///
/// When there is no such job, or `time` is none.
pub async fn read(store: &dyn History, job: &str, time: &str, now: UtcMs) -> Result<(Story, Stretch), Refusal> {
    let revisions = store.revisions(job).await?;
    if revisions.is_empty() {
        return Err(Refusal::new(Kind::NotFound, format!("there is no job '{job}'; `pushcron jobs` lists them")));
    }
    let stretch = when::parse(time, &newest_zone(&revisions), now);
    let stretch = stretch.map_err(|problem| Refusal::new(Kind::Senseless, problem))?;
    Ok((Story::read(store, job, revisions, &stretch).await?, stretch))
}

fn newest_zone(revisions: &[Revision]) -> TimeZone {
    revisions.last().map_or(TimeZone::UTC, |revision| when::zone(&revision.timezone))
}

/// All that the database knows of a job in a stretch of time.
#[derive(Serialize)]
pub struct Story {
    job: String,
    paused: bool,
    /// The first instant without a row in `fires`.
    next_due_at: Option<UtcMs>,
    revisions: Vec<Revision>,
    fires: Vec<FireRecord>,
}

impl Story {
    async fn read(
        store: &dyn History,
        job: &str,
        revisions: Vec<Revision>,
        stretch: &Stretch,
    ) -> Result<Story, StoreError> {
        let filter = Filter { job: Some(job.to_owned()), ..Filter::default() };
        let overview = store.view(View::JobOverview, &filter).await?;
        let now = rows(&overview).next();
        Ok(Story {
            job: job.to_owned(),
            paused: now.is_some_and(|row| row.text("state") == "paused"),
            next_due_at: now.and_then(|row| row.instant("next_due_at")),
            revisions,
            fires: store.fires(job, stretch.from, UtcMs(stretch.until.0 - 1)).await?,
        })
    }
}

impl Story {
    /// The zone in which the person thinks: the job's own.
    pub fn zone(&self) -> TimeZone {
        newest_zone(&self.revisions)
    }

    /// The ims of pushes that wait for a contact to write.
    pub fn waiting_ims(&self) -> HashSet<&str> {
        let pushes = self.fires.iter().flat_map(|fire| &fire.pushes);
        let waits = |push: &&PushRecord| !push.state.is_final() && push.reason.as_deref() == Some("window_closed");
        pushes.filter(waits).map(|push| push.im.as_str()).collect()
    }
}

/// Fires that are told one by one; a time that names a day may hold thousands.
const MOST: usize = 5;

/// Puts a story into words.
pub struct Teller<'a> {
    pub story: &'a Story,
    pub stretch: &'a Stretch,
    pub zone: TimeZone,
    pub now: UtcMs,
    pub daemon_runs: bool,
    /// What is known of those for whom pushes wait.
    pub contacts: Vec<Known>,
}

impl Teller<'_> {
    /// The whole answer.
    pub fn answer(&self) -> String {
        let mut told: Vec<String> = Vec::new();
        told.extend(self.stretch.note.as_ref().map(|note| format!("Mind that {note}.")));
        if self.story.fires.is_empty() {
            told.push(self.nothing());
        } else {
            told.extend(self.story.fires.iter().take(MOST).map(|fire| self.fire(fire)));
            if let Some(more) = self.story.fires.len().checked_sub(MOST).filter(|more| *more > 0) {
                told.push(format!("And {more} more fires of that time are in the table fires."));
            }
        }
        for Known { account, contact, words } in &self.contacts {
            told.push(format!("What account {account} knows of {contact}: {words}."));
        }
        told.push(format!("Times are in {}.", self.zone.iana_name().unwrap_or("UTC")));
        told.join(" ")
    }

    /// The instants in the stretch that the schedule calls for, by the revision that held.
    pub fn calls(&self) -> Vec<UtcMs> {
        let schedule = self.revision_at(self.stretch.from).and_then(compiled);
        let calls = schedule.as_ref().map(|schedule| schedule.occurrences(self.stretch.from, self.stretch.until));
        calls.into_iter().flatten().take(MOST).collect()
    }

    fn revision_at(&self, at: UtcMs) -> Option<&Revision> {
        self.story
            .revisions
            .iter()
            .find(|revision| revision.from_at <= at && revision.until_at.is_none_or(|until| at < until))
    }

    fn at(&self, at: UtcMs) -> String {
        when::shown(at, &self.zone, true, false)
    }

    // --- nothing happened ---------------------------------------------------------------------------------------

    /// Why there is no fire.
    fn nothing(&self) -> String {
        let (job, from) = (&self.story.job, self.stretch.from);
        // Of the future the newest revision knows most.
        let revision = if from > self.now { self.story.revisions.last() } else { self.revision_at(from) };
        let removed_at = self.story.revisions.last().and_then(|revision| revision.until_at);
        if let Some(removed_at) = removed_at.filter(|removed_at| *removed_at <= from) {
            return format!("{job} was not there: it left the files at {}.", self.at(removed_at));
        }
        let Some(revision) = revision else { return self.before_the_ledger() };
        let Some(schedule) = compiled(revision) else {
            return format!(
                "{job} had no row in fires, and its schedule '{}' in {} cannot be evaluated any more.",
                revision.schedule, revision.timezone
            );
        };
        match schedule.occurrences(from, self.stretch.until).next() {
            Some(at) => self.called_without_row(at, revision),
            None => self.not_called(revision, &schedule),
        }
    }

    fn before_the_ledger(&self) -> String {
        let job = &self.story.job;
        match self.story.revisions.first() {
            Some(first) if self.stretch.from < first.from_at => format!(
                "Nothing is known of {job} at {}: what is kept of it begins at {}, when its revision {} was loaded.",
                self.at(self.stretch.from),
                self.at(first.from_at),
                first.revision
            ),
            _ => format!("{job} was not in the files at {}.", self.at(self.stretch.from)),
        }
    }

    fn called_without_row(&self, at: UtcMs, revision: &Revision) -> String {
        let called = format!("{} is due at {} by {}", self.story.job, self.at(at), self.by(revision));
        if at > self.now {
            let state = match (revision.enabled, self.story.paused) {
                (false, _) => "; it is disabled, so that it will be skipped",
                (true, true) => "; it is paused, so that it will be skipped unless it is resumed before",
                (true, false) => "",
            };
            return format!("{called}: that is still to come{state}.");
        }
        let undecided = self.story.next_due_at.is_some_and(|next| next <= at);
        let why = match (undecided, self.daemon_runs) {
            (true, false) => {
                "nothing is decided yet, because no daemon has run since; the next one to start decides by the job's \
                 misfire policy"
            }
            (true, true) => "nothing is decided yet; the daemon is about to",
            (false, _) => "its row is not kept any more (keep_history)",
        };
        format!("{called}, but there is no row for it: {why}.")
    }

    /// Not in the schedule: what is near, and what summer time has to do with it.
    fn not_called(&self, revision: &Revision, schedule: &CompiledSchedule) -> String {
        let is_future = self.stretch.from > self.now;
        let verb = if is_future { "will not be due" } else { "was not due" };
        let near = |at: Option<UtcMs>, word: &str| {
            at.map(|at| {
                let note = schedule.note_at(at).map(|note| format!(" ({note})")).unwrap_or_default();
                format!("{} {word}{note}", self.at(at))
            })
        };
        let before = near(schedule.previous_before(self.stretch.from), "before");
        let after = near(schedule.next_after(UtcMs(self.stretch.until.0 - 1)), "after");
        let nearest: Vec<String> = [before, after].into_iter().flatten().collect();
        let nearest = match nearest.as_slice() {
            [] => "the schedule calls for no instant at all".to_owned(),
            [one] => format!("the nearest instant is {one}"),
            both => format!("the nearest instants are {}", both.join(" and ")),
        };
        format!("{} {verb} at {} by {}: {nearest}.", self.story.job, self.at(self.stretch.from), self.by(revision))
    }

    fn by(&self, revision: &Revision) -> String {
        format!(
            "revision {} ('{}' in {}, loaded at {})",
            revision.revision,
            revision.schedule,
            revision.timezone,
            self.at(revision.from_at)
        )
    }

    // --- something happened -------------------------------------------------------------------------------------

    fn fire(&self, fire: &FireRecord) -> String {
        let revision = self.story.revisions.iter().find(|known| Some(known.revision) == fire.revision);
        let by = revision.map(|revision| format!(" by {}", self.by(revision))).unwrap_or_default();
        let (job, due_at) = (&self.story.job, self.at(fire.due_at));
        let due = match fire.triggered_by {
            Trigger::Cron if fire.due_at > self.now => format!("{job} is due at {due_at}{by}, which is recorded ahead"),
            Trigger::Cron => format!("{job} was due at {due_at}{by}"),
            Trigger::Message => format!("A chat made {job} fire at {due_at}"),
            Trigger::Manual => format!("Somebody fired {job} by hand at {due_at}"),
        };
        let late = brief_ms(fire.recorded_at.ms_since(fire.due_at).max(0));
        match fire.decision {
            Decision::Fired if fire.pushes.is_empty() => format!("{due}, and fired; its pushes are not kept any more."),
            Decision::Fired => {
                let pushes: Vec<String> = fire.pushes.iter().map(|push| self.push(push, fire.due_at)).collect();
                let has_fired = fire.triggered_by == Trigger::Cron && fire.due_at <= self.now;
                let fired = if has_fired { " and fired" } else { "" };
                format!("{due}{fired}. {}", pushes.join(" "))
            }
            Decision::Skipped | Decision::Missed => {
                let reason = fire.reason.as_deref().unwrap_or_default();
                let span = match fire.until_at {
                    Some(until) => format!(", with {} instants until {}", fire.count, self.at(until)),
                    None => String::new(),
                };
                format!(
                    "{due}{span}, and was {}, which was decided {late} later: {}.",
                    fire.decision.as_str(),
                    reason::in_words(reason)
                )
            }
        }
    }

    fn push(&self, push: &PushRecord, due_at: UtcMs) -> String {
        let attempts: Vec<String> = push.attempts.iter().map(|attempt| self.attempt(attempt, due_at)).collect();
        let attempts = match (attempts.is_empty(), push.state.is_final()) {
            (true, true) => "no attempt was made".to_owned(),
            (true, false) => "no attempt yet".to_owned(),
            (false, _) => attempts.join("; "),
        };
        format!("Push {} ({} to {} {}) is {}: {attempts}.", push.id, push.kind, push.im, push.target, self.state(push))
    }

    fn state(&self, push: &PushRecord) -> String {
        // The word of the last outcome stands with its attempt.
        let outcome = push.attempts.last().and_then(|attempt| attempt.outcome.as_deref());
        let reason = push.reason.as_deref().filter(|reason| Some(*reason) != outcome);
        let reason = reason.map(|reason| format!(" ({})", reason::in_words(reason))).unwrap_or_default();
        let state = push.state.as_str();
        match push.state {
            PushState::Pending | PushState::Retrying => {
                let next = push.next_attempt_at.map(|at| format!(", next looked at {}", self.at(at)));
                format!("{state}{reason}{}, given up at {}", next.unwrap_or_default(), self.at(push.expires_at))
            }
            PushState::Sent => match push.confirmed_at {
                Some(at) => format!("sent, and its arrival was proved at {}", self.at(at)),
                None => "sent".to_owned(),
            },
            PushState::Unknown => format!("unknown{reason}: it may have arrived, and nobody can tell"),
            _ => format!("{state}{reason}"),
        }
    }

    fn attempt(&self, attempt: &AttemptRecord, due_at: UtcMs) -> String {
        let AttemptRecord { number, account, sender, .. } = attempt;
        let late = brief_ms(attempt.started_at.ms_since(due_at));
        let through = format!(
            "attempt {number}, {late} after the instant, went through account {account} ({}, sender {sender})",
            rule_in_words(attempt.rule)
        );
        let Some(outcome) = &attempt.outcome else { return format!("{through} and is under way") };
        let took = attempt.finished_at.map(|at| brief_ms(at.ms_since(attempt.started_at))).unwrap_or_default();
        let mut details: Vec<String> = Vec::new();
        details.extend(attempt.error.as_ref().map(|error| format!("\"{error}\"")));
        details.extend(attempt.http_status.map(|status| format!("HTTP {status}")));
        details.extend(attempt.message_id.as_ref().map(|id| format!("message id {id}")));
        details.extend(attempt.note.clone());
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
        format!("{through} and came to '{outcome}' after {took}{details}")
    }
}

/// The schedule of a revision; None when it cannot be read, or the system no longer knows its zone.
fn compiled(revision: &Revision) -> Option<CompiledSchedule> {
    let Job { schedule, timezone, dst_gap, .. } = revision.definition.as_ref()?;
    CompiledSchedule::compile(schedule, timezone, *dst_gap).ok()
}
