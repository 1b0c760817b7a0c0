//! Recipients that are read at the hour of a fire: each has a push of its own, and of a list that is wrong nothing is sent.

use std::path::Path;

use crate::common::daemon::House;
use crate::common::fake_im::{Answer, Request};

/// A house whose target `parents` is a list, and a job that somebody fires by hand.
fn configure(house: &House, from: &str, job: &str) {
    house.configure("", &format!("  - {{name: report, cron: 0 0 1 1 *, {job}}}\ntargets:\n  {from}\n"));
}

fn parents(source: &str) -> String {
    format!("parents: {{im: hook, from: {{{source}, user: qq, fields: [name]}}, at_most: 30}}")
}

const GREETING: &str = "push: {to: parents, render: true, text: 'Dear {{ name }}'}, retry: {max_attempts: 1}";

fn write(house: &House, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = house.dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn text(request: &Request) -> String {
    request.json()["data"]["text"].as_str().unwrap().to_owned()
}

fn texts(house: &House) -> Vec<String> {
    let mut texts: Vec<String> = house.im.requests_to("/hook").iter().map(text).collect();
    texts.sort();
    texts
}

async fn explained(house: &House) -> String {
    let due_at = house.rows("SELECT max(due_at) FROM fires").await[0][0].clone();
    said(house, &["explain", "report", &due_at]).await
}

async fn shown(house: &House, push_id: i64) -> String {
    said(house, &["show", &push_id.to_string()]).await
}

async fn said(house: &House, words: &[&str]) -> String {
    let said = house.program(words).stdout(std::process::Stdio::piped()).output().await;
    let said = String::from_utf8(said.unwrap().stdout).unwrap();
    // As if the page were wide enough.
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn e5_each_of_a_csv_has_a_push_of_its_own_and_one_that_fails_is_the_only_one_that_is_tried_again() {
    let house = House::new().await;
    let rows: String = (1..=20).map(|number| format!("{number},\"No. {number}, <@{number}>\"\r\n")).collect();
    let csv = write(&house, "parents.csv", format!("\u{feff}qq,name\r\n{rows}7,again\r\n"));
    let job = GREETING.replace("text:", "fallback: {im: hook, group: ops}, text:");
    configure(&house, &parents(&format!("csv: {csv}")), &job);
    house.im.handle("/hook", |request| match request.json()["data"]["target"]["user"] == "13" {
        true => Answer::text(404, "gone"),
        false => Answer::text(200, "{}"),
    });
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1), "{}", daemon.log());
    house.until_at_least(20, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    let ends = "SELECT state, coalesce(role, '-'), count(*) FROM pushes GROUP BY 1, 2 ORDER BY 1, 2";
    let told = [["failed", "-", "1"], ["sent", "-", "19"], ["sent", "fallback", "1"]];
    assert_eq!(house.rows(ends).await, told);
    let order = "SELECT group_concat(target, ' ') FROM (SELECT target FROM pushes WHERE role IS NULL ORDER BY ordinal)";
    let expected: Vec<String> = (1..=20).map(|number| format!("user:{number}")).collect();
    assert_eq!(house.rows(order).await, [[expected.join(" ")]]);
    assert!(texts(&house).contains(&"Dear No. 5, <\u{2060}@\u{2060}5>".to_owned()), "{:?}", texts(&house));

    let failed = house.number("SELECT id FROM pushes WHERE state = 'failed'").await.to_string();
    house.im.on("/hook", Answer::text(200, "{}"));
    let before = house.im.requests_to("/hook").len();
    assert_eq!(house.ends(&["retry", &failed, "--wait"]).await.0, Some(0));
    daemon.stop().await;
    assert_eq!(house.im.requests_to("/hook").len(), before + 1, "one, and no second fallback");
    let told = explained(&house).await;
    assert!(told.contains("The list 'parents'") && told.contains("named 20 recipients"), "{told}");
    assert!(told.contains("1 double"), "{told}");
    assert_eq!(house.ends(&["ledger"]).await.0, Some(0));
}

#[tokio::test]
async fn of_a_list_that_is_wrong_nothing_is_sent_and_a_row_says_why() {
    let house = House::new().await;
    let good = "qq,name\n1,a\n";
    let csv = write(&house, "parents.csv", good);
    let job = "push: {to: [ops, parents], render: true, text: 'Dear {{ name }}'}, retry: {max_attempts: 1}";
    let from = format!("ops: {{im: hook, group: ops}}\n  {}", parents(&format!("csv: {csv}")));
    configure(&house, &from, job);
    let mut daemon = house.daemon().await;
    let many: String = (0..100_000).map(|number| format!("{number},x\n")).collect();
    let cases: [(Vec<u8>, &str); 5] = [
        (b"qq,name\n1,a\n2\n".to_vec(), "line 3: it has 1 fields, and the first line names 2"),
        (b"qq,name\n1,\xc4\xe3\xba\xc3\n".to_vec(), "line 2: it is not UTF-8"),
        (b"\xff\xfeq\0q\0".to_vec(), "UTF-16"),
        (format!("qq,name\n{many}").into_bytes(), "it has 100000 recipients, and may have 30"),
        (Vec::new(), "it is empty"),
    ];
    for (bytes, told) in cases {
        write(&house, "parents.csv", bytes);
        assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1), "{}", daemon.log());
        let ends = "SELECT target, state, reason FROM pushes
                     WHERE fire_id = (SELECT max(id) FROM fires) ORDER BY ordinal";
        let expected = [["group:ops", "failed", "recipients"], ["user:parents", "failed", "recipients"]];
        assert_eq!(house.rows(ends).await, expected, "{told}");
        let error = house.rows("SELECT error FROM recipient_lists ORDER BY fire_id DESC LIMIT 1").await;
        assert!(error[0][0].contains(told), "{error:?}");
        assert!(explained(&house).await.contains(told));
    }
    assert_eq!(texts(&house), Vec::<String>::new());
    let nobody = house.number("SELECT max(id) FROM pushes").await;
    let (code, said) = house.ends(&["retry", &nobody.to_string()]).await;
    assert!(code == Some(1) && said.contains("was never read"), "{code:?} {said}");
    let told = shown(&house, nobody).await;
    assert!(told.contains("`pushcron fire report`") && !told.contains("pushcron retry"), "{told}");
    let told = shown(&house, nobody - 1).await;
    assert!(told.contains(&format!("`pushcron retry {}`", nobody - 1)), "it is known whom this one is for: {told}");

    write(&house, "parents.csv", good);
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!(texts(&house), ["Dear ", "Dear a"]);
}

