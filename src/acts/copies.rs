//! A consistent copy of the database.

use std::path::Path;

use super::by_hand::Acts;
use super::done::Done;
use crate::answers::refusal::Refusal;

impl Acts {
    /// Copies the database as it is now into a file that is not there yet, for its owner alone.
    ///
    /// # Errors
    ///
    /// Those of the store; then there is no such file.
    pub(crate) async fn back_up(&self, to: &Path) -> Result<Done, Refusal> {
        self.store.backup(to, self.clock.now()).await?;
        Ok(self.done(Done::BackedUp { file: to.to_owned() }))
    }
}
