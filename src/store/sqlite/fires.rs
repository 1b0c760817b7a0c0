//! The pushes that a fire makes out of the definition of its job.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use rusqlite::Connection;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;

use super::cells::{number, parsed};
use super::fault::Result;
use super::pushes::{InsertPush, NewPush};
use crate::domain::{Body, Kind, Message, Overlap, RetryPolicy, Target, Trigger, UtcMs};
use crate::store::model::OpenPush;

/// What `pushes.retry` leaves out: most jobs keep the built-in policy, and ten million rows need not repeat it.
static DEFAULT_RETRY: LazyLock<String> = LazyLock::new(|| json!(RetryPolicy::default()).to_string());

/// A definition as far as its fires need it, read where it lies: messages are copied as they are.
#[derive(Deserialize)]
struct Definition<'a> {
    #[serde(default)]
    overlap: Overlap,
    #[serde(borrow)]
    push: Vec<Planned<'a>>,
    content_from: Option<IgnoredAny>,
}

#[derive(Clone, Deserialize)]
struct Planned<'a> {
    #[serde(borrow)]
    im: Cow<'a, str>,
    #[serde(borrow)]
    target: Cow<'a, str>,
    account: Option<String>,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(default = "built_in_timeout_ms")]
    timeout_ms: i64,
    #[serde(borrow)]
    retry: Option<&'a RawValue>,
    #[serde(borrow)]
    render: Option<&'a RawValue>,
    #[serde(borrow)]
    fallback: Option<&'a RawValue>,
}

fn built_in_timeout_ms() -> i64 {
    15_000
}

#[derive(Deserialize)]
struct Content {
    kind: Kind,
}

/// What a definition sends, read whole before anything of it is written.
#[derive(Clone)]
pub(super) struct Plan<'a> {
    pub overlap: Overlap,
    /// Its pushes are made once their content is.
    pub needs_content: bool,
    pushes: Vec<Ready<'a>>,
}

#[derive(Clone)]
struct Ready<'a> {
    spec: Planned<'a>,
    target: Target,
    kind: Kind,
    retry: Option<&'a str>,
    policy: RetryPolicy,
}

impl<'a> Plan<'a> {
    pub fn read(definition: &'a str) -> Result<Plan<'a>> {
        let Definition { overlap, push, content_from } = serde_json::from_str(definition)?;
        let ready = |spec: Planned<'a>| {
            let target = parsed(&spec.target)?;
            let Content { kind } = serde_json::from_str(spec.message.get())?;
            let (retry, policy) = policy(spec.retry.map_or(&DEFAULT_RETRY, RawValue::get))?;
            Ok(Ready { spec, target, kind, retry, policy })
        };
        Ok(Plan {
            overlap,
            needs_content: content_from.is_some(),
            pushes: push.into_iter().map(ready).collect::<Result<_>>()?,
        })
    }
}

impl<'a> Plan<'a> {
    /// Says this in all of its pushes, as it stands, whatever the definition says: once to whom several of them go.
    pub fn say(&mut self, message: &'a RawValue, kind: Kind) {
        let mut known = HashSet::new();
        self.pushes
            .retain(|push| known.insert((push.spec.im.clone(), push.spec.target.clone(), push.spec.account.clone())));
        self.needs_content = false;
        for push in &mut self.pushes {
            push.kind = kind;
            (push.spec.message, push.spec.render) = (message, None);
        }
    }
}

/// A fire that goes out, and when that was recorded.
pub(super) struct Fired<'a> {
    pub id: i64,
    pub job: &'a Arc<str>,
    pub triggered_by: Trigger,
    pub due_at: UtcMs,
    /// When its pushes are to go out: at their instant, but for what is made up for.
    pub goes_at: UtcMs,
    pub now: UtcMs,
}

/// Makes the pushes of fires out of the definitions of their jobs.
pub(super) struct MakePushes<'conn>(InsertPush<'conn>);

impl<'conn> MakePushes<'conn> {
    pub fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(MakePushes(InsertPush::new(conn)?))
    }

    /// A fire that was recorded late has its whole time to be sent all the same. A push without a text of its own gets
    /// `content`.
    pub fn run(
        &mut self,
        fire: &Fired<'_>,
        plan: Plan<'_>,
        content: Option<&str>,
        made: &mut Vec<OpenPush>,
    ) -> Result<()> {
        for (ordinal, Ready { spec, target, kind, retry, policy }) in plan.pushes.into_iter().enumerate() {
            let message = with_content(spec.message.get(), kind, content)?;
            let expires_at = fire.goes_at.max(fire.now) + policy.give_up_after;
            let id = self.0.run(&NewPush {
                fire_id: fire.id,
                ordinal: number(ordinal),
                im: &spec.im,
                target: &spec.target,
                account: spec.account.as_deref(),
                kind,
                message: &message,
                timeout_ms: spec.timeout_ms,
                retry,
                render: spec.render.map(RawValue::get),
                max_attempts: policy.max_attempts,
                due_at: fire.goes_at,
                expires_at,
                exclusive_job: (plan.overlap != Overlap::Allow).then_some(fire.job),
                fallback: spec.fallback.map(RawValue::get),
            })?;
            made.push(OpenPush {
                id,
                job: Some(fire.job.clone()),
                triggered_by: fire.triggered_by,
                chat: None,
                im: spec.im.into_owned(),
                target,
                kind,
                account: spec.account,
                due_at: fire.due_at,
                next_attempt_at: fire.goes_at,
                expires_at,
                is_resting: false,
                perhaps_sent: false,
                attempts: 0,
                last_account: None,
            });
        }
        Ok(())
    }
}

/// A text that says nothing stands for the content that was made.
fn with_content<'m>(message: &'m str, kind: Kind, content: Option<&str>) -> Result<Cow<'m, str>> {
    let Some(content) = content.filter(|_| kind == Kind::Text) else { return Ok(message.into()) };
    let mut parsed: Message = serde_json::from_str(message)?;
    match &mut parsed.body {
        Body::Text { text } if text.is_empty() => content.clone_into(text),
        _ => return Ok(message.into()),
    }
    Ok(serde_json::to_string(&parsed)?.into())
}

/// A policy, and what the row says of it.
pub(super) fn policy(json: &str) -> Result<(Option<&str>, RetryPolicy)> {
    if json == *DEFAULT_RETRY {
        return Ok((None, RetryPolicy::default()));
    }
    Ok((Some(json), serde_json::from_str(json)?))
}
