//! What comes with a request beside its path, and pages of lines.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::routes::{Param, Takes};
use crate::answers::rows::Table;
use crate::config::pointer_to;
use crate::domain::json::{BadJson, as_written};
use crate::domain::near::near_match;
use crate::domain::{PushState, UtcMs};
use crate::net::http1::StatusCode;
use crate::store::{Filter, Mark};

/// The history to a target has no index: it is looked through so far back, unless somebody says further.
const TO_A_TARGET: Duration = Duration::from_secs(3 * 86_400);

/// The parameters of a request, each of them known.
pub(super) struct Given(HashMap<&'static str, Value>);

impl Given {
    /// # Errors
    ///
    /// What is unknown, comes twice, or cannot be.
    pub(super) fn of_query(query: &str, known: &'static [Param]) -> Result<Given, Problem> {
        let mut given = Given(HashMap::new());
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = Value::String(value.into_owned());
            given.take(&name, value, known).map_err(|wrong| Problem::of_parameter(&name, wrong))?;
        }
        Ok(given)
    }

    /// # Errors
    ///
    /// As [`Given::of_query`].
    pub(super) fn of_body(body: &[u8], known: &'static [Param]) -> Result<Given, Problem> {
        let mut given = Given(HashMap::new());
        if body.is_empty() {
            return Ok(given);
        }
        for (name, value) in object(body)? {
            given.take(&name, value, known).map_err(|wrong| Problem::at(&pointer_to(&name), wrong))?;
        }
        Ok(given)
    }

    fn take(&mut self, name: &str, value: Value, known: &'static [Param]) -> Result<(), String> {
        let Some(param) = known.iter().find(|param| param.name == name) else {
            let near = near_match(name, known.iter().map(|param| param.name));
            let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            return Err(format!("unknown parameter '{name}'{hint}"));
        };
        let Some(text) = value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
        else {
            return Err(format!("{name}: expected {}", expected(param.takes)));
        };
        if !fits(param.takes, &text) {
            return Err(format!("{name}: expected {}", expected(param.takes)));
        }
        if self.0.insert(param.name, Value::String(text)).is_some() {
            return Err(format!("{name} is there twice"));
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn instant(&self, name: &str) -> Option<UtcMs> {
        instant(self.text(name)?)
    }

    pub(super) fn state(&self, name: &str) -> Option<PushState> {
        PushState::parse(self.text(name)?)
    }

    pub(super) fn limit(&self) -> u64 {
        self.number("limit").unwrap_or(50)
    }
}

fn instant(text: &str) -> Option<UtcMs> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(UtcMs(at.as_millisecond()))
}

fn expected(takes: Takes) -> String {
    match takes {
        Takes::Text => "a text".to_owned(),
        Takes::Instant => "an instant such as 2026-11-28T09:00:00Z".to_owned(),
        Takes::Whole { from, to } => format!("a whole number from {from} to {to}"),
        Takes::State => "a state of a push, such as sent or failed".to_owned(),
        Takes::Outcome => "sent or failed".to_owned(),
        Takes::Yaml => "a text of at most 256 KiB".to_owned(),
    }
}

fn fits(takes: Takes, text: &str) -> bool {
    match takes {
        Takes::Text => !text.is_empty() && text.len() <= 1024 && !text.contains('\0'),
        // Of the years that a row can hold.
        Takes::Instant => instant(text).is_some_and(|at| (0..=UtcMs::MAX.0).contains(&at.0)),
        Takes::Whole { from, to } => text.parse::<u32>().is_ok_and(|number| (from..=to).contains(&number)),
        Takes::State => PushState::parse(text).is_some(),
        Takes::Outcome => ["sent", "failed"].contains(&text),
        Takes::Yaml => !text.is_empty(),
    }
}

/// A body that is a JSON object.
///
/// # Errors
///
/// Where it is none, says a key twice, or nests deeper than anything of ours.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "not-json", detail);
    let text = str::from_utf8(body).map_err(|error| wrong(format!("expected a JSON object: {error}")))?;
    match as_written(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(wrong("expected a JSON object".to_owned())),
        Err(twice @ BadJson::Doubled(_)) => Err(Problem::at("", twice.to_string())),
        Err(error) => Err(wrong(format!("expected a JSON object: {error}"))),
    }
}

/// Where the page that follows begins.
pub(super) fn cursor(mark: Mark) -> String {
    URL_SAFE_NO_PAD.encode(json!(mark).to_string())
}

/// # Errors
///
/// Where it is none of ours.
pub(super) fn mark(given: &Given) -> Result<Option<Mark>, Problem> {
    let Some(text) = given.text("before") else { return Ok(None) };
    let mark = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    mark.map(Some).ok_or_else(|| Problem::of_parameter("before", "before: expected what `next` of a page said"))
}

/// The last line of a page that may have another one after it.
pub(super) fn last_of_full<'a>(table: &'a Table, filter: &Filter) -> Option<&'a Vec<Value>> {
    table.rows.last().filter(|_| filter.limit.is_some_and(|limit| table.rows.len() as u64 >= limit))
}

/// Where the page after this one begins, if there may be one.
pub(super) fn next(table: &Table, filter: &Filter) -> Option<String> {
    last_of_full(table, filter).and_then(|_| table.mark()).map(cursor)
}

/// Which pushes are asked for, between two instants that are told in more than one way.
///
/// # Errors
///
/// Where the page begins nowhere.
pub(super) fn filter_of_pushes(
    given: &Given,
    (since, until): (Option<UtcMs>, Option<UtcMs>),
    now: UtcMs,
) -> Result<Filter, Problem> {
    let text = |name: &str| given.text(name).map(str::to_owned);
    let targets: Vec<String> = text("target").into_iter().collect();
    Ok(Filter {
        job: text("job"),
        im: text("im"),
        account: text("account"),
        states: given.state("state").into_iter().collect(),
        since: since.or_else(|| (!targets.is_empty()).then(|| now - TO_A_TARGET)),
        until,
        targets,
        limit: Some(given.limit()),
        after: mark(given)?,
        ..Filter::default()
    })
}

/// Which acts are asked for.
///
/// # Errors
///
/// As [`filter_of_pushes`].
pub(super) fn filter_of_acts(given: &Given) -> Result<Filter, Problem> {
    Ok(Filter {
        job: given.text("job").map(str::to_owned),
        push_id: given.number("push").and_then(|id| i64::try_from(id).ok()),
        since: given.instant("since"),
        until: given.instant("until"),
        limit: Some(given.limit()),
        after: mark(given)?,
        ..Filter::default()
    })
}

/// The columns that are 0 and 1 in the views.
const FLAGS: [&str; 5] = ["is_default", "online", "sendable", "enabled", "paused"];

/// Lines under the names of their columns; flags are true and false.
pub(super) fn items(table: &Table) -> Vec<Value> {
    let item = |row: &Vec<Value>| {
        let fields = table.columns.iter().zip(row).map(|(column, value)| {
            let value = match value.as_i64().filter(|_| FLAGS.contains(&column.as_str())) {
                Some(flag) => Value::Bool(flag != 0),
                None => value.clone(),
            };
            (column.clone(), value)
        });
        Value::Object(fields.collect())
    };
    table.rows.iter().map(item).collect()
}

/// As [`cursor`], of lines that go by name.
pub(super) fn cursor_of_name(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

/// # Errors
///
/// Where it is none of ours.
pub(super) fn name_of(cursor: &str) -> Result<String, Problem> {
    let name = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| Problem::of_parameter("before", "before: expected what `next` of a page said"))
}
