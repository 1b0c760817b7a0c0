//! A directory with files and a database whose rows lie at fixed instants, and the program run in it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use pushcron::domain::job::DstGap;
use pushcron::domain::{
    Body, Database, Decision, Health, Job, Message, Misfire, Next, Outcome, Overlap, PushSpec, Reason, Report,
    RetryPolicy, Rule, Schedule, UtcMs,
};
use pushcron::store::{self, Access, AccountRow, AdHoc, Begin, Cursor, Finish, JobChange, NewFire, Store};
use tempfile::TempDir;

pub(crate) struct House {
    pub dir: TempDir,
}

/// What a run of the program left.
pub(crate) struct Told {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Told {
    /// Standard output of a run that must have gone well.
    #[track_caller]
    pub(crate) fn fine(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// Standard error of a run that must have ended with this code and said nothing else.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        self.err
    }
}

impl Told {
    /// Standard output of a run that must have ended with this code, which says it all.
    #[track_caller]
    pub(crate) fn refused_with_words(self, code: i32) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(code), ""), "{}", self.out);
        self.out
    }
}

impl From<Output> for Told {
    fn from(output: Output) -> Told {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Told { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl House {
    /// No files, no database.
    pub(crate) fn empty() -> House {
        House { dir: tempfile::tempdir().unwrap() }
    }

    /// A file `jobs.yaml`, and no database.
    pub(crate) fn with_file(yaml: &str) -> House {
        let house = House::empty();
        house.write("jobs.yaml", yaml);
        house
    }

    /// A file with one console account, and a database with a history.
    pub(crate) fn lived_in() -> House {
        let house = House::with_file(
            "daemon: {timezone: Asia/Shanghai}\naccounts: [{id: screen, sender: console, im: qq}]\njobs: []\n",
        );
        tokio::runtime::Runtime::new().unwrap().block_on(furnish(&house));
        house
    }

    /// As [`House::lived_in`], with a job `stray` that an earlier version took and that can reach nobody.
    pub(crate) fn with_a_stray_job() -> House {
        let house = House::lived_in();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store =
                store::open(&Database::at(house.path("pushcron.db")), Access::Daemon, at(3 * DAY)).await.unwrap();
            let mut stray = job("stray", "@daily", "Europe/Berlin");
            stray.push = vec![push("qq", "group:1"), push("telegram", "group:t.me/news")];
            load(&*store, &[(&stray, at(4 * DAY))]).await;
            store.close().await;
        });
        house
    }

    /// As [`House::lived_in`], with a job `held` that has fired twice, and of which no push is made yet: one fire waits for
    /// a list of days, one for its content.
    pub(crate) fn with_unmade_pushes() -> House {
        let house = House::lived_in();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store =
                store::open(&Database::at(house.path("pushcron.db")), Access::Daemon, at(3 * DAY)).await.unwrap();
            let mut held = job("held", "0 9 * * *", "Asia/Shanghai");
            held.push = vec![push("telegram", "group:9")];
            load(&*store, &[(&held, at(DAY))]).await;
            let calendar = Some("own: no list for 2026-01-06: held".into());
            let by_list = NewFire { is_held: true, calendar, ..new_fire(&held, at(DAY)) };
            assert!(record(&*store, by_list, &held, at(2 * DAY), at(DAY)).await.is_empty());
            let by_content = NewFire { is_held: true, ..new_fire(&held, at(2 * DAY)) };
            assert!(record(&*store, by_content, &held, at(36_500 * DAY), at(2 * DAY)).await.is_empty());
            store.close().await;
        });
        house
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The program with the house's file, none of the tester's settings, and these arguments.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_pushcron"));
        command.args(arguments);
        command
    }

    /// Some program in the house.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command.env_clear().env("PUSHCRON_CONFIG", "jobs.yaml").env("TZ", "UTC");
        command
    }

    /// Runs the program; `line` is split at blanks.
    pub(crate) fn run(&self, line: &str) -> Told {
        self.run_words(line.split_whitespace())
    }

    pub(crate) fn run_words<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Told {
        self.command(words).output().unwrap().into()
    }

    /// Runs the program with nobody to read what it prints.
    pub(crate) fn run_unread(&self, line: &str) -> Told {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.command(line.split_whitespace()).stdout(writer).output().unwrap().into()
    }

    /// Runs the program with its output on a disk that is full.
    pub(crate) fn run_on_a_full_disk(&self, line: &str) -> Told {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        self.command(line.split_whitespace()).stdout(full).output().unwrap().into()
    }

    /// The text without what differs from run to run.
    pub(crate) fn plain(&self, text: &str) -> String {
        text.replace(&*self.dir.path().to_string_lossy(), "HOUSE")
    }
}

