//! A verb meets a database of an earlier pushcron, or a backup.

use std::path::Path;

use rusqlite::Connection;

use super::connect::{SchemaState, migrate, schema_state};
use super::fault::{Fault, Result};
use super::lease::FileLease;
use crate::domain::UtcMs;
use crate::store::error::StoreError;
use crate::store::lease::{LeaseError, Purpose};

/// Brings the database up to date where nobody runs on it, and keeps everybody from starting meanwhile: a daemon goes on
/// by the schema that it knows, and must not have it changed beneath it.
pub(super) fn where_nobody_holds_it(conn: &Connection, path: &Path, now: UtcMs) -> Result<()> {
    let found = schema_state(conn, path)?;
    if found == SchemaState::Current {
        return Ok(());
    }
    let refused = |problem: String| Fault::Verb(StoreError::Open { path: path.display().to_string(), problem });
    let _lease = match FileLease::take(path, Purpose::Upgrade, now) {
        Ok(lease) => lease,
        // Perhaps brought up to date by its holder since we looked.
        Err(LeaseError::Held { .. }) if schema_state(conn, path)? == SchemaState::Current => return Ok(()),
        Err(LeaseError::Held { holder, .. }) => {
            let advice = match holder.is_daemon {
                true => "restart that daemon with this pushcron, which brings it up to date",
                false => "try again when that has ended",
            };
            return Err(refused(format!("{found}, and another pushcron ({holder}) holds it; {advice}")));
        }
        Err(error) => return Err(refused(format!("{found}, and cannot be brought up to date: {error}"))),
    };
    migrate(conn, path, now)
}
