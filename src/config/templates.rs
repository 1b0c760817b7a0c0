//! Texts that are templates, and texts that look like some and go out as they stand.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::diagnostics::{Diagnostics, Place, SourceText};
use super::environment::{LoadEnvironment, Sight};
use super::text::quoted;
use super::yaml::At;
use crate::domain::{Calendar, Rendering};
use crate::render::{NAMES_OF_DAYS, Templates, is_taken, is_template};
use crate::texts::{self, Text};

/// What to do about a text that was meant to be rendered.
const RENDER: fn() -> Text = texts::write_render;

/// A text of a push that is a template, or looks as if it should say something else at its hour.
#[derive(Debug)]
pub(super) struct Mark {
    pub at: At,
    /// With the variables of load time replaced.
    pub text: Box<str>,
    /// Signs of templates came in by a `${VARIABLE}`, whose value nobody wrote as a template.
    pub brought: bool,
    /// It holds values of `${VARIABLES}`, which no message shows.
    pub is_guarded: bool,
}

impl Mark {
    /// None where a text is just a text.
    pub(super) fn of(written: &str, text: &str, at: At) -> Option<Mark> {
        if !is_template(text) && pattern(text).is_none() {
            return None;
        }
        let signs = |text: &str| ["{{", "{%", "{#"].iter().map(|sign| text.matches(sign).count()).sum::<usize>();
        let is_guarded = written.contains("${");
        Some(Mark { at, text: text.into(), brought: is_guarded && signs(text) > signs(written), is_guarded })
    }
}

/// How the day of a fire is written in a template.
const DATE: &str = "{{ due | date('%F') }}";

/// What a piece of a text looks like.
#[derive(Clone, Copy)]
enum Pattern {
    Template,
    Command,
    Date,
}

impl Pattern {
    fn named(self) -> Text {
        match self {
            Pattern::Template => texts::a_template(),
            Pattern::Command => texts::a_command_of_a_shell(),
            Pattern::Date => texts::a_form_of_a_date(),
        }
    }
}

/// A form of a date or a command of a shell that stands outside of every template, and what it looks like.
fn pattern(text: &str) -> Option<(Range<usize>, Pattern)> {
    let bytes = text.as_bytes();
    let mut depth = 0;
    for (at, sign) in text.char_indices() {
        let next = bytes.get(at + 1).copied().unwrap_or_default();
        let after = bytes.get(at + 2).copied().unwrap_or_default();
        match (sign, next) {
            ('{', b'{' | b'%' | b'#') => depth += 1,
            ('}' | '%' | '#', b'}') if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            ('$', b'(') if after.is_ascii_lowercase() => return Some((at..at + 2, Pattern::Command)),
            ('%', b'Y' | b'm' | b'd' | b'F' | b'H' | b'M' | b'T' | b'j' | b'A' | b'B')
                if !(after.is_ascii_alphanumeric() || at > 0 && bytes[at - 1].is_ascii_alphanumeric()) =>
            {
                return Some((at..at + 2, Pattern::Date));
            }
            _ => {}
        }
    }
    None
}

/// What texts are held against.
pub(super) struct TemplateCheck {
    templates: Templates,
    /// What those that are still to be tried may cost. None: it is used up. Each may burn its fuel, and nobody can break
    /// off a text that somebody pasted.
    left: Cell<Option<usize>>,
}

/// What the templates of a pasted text may cost, those with blocks and those of expressions alone: a second of work.
const MOST_OF_A_TEXT: usize = 6400;
const COST_OF_BLOCKS: usize = 100;

impl TemplateCheck {
    /// With the variables that `daemon.template_env` names, which are told where they cannot be used.
    pub(super) fn new(
        named: &[(Place, String)],
        secret_names: &HashSet<String>,
        environment: &LoadEnvironment,
        diagnostics: &mut Diagnostics,
    ) -> (TemplateCheck, BTreeMap<String, String>) {
        let mut variables = BTreeMap::new();
        for (at, name) in named {
            if secret_names.contains(name) {
                let message = texts::perhaps_secret(name);
                diagnostics.error(*at, message).hint(texts::take_another_variable());
                continue;
            }
            if environment.sight == Sight::Text {
                let message = texts::lies_beside("template_env", texts::the_variable(name));
                diagnostics.refusal(*at, message);
                variables.insert(name.clone(), String::new());
                continue;
            }
            match (environment.variable)(name) {
                Some(value) => drop(variables.insert(name.clone(), value)),
                None if environment.sight == Sight::Onlooker => drop(variables.insert(name.clone(), String::new())),
                None => {
                    let message = texts::variable_not_set("template_env", name);
                    diagnostics.error(*at, message).hint(texts::export_it());
                }
            }
        }
        let most = if environment.sight == Sight::Text { MOST_OF_A_TEXT } else { usize::MAX };
        let left = Cell::new(Some(most));
        (TemplateCheck { templates: Templates::new(variables.clone()), left }, variables)
    }

