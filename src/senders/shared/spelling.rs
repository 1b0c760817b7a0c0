//! Finds a text in whatever spelling a platform may write it: escapes of JSON and of C (`\/`, `\uXXXX`, `\xXX`, `\ooo`),
//! percent-encoding, HTML entities, one inside the other; hex; base64 of something that holds it, and base64 of that.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::domain::hex::hex;

/// One spelling inside another, such as percent-encoded JSON, is read so deep.
const DEPTH: usize = 4;
/// Shorter pieces of base64 stand in honest texts by chance.
const SHORTEST_CORE: usize = 8;
/// Shorter ones are not worth encoding once more.
const SHORTEST_INNER_CORE: usize = 6;

/// A text prepared for looking for it.
pub struct Sought {
    /// What it means, should it hold escapes itself.
    meant: String,
    cores: Vec<String>,
    /// The cores of its cores. There are many, and few texts are long enough to hold one.
    nested: OnceLock<Vec<String>>,
    hex: String,
}

impl Sought {
    pub fn new(text: &str) -> Sought {
        let meant = read(text).into_iter().map(|(letter, _)| letter).collect();
        Sought { meant, cores: cores(text), nested: OnceLock::new(), hex: hex(text.as_bytes()) }
    }

    /// Where it stands in another spelling than its own.
    pub fn find_in(&self, reading: &Reading<'_>) -> Vec<Range<usize>> {
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
        if reading.places.is_some() && !self.meant.is_empty() {
            look_for(&self.meant, &reading.text, |_| false);
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
        if reading.longest_hex >= self.hex.len() {
            look_for(&self.hex, reading.lower_case(), u8::is_ascii_hexdigit);
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

/// A text as something is looked for in it: as it stands, or as it reads once its escapes are taken for what they mean.
pub struct Reading<'t> {
    text: Cow<'t, str>,
    /// Where each letter begins, and where it is written in the text as it stands; None where that is this one.
    places: Option<Vec<(usize, Range<usize>)>>,
    /// How long the longest words are that base64 and hex may be. Most texts have none that could hold a secret.
    longest_base64: usize,
    longest_hex: usize,
    lower_case: OnceCell<String>,
}

impl<'t> Reading<'t> {
    /// All that a text may be read as.
    pub fn all_of(text: &'t str) -> Vec<Reading<'t>> {
        let mut all = vec![Reading::new(Cow::Borrowed(text), None)];
        if text.contains(['%', '\\', '&']) {
            let (mut meant, mut places) = (String::with_capacity(text.len()), Vec::with_capacity(text.len()));
            for (letter, place) in read(text) {
                places.push((meant.len(), place));
                meant.push(letter);
            }
            all.push(Reading::new(Cow::Owned(meant), Some(places)));
        }
        all
    }

    fn new(text: Cow<'t, str>, places: Option<Vec<(usize, Range<usize>)>>) -> Reading<'t> {
        let longest = |is_of_word: fn(&u8) -> bool| {
            text.as_bytes().split(|byte| !is_of_word(byte)).map(<[u8]>::len).max().unwrap_or_default()
        };
        let (longest_base64, longest_hex) = (longest(is_base64), longest(u8::is_ascii_hexdigit));
        Reading { text, places, longest_base64, longest_hex, lower_case: OnceCell::new() }
    }

    fn lower_case(&self) -> &str {
        self.lower_case.get_or_init(|| self.text.to_ascii_lowercase())
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

/// The letters that a text means, each with the place where it is written.
type Letters = Vec<(char, Range<usize>)>;

fn read(text: &str) -> Letters {
    let mut letters: Letters = text.char_indices().map(|(at, letter)| (letter, at..at + letter.len_utf8())).collect();
    for _ in 0..DEPTH {
        let before = letters.len();
        letters = once(&letters);
        if letters.len() == before {
            break;
        }
    }
    letters
}

/// Reads one layer of spelling.
fn once(letters: &[(char, Range<usize>)]) -> Letters {
    let mut read = Vec::with_capacity(letters.len());
    let mut at = 0;
    while let Some((letter, place)) = letters.get(at) {
        let meant = match letter {
            // The longest is `&thetasym;`; none of ours is longer.
            '%' | '\\' | '&' => escape(&letters[at..].iter().take(10).map(|(letter, _)| *letter).collect::<String>()),
            _ => None,
        };
        match meant {
            Some((meant, length)) => {
                let end = letters[at + length - 1].1.end;
                read.push((meant, place.start..end));
                at += length;
            }
            None => {
                read.push((*letter, place.clone()));
                at += 1;
            }
        }
    }
    read
}

/// The letter that an escape at the start of `text` means, and how many letters the escape has.
fn escape(text: &str) -> Option<(char, usize)> {
    let digits = |from: usize, to: usize, radix: u32| {
        let digits = text.get(from..to).filter(|digits| digits.chars().all(|digit| digit.is_digit(radix)))?;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    };
    let hex = |from, to| digits(from, to, 16);
    if text.starts_with('%') {
        return hex(1, 3).filter(char::is_ascii).map(|letter| (letter, 3));
    }
    if let Some(rest) = text.strip_prefix('\\') {
        return match rest.chars().next()? {
            'u' => hex(2, 6).map(|letter| (letter, 6)),
            'x' => hex(2, 4).map(|letter| (letter, 4)),
            letter @ ('/' | '\\' | '"' | '\'') => Some((letter, 2)),
            '0' | '1' => digits(1, 4, 8).map(|letter| (letter, 4)),
            _ => None,
        };
    }
    let name = text.strip_prefix('&')?.split_once(';')?.0;
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let meant = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => number(digits, 16)?,
            None => number(digits, 10)?,
        },
        None => match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "sol" => '/',
            "plus" => '+',
            "equals" => '=',
            "colon" => ':',
            "lowbar" => '_',
            _ => return None,
        },
    };
    Some((meant, name.len() + 2))
}
