//! Verbs that act on many pushes: which are meant, and what was done to each.

use clap::Args;

use super::args::Show;
use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::pushes;
use super::say::{aloud, aside, say};
use super::which::{WhichArgs, refuse_unknown_words};
use crate::acts::{Acts, Each, ToPush, WaitingFire};
use crate::answers::history::{self, Filter, pages};
use crate::answers::rows::{Table, rows};
use crate::answers::{Asked, show, when};
use crate::domain::{PushState, escaped};
use crate::logging;
use crate::texts::{self, Language, Text};

/// More pushes than this are a slip, unless somebody says that they are not.
const MANY: usize = 100;

#[derive(Debug, Args)]
pub(super) struct Many {
    #[command(flatten)]
    which: WhichArgs,
    /// Only show which pushes are meant
    #[arg(long, help_heading = "Which pushes")]
    dry_run: bool,
    /// Really more than 100 of them
    #[arg(long, help_heading = "Which pushes")]
    yes: bool,
}

impl Many {
    /// The pushes that were named, or those that the filter lets through: in one of `states`, where it names none. None:
    /// they were only to be shown.
    ///
    /// # Errors
    ///
    /// Where neither was said, or both; where there are very many.
    pub(super) async fn meant(
        &self,
        context: &Context,
        store: &dyn Asked,
        named: &[i64],
        states: Vec<PushState>,
    ) -> Result<Option<Vec<i64>>, Failure> {
        self.meant_beside(context, store, named, states, &[]).await
    }

    /// As [`Many::meant`], where these fires are meant too, whose pushes are still to be made.
    ///
    /// # Errors
    ///
    /// As [`Many::meant`].
    pub(super) async fn meant_beside(
        &self,
        context: &Context,
        store: &dyn Asked,
        named: &[i64],
        states: Vec<PushState>,
        fires: &[WaitingFire],
    ) -> Result<Option<Vec<i64>>, Failure> {
        self.refuse_nothing(named)?;
        let table = match named {
            [] => self.found(context, store, states).await?,
            named => history::of(store, named).await?,
        };
        if self.dry_run {
            let (show, zone) = (Show::default(), context.whereabouts()?.timezone);
            if fires.is_empty() || !table.rows.is_empty() {
                let language = context.language();
                aloud(|out| pushes::print(out, show, &zone, &table, language));
            }
            fires.iter().for_each(|fire| say(escaped(waits(fire).in_language(context.language()))));
            return Ok(None);
        }
        if !named.is_empty() {
            return Ok(Some(named.to_vec()));
        }
        let ids: Vec<i64> = rows(&table).filter_map(|row| row.int("id")).collect();
        if ids.is_empty() && fires.is_empty() {
            say(texts::none_is_meant().in_language(context.language()));
        } else if ids.len() + fires.len() > MANY && !self.yes {
            let fires = if fires.is_empty() { Text::none() } else { texts::and_fires(fires.len()) };
            return Err(Failure::of_text(Exit::Usage, texts::so_many_are_meant(ids.len(), fires)));
        }
        Ok(Some(ids))
    }

    /// Whether it was said which are meant, once.
    ///
    /// # Errors
    ///
    /// Where it was not, before any database is asked.
    pub(super) fn refuse_nothing(&self, named: &[i64]) -> Result<(), Failure> {
        let problem = match (named.is_empty(), self.which.is_empty()) {
            (true, true) => texts::which_pushes(),
            (false, false) => texts::not_both_ways(),
            _ => return Ok(()),
        };
        Err(Failure::of_text(Exit::Usage, problem))
    }

