//! Why a request was not carried out, as RFC 9457 has it.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::answers::refusal::{Kind, Refusal};
use crate::config;
use crate::domain::PushState;
use crate::net::http1::{Response, StatusCode, header};
use crate::store::StoreError;

/// One answer that says what is wrong. Boxed, since most requests have none.
#[derive(Debug)]
pub(super) struct Problem(Box<Wrong>);

#[derive(Debug)]
struct Wrong {
    status: StatusCode,
    slug: &'static str,
    detail: String,
    more: Map<String, Value>,
    retry_after: Option<u64>,
    allow: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, slug: &'static str, detail: impl Into<String>) -> Problem {
        let (detail, more) = (detail.into(), Map::new());
        Problem(Box::new(Wrong { status, slug, detail, more, retry_after: None, allow: None }))
    }

    /// What was said makes no sense.
    pub(super) fn senseless(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// What one place of the body says makes no sense. `pointer` is a JSON pointer, "" for all of it.
    pub(super) fn at(pointer: &str, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        let errors = json!([{ "pointer": pointer, "detail": detail, "hint": null }]);
        Problem::senseless(detail).with("errors", errors)
    }

    /// What a parameter of the address says makes no sense.
    pub(super) fn of_parameter(name: &str, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        let errors = json!([{ "parameter": name, "detail": detail, "hint": null }]);
        Problem::senseless(detail).with("errors", errors)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    pub(super) fn broken(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", detail)
    }

    /// It may come again in so many seconds.
    pub(super) fn too_fast(detail: impl Into<String>, seconds: u64) -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-fast", detail).retry_after(seconds)
    }

    /// The path takes other methods.
    pub(super) fn other_method(path: &str, methods: String) -> Problem {
        let detail = format!("{path} takes {methods}");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail).allow(methods)
    }

    /// All that is wrong with what was sent; the first of it in the detail.
    pub(super) fn of_all(problems: &[config::Problem]) -> Problem {
        let listed: Vec<Value> = problems
            .iter()
            .map(|problem| json!({ "pointer": problem.pointer, "detail": problem.message, "hint": problem.hint }))
            .collect();
        let first = problems.first().map_or("this cannot be read", |first| first.message.english()).to_owned();
        Problem::senseless(first).with("errors", json!(listed))
    }

    pub(super) fn with(mut self, key: &str, value: Value) -> Problem {
        self.0.more.insert(key.to_owned(), value);
        self
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Problem {
        self.0.retry_after = Some(seconds.max(1));
        self
    }

    fn allow(mut self, methods: String) -> Problem {
        self.0.allow = Some(methods);
        self
    }

    /// The refusal of a status that the server itself chose.
    pub(super) fn of_status(status: StatusCode, why: Option<&'static str>) -> Problem {
        let (slug, detail) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "the body is larger than daemon.web.max_body"),
            StatusCode::BAD_REQUEST => ("bad-request", "this is no request that can be understood"),
            StatusCode::REQUEST_TIMEOUT => ("too-slow", "the body did not come within 30 s: send it at once"),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                ("head-too-large", "the head is larger than 16 KiB, or has more than 100 fields")
            }
            StatusCode::URI_TOO_LONG => {
                ("head-too-large", "the address is longer than anything that is asked for here")
            }
            StatusCode::MISDIRECTED_REQUEST => ("foreign-host", "the request is addressed to somebody else"),
            _ => ("broken", "a bug of pushcron: see its log"),
        };
        Problem::new(status, slug, why.unwrap_or(detail))
    }

    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(super) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The state that a push has now.
    pub(super) fn state(&self) -> Option<PushState> {
        PushState::parse(self.0.more.get("state")?.as_str()?)
    }

    /// What it says in fields of the head.
    pub(super) fn dress(&self, headers: &mut header::HeaderMap) {
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(methods) = self.0.allow.as_ref().and_then(|methods| methods.parse().ok()) {
            headers.insert(header::ALLOW, methods);
        }
    }

    pub(super) fn into_response(self, request: &str) -> Response<Bytes> {
        let Wrong { status, slug, detail, more, .. } = &*self.0;
        let (status, slug) = (*status, *slug);
        let mut body = json!({
            "type": format!("/problems/{slug}"),
            "title": title(slug),
            "status": status.as_u16(),
            "detail": detail,
            "instance": request,
        });
        if let Value::Object(body) = &mut body {
            body.extend(more.clone());
        }
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        self.dress(headers);
        response
    }
}

/// Fixed for each kind.
fn title(slug: &str) -> &'static str {
    match slug {
        "invalid" => "What was asked for makes no sense",
        "not-found" => "There is nothing of this name",
        "not-allowed-now" => "Its state does not allow this",
        "unauthorized" => "Nobody is known by this token",
        "forbidden" => "This may not be done with this token",
        "foreign-host" => "The request is addressed to somebody else",
        "foreign-page" => "A page of another site had this asked",
        "method" => "The path does not take this method",
        "too-large" => "The body is too large",
        "too-slow" => "The body takes too long",
        "head-too-large" => "The head is too large",
        "not-json" => "The body is no JSON",
        "media-type" => "The body is of another type than application/json",
        "too-fast" => "This comes too fast",
        "out-of-reach" => "The database is out of reach",
        "key-reused" => "The key stands for another push",
        "bad-request" => "The request cannot be understood",
        _ => "Something broke",
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let text = refusal.to_string();
        match refusal.kind {
            Kind::Senseless if !refusal.problems.is_empty() => Problem::of_all(&refusal.problems),
            Kind::Senseless => Problem::at(refusal.pointer.unwrap_or_default(), text),
            Kind::NotFound => Problem::not_found(text),
            Kind::NotAllowed => Problem::new(StatusCode::CONFLICT, "not-allowed-now", text),
            Kind::OutOfReach => out_of_reach(text),
            Kind::BadConfig | Kind::Broken => Problem::broken(text),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Refusal::from(error).into()
    }
}

/// Nothing was recorded, so it may be repeated at will.
fn out_of_reach(text: String) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "out-of-reach", text)
        .with("recorded", Value::Bool(false))
        .retry_after(1)
}
