//! DingTalk custom robots: a webhook that writes to its one group (`protocols/others.md` §3).
//!
//! The answer holds no message id, and there is no idempotency key and nothing to read back: a lost answer stays
//! `unknown`. Media go out by their public address only, inside markdown. A robot has 20 messages a minute, and who
//! sends more is shut out for ten: the sends are counted here, over restarts, so that it never comes to that.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::OnceCell;

use super::sender::{BuildError, Environment, Gate, Memory, Probe, Sender};
use super::shared::http::{CallError, Http, LONGEST_WAIT, Reply};
use super::shared::parts::{Budget, Part, Progress, add_note};
use super::shared::segments::{Inline, Segment, render, segments};
use super::shared::setting::{CA_FILE, secret, url};
use super::shared::settings;
use super::shared::sliding::{self, Tally, Window};
use super::shared::steady::Steady;
use super::shared::text::{Limit, split};
use super::shared::verdict::{Fields, No, Verdict, number};
use crate::clock::SharedClock;
use crate::domain::sender::any_target;
use crate::domain::{
    Account, Delivery, Kind, MediaFile, Outcome, Reason, Report, Secret, SenderSpec, Support, Target, UtcMs,
};

/// A request has about 20,000 bytes, of which JSON's escapes and the rest of the body take their part.
const TEXT_MAX_JSON_BYTES: usize = 18_000;
const PIECE_LIMIT: Limit = Limit::Bytes(9_000);
/// 20 messages a minute.
const WINDOWS: &[Window] = &[Window::fine(20, Duration::from_secs(60))];
/// How long a robot that sent too fast is shut out.
const SHUT_OUT: Duration = Duration::from_secs(600);

pub static SPEC: SenderSpec = SenderSpec {
    name: "dingtalk_robot",
    about: "DingTalk, through a group's custom robot (webhook)",
    default_im: "dingtalk",
    settings: &[
        url("url", "the whole webhook address, https://oapi.dingtalk.com/robot/send?access_token=…").required(),
        secret("secret", "the signing secret SEC…, where the robot's security settings ask for a signature"),
        CA_FILE,
    ],
    support: |kind, to_group| match kind {
        _ if !to_group => Support::Refused("a custom robot writes to its own group only"),
        Kind::Text | Kind::Mixed => Support::Native,
        Kind::Image | Kind::Voice | Kind::Video | Kind::File => Support::Fallback("as link"),
    },
    target: any_target,
    idempotent: |_| false,
    concurrency: 1,
    min_interval_ms: 0,
    max_media_bytes: u64::MAX,
};

pub fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let url = settings::required_url(account, "url")?;
    if !url.query_pairs().any(|(key, token)| key == "access_token" && !token.is_empty()) {
        return Err(settings::problem(account, "url: expected the whole webhook address, with ?access_token=…"));
    }
    Ok(Box::new(DingtalkRobot {
        account: account.id.clone(),
        url: Secret::new(url.into()),
        secret: account.settings.secret("secret").cloned(),
        http: settings::http(account, environment)?,
        clock: environment.clock.clone(),
        steady: Steady::new(&environment.clock),
        memory: environment.memory.clone(),
        recalled: OnceCell::new(),
        pace: Mutex::default(),
    }))
}

struct DingtalkRobot {
    account: String,
    /// Its query holds the token.
    url: Secret,
    secret: Option<Secret>,
    http: Http,
    clock: SharedClock,
    /// What the pace goes by.
    steady: Steady,
    memory: Arc<dyn Memory>,
    /// Set once `pace` holds what the memory knew.
    recalled: OnceCell<()>,
    pace: Mutex<Pace>,
}

#[async_trait]
impl Sender for DingtalkRobot {
    async fn send(&self, delivery: &Delivery) -> Report {
        let planned = match plan(delivery) {
            Ok(planned) if planned.is_empty() => {
                return Report::failed(Outcome::Rejected, "there is nothing to send: the text is empty");
            }
            Ok(planned) => planned,
            Err(report) => return report,
        };
        let budget = Budget::new(&self.clock, delivery.timeout);
        let mut progress = Progress::resume(delivery, &planned);
        for (index, message) in planned.iter().enumerate() {
            if progress.is_sent(index) {
                continue;
            }
            let report = self.send_one(message, &budget).await.unwrap_or_else(|report| report);
            if !progress.record(index, report) {
                break;
            }
        }
        progress.finish()
    }

