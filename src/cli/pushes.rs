//! Pushes as people see them: a table that comes page by page, and its summary.

use std::io::{self, Write};

use super::args::Show;
use super::lines::filled;
use super::render::{Cell, Column, Screen, Tone, Widths};
use super::rows::state;
use crate::answers::history::{PAGE, PushLine, Summary, Tally, instants};
use crate::answers::rows::{Instants, Row, Table, rows};
use crate::answers::words::brief_ms;
use crate::texts::{self, Language, Text};

/// Prints pushes for people, with a summary.
///
/// # Errors
///
/// When `out` takes no more.
pub(super) fn print(out: &mut dyn Write, show: Show, zone: &str, table: &Table, language: Language) -> io::Result<()> {
    let mut people = People::new(show, zone, Told::default(), language);
    people.write(out, table)?;
    people.finish(out, None)
}

/// What the question says already, so that no column needs to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub job: bool,
    pub due: bool,
    pub target: bool,
    /// The reason is what is asked for: where it has no room beside the rest, it stands whole below it.
    pub asks_why: bool,
}

/// Blanks before a reason that stands below its push.
const BELOW: usize = 6;

/// Pushes for people, page by page: the first page settles the widths of all. What the summary needs is counted on
/// the way.
pub(super) struct People<'a> {
    show: Show,
    zone: &'a str,
    layout: Layout,
    shape: Option<(Instants, Widths)>,
    tally: Tally,
    language: Language,
}

impl People<'_> {
    pub(super) fn new(show: Show, zone: &str, told: Told, language: Language) -> People<'_> {
        let layout = Layout::new(show, told, language);
        People { show, zone, layout, shape: None, tally: Tally::default(), language }
    }

    /// # Errors
    ///
    /// When `out` takes no more.
    pub(super) fn write(&mut self, out: &mut dyn Write, page: &Table) -> io::Result<()> {
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
            // A column that is empty here may hold something in a page to come.
            let widths = self.layout.widths(&instants, page, page.rows.len() as u64 == PAGE);
            (instants, widths)
        });
        if is_first {
            self.layout.write_titles(out, widths)?;
        }
        rows(page).try_for_each(|row| self.layout.write(out, widths, instants, row))
    }

    /// Whether there was none.
    pub(super) fn is_empty(&self) -> bool {
        self.shape.is_none()
    }

    /// # Errors
    ///
    /// When `out` takes no more.
    pub(super) fn finish(&self, out: &mut dyn Write, limit: Option<u64>) -> io::Result<()> {
        let summary = match &self.shape {
            None => texts::no_rows_of_pushes(),
            Some((instants, _)) => texts::below(in_a_line(&self.tally.summary(), limit), instants.told()),
        };
        for line in filled(summary.in_language(self.language), self.show.screen().width) {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }
}

/// Which columns there are, and the place where they go.
pub(super) struct Layout {
    screen: Screen,
    columns: Vec<Column>,
    told: Told,
    language: Language,
}

impl Layout {
    pub(super) fn new(show: Show, told: Told, language: Language) -> Layout {
        let title = |title: Text| title.in_language(language).to_owned();
        let columns = told.leave_out(vec![
            Column::kept(title(texts::title_id())).right(),
            Column::instant(title(texts::title_due()), 180),
            Column::ranked(title(texts::title_job()), 150, 12),
            Column::ranked(title(texts::title_im()), 1, 8).spare(),
            Column::ranked(title(texts::title_target()), 210, 12),
            Column::kept(title(texts::title_state())),
            Column::ranked(title(texts::title_tries()), 2, 5).right().spare(),
            Column::ranked(title(texts::title_late()), 3, 8).right().spare(),
            Column::ranked(title(texts::title_account()), 100, 8),
            Column::ranked(title(texts::title_why()), if told.asks_why { 90 } else { 200 }, 15),
        ]);
        Layout { screen: show.screen(), columns, told, language }
    }

