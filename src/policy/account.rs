//! Which account sends a push (design §4).

use crate::domain::message::Kind;
use crate::domain::{Health, Moment, Reason, Rule, Support, Trigger};

/// What the choice depends on, of the push.
#[derive(Clone, Copy, Debug)]
pub struct PushQuery<'a> {
    pub im: &'a str,
    pub kind: Kind,
    pub is_group: bool,
    /// The account that the push names.
    pub account: Option<&'a str>,
    pub trigger: Trigger,
    /// The chat that asked for the push, for trigger `message`: its im and account.
    pub chat: Option<(&'a str, &'a str)>,
    pub fallback: Fallback,
    pub now: Moment,
}

/// When the first online account stands in (`accounts_fallback`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// When the im has no default, or its default cannot send now.
    #[default]
    CannotSend,
    /// Only when the im has no default at all.
    NoDefault,
}

/// What the choice depends on, of an account. Candidates stand in file order.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub id: &'a str,
    pub im: &'a str,
    pub is_default: bool,
    pub health: &'a Health,
    /// How its sender carries a kind to a group (`true`) or a user.
    pub support: fn(Kind, bool) -> Support,
}

/// The answer. Indices are those of the candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Use {
        index: usize,
        rule: Rule,
    },
    /// Nothing is known of this account yet and the answer hangs on it: probe it, then ask again.
    ProbeFirst {
        index: usize,
    },
    /// Nobody may send now; no attempt is spent. `until` is when to ask again, where a cooldown tells.
    Wait {
        reason: Reason,
        until: Option<Moment>,
    },
    /// The one account that may send this push can never carry its kind.
    Never {
        reason: Reason,
    },
}

/// The account for a push, by the first rule that applies.
pub fn choose(push: &PushQuery, candidates: &[Candidate]) -> Choice {
    let chat = push.chat.filter(|(im, _)| push.trigger == Trigger::Message && *im == push.im);
    let bound = match (push.account, chat) {
        (Some(named), _) => Some((named, Rule::Explicit)),
        (None, Some((_, account))) => Some((account, Rule::MessageAccount)),
        (None, None) => None,
    };
    if let Some((id, rule)) = bound {
        // Another im's people have other ids: what is meant for one never goes out through an account of another, which a
        // later load may have given the same id, or whoever told of the chat may have named.
        match candidates.iter().position(|account| account.id == id && account.im == push.im) {
            Some(index) => return only(push, candidates, index, rule),
            // Refused at load; a later load can take an account away from a push that was waiting.
            None if rule == Rule::Explicit => return Choice::Wait { reason: Reason::AccountUnknown, until: None },
            // The chat came in through an account that is not ours: the rules for any other push hold.
            None => {}
        }
    }
    let default = candidates.iter().position(|account| account.is_default && account.im == push.im);
    let Some(index) = default else { return first_online(push, candidates) };
    if push.fallback == Fallback::NoDefault {
        return only(push, candidates, index, Rule::ImDefault);
    }
    match push.standing(&candidates[index]) {
        Standing::Ready => Choice::Use { index, rule: Rule::ImDefault },
        Standing::Unprobed => Choice::ProbeFirst { index },
        Standing::Waiting { .. } | Standing::Unable => first_online(push, candidates),
    }
}

/// The answer when no other account may stand in.
fn only(push: &PushQuery, candidates: &[Candidate], index: usize, rule: Rule) -> Choice {
    match push.standing(&candidates[index]) {
        Standing::Ready => Choice::Use { index, rule },
        Standing::Unprobed => Choice::ProbeFirst { index },
        Standing::Waiting { reason, until } => Choice::Wait { reason, until },
        Standing::Unable => Choice::Never { reason: Reason::KindNotSupported },
    }
}

/// The first in file order that is online, may send and can carry the kind.
fn first_online(push: &PushQuery, candidates: &[Candidate]) -> Choice {
    let mut soonest: Option<Moment> = None;
    for (index, account) in candidates.iter().enumerate().filter(|(_, account)| account.im == push.im) {
        match push.standing(account) {
            // A platform that cannot tell leaves `online` open: such an account is used when named or default,
            // but is not known to be online.
            Standing::Ready if account.health.online == Some(true) => {
                return Choice::Use { index, rule: Rule::FirstOnline };
            }
            // Whether it is online decides whether a later one is the first.
            Standing::Unprobed => return Choice::ProbeFirst { index },
            Standing::Waiting { until: Some(until), .. } => {
                soonest = Some(soonest.map_or(until, |soonest| soonest.min(until)));
            }
            Standing::Ready | Standing::Waiting { until: None, .. } | Standing::Unable => {}
        }
    }
    Choice::Wait { reason: Reason::NoSender, until: soonest }
}

