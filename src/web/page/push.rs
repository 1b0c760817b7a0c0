//! One push: what it says and to whom, each attempt, what may be done about it, and who did something.

use askama::Template;
use serde_json::Value;

use super::acts::ActRow;
use super::answer::{Answer, html};
use super::frame::Frame;
use super::jobs::{cut, pretty};
use super::stamp::Stamp;
use super::tell::{Mark, Span};
use crate::answers::show::{self, Advice};
use crate::domain::{PushState, Trigger};
use crate::net::http1::StatusCode;
use crate::store::{AttemptRecord, Filter, PushRecord, PushStory};
use crate::texts::{self, Text};
use crate::web::problem::Problem;
use crate::web::reads::push_id;
use crate::web::state::Api;

/// One try.
struct AttemptRow {
    number: u32,
    at: Stamp,
    late: Span,
    account: String,
    rule: String,
    sender: String,
    outcome: Mark,
    took: Option<Span>,
    error: String,
    http: String,
    message_id: String,
    note: String,
}

/// A named piece of the message.
struct Piece {
    name: String,
    text: String,
    is_cut: bool,
}

#[derive(Template)]
#[template(path = "push.html", config = "src/web/askama.toml")]
struct PushPage {
    f: Frame,
    id: i64,
    job: Option<String>,
    im: String,
    target: String,
    kind: &'static str,
    due: Stamp,
    by_hand: bool,
    mark: Mark,
    state: &'static str,
    why: String,
    advice: String,
    may_resolve: bool,
    may_retry: bool,
    may_cancel: bool,
    attempts: Vec<AttemptRow>,
    attempts_title: String,
    next: Option<Stamp>,
    given_up: Option<Stamp>,
    finished: Option<Stamp>,
    confirmed: Option<Stamp>,
    named_account: Option<String>,
    fallback_of: Option<i64>,
    fallbacks: Vec<i64>,
    pieces: Vec<Piece>,
    parts: Option<String>,
    /// As `pushcron explain` tells it.
    told: Vec<String>,
    acts: Vec<ActRow>,
}

impl Api {
    pub(super) async fn push_page(&self, frame: Frame, id: &str) -> Answer {
        let id = push_id(id)?;
        let story = show::push(&*self.reader, id).await?;
        let f = frame.of_part("pushes", texts::push_number(id));
        let acts = self.acts_on(Filter { push_id: Some(id), ..Filter::default() }, &f).await?;
        let push = record(&story, id)?;
        let told = self.told_of(&story, id, &f).await?;
        html(StatusCode::OK, &page_of(&story, push, acts, told, f))
    }
}

/// The push itself, out of its story.
pub(super) fn record(story: &PushStory, id: i64) -> Result<&PushRecord, Problem> {
    show::record(story).ok_or_else(|| Problem::not_found(format!("there is no push {id}")))
}

fn page_of(story: &PushStory, push: &PushRecord, acts: Vec<ActRow>, told: Vec<String>, f: Frame) -> PushPage {
    let zone = story.timezone.as_deref();
    let at = |at| f.at(at, zone);
    let advice = show::advice(push.state, show::perhaps_sent(push), story.is_unmade);
    let is_over = push.state.is_final() && push.state != PushState::Sent;
    PushPage {
        id: push.id,
        job: story.job.clone(),
        im: push.im.clone(),
        target: push.target.to_string(),
        kind: push.kind.as_str(),
        due: at(story.fire.due_at),
        by_hand: story.fire.triggered_by != Trigger::Cron,
        mark: Mark::of_state(push.state, &f),
        state: push.state.as_str(),
        why: why(push, &f),
        advice: f.say(match advice {
            Advice::Nothing => Text::none(),
            Advice::LookFirst => texts::advice_look_first(),
            Advice::Retry => texts::advice_retry(),
            Advice::FireAgain => texts::advice_fire_again(),
            Advice::Wait => texts::advice_wait(),
        }),
        may_resolve: push.state == PushState::Unknown,
        may_retry: is_over && !story.is_unmade,
        may_cancel: matches!(push.state, PushState::Pending | PushState::Retrying),
        attempts: push.attempts.iter().map(|attempt| attempt_row(attempt, story, &f)).collect(),
        attempts_title: f.say(texts::attempts_of(push.attempts.len(), push.max_attempts)),
        next: push.next_attempt_at.filter(|_| !push.state.is_final()).map(at),
        given_up: show::given_up_at(push).map(at),
        finished: push.finished_at.map(at),
        confirmed: push.confirmed_at.map(at),
        named_account: story.named_account.clone(),
        fallback_of: push.fallback_of,
        fallbacks: story.fallbacks.clone(),
        pieces: pieces(&story.message),
        parts: story.parts.as_ref().map(|parts| pretty(parts).0),
        told,
        acts,
        f,
    }
}

fn attempt_row(attempt: &AttemptRecord, story: &PushStory, f: &Frame) -> AttemptRow {
    let word = attempt.outcome.as_deref();
    let outcome = match word {
        None => Mark::new("open", "…", f.say(texts::state(PushState::Sending))),
        Some("sent") => Mark::new("good", "✓", f.say(texts::outcome("sent"))),
        Some("unknown") => Mark::new("odd", "?", f.say(texts::outcome("unknown"))),
        Some(word) => Mark::new("bad", "✗", f.say(texts::outcome(word))),
    };
    AttemptRow {
        number: attempt.number,
        at: f.at(attempt.started_at, story.timezone.as_deref()),
        late: Span(attempt.started_at.ms_since(story.fire.due_at)),
        account: attempt.account.clone(),
        rule: f.say(texts::rule(attempt.rule)),
        sender: attempt.sender.clone(),
        outcome,
        took: attempt.finished_at.map(|at| Span(at.ms_since(attempt.started_at))),
        error: attempt.error.clone().unwrap_or_default(),
        http: attempt.http_status.map(|status| status.to_string()).unwrap_or_default(),
        message_id: attempt.message_id.clone().unwrap_or_default(),
        note: attempt.note.clone().unwrap_or_default(),
    }
}

/// The reason of its state, and the last answer of the platform.
fn why(push: &PushRecord, f: &Frame) -> String {
    let error = push.attempts.last().and_then(|attempt| attempt.error.as_deref());
    let detail = push.detail.as_ref().map_or_else(Text::none, texts::after_colon);
    let reason = push.reason.as_deref().map(|word| f.say(texts::reason_in_words(word).and(&detail)));
    match (reason, error.filter(|_| push.state != PushState::Sent)) {
        (Some(reason), Some(error)) => f.say(texts::last_answer(reason, error)),
        (Some(only), None) => only,
        (None, Some(only)) => only.to_owned(),
        (None, None) => String::new(),
    }
}

/// What the message holds: texts as they are, the rest as JSON. Media are named, and never loaded.
fn pieces(message: &Value) -> Vec<Piece> {
    let Some(message) = message.as_object() else { return Vec::new() };
    let piece = |(name, value): (&String, &Value)| {
        let (text, is_cut) = match value {
            Value::String(text) => cut(text),
            other => pretty(other),
        };
        Piece { name: name.clone(), text, is_cut }
    };
    message.iter().filter(|(name, _)| *name != "kind").map(piece).collect()
}
