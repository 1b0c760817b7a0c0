//! `history`: the pushes, what became of them, and new ones as they come.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap_complete::ArgValueCandidates;
use serde_json::Value;

use super::check::counted;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::{self, Cell, Column, Dump, Screen, Tone, Widths};
use super::rows::{Instants, Row, for_programs, rows, state};
use super::{Show, completions, when};
use crate::domain::PushState;
use crate::store::{Filter, Store, Table, View};

/// Rows for people who do not say how many.
const PAGE: u64 = 20;

/// Rows that are read at once for programs.
const PIECE: u64 = 5000;

/// How often `--follow` looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron history --state failed --since 24h
  pushcron history --job daily-report --limit 5
  pushcron history --follow
  pushcron history --since 2026-01-01 --csv > january.csv

JSON and CSV have every row unless --limit says otherwise, oldest first, in the columns of the view push_history.")]
pub struct History {
    /// Only pushes of this job
    #[arg(long, add = ArgValueCandidates::new(completions::jobs))]
    job: Option<String>,
    /// Only pushes to this im
    #[arg(long)]
    im: Option<String>,
    /// Only pushes through this account
    #[arg(long, add = ArgValueCandidates::new(completions::accounts))]
    account: Option<String>,
    /// Only pushes in this state
    #[arg(long, value_parser = PossibleValuesParser::new(PushState::ALL.map(PushState::as_str)))]
    state: Option<String>,
    /// Only pushes due since then: 24h, 7d, 2026-01-01, 2026-01-01T09:00, 09:00
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The newest so many; 0 for all [default: 20; all for JSON and CSV]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on showing pushes as they end or are put back
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    show: Show,
}

impl History {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let filter = self.filter(context)?;
        let zone = context.whereabouts()?.timezone;
        context.reading(async |store| {
            if self.follow {
                return self.follow(context, store, &filter, &zone).await;
            }
            let is_few = filter.limit.is_some() || self.job.is_some() || self.state.is_some() || self.since.is_some();
            if self.show.for_programs() && !is_few {
                return self.dump(store, &filter).await;
            }
            let table = newest_last(store.view(View::PushHistory, &filter).await?);
            let mut out = io::stdout().lock();
            if self.show.for_programs() {
                for_programs(&mut out, self.show, &table)?;
            } else {
                print(&mut out, self.show, &zone, &table, filter.limit)?;
            }
            Ok(Exit::Done)
        })
    }

    /// Every row by its id, in pieces: millions would not fit into memory, and a reader that takes its time would keep the
    /// database's log from being folded.
    async fn dump(&self, store: &dyn Store, filter: &Filter) -> Result<Exit, Failure> {
        let mut out = BufWriter::new(io::stdout().lock());
        let mut dump = Dump::new(&mut out, self.show.csv);
        let mut piece = Filter { by_id: true, limit: Some(PIECE), ..filter.clone() };
        loop {
            let table = store.view(View::PushHistory, &piece).await?;
            dump.write(&table)?;
            piece.after_id = rows(&table).next_back().and_then(|row| row.int("id"));
            if (table.rows.len() as u64) < PIECE {
                dump.finish()?;
                return Ok(Exit::Done);
            }
        }
    }

    fn filter(&self, context: &Context) -> Result<Filter, Failure> {
        let since = match &self.since {
            Some(text) => {
                let zone = when::zone(&context.whereabouts()?.timezone);
                let since = when::parse(text, &zone, context.now());
                Some(since.map_err(|problem| Failure::new(Exit::Usage, format!("--since: {problem}")))?.from)
            }
            None => None,
        };
        let limit = match self.limit {
            Some(0) => None,
            Some(limit) => Some(limit),
            None => (!self.show.for_programs()).then_some(PAGE),
        };
        Ok(Filter {
            job: self.job.clone(),
            im: self.im.clone(),
            account: self.account.clone(),
            state: self.state.as_deref().and_then(PushState::parse),
            since,
            limit,
            ..Filter::default()
        })
    }

    /// Prints the pushes that are there, then each one once more whenever it ends or is put back.
    async fn follow(&self, context: &Context, store: &dyn Store, filter: &Filter, zone: &str) -> Result<Exit, Failure> {
        let mut tail = Tail::default();
        let newest = Filter { limit: Some(1), ..Filter::default() };
        tail.take(&store.view(View::PushHistory, &newest).await?);
        tail.take(&store.view(View::DuePushes, &Filter::default()).await?);
        let table = newest_last(store.view(View::PushHistory, filter).await?);
        let lines = Lines::new(self.show, zone, &table);
        lines.begin(&table)?;
        loop {
            context.clock.sleep(LOOK_EVERY).await;
            // The account and the state of a push change while it is open: these filters look at what it became.
            let wanted = Filter { after_id: Some(tail.after()), limit: None, ..filter.clone() };
            let everything = Filter { after_id: wanted.after_id, ..Filter::default() };
            let seen = store.view(View::PushHistory, &everything).await?;
            let news = tail.take(&newest_last(seen));
            if news.is_empty() {
                continue;
            }
            let table = newest_last(store.view(View::PushHistory, &wanted).await?);
            for (row, values) in rows(&table).zip(&table.rows) {
                if row.int("id").is_some_and(|id| news.contains(&id)) {
                    lines.write(&table, row, values)?;
                }
            }
        }
    }
}

