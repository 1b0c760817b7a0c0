//! The accounts of the running daemon: their senders, and what is known of their health.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::core::{AccountLimits, Trust};
use crate::domain::{Account, Health, Moment, Reading, Report, SenderSpec, UtcMs};
use crate::policy::account::{Candidate, Choice, Fallback, PushQuery, choose};
use crate::policy::health;
use crate::senders::{Probe, Sender};
use crate::store::{AccountRow, OpenPush};

/// One account with all that belongs to it.
pub struct Member {
    pub id: Arc<str>,
    pub account: Account,
    pub sender: Arc<dyn Sender>,
    spec: &'static SenderSpec,
    pub limits: AccountLimits,
    pub health: Health,
    /// Failures in a row, for the breaker.
    failures: u32,
    /// Some job's push may go through it, so that it is probed now and then.
    pub used: bool,
    pub probing: bool,
    /// Names the sender: what one of an earlier definition still has to say is not about this one.
    pub generation: u64,
    /// Its lane starts nothing before, since an earlier process has just made an attempt.
    pub start_after: Option<Moment>,
}

/// What an earlier process knew of an account that still holds, as the tables tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastAccount {
    pub id: String,
    pub cooldown_until: Option<UtcMs>,
    pub last_attempt_at: Option<UtcMs>,
}

static GENERATIONS: AtomicU64 = AtomicU64::new(1);

impl Member {
    /// Nothing is known of its health yet, whatever an earlier process wrote.
    pub fn new(account: Account, spec: &'static SenderSpec, sender: Arc<dyn Sender>, used: bool) -> Member {
        let limits = AccountLimits {
            sender: spec.name,
            concurrency: account.concurrency.unwrap_or(spec.concurrency).max(1),
            min_interval: account.min_interval.unwrap_or(Duration::from_millis(spec.min_interval_ms)),
        };
        let id = Arc::from(account.id.as_str());
        let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
        let health = Health::default();
        let (failures, probing, start_after) = (0, false, None);
        Member { id, account, sender, spec, limits, health, failures, used, probing, generation, start_after }
    }

    /// How far its lane is trusted with attempts ahead of its free slots.
    pub fn trust(&self) -> Trust {
        match self.failures {
            0 => Trust::Full,
            failures if health::is_open(failures) => Trust::Trial,
            _ => Trust::Slots,
        }
    }

    /// The row that the tables show.
    pub fn row(&self, now: Reading) -> AccountRow {
        AccountRow {
            id: self.account.id.clone(),
            im: self.account.im.clone(),
            sender: self.account.sender.clone(),
            is_default: self.account.is_default,
            health: self.health.clone().as_told(now),
        }
    }
}

/// All accounts in file order.
#[derive(Default)]
pub struct Roster {
    members: Vec<Member>,
    by_id: HashMap<Arc<str>, usize>,
    fallback: Fallback,
}

impl Roster {
    pub fn new(members: Vec<Member>, fallback: Fallback) -> Roster {
        let by_id = members.iter().enumerate().map(|(index, member)| (member.id.clone(), index)).collect();
        Roster { members, by_id, fallback }
    }

    /// Replaces the accounts after a reload; what is known of those that stayed the same stays known, but for
    /// the rest after failures.
    pub fn replace(&mut self, mut roster: Roster) {
        for member in &mut roster.members {
            if let Some(old) = self.get(&member.id)
                && old.account == member.account
            {
                member.health = health::after_reload(&old.health, old.failures);
                member.failures = old.failures;
                // The old sender goes on: it may hold tokens and a long poll that a new one would have to win back.
                // Not so where no job used the account: the listener that starts now belongs to the new sender, and
                // what it hears must be known to the one that sends.
                if old.used || !member.used {
                    member.sender = old.sender.clone();
                    member.sender.reloaded();
                    member.generation = old.generation;
                    member.probing = old.probing;
                }
            }
        }
        *self = roster;
    }

