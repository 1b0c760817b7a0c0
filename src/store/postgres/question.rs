//! A question as a closure: what is asked once, and changes nothing.

use std::marker::PhantomData;
use std::pin::Pin;

use sqlx::postgres::PgConnection;

use super::fault::{Fault, Result};
use super::session::Write;
use crate::store::error::StoreError;

/// What a question comes to.
pub(super) type Answer<'c, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'c>>;

/// To be asked once.
pub(super) struct Question<T, F> {
    question: Option<F>,
    answer: PhantomData<fn() -> T>,
}

impl<T, F> Question<T, F>
where
    F: for<'c> FnOnce(&'c mut PgConnection) -> Answer<'c, T>,
{
    pub(super) fn new(question: F) -> Question<T, F> {
        Question { question: Some(question), answer: PhantomData }
    }
}

impl<T, F> Write for Question<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut PgConnection) -> Answer<'c, T> + Send + 'static,
{
    type Answer = T;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<T> {
        match self.question.take() {
            Some(question) => question(conn).await,
            None => Err(Fault::Verb(StoreError::Refused("a question was asked twice (a bug of pushcron)".to_owned()))),
        }
    }
}
