//! What people do to jobs and pushes: each act of a verb, whoever asks for it. Nothing here knows a terminal or HTML.

mod actor;
mod by_hand;
mod wait;

pub use self::actor::Actor;
pub use self::by_hand::Acts;
pub use self::wait::until_final;
