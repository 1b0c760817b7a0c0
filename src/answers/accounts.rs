//! The accounts and their health, as last seen or asked now.

use std::borrow::Cow;
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
        }
    }
}

/// How the instants of these accounts are shown: no job's zone holds for them, but `zone`.
pub(crate) fn instants(utc: bool, zone: &str, accounts: &Table) -> Instants {
    Instants::new(utc, zone, AccountLine::all(accounts).map(|line| (line.checked_at, None)))
}
