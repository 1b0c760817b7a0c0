//! What is asked for contents and how: addresses with headers and expected statuses, and what stands in for a source that fails.

use std::os::unix::fs::PermissionsExt;

use crate::common::daemon::House;
use crate::common::fake_im::{Answer, FakeIm};
use crate::contents::{ENDS, by_hand, command, program, texts};

/// A house whose addresses may be private.
fn with_private_addresses(house: &House, jobs: &str) {
    let account =
        format!("  - {{id: hook, im: hook, sender: webhook, url: \"{}\", default: true}}\n", house.im.url("/hook"));
    house.write(&format!(
        "daemon: {{database: {}, timezone: UTC, media_allow_private: true}}\naccounts:\n{account}jobs:\n{jobs}",
        house.database().display()
    ));
}

fn private(house: &House, name: &str, text: &str) -> String {
    let path = house.dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn an_address_is_asked_with_the_headers_of_its_file_as_they_are_now_and_no_other_server_sees_them() {
    let house = House::new().await;
    house.im.on("/report", Answer::text(200, "all is well\n"));
    let elsewhere = FakeIm::start().await;
    elsewhere.on("", Answer::text(200, "caught\n"));
    house.im.on("/moved", Answer::status(302).header("location", &elsewhere.url("/caught")));
    house.im.on("/here", Answer::status(302).header("location", "/report"));
    let headers = private(&house, "headers", "# of the weather\nAuthorization: Bearer one\n");
    let job = |name: &str, path: &str| {
        by_hand(name, &format!("http: {{url: \"{}\", headers_file: {headers}}}, attempts: 1", house.im.url(path)))
    };
    with_private_addresses(&house, &[job("report", "/report"), job("here", "/here"), job("moved", "/moved")].concat());
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    private(&house, "headers", "Authorization: Bearer two\nX-Site: north\n");
    assert_eq!(house.ends(&["fire", "here", "--wait"]).await.0, Some(0), "{}", daemon.log());
    assert_eq!(house.ends(&["fire", "moved", "--wait"]).await.0, Some(1), "{}", daemon.log());
    std::fs::set_permissions(house.dir.path().join("headers"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1), "{}", daemon.log());
    daemon.stop().await;
    let asked = house.im.requests_to("/report");
    let said: Vec<_> =
        asked.iter().map(|request| (request.header("authorization"), request.header("x-site"))).collect();
    assert_eq!(said, [(Some("Bearer one"), None), (Some("Bearer two"), Some("north"))]);
    assert_eq!(elsewhere.requests().len(), 0);
    let errors = house.rows("SELECT error FROM contents WHERE outcome = 'failed' ORDER BY fire_id").await;
    assert!(errors[0][0].contains("where the headers of headers_file do not go"), "{errors:?}");
    assert!(errors[1][0].contains("other users may read or write it"), "{errors:?}");
    let dump = std::fs::read(house.database()).unwrap();
    assert!(!dump.windows(10).any(|bytes| bytes == b"Bearer one"), "a secret stands in the database");
}

#[tokio::test]
async fn an_answer_that_was_not_expected_is_no_content_and_one_that_was_is_one() {
    let house = House::new().await;
    house.im.on("/busy", Answer::text(503, "closed for today"));
    house.im.on("/accepted", Answer::text(202, "try later"));
    let job = |name: &str, path: &str, expect: &str| {
        by_hand(name, &format!("http: {{url: \"{}\", expect: {expect}}}, attempts: 1", house.im.url(path)))
    };
    let jobs = [job("closed", "/busy", "[200, 503]"), job("open", "/accepted", "200"), job("any", "/accepted", "202")];
    with_private_addresses(&house, &jobs.concat());
    let mut daemon = house.daemon().await;
    for (job, exit) in [("closed", 0), ("open", 1), ("any", 0)] {
        assert_eq!(house.ends(&["fire", job, "--wait"]).await.0, Some(exit), "{job}: {}", daemon.log());
    }
    daemon.stop().await;
    assert_eq!(texts(&house), ["closed for today", "try later"]);
    let errors = house.rows("SELECT error FROM contents WHERE outcome = 'failed'").await;
    assert!(errors[0][0].ends_with("answered HTTP 202, expected 200"), "{errors:?}");
}

#[tokio::test]
async fn a_headers_file_that_is_open_or_no_such_file_or_asks_for_too_much_is_refused_at_load() {
    let house = House::new().await;
    let open = private(&house, "open", "A: b");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let host = private(&house, "host", "Host: canary.example");
    let good = private(&house, "good", "A: b");
    for (http, told) in [
        (format!("{{url: https://a.example, headers_file: {open}}}"), "other users may read or write it (mode 644)"),
        (format!("{{url: https://a.example, headers_file: {host}}}"), "the header Host is pushcron's own to say"),
        ("{url: https://a.example, headers_file: nowhere}".to_owned(), "No such file"),
        (format!("{{headers_file: {good}}}"), "http needs a url"),
        ("{url: https://a.example, expect: 302}".to_owned(), "expect: expected a status such as 200"),
        ("{url: https://a.example, expect: []}".to_owned(), "expected a status such as 200, or some"),
        ("{url: https://a.example, headers: {A: b}}".to_owned(), "unknown key 'headers' in http"),
        ("https://a.example, stale: last".to_owned(), "stale: expected fail, last_good"),
        ("https://a.example, stale_at_most: 3h".to_owned(), "write 'stale: last_good' beside it"),
    ] {
        house.configure("", &by_hand("a", &format!("http: {http}")));
        let (code, said) = house.ends(&["run"]).await;
        assert!(code == Some(78) && said.contains(told) && !said.contains("canary"), "{http}: {code:?} {said}");
    }
}

#[tokio::test]
async fn where_a_source_fails_what_it_said_last_stands_in_for_it_and_the_row_and_explain_say_so() {
    let house = House::new().await;
    let report = program(&house, "report", "[ -e bad ] && { echo out of order >&2; exit 1; }; cat said");
    house.configure("", &by_hand("report", &format!("{}, stale: last_good, attempts: 1", command(&report))));
    let said = |text: &str| std::fs::write(house.dir.path().join("said"), text).unwrap();
    let bad = house.dir.path().join("bad");
    std::fs::write(&bad, "").unwrap();
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1), "it said nothing ever: {}", daemon.log());
    std::fs::remove_file(&bad).unwrap();
    said("roster A");
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0));
    std::fs::write(&bad, "").unwrap();
    for _ in 0..2 {
        assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    }
    assert!(daemon.log().contains("what it was last is taken"), "{}", daemon.log());
    // Nothing to say is an answer too.
    std::fs::remove_file(&bad).unwrap();
    said("");
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1));
    std::fs::write(&bad, "").unwrap();
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1));
    daemon.stop().await;
    assert_eq!(texts(&house), ["roster A"; 3]);
    let stale =
        "SELECT outcome, stale_from IS (SELECT made_at FROM contents WHERE content IS NOT NULL ORDER BY fire_id),
                        coalesce(stale_why LIKE '%out of order%', 0) FROM contents ORDER BY fire_id";
    let (good, last) = (["made", "0", "0"], ["made", "1", "1"]);
    assert_eq!(
        house.rows(stale).await,
        [["failed", "0", "0"], good, last, last, ["empty", "0", "0"], ["empty", "0", "1"]]
    );
    let ends = [["failed", "content"], ["sent", "-"], ["sent", "-"], ["sent", "-"]];
    let empty = ["cancelled", "content_empty"];
    assert_eq!(house.rows(ENDS).await, [&ends[..], &[empty, empty]].concat());
    let due_at = house.rows("SELECT due_at FROM fires ORDER BY id LIMIT 1 OFFSET 2").await[0][0].clone();
    let told =
        house.program(&["explain", "report", &due_at]).stdout(std::process::Stdio::piped()).output().await.unwrap();
    let told = String::from_utf8(told.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("that is the last good one, said at") && told.contains("out of order"), "{told}");
}

