//! Jobs over HTTP: what the verbs `add`, `edit` and `rm` do, and who did it.

use serde_json::{Value, json};

use super::World;

impl World {
    async fn make(&mut self, job: Value) -> super::Answer {
        self.ask("act-token", "POST", "/api/v1/jobs", job).await
    }

    /// What is wrong with a job is told at its place.
    async fn refuses(&mut self, job: &Value, pointer: &str, told: &str) {
        let answer = self.make(job.clone()).await;
        let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
        let found = errors.iter().find(|error| error["pointer"] == pointer);
        let found = found.unwrap_or_else(|| panic!("{job}: {pointer} is not in {answer:?}"));
        assert!(answer.status == 422 && found.to_string().contains(told), "{job}: {answer:?}");
    }

    async fn definition(&self, name: &str) -> Value {
        json!(self.store.definition(name).await.unwrap().job)
    }

    /// The verbs of the acts, newest first.
    async fn verbs(&mut self) -> Vec<String> {
        let acts = self.ask("read-token", "GET", "/api/v1/acts", Value::Null).await;
        let acts = acts.body["items"].as_array().unwrap().iter();
        acts.map(|act| format!("{} {} by {}", act["verb"], act["job"], act["actor"]).replace('"', "")).collect()
    }
}

fn tea() -> Value {
    json!({"name": "tea", "in": "20m", "push": {"im": "qq", "group": "1", "text": "Tea: ${HOME} {{ x }}"}})
}

#[tokio::test]
async fn a_job_is_made_changed_and_ended_as_by_the_verbs() {
    let mut world = World::new().await;
    let made = world.make(tea()).await;
    assert_eq!((made.status, made.header("location")), (201, Some("/api/v1/jobs/tea")), "{made:?}");
    assert_eq!((&made.body["act"], &made.body["jobs"][0]["job"]), (&json!("defined"), &json!("tea")));
    assert_eq!(made.body["jobs"][0]["next_due_at"], "2026-01-01T09:20:00.000Z");
    let job = world.definition("tea").await;
    assert_eq!(job["push"][0]["message"]["text"], "Tea: ${HOME} {{ x }}", "a text is taken as it stands");
    assert_eq!(job["misfire"]["within_ms"], 86_400_000, "a late reminder is better than none: {job}");

    let changed = json!({"cron": "30 14 * * 1-5", "overlap": "skip", "misfire": null});
    let changed = world.ask("act-token", "PATCH", "/api/v1/jobs/tea", changed).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let job = world.definition("tea").await;
    assert_eq!((&job["overlap"], &job["push"][0]["message"]["text"]), (&json!("skip"), &json!("Tea: ${HOME} {{ x }}")));
    assert_eq!(changed.body["jobs"][0]["next_due_at"], "2026-01-02T06:30:00.000Z", "{job}");

    let ended = world.ask("act-token", "DELETE", "/api/v1/jobs/tea", Value::Null).await;
    assert_eq!(
        (ended.status, &ended.body),
        (200, &json!({"act": "removed", "jobs": [{"job": "tea", "cancelled": 0}]}))
    );
    for (method, body) in [("DELETE", Value::Null), ("PATCH", json!({"every": "1h"}))] {
        assert_eq!(world.ask("act-token", method, "/api/v1/jobs/tea", body).await.status, 404, "{method}");
    }
    assert_eq!(world.verbs().await, ["rm tea by actor", "edit tea by actor", "add tea by actor"]);
}

/// The job with another value of a key; a schedule takes the place of its own.
fn with(key: &str, value: Value) -> Value {
    let mut job = tea();
    job.as_object_mut().unwrap().shift_remove(if ["cron", "at", "every"].contains(&key) { "in" } else { "" });
    job[key] = value;
    job
}

/// The job with a push of another content.
fn push(key: &str, value: Value) -> Value {
    let mut job = tea();
    job["push"].as_object_mut().unwrap().shift_remove("text");
    job["push"][key] = value;
    job
}

