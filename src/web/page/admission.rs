//! Who may see a page or send a form.

use super::cookies::Cookie;
use super::table::{Leaf, SHEETS, Sheet};
use crate::config::WebSettings;
use crate::net::hosts;
use crate::net::http1::{Head, StatusCode, header};
use crate::web::guard::{ACTS, READS, authority, is_ours_of, path_of};
use crate::web::problem::Problem;
use crate::web::routes::{Found, find};
use crate::web::state::{Accepted, Api};
use crate::web::who::{Needs, Who};

/// A request that was let in; None: nobody is known, and the page is for everybody, or leads to the sign-in.
pub(in crate::web) struct Visit {
    pub who: Option<Who>,
    pub sheet: &'static Sheet,
    pub names: Vec<String>,
}

impl Api {
    /// Judges the head of a request for a page, and counts it.
    pub(in crate::web) fn admit_page(&self, head: &Head, accepted: &Accepted) -> Result<(), Problem> {
        let visit = self.visit(head, accepted)?;
        if visit.sheet.method == "POST" {
            must_be_own_form(head, accepted)?;
            must_be_a_form(head)?;
        }
        if visit.sheet.leaf == Leaf::Live {
            must_be_of_this_page(head)?;
        }
        let Some(who) = &visit.who else {
            let is_silent = visit.sheet.method == "POST" || visit.sheet.leaf == Leaf::Live;
            if is_silent && visit.sheet.needs.is_some() {
                let detail = "the session is over: sign in, and do it again";
                return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail));
            }
            return Ok(());
        };
        if visit.sheet.leaf == Leaf::Asset {
            return Ok(());
        }
        let (kind, rate) = match (visit.sheet.leaf, visit.sheet.method) {
            // How many texts are tried is judged once the text is there, which is given back with the refusal.
            (Leaf::Tried, _) => ("tried", ACTS),
            (_, "POST") => ("act", ACTS),
            _ => ("page", READS),
        };
        self.keep_to(kind, who, rate)
    }

    /// Whoever asks and for what.
    pub(in crate::web) fn visit(&self, head: &Head, accepted: &Accepted) -> Result<Visit, Problem> {
        let path = path_of(head, accepted);
        let (sheet, names) = match find(SHEETS, head.method.as_str(), path) {
            Found::One(sheet, names) => (sheet, names),
            Found::Other(methods) => return Err(Problem::other_method(path, methods)),
            Found::Nothing => return Err(Problem::not_found(format!("there is no page {path}"))),
        };
        let who = self.visitor(head, accepted);
        if let (Some(needs), Some(who)) = (sheet.needs, &who)
            && !who.may(needs)
        {
            let what = if needs == Needs::Act { "act" } else { "look" };
            let detail = format!("{} may not {what}: the scope of this user is another", who.name());
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        }
        Ok(Visit { who, sheet, names })
    }

    fn visitor(&self, head: &Head, accepted: &Accepted) -> Option<Who> {
        let now = self.inside.clock.boottime();
        let session = Cookie::Session.of(head, is_https(head, &accepted.settings));
        let person = session.and_then(|id| self.page_memory.sessions.of(id, &accepted.settings, now));
        person.map(Who::Person).or_else(|| Who::on_socket(head, accepted))
    }
}

/// Whether the browser reaches us through the proxy with TLS.
pub(in crate::web) fn is_https(head: &Head, settings: &WebSettings) -> bool {
    let public = settings.public_url.as_deref().and_then(authority);
    public.is_some_and(|public| hosts::named(head).any(|host| host.eq_ignore_ascii_case(public)))
}

/// A form is sent by a page of ours, as the browser says, which no page can make it say wrongly.
fn must_be_own_form(head: &Head, accepted: &Accepted) -> Result<(), Problem> {
    let value = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let foreign = |detail: String| Err(Problem::new(StatusCode::FORBIDDEN, "foreign-page", detail));
    match (value("sec-fetch-site"), value("origin")) {
        (Some("same-origin"), _) => Ok(()),
        (Some(site), _) => foreign(format!("Sec-Fetch-Site is '{site}': expected same-origin, a form of this page")),
        // Plain http on a name of the local network, or an old browser.
        (None, Some(origin)) if is_ours_of(origin, head, accepted) => Ok(()),
        (None, Some(origin)) => foreign(format!(
            "Origin is '{origin}': expected this page; behind a proxy that is daemon.web.public_url, and the proxy keeps Host"
        )),
        (None, None) => foreign(
            "neither Sec-Fetch-Site nor Origin is there: expected a form of this page; programs use /api/v1".to_owned(),
        ),
    }
}

/// A page of another site would hold the places of ours, and see how busy we are.
fn must_be_of_this_page(head: &Head) -> Result<(), Problem> {
    let site = head.headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or("?"));
    match site {
        None | Some("same-origin" | "none") => Ok(()),
        Some(site) => {
            let detail = format!("Sec-Fetch-Site is '{site}': expected same-origin, a page of ours");
            Err(Problem::new(StatusCode::FORBIDDEN, "foreign-page", detail))
        }
    }
}

fn must_be_a_form(head: &Head) -> Result<(), Problem> {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_form = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded");
    if is_form && !head.headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(());
    }
    let detail = "expected Content-Type: application/x-www-form-urlencoded, without Content-Encoding";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail))
}
