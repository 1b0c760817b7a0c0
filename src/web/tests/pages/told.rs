//! What `pushcron explain` tells, on pages and over the API.

use serde_json::Value;

use super::super::World;

#[tokio::test]
async fn why_a_job_fired_or_did_not_is_told_on_its_page_and_on_that_of_its_push() {
    let mut world = World::with_users().await;
    let rita = world.signed_in("rita").await;
    let fired = world.ask("act-token", "POST", "/api/v1/jobs/daily/fire", Value::Null).await;
    assert_eq!(fired.status, 200, "{fired:?}");
    let push_id = fired.body["push_ids"][0].as_i64().unwrap_or_else(|| panic!("{fired:?}"));

    // The world's clock shows 17:00 in Shanghai, where the job's hours are.
    let page = world.get(&rita, "/jobs/daily?at=17:00").await.text;
    assert!(
        page.contains("Somebody fired daily by hand at 2026-01-01 17:00:00")
            && page.contains("Times are in Asia/Shanghai."),
        "{page}"
    );
    let page = world.get(&rita, "/jobs/daily?at=09:00&tz=UTC").await.text;
    assert!(page.contains("Times are in UTC.") && !page.contains("by hand at"), "{page}");
    let page = world.get(&rita, "/jobs/daily?at=2026-01-02T17:30").await.text;
    assert!(page.contains("daily") && page.contains("value=\"2026-01-02T17:30\""), "{page}");
    // What is no time is said beside the field, and is no page of its own.
    let answer = world.get(&rita, "/jobs/daily?at=noonish").await;
    assert!(answer.status == 200 && answer.text.contains("noonish"), "{answer:?}");
    assert!(!world.get(&rita, "/jobs/daily").await.text.contains("Times are in"));

    let page = world.get(&rita, &format!("/pushes/{push_id}?lang=zh")).await.text;
    assert!(page.contains("经过") && page.contains("有人在 2026-01-01 17:00:00 手动触发了 daily"), "{page}");
    assert!(page.contains("时间按 Asia/Shanghai。") && !page.contains("Somebody fired"), "{page}");
    let page = world.get(&rita, "/jobs/daily?at=17:00&lang=zh").await.text;
    assert!(page.contains("手动触发了 daily") && !page.contains("<ul class=\"rows told\" lang"), "{page}");
    let alone = world.waiting().await;
    assert!(!world.get(&rita, &format!("/pushes/{alone}")).await.text.contains("What happened"));

    let told = world.ask("read-token", "GET", "/api/v1/jobs/daily/explain?at=17:00", Value::Null).await.body;
    assert!(told["answer"].as_str().unwrap().starts_with("Somebody fired daily by hand"), "{told}");
    assert_eq!(told["story"]["fires"][0]["pushes"][0]["id"], push_id);
}
