//! Memory that the daemon does not need: what a load took, and what threads keep apart from each other.

/// Lets the threads share as many arenas as can be used at once. glibc gives each thread one of its own, up to eight for each
/// processor, and keeps in all of them what one alone needed at its peak.
#[cfg(target_env = "gnu")]
pub(super) fn share_arenas() {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arenas = processors.max(2).try_into().unwrap_or(libc::c_int::MAX);
    // SAFETY: mallopt takes no pointer and is safe to call from any thread; this setting holds for arenas yet to come.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, arenas);
    }
}

/// Other allocators are left to themselves.
#[cfg(not(target_env = "gnu"))]
pub(super) fn share_arenas() {}

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
pub(super) fn give_back() {}
