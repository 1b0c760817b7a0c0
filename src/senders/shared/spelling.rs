//! Finds a text in whatever spelling a platform may write it: its escapes (see `escapes`), one inside the other; `+` for a
//! space; hex; base64 of something that holds it, and base64 of that, broken into lines or not.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::escapes::{Letters, layers, plain};
use crate::domain::hex::hex;

/// Shorter texts are words that stand in honest answers as well, and hide nothing.
pub(super) const SHORTEST: usize = 6;
/// Shorter pieces of base64 stand in honest texts by chance. The shortest text has this much of its own, wherever it stands.
const SHORTEST_CORE: usize = 7;
/// Shorter ones are not worth encoding once more.
const SHORTEST_INNER_CORE: usize = 6;

/// A text prepared for looking for it.
pub(super) struct Sought {
    /// Itself; and what it means, should it hold escapes, layer by layer.
    forms: Vec<String>,
    /// Those with spaces, and a space for each `+` of theirs too.
    spaced: Vec<String>,
    cores: Vec<String>,
    /// The cores of its cores. There are many, and few texts are long enough to hold one.
    nested: OnceLock<Vec<String>>,
    hex: Vec<String>,
}

impl Sought {
    pub(super) fn new(text: &str) -> Sought {
        let meant = layers(text).into_iter().map(|letters| letters.into_iter().map(|(letter, _)| letter).collect());
        let forms: Vec<String> =
            [text.to_owned()].into_iter().chain(meant).filter(|form| form.len() >= SHORTEST).collect();
        let spaced = forms.iter().filter(|form| form.contains(' ')).map(|form| form.replace('+', " ")).collect();
        let cores = sorted(forms.iter().flat_map(|form| cores(form)).collect());
        let hex = forms.iter().map(|form| hex(form.as_bytes())).collect();
        Sought { forms, spaced, cores, nested: OnceLock::new(), hex }
    }

    /// Where it stands.
    pub(super) fn find_in(&self, reading: &Reading<'_>) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut look_for = |sought: &str, within: &str, is_of_word: fn(&u8) -> bool| {
            let mut done = 0;
            for (at, piece) in within.match_indices(sought) {
                // A word that holds it a thousand times is measured once.
                if at >= done {
                    let word = whole_word(within, at..at + piece.len(), is_of_word);
                    done = word.end;
                    found.push(reading.place(word));
                }
            }
        };
        for form in &self.forms {
            look_for(form, &reading.text, |_| false);
        }
        for form in &self.spaced {
            look_for(form, reading.spaced(), |_| false);
        }
        let fits = |core: &&String| (SHORTEST_CORE..=reading.longest_base64).contains(&core.len());
        for core in self.cores.iter().filter(fits) {
            look_for(core, &reading.text, is_base64);
        }
        // A core has four letters for three bytes, but for the one or two at its ends.
        if self.cores.first().is_some_and(|core| reading.longest_base64 >= core.len() * 4 / 3 - 4) {
            let nested = self.nested.get_or_init(|| nested(&self.cores));
            for core in nested.iter().filter(fits) {
                look_for(core, &reading.text, is_base64);
            }
        }
        for hex in self.hex.iter().filter(|hex| reading.longest_hex >= hex.len()) {
            look_for(hex, reading.lower_case(), u8::is_ascii_hexdigit);
        }
        found
    }
}

/// What stays the same of a text in base64, whatever stands before and behind it; the shortest first.
fn cores(text: &str) -> Vec<String> {
    let cores = (0..3).flat_map(|shift| {
        let padded = [&vec![0; shift], text.as_bytes()].concat();
        let (start, end) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
        [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)]
            .map(|base64| base64.get(start..end).unwrap_or_default().to_owned())
    });
    sorted(cores.filter(|core| core.len() >= SHORTEST_INNER_CORE).collect())
}

fn nested(inner: &[String]) -> Vec<String> {
    sorted(inner.iter().flat_map(|core| cores(core)).collect())
}

fn sorted(mut cores: Vec<String>) -> Vec<String> {
    cores.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    cores.dedup();
    cores
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte)
}

/// The word around a piece of it.
fn whole_word(text: &str, piece: Range<usize>, is_of_word: fn(&u8) -> bool) -> Range<usize> {
    let before = text.as_bytes()[..piece.start].iter().rev().take_while(|byte| is_of_word(byte)).count();
    let behind = text.as_bytes()[piece.end..].iter().take_while(|byte| is_of_word(byte)).count();
    piece.start - before..piece.end + behind
}

