//! The acts on what is there: a job fired, paused or resumed; a push tried again, cancelled or resolved.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use super::actor::Actor;
use super::done::Done;
use super::inline::keep_inline;
use crate::answers::refusal::{Kind, Refusal};
use crate::clock::SharedClock;
use crate::domain::sender::wrong_for_all;
use crate::domain::{PushSpec, SenderSpec, UtcMs};
use crate::senders;
use crate::store::{AccountRow, Backend, OwnMessage, SharedStore, WaitingFire};

/// What one actor does to a database: each act leaves a row that says so. A daemon that runs on it takes notice.
pub(crate) struct Acts {
    pub(super) store: SharedStore,
    pub(super) clock: SharedClock,
    actor: Actor,
    bell: Option<Bell>,
}

/// Has a daemon look at once at what was written into the database that it drives.
pub(crate) type Bell = Arc<dyn Fn() + Send + Sync>;

impl Acts {
    pub(crate) fn new(store: &dyn Backend, clock: SharedClock, actor: Actor) -> Acts {
        Acts { store: store.by(actor.by()), clock, actor, bell: None }
    }

    /// Of the process that drives the database itself: it sees only what other processes write.
    pub(crate) fn ringing(self, bell: Bell) -> Acts {
        Acts { bell: Some(bell), ..self }
    }

    /// Fires a job now.
    ///
    /// # Errors
    ///
    /// When there is no such job, or none of the accounts could ever send its pushes.
    pub(crate) async fn fire(&self, job: &str) -> Result<Done, Refusal> {
        self.refuse_strays(job).await?;
        let push_ids = self.store.fire_by_hand(job, self.clock.now()).await?;
        Ok(self.done(Done::Fired { job: job.to_owned(), push_ids }))
    }

    /// Fires a job now with a message of its own, in place of what the job says.
    ///
    /// # Errors
    ///
    /// Those of [`Acts::fire`], and when the job was changed since the message was judged by it.
    pub(crate) async fn fire_saying(&self, job: &str, mut own: OwnMessage) -> Result<Done, Refusal> {
        self.refuse_strays(job).await?;
        let now = self.clock.now();
        keep_inline(&*self.store, &mut own.message, now).await?;
        let push_ids = self.store.fire_saying(job, own, now).await?;
        Ok(self.done(Done::Fired { job: job.to_owned(), push_ids }))
    }

    /// Makes up for instants that did not come about, oldest first and so far apart, by what the job says now. One that was
    /// made up for before is left out.
    ///
    /// # Errors
    ///
    /// When there is no such job, or none of the accounts could ever send its pushes.
    pub(crate) async fn backfill(&self, job: &str, instants: Vec<UtcMs>, gap: Duration) -> Result<Done, Refusal> {
        self.refuse_strays(job).await?;
        let made = self.store.backfill(job, instants, gap, self.clock.now()).await?;
        let (fires, push_ids) = (made.len(), made.into_iter().flatten().collect());
        Ok(self.done(Done::Backfilled { job: job.to_owned(), fires, push_ids }))
    }

    /// Tries a finished push again.
    ///
    /// # Errors
    ///
    /// When there is no such push, or it is open or sent.
    pub(crate) async fn retry(&self, push_id: i64) -> Result<Done, Refusal> {
        self.store.retry(push_id, self.clock.now()).await?;
        Ok(self.done(Done::Retried { push_id }))
    }

    /// Ends an open push.
    ///
    /// # Errors
    ///
    /// When there is no such push, or it is being sent or final.
    pub(crate) async fn cancel(&self, push_id: i64) -> Result<Done, Refusal> {
        self.store.cancel(push_id, self.clock.now()).await?;
        Ok(self.done(Done::Cancelled { push_id }))
    }

    /// Ends a fire whose pushes are still to be made.
    ///
    /// # Errors
    ///
    /// When it has them meanwhile.
    pub(crate) async fn cancel_fire(&self, fire: &WaitingFire) -> Result<Done, Refusal> {
        self.store.cancel_fire(fire.fire_id, self.clock.now()).await?;
        let WaitingFire { job, due_at, timezone, .. } = fire.clone();
        Ok(self.done(Done::FireCancelled { job, due_at, timezone }))
    }

    /// Says what became of an unknown push.
    ///
    /// # Errors
    ///
    /// When there is no such push, or it is not unknown.
    pub(crate) async fn resolve(&self, push_id: i64, sent: bool) -> Result<Done, Refusal> {
        self.store.resolve(push_id, sent, self.clock.now()).await?;
        Ok(self.done(Done::Resolved { push_id, sent }))
    }

    /// Pauses or resumes a job.
    ///
    /// # Errors
    ///
    /// When there is no such job.
    pub(crate) async fn set_paused(&self, job: &str, paused: bool) -> Result<Done, Refusal> {
        let changed = self.store.set_paused(job, paused, self.clock.now()).await?;
        let job = job.to_owned();
        Ok(self.done(if paused { Done::Paused { job, changed } } else { Done::Resumed { job, changed } }))
    }

    pub(super) fn done(&self, done: Done) -> Done {
        debug!(actor = %self.actor, ?done, "done by hand");
        if let Some(bell) = &self.bell {
            bell();
        }
        done
    }

    /// Refuses what none of the accounts could ever send. Files are read by this rule; a definition in the database may
    /// come from an earlier version that did not know it.
    async fn refuse_strays(&self, name: &str) -> Result<(), Refusal> {
        let Some(job) = self.store.revisions(name).await?.pop().filter(|revision| revision.until_at.is_none()) else {
            return Ok(());
        };
        let accounts = self.store.accounts().await?;
        // Nobody knows yet whom a list names.
        let pushes = job.definition.iter().flat_map(|job| &job.push).filter(|push| push.list.is_none());
        for push in pushes {
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
