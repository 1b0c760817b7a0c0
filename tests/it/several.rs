//! `push` to several at once, and `fire` with a message of its own, asked of the real program.

use std::process::Stdio;

use crate::common::daemon::House;

/// Names, and jobs that are fired by hand: the im `away` is nobody's to reach.
async fn house() -> House {
    let house = House::new().await;
    let away = "  - {id: away, im: away, sender: webhook, url: \"http://127.0.0.1:9/hook\", default: true}\n";
    let jobs = "  - {name: alert, on_demand: true, push: {to: all, text: Something is wrong}}\n  \
                - {name: rendered, on_demand: true, render: true, push: {im: hook, group: 9, text: '{{ job }}'}}\n  \
                - {name: twice, on_demand: true, push: [{im: hook, group: 9, text: a}, {im: hook, group: 9, text: b}]}\n\
                targets:\n  \
                ops: {im: hook, group: \"1\"}\n  \
                boss: {im: hook, user: \"2\"}\n  \
                all: [ops, boss]\n  \
                far: {im: away, user: \"3\"}\n";
    house.configure(away, jobs);
    house
}

/// What a verb ends with, prints and says.
async fn says(house: &House, words: &[&str]) -> (Option<i32>, String, String) {
    let mut program = house.program(words);
    let output = program.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn ends(house: &House, code: i32, words: &[&str]) -> (String, String) {
    let (ended, out, err) = says(house, words).await;
    assert_eq!(ended, Some(code), "{words:?}: {out}{err}");
    (out, err)
}

const TARGETS: &str = "SELECT fire_id, ordinal, target, state FROM pushes ORDER BY id";

#[tokio::test]
async fn one_message_goes_to_all_who_are_named_as_one_fire_with_a_row_for_each() {
    let house = house().await;
    let words =
        ["push", "--im", "hook", "--group", "-100", "--group", "8", "--user", "2", "--to", "all", "--text", "-5 °C"];
    let (out, err) = ends(&house, 0, &words).await;
    assert_eq!(out, "4\n");
    assert!(err.contains("hook user:2 is named more than once, and sent to once"), "{err}");
    let rows = |fire: &str| {
        let targets = ["group:-100", "group:8", "user:2", "group:1"].iter().enumerate();
        targets
            .map(|(ordinal, target)| [fire, &ordinal.to_string(), target, "sent"].map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(house.rows(TARGETS).await, rows("1"));
    let mut daemon = house.daemon().await;
    let (out, _) = ends(&house, 0, &words).await;
    assert_eq!(out, "4\n", "through the daemon");
    assert_eq!(house.rows(TARGETS).await, [rows("1"), rows("2")].concat());
    assert!(house.im.requests().iter().all(|request| request.json()["data"]["text"] == "-5 °C"));
    assert_eq!(house.im.requests().len(), 8);
    daemon.stop().await;
}

#[tokio::test]
async fn who_cannot_be_reached_keeps_nobody_else_from_the_message_and_is_told() {
    let house = house().await;
    for daemon in [false, true] {
        let mut running = if daemon { Some(house.daemon().await) } else { None };
        let words =
            ["push", "--to", "far", "--to", "ops", "--im", "away", "--group", "4", "--text", "x", "--wait", "2s"];
        let (out, err) = ends(&house, 1, &words).await;
        assert_eq!(out, "1\n");
        let told: Vec<&str> = err.lines().filter(|line| line.split(' ').nth(3) == Some("is")).collect();
        assert_eq!(told.len(), 2, "{err}");
        assert!(told.iter().all(|line| line.contains(if daemon { "goes on trying" } else { "cancelled" })), "{err}");
        if let Some(running) = &mut running {
            running.stop().await;
        }
    }
}

#[tokio::test]
async fn where_one_of_them_is_no_target_nothing_is_recorded_or_sent() {
    let house = house().await;
    for (words, part) in [
        (&["--to", "ops", "--to", "boos", "--text", "x"][..], "there is no target 'boos'"),
        (&["--to", "ops", "--im", "hok", "--group", "1", "--text", "x"], "hok"),
        (&["--to", "ops", "--im", "hook", "--text", "x"], "expected --group or --user"),
        (&["--group", "1", "--text", "x"], "--im"),
        (&["--im", "hook", "--text", "x"], "--to"),
        (&["--to", "ops"], "needs content"),
        (&["--to", "ops", "--image", "nowhere.png"], "nowhere.png"),
        (&["--to", "ops", "--text", "x", "--account", "away"], "away"),
    ] {
        let (_, err) = ends(&house, 64, &[&["push"], words].concat()).await;
        assert!(err.contains(part), "{words:?}: {part} in {err}");
    }
    assert!(house.im.requests().is_empty() && !house.database().exists());
}

#[tokio::test]
async fn a_fire_with_a_message_of_its_own_says_that_to_all_of_its_job_and_its_rows_say_so() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    std::fs::write(house.dir.path().join("chart.png"), b"\x89PNG\r\n\x1a\n chart").unwrap();
    ends(&house, 0, &["fire", "alert", "--text", "-1 disk is {{ full }} of ${X}", "--wait"]).await;
    ends(&house, 0, &["fire", "alert", "--image", "chart.png", "--title", "Disks", "--wait"]).await;
    ends(&house, 0, &["fire", "alert", "--title", "Only this", "--wait"]).await;
    ends(&house, 0, &["fire", "alert", "--mixed", "[{\"text\": \"look: \"}, {\"image\": \"chart.png\"}]", "--wait"])
        .await;
    ends(&house, 0, &["fire", "rendered", "--text", "{{ job }}", "--wait"]).await;
    ends(&house, 0, &["fire", "alert", "--wait"]).await;
    ends(&house, 0, &["fire", "rendered", "--wait"]).await;
    ends(&house, 0, &["fire", "twice", "--text", "once", "--wait"]).await;
    let said = "SELECT f.job, f.reason, count(*), p.kind, p.message ->> '$.title', p.message ->> '$.text', p.state
                  FROM fires AS f JOIN pushes AS p ON p.fire_id = f.id GROUP BY f.id ORDER BY f.id";
    let rows: Vec<String> = house.rows(said).await.iter().map(|row| row.join("|")).collect();
    assert_eq!(
        rows,
        [
            "alert|own_message|2|text||-1 disk is {{ full }} of ${X}|sent",
            "alert|own_message|2|image|Disks||sent",
            "alert|own_message|2|text||Only this|sent",
            "alert|own_message|2|mixed|||sent",
            "rendered|own_message|1|text||{{ job }}|sent",
            "alert||2|text||Something is wrong|sent",
            "rendered||1|text||rendered|sent",
            "twice|own_message|1|text||once|sent",
        ]
    );
    let (told, _) = ends(&house, 0, &["explain", "rendered", "1h"]).await;
    assert_eq!(
        told.split_whitespace().collect::<Vec<_>>().join(" ").matches("with a message of its own").count(),
        1,
        "{told}"
    );
    ends(&house, 0, &["ledger"]).await;
    let pushes = house.number("SELECT count(*) FROM pushes").await;
    for (words, code, part) in [
        (&["alert", "--text", "a", "--image", "chart.png"][..], 64, "--image"),
        (&["alert", "--text", ""], 64, "needs content"),
        (&["alert", "--mixed", "look"], 64, "JSON list"),
        (&["alert", "--file", "nowhere.pdf"], 64, "nowhere.pdf"),
        (&["alrt", "--text", "a"], 1, "alrt"),
    ] {
        let (_, err) = ends(&house, code, &[&["fire"], words].concat()).await;
        assert!(err.contains(part), "{words:?}: {part} in {err}");
    }
    assert_eq!(house.number("SELECT count(*) FROM pushes").await, pushes);
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_of_a_verb_may_go_to_names_of_the_files() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    ends(&house, 0, &["add", "tea", "--on-demand", "--to", "all", "--im", "hook", "--group", "7", "--text", "Tea"])
        .await;
    ends(&house, 0, &["fire", "tea", "--wait"]).await;
    let targets = "SELECT group_concat(target, ' ' ORDER BY id) FROM pushes";
    assert_eq!(house.rows(targets).await, [["group:7 group:1 user:2"]]);
    ends(&house, 0, &["edit", "tea", "--to", "boss"]).await;
    ends(&house, 0, &["fire", "tea", "--wait"]).await;
    assert_eq!(house.rows(targets).await, [["group:7 group:1 user:2 user:2"]]);
    let (_, err) = ends(&house, 64, &["edit", "tea", "--to", "nobody"]).await;
    assert!(err.contains("there is no target 'nobody'"), "{err}");
    daemon.stop().await;
}
