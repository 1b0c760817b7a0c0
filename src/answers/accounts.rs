//! The accounts and their health, as last seen or asked now.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::rows::{Instants, Row, rows};
use crate::config::Config;
use crate::domain::{Account, PushSpec, UtcMs};
use crate::senders::{Environment, Probe, find};
use crate::store::{Filter, History, StoreError, Table, View};

/// A platform that has not answered by then counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(15);

/// The accounts as the daemon last saw them, in the columns of the view `account_overview`.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn known(store: &dyn History) -> Result<Table, StoreError> {
    store.view(View::AccountOverview, &Filter::default()).await
}

/// These accounts, asked now, with what is known of their last attempts; in the same columns.
pub(crate) async fn probed(accounts: &[Account], known: &Table, environment: &Environment) -> Table {
    let probes = join_all(accounts.iter().map(|account| ask(account, environment))).await;
    let now = environment.clock.now();
    let row = |(account, probe): (&Account, Probe)| {
        let last = rows(known).find(|row| row.text("account") == account.id);
        row_of(account, probe, last, now)
    };
    Table { columns: COLUMNS.map(str::to_owned).to_vec(), rows: accounts.iter().zip(probes).map(row).collect() }
}

/// Accounts that were found to be unable to send, and by which a push of a job, or a report of failures, may go.
pub(crate) fn down_and_used(accounts: &Table, config: &Config) -> Vec<String> {
    let report = config.daemon.on_failure.iter().filter_map(|on_failure| on_failure.push.as_ref());
    let pushes: Vec<&PushSpec> = config.jobs.iter().flat_map(|job| &job.push).chain(report).collect();
    let is_used = |line: &AccountLine<'_>| {
        let carries =
            |push: &&&PushSpec| push.account.as_ref().map_or(push.im == line.im, |named| *named == line.account);
        pushes.iter().find(carries).is_some()
    };
    let is_down = |line: &AccountLine<'_>| line.online == Some(false) || line.sendable == Some(false);
    let down = AccountLine::all(accounts).filter(|line| is_down(line) && is_used(line));
    down.map(|line| line.account.into_owned()).collect()
}

/// Those of the view.
const COLUMNS: [&str; 11] = [
    "account",
    "im",
    "sender",
    "is_default",
    "online",
    "sendable",
    "checked_at",
    "cooldown_until",
    "last_error",
    "last_attempt_at",
    "last_outcome",
];

fn row_of(account: &Account, probe: Probe, last: Option<Row>, now: UtcMs) -> Vec<Value> {
    let of_view = |column: &str| last.map_or(Value::Null, |row| row.get(column).clone());
    vec![
        json!(account.id),
        json!(account.im),
        json!(account.sender),
        json!(u8::from(account.is_default)),
        json!(probe.online.map(u8::from)),
        json!(probe.sendable.map(u8::from)),
        json!(now),
        of_view("cooldown_until"),
        json!(probe.error),
        of_view("last_attempt_at"),
        of_view("last_outcome"),
    ]
}

async fn ask(account: &Account, environment: &Environment) -> Probe {
    let Some(registered) = find(&account.sender) else {
        return Probe::down(format!("there is no sender '{}'", account.sender));
    };
    let sender = match (registered.build)(account, environment) {
        Ok(sender) => sender,
        Err(error) => return Probe::down(error.problem.english()),
    };
    tokio::time::timeout(PATIENCE, sender.probe())
        .await
        .unwrap_or_else(|_| Probe::down(format!("no answer within {} s", PATIENCE.as_secs())))
}

/// One account.
pub(crate) struct AccountLine<'a> {
    pub account: Cow<'a, str>,
    pub im: Cow<'a, str>,
    pub sender: Cow<'a, str>,
    pub is_default: bool,
    /// None where it was never probed.
    pub checked_at: Option<UtcMs>,
    /// None where the platform has no way to tell; so is `sendable`.
    pub online: Option<bool>,
    pub sendable: Option<bool>,
    pub last_error: Cow<'a, str>,
    pub cooldown_until: Option<UtcMs>,
    pub last_attempt_at: Option<UtcMs>,
    /// Nothing before the first attempt.
    pub last_outcome: Cow<'a, str>,
}

/// Why an account that could send sends nothing just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Its platform told it to wait.
    Told { until: UtcMs },
    /// Its attempts failed by its own fault, one after the other.
    Failing { until: UtcMs },
    /// Its last attempt was so short a time ago.
    Paced { until: UtcMs, interval: Duration },
}

impl AccountLine<'_> {
    /// What holds it now; `interval` is the least time between two of its sends.
    pub(crate) fn held(&self, interval: Duration, now: UtcMs) -> Option<Held> {
        if let Some(until) = self.cooldown_until.filter(|until| *until > now) {
            let is_failing = ["unreachable", "account_down"].contains(&&*self.last_outcome);
            return Some(if is_failing { Held::Failing { until } } else { Held::Told { until } });
        }
        let until = self.last_attempt_at? + interval;
        (until > now).then_some(Held::Paced { until, interval })
    }
}

/// The least time between two sends of each of these accounts, where there is one.
pub(crate) fn paces(accounts: &[Account]) -> HashMap<String, Duration> {
    let pace = |account: &Account| {
        let of_sender = || find(&account.sender).map(|found| Duration::from_millis(found.spec.min_interval_ms));
        Some((account.id.clone(), account.min_interval.or_else(of_sender)?))
    };
    accounts.iter().filter_map(pace).collect()
}

impl<'a> AccountLine<'a> {
    pub(crate) fn all(accounts: &'a Table) -> impl Iterator<Item = AccountLine<'a>> {
        rows(accounts).map(AccountLine::of)
    }

    fn of(row: Row<'a>) -> AccountLine<'a> {
        let fact = |column: &str| row.int(column).map(|value| value != 0);
        AccountLine {
            account: row.text("account"),
            im: row.text("im"),
            sender: row.text("sender"),
            is_default: row.int("is_default") == Some(1),
            checked_at: row.instant("checked_at"),
            online: fact("online"),
            sendable: fact("sendable"),
            last_error: row.text("last_error"),
            cooldown_until: row.instant("cooldown_until"),
            last_attempt_at: row.instant("last_attempt_at"),
            last_outcome: row.text("last_outcome"),
        }
    }
}

/// How the instants of these accounts are shown: no job's zone holds for them, but `zone`.
pub(crate) fn instants(utc: bool, zone: &str, accounts: &Table) -> Instants {
    Instants::new(utc, zone, AccountLine::all(accounts).map(|line| (line.checked_at, None)))
}
