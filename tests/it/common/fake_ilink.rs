//! A fake iLink service with its CDN, after the sheet: it knows logins, cursors, the send window and encrypted media,
//! decrypts what is sent to it, and notes every breach of the protocol instead of forgiving it.
//!
//! It is proved by a client that others wrote (`tests/weixin_clients.rs`) and then serves the tests of ours.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::fake_im::{Answer, FakeIm, Request};

pub(crate) const TOKEN: &str = "bot-token-CANARY";
pub(crate) const BOT: &str = "b0b0@im.bot";
pub(crate) const USER: &str = "o9cq80@im.wechat";

/// What arrived at the user, decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    Text(String),
    Image(Vec<u8>),
    Video(Vec<u8>),
    File { name: String, content: Vec<u8> },
}

/// An upload that was announced: what `getuploadurl` was told.
#[derive(Clone, Debug)]
struct Announced {
    request: Value,
    /// The ciphertext, once it is there.
    content: Option<Vec<u8>>,
}

#[derive(Default)]
pub(crate) struct Service {
    pub arrived: Vec<Arrived>,
    /// The `msg` of every accepted sendmessage.
    pub messages: Vec<Value>,
    /// What was not as the protocol wants it.
    pub breaches: Vec<String>,
    /// Answers for the next calls to a path, before the service's own.
    pub scripted: BTreeMap<&'static str, VecDeque<Answer>>,
    /// Whether `getuploadurl` answers with the full address, as newer servers do.
    pub full_upload_url: bool,
    pub stale: bool,
    /// The answers of the QR status, in turn; the last one stays.
    pub statuses: VecDeque<Value>,
    inbox: Vec<Value>,
    uploads: BTreeMap<String, Announced>,
    pub notified: Vec<&'static str>,
}

pub(crate) struct FakeIlink {
    pub im: FakeIm,
    pub service: Arc<Mutex<Service>>,
    inbound: Arc<Notify>,
}

impl FakeIlink {
    pub(crate) async fn start() -> FakeIlink {
        let im = FakeIm::start().await;
        let service = Arc::new(Mutex::new(Service::default()));
        let inbound = Arc::new(Notify::new());
        let base = im.url("");
        let (state, gate) = (service.clone(), inbound.clone());
        im.handle("", move |request| state.lock().unwrap().answer(request, &base, &gate));
        FakeIlink { im, service, inbound }
    }

    pub(crate) fn service(&self) -> std::sync::MutexGuard<'_, Service> {
        self.service.lock().unwrap()
    }

    /// The user writes to the bot at `ms` since the epoch.
    pub(crate) fn user_writes(&self, context_token: &str, ms: i64) {
        let mut service = self.service();
        let number = service.inbox.len() as u64 + 1;
        service.inbox.push(json!({
            "seq": number,
            // Beyond what an f64 holds.
            "message_id": 7_438_000_000_000_000_001_u64 + number,
            "from_user_id": USER,
            "to_user_id": BOT,
            "create_time_ms": ms,
            "message_type": 1,
            "message_state": 2,
            "context_token": context_token,
            "item_list": [{"type": 1, "text_item": {"text": "hello bot"}}],
        }));
        self.inbound.notify_one();
    }

    pub(crate) fn script(&self, path: &'static str, answers: impl IntoIterator<Item = Answer>) {
        self.service().scripted.insert(path, answers.into_iter().collect());
    }

    /// How often the path was called.
    pub(crate) fn calls(&self, path: &str) -> usize {
        self.im.requests_to(path).len()
    }
}

fn ok(body: Value) -> Answer {
    Answer::json(200, body)
}

impl Service {
    fn answer(&mut self, request: &Request, base: &str, inbound: &Arc<Notify>) -> Answer {
        let path = request.path.trim_start_matches('/').to_owned();
        self.check_headers(request, &path);
        let scripted = self.scripted.iter_mut().find(|(part, _)| path.ends_with(**part));
        if let Some(answer) = scripted.and_then(|(_, answers)| answers.pop_front()) {
            return answer;
        }
        if self.stale && request.header("authorization").is_some() {
            return ok(json!({"ret": -14, "errmsg": "session timeout"}));
        }
        match path.as_str() {
            "ilink/bot/get_bot_qrcode" => self.qr_code(request),
            "ilink/bot/get_qrcode_status" => {
                let next =
                    if self.statuses.len() > 1 { self.statuses.pop_front() } else { self.statuses.front().cloned() };
                ok(next.unwrap_or_else(|| json!({"status": "wait"})))
            }
            "ilink/bot/getupdates" => self.updates(&request.json(), inbound),
            "ilink/bot/sendmessage" => self.message(&request.json()),
            "ilink/bot/getuploadurl" => self.upload_url(request.json(), base),
            "c2c/upload" | "c2c/full" => self.upload(request),
            "ilink/bot/getconfig" => ok(json!({"ret": 0, "typing_ticket": "ticket"})),
            "ilink/bot/msg/notifystart" => self.notify("start"),
            "ilink/bot/msg/notifystop" => self.notify("stop"),
            _ => {
                self.breaches.push(format!("unknown path {path}"));
                Answer::status(404)
            }
        }
    }

