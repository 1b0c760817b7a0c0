//! Messages whose texts are templates: what is to be known for rendering them, and who does it.

use std::sync::Arc;

use super::calendar::Calendar;
use super::job::{Rendering, Trigger};
use super::message::{Message, Target};
use super::time::UtcMs;

/// What templates can tell of their push.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub due_at: UtcMs,
    pub now: UtcMs,
    pub job: Option<&'a str>,
    /// How often the job has fired by its schedule up to this instant, where the rendering counts that.
    pub run: u64,
    pub trigger: Trigger,
    /// An instant of the past that is made up for.
    pub backfill: bool,
    /// The list of days that the rendering names.
    pub calendar: Option<&'a Arc<Calendar>>,
    pub account: &'a str,
    pub im: &'a str,
    pub target: &'a Target,
}

/// Makes messages of templates.
pub trait Render: Send + Sync {
    /// The message with its texts rendered.
    ///
    /// # Errors
    ///
    /// In words for people, with the place: whatever keeps a text from being rendered within its bounds.
    fn render(&self, message: &Message, rendering: &Rendering, facts: &Facts<'_>) -> Result<Message, String>;
}
