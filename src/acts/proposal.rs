//! Jobs as somebody wants them at run time, and by what they are judged.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::answers::refusal::{Kind, Refusal};
use crate::config::Problem;
use crate::domain::{Job, Schedule, UtcMs};
use crate::store::Expected;

/// By what jobs are judged that people make at run time.
#[async_trait]
pub(crate) trait Rules: Sync {
    /// When somebody began to say what is judged.
    fn now(&self) -> UtcMs;

    /// A job in the keys of the files.
    ///
    /// # Errors
    ///
    /// With what is wrong with it, or with the rules.
    async fn judged(&self, job: Map<String, Value>) -> Result<Proposal, Refusal>;
}

/// Jobs as they are to be, judged; nothing of it is done yet.
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

impl Proposal {
    pub(super) fn of(jobs: Vec<Job>, doubts: Vec<Problem>) -> Proposal {
        Proposal { jobs, doubts, said_at: None, expected: Vec::new() }
    }

    /// Of jobs that there must not be yet, said at `now`.
    pub(super) fn of_new_jobs(mut self, now: UtcMs) -> Result<Proposal, Refusal> {
        self.refuse_past(now)?;
        self.said_at = Some(now);
        let new = |job: &Job| Expected { job: job.name.as_str().into(), revision: None };
        self.expected = self.jobs.iter().map(new).collect();
        Ok(self)
    }

    /// A job whose one instant, or whose last one, has passed would never fire.
    pub(super) fn refuse_past(&self, now: UtcMs) -> Result<(), Refusal> {
        for Job { name, schedule, life, .. } in &self.jobs {
            let (key, last) = match schedule {
                Schedule::At(at) => ("/at", Some(*at)),
                _ => ("/until", life.as_ref().and_then(|life| life.until)),
            };
            if let Some(last) = last.filter(|at| *at <= now) {
                let text = format!("job '{name}': {last} is past, so it would never fire");
                return Err(Refusal::new(Kind::Senseless, text).at(key));
            }
        }
        Ok(())
    }
}
