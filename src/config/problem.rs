//! What is wrong with a configuration, each problem with its place, and how it is shown to people and programs.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::mask;

/// More problems than this are counted, not listed: nobody reads on, and a file with a wrong key in each of 100,000
/// jobs must not fill the memory.
const LISTED: usize = 1000;

/// One problem or warning, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as it was named or found; empty where no file is concerned.
    pub file: String,
    /// From 1; 0 where the whole file is meant.
    pub line: usize,
    /// In characters, from 1; 0 where the whole file is meant.
    pub column: usize,
    /// Lower case: what was expected, what came.
    pub message: String,
    /// A near match, or what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line as it stands in the file; what may be a secret in it is masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many columns of a terminal lie before the caret, and how many carets.
    #[serde(skip)]
    caret: (usize, usize),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
            if self.line > 0 {
                write!(f, "{}:{}:", self.line, self.column)?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)?;
        let number = self.line.to_string();
        let gutter = number.len();
        if let Some(source) = &self.source {
            let (before, carets) = self.caret;
            write!(f, "\n  {number} | {source}\n  {:gutter$} | {:before$}{}", "", "", "^".repeat(carets))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  {:gutter$} = {hint}", "")?;
        }
        Ok(())
    }
}

/// Everything wrong with a configuration, in the order of files and lines. Nothing of it was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigErrors {
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// Problems beyond those listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub unlisted: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.errors {
            writeln!(f, "{problem}")?;
        }
        let count = self.errors.len() + self.unlisted;
        let noun = if count == 1 { "problem" } else { "problems" };
        match self.unlisted {
            0 => write!(f, "{count} {noun}"),
            more => write!(f, "{count} {noun}, {more} of them not listed"),
        }
    }
}

impl std::error::Error for ConfigErrors {}

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
    pub fn whole(file: u16) -> Place {
        Place { file, at: u32::MAX, len: 0 }
    }
}

/// A file that was read, kept until every problem has got its line.
pub(super) struct Source {
    /// As shown to people.
    pub name: String,
    pub text: String,
}

/// A problem before its place is put into words.
#[derive(Debug)]
pub(super) struct Finding {
    place: Option<Place>,
    message: String,
    hint: Option<String>,
    /// A second place that belongs to the problem, and how it is introduced: `first defined at`.
    other: Option<(&'static str, Place)>,
}

impl Finding {
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Finding {
        self.hint = Some(hint.into());
        self
    }

    /// Hints at the candidate that was probably meant, if any is near.
    pub fn near<'a>(&mut self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> &mut Finding {
        if let Some(near) = near_match(word, candidates) {
            self.hint = Some(format!("did you mean '{near}'?"));
        }
        self
    }

    pub fn other(&mut self, words: &'static str, place: Place) -> &mut Finding {
        self.other = Some((words, place));
        self
    }
}

/// Collects what is found while files are read.
#[derive(Default)]
pub(super) struct Findings {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    unlisted: usize,
    scratch: Option<Finding>,
}

impl Findings {
    pub fn error(&mut self, place: impl Into<Option<Place>>, message: impl Into<String>) -> &mut Finding {
        let finding = Finding { place: place.into(), message: message.into(), hint: None, other: None };
        if self.errors.len() < LISTED {
            self.errors.push(finding);
            let last = self.errors.len() - 1;
            &mut self.errors[last]
        } else {
            self.unlisted += 1;
            self.scratch.insert(finding)
        }
    }

    pub fn warning(&mut self, place: impl Into<Option<Place>>, message: impl Into<String>) -> &mut Finding {
        let finding = Finding { place: place.into(), message: message.into(), hint: None, other: None };
        if self.warnings.len() < LISTED {
            self.warnings.push(finding);
            let last = self.warnings.len() - 1;
            &mut self.warnings[last]
        } else {
            self.scratch.insert(finding)
        }
    }

    pub fn error_count(&self) -> usize {
        self.errors.len() + self.unlisted
    }

    /// Puts everything into words: the warnings alone, or all that is wrong.
    pub fn finish(self, sources: &[Source], secret_keys: &mask::Keys) -> Result<Vec<Problem>, ConfigErrors> {
        let mut lines = Lines { files: sources.iter().map(|source| (source, None)).collect(), keys: secret_keys };
        let warnings = lines.word_all(self.warnings);
        if self.errors.is_empty() {
            return Ok(warnings);
        }
        Err(ConfigErrors { errors: lines.word_all(self.errors), warnings, unlisted: self.unlisted })
    }
}

