//! The accounts: new definitions, probes, and news from their senders.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use tracing::{debug, info, warn};

use super::{Dispatcher, Event, Internal};
use crate::engine::news::News;
use crate::engine::roster::Roster;
use crate::senders::{Probe, SenderEvent};

impl Dispatcher {
    pub(super) fn replace_roster(&mut self, roster: Roster) {
        self.roster.replace(roster);
        for member in self.roster.members() {
            if let Some(moment) = member.start_after {
                self.queue.start_after(&member.id, member.limits, moment);
            }
        }
        self.queue.leave_lanes(None);
        self.queue.unpark();
        self.write_accounts(None);
        self.probe_all();
    }

    pub(super) fn probe_all(&mut self) {
        let used: Vec<Arc<str>> =
            self.roster.members().iter().filter(|member| member.used).map(|member| member.id.clone()).collect();
        for account in used {
            self.probe(&account);
        }
    }

    pub(super) fn probe(&mut self, account: &Arc<str>) {
        let Some(member) = self.roster.get_mut(account) else { return };
        if std::mem::replace(&mut member.probing, true) {
            return;
        }
        let (sender, generation) = (member.sender.clone(), member.generation);
        let (events, account) = (self.events.clone(), account.clone());
        tokio::spawn(async move {
            let probe = AssertUnwindSafe(sender.probe()).catch_unwind().await;
            let probe = probe.unwrap_or_else(|_| Probe::down("the probe broke down (a bug of pushcron)"));
            let _ = events.send(Event::Internal(Internal::Probed { account, generation, probe }));
        });
    }

    /// What a probe found; that of an earlier definition says nothing of the one that holds now.
    pub(super) fn probed(&mut self, account: &str, generation: u64, probe: Probe) {
        if self.roster.get(account).is_none_or(|member| member.generation != generation) {
            return;
        }
        let now = self.clock.reading();
        let error = probe.error.clone();
        let is_news = self.roster.learn_probe(account, probe, now);
        self.spread_health(account);
        if is_news {
            let can_send = self.roster.get(account).is_some_and(|member| member.health.can_send(now.moment));
            if can_send {
                info!(account, "account is online");
            } else {
                warn!(account, error, "account cannot send");
                self.leave_account(account);
            }
            self.queue.unpark();
        }
        self.write_accounts(Some(account));
    }

    pub(super) fn spread_health(&self, account: &str) {
        if let Some(member) = self.roster.get(account) {
            (self.news)(News::Account { im: &member.account.im, account, health: &member.health });
        }
    }

    pub(super) fn hear(&mut self, account: &Arc<str>, generation: u64, event: SenderEvent) {
        match event {
            SenderEvent::Health(probe) => self.probed(account, generation, probe),
            SenderEvent::GateOpened => {
                self.queue.unpark();
            }
            SenderEvent::Confirmed { message_id } => {
                let (store, account, now) = (self.store.clone(), account.clone(), self.clock.now());
                tokio::spawn(async move {
                    match store.confirm(&account, &message_id, now).await {
                        Ok(true) => debug!(account = &*account, message_id, "delivery confirmed"),
                        Ok(false) => {
                            debug!(account = &*account, message_id, "confirmation of a message that is not ours")
                        }
                        Err(error) => {
                            warn!(account = &*account, message_id, %error, "a confirmation cannot be recorded")
                        }
                    }
                });
            }
        }
    }

    /// Writes one account, or all of them. Health is told again by the next probe, so that a failed write is only worth
    /// a line.
    pub(super) fn write_accounts(&self, only: Option<&str>) {
        let offline = self.roster.members().iter().filter(|member| member.health.online == Some(false)).count();
        self.vitals.accounts_offline.store(offline, Ordering::Relaxed);
        let now = self.clock.reading();
        let rows = match only {
            Some(account) => self.roster.get(account).map(|member| member.row(now)).into_iter().collect(),
            None => self.roster.rows(now),
        };
        let (store, all) = (self.store.clone(), only.is_none());
        tokio::spawn(async move {
            if let Err(error) = store.record_accounts(rows, all).await {
                debug!(%error, "account health cannot be written now");
            }
        });
    }
}
