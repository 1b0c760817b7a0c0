//! A canary stands in for every secret that there can be, in every form in which it can be given. Then all goes wrong in
//! every way, told at trace level, and no canary may be seen anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pushcron::domain::sender::SettingKind;
use pushcron::domain::{Kind, SenderSpec};
use pushcron::senders;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::web::ask;

use crate::common::daemon::{Daemon, House, until};
use crate::common::fake_im::{Answer, FakeIm, Refused, Request};

const CANARY: &str = "CANARY";

/// Of the HTTP API; the files hold its digest alone.
const TOKEN: &str = "CANARYapitoken";

/// In so many ways the receiver answers.
const MISFORTUNES: usize = 12;

/// How a secret is given.
const FORMS: [&str; 4] = ["inline", "variable", "file", "credential"];

/// What stands in the house beside what pushcron makes there: the only files that may hold a canary.
const PLANTED: [&str; 4] = ["jobs.yaml", "secrets", "credentials", "broken.yaml"];

/// One account, and the secrets that it is given.
struct Planted {
    id: String,
    spec: &'static SenderSpec,
    form: &'static str,
    base: String,
    /// Setting and value.
    secrets: Vec<(&'static str, String)>,
}

impl Planted {
    fn new(spec: &'static SenderSpec, form: &'static str, origin: &str) -> Planted {
        let id = format!("{}_{form}", spec.name);
        let base = format!("{origin}/{id}");
        let is_secret = |kind| matches!(kind, SettingKind::Secret | SettingKind::Url);
        let secrets = spec.settings.iter().filter(|setting| is_secret(setting.kind)).map(|setting| {
            let canary = format!("{CANARY}{}{}{form}", spec.name.replace('_', ""), setting.key.replace('_', ""));
            (setting.key, value(spec.name, setting.key, setting.kind, &base, &canary))
        });
        Planted { id, spec, form, secrets: secrets.collect(), base }
    }

    /// The account's keys as YAML, the secrets in its form.
    fn yaml(&self, house: &Path) -> String {
        let Planted { id, spec, form, .. } = self;
        let mut keys = format!("id: {id}, im: {id}, sender: {}, default: true, min_interval: 0s", spec.name);
        for (key, value) in &self.secrets {
            let file = format!("{id}.{key}");
            let _ = match *form {
                "inline" => write!(keys, ", {key}: '{value}'"),
                "variable" => write!(keys, ", {key}: '${{{}}}'", variable(id, key)),
                "file" => write!(keys, ", {key}_file: {}", private(&house.join("secrets"), &file, value)),
                _ => {
                    private(&house.join("credentials"), &file, value);
                    write!(keys, ", {key}_credential: {file}")
                }
            };
        }
        for (key, value) in others(spec.name) {
            let _ = write!(keys, ", {key}: {value}");
        }
        keys
    }

    fn push(&self, content: &str) -> String {
        let (group, user) = match self.spec.name {
            "telegram" => ("\"-100123\"", "\"42\""),
            "matrix" => ("\"!room:im.test\"", "\"@al:im.test\""),
            "ilink" => ("\"123456\"", "me"),
            _ => ("\"123456\"", "\"10001\""),
        };
        let is_group = (self.spec.support)(Kind::Text, true).is_possible();
        let target = if is_group { format!("group: {group}") } else { format!("user: {user}") };
        format!("{{im: {}, {target}, {content}, timeout: 2s}}", self.id)
    }

