//! The threats of `docs/security.md` that take the whole program: what leaks, and what foreign text can do.

#[path = "../common/mod.rs"]
mod common;
mod foreign_text;
mod secrets;
