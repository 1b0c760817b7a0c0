//! The accounts of the running daemon: their senders, and what is known of their health.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::core::{AccountLimits, Allowance, Trust};
use crate::domain::{Account, Health, Moment, Reading, Reason, Report, SenderSpec, UtcMs};
use crate::policy::account::{Candidate, Choice, Fallback, PushQuery, choose, why_not};
use crate::policy::health;
use crate::senders::{Probe, Sender};
use crate::store::{AccountRow, OpenPush};

/// One account with all that belongs to it while the daemon runs.
pub struct LiveAccount {
    pub id: Arc<str>,
    pub account: Account,
    pub sender: Arc<dyn Sender>,
    spec: &'static SenderSpec,
    pub limits: AccountLimits,
    /// What its platform lets it send now.
    pub allowance: Allowance,
    pub health: Health,
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
    pub failures: u32,
    /// Why it rests, where it does.
    pub last_error: Option<String>,
    pub last_attempt_at: Option<UtcMs>,
}

static GENERATIONS: AtomicU64 = AtomicU64::new(1);

impl LiveAccount {
    /// Nothing is known of its health yet, whatever an earlier process wrote.
    pub fn new(account: Account, spec: &'static SenderSpec, sender: Arc<dyn Sender>, used: bool) -> LiveAccount {
        let limits = AccountLimits {
            sender: spec.name,
            concurrency: account.concurrency.unwrap_or(spec.concurrency).max(1),
            min_interval: account.min_interval.unwrap_or(Duration::from_millis(spec.min_interval_ms)),
        };
        let id = Arc::from(account.id.as_str());
        let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
        let health = Health::default();
        let allowance = Allowance::new(sender.limits());
        let (probing, start_after) = (false, None);
        LiveAccount { id, account, sender, spec, limits, allowance, health, used, probing, generation, start_after }
    }

