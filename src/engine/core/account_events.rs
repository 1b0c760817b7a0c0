//! The accounts: new definitions, probes, and news from their senders.

use std::sync::Arc;

use tracing::{info, warn};

use super::io::{Action, Step};
use super::state::Core;
use crate::engine::accounts::{Accounts, LiveAccount};
use crate::engine::observer::EngineEvent;
use crate::senders::{Probe, SenderEvent};

impl Core {
    pub(super) fn replace_accounts(&mut self, accounts: Accounts, step: &mut Step<'_>) {
        let of_another_im =
            |live: &&LiveAccount| accounts.get(&live.id).is_some_and(|new| new.account.im != live.account.im);
        let moved: Vec<Arc<str>> =
            self.accounts.all().iter().filter(of_another_im).map(|live| live.id.clone()).collect();
        self.accounts.replace(accounts);
        // What was opened for it is meant for people of the other platform.
        for account in moved {
            let staged = self.starter.unstage(Some(&account));
            self.take_back_all(staged, step);
        }
        for live in self.accounts.all() {
            if let Some(moment) = live.start_after {
                self.queue.start_after(&live.id, live.limits, moment);
            }
        }
        self.queue.leave_account_queues(None);
        self.queue.unpark();
        self.record_accounts(None, step);
        self.probe_all(step);
    }

    pub(super) fn probe_all(&mut self, step: &mut Step<'_>) {
        let used: Vec<Arc<str>> =
            self.accounts.all().iter().filter(|live| live.used).map(|live| live.id.clone()).collect();
        for account in used {
            self.probe(&account, step);
        }
    }

    pub(super) fn probe_each(&mut self, step: &mut Step<'_>) {
        let all: Vec<Arc<str>> = self.accounts.all().iter().map(|live| live.id.clone()).collect();
        for account in all {
            self.probe(&account, step);
        }
    }

    pub(super) fn probe(&mut self, account: &Arc<str>, step: &mut Step<'_>) {
        let Some(live) = self.accounts.get_mut(account) else { return };
        if std::mem::replace(&mut live.probing, true) {
            return;
        }
        let (sender, generation) = (live.sender.clone(), live.generation);
        step.act(Action::Probe { account: account.clone(), generation, sender });
    }

    /// What a probe found; that of an earlier definition says nothing of the one that holds now.
    pub(super) fn probed(&mut self, account: &str, generation: u64, probe: Probe, step: &mut Step<'_>) {
        if self.accounts.get(account).is_none_or(|live| live.generation != generation) {
            return;
        }
        let now = step.now;
        let error = probe.error.clone();
        let is_news = self.accounts.update_after_probe(account, probe, now);
        self.publish_health(account);
        if is_news {
            let can_send = self.accounts.get(account).is_some_and(|live| live.health.can_send(now.moment));
            if can_send {
                info!(account, "account is online");
            } else {
                warn!(account, error, "account cannot send");
                self.leave_account(account, step);
            }
            self.queue.unpark();
        }
        self.record_accounts(Some(account), step);
    }

    pub(super) fn publish_health(&self, account: &str) {
        if let Some(live) = self.accounts.get(account) {
            (self.observer)(EngineEvent::Account { im: &live.account.im, account, health: &live.health });
        }
    }

    pub(super) fn on_sender_event(
        &mut self,
        account: &Arc<str>,
        generation: u64,
        event: SenderEvent,
        step: &mut Step<'_>,
    ) {
        match event {
            SenderEvent::Health(probe) => self.probed(account, generation, probe, step),
            SenderEvent::GateOpened => {
                self.queue.unpark();
            }
            SenderEvent::Confirmed { message_id } => {
                step.act(Action::Confirm { account: account.clone(), message_id, now: step.now.wall });
            }
        }
    }

    /// Has everything that waits for this account chosen for anew: it cannot send now.
    pub(super) fn leave_account(&mut self, account: &str, step: &mut Step<'_>) {
        self.queue.leave_account_queues(Some(account));
        let staged = self.starter.unstage(Some(account));
        self.take_back_all(staged, step);
    }

