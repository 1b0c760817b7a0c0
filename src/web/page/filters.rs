//! Which pushes somebody wants to see: the parameters of their address, so that it can be kept and shared.

use super::frame::Frame;
use crate::answers::when;
use crate::domain::{PushState, UtcMs};
use crate::store::Filter;
use crate::web::pages::{Given, filter_of_pushes};
use crate::web::problem::Problem;

/// What the fields of the form hold.
#[derive(Default)]
pub(super) struct Wanted {
    pub job: String,
    pub im: String,
    pub account: String,
    pub target: String,
    pub since: String,
    pub until: String,
    pub state: Option<PushState>,
}

impl Wanted {
    pub(super) fn of(given: &Given) -> Wanted {
        let text = |name: &str| given.text(name).unwrap_or_default().to_owned();
        Wanted {
            job: text("job"),
            im: text("im"),
            account: text("account"),
            target: text("target"),
            since: text("since"),
            until: text("until"),
            state: given.state("state"),
        }
    }

    pub(super) fn is_any(&self) -> bool {
        let texts = [&self.job, &self.im, &self.account, &self.target, &self.since, &self.until];
        self.state.is_some() || texts.iter().any(|text| !text.is_empty())
    }

    /// Whether only the last days are looked through.
    pub(super) fn is_of_late(&self) -> bool {
        !self.target.is_empty() && self.since.is_empty()
    }

    /// # Errors
    ///
    /// Where a time is none.
    pub(super) fn filter(&self, given: &Given, frame: &Frame) -> Result<Filter, Problem> {
        let zone = when::zone(frame.zone());
        let stretch = |name: &str, text: &str| match text {
            "" => Ok(None),
            text => match when::parse(text, &zone, frame.now) {
                Ok(stretch) => Ok(Some(stretch)),
                Err(problem) => Err(Problem::of_parameter(name, format!("{name}: {problem}"))),
            },
        };
        let (since, until) = (stretch("since", &self.since)?, stretch("until", &self.until)?);
        // A day is meant as a whole.
        let until = until.map(|stretch| UtcMs(stretch.until.0 - 1));
        filter_of_pushes(given, (since.map(|stretch| stretch.from), until), frame.now)
    }
}
