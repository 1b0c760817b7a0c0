//! A lock taken whoever panicked while holding it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What our locks guard is whole between any two statements, so that a panic elsewhere is no reason to stop here.
pub(crate) trait Locked<T> {
    /// Waits for the lock, and takes it.
    fn locked(&self) -> MutexGuard<'_, T>;
}

impl<T> Locked<T> for Mutex<T> {
    fn locked(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