/// Finds lines and columns.
struct Lines<'a> {
    /// Every file, and once it has a problem, its map.
    files: Vec<(&'a Source, Option<Map<'a>>)>,
    keys: &'a mask::Keys,
}

/// Where the lines of a file start, and its top-level keys.
struct Map<'a> {
    starts: Vec<usize>,
    sections: Vec<(usize, &'a str)>,
}

impl<'a> Lines<'a> {
    fn word_all(&mut self, mut findings: Vec<Finding>) -> Vec<Problem> {
        // Problems of a whole file come before those of its lines, problems of no file first of all.
        let order = |place: Option<Place>| place.map(|place| (place.file, place.at.wrapping_add(1)));
        findings.sort_by_key(|finding| order(finding.place));
        let mut problems: Vec<Problem> = findings.into_iter().map(|finding| self.word(finding)).collect();
        // The same scalar can be read through several aliases.
        problems.dedup();
        problems
    }

    fn word(&mut self, finding: Finding) -> Problem {
        let mut problem = Problem {
            file: String::new(),
            line: 0,
            column: 0,
            message: finding.message,
            hint: finding.hint,
            source: None,
            caret: (0, 0),
        };
        if let Some((words, place)) = finding.other {
            let (name, line, column) = self.name_line_column(place);
            problem.message = format!("{} ({words} {name}:{line}:{column})", problem.message);
        }
        let Some(place) = finding.place else { return problem };
        if place == Place::whole(place.file) {
            problem.file.clone_from(&self.files[usize::from(place.file)].0.name);
            return problem;
        }
        let (name, line, column) = self.name_line_column(place);
        (problem.file, problem.line, problem.column) = (name.to_owned(), line, column);
        self.show_line(&mut problem, place);
        problem
    }

    /// Adds the source line and its caret, unless the line may hold a secret.
    fn show_line(&mut self, problem: &mut Problem, place: Place) {
        let keys = self.keys;
        let (source, map) = self.file(place.file);
        let start = map.starts[problem.line - 1];
        let end = map.starts.get(problem.line).map_or(source.text.len(), |next| next - 1);
        let line = source.text[start..end].trim_end_matches('\r');
        let Some(shown) = mask::line(&map.sections, start, line, keys) else { return };
        let before: String = line.chars().take(problem.column - 1).collect();
        // A mask may have shortened the line; the caret then points at what is left of it.
        let before = before.width().min(shown.width());
        let room = shown.width().saturating_sub(before).max(1);
        let at = place.at as usize;
        let stop = (at + place.len as usize).min(start + line.len());
        let marked = source.text.get(at..stop).map_or(1, UnicodeWidthStr::width);
        problem.caret = (before, marked.clamp(1, room));
        problem.source = Some(shown);
    }

    fn name_line_column(&mut self, place: Place) -> (&'a str, usize, usize) {
        let (source, map) = self.file(place.file);
        let at = source.text.floor_char_boundary((place.at as usize).min(source.text.len()));
        let line = map.starts.partition_point(|start| *start <= at);
        (&source.name, line, source.text[map.starts[line - 1]..at].chars().count() + 1)
    }

    fn file(&mut self, file: u16) -> (&'a Source, &Map<'a>) {
        let (source, map) = &mut self.files[usize::from(file)];
        let text = source.text.as_str();
        let map = map.get_or_insert_with(|| Map {
            starts: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect(),
            sections: mask::sections(text),
        });
        (source, map)
    }
}

/// The candidate that a person probably meant by `word`: at most a third of its letters are wrong.
pub(super) fn near_match<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.chars().count().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A path for people, without control characters that could forge lines.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string().replace(char::is_control, "?")
}

/// A value for a message: quoted, cut to a readable length, control characters escaped.
pub(super) fn quoted(value: &str) -> String {
    let mut text: String = value.chars().take(60).flat_map(printable).collect();
    if value.chars().nth(60).is_some() {
        text.push('…');
    }
    format!("'{text}'")
}

fn printable(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}
