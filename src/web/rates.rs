//! How often somebody may ask: a bucket of tokens for each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::Moment;

/// More are known than there can be honest ones; the fullest is forgotten, which had all it may have anyway.
const MOST: usize = 4096;

/// So many at once, and so many more in each span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub burst: f64,
    pub per: Duration,
}

impl Rate {
    pub(super) const fn per_second(number: u32) -> Rate {
        Rate { burst: number as f64, per: Duration::from_secs(1) }
    }

    pub(super) const fn per_minute(number: u32) -> Rate {
        Rate { burst: number as f64, per: Duration::from_secs(60) }
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Moment,
}

/// The buckets, by whose they are.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<String, Bucket>>);

impl Rates {
    /// Takes one.
    ///
    /// # Errors
    ///
    /// In how many seconds there is one again.
    pub(super) fn take(&self, whose: &str, rate: Rate, now: Moment) -> Result<(), u64> {
        self.change(whose, rate, now, 1.0)
    }

    /// Whether there is one, and takes none.
    ///
    /// # Errors
    ///
    /// In how many seconds there is one again.
    pub(super) fn look(&self, whose: &str, rate: Rate, now: Moment) -> Result<(), u64> {
        self.change(whose, rate, now, 0.0)
    }

    fn change(&self, whose: &str, rate: Rate, now: Moment, takes: f64) -> Result<(), u64> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let a_second = rate.burst / rate.per.as_secs_f64();
        let found = buckets.get(whose).copied().unwrap_or(Bucket { left: rate.burst, at: now });
        let left = (found.left + now.since(found.at).as_secs_f64() * a_second).min(rate.burst);
        if left < 1.0 {
            return Err(((1.0 - left) / a_second).ceil() as u64);
        }
        if takes > 0.0 {
            if buckets.len() >= MOST && !buckets.contains_key(whose) {
                let fullest = buckets.iter().max_by(|a, b| a.1.left.total_cmp(&b.1.left)).map(|(name, _)| name.clone());
                fullest.map(|name| buckets.remove(&name));
            }
            buckets.insert(whose.to_owned(), Bucket { left: left - takes, at: now });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_full_at_first_and_fills_again_with_time() {
        let (rates, rate) = (Rates::default(), Rate::per_minute(2));
        let at = |seconds: u64| Moment(Duration::from_secs(seconds));
        assert_eq!(rates.take("a", rate, at(0)), Ok(()));
        assert_eq!(rates.take("a", rate, at(0)), Ok(()));
        assert_eq!(rates.take("a", rate, at(0)), Err(30));
        assert_eq!(rates.take("b", rate, at(0)), Ok(()), "another one's is full");
        assert_eq!(rates.look("a", rate, at(30)), Ok(()));
        assert_eq!(rates.take("a", rate, at(30)), Ok(()));
        assert_eq!(rates.take("a", rate, at(31)), Err(29));
    }

    #[test]
    fn buckets_do_not_heap_up() {
        let rates = Rates::default();
        for number in 0..2 * MOST {
            rates.take(&number.to_string(), Rate::per_minute(5), Moment(Duration::ZERO)).unwrap();
        }
        assert_eq!(rates.0.lock().unwrap().len(), MOST);
    }
}
