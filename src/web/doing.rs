//! Acts over HTTP: those of the verbs.

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::{Value, json};

use super::guard::Admitted;
use super::pages::Given;
use super::problem::Problem;
use super::reads::push_id;
use super::routes::Op;
use super::state::Api;
use super::who::Who;
use crate::acts::Acts;
use crate::net::http1::StatusCode;

/// Every account is asked no more often than this, whoever wants it.
const BETWEEN_PROBES: Duration = Duration::from_secs(10);

impl Api {
    /// What this person does to the database.
    pub(super) fn acts_of(&self, who: &Who, request: &str) -> Acts {
        let acts = Acts::new(&*self.inside.store, self.inside.clock.clone(), who.actor(request));
        acts.ringing(self.inside.bell.clone())
    }

    pub(super) async fn act(&self, admitted: &Admitted, said: &Given, request: &str) -> Result<Value, Problem> {
        let acts = self.acts_of(&admitted.who, request);
        let name = admitted.names.first().map(String::as_str).unwrap_or_default();
        let done = match admitted.operation.op {
            Op::Fire => acts.fire(name).await?,
            Op::Pause => acts.set_paused(name, true).await?,
            Op::Resume => acts.set_paused(name, false).await?,
            Op::Retry => acts.retry(self.as_seen(name, said).await?).await?,
            Op::Cancel => acts.cancel(self.as_seen(name, said).await?).await?,
            Op::Resolve => {
                let outcome =
                    said.text("outcome").ok_or_else(|| Problem::at("/outcome", "outcome: expected sent or failed"))?;
                acts.resolve(self.as_seen(name, said).await?, outcome == "sent").await?
            }
            _ => {
                self.may_probe()?;
                acts.note_probe().await?;
                (self.inside.probe)();
                return Ok(json!({ "act": "probed" }));
            }
        };
        Ok(json!(done))
    }

    /// The push, if it is in the state that somebody saw.
    pub(super) async fn as_seen(&self, id: &str, said: &Given) -> Result<i64, Problem> {
        let push_id = push_id(id)?;
        let Some(seen) = said.state("seen") else { return Ok(push_id) };
        match self.reader.push_state(push_id).await? {
            Some(state) if state != seen => {
                let detail = format!("push {push_id} is {} now", state.as_str());
                Err(Problem::new(StatusCode::CONFLICT, "not-allowed-now", detail).with("state", json!(state.as_str())))
            }
            _ => Ok(push_id),
        }
    }

    pub(super) fn may_probe(&self) -> Result<(), Problem> {
        let now = self.inside.clock.boottime();
        let mut last = self.probed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = *last {
            let passed = now.since(last);
            if passed < BETWEEN_PROBES {
                let left = (BETWEEN_PROBES - passed).as_secs() + 1;
                return Err(Problem::too_fast("the accounts were asked just now", left));
            }
        }
        *last = Some(now);
        Ok(())
    }
}
