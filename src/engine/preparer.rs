//! Makes the contents of fires whose job has them made (`content_from`), reads their lists of recipients, and has the pushes
//! of these fires written.
//!
//! Which fires, when, and what becomes of them is decided in `core::preparation`. A fire waits in the store until its
//! pushes are there, which are written with the content in one transaction. Whoever is killed before that asks the source
//! again; afterwards nobody does. Neither the timer nor the dispatcher waits for a source.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{Id, JoinHandle, JoinSet};
use tracing::{debug, error, info, warn};

use super::core::preparation::{
    Course, Look, Preparation, ReleaseCourse, after_answer, lists_of, made_before, release_of,
};
use crate::clock::SharedClock;
use crate::domain::{ContentFrom, ListEntries, Locked, PushSpec, Reason, RecipientList, Render};
use crate::engine::asking::{Asked, Asker};
use crate::engine::core::Event;
use crate::engine::push_media::PushMedia;
use crate::engine::releases::Releases;
use crate::policy::content::{Answer, Said, answer};
use crate::policy::recipients::entries;
use crate::policy::schedule::ScheduleCache;
use crate::store::{
    Expand, Expansion, LastGood, LastList, MadeContent, MadeList, Release, Released, SharedStore, StaleOf, StoreError,
    Unexpanded, Unreleased,
};

/// How long the database is left alone after it could not be read or written.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The task that makes contents.
pub struct Preparer {
    work: Work,
    notify: Arc<Notify>,
    changed: Arc<Notify>,
    at_once: Arc<AtomicUsize>,
    preparation: Preparation,
    /// The fire that a task makes a content for.
    tasks: HashMap<Id, i64>,
    /// To be told when the fire waits no more: somebody cancelled it.
    gone: BTreeMap<i64, Arc<Notify>>,
}

/// A preparer that runs.
pub struct Preparing {
    task: JoinHandle<()>,
    notify: Arc<Notify>,
    changed: Arc<Notify>,
    at_once: Arc<AtomicUsize>,
    renderer: Arc<Mutex<Arc<dyn Render>>>,
}

impl Preparing {
    /// Arguments are rendered by this from now on.
    pub fn set_renderer(&self, renderer: Arc<dyn Render>) {
        *self.renderer.locked() = renderer;
    }

    /// To be told whenever fires were recorded that may wait.
    pub fn notify(&self) -> Arc<Notify> {
        self.notify.clone()
    }

    /// To be told whenever something may have changed of those that wait: their jobs, or that they wait at all.
    pub fn changed(&self) -> Arc<Notify> {
        self.changed.clone()
    }

    /// So many sources are asked at once, after definitions changed.
    pub fn set_at_once(&self, at_once: usize) {
        self.at_once.store(at_once, Ordering::Relaxed);
        self.changed.notify_one();
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
    asker: Asker,
    dispatcher: mpsc::UnboundedSender<Event>,
    releases: Arc<Releases>,
}

impl Preparer {
    pub fn new(
        store: SharedStore,
        clock: SharedClock,
        media: Arc<PushMedia>,
        (dispatcher, releases): (mpsc::UnboundedSender<Event>, Arc<Releases>),
        renderer: Arc<dyn Render>,
    ) -> Preparer {
        let asker = Asker { clock: clock.clone(), media, renderer: Arc::new(Mutex::new(renderer)) };
        let work = Work { store, clock, asker, dispatcher, releases };
        let at_once = Arc::new(AtomicUsize::new(1));
        Preparer {
            work,
            notify: Arc::default(),
            changed: Arc::default(),
            at_once,
            preparation: Preparation::default(),
            tasks: HashMap::new(),
            gone: BTreeMap::new(),
        }
    }

    /// Begins, with so many sources at a time until another number is set.
    pub fn start(self, at_once: usize) -> Preparing {
        self.at_once.store(at_once, Ordering::Relaxed);
        let (notify, changed, at_once) = (self.notify.clone(), self.changed.clone(), self.at_once.clone());
        let renderer = self.work.asker.renderer.clone();
        Preparing { task: tokio::spawn(self.run()), notify, changed, at_once, renderer }
    }

    /// Takes up what an earlier process left, and goes on with what it is told of, until it is dropped, with whatever runs.
    async fn run(mut self) {
        let mut tasks: JoinSet<()> = JoinSet::new();
        let (notify, changed, clock) = (self.notify.clone(), self.changed.clone(), self.work.clock.clone());
        let release = self.work.releases.notify();
        loop {
            let is_down = self.take_up(&mut tasks).await.is_err() || self.take_up_releases(&mut tasks).await.is_err();
            let hold = self.preparation.hold_lasts(clock.now());
            tokio::select! {
                () = notify.notified() => self.preparation.look(Look::New),
                () = changed.notified() => self.preparation.look(Look::All),
                () = release.notified() => {}
                Some(ended) = tasks.join_next_with_id() => {
                    let (id, is_broken) = match ended {
                        Ok((id, ())) => (id, false),
                        Err(broken) => {
                            error!(%broken, "making a content broke down (a bug of pushcron): it is begun anew");
                            clock.sleep(STORE_PAUSE).await;
                            (broken.id(), true)
                        }
                    };
                    if let Some(fire_id) = self.tasks.remove(&id) {
                        self.gone.remove(&fire_id);
                        self.preparation.ended(fire_id, is_broken);
                    }
                }
                () = clock.sleep(STORE_PAUSE), if is_down => {}
                () = clock.sleep(hold.unwrap_or_default()), if hold.is_some() => self.preparation.look(Look::All),
            }
        }
    }