/// Each account that may carry a push, and why it does not, in file order; the reason of one that nobody knows to be online is
/// that it was not probed, as far as that can be told.
pub fn why_not(push: &PushQuery, candidates: &[Candidate]) -> Vec<(usize, Reason)> {
    let bound = push.account.or_else(|| {
        let chat = push.chat.filter(|(im, _)| push.trigger == Trigger::Message && *im == push.im);
        chat.map(|(_, account)| account).filter(|id| candidates.iter().any(|account| account.id == *id))
    });
    let default = candidates.iter().find(|account| account.is_default && account.im == push.im);
    let only = default.filter(|_| bound.is_none() && push.fallback == Fallback::NoDefault).map(|account| account.id);
    let may_carry = |account: &Candidate| match bound.or(only) {
        Some(id) => account.id == id,
        None => account.im == push.im,
    };
    let reason = |account: &Candidate| match push.standing(account) {
        Standing::Waiting { reason, .. } => reason,
        Standing::Unable => Reason::KindNotSupported,
        Standing::Ready | Standing::Unprobed => Reason::Probing,
    };
    let each = candidates.iter().enumerate().filter(|(_, account)| may_carry(account));
    each.map(|(index, account)| (index, reason(account))).collect()
}

/// Whether an account can take a push.
enum Standing {
    Ready,
    Unprobed,
    Waiting { reason: Reason, until: Option<Moment> },
    Unable,
}

