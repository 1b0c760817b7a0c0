//! A fake WeCom: a group robot's webhook and an application's API with its tokens, uploads and duplicate check, after
//! the sheet. It answers with WeCom's error codes and notes what no client should do.
//!
//! It is proved by clients that others wrote (`tests/weixin_clients.rs`) and then serves the tests of ours.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::fake_im::{Answer, FakeIm, Request};

/// A robot's key has the form of a UUID.
pub(crate) const KEY: &str = "693a91f6-7a5c-4bc4-97a0-0ec2caaa5aaa";
pub(crate) const CORP: &str = "ww1a2b3c";
pub(crate) const SECRET: &str = "app-secret-CANARY";
pub(crate) const AGENT: i64 = 1_000_002;

/// What a reader sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Text(String),
    Markdown(String),
    Card(String),
    Media { kind: String, name: String, content: Vec<u8> },
}

#[derive(Default)]
pub(crate) struct Service {
    /// What was shown, and to whom: a robot's group is `robot`.
    pub shown: Vec<(String, Shown)>,
    pub breaches: Vec<String>,
    /// Answers for the next calls to a path, before the service's own.
    pub scripted: BTreeMap<&'static str, VecDeque<Answer>>,
    /// Shows the message, and then answers so: a lost or late answer.
    pub after_showing: VecDeque<Answer>,
    pub members: Vec<&'static str>,
    pub tokens: usize,
    /// Requests that asked for the duplicate check, as they were.
    checked: Vec<Value>,
    uploads: BTreeMap<String, (String, String, Vec<u8>)>,
}

pub(crate) struct FakeWecom {
    pub im: FakeIm,
    service: Arc<Mutex<Service>>,
}

impl FakeWecom {
    pub(crate) async fn start() -> FakeWecom {
        let im = FakeIm::start().await;
        let service = Arc::new(Mutex::new(Service { members: vec!["zhangsan", "lisi"], ..Service::default() }));
        let state = service.clone();
        im.handle("", move |request| state.lock().unwrap().answer(request));
        FakeWecom { im, service }
    }

    pub(crate) fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap()
    }

    pub(crate) fn script(&self, path: &'static str, answers: impl IntoIterator<Item = Answer>) {
        self.service().scripted.insert(path, answers.into_iter().collect());
    }

    pub(crate) fn calls(&self, path: &str) -> usize {
        self.im.requests_to(path).len()
    }

    /// What was shown to anybody, in order.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        self.service().shown.iter().map(|(_, shown)| shown.clone()).collect()
    }
}

/// A refusal that tries to give away what it was asked with.
pub(crate) fn refused(code: i64) -> Answer {
    let errmsg = format!("no {KEY} {SECRET}, hint: [1], from ip: 192.0.2.7, more info at devtool/query?e={code}");
    Answer::json(200, json!({"errcode": code, "errmsg": errmsg}))
}

impl Service {
    fn answer(&mut self, request: &Request) -> Answer {
        let path = request.path.trim_start_matches("/cgi-bin/").to_owned();
        if let Some(answer) = self.scripted.get_mut(path.as_str()).and_then(VecDeque::pop_front) {
            return answer;
        }
        let result = match path.as_str() {
            "webhook/send" => self.keyed(request).and_then(|()| self.show_from_robot(&request.json())),
            "webhook/upload_media" => self.keyed(request).and_then(|()| self.upload(request, KEY, &["voice", "file"])),
            "gettoken" => self.token(request),
            "message/send" => self.signed(request).and_then(|()| self.show_to_members(request.json())),
            "appchat/send" => self.signed(request).and_then(|()| self.show_in_chat(&request.json())),
            "media/upload" => {
                self.signed(request).and_then(|()| self.upload(request, CORP, &["image", "voice", "video", "file"]))
            }
            "agent/get" => {
                self.signed(request).map(|()| json!({"errcode": 0, "errmsg": "ok", "agentid": AGENT, "close": 0}))
            }
            _ => {
                self.breaches.push(format!("unknown path {path}"));
                return Answer::status(404);
            }
        };
        match result {
            Ok(_) if path.ends_with("/send") && !self.after_showing.is_empty() => {
                self.after_showing.pop_front().expect("not empty")
            }
            Ok(body) => Answer::json(200, body),
            Err(code) => Answer::json(
                200,
                json!({"errcode": code, "errmsg": format!("no, more info at devtool/query?e={code}")}),
            ),
        }
    }

