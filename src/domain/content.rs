//! Where the content of a job's pushes comes from, where it is made anew for each fire.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::templating::Rendering;
use super::time::duration_ms;

/// `content_from` of a job: what makes the content, and how far that is waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentFrom {
    #[serde(flatten)]
    pub source: ContentSource,
    #[serde(with = "duration_ms", rename = "timeout_ms", default = "ContentFrom::timeout")]
    pub timeout: Duration,
    /// More than this is no content.
    #[serde(default = "ContentFrom::max_bytes")]
    pub max_bytes: u64,
    /// How often the source is asked for one fire, where it fails.
    #[serde(default = "ContentFrom::attempts")]
    pub attempts: u32,
    #[serde(with = "duration_ms", rename = "backoff_ms", default = "ContentFrom::backoff")]
    pub backoff: Duration,
    #[serde(default, skip_serializing_if = "ContentFormat::is_text")]
    pub format: ContentFormat,
    /// What templates take of it may call people and be markup.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted: bool,
    #[serde(default)]
    pub empty: WhenEmpty,
    #[serde(default)]
    pub unchanged: WhenUnchanged,
    /// Where the source fails in the end, what it said last is taken, if that is no older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_at_most_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "ContentMoment::is_instant")]
    pub at: ContentMoment,
    /// So long before its instant the content is made.
    #[serde(with = "duration_ms", rename = "lead_ms", default)]
    pub lead: Duration,
}

impl ContentFrom {
    pub const fn timeout() -> Duration {
        Duration::from_secs(30)
    }

    pub const fn max_bytes() -> u64 {
        65_536
    }

    pub const fn attempts() -> u32 {
        2
    }

    pub const fn backoff() -> Duration {
        Duration::from_secs(10)
    }

    /// With the built-in values.
    pub fn new(source: ContentSource) -> ContentFrom {
        ContentFrom {
            source,
            timeout: ContentFrom::timeout(),
            max_bytes: ContentFrom::max_bytes(),
            attempts: ContentFrom::attempts(),
            backoff: ContentFrom::backoff(),
            format: ContentFormat::default(),
            trusted: false,
            empty: WhenEmpty::default(),
            unchanged: WhenUnchanged::default(),
            stale_at_most_ms: None,
            at: ContentMoment::default(),
            lead: Duration::ZERO,
        }
    }
}

/// When a content is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentMoment {
    /// At the instant of its fire, or so long before.
    #[default]
    Instant,
    /// Once the first of its pushes could go out: it has an account that can send, and its turn.
    Release,
}

impl ContentMoment {
    fn is_instant(&self) -> bool {
        *self == ContentMoment::Instant
    }
}

/// What is asked for the content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentSource {
    /// A program and its arguments: what it prints.
    Command(ContentCommand),
    /// What lies at an address.
    Http(ContentHttp),
    /// What stands in a file.
    File(ContentFile),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentCommand {
    pub argv: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub as_root: bool,
    /// Where its arguments are templates: how they are rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render: Option<Rendering>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentHttp {
    pub url: String,
    /// Its lines are headers that go along. Read whenever the address is asked: what stands there may be a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_file: Option<PathBuf>,
    /// The statuses whose body is the content; those of success where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<u16>,
    /// It may lie at an address that only this machine reaches.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_private: bool,
}

impl ContentHttp {
    /// As anybody may ask it.
    pub fn plain(url: String) -> ContentHttp {
        ContentHttp { url, headers_file: None, expect: Vec::new(), allow_private: false }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentFile {
    pub path: PathBuf,
    /// An older file is no content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
}

impl ContentSource {
    /// How old the last good answer may be that stands in for a failed one, if nothing else is said.
    pub const STALE_AT_MOST_MS: u64 = 24 * 3_600_000;

    /// In words, without what may be secret: arguments and the path of an address.
    pub fn describe(&self) -> String {
        match self {
            ContentSource::Command(command) => {
                let program = command.argv.first().map(String::as_str).unwrap_or_default();
                format!("command {program}")
            }
            ContentSource::Http(http) => {
                let (scheme, rest) = http.url.split_once("://").unwrap_or(("https", &http.url));
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                format!("address at {scheme}://{}", host.rsplit('@').next().unwrap_or_default())
            }
            ContentSource::File(file) => {
                let age = file.max_age_ms.map(|ms| format!(", at most {} s old", ms / 1000));
                format!("file {}{}", file.path.display(), age.unwrap_or_default())
            }
        }
    }
}

/// What a source says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentFormat {
    #[default]
    Text,
    /// Templates know its parts.
    Json,
}

impl ContentFormat {
    fn is_text(&self) -> bool {
        *self == ContentFormat::Text
    }
}

/// What becomes of a fire whose source had nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenEmpty {
    #[default]
    Skip,
    Fail,
    Send,
}

/// What becomes of a push whose target was sent the same content the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenUnchanged {
    #[default]
    Send,
    Skip,
}

/// What a source came to, in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentOutcome {
    Made,
    Empty,
    Failed,
}

impl ContentOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            ContentOutcome::Made => "made",
            ContentOutcome::Empty => "empty",
            ContentOutcome::Failed => "failed",
        }
    }
}
