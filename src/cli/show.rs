//! `show`: everything about pushes.

use clap::Args;
use clap_complete::ArgValueCandidates;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::{self, Screen};
use super::say::{aloud, say};
use super::{candidates, lines, which};
use crate::answers::accounts::{self, AccountLine};
use crate::answers::explain::facts::AttemptFact;
use crate::answers::explain::story::attempt;
use crate::answers::rows::Table;
use crate::answers::show::{self, Advice, PushRecord, PushStory};
use crate::answers::when;
use crate::domain::{PushState, Reason, Trigger, UtcMs, escaped};
use crate::logging;
use crate::texts;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron show 12
  pushcron show 12 13 --json | jq '.[].message'

Tells what was, or is to be, sent, to whom and why, each attempt with the platform's answer, and what can be done.")]
pub(super) struct Show {
    /// Pushes by their ids
    #[arg(required = true, value_name = "PUSH", value_parser = which::push_id, add = ArgValueCandidates::new(candidates::all_pushes))]
    pushes: Vec<i64>,
    /// A JSON array of objects: the rows of the push, of its fire and of its attempts
    #[arg(long)]
    json: bool,
    /// Times in UTC instead of the job's zone
    #[arg(long)]
    utc: bool,
}

impl Show {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let zone = context.whereabouts()?.timezone;
        context.reading(async |store| {
            let known = accounts::known(store).await?;
            let (mut stories, mut exit) = (Vec::new(), Exit::Done);
            for id in &self.pushes {
                match show::push(store, *id).await {
                    Ok(story) => stories.push(story),
                    // The others are shown all the same.
                    Err(refusal) => {
                        let failure = Failure::from(refusal);
                        exit = failure.exit;
                        logging::tell(&failure.to_string());
                    }
                }
            }
            if self.json {
                say(render::pretty(&json!(stories)));
                return Ok(exit);
            }
            for (index, story) in stories.iter().enumerate() {
                let zone = if self.utc { "UTC" } else { story.timezone.as_deref().unwrap_or(&zone) };
                let lines = Narrator { story, zone: when::zone(zone), name: zone, accounts: &known }.lines();
                aloud(|out| {
                    if index > 0 {
                        writeln!(out)?;
                    }
                    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
                });
            }
            Ok(exit)
        })
    }
}

/// Names of what is told stand in so many columns.
const NAMES: usize = 9;

struct Narrator<'a> {
    story: &'a PushStory,
    zone: TimeZone,
    name: &'a str,
    accounts: &'a Table,
}

