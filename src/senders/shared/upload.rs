//! Media on its way to a platform: read from disk while it goes out, so that a film costs no more memory than a word.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::multipart::Part;
use reqwest::{Body, RequestBuilder};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::failure::Failure;
use crate::domain::{Locked, MediaFile, UtcMs};

const CHUNK_BYTES: usize = 64 * 1024;

/// The file as one part of a multipart form, under its own name and type.
///
/// # Errors
/// The report of the attempt: nothing was sent, the file cannot be read.
pub(crate) async fn part(file: &MediaFile) -> Result<Part, Failure> {
    let part = Part::stream_with_length(body(file).await?, file.len).file_name(file.filename.clone());
    // An unusable type would take the part with it.
    let mime_type = match Part::text("").mime_str(&file.mime_type) {
        Ok(_) => &file.mime_type,
        Err(_) => "application/octet-stream",
    };
    part.mime_str(mime_type).map_err(|_| Failure::rejected("the media has no usable type"))
}

/// `request` with the bare file as its body.
///
/// # Errors
/// As for [`part`].
pub(crate) async fn raw(request: RequestBuilder, file: &MediaFile) -> Result<RequestBuilder, Failure> {
    let body = body(file).await?;
    Ok(request.header(CONTENT_TYPE, &file.mime_type).header(CONTENT_LENGTH, file.len).body(body))
}

/// Nothing was sent, since the file cannot be read.
pub(crate) fn unreadable(file: &MediaFile, error: &std::io::Error) -> Failure {
    Failure::unreachable(format!("cannot read the media '{}' from disk: {error}", file.filename))
}

async fn body(file: &MediaFile) -> Result<Body, Failure> {
    let opened = File::open(&file.path).await.map_err(|error| unreadable(file, &error))?;
    Ok(Body::wrap_stream(ReaderStream::with_capacity(opened.take(file.len), CHUNK_BYTES)))
}

/// What lies on a platform already, for the retries of its push and for the same media to many targets: a retried
/// part then has the very body of its first try.
#[derive(Default)]
pub(crate) struct Uploads {
    known: Mutex<HashMap<String, (String, UtcMs)>>,
}

/// How long an upload is used again.
const UPLOAD_LASTS: Duration = Duration::from_secs(3600);

/// How many are remembered. What is forgotten is uploaded once more.
const MOST_UPLOADS: usize = 10_000;

impl Uploads {
    /// The platform's name for a file put there as `form`, unless that was too long ago.
    pub(crate) fn get(&self, file: &MediaFile, form: &str, now: UtcMs) -> Option<String> {
        let known = self.known.locked();
        let (name, at) = known.get(&key(file, form))?;
        (now.since(*at) < UPLOAD_LASTS).then(|| name.clone())
    }

    pub(crate) fn put(&self, file: &MediaFile, form: &str, name: &str, now: UtcMs) {
        let mut known = self.known.locked();
        if known.len() >= MOST_UPLOADS {
            known.retain(|_, (_, at)| now.since(*at) < UPLOAD_LASTS);
            if known.len() >= MOST_UPLOADS {
                known.clear();
            }
        }
        known.insert(key(file, form), (name.to_owned(), now));
    }
}

fn key(file: &MediaFile, form: &str) -> String {
    format!("{} {} {form} {}", file.sha256, file.mime_type, file.filename)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(at: usize) -> MediaFile {
        MediaFile {
            path: "unread".into(),
            len: 1,
            filename: format!("{at}.bin"),
            mime_type: "image/png".into(),
            sha256: "same".into(),
            url: None,
            cover: None,
        }
    }

    #[test]
    fn what_lies_on_the_platform_is_known_for_an_hour_and_never_of_more_files_than_have_room() {
        let uploads = Uploads::default();
        for at in 0..3 * MOST_UPLOADS {
            uploads.put(&file(at), "", &at.to_string(), UtcMs(0));
            assert_eq!(uploads.get(&file(at), "", UtcMs(0)).as_deref(), Some(at.to_string().as_str()));
        }
        assert!(uploads.known.lock().unwrap().len() <= MOST_UPLOADS);
        let last = file(3 * MOST_UPLOADS - 1);
        assert!(uploads.get(&last, "", UtcMs(3_599_999)).is_some());
        assert_eq!(uploads.get(&last, "", UtcMs(3_600_000)), None);
    }
}
