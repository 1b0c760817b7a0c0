//! The facts of an explanation in words.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Explanation;
use super::facts::{AttemptFact, AttemptRecord, By, Ending, Fact, FireFact, Nearest, NoRow, PushFact, Tense, WillBe};
use crate::answers::contacts::Known;
use crate::answers::jobs::trouble;
use crate::answers::unpushed::{Undecided, Unfired};
use crate::answers::when;
use crate::answers::words::brief_ms;
use crate::domain::{Decision, Kind, PushState, Reason, Schedule, Trigger, UtcMs};
use crate::texts::{self, Language, Text};

/// What the row of a fire says in the end whose pushes wait for a list of days.
const HELD: &str = ": held";

impl Explanation {
    /// What is to be told at `now`, a line for each fact, with all times in a zone; see [`Explanation::facts`].
    pub(crate) fn lines(
        &self,
        zone: TimeZone,
        now: UtcMs,
        daemon_runs: bool,
        contacts: &[Known],
        language: Language,
    ) -> Vec<String> {
        let lines = Narrator { job: &self.story.job, zone }.lines(&self.facts(now, daemon_runs, contacts));
        lines.iter().map(|line| line.in_language(language).to_owned()).collect()
    }

    /// These lines as one answer, and the rows behind it.
    pub(crate) fn with_answer(&self, lines: &[String]) -> Value {
        json!({ "answer": lines.join("\n"), "asked": self.asked, "calls": self.calls, "story": self.story })
    }
}

/// Tells what happened to a job.
struct Narrator<'a> {
    job: &'a str,
    /// Of all times that are told.
    zone: TimeZone,
}

