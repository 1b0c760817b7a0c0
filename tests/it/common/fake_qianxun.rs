//! A Qianxun hook as far as the sheet tells it (qx.md): both generations, both plans, exact slashes, the envelope, and
//! what it can read. `tests/qianxun_clients.rs` proves it with clients that others wrote.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fake_im::{Answer, FakeIm, Request};

/// A message that the hook took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// `sendText`, `Q0010` …
    pub call: String,
    pub target: String,
    /// The text, or the path as it came; content as `content:N bytes`.
    pub content: String,
    pub filename: Option<String>,
    pub send_id: String,
}

pub(crate) struct State {
    /// The WeChats that are logged in.
    pub bots: Vec<String>,
    pub safekey: Option<String>,
    pub licence_expired: bool,
    /// Versions before 3.9.12.16 do not know the question for the licence.
    pub knows_licence: bool,
    pub login_status: Value,
    /// Paths that exist on the Windows machine, and addresses that it can fetch.
    pub readable: Vec<String>,
    pub known_targets: Option<Vec<String>>,
    pub taken: Vec<Taken>,
    /// The next send gets this answer in place of its own, message unsent.
    pub next_send: Option<Answer>,
}

pub(crate) struct Hook {
    pub im: FakeIm,
    state: Arc<Mutex<State>>,
}

impl Hook {
    pub(crate) async fn start() -> Hook {
        let im = FakeIm::start().await;
        let state = Arc::new(Mutex::new(State {
            bots: vec!["wxid_bot".into(), "wxid_other".into()],
            safekey: None,
            licence_expired: false,
            knows_licence: true,
            login_status: json!(3),
            readable: Vec::new(),
            known_targets: None,
            taken: Vec::new(),
            next_send: None,
        }));
        let shared = state.clone();
        im.handle("", move |request| answer(&mut shared.lock().unwrap(), request));
        Hook { im, state }
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.lock().unwrap().taken.clone()
    }

    /// What was taken, as `call target content`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.taken().iter().map(|taken| format!("{} {} {}", taken.call, taken.target, taken.content)).collect()
    }
}

fn answer(state: &mut State, request: &Request) -> Answer {
    let (is_pro, is_framework) = match request.path.as_str() {
        "/qianxun/httpapi" => (true, true),
        "/wechat/httpapi" => (true, false),
        "/DaenWxHook/httpapi/" => (false, true),
        "/DaenWxHook/client/" => (false, false),
        _ => return refused(404, "路由不存在"),
    };
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return refused(500, "JSON解析失败") };
    let (Some(call), true) = (body["type"].as_str(), body["data"].is_object()) else {
        return refused(500, "参数错误");
    };
    let given = |name: &str| {
        let mut query = request.query.iter();
        let from_query = query.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        from_query.or_else(|| request.header(name))
    };
    if state.safekey.is_some() && state.safekey.as_deref() != given("safekey") {
        return refused(403, "safekey错误");
    }
    let is_list = matches!(call, "getWeChatList" | "X0000");
    let bot = if is_framework && !is_list {
        match given("wxid").filter(|wxid| state.bots.iter().any(|bot| bot == wxid)) {
            Some(wxid) => wxid.to_owned(),
            None => return refused(500, "该微信不在线"),
        }
    } else {
        state.bots.first().cloned().unwrap_or_default()
    };
    match perform(state, is_pro, call, &body["data"], &bot) {
        Ok(result) => envelope(result, (!is_list).then_some(bot.as_str())),
        Err(answer) => answer,
    }
}

