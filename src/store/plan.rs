//! The pushes that a fire makes out of the definition of its job, whatever database they go into.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;

use super::cells::{Read, number, parsed};
use super::model::{AdHoc, OpenPush};
use crate::domain::{
    Body, ContentMoment, FallbackSpec, Kind, ListEntry, Message, Overlap, RetryPolicy, Target, Trigger, UtcMs,
};

/// What `pushes.retry` leaves out: most jobs keep the built-in policy, and ten million rows need not repeat it.
static DEFAULT_RETRY: LazyLock<String> = LazyLock::new(|| json!(RetryPolicy::default()).to_string());

/// A definition as far as its fires need it, read where it lies: messages are copied as they are.
#[derive(Deserialize)]
struct Definition<'a> {
    #[serde(default)]
    overlap: Overlap,
    #[serde(borrow)]
    push: Vec<Planned<'a>>,
    content_from: Option<Source>,
}

/// When the content of its fires is made.
#[derive(Deserialize)]
struct Source {
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

/// A row of `pushes` to be.
pub(super) struct NewPush<'p> {
    pub ordinal: i64,
    pub im: &'p str,
    pub target: Target,
    pub account: Option<&'p str>,
    pub kind: Kind,
    pub message: Cow<'p, str>,
    pub timeout_ms: i64,
    pub retry: Option<Cow<'p, str>>,
    pub render: Option<Cow<'p, str>>,
    pub max_attempts: u32,
    pub goes_at: UtcMs,
    pub expires_at: UtcMs,
    pub exclusive_job: Option<&'p str>,
    pub fallback: Option<Cow<'p, str>>,
    pub recipient: Option<Cow<'p, str>>,
    awaits_content: bool,
}

/// The pushes of a fire.
pub(super) struct Pushes<'p> {
    pub pushes: Vec<NewPush<'p>>,
    /// For each list that was read, how many of it were left out since they get the same by another list or name.
    pub dropped: Vec<usize>,
}

/// A fire that goes out, and when that was recorded.
#[derive(Clone, Copy)]
pub(super) struct Fired<'a> {
    pub job: &'a Arc<str>,
    pub triggered_by: Trigger,
    pub due_at: UtcMs,
    /// When its pushes are to go out: at their instant, but for what is made up for.
    pub goes_at: UtcMs,
    pub now: UtcMs,
}

impl<'a> Plan<'a> {
    pub(super) fn read(definition: &'a str) -> Read<Plan<'a>> {
        let Definition { overlap, push, content_from } = serde_json::from_str(definition)?;
        let ready = |spec: Planned<'a>| {
            let target = parsed(&spec.target)?;
            let Content { kind } = serde_json::from_str(spec.message.get())?;
            let (retry, policy) = policy(spec.retry.map_or(&DEFAULT_RETRY, RawValue::get))?;
            Ok(Ready { spec, target, kind, retry, policy })
        };
        let has_lists = push.iter().any(|spec| spec.list.is_some());
        let at = content_from.map(|source| source.at);
        Ok(Plan {
            overlap,
            needs_content: at == Some(ContentMoment::Instant) || has_lists,
            has_lists,
            releases: at == Some(ContentMoment::Release),
            pushes: push.into_iter().map(ready).collect::<Read<_>>()?,
        })
    }

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

    /// The messages of its pushes, in their order: one without a text of its own gets the content.
    pub(super) fn messages(&self, content: Option<&str>) -> Read<Vec<Cow<'a, str>>> {
        self.pushes.iter().map(|ready| with_content(ready.spec.message.get(), ready.kind, content)).collect()
    }

    /// The pushes of a fire with these messages ([`Plan::messages`]). A fire that was recorded late has its whole time to be
    /// sent all the same. One with a list of recipients becomes a push for each: `lists` has the recipients of each push that
    /// has a list, in the order of the pushes; fewer where they were not read.
    pub(super) fn pushes<'p>(
        &'p self,
        fire: &Fired<'p>,
        messages: &'p [Cow<'p, str>],
        lists: &[&[ListEntry]],
    ) -> Read<Pushes<'p>> {
        let mut lists = lists.iter();
        // Whom the same message goes to already, and whether a list named them; it is kept only where there are lists. Who is
        // named twice without one is meant twice.
        let mut known: HashMap<String, bool> = HashMap::new();
        let (mut pushes, mut all_dropped) = (Vec::with_capacity(self.pushes.len()), Vec::new());
        for (ready, message) in self.pushes.iter().zip(messages) {
            if ready.spec.list.is_none() {
                let by_list = self.has_lists && *known.entry(ready.key(&ready.target, message)).or_default();
                if !by_list {
                    pushes.push(self.push(fire, (ready, message), pushes.len(), ready.target.clone(), None)?);
                }
                continue;
            }
            let Some(entries) = lists.next() else {
                // Nobody knows whom it would have gone to.
                let nobody = Some("null".into());
                pushes.push(self.push(fire, (ready, message), pushes.len(), ready.target.clone(), nobody)?);
                continue;
            };
            let mut dropped = 0;
            for entry in *entries {
                let target = match ready.target.is_group() {
                    true => Target::Group(entry.id.clone()),
                    false => Target::User(entry.id.clone()),
                };
                match known.entry(ready.key(&target, message)) {
                    Entry::Vacant(new) => {
                        new.insert(true);
                        let columns = serde_json::to_string(&entry.columns)?;
                        let place = pushes.len();
                        pushes.push(self.push(fire, (ready, message), place, target, Some(columns.into()))?);
                    }
                    Entry::Occupied(_) => dropped += 1,
                }
            }
            all_dropped.push(dropped);
        }
        Ok(Pushes { pushes, dropped: all_dropped })
    }

    fn push<'p>(
        &'p self,
        fire: &Fired<'p>,
        (ready, message): (&'p Ready<'a>, &'p str),
        place: usize,
        target: Target,
        recipient: Option<Cow<'p, str>>,
    ) -> Read<NewPush<'p>> {
        let Ready { spec, kind, retry, policy, .. } = ready;
        let fallback = match (spec.fallback, &recipient) {
            (Some(fallback), Some(_)) => Some(own_fallback(fallback.get(), &ready.target, &target)?.into()),
            (fallback, _) => fallback.map(|fallback| fallback.get().into()),
        };
        Ok(NewPush {
            ordinal: number(place),
            im: &spec.im,
            target,
            account: spec.account.as_deref(),
            kind: *kind,
            message: message.into(),
            timeout_ms: spec.timeout_ms,
            retry: retry.map(Into::into),
            render: spec.render.map(|render| render.get().into()),
            max_attempts: policy.max_attempts,
            goes_at: fire.goes_at,
            expires_at: fire.goes_at.max(fire.now) + policy.give_up_after,
            exclusive_job: (self.overlap != Overlap::Allow).then_some(fire.job),
            fallback,
            recipient,
            awaits_content: self.releases,
        })
    }
}

