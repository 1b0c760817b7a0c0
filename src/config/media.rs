//! Media of a push: where it comes from and how it is to appear.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::decoder::Decoder;
use super::keys::MEDIA_KEYS;
use super::yaml::{Entry, Node, Value};
use crate::domain::Media;
use crate::texts::{self, Text};

/// People paste base64 with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Decoder<'_> {
    /// A source alone, or a mapping with more.
    pub(super) fn media(&mut self, key: &str, node: &Node) -> Option<Media> {
        if !matches!(node.value(), Value::Map(_)) {
            return Some(Media { source: self.source(key, node)?, ..Media::default() });
        }
        let mut media = Media::default();
        let mut complete = true;
        for entry in self.map(key, node)? {
            complete &= self.media_key(key, entry, &mut media);
        }
        if media.source.is_empty() && complete {
            self.error(node.at, texts::expected(key, texts::a_source())).hint(texts::write_the_source());
        }
        (!media.source.is_empty()).then_some(media)
    }

    /// Takes over one key of a media mapping. Returns false where it was wrong.
    pub(super) fn media_key(&mut self, owner: &str, entry: &Entry, media: &mut Media) -> bool {
        let (key, node) = (&*entry.key, &entry.node);
        let done = match key {
            "source" => self.source("source", node).map(|source| media.source = source),
            "filename" | "fileName" | "file_name" => self.file_name(key, node).map(|name| media.filename = name),
            "mime_type" | "mimeType" => self.mime_type(key, node).map(|mime| media.mime_type = mime),
            "caption" => {
                self.warn_of_cut(entry);
                self.optional_text(key, node).map(|caption| media.caption = caption)
            }
            "cover" => self.source("cover", node).map(|cover| media.cover = Some(cover)),
            _ => {
                self.unknown_key(entry, Text::same(owner.to_owned()), MEDIA_KEYS);
                None
            }
        };
        done.is_some()
    }

    /// A text that counts as absent when it is empty. The outer Option is None after an error.
    pub(super) fn optional_text(&mut self, key: &str, node: &Node) -> Option<Option<String>> {
        if node.is_null() {
            return Some(None);
        }
        self.text(key, node).map(|text| (!text.is_empty()).then(|| text.into_owned()))
    }

    pub(super) fn file_name(&mut self, key: &str, node: &Node) -> Option<Option<String>> {
        let name = self.optional_text(key, node)?;
        if name.as_deref().is_some_and(|name| name.contains(['/', '\\']) || name.contains(char::is_control)) {
            self.wrong(key, node, texts::a_bare_file_name());
            return None;
        }
        Some(name)
    }

    pub(super) fn mime_type(&mut self, key: &str, node: &Node) -> Option<Option<String>> {
        let mime = self.optional_text(key, node)?;
        let fits = |mime: &str| {
            mime.split_once('/').is_some_and(|(main, sub)| {
                let word = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c);
                !main.is_empty() && !sub.is_empty() && main.chars().chain(sub.chars()).all(word)
            })
        };
        if mime.as_deref().is_some_and(|mime| !fits(mime)) {
            self.wrong(key, node, texts::a_media_type());
            return None;
        }
        Some(mime)
    }

    /// A path taken from the file's directory. Where the file was named by a link, what lies beside the link counts, so
    /// that a link that moves takes its media along; what only lies where it leads is found there.
    fn absolute(&self, path: &str) -> String {
        let path = path.strip_prefix("./").unwrap_or(path);
        let (named, real) = (self.named_dir.join(path), self.dir.join(path));
        let is_there_only = self.named_dir != self.dir && !named.exists() && real.exists();
        (if is_there_only { real } else { named }).to_string_lossy().into_owned()
    }

    /// An address, inline content, or a path; relative paths become absolute here, where the file's directory is
    /// known.
    pub(super) fn source(&mut self, key: &str, node: &Node) -> Option<String> {
        let text = self.text(key, node)?;
        let form = source_form(&text);
        let is_file = matches!(form, Form::Path) || (matches!(form, Form::Address) && text.starts_with("file:"));
        if is_file && self.is_beside(key, node.at, texts::the_file()) {
            return Some(text.into_owned());
        }
        let problem = match form {
            Form::Address | Form::Inline => return Some(text.into_owned()),
            Form::Path if text.starts_with('/') => return Some(text.into_owned()),
            Form::Path => return Some(self.absolute(&text)),
            Form::Bad(problem) => problem,
        };
        // The content itself is never shown: it can be long, and addresses can hold a token.
        self.error(node.at, texts::of_key(key, problem)).hint(texts::forms_of_a_source());
        None
    }
}

enum Form {
    Address,
    Inline,
    Path,
    Bad(Text),
}

fn source_form(text: &str) -> Form {
    if text.is_empty() {
        return Form::Bad(texts::empty_source());
    }
    if let Some(content) = text.strip_prefix("base64://") {
        return inline(content);
    }
    if let Some(content) = text.strip_prefix("data:") {
        return match content.split_once(";base64,") {
            Some((_, content)) => inline(content),
            None => Form::Bad(texts::form_of_data()),
        };
    }
    let has_scheme = text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    if !has_scheme {
        return if text.contains('\0') { Form::Bad(texts::path_with_nul()) } else { Form::Path };
    }
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Form::Address,
        Ok(url) if url.scheme() == "file" && url.to_file_path().is_ok() => Form::Address,
        Ok(_) => Form::Bad(texts::other_scheme()),
        Err(_) => Form::Bad(texts::address_unreadable()),
    }
}

fn inline(content: &str) -> Form {
    // Folded over several lines, and percent-encoded where it was cut out of a page.
    let content: String = content.split_ascii_whitespace().collect();
    match BASE64.decode(percent_encoding::percent_decode_str(&content).collect::<Vec<u8>>()) {
        Ok(bytes) if bytes.is_empty() => Form::Bad(texts::inline_is_empty()),
        Ok(_) => Form::Inline,
        Err(_) => Form::Bad(texts::inline_not_base64()),
    }
}
