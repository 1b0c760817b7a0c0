//! `accounts`: the accounts and their health, as last seen or asked now.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;

use super::args::Show;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::lines::hanging;
use super::render::{Cell, Column, Tone, table};
use super::rows::for_programs;
use crate::answers::accounts::{self, AccountLine, Held};
use crate::answers::contacts::Known;
use crate::answers::rows::{Instants, Table};
use crate::domain::escaped;
use crate::texts::{self, Language, Text};

/// How long the daemon has to ask all of them: each has its own patience, which is shorter.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron accounts
  pushcron -c jobs.yaml accounts --probe    asks each platform now; works without a daemon

A running daemon is the one that asks: it alone may see the accounts' secrets. With --probe the exit code is 1 where an account is down that jobs go by.

JSON and CSV have the columns of the view account_overview.")]
pub(super) struct Accounts {
    /// Ask each account's platform now
    #[arg(long)]
    probe: bool,
    #[command(flatten)]
    show: Show,
}

impl Accounts {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let (table, down) = if self.probe { probed(context)? } else { (known(context)?, Vec::new()) };
        let mut out = io::stdout().lock();
        if self.show.for_programs() {
            for_programs(&mut out, self.show, &table)?;
        } else {
            let language = context.language();
            print(&mut out, self.show, &context.whereabouts()?.timezone, &table, language)?;
            if !self.probe && !table.rows.is_empty() && !context.daemon_runs()? {
                writeln!(out, "{}", texts::as_they_were_asked_last().in_language(language))?;
            }
            tell_holds(&mut out, self.show, context, &table)?;
            for Known { account, contact, words } in context.contacts(|_| true) {
                writeln!(out, "{}", escaped(&format!("{account} to {contact}: {words}")))?;
            }
            if self.probe {
                tell_errors(&mut out, self.show, &table)?;
            }
        }
        if down.is_empty() {
            return Ok(Exit::Done);
        }
        out.flush()?;
        Err(Failure::of_text(Exit::Failed, texts::down_and_used(down.join(", "))))
    }
}

/// What holds accounts now: until when, and why. A pace is told where the files can be read; what is told beside it stands
/// without.
fn tell_holds(out: &mut dyn Write, show: Show, context: &Context, all: &Table) -> Result<(), Failure> {
    let (now, zone) = (context.now(), context.whereabouts()?.timezone);
    let paces = context.config_to_look_at().map(|config| accounts::paces(&config.accounts)).unwrap_or_default();
    for line in AccountLine::all(all) {
        let interval = paces.get(&*line.account).copied().unwrap_or_default();
        let Some(held) = line.held(interval, now) else { continue };
        let (Held::Told { until } | Held::Failing { until } | Held::Paced { until, .. }) = held;
        let until = Instants::new(show.utc, &zone, []).with_seconds().shown(Some(until), None);
        let (account, error) = (&line.account, &line.last_error);
        let told = match held {
            Held::Told { .. } if error.is_empty() => texts::account_told_to_wait(account, until),
            Held::Told { .. } => texts::account_told_to_wait_with(account, until, error),
            Held::Failing { .. } if error.is_empty() => texts::account_failing(account, until),
            Held::Failing { .. } => texts::account_failing_with(account, until, error),
            Held::Paced { interval, .. } => texts::account_paced(account, until, format!("{interval:?}")),
        };
        for line in hanging(&escaped(told.in_language(context.language())), show.screen().width, 2) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// Each error as a whole, which has no room in a table.
fn tell_errors(out: &mut dyn Write, show: Show, all: &Table) -> io::Result<()> {
    for line in AccountLine::all(all).filter(|line| !line.last_error.is_empty()) {
        let told = escaped(&format!("{}: {}", line.account, line.last_error)).into_owned();
        for line in hanging(&told, show.screen().width, 2) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn known(context: &Context) -> Result<Table, Failure> {
    context.reading(async |store| Ok(accounts::known(store).await?))
}

/// The accounts, asked now, with what the database knows of their last attempts; and those that are down and that jobs go
/// by. A running daemon asks those that it runs with; without one those of the files are asked from here.
fn probed(context: &Context) -> Result<(Table, Vec<String>), Failure> {
    if context.daemon_runs()? {
        return probed_by_daemon(context);
    }
    let config = context.config_to_send()?;
    let known = if context.has_database()? { known(context)? } else { Table::default() };
    context.block_on(async {
        let environment = context.environment().await?;
        let table = accounts::probed(&config.accounts, &known, &environment).await;
        let down = accounts::down_and_used(&table, &config);
        Ok((table, down))
    })
}

fn probed_by_daemon(context: &Context) -> Result<(Table, Vec<String>), Failure> {
    let (table, silent) = context.changing(async |store| {
        let silent = context.acts(store).probe(PATIENCE).await?;
        Ok((accounts::known(store).await?, silent))
    })?;
    if !silent.is_empty() {
        let (silent, waited) = (silent.join(", "), PATIENCE.as_secs());
        return Err(Failure::of_text(Exit::OutOfReach, texts::daemon_could_not_say(waited, silent)));
    }
    // Which jobs go by which account is in the files, too; where they cannot be read now, nobody can tell.
    let down = context.config_to_look_at().map(|config| accounts::down_and_used(&table, &config));
    Ok((table, down?))
}

fn print(out: &mut dyn Write, show: Show, zone: &str, all: &Table, language: Language) -> io::Result<()> {
    let title = |title: Text| title.in_language(language).to_owned();
    if all.rows.is_empty() {
        return writeln!(out, "{}", title(texts::no_rows_of_accounts()));
    }
    let instants = accounts::instants(show.utc, zone, all);
    let columns = [
        Column::kept(title(texts::title_account())),
        Column::ranked(title(texts::title_im()), 4, 8),
        Column::ranked(title(texts::title_sender()), 3, 8),
        Column::ranked(title(texts::title_default()), 2, 3),
        Column::kept(title(texts::title_online())),
        Column::ranked(title(texts::title_sendable()), 6, 3),
        Column::instant(title(texts::title_checked()), 1),
        Column::ranked(title(texts::title_error()), 5, 14),
    ];
    let cells: Vec<Vec<Cell>> = AccountLine::all(all).map(|line| cells(&instants, &line, language)).collect();
    table(out, show.screen(), &columns, &cells)?;
    writeln!(out, "{}", title(texts::below(texts::accounts(all.rows.len()), instants.told())))
}

fn cells(instants: &Instants, line: &AccountLine, language: Language) -> Vec<Cell> {
    let say = |text: Text| Cell::new(text.in_language(language));
    let never_probed = line.checked_at.is_none();
    vec![
        Cell::new(&line.account),
        Cell::new(&line.im),
        Cell::new(&line.sender),
        if line.is_default { say(texts::yes()) } else { Cell::default() },
        if never_probed { say(texts::not_probed()).tone(Tone::Faint) } else { fact(line.online, language) },
        if never_probed { Cell::default() } else { fact(line.sendable, language) },
        Cell::new(instants.shown(line.checked_at, None)),
        Cell::new(&line.last_error),
    ]
}

fn fact(value: Option<bool>, language: Language) -> Cell {
    match value {
        Some(false) => Cell::new(texts::no().in_language(language)).tone(Tone::Bad),
        Some(true) => Cell::new(texts::yes().in_language(language)).tone(Tone::Good),
        // The platform has no way to tell.
        None => Cell::new("?").tone(Tone::Faint),
    }
}