/// The view gives the newest first, so that a limit keeps those; people and files read on from the older ones.
fn newest_last(mut table: Table) -> Table {
    table.rows.reverse();
    table
}

/// What `--follow` has seen.
#[derive(Default)]
struct Tail {
    newest: i64,
    open: BTreeMap<i64, String>,
}

impl Tail {
    /// Every push of interest has a higher id than this.
    fn after(&self) -> i64 {
        self.open.keys().next().map_or(self.newest, |oldest| oldest - 1)
    }

    /// Notes the states of these pushes. Returns those that ended or were put back since.
    fn take(&mut self, table: &Table) -> BTreeSet<i64> {
        let mut news = BTreeSet::new();
        for row in rows(table) {
            let Some(id) = row.int("id") else { continue };
            let word = row.text("state").into_owned();
            let is_final = PushState::parse(&word).is_some_and(PushState::is_final);
            let known = self.open.get(&id);
            let is_new = known.is_none() && id > self.newest;
            if (is_final && (is_new || known.is_some())) || (word == "retrying" && known != Some(&word)) {
                news.insert(id);
            }
            if is_final {
                self.open.remove(&id)
            } else {
                self.open.insert(id, word)
            };
        }
        self.newest = self.newest.max(rows(table).filter_map(|row| row.int("id")).max().unwrap_or(0));
        news
    }
}

/// Rows one by one, in whichever form.
struct Lines {
    show: Show,
    screen: Screen,
    instants: Instants,
    widths: Widths,
    columns: Vec<Column>,
}

impl Lines {
    fn new(show: Show, zone: &str, table: &Table) -> Lines {
        let (screen, columns) = (Screen::of_stdout(), columns());
        let instants = instants(show, zone, table).with_seconds();
        let cells: Vec<Vec<Cell>> = rows(table).map(|row| cells(&instants, row)).collect();
        let widths = Widths::with_room(screen, &columns, &cells);
        Lines { show, screen, instants, widths, columns }
    }

    fn begin(&self, table: &Table) -> Result<(), Failure> {
        if self.show.csv {
            render::csv_row(&mut io::stdout(), table.columns.iter().cloned().map(Value::from))?;
        } else if !self.show.json {
            self.widths.write_titles(&mut io::stdout(), self.screen, &self.columns)?;
        }
        rows(table).zip(&table.rows).try_for_each(|(row, values)| self.write(table, row, values))
    }

    fn write(&self, table: &Table, row: Row, values: &[Value]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if self.show.json {
            writeln!(out, "{}", render::json(&render::object(table, values)))?;
        } else if self.show.csv {
            render::csv_row(&mut out, values.iter().cloned())?;
        } else {
            self.widths.write(&mut out, self.screen, &self.columns, &cells(&self.instants, row))?;
        }
        Ok(out.flush()?)
    }
}

/// Prints pushes for people, with a summary.
///
/// # Errors
///
/// When `out` takes no more.
pub fn print(out: &mut dyn Write, show: Show, zone: &str, table: &Table, limit: Option<u64>) -> io::Result<()> {
    if table.rows.is_empty() {
        return writeln!(out, "no pushes");
    }
    let instants = instants(show, zone, table);
    let cells: Vec<Vec<Cell>> = rows(table).map(|row| cells(&instants, row)).collect();
    render::table(out, Screen::of_stdout(), &columns(), &cells)?;
    writeln!(out, "{}; {}", summary(table, limit), instants.told())
}

fn columns() -> Vec<Column> {
    vec![
        Column::kept("id").right(),
        Column::instant("due", Column::KEPT),
        Column::kept("job"),
        Column::ranked("im", 1, 8),
        Column::ranked("target", 5, 12),
        Column::kept("state"),
        Column::ranked("tries", 2, 5).right(),
        Column::ranked("late", 3, 8).right(),
        Column::ranked("account", 6, 20),
    ]
}