    /// There is no way to ask without sending.
    async fn probe(&self) -> Probe {
        self.recall().await;
        Probe::assumed_up()
    }

    fn gate(&self, _: &Target, _: Option<&Delivery>, now: UtcMs) -> Gate {
        match self.pace().free_at(self.steady.now()) {
            None => Gate::Open,
            Some(free) => Gate::Closed { reason: Reason::RateLimit, until: Some(self.steady.on_the_wall(free, now)) },
        }
    }
}

impl DingtalkRobot {
    async fn send_one(&self, planned: &Planned, budget: &Budget) -> Result<Report, Report> {
        let left = budget.left()?;
        self.recall().await;
        let (now, at) = (self.clock.now(), self.steady.now());
        {
            let mut pace = self.pace();
            if let Some(until) = pace.free_at(at) {
                let outcome = Outcome::Throttled { wait: Some(until.since(at)) };
                return Err(Report::failed(outcome, "not called: the robot's 20 messages of this minute are used up"));
            }
            pace.count(at);
        }
        self.remember().await;
        let mut request = self.http.post(self.url.expose()).json(&planned.body);
        if let Some(secret) = &self.secret {
            // `query` encodes the signature, once.
            request = request.query(&[("timestamp", now.0.to_string()), ("sign", sign(now.0, secret))]);
        }
        let reply = match self.http.call(request, left).await {
            Ok(reply) => reply,
            Err(error) => {
                if matches!(error, CallError::NotSent(_)) {
                    self.pace().sends.take_back(WINDOWS, at);
                }
                return Err(error.report());
            }
        };
        let mut report = judge(&reply, now);
        if let Outcome::Throttled { wait: Some(wait) } = report.outcome {
            self.pace().shut_out_until = Some(self.steady.now() + wait);
            self.remember().await;
        }
        report.note = planned.note.clone();
        Ok(report)
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn recall(&self) {
        let recall = || async {
            let notes = self.memory.recall(&self.account).await?;
            if let Some((_, pace)) = notes.into_iter().find(|(key, _)| key == PACE) {
                *self.pace() = Pace::parse(&pace, self.steady.now());
            }
            Ok::<(), super::sender::MemoryError>(())
        };
        if let Err(error) = self.recalled.get_or_try_init(recall).await {
            tracing::warn!(account = self.account, %error, "cannot recall what the robot sent of late");
        }
    }

    async fn remember(&self) {
        let pace = self.pace().to_text();
        if let Err(error) = self.memory.remember(&self.account, PACE, &pace).await {
            tracing::warn!(account = self.account, %error, "cannot remember what the robot sent of late");
        }
    }
}

/// The signature of a request made at `ms`.
fn sign(ms: i64, secret: &Secret) -> String {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes any key");
    mac.update(format!("{ms}\n{}", secret.expose()).as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

// ---- The pace ----

/// The memory's key for the pace.
const PACE: &str = "pace";

/// When the robot sent of late.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pace {
    sends: Tally,
    shut_out_until: Option<UtcMs>,
}

impl Pace {
    /// When the next message may go; None: now.
    fn free_at(&self, now: UtcMs) -> Option<UtcMs> {
        let minute = sliding::free_at(&[&self.sends], WINDOWS, now);
        let shut_out = self.shut_out_until.filter(|until| *until > now);
        minute.max(shut_out)
    }

    fn count(&mut self, now: UtcMs) {
        self.sends.add(WINDOWS, now);
    }

    fn to_text(&self) -> String {
        let sends: Vec<i64> = self.sends.instants().map(|at| at.0).collect();
        json!({"sends": sends, "shut_out_until": self.shut_out_until.map(|at| at.0)}).to_string()
    }

    /// What cannot be read counts as nothing sent, and what seems to lie ahead, since the clock was put back between
    /// two runs, as sent just now.
    fn parse(text: &str, now: UtcMs) -> Pace {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let mut sends = Tally::default();
        for at in value["sends"].as_array().into_iter().flatten().filter_map(Value::as_i64) {
            sends.add(WINDOWS, UtcMs(at).min(now));
        }
        Pace { sends, shut_out_until: value["shut_out_until"].as_i64().map(|until| UtcMs(until).min(now + SHUT_OUT)) }
    }
}

// ---- What is sent ----

/// One message of DingTalk's.
#[derive(Debug, PartialEq)]
struct Planned {
    kind: Kind,
    body: Value,
    note: Option<String>,
}

impl Part for Planned {
    fn kind(&self) -> &'static str {
        self.kind.as_str()
    }
}

/// A text alone is a text; whatever else is one markdown, in reading order. Both are cut where they are too long.
fn plan(delivery: &Delivery) -> Result<Vec<Planned>, Report> {
    let segments = segments(&delivery.message.body);
    let mentions = Mentions::of(&segments);
    let mut markdown = Vec::new();
    let mut note = None;
    if let [Segment::Text(run)] = segments.as_slice()
        && !run.iter().any(|inline| matches!(inline, Inline::Markdown(_)))
    {
        return Ok(in_pieces(&render(run, write), &mentions, |text, mentions| Planned {
            kind: Kind::Text,
            body: mentions.put_into(json!({"msgtype": "text", "text": {"content": text}})),
            note: None,
        }));
    }
    for segment in segments {
        match segment {
            Segment::Text(run) => markdown.push(lines(&render(&run, write))),
            Segment::Media { kind, media, index } => {
                let file = &delivery.media[index];
                let (link, said) = link(kind, file, index)?;
                add_note(&mut note, Some(said));
                markdown.push(link);
                markdown.extend(media.caption.as_deref().map(lines));
            }
        }
    }
    markdown.retain(|block| !block.trim().is_empty());
    let kind = delivery.message.body.kind();
    let title = delivery.message.title.as_deref().or(delivery.job.as_deref()).unwrap_or(kind.as_str());
    let message = |text: &str, mentions: &Mentions| Planned {
        kind,
        body: mentions.put_into(json!({"msgtype": "markdown", "markdown": {"title": title, "text": text}})),
        note: note.clone(),
    };
    Ok(in_pieces(&markdown.join("\n\n"), &mentions, message))
}

/// The text whole where it fits, else cut; the first piece calls whoever is to be called.
fn in_pieces(text: &str, mentions: &Mentions, message: impl Fn(&str, &Mentions) -> Planned) -> Vec<Planned> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let pieces = match json!(text).to_string().len() {
        0..=TEXT_MAX_JSON_BYTES => vec![text],
        _ => split(text, PIECE_LIMIT),
    };
    let nobody = Mentions::default();
    let called = std::iter::once(mentions).chain(std::iter::repeat(&nobody));
    pieces.into_iter().zip(called).map(|(piece, called)| message(piece, called)).collect()
}

