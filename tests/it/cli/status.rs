//! `status`: whether a daemon is there, and what waits for a person.

use futures_util::FutureExt;
use pushcron::domain::{Database, UtcMs};
use pushcron::store::{self, Purpose};
use serde_json::Value;

use crate::cli::house;
use crate::common::daemon::{House, until};

const JOB: &str = "  - {name: yearly, cron: \"0 0 1 1 *\", push: {im: hook, group: 1, text: hi}}\n";

/// What a run of the program told: its exit code, standard output and standard error.
async fn run(house: &House, words: &[&str]) -> house::Told {
    let mut command = house.program(words);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).output().await.unwrap().into()
}

/// The words of a status, whose lines are broken where the screen ends.
fn flat(told: &str) -> String {
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn told(house: &House) -> Value {
    serde_json::from_str(&run(house, &["status", "--json"]).await.out).unwrap()
}

/// Waits for the first word of a daemon that has just started.
async fn leaves_word(house: &House) {
    until("it leaves word", async || {
        let daemon = &told(house).await["daemon"];
        !daemon["started_at"].is_null() && daemon["stopped_at"].is_null()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_told_to_run_to_have_stopped_and_to_be_gone() {
    let house = House::new().await;
    house.configure("", JOB);
    let mut daemon = house.daemon().await;
    leaves_word(&house).await;
    let running = run(&house, &["status"]).await.fine();
    assert!(running.contains("daemon     running since ") && running.contains("pid "), "{running}");
    assert!(running.contains("next fire  20") && running.contains("-01-01 00:00:00  yearly"), "{running}");
    assert!(running.contains("files      loaded at"), "{running}");
    let json = told(&house).await;
    assert_eq!((&json["daemon"]["state"], &json["active_jobs"]), (&"running".into(), &1.into()), "{json}");
    assert_eq!((&json["next_fire"]["job"], &json["last_reload"]["outcome"]), (&"yearly".into(), &"loaded".into()));
    assert_eq!(run(&house, &["status", "--quiet", "--strict"]).await.fine(), "");

    daemon.stop().await;
    let stopped = run(&house, &["status"]).await.refused_with_words(69);
    assert!(stopped.contains("NOT RUNNING: stopped at"), "{stopped}");
    assert_eq!(told(&house).await["daemon"]["state"], "stopped");

    let mut daemon = house.daemon().await;
    leaves_word(&house).await;
    daemon.child.kill().await.unwrap();
    let gone = run(&house, &["status"]).await.refused_with_words(69);
    let gone = flat(&gone);
    assert!(gone.contains("NOT RUNNING: last seen at") && gone.contains("gone without a word"), "{gone}");
    assert_eq!(told(&house).await["daemon"]["state"], "gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_reload_is_told_until_it_is_mended() {
    let house = House::new().await;
    house.configure("", JOB);
    let daemon = house.daemon().await;
    house.configure("", &JOB.replace("group: 1", "group: 1, txt: hi"));
    daemon.signal(libc::SIGHUP);
    daemon.says("not reloaded").await;
    let refused = run(&house, &["status"]).await.fine();
    assert!(refused.contains("files      REFUSED at"), "{refused}");
    assert!(refused.contains("jobs.yaml:5:") && refused.contains("unknown key 'txt'"), "{refused}");
    assert_eq!(run(&house, &["status", "--strict"]).await.code, Some(1));
    house.configure("", JOB);
    daemon.signal(libc::SIGHUP);
    until("it is mended", async || told(&house).await["last_reload"]["outcome"] == "loaded").await;
    assert_eq!(run(&house, &["status", "--strict"]).await.code, Some(0));
}

/// The files are refused in every way in which they can be broken, and the daemon goes on: on a database that lies
/// elsewhere, which none of them names any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_is_found_while_nobody_can_read_its_files() {
    let mut house = House::new().await;
    house.state = house.dir.path().join("elsewhere");
    std::fs::create_dir(&house.state).unwrap();
    house.configure("", JOB);
    let mut daemon = house.daemon().await;
    leaves_word(&house).await;
    let file = house.dir.path().join("jobs.yaml");
    let whole = std::fs::read_to_string(&file).unwrap();
    for (refusals, broken) in [Some(&whole[..40]), Some(""), Some("jobs: {a: b: c}\n"), None].into_iter().enumerate() {
        match broken {
            Some(text) => house.write(text),
            None => std::fs::remove_file(&file).unwrap(),
        }
        daemon.signal(libc::SIGHUP);
        until("it is refused", async || daemon.log().matches("not reloaded").count() > refusals).await;
        let told = run(&house, &["status"]).await.fine();
        assert!(told.contains("running since") && told.contains("files      REFUSED at"), "{broken:?}: {told}");
        assert_eq!(run(&house, &["status", "--strict"]).await.code, Some(1), "{broken:?}");
        let named = format!("--db={}", house.database().display());
        assert!(run(&house, &["status", &named]).await.fine().contains("REFUSED at"), "{broken:?}");
        assert!(run(&house, &["-c", "./jobs.yaml", "history"]).await.fine().contains("no pushes"), "{broken:?}");
    }
    // Each file is told of once, and nobody wanted another database.
    let log = daemon.log();
    assert_eq!(log.matches("there is nothing in this file").count(), 1, "{log}");
    assert!(!log.contains("another database takes a restart"), "{log}");
    // Other files have no daemon, and these have none without it.
    assert_eq!(run(&house, &["-c", "others.yaml", "status"]).await.code, Some(78));
    daemon.stop().await;
    assert_eq!(run(&house, &["status"]).await.code, Some(78));
}

#[test]
fn what_waits_for_a_person_is_told_without_a_daemon_too() {
    let house = house::House::lived_in();
    let told = house.run("status").refused_with_words(69);
    for part in [
        "daemon     NOT RUNNING; nothing fires",
        "jobs       1 active (1 more paused)",
        "next fire  2026-01-08 09:00:00  daily-report",
        "open       1 push\n",
        "unknown    1 push: look at the chats, then `pushcron resolve PUSH sent|failed`\n           (history --state unknown)\n",
        "account    bot_qq_spare (qq) is down: get_status: cannot connect",
        "account    weixin_a (weixin) may not send: muted until tomorrow",
        "times in Asia/Shanghai\n",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let json: Value = serde_json::from_str(&house.run("status --json").out).unwrap();
    assert_eq!((&json["daemon"]["state"], &json["unknown"], &json["open"]), (&"never".into(), &1.into(), &1.into()));
}

#[test]
fn a_daemon_that_is_there_and_does_nothing_is_not_well() {
    let house = house::House::lived_in();
    let database = Database::at(house.path("pushcron.db"));
    let lease = store::take_lease(&database, Purpose::Daemon, UtcMs(0)).now_or_never().unwrap().unwrap();
    // One of an earlier release leaves no word of itself, and holds the database.
    assert_eq!(house.run("status").code, Some(0));
    let presence =
        r#"{"started_at":"2026-01-05T01:00:00.000Z","alive_at":"2026-01-08T01:00:00.000Z","stopped_at":null}"#;
    rusqlite::Connection::open(house.path("pushcron.db"))
        .unwrap()
        .execute("INSERT INTO account_state VALUES ('', 'presence', ?1, '2026-01-08T01:00:00.000Z')", [presence])
        .unwrap();
    let told = house.run("status").refused_with_words(69);
    let told = flat(&told);
    assert!(told.contains("NOT WELL") && told.contains("last seen at work at 2026-01-08 09:00:00"), "{told}");
    drop(lease);
}
