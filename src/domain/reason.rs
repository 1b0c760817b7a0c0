//! The words that fires, pushes and accounts keep as their reason, and what each says to a person.
//!
//! The database has the words, so that a query can go by them; people are told the sentences. Whoever makes up a new
//! word adds it here, which a test over the sources sees to.

/// Each word with its meaning, as a clause that may stand after a colon or in parentheses.
pub const REASONS: &[(&str, &str)] = &[
    // Why an instant did not fire.
    ("paused", "the job was paused"),
    ("disabled", "the job was disabled"),
    ("overlap", "a push of an older fire was still open (overlap: skip)"),
    ("dst_gap", "that time does not exist on that day (dst_gap: skip)"),
    ("definition_changed", "the definition changed before it was decided"),
    ("misfire_skip", "it was noticed too late (misfire policy: skip)"),
    ("misfire_window", "it was noticed too late, outside of the misfire window (misfire: within)"),
    (
        "misfire_latest",
        "it was noticed too late, and only the latest of the missed ones fires (misfire policy: latest)",
    ),
    ("misfire_cap", "it was noticed too late, and more were missed than may be caught up (misfire: max)"),
    ("definition_unreadable", "what the job pushes could not be read in the database"),
    ("restored", "the database was restored from a backup, and it may have been sent in between"),
    // Why one fired that was noticed late.
    ("caught_up", "it was noticed late and caught up on (misfire policy)"),
    // Why a push waits, or why nobody could send it.
    ("no_sender", "no account could send"),
    ("account_offline", "the account is offline"),
    ("account_not_sendable", "the account may not send now"),
    ("account_cooling_down", "the account is cooling down"),
    ("account_unknown", "the account is not in the files"),
    ("account_removed", "the account left the files before the send"),
    ("kind_not_supported", "no account's sender can carry this kind"),
    ("window_closed", "the platform lets the account write only after the contact has written"),
    ("rate_limit", "the account has used up the sends that its platform grants in this time"),
    ("sender_broken", "the sender broke down, which is a bug of pushcron"),
    ("not_noted", "the send could not be noted beforehand, so that it was put off"),
    ("not_begun", "pushcron ended before the send was begun"),
    ("stopped", "the daemon stopped"),
    // What the last attempt came to.
    ("sent", "the platform took it"),
    ("rejected", "the platform refuses this message"),
    ("target_gone", "the group or the person is not there, or not for this account"),
    ("account_down", "the account could not send"),
    ("throttled", "the platform asked to wait"),
    ("unreachable", "the platform was not reached"),
    ("unknown", "no answer came that says whether it arrived"),
    // Why it came to its end.
    ("attempts_exhausted", "every attempt that its policy allows was made (retry: max_attempts)"),
    ("too_late", "its time was over before it could be sent (retry: give_up_after)"),
    ("unreadable", "its row in the database cannot be read"),
    ("job_removed", "the job left the files"),
    ("replaced", "a newer fire took its place (overlap: replace)"),
];

/// What a reason says. What is no word of ours is a sentence already.
pub fn in_words(reason: &str) -> &str {
    REASONS.iter().find(|(word, _)| *word == reason).map_or(reason, |(_, words)| words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Lines that name reasons hold one of these.
    const MARKS: [&str; 8] = [
        "reason:",
        "reason =",
        ".failed(\"",
        "take_back",
        "Obstacle::",
        "plan_closing(",
        "=> \"misfire_",
        "Some(\"caught_up\"",
    ];

    fn sources(dir: &Path, lines: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() && name != "tests" && name != "cli" && name != "config" {
                sources(&entry, lines);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = std::fs::read_to_string(&entry).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                lines.extend(code.lines().filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned));
            }
        }
    }

    /// Words in quotes: `"too_late"` in Rust, `'replaced'` in SQL.
    fn words_of(line: &str) -> impl Iterator<Item = &str> {
        let is_word =
            |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let rust = line.split('"').skip(1).step_by(2);
        let sql = line.split("reason = '").skip(1).filter_map(|rest| rest.split('\'').next());
        rust.chain(sql).filter(is_word)
    }

    #[test]
    fn every_reason_that_the_code_gives_has_its_words() {
        let mut lines = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut lines);
        let used: BTreeSet<&str> = lines
            .iter()
            .filter(|line| MARKS.iter().any(|mark| line.contains(mark)) || line.contains("let reason = "))
            .flat_map(|line| words_of(line))
            .collect();
        // It does see them, in each of the ways in which they are given.
        let expected = ["paused", "misfire_latest", "no_sender", "window_closed", "sender_broken", "restored"];
        for word in expected.into_iter().chain(["unreadable", "attempts_exhausted", "replaced", "too_late"]) {
            assert!(used.contains(word), "{word} was not found among {used:?}");
        }
        let without: Vec<_> = used.iter().filter(|word| in_words(word) == **word).collect();
        assert!(without.is_empty(), "add to domain/reason.rs what these say: {without:?}");
    }

    #[test]
    fn what_attempts_come_to_has_its_words_and_no_word_has_two() {
        use crate::domain::Outcome;
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
            assert_ne!(in_words(outcome.as_str()), outcome.as_str());
        }
        let words: BTreeSet<_> = REASONS.iter().map(|(word, _)| word).collect();
        assert_eq!(words.len(), REASONS.len());
        assert_eq!(in_words("cancelled by hand"), "cancelled by hand");
    }
}