    /// Counts what a template may burn, and says once that the rest is not tried.
    fn may_try(&self, mark: &Mark, file: u16, diagnostics: &mut Diagnostics) -> bool {
        let cost = match &mark.text {
            text if text.contains("{%") => COST_OF_BLOCKS,
            text => usize::from(text.contains("{{")),
        };
        let Some(left) = self.left.get() else { return cost == 0 };
        self.left.set(left.checked_sub(cost));
        if left < cost {
            let whole = Place { file, at: mark.at.at, len: mark.at.len };
            diagnostics.refusal(whole, texts::too_many_templates());
        }
        left >= cost
    }

    /// Whether one of the texts asks what day it is by the list of its job.
    pub(super) fn ask_for_days(&self, marks: &[Mark]) -> bool {
        marks.iter().any(|mark| self.templates.asks_for(&mark.text, &NAMES_OF_DAYS))
    }

    /// What the texts ask for that a list of recipients may have.
    pub(super) fn perhaps_columns(&self, marks: &[Mark]) -> BTreeSet<String> {
        let asked = marks.iter().flat_map(|mark| self.templates.asked(&mark.text));
        asked.filter(|name| !is_taken(name)).collect()
    }

    /// Whether one of the texts asks how often its job has fired.
    pub(super) fn count(&self, marks: &[Mark]) -> bool {
        marks.iter().any(|mark| self.templates.asks_for(&mark.text, &["run"]))
    }

    /// Tells what is wrong with the texts of a push that is rendered.
    pub(super) fn rendered(
        &self,
        marks: &[Mark],
        (rendering, days): (&Rendering, Option<&Arc<Calendar>>),
        (file, sources): (u16, &[SourceText]),
        environment: &LoadEnvironment,
        diagnostics: &mut Diagnostics,
    ) {
        for mark in marks {
            let place = |at: &Range<usize>| place_in(mark, at, file, sources);
            if mark.brought {
                let message = texts::variable_brings_braces("{{");
                let whole = Place { file, at: mark.at.at, len: mark.at.len };
                diagnostics.error(whole, message).hint(texts::name_it_in_template_env("{{ env.NAME }}"));
                continue;
            }
            if let Some((at, what)) = pattern(&mark.text) {
                let sign = &mark.text[at.clone()];
                let message = texts::looks_like(format!("'{sign}'"), what.named());
                let hint = match sign {
                    "$(" => texts::nothing_is_run_literally("{{ '$(' }}"),
                    _ => texts::write_a_date(DATE, sign, format!("{{{{ '{sign}' }}}}")),
                };
                diagnostics.error(place(&at), message).hint(hint);
            }
            if !self.may_try(mark, file, diagnostics) {
                continue;
            }
            for finding in self.templates.check(&mark.text, rendering, days, environment.now) {
                let problem = match mark.is_guarded {
                    true => texts::cannot_be_rendered(),
                    false => finding.problem,
                };
                let diagnostic = match finding.is_doubt {
                    true => diagnostics.warning(place(&finding.at), texts::template_will_fail(problem)),
                    false => diagnostics.error(place(&finding.at), texts::of_key("template", problem)),
                };
                if let Some(hint) = finding.hint.filter(|_| !mark.is_guarded) {
                    diagnostic.hint(hint);
                }
            }
        }
    }
}

