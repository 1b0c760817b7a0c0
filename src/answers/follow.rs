//! What `history --follow` has seen, and what is news to it.
//!
//! A look reads a bounded number of rows, however long the history is and however many pushes are open: the pushes
//! made since the last look, page by page; of the open ones the newest, since these change most, and the others in
//! turn. Between looks it keeps the ids of the open pushes and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::history::Source;
use super::rows::{Row, rows};
use crate::domain::PushState;
use crate::store::{Filter, Standing, StoreError, Table};

/// Pushes made since the last look that one look reads. If there are more, the next look follows at once.
const MADE: u64 = 1000;
/// Open pushes that a look compares: so many of the newest, and so many of the others.
const OPEN: u64 = 2500;
/// Whole lines that are read at once.
const LINES: usize = 250;

/// Who follows the history.
pub(crate) struct Follower {
    /// Later pushes are new.
    newest: i64,
    /// The open ones, each with the number of its attempts when it was last seen put back.
    open: BTreeMap<i64, Option<u32>>,
    /// Where the older open ones are looked at next.
    turn: i64,
}

impl Follower {
    /// A follower to whom all that is there is known.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn begin(source: &impl Source) -> Result<Follower, StoreError> {
        let newest = source.lines(&Filter { limit: Some(1), ..Filter::default() }).await?.mark();
        let mut follower = Follower { newest: newest.map_or(0, |mark| mark.id), open: BTreeMap::new(), turn: 0 };
        let mut after = 0;
        loop {
            let page = source.standings(after, true, OPEN).await?;
            let newest = follower.newest;
            for standing in page.iter().filter(|standing| standing.id <= newest) {
                follower.is_put_back(standing);
            }
            match page.last() {
                Some(last) if page.len() as u64 == OPEN && last.id < follower.newest => after = last.id,
                _ => return Ok(follower),
            }
        }
    }

    /// Whether a push was there when the follower began, or was looked at since.
    pub(crate) fn knows(&self, id: i64) -> bool {
        id <= self.newest
    }

    /// A line was shown: a push that has come to its end needs no other.
    pub(crate) fn shown(&mut self, row: Row) {
        let (Some(id), Some(state)) = (row.int("id"), PushState::parse(&row.text("state"))) else { return };
        if state.is_final() {
            self.open.remove(&id);
        } else if state == PushState::Retrying {
            let attempts = row.int("attempts").and_then(|attempts| u32::try_from(attempts).ok());
            self.open.insert(id, attempts);
        }
    }

    /// Hands out the pushes that ended or were put back since the last look, as far as `wanted` lets them through.
    /// Returns whether there is more to see at once.
    ///
    /// # Errors
    ///
    /// Those of the store, and of `show`.
    pub(crate) async fn look<E: From<StoreError>>(
        &mut self,
        source: &impl Source,
        wanted: &Filter,
        mut show: impl FnMut(&Table, usize) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut news = BTreeSet::new();
        let made = source.standings(self.newest, false, MADE).await?;
        for standing in &made {
            self.newest = standing.id;
            if standing.state.is_final() || self.is_put_back(standing) {
                news.insert(standing.id);
            }
        }
        let older = self.open.keys().rev().nth(OPEN as usize).copied();
        self.compare(source, older.unwrap_or(0), &mut news).await?;
        if let Some(older) = older {
            let end = self.compare(source, self.turn, &mut news).await?;
            self.turn = if end >= older { 0 } else { end };
        }
        let news: Vec<i64> = news.into_iter().collect();
        for ids in news.chunks(LINES) {
            let wanted = Filter { ids: Some(ids.to_vec()), limit: None, oldest_first: true, ..wanted.clone() };
            let table = source.lines(&wanted).await?;
            for (index, row) in rows(&table).enumerate() {
                // It may have gone on since: then it is shown when it comes to rest.
                let state = PushState::parse(&row.text("state"));
                if state.is_some_and(|state| state.is_final() || state == PushState::Retrying) {
                    self.shown(row);
                    show(&table, index)?;
                }
            }
        }
        Ok(made.len() as u64 == MADE)
    }

    /// Compares the open pushes after an id with what is known of them. Returns how far it came.
    async fn compare(&mut self, source: &impl Source, after: i64, news: &mut BTreeSet<i64>) -> Result<i64, StoreError> {
        let page = source.standings(after, true, OPEN).await?;
        let is_whole = (page.len() as u64) < OPEN;
        let end = page.last().filter(|_| !is_whole).map_or(self.newest, |last| last.id.min(self.newest));
        let open: BTreeSet<i64> = page.iter().map(|standing| standing.id).collect();
        if after < end {
            let ended: Vec<i64> =
                self.open.range(after + 1..=end).map(|(id, _)| *id).filter(|id| !open.contains(id)).collect();
            for id in ended {
                self.open.remove(&id);
                news.insert(id);
            }
        }
        // What is newer is read with the pushes made meanwhile.
        let newest = self.newest;
        for standing in page.iter().filter(|standing| standing.id <= newest) {
            if self.is_put_back(standing) {
                news.insert(standing.id);
            }
        }
        Ok(end)
    }

    /// Notes an open push; whether it was put back since it was last seen.
    fn is_put_back(&mut self, standing: &Standing) -> bool {
        let Standing { id, state, attempts } = *standing;
        let known = self.open.entry(id).or_default();
        let is_news = state == PushState::Retrying && *known != Some(attempts);
        if is_news {
            *known = Some(attempts);
        }
        is_news
    }
}

#[cfg(test)]
mod tests;
