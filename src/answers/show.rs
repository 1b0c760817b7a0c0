//! Everything about one push.

use super::refusal::{Kind, Refusal};
use crate::domain::{Reason, UtcMs};
pub(crate) use crate::policy::advice::{Advice, advice};
use crate::store::History;
pub(crate) use crate::store::{PushRecord, PushStory};

/// The push of that id with all that hangs on it.
///
/// # Errors
///
/// When there is none.
pub(crate) async fn push(store: &dyn History, push_id: i64) -> Result<PushStory, Refusal> {
    let missing = || format!("there is no push {push_id}; `pushcron history` lists them");
    store.push_story(push_id).await?.ok_or_else(|| Refusal::new(Kind::NotFound, missing()))
}

/// The push itself, of a story that has one.
pub(crate) fn record(story: &PushStory) -> Option<&PushRecord> {
    story.fire.pushes.first()
}

/// Whether a push has this reason because of how the accounts of its im were.
pub(crate) fn is_about_accounts(reason: &str) -> bool {
    let reasons = [
        Reason::NoSender,
        Reason::AccountOffline,
        Reason::AccountNotSendable,
        Reason::AccountCoolingDown,
        Reason::AccountUnknown,
        Reason::NothingWillCome,
    ];
    reasons.iter().any(|known| known.as_str() == reason)
}

/// Whether an attempt ended without a word on whether it arrived, and nobody has looked since and said that it did not.
pub(crate) fn perhaps_sent(push: &PushRecord) -> bool {
    push.attempts.iter().any(|attempt| attempt.outcome.as_deref() == Some("unknown") && attempt.denied_at.is_none())
}

/// The instant up to which a push is tried, while it is open.
pub(crate) fn given_up_at(push: &PushRecord) -> Option<UtcMs> {
    (!push.state.is_final()).then_some(push.expires_at)
}
