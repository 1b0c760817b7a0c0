//! Every page, asked again and again over a history of very many pushes.

use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::{Connection, OptionalExtension};

use super::harness::{Sink, median, option};
use super::scenarios::{Daemon, sleep};
use super::site::Site;
use super::{now_ms, number};

/// How often each page is asked.
const ROUNDS: usize = 8;
/// Each may read ten times a second, and try six texts a minute.
const USERS: usize = 2;
/// Jobs of the history, as `benches/history.sql` has them.
const JOBS: usize = 1000;
/// Behind the strip of a job's days, the longest that a chart shows.
const CHARTED_DAYS: i64 = 92;

/// A request for a page, and how long each answer took.
struct Page {
    name: &'static str,
    method: &'static str,
    path: String,
    body: String,
    status: u16,
    bytes: usize,
    took_ms: Vec<f64>,
}

/// `pages FILE`: every page eight times, over the database in the file. Where there is none it is made, with a history of
/// `--pushes` that ends now.
pub(crate) fn read(arguments: &[String]) {
    let path = arguments
        .get(1)
        .filter(|path| !path.starts_with("--"))
        .expect("pages FILE: the database, or where to make one");
    let path = std::path::absolute(path).unwrap();
    let pause: f64 = option(arguments, "--pause").map_or(0.4, |text| number(&text));
    let dir = tempfile::tempdir().unwrap();
    let (sink, site) = (Sink::start(), Site::of(USERS));
    if !path.exists() {
        fill(&path, option(arguments, "--pushes").map_or(10_000_000, |text| number(&text)), dir.path(), &sink.url);
    }
    only_what_is_charted(&path);
    std::fs::write(dir.path().join("jobs.yaml"), site.switch_on(&files(&path, &sink.url, JOBS))).unwrap();
    let mut daemon = Daemon::start(dir.path());
    daemon.read_no_more();
    site.wait_until_it_listens();
    wait_for_figures(&path);
    let cookies: Vec<String> = (0..USERS).map(|user| site.sign_in(user)).collect();
    let mut pages = all(&path, &site, &cookies[0]);
    for round in 0..ROUNDS {
        for page in &mut pages {
            sleep(pause);
            page.ask(&site, &cookies[round % USERS]);
        }
    }
    print(&path, &pages);
}

