//! Pushes outside any job.

use super::by_hand::Acts;
use super::done::Done;
use super::inline::keep_inline;
use crate::store::{AdHoc, Once, RequestKey, StoreError};

impl Acts {
    /// As [`Acts::push`], for a request that is carried out once: the same again finds what it made.
    ///
    /// # Errors
    ///
    /// Those of the store; then nothing is recorded.
    pub(crate) async fn push_once(&self, pushes: Vec<AdHoc>, request: RequestKey) -> Result<Once, StoreError> {
        let (now, mut pushes) = (self.clock.now(), pushes);
        for push in &mut pushes {
            keep_inline(&*self.store, &mut push.spec.message, now).await?;
        }
        let once = self.store.push_once(pushes, request, now).await?;
        if let Once::Recorded(push_ids) = &once {
            self.done(Done::Pushed { push_ids: push_ids.clone() });
        }
        Ok(once)
    }

    /// Notes that somebody has the accounts asked how they are.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn note_probe(&self) -> Result<(), StoreError> {
        self.store.note_act("probe", self.clock.now()).await
    }

    /// Records pushes outside any job, all or none. Who sends them may then be asked to, and they be followed.
    ///
    /// # Errors
    ///
    /// Those of the store; then nothing is recorded.
    pub(crate) async fn push(&self, pushes: Vec<AdHoc>) -> Result<Vec<i64>, StoreError> {
        let (now, mut pushes) = (self.clock.now(), pushes);
        for push in &mut pushes {
            keep_inline(&*self.store, &mut push.spec.message, now).await?;
        }
        let push_ids = self.store.push_several(pushes, now).await?;
        self.done(Done::Pushed { push_ids: push_ids.clone() });
        Ok(push_ids)
    }
}
