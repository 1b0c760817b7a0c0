//! The accounts by what pushes call them, and what of a push none of them could carry.

use std::collections::HashMap;

use super::diagnostics::{Diagnostics, Place, SourceText, as_written};
use super::draft::{AccountDraft, PushPlaces};
use super::environment::Sight;
use super::yaml::At;
use crate::domain::sender::wrong_for_all;
use crate::domain::{Kind, SenderSpec, Support, Target, WrongTarget};
use crate::texts::{self, Text};

/// So many can be told in a line.
const MOST_IMS: usize = 8;

/// Who is to carry what to whom, as far as it is known, and where each stands in the file.
pub(super) struct Asked<'p> {
    pub file: u16,
    pub im: &'p str,
    pub account: Option<&'p str>,
    pub target: Option<&'p Target>,
    pub kind: Option<Kind>,
    pub places: PushPlaces,
}

/// The accounts by what pushes call them.
pub(super) struct Carriers<'a> {
    by_id: HashMap<&'a str, &'a AccountDraft>,
    /// The senders of the accounts of an im.
    by_im: HashMap<&'a str, Vec<&'static SenderSpec>>,
    /// Some account has an id, or an im, that cannot be told: a push that names an unknown one may mean it.
    ids_incomplete: bool,
    ims_incomplete: bool,
    /// Variables may stand for what is not seen here.
    sight: Sight,
}

impl<'a> Carriers<'a> {
    pub(super) fn new(accounts: &'a [AccountDraft], incomplete: bool, sight: Sight) -> Carriers<'a> {
        let mut known = Carriers {
            by_id: HashMap::new(),
            by_im: HashMap::new(),
            ids_incomplete: incomplete,
            ims_incomplete: incomplete,
            sight,
        };
        for draft in accounts {
            known.ids_incomplete |= draft.id.is_none();
            known.ims_incomplete |= draft.im.is_none();
            if let Some(id) = &draft.id {
                known.by_id.insert(id, draft);
            }
            if let Some(im) = &draft.im {
                known.by_im.entry(im).or_default().extend(draft.spec);
            }
        }
        known
    }

    /// The senders of the accounts that may carry a push; None where there is no such account or im.
    pub(super) fn of(&self, im: &str, account: Option<&str>) -> Option<&[&'static SenderSpec]> {
        match account {
            Some(id) => self.by_id.get(id).map(|account| account.spec.as_slice()),
            None => self.by_im.get(im).map(Vec::as_slice),
        }
    }

    pub(super) fn has(&self, im: &str, account: Option<&str>) -> bool {
        self.of(im, account).is_some()
            && account.and_then(|id| self.by_id.get(id)?.im.as_deref()).is_none_or(|own| own == im)
    }

    /// Refuses accounts and ims that do not exist, and targets and contents that none of the accounts could reach or
    /// carry.
    pub(super) fn check(&self, asked: &Asked<'_>, diagnostics: &mut Diagnostics, sources: &[SourceText]) {
        let Asked { file, im, account, target, kind, places } = *asked;
        let place = |at: At| Place { file, at: at.at, len: at.len };
        let written = |at: At, value: &str| as_written(sources, place(at), value);
        let known = self;
        let words = [Some(im), account, target.map(Target::id)];
        if matches!(self.sight, Sight::Onlooker | Sight::Text)
            && words.into_iter().flatten().any(|word| word.contains("${"))
        {
            return;
        }
        let carriers = match account {
            Some(id) => match known.by_id.get(id) {
                None if known.ids_incomplete => return,
                None => {
                    let message = texts::no_such_account(written(places.account, id));
                    diagnostics.error(place(places.account), message).near(id, known.by_id.keys().copied());
                    return;
                }
                Some(AccountDraft { im: Some(own), im_at, .. }) if own != im => {
                    let (id, im) = (written(places.account, id), written(places.im, im));
                    let own = as_written(sources, *im_at, own);
                    let message = texts::account_of_another(id, own, im);
                    diagnostics.error(place(places.account), message);
                    return;
                }
                Some(account) => account.spec.as_slice(),
            },
            None => match known.by_im.get(im) {
                None if known.ims_incomplete => return,
                None => {
                    let message = texts::no_account_for(written(places.im, im));
                    let mut ims: Vec<&str> = known.by_im.keys().copied().collect();
                    ims.sort_unstable();
                    let problem = diagnostics.error(place(places.im), message);
                    if (1..=MOST_IMS).contains(&ims.len()) {
                        problem.hint(texts::accounts_are_of(ims.join(", ")));
                    }
                    problem.near(im, ims);
                    return;
                }
                Some(specs) => specs,
            },
        };
        let Some(target) = target else { return };
        if let Some(wrong) = wrong_for_all(target, carriers.iter().copied()) {
            refuse_target(diagnostics, sources, place(places.target), target, wrong);
        }
        let Some(kind) = kind else { return };
        refuse_kind(diagnostics, carriers, target.is_group(), kind, place(places.content));
    }
}

/// Refuses a content that none of these can carry.
pub(super) fn refuse_kind(
    diagnostics: &mut Diagnostics,
    carriers: &[&'static SenderSpec],
    is_group: bool,
    kind: Kind,
    at: Place,
) {
    let refusal = |spec: &&'static SenderSpec| match (spec.support)(kind, is_group) {
        Support::Refused(reason) => Some((spec.name, reason)),
        _ => None,
    };
    let refused = carriers.iter().all(|spec| refusal(spec).is_some());
    if let Some((sender, reason)) = carriers.iter().find_map(refusal).filter(|_| refused) {
        let target = if is_group { texts::a_group() } else { texts::a_user() };
        diagnostics.error(at, texts::cannot_send_kind(sender, kind, target, texts::phrase(reason)));
    }
}

/// What is wrong with a target, which `shown` stands for.
fn told(wrong: &WrongTarget, shown: Text) -> Text {
    let shown = if wrong.is_secret { texts::the_target() } else { shown };
    let advice = wrong.meant.as_ref().map_or_else(Text::none, texts::and_write);
    texts::wrong_target(shown, texts::phrase(wrong.problem), texts::phrase(wrong.expected), advice)
}

fn refuse_target(
    diagnostics: &mut Diagnostics,
    sources: &[SourceText],
    at: Place,
    target: &Target,
    mut wrong: WrongTarget,
) {
    let mut shown = Text::same(as_written(sources, at, target.id()));
    // What a variable holds is shown nowhere, nor what would be made of it.
    if shown.english().contains("${") {
        shown = shown.and(&texts::with_its_variables());
        wrong.meant = None;
    }
    let diagnostic = diagnostics.error(at, told(&wrong, shown));
    if wrong.is_secret {
        diagnostic.hide_line();
    }
}
