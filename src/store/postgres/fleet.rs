//! Hosts and seats: who is there, who does what, and how that changes hands.
//!
//! No instant decides anything here. A host beats, that is, counts up a number; who has watched a number stand still for long
//! enough by a clock of its own may declare that host lost, if the number still stands there; then its seats may be taken.
//! However wrong somebody was about the time, the fence of a seat lets only one write.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::connect::{ANSWER, BEAT, within};
use super::fault::{Fault, Result};
use super::fence::Fence;
use super::instants::At;
use super::session::Write;
use super::store::PostgresStore;
use crate::domain::UtcMs;
use crate::store::error::{StoreError, StoreResult};

/// A daemon by its name, and how often one of that name has entered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    pub id: String,
    pub incarnation: i64,
}

/// A row of `hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRow {
    pub host: Host,
    pub place: String,
    pub beat: i64,
    /// `live`, `left` or `lost`.
    pub state: String,
    pub version: String,
}

/// A row of `seats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatRow {
    pub name: String,
    /// None: nobody holds it.
    pub host: Option<Host>,
    pub epoch: i64,
}

/// All hosts and seats, as they stood when somebody asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    pub hosts: Vec<HostRow>,
    pub seats: Vec<SeatRow>,
}

impl PostgresStore {
    /// Enters under a name. A host of that name that is live keeps others out, but for its own successor: `place` is the
    /// machine and the state directory, and whoever holds that directory knows that the one before is gone. Its seats are
    /// free from then on, under the next epoch of whoever takes them.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAllowed`] where the name is another's.
    pub async fn enter(&self, name: &str, place: &str, version: &str, now: UtcMs) -> StoreResult<Host> {
        let (name, place, version) = (name.to_owned(), place.to_owned(), version.to_owned());
        self.write_fleet(Enter { name, place, version, now }).await
    }

    /// Counts the host's number up and tells how all stand. None where it was declared lost, or somebody entered in its place:
    /// it holds nothing any more.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked.
    pub async fn beat(&self, host: &Host, now: UtcMs) -> StoreResult<Option<Fleet>> {
        // One statement, which is a transaction by itself: what became of a beat without an answer nobody needs to know.
        self.read_fleet(Beat { host: host.clone(), now }).await
    }

    /// Declares that a host is lost whose number still stands where it was last seen. Its seats may be taken from then on, and
    /// it writes nothing more for them. False where it went on meanwhile.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked.
    pub async fn declare_lost(&self, host: &Host, beat: i64) -> StoreResult<bool> {
        self.write_fleet(DeclareLost { host: host.clone(), beat }).await
    }

    /// Takes a seat that nobody holds, or whose holder is not live, if its epoch is still the one that was seen: 0 where there
    /// was none of that name. None where somebody was quicker, or it is held.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked.
    pub async fn take(&self, seat: &str, host: &Host, seen_epoch: i64, now: UtcMs) -> StoreResult<Option<Fence>> {
        self.write_fleet(Take { seat: seat.to_owned(), host: host.clone(), seen_epoch, now }).await
    }

    /// Gives a seat up. False where it was not held under this fence any more.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked.
    pub async fn release(&self, fence: &Fence) -> StoreResult<bool> {
        self.write_fleet(Release(fence.clone())).await
    }

    /// Gives all seats up and leaves.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked.
    pub async fn leave(&self, host: &Host) -> StoreResult<()> {
        self.write_fleet(Leave(host.clone())).await
    }

    /// How all stand.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked.
    pub async fn fleet(&self) -> StoreResult<Fleet> {
        self.read_fleet(Look).await
    }
}

struct Enter {
    name: String,
    place: String,
    version: String,
    now: UtcMs,
}

impl Write for Enter {
    type Answer = Host;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Host> {
        let Enter { name, place, version, now } = self;
        let enter = sqlx::query(
            "INSERT INTO hosts AS h (id, incarnation, place, beat, beat_at, state, version)
             VALUES ($1, 1, $2, 0, $3, 'live', $4)
             ON CONFLICT (id) DO UPDATE
                SET incarnation = h.incarnation + 1, place = excluded.place, beat = 0, beat_at = excluded.beat_at,
                    state = 'live', version = excluded.version
              WHERE h.state <> 'live' OR h.place = excluded.place
             RETURNING incarnation",
        );
        let enter = enter.bind(&*name).bind(&*place).bind(At::from(*now)).bind(&*version).fetch_optional(&mut *conn);
        if let Some(row) = within(ANSWER, enter).await? {
            return Ok(Host { id: name.clone(), incarnation: row.try_get(0)? });
        }
        let other = sqlx::query("SELECT place FROM hosts WHERE id = $1").bind(&*name).fetch_one(conn);
        let other: String = within(ANSWER, other).await?.try_get(0)?;
        Err(Fault::Verb(StoreError::NotAllowed(format!(
            "a host named '{name}' is there already ({other}); give this one another name with `host`, or stop that one"
        ))))
    }
}

struct Beat {
    host: Host,
    now: UtcMs,
}

