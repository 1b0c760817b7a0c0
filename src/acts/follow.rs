//! Following pushes to their end.

use std::time::Duration;

use super::by_hand::Acts;
use crate::answers::history;
use crate::answers::refusal::{Kind, Refusal};
use crate::domain::{Moment, PushState, Trigger, UtcMs};
use crate::store::{History, StoreError, Table};

/// How often the states are looked up: soon enough for a person, and no load for the database.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Acts {
    /// The end of a wait that begins now; none is the end of a wait without a limit.
    pub(crate) fn wait_until(&self, limit: Option<Duration>) -> Option<Moment> {
        limit.map(|limit| self.clock.boottime() + limit)
    }

    fn is_over(&self, until: Option<Moment>) -> bool {
        until.is_some_and(|until| self.clock.boottime() >= until)
    }

    /// Waits for the pushes of the newest fire by hand of a job since an instant, which has its content made. None: they are
    /// still not made when the wait is over.
    ///
    /// # Errors
    ///
    /// When the daemon that is waited for is gone.
    pub(crate) async fn expanded<E: From<Refusal> + From<StoreError>>(
        &self,
        job: &str,
        since: UtcMs,
        until: Option<Moment>,
        daemon_runs: impl Fn() -> Result<bool, E>,
    ) -> Result<Option<Vec<i64>>, E> {
        loop {
            let fires = self.store.fires(job, since, UtcMs::MAX).await?;
            let newest = fires.into_iter().rfind(|fire| fire.triggered_by == Trigger::Manual);
            match newest {
                None => return Ok(Some(Vec::new())),
                Some(fire) if !fire.is_unexpanded => {
                    return Ok(Some(fire.pushes.iter().map(|push| push.id).collect()));
                }
                Some(_) if self.is_over(until) => return Ok(None),
                Some(_) if !daemon_runs()? => {
                    let text = "no daemon runs on this database to wait for; the fire is recorded, and one that starts \
                                makes its content";
                    return Err(E::from(Refusal::new(Kind::OutOfReach, text)));
                }
                Some(_) => self.clock.sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Follows pushes that a daemon was asked to send until all are final, or the wait is over. Returns them in the columns of the view
    /// `push_history`.
    ///
    /// # Errors
    ///
    /// When the daemon that is waited for is gone.
    pub(crate) async fn follow<E: From<Refusal> + From<StoreError>>(
        &self,
        push_ids: &[i64],
        until: Option<Moment>,
        daemon_runs: impl Fn() -> Result<bool, E>,
    ) -> Result<Table, E> {
        let rest = async || {
            if !daemon_runs()? {
                let text = "no daemon runs on this database to wait for; the pushes are recorded, and one that starts will send";
                return Err(E::from(Refusal::new(Kind::OutOfReach, text)));
            }
            if self.is_over(until) {
                return Ok(false);
            }
            self.clock.sleep(LOOK_EVERY).await;
            Ok(true)
        };
        for push_id in push_ids {
            follow(&*self.store, *push_id, &rest).await?;
        }
        Ok(history::of(&*self.store, push_ids).await?)
    }
}

/// Looks at a push until it is final or gone, or until `rest`, which waits between two looks, says that it is enough.
///
/// # Errors
///
/// Those of the store, and of `rest`.
pub(crate) async fn follow<E: From<StoreError>>(
    store: &dyn History,
    push_id: i64,
    rest: impl AsyncFn() -> Result<bool, E>,
) -> Result<(), E> {
    while !store.push_state(push_id).await?.is_none_or(PushState::is_final) {
        if !rest().await? {
            break;
        }
    }
    Ok(())
}
