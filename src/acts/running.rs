//! The running configuration, by which jobs are judged that come over HTTP: no file is read again.

use std::fmt::Display;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;

use super::files::literal;
use super::proposal::{Proposal, Rules};
use super::said::{SCHEDULE, put_once};
use crate::answers::refusal::{Kind, Refusal};
use crate::answers::when;
use crate::config::{Judge, is_job_key};
use crate::domain::{UtcMs, length};
use crate::texts;

/// A configuration that is in force, and when somebody began to say what is judged by it.
pub(crate) struct Running {
    pub judge: Arc<Judge>,
    pub now: UtcMs,
}

impl Running {
    /// A new job in the keys of the files, and `in`, which only who makes one knows.
    ///
    /// # Errors
    ///
    /// With what is wrong with it; and when it would never fire.
    pub(crate) async fn propose(&self, said: Map<String, Value>) -> Result<Proposal, Refusal> {
        let mut job = Map::new();
        self.put_into(&mut job, said)?;
        self.judged(job).await?.of_new_jobs(self.now)
    }

    /// Puts what was said into the mapping of a job, whose other keys stay as they are; null takes a key away.
    ///
    /// # Errors
    ///
    /// A time that is none, or past; more than one schedule.
    pub(crate) fn put_into(&self, job: &mut Map<String, Value>, said: Map<String, Value>) -> Result<(), Refusal> {
        let senseless = |text: String, at: &'static str| Refusal::new(Kind::Senseless, text).at(at);
        let schedules: Vec<(&str, &'static str)> = said
            .iter()
            .filter(|(_, value)| !value.is_null())
            .filter_map(|(key, _)| SCHEDULES.iter().find(|(known, _)| known == key))
            .copied()
            .collect();
        if let [(first, _), (second, at), ..] = schedules[..] {
            return Err(senseless(format!("a job has one schedule: got {first} and {second}"), at));
        }
        if !schedules.is_empty() {
            SCHEDULE.iter().for_each(|key| drop(job.shift_remove(*key)));
        }
        let mut once = None;
        for (key, value) in said {
            match (&*key, value) {
                // Any other is left for whoever judges the job to refuse.
                (name, Value::Null) if name == "in" || is_job_key(name) => drop(job.shift_remove(&key)),
                ("at", Value::String(text)) => once = Some(("at", text)),
                ("in", Value::String(text)) => once = Some(("in", text)),
                ("in", other) => return Err(senseless(no_length(&other), "/in")),
                (_, value) => drop(job.insert(key, plain(value))),
            }
        }
        let zone = job.get("timezone").and_then(Value::as_str).unwrap_or(self.judge.timezone());
        let at = match once {
            None => return Ok(()),
            Some(("in", text)) => after(&text, self.now).map_err(|problem| senseless(problem, "/in"))?,
            Some((_, text)) => {
                let at = when::coming(&text, &when::zone(zone), self.now);
                at.map_err(|problem| senseless(format!("at: {problem}"), "/at"))?
            }
        };
        put_once(job, at);
        Ok(())
    }
}

/// Keys that say when a job fires, of which one is said, and where each stands.
const SCHEDULES: [(&str, &str); 5] =
    [("cron", "/cron"), ("every", "/every"), ("at", "/at"), ("in", "/in"), ("on_demand", "/on_demand")];

/// Whether this says anew when a job fires.
pub(crate) fn is_schedule(key: &str) -> bool {
    SCHEDULES.iter().any(|(known, _)| *known == key)
}

/// As the files refuse it.
fn no_length(got: &dyn Display) -> String {
    format!("in: expected {}, got {got}", texts::a_duration().english())
}

fn after(text: &str, now: UtcMs) -> Result<UtcMs, String> {
    let wait = length(text).ok_or_else(|| no_length(&text))?;
    super::said::after(wait, now).map_err(|problem| format!("in: {problem}"))
}

/// As the files spell it: a dollar is a dollar, since only they know variables.
fn plain(value: Value) -> Value {
    match value {
        Value::String(text) => json!(literal(&text)),
        Value::Array(values) => Value::Array(values.into_iter().map(plain).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, plain(value))).collect()),
        other => other,
    }
}

#[async_trait]
impl Rules for Running {
    fn now(&self) -> UtcMs {
        self.now
    }

    async fn judged(&self, job: Map<String, Value>) -> Result<Proposal, Refusal> {
        let (judge, now) = (self.judge.clone(), self.now);
        // Whoever waits for an answer beside this one is not held up.
        let judging = spawn_blocking(move || judge.judge_job(&Value::Object(job), now)).await;
        let broken = |_| Refusal::new(Kind::Broken, "nobody judges jobs");
        match judging.map_err(broken)? {
            Ok(judged) => Ok(Proposal::of(judged.jobs, judged.doubts)),
            Err(errors) if errors.errors.is_empty() => Err(Refusal::new(Kind::Senseless, "this job cannot be read")),
            Err(errors) => Err(Refusal { problems: errors.errors.clone(), ..Refusal::from(errors) }),
        }
    }
}
