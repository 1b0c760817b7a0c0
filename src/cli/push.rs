//! `push`: one message to one target, outside any job.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{ArgGroup, Args, ValueHint};
use clap_complete::ArgValueCandidates;
use serde_json::{Map, Value, json};
use url::Url;

use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::say::say;
use crate::acts::{AdHoc, literal};
use crate::answers::rows::{Row, rows};
use crate::answers::words::brief_ms;
use crate::answers::{history, when};
use crate::daemon::{self, PushError, PushResult};
use crate::domain::{Message, PushState, Trigger};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("target").args(["group", "user"]).required(true),
    group = ArgGroup::new("content").args(["text", "image", "voice", "video", "file", "mixed"]),
    after_help = "Examples:
  pushcron push --im qq --group 123456 --text 'Disk almost full'
  df -h | pushcron push --im telegram --user 10001 --text -
  pushcron push --im qq --user 10001 --image chart.png --title 'CPU, last hour'
  pushcron push --im qq --group 123456 \\
    --mixed '[{\"text\": \"look: \"}, {\"image\": \"https://example.org/a.png\"}]'

Prints 1 when the platform said that the message, or its fallback, is sent, else 0; the exit code is 0 or 1 accordingly. With a running
daemon the push goes through it, without one straight from here."
)]
pub struct Push {
    /// The im, as accounts name it
    #[arg(long, add = ArgValueCandidates::new(candidates::ims))]
    im: String,
    /// The group, by its id on that platform
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// The person, by the id on that platform
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// A note: the text where there is no content, and the title where a protocol has one
    #[arg(long)]
    title: Option<String>,
    /// The text; `-` reads it from standard input
    #[arg(long)]
    text: Option<String>,
    /// A file of yours, an http(s) address, base64://… or data:…
    #[arg(long, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    image: Option<String>,
    /// A voice message, likewise
    #[arg(long, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    voice: Option<String>,
    /// A video, likewise
    #[arg(long, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    video: Option<String>,
    /// A file, likewise
    #[arg(long, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    file: Option<String>,
    /// A JSON list of items, as in the files
    #[arg(long, value_name = "JSON")]
    mixed: Option<String>,
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
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = wait)]
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
fn why(row: Row) -> String {
    let (error, reason) = (row.text("error"), row.text("reason"));
    if row.text("state") == PushState::Cancelled.as_str() && !error.is_empty() {
        return format!("{reason}; the last try: {error}");
    }
    history::why(row)
}

fn wait(text: &str) -> Result<Duration, String> {
    when::duration(text).ok_or_else(|| "expected a duration such as 60s".to_owned())
}

