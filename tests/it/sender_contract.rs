//! One list of calamities for every registered sender: whatever the network or the service does, the class is true to
//! what is known, nothing is called sent without the platform's own yes, and no secret shows.
//!
//! The suite walks the registry; a sender without a platform in `common/platforms.rs` fails it.

use std::time::Duration;

use crate::common::deliveries::{delivery, media, mixed, online, text, text_item, user};
use crate::common::fake_im::{Answer, FakeIm, Refused};
use crate::common::platforms::{CANARY, Platform};
use crate::common::senders::{Bench, extended};
use pushcron::domain::{Body, Delivery, Kind, Message, Outcome, Report, Support, Target};
use pushcron::senders::{SENDERS, Sender};
use serde_json::{Value, json};

/// A 2xx is its platform's yes, also where the body says nothing or breaks off.
const STATUS_IS_VERDICT: &str = "webhook";

/// The senders that speak HTTP, or the one that is asked for.
fn platforms() -> impl Iterator<Item = (&'static str, Platform)> {
    let wanted = std::env::var("PUSHCRON_SENDER").ok();
    let names = SENDERS.iter().map(|registered| registered.spec.name);
    let names = names.filter(move |name| wanted.as_deref().is_none_or(|wanted| wanted == *name));
    names.filter_map(|name| Some((name, Platform::of(name)?)))
}

