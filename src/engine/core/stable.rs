//! Maps whose order depends on nothing but what was put into them, so that one seed gives one course of events.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A hash map without a key of chance. What it holds comes from the operator's own files and from ourselves, so that
/// nobody can choose keys that meet.
pub(super) type StableMap<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// The same number for equal things, in every process.
pub(super) fn stable_hash(thing: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}
