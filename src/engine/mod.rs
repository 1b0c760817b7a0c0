//! Where decisions meet I/O: the durable timer, the dispatcher, and what a restart finds.
//!
//! The scheduler turns instants into recorded fires and hands their pushes to the dispatcher, which turns them into
//! attempts and recorded outcomes. Contents that are made for a fire are made in between, by the preparer. Each is one task with its own memory; they meet in one channel and in the store.

pub mod accounts;
mod asking;
pub mod core;
pub mod dispatcher;
pub mod observer;
pub mod preparer;
pub mod push_media;
pub mod recovery;
pub mod releases;
pub mod scheduler;
pub mod send_journal;
