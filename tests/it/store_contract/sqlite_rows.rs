//! The schema itself refuses what no program should write, groups share a commit, and pages need no scan.

use std::sync::Arc;

use pushcron::domain::{LedgerIds, Next, PushState, Reason, Trigger};
use pushcron::store::{AdHoc, StoreError};
use rusqlite::Connection;

use crate::store_contract::sqlite::Sqlite;
use crate::store_contract::world::{World, at, begin, job, push};

fn run(conn: &Connection, sql: &str) -> Result<(), String> {
    conn.execute_batch(sql).map_err(|error| error.to_string())
}

/// The steps of a query's plan.
fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement =
        conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"));
    statement.query_map([], |row| row.get("detail")).unwrap().map(Result::unwrap).collect()
}

/// A world into whose file the test can reach as a person with the `sqlite3` tool does: fire 2 has push 2, sent; fire 3 has push 3, pending.
async fn world() -> (Arc<World>, Connection) {
    let sqlite = Sqlite::new();
    let path = sqlite.path();
    let world = Arc::new(World { store: sqlite.store().await, backend: Box::new(sqlite) });
    world.ended("bystander", Next::Sent).await;
    world.ended("over", Next::Sent).await;
    world.waiting("waiting").await;
    let conn = Connection::open(path).unwrap();
    (world, conn)
}

#[tokio::test]
async fn half_finished_rows_are_refused() {
    let (_world, conn) = world().await;
    let fire = "INSERT INTO fires (job, triggered_by, due_at, decision, recorded_at, revision";
    let refused = [
        // A push between two states.
        "UPDATE pushes SET state = 'sent' WHERE id = 3",
        "UPDATE pushes SET state = 'sent', finished_at = expires_at, next_attempt_at = NULL WHERE id = 3",
        "UPDATE pushes SET sent_count = 1 WHERE id = 3",
        "UPDATE pushes SET sent_count = 2 WHERE id = 2",
        "UPDATE pushes SET finished_at = NULL WHERE id = 2",
        "UPDATE pushes SET finished_at = expires_at WHERE id = 3",
        "UPDATE pushes SET next_attempt_at = NULL WHERE id = 3",
        "UPDATE pushes SET next_attempt_at = expires_at WHERE id = 2",
        "UPDATE pushes SET state = 'sending', next_attempt_at = NULL WHERE id = 3",
        "UPDATE pushes SET attempts = 1 WHERE id = 3",
        "UPDATE pushes SET state = 'retrying' WHERE id = 3",
        "UPDATE pushes SET state = 'failed', sent_count = 0 WHERE id = 2",
        "UPDATE pushes SET state = 'lost' WHERE id = 2",
        "UPDATE pushes SET confirmed_at = expires_at WHERE id = 3",
        // Words, targets and instants that are none.
        "UPDATE pushes SET target = 'room:1' WHERE id = 3",
        "UPDATE pushes SET target = 'group:' WHERE id = 3",
        "UPDATE pushes SET kind = 'poem' WHERE id = 3",
        "UPDATE pushes SET message = 'not json' WHERE id = 3",
        "UPDATE pushes SET expires_at = '2026-01-01 00:00:00' WHERE id = 3",
        "UPDATE pushes SET attempts = 'many' WHERE id = 3",
        "UPDATE pushes SET fire_id = 4711 WHERE id = 3",
        "UPDATE pushes SET fire_id = 2, ordinal = 0 WHERE id = 3",
        // Fires that explain nothing.
        &format!(
            "{fire}) VALUES ('over', 'cron', '2026-01-01T00:00:00.000Z', 'skipped', '2026-01-01T00:00:00.000Z', 1)"
        ),
        &format!(
            "{fire}) VALUES (NULL, 'cron', '2026-01-01T00:00:00.000Z', 'fired', '2026-01-01T00:00:00.000Z', NULL)"
        ),
        &format!(
            "{fire}) VALUES ('nobody', 'cron', '2026-01-01T00:00:00.000Z', 'fired', '2026-01-01T00:00:00.000Z', 1)"
        ),
        &format!(
            "{fire}, count) VALUES ('over', 'cron', '2026-01-01T00:00:00.000Z', 'fired', '2026-01-01T00:00:00.000Z', 1, 2)"
        ),
        &format!(
            "{fire}, reason, count) VALUES ('over', 'cron', '2026-01-01T00:00:00.000Z', 'missed', '2026-01-01T00:00:00.000Z', 1, 'off', 2)"
        ),
        &format!(
            "{fire}, chat_im, chat_account) VALUES ('over', 'cron', '2026-01-01T00:00:00.000Z', 'fired', '2026-01-01T00:00:00.000Z', 1, 'qq', 'bot')"
        ),
        // An attempt that closes without an outcome, or learns without closing; two of one number.
        "UPDATE attempts SET outcome = NULL WHERE push_id = 2",
        "UPDATE attempts SET finished_at = NULL WHERE push_id = 2",
        "UPDATE attempts SET outcome = 'maybe' WHERE push_id = 2",
        "UPDATE attempts SET rule = 'dice' WHERE push_id = 2",
        "INSERT INTO attempts (push_id, number, account, rule, sender, started_at)
         SELECT push_id, number, account, rule, sender, started_at FROM attempts WHERE push_id = 2",
        // Definitions.
        "UPDATE jobs SET definition = '{' WHERE name = 'over'",
        "UPDATE jobs SET enabled = 7 WHERE name = 'over'",
        "UPDATE jobs SET name = '' WHERE name = 'over'",
        "DELETE FROM jobs WHERE name = 'over'",
    ];
    for sql in refused {
        assert!(run(&conn, sql).is_err(), "accepted: {sql}");
    }
}

