//! Tables for people; JSON and CSV for programs.
//!
//! Programs get exactly the view's columns and values. People get a choice of them that fits the terminal: aligned
//! by what each character really takes there, cut short with `…` in the least important column first, and with
//! foreign text made harmless.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::answers::rows::{Table, plain, rows};
use crate::domain::{escaped, escaped_json};

/// Where there is room for everything, no column needs more.
const MOST_ROOM: usize = 1000;

/// Two spaces between columns.
const GAP: usize = 2;

/// How a cell is to strike the eye, on terminals that can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Doubtful,
    Faint,
}

impl Tone {
    fn code(self) -> Option<&'static str> {
        match self {
            Tone::Plain => None,
            Tone::Good => Some("\x1b[32m"),
            Tone::Bad => Some("\x1b[31m"),
            Tone::Doubtful => Some("\x1b[33m"),
            Tone::Faint => Some("\x1b[2m"),
        }
    }
}

/// One value as people see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn new(text: impl AsRef<str>) -> Cell {
        Cell { text: escaped(text.as_ref()).into_owned(), tone: Tone::Plain }
    }

    pub(super) fn tone(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Another text in the same tone.
    pub(super) fn with_text(self, text: impl AsRef<str>) -> Cell {
        Cell::new(text).tone(self.tone)
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::new(text)
    }
}

/// A column of a table for people.
#[derive(Clone, Debug)]
pub(super) struct Column {
    title: Cow<'static, str>,
    /// Columns of the lowest rank give way first when the terminal is too narrow.
    rank: u8,
    /// How far it may be cut before columns are left out.
    least: usize,
    right: bool,
    /// Left out before any column that is not spare is cut.
    spare: bool,
}

impl Column {
    /// The rank of columns without which a row says nothing.
    pub(super) const KEPT: u8 = u8::MAX;

    /// What columns that are always there may be cut to when all others are left out.
    const LAST_RESORT: usize = 8;

    /// A column that is always there.
    pub(super) fn kept(title: impl Into<Cow<'static, str>>) -> Column {
        Column { title: title.into(), rank: Column::KEPT, least: 20, right: false, spare: false }
    }

    pub(super) fn ranked(title: impl Into<Cow<'static, str>>, rank: u8, least: usize) -> Column {
        Column { title: title.into(), rank, least, right: false, spare: false }
    }

    /// For instants: as wide as `2026-01-01 09:00:00 +05:30`.
    pub(super) fn instant(title: impl Into<Cow<'static, str>>, rank: u8) -> Column {
        Column { title: title.into(), rank, least: 26, right: false, spare: false }
    }

    /// Nice to have, where nothing else is the shorter for it.
    pub(super) fn spare(self) -> Column {
        Column { spare: true, ..self }
    }

    /// Numbers stand to the right.
    pub(super) fn right(self) -> Column {
        Column { right: true, ..self }
    }
}

/// The place where people's tables go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    pub width: usize,
    pub colours: bool,
}

impl Screen {
    /// Standard output as it is now: where it is no terminal, without colour and as wide as `$COLUMNS` says, else 80.
    pub(super) fn of_stdout() -> Screen {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok());
            return Screen { width: columns.filter(|columns| *columns > 0).unwrap_or(80), colours: false };
        }
        let size = rustix::termios::tcgetwinsize(&stdout).map(|size| usize::from(size.ws_col));
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Screen { width: size.ok().filter(|width| *width > 0).unwrap_or(80), colours: !set("NO_COLOR") && !dumb }
    }
}

impl Screen {
    /// With room for everything.
    pub(super) fn without_bounds(self) -> Screen {
        Screen { width: 100_000, ..self }
    }
}

/// Writes an aligned table: the titles, then the rows. Columns without any value are left out.
///
/// # Errors
///
/// When `out` takes no more.
pub(super) fn table(out: &mut dyn Write, screen: Screen, columns: &[Column], rows: &[Vec<Cell>]) -> io::Result<()> {
    let widths = Widths::snug(screen, columns, rows);
    widths.write_titles(out, screen, columns)?;
    rows.iter().try_for_each(|row| widths.write(out, screen, columns, row))
}

