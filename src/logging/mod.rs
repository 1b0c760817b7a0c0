//! What pushcron says while it works: one event, one line, whatever foreign text is in it.
//!
//! People get `time LEVEL message key=value`, the journal gets the same line plus each key as a field to select by
//! (`journalctl PUSHCRON_PUSH=12`), programs get a JSON object a line. Our own events show from info, those of
//! libraries from warn.
//!
//! The daemon has its lines written by a thread of their own, so that nobody who stops reading stops a push.

mod fields;
mod journald;
mod line;
mod outlet;
mod record;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::SharedClock;
use crate::domain::UtcMs;
use fields::Fields;
use journald::Journal;
pub use outlet::Hand;
use outlet::{Outlet, Output};
use record::Record;

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

/// The thread's queue, where there is one.
static OUTLET: OnceLock<Outlet> = OnceLock::new();

/// The form of lines that only programs read, once it was asked for.
static FOR_PROGRAMS: OnceLock<(Arc<Sink>, SharedClock)> = OnceLock::new();

/// How long the end of the process waits for lines that are not written yet.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Has everything that waits written, but waits for no reader that does not come.
pub fn flush() {
    if let Some(outlet) = OUTLET.get() {
        outlet.flush(LAST_WORDS);
    }
}

/// Writes why the process ends on standard error, behind what was logged before it: a text for people, or a line as the
/// others where programs read them.
pub fn tell(text: &str) {
    let output = match FOR_PROGRAMS.get() {
        Some((sink, clock)) => Output::Line(sink.line(&record_of(Level::ERROR, text, Vec::new(), clock.now()))),
        None => Output::Plain(format!("{text}\n")),
    };
    match (OUTLET.get(), output) {
        (Some(outlet), output) => outlet.put(output),
        (None, Output::Line(text)) => to_stderr(&text),
        (None, Output::Plain(text)) => to_stderr(text.as_bytes()),
    }
}

/// Lines that were dropped since the start, since nobody read.
pub fn lost_lines() -> u64 {
    OUTLET.get().map_or(0, Outlet::lost)
}

/// One write for the whole line, so that lines of several threads never mix. There is nobody left to tell when standard
/// error itself is gone.
fn to_stderr(line: &[u8]) {
    let _ = std::io::stderr().write_all(line);
}

/// Starts logging for the whole process. `verbosity` counts steps above (`-v`) or below (`-q`) info; RUST_LOG, where
/// it is set, wins over it.
///
/// # Errors
///
/// In words, when the journal was asked for and does not answer, or RUST_LOG cannot be read.
pub fn init(format: Format, verbosity: i8, hand: Hand, clock: SharedClock) -> Result<(), String> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => {
            EnvFilter::try_new(&directives).map_err(|error| format!("RUST_LOG: {error}"))?
        }
        _ => EnvFilter::new(directives(verbosity)),
    };
    let lines = Lines { clock, sink: Arc::new(Sink::open(format, hand)?), outlet: None };
    if format == Format::Json {
        let _ = FOR_PROGRAMS.set((lines.sink.clone(), lines.clock.clone()));
    }
    let lines = match hand {
        Hand::Own => lines,
        Hand::Thread => lines.with_thread().map_err(|error| format!("cannot start threads: {error}"))?,
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init().map_err(|error| error.to_string())
}

fn directives(verbosity: i8) -> &'static str {
    match verbosity {
        ..=-2 => "error",
        -1 => "warn",
        0 => "warn,pushcron=info",
        1 => "warn,pushcron=debug",
        // How the library that runs our duties goes about it helps nobody.
        2 => "info,pushcron=trace,tokio_cron_scheduler=warn",
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
    fn open(format: Format, hand: Hand) -> Result<Sink, String> {
        let human = || Sink::Human { colours: std::io::stderr().is_terminal() && !no_colour() };
        let journal = || Journal::open(hand);
        match format {
            Format::Human => Ok(human()),
            Format::Json => Ok(Sink::Json),
            Format::Journald => journal().map(Sink::Journal).map_err(|error| format!("systemd's journal: {error}")),
            // A journal that does not answer is no reason to be silent: lines on stderr reach it as well.
            Format::Auto if journald::owns_stderr() => Ok(journal().map_or_else(|_| human(), Sink::Journal)),
            Format::Auto => Ok(human()),
        }
    }

    fn line(&self, record: &Record) -> Vec<u8> {
        match self {
            Sink::Journal(_) => journald::datagram(record),
            Sink::Human { colours } => line::human(record, *colours).into_bytes(),
            Sink::Json => line::json(record).into_bytes(),
        }
    }

    fn write(&self, output: &Output) {
        match (self, output) {
            (Sink::Journal(journal), Output::Line(datagram)) => journal.send(datagram),
            (_, Output::Line(line)) => to_stderr(line),
            (_, Output::Plain(text)) => to_stderr(text.as_bytes()),
        }
    }
}

/// <https://no-color.org>: set and not empty.
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

struct Lines {
    clock: SharedClock,
    sink: Arc<Sink>,
    /// Where a thread writes them.
    outlet: Option<Outlet>,
}

impl Lines {
    /// Gives the writing to a thread, and the last words of panics too: the default hook would wait for whoever reads
    /// standard error, and with it whoever waits for the task that panicked.
    fn with_thread(self) -> std::io::Result<Lines> {
        let Lines { clock, sink, .. } = self;
        let (form, at) = (sink.clone(), clock.clone());
        let tell = move |lost| Output::Line(form.line(&lines_lost(lost, at.now())));
        let writer = sink.clone();
        let started = Outlet::start(tell, move |output| writer.write(output))?;
        let outlet = OUTLET.get_or_init(|| started).clone();
        let (last_words, form, at) = (outlet.clone(), sink.clone(), clock.clone());
        std::panic::set_hook(Box::new(move |info| {
            last_words.put(Output::Line(form.line(&panicked(info, at.now()))));
        }));
        Ok(Lines { clock, sink, outlet: Some(outlet) })
    }

    fn put(&self, record: &Record) {
        let line = Output::Line(self.sink.line(record));
        match &self.outlet {
            Some(outlet) => outlet.put(line),
            None => self.sink.write(&line),
        }
    }
}

/// A record of our own, beside `tracing`, which is not to be called from within itself or from a panic.
fn record_of(level: Level, message: &str, rest: Vec<(&'static str, Value)>, at: UtcMs) -> Record<'static> {
    Record { at, level, target: "pushcron::logging", fields: Fields { message: message.to_owned(), rest } }
}

fn lines_lost(lost: u64, at: UtcMs) -> Record<'static> {
    record_of(Level::WARN, "log lines were dropped while nobody read them", vec![("lost", lost.into())], at)
}

fn panicked(info: &PanicHookInfo<'_>, at: UtcMs) -> Record<'static> {
    let said = info.payload();
    let said = said.downcast_ref::<&str>().copied().or(said.downcast_ref::<String>().map(String::as_str));
    let said = said.unwrap_or("nothing that can be shown");
    let mut rest = vec![("said", Value::from(said))];
    rest.extend(info.location().map(|place| ("place", place.to_string().into())));
    rest.extend(std::thread::current().name().map(|name| ("thread", name.into())));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        rest.push(("backtrace", backtrace.to_string().into()));
    }
    record_of(Level::ERROR, "panicked (a bug of pushcron)", rest, at)
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
        self.put(&record);
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
