//! A definition written as the files spell it: what the decoder would read as the same job, whatever the `defaults:` are.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::keys::{EMPTIES, MISSING_LISTS, SHIFTS, UNCHANGED};
use crate::domain::calendar::{CalendarPart, DaySet, Shift};
use crate::domain::content::ContentHttp;
use crate::domain::job::{DstGap, describe_ms};
use crate::domain::{
    Body, ContentFormat, ContentFrom, ContentMoment, ContentSource, DayRule, FallbackSpec, Job, Media, Misfire,
    MisfirePolicy, Overlap, PushSpec, RetryPolicy, Schedule, Target,
};
use crate::policy::content::takes_content;

/// A job as a mapping under `jobs:`. Each dollar is doubled where the files would take it for a variable.
pub fn written(job: &Job) -> Value {
    let mut keys = Map::new();
    let mut put = |key: &str, value: Value| drop(keys.insert(key.to_owned(), value));
    put("name", json!(job.name));
    match &job.schedule {
        Schedule::Cron(text) => put("cron", json!(text)),
        Schedule::Every(ms) => put("every", json!(describe_ms(*ms))),
        Schedule::At(at) => put("at", json!(at.to_string())),
        Schedule::OnDemand => put("on_demand", json!(true)),
    }
    put("timezone", json!(job.timezone));
    if !job.enabled {
        put("enabled", json!(false));
    }
    if let Some(content) = &job.content_from {
        put("content_from", content_from(content));
        // Of its arguments; each push says for itself whether it is.
        if matches!(&content.source, ContentSource::Command(command) if command.render.is_some()) {
            put("render", json!(true));
        }
    }
    let pushes = job.push.iter().map(|spec| push(spec, job.content_from.is_some() && takes_content(spec)));
    put("push", Value::Array(pushes.collect()));
    // A job has one policy for all of its pushes.
    if let Some(push) = job.push.first() {
        put("retry", retry(&push.retry));
    }
    put("misfire", misfire(&job.misfire));
    let overlap = match job.overlap {
        Overlap::Allow => "allow",
        Overlap::Skip => "skip",
        Overlap::Replace => "replace",
    };
    put("overlap", json!(overlap));
    if let Some(life) = &job.life {
        for (key, at) in [("from", life.from), ("until", life.until)] {
            if let Some(at) = at {
                put(key, json!(at.to_string()));
            }
        }
        if let Some(max) = life.max_fires {
            put("max_fires", json!(max));
        }
    }
    if let Some(rule) = &job.days {
        days(rule, &mut put);
    }
    put("dst_gap", json!(if job.dst_gap == DstGap::Skip { "skip" } else { "fire" }));
    with_plain_dollars(Value::Object(keys))
}

fn days(rule: &DayRule, put: &mut impl FnMut(&str, Value)) {
    if let Some(calendar) = &rule.workdays {
        put("workdays", json!(calendar.name));
    }
    for (key, sets) in [("only", &rule.only), ("except", &rule.except), ("also", &rule.also)] {
        if !sets.is_empty() {
            put(key, json!(sets.iter().map(day_set).collect::<Vec<String>>()));
        }
    }
    if let Some((word, _)) = SHIFTS.iter().find(|(_, shift)| *shift == rule.shift && rule.shift != Shift::None) {
        put("shift", json!(word));
    }
    if let Some(nth) = rule.nth {
        put("nth", json!(nth));
    }
    if let Some((word, _)) = MISSING_LISTS.iter().find(|(_, missing)| *missing == rule.on_missing) {
        put("on_missing_calendar", json!(word));
    }
}

fn day_set(set: &DaySet) -> String {
    match set {
        DaySet::Days(from, until) if from == until => from.to_string(),
        DaySet::Days(from, until) => format!("{from}..{until}"),
        DaySet::Part(calendar, part) => {
            let word = CalendarPart::WORDS.iter().find(|(_, known)| known == part).map_or("", |(word, _)| *word);
            format!("{}.{word}", calendar.name)
        }
    }
}

fn content_from(content: &ContentFrom) -> Value {
    let mut keys = Map::new();
    let mut put = |key: &str, value: Value| drop(keys.insert(key.to_owned(), value));
    match &content.source {
        ContentSource::Command(command) => {
            put("command", json!(command.argv));
            if !command.env.is_empty() {
                put("env", json!(command.env));
            }
            put("as_root", json!(command.as_root));
        }
        ContentSource::Http(http) => put("http", address(http)),
        ContentSource::File(file) => {
            put("file", json!(file.path));
            if let Some(ms) = file.max_age_ms {
                put("max_age", json!(describe_ms(ms)));
            }
        }
    }
    if content.format == ContentFormat::Json {
        put("format", json!("json"));
    }
    if content.trusted {
        put("trusted", json!(true));
    }
    put("timeout", duration(content.timeout));
    put("max_bytes", json!(content.max_bytes));
    put("attempts", json!(content.attempts));
    put("backoff", duration(content.backoff));
    if let Some((word, _)) = EMPTIES.iter().find(|(_, empty)| *empty == content.empty) {
        put("empty", json!(word));
    }
    if let Some((word, _)) = UNCHANGED.iter().find(|(_, unchanged)| *unchanged == content.unchanged) {
        put("unchanged", json!(word));
    }
    if let Some(ms) = content.stale_at_most_ms {
        put("stale", json!("last_good"));
        put("stale_at_most", json!(describe_ms(ms)));
    }
    match content.at {
        ContentMoment::Instant => put("lead", duration(content.lead)),
        ContentMoment::Release => put("at", json!("release")),
    }
    Value::Object(keys)
}

