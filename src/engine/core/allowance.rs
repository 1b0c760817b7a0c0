//! What one account may send now: what its platform grants, what its sender told it has used of it, and what is under way.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::error;

use crate::domain::limits::{Gate, Limits, Usage};
use crate::domain::{Delivery, Reading, Reason, Target, UtcMs};

#[derive(Clone, Default)]
pub struct Allowance {
    /// None: whatever anyone asks for.
    limits: Option<Limits>,
    usage: Usage,
    /// Attempts of which nothing was told yet: to whom, and how many sends each takes.
    under_way: BTreeMap<i64, (Target, u32)>,
    /// Somebody was turned away only for what is under way.
    is_waited_for: bool,
}

/// Whether a send may begin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    Granted,
    /// What is under way takes the room. Its end decides, within a moment.
    AfterThoseUnderWay,
    /// Why, and when to look again, if that is known.
    Withheld {
        reason: Reason,
        until: Option<UtcMs>,
    },
}

impl Allowance {
    pub fn new(limits: Option<Limits>) -> Allowance {
        Allowance { limits, ..Allowance::default() }
    }

    /// Whether a delivery may begin now, or, where its message is not read yet, one send at least. Limits whose sender breaks
    /// down over them keep the pushes of its own account waiting, and nobody else's.
    pub fn permission(&mut self, target: &Target, delivery: Option<&Delivery>, now: Reading) -> Permission {
        let asked = catch_unwind(AssertUnwindSafe(|| self.ask(target, delivery, now)));
        asked.unwrap_or_else(|_| {
            error!(%target, "a sender's gate broke down (a bug of pushcron); its pushes wait");
            Permission::Withheld { reason: Reason::SenderBroken, until: None }
        })
    }

    fn ask(&mut self, target: &Target, delivery: Option<&Delivery>, now: Reading) -> Permission {
        let Some(limits) = &self.limits else { return Permission::Granted };
        let needed = delivery.map_or(1, |delivery| (limits.sends)(delivery));
        let under_way = self.under_way.values().map(|(target, sends)| (target, *sends));
        match self.usage.gate(limits, under_way, target, needed, now) {
            Gate::Open => Permission::Granted,
            Gate::Closed { .. } => match self.usage.gate(limits, std::iter::empty(), target, needed, now) {
                Gate::Open => {
                    self.is_waited_for = true;
                    Permission::AfterThoseUnderWay
                }
                Gate::Closed { reason, until } => Permission::Withheld { reason, until },
            },
        }
    }

    /// The sender is about to be called.
    pub fn begin(&mut self, delivery: &Delivery) {
        if let Some(limits) = &self.limits {
            let sends = (limits.sends)(delivery);
            self.under_way.insert(delivery.push_id, (delivery.target.clone(), sends));
        }
    }

    /// The attempt is not under way any more. True: somebody waited for that.
    pub fn end(&mut self, push_id: i64) -> bool {
        self.under_way.remove(&push_id).is_some() && std::mem::take(&mut self.is_waited_for)
    }

    /// What the sender says was used. What came later and was told earlier holds.
    pub fn told(&mut self, usage: Usage) {
        if usage.number >= self.usage.number {
            self.usage = usage;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::Moment;
    use crate::domain::limits::{Quota, Window};

    const WINDOWS: &[Window] = &[Window::fine(2, Duration::from_secs(60))];
    const TWO_A_MINUTE: Limits =
        Limits { quota: |_| Quota { windows: WINDOWS, subjects: vec!["robot"] }, replies: None, sends: |_| 1 };
    const NOW: Reading = Reading { wall: UtcMs(1_767_229_200_000), moment: Moment(Duration::from_secs(1000)) };

    fn target() -> Target {
        Target::Group("ops".to_owned())
    }

    fn usage(number: u64, sends: u32) -> Usage {
        let mut usage = Usage { number, line: NOW, ..Usage::default() };
        usage.count(&TWO_A_MINUTE, &target(), sends, NOW);
        usage
    }

    fn allowance(sends: u32, under_way: i64) -> Allowance {
        let mut allowance = Allowance::new(Some(TWO_A_MINUTE));
        allowance.told(usage(1, sends));
        allowance.under_way = (0..under_way).map(|id| (id, (target(), 1))).collect();
        allowance
    }

    #[test]
    fn who_finds_the_room_taken_by_what_is_under_way_waits_for_its_end_and_for_no_hour() {
        let until = Some(NOW.wall + Duration::from_secs(60));
        let withheld = Permission::Withheld { reason: Reason::RateLimit, until };
        let rows = [
            (0, 0, Permission::Granted),
            (1, 0, Permission::Granted),
            (1, 1, Permission::AfterThoseUnderWay),
            (0, 2, Permission::AfterThoseUnderWay),
            (2, 0, withheld.clone()),
            (2, 1, withheld),
        ];
        for (sends, under_way, expected) in rows {
            let mut allowance = allowance(sends, under_way);
            assert_eq!(allowance.ask(&target(), None, NOW), expected, "{sends} and {under_way}");
            assert_eq!((0..under_way).any(|id| allowance.end(id)), expected == Permission::AfterThoseUnderWay);
        }
    }

    #[test]
    fn what_was_told_earlier_and_comes_later_is_not_taken_for_news() {
        let mut allowance = allowance(0, 0);
        allowance.told(usage(3, 2));
        allowance.told(usage(2, 0));
        assert_ne!(allowance.ask(&target(), None, NOW), Permission::Granted);
        assert_eq!(Allowance::default().ask(&target(), None, NOW), Permission::Granted, "without limits");
    }

    #[test]
    fn limits_that_break_down_keep_the_pushes_of_their_own_account_waiting() {
        let broken = Limits { quota: |_| panic!("as a sender might"), ..TWO_A_MINUTE };
        let told = Allowance::new(Some(broken)).permission(&target(), None, NOW);
        assert!(matches!(told, Permission::Withheld { reason: Reason::SenderBroken, until: None }), "{told:?}");
        assert!(matches!(allowance(0, 0).permission(&target(), None, NOW), Permission::Granted));
    }
}
