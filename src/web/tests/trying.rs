//! Try: the page, and the same over the API.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, NOW, World, request};
use crate::domain::{Health, UtcMs};
use crate::store::{AccountRow, Filter, View};
use crate::web::preview::LONGEST;

mod lone;

const JOB: &str = "jobs:
  - {name: report, cron: '0 9 * * *', timezone: Asia/Shanghai, push: {im: qq, group: '7', text: hi}}
";

/// As many jobs as a text has room for.
fn many() -> String {
    let mut many = "jobs:\n".to_owned();
    for number in 0.. {
        let job = format!("- {{name: j{number}, every: 1h, push: {{im: qq, group: '1', text: hi}}}}\n");
        if many.len() + job.len() > LONGEST {
            break;
        }
        many.push_str(&job);
    }
    many
}

fn form(text: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("text", text).finish()
}

impl World {
    async fn preview(&mut self, text: &str) -> Answer {
        self.ask("read-token", "POST", "/api/v1/preview", json!({"text": text})).await
    }

    /// What of a text is wrong: line, column and message.
    async fn wrong(&mut self, text: &str) -> Vec<(u64, u64, String)> {
        let answer = self.preview(text).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let place = |error: &Value, key: &str| error[key].as_u64().unwrap();
        let errors = answer.body["errors"].as_array().unwrap().iter();
        errors
            .map(|error| (place(error, "line"), place(error, "column"), error["message"].as_str().unwrap().to_owned()))
            .collect()
    }

    /// As the daemon saw them last.
    async fn accounts_are(&self, bot: Health, wxbot: Health) {
        let row = |id: &str, im: &str, is_default, health| AccountRow {
            id: id.to_owned(),
            im: im.to_owned(),
            sender: "console".to_owned(),
            is_default,
            health,
        };
        let rows = vec![row("bot", "qq", true, bot), row("wxbot", "wechat", false, wxbot)];
        self.store.record_accounts(rows, true).await.unwrap();
    }

    /// Everything that a request could have changed.
    async fn all_rows(&self) -> Vec<Vec<Vec<Value>>> {
        let mut all = Vec::new();
        for view in [View::JobOverview, View::PushHistory, View::AccountOverview, View::Acts] {
            all.push(self.store.view(view, &Filter::default()).await.unwrap().rows);
        }
        all
    }
}

fn online() -> Health {
    Health { online: Some(true), sendable: Some(true), checked_at: Some(NOW), ..Health::default() }
}

fn offline() -> Health {
    Health { online: Some(false), checked_at: Some(NOW), ..Health::default() }
}

#[tokio::test]
async fn what_is_wrong_is_told_with_line_and_column() {
    let mut world = World::with_users().await;
    let rita = world.signed_in("rita").await;
    let text = "jobs:\n  - name: report\n    cron: '0 9 * *'\n    push: {im: qq, group: '7', texd: hi}\n";
    let wrong = world.wrong(text).await;
    assert!(wrong.iter().any(|(line, column, _)| (*line, *column) == (3, 11)), "{wrong:?}");
    assert!(wrong.iter().any(|(line, _, message)| *line == 4 && message.contains("texd")), "{wrong:?}");
    // A job whose schedule is wrong is none that never fires.
    let answer = world
        .preview(&format!("{JOB}  - {{name: odd, cron: '0 9 * *', push: {{im: qq, group: '7', text: hi}}}}\n"))
        .await;
    let jobs: Vec<&Value> = answer.body["jobs"].as_array().unwrap().iter().map(|job| &job["job"]).collect();
    assert_eq!((jobs, &answer.body["more_jobs"]), (vec![&json!("report")], &json!(0)), "{answer:?}");
    let broken = world.wrong("jobs:\n  - name: 'report\n").await;
    assert!(broken[0].0 >= 2, "{broken:?}");
    let page = world.post(&rita, "/try", &form(text)).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text.contains("text:3:11: ") && page.text.contains("text:4:"), "{}", page.text);
    assert!(page.text.contains("texd: hi}\n</textarea>"), "the text is there to be mended: {}", page.text);
    let page = world.post(&rita, "/try?lang=zh", &form(text)).await;
    assert!(page.text.contains("试一试") && page.text.contains("个问题"), "{}", page.text);
}

