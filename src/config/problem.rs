//! What is wrong with a configuration, as people and programs see it.

use std::fmt;

use serde::Serialize;

use super::seen::Seen;
use crate::texts::{self, Language, Text};

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
    pub message: Text,
    /// A near match, or what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Text>,
    /// The line as it stands in the file; what may be a secret in it is masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it stands in what came over HTTP, which is JSON (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// How many columns of a terminal lie before the caret, and how many carets.
    #[serde(skip)]
    pub(super) caret: (usize, usize),
}

impl Problem {
    /// A problem that no file has a place for.
    pub fn without_place(message: Text) -> Problem {
        Problem {
            file: String::new(),
            line: 0,
            column: 0,
            message,
            hint: None,
            source: None,
            pointer: None,
            caret: (0, 0),
        }
    }

    /// A problem of a whole file, or of none.
    pub(super) fn of_file(file: &str, message: Text, hint: Text) -> Problem {
        let file = file.to_owned();
        Problem { file, line: 0, column: 0, message, hint: Some(hint), source: None, pointer: None, caret: (0, 0) }
    }
}

impl Problem {
    /// In as many lines as it takes, for who reads that language.
    pub fn told(&self, language: Language) -> String {
        let mut told = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut told, language);
        told
    }

    fn write(&self, f: &mut impl fmt::Write, language: Language) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
            if self.line > 0 {
                write!(f, "{}:{}:", self.line, self.column)?;
            }
            f.write_str(" ")?;
        }
        f.write_str(self.message.in_language(language))?;
        let number = self.line.to_string();
        let gutter = number.len();
        if let Some(source) = &self.source {
            let (before, carets) = self.caret;
            write!(f, "\n  {number} | {source}\n  {:gutter$} | {:before$}{}", "", "", "^".repeat(carets))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  {:gutter$} = {}", "", hint.in_language(language))?;
        }
        Ok(())
    }
}

/// In English: logs have it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Language::English)
    }
}

/// Everything wrong with a configuration, in the order of files and lines. Nothing of it was taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigErrors {
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// There were so many that the rest of the files was not looked at.
    pub more: bool,
    /// A file was being written while it was read: a little later it may be fine.
    #[serde(skip)]
    pub under_way: bool,
    /// What was found in the file system.
    #[serde(skip)]
    pub seen: Seen,
}

impl ConfigErrors {
    /// These.
    pub fn of(errors: Vec<Problem>) -> ConfigErrors {
        ConfigErrors { errors, ..ConfigErrors::default() }
    }

    /// How many problems there are, in words.
    pub(crate) fn count(&self) -> Text {
        match (self.errors.len(), self.more) {
            (count, false) => texts::problems(count),
            (count, true) => texts::problems_and_more(count),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.errors {
            writeln!(f, "{problem}")?;
        }
        f.write_str(self.count().english())
    }
}

impl std::error::Error for ConfigErrors {}
