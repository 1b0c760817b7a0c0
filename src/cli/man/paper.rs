//! A page in roff, written in the words of a page: headings, paragraphs, terms, lines as they are.

use clap_mangen::roff::{Inline, Roff, bold, italic, line_break, roman};

use crate::domain::version;

#[derive(Default)]
pub(super) struct Paper(Roff);

impl Paper {
    pub(super) fn new(title: &str, section: &str, manual: &str) -> Paper {
        let mut paper = Paper::default();
        let source = format!("pushcron {}", version::VERSION);
        paper.0.control("TH", [&title.to_uppercase(), section, version::COMMIT, &source, manual]);
        // Neither justified nor hyphenated: both would tear commands apart.
        paper.0.control("ad", ["l"]);
        paper.0.control("nh", []);
        paper
    }

    /// What `apropos` finds, in the only form that it reads.
    pub(super) fn name(&mut self, name: &str, about: &str) -> &mut Paper {
        self.heading("NAME").0.text([roman(format!("{name} - {about}"))]);
        self
    }

    pub(super) fn heading(&mut self, heading: &str) -> &mut Paper {
        self.0.control("SH", [heading]);
        self
    }

    pub(super) fn paragraph(&mut self, text: &str) -> &mut Paper {
        self.0.control("PP", []);
        self.0.text(inlines(text));
        self
    }

    /// A term with what it means, set in.
    pub(super) fn term(&mut self, term: Vec<Inline>, meaning: &str) -> &mut Paper {
        self.0.control("TP", []);
        self.0.text(term);
        self.0.text(inlines(meaning));
        self
    }

    /// More about the last term.
    pub(super) fn further(&mut self, text: &str) -> &mut Paper {
        self.0.control("IP", []);
        self.0.text(inlines(text));
        self
    }

    /// Lines that are neither filled nor set right.
    pub(super) fn as_typed<'l>(&mut self, lines: impl IntoIterator<Item = &'l str>) -> &mut Paper {
        self.0.control("PP", []);
        self.0.control("RS", ["4"]);
        self.0.control("nf", []);
        let mut text = Vec::new();
        for line in lines {
            text.extend([roman(line), line_break()]);
        }
        self.0.text(text);
        self.0.control("fi", []);
        self.0.control("RE", []);
        self
    }

    pub(super) fn see_also<'l>(&mut self, pages: impl IntoIterator<Item = &'l str>) -> &mut Paper {
        self.heading("SEE ALSO");
        let mut text = Vec::new();
        for page in pages {
            let (name, section) = page.split_once('(').unwrap_or((page, ""));
            if !text.is_empty() {
                text.push(roman(", "));
            }
            text.extend([bold(name), roman(format!("({section}"))]);
        }
        self.0.text(text);
        self
    }

    pub(super) fn text(&self) -> String {
        self.0.render()
    }
}

/// A text with what stands in backticks in bold.
pub(super) fn inlines(text: &str) -> Vec<Inline> {
    let pieces = text.split('`').enumerate();
    let pieces = pieces.filter(|(_, piece)| !piece.is_empty());
    pieces.map(|(at, piece)| if at % 2 == 1 { bold(piece) } else { roman(piece) }).collect()
}

/// `--name VALUE`.
pub(super) fn option(names: &[String], value: Option<&str>) -> Vec<Inline> {
    let mut text = Vec::new();
    for name in names {
        if !text.is_empty() {
            text.push(roman(", "));
        }
        text.push(bold(name));
    }
    if let Some(value) = value {
        text.extend([roman(if text.is_empty() { "" } else { " " }), italic(value)]);
    }
    text
}
