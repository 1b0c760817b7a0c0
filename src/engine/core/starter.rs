//! The attempts that are opened, and those under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::stable::StableMap;
use super::staging::{Staged, Staging};
use crate::domain::{Delivery, UtcMs};
use crate::engine::accounts::Accounts;
use crate::senders::Sender;

/// Attempts whose rows are durable: those that wait for their instant or a slot, by account, and those under way.
#[derive(Default)]
pub(super) struct Starter {
    pub(super) staging: BTreeMap<Arc<str>, Staging>,
    pub(super) in_flight: StableMap<i64, InFlight>,
    /// At most one batch of attempts is being opened at a time; the next one gathers meanwhile.
    pub(super) is_beginning: bool,
}

/// An attempt under way.
pub(super) struct InFlight {
    pub(super) delivery: Arc<Delivery>,
    pub(super) account: Arc<str>,
    /// Of the account's definition, which a reload may have replaced when the answer comes.
    pub(super) generation: u64,
    pub(super) started_at: UtcMs,
    pub(super) idempotent: bool,
    /// Kept, since the account may leave the definitions while media are fetched.
    pub(super) sender: Arc<dyn Sender>,
    /// Until then its media are fetched, and nothing was sent.
    pub(super) is_called: bool,
    pub(super) start_at: UtcMs,
    pub(super) target_key: u64,
}

impl Starter {
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && !self.is_beginning
    }

    pub(super) fn is_sending(&self) -> bool {
        !self.in_flight.is_empty()
    }

    pub(super) fn is_beginning(&self) -> bool {
        self.is_beginning
    }

    pub(super) fn get(&self, push_id: i64) -> Option<&InFlight> {
        self.in_flight.get(&push_id)
    }

    /// When the first staged attempt is to start whose instant has not come.
    pub(super) fn next_start_at(&self) -> Option<UtcMs> {
        self.staging.values().filter_map(Staging::next_start_at).min()
    }

    /// The attempt of this push is no longer under way: its slot is free.
    pub(super) fn end(&mut self, push_id: i64) -> Option<InFlight> {
        let ended = self.in_flight.remove(&push_id)?;
        self.free_slot(&ended.account, ended.target_key);
        Some(ended)
    }

    /// The pushes whose attempts are under way and of which this holds, in the order of their ids.
    pub(super) fn under_way(&self, which: impl Fn(&InFlight) -> bool) -> Vec<i64> {
        let chosen = self.in_flight.iter().filter(|(_, in_flight)| which(in_flight));
        let mut all: Vec<i64> = chosen.map(|(id, _)| *id).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn free_slot(&mut self, account: &str, target_key: u64) {
        if let Some(staging) = self.staging.get_mut(account) {
            staging.finished(target_key);
        }
    }

    /// Everything staged for this account, or for all, whose sender was not called yet.
    pub(super) fn unstage(&mut self, account: Option<&str>) -> Vec<Staged> {
        match account {
            Some(account) => self.staging.get_mut(account).map(Staging::take_all).unwrap_or_default(),
            None => self.staging.values_mut().flat_map(Staging::take_all).collect(),
        }
    }

    /// What is staged for accounts that left the definitions.
    pub(super) fn unstage_orphans(&mut self, accounts: &Accounts) -> Vec<Staged> {
        let mut orphans = Vec::new();
        self.staging.retain(|account, staging| {
            let is_gone = accounts.get(account).is_none();
            if is_gone {
                orphans.extend(staging.take_all());
            }
            !is_gone || staging.is_sending()
        });
        orphans
    }

    /// The attempts whose instant has come and that find a free slot.
    pub(super) fn take_ready(&mut self, accounts: &Accounts, now: UtcMs) -> Vec<(Arc<str>, Staged)> {
        let mut ready = Vec::new();
        for (account, staging) in &mut self.staging {
            let Some(live) = accounts.get(account) else { continue };
            while let Some(staged) = staging.take(now, live.limits.concurrency) {
                ready.push((account.clone(), staged));
            }
        }
        ready
    }
}