    fn keyed(&self, request: &Request) -> Result<(), i64> {
        if request.query.get("key").is_some_and(|key| key == KEY) { Ok(()) } else { Err(93000) }
    }

    fn token(&mut self, request: &Request) -> Result<Value, i64> {
        let query = |name: &str| request.query.get(name).map(String::as_str);
        match (query("corpid"), query("corpsecret")) {
            (Some(CORP), Some(SECRET)) => {
                self.tokens += 1;
                let token = format!("token-CANARY-{}", self.tokens);
                Ok(json!({"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": 7200}))
            }
            (Some(CORP), _) => Err(40001),
            _ => Err(40013),
        }
    }

    fn signed(&self, request: &Request) -> Result<(), i64> {
        match request.query.get("access_token") {
            None => Err(41001),
            Some(token) if *token == format!("token-CANARY-{}", self.tokens) => Ok(()),
            Some(_) => Err(40014),
        }
    }

    fn upload(&mut self, request: &Request, owner: &str, types: &[&str]) -> Result<Value, i64> {
        let kind = request.query.get("type").cloned().unwrap_or_default();
        let (name, content) = form_file(request).ok_or(41005)?;
        let limit = match kind.as_str() {
            "image" | "video" => 10 << 20,
            "voice" => 2 << 20,
            _ => 20 << 20,
        };
        match kind.as_str() {
            kind if !types.contains(&kind) => Err(40004),
            _ if content.len() <= 5 => Err(40006),
            _ if content.len() > limit => Err(40009),
            "voice" if !content.starts_with(b"#!AMR") => Err(301_017),
            "image" if !content.starts_with(b"\x89PNG") && !content.starts_with(b"\xff\xd8") => Err(40005),
            _ => {
                let media_id = format!("media-{}", self.uploads.len() + 1);
                self.uploads.insert(format!("{owner} {kind} {media_id}"), (kind.clone(), name, content));
                let created_at = "1767229200";
                Ok(json!({"errcode": 0, "errmsg": "ok", "type": kind, "media_id": media_id, "created_at": created_at}))
            }
        }
    }

    fn media(&self, owner: &str, kind: &str, content: &Value) -> Result<Shown, i64> {
        let media_id = content["media_id"].as_str().unwrap_or_default();
        let (kind, name, content) = self.uploads.get(&format!("{owner} {kind} {media_id}")).ok_or(40007)?.clone();
        Ok(Shown::Media { kind, name, content })
    }

    /// A `text` of at most 2,048 bytes or markdown of at most `markdown` bytes.
    fn words(&mut self, msgtype: &str, content: &Value, markdown: usize) -> Result<Shown, i64> {
        let text = content["content"].as_str().ok_or(40058)?.to_owned();
        let limit = if msgtype == "text" { 2048 } else { markdown };
        if text.len() > limit {
            self.breaches.push(format!("{msgtype} of {} bytes", text.len()));
        }
        match (text.trim().is_empty(), msgtype) {
            (true, _) => Err(44004),
            (_, "text") => Ok(Shown::Text(text)),
            _ => Ok(Shown::Markdown(text)),
        }
    }