    /// Has one account written, or all of them.
    pub(super) fn record_accounts(&self, only: Option<&str>, step: &mut Step<'_>) {
        let rows = match only {
            Some(account) => self.accounts.get(account).map(|live| live.row(step.now)).into_iter().collect(),
            None => self.accounts.rows(step.now),
        };
        step.act(Action::RecordAccounts { rows, all: only.is_none() });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;

    use super::super::{Dice, Event, Input};
    use super::*;
    use crate::domain::{Account, Delivery, Kind, Moment, Reading, Report, Target, Trigger, UtcMs};
    use crate::policy::account::Fallback;
    use crate::senders::{Sender, find, samples};
    use crate::store::OpenPush;

    struct Unasked;

    #[async_trait]
    impl Sender for Unasked {
        async fn send(&self, _: &Delivery) -> Report {
            unreachable!("the core sends nothing by itself")
        }

        async fn probe(&self) -> Probe {
            unreachable!("the core probes nothing by itself")
        }
    }

    fn live(id: &str) -> LiveAccount {
        let account = Account {
            id: id.to_owned(),
            im: "qq".to_owned(),
            sender: "console".to_owned(),
            is_default: false,
            concurrency: None,
            min_interval: None,
            settings: Default::default(),
        };
        LiveAccount::new(account, find("console").unwrap().spec, Arc::new(Unasked), true)
    }

    /// One step, with what is to be done by it.
    fn step(core: &mut Core, ms: i64, input: Input) -> Vec<Action> {
        let now = Reading { wall: UtcMs(ms), moment: Moment(Duration::from_millis(ms.unsigned_abs())) };
        let mut actions = Vec::new();
        core.step(now, &mut Dice::with_seed(1), input, &mut actions);
        actions
    }

    #[test]
    fn what_was_opened_for_an_account_that_is_of_another_im_now_is_taken_back_and_never_sent_by_it() {
        let accounts = |im: &str| {
            let mut account = live("a");
            (account.account.im, account.account.is_default) = (im.to_owned(), true);
            account.health.online = Some(true);
            account.health.checked_at = Some(UtcMs(0));
            Event::Accounts(Accounts::new(vec![account], Fallback::CannotSend))
        };
        // The reload comes while the attempt is being opened, or while it waits for its instant.
        for comes_before_it_is_open in [true, false] {
            let mut core = Core::new(Reading { wall: UtcMs(0), moment: Moment(Duration::ZERO) });
            step(&mut core, 0, Input::Event(accounts("qq")));
            let push = OpenPush {
                id: 7,
                job: None,
                triggered_by: Trigger::Manual,
                chat: None,
                im: "qq".into(),
                target: Target::Group("1".into()),
                kind: Kind::Text,
                account: None,
                due_at: UtcMs(20),
                next_attempt_at: UtcMs(20),
                expires_at: UtcMs::MAX,
                is_resting: false,
                awaits_content: false,
                is_exclusive: false,
                attempts: 0,
                perhaps_sent: false,
                last_account: None,
            };
            let mut actions = step(&mut core, 0, Input::Event(Event::Opened(vec![push])));
            actions.extend(step(&mut core, 0, Input::Tick));
            let begins = actions.into_iter().find_map(|action| match action {
                Action::Begin { begins, .. } => Some(begins),
                _ => None,
            });
            let text = samples::text("hi");
            let delivery = Delivery { push_id: 7, im: "qq".into(), expires_at: UtcMs::MAX, ..text };
            let begun = Input::Begun { begins: begins.unwrap(), result: Ok(vec![delivery]) };
            let mut inputs = vec![Input::Event(accounts("wechat")), begun];
            if !comes_before_it_is_open {
                inputs.reverse();
            }
            let mut actions: Vec<Action> = inputs.into_iter().flat_map(|input| step(&mut core, 0, input)).collect();
            actions.extend(step(&mut core, 30, Input::Tick));
            let taken_back = actions.iter().filter(|action| matches!(action, Action::TakeBack { .. })).count();
            let started = actions.iter().any(|action| matches!(action, Action::Start(_)));
            assert_eq!((taken_back, started), (1, false), "{comes_before_it_is_open}");
        }
    }

    /// The accounts that each action writes, and whether as all that there are.
    fn written(actions: &[Action]) -> Vec<(Vec<&str>, bool)> {
        let mut written = Vec::new();
        for action in actions {
            if let Action::RecordAccounts { rows, all } = action {
                written.push((rows.iter().map(|row| row.id.as_str()).collect(), *all));
            }
        }
        written
    }

    #[test]
    fn each_probe_writes_its_own_account_and_no_other() {
        let now = Reading { wall: UtcMs(0), moment: Moment(Duration::ZERO) };
        let (mut core, mut dice, mut actions) = (Core::new(now), Dice::with_seed(1), Vec::new());
        let names = ["a", "b", "c"];
        let accounts = Accounts::new(names.map(live).into(), Fallback::CannotSend);
        core.step(now, &mut dice, Input::Event(Event::Accounts(accounts)), &mut actions);
        assert_eq!(written(&actions), [(names.to_vec(), true)]);
        let probes: Vec<_> = actions
            .drain(..)
            .filter_map(|action| match action {
                Action::Probe { account, generation, .. } => Some((account, generation)),
                _ => None,
            })
            .collect();
        assert_eq!(probes.len(), 3);
        for (account, generation) in probes {
            for probe in [Probe::up(), Probe::down("scripted")] {
                let found = Input::Probed { account: account.clone(), generation, probe, usage: None };
                core.step(now, &mut dice, found, &mut actions);
                assert_eq!(written(&actions), [(vec![&*account], false)]);
                actions.clear();
            }
        }
    }
}