impl Write for Beat {
    type Answer = Option<Fleet>;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Option<Fleet>> {
        let beat = sqlx::query(
            "UPDATE hosts SET beat = beat + 1, beat_at = $3 WHERE id = $1 AND incarnation = $2 AND state = 'live'",
        );
        let beat = beat.bind(&self.host.id).bind(self.host.incarnation).bind(At::from(self.now)).execute(&mut *conn);
        if within(BEAT, beat).await?.rows_affected() == 0 {
            return Ok(None);
        }
        Look.run(conn).await.map(Some)
    }
}

struct DeclareLost {
    host: Host,
    beat: i64,
}

impl Write for DeclareLost {
    type Answer = bool;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<bool> {
        let lost = sqlx::query(
            "UPDATE hosts SET state = 'lost' WHERE id = $1 AND incarnation = $2 AND beat = $3 AND state = 'live'",
        );
        let lost = lost.bind(&self.host.id).bind(self.host.incarnation).bind(self.beat).execute(conn);
        Ok(within(ANSWER, lost).await?.rows_affected() > 0)
    }
}

struct Take {
    seat: String,
    host: Host,
    seen_epoch: i64,
    now: UtcMs,
}

impl Write for Take {
    type Answer = Option<Fence>;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Option<Fence>> {
        let Take { seat, host, seen_epoch, now } = self;
        // Where there is no seat of that name, it is made as one that nobody holds, under the epoch that was seen then.
        let make = sqlx::query("INSERT INTO seats (name, epoch) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING");
        within(ANSWER, make.bind(&*seat).execute(&mut *conn)).await?;
        // It waits for whoever writes under the old fence; what that one then commits was committed before the change of hands.
        let take = sqlx::query(
            "UPDATE seats AS s SET host = $2, incarnation = $3, epoch = s.epoch + 1, taken_at = $5
              WHERE s.name = $1 AND s.epoch = $4
                AND NOT EXISTS (SELECT 1 FROM hosts AS h
                                 WHERE h.id = s.host AND h.incarnation = s.incarnation AND h.state = 'live')
                AND EXISTS (SELECT 1 FROM hosts AS h WHERE h.id = $2 AND h.incarnation = $3 AND h.state = 'live')
             RETURNING epoch",
        );
        let take = take.bind(&*seat).bind(&host.id).bind(host.incarnation).bind(*seen_epoch).bind(At::from(*now));
        let row: Option<PgRow> = within(ANSWER, take.fetch_optional(conn)).await?;
        row.map(|row| {
            let Host { id, incarnation } = host.clone();
            Ok(Fence { seat: seat.clone(), host: id, incarnation, epoch: row.try_get(0)? })
        })
        .transpose()
    }
}

struct Release(Fence);

impl Write for Release {
    type Answer = bool;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<bool> {
        let Fence { seat, host, incarnation, epoch } = &self.0;
        let release = sqlx::query(
            "UPDATE seats SET host = NULL, incarnation = NULL, taken_at = NULL
              WHERE name = $1 AND host = $2 AND incarnation = $3 AND epoch = $4",
        );
        let release = release.bind(seat).bind(host).bind(incarnation).bind(epoch).execute(conn);
        Ok(within(ANSWER, release).await?.rows_affected() > 0)
    }
}

struct Leave(Host);

impl Write for Leave {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let Host { id, incarnation } = &self.0;
        let release = sqlx::query(
            "UPDATE seats SET host = NULL, incarnation = NULL, taken_at = NULL WHERE host = $1 AND incarnation = $2",
        );
        within(ANSWER, release.bind(id).bind(incarnation).execute(&mut *conn)).await?;
        let leave =
            sqlx::query("UPDATE hosts SET state = 'left' WHERE id = $1 AND incarnation = $2 AND state = 'live'");
        within(ANSWER, leave.bind(id).bind(incarnation).execute(conn)).await?;
        Ok(())
    }
}

struct Look;

impl Write for Look {
    type Answer = Fleet;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Fleet> {
        let hosts = sqlx::query("SELECT id, incarnation, place, beat, state, version FROM hosts ORDER BY id");
        let hosts = within(BEAT, hosts.fetch_all(&mut *conn)).await?;
        let seats = sqlx::query("SELECT name, host, incarnation, epoch FROM seats ORDER BY name");
        let seats = within(BEAT, seats.fetch_all(conn)).await?;
        Ok(Fleet {
            hosts: hosts.iter().map(host_row).collect::<Result<_>>()?,
            seats: seats.iter().map(seat_row).collect::<Result<_>>()?,
        })
    }
}

fn host_row(row: &PgRow) -> Result<HostRow> {
    let host = Host { id: row.try_get(0)?, incarnation: row.try_get(1)? };
    Ok(HostRow {
        host,
        place: row.try_get(2)?,
        beat: row.try_get(3)?,
        state: row.try_get(4)?,
        version: row.try_get(5)?,
    })
}

fn seat_row(row: &PgRow) -> Result<SeatRow> {
    let holder: (Option<String>, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
    let host = holder.0.zip(holder.1).map(|(id, incarnation)| Host { id, incarnation });
    Ok(SeatRow { name: row.try_get(0)?, host, epoch: row.try_get(3)? })
}
