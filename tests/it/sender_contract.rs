//! One list of calamities for every registered sender: whatever the network or the service does, the class is true to
//! what is known, nothing is called sent without the platform's own yes, and no secret shows.
//!
//! The suite walks the registry; a sender without a fixture below fails it.

use std::path::Path;
use std::time::Duration;

use crate::common::bench::Bench;
use crate::common::deliveries::{self, DUE_AT, account, file, media, secret, text, text_push};
use crate::common::fake_im::{Answer, FakeIm, Refused};
use pushcron::domain::account::SettingValue;
use pushcron::domain::message::Item;
use pushcron::domain::{Body, Delivery, Kind, MediaFile, Message, Outcome, Report, Support, Target};
use pushcron::senders::{SENDERS, Sender};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Stands in every secret and every address.
const CANARY: &str = "CANARY42";

/// How a sender is set up against a server at some base address, and what that server says when all is well.
struct Fixture {
    settings: fn(base: &str) -> Vec<(&'static str, SettingValue)>,
    /// Ids of a group and of a user, where it reaches such; the calamities befall the first of the two.
    targets: (Option<&'static str>, Option<&'static str>),
    /// In the path of the call that sends a text to that target.
    decisive: &'static str,
    /// The answers to all calls, by a part of their path; the longest that fits counts.
    answers: Vec<(&'static str, Answer)>,
    /// A 2xx is the platform's yes, also where its body says nothing or breaks off.
    status_is_verdict: bool,
    /// Writes what the sender finds from earlier days: its files, and its memory as (key, value).
    past: fn(base: &str, state_dir: &Path) -> Vec<(String, Value)>,
}

impl Fixture {
    fn new(decisive: &'static str, sent: Value, settings: fn(&str) -> Vec<(&'static str, SettingValue)>) -> Fixture {
        Fixture {
            settings,
            targets: (Some("123456"), None),
            decisive,
            answers: vec![(decisive, Answer::json(200, sent))],
            status_is_verdict: false,
            past: |_, _| Vec::new(),
        }
    }

    fn to(self, group: Option<&'static str>, user: Option<&'static str>) -> Fixture {
        Fixture { targets: (group, user), ..self }
    }

    fn answering(mut self, part: &'static str, answer: Value) -> Fixture {
        self.answers.push((part, Answer::json(200, answer)));
        self
    }

    fn target(&self, to_group: bool) -> Option<Target> {
        let (group, user) = self.targets;
        if to_group { group.map(|id| Target::Group(id.into())) } else { user.map(|id| Target::User(id.into())) }
    }
}

/// None: the sender speaks no HTTP.
fn fixture(sender: &str) -> Option<Fixture> {
    Some(match sender {
        "console" => return None,
        "onebot11" => {
            let sent = json!({"status": "ok", "retcode": 0, "data": {"message_id": 7}});
            Fixture::new("/send_group_msg", sent.clone(), |base| {
                vec![("url", secret(format!("{base}/{CANARY}"))), ("token", secret(CANARY))]
            })
            .to(Some("123456"), Some("10001"))
            .answering("/send_private_msg", sent)
            .answering("/get_version_info", json!({"retcode": 0, "data": {"app_name": "NapCat.Onebot"}}))
        }
        "ilink" => {
            let uploaded = Answer::status(200).header("x-encrypted-param", "p");
            let mut fixture = Fixture::new("/ilink/bot/sendmessage", json!({"message_id": 7}), |base| {
                vec![("cdn_url", secret(format!("{base}/c2c")))]
            })
            .to(None, Some("me"))
            .answering("/ilink/bot/getuploadurl", json!({"upload_param": "p"}));
            fixture.answers.push(("/c2c/upload", uploaded));
            // A login, and a user who has just written.
            fixture.past = |base, state_dir| {
                let login = json!({"bot_id": "b@im.bot", "user_id": "u@im.wechat", "token": CANARY, "base_url": base});
                std::fs::create_dir(state_dir.join("credentials")).unwrap();
                std::fs::write(state_dir.join("credentials/bot.json"), login.to_string()).unwrap();
                let contact = json!({"context_token": CANARY, "last_inbound_at": DUE_AT});
                vec![("b@im.bot".to_owned(), json!({"contacts": {"u@im.wechat": contact}}))]
            };
            fixture
        }
        "wecom_robot" => Fixture::new("/webhook/send", json!({"errcode": 0, "errmsg": "ok"}), |base| {
            vec![("url", secret(format!("{base}/cgi-bin/webhook/send?key={CANARY}")))]
        })
        .answering("/webhook/upload_media", json!({"errcode": 0, "media_id": "m"})),
        "wecom_app" => {
            let sent = json!({"errcode": 0, "errmsg": "ok", "msgid": "m1"});
            Fixture::new("/appchat/send", sent.clone(), |base| {
                let agent_id = SettingValue::Int(1_000_002);
                let base_url = secret(base);
                let corp_secret = secret(CANARY);
                vec![
                    ("corp_id", text("ww1")),
                    ("agent_id", agent_id),
                    ("corp_secret", corp_secret),
                    ("base_url", base_url),
                ]
            })
            .to(Some("chat-1"), Some("zhangsan"))
            .answering("/message/send", sent)
            .answering("/gettoken", json!({"errcode": 0, "access_token": CANARY, "expires_in": 7200}))
            .answering("/media/upload", json!({"errcode": 0, "media_id": "m"}))
        }
        "qianxun" => {
            let sent = json!({"code": 200, "msg": "ok", "result": {"sendId": "s1"}});
            Fixture::new("/qianxun/httpapi", sent, |base| {
                let url = secret(format!("{base}/qianxun/httpapi"));
                vec![("url", url), ("wxid", text("wxid_bot")), ("safekey", secret(CANARY))]
            })
            .to(Some("123456"), Some("wxid_bob"))
        }
        "telegram" => {
            let sent = json!({"ok": true, "result": {"message_id": 7}});
            Fixture::new("/sendMessage", sent.clone(), |base| {
                vec![("token", secret(format!("123456:{CANARY}"))), ("base_url", secret(base))]
            })
            .to(Some("-100123"), Some("42"))
            .answering("/send", sent)
        }
        "matrix" => Fixture::new("/send/m.room.message/", json!({"event_id": "$event"}), |base| {
            vec![("url", secret(base)), ("token", secret(CANARY))]
        })
        .to(Some("!room:im.test"), Some("@al:im.test"))
        .answering("/upload", json!({"content_uri": "mxc://im.test/m"}))
        .answering("/media/config", json!({}))
        .answering("/whoami", json!({"user_id": "@bot:im.test"}))
        .answering("/account_data/m.direct", json!({}))
        .answering("/createRoom", json!({"room_id": "!new:im.test"}))
        .answering("/joined_members", json!({"joined": {"@bot:im.test": {}, "@al:im.test": {}}})),
        "feishu_app" => {
            let sent = json!({"code": 0, "data": {"message_id": "om_1"}});
            Fixture::new("/im/v1/messages", sent, |base| {
                vec![("app_id", text("cli_1")), ("app_secret", secret(CANARY)), ("base_url", secret(base))]
            })
            .to(Some("oc_1"), Some("ou_1"))
            .answering("/tenant_access_token/", json!({"code": 0, "tenant_access_token": CANARY, "expire": 7200}))
            .answering("/im/v1/images", json!({"code": 0, "data": {"image_key": "k"}}))
            .answering("/im/v1/files", json!({"code": 0, "data": {"file_key": "k"}}))
        }
        "feishu_robot" => Fixture::new("/hook/", json!({"code": 0, "msg": "success", "data": {}}), |base| {
            vec![("url", secret(format!("{base}/open-apis/bot/v2/hook/{CANARY}"))), ("secret", secret(CANARY))]
        }),
        "dingtalk_robot" => Fixture::new("/robot/send", json!({"errcode": 0, "errmsg": "ok"}), |base| {
            let url = secret(format!("{base}/robot/send?access_token={CANARY}"));
            vec![("url", url), ("secret", secret(CANARY))]
        }),
        "webhook" => Fixture {
            status_is_verdict: true,
            ..Fixture::new("/hook", json!({}), |base| {
                vec![("url", secret(format!("{base}/hook?token={CANARY}"))), ("token", secret(CANARY))]
            })
            .to(Some("123456"), Some("al"))
        },
        other => panic!("{other} has no fixture in tests/sender_contract.rs"),
    })
}

/// The senders that speak HTTP.
fn fixtures() -> impl Iterator<Item = (&'static str, Fixture)> {
    SENDERS.iter().filter_map(|registered| Some((registered.spec.name, fixture(registered.spec.name)?)))
}

/// The sender, and what it needs around it for as long as it lives.
fn sender(name: &str, fixture: &Fixture, base: &str) -> (Box<dyn Sender>, Bench) {
    let bench = Bench::new();
    for (key, value) in (fixture.past)(base, bench.dir.path()) {
        bench.memory.keep("bot", &key, &value.to_string());
    }
    (bench.build(&account(name, (fixture.settings)(base))), bench)
}

fn push(fixture: &Fixture, timeout: Duration) -> Delivery {
    let target = fixture.target(true).or(fixture.target(false)).unwrap();
    Delivery { target, timeout, ..text_push("早报") }
}

/// A server on which all is well but for the call that sends.
async fn server(fixture: &Fixture, calamity: Option<Answer>) -> FakeIm {
    let im = FakeIm::start().await;
    for (part, answer) in &fixture.answers {
        im.on(part, answer.clone());
    }
    if let Some(calamity) = calamity {
        im.on(fixture.decisive, calamity);
    }
    im
}

/// One push, and what must hold whatever happened: no secret shows, and a failure says why.
async fn send(name: &str, fixture: &Fixture, base: &str, timeout: Duration) -> Report {
    let ((sender, _bench), delivery) = (sender(name, fixture, base), push(fixture, timeout));
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
    for (name, fixture) in fixtures() {
        let im = server(&fixture, None).await;
        let report = send(name, &fixture, &im.url(""), PATIENT).await;
        assert_eq!(report.outcome, Outcome::Sent, "{name}: {report:?}");
        assert_eq!(im.requests_to(fixture.decisive).len(), 1, "{name}: {:?}", im.paths());
    }
}

/// A text that the configuration let through, such as one whose only letters were taken out: a platform that was not
/// asked has said no yes.
#[tokio::test]
async fn nothing_is_called_sent_that_nobody_was_asked_to_send() {
    for (name, fixture) in fixtures() {
        for empty in ["", " \n"] {
            let im = server(&fixture, None).await;
            let (sender, _bench) = sender(name, &fixture, &im.url(""));
            let text = Body::Text { text: empty.to_owned() };
            let message = Message { title: None, body: text };
            let report = sender.send(&Delivery { message, ..push(&fixture, PATIENT) }).await;
            let is_asked = !im.requests_to(fixture.decisive).is_empty();
            assert_eq!(report.outcome == Outcome::Sent, is_asked, "{name} of {empty:?}: {report:?}");
            assert!(is_asked || report.outcome == Outcome::Rejected, "{name} of {empty:?}: {report:?}");
        }
    }
}

/// Every cell of the table in `docs/senders.md`: what is native or falls back is sent to groups and users, and what
/// falls back says so.
#[tokio::test]
async fn every_kind_goes_out_to_groups_and_users_as_the_table_says() {
    for (name, fixture) in fixtures() {
        let spec = pushcron::senders::find(name).unwrap().spec;
        for (kind, to_group) in Kind::ALL.into_iter().flat_map(|kind| [(kind, true), (kind, false)]) {
            let (support, target) = ((spec.support)(kind, to_group), fixture.target(to_group));
            assert_eq!(support.is_possible(), target.is_some(), "{name} {kind}: {support:?} or the fixture is wrong");
            let Some(target) = target else { continue };
            let im = server(&fixture, None).await;
            let (sender, bench) = sender(name, &fixture, &im.url(""));
            let delivery = Delivery { target, timeout: Duration::from_secs(3600), ..sample(kind, &bench.dir) };
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
fn sample(kind: Kind, dir: &TempDir) -> Delivery {
    let resolved = |name: &str, mime_type: &str, content: &[u8]| {
        let url = Some(format!("https://example.com/{name}"));
        MediaFile { url, ..file(dir, name, mime_type, content) }
    };
    let image = resolved("a.png", "image/png", b"\x89PNG\r\n\x1a\n0");
    let other = |name, mime_type| resolved(name, mime_type, b"some content");
    match kind {
        Kind::Text => text_push("早报"),
        Kind::Image => deliveries::push(Body::Image(media("a")), vec![image]),
        Kind::Voice => deliveries::push(Body::Voice(media("a")), vec![other("a.wav", "audio/wav")]),
        Kind::Video => deliveries::push(Body::Video(media("a")), vec![other("a.mp4", "video/mp4")]),
        Kind::File => deliveries::push(Body::File(media("a")), vec![other("a.pdf", "application/pdf")]),
        Kind::Mixed => {
            let items = vec![Item::Text { text: "early".into() }, Item::Image(media("a"))];
            deliveries::mixed_push(items, vec![image])
        }
    }
}

#[tokio::test]
async fn what_never_left_is_unreachable() {
    let refused = Refused::new();
    for (name, fixture) in fixtures() {
        let plain_server = server(&fixture, None).await;
        let no_tls = plain_server.url("").replace("http://", "https://");
        for base in [refused.url(), "http://no-such-host.invalid".to_owned(), no_tls] {
            let report = send(name, &fixture, &base, PATIENT).await;
            assert_eq!(report.outcome, Outcome::Unreachable, "{name} at {base}: {report:?}");
        }
        assert!(plain_server.requests().is_empty());
    }
}

#[tokio::test]
async fn what_may_have_arrived_is_unknown() {
    for (name, fixture) in fixtures() {
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
            let im = server(&fixture, Some(calamity.clone())).await;
            let report = send(name, &fixture, &im.url(""), timeout).await;
            let expected = if is_2xx && fixture.status_is_verdict { Outcome::Sent } else { Outcome::Unknown };
            assert_eq!(report.outcome, expected, "{name} after {calamity:?}: {report:?}");
            assert_eq!(im.requests_to(fixture.decisive).len(), 1, "{name} repeats after {calamity:?}");
        }
    }
}

/// The connection breaks before anything was read: the client cannot know that, but it is no success and no verdict.
#[tokio::test]
async fn a_connection_that_is_reset_at_once_is_never_a_success() {
    for (name, fixture) in fixtures() {
        let im = server(&fixture, None).await;
        im.reset_connections(1);
        let report = send(name, &fixture, &im.url(""), PATIENT).await;
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
    for (name, fixture) in fixtures() {
        let im = server(&fixture, Some(Answer::json(200, no.clone()))).await;
        let report = send(name, &fixture, &im.url(""), PATIENT).await;
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
        let fixture = fixture(name).unwrap();
        let Answer::Reply { body, .. } = &fixture.answers[0].1 else { panic!("{name} has no answer") };
        let sent: Value = serde_json::from_slice(body).unwrap();
        for no in &noes {
            let answer = laid_over(&sent, no);
            let im = server(&fixture, Some(Answer::json(200, answer.clone()))).await;
            let report = send(name, &fixture, &im.url(""), PATIENT).await;
            assert_ne!(report.outcome, Outcome::Sent, "{name}: {answer}");
            assert_ne!(report.outcome, Outcome::Unreachable, "{name} would send it twice: {answer}");
        }
    }
}

/// A platform's whole yes under a status that says no, as a gateway that fails makes it, is no yes.
#[tokio::test]
async fn a_yes_under_a_bad_status_is_never_a_success() {
    for (name, fixture) in fixtures() {
        let Answer::Reply { body, .. } = fixture.answers[0].1.clone() else { panic!("{name} has no answer") };
        for status in [302, 400, 404, 409, 429, 500, 502] {
            let im = server(&fixture, Some(Answer::text(status, body.clone()))).await;
            let report = send(name, &fixture, &im.url(""), PATIENT).await;
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
        let fixture = fixture(name).unwrap();
        let Answer::Reply { body, .. } = &fixture.answers[0].1 else { panic!("{name} has no answer") };
        let sent: Value = serde_json::from_slice(body).unwrap();
        let im = server(&fixture, Some(Answer::json(200, laid_over(&sent, &no)))).await;
        let report = send(name, &fixture, &im.url(""), PATIENT).await;
        assert_ne!(report.outcome, Outcome::Sent, "{name} and {no}: {report:?}");
    }
}

/// Numbers come as texts where an answer went through a gateway in PHP.
#[tokio::test]
async fn a_code_that_is_a_text_means_what_the_number_means() {
    for (name, field, yes) in BY_CODE {
        let fixture = fixture(name).unwrap();
        let Answer::Reply { body, .. } = &fixture.answers[0].1 else { panic!("{name} has no answer") };
        let sent: Value = serde_json::from_slice(body).unwrap();
        let report = async |code: Value| {
            let im = server(&fixture, Some(Answer::json(200, laid_over(&sent, &json!({field: code}))))).await;
            send(name, &fixture, &im.url(""), PATIENT).await
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
    for (name, fixture) in fixtures() {
        for status in [401, 403] {
            let im = server(&fixture, Some(Answer::text(status, "no"))).await;
            let report = send(name, &fixture, &im.url(""), PATIENT).await;
            let is_definite = matches!(report.outcome, Outcome::AccountDown | Outcome::Rejected | Outcome::TargetGone);
            assert!(is_definite, "{name} after {status}: {report:?}");
        }
    }
}

#[tokio::test]
async fn a_request_to_slow_down_is_heard_in_every_form() {
    let day = Duration::from_secs(24 * 3600);
    let minute = Some(Duration::from_secs(60));
    for (name, fixture) in fixtures() {
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
            let im = server(&fixture, Some(answer)).await;
            let report = send(name, &fixture, &im.url(""), PATIENT).await;
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
    for (name, fixture) in fixtures() {
        for status in [500, 502, 503, 504] {
            let im = server(&fixture, Some(Answer::text(status, "<html>trouble</html>"))).await;
            let report = send(name, &fixture, &im.url(""), PATIENT).await;
            let is_open = matches!(report.outcome, Outcome::Unknown | Outcome::Unreachable | Outcome::Throttled { .. });
            assert!(is_open, "{name} after {status}: {report:?}");
            assert_eq!(report.http_status, Some(status), "{name}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_nothing_reaches_the_other_host() {
    let elsewhere = FakeIm::start().await;
    for (name, fixture) in fixtures() {
        for status in [301, 302, 307, 308] {
            let answer = Answer::text(status, "").header("location", &elsewhere.url("/"));
            let im = server(&fixture, Some(answer)).await;
            let report = send(name, &fixture, &im.url(""), PATIENT).await;
            assert_eq!(report.outcome, Outcome::Rejected, "{name} after {status}: {report:?}");
        }
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

/// Calls that come before the message (tokens, uploads) can go wrong in the same ways, and then nothing was sent.
#[tokio::test]
async fn a_server_that_is_broken_altogether_gets_no_success() {
    for (name, fixture) in fixtures() {
        for calamity in [Answer::Reset, Answer::Garbage, Answer::status(500), Answer::status(404)] {
            let im = FakeIm::start().await;
            im.on("", calamity.clone());
            let report = send(name, &fixture, &im.url(""), PATIENT).await;
            assert_ne!(report.outcome, Outcome::Sent, "{name} after {calamity:?}");
        }
    }
}

#[tokio::test]
async fn a_probe_of_a_dead_server_claims_nothing_and_shows_no_secret() {
    let refused = Refused::new();
    for (name, fixture) in fixtures() {
        let broken = FakeIm::start().await;
        broken.on("", Answer::text(500, "trouble"));
        for base in [refused.url(), broken.url("")] {
            let (sender, _bench) = sender(name, &fixture, &base);
            let probe = sender.probe().await;
            assert_ne!(probe.sendable, Some(true), "{name} at {base}: {probe:?}");
            let shown = format!("{probe:?}");
            assert!(!shown.contains(CANARY) && !shown.contains(&base), "{name} shows too much: {shown}");
        }
    }
}

#[tokio::test]
async fn a_push_in_one_piece_is_not_sent_twice_by_one_attempt() {
    for (name, fixture) in fixtures() {
        let im = server(&fixture, Some(Answer::status(500))).await;
        send(name, &fixture, &im.url(""), PATIENT).await;
        assert_eq!(im.requests_to(fixture.decisive).len(), 1, "{name}: {:?}", im.paths());
    }
}
