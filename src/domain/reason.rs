//! Why a fire did not happen, why a push waits, and why it came to its end.
//!
//! The database keeps the word of a reason, so that a query can go by it; people are told a sentence, which the table of
//! texts has for each. Rows may hold words that nobody gives any more: they stay text, and are told as they are.

use std::fmt;

use super::Outcome;

macro_rules! reasons {
    ($($(#[doc = $why:literal])* $reason:ident = $word:literal,)*) => {
        /// One reason; see [`Reason::as_str`] for the word that rows have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $why])* $reason,)*
        }

        impl Reason {
            pub const ALL: &[Reason] = &[$(Reason::$reason,)*];

            /// The word as rows keep it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Reason::$reason => $word,)*
                }
            }
        }
    };
}

reasons! {
    // Why an instant did not fire.
    Paused = "paused",
    Disabled = "disabled",
    Overlap = "overlap",
    DstGap = "dst_gap",
    Holiday = "holiday",
    NotInCalendar = "not_in_calendar",
    NoCalendar = "no_calendar",
    DefinitionChanged = "definition_changed",
    MisfireSkip = "misfire_skip",
    MisfireWindow = "misfire_window",
    MisfireLatest = "misfire_latest",
    MisfireCap = "misfire_cap",
    MaxFires = "max_fires",
    DefinitionUnreadable = "definition_unreadable",
    Restored = "restored",
    // Why one fired that was noticed late.
    CaughtUp = "caught_up",
    /// By hand.
    OwnMessage = "own_message",
    /// By hand.
    Backfill = "backfill",
    // Why a push waits, or why nobody could send it.
    NoSender = "no_sender",
    /// No row has this: the answer comes within seconds.
    Probing = "probing",
    AccountOffline = "account_offline",
    AccountNotSendable = "account_not_sendable",
    AccountCoolingDown = "account_cooling_down",
    AccountUnknown = "account_unknown",
    AccountRemoved = "account_removed",
    KindNotSupported = "kind_not_supported",
    WindowClosed = "window_closed",
    RateLimit = "rate_limit",
    SenderBroken = "sender_broken",
    NotNoted = "not_noted",
    NotBegun = "not_begun",
    Stopped = "stopped",
    // What the last attempt came to.
    Sent = "sent",
    Rejected = "rejected",
    TargetGone = "target_gone",
    AccountDown = "account_down",
    Throttled = "throttled",
    Unreachable = "unreachable",
    Unknown = "unknown",
    // Why it came to its end.
    AttemptsExhausted = "attempts_exhausted",
    Content = "content",
    TooLate = "too_late",
    Unreadable = "unreadable",
    Recipients = "recipients",
    NoRecipients = "no_recipients",
    ContentEmpty = "content_empty",
    ContentUnchanged = "content_unchanged",
    JobRemoved = "job_removed",
    Replaced = "replaced",
    // What people did.
    CancelledByHand = "cancelled by hand",
    RetriedByHand = "retried by hand",
    ResolvedByHand = "resolved by hand",
    // A push by hand that no daemon goes on with.
    NotSentInTime = "not sent in time, and no daemon goes on",
    NothingWillCome = "no account could send it, and no daemon goes on",
    EndedBySigint = "ended by SIGINT before it was sent, and no daemon goes on",
    EndedBySigterm = "ended by SIGTERM before it was sent, and no daemon goes on",
}

impl Reason {
    /// The reason that a row gives; None for a word of another version.
    pub fn parse(word: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&Outcome> for Reason {
    fn from(outcome: &Outcome) -> Reason {
        match outcome {
            Outcome::Sent => Reason::Sent,
            Outcome::Rejected => Reason::Rejected,
            Outcome::TargetGone => Reason::TargetGone,
            Outcome::AccountDown => Reason::AccountDown,
            Outcome::Throttled { .. } => Reason::Throttled,
            Outcome::Unreachable => Reason::Unreachable,
            Outcome::Unknown => Reason::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_reason_is_found_by_its_word_and_nothing_else_is_one() {
        let mut words = BTreeSet::new();
        for reason in Reason::ALL.iter().copied() {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
            assert!(words.insert(reason.as_str()), "{reason} is there twice");
        }
        for word in ["", "moved_house", "Paused", "the daemon was off"] {
            assert_eq!(Reason::parse(word), None);
        }
    }

    #[test]
    fn what_attempts_come_to_is_a_reason_by_the_same_word() {
        let outcomes = [
            Outcome::Sent,
            Outcome::Rejected,
            Outcome::TargetGone,
            Outcome::AccountDown,
            Outcome::Throttled { wait: None },
            Outcome::Unreachable,
            Outcome::Unknown,
        ];
        for outcome in outcomes {
            assert_eq!(Reason::from(&outcome).as_str(), outcome.as_str());
        }
    }

    /// The words that SQL compares and sets, and those that other columns are set from in the same way.
    fn words_in_sql(dir: &Path, words: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                words_in_sql(&entry, words);
            } else {
                let text = std::fs::read_to_string(&entry).unwrap();
                for before in ["reason = '", "reason <> '", "reason IS NOT '", "reason IS '"] {
                    let rests = text.split(before).skip(1);
                    words.extend(rests.filter_map(|rest| rest.split_once('\'')).map(|(word, _)| word.to_owned()));
                }
            }
        }
    }

    #[test]
    fn sql_gives_and_looks_for_no_other_reasons() {
        let mut words = BTreeSet::new();
        words_in_sql(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store"), &mut words);
        for reason in
            [Reason::Replaced, Reason::JobRemoved, Reason::Unreadable, Reason::Restored, Reason::RetriedByHand]
        {
            assert!(words.contains(reason.as_str()), "{reason} was not found among {words:?}");
        }
        let foreign: Vec<_> = words.iter().filter(|word| Reason::parse(word).is_none()).collect();
        assert!(foreign.is_empty(), "add to domain/reason.rs what these say: {foreign:?}");
    }
}