/// The sender with every secret that it can have, and what it needs around it for as long as it lives.
fn sender(platform: &Platform, base: &str) -> (Box<dyn Sender>, Bench) {
    let bench = platform.bench(base);
    let url = format!("{base}/{CANARY}");
    let more: &[(&'static str, &str)] = match platform.sender {
        "dingtalk_robot" | "feishu_robot" => &[("secret", CANARY)],
        "webhook" => &[("token", CANARY)],
        "onebot11" => &[("url", &url)],
        _ => &[],
    };
    (bench.build(&extended(platform.account(base), more)), bench)
}

fn push(platform: &Platform, timeout: Duration) -> Delivery {
    let target = platform.target(true).or(platform.target(false)).unwrap();
    Delivery { timeout, ..text(target, "早报") }
}

/// A server on which all is well but for the call that sends.
async fn server(platform: &Platform, calamity: Option<Answer>) -> FakeIm {
    let im = platform.start().await;
    if let Some(calamity) = calamity {
        im.on(platform.decisive, calamity);
    }
    im
}

/// One push, and what must hold whatever happened: no secret shows, and a failure says why.
async fn send(platform: &Platform, base: &str, timeout: Duration) -> Report {
    let ((sender, _bench), delivery, name) = (sender(platform, base), push(platform, timeout), platform.sender);
    let sending = tokio::time::timeout(Duration::from_secs(60), sender.send(&delivery));
    let report = sending.await.unwrap_or_else(|_| panic!("{name} hangs"));
    let shown = format!("{report:?}");
    assert!(!shown.contains(CANARY), "{name} shows a secret: {shown}");
    assert!(!shown.contains(base), "{name} shows an address: {shown}");
    assert_eq!(report.error.is_none(), report.outcome == Outcome::Sent, "{name}: {shown}");
    report
}

const PATIENT: Duration = Duration::from_secs(8);
const IMPATIENT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn all_is_well_once() {
    for (name, platform) in platforms() {
        let im = server(&platform, None).await;
        let report = send(&platform, &im.url(""), PATIENT).await;
        assert_eq!(report.outcome, Outcome::Sent, "{name}: {report:?}");
        assert_eq!(im.requests_to(platform.decisive).len(), 1, "{name}: {:?}", im.paths());
    }
}

/// A text that the configuration let through, such as one whose only letters were taken out: a platform that was not
/// asked has said no yes.
#[tokio::test]
async fn nothing_is_called_sent_that_nobody_was_asked_to_send() {
    let mut wrong = Vec::new();
    for (name, platform) in platforms() {
        let mut asked = Vec::new();
        for empty in ["", " \n", "\u{200b}\u{feff} \u{2060}", "\u{3164}\u{ad}\n\u{2800}"] {
            let im = server(&platform, None).await;
            let (sender, _bench) = sender(&platform, &im.url(""));
            let text = Body::Text { text: empty.to_owned() };
            let message = Message { title: None, body: text };
            let report = sender.send(&Delivery { message, ..push(&platform, PATIENT) }).await;
            let is_asked = !im.requests_to(platform.decisive).is_empty();
            assert_eq!(report.outcome == Outcome::Sent, is_asked, "{name} of {empty:?}: {report:?}");
            assert!(is_asked || report.outcome == Outcome::Rejected, "{name} of {empty:?}: {report:?}");
            asked.push(is_asked);
        }
        if asked.iter().any(|is_asked| *is_asked != asked[0]) {
            wrong.push((name, asked));
        }
    }
    assert!(wrong.is_empty(), "what nobody can see is no more than an empty text: {wrong:?}");
}

/// Every cell of the table in `docs/senders/README.md`: what is native or falls back is sent to groups and users, and what
/// falls back says so.
#[tokio::test]
async fn every_kind_goes_out_to_groups_and_users_as_the_table_says() {
    for (name, platform) in platforms() {
        let spec = pushcron::senders::find(name).unwrap().spec;
        for (kind, to_group) in Kind::ALL.into_iter().flat_map(|kind| [(kind, true), (kind, false)]) {
            let (support, target) = ((spec.support)(kind, to_group), platform.target(to_group));
            assert_eq!(support.is_possible(), target.is_some(), "{name} {kind}: {support:?} or the platform is wrong");
            let Some(target) = target else { continue };
            let im = server(&platform, None).await;
            let (sender, bench) = sender(&platform, &im.url(""));
            let delivery = Delivery { target, timeout: Duration::from_secs(3600), ..sample(kind, &bench) };
            let report = tokio::select! {
                report = sender.send(&delivery) => report,
                () = let_time_pass(&bench) => panic!("{name} hangs with {kind}"),
            };
            assert_eq!(report.outcome, Outcome::Sent, "{name} {kind} to {}: {report:?}", delivery.target);
            match support {
                Support::Fallback(_) if kind == Kind::Mixed => assert!(report.parts.len() > 1, "{name}: {report:?}"),
                Support::Fallback(form) => assert!(report.note.is_some(), "{name} sends {kind} {form} and is silent"),
                Support::Native | Support::Refused(_) => {}
            }
        }
    }
}

/// Senders that pause between the parts of a message wait for this; it ends after an hour.
async fn let_time_pass(bench: &Bench) {
    let mut beat = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..3600 {
        beat.tick().await;
        bench.clock.advance(Duration::from_secs(1));
    }
}

/// A push of that kind, its media with an address too.
fn sample(kind: Kind, bench: &Bench) -> Delivery {
    let resolved = |name: &str, mime_type: &str, content: &[u8]| {
        online(bench.file(name, mime_type, content), &format!("https://example.com/{name}"))
    };
    let one = |body, name, mime_type| delivery(user("any"), body, vec![resolved(name, mime_type, b"some content")]);
    let image = || vec![resolved("a.png", "image/png", b"\x89PNG\r\n\x1a\n0")];
    match kind {
        Kind::Text => text(user("any"), "早报"),
        Kind::Image => delivery(user("any"), Body::Image(media()), image()),
        Kind::Voice => one(Body::Voice(media()), "a.wav", "audio/wav"),
        Kind::Video => one(Body::Video(media()), "a.mp4", "video/mp4"),
        Kind::File => one(Body::File(media()), "a.pdf", "application/pdf"),
        Kind::Mixed => mixed(user("any"), vec![text_item("early"), pushcron::domain::Item::Image(media())], image()),
    }
}

/// `simulate` takes the limits from the registry, the daemon from the sender.
#[test]
fn what_a_simulation_counts_is_what_the_sender_states() {
    let targets = [("group", "ops"), ("group", "party:1"), ("user", "lisi"), ("user", "a|b"), ("user", "@all")];
    let mut limited = Vec::new();
    for name in SENDERS.iter().map(|registered| registered.spec.name) {
        let Some(platform) = Platform::of(name) else { continue };
        let account = platform.account("http://127.0.0.1:9");
        let registered = pushcron::senders::find(name).unwrap().limits(&account.settings);
        let stated = Bench::new().build(&account).limits();
        assert_eq!(stated.is_some(), registered.is_some(), "{name}");
        let (Some(stated), Some(registered)) = (stated, registered) else { continue };
        limited.push(name);
        assert_eq!(stated.replies, registered.replies, "{name}");
        for (kind, id) in targets {
            let target = if kind == "group" { Target::Group(id.into()) } else { Target::User(id.into()) };
            assert_eq!((stated.quota)(&target), (registered.quota)(&target), "{name} {target}");
        }
        let long = text(user("lisi"), &"word ".repeat(2000));
        assert_eq!((stated.sends)(&long), (registered.sends)(&long), "{name}");
    }
    limited.sort_unstable();
    assert_eq!(limited, ["dingtalk_robot", "ilink", "wecom_app", "wecom_robot"]);
}

#[tokio::test]
async fn what_never_left_is_unreachable() {
    let refused = Refused::new();
    for (name, platform) in platforms() {
        let plain_server = server(&platform, None).await;
        let no_tls = plain_server.url("").replace("http://", "https://");
        for base in [refused.url(), "http://no-such-host.invalid".to_owned(), no_tls] {
            let report = send(&platform, &base, PATIENT).await;
            assert_eq!(report.outcome, Outcome::Unreachable, "{name} at {base}: {report:?}");
        }
        assert!(plain_server.requests().is_empty());
    }
}

#[tokio::test]
async fn what_may_have_arrived_is_unknown() {
    for (name, platform) in platforms() {
        for (calamity, timeout, is_2xx) in [
            (Answer::Reset, PATIENT, false),
            (Answer::Garbage, PATIENT, false),
            (Answer::Silence, IMPATIENT, false),
            (Answer::ResetInBody { status: 200 }, PATIENT, true),
            (Answer::Trickle { status: 200 }, IMPATIENT, true),
            (Answer::Flood { status: 200 }, PATIENT, true),
            (Answer::text(200, "<html>It works!</html>"), PATIENT, true),
            (Answer::text(200, ""), PATIENT, true),
        ] {
            let im = server(&platform, Some(calamity.clone())).await;
            let report = send(&platform, &im.url(""), timeout).await;
            let expected = if is_2xx && name == STATUS_IS_VERDICT { Outcome::Sent } else { Outcome::Unknown };
            assert_eq!(report.outcome, expected, "{name} after {calamity:?}: {report:?}");
            assert_eq!(im.requests_to(platform.decisive).len(), 1, "{name} repeats after {calamity:?}");
        }
    }
}

/// The connection breaks before anything was read: the client cannot know that, but it is no success and no verdict.
#[tokio::test]
async fn a_connection_that_is_reset_at_once_is_never_a_success() {
    for (name, platform) in platforms() {
        let im = server(&platform, None).await;
        im.reset_connections(1);
        let report = send(&platform, &im.url(""), PATIENT).await;
        assert!(matches!(report.outcome, Outcome::Unreachable | Outcome::Unknown), "{name}: {report:?}");
    }
}

#[tokio::test]
async fn a_good_status_with_a_bad_verdict_is_never_a_success() {
    // Every field in which some protocol says no.
    let no = json!({
        "ok": false, "error_code": 400, "status": "failed", "retcode": 100, "errcode": 1, "errmsg": "no", "code": 1,
        "ret": 1, "msg": "no", "message": "no", "description": "no", "success": false, "result": null, "data": null,
    });
    for (name, platform) in platforms() {
        let im = server(&platform, Some(Answer::json(200, no.clone()))).await;
        let report = send(&platform, &im.url(""), PATIENT).await;
        assert_ne!(report.outcome, Outcome::Sent, "{name}: {report:?}");
    }
}

/// Lays `more` over `answer`, field by field.
fn laid_over(answer: &Value, more: &Value) -> Value {
    match (answer, more) {
        (Value::Object(entries), Value::Object(more)) => {
            let mut entries = entries.clone();
            for (key, value) in more {
                let beneath = entries.get(key).cloned().unwrap_or_default();
                entries.insert(key.clone(), laid_over(&beneath, value));
            }
            Value::Object(entries)
        }
        _ => more.clone(),
    }
}

/// The senders whose verdict is one code of an envelope, with the field that holds it and what means yes.
const BY_CODE: [(&str, &str, i64); 8] = [
    ("onebot11", "retcode", 0),
    ("ilink", "ret", 0),
    ("wecom_robot", "errcode", 0),
    ("wecom_app", "errcode", 0),
    ("qianxun", "code", 200),
    ("feishu_app", "code", 0),
    ("feishu_robot", "code", 0),
    ("dingtalk_robot", "errcode", 0),
];

/// A whole yes of the platform, and then a no beside it or beneath it, as gateways and newer versions write it.
#[tokio::test]
async fn a_yes_with_a_no_anywhere_in_it_is_never_a_success() {
    let noes = [
        json!({"data": {"errcode": 40001, "errmsg": "no"}}),
        json!({"data": {"errcode": "40001"}}),
        json!({"data": {"code": 19001, "msg": "no"}}),
        json!({"data": {"code": "19001"}}),
        json!({"data": {"retcode": 1200, "message": "no"}}),
        json!({"data": {"ret": -2}}),
        json!({"data": {"success": false}}),
        json!({"data": {"status": "failed"}}),
        json!({"data": [{"errcode": 0}, {"errcode": 40001}]}),
        json!({"data": {"result": {"errCode": 40001}}}),
        json!({"result": {"errcode": 40001}}),
        json!({"result": {"error": {"code": 7, "message": "no"}}}),
        json!({"base_resp": {"ret": -14, "err_msg": "no"}}),
        json!({"StatusCode": 19001, "StatusMessage": "no"}),
        json!({"error_code": 400}),
        json!({"success": false}),
        json!({"success": "false"}),
        json!({"Success": "False"}),
        json!({"ok": 0}),
        json!({"isSuccess": "0"}),
        json!({"status": "failed"}),
        json!({"error": "no such robot"}),
    ];
    for (name, _, _) in BY_CODE {
        let platform = Platform::of(name).unwrap();
        for no in &noes {
            let answer = laid_over(&platform.yes(), no);
            let im = server(&platform, Some(Answer::json(200, answer.clone()))).await;
            let report = send(&platform, &im.url(""), PATIENT).await;
            assert_ne!(report.outcome, Outcome::Sent, "{name}: {answer}");
            assert_ne!(report.outcome, Outcome::Unreachable, "{name} would send it twice: {answer}");
        }
    }
}

/// A platform's whole yes under a status that says no, as a gateway that fails makes it, is no yes.
#[tokio::test]
async fn a_yes_under_a_bad_status_is_never_a_success() {
    for (name, platform) in platforms() {
        for status in [302, 400, 404, 409, 429, 500, 502] {
            let im = server(&platform, Some(Answer::json(status, platform.yes()))).await;
            let report = send(&platform, &im.url(""), PATIENT).await;
            assert_ne!(report.outcome, Outcome::Sent, "{name} after {status}: {report:?}");
        }
    }
}

/// Those whose verdict is no code: their yes, and a no of their own kind in the same answer.
#[tokio::test]
async fn a_yes_beside_a_no_of_its_own_protocol_is_never_a_success() {
    let rows = [
        ("telegram", json!({"ok": false})),
        ("telegram", json!({"ok": "false"})),
        ("telegram", json!({"error_code": 400, "description": "no"})),
        ("telegram", json!({"result": false})),
        ("webhook", json!({"ok": false})),
        ("webhook", json!({"success": false})),
        ("webhook", json!({"errcode": 40001})),
        ("webhook", json!({"data": {"errcode": 40001}})),
        ("webhook", json!({"error": "no such chat"})),
    ];
    for (name, no) in rows {
        let platform = Platform::of(name).unwrap();
        let im = server(&platform, Some(Answer::json(200, laid_over(&platform.yes(), &no)))).await;
        let report = send(&platform, &im.url(""), PATIENT).await;
        assert_ne!(report.outcome, Outcome::Sent, "{name} and {no}: {report:?}");
    }
}

/// Numbers come as texts where an answer went through a gateway in PHP.
#[tokio::test]
async fn a_code_that_is_a_text_means_what_the_number_means() {
    for (name, field, yes) in BY_CODE {
        let platform = Platform::of(name).unwrap();
        let report = async |code: Value| {
            let im =
                server(&platform, Some(Answer::json(200, laid_over(&platform.yes(), &json!({field: code}))))).await;
            send(&platform, &im.url(""), PATIENT).await
        };
        for code in [json!(yes.to_string()), json!(format!(" {yes} ")), json!(yes as f64)] {
            assert_eq!(report(code.clone()).await.outcome, Outcome::Sent, "{name} {field} {code}");
        }
        for code in [-14_i64, 40001, 400] {
            let (number, text) = (report(json!(code)).await, report(json!(code.to_string())).await);
            assert_eq!((&number.outcome, &number.error), (&text.outcome, &text.error), "{name} {field} {code}");
            assert_ne!(number.outcome, Outcome::Sent, "{name} {field} {code}");
        }
        assert_ne!(report(json!("InvalidToken")).await.outcome, Outcome::Sent, "{name} {field}");
    }
}

#[tokio::test]
async fn a_refused_login_is_not_the_messages_fault_alone() {
    for (name, platform) in platforms() {
        for status in [401, 403] {
            let im = server(&platform, Some(Answer::text(status, "no"))).await;
            let report = send(&platform, &im.url(""), PATIENT).await;
            let is_definite = matches!(report.outcome, Outcome::AccountDown | Outcome::Rejected | Outcome::TargetGone);
            assert!(is_definite, "{name} after {status}: {report:?}");
        }
    }
}

#[tokio::test]
async fn a_request_to_slow_down_is_heard_in_every_form() {
    let day = Duration::from_secs(24 * 3600);
    let minute = Some(Duration::from_secs(60));
    for (name, platform) in platforms() {
        for (retry_after, expected) in [
            (Some("60"), minute),
            (Some("Thu, 01 Jan 2026 01:01:00 GMT"), minute),
            (None, None),
            (Some("soon"), None),
            (Some("315360000"), Some(day)),
            (Some("Tue, 01 Jan 2036 01:01:00 GMT"), Some(day)),
        ] {
            let answer = Answer::text(429, "slow down");
            let answer = retry_after.map_or(answer.clone(), |value| answer.header("retry-after", value));
            let im = server(&platform, Some(answer)).await;
            let report = send(&platform, &im.url(""), PATIENT).await;
            assert_eq!(
                report.outcome,
                Outcome::Throttled { wait: expected },
                "{name} after {retry_after:?}: {report:?}"
            );
            assert_eq!(report.http_status, Some(429), "{name}");
        }
    }
}

#[tokio::test]
async fn a_server_in_trouble_is_never_a_success_and_never_the_messages_fault() {
    for (name, platform) in platforms() {
        for status in [500, 502, 503, 504] {
            let im = server(&platform, Some(Answer::text(status, "<html>trouble</html>"))).await;
            let report = send(&platform, &im.url(""), PATIENT).await;
            let is_open = matches!(report.outcome, Outcome::Unknown | Outcome::Unreachable | Outcome::Throttled { .. });
            assert!(is_open, "{name} after {status}: {report:?}");
            assert_eq!(report.http_status, Some(status), "{name}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_nothing_reaches_the_other_host() {
    let elsewhere = FakeIm::start().await;
    for (name, platform) in platforms() {
        for status in [301, 302, 307, 308] {
            let answer = Answer::text(status, "").header("location", &elsewhere.url("/"));
            let im = server(&platform, Some(answer)).await;
            let report = send(&platform, &im.url(""), PATIENT).await;
            assert_eq!(report.outcome, Outcome::Rejected, "{name} after {status}: {report:?}");
        }
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

/// Calls that come before the message (tokens, uploads) can go wrong in the same ways, and then nothing was sent.
#[tokio::test]
async fn a_server_that_is_broken_altogether_gets_no_success() {
    for (name, platform) in platforms() {
        for calamity in [Answer::Reset, Answer::Garbage, Answer::status(500), Answer::status(404)] {
            let im = FakeIm::start().await;
            im.on("", calamity.clone());
            let report = send(&platform, &im.url(""), PATIENT).await;
            assert_ne!(report.outcome, Outcome::Sent, "{name} after {calamity:?}");
        }
    }
}

#[tokio::test]
async fn a_probe_of_a_dead_server_claims_nothing_and_shows_no_secret() {
    let refused = Refused::new();
    for (name, platform) in platforms() {
        let broken = FakeIm::start().await;
        broken.on("", Answer::text(500, "trouble"));
        for base in [refused.url(), broken.url("")] {
            let (sender, _bench) = sender(&platform, &base);
            let probe = sender.probe().await;
            assert_ne!(probe.sendable, Some(true), "{name} at {base}: {probe:?}");
            let shown = format!("{probe:?}");
            assert!(!shown.contains(CANARY) && !shown.contains(&base), "{name} shows too much: {shown}");
        }
    }
}

#[tokio::test]
async fn a_push_in_one_piece_is_not_sent_twice_by_one_attempt() {
    for (name, platform) in platforms() {
        let im = server(&platform, Some(Answer::status(500))).await;
        send(&platform, &im.url(""), PATIENT).await;
        assert_eq!(im.requests_to(platform.decisive).len(), 1, "{name}: {:?}", im.paths());
    }
}
