//! What stands around every page: who looks at it and how, and how the daemon is.

use crate::answers::status::Life;
use crate::answers::words::brief_ms;
use crate::domain::UtcMs;
use crate::net::http1::Head;
use crate::texts::{self, Language, Text};
use crate::web::guard::{path_of, prefix_of};
use crate::web::pages::Given;
use crate::web::problem::Problem;
use crate::web::state::{Accepted, Api};
use crate::web::who::{Needs, Who};

use super::admission::{Visit, is_https};
use super::look::{Look, PARAMETERS, Theme, Zone};
use super::stamp::{Stamp, encoded, stamp};

/// How the daemon is, in a line.
#[derive(Clone)]
pub(super) struct Standing {
    pub is_well: bool,
    pub state: String,
    pub beat: String,
    pub open: u64,
    pub unknown: u64,
    pub failed: u64,
    pub down: usize,
    pub next: Option<NextFire>,
}

#[derive(Clone)]
pub(super) struct NextFire {
    pub at: Stamp,
    pub job: String,
}

#[derive(Clone)]
pub(super) struct Frame {
    pub look: Look,
    pub title: String,
    /// Which entry of the navigation this is.
    pub part: &'static str,
    /// Who looks; None: nobody is signed in.
    pub name: Option<String>,
    pub may_act: bool,
    /// Whether there is a session to end.
    pub may_leave: bool,
    /// What was done just now.
    pub notice: Option<String>,
    pub standing: Option<Standing>,
    pub now: UtcMs,
    /// The field that has the browser remember how it wants the page.
    pub remembers: Option<String>,
    prefix: String,
    path: String,
    /// The parameters of this page, without those that say how it looks.
    query: Vec<(String, String)>,
    timezone: String,
}

