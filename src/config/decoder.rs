//! What every part of a file is read with: the diagnostics, the environment, and one way to ask a node for a value.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::diagnostics::{Diagnostic, Diagnostics, Place};
use super::draft::Incomplete;
use super::environment::{LoadEnvironment, Sight};
use super::mask;
use super::scalar;
use super::scalar::BadVariable;
use super::seen::Seen;
use super::templates::Mark;
use super::text::quoted;
use super::yaml::{At, Entry, Node, Value, holds_a_call};
use crate::domain::length;
use crate::texts::{self, Spoken, Text};

/// What to do about a variable that is none.
const LITERAL: fn() -> Text = texts::literal_dollar;

/// The state of reading one file.
pub(super) struct Decoder<'a> {
    /// Index of the file among the sources.
    pub file: u16,
    /// The file's directory: relative paths in the file start here.
    pub dir: &'a Path,
    /// The same directory as it was named, which differs where the file is a link.
    pub named_dir: &'a Path,
    pub environment: &'a LoadEnvironment,
    pub diagnostics: &'a mut Diagnostics,
    /// No file, but what a verb says of a job: all that it leaves as it was is there already.
    pub of_verb: bool,
    /// Set once the file is seen to hold a secret in plain text.
    pub holds_secrets: bool,
    /// What is read may hold secrets in places where nobody looks for one: values are shown if they surely are none.
    pub guarded: bool,
    /// Secrets, and what else accounts are given, that are not seen here and need not be.
    pub unseen: usize,
    /// What of them must be.
    pub sight: Sight,
    /// What is left to check of things that are wrong already.
    pub incomplete: &'a mut Incomplete,
    /// Token files that were read.
    pub secret_files: &'a mut Vec<PathBuf>,
    /// What was found in the file system.
    pub seen: &'a mut Seen,
    /// Variables in places that may hold secrets.
    pub secret_names: &'a mut HashSet<String>,
    /// Texts of the push under way that are templates or look like some.
    pub marks: Option<Vec<Mark>>,
}

