//! What goes wrong with a push while somebody waits for it, in words, with what to do.

use crate::acts::PushUpdate;
use crate::answers::words::brief_ms;
use crate::domain::UtcMs;
use crate::texts::{self, Text};

/// `attempt 1 through bot_a: cannot connect: Connection refused (unreachable); the next one in 5.0s`.
pub(super) fn in_words(update: &PushUpdate, now: UtcMs) -> Text {
    match update {
        PushUpdate::Failed { attempt, next_attempt_at } => {
            let outcome = attempt.outcome.as_deref().unwrap_or_default();
            let error = attempt.error.clone().map_or_else(|| texts::reason_in_words(outcome), Text::same);
            let next = next_attempt_at.map(|at| texts::next_one_in(brief_ms(at.ms_since(now).max(0))));
            let advice = advice(outcome).map_or_else(Text::none, texts::and_do);
            let (next, outcome) = (next.unwrap_or_else(Text::none), texts::outcome(outcome));
            texts::attempt_failed(attempt.number, &attempt.account, error, outcome, next, advice)
        }
        PushUpdate::Waits { reason: word, down } => texts::it_waits(texts::reason_in_words(word), each_down(down)),
    }
}

/// `; bot_a: HTTP 403: …; what an account says now: \`pushcron accounts --probe\``.
pub(super) fn each_down(down: &[(String, Text)]) -> Text {
    if down.is_empty() {
        return Text::none();
    }
    let told = down.iter().map(|(account, error)| texts::and_account_says(account, error));
    Text::joined(told.chain([texts::mend_and_ask_again()]), &Text::none())
}

/// What a person can do about an outcome.
fn advice(outcome: &str) -> Option<Text> {
    match outcome {
        "unreachable" => Some(texts::does_the_client_run()),
        "account_down" => Some(texts::is_it_logged_in()),
        "unknown" => Some(texts::look_at_the_chat()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn who_waits_is_told_what_each_account_said_and_what_to_do() {
        let down = vec![("bot".to_owned(), Text::same("HTTP 403: token"))];
        let told = in_words(&PushUpdate::Waits { reason: "no_sender".to_owned(), down }, UtcMs(0));
        assert_eq!(
            told.english(),
            "it waits: no account could send; bot: HTTP 403: token; mend that, and ask again with `pushcron accounts --probe`"
        );
        assert_eq!(
            told.in_language(Language::Chinese),
            "等待中：没有账号可以发送；bot：HTTP 403: token；处理好之后，用 `pushcron accounts --probe` 再查一次"
        );
        assert!(each_down(&[]).is_empty());
    }
}
