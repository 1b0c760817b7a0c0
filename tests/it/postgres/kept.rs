//! What senders keep, and media, as the contract of every store has it.

use pushcron::domain::UtcMs;
use pushcron::store::{AccountState, Blobs};

use super::cluster::cluster;
use super::{NINE, open};

#[tokio::test]
async fn a_sender_finds_its_memory_again_and_no_other() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let store = open(&address).await;
    for (account, key, value) in [("bot_a", "token", "t1"), ("bot_b", "token", "u1"), ("bot_a", "token", "t2")] {
        store.save_state(account, key, value, NINE).await.unwrap();
    }
    store.save_state("bot_a", "cursor", "é \u{1F600}", NINE).await.unwrap();
    store.close().await;
    let again = open(&address).await;
    let kept = again.load_state("bot_a").await.unwrap();
    assert_eq!(kept, [("cursor".into(), "é \u{1F600}".into()), ("token".into(), "t2".into())]);
    assert_eq!(again.load_state("bot_c").await.unwrap(), []);
    again.close().await;
}

#[tokio::test]
async fn the_same_bytes_are_stored_once_and_remember_their_last_use() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let store = open(&address).await;
    let later = UtcMs(NINE.0 + 1001);
    let first = store.put_blob(b"\0png\xff".to_vec(), later).await.unwrap();
    assert_eq!(store.put_blob(b"\0png\xff".to_vec(), NINE).await.unwrap(), first);
    assert_eq!(store.blob(&first).await.unwrap().as_deref(), Some(&b"\0png\xff"[..]));
    assert_eq!(store.blob("none").await.unwrap(), None);
    let mut outside = super::cluster::look(&address).await;
    let used: (i64, String) = sqlx::query_as(
        "SELECT count(*) OVER (), to_char(used_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') FROM blobs",
    )
    .fetch_one(&mut outside)
    .await
    .unwrap();
    assert_eq!(used, (1, "2026-01-01 09:00:01.001".to_owned()));
    store.close().await;
}

#[tokio::test]
async fn what_no_column_can_hold_is_written_with_another_character_and_a_closed_store_says_so() {
    let Some(cluster) = cluster() else { return };
    let store = open(&cluster.database("").await).await;
    store.save_state("bot", "key", "a\0b", NINE).await.unwrap();
    assert_eq!(store.load_state("bot").await.unwrap(), [("key".to_owned(), "a\u{fffd}b".to_owned())]);
    store.close().await;
    let closed = store.save_state("bot", "key", "value", NINE).await.unwrap_err();
    assert_eq!(closed.to_string(), "the database cannot be written now: the store is closed");
}
