//! The six push calls of the plugin SDK: a push outside any job, recorded at once, and its end, if that comes in time.
//!
//! Once the row is there no answer says that anything failed: what may have been recorded is told as such.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::api::ok;
use super::guard::Admitted;
use super::pages;
use super::problem::Problem;
use super::state::Api;
use super::who::Who;
use crate::acts::{AdHoc, Once, RequestKey};
use crate::answers::history;
use crate::answers::rows::{Row, rows};
use crate::config::Judge;
use crate::domain::hex::sha256;
use crate::domain::{PushSpec, PushState, Trigger};
use crate::net::http1::{Head, Response, StatusCode, header};
use crate::store::StoreError;

const WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: u64 = 120_000;
/// An end may come that nobody tells of: of a push that somebody cancels.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const SOON: Duration = Duration::from_millis(20);
const LONGEST_KEY: usize = 255;

/// Keys of the call that are none of the push.
struct Call {
    wait: Duration,
    trigger: Trigger,
    chat: Option<(String, String)>,
}

impl Api {
    pub(super) async fn make_push(
        &self,
        admitted: &Admitted,
        kind: Option<&'static str>,
        head: &Head,
        body: &[u8],
        request: &str,
    ) -> Result<Response<Bytes>, Problem> {
        let key = idempotency_key(head)?;
        let mut push = pages::object(body)?;
        let call = Call::take(&mut push)?;
        let once = match key {
            Some(key) => Some(self.once(admitted, &key, &push, &call).await),
            None => None,
        };
        // Before it is judged: by now the files may say otherwise of what was asked for once, or nothing any more.
        if let Some(Some(request)) = &once
            && let Some(known) = self.reader.request(request, self.inside.clock.now()).await?
        {
            return self.answered(known, &admitted.who, call.wait).await;
        }
        self.must_be_its_chat(&call)?;
        let spec = self.judged(push, kind).await?;
        may_push_to(&admitted.who, &spec)?;
        let ad_hoc = vec![AdHoc { spec, triggered_by: call.trigger, chat: call.chat }];
        let acts = self.acts_of(&admitted.who, request);
        let made = match once {
            None => Once::Recorded(acts.push(ad_hoc).await?),
            Some(Some(request)) => acts.push_once(ad_hoc, request).await?,
            // Not reached: what asks for no push was refused above. Without its key it must not be recorded.
            Some(None) => return Err(broken()),
        };
        self.answered(made, &admitted.who, call.wait).await
    }

    /// What the key of a request stands for: who asked, where, and for what. None where it asks for no push, which is never
    /// recorded.
    async fn once(&self, admitted: &Admitted, key: &str, push: &Map<String, Value>, call: &Call) -> Option<RequestKey> {
        let owner = format!("{}\0{}\0{key}", admitted.who.name(), admitted.operation.path);
        let (push, now) = (Value::Object(push.clone()), self.inside.clock.now());
        let asked = tokio::task::spawn_blocking(move || Judge::asked(&push, now)).await.ok().flatten()?;
        let payload = json!([asked, call.trigger.as_str(), call.chat]).to_string();
        Some(RequestKey { key: sha256(owner.as_bytes()), payload: sha256(payload.as_bytes()) })
    }

