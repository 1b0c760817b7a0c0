//! Rows of earlier versions are read for ever: a database that 0.1.0 wrote (`tests/data/rows-0.1.0`), as it is, with
//! what a later version might have added, and without what it might have left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pushcron::domain::job::DstGap;
use pushcron::domain::{
    Body, Database, Item, Job, Kind, Misfire, MisfirePolicy, Overlap, RetryPolicy, Rule, Schedule, Target, UtcMs,
};
use pushcron::store::{self, Access, Begin, OpenPush, SharedStore, Store};
use rusqlite::Connection;
use tempfile::TempDir;

/// A few seconds after the last row was written.
const NOW: UtcMs = UtcMs(1_795_881_900_000);

/// The rows of 0.1.0, changed by `sql`, behind the store.
async fn rows_after(sql: &str) -> (TempDir, Connection, SharedStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.db");
    let rows = Connection::open(&path).unwrap();
    rows.execute_batch(&std::fs::read_to_string("tests/data/rows-0.1.0/database.sql").unwrap()).unwrap();
    rows.execute_batch(sql).unwrap();
    let store = store::open(&Database::at(&path), Access::Daemon, NOW).await.unwrap();
    (directory, rows, store)
}

fn definitions(rows: &Connection) -> BTreeMap<String, Job> {
    let mut statement = rows.prepare("SELECT name, definition FROM jobs").unwrap();
    let read = |row: &rusqlite::Row| Ok((row.get(0)?, row.get::<_, String>(1)?));
    let rows = statement.query_map([], read).unwrap().map(Result::unwrap);
    rows.map(|(name, json): (String, _)| (name, serde_json::from_str(&json).unwrap())).collect()
}

/// Everything that the daemon reads of them, read: jobs, open pushes, what is sent of each, and a fire by hand.
async fn read_all(store: &dyn Store) -> BTreeMap<String, pushcron::domain::Delivery> {
    let jobs = store.jobs().await.unwrap();
    assert_eq!(jobs.len(), 10);
    let open: Vec<OpenPush> = store.open_pushes().await.unwrap();
    let begin = |push: &OpenPush| Begin {
        push_id: push.id,
        account: Arc::from("bot"),
        sender: "onebot11",
        rule: Rule::ImDefault,
    };
    let deliveries = store.begin_attempts(open.iter().map(begin).collect(), NOW).await.unwrap();
    assert_eq!(deliveries.len(), open.len(), "every open push can be sent");
    for job in &jobs {
        store.fire_by_hand(&job.name, NOW).await.unwrap_or_else(|error| panic!("{}: {error}", job.name));
    }
    // Of each job the first, which is the one that was tried most.
    let mut by_job = BTreeMap::new();
    for delivery in deliveries {
        by_job.entry(delivery.job.clone().unwrap()).or_insert(delivery);
    }
    by_job
}

#[tokio::test]
async fn of_the_ids_that_0_1_0_gave_none_is_missed_until_one_goes() {
    let (_directory, rows, store) = rows_after("DELETE FROM pushes WHERE id = 1").await;
    let missing =
        async || store.ledger_ids().await.unwrap().iter().map(|ids| (ids.given, ids.missing())).collect::<Vec<_>>();
    assert_eq!(missing().await, [(28, 0), (27, 0)]);
    assert_eq!(rows.execute("DELETE FROM pushes WHERE id = 2", []).unwrap(), 1);
    assert_eq!(missing().await, [(28, 0), (27, 1)]);
}

