//! Requests in, answers out.

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::guard::{Admitted, dress, is_of_the_api, path_of};
use super::pages::Given;
use super::problem::Problem;
use super::routes::Op;
use super::state::Api;
use crate::domain::hex::sha256;
use crate::net::http1::{Handler, Head, Refused, Request, Response, StatusCode, header};

/// Hex digits of an entity tag.
const TAG: usize = 32;

#[async_trait]
impl Handler for Api {
    fn judge(&self, head: &Head) -> Result<(), Refused> {
        self.admit(head).map_err(|problem| {
            let (request, accepted) = (request_id(), self.accepted());
            let mut response = match is_of_the_api(path_of(head, &accepted)) {
                true => problem.into_response(&request),
                false => self.page_of(problem, head, &accepted),
            };
            dress(&mut response, &request);
            Refused::from(response)
        })
    }

    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        let id = request_id();
        if !is_of_the_api(path_of(&head, &self.accepted())) {
            let mut response = self.page(&head, &body, &id).await;
            dress(&mut response, &id);
            return response;
        }
        let answer = match self.admitted(&head, &self.accepted()) {
            Ok(admitted) => {
                tracing::debug!(
                    request = id,
                    who = admitted.who.name(),
                    path = admitted.operation.path,
                    "asked over HTTP"
                );
                self.carry_out(&admitted, &head, &body, &id).await
            }
            // A reload came between.
            Err(problem) => Err(problem),
        };
        let mut response = answer.unwrap_or_else(|problem| problem.into_response(&id));
        dress(&mut response, &id);
        response
    }

    fn refusal(&self, status: StatusCode, why: Option<&'static str>) -> Response<Bytes> {
        let request = request_id();
        let mut response = Problem::of_status(status, why).into_response(&request);
        dress(&mut response, &request);
        response
    }
}

impl Api {
    async fn carry_out(
        &self,
        admitted: &Admitted,
        head: &Head,
        body: &[u8],
        request: &str,
    ) -> Result<Response<Bytes>, Problem> {
        let operation = admitted.operation;
        if let Op::MakePush(kind) = operation.op {
            return self.make_push(admitted, kind, head, body, request).await;
        }
        if matches!(operation.op, Op::MakeJob | Op::ChangeJob | Op::RemoveJob) {
            return self.change_jobs(admitted, body, request).await;
        }
        let query = Given::of_query(head.uri.query().unwrap_or_default(), operation.query)?;
        if operation.method == "GET" {
            let told = self.read(admitted, &query).await?;
            return Ok(unless_known(head, ok(StatusCode::OK, told)));
        }
        let said = Given::of_body(body, operation.body)?;
        if operation.op == Op::Preview {
            let text = said.text("text").ok_or_else(|| Problem::at("/text", "text: expected a text"))?;
            return Ok(ok(StatusCode::OK, text_of(&self.preview(text.to_owned()).await?)?));
        }
        let told = self.act(admitted, &said, request).await?;
        Ok(ok(StatusCode::OK, json!(told).to_string()))
    }
}

/// As a JSON text.
pub(super) fn text_of(told: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(told).map_err(|error| Problem::broken(error.to_string()))
}

pub(super) fn ok(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Without its body where who asked has it already.
fn unless_known(head: &Head, mut response: Response<Bytes>) -> Response<Bytes> {
    let digest = sha256(response.body());
    let tag = format!("\"{}\"", &digest[..TAG]);
    let known = head.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.flat_map(|value| value.split(',')).any(|known| known.trim() == tag || known.trim() == "*");
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = tag.parse() {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// By which an answer, a line of the log and a row of acts find one another.
fn request_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// An answer in the shape of a page.
pub(super) fn page(items: Vec<Value>, next: Option<String>) -> Value {
    json!({ "items": items, "next": next })
}
