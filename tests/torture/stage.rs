//! Where a mode plays: a folder with its files, a receiver, a watch over the history, and the real program.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::checker::{Findings, Rules, check};
use super::history::Watch;
use super::receiver::{Receiver, Trap};

/// Long enough for a busy machine; a daemon that is well never needs so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A breath between two looks at what other processes do.
pub(crate) async fn breath() {
    let _ = tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
}

/// Looks again and again until the answer is yes; no after so long.
pub(crate) async fn within(limit: Duration, mut ask: impl FnMut() -> bool) -> bool {
    let asking = async {
        while !ask() {
            breath().await;
        }
    };
    tokio::time::timeout(limit, asking).await.is_ok()
}

pub(crate) struct Stage {
    pub dir: TempDir,
    pub receiver: Arc<Receiver>,
    pub watch: Watch,
    pub dice: fastrand::Rng,
    /// How often this mode kills.
    pub kills: u64,
    pub killed: u64,
    mode: &'static str,
    seed: u64,
    /// What every child finds in its environment, beside ours.
    pub env: Vec<(String, String)>,
}

impl Stage {
    pub(crate) async fn new(mode: &'static str, few: u64) -> Stage {
        let kills = from_env("PUSHCRON_TORTURE_KILLS").unwrap_or(few);
        let seed = from_env("PUSHCRON_TORTURE_SEED").unwrap_or_else(|| fastrand::u64(..));
        println!("{mode}: seed {seed}, {kills} kills");
        let mut dice = fastrand::Rng::with_seed(seed);
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("pushcron.db");
        let receiver = Receiver::start(database.clone(), dice.u64(..)).await;
        let watch = Watch::begin(database);
        Stage { dir, receiver, watch, dice, kills, killed: 0, mode, seed, env: Vec::new() }
    }

    /// An empty stage of the same mode, with dice of its own.
    pub(crate) async fn again(&mut self) -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("pushcron.db");
        let mut dice = self.dice.fork();
        let receiver = Receiver::start(database.clone(), dice.u64(..)).await;
        let watch = Watch::begin(database);
        let (kills, mode, seed) = (self.kills, self.mode, self.seed);
        Stage { dir, receiver, watch, dice, kills, killed: 0, mode, seed, env: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("pushcron.db")
    }

