//! Media on its way to the platform's CDN: encrypted while it is read, so that no file is ever whole in memory
//! (sheet A5).

use std::io;
use std::time::Duration;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Block};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{Stream, try_unfold};
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Body;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use rustls::crypto::ring;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::api::{Answer, Api};
use super::credentials::Credentials;
use crate::domain::MediaFile;
use crate::domain::hex::hex;
use crate::senders::shared::budget::Budget;
use crate::senders::shared::failure::Failure;
use crate::senders::shared::http::excerpt;
use crate::senders::shared::upload::unreadable;

/// A multiple of the cipher's block, so that only the last piece is padded.
const CHUNK_BYTES: usize = 64 * 1024;
const BLOCK_BYTES: u64 = 16;
/// Tries of one upload address; nobody sees an upload, so each is safe.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// What JavaScript's encodeURIComponent leaves alone.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// `media_type` of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    Image = 1,
    Video = 2,
    File = 3,
}

/// A file that lies on the CDN, readable only with its key.
pub(super) struct Uploaded {
    param: String,
    key: [u8; 16],
    /// With padding.
    pub encrypted_len: u64,
}

impl Uploaded {
    /// The `media` of an item. The key travels as base64 of its 32 hexadecimal digits: base64 of its 16 bytes shows
    /// as a grey box.
    pub(super) fn reference(&self) -> Value {
        json!({"encrypt_query_param": self.param, "aes_key": STANDARD.encode(hex(&self.key)), "encrypt_type": 1})
    }
}

/// Why a file is not on the CDN. Nothing of it can have been seen.
pub(super) enum UploadError {
    /// The platform gives no address to upload to: a bad recipient, or it refuses the account for a while.
    Refused(Answer),
    Other(Failure),
}

impl From<Failure> for UploadError {
    fn from(failure: Failure) -> UploadError {
        // An upload shows nothing to anybody, so one that broke off is surely not sent.
        UploadError::Other(failure.before_the_send())
    }
}

/// Uploads `file` for `user`. An address that the CDN refuses is replaced once.
pub(super) async fn upload(
    api: &Api,
    login: &Credentials,
    cdn_url: &str,
    user: &str,
    media_type: MediaType,
    file: &MediaFile,
    budget: &mut Budget,
) -> Result<Uploaded, UploadError> {
    let md5 = md5_of(file).await.map_err(|error| unreadable(file, &error))?;
    budget.extend_for_bytes(file.len);
    let mut refused = None;
    for _ in 0..2 {
        let key = random()?;
        let filekey = hex(&random()?);
        let request = json!({
            "filekey": filekey,
            "media_type": media_type as u8,
            "to_user_id": user,
            "rawsize": file.len,
            "rawfilemd5": md5,
            "filesize": encrypted_len(file.len),
            "no_need_thumb": true,
            "aeskey": hex(&key),
        });
        let answer = api.call(login, "ilink/bot/getuploadurl", request, budget.left()?).await?;
        let Some(url) = upload_url(&answer.body, cdn_url, &filekey) else {
            return Err(UploadError::Refused(answer));
        };
        match put(api, &url, file, &key, budget).await? {
            Ok(param) => return Ok(Uploaded { param, key, encrypted_len: encrypted_len(file.len) }),
            Err(refusal) => refused = Some(refusal),
        }
    }
    Err(UploadError::Other(refused.unwrap_or_else(|| Failure::unreachable("the upload failed"))))
}

/// The full address, as newer servers give it, or one made of the parameter.
fn upload_url(answer: &Value, cdn_url: &str, filekey: &str) -> Option<String> {
    let text = |key| answer.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(url) = text("upload_full_url") {
        return Some(url.to_owned());
    }
    let param = utf8_percent_encode(text("upload_param")?, COMPONENT);
    let filekey = utf8_percent_encode(filekey, COMPONENT);
    Some(format!("{}/upload?encrypted_query_param={param}&filekey={filekey}", cdn_url.trim_end_matches('/')))
}

/// One address, tried until the CDN says yes or no. The inner error is its no.
async fn put(
    api: &Api,
    url: &str,
    file: &MediaFile,
    key: &[u8; 16],
    budget: &mut Budget,
) -> Result<Result<String, Failure>, Failure> {
    let mut last = Failure::unreachable("the upload failed");
    for attempt in 0..TRIES {
        if attempt > 0 {
            budget.extend(PAUSE);
            api.wire.clock.sleep(PAUSE).await;
        }
        let content = File::open(&file.path).await.map_err(|error| unreadable(file, &error))?;
        let request = api
            .wire
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, encrypted_len(file.len))
            .body(Body::wrap_stream(encrypted(content, key)));
        let reply = match api.wire.http.call(request, budget.left()?).await {
            Ok(reply) => reply.hiding([hex(key)]),
            Err(error) => {
                last = Failure::unreachable(format!("upload: {}", error.message()));
                continue;
            }
        };
        let header = |name| reply.headers.get(name).and_then(|value| value.to_str().ok());
        match (reply.status, header("x-encrypted-param")) {
            (200, Some(param)) if !param.is_empty() => return Ok(Ok(param.to_owned())),
            (status @ 400..500, _) => {
                let reason = reply.secrets().hide_in_text(header("x-error-message").unwrap_or("no reason given"));
                let reason = excerpt(&reason);
                let error = format!("the CDN refuses the upload: HTTP {status}: {reason}");
                return Ok(Err(Failure::rejected(error).with_status(status)));
            }
            (status, _) => {
                let error = format!("upload: HTTP {status} without a reference to the file");
                last = Failure::unreachable(error).with_status(status);
            }
        }
    }
    Err(last)
}

