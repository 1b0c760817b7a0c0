//! How often an account may send, and when. Pure values: what its platform grants ([`Limits`], which its sender states)
//! and what was used of it ([`Usage`], which its sender counts, since it makes the calls). Whoever holds both can tell
//! for any hour whether a send may begin, and when to look again.

mod replies;
mod sliding;
mod tallies;

use std::collections::HashMap;

pub use self::replies::{Conversation, Replies};
pub use self::sliding::{Tally, Window, free_at};
pub use self::tallies::{CHATS, EVERYONE, Quota, Tallies};
use super::{Delivery, Moment, Reading, Reason, Target, UtcMs};

/// What a platform grants an account.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Which windows hold for a send to a target, and for whom it counts.
    pub quota: fn(&Target) -> Quota<'_>,
    /// The account only answers: so long and so often after a message of the contact.
    pub replies: Option<Replies>,
    /// How many sends a delivery still takes of those that must be free before it begins.
    pub sends: fn(&Delivery) -> u32,
}

/// Whether a target may be written to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// `reason` says why; `until` is when to look again, if that is known.
    Closed {
        reason: Reason,
        until: Option<UtcMs>,
    },
}

/// What an account has used of its limits.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Grows with each that the same sender tells: of two the greater is the newer.
    pub number: u64,
    /// The line by which tallies and rests go, which nobody sets: what it showed, and when.
    pub line: Reading,
    pub tallies: Tallies,
    /// The platform asked for a rest, by the line.
    pub blocked_until: Option<UtcMs>,
    /// By the ids of contacts; one who is not there never wrote. None: nothing is known of any.
    pub conversations: Option<HashMap<String, Conversation>>,
}

impl Default for Usage {
    /// Nothing was sent, and nothing is known.
    fn default() -> Usage {
        Usage {
            number: 0,
            line: Reading { wall: UtcMs(0), moment: Moment::default() },
            tallies: Tallies::default(),
            blocked_until: None,
            conversations: None,
        }
    }
}

impl Usage {
    /// What the line shows at this moment.
    pub fn line_at(&self, moment: Moment) -> UtcMs {
        self.line.wall_at(moment)
    }

    /// Whether `needed` sends to a target may begin, with `under_way` (the targets of attempts, and how many sends each
    /// takes) counted as sent now: a send that has not ended holds its place.
    pub fn gate<'a>(
        &self,
        limits: &Limits,
        under_way: impl Iterator<Item = (&'a Target, u32)>,
        target: &Target,
        needed: u32,
        now: Reading,
    ) -> Gate {
        let line = self.line_at(now.moment);
        let (mut pending, mut pending_here) = (Tallies::default(), 0);
        for (other, sends) in under_way {
            let quota = (limits.quota)(other);
            (0..sends).for_each(|_| pending.add(&quota, line));
            pending_here += if other == target { sends } else { 0 };
        }
        if let (Some(replies), Some(conversations)) = (limits.replies, &self.conversations) {
            let mut conversation = conversations.get(target.id()).cloned().unwrap_or_default();
            conversation.sends_since_inbound = conversation.sends_since_inbound.saturating_add(pending_here);
            if conversation.obstacle(needed, replies, now.wall).is_some() {
                return Gate::Closed { reason: Reason::WindowClosed, until: None };
            }
        }
        match self.free_at(&(limits.quota)(target), &pending, line) {
            None => Gate::Open,
            Some(free) => Gate::Closed { reason: Reason::RateLimit, until: Some(now.wall + free.since(line)) },
        }
    }

    /// When, by the line, one more send may go out; None: now.
    pub fn free_at(&self, quota: &Quota, pending: &Tallies, line: UtcMs) -> Option<UtcMs> {
        let counted = self.tallies.free_at(pending, quota, line);
        counted.max(self.blocked_until.filter(|until| *until > line))
    }

    /// Counts sends that leave now. For whoever plays a sender; real ones count each part when its call begins.
    pub fn count(&mut self, limits: &Limits, target: &Target, sends: u32, now: Reading) {
        let (quota, line) = ((limits.quota)(target), self.line_at(now.moment));
        (0..sends).for_each(|_| self.tallies.add(&quota, line));
        if let Some(conversations) = &mut self.conversations {
            conversations.entry(target.id().to_owned()).or_default().sends_since_inbound += sends;
        }
    }

    /// Takes back what was counted at `at`, by the line, and never left.
    pub fn take_back(&mut self, limits: &Limits, target: &Target, sends: u32, at: UtcMs) {
        let quota = (limits.quota)(target);
        (0..sends).for_each(|_| self.tallies.take_back(&quota, at));
        self.take_back_replies(target, sends);
    }

