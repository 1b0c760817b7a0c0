//! What people do to jobs and pushes: each act of a verb, whoever asks for it. Nothing here knows a terminal or HTML.

mod actor;
mod by_hand;
mod follow;
mod push;

pub use self::actor::Actor;
pub use self::by_hand::{Acts, Done};
pub use self::follow::follow;
pub use self::push::{keep_inline, whole_inline};
pub use crate::store::AdHoc;

#[cfg(test)]
mod tests;
