//! `push` told to end, or left alone: it ends at once, and what it says of its message is true.

use std::process::Stdio;
use std::sync::Arc;

use crate::common::daemon::{House, until};
use crate::common::fake_im::Answer;
use tokio::io::AsyncBufReadExt;
use tokio::process::Child;
use tokio::sync::Notify;

/// A message to the receiver.
const PUSH: [&str; 7] = ["push", "--im", "hook", "--group", "1", "--text", "by hand"];
/// The same to an account that nobody can reach.
const IN_VAIN: [&str; 7] = ["push", "--im", "off", "--group", "1", "--text", "by hand"];

struct ByHand(Child);

/// How a push ended: its exit code, what it printed, what it said.
type End = (Option<i32>, String, String);

impl ByHand {
    fn start(house: &House, words: &[&str]) -> ByHand {
        ByHand(house.program(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id().expect("it runs")
    }

    /// Waits until a signal will find it listening.
    async fn listens(&self) {
        let status = format!("/proc/{}/status", self.pid());
        let catches = |status: &str| {
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
            u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (libc::SIGTERM - 1)) != 0
        };
        until("it listens for signals", async || std::fs::read_to_string(&status).is_ok_and(|status| catches(&status)))
            .await;
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the child is ours and has not been waited for.
        assert_eq!(unsafe { libc::kill(self.pid() as i32, signal) }, 0);
    }

    async fn ends(self) -> End {
        let output = tokio::time::timeout(std::time::Duration::from_secs(90), self.0.wait_with_output()).await;
        let output = output.expect("it ends").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

/// A house whose receiver answers each request once the gate is opened for it, with a second account that is away.
async fn house() -> (House, Arc<Notify>) {
    let house = House::new().await;
    let away = "  - {id: away, im: off, sender: webhook, url: \"http://127.0.0.1:9/hook\", default: true}\n";
    house.configure(away, "  []\n");
    let gate = Arc::new(Notify::new());
    house.im.on("", Answer::text(200, "{}").held(&gate));
    (house, gate)
}

async fn under_way(house: &House, requests: usize) {
    until("the push is under way", async || house.im.requests().len() >= requests).await;
}

async fn states(house: &House) -> Vec<String> {
    house.rows("SELECT state FROM pushes ORDER BY id").await.concat()
}

const SIGNALS: [(&str, i32); 2] = [("SIGTERM", libc::SIGTERM), ("SIGINT", libc::SIGINT)];

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_waits_for_its_turn_ends_at_a_signal_and_says_that_nothing_was_recorded() {
    let (house, gate) = house().await;
    let first = ByHand::start(&house, &PUSH);
    under_way(&house, 1).await;
    for (name, signal) in SIGNALS {
        let second = ByHand::start(&house, &PUSH);
        second.listens().await;
        second.signal(signal);
        let (code, out, told) = second.ends().await;
        assert_eq!((code, out.as_str()), (Some(69), ""), "{told}");
        assert!(told.contains(name) && told.contains("nothing was recorded or sent"), "{told}");
    }
    gate.notify_one();
    assert_eq!(first.ends().await, (Some(0), "1\n".to_owned(), String::new()));
    assert_eq!(states(&house).await, ["sent"]);
    assert_eq!(house.im.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_turn_does_not_come_says_that_nothing_was_recorded() {
    let (house, gate) = house().await;
    let first = ByHand::start(&house, &PUSH);
    under_way(&house, 1).await;
    let (code, out, told) = ByHand::start(&house, &[&PUSH[..], &["--wait", "100ms"]].concat()).ends().await;
    assert_eq!((code, out.as_str()), (Some(69), ""), "{told}");
    assert!(told.contains("another pushcron (push, pid") && told.contains("nothing was recorded or sent"), "{told}");
    assert!(!told.contains("stop it first"), "{told}");
    gate.notify_one();
    first.ends().await;
    assert_eq!(states(&house).await, ["sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_under_way_that_is_told_to_end_still_hears_its_answer() {
    for (_, signal) in SIGNALS {
        let (house, gate) = house().await;
        let push = ByHand::start(&house, &PUSH);
        under_way(&house, 1).await;
        push.signal(signal);
        gate.notify_one();
        assert_eq!(push.ends().await, (Some(0), "1\n".to_owned(), String::new()));
        assert_eq!(states(&house).await, ["sent"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_under_way_at_the_end_of_its_wait_says_that_it_may_have_arrived() {
    let (house, _gate) = house().await;
    let push = ByHand::start(&house, &[&PUSH[..], &["--wait", "1s"]].concat());
    under_way(&house, 1).await;
    // The receiver never answers.
    let (code, out, told) = push.ends().await;
    assert_eq!((code, out.as_str()), (Some(1), "0\n"), "{told}");
    let why = "push 1 is unknown: pushcron was stopped before the answer came; it may have arrived: look at the chat";
    assert!(told.contains(why), "{told}");
    assert_eq!(states(&house).await, ["unknown"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_waits_for_another_try_is_over_at_a_signal_and_no_daemon_sends_it_later() {
    let (house, _) = house().await;
    let push = ByHand::start(&house, &IN_VAIN);
    push.listens().await;
    until("it was tried", async || {
        house.database().exists()
            && house.number("SELECT count(*) FROM sqlite_schema WHERE name = 'attempts'").await == 1
            && house.number("SELECT count(*) FROM attempts WHERE outcome = 'unreachable'").await > 0
    })
    .await;
    push.signal(libc::SIGTERM);
    let (code, out, told) = push.ends().await;
    assert_eq!((code, out.as_str()), (Some(1), "0\n"), "{told}");
    let why = "push 1 is cancelled: ended by SIGTERM before it was sent, and no daemon goes on; the last try: ";
    assert!(told.contains(why) && told.contains("Connection refused"), "{told}");
    assert_eq!(states(&house).await, ["cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_through_a_daemon_ends_at_a_signal_and_says_that_the_daemon_goes_on() {
    let (house, gate) = house().await;
    let mut daemon = house.daemon().await;
    let push = ByHand::start(&house, &PUSH);
    under_way(&house, 1).await;
    push.signal(libc::SIGINT);
    let (code, out, told) = push.ends().await;
    assert_eq!((code, out.as_str()), (Some(1), "0\n"), "{told}");
    assert!(told.contains("ended by SIGINT; the daemon goes on") && told.contains("pushcron cancel 1"), "{told}");
    gate.notify_one();
    house.until_at_least(1, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    daemon.stop().await;
    assert_eq!(house.im.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_daemon_was_killed_leaves_nothing_that_is_sent_later() {
    let (house, _) = house().await;
    let mut daemon = house.daemon().await;
    let (sending, waiting) = (ByHand::start(&house, &PUSH), ByHand::start(&house, &IN_VAIN));
    under_way(&house, 1).await;
    house.until_at_least(1, "SELECT count(*) FROM attempts WHERE outcome = 'unreachable'").await;
    daemon.child.kill().await.unwrap();
    sending.signal(libc::SIGTERM);
    let (code, out, told) = sending.ends().await;
    assert_eq!((code, out.as_str()), (Some(1), "0\n"), "{told}");
    assert!(told.contains("is unknown") && told.contains("it may have arrived"), "{told}");
    waiting.signal(libc::SIGTERM);
    let (code, out, told) = waiting.ends().await;
    assert_eq!((code, out.as_str()), (Some(1), "0\n"), "{told}");
    assert!(told.contains("is cancelled: ended by SIGTERM before it was sent, and no daemon goes on"), "{told}");
    let mut after = states(&house).await;
    after.sort();
    assert_eq!(after, ["cancelled", "unknown"]);

    // Whoever starts next has nothing to go on with.
    house.im.on("", Answer::text(200, "{}"));
    house.daemon().await.stop().await;
    assert_eq!(house.im.requests().len(), 1);
}

/// An account whose client refuses our token.
const REFUSED: [&str; 9] = ["push", "--im", "qq", "--group", "1", "--text", "by hand", "--wait", "1h"];

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_token_is_refused_says_so_at_once_and_does_not_wait() {
    let house = House::new().await;
    house.im.on("", Answer::text(403, "token验证失败"));
    let url = house.im.url("");
    house.configure(&format!("  - {{id: bot, im: qq, sender: onebot11, url: \"{url}\", default: true}}\n"), "  []\n");
    let (code, out, told) = ByHand::start(&house, &REFUSED).ends().await;
    assert_eq!((code, out.as_str()), (Some(1), "0\n"), "{told}");
    let first = told.lines().next().unwrap();
    assert!(first.contains("bot: ") && first.contains("403") && first.contains("token验证失败"), "{told}");
    assert_eq!(states(&house).await, ["cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_that_fails_is_told_while_a_push_waits_for_the_next() {
    let (house, _) = house().await;
    let mut push = ByHand::start(&house, &IN_VAIN);
    let lines = push.0.stderr.take().unwrap();
    let mut lines = tokio::io::BufReader::new(lines).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    let told = "pushcron: attempt 1 through away: ";
    assert!(first.starts_with(told) && first.contains("Connection refused"), "{first}");
    assert!(first.contains("(unreachable); the next one in "), "{first}");
    push.signal(libc::SIGTERM);
    let end = lines.next_line().await.unwrap().unwrap();
    assert!(end.contains("push 1 is cancelled: ended by SIGTERM"), "{end}");
}
