//! Makes the contents of fires whose job has them made (`content_from`), reads their lists of recipients, and has the pushes
//! of these fires written.
//!
//! A fire waits in the store until its pushes are there, which are written with the content in one transaction. Whoever is
//! killed before that asks the source again; afterwards nobody does. Neither the timer nor the dispatcher waits for a
//! source.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{Id, JoinHandle, JoinSet};
use tracing::{error, info, warn};

use crate::clock::SharedClock;
use crate::domain::content::{ContentCommand, ContentFile};
use crate::domain::{
    ContentFrom, ContentSource, Facts, ListEntries, PushSpec, Reason, RecipientList, Render, Target, Trigger, UtcMs,
};
use crate::engine::core::Event;
use crate::engine::push_media::PushMedia;
use crate::policy::content::{Answer, Said, Verdict, answer, asks_again, of_program, verdict};
use crate::policy::hold::{Hold, hold};
use crate::policy::recipients::entries;
use crate::policy::schedule::ScheduleCache;
use crate::program::{self, Program};
use crate::store::{Expand, Expansion, MadeContent, MadeList, SharedStore, Unexpanded};

/// How long the database is left alone after it could not be read or written.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Holds are looked at so often at least.
const LOOK_AT_HOLDS: Duration = Duration::from_secs(60);

/// The task that makes contents.
pub struct Preparer {
    work: Work,
    notify: Arc<Notify>,
    at_once: Arc<AtomicUsize>,
    /// Fires whose content is being made.
    under_way: HashMap<Id, i64>,
    /// When the first of those that wait for a list of days waits no more.
    held_until: Option<UtcMs>,
}

/// A preparer that runs.
pub struct Preparing {
    task: JoinHandle<()>,
    notify: Arc<Notify>,
    at_once: Arc<AtomicUsize>,
    renderer: Arc<Mutex<Arc<dyn Render>>>,
}

impl Preparing {
    /// Arguments are rendered by this from now on.
    pub fn set_renderer(&self, renderer: Arc<dyn Render>) {
        *self.renderer.lock().unwrap_or_else(PoisonError::into_inner) = renderer;
    }

    /// To be told whenever fires may wait.
    pub fn notify(&self) -> Arc<Notify> {
        self.notify.clone()
    }

    /// So many sources are asked at once.
    pub fn set_at_once(&self, at_once: usize) {
        self.at_once.store(at_once, Ordering::Relaxed);
        self.notify.notify_one();
    }

    /// Returns only where it broke down.
    pub async fn ended(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Ends whatever runs; the next start asks these sources again.
    pub fn stop(&self) {
        self.task.abort();
    }
}

/// What it takes to make one.
#[derive(Clone)]
struct Work {
    store: SharedStore,
    clock: SharedClock,
    media: Arc<PushMedia>,
    dispatcher: mpsc::UnboundedSender<Event>,
    renderer: Arc<Mutex<Arc<dyn Render>>>,
}

impl Preparer {
    pub fn new(
        store: SharedStore,
        clock: SharedClock,
        media: Arc<PushMedia>,
        dispatcher: mpsc::UnboundedSender<Event>,
        renderer: Arc<dyn Render>,
    ) -> Preparer {
        let work = Work { store, clock, media, dispatcher, renderer: Arc::new(Mutex::new(renderer)) };
        let at_once = Arc::new(AtomicUsize::new(1));
        Preparer { work, notify: Arc::default(), at_once, under_way: HashMap::new(), held_until: None }
    }

    /// Begins, with so many sources at a time until another number is set.
    pub fn start(self, at_once: usize) -> Preparing {
        self.at_once.store(at_once, Ordering::Relaxed);
        let (notify, at_once) = (self.notify.clone(), self.at_once.clone());
        let renderer = self.work.renderer.clone();
        Preparing { task: tokio::spawn(self.run()), notify, at_once, renderer }
    }

    /// Takes up what an earlier process left, and goes on with what it is told of, until it is dropped, with whatever runs.
    async fn run(mut self) {
        let mut tasks: JoinSet<()> = JoinSet::new();
        let (notify, clock) = (self.notify.clone(), self.work.clock.clone());
        loop {
            let is_down = !self.take_up(&mut tasks).await;
            tokio::select! {
                () = notify.notified() => {}
                Some(ended) = tasks.join_next_with_id() => {
                    let id = match ended {
                        Ok((id, ())) => id,
                        Err(broken) => {
                            error!(%broken, "making a content broke down (a bug of pushcron): it is begun anew");
                            clock.sleep(STORE_PAUSE).await;
                            broken.id()
                        }
                    };
                    self.under_way.remove(&id);
                }
                () = clock.sleep(STORE_PAUSE), if is_down => {}
                () = clock.sleep(self.hold_lasts()), if self.held_until.is_some() => {}
            }
        }
    }

