//! What can be told of a template before it is due: whether it can be read, and whether it asks for what there is.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use minijinja::{Error, ErrorKind};

use super::engine::Templates;
use super::foreign::Place;
use super::limits::Budget;
use super::stack::with_room_for;
use super::values::{Known, NAMES, NAMES_OF_ARGUMENTS, NAMES_OF_CONTENTS, NAMES_OF_DAYS};
use crate::domain::near::near_match;
use crate::domain::{Calendar, Facts, Rendering, Target, Trigger, UtcMs};
use crate::texts::{self, Text};

/// Names that the engine itself gives inside of loops and macros.
const OF_THE_ENGINE: [&str; 4] = ["loop", "self", "super", "caller"];

/// Something wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where, in bytes of the template.
    pub at: Range<usize>,
    pub problem: Text,
    pub hint: Option<Text>,
    /// It is there, and costs too much with the values of now: with others it may not.
    pub is_doubt: bool,
}

/// Whether a name means something in templates, whatever a list of recipients says: words of the language among them.
pub fn is_taken(name: &str) -> bool {
    let words = ["true", "false", "none", "and", "or", "not", "in", "is", "if", "else", "range", "dict", "namespace"];
    [&NAMES[..], &NAMES_OF_CONTENTS, &OF_THE_ENGINE, &words].iter().any(|names| names.contains(&name))
}

/// Whether something in a text is for the template engine.
pub fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|sign| text.contains(sign))
}

impl Templates {
    /// Whether a template asks for one of these values.
    pub fn asks_for(&self, text: &str, names: &[&str]) -> bool {
        self.asked(text).iter().any(|asked| names.contains(&asked.as_str()))
    }

    /// The values for which a template asks; none of one that cannot be read.
    pub fn asked(&self, text: &str) -> BTreeSet<String> {
        with_room_for(text, || {
            let asked = self.template(text).map(|template| template.undeclared_variables(false));
            asked.map(|asked| asked.into_iter().collect()).unwrap_or_default()
        })
    }

    /// What is wrong with a template. It is tried with values such as a push has, and with the list of days by which its
    /// job goes.
    pub fn check(
        &self,
        text: &str,
        rendering: &Rendering,
        calendar: Option<&Arc<Calendar>>,
        now: UtcMs,
    ) -> Vec<Finding> {
        let mut names = NAMES.to_vec();
        match &rendering.content {
            Some(known) if known.json => names.extend(NAMES_OF_CONTENTS),
            Some(_) => names.extend(NAMES_OF_CONTENTS.iter().filter(|name| **name != "data")),
            None => {}
        }
        names.extend(rendering.fields.iter().map(String::as_str));
        with_room_for(text, || self.findings(&names, text, rendering, calendar, now))
    }

    /// As [`check`](Templates::check), of an argument of a program.
    pub fn check_argument(&self, text: &str, rendering: &Rendering, now: UtcMs) -> Vec<Finding> {
        with_room_for(text, || self.findings(&NAMES_OF_ARGUMENTS, text, rendering, None, now))
    }

    fn findings(
        &self,
        names: &[&str],
        text: &str,
        rendering: &Rendering,
        calendar: Option<&Arc<Calendar>>,
        now: UtcMs,
    ) -> Vec<Finding> {
        let template = match self.template(text) {
            Ok(template) => template,
            Err(error) => return vec![finding(&error, text)],
        };
        let engine: BTreeSet<&str> = self.engine.globals().map(|(name, _)| name).chain(OF_THE_ENGINE).collect();
        let asked: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
        let mut found: Vec<Finding> = asked
            .iter()
            .filter(|name| !names.contains(&name.as_str()) && !engine.contains(name.as_str()))
            .map(|name| {
                let near = near_match(name, names.iter().copied());
                let mut finding = unknown(text, name, texts::no_such_variable(name), near, names);
                if NAMES_OF_CONTENTS.contains(&name.as_str()) {
                    finding.hint = Some(content_hint(name, rendering));
                }
                finding
            })
            .collect();
        if calendar.is_none() {
            let of_days = NAMES_OF_DAYS.iter().filter(|name| names.contains(name) && asked.contains(**name));
            found.extend(of_days.map(|name| Finding {
                at: place_of(text, name),
                problem: texts::no_days_for(name),
                hint: Some(texts::name_days_in_the_job()),
                is_doubt: false,
            }));
        }
        let variables = || self.variables.keys().map(String::as_str);
        for name in template.undeclared_variables(true).into_iter().collect::<BTreeSet<_>>() {
            let Some(name) = name.strip_prefix("env.").and_then(|rest| rest.split('.').next()) else { continue };
            if !self.variables.contains_key(name) {
                let problem = texts::no_template_variable(name);
                found.push(unknown(text, name, problem, near_match(name, variables()), names));
            }
        }
        // What a source will say is not known before.
        let is_open = ["data", "previous"].iter().any(|name| asked.contains(*name));
        if found.is_empty() && !is_open {
            found.extend(self.try_out(text, rendering, calendar, now));
        }
        found
    }

