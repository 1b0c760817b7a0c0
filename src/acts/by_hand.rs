//! The acts: a job fired, paused or resumed; a push tried again, cancelled or resolved.

use std::fmt;

use tracing::debug;

use super::actor::Actor;
use crate::answers::refusal::{Kind, Refusal};
use crate::clock::SharedClock;
use crate::domain::sender::wrong_for_all;
use crate::domain::{PushSpec, SenderSpec};
use crate::senders;
use crate::store::{AccountRow, Backend};

/// What one actor does to a database. A daemon that runs on it takes notice.
pub struct Acts<'a> {
    store: &'a dyn Backend,
    clock: SharedClock,
    actor: Actor,
}

/// What was done, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    Retried {
        push: i64,
    },
    Cancelled {
        push: i64,
    },
    Resolved {
        push: i64,
        sent: bool,
    },
    /// `changed` is whether it was not so before.
    Paused {
        job: String,
        changed: bool,
    },
    Resumed {
        job: String,
        changed: bool,
    },
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Done::Retried { push } => write!(f, "push {push} is due again"),
            Done::Cancelled { push } => write!(f, "push {push} is cancelled"),
            Done::Resolved { push, sent: true } => write!(f, "push {push} is sent"),
            Done::Resolved { push, sent: false } => write!(f, "push {push} is failed"),
            Done::Paused { job, changed: true } => write!(f, "{job} is paused"),
            Done::Paused { job, changed: false } => write!(f, "{job} was paused already"),
            Done::Resumed { job, changed: true } => write!(f, "{job} goes on"),
            Done::Resumed { job, changed: false } => write!(f, "{job} was not paused"),
        }
    }
}

impl<'a> Acts<'a> {
    pub fn new(store: &'a dyn Backend, clock: SharedClock, actor: Actor) -> Acts<'a> {
        Acts { store, clock, actor }
    }

    /// Fires a job now. Returns its pushes.
    ///
    /// # Errors
    ///
    /// When there is no such job, or none of the accounts could ever send its pushes.
    pub async fn fire(&self, job: &str) -> Result<Vec<i64>, Refusal> {
        self.refuse_strays(job).await?;
        let pushes = self.store.fire_by_hand(job, self.clock.now()).await?;
        debug!(actor = %self.actor, job, "fired by hand");
        Ok(pushes)
    }

    /// Tries a finished push again.
    ///
    /// # Errors
    ///
    /// When there is no such push, or it is open or sent.
    pub async fn retry(&self, push: i64) -> Result<Done, Refusal> {
        self.store.retry(push, self.clock.now()).await?;
        Ok(self.done(Done::Retried { push }))
    }

    /// Ends an open push.
    ///
    /// # Errors
    ///
    /// When there is no such push, or it is being sent or final.
    pub async fn cancel(&self, push: i64) -> Result<Done, Refusal> {
        self.store.cancel(push, self.clock.now()).await?;
        Ok(self.done(Done::Cancelled { push }))
    }

    /// Says what became of an unknown push.
    ///
    /// # Errors
    ///
    /// When there is no such push, or it is not unknown.
    pub async fn resolve(&self, push: i64, sent: bool) -> Result<Done, Refusal> {
        self.store.resolve(push, sent, self.clock.now()).await?;
        Ok(self.done(Done::Resolved { push, sent }))
    }

    /// Pauses or resumes a job.
    ///
    /// # Errors
    ///
    /// When there is no such job.
    pub async fn set_paused(&self, job: &str, paused: bool) -> Result<Done, Refusal> {
        let changed = self.store.set_paused(job, paused, self.clock.now()).await?;
        let job = job.to_owned();
        Ok(self.done(if paused { Done::Paused { job, changed } } else { Done::Resumed { job, changed } }))
    }

    fn done(&self, done: Done) -> Done {
        debug!(actor = %self.actor, "{done}");
        done
    }

    /// Refuses what none of the accounts could ever send. Files are read by this rule; a definition in the database may
    /// come from an earlier version that did not know it.
    async fn refuse_strays(&self, name: &str) -> Result<(), Refusal> {
        let Some(job) = self.store.revisions(name).await?.pop().filter(|revision| revision.until_at.is_none()) else {
            return Ok(());
        };
        let accounts = self.store.accounts().await?;
        for push in job.definition.iter().flat_map(|job| &job.push) {
            // An account whose sender is not known may send anywhere.
            let carriers: Option<Vec<&SenderSpec>> =
                accounts.iter().filter(|account| may_carry(account, push)).map(spec_of).collect();
            if let Some(wrong) = carriers.and_then(|carriers| wrong_for_all(&push.target, carriers)) {
                let told = wrong.told(&format!("'{}'", push.target.id()));
                return Err(Refusal::new(Kind::Senseless, format!("job '{name}': {told}")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_says_what_it_did_and_whether_that_was_news() {
        let job = || "daily".to_owned();
        for (done, told) in [
            (Done::Retried { push: 7 }, "push 7 is due again"),
            (Done::Cancelled { push: 7 }, "push 7 is cancelled"),
            (Done::Resolved { push: 7, sent: true }, "push 7 is sent"),
            (Done::Resolved { push: 7, sent: false }, "push 7 is failed"),
            (Done::Paused { job: job(), changed: true }, "daily is paused"),
            (Done::Paused { job: job(), changed: false }, "daily was paused already"),
            (Done::Resumed { job: job(), changed: true }, "daily goes on"),
            (Done::Resumed { job: job(), changed: false }, "daily was not paused"),
        ] {
            assert_eq!(done.to_string(), told);
        }
    }
}
