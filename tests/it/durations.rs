//! A length of time is written in one way: what the files take, every verb takes, and what they refuse, every verb
//! refuses by the same words.

use crate::common::daemon::House;

/// What each verb is told, with `LENGTH` for the length. All of them would else do something.
const VERBS: [&[&str]; 6] = [
    &["push", "--im", "hook", "--group", "1", "--text", "hi", "--wait", "LENGTH"],
    &["add", "made", "--in", "LENGTH", "--im", "hook", "--group", "1", "--text", "hi"],
    &["fire", "known", "--wait=LENGTH"],
    &["retry", "1", "--wait=LENGTH"],
    &["backfill", "known", "--from", "2026-01-01", "--to", "2026-01-02", "--dry-run", "--gap", "LENGTH"],
    &["simulate", "--fail-on", "late>LENGTH"],
];
const WORDS: &str = "expected a duration such as 30s, 10m or 1h30m";

async fn told(house: &House, words: &[&str], length: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| word.replace("LENGTH", length)).collect();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    house.ends(&words).await.1
}

fn with_a_job_every(house: &House, length: &str) {
    let job = format!("  - {{name: known, every: \"{length}\", push: {{im: hook, group: 1, text: hi}}}}\n");
    house.configure("", &job);
}

#[tokio::test]
async fn what_is_no_duration_in_the_files_is_none_for_any_verb_and_by_the_same_words() {
    let house = House::new().await;
    for wrong in ["90", "1.5h", "30s1h", "1m1m", "PT1H30M", "1 h", "40000d"] {
        with_a_job_every(&house, wrong);
        let checked = told(&house, &["check"], "").await;
        assert!(checked.contains(WORDS) && checked.contains(wrong), "{wrong}: {checked}");
        with_a_job_every(&house, "1h");
        for verb in VERBS {
            let told = told(&house, verb, wrong).await;
            assert!(told.contains(WORDS) && told.contains(wrong), "{verb:?} {wrong}: {told}");
        }
    }
}

#[tokio::test]
async fn what_is_a_duration_in_the_files_is_one_for_every_verb() {
    let house = House::new().await;
    for right in ["90s", "1h30m", "1m500ms", "2w", " 5s "] {
        with_a_job_every(&house, right.trim());
        let checked = house.ends(&["check"]).await;
        assert!(!checked.1.contains(WORDS), "{right}: {checked:?}");
        for verb in VERBS {
            let told = told(&house, verb, right).await;
            assert!(!told.contains("duration"), "{verb:?} {right}: {told}");
        }
    }
}
