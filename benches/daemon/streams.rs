//! Pages that listen and a scraper, beside pushes that have nothing to do with them.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use super::harness::{self, Sink, median, option};
use super::scenarios::{Daemon, Lateness, next_second, sleep, ticking};
use super::site::{self, Site};
use super::{now_ms, number};

/// As many as there may be.
const STREAMS: usize = 16;
/// Each may read ten times a second.
const USERS: usize = 4;
const SCRAPES_A_SECOND: usize = 10;

/// Who is there beside the pushes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nobody,
    Listeners,
    /// Each hint has its page fetch itself anew, as the script of the page does.
    Pages,
}

const SPANS: [(Beside, &str); 3] = [
    (Beside::Nobody, "alone"),
    (Beside::Listeners, "16 streams and a scraper"),
    (Beside::Pages, "16 pages that renew themselves and a scraper"),
];

/// What a span came to.
struct Span {
    late: Lateness,
    hints: usize,
    renewed: usize,
    scraped: usize,
    refused: usize,
}

/// `streams`: a hundred pushes every second, alone, beside pages that listen and a scraper, and beside pages that renew themselves
/// too: in alternation, in one daemon.
pub(crate) fn beside(arguments: &[String]) {
    let get = |name, default| option(arguments, name).map_or(default, |text| number(&text));
    let (jobs, seconds, runs) = (get("--jobs", 100), get("--seconds", 30), get("--runs", 3));
    println!("{jobs} pushes every second, {seconds} s in each span; {runs} runs\n");
    println!(
        "| run | span | pushes | lost | p50, ms | p99, ms | most, ms | hints | pages renewed | scraped | refused |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let mut scene = Scene::new(jobs);
    let mut results: Vec<Vec<Lateness>> = SPANS.iter().map(|_| Vec::new()).collect();
    for run in 1..=runs {
        // Who goes first takes turns, as the machine's other work does not.
        for turn in 0..SPANS.len() {
            let which = (run + turn) % SPANS.len();
            let (beside, name) = SPANS[which];
            let Span { late, hints, renewed, scraped, refused } = scene.span(beside, seconds);
            let lost = (jobs * seconds).saturating_sub(late.count);
            println!(
                "| {run} | {name} | {} | {lost} | {:.2} | {:.2} | {:.2} | {hints} | {renewed} | {scraped} | {refused} |",
                late.count, late.p50, late.p99, late.most
            );
            results[which].push(late);
        }
    }
    println!("\n| span | p50, ms | p99, ms (min–max) | p99 to alone | most, ms |\n|---|---|---|---|---|");
    let of = |lates: &[Lateness], figure: fn(&Lateness) -> f64| median(lates.iter().map(figure));
    let alone = of(&results[0], |late| late.p99).0;
    for ((_, name), lates) in SPANS.iter().zip(&results) {
        let (p99, least, most) = of(lates, |late| late.p99);
        println!(
            "| {name} | {:.2} | {p99:.2} ({least:.2}–{most:.2}) | {:.2} | {:.2} |",
            of(lates, |late| late.p50).0,
            p99 / alone,
            of(lates, |late| late.most).2
        );
    }
}

struct Scene {
    _daemon: Daemon,
    _dir: tempfile::TempDir,
    sink: Sink,
    site: Arc<Site>,
    metrics: u16,
    cookies: Vec<String>,
}

impl Scene {
    fn new(jobs: usize) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let sink = Sink::start();
        let (site, metrics) = (Site::of(USERS), site::free_port());
        let head = site.switch_on(&harness::head(&sink.url, dir.path()));
        let head =
            head.replacen("timezone: UTC", &format!("timezone: UTC, metrics_listen: \"127.0.0.1:{metrics}\""), 1);
        std::fs::write(dir.path().join("jobs.yaml"), head + &(0..jobs).map(ticking).collect::<String>()).unwrap();
        let mut daemon = Daemon::start(dir.path());
        daemon.read_no_more();
        site.wait_until_it_listens();
        let cookies = (0..USERS).map(|user| site.sign_in(user)).collect();
        // What a start and its first seconds cost is another bench's matter.
        sleep(5.0);
        Scene { _daemon: daemon, _dir: dir, sink, site: Arc::new(site), metrics, cookies }
    }

    fn span(&mut self, beside: Beside, seconds: usize) -> Span {
        let company = (beside != Beside::Nobody).then(|| Company::gather(self, beside == Beside::Pages));
        // Rests of the span before, and the arrival of this one's, are over.
        let from_ms = next_second(2_000.0);
        let until_ms = from_ms + seconds as f64 * 1000.0;
        sleep((until_ms + 500.0 - now_ms()) / 1000.0);
        let counts = company.map(Company::send_home).unwrap_or_default();
        let late = Lateness::ask(&mut self.sink, from_ms, until_ms);
        let [hints, renewed, scraped, refused] = counts;
        Span { late, hints, renewed, scraped, refused }
    }
}

