//! A push with several recipients becomes a push for each, judged by the accounts that would carry it.

use std::collections::HashSet;

use super::carriers::{Asked, Carriers, refuse_kind};
use super::diagnostics::{Diagnostics, Place, SourceText};
use super::draft::{FallbackDraft, Ids, Means, Member, PushPlaces, RecipientDraft, Recipients, TargetDraft};
use super::keys::MOST_FALLBACKS;
use super::recipients::{Book, Everybody, Recipient};
use super::yaml::At;
use crate::domain::{FallbackSpec, Kind, PushSpec, RecipientList};
use crate::texts;

/// Pushes and bytes of content that the recipients of all jobs may come to: each of them has a message of its own.
const MOST_COPIES: usize = 250_000;
const MOST_COPIED: usize = 256 << 20;

/// What pushes with several recipients are expanded by.
pub(super) struct Expansion<'a> {
    pub carriers: Carriers<'a>,
    book: Book<'a>,
    /// Pushes that were made for the recipients of others, and what their contents come to.
    copies: usize,
    copied: usize,
    /// See [`Loader::enough`](super::loader::Loader::enough).
    enough: &'a dyn Fn() -> bool,
}

/// A push that goes to several, where it stands.
pub(super) struct Several<'p> {
    pub file: u16,
    pub places: PushPlaces,
    pub recipients: &'p Recipients,
    /// All but its recipient.
    pub spec: &'p PushSpec,
}

impl Several<'_> {
    fn place(&self, at: At) -> Place {
        Place { file: self.file, at: at.at, len: at.len }
    }
}

impl<'a> Expansion<'a> {
    pub(super) fn new(carriers: Carriers<'a>, book: Book<'a>, enough: &'a dyn Fn() -> bool) -> Expansion<'a> {
        Expansion { carriers, book, copies: 0, copied: 0, enough }
    }

    /// Looks up a name that a push uses which is wrong otherwise.
    pub(super) fn look_up(&self, name: &str, at: Place, diagnostics: &mut Diagnostics, sources: &[SourceText]) {
        self.book.find(name, at, diagnostics, sources);
    }

    /// The lists among the recipients of a push. None where something is wrong with them.
    pub(super) fn lists(&self, recipients: Option<&Recipients>) -> Option<Vec<&'a RecipientList>> {
        match recipients {
            Some(Recipients::Named(names)) => self.book.lists(names),
            _ => Some(Vec::new()),
        }
    }

    /// One push for each recipient, in order. What is wrong is told once, and not for each.
    pub(super) fn expand(
        &mut self,
        push: &Several<'_>,
        diagnostics: &mut Diagnostics,
        sources: &[SourceText],
    ) -> Vec<PushSpec> {
        if (self.enough)() {
            return Vec::new();
        }
        let PushSpec { im, account, .. } = push.spec;
        let everybody = match push.recipients {
            Recipients::Targets(targets) => Ok(everybody_of(im, targets, account.as_deref())),
            Recipients::Named(names) => self.book.named(names, account.as_deref(), diagnostics, sources),
        };
        let at = push.place(push.places.target);
        let Ok(everybody) = everybody.and_then(|all| all.told(at, diagnostics, sources)) else { return Vec::new() };
        if !has_room(&mut self.copies, &mut self.copied, push, everybody.len(), diagnostics) {
            return Vec::new();
        }
        self.check(push, &everybody, diagnostics, sources);
        let spec = |Recipient { im, target, account, list, .. }: Recipient| PushSpec {
            im: im.to_owned(),
            target: target.clone(),
            account: account.map(str::to_owned),
            list: list.cloned().map(Box::new),
            ..push.spec.clone()
        };
        everybody.into_iter().map(spec).collect()
    }

