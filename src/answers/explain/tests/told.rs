//! The sentences in Chinese.

use insta::assert_snapshot;

use super::*;
use crate::texts::Language::{Chinese, English};

const DUE: &str = "2026-01-04T09:00:00.000Z";
const LATER: &str = "2026-01-06T00:00:00.000Z";

fn lines_of(story: Story, time: &str, daemon_runs: bool, language: crate::texts::Language) -> Vec<String> {
    let now = at(LATER);
    let asked = when::parse(time, &newest_zone(&story.revisions), now).unwrap();
    Explanation { asked, calls: Vec::new(), story }.lines(TimeZone::UTC, now, daemon_runs, &[], language)
}

fn with(fires: Vec<FireRecord>) -> Story {
    Story { fires, ..story() }
}

/// A fire that came to nothing.
fn nothing_of(decision: &str, reason: &str, calendar: Option<&str>) -> Story {
    let mut fire = fired(at(DUE));
    fire.decision = serde_json::from_value(decision.into()).unwrap();
    (fire.reason, fire.calendar, fire.pushes) = (Some(reason.to_owned()), calendar.map(str::to_owned), Vec::new());
    with(vec![fire])
}

/// A fire whose push came to that.
fn push_of(state: &str, reason: Option<&str>, outcome: &str) -> FireRecord {
    let mut fire = fired(at(DUE));
    let push = &mut fire.pushes[0];
    (push.state, push.reason) = (serde_json::from_value(state.into()).unwrap(), reason.map(str::to_owned));
    push.attempts[0].outcome = Some(outcome.to_owned());
    push.attempts[0].error = (outcome != "sent").then(|| "1200".to_owned());
    fire
}

/// Each kind of end, with the time that is asked about.
fn told() -> Vec<(&'static str, &'static str, Story)> {
    let nine = "2026-01-04T09:00";
    let mut disabled = story();
    disabled.revisions[0].enabled = false;
    let mut removed = story();
    removed.revisions[0].until_at = Some(at("2026-01-03T00:00:00.000Z"));
    let mut unreadable = story();
    unreadable.revisions[0].definition = None;
    let mut many = push_of("failed", Some("attempts_exhausted"), "unreachable");
    let mut other = push_of("sent", None, "sent").pushes.remove(0);
    (other.id, other.attempts[0].number) = (8, 2);
    other.attempts.insert(0, push_of("failed", None, "target_gone").pushes.remove(0).attempts.remove(0));
    many.pushes.push(other);
    let mut on_demand = loaded("2026-01-01T00:00:00.000Z", "0 9 * * *");
    on_demand.revisions[0].schedule = "on demand".into();
    vec![
        ("fired", nine, with(vec![push_of("sent", None, "sent")])),
        ("failed", nine, with(vec![push_of("failed", Some("attempts_exhausted"), "unreachable")])),
        ("unknown", nine, with(vec![push_of("unknown", None, "unknown")])),
        ("retrying", nine, with(vec![push_of("retrying", Some("account_offline"), "unreachable")])),
        ("many pushes", nine, with(vec![many])),
        ("skipped", nine, nothing_of("skipped", "overlap", None)),
        ("missed", nine, nothing_of("missed", "misfire_latest", None)),
        ("paused", nine, nothing_of("skipped", "paused", None)),
        ("holiday", nine, nothing_of("skipped", "holiday", Some("cn: day off"))),
        ("no row", nine, story()),
        ("not decided", "2026-01-05T09:00", story()),
        ("to come", "2026-01-07T09:00", story()),
        ("to come, paused", "2026-01-07T09:00", Story { paused: true, ..story() }),
        ("to come, disabled", "2026-01-07T09:00", disabled),
        ("not called", "2026-01-04T12:00", story()),
        ("on demand", "2026-01-04T12:00", on_demand),
        ("before", "2025-12-31", story()),
        ("removed", nine, removed),
        ("unreadable", nine, unreadable),
    ]
}

#[test]
fn every_end_is_told_in_chinese() {
    let all = told()
        .into_iter()
        .map(|(what, time, story)| format!("[{what}]\n{}", lines_of(story, time, false, Chinese).join("\n")));
    assert_snapshot!(all.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_chinese_story_has_no_english_word_but_names_and_what_is_typed_so() {
    let known = [
        // Of this job and of those who sent.
        "daily",
        "UTC",
        "qq",
        "group",
        "text",
        "bot",
        "onebot11",
        "cn",
        // Of pushcron.
        "sender",
        "pushcron",
        "fire",
        "ledger",
        "fires",
        "keep_history",
        "misfire",
        "overlap",
        "skip",
        "latest",
        "retry",
        "max_attempts",
        "ms",
        "s",
        "h",
        "d",
    ];
    for (what, time, story) in told() {
        for line in lines_of(story, time, true, Chinese) {
            let words = line.split(|c: char| !c.is_ascii_alphabetic() && c != '_' && !(c.is_ascii_digit()));
            for word in words.map(|word| word.trim_start_matches(|c: char| c.is_ascii_digit())) {
                assert!(word.is_empty() || known.contains(&word), "{what}: {word} in {line}");
            }
        }
    }
}

#[test]
fn both_languages_tell_the_same_lines() {
    for ((what, time, story), (.., again)) in told().into_iter().zip(told()) {
        let (english, chinese) = (lines_of(story, time, true, English), lines_of(again, time, true, Chinese));
        assert_eq!(english.len(), chinese.len(), "{what}");
        assert!(english.iter().all(|line| line.is_ascii()), "{what}: {english:?}");
    }
}
