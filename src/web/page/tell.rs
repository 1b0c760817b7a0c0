//! Instants, states and lines of history, as the pages tell them.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

use super::frame::Frame;
use super::stamp::Stamp;
use crate::answers::history::why_text;
use crate::answers::rows::{Row, rows};
use crate::answers::words::brief_ms;
use crate::domain::{PushState, UtcMs};
use crate::store::Table;
use crate::texts;

/// A state: a sign, a word and a colour, never a colour alone.
#[derive(Clone, Template)]
#[template(
    source = r#"<span class="state {{ class }}"><span class="sign" aria-hidden="true">{{ sign }}</span>{{ word }}</span>"#,
    ext = "html"
)]
pub(super) struct Mark {
    class: &'static str,
    sign: &'static str,
    word: String,
}

impl HtmlSafe for Mark {}

impl Mark {
    pub(super) fn new(class: &'static str, sign: &'static str, word: String) -> Mark {
        Mark { class, sign, word }
    }

    pub(super) fn of_state(state: PushState, frame: &Frame) -> Mark {
        let word = frame.say(texts::state(state));
        match state {
            PushState::Sent => Mark::new("good", "✓", word),
            PushState::Failed => Mark::new("bad", "✗", word),
            PushState::Expired => Mark::new("bad", "⌛", word),
            PushState::Unknown => Mark::new("odd", "?", word),
            PushState::Cancelled => Mark::new("gone", "–", word),
            PushState::Pending | PushState::Sending | PushState::Retrying => Mark::new("open", "…", word),
        }
    }

    /// By the word that rows have.
    pub(super) fn of_word(word: &str, frame: &Frame) -> Mark {
        match PushState::parse(word) {
            Some(state) => Mark::of_state(state, frame),
            None => Mark::new("gone", "–", word.to_owned()),
        }
    }
}

/// What a push is about, whoever shows it.
#[derive(Clone)]
pub(super) struct PushRow {
    pub id: i64,
    pub job: Option<String>,
    pub im: String,
    pub target: String,
    pub account: String,
    pub due: Option<Stamp>,
    pub mark: Mark,
    pub state: String,
    pub why: String,
    pub late: String,
    pub attempts: i64,
    pub finished_at: Option<UtcMs>,
}

impl PushRow {
    /// The lines of `push_history`.
    pub(super) fn all(table: &Table, frame: &Frame) -> Vec<PushRow> {
        rows(table).map(|row| PushRow::of(row, frame)).collect()
    }

    fn of(row: Row<'_>, frame: &Frame) -> PushRow {
        let state = row.text("state").into_owned();
        PushRow {
            id: row.int("id").unwrap_or_default(),
            job: (!row.get("job").is_null()).then(|| row.text("job").into_owned()),
            im: row.text("im").into_owned(),
            target: row.text("target").into_owned(),
            account: row.text("account").into_owned(),
            due: row.instant("due_at").map(|at| frame.at(at, Some(&row.text("timezone")))),
            mark: Mark::of_word(&state, frame),
            why: frame.say(why_text(row)),
            late: row.int("lateness_ms").map(brief_ms).unwrap_or_default(),
            attempts: row.int("attempts").unwrap_or_default(),
            finished_at: row.instant("finished_at"),
            state,
        }
    }
}

/// How long something took, or how late it was.
pub(super) struct Span(pub i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&brief_ms(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// W04.
    #[test]
    fn what_others_wrote_stays_text() {
        let mark = Mark::new("bad", "✗", "<img src=x onerror=alert(1)>\"'".to_owned()).to_string();
        assert!(!mark.contains("<img") && !mark.contains("\"'"), "{mark}");
    }
}
