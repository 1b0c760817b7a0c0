//! The message of one push, text by text.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::check::{is_template, with_place};
use super::engine::Templates;
use super::foreign::{Place, without_completed};
use super::limits::Budget;
use super::stack::with_room_for;
use super::values::Known;
use crate::domain::{Body, Facts, Item, Media, Message, Render, Rendering, is_blank};

impl Render for Templates {
    fn render(&self, message: &Message, rendering: &Rendering, facts: &Facts<'_>) -> Result<Message, String> {
        // The thread that writes the database must outlive a fault of the engine.
        let rendered = catch_unwind(AssertUnwindSafe(|| Work::new(self, rendering, facts)?.message(message)));
        rendered.unwrap_or_else(|_| Err(BROKEN.to_owned()))
    }

    fn arguments(&self, arguments: &[String], rendering: &Rendering, facts: &Facts<'_>) -> Result<Vec<String>, String> {
        let rendered = catch_unwind(AssertUnwindSafe(|| {
            let mut work = Work::new(self, rendering, facts)?;
            let one = |(index, argument): (usize, &String)| {
                let mut argument = argument.clone();
                work.render(&format!("command[{index}]"), Place::Source, &mut argument)?;
                match argument.contains('\0') {
                    true => Err(format!("command[{index}]: a NUL character cannot stand in an argument")),
                    false => Ok(argument),
                }
            };
            arguments.iter().enumerate().map(one).collect()
        }));
        rendered.unwrap_or_else(|_| Err(BROKEN.to_owned()))
    }
}

const BROKEN: &str = "the template engine broke down (a bug of pushcron)";

/// One message under way.
struct Work<'a> {
    templates: &'a Templates,
    known: Arc<Known>,
    budget: Budget,
    keeps_text: bool,
}

impl<'a> Work<'a> {
    fn new(templates: &'a Templates, rendering: &Rendering, facts: &Facts<'_>) -> Result<Work<'a>, String> {
        let known = Known::new(rendering, facts)?;
        Ok(Work { templates, known, budget: Budget::default(), keeps_text: rendering.keeps_text })
    }

    fn message(&mut self, message: &Message) -> Result<Message, String> {
        let mut message = message.clone();
        self.maybe("title", &mut message.title)?;
        match &mut message.body {
            Body::Text { .. } if self.keeps_text => {}
            Body::Text { text } => {
                self.render("text", Place::Text, text)?;
                if is_blank(text) {
                    return Err("text: the template leaves nothing to see".to_owned());
                }
            }
            Body::Image(media) | Body::Voice(media) | Body::Video(media) | Body::File(media) => {
                self.media("", media)?
            }
            Body::Mixed { items } => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.item(index, item)?;
                }
                let is_blank =
                    |item: &Item| matches!(item, Item::Text { text } | Item::Markdown { text } if is_blank(text));
                if items.iter().all(is_blank) {
                    return Err("mixed: the templates leave nothing to see".to_owned());
                }
            }
        }
        Ok(message)
    }

    fn item(&mut self, index: usize, item: &mut Item) -> Result<(), String> {
        match item {
            Item::Text { text } => self.render(&format!("mixed[{index}]: text"), Place::Text, text),
            Item::Markdown { text } => self.render(&format!("mixed[{index}]: markdown"), Place::Markdown, text),
            Item::Image(media) | Item::Voice(media) | Item::Video(media) | Item::File(media) => {
                self.media(&format!("mixed[{index}]: "), media)
            }
            Item::At { user } => self.user(&format!("mixed[{index}]: at"), user),
            Item::AtAll => Ok(()),
        }
    }

    /// Who is called. Everybody is called by `at_all` alone, whatever a value says.
    fn user(&mut self, key: &str, user: &mut String) -> Result<(), String> {
        if !is_template(user) {
            return Ok(());
        }
        self.render(key, Place::Source, user)?;
        match user.trim().trim_start_matches('@').to_ascii_lowercase().as_str() {
            "" => Err(format!("{key}: the template leaves nobody to call")),
            "all" | "room" | "everyone" | "here" => {
                Err(format!("{key}: expected the id of a user, got '{user}', which calls everybody"))
            }
            _ => Ok(()),
        }
    }

    fn media(&mut self, owner: &str, media: &mut Media) -> Result<(), String> {
        self.render(&format!("{owner}source"), Place::Source, &mut media.source)?;
        if let Some(cover) = &mut media.cover {
            self.render(&format!("{owner}cover"), Place::Source, cover)?;
        }
        if let Some(filename) = &mut media.filename {
            self.render(&format!("{owner}filename"), Place::Source, filename)?;
            if filename.is_empty() || filename.contains(['/', '\\']) || filename.contains(char::is_control) {
                return Err(format!("{owner}filename: expected a file name without a directory, got '{filename}'"));
            }
        }
        self.maybe(&format!("{owner}caption"), &mut media.caption)
    }

    /// A text that counts as absent when nothing is left of it.
    fn maybe(&mut self, key: &str, text: &mut Option<String>) -> Result<(), String> {
        let Some(template) = text else { return Ok(()) };
        self.render(key, Place::Text, template)?;
        if template.is_empty() {
            *text = None;
        }
        Ok(())
    }

    fn render(&mut self, key: &str, place: Place, text: &mut String) -> Result<(), String> {
        if !is_template(text) {
            return Ok(());
        }
        let values = self.templates.values(place, &self.known);
        *text = with_room_for(text, || {
            let rendered = self.templates.text(text, &values, &mut self.budget);
            rendered.map_err(|error| format!("{key}: {}", with_place(&error, text)))
        })
        .map(|rendered| match place {
            Place::Text | Place::Markdown if !self.known.trusts_any() => without_completed(text, rendered),
            Place::Text | Place::Markdown | Place::Source => rendered,
        })?;
        Ok(())
    }
}
