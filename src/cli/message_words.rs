//! What `push` and `fire` are told to say: one kind of content, in the words of the files.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueHint};
use serde_json::{Map, Value, json};
use url::Url;

use super::failure::{Exit, Failure};
use crate::domain::Message;
use crate::domain::json::as_written;

#[derive(Debug, Args)]
pub(super) struct MessageWords {
    /// A note: the text where there is no content, and the title where a protocol has one
    #[arg(long)]
    title: Option<String>,
    /// The text; `-` reads it from standard input
    #[arg(long, group = "content")]
    text: Option<String>,
    /// A file of yours, an http(s) address, base64://… or data:…
    #[arg(long, group = "content", value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    image: Option<String>,
    /// A voice message, likewise
    #[arg(long, group = "content", value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    voice: Option<String>,
    /// A video, likewise
    #[arg(long, group = "content", value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    video: Option<String>,
    /// A file, likewise
    #[arg(long, group = "content", value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    file: Option<String>,
    /// A JSON list of items, as in the files
    #[arg(long, group = "content", value_name = "JSON")]
    mixed: Option<String>,
}

impl MessageWords {
    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        let MessageWords { title, text, image, voice, video, file, mixed } = self;
        [title, text, image, voice, video, file, mixed].iter().all(|said| said.is_none())
    }

    /// Puts what was said into the mapping of a push.
    ///
    /// # Errors
    ///
    /// A text that cannot be read; items that are none.
    pub(super) fn put_into(&self, push: &mut Map<String, Value>) -> Result<(), Failure> {
        push.extend(self.title.as_ref().map(|title| ("title".to_owned(), json!(title))));
        if let Some(text) = &self.text {
            push.insert("text".to_owned(), json!(if text == "-" { from_stdin()? } else { text.clone() }));
        }
        let media = [("image", &self.image), ("voice", &self.voice), ("video", &self.video), ("file", &self.file)];
        for (key, source) in media {
            push.extend(source.as_ref().map(|source| (key.to_owned(), json!(source))));
        }
        if let Some(items) = &self.mixed {
            push.insert("mixed".to_owned(), mixed_of(items)?);
        }
        Ok(())
    }
}

/// What `--mixed` says.
pub(super) fn mixed_of(items: &str) -> Result<Value, Failure> {
    let wrong = |why: String| Failure::new(Exit::Usage, format!("--mixed: expected a JSON list of items{why}"));
    match as_written(items) {
        Ok(items @ Value::Array(_)) => Ok(items),
        Ok(_) => Err(wrong(String::new())),
        Err(error) => Err(wrong(format!(": {error}"))),
    }
}

pub(super) fn from_stdin() -> Result<String, Failure> {
    let text = io::read_to_string(io::stdin());
    let text = text.map_err(|error| Failure::new(Exit::Usage, format!("standard input: {error}")))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

/// Takes local files into the message. They are read here, by the person's own right to read them: the daemon may be
/// forbidden to, or see other files.
pub(super) fn inline(message: &mut Message, cap: u64) -> Result<(), Failure> {
    for media in message.body.media_mut() {
        if let Some(path) = local(&media.source) {
            media.source = base64_of(&path, cap)?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            media.filename = media.filename.take().or(name);
        }
        if let Some(path) = media.cover.as_deref().and_then(local) {
            media.cover = Some(base64_of(&path, cap)?);
        }
    }
    Ok(())
}

/// The path behind a source that was read by the rules of the files: relative ones are absolute by now.
fn local(source: &str) -> Option<PathBuf> {
    if source.starts_with('/') {
        return Some(PathBuf::from(source));
    }
    source.starts_with("file:").then(|| Url::parse(source).ok()?.to_file_path().ok()).flatten()
}

fn base64_of(path: &Path, cap: u64) -> Result<String, Failure> {
    let failed = |problem: String| Failure::new(Exit::Usage, format!("{}: {problem}", path.display()));
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(cap + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > cap {
        return Err(failed(format!("larger than {cap} bytes (daemon.media_max_bytes)")));
    }
    Ok(format!("base64://{}", STANDARD.encode(bytes)))
}
