//! Whom pushes go to, once every file is read: names under `targets` looked up, groups of names laid out, doubles dropped.

use std::collections::{HashMap, HashSet};
use std::mem;

use super::diagnostics::{Diagnostics, Place, SourceText, as_written};
use super::draft::{Means, Member, RecipientDraft, TargetDraft};
use super::keys::MOST_RECIPIENTS;
use crate::domain::{RecipientList, Target};
use crate::texts::{self, Text};

/// Names that name each other more deeply are hardly meant.
const DEEPEST: usize = 16;

/// A warning names so many doubles, and counts the others.
const DOUBLES_TOLD: usize = 5;

/// One recipient of a push.
#[derive(Clone)]
pub(super) struct Recipient<'b> {
    pub im: &'b str,
    pub target: &'b Target,
    pub account: Option<&'b str>,
    /// Where the target stands.
    pub at: Place,
    /// They are read at the hour of a fire.
    pub list: Option<&'b RecipientList>,
}

/// What the names under `targets` mean.
pub(super) struct Book<'t> {
    by_name: HashMap<&'t str, &'t TargetDraft>,
    /// Names that lead back to themselves, nest too deeply, or name what is not there.
    broken: HashSet<&'t str>,
    /// Some file could not be read: it may have the names that are missed.
    is_incomplete: bool,
}

/// Why a push has no recipients. It was told.
pub(super) struct Refused;

impl<'t> Book<'t> {
    /// Tells what is wrong with the names themselves, once, wherever they are used.
    pub(super) fn new(
        targets: &'t [TargetDraft],
        is_incomplete: bool,
        diagnostics: &mut Diagnostics,
        sources: &[SourceText],
    ) -> Book<'t> {
        let mut book = Book { by_name: HashMap::new(), broken: HashSet::new(), is_incomplete };
        for draft in targets {
            if let Some(before) = book.by_name.insert(&draft.name, draft) {
                let name = as_written(sources, draft.name_at, &draft.name);
                let message = texts::twin_targets(name);
                diagnostics.error(draft.name_at, message).other(texts::first_at(), before.name_at);
            }
        }
        let mut depths = HashMap::new();
        for draft in targets {
            book.depth(&draft.name, &mut Vec::new(), &mut depths, diagnostics, sources);
        }
        book
    }

    /// How deeply a name names others; 0 where it is broken.
    fn depth(
        &mut self,
        name: &'t str,
        above: &mut Vec<&'t str>,
        depths: &mut HashMap<&'t str, usize>,
        diagnostics: &mut Diagnostics,
        sources: &[SourceText],
    ) -> usize {
        if let Some(depth) = depths.get(name) {
            return *depth;
        }
        let Some(TargetDraft { means: Means::Members(members), .. }) = self.by_name.get(name) else { return 0 };
        above.push(name);
        let mut deepest = 0;
        for member in members {
            let Member::Name(named, at) = member else { continue };
            if let Some(begin) = above.iter().position(|name| name == named) {
                let way: Vec<&str> = above[begin..].iter().copied().chain([&**named]).collect();
                let message = texts::target_to_itself(as_written(sources, *at, named), way.join(" → "));
                diagnostics.error(*at, message);
                self.broken.extend(above[begin..].iter().copied());
            } else if self.find(named, *at, diagnostics, sources).is_none() {
                self.broken.insert(name);
            } else if above.len() > DEEPEST {
                diagnostics.error(*at, too_deep());
                self.broken.insert(name);
            } else {
                let depth = 1 + self.depth(named, above, depths, diagnostics, sources);
                if depth > DEEPEST && !self.broken.contains(name) {
                    diagnostics.error(*at, too_deep());
                    self.broken.insert(name);
                }
                deepest = deepest.max(depth);
            }
        }
        above.pop();
        let depth = if self.broken.contains(name) { 0 } else { deepest };
        depths.insert(name, depth);
        depth
    }

    /// What a name means, or that there is no such name.
    pub(super) fn find(
        &self,
        name: &str,
        at: Place,
        diagnostics: &mut Diagnostics,
        sources: &[SourceText],
    ) -> Option<&'t TargetDraft> {
        let found = self.by_name.get(name).copied();
        if found.is_none() && !self.is_incomplete {
            let message = texts::no_such_target(as_written(sources, at, name));
            diagnostics.error(at, message).near(name, self.by_name.keys().copied());
        }
        found
    }

    /// Everybody whom these names mean, in order. An account that the push names counts for all of them.
    pub(super) fn named<'b>(
        &self,
        names: &[(String, Place)],
        account: Option<&'b str>,
        diagnostics: &mut Diagnostics,
        sources: &[SourceText],
    ) -> Result<Everybody<'b>, Refused>
    where
        't: 'b,
    {
        let mut everybody = Everybody { account, ..Everybody::default() };
        for (name, at) in names {
            let draft = self.find(name, *at, diagnostics, sources).ok_or(Refused)?;
            self.take(draft, &mut everybody)?;
        }
        Ok(everybody)
    }

    /// The lists among those whom these names mean. None where one means nobody knows whom, which is told elsewhere.
    pub(super) fn lists(&self, names: &[(String, Place)]) -> Option<Vec<&'t RecipientList>> {
        let mut everybody = Everybody::default();
        for (name, _) in names {
            self.take(self.by_name.get(&**name)?, &mut everybody).ok()?;
        }
        Some(everybody.recipients.iter().filter_map(|recipient| recipient.list).collect())
    }

    fn take<'b>(&self, draft: &'t TargetDraft, everybody: &mut Everybody<'b>) -> Result<(), Refused>
    where
        't: 'b,
    {
        if self.broken.contains(&*draft.name) {
            return Err(Refused);
        }
        if !everybody.names.insert(&draft.name) {
            everybody.double(&draft.name);
            return Ok(());
        }
        match &draft.means {
            Means::Unknown => Err(Refused),
            Means::Recipients(recipients) => {
                everybody.extend(recipients);
                Ok(())
            }
            Means::Members(members) => members.iter().try_for_each(|member| match member {
                Member::Recipients(recipients) => {
                    everybody.extend(recipients);
                    Ok(())
                }
                Member::Name(name, _) => self.take(self.by_name.get(&**name).ok_or(Refused)?, everybody),
            }),
        }
    }
}