    /// Definitions: `accounts` and `jobs` are lines of lists.
    pub(crate) fn configure(&self, accounts: &str, jobs: &str) {
        let yaml = format!(
            "daemon: {{database: {db}, timezone: UTC}}\naccounts:\n{accounts}jobs:{empty}\n{jobs}",
            db = self.database().display(),
            empty = if jobs.is_empty() { " []" } else { "" },
        );
        let options = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).clone();
        options.open(self.path("jobs.yaml")).unwrap().write_all(yaml.as_bytes()).unwrap();
    }

    /// A line of `accounts` for a webhook at a path of the receiver.
    pub(crate) fn account(&self, id: &str, more: &str) -> String {
        let url = self.receiver.url(&format!("/{id}"));
        format!("  - {{id: {id}, im: {id}, sender: webhook, url: \"{url}\", default: true{more}}}\n")
    }

    pub(crate) fn program(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pushcron"));
        self.dress(&mut command);
        command.arg("-c").arg(self.path("jobs.yaml")).args(words);
        command
    }

    fn dress(&self, command: &mut Command) {
        command.current_dir(self.dir.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("TZ", "UTC").envs(self.env.iter().cloned());
    }

    /// Has the program run by another one, which must become the program itself.
    pub(crate) fn daemon_under(&self, wrapper: &[String]) -> Running {
        let mut command = Command::new(&wrapper[0]);
        self.dress(&mut command);
        command.args(&wrapper[1..]).arg(env!("CARGO_BIN_EXE_pushcron")).arg("-c").arg(self.path("jobs.yaml"));
        command.arg("run");
        self.run(command)
    }

    pub(crate) fn daemon(&self) -> Running {
        self.run(self.program(&["run"]))
    }

    /// The daemon on the database under that name.
    pub(crate) fn daemon_on(&self, database: &Path) -> Running {
        self.run(self.program(&["--db", database.to_str().unwrap(), "run"]))
    }

    fn run(&self, mut command: Command) -> Running {
        let log = self.path("daemon.log");
        let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let before = file.metadata().unwrap().len();
        let child = command.stderr(file).spawn().unwrap();
        Running { child, log, before, watch: self.watch.clone(), is_awake: false, stuck_in: String::new() }
    }

    /// Starts the daemon and waits until it says so.
    pub(crate) async fn started(&self) -> Running {
        let mut daemon = self.daemon();
        assert!(daemon.is_up().await, "{} did not start\n{}", self.told(), daemon.says());
        daemon
    }

    pub(crate) fn kill(&mut self, daemon: &mut Running) {
        daemon.child.kill().unwrap();
        daemon.child.wait().unwrap();
        self.killed += 1;
        if self.killed.is_multiple_of(100) {
            println!("{}: {} kills, {} requests", self.mode, self.killed, self.receiver.count());
        }
    }

    /// One undisturbed life that brings everything to its end, then a stop as systemd would do it, then the verdict.
    pub(crate) async fn verdict(&mut self, rules: &Rules<'_>) -> Findings {
        self.receiver.be_kind();
        let daemon = self.started().await;
        self.verdict_in(daemon, rules).await
    }

    /// The same in a life that has begun.
    pub(crate) async fn verdict_in(&mut self, mut daemon: Running, rules: &Rules<'_>) -> Findings {
        let until = self.watch.now();
        let database = self.database();
        let settled = super::checker::wait_until_settled(&database, &until).await;
        let status = daemon.stop().await;
        let mut findings = check(&database, &self.receiver.seen(), rules, &until);
        findings.kills = self.killed;
        if !settled || status.code() != Some(0) {
            findings.open += 1;
            let log = tail(&daemon.log);
            findings.examples.push(format!("settled: {settled}, the stop: {status}{}\n{log}", daemon.stuck_in));
        }
        self.watch.judge(&mut findings);
        // A second opinion, by what is shipped.
        let ledger =
            self.program(&["ledger", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&ledger.stdout);
        let sums: serde_json::Value = serde_json::from_str(&told).unwrap_or_default();
        findings.ledger = match (ledger.status.code(), sums["missing"].as_i64(), sums["surplus"].as_i64()) {
            (Some(0), Some(missing), Some(surplus)) => missing + surplus,
            (_, missing, surplus) => {
                findings.examples.push(format!("ledger: {told}{}", String::from_utf8_lossy(&ledger.stderr)));
                (missing.unwrap_or(0) + surplus.unwrap_or(0)).max(1)
            }
        };
        println!("{}: {findings}", self.mode);
        findings
    }

    /// Tells what is wrong when it is seen: what comes after may fail altogether.
    pub(crate) fn tell(&self, wrong: &mut Vec<String>, what: impl IntoIterator<Item = String>) {
        for what in what {
            println!("{}: {what}", self.mode);
            wrong.push(what);
        }
    }

    pub(crate) fn told(&self) -> String {
        format!("{} (seed {})", self.mode, self.seed)
    }

    pub(crate) fn assert_clean(&self, findings: &Findings) {
        assert!(findings.is_clean(), "{}\n{findings}\n{}", self.told(), tail(&self.path("daemon.log")));
    }
}

/// A daemon of ours, gone with the value.
pub(crate) struct Running {
    pub child: Child,
    log: PathBuf,
    before: u64,
    watch: Watch,
    is_awake: bool,
    /// What its threads did when it did not stop.
    stuck_in: String,
}

/// What each thread of a process waits for in the kernel, and the processor time that it has taken.
fn threads(pid: u32) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let told = tasks.map(|task| {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let (state, user) = (fields.first().unwrap_or(&"?"), fields.get(11).unwrap_or(&"?"));
        format!("\n  {} {state} waits in '{}', {user} ticks", read("comm").trim(), read("wchan"))
    });
    told.collect()
}

