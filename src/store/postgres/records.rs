//! Where pushes stand, what ended badly, and the whole story of a few fires.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::{all, one};
use super::calendars;
use super::cells::{instant, json, maybe_instant, number, text, whole};
use super::fault::Result;
use super::instants::At;
use super::json::{attempts_of, content_of, fire_fields, push_fields, utc};
use crate::domain::UtcMs;
use crate::store::cells::state;
use crate::store::model::{BadEnd, BadEnds, FireRecord, OpenWay, Revision, Standing};

pub(super) async fn standings(
    conn: &mut PgConnection,
    after_id: i64,
    only_open: bool,
    limit: u64,
) -> Result<Vec<Standing>> {
    let ask = match only_open {
        true => {
            "SELECT id, state, attempts FROM pushes
              WHERE finished_at IS NULL AND id > $1 ORDER BY id LIMIT $2"
        }
        false => "SELECT id, state, attempts FROM pushes WHERE id > $1 ORDER BY id LIMIT $2",
    };
    let rows = all(conn, sqlx::query(ask).bind(after_id).bind(number(limit))).await?;
    let standing =
        |row: &PgRow| Ok(Standing { id: row.try_get(0)?, state: state(text(row, 1)?)?, attempts: whole(row, 2)? });
    rows.iter().map(standing).collect()
}

pub(super) async fn open_ways(conn: &mut PgConnection) -> Result<Vec<OpenWay>> {
    let ask = sqlx::query(
        r#"SELECT count(*), is_fallback, job, im, account
             FROM (SELECT false AS is_fallback, f.job, p.im COLLATE "C" AS im, p.named_account COLLATE "C" AS account
                     FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id
                    WHERE p.finished_at IS NULL
                   UNION ALL
                   SELECT true, f.job, (way.value ->> 'im') COLLATE "C", (way.value ->> 'account') COLLATE "C"
                     FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id
                    CROSS JOIN LATERAL json_array_elements(p.fallback) AS way (value)
                    WHERE p.finished_at IS NULL AND p.fallback IS NOT NULL) AS ways
            GROUP BY is_fallback, job, im, account
            ORDER BY is_fallback, job NULLS FIRST, im, account NULLS FIRST"#,
    );
    let way = |row: &PgRow| {
        Ok(OpenWay {
            pushes: whole(row, 0)?,
            is_fallback: row.try_get(1)?,
            job: row.try_get(2)?,
            im: row.try_get(3)?,
            account: row.try_get(4)?,
        })
    };
    all(conn, ask).await?.iter().map(way).collect()
}

/// What ended badly. A push that was retried by hand and failed again counts once, by its last end.
macro_rules! bad_ends {
    () => {
        "
   FROM bad_ends AS b
   JOIN pushes AS p ON p.id = b.push_id
   JOIN fires AS f ON f.id = p.fire_id
   LEFT JOIN attempts AS last ON last.push_id = p.id AND last.number = p.attempts
  WHERE b.seq > $1 AND ($2::timestamptz IS NULL OR p.finished_at > $2)
    AND b.seq = (SELECT max(seq) FROM bad_ends WHERE push_id = p.id)
    AND p.state IN ('failed', 'unknown', 'expired')
    AND p.reason IS DISTINCT FROM 'resolved by hand'
    AND NOT (f.job IS NULL AND p.im IS NOT DISTINCT FROM $3::text AND p.target IS NOT DISTINCT FROM $4::text)"
    };
}

/// `except` is an im and a target. Ends are numbered in the order of their commits as long as one host ends pushes.
pub(super) async fn bad_ends(
    conn: &mut PgConnection,
    after: i64,
    since: Option<UtcMs>,
    except: Option<(String, String)>,
    first: u64,
) -> Result<BadEnds> {
    let (im, target) = except.unzip();
    let since = since.map(At::from);
    let last: i64 = one(conn, sqlx::query("SELECT coalesce(max(seq), 0) FROM bad_ends")).await?.try_get(0)?;
    let mut ends = BadEnds { last: last.max(after), ..BadEnds::default() };
    let count = sqlx::query(concat!("SELECT p.state, count(*) ", bad_ends!(), " GROUP BY p.state"));
    for row in all(conn, count.bind(after).bind(since).bind(&im).bind(&target)).await? {
        ends.counts.push((state(text(&row, 0)?)?, whole(&row, 1)?));
    }
    if !ends.counts.is_empty() {
        let tell = sqlx::query(concat!(
            "SELECT p.id, f.job, p.im, p.target, p.state, p.reason,
                    coalesce(p.reason || ': ' || p.detail, last.error, CASE p.reason
                        WHEN 'content' THEN (SELECT error FROM contents WHERE fire_id = f.id)
                        WHEN 'recipients' THEN (SELECT error FROM recipient_lists
                                                 WHERE fire_id = f.id AND error IS NOT NULL ORDER BY number LIMIT 1)
                    END),
                    p.account, p.finished_at,
                    EXISTS (SELECT 1 FROM attempts WHERE push_id = p.id AND outcome = 'unknown'),
                    coalesce(p.recipient::text = 'null', false)
                      OR (p.kind = 'text' AND coalesce(p.message ->> 'text' = '', false)) ",
            bad_ends!(),
            " ORDER BY p.finished_at, p.id LIMIT $5"
        ));
        let rows = all(conn, tell.bind(after).bind(since).bind(&im).bind(&target).bind(number(first))).await?;
        ends.first = rows.iter().map(bad_end).collect::<Result<_>>()?;
    }
    Ok(ends)
}

