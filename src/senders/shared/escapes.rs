//! Takes escapes for what they mean, whoever writes them: JSON and C (`\/`, `\uXXXX`, `\xXX`, `\ooo`), percent-encoding
//! (`%XX`, the `%uXXXX` of old scripts), HTML entities. Letters beyond ASCII are written as their bytes of UTF-8 or as pairs
//! of UTF-16.

use std::ops::Range;
use std::slice;

/// What escapes begin with.
const KINDS: [char; 3] = ['%', '\\', '&'];
/// One spelling inside another, such as percent-encoded JSON, is read so deep.
const DEPTH: usize = 4;
/// Letters of the longest escape: four bytes in octal.
const LONGEST: usize = 16;

/// The letters that a text means, each with the place where it is written.
pub(super) type Letters = Vec<(char, Range<usize>)>;

/// A text, letter by letter, as it stands.
pub(super) fn plain(text: &str) -> Letters {
    text.char_indices().map(|(at, letter)| (letter, at..at + letter.len_utf8())).collect()
}

/// What a text means once one layer of spelling is taken off, once another one is, and so on: by one kind of escapes alone,
/// since what is spelled may hold another kind itself, and by all of them. Nothing where it has no escapes.
pub(super) fn layers(text: &str) -> Vec<Letters> {
    let kinds: Vec<char> = KINDS.into_iter().filter(|kind| text.contains(*kind)).collect();
    let alone = kinds.iter().filter(|_| kinds.len() > 1).flat_map(|kind| peeled(text, slice::from_ref(kind)));
    alone.chain(peeled(text, &kinds)).collect()
}

fn peeled(text: &str, kinds: &[char]) -> Vec<Letters> {
    let mut layers: Vec<Letters> = Vec::new();
    if kinds.is_empty() {
        return layers;
    }
    let mut letters = plain(text);
    for _ in 0..DEPTH {
        let below = once(&letters, kinds);
        if below.len() == letters.len() {
            break;
        }
        layers.push(below.clone());
        letters = below;
    }
    layers
}

/// Reads one layer of spelling.
fn once(letters: &[(char, Range<usize>)], kinds: &[char]) -> Letters {
    let mut read = Vec::with_capacity(letters.len());
    let mut at = 0;
    while let Some((letter, place)) = letters.get(at) {
        let meant = match letter {
            kind if kinds.contains(kind) => {
                escape(&letters[at..].iter().take(LONGEST).map(|(letter, _)| *letter).collect::<String>())
            }
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
    let mut letters = text.chars();
    match (letters.next()?, letters.next()?) {
        ('%', 'u') => utf16(text, "%u"),
        ('%', _) => bytes(text, |text| Some((number(text.strip_prefix('%')?, 2, 16)?, 3))),
        ('\\', 'u') => utf16(text, "\\u").or_else(|| {
            let (digits, _) = text.strip_prefix("\\u{")?.split_once('}')?;
            Some((letter(number(digits, digits.len(), 16)?)?, digits.len() + 4))
        }),
        ('\\', 'U') => Some((letter(number(text.get(2..)?, 8, 16)?)?, 10)),
        ('\\', 'x') => bytes(text, |text| Some((number(text.strip_prefix("\\x")?, 2, 16)?, 4))),
        ('\\', '0'..='3') => bytes(text, |text| Some((number(text.strip_prefix('\\')?, 3, 8)?, 4))),
        ('\\', 'n') => Some(('\n', 2)),
        ('\\', 'r') => Some(('\r', 2)),
        ('\\', 't') => Some(('\t', 2)),
        ('\\', letter @ ('/' | '\\' | '"' | '\'')) => Some((letter, 2)),
        ('&', _) => entity(text),
        _ => None,
    }
}

/// The number in the first `length` letters.
fn number(text: &str, length: usize, radix: u32) -> Option<u32> {
    let digits = text.get(..length).filter(|digits| digits.chars().all(|digit| digit.is_digit(radix)))?;
    u32::from_str_radix(digits, radix).ok()
}

fn letter(number: u32) -> Option<char> {
    char::from_u32(number)
}

/// A letter whose bytes have an escape each: of UTF-8, and of Latin-1 where they are not that.
fn bytes(text: &str, byte: impl Fn(&str) -> Option<(u32, usize)>) -> Option<(char, usize)> {
    let (mut bytes, mut read) = (Vec::with_capacity(4), 0);
    while bytes.len() < 4
        && let Some((number, length)) = byte(&text[read..])
    {
        bytes.push(u8::try_from(number).ok()?);
        read += length;
        if let Ok(letter) = std::str::from_utf8(&bytes) {
            return letter.chars().next().map(|letter| (letter, read));
        }
    }
    let first = *bytes.first()?;
    Some((char::from(first), read / bytes.len()))
}

/// A letter of four hexadecimal digits, or of two times four.
fn utf16(text: &str, prefix: &str) -> Option<(char, usize)> {
    let unit = |text: &str| number(text.strip_prefix(prefix)?, 4, 16);
    let first = unit(text)?;
    if let Some(letter) = letter(first) {
        return Some((letter, 6));
    }
    let units = [first, unit(text.get(6..)?)?].map(|unit| u16::try_from(unit).unwrap_or_default());
    let letter = char::decode_utf16(units).next()?.ok()?;
    Some((letter, 12))
}

fn entity(text: &str) -> Option<(char, usize)> {
    let name = text.strip_prefix('&')?.split_once(';')?.0;
    let meant = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => letter(number(digits, digits.len(), 16)?)?,
            None => letter(number(digits, digits.len(), 10)?)?,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(text: &str) -> String {
        layers(text).last().map_or(text.to_owned(), |letters| letters.iter().map(|(letter, _)| *letter).collect())
    }

    #[test]
    fn letters_of_any_script_are_read_in_every_spelling() {
        for said in [
            "日é🔑",
            "%E6%97%A5%C3%A9%F0%9F%94%91",
            "%e6%97%a5%c3%a9%f0%9f%94%91",
            "%25E6%2597%25A5é🔑",
            "%u65E5%u00e9%uD83D%uDD11",
            r"\u65e5\u00E9\ud83d\uDD11",
            r"\\u65e5\\u00E9\\ud83d\\uDD11",
            r"\u{65e5}\u{e9}\u{1f511}",
            r"\u65e5\xe9\U0001F511",
            r"\xe6\x97\xa5\xc3\xa9\xF0\x9F\x94\x91",
            r"\346\227\245\303\251\360\237\224\221",
            "&#26085;&#xe9;&#x1F511;",
        ] {
            assert_eq!(meant(said), "日é🔑", "{said}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for said in ["100%", "%z", "%E", "%u12", "\\", "\\q", "\\u12", "\\ud83d", "&;", "&no;", "日%日"] {
            assert_eq!(meant(said), said);
        }
        assert_eq!(meant("%FF%41"), "ÿA");
    }

    #[test]
    fn every_letter_knows_where_it_is_written() {
        let read = &layers("a%E6%97%A5b")[0];
        assert_eq!(read[..], [('a', 0..1), ('日', 1..10), ('b', 10..11)]);
    }
}
