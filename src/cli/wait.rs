//! `--wait`: what became of pushes that a daemon was asked to send.

use std::io::{self, Write};

use super::args::Show;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::{history, say};
use crate::acts;
use crate::answers::rows::rows;
use crate::domain::PushState;
use crate::store::{Filter, History, Table, View};

/// With `wait`, shows what became of these pushes once all are final. Without, says so if nobody is there to send
/// them.
///
/// # Errors
///
/// When the daemon that is waited for is gone.
pub async fn or_tell(context: &Context, store: &dyn History, pushes: &[i64], wait: bool) -> Result<Exit, Failure> {
    if wait {
        acts::until_final(store, &context.clock, pushes, || context.daemon_runs()).await?;
        return show(context, store, pushes).await;
    }
    if !context.daemon_runs()? {
        writeln!(io::stderr(), "pushcron: no daemon runs on this database; one that starts will send")?;
    }
    Ok(Exit::Done)
}

/// Done when everything was sent.
async fn show(context: &Context, store: &dyn History, pushes: &[i64]) -> Result<Exit, Failure> {
    let mut table = Table::default();
    for id in pushes {
        let filter = Filter { push_id: Some(*id), ..Filter::default() };
        let found = store.view(View::PushHistory, &filter).await?;
        table.columns = found.columns;
        table.rows.extend(found.rows);
    }
    let show = Show { json: false, csv: false, utc: false };
    let zone = context.whereabouts()?.timezone;
    say::aloud(|out| history::print(out, show, &zone, &table));
    // A push whose row is gone has nothing to show for it.
    let sent = rows(&table).filter(|row| row.text("state") == PushState::Sent.as_str()).count();
    Ok(if sent == pushes.len() { Exit::Done } else { Exit::Failed })
}
