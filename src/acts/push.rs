//! A push outside any job.

use super::by_hand::Acts;
use super::done::Done;
use super::inline::keep_inline;
use crate::store::{AdHoc, StoreError};

impl Acts<'_> {
    /// Records a push outside any job. Who sends it may then be asked to, and it be followed.
    ///
    /// # Errors
    ///
    /// Those of the store; then nothing is recorded.
    pub async fn push(&self, mut push: AdHoc) -> Result<i64, StoreError> {
        let now = self.clock.now();
        keep_inline(self.store, &mut push.spec.message, now).await?;
        let push_id = self.store.push_ad_hoc(push, now).await?;
        self.done(Done::Pushed { push_id });
        Ok(push_id)
    }
}
