//! Questions and their answers.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::{page, text_of};
use super::guard::Admitted;
use super::pages::{Given, cursor, items, mark};
use super::problem::Problem;
use super::routes::Op;
use super::state::Api;
use super::who::{Needs, Who};
use super::{openapi, pages};
use crate::answers::explain::Explanation;
use crate::answers::refusal::{Kind, Refusal};
use crate::answers::status::Status;
use crate::answers::{accounts, figures, jobs, next, show, when};
use crate::config::WebScope;
use crate::domain::{LATE, UtcMs};
use crate::net::http1::StatusCode;
use crate::store::{Filter, Holder, HourFigures, Mark, StoreError, View};
use crate::texts::Language;

const DAY: Duration = Duration::from_secs(86_400);
/// Fires of a job that are told at once.
const MOST_FIRES: usize = 500;

impl Api {
    pub(super) async fn read(&self, admitted: &Admitted, query: &Given) -> Result<String, Problem> {
        let name = || admitted.names.first().map(String::as_str).unwrap_or_default();
        let now = self.inside.clock.now();
        let told = match admitted.operation.op {
            Op::Document => return Ok(openapi::text().to_owned()),
            Op::Me => me(&admitted.who),
            Op::Status => return text_of(&self.standing().await?),
            Op::Jobs => self.jobs(query).await?,
            Op::Job => self.job(name()).await?,
            Op::Next => self.next(name(), query).await?,
            Op::NextOfAll => self.next_of_all(query).await?,
            Op::Fires => self.fires(name(), query, now).await?,
            Op::Explain => {
                let wrong = |detail: String| Problem::of_parameter("at", detail);
                let at = query.text("at").ok_or_else(|| wrong("at: expected a time such as 09:00".to_owned()))?;
                let explained = Explanation::read(&*self.reader, name(), at, now).await;
                let explained = explained.map_err(|refusal| match refusal.kind {
                    Kind::Senseless => wrong(format!("at: {refusal}")),
                    _ => refusal.into(),
                })?;
                // It is the daemon that answers.
                explained.with_answer(&explained.lines(explained.zone(), now, true, &[], Language::English))
            }
            Op::Revisions => {
                jobs::definition_or_past(&*self.reader, name()).await?;
                page(vec_of(&self.reader.revisions(name()).await?)?, None)
            }
            Op::Accounts => page(items(&accounts::known(&*self.reader).await?), None),
            Op::Account => self.account(name()).await?,
            Op::Pushes => self.pushes(query, now).await?,
            Op::Push => self.push(name(), admitted).await?,
            Op::DuePushes => self.view(View::DuePushes, query).await?,
            Op::UnknownPushes => self.view(View::UnknownPushes, query).await?,
            Op::FailuresToday => self.view(View::FailuresToday, query).await?,
            Op::Figures => self.figures(query, now).await?,
            Op::Acts => self.acts(query).await?,
            // Acts and pushes are carried out elsewhere.
            _ => Value::Null,
        };
        Ok(told.to_string())
    }

    /// How the daemon is.
    pub(super) async fn standing(&self) -> Result<Status, StoreError> {
        // It is this process that answers.
        let holder = Holder { words: format!("daemon, pid {}", std::process::id()), is_daemon: true };
        Status::read(&*self.reader, Some(holder), self.inside.clock.now()).await
    }

    async fn jobs(&self, query: &Given) -> Result<Value, Problem> {
        let after_job = query.text("before").map(pages::name_of).transpose()?;
        let filter = Filter { limit: Some(query.limit()), after_job, ..Filter::default() };
        let table = self.reader.view(View::JobOverview, &filter).await?;
        let last = pages::last_of_full(&table, &filter);
        let last = last.and_then(|row| row.first()).and_then(Value::as_str).map(pages::cursor_of_name);
        Ok(page(items(&table), last))
    }