impl Narrator<'_> {
    fn lines(&self) -> Vec<String> {
        let Some(push) = show::record(self.story) else { return Vec::new() };
        let PushRecord { id, im, target, state, .. } = push;
        let mut told = vec![format!("push {id} to {im} {target} is {}", state.as_str())];
        // Only what is to be sent has lines of its own; what a platform says must not look like ours.
        let mut tell = |name: &str, text: String| told.extend(named(name, &escaped(&text)));
        if let Some(why) = self.why(push) {
            tell("why", why);
        }
        if let Some(detail) = push.detail.as_ref().filter(|_| push.state != PushState::Sent) {
            tell("", format!("the accounts then: {detail}"));
        }
        for account in self.accounts_now(push) {
            tell("", account);
        }
        tell("made by", self.fire());
        told.extend(content(&self.story.message).into_iter().flat_map(|(name, text)| named(name, &text)));
        let mut tell = |name: &str, text: String| told.extend(named(name, &escaped(&text)));
        if let Some(render) = &self.story.render {
            tell("rendered", format!("with its first attempt, as {render}"));
        }
        if let Some(account) = &self.story.named_account {
            tell("account", format!("{account}, and no other: the push names it"));
        }
        tell("attempts", format!("{} of at most {}", push.attempts.len(), push.max_attempts));
        for record in &push.attempts {
            let fact = AttemptFact {
                attempt: record,
                lateness_ms: record.started_at.ms_since(self.story.fire.due_at),
                took_ms: record.finished_at.map(|at| at.ms_since(record.started_at)),
            };
            tell("", format!("{}: {}", self.at(record.started_at), attempt(&fact).english()));
        }
        if let Some(parts) = &self.story.parts {
            tell("parts", parts.to_string());
        }
        if let Some(next) = push.next_attempt_at {
            let until = show::given_up_at(push).map(|at| format!(", and given up at {}", self.at(at)));
            tell("next", format!("looked at again at {}{}", self.at(next), until.unwrap_or_default()));
        }
        if let Some(of) = push.fallback_of {
            tell("instead", format!("of push {of}, which ended badly"));
        }
        if !self.story.fallbacks.is_empty() {
            let ids: Vec<String> = self.story.fallbacks.iter().map(ToString::to_string).collect();
            tell("fallback", format!("went out in its place: {}", ids.join(", ")));
        }
        if let Some(at) = push.finished_at {
            tell("ended", self.at(at));
        }
        if let Some(at) = push.confirmed_at {
            tell("arrived", format!("the platform proved it at {}", self.at(at)));
        }
        if let Some(advice) = advice(self.story, push) {
            tell("to do", advice);
        }
        told.push(format!("times in {}", self.name));
        told.into_iter().map(|line| escaped(&line).into_owned()).collect()
    }

    fn at(&self, at: UtcMs) -> String {
        when::shown(at, &self.zone, true, false)
    }

    fn why(&self, push: &PushRecord) -> Option<String> {
        let last = push.attempts.last();
        let error = last.and_then(|attempt| attempt.error.as_deref());
        let told = |word: &str| match texts::reason_in_words(word).english() {
            same if same == word => word.to_owned(),
            words => format!("{words} ({word})"),
        };
        let word = push.reason.as_deref().map(told);
        match (error.filter(|_| push.state != PushState::Sent), word) {
            (Some(error), Some(word)) => Some(format!("{word}; the last answer: {error}")),
            (Some(one), None) => Some(one.to_owned()),
            (None, word) => word,
        }
    }

    /// Of a push that nobody could send: how the accounts of its im are now, one by one.
    fn accounts_now(&self, push: &PushRecord) -> Vec<String> {
        let is_about_accounts = push.reason.as_deref().is_some_and(show::is_about_accounts);
        let lines = AccountLine::all(self.accounts).filter(|line| is_about_accounts && line.im == push.im);
        let told = |line: AccountLine<'_>| {
            let state = match (line.online, line.sendable) {
                _ if line.checked_at.is_none() => "not probed",
                (Some(false), _) => "offline",
                (_, Some(false)) => "may not send",
                _ => "online",
            };
            let error = if line.last_error.is_empty() { String::new() } else { format!(": {}", line.last_error) };
            let checked = line.checked_at.map(|at| format!(", asked at {}", self.at(at))).unwrap_or_default();
            format!("account {} now: {state}{error}{checked}", line.account)
        };
        lines.map(told).collect()
    }

    fn fire(&self) -> String {
        let PushStory { job, ordinal, fire, chat_im, chat_account, .. } = self.story;
        let at = self.at(fire.due_at);
        let chat = chat_im.as_ref().zip(chat_account.as_ref());
        let chat = chat.map(|(im, account)| format!(", for a chat of {im} through {account}")).unwrap_or_default();
        let Some(job) = job else {
            return match fire.triggered_by {
                Trigger::Message => format!("a push outside any job at {at}{chat}"),
                _ => format!("a push by hand, outside any job, at {at}"),
            };
        };
        let how = match fire.triggered_by {
            Trigger::Cron => "due",
            Trigger::Manual if fire.reason.as_deref() == Some(Reason::Backfill.as_str()) => "made up for by hand, for",
            Trigger::Manual => "fired by hand at",
            Trigger::Message => "fired for a chat at",
        };
        let revision = fire.revision.map(|revision| format!(", by its revision {revision}")).unwrap_or_default();
        let nth = ordinal + 1;
        format!("{job}, {how} {at}{revision}; no. {nth} of its pushes{chat}")
    }
}