    async fn answered(&self, once: Once, who: &Who, wait: Duration) -> Result<Response<Bytes>, Problem> {
        let (push_ids, is_replayed) = match once {
            Once::Recorded(push_ids) => (push_ids, false),
            Once::Replayed(push_ids) => (push_ids, true),
            Once::Other => {
                let detail = "Idempotency-Key: this key stands for another push; give each push a key of its own";
                return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail));
            }
        };
        let push_id = push_ids.first().copied().unwrap_or_default();
        let mut response = self.told(push_id, who, wait).await;
        if is_replayed {
            response.headers_mut().insert("idempotency-replayed", header::HeaderValue::from_static("true"));
        }
        Ok(response)
    }

    /// The account of a chat sends its answers, whatever targets a token has: it must be one of the chat's own im.
    fn must_be_its_chat(&self, call: &Call) -> Result<(), Problem> {
        let Some((im, account)) = &call.chat else { return Ok(()) };
        match self.accepted().judge.as_ref().and_then(|judge| judge.wrong_chat((im, account))) {
            Some(wrong) => Err(Problem::at("/chat_account", format!("chat_account: {}", wrong.english()))),
            None => Ok(()),
        }
    }

    /// The one push that was asked for, by the rules of the files.
    async fn judged(&self, push: Map<String, Value>, kind: Option<&'static str>) -> Result<PushSpec, Problem> {
        if push.contains_key("render") {
            return Err(Problem::at("/render", "render: a push over HTTP says what it says; templates belong to jobs"));
        }
        let accepted = self.accepted();
        let now = self.inside.clock.now();
        let judging = tokio::task::spawn_blocking(move || {
            accepted.judge.as_ref().map(|judge| judge.judge(&Value::Object(push), now))
        });
        let judged = judging.await.ok().flatten().ok_or_else(broken)?;
        let mut judged = judged.map_err(|errors| Problem::of_all(&errors.errors))?;
        let Some(spec) = judged.pushes.pop().filter(|_| judged.pushes.is_empty()) else {
            let detail = "expected one group or one user: a call pushes to one target";
            return Err(Problem::at(&judged.whom_at, detail));
        };
        if spec.list.is_some() {
            return Err(Problem::at(
                &judged.whom_at,
                "a list of recipients is read for the fires of jobs: name a group or a user",
            ));
        }
        let found = spec.message.body.kind().as_str();
        match kind {
            Some(kind) if kind != found => {
                let detail = format!("this call pushes {kind}: got {found}; /api/push takes all kinds");
                Err(Problem::at(&judged.content_at, detail))
            }
            _ => Ok(spec),
        }
    }

    /// What became of a push and of its fallbacks, once they have come to their ends or `wait` is over. Where too many wait
    /// already, it is told as it stands.
    async fn told(&self, push_id: i64, who: &Who, wait: Duration) -> Response<Bytes> {
        let waiting = self.waits.begin(who.name());
        let wait = if waiting.is_some() { wait } else { Duration::ZERO };
        let known = self.end_of(push_id, wait).await;
        drop(waiting);
        let (is_over, is_gone) = (known.is_over(), matches!(known, Known::Gone));
        let (state, is_sent) = match &known {
            Known::Stands(stands) => (Some(stands.state), stands.is_sent),
            Known::Gone | Known::Nothing => (None, false),
        };
        let table = history::of(&*self.reader, &[push_id]).await.unwrap_or_default();
        let row = rows(&table).next();
        let column = |name: &str| row.map_or(Value::Null, |row| row.get(name).clone());
        let told = json!({
            "count": u8::from(is_sent),
            "push_id": push_id,
            "state": state.map(PushState::as_str),
            "account": column("account"),
            "rule": column("rule"),
            "message_id": column("message_id"),
            "error": error_of(&known, row),
            "reason": if is_gone { json!("its history is pruned") } else { column("reason") },
        });
        let status = if is_over { StatusCode::OK } else { StatusCode::ACCEPTED };
        let mut response = ok(status, told.to_string());
        if let Ok(place) = format!("/api/v1/pushes/{push_id}").parse() {
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    }

    /// A database that cannot be asked now is asked again.
    async fn end_of(&self, push_id: i64, wait: Duration) -> Known {
        let mut ended = self.inside.ended.clone();
        let until = self.inside.clock.boottime() + wait;
        let mut rest = SOON;
        loop {
            ended.mark_unchanged();
            let known = match self.stands(push_id).await {
                Ok(Some(stands)) => Known::Stands(stands),
                Ok(None) => Known::Gone,
                Err(_) => Known::Nothing,
            };
            let left = until.since(self.inside.clock.boottime());
            if known.is_over() || left.is_zero() {
                return known;
            }
            tokio::select! {
                _ = ended.changed() => {
                    // It is told of before it is written.
                    rest = SOON;
                    self.inside.clock.sleep(left.min(SOON)).await;
                }
                () = self.inside.clock.sleep(left.min(rest)) => rest = (rest * 2).min(LOOK_AGAIN),
            }
        }
    }

    /// How a push stands with all that went out in its place, which is made with its end.
    async fn stands(&self, push_id: i64) -> Result<Option<Stands>, StoreError> {
        let Some(state) = self.reader.push_state(push_id).await? else { return Ok(None) };
        let mut all = vec![state];
        if state.is_final() {
            for fallback in self.reader.fallbacks(push_id).await? {
                all.extend(self.reader.push_state(fallback).await?);
            }
        }
        Ok(Some(Stands {
            state,
            is_over: all.iter().all(|state| state.is_final()),
            is_sent: all.contains(&PushState::Sent),
        }))
    }
}