fn print(path: &Path, pages: &[Page]) {
    let rows = Connection::open(path).unwrap();
    let last = |table: &str| -> i64 {
        rows.query_row(&format!("SELECT coalesce(max(id), 0) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    println!("{} pages, {ROUNDS} times each, over {} pushes of {JOBS} jobs\n", pages.len(), last("pushes"));
    println!("| page | status | KB | median, ms | worst, ms |\n|---|---|---|---|---|");
    for page in pages {
        let (middle, _, worst) = median(page.took_ms.iter().copied());
        println!("| {} | {} | {} | {middle:.1} | {worst:.1} |", page.name, page.status, page.bytes / 1024);
    }
    let (middle, _, worst) = median(pages.iter().flat_map(|page| page.took_ms.iter().copied()));
    println!("| **all** | | | {middle:.1} | {worst:.1} |");
}

impl Page {
    fn get(name: &'static str, path: impl Into<String>) -> Page {
        Page { name, method: "GET", path: path.into(), body: String::new(), status: 0, bytes: 0, took_ms: Vec::new() }
    }

    fn ask(&mut self, site: &Site, cookie: &str) {
        let form = "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let fields = if self.method == "POST" { format!("{cookie}{form}") } else { cookie.to_owned() };
        let answer = site.ask(self.method, &self.path, &fields, &self.body);
        // 503 is a page too: it says which filter would help.
        assert!([200, 503].contains(&answer.status), "{}: {} {}", self.name, answer.status, answer.body);
        (self.status, self.bytes) = (self.status.max(answer.status), answer.body.len());
        self.took_ms.push(answer.took_ms);
    }
}

/// What there is to see, with the names and numbers of the history in it.
fn all(path: &Path, site: &Site, cookie: &str) -> Vec<Page> {
    let rows = Connection::open(path).unwrap();
    let one =
        |sql: &str| -> String { rows.query_row(sql, [], |row| row.get(0)).optional().unwrap().unwrap_or_default() };
    let sent = one(
        "SELECT CAST(max(id) AS TEXT) FROM (SELECT id FROM pushes ORDER BY id DESC LIMIT 10000) WHERE id % 1000 = 500",
    );
    let unknown = one("SELECT CAST(id AS TEXT) FROM pushes WHERE state = 'unknown' ORDER BY id DESC LIMIT 1");
    let newest = one("SELECT due_at FROM fires ORDER BY id DESC LIMIT 1");
    let middle = one("SELECT due_at FROM fires WHERE id >= (SELECT max(id) / 2 FROM fires) ORDER BY id LIMIT 1");
    let fired = one("SELECT due_at FROM fires WHERE job = 'job-500' ORDER BY due_at DESC LIMIT 1");
    let day = |at: &str| at.get(..10).unwrap_or_default().to_owned();
    let until = format!("/pushes?until={}", day(&middle));
    let deep = older(&site.ask("GET", &until, cookie, "").body).unwrap_or_else(|| until.clone());
    let text = "jobs:\n  - {name: tea, cron: \"0 15 * * *\", push: {im: qq, group: \"1\", text: Tea}}\n";
    let mut tried = Page::get("Try, a text tried", "/try");
    (tried.method, tried.body) = ("POST", format!("text={}", utf8_percent_encode(text, NON_ALPHANUMERIC)));
    vec![
        Page::get("Now", "/"),
        Page::get("Jobs", "/jobs"),
        Page::get(
            "Jobs, the second page",
            older(&site.ask("GET", "/jobs", cookie, "").body).expect("more jobs than one page holds"),
        ),
        Page::get("a job", "/jobs/job-500"),
        Page::get("a job, why it fired", format!("/jobs/job-500?at={fired}")),
        Page::get("a job, why it did not", format!("/jobs/job-500?at={}T12:34:56", day(&middle))),
        Page::get("Pushes", "/pushes"),
        Page::get("Pushes of a job", "/pushes?job=job-500"),
        Page::get("Pushes of a job on a day", format!("/pushes?job=job-500&since={0}&until={0}", day(&newest))),
        Page::get("Pushes, failed", "/pushes?state=failed"),
        Page::get("Pushes, unknown", "/pushes?state=unknown"),
        Page::get("Pushes of an im", "/pushes?im=telegram"),
        Page::get("Pushes of an account", "/pushes?account=bot_3"),
        Page::get("Pushes of a rare account", "/pushes?im=rare&account=rarebot"),
        Page::get("Pushes to a target", "/pushes?target=group%3A7"),
        Page::get("Pushes until half of them", until),
        Page::get("Pushes, the page behind", deep),
        Page::get("Pushes, none fits", "/pushes?im=rare&account=bot_1"),
        Page::get("a push", format!("/pushes/{sent}")),
        Page::get("an unknown push", format!("/pushes/{unknown}")),
        Page::get("Accounts", "/accounts"),
        Page::get("Figures", "/figures"),
        Page::get("Try", "/try"),
        tried,
        Page::get("Acts", "/acts"),
        Page::get("Acts on a job", "/acts?job=job-500"),
    ]
}

/// Where the button for older lines leads.
fn older(page: &str) -> Option<String> {
    let place = page.split("rel=\"next\" href=\"").nth(1)?.split('"').next()?;
    Some(place.replace("&#38;", "&").replace("&amp;", "&"))
}

/// So many jobs over this database, and the accounts that the history names.
fn files(path: &Path, url: &str, jobs: usize) -> String {
    let account = |id: &str, im: &str| format!("  - {{id: {id}, im: {im}, sender: webhook, url: \"{url}\"}}\n");
    let accounts = [
        ("bot_0", "qq"),
        ("bot_1", "wechat"),
        ("bot_2", "telegram"),
        ("bot_3", "telegram"),
        ("bot_4", "qq"),
        ("rarebot", "rare"),
    ];
    let accounts: String = accounts.iter().map(|(id, im)| account(id, im)).collect();
    // Nothing is pruned while pages are read.
    let daemon = format!("daemon: {{database: {}, timezone: UTC, keep_history: 36500d}}\n", path.display());
    let job = |id| {
        format!(
            "  - {{name: job-{id:03}, every: 7000s, push: {{im: qq, group: \"{id}\", text: Today's tasks are complete}}}}\n"
        )
    };
    let jobs: String = (0..jobs).map(job).collect();
    let jobs = if jobs.is_empty() { "  []\n".to_owned() } else { jobs };
    format!("{daemon}accounts:\n{accounts}jobs:\n{jobs}")
}

/// `benches/history.sql` into a database that the daemon has made, so that its last instant lies just behind.
fn fill(path: &PathBuf, pushes: u64, dir: &Path, url: &str) {
    std::fs::write(dir.join("jobs.yaml"), files(path, url, 0)).unwrap();
    Daemon::start(dir).stop();
    let now_s = (now_ms() / 1000.0) as i64;
    let next = jiff::Timestamp::from_second((now_s / 7000 + 1) * 7000).unwrap();
    let sql = include_str!("../history.sql")
        .replace("10000000", &pushes.to_string())
        .replace("1696118400", &(now_s - 7 * pushes as i64).to_string())
        .replace("2023-10-01T00:00:00.000Z", "1990-01-01T00:00:00.000Z")
        .replace("2026-01-01T09:00:00.000Z", &format!("{next:.3}"));
    Connection::open(path).unwrap().execute_batch(&sql).unwrap();
}

/// As if the daemon had been there all the time: figures are made hour by hour, with pauses, and nobody waits here for years of them
/// that no page shows.
fn only_what_is_charted(path: &Path) {
    let from = jiff::Timestamp::from_second((now_ms() / 3_600_000.0) as i64 * 3600 - CHARTED_DAYS * 86_400).unwrap();
    let sql = "INSERT INTO meta (key, value) VALUES ('figures_until', ?1), ('figures_again_until', ?1) ON CONFLICT DO NOTHING";
    Connection::open(path).unwrap().execute(sql, [format!("{from:.3}")]).unwrap();
}

/// Until the hours of the history are made, and made again: five minutes after their end, and a day later.
fn wait_for_figures(path: &Path) {
    let rows = Connection::open(path).unwrap();
    let made = |key: &str| -> String {
        rows.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).unwrap()
    };
    let due = |days: i64| {
        let hour = ((now_ms() / 1000.0) as i64 - 300 - days * 86_400) / 3600 * 3600;
        format!("{:.3}", jiff::Timestamp::from_second(hour).unwrap())
    };
    let (mut before, mut since_ms) = (String::new(), now_ms());
    loop {
        let (until, again) = (made("figures_until"), made("figures_again_until"));
        if until >= due(0) && again >= due(1) {
            return eprintln!("figures are made until {until}");
        }
        if before != until {
            (before, since_ms) = (until, now_ms());
        }
        // The daemon looks every minute.
        assert!(now_ms() - since_ms < 300_000.0, "figures are made until {before}, and no further for five minutes");
        sleep(0.5);
    }
}
