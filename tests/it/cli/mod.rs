//! The command line from outside: the built program in directories of its own, verb by verb and form by form.
//! Snapshots are named verb__case.

mod chinese;
mod damaged;
mod forgotten_files;
pub(crate) mod house;
mod live;
mod reading;
pub(crate) mod running;
mod shell;
mod status;
mod without_database;
mod writing;