    /// Begins with all that waits, as far as there is room. Returns whether the database could be read.
    async fn take_up(&mut self, tasks: &mut JoinSet<()>) -> bool {
        let Ok(waiting) = self.work.store.unexpanded().await else { return false };
        let (now, mut schedules) = (self.work.clock.now(), ScheduleCache::default());
        self.held_until = None;
        for fire in waiting {
            let end = match hold_of(&fire, now, &mut schedules) {
                Hold::Until(until) => {
                    self.held_until = Some(self.held_until.map_or(until, |first| first.min(until)));
                    continue;
                }
                Hold::Free => None,
                Hold::Unwanted(reason) => Some(Expansion::Cancel(reason)),
                Hold::Over => Some(Expansion::Expire(Reason::NoCalendar)),
            };
            if self.under_way.len() >= self.at_once.load(Ordering::Relaxed).max(1) {
                break;
            }
            if !self.under_way.values().any(|id| *id == fire.fire_id) {
                let fire_id = fire.fire_id;
                let task = tasks.spawn(self.work.clone().prepare(fire, end));
                self.under_way.insert(task.id(), fire_id);
            }
        }
        true
    }

    /// How long to wait before holds are looked at again: not to the end of one in one go, since the clock may be set.
    fn hold_lasts(&self) -> Duration {
        let left = self.held_until.map(|until| until.since(self.work.clock.now())).unwrap_or_default();
        left.clamp(STORE_PAUSE, LOOK_AT_HOLDS)
    }
}

/// What holds a fire of the schedule. One by hand is not held, nor is one that cannot be sent any more.
fn hold_of(fire: &Unexpanded, now: UtcMs, schedules: &mut ScheduleCache) -> Hold {
    match &fire.definition {
        Ok(definition) if fire.triggered_by == Trigger::Cron && !fire.is_removed => {
            hold(definition, fire.present.as_ref(), fire.due_at, now, schedules)
        }
        _ => Hold::Free,
    }
}

/// What came of a source that was asked until it answered, or as often as it may be.
struct Asked<T> {
    answer: Result<T, String>,
    attempts: u32,
    began_at: UtcMs,
    exit_code: Option<i32>,
    /// What a program said beside.
    said: Option<String>,
}

impl Work {
    /// Has the pushes of a fire written. `end` says how they end that waited for a list in vain.
    async fn prepare(self, fire: Unexpanded, end: Option<Expansion>) {
        let fire_id = fire.fire_id;
        let nothing = |then| Expand { fire_id, content: None, lists: Vec::new(), lists_of: Vec::new(), then };
        let definition = match &fire.definition {
            Ok(_) if fire.is_removed => return self.expand(nothing(Expansion::Cancel(Reason::JobRemoved))).await,
            Ok(definition) => definition,
            Err(problem) => {
                let Unexpanded { job, due_at, .. } = &fire;
                error!(%job, %due_at, problem, "what a job pushes cannot be read; its fire sends nothing");
                return self.expand(nothing(Expansion::Fail(Reason::Content))).await;
            }
        };
        if let Some(then) = end {
            if matches!(then, Expansion::Expire(_)) {
                let Unexpanded { job, due_at, .. } = &fire;
                warn!(%job, %due_at, "no list of days came in time (on_missing_calendar: hold): its pushes expire");
            }
            return self.expand(nothing(then)).await;
        }
        let (content, then) = match &definition.content_from {
            Some(content) => {
                let (made, then) = self.make(content, &fire).await;
                (Some(made), then)
            }
            None => (None, Expansion::Send { unless_unchanged: false }),
        };
        let mut expand = Expand { content, ..nothing(then) };
        if let Expansion::Send { .. } = then {
            self.read_lists(&definition.push, &fire, &mut expand).await;
        }
        self.expand(expand).await;
    }

