//! The style sheet, the script and the icon: part of the binary, under names that tell their content, so that a browser may keep
//! them for ever.

use std::sync::OnceLock;

use bytes::Bytes;

use super::headers::{POLICY, as_header};
use crate::domain::hex::sha256;
use crate::net::http1::{Response, header};

/// One file.
struct Asset {
    stem: &'static str,
    ending: &'static str,
    kind: &'static str,
    text: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset { stem: "style", ending: "css", kind: "text/css; charset=utf-8", text: include_str!("../assets/style.css") },
    Asset {
        stem: "script",
        ending: "js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("../assets/script.js"),
    },
    Asset { stem: "icon", ending: "svg", kind: "image/svg+xml", text: include_str!("../assets/icon.svg") },
];

/// The names under which they are served.
fn names() -> &'static [String; 3] {
    static NAMES: OnceLock<[String; 3]> = OnceLock::new();
    NAMES.get_or_init(|| {
        ASSETS.map(|asset| format!("{}-{}.{}", asset.stem, &sha256(asset.text.as_bytes())[..12], asset.ending))
    })
}

/// The path of the one with this stem.
pub(super) fn path(stem: &str) -> String {
    let found = ASSETS.iter().position(|asset| asset.stem == stem);
    format!("/a/{}", found.and_then(|at| names().get(at)).map_or("", String::as_str))
}

pub(super) fn asset(name: &str) -> Option<Response<Bytes>> {
    let at = names().iter().position(|known| known == name)?;
    let asset = &ASSETS[at];
    let mut response = Response::new(Bytes::from_static(asset.text.as_bytes()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("public, max-age=31536000, immutable"));
    as_header(headers, "content-security-policy", POLICY);
    Some(response)
}
