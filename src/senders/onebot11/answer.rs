//! What an implementation answered, and which class of failure it means (qq.md §1.2 to §1.4, §5.2, §5.3).

use std::time::Duration;

use serde_json::Value;

use crate::senders::shared::failure::Class;
use crate::senders::shared::http::excerpt;
use crate::senders::shared::verdict::{Fields, No, Verdict, number};

/// QQ limits how much is said in a group; a wait of seconds only makes it worse.
const SPEECH_LIMIT_WAIT: Duration = Duration::from_secs(180);

/// What `status` says beside the retcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// `ok`, or nothing at all.
    Yes,
    /// `async`: the outcome is never told.
    Queued,
    /// `failed`, or an error's text.
    No,
}

impl Status {
    fn of(envelope: &Value) -> Status {
        match &envelope["status"] {
            Value::Bool(false) => Status::No,
            Value::String(word) => match word.trim().to_lowercase().as_str() {
                "" | "ok" | "success" | "true" => Status::Yes,
                "async" => Status::Queued,
                _ => Status::No,
            },
            _ => Status::Yes,
        }
    }
}

/// The envelope of every answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub retcode: i64,
    status: Status,
    /// What it says for people, all fields that hold words joined.
    pub text: String,
    pub data: Value,
    /// Another no, beside a retcode and a status that say yes.
    no: Option<No>,
}

const FIELDS: Fields = Fields { codes: &["retcode"], yes: 0 };

impl Answer {
    /// None where this is no OneBot answer.
    pub(super) fn read(mut envelope: Value) -> Option<Answer> {
        let retcode = number(envelope.get("retcode")?)?;
        let mut texts: Vec<&str> = Vec::new();
        // Lagrange puts an error's text into `status`.
        let is_status_word = |field: &str, text: &str| {
            field == "status" && matches!(text.trim().to_lowercase().as_str(), "ok" | "async" | "failed")
        };
        for field in ["msg", "message", "wording", "status"] {
            match envelope.get(field).and_then(Value::as_str) {
                Some(text) if !text.is_empty() && !texts.contains(&text) && !is_status_word(field, text) => {
                    texts.push(text);
                }
                _ => {}
            }
        }
        let text = texts.join(": ");
        let status = Status::of(&envelope);
        let no = match FIELDS.read(&envelope) {
            Verdict::No(no) if retcode == 0 && status == Status::Yes => Some(no),
            _ => None,
        };
        let data = envelope.get_mut("data").map(Value::take).unwrap_or_default();
        Some(Answer { retcode, status, text, data, no })
    }

    pub(super) fn is_ok(&self) -> bool {
        self.retcode == 0 && self.status == Status::Yes && self.no.is_none()
    }

    /// For people, in one line.
    pub(super) fn describe(&self) -> String {
        if let Some(no) = &self.no {
            return no.told("retcode ");
        }
        match self.text.as_str() {
            "" => format!("retcode {}", self.retcode),
            text => format!("retcode {}: {}", self.retcode, excerpt(text)),
        }
    }

    /// What the answer to a send means. `attempt` counts from 1: failures that nobody can name are tried twice.
    pub(super) fn verdict(&self, attempt: u32) -> Result<(), Class> {
        if self.is_ok() { Ok(()) } else { Err(self.class(attempt)) }
    }

    fn class(&self, attempt: u32) -> Class {
        if let Some(no) = &self.no {
            // Beside a yes, so that a reason which nobody can name must not lead to a second message.
            return known_class(no.code).or_else(|| told(&no.words)).unwrap_or(Class::Rejected);
        }
        if let Some(class) = self.event_class(attempt) {
            return class;
        }
        if let Some(code) = self.qq_code() {
            return known_class(code).or_else(|| self.told()).unwrap_or_else(|| worth_one_more_try(attempt));
        }
        if let Some(class) = self.told() {
            return class;
        }
        match self.retcode {
            // Queued: the outcome is never told.
            1 => Class::Unknown,
            0 if self.status == Status::Queued => Class::Unknown,
            // A yes beside a no that names no reason: another try might be a second message.
            0 => Class::Rejected,
            400 | 404 | 1400 | 1404 | 102 => Class::Rejected,
            401 | 403 | 1401 | 1403 | 104 => Class::AccountDown,
            _ => worth_one_more_try(attempt),
        }
    }

    /// The class that the words tell.
    fn told(&self) -> Option<Class> {
        told(&self.text)
    }

