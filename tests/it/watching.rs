//! The real daemon, watched: failures are told, a heartbeat goes out, numbers can be read; and a stop ends it all.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::fake_im::{Answer, FakeIm};
use pushcron::senders::http::Http;

/// A daemon that is not left behind, however the test ends.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &Path) -> Daemon {
    let log = std::fs::File::options().create(true).append(true).open(dir.join("daemon.log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushcron"));
    command.arg("-c").arg(dir.join("jobs.yaml")).args(["--log-format", "human", "run"]);
    Daemon(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

async fn wait_for<T>(dir: &Path, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..1500 {
        if let Some(found) = look().await {
            return found;
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
    }
    panic!("{what} did not come about\n{}", std::fs::read_to_string(dir.join("daemon.log")).unwrap());
}

fn signal(daemon: &Daemon, signal: i32) {
    // SAFETY: the child is ours and has not been waited for.
    unsafe { libc::kill(daemon.0.id() as i32, signal) };
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_a_heartbeat_goes_out_and_numbers_can_be_read() {
    let im = FakeIm::start().await;
    im.on("/broken", Answer::status(400));
    im.on("/pager", Answer::status(204));
    im.on("/beat", Answer::status(200));
    let dir = tempfile::tempdir().unwrap();
    let got = dir.path().join("got");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let yaml = format!(
        "daemon:
  database: {db}
  timezone: UTC
  metrics_listen: {free}
  heartbeat: {{url: \"{beat}\", every: 1s}}
  on_failure:
    push: {{im: pager, user: me, text: 'Look:'}}
    command: [/bin/sh, -c, 'cat >> {got}']
    as_root: true
accounts:
  - {{id: broken, im: hook, sender: webhook, url: \"{broken}\", default: true}}
  - {{id: pager, im: pager, sender: webhook, url: \"{pager}\"}}
jobs:
  - {{name: tick, every: 1s, push: {{im: hook, group: g, text: tick}}}}
",
        db = dir.path().join("pushcron.db").display(),
        got = got.display(),
        beat = im.url("/beat"),
        broken = im.url("/broken"),
        pager = im.url("/pager"),
    );
    std::fs::write(dir.path().join("jobs.yaml"), yaml).unwrap();
    let mut daemon = start(dir.path());

    let report = wait_for(dir.path(), "a report", async || {
        im.requests_to("/pager").first().map(|request| request.json()["data"]["text"].as_str().unwrap().to_owned())
    });
    let report = report.await;
    assert!(report.starts_with("Look:\npushcron on "), "{report}");
    assert!(report.contains("job tick to hook group:g failed through broken: HTTP 400 (push 1)"), "{report}");
    let by_command = wait_for(dir.path(), "a report by command", async || {
        std::fs::read_to_string(&got).ok().filter(|text| text.contains("(push 1)"))
    });
    let by_command = by_command.await;
    assert!(by_command.starts_with("pushcron on ") && by_command.ends_with('\n'), "{by_command}");
    assert!(by_command.contains("once what stood in the way is mended: `pushcron retry 1"), "{by_command}");
    wait_for(dir.path(), "a heartbeat", async || im.requests_to("/beat").first().cloned()).await;

    let http = Http::new().unwrap();
    let read = async |address: SocketAddr| {
        let request = http.get(format!("http://{address}/metrics"));
        let reply = http.call(request, Duration::from_secs(5)).await.ok()?;
        Some(reply.text())
    };
    let page = async || read(free).await;
    let counted = async || {
        page().await.filter(|text| text.contains("attempts_total{outcome=\"sent\",im=\"pager\",account=\"pager\"} 1"))
    };
    let text = wait_for(dir.path(), "the count of the report", counted).await;
    for line in [
        "pushcron_jobs 1",
        "pushcron_account_up{im=\"hook\",account=\"broken\"} 1",
        "pushcron_pushes_total{state=\"sent\",im=\"pager\",account=\"pager\"} 1",
        "pushcron_unknown_pushes 0",
        "pushcron_job_pushes_total{job_name=\"tick\",state=\"sent\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let number = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(&format!("pushcron_{name} ")));
        line.unwrap_or_else(|| panic!("{name}\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(number("job_pushes_total{job_name=\"tick\",state=\"failed\"}") >= 1.0);
    assert!((number("last_reload_time_seconds") - number("start_time_seconds")).abs() < 60.0, "{text}");
    assert!(number("fires_total{decision=\"fired\"}") >= 1.0);
    assert!(number("database_bytes") > 10_000.0 && number("disk_free_bytes") > 0.0);
    assert!((number("next_due_time_seconds") - number("beat_time_seconds")).abs() < 60.0, "{text}");

    // A reload keeps what was counted, and the page moves to where it is wanted.
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let yaml = std::fs::read_to_string(dir.path().join("jobs.yaml")).unwrap();
    std::fs::write(dir.path().join("jobs.yaml"), yaml.replace(&free.to_string(), &elsewhere.to_string())).unwrap();
    signal(&daemon, libc::SIGHUP);
    let moved = async || read(elsewhere).await;
    let text = wait_for(dir.path(), "the page at its new place", moved).await;
    assert!(!text.contains("fires_total{decision=\"fired\"} 0"), "{text}");
    assert!(page().await.is_none(), "the old place is free");

    signal(&daemon, libc::SIGTERM);
    for _ in 0..1500 {
        if let Some(status) = daemon.0.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
    }
    panic!("the daemon did not stop");
}
