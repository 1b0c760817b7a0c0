//! One file per verb, and the tables that people read.

pub mod render;
