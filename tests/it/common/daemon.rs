//! The real program on files and a database of its own, beside a receiver that answers as told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use pushcron::clock::{Clock, SystemClock};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::fake_im::{Answer, FakeIm};
use super::rows::query;

/// Long enough for a busy machine; a test that is well never waits so long.
const PATIENCE: Duration = Duration::from_secs(90);

/// Files, a database and a receiver that takes everything until it is told otherwise.
pub(crate) struct House {
    pub dir: TempDir,
    pub im: FakeIm,
    /// Where the database lies, if not in `dir`.
    pub state: PathBuf,
    /// The path of the account `hook`.
    pub hook: &'static str,
    /// By when [`House::settled`] last saw all that was due come to its end; before that, any time.
    settled_at: Mutex<String>,
}

/// A running daemon, killed with the test.
pub(crate) struct Daemon {
    pub child: Child,
    log: PathBuf,
}

/// A job that pushes to the receiver every second and lets no instant go.
pub(crate) fn tick(name: &str) -> String {
    format!(
        "  - {{name: {name}, every: 1s, misfire: {{policy: all, within: 12h, max: 10000}}, \
         push: {{im: hook, group: 1, text: tick, timeout: 60s}}, \
         retry: {{max_attempts: 50, backoff: 200ms, max_backoff: 1s, give_up_after: 12h}}}}\n"
    )
}

impl House {
    pub(crate) async fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let im = FakeIm::start().await;
        im.on("", Answer::text(200, "{}"));
        House { state: dir.path().to_owned(), dir, im, hook: "/hook", settled_at: Mutex::new("9999".to_owned()) }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.state.join("pushcron.db")
    }

    /// Definitions: the account `hook` of the receiver, `accounts` (lines of a list), and `jobs` (the same).
    pub(crate) fn configure(&self, accounts: &str, jobs: &str) {
        self.write(&format!(
            "daemon: {{database: {database}, timezone: UTC}}\n\
             accounts:\n  - {{id: hook, im: hook, sender: webhook, url: \"{url}\", default: true}}\n{accounts}\
             jobs:\n{jobs}",
            database = self.database().display(),
            url = self.im.url(self.hook),
        ));
    }

    pub(crate) fn write(&self, yaml: &str) {
        use std::os::unix::fs::PermissionsExt;
        let file = self.dir.path().join("jobs.yaml");
        std::fs::write(&file, yaml).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn program(&self, words: &[&str]) -> Command {
        self.program_under(&[], words)
    }

    /// The program as another program's child, which must become the program itself.
    pub(crate) fn program_under(&self, wrapper: &[&str], words: &[&str]) -> Command {
        let mut all = wrapper.to_vec();
        all.push(env!("CARGO_BIN_EXE_pushcron"));
        all.extend(words);
        let mut command = Command::new(all[0]);
        command.args(&all[1..]).current_dir(self.dir.path()).env("PUSHCRON_CONFIG", "jobs.yaml").env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts a daemon and waits until it is up.
    pub(crate) async fn daemon(&self) -> Daemon {
        self.start(self.program(&["run"])).await
    }

    pub(crate) async fn start(&self, command: Command) -> Daemon {
        let mut daemon = self.begin(command);
        until("the daemon has started", async || {
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none(), "the daemon did not start: {}", daemon.log());
            daemon.log().contains(" started")
        })
        .await;
        daemon
    }

    /// Begins to start it, and does not wait.
    pub(crate) fn begin(&self, mut command: Command) -> Daemon {
        let log = self.dir.path().join("daemon.log");
        let file = std::fs::File::create(&log).unwrap();
        Daemon { child: command.stderr(file).spawn().unwrap(), log }
    }

    /// What a verb, or a daemon that must not run, ends with: its exit code and standard error.
    pub(crate) async fn ends(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = tokio::time::timeout(PATIENCE, self.program(words).stderr(Stdio::piped()).output()).await;
        let output = output.expect("it ends").unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        query(&self.database(), sql)
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await[0][0].parse().unwrap()
    }

    /// Waits until a query gives at least this.
    pub(crate) async fn until_at_least(&self, wanted: i64, sql: &str) {
        until(sql, async || self.number(sql).await >= wanted).await;
    }

    /// Waits until everything due by now has been decided and has ended.
    pub(crate) async fn settled(&self) {
        let now = SystemClock::new().now();
        let open = format!(
            "SELECT (SELECT count(*) FROM pushes p JOIN fires f ON f.id = p.fire_id
                      WHERE p.finished_at IS NULL AND f.due_at <= '{now}')
                  + (SELECT count(*) FROM jobs WHERE next_due_at <= '{now}')"
        );
        until("all is settled", async || self.number(&open).await == 0).await;
        *self.settled_at.lock().unwrap() = now.to_string();
    }

    /// How often each push arrived.
    pub(crate) fn arrivals(&self) -> BTreeMap<i64, usize> {
        let mut arrivals = BTreeMap::new();
        for request in self.im.requests() {
            // The id of a message ends in `-PUSH`.
            let push = request.header("webhook-id").unwrap().rsplit('-').next().unwrap().parse().unwrap();
            *arrivals.entry(push).or_default() += 1;
        }
        arrivals
    }

    /// Waits until all that is due has its end, stops the daemon, and holds the database against what arrived.
    pub(crate) async fn assert_it_ends_well(&self, daemon: &mut Daemon) {
        self.settled().await;
        daemon.stop().await;
        self.assert_nothing_lost_or_doubled().await;
    }

    /// Holds what the database says against what arrived: every second of `every: 1s` jobs has its row, every push
    /// has ended, as `unknown` at worst, none arrived twice, and what is called sent did arrive. What came due after
    /// all was settled, while the daemon stopped, may wait for the next start.
    pub(crate) async fn assert_nothing_lost_or_doubled(&self) {
        let none: [[&str; 0]; 0] = [];
        let gaps = "SELECT job, count(*) FROM fires GROUP BY job HAVING count(DISTINCT due_at) <>
                    (strftime('%s', max(due_at)) - strftime('%s', min(due_at)) + 1)";
        assert_eq!(self.rows(gaps).await, none, "instants without a row");
        assert_eq!(self.rows("SELECT id FROM fires WHERE decision <> 'fired'").await, none);
        let (code, told) = self.ends(&["ledger"]).await;
        assert_eq!(code, Some(0), "expected minus recorded is not 0:\n{told}");
        let settled_at = self.settled_at.lock().unwrap().clone();
        let odd = format!(
            "SELECT p.id, p.state, p.reason FROM pushes p JOIN fires f ON f.id = p.fire_id
              WHERE p.state NOT IN ('sent', 'unknown') AND NOT (p.state = 'pending' AND f.due_at > '{settled_at}')"
        );
        assert_eq!(self.rows(&odd).await, none, "pushes without a good end");
        assert_eq!(self.rows("SELECT id FROM attempts WHERE outcome IS NULL").await, none);
        assert_eq!(self.rows("PRAGMA integrity_check").await, [["ok"]]);
        let arrivals = self.arrivals();
        let doubled: Vec<_> = arrivals.iter().filter(|(_, times)| **times > 1).collect();
        assert!(doubled.is_empty(), "arrived twice: {doubled:?}");
        let attempted = self.rows("SELECT DISTINCT push_id FROM attempts").await;
        let attempted: Vec<i64> = attempted.iter().map(|row| row[0].parse().unwrap()).collect();
        assert!(arrivals.keys().all(|push| attempted.contains(push)), "arrived without a row");
        for row in self.rows("SELECT id FROM pushes WHERE state = 'sent'").await {
            assert!(
                arrivals.contains_key(&row[0].parse().unwrap()),
                "push {} is called sent, and never arrived",
                row[0]
            );
        }
    }
}

