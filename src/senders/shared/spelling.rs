//! Finds a text in whatever spelling a platform may write it: `\/` and `\uXXXX` of JSON, percent-encoding, HTML
//! entities, one inside the other, and base64 of something that holds it.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// One spelling inside another, such as percent-encoded JSON, is read so deep.
const DEPTH: usize = 4;
/// Shorter pieces of base64 stand in honest texts by chance.
const SHORTEST_CORE: usize = 8;

/// A text prepared for looking for it.
#[derive(Clone)]
pub struct Sought {
    letters: Vec<char>,
    /// What stays the same in base64, whatever stands before and behind it.
    cores: Vec<String>,
}

impl Sought {
    pub fn new(text: &str) -> Sought {
        let letters = Spelled::read(text).letters.into_iter().map(|(letter, _)| letter).collect();
        let cores = (0..3).flat_map(|shift| {
            let padded = [&vec![0; shift], text.as_bytes()].concat();
            let (start, end) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
            [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)]
                .map(|base64| base64.get(start..end).unwrap_or_default().to_owned())
        });
        let mut cores: Vec<String> = cores.filter(|core| core.len() >= SHORTEST_CORE).collect();
        cores.sort();
        cores.dedup();
        Sought { letters, cores }
    }

    /// Where it stands in `text` in another spelling than its own.
    pub fn find_in(&self, text: &str, spelled: Option<&Spelled>) -> Vec<Range<usize>> {
        let in_base64 = self.cores.iter().flat_map(|core| text.match_indices(core.as_str()));
        let mut found: Vec<Range<usize>> = in_base64.map(|(at, core)| whole_word(text, at..at + core.len())).collect();
        if let Some(Spelled { letters }) = spelled
            && !self.letters.is_empty()
        {
            let windows = letters.windows(self.letters.len());
            let same = windows.filter(|window| window.iter().map(|(letter, _)| letter).eq(&self.letters));
            found.extend(same.filter_map(|window| Some(window.first()?.1.start..window.last()?.1.end)));
        }
        found
    }
}

/// The base64 around a piece of it.
fn whole_word(text: &str, piece: Range<usize>) -> Range<usize> {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
    let before = text.as_bytes()[..piece.start].iter().rev().take_while(|byte| is_base64(byte)).count();
    let behind = text.as_bytes()[piece.end..].iter().take_while(|byte| is_base64(byte)).count();
    piece.start - before..piece.end + behind
}

/// The letters that a text means, each with the place where it is written.
pub struct Spelled {
    letters: Vec<(char, Range<usize>)>,
}

impl Spelled {
    /// None where nothing is written otherwise than it means.
    pub fn of(text: &str) -> Option<Spelled> {
        text.contains(['%', '\\', '&']).then(|| Spelled::read(text))
    }

    fn read(text: &str) -> Spelled {
        let mut letters: Vec<(char, Range<usize>)> =
            text.char_indices().map(|(at, letter)| (letter, at..at + letter.len_utf8())).collect();
        for _ in 0..DEPTH {
            let before = letters.len();
            letters = once(&letters);
            if letters.len() == before {
                break;
            }
        }
        Spelled { letters }
    }
}

/// Reads one layer of spelling.
fn once(letters: &[(char, Range<usize>)]) -> Vec<(char, Range<usize>)> {
    let mut read = Vec::with_capacity(letters.len());
    let mut at = 0;
    while let Some((letter, place)) = letters.get(at) {
        // The longest is `&thetasym;`; none of ours is longer.
        let ahead: String = letters[at..].iter().take(10).map(|(letter, _)| *letter).collect();
        match escape(&ahead) {
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
    let hex = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        char::from_u32(u32::from_str_radix(digits, 16).ok()?)
    };
    if text.starts_with('%') {
        return hex(1, 3).filter(char::is_ascii).map(|letter| (letter, 3));
    }
    if let Some(rest) = text.strip_prefix('\\') {
        return match rest.chars().next()? {
            'u' => hex(2, 6).map(|letter| (letter, 6)),
            'x' => hex(2, 4).map(|letter| (letter, 4)),
            letter @ ('/' | '\\' | '"' | '\'') => Some((letter, 2)),
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
