//! `push`: one message to one target or several, outside any job.

use std::io::{self, Write};
use std::time::Duration;

use clap::{ArgGroup, Args};
use clap_complete::ArgValueCandidates;
use serde_json::{Map, Value, json};

use super::args::duration;
use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::message_words::{MessageWords, inline};
use super::push_updates::{each_down, in_words};
use super::say::say;
use crate::acts::{AdHoc, PushUpdate};
use crate::answers::accounts::{self, AccountLine};
use crate::answers::history;
use crate::answers::rows::{Row, rows};
use crate::answers::words::brief_ms;
use crate::config::{Sight, wrong_chat};
use crate::daemon::{self, PushError, PushResult};
use crate::domain::json::as_written;
use crate::domain::{PushSpec, PushState, Trigger, escaped};
use crate::logging;
use crate::texts::{self, Text};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("target").args(["group", "user", "to"]).required(true).multiple(true),
    after_help = "Examples:
  pushcron push --im qq --group 123456 --text 'Disk almost full'
  df -h | pushcron push --im telegram --user 10001 --text -
  pushcron push --to oncall --im qq --group 123456 --text 'Disk full'
  pushcron push --im qq --user 10001 --image chart.png --title 'CPU, last hour'
  pushcron push --im qq --group 123456 \\
    --mixed '[{\"text\": \"look: \"}, {\"image\": \"https://example.org/a.png\"}]'

Prints 1 when the platform said that the message, or its fallback, is sent, else 0; the exit code is 0 or 1 accordingly. Of several it \
prints how many are sent, and ends with 0 where all are. With a running daemon the push goes through it, without one straight from here."
)]
pub(super) struct Push {
    /// The im, as accounts name it
    #[arg(long, add = ArgValueCandidates::new(candidates::ims))]
    im: Option<String>,
    /// A group, by its id on that platform; may be repeated, as --user and --to may
    #[arg(long, value_name = "ID", requires = "im")]
    group: Vec<String>,
    /// A person, by the id on that platform
    #[arg(long, value_name = "ID", requires = "im")]
    user: Vec<String>,
    /// A name under `targets` in the files
    #[arg(long, value_name = "NAME")]
    to: Vec<String>,
    #[command(flatten)]
    message: MessageWords,
    /// The account that must be used, and no other
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    account: Option<String>,
    /// The deadline of one attempt, such as 8s
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// Who gets it once it has failed or expired: a JSON mapping, or a list of them, as `fallback` in the files
    #[arg(long, value_name = "JSON")]
    fallback: Option<String>,
    /// How long to wait for the outcome
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    wait: Duration,
    /// What asks for the push; `message` is an answer to a chat, and takes the chat's account
    #[arg(long, default_value = "manual", value_parser = ["manual", "message"])]
    trigger: String,
    /// The im of the chat that asked
    #[arg(long, value_name = "IM", requires = "chat_account")]
    chat_im: Option<String>,
    /// The account that received the chat's message
    #[arg(long, value_name = "ID", requires = "chat_im", add = ArgValueCandidates::new(candidates::accounts))]
    chat_account: Option<String>,
}

/// Why a push ended as it did: what was decided, and what the last try brought.
fn why(row: Row) -> Text {
    let (error, reason) = (row.text("error"), row.text("reason"));
    if row.text("state") == PushState::Cancelled.as_str() && !error.is_empty() {
        return texts::last_try(texts::reason_word(&reason), error);
    }
    history::why_text(row)
}

/// What became of it is known, also where the reasons cannot be read any more.
fn reason_of(context: &Context, result: &PushResult) -> Text {
    let why = context.reading(async |store| {
        let table = history::of(store, &[result.push_id]).await?;
        let Some(row) = rows(&table).next() else { return Ok(Text::none()) };
        // An attempt has its own words; without one, the accounts have.
        if !row.text("error").is_empty() {
            return Ok(why(row));
        }
        let (known, im) = (accounts::known(store).await?, row.text("im"));
        let down: Vec<(String, Text)> = AccountLine::all(&known)
            .filter(|line| line.im == im && line.online == Some(false))
            .map(|line| (line.account.into_owned(), Text::same(line.last_error.into_owned())))
            .collect();
        Ok(texts::reason_word(&row.text("reason")).and(&each_down(&down)))
    });
    why.unwrap_or_else(|_| Text::none())
}