    /// The fires that the filter lets through and whose pushes are still to be made, so that no push can tell of them. Which of
    /// their pushes goes where is not known yet: where the filter goes by that, they are told and left alone.
    ///
    /// # Errors
    ///
    /// Where a time is none, and those of the store.
    pub(super) async fn waiting_fires(
        &self,
        context: &Context,
        store: &dyn Asked,
        named: &[i64],
    ) -> Result<Vec<WaitingFire>, Failure> {
        if !named.is_empty() {
            return Ok(Vec::new());
        }
        let which = self.which.read(context, store, vec![PushState::Pending]).await?;
        let Filter { job, im, account, targets, states, since, until, .. } = which.filter;
        if !states.contains(&PushState::Pending) {
            return Ok(Vec::new());
        }
        let fires = store.waiting_fires(job.as_deref(), since, until, MOST_FIRES).await?;
        if im.is_none() && account.is_none() && targets.is_empty() {
            return Ok(fires);
        }
        for fire in &fires {
            aside(&texts::fire_left_alone(waits(fire)), context.language());
        }
        Ok(Vec::new())
    }

    async fn found(&self, context: &Context, store: &dyn Asked, states: Vec<PushState>) -> Result<Table, Failure> {
        let which = self.which.read(context, store, states).await?;
        refuse_unknown_words(context, store, &which).await?;
        let filter = Filter { limit: None, ..which.filter };
        let mut all = Table::default();
        pages(&store, &filter, |page| {
            all.columns.clone_from(&page.columns);
            all.rows.extend(page.rows.iter().cloned());
            Ok::<_, Failure>(())
        })
        .await?;
        Ok(all)
    }

    /// Whether a filter was used that does not name states.
    pub(super) fn takes_any_state(&self) -> bool {
        !self.which.names_states()
    }
}

/// More fires that wait at a time are ended in several goes.
const MOST_FIRES: u64 = 10_000;

/// A fire that no push can tell of yet.
fn waits(fire: &WaitingFire) -> Text {
    let zone = when::zone(fire.timezone.as_deref().unwrap_or("UTC"));
    let at = when::shown(fire.due_at, &zone, true, fire.timezone.is_none());
    texts::fire_waits(&fire.job, at)
}

/// Leaves out pushes that may have arrived, and tells which: only who names one by its id has looked at its chat.
///
/// # Errors
///
/// Those of the store.
pub(super) async fn leave_out_perhaps_sent(
    store: &dyn Asked,
    ids: Vec<i64>,
    language: Language,
) -> Result<(Vec<i64>, bool), Failure> {
    let (mut kept, mut any) = (Vec::new(), false);
    for id in ids {
        let story = show::push(store, id).await?;
        if show::record(&story).is_some_and(show::perhaps_sent) {
            any = true;
            aside(&texts::push_left_alone(id), language);
        } else {
            kept.push(id);
        }
    }
    Ok((kept, any))
}

/// Cancels each of these fires and tells of each. Returns how that ends.
pub(super) async fn cancel_fires(acts: &Acts, fires: &[WaitingFire], language: Language) -> Exit {
    let mut exit = Exit::Done;
    for fire in fires {
        match acts.cancel_fire(fire).await {
            Ok(done) => say(escaped(in_words(&done).in_language(language))),
            Err(refusal) => {
                let failure = Failure::from(refusal);
                exit = failure.exit;
                let fire = waits(fire);
                logging::tell(&format!("{}: {}", failure.told(language), fire.in_language(language)));
            }
        }
    }
    exit
}

/// Does it to each, tells of each, and returns those that it was done to with how that ends.
pub(super) async fn act(acts: &Acts, act: ToPush, ids: &[i64], language: Language) -> (Vec<i64>, Exit) {
    let mut exit = Exit::Done;
    let Each { done, refused, untried } = acts
        .each(act, ids, |done| match done {
            Ok(done) => say(escaped(in_words(&done).in_language(language))),
            Err(refusal) => {
                let failure = Failure::from(refusal);
                exit = failure.exit;
                logging::tell(&failure.told(language));
            }
        })
        .await;
    if !untried.is_empty() {
        let ids: Vec<String> = untried.iter().map(ToString::to_string).collect();
        aside(&texts::not_tried(ids.join(", ")), language);
    }
    if ids.len() > 1 && !refused.is_empty() {
        aside(&texts::done_and_refused(done.len(), ids.len(), refused.len()), language);
    }
    (done, exit)
}
