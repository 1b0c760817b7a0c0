//! `--job`, `--at`, `--state` and the others: which pushes are meant.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap_complete::ArgValueCandidates;

use super::candidates;
use super::context::Context;
use super::failure::Failure;
use crate::answers::Asked;
use crate::answers::which::{Which, Words};
use crate::domain::PushState;

/// The number of a push.
pub(super) fn push_id(word: &str) -> Result<i64, String> {
    let id = word.parse().ok().filter(|id| *id > 0);
    id.ok_or_else(|| "expected the number of a push, as `pushcron history` shows it".to_owned())
}

/// How many rows are wanted at most.
pub(super) fn limit(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| "expected a number of pushes such as 20, or 0 for all".to_owned())
}

#[derive(Debug, Args)]
pub(super) struct WhichArgs {
    /// Only pushes of this job
    #[arg(long, add = ArgValueCandidates::new(candidates::jobs), help_heading = "Which pushes")]
    job: Option<String>,
    /// Only pushes to this im
    #[arg(long, add = ArgValueCandidates::new(candidates::ims), help_heading = "Which pushes")]
    im: Option<String>,
    /// Only pushes to this target: its id, or group:ID, user:ID
    #[arg(long, value_name = "ID", help_heading = "Which pushes")]
    target: Option<String>,
    /// Only pushes through this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts), help_heading = "Which pushes")]
    account: Option<String>,
    /// Only pushes in this state; more than one with commas, or by repeating it
    #[arg(long, value_delimiter = ',', value_parser = states(), help_heading = "Which pushes")]
    state: Vec<PushState>,
    /// Only pushes due at that time: 'sat 08:30', 'yesterday 20:00', 08:30, 2026-01-01 (the whole day)
    #[arg(long, value_name = "TIME", conflicts_with_all = ["since", "until"], help_heading = "Which pushes")]
    at: Option<String>,
    /// Only pushes due since then: 24h, 7d, yesterday, saturday, 2026-01-01, 2026-01-01T09:00, 09:00
    #[arg(long, value_name = "TIME", help_heading = "Which pushes")]
    since: Option<String>,
    /// Only pushes due until then; a day is meant with all its hours
    #[arg(long, value_name = "TIME", help_heading = "Which pushes")]
    until: Option<String>,
}

fn states() -> impl TypedValueParser<Value = PushState> {
    // The parser lets no other word through.
    PossibleValuesParser::new(PushState::ALL.map(PushState::as_str))
        .map(|word| PushState::parse(&word).unwrap_or(PushState::Unknown))
}

impl WhichArgs {
    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.words().is_empty()
    }

    /// Whether states were named.
    pub(super) fn names_states(&self) -> bool {
        !self.state.is_empty()
    }

    /// Whether one fire was named, or at most a handful.
    pub(super) fn names_a_fire(&self) -> Option<(&str, &str)> {
        self.job.as_deref().zip(self.at.as_deref())
    }

    pub(super) fn names_a_job(&self) -> bool {
        self.job.is_some()
    }

    pub(super) fn names_a_target(&self) -> bool {
        self.target.is_some()
    }

    fn words(&self) -> Words {
        Words {
            job: self.job.clone(),
            im: self.im.clone(),
            account: self.account.clone(),
            target: self.target.clone(),
            states: self.state.clone(),
            at: self.at.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
        }
    }

    /// The pushes that are meant; where no states were named, those in one of `states`.
    ///
    /// # Errors
    ///
    /// Where a time is none.
    pub(super) async fn read(
        &self,
        context: &Context,
        store: &dyn Asked,
        states: Vec<PushState>,
    ) -> Result<Which, Failure> {
        let mut words = self.words();
        if words.states.is_empty() {
            words.states = states;
        }
        let zone = context.whereabouts()?.timezone;
        let now = context.present(store).await?;
        Ok(words.read(store, &zone, now).await?)
    }
}

/// A word that nobody knows is not the same as a time in which nothing happened.
///
/// # Errors
///
/// Where the filter lets nothing through, and one of its words is unknown.
pub(super) async fn refuse_unknown_words(context: &Context, store: &dyn Asked, which: &Which) -> Result<(), Failure> {
    let of_job = |job: &str, refusal| context.of_job(job, refusal);
    Ok(which.refuse_unknown(store, || context.config_to_look_at().ok(), of_job).await?)
}