#[tokio::test]
async fn a_time_a_second_schedule_a_name_and_a_local_file_are_refused_where_each_stands() {
    let mut world = World::new().await;
    let every_until = |until: Value| json!({"name": "tea", "every": "1h", "until": until, "push": tea()["push"]});
    for (job, pointer, told) in [
        (with("in", json!("20 minutes")), "/in", "expected a duration"),
        (with("in", json!(20)), "/in", "expected a duration"),
        (with("in", json!("9999999d")), "/in", "expected a duration"),
        (with("at", json!("2020-01-01T09:00")), "/at", "past"),
        (with("at", json!("soon")), "/at", "expected a time"),
        (with("at", json!("9999-12-31T09:00")), "/at", "outside the years"),
        (with("at", json!(20)), "/at", "expected a date"),
        (every_until(json!("2020-01-01T09:00")), "/until", "past"),
        (every_until(json!("9999-12-31T09:00")), "/until", "outside the years"),
        (every_until(json!("+10000-01-01T09:00Z")), "/until", "expected a date"),
        (with("name", json!("..")), "/name", "other than '.' and '..'"),
        (with("name", json!(".")), "/name", "other than '.' and '..'"),
        (json!({"name": "two", "every": "1h", "cron": "* * * * *", "push": tea()["push"]}), "/cron", "one schedule"),
        (json!({"name": "two", "in": "1h", "on_demand": true, "push": tea()["push"]}), "/on_demand", "one schedule"),
        (
            push("mixed", json!([{"text": "a"}, {"image": "/etc/passwd"}])),
            "/push/mixed/1/image",
            "a file of this machine",
        ),
        (
            push("mixed", json!([{"text": "a\".txt"}, {"type": "file", "filename": "a\".txt", "source": "a\".txt"}])),
            "/push/mixed/1/source",
            "a file of this machine",
        ),
        (
            push("mixed", json!([{"video": {"source": "https://example.org/a.mp4", "cover": "c.png"}}])),
            "/push/mixed/0/video/cover",
            "a file of this machine",
        ),
        (push("image", json!({"source": "${HOME}.png"})), "/push/image/source", "a file of this machine"),
    ] {
        world.refuses(&job, pointer, told).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_job_is_told_with_its_pointer_and_nothing_is_done() {
    let mut world = World::new().await;
    for (job, pointer, told) in [
        (with("evry", json!("1h")), "/evry", "did you mean 'every'?"),
        (with("cron", json!("61 * * * *")), "/cron", "61"),
        (with("timezone", json!("Mars/Base")), "/timezone", "Mars/Base"),
        (push("txt", json!("hi")), "/push/txt", "did you mean 'text'?"),
        (
            with("push", json!([{"im": "qq", "group": "1", "text": "a"}, {"im": "wx", "group": "1", "text": "a"}])),
            "/push/1/im",
            "wx",
        ),
        (push("image", json!("/etc/passwd")), "/push/image", "a file of this machine"),
        (push("image", json!("file:///etc/nothing")), "/push/image", "a file of this machine"),
        (with("content_from", json!({"command": ["id"]})), "/content_from", "runs commands"),
        (with("content_from", json!({"file": "/etc/passwd"})), "/content_from", "runs commands"),
        (with("render", json!(true)), "/render", "render knows variables"),
        (
            with("push", json!({"im": "qq", "group": "1", "text": "{{ env.HOME }}", "render": true})),
            "/push/render",
            "render knows variables",
        ),
        (
            json!({"name": "tea", "cron": "0 9 * * *", "workdays": "atlantis", "push": tea()["push"]}),
            "/workdays",
            "atlantis",
        ),
    ] {
        world.refuses(&job, pointer, told).await;
    }
    for (job, status, told) in [
        (json!([1]), 400, "JSON object"),
        (json!({}), 422, "name"),
        (with("cron", json!(null)), 422, "needs one of cron"),
        (with("in", json!("20 minutes")), 422, "expected a duration"),
        (with("in", json!(20)), 422, "expected a duration"),
        (with("at", json!("2020-01-01T09:00")), 422, "past"),
        (json!({"name": "two", "every": "1h", "cron": "* * * * *", "push": tea()["push"]}), 422, "one schedule"),
        (with("every", json!("1h")), 201, ""),
        (tea(), 409, "already"),
        (json!({"name": "daily", "every": "1h", "push": tea()["push"]}), 409, "in the files"),
    ] {
        let answer = world.make(job.clone()).await;
        assert!(answer.status == status && answer.body.to_string().contains(told), "{job}: {answer:?}");
        assert_eq!(answer.body["errors"].is_array(), status == 422, "{job}: {answer:?}");
    }
    for (name, body, status, told) in [
        ("daily", json!({"every": "1h"}), 409, "in the files"),
        ("tea", json!({}), 422, "at least one key"),
        ("tea", json!({"name": "coffee"}), 422, "keeps its name"),
        ("tea", json!({"push": null}), 422, "push"),
        ("tea", json!({"evry": null}), 422, "did you mean 'every'?"),
        ("nobody", json!({"every": "1h"}), 404, "nobody"),
    ] {
        let answer = world.ask("act-token", "PATCH", &format!("/api/v1/jobs/{name}"), body.clone()).await;
        assert!(answer.status == status && answer.body.to_string().contains(told), "{name} {body}: {answer:?}");
    }
    assert_eq!(world.ask("act-token", "DELETE", "/api/v1/jobs/daily", Value::Null).await.status, 409);
    assert_eq!(world.ask("act-token", "DELETE", "/api/v1/jobs/tea", json!({"all": true})).await.status, 422);
    assert_eq!(world.verbs().await, ["add tea by actor"]);
}

#[tokio::test]
async fn a_job_goes_by_lists_of_days_zones_and_names_of_the_running_configuration() {
    let mut world = World::new().await;
    let job = json!({"name": "work", "cron": "0 9 * * *", "workdays": "cn", "push": {"to": "both", "text": "hi"}});
    let made = world.make(job).await;
    assert_eq!(made.status, 201, "{made:?}");
    // Nine in the morning by daemon.timezone; the first of January and the two days after it are free.
    assert_eq!(made.body["jobs"][0]["next_due_at"], "2026-01-04T01:00:00.000Z");
    assert_eq!(world.definition("work").await["push"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_next_fires_of_all_jobs_are_those_that_come_soonest() {
    let mut world = World::new().await;
    for (name, key, value) in [("soon", "in", "1m"), ("later", "in", "90m"), ("never", "on_demand", "")] {
        let value = if key == "on_demand" { json!(true) } else { json!(value) };
        let made = world.make(json!({"name": name, key: value, "push": tea()["push"]})).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let mut next = async |query: &str| {
        let told = world.ask("read-token", "GET", &format!("/api/v1/next{query}"), Value::Null).await;
        assert_eq!(told.status, 200, "{told:?}");
        let items = told.body["items"].as_array().unwrap().iter();
        items.map(|fire| format!("{} {}", fire["job"], fire["due_at"]).replace('"', "")).collect::<Vec<_>>()
    };
    let wanted = ["soon 2026-01-01T09:01:00.000Z", "daily 2026-01-01T10:00:00.000Z", "later 2026-01-01T10:30:00.000Z"];
    assert_eq!(next("?n=3").await, wanted);
    assert_eq!(next("?n=1").await, wanted[..1]);
    assert_eq!(next("").await.len(), 50);
}

#[tokio::test]
async fn whoever_asks_is_told_what_they_may() {
    let mut world = World::new().await;
    for (token, told) in [
        ("read-token", json!({"name": "reader", "scope": "read", "to": null})),
        ("act-token", json!({"name": "actor", "scope": "act", "to": null})),
        ("other-token", json!({"name": "other", "scope": "push", "to": ["qq group:7"]})),
    ] {
        assert_eq!(world.ask(token, "GET", "/api/v1/me", Value::Null).await.body, told);
    }
}