    fn show_from_robot(&mut self, body: &Value) -> Result<Value, i64> {
        let msgtype = body["msgtype"].as_str().unwrap_or_default().to_owned();
        let content = &body[&msgtype];
        let shown = match msgtype.as_str() {
            "text" | "markdown" | "markdown_v2" => self.words(&msgtype, content, 4096)?,
            "image" => {
                let image = STANDARD.decode(content["base64"].as_str().unwrap_or_default()).map_err(|_| 40063)?;
                let md5: String = Md5::digest(&image).iter().map(|byte| format!("{byte:02x}")).collect();
                if content["md5"] != md5 || image.len() > 2 << 20 {
                    return Err(40063);
                }
                Shown::Media { kind: msgtype.clone(), name: String::new(), content: image }
            }
            "file" | "voice" => self.media(KEY, &msgtype, content)?,
            _ => return Err(40008),
        };
        self.shown.push(("robot".to_owned(), shown));
        Ok(json!({"errcode": 0, "errmsg": "ok"}))
    }

    fn content(&mut self, body: &Value) -> Result<Shown, i64> {
        let msgtype = body["msgtype"].as_str().unwrap_or_default().to_owned();
        let content = &body[&msgtype];
        match msgtype.as_str() {
            "text" | "markdown" => self.words(&msgtype, content, 2048),
            "image" | "voice" | "video" | "file" => self.media(CORP, &msgtype, content),
            "textcard" => {
                let field = |name: &str| content[name].as_str().filter(|text| !text.is_empty()).ok_or(40058);
                let (title, description, url) = (field("title")?, field("description")?, field("url")?);
                if title.len() > 128 || description.len() > 512 {
                    self.breaches.push(format!("textcard {content}"));
                }
                Ok(Shown::Card(format!("{title} {url}")))
            }
            _ => Err(40008),
        }
    }

    fn show_to_members(&mut self, body: Value) -> Result<Value, i64> {
        if body["agentid"].as_i64() != Some(AGENT) {
            return Err(40056);
        }
        let named = body["touser"].as_str().unwrap_or_default().to_owned();
        let others = ["toparty", "totag"].iter().any(|field| body[*field].as_str().is_some_and(|ids| !ids.is_empty()));
        let named: Vec<String> = match named.as_str() {
            "@all" => self.members.iter().map(|member| (*member).to_owned()).collect(),
            named => named.split('|').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        };
        let (known, unknown): (Vec<String>, Vec<String>) =
            named.into_iter().partition(|name| self.members.contains(&name.as_str()));
        if known.is_empty() && !others {
            return Err(81013);
        }
        let shown = self.content(&body)?;
        let wants_check = body["enable_duplicate_check"] == 1;
        let swallowed = wants_check && self.checked.contains(&body);
        if wants_check {
            let interval = body["duplicate_check_interval"].as_u64().unwrap_or(1800);
            if interval > 4 * 3600 {
                self.breaches.push(format!("interval {interval}"));
            }
            self.checked.push(body);
        }
        if !swallowed {
            self.shown.push((known.join("|"), shown));
        }
        let msgid = format!("msg-{}", self.shown.len());
        Ok(json!({"errcode": 0, "errmsg": "ok", "invaliduser": unknown.join("|"), "invalidparty": "", "msgid": msgid}))
    }

    fn show_in_chat(&mut self, body: &Value) -> Result<Value, i64> {
        let chat = body["chatid"].as_str().unwrap_or_default();
        if chat != "chat-1" {
            return Err(86003);
        }
        let shown = self.content(body)?;
        self.shown.push((chat.to_owned(), shown));
        Ok(json!({"errcode": 0, "errmsg": "ok"}))
    }
}

/// The name and content of the part `media` of a multipart form.
fn form_file(request: &Request) -> Option<(String, Vec<u8>)> {
    let boundary = request.header("content-type")?.split_once("boundary=")?.1.trim_matches('"');
    let find = |haystack: &[u8], needle: &[u8]| haystack.windows(needle.len()).position(|window| window == needle);
    let head_end = find(&request.body, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&request.body[..head_end]).into_owned();
    let content = &request.body[head_end + 4..];
    let content = &content[..find(content, format!("\r\n--{boundary}").as_bytes())?];
    head.contains("name=\"media\"").then_some(())?;
    let name = head.split_once("filename=\"")?.1.split_once('"')?.0.to_owned();
    Some((name, content.to_vec()))
}
