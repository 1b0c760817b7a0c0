//! What the store costs: `cargo bench --bench store`.
//!
//! Each figure is the time for all rows through the public verbs, every commit durable (`synchronous=FULL`), on a
//! file in the working directory's `target/`.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pushcron::clock::{Clock, SystemClock};
use pushcron::domain::{
    Body, Database, Decision, Job, Message, Misfire, Next, Overlap, PushSpec, PushState, Report, RetryPolicy, Rule,
    Schedule, Trigger, UtcMs,
};
use pushcron::store::{self, Access, AdHoc, Begin, Cursor, Filter, Finish, JobChange, NewFire, Store, View};

const START: UtcMs = UtcMs(1_767_258_000_000);

#[tokio::main]
async fn main() {
    let rows = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(10_000);
    if let Some(path) = std::env::args().skip_while(|word| word != "history").nth(1) {
        return history(&PathBuf::from(path)).await;
    }
    for chunk in [1000, 64] {
        println!("{rows} rows in calls of {chunk}");
        burst(rows, chunk).await;
    }
}

async fn burst(rows: usize, chunk: usize) {
    let path = PathBuf::from("target").join(format!("bench-store-{}.db", std::process::id()));
    let store = store::open(&Database::at(&path), Access::Daemon, START).await.expect("a database in target/");
    let clock = SystemClock::new();
    let mut busy = cpu();
    let mut step = |name: &str, since: Duration| {
        let took = clock.monotonic() - since;
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        println!("  {name:<28} {:>8.1} ms, {:>8.1} ms of processor", ms(took), ms(cpu() - busy));
        busy = cpu();
        clock.monotonic()
    };

    let mut since = clock.monotonic();
    let changes = (0..rows).map(|i| change(job(i))).collect();
    store.apply_jobs(changes, vec![], START).await.expect("jobs");
    since = step("apply_jobs, all at once", since);
    black_box(store.jobs().await.expect("jobs"));
    step("jobs", since);

    for round in 0..2 {
        let due = UtcMs(START.0 + round * 1000);
        since = clock.monotonic();
        let jobs: Vec<usize> = (0..rows).collect();
        let mut pushes = Vec::with_capacity(rows);
        for jobs in jobs.chunks(chunk) {
            let fires = jobs.iter().map(|i| fire(*i, due)).collect();
            let cursors = jobs.iter().map(|i| cursor(*i, due)).collect();
            pushes.extend(store.record_fires(fires, cursors, due).await.expect("fires").pushes);
        }
        assert_eq!(pushes.len(), rows);
        since = step("record_fires", since);
        black_box(store.open_pushes().await.expect("open pushes"));
        since = step("open_pushes", since);

        let mut deliveries = Vec::with_capacity(rows);
        for pushes in pushes.chunks(chunk) {
            let begins = pushes.iter().map(|push| begin(push.id)).collect();
            deliveries.extend(store.begin_attempts(begins, due).await.expect("attempts"));
        }
        assert_eq!(deliveries.len(), rows);
        since = step("begin_attempts", since);

        // The results of many workers queue up while a commit is on its way.
        let calls: Vec<_> = deliveries
            .chunks(chunk)
            .map(|deliveries| {
                let finishes: Vec<_> = deliveries.iter().map(|delivery| finish(delivery.push_id, due)).collect();
                let store = store.clone();
                tokio::spawn(async move { store.finish_attempts(finishes).await })
            })
            .collect();
        for call in calls {
            assert!(call.await.expect("no panic").expect("results").lost.is_empty());
        }
        since = step("finish_attempts, all queued", since);
        let filter = Filter { limit: Some(50), ..Filter::default() };
        black_box(store.view(View::PushHistory, &filter).await.expect("history"));
        step("a page of history", since);
    }
    let wal = std::fs::metadata(path.with_extension("db-wal")).map_or(0, |file| file.len());
    since = clock.monotonic();
    store.checkpoint().await.expect("checkpoint");
    step(&format!("checkpoint of {} MB", wal >> 20), since);
    store.close().await;
    println!("  file {} MB, peak memory {} MB", std::fs::metadata(&path).map_or(0, |file| file.len()) >> 20, peak_mb());
    for suffix in ["db", "db-wal", "db-shm"] {
        // Some of them are gone already.
        let _ = std::fs::remove_file(path.with_extension(suffix));
    }
}

