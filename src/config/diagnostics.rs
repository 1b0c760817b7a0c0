//! Collects what is wrong while files are read, and gives each problem its line once all of them are.

use unicode_width::UnicodeWidthStr;

use super::mask;
use super::mask::SecretKeys;
use super::problem::{ConfigErrors, Problem};
use super::text::quoted;
use crate::domain::char_start;
use crate::domain::near::near_match;
use crate::texts::{self, Text};

/// Decoder stops at this many problems: nobody reads on, and a file with a wrong key in each of 100,000 jobs must not
/// fill the memory.
const MOST: usize = 1000;

/// Of longer lines only a part is shown, in characters.
const WIDEST: usize = 100;

/// What is further away in a line, in bytes, is not even looked at.
const FAR: usize = 4096;

/// A stretch of one source file, in bytes. Small, because every job keeps a few until all files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// Index into the list of sources.
    pub file: u16,
    pub at: u32,
    pub len: u32,
}

impl Place {
    /// The whole file rather than a line of it.
    pub(super) fn whole(file: u16) -> Place {
        Place { file, at: u32::MAX, len: 0 }
    }
}

/// The file in which the problems of a push outside any job stand. Nobody sees its lines.
pub const COMMAND_LINE: &str = "command line";

/// A file that was read, kept until every problem has got its line.
pub(super) struct SourceText {
    /// As shown to people.
    pub name: String,
    pub text: String,
}

/// A value for a message: as it was written where variables stand in it, since those may hold secrets.
pub(super) fn as_written(sources: &[SourceText], place: Place, value: &str) -> String {
    let text = &sources[usize::from(place.file)].text;
    let written = text.get(place.at as usize..place.at as usize + place.len as usize).unwrap_or_default();
    quoted(if written.contains("${") { written.trim_matches(['"', '\'']) } else { value })
}

/// A problem before its place is put into words.
#[derive(Debug)]
pub(super) struct Diagnostic {
    place: Option<Place>,
    message: Text,
    hint: Option<Text>,
    /// A second place that belongs to the problem, and how it is introduced: `first defined at`.
    other: Option<(Text, Place)>,
    /// Nothing of the line is shown.
    is_secret: bool,
}

impl Diagnostic {
    pub(super) fn hint(&mut self, hint: Text) -> &mut Diagnostic {
        self.hint = Some(hint);
        self
    }

    /// Hints at the candidate that was probably meant, if any is near.
    pub(super) fn near<'a>(&mut self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> &mut Diagnostic {
        if let Some(near) = near_match(word, candidates) {
            self.hint = Some(texts::did_you_mean(near));
        }
        self
    }

    /// Shows nothing of the line: a secret stands where it should not.
    pub(super) fn hide_line(&mut self) -> &mut Diagnostic {
        self.is_secret = true;
        self
    }

    pub(super) fn other(&mut self, words: Text, place: Place) -> &mut Diagnostic {
        self.other = Some((words, place));
        self
    }
}

/// Collects what is found while files are read.
#[derive(Default)]
pub(super) struct Diagnostics {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// How many errors there were, those that found no room included.
    error_count: usize,
    /// Takes what comes once a list is full.
    excess: Option<Diagnostic>,
}

impl Diagnostics {
    pub(super) fn error(&mut self, place: impl Into<Option<Place>>, message: Text) -> &mut Diagnostic {
        self.error_count += 1;
        Diagnostics::add(&mut self.errors, &mut self.excess, MOST, place.into(), message)
    }

    /// An error that leaves what it stands in whole: only the look at something was refused, which others may have.
    pub(super) fn refusal(&mut self, place: Place, message: Text) {
        Diagnostics::add(&mut self.errors, &mut self.excess, MOST, Some(place), message).hint(texts::check_it_there());
    }

    /// An error that ends the reading of a file. It is told however many there are.
    pub(super) fn fatal(&mut self, place: Place, message: Text) -> &mut Diagnostic {
        self.error_count += 1;
        Diagnostics::add(&mut self.errors, &mut self.excess, usize::MAX, Some(place), message)
    }

    pub(super) fn warning(&mut self, place: impl Into<Option<Place>>, message: Text) -> &mut Diagnostic {
        Diagnostics::add(&mut self.warnings, &mut self.excess, MOST, place.into(), message)
    }

    fn add<'f>(
        list: &'f mut Vec<Diagnostic>,
        excess: &'f mut Option<Diagnostic>,
        room: usize,
        place: Option<Place>,
        message: Text,
    ) -> &'f mut Diagnostic {
        let diagnostic = Diagnostic { place, message, hint: None, other: None, is_secret: false };
        if list.len() >= room {
            return excess.insert(diagnostic);
        }
        list.push(diagnostic);
        let last = list.len() - 1;
        &mut list[last]
    }

    /// Whether it makes no sense to look for more.
    pub(super) fn is_full(&self) -> bool {
        self.errors.len() >= MOST
    }

    pub(super) fn error_count(&self) -> usize {
        self.error_count
    }

    /// Puts everything into words: the warnings alone, or all that is wrong.
    pub(super) fn finish(self, sources: &[SourceText], secret_keys: &SecretKeys) -> Result<Vec<Problem>, ConfigErrors> {
        let more = self.is_full();
        let mut lines = Lines { files: sources.iter().map(|source| (source, None)).collect(), keys: secret_keys };
        let warnings = lines.word_all(self.warnings);
        if self.errors.is_empty() {
            return Ok(warnings);
        }
        Err(ConfigErrors { warnings, more, ..ConfigErrors::of(lines.word_all(self.errors)) })
    }
}

/// Finds lines and columns.
struct Lines<'a> {
    /// Every file, and once it has a problem, its map.
    files: Vec<(&'a SourceText, Option<Map<'a>>)>,
    keys: &'a SecretKeys,
}