    async fn job(&self, name: &str) -> Result<Value, Problem> {
        let found = jobs::definition(&*self.reader, name).await?;
        let filter = Filter { job: Some(name.to_owned()), ..Filter::default() };
        let table = self.reader.view(View::JobOverview, &filter).await?;
        let mut job = items(&table).pop().ok_or_else(|| Problem::not_found(format!("there is no job '{name}'")))?;
        job["definition"] = json!(found.job);
        Ok(job)
    }

    async fn next(&self, name: &str, query: &Given) -> Result<Value, Problem> {
        let mut jobs = [jobs::definition(&*self.reader, name).await?.job];
        let known = next::known(&*self.reader, None).await?;
        let now = self.inside.clock.now();
        next::bring_to_their_ends(&mut jobs, &known.counted, now)?;
        let number = query.number("n").and_then(|number| usize::try_from(number).ok());
        let fires = next::coming(&jobs, Some(name), number, now)?;
        Ok(page(items(&next::as_table(&fires, &Some(known.paused))), None))
    }

    /// Those that come due next are among the jobs that do.
    async fn next_of_all(&self, query: &Given) -> Result<Value, Problem> {
        let number = query.number("n").unwrap_or(50);
        let now = self.inside.clock.now();
        let mut jobs = self.reader.soonest_jobs(number, now).await?;
        let known = next::known(&*self.reader, None).await?;
        let reckoned = tokio::task::spawn_blocking(move || {
            next::bring_to_their_ends(&mut jobs, &known.counted, now)?;
            let fires = next::coming(&jobs, None, usize::try_from(number).ok(), now)?;
            Ok::<_, Refusal>(next::as_table(&fires, &Some(known.paused)))
        });
        let broken = |_| Problem::broken("the calendar broke down");
        Ok(page(items(&reckoned.await.map_err(broken)??), None))
    }

