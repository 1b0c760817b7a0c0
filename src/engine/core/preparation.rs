//! Which fires have their contents made and their lists read, in which order, and what becomes of those that wait in vain.
//!
//! The preparer carries it out: it reads rows, asks sources and writes what came of them. Very many fires may wait for long,
//! each for a list of days, while others come and go. So all of them are read only where that may change something for
//! them; otherwise those that came since, and each once more when its turn has come.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use tracing::{error, warn};

use crate::domain::{ContentFrom, ContentMoment, Job, PushSpec, Reason, RecipientList, Trigger, UtcMs};
use crate::policy::content::{Answer, Verdict, verdict};
use crate::policy::hold::{Hold, hold};
use crate::policy::schedule::ScheduleCache;
use crate::store::{Expansion, Unexpanded, Unreleased};

/// Rows that are read at once.
const PAGE: u64 = 256;

/// A content of a push that can go out soon is waited for so long at most in one go, and holds are looked at so often at
/// most and at least: the clock may be set meanwhile.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);

/// How much is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Look {
    Nothing,
    /// Fires that were recorded since the last look.
    New,
    /// All that waits.
    #[default]
    All,
}

/// What is done for a fire whose turn has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Course {
    /// Its sources are asked.
    Make,
    End(Expansion),
}

/// What is done for a fire of whose pushes some can go out.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) enum ReleaseCourse<'a> {
    /// It is looked at again after this.
    Wait(Duration),
    Make(&'a ContentFrom),
    End(Expansion),
}

/// The fires that wait, and those whose content is being made.
#[derive(Debug, Default)]
pub(in crate::engine) struct Preparation {
    look: Look,
    /// Those that nothing holds, by their instants and ids.
    ready: BTreeSet<(UtcMs, i64)>,
    /// The highest id of all that were seen: fires that are recorded later have higher ones.
    seen: i64,
    /// When the first of those that wait for a list of days waits no more.
    held_until: Option<UtcMs>,
    /// All that wait, while all are read.
    all: HashSet<i64>,
    /// Fires whose content is being made, with their instants.
    under_way: BTreeMap<i64, UtcMs>,
}

impl Preparation {
    /// There may be something new to read.
    pub(in crate::engine) fn look(&mut self, look: Look) {
        self.look = self.look.max(look);
    }

    /// Whether rows are to be read now: [`Preparation::page`] by page, until [`Preparation::read`] says that there are no
    /// more. Where one cannot be read, the same look is due again.
    pub(in crate::engine) fn begin_look(&mut self) -> bool {
        if self.look == Look::All {
            (self.ready, self.seen, self.held_until) = (BTreeSet::new(), 0, None);
        }
        self.all.clear();
        self.look != Look::Nothing
    }

    /// Rows with ids above the first are to be read next, so many at most.
    pub(in crate::engine) fn page(&self) -> (i64, u64) {
        (self.seen, PAGE)
    }

    /// Takes a page in. Returns whether there may be another.
    pub(in crate::engine) fn read(&mut self, page: &[Unexpanded], now: UtcMs, schedules: &mut ScheduleCache) -> bool {
        for fire in page {
            self.take(fire, hold_of(fire, now, schedules));
            self.all.insert(fire.fire_id);
        }
        page.len() as u64 == PAGE
    }

    /// After the last page: those under way that do not wait any more, since somebody cancelled them.
    pub(in crate::engine) fn end_look(&mut self) -> Vec<i64> {
        let (look, all) = (std::mem::replace(&mut self.look, Look::Nothing), std::mem::take(&mut self.all));
        let gone = self.under_way.keys().filter(|id| look == Look::All && !all.contains(id));
        gone.copied().collect()
    }

    fn take(&mut self, fire: &Unexpanded, hold: Hold) {
        self.seen = self.seen.max(fire.fire_id);
        match hold {
            Hold::Until(until) => {
                self.held_until = Some(self.held_until.map_or(until, |first| first.min(until)));
            }
            Hold::Free | Hold::Over | Hold::Unwanted(_) => self.put_back((fire.due_at, fire.fire_id)),
        }
    }

