//! The keys of the YAML and the words that some of them take. Readers, schema and masks take them from here.

use super::settings::{ReloadOn, WebScope};
use crate::domain::calendar::{MissingList, Shift};
use crate::domain::job::DstGap;
use crate::domain::{
    BadState, ContentFormat, ContentMoment, ListFormat, MisfirePolicy, Overlap, WhenEmpty, WhenUnchanged,
};
use crate::policy::account::Fallback;

pub(super) const TOP_KEYS: [&str; 7] = ["daemon", "accounts", "targets", "jobs", "defaults", "calendars", "include"];

/// Of the script of a simulation.
pub(super) const SCRIPT_KEYS: [&str; 2] = ["latency", "events"];

pub(super) const DAEMON_KEYS: [&str; 24] = [
    "database",
    "timezone",
    "language",
    "keep_history",
    "max_history_rows",
    "max_database_size",
    "accounts_fallback",
    "media_roots",
    "media_allow_private",
    "media_max_bytes",
    "content_at_once",
    "probe_every",
    "metrics_file",
    "metrics_listen",
    "metrics_allow",
    "metrics_token",
    "metrics_token_file",
    "metrics_token_credential",
    "heartbeat",
    "on_failure",
    "on_missing_calendar",
    "template_env",
    "reload",
    "web",
];

pub(super) const HEARTBEAT_KEYS: [&str; 4] = ["url", "url_file", "url_credential", "every"];

pub(super) const WEB_KEYS: [&str; 8] =
    ["listen", "socket_mode", "public_url", "trusted_proxies", "socket_users", "users", "tokens", "max_body"];

pub(super) const WEB_USER_KEYS: [&str; 3] = ["name", "password", "scope"];

pub(super) const WEB_USER_SCOPES: [(&str, WebScope); 2] = [("read", WebScope::Read), ("act", WebScope::Act)];

pub(super) const WEB_TOKEN_KEYS: [&str; 5] = ["name", "sha256", "scope", "to", "per_minute"];

pub(super) const WEB_SCOPES: [(&str, WebScope); 3] =
    [("read", WebScope::Read), ("act", WebScope::Act), ("push", WebScope::Push)];

pub(super) const ON_FAILURE_KEYS: [&str; 4] = ["push", "command", "as_root", "every"];

pub(super) const DEFAULTS_KEYS: [&str; 6] = ["retry", "misfire", "timeout", "overlap", "dst_gap", "render"];

/// Keys that every account may have.
pub(super) const ACCOUNT_KEYS: [&str; 6] = ["id", "im", "sender", "default", "concurrency", "min_interval"];

/// What a job has one of.
pub(super) const SCHEDULE_KEYS: [&str; 4] = ["cron", "every", "at", "on_demand"];

pub(super) const JOB_KEYS: [&str; 24] = [
    "name",
    "cron",
    "every",
    "at",
    "on_demand",
    "timezone",
    "enabled",
    "push",
    "content_from",
    "retry",
    "misfire",
    "overlap",
    "dst_gap",
    "from",
    "until",
    "max_fires",
    "workdays",
    "only",
    "except",
    "also",
    "shift",
    "nth",
    "on_missing_calendar",
    "render",
];

/// Whether a job may have it.
pub(crate) fn is_job_key(key: &str) -> bool {
    JOB_KEYS.contains(&key)
}

/// Those of a job that say something about days.
pub(super) const DAY_KEYS: [&str; 7] = ["workdays", "only", "except", "also", "shift", "nth", "on_missing_calendar"];

pub(super) const CALENDAR_KEYS: [&str; 14] = [
    "calendar",
    "version",
    "based_on",
    "covers",
    "weekend",
    "rest",
    "work",
    "every_year",
    "years",
    "ics",
    "url",
    "every",
    "old_after",
    "work_if",
];

pub(super) const CALENDAR_YEAR_KEYS: [&str; 3] = ["rest", "work", "workdays"];

pub(super) const COVERS_KEYS: [&str; 3] = ["from", "until", "settled_until"];

pub(super) const SHIFTS: [(&str, Shift); 3] =
    [("none", Shift::None), ("next", Shift::Next), ("previous", Shift::Previous)];

pub(super) const MISSING_LISTS: [(&str, MissingList); 3] =
    [("weekdays", MissingList::Weekdays), ("skip", MissingList::Skip), ("hold", MissingList::Hold)];

/// Of a fallback of a push.
pub(super) const FALLBACK_KEYS: [&str; 6] = ["to", "im", "group", "user", "account", "after"];

