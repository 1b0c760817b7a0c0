//! What summer time does to a fire, in words.

use std::fmt;

use jiff::civil::DateTime;
use serde::{Serialize, Serializer};

use crate::texts::{self, Text};

/// What summer time does to one fire, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DstNote {
    /// A fixed-time job's hour does not exist; it fires at the first instant after the gap.
    MovedTo {
        missing: DateTime,
        fires: DateTime,
    },
    /// A time before this fire does not exist, and the job does not make up for it.
    Left {
        missing: DateTime,
    },
    /// The clock shows this time twice.
    FirstOfTwo(DateTime),
    SecondOfTwo(DateTime),
}

impl DstNote {
    /// In words.
    pub(crate) fn text(&self) -> Text {
        match self {
            DstNote::MovedTo { missing, fires } => texts::dst_moved(clock(*missing), missing.date(), clock(*fires)),
            DstNote::Left { missing } => texts::dst_left(clock(*missing), missing.date()),
            DstNote::FirstOfTwo(at) => texts::dst_first_of_two(clock(*at)),
            DstNote::SecondOfTwo(at) => texts::dst_second_of_two(clock(*at)),
        }
    }
}

impl fmt::Display for DstNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().english())
    }
}

impl Serialize for DstNote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Hours and minutes, with seconds where there are any.
fn clock(at: DateTime) -> String {
    let text = at.time().strftime("%H:%M:%S").to_string();
    text.strip_suffix(":00").unwrap_or(&text).to_owned()
}
