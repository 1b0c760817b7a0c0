//! Whether an account may send now, as the core decides it: by what its sender states and tells.

use pushcron::domain::limits::Gate;
use pushcron::domain::{Delivery, Reading, Target, UtcMs};
use pushcron::senders::Sender;

pub(crate) trait AskGate {
    fn gate(&self, target: &Target, delivery: Option<&Delivery>, now: UtcMs) -> Gate;
}

impl<S: Sender + ?Sized> AskGate for S {
    fn gate(&self, target: &Target, delivery: Option<&Delivery>, now: UtcMs) -> Gate {
        let (Some(limits), Some(usage)) = (self.limits(), self.usage()) else { return Gate::Open };
        let needed = delivery.map_or(1, |delivery| (limits.sends)(delivery));
        let now = Reading { wall: now, moment: usage.line.moment };
        usage.gate(&limits, std::iter::empty(), target, needed, now)
    }
}
