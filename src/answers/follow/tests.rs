use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::domain::{
    Body, Database, Message, Next, Outcome, PushSpec, Reason, Report, RetryPolicy, Rule, Target, Trigger, UtcMs,
};
use crate::store::{self, Access, AdHoc, Begin, Finish, History, Settle, SharedStore};

const START: UtcMs = UtcMs(1_767_229_200_000);

/// Pushes in memory, and how many rows were read of them.
#[derive(Default)]
struct Book {
    pushes: RefCell<BTreeMap<i64, (PushState, u32)>>,
    read: Cell<u64>,
}

impl Book {
    fn set(&self, id: i64, state: PushState, attempts: u32) {
        self.pushes.borrow_mut().insert(id, (state, attempts));
    }

    fn took(&self) -> u64 {
        self.read.take()
    }
}

impl Source for Book {
    async fn standings(&self, after_id: i64, only_open: bool, limit: u64) -> Result<Vec<Standing>, StoreError> {
        let pushes = self.pushes.borrow();
        let all = pushes.range(after_id + 1..).map(|(&id, &(state, attempts))| Standing { id, state, attempts });
        let page: Vec<_> =
            all.filter(|standing| !only_open || !standing.state.is_final()).take(limit as usize).collect();
        self.read.set(self.read.get() + page.len() as u64);
        Ok(page)
    }

    async fn lines(&self, filter: &Filter) -> Result<Table, StoreError> {
        let pushes = self.pushes.borrow();
        let line = |(id, (state, attempts)): (&i64, &(PushState, u32))| {
            vec![Value::from(*id), state.as_str().into(), (*attempts).into(), START.to_string().into()]
        };
        let rows: Vec<_> = match &filter.ids {
            Some(ids) => ids.iter().filter_map(|id| pushes.get_key_value(id)).map(line).collect(),
            None => pushes.iter().rev().take(filter.limit.unwrap_or(u64::MAX) as usize).map(line).collect(),
        };
        self.read.set(self.read.get() + rows.len() as u64);
        Ok(Table { columns: ["id", "state", "attempts", "due_at"].map(str::to_owned).to_vec(), rows })
    }
}

fn told(table: &Table, index: usize) -> (i64, String) {
    let row = rows(table).nth(index).unwrap();
    (row.int("id").unwrap(), row.text("state").into_owned())
}

/// One look; what it tells, and whether there is more.
async fn look(follower: &mut Follower, source: &impl Source) -> (Vec<(i64, String)>, bool) {
    let mut news = Vec::new();
    let all = Filter::default();
    let more = follower.look(source, &all, |table, index| {
        news.push(told(table, index));
        Ok::<_, StoreError>(())
    });
    let Ok(more) = more.await else { panic!("nothing can fail") };
    (news, more)
}

#[tokio::test]
async fn a_follower_hears_of_each_push_when_it_ends_or_is_put_back() {
    use PushState::{Failed, Pending, Retrying, Sending, Sent, Unknown};
    let book = Book::default();
    for (id, state) in [(1, Sent), (2, Pending), (3, Failed)] {
        book.set(id, state, 0);
    }
    let mut follower = Follower::begin(&book).await.unwrap();
    let mut rounds: Vec<(&[(i64, PushState, u32)], &[(i64, &str)])> = Vec::new();
    rounds.push((&[(2, Sending, 1), (4, Pending, 0)], &[]));
    rounds.push((&[(2, Retrying, 1), (4, Sent, 1)], &[(2, "retrying"), (4, "sent")]));
    rounds.push((&[], &[]));
    // It was tried again between two looks.
    rounds.push((&[(2, Retrying, 2)], &[(2, "retrying")]));
    rounds.push((&[(2, Sent, 3), (5, Unknown, 1)], &[(2, "sent"), (5, "unknown")]));
    // Retried by hand, long after it ended.
    rounds.push((&[(3, Retrying, 1)], &[(3, "retrying")]));
    rounds.push((&[(3, Sent, 2)], &[(3, "sent")]));
    rounds.push((&[], &[]));
    for (changes, expected) in rounds {
        for &(id, state, attempts) in changes {
            book.set(id, state, attempts);
        }
        let (news, _) = look(&mut follower, &book).await;
        let expected: Vec<_> = expected.iter().map(|(id, state)| (*id, (*state).to_owned())).collect();
        assert_eq!(news, expected, "{changes:?}");
    }
}

#[tokio::test]
async fn a_look_reads_a_bounded_number_of_rows_however_many_pushes_wait() {
    let book = Book::default();
    let (all, ended) = (60_000, 600);
    for id in 1..=all {
        book.set(id, PushState::Pending, 0);
    }
    let mut follower = Follower::begin(&book).await.unwrap();
    assert!(book.took() <= all as u64 + 1, "each open push is read once at the beginning");

    // Nothing changes: what is read is what is compared.
    for _ in 0..5 {
        assert!(look(&mut follower, &book).await.0.is_empty());
        assert!(book.took() <= 2 * OPEN);
    }
    // Some end all over the backlog, beside new ones: each is told once, and no look reads more than it may.
    for id in (1..=all).step_by(all as usize / ended) {
        book.set(id, PushState::Sent, 1);
    }
    for id in all + 1..=all + 3_000 {
        book.set(id, PushState::Sent, 1);
    }
    let (mut seen, mut looks) = (HashMap::new(), 0);
    while seen.len() < ended + 3_000 {
        let (news, _) = look(&mut follower, &book).await;
        assert!(book.took() <= MADE + 2 * OPEN + news.len() as u64);
        for (id, state) in news {
            assert_eq!(state, "sent");
            assert!(seen.insert(id, state).is_none(), "push {id} was told twice");
        }
        looks += 1;
        assert!(looks < 50, "{} were told", seen.len());
    }
    assert!(look(&mut follower, &book).await.0.is_empty());
}