#[tokio::test]
async fn a_second_fire_of_the_same_instant_is_refused_by_the_table_itself() {
    let (_world, conn) = world().await;
    let copy = "INSERT INTO fires (job, triggered_by, due_at, decision, recorded_at, revision)
                SELECT job, triggered_by, due_at, decision, recorded_at, revision FROM fires WHERE id = 2";
    let error = run(&conn, copy).unwrap_err();
    assert!(error.contains("UNIQUE"), "{error}");
}

#[tokio::test]
async fn ids_are_never_used_again() {
    let (world, conn) = world().await;
    world.ended("last", Next::Sent).await;
    run(&conn, "DELETE FROM fires").unwrap();
    let next = world.waiting("next").await;
    assert_eq!(next.id, 5, "else an idempotency key would come back with another message");
}

#[tokio::test]
async fn a_row_that_a_hand_deleted_stays_missed_whatever_the_store_deletes_after_it() {
    let (world, conn) = world().await;
    let missing =
        async || -> Vec<i64> { world.store.ledger_ids().await.unwrap().iter().map(|ids| ids.missing()).collect() };
    assert_eq!(missing().await, [0, 0]);
    run(&conn, "DELETE FROM pushes WHERE id = 2").unwrap();
    assert_eq!(missing().await, [0, 1], "its fire is still there");
    run(&conn, "DELETE FROM fires WHERE id = 3").unwrap();
    assert_eq!(missing().await, [1, 2], "its push went with it");

    world.waiting("waits").await;
    assert_eq!(world.store.withdraw_ahead(at(-1)).await.unwrap(), 0);
    let ahead = job("ahead");
    world.load(&ahead, at(0)).await;
    world.fire_seen(&ahead, at(0), at(-5)).await;
    assert_eq!(world.store.withdraw_ahead(at(-5)).await.unwrap(), 1);
    assert!(world.store.prune(at(9000), 10).await.unwrap().fires > 1);
    assert_eq!(missing().await, [1, 2]);

    // A row with an id of the hand's own choosing makes up for nothing but itself.
    run(
        &conn,
        "INSERT INTO fires (id, triggered_by, due_at, decision, recorded_at)
         VALUES (-1, 'manual', '2026-01-01T00:00:00.000Z', 'fired', '2026-01-01T00:00:00.000Z'),
                (-2, 'manual', '2026-01-01T00:00:01.000Z', 'fired', '2026-01-01T00:00:01.000Z')",
    )
    .unwrap();
    assert_eq!(missing().await, [-1, 2], "two rows too many beside one that is missing");
}