#[tokio::test]
async fn what_was_said_too_long_ago_or_by_another_source_does_not_stand_in() {
    let house = House::new().await;
    let (a, b) = (house.dir.path().join("a"), house.dir.path().join("b"));
    std::fs::write(&a, "A").unwrap();
    let job = |path: &std::path::Path, age: &str| {
        let file = format!("file: {}, stale: last_good, stale_at_most: {age}, attempts: 1", path.display());
        by_hand("report", &file)
    };
    house.configure("", &job(&a, "1h"));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    std::fs::remove_file(&a).unwrap();
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    let settings = rusqlite::Connection::open(house.database()).unwrap();
    let old = "2020-01-01T00:00:00.000Z";
    settings
        .execute("UPDATE contents SET made_at = ?1, stale_from = iif(stale_from IS NULL, NULL, ?1)", [old])
        .unwrap();
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1), "{}", daemon.log());
    std::fs::write(&a, "A again").unwrap();
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    house.configure("", &job(&b, "1h"));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!(texts(&house), ["A", "A", "A again"]);
}

#[tokio::test]
async fn one_address_may_be_private_while_all_others_may_not() {
    let house = House::new().await;
    house.im.on("/report", Answer::text(200, "all is well\n"));
    let http = |more: &str| format!("http: {{url: \"{}\"{more}}}, attempts: 1", house.im.url("/report"));
    house.configure("", &by_hand("report", &http("")));
    let (code, said) = house.ends(&["run"]).await;
    assert!(code == Some(78) && said.contains("allow_private: true"), "{code:?} {said}");
    let picture = format!(
        "  - {{name: picture, cron: 0 0 1 1 *, push: {{im: hook, group: 1, image: \"{}\"}}, retry: {{max_attempts: 1}}}}\n",
        house.im.url("/report").replace("http:", "https:")
    );
    house.configure("", &(by_hand("report", &http(", allow_private: true")) + &picture));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    assert_eq!(house.ends(&["fire", "picture", "--wait"]).await.0, Some(1), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!((texts(&house), house.im.requests_to("/report").len()), (vec!["all is well".to_owned()], 1));
}

#[tokio::test]
async fn a_private_address_that_may_be_asked_leads_to_no_other_one() {
    let house = House::new().await;
    let other = FakeIm::start().await;
    other.on("/secret", Answer::text(200, "what nobody opened\n"));
    let led = |to: String| Answer::status(302).header("location", &to);
    house.im.on("/there", led(other.url("/secret")));
    house.im.on("/here", led(house.im.url("/report")));
    house.im.on("/report", Answer::text(200, "all is well\n"));
    let job = |name: &str| {
        by_hand(
            name,
            &format!("http: {{url: \"{}\", allow_private: true}}, attempts: 1", house.im.url(&format!("/{name}"))),
        )
    };
    house.configure("", &(job("there") + &job("here")));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "there", "--wait"]).await.0, Some(1), "{}", daemon.log());
    assert_eq!(house.ends(&["fire", "here", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!((texts(&house), other.requests().len()), (vec!["all is well".to_owned()], 0));
    let errors = house.rows("SELECT error FROM contents WHERE error IS NOT NULL").await;
    assert!(errors[0][0].contains("which allow_private does not open"), "{errors:?}");
}
