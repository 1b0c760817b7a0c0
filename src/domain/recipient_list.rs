//! Recipients that are read at the hour of a fire: from a file, an address or a program.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::content::{ContentFrom, ContentSource};

/// A list of recipients of one im, and how its entries are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecipientList {
    #[serde(flatten)]
    pub source: ContentSource,
    pub format: ListFormat,
    /// The column that holds the id. Lines have no columns.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The columns that templates may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// With more the fire fails whole.
    pub at_most: usize,
    /// Its columns may call people and be markup.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted: bool,
    /// Where it cannot be read in the end, it is as it was read last, if that is no longer ago than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_at_most_ms: Option<u64>,
}

impl RecipientList {
    /// A list is no larger.
    pub const LARGEST: u64 = 4 << 20;

    /// What it has to be for one that was read before to stand in for it.
    pub fn key(&self) -> String {
        let list = RecipientList { stale_at_most_ms: None, ..self.clone() };
        // Names, numbers and maps with text keys always become JSON.
        serde_json::to_string(&list).unwrap_or_default()
    }

    /// How it is asked for, as a content is.
    pub fn asked(&self) -> ContentFrom {
        ContentFrom { max_bytes: RecipientList::LARGEST, ..ContentFrom::new(self.source.clone()) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListFormat {
    /// A line of names, and a line for each recipient.
    Csv,
    /// An id a line.
    Lines,
    /// A list of objects, or of ids.
    Json,
}

impl ListFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            ListFormat::Csv => "csv",
            ListFormat::Lines => "lines",
            ListFormat::Json => "json",
        }
    }
}

/// Everybody on a list, once each and in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntries {
    pub entries: Vec<ListEntry>,
    /// How often somebody stood there once more.
    pub doubles: usize,
}

/// One of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    pub id: String,
    /// Those columns that templates may use.
    pub columns: Map<String, Value>,
}
