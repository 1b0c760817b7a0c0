//! How texts that are templates are rendered, as it stands with their push until they are.

use serde::{Deserialize, Serialize};

/// How the texts of a push become what is sent. It stands with the push until its first attempt is opened, and goes with
/// the templates: what was rendered once is never rendered again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendering {
    /// IANA name of the zone in which instants are told.
    #[serde(default = "utc")]
    pub timezone: String,
    /// The digest of the list of days of its job, where its templates ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// The text is what a source made, and no template.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_text: bool,
    /// Its templates ask how often the job has fired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts: bool,
    /// What templates know of the content that a source made for the fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<KnownContent>,
    /// Columns of the lists of recipients; who is on none has nothing in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// They may call people and be markup.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusts_fields: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownContent {
    /// It is JSON, whose parts are known too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub json: bool,
    /// It may call people and be markup.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted: bool,
    /// What was sent before is asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub previous: bool,
}

impl Rendering {
    /// In a zone, and with nothing else that a job would add.
    pub fn in_zone(timezone: &str) -> Rendering {
        Rendering { timezone: timezone.to_owned(), ..Rendering::default() }
    }
}

fn utc() -> String {
    "UTC".to_owned()
}
