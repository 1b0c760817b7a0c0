//! `history`: the pushes, what became of them, and new ones as they come.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::args::Show;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::pushes::{Layout, People, Told};
use super::render::{self, Dump, Widths};
use super::which::{self, WhichArgs, refuse_unknown_words};
use crate::answers::Asked;
use crate::answers::explain::story::{undecided_in_words, unfired_in_words};
use crate::answers::follow::Follower;
use crate::answers::history::{self, Filter, Source, instants, pages};
use crate::answers::rows::{Instants, Table, rows};
use crate::answers::unpushed::Unpushed;
use crate::answers::which::Which;
use crate::domain::escaped;
use crate::texts::{self, Text};

/// Rows for people who do not say how many.
const FEW: u64 = 20;

/// How often `--follow` looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron history --job daily-report --at 'sat 08:30' --not-sent    who did not get it, and why
  pushcron history --state failed,unknown --since saturday --until sunday
  pushcron history --target 123456 --limit 5
  pushcron history --follow
  pushcron history --since 2026-01-01 --csv > january.csv

`pushcron show PUSH` tells everything about one of them.
JSON and CSV have every row unless --limit says otherwise, oldest first, in the columns of the view push_history.
Oldest is the lowest id; with --job, --at, --since or --until the earliest instant; with one --state the earliest end,
for final states but sent.")]
pub(super) struct History {
    #[command(flatten)]
    which: WhichArgs,
    /// Only what was not sent, or not yet, and instants that were missed; ends with 1 where there is any
    #[arg(long, conflicts_with_all = ["state", "follow"], help_heading = "Which pushes")]
    not_sent: bool,
    /// The newest so many; 0 for all [default: 20; all for JSON and CSV, and with --at or --not-sent]
    #[arg(long, value_name = "N", value_parser = which::limit)]
    limit: Option<u64>,
    /// Go on showing pushes as they end or are put back
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    show: Show,
}

impl History {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let zone = context.whereabouts()?.timezone;
        context.reading(async |store| {
            let states = if self.not_sent { history::not_sent() } else { Vec::new() };
            let mut which = self.which.read(context, store, states).await?;
            which.filter.limit = self.most();
            if let Some(note) = &which.note {
                writeln!(io::stderr(), "mind that {}", escaped(&note.to_string()))?;
            }
            if self.follow {
                refuse_unknown_words(context, store, &which).await?;
                return self.follow(context, &store, &which.filter, &zone).await;
            }
            if self.not_sent {
                // What is recorded ahead of its instant is not missing yet.
                let now = context.present(store).await?;
                which.filter.until = Some(which.filter.until.map_or(now, |until| until.min(now)));
            }
            let is_empty = self.write(context, store, &which, &zone).await?;
            if self.not_sent { self.tell_missing(context, store, &which, is_empty).await } else { Ok(Exit::Done) }
        })
    }

    fn most(&self) -> Option<u64> {
        match self.limit {
            Some(0) => None,
            Some(limit) => Some(limit),
            None if self.not_sent || self.which.names_a_fire().is_some() => None,
            None => (!self.show.for_programs()).then_some(FEW),
        }
    }

    /// Writes what is asked for. Returns whether there was nothing.
    async fn write(&self, context: &Context, store: &dyn Asked, which: &Which, zone: &str) -> Result<bool, Failure> {
        refuse_unknown_words(context, store, which).await?;
        let (mut out, mut any) = (BufWriter::new(io::stdout().lock()), false);
        if self.show.for_programs() {
            let mut dump = Dump::new(&mut out, self.show.csv);
            let page = |page: &Table| {
                any |= !page.rows.is_empty();
                Ok::<_, Failure>(dump.write(page)?)
            };
            pages(&store, &which.filter, page).await?;
            dump.finish()?;
        } else {
            let mut people = People::new(self.show, zone, self.told(), context.language());
            pages(&store, &which.filter, |page| Ok::<_, Failure>(people.write(&mut out, page)?)).await?;
            any = !people.is_empty();
            if any || !self.not_sent {
                people.finish(&mut out, which.filter.limit)?;
            }
        }
        Ok(!any)
    }

    fn told(&self) -> Told {
        let is_one_fire = self.which.names_a_fire().is_some();
        Told {
            job: self.which.names_a_job() && !self.show.wide,
            due: is_one_fire && !self.show.wide,
            target: self.which.names_a_target() && !self.show.wide,
            asks_why: self.not_sent,
        }
    }

    /// What no push can tell: instants of which none was made; and whether all is well.
    async fn tell_missing(
        &self,
        context: &Context,
        store: &dyn Asked,
        which: &Which,
        is_empty: bool,
    ) -> Result<Exit, Failure> {
        // Programs read rows on standard output, and these are none.
        let tell = |line: String| match self.show.for_programs() {
            true => writeln!(io::stderr(), "{line}"),
            false => writeln!(io::stdout(), "{line}"),
        };
        let language = context.language();
        let say = |text: &Text| escaped(text.in_language(language)).into_owned();
        let (now, daemon_runs) = (context.present(store).await?, context.daemon_runs()?);
        let unpushed = Unpushed::read(store, &which.filter, now, daemon_runs).await?;
        for instants in &unpushed.unfired {
            tell(say(&unfired_in_words(instants, self.show.utc)))?;
        }
        for undecided in &unpushed.undecided {
            tell(say(&undecided_in_words(undecided, daemon_runs, self.show.utc)))?;
        }
        if !is_empty || unpushed.is_missing() {
            return Ok(Exit::Failed);
        }
        let all = Filter { states: Vec::new(), limit: Some(1), ..which.filter.clone() };
        if !(&store).lines(&all).await?.rows.is_empty() {
            tell(say(&texts::all_was_sent()))?;
            return Ok(Exit::Done);
        }
        match self.which.names_a_fire().filter(|_| unpushed.is_empty()).zip(which.stretch()) {
            // Somebody waits for this one, and there is no trace of it.
            Some(((job, _), asked)) => {
                let told = super::explain::told(context, store, job, asked, self.show.utc, language).await?;
                tell(told)?;
                Ok(Exit::Failed)
            }
            None => {
                tell(say(&texts::there_were_no_pushes()))?;
                Ok(Exit::Done)
            }
        }
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
        let mut lines = Lines::new(self.show, zone, Layout::new(self.show, self.told(), context.language()));
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
    layout: Layout,
    /// Once the first page is known.
    shape: Option<(Instants, Widths)>,
}

impl Lines<'_> {
    fn new(show: Show, zone: &str, layout: Layout) -> Lines<'_> {
        Lines { show, zone, layout, shape: None }
    }

    /// Writes the titles before the first page.
    fn begin(&mut self, table: &Table) -> Result<(), Failure> {
        if self.shape.is_some() {
            return Ok(());
        }
        let instants = instants(self.show.utc, self.zone, table).with_seconds();
        let widths = self.layout.widths(&instants, table, true);
        if self.show.csv {
            render::csv_row(&mut io::stdout(), table.columns.iter().cloned().map(Value::from))?;
        } else if !self.show.json {
            self.layout.write_titles(&mut io::stdout(), &widths)?;
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
            self.layout.write(&mut out, widths, instants, row)?;
        }
        Ok(out.flush()?)
    }
}