/// Why a push was not sent that nobody cancelled: the platform's words, else the reason, with the accounts that could not send
/// it. A caller for whom this is null takes it that nothing went wrong.
fn error_of(known: &Known, row: Option<Row>) -> Value {
    let of_attempt = row.map_or(Value::Null, |row| row.get("error").clone());
    match known {
        Known::Gone => json!("what became of it is not known any more: its history is pruned"),
        Known::Stands(Stands { state, .. }) if of_attempt.is_null() && ended_badly(*state) => {
            let why = row.map(history::why).filter(|why| !why.is_empty());
            json!(why.unwrap_or_else(|| format!("it is {}", state.as_str())))
        }
        Known::Stands(_) | Known::Nothing => of_attempt,
    }
}

fn ended_badly(state: PushState) -> bool {
    matches!(state, PushState::Failed | PushState::Expired | PushState::Unknown)
}

fn broken() -> Problem {
    Problem::broken("nobody judges pushes")
}

/// What is known of a push that was recorded.
enum Known {
    Stands(Stands),
    /// Pruned since: its request came again much later.
    Gone,
    /// The database could not be asked.
    Nothing,
}

/// A push together with its fallbacks.
struct Stands {
    /// Of the push itself.
    state: PushState,
    /// Nothing is on its way any more.
    is_over: bool,
    is_sent: bool,
}

impl Known {
    fn is_over(&self) -> bool {
        match self {
            Known::Stands(stands) => stands.is_over,
            Known::Gone => true,
            Known::Nothing => false,
        }
    }
}

impl Call {
    fn take(push: &mut Map<String, Value>) -> Result<Call, Problem> {
        let wait = match push.remove("wait") {
            None | Some(Value::Null | Value::Bool(true)) => WAIT,
            Some(Value::Bool(false)) => Duration::ZERO,
            Some(wait) => match wait.as_u64().filter(|ms| *ms <= LONGEST_WAIT) {
                Some(ms) => Duration::from_millis(ms),
                None => return Err(Problem::at("/wait", "wait: expected true, false, or milliseconds up to 120000")),
            },
        };
        let mut text = |key: &str| match push.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(Problem::at(&format!("/{key}"), format!("{key}: expected a text"))),
        };
        let (trigger, im, account) = (text("trigger")?, text("chat_im")?, text("chat_account")?);
        let trigger = match trigger.as_deref() {
            None | Some("manual") => Trigger::Manual,
            Some("message") => Trigger::Message,
            Some(other) => {
                return Err(Problem::at("/trigger", format!("trigger: expected manual or message, got '{other}'")));
            }
        };
        let has_chat = im.is_some() && account.is_some();
        if im.is_some() != account.is_some() || has_chat != (trigger == Trigger::Message) {
            return Err(Problem::at("/trigger", "trigger: message, chat_im and chat_account belong together"));
        }
        Ok(Call { wait, trigger, chat: im.zip(account) })
    }
}

/// A token may be for some targets alone.
fn may_push_to(who: &Who, spec: &PushSpec) -> Result<(), Problem> {
    let Who::Token(token) = who else { return Ok(()) };
    let Some(allowed) = &token.to else { return Ok(()) };
    let forbidden = |detail: String| Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    if !spec.fallback.is_empty() {
        return forbidden(format!(
            "token {} pushes to the targets of its `to` alone, so without a fallback",
            token.name
        ));
    }
    if allowed.iter().any(|(im, target)| *im == spec.im && *target == spec.target) {
        return Ok(());
    }
    forbidden(format!("token {} may not push to {} {}", token.name, spec.im, spec.target))
}

/// With or without quotes.
fn idempotency_key(head: &Head) -> Result<Option<String>, Problem> {
    let mut fields = head.headers.get_all("idempotency-key").iter();
    let Some(field) = fields.next() else { return Ok(None) };
    let key = field.to_str().unwrap_or_default().trim();
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    let is_printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if key.is_empty() || key.len() > LONGEST_KEY || !is_printable || fields.next().is_some() {
        let detail = "Idempotency-Key: expected one of 1 to 255 printable ASCII characters";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail));
    }
    Ok(Some(key.to_owned()))
}
