//! What the running daemon counts, as Prometheus reads it. Counters begin at zero with each process.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::Mutex;
use std::time::Duration;

use super::job_counts::{JobCounts, MOST, OTHERS};
use crate::domain::{Decision, LATE, Locked, PushState, UtcMs, late_bucket, version};
use crate::engine::observer::EngineEvent;

const DECISIONS: [Decision; 3] = [Decision::Fired, Decision::Skipped, Decision::Missed];
const ENDS: [PushState; 5] =
    [PushState::Sent, PushState::Failed, PushState::Unknown, PushState::Expired, PushState::Cancelled];
const OUTCOMES: [&str; 7] = ["sent", "rejected", "target_gone", "account_down", "throttled", "unreachable", "unknown"];

/// The counters.
#[derive(Default)]
pub(super) struct Metrics(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    fires: [u64; DECISIONS.len()],
    /// By im and account; pushes that ended without an attempt have the empty account.
    accounts: BTreeMap<String, BTreeMap<String, OfAccount>>,
    jobs: JobCounts<{ ENDS.len() }>,
    late: [u64; LATE.len()],
    late_count: u64,
    late_ms: u128,
}

#[derive(Default)]
struct OfAccount {
    /// None: not known yet.
    up: Option<bool>,
    attempts: [u64; OUTCOMES.len()],
    ends: [u64; ENDS.len()],
}

/// What is asked for when numbers are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauges {
    pub started_at: UtcMs,
    pub jobs: usize,
    pub next_due_at: Option<UtcMs>,
    /// When the files were read last, and whether they are what runs.
    pub last_reload: Option<(UtcMs, bool)>,
    /// The last round of the timer.
    pub tick_at: Option<UtcMs>,
    pub open_pushes: usize,
    /// None: the database did not answer.
    pub unknown_pushes: Option<u64>,
    /// The files of the database together.
    pub database_bytes: Option<u64>,
    pub disk_free_bytes: Option<u64>,
    /// Lines of the log that nobody read in time.
    pub log_lines_lost: u64,
}

impl Metrics {
    /// Counts one event.
    pub(super) fn count(&self, event: EngineEvent<'_>) {
        let mut counts = self.0.locked();
        match event {
            EngineEvent::Fires { decision, count } => bump(&mut counts.fires, &DECISIONS, decision, count),
            EngineEvent::Attempt { im, account, outcome, lateness } => {
                bump(&mut counts.of(im, account).attempts, &OUTCOMES, outcome.as_str(), 1);
                if let Some(lateness) = lateness {
                    counts.late(lateness);
                }
            }
            EngineEvent::Ended { job, im, account, state } => {
                if let Some(job) = job {
                    bump(counts.jobs.of(job), &ENDS, state, 1);
                }
                bump(&mut counts.of(im, account.unwrap_or_default()).ends, &ENDS, state, 1);
            }
            EngineEvent::Account { im, account, health } => {
                counts.of(im, account).up = (!health.never_probed()).then(|| !health.is_down());
            }
        }
    }

    /// Accounts that left the configuration are neither up nor down; what they did stays counted.
    pub(super) fn keep_accounts(&self, is_there: impl Fn(&str) -> bool) {
        let mut counts = self.0.locked();
        for (account, of) in counts.accounts.values_mut().flatten() {
            of.up = of.up.filter(|_| is_there(account));
        }
    }

    /// The jobs of the files, in their order. Each is there with zeros before anything happened to it, without which nobody
    /// could tell that it was never sent.
    pub(super) fn set_jobs<'a>(&self, jobs: impl IntoIterator<Item = &'a str>) {
        self.0.locked().jobs.configure(jobs);
    }

    /// All numbers in Prometheus' text format 0.0.4.
    pub(super) fn text(&self, gauges: &Gauges) -> String {
        let counts = self.0.locked();
        let mut page = Page::default();
        page.family("build_info", "gauge", "The version that runs, and the commit that it was built from.");
        page.line("build_info", &[("version", version::VERSION), ("commit", version::COMMIT)], 1);
        page.single("start_time_seconds", "When the daemon started.", Some(seconds(gauges.started_at)));
        page.single(
            "beat_time_seconds",
            "When the timer last looked for due fires while the dispatcher made its rounds.",
            gauges.tick_at.map(seconds),
        );
        let (at, ok) = gauges.last_reload.unzip();
        let help = "Whether the files that were read last, at the start or a reload, are what runs.";
        page.single("last_reload_ok", help, ok.map(u8::from));
        page.single("last_reload_time_seconds", "When the files were read last.", at.map(seconds));
        page.single("jobs", "Jobs of the configuration.", Some(gauges.jobs));
        let next = gauges.next_due_at.map(seconds);
        page.single("next_due_time_seconds", "When the timer has something to do next.", next);
        page.single("open_pushes", "Pushes that are pending, sending or retrying.", Some(gauges.open_pushes));
        let unknown = gauges.unknown_pushes;
        page.single("unknown_pushes", "Pushes in the history that are unknown and not resolved.", unknown);
        page.single("database_bytes", "The database with its log.", gauges.database_bytes);
        let free = gauges.disk_free_bytes;
        page.single("disk_free_bytes", "What the daemon may still write beside its database.", free);
        page.family("log_lines_lost_total", "counter", "Log lines dropped while nobody read them.");
        page.line("log_lines_lost_total", &[], gauges.log_lines_lost);
        counts.write(&mut page);
        page.0
    }
}

