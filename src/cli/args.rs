//! Arguments that verbs share.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, ValueHint};

use super::render::Screen;
use crate::domain::length;
use crate::logging;
use crate::texts;

/// What every verb understands, before or after its name.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// A YAML file or a directory of them; may be repeated [default: $PUSHCRON_CONFIG, else /etc/pushcron]
    #[arg(short, long, global = true, value_name = "PATH", value_hint = ValueHint::AnyPath, help_heading = "Everywhere")]
    pub config: Vec<PathBuf>,
    /// The database, instead of the one that the files name
    #[arg(long, global = true, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Everywhere")]
    pub db: Option<PathBuf>,
    /// Say more on standard error; twice for still more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
    /// Say less on standard error; twice for errors only
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose", help_heading = "Everywhere")]
    pub quiet: u8,
    /// The form of log lines; $RUST_LOG chooses which
    #[arg(long, global = true, value_name = "FORMAT", default_value = "auto", value_parser = log_format(), hide_default_value = true, help_heading = "Everywhere")]
    pub log_format: logging::Format,
}

fn log_format() -> impl TypedValueParser<Value = logging::Format> {
    PossibleValuesParser::new(logging::Format::WORDS).map(|word| logging::Format::parse(&word).unwrap_or_default())
}

/// The value of any option that is a length of time: what the files take, by the same words where it is none.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    length(text).ok_or_else(|| format!("expected {}", texts::a_duration().english()))
}

/// How rows are shown.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct Show {
    /// A JSON array of objects, with the columns of the database's view
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// CSV with the same columns
    #[arg(long)]
    pub csv: bool,
    /// Times in UTC instead of the job's zone (JSON and CSV always have UTC)
    #[arg(long)]
    pub utc: bool,
    /// Every column, and nothing cut, however wide the screen is
    #[arg(long)]
    pub wide: bool,
}

impl Show {
    /// Whether a program reads the rows.
    pub(super) fn for_programs(self) -> bool {
        self.json || self.csv
    }

    /// The place where a table for people goes.
    pub(super) fn screen(self) -> Screen {
        let screen = Screen::of_stdout();
        if self.wide { screen.without_bounds() } else { screen }
    }
}
