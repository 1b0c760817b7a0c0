//! From sources to checked local files, through the public interface.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::common::fake_im::{Answer, FakeIm, Refused};
use async_trait::async_trait;
use pushcron::clock::{ManualClock, SharedClock, SystemClock};
use pushcron::domain::{Body, Item, Media, Message, Outcome, UtcMs};
use pushcron::media::{Blobs, MediaError, Problem, Resolved, Resolver, Settings, extract_inline};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";
const PNG_BASE64: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAA=";
const CAP: u64 = 1 << 20;

/// A directory with a media root, a place for copies, and files of our own.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        for part in ["root/sub", "root/state", "outside"] {
            std::fs::create_dir_all(dir.path().join(part)).unwrap();
        }
        let place = Place { dir };
        for file in ["root/a.png", "root/sub/b.png", "outside/c.png", "root/token.png", "root/state/login.png"] {
            std::fs::write(place.path(file), PNG).unwrap();
        }
        place
    }

    fn path(&self, part: &str) -> PathBuf {
        self.dir.path().join(part)
    }

    fn settings(&self) -> Settings {
        Settings {
            roots: vec![self.path("root")],
            max_bytes: CAP,
            allow_private: true,
            forbidden: vec![self.path("root/token.png"), self.path("root/state"), self.path("root/no-such-file")],
            temp_dir: self.path("tmp"),
            deadline: Duration::from_secs(60),
        }
    }

    fn resolver(&self) -> Resolver {
        Resolver::new(self.settings(), SystemClock::shared()).unwrap()
    }

    /// The copies that exist now.
    fn copies(&self) -> usize {
        let dirs = std::fs::read_dir(self.path("tmp")).unwrap();
        dirs.map(|dir| std::fs::read_dir(dir.unwrap().path()).unwrap().count()).sum()
    }
}

/// Keeps [`PNG`] under the hash `png`, knows no other, and cannot be read at `broken`.
struct FakeBlobs;

#[async_trait]
impl Blobs for FakeBlobs {
    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, String> {
        match sha256 {
            "png" => Ok(Some(PNG.to_vec())),
            "broken" => Err("the database cannot be read now".into()),
            _ => Ok(None),
        }
    }
}

fn media(source: impl AsRef<Path>) -> Media {
    Media { source: source.as_ref().to_str().unwrap().to_owned(), ..Media::default() }
}

fn image(source: impl AsRef<Path>) -> Message {
    Message { title: None, body: Body::Image(media(source)) }
}

async fn resolve(resolver: &Resolver, message: &Message) -> Result<Resolved, MediaError> {
    resolver.resolve(message, u64::MAX, &FakeBlobs).await
}

async fn refused(resolver: &Resolver, source: impl AsRef<Path>) -> MediaError {
    resolve(resolver, &image(source)).await.err().expect("refused")
}

#[tokio::test]
async fn every_form_of_source_becomes_the_same_file() {
    let (place, im) = (Place::new(), FakeIm::start().await);
    im.on("/pic/chart", Answer::text(200, PNG));
    let resolver = place.resolver();
    let absolute = place.path("root/a.png").display().to_string();
    let remote = im.url("/pic/chart");
    for (source, filename, url) in [
        (absolute.as_str(), "a.png", None),
        ("./sub/../a.png", "a.png", None),
        ("sub/b.png", "b.png", None),
        (&format!("file://{absolute}"), "a.png", None),
        (&format!("base64://{PNG_BASE64}"), "image.png", None),
        (&format!("data:image/png;base64,{PNG_BASE64}"), "image.png", None),
        ("blob:png", "image.png", None),
        (&remote, "chart.png", Some(remote.clone())),
    ] {
        let resolved = resolve(&resolver, &image(source)).await.unwrap_or_else(|error| panic!("{source}: {error}"));
        let [file] = resolved.files() else { panic!("{source}: one file") };
        assert_eq!(std::fs::read(&file.path).unwrap(), PNG, "{source}");
        assert_eq!((file.len, file.filename.as_str()), (PNG.len() as u64, filename), "{source}");
        assert_eq!((file.mime_type.as_str(), &file.url), ("image/png", &url), "{source}");
        assert_eq!(file.sha256, "71fde3856a298a052c6edb5155638d8422114e55bf0e28374d90dea8be99ef6c", "{source}");
    }
}