    /// NapCat's and LLBot's waits for QQ's own word on a message that they have already handed over.
    fn event_class(&self, attempt: u32) -> Option<Class> {
        if self.text.contains("waitForSelfEcho timeout") {
            return Some(Class::Unknown);
        }
        let is_timeout = self.text.contains("Timeout: NTEvent");
        match number_after(&self.text, "\"result\":") {
            // Result 0 or none: perhaps delivered, perhaps swallowed.
            None | Some(0) if is_timeout => Some(Class::Unknown),
            // A code that nobody knows leaves it to the words.
            Some(code) if is_timeout || self.text.contains("EventChecker Failed") => {
                Some(known_class(code).or_else(|| self.told()).unwrap_or_else(|| worth_one_more_try(attempt)))
            }
            _ => None,
        }
    }

    /// QQ's own result code: LLBot writes it into the text, Lagrange gives it as retcode.
    fn qq_code(&self) -> Option<i64> {
        let is_qq_code = matches!(self.retcode, 10 | 32 | 46 | 110 | 120 | 121 | 299);
        number_after(&self.text, "(code=").or(is_qq_code.then_some(self.retcode))
    }
}

/// The class that the words tell.
fn told(words: &str) -> Option<Class> {
    TEXTS.iter().find(|(text, _)| words.contains(text)).map(|(_, class)| class.clone())
}

/// QQ's own result codes.
fn known_class(code: i64) -> Option<Class> {
    Some(match code {
        // Too large; the day's @all are used up.
        10 | 121 => Class::Rejected,
        32 | 299 => Class::Throttled { wait: Some(SPEECH_LIMIT_WAIT) },
        46 | 1_006_514 => Class::AccountDown,
        // Removed from the group; muted there. Knocking on gets accounts frozen.
        110 | 120 => Class::TargetGone,
        _ => return None,
    })
}

/// Failures that may be a passing weakness or lie in the message: nothing says which, so they are tried twice.
fn worth_one_more_try(attempt: u32) -> Class {
    if attempt < 2 { Class::Unreachable } else { Class::Rejected }
}

/// Texts that tell the class; the first that is contained counts.
const TEXTS: &[(&str, Class)] = &[
    ("网络连接异常", Class::AccountDown),
    ("移出该群", Class::TargetGone),
    ("移出群", Class::TargetGone),
    ("当前处于被禁言状态", Class::TargetGone),
    ("无法获取用户信息", Class::TargetGone),
    ("FRIEND_NOT_FOUND", Class::TargetGone),
    ("GROUP_NOT_FOUND", Class::TargetGone),
    ("群聊不存在", Class::TargetGone),
    ("群不存在", Class::TargetGone),
    ("添加对方为好友", Class::TargetGone),
    ("发送超时", Class::Unknown),
    ("下载文件失败", Class::Unreachable),
    ("下载失败", Class::Unreachable),
    ("fetch failed", Class::Unreachable),
    ("不支持的Api", Class::Rejected),
    ("API_NOT_FOUND", Class::Rejected),
    ("EMPTY_MSG_ERROR", Class::Rejected),
    ("FILE_NOT_FOUND", Class::Rejected),
    ("文件处理失败", Class::Rejected),
    ("识别URL失败", Class::Rejected),
    ("ENOENT", Class::Rejected),
    ("文件不存在", Class::Rejected),
    ("路径不存在", Class::Rejected),
    ("未知文件类型", Class::Rejected),
    ("大小为0", Class::Rejected),
    ("语音转换失败", Class::Rejected),
    ("视频过大", Class::Rejected),
    ("未知的消息类型", Class::Rejected),
    ("消息体无法解析", Class::Rejected),
    ("不合法", Class::Rejected),
    ("请指定", Class::Rejected),
];