impl Narrator<'_> {
    /// All facts, one after the other: a line for each, and for each push of a fire, those first of which somebody got
    /// nothing.
    fn lines(&self, facts: &[Fact]) -> Vec<Text> {
        let mut lines: Vec<Text> = facts.iter().flat_map(|fact| self.fact_and_pushes(fact)).collect();
        let zone = texts::told_times(self.zone.iana_name().unwrap_or("UTC"));
        match lines.last_mut().filter(|_| facts.len() == 1) {
            // Of a single sentence it is a part.
            Some(last) if !has_many_pushes(facts) => *last = texts::told_then(&*last, zone),
            _ => lines.push(zone),
        }
        lines
    }

    fn fact_and_pushes(&self, fact: &Fact) -> Vec<Text> {
        let told = self.fact(fact);
        let Fact::Fire(fire) = fact else { return vec![told] };
        let mut pushes: Vec<&PushFact> = fire.pushes.iter().collect();
        pushes.sort_by_key(|push| by_trouble(push.state));
        match pushes[..] {
            [] => vec![told],
            [only] => vec![texts::told_then(told, self.push(only))],
            _ => {
                let shared = shared(&pushes);
                let what = shared.map_or_else(Text::none, |(kind, im)| texts::told_all_are(kind, im));
                let all = texts::told_many_pushes(told, pushes.len(), what, states(&pushes));
                [all].into_iter().chain(pushes.iter().map(|push| self.push_in_short(push, shared.is_some()))).collect()
            }
        }
    }

    fn at(&self, at: UtcMs) -> String {
        when::shown(at, &self.zone, true, false)
    }

    /// Of an instant that a schedule calls for, or that somebody asks about.
    fn instant(&self, at: UtcMs) -> String {
        when::exact(at, &self.zone, false)
    }

    fn fact(&self, fact: &Fact) -> Text {
        let job = self.job;
        match fact {
            Fact::Clock { note } => texts::told_mind(note.text()),
            Fact::Removed { removed_at } => texts::told_removed(job, self.at(*removed_at)),
            Fact::BeforeAllKept { at, first } => {
                texts::told_before_all_kept(job, self.at(*at), self.at(first.from_at), first.revision)
            }
            Fact::NotInFiles { at } => texts::told_not_in_files(job, self.at(*at)),
            Fact::NotEvaluable { by } => {
                texts::told_not_evaluable(job, texts::schedule_words(by.schedule), by.timezone)
            }
            Fact::Ended { at, to_come, by, ended_at, because } => {
                let verb = if *to_come { texts::told_will_not_be_due() } else { texts::told_was_not_due() };
                let why = match because {
                    Ending::MaxFires(max) => texts::told_had_fired(*max),
                    Ending::Until(until) => texts::told_until_over(self.at(*until)),
                };
                texts::told_ended(job, verb, self.at(*at), self.by(by), self.at(*ended_at), why)
            }
            Fact::ToCome { due_at, by, will_be, day } => {
                let state = match (will_be, day) {
                    (WillBe::Decided, _) => Text::none(),
                    (WillBe::Disabled, _) => texts::told_will_be_disabled(),
                    (WillBe::Skipped, Some(day)) => texts::told_will_be_skipped_day(day.text()),
                    (WillBe::Skipped, None) => texts::told_will_be_skipped_gap(),
                    (WillBe::Paused, _) => texts::told_will_be_paused(),
                };
                texts::told_to_come(self.called(*due_at, by), state)
            }
            Fact::NoRow { due_at, by, because } => {
                let why = match because {
                    NoRow::AboutToBeDecided => texts::told_about_to_be_decided(),
                    NoRow::NoDaemonSince => texts::told_no_daemon_since(),
                    NoRow::LoadedThen => texts::told_loaded_then(),
                    NoRow::Unexplained => texts::told_unexplained(),
                    NoRow::NotKept => texts::told_not_kept(),
                };
                texts::told_no_row(self.called(*due_at, by), why)
            }
            Fact::NotCalled { at, until, tense, by, before, after } => {
                let verb = match tense {
                    Tense::Past => texts::told_was_not_due(),
                    Tense::Present => texts::told_is_not_due(),
                    Tense::ToCome => texts::told_will_not_be_due(),
                };
                let time = match until {
                    Some(until) => texts::told_time_between(self.instant(*at), self.instant(*until)),
                    None => texts::told_time_at(self.instant(*at)),
                };
                let nearest = match by.schedule == Schedule::OnDemand.describe() {
                    true => texts::told_fires_on_demand(job),
                    false => self.nearest(before.as_ref(), after.as_ref()),
                };
                texts::told_not_called(job, verb, time, self.by(by), nearest)
            }
            Fact::Fire(fire) => self.fire(fire),
            Fact::MoreFires { count } => texts::told_more_fires(count),
            Fact::Contact(Known { account, contact, words }) => texts::told_contact(account, contact, words),
        }
    }

    fn called(&self, due_at: UtcMs, by: &By) -> Text {
        texts::told_called(self.job, self.instant(due_at), self.by(by))
    }

    fn nearest(&self, before: Option<&Nearest>, after: Option<&Nearest>) -> Text {
        let notes = |near: &Nearest| {
            let notes = [near.note.as_ref().map(|note| note.text()), near.day.as_ref().map(|day| day.text())];
            together(notes.into_iter().flatten().map(texts::told_aside))
        };
        let before = before.map(|near| texts::told_near_before(self.instant(near.at), notes(near)));
        let after = after.map(|near| texts::told_near_after(self.instant(near.at), notes(near)));
        match (before, after) {
            (None, None) => texts::told_no_instant(),
            (Some(one), None) | (None, Some(one)) => texts::told_nearest(one),
            (Some(before), Some(after)) => texts::told_nearest_two(before, after),
        }
    }

    fn by(&self, by: &By) -> Text {
        let By { revision, schedule, timezone, from_at } = by;
        texts::told_by(revision, texts::schedule_words(schedule), timezone, self.at(*from_at))
    }

    fn fire(&self, fire: &FireFact) -> Text {
        let by = fire.by.as_ref().map_or_else(Text::none, |by| texts::told_by_it(self.by(by)));
        let (job, due_at) = (self.job, self.instant(fire.due_at));
        let due = match fire.triggered_by {
            Trigger::Cron if fire.is_ahead => texts::told_due_ahead(job, due_at, by),
            Trigger::Cron => texts::told_was_due(job, due_at, by),
            Trigger::Message => texts::told_by_message(job, due_at),
            Trigger::Manual => texts::told_by_hand(job, due_at),
        };
        match fire.decision {
            Decision::Fired if fire.is_unexpanded && fire.calendar.is_some_and(|list| list.ends_with(HELD)) => {
                texts::told_waits_for_days(due, texts::day_words(fire.calendar.unwrap_or_default()))
            }
            Decision::Fired if fire.is_unexpanded => texts::told_waits_for_content(due),
            Decision::Fired if fire.pushes.is_empty() => texts::told_pushes_not_kept(due),
            Decision::Fired => {
                let has_fired = fire.triggered_by == Trigger::Cron && !fire.is_ahead;
                let fired = if has_fired { texts::told_and_fired() } else { Text::none() };
                let own = fire.reason.filter(|reason| *reason == Reason::OwnMessage.as_str());
                let own = own.map_or_else(Text::none, |reason| texts::told_aside(texts::reason_in_words(reason)));
                let told = texts::told_fired(due, fired, own, by_list(fire));
                let content = content(fire).or_else(|| fire.awaits_content.then(texts::told_content_later));
                [told].into_iter().chain(content).chain(lists(fire)).reduce(texts::told_then).unwrap_or_else(Text::none)
            }
            Decision::Skipped | Decision::Missed => {
                let span = fire.until_at.map(|until| texts::told_span(fire.count, self.instant(until)));
                texts::told_not_fired(
                    due,
                    span.unwrap_or_else(Text::none),
                    texts::decision(fire.decision),
                    brief_ms(fire.decided_after_ms),
                    texts::reason_in_words(fire.reason.unwrap_or_default()),
                    by_list(fire),
                )
            }
        }
    }

    fn push(&self, push: &PushFact) -> Text {
        let PushFact { id, kind, im, target, .. } = push;
        let (last, before) = match &push.attempts[..] {
            [before @ .., last] => (Some(attempt(last)), before),
            [] => (None, &[][..]),
        };
        let attempts = match (last, push.state.is_final()) {
            (None, true) => texts::told_no_attempt(),
            (None, false) => texts::told_no_attempt_yet(),
            (Some(last), _) if before.len() <= MOST_BEFORE => {
                Text::joined(before.iter().map(attempt).chain([last]), &texts::told_semicolon())
            }
            (Some(last), _) => texts::told_before_it(last, before.len(), id),
        };
        let instead = push.fallback_of.map_or_else(Text::none, texts::told_fallback_of);
        texts::told_push(id, kind, im, target, instead, self.state(push, true), attempts)
    }

    /// A push among those of a fire, in a line: what became of it, and the last that was said of it.
    fn push_in_short(&self, push: &PushFact, is_shared: bool) -> Text {
        let PushFact { id, kind, im, target, .. } = push;
        let what = if is_shared { Text::none() } else { texts::told_what(kind, im) };
        let instead = push.fallback_of.map_or_else(Text::none, texts::told_for_push);
        let attempts = match (&push.attempts[..], push.state.is_final()) {
            ([], true) => texts::after_colon(texts::told_no_attempt()),
            ([], false) => texts::after_colon(texts::told_no_attempt_yet()),
            ([.., before, last], _) => attempt_in_short(last, push.state).and(&before_in_short(before)),
            ([last], _) => attempt_in_short(last, push.state),
        };
        // A line has no room for what the word means.
        texts::told_push_line(id, what, target, instead, self.state(push, false), attempts)
    }

    /// What became of a push; `in_full` says what a word of it means, too.
    fn state(&self, push: &PushFact, in_full: bool) -> Text {
        let detail = push.detail.map_or_else(Text::none, texts::after_colon);
        let told = |reason| texts::told_why_so(texts::reason_in_words(reason), detail);
        let reason = push.reason.map_or_else(Text::none, told);
        let state = texts::state(push.state);
        let (next, end) = match push.state {
            PushState::Pending | PushState::Retrying => (
                push.next_attempt_at.map(|at| texts::told_next_look(self.at(at))),
                push.expires_at.map(|at| texts::told_given_up(self.at(at))),
            ),
            PushState::Sent => match push.confirmed_at {
                Some(at) => return texts::told_proved(self.at(at)),
                None => (None, None),
            },
            PushState::Unknown => (in_full.then(texts::told_may_have_arrived), None),
            _ => (None, None),
        };
        texts::told_state(state, reason, next.unwrap_or_else(Text::none), end.unwrap_or_else(Text::none))
    }
}

