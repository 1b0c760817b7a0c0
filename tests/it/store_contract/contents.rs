//! A fire whose content is made after it is recorded: it gets its pushes once, with what was made, or a row that says why not.

use pushcron::domain::content::ContentFile;
use pushcron::domain::{ContentFrom, ContentOutcome, ContentSource, Decision, Job, PushSpec, Reason, Trigger};
use pushcron::store::{Cursor, Expand, Expansion, MadeAhead, MadeContent, NewFire, StoreError};
use rusqlite::Connection;

use crate::store_contract::sqlite::Sqlite;
use crate::store_contract::world::{World, at, cursor, fire, job, push};

fn prepared() -> Job {
    let file = ContentFile { path: "/srv/report".into(), max_age_ms: None };
    let content_from = Some(Box::new(ContentFrom::new(ContentSource::File(file))));
    let own = PushSpec { ..push("user:7", "its own text") };
    Job { push: vec![push("group:1", ""), own], content_from, ..job("report") }
}

fn made(text: Option<&str>, error: Option<&str>) -> Option<MadeContent> {
    let outcome = if text.is_some() { ContentOutcome::Made } else { ContentOutcome::Failed };
    let (text, error) = (text.map(str::to_owned), error.map(str::to_owned));
    let source = "file /srv/report".to_owned();
    Some(MadeContent {
        source,
        outcome,
        attempts: 1,
        began_at: at(1),
        made_at: at(2),
        exit_code: None,
        text,
        error,
        stale: None,
    })
}

const SEND: Expansion = Expansion::Send { unless_unchanged: false };

async fn waiting() -> (World, Connection, i64) {
    let sqlite = Sqlite::new();
    let path = sqlite.path();
    let world = World { store: sqlite.store().await, backend: Box::new(sqlite) };
    world.load(&prepared(), at(1)).await;
    let recorded = world.fire(&prepared(), at(1)).await;
    assert_eq!((recorded.pushes.len(), recorded.unexpanded), (0, 1));
    let waiting = world.store.unexpanded(0, 1000).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].definition.as_ref().unwrap(), &prepared());
    let conn = Connection::open(path).unwrap();
    (world, conn, waiting[0].fire_id)
}

