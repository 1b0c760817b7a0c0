//! Doubts about media before anything is sent: files that no push could take, addresses that nothing is fetched from.

use std::path::{Component, Path, PathBuf};

use super::super::address;
use super::super::diagnostics::Place;
use super::super::draft::PushDraft;
use super::super::environment::Sight;
use super::Validator;
use crate::render;
use crate::texts::{self, Text};

impl Validator<'_> {
    /// Warns of local media that will not be sent: they lie outside of the media roots, or nowhere.
    pub(super) fn check_media(&mut self, file: u16, draft: &PushDraft, enabled: bool) {
        let media = draft.spec.message.body.media();
        let sources = media.iter().flat_map(|media| [Some(&media.source), media.cover.as_ref()]).flatten();
        // Where a template leads is not known before its hour.
        let sources = sources.filter(|source| !render::is_template(source));
        // One warning for a push is enough to look at it.
        let allow_private = self.allow_private;
        let doubt = |source: &String| match address::refused(source, false).filter(|_| !allow_private) {
            Some(problem) => Some((problem, texts::allow_private())),
            None => self.doubt_media(source, enabled).map(|(doubtful, hint)| (doubtful.told(texts::sent()), hint)),
        };
        if let Some((problem, hint)) = sources.filter_map(doubt).next() {
            let place = Place { file, at: draft.places.content.at, len: draft.places.content.len };
            self.diagnostics.warning(place, problem).hint(hint);
        }
    }

    pub(super) fn doubt_media(&mut self, source: &str, enabled: bool) -> Option<(Doubtful, Text)> {
        if self.environment.sight == Sight::Text {
            return None;
        }
        // Relative paths became absolute when they were read.
        let path = match source.starts_with("file://") {
            true => url::Url::parse(source).ok()?.to_file_path().ok()?,
            false => PathBuf::from(source),
        };
        if !path.is_absolute() {
            return None;
        }
        let path = without_dots(&path);
        let is_home = |part: Component| part.as_os_str().as_encoded_bytes().starts_with(b"~");
        let is_drive = |part: Component| match part.as_os_str().as_encoded_bytes() {
            [drive, b':', ..] => drive.is_ascii_alphabetic(),
            part => part.starts_with(b"\\\\"),
        };
        if path.components().any(is_drive) {
            return Some((Doubtful::Windows, texts::path_of_this_machine()));
        }
        if path.components().any(is_home) {
            return Some((Doubtful::Home, texts::the_directory_itself()));
        }
        if !self.roots.iter().any(|root| path.starts_with(without_dots(root))) {
            return Some((Doubtful::Outside, texts::name_its_directory()));
        }
        let leads = *self.there.entry(path).or_insert_with_key(|path| {
            let real = path.canonicalize().ok()?;
            Some(self.roots.iter().any(|root| real.starts_with(root)))
        });
        if leads == Some(false) {
            return Some((Doubtful::BehindALink, texts::name_its_real_directory()));
        }
        if enabled && leads.is_none() && source.contains(['*', '?']) {
            return Some((Doubtful::Pattern, texts::name_one_file()));
        }
        (enabled && leads.is_none()).then(|| (Doubtful::Missing, texts::must_be_there()))
    }
}

/// What is doubtful about a local file.
#[derive(Clone, Copy)]
pub(super) enum Doubtful {
    Windows,
    Home,
    Outside,
    BehindALink,
    Pattern,
    Missing,
}

impl Doubtful {
    /// For people; `done` says what will not be done with it.
    pub(super) fn told(self, done: Text) -> Text {
        match self {
            Doubtful::Windows => texts::path_of_windows(),
            Doubtful::Home => texts::home_not_expanded(),
            Doubtful::Outside => texts::file_outside(done),
            Doubtful::BehindALink => texts::file_behind_a_link(done),
            Doubtful::Pattern => texts::pattern_not_expanded(),
            Doubtful::Missing => texts::file_not_there(),
        }
    }
}

/// The path with its `.` and `..` taken out by their text.
fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}