/// `cargo bench --bench store -- history FILE`: a page by every filter, and steps of pruning, over a database that
/// is there already (`benches/history.sql` makes one), and what a push waits for while a day is pruned. Give it a copy:
/// pruning is real.
async fn history(path: &std::path::Path) {
    let clock = SystemClock::new();
    let store = store::open(&Database::at(path), Access::Write, START).await.expect("a database");
    let text = |text: &str| Some(text.to_owned());
    let page = || Filter { limit: Some(50), ..Filter::default() };
    let pages = [
        ("newest", View::PushHistory, page()),
        ("of a job", View::PushHistory, Filter { job: text("job-007"), ..page() }),
        ("of an im", View::PushHistory, Filter { im: text("qq"), ..page() }),
        ("of a rare im", View::PushHistory, Filter { im: text("rare"), ..page() }),
        ("of an account", View::PushHistory, Filter { account: text("bot_1"), ..page() }),
        ("of a rare account", View::PushHistory, Filter { account: text("rarebot"), ..page() }),
        ("failed", View::PushHistory, Filter { states: vec![PushState::Failed], ..page() }),
        ("unknown", View::PushHistory, Filter { states: vec![PushState::Unknown], ..page() }),
        ("until long ago", View::PushHistory, Filter { until: Some(UtcMs(1_700_100_000_000)), ..page() }),
        ("since the last", View::PushHistory, Filter { since: Some(START), ..page() }),
        ("due_pushes", View::DuePushes, page()),
        ("unknown_pushes", View::UnknownPushes, page()),
        ("failures_today", View::FailuresToday, page()),
        ("job_overview", View::JobOverview, page()),
        ("account_overview", View::AccountOverview, page()),
    ];
    for (name, view, filter) in pages {
        let mut times = Vec::new();
        for _ in 0..5 {
            let since = clock.monotonic();
            black_box(store.view(view, &filter).await.expect("a page"));
            times.push(clock.monotonic() - since);
        }
        times.sort();
        println!("  {name:<20} median {:>8.2?}, worst {:>8.2?}", times[2], times[4]);
    }
    println!("  a push: recorded, begun, finished");
    writes("alone", &*store, &clock, clock.sleep(Duration::from_secs(4))).await;
    let pruning = {
        let (store, clock) = (&store, &clock);
        async move {
            let mut gone = 0;
            while gone < A_DAY {
                let step = store.prune(START, PRUNED_AT_ONCE).await.expect("pruning");
                assert!(step.fires > 0, "the history is shorter than a day");
                gone += step.pushes;
                clock.sleep(Duration::from_millis(50)).await;
            }
        }
    };
    writes("beside pruning a day", &*store, &clock, pruning).await;
    store.close().await;
}

/// Pushes of a day in `benches/history.sql`.
const A_DAY: u64 = 86_400 / 7;
/// As the daemon does it (`src/daemon/retention.rs`), with a rest of 50 ms between the steps.
const PRUNED_AT_ONCE: u64 = 200;

/// Times all that the database does for one push, again and again while `meanwhile` runs.
async fn writes(name: &str, store: &dyn Store, clock: &SystemClock, meanwhile: impl Future<Output = ()>) {
    let mut times = Vec::new();
    let endless = async {
        loop {
            let now = clock.now();
            let since = clock.monotonic();
            let push = AdHoc { triggered_by: Trigger::Manual, chat: None, spec: job(0).push.remove(0) };
            let id = store.push_ad_hoc(push, now).await.expect("a push");
            store.begin_attempts(vec![begin(id)], now).await.expect("an attempt");
            store.finish_attempts(vec![finish(id, now)]).await.expect("a result");
            times.push(clock.monotonic() - since);
            clock.sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = meanwhile => {}
        () = endless => {}
    }
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("  {name:<20} median {median:>8.2?}, worst {worst:>8.2?}, {} pushes", times.len());
}

/// Processor time of this process so far, which a busy machine changes less than the time on the wall.
fn cpu() -> Duration {
    // SAFETY: getrusage fills the struct that it is given; all-zero is a valid one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |value: libc::timeval| Duration::new(value.tv_sec as u64, value.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// `VmHWM` of this process.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

fn name(i: usize) -> String {
    format!("job-{i:06}")
}

fn job(i: usize) -> Job {
    let text = format!("Today's tasks are complete, number {i}, and here is a line of the usual length.");
    Job {
        name: name(i),
        schedule: Schedule::Every(1000),
        timezone: "Asia/Shanghai".into(),
        enabled: true,
        push: vec![PushSpec {
            im: "qq".to_owned(),
            target: pushcron::domain::Target::Group(format!("{}", 100_000 + i)),
            account: None,
            message: Message { title: Some("Daily report".to_owned()), body: Body::Text { text } },
            timeout: Duration::from_secs(15),
            retry: RetryPolicy::default().into(),
            render: None,
            list: None,
            fallback: Vec::new(),
        }],
        content_from: None,
        misfire: Misfire::default(),
        overlap: Overlap::Allow,
        dst_gap: Default::default(),
        days: None,
        life: None,
    }
}

fn change(job: Job) -> JobChange {
    JobChange {
        job,
        definition_hash: 1,
        next_due_at: Some(START),
        keeps_place: false,
        keeps_count: false,
        since: None,
        source: Default::default(),
    }
}

fn fire(i: usize, due_at: UtcMs) -> NewFire {
    NewFire {
        job: Arc::from(name(i)),
        due_at,
        decision: Decision::Fired,
        reason: None,
        count: 1,
        until_at: None,
        overlap: Overlap::Allow,
        zone: Some(Arc::from("Asia/Shanghai 2026a")),
        calendar: None,
        is_held: false,
    }
}

fn cursor(i: usize, due_at: UtcMs) -> Cursor {
    Cursor { job: Arc::from(name(i)), from: Some(due_at), next_due_at: Some(UtcMs(due_at.0 + 1000)) }
}

fn begin(push_id: i64) -> Begin {
    Begin { push_id, account: Arc::from("bot_qq_ops"), sender: "onebot11", rule: Rule::ImDefault }
}

fn finish(push_id: i64, due: UtcMs) -> Finish {
    Finish {
        push_id,
        number: 1,
        report: Report::sent(Some(format!("{}", 700_000_000 + push_id))).with_status(200),
        next: Next::Sent,
        started_at: due,
        finished_at: UtcMs(due.0 + 3),
        health: None,
    }
}
