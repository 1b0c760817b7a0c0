//! A text that somebody tries: judged apart from everything else, one at a time, and for no longer than it may take.

use std::time::Duration;

use serde_json::{Value, json};

use super::problem::Problem;
use super::state::Api;
use crate::answers::accounts;
use crate::answers::preview::Preview;
use crate::net::http1::StatusCode;

/// Bytes of a text.
pub(super) const LONGEST: usize = 256 * 1024;
/// An answer takes no longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// No further job is judged or worked out after this, so that what there is can be told.
const ENOUGH: Duration = Duration::from_secs(1);

impl Api {
    /// What a text would come to. Nothing is written.
    ///
    /// # Errors
    ///
    /// Where it is too long, another one is under way, or it takes too long.
    pub(super) async fn preview(&self, text: String) -> Result<Preview, Problem> {
        if text.len() > LONGEST {
            let detail = format!("the text has {} bytes: expected at most {LONGEST}; try a part of it", text.len());
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail));
        }
        let busy = |_| Problem::too_fast("another text is being tried: one at a time", 2);
        let turn = self.page_memory.trying.clone().try_acquire_owned().map_err(busy)?;
        let judge = self.accepted().judge.clone().ok_or_else(|| Problem::broken("nobody judges texts"))?;
        let known = accounts::known(&*self.reader).await?;
        let clock = self.inside.clock.clone();
        let working = tokio::task::spawn_blocking(move || {
            // Nobody can break it off, so the next one waits for its end, whoever waits for the answer.
            let _turn = turn;
            let (begun, now) = (clock.boottime(), clock.now());
            let enough = || clock.boottime().since(begun) >= ENOUGH;
            Preview::of(judge.try_text(&text, now, &enough), &known, now, enough)
        });
        tokio::select! {
            worked = working => worked.map_err(|_| Problem::broken("the text could not be judged: this is a bug")),
            () = self.inside.clock.sleep(PATIENCE) => {
                Err(Problem::at("/text", format!("the text takes longer than {} s: try a part of it", PATIENCE.as_secs())))
            }
        }
    }
}

/// As the document has it.
pub(super) fn preview() -> Value {
    let text = || json!({ "type": "string" });
    let or_null = |kind: &str| json!({ "type": [kind, "null"] });
    let many = |of: Value| json!({ "type": "array", "items": of });
    let instant = || json!({ "type": "string", "format": "date-time" });
    let problem = json!({
        "type": "object",
        "required": ["file", "line", "column", "message"],
        "properties": {
            "file": { "const": "text" },
            "line": { "type": "integer", "description": "From 1; 0 where the whole text is meant." },
            "column": { "type": "integer" },
            "message": text(), "hint": text(),
            "source": { "type": "string", "description": "The line; what may be a secret in it is masked." },
        },
    });
    let fire = json!({
        "type": "object",
        "required": ["due_at", "local", "note"],
        "properties": { "due_at": instant(), "local": text(), "note": or_null("string") },
    });
    let refused = json!({
        "type": "object", "required": ["account", "reason"], "properties": { "account": text(), "reason": text() },
    });
    let push = json!({
        "type": "object",
        "required": ["im", "target", "kind", "account", "rule", "unprobed", "reason", "until", "refused"],
        "properties": {
            "im": text(), "target": text(), "kind": text(),
            "account": { "type": ["string", "null"], "description": "Who would carry it now; null: nobody." },
            "rule": { "enum": ["explicit", "message_account", "im_default", "first_online", null] },
            "unprobed": { "type": "boolean", "description": "Nobody knows how this account is: it would be asked first." },
            "reason": { "type": ["string", "null"], "description": "Why nobody would." },
            "until": { "type": ["string", "null"], "format": "date-time" },
            "refused": many(refused),
        },
    });
    let job = json!({
        "type": "object",
        "required": ["job", "schedule", "timezone", "enabled", "next", "pushes", "more_pushes"],
        "properties": {
            "job": text(), "schedule": text(), "timezone": text(), "enabled": { "type": "boolean" },
            "next": many(fire), "pushes": many(push), "more_pushes": { "type": "integer" },
        },
    });
    json!({
        "type": "object",
        "required": ["ok", "errors", "warnings", "more", "accounts", "jobs", "more_jobs", "cut"],
        "properties": {
            "ok": { "type": "boolean", "description": "Nothing is wrong, and nothing was refused a look." },
            "errors": many(problem.clone()),
            "warnings": many(problem),
            "more": { "type": "boolean", "description": "The rest of the text was not looked at." },
            "accounts": { "enum": ["text", "running"], "description": "Whose accounts carry the pushes." },
            "jobs": many(job),
            "more_jobs": { "type": "integer", "description": "Jobs that are right and not told one by one." },
            "cut": { "type": ["string", "null"], "description": "What was not looked at, since that takes too long; null: nothing." },
        },
    })
}
