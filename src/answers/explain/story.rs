//! The facts of an explanation in words.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Explanation;
use super::facts::{AttemptFact, AttemptRecord, By, Ending, Fact, FireFact, Nearest, NoRow, PushFact, Tense, WillBe};
use crate::answers::contacts::Known;
use crate::answers::jobs::trouble;
use crate::answers::unpushed::{Undecided, Unfired};
use crate::answers::when;
use crate::answers::words::{brief_ms, counted};
use crate::domain::{Decision, Kind, PushState, Reason, Schedule, Trigger, UtcMs};
use crate::texts;

/// What the row of a fire says in the end whose pushes wait for a list of days.
const HELD: &str = ": held";

impl Explanation {
    /// What is to be told at `now`, a line for each fact, with all times in a zone; see [`Explanation::facts`].
    pub(crate) fn lines(&self, zone: TimeZone, now: UtcMs, daemon_runs: bool, contacts: &[Known]) -> Vec<String> {
        Teller { job: &self.story.job, zone }.lines(&self.facts(now, daemon_runs, contacts))
    }

    /// These lines as one answer, and the rows behind it.
    pub(crate) fn with_answer(&self, lines: &[String]) -> Value {
        json!({ "answer": lines.join("\n"), "asked": self.asked, "calls": self.calls, "story": self.story })
    }
}

/// Tells what happened to a job.
struct Teller<'a> {
    job: &'a str,
    /// Of all times that are told.
    zone: TimeZone,
}