impl Decoder<'_> {
    pub(super) fn place(&self, at: At) -> Place {
        Place { file: self.file, at: at.at, len: at.len }
    }

    pub(super) fn error(&mut self, at: At, message: Text) -> &mut Diagnostic {
        let place = self.place(at);
        self.diagnostics.error(place, message)
    }

    pub(super) fn warning(&mut self, at: At, message: Text) -> &mut Diagnostic {
        let place = self.place(at);
        self.diagnostics.warning(place, message)
    }

    /// `key: expected …, got …`, the value as it was written: a variable is named, never shown.
    pub(super) fn wrong(&mut self, key: &str, node: &Node, expected: Text) -> &mut Diagnostic {
        let got = match node.value() {
            Value::Scalar(scalar) if !self.guarded || mask::is_plain_value(&scalar.text) => {
                texts::got_value(quoted(&scalar.text))
            }
            _ => node.describe(),
        };
        self.error(node.at, texts::expected_got(key, expected, got))
    }

    pub(super) fn unknown_key<'k>(&mut self, entry: &Entry, owner: Text, known: impl IntoIterator<Item = &'k str>) {
        let key = if self.guarded { mask::key(&entry.key) } else { quoted(&entry.key) };
        let message = texts::unknown_key(key, owner);
        let diagnostic = self.error(entry.key_at, message).near(&entry.key, known);
        if holds_a_call(&entry.key) {
            diagnostic.hint(texts::name_the_arguments());
        }
    }

    pub(super) fn map<'n, 's>(&mut self, key: impl Spoken, node: &'n Node<'s>) -> Option<&'n [Entry<'s>]> {
        match node.value() {
            Value::Map(entries) => Some(entries),
            _ => {
                let got = node.describe();
                self.error(node.at, texts::expected_got(key, texts::a_mapping(), got));
                None
            }
        }
    }

    /// The text of a scalar with its variables replaced. Numbers and bools are texts too, as they were written.
    pub(super) fn text<'n>(&mut self, key: &str, node: &'n Node<'_>) -> Option<Cow<'n, str>> {
        match node.value() {
            Value::Scalar(scalar) => {
                let text = match self.half_seen(key, &scalar.text, node.at) {
                    Some(text) => Cow::Borrowed(text),
                    None => self.interpolated(key, &scalar.text, node.at, LITERAL())?,
                };
                if let Some(marks) = &mut self.marks {
                    marks.extend(Mark::of(&scalar.text, &text, node.at));
                }
                Some(text)
            }
            _ => {
                self.wrong(key, node, texts::a_text());
                None
            }
        }
    }

    /// As [`Decoder::text`], for what nothing can be told of without.
    pub(super) fn seen_text(&mut self, key: &str, node: &Node) -> Option<String> {
        self.parsed(key, node, texts::a_text(), |text| Some(text.to_owned()))
    }

    /// A text with its variables replaced; `hint` says what to do about one that is not set.
    pub(super) fn interpolated<'n>(&mut self, key: &str, text: &'n str, at: At, hint: Text) -> Option<Cow<'n, str>> {
        if self.guarded {
            self.secret_names.extend(scalar::variables(text).map(str::to_owned));
        }
        match scalar::interpolate(text, &*self.environment.variable) {
            Ok(text) if text.contains('\0') => {
                self.error(at, texts::no_nul(key));
                None
            }
            Ok(text) => Some(text),
            Err(BadVariable::Missing(name)) if self.guarded && self.sight == Sight::Onlooker => {
                self.not_seen(key, at, texts::the_variable(name));
                None
            }
            Err(BadVariable::Missing(name)) if self.sight == Sight::Text => {
                self.refuse_beside(key, at, texts::the_variable(name));
                self.unseen += 1;
                None
            }
            Err(BadVariable::Missing(name)) => {
                self.error(at, texts::variable_not_set(key, name)).hint(hint);
                None
            }
            Err(BadVariable::NotAName) => {
                self.error(at, texts::expected_variable(key)).hint(LITERAL());
                None
            }
        }
    }

    /// A text with a variable that only the service knows, as it is written; None where all of it is seen, or must be.
    pub(super) fn half_seen<'n>(&mut self, key: &str, text: &'n str, at: At) -> Option<&'n str> {
        if !matches!(self.sight, Sight::Onlooker | Sight::Text) || self.guarded {
            return None;
        }
        let name = scalar::unknown_variable(text, &*self.environment.variable)?;
        let name = texts::the_variable(name);
        match self.sight {
            Sight::Text => self.refuse_beside(key, at, name),
            _ => drop(self.warning(at, texts::not_looked_at(key, name))),
        }
        Some(text)
    }

    /// Whether something lies beside a text that stands alone, which is told then. Whoever asks goes on without a look at it.
    pub(super) fn is_beside(&mut self, key: &str, at: At, what: Text) -> bool {
        let is_alone = self.sight == Sight::Text;
        if is_alone {
            self.refuse_beside(key, at, what);
        }
        is_alone
    }

    fn refuse_beside(&mut self, key: &str, at: At, what: Text) {
        let place = self.place(at);
        self.diagnostics.refusal(place, texts::lies_beside(key, what));
    }

    /// Leaves out what is not there and need not be.
    pub(super) fn not_seen(&mut self, key: &str, at: At, what: Text) {
        self.warning(at, texts::not_looked_at(key, what));
        self.unseen += 1;
    }

    /// A scalar that `parse` understands.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        node: &Node,
        expected: Text,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let Value::Scalar(scalar) = node.value() else {
            self.wrong(key, node, expected);
            return None;
        };
        let text = self.interpolated(key, &scalar.text, node.at, LITERAL())?;
        let value = parse(&text);
        if value.is_none() {
            self.wrong(key, node, expected);
        }
        value
    }

    pub(super) fn bool(&mut self, key: &str, node: &Node) -> Option<bool> {
        self.parsed(key, node, texts::true_or_false(), |text| match text {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        })
    }

    /// A whole number in a range, both ends included.
    pub(super) fn int(&mut self, key: &str, node: &Node, from: u64, to: u64) -> Option<u64> {
        let expected = match to {
            u64::MAX => texts::whole_number_from(from),
            _ => texts::whole_number(from, to),
        };
        self.parsed(key, node, expected, |text| text.parse().ok().filter(|n| (from..=to).contains(n)))
    }

    pub(super) fn float(&mut self, key: &str, node: &Node, from: f64, to: f64) -> Option<f64> {
        let expected = texts::number(from, to);
        self.parsed(key, node, expected, |text| text.parse().ok().filter(|n: &f64| (from..=to).contains(n)))
    }

    pub(super) fn duration(&mut self, key: &str, node: &Node) -> Option<Duration> {
        self.parsed(key, node, texts::a_duration(), length)
    }

    /// A duration of at least `least`.
    pub(super) fn duration_from(&mut self, key: &str, node: &Node, least: Duration) -> Option<Duration> {
        let expected = texts::a_duration_from(words(least));
        let value = self.duration(key, node)?;
        if value < least {
            self.wrong(key, node, expected);
            return None;
        }
        Some(value)
    }

    pub(super) fn size(&mut self, key: &str, node: &Node) -> Option<u64> {
        self.parsed(key, node, texts::a_size(), scalar::size)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, node: &Node, words: &[(&'static str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let Value::Scalar(scalar) = node.value() else {
            self.wrong(key, node, texts::one_of(names.join(", ")));
            return None;
        };
        let text = self.interpolated(key, &scalar.text, node.at, LITERAL())?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.wrong(key, node, texts::one_of(names.join(", "))).near(&text, names.iter().copied());
        }
        found
    }

    /// Warns of a value that YAML ended early.
    pub(super) fn warn_of_cut(&mut self, entry: &Entry) {
        if entry.cut && !matches!(entry.node.value(), Value::Null) {
            self.warning(entry.node.at, texts::comment_cuts(&entry.key)).hint(texts::put_it_in_quotes());
        }
    }

    /// A path, taken from the file's directory where it is relative.
    pub(super) fn path(&mut self, key: &str, node: &Node) -> Option<PathBuf> {
        if let Value::Scalar(scalar) = node.value()
            && let Some(text) = self.half_seen(key, &scalar.text, node.at)
        {
            return Some(self.dir.join(text));
        }
        self.parsed(key, node, texts::a_path(), |text| (!text.is_empty()).then(|| PathBuf::from(text)))
            .map(|path| self.dir.join(path))
    }

    /// One text or a list of texts, each with its place.
    pub(super) fn texts<'n>(&mut self, key: &str, node: &'n Node<'_>) -> Option<Vec<(At, Cow<'n, str>)>> {
        match node.value() {
            Value::List(nodes) => nodes.iter().map(|node| self.text(key, node).map(|text| (node.at, text))).collect(),
            _ => self.text(key, node).map(|text| vec![(node.at, text)]),
        }
    }

    /// Whether no other file has set this key; inside one file the parser has seen to that.
    pub(super) fn first(&mut self, seen: &mut HashMap<String, Place>, owner: &str, entry: &Entry) -> bool {
        let place = self.place(entry.key_at);
        let Some(before) = seen.insert(entry.key.to_string(), place) else { return true };
        self.error(entry.key_at, texts::set_twice_in(owner, &entry.key)).other(texts::first_at(), before);
        false
    }

    /// A name of ours: a job's, an account's, an im's. Anything printable, so that it may be Chinese, but nothing
    /// that would break a line, a path or a table.
    pub(super) fn name(&mut self, key: &str, node: &Node) -> Option<String> {
        let expected = texts::a_name();
        self.parsed(key, node, expected, |text| is_name(text).then(|| text.to_owned()))
    }
}

/// What [`Decoder::name`] takes.
pub(super) fn is_name(text: &str) -> bool {
    let fits = !text.is_empty() && text.chars().count() <= 128 && text.trim() == text;
    // A browser takes these two for a way through the pages, whatever is written around them.
    let is_way = [".", ".."].contains(&text);
    let clean = |c: char| !c.is_control() && c != '/' && !is_invisible(c);
    let visible = |c: Option<char>| c.is_some_and(|c| clean(c) && !c.is_whitespace());
    // Several scripts and many emoji join what stands on both sides.
    let joins = |at: usize, c: char| {
        matches!(c, '\u{200c}' | '\u{200d}')
            && visible(text[..at].chars().next_back())
            && visible(text[at + c.len_utf8()..].chars().next())
    };
    fits && !is_way && text.char_indices().all(|(at, c)| clean(c) || joins(at, c))
}

/// Characters without a width that turn the reading direction or forge lines.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn words(wait: Duration) -> String {
    crate::domain::job::describe_ms(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}
