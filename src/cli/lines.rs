//! Paragraphs in lines that a screen can take.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A paragraph in lines of at most `width` columns, broken between words; what stands between backticks is to be copied,
/// and stays on one line where it fits on any.
pub(super) fn wrapped(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(paragraph, width) {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => line.extend([" ", &word]),
            _ => lines.push(word),
        }
    }
    lines
}

/// As [`wrapped`], with words that fit on no line, as those of Chinese are, going on in the next one.
pub(super) fn filled(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in wrapped(paragraph, width) {
        lines.push(String::new());
        for grapheme in line.graphemes(true) {
            match lines.last_mut() {
                Some(last) if last.is_empty() || last.width() + grapheme.width() <= width => last.push_str(grapheme),
                _ => lines.push(grapheme.to_owned()),
            }
        }
    }
    lines
}

fn words(paragraph: &str, width: usize) -> Vec<String> {
    let is_open = |text: &str| text.matches('`').count() % 2 == 1;
    let mut words: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match words.last_mut() {
            Some(last) if is_open(last) && last.width() + 1 + word.width() <= width => last.extend([" ", word]),
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// As [`wrapped`], with so many blanks before every line but the first.
pub(super) fn hanging(paragraph: &str, width: usize, indent: usize) -> Vec<String> {
    // The first line has the room of the indent to spare, which is not worth a second rule.
    let mut lines = wrapped(paragraph, width.saturating_sub(indent).max(20));
    lines.iter_mut().skip(1).for_each(|line| line.insert_str(0, &" ".repeat(indent)));
    lines
}

/// As [`filled`], with so many blanks before every line but the first.
pub(super) fn hanging_filled(paragraph: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = filled(paragraph, width.saturating_sub(indent).max(20));
    lines.iter_mut().skip(1).for_each(|line| line.insert_str(0, &" ".repeat(indent)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_is_broken_between_words_and_what_is_to_be_copied_is_not() {
        let lines = wrapped("look at the chat, then `pushcron resolve 6 sent|failed`; that is all", 34);
        assert_eq!(lines, ["look at the chat, then", "`pushcron resolve 6 sent|failed`;", "that is all"]);
        // What fits on no line is broken all the same, and so is what only looks like a command.
        assert!(wrapped("`one two three four five` six seven", 12).iter().all(|line| line.width() <= 12));
        assert!(wrapped("it`s all one two three four five", 12).iter().all(|line| line.width() <= 12));
        assert_eq!(filled("发送失败：群聊不存在 (retcode 200)", 12), ["发送失败：群", "聊不存在", "(retcode", "200)"]);
        assert_eq!(hanging("one two three four five six", 22, 2), ["one two three four", "  five six"]);
    }
}
