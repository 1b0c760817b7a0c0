//! How many requests may wait for the ends of their pushes: each holds a connection meanwhile, and the others must get theirs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Of one who asks.
pub(super) const OF_ONE: usize = 16;
/// Of all: half of the connections.
pub(super) const OF_ALL: usize = 32;

/// How many wait now, by who they are.
#[derive(Default)]
pub(super) struct Waits(Mutex<HashMap<String, usize>>);

/// One that waits, for as long as it does.
pub(super) struct Waiting<'w> {
    waits: &'w Waits,
    who: String,
}

impl Waits {
    /// None where so many wait already that this one must be answered at once.
    pub(super) fn begin(&self, who: String) -> Option<Waiting<'_>> {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = waits.values().sum();
        let own = waits.entry(who.clone()).or_default();
        if *own >= OF_ONE || all >= OF_ALL {
            waits.retain(|_, count| *count > 0);
            return None;
        }
        *own += 1;
        Some(Waiting { waits: self, who })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waits = self.waits.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = waits.get_mut(&self.who) {
            *own -= 1;
        }
        waits.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_so_many_all_have_so_many_and_who_ends_makes_room() {
        let waits = Waits::default();
        let begin = |who: &str| waits.begin(who.to_owned());
        let mut of_one: Vec<_> = (0..OF_ONE).map(|_| begin("a").unwrap()).collect();
        assert!(begin("a").is_none());
        let of_another: Vec<_> = (OF_ONE..OF_ALL).map(|_| begin("b").unwrap()).collect();
        assert!(begin("c").is_none(), "the rest is for those who do not wait");
        of_one.pop();
        let room = begin("c").unwrap();
        assert!(begin("a").is_none());
        drop((of_one, of_another, room));
        assert!(waits.0.lock().unwrap().is_empty(), "nobody is remembered");
    }
}
