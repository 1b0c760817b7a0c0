//! The schema, beside SQLite's, and how it comes to be.

use std::collections::BTreeMap;

use pushcron::store::postgres::PostgresStore;
use pushcron::store::{Access, StoreError};
use rusqlite::Connection;
use sqlx::Row;

use super::cluster::{cluster, look};
use super::{NINE, open};

/// What a fleet has beside what one host needs, and what SQLite keeps by itself: which migrations were made, and the ids given.
const BESIDE: [&str; 6] = ["given_ids", "host_overview", "hosts", "pushcron_migrations", "seat_overview", "seats"];

/// Tables and views of SQLite's newest schema, with their columns in order.
fn sqlite() -> BTreeMap<String, Vec<String>> {
    let conn = Connection::open_in_memory().unwrap();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        conn.execute_batch(&std::fs::read_to_string(file).unwrap()).unwrap();
    }
    let names = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'";
    let names: Vec<String> =
        conn.prepare(names).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let columns = |name: &str| {
        let mut columns = conn.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid").unwrap();
        columns.query_map([name], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    names.iter().map(|name| (name.clone(), columns(name))).collect()
}

#[tokio::test]
async fn tables_views_and_columns_have_the_names_and_the_order_of_sqlite() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    open(&address).await.close().await;
    let columns = "SELECT table_name::text, column_name::text FROM information_schema.columns
                    WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position";
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in sqlx::query(columns).fetch_all(&mut look(&address).await).await.unwrap() {
        found.entry(row.get(0)).or_default().push(row.get(1));
    }
    for name in BESIDE {
        assert!(found.remove(name).is_some(), "there is no {name}");
    }
    assert_eq!(found, sqlite());
}

/// The partial indexes are what questions of SQLite's are made for; these are made alike.
#[tokio::test]
async fn every_index_of_sqlite_has_its_like() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    open(&address).await.close().await;
    let found: Vec<String> = sqlx::query("SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema()")
        .fetch_all(&mut look(&address).await)
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    let mut looked_for = 0;
    for file in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for name in text.split("CREATE INDEX ").skip(1).filter_map(|rest| rest.split_whitespace().next()) {
            assert!(found.iter().any(|index| index == name), "there is no index {name}");
            looked_for += 1;
        }
    }
    assert!(looked_for > 10, "only {looked_for} indexes were found");
}

