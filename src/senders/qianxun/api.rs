//! Addresses, envelopes and what a refusal means (sheet qx.md §1, §2, §9).

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::super::shared::failure::{Class, Failure};
use super::super::shared::http::{Reply, excerpt};
use super::super::shared::json_body::Slots;
use super::super::shared::verdict::{Fields, Verdict};
use super::super::shared::wire::Wire;
use crate::domain::{MediaFile, Secret, UtcMs};

/// The two generations of the protocol and, for each, the two processes that speak it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    ProFramework,
    ProWechat,
    OldFramework,
    OldWechat,
}

impl Dialect {
    const ALL: [Dialect; 4] = [Dialect::ProFramework, Dialect::ProWechat, Dialect::OldFramework, Dialect::OldWechat];

    /// The word that `api:` takes.
    pub(super) fn word(self) -> &'static str {
        match self {
            Dialect::ProFramework => "pro_framework",
            Dialect::ProWechat => "pro_wechat",
            Dialect::OldFramework => "old_framework",
            Dialect::OldWechat => "old_wechat",
        }
    }

    /// The old paths end in a slash, the Pro ones must not: with the wrong end the route does not exist.
    fn path(self) -> &'static str {
        match self {
            Dialect::ProFramework => "/qianxun/httpapi",
            Dialect::ProWechat => "/wechat/httpapi",
            Dialect::OldFramework => "/DaenWxHook/httpapi/",
            Dialect::OldWechat => "/DaenWxHook/client/",
        }
    }

    pub(super) fn is_pro(self) -> bool {
        matches!(self, Dialect::ProFramework | Dialect::ProWechat)
    }

    /// One framework serves many WeChats, so each call names the one that is meant.
    pub(super) fn is_framework(self) -> bool {
        matches!(self, Dialect::ProFramework | Dialect::OldFramework)
    }
}

/// What is asked of the hook. The names differ by generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    List,
    Check,
    Licence,
    LoginStatus,
    Query,
    Text,
    Image,
    File,
}

impl Call {
    /// None: this generation knows no such call.
    fn name(self, dialect: Dialect) -> Option<&'static str> {
        let (pro, old) = match self {
            Call::List => ("getWeChatList", Some("X0000")),
            Call::Check => ("checkWeChat", Some("Q0000")),
            Call::Licence => ("getAuthInfo", None),
            Call::LoginStatus => ("getLoginStatus", None),
            Call::Query => ("queryObj", Some("Q0004")),
            Call::Text => ("sendText", Some("Q0001")),
            Call::Image => ("sendImage", Some("Q0010")),
            Call::File => ("sendFile", Some("Q0011")),
        };
        if dialect.is_pro() { Some(pro) } else { old }
    }
}

/// Why a call did not bring a `code` of 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The hook could not read the media in the form given; another form may do.
    Media(String),
    /// A refusal without a published meaning. Whether something was sent is not known as long as WeChat is online.
    Unclear(String),
    Certain(Failure),
}

/// What a send that ended like this comes to.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Media(error) => Failure::rejected(error).with_status(200),
            Refusal::Unclear(error) => Failure::unknown(error).with_status(200),
            Refusal::Certain(failure) => failure,
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        Refusal::Certain(failure)
    }
}

/// One HTTP endpoint of the hook.
pub(super) struct Api {
    pub dialect: Dialect,
    pub wxid: Option<String>,
    url: Url,
    wire: Wire,
}

