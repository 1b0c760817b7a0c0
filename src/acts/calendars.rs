//! Lists of days brought up to date.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use tracing::debug;

use super::actor::Actor;
use super::done::Done;
use super::files::Files;
use crate::answers::refusal::{Kind, Refusal};
use crate::config::{self, ForeignList, ImportError};
use crate::policy::calendar::objections;
use crate::senders;

impl Files {
    /// Writes a list of somebody's beside the files, joined with what they have of it, and judged by all of them; a daemon
    /// takes it at its next reload. Days that are past stay as they are, unless `past` says that they may change.
    ///
    /// # Errors
    ///
    /// With what is wrong with the list, or with the files as they would be; then nothing is written.
    pub(crate) fn import(&self, list: &ForeignList<'_>, past: bool, actor: &Actor) -> Result<Done, Refusal> {
        let path = self.place_of_list(list.name)?;
        let imported = config::import_calendar(&self.paths, list, path, &senders::specs(), &self.around())?;
        if let Some(before) = &imported.before {
            let today = self.now.to_jiff().to_zoned(TimeZone::system()).date();
            if let [first, ..] = &objections(before, &imported.after, today, past)[..] {
                return Err(not_taken(first));
            }
        }
        imported.write().map_err(|error| {
            Refusal::new(Kind::Broken, format!("{} cannot be written: {error}", imported.path.display()))
        })?;
        let done = Done::Imported { calendar: list.name.to_owned(), file: imported.path, told: imported.told };
        debug!(%actor, ?done, "done by hand");
        Ok(done)
    }

    /// Where a list of that name belongs that has no file yet: beside the first of the files.
    fn place_of_list(&self, name: &str) -> Result<PathBuf, Refusal> {
        let Some(first) = self.paths.first() else {
            let problem = "there is no configuration beside which the list could lie: name one with -c";
            return Err(Refusal::new(Kind::Senseless, problem));
        };
        let directory = if first.is_dir() { first } else { first.parent().unwrap_or(Path::new("")) };
        Ok(directory.join("calendars").join(format!("{name}.yaml")))
    }
}

fn not_taken(objection: &str) -> Refusal {
    Refusal::new(Kind::NotAllowed, format!("the list was not taken: {objection}"))
}

impl From<ImportError> for Refusal {
    fn from(error: ImportError) -> Refusal {
        match error {
            ImportError::Refused(errors) => Refusal::from(errors).instead_of("the list was not taken"),
            ImportError::Objection(objection) => not_taken(&objection),
        }
    }
}