/// Markdown joins lines that have no blanks before their end.
fn lines(text: &str) -> String {
    text.replace('\n', "  \n")
}

fn link(kind: Kind, file: &MediaFile, index: usize) -> Result<(String, &'static str), Report> {
    let Some(url) = &file.url else {
        let error = format!(
            "media {} ('{}'): a custom robot sends a {kind} only by its public address, so its source must be http(s)",
            index + 1,
            file.filename
        );
        return Err(Report::failed(Outcome::Rejected, error));
    };
    let url = url.replace('(', "%28").replace(')', "%29").replace(' ', "%20");
    let name: String = file.filename.chars().filter(|c| !matches!(c, '[' | ']')).collect();
    Ok(match kind {
        Kind::Image => (format!("![{name}]({url})"), "image as link"),
        Kind::Voice => (format!("[{name}]({url})"), "voice as link"),
        Kind::Video => (format!("[{name}]({url})"), "video as link"),
        Kind::File | Kind::Text | Kind::Mixed => (format!("[{name}]({url})"), "file as link"),
    })
}

/// Whom a message calls. The text must name them too, else nobody is told.
#[derive(Clone, Debug, Default)]
struct Mentions {
    mobiles: Vec<String>,
    users: Vec<String>,
    all: bool,
}

impl Mentions {
    fn of(segments: &[Segment]) -> Mentions {
        let mut mentions = Mentions::default();
        let runs = segments.iter().filter_map(|segment| match segment {
            Segment::Text(run) => Some(run),
            Segment::Media { .. } => None,
        });
        for inline in runs.flatten() {
            match inline {
                Inline::At(user) if is_mobile(user) => mentions.mobiles.push((*user).to_owned()),
                Inline::At(user) => mentions.users.push((*user).to_owned()),
                Inline::AtAll => mentions.all = true,
                Inline::Text(_) | Inline::Markdown(_) => {}
            }
        }
        mentions
    }

    fn put_into(&self, mut body: Value) -> Value {
        if self.all || !self.mobiles.is_empty() || !self.users.is_empty() {
            body["at"] = json!({"atMobiles": self.mobiles, "atUserIds": self.users, "isAtAll": self.all});
        }
        body
    }
}

