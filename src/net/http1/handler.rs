//! Who answers requests.

use async_trait::async_trait;
use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, header};

pub type Head = Parts;

/// The token that a field `Authorization` brings, of the scheme `Bearer`.
pub fn bearer(field: &header::HeaderValue) -> Option<&str> {
    let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Why a request is not answered, and with which words, where [`Handler::refusal`] has none for it.
#[derive(Debug)]
pub struct Refused {
    pub status: StatusCode,
    pub response: Option<Box<Response<Bytes>>>,
    /// What the status alone does not say.
    pub why: Option<&'static str>,
}

impl From<StatusCode> for Refused {
    fn from(status: StatusCode) -> Refused {
        Refused { status, response: None, why: None }
    }
}

impl From<Response<Bytes>> for Refused {
    fn from(response: Response<Bytes>) -> Refused {
        Refused { status: response.status(), response: Some(Box::new(response)), why: None }
    }
}

/// Who answers.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Looks at a head before its body is asked for.
    ///
    /// # Errors
    /// How the request is refused. Its connection ends.
    fn judge(&self, _head: &Head) -> Result<(), Refused> {
        Ok(())
    }

    /// Answers a whole request. A panic becomes 500.
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes>;

    /// How a refusal looks, ours and the server's own, which may say more than its status does.
    fn refusal(&self, status: StatusCode, _why: Option<&'static str>) -> Response<Bytes> {
        plain_refusal(status)
    }
}

/// The status in words, and nothing else.
pub fn plain_refusal(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(format!("{status}\n").into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}
