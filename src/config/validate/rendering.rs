//! How pushes are rendered: what their templates know, and what is wrong with them.

use std::collections::BTreeSet;

use super::super::diagnostics::Place;
use super::super::draft::PushDraft;
use super::super::templates;
use super::{About, Validator};
use crate::domain::Rendering;
use crate::policy::content::takes_content;
use crate::render;
use crate::texts;

impl Validator<'_> {
    /// How a push is rendered, if it is: what is wrong with its templates is told, and what goes out as it stands.
    pub(super) fn rendering(
        &mut self,
        file: u16,
        draft: &PushDraft,
        wanted: bool,
        about: About<'_>,
    ) -> Option<Box<Rendering>> {
        if !draft.render.unwrap_or(wanted) {
            templates::literal(&draft.marks, file, self.sources, self.diagnostics);
            return None;
        }
        let About { timezone, days, content } = about;
        let lists = self.expansion.lists(draft.recipients.as_deref());
        // Of recipients with whom something is wrong any name may be a column: nothing false is told of it.
        let (lists, unknown) = match lists {
            Some(lists) => (lists, BTreeSet::new()),
            None => (Vec::new(), self.templates.perhaps_columns(&draft.marks)),
        };
        let mut rendering = Rendering {
            keeps_text: content.is_some() && takes_content(&draft.spec),
            content: content.cloned(),
            fields: lists.iter().flat_map(|list| list.fields.clone()).chain(unknown).collect(),
            trusts_fields: !lists.is_empty() && lists.iter().all(|list| list.trusted),
            ..Rendering::in_zone(timezone)
        };
        // Of several lists that a job names, it goes by that of its workdays.
        let list = days.and_then(|days| days.calendars().into_iter().next());
        let list = list.filter(|_| self.templates.ask_for_days(&draft.marks));
        rendering.counts = self.templates.count(&draft.marks);
        rendering.calendar = list.map(|list| list.digest.clone());
        let (how, place) = ((&rendering, list.and_then(|list| list.list.as_ref())), (file, self.sources));
        self.templates.rendered(&draft.marks, how, place, self.environment, self.diagnostics);
        let target = draft.places.target;
        if render::is_template(draft.spec.target.id()) {
            let place = Place { file, at: target.at, len: target.len };
            let message = texts::target_is_no_template();
            self.diagnostics.error(place, message);
        }
        // What no text asks for is not looked up.
        let asks = |name: &str| draft.marks.iter().any(|mark| mark.text.contains(name));
        rendering.fields.sort_unstable();
        rendering.fields.dedup();
        rendering.fields.retain(|field| asks(field));
        rendering.content = rendering.content.filter(|_| ["output", "data", "previous"].into_iter().any(asks));
        if let Some(known) = &mut rendering.content {
            known.previous = asks("previous");
        }
        // Most pushes of a file that renders have nothing to render, and stay as they are.
        draft.marks.iter().any(|mark| render::is_template(&mark.text)).then(|| Box::new(rendering))
    }
}
