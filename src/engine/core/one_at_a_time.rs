//! Jobs with `overlap: skip` or `replace` have one push at a time under way to each target: beside an older one a newer one
//! could arrive first, and the older one would then be the last word.

use std::sync::Arc;

use super::stable::{StableMap, stable_hash};
use crate::store::OpenPush;

/// A job, and one of its targets in an im.
type Key = (Arc<str>, u64);

/// Which push is under way, and which wait for its end.
#[derive(Default)]
pub(super) struct OneAtATime(StableMap<Key, (i64, Vec<i64>)>);

impl OneAtATime {
    /// Whether no other push of its job is under way to its target.
    pub(super) fn may_begin(&self, push: &OpenPush) -> bool {
        let under_way = key(push).and_then(|key| self.0.get(&key));
        under_way.is_none_or(|(id, _)| *id == push.id)
    }

    /// It is under way until its end is recorded, or it was taken back.
    pub(super) fn begin(&mut self, push: &OpenPush) {
        if let Some(key) = key(push) {
            self.0.entry(key).or_insert_with(|| (push.id, Vec::new()));
        }
    }

    /// It waits for the end of the one that is under way.
    pub(super) fn wait(&mut self, push: &OpenPush) {
        if let Some((_, waiting)) = key(push).and_then(|key| self.0.get_mut(&key))
            && !waiting.contains(&push.id)
        {
            waiting.push(push.id);
        }
    }

    /// It is under way no more, if it was. Returns those that waited for that.
    pub(super) fn end(&mut self, push: &OpenPush) -> Vec<i64> {
        let Some(key) = key(push) else { return Vec::new() };
        match self.0.get(&key) {
            Some((id, _)) if *id == push.id => self.0.remove(&key).map_or_else(Vec::new, |(_, waiting)| waiting),
            _ => Vec::new(),
        }
    }
}

fn key(push: &OpenPush) -> Option<Key> {
    let job = push.job.as_ref().filter(|_| push.is_exclusive)?;
    Some((job.clone(), stable_hash(&(&push.im, &push.target))))
}

#[cfg(test)]
mod tests {
    use super::super::queue::tests::push;
    use super::*;

    fn of_job(id: i64, job: &str, target: &str) -> OpenPush {
        OpenPush { job: Some(job.into()), is_exclusive: true, ..push(id, target, 0) }
    }

    #[test]
    fn another_of_the_job_to_the_same_target_waits_for_the_end_and_nobody_else_does() {
        let mut one = OneAtATime::default();
        let (first, second) = (of_job(1, "a", "g"), of_job(2, "a", "g"));
        assert!(one.may_begin(&first));
        one.begin(&first);
        assert!(one.may_begin(&first), "it is no hindrance to itself");
        let allowed = OpenPush { is_exclusive: false, ..second.clone() };
        assert!(!one.may_begin(&second));
        assert!([of_job(3, "a", "h"), of_job(4, "b", "g"), push(5, "g", 0), allowed].iter().all(|p| one.may_begin(p)));
        one.wait(&second);
        one.wait(&second);
        assert_eq!(one.end(&second), Vec::<i64>::new(), "only the end of the one under way counts");
        assert_eq!(one.end(&first), [2]);
        assert!(one.may_begin(&second));
    }
}
