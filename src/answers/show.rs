//! Everything about one push.

use super::refusal::{Kind, Refusal};
use crate::domain::{PushState, Reason, UtcMs};
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

/// What a person can do about a push, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// It is over, and well.
    Nothing,
    /// Look at the chat first: a repetition might arrive as a second one.
    LookFirst,
    /// Try it again, once what stood in its way is mended.
    Retry,
    /// Fire its job again: there is nothing, or nobody, to try it with.
    FireAgain,
    /// It will be tried by itself, and can be ended.
    Wait,
}

/// What can be done about a push in this state. A repetition is never advised where the message may be there already.
pub(crate) fn advice(state: PushState, perhaps_sent: bool, is_unmade: bool) -> Advice {
    match state {
        PushState::Sent => Advice::Nothing,
        PushState::Unknown => Advice::LookFirst,
        PushState::Failed | PushState::Expired | PushState::Cancelled if perhaps_sent => Advice::LookFirst,
        PushState::Failed | PushState::Expired | PushState::Cancelled if is_unmade => Advice::FireAgain,
        PushState::Failed | PushState::Expired | PushState::Cancelled => Advice::Retry,
        PushState::Pending | PushState::Sending | PushState::Retrying => Advice::Wait,
    }
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

/// Whether an attempt ended without a word on whether it arrived.
pub(crate) fn perhaps_sent(push: &PushRecord) -> bool {
    push.attempts.iter().any(|attempt| attempt.outcome.as_deref() == Some("unknown"))
}

/// The instant up to which a push is tried, while it is open.
pub(crate) fn given_up_at(push: &PushRecord) -> Option<UtcMs> {
    (!push.state.is_final()).then_some(push.expires_at)
}