impl Api {
    /// `word` is the setting `api`, where it is given.
    ///
    /// # Errors
    /// What is wrong with the address, without a word of its query.
    pub(super) fn new(
        url: &Url,
        word: Option<&str>,
        wxid: Option<&str>,
        safekey: Option<&Secret>,
        wire: &Wire,
    ) -> Result<Api, String> {
        let (dialect, mut url) = locate(url, word)?;
        let given = |name: &str| {
            let mut pairs = url.query_pairs();
            pairs
                .find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty())
                .map(|(_, value)| value.into_owned())
        };
        let wxid = wxid.map(str::to_owned).or_else(|| given("wxid"));
        let safekey = safekey.cloned().or_else(|| given("safekey").map(Secret::new)).filter(|key| !key.is_empty());
        url.set_query(None);
        if dialect.is_framework() {
            let wxid = wxid.as_deref().ok_or("wxid: required, the framework serves several WeChats")?;
            url.query_pairs_mut().append_pair("wxid", wxid);
        }
        if let Some(safekey) = &safekey {
            url.query_pairs_mut().append_pair("safekey", safekey.expose());
        }
        Ok(Api { dialect, wxid, url, wire: wire.clone() })
    }

    /// A text of an answer as it may be shown.
    pub(super) fn show(&self, text: &str) -> String {
        self.wire.http.show(text)
    }

    /// One call; Ok is an envelope, as it came, whose `code` is 200.
    pub(super) async fn call(&self, call: Call, data: Value, deadline: Duration) -> Result<Value, Refusal> {
        self.post(call, data, &Slots::new(), deadline).await
    }

    /// As [`Api::call`], with the file's content as base64 under `path`, read from disk while it goes out.
    pub(super) async fn call_with_content(
        &self,
        call: Call,
        mut data: Value,
        file: &MediaFile,
        deadline: Duration,
    ) -> Result<Value, Refusal> {
        let mut slots = Slots::new();
        data["path"] = format!("base64,{}", slots.base64(file)).into();
        self.post(call, data, &slots, deadline).await
    }

    async fn post(&self, call: Call, data: Value, slots: &Slots, deadline: Duration) -> Result<Value, Refusal> {
        let Some(name) = call.name(self.dialect) else {
            return Err(Refusal::Unclear(format!("{} knows no such call", self.dialect.word())));
        };
        // Raw UTF-8: cards with escaped characters were reported to show wrongly.
        let body = slots.fill_utf8(&json!({"type": name, "data": data}));
        let sent = self.wire.http.call(body.attach(self.wire.http.post(self.url.clone())), deadline).await;
        judge(&sent.map_err(Failure::from)?, self.wire.now())
    }
}

/// Which dialect an address speaks, and the address with the path exactly as that dialect wants it. What stands
/// before that path (a proxy's prefix) stays.
fn locate(url: &Url, word: Option<&str>) -> Result<(Dialect, Url), String> {
    let asked = Dialect::ALL.into_iter().find(|dialect| Some(dialect.word()) == word);
    let path = url.path().trim_end_matches('/');
    let ends_like = |dialect: &Dialect| {
        let end = dialect.path().trim_end_matches('/');
        let start = path.len().checked_sub(end.len())?;
        path.get(start..)?.eq_ignore_ascii_case(end).then_some((*dialect, start))
    };
    let (dialect, prefix) = match (Dialect::ALL.iter().find_map(ends_like), asked) {
        (Some((told, _)), Some(asked)) if told != asked => {
            return Err(format!("api: {} does not fit the url, whose path is that of {}", asked.word(), told.word()));
        }
        (Some((told, start)), _) => (told, &path[..start]),
        (None, Some(asked)) => (asked, path),
        (None, None) if path.is_empty() => (Dialect::ProFramework, path),
        (None, None) => {
            let known: Vec<_> = Dialect::ALL.iter().map(|dialect| dialect.path()).collect();
            return Err(format!("url: expected a path that ends in one of {}", known.join(", ")));
        }
    };
    let mut located = url.clone();
    located.set_path(&format!("{prefix}{}", dialect.path()));
    Ok((dialect, located))
}

/// JSON as the hook writes it: group names bring raw control characters along, which become spaces.
pub(super) fn parse_leniently(body: &[u8]) -> Option<Value> {
    let body: Vec<u8> = body.iter().map(|byte| if *byte < 0x20 { b' ' } else { *byte }).collect();
    serde_json::from_str(&String::from_utf8_lossy(&body)).ok()
}

const FIELDS: Fields = Fields { codes: &["code"], yes: 200 };