impl Running {
    /// What it has logged in this life.
    pub(crate) fn says(&self) -> String {
        let mut bytes = Vec::new();
        let mut file = std::fs::File::open(&self.log).unwrap();
        file.seek(SeekFrom::Start(self.before)).and_then(|_| file.read_to_end(&mut bytes)).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether it says that it has started; from then on the history counts.
    fn notice_start(&mut self) -> bool {
        if !self.is_awake && self.says().contains(" started") {
            self.is_awake = true;
            self.watch.wakes(self.child.id());
        }
        self.is_awake
    }

    /// Waits until it has started, or has ended instead.
    pub(crate) async fn is_up(&mut self) -> bool {
        let mut up = false;
        within(PATIENCE, || {
            up = self.notice_start();
            up || self.child.try_wait().unwrap().is_some()
        })
        .await;
        up
    }

    /// How it ended by itself; None where it still runs after so long.
    pub(crate) async fn end(&mut self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        within(limit, || {
            status = self.child.try_wait().unwrap();
            let _ = status.is_none() && self.notice_start();
            status.is_some()
        })
        .await;
        status
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) async fn stop(&mut self) -> ExitStatus {
        if self.is_alive() {
            // SAFETY: the child is ours and has not been waited for.
            unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        }
        match self.end(Duration::from_secs(30)).await {
            Some(status) => status,
            None => {
                self.stuck_in = threads(self.child.id());
                self.child.kill().unwrap();
                self.child.wait().unwrap()
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.watch.end();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What libfaketime leaves behind when its process is killed.
        for name in ["faketime_shm_", "sem.faketime_sem_"] {
            let _ = std::fs::remove_file(format!("/dev/shm/{name}{}", self.child.id()));
        }
    }
}

/// The moment at which a daemon is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// Any time.
    After(Duration),
    /// When its nth request has arrived, before an answer leaves.
    OnRequest(u32),
    /// When its nth request has been answered.
    OnAnswer(u32),
    /// Inside its nth fsync, which is in the middle of a commit.
    OnSync(u32),
}

impl Moment {
    pub(crate) fn of(dice: &mut fastrand::Rng, strace: bool) -> Moment {
        match dice.u8(0..if strace { 4 } else { 3 }) {
            0 => Moment::After(Duration::from_millis(dice.u64(0..1200))),
            1 => Moment::OnRequest(dice.u32(1..8)),
            2 => Moment::OnAnswer(dice.u32(1..8)),
            _ => Moment::OnSync(dice.u32(1..30)),
        }
    }
}

impl Stage {
    /// A life of the daemon from its start to its kill.
    pub(crate) async fn one_life(&mut self, moment: Moment) {
        let mut daemon = match moment {
            // The daemon is still our direct child.
            Moment::OnSync(nth) => {
                let inject = format!("inject=fsync,fdatasync:signal=KILL:when={nth}");
                let words =
                    ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &inject];
                self.daemon_under(&words.map(str::to_owned))
            }
            _ => self.daemon(),
        };
        let trap = match moment {
            Moment::OnRequest(nth) => Some(Trap::before_answer(nth)),
            Moment::OnAnswer(nth) => Some(Trap::after_answer(nth)),
            _ => None,
        };
        if let Some(trap) = trap {
            self.receiver.arm(trap, daemon.child.id());
        }
        let limit = match moment {
            Moment::After(wait) => wait,
            _ => Duration::from_secs(3),
        };
        daemon.end(limit).await;
        self.receiver.disarm();
        self.kill(&mut daemon);
    }
}

pub(crate) fn strace_works() -> bool {
    let status = Command::new("strace").args(["-D", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let works = status.is_ok_and(|status| status.success());
    if !works {
        eprintln!("SKIPPED: kills inside a commit, since strace does not work here");
    }
    works
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
