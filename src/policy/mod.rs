//! Pure decisions: what is due, which account sends, what follows from an outcome, whether the ledger balances.
//!
//! The hour and the dice are arguments, so that every decision can be asked again with the same answer. The one thing
//! read from outside is the system's zone data, when a schedule is compiled.

pub mod account;
pub mod advice;
pub mod calendar;
pub mod clock_course;
pub mod clock_doubt;
pub mod content;
pub mod headers;
pub mod health;
pub mod hold;
pub mod ledger;
pub mod misfire;
pub mod recipients;
pub mod retry;
pub mod schedule;
