//! The forms in which a media can reach the Windows machine (sheet qx.md §5, §6).

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::api::{Call, Dialect};
use crate::domain::{Kind, MediaFile, UtcMs};

/// Content up to this size goes inside the request; Pro took larger ones slowly before 2.0.2.2.
const HANDY: u64 = 5 * 1024 * 1024;
/// How long a copy stays in the shared folder. The hook may read it after it has answered.
const KEPT: Duration = Duration::from_secs(3600);
/// The start of the names of our copies, by which they are known and cleared.
const PREFIX: &str = "pushcron-";

/// A folder that both machines see.
#[derive(Clone, Debug)]
pub(super) struct Share {
    /// As this machine sees it.
    pub here: PathBuf,
    /// As the Windows machine sees it.
    pub there: String,
}

/// One way of sending a media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub call: Call,
    pub form: Form,
}

/// What stands under `path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `base64,…`
    Content,
    /// An address or a path of the Windows machine, ready to be sent.
    Ready(String),
    /// The path of a copy that is to be put into the share first.
    Shared,
}

/// The ways to try in turn, the best first. `source` is the media's source as the job wrote it.
pub(super) fn ways(dialect: Dialect, share: Option<&Share>, kind: Kind, source: &str, file: &MediaFile) -> Vec<Way> {
    let forms = |call: Call| {
        let mapped = share.and_then(|share| share.seen_from_there(source)).map(Form::Ready);
        let copied = share.map(|_| Form::Shared);
        let link = file.url.clone().map(Form::Ready);
        let handy = dialect.is_pro() && file.len <= HANDY;
        let bulky = dialect.is_pro() && file.len > HANDY;
        let forms = [mapped, handy.then_some(Form::Content)].into_iter();
        // That the old generation takes links for files too is unconfirmed, so there the share comes first.
        let links = if call == Call::Image || dialect.is_pro() { [link, copied] } else { [copied, link] };
        let forms = forms.chain(links).chain([bulky.then_some(Form::Content)]);
        forms.flatten().map(move |form| Way { call, form })
    };
    match kind {
        Kind::Image => forms(Call::Image).chain(forms(Call::File).take(1)).collect(),
        _ => forms(Call::File).collect(),
    }
}

impl Share {
    /// The source's path on the Windows machine, where it lies in the share.
    fn seen_from_there(&self, source: &str) -> Option<String> {
        let path = source.strip_prefix("file://").unwrap_or(source);
        let way = Path::new(path).strip_prefix(&self.here).ok()?;
        let plain = way.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        plain.then(|| self.there(&way.to_string_lossy()))
    }

    fn there(&self, name: &str) -> String {
        // Forward slashes: backslashes were reported to be missed (sheet §5).
        format!("{}/{name}", self.there.trim_end_matches(['/', '\\'])).replace('\\', "/")
    }

    /// Puts a copy into the share and clears old ones; the answer is its path on the Windows machine.
    ///
    /// # Errors
    /// The share cannot be written now.
    pub(super) async fn put(&self, file: &MediaFile, now: UtcMs) -> std::io::Result<String> {
        let (share, file) = (self.clone(), file.clone());
        let put = move || {
            share.clear_old(now);
            let stem = file.sha256.get(..16).unwrap_or_default();
            let name = format!("{PREFIX}{stem}-{}", windows_name(&file.filename));
            std::fs::copy(&file.path, share.here.join(&name))?;
            Ok(share.there(&name))
        };
        // A share is a network mount, which may hang.
        tokio::task::spawn_blocking(put).await.map_err(std::io::Error::other)?
    }

    /// What cannot be cleared now is cleared next time.
    fn clear_old(&self, now: UtcMs) {
        let Ok(entries) = std::fs::read_dir(&self.here) else { return };
        for entry in entries.flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
            let written = entry.metadata().and_then(|found| found.modified()).ok();
            let since_epoch = written.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            if ours && since_epoch.is_some_and(|at| (UtcMs(0) + at + KEPT) < now) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// A name that Windows takes. It is what the receiver sees.
pub(super) fn windows_name(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || r#"\/:*?"<>| "#.contains(c) { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::senders::shared::samples;

    #[test]
    fn each_generation_gets_the_forms_that_it_can_read() {
        let share = Share { here: "/srv/share".into(), there: r"Z:\share\".into() };
        let url = "https://a.test/x";
        let own = "/srv/share/sub/x";
        let way = |call, form| Way { call, form };
        let content = |call| way(call, Form::Content);
        let link = |call| way(call, Form::Ready(url.to_owned()));
        let shared = |call| way(call, Form::Shared);
        let mapped = |call| way(call, Form::Ready("Z:/share/sub/x".to_owned()));
        use Call::{File, Image};
        use Dialect::{OldFramework as Old, ProFramework as Pro};
        let (no, yes) = (false, true);
        for (dialect, has_share, kind, source, has_url, len, expected) in [
            (Pro, no, Kind::Image, "/a.png", no, 10, vec![content(Image), content(File)]),
            (Pro, no, Kind::Image, url, yes, 10, vec![content(Image), link(Image), content(File)]),
            (Pro, no, Kind::File, url, yes, HANDY + 1, vec![link(File), content(File)]),
            (Pro, no, Kind::Video, "/v.mp4", no, HANDY + 1, vec![content(File)]),
            (Pro, yes, Kind::Voice, own, no, 10, vec![mapped(File), content(File), shared(File)]),
            (Old, no, Kind::Image, url, yes, 10, vec![link(Image), link(File)]),
            (Old, no, Kind::Image, "/a.png", no, 10, vec![]),
            (Old, yes, Kind::File, url, yes, 10, vec![shared(File), link(File)]),
            (Old, yes, Kind::Image, "/a.png", no, 10, vec![shared(Image), shared(File)]),
        ] {
            let mut file = samples::file("x", "x/y", len);
            file.url = has_url.then(|| url.to_owned());
            let ways = ways(dialect, has_share.then_some(&share), kind, source, &file);
            assert_eq!(ways, expected, "{dialect:?} {kind} {source} {len}");
        }
    }

    #[test]
    fn only_a_path_that_stays_in_the_share_is_seen_from_there() {
        let share = Share { here: "/srv/share".into(), there: "Z:".into() };
        assert_eq!(share.seen_from_there("file:///srv/share/a b.png").as_deref(), Some("Z:/a b.png"));
        assert_eq!(share.seen_from_there("/srv/share/../secret"), None);
        assert_eq!(share.seen_from_there("/srv/shared/a.png"), None);
    }

    #[tokio::test]
    async fn copies_in_the_share_are_cleared_after_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let share = Share { here: dir.path().to_owned(), there: "Z:/s".into() };
        std::fs::write(dir.path().join("theirs.txt"), "x").unwrap();
        let content = dir.path().join("content");
        std::fs::write(&content, "hello").unwrap();
        let file =
            MediaFile { path: content, sha256: "ab".repeat(32), ..samples::file("日 报?.pdf", "application/pdf", 5) };
        let path = share.put(&file, UtcMs(0)).await.unwrap();
        assert_eq!(path, "Z:/s/pushcron-abababababababab-日_报_.pdf");
        let copy = dir.path().join("pushcron-abababababababab-日_报_.pdf");
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "hello");
        share.clear_old(UtcMs(0));
        assert!(copy.exists());
        share.clear_old(UtcMs::MAX);
        assert!(!copy.exists() && dir.path().join("theirs.txt").exists());
    }
}