    /// One whose turn has not come after all.
    pub(in crate::engine) fn put_back(&mut self, fire: (UtcMs, i64)) {
        self.ready.insert(fire);
    }

    /// The next one whose turn has come, if fewer than so many are under way. Its row is to be read once more: it may have
    /// been cancelled, or its job changed.
    pub(in crate::engine) fn next(&mut self, at_once: usize) -> Option<(UtcMs, i64)> {
        if self.under_way.len() >= at_once.max(1) {
            return None;
        }
        std::iter::from_fn(|| self.ready.pop_first()).find(|(_, id)| !self.under_way.contains_key(id))
    }

    /// What is done for a fire as its row is now; it is under way from here on. None: it waits on.
    pub(in crate::engine) fn begin(
        &mut self,
        fire: &Unexpanded,
        now: UtcMs,
        schedules: &mut ScheduleCache,
    ) -> Option<Course> {
        let course = match (&fire.definition, hold_of(fire, now, schedules)) {
            (_, held @ Hold::Until(_)) => {
                self.take(fire, held);
                return None;
            }
            (Ok(_), _) if fire.is_removed => Course::End(Expansion::Cancel(Reason::JobRemoved)),
            (Err(problem), _) => Course::End(unreadable(fire, problem)),
            (_, Hold::Free) => Course::Make,
            (_, Hold::Unwanted(reason)) => Course::End(Expansion::Cancel(reason)),
            (_, Hold::Over) => {
                let Unexpanded { job, due_at, .. } = fire;
                warn!(%job, %due_at, "no list of days came in time (on_missing_calendar: hold): its pushes expire");
                Course::End(Expansion::Expire(Reason::NoCalendar))
            }
        };
        self.under_way.insert(fire.fire_id, fire.due_at);
        Some(course)
    }

    /// Whether the content of a fire is made now of whose pushes some can go out; it is under way from here on.
    pub(in crate::engine) fn begin_release(&mut self, fire: &Unreleased, at_once: usize) -> bool {
        let Unexpanded { fire_id, due_at, .. } = fire.fire;
        let begins = self.under_way.len() < at_once.max(1) && !self.under_way.contains_key(&fire_id);
        if begins {
            self.under_way.insert(fire_id, due_at);
        }
        begins
    }

    /// It is under way no more. What broke down is begun anew.
    pub(in crate::engine) fn ended(&mut self, fire_id: i64, is_broken: bool) {
        if let Some(due_at) = self.under_way.remove(&fire_id).filter(|_| is_broken) {
            self.put_back((due_at, fire_id));
        }
    }

