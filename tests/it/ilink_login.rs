//! The QR login of `ilink`, with a fake service and a person who does as the test says.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::common::fake_ilink::{BOT, FakeIlink, TOKEN, USER};
use crate::common::fake_im::{Answer, Refused};
use crate::common::senders::{Bench, account};
use async_trait::async_trait;
use pushcron::domain::Account;
use pushcron::senders;
use pushcron::senders::login::{LoggedIn, LoginDialog, LoginError, LoginEvent};
use serde_json::{Value, json};

/// A person who types these numbers and notes what is shown.
#[derive(Default)]
struct Person {
    numbers: Vec<&'static str>,
    asked: Vec<bool>,
    seen: Vec<&'static str>,
    drawing: String,
}

#[async_trait]
impl LoginDialog for Person {
    fn tell(&mut self, event: LoginEvent) {
        self.seen.push(match event {
            LoginEvent::Scan { drawing, .. } => {
                self.drawing = drawing;
                "scan"
            }
            LoginEvent::Scanned => "scanned",
            LoginEvent::Expired => "expired",
        });
    }

    async fn number_on_phone(&mut self, again: bool) -> Option<String> {
        self.asked.push(again);
        if self.numbers.is_empty() { None } else { Some(self.numbers.remove(0).to_owned()) }
    }
}

fn ilink(service: &FakeIlink) -> Account {
    account("ilink", &[("base_url", &service.im.url(""))])
}

fn status(status: &str) -> Value {
    json!({"status": status})
}

fn confirmed(service: &FakeIlink) -> Value {
    json!({
        "status": "confirmed",
        "bot_token": TOKEN,
        "ilink_bot_id": BOT,
        "ilink_user_id": USER,
        "baseurl": service.im.url("/moved"),
    })
}

fn file(bench: &Bench) -> PathBuf {
    bench.dir.path().join("credentials/bot.json")
}

fn kept(bench: &Bench) -> Option<Value> {
    std::fs::read(file(bench)).ok().map(|text| serde_json::from_slice(&text).unwrap())
}

async fn log_in(bench: &Bench, service: &FakeIlink, person: &mut Person) -> Result<LoggedIn, LoginError> {
    let result = senders::log_in(&ilink(service), &bench.environment(), person).await;
    assert_eq!(service.service().breaches, Vec::<String>::new());
    result
}

#[tokio::test]
async fn a_scanned_and_confirmed_code_leaves_a_private_login() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    service.service().statuses = [status("wait"), status("scaned"), status("scaned"), confirmed(&service)].into();
    let mut person = Person::default();
    let logged_in = log_in(&bench, &service, &mut person).await.unwrap();
    let expected = LoggedIn { platform_id: BOT.into(), contact: Some(USER.into()), kept_in: file(&bench) };
    assert_eq!(logged_in, expected);
    assert_eq!(person.seen, ["scan", "scanned"]);
    let expected = json!({"bot_id": BOT, "user_id": USER, "token": TOKEN, "base_url": service.im.url("/moved")});
    assert_eq!(kept(&bench), Some(expected));
    assert_eq!(std::fs::metadata(file(&bench)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(service.im.requests_to("get_qrcode_status")[0].query["qrcode"], "QR+1");
}

#[tokio::test]
async fn the_code_is_a_square_of_half_blocks_with_a_quiet_border() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    service.service().statuses = [confirmed(&service)].into();
    let mut person = Person::default();
    log_in(&bench, &service, &mut person).await.unwrap();
    let lines: Vec<Vec<char>> = person.drawing.lines().map(|line| line.chars().collect()).collect();
    let width = lines[0].len();
    assert_eq!(lines.len(), width.div_ceil(2), "two rows in each line");
    assert!(lines.iter().flatten().all(|c| " █▀▄".contains(*c)));
    assert!(lines[0].iter().all(|c| *c == '█'), "the border is light, which a dark terminal draws");
    // The corner of the first finder pattern: a dark ring of seven modules behind the border of four.
    assert_eq!(lines[2][4..11], [' ', '▄', '▄', '▄', '▄', '▄', ' ']);
}

#[tokio::test]
async fn an_old_code_is_replaced_three_times() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    service.service().statuses =
        [status("expired"), status("verify_code_blocked"), status("wait"), confirmed(&service)].into();
    let mut person = Person::default();
    log_in(&bench, &service, &mut person).await.unwrap();
    assert_eq!(person.seen, ["scan", "expired", "scan", "expired", "scan"]);

    service.service().statuses = [status("expired")].into();
    let mut person = Person::default();
    let error = log_in(&bench, &service, &mut person).await.unwrap_err();
    assert!(matches!(error, LoginError::TimedOut), "{error}");
    assert_eq!(person.seen.iter().filter(|event| **event == "scan").count(), 4);
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    service.service().statuses = [status("wait")].into();
    let before = bench.now();
    let error = log_in(&bench, &service, &mut Person::default()).await.unwrap_err();
    assert!(matches!(error, LoginError::TimedOut), "{error}");
    let waited = bench.now().since(before);
    assert!((Duration::from_secs(479)..=Duration::from_secs(482)).contains(&waited), "{waited:?}");
    assert_eq!(service.calls("get_bot_qrcode"), 2, "one code lives five minutes");
}