#[tokio::test]
async fn copies_are_private_and_live_as_long_as_the_push() {
    let place = Place::new();
    let resolver = place.resolver();
    let resolved = resolve(&resolver, &image("a.png")).await.unwrap();
    let path = resolved.files()[0].path.clone();
    assert_ne!(path, place.path("root/a.png"), "a file that others can change is never handed out");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let second_attempt = resolved.clone();
    drop((resolved, resolver));
    std::fs::write(place.path("root/a.png"), "changed").unwrap();
    for _ in 0..2 {
        assert_eq!(std::fs::read(&path).unwrap(), PNG, "readable again and unchanged");
    }
    drop(second_attempt);
    assert_eq!(std::fs::read_dir(place.path("tmp")).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_mixed_message_has_its_files_in_order_and_covers_inside() {
    let place = Place::new();
    std::fs::write(place.path("root/v.mp4"), b"\0\0\0\x20ftypisom\0\0").unwrap();
    let cover = Some("sub/b.png".to_owned());
    let items = vec![
        Item::Text { text: "a".into() },
        Item::Video(Media { cover, ..media("v.mp4") }),
        Item::AtAll,
        Item::File(Media { filename: Some("日报".into()), mime_type: Some("x/y".into()), ..media("a.png") }),
    ];
    let message = Message { title: None, body: Body::Mixed { items } };
    let resolved = resolve(&place.resolver(), &message).await.unwrap();
    let [video, file] = resolved.files() else { panic!("two files") };
    assert_eq!((video.filename.as_str(), video.mime_type.as_str()), ("v.mp4", "video/mp4"));
    assert_eq!(video.cover.as_ref().unwrap().filename, "b.png");
    assert_eq!((file.filename.as_str(), file.mime_type.as_str()), ("日报", "x/y"));
}

#[tokio::test]
async fn an_error_names_the_item_and_leaves_no_copy() {
    let place = Place::new();
    std::fs::write(place.path("root/page.png"), "<!DOCTYPE html><html></html>").unwrap();
    let resolver = place.resolver();
    let cover = |cover: &str| Item::Video(Media { cover: Some(cover.into()), ..media("v.mp4") });
    std::fs::write(place.path("root/v.mp4"), b"\0\0\0\x20ftypisom\0\0").unwrap();
    for (second, expected) in [
        (Item::Image(media("page.png")), "item 3 (image): expected an image, but the content is text/html"),
        (Item::Voice(media("a.png")), "item 3 (voice): expected a voice recording, but the content is image/png"),
        (cover("page.png"), "cover of item 3 (video): expected an image, but the content is text/html"),
        (Item::File(media("ftp://a/b")), "item 3 (file): cannot read 'ftp://' sources"),
        (Item::File(media("base64://?")), "item 3 (file): the base64 content is damaged"),
        (Item::File(media("blob:none")), "item 3 (file): the stored inline content is gone"),
    ] {
        let items = vec![Item::Image(media("a.png")), Item::AtAll, second];
        let message = Message { title: None, body: Body::Mixed { items } };
        let error = resolve(&resolver, &message).await.err().unwrap();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(error.report().outcome, Outcome::Rejected, "{error}");
        assert_eq!(place.copies(), 0, "{error}");
    }
    let error = refused(&resolver, "blob:broken").await;
    assert_eq!(error.report().outcome, Outcome::Unreachable);
}

#[tokio::test]
async fn nothing_outside_the_roots_and_nothing_but_regular_files_is_read() {
    let place = Place::new();
    let root = |part: &str| place.path("root").join(part);
    symlink(place.path("outside/c.png"), root("link.png")).unwrap();
    symlink(place.path("outside"), root("linked")).unwrap();
    symlink("token.png", root("inner.png")).unwrap();
    std::fs::hard_link(root("token.png"), root("innocent.png")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root("fifo.png"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _socket = UnixListener::bind(root("socket.png")).unwrap();
    std::fs::File::create(root("huge.png")).unwrap().set_len(5 << 30).unwrap();
    let outside = place.path("outside/c.png").display().to_string();

    let resolver = place.resolver();
    for (source, reason) in [
        ("file:///etc/shadow", "lies outside daemon.media_roots"),
        ("/etc/shadow", "lies outside daemon.media_roots"),
        (&outside, "lies outside daemon.media_roots"),
        ("../outside/c.png", "lies outside daemon.media_roots"),
        ("sub/../../outside/c.png", "lies outside daemon.media_roots"),
        ("../../../../../../../../etc/shadow", "lies outside daemon.media_roots"),
        ("/proc/self/environ", "lies outside daemon.media_roots"),
        ("link.png", "lies outside daemon.media_roots"),
        ("linked/c.png", "lies outside daemon.media_roots"),
        ("inner.png", "one of pushcron's own files"),
        ("fifo.png", "is a FIFO"),
        ("socket.png", "is a socket"),
        ("sub", "is a directory"),
        (".", "is a directory"),
        ("huge.png", "more than 1048576 bytes"),
        ("token.png", "one of pushcron's own files"),
        ("innocent.png", "one of pushcron's own files"),
        ("state/login.png", "one of pushcron's own files"),
    ] {
        let error = refused(&resolver, source).await;
        assert!(error.to_string().contains(reason), "{source}: {error}");
        assert!(matches!(error.problem, Problem::Rejected(_)), "{source}: {error}");
    }
    assert_eq!(place.copies(), 0);
}

#[tokio::test]
async fn devices_and_magic_links_are_refused_even_below_a_root() {
    let place = Place::new();
    let settings = Settings { roots: vec!["/dev".into(), "/proc".into()], ..place.settings() };
    let resolver = Resolver::new(settings, SystemClock::shared()).unwrap();
    let this = std::process::id();
    for source in
        ["/dev/zero", "/proc/self/environ", &format!("/proc/{this}/cwd/Cargo.toml"), &format!("/proc/{this}/exe")]
    {
        assert!(matches!(refused(&resolver, source).await.problem, Problem::Rejected(_)), "{source}");
    }
}

#[tokio::test]
async fn a_root_may_itself_be_a_symbolic_link_and_is_known_by_both_names() {
    let place = Place::new();
    symlink(place.path("root"), place.path("alias")).unwrap();
    let settings = Settings { roots: vec![place.path("alias")], ..place.settings() };
    let resolver = Resolver::new(settings, SystemClock::shared()).unwrap();
    for source in [place.path("alias/a.png"), place.path("root/a.png"), "a.png".into()] {
        resolve(&resolver, &image(&source)).await.unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    }
    let settings = Settings { roots: Vec::new(), ..place.settings() };
    let rootless = Resolver::new(settings, SystemClock::shared()).unwrap();
    assert!(matches!(refused(&rootless, "a.png").await.problem, Problem::Rejected(_)));
}

/// As Kubernetes and many deployments do it: the names stay, and one link moves.
#[tokio::test]
async fn a_link_below_a_root_is_followed_to_where_it_leads_now() {
    let place = Place::new();
    let root = |part: &str| place.path("root").join(part);
    for version in ["..v1", "..v2"] {
        std::fs::create_dir(root(version)).unwrap();
        std::fs::copy(root("a.png"), root(version).join("logo.png")).unwrap();
    }
    symlink("..v1", root("..data")).unwrap();
    symlink("..data/logo.png", root("logo.png")).unwrap();
    let resolver = place.resolver();
    for _ in 0..2 {
        for source in ["logo.png", "..data/logo.png", root("logo.png").to_str().unwrap()] {
            resolve(&resolver, &image(source)).await.unwrap_or_else(|error| panic!("{source}: {error}"));
        }
        symlink("..v2", root("new")).unwrap();
        std::fs::rename(root("new"), root("..data")).unwrap();
        let _ = std::fs::remove_dir_all(root("..v1"));
    }
    std::fs::remove_dir_all(root("..v2")).unwrap();
    let error = refused(&resolver, "logo.png").await;
    assert_eq!(error.report().outcome, Outcome::Unreachable, "it may come again: {error}");
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_may_come() {
    let place = Place::new();
    let resolver = place.resolver();
    for source in ["later.png", "sub/later.png", "nowhere/later.png", "a.png/later.png"] {
        let error = refused(&resolver, source).await;
        assert_eq!(error.report().outcome, Outcome::Unreachable, "{error}");
        assert!(error.to_string().ends_with("does not exist"), "{error}");
    }
}

#[tokio::test]
async fn private_addresses_hear_nothing_unless_allowed() {
    let (place, sink) = (Place::new(), FakeIm::start().await);
    sink.on("", Answer::text(200, PNG));
    let port = sink.address().port();
    let strict = Settings { allow_private: false, ..place.settings() };
    let strict = Resolver::new(strict, SystemClock::shared()).unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f000001", "[::1]", "169.254.169.254"] {
        let error = refused(&strict, format!("http://{host}:{port}/canary")).await;
        assert!(matches!(&error.problem, Problem::Rejected(text) if text.contains("address")), "{host}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let login = refused(&strict, format!("http://canary:canary@127.0.0.1:{port}/")).await;
    assert!(login.to_string().contains("login") && !login.to_string().contains("canary"), "{login}");
    assert!(sink.requests().is_empty());

    resolve(&place.resolver(), &image(sink.url("/a"))).await.unwrap();
    assert_eq!(sink.requests().len(), 1);
}

#[tokio::test]
async fn a_server_in_trouble_may_come_back() {
    let (place, im, refusing) = (Place::new(), FakeIm::start().await, Refused::new());
    im.on("/busy", Answer::status(503));
    im.on("/cut", Answer::ResetInBody { status: 200 });
    im.on("/part", Answer::text(206, "half a picture").header("content-type", "image/png"));
    im.on("/gone", Answer::status(404));
    im.on("/flood", Answer::Flood { status: 200 });
    let resolver = place.resolver();
    for (url, outcome) in [
        (im.url("/busy"), Outcome::Unreachable),
        (im.url("/cut"), Outcome::Unreachable),
        (im.url("/part"), Outcome::Unreachable),
        (refusing.url(), Outcome::Unreachable),
        (im.url("/gone"), Outcome::Rejected),
        (im.url("/flood"), Outcome::Rejected),
    ] {
        let error = refused(&resolver, &url).await;
        assert_eq!(error.report().outcome, outcome, "{url}: {error}");
    }
    assert_eq!(place.copies(), 0);
}

#[tokio::test]
async fn a_body_that_trickles_meets_the_deadline() {
    let (place, im) = (Place::new(), FakeIm::start().await);
    im.on("", Answer::Trickle { status: 200 });
    let clock = ManualClock::new(UtcMs(0));
    let resolver = Resolver::new(place.settings(), clock.clone() as SharedClock).unwrap();
    let message = image(im.url("/slow"));
    let waiting = async {
        im.wait_for_requests(1).await;
        clock.advance(Duration::from_secs(60));
    };
    let (resolved, ()) = tokio::join!(resolve(&resolver, &message), waiting);
    let error = resolved.err().unwrap();
    assert_eq!(error.to_string(), "image: not there within 60s");
    assert_eq!(error.report().outcome, Outcome::Unreachable);
}

#[tokio::test]
async fn the_lower_of_both_caps_holds() {
    let place = Place::new();
    let resolver = Arc::new(place.resolver());
    let len = PNG.len() as u64;
    let message = image("a.png");
    assert!(resolver.resolve(&message, len, &FakeBlobs).await.is_ok());
    let error = resolver.resolve(&message, len - 1, &FakeBlobs).await.err().unwrap();
    assert_eq!(error.to_string(), format!("image: more than {} bytes, the largest that may be sent", len - 1));
    let inline = image(format!("base64://{PNG_BASE64}"));
    let error = resolver.resolve(&inline, len - 1, &FakeBlobs).await.err().unwrap();
    assert!(matches!(error.problem, Problem::Rejected(_)), "{error}");
}

#[tokio::test]
async fn inline_content_taken_out_at_record_time_comes_back_at_resolve_time() {
    struct Kept(Vec<(String, Vec<u8>)>);
    #[async_trait]
    impl Blobs for Kept {
        async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, String> {
            Ok(self.0.iter().find(|(known, _)| known == sha256).map(|(_, bytes)| bytes.clone()))
        }
    }
    let place = Place::new();
    let mut message = image(format!("base64://{PNG_BASE64}"));
    let kept = Kept(extract_inline(&mut message, 10));
    assert_eq!(kept.0.len(), 1);
    let resolved = place.resolver().resolve(&message, CAP, &kept).await.unwrap();
    assert_eq!(std::fs::read(&resolved.files()[0].path).unwrap(), PNG);
}