fn rows(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

const TEXTS: &str = "SELECT message ->> 'text' FROM pushes ORDER BY id";

#[tokio::test]
async fn a_fire_gets_its_pushes_once_with_what_was_made() {
    let (world, conn, fire_id) = waiting().await;
    let expand = Expand {
        fire_id,
        content: made(Some("all is well"), None),
        then: SEND,
        lists: Vec::new(),
        lists_of: Vec::new(),
    };
    let pushes = world.store.expand(expand.clone(), at(3)).await.unwrap();
    assert_eq!(pushes.len(), 2);
    assert!(world.store.unexpanded(0, 1000).await.unwrap().is_empty());
    let again = Expand { content: made(Some("another"), None), ..expand };
    assert_eq!(world.store.expand(again, at(4)).await.unwrap().len(), 0);
    assert_eq!(rows(&conn, TEXTS), ["all is well", "its own text"]);
    assert_eq!(rows(&conn, "SELECT content FROM contents"), ["all is well"]);
}

#[tokio::test]
async fn a_fire_that_waits_for_a_list_of_days_gets_its_pushes_when_somebody_says_what_becomes_of_them() {
    let sqlite = Sqlite::new();
    let path = sqlite.path();
    let world = World { store: sqlite.store().await, backend: Box::new(sqlite) };
    let job = job("report");
    world.load(&job, at(1)).await;
    let held = NewFire { is_held: true, ..fire(&job, at(1)) };
    let cursor = Cursor { job: "report".into(), from: Some(at(1)), next_due_at: Some(at(2)) };
    let recorded = world.store.record_fires(vec![held], vec![cursor], at(1)).await.unwrap();
    assert_eq!((recorded.pushes.len(), recorded.unexpanded), (0, 1));
    let waiting = world.store.unexpanded(0, 1000).await.unwrap();
    assert_eq!((waiting[0].triggered_by, waiting[0].present.as_ref()), (Trigger::Cron, Some(&job)));
    // Its instant came before anything was recorded, so that nobody takes it back.
    assert_eq!(world.store.withdraw_ahead(at(3)).await.unwrap(), 0);
    let then = Expansion::Expire(Reason::NoCalendar);
    let expand = Expand { fire_id: waiting[0].fire_id, content: None, then, lists: Vec::new(), lists_of: Vec::new() };
    assert_eq!(world.store.expand(expand, at(4)).await.unwrap().len(), 0);
    let conn = Connection::open(path).unwrap();
    assert_eq!(rows(&conn, "SELECT state || ' ' || reason FROM pushes"), ["expired no_calendar"]);
    assert!(world.store.unexpanded(0, 1000).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_push_whose_content_was_never_made_is_not_sent_by_hand_without_one() {
    let (world, conn, fire_id) = waiting().await;
    let then = Expansion::Fail(Reason::Content);
    let expand =
        Expand { fire_id, content: made(None, Some("no such table")), then, lists: Vec::new(), lists_of: Vec::new() };
    assert_eq!(world.store.expand(expand, at(3)).await.unwrap().len(), 0);
    let ids: Vec<i64> = rows(&conn, "SELECT format('%d', id) FROM pushes WHERE state = 'failed' ORDER BY id")
        .iter()
        .map(|id| id.parse().unwrap())
        .collect();
    let refused = world.store.retry(ids[0], at(5)).await;
    assert!(matches!(&refused, Err(StoreError::NotAllowed(why)) if why.contains("never made")), "{refused:?}");
    world.store.retry(ids[1], at(5)).await.unwrap();
}

#[tokio::test]
async fn a_definition_that_cannot_be_read_ends_the_fire_that_waits_as_missed() {
    let (world, conn, fire_id) = waiting().await;
    conn.execute("UPDATE jobs SET definition = '{}' WHERE name = 'report'", []).unwrap();
    assert!(world.store.unexpanded(0, 1000).await.unwrap()[0].definition.is_err());
    let then = Expansion::Fail(Reason::Content);
    assert_eq!(
        world
            .store
            .expand(Expand { fire_id, content: None, then, lists: Vec::new(), lists_of: Vec::new() }, at(3))
            .await
            .unwrap()
            .len(),
        0
    );
    assert!(world.store.unexpanded(0, 1000).await.unwrap().is_empty());
    let fires = world.store.fires("report", at(0), at(9)).await.unwrap();
    let told: Vec<_> = fires.iter().map(|fire| (fire.decision, fire.reason.as_deref())).collect();
    assert_eq!(told, [(Decision::Missed, Some("definition_unreadable"))]);
}

#[tokio::test]
async fn pushes_are_numbered_by_their_fire_whatever_is_recorded_with_it() {
    let sqlite = Sqlite::new();
    let path = sqlite.path();
    let world = World { store: sqlite.store().await, backend: Box::new(sqlite) };
    let jobs = ["one", "two"].map(|name| Job { push: vec![push("group:1", "a"), push("group:2", "b")], ..job(name) });
    for job in &jobs {
        world.load(job, at(1)).await;
    }
    let cursors = jobs.iter().map(|job| cursor(job, at(1), at(2))).collect();
    world.store.record_fires(jobs.iter().map(|job| fire(job, at(1))).collect(), cursors, at(1)).await.unwrap();
    let conn = Connection::open(path).unwrap();
    let order = "SELECT format('%d', ordinal) FROM pushes ORDER BY fire_id, ordinal";
    assert_eq!(rows(&conn, order), ["0", "1", "0", "1"]);
}

/// A job with fires at 10, 20 and 30 s, recorded ahead at 1 s, of which some have a content that was made at 2 s.
async fn ahead(with_content: &[i64]) -> (World, Connection) {
    let sqlite = Sqlite::new();
    let path = sqlite.path();
    let world = World { store: sqlite.store().await, backend: Box::new(sqlite) };
    let job = prepared();
    world.load(&job, at(10)).await;
    let fires = [10, 20, 30].map(|due_at| fire(&job, at(due_at))).to_vec();
    let cursor = Cursor { job: "report".into(), from: Some(at(10)), next_due_at: Some(at(40)) };
    assert_eq!(world.store.record_fires(fires, vec![cursor], at(1)).await.unwrap().unexpanded, 3);
    for waiting in world.store.unexpanded(0, 1000).await.unwrap() {
        if with_content.iter().any(|due_at| waiting.due_at == at(*due_at)) {
            let (fire_id, content) = (waiting.fire_id, made(Some("all is well"), None));
            let expand = Expand { fire_id, content, then: SEND, lists: Vec::new(), lists_of: Vec::new() };
            assert_eq!(world.store.expand(expand, at(3)).await.unwrap().len(), 2);
        }
    }
    (world, Connection::open(path).unwrap())
}

#[tokio::test]
async fn what_is_taken_back_ahead_leaves_what_has_its_content() {
    let (world, conn) = ahead(&[10, 20]).await;
    let due_ats = rows(&conn, "SELECT due_at FROM fires ORDER BY due_at");
    assert_eq!(world.store.withdraw_ahead(at(5)).await.unwrap(), 1);
    assert_eq!(rows(&conn, "SELECT due_at FROM fires ORDER BY due_at"), due_ats[..2]);
    let job = world.store.jobs().await.unwrap().remove(0);
    assert_eq!(job.next_due_at, Some(at(30)));
    assert_eq!(job.made_ahead, Some(MadeAhead { due_at: at(20), recorded_at: at(1) }));
    assert_eq!(world.store.withdraw_ahead(at(5)).await.unwrap(), 0);
    assert!(world.store.set_paused("report", true, at(6)).await.unwrap());
    assert_eq!(rows(&conn, "SELECT due_at FROM fires"), Vec::<String>::new(), "a pause takes back all");
}

#[tokio::test]
async fn a_content_goes_with_the_clock_that_it_was_made_by_and_behind_an_instant_that_is_taken_back() {
    let (world, conn) = ahead(&[10, 20, 30]).await;
    assert_eq!(world.store.withdraw_ahead(at(1)).await.unwrap(), 3, "it was made at 2 s");
    assert_eq!(rows(&conn, "SELECT content FROM contents"), Vec::<String>::new());

    let (world, conn) = ahead(&[10, 30]).await;
    assert_eq!(world.store.withdraw_ahead(at(5)).await.unwrap(), 2);
    assert_eq!(rows(&conn, "SELECT content FROM contents"), ["all is well"]);
    assert_eq!(world.store.jobs().await.unwrap()[0].next_due_at, Some(at(20)));
}