/// One right after the other.
fn together(texts: impl IntoIterator<Item = Text>) -> Text {
    Text::joined(texts, &Text::none())
}

/// What a list of days had to say.
fn by_list(fire: &FireFact) -> Text {
    fire.calendar.map_or_else(Text::none, |calendar| texts::told_aside(texts::day_words(calendar)))
}

/// How often a source was asked, where that was more than once.
fn asked(attempts: u32) -> Text {
    if attempts > 1 { texts::told_asked_times(attempts) } else { Text::none() }
}

/// How the content of its pushes was made.
fn content(fire: &FireFact) -> Option<Text> {
    let made = fire.content?;
    let took = brief_ms(made.made_at.ms_since(made.began_at));
    let exit = made.exit_code.map_or_else(Text::none, texts::told_exit);
    let came = match (&*made.outcome, made.size, &made.sha256) {
        ("made", Some(size), Some(sha256)) => texts::told_made(took, size, sha256.get(..12).unwrap_or_default()),
        ("empty", ..) => texts::told_made_empty(took),
        _ => texts::told_not_made(took),
    };
    let said = made.error.as_ref().map_or_else(Text::none, texts::told_quoted_aside);
    let why = made.stale_why.as_deref().unwrap_or_default();
    let last = made.stale_from.map_or_else(Text::none, |from| texts::told_last_said(from, why));
    Some(texts::told_content(texts::source_words(&made.source), asked(made.attempts), exit, came, said, last))
}

