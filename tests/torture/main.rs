//! Kills a real daemon again and again, in a mode for each kind of fault, beside a receiver that loses answers, delays,
//! refuses and breaks off; then holds the database against what the receiver saw, and what history shows at the end
//! against what it once showed.
//!
//! `cargo test --test torture -- --nocapture` kills a few dozen times. `PUSHCRON_TORTURE_KILLS=10000` kills so often in
//! each mode, which takes hours; the name of a test chooses one. `PUSHCRON_TORTURE_SEED=N` repeats the dice of an earlier
//! run (the machine's own timing is not repeated with them). `PUSHCRON_TORTURE_FLOOD=66000` says how many sends begin
//! beside a long one.

mod by_hand;
mod checker;
mod clock;
mod contents;
mod history;
mod kills;
mod links;
mod long_sends;
mod receiver;
mod replaced;
mod stage;
mod waiting;
