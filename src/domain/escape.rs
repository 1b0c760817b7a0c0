//! Foreign text (names, platform answers, message texts) made harmless for a terminal, a table or a log line.

use std::borrow::Cow;

/// `text` on one line, with every character escaped that could move a cursor, forge a second line or turn the
/// reading direction: `\n`, `\u{1b}`, `\u{202e}`. Borrows when there is nothing to escape, which is nearly always.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len() + 8), |mut line, c| {
        if is_harmful(c) {
            line.extend(c.escape_default())
        } else {
            line.push(c)
        }
        line
    }))
}

/// As [`escaped`], on the lines that the text has.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    let is_harmful = |c| c != '\n' && is_harmful(c);
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len() + 8), |mut lines, c| {
        if is_harmful(c) {
            lines.extend(c.escape_default())
        } else {
            lines.push(c)
        }
        lines
    }))
}

/// JSON text whose harmful characters are escaped as JSON does it: the same value, on the same lines. JSON itself lets
/// most of them stand.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    // Line breaks stand between values only.
    let is_harmful = |c| c != '\n' && is_harmful(c);
    if !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.chars().fold(String::with_capacity(json.len() + 8), |mut text, c| {
        if is_harmful(c) {
            // All harmful characters are in the basic plane: four digits are enough.
            text.push_str(&format!("\\u{:04x}", u32::from(c)))
        } else {
            text.push(c)
        }
        text
    }))
}

/// Whether it moves a cursor, ends a line or turns the reading direction.
pub fn is_harmful(c: char) -> bool {
    // Control characters; line and paragraph separators; the marks, embeddings, overrides and isolates of
    // bidirectional text. Joiners stay: emoji and several scripts are made with them.
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_is_escaped_and_letters_of_any_script_stay() {
        assert_eq!(escaped("a\nb\r\t\u{1b}[2J"), r"a\nb\r\t\u{1b}[2J");
        assert_eq!(escaped("\u{9b}31m\u{202e}txt\u{2028}\u{7f}"), r"\u{9b}31m\u{202e}txt\u{2028}\u{7f}");
        for text in ["日报 👨‍👩‍👧 é", "مرحبا", "plain \\n", ""] {
            assert!(matches!(escaped(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(escaped_lines("a\nb\r\u{202e}\n"), "a\nb\\r\\u{202e}\n");
        assert!(matches!(escaped_lines("a\nb 日报"), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let text = "a\n\u{1b}\u{7f}\u{9b}31m\u{202e}日👍\u{2028}";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let escaped = escaped_json(&json);
        assert_eq!(escaped, "[\n  \"a\\n\\u001b\\u007f\\u009b31m\\u202e日👍\\u2028\"\n]");
        assert_eq!(serde_json::from_str::<[String; 1]>(&escaped).unwrap(), [text]);
        assert!(matches!(escaped_json("[\n  1\n]"), Cow::Borrowed(_)));
    }
}