#[tokio::test]
async fn what_had_no_row_before_the_counting_began_is_not_missed_and_what_goes_later_is() {
    let sqlite = Sqlite::new();
    let world = World { store: sqlite.store().await, backend: Box::new(Sqlite::new()) };
    for name in ["first", "second", "third"] {
        world.ended(name, Next::Sent).await;
    }
    world.store.close().await;
    let conn = Connection::open(sqlite.path()).unwrap();
    run(&conn, "DELETE FROM fires WHERE id = 1; DELETE FROM pushes WHERE id = 2").unwrap();
    run(
        &conn,
        "DROP VIEW push_history; ALTER TABLE attempts DROP COLUMN denied_at; ALTER TABLE pushes DROP COLUMN detail; ALTER TABLE accounts DROP COLUMN failures;
         DROP TABLE recipient_lists; ALTER TABLE pushes DROP COLUMN recipient; DROP TABLE contents; DROP TABLE unexpanded_fires; DROP INDEX pushes_fallbacks; ALTER TABLE pushes DROP COLUMN fallback; ALTER TABLE pushes DROP COLUMN parent_id;
         ALTER TABLE pushes DROP COLUMN role; DROP VIEW job_overview; ALTER TABLE pushes DROP COLUMN render; ALTER TABLE pushes DROP COLUMN content_hash;
         ALTER TABLE jobs DROP COLUMN fired; ALTER TABLE job_revisions DROP COLUMN ended_at;
         ALTER TABLE jobs DROP COLUMN fires_left; ALTER TABLE jobs DROP COLUMN counted;
         ALTER TABLE jobs DROP COLUMN source; ALTER TABLE jobs DROP COLUMN ended_at;
         DROP TABLE calendars; ALTER TABLE fires DROP COLUMN calendar; DROP TABLE gone_ids; DROP TABLE pruned_fires;
         DROP TABLE hours; DROP TABLE job_days; DROP TABLE acts; DROP TABLE request_keys; DROP TABLE fetched_calendars; DROP TABLE unreleased_fires; DROP TABLE last_lists;
         PRAGMA user_version = 2",
    )
    .unwrap();
    let store = sqlite.store().await;
    let told = |ids: &LedgerIds| (ids.given, ids.kept, ids.before, ids.missing());
    let ids = store.ledger_ids().await.unwrap();
    assert_eq!(ids.iter().map(told).collect::<Vec<_>>(), [(3, 2, 1, 0), (3, 1, 2, 0)]);
    run(&conn, "DELETE FROM fires WHERE id = 3").unwrap();
    let ids = store.ledger_ids().await.unwrap();
    assert_eq!(ids.iter().map(LedgerIds::missing).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn all_rows_are_counted_by_an_index_and_not_by_their_messages() {
    let (_world, conn) = world().await;
    for sql in ["SELECT count(*) FROM fires", "SELECT count(*) FROM pushes"] {
        let plan = plan(&conn, sql);
        assert!(plan.iter().all(|step| step.contains("USING COVERING INDEX")), "{sql}: {plan:?}");
    }
}

#[tokio::test]
async fn a_refused_write_spoils_none_that_waited_with_it() {
    let (world, _conn) = world().await;
    let first = world.waiting("first").await.id;
    let second = world.waiting("second").await.id;
    let mut without_time = push("user:1", "x");
    without_time.timeout = std::time::Duration::ZERO;
    let refused = AdHoc { spec: without_time, triggered_by: Trigger::Manual, chat: None };
    let accepted = AdHoc { spec: push("user:1", "x"), triggered_by: Trigger::Manual, chat: None };

    let store = &world.store;
    let (one, bad, good, absent, two) = tokio::join!(
        store.begin_attempts(vec![begin(first)], at(0)),
        store.push_ad_hoc(refused, at(0)),
        store.push_ad_hoc(accepted, at(0)),
        store.cancel(4711, at(0)),
        store.begin_attempts(vec![begin(second)], at(0)),
    );
    assert!(matches!(bad, Err(StoreError::Refused(_))), "{bad:?}");
    assert!(matches!(absent, Err(StoreError::NotFound(_))), "{absent:?}");
    assert_eq!(one.unwrap()[0].push_id, first);
    assert_eq!(two.unwrap()[0].push_id, second);
    assert_eq!(world.state(good.unwrap()).await, PushState::Pending);
    assert_eq!(world.state(first).await, PushState::Sending);
}

#[tokio::test]
async fn calls_that_share_a_commit_get_each_their_own_answers() {
    let (world, _conn) = world().await;
    let mut ids = Vec::new();
    for i in 0..6 {
        ids.push(world.waiting(&format!("job{i}")).await.id);
    }
    let store = &world.store;
    let begin_all = |ids: &[i64]| store.begin_attempts(ids.iter().copied().map(begin).collect(), at(0));
    // The third call asks for a push that the first has taken.
    let (a, b, c) = tokio::join!(begin_all(&ids[..2]), begin_all(&ids[2..5]), begin_all(&[ids[0], ids[5]]));
    let of = |deliveries: Vec<pushcron::domain::Delivery>| -> Vec<i64> {
        deliveries.iter().map(|delivery| delivery.push_id).collect()
    };
    assert_eq!((of(a.unwrap()), of(b.unwrap()), of(c.unwrap())), (ids[..2].to_vec(), ids[2..5].to_vec(), vec![ids[5]]));
}

#[tokio::test]
async fn writes_that_wait_together_share_a_commit() {
    let sqlite = Sqlite::new();
    let store = sqlite.store().await;
    let before = commits(&sqlite);
    let writes = (0..100).map(|i| {
        let store = store.clone();
        tokio::spawn(async move { store.save_state("bot", &format!("key{i}"), "value", at(0)).await.unwrap() })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    let commits = commits(&sqlite) - before;
    assert!((1..=20).contains(&commits), "{commits} commits for 100 writes");
    assert_eq!(store.load_state("bot").await.unwrap().len(), 100);
}

/// Frames of the write-ahead log that end a commit: those that tell the size of the database after it.
fn commits(sqlite: &Sqlite) -> usize {
    let log = std::fs::read(sqlite.path().with_extension("db-wal")).unwrap();
    let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
    log[32..].chunks_exact(24 + page).filter(|frame| frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn the_newest_page_and_every_lookup_use_an_index() {
    let (_world, conn) = world().await;
    let queries = [
        "SELECT * FROM push_history ORDER BY id DESC LIMIT 50",
        "SELECT * FROM push_history WHERE job = 'x' ORDER BY due_at DESC LIMIT 50",
        "SELECT * FROM push_history WHERE due_at >= '2026' ORDER BY due_at DESC LIMIT 50",
        "SELECT * FROM push_history WHERE im = 'qq' ORDER BY id DESC LIMIT 50",
        "SELECT * FROM push_history WHERE account = 'bot' ORDER BY id DESC LIMIT 50",
        "SELECT * FROM due_pushes",
        "SELECT * FROM unknown_pushes",
        "SELECT * FROM failures_today",
    ];
    for sql in queries {
        let plan = plan(&conn, sql);
        // "SCAN p" by descending rowid is how the newest page is walked; LIMIT ends it after fifty.
        let walks = |step: &str| step.starts_with("SCAN") && !step.contains("USING INDEX") && step != "SCAN p";
        assert!(!plan.iter().any(|step| walks(step)), "{sql}: {plan:?}");
        let sorts = plan.iter().any(|step| step.ends_with("TEMP B-TREE FOR ORDER BY"));
        assert!(!sorts, "{sql}: {plan:?}");
        let newest_only = sql.contains("ORDER BY id DESC") && !sql.contains("WHERE");
        assert!(newest_only || !plan.iter().any(|step| step == "SCAN p"), "{sql}: {plan:?}");
    }
}

#[tokio::test]
async fn every_query_of_the_pages_runs_and_none_reads_the_whole_history() {
    let (_world, conn) = world().await;
    let pages = ["README.md", "README.zh-CN.md", "docs/queries.md", "docs/first-hour.md", "docs/zh/first-hour.md"];
    let text = pages.map(|page| std::fs::read_to_string(page).unwrap()).concat();
    let queries: Vec<&str> =
        text.lines().filter(|line| line.starts_with("$ sqlite3")).filter_map(|line| line.split('"').nth(1)).collect();
    assert!(queries.len() >= 14, "{queries:?}");
    for sql in queries {
        let mut statement = conn.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let mut rows = statement.query([]).unwrap();
        while rows.next().unwrap_or_else(|error| panic!("{sql}: {error}")).is_some() {}
        for step in plan(&conn, sql) {
            let whole = ["SCAN p", "SCAN pushes", "SCAN f", "SCAN fires", "SCAN attempts"].contains(&step.as_str());
            let ends_early = sql.contains("order by id desc limit");
            assert!(!whole || ends_early, "{sql}: {step}");
        }
    }
}

#[tokio::test]
async fn the_docs_name_every_table_and_column_and_the_version() {
    let (_world, conn) = world().await;
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema.md")).unwrap();
    let mut statement = conn
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
          WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid",
        )
        .unwrap();
    let columns: Vec<(String, String)> =
        statement.query_map([], |row| row.try_into()).unwrap().map(Result::unwrap).collect();
    let section = |table: &str| {
        let heading = format!("### `{table}`");
        let from = docs.find(&heading).unwrap_or_else(|| panic!("docs/schema.md has no heading {heading}"));
        let rest = &docs[from + heading.len()..];
        rest[..rest.find("\n##").unwrap_or(rest.len())].to_owned()
    };
    for (table, column) in &columns {
        assert!(section(table).contains(&format!("`{column}`")), "docs/schema.md: {table}.{column} is missing");
    }
    assert!(columns.len() > 100, "{}", columns.len());
    let version: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert!(docs.contains(&format!("this page describes version {version} ")), "docs/schema.md: not version {version}");
}

/// In a busy chat most proofs are of what others wrote.
#[tokio::test]
async fn a_proof_of_a_foreign_message_does_not_wait_for_the_writer() {
    let (world, conn) = world().await;
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(world.store.confirm("bot_a", "not ours", at(9)).await, Ok(false));
    assert_eq!(world.store.confirm("bot_b", "m2", at(9)).await, Ok(false), "another account's");
    conn.execute_batch("COMMIT").unwrap();
    assert_eq!(world.store.confirm("bot_a", "m2", at(86_500)).await, Ok(false), "of the day before");
    assert_eq!(world.store.confirm("bot_a", "m2", at(9)).await, Ok(true));
}

#[tokio::test]
async fn what_an_earlier_release_had_not_told_yet_is_told_by_the_next() {
    let sqlite = Sqlite::new();
    let world = World { store: sqlite.store().await, backend: Box::new(Sqlite::new()) };
    let told = world.ended("told", Next::Failed { reason: Reason::Rejected }).await;
    let untold = world.ended("untold", Next::Expired { reason: Reason::TooLate }).await;
    world.ended("sent", Next::Sent).await;
    world
        .store
        .save_state("", "on_failure", &format!("{{\"push\":{{\"until\":\"{}\",\"down\":[]}}}}", at(5)), at(5))
        .await
        .unwrap();
    world.store.close().await;
    let conn = Connection::open(sqlite.path()).unwrap();
    conn.execute("UPDATE pushes SET finished_at = ?2 WHERE id = ?1", (untold, at(6).to_string())).unwrap();
    conn.execute_batch(
        "DROP VIEW push_history; ALTER TABLE attempts DROP COLUMN denied_at; ALTER TABLE pushes DROP COLUMN detail; ALTER TABLE accounts DROP COLUMN failures;
         DROP TABLE recipient_lists; ALTER TABLE pushes DROP COLUMN recipient; DROP TABLE contents; DROP TABLE unexpanded_fires; DROP INDEX pushes_fallbacks; ALTER TABLE pushes DROP COLUMN fallback; ALTER TABLE pushes DROP COLUMN parent_id;
         ALTER TABLE pushes DROP COLUMN role; DROP VIEW job_overview; ALTER TABLE pushes DROP COLUMN render; ALTER TABLE pushes DROP COLUMN content_hash;
         ALTER TABLE jobs DROP COLUMN fired; ALTER TABLE job_revisions DROP COLUMN ended_at;
         ALTER TABLE jobs DROP COLUMN fires_left; ALTER TABLE jobs DROP COLUMN counted;
         ALTER TABLE jobs DROP COLUMN source; ALTER TABLE jobs DROP COLUMN ended_at;
         DROP TABLE calendars; ALTER TABLE fires DROP COLUMN calendar; DROP TABLE gone_ids; DROP TABLE pruned_fires;
         DROP TRIGGER pushes_end_badly; DROP TABLE bad_ends; DROP INDEX blobs_used;
         DROP TABLE hours; DROP TABLE job_days; DROP TABLE acts; DROP TABLE request_keys; DROP TABLE fetched_calendars; DROP TABLE unreleased_fires; DROP TABLE last_lists;
         PRAGMA user_version = 1",
    )
    .unwrap();
    drop(conn);
    let store = sqlite.store().await;
    let ends = store.bad_ends(0, None, None, 10).await.unwrap();
    assert_eq!(ends.first.iter().map(|end| end.id).collect::<Vec<_>>(), [untold], "push {told} was told");
    store.prune(at(100), 10).await.unwrap();
    assert!(store.bad_ends(0, None, None, 10).await.unwrap().first.is_empty(), "what is deleted is told no more");
}

#[tokio::test]
async fn a_job_with_the_strangest_name_is_only_a_name() {
    let (world, _conn) = world().await;
    let name = "'; DROP TABLE fires; -- \" \\ 日报 😀 \u{7}";
    let waiting = world.waiting(name).await;
    assert_eq!(waiting.job.as_deref(), Some(name));
    let mut strange = job(name);
    strange.push = vec![push("user:1", "line\nbreak \u{0} NUL '\"")];
    world
        .store
        .apply_jobs(vec![crate::store_contract::world::change(strange.clone(), at(1))], vec![], at(0))
        .await
        .unwrap();
    let again = world.fire(&strange, at(1)).await.pushes.remove(0);
    assert_eq!(world.begin(again.id, at(1)).await.message, strange.push[0].message);
}

#[tokio::test]
async fn figures_that_somebody_emptied_are_made_anew() {
    let (world, conn) = world().await;
    let later = at(40 * 3600);
    let made = async || {
        while world.store.fold_hours(later).await.unwrap() {}
        let told = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        let hours =
            told("SELECT json_group_array(json_array(hour, account, sent, failed, unknown, open, most_ms)) FROM hours");
        hours
            + &told(
                "SELECT json_group_array(json_array(job, day, zone, fired, sent, failed, unknown, open)) FROM job_days",
            )
    };
    let first = made().await;
    assert!(first.contains("bot_a") && first.contains("Asia/Shanghai"), "{first}");
    let docs = std::fs::read_to_string("docs/schema.md").unwrap();
    let sql = docs.lines().find(|line| line.contains("delete from hours")).unwrap().split('"').nth(1).unwrap();
    run(&conn, sql).unwrap();
    assert_eq!(made().await, first);
}
