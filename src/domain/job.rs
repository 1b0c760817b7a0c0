//! A job: a named definition with a schedule and the pushes that each of its fires makes.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::calendar::DayRule;
use super::content::ContentFrom;
use super::fallback::FallbackSpec;
use super::message::{Message, Target};
use super::recipient_list::RecipientList;
use super::templating::Rendering;
use super::time::{UtcMs, duration_ms};

/// One definition from the YAML, in the very form that `jobs.definition` stores as JSON.
///
/// Rows outlive versions. So here and in every other stored struct what a row does not say has a default, unless the
/// row would mean nothing without it, and what a later version added is passed over; `tests/it/old_rows.rs` reads rows of
/// each version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub name: String,
    pub schedule: Schedule,
    /// IANA name of the zone in which `schedule` is evaluated. Shared, because most jobs are in one.
    #[serde(default = "utc")]
    pub timezone: Arc<str>,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub push: Vec<PushSpec>,
    /// What makes the content anew for each fire; of a push that has a content of its own it decides alone whether that is
    /// sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_from: Option<Box<ContentFrom>>,
    #[serde(default)]
    pub misfire: Misfire,
    #[serde(default)]
    pub overlap: Overlap,
    #[serde(default)]
    pub dst_gap: DstGap,
    /// Boxed, because most jobs say nothing about days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Box<DayRule>>,
    /// Boxed, because most jobs go on for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<Box<Life>>,
}

/// From when until when a job fires, and how often at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Life {
    /// Its instants are not earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<UtcMs>,
    /// Nor later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcMs>,
    /// It ends with so many instants that fired by the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fires: Option<u64>,
}

impl Job {
    /// Each with the hash by which a change of its definition is noticed. The list that is taken apart shrinks while the
    /// other grows: 100,000 jobs never stand in both.
    pub fn with_hashes(mut jobs: Vec<Job>) -> Vec<(Job, i64)> {
        const AT_ONCE: usize = 8192;
        let (mut json, mut hashed) = (Vec::new(), Vec::with_capacity(jobs.len()));
        while let Some(job) = jobs.pop() {
            let hash = job.hash(&mut json);
            hashed.push((job, hash));
            if jobs.len().is_multiple_of(AT_ONCE) {
                jobs.shrink_to_fit();
            }
        }
        hashed.reverse();
        hashed
    }

    fn hash(&self, json: &mut Vec<u8>) -> i64 {
        json.clear();
        // A job is plain data, and writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut *json, self);
        let digest = Sha256::digest(&json);
        i64::from_be_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|n| digest[n]))
    }
}

/// All that the instants of a job depend on.
#[derive(Clone, Copy, Debug)]
pub struct Timing<'a> {
    pub schedule: &'a Schedule,
    pub timezone: &'a str,
    pub dst_gap: DstGap,
    pub days: Option<&'a DayRule>,
    pub life: Option<&'a Life>,
}

impl Job {
    /// So often it fires by its schedule, where that is not for ever.
    pub fn max_fires(&self) -> Option<u64> {
        self.life.as_ref()?.max_fires
    }

    /// So long before its instant a fire is recorded whose content is made then, or whose recipients are read; None: it has
    /// neither.
    pub fn lead(&self) -> Option<Duration> {
        match &self.content_from {
            Some(content) => Some(content.lead),
            None => self.push.iter().any(|push| push.list.is_some()).then_some(Duration::ZERO),
        }
    }

    pub fn timing(&self) -> Timing<'_> {
        Timing {
            schedule: &self.schedule,
            timezone: &self.timezone,
            dst_gap: self.dst_gap,
            days: self.days.as_deref(),
            life: self.life.as_deref(),
        }
    }
}

fn utc() -> Arc<str> {
    "UTC".into()
}

fn yes() -> bool {
    true
}

/// When a job is due. The text is the user's own; `policy::schedule` gives it a meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Five fields, six with seconds first, or a macro such as `@daily`.
    Cron(String),
    /// A period in milliseconds, counted from the epoch, so that a restart shifts nothing.
    Every(u64),
    /// One instant.
    At(UtcMs),
    /// None at all: it fires when somebody says so.
    #[serde(rename = "on_demand")]
    OnDemand,
}

impl Schedule {
    /// How tables show it: the cron text, `every 30s`, `at 2026-…Z`.
    pub fn describe(&self) -> String {
        match self {
            Schedule::Cron(text) => text.clone(),
            Schedule::Every(ms) => format!("every {}", describe_ms(*ms)),
            Schedule::At(at) => format!("at {at}"),
            Schedule::OnDemand => "on demand".to_owned(),
        }
    }
}

/// The shortest text with one unit that says the same duration: `90s`, `5m`, `1500ms`.
pub fn describe_ms(ms: u64) -> String {
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if ms >= size && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    format!("{ms}ms")
}