    fn try_out(
        &self,
        text: &str,
        rendering: &Rendering,
        calendar: Option<&Arc<Calendar>>,
        now: UtcMs,
    ) -> Option<Finding> {
        let target = Target::Group("1".to_owned());
        let facts = Facts {
            due_at: now,
            now,
            job: Some("job"),
            run: 1,
            trigger: Trigger::Cron,
            backfill: false,
            calendar,
            account: "account",
            im: "im",
            target: &target,
            content: None,
            columns: None,
        };
        // An unknown zone is told where it stands.
        let values = self.values(Place::Text, &Known::new(rendering, &facts).ok()?);
        let error = self.text(text, &values, &mut Budget::default()).err()?;
        Some(finding(&error, text))
    }
}

fn content_hint(name: &str, rendering: &Rendering) -> Text {
    match &rendering.content {
        Some(_) => texts::data_with_json(name),
        None => texts::there_with_content(name),
    }
}

fn unknown(text: &str, name: &str, problem: Text, near: Option<&str>, names: &[&str]) -> Finding {
    let hint = match near {
        Some(near) => texts::did_you_mean(near),
        None => texts::there_are(names.join(", ")),
    };
    Finding { at: place_of(text, name), problem, hint: Some(hint), is_doubt: false }
}

fn finding(error: &Error, text: &str) -> Finding {
    let at = error.range().filter(|range| text.get(range.clone()).is_some());
    let at = at.unwrap_or_else(|| start_of_line(text, error.line()));
    let is_doubt = matches!(error.kind(), ErrorKind::OutOfFuel | ErrorKind::WriteFailure);
    Finding { problem: words(error, text), at, hint: None, is_doubt }
}

/// The error of a template with its place in the text, in one line.
pub(super) fn with_place(error: &Error, text: &str) -> String {
    let words = words(error, text).english().to_owned();
    let at = error.range().unwrap_or_else(|| start_of_line(text, error.line())).start;
    let Some(before) = text.get(..at) else { return words };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{words} (line {line}, column {column})")
}

fn words(error: &Error, text: &str) -> Text {
    let piece = error.range().and_then(|range| text.get(range)).filter(|piece| piece.len() <= 60);
    match (error.kind(), error.detail(), piece) {
        (ErrorKind::OutOfFuel, ..) => texts::out_of_fuel(),
        (ErrorKind::UndefinedError, _, Some(piece)) => texts::piece_not_there(piece),
        (ErrorKind::SyntaxError, Some(detail), _) => texts::syntax_error(detail),
        (_, Some(detail), _) => Text::same(detail.to_owned()),
        (kind, None, _) => Text::same(kind.to_string()),
    }
}

fn start_of_line(text: &str, line: Option<usize>) -> Range<usize> {
    let skipped: usize = text.split_inclusive('\n').take(line.unwrap_or(1) - 1).map(str::len).sum();
    skipped..skipped
}

/// Where a name stands by itself between the signs of a template.
fn place_of(text: &str, name: &str) -> Range<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let stands_alone = |at: usize| !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part);
    let is_inside = |at: usize| {
        let opened = text[..at].rfind("{{").max(text[..at].rfind("{%"));
        let closed = text[..at].rfind("}}").max(text[..at].rfind("%}"));
        opened.is_some() && opened > closed
    };
    let at = text.match_indices(name).map(|(at, _)| at).find(|at| stands_alone(*at) && is_inside(*at));
    at.map_or(0..0, |at| at..at + name.len())
}