impl PushQuery<'_> {
    fn standing(&self, account: &Candidate) -> Standing {
        let health = account.health;
        if !(account.support)(self.kind, self.is_group).is_possible() {
            Standing::Unable
        } else if health.online == Some(false) {
            Standing::Waiting { reason: Reason::AccountOffline, until: None }
        } else if health.sendable == Some(false) {
            Standing::Waiting { reason: Reason::AccountNotSendable, until: None }
        } else if health.is_cooling_down(self.now) {
            Standing::Waiting { reason: Reason::AccountCoolingDown, until: health.rest_until }
        } else if health.never_probed() {
            Standing::Unprobed
        } else {
            Standing::Ready
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use Rule::{Explicit, FirstOnline, ImDefault, MessageAccount};

    use super::*;
    use crate::domain::UtcMs;

    const NOW: Moment = Moment(Duration::from_secs(1000));

    fn in_ms(ms: u64) -> Moment {
        NOW + Duration::from_millis(ms)
    }

    type Carries = fn(Kind, bool) -> Support;

    fn anything(_: Kind, _: bool) -> Support {
        Support::Native
    }

    fn text_to_users_only(kind: Kind, is_group: bool) -> Support {
        if kind == Kind::Text && !is_group { Support::Native } else { Support::Refused("text to users only") }
    }

    fn voice_as_file(kind: Kind, _: bool) -> Support {
        if kind == Kind::Voice { Support::Fallback("as file") } else { Support::Refused("voice only") }
    }

    /// An account in words: `id im[ default] state…`.
    fn account(words: &str) -> (String, String, bool, Health, Carries) {
        let mut words = words.split(' ');
        let (id, im) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let mut health =
            Health { online: Some(true), sendable: Some(true), checked_at: Some(UtcMs(1)), ..Health::default() };
        let (mut is_default, mut support) = (false, anything as Carries);
        for word in words {
            match word {
                "default" => is_default = true,
                "up" => {}
                "down" => health.online = Some(false),
                "muted" => health.sendable = Some(false),
                "untold" => (health.online, health.sendable) = (None, None),
                "unprobed" => health = Health::default(),
                "rests" => health.rest_until = Some(in_ms(7)),
                "rests_longer" => health.rest_until = Some(in_ms(9)),
                "rested" => health.rest_until = Some(NOW),
                "users" => support = text_to_users_only,
                "voice" => support = voice_as_file,
                other => panic!("{other}?"),
            }
        }
        (id, im, is_default, health, support)
    }

    fn choice(push: PushQuery, accounts: &[&str]) -> Choice {
        let accounts: Vec<_> = accounts.iter().map(|words| account(words)).collect();
        let candidates: Vec<Candidate> = accounts
            .iter()
            .map(|(id, im, is_default, health, support)| Candidate {
                id,
                im,
                is_default: *is_default,
                health,
                support: *support,
            })
            .collect();
        choose(&push, &candidates)
    }

    const CRON: PushQuery = PushQuery {
        im: "qq",
        kind: Kind::Text,
        is_group: true,
        account: None,
        trigger: Trigger::Cron,
        chat: None,
        fallback: Fallback::CannotSend,
        now: NOW,
    };
    const MANUAL: PushQuery = PushQuery { trigger: Trigger::Manual, ..CRON };
    const NAMED: PushQuery = PushQuery { account: Some("b"), ..CRON };
    const REPLY: PushQuery = PushQuery { trigger: Trigger::Message, chat: Some(("qq", "b")), ..CRON };
    const STRICT: PushQuery = PushQuery { fallback: Fallback::NoDefault, ..CRON };

    fn using(index: usize, rule: Rule) -> Choice {
        Choice::Use { index, rule }
    }

    fn wait(reason: Reason) -> Choice {
        Choice::Wait { reason, until: None }
    }

    fn until(reason: Reason, ms: u64) -> Choice {
        Choice::Wait { reason, until: Some(in_ms(ms)) }
    }

    fn probe(index: usize) -> Choice {
        Choice::ProbeFirst { index }
    }

    /// What the row is about, the push, the accounts in file order, and what is chosen.
    type Row<'a> = (&'a str, PushQuery<'a>, &'a [&'a str], Choice);

    fn hold(table: &[Row]) {
        for (label, push, accounts, expected) in table {
            assert_eq!(choice(*push, accounts), *expected, "{label}");
        }
    }

    #[test]
    fn a_push_that_names_an_account_goes_through_that_one_and_no_other() {
        hold(&[
            ("named", NAMED, &["a qq default up", "b qq up"], using(1, Explicit)),
            (
                "named wins over the chat's",
                PushQuery { account: Some("a"), ..REPLY },
                &["a qq up", "b qq up"],
                using(0, Explicit),
            ),
            (
                "named, offline: never changes hands",
                NAMED,
                &["a qq default up", "b qq down"],
                wait(Reason::AccountOffline),
            ),
            ("named, muted", NAMED, &["a qq default up", "b qq muted"], wait(Reason::AccountNotSendable)),
            ("named, resting", NAMED, &["a qq default up", "b qq rests"], until(Reason::AccountCoolingDown, 7)),
            ("named, rested", NAMED, &["a qq default up", "b qq rested"], using(1, Explicit)),
            ("named, never probed", NAMED, &["a qq default up", "b qq unprobed"], probe(1)),
            ("named, its platform cannot tell", NAMED, &["a qq default up", "b qq untold"], using(1, Explicit)),
            (
                "named, cannot carry the kind",
                NAMED,
                &["a qq default up", "b qq users"],
                Choice::Never { reason: Reason::KindNotSupported },
            ),
            ("named, no longer configured", NAMED, &["a qq default up"], wait(Reason::AccountUnknown)),
            (
                "named, of another im by now: its ids are other people there",
                NAMED,
                &["a qq default up", "b wechat up"],
                wait(Reason::AccountUnknown),
            ),
            (
                "named, with no fallback",
                PushQuery { account: Some("b"), ..STRICT },
                &["a qq default up", "b qq up"],
                using(1, Explicit),
            ),
        ]);
    }

    #[test]
    fn a_reply_on_the_im_of_its_chat_goes_through_the_account_of_the_chat() {
        hold(&[
            ("reply", REPLY, &["a qq default up", "b qq up"], using(1, MessageAccount)),
            ("reply, offline", REPLY, &["a qq default up", "b qq down"], wait(Reason::AccountOffline)),
            ("reply, never probed", REPLY, &["a qq default up", "b qq unprobed"], probe(1)),
            ("reply, account not ours", REPLY, &["a qq default up"], using(0, ImDefault)),
            ("reply, account of another im", REPLY, &["b wechat up", "a qq default up"], using(1, ImDefault)),
            ("reply, account of another im, and none of its own", REPLY, &["b wechat up"], wait(Reason::NoSender)),
        ]);
    }

    #[test]
    fn any_other_push_goes_through_the_default_of_its_im() {
        hold(&[
            (
                "reply to another im",
                PushQuery { im: "wechat", ..REPLY },
                &["b qq up", "w wechat default up"],
                using(1, ImDefault),
            ),
            (
                "a chat counts for trigger message only",
                PushQuery { trigger: Trigger::Cron, ..REPLY },
                &["a qq default up", "b qq up"],
                using(0, ImDefault),
            ),
            ("cron", CRON, &["b qq up", "w wechat default up", "a qq default up"], using(2, ImDefault)),
            ("manual", MANUAL, &["b qq up", "a qq default up"], using(1, ImDefault)),
            ("default, never probed", CRON, &["b qq up", "a qq default unprobed"], probe(1)),
            ("default, its platform cannot tell", CRON, &["b qq up", "a qq default untold"], using(1, ImDefault)),
            (
                "default, carries the kind in another form",
                PushQuery { kind: Kind::Voice, ..CRON },
                &["a qq default voice", "b qq up"],
                using(0, ImDefault),
            ),
        ]);
    }

    #[test]
    fn the_first_that_is_online_sendable_and_able_stands_in_for_a_default_that_cannot_send() {
        hold(&[
            ("no default", CRON, &["w wechat up", "a qq up", "b qq up"], using(1, FirstOnline)),
            ("default offline", CRON, &["a qq default down", "b qq up", "c qq up"], using(1, FirstOnline)),
            ("default muted", CRON, &["a qq up", "b qq default muted"], using(0, FirstOnline)),
            ("default resting", CRON, &["a qq default rests", "b qq up"], using(1, FirstOnline)),
            ("default cannot carry the kind", CRON, &["a qq default users", "b qq up"], using(1, FirstOnline)),
            (
                "default can carry it to a user",
                PushQuery { is_group: false, ..CRON },
                &["a qq default users", "b qq up"],
                using(0, ImDefault),
            ),
            (
                "the first is down, muted, resting, unable, of another im",
                CRON,
                &["a qq down", "b qq muted", "c qq rests", "d qq users", "w wechat up", "e qq up"],
                using(5, FirstOnline),
            ),
            ("online is known, not assumed", CRON, &["a qq untold", "b qq up"], using(1, FirstOnline)),
            ("an unprobed one before it decides", CRON, &["a qq down", "b qq unprobed", "c qq up"], probe(1)),
            (
                "an unprobed one after it does not matter",
                CRON,
                &["a qq down", "b qq up", "c qq unprobed"],
                using(1, FirstOnline),
            ),
            (
                "an unprobed one that cannot carry the kind does not matter",
                PushQuery { kind: Kind::Image, ..CRON },
                &["a qq unprobed users", "b qq up"],
                using(1, FirstOnline),
            ),
        ]);
    }

    #[test]
    fn with_no_default_as_the_fallback_a_default_that_is_down_keeps_its_pushes() {
        hold(&[
            (
                "no_default: a default that is down keeps its pushes",
                STRICT,
                &["a qq default down", "b qq up"],
                wait(Reason::AccountOffline),
            ),
            ("no_default: resting", STRICT, &["a qq default rests", "b qq up"], until(Reason::AccountCoolingDown, 7)),
            ("no_default: unprobed", STRICT, &["a qq default unprobed", "b qq up"], probe(0)),
            ("no_default: up", STRICT, &["b qq up", "a qq default up"], using(1, ImDefault)),
            ("no_default: none at all", STRICT, &["b qq up", "w wechat default up"], using(0, FirstOnline)),
        ]);
    }

    #[test]
    fn a_push_that_nobody_can_send_waits() {
        hold(&[
            ("nobody configured", CRON, &[], wait(Reason::NoSender)),
            ("nobody of this im", CRON, &["w wechat default up"], wait(Reason::NoSender)),
            ("nobody online", CRON, &["a qq default down", "b qq down"], wait(Reason::NoSender)),
            ("nobody able", CRON, &["a qq default users"], wait(Reason::NoSender)),
            ("nobody known to be online", CRON, &["a qq untold"], wait(Reason::NoSender)),
            (
                "all resting: the first that is rested",
                CRON,
                &["a qq default rests_longer", "b qq rests", "c qq down", "w wechat up"],
                until(Reason::NoSender, 7),
            ),
        ]);
    }
}
