//! The other end, by script: how long it takes, what it answers, and which accounts are out of order when.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;

use crate::config::{Config, Scenario, Scope, Scripted, Trouble};
use crate::domain::limits::Limits;
use crate::domain::{Account, Delivery, Outcome, Report, UtcMs};
use crate::engine::accounts::{Accounts, LiveAccount};
use crate::senders::{Probe, Sender, find};

/// What the core may ask of a sender without waiting. It sends nothing: what comes of a send, the script says.
struct Imagined {
    is_idempotent: bool,
    limits: Option<Limits>,
}

#[async_trait]
impl Sender for Imagined {
    async fn send(&self, _: &Delivery) -> Report {
        Report::failed(Outcome::Unreachable, "nothing is sent in a simulation")
    }

    async fn probe(&self) -> Probe {
        Probe::down("nothing is asked in a simulation")
    }

    fn limits(&self) -> Option<Limits> {
        self.limits
    }

    fn is_idempotent(&self, _: &Delivery, _: UtcMs) -> bool {
        self.is_idempotent
    }
}

pub(super) struct Platform<'a> {
    pub config: &'a Config,
    scenario: &'a Scenario,
    /// The chance of the script, apart from that of the engine.
    chance: Rng,
}

impl<'a> Platform<'a> {
    pub(super) fn new(config: &'a Config, scenario: &'a Scenario, seed: u64) -> Platform<'a> {
        Platform { config, scenario, chance: Rng::with_seed(seed ^ 0x5c21_97d0_44be_03a1) }
    }

    /// The accounts of the files, each with a sender that only states what its protocol can do.
    pub(super) fn accounts(&self) -> Accounts {
        let is_used =
            |account: &Account| self.config.jobs.iter().flat_map(|job| &job.push).any(|push| push.im == account.im);
        let accounts = self.config.accounts.iter().filter_map(|account| {
            let registered = find(&account.sender)?;
            let spec = registered.spec;
            let is_idempotent = (spec.idempotent)(&account.settings);
            let sender = Arc::new(Imagined { is_idempotent, limits: registered.limits(&account.settings) });
            Some(LiveAccount::new(account.clone(), spec, sender, is_used(account)))
        });
        Accounts::new(accounts.collect(), self.config.daemon.accounts_fallback)
    }

    fn trouble_of(&self, account: &str, at: UtcMs) -> Option<Trouble> {
        self.scenario.events.iter().find_map(|event| match event {
            Scripted::Account { span, account: id, trouble } if id == account && span.contains(at) => Some(*trouble),
            _ => None,
        })
    }

    pub(super) fn probe(&self, account: &str, at: UtcMs) -> Probe {
        match self.trouble_of(account, at) {
            None => Probe::up(),
            Some(Trouble::Down) => Probe::down("logged out (script)"),
            Some(Trouble::Unreachable) => Probe::down("not reached (script)"),
            Some(Trouble::Silent) => Probe::down("no answer (script)"),
        }
    }

    /// What a send that begins at `at` comes to, and after how long.
    pub(super) fn answer(&mut self, account: &str, delivery: &Delivery, at: UtcMs) -> (Duration, Report) {
        let known = self.config.accounts.iter().find(|known| known.id == account);
        let latency = known.and_then(|account| self.scenario.latency_of.get(&account.sender));
        let latency = (*latency.unwrap_or(&self.scenario.latency)).min(delivery.timeout);
        let outcome = match self.trouble_of(account, at) {
            Some(Trouble::Down) => Outcome::AccountDown,
            Some(Trouble::Unreachable) => Outcome::Unreachable,
            Some(Trouble::Silent) => Outcome::Unknown,
            None => self.scripted(account, &delivery.im, at),
        };
        match outcome {
            Outcome::Sent => (latency, Report::sent(Some(format!("simulated-{}", delivery.push_id)))),
            Outcome::Unknown => (delivery.timeout, Report::failed(Outcome::Unknown, "no answer (script)")),
            outcome => {
                let error = format!("{} (script)", outcome.as_str());
                (latency, Report::failed(outcome, error))
            }
        }
    }

    fn scripted(&mut self, account: &str, im: &str, at: UtcMs) -> Outcome {
        for event in &self.scenario.events {
            let Scripted::Answers { span, scope, answer, share } = event else { continue };
            let is_meant = match scope {
                Scope::Account(id) => id == account,
                Scope::Im(name) => name == im,
                Scope::All => true,
            };
            if is_meant && span.contains(at) && self.chance.f64() < *share {
                return answer.clone();
            }
        }
        Outcome::Sent
    }
}
