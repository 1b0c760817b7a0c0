use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

mod told;

fn at(text: &str) -> UtcMs {
    text.parse().unwrap()
}

/// A job that was due at nine each day, loaded at midnight of the first, with its place at the fifth.
fn story() -> Story {
    let definition = json!({ "name": "daily", "schedule": { "cron": "0 9 * * *" }, "timezone": "UTC" });
    Story {
        job: "daily".into(),
        paused: false,
        next_due_at: Some(at("2026-01-05T09:00:00.000Z")),
        revisions: vec![Revision {
            revision: 3,
            schedule: "0 9 * * *".into(),
            timezone: "UTC".into(),
            enabled: true,
            definition: Some(serde_json::from_value(definition).unwrap()),
            from_at: at("2026-01-01T00:00:00.000Z"),
            until_at: None,
            spent_at: None,
        }],
        fires: Vec::new(),
        pruned_until: Some(at("2026-01-04T12:00:00.000Z")),
    }
}

/// The facts about a time of that job, as programs get them.
fn facts(story: Story, time: &str, now: &str, daemon_runs: bool) -> Vec<Value> {
    let now = at(now);
    let asked = when::parse(time, &newest_zone(&story.revisions), now).unwrap();
    let explained = Explanation { asked, calls: Vec::new(), story };
    explained.facts(now, daemon_runs, &[]).iter().map(|fact| json!(fact)).collect()
}