#[tokio::test]
async fn the_next_fires_are_told_with_what_summer_time_does_to_them() {
    let mut world = World::new().await;
    let answer = world.preview(JOB).await;
    assert_eq!((&answer.body["ok"], &answer.body["errors"]), (&json!(true), &json!([])), "{answer:?}");
    let next = answer.body["jobs"][0]["next"].as_array().unwrap();
    assert_eq!(next.len(), 10);
    assert_eq!(next[0]["due_at"], "2026-01-02T01:00:00.000Z");
    let night = "jobs:\n  - {name: night, cron: '30 2 29 3 *', timezone: Europe/Berlin, push: {im: qq, group: '7', text: hi}}\n";
    let answer = world.preview(night).await;
    let note = answer.body["jobs"][0]["next"][0]["note"].as_str().unwrap();
    assert!(note.contains("02:30 does not exist"), "{note}");
    let none =
        "jobs:\n  - {name: past, every: 1h, until: 2026-01-01T09:30:00Z, push: {im: qq, group: '7', text: hi}}\n";
    let answer = world.preview(none).await;
    assert_eq!(answer.body["jobs"][0]["next"], json!([]), "{answer:?}");
}

#[tokio::test]
async fn each_push_is_told_who_would_carry_it_now_and_by_which_rule() {
    let mut world = World::with_users().await;
    let text = "jobs:
  - name: report
    every: 1h
    push:
      - {im: qq, group: '7', text: hi}
      - {im: qq, account: bot, user: '8', text: hi}
      - {im: wechat, user: 'wxid_a', text: hi}
";
    let of = |answer: &Answer, number: usize| {
        let push = answer.body["jobs"][0]["pushes"][number].clone();
        (push["account"].clone(), push["rule"].clone(), push["unprobed"].clone(), push["reason"].clone(), push)
    };
    let unasked = world.preview(text).await;
    assert_eq!(unasked.body["accounts"], "running", "{unasked:?}");
    let (account, rule, unprobed, ..) = of(&unasked, 0);
    assert_eq!((account, rule, unprobed), (json!("bot"), json!("im_default"), json!(true)));
    world.accounts_are(online(), offline()).await;
    let answer = world.preview(text).await;
    let (account, rule, unprobed, ..) = of(&answer, 0);
    assert_eq!((account, rule, unprobed), (json!("bot"), json!("im_default"), json!(false)));
    let (account, rule, ..) = of(&answer, 1);
    assert_eq!((account, rule), (json!("bot"), json!("explicit")));
    let (account, rule, _, reason, push) = of(&answer, 2);
    assert_eq!((account, rule, reason), (Value::Null, Value::Null, json!("no_sender")));
    assert_eq!(push["refused"], json!([{"account": "wxbot", "reason": "account_offline"}]));
    let until = UtcMs(NOW.0 + 60_000);
    let resting = Health { cooldown_until: Some(until), ..online() };
    world.accounts_are(resting, online()).await;
    let answer = world.preview(text).await;
    let (account, _, _, reason, push) = of(&answer, 1);
    assert_eq!(
        (account, reason, &push["until"]),
        (Value::Null, json!("account_cooling_down"), &json!(until.to_string()))
    );
    let (account, rule, ..) = of(&answer, 2);
    assert_eq!((account, rule), (json!("wxbot"), json!("first_online")));
    let alice = world.signed_in("alice").await;
    let page = world.post(&alice, "/try", &form(text)).await;
    for told in
        ["group:7", "wxbot", "the first one online", "the account is cooling down", "as the daemon last saw them"]
    {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
}

#[tokio::test]
async fn a_text_with_accounts_of_its_own_is_judged_by_those_and_says_that_nobody_asked_them() {
    let mut world = World::with_users().await;
    world.accounts_are(online(), online()).await;
    let text = "accounts:
  - {id: new, im: qq, sender: console}
jobs:
  - {name: report, every: 1h, push: {im: qq, group: '7', text: hi}}
  - {name: gone, every: 1h, push: {im: qq, account: bot, group: '7', text: hi}}
";
    let answer = world.preview(text).await;
    assert_eq!(answer.body["accounts"], "text", "{answer:?}");
    let push = &answer.body["jobs"][0]["pushes"][0];
    assert_eq!(
        (&push["account"], &push["rule"], &push["unprobed"]),
        (&json!("new"), &json!("first_online"), &json!(true))
    );
    assert!(answer.body["errors"][0]["message"].as_str().unwrap().contains("bot"), "{answer:?}");
    let alice = world.signed_in("alice").await;
    let page = world.post(&alice, "/try", &form(text)).await;
    assert!(page.text.contains("Nobody has asked these"), "{}", page.text);
    // The targets in force are known to a text without.
    let answer = world.preview("jobs:\n  - {name: report, every: 1h, push: {to: both, text: hi}}\n").await;
    assert_eq!(answer.body["jobs"][0]["pushes"].as_array().unwrap().len(), 2, "{answer:?}");
}

/// W12: by files and variables that are there, and others that are not.
#[tokio::test]
async fn nothing_beside_the_text_is_read_and_nobody_learns_whether_it_is_there() {
    let mut world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let canary = "canary-7f3a";
    let content = format!("jobs:\n  - {{name: {canary}, every: 1h, push: {{im: qq, group: '1', text: hi}}}}\n");
    std::fs::write(dir.path().join("there"), content).unwrap();
    std::fs::create_dir(dir.path().join("there.d")).unwrap();
    let file = |name: &str| dir.path().join(name).display().to_string();
    let of_account =
        |rest: &str| format!("accounts:\n  - {{id: a, im: qq, sender: onebot11, url: 'http://127.0.0.1:1', {rest}}}\n");
    let of_job = |rest: &str| format!("jobs:\n  - {{name: j, every: 1h, {rest}}}\n");
    type Case<'a> = (&'a str, Box<dyn Fn(&str) -> String + 'a>);
    let cases: Vec<Case> = vec![
        ("include", Box::new(|path| format!("include: {path}\n"))),
        ("include of a pattern", Box::new(|path| format!("include: ['{path}*']\n"))),
        ("a token's file", Box::new(|path| of_account(&format!("token_file: {path}")))),
        (
            "a credential",
            Box::new(|path| of_account(&format!("token_credential: {}", path.rsplit('/').next().unwrap()))),
        ),
        ("an image", Box::new(|path| of_job(&format!("push: {{im: qq, group: '1', image: {path}}}")))),
        (
            "an image by address",
            Box::new(|path| of_job(&format!("push: {{im: qq, group: '1', image: 'file://{path}'}}"))),
        ),
        (
            "a cover",
            Box::new(|path| {
                of_job(&format!("push: {{im: qq, group: '1', video: {{url: 'https://example.org/v', cover: {path}}}}}"))
            }),
        ),
        (
            "a content's file",
            Box::new(|path| of_job(&format!("content_from: {{file: {path}}}, push: {{im: qq, group: '1'}}"))),
        ),
        (
            "a content's program",
            Box::new(|path| of_job(&format!("content_from: {{command: [{path}]}}, push: {{im: qq, group: '1'}}"))),
        ),
        (
            "a content's headers",
            Box::new(|path| {
                of_job(&format!(
                    "content_from: {{http: {{url: 'https://example.org', headers_file: {path}}}}}, push: {{im: qq, group: '1'}}"
                ))
            }),
        ),
        ("a list", Box::new(|path| format!("targets:\n  t: {{im: qq, from: {{csv: {path}, user: id}}}}\n"))),
        (
            "a list's program",
            Box::new(|path| format!("targets:\n  t: {{im: qq, from: {{command: [{path}], user: id}}}}\n")),
        ),
        ("a directory of media", Box::new(|path| format!("daemon:\n  media_roots: [{path}.d]\n"))),
        (
            "a program for reports",
            Box::new(|path| format!("daemon:\n  on_failure: {{command: [{path}], as_root: true}}\n")),
        ),
        ("a calendar", Box::new(|path| format!("calendars:\n  c: {{ics: {path}}}\n"))),
    ];
    for (what, text) in &cases {
        let mut told = Vec::new();
        for name in ["there", "where"] {
            let path = file(name);
            let answer = world.preview(&text(&path)).await;
            assert_eq!((answer.status, &answer.body["ok"]), (200, &json!(false)), "{what}: {answer:?}");
            assert!(answer.text.contains("lies beside the text"), "{what}: {answer:?}");
            assert!(!answer.text.contains(canary), "{what}: {answer:?}");
            told.push(answer.text.replace(&path, "PATH").replace(name, "NAME"));
        }
        assert_eq!(told[0], told[1], "{what}");
    }
}

/// W12: by a variable that every test has, and one that none has.
#[tokio::test]
async fn no_variable_is_read_and_nobody_learns_whether_it_is_set() {
    let mut world = World::new().await;
    let variables: [(&str, fn(&str) -> String); 4] = [
        ("a text", |name| {
            format!("jobs:\n  - {{name: j, every: 1h, push: {{im: qq, group: '1', text: '${{{name}}}'}}}}\n")
        }),
        ("a token", |name| {
            format!(
                "accounts:\n  - {{id: a, im: qq, sender: onebot11, url: 'http://127.0.0.1:1', token: '${{{name}}}'}}\n"
            )
        }),
        ("a schedule", |name| {
            format!("jobs:\n  - {{name: j, every: '${{{name}}}', push: {{im: qq, group: '1', text: hi}}}}\n")
        }),
        ("template_env", |name| format!("daemon:\n  template_env: [{name}]\n")),
    ];
    for (what, text) in variables {
        // One that whoever runs tests has, and one that nobody has.
        let there = "CARGO_MANIFEST_DIR";
        let value = std::env::var(there).unwrap();
        let mut told = Vec::new();
        for name in [there, "CARGO_MANIFEST_DIX"] {
            let answer = world.preview(&text(name)).await;
            assert_eq!((answer.status, &answer.body["ok"]), (200, &json!(false)), "{what}: {answer:?}");
            assert!(
                answer.text.contains("lies beside the text") && !answer.text.contains(&value),
                "{what}: {answer:?}"
            );
            told.push(answer.text.replace(name, "NAME"));
        }
        assert_eq!(told[0], told[1], "{what}");
    }
}

/// W12.
#[tokio::test]
async fn what_is_refused_a_look_leaves_its_job_whole_and_a_zone_is_no_path() {
    let mut world = World::new().await;
    let push = "push: {im: qq, group: '1', text: hi}";
    let of_job = |rest: &str| format!("jobs:\n  - {{name: j, every: 1h, {rest}}}\n");
    let answer = world.preview(&of_job("push: {im: qq, group: '1', image: /no/such.png}")).await;
    assert_eq!(answer.body["jobs"][0]["next"].as_array().unwrap().len(), 10, "{answer:?}");
    // A zone is one that the system knows, and no path.
    for zone in ["../../../etc/passwd", "/etc/localtime", "/usr/share/zoneinfo/UTC"] {
        let wrong = world.wrong(&of_job(&format!("timezone: '{zone}', {push}"))).await;
        assert_eq!(wrong.len(), 1, "{zone}: {wrong:?}");
    }
}

/// W12.
#[tokio::test]
async fn a_text_made_to_be_long_in_the_reading_is_refused_or_cut() {
    let mut world = World::with_users().await;
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (before, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        let inner = vec![format!("*{before}"); 9].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{inner}]\n"));
    }
    assert!(!world.wrong(&bomb).await.is_empty());
    let range = "jobs:\n  - {name: j, cron: '0 0 1--100000000 * *', push: {im: qq, group: '1', text: hi}}\n";
    assert_eq!(world.wrong(range).await[0].0, 2);
    let one = "- &p {name: j, every: 1s, push: {im: qq, group: '1', text: hi}}\n";
    let same = format!("jobs:\n{one}{}", "- *p\n".repeat(52_000));
    assert!(same.len() < LONGEST && world.wrong(&same).await.len() <= 1001);
    // Each template may burn all that one may, and the answer says that the rest was not tried.
    let slow = "{% for a in range(9999) %}{% for b in range(9999) %}{% set q = a * b %}{% endfor %}{% endfor %}";
    let slow = format!("push: [&p {{im: qq, group: '1', text: '{slow}'}}{}]", ", *p".repeat(5000));
    let slow = format!("jobs:\n  - {{name: j, every: 1h, render: true, {slow}}}\n");
    let answer = world.preview(&slow).await;
    assert!(answer.status == 200 && answer.text.contains("too many to be tried here"), "{}", &answer.text[..2000]);
    let many = many();
    let answer = world.preview(&many).await;
    assert_eq!((&answer.body["ok"], answer.body["jobs"].as_array().unwrap().len()), (&json!(true), 100));
    assert!(answer.body["more_jobs"].as_u64().unwrap() > 3000, "{}", answer.body["more_jobs"]);
    let larger = format!("{many}#{}", "x".repeat(LONGEST));
    let answer = world.preview(&larger).await;
    assert_eq!((answer.status, &answer.body["type"]), (413, &json!("/problems/too-large")));
    let alice = world.signed_in("alice").await;
    let page = world.post(&alice, "/try", &form(&larger)).await;
    assert!(
        page.status == 413 && page.text.contains("longer than 256 KiB") && page.text.contains("name: j7,"),
        "{}",
        page.status
    );
}

