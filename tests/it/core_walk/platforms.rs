//! The platforms of the walk, with what their senders count and keep over kills: `a` takes so many sends in a time, `b`
//! only answers whoever wrote to it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use pushcron::domain::limits::{Limits, Quota, Replies, Usage, Window};
use pushcron::domain::{Moment, Outcome, Reading, Target, UtcMs};

const SENDS: u32 = 8;
const IN: Duration = Duration::from_secs(20);
const WINDOWS: &[Window] = &[Window::fine(SENDS, IN)];
const REPLIES: Replies = Replies { window: Duration::from_secs(120), quota: 3 };
const NO_WINDOWS: &[Window] = &[];

pub(super) fn limits(account: &str) -> Limits {
    match account {
        "a" => Limits { quota: |_| Quota { windows: WINDOWS, subjects: vec!["robot"] }, replies: None, sends: |_| 1 },
        _ => Limits {
            quota: |_| Quota { windows: NO_WINDOWS, subjects: Vec::new() },
            replies: Some(REPLIES),
            sends: |_| 1,
        },
    }
}

pub(super) struct Platforms {
    usages: BTreeMap<&'static str, Usage>,
    /// Sends without an answer: through which account, to whom, and when by the line and by the clock that nobody sets.
    open: BTreeMap<i64, (Arc<str>, Target, UtcMs, Moment)>,
    /// When `a` sent.
    sent: Vec<Moment>,
}

impl Platforms {
    pub(super) fn new(now: Reading) -> Platforms {
        let limited = Usage { line: now, ..Usage::default() };
        let answering = Usage { conversations: Some(HashMap::new()), ..limited.clone() };
        let usages = [("a", limited), ("b", answering)].into_iter().collect();
        Platforms { usages, open: BTreeMap::new(), sent: Vec::new() }
    }

    /// What a sender tells of its account.
    pub(super) fn tell(&mut self, account: &str) -> Option<Box<Usage>> {
        let usage = self.usages.get_mut(account)?;
        usage.number += 1;
        Some(Box::new(usage.clone()))
    }

    /// Somebody writes to `b`.
    pub(super) fn inbound(&mut self, from: &Target, at: UtcMs) {
        let conversations = self.usages.get_mut("b").and_then(|usage| usage.conversations.as_mut()).unwrap();
        conversations.entry(from.id().to_owned()).or_default().inbound(at);
    }

    /// A send leaves, which the platform has to allow.
    pub(super) fn begin(&mut self, push_id: i64, account: &Arc<str>, target: &Target, now: Reading) {
        let usage = self.usages.get_mut(&**account).unwrap();
        if let Some(conversations) = &usage.conversations {
            let sends = conversations.get(target.id()).map_or(REPLIES.quota, |known| known.sends_since_inbound);
            assert!(sends < REPLIES.quota, "push {push_id} is the reply too many to {target}");
        }
        usage.count(&limits(account), target, 1, now);
        let line = usage.line_at(now.moment);
        self.open.insert(push_id, (account.clone(), target.clone(), line, now.moment));
        if &**account == "a" {
            self.sent.push(now.moment);
            let recent = self.sent.iter().filter(|at| now.moment.since(**at) < IN).count();
            assert!(recent <= SENDS as usize, "push {push_id} is number {recent} within {IN:?}");
        }
    }

    /// What never left does not count, and what was refused was no reply.
    pub(super) fn end(&mut self, push_id: i64, outcome: &Outcome) {
        let Some((account, target, line, moment)) = self.open.remove(&push_id) else { return };
        let usage = self.usages.get_mut(&*account).unwrap();
        match outcome {
            Outcome::Sent | Outcome::Unknown => {}
            Outcome::Unreachable => {
                usage.take_back(&limits(&account), &target, 1, line);
                let at = self.sent.iter().position(|at| *at == moment);
                at.filter(|_| &*account == "a").map(|at| self.sent.remove(at));
            }
            _ => usage.take_back_replies(&target, 1),
        }
    }
}
