//! One call to an implementation: address, token, envelope.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;
use url::Url;

use super::answer::Answer;
use crate::clock::SharedClock;
use crate::domain::{Outcome, Report};
use crate::senders::shared::http::{CallError, Http, Reply};
use crate::senders::shared::json_body::{JsonBody, Slots};
use crate::senders::shared::settings::under;

pub struct Api {
    pub http: Http,
    pub clock: SharedClock,
    pub base: Url,
    /// `Bearer …`. Never in the query too: NapCat and LLBot disagree on which of the two counts.
    pub authorization: Option<HeaderValue>,
}

impl Api {
    async fn post(&self, action: &str, body: &JsonBody, deadline: Duration) -> Result<Reply, CallError> {
        let mut request = self.http.post(under(&self.base, action));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        self.http.call(body.attach(request), deadline).await
    }

    /// A call that sends a message: its data, or the report of the attempt.
    pub async fn send(
        &self,
        action: &str,
        body: &JsonBody,
        deadline: Duration,
        attempt: u32,
    ) -> Result<(Answer, u16), Report> {
        let reply = self.post(action, body, deadline).await.map_err(CallError::report)?;
        if let Some(report) = reply.status_report(self.clock.now()) {
            return Err(report);
        }
        let Some(mut answer) = reply.json().and_then(Answer::read) else {
            let error = format!("HTTP {} without a OneBot answer: {}", reply.status, reply.excerpt());
            return Err(Report::failed(Outcome::Unknown, error).with_status(reply.status));
        };
        match answer.outcome(attempt) {
            Outcome::Sent => {
                // Ids and paths in it are used again, and a secret's text may stand in one by chance.
                answer.data = reply.json_as_it_came().map(|mut envelope| envelope["data"].take()).unwrap_or_default();
                Ok((answer, reply.status))
            }
            outcome => Err(Report::failed(outcome, answer.describe()).with_status(reply.status)),
        }
    }

    /// A call that nobody in the chat can see, before the message itself is sent. Its failures leave nothing
    /// unknown.
    pub async fn prepare(&self, action: &str, body: &JsonBody, deadline: Duration) -> Result<Value, Report> {
        match self.send(action, body, deadline, 1).await {
            Ok((answer, _)) => Ok(answer.data),
            Err(report) => {
                let mut report = report.before_the_send();
                report.error = report.error.map(|error| format!("{action}: {error}"));
                Err(report)
            }
        }
    }

    /// A question; its report tells why there is no answer.
    pub async fn ask(&self, action: &str, parameters: Value, deadline: Duration) -> Result<Value, Report> {
        self.prepare(action, &Slots::new().fill(&parameters), deadline).await
    }
}
