//! Lists of days that lie at addresses: fetched in their time, judged, and kept in the database. One that says something new is
//! taken by a reload, as if somebody had written its file. A fetch that fails takes nothing away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::Options;
use crate::acts::surroundings;
use crate::clock::SharedClock;
use crate::config::{self, FetchedSource, ImportError, TakenList};
use crate::domain::{Calendar, UtcMs};
use crate::engine::push_media::PushMedia;
use crate::media::Wants;
use crate::senders::specs;
use crate::store::{FetchedCalendar, NoteFetch, SharedStore};

/// No list of days is larger.
const LARGEST: u64 = 1 << 20;
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// At least so often it is looked at what is due: the clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// After a failure it is tried again no later than after this.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);
const TELL_OLD_EVERY: Duration = Duration::from_secs(86_400);

/// The task that fetches.
pub(super) struct Fetching {
    task: JoinHandle<()>,
    sources: Arc<Mutex<Vec<FetchedSource>>>,
    wake: Arc<Notify>,
    changed: Arc<Notify>,
}

impl Fetching {
    pub(super) fn start(
        options: &Options,
        sources: Vec<FetchedSource>,
        store: &SharedStore,
        clock: &SharedClock,
        media: &Arc<PushMedia>,
    ) -> Fetching {
        let (sources, wake, changed) = (Arc::new(Mutex::new(sources)), Arc::default(), Arc::default());
        let fetcher = Fetcher {
            options: options.clone(),
            sources: sources.clone(),
            wake: Arc::clone(&wake),
            changed: Arc::clone(&changed),
            store: store.clone(),
            clock: clock.clone(),
            media: media.clone(),
            told_old: HashMap::new(),
        };
        Fetching { task: tokio::spawn(fetcher.run()), sources, wake, changed }
    }

    /// After a reload.
    pub(super) fn set(&self, sources: Vec<FetchedSource>) {
        *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = sources;
        self.wake.notify_one();
    }

    /// Comes back once a list says something new, which takes a reload.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

struct Fetcher {
    options: Options,
    sources: Arc<Mutex<Vec<FetchedSource>>>,
    wake: Arc<Notify>,
    changed: Arc<Notify>,
    store: SharedStore,
    clock: SharedClock,
    media: Arc<PushMedia>,
    /// When the age of a list was told last.
    told_old: HashMap<String, UtcMs>,
}

impl Fetcher {
    async fn run(mut self) {
        loop {
            let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if !sources.is_empty() {
                self.round(&sources).await;
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = self.clock.sleep(LOOK_EVERY), if !sources.is_empty() => {}
            }
        }
    }

    async fn round(&mut self, sources: &[FetchedSource]) {
        // While the database cannot be read nothing could be kept either.
        let Ok(known) = self.store.fetched_calendars().await else { return };
        for source in sources {
            let known = known.iter().find(|known| known.name == source.name);
            if let Some(known) = known {
                self.tell_age(source, known);
            }
            if is_due(source, known, self.clock.now()) {
                self.fetch(source).await;
            }
        }
    }

    async fn fetch(&mut self, source: &FetchedSource) {
        let FetchedSource { name, url, .. } = source;
        let came = match self.taken(source).await {
            Ok(None) => Ok(None),
            Ok(Some(list)) => {
                tell_new(name, &list, self.clock.now());
                Ok(Some(list.text))
            }
            Err(problem) => {
                warn!(calendar = name, problem, "a list of days could not be fetched, and stays as it is");
                Err(problem)
            }
        };
        let is_new = matches!(came, Ok(Some(_)));
        let fetch = NoteFetch { name: name.clone(), url: url.clone(), came };
        match self.store.note_fetch(fetch, self.clock.now()).await {
            Ok(()) if is_new => self.changed.notify_one(),
            Ok(()) => {}
            Err(problem) => warn!(calendar = name, %problem, "a list of days cannot be kept, and is fetched again"),
        }
    }

