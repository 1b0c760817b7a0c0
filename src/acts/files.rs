//! The files by which jobs are judged that people make at run time.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::proposal::{Proposal, Rules};

use super::surroundings::surroundings;
use crate::answers::refusal::{Kind, Refusal};
use crate::config::{self, Extra, LoadEnvironment, Sight};
use crate::domain::UtcMs;
use crate::senders;

/// The files of a configuration, and when somebody began to say what is judged by them.
pub(crate) struct Files {
    pub paths: Vec<PathBuf>,
    pub now: UtcMs,
}

impl Files {
    /// The mapping of a new job, still without all that it says.
    ///
    /// # Errors
    ///
    /// When the files bring a job of that name.
    pub(crate) fn new_job(&self, name: &str) -> Result<Map<String, Value>, Refusal> {
        if let Some(place) = self.place_of(name) {
            let text = format!("job '{name}' is in the files, at {place}: change it there, and reload");
            return Err(Refusal::new(Kind::NotAllowed, text));
        }
        Ok(Map::from_iter([("name".to_owned(), json!(literal(name)))]))
    }

    /// A new job in the keys of the files.
    ///
    /// # Errors
    ///
    /// With what is wrong with it, or with the files; and when it would never fire.
    pub(crate) fn propose(&self, job: Map<String, Value>) -> Result<Proposal, Refusal> {
        self.judged_mapping(job)?.of_new_jobs(self.now)
    }

    /// The jobs of a file that says nothing else.
    ///
    /// # Errors
    ///
    /// As [`Files::propose`].
    pub(crate) fn propose_file(&self, file: &Path) -> Result<Proposal, Refusal> {
        self.judged_extra(&Extra::File(file))?.of_new_jobs(self.now)
    }

    /// Where the files bring a job, if they do and can be read.
    pub(crate) fn place_of(&self, job: &str) -> Option<String> {
        config::place_of_job(&self.paths, job, &senders::specs(), &self.around())
    }

    fn judged_mapping(&self, job: Map<String, Value>) -> Result<Proposal, Refusal> {
        self.judged_extra(&Extra::CommandLine(&json!({ "jobs": [job] }).to_string()))
    }

    fn judged_extra(&self, extra: &Extra) -> Result<Proposal, Refusal> {
        let (config, jobs) = config::load_with_jobs(&self.paths, extra, &senders::specs(), &self.around())?;
        let file = match extra {
            Extra::CommandLine(_) => config::COMMAND_LINE.to_owned(),
            Extra::File(path) => path.display().to_string(),
        };
        let doubts = config.warnings.into_iter().filter(|warning| warning.file == file).collect();
        Ok(Proposal::of(jobs, doubts))
    }

    pub(super) fn around(&self) -> LoadEnvironment {
        LoadEnvironment { sight: Sight::Onlooker, ..surroundings(&self.paths, None, self.now) }
    }
}

#[async_trait]
impl Rules for Files {
    fn now(&self) -> UtcMs {
        self.now
    }

    async fn judged(&self, job: Map<String, Value>) -> Result<Proposal, Refusal> {
        self.judged_mapping(job)
    }
}

/// What a person says at run time, in the spelling of the files: a dollar is a dollar, since only they know variables.
pub(crate) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}