impl Push {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let chat = self.chat_im.clone().zip(self.chat_account.clone());
        let triggered_by = if self.trigger == "message" { Trigger::Message } else { Trigger::Manual };
        if chat.is_some() != (triggered_by == Trigger::Message) {
            let text = "--trigger message, --chat-im and --chat-account belong together";
            return Err(Failure::new(Exit::Usage, text));
        }
        let mappings = self.mappings()?;
        // A running daemon sends it, which alone may see the accounts' secrets.
        let sight = if context.daemon_runs()? { Sight::Onlooker } else { Sight::Service };
        let (config, specs) = context.config_and_pushes(&mappings, sight)?;
        let ours = || config.account_names.iter().map(|(im, id)| (&**im, &**id));
        if let Some(wrong) = chat.as_ref().and_then(|(im, account)| wrong_chat((im, account), ours())) {
            return Err(Failure::of_text(Exit::Usage, Text::same("--chat-account: ").and(&wrong)));
        }
        let sees_all = sight == Sight::Service || config.is_whole();
        let push = |mut spec: PushSpec| {
            inline(&mut spec.message, config.daemon.media_max_bytes)?;
            Ok::<_, Failure>(AdHoc { spec, triggered_by, chat: chat.clone() })
        };
        let pushes = specs.into_iter().map(push).collect::<Result<Vec<_>, _>>()?;
        let is_one = pushes.len() == 1;
        let tell = |push_id: i64, update: &PushUpdate| {
            let which = if is_one { Text::none() } else { texts::of_push(push_id) };
            let told = which.and(&in_words(update, context.now()));
            logging::tell(&escaped(&format!("pushcron: {}", told.in_language(context.language()))));
        };
        let judged = daemon::Judged { config, sees_all };
        let results = daemon::push(&context.daemon_options(), judged, pushes, self.wait, context.actor(), &tell);
        // The count that the plugin SDK's call gives, wherever there is a push to count.
        let sent = results.iter().flatten().filter(|result| result.is_sent()).count();
        if matches!(results, Ok(_) | Err(PushError::Lost { .. })) {
            say(sent);
        }
        let mut rest: Vec<PushResult> = results?.into_iter().filter(|result| !result.is_sent()).collect();
        let Some(last) = rest.pop() else { return Ok(Exit::Done) };
        for result in rest {
            let told = self.told(&result, &reason_of(context, &result));
            writeln!(io::stderr(), "pushcron: {}", escaped(told.in_language(context.language())))?;
        }
        Err(Failure::of_text(Exit::Failed, self.told(&last, &reason_of(context, &last))))
    }

    fn told(&self, result: &PushResult, why: &Text) -> Text {
        let (id, state) = (result.push_id, result.state);
        // Where some went out in its place, it is they who are waited for.
        let fallbacks = result.fallbacks.iter().map(|(id, state)| texts::and_its_fallback(id, texts::state(*state)));
        let fallbacks = Text::joined(fallbacks, &Text::none());
        let is_over = state.is_final() && result.fallbacks.iter().all(|(_, state)| state.is_final());
        let ended = match result.signal {
            Some(signal) => texts::ended_by(signal),
            None => texts::wait_is_over(brief_ms(i64::try_from(self.wait.as_millis()).unwrap_or(i64::MAX))),
        };
        let advice = match state {
            PushState::Unknown => texts::may_have_arrived(id),
            _ if is_over => Text::none(),
            _ if result.daemon => texts::daemon_goes_on(ended, id),
            _ => texts::no_daemon_runs(ended, id),
        };
        let why = if why.is_empty() { Text::none() } else { texts::after_colon(why) };
        texts::push_is(id, texts::state(state), why, fallbacks, advice)
    }

    /// The pushes as the files would spell them.
    fn mappings(&self) -> Result<Value, Failure> {
        let mut push = Map::new();
        self.message.put_into(&mut push)?;
        for (key, value) in [("account", &self.account), ("timeout", &self.timeout)] {
            push.extend(value.as_ref().map(|value| (key.to_owned(), json!(value))));
        }
        if let Some(fallback) = &self.fallback {
            let fallback = as_written(fallback).map_err(|error| {
                Failure::new(Exit::Usage, format!("--fallback: expected a JSON mapping or a list of them: {error}"))
            })?;
            push.insert("fallback".to_owned(), fallback);
        }
        if self.im.is_some() && self.group.is_empty() && self.user.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                "--im: the names of --to have each their own; expected --group or --user",
            ));
        }
        let whom = [("group", &self.group), ("user", &self.user), ("to", &self.to)];
        let pushes = whom.into_iter().filter(|(_, ids)| !ids.is_empty()).map(|(key, ids)| {
            let mut push = push.clone();
            push.extend(self.im.iter().filter(|_| key != "to").map(|im| ("im".to_owned(), json!(im))));
            push.insert(key.to_owned(), if let [id] = &ids[..] { json!(id) } else { json!(ids) });
            Value::Object(push)
        });
        Ok(pushes.collect())
    }
}