fn cells(instants: &Instants, row: Row) -> Vec<Cell> {
    let late = row.int("lateness_ms").map(brief_ms).unwrap_or_default();
    let job = if row.get("job").is_null() { Cell::new("-").tone(Tone::Faint) } else { row.cell("job") };
    vec![
        row.cell("id"),
        instants.cell(row.instant("due_at"), Some(&row.text("timezone"))),
        job,
        row.cell("im"),
        row.cell("target"),
        state(&row.text("state")),
        row.cell("attempts"),
        Cell::new(late),
        Cell::new(account_and_why(row)),
    ]
}

/// `bot_a`, or `bot_a: the platform said no`: one column, since only pushes that are not sent have a why.
fn account_and_why(row: Row) -> String {
    let (account, why) = (row.text("account").into_owned(), why(row));
    if account.is_empty() || why.is_empty() { account + &why } else { format!("{account}: {why}") }
}

/// The platform's own words where a push is not sent, else the reason.
pub fn why(row: Row) -> String {
    let (error, reason) = (row.text("error"), row.text("reason"));
    if row.text("state") == "sent" {
        return String::new();
    }
    if error.is_empty() { reason.into_owned() } else { error.into_owned() }
}

fn instants(show: Show, zone: &str, table: &Table) -> Instants {
    // A fire by hand is of any millisecond; the minute tells enough of it.
    let counts = |row: Row| row.instant("due_at").filter(|_| row.text("triggered_by") == "cron");
    Instants::new(show, zone, rows(table).map(|row| (counts(row), Some(row.text("timezone")))))
}

/// `20 pushes (the newest; more with --limit): 18 sent, 2 failed; late by 2ms at the median, 41ms at most`
fn summary(table: &Table, limit: Option<u64>) -> String {
    let mut late: Vec<i64> = rows(table).filter_map(|row| row.int("lateness_ms")).collect();
    late.sort_unstable();
    let states = PushState::ALL.into_iter().filter_map(|state| {
        let count = rows(table).filter(|row| row.text("state") == state.as_str()).count();
        (count > 0).then(|| format!("{count} {}", state.as_str()))
    });
    let all = counted(table.rows.len(), "push").replace("pushs", "pushes");
    let cut = if limit == Some(table.rows.len() as u64) { " (the newest; more with --limit)" } else { "" };
    let late = match (late.get(late.len() / 2), late.last()) {
        (Some(median), Some(most)) => {
            format!("; late by {} at the median, {} at most", brief_ms(*median), brief_ms(*most))
        }
        _ => String::new(),
    };
    format!("{all}{cut}: {}{late}", states.collect::<Vec<_>>().join(", "))
}

/// `41ms`, `1.2s`, `5m`, `3h`, `2d`: as short as a table wants it.
pub fn brief_ms(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms}ms"),
        1_000..100_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        100_000..6_000_000 => format!("{}m", ms / 60_000),
        6_000_000..172_800_000 => format!("{}h", ms / 3_600_000),
        _ => format!("{}d", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(i64, &str)]) -> Table {
        Table {
            columns: vec!["id".into(), "state".into()],
            rows: rows.iter().map(|(id, state)| vec![(*id).into(), (*state).into()]).collect(),
        }
    }

    #[test]
    fn a_follower_hears_of_each_push_when_it_ends_or_is_put_back() {
        let mut tail = Tail::default();
        tail.take(&table(&[(1, "sent"), (2, "pending"), (3, "failed")]));
        assert_eq!(tail.after(), 1);
        assert!(tail.take(&table(&[(2, "sending"), (3, "failed"), (4, "pending")])).is_empty());
        assert_eq!(tail.take(&table(&[(2, "retrying"), (3, "failed"), (4, "sent")])), [2, 4].into());
        assert!(tail.take(&table(&[(2, "retrying"), (3, "failed"), (4, "sent")])).is_empty());
        assert_eq!(tail.take(&table(&[(2, "sent"), (5, "unknown")])), [2, 5].into());
        assert_eq!(tail.after(), 5);
    }

    #[test]
    fn durations_are_brief() {
        for (ms, text) in [(0, "0ms"), (-3, "-3ms"), (999, "999ms"), (1_250, "1.2s"), (99_999, "99.9s")] {
            assert_eq!(brief_ms(ms), text);
        }
        for (ms, text) in [(100_000, "1m"), (6_000_000, "1h"), (172_800_000, "2d")] {
            assert_eq!(brief_ms(ms), text);
        }
    }
}
