//! Why a fire did not happen, why a push waits, and why it came to its end.
//!
//! The database keeps the word of a reason, so that a query can go by it; people are told the sentence. Both stand in one
//! table here, so that there is no reason without words. Rows may hold words that nobody gives any more: they stay text,
//! and [`in_words`] tells them as they are.

use std::fmt;

use super::Outcome;

macro_rules! reasons {
    ($($(#[doc = $why:literal])* $reason:ident = $word:literal: $words:literal,)*) => {
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

            /// What it says, as a clause that may stand after a colon or in parentheses.
            pub const fn in_words(self) -> &'static str {
                match self {
                    $(Reason::$reason => $words,)*
                }
            }
        }
    };
}

reasons! {
    // Why an instant did not fire.
    Paused = "paused": "the job was paused",
    Disabled = "disabled": "the job was disabled",
    Overlap = "overlap": "a push of an older fire was still open (overlap: skip)",
    DstGap = "dst_gap": "that time does not exist on that day (dst_gap: skip)",
    Holiday = "holiday": "it falls on a day off",
    NotInCalendar = "not_in_calendar": "it falls on a day that the job does not want (workdays, only, except)",
    NoCalendar = "no_calendar": "no list covers that day (on_missing_calendar)",
    DefinitionChanged = "definition_changed": "the definition changed before it was decided",
    MisfireSkip = "misfire_skip": "it was noticed too late (misfire policy: skip)",
    MisfireWindow = "misfire_window": "it was noticed too late, outside of the misfire window (misfire: within)",
    MisfireLatest = "misfire_latest":
        "it was noticed too late, and only the latest of the missed ones fires (misfire policy: latest)",
    MisfireCap = "misfire_cap": "it was noticed too late, and more were missed than may be caught up (misfire: max)",
    MaxFires = "max_fires": "the job had fired as often as it may (max_fires)",
    DefinitionUnreadable = "definition_unreadable": "what the job pushes could not be read in the database",
    Restored = "restored": "the database was restored from a backup, and it may have been sent in between",
    // Why one fired that was noticed late.
    CaughtUp = "caught_up": "it was noticed late and caught up on (misfire policy)",
    /// By hand.
    OwnMessage = "own_message": "with a message of its own in place of the job's",
    /// By hand.
    Backfill = "backfill": "it was made up for by hand (`pushcron backfill`)",
    // Why a push waits, or why nobody could send it.
    NoSender = "no_sender": "no account could send",
    /// No row has this: the answer comes within seconds.
    Probing = "probing": "its account is being asked whether it can send",
    AccountOffline = "account_offline": "the account is offline",
    AccountNotSendable = "account_not_sendable": "the account may not send now",
    AccountCoolingDown = "account_cooling_down": "the account is cooling down",
    AccountUnknown = "account_unknown": "the account is not in the files",
    AccountRemoved = "account_removed": "the account left the files before the send",
    KindNotSupported = "kind_not_supported": "no account's sender can carry this kind",
    WindowClosed = "window_closed": "the platform lets the account write only after the contact has written",
    RateLimit = "rate_limit": "the account has used up the sends that its platform grants in this time",
    SenderBroken = "sender_broken": "the sender broke down, which is a bug of pushcron",
    NotNoted = "not_noted": "the send could not be noted beforehand, so that it was put off",
    NotBegun = "not_begun": "pushcron ended before the send was begun",
    Stopped = "stopped": "the daemon stopped",
    // What the last attempt came to.
    Sent = "sent": "the platform took it",
    Rejected = "rejected": "the platform refuses this message",
    TargetGone = "target_gone": "the group or the person is not there, or not for this account",
    AccountDown = "account_down": "the account could not send",
    Throttled = "throttled": "the platform asked to wait",
    Unreachable = "unreachable": "the platform was not reached",
    Unknown = "unknown": "no answer came that says whether it arrived",
    // Why it came to its end.
    AttemptsExhausted = "attempts_exhausted": "every attempt that its policy allows was made (retry: max_attempts)",
    Content = "content": "what it was to say could not be made: its template failed, or its source (content_from)",
    TooLate = "too_late": "its time was over before it could be sent (retry: give_up_after)",
    Unreadable = "unreadable": "its row in the database cannot be read",
    Recipients = "recipients": "the list of its recipients could not be read, or something on it is wrong",
    NoRecipients = "no_recipients": "the list of its recipients had nobody on it",
    ContentEmpty = "content_empty": "its source had nothing to say (content_from: empty)",
    ContentUnchanged = "content_unchanged":
        "its target was sent the same content the last time, or is about to be (content_from: unchanged)",
    JobRemoved = "job_removed": "the job left the files",
    Replaced = "replaced": "a newer fire took its place (overlap: replace)",
    // What people did.
    CancelledByHand = "cancelled by hand": "cancelled by hand",
    RetriedByHand = "retried by hand": "retried by hand",
    ResolvedByHand = "resolved by hand": "resolved by hand",
    // A push by hand that no daemon goes on with.
    NotSentInTime = "not sent in time, and no daemon goes on": "not sent in time, and no daemon goes on",
    NothingWillCome = "no account could send it, and no daemon goes on":
        "no account could send it, and no daemon goes on",
    EndedBySigint = "ended by SIGINT before it was sent, and no daemon goes on":
        "ended by SIGINT before it was sent, and no daemon goes on",
    EndedBySigterm = "ended by SIGTERM before it was sent, and no daemon goes on":
        "ended by SIGTERM before it was sent, and no daemon goes on",
}

impl Reason {
    /// The reason that a row gives; None for a word of another version.
    pub fn parse(word: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }
}

/// What a row's reason says. What is no word of ours is told as it is.
pub fn in_words(stored: &str) -> &str {
    Reason::parse(stored).map_or(stored, |reason| reason.in_words())
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
    fn every_reason_has_words_of_its_own_and_is_found_by_its_word() {
        let (mut words, mut sentences) = (BTreeSet::new(), BTreeSet::new());
        for reason in Reason::ALL.iter().copied() {
            let (word, sentence) = (reason.as_str(), reason.in_words());
            assert!(sentence.contains(' ') && !sentence.ends_with('.') && sentence.trim() == sentence, "{word}");
            assert_eq!((Reason::parse(word), in_words(word)), (Some(reason), sentence));
            assert!(words.insert(word) && sentences.insert(sentence), "{word} is there twice");
        }
    }

    #[test]
    fn a_word_that_nobody_gives_any_more_is_told_as_it_is() {
        for word in ["", "moved_house", "Paused", "the daemon was off"] {
            assert_eq!((Reason::parse(word), in_words(word)), (None, word));
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