fn bump<K: PartialEq, const N: usize>(counters: &mut [u64; N], keys: &[K; N], key: K, by: u64) {
    if let Some(index) = keys.iter().position(|known| *known == key) {
        counters[index] += by;
    }
}

impl Counts {
    fn of(&mut self, im: &str, account: &str) -> &mut OfAccount {
        // Looked up twice, so that the usual case makes no new text.
        if self.accounts.get(im).is_none_or(|of_im| !of_im.contains_key(account)) {
            self.accounts.entry(im.to_owned()).or_default().insert(account.to_owned(), OfAccount::default());
        }
        self.accounts.entry(im.to_owned()).or_default().entry(account.to_owned()).or_default()
    }

    fn late(&mut self, lateness: Duration) {
        let ms = lateness.as_millis();
        self.late_count += 1;
        self.late_ms += ms;
        // What is later than every bound is in the count alone.
        if let Some(count) = self.late.get_mut(late_bucket(u64::try_from(ms).unwrap_or(u64::MAX))) {
            *count += 1;
        }
    }

    fn each(&self) -> impl Iterator<Item = (&str, &str, &OfAccount)> {
        self.accounts
            .iter()
            .flat_map(|(im, accounts)| accounts.iter().map(move |(account, of)| (im.as_str(), account.as_str(), of)))
    }

    fn write(&self, page: &mut Page) {
        page.family("fires_total", "counter", "Instants that schedules called for, by what was decided.");
        for (decision, count) in DECISIONS.iter().zip(self.fires) {
            page.line("fires_total", &[("decision", decision.as_str())], count);
        }
        page.family("pushes_total", "counter", "Pushes that came to their end, by state; account of the last attempt.");
        for (im, account, of) in self.each() {
            for (state, count) in ENDS.iter().zip(of.ends) {
                page.line("pushes_total", &[("state", state.as_str()), ("im", im), ("account", account)], count);
            }
        }
        let help =
            format!("Pushes of jobs that came to their end, by state. {MOST} jobs are named, the others are {OTHERS}.");
        // Not `job`: that is how Prometheus calls whatever it reads from.
        page.family("job_pushes_total", "counter", &help);
        for (job, ends) in self.jobs.each() {
            for (state, count) in ENDS.iter().zip(ends) {
                page.line("job_pushes_total", &[("job_name", job), ("state", state.as_str())], count);
            }
        }
        page.family("attempts_total", "counter", "Attempts, by what they learned.");
        for (im, account, of) in self.each().filter(|(_, account, _)| !account.is_empty()) {
            for (outcome, count) in OUTCOMES.iter().zip(of.attempts) {
                page.line("attempts_total", &[("outcome", outcome), ("im", im), ("account", account)], count);
            }
        }
        page.family("account_up", "gauge", "Whether the account is logged in and may send, as far as it can tell.");
        for (im, account, of) in self.each() {
            if let Some(up) = of.up {
                page.line("account_up", &[("im", im), ("account", account)], u8::from(up));
            }
        }
        page.family("lateness_seconds", "histogram", "From the instant of a fire to the start of its first attempt.");
        let mut below = 0;
        for (bound, count) in LATE.iter().zip(self.late) {
            below += count;
            page.line("lateness_seconds_bucket", &[("le", &(*bound as f64 / 1000.0).to_string())], below);
        }
        page.line("lateness_seconds_bucket", &[("le", "+Inf")], self.late_count);
        page.line("lateness_seconds_sum", &[], self.late_ms as f64 / 1000.0);
        page.line("lateness_seconds_count", &[], self.late_count);
    }
}

fn seconds(at: UtcMs) -> f64 {
    at.0 as f64 / 1000.0
}

