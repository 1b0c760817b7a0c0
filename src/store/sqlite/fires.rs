//! The pushes that a fire makes out of the definition of its job.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use rusqlite::Connection;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;

use super::cells::{number, parsed};
use super::fault::Result;
use super::pushes::{InsertPush, NewPush};
use crate::domain::{
    Body, ContentMoment, FallbackSpec, Kind, ListEntry, Message, Overlap, RetryPolicy, Target, Trigger, UtcMs,
};
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
    content_from: Option<Made>,
}

/// When the content of its fires is made.
#[derive(Deserialize)]
struct Made {
    #[serde(default)]
    at: ContentMoment,
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
    list: Option<IgnoredAny>,
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
    /// Its pushes are made once their content is, and their recipients are read.
    pub needs_content: bool,
    /// Some of them have a list of recipients.
    pub has_lists: bool,
    /// Its pushes are there before their content, which is made once the first of them can go out.
    pub releases: bool,
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
    pub(super) fn read(definition: &'a str) -> Result<Plan<'a>> {
        let Definition { overlap, push, content_from } = serde_json::from_str(definition)?;
        let ready = |spec: Planned<'a>| {
            let target = parsed(&spec.target)?;
            let Content { kind } = serde_json::from_str(spec.message.get())?;
            let (retry, policy) = policy(spec.retry.map_or(&DEFAULT_RETRY, RawValue::get))?;
            Ok(Ready { spec, target, kind, retry, policy })
        };
        let has_lists = push.iter().any(|spec| spec.list.is_some());
        let at = content_from.map(|made| made.at);
        Ok(Plan {
            overlap,
            needs_content: at == Some(ContentMoment::Instant) || has_lists,
            has_lists,
            releases: at == Some(ContentMoment::Release),
            pushes: push.into_iter().map(ready).collect::<Result<_>>()?,
        })
    }
}

impl<'a> Plan<'a> {
    /// Says this in all of its pushes, as it stands, whatever the definition says: once to whom several of them go.
    pub(super) fn say(&mut self, message: &'a RawValue, kind: Kind) {
        let mut known = HashSet::new();
        self.pushes
            .retain(|push| known.insert((push.spec.im.clone(), push.spec.target.clone(), push.spec.account.clone())));
        (self.needs_content, self.releases) = (false, false);
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
pub(super) struct MakePushes<'conn> {
    insert: InsertPush<'conn>,
    conn: &'conn Connection,
}

impl<'conn> MakePushes<'conn> {
    pub(super) fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(MakePushes { insert: InsertPush::new(conn)?, conn })
    }

    /// A fire that was recorded late has its whole time to be sent all the same. A push without a text of its own gets the
    /// content, and one with a list of recipients becomes a push for each.
    pub(super) fn run(
        &mut self,
        fire: &Fired<'_>,
        plan: Plan<'_>,
        given: Given<'_>,
        made: &mut Vec<OpenPush>,
    ) -> Result<()> {
        let mut lists = given.lists.iter();
        // Whom the same message goes to already, and whether a list named them; it is kept only where there are lists. Who is
        // named twice without one is meant twice.
        let mut known: HashMap<String, bool> = HashMap::new();
        let before = made.len();
        for ready in &plan.pushes {
            let message = with_content(ready.spec.message.get(), ready.kind, given.content)?;
            let one = One { fire, ready, message: &message, exclusive: plan.overlap != Overlap::Allow, before };
            if ready.spec.list.is_none() {
                let by_list = plan.has_lists && *known.entry(one.key(&ready.target)).or_default();
                if !by_list {
                    self.one(&one, ready.target.clone(), None, made)?;
                }
                continue;
            }
            let Some(entries) = lists.next() else {
                // Nobody knows whom it would have gone to.
                self.one(&one, ready.target.clone(), Some("null"), made)?;
                continue;
            };
            let mut dropped = 0;
            for entry in *entries {
                let target = match ready.target.is_group() {
                    true => Target::Group(entry.id.clone()),
                    false => Target::User(entry.id.clone()),
                };
                match known.entry(one.key(&target)) {
                    Entry::Vacant(new) => {
                        new.insert(true);
                        let columns = serde_json::to_string(&entry.columns)?;
                        self.one(&one, target, Some(&columns), made)?;
                    }
                    Entry::Occupied(_) => dropped += 1,
                }
            }
            if let Some(all) = given.dropped {
                all.borrow_mut().push(dropped);
            }
        }
        if plan.releases {
            await_release(self.conn, fire.id)?;
            made[before..].iter_mut().for_each(|push| push.awaits_content = true);
        }
        Ok(())
    }