pub(super) const BAD_STATES: [(&str, BadState); 3] =
    [("failed", BadState::Failed), ("expired", BadState::Expired), ("unknown", BadState::Unknown)];

/// Of whom a name under `targets` means.
pub(super) const TARGET_KEYS: [&str; 6] = ["im", "group", "user", "account", "from", "at_most"];

/// Of a list of recipients.
pub(super) const LIST_KEYS: [&str; 13] = [
    "csv",
    "lines",
    "json",
    "command",
    "format",
    "user",
    "group",
    "fields",
    "env",
    "as_root",
    "trusted",
    "stale",
    "stale_at_most",
];

pub(super) const LIST_FORMATS: [(&str, ListFormat); 3] =
    [("csv", ListFormat::Csv), ("lines", ListFormat::Lines), ("json", ListFormat::Json)];

/// Of an address that is asked for a content or a list.
pub(super) const CONTENT_HTTP_KEYS: [&str; 4] = ["url", "headers_file", "expect", "allow_private"];

pub(super) const CONTENT_KEYS: [&str; 18] = [
    "command",
    "env",
    "as_root",
    "http",
    "file",
    "max_age",
    "timeout",
    "max_bytes",
    "attempts",
    "backoff",
    "format",
    "trusted",
    "empty",
    "unchanged",
    "stale",
    "stale_at_most",
    "at",
    "lead",
];

pub(super) const CONTENT_FORMATS: [(&str, ContentFormat); 2] =
    [("text", ContentFormat::Text), ("json", ContentFormat::Json)];

pub(super) const EMPTIES: [(&str, WhenEmpty); 3] =
    [("skip", WhenEmpty::Skip), ("fail", WhenEmpty::Fail), ("send", WhenEmpty::Send)];

pub(super) const UNCHANGED: [(&str, WhenUnchanged); 2] = [("send", WhenUnchanged::Send), ("skip", WhenUnchanged::Skip)];

/// When a content is made.
pub(super) const CONTENT_MOMENTS: [(&str, ContentMoment); 2] =
    [("instant", ContentMoment::Instant), ("release", ContentMoment::Release)];

/// What is taken where a source fails in the end.
pub(super) const STALES: [(&str, bool); 2] = [("fail", false), ("last_good", true)];

/// Contents that are made at once.
pub(super) const MOST_CONTENTS: u64 = 64;

/// A content is a text, and no file.
pub(super) const LARGEST_CONTENT: u64 = 1 << 20;

pub(super) const RETRY_KEYS: [&str; 7] =
    ["max_attempts", "backoff", "factor", "max_backoff", "jitter", "give_up_after", "resend_unknown"];

pub(super) const MISFIRE_KEYS: [&str; 4] = ["policy", "within", "grace", "max"];

/// Keys of a media mapping and their spellings.
pub(super) const MEDIA_KEYS: [&str; 8] =
    ["source", "filename", "fileName", "file_name", "mime_type", "mimeType", "caption", "cover"];

/// What `source` is called too, in an item that tells its type.
pub(super) const SOURCES: [&str; 4] = ["source", "url", "path", "file"];

pub(super) const FALLBACKS: [(&str, Fallback); 2] =
    [("any", Fallback::CannotSend), ("no_default", Fallback::NoDefault)];

pub(super) const RELOADS: [(&str, ReloadOn); 2] = [("signal", ReloadOn::Signal), ("watch", ReloadOn::Watch)];

pub(super) const OVERLAPS: [(&str, Overlap); 3] =
    [("allow", Overlap::Allow), ("skip", Overlap::Skip), ("replace", Overlap::Replace)];

pub(super) const DST_GAPS: [(&str, DstGap); 2] = [("fire", DstGap::Fire), ("skip", DstGap::Skip)];

pub(super) const MISFIRE_POLICIES: [(&str, MisfirePolicy); 3] =
    [("skip", MisfirePolicy::Skip), ("latest", MisfirePolicy::Latest), ("all", MisfirePolicy::All)];

pub(super) const MOST_FIRES: u64 = 1_000_000_000;

pub(super) const MOST_ATTEMPTS: u64 = 1000;

pub(super) const MOST_CAUGHT_UP: u64 = 10_000;

/// Of one push.
pub(super) const MOST_RECIPIENTS: usize = 10_000;

/// Of one push to one recipient.
pub(super) const MOST_FALLBACKS: usize = 20;