/// Some of the values of the only fact.
fn told(facts: &[Value], keys: &[&str]) -> Value {
    assert_eq!(facts.len(), 1, "{facts:?}");
    keys.iter().map(|key| ((*key).to_owned(), facts[0][key].clone())).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn an_instant_without_a_row_tells_whether_one_will_come() {
    let because =
        |time: &str, now: &str, daemon_runs: bool| told(&facts(story(), time, now, daemon_runs), &["fact", "because"]);
    let (fifth, sixth) = ("2026-01-05T09:00", "2026-01-06T00:00:00.000Z");
    assert_eq!(because(fifth, sixth, false), json!({ "fact": "no_row", "because": "no_daemon_since" }));
    assert_eq!(because(fifth, sixth, true), json!({ "fact": "no_row", "because": "about_to_be_decided" }));
    assert_eq!(because("2026-01-04T09:00", sixth, true), json!({ "fact": "no_row", "because": "not_kept" }));
    // Nobody can say so of a row that was never deleted.
    let kept = Story { pruned_until: Some(at("2026-01-03T12:00:00.000Z")), ..story() };
    let facts = facts(kept, "2026-01-04T09:00", sixth, true);
    assert_eq!(told(&facts, &["fact", "because"]), json!({ "fact": "no_row", "because": "unexplained" }));
}

#[test]
fn an_instant_to_come_tells_what_stands_in_its_way() {
    let will_be = |story: Story| {
        let facts = facts(story, "2026-01-07T09:00", "2026-01-06T00:00:00.000Z", true);
        told(&facts, &["fact", "due_at", "will_be"])
    };
    let expected = |word: &str| json!({ "fact": "to_come", "due_at": "2026-01-07T09:00:00.000Z", "will_be": word });
    assert_eq!(will_be(story()), expected("decided"));
    assert_eq!(will_be(Story { paused: true, ..story() }), expected("paused"));
    let mut disabled = Story { paused: true, ..story() };
    disabled.revisions[0].enabled = false;
    assert_eq!(will_be(disabled), expected("disabled"));
}

#[test]
fn a_time_that_no_schedule_calls_for_tells_what_is_near_or_why_nothing_is_known() {
    let of = |story: Story, time: &str| facts(story, time, "2026-01-06T00:00:00.000Z", true);
    assert_eq!(
        of(story(), "2026-01-04T12:00"),
        [json!({
            "fact": "not_called",
            "at": "2026-01-04T12:00:00.000Z",
            "tense": "past",
            "by": {
                "revision": 3,
                "schedule": "0 9 * * *",
                "timezone": "UTC",
                "from_at": "2026-01-01T00:00:00.000Z",
            },
            "before": { "at": "2026-01-04T09:00:00.000Z", "note": null },
            "after": { "at": "2026-01-05T09:00:00.000Z", "note": null },
        })]
    );
    assert_eq!(told(&of(story(), "2025-12-31"), &["fact"]), json!({ "fact": "before_all_kept" }));
    let mut removed = story();
    removed.revisions[0].until_at = Some(at("2026-01-03T00:00:00.000Z"));
    let gone = json!({ "fact": "removed", "removed_at": "2026-01-03T00:00:00.000Z" });
    assert_eq!(of(removed, "2026-01-04T09:00"), [gone]);
    let mut unreadable = story();
    unreadable.revisions[0].definition = None;
    assert_eq!(told(&of(unreadable, "2026-01-04T09:00"), &["fact"]), json!({ "fact": "not_evaluable" }));
}

#[test]
fn an_instant_to_come_on_a_day_off_tells_that_it_will_be_skipped() {
    let list = std::sync::Arc::new(crate::domain::Calendar {
        name: "own".into(),
        rest: [("2026-01-07".parse().unwrap(), "Fair".to_owned())].into(),
        ..Default::default()
    });
    let days = crate::domain::DayRule { workdays: Some(list.reference()), ..Default::default() };
    let of = |time: &str| {
        let mut story = story();
        story.revisions[0].definition.as_mut().unwrap().days = Some(Box::new(days.clone()));
        let facts = facts(story, time, "2026-01-06T00:00:00.000Z", true);
        told(&facts, &["fact", "due_at", "will_be", "day"])
    };
    assert_eq!(
        of("2026-01-07"),
        json!({
            "fact": "to_come", "due_at": "2026-01-07T09:00:00.000Z", "will_be": "skipped",
            "day": { "day": "holiday", "list": "own", "name": "Fair" },
        })
    );
    // A Saturday is not called for at all.
    assert_eq!(of("2026-01-10")["fact"], "not_called");
}

fn fired(at: UtcMs) -> FireRecord {
    let record = json!({
        "triggered_by": "cron",
        "due_at": at,
        "until_at": null,
        "count": 1,
        "decision": "fired",
        "reason": null,
        "recorded_at": at,
        "zone": null,
        "revision": 3,
        "pushes": [{
            "id": 7,
            "im": "qq",
            "target": "group:1",
            "kind": "text",
            "state": "retrying",
            "reason": "unreachable",
            "max_attempts": 5,
            "next_attempt_at": UtcMs(at.0 + 6000),
            "expires_at": UtcMs(at.0 + 3_600_000),
            "finished_at": null,
            "confirmed_at": null,
            "attempts": [{
                "number": 1,
                "account": "bot",
                "rule": "im_default",
                "sender": "onebot11",
                "started_at": UtcMs(at.0 + 15),
                "finished_at": UtcMs(at.0 + 1015),
                "outcome": "unreachable",
                "error": "refused",
                "http_status": null,
                "message_id": null,
                "note": null,
            }],
        }],
    });
    serde_json::from_value(record).unwrap()
}

#[test]
fn a_push_tells_its_reason_unless_that_is_what_its_last_attempt_came_to() {
    let due_at = at("2026-01-04T09:00:00.000Z");
    let push = |reason: &str| {
        let mut fire = fired(due_at);
        fire.pushes[0].reason = Some(reason.to_owned());
        let facts = facts(Story { fires: vec![fire], ..story() }, "2026-01-04T09:00", "2026-01-04T09:00:02.000Z", true);
        told(&facts, &["pushes"])["pushes"][0].clone()
    };
    assert_eq!(push("unreachable")["reason"], Value::Null);
    assert_eq!(push("account_down")["reason"], "account_down");
    let attempt = &push("unreachable")["attempts"][0];
    assert_eq!((&attempt["lateness_ms"], &attempt["took_ms"]), (&json!(15), &json!(1000)));
    assert_eq!((&attempt["outcome"], &attempt["account"]), (&json!("unreachable"), &json!("bot")));
}

#[test]
fn of_many_fires_the_first_few_are_told_and_the_others_counted() {
    let day = at("2026-01-04T00:00:00.000Z");
    let fires = (0..8).map(|minute| fired(UtcMs(day.0 + minute * 60_000))).collect();
    let facts = facts(Story { fires, ..story() }, "2026-01-04", "2026-01-05T00:00:00.000Z", true);
    let words: BTreeSet<_> = facts.iter().map(|fact| fact["fact"].as_str().unwrap()).collect();
    assert_eq!(words, BTreeSet::from(["fire", "more_fires"]));
    assert_eq!((facts.len(), &facts[MOST]), (MOST + 1, &json!({ "fact": "more_fires", "count": 3 })));
}

/// The story of a job that was loaded, or loaded anew, at a time of the first day.
fn loaded(from_at: &str, cron: &str) -> Story {
    let mut story = Story { pruned_until: None, next_due_at: Some(at("2026-01-01T09:00:00.000Z")), ..story() };
    let definition = json!({ "name": "daily", "schedule": { "cron": cron }, "timezone": "UTC" });
    let revision = &mut story.revisions[0];
    revision.definition = Some(serde_json::from_value(definition).unwrap());
    (revision.from_at, revision.schedule) = (at(from_at), cron.into());
    story
}

#[test]
fn the_day_on_which_a_job_was_loaded_is_told_from_then_on() {
    let of = |from_at: &str, time: &str| {
        let facts = facts(loaded(from_at, "0 9 * * *"), time, "2026-01-01T04:13:00.000Z", true);
        told(&facts, &["fact", "due_at"])
    };
    let nine = "2026-01-01T09:00:00.000Z";
    for time in ["today", "2026-01-01", "5m"] {
        let expected = if time == "5m" {
            json!({ "fact": "not_called", "due_at": null })
        } else {
            json!({ "fact": "to_come", "due_at": nine })
        };
        assert_eq!(of("2026-01-01T04:12:38.000Z", time), expected, "{time}");
    }
    assert_eq!(of("2026-01-01T04:12:38.000Z", "03:00"), json!({ "fact": "before_all_kept", "due_at": null }));
    // Loaded when the instant of the day had passed.
    let facts = facts(loaded("2026-01-01T10:00:00.000Z", "0 9 * * *"), "today", "2026-01-01T11:00:00.000Z", true);
    assert_eq!(
        told(&facts, &["fact", "at", "until", "tense"]),
        json!({
            "fact": "not_called", "at": "2026-01-01T10:00:00.000Z", "until": "2026-01-02T00:00:00.000Z", "tense": "present",
        })
    );
}

#[test]
fn every_revision_of_a_day_calls_for_its_own_part_of_it() {
    let mut story = loaded("2026-01-01T00:00:00.000Z", "0 8,12 * * *");
    story.revisions[0].until_at = Some(at("2026-01-01T10:00:00.000Z"));
    let mut second = loaded("2026-01-01T10:00:00.000Z", "0 9,11 * * *").revisions.remove(0);
    (second.revision, second.until_at) = (4, Some(at("2026-01-01T13:00:00.000Z")));
    story.revisions.push(second);
    let calls = |story: &Story, from: &str, until: &str| -> Vec<String> {
        story.calls(at(from), at(until)).map(|call| format!("{} {}", call.revision.revision, call.at)).collect()
    };
    let (from, until) = ("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z");
    assert_eq!(calls(&story, from, until), ["3 2026-01-01T08:00:00.000Z", "4 2026-01-01T11:00:00.000Z"]);
    // It left the files then.
    let of = |story: Story, time: &str| told(&facts(story, time, "2026-01-01T20:00:00.000Z", true), &["fact"]);
    let part = Story { revisions: story.revisions.clone(), ..loaded(from, "0 9 * * *") };
    assert_eq!(of(part, "2026-01-01T12:00"), json!({ "fact": "not_called" }));
    assert_eq!(of(story, "2026-01-01T13:00"), json!({ "fact": "removed" }));
}

#[test]
fn a_day_that_has_had_a_fire_tells_also_what_is_still_to_come() {
    let fires = vec![fired(at("2026-01-04T08:00:00.000Z"))];
    let story = Story { fires, next_due_at: Some(at("2026-01-04T09:00:00.000Z")), ..story() };
    let facts = facts(story, "2026-01-04", "2026-01-04T08:30:00.000Z", true);
    let words: Vec<_> = facts.iter().map(|fact| (fact["fact"].clone(), fact["due_at"].clone())).collect();
    let (eight, nine) = (json!("2026-01-04T08:00:00.000Z"), json!("2026-01-04T09:00:00.000Z"));
    assert_eq!(words, [("fire".into(), eight), ("to_come".into(), nine)]);
}
