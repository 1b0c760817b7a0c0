//! What others wrote: the newest write is looked at.

use async_trait::async_trait;
use sqlx::postgres::PgConnection;

use super::fault::Result;
use super::numbers::settled;
use super::session::Write;
use super::store::PostgresStore;
use crate::store::changes::Changes;
use crate::store::error::StoreResult;
use crate::store::pause::Pause;

#[async_trait]
impl Changes for PostgresStore {
    async fn changed(&self, pause: &Pause) -> StoreResult<()> {
        loop {
            let settled = self.watcher.read(Settled).await?;
            if self.changed.is_news(settled) {
                return Ok(());
            }
            pause().await;
        }
    }
}

struct Settled;

impl Write for Settled {
    type Answer = i64;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<i64> {
        settled(conn).await
    }
}