#[tokio::test]
async fn the_number_on_the_phone_is_asked_for_until_it_is_right() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    let statuses = [status("need_verifycode"), status("need_verifycode"), status("scaned"), confirmed(&service)];
    service.service().statuses = statuses.into();
    let mut person = Person { numbers: vec!["12", "34"], ..Person::default() };
    log_in(&bench, &service, &mut person).await.unwrap();
    assert_eq!(person.asked, [false, true]);
    let codes: Vec<Option<String>> = service
        .im
        .requests_to("get_qrcode_status")
        .iter()
        .map(|request| request.query.get("verify_code").cloned())
        .collect();
    assert_eq!(codes, [None, Some("12".into()), Some("34".into()), Some("34".into())]);

    service.service().statuses = [status("need_verifycode")].into();
    let error = log_in(&bench, &service, &mut Person::default()).await.unwrap_err();
    assert!(matches!(error, LoginError::Cancelled), "{error}");
}

#[tokio::test]
async fn a_redirect_moves_the_questions_to_another_host() {
    let bench = Bench::new().leaping();
    let (service, other) = (FakeIlink::start().await, FakeIlink::start().await);
    service.service().statuses =
        [json!({"status": "scaned_but_redirect", "redirect_host": other.im.address().to_string()})].into();
    other.service().statuses = [status("wait"), confirmed(&service)].into();
    log_in(&bench, &service, &mut Person::default()).await.unwrap();
    assert_eq!((service.calls("get_qrcode_status"), other.calls("get_qrcode_status")), (1, 2));

    for host in ["", "evil.test/path", "user@evil.test", "evil.test?x", "evil .test"] {
        service.service().statuses = [json!({"status": "scaned_but_redirect", "redirect_host": host})].into();
        let error = log_in(&bench, &service, &mut Person::default()).await.unwrap_err();
        assert!(error.to_string().contains("no host"), "{host}: {error}");
    }
}

#[tokio::test]
async fn a_bot_that_is_bound_already_keeps_its_login() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    service.service().statuses = [status("binded_redirect")].into();
    let error = log_in(&bench, &service, &mut Person::default()).await.unwrap_err();
    assert!(error.to_string().contains("bound already"), "{error}");

    service.service().statuses = [confirmed(&service)].into();
    log_in(&bench, &service, &mut Person::default()).await.unwrap();
    let before = kept(&bench);
    service.service().statuses = [status("binded_redirect")].into();
    let logged_in = log_in(&bench, &service, &mut Person::default()).await.unwrap();
    assert_eq!((logged_in.platform_id.as_str(), kept(&bench)), (BOT, before));
    let asked: Vec<Value> = service
        .im
        .requests_to("get_bot_qrcode")
        .iter()
        .map(|request| request.json()["local_token_list"].clone())
        .collect();
    assert_eq!(asked, [json!([]), json!([]), json!([TOKEN])]);
}

#[tokio::test]
async fn a_confirmation_without_its_parts_is_none_and_an_old_login_stays() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    service.service().statuses = [confirmed(&service)].into();
    log_in(&bench, &service, &mut Person::default()).await.unwrap();
    let before = kept(&bench);
    for part in ["ilink_bot_id", "ilink_user_id", "bot_token"] {
        let mut answer = confirmed(&service);
        answer.as_object_mut().unwrap().remove(part);
        service.service().statuses = [answer].into();
        let error = log_in(&bench, &service, &mut Person::default()).await.unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains(TOKEN), "{error}");
    }
    let mut answer = confirmed(&service);
    answer["baseurl"] = "nonsense".into();
    service.service().statuses = [answer].into();
    assert!(log_in(&bench, &service, &mut Person::default()).await.is_err());
    assert_eq!(kept(&bench), before);
}

#[tokio::test]
async fn a_platform_that_cannot_be_reached_or_speaks_otherwise_is_told() {
    let bench = Bench::new().leaping();
    let nobody = Refused::new();
    let account_of_nobody = account("ilink", &[("base_url", &nobody.url())]);
    let error = senders::log_in(&account_of_nobody, &bench.environment(), &mut Person::default()).await.unwrap_err();
    assert!(matches!(error, LoginError::Unreachable(_)), "{error}");

    let service = FakeIlink::start().await;
    service.script("get_bot_qrcode", [Answer::json(200, json!({"ret": -1, "errmsg": "no"}))]);
    let error = log_in(&bench, &service, &mut Person::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "the platform gives no QR code: ret -1: no");

    service.service().statuses = [status("half_asleep")].into();
    let error = log_in(&bench, &service, &mut Person::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "the platform answers status 'half_asleep'");

    // A few lost polls do not end a login; many do.
    service.service().statuses = [confirmed(&service)].into();
    service.script("get_qrcode_status", [Answer::Reset, Answer::status(502)]);
    log_in(&bench, &service, &mut Person::default()).await.unwrap();
    service.script("get_qrcode_status", (0..5).map(|_| Answer::status(502)));
    let error = log_in(&bench, &service, &mut Person::default()).await.unwrap_err();
    assert!(matches!(error, LoginError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn accounts_of_other_senders_need_no_login() {
    let bench = Bench::new().leaping();
    let error =
        senders::log_in(&account("console", &[]), &bench.environment(), &mut Person::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "accounts of sender 'console' need no login");
}

#[tokio::test]
async fn a_login_by_root_belongs_to_whom_the_state_belongs_to() {
    use std::os::unix::fs::{MetadataExt, chown};

    let (bench, service) = (Bench::new().leaping(), FakeIlink::start().await);
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(bench.dir.path(), Some(65_532), Some(65_531)).unwrap();
    }
    service.service().statuses = [confirmed(&service)].into();
    let login = log_in(&bench, &service, &mut Person::default()).await.unwrap();
    let owner = |path: &std::path::Path| {
        let meta = std::fs::metadata(path).unwrap();
        (meta.uid(), meta.gid())
    };
    let state = owner(bench.dir.path());
    assert_eq!(state.0 == 65_532, is_root);
    assert_eq!((owner(&login.kept_in), owner(login.kept_in.parent().unwrap())), (state, state));
}