/// A named text, on as many lines as it needs.
fn named(name: &str, text: &str) -> Vec<String> {
    let width = Screen::of_stdout().width.clamp(40, 120) - NAMES - 3;
    let mut lines: Vec<String> = text.lines().flat_map(|line| kept(line, width)).collect();
    if lines.is_empty() {
        lines.push(String::new());
    }
    let titled = |(index, line): (usize, String)| {
        let name = if index == 0 { name } else { "" };
        format!("  {name:<NAMES$} {line}").trim_end().to_owned()
    };
    lines.into_iter().enumerate().map(titled).collect()
}

/// A line of a text as it is where it fits, else broken between words.
fn kept(line: &str, width: usize) -> Vec<String> {
    let wrapped = lines::wrapped(line, width);
    if wrapped.len() <= 1 { vec![line.to_owned()] } else { wrapped }
}

/// What a message holds, part by part.
fn content(message: &Value) -> Vec<(&str, String)> {
    let mut told = Vec::new();
    let Some(message) = message.as_object() else { return told };
    for (key, value) in message.iter().filter(|(key, _)| *key != "kind") {
        let text = match value {
            Value::String(text) => brief_source(text),
            other => brief_source(&other.to_string()),
        };
        told.push((key.as_str(), text));
    }
    told
}

/// Inline media say how long they are, and not what is in them.
fn brief_source(text: &str) -> String {
    let mut told = String::new();
    let mut rest = text;
    while let Some(at) = ["base64://", ";base64,"].iter().filter_map(|mark| Some(rest.find(mark)? + mark.len())).min() {
        let (before, data) = rest.split_at(at);
        let end = data.find(|c: char| !c.is_ascii_alphanumeric() && !"+/=-_".contains(c)).unwrap_or(data.len());
        told.push_str(before);
        // Of a few characters nobody needs to know how many.
        match end {
            ..40 => told.push_str(&data[..end]),
            _ => told.push_str(&format!("… ({end} characters)")),
        }
        rest = &data[end..];
    }
    told.push_str(rest);
    told
}

fn advice(story: &PushStory, push: &PushRecord) -> Option<String> {
    let id = push.id;
    match show::advice(push.state, show::perhaps_sent(push), story.is_unmade) {
        Advice::Nothing => None,
        Advice::LookFirst if push.state.is_final() && push.state != PushState::Unknown => {
            Some(format!("an attempt may have arrived: look at the chat, and `pushcron retry {id}` only if it did not"))
        }
        Advice::LookFirst => Some(format!(
            "it may have arrived: look at the chat, then `pushcron resolve {id} sent|failed`; `pushcron retry {id}` only if it \
             did not"
        )),
        Advice::Retry => Some(format!("`pushcron retry {id}` sends it again, once what stood in its way is mended")),
        Advice::FireAgain => story.job.as_ref().map(|job| {
            format!("`pushcron fire {job}` makes it anew, once what stood in its way is mended; it cannot be tried again itself")
        }),
        Advice::Wait => Some(format!("nothing: it is tried by itself (`pushcron cancel {id}` ends it)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_media_are_told_by_their_length() {
        let long = "A".repeat(60);
        assert_eq!(brief_source(&format!("base64://{long}")), "base64://… (60 characters)");
        assert_eq!(
            brief_source(&format!("[{{\"source\":\"data:a/b;base64,{long}\"}},{{\"text\":\"hi\"}}]")),
            "[{\"source\":\"data:a/b;base64,… (60 characters)\"},{\"text\":\"hi\"}]"
        );
        assert_eq!(brief_source("base64://QUJD"), "base64://QUJD");
        assert_eq!(brief_source("早上好"), "早上好");
    }
}