/// Who was on its lists of recipients.
fn lists(fire: &FireFact) -> impl Iterator<Item = Text> {
    fire.lists.iter().map(|list| {
        let came = match (list.count, &list.error) {
            (Some(count), _) => texts::told_named(count),
            (None, error) => texts::told_list_unread(error.as_deref().unwrap_or_default()),
        };
        let doubles = if list.doubles > 0 { texts::told_doubles(list.doubles) } else { Text::none() };
        let why = list.stale_why.as_deref().unwrap_or_default();
        let last = list.stale_from.map_or_else(Text::none, |from| texts::told_last_read(from, why));
        texts::told_list(&list.name, texts::source_words(&list.source), asked(list.attempts), came, doubles, last)
    })
}

/// Attempts before the last that are told one by one.
const MOST_BEFORE: usize = 2;

/// What all of these are to be sent as, and on which im; None where they differ.
fn shared<'a>(pushes: &[&'a PushFact<'_>]) -> Option<(Kind, &'a str)> {
    let (first, rest) = pushes.split_first()?;
    let what = |push: &&'a PushFact<'_>| (push.kind, push.im);
    rest.iter().all(|push| what(push) == what(first)).then(|| what(first))
}

/// The last attempt of a push in that state among those of many: what the platform said, then through whom and how late.
fn attempt_in_short(fact: &AttemptFact, state: PushState) -> Text {
    let AttemptRecord { number, account, outcome, .. } = fact.attempt;
    let nth = if *number > 1 { texts::told_nth(number) } else { Text::none() };
    let time = brief_ms(fact.lateness_ms.abs());
    let lateness = if fact.lateness_ms < 0 { texts::told_early(time) } else { texts::told_late(time) };
    let through = texts::told_through(nth, account, lateness);
    let Some(outcome) = outcome else { return texts::told_short_under_way(through) };
    // What the state says already is no news, and neither is that all went well.
    let news = (outcome != state.as_str()).then(|| texts::outcome(outcome));
    let details: Vec<Text> = news.into_iter().chain(details(fact.attempt, |status| status != 200, false)).collect();
    match details.is_empty() {
        true => texts::told_short_well(through),
        false => texts::told_short(Text::joined(details, &texts::between()), through),
    }
}

/// What the attempt before the last came to: a push that is sent may have failed for hours.
fn before_in_short(fact: &AttemptFact) -> Text {
    let outcome = fact.attempt.outcome.as_deref().map(texts::outcome);
    let details: Vec<Text> = outcome.into_iter().chain(details(fact.attempt, |status| status != 200, false)).collect();
    if details.is_empty() { Text::none() } else { texts::told_before(Text::joined(details, &texts::between())) }
}