    /// Begins with those whose turn has come, as far as there is room.
    ///
    /// # Errors
    /// The database could not be read.
    async fn take_up(&mut self, tasks: &mut JoinSet<()>) -> Result<(), StoreError> {
        let (store, now, mut schedules) = (self.work.store.clone(), self.work.clock.now(), ScheduleCache::default());
        if self.preparation.begin_look() {
            loop {
                let (after, limit) = self.preparation.page();
                if !self.preparation.read(&store.unexpanded(after, limit).await?, now, &mut schedules) {
                    break;
                }
            }
            // One that has just got its pushes does not listen any more.
            let gone = self.preparation.end_look();
            gone.iter().filter_map(|id| self.gone.get(id)).for_each(|gone| gone.notify_one());
        }
        while let Some((due_at, fire_id)) = self.preparation.next(self.at_once.load(Ordering::Relaxed)) {
            let found = store.unexpanded(fire_id - 1, 1).await;
            let found = found.inspect_err(|_| self.preparation.put_back((due_at, fire_id)))?;
            let Some(fire) = found.into_iter().find(|fire| fire.fire_id == fire_id) else { continue };
            let Some(course) = self.preparation.begin(&fire, now, &mut schedules) else { continue };
            let gone = Arc::new(Notify::new());
            let task = tasks.spawn(self.work.clone().prepare(fire, course, gone.clone()));
            self.tasks.insert(task.id(), fire_id);
            self.gone.insert(fire_id, gone);
        }
        Ok(())
    }