    async fn fires(&self, name: &str, query: &Given, now: UtcMs) -> Result<Value, Problem> {
        jobs::definition_or_past(&*self.reader, name).await?;
        let until = query.instant("until").unwrap_or(now);
        let from = query.instant("from").unwrap_or(until - DAY);
        if until < from {
            return Err(Problem::of_parameter("until", "until: expected an instant that is not before 'from'"));
        }
        let until = mark(query)?.map_or(until, |last| until.min(UtcMs(last.due_at.0.saturating_sub(1).max(0))));
        let mut fires = self.reader.fires(name, from, until).await?;
        let most = query.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MOST_FIRES);
        let mut more = fires.len().saturating_sub(most);
        // A page ends between two instants: what was decided about one stands on one page.
        while more > 0 && fires[more - 1].due_at == fires[more].due_at {
            more -= 1;
        }
        let last = fires.get(more).filter(|_| more > 0).map(|fire| fire.due_at);
        fires.drain(..more);
        fires.reverse();
        let next = last.map(|due_at| cursor(Mark { id: 0, due_at, ordered_at: None }));
        Ok(page(vec_of(&fires)?, next))
    }

    async fn account(&self, id: &str) -> Result<Value, Problem> {
        let filter = Filter { account: Some(id.to_owned()), ..Filter::default() };
        let found = items(&self.reader.view(View::AccountOverview, &filter).await?).pop();
        found.ok_or_else(|| Problem::not_found(format!("there is no account '{id}'")))
    }

    async fn pushes(&self, query: &Given, now: UtcMs) -> Result<Value, Problem> {
        let filter = pages::filter_of_pushes(query, (query.instant("since"), query.instant("until")), now)?;
        self.page_of_lines(View::PushHistory, &filter).await
    }

    async fn push(&self, id: &str, admitted: &Admitted) -> Result<Value, Problem> {
        let push_id = push_id(id)?;
        self.must_be_own(push_id, admitted).await?;
        let story = show::push(&*self.reader, push_id).await?;
        let filter = Filter { push_id: Some(push_id), ..Filter::default() };
        let table = self.reader.view(View::PushHistory, &filter).await?;
        let mut push = items(&table).pop().ok_or_else(|| Problem::not_found(format!("there is no push {push_id}")))?;
        push["message"] = story.message.clone();
        push["parts"] = json!(story.parts);
        push["fallbacks"] = json!(story.fallbacks);
        push["attempts_made"] = json!(show::record(&story).map(|record| &record.attempts));
        Ok(push)
    }

    /// A token for pushes reads back what it pushed itself, and nothing else.
    async fn must_be_own(&self, push_id: i64, admitted: &Admitted) -> Result<(), Problem> {
        let Who::Token(token) = &admitted.who else { return Ok(()) };
        if admitted.who.may(Needs::Read) || token.scope != WebScope::Push {
            return Ok(());
        }
        let filter = Filter { push_id: Some(push_id), limit: Some(100), ..Filter::default() };
        let table = self.reader.view(View::Acts, &filter).await?;
        let is_own = items(&table)
            .iter()
            .any(|act| act["via"] == "token" && act["actor"] == *token.name && act["verb"] == "push");
        if is_own {
            return Ok(());
        }
        // The same whether or not there is one.
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "this token reads back its own pushes alone"))
    }

    async fn view(&self, view: View, query: &Given) -> Result<Value, Problem> {
        let filter = Filter { limit: Some(query.limit()), after: mark(query)?, ..Filter::default() };
        self.page_of_lines(view, &filter).await
    }

    async fn page_of_lines(&self, view: View, filter: &Filter) -> Result<Value, Problem> {
        let table = self.reader.view(view, filter).await?;
        Ok(page(items(&table), pages::next(&table, filter)))
    }

    /// The running hour is among them as it stands.
    async fn figures(&self, query: &Given, now: UtcMs) -> Result<Value, Problem> {
        let days = u32::try_from(query.number("days").unwrap_or(7)).unwrap_or(7);
        let since = now - DAY * days;
        let hours = self.reader.hours(since, now, now).await?;
        let first = figures::date(since, &when::zone(&self.accepted().timezone));
        let unfired = self.reader.unfired_days(&first, now).await?;
        let row = |of: &HourFigures| {
            json!({
                "hour": of.hour, "im": of.im, "account": of.account, "ends": of.ends,
                "late": of.lateness.buckets, "most_ms": of.lateness.most_ms,
            })
        };
        Ok(json!({
            "late_up_to_ms": LATE,
            "hours": hours.rows.iter().map(row).collect::<Vec<_>>(),
            "unfired_days": unfired,
            "missing_from": hours.missing_from,
        }))
    }

    async fn acts(&self, query: &Given) -> Result<Value, Problem> {
        self.page_of_lines(View::Acts, &pages::filter_of_acts(query)?).await
    }
}

fn me(who: &Who) -> Value {
    let scope = |scope: WebScope| match scope {
        WebScope::Read => "read",
        WebScope::Act => "act",
        WebScope::Push => "push",
    };
    match who {
        Who::Token(token) => {
            let to =
                token.to.as_ref().map(|to| to.iter().map(|(im, target)| format!("{im} {target}")).collect::<Vec<_>>());
            json!({ "name": token.name, "scope": scope(token.scope), "to": to })
        }
        Who::Person(person) => json!({ "name": person.name, "scope": scope(person.scope), "to": null }),
        Who::Socket { uid } => json!({ "name": format!("uid {uid}"), "scope": "all", "to": null }),
    }
}

fn vec_of(told: &impl serde::Serialize) -> Result<Vec<Value>, Problem> {
    let text = text_of(told)?;
    serde_json::from_str(&text).map_err(|error| Problem::broken(error.to_string()))
}

/// # Errors
///
/// Where it is no number: there is no such push either.
pub(super) fn push_id(text: &str) -> Result<i64, Problem> {
    let id = text.parse::<i64>().ok().filter(|id| *id > 0);
    id.ok_or_else(|| Problem::not_found(format!("'{text}' is no number of a push")))
}
