//! Forms: each is an act of a verb, and leads on to a page that shows what became of it.

use askama::Template;

use super::answer::{Answer, html, see_other};
use super::frame::Frame;
use super::memory::unguessable;
use super::push::record;
use super::sign_in::inner;
use super::stamp::{Stamp, encoded};
use super::table::Leaf;
use super::tell::Mark;
use crate::answers::{jobs, show};
use crate::domain::PushState;
use crate::net::http1::StatusCode;
use crate::texts;
use crate::web::pages::Given;
use crate::web::problem::Problem;
use crate::web::reads::push_id;
use crate::web::state::Api;
use crate::web::who::Who;

/// Targets of a job that are told one by one.
const TARGETS: usize = 20;

/// Says what will happen before it does.
#[derive(Template)]
#[template(path = "ask.html", config = "src/web/askama.toml")]
struct AskPage {
    f: Frame,
    question: String,
    explained: String,
    /// Where the form goes.
    place: String,
    button: String,
    back: String,
    once: Option<String>,
    seen: Option<&'static str>,
    mark: Option<Mark>,
    due: Option<Stamp>,
    targets: Vec<String>,
    more: Option<String>,
}

impl Api {
    pub(super) async fn ask_page(&self, frame: Frame, leaf: Leaf, name: &str, given: &Given) -> Answer {
        let back = given.text("back").map(|back| inner(Some(back)));
        if leaf == Leaf::AskFire {
            return self.ask_fire(frame, name).await;
        }
        let id = push_id(name)?;
        let story = show::push(&*self.reader, id).await?;
        let push = record(&story, id)?;
        let is_retry = leaf == Leaf::AskRetry;
        let f = frame.of_part("pushes", if is_retry { texts::ask_retry(id) } else { texts::ask_cancel(id) });
        let explained = match is_retry {
            true if show::perhaps_sent(push) => texts::retry_may_double(),
            true => texts::retry_sends_again(),
            false => texts::cancel_ends_it(),
        };
        let page = AskPage {
            question: f.title.clone(),
            explained: f.say(explained),
            place: f.to(&format!("/pushes/{id}/{}", if is_retry { "retry" } else { "cancel" })),
            button: f.say(if is_retry { texts::do_retry() } else { texts::do_cancel() }),
            back: back.unwrap_or_else(|| format!("/pushes/{id}")),
            once: None,
            seen: Some(push.state.as_str()),
            mark: Some(Mark::of_state(push.state, &f)),
            due: Some(f.at(story.fire.due_at, story.timezone.as_deref())),
            targets: vec![format!("{} {}", push.im, push.target)],
            more: None,
            f,
        };
        html(StatusCode::OK, &page)
    }

    async fn ask_fire(&self, frame: Frame, name: &str) -> Answer {
        let job = jobs::definition(&*self.reader, name).await?.job;
        let f = frame.of_part("jobs", texts::ask_fire(name));
        let told = job.push.iter().map(|push| match &push.list {
            Some(_) => format!("{} {}", push.im, f.say(texts::all_of_a_list())),
            None => format!("{} {}", push.im, push.target),
        });
        let page = AskPage {
            question: f.title.clone(),
            explained: f.say(texts::fire_sends_now(job.push.len())),
            place: f.to(&format!("/jobs/{}/fire", encoded(name))),
            button: f.say(texts::do_fire()),
            back: format!("/jobs/{}", encoded(name)),
            once: Some(unguessable::<16>()?),
            seen: None,
            mark: None,
            due: None,
            targets: told.take(TARGETS).collect(),
            more: job.push.len().checked_sub(TARGETS + 1).map(|more| f.say(texts::and_more(more + 1))),
            f,
        };
        html(StatusCode::OK, &page)
    }

    pub(super) async fn carry_out_form(
        &self,
        frame: &Frame,
        leaf: Leaf,
        name: &str,
        given: &Given,
        who: &Who,
        request: &str,
    ) -> Answer {
        let acts = self.acts_of(who, request);
        let of_job = |done: &str| format!("/jobs/{}?done={done}", encoded(name));
        let of_push = |done: &str| {
            let back = given.text("back").map(|back| inner(Some(back)));
            let back = back.unwrap_or_else(|| format!("/pushes/{name}"));
            // Where it was sent from has parameters of its own, or none.
            format!("{back}{}done={done}", if back.contains('?') { '&' } else { '?' })
        };
        let place = match leaf {
            Leaf::Fire => {
                let number = given.text("once").ok_or_else(|| Problem::senseless("once: expected a number of ours"))?;
                if !self.page_memory.takes(number) {
                    let detail = format!("this sheet was sent already: job '{name}' was fired by it once");
                    return Err(Problem::new(StatusCode::CONFLICT, "not-allowed-now", detail));
                }
                match acts.fire(name).await?.push_ids() {
                    [only] => format!("/pushes/{only}?done=fired"),
                    _ => of_job("fired"),
                }
            }
            Leaf::Pause => {
                acts.set_paused(name, true).await?;
                of_job("paused")
            }
            Leaf::Resume => {
                acts.set_paused(name, false).await?;
                of_job("resumed")
            }
            Leaf::Retry => {
                acts.retry(self.as_seen(name, given).await?).await?;
                of_push("retried")
            }
            Leaf::Cancel => {
                acts.cancel(self.as_seen(name, given).await?).await?;
                of_push("cancelled")
            }
            Leaf::Resolve => {
                let word = given.text("outcome");
                let word = word.ok_or_else(|| Problem::senseless("outcome: expected sent or failed"))?;
                let is_sent = word == PushState::Sent.as_str();
                acts.resolve(self.as_seen(name, given).await?, is_sent).await?;
                of_push(if is_sent { "sent" } else { "failed" })
            }
            _ => {
                self.may_probe()?;
                acts.note_probe().await?;
                (self.inside.probe)();
                "/accounts?done=asked".to_owned()
            }
        };
        see_other(frame, &place)
    }
}
