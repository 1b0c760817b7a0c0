//! Pushes: the history, filtered by its own address.

use askama::Template;

use super::answer::{Answer, html};
use super::filters::Wanted;
use super::frame::Frame;
use super::tell::PushRow;
use crate::domain::PushState;
use crate::net::http1::StatusCode;
use crate::store::View;
use crate::texts;
use crate::web::pages::{Given, next};
use crate::web::state::Api;

#[derive(Template)]
#[template(path = "pushes.html", config = "src/web/askama.toml")]
struct PushesPage {
    f: Frame,
    wanted: Wanted,
    /// The states that can be chosen: the word, what it is called, whether it is.
    states: Vec<(&'static str, String, bool)>,
    lines: Vec<PushRow>,
    next: Option<String>,
}

impl Api {
    pub(super) async fn pushes_page(&self, frame: Frame, given: &Given) -> Answer {
        let f = frame.of_part("pushes", texts::nav_pushes());
        let wanted = Wanted::of(given);
        let filter = wanted.filter(given, &f)?;
        let table = self.reader.view(View::PushHistory, &filter).await?;
        let next = next(&table, &filter).map(|cursor| f.after(&cursor));
        let lines = PushRow::all(&table, &f);
        let state = |state: PushState| (state.as_str(), f.say(texts::state(state)), wanted.state == Some(state));
        let states = PushState::ALL.map(state).to_vec();
        html(StatusCode::OK, &PushesPage { wanted, states, lines, next, f })
    }
}
