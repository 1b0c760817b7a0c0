//! Messages whose texts are templates: what is to be known for rendering them, and who does it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::calendar::Calendar;
use super::job::Trigger;
use super::message::{Message, Target};
use super::templating::Rendering;
use super::time::UtcMs;

/// What a source made for the fire of a push.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FireContent {
    /// Empty where there is none.
    pub text: String,
    pub data: Option<Value>,
    /// What was last sent to the same target, in the same form.
    pub previous: Option<Value>,
}

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
    pub content: Option<&'a Arc<FireContent>>,
    /// What a list says of the recipient.
    pub columns: Option<&'a Map<String, Value>>,
}

/// Makes messages of templates.
pub trait Render: Send + Sync {
    /// The message with its texts rendered.
    ///
    /// # Errors
    ///
    /// In words for people, with the place: whatever keeps a text from being rendered within its bounds.
    fn render(&self, message: &Message, rendering: &Rendering, facts: &Facts<'_>) -> Result<Message, String>;

    /// The arguments of a program, each by itself: no value of theirs becomes two.
    ///
    /// # Errors
    ///
    /// As for a message.
    fn arguments(&self, arguments: &[String], rendering: &Rendering, facts: &Facts<'_>) -> Result<Vec<String>, String> {
        let _ = (arguments, rendering, facts);
        Err("nobody is there to render it (a bug of pushcron)".to_owned())
    }
}
