//! What the accounts of a simulation have used of their limits: what their senders count and keep over restarts.

use std::collections::{BTreeMap, HashMap};

use crate::config::{Config, Scenario, Scripted};
use crate::domain::limits::{Limits, Usage};
use crate::domain::{Delivery, Outcome, Reading, Target, UtcMs};
use crate::engine::core::Event;
use crate::senders::{SenderEvent, find};

pub(super) struct Usages<'a> {
    config: &'a Config,
    by_account: BTreeMap<&'a str, Counted>,
    /// Of the accounts' senders, as they were last probed.
    generations: BTreeMap<String, u64>,
}

struct Counted {
    limits: Limits,
    usage: Usage,
    /// Attempts under way: to whom, how many sends, and when they were counted.
    under_way: BTreeMap<i64, (Target, u32, UtcMs)>,
}

impl<'a> Usages<'a> {
    /// Nothing was sent yet. Whether anybody wrote is known of the accounts of which the script says so.
    pub(super) fn new(config: &'a Config, scenario: &Scenario, now: Reading) -> Usages<'a> {
        let counted = config.accounts.iter().filter_map(|account| {
            let limits = find(&account.sender)?.limits(&account.settings)?;
            let is_heard =
                |event: &Scripted| matches!(event, Scripted::Inbound { account: id, .. } if *id == account.id);
            let conversations = scenario.events.iter().any(is_heard).then(HashMap::new);
            let usage = Usage { line: now, conversations, ..Usage::default() };
            Some((account.id.as_str(), Counted { limits, usage, under_way: BTreeMap::new() }))
        });
        let mut usages = Usages { config, by_account: counted.collect(), generations: BTreeMap::new() };
        for event in &scenario.events {
            if let Scripted::Inbound { at, account } = event
                && *at < now.wall
            {
                usages.inbound(account, *at);
            }
        }
        usages
    }

    /// What a sender would tell now.
    pub(super) fn tell(&mut self, account: &str) -> Option<Box<Usage>> {
        let counted = self.by_account.get_mut(account)?;
        counted.usage.number += 1;
        Some(Box::new(counted.usage.clone()))
    }

    /// The same, of a sender that is probed.
    pub(super) fn probed(&mut self, account: &str, generation: u64) -> Option<Box<Usage>> {
        let usage = self.tell(account);
        if usage.is_some() {
            self.generations.insert(account.to_owned(), generation);
        }
        usage
    }

    /// What the daemon hears when somebody writes to the account.
    pub(super) fn hear(&mut self, account: &str, at: UtcMs) -> Event {
        self.inbound(account, at);
        let generation = self.generations.get(account).copied().unwrap_or_default();
        let (event, usage) = (SenderEvent::GateOpened, self.tell(account));
        Event::FromSender { account: account.into(), generation, event, usage }
    }

    /// Everybody whom jobs write to through this im writes to the account.
    fn inbound(&mut self, account: &str, at: UtcMs) {
        let im = self.config.accounts.iter().find(|known| known.id == account).map(|known| &known.im);
        let conversations = self.by_account.get_mut(account).and_then(|counted| counted.usage.conversations.as_mut());
        let (Some(im), Some(conversations)) = (im, conversations) else { return };
        for push in self.config.jobs.iter().flat_map(|job| &job.push).filter(|push| push.im == *im) {
            conversations.entry(push.target.id().to_owned()).or_default().inbound(at);
        }
    }

    /// A send leaves: it is counted before, and a kill does not forget it.
    pub(super) fn begin(&mut self, account: &str, delivery: &Delivery, now: Reading) {
        let Some(Counted { limits, usage, under_way }) = self.by_account.get_mut(account) else { return };
        let sends = (limits.sends)(delivery);
        usage.count(limits, &delivery.target, sends, now);
        under_way.insert(delivery.push_id, (delivery.target.clone(), sends, usage.line_at(now.moment)));
    }

    /// What never left does not count, and what was refused was no reply.
    pub(super) fn end(&mut self, account: &str, push_id: i64, outcome: &Outcome, now: Reading) {
        let Some(Counted { limits, usage, under_way }) = self.by_account.get_mut(account) else { return };
        let Some((target, sends, at)) = under_way.remove(&push_id) else { return };
        match outcome {
            Outcome::Sent => usage.blocked_until = None,
            Outcome::Unknown => {}
            Outcome::Unreachable => usage.take_back(limits, &target, sends, at),
            _ => usage.take_back_replies(&target, sends),
        }
        if let Outcome::Throttled { wait: Some(wait) } = outcome {
            usage.blocked_until = Some(usage.line_at(now.moment) + *wait);
        }
    }
}
