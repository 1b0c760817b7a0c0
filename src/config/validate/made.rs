//! Contents that are made for each fire.

use std::time::Duration;

use super::super::diagnostics::Place;
use super::super::draft::PushDraft;
use super::Validator;
use crate::domain::{ContentFrom, ContentSource, Overlap, WhenEmpty};
use crate::policy::content::takes_content;

impl Validator<'_> {
    /// Refuses a content that could not be had, or that nobody would send.
    pub(super) fn check_content(&mut self, content: &ContentFrom, pushes: &[PushDraft], overlap: Overlap, at: Place) {
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
        match &content.source {
            ContentSource::Http(http) if http.url.starts_with("http://") && !self.allow_private => {
                self.diagnostics
                    .error(at, "content_from: http: expected an address that begins with https://")
                    .hint("daemon.media_allow_private allows http:// and private addresses");
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
}
