//! What was read, before defaults are filled in and references are looked up: other files may still define them.
//!
//! Plain data. 100,000 jobs stand here at once, so drafts are small and hold the finished parts where they can.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil;

use super::calendars::DaysDraft;
use super::diagnostics::Place;
use super::metrics::MetricsDraft;
use super::settings::{Heartbeat, ReloadOn, WebSettings};
use super::templates::Mark;
use super::yaml::At;
use crate::domain::calendar::MissingList;
use crate::domain::job::DstGap;
use crate::domain::{
    Account, BadState, ContentFormat, ContentFrom, Kind, KnownContent, MisfirePolicy, Overlap, PushSpec, RecipientList,
    SenderSpec, Target, UtcMs,
};
use crate::policy::account::Fallback;
use crate::texts::Language;

/// A job before defaults are filled in and its references are looked up: other files may still define them.
#[derive(Debug)]
pub(super) struct JobDraft {
    pub name: String,
    pub schedule: ScheduleDraft,
    pub timezone: Option<String>,
    pub enabled: bool,
    pub push: Vec<PushDraft>,
    pub content_from: Option<Box<ContentDraft>>,
    /// Boxed, because most jobs have none of their own.
    pub retry: Option<Box<RetryKeys>>,
    pub misfire: Option<Box<MisfireKeys>>,
    pub overlap: Option<Overlap>,
    pub dst_gap: Option<DstGap>,
    pub days: Option<Box<DaysDraft>>,
    pub render: Option<bool>,
    /// Boxed, because most jobs have no end.
    pub life: Option<Box<LifeDraft>>,
    pub name_at: Place,
    pub schedule_at: At,
}

/// The keys `from`, `until` and `max_fires` that are there.
#[derive(Debug, Default)]
pub(super) struct LifeDraft {
    pub from: Option<(ScheduleDraft, At)>,
    pub until: Option<(ScheduleDraft, At)>,
    pub max_fires: Option<u64>,
}

/// A content before it is known how it is rendered.
#[derive(Debug)]
pub(super) struct ContentDraft {
    pub content: ContentFrom,
    /// Arguments that are templates or look like some.
    pub marks: Vec<Mark>,
    pub at: At,
}

impl ContentDraft {
    /// What templates know of it.
    pub(super) fn known(&self) -> KnownContent {
        let ContentFrom { format, trusted, .. } = self.content;
        KnownContent { json: format == ContentFormat::Json, trusted, previous: false }
    }
}

/// A schedule that may still lack its zone.
#[derive(Debug)]
pub(super) enum ScheduleDraft {
    Cron(String),
    Every(u64),
    At(UtcMs),
    /// An instant in the job's zone.
    LocalAt(civil::DateTime),
    OnDemand,
}

/// A push before its account is looked up. It holds the finished push, so that 100,000 of them are finished where
/// they lie.
#[derive(Debug)]
pub(super) struct PushDraft {
    /// Without its retry policy, which the job or `defaults` says. Where `to` says whom it goes to, im and target of it say
    /// nothing.
    pub spec: PushSpec,
    /// Boxed, because most pushes go to the one target of their spec.
    pub recipients: Option<Box<Recipients>>,
    pub fallback: Vec<FallbackDraft>,
    /// Whether `spec.timeout` was given, so that the one of `defaults` does not count.
    pub has_timeout: bool,
    pub render: Option<bool>,
    /// Texts that are templates or look like some; most pushes have none.
    pub marks: Vec<Mark>,
    pub places: PushPlaces,
}

/// Where the parts of a push stand that are checked once all accounts are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct PushPlaces {
    pub im: At,
    pub account: At,
    pub target: At,
    pub content: At,
}

/// Targets and where each stands.
pub(super) type Ids = Vec<(Target, Place)>;

/// Whom a push goes to, if not to one target.
#[derive(Debug)]
pub(super) enum Recipients {
    /// Several of the push's own im.
    Targets(Ids),
    /// Names under `targets`, which other files may still define.
    Named(Vec<(String, Place)>),
}

/// Who gets the message of a push that ended badly: names, or ids; without both, the push's own target by the account.
#[derive(Debug)]
pub(super) struct FallbackDraft {
    pub at: Place,
    pub names: Vec<(String, Place)>,
    /// The push's own where there is none.
    pub im: Option<(String, Place)>,
    pub ids: Ids,
    pub account: Option<(String, Place)>,
    pub after: Vec<BadState>,
}

/// A name under `targets`.
#[derive(Clone, Debug)]
pub(super) struct TargetDraft {
    pub name: String,
    pub name_at: Place,
    pub means: Means,
}

#[derive(Clone, Debug)]
pub(super) enum Means {
    Recipients(Box<RecipientDraft>),
    Members(Vec<Member>),
    /// Whom it means was wrong, and told.
    Unknown,
}

/// One of a list of names.
#[derive(Clone, Debug)]
pub(super) enum Member {
    Name(String, Place),
    Recipients(Box<RecipientDraft>),
}

#[derive(Clone, Debug)]
pub(super) struct RecipientDraft {
    pub im: String,
    pub im_at: Place,
    pub ids: Ids,
    pub account: Option<(String, Place)>,
    /// They are read at the hour of a fire; one id stands for all of them.
    pub list: Option<Box<RecipientList>>,
}