    /// Begins with the contents that pushes wait for which can go out, as far as there is room.
    ///
    /// # Errors
    /// The database could not be read.
    async fn take_up_releases(&mut self, tasks: &mut JoinSet<()>) -> Result<(), StoreError> {
        let asked = self.work.releases.asked();
        if asked.is_empty() {
            return Ok(());
        }
        let waiting = self.work.store.unreleased(asked.clone()).await?;
        let wait: HashSet<i64> = waiting.iter().flat_map(|fire| fire.push_ids.iter().copied()).collect();
        // Somebody was faster, or they are gone.
        let need_nothing: Vec<i64> = asked.into_iter().filter(|id| !wait.contains(id)).collect();
        self.work.releases.done(&need_nothing);
        self.work.tell(Event::Made(need_nothing));
        for fire in waiting {
            let fire_id = fire.fire.fire_id;
            if self.preparation.begin_release(&fire, self.at_once.load(Ordering::Relaxed)) {
                // What its pushes come to by hand is seen where they get their texts.
                let task = tasks.spawn(self.work.clone().release(fire));
                self.tasks.insert(task.id(), fire_id);
            }
        }
        Ok(())
    }
}

impl Work {
    /// Has the pushes of a fire written. `gone` says that nobody waits for them any more.
    async fn prepare(self, fire: Unexpanded, course: Course, gone: Arc<Notify>) {
        let fire_id = fire.fire_id;
        let nothing = |then| Expand { fire_id, content: None, lists: Vec::new(), lists_of: Vec::new(), then };
        let definition = match (course, &fire.definition) {
            (Course::Make, Ok(definition)) => definition,
            (Course::End(then), _) => return self.expand(nothing(then)).await,
            // What cannot be read has its end already.
            (Course::Make, Err(_)) => return self.expand(nothing(Expansion::Fail(Reason::Content))).await,
        };
        let made = async {
            let (content, then) = match made_before(definition) {
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
            expand
        };
        let expand = tokio::select! {
            expand = made => expand,
            () = gone.notified() => {
                info!(job = %fire.job, due_at = %fire.due_at, "the fire was cancelled while its content was made");
                return;
            }
        };
        self.expand(expand).await;
    }

    /// Makes the content of a fire whose pushes can go out, and gives it to them.
    async fn release(self, unreleased: Unreleased) {
        let (content, then) = match release_of(&unreleased, self.clock.now()) {
            // What is asked for is still there afterwards.
            ReleaseCourse::Wait(wait) => return self.clock.sleep(wait).await,
            ReleaseCourse::Make(content) => {
                let (made, then) = self.make(content, &unreleased.fire).await;
                (Some(made), then)
            }
            ReleaseCourse::End(then) => (None, then),
        };
        let fire_id = unreleased.fire.fire_id;
        let release = Release { fire_id, content, then };
        let mut is_told = false;
        loop {
            match self.store.release(release.clone(), self.clock.now()).await {
                Ok(Released { open, ended }) => {
                    self.tell(Event::Dropped(ended));
                    self.tell(Event::Made(open));
                    return;
                }
                Err(problem) => tell_once(&problem, &mut is_told),
            }
            self.clock.sleep(STORE_PAUSE).await;
        }
    }

    fn tell(&self, event: Event) {
        // The dispatcher is gone only while the daemon stops; all of it is in the store.
        let _ = self.dispatcher.send(event);
    }

    async fn make(&self, content: &ContentFrom, fire: &Unexpanded) -> (MadeContent, Expansion) {
        let (job, source) = (&fire.job, content.source.describe());
        let judge = |said| match answer(said, content.format) {
            Answer::Failed(problem) => Err(problem),
            answer => Ok(answer),
        };
        let told = |problem: &str| warn!(%job, source, problem, "a content could not be made and is tried again");
        let Asked { answer, attempts, began_at, exit_code, said } =
            self.asker.ask_until(content, fire, judge, told).await;
        let answer = answer.unwrap_or_else(Answer::Failed);
        let (answer, stale) = self.or_last_good(content, fire, answer).await;
        let then = after_answer(content, &answer);
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
        (MadeContent { source, outcome, attempts, began_at, made_at, exit_code, text, error, stale }, then)
    }

    /// Reads each list once, whichever pushes go to it. Where one cannot be read, nothing is sent.
    async fn read_lists(&self, pushes: &[PushSpec], fire: &Unexpanded, expand: &mut Expand) {
        let (lists, lists_of) = lists_of(pushes);
        for (name, list) in lists {
            let made = self.read_list(name, list, fire).await;
            let is_wrong = made.entries.is_err();
            expand.lists.push(made);
            if is_wrong {
                expand.then = Expansion::Fail(Reason::Recipients);
                return;
            }
        }
        expand.lists_of = lists_of;
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
        let mut asked = self.asker.ask_until(&list.asked(), fire, judge, told).await;
        let key = list.stale_at_most_ms.map(|_| list.key());
        let mut stale = None;
        if let (Err(problem), Some(ms), Some(key)) = (&asked.answer, list.stale_at_most_ms, &key)
            && let Some(LastList { entries, read_at }) = self.last_list(fire, name, key, ms).await
        {
            warn!(%job, list = name, problem, %read_at, "a list of recipients could not be read: it is taken as it was last");
            stale = Some(StaleOf { from: read_at, why: problem.clone() });
            asked.answer = Ok(entries);
        }
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
        MadeList { name, source, attempts, began_at, read_at, entries: answer, stale, key }
    }

    /// In the place of a failure, where that is wanted, what the same source said the last time, if that is no longer ago
    /// than it may be. What it had nothing to say of then, it has nothing to say of now.
    async fn or_last_good(
        &self,
        content: &ContentFrom,
        fire: &Unexpanded,
        answer: Answer,
    ) -> (Answer, Option<StaleOf>) {
        let (Answer::Failed(why), Some(ms)) = (&answer, content.stale_at_most_ms) else { return (answer, None) };
        let since = self.clock.now() - Duration::from_millis(ms);
        let found = loop {
            match self.store.last_good(fire.fire_id, since).await {
                Ok(found) => break found,
                Err(problem) => self.look_again(&problem).await,
            }
        };
        let Some(LastGood { text, made_at }) = found else { return (answer, None) };
        let (job, source) = (&fire.job, content.source.describe());
        warn!(%job, source, problem = why, %made_at, "a content could not be made: what it was last is taken");
        let stale = Some(StaleOf { from: made_at, why: why.clone() });
        (text.map_or(Answer::Nothing, Answer::Content), stale)
    }

    async fn last_list(&self, fire: &Unexpanded, name: &str, key: &str, at_most_ms: u64) -> Option<LastList> {
        let since = self.clock.now() - Duration::from_millis(at_most_ms);
        loop {
            match self.store.last_list(fire.fire_id, name, key, since).await {
                Ok(found) => return found,
                Err(problem) => self.look_again(&problem).await,
            }
        }
    }

    /// What the database holds decides what is sent: it is waited for.
    async fn look_again(&self, problem: &StoreError) {
        debug!(%problem, "the last good content cannot be looked up now");
        self.clock.sleep(STORE_PAUSE).await;
    }

    /// Until it is durable: the source is not asked again for what it has answered.
    async fn expand(&self, expand: Expand) {
        let mut is_told = false;
        loop {
            match self.store.expand(expand.clone(), self.clock.now()).await {
                Ok(pushes) if pushes.is_empty() => return,
                Ok(pushes) => return self.tell(Event::Opened(pushes)),
                Err(problem) => tell_once(&problem, &mut is_told),
            }
            self.clock.sleep(STORE_PAUSE).await;
        }
    }
}

fn tell_once(problem: &StoreError, is_told: &mut bool) {
    if !std::mem::replace(is_told, true) {
        error!(%problem, "a content cannot be recorded and is not sent; trying again every second");
    }
}
