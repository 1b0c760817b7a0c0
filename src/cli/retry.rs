//! `retry`: finished pushes once more.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::context::Context;
use super::each::{self, Many};
use super::failure::{Exit, Failure};
use super::{candidates, wait, which};
use crate::acts::ToPush;
use crate::domain::PushState;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron retry 12
  pushcron retry 12 13 --wait    0: both were sent
  pushcron retry --job daily-report --at 'sat 08:30' --dry-run

A filter means pushes that failed or expired, unless --state says otherwise, and leaves alone what may have arrived. A
push that is `unknown` may have arrived already; look at the chat first.")]
pub(super) struct Retry {
    /// Pushes that are failed, unknown, expired or cancelled
    #[arg(value_name = "PUSH", value_parser = which::push_id, add = ArgValueCandidates::new(candidates::ended_pushes))]
    pushes: Vec<i64>,
    #[command(flatten)]
    many: Many,
    #[command(flatten)]
    wait: wait::Waiting,
}

impl Retry {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        self.many.refuse_nothing(&self.pushes)?;
        context.changing(async |store| {
            let states = vec![PushState::Failed, PushState::Expired];
            let Some(mut ids) = self.many.meant(context, store, &self.pushes, states).await? else {
                return Ok(Exit::Done);
            };
            let mut left_out = false;
            if self.pushes.is_empty() && self.many.takes_any_state() {
                (ids, left_out) = each::leave_out_perhaps_sent(store, ids, context.language()).await?;
            }
            let acts = context.acts(store);
            let (done, exit) = each::act(&acts, ToPush::Retry, &ids, context.language()).await;
            if done.is_empty() {
                return Ok(if left_out && exit == Exit::Done { Exit::Failed } else { exit });
            }
            let waited = wait::or_tell(context, &acts, &done, (self.wait, self.wait.until(&acts))).await?;
            Ok(match (exit, left_out) {
                (Exit::Done, false) => waited,
                (Exit::Done, true) => Exit::Failed,
                (exit, _) => exit,
            })
        })
    }
}