#[tokio::test]
async fn who_is_named_beside_a_list_gets_one_push_on_whichever_side() {
    for (to, expected) in [("[parents, me]", "1 2"), ("[me, parents]", "2 1"), ("[me, parents, me, other]", "2 1 3")] {
        let house = House::new().await;
        let csv = write(&house, "parents.csv", "qq,name\n1,a\n2,b\n");
        let fixed = "me: {im: hook, user: '2'}\n  other: {im: hook, user: '3'}";
        let targets = format!("{fixed}\n  {}", parents(&format!("csv: {csv}")));
        configure(&house, &targets, &format!("push: {{to: {to}, text: hi}}"));
        let mut daemon = house.daemon().await;
        assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
        daemon.stop().await;
        let order = "SELECT group_concat(substr(target, 6), ' ') FROM (SELECT target FROM pushes ORDER BY ordinal)";
        assert_eq!(house.rows(order).await, [[expected]], "{to}");
        assert_eq!(texts(&house).len(), expected.split(' ').count(), "{to}");
    }
}

#[tokio::test]
async fn who_stands_on_two_lists_of_a_fire_is_a_double_that_is_counted() {
    let house = House::new().await;
    let (first, second) = (write(&house, "first.txt", "1\n2\n2\n"), write(&house, "second.txt", "2\n3\n1\n"));
    let targets = format!(
        "first: {{im: hook, from: {{lines: {first}, user: id}}}}\n  second: {{im: hook, from: {{lines: {second}, user: id}}}}"
    );
    configure(&house, &targets, "push: {to: [first, second], text: hi}");
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!(texts(&house).len(), 3);
    let rows = house.rows("SELECT count, doubles FROM recipient_lists ORDER BY number").await;
    assert_eq!(rows, [["2", "1"], ["1", "2"]]);
    let told = explained(&house).await;
    assert!(told.contains("named 1 recipient, after 2 doubles had been dropped"), "{told}");
}

