//! `acts`: who did what by hand, and by which door.

use std::io::{self, BufWriter, Write};

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::args::Show;
use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::{Cell, Column, Dump, Tone, table};
use crate::answers::acts::{ActLine, instants, pages};
use crate::answers::history::Filter;
use crate::answers::rows::Table;
use crate::answers::when;
use crate::domain::UtcMs;
use crate::texts::{self, Language, Text};

/// Rows for people who do not say how many.
const FEW: u64 = 20;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron acts                       the newest 20
  pushcron acts --job daily-report    who paused it, and when?
  pushcron acts --push 812            who cancelled it, or made it?
  pushcron acts --since yesterday --json

Each act of a verb or of the HTTP API is a row, written with what was done: who did it (a user of this machine, or a token), by \
which door (cli, socket, token), to what, and what it found and made of it. They are kept as long as the history. JSON and CSV have \
every row unless --limit says otherwise, oldest first, in the columns of the table acts.")]
pub(super) struct Acts {
    /// Only what was done to this job
    #[arg(long, add = ArgValueCandidates::new(candidates::jobs), help_heading = "Which acts")]
    job: Option<String>,
    /// Only what was done to this push, or made it
    #[arg(long, value_name = "PUSH", value_parser = clap::value_parser!(i64).range(1..), help_heading = "Which acts")]
    push: Option<i64>,
    /// Only since then: 24h, 7d, yesterday, saturday, 2026-01-01, 2026-01-01T09:00, 09:00
    #[arg(long, value_name = "TIME", help_heading = "Which acts")]
    since: Option<String>,
    /// Only until then; a day is meant with all its hours
    #[arg(long, value_name = "TIME", help_heading = "Which acts")]
    until: Option<String>,
    /// The newest so many; 0 for all [default: 20; all for JSON and CSV]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    show: Show,
}

impl Acts {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let zone = context.whereabouts()?.timezone;
        context.reading(async |store| {
            let filter = self.filter(&zone, context.present(store).await?)?;
            let mut out = BufWriter::new(io::stdout().lock());
            if self.show.for_programs() {
                let mut dump = Dump::new(&mut out, self.show.csv);
                pages(store, &filter, |page| Ok::<_, Failure>(dump.write(page)?)).await?;
                dump.finish()?;
            } else {
                let mut all = Table::default();
                let take = |page: &Table| {
                    all.columns.clone_from(&page.columns);
                    all.rows.extend(page.rows.iter().cloned());
                    Ok::<_, Failure>(())
                };
                pages(store, &filter, take).await?;
                self.print(&mut out, &zone, &all, context.language())?;
            }
            Ok(Exit::Done)
        })
    }

    fn filter(&self, zone: &str, now: UtcMs) -> Result<Filter, Failure> {
        let zone = when::zone(zone);
        let wrong = |key: &'static str| move |problem: String| Failure::new(Exit::Usage, format!("{key}: {problem}"));
        let since =
            self.since.as_deref().map(|text| when::past(text, &zone, now)).transpose().map_err(wrong("--since"))?;
        let until =
            self.until.as_deref().map(|text| when::past_end(text, &zone, now)).transpose().map_err(wrong("--until"))?;
        let limit = match self.limit {
            Some(0) => None,
            Some(limit) => Some(limit),
            None => (!self.show.for_programs()).then_some(FEW),
        };
        Ok(Filter {
            job: self.job.clone(),
            push_id: self.push,
            since: since.map(|since| since.from),
            until,
            limit,
            ..Filter::default()
        })
    }

    fn print(&self, out: &mut dyn Write, zone: &str, all: &Table, language: Language) -> io::Result<()> {
        let title = |title: Text| title.in_language(language).to_owned();
        if all.rows.is_empty() {
            return writeln!(out, "{}", title(texts::nothing_by_hand()));
        }
        let instants = instants(self.show.utc, zone, all).with_seconds();
        let mut columns = vec![
            Column::instant(title(texts::title_at()), Column::KEPT),
            Column::kept(title(texts::title_who())),
            Column::ranked(title(texts::title_via()), 2, 5),
            Column::kept(title(texts::title_act())),
            Column::ranked(title(texts::title_of()), 4, 12),
            Column::ranked(title(texts::title_change()), 3, 12),
        ];
        if self.show.wide {
            columns.push(Column::ranked(title(texts::title_request()), 1, 16));
        }
        let cells = |line: ActLine<'_>| {
            let mut cells = vec![
                Cell::new(instants.shown(line.at, None)),
                Cell::new(&line.actor),
                Cell::new(&line.via).tone(Tone::Faint),
                Cell::new(&line.verb),
                Cell::new(&line.of),
                Cell::new(&line.change),
            ];
            if self.show.wide {
                cells.push(Cell::new(&line.request).tone(Tone::Faint));
            }
            cells
        };
        let cells: Vec<Vec<Cell>> = ActLine::all(all).map(cells).collect();
        table(out, self.show.screen(), &columns, &cells)?;
        writeln!(out, "{}", title(texts::below(texts::acts(all.rows.len()), instants.told())))
    }
}