impl TemplateCheck {
    /// Tells what is wrong with the arguments of a command that are rendered. Forms of dates are for the command.
    pub(super) fn arguments(
        &self,
        marks: &[Mark],
        rendering: &Rendering,
        (file, sources): (u16, &[SourceText]),
        environment: &LoadEnvironment,
        diagnostics: &mut Diagnostics,
    ) {
        for mark in marks {
            if !self.may_try(mark, file, diagnostics) {
                continue;
            }
            for finding in self.templates.check_argument(&mark.text, rendering, environment.now) {
                let problem = match mark.is_guarded {
                    true => texts::cannot_be_rendered(),
                    false => finding.problem,
                };
                let place = place_in(mark, &finding.at, file, sources);
                let diagnostic = diagnostics.error(place, texts::of_key("command: template", problem));
                if let Some(hint) = finding.hint.filter(|_| !mark.is_guarded) {
                    diagnostic.hint(hint);
                }
            }
        }
    }
}

/// Warns of arguments that look like templates and are handed over as they stand.
pub(super) fn literal_argument(marks: &[Mark], file: u16, sources: &[SourceText], diagnostics: &mut Diagnostics) {
    let Some(mark) = marks.iter().find(|mark| is_template(&mark.text)) else { return };
    let at = ["{{", "{%", "{#"].iter().filter_map(|sign| mark.text.find(sign)).min().map_or(0..0, |at| at..at + 2);
    let message = texts::argument_looks_like(quoted(&mark.text[at.clone()]));
    let hint = texts::write_render_at_the_job();
    diagnostics.warning(place_in(mark, &at, file, sources), message).hint(hint);
}

/// Warns of what looks as if it should be rendered, and goes out as it stands. One warning for a push is enough.
pub(super) fn literal(marks: &[Mark], file: u16, sources: &[SourceText], diagnostics: &mut Diagnostics) {
    let Some(mark) = marks.first() else { return };
    let template = ["{{", "{%", "{#"].iter().filter_map(|sign| mark.text.find(sign)).min().map(|at| at..at + 2);
    let (at, what) = match (template, pattern(&mark.text)) {
        (Some(at), _) => (at, Pattern::Template),
        (None, Some(found)) => found,
        (None, None) => return,
    };
    let sign = quoted(&mark.text[at.clone()]);
    let hint = match what {
        Pattern::Command => texts::nothing_is_run(),
        Pattern::Date => texts::write_a_date_and_render(DATE),
        Pattern::Template => RENDER(),
    };
    let message = texts::looks_like(sign, what.named());
    diagnostics.warning(place_in(mark, &at, file, sources), message).hint(hint);
}

/// The place of a piece of a text in its file; that of the whole text where it is written otherwise than it reads.
fn place_in(mark: &Mark, piece: &Range<usize>, file: u16, sources: &[SourceText]) -> Place {
    let whole = Place { file, at: mark.at.at, len: mark.at.len };
    let (from, len) = (mark.at.at as usize, mark.at.len as usize);
    let source = &sources[usize::from(file)].text;
    // What a block is written in may begin after its sign.
    let Some(written) = source.get(from..(from + len).min(source.len())) else { return whole };
    let start = mark.text[..piece.start].rfind('\n').map_or(0, |at| at + 1);
    let line = mark.text[start..].lines().next().unwrap_or_default().trim();
    let indent = mark.text[start..].len() - mark.text[start..].trim_start().len();
    let before = mark.text[..start].matches(line).count();
    let found = written.match_indices(line).map(|(at, _)| at).nth(before);
    let Some(found) = found.filter(|_| !line.is_empty() && piece.start >= start + indent) else { return whole };
    let offset = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let width = (piece.end - piece.start).min(line.len()).max(1);
    Place { file, at: mark.at.at + offset(found + piece.start - start - indent), len: offset(width) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_commands_are_told_from_what_people_write() {
        for (text, sign) in [
            ("today is %F", Some("%F")),
            ("%Y-%m-%d", Some("%Y")),
            ("report-%Y%m%d.pdf", Some("%Y")),
            ("$(date +%F)", Some("$(")),
            ("{{ due | date('%F') }} %H:%M", Some("%H")),
            ("{{ due | date('%F') }}", None),
            ("{% if due %}%{% endif %}", None),
            ("100%", None),
            ("50% discount", None),
            ("a 5%d b", None),
            ("https://example.org/%E4%BD%A0%F0%9F", None),
            ("$(1)", None),
            ("price in $ (net)", None),
        ] {
            assert_eq!(pattern(text).map(|(at, _)| &text[at]), sign, "{text}");
        }
    }
}