    fn expect(&mut self, holds: bool, breach: impl FnOnce() -> String) {
        if !holds {
            self.breaches.push(breach());
        }
    }

    fn check_headers(&mut self, request: &Request, path: &str) {
        if path.starts_with("c2c/") {
            self.expect(request.method == "POST", || format!("{} {path}", request.method));
            self.expect(request.header("authorization").is_none(), || "a token at the CDN".to_owned());
            let content_type = request.header("content-type");
            self.expect(content_type == Some("application/octet-stream"), || format!("CDN: {content_type:?}"));
            return;
        }
        let app = (request.header("ilink-app-id"), request.header("ilink-app-clientversion"));
        let version = app.1.and_then(|version| version.parse::<u32>().ok()).unwrap_or_default();
        self.expect(app.0 == Some("bot") && version >> 16 == 2, || format!("{path}: {app:?}"));
        if path == "ilink/bot/get_qrcode_status" {
            self.expect(request.method == "GET", || format!("{} {path}", request.method));
            return;
        }
        self.expect(request.method == "POST", || format!("{} {path}", request.method));
        let json = request.header("content-type").is_some_and(|value| value.starts_with("application/json"));
        self.expect(json, || format!("{path}: no JSON"));
        let kind = request.header("authorizationtype");
        self.expect(kind == Some("ilink_bot_token"), || format!("{path}: {kind:?}"));
        let uin = request.header("x-wechat-uin").and_then(|value| STANDARD.decode(value).ok());
        let number = uin.and_then(|uin| String::from_utf8(uin).ok()).and_then(|uin| uin.parse::<u32>().ok());
        self.expect(number.is_some(), || format!("{path}: X-WECHAT-UIN {:?}", request.header("x-wechat-uin")));
        if path == "ilink/bot/get_bot_qrcode" {
            self.expect(request.header("authorization").is_none(), || "a token before login".to_owned());
            return;
        }
        let bearer = format!("Bearer {TOKEN}");
        self.expect(request.header("authorization") == Some(&bearer), || format!("{path}: wrong token"));
        let info = request.json()["base_info"].clone();
        let known = info["channel_version"].as_str().is_some_and(|version| version.starts_with("2."));
        self.expect(known, || format!("{path}: base_info {info}"));
        let agent = info["bot_agent"].as_str().unwrap_or_default();
        self.expect(agent.is_ascii() && agent.len() <= 256, || format!("{path}: bot_agent {agent}"));
    }

    fn qr_code(&mut self, request: &Request) -> Answer {
        let body = if request.body.is_empty() { json!({}) } else { request.json() };
        self.expect(request.query.get("bot_type").is_some_and(|kind| kind == "3"), || "bot_type".to_owned());
        let tokens = body["local_token_list"].as_array().map_or(0, Vec::len);
        self.expect(tokens <= 10, || "more than ten tokens".to_owned());
        ok(
            json!({"qrcode": "QR+1", "qrcode_img_content": "https://liteapp.weixin.qq.com/q/7GiQu1?qrcode=QR%2B1&bot_type=3"}),
        )
    }

    fn updates(&mut self, body: &Value, inbound: &Arc<Notify>) -> Answer {
        // A field without a value may be null.
        let cursor = body["get_updates_buf"].as_str().unwrap_or_default();
        let seen: usize =
            if cursor.is_empty() { 0 } else { cursor.trim_start_matches("cursor-").parse().unwrap_or(usize::MAX) };
        self.expect(seen <= self.inbox.len(), || format!("cursor {cursor:?}"));
        let news = self.inbox.get(seen..).unwrap_or_default().to_vec();
        let answer = |msgs: &[Value], cursor: String| {
            ok(json!({"ret": 0, "msgs": msgs, "get_updates_buf": cursor, "longpolling_timeout_ms": 35_000}))
        };
        if news.is_empty() {
            // Held until somebody writes; the news come with the next poll.
            return answer(&[], String::new()).held(inbound);
        }
        answer(&news, format!("cursor-{}", self.inbox.len()))
    }

    fn message(&mut self, body: &Value) -> Answer {
        let message = body["msg"].clone();
        let fixed =
            (message["message_type"].as_u64(), message["message_state"].as_u64(), message["from_user_id"].as_str());
        self.expect(fixed == (Some(2), Some(2), Some("")), || format!("message {message}"));
        let client_id = message["client_id"].as_str().unwrap_or_default();
        self.expect(!client_id.is_empty(), || "no client_id".to_owned());
        let items = message["item_list"].as_array().cloned().unwrap_or_default();
        self.expect(items.len() == 1, || format!("{} items", items.len()));
        let to = message["to_user_id"].as_str();
        self.expect(to == Some(USER), || format!("to {to:?}"));
        match items.first().map(|item| self.unpack(item)) {
            Some(Ok(arrived)) => self.arrived.push(arrived),
            Some(Err(breach)) => self.breaches.push(breach),
            None => {}
        }
        self.messages.push(message);
        ok(json!({"message_id": 7_438_000_000_000_100_000_u64 + self.messages.len() as u64}))
    }

