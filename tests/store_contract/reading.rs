//! The views, and noticing other processes.

use std::sync::Arc;

use pushcron::domain::{Health, Next, Outcome, PushState, Rule, UtcMs};
use pushcron::store::{AccountRow, Begin, Filter, View};
use serde_json::json;

use crate::world::{World, at, failed, job, push, sent};

const VIEWS: [View; 6] = [
    View::PushHistory,
    View::DuePushes,
    View::UnknownPushes,
    View::JobOverview,
    View::AccountOverview,
    View::FailuresToday,
];

pub async fn every_view_has_its_columns_even_when_empty(world: Arc<World>) {
    for view in VIEWS {
        let nothing = Filter {
            job: Some("nobody".to_owned()),
            im: Some("nowhere".to_owned()),
            account: Some("none".to_owned()),
            ..Filter::default()
        };
        let table = world.store.view(view, &nothing).await.unwrap();
        assert!(table.rows.is_empty(), "{view:?}");
        assert!(table.columns.len() > 8, "{view:?}: {:?}", table.columns);
    }
}

pub async fn history_tells_account_rule_answer_and_lateness(world: Arc<World>) {
    let mut daily = job("daily");
    daily.push[0].account = Some("bot_named".to_owned());
    world.load(&daily, at(0)).await;
    let id = world.fire(&daily, at(0)).await.pushes.remove(0).id;
    assert_eq!(world.history(id).await["account"], "bot_named");

    let begin = Begin { push_id: id, account: Arc::from("bot_named"), sender: "console", rule: Rule::Explicit };
    let delivery = world.store.begin_attempts(vec![begin], at(0)).await.unwrap().remove(0);
    let next = Next::Retry { at: at(9), reason: "unreachable".to_owned() };
    let mut refused = failed(&delivery, Outcome::Unreachable, next, at(1));
    refused.started_at = UtcMs(at(0).0 + 7);
    world.store.finish_attempts(vec![refused]).await.unwrap();
    let row = world.history(id).await;
    assert_eq!((&row["rule"], &row["error"]), (&json!("explicit"), &json!("the platform said no")));
    assert_eq!((&row["lateness_ms"], &row["reason"]), (&json!(7), &json!("unreachable")));
    assert_eq!((&row["job"], &row["due_at"]), (&json!("daily"), &json!(at(0))));
    assert_eq!((&row["target"], &row["im"], &row["kind"]), (&json!("group:123456"), &json!("qq"), &json!("text")));
    assert_eq!((&row["triggered_by"], &row["attempts"]), (&json!("cron"), &json!(1)));

    let delivery = world.begin(id, at(10)).await;
    world.store.finish_attempts(vec![sent(&delivery, at(11))]).await.unwrap();
    let row = world.history(id).await;
    assert_eq!((&row["account"], &row["rule"]), (&json!("bot_a"), &json!("im_default")));
    assert_eq!((&row["lateness_ms"], &row["error"]), (&json!(7), &json!(null)), "late is the first attempt");
}

pub async fn each_filter_filters(world: Arc<World>) {
    let unknown = world.ended("unknown", Next::Unknown { reason: "lost".to_owned() }).await;
    let mut other = job("other");
    other.push = vec![push("user:1", "x")];
    other.push[0].im = "weixin".to_owned();
    other.push[0].account = Some("bot_w".to_owned());
    world.load(&other, at(50)).await;
    let waiting = world.fire(&other, at(50)).await.pushes.remove(0).id;

    let all = Filter::default();
    let cases = [
        (Filter { job: Some("other".to_owned()), ..all.clone() }, waiting),
        (Filter { im: Some("weixin".to_owned()), ..all.clone() }, waiting),
        (Filter { account: Some("bot_w".to_owned()), ..all.clone() }, waiting),
        (Filter { state: Some(PushState::Unknown), ..all.clone() }, unknown),
        (Filter { state: Some(PushState::Pending), ..all.clone() }, waiting),
        (Filter { since: Some(at(50)), ..all.clone() }, waiting),
        (Filter { since: Some(at(0)), until: Some(at(49)), ..all.clone() }, unknown),
        (Filter { push_id: Some(unknown), ..all.clone() }, unknown),
        (Filter { after_id: Some(unknown), ..all.clone() }, waiting),
        (Filter { limit: Some(1), ..all.clone() }, waiting),
    ];
    for (filter, expected) in cases {
        let rows = world.store.view(View::PushHistory, &filter).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [json!(expected)], "{filter:?}");
    }
    let rows = world.store.view(View::UnknownPushes, &all).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [json!(unknown)]);
    let rows = world.store.view(View::DuePushes, &all).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [json!(waiting)]);
    let filter = Filter { job: Some("other".to_owned()), ..all.clone() };
    let table = world.store.view(View::JobOverview, &filter).await.unwrap();
    let overview: serde_json::Map<_, _> = table.columns.into_iter().zip(table.rows[0].clone()).collect();
    assert_eq!((&overview["state"], &overview["open_pushes"]), (&json!("active"), &json!(1)));
    assert_eq!((&overview["next_due_at"], &overview["schedule"]), (&json!(at(51)), &json!("every 1s")));

    let account = AccountRow {
        id: "bot_a".to_owned(),
        im: "qq".to_owned(),
        sender: "console".to_owned(),
        is_default: true,
        health: Health { online: Some(true), ..Health::default() },
    };
    world.store.record_accounts(vec![account], true).await.unwrap();
    let table = world.store.view(View::AccountOverview, &all).await.unwrap();
    let overview: serde_json::Map<_, _> = table.columns.into_iter().zip(table.rows[0].clone()).collect();
    assert_eq!((&overview["account"], &overview["online"]), (&json!("bot_a"), &json!(1)));
    assert_eq!((&overview["last_outcome"], &overview["last_attempt_at"]), (&json!("unknown"), &json!(at(0))));
}

pub async fn pages_are_newest_first(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    for i in 0..5 {
        world.fire(&daily, at(i)).await;
    }
    for filter in [
        Filter { limit: Some(3), ..Filter::default() },
        Filter { job: Some("daily".to_owned()), limit: Some(3), ..Filter::default() },
        Filter { since: Some(at(0)), limit: Some(3), ..Filter::default() },
        Filter { im: Some("qq".to_owned()), limit: Some(3), ..Filter::default() },
    ] {
        let table = world.store.view(View::PushHistory, &filter).await.unwrap();
        let due = table.columns.iter().position(|column| column == "due_at").unwrap();
        let due: Vec<_> = table.rows.iter().map(|row| row[due].clone()).collect();
        assert_eq!(due, [json!(at(4)), json!(at(3)), json!(at(2))], "{filter:?}");
    }
}

pub async fn another_process_is_noticed_and_our_own_writes_are_not(world: Arc<World>) {
    world.store.changed_outside().await.unwrap();
    world.load(&job("daily"), at(0)).await;
    assert!(!world.store.changed_outside().await.unwrap());
    let other = world.backend.open().await;
    other.fire_by_hand("daily", at(1)).await.unwrap();
    assert!(world.store.changed_outside().await.unwrap());
    assert!(!world.store.changed_outside().await.unwrap());
    assert_eq!(world.open_ids().await.len(), 1);
    assert!(world.store.changed_outside().await.is_ok_and(|changed| !changed), "reading changes nothing");
}