impl PushDraft {
    /// What is left to check of it. Names stay behind, to be looked up.
    pub(super) fn into_incomplete(self, file: u16, incomplete: &mut Incomplete) {
        let PushSpec { im, account, target, message, .. } = self.spec;
        let kind = Some(message.body.kind());
        let first = IncompletePush { file, im, account, target: Some(target), kind, places: self.places };
        match self.recipients.map(|recipients| *recipients) {
            None => incomplete.pushes.push(first),
            Some(Recipients::Named(names)) => incomplete.names.extend(names),
            Some(Recipients::Targets(targets)) => incomplete.pushes.extend(targets.into_iter().map(|(target, at)| {
                let places = PushPlaces { target: At { at: at.at, len: at.len }, ..first.places };
                IncompletePush {
                    file,
                    im: first.im.clone(),
                    account: first.account.clone(),
                    target: Some(target),
                    kind,
                    places,
                }
            })),
        }
    }
}

/// An account and where it stands, as far as it can be told: pushes that name a wrong account are not to blame.
#[derive(Clone, Debug)]
pub(super) struct AccountDraft {
    pub id: Option<String>,
    pub im: Option<String>,
    pub spec: Option<&'static SenderSpec>,
    pub is_default: bool,
    /// None where id, im or sender cannot be told, or a credential cannot be seen.
    pub account: Option<Account>,
    pub id_at: Place,
    pub im_at: Place,
    pub default_at: Place,
}

/// The keys of `daemon:` found so far.
#[derive(Debug, Default)]
pub(super) struct DaemonDraft {
    pub seen: HashMap<String, Place>,
    pub database: Option<PathBuf>,
    pub language: Option<Language>,
    pub timezone: Option<String>,
    pub keep_history: Option<Duration>,
    pub max_history_rows: Option<u64>,
    pub max_database_size: Option<u64>,
    pub accounts_fallback: Option<Fallback>,
    pub media_roots: Option<Vec<PathBuf>>,
    pub media_allow_private: Option<bool>,
    pub media_max_bytes: Option<u64>,
    pub content_at_once: Option<usize>,
    pub probe_every: Option<Duration>,
    pub metrics_file: Option<PathBuf>,
    pub metrics: MetricsDraft,
    pub heartbeat: Option<Heartbeat>,
    pub on_failure: Option<OnFailureDraft>,
    pub on_missing_calendar: Option<MissingList>,
    pub reload: Option<ReloadOn>,
    /// Names of variables, and where each stands.
    pub template_env: Vec<(Place, String)>,
    pub web: Option<WebSettings>,
    /// Of these with their values, once they are looked up.
    pub template_values: BTreeMap<String, String>,
}

/// `on_failure` before its push is checked against the accounts.
#[derive(Debug)]
pub(super) struct OnFailureDraft {
    pub file: u16,
    pub push: Option<PushDraft>,
    pub command: Option<Vec<String>>,
    pub as_root: bool,
    pub every: Duration,
}

/// The keys of `defaults:` found so far.
#[derive(Clone, Debug, Default)]
pub(super) struct DefaultsDraft {
    pub seen: HashMap<String, Place>,
    pub retry: RetryKeys,
    pub misfire: MisfireKeys,
    pub timeout: Option<Duration>,
    pub overlap: Option<Overlap>,
    pub dst_gap: Option<DstGap>,
    pub render: Option<bool>,
}

/// The keys of a `retry:` that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct RetryKeys {
    pub max_attempts: Option<u32>,
    pub backoff: Option<Duration>,
    pub factor: Option<f64>,
    pub max_backoff: Option<Duration>,
    pub jitter: Option<f64>,
    pub give_up_after: Option<Duration>,
    pub resend_unknown: Option<bool>,
}

/// The keys of a `misfire:` that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct MisfireKeys {
    pub policy: Option<MisfirePolicy>,
    pub within: Option<Duration>,
    pub grace: Option<Duration>,
    pub max: Option<u32>,
}

/// Parts of wrong jobs and pushes that are checked all the same, so that every problem is told at once.
#[derive(Debug, Default)]
pub(super) struct Incomplete {
    pub jobs: Vec<IncompleteJob>,
    pub pushes: Vec<IncompletePush>,
    /// Names of targets that pushes use.
    pub names: Vec<(String, Place)>,
}

/// What is left to check of a job that is wrong already.
#[derive(Debug)]
pub(super) struct IncompleteJob {
    pub file: u16,
    pub name: Option<(String, Place)>,
    pub schedule: Option<(ScheduleDraft, At)>,
    pub timezone: Option<String>,
}

/// What a push refers to that is wrong in itself and never becomes one: its account and im are checked all the same,
/// so that every problem is told at once.
#[derive(Debug)]
pub(super) struct IncompletePush {
    pub file: u16,
    pub im: String,
    pub account: Option<String>,
    pub target: Option<Target>,
    pub kind: Option<Kind>,
    pub places: PushPlaces,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100,000 of each stand in memory until the last file is read.
    #[test]
    fn drafts_are_no_larger_than_a_hundred_thousand_of_them_may_be() {
        let sizes = (size_of::<PushDraft>(), size_of::<JobDraft>());
        assert!(sizes.0 <= 392 && sizes.1 <= 168, "{sizes:?}");
    }
}
