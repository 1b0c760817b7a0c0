//! Splitting a text that is longer than a platform takes.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// How much text one message holds, in the unit that the platform counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Chars(usize),
    /// UTF-16 code units, as Telegram counts.
    Utf16(usize),
    /// Bytes of UTF-8, as WeCom counts.
    Bytes(usize),
}

impl Limit {
    /// Whether `text` needs no split.
    pub(crate) fn fits(self, text: &str) -> bool {
        self.measure(text) <= self.max()
    }

    fn max(self) -> usize {
        match self {
            Limit::Chars(max) | Limit::Utf16(max) | Limit::Bytes(max) => max,
        }
    }

    fn cost(self, c: char) -> usize {
        match self {
            Limit::Chars(_) => 1,
            Limit::Utf16(_) => c.len_utf16(),
            Limit::Bytes(_) => c.len_utf8(),
        }
    }

    /// The length of `text` in this limit's unit.
    pub(crate) fn measure(self, text: &str) -> usize {
        text.chars().map(|c| self.cost(c)).sum()
    }
}

/// The parts of `text` in order, each within `limit`, whole where it fits.
///
/// A part ends at a line's end if that leaves it at least half full, else between words or after Chinese
/// punctuation, else anywhere between two characters as people see them; a family emoji or an accented letter stays
/// whole. The white space at a cut is dropped, and so are parts of nothing else.
pub(crate) fn split(text: &str, limit: Limit) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let fits = longest_prefix(rest, limit);
        if fits == rest.len() {
            parts.push(rest);
            break;
        }
        let cut = best_cut(rest, fits);
        parts.push(rest[..cut].trim_end());
        rest = after_cut(&rest[cut..]);
    }
    if parts.len() > 1 {
        // Nothing but white space may get lost between two parts, not even a joiner that a cut left alone.
        parts.retain(|part| !part.chars().all(char::is_whitespace));
    }
    parts
}

/// The length in bytes of the longest start of `text` within `limit`: one char at least, so that splitting ends.
fn longest_prefix(text: &str, limit: Limit) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += limit.cost(c);
        if used > limit.max() && at > 0 {
            return at;
        }
    }
    text.len()
}

/// Where to cut `text` at `fits` bytes or before.
fn best_cut(text: &str, fits: usize) -> usize {
    let late_enough = |cut: &usize| *cut > fits / 2 && is_grapheme_boundary(text, *cut);
    // The line end or blank that follows at once is a good cut too: it will be dropped.
    let window = &text[..fits + text[fits..].chars().next().map_or(0, char::len_utf8)];
    let line_end = || window.rfind('\n').filter(late_enough);
    let gap = || {
        let (at, c) = window.char_indices().rfind(|(_, c)| c.is_whitespace() || "。！？；，、：…".contains(*c))?;
        let cut = if c.is_whitespace() { at } else { at + c.len_utf8() };
        Some(cut).filter(|cut| *cut <= fits).filter(late_enough)
    };
    let word =
        || text.split_word_bound_indices().map(|(at, _)| at).take_while(|at| *at <= fits).last().filter(late_enough);
    line_end().or_else(gap).or_else(word).unwrap_or_else(|| grapheme_cut(text, fits))
}

fn is_grapheme_boundary(text: &str, at: usize) -> bool {
    // With the whole text at hand the cursor never asks for more context.
    GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or(false)
}

/// The last boundary between graphemes at `fits` or before; `fits` itself inside a grapheme longer than the limit.
fn grapheme_cut(text: &str, fits: usize) -> usize {
    if is_grapheme_boundary(text, fits) {
        return fits;
    }
    match GraphemeCursor::new(fits, text.len(), true).prev_boundary(text, 0) {
        Ok(Some(cut)) if cut > 0 => cut,
        _ => fits,
    }
}

/// What remains after a cut, without the rest of the line that it ended or the blanks between two words. The
/// indentation of a new line stays.
fn after_cut(rest: &str) -> &str {
    // Whole graphemes, since a blank can carry an accent.
    let blanks: usize = rest.graphemes(true).take_while(|g| matches!(*g, " " | "\t" | "\r")).map(str::len).sum();
    let rest = &rest[blanks..];
    rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_where_a_reader_would_pause() {
        let rows: &[(&str, Limit, &[&str])] = &[
            ("short", Limit::Chars(5), &["short"]),
            ("", Limit::Chars(5), &[""]),
            ("one two three", Limit::Chars(8), &["one two", "three"]),
            ("one two three", Limit::Chars(7), &["one two", "three"]),
            ("line one\n  line two", Limit::Chars(12), &["line one", "  line two"]),
            ("line one\nline two", Limit::Chars(8), &["line one", "line two"]),
            ("今天很好。明天也好", Limit::Chars(6), &["今天很好。", "明天也好"]),
            ("abcdefgh", Limit::Chars(3), &["abc", "def", "gh"]),
            ("e\u{301}e\u{301}e\u{301}", Limit::Chars(3), &["e\u{301}", "e\u{301}", "e\u{301}"]),
            ("👨‍👩‍👧👨‍👩‍👧", Limit::Utf16(9), &["👨‍👩‍👧", "👨‍👩‍👧"]),
            ("😀😀", Limit::Utf16(3), &["😀", "😀"]),
            ("报表", Limit::Bytes(5), &["报", "表"]),
            ("a\r\nb", Limit::Chars(1), &["a", "b"]),
            ("a\n\n\n\nb", Limit::Chars(2), &["a", "b"]),
        ];
        for (text, limit, expected) in rows {
            assert_eq!(split(text, *limit), *expected, "{text:?} at {limit:?}");
        }
    }

    #[test]
    fn a_character_longer_than_the_limit_is_still_sent() {
        let stacked = format!("e{}", "\u{301}".repeat(10));
        assert_eq!(split(&stacked, Limit::Chars(4)).concat(), stacked);
    }

    proptest! {
        #[test]
        fn every_part_fits_and_only_white_space_is_lost(
            text in "([a-z]{1,9}|[ \t\r\n]|[一-丂]|。|😀|👨‍👩‍👧|🇨🇳|e\u{301}|한|\\PC){0,60}",
            max in 4usize..40,
            unit in 0..3,
        ) {
            let limit = [Limit::Chars(max), Limit::Utf16(max), Limit::Bytes(max)][unit as usize];
            let parts = split(&text, limit);
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&parts.concat()), letters(&text));
            for part in &parts {
                prop_assert!(limit.measure(part) <= max, "{:?}", part);
            }
            if text.graphemes(true).all(|grapheme| limit.measure(grapheme) <= max) {
                // A few scripts have letters that join the blank after them; dropping that blank is no harm.
                let ends = |(at, grapheme): (usize, &str)| [at, at + grapheme.trim_end().len(), at + grapheme.len()];
                let boundaries: Vec<usize> = text.grapheme_indices(true).flat_map(ends).chain([0]).collect();
                for part in parts {
                    let start = part.as_ptr() as usize - text.as_ptr() as usize;
                    prop_assert!(boundaries.contains(&start) && boundaries.contains(&(start + part.len())));
                }
            }
        }
    }
}