    /// What was fetched, if it says something new and nothing stands against it.
    async fn taken(&self, source: &FetchedSource) -> Result<Option<TakenList>, String> {
        let bytes = tokio::select! {
            bytes = self.media.fetched(&source.url, Wants::default(), LARGEST) => bytes?,
            () = self.clock.sleep(TIME_LIMIT) => {
                return Err(format!("it took longer than {} s", TIME_LIMIT.as_secs()));
            }
        };
        let (Options { config: paths, database }, now) = (self.options.clone(), self.clock.now());
        let name = source.name.clone();
        let judge = move || {
            let around = || surroundings(&paths, database.as_ref(), now);
            config::take_fetched(&paths, &name, &bytes, &specs(), &around)
        };
        let judged = tokio::task::spawn_blocking(judge).await.map_err(|broken| broken.to_string())?;
        judged.map_err(|error| match error {
            ImportError::Objection(objection) => objection,
            ImportError::Refused(errors) => errors.to_string(),
        })
    }

    /// Once a day, of a list that could not be fetched for long.
    fn tell_age(&mut self, source: &FetchedSource, known: &FetchedCalendar) {
        let (name, now) = (&source.name, self.clock.now());
        let is_old = known.good_at.is_some_and(|at| at + source.old_after < now);
        let told = self.told_old.get(name).is_some_and(|at| now.since(*at) < TELL_OLD_EVERY && *at <= now);
        if is_old && !told {
            let (problem, good_at) = (known.error.as_deref(), known.good_at.map(tracing::field::display));
            error!(calendar = name, problem, good_at, "a list of days is old: it could not be fetched since then");
            self.told_old.insert(name.clone(), now);
        }
    }
}

/// Also where the last try lies ahead, since the clock was put back.
fn is_due(source: &FetchedSource, known: Option<&FetchedCalendar>, now: UtcMs) -> bool {
    let Some(known) = known else { return true };
    let every = if known.error.is_some() { source.every.min(AGAIN_AFTER) } else { source.every };
    known.url != source.url || known.tried_at > now || known.tried_at + every <= now
}

/// So that people see what changes, and on which days.
fn tell_new(calendar: &str, list: &TakenList, now: UtcMs) {
    let covers = list.after.covers.map(|covers| format!("{} to {}", covers.from, covers.until));
    let today = now.to_jiff().to_zoned(TimeZone::system()).date();
    let changed = list.before.as_ref().map(|before| changes(before, &list.after, today).join(", "));
    info!(
        calendar,
        version = list.after.version,
        covers,
        changed,
        "a list of days was fetched and is used from now on"
    );
}

/// The first days to come that are judged otherwise than before.
fn changes(before: &Calendar, after: &Calendar, today: Date) -> Vec<String> {
    const TOLD: usize = 10;
    let until = [before, after].into_iter().filter_map(|list| list.covers).map(|covers| covers.until).max();
    let days = std::iter::successors(Some(today), |day| day.tomorrow().ok());
    let days = days.take_while(|day| until.is_some_and(|until| *day <= until));
    let changed = days.filter(|day| before.is_workday(*day) != after.is_workday(*day));
    changed.take(TOLD).map(|day| format!("{day} {}", if after.is_workday(day) { "worked" } else { "off" })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn source(url: &str) -> FetchedSource {
        FetchedSource { name: "a".to_owned(), url: url.to_owned(), every: DAY, old_after: 7 * DAY }
    }

    #[test]
    fn a_list_is_due_in_its_time_sooner_after_a_failure_and_at_once_at_another_address() {
        let known = |tried_ms: i64, error: Option<&str>| FetchedCalendar {
            name: "a".to_owned(),
            url: "https://a.example".to_owned(),
            list: None,
            good_at: None,
            tried_at: UtcMs(tried_ms),
            error: error.map(str::to_owned),
        };
        let (here, now) = (source("https://a.example"), UtcMs(1_800_000_000_000));
        let hours_ago = |hours: i64| now.0 - hours * 3_600_000;
        assert!(is_due(&here, None, now));
        assert!(!is_due(&here, Some(&known(hours_ago(23), None)), now));
        assert!(is_due(&here, Some(&known(hours_ago(24), None)), now));
        assert!(!is_due(&here, Some(&known(hours_ago(0), Some("down"))), now));
        assert!(is_due(&here, Some(&known(hours_ago(1), Some("down"))), now));
        assert!(is_due(&source("https://b.example"), Some(&known(hours_ago(0), None)), now));
        assert!(is_due(&here, Some(&known(hours_ago(-5), None)), now), "the clock was put back");
    }
}