    /// Widths that suit these rows, and with `room` those to come.
    pub(super) fn widths(&self, instants: &Instants, page: &Table, room: bool) -> Widths {
        let mut cells: Vec<Vec<Cell>> = rows(page).map(|row| self.cells(instants, row)).collect();
        if !room {
            return Widths::snug(self.screen, &self.columns, &cells);
        }
        // Lines to come have higher ids, of which no digit may be cut: a person types them.
        cells.push(vec![Cell::new("12345678")]);
        Widths::with_room(self.screen, &self.columns, &cells)
    }

    /// # Errors
    ///
    /// When `out` takes no more.
    pub(super) fn write_titles(&self, out: &mut dyn Write, widths: &Widths) -> io::Result<()> {
        widths.write_titles(out, self.screen, &self.columns)
    }

    /// # Errors
    ///
    /// When `out` takes no more.
    pub(super) fn write(&self, out: &mut dyn Write, widths: &Widths, instants: &Instants, row: Row) -> io::Result<()> {
        let mut cells = self.cells(instants, row);
        let whole = cells.last_mut().filter(|why| self.told.asks_why && !widths.have_room_for_last(why));
        let below = whole.map(std::mem::take);
        widths.write(out, self.screen, &self.columns, &cells)?;
        for line in below.iter().flat_map(|why| filled(why.text(), self.screen.width.saturating_sub(BELOW))) {
            writeln!(out, "{:BELOW$}{line}", "")?;
        }
        Ok(())
    }

    fn cells(&self, instants: &Instants, row: Row) -> Vec<Cell> {
        let line = PushLine::of(row);
        let late = line.lateness_ms.map(brief_ms).unwrap_or_default();
        let job = line.job.as_ref().map_or_else(|| Cell::new("-").tone(Tone::Faint), Cell::new);
        self.told.leave_out(vec![
            Cell::new(&line.id),
            Cell::new(instants.shown(line.due_at, Some(&line.timezone))),
            job,
            Cell::new(&line.im),
            Cell::new(&line.target),
            state(&line.state, self.language),
            Cell::new(&line.attempts),
            Cell::new(late),
            Cell::new(&line.account),
            Cell::new(line.why.in_language(self.language)),
        ])
    }
}

impl Told {
    /// Of a thing for each column, those that are wanted.
    fn leave_out<T>(self, all: Vec<T>) -> Vec<T> {
        let unwanted = |index: usize| match index {
            1 => self.due,
            2 => self.job,
            4 => self.target,
            _ => false,
        };
        all.into_iter().enumerate().filter(|(index, _)| !unwanted(*index)).map(|(_, one)| one).collect()
    }
}

/// `20 pushes (the newest; more with --limit): 18 sent, 2 failed; late by 2ms at the median, 41ms at most`
fn in_a_line(summary: &Summary, limit: Option<u64>) -> Text {
    let states = summary.states.iter().map(|(state, count)| texts::so_many_are(count, texts::state(*state)));
    let states = Text::joined(states, &texts::between());
    let cut = if limit == Some(summary.pushes) { texts::the_newest() } else { Text::none() };
    let late = match (summary.median_lateness_ms, summary.most_lateness_ms) {
        (Some(median), Some(most)) => texts::sum_of_lateness(brief_ms(median), brief_ms(most)),
        _ => Text::none(),
    };
    texts::sum_of_pushes(texts::pushes(summary.pushes), cut, states, late)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_later_page_shows_its_ids_whole_and_the_summary_counts_all_pages() {
        let columns = ["id", "due_at", "job", "state", "lateness_ms"].map(str::to_owned).to_vec();
        let line = |id: u64| -> Vec<Value> {
            vec![id.into(), "2026-01-01T00:00:00.000Z".into(), "j".into(), "sent".into(), (id % 7).into()]
        };
        let page = |ids: std::ops::Range<u64>| Table { columns: columns.clone(), rows: ids.map(line).collect() };
        let show = Show { utc: true, wide: true, ..Show::default() };
        let (mut people, mut out) = (People::new(show, "UTC", Told::default(), Language::English), Vec::new());
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