/// 2026-01-05, a Monday, at nine in Shanghai.
const NINE: UtcMs = UtcMs(1_767_574_800_000);

/// So many milliseconds after nine.
fn at(ms: i64) -> UtcMs {
    UtcMs(NINE.0 + ms)
}

const DAY: i64 = 86_400_000;

fn push(im: &str, target: &str) -> PushSpec {
    PushSpec {
        im: im.to_owned(),
        target: target.parse().unwrap(),
        account: None,
        message: Message { title: None, body: Body::Text { text: "hello".to_owned() } },
        timeout: std::time::Duration::from_secs(15),
        retry: RetryPolicy::default().into(),
        render: None,
        list: None,
        fallback: Vec::new(),
    }
}

fn job(name: &str, cron: &str, timezone: &str) -> Job {
    Job {
        name: name.to_owned(),
        schedule: Schedule::Cron(cron.to_owned()),
        timezone: timezone.into(),
        enabled: true,
        push: vec![push("qq", "group:123456")],
        content_from: None,
        misfire: Misfire::default(),
        overlap: Overlap::Allow,
        dst_gap: DstGap::Fire,
        days: None,
        life: None,
    }
}

/// Four days of history of three jobs, and a push outside any job.
async fn furnish(house: &House) {
    let store = store::open(&Database::at(house.path("pushcron.db")), Access::Daemon, at(-DAY)).await.unwrap();
    let daily = job("daily-report", "0 9 * * 1-5", "Asia/Shanghai");
    let mut morning = job("每日晨报", "30 8 * * *", "Asia/Shanghai");
    morning.push = vec![push("weixin", "user:张三@微信"), push("weixin", "user:李四")];
    let mut berlin = job("berlin", "@hourly", "Europe/Berlin");
    berlin.enabled = false;
    load(&*store, &[(&daily, at(0)), (&morning, at(-1_800_000)), (&berlin, at(0))]).await;

    // Monday: sent at the first try; two sent, one of them late.
    let id = fire(&*store, &daily, at(0), at(DAY)).await[0];
    attempt(&*store, id, "bot_qq_ops", Report::sent(Some("m-1".to_owned())), Next::Sent, (3, 41)).await;
    let ids = fire(&*store, &morning, at(-1_800_000), at(DAY - 1_800_000)).await;
    attempt(&*store, ids[0], "weixin_a", Report::sent(None), Next::Sent, (2, 30)).await;
    attempt(&*store, ids[1], "weixin_a", Report::sent(None), Next::Sent, (65_000, 65_200)).await;
    // Tuesday: nobody could be reached, then another account sent; what the platform says tries to forge lines.
    let id = fire(&*store, &daily, at(DAY), at(2 * DAY)).await[0];
    let refused = Report::failed(Outcome::Unreachable, "cannot connect: Connection refused");
    attempt(&*store, id, "bot_qq_ops", refused, retry(at(DAY + 5_000)), (4, 9)).await;
    attempt(&*store, id, "bot_qq_spare", Report::sent(Some("m-2".to_owned())), Next::Sent, (5_004, 5_090)).await;
    let ids = fire(&*store, &morning, at(DAY - 1_800_000), at(2 * DAY - 1_800_000)).await;
    let forged = Report::failed(Outcome::Rejected, "no such user\u{1b}[2J\n99  forged  sent").with_status(200);
    attempt(&*store, ids[0], "weixin_a", forged, Next::Failed { reason: Reason::Rejected }, (3, 50)).await;
    let lost = Report::failed(Outcome::Unknown, "the connection broke after the request had left");
    attempt(&*store, ids[1], "weixin_a", lost, Next::Unknown { reason: Reason::Unknown }, (4, 3_000)).await;
    // Wednesday: missed. Then the file changed, and a fire by hand waits for an account.
    let missed =
        NewFire { decision: Decision::Missed, reason: Some(Reason::MisfireLatest), ..new_fire(&daily, at(2 * DAY)) };
    record(&*store, missed, &daily, at(3 * DAY), at(2 * DAY + 7_200_000)).await;
    store.fire_by_hand("daily-report", at(3 * DAY + 1_234)).await.unwrap();
    store.set_paused("每日晨报", true, at(3 * DAY)).await.unwrap();
    let ad_hoc = AdHoc { spec: push("qq", "user:10001"), triggered_by: pushcron::domain::Trigger::Manual, chat: None };
    let id = store.push_ad_hoc(ad_hoc, at(3 * DAY + 60_000)).await.unwrap();
    let sent = Report::sent(Some("m-3".to_owned()));
    attempt(&*store, id, "bot_qq_ops", sent, Next::Sent, (7, 30)).await;
    store.record_accounts(accounts(), true).await.unwrap();
    store.close().await;
}