    /// A text and a picture every second, so that uploads go wrong as well.
    fn job(&self) -> String {
        let picture = (self.spec.support)(Kind::Image, (self.spec.support)(Kind::Text, true).is_possible());
        let pictures = if picture.is_possible() { self.push("image: picture.png") + ", " } else { String::new() };
        format!(
            "  - {{name: {}, every: 1s, push: [{pictures}{}], retry: {{backoff: 200ms, max_backoff: 1s}}}}\n",
            self.id,
            self.push("text: hi")
        )
    }
}

/// The value of a secret in the shape that its sender wants.
fn value(sender: &str, key: &str, kind: SettingKind, base: &str, canary: &str) -> String {
    match (sender, key) {
        ("telegram", "token") => format!("123456:{canary}"),
        ("webhook", "secret" | "old_secret") => format!("whsec_{}", STANDARD.encode(canary)),
        ("webhook", "header") => format!("X-Key: {canary}"),
        ("wecom_robot", "url") => format!("{base}/cgi-bin/webhook/send?key={canary}"),
        ("dingtalk_robot", "url") => format!("{base}/robot/send?access_token={canary}"),
        ("feishu_robot", "url") => format!("{base}/open-apis/bot/v2/hook/{canary}"),
        ("qianxun", "url") => format!("{base}/{canary}/qianxun/httpapi"),
        (_, "base_url" | "cdn_url") => format!("{base}/{canary}"),
        _ if kind == SettingKind::Url => {
            format!("{}/{canary}?token={canary}", base.replacen("://", &format!("://user:{canary}@"), 1))
        }
        _ => canary.to_owned(),
    }
}

/// What some senders need beside their secrets.
fn others(sender: &str) -> &'static [(&'static str, &'static str)] {
    match sender {
        "feishu_app" | "feishu_robot" => &[("app_id", "cli_1")],
        "wecom_app" => &[("corp_id", "ww1"), ("agent_id", "1000002")],
        "qianxun" => &[("wxid", "wxid_bot")],
        _ => &[],
    }
}

fn variable(id: &str, key: &str) -> String {
    format!("SECRET_{id}_{key}").to_uppercase()
}

