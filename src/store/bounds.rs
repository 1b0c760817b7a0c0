//! How far back is looked and how long is kept, whatever the database.

use std::time::Duration;

/// The key of a request is kept for so long, and while a push of it is open.
pub(super) const KEY_KEPT: Duration = Duration::from_secs(86_400);

/// Keys forgotten with each new one: more than come, so that they never heap up.
pub(super) const KEYS_FORGOTTEN: i64 = 20;

/// Proofs of delivery come soon or never: only the attempts of a day are searched, and at most so many, since an index
/// over the platforms' random ids would cost every attempt a page.
pub(super) const CONFIRMED_AMONG: i64 = 20_000;
pub(super) const CONFIRMED_WITHIN: Duration = Duration::from_secs(86_400);

/// So many pushes are looked at for one that a person sent again out of turn.
pub(super) const PUSHES_LOOKED_AT: usize = 20_000;

/// So many fires back a source's last good answer is looked for: those of other definitions are passed over.
pub(super) const FIRES_LOOKED_AT: i64 = 1000;