fn bad_end(row: &PgRow) -> Result<BadEnd> {
    Ok(BadEnd {
        id: row.try_get(0)?,
        job: row.try_get(1)?,
        im: row.try_get(2)?,
        target: row.try_get(3)?,
        state: state(text(row, 4)?)?,
        reason: row.try_get(5)?,
        error: row.try_get(6)?,
        account: row.try_get(7)?,
        finished_at: instant(row, 8)?,
        perhaps_sent: row.try_get(9)?,
        is_unmade: row.try_get(10)?,
    })
}

/// Fires as JSON objects with their pushes, and these with their attempts: the fields of the records in the trait.
pub(super) async fn fires(conn: &mut PgConnection, job: &str, from: UtcMs, until: UtcMs) -> Result<Vec<FireRecord>> {
    // Gaps do not overlap, so of the rows before the time only the last can reach into it.
    let ask = sqlx::query(concat!(
        "SELECT json_build_object(",
        fire_fields!(),
        ", 'is_unexpanded', EXISTS (SELECT 1 FROM unexpanded_fires AS u WHERE u.fire_id = f.id), 'content', ",
        content_of!("f.id"),
        ", 'lists', coalesce((SELECT json_agg(json_build_object(
                 'name', name, 'source', source, 'attempts', attempts, 'began_at', ",
        utc!("began_at"),
        ", 'read_at', ",
        utc!("read_at"),
        ", 'count', count, 'doubles', doubles, 'error', error, 'stale_from', ",
        utc!("stale_from"),
        ", 'stale_why', stale_why) ORDER BY number) FROM recipient_lists WHERE fire_id = f.id), '[]'::json),
           'pushes', coalesce((SELECT json_agg(json_build_object(",
        push_fields!(),
        ", 'attempts', ",
        attempts_of!("p.id"),
        ") ORDER BY p.ordinal) FROM pushes AS p WHERE p.fire_id = f.id), '[]'::json))::text
           FROM (SELECT * FROM fires WHERE job = $1 AND due_at BETWEEN $2 AND $3
                 UNION ALL
                 SELECT * FROM (SELECT * FROM fires WHERE job = $1 AND due_at < $2 AND triggered_by = 'cron'
                                 ORDER BY due_at DESC LIMIT 1) AS before
                  WHERE until_at >= $2) AS f
          ORDER BY f.due_at, f.id"
    ));
    let rows = all(conn, ask.bind(job).bind(At::from(from)).bind(At::from(until))).await?;
    rows.iter().map(|row| json(row, 0)).collect()
}

pub(super) async fn revisions(conn: &mut PgConnection, job: &str) -> Result<Vec<Revision>> {
    let ask = sqlx::query(
        "SELECT revision, schedule, timezone, enabled, definition::text, from_at, until_at, ended_at
           FROM job_revisions WHERE job = $1
         UNION ALL
         SELECT revision, schedule, timezone, enabled, definition::text, loaded_at, NULL,
                CASE WHEN fires_left = 0 THEN ended_at END
           FROM jobs WHERE name = $1 AND removed_at IS NULL
          ORDER BY revision",
    );
    let revision = |row: &PgRow| {
        Ok(Revision {
            revision: whole(row, 0)?,
            schedule: row.try_get(1)?,
            timezone: row.try_get(2)?,
            enabled: row.try_get(3)?,
            definition: serde_json::from_str(text(row, 4)?).ok(),
            from_at: instant(row, 5)?,
            until_at: maybe_instant(row, 6)?,
            spent_at: maybe_instant(row, 7)?,
        })
    };
    let rows = all(conn, ask.bind(job)).await?;
    let mut revisions = rows.iter().map(revision).collect::<Result<Vec<Revision>>>()?;
    let definitions = revisions.iter_mut().filter_map(|revision| revision.definition.as_mut());
    calendars::fill(conn, definitions.filter_map(|job| job.days.as_deref_mut())).await?;
    Ok(revisions)
}
