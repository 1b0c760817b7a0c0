//! `jobs`: each job, when it fires next and what became of its last fire.

use std::io::{self, Write};

use clap::Args;

use super::Show;
use super::check::counted;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::{Cell, Column, Screen, Tone, table};
use super::rows::{Instants, Row, for_programs, rows, state};
use crate::store::{Filter, Table, View};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron jobs
  pushcron jobs --json | jq -r '.[] | select(.state == \"paused\") | .job'

JSON and CSV have the columns of the view job_overview.")]
pub struct Jobs {
    #[command(flatten)]
    show: Show,
}

impl Jobs {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let table = context.reading(async |store| Ok(store.view(View::JobOverview, &Filter::default()).await?))?;
        let mut out = io::stdout().lock();
        if self.show.for_programs() {
            for_programs(&mut out, self.show, &table)?;
        } else {
            print(&mut out, self.show, &table)?;
        }
        Ok(Exit::Done)
    }
}

fn print(out: &mut dyn Write, show: Show, jobs: &Table) -> io::Result<()> {
    if jobs.rows.is_empty() {
        return writeln!(out, "no jobs");
    }
    let both = |row: Row| ["next_due_at", "last_due_at"].map(|column| row.instant(column));
    let all = rows(jobs).flat_map(|row| both(row).map(|at| (at, Some(row.text("timezone")))));
    let instants = Instants::new(show, "UTC", all);
    let columns = [
        Column::kept("job"),
        Column::ranked("schedule", 3, 9),
        Column::kept("state"),
        Column::instant("next", 6),
        Column::instant("last", 2),
        Column::ranked("result", 5, 7),
        Column::ranked("open", 1, 4).right(),
    ];
    let cells: Vec<Vec<Cell>> = rows(jobs).map(|row| cells(&instants, row)).collect();
    table(out, Screen::of_stdout(), &columns, &cells)?;
    writeln!(out, "{}; {}", counted(jobs.rows.len(), "job"), instants.told())
}

fn cells(instants: &Instants, row: Row) -> Vec<Cell> {
    let zone = row.text("timezone");
    let word = row.text("state");
    let next = instants.cell(row.instant("next_due_at"), Some(&zone));
    // A fire's own decision says it all, unless it made pushes: then they do.
    let result = if row.get("last_pushes").is_null() { row.text("last_decision") } else { row.text("last_pushes") };
    let open = row.int("open_pushes").filter(|open| *open > 0);
    vec![
        row.cell("job"),
        row.cell("schedule"),
        state(&word),
        if word == "active" { next } else { next.tone(Tone::Faint) },
        instants.cell(row.instant("last_due_at"), Some(&zone)),
        state(&result),
        Cell::new(open.map(|open| open.to_string()).unwrap_or_default()),
    ]
}