    fn check(
        &self,
        push: &Several<'_>,
        everybody: &[Recipient<'_>],
        diagnostics: &mut Diagnostics,
        sources: &[SourceText],
    ) {
        let (file, kind) = (push.file, push.spec.message.body.kind());
        let is_named = matches!(push.recipients, Recipients::Named(_));
        let mut checked = HashSet::new();
        for Recipient { im, target, account, at, list } in everybody {
            let (target, account) = (*target, *account);
            let is_first = checked.insert((*im, account, target.is_group()));
            // Nobody knows yet whom a list names.
            let known = Some(target).filter(|_| list.is_none());
            let asked = Asked { file, im, account, target: known, kind: Some(kind), places: push.places };
            if list.is_some() && is_first && self.carriers.has(im, account) {
                let carriers = self.carriers.of(im, account).unwrap_or_default();
                refuse_kind(diagnostics, carriers, target.is_group(), kind, push.place(push.places.content));
            } else if !is_named {
                // Of an account or a kind that is wrong there is one word for all.
                if is_first || self.carriers.has(im, account) {
                    let places = PushPlaces { target: At { at: at.at, len: at.len }, ..push.places };
                    let asked = Asked { kind: is_first.then_some(kind), places, ..asked };
                    self.carriers.check(&asked, diagnostics, sources);
                }
            } else if is_first && push.spec.account.is_some() {
                // Where the push names the account, whom it is to reach was checked with another one, or with none.
                self.carriers.check(&asked, diagnostics, sources);
            } else if is_first {
                let carriers = self.carriers.of(im, account).unwrap_or_default();
                refuse_kind(diagnostics, carriers, target.is_group(), kind, push.place(push.places.content));
            }
        }
    }

    /// Gives the pushes of one draft their fallbacks: one for each whom a fallback names, and none that is the push itself.
    pub(super) fn add_fallbacks(
        &mut self,
        drafts: &[FallbackDraft],
        pushes: &mut [PushSpec],
        diagnostics: &mut Diagnostics,
        sources: &[SourceText],
    ) {
        let mut checked = HashSet::new();
        for draft in drafts {
            if (self.enough)() {
                return;
            }
            let account = draft.account.as_ref().map(|(id, _)| &**id);
            let named = self.book.named(&draft.names, account, diagnostics, sources);
            let Ok(named) = named.and_then(|all| all.told(draft.at, diagnostics, sources)) else { continue };
            for push in pushes.iter_mut() {
                let own = PushSpec { fallback: Vec::new(), ..push.clone() };
                for way in ways(draft, &named, &own) {
                    let Recipient { im, target, account, .. } = way;
                    if (im, target, account) == (&*own.im, &own.target, own.account.as_deref()) {
                        let message = texts::fallback_to_itself();
                        diagnostics.error(draft.at, message);
                        return;
                    }
                    if checked.insert((im.to_owned(), target.clone(), account.map(str::to_owned))) {
                        self.check_fallback(draft, &way, own.message.body.kind(), diagnostics, sources);
                    }
                    add(&mut push.fallback, draft, &way);
                }
                self.copies = self.copies.saturating_add(push.fallback.len());
                if push.fallback.len() > MOST_FALLBACKS || self.copies > MOST_COPIES {
                    let message = texts::too_many_fallbacks(MOST_FALLBACKS, MOST_COPIES);
                    diagnostics.error(draft.at, message);
                    return;
                }
            }
        }
    }

    fn check_fallback(
        &self,
        draft: &FallbackDraft,
        way: &Recipient<'_>,
        kind: Kind,
        diagnostics: &mut Diagnostics,
        sources: &[SourceText],
    ) {
        let Recipient { im, target, account, at, list } = *way;
        if list.is_some() {
            let message = texts::fallback_to_a_list();
            diagnostics.error(draft.at, message);
            return;
        }
        if !draft.names.is_empty() && draft.account.is_none() {
            // Whom a name means was checked where it stands.
            let carriers = self.carriers.of(im, account).unwrap_or_default();
            return refuse_kind(diagnostics, carriers, target.is_group(), kind, draft.at);
        }
        if draft.im.is_none() && draft.account.is_none() && !self.carriers.has(im, None) {
            // That there is no such im was told of the push.
            return;
        }
        let place = |place: Place| At { at: place.at, len: place.len };
        let places = PushPlaces {
            im: place(draft.im.as_ref().map_or(draft.at, |(_, at)| *at)),
            account: place(draft.account.as_ref().map_or(draft.at, |(_, at)| *at)),
            target: place(if at.file == draft.at.file { at } else { draft.at }),
            content: place(draft.at),
        };
        let asked = Asked { file: draft.at.file, im, account, target: Some(target), kind: Some(kind), places };
        self.carriers.check(&asked, diagnostics, sources);
    }

    /// What is wrong with the names under `targets` is told where they stand.
    pub(super) fn check_targets(&self, targets: &[TargetDraft], diagnostics: &mut Diagnostics, sources: &[SourceText]) {
        for TargetDraft { means, .. } in targets {
            match means {
                Means::Unknown => {}
                Means::Recipients(draft) => self.check_recipients(draft, diagnostics, sources),
                Means::Members(members) => {
                    for member in members {
                        if let Member::Recipients(draft) = member {
                            self.check_recipients(draft, diagnostics, sources);
                        }
                    }
                }
            }
        }
    }

    fn check_recipients(&self, draft: &RecipientDraft, diagnostics: &mut Diagnostics, sources: &[SourceText]) {
        let RecipientDraft { im, im_at, ids, account, list } = draft;
        let at = |place: &Place| At { at: place.at, len: place.len };
        let (account, account_at) = account.as_ref().map_or((None, im_at), |(id, at)| (Some(&**id), at));
        let count = if self.carriers.has(im, account) { ids.len() } else { 1 };
        for (target, target_at) in ids.iter().take(count) {
            let places =
                PushPlaces { im: at(im_at), account: at(account_at), target: at(target_at), content: at(im_at) };
            let target = Some(target).filter(|_| list.is_none());
            let asked = Asked { file: im_at.file, im, account, target, kind: None, places };
            self.carriers.check(&asked, diagnostics, sources);
        }
    }
}

/// Whom a fallback means for a push.
fn ways<'p>(draft: &'p FallbackDraft, named: &[Recipient<'p>], push: &'p PushSpec) -> Vec<Recipient<'p>> {
    if !draft.names.is_empty() {
        return named.to_vec();
    }
    let im = draft.im.as_ref().map_or(&*push.im, |(im, _)| im);
    let account = draft.account.as_ref().map(|(id, _)| &**id);
    if draft.ids.is_empty() {
        return vec![Recipient { im, target: &push.target, account, at: draft.at, list: None }];
    }
    draft.ids.iter().map(|(target, at)| Recipient { im, target, account, at: *at, list: None }).collect()
}

