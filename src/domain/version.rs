//! Which pushcron this is.

/// The version, as the package has it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit and its day, `9d4a674f21 2026-11-28`, with `, changed` where something differed from it. Empty where the
/// build did not know (`src/build.rs`).
pub const COMMIT: &str = env!("PUSHCRON_COMMIT");

/// Both, as people are told: `0.1.0 (9d4a674f21 2026-11-28)`.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), env!("PUSHCRON_BUILT_FROM"));
