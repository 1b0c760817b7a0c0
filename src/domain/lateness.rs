//! How late pushes began, in buckets.

/// Upper bounds of the buckets in milliseconds; what is later than the last is in a bucket of its own.
pub const LATE: [u64; 10] = [10, 50, 100, 500, 1_000, 5_000, 30_000, 60_000, 300_000, 3_600_000];

/// The bucket of a lateness.
pub fn late_bucket(ms: u64) -> usize {
    LATE.iter().position(|bound| ms <= *bound).unwrap_or(LATE.len())
}

/// How late first attempts were: how many in each bucket, and the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// By the bounds of [`LATE`], and those that were later than all of them.
    pub buckets: [u64; LATE.len() + 1],
    /// In milliseconds; None where no attempt began.
    pub most_ms: Option<u64>,
}

/// The bucket that a share of them came to: buckets do not tell more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AtMost {
    /// No later than this, in milliseconds.
    Ms(u64),
    /// Later than every bound.
    Later,
}

impl Lateness {
    pub fn merge(&mut self, other: &Lateness) {
        for (mine, more) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += more;
        }
        self.most_ms = self.most_ms.max(other.most_ms);
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// No later than which so many in a hundred were; None where there are none.
    pub fn percentile(&self, percent: u64) -> Option<AtMost> {
        let rank = (u128::from(self.count()) * u128::from(percent)).div_ceil(100).max(1);
        let mut below = 0_u128;
        for (index, count) in self.buckets.iter().enumerate() {
            below += u128::from(*count);
            if below >= rank {
                return Some(LATE.get(index).map_or(AtMost::Later, |bound| AtMost::Ms(*bound)));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all_ms: &[u64]) -> Lateness {
        let mut lateness = Lateness::default();
        for ms in all_ms {
            lateness.buckets[late_bucket(*ms)] += 1;
            lateness.most_ms = lateness.most_ms.max(Some(*ms));
        }
        lateness
    }

    #[test]
    fn a_percentile_is_the_bucket_that_the_share_came_to() {
        assert_eq!(of(&[]).percentile(50), None);
        assert_eq!(of(&[10]).percentile(99), Some(AtMost::Ms(10)));
        assert_eq!(of(&[11]).percentile(50), Some(AtMost::Ms(50)));
        let hundred: Vec<u64> = std::iter::repeat_n(7, 98).chain([900, 4_000_000]).collect();
        let late = of(&hundred);
        let told = [50, 98, 99, 100].map(|percent| late.percentile(percent).unwrap());
        assert_eq!(told, [AtMost::Ms(10), AtMost::Ms(10), AtMost::Ms(1000), AtMost::Later]);
        assert_eq!((late.count(), late.most_ms), (100, Some(4_000_000)));
        assert!(AtMost::Ms(3_600_000) < AtMost::Later);
    }

    #[test]
    fn two_hours_together_are_as_one() {
        let (mut first, second) = (of(&[1, 60_000]), of(&[70, 5]));
        first.merge(&second);
        assert_eq!(first, of(&[1, 60_000, 70, 5]));
        first.merge(&Lateness::default());
        assert_eq!(first.most_ms, Some(60_000));
    }
}
