//! `stale` and `stale_at_most`: what is taken where a source fails in the end.

use std::time::Duration;

use super::decoder::Decoder;
use super::keys::STALES;
use super::yaml::{At, Entry};
use crate::domain::ContentSource;
use crate::texts;

const LEAST: Duration = Duration::from_secs(1);

/// The two keys, before they are looked at together.
#[derive(Default)]
pub(super) struct Stale {
    is_taken: bool,
    at_most: Option<(Duration, At)>,
}

impl Decoder<'_> {
    pub(super) fn stale(&mut self, entry: &Entry, stale: &mut Stale) {
        let (key, value) = (&*entry.key, &entry.node);
        if key == "stale" {
            stale.is_taken = self.choice(key, value, &STALES).unwrap_or_default();
        } else {
            stale.at_most = self.duration_from(key, value, LEAST).map(|age| (age, entry.key_at));
        }
    }

    /// How old the last good answer may be that is taken; None where none is.
    pub(super) fn stale_at_most_ms(&mut self, stale: &Stale) -> Option<u64> {
        match stale.at_most {
            Some((_, at)) if !stale.is_taken => {
                self.error(at, texts::stale_at_most_alone()).hint(texts::write_stale());
                None
            }
            Some((age, _)) => u64::try_from(age.as_millis()).ok(),
            None => stale.is_taken.then_some(ContentSource::STALE_AT_MOST_MS),
        }
    }
}