impl Push {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let chat = self.chat_im.clone().zip(self.chat_account.clone());
        let triggered_by = if self.trigger == "message" { Trigger::Message } else { Trigger::Manual };
        if chat.is_some() != (triggered_by == Trigger::Message) {
            let text = "--trigger message, --chat-im and --chat-account belong together";
            return Err(Failure::new(Exit::Usage, text));
        }
        let (config, mut spec) = context.config_and_push(&self.mapping()?)?;
        inline(&mut spec.message, config.daemon.media_max_bytes)?;
        let push = AdHoc { spec, triggered_by, chat };
        let result = daemon::push(&context.daemon_options(), config, push, self.wait, context.actor());
        // The count that the plugin SDK's call gives, wherever there is a push to count.
        let is_sent = result.as_ref().is_ok_and(PushResult::is_sent);
        if matches!(result, Ok(_) | Err(PushError::Lost { .. })) {
            say(u8::from(is_sent));
        }
        let result = result?;
        if is_sent {
            return Ok(Exit::Done);
        }
        let why = context.reading(async |store| {
            let table = history::of(store, &[result.push_id]).await?;
            Ok(rows(&table).next().map(why).unwrap_or_default())
        });
        // What became of it is known, also where the reasons cannot be read any more.
        Err(Failure::new(Exit::Failed, self.told(&result, &why.unwrap_or_default())))
    }

    fn told(&self, result: &PushResult, why: &str) -> String {
        let (id, state) = (result.push_id, result.state);
        // Where some went out in its place, it is they who are waited for.
        let fallbacks: Vec<String> = result
            .fallbacks
            .iter()
            .map(|(id, state)| format!("; its fallback, push {id}, is {}", state.as_str()))
            .collect();
        let is_over = state.is_final() && result.fallbacks.iter().all(|(_, state)| state.is_final());
        let ended = match result.signal {
            Some(signal) => format!("ended by {signal}"),
            None => format!("{} are over", brief_ms(i64::try_from(self.wait.as_millis()).unwrap_or(i64::MAX))),
        };
        let advice = match state {
            PushState::Unknown => {
                format!("; it may have arrived: look at the chat, then `pushcron resolve {id} sent|failed`")
            }
            _ if is_over => String::new(),
            _ if result.daemon => {
                format!(
                    "; {ended}; the daemon goes on trying, so do not push it again (`pushcron cancel {id}` ends it)"
                )
            }
            _ => format!(
                "; {ended}; no daemon runs, and one that starts goes on with it, so do not push it again \
                 (`pushcron cancel {id}` ends it)"
            ),
        };
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        format!("push {id} is {}{why}{}{advice}", state.as_str(), fallbacks.concat())
    }

    /// The push as the files would spell it, in JSON, which YAML includes.
    fn mapping(&self) -> Result<String, Failure> {
        let mut push = Map::new();
        let plain = [("im", Some(&self.im)), ("group", self.group.as_ref()), ("user", self.user.as_ref())];
        let more =
            [("title", self.title.as_ref()), ("account", self.account.as_ref()), ("timeout", self.timeout.as_ref())];
        for (key, value) in plain.into_iter().chain(more) {
            push.extend(value.map(|value| (key.to_owned(), json!(value))));
        }
        if let Some(text) = &self.text {
            push.insert("text".to_owned(), json!(if text == "-" { from_stdin()? } else { text.clone() }));
        }
        let media = [("image", &self.image), ("voice", &self.voice), ("video", &self.video), ("file", &self.file)];
        for (key, source) in media {
            push.extend(source.as_ref().map(|source| (key.to_owned(), json!(source))));
        }
        if let Some(items) = &self.mixed {
            let items = serde_json::from_str::<Vec<Value>>(items).map_err(|error| {
                Failure::new(Exit::Usage, format!("--mixed: expected a JSON list of items: {error}"))
            })?;
            push.insert("mixed".to_owned(), Value::Array(items));
        }
        if let Some(fallback) = &self.fallback {
            let fallback = serde_json::from_str::<Value>(fallback).map_err(|error| {
                Failure::new(Exit::Usage, format!("--fallback: expected a JSON mapping or a list of them: {error}"))
            })?;
            push.insert("fallback".to_owned(), fallback);
        }
        Ok(literal(&Value::Object(push).to_string()))
    }
}

pub(super) fn from_stdin() -> Result<String, Failure> {
    let text = io::read_to_string(io::stdin());
    let text = text.map_err(|error| Failure::new(Exit::Usage, format!("standard input: {error}")))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

/// Takes local files into the message. They are read here, by the person's own right to read them: the daemon may be
/// forbidden to, or see other files.
fn inline(message: &mut Message, cap: u64) -> Result<(), Failure> {
    for media in message.body.media_mut() {
        if let Some(path) = local(&media.source) {
            media.source = base64_of(&path, cap)?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            media.filename = media.filename.take().or(name);
        }
        if let Some(path) = media.cover.as_deref().and_then(local) {
            media.cover = Some(base64_of(&path, cap)?);
        }
    }
    Ok(())
}

/// The path behind a source that was read by the rules of the files: relative ones are absolute by now.
fn local(source: &str) -> Option<PathBuf> {
    if source.starts_with('/') {
        return Some(PathBuf::from(source));
    }
    source.starts_with("file:").then(|| Url::parse(source).ok()?.to_file_path().ok()).flatten()
}

fn base64_of(path: &Path, cap: u64) -> Result<String, Failure> {
    let failed = |problem: String| Failure::new(Exit::Usage, format!("{}: {problem}", path.display()));
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(cap + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > cap {
        return Err(failed(format!("larger than {cap} bytes (daemon.media_max_bytes)")));
    }
    Ok(format!("base64://{}", STANDARD.encode(bytes)))
}
