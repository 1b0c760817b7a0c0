//! What is made or read at the hour of a fire: contents, and lists of recipients.

use std::time::Duration;

use super::super::diagnostics::Place;
use super::super::draft::{ContentDraft, Means, PushDraft, TargetDraft};
use super::super::templates;
use super::Validator;
use crate::domain::content::ContentHttp;
use crate::domain::{ContentFormat, ContentFrom, ContentMoment, ContentSource, Overlap, Rendering, WhenEmpty};
use crate::policy::content::takes_content;
use crate::render;

const PLAIN: &str = "'{url: …, allow_private: true}' allows http:// and private addresses here, and daemon.media_allow_private \
                     wherever something is fetched";

impl Validator<'_> {
    /// Refuses a content that could not be had, or that nobody would send.
    pub(super) fn check_content(&mut self, content: &ContentFrom, pushes: &[PushDraft], overlap: Overlap, at: Place) {
        if content.lead > Duration::ZERO && content.at == ContentMoment::Release {
            let message = "content_from: with at: release the content is made when a push can go out, and with a lead before \
                           the instant: expected one of the two";
            self.diagnostics.error(at, message);
        }
        if content.lead > Duration::ZERO && overlap != Overlap::Allow {
            let message = "content_from: lead needs overlap: allow, since whether the job fires is decided at its instant \
                           otherwise";
            self.diagnostics.error(at, message);
        }
        if content.empty == WhenEmpty::Send && pushes.iter().any(|push| takes_content(&push.spec)) {
            self.diagnostics
                .error(at, "content_from: with empty: send, every push needs a content of its own: there is nothing else to send")
                .hint("give each push a text, or write empty: skip");
        }
        if content.format == ContentFormat::Json && pushes.iter().any(|push| takes_content(&push.spec)) {
            self.diagnostics
                .error(
                    at,
                    "content_from: with format: json, every push needs a content of its own: JSON is not for people",
                )
                .hint("give each push a text with 'render: true', such as '{{ data.total }}'");
        }
        match &content.source {
            ContentSource::Http(http) if self.is_too_plain(http) => {
                self.diagnostics
                    .error(at, "content_from: http: expected an address that begins with https://")
                    .hint(PLAIN);
            }
            ContentSource::File(file) => {
                if let Some((problem, hint)) = self.doubt_media(&file.path.to_string_lossy(), false) {
                    let problem = problem.replace("will not be sent", "will not be read");
                    self.diagnostics.warning(at, format!("content_from: {problem}")).hint(hint);
                }
            }
            _ => {}
        }
    }

    /// Whether everybody on the way could read and change what is fetched, and nobody said that this is meant.
    fn is_too_plain(&self, http: &ContentHttp) -> bool {
        http.url.starts_with("http://") && !self.allow_private && !http.allow_private
    }

    /// Warns of lists that could not be read now.
    pub(super) fn check_lists(&mut self, targets: &[TargetDraft]) {
        for target in targets {
            let Means::Recipients(draft) = &target.means else { continue };
            let at = draft.ids.first().map_or(draft.im_at, |(_, at)| *at);
            match draft.list.as_ref().map(|list| &list.source) {
                Some(ContentSource::Http(http)) if self.is_too_plain(http) => {
                    self.diagnostics.error(at, "from: expected an address that begins with https://").hint(PLAIN);
                }
                Some(ContentSource::File(file)) => {
                    if let Some((problem, hint)) = self.doubt_media(&file.path.to_string_lossy(), true) {
                        let problem = problem.replace("will not be sent", "will not be read");
                        self.diagnostics.warning(at, format!("from: {problem}")).hint(hint);
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
