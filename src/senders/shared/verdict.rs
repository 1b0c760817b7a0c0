//! Whether a JSON answer says yes, read from all the places in which it may say no.
//!
//! A protocol has one field for its verdict. Gateways, newer versions and calls that pass on another's answer write the
//! no beside it or beneath it (`data.errcode`, `success: false`), and numbers as texts. A yes counts only where nothing
//! in the envelope says no: what was called sent is never looked at again.

use serde_json::{Map, Value};

use super::http::excerpt;

/// How deep an answer is passed on inside another.
const DEPTH: usize = 4;

/// Other protocols' fields for a code, in lower case and without `_`; zero and the 2xx of HTTP say yes.
const CODES: [&str; 8] = ["errcode", "errorcode", "errno", OPEN, "retcode", "ret", "statuscode", "subcode"];
/// The one name of a code that everybody uses. The others are the mark of some platform or gateway, whose zero is known.
const OPEN: &str = "code";
const FLAGS: [&str; 5] = ["success", "succeed", "succeeded", "issuccess", "ok"];
/// What holds another answer. Everything else is content: a chat's name or a message may hold any word.
const CONTAINERS: [&str; 9] =
    ["data", "result", "results", "response", "resp", "body", "baseresp", "baseresponse", "error"];
const WORDS: [&str; 8] =
    ["errmsg", "msg", "message", "statusmessage", "errormessage", "description", "wording", "reason"];
/// The words of an RFC 9457 problem, where there are none of [`WORDS`]: elsewhere they may be content.
const PROBLEM_WORDS: [&str; 2] = ["detail", "title"];

/// What a `status` says where it is a no.
const NO_STATUS: [&str; 14] = [
    "failed", "fail", "failure", "error", "err", "ko", "nok", "rejected", "reject", "refused", "denied", "invalid",
    "失败", "错误",
];

/// What says yes where it is all that is said.
const YES: [&str; 9] =
    ["ok", "success", "succeeded", "successful", "成功", "操作成功", "请求成功", "发送成功", "推送成功"];

/// A no that brings no code of its own.
pub(crate) const NO_CODE: i64 = i64::MIN;

/// How a protocol says yes.
pub(crate) struct Fields {
    /// Where its verdict stands, as it spells it; a yes needs one of these at the top. None where the receiver chooses
    /// its own words and numbers: there a `code` is a yes too if its words say so.
    pub codes: &'static [&'static str],
    pub yes: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Yes,
    No(No),
    /// The protocol's own field is not there, and nothing says no.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct No {
    /// [`NO_CODE`] where none is given.
    pub code: i64,
    /// Whether the code is the protocol's own, which its table knows.
    pub is_own: bool,
    /// What stands beside it for people, else what the whole answer says. Empty where there are no words.
    pub words: String,
}

impl No {
    /// The code where it is the protocol's own, else [`NO_CODE`]: another's numbers stand in no table of ours.
    pub(crate) fn own_code(&self) -> i64 {
        if self.is_own { self.code } else { NO_CODE }
    }

    /// In one line for people; `field` stands before the protocol's own code.
    pub(crate) fn told(&self, field: &str) -> String {
        let words = if self.words.is_empty() { "no reason given".to_owned() } else { excerpt(&self.words) };
        match self.code {
            NO_CODE => format!("the answer says no: {words}"),
            code if self.is_own => format!("{field}{code}: {words}"),
            code => format!("the answer says no: code {code}: {words}"),
        }
    }
}

impl Fields {
    pub(crate) fn read(&self, answer: &Value) -> Verdict {
        let mut noes = Vec::new();
        self.walk(answer, 0, self.codes.is_empty(), &mut noes);
        // The protocol's own field knows best, then what stands nearest to the top.
        if let Some(mut no) = noes.into_iter().min_by_key(|no| (!no.is_own, no.code == NO_CODE)) {
            if no.words.is_empty() {
                no.words = words_of(answer);
            }
            return Verdict::No(no);
        }
        let is_there = |field: &&str| answer.get(field).is_some_and(|code| number(code) == Some(self.yes));
        if self.codes.iter().any(is_there) { Verdict::Yes } else { Verdict::Nothing }
    }

