//! The pages and their forms, without a browser.

mod figures;
mod told;

use std::sync::Arc;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::watch;

use super::{Answer, NOW, World, request};
use crate::config::{WebScope, WebUser};
use crate::domain::hex::sha256;
use crate::domain::{Next, Outcome, Reason, Report, Rule, UtcMs};
use crate::net::http1::{Handler, Method, Peer, Request};
use crate::store::{Begin, Filter, Finish, View};
use crate::web::page::{Leaf, OPEN_LINK, OpenLink, SHEETS};
use crate::web::state::Accepted;
use crate::web::who::Needs;

/// Of little memory, so that tests are quick.
fn hash(password: &str) -> String {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let hash: PasswordHash = argon2.hash_password_with_salt(password.as_bytes(), b"0123456789abcdef").unwrap();
    hash.to_string()
}

fn user(name: &str, scope: WebScope) -> WebUser {
    WebUser { name: name.to_owned(), password: hash(&format!("{name}'s password")), scope }
}

/// A browser: it keeps its cookie, and says of its requests what browsers say.
pub(super) struct Browser {
    pub cookie: String,
}

impl World {
    pub(super) async fn with_users() -> World {
        let mut world = World::new().await;
        world.know(vec![user("alice", WebScope::Act), user("rita", WebScope::Read)]);
        world
    }

    /// As a reload of the files.
    fn know(&mut self, users: Vec<WebUser>) {
        let before = self.api.accepted();
        let mut settings = before.settings.clone();
        settings.users = users;
        let accepted = Accepted {
            settings,
            judge: before.judge.clone(),
            timezone: before.timezone.clone(),
            language: None,
            socket_uids: vec![1000],
        };
        self.api.accepted = watch::channel(Arc::new(accepted)).1;
    }

    pub(super) async fn signed_in(&mut self, name: &str) -> Browser {
        let form = format!("name={name}&password={name}%27s+password&next=%2Fjobs");
        let answer = self.send(sent("/in", &form, "")).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/jobs")), "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.starts_with("pushcron=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        Browser { cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    pub(super) async fn get(&mut self, browser: &Browser, path: &str) -> Answer {
        self.api.rates = Default::default();
        self.send(seen(path, &browser.cookie, &[("sec-fetch-site", "none")])).await
    }

    pub(super) async fn post(&mut self, browser: &Browser, path: &str, form: &str) -> Answer {
        self.api.rates = Default::default();
        self.send(sent(path, form, &browser.cookie)).await
    }

    /// A push whose connection broke, by its number.
    async fn unknown(&mut self, error: &str) -> i64 {
        let push_id = self.waiting().await;
        let begin = Begin { push_id, account: "bot".into(), sender: "console", rule: Rule::ImDefault };
        let delivery = self.store.begin_attempts(vec![begin], NOW).await.unwrap().remove(0);
        let finish = Finish {
            push_id,
            number: delivery.attempt,
            report: Report::failed(Outcome::Unknown, error),
            next: Next::Unknown { reason: Reason::Unknown },
            started_at: NOW,
            finished_at: UtcMs(NOW.0 + 10),
            health: None,
        };
        self.store.finish_attempts(vec![finish]).await.unwrap();
        push_id
    }

    async fn state(&self, push_id: i64) -> &'static str {
        self.store.push_state(push_id).await.unwrap().unwrap().as_str()
    }
}

fn seen(path: &str, cookie: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut all = vec![("cookie", cookie)];
    all.extend(headers);
    request("GET", path, &all, serde_json::Value::Null)
}