async fn load(store: &dyn Store, jobs: &[(&Job, UtcMs)]) {
    let change = |(job, next): &(&Job, UtcMs)| JobChange {
        job: (*job).clone(),
        definition_hash: 1,
        next_due_at: Some(*next),
        keeps_place: false,
        keeps_count: false,
        since: None,
        source: Default::default(),
    };
    store.apply_jobs(jobs.iter().map(change).collect(), vec![], at(-DAY)).await.unwrap();
}

fn new_fire(job: &Job, due_at: UtcMs) -> NewFire {
    NewFire {
        job: Arc::from(job.name.as_str()),
        due_at,
        decision: Decision::Fired,
        reason: None,
        count: 1,
        until_at: None,
        overlap: job.overlap,
        zone: Some(Arc::from(format!("{} 2026a", job.timezone))),
        calendar: None,
        is_held: false,
    }
}

async fn record(store: &dyn Store, fire: NewFire, job: &Job, next: UtcMs, now: UtcMs) -> Vec<i64> {
    let cursor = Cursor { job: Arc::from(job.name.as_str()), from: Some(fire.due_at), next_due_at: Some(next) };
    let recorded = store.record_fires(vec![fire], vec![cursor], now).await.unwrap();
    recorded.pushes.iter().map(|push| push.id).collect()
}

async fn fire(store: &dyn Store, job: &Job, due_at: UtcMs, next: UtcMs) -> Vec<i64> {
    record(store, new_fire(job, due_at), job, next, due_at).await
}

fn retry(at: UtcMs) -> Next {
    Next::Retry { at, reason: Reason::Unreachable }
}

/// An attempt that began and ended so many milliseconds after the push was due.
async fn attempt(
    store: &dyn Store,
    push_id: i64,
    account: &str,
    report: Report,
    next: Next,
    (began, ended): (i64, i64),
) {
    let open = store.open_pushes().await.unwrap().into_iter().find(|open| open.id == push_id).unwrap();
    let rule = if account == "bot_qq_spare" { Rule::FirstOnline } else { Rule::ImDefault };
    let begin = Begin { push_id, account: Arc::from(account), sender: "onebot11", rule };
    let due_at = open.due_at;
    let delivery = store.begin_attempts(vec![begin], UtcMs(due_at.0 + began)).await.unwrap().remove(0);
    let finish = Finish {
        push_id,
        number: delivery.attempt,
        report,
        next,
        started_at: UtcMs(due_at.0 + began),
        finished_at: UtcMs(due_at.0 + ended),
        health: None,
    };
    store.finish_attempts(vec![finish]).await.unwrap();
}

fn accounts() -> Vec<AccountRow> {
    let row = |id: &str, im: &str, sender: &str, is_default: bool, health: Health| AccountRow {
        id: id.to_owned(),
        im: im.to_owned(),
        sender: sender.to_owned(),
        is_default,
        health,
    };
    let checked_at = Some(at(3 * DAY));
    let up = Health { online: Some(true), sendable: Some(true), checked_at, ..Health::default() };
    let muted = Health { sendable: Some(false), last_error: Some("muted until tomorrow".to_owned()), ..up.clone() };
    let down = Health {
        online: Some(false),
        sendable: Some(false),
        last_error: Some("get_status: cannot connect: Connection refused (os error 111)".to_owned()),
        ..up.clone()
    };
    vec![
        row("bot_qq_ops", "qq", "onebot11", true, up),
        row("bot_qq_spare", "qq", "onebot11", false, down),
        row("weixin_a", "weixin", "ilink", true, muted),
        row("新账号", "telegram", "telegram", false, Health::default()),
    ]
}