/// A text in the making. Writing to memory cannot fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP pushcron_{name} {help}\n# TYPE pushcron_{name} {kind}");
    }

    fn single(&mut self, name: &str, help: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.family(name, "gauge", help);
            self.line(name, &[], value);
        }
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "pushcron_{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Health, Outcome};

    #[test]
    fn everything_that_happened_is_counted_once() {
        let metrics = Metrics::default();
        metrics.count(EngineEvent::Fires { decision: Decision::Fired, count: 3 });
        metrics.count(EngineEvent::Fires { decision: Decision::Missed, count: 40 });
        let attempt = |outcome: &Outcome, ms: Option<u64>| {
            let lateness = ms.map(Duration::from_millis);
            metrics.count(EngineEvent::Attempt { im: "qq", account: "bot", outcome, lateness });
        };
        attempt(&Outcome::Throttled { wait: None }, Some(7));
        attempt(&Outcome::Sent, None);
        attempt(&Outcome::Unknown, Some(2_000));
        metrics.set_jobs(["早报", "quiet"]);
        metrics
            .count(EngineEvent::Ended { job: Some("早报"), im: "qq", account: Some("bot"), state: PushState::Sent });
        metrics.count(EngineEvent::Ended {
            job: Some("a\"b\\c"),
            im: "a\"b\\c\nd",
            account: None,
            state: PushState::Expired,
        });
        let down = Health { online: Some(false), checked_at: Some(UtcMs(1)), ..Health::default() };
        metrics.count(EngineEvent::Account { im: "qq", account: "bot", health: &down });
        metrics.count(EngineEvent::Account { im: "qq", account: "new", health: &Health::default() });
        let gauges = Gauges { started_at: UtcMs(1_500), jobs: 2, unknown_pushes: Some(9), ..Gauges::default() };
        let text = metrics.text(&gauges);
        for line in [
            "pushcron_fires_total{decision=\"fired\"} 3",
            "pushcron_fires_total{decision=\"skipped\"} 0",
            "pushcron_fires_total{decision=\"missed\"} 40",
            "pushcron_attempts_total{outcome=\"throttled\",im=\"qq\",account=\"bot\"} 1",
            "pushcron_attempts_total{outcome=\"unreachable\",im=\"qq\",account=\"bot\"} 0",
            "pushcron_pushes_total{state=\"sent\",im=\"qq\",account=\"bot\"} 1",
            "pushcron_pushes_total{state=\"expired\",im=\"a\\\"b\\\\c\\nd\",account=\"\"} 1",
            "pushcron_job_pushes_total{job_name=\"早报\",state=\"sent\"} 1",
            "pushcron_job_pushes_total{job_name=\"quiet\",state=\"sent\"} 0",
            "pushcron_job_pushes_total{job_name=\"a\\\"b\\\\c\",state=\"expired\"} 1",
            "pushcron_job_pushes_total{job_name=\"/other\",state=\"sent\"} 0",
            "pushcron_account_up{im=\"qq\",account=\"bot\"} 0",
            "pushcron_lateness_seconds_bucket{le=\"0.01\"} 1",
            "pushcron_lateness_seconds_bucket{le=\"1\"} 1",
            "pushcron_lateness_seconds_bucket{le=\"5\"} 2",
            "pushcron_lateness_seconds_bucket{le=\"+Inf\"} 2",
            "pushcron_lateness_seconds_sum 2.007",
            "pushcron_lateness_seconds_count 2",
            "pushcron_start_time_seconds 1.5",
            "pushcron_jobs 2",
            "pushcron_unknown_pushes 9",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        // A value that is not known has no line.
        assert!(!text.contains("account_up{im=\"qq\",account=\"new\"}"), "{text}");
        assert!(!text.contains("next_due_time_seconds"), "{text}");
        assert!(!text.contains("outcome=\"sent\",im=\"a"), "{text}");

        metrics.keep_accounts(|account| account != "bot");
        assert!(!metrics.text(&gauges).contains("account_up{"));
    }

    /// Every sample belongs to the family above it, and every family is told once.
    #[test]
    fn the_text_keeps_to_the_format() {
        let metrics = Metrics::default();
        metrics.count(EngineEvent::Ended { job: None, im: "qq", account: Some("bot"), state: PushState::Sent });
        let all = Gauges {
            next_due_at: Some(UtcMs(1)),
            tick_at: Some(UtcMs(1)),
            last_reload: Some((UtcMs(1), false)),
            unknown_pushes: Some(1),
            database_bytes: Some(1),
            disk_free_bytes: Some(1),
            ..Gauges::default()
        };
        let text = metrics.text(&all);
        let (mut family, mut families) = ("", Vec::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(!families.contains(&name), "{name} twice");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                families.push(name);
                family = name;
            } else if !line.starts_with('#') {
                assert!(line.starts_with(family), "{line} is not of {family}");
                let (_, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        assert_eq!(families.len(), 18);
        assert!(text.ends_with('\n'));
    }
}