impl Daemon {
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for a line of the log.
    pub(crate) async fn says(&self, part: &str) {
        until(part, async || self.log().contains(part)).await;
    }

    pub(crate) fn signal(&self, signal: i32) {
        let pid = self.child.id().expect("the daemon runs");
        // SAFETY: the child is ours and has not been waited for.
        assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0);
    }

    pub(crate) fn open_files(&self) -> u64 {
        let pid = self.child.id().expect("the daemon runs");
        std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64
    }

    /// It may open files until it has so many, from now on.
    pub(crate) fn limit_open_files(&self, most: u64) {
        self.limit(libc::RLIMIT_NOFILE, most);
    }

    /// No file of its may become longer than this, from now on.
    pub(crate) fn limit_file_size(&self, most: u64) {
        self.limit(libc::RLIMIT_FSIZE, most);
    }

    fn limit(&self, resource: libc::__rlimit_resource_t, most: u64) {
        let pid = self.child.id().expect("the daemon runs");
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the child is ours, and all pointers are good for the call.
        let asked = unsafe { libc::prlimit(pid as i32, resource, std::ptr::null(), &mut limit) };
        limit.rlim_cur = most.min(limit.rlim_max);
        // SAFETY: as above.
        let done = asked + unsafe { libc::prlimit(pid as i32, resource, &limit, std::ptr::null_mut()) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    /// Stops it as systemd would, and tells how long that took.
    pub(crate) async fn stop(&mut self) -> Duration {
        let clock = SystemClock::new();
        let begun = clock.monotonic();
        self.signal(libc::SIGTERM);
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it stops").unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.log());
        clock.monotonic() - begun
    }
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !ask().await {
            pause().await;
        }
    };
    if tokio::time::timeout(PATIENCE, asking).await.is_err() {
        panic!("waited in vain: {what}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the daemon is another process, which only asking again can see change")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