#[tokio::test]
async fn rows_of_0_1_0_mean_what_they_meant() {
    let (_directory, rows, store) = rows_after("").await;
    let jobs = definitions(&rows);
    let policies = &jobs["policies"];
    assert_eq!((&*policies.timezone, policies.enabled), ("Asia/Shanghai", true));
    assert_eq!((policies.overlap, policies.dst_gap), (Overlap::Skip, DstGap::Skip));
    let hours = |count: u64| Duration::from_secs(count * 3600);
    let expected = Misfire { policy: MisfirePolicy::All, within: hours(3), grace: Duration::from_secs(90), max: 42 };
    assert_eq!(policies.misfire, expected);
    let retry = RetryPolicy {
        max_attempts: 7,
        backoff: Duration::from_secs(11),
        factor: 3.0,
        max_backoff: Duration::from_secs(780),
        jitter: 0.5,
        give_up_after: hours(500 * 24),
        resend_unknown: true,
    };
    assert_eq!(((*policies.push[0].retry).clone(), policies.push[0].timeout), (retry.clone(), Duration::from_secs(7)));
    assert_eq!(jobs["cron"].schedule, Schedule::Cron("30 2 * * MON-FRI".to_owned()));
    assert_eq!((jobs["cron"].enabled, jobs["cron"].overlap), (false, Overlap::Replace));
    assert_eq!(jobs["at"].schedule, Schedule::At("2099-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(jobs["text"].schedule, Schedule::Every(3000));

    let deliveries = read_all(&*store).await;
    let kinds: Vec<Kind> =
        ["text", "image", "voice", "video", "file", "mixed"].map(|job| deliveries[job].message.body.kind()).to_vec();
    assert_eq!(kinds, Kind::ALL, "every kind stands in the rows");
    assert_eq!(deliveries["text"].message.title.as_deref(), Some("T"));
    let Body::Image(image) = &deliveries["image"].message.body else { panic!() };
    assert_eq!(
        (image.filename.as_deref(), image.mime_type.as_deref(), image.caption.as_deref()),
        (Some("a.png"), Some("image/png"), Some("c"))
    );
    assert_eq!(deliveries["image"].target, Target::User("2".to_owned()));
    let Body::Video(video) = &deliveries["video"].message.body else { panic!() };
    assert_eq!(video.cover.as_deref(), Some("https://example.org/a.png"));
    let Body::Mixed { items } = &deliveries["mixed"].message.body else { panic!() };
    assert!(matches!(
        &items[..],
        [
            Item::Text { .. },
            Item::Markdown { .. },
            Item::Image(_),
            Item::Voice(_),
            Item::Video(_),
            Item::File(_),
            Item::At { .. },
            Item::AtAll
        ]
    ));
    assert_eq!((deliveries["policies"].retry.clone(), deliveries["policies"].max_attempts), (retry, 7));
    let parts = &deliveries["parts"].parts;
    assert_eq!((parts.len(), parts[0].is_sent(), parts[0].message_id.as_deref()), (2, true, Some("7")));
    assert!(!parts[1].is_sent());
}

/// A downgrade must not stop anything either.
#[tokio::test]
async fn what_a_later_version_added_is_passed_over() {
    let (_directory, rows, store) = rows_after(
        "UPDATE jobs SET definition = json_set(definition, '$.later', json('{\"a\": 1}'), '$.misfire.later', 1,
                '$.push[0].later', 1, '$.push[0].retry.later', 1, '$.push[0].message.later', json('[1]'));
         UPDATE pushes SET message = json_set(message, '$.later', 1), retry = json_set(retry, '$.later', 1),
                parts = json_set(parts, '$[0].later', 1);
         UPDATE pushes SET message = json_set(message, '$.items[0].later', 1, '$.items[2].later', 1)
          WHERE kind = 'mixed'",
    )
    .await;
    assert_eq!(definitions(&rows).len(), 10);
    assert_eq!(read_all(&*store).await.len(), 8);
}

#[tokio::test]
async fn what_a_row_does_not_say_has_its_built_in_value() {
    let (_directory, rows, store) = rows_after(
        "UPDATE jobs SET definition = json_remove(definition, '$.timezone', '$.enabled', '$.misfire', '$.overlap',
                '$.dst_gap', '$.push[0].timeout_ms', '$.push[0].retry', '$.push[0].account')
          WHERE name <> 'policies';
         UPDATE jobs SET definition = json_remove(definition, '$.misfire.max', '$.misfire.policy',
                '$.misfire.within_ms', '$.misfire.grace_ms', '$.push[0].retry.max_attempts',
                '$.push[0].retry.backoff_ms', '$.push[0].retry.factor', '$.push[0].retry.max_backoff_ms',
                '$.push[0].retry.jitter', '$.push[0].retry.give_up_after_ms', '$.push[0].retry.resend_unknown')
          WHERE name = 'policies';
         UPDATE pushes SET retry = '{}', parts = json_remove(parts, '$[0].part', '$[0].message_id')",
    )
    .await;
    let jobs = definitions(&rows);
    let text = &jobs["text"];
    assert_eq!((&*text.timezone, text.enabled, text.overlap), ("UTC", true, Overlap::Allow));
    assert_eq!((text.misfire.clone(), text.dst_gap), (Misfire::default(), DstGap::Fire));
    assert_eq!(
        (text.push[0].timeout, (*text.push[0].retry).clone()),
        (Duration::from_secs(15), RetryPolicy::default())
    );
    assert_eq!(jobs["policies"].misfire, Misfire::default());
    assert_eq!(*jobs["policies"].push[0].retry, RetryPolicy::default());
    let deliveries = read_all(&*store).await;
    assert_eq!(deliveries["text"].retry, RetryPolicy::default());
    assert!(deliveries["parts"].parts[0].is_sent());
}
