use super::*;
use crate::clock::{Clock, ManualClock};
use crate::domain::{Database, Health, Message, Next, Reason, Report as Answer, RetryPolicy, Rule, Target};
use crate::store::{self, Access, Begin, Finish, Settle};
use crate::texts::Language;

const START: UtcMs = UtcMs(1_767_229_200_000);

/// An alarm over a real store, and what it was wired to.
struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    store: SharedStore,
    alarm: Alarm,
    opened: mpsc::UnboundedReceiver<Event>,
}

fn account(id: &str, im: &str, is_default: bool) -> ReportAccount {
    ReportAccount { id: id.to_owned(), im: im.to_owned(), is_default }
}

fn push_to(im: &str, target: &str) -> PushSpec {
    PushSpec {
        im: im.to_owned(),
        target: Target::Group(target.to_owned()),
        account: None,
        message: Message { title: None, body: Body::Text { text: "told".to_owned() } },
        timeout: Duration::from_secs(5),
        retry: RetryPolicy::default().into(),
        render: None,
        list: None,
        fallback: Vec::new(),
    }
}

fn settings(on_failure: Option<OnFailure>) -> Settings {
    let accounts = vec![account("bot", "qq", true), account("spare", "qq", false), account("pager", "tg", false)];
    Settings { on_failure, accounts, zone: TimeZone::UTC, language: Language::English, lists: BTreeMap::new() }
}

fn by_push(im: &str) -> Option<OnFailure> {
    Some(OnFailure { push: Some(push_to(im, "ops")), command: None, every: Duration::from_secs(600), as_root: false })
}

impl Bench {
    async fn new(on_failure: Option<OnFailure>) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(START);
        Bench::over(dir, clock, on_failure).await
    }

    async fn over(dir: tempfile::TempDir, clock: Arc<ManualClock>, on_failure: Option<OnFailure>) -> Bench {
        let store =
            store::open(&Database::at(dir.path().join("pushcron.db")), Access::Daemon, clock.now()).await.unwrap();
        let (dispatcher, opened) = mpsc::unbounded_channel();
        let since = clock.now();
        let alarm = Alarm::new(settings(on_failure), store.clone(), clock.clone(), dispatcher, since).await.unwrap();
        Bench { dir, clock, store, alarm, opened }
    }

    async fn restart(self, on_failure: Option<OnFailure>) -> Bench {
        self.store.close().await;
        drop(self.alarm);
        Bench::over(self.dir, self.clock, on_failure).await
    }

    /// A push to a place of no report that ends like this.
    async fn ended(&self, next: Next) -> i64 {
        self.ended_at("123", next).await
    }

    async fn ended_at(&self, target: &str, next: Next) -> i64 {
        self.ended_then(target, next, self.clock.now()).await
    }

    /// Recorded now, however long ago it ended.
    async fn ended_then(&self, target: &str, next: Next, finished_at: UtcMs) -> i64 {
        let now = self.clock.now();
        let push = AdHoc { spec: push_to("qq", target), triggered_by: Trigger::Manual, chat: None };
        let push_id = self.store.push_ad_hoc(push, now).await.unwrap();
        let begin = Begin { push_id, account: Arc::from("bot"), sender: "console", rule: Rule::ImDefault };
        let number = self.store.begin_attempts(vec![begin], now).await.unwrap()[0].attempt;
        let report = Answer::failed(Outcome::Rejected, "the group is muted");
        let finish = Finish { push_id, number, report, next, started_at: finished_at, finished_at, health: None };
        self.store.finish_attempts(vec![finish]).await.unwrap();
        push_id
    }

    async fn fails(&self) -> i64 {
        self.ended(Next::Failed { reason: Reason::Rejected }).await
    }

    fn hears(&mut self, account: &str, up: bool) {
        self.hears_of(
            account,
            Health {
                online: Some(up),
                sendable: Some(up),
                last_error: (!up).then(|| "token refused".to_owned()),
                ..Health::default()
            },
        );
    }

    fn attempts(&self, account: &str, outcome: &Outcome) {
        self.alarm.handle().observe(EngineEvent::Attempt { im: "qq", account, outcome, lateness: None });
    }

    fn hears_of(&mut self, account: &str, health: Health) {
        self.alarm.handle().observe(EngineEvent::Account { im: "qq", account, health: &health });
        while let Ok(input) = self.alarm.inbox.try_recv() {
            self.alarm.on_input(input);
        }
    }

    async fn looks_after(&mut self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.alarm.look().await.unwrap();
    }

    /// What went out since the last time this was asked: each report's text and the account it is pinned to.
    async fn pushed(&mut self) -> Vec<(String, Option<String>)> {
        let mut reports = Vec::new();
        while let Ok(event) = self.opened.try_recv() {
            let Event::Opened(opened) = event else { panic!("only pushes are opened") };
            for push in opened {
                assert_eq!((push.target.to_string(), push.job), ("group:ops".to_owned(), None));
                let begin =
                    Begin { push_id: push.id, account: Arc::from("pager"), sender: "console", rule: Rule::ImDefault };
                let delivery = self.store.begin_attempts(vec![begin], self.clock.now()).await.unwrap().remove(0);
                let Body::Text { text } = delivery.message.body else { panic!("a report is a text") };
                reports.push((text, push.account));
            }
        }
        reports
    }

    /// The one report that went out.
    async fn report(&mut self) -> String {
        let mut reports = self.pushed().await;
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports.remove(0).0
    }
}

