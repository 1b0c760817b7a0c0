//! What the answer of a source means for the pushes that wait for it.

use serde_json::Value;

use crate::domain::{Body, PushSpec};
use crate::domain::{ContentFormat, ContentFrom, ContentOutcome, Reason, WhenEmpty, WhenUnchanged, is_blank};

/// A program that ends with this asks to be asked again.
const AGAIN: i32 = 75;
/// And with this it has nothing to say.
const NOTHING: i32 = 99;

/// What a source answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Content(String),
    Nothing,
    /// Why there is no content.
    Failed(String),
}

impl Answer {
    pub fn outcome(&self) -> ContentOutcome {
        match self {
            Answer::Content(_) => ContentOutcome::Made,
            Answer::Nothing => ContentOutcome::Empty,
            Answer::Failed(_) => ContentOutcome::Failed,
        }
    }
}

/// What a source said, before anybody has looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Bytes(Vec<u8>),
    Nothing,
    /// Why it said nothing.
    Failed(String),
}

/// What a program said that ended by itself. `how` is how it ended, in words.
pub fn of_program(code: Option<i32>, output: Vec<u8>, how: impl FnOnce() -> String) -> Said {
    match code {
        Some(0) => Said::Bytes(output),
        Some(NOTHING) => Said::Nothing,
        Some(AGAIN) => Said::Failed(format!("{} (75: try again)", how())),
        _ => Said::Failed(how()),
    }
}

/// What was said, as a content.
pub fn answer(said: Said, format: ContentFormat) -> Answer {
    match (said, format) {
        (Said::Nothing, _) => Answer::Nothing,
        (Said::Failed(problem), _) => Answer::Failed(problem),
        (Said::Bytes(bytes), ContentFormat::Text) => of_bytes(bytes),
        (Said::Bytes(bytes), ContentFormat::Json) => match of_bytes(bytes) {
            Answer::Content(text) => match serde_json::from_str(&text) {
                Ok(Value::Null) => Answer::Nothing,
                Ok(_) => Answer::Content(text),
                Err(problem) => Answer::Failed(format!("its content is no JSON: {problem}")),
            },
            other => other,
        },
    }
}

/// Text, or nothing. Line ends at its end are the program's way to end, and not of the content.
fn of_bytes(bytes: Vec<u8>) -> Answer {
    match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => {
            Answer::Failed("its content holds a NUL character, which no text can".into())
        }
        Ok(text) => match text.strip_prefix('\u{feff}').unwrap_or(&text) {
            blank if is_blank(blank) => Answer::Nothing,
            text => Answer::Content(text.trim_end_matches(['\n', '\r']).to_owned()),
        },
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Answer::Failed(format!("its content is not UTF-8, from byte {at} on"))
        }
    }
}

/// Whether a source that failed so often is asked again.
pub fn asks_again(content: &ContentFrom, failed: u32) -> bool {
    failed < content.attempts
}

/// What becomes of the pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Send { unless_unchanged: bool },
    Cancel(Reason),
    Fail(Reason),
}

pub fn verdict(content: &ContentFrom, answer: &Answer) -> Verdict {
    match (answer, content.empty) {
        (Answer::Content(_), _) => Verdict::Send { unless_unchanged: content.unchanged == WhenUnchanged::Skip },
        (Answer::Nothing, WhenEmpty::Skip) => Verdict::Cancel(Reason::ContentEmpty),
        (Answer::Nothing, WhenEmpty::Fail) => Verdict::Fail(Reason::ContentEmpty),
        (Answer::Nothing, WhenEmpty::Send) => Verdict::Send { unless_unchanged: false },
        (Answer::Failed(_), _) => Verdict::Fail(Reason::Content),
    }
}

/// Whether a push has no content of its own, so that what is made becomes its text.
pub fn takes_content(push: &PushSpec) -> bool {
    matches!(&push.message.body, Body::Text { text } if text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ContentSource;
    use crate::domain::content::ContentFile;

    fn content() -> ContentFrom {
        let file = ContentFile { path: "/a".into(), max_age_ms: None };
        ContentFrom::new(ContentSource::File(file))
    }

    #[test]
    fn how_a_program_ends_decides_what_its_output_is_worth() {
        let said = || "it ended".to_owned();
        let of = |code, output: &[u8]| answer(of_program(code, output.to_vec(), said), ContentFormat::Text);
        assert_eq!(of(Some(0), b"a\nb\r\n\n"), Answer::Content("a\nb".to_owned()));
        assert_eq!(of(Some(0), "\u{feff}天气".as_bytes()), Answer::Content("天气".to_owned()));
        assert_eq!(of(Some(0), b" \n"), Answer::Nothing);
        assert_eq!(of(Some(99), b"whatever"), Answer::Nothing);
        assert_eq!(of(Some(75), b"half"), Answer::Failed("it ended (75: try again)".to_owned()));
        assert_eq!(of(Some(1), b"half"), Answer::Failed("it ended".to_owned()));
        assert_eq!(of(None, b"killed"), Answer::Failed("it ended".to_owned()));
        assert!(matches!(of(Some(0), b"\xc4\xe3\xba\xc3"), Answer::Failed(why) if why.contains("from byte 0")));
        assert!(matches!(of(Some(0), b"a\0b"), Answer::Failed(why) if why.contains("NUL")));
    }

    #[test]
    fn a_source_that_fails_is_tried_again_only_so_often() {
        assert!(asks_again(&content(), 1) && !asks_again(&content(), 2));
    }

    #[test]
    fn json_is_looked_at_before_it_is_taken() {
        let of = |text: &str| answer(Said::Bytes(text.as_bytes().to_vec()), ContentFormat::Json);
        assert_eq!(of("{\"total\": 3}\n"), Answer::Content("{\"total\": 3}".to_owned()));
        assert_eq!((of("null\n"), of(" \n")), (Answer::Nothing, Answer::Nothing));
        assert!(matches!(of("{total: 3}"), Answer::Failed(why) if why.contains("no JSON")));
    }

    #[test]
    fn every_answer_has_its_verdict() {
        use WhenEmpty::{Fail, Send, Skip};
        let of = |answer: &Answer, empty| verdict(&ContentFrom { empty, ..content() }, answer);
        for empty in [Skip, Fail, Send] {
            assert_eq!(of(&Answer::Content("a".into()), empty), Verdict::Send { unless_unchanged: false });
            assert_eq!(of(&Answer::Failed("a".into()), empty), Verdict::Fail(Reason::Content));
        }
        assert_eq!(of(&Answer::Nothing, Skip), Verdict::Cancel(Reason::ContentEmpty));
        assert_eq!(of(&Answer::Nothing, Fail), Verdict::Fail(Reason::ContentEmpty));
        assert_eq!(of(&Answer::Nothing, Send), Verdict::Send { unless_unchanged: false });
        let unchanged = ContentFrom { unchanged: WhenUnchanged::Skip, ..content() };
        assert_eq!(verdict(&unchanged, &Answer::Content("a".into())), Verdict::Send { unless_unchanged: true });
    }
}
