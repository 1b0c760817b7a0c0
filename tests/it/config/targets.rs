//! Targets that no account of a push could ever write to, by the word of their senders.

use super::{loaded, refused};

/// Accounts of three ims: one of a sender that judges its targets, one of a sender that takes any, one of both.
const ACCOUNTS: &str = "accounts:
- {id: strict, im: strict, sender: wire, url: http://localhost}
- {id: easy, im: easy, sender: screen}
- {id: one, im: both, sender: wire, url: http://localhost}
- {id: other, im: both, sender: screen}
";

fn with_push(push: &str) -> String {
    format!("{ACCOUNTS}jobs:\n- {{name: j, every: 1m, push: {{{push}}}}}\n")
}

/// Of the quoted target, in the line that [`with_push`] makes of this.
fn column_in(push: &str) -> usize {
    "- {name: j, every: 1m, push: {".len() + push.find("'@").unwrap() + 1
}

#[test]
fn a_target_is_refused_where_it_stands_if_no_account_of_the_push_could_reach_it() {
    for push in [
        "im: strict, group: '@nobody', text: hi",
        "im: strict, text: hi, user: '@nobody'",
        "im: both, account: one, userID: '@nobody', text: hi",
        // What is wrong in other ways as well is told at once.
        "im: strict, group: '@nobody'",
        "im: strict, group: '@nobody', text: hi, timeout: soon",
    ] {
        let errors = refused(&with_push(push));
        let said = "'@nobody' is nobody's name: expected a name such as @somebody; write @somebody";
        let error =
            errors.errors.iter().find(|error| error.message.english() == said).unwrap_or_else(|| panic!("{errors}"));
        assert_eq!((error.line, error.column), (7, column_in(push)), "{push}");
        assert!(error.source.as_ref().unwrap().contains("@nobody"), "{errors}");
    }
    let report = "daemon: {on_failure: {push: {im: strict, group: '@nobody'}}}\n";
    assert_eq!(refused(&format!("{report}{ACCOUNTS}jobs: []\n")).errors[0].line, 1);
}

#[test]
fn what_one_of_the_accounts_might_reach_is_refused_to_nobody() {
    for push in [
        "im: strict, group: '@anybody', text: hi",
        "im: easy, group: '@nobody', text: hi",
        "im: both, group: '@nobody', text: hi",
        "im: both, account: other, group: '@nobody', text: hi",
    ] {
        assert_eq!(loaded(&with_push(push)).jobs.len(), 1, "{push}");
    }
}

#[test]
fn a_wrong_target_that_is_a_secret_or_comes_from_a_variable_is_not_shown() {
    let errors = refused(&with_push("im: strict, group: '@token', text: hi"));
    assert_eq!(errors.errors[0].message.english(), "the target looks like a token: expected a name such as @somebody");
    assert_eq!((errors.errors[0].line, errors.errors[0].column), (7, column_in("im: strict, group: '@token'")));
    assert!(!errors.to_string().contains("@token"), "{errors}");

    let text = with_push("im: strict, group: '${NOBODY}', text: hi");
    let said = "'${NOBODY}', with its variables replaced, is nobody's name: expected a name such as @somebody";
    assert_eq!(refused(&text).errors[0].message.english(), said);
    assert!(!refused(&text).to_string().contains("@nobody"));
}