    fn one(
        &mut self,
        one: &One<'_, '_>,
        target: Target,
        recipient: Option<&str>,
        made: &mut Vec<OpenPush>,
    ) -> Result<()> {
        let One { fire, ready, message, exclusive, before } = *one;
        let Ready { spec, kind, retry, policy, .. } = ready;
        let expires_at = fire.goes_at.max(fire.now) + policy.give_up_after;
        let fallback = match (spec.fallback, recipient) {
            (Some(fallback), Some(_)) => Some(own_fallback(fallback.get(), &ready.target, &target)?),
            (fallback, _) => fallback.map(|fallback| fallback.get().to_owned()),
        };
        let id = self.insert.run(&NewPush {
            fire_id: fire.id,
            ordinal: number(made.len() - before),
            im: &spec.im,
            target: &target.to_string(),
            account: spec.account.as_deref(),
            kind: *kind,
            message,
            timeout_ms: spec.timeout_ms,
            retry: *retry,
            render: spec.render.map(RawValue::get),
            max_attempts: policy.max_attempts,
            due_at: fire.goes_at,
            expires_at,
            exclusive_job: exclusive.then_some(fire.job),
            fallback: fallback.as_deref(),
            recipient,
        })?;
        made.push(OpenPush {
            id,
            job: Some(fire.job.clone()),
            triggered_by: fire.triggered_by,
            chat: None,
            im: spec.im.to_string(),
            target,
            kind: *kind,
            account: spec.account.clone(),
            due_at: fire.due_at,
            next_attempt_at: fire.goes_at,
            expires_at,
            is_resting: false,
            perhaps_sent: false,
            attempts: 0,
            last_account: None,
            awaits_content: false,
            is_exclusive: exclusive,
        });
        Ok(())
    }
}

/// What was made and read for a fire.
#[derive(Clone, Copy, Default)]
pub(super) struct Given<'a> {
    pub content: Option<&'a str>,
    /// The recipients of each push that has a list, in the order of the pushes; fewer where they were not read.
    pub lists: &'a [&'a [ListEntry]],
    /// Takes, for each of these, how many were left out since they get the same by another list or name.
    pub dropped: Option<&'a RefCell<Vec<usize>>>,
}

/// One push of a definition, with the message that it sends.
#[derive(Clone, Copy)]
struct One<'a, 'd> {
    fire: &'a Fired<'a>,
    ready: &'a Ready<'d>,
    message: &'a str,
    exclusive: bool,
    /// How many pushes of other fires were made before.
    before: usize,
}

impl One<'_, '_> {
    /// Pushes of one fire with equal keys are the same.
    fn key(&self, target: &Target) -> String {
        let Planned { im, account, .. } = &self.ready.spec;
        json!([im, account, target.to_string(), self.message]).to_string()
    }
}

/// The fallbacks of a push to one of a list: what goes to whom the push goes to is meant for each.
fn own_fallback(fallback: &str, list: &Target, own: &Target) -> Result<String> {
    let mut specs: Vec<FallbackSpec> = serde_json::from_str(fallback)?;
    for spec in &mut specs {
        if spec.target == *list {
            spec.target = own.clone();
        }
    }
    Ok(serde_json::to_string(&specs)?)
}

/// The pushes of this fire wait for their content.
fn await_release(conn: &Connection, fire_id: i64) -> Result<()> {
    conn.prepare_cached("INSERT INTO unreleased_fires (fire_id) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([fire_id])?;
    Ok(())
}

/// A text that says nothing stands for the content that was made.
pub(super) fn with_content<'m>(message: &'m str, kind: Kind, content: Option<&str>) -> Result<Cow<'m, str>> {
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
