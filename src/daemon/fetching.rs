//! Lists of days that lie at addresses: fetched in their time, judged, and kept in the database. One that says something new is
//! taken by a reload, as if somebody had written its file. A fetch that fails takes nothing away.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{error, info, warn};

use super::Options;
use crate::acts::surroundings;
use crate::clock::SharedClock;
use crate::config::{self, FetchedSource, ImportError, TakenList};
use crate::domain::{Calendar, Locked, UtcMs};
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
/// So many servers are asked at once: those that hang leave room for the others, and nobody's network is filled.
const AT_ONCE: usize = 8;

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
            taking: tokio::sync::Mutex::default(),
        };
        Fetching { task: tokio::spawn(Arc::new(fetcher).run()), sources, wake, changed }
    }

    /// After a reload.
    pub(super) fn set(&self, sources: Vec<FetchedSource>) {
        *self.sources.locked() = sources;
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
    /// Lists are judged and kept one by one: each by the whole configuration, which has those before it.
    taking: tokio::sync::Mutex<()>,
}

/// The lists that are due, and those that are asked for now.
#[derive(Default)]
struct UnderWay {
    waiting: VecDeque<(FetchedSource, Option<FetchedCalendar>)>,
    /// Waiting or asked for, by name.
    names: HashSet<String>,
    asked: JoinSet<String>,
}

impl Fetcher {
    async fn run(self: Arc<Self>) {
        // Whatever ends this task ends all that it began.
        let mut under_way = UnderWay::default();
        loop {
            let sources = self.sources.locked().clone();
            if !sources.is_empty() {
                self.look(&sources, &mut under_way).await;
            }
            let mut next_look = self.clock.sleep(LOOK_EVERY);
            loop {
                self.begin(&mut under_way);
                tokio::select! {
                    () = self.wake.notified() => break,
                    () = &mut next_look, if !sources.is_empty() => break,
                    Some(ended) = under_way.asked.join_next() => {
                        let Ok(name) = ended else {
                            // A bug, which the panic told of; nobody knows whose it was, so the next look asks all again.
                            under_way = UnderWay::default();
                            break;
                        };
                        under_way.names.remove(&name);
                    }
                }
            }
        }
    }

    /// Looks at what is due.
    async fn look(&self, sources: &[FetchedSource], under_way: &mut UnderWay) {
        // While the database cannot be read nothing could be kept either.
        let Ok(known) = self.store.fetched_calendars().await else { return };
        for source in sources {
            let known = known.iter().find(|known| known.name == source.name);
            if is_due(source, known, self.clock.now()) && under_way.names.insert(source.name.clone()) {
                under_way.waiting.push_back((source.clone(), known.cloned()));
            }
        }
    }

    /// Asks for as many as may be asked for at once. None waits for another one, which may hang.
    fn begin(self: &Arc<Self>, under_way: &mut UnderWay) {
        while under_way.asked.len() < AT_ONCE
            && let Some((source, known)) = under_way.waiting.pop_front()
        {
            let fetcher = self.clone();
            under_way.asked.spawn(async move {
                fetcher.fetch(&source, known.as_ref()).await;
                source.name
            });
        }
    }

    async fn fetch(&self, source: &FetchedSource, known: Option<&FetchedCalendar>) {
        let FetchedSource { name, url, .. } = source;
        let bytes = self.bytes(source).await;
        let _one_by_one = self.taking.lock().await;
        let taken = match bytes {
            Ok(bytes) => self.judged(source, bytes).await,
            Err(problem) => Err(problem),
        };
        let came = match taken {
            Ok(None) => Ok(None),
            Ok(Some(list)) => {
                tell_new(name, &list, self.clock.now());
                Ok(Some(list.text))
            }
            Err(problem) => {
                warn!(calendar = name, problem, "a list of days could not be fetched, and stays as it is");
                if let Some(known) = known
                    && is_to_be_told(source, known, self.clock.now())
                {
                    let good_at = known.good_at.map(tracing::field::display);
                    error!(
                        calendar = name,
                        problem, good_at, "a list of days is old: it could not be fetched since then"
                    );
                }
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

    async fn bytes(&self, source: &FetchedSource) -> Result<Vec<u8>, String> {
        tokio::select! {
            bytes = self.media.fetched(&source.url, Wants::default(), LARGEST) => bytes,
            () = self.clock.sleep(TIME_LIMIT) => Err(format!("it took longer than {} s", TIME_LIMIT.as_secs())),
        }
    }

    /// What was fetched, if it says something new and nothing stands against it.
    async fn judged(&self, source: &FetchedSource, bytes: Vec<u8>) -> Result<Option<TakenList>, String> {
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
}

/// Whether a failure now is the first one of a day of the age of the list. Days are counted from when it became old, and what
/// was told before follows from the try before: so it holds over restarts, and nothing is told before a try that goes well.
fn is_to_be_told(source: &FetchedSource, known: &FetchedCalendar, now: UtcMs) -> bool {
    let day_of = |at: UtcMs| {
        let old_since = known.good_at? + source.old_after;
        (at >= old_since).then(|| at.since(old_since).as_millis() / TELL_OLD_EVERY.as_millis())
    };
    // A try without an error was the good one, and told nothing.
    let told = known.error.as_ref().and_then(|_| day_of(known.tried_at));
    day_of(now) > told
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

    fn known(tried_at: UtcMs, error: Option<&str>) -> FetchedCalendar {
        FetchedCalendar {
            name: "a".to_owned(),
            url: "https://a.example".to_owned(),
            list: None,
            good_at: None,
            tried_at,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn the_age_of_a_list_is_told_by_the_first_failure_of_each_day_that_it_is_old() {
        let (here, good) = (source("https://a.example"), UtcMs(1_800_000_000_000));
        let after = |hours: u32| good + Duration::from_secs(3600) * hours;
        let week = 7 * 24;
        let told = |before: Option<u32>, now: u32| {
            let tried = known(before.map_or(good, after), before.map(|_| "down"));
            is_to_be_told(&here, &FetchedCalendar { good_at: Some(good), ..tried }, after(now))
        };
        assert!(!told(None, week - 1), "not yet old");
        assert!(told(None, week) && told(Some(week - 1), week), "now it is");
        assert!(!told(Some(week), week + 1) && !told(Some(week + 1), week + 23), "the same day");
        assert!(told(Some(week + 23), week + 24) && told(Some(week + 1), week + 90), "another day");
        assert!(!told(Some(week + 24), week + 2), "the clock was put back");
        assert!(told(None, week + 50), "it was away until now");
        assert!(!is_to_be_told(&here, &known(good, Some("down")), after(week + 1)), "there never was a list");
    }

    #[test]
    fn a_list_is_due_in_its_time_sooner_after_a_failure_and_at_once_at_another_address() {
        let known = |tried_ms: i64, error: Option<&str>| known(UtcMs(tried_ms), error);
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
