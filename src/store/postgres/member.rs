//! A host in the fleet: it beats, watches the others, and holds the seat that it wants or stands by for it.
//!
//! Whoever drives it calls [`Member::turn`] every two seconds. It knows no clock: how long others may be silent, and how long
//! this host may go unheard, is counted in turns.

use super::connect::BEAT;
use super::fence::Fence;
use super::fleet::{Fleet, Host, SeatRow};
use super::store::PostgresStore;
use super::watch::Watch;
use crate::domain::UtcMs;
use crate::store::error::{StoreError, StoreResult};

/// After so many turns without an answer a holder begins nothing more: sooner than others take it for lost.
const UNHEARD: u32 = 3;

/// What a turn came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The seat is this host's, under this fence.
    Holds(Fence),
    /// It is another's, or nobody's yet.
    StandsBy(Option<Host>),
    /// The database did not answer. Once it `must_rest`, whoever held the seat begins nothing for it until a turn says again
    /// that it does: others may have it by now.
    Unheard { problem: StoreError, must_rest: bool },
    /// Others declared this host lost, or somebody entered in its place. It holds nothing, and may enter again.
    Lost,
}

/// A host that has entered.
#[derive(Debug)]
pub struct Member {
    store: PostgresStore,
    host: Host,
    seat: String,
    watch: Watch,
    /// Turns without an answer in a row.
    unheard: u32,
}

impl Member {
    /// Enters under a name, for a seat ([`PostgresStore::enter`]).
    ///
    /// # Errors
    ///
    /// Where the name is another's, or the database cannot be asked.
    pub async fn enter(store: &PostgresStore, name: &str, place: &str, seat: &str, now: UtcMs) -> StoreResult<Member> {
        let host = store.enter(name, place, env!("CARGO_PKG_VERSION"), now).await?;
        let (store, seat) = (store.clone(), seat.to_owned());
        Ok(Member { store, host, seat, watch: Watch::default(), unheard: 0 })
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Beats, declares lost whoever was silent for too long, and takes the seat where it is free.
    pub async fn turn(&mut self, now: UtcMs) -> Turn {
        // What is given up here goes on behind it, and is answered to nobody: a beat that comes late proves no less.
        let done = tokio::time::timeout(BEAT, self.heard(now)).await;
        let silent = || StoreError::Unavailable(format!("no answer within {} ms", BEAT.as_millis()));
        match done.unwrap_or_else(|_| Err(silent())) {
            Ok(turn) => {
                self.unheard = 0;
                turn
            }
            Err(problem) => {
                self.unheard += 1;
                self.watch.begin_anew();
                Turn::Unheard { problem, must_rest: self.unheard >= UNHEARD }
            }
        }
    }

    async fn heard(&mut self, now: UtcMs) -> StoreResult<Turn> {
        let Some(mut fleet) = self.store.beat(&self.host, now).await? else { return Ok(Turn::Lost) };
        let silent = self.watch.look(&fleet, &self.host);
        if !silent.is_empty() {
            for (host, beat) in silent {
                if self.store.declare_lost(&host, beat).await? {
                    tracing::warn!(host = %host.id, "a host was silent for too long, and counts as lost");
                }
            }
            fleet = self.store.fleet().await?;
        }
        self.seat_in(&fleet, now).await
    }

    async fn seat_in(&self, fleet: &Fleet, now: UtcMs) -> StoreResult<Turn> {
        let seat = fleet.seats.iter().find(|seat| seat.name == self.seat);
        let epoch = seat.map_or(0, |seat| seat.epoch);
        let holder = seat.and_then(|seat: &SeatRow| seat.host.clone());
        if holder.as_ref() == Some(&self.host) {
            let Host { id, incarnation } = self.host.clone();
            return Ok(Turn::Holds(Fence { seat: self.seat.clone(), host: id, incarnation, epoch }));
        }
        let is_held = holder
            .as_ref()
            .is_some_and(|holder| fleet.hosts.iter().any(|row| row.host == *holder && row.state == "live"));
        if is_held {
            return Ok(Turn::StandsBy(holder));
        }
        let taken = self.store.take(&self.seat, &self.host, epoch, now).await?;
        Ok(taken.map_or(Turn::StandsBy(None), Turn::Holds))
    }

    /// Gives its seat up, so that others need not wait, and leaves.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked: others take the seat once they have waited.
    pub async fn leave(self) -> StoreResult<()> {
        self.store.leave(&self.host).await
    }
}