    /// Lets rests and paces of an earlier process go on for what is left of them. `seen` is the present, or a later hour
    /// that was seen before, so that a clock that was put back meanwhile adds nothing to them.
    pub fn resume(&mut self, past: &[PastAccount], seen: Reading) {
        for account in past {
            let Some(member) = self.get_mut(&account.id) else { continue };
            member.health = health::after_restart(account.cooldown_until, seen);
            let paced_until =
                account.last_attempt_at.map(|at| seen.moment_at(at.min(seen.wall) + member.limits.min_interval));
            member.start_after = paced_until.filter(|until| *until > seen.moment);
        }
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    pub fn get(&self, id: &str) -> Option<&Member> {
        self.by_id.get(id).map(|index| &self.members[*index])
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.by_id.get(id).map(|index| &mut self.members[*index])
    }

    /// How many are known to be down.
    pub fn offline(&self) -> usize {
        self.members.iter().filter(|member| member.health.online == Some(false)).count()
    }

    pub fn rows(&self, now: Reading) -> Vec<AccountRow> {
        self.members.iter().map(|member| member.row(now)).collect()
    }

    /// Which account is to send this push now (design §4).
    pub fn choose(&self, push: &OpenPush, now: Moment) -> Choice {
        let query = PushQuery {
            im: &push.im,
            kind: push.kind,
            is_group: push.target.is_group(),
            account: push.account.as_deref(),
            trigger: push.triggered_by,
            chat: push.chat.as_ref().map(|(im, account)| (im.as_str(), account.as_str())),
            fallback: self.fallback,
            now,
        };
        let candidates: Vec<Candidate> = self
            .members
            .iter()
            .map(|member| Candidate {
                id: &member.account.id,
                im: &member.account.im,
                is_default: member.account.is_default,
                health: &member.health,
                support: member.spec.support,
            })
            .collect();
        choose(&query, &candidates)
    }

    /// What an attempt's report says of its account. Returns the new health if more than its date changed, and
    /// whether the account could send before.
    pub fn learn_attempt(&mut self, id: &str, report: &Report, now: Reading) -> Option<(Health, bool)> {
        let member = self.get_mut(id)?;
        member.failures = health::failures_after(&report.outcome, member.failures);
        let learned = health::after_attempt(report, &member.health, member.failures, now);
        let before = std::mem::replace(&mut member.health, learned);
        let could_send = before.can_send(now.moment);
        let undated = |health: &Health| Health { checked_at: None, ..health.clone() };
        (undated(&before) != undated(&member.health)).then(|| (member.health.clone(), could_send))
    }

    /// What a probe says. Returns whether the account's ability to send is news.
    pub fn learn_probe(&mut self, id: &str, probe: Probe, now: Reading) -> bool {
        let Some(member) = self.get_mut(id) else { return false };
        member.probing = false;
        let could_send = (!member.health.never_probed()).then(|| member.health.can_send(now.moment));
        if probe.online == Some(true) && probe.sendable != Some(false) {
            member.failures = 0;
        }
        member.health = health::after_probe(probe.online, probe.sendable, probe.error, &member.health, now);
        could_send != Some(member.health.can_send(now.moment))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use async_trait::async_trait;

    use super::*;
    use crate::domain::Delivery;
    use crate::domain::account::Settings;
    use crate::senders::find;

    #[derive(Default)]
    struct Told(AtomicU32);

    #[async_trait]
    impl Sender for Told {
        async fn send(&self, _: &Delivery) -> Report {
            Report::sent(None)
        }

        async fn probe(&self) -> Probe {
            Probe::up()
        }

        fn reloaded(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn roster(sender: &Arc<Told>) -> Roster {
        let account = Account {
            id: "bot".to_owned(),
            im: "im".to_owned(),
            sender: "console".to_owned(),
            is_default: true,
            concurrency: None,
            min_interval: None,
            settings: Settings { values: Default::default() },
        };
        let spec = find("console").unwrap().spec;
        Roster::new(vec![Member::new(account, spec, sender.clone(), true)], Fallback::default())
    }

    #[test]
    fn a_sender_that_goes_on_over_a_reload_is_told_of_it() {
        let (old, new) = (Arc::new(Told::default()), Arc::new(Told::default()));
        let mut in_force = roster(&old);
        in_force.replace(roster(&new));
        assert_eq!([&old, &new].map(|sender| sender.0.load(Ordering::Relaxed)), [1, 0]);
    }
}
