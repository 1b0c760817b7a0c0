//! Definitions that are not in force yet.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::job::JobSource;
use crate::domain::{Job, UtcMs};

/// New and changed definitions, each with its hash, and jobs that are to go.
#[derive(Default)]
pub(super) struct Changes {
    pub changed: VecDeque<(Job, i64)>,
    pub removed: Vec<Arc<str>>,
    /// Who says so.
    pub source: JobSource,
    /// When it was said: the files were read, or a verb was given. None: now.
    pub said_at: Option<UtcMs>,
}

impl Changes {
    pub(super) fn len(&self) -> usize {
        self.changed.len() + self.removed.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn first(&self, most: usize) -> Changes {
        let changed: VecDeque<_> = self.changed.iter().take(most).cloned().collect();
        let removed = self.removed.iter().take(most - changed.len()).cloned().collect();
        Changes { changed, removed, source: self.source, said_at: self.said_at }
    }

    /// The first so many are in force. Of all of them nothing is kept, not even the room: there may have been 100,000.
    pub(super) fn forget(&mut self, changed: usize, removed: usize) {
        self.changed.drain(..changed.min(self.changed.len()));
        self.removed.drain(..removed.min(self.removed.len()));
        if self.is_empty() {
            *self = Changes { source: self.source, said_at: self.said_at, ..Changes::default() };
        }
    }
}
