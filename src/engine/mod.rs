//! Where decisions meet I/O.
pub mod queue;
