//! record_accounts, accounts, save_state, load_state, blobs.

use std::sync::Arc;

use pushcron::domain::Health;
use pushcron::store::AccountRow;

use crate::store_contract::world::{World, at};

fn row(id: &str, online: Option<bool>) -> AccountRow {
    AccountRow {
        id: id.to_owned(),
        im: "qq".to_owned(),
        sender: "onebot11".to_owned(),
        is_default: id == "b",
        health: Health { online, ..Health::default() },
    }
}

async fn ids(world: &World) -> Vec<String> {
    world.store.accounts().await.unwrap().into_iter().map(|account| account.id).collect()
}

pub(super) async fn accounts_keep_the_order_of_the_files(world: Arc<World>) {
    world.store.record_accounts(vec![row("b", None), row("a", None), row("c", None)], true).await.unwrap();
    assert_eq!(ids(&world).await, ["b", "a", "c"]);
    world.store.record_accounts(vec![row("c", None), row("b", None)], true).await.unwrap();
    assert_eq!(ids(&world).await, ["c", "b"], "the file was edited");
    let accounts = world.store.accounts().await.unwrap();
    assert!(accounts[1].is_default && !accounts[0].is_default);
}

pub(super) async fn news_of_one_account_leaves_the_others(world: Arc<World>) {
    world.store.record_accounts(vec![row("b", None), row("a", Some(true))], true).await.unwrap();
    let health = Health {
        online: Some(false),
        sendable: Some(true),
        checked_at: Some(at(3)),
        last_error: Some("offline".to_owned()),
        rest_until: None,
        cooldown_until: Some(at(4)),
        failures: 2,
    };
    world.store.record_accounts(vec![AccountRow { health: health.clone(), ..row("b", None) }], false).await.unwrap();
    assert_eq!(ids(&world).await, ["b", "a"]);
    let accounts = world.store.accounts().await.unwrap();
    assert_eq!(accounts[0].health, health);
    assert_eq!(accounts[1].health.online, Some(true));
    assert!(accounts[1].health.never_probed());
}

pub(super) async fn a_sender_finds_its_memory_again(world: Arc<World>) {
    world.store.save_state("bot", "cursor", "1", at(0)).await.unwrap();
    world.store.save_state("bot", "cursor", "2", at(1)).await.unwrap();
    world.store.save_state("bot", "another", "x", at(1)).await.unwrap();
    world.store.save_state("other", "cursor", "9", at(1)).await.unwrap();
    let mine = [("another".to_owned(), "x".to_owned()), ("cursor".to_owned(), "2".to_owned())];
    assert_eq!(world.backend.open().await.load_state("bot").await.unwrap(), mine);
}

pub(super) async fn the_same_bytes_are_stored_once(world: Arc<World>) {
    let bytes = vec![0, 159, 146, 150];
    let id = world.store.put_blob(bytes.clone(), at(0)).await.unwrap();
    assert_eq!(world.store.put_blob(bytes.clone(), at(1)).await.unwrap(), id);
    assert_ne!(world.store.put_blob(vec![1], at(1)).await.unwrap(), id);
    assert_eq!(world.store.blob(&id).await.unwrap(), Some(bytes));
    assert_eq!(world.store.blob("nothing").await.unwrap(), None);
}