    /// `is_open`: whether a `code` may be numbered as its author likes.
    fn walk(&self, value: &Value, depth: usize, is_open: bool, noes: &mut Vec<No>) {
        match value {
            Value::Array(values) if depth < DEPTH => {
                values.iter().for_each(|value| self.walk(value, depth, is_open, noes));
            }
            Value::Object(entries) => {
                let is_open = is_open && !entries.keys().any(|key| is_of_a_platform(key));
                for (key, field) in entries {
                    if let Some((code, is_own, said)) = self.says_no(key, field, depth) {
                        if is_open && bare(key) == OPEN && is_numbered_yes(code) && words_are_yes(entries) {
                            continue;
                        }
                        let words = said.unwrap_or_else(|| words_of(value));
                        noes.push(No { code, is_own, words });
                    }
                }
                let containers = entries.iter().filter(|(key, _)| CONTAINERS.contains(&&*bare(key)));
                if depth + 1 < DEPTH {
                    containers.for_each(|(_, value)| self.walk(value, depth + 1, is_open, noes));
                }
            }
            _ => {}
        }
    }

    /// The code of a field that says no, whether it is the protocol's own, and the words where the field holds them.
    fn says_no(&self, key: &str, field: &Value, depth: usize) -> Option<(i64, bool, Option<String>)> {
        let name = bare(key);
        let is_own = self.codes.iter().any(|code| bare(code) == name);
        if is_own || CODES.contains(&&*name) {
            return match (number(field), field.as_str().map(str::trim)) {
                (Some(code), _) if is_own && (code == self.yes || (depth > 0 && code == 0)) => None,
                (Some(code), _) if !is_own && (code == 0 || (200..300).contains(&code)) => None,
                (Some(code), _) => Some((code, is_own, None)),
                (None, Some(word)) if !is_yes_word(word) => Some((NO_CODE, false, Some(word.to_owned()))),
                (None, _) => None,
            };
        }
        let no = |said| Some((NO_CODE, false, said));
        match &*name {
            _ if FLAGS.contains(&&*name) => {
                if is_false(field) {
                    no(None)
                } else {
                    None
                }
            }
            "status" => match field {
                Value::Bool(false) => no(None),
                // RFC 9457: the status of HTTP, once more. Below it are the receiver's own numbers.
                _ if number(field).is_some_and(|status| (400..600).contains(&status)) => no(None),
                Value::String(word) if NO_STATUS.contains(&&*word.trim().to_lowercase()) => no(None),
                _ => None,
            },
            "errors" => match field {
                Value::Array(errors) => errors.first().and_then(|first| no(words_in(first))),
                Value::Object(errors) => errors.values().next().and_then(|first| no(words_in(first))),
                _ => None,
            },
            "error" => match field {
                Value::String(word) if !is_yes_word(word.trim()) => no(Some(word.trim().to_owned())),
                Value::Object(error) if !error.is_empty() => no(Some(words_of(field))),
                Value::Bool(true) => no(None),
                Value::Number(number) if number.as_f64() != Some(0.0) => no(None),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A whole number, also where it is written as a text or with a fraction of nothing.
pub(crate) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)),
        _ => None,
    }
}

fn whole(number: f64) -> Option<i64> {
    // Beyond this a fraction cannot be told from none.
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(word) => matches!(&*word.trim().to_lowercase(), "false" | "0" | "no" | "fail" | "failed"),
        _ => false,
    }
}

fn is_yes_word(word: &str) -> bool {
    matches!(&*word.to_lowercase(), "" | "ok" | "success" | "succeeded" | "none" | "null" | "0" | "false")
}

/// Beside or beneath these a `code` is part of that platform's answer, and no number of the receiver's own.
fn is_of_a_platform(key: &str) -> bool {
    let name = bare(key);
    name != OPEN && CODES.contains(&&*name)
}

/// Whether a code may be a yes: people number theirs as they like (`{"code": 1, "msg": "ok"}`), but nobody numbers it
/// below zero or as HTTP numbers errors. [`NO_CODE`], which stands for a word, is below zero.
fn is_numbered_yes(code: i64) -> bool {
    code > 0 && !(400..600).contains(&code)
}

/// Whether there are words for people, and all of them are nothing but a yes.
fn words_are_yes(entries: &Map<String, Value>) -> bool {
    let words = entries.iter().filter(|(key, _)| WORDS.contains(&&*bare(key))).map(|(_, words)| words);
    let said: Vec<&Value> = words.filter(|words| !words.is_null() && words.as_str() != Some("")).collect();
    let is_yes = |words: &&Value| {
        let word = words.as_str().unwrap_or_default().trim().trim_end_matches(['.', '!', '。', '！']);
        YES.contains(&&*word.to_lowercase())
    };
    !said.is_empty() && said.iter().all(is_yes)
}

