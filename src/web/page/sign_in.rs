//! In and out: by a password, or by a link that `pushcron web open` made.

use askama::Template;

use super::admission::is_https;
use super::answer::{Answer, Bounce, html, see_other};
use super::cookies::Cookie;
use super::frame::Frame;
use super::headers::as_header;
use super::memory::{OPEN_LINK, OpenLink, unguessable};
use super::password::{LONGEST, is_right};
use super::session::Person;
use crate::config::WebScope;
use crate::domain::hex::sha256;
use crate::net::http1::{Head, StatusCode};
use crate::texts::{self, Text};
use crate::web::guard::address_of;
use crate::web::pages::Given;
use crate::web::problem::Problem;
use crate::web::rates::Rate;
use crate::web::state::{Accepted, Api};

/// Wrong passwords for one name, and from one address.
const WRONG: Rate = Rate::per_minute(5);
/// The log tells of wrong ones so often.
const TOLD: Rate = Rate::per_minute(1);

#[derive(Template)]
#[template(path = "sign_in.html", config = "src/web/askama.toml")]
struct SignInPage {
    f: Frame,
    next: String,
    problem: Option<String>,
    name: String,
    has_users: bool,
}

impl Api {
    pub(super) async fn sign_in_page(&self, frame: Frame, given: &Given, head: &Head, accepted: &Accepted) -> Answer {
        let next = inner(given.text("next"));
        if let Some(code) = given.text("code") {
            return match self.by_link(code, head, accepted).await? {
                Some(person) => {
                    let place = frame.to("/");
                    // A page in between: the browser keeps the cookie from a request that came from elsewhere.
                    self.begin(person, html(StatusCode::OK, &Bounce { f: frame, place }), head, accepted)
                }
                None => ask(frame, accepted, next, String::new(), Some(texts::link_is_over()), StatusCode::FORBIDDEN),
            };
        }
        ask(frame, accepted, next, String::new(), None, StatusCode::OK)
    }

    pub(super) async fn try_sign_in(&self, frame: Frame, given: &Given, head: &Head, accepted: &Accepted) -> Answer {
        let next = inner(given.text("next"));
        let (name, password) = (given.text("name").unwrap_or_default(), given.text("password").unwrap_or_default());
        let from = address_of(head, accepted);
        let now = self.inside.clock.boottime();
        let buckets = [format!("password from {from}"), format!("password of {name}")];
        for bucket in &buckets {
            if let Err(seconds) = self.rates.look(bucket, WRONG, now) {
                return Err(Problem::too_fast("too many wrong passwords: wait a minute", seconds));
            }
        }
        let user = accepted.settings.users.iter().find(|user| user.name == name);
        let hash = user.map(|user| user.password.clone());
        if self.checked(password.to_owned(), hash).await?
            && let Some(user) = user
        {
            tracing::info!(user = name, from, "signed in at the page");
            let person = Person { name: user.name.clone(), scope: user.scope, password: Some(user.password.clone()) };
            return self.begin(person, see_other(&frame, &next), head, accepted);
        }
        for bucket in &buckets {
            let _ = self.rates.take(bucket, WRONG, now);
        }
        if self.rates.take("told of passwords", TOLD, now).is_ok() {
            tracing::warn!(user = name, from, "a wrong name or password came to the page");
        }
        ask(frame, accepted, next, name.to_owned(), Some(texts::wrong_password()), StatusCode::FORBIDDEN)
    }

    /// One at a time, and off the thread that answers.
    async fn checked(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        let broken = || Problem::broken("passwords cannot be checked");
        if password.len() > LONGEST {
            return Ok(false);
        }
        let _turn = self.page_memory.turn.acquire().await.map_err(|_| broken())?;
        tokio::task::spawn_blocking(move || is_right(&password, hash.as_deref())).await.map_err(|_| broken())
    }

    /// Whoever the link was made by, once.
    async fn by_link(&self, code: &str, head: &Head, accepted: &Accepted) -> Result<Option<Person>, Problem> {
        let (from, now) = (format!("link from {}", address_of(head, accepted)), self.inside.clock.boottime());
        if let Err(seconds) = self.rates.look(&from, WRONG, now) {
            return Err(Problem::too_fast("too many wrong links: wait a minute", seconds));
        }
        let _alone = self.page_memory.link.lock().await;
        let notes = self.reader.load_state("").await?;
        let link = notes.iter().find(|(key, _)| key == OPEN_LINK);
        let link = link.and_then(|(_, value)| serde_json::from_str::<OpenLink>(value).ok());
        let at = self.inside.clock.now();
        let Some(link) = link.filter(|link| link.sha256 == sha256(code.as_bytes()) && at <= link.until) else {
            let _ = self.rates.take(&from, WRONG, now);
            return Ok(None);
        };
        // Crossed out before anybody is let in.
        self.inside.store.save_state("", OPEN_LINK, "", at).await?;
        tracing::info!(uid = link.uid, from, "signed in at the page by a link");
        Ok(Some(Person { name: format!("uid {}", link.uid), scope: WebScope::Act, password: None }))
    }

    fn begin(&self, person: Person, answer: Answer, head: &Head, accepted: &Accepted) -> Answer {
        let mut response = answer?;
        let id = unguessable::<32>()?;
        self.page_memory.sessions.begin(&id, person, self.inside.clock.boottime());
        let cookie = Cookie::Session.set(&id, None, is_https(head, &accepted.settings));
        as_header(response.headers_mut(), "set-cookie", &cookie);
        Ok(response)
    }

    pub(super) fn sign_out(&self, frame: Frame, head: &Head, accepted: &Accepted) -> Answer {
        let is_https = is_https(head, &accepted.settings);
        if let Some(id) = Cookie::Session.of(head, is_https) {
            self.page_memory.sessions.end(id);
        }
        let mut response = see_other(&frame, "/in")?;
        as_header(response.headers_mut(), "set-cookie", &Cookie::Session.set("", Some(0), is_https));
        // What the browser still holds of the pages goes too.
        as_header(response.headers_mut(), "clear-site-data", "\"cache\"");
        Ok(response)
    }
}

fn ask(
    frame: Frame,
    accepted: &Accepted,
    next: String,
    name: String,
    problem: Option<Text>,
    status: StatusCode,
) -> Answer {
    let problem = problem.map(|text| frame.say(text));
    let f = frame.titled(texts::sign_in());
    html(status, &SignInPage { f, next, problem, name, has_users: !accepted.settings.users.is_empty() })
}

/// A path of ours, whatever was asked for: what a browser could take for another site leads to the first page.
pub(super) fn inner(path: Option<&str>) -> String {
    const LONGEST: usize = 1024;
    let is_inner = |path: &&str| {
        let rest = path.strip_prefix('/').unwrap_or("/");
        let is_plain = path.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\');
        !rest.starts_with('/') && is_plain && path.len() <= LONGEST
    };
    path.filter(is_inner).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// W15.
    #[test]
    fn after_the_sign_in_one_comes_to_a_page_of_ours() {
        for path in ["/", "/pushes?state=failed&job=a%2Fb", "/jobs/%E6%97%A5"] {
            assert_eq!(inner(Some(path)), path);
        }
        for path in [
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "evil.example",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: b=c",
            "/a\tb",
            "/\t/evil.example",
            " /a",
            "",
            "/日报",
        ] {
            assert_eq!(inner(Some(path)), "/", "{path}");
        }
        assert_eq!(inner(Some(&format!("/{}", "a".repeat(2000)))), "/");
        assert_eq!(inner(None), "/");
    }
}
