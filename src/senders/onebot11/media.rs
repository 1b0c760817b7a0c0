//! How a file gets to an implementation: inside the JSON, by its path, by its address, or in chunks beforehand.

use std::path::Path;

use serde_json::json;
use url::Url;

use super::outgoing::Outgoing;
use super::product::Product;
use crate::domain::{Kind, MediaFile};
use crate::senders::shared::failure::Failure;
use crate::senders::shared::json_body::Slots;

/// NapCat holds base64 several times in memory, and streamed files up to this size too.
const STREAM_ABOVE_BYTES: u64 = 10 * 1024 * 1024;
const STREAM_CHUNK_BYTES: u64 = 1024 * 1024;
/// Longer than the longest wait for QQ's word on an upload (30 min in NapCat).
const STREAM_RETENTION_MS: u64 = 35 * 60 * 1000;

impl Outgoing<'_> {
    /// The text for `file` in a segment.
    pub(super) async fn segment_source(&mut self, kind: Kind, file: &MediaFile) -> Result<String, Failure> {
        if self.local_files {
            return file_url(&file.path);
        }
        match self.product {
            Product::NapCat { streams: true } if file.len > STREAM_ABOVE_BYTES => self.stream(file).await,
            Product::GoCqhttp if kind == Kind::Video => file.url.clone().ok_or_else(|| self.needs_path("a video")),
            _ => Ok(format!("base64://{}", self.slots.base64(file))),
        }
    }

    /// The text for `file` in `upload_group_file` and `upload_private_file`.
    pub(super) async fn upload_source(&mut self, file: &MediaFile) -> Result<String, Failure> {
        if self.local_files {
            // Lagrange and go-cqhttp open it as it stands.
            return Ok(file.path.display().to_string());
        }
        match (self.product, &file.url) {
            (Product::GoCqhttp, Some(url)) => self.download(url).await,
            (Product::GoCqhttp | Product::Lagrange, _) => Err(self.needs_path("a file")),
            _ => Ok(format!("base64://{}", self.slots.base64(file))),
        }
    }

    /// Has go-cqhttp fetch the address, and tells the path of what it fetched.
    async fn download(&self, url: &str) -> Result<String, Failure> {
        let data = self.api.ask("download_file", json!({"url": url, "thread_count": 1}), self.budget.left()?).await?;
        match data.get("file").and_then(|file| file.as_str()) {
            Some(path) => Ok(path.to_owned()),
            None => Err(Failure::unreachable("download_file: the answer names no file")),
        }
    }

    /// Brings the file to NapCat in chunks (qq.md §3.2) and tells the path that it got there.
    async fn stream(&self, file: &MediaFile) -> Result<String, Failure> {
        let stream_id = format!("pushcron-{:016x}", fastrand::u64(..));
        let total_chunks = file.len.div_ceil(STREAM_CHUNK_BYTES);
        for chunk_index in 0..total_chunks {
            let offset = chunk_index * STREAM_CHUNK_BYTES;
            let mut slots = Slots::new();
            let chunk = json!({
                "stream_id": stream_id,
                "chunk_data": slots.base64_range(file, offset, STREAM_CHUNK_BYTES.min(file.len - offset)),
                "chunk_index": chunk_index,
                "total_chunks": total_chunks,
                "file_size": file.len,
                "expected_sha256": file.sha256,
                "filename": file.filename,
                "file_retention": STREAM_RETENTION_MS,
            });
            self.api.prepare("upload_file_stream", &slots.fill(&chunk), self.budget.left()?).await?;
        }
        let end = json!({"stream_id": stream_id, "is_complete": true});
        let data = self.api.ask("upload_file_stream", end, self.budget.left()?).await?;
        match data.get("file_path").and_then(|path| path.as_str()) {
            Some(path) => Ok(path.to_owned()),
            None => Err(Failure::unreachable("upload_file_stream: the answer names no file")),
        }
    }

    fn needs_path(&self, what: &str) -> Failure {
        let name = self.product.name();
        let way = if self.product == Product::GoCqhttp { "path or address" } else { "path" };
        let error = format!("{name} takes {what} by {way} only: set local_files if it runs on this machine");
        Failure::rejected(error)
    }
}

fn file_url(path: &Path) -> Result<String, Failure> {
    Url::from_file_path(path)
        .map(String::from)
        .map_err(|()| Failure::rejected(format!("{} is no absolute path", path.display())))
}
