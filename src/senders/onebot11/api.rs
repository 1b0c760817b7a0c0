//! One call to an implementation: address, token, envelope.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;
use url::Url;

use super::answer::Answer;
use crate::senders::shared::failure::Failure;
use crate::senders::shared::http::{CallError, Reply};
use crate::senders::shared::json_body::{JsonBody, Slots};
use crate::senders::shared::settings::under;
use crate::senders::shared::wire::Wire;

pub(super) struct Api {
    pub wire: Wire,
    pub base: Url,
    /// `Bearer …`. Never in the query too: NapCat and LLBot disagree on which of the two counts.
    pub authorization: Option<HeaderValue>,
}

impl Api {
    async fn post(&self, action: &str, body: &JsonBody, deadline: Duration) -> Result<Reply, CallError> {
        let mut request = self.wire.http.post(under(&self.base, action));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        self.wire.http.call(body.attach(request), deadline).await
    }

    /// A call that sends a message: its data, or why it did not go out.
    pub(super) async fn send(
        &self,
        action: &str,
        body: &JsonBody,
        deadline: Duration,
        attempt: u32,
    ) -> Result<(Answer, u16), Failure> {
        let reply = self.post(action, body, deadline).await?;
        if let Some(failure) = reply.status_failure(self.wire.now()) {
            return Err(failure);
        }
        let Some(mut answer) = reply.json().and_then(Answer::read) else {
            let error = format!("HTTP {} without a OneBot answer: {}", reply.status, reply.excerpt());
            return Err(Failure::unknown(error).with_status(reply.status));
        };
        if let Err(class) = answer.verdict(attempt) {
            return Err(Failure::new(class, answer.describe()).with_status(reply.status));
        }
        // Ids and paths in it are used again, and a secret's text may stand in one by chance.
        answer.data = reply.json_as_it_came().map(|mut envelope| envelope["data"].take()).unwrap_or_default();
        Ok((answer, reply.status))
    }

    /// A call that nobody in the chat can see, before the message itself is sent. Its failures leave nothing
    /// unknown.
    pub(super) async fn prepare(&self, action: &str, body: &JsonBody, deadline: Duration) -> Result<Value, Failure> {
        match self.send(action, body, deadline, 1).await {
            Ok((answer, _)) => Ok(answer.data),
            Err(failure) => {
                let error = format!("{action}: {}", failure.error);
                Err(Failure { error, ..failure.before_the_send() })
            }
        }
    }

    /// A question; its failure tells why there is no answer.
    pub(super) async fn ask(&self, action: &str, parameters: Value, deadline: Duration) -> Result<Value, Failure> {
        self.prepare(action, &Slots::new().fill(&parameters), deadline).await
    }
}

/// Ids come as numbers or as texts, and LLBot's may be negative.
pub(super) fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::Number(id) => Some(id.to_string()),
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        _ => None,
    }
}
