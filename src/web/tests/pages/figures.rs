//! The page of figures, and the same over the API.

use serde_json::{Value, json};

use super::super::World;

#[tokio::test]
async fn figures_are_drawn_and_told_as_tables_in_both_languages() {
    let mut world = World::with_users().await;
    let rita = world.signed_in("rita").await;
    let empty = world.get(&rita, "/figures").await.text;
    assert_eq!((empty.matches("<svg class=\"chart\"").count(), empty.matches("Nothing in this time.").count()), (0, 4));
    world.unknown("broken").await;
    world.waiting().await;
    // The world's clock shows nine at UTC, and 17:00 in Shanghai.
    let page = world.get(&rita, "/figures?tz=Asia%2FShanghai").await.text;
    for told in [
        "<title>17:00: half ≤ 10 ms, 99 % ≤ 10 ms, the latest 0 ms, of 1</title>",
        "<title>2026-01-01: 1 unknown, 1 open</title>",
        "<title>bot 17:00: 1</title>",
        "<title>no attempt 17:00: 1</title>",
        "<title>no attempt 16:00: 0</title>",
        "<th scope=\"row\" data-label=\"Hour\">17:00</th><td data-label=\"half\">≤ 10 ms</td>",
        "<td data-label=\"By hour\">17: 1</td>",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert_eq!(page.matches("<details><summary>As a table").count(), 3, "each chart that is there");
    assert!(!page.contains("still being counted") && !page.contains(" style="), "{page}");
    let page = world.get(&rita, "/figures?lang=zh&tz=UTC").await.text;
    assert!(page.contains("<h1>图表</h1>") && page.contains("<title>09:00：一半 ≤ 10 ms"), "{page}");
}

#[tokio::test]
async fn figures_are_answered_over_the_api_as_they_stand() {
    let mut world = World::with_users().await;
    world.unknown("broken").await;
    let answer = world.ask("read-token", "GET", "/api/v1/figures?days=2", Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let hours = answer.body["hours"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!(hours.len(), 1, "{answer:?}");
    let ends = json!({"sent": 0, "failed": 0, "unknown": 1, "expired": 0, "cancelled": 0, "open": 0});
    assert_eq!((&hours[0]["account"], &hours[0]["ends"]), (&json!("bot"), &ends));
    assert_eq!(hours[0]["hour"], "2026-01-01T09:00:00.000Z");
    assert_eq!(hours[0]["late"].as_array().map(Vec::len), Some(11), "{answer:?}");
    assert_eq!((&answer.body["missing_from"], &answer.body["unfired_days"]), (&Value::Null, &json!([])));
    for wrong in ["days=0", "days=32", "day=1"] {
        let path = format!("/api/v1/figures?{wrong}");
        assert_eq!(world.ask("read-token", "GET", &path, Value::Null).await.status, 422, "{wrong}");
    }
}