/// What finds lines quickly in a file that can have millions of them.
struct Map<'a> {
    /// How many line breaks lie before each block of the text.
    breaks: Vec<usize>,
    sections: Vec<(usize, &'a str)>,
}

/// Bytes of a [`Map`]'s block.
const BLOCK: usize = 1 << 14;

impl<'a> Map<'a> {
    fn new(text: &'a str) -> Map<'a> {
        let mut count = 0;
        let breaks = text.as_bytes().chunks(BLOCK).map(|block| {
            let before = count;
            count += breaks_in(block);
            before
        });
        Map { breaks: breaks.collect(), sections: mask::sections(text) }
    }

    /// Breaks before byte `at`.
    fn breaks_before(&self, text: &str, at: usize) -> usize {
        let block = (at / BLOCK).min(self.breaks.len().saturating_sub(1));
        let before = self.breaks.get(block).copied().unwrap_or(0);
        before + breaks_in(&text.as_bytes()[block * BLOCK..at])
    }

    fn section(&self, at: usize) -> Option<&'a str> {
        let index = self.sections.partition_point(|(start, _)| *start <= at).checked_sub(1)?;
        Some(self.sections[index].1)
    }
}

fn breaks_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

impl<'a> Lines<'a> {
    fn word_all(&mut self, mut diagnostics: Vec<Diagnostic>) -> Vec<Problem> {
        // Problems of a whole file come before those of its lines, problems of no file first of all.
        let order = |place: Option<Place>| place.map(|place| (place.file, place.at.wrapping_add(1)));
        diagnostics.sort_by_key(|diagnostic| order(diagnostic.place));
        let mut problems: Vec<Problem> = diagnostics.into_iter().map(|diagnostic| self.word(diagnostic)).collect();
        // The same scalar can be read through several aliases.
        problems.dedup();
        problems
    }

    fn word(&mut self, diagnostic: Diagnostic) -> Problem {
        let mut problem = Problem {
            file: String::new(),
            line: 0,
            column: 0,
            message: diagnostic.message,
            hint: diagnostic.hint,
            source: None,
            pointer: None,
            caret: (0, 0),
        };
        if let Some((words, place)) = diagnostic.other {
            let (name, line, column) = self.name_line_column(place);
            if name != COMMAND_LINE {
                problem.message = texts::with_other_place(problem.message, words, name, line, column);
            }
        }
        let Some(place) = diagnostic.place else { return problem };
        if place == Place::whole(place.file) {
            problem.file.clone_from(&self.files[usize::from(place.file)].0.name);
            return problem;
        }
        let (name, line, column) = self.name_line_column(place);
        (problem.file, problem.line, problem.column) = (name.to_owned(), line, column);
        if !diagnostic.is_secret {
            self.show_line(&mut problem, place);
        }
        problem
    }

    /// Adds the source line and its caret, unless the line may hold a secret.
    fn show_line(&mut self, problem: &mut Problem, place: Place) {
        let keys = self.keys;
        let (source, map) = self.file(place.file);
        let (text, at) = (source.text.as_str(), source.at(place));
        let (start, end) = line_around(text, at);
        let Some(shown) = mask::line(map.section(at), &text[start..end], keys) else { return };
        let stop = (at + place.len as usize).min(end);
        let marked = text.get(at..stop).map_or(1, UnicodeWidthStr::width);
        let (shown_at, most) = shown.place(at - start);
        let (before, rest) = shown.text.split_at(shown_at);
        let (line, before) = window(before, rest);
        let room = line.width().saturating_sub(before).min(most);
        problem.caret = (before, marked.min(room).max(1));
        problem.source = Some(line);
    }

    fn name_line_column(&mut self, place: Place) -> (&'a str, usize, usize) {
        let (source, map) = self.file(place.file);
        let at = source.at(place);
        let line = map.breaks_before(&source.text, at) + 1;
        let start = source.text[..at].rfind('\n').map_or(0, |at| at + 1);
        (&source.name, line, source.text[start..at].chars().count() + 1)
    }

    fn file(&mut self, file: u16) -> (&'a SourceText, &Map<'a>) {
        let (source, map) = &mut self.files[usize::from(file)];
        (source, map.get_or_insert_with(|| Map::new(&source.text)))
    }
}

impl SourceText {
    /// The byte of a place, on a character's boundary.
    fn at(&self, place: Place) -> usize {
        char_start(&self.text, place.at as usize)
    }
}

/// The line around byte `at`, or the nearer part of a very long one: inline media can have megabytes.
fn line_around(text: &str, at: usize) -> (usize, usize) {
    let far = char_start(text, at.saturating_sub(FAR));
    let start = text[far..at].rfind('\n').map_or(far, |found| far + found + 1);
    let far = char_start(text, at + FAR);
    let end = text[at..far].find('\n').map_or(far, |found| at + found);
    (start, start + text[start..end].trim_end_matches('\r').len())
}

/// What is shown of a line, the part before the caret and the rest of it, and the width of what lies before the caret.
fn window(before: &str, rest: &str) -> (String, usize) {
    let length = before.chars().count();
    let fits = length + rest.chars().count() <= WIDEST;
    let skipped = if fits { 0 } else { length.saturating_sub(WIDEST / 2) };
    let before: String = match skipped {
        0 => before.to_owned(),
        _ => std::iter::once('…').chain(before.chars().skip(skipped)).collect(),
    };
    let room = WIDEST.saturating_sub(before.chars().count());
    let mut shown = before.clone();
    shown.extend(rest.chars().take(room));
    if rest.chars().nth(room).is_some() {
        shown.push('…');
    }
    (shown, before.width())
}
