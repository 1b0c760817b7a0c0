//! What goes wrong with a push while somebody waits for it, in words, with what to do.

use crate::acts::News;
use crate::answers::words::brief_ms;
use crate::domain::{UtcMs, reason};

/// `attempt 1 through bot_a: cannot connect: Connection refused (unreachable); the next one in 5.0s`.
pub(super) fn in_words(news: &News, now: UtcMs) -> String {
    match news {
        News::Failed { attempt, next_attempt_at } => {
            let outcome = attempt.outcome.as_deref().unwrap_or_default();
            let error = attempt.error.as_deref().unwrap_or_else(|| reason::in_words(outcome));
            let next = next_attempt_at.map(|at| format!("; the next one in {}", brief_ms(at.ms_since(now).max(0))));
            let advice = advice(outcome).map(|advice| format!("; {advice}")).unwrap_or_default();
            let next = next.unwrap_or_default();
            format!("attempt {} through {}: {error} ({outcome}){next}{advice}", attempt.number, attempt.account)
        }
        News::Waits { reason: word, down } => {
            let down = each_down(down);
            format!("it waits: {}{down}", reason::in_words(word))
        }
    }
}

/// `; bot_a: HTTP 403: …; what an account says now: \`pushcron accounts --probe\``.
pub(super) fn each_down(down: &[(String, String)]) -> String {
    if down.is_empty() {
        return String::new();
    }
    let told: String = down.iter().map(|(account, error)| format!("; {account}: {error}")).collect();
    format!("{told}; mend that, and ask again with `pushcron accounts --probe`")
}

/// What a person can do about an outcome.
fn advice(outcome: &str) -> Option<&'static str> {
    match outcome {
        "unreachable" => Some("does the client of the platform run, and is the account's address right?"),
        "account_down" => Some("is the account logged in, and its token right? `pushcron accounts --probe` asks it"),
        "unknown" => Some("it may have arrived: look at the chat"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_what_each_account_said_and_what_to_do() {
        let down = vec![("bot".to_owned(), "HTTP 403: token".to_owned())];
        let told = in_words(&News::Waits { reason: "no_sender".to_owned(), down }, UtcMs(0));
        assert_eq!(
            told,
            "it waits: no account could send; bot: HTTP 403: token; mend that, and ask again with `pushcron accounts --probe`"
        );
        assert_eq!(each_down(&[]), "");
    }
}