/// What was said of an attempt.
fn details(attempt: &AttemptRecord, tells: impl Fn(u16) -> bool, with_id: bool) -> impl Iterator<Item = Text> {
    let AttemptRecord { error, http_status, message_id, note, denied_at, .. } = attempt;
    let status = http_status.filter(|status| tells(*status));
    let details = [
        error.as_ref().map(texts::told_error),
        status.map(|status| Text::same(format!("HTTP {status}"))),
        message_id.as_ref().filter(|_| with_id).map(texts::told_message_id),
        note.clone().map(Text::same),
        denied_at.map(|_| texts::told_denied()),
    ];
    details.into_iter().flatten()
}

/// Whether lines were made of a fire, each of which speaks for itself.
fn has_many_pushes(facts: &[Fact]) -> bool {
    facts.iter().any(|fact| matches!(fact, Fact::Fire(fire) if fire.pushes.len() > 1))
}

/// Where a push stands among others: first of whom somebody got nothing, last what was sent.
fn by_trouble(state: PushState) -> usize {
    trouble(state.as_str())
}

/// `10 sent, 8 failed`.
fn states(pushes: &[&PushFact]) -> Text {
    let count = |state: PushState| pushes.iter().filter(|push| push.state == state).count();
    let told = PushState::ALL.into_iter().map(|state| (state, count(state))).filter(|(_, count)| *count > 0);
    Text::joined(told.map(|(state, count)| texts::told_so_many(count, texts::state(state))), &texts::between())
}

/// Instants that came to nothing, in a sentence.
pub(crate) fn unfired_in_words(unfired: &Unfired, utc: bool) -> Text {
    let Unfired { job, due_at, until_at, count, decision, reason, timezone } = unfired;
    let zone = if utc { TimeZone::UTC } else { when::zone(timezone.as_deref().unwrap_or("UTC")) };
    let at = |at: UtcMs| when::due(at, &zone, timezone.is_none());
    if *decision == Decision::Fired {
        let wait = match &**reason {
            "" => texts::unfired_for_content(),
            list => texts::unfired_for_days(texts::day_words(list)),
        };
        return texts::unfired_waits(job, at(*due_at), wait);
    }
    let (told, why) = (texts::decision(*decision), texts::reason_in_words(reason));
    match until_at {
        Some(until) => {
            let span = texts::unfired_and_until(count.saturating_sub(1), at(*until));
            texts::unfired_many(job, at(*due_at), span, told, why)
        }
        None => texts::unfired_one(job, at(*due_at), told, why),
    }
}

/// Instants of which there is no row, in a sentence.
pub(crate) fn undecided_in_words(undecided: &Undecided, daemon_runs: bool, utc: bool) -> Text {
    let Undecided { job, timezone, first, last, count } = undecided;
    let zone = if utc { TimeZone::UTC } else { when::zone(timezone) };
    let at = |at: UtcMs| when::due(at, &zone, false);
    let more = match count.saturating_sub(1) {
        0 => texts::undecided_alone(),
        more if undecided.is_cut() => texts::undecided_more_than(more),
        1 => texts::undecided_and(at(*last)),
        more => texts::undecided_until(more, at(*last)),
    };
    let why = if daemon_runs { texts::undecided_by_daemon() } else { texts::undecided_no_daemon() };
    texts::undecided(job, at(*first), more, why)
}

/// An attempt with all that it was told.
pub(crate) fn attempt(fact: &AttemptFact) -> Text {
    let AttemptRecord { number, account, rule, sender, outcome, .. } = fact.attempt;
    let late = brief_ms(fact.lateness_ms);
    let through = texts::told_attempt(number, late, account, texts::rule(*rule), sender);
    let Some(outcome) = outcome else { return texts::told_under_way(through) };
    let took = fact.took_ms.map(brief_ms).unwrap_or_default();
    let details: Vec<Text> = details(fact.attempt, |_| true, true).collect();
    let details = match details.is_empty() {
        true => Text::none(),
        false => texts::told_aside(Text::joined(details, &texts::between())),
    };
    texts::told_came_to(through, texts::outcome(outcome), took, details)
}
