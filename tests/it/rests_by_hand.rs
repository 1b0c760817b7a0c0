//! What an account owes its platform, a rest that was told or a pace that was set, holds from one `push` without a daemon
//! to the next, and for a daemon that starts then: a process that ends takes none of it along.

use std::process::Stdio;

use crate::common::daemon::House;
use crate::common::fake_im::Answer;

/// A message of so long a patience, and how the verb ended.
async fn push(house: &House, wait: &str) -> (Option<i32>, String) {
    let words = ["push", "--im", "hook", "--group", "1", "--text", "by hand", "--wait", wait];
    let output = house.program(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

async fn shown(house: &House) -> String {
    let output = house.program(&["accounts"]).stdout(Stdio::piped()).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Milliseconds from one attempt to the next, by what their rows tell.
async fn between(house: &House, from: &str) -> Vec<i64> {
    let sql = format!(
        "SELECT CAST(round((julianday(b.started_at) - julianday(a.{from})) * 86400000) AS INTEGER)
           FROM attempts AS a JOIN attempts AS b ON b.id = (SELECT min(id) FROM attempts WHERE id > a.id) ORDER BY a.id"
    );
    house.rows(&sql).await.iter().map(|row| row[0].parse().unwrap()).collect()
}

/// An answer that tells to wait so many seconds.
fn slow_down(seconds: &str) -> Answer {
    Answer::text(429, "slow down").header("retry-after", seconds)
}

#[tokio::test]
async fn a_platform_that_told_to_wait_hears_nothing_from_pushes_by_hand_nor_from_a_daemon_until_then() {
    let house = House::new().await;
    house.configure("", "  []\n");
    house.im.on("", slow_down("3600"));
    // The first one hears it, and nobody after it is there to ask again.
    for asked in 1..=4 {
        let (code, told) = push(&house, "20s").await;
        assert_eq!((code, house.im.requests().len()), (Some(1), 1), "push {asked}: {told}");
    }
    let before = shown(&house).await;
    assert!(before.contains("hook rests until ") && before.contains("slow down"), "{before}");
    let mut daemon = house.daemon().await;
    let (code, told) = push(&house, "1s").await;
    assert_eq!((code, house.im.requests().len()), (Some(1), 1), "through the daemon: {told}");
    let during = shown(&house).await;
    assert!(during.contains("hook rests until ") && during.contains("slow down"), "{during}");
    daemon.stop().await;
    let (code, told) = push(&house, "20s").await;
    assert_eq!((code, house.im.requests().len()), (Some(1), 1), "after the daemon: {told}");
}

#[tokio::test]
async fn a_rest_that_ends_within_the_wait_of_the_next_push_is_waited_for_and_no_longer() {
    let house = House::new().await;
    house.configure("", "  []\n");
    house.im.on("", slow_down("6"));
    assert_eq!(push(&house, "5s").await.0, Some(1));
    house.im.on("", Answer::text(200, "{}"));
    let (code, told) = push(&house, "80s").await;
    assert_eq!(code, Some(0), "{told}");
    let gaps = between(&house, "finished_at").await;
    assert!(gaps.len() == 1 && gaps[0] >= 5_990, "{gaps:?}");
}

#[tokio::test]
async fn pushes_by_hand_and_the_daemon_after_them_keep_the_pace_of_their_account_together() {
    let house = House::new().await;
    house.write(&format!(
        "daemon: {{database: {}, timezone: UTC}}\n\
         accounts:\n  - {{id: hook, im: hook, sender: webhook, url: \"{}\", default: true, min_interval: 2s}}\njobs: []\n",
        house.database().display(),
        house.im.url(house.hook),
    ));
    for _ in 0..3 {
        let (code, told) = push(&house, "80s").await;
        assert_eq!(code, Some(0), "{told}");
    }
    let mut daemon = house.daemon().await;
    let (code, told) = push(&house, "80s").await;
    assert_eq!(code, Some(0), "{told}");
    daemon.stop().await;
    let gaps = between(&house, "started_at").await;
    assert!(gaps.len() == 3 && gaps.iter().all(|gap| *gap >= 1_990), "{gaps:?}");
}

#[tokio::test]
async fn failures_in_a_row_count_from_one_push_by_hand_to_the_next_and_bring_a_rest() {
    let house = House::new().await;
    let away = "  - {id: away, im: off, sender: webhook, url: \"http://127.0.0.1:9/hook\", default: true}\n";
    house.configure(away, "  []\n");
    let push = async |wait| {
        let words = ["push", "--im", "off", "--group", "1", "--text", "by hand", "--wait", wait];
        let output = house.program(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let attempts = async || house.rows("SELECT count(*) FROM attempts").await.concat().concat();
    for asked in 1..=10 {
        let told = push("1s").await;
        assert_eq!(attempts().await, asked.min(5).to_string(), "push {asked}: {told}");
    }
    assert_eq!(house.rows("SELECT failures FROM accounts WHERE id = 'away'").await, [["5"]]);
    let before = shown(&house).await;
    assert!(before.contains("away rests until "), "{before}");
    let mut daemon = house.daemon().await;
    let told = push("1s").await;
    assert_eq!(attempts().await, "5", "through the daemon: {told}");
    daemon.stop().await;
}