    async fn make(&self, content: &ContentFrom, fire: &Unexpanded) -> (MadeContent, Expansion) {
        let (job, source) = (&fire.job, content.source.describe());
        let judge = |said| match answer(said, content.format) {
            Answer::Failed(problem) => Err(problem),
            answer => Ok(answer),
        };
        let told = |problem: &str| warn!(%job, source, problem, "a content could not be made and is tried again");
        let Asked { answer, attempts, began_at, exit_code, said } = self.ask_until(content, fire, judge, told).await;
        let answer = answer.unwrap_or_else(Answer::Failed);
        let then = match verdict(content, &answer) {
            Verdict::Send { unless_unchanged } => Expansion::Send { unless_unchanged },
            Verdict::Cancel(reason) => Expansion::Cancel(reason),
            Verdict::Fail(reason) => Expansion::Fail(reason),
        };
        let outcome = answer.outcome();
        let (text, error) = match answer {
            Answer::Content(text) => (Some(text), None),
            Answer::Nothing => {
                info!(%job, source, "a source had nothing to say");
                (None, None)
            }
            Answer::Failed(problem) => {
                error!(%job, source, problem, "a content could not be made: its pushes fail");
                (None, Some(problem))
            }
        };
        let (error, made_at) = (error.or(said), self.clock.now());
        (MadeContent { source, outcome, attempts, began_at, made_at, exit_code, text, error }, then)
    }

    /// Reads each list once, whichever pushes go to it. Where one cannot be read, nothing is sent.
    async fn read_lists(&self, pushes: &[PushSpec], fire: &Unexpanded, expand: &mut Expand) {
        let mut known: Vec<(&str, &RecipientList)> = Vec::new();
        for push in pushes {
            let Some(list) = push.list.as_deref() else { continue };
            let key = (push.target.id(), list);
            let place = known.iter().position(|known| *known == key).unwrap_or(known.len());
            expand.lists_of.push(place);
            if place < known.len() {
                continue;
            }
            known.push(key);
            let made = self.read_list(push.target.id(), list, fire).await;
            let is_wrong = made.entries.is_err();
            expand.lists.push(made);
            if is_wrong {
                expand.then = Expansion::Fail(Reason::Recipients);
                return;
            }
        }
    }

    async fn read_list(&self, name: &str, list: &RecipientList, fire: &Unexpanded) -> MadeList {
        let (job, source) = (&fire.job, list.source.describe());
        let judge = |said| match said {
            Said::Bytes(bytes) => entries(list, &bytes),
            Said::Nothing => Ok(ListEntries::default()),
            Said::Failed(problem) => Err(problem),
        };
        let told = |problem: &str| {
            warn!(%job, list = name, problem, "a list of recipients could not be read and is tried again");
        };
        let asked = self.ask_until(&list.asked(), fire, judge, told).await;
        match &asked.answer {
            Err(problem) => {
                error!(%job, list = name, problem, "a list of recipients could not be read: its fire sends nothing");
            }
            Ok(entries) if entries.doubles > 0 => {
                let doubles = entries.doubles;
                info!(%job, list = name, doubles, "some stand more than once on a list of recipients, and get one push");
            }
            Ok(_) => {}
        }
        let Asked { answer, attempts, began_at, .. } = asked;
        let (name, read_at) = (name.to_owned(), self.clock.now());
        MadeList { name, source, attempts, began_at, read_at, entries: answer }
    }

    async fn ask_until<T>(
        &self,
        content: &ContentFrom,
        fire: &Unexpanded,
        judge: impl Fn(Said) -> Result<T, String>,
        told: impl Fn(&str),
    ) -> Asked<T> {
        let (began_at, mut attempts) = (self.clock.now(), 0);
        loop {
            attempts += 1;
            let (said, exit_code, beside) = self.ask(content, fire).await;
            let answer = judge(said);
            match &answer {
                Err(problem) if asks_again(content, attempts) => told(problem),
                _ => return Asked { answer, attempts, began_at, exit_code, said: beside },
            }
            self.clock.sleep(content.backoff).await;
        }
    }

    /// What the source says, with how its program ended and what that said beside.
    async fn ask(&self, content: &ContentFrom, fire: &Unexpanded) -> (Said, Option<i32>, Option<String>) {
        match &content.source {
            ContentSource::Command(command) => self.run_program(command, content, fire).await,
            ContentSource::Http(http) => (self.fetch(&http.url, content).await, None, None),
            ContentSource::File(file) => match self.too_old(file).await {
                Some(problem) => (Said::Failed(problem), None, None),
                None => (self.fetch(&file.path.to_string_lossy(), content).await, None, None),
            },
        }
    }

