//! Templates: texts with `{{ … }}` that become what is sent when the first attempt of their push is opened.
//!
//! A template reaches nothing but the values that it is given: no file, no clock, no other template. Its time, its memory
//! and its result are bounded, so that rendering may happen where a push is opened.

mod check;
mod engine;
mod foreign;
mod instant;
mod limits;
mod message;
mod stack;
mod values;

pub use self::check::{Finding, is_taken, is_template};
pub use self::engine::Templates;
pub use self::limits::{FUEL, LONGEST_RESULT, LONGEST_TEMPLATE};
pub use self::values::{NAMES, NAMES_OF_DAYS};

#[cfg(test)]
mod tests;