/// The widths of a table whose rows come one by one.
pub(super) struct Widths(Vec<Option<usize>>);

impl Widths {
    /// Widths that suit these rows and no others: columns without any value are left out.
    pub(super) fn snug(screen: Screen, columns: &[Column], rows: &[Vec<Cell>]) -> Widths {
        let is_empty = |index: usize| rows.iter().all(|row| row.get(index).is_none_or(|cell| cell.text.is_empty()));
        let mut natural = natural_widths(columns, rows);
        for index in (0..columns.len()).filter(|&index| columns[index].rank != Column::KEPT && is_empty(index)) {
            natural[index] = None;
        }
        Widths(fit(&natural, columns, screen.width))
    }

    /// Widths that suit these rows, with the rest of the screen for the last column.
    pub(super) fn with_room(screen: Screen, columns: &[Column], rows: &[Vec<Cell>]) -> Widths {
        let mut widths = fit(&natural_widths(columns, rows), columns, screen.width);
        let room = screen.width.min(MOST_ROOM).saturating_sub(taken(&widths));
        if let Some(Some(last)) = widths.last_mut() {
            *last += room;
        }
        Widths(widths)
    }

    /// Whether this is shown uncut in the last column.
    pub(super) fn have_room_for_last(&self, cell: &Cell) -> bool {
        cell.text.width() <= self.0.last().copied().flatten().unwrap_or(0)
    }

    /// # Errors
    ///
    /// When `out` takes no more.
    pub(super) fn write_titles(&self, out: &mut dyn Write, screen: Screen, columns: &[Column]) -> io::Result<()> {
        let titles: Vec<Cell> = columns.iter().map(|column| Cell::new(&column.title).tone(Tone::Faint)).collect();
        self.write(out, screen, columns, &titles)
    }

    /// # Errors
    ///
    /// When `out` takes no more.
    pub(super) fn write(
        &self,
        out: &mut dyn Write,
        screen: Screen,
        columns: &[Column],
        row: &[Cell],
    ) -> io::Result<()> {
        write_row(out, screen, columns, &self.0, row)
    }
}

fn natural_widths(columns: &[Column], rows: &[Vec<Cell>]) -> Vec<Option<usize>> {
    let widest = |(index, column): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.text.width());
        cells.chain([column.title.width()]).max()
    };
    columns.iter().enumerate().map(widest).collect()
}

/// The width of each column, None for those that do not fit: the lowest ranks are cut first, to their least; if that
/// is not enough, the lowest ranks are left out, and what is always there is cut further; what room is left then goes
/// back, highest rank first.
fn fit(natural: &[Option<usize>], columns: &[Column], screen: usize) -> Vec<Option<usize>> {
    let mut widths = natural.to_vec();
    let mut by_rank: Vec<usize> = (0..columns.len()).filter(|&index| natural[index].is_some()).collect();
    by_rank.sort_by_key(|&index| columns[index].rank);
    let cut_to = |widths: &mut [Option<usize>], index: usize, least: usize| {
        let least = natural[index].map(|width| least.max(columns[index].title.width()).min(width));
        widths[index] = widths[index].map(|width| width.saturating_sub(over(widths, screen))).max(least);
    };
    for &index in by_rank.iter().filter(|&&index| columns[index].spare) {
        cut_to(&mut widths, index, columns[index].least);
        if over(&widths, screen) > 0 {
            widths[index] = None;
        }
    }
    by_rank.retain(|&index| widths[index].is_some());
    for &index in &by_rank {
        cut_to(&mut widths, index, columns[index].least);
    }
    for &index in &by_rank {
        if columns[index].rank == Column::KEPT {
            cut_to(&mut widths, index, Column::LAST_RESORT);
        } else if over(&widths, screen) > 0 {
            widths[index] = None;
        }
    }
    let mut room = screen.saturating_sub(taken(&widths));
    for &index in by_rank.iter().rev() {
        if let (Some(width), Some(natural)) = (&mut widths[index], natural[index]) {
            let more = natural.saturating_sub(*width).min(room);
            *width += more;
            room -= more;
        }
    }
    widths
}

