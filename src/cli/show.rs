//! `show`: everything about pushes.

use clap::Args;
use clap_complete::ArgValueCandidates;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

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
use crate::texts::{self, Language, Text};

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
                let (named, language) = (when::zone(zone), context.language());
                let lines = Narrator { story, zone: named, name: zone, accounts: &known, language }.lines();
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
    language: Language,
}

impl Narrator<'_> {
    fn lines(&self) -> Vec<String> {
        let Some(push) = show::record(self.story) else { return Vec::new() };
        let PushRecord { id, im, target, state, .. } = push;
        let mut told = vec![self.say(texts::show_push(id, im, target, texts::state(*state)))];
        // Only what is to be sent has lines of its own; what a platform says must not look like ours.
        let mut tell =
            |name: Text, text: Text| told.extend(self.named(name, &escaped(text.in_language(self.language))));
        if let Some(why) = self.why(push) {
            tell(texts::show_why(), why);
        }
        if let Some(detail) = push.detail.as_ref().filter(|_| push.state != PushState::Sent) {
            tell(Text::none(), texts::show_accounts_then(detail));
        }
        for account in self.accounts_now(push) {
            tell(Text::none(), account);
        }
        tell(texts::show_made_by(), self.fire());
        for (name, text) in content(&self.story.message) {
            told.extend(self.named(Text::same(name.to_owned()), text.in_language(self.language)));
        }
        for (name, text) in self.course(push) {
            told.extend(self.named(name, &escaped(text.in_language(self.language))));
        }
        told.push(self.say(texts::times_in(self.name)));
        told.into_iter().map(|line| escaped(&line).into_owned()).collect()
    }

    fn say(&self, text: Text) -> String {
        text.in_language(self.language).to_owned()
    }

    /// What became of it so far, and what is to be done.
    fn course(&self, push: &PushRecord) -> Vec<(Text, Text)> {
        let mut told = Vec::new();
        let mut tell = |name: Text, text: Text| told.push((name, text));
        if let Some(render) = &self.story.render {
            tell(texts::show_rendered(), texts::show_rendered_with(render));
        }
        if let Some(account) = &self.story.named_account {
            tell(texts::show_account(), texts::show_named_account(account));
        }
        tell(texts::show_attempts(), texts::show_attempts_of(push.attempts.len(), push.max_attempts));
        for record in &push.attempts {
            let fact = AttemptFact {
                attempt: record,
                lateness_ms: record.started_at.ms_since(self.story.fire.due_at),
                took_ms: record.finished_at.map(|at| at.ms_since(record.started_at)),
            };
            tell(Text::none(), texts::show_attempt(self.at(record.started_at), attempt(&fact)));
        }
        if let Some(parts) = &self.story.parts {
            tell(texts::show_parts(), Text::same(parts.to_string()));
        }
        if let Some(next) = push.next_attempt_at {
            let until = show::given_up_at(push).map(|at| texts::show_and_given_up(self.at(at)));
            tell(texts::show_next(), texts::show_looked_at(self.at(next)).and(&until.unwrap_or_else(Text::none)));
        }
        if let Some(of) = push.fallback_of {
            tell(texts::show_instead(), texts::show_instead_of(of));
        }
        if !self.story.fallbacks.is_empty() {
            let ids: Vec<String> = self.story.fallbacks.iter().map(ToString::to_string).collect();
            tell(texts::show_fallback(), texts::show_fallbacks(ids.join(", ")));
        }
        if let Some(at) = push.finished_at {
            tell(texts::show_ended(), Text::same(self.at(at)));
        }
        if let Some(at) = push.confirmed_at {
            tell(texts::show_arrived(), texts::show_proved_at(self.at(at)));
        }
        if let Some(advice) = advice(self.story, push) {
            tell(texts::show_to_do(), advice);
        }
        told
    }

    fn at(&self, at: UtcMs) -> String {
        when::shown(at, &self.zone, true, false)
    }

    fn why(&self, push: &PushRecord) -> Option<Text> {
        let last = push.attempts.last();
        let error = last.and_then(|attempt| attempt.error.as_deref());
        let told = |word: &str| {
            let words = texts::reason_in_words(word);
            if words.english() == word { words } else { texts::show_reason(words, word) }
        };
        let word = push.reason.as_deref().map(told);
        match (error.filter(|_| push.state != PushState::Sent), word) {
            (Some(error), Some(word)) => Some(texts::last_answer(word, error)),
            (Some(one), None) => Some(Text::same(one.to_owned())),
            (None, word) => word,
        }
    }

    /// Of a push that nobody could send: how the accounts of its im are now, one by one.
    fn accounts_now(&self, push: &PushRecord) -> Vec<Text> {
        let is_about_accounts = push.reason.as_deref().is_some_and(show::is_about_accounts);
        let lines = AccountLine::all(self.accounts).filter(|line| is_about_accounts && line.im == push.im);
        let told = |line: AccountLine<'_>| {
            let state = match (line.online, line.sendable) {
                _ if line.checked_at.is_none() => texts::not_probed(),
                (Some(false), _) => texts::account_offline(),
                (_, Some(false)) => texts::account_may_not(),
                _ => texts::account_online(),
            };
            let error = if line.last_error.is_empty() { Text::none() } else { texts::after_colon(&line.last_error) };
            let asked = line.checked_at.map_or_else(Text::none, |at| texts::show_asked_at(self.at(at)));
            texts::show_account_now(&line.account, state, error, asked)
        };
        lines.map(told).collect()
    }

    fn fire(&self) -> Text {
        let PushStory { job, ordinal, fire, chat_im, chat_account, .. } = self.story;
        let at = self.at(fire.due_at);
        let chat = chat_im.as_ref().zip(chat_account.as_ref());
        let chat = chat.map_or_else(Text::none, |(im, account)| texts::show_for_chat(im, account));
        let Some(job) = job else {
            return match fire.triggered_by {
                Trigger::Message => texts::show_outside_for_chat(at, chat),
                _ => texts::show_outside(at),
            };
        };
        let how = match fire.triggered_by {
            Trigger::Cron => texts::show_due(at),
            Trigger::Manual if fire.reason.as_deref() == Some(Reason::Backfill.as_str()) => texts::show_made_up(at),
            Trigger::Manual => texts::show_by_hand(at),
            Trigger::Message => texts::show_by_chat(at),
        };
        let revision = fire.revision.map_or_else(Text::none, texts::show_revision);
        texts::show_of_job(job, how, revision, ordinal + 1, chat)
    }

    /// A named text, on as many lines as it needs.
    fn named(&self, name: Text, text: &str) -> Vec<String> {
        let width = Screen::of_stdout().width.clamp(40, 120) - NAMES - 3;
        let mut lines: Vec<String> = text.lines().flat_map(|line| kept(line, width)).collect();
        if lines.is_empty() {
            lines.push(String::new());
        }
        let name = name.in_language(self.language);
        let titled = |(index, line): (usize, String)| {
            let name = if index == 0 { name } else { "" };
            let gap = NAMES.saturating_sub(name.width());
            format!("  {name}{:gap$} {line}", "").trim_end().to_owned()
        };
        lines.into_iter().enumerate().map(titled).collect()
    }
}

