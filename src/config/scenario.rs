//! The script of a simulation: what happens to accounts, to the daemon and to its clock, each problem with its place.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::configuration::Config;
use super::decoder::Decoder;
use super::environment::LoadEnvironment;
use super::jobs::{is_told, written};
use super::keys::SCRIPT_KEYS;
use super::loader::Loader;
use super::mask::SecretKeys;
use super::problem::ConfigErrors;
use super::text::{quoted, shown};
use super::yaml::{At, Entry, Node, Value};
use crate::domain::{Outcome, SenderSpec, UtcMs};
use crate::policy::schedule::instant_of;
use crate::texts;

const EVENT_KEYS: [&str; 13] =
    ["from", "until", "for", "at", "account", "im", "is", "answers", "share", "inbound", "daemon", "clock", "why"];
/// How long a platform takes to answer where the script says nothing.
const LATENCY: Duration = Duration::from_millis(300);
/// Nobody waits longer than this for a platform, nor sets a clock by more.
const LONGEST_LATENCY: Duration = Duration::from_secs(600);

/// What a simulation is to live through.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// How long platforms take to answer; by the names of senders where they differ.
    pub latency: Duration,
    pub latency_of: BTreeMap<String, Duration>,
    pub events: Vec<Scripted>,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario { latency: LATENCY, latency_of: BTreeMap::new(), events: Vec::new() }
    }
}

/// A stretch of time by a clock that is right, whatever the daemon's own one shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: UtcMs,
    /// Exclusive.
    pub until: UtcMs,
}

impl Span {
    pub fn contains(&self, at: UtcMs) -> bool {
        self.from <= at && at < self.until
    }
}

/// How an account is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is logged out: it refuses what is sent.
    Down,
    /// Its platform cannot be reached.
    Unreachable,
    /// Its platform takes what is sent and never answers.
    Silent,
}

/// Whose sends an answer is given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Account(String),
    Im(String),
    All,
}

/// How a daemon comes to be away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Stopped in peace.
    Off,
    /// Killed in the middle of whatever it did.
    Killed,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Scripted {
    Account {
        span: Span,
        account: String,
        trouble: Trouble,
    },
    /// `share` of the sends in this time are answered so.
    Answers {
        span: Span,
        scope: Scope,
        answer: Outcome,
        share: f64,
    },
    Inbound {
        at: UtcMs,
        account: String,
    },
    Daemon {
        span: Span,
        absence: Absence,
    },
    Clock {
        at: UtcMs,
        by_ms: i64,
    },
}

/// Reads the script of a simulation of this configuration. Times without an offset are by the clock of the daemon's zone.
///
/// # Errors
/// Every problem of the file at once.
pub fn scenario(
    path: &Path,
    config: &Config,
    specs: &[&'static SenderSpec],
    environment: &LoadEnvironment,
) -> Result<Scenario, ConfigErrors> {
    let (mut loader, mut scenario) = (Loader::new(environment, specs), Scenario::default());
    if let Some(file) = loader.read_file(path) {
        let at = (&*shown(path), &*environment.working_directory);
        loader.only_node(at, &file.text, |decoder, node| {
            // An empty file: nothing happens.
            let is_script = !node.is_null();
            is_script.then(|| Script { decoder, config, specs, scenario: &mut scenario }.read(node))
        });
    }
    loader.diagnostics.finish(&loader.sources, &SecretKeys::of_script(specs)).map(|_| scenario)
}

struct Script<'a, 'r> {
    decoder: &'a mut Decoder<'r>,
    config: &'a Config,
    specs: &'a [&'static SenderSpec],
    scenario: &'a mut Scenario,
}

/// The keys of one event that are there.
#[derive(Default)]
struct Event {
    from: Option<UtcMs>,
    until: Option<UtcMs>,
    length: Option<Duration>,
    at: Option<UtcMs>,
    account: Option<String>,
    im: Option<String>,
    trouble: Option<Trouble>,
    answer: Option<Outcome>,
    share: Option<f64>,
    inbound: Option<String>,
    absence: Option<Absence>,
    clock: Option<i64>,
}

impl Script<'_, '_> {
    fn read(&mut self, node: &Node) {
        for entry in self.decoder.map(texts::a_script(), node).unwrap_or_default() {
            match &*entry.key {
                "latency" => self.latency(&entry.node),
                "events" => self.events(entry),
                _ => self.decoder.unknown_key(entry, texts::a_script(), SCRIPT_KEYS),
            }
        }
    }

