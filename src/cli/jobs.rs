//! `jobs`: each job, when it fires next and what became of its last fire.

use std::io::{self, Write};

use clap::Args;

use super::args::Show;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::{Cell, Column, Tone, table};
use super::rows::{for_programs, state};
use crate::answers;
use crate::answers::jobs::JobLine;
use crate::answers::rows::{Instants, Table};
use crate::texts::{self, Language, Text};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron jobs
  pushcron jobs --json | jq -r '.[] | select(.state == \"paused\") | .job'

JSON and CSV have the columns of the view job_overview.")]
pub(super) struct Jobs {
    /// Only jobs of the files, or those that `add` made
    #[arg(long, value_parser = ["file", "verb"])]
    source: Option<String>,
    /// Those that have come to their end, too
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    show: Show,
}

impl Jobs {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let (mut table, now) =
            context.reading(async |store| Ok((answers::jobs::jobs(store).await?, context.present(store).await?)))?;
        let ended = answers::jobs::leave_out(&mut table, self.source.as_deref(), self.all, now);
        let mut out = io::stdout().lock();
        if self.show.for_programs() {
            for_programs(&mut out, self.show, &table)?;
        } else {
            let language = context.language();
            print(&mut out, self.show, &table, language)?;
            // A table looks the same whether anybody goes by it or not.
            if !table.rows.is_empty() && !context.daemon_runs()? {
                writeln!(out, "{}", texts::nothing_fires_without_a_daemon().in_language(language))?;
            }
            if ended > 0 {
                writeln!(out, "{}", texts::ended_not_shown(texts::jobs(ended)).in_language(language))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn print(out: &mut dyn Write, show: Show, jobs: &Table, language: Language) -> io::Result<()> {
    let title = |title: Text| title.in_language(language).to_owned();
    if jobs.rows.is_empty() {
        return writeln!(out, "{}", title(texts::no_rows_of_jobs()));
    }
    let instants = answers::jobs::instants(show.utc, jobs);
    let columns = [
        Column::kept(title(texts::title_job())),
        Column::ranked(title(texts::title_schedule()), 3, 9),
        Column::kept(title(texts::title_state())),
        Column::instant(title(texts::title_next()), 6),
        Column::instant(title(texts::title_last()), 2),
        // What went wrong stands first in it, and is what people look for.
        Column::ranked(title(texts::title_result()), 7, 16),
        Column::ranked(title(texts::title_open()), 1, 4).right(),
    ];
    let cells: Vec<Vec<Cell>> = JobLine::all(jobs).map(|line| cells(&instants, &line, language)).collect();
    table(out, show.screen(), &columns, &cells)?;
    writeln!(out, "{}", title(texts::below(texts::jobs(jobs.rows.len()), instants.told())))
}

fn cells(instants: &Instants, line: &JobLine, language: Language) -> Vec<Cell> {
    let next = Cell::new(instants.shown(line.next_due_at, Some(&line.timezone)));
    vec![
        Cell::new(&line.job),
        Cell::new(schedule(instants, line).in_language(language)),
        state(&line.state, language),
        if line.state == "active" { next } else { next.tone(Tone::Faint) },
        Cell::new(instants.shown(line.last_due_at, Some(&line.timezone))),
        result(&line.result, language),
        Cell::new(line.open.map(|open| open.to_string()).unwrap_or_default()),
    ]
}

/// An instant by the clock of the other columns, and not as the database keeps it.
fn schedule(instants: &Instants, line: &JobLine) -> Text {
    match line.schedule.strip_prefix("at ").and_then(|at| at.parse().ok()) {
        Some(at) => texts::at_instant(instants.shown(Some(at), Some(&line.timezone))),
        None => texts::schedule_words(&line.schedule),
    }
}

/// In the colour of the worst that it holds.
fn result(states: &str, language: Language) -> Cell {
    let worst = states.split(',').next().unwrap_or_default();
    let words: Vec<String> =
        states.split(',').map(|word| texts::state_word(word).in_language(language).to_owned()).collect();
    state(worst, language).with_text(words.join(","))
}
