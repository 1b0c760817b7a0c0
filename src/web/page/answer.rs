//! Requests for pages in, HTML out.

use askama::Template;
use bytes::Bytes;

use super::admission::Visit;
use super::assets;
use super::frame::Frame;
use super::headers::{POLICY, as_header};
use super::table::Leaf;
use crate::domain::escaped_lines;
use crate::net::http1::{Head, Response, StatusCode, header};
use crate::texts;
use crate::web::problem::Problem;
use crate::web::state::{Accepted, Api};

/// A page, ready to be sent, or why there is none.
pub(super) type Answer = Result<Response<Bytes>, Problem>;

#[derive(Template)]
#[template(path = "problem.html", config = "src/web/askama.toml")]
struct ProblemPage {
    f: Frame,
    status: u16,
    text: String,
    /// The state that the push has now.
    state: Option<String>,
    may_sign_in: bool,
}

/// Leads on by a request of the page itself, with which the browser sends the cookie that it keeps from other sites.
#[derive(Template)]
#[template(path = "bounce.html", config = "src/web/askama.toml")]
pub(super) struct Bounce {
    pub f: Frame,
    pub place: String,
}

impl Api {
    pub(in crate::web) async fn page(&self, head: &Head, body: &[u8], request: &str) -> Response<Bytes> {
        let accepted = self.accepted();
        let answer = match self.visit(head, &accepted) {
            Ok(visit) => self.shown(&visit, head, body, &accepted, request).await,
            Err(problem) => Err(problem),
        };
        answer.unwrap_or_else(|problem| self.page_of(problem, head, &accepted))
    }

    async fn shown(&self, visit: &Visit, head: &Head, body: &[u8], accepted: &Accepted, request: &str) -> Answer {
        let name = || visit.names.first().map(String::as_str).unwrap_or_default();
        if visit.sheet.leaf == Leaf::Asset {
            let missing = || Problem::not_found(format!("there is no {}", name()));
            return assets::asset(name()).ok_or_else(missing);
        }
        let (mut frame, given) = Frame::of(visit, head, body, accepted, self.inside.clock.now())?;
        let Some(who) = visit.who.as_ref() else {
            return match visit.sheet.leaf {
                Leaf::SignIn => self.sign_in_page(frame, &given, head, accepted).await,
                Leaf::TrySignIn => self.try_sign_in(frame, &given, head, accepted).await,
                Leaf::SignOut => self.sign_out(frame, head, accepted),
                // The cookie is kept from a link on another site: the page asks once more by itself.
                _ if is_from_elsewhere(head) => {
                    let place = frame.here();
                    html(StatusCode::OK, &Bounce { f: frame, place })
                }
                _ => see_other(&frame, &format!("/in?next={}", frame.here_encoded())),
            };
        };
        if visit.sheet.leaf != Leaf::Live {
            frame.read_standing(self).await;
        }
        let remembers = frame.remembers.take();
        let mut response = match visit.sheet.leaf {
            Leaf::SignIn | Leaf::TrySignIn => see_other(&frame, "/")?,
            Leaf::SignOut => self.sign_out(frame, head, accepted)?,
            Leaf::Now => self.now_page(frame).await?,
            Leaf::Jobs => self.jobs_page(frame, &given).await?,
            Leaf::Job => self.job_page(frame, name(), &given).await?,
            Leaf::Pushes => self.pushes_page(frame, &given).await?,
            Leaf::Push => self.push_page(frame, name()).await?,
            Leaf::Accounts => self.accounts_page(frame).await?,
            Leaf::Figures => self.figures_page(frame).await?,
            Leaf::Live => self.live_stream(head, accepted)?,
            Leaf::Try | Leaf::Tried => self.try_page(frame, &given, who).await?,
            Leaf::Acts => self.acts_page(frame, &given).await?,
            Leaf::AskFire | Leaf::AskRetry | Leaf::AskCancel => {
                self.ask_page(frame, visit.sheet.leaf, name(), &given).await?
            }
            _ => self.carry_out_form(&frame, visit.sheet.leaf, name(), &given, who, request).await?,
        };
        if let Some(cookie) = &remembers {
            as_header(response.headers_mut(), "set-cookie", cookie);
        }
        Ok(response)
    }

    /// What is wrong, as a page.
    pub(in crate::web) fn page_of(&self, problem: Problem, head: &Head, accepted: &Accepted) -> Response<Bytes> {
        let may_sign_in = problem.status() == StatusCode::UNAUTHORIZED;
        let frame = Frame::plain(head, accepted, self.inside.clock.now());
        let title = texts::problem_page(problem.status().as_u16());
        let page = ProblemPage {
            status: problem.status().as_u16(),
            text: problem.detail().to_owned(),
            state: problem.state().map(|state| frame.say(texts::state(state))),
            may_sign_in,
            f: frame.titled(title),
        };
        let mut response = html(problem.status(), &page).unwrap_or_else(|broken| broken.into_response(""));
        problem.dress(response.headers_mut());
        response
    }
}

/// Whether a page of another site leads here.
fn is_from_elsewhere(head: &Head) -> bool {
    let site = head.headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    site.is_some_and(|site| ["cross-site", "same-site"].contains(&site))
}

/// A page.
pub(super) fn html(status: StatusCode, page: &impl Template) -> Answer {
    let text = page.render().map_err(|error| Problem::broken(error.to_string()))?;
    // Once more as a whole: no mark that somebody wrote turns what stands around it.
    let mut response = Response::new(Bytes::from(escaped_lines(&text).into_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
    as_header(headers, "content-security-policy", POLICY);
    // With none at all browsers send our own forms without an origin.
    as_header(headers, "referrer-policy", "same-origin");
    Ok(response)
}

/// Leads to a page of ours by a GET.
pub(super) fn see_other(frame: &Frame, path: &str) -> Answer {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    as_header(response.headers_mut(), "location", &frame.to(path));
    as_header(response.headers_mut(), "referrer-policy", "same-origin");
    Ok(response)
}