impl Ready<'_> {
    /// Pushes of one fire with equal keys are the same.
    fn key(&self, target: &Target, message: &str) -> String {
        let Planned { im, account, .. } = &self.spec;
        json!([im, account, target.to_string(), message]).to_string()
    }
}

impl<'p> NewPush<'p> {
    /// Of a push outside any job.
    pub(super) fn outside(push: &'p AdHoc, place: usize, now: UtcMs) -> Read<NewPush<'p>> {
        let spec = &push.spec;
        let retry = serde_json::to_string(&spec.retry)?;
        let is_built_in = policy(&retry)?.0.is_none();
        let fallback = (!spec.fallback.is_empty()).then(|| serde_json::to_string(&spec.fallback)).transpose()?;
        Ok(NewPush {
            ordinal: number(place),
            im: &spec.im,
            target: spec.target.clone(),
            account: spec.account.as_deref(),
            kind: spec.message.body.kind(),
            message: serde_json::to_string(&spec.message)?.into(),
            timeout_ms: number(spec.timeout.as_millis()),
            retry: (!is_built_in).then(|| retry.into()),
            render: spec.render.as_ref().map(serde_json::to_string).transpose()?.map(Into::into),
            max_attempts: spec.retry.max_attempts,
            goes_at: now,
            expires_at: now + spec.retry.give_up_after,
            exclusive_job: None,
            fallback: fallback.map(Into::into),
            recipient: None,
            awaits_content: false,
        })
    }

    /// As the engine takes it in, once it has its row.
    pub(super) fn open(&self, id: i64, fire: &Fired<'_>) -> OpenPush {
        OpenPush {
            id,
            job: Some(fire.job.clone()),
            triggered_by: fire.triggered_by,
            chat: None,
            im: self.im.to_owned(),
            target: self.target.clone(),
            kind: self.kind,
            account: self.account.map(str::to_owned),
            due_at: fire.due_at,
            next_attempt_at: fire.goes_at,
            expires_at: self.expires_at,
            is_resting: false,
            perhaps_sent: false,
            attempts: 0,
            last_account: None,
            awaits_content: self.awaits_content,
            is_exclusive: self.exclusive_job.is_some(),
        }
    }
}

/// The fallbacks of a push to one of a list: what goes to whom the push goes to is meant for each.
fn own_fallback(fallback: &str, list: &Target, own: &Target) -> Read<String> {
    let mut specs: Vec<FallbackSpec> = serde_json::from_str(fallback)?;
    for spec in &mut specs {
        if spec.target == *list {
            spec.target = own.clone();
        }
    }
    Ok(serde_json::to_string(&specs)?)
}

/// A text that says nothing stands for the content that was made.
pub(super) fn with_content<'m>(message: &'m str, kind: Kind, content: Option<&str>) -> Read<Cow<'m, str>> {
    let Some(content) = content.filter(|_| kind == Kind::Text) else { return Ok(message.into()) };
    let mut parsed: Message = serde_json::from_str(message)?;
    match &mut parsed.body {
        Body::Text { text } if text.is_empty() => content.clone_into(text),
        _ => return Ok(message.into()),
    }
    Ok(serde_json::to_string(&parsed)?.into())
}

/// A policy, and what the row says of it.
fn policy(json: &str) -> Read<(Option<&str>, RetryPolicy)> {
    if json == *DEFAULT_RETRY {
        return Ok((None, RetryPolicy::default()));
    }
    Ok((Some(json), serde_json::from_str(json)?))
}
