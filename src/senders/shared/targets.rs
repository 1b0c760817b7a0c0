//! What several senders ask of the form of their targets.

use crate::domain::{Target, WrongTarget};

/// A number as programs write it, where people wrote it with spaces, a typographer's minus or wide digits; with a slash
/// between two of them. Nothing where there is anything else.
pub(crate) fn plain_number(id: &str) -> Option<String> {
    let mut plain = String::new();
    for c in id.chars().filter(|c| !c.is_whitespace()) {
        plain.push(match c {
            '0'..='9' | '-' | '/' => c,
            '\u{2010}'..='\u{2014}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => '-',
            '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c) - 0xff10, 10)?,
            _ => return None,
        });
    }
    plain.contains(|c: char| c.is_ascii_digit()).then_some(plain)
}

/// For senders whose ids are mostly numbers: refuses what is a number to people and none to programs. Other ids are the
/// platform's to judge.
///
/// # Errors
/// What it should be.
pub(crate) fn no_number_for_people(target: &Target) -> Result<(), WrongTarget> {
    match plain_number(target.id()) {
        Some(plain) if plain != target.id() => Err(WrongTarget {
            problem: "is no number",
            expected: "digits without spaces or other signs",
            meant: Some(plain),
            is_secret: false,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_only_people_read_are_refused_with_the_plain_one() {
        let judge =
            |id: &str| no_number_for_people(&Target::Group(id.to_owned())).map_err(|wrong| wrong.meant.unwrap());
        for id in ["123456", "-5", "abc", "a group of 5", "A1B2-C3", "12 34 b"] {
            assert_eq!(judge(id), Ok(()), "{id}");
        }
        assert_eq!(judge("123 456"), Err("123456".to_owned()));
        assert_eq!(judge("１２３"), Err("123".to_owned()));
        assert_eq!(judge("123\u{a0}456\u{3000}7"), Err("1234567".to_owned()));
    }
}