fn address(http: &ContentHttp) -> Value {
    let mut keys = Map::new();
    keys.insert("url".to_owned(), json!(http.url));
    if let Some(file) = &http.headers_file {
        keys.insert("headers_file".to_owned(), json!(file));
    }
    if !http.expect.is_empty() {
        keys.insert("expect".to_owned(), json!(http.expect));
    }
    if http.allow_private {
        keys.insert("allow_private".to_owned(), json!(true));
    }
    if keys.len() == 1 { json!(http.url) } else { Value::Object(keys) }
}

/// Without a text where that is what a source makes.
fn push(push: &PushSpec, takes_content: bool) -> Value {
    let mut keys = Map::new();
    let mut put = |key: &str, value: Value| drop(keys.insert(key.to_owned(), value));
    match (&push.list, &push.account) {
        (None, account) => {
            put("im", json!(push.im));
            whom(&push.target, account.as_deref(), &mut put);
        }
        // By the name that the files have for it.
        (Some(_), account) => {
            put("to", json!(push.target.id()));
            if let Some(account) = account {
                put("account", json!(account));
            }
        }
    }
    if let Some(title) = &push.message.title {
        put("title", json!(title));
    }
    match &push.message.body {
        Body::Text { .. } if takes_content => {}
        Body::Text { text } => put("text", json!(text)),
        Body::Image(media) => put("image", written_media(media)),
        Body::Voice(media) => put("voice", written_media(media)),
        Body::Video(media) => put("video", written_media(media)),
        Body::File(media) => put("file", written_media(media)),
        Body::Mixed { items } => put("mixed", json!(items)),
    }
    put("timeout", duration(push.timeout));
    // Written out, so that no `defaults` decides otherwise.
    put("render", json!(push.render.is_some()));
    if !push.fallback.is_empty() {
        let own = |spec: &FallbackSpec| push.list.is_some() && spec.target == push.target;
        put("fallback", push.fallback.iter().map(|spec| fallback(spec, own(spec))).collect());
    }
    Value::Object(keys)
}

fn whom(target: &Target, account: Option<&str>, put: &mut impl FnMut(&str, Value)) {
    match target {
        Target::Group(id) => put("group", json!(id)),
        Target::User(id) => put("user", json!(id)),
    }
    if let Some(account) = account {
        put("account", json!(account));
    }
}

/// `is_own`: it goes to whom the push itself goes to.
fn fallback(fallback: &FallbackSpec, is_own: bool) -> Value {
    let FallbackSpec { im, target, account, after } = fallback;
    let mut keys = Map::new();
    let mut put = |key: &str, value: Value| drop(keys.insert(key.to_owned(), value));
    match (is_own, account) {
        (true, Some(account)) => put("account", json!(account)),
        _ => {
            put("im", json!(im));
            whom(target, account.as_deref(), &mut put);
        }
    }
    put("after", json!(after));
    Value::Object(keys)
}

fn written_media(media: &Media) -> Value {
    json!(media)
}

fn retry(policy: &RetryPolicy) -> Value {
    json!({
        "max_attempts": policy.max_attempts,
        "backoff": duration(policy.backoff),
        "factor": policy.factor,
        "max_backoff": duration(policy.max_backoff),
        "jitter": policy.jitter,
        "give_up_after": duration(policy.give_up_after),
        "resend_unknown": policy.resend_unknown,
    })
}

fn misfire(misfire: &Misfire) -> Value {
    let policy = match misfire.policy {
        MisfirePolicy::Skip => "skip",
        MisfirePolicy::Latest => "latest",
        MisfirePolicy::All => "all",
    };
    json!({
        "policy": policy,
        "within": duration(misfire.within),
        "grace": duration(misfire.grace),
        "max": misfire.max,
    })
}

fn duration(duration: Duration) -> Value {
    json!(describe_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}

fn with_plain_dollars(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(values) => Value::Array(values.into_iter().map(with_plain_dollars).collect()),
        Value::Object(keys) => {
            Value::Object(keys.into_iter().map(|(key, value)| (key, with_plain_dollars(value))).collect())
        }
        value => value,
    }
}