    /// Takes back what the platform refused: it used up none of what it grants after a message of the contact.
    pub fn take_back_replies(&mut self, target: &Target, sends: u32) {
        if let Some(conversation) = self.conversations.as_mut().and_then(|known| known.get_mut(target.id())) {
            conversation.sends_since_inbound = conversation.sends_since_inbound.saturating_sub(sends);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WINDOWS: &[Window] = &[Window::fine(3, Duration::from_secs(60))];
    const LIMITS: Limits =
        Limits { quota: |_| Quota { windows: WINDOWS, subjects: vec!["robot"] }, replies: None, sends: |_| 1 };
    const ANSWERS: Limits = Limits { replies: Some(Replies { window: Duration::from_secs(3600), quota: 2 }), ..LIMITS };

    fn at(wall: i64, moment: u64) -> Reading {
        Reading { wall: UtcMs(wall), moment: Moment(Duration::from_secs(moment)) }
    }

    fn ops() -> Target {
        Target::Group("ops".to_owned())
    }

    fn usage(line: Reading) -> Usage {
        Usage { line, ..Usage::default() }
    }

    fn gate(usage: &Usage, limits: &Limits, needed: u32, now: Reading) -> Gate {
        usage.gate(limits, std::iter::empty(), &ops(), needed, now)
    }

    #[test]
    fn a_window_is_judged_by_time_that_passes_and_told_by_the_clock_on_the_wall() {
        let mut usage = usage(at(5_000, 100));
        (0..3).for_each(|_| usage.count(&LIMITS, &ops(), 1, at(5_000, 100)));
        // The wall clock was put back by a day meanwhile.
        let closed = Gate::Closed { reason: Reason::RateLimit, until: Some(UtcMs(-86_400_000 + 40_000)) };
        assert_eq!(gate(&usage, &LIMITS, 1, at(-86_400_000, 120)), closed);
        assert_eq!(gate(&usage, &LIMITS, 1, at(-86_400_000, 160)), Gate::Open);
    }

    #[test]
    fn what_is_under_way_holds_its_place_however_long_it_takes() {
        let mut usage = usage(at(0, 0));
        usage.count(&LIMITS, &ops(), 1, at(0, 0));
        let target = ops();
        let gate = |sends, now| usage.gate(&LIMITS, [(&target, sends)].into_iter(), &target, 1, now);
        assert_eq!(gate(1, at(0, 0)), Gate::Open);
        assert_ne!(gate(2, at(59_000, 59)), Gate::Open);
        assert_eq!(gate(2, at(60_000, 60)), Gate::Open, "the one that is told has left the window");
        assert_ne!(gate(3, at(600_000, 600)), Gate::Open);
    }

    #[test]
    fn a_rest_that_the_platform_asked_for_ends_when_it_is_over() {
        let rest = Usage { blocked_until: Some(UtcMs(10_000)), ..usage(at(0, 0)) };
        let closed = Gate::Closed { reason: Reason::RateLimit, until: Some(UtcMs(10_000)) };
        assert_eq!(gate(&rest, &LIMITS, 1, at(3_000, 3)), closed);
        assert_eq!(gate(&rest, &LIMITS, 1, at(10_000, 10)), Gate::Open);
    }

    #[test]
    fn an_account_that_only_answers_waits_for_a_word_and_has_so_many_sends_after_it() {
        let closed = Gate::Closed { reason: Reason::WindowClosed, until: None };
        let mut usage = usage(at(0, 0));
        assert_eq!(gate(&usage, &ANSWERS, 1, at(0, 0)), Gate::Open, "nothing is known yet");
        usage.conversations = Some(HashMap::new());
        assert_eq!(gate(&usage, &ANSWERS, 1, at(0, 0)), closed);
        usage.conversations.as_mut().unwrap().entry("ops".to_owned()).or_default().inbound(UtcMs(0));
        assert_eq!(gate(&usage, &ANSWERS, 2, at(0, 0)), Gate::Open);
        usage.count(&ANSWERS, &ops(), 1, at(0, 0));
        assert_eq!(
            (gate(&usage, &ANSWERS, 1, at(0, 0)), gate(&usage, &ANSWERS, 2, at(0, 0))),
            (Gate::Open, closed.clone())
        );
        usage.take_back(&ANSWERS, &ops(), 1, UtcMs(0));
        assert_eq!(gate(&usage, &ANSWERS, 2, at(0, 0)), Gate::Open);
        assert_eq!(gate(&usage, &ANSWERS, 2, at(3_600_000, 1)), closed, "by the clock on the wall, as platforms count");
        let target = ops();
        let under_way = usage.gate(&ANSWERS, [(&target, 2)].into_iter(), &target, 1, at(0, 0));
        assert_eq!(under_way, closed);
    }
}