fn encrypted_len(len: u64) -> u64 {
    (len / BLOCK_BYTES + 1) * BLOCK_BYTES
}

/// The content under AES-128-ECB with PKCS#7 padding, piece by piece. ECB has no state from block to block, so pieces
/// of whole blocks can be encrypted alone.
fn encrypted(content: File, key: &[u8; 16]) -> impl Stream<Item = io::Result<Bytes>> + use<> {
    try_unfold((Some(content), *key), async |(content, key)| {
        let Some(mut content) = content else { return Ok(None) };
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        (&mut content).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await?;
        let is_last = chunk.len() < CHUNK_BYTES;
        if is_last {
            pad(&mut chunk);
        }
        Aes128::new(&key.into()).encrypt_blocks(Block::slice_as_chunks_mut(&mut chunk).0);
        Ok(Some((Bytes::from(chunk), ((!is_last).then_some(content), key))))
    })
}

/// PKCS#7: up to the next whole block, and a block more where it was whole; each byte says how many were added.
fn pad(chunk: &mut Vec<u8>) {
    let missing = BLOCK_BYTES as usize - chunk.len() % BLOCK_BYTES as usize;
    chunk.resize(chunk.len() + missing, missing as u8);
}

async fn md5_of(file: &MediaFile) -> io::Result<String> {
    let mut content = File::open(&file.path).await?;
    let mut digest = Md5::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match content.read(&mut chunk).await? {
            0 => return Ok(hex(&digest.finalize())),
            len => digest.update(&chunk[..len]),
        }
    }
}

/// Sixteen bytes that nobody can guess: they are the only thing that keeps the file private on the CDN.
fn random() -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    match ring::default_provider().secure_random.fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(Failure::unreachable("the system has no randomness to give")),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    async fn ciphertext(content: &[u8], key: &[u8; 16]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let pieces: Vec<Bytes> = encrypted(File::open(file.path()).await.unwrap(), key).try_collect().await.unwrap();
        pieces.concat()
    }

    const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[tokio::test]
    async fn the_vectors_of_openssl_are_met() {
        assert_eq!(hex(&ciphertext(b"hello", &KEY).await), "5d8749e2af7531b2bf6661e9e5daf012");
        assert_eq!(
            hex(&ciphertext(&[0; 16], &KEY).await),
            "c6a13b37878f5b826f4f8162a1c8d879954f64f2e4e86e9eee82d20216684899"
        );
        let uploaded = Uploaded { param: "P".into(), key: KEY, encrypted_len: 16 };
        assert_eq!(
            uploaded.reference(),
            json!({
                "encrypt_query_param": "P",
                "aes_key": "MDAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMGMwZDBlMGY=",
                "encrypt_type": 1
            })
        );
    }

    #[tokio::test]
    async fn a_long_file_is_encrypted_as_openssl_does_it_in_one_go() {
        if std::process::Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: openssl is not installed");
            return;
        }
        for len in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
            let content: Vec<u8> = (0..len).map(|index| (index * 7 % 251) as u8).collect();
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &content).unwrap();
            let openssl = std::process::Command::new("openssl")
                .args(["enc", "-aes-128-ecb", "-K", &hex(&KEY), "-in"])
                .arg(file.path())
                .output()
                .unwrap();
            let ours = ciphertext(&content, &KEY).await;
            assert!(openssl.status.success() && openssl.stdout == ours, "{len} bytes");
            assert_eq!(ours.len() as u64, encrypted_len(len as u64));
        }
    }

    #[test]
    fn the_upload_address_is_the_full_one_or_made_of_the_parameter() {
        let full = json!({"upload_full_url": "https://cdn.test/u?x=1", "upload_param": "p"});
        assert_eq!(upload_url(&full, "https://cdn.test/c2c", "k").unwrap(), "https://cdn.test/u?x=1");
        let param = json!({"upload_param": "a+b/c=&d e"});
        assert_eq!(
            upload_url(&param, "https://cdn.test/c2c/", "k").unwrap(),
            "https://cdn.test/c2c/upload?encrypted_query_param=a%2Bb%2Fc%3D%26d%20e&filekey=k"
        );
        assert_eq!(upload_url(&json!({"ret": -1}), "https://cdn.test", "k"), None);
    }
}
