//! The accounts of a walk.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pushcron::domain::limits::Limits;
use pushcron::domain::{Account, Delivery, Report, UtcMs};
use pushcron::engine::accounts::{Accounts, LiveAccount};
use pushcron::policy::account::Fallback;
use pushcron::senders::{Probe, Sender, find};

use super::{ACCOUNTS, Walk, platforms};

/// What the core may ask of a sender without waiting.
struct Told {
    account: &'static str,
    idempotent: bool,
}

#[async_trait]
impl Sender for Told {
    async fn send(&self, _: &Delivery) -> Report {
        unreachable!("the core sends nothing by itself")
    }

    async fn probe(&self) -> Probe {
        unreachable!("the core probes nothing by itself")
    }

    fn limits(&self) -> Option<Limits> {
        Some(platforms::limits(self.account))
    }

    fn is_idempotent(&self, _: &Delivery, _: UtcMs) -> bool {
        self.idempotent
    }
}

impl Walk {
    pub(super) fn accounts(&self) -> Accounts {
        let accounts = ACCOUNTS.into_iter().map(|id| {
            let account = Account {
                id: id.to_owned(),
                im: "qq".to_owned(),
                sender: "console".to_owned(),
                is_default: id == "a",
                concurrency: Some(self.concurrency()),
                min_interval: (id == "b").then_some(Duration::from_secs(2)),
                settings: Default::default(),
            };
            let sender = Told { account: id, idempotent: self.idempotent };
            LiveAccount::new(account, find("console").unwrap().spec, Arc::new(sender), true)
        });
        Accounts::new(accounts.collect(), Fallback::CannotSend)
    }
}
