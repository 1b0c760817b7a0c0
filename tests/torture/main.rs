//! Kills a real daemon again and again, at every write and every send, beside a receiver that loses answers, delays,
//! refuses and breaks off; then holds the database against what the receiver saw.
//!
//! `cargo test --test torture -- --nocapture` kills a few dozen times. `PUSHCRON_TORTURE_KILLS=10000` takes hours;
//! `PUSHCRON_TORTURE_SEED=N` repeats the dice of an earlier run (the machine's own timing is not repeated with them).

mod checker;
mod receiver;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use receiver::{Receiver, Trap};

const JOBS: u32 = 5;

/// The moment at which a daemon is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Any time.
    After(Duration),
    /// When its nth request has arrived, before an answer leaves.
    OnRequest(u32),
    /// When its nth request has been answered.
    OnAnswer(u32),
    /// Inside its nth fsync, which is in the middle of a commit.
    OnSync(u32),
}

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn strace_works() -> bool {
    let status = Command::new("strace").args(["-D", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn configure(dir: &Path, url: &str) {
    let jobs: String = (0..JOBS)
        .map(|n| {
            format!(
                "  - {{name: job{n}, every: 1s, misfire: {{policy: all, within: 12h, max: 10000}}, \
                 push: {{im: hook, group: \"{n}\", text: tick, timeout: 2s}}, \
                 retry: {{max_attempts: 50, backoff: 200ms, max_backoff: 1s, give_up_after: 12h}}}}\n"
            )
        })
        .collect();
    let yaml = format!(
        "daemon: {{database: {db}, timezone: UTC}}\n\
         accounts:\n  - {{id: hook, im: hook, sender: webhook, url: \"{url}\", default: true}}\n\
         jobs:\n{jobs}",
        db = dir.join("pushcron.db").display()
    );
    std::fs::write(dir.join("jobs.yaml"), yaml).unwrap();
}

/// Starts the daemon; under strace it is still our direct child.
fn start(dir: &Path, moment: Moment) -> Child {
    let program = env!("CARGO_BIN_EXE_pushcron");
    let mut command = match moment {
        Moment::OnSync(nth) => {
            let mut command = Command::new("strace");
            command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"]);
            command.arg(format!("inject=fsync,fdatasync:signal=KILL:when={nth}"));
            command.arg(program);
            command
        }
        _ => Command::new(program),
    };
    let log = std::fs::File::options().create(true).append(true).open(dir.join("daemon.log")).unwrap();
    command.arg("-c").arg(dir.join("jobs.yaml")).arg("run");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// Waits for the end of a child, killing it at the latest when `limit` has passed.
async fn ended(child: &mut Child, limit: Duration) {
    let wait = async {
        while child.try_wait().unwrap().is_none() {
            let _ = tokio::time::timeout(Duration::from_millis(2), std::future::pending::<()>()).await;
        }
    };
    if tokio::time::timeout(limit, wait).await.is_err() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

async fn one_life(dir: &Path, receiver: &Arc<Receiver>, moment: Moment) {
    let trap = match moment {
        Moment::OnRequest(nth) => Some(Trap::before_answer(nth)),
        Moment::OnAnswer(nth) => Some(Trap::after_answer(nth)),
        _ => None,
    };
    let mut child = start(dir, moment);
    if let Some(trap) = trap {
        receiver.arm(trap, child.id());
    }
    let limit = match moment {
        Moment::After(wait) => wait,
        _ => Duration::from_secs(3),
    };
    ended(&mut child, limit).await;
    receiver.disarm();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_guessed_however_often_the_daemon_is_killed() {
    let kills = from_env("PUSHCRON_TORTURE_KILLS").unwrap_or(25);
    let seed = from_env("PUSHCRON_TORTURE_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}, {kills} kills");
    let mut dice = fastrand::Rng::with_seed(seed);
    let strace = strace_works();
    if !strace {
        eprintln!("SKIPPED: kills inside a commit, since strace does not work here");
    }
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(dir.path().join("pushcron.db"), dice.u64(..)).await;
    configure(dir.path(), &receiver.url());
    for kill in 1..=kills {
        let moment = match dice.u8(0..if strace { 4 } else { 3 }) {
            0 => Moment::After(Duration::from_millis(dice.u64(0..1200))),
            1 => Moment::OnRequest(dice.u32(1..8)),
            2 => Moment::OnAnswer(dice.u32(1..8)),
            _ => Moment::OnSync(dice.u32(1..30)),
        };
        one_life(dir.path(), &receiver, moment).await;
        if kill % 100 == 0 {
            println!("{kill} kills, {} requests", receiver.seen().len());
        }
    }

    // One undisturbed life brings everything to its end; then a stop, as systemd would do it.
    receiver.be_kind();
    let mut child = start(dir.path(), Moment::After(Duration::MAX));
    let until = checker::now();
    let database = dir.path().join("pushcron.db");
    checker::wait_until_settled(&database, &until).await;
    // SAFETY: the child is ours and has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    ended(&mut child, Duration::from_secs(20)).await;

    let verdict = checker::check(&database, &receiver.seen(), JOBS, &until);
    println!("{verdict}");
    // A second opinion, by what is shipped.
    let ledger =
        Command::new(env!("CARGO_BIN_EXE_pushcron")).arg("--db").arg(&database).arg("ledger").output().unwrap();
    let told = String::from_utf8_lossy(&ledger.stdout);
    println!("{told}");
    assert!(ledger.status.success(), "seed {seed}\n{told}{}", String::from_utf8_lossy(&ledger.stderr));
    assert!(verdict.is_clean(), "seed {seed}\n{verdict}\n{}", tail(&dir.path().join("daemon.log")));
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
