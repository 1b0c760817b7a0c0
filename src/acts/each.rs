//! The same act on many pushes, one after the other: one that cannot be done keeps no other from it.

use super::by_hand::Acts;
use super::done::Done;
use crate::answers::refusal::{Kind, Refusal};

/// What is done to each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToPush {
    Retry,
    Cancel,
    Resolve { sent: bool },
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Each {
    /// Those that it was done to.
    pub done: Vec<i64>,
    pub refused: Vec<i64>,
    /// Those that were not tried, since the database is out of reach.
    pub untried: Vec<i64>,
}

impl Acts {
    /// Does it to each of these pushes, and hands out what came of each at once.
    pub(crate) async fn each(
        &self,
        act: ToPush,
        push_ids: &[i64],
        mut tell: impl FnMut(Result<Done, Refusal>),
    ) -> Each {
        let mut each = Each::default();
        for (index, &push_id) in push_ids.iter().enumerate() {
            let done = match act {
                ToPush::Retry => self.retry(push_id).await,
                ToPush::Cancel => self.cancel(push_id).await,
                ToPush::Resolve { sent } => self.resolve(push_id, sent).await,
            };
            let is_over = matches!(&done, Err(refusal) if matches!(refusal.kind, Kind::OutOfReach | Kind::Broken));
            match &done {
                Ok(_) => each.done.push(push_id),
                Err(_) => each.refused.push(push_id),
            }
            tell(done);
            if is_over {
                each.untried = push_ids[index + 1..].to_vec();
                break;
            }
        }
        each
    }
}
