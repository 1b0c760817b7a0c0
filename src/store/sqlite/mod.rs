//! The store over SQLite.
