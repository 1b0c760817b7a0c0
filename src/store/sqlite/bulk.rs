//! Calls about pushes that wait in the queue side by side and are run as one statement.

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::fault::Result;
use super::writer::Reply;
use crate::store::StoreError;

/// A verb over a list of pushes.
#[async_trait]
pub(super) trait Bulk: Send + Sync {
    type Item: Send + Sync;
    type Answer: Send;

    fn push_id(item: &Self::Item) -> i64;
    fn answer_id(answer: &Self::Answer) -> i64;
    async fn run(conn: &mut SqliteConnection, items: &[&Self::Item]) -> Result<Vec<Self::Answer>>;
}

/// What was asked, and who waits for the answers.
type Call<B> = (Vec<<B as Bulk>::Item>, Reply<Vec<<B as Bulk>::Answer>>);

/// Some calls of one verb, no push in two of them.
pub(super) struct Calls<B: Bulk> {
    calls: Vec<Call<B>>,
    pushes: HashSet<i64>,
    answers: Vec<B::Answer>,
}

impl<B: Bulk> Calls<B> {
    pub fn one(items: Vec<B::Item>, reply: Reply<Vec<B::Answer>>) -> Calls<B> {
        let pushes = items.iter().map(B::push_id).collect();
        Calls { calls: vec![(items, reply)], pushes, answers: Vec::new() }
    }

    /// Takes in later calls, or gives them back when they speak of the same push.
    pub fn absorb(&mut self, later: Calls<B>) -> Option<Calls<B>> {
        if !self.pushes.is_disjoint(&later.pushes) {
            return Some(later);
        }
        self.pushes.extend(later.pushes);
        self.calls.extend(later.calls);
        None
    }

    pub fn split(self) -> impl Iterator<Item = Calls<B>> {
        self.calls.into_iter().map(|(items, reply)| Calls::one(items, reply))
    }

    pub async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        let items: Vec<&B::Item> = self.calls.iter().flat_map(|(items, _)| items).collect();
        self.answers = B::run(conn, &items).await?;
        Ok(())
    }

    /// Gives each caller the answers about its own pushes.
    pub fn answer(self, committed: &std::result::Result<(), StoreError>) {
        let mut answers = self.answers;
        for (items, reply) in self.calls {
            let asked: HashSet<i64> = items.iter().map(B::push_id).collect();
            let (own, others) = answers.into_iter().partition(|answer| asked.contains(&B::answer_id(answer)));
            answers = others;
            // Whoever asked may be gone; what was written stands all the same.
            let _ = reply.send(committed.clone().map(|()| own));
        }
    }
}
