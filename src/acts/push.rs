//! Pushes outside any job.

use super::by_hand::Acts;
use super::done::Done;
use super::inline::keep_inline;
use crate::store::{AdHoc, StoreError};

impl Acts<'_> {
    /// Records pushes outside any job, all or none. Who sends them may then be asked to, and they be followed.
    ///
    /// # Errors
    ///
    /// Those of the store; then nothing is recorded.
    pub(crate) async fn push(&self, pushes: Vec<AdHoc>) -> Result<Vec<i64>, StoreError> {
        let (now, mut pushes) = (self.clock.now(), pushes);
        for push in &mut pushes {
            keep_inline(self.store, &mut push.spec.message, now).await?;
        }
        let push_ids = self.store.push_several(pushes, now).await?;
        self.done(Done::Pushed { push_ids: push_ids.clone() });
        Ok(push_ids)
    }
}