impl Teller<'_> {
    /// All facts, one after the other: a line for each, and for each push of a fire, those first of which somebody got
    /// nothing.
    fn lines(&self, facts: &[Fact]) -> Vec<String> {
        let mut lines: Vec<String> = facts.iter().flat_map(|fact| self.fact_and_pushes(fact)).collect();
        let zone = format!("Times are in {}.", self.zone.iana_name().unwrap_or("UTC"));
        match lines.last_mut().filter(|_| facts.len() == 1) {
            // Of a single sentence it is a part.
            Some(last) if !has_many_pushes(facts) => last.extend([" ", &zone]),
            _ => lines.push(zone),
        }
        lines
    }

    fn fact_and_pushes(&self, fact: &Fact) -> Vec<String> {
        let told = self.fact(fact);
        let Fact::Fire(fire) = fact else { return vec![told] };
        let mut pushes: Vec<&PushFact> = fire.pushes.iter().collect();
        pushes.sort_by_key(|push| by_trouble(push.state));
        match pushes[..] {
            [] => vec![told],
            [only] => vec![format!("{told} {}", self.push(only))],
            _ => {
                let counts = states(&pushes);
                let shared = shared(&pushes);
                let what = shared.map(|(kind, im)| format!(" ({kind} to {im})")).unwrap_or_default();
                let all = format!("{told} {} pushes{what}: {counts}.", pushes.len());
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

    fn fact(&self, fact: &Fact) -> String {
        let job = self.job;
        match fact {
            Fact::Clock { note } => format!("Mind that {note}."),
            Fact::Removed { removed_at } => {
                format!("{job} was not there: it left the files at {}.", self.at(*removed_at))
            }
            Fact::BeforeAllKept { at, first } => format!(
                "Nothing is known of {job} at {}: what is kept of it begins at {}, when its revision {} was loaded.",
                self.at(*at),
                self.at(first.from_at),
                first.revision
            ),
            Fact::NotInFiles { at } => format!("{job} was not in the files at {}.", self.at(*at)),
            Fact::NotEvaluable { by } => format!(
                "{job} had no row in fires, and its schedule '{}' in {} cannot be evaluated any more.",
                by.schedule, by.timezone
            ),
            Fact::Ended { at, to_come, by, ended_at, because } => {
                let verb = if *to_come { "will not be due" } else { "was not due" };
                let why = match because {
                    Ending::MaxFires(max) => format!("it had fired {} (max_fires)", counted(*max as usize, "time")),
                    Ending::Until(until) => format!("until: {}", self.at(*until)),
                };
                let (at, by, ended_at) = (self.at(*at), self.by(by), self.at(*ended_at));
                format!("{job} {verb} at {at} by {by}: it came to its end at {ended_at}, since {why}.")
            }
            Fact::ToCome { due_at, by, will_be, day } => {
                let state = match (will_be, day) {
                    (WillBe::Decided, _) => String::new(),
                    (WillBe::Disabled, _) => "; it is disabled, so that it will be skipped".to_owned(),
                    (WillBe::Skipped, Some(day)) => format!("; it will be skipped ({day})"),
                    (WillBe::Skipped, None) => {
                        "; it will be skipped, since that time does not exist on that day".to_owned()
                    }
                    (WillBe::Paused, _) => {
                        "; it is paused, so that it will be skipped unless it is resumed before".to_owned()
                    }
                };
                format!("{}: that is still to come{state}.", self.called(*due_at, by))
            }
            Fact::NoRow { due_at, by, because } => {
                let why = match because {
                    NoRow::AboutToBeDecided => "nothing is decided yet; the daemon is about to",
                    NoRow::NoDaemonSince => {
                        "nothing is decided yet, because no daemon has run since; the next one to start decides by \
                         the job's misfire policy"
                    }
                    NoRow::LoadedThen => "a revision holds for what comes after it was loaded",
                    NoRow::Unexplained => {
                        "that should not be, and `pushcron ledger` says whether it is so for others too"
                    }
                    NoRow::NotKept => "its row is not kept any more (keep_history)",
                };
                format!("{}, but there is no row for it: {why}.", self.called(*due_at, by))
            }
            Fact::NotCalled { at, until, tense, by, before, after } => {
                let verb = match tense {
                    Tense::Past => "was not due",
                    Tense::Present => "is not due",
                    Tense::ToCome => "will not be due",
                };
                let time = match until {
                    Some(until) => format!("from {} until {}", self.instant(*at), self.instant(*until)),
                    None => format!("at {}", self.instant(*at)),
                };
                let nearest = match by.schedule == Schedule::OnDemand.describe() {
                    true => format!("it fires on demand (`pushcron fire {job}`)"),
                    false => self.nearest(before.as_ref(), after.as_ref()),
                };
                format!("{job} {verb} {time} by {}: {nearest}.", self.by(by))
            }
            Fact::Fire(fire) => self.fire(fire),
            Fact::MoreFires { count } => format!("And {count} more fires of that time are in the table fires."),
            Fact::Contact(Known { account, contact, words }) => {
                format!("What account {account} knows of {contact}: {words}.")
            }
        }
    }

    fn called(&self, due_at: UtcMs, by: &By) -> String {
        format!("{} is due at {} by {}", self.job, self.instant(due_at), self.by(by))
    }

    fn nearest(&self, before: Option<&Nearest>, after: Option<&Nearest>) -> String {
        let told = |near: &Nearest, word: &str| {
            let note = near.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            let day = near.day.as_ref().map(|day| format!(" ({day})")).unwrap_or_default();
            format!("{} {word}{note}{day}", self.instant(near.at))
        };
        match (before.map(|near| told(near, "before")), after.map(|near| told(near, "after"))) {
            (None, None) => "the schedule calls for no instant at all".to_owned(),
            (Some(one), None) | (None, Some(one)) => format!("the nearest instant is {one}"),
            (Some(before), Some(after)) => format!("the nearest instants are {before} and {after}"),
        }
    }

    fn by(&self, by: &By) -> String {
        let By { revision, schedule, timezone, from_at } = by;
        format!("revision {revision} ('{schedule}' in {timezone}, loaded at {})", self.at(*from_at))
    }

    fn fire(&self, fire: &FireFact) -> String {
        let by = fire.by.as_ref().map(|by| format!(" by {}", self.by(by))).unwrap_or_default();
        let (job, due_at) = (self.job, self.instant(fire.due_at));
        let due = match fire.triggered_by {
            Trigger::Cron if fire.is_ahead => format!("{job} is due at {due_at}{by}, which is recorded ahead"),
            Trigger::Cron => format!("{job} was due at {due_at}{by}"),
            Trigger::Message => format!("A chat made {job} fire at {due_at}"),
            Trigger::Manual => format!("Somebody fired {job} by hand at {due_at}"),
        };
        match fire.decision {
            Decision::Fired if fire.is_unexpanded && fire.calendar.is_some_and(|list| list.ends_with(HELD)) => {
                let list = fire.calendar.unwrap_or_default();
                format!("{due}, and fired; its pushes wait for a list of days ({list}), 12h at most.")
            }
            Decision::Fired if fire.is_unexpanded => {
                format!(
                    "{due}, and fired; its content or its recipients are still to be had, and its pushes with them."
                )
            }
            Decision::Fired if fire.pushes.is_empty() => format!("{due}, and fired; its pushes are not kept any more."),
            Decision::Fired => {
                let has_fired = fire.triggered_by == Trigger::Cron && !fire.is_ahead;
                let awaits =
                    if fire.awaits_content { "Its content is made once the first push can go out. " } else { "" };
                let content = content(fire).unwrap_or_else(|| awaits.to_owned()) + &lists(fire);
                let fired = if has_fired { " and fired" } else { "" };
                let own = fire.reason.filter(|reason| *reason == Reason::OwnMessage.as_str());
                let own =
                    own.map(|reason| format!(" ({})", texts::reason_in_words(reason).english())).unwrap_or_default();
                let told = format!("{due}{fired}{own}{}. {content}", by_list(fire));
                told.trim_end().to_owned()
            }
            Decision::Skipped | Decision::Missed => {
                let span = match fire.until_at {
                    Some(until) => format!(", with {} instants until {}", fire.count, self.instant(until)),
                    None => String::new(),
                };
                format!(
                    "{due}{span}, and was {}, which was decided {} later: {}{}.",
                    fire.decision.as_str(),
                    brief_ms(fire.decided_after_ms),
                    texts::reason_in_words(fire.reason.unwrap_or_default()).english(),
                    by_list(fire)
                )
            }
        }
    }

    fn push(&self, push: &PushFact) -> String {
        let PushFact { id, kind, im, target, .. } = push;
        let (last, before) = match &push.attempts[..] {
            [before @ .., last] => (Some(attempt(last)), before),
            [] => (None, &[][..]),
        };
        let attempts = match (last, push.state.is_final()) {
            (None, true) => "no attempt was made".to_owned(),
            (None, false) => "no attempt yet".to_owned(),
            (Some(last), _) if before.len() <= MOST_BEFORE => {
                before.iter().map(attempt).chain([last]).collect::<Vec<_>>().join("; ")
            }
            (Some(last), _) => format!("{last}; {} before it (`pushcron show {id}` has them all)", before.len()),
        };
        let instead = push.fallback_of.map(|of| format!(", the fallback of push {of},")).unwrap_or_default();
        format!("Push {id} ({kind} to {im} {target}){instead} is {}: {attempts}.", self.state(push))
    }

    /// A push among those of a fire, in a line: what became of it, and the last that was said of it.
    fn push_in_short(&self, push: &PushFact, is_shared: bool) -> String {
        let PushFact { id, kind, im, target, .. } = push;
        let what = if is_shared { String::new() } else { format!("{kind} to {im} ") };
        let instead = push.fallback_of.map(|of| format!(", for push {of},")).unwrap_or_default();
        let attempts = match (&push.attempts[..], push.state.is_final()) {
            ([], true) => ": no attempt was made".to_owned(),
            ([], false) => ": no attempt yet".to_owned(),
            ([.., last], _) => attempt_in_short(last, push.state),
        };
        let state = self.state(push);
        // A line has no room for what the word means.
        let state = state.split_once(MAY_HAVE_ARRIVED).map_or(&*state, |(state, _)| state);
        format!("Push {id} {what}{target}{instead} {state}{attempts}")
    }

    fn state(&self, push: &PushFact) -> String {
        let detail = push.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        let told = |reason| format!(" ({}{detail})", texts::reason_in_words(reason).english());
        let reason = push.reason.map(told).unwrap_or_default();
        let state = push.state.as_str();
        match push.state {
            PushState::Pending | PushState::Retrying => {
                let next = push.next_attempt_at.map(|at| format!(", next looked at {}", self.at(at)));
                let end = push.expires_at.map(|at| format!(", given up at {}", self.at(at)));
                format!("{state}{reason}{}{}", next.unwrap_or_default(), end.unwrap_or_default())
            }
            PushState::Sent => match push.confirmed_at {
                Some(at) => format!("sent, and its arrival was proved at {}", self.at(at)),
                None => format!("sent{reason}"),
            },
            PushState::Unknown => format!("unknown{reason}{MAY_HAVE_ARRIVED}"),
            _ => format!("{state}{reason}"),
        }
    }
}

/// What a list of days had to say.
fn by_list(fire: &FireFact) -> String {
    fire.calendar.map(|calendar| format!(" ({calendar})")).unwrap_or_default()
}

/// How the content of its pushes was made.
fn content(fire: &FireFact) -> Option<String> {
    let made = fire.content?;
    let (source, attempts) = (&made.source, made.attempts);
    let took = brief_ms(made.made_at.ms_since(made.began_at));
    let asked = if attempts > 1 { format!(", asked {attempts} times") } else { String::new() };
    let exit = made.exit_code.map(|code| format!(", exit {code}")).unwrap_or_default();
    let came = match (&*made.outcome, made.size, &made.sha256) {
        ("made", Some(size), Some(sha256)) => {
            let sha256 = sha256.get(..12).unwrap_or_default();
            format!("was made in {took}: {size} bytes, sha256 {sha256}…")
        }
        ("empty", ..) => format!("is empty, as was known after {took}"),
        _ => format!("could not be made in {took}"),
    };
    let said = made.error.as_ref().map(|error| format!(" (\"{error}\")")).unwrap_or_default();
    let last = last_good(made.stale_from, made.stale_why.as_deref(), "said");
    Some(format!("Its content, by {source}{asked}{exit}, {came}{said}{last}. "))
}

/// What stood in for an answer that a source owed.
fn last_good(from: Option<UtcMs>, why: Option<&str>, did: &str) -> String {
    let Some(from) = from else { return String::new() };
    let why = why.unwrap_or_default();
    format!("; that is the last good one, {did} at {from}, since it failed this time (\"{why}\")")
}

/// Who was on its lists of recipients.
fn lists(fire: &FireFact) -> String {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let told = fire.lists.iter().map(|list| {
        let asked = if list.attempts > 1 { format!(", asked {} times", list.attempts) } else { String::new() };
        let came = match (list.count, &list.error) {
            (Some(count), _) => format!("named {}", counted(number(count), "recipient")),
            (None, error) => format!("could not be read (\"{}\")", error.as_deref().unwrap_or_default()),
        };
        let doubles = if list.doubles > 0 {
            format!(", after {} had been dropped", counted(number(list.doubles), "double"))
        } else {
            String::new()
        };
        let last = last_good(list.stale_from, list.stale_why.as_deref(), "read");
        format!("The list '{}', by {}{asked}, {came}{doubles}{last}. ", list.name, list.source)
    });
    told.collect()
}

/// What `unknown` means.
const MAY_HAVE_ARRIVED: &str = ": it may have arrived, and nobody can tell";

/// Attempts before the last that are told one by one.
const MOST_BEFORE: usize = 2;

/// What all of these are to be sent as, and on which im; None where they differ.
fn shared<'a>(pushes: &[&'a PushFact<'_>]) -> Option<(Kind, &'a str)> {
    let (first, rest) = pushes.split_first()?;
    let what = |push: &&'a PushFact<'_>| (push.kind, push.im);
    rest.iter().all(|push| what(push) == what(first)).then(|| what(first))
}

/// The last attempt of a push in that state among those of many: what the platform said, then through whom and how late.
fn attempt_in_short(fact: &AttemptFact, state: PushState) -> String {
    let AttemptRecord { number, account, outcome, error, http_status, note, denied_at, .. } = fact.attempt;
    let count = if *number > 1 { format!("attempt {number}, ") } else { String::new() };
    let late = if fact.lateness_ms < 0 { "early" } else { "late" };
    let through = format!("({count}{account}, {} {late})", brief_ms(fact.lateness_ms.abs()));
    let Some(outcome) = outcome else { return format!(": under way {through}") };
    // What the state says already is no news, and neither is that all went well.
    let mut details: Vec<String> = if outcome == state.as_str() { Vec::new() } else { vec![outcome.clone()] };
    details.extend(error.as_ref().map(|error| format!("\"{error}\"")));
    details.extend(http_status.filter(|status| *status != 200).map(|status| format!("HTTP {status}")));
    details.extend(note.clone());
    details.extend(denied_at.map(|_| DENIED.to_owned()));
    match details.is_empty() {
        true => format!(" {through}"),
        false => format!(": {} {through}", details.join(", ")),
    }
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
fn states(pushes: &[&PushFact]) -> String {
    let count = |state: PushState| pushes.iter().filter(|push| push.state == state).count();
    let told = PushState::ALL.into_iter().map(|state| (state, count(state))).filter(|(_, count)| *count > 0);
    told.map(|(state, count)| format!("{count} {}", state.as_str())).collect::<Vec<_>>().join(", ")
}

/// Instants that came to nothing, in a sentence.
pub(crate) fn unfired_in_words(unfired: &Unfired, utc: bool) -> String {
    let Unfired { job, due_at, until_at, count, decision, reason, timezone } = unfired;
    let zone = if utc { TimeZone::UTC } else { when::zone(timezone.as_deref().unwrap_or("UTC")) };
    let at = |at: UtcMs| when::due(at, &zone, timezone.is_none());
    let span = match until_at {
        Some(until) => format!(" and {} instants until {}", count.saturating_sub(1), at(*until)),
        None => String::new(),
    };
    if *decision == Decision::Fired {
        let wait = match &**reason {
            "" => "its content or its recipients are still to be had".to_owned(),
            list => format!("its pushes wait for a list of days ({list}), 12h at most"),
        };
        return format!("{job}: {} is not sent yet: {wait}", at(*due_at));
    }
    let why = texts::reason_in_words(reason);
    let why = why.english();
    format!(
        "{job}: {}{span} {} {}: {why}",
        at(*due_at),
        if until_at.is_some() { "were" } else { "was" },
        decision.as_str()
    )
}

/// Instants of which there is no row, in a sentence.
pub(crate) fn undecided_in_words(undecided: &Undecided, daemon_runs: bool, utc: bool) -> String {
    let Undecided { job, timezone, first, last, count } = undecided;
    let zone = if utc { TimeZone::UTC } else { when::zone(timezone) };
    let at = |at: UtcMs| when::due(at, &zone, false);
    let more = match count.saturating_sub(1) {
        0 => " has no row".to_owned(),
        more if undecided.is_cut() => format!(" and more than {more} instants after it have no row"),
        1 => format!(" and {} have no row", at(*last)),
        more => format!(" and {} until {} have no row", counted(more, "instant"), at(*last)),
    };
    let why = match daemon_runs {
        true => "the daemon that runs has not decided about it yet (`pushcron status`)",
        false => "no daemon has run since",
    };
    format!("{job}: {}{more}: {why}", at(*first))
}

/// Of an attempt of which nobody knew whether it arrived.
const DENIED: &str = "a person said that it did not arrive";

/// An attempt with all that it was told.
pub(crate) fn attempt(fact: &AttemptFact) -> String {
    let attempt = fact.attempt;
    let through = format!(
        "attempt {}, {} after the instant, went through account {} ({}, sender {})",
        attempt.number,
        brief_ms(fact.lateness_ms),
        attempt.account,
        texts::rule(attempt.rule).english(),
        attempt.sender
    );
    let Some(outcome) = &attempt.outcome else { return format!("{through} and is under way") };
    let took = fact.took_ms.map(brief_ms).unwrap_or_default();
    let mut details: Vec<String> = Vec::new();
    details.extend(attempt.error.as_ref().map(|error| format!("\"{error}\"")));
    details.extend(attempt.http_status.map(|status| format!("HTTP {status}")));
    details.extend(attempt.message_id.as_ref().map(|id| format!("message id {id}")));
    details.extend(attempt.note.clone());
    details.extend(attempt.denied_at.map(|_| DENIED.to_owned()));
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    format!("{through} and came to '{outcome}' after {took}{details}")
}