/// A store that is written to while others read.
struct Flood {
    _dir: tempfile::TempDir,
    store: SharedStore,
}

impl Flood {
    async fn new() -> Flood {
        let dir = tempfile::tempdir().unwrap();
        let store = store::open(&Database::at(dir.path().join("pushcron.db")), Access::Daemon, START).await.unwrap();
        Flood { _dir: dir, store }
    }

    async fn opened(&self, count: usize, due_at: UtcMs) -> Vec<i64> {
        let spec = PushSpec {
            im: "qq".to_owned(),
            target: Target::Group("1".to_owned()),
            account: None,
            message: Message { title: None, body: Body::Text { text: "hi".to_owned() } },
            timeout: Duration::from_secs(5),
            retry: RetryPolicy::default().into(),
            render: None,
            list: None,
            fallback: Vec::new(),
        };
        let push = AdHoc { spec, triggered_by: Trigger::Manual, chat: None };
        let made = (0..count).map(|_| self.store.push_ad_hoc(push.clone(), due_at));
        futures_util::future::join_all(made).await.into_iter().map(Result::unwrap).collect()
    }

    /// One attempt of each of these, and what followed from it.
    async fn tried(&self, ids: &[i64], now: UtcMs, next: impl Fn(i64) -> Next) {
        let begin = |&push_id| Begin { push_id, account: Arc::from("bot"), sender: "console", rule: Rule::ImDefault };
        let deliveries = self.store.begin_attempts(ids.iter().map(begin).collect(), now).await.unwrap();
        let finishes = deliveries.into_iter().map(|delivery| Finish {
            push_id: delivery.push_id,
            number: delivery.attempt,
            report: Report::failed(Outcome::Unreachable, "no answer"),
            next: next(delivery.push_id),
            started_at: now,
            finished_at: now,
            health: None,
        });
        self.store.finish_attempts(finishes.collect()).await.unwrap();
    }
}

/// Pushes that come, fail, are put back and end by the thousand, while old history is deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_is_told_once_beside_a_prune_and_thousands_of_changes() {
    let flood = Arc::new(Flood::new().await);
    let long_ago = START - Duration::from_secs(86_400);
    let old = flood.opened(1000, long_ago).await;
    let over = |&push_id: &i64| Settle::of(push_id, Next::Failed { reason: Reason::NoSender });
    flood.store.settle(old.iter().map(over).collect(), long_ago).await.unwrap();
    let waiting = flood.opened(300, START).await;
    let source: &dyn History = &*flood.store;
    let mut follower = Follower::begin(&source).await.unwrap();

    let done = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (flood, done) = (flood.clone(), done.clone());
        async move {
            let mut open = waiting;
            for _ in 0..8 {
                open.extend(flood.opened(250, START).await);
                flood.tried(&open, START, |_| Next::Retry { at: START, reason: Reason::Unreachable }).await;
                flood
                    .tried(&open, START, |id| match id % 3 {
                        0 => Next::Sent,
                        1 => Next::Failed { reason: Reason::AttemptsExhausted },
                        _ => Next::Retry { at: START, reason: Reason::Unreachable },
                    })
                    .await;
                open.retain(|id| id % 3 == 2);
            }
            flood.tried(&open, START, |_| Next::Unknown { reason: Reason::Unknown }).await;
            done.store(true, Ordering::Release);
        }
    });
    let pruning = tokio::spawn({
        let flood = flood.clone();
        async move {
            let mut gone = 0;
            while gone < 1000 {
                gone += flood.store.prune(START - Duration::from_secs(3600), 20).await.unwrap().pushes;
            }
        }
    });
    let mut ends: HashMap<i64, String> = HashMap::new();
    loop {
        let is_over = done.load(Ordering::Acquire);
        let (news, more) = look(&mut follower, &source).await;
        for (id, state) in news.iter().filter(|(_, state)| state != "retrying") {
            assert_eq!(ends.insert(*id, state.clone()), None, "push {id} was told twice");
        }
        if is_over && !more && news.is_empty() {
            break;
        }
    }
    writing.await.unwrap();
    pruning.await.unwrap();
    let expected = |id: i64| ["sent", "failed", "unknown"][(id % 3) as usize].to_owned();
    let first = old.last().unwrap() + 1;
    let all: HashMap<i64, String> = (first..first + 300 + 8 * 250).map(|id| (id, expected(id))).collect();
    assert_eq!(ends, all);
}
