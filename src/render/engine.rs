//! The engine, set up once, and what one template costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Template, UndefinedBehavior};

use super::foreign::{Foreign, Place};
use super::instant;
use super::limits::{Bounded, Budget, FUEL, LONGEST_TAG, LONGEST_TEMPLATE, tags};
use super::values::Known;

/// Calls of macros within each other.
const DEEPEST: usize = 50;

/// The engine, and the values that every template may use beside those of its push.
pub struct Templates {
    pub(super) engine: Environment<'static>,
    /// The variables of the environment that `daemon.template_env` names.
    pub(super) variables: BTreeMap<String, String>,
    foreign: Foreign,
}

impl Templates {
    pub fn new(variables: BTreeMap<String, String>) -> Templates {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_fuel(Some(FUEL));
        engine.set_recursion_limit(DEEPEST);
        // Without it errors have no line and column.
        engine.set_debug(true);
        // Texts are not HTML.
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            engine.set_syntax(syntax);
        }
        engine.remove_global("debug");
        engine.add_filter("date", instant::date);
        engine.add_filter("in", instant::in_zone);
        Templates { engine, foreign: Foreign::new(&variables), variables }
    }

    /// The values of one push, as they may stand in such a place.
    pub(super) fn values(&self, place: Place, known: &Arc<Known>) -> Value {
        known.in_place(place, self.foreign.of(place))
    }

    /// What a text says to the engine, if it is no longer than the engine can read in good time.
    pub(super) fn template<'t>(&'t self, text: &'t str) -> Result<Template<'t, 't>, Error> {
        if text.len() > LONGEST_TEMPLATE {
            return Err(Error::new(ErrorKind::InvalidOperation, "a template has at most 64 KiB"));
        }
        if let Some(tag) = tags(text).find(|tag| tag.len() > LONGEST_TAG) {
            let start: String = tag.chars().take(20).collect();
            return Err(Error::new(ErrorKind::InvalidOperation, format!("'{start}…' is longer than 4 KiB by itself")));
        }
        self.engine.template_from_str(text)
    }

    /// One text, within what is left of the budget of its message.
    pub(super) fn text(&self, text: &str, values: &Value, budget: &mut Budget) -> Result<String, Error> {
        let template = self.template(text)?;
        let mut result = Bounded::new(budget.bytes());
        let rendered = template.render_captured_to(values.clone(), &mut result);
        let captured = match rendered {
            Err(_) if result.is_full() => {
                return Err(Error::new(ErrorKind::WriteFailure, "the result is longer than 64 KiB"));
            }
            rendered => rendered?,
        };
        let (burnt, _) = captured.state().fuel_levels().unwrap_or_default();
        drop(captured);
        budget.pay(burnt, result.len())?;
        String::from_utf8(result.into_bytes())
            .map_err(|_| Error::new(ErrorKind::WriteFailure, "the result is no text (a bug of pushcron)"))
    }
}