#[tokio::test]
async fn a_list_that_is_wrong_inside_holds_up_nothing_but_its_own_fire() {
    let house = House::new().await;
    let csv = house.dir.path().join("parents.csv").display().to_string();
    let configure = |other: &str, from: &str| {
        let report = format!("  - {{name: report, cron: 0 0 1 1 *, {GREETING}}}\n");
        let other = format!("  - {{name: {other}, cron: 0 0 1 1 *, push: {{im: hook, group: ops, text: hi}}}}\n");
        house.configure("", &format!("{report}{other}targets:\n  {from}\n"));
    };
    let of_csv = parents(&format!("csv: {csv}"));
    let many: String = (0..31).map(|number| format!("{number},x\n")).collect();
    let cases: [(Vec<u8>, &str); 7] = [
        (b"qq,name\n1,a\n2\n".to_vec(), "line 3: it has 1 fields"),
        ("qq,name\n1,a\n\u{feff}1,b\n".into(), "line 3: expected an id of at most 256 printable"),
        (b"qq,name\n1,\xc4\xe3\n".to_vec(), "line 2: it is not UTF-8"),
        (format!("qq,name\n{many}").into(), "it has 31 recipients, and may have 30"),
        (b"qq,nam\n1,a\n".to_vec(), "names no column 'name'"),
        (vec![b'\n'; (4 << 20) + 1], "more than 4 MiB"),
        (Vec::new(), "it is empty"),
    ];
    for (bytes, told) in &cases {
        write(&house, "parents.csv", bytes);
        configure("other", &of_csv);
        let (code, said) = house.ends(&["check"]).await;
        assert!(code == Some(0) && said.contains(told) && said.contains("jobs.yaml:"), "{told}: {code:?} {said}");
        assert!(!said.contains("there is no variable"), "{said}");
    }
    configure("other", &of_csv.replace(&csv, house.dir.path().to_str().unwrap()));
    let (code, said) = house.ends(&["check"]).await;
    assert!(code == Some(0) && said.contains("expected a file"), "{code:?} {said}");

    write(&house, "parents.csv", &cases[0].0);
    configure("other", &of_csv);
    let mut daemon = house.daemon().await;
    assert!(daemon.log().contains(cases[0].1), "{}", daemon.log());
    assert_eq!(house.ends(&["fire", "other", "--wait"]).await.0, Some(0), "{}", daemon.log());
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1), "{}", daemon.log());
    let ends = "SELECT target, state, coalesce(reason, '-') FROM pushes ORDER BY id";
    let told = [["group:ops", "sent", "-"], ["user:parents", "failed", "recipients"]];
    assert_eq!(house.rows(ends).await, told);
    assert!(explained(&house).await.contains(cases[0].1));

    configure("third", &of_csv);
    daemon.signal(libc::SIGHUP);
    house.until_at_least(1, "SELECT count(*) FROM jobs WHERE name = 'third' AND enabled").await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_list_with_nobody_on_it_leaves_a_row_that_says_so() {
    let house = House::new().await;
    let lines = write(&house, "groups", "\n");
    configure(
        &house,
        &format!("parents: {{im: hook, from: {{lines: {lines}, group: id}}}}"),
        "push: {to: parents, text: hi}",
    );
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1));
    assert_eq!(
        house.rows("SELECT target, state, reason FROM pushes").await,
        [["group:parents", "cancelled", "no_recipients"]]
    );
    let told = shown(&house, 1).await;
    assert!(told.contains("`pushcron fire report`"), "{told}");
    let (code, said) = house.ends(&["fire", "report", "--text", "hello"]).await;
    assert!(code == Some(64) && said.contains("a list of recipients is read for the fires of jobs"), "{code:?} {said}");
    write(&house, "groups", "a\nb\n");
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!(house.number("SELECT count(*) FROM pushes WHERE state = 'sent' AND target LIKE 'group:_'").await, 2);
}