fn perform(state: &mut State, is_pro: bool, call: &str, data: &Value, bot: &str) -> Result<Value, Answer> {
    let bots =
        state.bots.iter().map(|wxid| json!({"wxid": wxid, "nick": "D\\uD83D\\uDE00", "pid": "27544", "port": "7628"}));
    match (is_pro, call) {
        (true, "getWeChatList") | (false, "X0000") => Ok(bots.collect()),
        (true, "checkWeChat") | (false, "Q0000") => Ok(json!({"wxid": bot, "recv": 4, "send": 0})),
        (true, "getLoginStatus") => Ok(json!({"status": state.login_status})),
        (true, "getAuthInfo") if !state.knows_licence => Err(refused(500, "不支持的类型")),
        (true, "getAuthInfo") => {
            let expired = i32::from(state.licence_expired);
            Ok(json!({"wxid": bot, "expireTime": "2025-06-26 14:40:15", "isExpire": expired}))
        }
        (true, "getGroupList") => Ok(json!([{"wxid": "123@chatroom", "nick": "a\u{1}b", "groupMemberNum": 4}])),
        (true, "queryObj") | (false, "Q0004") => {
            let wxid = text(data, "wxid")?;
            let known = state.known_targets.as_ref().is_none_or(|known| known.iter().any(|one| one == wxid));
            Ok(if known { json!({"wxid": wxid, "nick": "x"}) } else { json!({}) })
        }
        (true, "sendText") | (false, "Q0001") => {
            let msg = text(data, "msg")?;
            if msg.encode_utf16().count() > 2048 {
                return Err(refused(500, "微信已崩溃"));
            }
            take(state, is_pro, call, data, msg.to_owned())
        }
        (true, "sendImage" | "sendFile") | (false, "Q0010" | "Q0011") => {
            let content = read(state, is_pro, data)?;
            take(state, is_pro, call, data, content)
        }
        _ => Err(refused(500, "不支持的类型")),
    }
}

/// What the hook makes of `path`.
fn read(state: &State, is_pro: bool, data: &Value) -> Result<String, Answer> {
    let path = text(data, "path")?;
    let unread = || refused(500, "图片不存在或者下载失败");
    if let Some(base64) = path.strip_prefix("base64,") {
        let content = STANDARD.decode(base64).ok().filter(|_| is_pro).ok_or_else(unread)?;
        return Ok(format!("content:{} bytes", content.len()));
    }
    let is_link = path.starts_with("http://") || path.starts_with("https://");
    let is_named = data["fileName"].as_str().is_some_and(|name| !name.is_empty());
    if is_link && is_pro && !is_named {
        return Err(refused(500, "fileName不能为空"));
    }
    let found = state.readable.iter().any(|known| path.starts_with(known.as_str()));
    if found { Ok(path.to_owned()) } else { Err(unread()) }
}

fn take(state: &mut State, is_pro: bool, call: &str, data: &Value, content: String) -> Result<Value, Answer> {
    if let Some(answer) = state.next_send.take() {
        return Err(answer);
    }
    let send_id = format!("{:032x}", 0xc7df_u32 + u32::try_from(state.taken.len()).unwrap());
    state.taken.push(Taken {
        call: call.to_owned(),
        target: text(data, "wxid")?.to_owned(),
        content,
        filename: data["fileName"].as_str().map(str::to_owned),
        send_id: send_id.clone(),
    });
    Ok(if is_pro { json!({"sendId": send_id}) } else { json!({}) })
}

fn text<'a>(data: &'a Value, key: &str) -> Result<&'a str, Answer> {
    data[key].as_str().filter(|text| !text.is_empty()).ok_or_else(|| refused(500, &format!("{key}不能为空")))
}

fn envelope(result: Value, bot: Option<&str>) -> Answer {
    let mut envelope = json!({"code": 200, "msg": "操作成功", "result": result, "timestamp": "1741015593840"});
    if let Some(bot) = bot {
        envelope["wxid"] = bot.into();
        envelope["port"] = 7628.into();
        envelope["pid"] = 27544.into();
        envelope["flag"] = "7643".into();
    }
    // The hook writes control characters in names as they are.
    Answer::text(200, envelope.to_string().replace("\\u0001", "\u{1}")).header("content-type", "application/json")
}

/// Refusals come with HTTP 200, as the hook's do, but for a route that is not there.
pub(crate) fn refused(code: u16, msg: &str) -> Answer {
    let status = if code == 404 { 404 } else { 200 };
    Answer::json(status, json!({"code": code, "msg": msg, "result": {}, "timestamp": "1741015593840"}))
}
