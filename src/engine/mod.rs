//! Where decisions meet I/O: the durable timer, the dispatcher, and what a restart finds.
//!
//! The scheduler turns instants into recorded fires and hands their pushes to the dispatcher, which turns them into
//! attempts and recorded outcomes. Each is one task with its own memory; they meet in one channel and in the store.

pub mod core;
pub mod desk;
pub mod dispatcher;
pub mod flights;
pub mod news;
pub mod recovery;
pub mod roster;
pub mod scheduler;
pub mod timeline;
