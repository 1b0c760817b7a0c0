//! `cancel`: open pushes ended by hand.

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
#[command(after_help = "Examples:
  pushcron cancel 12
  pushcron cancel 12 13 14
  pushcron cancel --job daily-report --dry-run    what waits of it

A push that is being sent at this moment cannot be cancelled. A job or a time means its fires too whose pushes are still
to be made, since their content or a list of days is waited for.")]
pub(super) struct Cancel {
    /// Pushes that are pending or retrying
    #[arg(value_name = "PUSH", value_parser = which::push_id, add = ArgValueCandidates::new(candidates::open_pushes))]
    pushes: Vec<i64>,
    #[command(flatten)]
    many: Many,
}

impl Cancel {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        self.many.refuse_nothing(&self.pushes)?;
        context.changing(async |store| {
            let states = vec![PushState::Pending, PushState::Retrying];
            let fires = self.many.waiting_fires(context, store, &self.pushes).await?;
            let Some(ids) = self.many.meant_beside(context, store, &self.pushes, states, &fires).await? else {
                return Ok(Exit::Done);
            };
            let acts = context.acts(store);
            // First of all: they become pushes while others are cancelled.
            let ended = each::cancel_fires(&acts, &fires, context.language()).await;
            let (_, exit) = each::act(&acts, ToPush::Cancel, &ids, context.language()).await;
            Ok(if exit == Exit::Done { ended } else { exit })
        })
    }
}
