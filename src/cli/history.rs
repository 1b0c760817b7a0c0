//! `history`: the pushes, what became of them, and new ones as they come.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap_complete::ArgValueCandidates;
use serde_json::{Value, json};

use super::args::Show;
use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::{self, Cell, Column, Dump, Screen, Tone, Widths};
use super::rows::state;
use crate::answers::follow::Follower;
use crate::answers::history::{Filter, PAGE, PushLine, Source, Summary, Tally, instants, pages};
use crate::answers::names::refuse_unknown;
use crate::answers::rows::{Instants, Row, Table, rows};
use crate::answers::when;
use crate::answers::words::brief_ms;
use crate::domain::PushState;

/// Rows for people who do not say how many.
const FEW: u64 = 20;

/// How often `--follow` looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron history --state failed --since 24h
  pushcron history --job daily-report --limit 5
  pushcron history --follow
  pushcron history --since 2026-01-01 --csv > january.csv

JSON and CSV have every row unless --limit says otherwise, oldest first, in the columns of the view push_history.
Oldest is the lowest id; with --job or --since the earliest instant; with --state the earliest end, for final states but sent.")]
pub struct History {
    /// Only pushes of this job
    #[arg(long, add = ArgValueCandidates::new(candidates::jobs))]
    job: Option<String>,
    /// Only pushes to this im
    #[arg(long)]
    im: Option<String>,
    /// Only pushes through this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
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
            let of_job = |job: &str, refusal| context.of_job(job, refusal);
            refuse_unknown(store, &filter, || context.config_to_look_at().ok(), of_job).await?;
            if self.follow {
                return self.follow(context, &store, &filter, &zone).await;
            }
            let mut out = BufWriter::new(io::stdout().lock());
            if self.show.for_programs() {
                let mut dump = Dump::new(&mut out, self.show.csv);
                pages(&store, &filter, |page| Ok::<_, Failure>(dump.write(page)?)).await?;
                dump.finish()?;
            } else {
                let mut people = People::new(self.show, &zone);
                pages(&store, &filter, |page| Ok::<_, Failure>(people.write(&mut out, page)?)).await?;
                people.finish(&mut out, filter.limit)?;
            }
            Ok(Exit::Done)
        })
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
            None => (!self.show.for_programs()).then_some(FEW),
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
    async fn follow(
        &self,
        context: &Context,
        store: &impl Source,
        filter: &Filter,
        zone: &str,
    ) -> Result<Exit, Failure> {
        let mut follower = Follower::begin(store).await?;
        let mut lines = Lines::new(self.show, zone);
        pages(store, filter, |page| {
            lines.begin(page)?;
            for (index, row) in rows(page).enumerate() {
                // What came while we read comes again as news.
                if row.int("id").is_some_and(|id| follower.knows(id)) {
                    lines.write(page, index)?;
                    follower.shown(row);
                }
            }
            Ok::<_, Failure>(())
        })
        .await?;
        loop {
            let more = follower.look(store, filter, |table, index| lines.write(table, index)).await?;
            if !more {
                context.clock.sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// Rows one by one, in whichever form.
struct Lines<'a> {
    show: Show,
    zone: &'a str,
    screen: Screen,
    columns: Vec<Column>,
    /// Once the first page is known.
    shape: Option<(Instants, Widths)>,
}

impl Lines<'_> {
    fn new(show: Show, zone: &str) -> Lines<'_> {
        Lines { show, zone, screen: Screen::of_stdout(), columns: columns(), shape: None }
    }

    /// Writes the titles before the first page.
    fn begin(&mut self, table: &Table) -> Result<(), Failure> {
        if self.shape.is_some() {
            return Ok(());
        }
        let instants = instants(self.show.utc, self.zone, table).with_seconds();
        let cells: Vec<Vec<Cell>> = rows(table).map(|row| cells(&instants, row)).collect();
        let widths = Widths::with_room(self.screen, &self.columns, &with_long_id(cells));
        if self.show.csv {
            render::csv_row(&mut io::stdout(), table.columns.iter().cloned().map(Value::from))?;
        } else if !self.show.json {
            widths.write_titles(&mut io::stdout(), self.screen, &self.columns)?;
        }
        self.shape = Some((instants, widths));
        Ok(())
    }

    fn write(&self, table: &Table, index: usize) -> Result<(), Failure> {
        let (Some(row), Some(values)) = (rows(table).nth(index), table.rows.get(index)) else { return Ok(()) };
        let mut out = io::stdout().lock();
        if self.show.json {
            writeln!(out, "{}", render::json(&json!(row)))?;
        } else if self.show.csv {
            render::csv_row(&mut out, values.iter().cloned())?;
        } else if let Some((instants, widths)) = &self.shape {
            widths.write(&mut out, self.screen, &self.columns, &cells(instants, row))?;
        }
        Ok(out.flush()?)
    }
}

/// Prints pushes for people, with a summary.
///
/// # Errors
///
/// When `out` takes no more.
pub fn print(out: &mut dyn Write, show: Show, zone: &str, table: &Table) -> io::Result<()> {
    let mut people = People::new(show, zone);
    people.write(out, table)?;
    people.finish(out, None)
}