/// W12.
#[tokio::test]
async fn a_text_that_takes_too_long_is_answered_and_the_next_one_waits_for_its_end() {
    let world = World::new().await;
    let passing = async {
        loop {
            world.clock.advance(Duration::from_secs(2));
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::select! {
        answer = world.api.preview(many()) => answer,
        () = passing => return,
    };
    let problem = answer.unwrap_err();
    assert_eq!(
        (problem.status().as_u16(), problem.detail()),
        (422, "the text takes longer than 2 s: try a part of it")
    );
    assert!(problem.into_response("").body().windows(8).any(|part| part == b"\"errors\""));
    drop(world.api.page_memory.trying.acquire().await.unwrap());
    assert!(world.api.preview(JOB.to_owned()).await.unwrap().ok);
}

/// W12.
#[tokio::test]
async fn one_text_is_tried_at_a_time_and_nobody_tries_more_than_six_a_minute() {
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    let turn = world.api.page_memory.trying.clone().try_acquire_owned().unwrap();
    let busy = world.preview(JOB).await;
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("2")), "{busy:?}");
    let page = world.post(&alice, "/try", &form(JOB)).await;
    assert_eq!((page.status, page.header("retry-after")), (429, Some("2")), "{page:?}");
    assert!(page.text.contains("one at a time") && page.text.contains("name: report"), "{}", page.text);
    drop(turn);
    assert_eq!(world.preview(JOB).await.status, 200);
    let asked = || request("POST", "/api/v1/preview", &[("authorization", "Bearer read-token")], json!({"text": JOB}));
    world.api.rates = Default::default();
    for _ in 0..6 {
        assert_eq!(world.send(asked()).await.status, 200);
    }
    assert_eq!(world.send(asked()).await.status, 429);
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.send(asked()).await.status, 200);
}

