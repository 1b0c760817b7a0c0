//! For each registered sender the platform that it speaks to: what an account needs to reach it, and what it answers when
//! all is well.

use std::path::Path;

use serde_json::{Value, json};

use super::deliveries::{NOW, group, user};
use super::fake_im::{Answer, FakeIm};
use super::senders::Bench;
use pushcron::domain::{Account, Target};

/// Stands in every secret, and in every address that is one.
pub(crate) const CANARY: &str = "CANARY";

/// Settings as in the YAML.
pub(crate) type Settings = Vec<(&'static str, String)>;

pub(crate) struct Platform {
    pub sender: &'static str,
    /// What an account must have to reach it at `base`.
    settings: fn(base: &str) -> Settings,
    /// Ids of a group and of a user, where the sender reaches such.
    targets: (Option<&'static str>, Option<&'static str>),
    /// In the path of the call that sends a text to the first of the two.
    pub decisive: &'static str,
    /// The answers to all calls, by a part of their path; the longest that fits counts. The first is the platform's yes
    /// to a message.
    answers: Vec<(&'static str, Answer)>,
    /// Writes what the sender finds from earlier days: its files, and its memory as (key, value).
    past: fn(base: &str, state_dir: &Path) -> Vec<(String, Value)>,
}

impl Platform {
    /// None: the sender speaks no HTTP.
    pub(crate) fn of(sender: &str) -> Option<Platform> {
        Some(match sender {
            "console" => return None,
            "dingtalk_robot" => dingtalk_robot(),
            "feishu_app" => feishu_app(),
            "feishu_robot" => feishu_robot(),
            "ilink" => ilink(),
            "matrix" => matrix(),
            "onebot11" => onebot11(),
            "qianxun" => qianxun(),
            "telegram" => telegram(),
            "webhook" => webhook(),
            "wecom_app" => wecom_app(),
            "wecom_robot" => wecom_robot(),
            other => panic!("{other} has no platform in tests/it/common/platforms.rs"),
        })
    }

    fn new(
        sender: &'static str,
        decisive: &'static str,
        yes: (&'static str, Value),
        settings: fn(&str) -> Settings,
    ) -> Platform {
        let (targets, past) = ((Some("123456"), None), |_: &str, _: &Path| Vec::new());
        Platform { sender, settings, targets, decisive, answers: Vec::new(), past }.answering(yes.0, yes.1)
    }

    fn to(self, group: Option<&'static str>, user: Option<&'static str>) -> Platform {
        Platform { targets: (group, user), ..self }
    }

    fn answering(self, part: &'static str, answer: Value) -> Platform {
        self.replying(part, Answer::json(200, answer))
    }

    fn replying(mut self, part: &'static str, answer: Answer) -> Platform {
        self.answers.push((part, answer));
        self
    }

    /// A server on which all is well.
    pub(crate) async fn start(&self) -> FakeIm {
        let im = FakeIm::start().await;
        for (part, answer) in &self.answers {
            im.on(part, answer.clone());
        }
        im
    }

    /// A bench with the sender's past on it.
    pub(crate) fn bench(&self, base: &str) -> Bench {
        let bench = Bench::new();
        for (key, value) in (self.past)(base, bench.dir.path()) {
            bench.memory.keep("bot", &key, &value.to_string());
        }
        bench
    }

    /// An account that has what it must have.
    pub(crate) fn account(&self, base: &str) -> Account {
        let settings = (self.settings)(base);
        let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        super::senders::account(self.sender, &settings)
    }

    pub(crate) fn target(&self, to_group: bool) -> Option<Target> {
        if to_group { self.targets.0.map(group) } else { self.targets.1.map(user) }
    }

    /// The platform's whole yes to a message.
    pub(crate) fn yes(&self) -> Value {
        let Answer::Reply { body, .. } = &self.answers[0].1 else { panic!("{} has no answer", self.sender) };
        serde_json::from_slice(body).unwrap()
    }
}

fn owned(settings: &[(&'static str, &str)]) -> Settings {
    settings.iter().map(|(key, value)| (*key, (*value).to_owned())).collect()
}

fn dingtalk_robot() -> Platform {
    let yes = json!({"errcode": 0, "errmsg": "ok"});
    Platform::new("dingtalk_robot", "/robot/send", ("/robot/send", yes), |base| {
        vec![("url", format!("{base}/robot/send?access_token={CANARY}-TOKEN"))]
    })
}

fn feishu_app() -> Platform {
    let yes = json!({"code": 0, "data": {"message_id": "om_1"}});
    let app = Platform::new("feishu_app", "/im/v1/messages", ("/im/v1/messages", yes), |base| {
        owned(&[("app_id", "cli_1"), ("app_secret", "CANARY-SECRET"), ("base_url", base)])
    });
    with_feishu_uploads(app.to(Some("oc_1"), Some("ou_1")))
}

fn feishu_robot() -> Platform {
    let yes = json!({"StatusCode": 0, "code": 0, "data": {}, "msg": "success"});
    with_feishu_uploads(Platform::new("feishu_robot", "/hook/", ("/hook/", yes), |base| {
        vec![("url", format!("{base}/open-apis/bot/v2/hook/{CANARY}-HOOK"))]
    }))
}

fn with_feishu_uploads(platform: Platform) -> Platform {
    let token = json!({"code": 0, "tenant_access_token": "t-CANARY-1", "expire": 7200});
    platform
        .answering("/tenant_access_token/", token)
        .answering("/im/v1/images", json!({"code": 0, "data": {"image_key": "img_1"}}))
        .answering("/im/v1/files", json!({"code": 0, "data": {"file_key": "file_1"}}))
}

/// A login, and a user who has just written.
fn ilink() -> Platform {
    let yes = ("/ilink/bot/sendmessage", json!({"message_id": 7}));
    let platform = Platform::new("ilink", yes.0, yes, |base| vec![("cdn_url", format!("{base}/c2c"))])
        .to(None, Some("me"))
        .answering("/ilink/bot/getuploadurl", json!({"upload_param": "p"}))
        .replying("/c2c/upload", Answer::status(200).header("x-encrypted-param", "p"));
    let past = |base: &str, state_dir: &Path| {
        let login = json!({"bot_id": "b@im.bot", "user_id": "u@im.wechat", "token": CANARY, "base_url": base});
        std::fs::create_dir(state_dir.join("credentials")).unwrap();
        std::fs::write(state_dir.join("credentials/bot.json"), login.to_string()).unwrap();
        let contact = json!({"context_token": CANARY, "last_inbound_at": NOW});
        vec![("b@im.bot".to_owned(), json!({"contacts": {"u@im.wechat": contact}}))]
    };
    Platform { past, ..platform }
}

fn matrix() -> Platform {
    let yes = ("/send/m.room.message/", json!({"event_id": "$event"}));
    Platform::new("matrix", yes.0, yes, |base| vec![("url", format!("{base}/")), ("token", format!("syt_{CANARY}"))])
        .to(Some("!room:im.test"), Some("@al:im.test"))
        .answering("/upload", json!({"content_uri": "mxc://im.test/abc"}))
        .answering("/media/config", json!({"m.upload.size": 50_000_000}))
        .answering("/whoami", json!({"user_id": "@bot:im.test"}))
        .replying("/state/", Answer::json(404, json!({"errcode": "M_NOT_FOUND", "error": "because"})))
        .answering("/join/", json!({"room_id": "!room:im.test"}))
        .answering("/account_data/m.direct", json!({}))
        .answering("/createRoom", json!({"room_id": "!new:im.test"}))
        .answering("/joined_members", json!({"joined": {"@bot:im.test": {}, "@al:im.test": {}}}))
}

/// A logged-in NapCat that takes everything.
fn onebot11() -> Platform {
    let ok = |data: Value| json!({"status": "ok", "retcode": 0, "data": data, "message": "", "wording": ""});
    let missing = json!({"status": "failed", "retcode": 100, "data": null, "message": "MSG_NOT_FOUND"});
    let version = json!({"app_name": "NapCat.Onebot", "app_version": "4.18.13", "protocol_version": "v11"});
    Platform::new("onebot11", "/send_group_msg", ("/send_", ok(json!({"message_id": 42}))), |base| {
        vec![("url", format!("{base}/")), ("token", CANARY.to_owned())]
    })
    .to(Some("123456"), Some("10001"))
    .answering("/get_version_info", ok(version))
    .answering("/get_status", ok(json!({"online": true, "good": true, "stat": {}})))
    .answering("/get_login_info", ok(json!({"user_id": 10001, "nickname": "机器人"})))
    .answering("/upload_", ok(json!({"file_id": "f1"})))
    .answering("/get_msg", missing)
}

fn qianxun() -> Platform {
    let yes = ("/qianxun/httpapi", json!({"code": 200, "msg": "ok", "result": {"sendId": "s1"}}));
    Platform::new("qianxun", yes.0, yes, |base| {
        owned(&[("url", &format!("{base}/qianxun/httpapi")), ("wxid", "wxid_bot"), ("safekey", CANARY)])
    })
    .to(Some("123456"), Some("wxid_bob"))
}

fn telegram() -> Platform {
    let yes = json!({"ok": true, "result": {"message_id": 7}});
    Platform::new("telegram", "/sendMessage", ("", yes), |base| {
        vec![("token", format!("123456:{CANARY}-TOKEN")), ("base_url", base.to_owned())]
    })
    .to(Some("-100123"), Some("42"))
}

fn webhook() -> Platform {
    Platform::new("webhook", "/hook", ("/hook", json!({})), |base| vec![("url", format!("{base}/hook?token={CANARY}"))])
        .to(Some("123456"), Some("al"))
}

fn wecom_app() -> Platform {
    let yes = json!({"errcode": 0, "errmsg": "ok", "msgid": "m1"});
    Platform::new("wecom_app", "/appchat/send", ("/appchat/send", yes.clone()), |base| {
        owned(&[("corp_id", "ww1"), ("agent_id", "1000002"), ("corp_secret", CANARY), ("base_url", base)])
    })
    .to(Some("chat-1"), Some("zhangsan"))
    .answering("/message/send", yes)
    .answering("/gettoken", json!({"errcode": 0, "access_token": CANARY, "expires_in": 7200}))
    .answering("/media/upload", json!({"errcode": 0, "media_id": "m"}))
}

fn wecom_robot() -> Platform {
    let yes = ("/webhook/send", json!({"errcode": 0, "errmsg": "ok"}));
    let uploaded = json!({"errcode": 0, "errmsg": "ok", "type": "file", "media_id": "M1", "created_at": "1767229200"});
    Platform::new("wecom_robot", yes.0, yes, |base| vec![("url", format!("{base}/cgi-bin/webhook/send?key={CANARY}"))])
        .answering("/webhook/upload_media", uploaded)
}
