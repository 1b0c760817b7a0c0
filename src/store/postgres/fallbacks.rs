//! What goes out in the place of a push that ended badly: made with its end, so that no crash comes between.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::postgres::PgConnection;
use tracing::error;

use super::ask::{all, done};
use super::cells::{maybe_text, plain, text};
use super::fault::Result;
use super::ids;
use super::instants::At;
use super::opened;
use crate::domain::{FallbackSpec, Next, RetryPolicy, UtcMs};
use crate::store::model::OpenPush;

/// Makes the fallbacks of pushes that have ended so, and then, but of those that have some: one that is retried by hand and
/// fails again has had its turn. They have the message, the policy and the fire of their push, and a time of their own.
pub(super) async fn make(conn: &mut PgConnection, ended: &[(i64, &Next, UtcMs)]) -> Result<Vec<OpenPush>> {
    let badly: Vec<i64> =
        ended.iter().filter(|(_, next, _)| next.calls_for_fallback().is_some()).map(|(id, _, _)| *id).collect();
    if badly.is_empty() {
        return Ok(Vec::new());
    }
    let find = sqlx::query(
        "SELECT p.id, p.fallback::text, p.retry::text FROM pushes AS p
          WHERE p.id = ANY ($1) AND p.fallback IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM pushes AS f WHERE f.parent_id = p.id AND f.parent_id IS NOT NULL)",
    );
    let mut fallbacks: HashMap<i64, (Vec<FallbackSpec>, RetryPolicy)> = HashMap::new();
    for row in all(conn, find.bind(&badly)).await? {
        let id: i64 = row.try_get(0)?;
        let specs = serde_json::from_str::<Vec<FallbackSpec>>(text(&row, 1)?);
        let policy = maybe_text(&row, 2)?.map(serde_json::from_str::<RetryPolicy>).transpose();
        match (specs, policy) {
            (Ok(specs), Ok(policy)) => drop(fallbacks.insert(id, (specs, policy.unwrap_or_default()))),
            (Err(problem), _) | (_, Err(problem)) => {
                error!(push = id, %problem, "the fallback of a push cannot be read, and does not go out");
            }
        }
    }
    let mut made = Vec::new();
    for (id, next, now) in ended {
        let Some(state) = next.calls_for_fallback() else { continue };
        let Some((specs, policy)) = fallbacks.remove(id) else { continue };
        for spec in specs.iter().filter(|spec| spec.after.contains(&state)) {
            made.push(insert(conn, *id, spec, &policy, *now).await?);
        }
    }
    opened::by_ids(conn, &made).await
}

async fn insert(
    conn: &mut PgConnection,
    push_id: i64,
    spec: &FallbackSpec,
    policy: &RetryPolicy,
    now: UtcMs,
) -> Result<i64> {
    let FallbackSpec { im, target, account, .. } = spec;
    let id = ids::take(conn, 0, 1).await?.pushes;
    let insert = sqlx::query(
        "INSERT INTO pushes (id, fire_id, ordinal, im, target, named_account, account, kind, message, timeout_ms, retry,
                             state, max_attempts, next_attempt_at, expires_at, exclusive_job, render, content_hash,
                             role, parent_id, recipient)
         SELECT $2, fire_id, (SELECT max(ordinal) + 1 FROM pushes AS f WHERE f.fire_id = p.fire_id), $3, $4, $5, $5, kind,
                message, timeout_ms, retry, 'pending', $6, $7, $8, exclusive_job, render, content_hash, 'fallback', id, recipient
           FROM pushes AS p WHERE id = $1",
    );
    let insert =
        insert.bind(push_id).bind(id).bind(plain(im)).bind(plain(&target.to_string()).into_owned()).bind(account);
    let insert = insert.bind(i64::from(policy.max_attempts)).bind(At::from(now));
    done(conn, insert.bind(At::from(now + policy.give_up_after))).await?;
    Ok(id)
}