/// The whole number that follows `mark`, blanks between them skipped.
fn number_after(text: &str, mark: &str) -> Option<i64> {
    let rest = text.split_once(mark)?.1.trim_start();
    let end = rest.char_indices().find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-')));
    rest[..end.map_or(rest.len(), |(at, _)| at)].parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// NapCat's stream actions append line ends, which JSON allows.
    fn parse(body: &[u8]) -> Option<Answer> {
        Answer::read(serde_json::from_slice(body).ok()?)
    }

    fn answer(retcode: i64, text: &str) -> Answer {
        let body = json!({"status": "failed", "retcode": retcode, "data": null, "message": text, "wording": text});
        parse(body.to_string().as_bytes()).unwrap()
    }

    fn napcat(prefix: &str, result: &str) -> String {
        format!(
            "{prefix}: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg ListenerName:NodeIKernelMsgListener/\
             onMsgInfoListUpdate EventRet:\n{{{result}}}\n"
        )
    }

    /// The class of a first and of a second attempt.
    type Row = (Answer, Class, Class);

    fn assert_classes(rows: Vec<Row>) {
        for (answer, first, second) in rows {
            assert_eq!(answer.verdict(1), Err(first), "{answer:?}");
            assert_eq!(answer.verdict(2), Err(second), "{answer:?}");
        }
    }

    /// One row for each signal of qq.md §1.4 and each code of §5.2.
    #[test]
    fn every_code_of_the_sheet_leads_to_its_class() {
        use Class::*;
        let long_wait = || Throttled { wait: Some(SPEECH_LIMIT_WAIT) };
        let checker = |result: &str| answer(200, &napcat("EventChecker Failed", result));
        assert_classes(vec![
            (answer(0, ""), Rejected, Rejected),
            (answer(1, ""), Unknown, Unknown),
            // retcodes
            (answer(400, "message: required"), Rejected, Rejected),
            (answer(1400, ""), Rejected, Rejected),
            (answer(404, ""), Rejected, Rejected),
            (answer(1404, ""), Rejected, Rejected),
            (answer(200, "不支持的Api send_x"), Rejected, Rejected),
            (answer(404, "API_NOT_FOUND"), Rejected, Rejected),
            (answer(1403, "token"), AccountDown, AccountDown),
            (answer(102, ""), Rejected, Rejected),
            (answer(103, ""), Unreachable, Rejected),
            (answer(104, ""), AccountDown, AccountDown),
            (answer(9000, ""), Unreachable, Rejected),
            // waiting for QQ's own word
            (answer(200, &napcat("Timeout", "\n    \"result\": 0,\n    \"errMsg\": \"\"\n")), Unknown, Unknown),
            (answer(1200, &napcat("Timeout", "\n    \"result\": 0\n")), Unknown, Unknown),
            (answer(200, &napcat("Timeout", "")), Unknown, Unknown),
            (answer(200, "waitForSelfEcho timeout"), Unknown, Unknown),
            // QQ's result code inside the text
            (checker("\n    \"result\": 110,\n    \"errMsg\": \"发送失败，你已被移出该群\"\n"), TargetGone, TargetGone),
            (checker("\n    \"result\": 120,\n    \"errMsg\": \"\"\n"), TargetGone, TargetGone),
            (checker("\n    \"result\": 121\n"), Rejected, Rejected),
            (checker("\n    \"result\": 299\n"), long_wait(), long_wait()),
            (checker("\n    \"result\": 32\n"), long_wait(), long_wait()),
            (checker("\n    \"result\": 10\n"), Rejected, Rejected),
            (checker("\n    \"result\": 46\n"), AccountDown, AccountDown),
            (checker("\n    \"result\": 1006514,\n    \"errMsg\": \"网络连接异常!\"\n"), AccountDown, AccountDown),
            (checker("\n    \"result\": -1,\n    \"errMsg\": \"rich media transfer failed\"\n"), Unreachable, Rejected),
            (checker("\n    \"result\": 1\n"), Unreachable, Rejected),
            (answer(200, "发送消息失败 (code=299): 发言频率"), long_wait(), long_wait()),
            (answer(200, "发送消息失败 (code=110): x"), TargetGone, TargetGone),
            (checker("\n    \"result\": 34,\n    \"errMsg\": \"你已被移出该群\"\n"), TargetGone, TargetGone),
            (answer(200, "请先添加对方为好友"), TargetGone, TargetGone),
            (answer(200, "发送超时"), Unknown, Unknown),
            // A yes in the number and a no in the status.
            (answer(0, "群不存在"), TargetGone, TargetGone),
            (answer(0, "下载失败"), Unreachable, Unreachable),
            (answer(299, ""), long_wait(), long_wait()),
            (answer(120, ""), TargetGone, TargetGone),
            (answer(46, ""), AccountDown, AccountDown),
        ]);
    }

    /// One row for each text of qq.md §5.3.
    #[test]
    fn every_text_of_the_sheet_leads_to_its_class() {
        use Class::*;
        assert_classes(vec![
            // media
            (answer(200, "rich media transfer failed"), Unreachable, Rejected),
            (answer(200, "文件处理失败"), Rejected, Rejected),
            (answer(200, "识别URL失败, uri= x"), Rejected, Rejected),
            (answer(200, "ENOENT: no such file or directory"), Rejected, Rejected),
            (answer(200, "文件不存在"), Rejected, Rejected),
            (answer(200, "路径不存在"), Rejected, Rejected),
            (answer(200, "未知文件类型或路径不存在"), Rejected, Rejected),
            (answer(200, "文件异常，大小为0"), Rejected, Rejected),
            (answer(200, "语音转换失败"), Rejected, Rejected),
            (answer(200, "视频过大"), Rejected, Rejected),
            (answer(200, "未知的消息类型"), Rejected, Rejected),
            (answer(200, "消息体无法解析, 请检查是否发送了不支持的消息类型"), Rejected, Rejected),
            (answer(200, "文件名 a/b 不合法"), Rejected, Rejected),
            (answer(200, "请指定正确的 group_id 或 user_id"), Rejected, Rejected),
            (answer(100, "EMPTY_MSG_ERROR"), Rejected, Rejected),
            (answer(200, "下载文件失败: Not Found"), Unreachable, Unreachable),
            (answer(200, "下载失败"), Unreachable, Unreachable),
            (answer(200, "fetch failed"), Unreachable, Unreachable),
            // targets
            (answer(200, "无法获取用户信息"), TargetGone, TargetGone),
            (answer(100, "FRIEND_NOT_FOUND"), TargetGone, TargetGone),
            (answer(100, "GROUP_NOT_FOUND"), TargetGone, TargetGone),
            (answer(200, "群聊不存在"), TargetGone, TargetGone),
            (answer(200, "当前处于被禁言状态"), TargetGone, TargetGone),
            (answer(200, "发送失败,请添加对方为好友"), TargetGone, TargetGone),
            // anything else
            (answer(100, "send group message failed: blocked by server"), Unreachable, Rejected),
            (answer(200, ""), Unreachable, Rejected),
            (answer(1200, "x"), Unreachable, Rejected),
            (answer(-5, ""), Unreachable, Rejected),
        ]);
    }

    #[test]
    fn a_number_of_success_beside_a_status_that_says_no_is_not_sent() {
        use Class::*;
        let verdict = |envelope: Value| Answer::read(envelope).unwrap().verdict(1);
        for (status, expected) in [
            (json!("ok"), Ok(())),
            (json!("OK "), Ok(())),
            (json!(null), Ok(())),
            (json!(""), Ok(())),
            (json!("failed"), Err(Rejected)),
            (json!("FAILED"), Err(Rejected)),
            (json!(false), Err(Rejected)),
            (json!("the file could not be sent"), Err(Rejected)),
            (json!("群聊不存在"), Err(TargetGone)),
            (json!("async"), Err(Unknown)),
        ] {
            let envelope = json!({"status": status, "retcode": 0, "data": {"message_id": 7}});
            assert_eq!(verdict(envelope.clone()), expected, "{envelope}");
        }
        assert_eq!(verdict(json!({"retcode": 0, "data": null})), Ok(()), "without a status the number decides");
        let worded = json!({"status": "failed", "retcode": 0, "message": "", "wording": "群不存在", "data": null});
        assert_eq!(verdict(worded), Err(TargetGone));
    }

    #[test]
    fn envelopes_of_every_implementation_are_read() {
        let napcat = br#"{"status":"ok","retcode":0,"data":{"message_id":-7},"message":"","wording":"","echo":"k","stream":"stream-action"}"#;
        let with_line_ends = [napcat.as_slice(), b"\r\n\r\n"].concat();
        assert_eq!(parse(&with_line_ends).unwrap().data["message_id"], -7);

        let lagrange = br#"{"status":"the file is gone","retcode":200,"data":null}"#;
        assert_eq!(parse(lagrange).unwrap().describe(), "retcode 200: the file is gone");

        let go_cqhttp = r#"{"status":"failed","retcode":100,"msg":"GROUP_NOT_FOUND","wording":"群聊不存在","message":"群聊不存在"}"#;
        assert_eq!(parse(go_cqhttp.as_bytes()).unwrap().text, "GROUP_NOT_FOUND: 群聊不存在");

        for no_answer in ["", "{}", "null", "[]", "<html>", r#"{"status":"ok"}"#, r#"{"retcode":"no"}"#] {
            assert_eq!(parse(no_answer.as_bytes()), None, "{no_answer}");
        }
    }
}
