//! Contents that are made once the first push of their fire can go out (`at: release`), and not before.

use std::collections::BTreeMap;

use crate::common::daemon::{House, until};
use crate::common::fake_im::Answer;
use crate::contents::{ENDS, RETRY, command, others_are_skipped_while_one_waits_for_its_content, program, runs, texts};

/// A job that nobody but a person fires, whose content is made when it can go out.
fn by_hand(name: &str, content_from: &str, push: &str) -> String {
    format!(
        "  - {{name: {name}, cron: 0 0 1 1 *, content_from: {{{content_from}, at: release, backoff: 100ms}}, \
         push: {push}, {RETRY}}}\n"
    )
}

const BUSY: &str = "  - {name: busy, cron: 0 0 1 1 *, push: {im: hook, group: 9, text: busy}}\n";

/// The account `hook` goes out so often at most.
fn paced(house: &House, min_interval: &str, jobs: &str) {
    let url = house.im.url("/hook");
    house.write(&format!(
        "daemon: {{database: {}, timezone: UTC}}\n\
         accounts:\n  - {{id: hook, im: hook, sender: webhook, url: \"{url}\", default: true, min_interval: {min_interval}}}\n\
         jobs:\n{jobs}",
        house.database().display()
    ));
}

async fn fires(house: &House, words: &[&str]) {
    let (code, said) = house.ends(&[&["fire"][..], words].concat()).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn the_source_is_asked_once_its_account_has_room_and_every_target_gets_what_it_said() {
    let house = House::new().await;
    let clock = program(&house, "clock", "date +%s.%N");
    let push = "{im: hook, group: [1, 2]}";
    paced(&house, "2s", &(BUSY.to_owned() + &by_hand("report", &command(&clock), push)));
    let mut daemon = house.daemon().await;
    fires(&house, &["busy", "--wait"]).await;
    fires(&house, &["report", "--wait"]).await;
    daemon.stop().await;
    assert_eq!(runs(&house, "clock"), 1, "{}", daemon.log());
    let sent = texts(&house);
    assert_eq!((sent.len(), &sent[1]), (3, &sent[2]), "{sent:?}");
    let after = "SELECT (julianday(c.began_at) - julianday(a.started_at)) * 86400 >= 1.99
                   FROM contents AS c, attempts AS a JOIN pushes AS p ON p.id = a.push_id WHERE p.target = 'group:9'";
    assert_eq!(house.rows(after).await, [["1"]], "it was made before it could go out");
    let due_at = house.rows("SELECT due_at FROM fires WHERE job = 'report'").await[0][0].clone();
    let told =
        house.program(&["explain", "report", &due_at]).stdout(std::process::Stdio::piped()).output().await.unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let in_one_line = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(in_one_line.contains("Its content, by command"), "{told}");
}

#[tokio::test]
async fn what_cannot_go_out_asks_nobody_over_kill_and_restart_and_a_cancelled_push_never_does() {
    let house = House::new().await;
    let count = program(&house, "count", "wc -l < runs-count");
    let jobs = BUSY.to_owned() + &by_hand("report", &command(&count), "{im: hook, group: [1, 2]}");
    paced(&house, "1h", &jobs);
    let mut daemon = house.daemon().await;
    fires(&house, &["busy", "--wait"]).await;
    fires(&house, &["report"]).await;
    house.until_at_least(2, "SELECT count(*) FROM pushes WHERE state = 'pending'").await;
    let due_at = house.rows("SELECT due_at FROM fires WHERE job = 'report'").await[0][0].clone();
    let told =
        house.program(&["explain", "report", &due_at]).stdout(std::process::Stdio::piped()).output().await.unwrap();
    let told = String::from_utf8(told.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("Its content is made once the first push can go out"), "{told}");
    let first = house.number("SELECT min(id) FROM pushes WHERE target = 'group:1'").await.to_string();
    assert_eq!(house.ends(&["cancel", &first]).await.0, Some(0));
    daemon.child.kill().await.unwrap();
    let mut daemon = house.daemon().await;
    daemon.stop().await;
    assert_eq!((runs(&house, "count"), house.number("SELECT count(*) FROM unreleased_fires").await), (0, 1));
    paced(&house, "0s", &jobs);
    let mut daemon = house.daemon().await;
    house.until_at_least(1, "SELECT count(*) FROM pushes WHERE target = 'group:2' AND state = 'sent'").await;
    assert_eq!((runs(&house, "count"), texts(&house)), (1, vec!["busy".to_owned(), "1".to_owned()]));
    // What was cancelled before is sent with the content of its fire where somebody wants it all the same.
    assert_eq!(house.ends(&["retry", &first, "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!((runs(&house, "count"), texts(&house).len()), (1, 3));
    assert_eq!(texts(&house)[2], "1");
}

#[tokio::test]
async fn what_expired_before_it_could_go_out_is_made_when_somebody_tries_it_again() {
    let house = House::new().await;
    let count = program(&house, "count", "wc -l < runs-count");
    let job = by_hand("report", &command(&count), "{im: hook, group: 1}")
        .replace("jitter: 0,", "jitter: 0, give_up_after: 1s,");
    paced(&house, "1h", &(BUSY.to_owned() + &job));
    let mut daemon = house.daemon().await;
    fires(&house, &["busy", "--wait"]).await;
    fires(&house, &["report"]).await;
    daemon.stop().await;
    paced(&house, "0s", &(BUSY.to_owned() + &job));
    // Its time is over before anybody could look at it again.
    until("a second has passed", async || {
        house
            .number(
                "SELECT count(*) FROM pushes WHERE target = 'group:1' AND expires_at < strftime('%Y-%m-%dT%H:%M:%fZ')",
            )
            .await
            == 1
    })
    .await;
    let mut daemon = house.daemon().await;
    house.until_at_least(1, "SELECT count(*) FROM pushes WHERE state = 'expired'").await;
    assert_eq!(runs(&house, "count"), 0);
    let id = house.number("SELECT id FROM pushes WHERE state = 'expired'").await.to_string();
    assert_eq!(house.ends(&["retry", &id, "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!((runs(&house, "count"), texts(&house)), (1, vec!["busy".to_owned(), "1".to_owned()]));
}

#[tokio::test]
async fn a_source_that_fails_or_has_nothing_to_say_or_nothing_new_ends_the_pushes_as_it_says() {
    let house = House::new().await;
    let bad = program(&house, "bad", "echo no such table >&2; exit 1");
    let mute = program(&house, "mute", "exit 99");
    let same = program(&house, "same", "echo same");
    let push = "{im: hook, group: 1}";
    let jobs = [
        by_hand("bad", &command(&bad), push),
        by_hand("mute", &command(&mute), push),
        by_hand("same", &format!("{}, unchanged: skip", command(&same)), push),
    ];
    house.configure("", &jobs.concat());
    let mut daemon = house.daemon().await;
    for (job, exit) in [("bad", 1), ("mute", 1), ("same", 0), ("same", 1)] {
        assert_eq!(house.ends(&["fire", job, "--wait"]).await.0, Some(exit), "{job}: {}", daemon.log());
    }
    daemon.stop().await;
    let ends =
        [["failed", "content"], ["cancelled", "content_empty"], ["sent", "-"], ["cancelled", "content_unchanged"]];
    assert_eq!(house.rows(ENDS).await, ends);
    assert_eq!((texts(&house), runs(&house, "bad")), (vec!["same".to_owned()], 2));
    let failed = house.number("SELECT id FROM pushes WHERE state = 'failed'").await.to_string();
    let (code, said) = house.ends(&["retry", &failed]).await;
    assert!(code != Some(0) && said.contains("its content was never made"), "{code:?} {said}");
}

#[tokio::test]
async fn a_list_is_read_at_the_instant_and_its_recipients_wait_for_one_content() {
    let house = House::new().await;
    let clock = program(&house, "clock", "date +%s.%N");
    let csv = house.dir.path().join("parents.csv");
    std::fs::write(&csv, "qq,name\n1,Ann\n2,Bo\n").unwrap();
    let job = by_hand("report", &command(&clock), "{to: parents, render: true, text: '{{ name }} {{ output }}'}");
    let list = format!("parents: {{im: hook, from: {{csv: {}, user: qq, fields: [name]}}}}", csv.display());
    house.configure("", &format!("{job}targets:\n  {list}\n"));
    let mut daemon = house.daemon().await;
    fires(&house, &["report", "--wait"]).await;
    daemon.stop().await;
    assert_eq!(runs(&house, "clock"), 1);
    let content = house.rows("SELECT content FROM contents").await[0][0].clone();
    let mut sent = texts(&house);
    sent.sort();
    assert_eq!(sent, [format!("Ann {content}"), format!("Bo {content}")]);
}

#[tokio::test]
async fn a_job_with_overlap_skip_sees_the_pushes_that_wait_for_their_content() {
    others_are_skipped_while_one_waits_for_its_content(", at: release").await;
}

/// Each push got one content, that of its fire, however often it was sent.
async fn one_version_a_fire(house: &House) {
    let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for request in house.im.requests_to("/hook") {
        let key = request.header("webhook-id").unwrap().to_owned();
        assert_eq!(bodies.entry(key.clone()).or_insert(request.body.clone()), &request.body, "two versions of {key}");
    }
    let strays = "SELECT count(*) FROM pushes AS p LEFT JOIN contents AS c ON c.fire_id = p.fire_id
                   WHERE p.state = 'sent' AND (c.content IS NULL OR c.content <> p.message ->> 'text')";
    assert_eq!(house.number(strays).await, 0);
    assert_eq!(house.number("SELECT count(*) FROM pushes WHERE sent_count > 1").await, 0);
}

#[tokio::test]
async fn killed_before_the_content_its_row_or_the_send_each_fire_has_one_version() {
    let house = House::new().await;
    let slow = program(&house, "slow", "while [ ! -e go ]; do sleep 0.05; done; date +%s.%N");
    house.im.on("/hook", Answer::status(503));
    house.configure("", &by_hand("report", &command(&slow), "{im: hook, group: [1, 2]}"));
    let mut daemon = house.daemon().await;
    fires(&house, &["report"]).await;
    until("the command runs", async || runs(&house, "slow") == 1).await;
    assert_eq!(house.number("SELECT count(*) FROM pushes WHERE state = 'pending' AND attempts = 0").await, 2);
    daemon.child.kill().await.unwrap();
    let mut daemon = house.daemon().await;
    until("the command runs again", async || runs(&house, "slow") == 2).await;
    std::fs::write(house.dir.path().join("go"), "").unwrap();
    until("an attempt was made", async || !house.im.requests_to("/hook").is_empty()).await;
    daemon.child.kill().await.unwrap();
    house.im.on("/hook", Answer::text(200, "{}"));
    let mut daemon = house.daemon().await;
    house.until_at_least(2, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    daemon.stop().await;
    assert_eq!((runs(&house, "slow"), house.number("SELECT count(*) FROM contents").await), (2, 1));
    let mut versions = texts(&house);
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), 1, "{versions:?}");
    one_version_a_fire(&house).await;
    assert_eq!(house.ends(&["ledger"]).await.0, Some(0));
}

#[tokio::test]
async fn a_daemon_that_is_killed_again_and_again_sends_one_version_of_each_fire_and_loses_none() {
    let house = House::new().await;
    let clock = program(&house, "clock", "date +%s.%N");
    house.configure(
        "",
        &format!(
            "  - {{name: report, every: 1s, misfire: {{policy: all, within: 12h, max: 10000}}, \
             push: {{im: hook, group: [1, 2]}}, content_from: {{{}, at: release}}, {RETRY}}}\n",
            command(&clock)
        ),
    );
    for kill in 1..=12 {
        let mut daemon = house.daemon().await;
        // At another step each time: as the source is asked, as its row is written, as something arrives.
        let (asked, made, arrived) = (
            runs(&house, "clock"),
            house.number("SELECT count(*) FROM contents").await,
            house.im.requests_to("/hook").len(),
        );
        until("the next step", async || match kill % 3 {
            0 => runs(&house, "clock") > asked,
            1 => house.number("SELECT count(*) FROM contents").await > made,
            _ => house.im.requests_to("/hook").len() > arrived,
        })
        .await;
        daemon.child.kill().await.unwrap();
    }
    let mut daemon = house.daemon().await;
    house.settled().await;
    daemon.stop().await;
    one_version_a_fire(&house).await;
    let lost = "SELECT count(*) FROM pushes WHERE state NOT IN ('sent', 'pending')";
    assert_eq!(house.number(lost).await, 0, "{:?}", house.rows(ENDS).await);
    assert_eq!(house.ends(&["ledger"]).await.0, Some(0));
}

#[tokio::test]
async fn a_lead_or_another_word_beside_it_is_refused_and_export_says_it_again() {
    let house = House::new().await;
    let job = |content: &str| {
        format!("  - {{name: a, every: 1h, push: {{im: hook, group: 1}}, content_from: {{{content}}}}}\n")
    };
    for (content, told) in [
        ("file: /a, at: release, lead: 2s", "expected one of the two"),
        ("file: /a, at: send", "at: expected instant, release"),
    ] {
        house.configure("", &job(content));
        let (code, said) = house.ends(&["run"]).await;
        assert!(code == Some(78) && said.contains(told), "{content}: {code:?} {said}");
    }
    house.configure("", &job("http: {url: https://a.example, expect: [200, 404]}, at: release, stale: last_good"));
    let mut daemon = house.daemon().await;
    daemon.stop().await;
    let said = house.program(&["export", "a"]).stdout(std::process::Stdio::piped()).output().await.unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    for part in [r#""at":"release""#, r#""stale":"last_good""#, r#""stale_at_most":"1d""#, "[200,404]"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}