/// Whoever is named by two fallbacks gets one message, after the ends of both.
fn add(fallbacks: &mut Vec<FallbackSpec>, draft: &FallbackDraft, way: &Recipient<'_>) {
    let Recipient { im, target, account, .. } = *way;
    let is_same =
        |known: &&mut FallbackSpec| (&*known.im, &known.target, known.account.as_deref()) == (im, target, account);
    if let Some(known) = fallbacks.iter_mut().find(is_same) {
        let new: Vec<_> = draft.after.iter().copied().filter(|state| !known.after.contains(state)).collect();
        known.after.extend(new);
        return;
    }
    let (im, account) = (im.to_owned(), account.map(str::to_owned));
    fallbacks.push(FallbackSpec { im, target: target.clone(), account, after: draft.after.clone() });
}

fn everybody_of<'p>(im: &'p str, targets: &'p Ids, account: Option<&'p str>) -> Everybody<'p> {
    let mut everybody = Everybody::default();
    for (target, at) in targets {
        everybody.add(Recipient { im, target, account, at: *at, list: None });
    }
    everybody
}

/// Whether all recipients of all jobs still fit into memory, and into the database.
fn has_room(
    copies: &mut usize,
    copied: &mut usize,
    push: &Several<'_>,
    recipients: usize,
    diagnostics: &mut Diagnostics,
) -> bool {
    let at = push.place(push.places.target);
    let size = serde_json::to_vec(&push.spec.message).map_or(0, |json| json.len());
    *copies = copies.saturating_add(recipients);
    *copied = copied.saturating_add(size.saturating_mul(recipients));
    if *copies > MOST_COPIES {
        let message = texts::too_many_copies(MOST_COPIES);
        diagnostics.error(at, message);
    } else if *copied > MOST_COPIED {
        let message = texts::copies_too_large(MOST_COPIED);
        diagnostics.error(at, message).hint(texts::media_into_files());
    }
    *copies <= MOST_COPIES && *copied <= MOST_COPIED
}
