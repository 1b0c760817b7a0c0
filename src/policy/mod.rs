//! Pure decisions: what is due, which account sends, what follows from an outcome.
