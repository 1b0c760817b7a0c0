//! `fire`: a job's fire by hand.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::say::say;
use super::{candidates, wait};
use crate::domain::sender::wrong_for_all;
use crate::domain::{PushSpec, SenderSpec};
use crate::senders;
use crate::store::{AccountRow, Backend};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron fire daily-report           a running daemon sends within a second
  pushcron fire daily-report --wait    0: everything was sent, 1: something was not")]
pub struct Fire {
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
    /// Wait for the outcome and show it
    #[arg(short, long)]
    wait: bool,
}

impl Fire {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            self.refuse_strays(store).await?;
            let pushes = store.fire_by_hand(&self.job, context.now()).await?;
            let ids: Vec<String> = pushes.iter().map(ToString::to_string).collect();
            let noun = if ids.len() == 1 { "push" } else { "pushes" };
            say(format_args!("{} fired: {noun} {}", self.job, ids.join(", ")));
            wait::or_tell(context, store, &pushes, self.wait).await
        })
    }

    /// Refuses what none of the accounts could ever send. Files are read by this rule; a definition in the database may
    /// come from an earlier version that did not know it.
    async fn refuse_strays(&self, store: &dyn Backend) -> Result<(), Failure> {
        let Some(job) = store.revisions(&self.job).await?.pop().filter(|revision| revision.until_at.is_none()) else {
            return Ok(());
        };
        let accounts = store.accounts().await?;
        for push in job.definition.iter().flat_map(|job| &job.push) {
            // An account whose sender is not known may send anywhere.
            let carriers: Option<Vec<&SenderSpec>> =
                accounts.iter().filter(|account| may_carry(account, push)).map(spec_of).collect();
            if let Some(wrong) = carriers.and_then(|carriers| wrong_for_all(&push.target, carriers)) {
                let told = wrong.told(&format!("'{}'", push.target.id()));
                return Err(Failure::new(Exit::Usage, format!("job '{}': {told}", self.job)));
            }
        }
        Ok(())
    }
}

fn may_carry(account: &AccountRow, push: &PushSpec) -> bool {
    account.im == push.im && push.account.as_ref().is_none_or(|only| *only == account.id)
}

fn spec_of(account: &AccountRow) -> Option<&'static SenderSpec> {
    senders::find(&account.sender).map(|registered| registered.spec)
}
