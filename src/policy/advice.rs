//! What a person can do about a push.

use crate::domain::PushState;

/// What a person can do about a push, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
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
pub fn advice(state: PushState, perhaps_sent: bool, is_unmade: bool) -> Advice {
    match state {
        PushState::Sent => Advice::Nothing,
        PushState::Unknown => Advice::LookFirst,
        PushState::Failed | PushState::Expired | PushState::Cancelled if perhaps_sent => Advice::LookFirst,
        PushState::Failed | PushState::Expired | PushState::Cancelled if is_unmade => Advice::FireAgain,
        PushState::Failed | PushState::Expired | PushState::Cancelled => Advice::Retry,
        PushState::Pending | PushState::Sending | PushState::Retrying => Advice::Wait,
    }
}
