//! What there is to write, before it has a form.

use tracing::Level;

use super::fields::Fields;
use crate::domain::UtcMs;

/// One event with all that is known about it.
pub(super) struct Record<'a> {
    pub(super) at: UtcMs,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) fields: Fields,
}
