//! What each source of definitions brought, so that one that is suddenly empty is noticed: an editor or a copy under
//! way, a full disk or a mount that is gone for a moment must not take jobs away.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::problem::{ConfigErrors, Problem};
use crate::texts;

/// What is defined in a list of its own, and can be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Jobs,
    Accounts,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Jobs, Kind::Accounts];

    fn key(self) -> &'static str {
        match self {
            Kind::Jobs => "jobs",
            Kind::Accounts => "accounts",
        }
    }
}

/// The definitions of one kind that a source has. Names are kept as hashes: there may be 100,000.
#[derive(Clone, Debug, Default)]
struct Defined {
    names: HashSet<u64>,
    /// The list is there and empty, `jobs: []`, so that it is meant.
    none_is_meant: bool,
}

impl Defined {
    fn is_blank(&self) -> bool {
        self.names.is_empty() && !self.none_is_meant
    }

    fn add(&mut self, other: &Defined) {
        self.names.extend(&other.names);
        self.none_is_meant |= other.none_is_meant;
    }
}

/// One file, or one pattern that is to lead to files.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// As people call it, which tells one from the other too.
    name: String,
    /// The file in which a pattern stands; None for a file.
    pattern_in: Option<String>,
    /// How many files a pattern led to.
    files: usize,
    jobs: Defined,
    accounts: Defined,
}

impl Source {
    pub(super) fn file(name: String) -> Source {
        Source { name, files: 1, ..Source::default() }
    }

    pub(super) fn pattern(name: String, file: String, files: usize) -> Source {
        Source { name, pattern_in: Some(file), files, ..Source::default() }
    }

    pub(super) fn jobs<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, none_is_meant: bool) {
        self.jobs = Defined { names: names.into_iter().map(hash).collect(), none_is_meant };
    }

    pub(super) fn accounts<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, none_is_meant: bool) {
        self.accounts = Defined { names: names.into_iter().map(hash).collect(), none_is_meant };
    }

    fn defined(&self, kind: Kind) -> &Defined {
        match kind {
            Kind::Jobs => &self.jobs,
            Kind::Accounts => &self.accounts,
        }
    }

    /// Whether this is a source that brought something once and now brings nothing, without saying so. Files that
    /// have gone from a directory or a pattern are no sources any more: this is how jobs are taken away.
    fn fell_silent(&self, kind: Kind) -> bool {
        match self.pattern_in {
            Some(_) => self.files == 0,
            None => self.defined(kind).is_blank(),
        }
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The sources of one configuration, in the order of reading.
#[derive(Clone, Debug, Default)]
pub struct Sources(pub(super) Vec<Source>);

impl Sources {
    /// Refuses a configuration in which a source that had definitions before has none, while some of them are gone.
    ///
    /// # Errors
    /// Each such source, and what to write where it is meant.
    pub fn hold_against(&self, before: &Sources) -> Result<(), ConfigErrors> {
        let mut errors = Vec::new();
        for kind in Kind::ALL {
            let (now, had) = (self.all(kind), before.all(kind));
            let is_gone = |name: &&u64| !now.names.contains(*name);
            for old in &before.0 {
                let same = |new: &&Source| new.name == old.name && new.pattern_in == old.pattern_in;
                let Some(new) = self.0.iter().find(same).filter(|new| new.fell_silent(kind)) else { continue };
                let gone = old.defined(kind).names.iter().filter(is_gone).count();
                if gone > 0 {
                    errors.push(silent(new, kind, gone));
                }
            }
            let gone = had.names.iter().filter(is_gone).count();
            if errors.is_empty() && now.is_blank() && gone > 0 {
                errors.push(none_left(kind, gone));
            }
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(ConfigErrors::of(errors)),
        }
    }

    /// The file that brought something before and is gone from its directory or pattern, while what it brought is gone
    /// too. It may be on its way from one name to another.
    pub fn lost_file<'a>(&self, before: &'a Sources) -> Option<&'a str> {
        let now = Kind::ALL.map(|kind| self.all(kind));
        let is_lost = |old: &&Source| {
            let gone = |(kind, now): (Kind, &Defined)| !old.defined(kind).names.is_subset(&now.names);
            old.pattern_in.is_none()
                && !self.0.iter().any(|new| new.pattern_in.is_none() && new.name == old.name)
                && Kind::ALL.into_iter().zip(&now).any(gone)
        };
        before.0.iter().find(is_lost).map(|lost| &*lost.name)
    }

    /// Whether no source has a job, and none says that this is meant.
    pub fn have_no_word_of_jobs(&self) -> bool {
        self.all(Kind::Jobs).is_blank()
    }

    /// What a start is refused with where the database knows this many jobs and the files none.
    pub fn jobs_forgotten(known: usize) -> ConfigErrors {
        ConfigErrors::of(vec![none_left(Kind::Jobs, known)])
    }

    fn all(&self, kind: Kind) -> Defined {
        let mut all = Defined::default();
        self.0.iter().filter(|source| source.pattern_in.is_none()).for_each(|source| all.add(source.defined(kind)));
        all
    }
}

fn silent(source: &Source, kind: Kind, gone: usize) -> Problem {
    let key = kind.key();
    match &source.pattern_in {
        Some(file) => {
            Problem::of_file(file, texts::include_lost(&source.name, gone, key), texts::take_the_include_out(key))
        }
        None => Problem::of_file(&source.name, texts::file_lost(key, gone), texts::write_empty_if_meant(key)),
    }
}

fn none_left(kind: Kind, gone: usize) -> Problem {
    let key = kind.key();
    Problem::of_file("", texts::all_lost(key, gone), texts::write_empty_or_look(key))
}