/// Rows that SQLite's schema takes and refuses.
#[tokio::test]
async fn the_course_of_a_push_is_checked_as_in_sqlite() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    open(&address).await.close().await;
    let mut conn = look(&address).await;
    let fire = "INSERT INTO jobs (name, schedule, timezone, enabled, definition, definition_hash, revision, loaded_at)
                VALUES ('j', 'every 1s', 'UTC', true, '{}', 1, 1, '2026-01-01');
                INSERT INTO fires (id, job, triggered_by, due_at, decision, recorded_at, revision, zone)
                VALUES (1, 'j', 'cron', '2026-01-01 09:00Z', 'fired', '2026-01-01', 1, 'Asia/Shanghai 2026a');
                INSERT INTO pushes (id, fire_id, ordinal, im, target, kind, message, timeout_ms, state, max_attempts,
                                    next_attempt_at, expires_at)
                VALUES (1, 1, 0, 'qq', 'group:1', 'text', '{\"text\":\"b\",\"a\":1}', 1000, 'pending', 3, '2026-01-01 09:00Z', '2026-01-02')";
    sqlx::raw_sql(fire).execute(&mut conn).await.unwrap();
    for refused in [
        "UPDATE pushes SET state = 'sending'",
        "UPDATE pushes SET state = 'sent', finished_at = now(), next_attempt_at = NULL",
        "UPDATE pushes SET state = 'failed', finished_at = now(), next_attempt_at = NULL",
        "UPDATE pushes SET state = 'lost'",
        "UPDATE pushes SET target = 'group:'",
        "UPDATE pushes SET message = '{'",
        "UPDATE fires SET count = 2",
        "INSERT INTO fires (job, triggered_by, due_at, decision, recorded_at, revision)
         VALUES ('j', 'cron', '2026-01-01 09:00Z', 'fired', '2026-01-01', 1)",
        "INSERT INTO hours VALUES ('2026-01-01 09:30Z', '', '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    ] {
        assert!(sqlx::raw_sql(refused).execute(&mut conn).await.is_err(), "this was taken: {refused}");
    }
    let course = "UPDATE pushes SET state = 'sending', attempts = 1, account = 'bot', next_attempt_at = NULL;
                  INSERT INTO attempts (push_id, number, account, rule, sender, started_at)
                  VALUES (1, 1, 'bot', 'im_default', 'console', '2026-01-01 09:00:00.012Z');
                  UPDATE pushes SET state = 'unknown', reason = 'interrupted', finished_at = '2026-01-01 09:00:01Z'";
    sqlx::raw_sql(course).execute(&mut conn).await.unwrap();
    let told = sqlx::query("SELECT lateness_ms, timezone, (SELECT count(*) FROM bad_ends), (SELECT count(*) FROM unknown_pushes),
                                   (SELECT last_pushes || open_pushes FROM job_overview), (SELECT message::text FROM pushes)
                              FROM push_history");
    let told = told.fetch_one(&mut conn).await.unwrap();
    assert_eq!((told.get::<i64, _>(0), told.get::<&str, _>(1)), (12, "Asia/Shanghai"));
    assert_eq!((told.get::<i64, _>(2), told.get::<i64, _>(3)), (1, 1));
    assert_eq!((told.get::<&str, _>(4), told.get::<&str, _>(5)), ("unknown0", r#"{"text":"b","a":1}"#));
}

#[tokio::test]
async fn ten_that_open_an_empty_database_at_once_make_its_schema_once() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let all = futures_util::future::join_all((0..10).map(|_| open(&address))).await;
    let mut conn = look(&address).await;
    let made = "SELECT (SELECT count(*) FROM pushcron_migrations),
                       (SELECT value FROM meta WHERE key = 'created_at'),
                       (SELECT value ~ '^[0-9a-f]{10}$' FROM meta WHERE key = 'database_id')";
    let made = sqlx::query(made).fetch_one(&mut conn).await.unwrap();
    let steps = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres")).unwrap().count();
    assert_eq!((made.get::<i64, _>(0), made.get::<bool, _>(2)), (steps as i64, true));
    assert_eq!(made.get::<&str, _>(1), "2026-01-01T09:00:00.000Z");
    for store in all {
        store.close().await;
    }
}

#[tokio::test]
async fn a_database_of_others_of_a_later_release_or_of_another_make_is_refused_and_left_as_it_is() {
    let Some(cluster) = cluster() else { return };
    let cases = [
        (false, "CREATE TABLE guests (name text)", "tables of others"),
        (true, "INSERT INTO pushcron_migrations VALUES (99, 'x', now())", "use the newer pushcron"),
        (true, "UPDATE pushcron_migrations SET sha256 = 'x' WHERE version = 1", "not made by this pushcron's step"),
    ];
    for (is_ours, change, told) in cases {
        let address = cluster.database("").await;
        if is_ours {
            open(&address).await.close().await;
        }
        let mut conn = look(&address).await;
        sqlx::raw_sql(change).execute(&mut conn).await.unwrap();
        let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace";
        let before: i64 = sqlx::query(tables).fetch_one(&mut conn).await.unwrap().get(0);
        let refused = PostgresStore::open(&address, Access::Daemon, NINE).await.expect_err(told);
        assert!(matches!(&refused, StoreError::Open { .. }) && refused.to_string().contains(told), "{refused}");
        let after: i64 = sqlx::query(tables).fetch_one(&mut conn).await.unwrap().get(0);
        assert_eq!(before, after, "{change}");
    }
}
