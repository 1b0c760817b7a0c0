//! Makes the contents of fires whose job has them made (`content_from`), and has the pushes of these fires written.
//!
//! A fire waits in the store until its pushes are there, which are written with the content in one transaction. Whoever is
//! killed before that asks the source again; afterwards nobody does. Neither the timer nor the dispatcher waits for a
//! source.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{Id, JoinHandle, JoinSet};
use tracing::{error, info, warn};

use crate::clock::SharedClock;
use crate::domain::content::ContentFile;
use crate::domain::{ContentFrom, ContentSource, Reason, Trigger, UtcMs};
use crate::engine::core::Event;
use crate::engine::push_media::PushMedia;
use crate::policy::content::{Answer, Verdict, asks_again, of_bytes, of_program, verdict};
use crate::policy::hold::{Hold, hold};
use crate::policy::schedule::ScheduleCache;
use crate::program::{self, Program};
use crate::store::{Expand, Expansion, MadeContent, SharedStore, Unexpanded};

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
}

impl Preparing {
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
}

impl Preparer {
    pub fn new(
        store: SharedStore,
        clock: SharedClock,
        media: Arc<PushMedia>,
        dispatcher: mpsc::UnboundedSender<Event>,
    ) -> Preparer {
        let work = Work { store, clock, media, dispatcher };
        let at_once = Arc::new(AtomicUsize::new(1));
        Preparer { work, notify: Arc::default(), at_once, under_way: HashMap::new(), held_until: None }
    }

    /// Begins, with one source at a time until another number is set.
    pub fn start(self) -> Preparing {
        let (notify, at_once) = (self.notify.clone(), self.at_once.clone());
        Preparing { task: tokio::spawn(self.run()), notify, at_once }
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

impl Work {
    /// Has the pushes of a fire written. `end` says how they end that waited for a list in vain.
    async fn prepare(self, fire: Unexpanded, end: Option<Expansion>) {
        let Unexpanded { fire_id, job, due_at, definition, is_removed, .. } = fire;
        let definition = match definition {
            Ok(definition) => definition,
            Err(problem) => {
                error!(%job, %due_at, problem, "what a job pushes cannot be read; its fire sends nothing");
                return self.expand(Expand { fire_id, content: None, then: Expansion::Fail(Reason::Content) }).await;
            }
        };
        if is_removed {
            let then = Expansion::Cancel(Reason::JobRemoved);
            return self.expand(Expand { fire_id, content: None, then }).await;
        }
        if let Some(then) = end {
            if matches!(then, Expansion::Expire(_)) {
                warn!(%job, %due_at, "no list of days came in time (on_missing_calendar: hold): its pushes expire");
            }
            return self.expand(Expand { fire_id, content: None, then }).await;
        }
        let Some(content) = definition.content_from else {
            let then = Expansion::Send { unless_unchanged: false };
            return self.expand(Expand { fire_id, content: None, then }).await;
        };
        let (made, then) = self.make(&content, &job).await;
        self.expand(Expand { fire_id, content: Some(made), then }).await;
    }

    /// Asks the source until it answers, as often as it may be asked.
    async fn make(&self, content: &ContentFrom, job: &str) -> (MadeContent, Expansion) {
        let (began_at, source) = (self.clock.now(), content.source.describe());
        let mut attempts = 0;
        let (answer, exit_code, said) = loop {
            attempts += 1;
            let asked = self.ask(content).await;
            if !asks_again(content, &asked.0, attempts) {
                break asked;
            }
            if let Answer::Failed(problem) = &asked.0 {
                warn!(job, source, problem, "a content could not be made and is tried again");
            }
            self.clock.sleep(content.backoff).await;
        };
        let then = match verdict(content, &answer) {
            Verdict::Send { unless_unchanged } => Expansion::Send { unless_unchanged },
            Verdict::Cancel(reason) => Expansion::Cancel(reason),
            Verdict::Fail(reason) => Expansion::Fail(reason),
        };
        let outcome = answer.outcome();
        let (text, error) = match answer {
            Answer::Content(text) => (Some(text), None),
            Answer::Nothing => (None, None),
            Answer::Failed(problem) => {
                error!(job, source, problem, "a content could not be made: its pushes fail");
                (None, Some(problem))
            }
        };
        if text.is_none() && error.is_none() {
            info!(job, source, "a source had nothing to say");
        }
        let error = error.or(said);
        let made_at = self.clock.now();
        (MadeContent { source, outcome, attempts, began_at, made_at, exit_code, text, error }, then)
    }

    /// What the source answers, with how its program ended and what that said beside.
    async fn ask(&self, content: &ContentFrom) -> (Answer, Option<i32>, Option<String>) {
        let cap = content.max_bytes;
        match &content.source {
            // The daemon does not begin with such a job of the files; one that a verb made is met here.
            ContentSource::Command(command) if !command.as_root && rustix::process::geteuid().is_root() => {
                let problem = "it is not run as root: run pushcron as a user of its own, or write `as_root: true`";
                (Answer::Failed(problem.to_owned()), None, None)
            }
            ContentSource::Command(command) => {
                let env: Vec<(String, String)> = command.env.clone().into_iter().collect();
                let (argv, limit) = (&command.argv, content.timeout);
                let program = Program { argv, env: &env, stdin: "", most: Some(cap), limit };
                match program::run(program, &self.clock).await {
                    Ok(ended) => {
                        let (code, said) = (ended.status.code(), ended.said.trim().to_owned());
                        let how = ended.in_words(argv);
                        (of_program(code, ended.output, || how), code, (!said.is_empty()).then_some(said))
                    }
                    Err(problem) => (Answer::Failed(problem), None, None),
                }
            }
            ContentSource::Http(http) => (self.fetch(&http.url, content).await, None, None),
            ContentSource::File(file) => {
                let answer = match self.too_old(file).await {
                    Some(problem) => Answer::Failed(problem),
                    None => self.fetch(&file.path.to_string_lossy(), content).await,
                };
                (answer, None, None)
            }
        }
    }

    async fn fetch(&self, source: &str, content: &ContentFrom) -> Answer {
        tokio::select! {
            bytes = self.media.bytes(source, content.max_bytes) => match bytes {
                Ok(bytes) => of_bytes(bytes),
                Err(problem) => Answer::Failed(problem),
            },
            () = self.clock.sleep(content.timeout) => {
                Answer::Failed(format!("it took longer than {} s", content.timeout.as_secs_f64()))
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
