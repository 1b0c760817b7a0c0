//! Lists, page by page.

use serde_json::{Value, json};

use super::{NOW, World};
use crate::domain::{Next, Reason, UtcMs};
use crate::store::Settle;

#[tokio::test]
async fn everything_is_read_page_by_page_whatever_the_filter() {
    let mut world = World::new().await;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.insert(0, world.waiting().await);
    }
    for filter in ["", "im=qq", "account=bot", "state=pending", "target=group:1", "since=2026-01-01T00:00:00Z"] {
        // Nobody has tried them, so that they have no account yet.
        let wanted = if filter == "account=bot" { Vec::new() } else { all.clone() };
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/pushes?{filter}&limit=2{next}");
            let page = world.ask("read-token", "GET", &path, Value::Null).await;
            assert_eq!(page.status, 200, "{path}: {page:?}");
            seen.extend(page.body["items"].as_array().unwrap().iter().map(|push| push["id"].as_i64().unwrap()));
            let Some(cursor) = page.body["next"].as_str() else { break };
            next = format!("&before={cursor}");
        }
        assert_eq!(seen, wanted, "{filter}");
    }
    for wrong in [
        "limit=0",
        "limit=501",
        "limit=x",
        "since=yesterday",
        "state=gone",
        "before=%00",
        "jobs=a",
        "job=a&job=b",
        "im=",
    ] {
        let answer = world.ask("read-token", "GET", &format!("/api/v1/pushes?{wrong}"), Value::Null).await;
        assert_eq!(answer.status, 422, "{wrong}: {answer:?}");
        let name = wrong.rsplit('&').next().and_then(|last| last.split('=').next());
        assert_eq!(answer.body["errors"][0]["parameter"].as_str(), name, "{wrong}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_time_is_told_with_the_parameter_that_says_it() {
    let mut world = World::new().await;
    for (path, parameter, told) in [
        ("/api/v1/jobs/daily/explain", "at", "at: expected a time"),
        ("/api/v1/jobs/daily/explain?at=soonish", "at", "at: expected a time"),
        ("/api/v1/jobs/daily/explain?at=9999-12-31", "at", "outside the years"),
        ("/api/v1/jobs/daily/fires?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "until", "not before"),
        ("/api/v1/jobs/daily/fires?until=9999-12-31T00:00:00Z", "until", "expected an instant"),
    ] {
        let answer = world.ask("read-token", "GET", path, Value::Null).await;
        let error = &answer.body["errors"][0];
        assert_eq!((answer.status, error["parameter"].as_str()), (422, Some(parameter)), "{path}: {answer:?}");
        assert!(error["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{path}: {answer:?}");
    }
}

/// The numbers of all lines of a list, page by page.
async fn walked(world: &mut World, path: &str, of: fn(&Value) -> &Value) -> Vec<Value> {
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let path = format!("{path}?limit=2{next}");
        let page = world.ask("read-token", "GET", &path, Value::Null).await;
        assert_eq!(page.status, 200, "{path}: {page:?}");
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 2, "{path}: {page:?}");
        seen.extend(items.iter().map(|item| of(item).clone()));
        let Some(cursor) = page.body["next"].as_str() else { return seen };
        next = format!("&before={cursor}");
    }
}

#[tokio::test]
async fn no_list_says_that_it_is_at_its_end_where_there_is_more() {
    let mut world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.waiting().await);
    }
    assert_eq!(walked(&mut world, "/api/v1/due-pushes", |push| &push["id"]).await, json!(ids).as_array().unwrap()[..]);
    let next = Next::Unknown { reason: Reason::Unknown };
    for (at, push_id) in ids.iter().enumerate() {
        let ended_at = UtcMs(NOW.0 + i64::try_from(at / 2).unwrap());
        world.store.settle(vec![Settle::of(*push_id, next.clone())], ended_at).await.unwrap();
    }
    ids.reverse();
    let unknown = walked(&mut world, "/api/v1/unknown-pushes", |push| &push["id"]).await;
    assert_eq!(unknown, json!(ids).as_array().unwrap()[..]);

    let mut fires = Vec::new();
    for before in (1..6).rev() {
        let due_at = UtcMs(NOW.0 - before);
        world.store.fire_by_hand("daily", due_at).await.unwrap();
        fires.insert(0, json!(due_at));
    }
    assert_eq!(walked(&mut world, "/api/v1/jobs/daily/fires", |fire| &fire["due_at"]).await, fires);
}