#[tokio::test]
async fn what_ends_badly_is_told_at_once_and_what_follows_is_grouped() {
    let mut bench = Bench::new(by_push("tg")).await;
    bench.looks_after(5).await;
    assert!(bench.pushed().await.is_empty(), "nothing happened");

    let id = bench.fails().await;
    bench.looks_after(2).await;
    let report = bench.report().await;
    assert!(report.contains(": 1 failed\n"), "{report}");
    assert!(report.contains(&format!("through bot: the group is muted (push {id})")), "{report}");

    bench.looks_after(5).await;
    bench.fails().await;
    bench.ended(Next::Unknown { reason: Reason::Unknown }).await;
    bench.ended(Next::Sent).await;
    bench.looks_after(60).await;
    assert!(bench.pushed().await.is_empty(), "within the time of one report");
    bench.looks_after(540).await;
    let report = bench.report().await;
    assert!(report.contains(": 1 failed, 1 unknown\n"), "{report}");
    bench.looks_after(3600).await;
    assert!(bench.pushed().await.is_empty(), "told once");
}

#[tokio::test]
async fn a_burst_is_one_report_that_names_a_few() {
    let mut bench = Bench::new(by_push("tg")).await;
    for _ in 0..25 {
        bench.fails().await;
    }
    bench.looks_after(2).await;
    let report = bench.report().await;
    assert!(report.contains(": 25 failed\n") && report.contains("and 15 more"), "{report}");
    assert_eq!(report.matches("the group is muted").count(), 10);
}

#[tokio::test]
async fn an_account_that_goes_down_and_comes_back_is_told_twice() {
    let mut bench = Bench::new(by_push("tg")).await;
    bench.hears("bot", true);
    bench.looks_after(2).await;
    assert!(bench.pushed().await.is_empty());
    bench.hears("bot", false);
    bench.looks_after(2).await;
    let report = bench.report().await;
    assert!(report.contains("account bot cannot send: token refused"), "{report}");

    // It is told again neither by later probes nor after a restart.
    bench.hears("bot", false);
    let mut bench = bench.restart(by_push("tg")).await;
    bench.hears("bot", false);
    bench.looks_after(700).await;
    assert!(bench.pushed().await.is_empty());
    bench.hears("bot", true);
    bench.looks_after(2).await;
    let report = bench.report().await;
    assert!(report.contains("account bot can send again"), "{report}");
}

#[tokio::test]
async fn what_a_dead_process_did_not_tell_is_told_by_the_next() {
    let mut bench = Bench::new(by_push("tg")).await;
    bench.fails().await;
    bench.looks_after(2).await;
    bench.report().await;
    bench.clock.advance(Duration::from_secs(5));
    let id = bench.fails().await;
    bench.clock.advance(Duration::from_secs(5));
    let mut bench = bench.restart(by_push("tg")).await;
    bench.looks_after(2).await;
    let report = bench.report().await;
    assert!(report.contains(&format!("(push {id})")) && report.contains(": 1 failed\n"), "{report}");
}

#[tokio::test]
async fn an_end_that_is_recorded_late_is_told_all_the_same() {
    let mut bench = Bench::new(by_push("tg")).await;
    bench.fails().await;
    bench.looks_after(2).await;
    bench.report().await;
    // The database could not be written for a while: what ended before the last report is recorded after it.
    let failed = Next::Failed { reason: Reason::Rejected };
    let id = bench.ended_then("123", failed, START - Duration::from_secs(60)).await;
    bench.looks_after(700).await;
    let report = bench.report().await;
    assert!(report.contains(&format!("(push {id})")) && report.contains(": 1 failed\n"), "{report}");
}

