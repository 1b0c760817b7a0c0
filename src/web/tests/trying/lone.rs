//! Try: texts that are no whole file, and those that take too long.

use std::time::Duration;

use serde_json::json;

use super::{JOB, form};
use crate::web::tests::pages::sent;
use crate::web::tests::{NOW, World};

/// As it is copied out of a file.
#[tokio::test]
async fn a_job_alone_and_a_list_of_jobs_are_taken_as_they_stand_in_a_file() {
    let mut world = World::new().await;
    let job = "name: report\ncron: '0 9 * * *'\npush: {im: qq, group: '7', text: hi}\n";
    let listed = "- {cron: '0 9 * * *', name: report, push: {im: qq, group: '7', text: hi}}\n- {name: other, every: 1h, push: {im: qq, group: '7', text: hi}}\n";
    for (text, names) in [(job, vec!["report"]), (listed, vec!["report", "other"])] {
        let answer = world.preview(text).await;
        assert_eq!((&answer.body["ok"], &answer.body["errors"]), (&json!(true), &json!([])), "{text}: {answer:?}");
        let told: Vec<&str> =
            answer.body["jobs"].as_array().unwrap().iter().map(|job| job["job"].as_str().unwrap()).collect();
        assert_eq!(told, names);
    }
    // What is wrong with it has its place in the text, and what is no job stays none.
    let wrong = world.wrong("name: report\ncron: '0 9 * *'\npush: {im: qq, group: '7', text: hi}\n").await;
    assert!(wrong.iter().any(|(line, ..)| *line == 2), "{wrong:?}");
    for text in ["- 1\n", "- a: 1\n", "a: {name: b, push: c}\n", "name: x\njobs: []\n"] {
        let wrong = world.wrong(text).await;
        assert!(!wrong.is_empty(), "{text}");
    }
}

#[tokio::test]
async fn a_text_that_says_it_has_no_accounts_has_none() {
    let mut world = World::new().await;
    let answer = world.preview(&format!("accounts: []\n{JOB}")).await;
    assert_eq!((&answer.body["accounts"], &answer.body["ok"]), (&json!("text"), &json!(false)), "{answer:?}");
    assert!(!answer.text.contains("\"account\":\"bot\""), "{answer:?}");
}

/// W12: a list of very many recipients to whom very many jobs push.
#[tokio::test]
async fn jobs_of_very_many_recipients_are_left_out_once_there_was_enough_time() {
    let world = World::new().await;
    let users: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
    let mut text = format!("targets:\n  all: {{im: qq, user: [{}]}}\njobs:\n", users.join(","));
    for number in 0..2000 {
        text.push_str(&format!("- {{name: j{number}, every: 1h, push: {{to: all, text: hi}}}}\n"));
    }
    let judge = world.api.accepted().judge.clone().unwrap();
    // The time is over at the hundredth look at the clock.
    let looks = std::cell::Cell::new(0);
    let enough = || {
        looks.set(looks.get() + 1);
        looks.get() > 100
    };
    let tried = judge.try_text(&text, NOW, &enough);
    assert!(tried.left_out > 1900 && tried.jobs.len() + tried.left_out == 2000, "{} left out", tried.left_out);
    let halves = tried.jobs.iter().filter(|job| job.push.len() != users.len());
    let told: Vec<String> = tried.errors.iter().take(2).map(|error| error.message.english().to_owned()).collect();
    assert_eq!(halves.count(), 0, "no job is told by a half: {told:?}");
    let known = crate::answers::accounts::known(&*world.store).await.unwrap();
    let preview = crate::answers::preview::Preview::of(tried, &known, NOW, enough);
    let cut = preview.cut.unwrap();
    assert!(!preview.ok && cut.english().contains("jobs were not looked at"), "{}", cut.english());
}

#[tokio::test]
async fn what_nobody_tries_comes_back_to_be_tried_again() {
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    world.api.rates = Default::default();
    let mut last = None;
    for _ in 0..7 {
        last = Some(world.send(sent("/try", &form(JOB), &alice.cookie)).await);
        // Two forms a second are for one session.
        world.clock.advance(Duration::from_millis(600));
    }
    let page = last.unwrap();
    assert!(page.status == 429 && page.header("retry-after").is_some(), "{page:?}");
    assert!(page.text.contains("Six texts a minute") && page.text.contains("name: report"), "{}", page.text);
}