/// A line of a text as it is where it fits, else broken: between words where it has some.
fn kept(line: &str, width: usize) -> Vec<String> {
    let filled = lines::filled(line, width);
    if filled.len() <= 1 { vec![line.to_owned()] } else { filled }
}

/// What a message holds, part by part.
fn content(message: &Value) -> Vec<(&str, Text)> {
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
fn brief_source(text: &str) -> Text {
    let mut told = Text::none();
    let mut rest = text;
    while let Some(at) = ["base64://", ";base64,"].iter().filter_map(|mark| Some(rest.find(mark)? + mark.len())).min() {
        let (before, data) = rest.split_at(at);
        let end = data.find(|c: char| !c.is_ascii_alphanumeric() && !"+/=-_".contains(c)).unwrap_or(data.len());
        // Of a few characters nobody needs to know how many.
        let data_told = match end {
            ..40 => Text::same(data[..end].to_owned()),
            _ => texts::so_many_characters(end),
        };
        told = told.and(&Text::same(before.to_owned())).and(&data_told);
        rest = &data[end..];
    }
    told.and(&Text::same(rest.to_owned()))
}

fn advice(story: &PushStory, push: &PushRecord) -> Option<Text> {
    let id = push.id;
    match show::advice(push.state, show::perhaps_sent(push), story.is_unmade) {
        Advice::Nothing => None,
        Advice::LookFirst if push.state.is_final() && push.state != PushState::Unknown => {
            Some(texts::may_have_arrived_of_attempt(id))
        }
        Advice::LookFirst => Some(texts::look_then_resolve_or_retry(id)),
        Advice::Retry => Some(texts::show_retry_sends_again(id)),
        Advice::FireAgain => story.job.as_ref().map(texts::fire_makes_anew),
        Advice::Wait => Some(texts::is_tried_by_itself(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_media_are_told_by_their_length() {
        let long = "A".repeat(60);
        let brief_source = |text: &str| brief_source(text).english().to_owned();
        assert_eq!(brief_source(&format!("base64://{long}")), "base64://… (60 characters)");
        assert_eq!(
            brief_source(&format!("[{{\"source\":\"data:a/b;base64,{long}\"}},{{\"text\":\"hi\"}}]")),
            "[{\"source\":\"data:a/b;base64,… (60 characters)\"},{\"text\":\"hi\"}]"
        );
        assert_eq!(brief_source("base64://QUJD"), "base64://QUJD");
        assert_eq!(brief_source("早上好"), "早上好");
    }
}