    fn latency(&mut self, node: &Node) {
        if let Value::Scalar(_) = node.value() {
            self.scenario.latency = self.one_latency("latency", node).unwrap_or(LATENCY);
            return;
        }
        for entry in self.decoder.map("latency", node).unwrap_or_default() {
            let known = self.specs.iter().any(|spec| spec.name == entry.key);
            if !known && entry.key != "default" {
                let names = self.specs.iter().map(|spec| spec.name).chain(["default"]);
                self.decoder.unknown_key(entry, texts::names_of_senders(), names.collect::<Vec<_>>());
                continue;
            }
            let Some(latency) = self.one_latency(&entry.key, &entry.node) else { continue };
            match known {
                true => drop(self.scenario.latency_of.insert(entry.key.clone().into_owned(), latency)),
                false => self.scenario.latency = latency,
            }
        }
    }

    fn one_latency(&mut self, key: &str, node: &Node) -> Option<Duration> {
        let latency = self.decoder.duration(key, node)?;
        if latency > LONGEST_LATENCY {
            self.decoder.wrong(key, node, texts::at_most_ten_minutes());
        }
        Some(latency)
    }

    fn events(&mut self, entry: &Entry) {
        let Value::List(nodes) = entry.node.value() else {
            self.decoder.wrong("events", &entry.node, texts::a_list());
            return;
        };
        for node in nodes {
            let event = self.event(node);
            self.scenario.events.extend(event);
        }
    }

