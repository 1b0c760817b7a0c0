//! The page of figures, and the same over the API.

use serde_json::{Value, json};

use super::super::World;

#[tokio::test]
async fn figures_are_drawn_and_told_as_tables_in_both_languages() {
    let mut world = World::with_users().await;
    let rita = world.signed_in("rita").await;
    let empty = world.get(&rita, "/figures").await.text;
    assert_eq!((empty.matches("role=\"img\"").count(), empty.matches("Nothing in this time.").count()), (0, 4));
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

#[tokio::test]
async fn the_weeks_of_a_job_are_drawn_day_by_day_and_each_leads_to_what_was_due_on_it() {
    let mut world = World::with_users().await;
    let rita = world.signed_in("rita").await;
    let page = world.get(&rita, "/jobs/daily").await.text;
    assert!(page.contains("<title>2026-01-01: nothing was due</title>") && !page.contains("data-place"), "{page}");
    let fired = world.ask("act-token", "POST", "/api/v1/jobs/daily/fire", Value::Null).await;
    let push_id = fired.body["push_ids"][0].as_i64().unwrap_or_else(|| panic!("{fired:?}"));
    let page = world.get(&rita, "/jobs/daily").await.text;
    // A Thursday, in the thirteenth of the weeks; of all squares the keys come to this one.
    let square = "<a href=\"/jobs/daily?at=2026-01-01#why\" data-place=\"87\" aria-label=\"2026-01-01: 1 fired, 1 open\" tabindex=\"0\">";
    for told in [
        square,
        "role=\"group\" aria-labelledby=\"strip-chart\"",
        "<title>2025-10-06: nothing was due</title>",
        "aria-hidden=\"true\">…</text>",
        "<a href=\"/jobs/daily?at=2026-01-01#why\">2026-01-01</a></th><td data-label=\"fired\">1</td>",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("2025-10-05") && !page.contains("2026-01-02: "), "{page}");
    assert!(world.get(&rita, "/jobs/daily?lang=zh").await.text.contains("2026-01-01: 1 已触发, 1 未结束"));
    let day = world.get(&rita, "/jobs/daily?at=2026-01-01").await.text;
    let all = day.split("href=\"").find(|rest| rest.starts_with("/pushes?job=daily&#38;since=")).unwrap();
    let place = all.split('"').next().unwrap().replace("&#38;", "&");
    assert_eq!(place, "/pushes?job=daily&since=2025-12-31T16:00:00.000Z&until=2026-01-01T15:59:59.000Z");
    let list = world.get(&rita, &place).await.text;
    assert!(list.contains(&format!("/pushes/{push_id}\"")), "{list}");
}

#[tokio::test]
async fn the_first_page_draws_the_hours_behind_and_the_fires_to_come() {
    let mut world = World::with_users().await;
    let rita = world.signed_in("rita").await;
    world.unknown("broken").await;
    world.waiting().await;
    let page = world.get(&rita, "/?tz=UTC").await.text;
    for told in [
        "<title>09:00: 1 unknown, 1 open</title>",
        "<th scope=\"row\" data-label=\"Hour\">09:00</th>",
        "<title>10:00 daily</title>",
        "the first five fires are drawn",
        "<title>Now 09:00</title>",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let page = world.get(&rita, "/?lang=zh&tz=Asia%2FShanghai").await.text;
    assert!(page.contains("<title>17:00：1 结果不明") || page.contains("<title>17:00: 1 "), "{page}");
    assert!(page.contains("过去 12 小时"), "{page}");
}

#[tokio::test]
async fn accounts_tell_how_much_came_to_them_and_when() {
    let mut world = World::with_users().await;
    let rita = world.signed_in("rita").await;
    assert!(world.get(&rita, "/accounts").await.text.contains("Nothing in this time."));
    world.unknown("broken").await;
    let page = world.get(&rita, "/accounts?tz=UTC").await.text;
    assert!(page.contains("<title>bot 09:00: 1</title>") && page.contains("<title>bot 10:00: 0</title>"), "{page}");
    assert!(page.contains("<td data-label=\"By hour\">09: 1</td>"), "{page}");
}
