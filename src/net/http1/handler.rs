//! Who answers requests.

use async_trait::async_trait;
use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, header};

pub type Head = Parts;

/// Who answers.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Looks at a head before its body is asked for.
    ///
    /// # Errors
    /// The status that the request is refused with. Its connection ends.
    fn judge(&self, _head: &Head) -> Result<(), StatusCode> {
        Ok(())
    }

    /// Answers a whole request. A panic becomes 500.
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes>;

    /// How a refusal looks, ours and the server's own.
    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
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