    fn event(&mut self, node: &Node) -> Option<Scripted> {
        let errors = self.decoder.diagnostics.error_count();
        let mut event = Event::default();
        for entry in self.decoder.map(texts::an_event(), node)? {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "from" => event.from = self.instant(key, value),
                "until" => event.until = self.instant(key, value),
                "at" => event.at = self.instant(key, value),
                "for" => event.length = self.decoder.duration_from(key, value, Duration::from_secs(1)),
                "account" => event.account = self.account(key, value),
                "inbound" => event.inbound = self.account(key, value),
                "im" => event.im = self.im(value),
                "is" => event.trouble = self.decoder.choice(key, value, &TROUBLES),
                "answers" => event.answer = self.answer(value),
                "share" => event.share = self.decoder.float(key, value, 0.0, 1.0),
                "daemon" => event.absence = self.decoder.choice(key, value, &ABSENCES),
                "clock" => event.clock = self.step(value),
                // For people.
                "why" => drop(self.decoder.text(key, value)),
                _ => self.decoder.unknown_key(entry, texts::an_event(), EVENT_KEYS),
            }
        }
        if self.decoder.diagnostics.error_count() > errors {
            return None;
        }
        let scripted = self.scripted(event, node.at);
        if scripted.is_none() && self.decoder.diagnostics.error_count() == errors {
            self.decoder.error(node.at, texts::event_is_one_of()).hint(texts::event_with_its_time());
        }
        scripted
    }

    fn scripted(&mut self, event: Event, at: At) -> Option<Scripted> {
        let Event { account, im, trouble, answer, share, inbound, absence, clock, .. } = &event;
        let kinds = [trouble.is_some(), answer.is_some(), inbound.is_some(), absence.is_some(), clock.is_some()];
        if kinds.into_iter().filter(|there| *there).count() != 1 {
            return None;
        }
        if share.is_some() && answer.is_none() || im.is_some() && answer.is_none() {
            return None;
        }
        if let (Some(account), Some(at)) = (inbound, event.at) {
            return Some(Scripted::Inbound { at, account: account.clone() });
        }
        if let (Some(by_ms), Some(at)) = (clock, event.at) {
            return Some(Scripted::Clock { at, by_ms: *by_ms });
        }
        let span = self.span(&event, at)?;
        match (account, im) {
            _ if absence.is_some() => Some(Scripted::Daemon { span, absence: (*absence)? }),
            (Some(account), None) if trouble.is_some() => {
                Some(Scripted::Account { span, account: account.clone(), trouble: (*trouble)? })
            }
            (account, im) if answer.is_some() => {
                let scope = match (account, im) {
                    (Some(account), _) => Scope::Account(account.clone()),
                    (None, Some(im)) => Scope::Im(im.clone()),
                    (None, None) => Scope::All,
                };
                Some(Scripted::Answers { span, scope, answer: answer.clone()?, share: share.unwrap_or(1.0) })
            }
            _ => None,
        }
    }

    fn span(&mut self, event: &Event, at: At) -> Option<Span> {
        let from = event.from?;
        let until = match (event.until, event.length) {
            (Some(until), None) => until,
            (None, Some(length)) => from + length,
            _ => return None,
        };
        if until <= from {
            self.decoder.error(at, texts::event_ends_early(from));
            return None;
        }
        Some(Span { from, until })
    }

    /// A date and a time in the daemon's zone, or an instant with its offset.
    fn instant(&mut self, key: &str, node: &Node) -> Option<UtcMs> {
        let zone = &self.config.daemon.timezone;
        let instant = self.decoder.parsed(key, node, texts::a_date_and_time(), |text| {
            let text = text.trim();
            if !text.contains(':') {
                return None;
            }
            match text.parse::<jiff::Timestamp>() {
                Ok(instant) => Some(UtcMs::from(instant)),
                Err(_) if text.contains(['Z', 'z', '+', '[']) => None,
                Err(_) => instant_of(text.parse().ok()?, zone).ok(),
            }
        })?;
        if !is_told(instant.to_jiff().to_zoned(TimeZone::UTC).date()) {
            self.decoder.error(node.at, texts::outside_the_years(key, quoted(written(node))));
            return None;
        }
        Some(instant)
    }

    fn account(&mut self, key: &str, node: &Node) -> Option<String> {
        let id = self.decoder.text(key, node)?.into_owned();
        let known = || self.config.accounts.iter().map(|account| account.id.as_str());
        if known().any(|known| known == id) {
            return Some(id);
        }
        let message = texts::no_account_of(key, quoted(&id));
        self.decoder.error(node.at, message).near(&id, known());
        None
    }

    fn im(&mut self, node: &Node) -> Option<String> {
        let im = self.decoder.text("im", node)?.into_owned();
        let known = || self.config.accounts.iter().map(|account| account.im.as_str());
        if known().any(|known| known == im) {
            return Some(im);
        }
        let message = texts::no_account_of_im(quoted(&im));
        self.decoder.error(node.at, message).near(&im, known());
        None
    }

    /// An outcome's word, or `{throttled: 30s}`.
    fn answer(&mut self, node: &Node) -> Option<Outcome> {
        let Value::Map(entries) = node.value() else {
            let word = self.decoder.choice("answers", node, &ANSWERS.map(|(word, _)| (word, word)))?;
            return ANSWERS.into_iter().find(|(known, _)| *known == word).map(|(_, outcome)| outcome);
        };
        match &entries[..] {
            [Entry { key: Cow::Borrowed("throttled"), node, .. }] => {
                let wait = self.decoder.duration("throttled", node)?;
                Some(Outcome::Throttled { wait: Some(wait) })
            }
            _ => {
                self.decoder.error(node.at, texts::answers_form());
                None
            }
        }
    }

    /// `-2h`, `+30m`: what is added to what the clock shows.
    fn step(&mut self, node: &Node) -> Option<i64> {
        self.decoder.parsed("clock", node, texts::a_step(), |text| {
            let (sign, length) = match text.split_at_checked(1)? {
                ("-", length) => (-1, length),
                ("+", length) => (1, length),
                _ => (1, text),
            };
            Some(sign * i64::try_from(crate::domain::length(length)?.as_millis()).ok()?)
        })
    }
}

const TROUBLES: [(&str, Trouble); 3] =
    [("down", Trouble::Down), ("unreachable", Trouble::Unreachable), ("silent", Trouble::Silent)];
const ABSENCES: [(&str, Absence); 2] = [("off", Absence::Off), ("killed", Absence::Killed)];
const ANSWERS: [(&str, Outcome); 7] = [
    ("sent", Outcome::Sent),
    ("rejected", Outcome::Rejected),
    ("target_gone", Outcome::TargetGone),
    ("account_down", Outcome::AccountDown),
    ("throttled", Outcome::Throttled { wait: None }),
    ("unreachable", Outcome::Unreachable),
    ("unknown", Outcome::Unknown),
];
