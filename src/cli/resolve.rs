//! `resolve`: a person's word on unknown pushes.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::candidates;
use super::context::Context;
use super::each::{self, Many};
use super::failure::{Exit, Failure};
use super::which;
use crate::acts::ToPush;
use crate::domain::PushState;

#[derive(Debug, Args)]
#[command(
    override_usage = "pushcron resolve [OPTIONS] [PUSH]... <sent|failed>",
    after_help = "Examples:
  pushcron history --state unknown    look at the chats: did it arrive?
  pushcron resolve 12 sent
  pushcron resolve --job daily-report --at 'sat 08:30' failed"
)]
pub(super) struct Resolve {
    /// The ids of unknown pushes, and what their chats show: sent or failed
    #[arg(required = true, value_name = "PUSH|sent|failed", add = ArgValueCandidates::new(candidates::resolvable))]
    words: Vec<String>,
    #[command(flatten)]
    many: Many,
}

impl Resolve {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let (pushes, sent) = self.parsed().map_err(|problem| Failure::new(Exit::Usage, problem))?;
        self.many.refuse_nothing(&pushes)?;
        context.changing(async |store| {
            let Some(ids) = self.many.meant(context, store, &pushes, vec![PushState::Unknown]).await? else {
                return Ok(Exit::Done);
            };
            Ok(each::act(&context.acts(store), ToPush::Resolve { sent }, &ids, context.language()).await.1)
        })
    }

    /// The pushes, and whether they were sent.
    fn parsed(&self) -> Result<(Vec<i64>, bool), String> {
        let [pushes @ .., last] = &self.words[..] else { return Err("which pushes?".to_owned()) };
        let sent = match last.as_str() {
            "sent" => true,
            "failed" => false,
            other => return Err(format!("expected `sent` or `failed` as the last word, got '{other}'")),
        };
        let id = |word: &String| which::push_id(word).map_err(|problem| format!("{problem}, got '{word}'"));
        Ok((pushes.iter().map(id).collect::<Result<_, _>>()?, sent))
    }
}
