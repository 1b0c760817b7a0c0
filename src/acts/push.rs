//! A push outside any job.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::by_hand::{Acts, Done};
use crate::domain::{Message, UtcMs};
use crate::media::extract_inline;
use crate::store::{AdHoc, Blobs, StoreError};

/// Inline contents above this many bytes are kept beside the rows that speak of them.
const LARGEST_IN_A_ROW: usize = 4096;

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

/// Takes inline contents that are kept beside the rows back into the message.
///
/// # Errors
///
/// Those of the store; and where such a content is gone.
pub async fn whole_inline(store: &dyn Blobs, message: &mut Message) -> Result<(), StoreError> {
    for media in message.body.media_mut() {
        for source in [Some(&mut media.source), media.cover.as_mut()].into_iter().flatten() {
            let Some(sha256) = source.strip_prefix("blob:") else { continue };
            let gone = || StoreError::NotFound(format!("the content {sha256} of a message is gone from the database"));
            let bytes = store.blob(sha256).await?.ok_or_else(gone)?;
            *source = format!("base64://{}", STANDARD.encode(bytes));
        }
    }
    Ok(())
}

/// Puts large inline contents of a message where rows of the same content share them.
///
/// # Errors
///
/// Those of the store.
pub async fn keep_inline(store: &dyn Blobs, message: &mut Message, now: UtcMs) -> Result<(), StoreError> {
    for (_, bytes) in extract_inline(message, LARGEST_IN_A_ROW) {
        store.put_blob(bytes, now).await?;
    }
    Ok(())
}