fn taken(widths: &[Option<usize>]) -> usize {
    widths.iter().flatten().sum::<usize>() + GAP * widths.iter().flatten().count().saturating_sub(1)
}

fn over(widths: &[Option<usize>], screen: usize) -> usize {
    taken(widths).saturating_sub(screen)
}

fn write_row(
    out: &mut dyn Write,
    screen: Screen,
    columns: &[Column],
    widths: &[Option<usize>],
    cells: &[Cell],
) -> io::Result<()> {
    let mut line = String::new();
    let mut blanks = 0;
    for ((column, width), cell) in columns.iter().zip(widths).zip(cells) {
        let Some(width) = *width else { continue };
        let text = cut(&cell.text, width);
        let padding = width.saturating_sub(text.width());
        if column.right {
            blanks += padding;
        }
        // Blanks are written only before a text, so that no line ends in them.
        if !text.is_empty() {
            line.extend(std::iter::repeat_n(' ', std::mem::take(&mut blanks)));
            paint(&mut line, &text, cell.tone, screen.colours);
        }
        blanks += GAP + if column.right { 0 } else { padding };
    }
    line.push('\n');
    out.write_all(line.as_bytes())
}

fn paint(line: &mut String, text: &str, tone: Tone, colours: bool) {
    match tone.code().filter(|_| colours) {
        Some(code) => line.extend([code, text, "\x1b[0m"]),
        None => line.push_str(text),
    }
}

/// As much of `text` as takes `width` columns, ending in `…` where something was cut, never inside a character.
fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut end = 0;
    for (start, grapheme) in text.grapheme_indices(true) {
        if text[..start].width() + grapheme.width() + 1 > width {
            break;
        }
        end = start + grapheme.len();
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Rows for a program, written piece by piece: a JSON array of objects, one a line, or CSV with the column names
/// first and nothing for NULL.
pub(super) struct Dump<'a> {
    out: &'a mut dyn Write,
    csv: bool,
    begun: bool,
    rows: u64,
}