impl Frame {
    /// With what the request says.
    ///
    /// # Errors
    ///
    /// What is unknown, or cannot be.
    pub(super) fn of(
        visit: &Visit,
        head: &Head,
        body: &[u8],
        accepted: &Accepted,
        now: UtcMs,
    ) -> Result<(Frame, Given), Problem> {
        let mut frame = Frame::plain(head, accepted, now);
        frame.path = path_of(head, accepted).to_owned();
        let mut is_said = false;
        for (name, value) in url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()) {
            if PARAMETERS.contains(&&*name) {
                if !frame.look.says(&name, &value) {
                    return Err(Problem::senseless(format!("{name}: this is none that is known here")));
                }
                is_said = true;
            } else if !value.is_empty() {
                frame.query.push((name.into_owned(), value.into_owned()));
            }
        }
        if is_said {
            frame.remembers = Some(frame.look.cookie(is_https(head, &accepted.settings)));
        }
        let given = match visit.sheet.method {
            "POST" => {
                let pairs = url::form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty());
                let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                Given::of_query(&form, visit.sheet.takes)?
            }
            _ => Given::of_query(&frame.query_text(&frame.query), visit.sheet.takes)?,
        };
        if let Some(who) = &visit.who {
            frame.name = Some(match who {
                Who::Person(person) => person.name.clone(),
                other => other.name(),
            });
            frame.may_act = who.may(Needs::Act);
            frame.may_leave = matches!(who, Who::Person(_));
        }
        frame.notice = given.text("done").map(|done| notice(done).map(|text| frame.say(text))).transpose()?;
        Ok((frame, given))
    }

    /// Of a request of which nothing is known but how it wants the page.
    pub(super) fn plain(head: &Head, accepted: &Accepted, now: UtcMs) -> Frame {
        let is_https = is_https(head, &accepted.settings);
        let prefix = prefix_of(accepted).unwrap_or_default();
        let is_beneath = head.uri.path().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        Frame {
            look: Look::of(head, is_https, accepted.language),
            title: String::new(),
            part: "",
            name: None,
            may_act: false,
            may_leave: false,
            notice: None,
            standing: None,
            now,
            remembers: None,
            prefix: if is_https || is_beneath { prefix.to_owned() } else { String::new() },
            path: "/".to_owned(),
            query: Vec::new(),
            timezone: accepted.timezone.clone(),
        }
    }

    pub(super) fn titled(self, title: Text) -> Frame {
        Frame { title: self.say(title), ..self }
    }

    /// Of that part of the navigation.
    pub(super) fn of_part(self, part: &'static str, title: Text) -> Frame {
        Frame { part, ..self.titled(title) }
    }

    pub(super) fn say(&self, text: Text) -> String {
        text.in_language(self.look.language).to_owned()
    }

    /// The language of the page.
    pub(super) fn language(&self) -> Language {
        self.look.language
    }

    /// The address of a path of ours.
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    pub(super) fn job(&self, name: &str) -> String {
        self.to(&format!("/jobs/{}", encoded(name)))
    }

    /// A name as a part of an address.
    pub(super) fn encoded(&self, name: &str) -> String {
        encoded(name)
    }

    pub(super) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    pub(super) fn asset(&self, stem: &str) -> String {
        self.to(&super::assets::path(stem))
    }

    /// This page, as a path of ours.
    pub(super) fn here(&self) -> String {
        self.with(&self.query)
    }

    pub(super) fn here_encoded(&self) -> String {
        url::form_urlencoded::byte_serialize(self.with_path(&self.query).as_bytes()).collect()
    }

    /// This page, otherwise: with a parameter that says how it looks.
    pub(super) fn switch(&self, name: &str, value: &str) -> String {
        let mut query = self.query.clone();
        query.retain(|(known, _)| known != "done");
        query.push((name.to_owned(), value.to_owned()));
        self.with(&query)
    }

    /// This page from another line on.
    pub(super) fn after(&self, cursor: &str) -> String {
        let mut query = self.query.clone();
        query.retain(|(known, _)| known != "before");
        query.push(("before".to_owned(), cursor.to_owned()));
        self.with(&query)
    }

    /// The parameters that a form of the look takes along.
    pub(super) fn kept(&self) -> &[(String, String)] {
        &self.query
    }

    fn with(&self, query: &[(String, String)]) -> String {
        self.to(&self.with_path(query))
    }

    fn with_path(&self, query: &[(String, String)]) -> String {
        match query {
            [] => self.path.clone(),
            query => format!("{}?{}", self.path, self.query_text(query)),
        }
    }

    fn query_text(&self, query: &[(String, String)]) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish()
    }

    pub(super) fn lang(&self) -> &'static str {
        if self.look.language_word() == "zh" { "zh-Hans" } else { "en" }
    }

    pub(super) fn theme(&self) -> &'static str {
        self.look.theme.word()
    }

    pub(super) fn themes(&self) -> [(&'static str, String, bool); 3] {
        Theme::ALL.map(|theme| {
            let text = match theme {
                Theme::Auto => texts::theme_auto(),
                Theme::Light => texts::theme_light(),
                Theme::Dark => texts::theme_dark(),
            };
            (theme.word(), self.say(text), theme == self.look.theme)
        })
    }

    /// The zone that holds for what belongs to no job.
    pub(super) fn zone(&self) -> &str {
        self.whole_zone().unwrap_or(&self.timezone)
    }

    /// The zone that was chosen for everything, where one was.
    pub(super) fn whole_zone(&self) -> Option<&str> {
        match &self.look.zone {
            Zone::Job => None,
            Zone::Named(name) => Some(name),
        }
    }

    /// The zone that was chosen for everything, where one was that is not UTC.
    pub(super) fn own_zone(&self) -> Option<&str> {
        Some(self.look.zone_word()).filter(|word| !["job", "UTC"].contains(word))
    }

    /// An instant in its job's zone, or in the one that was chosen.
    pub(super) fn at(&self, at: UtcMs, zone: Option<&str>) -> Stamp {
        let of_job = zone.filter(|zone| !zone.is_empty() && self.look.zone == Zone::Job);
        stamp(at, of_job.unwrap_or(self.zone()))
    }

    /// What waits for a person.
    pub(super) fn waiting(&self) -> u64 {
        self.standing.as_ref().map_or(0, |standing| standing.unknown + standing.down as u64)
    }

    /// Reads how the daemon is. Where the database cannot be asked now the page says the rest.
    pub(super) async fn read_standing(&mut self, api: &Api) {
        let Ok(status) = api.standing().await else { return };
        let beat = status.daemon.alive_at.map(|at| brief_ms(self.now.ms_since(at).max(0)));
        let situation = &status.situation;
        let is_stuck = status.daemon.state == Life::Stuck;
        self.standing = Some(Standing {
            is_well: !is_stuck && status.runs_its_files(),
            state: self.say(match (is_stuck, status.runs_its_files()) {
                (true, _) => texts::daemon_stuck(),
                (false, false) => texts::files_not_taken(),
                (false, true) => texts::daemon_runs(),
            }),
            beat: beat.unwrap_or_default(),
            open: situation.open,
            unknown: situation.unknown,
            failed: situation.failed,
            down: status.accounts_down.len(),
            next: situation
                .next_fire
                .as_ref()
                .map(|next| NextFire { at: self.at(next.due_at, Some(&next.timezone)), job: next.job.clone() }),
        });
    }
}

/// What was done, by the words that our own forms lead on with.
fn notice(done: &str) -> Result<Text, Problem> {
    Ok(match done {
        "fired" => texts::done_fired(),
        "paused" => texts::done_paused(),
        "resumed" => texts::done_resumed(),
        "retried" => texts::done_retried(),
        "cancelled" => texts::done_cancelled(),
        "sent" => texts::done_resolved_sent(),
        "failed" => texts::done_resolved_failed(),
        "asked" => texts::done_asked(),
        _ => return Err(Problem::senseless("done: this is no word of ours")),
    })
}
