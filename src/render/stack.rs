//! The stack that a template may need.
//!
//! The engine goes through expressions and branches by calling itself, once for each sign of a chain such as
//! `1+1+1…` or `{% elif %}{% elif %}…`, and its own bound on depth does not count chains. A thread whose stack ends is
//! the end of the process: nothing can catch it. So a template is worked on where there is room for as many calls as its
//! length can ask for.

/// Bytes of stack that the deepest chain takes for each byte of template: 450 were seen in an unoptimised build.
const OF_A_BYTE: usize = 1 << 10;
/// What the least template takes.
const LEAST: usize = 128 << 10;
/// Statements can put values into values, as deep as their steps reach, and these are written and freed by such calls too.
const OF_STATEMENTS: usize = 64 << 20;

/// Does `work`, all of what reads this template or holds what it made, with stack enough for it. Memory is taken only as far
/// as the calls get.
pub(super) fn with_room_for<T>(template: &str, work: impl FnOnce() -> T) -> T {
    let nested = if template.contains("{%") { OF_STATEMENTS } else { 0 };
    let room = LEAST + OF_A_BYTE * template.len() + nested;
    stacker::maybe_grow(room, room, work)
}
