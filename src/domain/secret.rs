//! A value that must never reach a row, a log, an error or a process list.

use zeroize::Zeroize;

/// A token, key or password.
///
/// There is no Display and no Serialize, so that a secret cannot slip into a message, a log field or a row; Debug
/// prints nothing of it. The only way to the text is [`Secret::expose`], which is easy to find in a review.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text over; the caller keeps no copy.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The text itself, for the one place that puts it on the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to protect: an empty token means "no authentication".
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Tests and error types derive Debug around accounts; they see that there is a secret, never which.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(****)")
    }
}