/// A text as something is looked for in it: as it stands, as it reads once escapes are taken for what they mean, and
/// either of them with broken words joined.
pub(super) struct Reading<'t> {
    text: Cow<'t, str>,
    /// Where each letter begins, and where it is written in the text as it stands; None where that is this one.
    places: Option<Vec<(usize, Range<usize>)>>,
    /// How long the longest words are that base64 and hex may be. Most texts have none that could hold a secret.
    longest_base64: usize,
    longest_hex: usize,
    lower_case: OnceCell<String>,
    spaced: OnceCell<String>,
}

impl<'t> Reading<'t> {
    /// All that a text may be read as.
    pub(super) fn all_of(text: &'t str) -> Vec<Reading<'t>> {
        let mut all = vec![Reading::new(Cow::Borrowed(text), None)];
        let layers = layers(text);
        if is_broken(text) {
            all.push(Reading::of(joined(&plain(text))));
        }
        for letters in layers {
            let reading = Reading::of(letters.iter().cloned());
            if is_broken(&reading.text) {
                all.push(Reading::of(joined(&letters)));
            }
            all.push(reading);
        }
        all
    }

    fn of(letters: impl IntoIterator<Item = (char, Range<usize>)>) -> Reading<'t> {
        let (mut text, mut places) = (String::new(), Vec::new());
        for (letter, place) in letters {
            places.push((text.len(), place));
            text.push(letter);
        }
        Reading::new(Cow::Owned(text), Some(places))
    }

    fn new(text: Cow<'t, str>, places: Option<Vec<(usize, Range<usize>)>>) -> Reading<'t> {
        let longest = |is_of_word: fn(&u8) -> bool| {
            text.as_bytes().split(|byte| !is_of_word(byte)).map(<[u8]>::len).max().unwrap_or_default()
        };
        let (longest_base64, longest_hex) = (longest(is_base64), longest(u8::is_ascii_hexdigit));
        Reading { text, places, longest_base64, longest_hex, lower_case: OnceCell::new(), spaced: OnceCell::new() }
    }

    fn lower_case(&self) -> &str {
        self.lower_case.get_or_init(|| self.text.to_ascii_lowercase())
    }

    /// As forms write it: `+` for a space.
    fn spaced(&self) -> &str {
        self.spaced.get_or_init(|| self.text.replace('+', " "))
    }

    /// Where a stretch of this reading is written.
    fn place(&self, stretch: Range<usize>) -> Range<usize> {
        let Some(places) = &self.places else { return stretch };
        let written = |at: usize| {
            let index = places.partition_point(|(begin, _)| *begin <= at).saturating_sub(1);
            places.get(index).map_or(0..0, |(_, place)| place.clone())
        };
        written(stretch.start).start..written(stretch.end - 1).end
    }
}

/// Whether a line may end within a word of base64 or hex.
fn is_broken(text: &str) -> bool {
    let mut before = "";
    text.split(['\r', '\n']).map(|line| line.trim_matches(is_blank)).filter(|line| !line.is_empty()).any(|line| {
        let ends = before.bytes().next_back().is_some_and(|byte| is_base64(&byte));
        before = line;
        ends && line.bytes().next().is_some_and(|byte| is_base64(&byte))
    })
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t')
}

/// The letters without the breaks of lines and the blanks around them. An empty line parts what it stands between.
fn joined(letters: &[(char, Range<usize>)]) -> Letters {
    let mut kept = Letters::with_capacity(letters.len());
    let mut breaks = 0;
    for (index, (letter, place)) in letters.iter().enumerate() {
        let is_one_break_with_the_next =
            *letter == '\r' && letters.get(index + 1).is_some_and(|(next, _)| *next == '\n');
        match letter {
            '\r' | '\n' if is_one_break_with_the_next => {}
            '\r' | '\n' => {
                while kept.last().is_some_and(|(letter, _)| is_blank(*letter)) {
                    kept.pop();
                }
                breaks += 1;
                if breaks == 2 {
                    kept.push(('\n', place.clone()));
                }
            }
            letter if breaks > 0 && is_blank(*letter) => {}
            letter => {
                breaks = 0;
                kept.push((*letter, place.clone()));
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests;
