//! `--wait`: what became of pushes that a daemon was asked to send.

use std::io::{self, Write};
use std::time::Duration;

use super::args::Show;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::{history, say};
use crate::answers::rows::rows;
use crate::domain::PushState;
use crate::store::{Filter, History, Table, View};

/// How often the states are looked up: soon enough for a person, and no load for the database.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// With `wait`, shows what became of these pushes once all are final. Without, says so if nobody is there to send
/// them.
///
/// # Errors
///
/// When the daemon that is waited for is gone.
pub async fn or_tell(context: &Context, store: &dyn History, pushes: &[i64], wait: bool) -> Result<Exit, Failure> {
    if wait {
        until_final(context, store, pushes).await?;
        return show(context, store, pushes).await;
    }
    if !context.daemon_runs()? {
        writeln!(io::stderr(), "pushcron: no daemon runs on this database; one that starts will send")?;
    }
    Ok(Exit::Done)
}

async fn until_final(context: &Context, store: &dyn History, pushes: &[i64]) -> Result<(), Failure> {
    for id in pushes {
        while !store.push_state(*id).await?.is_none_or(PushState::is_final) {
            if !context.daemon_runs()? {
                let text = "no daemon runs on this database to wait for; the pushes are recorded, and one that starts will send";
                return Err(Failure::new(Exit::OutOfReach, text));
            }
            context.clock.sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
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
