//! `--wait`: what became of pushes that a daemon was asked to send.

use std::io::{self, Write};

use super::args::Show;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::{pushes, say};
use crate::acts::Acts;
use crate::answers::rows::rows;
use crate::domain::PushState;

/// With `wait`, shows what became of these pushes once all are final. Without, says so if nobody is there to send
/// them.
///
/// # Errors
///
/// When the daemon that is waited for is gone.
pub(super) async fn or_tell(context: &Context, acts: &Acts<'_>, push_ids: &[i64], wait: bool) -> Result<Exit, Failure> {
    if !wait {
        if !context.daemon_runs()? {
            writeln!(io::stderr(), "pushcron: no daemon runs on this database; one that starts will send")?;
        }
        return Ok(Exit::Done);
    }
    let table = acts.follow(push_ids, || context.daemon_runs()).await?;
    let show = Show::default();
    let zone = context.whereabouts()?.timezone;
    say::aloud(|out| pushes::print(out, show, &zone, &table));
    // A push whose row is gone has nothing to show for it.
    let sent = rows(&table).filter(|row| row.text("state") == PushState::Sent.as_str()).count();
    Ok(if sent == push_ids.len() { Exit::Done } else { Exit::Failed })
}
