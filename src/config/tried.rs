//! What a text would come to that somebody pasted: judged as a file is, by what the running configuration says of all that it
//! leaves out, and without a look at anything beside it.

use std::path::Path;

use super::diagnostics::SourceText;
use super::draft::{AccountDraft, DefaultsDraft};
use super::environment::{LoadEnvironment, Sight};
use super::judge::{Judge, environment};
use super::loader::Loader;
use super::mask::SecretKeys;
use super::problem::Problem;
use super::trust::Rights;
use super::validate::{Definitions, validate};
use crate::domain::{Job, SenderSpec, UtcMs};
use crate::policy::account::Fallback;
use crate::texts;

/// The file in which the problems of such a text stand.
pub const TRIED: &str = "text";

/// An account by which pushes may go.
#[derive(Clone, Debug)]
pub struct MayCarry {
    pub id: String,
    pub im: String,
    pub is_default: bool,
    pub spec: &'static SenderSpec,
}

/// What a text would come to. Jobs that are right in themselves are there whatever else is wrong.
#[derive(Debug)]
pub struct Tried {
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// There were so many that the rest of the text was not looked at.
    pub more: bool,
    pub jobs: Vec<Job>,
    /// Jobs at which nobody looked, since there was `enough`.
    pub left_out: usize,
    /// In file order, on which "first online" depends.
    pub accounts: Vec<MayCarry>,
    /// Whether these are of the text: else they are those that are in force.
    pub has_accounts: bool,
    pub fallback: Fallback,
}

impl Judge {
    /// Judges a text as if it were a file. Targets, lists of days and defaults that it does not say are those in force; so are
    /// the accounts where it says nothing of any. No further job is judged once there was `enough`.
    pub fn try_text(&self, text: &str, now: UtcMs, enough: &dyn Fn() -> bool) -> Tried {
        let environment = LoadEnvironment { sight: Sight::Text, ..environment(now, &self.timezone) };
        let mut loader = Loader::new(&environment, &self.specs);
        let known = |source: &SourceText| SourceText { name: source.name.clone(), text: source.text.clone() };
        loader.sources = self.sources.iter().map(known).collect();
        loader.enough = enough;
        loader.pasted(text);
        loader.fetched_calendars();
        let has_accounts = !loader.accounts.is_empty() || loader.has_no_accounts();
        self.lend_to(&mut loader, has_accounts);
        if !loader.calendars.is_empty() || loader.jobs.iter().any(|job| job.days.is_some()) {
            loader.built_in_calendars();
        }
        let may_carry = |draft: &AccountDraft| {
            let (id, im, spec) = (draft.id.clone()?, draft.im.clone()?, draft.spec?);
            Some(MayCarry { id, im, is_default: draft.is_default, spec })
        };
        let accounts = loader.accounts.iter().filter_map(may_carry).collect();
        let fallback = loader.daemon.accounts_fallback.or(self.accounts_fallback).unwrap_or_default();
        let Definitions { jobs, left_out, .. } = validate(&mut loader, &environment);
        let found = loader.diagnostics.finish(&loader.sources, &SecretKeys::new(&self.specs));
        let (errors, warnings, more) = match found {
            Ok(warnings) => (Vec::new(), warnings, false),
            Err(found) => (found.errors, found.warnings, found.more),
        };
        // What the files in force have wrong was told at their load.
        let of_text = |problems: Vec<Problem>| problems.into_iter().filter(|problem| problem.file == TRIED).collect();
        Tried {
            errors: of_text(errors),
            warnings: of_text(warnings),
            more,
            jobs,
            left_out,
            accounts,
            has_accounts,
            fallback,
        }
    }

    /// What the text does not say.
    fn lend_to(&self, loader: &mut Loader<'_>, has_accounts: bool) {
        if !has_accounts {
            loader.accounts.clone_from(&self.accounts);
        }
        // With accounts of its own it has nobody who would reach the targets in force.
        if loader.targets.is_empty() && !has_accounts {
            loader.targets.clone_from(&self.targets);
        }
        for (name, draft) in &self.calendars {
            loader.calendars.entry(name.clone()).or_insert_with(|| draft.clone());
        }
        if loader.defaults.seen.is_empty() {
            loader.defaults = DefaultsDraft { render: self.render, ..self.defaults.clone() };
        }
        let daemon = &mut loader.daemon;
        daemon.on_missing_calendar = daemon.on_missing_calendar.or(self.on_missing_calendar);
        daemon.media_allow_private = daemon.media_allow_private.or(self.media_allow_private);
    }
}

impl Loader<'_> {
    /// Reads a text that stands alone.
    fn pasted(&mut self, text: &str) {
        let root = Path::new("/");
        let rights = Rights::private(self.environment.user);
        let includes = self.text(Path::new(TRIED), (root, root), text, rights, Sight::Text);
        self.sources.push(SourceText { name: TRIED.to_owned(), text: text.to_owned() });
        for (place, _) in includes {
            // What they define is not known, so what is not there is nobody's fault.
            self.has_unread = true;
            let message = texts::lies_beside("include", texts::the_include());
            self.diagnostics.refusal(place, message);
        }
    }
}
