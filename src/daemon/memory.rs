//! Memory that a load needed and the daemon does not.

/// Gives back to the system what the definitions took while they were read and compared: glibc keeps freed pages, and
/// a daemon that loaded 100,000 jobs would stay a third larger for the rest of its life.
#[cfg(target_env = "gnu")]
pub(super) fn give_back() {
    // SAFETY: malloc_trim takes no pointer, is safe to call from any thread at any time, and touches free pages alone.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators are left to themselves.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