    /// How far its lane is trusted with attempts ahead of its free slots.
    pub fn trust(&self) -> Trust {
        match self.health.failures {
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

/// So many accounts are named to say why nobody sends a push, and of the words of each so many characters: many rows have them.
const MOST_TOLD: usize = 6;
const LONGEST_TOLD: usize = 160;

impl LiveAccount {
    /// Why it does not send, with what it was told last.
    fn in_words(&self, reason: Reason) -> String {
        let word = match reason {
            Reason::AccountOffline => "offline",
            Reason::AccountNotSendable => "may not send",
            Reason::AccountCoolingDown => "rests after failures",
            Reason::KindNotSupported => return format!("{}: cannot carry this kind", self.id),
            _ => "not known to be online",
        };
        let error = self.health.last_error.as_deref().unwrap_or_default();
        let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut = error.char_indices().nth(LONGEST_TOLD).map(|(at, _)| at);
        match (error.is_empty(), cut) {
            (true, _) => format!("{}: {word}", self.id),
            (false, None) => format!("{}: {word}: {error}", self.id),
            (false, Some(at)) => format!("{}: {word}: {}…", self.id, &error[..at]),
        }
    }
}

/// All accounts in file order.
#[derive(Default)]
pub struct Accounts {
    accounts: Vec<LiveAccount>,
    by_id: HashMap<Arc<str>, usize>,
    fallback: Fallback,
}

impl Accounts {
    pub fn new(accounts: Vec<LiveAccount>, fallback: Fallback) -> Accounts {
        let by_id = accounts.iter().enumerate().map(|(index, live)| (live.id.clone(), index)).collect();
        Accounts { accounts, by_id, fallback }
    }

    /// Replaces the accounts after a reload; what is known of those that stayed the same stays known, but for
    /// the rest after failures.
    pub fn replace(&mut self, mut accounts: Accounts) {
        for live in &mut accounts.accounts {
            if let Some(old) = self.get(&live.id)
                && old.account == live.account
            {
                live.health = health::after_reload(&old.health);
                // The old sender goes on: it may hold tokens and a long poll that a new one would have to win back.
                // Not so where no job used the account: the listener that starts now belongs to the new sender, and
                // what it hears must be known to the one that sends.
                if old.used || !live.used {
                    live.sender = old.sender.clone();
                    live.sender.reloaded();
                    live.generation = old.generation;
                    live.probing = old.probing;
                    live.allowance = old.allowance.clone();
                }
            }
        }
        *self = accounts;
    }

    /// Lets rests and paces of an earlier process go on for what is left of them. `seen` is the present, or a later hour
    /// that was seen before, so that a clock that was put back meanwhile adds nothing to them.
    pub fn resume(&mut self, past: &[PastAccount], seen: Reading) {
        for account in past {
            let Some(live) = self.get_mut(&account.id) else { continue };
            live.health =
                health::after_restart(account.failures, account.cooldown_until, account.last_error.as_deref(), seen);
            let paced_until =
                account.last_attempt_at.map(|at| seen.moment_at(at.min(seen.wall) + live.limits.min_interval));
            live.start_after = paced_until.filter(|until| *until > seen.moment);
        }
    }

    pub fn all(&self) -> &[LiveAccount] {
        &self.accounts
    }

    pub fn get(&self, id: &str) -> Option<&LiveAccount> {
        self.by_id.get(id).map(|index| &self.accounts[*index])
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut LiveAccount> {
        self.by_id.get(id).map(|index| &mut self.accounts[*index])
    }

    /// The account at this place in [`Accounts::all`].
    pub fn at_mut(&mut self, index: usize) -> Option<&mut LiveAccount> {
        self.accounts.get_mut(index)
    }

    /// How many are known to be down.
    pub fn offline(&self) -> usize {
        self.accounts.iter().filter(|live| live.health.online == Some(false)).count()
    }

    pub fn rows(&self, now: Reading) -> Vec<AccountRow> {
        self.accounts.iter().map(|live| live.row(now)).collect()
    }

    /// Which account is to send this push now (design §4).
    pub fn choose(&self, push: &OpenPush, now: Moment) -> Choice {
        choose(&self.query(push, now), &self.candidates())
    }

    /// Why no account sends this push now, account by account, for people. None where there is none that could be asked.
    pub fn why_not(&self, push: &OpenPush, now: Moment) -> Option<Arc<str>> {
        let each = why_not(&self.query(push, now), &self.candidates());
        let mut told: Vec<String> = each
            .iter()
            .take(MOST_TOLD)
            .filter_map(|(index, reason)| Some(self.accounts.get(*index)?.in_words(*reason)))
            .collect();
        if each.len() > MOST_TOLD {
            told.push(format!("and {} more", each.len() - MOST_TOLD));
        }
        (!told.is_empty()).then(|| told.join("; ").into())
    }

    fn query<'a>(&self, push: &'a OpenPush, now: Moment) -> PushQuery<'a> {
        PushQuery {
            im: &push.im,
            kind: push.kind,
            is_group: push.target.is_group(),
            account: push.account.as_deref(),
            trigger: push.triggered_by,
            chat: push.chat.as_ref().map(|(im, account)| (im.as_str(), account.as_str())),
            fallback: self.fallback,
            now,
        }
    }

    fn candidates(&self) -> Vec<Candidate<'_>> {
        self.accounts
            .iter()
            .map(|live| Candidate {
                id: &live.account.id,
                im: &live.account.im,
                is_default: live.account.is_default,
                health: &live.health,
                support: live.spec.support,
            })
            .collect()
    }

    /// What an attempt's report says of its account. Returns the new health if more than its date changed, and
    /// whether the account could send before.
    pub fn update_after_attempt(&mut self, id: &str, report: &Report, now: Reading) -> Option<(Health, bool)> {
        let live = self.get_mut(id)?;
        let learned = health::after_attempt(report, &live.health, now);
        let before = std::mem::replace(&mut live.health, learned);
        let could_send = before.can_send(now.moment);
        let undated = |health: &Health| Health { checked_at: None, ..health.clone() };
        (undated(&before) != undated(&live.health)).then(|| (live.health.clone(), could_send))
    }

    /// What a probe says. Returns whether the account's ability to send is news.
    pub fn update_after_probe(&mut self, id: &str, probe: Probe, now: Reading) -> bool {
        let Some(live) = self.get_mut(id) else { return false };
        live.probing = false;
        let could_send = (!live.health.never_probed()).then(|| live.health.can_send(now.moment));
        live.health = health::after_probe(probe.online, probe.sendable, probe.error, &live.health, now);
        could_send != Some(live.health.can_send(now.moment))
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
    struct Reloaded(AtomicU32);

    #[async_trait]
    impl Sender for Reloaded {
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

    fn accounts(sender: &Arc<Reloaded>) -> Accounts {
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
        Accounts::new(vec![LiveAccount::new(account, spec, sender.clone(), true)], Fallback::default())
    }

    #[test]
    fn a_sender_that_goes_on_over_a_reload_is_told_of_it() {
        let (old, new) = (Arc::new(Reloaded::default()), Arc::new(Reloaded::default()));
        let mut in_force = accounts(&old);
        in_force.replace(accounts(&new));
        assert_eq!([&old, &new].map(|sender| sender.0.load(Ordering::Relaxed)), [1, 0]);
    }
}
