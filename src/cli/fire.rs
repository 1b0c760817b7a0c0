//! `fire`: a job's fire by hand, with its own message or another one.

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::{Map, Value};

use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::message_words::{MessageWords, inline};
use super::say::say;
use super::{candidates, wait};
use crate::acts::OwnMessage;
use crate::answers::jobs::definition;
use crate::config::{Sight, written};
use crate::domain::{Kind, Message, PushSpec};
use crate::texts;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron fire daily-report           a running daemon sends within a second
  pushcron fire daily-report --wait    0: everything was sent, 1: something was not
  pushcron fire alert --text 'Disk almost full' --wait 60s
  df -h | pushcron fire alert --text -

A message takes the place of what the job says, in all of its pushes, for this fire; it goes out as it stands.")]
pub(super) struct Fire {
    /// The name of the job
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
    #[command(flatten)]
    message: MessageWords,
    #[command(flatten)]
    wait: wait::Waiting,
}

impl Fire {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            let acts = context.acts(store);
            let since = context.now();
            let done = match self.message.is_empty() {
                true => acts.fire(&self.job).await,
                false => {
                    let found = definition(store, &self.job).await;
                    let found = found.map_err(|refusal| context.of_job(&self.job, refusal))?;
                    let message = self.judged(context, written(&found.job))?;
                    acts.fire_saying(&self.job, OwnMessage { message, revision: found.revision }).await
                }
            };
            let done = done.map_err(|refusal| context.of_job(&self.job, refusal))?;
            say(in_words(&done).in_language(context.language()));
            let mut push_ids = done.push_ids().to_vec();
            let until = self.wait.until(&acts);
            if push_ids.is_empty() && self.wait.is_wanted() {
                let made = acts.expanded(&self.job, since, until, || context.daemon_runs()).await?;
                let Some(made) = made else {
                    self.wait.tell_over(context.language());
                    return Ok(Exit::Failed);
                };
                push_ids = made;
                if push_ids.is_empty() {
                    return Err(Failure::of_text(Exit::Failed, texts::sends_nothing(&self.job)));
                }
            }
            wait::or_tell(context, &acts, &push_ids, (self.wait, until)).await
        })
    }

    /// The message, judged as if the job said it: whoever is to get it must be able to.
    fn judged(&self, context: &Context, mut job: Value) -> Result<Message, Failure> {
        let mut said = Map::new();
        self.message.put_into(&mut said)?;
        let pushes = job.get_mut("push").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        let saying = |push: Value| {
            let Value::Object(mut push) = push else { return push };
            push.retain(|key, _| !says(key));
            push.extend(said.clone());
            Value::Object(push)
        };
        let pushes = Value::Array(pushes.into_iter().map(saying).collect());
        let (config, specs) = context.config_and_pushes(&pushes, Sight::Onlooker)?;
        let Some(PushSpec { mut message, .. }) = specs.into_iter().next() else {
            return Err(Failure::of_text(Exit::Failed, texts::no_push_to_say_it(&self.job)));
        };
        inline(&mut message, config.daemon.media_max_bytes)?;
        Ok(message)
    }
}

/// Whether a key of a push is about what it says.
fn says(key: &str) -> bool {
    ["title", "render"].contains(&key) || Kind::ALL.iter().any(|kind| kind.as_str() == key)
}
