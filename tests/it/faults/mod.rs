//! Faults of the host and the target against the real daemon, each named by its id in `docs/dev/faults.md`.

mod damage;
mod host;
mod list_of_days;
mod upkeep;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::daemon::{House, tick, until};
use crate::common::fake_im::{Answer, Refused};
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::Notify;

const SENT: &str = "SELECT count(*) FROM pushes WHERE state = 'sent'";

async fn runs(program: &str, words: &[&str]) -> bool {
    let status = Command::new(program).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.await.is_ok_and(|status| status.success())
}

/// A folder on a file system of its own, gone with the value.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    async fn mount(at: &Path) -> Option<SmallDisk> {
        std::fs::create_dir(at).unwrap();
        let path = at.to_str().unwrap();
        let mounted = runs("mount", &["-t", "tmpfs", "-o", "size=2m,mode=0700", "none", path]).await;
        mounted.then(|| SmallDisk(at.to_owned()))
    }

    /// Writes until nothing fits any more.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("fill")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("fill")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_a_full_disk_stops_the_sending_and_everything_is_caught_up_when_space_returns() {
    let mut house = House::new().await;
    house.state = house.dir.path().join("small");
    let Some(disk) = SmallDisk::mount(&house.state).await else {
        eprintln!("SKIPPED: a full disk, since a tmpfs cannot be mounted here (needs root)");
        return;
    };
    house.configure("", &(tick("a") + &tick("b")));
    let mut daemon = house.daemon().await;
    house.until_at_least(4, SENT).await;
    disk.fill();
    daemon.says("full").await;
    let before = house.im.requests().len();
    // Nothing can be recorded, so nothing may arrive, however long it lasts: six rounds of the scheduler.
    let told = || daemon.log().lines().filter(|line| line.contains("full")).count();
    let failed_at = house.number("SELECT strftime('%s')").await;
    until("six seconds have passed", async || house.number("SELECT strftime('%s')").await >= failed_at + 6).await;
    let during = house.im.requests().len() - before;
    // What was already on its way when the disk ran full: one second of both jobs.
    assert!(during <= 2, "{during} requests while nothing could be recorded\n{}", daemon.log());
    assert!(told() <= 4, "{}", daemon.log());
    disk.empty();
    let caught_up = house.number(SENT).await + 12;
    house.until_at_least(caught_up, SENT).await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f07_a_foreign_write_lock_longer_than_the_busy_timeout_loses_and_doubles_nothing() {
    let house = House::new().await;
    house.configure("", &tick("a"));
    let mut daemon = house.daemon().await;
    house.until_at_least(2, SENT).await;
    let foreign = rusqlite::Connection::open(house.database()).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    daemon.says("database is locked").await;
    assert!(daemon.child.try_wait().unwrap().is_none(), "{}", daemon.log());
    foreign.execute_batch("ROLLBACK").unwrap();
    let caught_up = house.number(SENT).await + 8;
    house.until_at_least(caught_up, SENT).await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_a_corrupt_database_is_refused_at_the_start_and_left_as_it_is() {
    let house = House::new().await;
    house.configure("", &tick("a"));
    let mut daemon = house.daemon().await;
    house.until_at_least(1, SENT).await;
    daemon.stop().await;
    let mut bytes = std::fs::read(house.database()).unwrap();
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    bytes[2 * page..3 * page].fill(0xa5);
    std::fs::write(house.database(), &bytes).unwrap();
    let hash = || Sha256::digest(std::fs::read(house.database()).unwrap());
    let (before, inode) = (hash(), std::fs::metadata(house.database()).unwrap().ino());
    let (code, told) = house.ends(&["run"]).await;
    assert_eq!(code, Some(69), "{told}");
    assert!(told.contains("pushcron.db") && told.contains("backup"), "{told}");
    assert_eq!((hash(), std::fs::metadata(house.database()).unwrap().ino()), (before, inode));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_on_the_same_database_ends_and_names_the_first() {
    let house = House::new().await;
    house.configure("", &tick("a"));
    let mut daemon = house.daemon().await;
    let (code, told) = house.ends(&["run"]).await;
    assert_eq!(code, Some(69), "{told}");
    assert!(told.contains(&format!("pid {}", daemon.child.id().unwrap())), "{told}");
    house.until_at_least(2, SENT).await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_f11_f13_each_broken_target_leads_to_its_own_honest_end_and_no_second_request() {
    let house = House::new().await;
    let refused = Refused::new();
    let table = [
        // Path, what the target does; then: state, outcome of the first attempt, requests.
        ("lost", Some(Answer::Silence), "unknown", "unknown", 1),
        ("reset", Some(Answer::Reset), "unknown", "unknown", 1),
        ("broken_off", Some(Answer::ResetInBody { status: 500 }), "unknown", "unknown", 1),
        ("refused", None, "retrying", "unreachable", 0),
        ("ten_years", Some(Answer::status(429).header("retry-after", "315360000")), "expired", "throttled", 1),
        ("well", Some(Answer::text(200, "{}")), "sent", "sent", 1),
    ];
    let (mut accounts, mut jobs) = (String::new(), String::new());
    for (name, answer, ..) in &table {
        let url = match answer {
            Some(answer) => {
                house.im.on(&format!("/{name}/"), answer.clone());
                house.im.url(&format!("/{name}/"))
            }
            None => refused.url(),
        };
        accounts += &format!("  - {{id: {name}, im: {name}, sender: webhook, url: \"{url}\", default: true}}\n");
        jobs += &format!(
            "  - {{name: {name}, cron: \"0 0 1 1 *\", push: {{im: {name}, group: 1, text: hi, timeout: 1s}}, \
             retry: {{backoff: 1h, max_backoff: 1h, give_up_after: 12h}}}}\n"
        );
    }
    house.configure(&accounts, &jobs);
    let mut daemon = house.daemon().await;
    for (name, ..) in &table {
        assert_eq!(house.ends(&["fire", name]).await.0, Some(0));
    }
    let begun = "SELECT count(*) FROM attempts WHERE outcome IS NOT NULL";
    house.until_at_least(table.len() as i64, begun).await;
    until("nothing is being sent", async || {
        house.number("SELECT count(*) FROM pushes WHERE state IN ('pending', 'sending')").await == 0
    })
    .await;
    daemon.stop().await;
    for (name, _, state, outcome, requests) in table {
        let sql = format!(
            "SELECT p.state, a.outcome FROM pushes p JOIN fires f ON f.id = p.fire_id
               JOIN attempts a ON a.push_id = p.id WHERE f.job = '{name}'"
        );
        assert_eq!(house.rows(&sql).await, [[state, outcome]], "{name}\n{}", daemon.log());
        assert_eq!(house.im.requests_to(&format!("/{name}/")).len(), requests, "{name}");
    }
}

/// A name server of one name, this host's, that says nothing until it is told to.
struct NameServer {
    address: std::net::IpAddr,
    answers: Arc<AtomicBool>,
}

impl NameServer {
    /// None where the port of name servers cannot be had.
    fn start() -> Option<NameServer> {
        let address = std::net::IpAddr::from([127, 0, 0, 153]);
        let socket = std::net::UdpSocket::bind((address, 53)).ok()?;
        let answers = Arc::new(AtomicBool::new(false));
        let told = answers.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, asker)) = socket.recv_from(&mut query) {
                if told.load(Ordering::Relaxed) {
                    let _ = socket.send_to(&NameServer::answer(&query[..length]), asker);
                }
            }
        });
        Some(NameServer { address, answers })
    }

    /// 127.0.0.1 for whoever asks for an IPv4 address, nothing for other questions (RFC 1035 §4.1).
    fn answer(query: &[u8]) -> Vec<u8> {
        let name_ends = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
        let wants_ipv4 = query[name_ends..name_ends + 2] == [0, 1];
        let counts = [0, 1, 0, u8::from(wants_ipv4), 0, 0, 0, 0];
        let mut answer = [&query[..2], &[0x81, 0x80], &counts, &query[12..name_ends + 4]].concat();
        if wants_ipv4 {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
        }
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_a_name_server_that_says_nothing_holds_up_none_but_those_who_need_it() {
    let house = House::new().await;
    let resolv = house.dir.path().join("resolv.conf");
    let over = format!("mount --bind {} /etc/resolv.conf", resolv.display());
    let server = NameServer::start();
    let settings = |server: &NameServer| format!("nameserver {}\noptions timeout:1 attempts:1\n", server.address);
    std::fs::write(&resolv, server.as_ref().map(settings).unwrap_or_default()).unwrap();
    let (Some(server), true) = (server, runs("unshare", &["--mount", "sh", "-c", &over]).await) else {
        eprintln!("SKIPPED: a slow name server, since /etc/resolv.conf cannot be replaced here (needs root)");
        return;
    };
    let url = house.im.url("/named").replace("127.0.0.1", "im.test");
    let account = format!("  - {{id: named, im: named, sender: webhook, url: \"{url}\", default: true}}\n");
    let named = tick("named").replace("im: hook", "im: named").replace("timeout: 60s", "timeout: 1s");
    house.configure(&account, &(tick("a") + &named));
    let wrapper = ["unshare", "--mount", "sh", "-c", &format!("{over} && exec \"$@\""), "sh"];
    let mut daemon = house.start(house.program_under(&wrapper, &["run"])).await;
    let outcomes =
        "SELECT outcome, count(*) > 3 FROM attempts WHERE account = 'named' AND outcome IS NOT NULL GROUP BY 1";
    until("sends without an address end", async || house.rows(outcomes).await == [["unreachable", "1"]]).await;
    // Meanwhile those with an address went out at once.
    let late = "SELECT count(*) FROM attempts a JOIN pushes p ON p.id = a.push_id JOIN fires f ON f.id = p.fire_id
                 WHERE f.job = 'a' AND (julianday(a.finished_at) - julianday(f.due_at)) * 86400 > 3";
    assert_eq!(house.number(late).await, 0, "pushes to another target were held up");
    assert_eq!(house.im.requests_to("/named").len(), 0);
    server.answers.store(true, Ordering::Relaxed);
    // The account rests after so many failures.
    daemon.signal(libc::SIGHUP);
    house.until_at_least(5, "SELECT count(*) FROM pushes WHERE im = 'named' AND state = 'sent'").await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_a_refused_login_makes_no_storm_and_a_reload_with_a_mended_account_tries_at_once() {
    let mut house = House::new().await;
    house.im.on("", Answer::status(401));
    let jobs: String = (0..5).map(|n| tick(&format!("job{n}"))).collect();
    house.configure("", &jobs);
    let mut daemon = house.daemon().await;
    house.until_at_least(30, "SELECT count(*) FROM pushes").await;
    // Those of the first second were under way together; after that the account is left alone.
    let requests = house.im.requests().len();
    assert!(requests <= 10, "{requests} requests with a refused login\n{}", daemon.log());
    house.im.on("/mended", Answer::text(200, "{}"));
    house.hook = "/mended";
    house.configure("", &jobs);
    daemon.signal(libc::SIGHUP);
    house.until_at_least(30, SENT).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_a_reload_with_a_broken_file_changes_nothing_and_the_next_good_one_is_taken() {
    let house = House::new().await;
    house.configure("", &tick("a"));
    let mut daemon = house.daemon().await;
    let broken = ["jobs: [", "jobs:\n  - {nam: x}\n", "accounts: [{id: a, sender: webhook, url: {file: /nowhere}}]\n"];
    for (nth, yaml) in broken.into_iter().enumerate() {
        house.write(yaml);
        daemon.signal(libc::SIGHUP);
        until("the reload is refused", async || daemon.log().matches("not reloaded").count() == nth + 1).await;
        let more = house.number(SENT).await + 2;
        house.until_at_least(more, SENT).await;
    }
    house.configure("", &(tick("a") + &tick("b")));
    daemon.signal(libc::SIGHUP);
    house.until_at_least(1, "SELECT count(*) FROM fires WHERE job = 'b'").await;
    house.assert_it_ends_well(&mut daemon).await;
}

/// A job whose pushes wait long for the next try.
fn patient(name: &str) -> String {
    format!(
        "  - {{name: {name}, every: 2s, push: {{im: hook, group: 1, text: {name}}}, \
         retry: {{max_attempts: 50, backoff: 30s, give_up_after: 1h}}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_suddenly_empty_takes_no_job_away_and_one_that_was_cut_is_told_by_names() {
    let house = House::new().await;
    house.im.on("", Answer::status(429));
    let jobs = [patient("one"), patient("two"), patient("three")];
    house.configure("", &jobs.concat());
    let mut daemon = house.daemon().await;
    house.until_at_least(3, "SELECT count(DISTINCT job) FROM push_history WHERE state = 'retrying'").await;
    let whole = std::fs::read_to_string(house.dir.path().join("jobs.yaml")).unwrap();
    let up_to_jobs = &whole[..whole.find("jobs:").unwrap()];
    let lost = "SELECT count(*) FROM pushes WHERE reason = 'job_removed'";
    let emptied = ["", "---\n", "# x\n", "\u{feff}", up_to_jobs, &format!("{up_to_jobs}jobs:\n")];
    for (nth, text) in emptied.into_iter().enumerate() {
        house.write(text);
        daemon.signal(libc::SIGHUP);
        until("the reload is refused", async || daemon.log().matches("not reloaded").count() == nth + 1).await;
        assert!(daemon.log().contains("write 'jobs: []' if they are to go"), "{}", daemon.log());
    }
    assert_eq!(house.number(lost).await, 0);
    assert_eq!(house.number("SELECT count(*) FROM jobs WHERE removed_at IS NULL").await, 3);
    daemon.stop().await;

    // At a start the database remembers.
    house.write(up_to_jobs);
    let (code, told) = house.ends(&["run"]).await;
    assert_eq!(code, Some(78), "{told}");
    assert!(
        told.contains("the files define no jobs at all, and 3 are in force") && told.contains("jobs: []"),
        "{told}"
    );
    let mut nothing_named = house.program(&["--db", house.database().to_str().unwrap(), "run"]);
    let ended = nothing_named.env_remove("PUSHCRON_CONFIG").stderr(Stdio::piped()).output().await.unwrap();
    assert_eq!(ended.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("name their files with -c"), "{ended:?}");
    assert_eq!(house.number(lost).await, 0);

    // A list that was cut is a list: what went with it is told.
    house.configure("", &jobs[0]);
    let mut daemon = house.daemon().await;
    daemon.says("jobs are gone from the configuration while pushes of theirs were waiting").await;
    assert!(daemon.log().contains("three, two"), "{}", daemon.log());
    house.write(&format!("{up_to_jobs}jobs: []\n"));
    daemon.signal(libc::SIGHUP);
    daemon.says(" reloaded").await;
    assert_eq!(house.number("SELECT count(*) FROM jobs WHERE removed_at IS NULL").await, 0);
    house.write("accounts: []\njobs: []\n");
    daemon.signal(libc::SIGHUP);
    daemon.says("accounts are gone from the configuration").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_moved_away_for_a_moment_takes_no_job_away() {
    let house = House::new().await;
    house.configure("", &format!("{}include: ['more/*.yaml']\n", tick("a")));
    let more = house.dir.path().join("more");
    std::fs::create_dir(&more).unwrap();
    std::fs::write(more.join("b.yaml"), format!("jobs:\n{}", tick("b"))).unwrap();
    std::fs::write(more.join("c.yaml"), format!("jobs:\n{}", tick("c"))).unwrap();
    let mut daemon = house.daemon().await;
    std::fs::rename(more.join("b.yaml"), more.join("b.yaml~")).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("looking again for a moment").await;
    std::fs::rename(more.join("b.yaml~"), more.join("b.yaml")).unwrap();
    daemon.says(" reloaded").await;
    assert_eq!(house.number("SELECT count(*) FROM jobs WHERE removed_at IS NULL AND revision = 1").await, 3);
    // Gone for good, it is gone.
    std::fs::remove_file(more.join("b.yaml")).unwrap();
    daemon.signal(libc::SIGHUP);
    house.until_at_least(1, "SELECT count(*) FROM jobs WHERE removed_at IS NOT NULL AND name = 'b'").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_every_second_with_a_changed_job_loses_and_doubles_nothing() {
    let house = House::new().await;
    let jobs = [tick("a") + &tick("b"), tick("a") + &tick("b").replace("text: tick", "text: tock")];
    house.configure("", &jobs[0]);
    let mut daemon = house.daemon().await;
    for round in 1..=10 {
        let more = house.number(SENT).await + 2;
        house.until_at_least(more, SENT).await;
        house.configure("", &jobs[round % 2]);
        daemon.signal(libc::SIGHUP);
        until("the reload is done", async || daemon.log().matches("INFO  reloaded").count() >= round).await;
    }
    house.settled().await;
    daemon.stop().await;
    assert!(house.number("SELECT count(*) FROM job_revisions WHERE job = 'b'").await >= 10, "{}", daemon.log());
    house.assert_nothing_lost_or_doubled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_a_stop_under_load_with_slow_targets_ends_in_time_and_tells_what_is_unknown() {
    let house = House::new().await;
    house.configure("", "  - {name: idle, cron: \"0 0 1 1 *\", push: {im: hook, group: 1, text: hi}}\n");
    let idle = house.daemon().await.stop().await;
    println!("an idle stop took {idle:?}");

    house.im.on("", Answer::Silence);
    let jobs: String = (0..20).map(|n| tick(&format!("job{n}"))).collect();
    house.configure("", &jobs);
    let mut daemon = house.daemon().await;
    until("requests are under way", async || house.im.requests().len() >= 2).await;
    house.until_at_least(60, "SELECT count(*) FROM pushes").await;
    let took = daemon.stop().await;
    println!("a stop under load took {took:?}");
    assert!(took < std::time::Duration::from_secs(25), "systemd would have killed it: {took:?}");
    assert_eq!(house.number("SELECT count(*) FROM pushes WHERE state = 'sending'").await, 0);
    let unknown = house.number("SELECT count(*) FROM pushes WHERE state = 'unknown'").await;
    let arrivals = house.arrivals();
    assert_eq!(unknown as usize, arrivals.len(), "each request without an answer is unknown, nothing else");
    assert!(arrivals.values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_output_error_at_a_commit_leaves_nothing_sending_and_doubles_nothing() {
    if !runs("strace", &["-D", "-qq", "-o", "/dev/null", "true"]).await {
        eprintln!("SKIPPED: errors of the disk, since strace does not work here");
        return;
    }
    let house = House::new().await;
    house.configure("", &(tick("a") + &tick("b")));
    let inject = "inject=fsync,fdatasync:error=EIO:when=20..24";
    let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", inject];
    let mut daemon = house.start(house.program_under(&strace, &["run"])).await;
    daemon.says("disk I/O error").await;
    let more = house.number(SENT).await + 10;
    house.until_at_least(more, SENT).await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_while_it_makes_its_database_starts_again() {
    if !runs("strace", &["-D", "-qq", "-o", "/dev/null", "true"]).await {
        eprintln!("SKIPPED: kills inside the making of a database, since strace does not work here");
        return;
    }
    for nth in 1..=12 {
        let house = House::new().await;
        house.configure("", &tick("a"));
        let inject = format!("inject=fsync,fdatasync:signal=KILL:when={nth}");
        let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &inject];
        let killed = house.program_under(&strace, &["run"]).status().await.unwrap();
        assert_eq!(killed.code(), None, "sync {nth}");
        let mut daemon = house.daemon().await;
        house.until_at_least(1, SENT).await;
        house.assert_it_ends_well(&mut daemon).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_may_open_no_more_files_says_unreachable_and_catches_up() {
    let house = House::new().await;
    let (gate, open) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (held, is_open) = (gate.clone(), open.clone());
    house.im.handle("", move |_| {
        let fine = Answer::text(200, "{}");
        if is_open.load(Ordering::Relaxed) { fine } else { fine.held(&held) }
    });
    let account = format!(
        "  - {{id: many, im: many, sender: webhook, url: \"{}\", default: true, concurrency: 400}}\n",
        house.im.url("/many")
    );
    let jobs: String = (0..60).map(|n| tick(&format!("job{n}")).replace("im: hook", "im: many")).collect();
    house.configure(&account, &jobs);
    let mut daemon = house.daemon().await;
    house.until_at_least(1, "SELECT count(*) FROM attempts").await;
    daemon.limit_open_files(daemon.open_files() + 20);
    // Each request that is not answered keeps a connection open, until no more can be made.
    house.until_at_least(20, "SELECT count(*) FROM attempts WHERE error LIKE '%Too many open files%'").await;
    let outcomes = "SELECT DISTINCT outcome FROM attempts WHERE error LIKE '%Too many open files%'";
    assert_eq!(house.rows(outcomes).await, [["unreachable"]]);
    open.store(true, Ordering::Relaxed);
    until("all that were held are answered", async || {
        gate.notify_waiters();
        house.number("SELECT count(*) FROM pushes WHERE state = 'sending'").await < 60
    })
    .await;
    // The account rests after so many failures.
    daemon.signal(libc::SIGHUP);
    let caught_up = house.number("SELECT count(*) FROM pushes").await;
    house.until_at_least(caught_up, SENT).await;
    assert!(daemon.child.try_wait().unwrap().is_none(), "{}", daemon.log());
    house.assert_it_ends_well(&mut daemon).await;
}

/// The daemon with a wall clock that is off by so much, and a way to set it anew. The monotonic clock goes on as it is,
/// as when a machine wakes. Of libfaketime's two forms the one that locks: in the other, threads that read the clock at the
/// same time are told the machine's own now and then. None, told, where it is not there.
fn beside_the_clock(house: &House, off: &str) -> Option<(Command, impl Fn(&str) + use<>)> {
    let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
        .map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|library| library.exists());
    let Some(library) = library else {
        eprintln!("SKIPPED: a wall clock that is off, since libfaketime is not installed");
        return None;
    };
    let offset = house.dir.path().join("offset");
    let mut command = house.program(&["run"]);
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &offset);
    command.env("DONT_FAKE_MONOTONIC", "1").env("FAKETIME_NO_CACHE", "1");
    let set_clock = move |off: &str| {
        let new = offset.with_extension("new");
        std::fs::write(&new, format!("{off}\n")).unwrap();
        std::fs::rename(new, &offset).unwrap();
    };
    set_clock(off);
    Some((command, set_clock))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_starts_in_2099_sends_nothing_until_the_clock_is_set() {
    let house = House::new().await;
    // A hundred years, more or less.
    let Some((command, set_clock)) = beside_the_clock(&house, "+3155760000") else { return };
    house.configure("", &tick("a"));
    let mut daemon = house.start(command).await;
    daemon.says("which cannot be; nothing is sent until it is set").await;
    assert_eq!(house.number("SELECT count(*) FROM fires").await, 0);
    set_clock("+0");
    daemon.says("the clock can be believed again").await;
    house.until_at_least(3, SENT).await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_sees_to_its_own_duties_though_the_clock_is_put_back_by_an_hour() {
    let house = House::new().await;
    let Some((command, set_clock)) = beside_the_clock(&house, "+0") else { return };
    house.configure("", &tick("a"));
    let yaml = std::fs::read_to_string(house.dir.path().join("jobs.yaml")).unwrap();
    let file = house.dir.path().join("pushcron.prom");
    house.write(&yaml.replace("timezone: UTC", &format!("timezone: UTC, metrics_file: {}", file.display())));
    let mut daemon = house.start(command).await;
    until("the numbers are written", async || file.exists()).await;
    set_clock("-3600");
    daemon.says("the clock jumped").await;
    std::fs::remove_file(&file).unwrap();
    until("the numbers are written again", async || file.exists()).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_a_machine_that_slept_for_eight_hours_sends_the_latest_and_says_what_it_missed() {
    let house = House::new().await;
    let Some((command, set_clock)) = beside_the_clock(&house, "+0") else { return };
    let job = |name: &str, cron: &str| {
        format!("  - {{name: {name}, cron: \"{cron}\", push: {{im: hook, group: 1, text: hi}}}}\n")
    };
    house.configure("", &(job("seconds", "* * * * * *") + &job("hourly", "0 * * * *")));
    let mut daemon = house.start(command).await;
    house.until_at_least(2, SENT).await;
    set_clock("+28800");
    daemon.says("the clock jumped").await;
    let more = house.number(SENT).await + 3;
    house.until_at_least(more, SENT).await;
    daemon.stop().await;
    let hourly = house.rows("SELECT decision, sum(count) FROM fires WHERE job = 'hourly' GROUP BY 1 ORDER BY 1").await;
    assert_eq!(hourly, [["fired", "1"], ["missed", "7"]]);
    // Every second of the eight hours is in the ledger, and the night made no burst.
    let span = "SELECT strftime('%s', max(due_at)) - strftime('%s', min(due_at)) + 1 - sum(count) FROM fires
                 WHERE job = 'seconds'";
    assert_eq!(house.number(span).await, 0);
    let requests = house.im.requests().len();
    assert!(requests < 100, "{requests} requests");
    let unexplained = "SELECT count(*) FROM fires WHERE decision = 'missed' AND reason IS NULL";
    assert_eq!(house.number(unexplained).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_media_are_still_fetched_was_not_begun_whether_the_daemon_is_killed_or_stopped() {
    let picture = b"\x89PNG\r\n\x1a\n then whatever";
    for is_killed in [true, false] {
        let house = House::new().await;
        let gate = Arc::new(Notify::new());
        house.im.on("/slow.png", Answer::text(200, picture).header("content-type", "image/png").held(&gate));
        let image = house.im.url("/slow.png");
        house.configure(
            "",
            &format!("  - {{name: once, every: 1h, push: {{im: hook, group: 1, image: \"{image}\"}}}}\n"),
        );
        let yaml = std::fs::read_to_string(house.dir.path().join("jobs.yaml")).unwrap();
        house.write(&yaml.replace("timezone: UTC", "timezone: UTC, media_allow_private: true"));
        let mut daemon = house.daemon().await;
        assert_eq!(house.ends(&["fire", "once"]).await.0, Some(0));
        let asked = |path: &str| house.im.requests().iter().filter(|request| request.path == path).count();
        until("the picture is asked for", async || asked("/slow.png") == 1).await;
        if is_killed {
            daemon.child.kill().await.unwrap();
        } else {
            daemon.stop().await;
            assert_eq!(house.rows("SELECT state, attempts FROM pushes").await, [["pending", "0"]]);
        }
        house.im.on("/slow.png", Answer::text(200, picture).header("content-type", "image/png"));
        let mut daemon = house.daemon().await;
        house.until_at_least(1, SENT).await;
        daemon.stop().await;
        assert_eq!(house.rows("SELECT state, attempts FROM pushes").await, [["sent", "1"]]);
        assert_eq!(asked("/hook"), 1);
    }
}
