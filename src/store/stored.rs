//! A row of `jobs` as the scheduler needs it, whatever database it comes from.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tracing::error;

use super::cells::Read;
use super::model::StoredJob;
use crate::domain::job::{DstGap, JobSource, Life};
use crate::domain::{DayRule, Misfire, Overlap, Schedule, UtcMs};

/// The columns of a job.
pub(super) struct JobCells<'row> {
    pub name: Arc<str>,
    pub definition: &'row str,
    pub timezone: Arc<str>,
    pub enabled: bool,
    pub paused: bool,
    pub next_due_at: Option<UtcMs>,
    pub definition_hash: i64,
    pub revision: u32,
    pub loaded_at: UtcMs,
    pub source: JobSource,
    pub spent_at: Option<UtcMs>,
}

/// A definition without its messages.
#[derive(Deserialize)]
struct Parts {
    schedule: Schedule,
    #[serde(default)]
    misfire: Misfire,
    #[serde(default)]
    overlap: Overlap,
    #[serde(default)]
    dst_gap: DstGap,
    #[serde(default)]
    days: Option<Box<DayRule>>,
    #[serde(default)]
    life: Option<Box<Life>>,
    content_from: Option<Content>,
    #[serde(default)]
    push: Vec<Push>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    lead_ms: u64,
}

#[derive(Deserialize)]
struct Push {
    list: Option<IgnoredAny>,
}

impl JobCells<'_> {
    /// A job whose lists of days are still to be filled in.
    pub(super) fn stored(self) -> Read<StoredJob> {
        let Parts { schedule, misfire, overlap, dst_gap, days, life, content_from, push } =
            serde_json::from_str(self.definition)?;
        Ok(StoredJob {
            name: self.name,
            schedule,
            timezone: self.timezone,
            dst_gap,
            days,
            enabled: self.enabled,
            paused: self.paused,
            misfire,
            overlap,
            lead: match content_from {
                Some(content) => Some(Duration::from_millis(content.lead_ms)),
                None => push.iter().any(|push| push.list.is_some()).then_some(Duration::ZERO),
            },
            next_due_at: self.next_due_at,
            definition_hash: self.definition_hash,
            revision: self.revision,
            loaded_at: self.loaded_at,
            source: self.source,
            life,
            spent_at: self.spent_at,
            made_ahead: None,
        })
    }

    /// A job whose definition another release or a hand wrote: it is there, to be replaced or removed by what the files say,
    /// and all that is sure of its schedule is the next instant.
    pub(super) fn unreadable(self, problem: &str) -> StoredJob {
        let name = self.name;
        error!(job = %name, problem, "the definition of a job cannot be read; it fires again once the files are loaded");
        StoredJob {
            name,
            schedule: Schedule::At(self.next_due_at.unwrap_or(self.loaded_at)),
            timezone: "UTC".into(),
            dst_gap: DstGap::default(),
            days: None,
            enabled: self.enabled,
            paused: self.paused,
            misfire: Misfire::default(),
            overlap: Overlap::default(),
            lead: None,
            next_due_at: self.next_due_at,
            // That of no definition which could have given this hash.
            definition_hash: !self.definition_hash,
            revision: self.revision,
            loaded_at: self.loaded_at,
            source: self.source,
            life: None,
            spent_at: self.spent_at,
            made_ahead: None,
        }
    }
}

/// As the column has it.
pub(super) fn source(word: &str) -> JobSource {
    if word == "verb" { JobSource::Verb } else { JobSource::File }
}

/// Jobs in one zone, one after the other, share its name.
pub(super) fn share_zone(jobs: &mut [StoredJob]) {
    if let [.., before, last] = jobs
        && before.timezone == last.timezone
    {
        last.timezone = before.timezone.clone();
    }
}