/// A form as a browser sends it from a page of ours.
pub(super) fn sent(path: &str, form: &str, cookie: &str) -> Request<Bytes> {
    sent_from(path, form, cookie, &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8600")])
}

fn sent_from(path: &str, form: &str, cookie: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut builder = Request::builder().method(Method::POST).uri(path);
    let usual = [("host", "127.0.0.1:8600"), ("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie)];
    for (name, value) in usual.iter().chain(headers).filter(|(_, value)| !value.is_empty()) {
        builder = builder.header(*name, *value);
    }
    let mut request = builder.body(Bytes::from(form.to_owned())).unwrap();
    request.extensions_mut().insert(Peer::Tcp("127.0.0.1".parse().unwrap()));
    request
}

/// An address of each sheet, of this push.
fn address(path: &str, push_id: i64) -> String {
    path.replace("{job}", "daily").replace("{id}", &push_id.to_string()).replace("{name}", "none")
}

/// W01, W06, W14: each sheet for each who asks.
#[tokio::test]
async fn every_page_and_form_is_for_those_alone_who_may() {
    let mut world = World::with_users().await;
    let (alice, rita, nobody) =
        (world.signed_in("alice").await, world.signed_in("rita").await, Browser { cookie: String::new() });
    let push_id = world.unknown("broken").await;
    for sheet in SHEETS.iter().filter(|sheet| sheet.leaf != Leaf::Asset && sheet.leaf != Leaf::SignOut) {
        let path = address(sheet.path, push_id);
        let what = format!("{} {path}", sheet.method);
        for host in ["evil.example", "localhost.evil.example", ""] {
            let headers = [("host", host), ("cookie", &*alice.cookie)];
            let answer = world.send(request(sheet.method, &path, &headers, serde_json::Value::Null)).await;
            assert_eq!(answer.status, 421, "{what} at '{host}'");
        }
        for (browser, name) in [(&alice, "alice"), (&rita, "rita"), (&nobody, "nobody")] {
            let answer = match sheet.method {
                "POST" => world.post(browser, &path, "seen=failed").await,
                _ => world.get(browser, &path).await,
            };
            let told = format!("{what} by {name}: {answer:?}");
            match (sheet.needs, name) {
                (None, _) => assert!([200, 303, 403, 422].contains(&answer.status), "{told}"),
                (Some(_), "nobody") if sheet.method == "POST" || sheet.leaf == Leaf::Live => {
                    assert_eq!(answer.status, 401, "{told}")
                }
                (Some(_), "nobody") => {
                    assert_eq!(answer.status, 303, "{told}");
                    assert!(answer.header("location").unwrap().starts_with("/in?next=%2F"), "{told}");
                }
                (Some(Needs::Act), "rita") => assert_eq!(answer.status, 403, "{told}"),
                _ => assert!(![401, 403, 404, 405, 500, 503].contains(&answer.status), "{told}"),
            }
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{told}");
            assert!(!policy.contains("unsafe"), "{told}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{told}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{told}");
            assert!(answer.header("access-control-allow-origin").is_none(), "{told}");
        }
    }
}

/// W02: of every form, the one of the sign-in among them.
#[tokio::test]
async fn a_form_of_another_page_does_nothing() {
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    let push_id = world.unknown("broken").await;
    let acts = world.store.view(View::Acts, &Filter::default()).await.unwrap().rows.len();
    let ours = ("origin", "http://127.0.0.1:8600");
    for sheet in SHEETS.iter().filter(|sheet| sheet.method == "POST") {
        let path = address(sheet.path, push_id);
        for headers in [
            &[("sec-fetch-site", "cross-site"), ours][..],
            &[("sec-fetch-site", "same-site"), ours],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://evil.example")],
            &[("origin", "http://127.0.0.1:8601")],
            &[("origin", "null")],
            &[],
        ] {
            world.api.rates = Default::default();
            let form = "outcome=sent&seen=unknown&once=1&name=alice&password=alice%27s+password";
            let answer = world.send(sent_from(&path, form, &alice.cookie, headers)).await;
            assert_eq!(answer.status, 403, "{path}: {headers:?}: {answer:?}");
            assert!(answer.header("set-cookie").is_none(), "{path}: {headers:?}");
        }
        // Nor does a GET, a JSON body, or one whose kind is not told.
        let get = world.get(&alice, &path).await;
        assert!(sheet.leaf == Leaf::TrySignIn || [200, 405].contains(&get.status), "{path}: {get:?}");
        for kind in ["application/json", "text/plain", "multipart/form-data"] {
            let mut request = sent(&path, "{}", &alice.cookie);
            request.headers_mut().insert("content-type", kind.parse().unwrap());
            world.api.rates = Default::default();
            assert_eq!(world.send(request).await.status, 415, "{path}: {kind}");
        }
    }
    assert_eq!(world.state(push_id).await, "unknown");
    assert_eq!(world.store.view(View::Acts, &Filter::default()).await.unwrap().rows.len(), acts);
    // On a plain name of the local network browsers send no Sec-Fetch-Site: the origin tells.
    let path = format!("/pushes/{push_id}/resolve");
    world.api.rates = Default::default();
    let answer = world.send(sent_from(&path, "outcome=sent&seen=unknown", &alice.cookie, &[ours])).await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

/// W07.
#[tokio::test]
async fn a_changed_password_a_sign_out_and_a_user_who_is_gone_end_the_session() {
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    assert_eq!(world.get(&alice, "/jobs").await.status, 200);
    assert_eq!(world.post(&alice, "/out", "").await.header("location"), Some("/in"));
    assert_eq!(world.get(&alice, "/jobs").await.status, 303);
    let alice = world.signed_in("alice").await;
    world.know(vec![WebUser { password: hash("another"), ..user("alice", WebScope::Act) }]);
    assert_eq!(world.get(&alice, "/jobs").await.status, 303);
    assert_eq!(world.post(&alice, "/jobs/daily/pause", "").await.status, 401);
    world.know(vec![user("alice", WebScope::Act)]);
    assert_eq!(world.get(&alice, "/jobs").await.status, 303, "it does not come back");
}

/// W08.
#[tokio::test]
async fn guessing_a_password_is_stopped_for_the_name_and_for_the_address() {
    let mut world = World::with_users().await;
    let guess = |name: &str, from: &str| {
        let mut request = sent("/in", &format!("name={name}&password=guess"), "");
        request.headers_mut().insert("x-forwarded-for", from.parse().unwrap());
        request.extensions_mut().insert(Peer::Tcp("10.0.0.1".parse().unwrap()));
        request
    };
    let mut told = Vec::new();
    for _ in 0..7 {
        told.push(world.send(guess("alice", "192.0.2.1")).await.status);
    }
    assert_eq!(told, [403, 403, 403, 403, 403, 429, 429]);
    assert_eq!(world.send(guess("rita", "192.0.2.1")).await.status, 429, "another name from the same address");
    assert_eq!(world.send(guess("alice", "192.0.2.2")).await.status, 429, "the same name from another address");
    let known = world.send(guess("rita", "192.0.2.3")).await;
    let unknown = world.send(guess("nobody", "192.0.2.4")).await;
    assert_eq!((known.status, unknown.status), (403, 403));
    assert_eq!(known.text.replace("rita", "X"), unknown.text.replace("nobody", "X"), "nobody learns who there is");
}

#[tokio::test]
async fn a_link_lets_its_maker_in_once_and_for_two_minutes() {
    let mut world = World::new().await;
    let open = |until: UtcMs| OpenLink { sha256: sha256(b"code"), until, uid: 1000 };
    let keep = async |world: &World, link: &OpenLink| {
        world.store.save_state("", OPEN_LINK, &json!(link).to_string(), NOW).await.unwrap();
    };
    let nobody = Browser { cookie: String::new() };
    keep(&world, &open(NOW)).await;
    assert_eq!(world.get(&nobody, "/in?code=guess").await.status, 403);
    let answer = world.get(&nobody, "/in?code=code").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(world.get(&nobody, "/in?code=code").await.status, 403, "it is used up");
    let browser = Browser { cookie };
    assert_eq!(world.post(&browser, "/jobs/daily/pause", "").await.header("location"), Some("/jobs/daily?done=paused"));
    let acts = world.get(&browser, "/acts").await.text;
    assert!(acts.contains("uid 1000") && acts.contains(">web<"), "{acts}");
    keep(&world, &open(UtcMs(NOW.0 - 1))).await;
    assert_eq!(world.get(&nobody, "/in?code=code").await.status, 403, "it is too old");
}

/// W21.
#[tokio::test]
async fn an_act_is_done_once_and_tells_the_state_when_somebody_else_was_first() {
    let mut world = World::with_users().await;
    let (alice, push_id) = (world.signed_in("alice").await, world.unknown("broken").await);
    let resolve = format!("/pushes/{push_id}/resolve");
    let answer = world.post(&alice, &resolve, "outcome=sent&seen=unknown&back=%2F").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/?done=sent")), "{answer:?}");
    let again = world.post(&alice, &resolve, "outcome=failed&seen=unknown&back=%2F").await;
    assert_eq!(again.status, 409);
    assert!(again.text.contains("Its state is now: <b>sent</b>"), "{}", again.text);
    assert_eq!(world.state(push_id).await, "sent");
    // A double click on the sheet that fires.
    let sheet = world.get(&alice, "/jobs/daily/fire").await.text;
    assert!(sheet.contains("qq group:1"), "{sheet}");
    let number = sheet.split("name=\"once\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let form = format!("once={number}");
    let fired = world.post(&alice, "/jobs/daily/fire", &form).await;
    assert!(fired.header("location").unwrap().ends_with("?done=fired"), "{fired:?}");
    assert_eq!(world.post(&alice, "/jobs/daily/fire", &form).await.status, 409);
    let other = world.unknown("broken").await;
    let away = world.post(&alice, &format!("/pushes/{other}/resolve"), "outcome=sent&back=%2F%2Fevil.example").await;
    assert_eq!(away.header("location"), Some("/?done=sent"), "W15: only to pages of ours");
    let acts = world.store.view(View::Acts, &Filter::default()).await.unwrap();
    let by: Vec<&str> = acts.rows.iter().filter_map(|row| row[3].as_str()).collect();
    assert!(by.contains(&"web"), "{by:?}");
}

/// W04 and W17: what others wrote, in every page and both languages.
#[tokio::test]
async fn what_others_wrote_is_text_on_every_page() {
    const CANARY: &str = "\"'><img src=x onerror=alert(1)></pre></title><script>alert(2)</script>\u{202e}{{7*7}}";
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    let push = json!({"im": "qq", "group": "1", "text": CANARY});
    world.push("push-token", push).await;
    let push_id = world.unknown(CANARY).await;
    let mut pages = 0;
    for sheet in SHEETS.iter().filter(|sheet| sheet.method == "GET" && sheet.leaf != Leaf::Asset) {
        for id in [1, push_id] {
            for language in ["en", "zh"] {
                let path = format!("{}?lang={language}", address(sheet.path, id));
                let answer = world.get(&alice, &path).await;
                assert!([200, 303].contains(&answer.status), "{path}: {answer:?}");
                for harmful in ["<img", "<script>", "</pre></title>", "\u{202e}"] {
                    assert!(!answer.text.contains(harmful), "{path}: {harmful}");
                }
                // The one script that there is has an address, and nothing has a style or a handler of its own.
                for inline in [" style=", " onclick=", "javascript:", "<style"] {
                    assert!(!answer.text.contains(inline), "{path}: {inline}");
                }
                let is_ours = answer.text.is_empty()
                    || answer.text.contains(if language == "en" { "lang=\"en\"" } else { "lang=\"zh-Hans\"" });
                assert!(is_ours, "{path}");
                pages += usize::from(answer.text.contains("onerror"));
            }
        }
    }
    assert!(pages >= 6, "the canary is on {pages} pages");
    // Reflected: in fields of the filter, in the address, in what is wrong.
    let filter = url::form_urlencoded::byte_serialize(CANARY.as_bytes()).collect::<String>();
    for path in [
        format!("/pushes?job={filter}"),
        format!("/pushes?target={filter}"),
        format!("/pushes?since={filter}"),
        format!("/acts?job={filter}"),
        format!("/jobs/{filter}"),
        format!("/jobs/daily?at={filter}"),
        format!("/{filter}"),
        format!("/in?next={filter}"),
    ] {
        let answer = world.get(&alice, &path).await;
        assert!(!answer.text.contains("<img") && !answer.text.contains("<script>"), "{path}: {}", answer.text);
    }
}

/// W16.
#[tokio::test]
async fn a_parameter_is_a_known_word_or_refused() {
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    for query in [
        "lang=de",
        "theme=x%22%3E",
        "tz=Nowhere%2FAt",
        "tz=%0D%0ASet-Cookie%3A+a%3Db",
        "state=gone",
        "before=x",
        "since=soonish",
        "sort=id",
        "limit=100000",
        "job=a&job=b",
        "job=%00",
    ] {
        let answer = world.get(&alice, &format!("/pushes?{query}")).await;
        assert_eq!(answer.status, 422, "{query}: {answer:?}");
        assert!(answer.header("set-cookie").is_none(), "{query}");
    }
    for query in ["done=%3Cb%3E", "done=sent&x=1"] {
        assert_eq!(world.get(&alice, &format!("/?{query}")).await.status, 422, "{query}");
    }
    let answer = world.get(&alice, "/pushes?lang=zh&tz=utc&theme=dark&job=&state=").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("set-cookie").unwrap().starts_with("pushcron-look=lang=zh&tz=UTC&theme=dark; Path=/"));
    assert!(answer.text.contains("<html lang=\"zh-Hans\" data-theme=\"dark\">"));
}

#[tokio::test]
async fn the_history_is_read_page_by_page_by_its_own_address() {
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    for _ in 0..55 {
        world.waiting().await;
    }
    let first = world.get(&alice, "/pushes?im=qq").await.text;
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    assert!(next.starts_with("/pushes?im=qq&before="), "{next}");
    let second = world.get(&alice, &next).await.text;
    assert_eq!((first.matches("<tr>").count(), second.matches("<tr>").count()), (51, 6), "with a head each");
    assert!(!second.contains("rel=\"next\""));
    let none = world.get(&alice, "/pushes?job=nobody&state=sent").await.text;
    assert!(none.contains("No push fits."), "{none}");
}

#[tokio::test]
async fn behind_a_proxy_addresses_have_its_prefix_and_cookies_are_for_https_alone() {
    let mut world = World::with_users().await;
    let mut request = sent("/cron/in", "name=alice&password=alice%27s+password", "");
    request.headers_mut().insert("host", "push.example.org".parse().unwrap());
    request.headers_mut().insert("origin", "https://push.example.org".parse().unwrap());
    let answer = world.send(request).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/cron/")), "{answer:?}");
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-pushcron=") && cookie.ends_with("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let page = world.send(seen("/cron/jobs", cookie, &[("host", "push.example.org")])).await;
    assert!(page.text.contains("href=\"/cron/jobs/daily\"") && page.text.contains("\"/cron/a/style-"), "{}", page.text);
    // The same cookie counts for nothing where there is no TLS.
    assert_eq!(world.send(seen("/jobs", cookie, &[])).await.status, 303);
}

/// W03 and W25.
#[tokio::test]
async fn hints_are_for_pages_of_ours_alone_and_for_so_many() {
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    let listen = |site: &'static str, cookie: &str| seen("/live", cookie, &[("sec-fetch-site", site)]);
    for site in ["cross-site", "same-site"] {
        assert_eq!(world.send(listen(site, &alice.cookie)).await.status, 403, "{site}");
    }
    assert_eq!(world.send(listen("same-origin", "")).await.status, 401);
    let mut streams = Vec::new();
    for _ in 0..16 {
        world.api.rates = Default::default();
        let response = world.api.answer(listen("same-origin", &alice.cookie)).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        streams.push(response);
    }
    world.api.rates = Default::default();
    let full = world.send(listen("same-origin", &alice.cookie)).await;
    assert_eq!((full.status, full.header("retry-after")), (503, Some("30")));
    // Who goes makes room.
    streams.clear();
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    world.api.rates = Default::default();
    assert_eq!(world.send(listen("same-origin", &alice.cookie)).await.status, 200);
}

#[tokio::test]
async fn a_link_from_another_site_asks_once_more_by_itself() {
    let mut world = World::with_users().await;
    for site in ["cross-site", "same-site"] {
        let answer = world.send(seen("/pushes?state=unknown", "", &[("sec-fetch-site", site)])).await;
        assert_eq!(answer.status, 200);
        let again = "content=\"0; url=/pushes?state=unknown\"";
        assert!(answer.text.contains(again), "{}", answer.text);
    }
    let own = world.send(seen("/pushes?state=unknown", "", &[("sec-fetch-site", "same-origin")])).await;
    assert_eq!(own.header("location"), Some("/in?next=%2Fpushes%3Fstate%3Dunknown"));
}

#[tokio::test]
async fn a_user_of_the_socket_needs_no_sign_in() {
    let mut world = World::new().await;
    for (peer, status) in [(Peer::Unix { uid: Some(1000) }, 200), (Peer::Unix { uid: Some(33) }, 303)] {
        let mut request = seen("/", "", &[]);
        request.extensions_mut().insert(peer);
        assert_eq!(world.send(request).await.status, status, "{peer:?}");
    }
}

#[test]
fn no_template_leaves_out_the_escaping() {
    let mut found = 0;
    for file in std::fs::read_dir("src/web/templates").unwrap() {
        let (path, text) = (file.as_ref().unwrap().path(), std::fs::read_to_string(file.unwrap().path()).unwrap());
        for way in ["|safe", "| safe", "|escape(\"none", "autoescape"] {
            assert!(!text.contains(way), "{}: {way}", path.display());
        }
        found += 1;
    }
    assert!(found > 5);
}