impl<'a> Dump<'a> {
    pub(super) fn new(out: &'a mut dyn Write, csv: bool) -> Dump<'a> {
        Dump { out, csv, begun: false, rows: 0 }
    }

    /// # Errors
    ///
    /// When the output takes no more.
    pub(super) fn write(&mut self, table: &Table) -> io::Result<()> {
        if self.csv && !self.begun {
            csv_row(self.out, table.columns.iter().cloned().map(Value::from))?;
        }
        self.begun = true;
        for (row, values) in rows(table).zip(&table.rows) {
            if self.csv {
                csv_row(self.out, values.iter().cloned())?;
            } else {
                write!(self.out, "{}{}", if self.rows == 0 { "[\n" } else { ",\n" }, json(&json!(row)))?;
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// # Errors
    ///
    /// When the output takes no more.
    pub(super) fn finish(self) -> io::Result<()> {
        match (self.csv, self.rows) {
            (true, _) => {}
            (false, 0) => self.out.write_all(b"[]\n")?,
            (false, _) => self.out.write_all(b"\n]\n")?,
        }
        self.out.flush()
    }
}

/// A value on one line, which a terminal can show as well.
pub(super) fn json(value: &Value) -> String {
    escaped_json(&value.to_string()).into_owned()
}

/// A value on as many lines as people like, which a terminal can show as well.
pub(super) fn pretty(value: &Value) -> String {
    escaped_json(&format!("{value:#}")).into_owned()
}

/// One row of CSV. Values are as they are stored; only a person at a terminal sees foreign text made harmless, since
/// CSV has no escapes that a program would undo.
///
/// # Errors
///
/// When `out` takes no more.
pub(super) fn csv_row(out: &mut dyn Write, row: impl Iterator<Item = Value>) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let is_seen = io::stdout().is_terminal();
    for value in row {
        let text = plain(&value);
        writer.write_field(if is_seen { escaped(&text) } else { Cow::Borrowed(&*text) }.as_bytes())?;
    }
    writer.write_record(None::<&[u8]>)?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> [Column; 4] {
        [
            Column::kept("job"),
            Column::ranked("target", 2, 12),
            Column::ranked("ms", 3, 2).right(),
            Column::ranked("error", 1, 12),
        ]
    }

    fn rows() -> Vec<Vec<Cell>> {
        let row = |cells: [&str; 4]| cells.iter().map(Cell::from).collect::<Vec<_>>();
        vec![
            row(["daily-report", "group:123456", "3", ""]),
            row(["日报", "user:张三", "12045", "the platform answered: 群已解散 and more words than fit"]),
            row(["👨‍👩‍👧", "group:1\n2", "7", ""]),
        ]
    }

    fn drawn(width: usize, colours: bool) -> String {
        let mut out = Vec::new();
        table(&mut out, Screen { width, colours }, &columns(), &rows()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn wide_characters_keep_the_columns_aligned() {
        insta::assert_snapshot!(drawn(100, false), @r"
        job           target           ms  error
        daily-report  group:123456      3
        日报          user:张三     12045  the platform answered: 群已解散 and more words than fit
        👨‍👩‍👧            group:1\n2        7
        ");
    }

    #[test]
    fn a_narrow_terminal_cuts_the_least_important_column_and_then_leaves_it_out() {
        insta::assert_snapshot!(drawn(60, false), @r"
        job           target           ms  error
        daily-report  group:123456      3
        日报          user:张三     12045  the platform answered: …
        👨‍👩‍👧            group:1\n2        7
        ");
        insta::assert_snapshot!(drawn(40, false), @r"
        job           target           ms
        daily-report  group:123456      3
        日报          user:张三     12045
        👨‍👩‍👧            group:1\n2        7
        ");
        insta::assert_snapshot!(drawn(10, false), @r"
        job
        daily-rep…
        日报
        👨‍👩‍👧
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_screen_nor_ends_in_blanks() {
        for width in 8..120 {
            for line in drawn(width, false).lines() {
                assert!(line.width() <= width, "{width}: {line}");
                assert_eq!(line, line.trim_end(), "{width}");
            }
        }
    }

    #[test]
    fn colours_come_only_where_they_are_wanted() {
        assert!(!drawn(80, false).contains('\x1b'));
        assert!(drawn(80, true).contains("\x1b[2mjob\x1b[0m"));
    }

    #[test]
    fn a_text_is_never_cut_inside_a_character() {
        assert_eq!(cut("张三李四", 5), "张三…");
        assert_eq!(cut("张三李四", 4), "张…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 1), "…");
    }

    #[test]
    fn programs_get_the_columns_of_the_view_as_they_are() {
        let table = Table {
            columns: vec!["id".into(), "job".into(), "error".into()],
            rows: vec![vec![1.into(), "日报, \"x\"".into(), Value::Null], vec![2.into(), "a\nb".into(), true.into()]],
        };
        let text = |csv: bool, pieces: &[&Table]| {
            let mut out = Vec::new();
            let mut dump = Dump::new(&mut out, csv);
            pieces.iter().for_each(|table| dump.write(table).unwrap());
            dump.finish().unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            text(false, &[&table]),
            "[\n{\"id\":1,\"job\":\"日报, \\\"x\\\"\",\"error\":null},\n{\"id\":2,\"job\":\"a\\nb\",\"error\":true}\n]\n"
        );
        assert_eq!(text(true, &[&table]), "id,job,error\n1,\"日报, \"\"x\"\"\",\n2,\"a\nb\",true\n");
        assert_eq!(text(false, &[&Table::default()]), "[]\n");
        assert_eq!(text(true, &[&table, &table]).lines().count(), 7);
        assert_eq!(text(false, &[&table, &table]).matches("{\"id\":1").count(), 2);
    }
}