#[tokio::test]
async fn trying_writes_nothing_and_takes_what_it_knows() {
    let mut world = World::with_users().await;
    world.waiting().await;
    let (alice, before) = (world.signed_in("alice").await, world.all_rows().await);
    for text in [JOB, "jobs: []", "jobs: [", "accounts:\n  - {id: a, im: qq, sender: console}\n"] {
        assert_eq!(world.preview(text).await.status, 200);
        assert_eq!(world.post(&alice, "/try", &form(text)).await.status, 200);
    }
    assert_eq!(world.all_rows().await, before);
    for body in [json!({}), json!({"text": ""}), json!({"text": 5.5}), json!({"text": JOB, "include": "x"})] {
        let answer = world.ask("read-token", "POST", "/api/v1/preview", body.clone()).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
    }
    let get = world.ask("read-token", "GET", "/api/v1/preview", Value::Null).await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    let sheet = world.get(&alice, "/try").await;
    assert!(sheet.status == 200 && sheet.text.contains(r#"aria-current="page">Try<"#), "{}", sheet.text);
    assert_eq!(world.post(&alice, "/try", "text=").await.status, 200);
}

/// W04.
#[tokio::test]
async fn what_was_pasted_comes_back_as_text() {
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    let evil = "</textarea><script>alert(1)</script>\"' onfocus=alert(1) x=\u{202e}";
    let text = format!(
        "jobs:\n  - {{name: '{}', every: 1h, push: {{im: qq, group: '7', text: hi, \"{0}\": 1}}}}\n  - {{name: '<img src=x onerror=alert(1)>', every: 1h, push: {{im: qq, group: '<b>', text: hi}}}}\n",
        evil.replace(['\'', '"'], "")
    );
    let page = world.post(&alice, "/try", &form(&text)).await;
    assert_eq!(page.status, 200);
    for bad in ["<script>alert", "</textarea><", "<img", "<b>'", "\u{202e}"] {
        assert!(!page.text.replace("</textarea></label>", "").contains(bad), "{bad}: {}", page.text);
    }
    assert!(page.text.contains("&#60;script&#62;alert") || page.text.contains("&lt;script&gt;alert"), "{}", page.text);
    let policy = page.header("content-security-policy").unwrap();
    assert_eq!(Some(policy), world.get(&alice, "/jobs").await.header("content-security-policy"));
    // What cannot be seen comes back by its number, so that the next try is of the same text.
    let odd = "a:\t1 # \u{202e}\u{2028}ü\u{1b}\n";
    let page = world.post(&alice, "/try", &form(odd)).await;
    assert!(page.text.contains("a:&#9;1 # &#8238;&#8232;ü&#27;\n</textarea>"), "{}", page.text);
    // Nor do the names of parameters.
    let page = world.post(&alice, "/try", "%3Cscript%3Ealert(1)=1").await;
    assert!(page.status == 422 && !page.text.contains("<script>alert"), "{}", page.text);
}