fn write(inline: Inline) -> String {
    match inline {
        Inline::Text(text) | Inline::Markdown(text) => text.to_owned(),
        Inline::At(user) => format!("@{user}"),
        Inline::AtAll => "@all".to_owned(),
    }
}

/// Members are called by user id or by mobile number.
fn is_mobile(user: &str) -> bool {
    user.len() == 11 && user.starts_with('1') && user.bytes().all(|byte| byte.is_ascii_digit())
}

// ---- What DingTalk answers ----

const FIELDS: Fields = Fields { codes: &["errcode"], yes: 0 };
const TOO_FAST: i64 = 130101;

/// HTTP 200 is no yes: `errcode` decides, where nothing else says no.
fn judge(reply: &Reply, now: UtcMs) -> Report {
    let body = reply.json().unwrap_or_default();
    // Seen in the wild beside or instead of a code: {"status":1111,"wait":5,"punish":"deny"}.
    let is_shut_out = number(&body["status"]) == Some(1111)
        || body["punish"].as_str().is_some_and(|word| word.eq_ignore_ascii_case("deny"));
    let no = match FIELDS.read(&body) {
        Verdict::No(no) if no.is_own => Some(no),
        _ if is_shut_out => Some(No { code: TOO_FAST, is_own: true, words: "shut out (punish: deny)".to_owned() }),
        Verdict::Yes if reply.is_success() => return Report::sent(None).with_status(reply.status),
        Verdict::No(no) if reply.is_success() => Some(no),
        _ => None,
    };
    match no {
        Some(no) => {
            let mut outcome = outcome_of(no.own_code(), &no.words);
            if let Outcome::Throttled { wait: Some(wait) } = &mut outcome {
                // The ten minutes are DingTalk's rule; what an answer tells can only be longer.
                let told = number(&body["wait"]).and_then(|told| u64::try_from(told).ok()).map(Duration::from_secs);
                let told = told.max(reply.retry_after(now)).unwrap_or_default();
                *wait = told.clamp(*wait, LONGEST_WAIT);
            }
            Report::failed(outcome, no.told("")).with_status(reply.status)
        }
        _ => {
            let unreadable = || Report::failed(Outcome::Unknown, format!("unreadable answer: {}", reply.excerpt()));
            reply.status_report(now).unwrap_or_else(unreadable).with_status(reply.status)
        }
    }
}

fn outcome_of(code: i64, said: &str) -> Outcome {
    match code {
        -1 => Outcome::Unknown,
        410100 | TOO_FAST => Outcome::Throttled { wait: Some(SHUT_OUT) },
        // One code for four checks; only the keyword is a matter of the message.
        310000 if said.to_lowercase().contains("keyword") || said.contains("关键词") => Outcome::Rejected,
        310000 => Outcome::AccountDown,
        400013 => Outcome::TargetGone,
        // The token, the robot, and the day's quota.
        300001 | 300005 | 400101 | 400102 | 400106 | 90030 => Outcome::AccountDown,
        // 400105 message type, 430101 to 430104 content refused, and what else may come.
        _ => Outcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of others.md §13, made with OpenSSL.
    #[test]
    fn the_signature_is_that_of_the_sheet() {
        let secret = Secret::new("SECdemo".into());
        assert_eq!(sign(1_700_000_000_000, &secret), "lOvVf9TQCVugV68mGbSZCg0gzOl1SVjxWi1MyVZCUuA=");
    }

    #[test]
    fn the_pace_is_twenty_in_any_minute() {
        let at = |seconds: i64| UtcMs(1_767_229_200_000 + seconds * 1000);
        let mut pace = Pace::default();
        for second in 0..20 {
            assert_eq!(pace.free_at(at(second)), None);
            pace.count(at(second));
        }
        assert_eq!(pace.free_at(at(20)), Some(at(60)));
        assert_eq!(pace.free_at(at(60)), None);
        pace.count(at(60));
        assert_eq!(pace.free_at(at(60)), Some(at(61)));
        assert_eq!(Pace::parse(&pace.to_text(), at(60)), pace);
        let behind = Pace::parse(&pace.to_text(), at(-3600));
        assert_eq!(behind.free_at(at(-3600)), Some(at(-3540)), "put back between two runs: a minute and no more");
        pace.shut_out_until = Some(at(660));
        assert_eq!(pace.free_at(at(100)), Some(at(660)));
        assert_eq!(Pace::parse("gibberish", at(0)), Pace::default());
    }
}
