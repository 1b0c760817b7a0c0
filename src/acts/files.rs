//! The files by which jobs are judged that people make at run time.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::surroundings::surroundings;
use crate::answers::refusal::{Kind, Refusal};
use crate::config::{self, Extra, LoadEnvironment, Problem, Sight};
use crate::domain::{Job, Schedule, UtcMs};
use crate::senders;
use crate::store::Expected;

/// The files of a configuration, and when somebody began to say what is judged by them.
pub(crate) struct Files {
    pub paths: Vec<PathBuf>,
    pub now: UtcMs,
}

/// Jobs as they are to be, judged by the rules of the files; nothing of it is done yet.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub jobs: Vec<Job>,
    /// What is doubtful of them.
    pub doubts: Vec<Problem>,
    /// When it was said when they fire, where that is said anew: whatever is waited for, their instants count from then.
    pub(super) said_at: Option<UtcMs>,
    /// For each of them the revision that was seen; None where there must be no such job yet.
    pub(super) expected: Vec<Expected>,
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
        self.all_new(self.judged_mapping(job)?)
    }

    /// The jobs of a file that says nothing else.
    ///
    /// # Errors
    ///
    /// As [`Files::propose`].
    pub(crate) fn propose_file(&self, file: &Path) -> Result<Proposal, Refusal> {
        self.all_new(self.judged(&Extra::File(file))?)
    }

    /// Where the files bring a job, if they do and can be read.
    pub(crate) fn place_of(&self, job: &str) -> Option<String> {
        config::place_of_job(&self.paths, job, &senders::specs(), &self.around())
    }

    fn all_new(&self, mut proposal: Proposal) -> Result<Proposal, Refusal> {
        proposal.refuse_past(self.now)?;
        proposal.said_at = Some(self.now);
        let new = |job: &Job| Expected { job: job.name.as_str().into(), revision: None };
        proposal.expected = proposal.jobs.iter().map(new).collect();
        Ok(proposal)
    }

    pub(super) fn judged_mapping(&self, job: Map<String, Value>) -> Result<Proposal, Refusal> {
        self.judged(&Extra::CommandLine(&json!({ "jobs": [job] }).to_string()))
    }

    fn judged(&self, extra: &Extra) -> Result<Proposal, Refusal> {
        let (config, jobs) = config::load_with_jobs(&self.paths, extra, &senders::specs(), &self.around())?;
        let file = match extra {
            Extra::CommandLine(_) => config::COMMAND_LINE.to_owned(),
            Extra::File(path) => path.display().to_string(),
        };
        let doubts = config.warnings.into_iter().filter(|warning| warning.file == file).collect();
        Ok(Proposal { jobs, doubts, said_at: None, expected: Vec::new() })
    }

    pub(super) fn around(&self) -> LoadEnvironment {
        LoadEnvironment { sight: Sight::Onlooker, ..surroundings(&self.paths, None, self.now) }
    }
}

impl Proposal {
    /// A job whose one instant, or whose last one, has passed would never fire.
    pub(super) fn refuse_past(&self, now: UtcMs) -> Result<(), Refusal> {
        for Job { name, schedule, life, .. } in &self.jobs {
            let last = match schedule {
                Schedule::At(at) => Some(*at),
                _ => life.as_ref().and_then(|life| life.until),
            };
            if let Some(last) = last.filter(|at| *at <= now) {
                let text = format!("job '{name}': {last} is past, so it would never fire");
                return Err(Refusal::new(Kind::Senseless, text));
            }
        }
        Ok(())
    }
}

/// What a person says at run time, in the spelling of the files: a dollar is a dollar, since only they know variables.
pub(crate) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}
