//! Contents that are made once the first push of a fire can go out: which pushes wait for one.

use crate::domain::Locked;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

/// Pushes whose turn has come and whose content is still to be made. The dispatcher tells them, and the preparer takes
/// them away once they need nothing more.
#[derive(Default)]
pub struct Releases {
    push_ids: Mutex<BTreeSet<i64>>,
    notify: Arc<Notify>,
}

impl Releases {
    /// To be told whenever there are more.
    pub fn notify(&self) -> Arc<Notify> {
        self.notify.clone()
    }

    /// The content of these pushes is to be made now.
    pub fn ask(&self, push_ids: Vec<i64>) {
        self.push_ids().extend(push_ids);
        self.notify.notify_one();
    }

    /// All of them.
    pub fn asked(&self) -> Vec<i64> {
        self.push_ids().iter().copied().collect()
    }

    /// These need nothing more.
    pub fn done(&self, push_ids: &[i64]) {
        let mut waiting = self.push_ids();
        waiting.retain(|id| !push_ids.contains(id));
    }

    fn push_ids(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.push_ids.locked()
    }
}
