//! Contents that stand in the definitions themselves, kept beside the rows that speak of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::domain::{Job, Message, UtcMs};
use crate::media::extract_inline;
use crate::store::{Blobs, StoreError};

/// Inline contents above this many bytes are kept beside the rows.
const LARGEST_IN_A_ROW: usize = 4096;

/// Takes inline contents that are kept beside the rows back into the message.
///
/// # Errors
///
/// Those of the store; and where such a content is gone.
pub(crate) async fn whole_inline(store: &dyn Blobs, message: &mut Message) -> Result<(), StoreError> {
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
pub(super) async fn keep_inline(store: &dyn Blobs, message: &mut Message, now: UtcMs) -> Result<(), StoreError> {
    for (_, bytes) in extract_inline(message, LARGEST_IN_A_ROW) {
        store.put_blob(bytes, now).await?;
    }
    Ok(())
}

/// As [`keep_inline`], of every push of every job; then they can be compared and stored.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn keep_inline_of_jobs(store: &dyn Blobs, jobs: &mut [Job], now: UtcMs) -> Result<(), StoreError> {
    for push in jobs.iter_mut().flat_map(|job| &mut job.push) {
        keep_inline(store, &mut push.message, now).await?;
    }
    Ok(())
}