/// What a fixed-time job does on the day its hour is skipped by summer time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DstGap {
    /// Once, at the first instant after the gap.
    #[default]
    Fire,
    /// Not on that day.
    Skip,
}

/// One push of a job: one message to one target. There may be 100,000 at once, so what is rare or shared lies elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushSpec {
    pub im: String,
    pub target: Target,
    /// The account that must be used, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    pub message: Message,
    #[serde(with = "duration_ms", rename = "timeout_ms", default = "fifteen_seconds")]
    pub timeout: Duration,
    /// Shared, because most pushes are tried as `defaults` says.
    #[serde(default = "RetryPolicy::built_in")]
    pub retry: Arc<RetryPolicy>,
    /// Where its texts are templates: how they are rendered. Boxed, because most are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render: Option<Box<Rendering>>,
    /// Its recipients are read at its hour; until then `target` says whether they are groups, and how the list is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Box<RecipientList>>,
    /// Who gets the same message once this push has ended badly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<FallbackSpec>,
}

fn fifteen_seconds() -> Duration {
    Duration::from_secs(15)
}

/// How often and how long a push is tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryPolicy {
    pub max_attempts: u32,
    #[serde(with = "duration_ms", rename = "backoff_ms")]
    pub backoff: Duration,
    pub factor: f64,
    #[serde(with = "duration_ms", rename = "max_backoff_ms")]
    pub max_backoff: Duration,
    /// Share of each wait that chance may add or take, 0 to 1.
    pub jitter: f64,
    #[serde(with = "duration_ms", rename = "give_up_after_ms")]
    pub give_up_after: Duration,
    /// Try again although the message may already be there: the user prefers twice to never.
    pub resend_unknown: bool,
}

impl RetryPolicy {
    /// The default, which whoever has it shares.
    pub fn built_in() -> Arc<RetryPolicy> {
        static BUILT_IN: LazyLock<Arc<RetryPolicy>> = LazyLock::new(Arc::default);
        BUILT_IN.clone()
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            max_attempts: 5,
            backoff: Duration::from_secs(5),
            factor: 2.0,
            max_backoff: Duration::from_secs(600),
            jitter: 0.2,
            give_up_after: Duration::from_secs(3600),
            resend_unknown: false,
        }
    }
}

/// What happens to instants that were noticed too late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Misfire {
    pub policy: MisfirePolicy,
    /// Instants older than this are missed, whatever the policy.
    #[serde(with = "duration_ms", rename = "within_ms")]
    pub within: Duration,
    /// Noticed within this time, an instant is merely late and fires as usual.
    #[serde(with = "duration_ms", rename = "grace_ms")]
    pub grace: Duration,
    /// With `all`: at most this many instants are caught up, the newest ones; the others are missed.
    pub max: u32,
}

impl Default for Misfire {
    fn default() -> Self {
        Misfire {
            policy: MisfirePolicy::Latest,
            within: Duration::from_secs(3600),
            grace: Duration::from_secs(60),
            max: 100,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MisfirePolicy {
    Skip,
    Latest,
    All,
}

/// What a fire does while pushes of an older fire of the same job are still open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    #[default]
    Allow,
    Skip,
    Replace,
}

/// Who says what a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobSource {
    /// The files: a reload changes and removes it.
    #[default]
    File,
    /// A verb, at run time: the files know nothing of it, and a reload leaves it alone.
    Verb,
}

impl JobSource {
    pub fn as_str(self) -> &'static str {
        match self {
            JobSource::File => "file",
            JobSource::Verb => "verb",
        }
    }

    pub fn is_verb(self) -> bool {
        self == JobSource::Verb
    }
}

/// What made a fire: the schedule, a person, or a chat that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    Cron,
    Manual,
    Message,
}

impl Trigger {
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Cron => "cron",
            Trigger::Manual => "manual",
            Trigger::Message => "message",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100,000 of each stand in memory while files are read, and a `Vec` or an `Option` of something large adds its bytes
    /// to every one of them: what is rare is boxed, what is shared is counted.
    #[test]
    fn a_job_and_a_push_are_no_larger_than_a_hundred_thousand_of_them_may_be() {
        let sizes = (size_of::<PushSpec>(), size_of::<Job>());
        assert!(sizes.0 <= 296 && sizes.1 <= 160, "{sizes:?}");
    }

    #[test]
    fn jobs_keep_their_order_when_they_get_their_hashes() {
        let job = |n: usize| {
            let json = serde_json::json!({ "name": n.to_string(), "schedule": { "every": 1000 } });
            serde_json::from_value::<Job>(json).unwrap()
        };
        let jobs: Vec<Job> = (0..20_000).map(job).collect();
        let hashed = Job::with_hashes(jobs.clone());
        assert!(hashed.iter().map(|(job, _)| job).eq(&jobs));
        assert_eq!(hashed[7].1, Job::with_hashes(vec![job(7)])[0].1);
        assert_ne!(hashed[7].1, hashed[8].1);
    }
}
