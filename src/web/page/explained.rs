//! What `pushcron explain` tells, on a page.

use super::frame::Frame;
use crate::answers::explain::Explanation;
use crate::answers::refusal::{Kind, Refusal};
use crate::answers::when::{self, TimeRange};
use crate::domain::UtcMs;
use crate::store::{PushStory, StoreError};
use crate::texts;
use crate::web::state::Api;

/// A day of a job with many targets has thousands.
const MOST_LINES: usize = 100;

/// The answer to a time that somebody asked about.
#[derive(Default)]
pub(super) struct Explained {
    pub lines: Vec<String>,
    /// From when until when that time is, where it is one.
    pub of: Option<(UtcMs, UtcMs)>,
}

impl Api {
    /// Why a job fired at a time that a person named, or did not. A time that means nothing is told as such.
    pub(super) async fn told_at(&self, job: &str, time: &str, f: &Frame) -> Result<Explained, Refusal> {
        match Explanation::read(&*self.reader, job, time, f.now).await {
            Ok(explained) => {
                let of = Some((explained.asked.from, explained.asked.until));
                Ok(Explained { lines: lines(&explained, f), of })
            }
            Err(refusal) if refusal.kind == Kind::Senseless => {
                Ok(Explained { lines: vec![f.say(refusal.text)], of: None })
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// What happened to one push, and why its job fired. Nothing of one outside any job, whose page says all.
    pub(super) async fn told_of(&self, story: &PushStory, id: i64, f: &Frame) -> Result<Vec<String>, StoreError> {
        let Some(job) = &story.job else { return Ok(Vec::new()) };
        let due_at = story.fire.due_at;
        let asked = TimeRange { from: due_at, until: UtcMs(due_at.0 + 1), note: None };
        // The definitions of a job that is long gone may be pruned.
        let Ok(mut explained) = Explanation::of_range(&*self.reader, job, asked).await else { return Ok(Vec::new()) };
        for fire in &mut explained.story.fires {
            fire.pushes.retain(|push| push.id == id);
        }
        explained.story.fires.retain(|fire| !fire.pushes.is_empty());
        Ok(if explained.story.fires.is_empty() { Vec::new() } else { lines(&explained, f) })
    }
}

/// This process is the daemon that the words ask for.
fn lines(explained: &Explanation, f: &Frame) -> Vec<String> {
    let zone = f.whole_zone().map_or_else(|| explained.zone(), when::zone);
    let mut lines = explained.lines(zone, f.now, true, &[], f.language());
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        lines.push(f.say(texts::told_all_of_it(&explained.story.job)));
    }
    lines
}
