//! Jobs made, changed and removed over HTTP: what the verbs `add`, `edit` and `rm` do, judged by the running configuration.

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::api::ok;
use super::guard::Admitted;
use super::pages::{self, Given};
use super::problem::Problem;
use super::routes::Op;
use super::state::Api;
use crate::acts::{Acts, Done, Proposal, Running, is_schedule};
use crate::answers::jobs::definition;
use crate::net::http1::{Response, StatusCode, header};
use crate::store::Definition;

impl Api {
    pub(super) async fn change_jobs(
        &self,
        admitted: &Admitted,
        body: &[u8],
        request: &str,
    ) -> Result<Response<Bytes>, Problem> {
        let acts = self.acts_of(&admitted.who, request);
        let name = admitted.names.first().map(String::as_str).unwrap_or_default();
        match admitted.operation.op {
            Op::MakeJob => self.make_job(&acts, pages::object(body)?).await,
            Op::ChangeJob => self.change_job(&acts, name, pages::object(body)?).await,
            _ => {
                Given::of_body(body, &[])?;
                let found = self.made_at_run_time(name).await?;
                Ok(ok(StatusCode::OK, json!(acts.remove(vec![found]).await?).to_string()))
            }
        }
    }

    async fn make_job(&self, acts: &Acts, said: Map<String, Value>) -> Result<Response<Bytes>, Problem> {
        if let Some(name) = said.get("name").and_then(Value::as_str)
            && let Ok(found) = self.reader.definition(name).await
        {
            let detail = match found.source.is_verb() {
                true => format!("there is a job '{name}' already: PATCH changes it, DELETE ends it"),
                false => of_the_files(name),
            };
            return Err(Problem::new(StatusCode::CONFLICT, "not-allowed-now", detail));
        }
        let proposal = self.rules()?.propose(said).await?;
        let place = proposal.jobs.first().map(|job| utf8_percent_encode(&job.name, NON_ALPHANUMERIC).to_string());
        let mut response = ok(StatusCode::CREATED, defined(acts, proposal).await?);
        let place = place.and_then(|name| format!("/api/v1/jobs/{name}").parse().ok());
        response.headers_mut().extend(place.map(|place| (header::LOCATION, place)));
        Ok(response)
    }

    async fn change_job(&self, acts: &Acts, name: &str, said: Map<String, Value>) -> Result<Response<Bytes>, Problem> {
        if said.is_empty() {
            return Err(Problem::at("", "what is to be changed? expected at least one key of a job"));
        }
        if said.contains_key("name") {
            return Err(Problem::at("/name", "name: a job keeps its name; make another one, and end this one"));
        }
        let found = self.made_at_run_time(name).await?;
        let rules = self.rules()?;
        let reschedules = said.keys().any(|key| is_schedule(key));
        let change = |job: &mut Map<String, Value>| rules.put_into(job, said);
        let proposal = acts.edited(found, &rules, reschedules, change).await?;
        Ok(ok(StatusCode::OK, defined(acts, proposal).await?))
    }

    /// A job that a verb or a request made.
    async fn made_at_run_time(&self, name: &str) -> Result<Definition, Problem> {
        let found = definition(&*self.reader, name).await?;
        match found.source.is_verb() {
            true => Ok(found),
            false => Err(Problem::new(StatusCode::CONFLICT, "not-allowed-now", of_the_files(name))),
        }
    }

    fn rules(&self) -> Result<Running, Problem> {
        let broken = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", "nobody judges jobs");
        let judge = self.accepted().judge.clone().ok_or_else(broken)?;
        Ok(Running { judge, now: self.inside.clock.now() })
    }
}

fn of_the_files(name: &str) -> String {
    format!("job '{name}' is in the files: change or remove it there, and reload")
}

/// Puts jobs in force; tells what was done, and what is doubtful of them.
async fn defined(acts: &Acts, proposal: Proposal) -> Result<String, Problem> {
    let doubt = |doubt: &crate::config::Problem| json!({ "pointer": doubt.pointer, "detail": doubt.message, "hint": doubt.hint });
    let doubts: Vec<Value> = proposal.doubts.iter().map(doubt).collect();
    let done: Done = acts.define(proposal).await?;
    let mut told = json!(done);
    if !doubts.is_empty() {
        told["warnings"] = json!(doubts);
    }
    Ok(told.to_string())
}