#[tokio::test]
async fn a_command_tells_whom_and_a_source_tells_what() {
    let house = House::new().await;
    let program = |name: &str, script: &str| {
        let path = write(&house, name, format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path
    };
    let whom = program("whom", r#"echo '[{"qq": 1, "name": "Mei"}, {"qq": "2", "name": "@all"}]'"#);
    let what = program("what", r#"printf '{"total": %s, "of": "%s"}' 7 "$1""#);
    configure(
        &house,
        &parents(&format!("command: [{whom}], format: json, as_root: true")),
        &format!(
            "content_from: {{command: [{what}, 'of {{{{ job }}}}; date'], as_root: true, format: json}}, \
             push: {{to: parents, render: true, text: '{{{{ name }}}}: {{{{ data.total + 1 }}}} {{{{ data.of }}}}'}}"
        ),
    );
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!(texts(&house), ["@\u{2060}all: 8 of report; date", "Mei: 8 of report; date"]);
}

#[tokio::test]
async fn what_was_sent_before_is_known_to_the_next_text() {
    let house = House::new().await;
    let file = write(&house, "report", "A");
    configure(
        &house,
        "ops: {im: hook, group: ops}",
        &format!(
            "content_from: {{file: {file}, trusted: true}}, push: {{to: ops, render: true, \
             text: '{{% if previous %}}{{{{ previous }}}} → {{% endif %}}{{{{ output }}}}'}}, retry: {{max_attempts: 1}}"
        ),
    );
    let mut daemon = house.daemon().await;
    for (content, answer) in [("A", 200), ("@all", 400), ("B", 200)] {
        write(&house, "report", content);
        house.im.on("/hook", Answer::text(answer, "{}"));
        house.ends(&["fire", "report", "--wait"]).await;
    }
    daemon.stop().await;
    let said: Vec<String> = house.im.requests_to("/hook").iter().map(text).collect();
    assert_eq!(said, ["A", "A → @all", "A → B"]);
}

#[tokio::test]
async fn what_can_be_known_of_a_list_is_told_at_load() {
    let house = House::new().await;
    let good = write(&house, "good.csv", "qq,name\n1,a\n1,b\n");
    let directory = Path::new(&good).parent().unwrap().display().to_string();
    for (from, job, told) in [
        (parents(&format!("csv: {good}, lines: {good}")), GREETING, "from has one source"),
        (parents(&format!("csv: {good}, format: json")), GREETING, "format belongs to the source 'command'"),
        (parents(&format!("csv: {good}, group: qq")), GREETING, "a list is one of groups or of users"),
        (parents(&format!("csv: {good}, colums: a")), GREETING, "unknown key 'colums' in from"),
        (parents("command: [whom]"), GREETING, "expected the absolute path of a program first"),
        (parents(&format!("csv: {good}")).replace("[name]", "[due]"), GREETING, "'due' means something else"),
        (
            parents(&format!("csv: {good}")),
            "push: {to: parents, render: true, text: '{{ nam }}'}",
            "did you mean 'name'",
        ),
        (parents(&format!("csv: {good}")), "push: {to: parents, render: true, text: '{{ data.x }}'}", "content_from"),
        (parents(&format!("csv: {good}")).replace("at_most: 30", "user: a"), GREETING, "no place beside it"),
        (
            parents(&format!("csv: {good}")),
            "push: {im: hook, group: 1, text: hi, fallback: {to: parents}}",
            "expected no list of recipients",
        ),
        (
            format!("{}\n  all: [{{im: hook, from: {{csv: {good}, user: qq}}}}]", parents(&format!("csv: {good}"))),
            GREETING,
            "a list of recipients has no place among others",
        ),
    ] {
        configure(&house, &from, job);
        let (code, said) = house.ends(&["run"]).await;
        assert!(code == Some(78) && said.contains(told), "{from} {job}: {code:?} {said}");
        let follows = said.contains("there is no variable 'name'");
        assert!(!follows, "what follows from another problem is none of its own: {said}");
    }
    configure(&house, &parents(&format!("csv: {good}")), GREETING);
    let (code, said) = house.ends(&["check"]).await;
    assert!(code == Some(0) && said.contains("one recipient stands there more than once"), "{code:?} {said}");
    configure(&house, &parents(&format!("csv: {directory}/nowhere.csv")), GREETING);
    let (code, said) = house.ends(&["check"]).await;
    assert!(code == Some(0) && said.contains("not there now"), "{code:?} {said}");
}

/// The smallest there is.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

#[tokio::test]
async fn a_media_of_one_fire_is_fetched_once_and_not_for_each_recipient() {
    let house = House::new().await;
    let lines: String = (1..=12).map(|number| format!("{number}\n")).collect();
    let lines = write(&house, "users", lines);
    house.im.on("/picture.png", Answer::text(200, PNG));
    let account =
        format!("  - {{id: hook, im: hook, sender: webhook, url: \"{}\", default: true}}\n", house.im.url("/hook"));
    house.write(&format!(
        "daemon: {{database: {}, timezone: UTC, media_allow_private: true}}\naccounts:\n{account}jobs:\n  \
         - {{name: report, cron: 0 0 1 1 *, push: {{to: users, image: \"{}\"}}}}\n\
         targets: {{users: {{im: hook, from: {{lines: {lines}, user: id}}}}}}\n",
        house.database().display(),
        house.im.url("/picture.png"),
    ));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!(house.im.requests_to("/hook").len(), 12);
    assert_eq!(house.im.requests_to("/picture.png").len(), 1);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_as_it_was_the_last_time_where_that_is_wanted() {
    let house = House::new().await;
    let csv = write(&house, "parents.csv", "qq,name\n1,Ann\n2,Bo\n");
    configure(&house, &parents(&format!("csv: {csv}, stale: last_good, stale_at_most: 1h")), GREETING);
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    write(&house, "parents.csv", "qq,name\n1,Ann\n2\n");
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    assert_eq!(texts(&house), ["Dear Ann", "Dear Ann", "Dear Bo", "Dear Bo"]);
    let told = explained(&house).await;
    assert!(told.contains("that is the last good one, read at"), "{told}");
    daemon.stop().await;
    // Other columns are another list.
    let other = parents(&format!("csv: {csv}, stale: last_good")).replace("fields: [name]", "fields: [name, class]");
    configure(&house, &other, GREETING);
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(1), "{}", daemon.log());
    daemon.stop().await;
    let stale = "SELECT coalesce(count, -1), stale_from IS NOT NULL FROM recipient_lists ORDER BY fire_id";
    assert_eq!(house.rows(stale).await, [["2", "0"], ["2", "1"], ["-1", "0"]]);
}

#[tokio::test]
async fn a_list_of_an_address_is_asked_with_headers_of_a_private_file() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new().await;
    house.im.handle("/members", |request| match request.header("authorization") {
        Some("Bearer one") => Answer::text(200, "[{\"qq\": 1, \"name\": \"Ann\"}]"),
        _ => Answer::status(401),
    });
    let headers = write(&house, "headers", "Authorization: Bearer one\n");
    std::fs::set_permissions(&headers, std::fs::Permissions::from_mode(0o600)).unwrap();
    let list =
        parents(&format!("json: {{url: \"{}\", headers_file: {headers}, expect: 200}}", house.im.url("/members")));
    let account =
        format!("  - {{id: hook, im: hook, sender: webhook, url: \"{}\", default: true}}\n", house.im.url("/hook"));
    house.write(&format!(
        "daemon: {{database: {}, timezone: UTC, media_allow_private: true}}\naccounts:\n{account}\
         targets:\n  {list}\njobs:\n  - {{name: report, cron: 0 0 1 1 *, {GREETING}}}\n",
        house.database().display()
    ));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!(texts(&house), ["Dear Ann"]);
}
