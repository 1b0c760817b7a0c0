//! What one message may cost.

use std::io::{self, Write};

use minijinja::{Error, ErrorKind};

/// Steps of all templates of a message. What they make and go through is paid by the byte too, so that this bounds time
/// and memory: about a millisecond, and about 3 MB.
pub const FUEL: u64 = 50_000;
/// Bytes of a template.
pub const LONGEST_TEMPLATE: usize = 64 << 10;
/// Bytes from a `{{` or `{%` to its end: the engine works out a chain of constants anew for each of its links, seconds long
/// for one that fills a template.
pub(super) const LONGEST_TAG: usize = 4 << 10;
/// Bytes of all texts that a message comes to.
pub const LONGEST_RESULT: usize = 64 << 10;

/// What lies between `{{` or `{%` and its end, roughly: comments and raw text are read as well.
pub(super) fn tags(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = ["{{", "{%"].iter().filter_map(|sign| rest.find(sign)).min()?;
        let tag = &rest[start..];
        let end = end_of_tag(tag.as_bytes());
        rest = &tag[end..];
        Some(&tag[..end])
    })
}

/// Ends of tags in the quotes of a string do not count.
fn end_of_tag(tag: &[u8]) -> usize {
    let mut quote = None;
    let mut at = 2;
    while let Some(byte) = tag.get(at) {
        match (byte, quote) {
            (b'\\', Some(_)) => at += 1,
            (b'}', None) if matches!(tag[at - 1], b'}' | b'%') => return at + 1,
            (b'"' | b'\'', None) => quote = Some(*byte),
            (byte, Some(open)) if *byte == open => quote = None,
            _ => {}
        }
        at += 1;
    }
    tag.len()
}

/// What is left for the templates of a message.
pub(super) struct Budget {
    fuel: u64,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { fuel: FUEL, bytes: LONGEST_RESULT }
    }
}

impl Budget {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn pay(&mut self, fuel: u64, bytes: usize) -> Result<(), Error> {
        let left = self.fuel.checked_sub(fuel);
        self.fuel = left.ok_or_else(|| Error::new(ErrorKind::OutOfFuel, "all templates of the message together"))?;
        self.bytes = self.bytes.saturating_sub(bytes);
        Ok(())
    }
}

/// A result that is refused once it is too long.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    most: usize,
    is_full: bool,
}

impl Bounded {
    pub(super) fn new(most: usize) -> Bounded {
        Bounded { bytes: Vec::new(), most, is_full: false }
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.most {
            self.is_full = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