fn too_deep() -> Text {
    texts::targets_too_deep(DEEPEST)
}

/// The recipients of one push, each once.
#[derive(Default)]
pub(super) struct Everybody<'t> {
    recipients: Vec<Recipient<'t>>,
    /// The account that the push names.
    account: Option<&'t str>,
    known: HashSet<(&'t str, &'t Target, Option<&'t str>, bool)>,
    names: HashSet<&'t str>,
    doubles: Vec<Double<'t>>,
    more_doubles: usize,
}

enum Double<'t> {
    Name(&'t str),
    Target(&'t Target, Place),
}

impl<'t> Everybody<'t> {
    /// Takes one more, unless it is there. Who is meant depends on the account where an id is relative to it.
    pub(super) fn add(&mut self, recipient: Recipient<'t>) {
        let Recipient { im, target, account, at, list } = recipient;
        if self.known.insert((im, target, account, list.is_some())) {
            self.recipients.push(recipient);
        } else if self.doubles.len() < DOUBLES_TOLD {
            self.doubles.push(Double::Target(target, at));
        } else {
            self.more_doubles += 1;
        }
    }

    fn extend(&mut self, draft: &'t RecipientDraft) {
        let account = self.account.or(draft.account.as_ref().map(|(id, _)| &**id));
        for (target, at) in &draft.ids {
            self.add(Recipient { im: &draft.im, target, account, at: *at, list: draft.list.as_deref() });
        }
    }

    fn double(&mut self, name: &'t str) {
        if self.doubles.len() < DOUBLES_TOLD {
            self.doubles.push(Double::Name(name));
        } else {
            self.more_doubles += 1;
        }
    }

    /// Those who are left, unless there are too many; doubles are told at `at`.
    pub(super) fn told(
        mut self,
        at: Place,
        diagnostics: &mut Diagnostics,
        sources: &[SourceText],
    ) -> Result<Vec<Recipient<'t>>, Refused> {
        let got = self.recipients.len();
        if got > MOST_RECIPIENTS {
            diagnostics.error(at, texts::too_many_recipients(MOST_RECIPIENTS, got));
            return Err(Refused);
        }
        let mut words: Vec<Text> = mem::take(&mut self.doubles)
            .into_iter()
            .map(|double| match double {
                Double::Name(name) => Text::same(format!("'{name}'")),
                Double::Target(target, at) => {
                    let id = as_written(sources, at, target.id());
                    if target.is_group() { texts::group(id) } else { texts::user(id) }
                }
            })
            .collect();
        if words.is_empty() {
            return Ok(self.recipients);
        }
        if self.more_doubles > 0 {
            words.push(texts::more(self.more_doubles));
        }
        let message = texts::named_more_than_once(Text::joined(words, &texts::between()));
        diagnostics.warning(at, message).hint(texts::take_doubles_out());
        Ok(self.recipients)
    }
}
