//! What a send counts for, and the counts of all for whom something counts.

use std::collections::HashMap;
use std::sync::Arc;

use super::sliding::{Tally, Window, free_at};
use crate::domain::UtcMs;

/// What a send counts for, and how often that may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota<'a> {
    pub windows: &'static [Window],
    /// Members, a single word for an account of one place, or one of the words below.
    pub subjects: Vec<&'a str>,
}

/// The subject of sends that count for every member: `@all`, departments, tags.
pub const EVERYONE: &str = "@all";
/// The subject of sends to chats, whose members are not known: they count together and apart from all others.
pub const CHATS: &str = "chats";

/// A tally for each subject. Cloning is cheap: what is not changed is shared.
#[derive(Clone, Debug, Default)]
pub struct Tallies(HashMap<String, Arc<Tally>>);

impl Tallies {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, subject: &str) -> Option<&Tally> {
        self.0.get(subject).map(|tally| &**tally)
    }

    /// The tally of a subject, to be changed.
    pub fn of(&mut self, subject: &str) -> &mut Tally {
        Arc::make_mut(self.0.entry(subject.to_owned()).or_default())
    }

    pub fn add(&mut self, quota: &Quota, at: UtcMs) {
        quota.subjects.iter().for_each(|subject| self.of(subject).add(quota.windows, at));
    }

    /// Takes back what was added at `at`.
    pub fn take_back(&mut self, quota: &Quota, at: UtcMs) {
        quota.subjects.iter().for_each(|subject| self.of(subject).take_back(quota.windows, at));
    }

    /// Forgets the members to whom nothing went of late; `windows` are theirs.
    pub fn forget_idle(&mut self, windows: &[Window], now: UtcMs) {
        // Chats have windows of their own, and are one subject.
        self.0.retain(|subject, tally| subject == CHATS || !tally.is_idle(windows, now));
    }

    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is counted for a subject, here and there.
    fn with<'a>(&'a self, pending: &'a Tallies, subject: &str) -> Vec<&'a Tally> {
        [self.get(subject), pending.get(subject)].into_iter().flatten().collect()
    }

    /// When one more send may go out, with `pending` counted too; None: now.
    pub fn free_at(&self, pending: &Tallies, quota: &Quota, now: UtcMs) -> Option<UtcMs> {
        let free = |subject: Option<&str>| {
            let mut tallies = self.with(pending, EVERYONE);
            tallies.extend(subject.map(|subject| self.with(pending, subject)).into_iter().flatten());
            free_at(&tallies, quota.windows, now)
        };
        if quota.subjects.contains(&EVERYONE) {
            let all = self.subjects().chain(pending.subjects());
            let members = all.filter(|subject| ![EVERYONE, CHATS].contains(subject));
            members.map(|member| free(Some(member))).max().unwrap_or_else(|| free(None))
        } else if quota.subjects == [CHATS] {
            free_at(&self.with(pending, CHATS), quota.windows, now)
        } else {
            quota.subjects.iter().map(|subject| free(Some(subject))).max().flatten()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WINDOWS: &[Window] = &[Window::coarse(30, Duration::from_secs(60))];
    const START: UtcMs = UtcMs(1_767_229_200_000);

    #[test]
    fn members_to_whom_nothing_went_of_late_are_forgotten_and_no_count_that_still_holds() {
        let later = START + Duration::from_secs(3600);
        let mut tallies = Tallies::default();
        for member in 0..1000 {
            let at = if member < 5 { later } else { START };
            tallies.of(&member.to_string()).add(WINDOWS, at);
        }
        tallies.of(CHATS).add(WINDOWS, START);
        tallies.forget_idle(WINDOWS, later);
        let mut kept: Vec<&str> = tallies.subjects().collect();
        kept.sort_unstable();
        assert_eq!(kept, ["0", "1", "2", "3", "4", CHATS]);
    }

    #[test]
    fn what_is_pending_counts_for_whom_it_will_count() {
        let quota = |subject| Quota { windows: WINDOWS, subjects: vec![subject] };
        let (mut sent, mut pending) = (Tallies::default(), Tallies::default());
        (0..20).for_each(|_| sent.add(&quota("lisi"), START));
        (0..9).for_each(|_| pending.add(&quota(EVERYONE), START));
        let is_free = |pending: &Tallies, subject| sent.free_at(pending, &quota(subject), START).is_none();
        assert!(is_free(&pending, "lisi") && is_free(&pending, EVERYONE));
        pending.add(&quota("lisi"), START);
        assert!(!is_free(&pending, "lisi") && !is_free(&pending, EVERYONE), "what goes to all goes to lisi too");
        assert!(is_free(&pending, "zhangsan") && is_free(&pending, CHATS));
    }
}
