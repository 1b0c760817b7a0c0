//! Personal WeChat from the outside: the program logs in, parks what cannot pass, and sends it when the user writes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use crate::common::fake_ilink::{Arrived, BOT, FakeIlink, TOKEN, USER};
use crate::common::fake_wecom::{AGENT, CORP, FakeWecom, KEY, SECRET, Shown};
use pushcron::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

fn pushcron(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushcron"));
    command.current_dir(home).env_clear().env("PUSHCRON_CONFIG", "jobs.yaml").env("TZ", "UTC");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(home: &Path, line: &str) -> Output {
    pushcron(home).args(line.split_whitespace()).output().await.unwrap()
}

async fn text_of(home: &Path, line: &str) -> String {
    let output = run(home, line).await;
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn json_of(home: &Path, line: &str) -> Vec<Value> {
    serde_json::from_str(&text_of(home, line).await).unwrap()
}

fn write(home: &Path, yaml: &str) {
    let file = home.join("jobs.yaml");
    std::fs::write(&file, yaml).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Asks until the answer holds, for at most twenty seconds.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            pause().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

#[expect(clippy::disallowed_methods, reason = "the daemon is another process, which only asking again can see change")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// The daemon, once it is up.
async fn daemon(home: &Path) -> Child {
    let log = std::fs::File::create(home.join("log")).unwrap();
    let child = pushcron(home).arg("run").stdout(Stdio::null()).stderr(log).spawn().unwrap();
    until("the daemon is up", async || {
        std::fs::read_to_string(home.join("log")).unwrap().contains("started").then_some(())
    })
    .await;
    child
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_weixin_waits_until_the_user_writes() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let service = FakeIlink::start().await;
    let base = service.im.url("");
    let accounts = format!(
        "accounts: [{{id: wx, sender: ilink, base_url: \"{base}\", cdn_url: \"{base}/c2c\"}}, {{id: screen, sender: console}}]\n"
    );
    write(home, &format!("{accounts}jobs: []\n"));

    service.service().statuses = [
        json!({"status": "scaned"}),
        json!({"status": "confirmed", "bot_token": TOKEN, "ilink_bot_id": BOT, "ilink_user_id": USER, "baseurl": base}),
    ]
    .into();
    let login = run(home, "login wx").await;
    assert!(login.status.success(), "{}", String::from_utf8_lossy(&login.stderr));
    assert!(String::from_utf8_lossy(&login.stdout).contains(USER));
    let shown = String::from_utf8_lossy(&login.stderr).into_owned();
    assert!(shown.contains('▄') && shown.contains("Scanned") && !shown.contains("CANARY"), "{shown}");

    // No job uses the account at first; one comes with a reload.
    let mut running = daemon(home).await;
    std::fs::write(home.join("a.png"), b"\x89PNG\r\n\x1a\n picture").unwrap();
    let job = "jobs:\n- {name: hello, cron: \"0 0 1 1 *\", push: {im: weixin, user: me, items: [{text: 早上好}, {image: a.png}]}}\n";
    write(home, &format!("{accounts}{job}"));
    signal(&running, "-HUP");
    until("the new job is loaded", async || {
        json_of(home, "jobs --json").await.iter().any(|job| job["job"] == "hello").then_some(())
    })
    .await;
    until("the long poll runs", async || (service.calls("getupdates") > 0).then_some(())).await;

    assert!(run(home, "fire hello").await.status.success());
    let waiting = until("the push is parked", async || {
        json_of(home, "history --json").await.into_iter().find(|push| push["reason"] == "window_closed")
    })
    .await;
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("pending"), &json!(0)), "{waiting}");
    assert_eq!(service.calls("sendmessage"), 0);
    let accounts = text_of(home, "accounts").await;
    assert!(accounts.contains(&format!("wx to {USER}: never wrote to the bot: window closed")), "{accounts}");
    let year = &waiting["due_at"].as_str().unwrap()[..10];
    let explained = text_of(home, &format!("explain hello {year}")).await;
    let explained = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = "(the platform lets the account write only after the contact has written)";
    assert!(explained.contains(why) && explained.contains("never wrote to the bot"), "{explained}");

    service.user_writes("ctx-CANARY", SystemClock::new().now().0);
    let sent = until("the push is sent", async || {
        json_of(home, "history --json").await.into_iter().find(|push| push["state"] == "sent")
    })
    .await;
    assert_eq!((&sent["attempts"], &sent["account"]), (&json!(1), &json!("wx")), "{sent}");
    let accounts = text_of(home, "accounts").await;
    assert!(accounts.contains("window open until") && accounts.contains("8 of 10 pushes left"), "{accounts}");
    let expected = [Arrived::Text("早上好".into()), Arrived::Image(b"\x89PNG\r\n\x1a\n picture".to_vec())];
    assert_eq!(service.service().arrived, expected);

    signal(&running, "-TERM");
    assert!(running.wait().await.unwrap().success());
    let log = std::fs::read_to_string(home.join("log")).unwrap();
    assert!(!log.contains("CANARY"), "{log}");
    assert_eq!(service.service().breaches, Vec::<String>::new());
    // The end is told too, as far as a stopping daemon has time for it.
    assert_eq!(service.service().notified[0], "start");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_of_wecom_push_without_a_daemon() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let wecom = FakeWecom::start().await;
    let base = wecom.im.url("");
    write(
        home,
        &format!(
            "accounts:\n\
             - {{id: robot, im: ops, sender: wecom_robot, url: \"{base}/cgi-bin/webhook/send?key={KEY}\"}}\n\
             - {{id: app, im: wecom, sender: wecom_app, corp_id: {CORP}, agent_id: {AGENT}, corp_secret: {SECRET}, base_url: \"{base}\"}}\n\
             jobs: []\n"
        ),
    );
    std::fs::write(home.join("a.pdf"), b"%PDF-1.4 document").unwrap();
    for (line, printed) in [
        ("push --im ops --group ops --text hi", "1\n"),
        ("push --im wecom --user lisi --file a.pdf", "1\n"),
        ("push --im wecom --user ghost --text hi", "0\n"),
    ] {
        let output = run(home, line).await;
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            printed,
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!String::from_utf8_lossy(&output.stderr).contains("CANARY"));
    }
    let document = Shown::Media { kind: "file".into(), name: "a.pdf".into(), content: b"%PDF-1.4 document".to_vec() };
    assert_eq!(wecom.shown(), [Shown::Text("hi".into()), document]);
    assert_eq!(wecom.service().breaches, Vec::<String>::new());
    let database = std::fs::read(home.join("pushcron.db")).unwrap();
    for secret in [KEY, SECRET, "CANARY"] {
        let found = database.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the database");
    }
}