    /// How long to wait before holds are looked at again; None: nothing is held.
    pub(in crate::engine) fn hold_lasts(&self, now: UtcMs) -> Option<Duration> {
        self.held_until.map(|until| until.since(now).clamp(SOONEST, LATEST))
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

fn unreadable(fire: &Unexpanded, problem: &str) -> Expansion {
    let Unexpanded { job, due_at, .. } = fire;
    error!(%job, %due_at, problem, "what a job pushes cannot be read; its fire sends nothing");
    Expansion::Fail(Reason::Content)
}

/// The content that is made before the pushes of a fire are there.
pub(in crate::engine) fn made_before(definition: &Job) -> Option<&ContentFrom> {
    definition.content_from.as_deref().filter(|content| content.at == ContentMoment::Instant)
}

/// What is done for a fire of whose pushes some can go out.
pub(in crate::engine) fn release_of(unreleased: &Unreleased, now: UtcMs) -> ReleaseCourse<'_> {
    // Attempts are opened a little ahead of their instant, and a content of before it would not be that of the instant.
    let early = unreleased.goes_at.since(now);
    if !early.is_zero() {
        return ReleaseCourse::Wait(early.min(SOONEST));
    }
    match &unreleased.fire.definition {
        Ok(Job { content_from: Some(content), .. }) => ReleaseCourse::Make(content),
        Ok(_) => ReleaseCourse::End(Expansion::Send { unless_unchanged: false }),
        Err(problem) => ReleaseCourse::End(unreadable(&unreleased.fire, problem)),
    }
}

/// What becomes of the pushes by the answer of their source.
pub(in crate::engine) fn after_answer(content: &ContentFrom, answer: &Answer) -> Expansion {
    match verdict(content, answer) {
        Verdict::Send { unless_unchanged } => Expansion::Send { unless_unchanged },
        Verdict::Cancel(reason) => Expansion::Cancel(reason),
        Verdict::Fail(reason) => Expansion::Fail(reason),
    }
}

/// The lists that pushes go to, each once, whichever pushes go to it; and which of them each push has that has one.
pub(in crate::engine) fn lists_of(pushes: &[PushSpec]) -> (Vec<(&str, &RecipientList)>, Vec<usize>) {
    let mut lists: Vec<(&str, &RecipientList)> = Vec::new();
    let mut lists_of = Vec::new();
    for push in pushes {
        let Some(list) = push.list.as_deref() else { continue };
        let key = (push.target.id(), list);
        let place = lists.iter().position(|known| *known == key).unwrap_or(lists.len());
        if place == lists.len() {
            lists.push(key);
        }
        lists_of.push(place);
    }
    (lists, lists_of)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::domain::calendar::{Coverage, MissingList};
    use crate::domain::{Calendar, ContentSource, DayRule, ListFormat, Target, content::ContentFile};

    const AT_ONCE: usize = 1_000_000;

    /// Monday, 4 January 2027, for which the list of [`on_workdays`] says nothing.
    fn due() -> UtcMs {
        "2027-01-04T09:00:00.000Z".parse().unwrap()
    }

    fn plain() -> Job {
        let definition = json!({ "name": "a", "schedule": { "cron": "0 9 * * *" }, "timezone": "UTC" });
        serde_json::from_value(definition).unwrap()
    }

    fn on_workdays() -> Job {
        let day = |text: &str| text.parse().unwrap();
        let covers = Coverage { from: day("2026-01-01"), until: day("2026-12-31"), settled_until: None };
        let list = Arc::new(Calendar { name: "own".to_owned(), covers: Some(covers), ..Calendar::default() });
        let on_missing = MissingList::Hold;
        let rule = DayRule { workdays: Some(list.reference()), on_missing, ..DayRule::default() };
        Job { days: Some(Box::new(rule)), ..plain() }
    }

    fn with_content() -> Job {
        let file = ContentFile { path: "/a".into(), max_age_ms: None };
        Job { content_from: Some(Box::new(ContentFrom::new(ContentSource::File(file)))), ..plain() }
    }

    fn fire(fire_id: i64, definition: Job) -> Unexpanded {
        Unexpanded {
            fire_id,
            job: "a".into(),
            due_at: due(),
            is_removed: false,
            triggered_by: Trigger::Cron,
            is_backfill: false,
            definition: Ok(definition),
            present: None,
        }
    }

    /// Rows, and how many pages and rows were read.
    #[derive(Default)]
    struct Rows {
        fires: Vec<Unexpanded>,
        read: usize,
        pages: usize,
        schedules: ScheduleCache,
    }

    impl Rows {
        /// A whole look.
        fn look(&mut self, preparation: &mut Preparation, look: Look) -> Vec<i64> {
            preparation.look(look);
            if preparation.begin_look() {
                while self.page(preparation) {}
            }
            preparation.end_look()
        }

        fn page(&mut self, preparation: &mut Preparation) -> bool {
            let (after, limit) = preparation.page();
            let fires = self.fires.iter().filter(|fire| fire.fire_id > after);
            let page: Vec<Unexpanded> = fires.take(usize::try_from(limit).unwrap()).cloned().collect();
            (self.read, self.pages) = (self.read + page.len(), self.pages + 1);
            preparation.read(&page, due(), &mut self.schedules)
        }
    }

    fn turns(preparation: &mut Preparation) -> Vec<(UtcMs, i64)> {
        std::iter::from_fn(|| preparation.next(AT_ONCE)).collect()
    }

    #[test]
    fn those_that_are_held_are_not_read_again_for_each_fire_that_comes_and_each_that_ends() {
        let (mut preparation, mut rows) = (Preparation::default(), Rows::default());
        rows.fires = (1..=1_000).map(|id| fire(id, on_workdays())).collect();
        rows.look(&mut preparation, Look::All);
        assert_eq!((rows.read, preparation.hold_lasts(due())), (1_000, Some(LATEST)));
        for id in 1_001..=1_500 {
            rows.fires.push(fire(id, plain()));
            rows.look(&mut preparation, Look::New);
            assert_eq!(turns(&mut preparation), [(due(), id)]);
            // Its content is made.
            rows.look(&mut preparation, Look::Nothing);
            rows.fires.pop();
        }
        assert_eq!(rows.read, 1_500, "each row was read once");
        assert_eq!(preparation.hold_lasts(due() + Duration::from_secs(12 * 3600)), Some(SOONEST));
    }

    #[test]
    fn all_that_waits_is_read_in_pages_and_goes_in_the_order_of_its_instants() {
        let (mut preparation, mut rows) = (Preparation::default(), Rows::default());
        let at = |id: i64| due() + Duration::from_secs(1000 - id.unsigned_abs() % 7);
        let of = |id: i64| {
            if id % 2 == 0 { fire(id, on_workdays()) } else { Unexpanded { due_at: at(id), ..fire(id, plain()) } }
        };
        rows.fires = (1..=1_000).map(of).collect();
        rows.look(&mut preparation, Look::All);
        assert_eq!((rows.read, rows.pages), (1_000, 4));
        let order = turns(&mut preparation);
        assert!(order.is_sorted() && order.len() == 500, "{order:?}");
        // Whatever was known is read anew, and nothing is there twice.
        rows.look(&mut preparation, Look::All);
        rows.look(&mut preparation, Look::All);
        assert_eq!(turns(&mut preparation).len(), 500);
    }

    #[test]
    fn what_could_not_be_read_is_read_at_the_next_look() {
        for look in [Look::New, Look::All] {
            let (mut preparation, mut rows) = (Preparation::default(), Rows::default());
            rows.look(&mut preparation, Look::All);
            rows.fires = (1..=600).map(|id| fire(id, plain())).collect();
            preparation.look(look);
            // The second page cannot be read.
            assert!(preparation.begin_look() && rows.page(&mut preparation));
            rows.look(&mut preparation, Look::Nothing);
            assert_eq!(turns(&mut preparation).len(), 600, "{look:?}");
        }
    }

    #[test]
    fn no_more_are_under_way_than_may_be_and_each_once() {
        let (mut preparation, mut rows) = (Preparation::default(), Rows::default());
        rows.fires = (1..=3).map(|id| fire(id, with_content())).collect();
        rows.look(&mut preparation, Look::All);
        for id in 1..=2 {
            assert_eq!(preparation.next(2), Some((due(), id)));
            let course = preparation.begin(&rows.fires[usize::try_from(id - 1).unwrap()], due(), &mut rows.schedules);
            assert_eq!(course, Some(Course::Make));
        }
        assert_eq!(preparation.next(2), None);
        let unreleased = |id| Unreleased { fire: fire(id, with_content()), push_ids: vec![id], goes_at: due() };
        assert!(!preparation.begin_release(&unreleased(9), 2));
        preparation.ended(1, false);
        assert!(!preparation.begin_release(&unreleased(2), 2), "it is under way");
        assert!(preparation.begin_release(&unreleased(9), 2));
        preparation.ended(9, false);
        // One that broke down has its turn again, and before those that are due later.
        preparation.ended(2, true);
        assert_eq!(turns(&mut preparation), [(due(), 2), (due(), 3)]);
    }

    #[test]
    fn those_under_way_that_do_not_wait_any_more_are_told() {
        let (mut preparation, mut rows) = (Preparation::default(), Rows::default());
        rows.fires = (1..=3).map(|id| fire(id, with_content())).collect();
        rows.look(&mut preparation, Look::All);
        for fire in &rows.fires {
            assert!(preparation.begin(fire, due(), &mut rows.schedules).is_some());
        }
        rows.fires.remove(1);
        assert_eq!(rows.look(&mut preparation, Look::New), Vec::<i64>::new(), "not all were read");
        assert_eq!(rows.look(&mut preparation, Look::All), [2]);
    }

    #[test]
    fn each_fire_has_its_course() {
        let removed = Unexpanded { is_removed: true, ..fire(1, on_workdays()) };
        let unreadable = Unexpanded { definition: Err("not JSON".to_owned()), ..fire(1, plain()) };
        let by_hand = Unexpanded { triggered_by: Trigger::Manual, ..fire(1, on_workdays()) };
        let later = due() + Duration::from_secs(13 * 3600);
        for (fire, now, course) in [
            (fire(1, with_content()), due(), Some(Course::Make)),
            (fire(1, on_workdays()), due(), None),
            (fire(1, on_workdays()), later, Some(Course::End(Expansion::Expire(Reason::NoCalendar)))),
            (by_hand, due(), Some(Course::Make)),
            (removed, due(), Some(Course::End(Expansion::Cancel(Reason::JobRemoved)))),
            (unreadable, due(), Some(Course::End(Expansion::Fail(Reason::Content)))),
        ] {
            let mut preparation = Preparation::default();
            let told = preparation.begin(&fire, now, &mut ScheduleCache::default());
            assert_eq!(told, course, "{fire:?}");
            assert_eq!(preparation.under_way.len(), usize::from(course.is_some()));
        }
    }

    #[test]
    fn no_content_is_made_before_its_pushes_can_go_out() {
        let unreleased = |fire| Unreleased { fire, push_ids: vec![1], goes_at: due() };
        let soon = unreleased(fire(1, with_content()));
        assert_eq!(
            release_of(&soon, due() - Duration::from_millis(20)),
            ReleaseCourse::Wait(Duration::from_millis(20))
        );
        assert_eq!(release_of(&soon, due() - Duration::from_secs(3600)), ReleaseCourse::Wait(SOONEST));
        assert!(matches!(release_of(&soon, due()), ReleaseCourse::Make(_)));
        let sent = ReleaseCourse::End(Expansion::Send { unless_unchanged: false });
        assert_eq!(release_of(&unreleased(fire(1, plain())), due()), sent, "its job has none any more");
    }

    #[test]
    fn a_list_is_read_once_whichever_pushes_go_to_it() {
        let list = |path: &str| RecipientList {
            source: ContentSource::File(ContentFile { path: path.into(), max_age_ms: None }),
            format: ListFormat::Lines,
            id: String::new(),
            fields: Vec::new(),
            at_most: 10,
            trusted: false,
            stale_at_most_ms: None,
        };
        let written = json!({ "im": "qq", "target": "user:1", "message": { "kind": "text", "text": "hi" } });
        let push = |name: &str, list: Option<RecipientList>| PushSpec {
            target: Target::User(name.to_owned()),
            list: list.map(Box::new),
            ..serde_json::from_value(written.clone()).unwrap()
        };
        let pushes = [
            push("a", Some(list("/a"))),
            push("1", None),
            push("b", Some(list("/b"))),
            push("a", Some(list("/a"))),
            // The same list by another name is read by that name too.
            push("c", Some(list("/a"))),
        ];
        let (lists, of) = lists_of(&pushes);
        assert_eq!(lists.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(of, [0, 1, 0, 2]);
    }
}