#[tokio::test]
async fn a_kill_between_the_report_and_the_note_of_it_makes_no_second_report() {
    let mut bench = Bench::new(by_push("tg")).await;
    let id = bench.fails().await;
    let ends = bench.store.bad_ends(0, None, None, TOLD_SINGLY).await.unwrap();
    let report = bench.alarm.channels[&Channel::Push].log.report(ends, &BTreeMap::new(), Date::constant(2026, 1, 1));
    // All that a look does before it would note the report for itself.
    let on_failure = by_push("tg").unwrap().push.unwrap();
    assert!(bench.alarm.push(&on_failure, "it failed", &report, bench.clock.now()).await.unwrap(), "push {id}");
    let mut bench = bench.restart(by_push("tg")).await;
    bench.looks_after(700).await;
    assert!(bench.pushed().await.is_empty(), "told by the process before");
}

#[tokio::test]
async fn what_ended_before_the_first_report_is_told_after_a_crash() {
    let mut bench = Bench::new(by_push("tg")).await;
    bench.alarm.look().await.unwrap();
    bench.clock.advance(Duration::from_secs(5));
    let id = bench.fails().await;
    bench.clock.advance(Duration::from_secs(5));
    let mut bench = bench.restart(by_push("tg")).await;
    bench.looks_after(2).await;
    assert!(bench.report().await.contains(&format!("(push {id})")));
}

#[tokio::test]
async fn a_clock_that_is_put_back_makes_nothing_told_twice_and_nothing_silent() {
    let mut bench = Bench::new(by_push("tg")).await;
    bench.fails().await;
    bench.looks_after(2).await;
    bench.report().await;
    bench.clock.step_wall_to(START - Duration::from_secs(3600));
    bench.looks_after(700).await;
    assert!(bench.pushed().await.is_empty());
    let id = bench.fails().await;
    bench.looks_after(2).await;
    assert!(bench.report().await.contains(&format!("(push {id})")));
    bench.looks_after(7200).await;
    assert!(bench.pushed().await.is_empty(), "told once");
}

#[tokio::test]
async fn a_push_that_is_retried_by_hand_and_fails_again_is_told_again() {
    let mut bench = Bench::new(by_push("tg")).await;
    let id = bench.fails().await;
    bench.looks_after(2).await;
    bench.report().await;
    for _ in 0..2 {
        bench.store.retry(id, bench.clock.now()).await.unwrap();
        bench.store.settle(vec![Settle::of(id, Next::Expired { reason: Reason::TooLate })], START).await.unwrap();
    }
    bench.looks_after(700).await;
    let report = bench.report().await;
    assert!(report.contains(": 1 expired\n"), "{report}");
}

#[tokio::test]
async fn history_from_before_on_failure_was_set_is_not_told() {
    let mut bench = Bench::new(None).await;
    bench.fails().await;
    bench.looks_after(5).await;
    bench.alarm.on_input(Input::Settings(Box::new(settings(by_push("tg")))));
    bench.looks_after(5).await;
    assert!(bench.pushed().await.is_empty());
    bench.fails().await;
    bench.looks_after(2).await;
    bench.report().await;
}

#[tokio::test]
async fn a_report_that_fails_is_not_reported() {
    let mut bench = Bench::new(by_push("qq")).await;
    bench.ended_at("ops", Next::Failed { reason: Reason::Rejected }).await;
    bench.looks_after(5).await;
    assert!(bench.pushed().await.is_empty());
    bench.fails().await;
    bench.looks_after(2).await;
    assert!(bench.report().await.contains(": 1 failed\n"));
}

#[tokio::test]
async fn what_a_person_resolved_is_not_told() {
    let mut bench = Bench::new(by_push("tg")).await;
    let id = bench.ended(Next::Unknown { reason: Reason::Unknown }).await;
    bench.store.resolve(id, false, bench.clock.now()).await.unwrap();
    bench.looks_after(5).await;
    assert!(bench.pushed().await.is_empty());
}

#[tokio::test]
async fn a_report_never_goes_through_an_account_in_trouble() {
    let mut bench = Bench::new(by_push("qq")).await;
    bench.hears("bot", false);
    bench.looks_after(2).await;
    let [(report, pinned)] = &bench.pushed().await[..] else { panic!("one report") };
    assert!(report.contains("bot is down"), "{report}");
    assert_eq!(pinned.as_deref(), Some("spare"));

    // With the spare one gone too, it waits; nothing is lost meanwhile.
    bench.fails().await;
    for _ in 0..14 {
        bench.attempts("spare", &Outcome::Unknown);
        bench.looks_after(50).await;
        assert!(bench.pushed().await.is_empty());
    }
    bench.hears("bot", true);
    bench.looks_after(2).await;
    let [(report, pinned)] = &bench.pushed().await[..] else { panic!("one report") };
    assert!(report.contains(": 1 failed, bot is up again\n"), "{report}");
    assert_eq!(pinned.as_deref(), Some("bot"));
}

