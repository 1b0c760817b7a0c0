//! What pushcron says while it works: one event, one line, whatever foreign text is in it.
//!
//! People get `time LEVEL message key=value`, the journal gets the same line plus each key as a field to select by
//! (`journalctl PUSHCRON_PUSH=12`), programs get a JSON object a line. Our own events show from info, those of
//! libraries from warn.

mod fields;
mod journald;
mod line;

use std::io::{IsTerminal, Write};

use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::SharedClock;
use crate::domain::UtcMs;
use fields::Fields;
use journald::Journal;

/// In which form events leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The journal's when standard error goes to it, else the one for people.
    #[default]
    Auto,
    Human,
    Json,
    Journald,
}

impl Format {
    /// The words of `--log-format`, in the order of help texts.
    pub const WORDS: [&'static str; 4] = ["auto", "human", "json", "journald"];

    pub fn parse(word: &str) -> Option<Format> {
        match word {
            "auto" => Some(Format::Auto),
            "human" => Some(Format::Human),
            "json" => Some(Format::Json),
            "journald" => Some(Format::Journald),
            _ => None,
        }
    }
}

/// Starts logging for the whole process. `verbosity` counts steps above (`-v`) or below (`-q`) info; RUST_LOG, where
/// it is set, wins over it.
///
/// # Errors
///
/// In words, when the journal was asked for and does not answer, or RUST_LOG cannot be read.
pub fn init(format: Format, verbosity: i8, clock: SharedClock) -> Result<(), String> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => {
            EnvFilter::try_new(&directives).map_err(|error| format!("RUST_LOG: {error}"))?
        }
        _ => EnvFilter::new(directives(verbosity)),
    };
    let sink = Sink::open(format)?;
    tracing_subscriber::registry()
        .with(Lines { clock, sink }.with_filter(filter))
        .try_init()
        .map_err(|error| error.to_string())
}

fn directives(verbosity: i8) -> &'static str {
    match verbosity {
        ..=-2 => "error",
        -1 => "warn",
        0 => "warn,pushcron=info",
        1 => "warn,pushcron=debug",
        2 => "info,pushcron=trace",
        3.. => "trace",
    }
}

/// Where events go, and how they look there.
enum Sink {
    Human { colours: bool },
    Json,
    Journal(Journal),
}

impl Sink {
    fn open(format: Format) -> Result<Sink, String> {
        let human = || Sink::Human { colours: std::io::stderr().is_terminal() && !no_colour() };
        match format {
            Format::Human => Ok(human()),
            Format::Json => Ok(Sink::Json),
            Format::Journald => {
                Journal::open().map(Sink::Journal).map_err(|error| format!("systemd's journal: {error}"))
            }
            // A journal that does not answer is no reason to be silent: lines on stderr reach it as well.
            Format::Auto if journald::owns_stderr() => Ok(Journal::open().map_or_else(|_| human(), Sink::Journal)),
            Format::Auto => Ok(human()),
        }
    }
}

/// <https://no-color.org>: set and not empty.
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// One event with all that is known about it.
struct Record<'a> {
    at: UtcMs,
    level: Level,
    target: &'a str,
    fields: Fields,
}

struct Lines {
    clock: SharedClock,
    sink: Sink,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.add_outer(outer);
            }
        }
        let metadata = event.metadata();
        let record = Record { at: self.clock.now(), level: *metadata.level(), target: metadata.target(), fields };
        let line = match &self.sink {
            Sink::Journal(journal) => return journal.send(&record),
            Sink::Human { colours } => line::human(&record, *colours),
            Sink::Json => line::json(&record),
        };
        // One write for the whole line, so that lines of several threads never mix. There is nobody left to tell
        // when stderr itself is gone.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_verbosity_is_a_filter_that_parses() {
        for verbosity in -3..=4 {
            EnvFilter::try_new(directives(verbosity)).unwrap();
        }
    }
}
