//! A secured installation: what accounts are given is seen by the daemon alone. Verbs that need no secret ask for none, and
//! those that need one have the daemon do it.

use std::process::Stdio;

use tokio::process::Command;

use crate::cli::house::Told;
use crate::common::daemon::House;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An account with a variable, one with a credential, and texts and targets that take variables.
fn configure(house: &House, more: &str) {
    house.write(&format!(
        "daemon:
  database: {database}
  timezone: UTC
  heartbeat: {{url: \"${{BEAT_URL}}\", every: 1h}}
  template_env: [SITE]
accounts:
  - {{id: hook, im: hook, sender: webhook, url: \"{url}\", secret: \"${{HOOK_SECRET}}\", default: true}}
  - {{id: spare, im: spare, sender: webhook, url: \"{url}\", secret_credential: tokens_hook}}
{more}jobs:
  - {{name: yearly, cron: \"0 0 1 1 *\", push: {{im: hook, group: \"${{OPS}}\", text: \"${{WEATHER}}\"}}}}
  - {{name: plain, cron: \"0 0 1 1 *\", push: {{im: spare, group: 1, text: hi, account: spare}}}}
",
        database = house.database().display(),
        url = house.im.url(house.hook),
    ));
}

/// What the unit gives the service.
fn as_service(house: &House, words: &[&str]) -> Command {
    use std::os::unix::fs::PermissionsExt;
    let credentials = house.dir.path().join("credentials.service");
    std::fs::create_dir_all(&credentials).unwrap();
    let token = credentials.join("tokens_hook");
    std::fs::write(&token, SECRET).unwrap();
    std::fs::set_permissions(token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = house.program(words);
    command.env("CREDENTIALS_DIRECTORY", credentials).env("HOOK_SECRET", SECRET).env("OPS", "42");
    command.env("BEAT_URL", house.im.url("/beat")).env("WEATHER", "rain").env("SITE", "tower");
    command
}

async fn run(house: &House, words: &[&str]) -> Told {
    house.program(words).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap().into()
}

/// What a verb says that must end well.
async fn fine(house: &House, words: &[&str]) -> String {
    let told = run(house, words).await;
    assert_eq!(told.code, Some(0), "{words:?}: {}{}", told.out, told.err);
    told.out
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_need_no_secret_never_ask_for_one() {
    let house = House::new().await;
    configure(&house, "");
    assert!(fine(&house, &["next", "-n", "2"]).await.contains("yearly"));
    let mut daemon = house.start(as_service(&house, &["run"])).await;
    for words in [
        &["next", "-n", "2"][..],
        &["next", "yearly", "-n", "1"],
        &["jobs"],
        &["accounts"],
        &["status"],
        &["history"],
        &["ledger"],
        &["explain", "yearly", "2020-01-01T00:00"],
        &["pause", "yearly"],
        &["resume", "yearly"],
        &["export", "yearly"],
        &["calendar", "show", "cn"],
        &["simulate", "--from", "2027-01-01", "--until", "2027-01-02"],
        &["add", "tea", "--every", "1h", "--im", "hook", "--group", "1", "--text", "tea"],
        &["rm", "tea"],
        &["fire", "yearly", "--wait"],
        &["fire", "plain", "--text", "now", "--wait"],
        &["show", "1"],
    ] {
        fine(&house, words).await;
    }
    let bodies: Vec<String> = house.im.requests().iter().map(|request| request.text()).collect();
    assert!(bodies.iter().any(|body| body.contains("rain") && body.contains("42")), "{bodies:?}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_not_set_refuses_run_and_check_loudly() {
    let house = House::new().await;
    configure(&house, "");
    for verb in ["run", "check"] {
        let told = run(&house, &[verb]).await;
        assert_eq!(told.code, Some(78), "{}{}", told.out, told.err);
        let all = told.out + &told.err;
        assert!(all.contains("secret: the environment variable HOOK_SECRET is not set"), "{all}");
        assert!(all.contains("EnvironmentFile="), "{all}");
    }
    // As the unit's ExecReload has it.
    let output = as_service(&house, &["check"]).stdout(Stdio::piped()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_pushes_and_asks_accounts_for_who_sees_no_secret() {
    let house = House::new().await;
    configure(&house, "");
    let mut daemon = house.start(as_service(&house, &["run"])).await;
    for account in ["hook", "spare"] {
        let sent = fine(&house, &["push", "--im", account, "--group", "7", "--text", "by hand"]).await;
        assert_eq!(sent, "1\n");
    }
    let signed = house.im.requests().into_iter().filter(|request| request.header("webhook-signature").is_some());
    assert_eq!(signed.count(), 2);
    let told = fine(&house, &["accounts", "--probe", "--json"]).await;
    let rows: Vec<serde_json::Value> = serde_json::from_str(&told).unwrap();
    let asked = |row: &serde_json::Value| !row["checked_at"].is_null();
    assert_eq!((rows.len(), rows.iter().all(asked)), (2, true), "{told}");

    // What the daemon has not read is no account of its.
    let new = format!("  - {{id: new, im: new, sender: webhook, url: \"{}\"}}\n", house.im.url("/new"));
    configure(&house, &new);
    let told = run(&house, &["push", "--im", "new", "--group", "7", "--text", "lost"]).await.refused(69);
    assert!(told.contains("the running daemon has no account of the im new") && told.contains("reload"), "{told}");

    daemon.stop().await;
    let before = house.number("SELECT count(*) FROM pushes").await;
    for words in [&["push", "--im", "hook", "--group", "7", "--text", "alone"][..], &["accounts", "--probe"]] {
        let told = run(&house, words).await.refused(78);
        assert!(told.contains("no daemon runs") && told.contains("hook, spare"), "{told}");
        assert!(told.contains("HOOK_SECRET is not set"), "{told}");
        assert!(!told.contains(SECRET), "{told}");
    }
    assert_eq!(house.number("SELECT count(*) FROM pushes").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_tells_the_whole_error_of_an_account_that_is_down_for_who_asks() {
    let house = House::new().await;
    let down = "  - {id: cat, im: qq, sender: onebot11, url: \"http://127.0.0.1:1\", token: \"${QQ_TOKEN}\"}\n";
    let job = "  - {name: yearly, cron: \"0 0 1 1 *\", push: {im: qq, group: 1, text: hi}}\n";
    house.configure(down, job);
    let mut command = house.program(&["run"]);
    command.env("QQ_TOKEN", "hush");
    let mut daemon = house.start(command).await;
    let told = run(&house, &["accounts", "--probe"]).await;
    assert_eq!(told.code, Some(1), "{}{}", told.out, told.err);
    let words = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("cat: get_status: cannot connect: Connection refused (os error 111)"), "{words}");
    assert!(told.err.contains("down, and jobs go by it: cat"), "{}", told.err);
    daemon.stop().await;
}
