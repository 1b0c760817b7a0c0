//! Attempts, opened before the first byte leaves.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::{all, done, maybe};
use super::calendars;
use super::cells::{maybe_instant, maybe_text, to_json, whole};
use super::contents::{Contents, columns};
use super::delivery::{DELIVERY_COLUMNS, delivery, delivery_columns, key_stem, maybe_json};
use super::ends::end_unreadable;
use super::fault::{Fault, Result};
use super::instants::At;
use super::session::Write;
use crate::domain::hex::sha256;
use crate::domain::{Calendar, Delivery, Facts, Message, Reason, Render, Rendering, UtcMs};
use crate::store::model::Begin;
use crate::store::renderer::facts;

/// Opens attempts.
pub(super) struct BeginAttempts {
    pub begins: Vec<Begin>,
    pub now: UtcMs,
    pub renderer: Arc<dyn Render>,
}

/// A push that waits.
struct Waiting {
    delivery: Delivery,
    rendering: Option<Rendering>,
    started_at: UtcMs,
    is_backfill: bool,
}

/// A text that was rendered: the row has its JSON in the place of the templates from here on.
struct Kept {
    json: String,
    hash: String,
}

impl Write for BeginAttempts {
    type Answer = Vec<Delivery>;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Vec<Delivery>> {
        let mut found = self.find(conn).await?;
        // Each once, in the order in which they were asked for.
        let mut begun: Vec<(&Begin, Waiting)> =
            self.begins.iter().filter_map(|begin| Some((begin, found.remove(&begin.push_id)?))).collect();
        let opened = open(conn, &begun).await?;
        begun.retain(|(begin, _)| opened.contains(&begin.push_id));
        let mut memory = Memory::default();
        let mut kept = Vec::with_capacity(begun.len());
        for (begin, waiting) in &mut begun {
            kept.push(self.made(conn, begin, waiting, &mut memory).await?);
        }
        mark(conn, &begun, kept).await?;
        Ok(begun.into_iter().map(|(_, waiting)| waiting.delivery).collect())
    }
}

impl BeginAttempts {
    /// Those of these pushes that wait. What cannot be read ends.
    async fn find(&self, conn: &mut PgConnection) -> Result<HashMap<i64, Waiting>> {
        let ids: Vec<i64> = self.begins.iter().map(|begin| begin.push_id).collect();
        let stem = key_stem(conn).await?;
        let find = sqlx::query(concat!(
            "SELECT ",
            delivery_columns!(),
            ", p.attempts, p.next_attempt_at, p.render::text, f.reason
               FROM pushes AS p
               JOIN fires AS f ON f.id = p.fire_id
              WHERE p.id = ANY ($1) AND p.state IN ('pending', 'retrying')
              ORDER BY p.id"
        ));
        let mut found = HashMap::with_capacity(ids.len());
        for row in all(conn, find.bind(ids)).await? {
            let id: i64 = row.try_get(0)?;
            match self.waiting(&row, &stem) {
                Ok(waiting) => drop(found.insert(id, waiting)),
                Err(Fault::Row(problem)) => end_unreadable(conn, id, &problem, self.now).await?,
                Err(fault) => return Err(fault),
            }
        }
        Ok(found)
    }

    fn waiting(&self, row: &PgRow, stem: &str) -> Result<Waiting> {
        let number = whole::<u32>(row, DELIVERY_COLUMNS)? + 1;
        Ok(Waiting {
            delivery: delivery(row, stem, number)?,
            rendering: maybe_json(row, DELIVERY_COLUMNS + 2)?,
            started_at: self.now.max(maybe_instant(row, DELIVERY_COLUMNS + 1)?.unwrap_or(self.now)),
            is_backfill: maybe_text(row, DELIVERY_COLUMNS + 3)? == Some(Reason::Backfill.as_str()),
        })
    }

    /// Renders the message where it has templates. What cannot be rendered keeps them, for whoever tries it again by hand.
    async fn made(
        &self,
        conn: &mut PgConnection,
        begin: &Begin,
        waiting: &mut Waiting,
        memory: &mut Memory,
    ) -> Result<Option<Kept>> {
        let Some(rendering) = waiting.rendering.take() else { return Ok(None) };
        let Waiting { delivery, started_at, is_backfill: backfill, .. } = waiting;
        let known = Facts { backfill: *backfill, ..facts(delivery, &begin.account, *started_at) };
        match self.render(conn, delivery, &rendering, known, memory).await? {
            Ok(message) => {
                let json = to_json(&message)?;
                // What the row has is what is sent, at every attempt.
                delivery.message = serde_json::from_str(&json)?;
                Ok(Some(Kept { hash: sha256(json.as_bytes()), json }))
            }
            Err(problem) => {
                delivery.unmade = Some(problem);
                Ok(None)
            }
        }
    }