#[tokio::test]
async fn an_unclear_answer_keeps_reports_from_an_account_for_a_minute_and_not_for_ever() {
    let mut bench = Bench::new(by_push("tg")).await;
    bench.attempts("pager", &Outcome::Unknown);
    bench.fails().await;
    bench.looks_after(50).await;
    assert!(bench.pushed().await.is_empty());
    bench.looks_after(20).await;
    assert_eq!(bench.pushed().await.len(), 1);

    // One that was down and cannot be asked is tried as well.
    bench.hears("pager", false);
    bench.looks_after(700).await;
    assert!(bench.pushed().await.is_empty());
    bench.hears_of("pager", Health::default());
    bench.looks_after(50).await;
    assert!(bench.pushed().await.is_empty());
    bench.looks_after(20).await;
    assert_eq!(bench.pushed().await.len(), 1);
}

#[test]
fn the_account_for_a_report_is_the_named_one_or_one_that_works() {
    let accounts = [account("a", "qq", false), account("b", "qq", true), account("c", "qq", false)];
    let some = |id: &str| Some(Some(id.to_owned()));
    // In trouble, named, then: None nobody, Some(None) whoever the rules choose, or the pinned one.
    let rows: [(&[&str], Option<&str>, Option<Option<String>>); 8] = [
        (&[], None, Some(None)),
        (&["elsewhere"], None, Some(None)),
        (&["a"], None, some("b")),
        (&["b"], None, some("a")),
        (&["a", "b"], None, some("c")),
        (&["a", "b", "c"], None, None),
        (&["a"], Some("b"), some("b")),
        (&["b"], Some("b"), None),
    ];
    for (unhealthy, named, expected) in rows {
        let push = PushSpec { account: named.map(str::to_owned), ..push_to("qq", "ops") };
        let in_trouble = unhealthy.iter().map(|&id| id.to_owned()).collect();
        assert_eq!(report_account(&push, &accounts, &in_trouble), expected, "{unhealthy:?} {named:?}");
    }
}

#[tokio::test]
async fn a_command_gets_the_report_and_gets_it_again_if_it_failed() {
    let dir = tempfile::tempdir().unwrap();
    let (got, broken) = (dir.path().join("got"), dir.path().join("broken"));
    std::fs::write(&broken, "").unwrap();
    let script = format!("test ! -e {} && cat >> {}", broken.display(), got.display());
    let command = Some(["/bin/sh", "-c", &script].map(str::to_owned).to_vec());
    let on_failure = OnFailure { push: None, command, every: Duration::from_secs(60), as_root: true };
    let mut bench = Bench::new(Some(on_failure)).await;
    bench.fails().await;
    bench.looks_after(2).await;
    assert!(!got.exists());
    std::fs::remove_file(&broken).unwrap();
    bench.looks_after(2).await;
    assert!(!got.exists(), "at most one try in a minute");
    bench.looks_after(60).await;
    let report = std::fs::read_to_string(&got).unwrap();
    assert!(report.ends_with('\n') && !report.ends_with("\n\n"), "the next one begins on a line of its own");
    assert!(report.contains(": 1 failed\n"), "{report}");
    bench.looks_after(60).await;
    assert_eq!(std::fs::read_to_string(&got).unwrap(), report, "told once");
}

#[tokio::test]
async fn a_list_of_days_that_ends_is_told_once_a_day_also_over_a_restart() {
    let mut bench = Bench::new(by_push("tg")).await;
    let lists = BTreeMap::from([("cn".to_owned(), "2026-01-12".parse().unwrap())]);
    bench.alarm.settings.lists = lists.clone();
    bench.looks_after(5).await;
    let report = bench.report().await;
    assert!(report.contains("the calendar cn ends on 2026-01-12"), "{report}");
    let mut bench = bench.restart(by_push("tg")).await;
    bench.alarm.settings.lists = lists;
    bench.looks_after(3600).await;
    assert!(bench.pushed().await.is_empty(), "the same day");
    bench.looks_after(86_400).await;
    assert!(bench.report().await.contains("cn ends"));
}
