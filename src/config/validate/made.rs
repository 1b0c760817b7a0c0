//! What is made or read at the hour of a fire: contents, and lists of recipients.

use std::time::Duration;

use super::super::address;
use super::super::diagnostics::Place;
use super::super::draft::{ContentDraft, Means, PushDraft, TargetDraft};
use super::super::templates;
use super::Validator;
use crate::domain::content::ContentHttp;
use crate::domain::{ContentFormat, ContentFrom, ContentMoment, ContentSource, Overlap, Rendering, WhenEmpty};
use crate::policy::content::takes_content;
use crate::render;
use crate::texts;

impl Validator<'_> {
    /// Refuses a content that could not be had, or that nobody would send.
    pub(super) fn check_content(&mut self, content: &ContentFrom, pushes: &[PushDraft], overlap: Overlap, at: Place) {
        if content.lead > Duration::ZERO && content.at == ContentMoment::Release {
            let message = texts::release_or_lead();
            self.diagnostics.error(at, message);
        }
        if content.lead > Duration::ZERO && overlap != Overlap::Allow {
            let message = texts::lead_needs_overlap();
            self.diagnostics.error(at, message);
        }
        if content.empty == WhenEmpty::Send && pushes.iter().any(|push| takes_content(&push.spec)) {
            self.diagnostics.error(at, texts::empty_send_needs_content()).hint(texts::give_a_text_or_skip());
        }
        if content.format == ContentFormat::Json && pushes.iter().any(|push| takes_content(&push.spec)) {
            self.diagnostics
                .error(at, texts::json_needs_content())
                .hint(texts::give_a_rendered_text("{{ data.total }}"));
        }
        match &content.source {
            ContentSource::Http(http) => self.check_address(http, "content_from: http", at),
            ContentSource::File(file) => {
                if let Some((doubtful, hint)) = self.doubt_media(&file.path.to_string_lossy(), false) {
                    let problem = doubtful.told(texts::read());
                    self.diagnostics.warning(at, texts::of_key("content_from", problem)).hint(hint);
                }
            }
            _ => {}
        }
    }

    /// Refuses an address that nothing is fetched from, and nobody said that it is meant.
    fn check_address(&mut self, http: &ContentHttp, key: &str, at: Place) {
        if self.allow_private || http.allow_private {
            return;
        }
        if let Some(problem) = address::refused(&http.url, true) {
            let hint = texts::allow_private_here("{url: …, allow_private: true}");
            self.diagnostics.error(at, texts::of_key(key, problem)).hint(hint);
        }
    }

    /// Warns of lists that could not be read now.
    pub(super) fn check_lists(&mut self, targets: &[TargetDraft]) {
        for target in targets {
            let Means::Recipients(draft) = &target.means else { continue };
            let at = draft.ids.first().map_or(draft.im_at, |(_, at)| *at);
            match draft.list.as_ref().map(|list| &list.source) {
                Some(ContentSource::Http(http)) => self.check_address(http, "from", at),
                Some(ContentSource::File(file)) => {
                    if let Some((doubtful, hint)) = self.doubt_media(&file.path.to_string_lossy(), true) {
                        let problem = doubtful.told(texts::read());
                        self.diagnostics.warning(at, texts::of_key("from", problem)).hint(hint);
                    }
                }
                _ => {}
            }
        }
    }

    /// A content whose arguments, if they are templates, are found to be some.
    pub(super) fn arguments(
        &mut self,
        file: u16,
        draft: ContentDraft,
        renders: bool,
        timezone: &str,
    ) -> Box<ContentFrom> {
        let ContentDraft { mut content, marks, .. } = draft;
        let place = (file, self.sources);
        if !renders {
            templates::literal_argument(&marks, file, self.sources, self.diagnostics);
        } else if let ContentSource::Command(command) = &mut content.source {
            let rendering = Rendering::in_zone(timezone);
            self.templates.arguments(&marks, &rendering, place, self.environment, self.diagnostics);
            command.render = marks.iter().any(|mark| render::is_template(&mark.text)).then_some(rendering);
        }
        Box::new(content)
    }
}