/// Writes a private file and returns its path.
fn private(directory: &Path, name: &str, text: &str) -> String {
    std::fs::create_dir_all(directory).unwrap();
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// The login that `pushcron login` would have kept.
fn plant_login(house: &Path, account: &Planted) {
    let token = format!("{CANARY}login{}", account.form);
    let login = json!({"bot_id": "b@im.bot", "user_id": "u@im.wechat", "token": token, "base_url": account.base});
    private(&house.join("credentials"), &format!("{}.json", account.id), &login.to_string());
}

/// The account that a request was made for: the first part of its path.
fn account_of(request: &Request) -> String {
    request.path.split('/').nth(1).unwrap_or_default().to_owned()
}

/// A receiver that goes wrong in every way in turn, and quotes what it was sent wherever it can.
fn receiver_that_quotes(im: &FakeIm) {
    let mut turns: BTreeMap<String, usize> = BTreeMap::new();
    im.handle("", move |request| {
        let turn = turns.entry(account_of(request)).or_default();
        *turn += 1;
        let mut quoted = format!("{} {}?{:?}", request.method, request.path, request.query);
        for (name, value) in &request.headers {
            let _ = write!(quoted, "\n{name}: {value}");
        }
        quoted += &request.text();
        let granted = format!("{CANARY}granted");
        let verdict = |code: i64| {
            json!({
                "status": "failed", "retcode": code, "errcode": code, "code": code, "ret": code, "ok": false, "error_code": code,
                "errmsg": quoted, "msg": quoted, "message": quoted, "wording": quoted, "description": quoted,
                "error": quoted, "retmsg": quoted,
            })
        };
        let spelled = |write: fn(u32) -> String| quoted.chars().map(|letter| write(letter.into())).collect::<String>();
        match *turn % MISFORTUNES {
            // Grants whatever is asked for, so that what was granted can leak as well.
            0..=3 => Answer::json(
                200,
                json!({
                    "status": "ok", "retcode": 0, "errcode": 0, "code": 0, "ret": 0, "ok": true, "expires_in": 7200, "expire": 7200,
                    "access_token": granted, "tenant_access_token": granted, "upload_param": granted,
                    "get_updates_buf": "cursor", "msgs": [{
                        "message_id": 7, "from_user_id": "u@im.wechat", "message_type": 1, "context_token": "context",
                        "item_list": [{"type": 1, "text_item": {"text": "hello bot"}}],
                    }], "media_id": "m", "user_id": "@bot:im.test", "content_uri": "mxc://im.test/m",
                }),
            ),
            4 => Answer::json(200, verdict(40_014)),
            5 if *turn < MISFORTUNES => Answer::text(500, quoted),
            5 => Answer::text(500, spelled(|letter| format!("\\u{letter:04x}"))),
            6 => Answer::json(400, verdict(400)),
            7 => Answer::text(302, quoted.as_str()).header("location", &format!("/{CANARY}moved?{CANARY}")),
            8 => Answer::Reset,
            9 => Answer::Garbage,
            10 if *turn < MISFORTUNES => Answer::text(429, spelled(|letter| format!("&#{letter};"))).header("retry-after", "0"),
            10 => Answer::text(429, quoted).header("retry-after", "0"),
            _ if *turn < MISFORTUNES => Answer::text(401, spelled(|letter| format!("%{letter:02X}"))),
            _ => Answer::text(401, STANDARD.encode(quoted)),
        }
    });
}

/// Every form in which a canary can be found again: as it is, in the spellings of the receiver, and inside a base64 text.
fn traces() -> Vec<Vec<u8>> {
    let inside_base64 = (0..3).map(|shift| {
        let text = STANDARD.encode([&vec![b'x'; shift], CANARY.as_bytes()].concat());
        // Without the characters that depend on what stands before and after.
        text[(shift * 8).div_ceil(6)..(shift + CANARY.len()) * 8 / 6].to_owned()
    });
    let spelled = |write: fn(u32) -> String| CANARY.chars().map(|letter| write(letter.into())).collect::<String>();
    let spellings = [
        CANARY.to_owned(),
        spelled(|letter| format!("\\u{letter:04x}")),
        spelled(|letter| format!("&#{letter};")),
        spelled(|letter| format!("%{letter:02X}")),
    ];
    spellings.into_iter().chain(inside_base64).map(String::into_bytes).collect()
}

/// What surrounds the canaries in these bytes.
fn found_in(bytes: &[u8]) -> BTreeSet<String> {
    let around = |at: usize| {
        let part = &bytes[at.saturating_sub(200)..(at + 60).min(bytes.len())];
        String::from_utf8_lossy(part).into_owned()
    };
    let found = |trace: &Vec<u8>| {
        let windows = bytes.windows(trace.len()).enumerate();
        windows.filter(|(_, window)| window == trace).map(|(at, _)| around(at)).take(5).collect::<Vec<_>>()
    };
    traces().iter().flat_map(found).collect()
}

fn assert_no_canary(place: &str, bytes: &[u8]) {
    let found = found_in(bytes);
    assert!(found.is_empty(), "canaries in {place}:\n{}", Vec::from_iter(found).join("\n---\n"));
}

/// Looks into every file that pushcron made.
fn assert_no_canary_in_files(directory: &Path) -> Vec<PathBuf> {
    let mut looked_at = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if PLANTED.iter().any(|planted| path.ends_with(planted)) {
            continue;
        }
        if path.is_dir() {
            looked_at.extend(assert_no_canary_in_files(&path));
        } else if path.is_file() {
            // A socket holds nothing.
            assert_no_canary(&path.display().to_string(), &std::fs::read(&path).unwrap());
            looked_at.push(path);
        }
    }
    looked_at
}

/// Every verb that shows something, in every form.
const VERBS: [&str; 25] = [
    "check",
    "check --json",
    "-c broken.yaml check",
    "-c broken.yaml check --json",
    "jobs",
    "jobs --json",
    "jobs --csv",
    "accounts",
    "accounts --json",
    "accounts --csv",
    "accounts --probe",
    "accounts --probe --json",
    "history",
    "history --json",
    "history --csv",
    "next",
    "next --json",
    "explain webhook_inline 2026-01-01",
    "explain webhook_inline 2026-01-01 --json",
    "fire webhook_inline --wait",
    "pause telegram_inline",
    "resume telegram_inline",
    "push --im feishu_robot_inline --group 1 --text hi",
    "schema",
    "backup backup.db",
];

/// A house with a daemon's worth of secrets.
struct Vault {
    house: House,
    accounts: Vec<Planted>,
    /// Nobody listens there.
    _refused: Refused,
}