    fn unpack(&self, item: &Value) -> Result<Arrived, String> {
        match item["type"].as_u64() {
            Some(1) => {
                let text = item["text_item"]["text"].as_str().ok_or("no text")?;
                if text.len() > 16_384 {
                    return Err(format!("a text of {} bytes", text.len()));
                }
                Ok(Arrived::Text(text.to_owned()))
            }
            Some(2) => {
                let (content, encrypted) = self.fetch(&item["image_item"]["media"], 1)?;
                same("mid_size", &item["image_item"]["mid_size"], encrypted)?;
                Ok(Arrived::Image(content))
            }
            Some(4) => {
                let (content, _) = self.fetch(&item["file_item"]["media"], 3)?;
                let (name, len) = (&item["file_item"]["file_name"], &item["file_item"]["len"]);
                if len.as_str() != Some(&content.len().to_string()) {
                    return Err(format!("len {len} of {} bytes", content.len()));
                }
                Ok(Arrived::File { name: name.as_str().ok_or("no file_name")?.to_owned(), content })
            }
            Some(5) => {
                let (content, encrypted) = self.fetch(&item["video_item"]["media"], 2)?;
                same("video_size", &item["video_item"]["video_size"], encrypted)?;
                Ok(Arrived::Video(content))
            }
            other => Err(format!("item type {other:?}")),
        }
    }

    /// What a reference stands for: the plain content and the length of the ciphertext.
    fn fetch(&self, media: &Value, media_type: u64) -> Result<(Vec<u8>, usize), String> {
        let param = media["encrypt_query_param"].as_str().ok_or("no encrypt_query_param")?;
        let upload = self.uploads.get(param.trim_start_matches("enc-")).ok_or(format!("no upload {param}"))?;
        let ciphertext = upload.content.as_ref().ok_or("a reference to nothing")?;
        // Base64 of the 32 digits, not of the 16 bytes.
        let digits = STANDARD.decode(media["aes_key"].as_str().unwrap_or_default()).map_err(|e| e.to_string())?;
        if digits.len() != 32 || media["encrypt_type"] != 1 {
            return Err(format!("reference {media}"));
        }
        let key: Vec<u8> =
            digits.chunks(2).filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
        let announced = &upload.request;
        if announced["aeskey"].as_str().map(str::as_bytes) != Some(&digits) || announced["media_type"] != media_type {
            return Err(format!("announced {announced}, sent {media}"));
        }
        let cipher = ecb::Decryptor::<Aes128>::new_from_slice(&key).map_err(|e| e.to_string())?;
        let plain = cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).map_err(|e| e.to_string())?;
        let md5: String = Md5::digest(&plain).iter().map(|byte| format!("{byte:02x}")).collect();
        let sizes = (announced["rawsize"].as_u64(), announced["filesize"].as_u64());
        if announced["rawfilemd5"] != md5 || sizes != (Some(plain.len() as u64), Some(ciphertext.len() as u64)) {
            return Err(format!("announced {announced}, got {} bytes with md5 {md5}", plain.len()));
        }
        Ok((plain, ciphertext.len()))
    }

    fn upload_url(&mut self, body: Value, base: &str) -> Answer {
        if body["to_user_id"] != USER {
            return ok(json!({"ret": -1}));
        }
        self.expect(body["no_need_thumb"] == true, || format!("getuploadurl {body}"));
        let filekey = body["filekey"].as_str().unwrap_or_default().to_owned();
        self.expect(filekey.len() == 32, || format!("filekey {filekey}"));
        self.uploads.insert(filekey.clone(), Announced { request: body, content: None });
        if self.full_upload_url {
            return ok(json!({"upload_full_url": format!("{base}/c2c/full?filekey={filekey}&taskid=1")}));
        }
        ok(json!({"upload_param": format!("a+b/{filekey}=&c")}))
    }

    fn upload(&mut self, request: &Request) -> Answer {
        let filekey = request.query.get("filekey").cloned().unwrap_or_default();
        if request.path.ends_with("/upload") {
            let param = request.query.get("encrypted_query_param").cloned().unwrap_or_default();
            self.expect(param == format!("a+b/{filekey}=&c"), || format!("encrypted_query_param {param}"));
        }
        let Some(upload) = self.uploads.get_mut(&filekey) else {
            return Answer::status(404).header("x-error-message", "no such task");
        };
        upload.content = Some(request.body.clone());
        Answer::status(200).header("x-encrypted-param", &format!("enc-{filekey}"))
    }

    fn notify(&mut self, what: &'static str) -> Answer {
        self.notified.push(what);
        ok(json!({"ret": 0}))
    }
}

fn same(name: &str, told: &Value, actual: usize) -> Result<(), String> {
    if told.as_u64() == Some(actual as u64) { Ok(()) } else { Err(format!("{name} {told}, actual {actual}")) }
}
