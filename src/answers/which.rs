//! Which pushes a person means, in the words that people use.

use super::names::{did_you_mean, refuse_unknown};
use super::refusal::{Kind, Refusal};
use super::when::{self, ClockNote, TimeRange};
use crate::config::Config;
use crate::domain::{PushState, UtcMs};
use crate::store::{Filter, History, Revision, View};

/// What was said of them. What was left out filters nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    pub job: Option<String>,
    pub im: Option<String>,
    pub account: Option<String>,
    /// `group:123`, `user:123`, or only the id.
    pub target: Option<String>,
    pub states: Vec<PushState>,
    /// The instant they were due at; a day is meant whole.
    pub at: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
}

/// Those pushes.
#[derive(Clone, Debug)]
pub(crate) struct Which {
    /// Without a limit.
    pub filter: Filter,
    /// What summer time makes of a time that was named.
    pub note: Option<ClockNote>,
    words: Words,
}

impl Words {
    /// Whether nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        let texts = [&self.job, &self.im, &self.account, &self.target, &self.at, &self.since, &self.until];
        texts.iter().all(|said| said.is_none()) && self.states.is_empty()
    }

    /// What they mean at `now`. Times are those of the job that is named, else of `zone`.
    ///
    /// # Errors
    ///
    /// Where a time is none.
    pub(crate) async fn read(self, store: &dyn History, zone: &str, now: UtcMs) -> Result<Which, Refusal> {
        let newest = match &self.job {
            Some(job) => store.revisions(job).await?.pop(),
            None => None,
        };
        let zone = when::zone(newest.as_ref().map_or(zone, |Revision { timezone, .. }| timezone));
        let wrong = |option: &'static str| move |problem| Refusal::new(Kind::Senseless, format!("{option}: {problem}"));
        let past = |text: &String| when::past(text, &zone, now);
        let at = self.at.as_ref().map(past).transpose().map_err(wrong("--at"))?;
        let since = self.since.as_ref().map(past).transpose().map_err(wrong("--since"))?;
        let until = self.until.as_ref().map(|text| when::past_end(text, &zone, now));
        let until = until.transpose().map_err(wrong("--until"))?;
        let (from, until) = match &at {
            Some(at) => (Some(at.from), Some(UtcMs(at.until.0 - 1))),
            None => (since.as_ref().map(|since| since.from), until),
        };
        if from.zip(until).is_some_and(|(from, until)| until < from) {
            return Err(Refusal::new(Kind::Senseless, "--until is not later than --since"));
        }
        let filter = Filter {
            job: self.job.clone(),
            im: self.im.clone(),
            account: self.account.clone(),
            states: self.states.clone(),
            targets: self.target.as_deref().map(targets).unwrap_or_default(),
            since: from,
            until,
            ..Filter::default()
        };
        Ok(Which { filter, note: at.or(since).and_then(|stretch| stretch.note), words: self })
    }
}

/// The targets that a word may mean.
fn targets(word: &str) -> Vec<String> {
    let is_whole = ["group:", "user:"].iter().any(|kind| word.len() > kind.len() && word.starts_with(kind));
    if is_whole { vec![word.to_owned()] } else { vec![format!("group:{word}"), format!("user:{word}")] }
}

impl Which {
    /// The time that is meant, where it has both ends.
    pub(crate) fn stretch(&self) -> Option<TimeRange> {
        let (from, until) = self.filter.since.zip(self.filter.until)?;
        Some(TimeRange { from, until: UtcMs(until.0 + 1), note: None })
    }

    /// Refuses words that nobody knows, where they let nothing through.
    ///
    /// # Errors
    ///
    /// With a near match, as [`refuse_unknown`].
    pub(crate) async fn refuse_unknown(
        &self,
        store: &dyn History,
        files: impl FnOnce() -> Option<Config>,
        of_job: impl Fn(&str, Refusal) -> Refusal,
    ) -> Result<(), Refusal> {
        let any = Filter { limit: Some(1), ..self.filter.clone() };
        if !store.view(View::PushHistory, &any).await?.rows.is_empty() {
            return Ok(());
        }
        refuse_unknown(store, &self.filter, files, of_job).await?;
        match &self.words.target {
            Some(target) => self.refuse_unknown_target(store, target).await,
            None => Ok(()),
        }
    }

    async fn refuse_unknown_target(&self, store: &dyn History, target: &str) -> Result<(), Refusal> {
        let targets = &self.filter.targets;
        let names = store.known_targets().await?;
        if names.iter().any(|known| targets.contains(known)) {
            return Ok(());
        }
        // Not among those that are known at once, which may still be of old.
        let of_old = Filter { targets: targets.clone(), limit: Some(1), ..Filter::default() };
        if !store.view(View::PushHistory, &of_old).await?.rows.is_empty() {
            return Ok(());
        }
        let is_whole = targets.len() == 1;
        let spelled = |name: &str| match name.split_once(':') {
            Some((_, id)) if !is_whole => id.to_owned(),
            _ => name.to_owned(),
        };
        let names: Vec<String> = names.iter().map(|name| spelled(name)).collect();
        let hint = did_you_mean(target, names.iter().map(String::as_str)).map(|hint| format!("; {hint}"));
        let text = format!("no push goes to the target '{target}'{}", hint.unwrap_or_default());
        Err(Refusal::new(Kind::NotFound, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_id_means_a_group_or_a_person() {
        assert_eq!(targets("770017"), ["group:770017", "user:770017"]);
        assert_eq!(targets("user:770017"), ["user:770017"]);
        assert_eq!(targets("group:"), ["group:group:", "user:group:"]);
    }
}