/// Those who listen and scrape, and what they count.
struct Company {
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    counts: Arc<[AtomicUsize; 4]>,
}

const HINTS: usize = 0;
const RENEWED: usize = 1;
const SCRAPED: usize = 2;
const REFUSED: usize = 3;

impl Company {
    fn gather(scene: &Scene, renews: bool) -> Company {
        let (is_over, counts): (Arc<AtomicBool>, Arc<[AtomicUsize; 4]>) = Default::default();
        let (mut streams, mut threads) = (Vec::new(), Vec::new());
        for number in 0..STREAMS {
            let cookie = scene.cookies[number % USERS].clone();
            let stream = scene.site.listen(&cookie);
            streams.push(stream.try_clone().unwrap());
            let (site, is_over, counts) = (scene.site.clone(), is_over.clone(), counts.clone());
            threads.push(std::thread::spawn(move || {
                hear(stream, &counts[HINTS], || {
                    if renews {
                        count(&counts, RENEWED, site.ask("GET", "/", &cookie, "").status);
                    }
                });
                assert!(is_over.load(Ordering::Relaxed), "a stream ended before its time");
            }));
        }
        let (site, metrics, over, counted) = (scene.site.clone(), scene.metrics, is_over.clone(), counts.clone());
        threads.push(std::thread::spawn(move || scrape(&site, metrics, &over, &counted)));
        Company { streams, threads, is_over, counts }
    }

    /// Ends all, and says what they counted.
    fn send_home(self) -> [usize; 4] {
        self.is_over.store(true, Ordering::Relaxed);
        for stream in &self.streams {
            stream.shutdown(Shutdown::Both).unwrap();
        }
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::array::from_fn(|which| self.counts[which].load(Ordering::Relaxed))
    }
}

fn count(counts: &[AtomicUsize; 4], what: usize, status: u16) {
    let what = if status == 200 { what } else { REFUSED };
    counts[what].fetch_add(1, Ordering::Relaxed);
}

/// Reads a stream of hints to its end.
fn hear(mut stream: TcpStream, hints: &AtomicUsize, mut on_a_hint: impl FnMut()) {
    let mut some = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut some) {
        // A hint is written at once.
        if some[..read].windows(14).any(|window| window == b"event: changed") {
            hints.fetch_add(1, Ordering::Relaxed);
            on_a_hint();
        }
    }
}

fn scrape(site: &Site, metrics: u16, is_over: &AtomicBool, counts: &[AtomicUsize; 4]) {
    let (bearer, since_ms) = (site.bearer(), now_ms());
    let paths = ["/metrics", "/api/v1/status", "/api/v1/pushes?limit=50"];
    for number in 0.. {
        let next_ms = since_ms + (number * 1000 / SCRAPES_A_SECOND) as f64;
        sleep(((next_ms - now_ms()) / 1000.0).max(0.0));
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let answer = match paths[number % paths.len()] {
            path @ "/metrics" => site::ask(metrics, "GET", path, "", ""),
            path => site.ask("GET", path, &bearer, ""),
        };
        count(counts, SCRAPED, answer.status);
    }
}