/// Pushes for people, page by page: the first page settles the widths of all. What the summary needs is counted on
/// the way.
struct People<'a> {
    show: Show,
    zone: &'a str,
    screen: Screen,
    columns: Vec<Column>,
    shape: Option<(Instants, Widths)>,
    tally: Tally,
}

impl People<'_> {
    fn new(show: Show, zone: &str) -> People<'_> {
        People { show, zone, screen: Screen::of_stdout(), columns: columns(), shape: None, tally: Tally::default() }
    }

    fn write(&mut self, out: &mut dyn Write, page: &Table) -> io::Result<()> {
        if page.rows.is_empty() {
            return Ok(());
        }
        self.tally.count(page);
        let is_first = self.shape.is_none();
        let (instants, widths) = self.shape.get_or_insert_with(|| {
            let mut instants = instants(self.show.utc, self.zone, page);
            if page.rows.len() as u64 == PAGE {
                instants = instants.with_seconds();
            }
            let cells: Vec<Vec<Cell>> = rows(page).map(|row| cells(&instants, row)).collect();
            // A column that is empty here may hold something in a page to come.
            let widths = match page.rows.len() as u64 == PAGE {
                true => Widths::with_room(self.screen, &self.columns, &with_long_id(cells)),
                false => Widths::snug(self.screen, &self.columns, &cells),
            };
            (instants, widths)
        });
        if is_first {
            widths.write_titles(out, self.screen, &self.columns)?;
        }
        rows(page).try_for_each(|row| widths.write(out, self.screen, &self.columns, &cells(instants, row)))
    }

    fn finish(&self, out: &mut dyn Write, limit: Option<u64>) -> io::Result<()> {
        match &self.shape {
            None => writeln!(out, "no pushes")?,
            Some((instants, _)) => writeln!(out, "{}; {}", in_a_line(&self.tally.summary(), limit), instants.told())?,
        }
        out.flush()
    }
}

/// Lines to come have higher ids, of which no digit may be cut: a person types them.
fn with_long_id(mut lines: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    lines.push(vec![Cell::new("12345678")]);
    lines
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
    let line = PushLine::of(row);
    let late = line.lateness_ms.map(brief_ms).unwrap_or_default();
    let job = line.job.as_ref().map_or_else(|| Cell::new("-").tone(Tone::Faint), Cell::new);
    vec![
        Cell::new(&line.id),
        Cell::new(instants.shown(line.due_at, Some(&line.timezone))),
        job,
        Cell::new(&line.im),
        Cell::new(&line.target),
        state(&line.state),
        Cell::new(&line.attempts),
        Cell::new(late),
        Cell::new(account_and_why(&line)),
    ]
}

/// `bot_a`, or `bot_a: the platform said no`: one column, since only pushes that are not sent have a why.
fn account_and_why(PushLine { account, why, .. }: &PushLine) -> String {
    if account.is_empty() || why.is_empty() { format!("{account}{why}") } else { format!("{account}: {why}") }
}

/// `20 pushes (the newest; more with --limit): 18 sent, 2 failed; late by 2ms at the median, 41ms at most`
fn in_a_line(summary: &Summary, limit: Option<u64>) -> String {
    let states: Vec<String> =
        summary.states.iter().map(|(state, count)| format!("{count} {}", state.as_str())).collect();
    let all = if summary.pushes == 1 { "1 push".to_owned() } else { format!("{} pushes", summary.pushes) };
    let cut = if limit == Some(summary.pushes) { " (the newest; more with --limit)" } else { "" };
    let late = match (summary.median_lateness_ms, summary.most_lateness_ms) {
        (Some(median), Some(most)) => {
            format!("; late by {} at the median, {} at most", brief_ms(median), brief_ms(most))
        }
        _ => String::new(),
    };
    format!("{all}{cut}: {}{late}", states.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_page_shows_its_ids_whole_and_the_summary_counts_all_pages() {
        let columns = ["id", "due_at", "job", "state", "lateness_ms"].map(str::to_owned).to_vec();
        let line = |id: u64| -> Vec<Value> {
            vec![id.into(), "2026-01-01T00:00:00.000Z".into(), "j".into(), "sent".into(), (id % 7).into()]
        };
        let page = |ids: std::ops::Range<u64>| Table { columns: columns.clone(), rows: ids.map(line).collect() };
        let show = Show { json: false, csv: false, utc: true };
        let (mut people, mut out) = (People::new(show, "UTC"), Vec::new());
        people.write(&mut out, &page(1..PAGE + 1)).unwrap();
        people.write(&mut out, &page(10_000_000..10_000_007)).unwrap();
        people.finish(&mut out, None).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.lines().count(), PAGE as usize + 9);
        assert!(out.contains("\n10000006  2026-01-01 00:00:00"), "{out}");
        assert!(
            out.ends_with("1007 pushes: 1007 sent; late by 3ms at the median, 6ms at most; times in UTC\n"),
            "{out}"
        );
    }
}