fn judge(reply: &Reply, now: UtcMs) -> Result<Value, Refusal> {
    let certain = |class, error| Err(Refusal::Certain(Failure::new(class, error).with_status(reply.status)));
    let envelope = reply.json_by(parse_leniently);
    let mut shown = envelope.clone().unwrap_or_default();
    reply.secrets().hide_in(&mut shown);
    let said = shown["msg"].as_str().map(excerpt).unwrap_or_default();
    if reply.status == 404 || said.contains("路由不存在") {
        let error = format!("no such route: the url's plan or generation is wrong (HTTP {})", reply.status);
        return certain(Class::AccountDown, error);
    }
    match reply.status_failure(now) {
        // A proxy in front that reached nobody.
        Some(failure) if matches!(reply.status, 502 | 503) => return Err(failure.before_the_send().into()),
        Some(failure) => return Err(failure.into()),
        None => {}
    }
    let Some(envelope) = envelope else {
        return certain(Class::Unknown, format!("the answer is no JSON: {}", reply.excerpt()));
    };
    let (error, said) = match FIELDS.read(&shown) {
        Verdict::Yes => return Ok(envelope),
        Verdict::No(no) => (no.told("code "), excerpt(&no.words)),
        Verdict::Nothing => (format!("code none: {said}"), said),
    };
    // The media first: such a refusal quotes the path, which may hold any word.
    if mentions(&said, &["下载失败", "图片不存在", "文件不存在", "路径不存在"]) {
        Err(Refusal::Media(error))
    } else if mentions(&said, &["授权"]) {
        certain(Class::AccountDown, format!("the licence does not hold ({error})"))
    } else if mentions(&said, &["safekey", "密钥"]) {
        certain(Class::AccountDown, format!("the safekey was refused ({error})"))
    } else {
        Err(Refusal::Unclear(error))
    }
}

fn mentions(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::senders::shared::samples;

    fn located(url: &str, word: Option<&str>) -> Result<(Dialect, String), String> {
        locate(&url.parse().unwrap(), word).map(|(dialect, url)| (dialect, url.to_string()))
    }

    #[test]
    fn every_spelling_of_an_address_gets_the_slash_that_its_route_needs() {
        use Dialect::*;
        for (url, word, dialect, expected) in [
            ("http://h:7777", None, ProFramework, "http://h:7777/qianxun/httpapi"),
            ("http://h:7777/qianxun/httpapi/", None, ProFramework, "http://h:7777/qianxun/httpapi"),
            ("http://h:8888/wechat/httpapi", None, ProWechat, "http://h:8888/wechat/httpapi"),
            ("http://h:7777/DaenWxHook/httpapi", None, OldFramework, "http://h:7777/DaenWxHook/httpapi/"),
            ("http://h:8055/daenwxhook/client", None, OldWechat, "http://h:8055/DaenWxHook/client/"),
            ("http://h:8055/", Some("old_wechat"), OldWechat, "http://h:8055/DaenWxHook/client/"),
            ("https://p/win1/qianxun/httpapi", None, ProFramework, "https://p/win1/qianxun/httpapi"),
            ("https://p/win1", Some("pro_wechat"), ProWechat, "https://p/win1/wechat/httpapi"),
            ("http://[fd00::7]:7777", None, ProFramework, "http://[fd00::7]:7777/qianxun/httpapi"),
        ] {
            assert_eq!(located(url, word), Ok((dialect, expected.to_owned())), "{url}");
        }
        assert!(located("http://h/other", None).unwrap_err().contains("/DaenWxHook/client/"));
        assert!(located("http://h/wechat/httpapi", Some("old_wechat")).unwrap_err().contains("does not fit"));
    }

    #[test]
    fn bot_and_key_travel_in_the_query_and_only_where_they_belong() {
        let api = |url: &str, wxid: Option<&str>, safekey: Option<&str>| {
            let safekey = safekey.map(|key| Secret::new(key.into()));
            let wire = samples::wire(std::sync::Arc::new(samples::Forgetful));
            Api::new(&url.parse().unwrap(), None, wxid, safekey.as_ref(), &wire).map(|api| api.url.to_string())
        };
        let pro = "http://h:7777/qianxun/httpapi";
        assert_eq!(api(pro, Some("wxid_a"), Some("k&1")).unwrap(), format!("{pro}?wxid=wxid_a&safekey=k%261"));
        assert_eq!(api(&format!("{pro}?WXID=b&safeKey=k"), None, None).unwrap(), format!("{pro}?wxid=b&safekey=k"));
        assert_eq!(api("http://h:8888/wechat/httpapi", Some("a"), None).unwrap(), "http://h:8888/wechat/httpapi");
        assert!(api(pro, None, Some("k")).unwrap_err().contains("wxid: required"));
    }

    #[test]
    fn control_characters_in_an_answer_do_no_harm() {
        let envelope = parse_leniently(b"{\"code\":\"200\",\"result\":[{\"nick\":\"a\x01\nb\xff\"}]}").unwrap();
        assert_eq!(FIELDS.read(&envelope), Verdict::Yes);
        assert_eq!(envelope["result"][0]["nick"], "a  b\u{fffd}");
        assert_eq!(parse_leniently(b"<html>"), None);
    }
}