    async fn run_program(
        &self,
        command: &ContentCommand,
        content: &ContentFrom,
        fire: &Unexpanded,
    ) -> (Said, Option<i32>, Option<String>) {
        let failed = |problem| (Said::Failed(problem), None, None);
        // The daemon does not begin with such a job of the files; one that a verb made is met here.
        if !command.as_root && rustix::process::geteuid().is_root() {
            let problem = "it is not run as root: run pushcron as a user of its own, or write `as_root: true`";
            return failed(problem.to_owned());
        }
        let argv = match self.arguments(command, fire) {
            Ok(argv) => argv,
            Err(problem) => return failed(problem),
        };
        let env: Vec<(String, String)> = command.env.clone().into_iter().collect();
        let (argv, most, limit) = (&argv[..], Some(content.max_bytes), content.timeout);
        match program::run(Program { argv, env: &env, stdin: "", most, limit }, &self.clock).await {
            Ok(ended) => {
                let (code, said) = (ended.status.code(), ended.said.trim().to_owned());
                let how = ended.in_words(argv);
                (of_program(code, ended.output, || how), code, (!said.is_empty()).then_some(said))
            }
            Err(problem) => failed(problem),
        }
    }

    /// Each argument is rendered by itself, and no shell divides it.
    fn arguments(&self, command: &ContentCommand, fire: &Unexpanded) -> Result<Vec<String>, String> {
        let Some(rendering) = &command.render else { return Ok(command.argv.clone()) };
        let nobody = Target::User(String::new());
        let facts = Facts {
            due_at: fire.due_at,
            now: self.clock.now(),
            job: Some(&fire.job),
            run: 0,
            trigger: fire.triggered_by,
            backfill: fire.is_backfill,
            calendar: None,
            account: "",
            im: "",
            target: &nobody,
            content: None,
            columns: None,
        };
        let renderer = self.renderer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        renderer.arguments(&command.argv, rendering, &facts)
    }

    async fn fetch(&self, source: &str, content: &ContentFrom) -> Said {
        tokio::select! {
            bytes = self.media.bytes(source, content.max_bytes.saturating_add(program::LINE_ENDS)) => match bytes {
                Ok(bytes) if program::is_more(&bytes, content.max_bytes) => {
                    Said::Failed(format!("it has more than {} bytes (max_bytes)", content.max_bytes))
                }
                Ok(bytes) => Said::Bytes(bytes),
                Err(problem) => Said::Failed(problem),
            },
            () = self.clock.sleep(content.timeout) => {
                Said::Failed(format!("it took longer than {} s", content.timeout.as_secs_f64()))
            }
        }
    }

    /// Why the file is no content any more.
    async fn too_old(&self, file: &ContentFile) -> Option<String> {
        let (path, max_age_ms) = (file.path.clone(), file.max_age_ms?);
        let modified = tokio::task::spawn_blocking(move || std::fs::metadata(path).and_then(|meta| meta.modified()));
        // What cannot be looked at is told by whoever reads it.
        let modified = modified.await.ok()?.ok()?;
        let since_epoch = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = u128::try_from(self.clock.now().0).unwrap_or_default();
        let age_ms = now.saturating_sub(since_epoch.as_millis());
        (age_ms > u128::from(max_age_ms))
            .then(|| format!("the file is {} s old, and may be {} s old (max_age)", age_ms / 1000, max_age_ms / 1000))
    }

    /// Until it is durable: the source is not asked again for what it has answered.
    async fn expand(&self, expand: Expand) {
        let mut is_told = false;
        loop {
            match self.store.expand(expand.clone(), self.clock.now()).await {
                Ok(pushes) if pushes.is_empty() => return,
                Ok(pushes) => {
                    // The dispatcher is gone only while the daemon stops; the pushes are open in the store.
                    let _ = self.dispatcher.send(Event::Opened(pushes));
                    return;
                }
                Err(problem) if !is_told => {
                    error!(%problem, "a content cannot be recorded and is not sent; trying again every second");
                    is_told = true;
                }
                Err(_) => {}
            }
            self.clock.sleep(STORE_PAUSE).await;
        }
    }
}
