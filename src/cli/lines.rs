//! Paragraphs in lines that a screen can take.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A paragraph in lines of at most `width` columns, broken between words; what stands between backticks is to be copied,
/// and stays on one line where it fits on any.
pub(super) fn wrapped(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(paragraph, |word, _| word.width() <= width) {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => line.extend([" ", &word]),
            _ => lines.push(word),
        }
    }
    lines
}

/// As [`wrapped`], for what may be Chinese, which has no blanks: long words go on in the next line, after a sign that may end
/// one where there is such a sign.
pub(super) fn filled(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(paragraph, |_, copied| copied.width() <= width) {
        let mut gap = if lines.last().is_some_and(String::is_empty) { "" } else { " " };
        // A short word is a name, and stays in one piece.
        let pieces = if word.width() > width / 4 { pieces(&word) } else { vec![&*word] };
        for piece in pieces {
            for part in parts(piece, width) {
                match lines.last_mut() {
                    Some(last) if last.width() + gap.len() + part.width() <= width => last.extend([gap, part]),
                    _ => lines.push(part.to_owned()),
                }
                gap = "";
            }
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Where a line may end within a word: beside a sign of Chinese, but not before what closes or behind what opens, and not
/// within what is to be copied.
fn pieces(word: &str) -> Vec<&str> {
    const CLOSES: &str = "，。；：！？、）》」』】…—'\")]";
    const OPENS: &str = "（《「『【'\"([";
    let is_wide = |grapheme: &str| grapheme.width() == 2;
    let (mut pieces, mut from, mut is_open, mut before) = (Vec::new(), 0, false, "");
    for (at, grapheme) in word.grapheme_indices(true) {
        let may_end = !is_open
            && at > 0
            && (is_wide(before) || is_wide(grapheme))
            && !CLOSES.contains(grapheme)
            && !OPENS.contains(before);
        if may_end {
            pieces.push(&word[from..at]);
            from = at;
        }
        is_open ^= grapheme == "`";
        before = grapheme;
    }
    pieces.push(&word[from..]);
    pieces
}

/// A piece that fits on no line, in parts that do.
fn parts(piece: &str, width: usize) -> Vec<&str> {
    if piece.width() <= width {
        return vec![piece];
    }
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, grapheme) in piece.grapheme_indices(true) {
        if at > from && piece[from..at].width() + grapheme.width() > width {
            parts.push(&piece[from..at]);
            from = at;
        }
    }
    parts.push(&piece[from..]);
    parts
}

/// Words, and what stands between backticks as a part of one where it `fits`: as that word, and as what is to be copied of it.
fn words(paragraph: &str, fits: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        let open = words.last().filter(|last| last.matches('`').count() % 2 == 1).and_then(|last| last.rfind('`'));
        let joined = open.zip(words.last()).map(|(from, last)| (from, format!("{last} {word}")));
        let copied =
            |from: usize, joined: &str| joined[from + 1..].find('`').map_or(joined.len(), |len| from + len + 2);
        match (joined.filter(|(from, joined)| fits(joined, &joined[*from..copied(*from, joined)])), words.last_mut()) {
            (Some((_, joined)), Some(last)) => *last = joined,
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
        let told = "未运行；启动：`systemctl start pushcron`，或 `pushcron run`";
        assert_eq!(filled(told, 30), ["未运行；启动：", "`systemctl start pushcron`，或", "`pushcron run`"]);
        assert_eq!(filled("（甲乙）、丙丁戊己，", 7), ["（甲", "乙）、", "丙丁戊", "己，"]);
        assert_eq!(filled("job 早报 was due", 12), ["job 早报 was", "due"]);
        assert_eq!(hanging("one two three four five six", 22, 2), ["one two three four", "  five six"]);
    }
}
