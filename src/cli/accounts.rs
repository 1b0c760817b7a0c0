//! `accounts`: the accounts and their health, as last seen or asked now.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::args::Show;
use super::context::{Context, Known};
use super::failure::{Exit, Failure};
use super::render::{Cell, Column, Screen, Tone, table};
use super::rows::for_programs;
use crate::answers::rows::{Instants, Row, rows};
use crate::answers::words::counted;
use crate::domain::{Account, UtcMs, escaped};
use crate::senders::{Environment, Probe, find};
use crate::store::{self, Filter, Table, View};

/// A platform that has not answered by then counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron accounts
  pushcron -c jobs.yaml accounts --probe    asks each platform now; works without a daemon

JSON and CSV have the columns of the view account_overview.")]
pub struct Accounts {
    /// Ask each account's platform now
    #[arg(long)]
    probe: bool,
    #[command(flatten)]
    show: Show,
}

impl Accounts {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let table = if self.probe { probed(context)? } else { known(context)? };
        let mut out = io::stdout().lock();
        if self.show.for_programs() {
            for_programs(&mut out, self.show, &table)?;
        } else {
            print(&mut out, self.show, &context.whereabouts()?.timezone, &table)?;
            for Known { account, contact, words } in context.contacts(|_| true) {
                writeln!(out, "{}", escaped(&format!("{account} to {contact}: {words}")))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn known(context: &Context) -> Result<Table, Failure> {
    context.reading(async |store| Ok(store.view(View::AccountOverview, &Filter::default()).await?))
}

/// The accounts of the files, asked now, with what the database knows of their last attempts.
fn probed(context: &Context) -> Result<Table, Failure> {
    let config = context.config()?;
    let known = if store::exists(&context.whereabouts()?.database) { known(context)? } else { Table::default() };
    let probes = context.block_on(async {
        let environment = context.environment().await?;
        Ok(join_all(config.accounts.iter().map(|account| ask(account, &environment))).await)
    })?;
    let now = context.now();
    let row = |(account, probe): (&Account, Probe)| {
        let last = rows(&known).find(|row| row.text("account") == account.id);
        row_of(account, probe, last, now)
    };
    Ok(Table {
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows: config.accounts.iter().zip(probes).map(row).collect(),
    })
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
        Err(error) => return Probe::down(error.problem),
    };
    tokio::time::timeout(PATIENCE, sender.probe())
        .await
        .unwrap_or_else(|_| Probe::down(format!("no answer within {} s", PATIENCE.as_secs())))
}

fn print(out: &mut dyn Write, show: Show, zone: &str, accounts: &Table) -> io::Result<()> {
    if accounts.rows.is_empty() {
        return writeln!(out, "no accounts");
    }
    let instants = Instants::new(show.utc, zone, rows(accounts).map(|row| (row.instant("checked_at"), None)));
    let columns = [
        Column::kept("account"),
        Column::ranked("im", 4, 8),
        Column::ranked("sender", 3, 8),
        Column::ranked("default", 2, 3),
        Column::kept("online"),
        Column::ranked("sendable", 6, 3),
        Column::instant("checked", 1),
        Column::ranked("error", 5, 14),
    ];
    let cells: Vec<Vec<Cell>> = rows(accounts).map(|row| cells(&instants, row)).collect();
    table(out, Screen::of_stdout(), &columns, &cells)?;
    writeln!(out, "{}; {}", counted(accounts.rows.len(), "account"), instants.told())
}

fn cells(instants: &Instants, row: Row) -> Vec<Cell> {
    let never_probed = row.get("checked_at").is_null();
    vec![
        Cell::new(row.text("account")),
        Cell::new(row.text("im")),
        Cell::new(row.text("sender")),
        Cell::new(if row.int("is_default") == Some(1) { "yes" } else { "" }),
        if never_probed { Cell::new("not probed").tone(Tone::Faint) } else { fact(row.int("online")) },
        if never_probed { Cell::default() } else { fact(row.int("sendable")) },
        Cell::new(instants.shown(row.instant("checked_at"), None)),
        Cell::new(row.text("last_error")),
    ]
}

fn fact(value: Option<i64>) -> Cell {
    match value {
        Some(0) => Cell::new("no").tone(Tone::Bad),
        Some(_) => Cell::new("yes").tone(Tone::Good),
        // The platform has no way to tell.
        None => Cell::new("?").tone(Tone::Faint),
    }
}
