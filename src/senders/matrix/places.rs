//! What is known of where targets lead, and for how long it counts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::domain::{Delivery, Locked, Target, UtcMs};

/// How long a look counts. A moved alias or a replaced room is noticed this late at the latest, where the old room goes
/// on taking what nobody reads any more.
pub(super) const FRESH: Duration = Duration::from_secs(300);

/// Of more targets than this nothing is kept in memory but for those in use.
const MOST: usize = 10_000;

/// The room to which a target leads.
#[derive(Clone)]
pub(super) struct Place {
    pub lead: Lead,
    /// Clients show there that our messages are not encrypted.
    pub encrypted: bool,
    /// The target names a room that this one replaced.
    pub replaces: bool,
    pub seen: Option<Seen>,
}

/// When the target was looked at: on the steady line, and after how many reloads.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub at: UtcMs,
    pub era: u64,
}

/// Where a target leads, as the memory keeps it over restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    pub room: String,
    /// Where it led before, and when that was found to have changed.
    pub before: Option<(String, UtcMs)>,
}

impl Lead {
    pub(super) fn to(room: &str) -> Lead {
        Lead { room: room.to_owned(), before: None }
    }

    /// `ROOM`, or `ROOM SINCE ROOM_BEFORE`.
    pub(super) fn parse(text: &str) -> Lead {
        let mut words = text.split(' ');
        let room = words.next().unwrap_or_default().to_owned();
        let since = words.next().and_then(|ms| ms.parse().ok()).map(UtcMs);
        Lead { room, before: since.map(|since| (words.next().unwrap_or_default().to_owned(), since)) }
    }

    pub(super) fn as_text(&self) -> String {
        match &self.before {
            Some((before, since)) => format!("{} {} {before}", self.room, since.0),
            None => self.room.clone(),
        }
    }

    /// The other room in which an earlier try of this delivery may have arrived: its target led there when or after the
    /// push was made.
    pub(super) fn elsewhere(&self, delivery: &Delivery) -> Option<&str> {
        let (before, since) = self.before.as_ref()?;
        (*since >= delivery.made_at).then_some(before)
    }
}

pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Place>>>;

/// One slot for each target, held over its look-up, so that two pushes to one user do not open two rooms and a slow
/// look-up holds up no other target.
#[derive(Default)]
pub(super) struct Places {
    slots: Mutex<HashMap<String, Slot>>,
    /// How often the definitions were read anew.
    era: AtomicU64,
    /// When the youngest push seen was made.
    youngest: AtomicI64,
}

impl Places {
    pub(super) fn slot(&self, target: &Target) -> Slot {
        let mut slots = self.slots.locked();
        if slots.len() >= MOST {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        slots.entry(key(target)).or_default().clone()
    }

    /// Everything is looked at again before it is used.
    pub(super) fn doubt_all(&self) {
        self.era.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn seen(&self, now: UtcMs) -> Seen {
        Seen { at: now, era: self.era.load(Ordering::SeqCst) }
    }

    pub(super) fn is_fresh(&self, seen: Option<Seen>, now: UtcMs) -> bool {
        seen.is_some_and(|seen| seen.era == self.era.load(Ordering::SeqCst) && now.since(seen.at) < FRESH)
    }

    /// The instant of a change that is found at `now`: none of the pushes seen so far was made after it, also where the
    /// clock was put back meanwhile. What a nonsensical row claims about itself counts for a day at most.
    pub(super) fn changed_at(&self, now: UtcMs) -> UtcMs {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        now.max(UtcMs(self.youngest.load(Ordering::Relaxed)).min(now + DAY))
    }

    pub(super) fn saw(&self, delivery: &Delivery) {
        self.youngest.fetch_max(delivery.made_at.0, Ordering::Relaxed);
    }
}

/// The memory's key for a target.
pub(super) fn key(target: &Target) -> String {
    match target {
        Target::Group(room) => format!("room:{room}"),
        Target::User(user) => format!("direct:{user}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_is_kept_as_text_and_what_older_versions_kept_is_read() {
        let moved = Lead { room: "!new:x".into(), before: Some(("!old:x".into(), UtcMs(5))) };
        for lead in [Lead::to("!a:x"), moved] {
            assert_eq!(Lead::parse(&lead.as_text()), lead);
        }
        assert_eq!(Lead::parse("!a:x"), Lead::to("!a:x"));
    }

    #[test]
    fn of_many_targets_only_those_in_use_are_kept() {
        let places = Places::default();
        let used = places.slot(&Target::Group("#used".into()));
        for at in 0..3 * MOST {
            places.slot(&Target::User(format!("@{at}")));
            assert!(places.slots.lock().unwrap().len() <= MOST);
        }
        assert!(Arc::ptr_eq(&used, &places.slot(&Target::Group("#used".into()))));
    }

    #[test]
    fn a_change_is_never_older_than_a_push_that_was_seen_before_it() {
        let places = Places::default();
        assert_eq!(places.changed_at(UtcMs(1000)), UtcMs(1000));
        places.youngest.store(5000, Ordering::Relaxed);
        assert_eq!(places.changed_at(UtcMs(1000)), UtcMs(5000), "the clock was put back");
        places.youngest.store(i64::MAX, Ordering::Relaxed);
        assert_eq!(places.changed_at(UtcMs(1000)), UtcMs(86_401_000));
    }
}