/// A field's name however it is cased and joined: `StatusCode`, `status_code`.
fn bare(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn words_of(value: &Value) -> String {
    let Value::Object(entries) = value else { return String::new() };
    let said = |name: &&str| {
        let found = entries.iter().find(|(key, _)| bare(key) == *name || (*name == "errmsg" && bare(key) == "error"));
        found.and_then(|(_, words)| words.as_str()).map(str::trim).filter(|words| !words.is_empty())
    };
    WORDS.iter().chain(&PROBLEM_WORDS).find_map(said).unwrap_or_default().to_owned()
}

/// The words of one of several errors: a text, or what it says where it is an answer of its own.
fn words_in(error: &Value) -> Option<String> {
    let words = error.as_str().map_or_else(|| words_of(error), str::to_owned);
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BY_ERRCODE: Fields = Fields { codes: &["errcode"], yes: 0 };
    const BY_CODE: Fields = Fields { codes: &["code", "StatusCode"], yes: 0 };
    const BY_200: Fields = Fields { codes: &["code"], yes: 200 };

    fn no(code: i64, is_own: bool, words: &str) -> Verdict {
        Verdict::No(No { code, is_own, words: words.to_owned() })
    }

    #[test]
    fn a_yes_is_one_only_where_nothing_says_no() {
        let rows = [
            (&BY_ERRCODE, json!({"errcode": 0, "errmsg": "ok"}), Verdict::Yes),
            (&BY_ERRCODE, json!({"errcode": "0", "code": 200, "success": "true", "error": ""}), Verdict::Yes),
            (&BY_ERRCODE, json!({"errcode": 0.0, "data": {"errcode": 0, "code": "ok"}, "error": null}), Verdict::Yes),
            (&BY_ERRCODE, json!({"errmsg": "ok"}), Verdict::Nothing),
            (&BY_ERRCODE, json!({"errcode": null}), Verdict::Nothing),
            (&BY_ERRCODE, json!([{"errcode": 0}]), Verdict::Nothing),
            (&BY_ERRCODE, json!("ok"), Verdict::Nothing),
            (&BY_ERRCODE, json!({"errcode": " 40001 ", "errmsg": "bad"}), no(40001, true, "bad")),
            (
                &BY_ERRCODE,
                json!({"errcode": 0, "errmsg": "ok", "data": {"errcode": 93000, "errmsg": "gone"}}),
                no(93000, true, "gone"),
            ),
            (&BY_ERRCODE, json!({"errcode": 0, "errmsg": "ok", "data": {"ErrCode": "93000"}}), no(93000, true, "ok")),
            (&BY_ERRCODE, json!({"errcode": 0, "success": "False", "message": "m"}), no(NO_CODE, false, "m")),
            (&BY_ERRCODE, json!({"errcode": 0, "code": 403, "msg": "m"}), no(403, false, "m")),
            // In the answer of a known platform another's code means what it means everywhere, whatever the words.
            (&BY_ERRCODE, json!({"errcode": 0, "data": {"code": 1, "msg": "ok"}}), no(1, false, "ok")),
            (&BY_ERRCODE, json!({"errcode": 0, "errmsg": "ok", "code": 1}), no(1, false, "ok")),
            (&BY_CODE, json!({"code": 1, "msg": "ok"}), no(1, true, "ok")),
            (&BY_ERRCODE, json!({"errcode": "InvalidToken"}), no(NO_CODE, false, "InvalidToken")),
            (&BY_CODE, json!({"StatusCode": 0, "code": 0, "data": {}, "msg": "success"}), Verdict::Yes),
            (&BY_CODE, json!({"StatusCode": 0}), Verdict::Yes),
            (&BY_CODE, json!({"code": 0, "StatusCode": 19001, "StatusMessage": "m"}), no(19001, true, "m")),
            (&BY_CODE, json!({"code": 0, "data": {"error": {"code": 7, "message": "m"}}}), no(7, true, "m")),
            (&BY_200, json!({"code": "200", "result": {"sendId": "s", "status": 3}}), Verdict::Yes),
            (&BY_200, json!({"code": 0}), no(0, true, "")),
            (&BY_200, json!({"code": 200, "result": {"code": 0}}), Verdict::Yes),
            (&BY_200, json!({"code": 200, "result": [{"code": 500, "msg": "m"}]}), no(500, true, "m")),
            (&BY_ERRCODE, json!({"errcode": 0, "errors": [], "status": "ok"}), Verdict::Yes),
            (&BY_ERRCODE, json!([{"errcode": 0}, {"errcode": 9, "errmsg": "m"}]), no(9, true, "m")),
            // Codes within the content of an answer are none of the answer itself.
            (&BY_CODE, json!({"code": 0, "bot": {"code": 7, "status": "failed"}, "msgs": [{"ret": -1}]}), Verdict::Yes),
        ];
        for (fields, answer, expected) in rows {
            assert_eq!(fields.read(&answer), expected, "{answer}");
        }
    }

    const OF_ANYBODY: Fields = Fields { codes: &[], yes: 0 };

    #[test]
    fn a_no_is_heard_in_the_words_of_every_frame() {
        let rows = [
            (json!({"status": 500, "title": "Internal Server Error"}), "Internal Server Error"),
            (json!({"type": "about:blank", "status": "503", "title": "t", "detail": "queue full"}), "queue full"),
            (json!({"status": false, "msg": "m"}), "m"),
            (json!({"status": " Rejected "}), ""),
            (json!({"status": "denied", "reason": "r"}), "r"),
            (json!({"data": {"status": "KO"}}), ""),
            (json!({"errors": [{"message": "x"}, {"message": "y"}]}), "x"),
            (json!({"data": null, "errors": ["x"]}), "x"),
            (json!({"errors": {"group": ["is not known"]}}), ""),
            (json!([{"ok": false, "error": "x"}]), "x"),
            (json!([{"ok": true}, {"ok": false}]), ""),
        ];
        for (answer, words) in rows {
            assert_eq!(OF_ANYBODY.read(&answer), no(NO_CODE, false, words), "{answer}");
        }
        let none = [
            json!({"errors": []}),
            json!({"errors": null, "error_count": 0}),
            json!({"status": 1, "title": "deploy", "detail": "done"}),
            json!({"status": "queued"}),
            json!({"status": true}),
            json!(["failed"]),
        ];
        for answer in none {
            assert_eq!(OF_ANYBODY.read(&answer), Verdict::Nothing, "{answer}");
        }
    }

    #[test]
    fn only_a_receiver_that_chooses_its_own_words_may_number_its_yes() {
        let yes = [
            json!({"code": 1, "msg": "ok"}),
            json!({"code": "1", "Message": " Success! ", "data": null}),
            json!({"code": 20000, "msg": "操作成功", "error": null, "success": true}),
            json!({"data": {"code": 1, "msg": "OK", "message": ""}}),
        ];
        for answer in yes {
            assert_eq!(OF_ANYBODY.read(&answer), Verdict::Nothing, "{answer}");
            let of_a_platform = json!({"errcode": 0, "data": answer});
            assert!(matches!(OF_ANYBODY.read(&of_a_platform), Verdict::No(_)), "{of_a_platform}");
            for fields in [BY_ERRCODE, BY_CODE, BY_200] {
                assert!(matches!(fields.read(&answer), Verdict::No(_)), "{answer}");
            }
        }
        let noes = [
            json!({"code": 1}),
            json!({"code": 1, "msg": ""}),
            json!({"code": 1, "msg": "not ok"}),
            json!({"code": 1, "msg": {"ok": 1}}),
            json!({"code": 1, "msg": "ok", "message": "no such chat"}),
            json!({"code": 1, "msg": "ok", "success": false}),
            json!({"code": 1, "msg": "ok", "error": "no such chat"}),
            json!({"code": 1, "msg": "ok", "data": {"code": 7, "msg": "no such chat"}}),
            json!({"code": 1, "msg": "ok", "data": {"errcode": 93000, "errmsg": "ok"}}),
            json!({"code": 503, "msg": "ok"}),
            json!({"code": -1, "msg": "ok"}),
            json!({"code": "gone", "msg": "ok"}),
            // A known platform behind the address, where 0 is the one yes.
            json!({"errcode": 1, "msg": "ok"}),
            json!({"ret": 1, "msg": "ok"}),
            json!({"retcode": 1, "status": "ok", "message": "ok"}),
            json!({"StatusCode": 0, "StatusMessage": "success", "code": 19001}),
            json!({"errcode": 0, "errmsg": "ok", "code": 1}),
        ];
        for answer in noes {
            assert!(matches!(OF_ANYBODY.read(&answer), Verdict::No(_)), "{answer}");
        }
    }

    #[test]
    fn an_answer_as_deep_as_a_well_ends() {
        let deep = (0..100).fold(json!({"errcode": 1}), |inner, _| json!({"errcode": 0, "data": [inner]}));
        assert_eq!(BY_ERRCODE.read(&deep), Verdict::Yes);
    }
}