    /// The message of a push rendered, or why that cannot be. What no text of it asks for is not looked up.
    async fn render(
        &self,
        conn: &mut PgConnection,
        delivery: &Delivery,
        rendering: &Rendering,
        known: Facts<'_>,
        memory: &mut Memory,
    ) -> Result<std::result::Result<Message, String>> {
        let push_id = delivery.push_id;
        let calendar = match &rendering.calendar {
            Some(digest) => memory.calendar(conn, digest).await?,
            None => None,
        };
        let run = match &delivery.job {
            Some(job) if rendering.counts => fired_until(conn, job, delivery.due_at).await?,
            _ => 0,
        };
        let content = match &rendering.content {
            Some(known) => Some(memory.contents.of_push(conn, push_id, known).await?),
            None => None,
        };
        let columns = if rendering.fields.is_empty() { None } else { columns(conn, push_id).await? };
        let (calendar, content, columns) = (calendar.as_ref(), content.as_ref(), columns.as_ref());
        let known = Facts { run, calendar, content, columns, ..known };
        Ok(self.renderer.render(&delivery.message, rendering, &known))
    }
}

/// What pushes that begin together ask for, looked up once.
#[derive(Default)]
struct Memory {
    calendars: HashMap<String, Option<Arc<Calendar>>>,
    contents: Contents,
}

impl Memory {
    /// The list of that digest, if it is there.
    async fn calendar(&mut self, conn: &mut PgConnection, digest: &str) -> Result<Option<Arc<Calendar>>> {
        if let Some(known) = self.calendars.get(digest) {
            return Ok(known.clone());
        }
        let list = calendars::lists(conn, &[digest.to_owned()]).await?.remove(digest);
        self.calendars.insert(digest.to_owned(), list.clone());
        Ok(list)
    }
}

/// How often a job has fired by its schedule, up to this instant: its count, without what is recorded of it for later ones.
async fn fired_until(conn: &mut PgConnection, job: &str, due_at: UtcMs) -> Result<u64> {
    let count = sqlx::query(
        "SELECT greatest(0, j.fired - (SELECT count(*) FROM fires AS f
                                        WHERE f.job = j.name AND f.due_at > $2 AND f.triggered_by = 'cron'
                                          AND f.decision = 'fired'))
           FROM jobs AS j WHERE j.name = $1",
    );
    let row = maybe(conn, count.bind(job).bind(At::from(due_at))).await?;
    Ok(row.map(|row| whole(&row, 0)).transpose()?.unwrap_or(0))
}

/// Writes the attempts, and tells of which pushes.
async fn open(conn: &mut PgConnection, begun: &[(&Begin, Waiting)]) -> Result<HashSet<i64>> {
    if begun.is_empty() {
        return Ok(HashSet::new());
    }
    let open = sqlx::query(
        "INSERT INTO attempts (push_id, number, account, rule, sender, started_at)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
         ON CONFLICT (push_id, number) DO NOTHING
         RETURNING push_id",
    );
    let open = open
        .bind(begun.iter().map(|(begin, _)| begin.push_id).collect::<Vec<_>>())
        .bind(begun.iter().map(|(_, waiting)| i64::from(waiting.delivery.attempt)).collect::<Vec<_>>())
        .bind(begun.iter().map(|(begin, _)| &*begin.account).collect::<Vec<_>>())
        .bind(begun.iter().map(|(begin, _)| begin.rule.as_str()).collect::<Vec<_>>())
        .bind(begun.iter().map(|(begin, _)| begin.sender).collect::<Vec<_>>())
        .bind(begun.iter().map(|(_, waiting)| At::from(waiting.started_at)).collect::<Vec<_>>());
    all(conn, open).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// From here on they are being sent, and what was rendered stands in the place of its templates.
async fn mark(conn: &mut PgConnection, begun: &[(&Begin, Waiting)], kept: Vec<Option<Kept>>) -> Result<()> {
    if begun.is_empty() {
        return Ok(());
    }
    let (messages, hashes): (Vec<_>, Vec<_>) =
        kept.into_iter().map(|kept| kept.map(|Kept { json, hash }| (json, hash)).unzip()).unzip();
    let mark = sqlx::query(
        "UPDATE pushes AS p
            SET state = 'sending', attempts = b.number, account = b.account, next_attempt_at = NULL, reason = NULL,
                detail = NULL, message = coalesce(b.message::json, p.message),
                content_hash = coalesce(b.content_hash, p.content_hash),
                render = CASE WHEN b.message IS NULL THEN p.render END
           FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[])
             AS b (id, number, account, message, content_hash)
          WHERE p.id = b.id",
    );
    let mark = mark
        .bind(begun.iter().map(|(begin, _)| begin.push_id).collect::<Vec<_>>())
        .bind(begun.iter().map(|(_, waiting)| i64::from(waiting.delivery.attempt)).collect::<Vec<_>>())
        .bind(begun.iter().map(|(begin, _)| &*begin.account).collect::<Vec<_>>());
    done(conn, mark.bind::<Vec<Option<String>>>(messages).bind::<Vec<Option<String>>>(hashes)).await?;
    Ok(())
}
