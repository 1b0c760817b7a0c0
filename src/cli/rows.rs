//! Rows of views: in colours for people, whole for programs.

use std::io::{self, Write};

use super::args::Show;
use super::render::{Cell, Dump, Tone};
use crate::answers::rows::Table;
use crate::texts::{self, Language};

/// A state, decision or outcome in its colour.
pub(super) fn state(word: &str, language: Language) -> Cell {
    let tone = match word {
        "sent" | "fired" | "active" => Tone::Good,
        "failed" | "expired" | "missed" => Tone::Bad,
        "unknown" | "retrying" | "paused" | "skipped" => Tone::Doubtful,
        "cancelled" | "disabled" | "ended" => Tone::Faint,
        _ => Tone::Plain,
    };
    Cell::new(texts::state_word(word).in_language(language)).tone(tone)
}

/// Writes a view for programs.
///
/// # Errors
///
/// When `out` takes no more.
pub(super) fn for_programs(out: &mut dyn Write, show: Show, table: &Table) -> io::Result<()> {
    let mut dump = Dump::new(out, show.csv);
    dump.write(table)?;
    dump.finish()
}