impl Vault {
    async fn new() -> Vault {
        let house = House::new().await;
        receiver_that_quotes(&house.im);
        let refused = Refused::new();
        // An answer, no connection, no TLS, an answer.
        let origins = [house.im.url(""), refused.url(), house.im.url("").replace("http:", "https:"), house.im.url("")];
        let of_sender = |spec| FORMS.iter().zip(&origins).map(move |(form, origin)| Planted::new(spec, form, origin));
        let accounts = senders::specs().into_iter().flat_map(of_sender).filter(|account| !account.secrets.is_empty());
        let vault = Vault { accounts: accounts.collect(), _refused: refused, house };
        vault.configure();
        vault
    }

    fn path(&self, name: &str) -> PathBuf {
        self.house.dir.path().join(name)
    }

    /// What the alarm's command was given and could see of us.
    fn child(&self) -> PathBuf {
        self.path("child")
    }

    fn configure(&self) {
        let here = self.house.dir.path();
        // The smallest PNG header there is.
        std::fs::write(self.path("picture.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
        let (mut accounts, mut jobs) = (String::new(), String::new());
        for account in &self.accounts {
            if account.spec.name == "ilink" {
                plant_login(here, account);
            }
            let _ = writeln!(accounts, "  - {{{}}}", account.yaml(here));
            jobs += &account.job();
        }
        let child = self.child();
        let look = format!("cat /dev/stdin /proc/self/environ /proc/self/cmdline >> {}", child.display());
        let yaml = format!(
            "daemon:\n  database: {}\n  timezone: UTC\n  web: {{listen: 'unix:{}', tokens: [{{name: all, sha256: {}, scope: act}}]}}\n  probe_every: 1s\n  metrics_file: {}\n  \
             heartbeat: {{url: '{}', every: 1s}}\n  on_failure: {{every: 1s, as_root: true, \
             command: [/bin/sh, -c, '{look}'], push: {{im: webhook_inline, group: ops}}}}\n\
             accounts:\n{accounts}jobs:\n{jobs}",
            self.house.database().display(),
            self.path("web.sock").display(),
            Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            self.path("metrics.prom").display(),
            self.house.im.url(&format!("/heartbeat/{CANARY}")),
        );
        self.house.write(&yaml);
        private(here, "broken.yaml", &yaml.replace("im: ", "in: "));
    }

    /// The program, told all that there is to tell.
    fn program(&self, words: &[&str]) -> Command {
        let mut command = self.house.program(&[&["-vvv"], words].concat());
        command.env("CREDENTIALS_DIRECTORY", self.path("credentials"));
        for account in self.accounts.iter().filter(|account| account.form == "variable") {
            command.envs(account.secrets.iter().map(|(key, value)| (variable(&account.id, key), value)));
        }
        command
    }

    /// W17: asks the HTTP API all that its document lists, of what went wrong, and looks at whole answers.
    async fn assert_no_canary_over_http(&self) {
        let socket = self.path("web.sock");
        let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
        let ask_in_time = async |method: &str, path: &str, headers: &str, body: &Value| {
            let mut answer = ask(&socket, method, path, headers, body).await;
            until("it may be asked again", async || {
                if answer.status == 429 {
                    answer = ask(&socket, method, path, headers, body).await;
                }
                answer.status != 429
            })
            .await;
            assert_no_canary(&format!("{method} {path}"), answer.whole.as_bytes());
            answer.status
        };
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        let document: Value = serde_json::from_str(&std::fs::read_to_string(document).unwrap()).unwrap();
        let worst = "SELECT max(id) FROM pushes WHERE state <> 'sent' GROUP BY im";
        let ids: Vec<String> = self.house.rows(worst).await.into_iter().map(|row| row[0].clone()).collect();
        let names: Vec<String> = self.accounts.iter().step_by(5).map(|account| account.id.clone()).collect();
        let mut asked = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            if methods["get"].is_null() {
                continue;
            }
            let (place, fill) = match path {
                path if path.contains("{id}") => ("{id}", &ids),
                path if path.contains("{account}") => ("{account}", &names),
                _ => ("{job}", &names),
            };
            for name in &fill[..if path.contains('{') { fill.len() } else { 1 }] {
                let query = if path.ends_with("/explain") { "?at=yesterday" } else { "" };
                let path = format!("{}{query}", path.replace(place, name));
                assert_eq!(ask_in_time("GET", &path, &bearer, &Value::Null).await, 200, "{path}");
                asked += 1;
            }
        }
        assert!(asked > 40, "{asked}");
        // The pages, as a user of the socket.
        let mut pages: Vec<String> =
            ["/", "/jobs", "/pushes", "/accounts", "/figures", "/acts", "/try"].map(str::to_owned).to_vec();
        pages.extend(ids.iter().map(|id| format!("/pushes/{id}")));
        pages.extend(names.iter().map(|name| format!("/jobs/{name}")));
        for page in pages {
            assert_eq!(ask_in_time("GET", &page, "", &Value::Null).await, 200, "{page}");
        }
        // And what the API says of pushes that end badly while somebody waits, and of bodies that are wrong.
        for name in &names {
            let push = json!({"im": name, "group": "123456", "text": "hi", "timeout": "2s", "wait": 3000});
            ask_in_time("POST", "/api/push", "", &push).await;
            let slip = json!({"im": name, "group": "123456", "txet": TOKEN.replace("CANARY", "")});
            assert_eq!(ask_in_time("POST", "/api/push", "", &slip).await, 422);
        }
        let nobodys =
            ask_in_time("GET", "/api/v1/jobs", "Authorization: Bearer CANARYofnobody\r\n", &Value::Null).await;
        assert_eq!(nobodys, 401);
    }

    /// Until each account that reaches the receiver has met every misfortune.
    async fn everything_goes_wrong(&self, daemon: &Daemon) {
        let im = &self.house.im;
        let reaching: Vec<_> = self.accounts.iter().filter(|account| account.base.starts_with(&im.url(""))).collect();
        let mut looks = 0;
        until("every account has met every misfortune", async || {
            looks += 1;
            if looks % 20 == 0 {
                // It ends the rest of accounts that failed too often.
                daemon.signal(libc::SIGHUP);
            }
            let mut met: BTreeMap<String, usize> = BTreeMap::new();
            im.requests().iter().for_each(|request| *met.entry(account_of(request)).or_default() += 1);
            reaching.iter().all(|account| met.get(&account.id).is_some_and(|met| *met >= MISFORTUNES))
        })
        .await;
        until("the alarm was raised", async || self.child().exists()).await;
        let silent = "SELECT id FROM accounts a WHERE last_error IS NULL
                       AND NOT EXISTS (SELECT 1 FROM attempts WHERE account = a.id AND error IS NOT NULL)";
        let none: [[&str; 0]; 0] = [];
        assert_eq!(self.house.rows(silent).await, none, "accounts that never told of an error");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_any_sender_reaches_a_row_a_log_an_error_an_answer_or_a_child() {
    let vault = Vault::new().await;
    let here = vault.house.dir.path();
    let mut daemon = vault.house.start(vault.program(&["run"])).await;
    vault.everything_goes_wrong(&daemon).await;
    let pid = daemon.child.id().unwrap();
    assert_no_canary("the daemon's command line", &std::fs::read(format!("/proc/{pid}/cmdline")).unwrap());
    for line in VERBS {
        let words: Vec<_> = line.split(' ').collect();
        let output = vault.program(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
        assert_ne!(output.status.code(), Some(64), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert_no_canary(line, &[output.stdout, output.stderr].concat());
    }
    vault.assert_no_canary_over_http().await;
    until("the numbers are written", async || vault.path("metrics.prom").exists()).await;
    let looked_at = assert_no_canary_in_files(here);
    let made =
        ["pushcron.db", "pushcron.db-wal", "pushcron.db.flights", "daemon.log", "metrics.prom", "child", "backup.db"];
    for made in made {
        assert!(looked_at.contains(&vault.path(made)), "{made} is not there: {looked_at:?}");
    }
    daemon.stop().await;
    assert_no_canary_in_files(here);
    let planted = std::fs::read(vault.path("jobs.yaml")).unwrap();
    assert!(!found_in(&planted).is_empty(), "a canary would not be found");
}
