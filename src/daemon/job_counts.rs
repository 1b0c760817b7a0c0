//! How the pushes of single jobs ended. A name is a series for ever in whatever reads the numbers, so that only so many
//! jobs have one of their own.

use std::collections::{BTreeMap, HashSet};

/// Jobs with a name of their own. With five states each these are 500 series, which any Prometheus takes.
pub(super) const MOST: usize = 100;
/// All others together. No job can have this name.
pub(super) const OTHERS: &str = "/other";

/// Ends by job, each `N` counters.
pub(super) struct JobCounts<const N: usize> {
    named: BTreeMap<String, OfJob<N>>,
    others: [u64; N],
}

struct OfJob<const N: usize> {
    ends: [u64; N],
    is_configured: bool,
}

impl<const N: usize> Default for JobCounts<N> {
    fn default() -> JobCounts<N> {
        JobCounts { named: BTreeMap::new(), others: [0; N] }
    }
}

impl<const N: usize> JobCounts<N> {
    /// Where an end of this job is counted. A job that was added at run time gets a name while there is room.
    pub(super) fn of(&mut self, job: &str) -> &mut [u64; N] {
        if !self.named.contains_key(job) {
            if self.named.len() >= MOST {
                return &mut self.others;
            }
            self.named.insert(job.to_owned(), OfJob { ends: [0; N], is_configured: false });
        }
        self.named.get_mut(job).map_or(&mut self.others, |of| &mut of.ends)
    }

    /// These jobs stand in the files now, in this order: the first ones have a name, from zero on where they are new. Those
    /// that left the files have none any more, and those added at run time keep theirs where room is left.
    pub(super) fn configure<'a>(&mut self, jobs: impl IntoIterator<Item = &'a str>) {
        let wanted: HashSet<&str> = jobs.into_iter().take(MOST).collect();
        let mut room = MOST - wanted.len();
        self.named.retain(|name, of| {
            if wanted.contains(name.as_str()) {
                return true;
            }
            let stays = !of.is_configured && room > 0;
            room -= usize::from(stays);
            stays
        });
        for name in wanted {
            let of = self.named.entry(name.to_owned()).or_insert(OfJob { ends: [0; N], is_configured: true });
            of.is_configured = true;
        }
    }

    /// Every name with its counters, and the others at last.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &[u64; N])> {
        self.named.iter().map(|(name, of)| (name.as_str(), &of.ends)).chain([(OTHERS, &self.others)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(counts: &JobCounts<1>) -> Vec<&str> {
        counts.each().map(|(name, _)| name).collect()
    }

    fn many() -> Vec<String> {
        (0..=MOST).map(|number| format!("job {number:03}")).collect()
    }

    #[test]
    fn jobs_beyond_the_bound_are_counted_together_and_none_is_lost() {
        let mut counts = JobCounts::<1>::default();
        let many = many();
        for job in many.iter().chain(&many) {
            counts.of(job)[0] += 1;
        }
        assert_eq!(counts.each().count(), MOST + 1);
        assert_eq!(counts.each().map(|(_, ends)| ends[0]).sum::<u64>(), 2 * many.len() as u64);
        assert_eq!(counts.each().last(), Some((OTHERS, &[2])));
    }

    #[test]
    fn jobs_of_the_files_come_before_those_added_at_run_time() {
        let mut counts = JobCounts::<1>::default();
        let many = many();
        for reminder in &many {
            counts.of(reminder)[0] += 1;
        }
        counts.configure(["早报", "晚报"]);
        assert_eq!(names(&counts).len(), MOST + 1);
        assert_eq!(names(&counts)[MOST - 2..], ["早报", "晚报", OTHERS]);
        counts.configure(many.iter().map(String::as_str));
        assert!(!names(&counts).contains(&"早报"));
        assert!(!names(&counts).contains(&"job 100"), "the first of the files have a name");
    }

    #[test]
    fn a_job_begins_at_zero_keeps_its_count_over_a_reload_and_goes_with_its_file() {
        let mut counts = JobCounts::<1>::default();
        counts.configure(["a", "b"]);
        assert_eq!(counts.each().next(), Some(("a", &[0])));
        counts.of("a")[0] += 1;
        counts.of("added")[0] += 1;
        counts.configure(["a"]);
        assert_eq!(counts.each().collect::<Vec<_>>(), [("a", &[1]), ("added", &[1]), (OTHERS, &[0])]);
    }
}
