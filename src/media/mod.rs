//! From the source of an image, voice, video or file to a checked local file, once for all senders.
//!
//! A source is foreign: a path may point at our own token file, a link at a machine behind the firewall, a body may
//! never end. So every source is copied into a temp file of ours while its bytes are counted and hashed; senders see
//! only that copy, which cannot change under them. It must know nothing of senders and stores: the caps and the
//! kept inline contents are handed in.

mod cache;
mod disposition;
mod error;
mod head;
mod inline;
mod local;
mod naming;
mod remote;
mod settings;
mod source;
mod spool;
mod wants;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::sync::OwnedSemaphorePermit;

use crate::clock::SharedClock;
use crate::domain::push::MediaFile;
use crate::domain::{Body, Item, Kind, Media, Message};

pub use cache::{Cache, Fire};
use cache::{Copy, Key, Pin};
pub use error::{MediaError, Problem};
pub use inline::extract_inline;
use naming::Hints;
pub use settings::Settings;
use source::Source;
pub use spool::clear as clear_leftovers;
use spool::{Content, WorkDir, blocking};
pub use wants::Wants;

/// The inline contents that the store keeps once by hash.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// The content with this lower-case hex SHA-256, or None where there is none.
    ///
    /// # Errors
    /// A text for people, when the store cannot be read now.
    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, String>;
}

/// The temp directory or the HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up media: {0}")]
pub struct SetupError(String);

impl From<tokio::task::JoinError> for SetupError {
    fn from(error: tokio::task::JoinError) -> SetupError {
        SetupError(error.to_string())
    }
}

/// The files of one message. They stay with the last clone of this value, so it is kept for the whole attempt.
#[derive(Clone)]
pub struct Resolved {
    files: Vec<MediaFile>,
    _copies: Arc<Vec<Pin>>,
}

impl Resolved {
    /// One file for each of `message.body.media()`, in that order, covers inside.
    pub fn files(&self) -> &[MediaFile] {
        &self.files
    }
}

/// Turns sources into files. One value serves all pushes; a changed configuration makes a new one, and what the old
/// one resolved stays valid.
pub struct Resolver {
    settings: Settings,
    clock: SharedClock,
    remote: remote::Fetcher,
    /// Made by the first who may be led to private addresses.
    anywhere: OnceLock<Result<remote::Fetcher, String>>,
    dir: Arc<WorkDir>,
    cache: Arc<Cache>,
    id: u64,
}

impl Resolver {
    /// Makes the temp directory and clears what a killed process left there.
    ///
    /// # Errors
    /// [`SetupError`] when the directory cannot be made or HTTPS cannot be set up.
    pub fn new(settings: Settings, clock: SharedClock) -> Result<Resolver, SetupError> {
        let cache = Cache::new(u64::MAX, clock.clone());
        Resolver::sharing(settings, clock, cache)
    }

    /// As [`Resolver::new`], with the room and the copies of `cache`.
    ///
    /// # Errors
    /// As [`Resolver::new`].
    pub fn sharing(settings: Settings, clock: SharedClock, cache: Arc<Cache>) -> Result<Resolver, SetupError> {
        let remote = remote::Fetcher::new(settings.allow_private).map_err(SetupError)?;
        let dir = WorkDir::create(&settings.temp_dir)
            .map_err(|error| SetupError(format!("{}: {error}", settings.temp_dir.display())))?;
        let id = cache.next_resolver();
        Ok(Resolver { settings, clock, remote, anywhere: OnceLock::new(), dir: Arc::new(dir), cache, id })
    }

    /// Reads every media of the message. `cap` is the largest that the platform takes, in bytes; the settings' own
    /// cap holds too.
    ///
    /// # Errors
    /// [`MediaError`] for the first media that cannot be had; no file is left then.
    pub async fn resolve(&self, message: &Message, cap: u64, blobs: &dyn Blobs) -> Result<Resolved, MediaError> {
        self.resolve_for(None, message, cap, blobs).await
    }

    /// The same for a push of `fire`, whose pushes share their copies.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub async fn resolve_for(
        &self,
        fire: Option<&Fire>,
        message: &Message,
        cap: u64,
        blobs: &dyn Blobs,
    ) -> Result<Resolved, MediaError> {
        let cap = cap.min(self.settings.max_bytes);
        let mut job = Job { resolver: self, fire, cap, blobs, room: None, copies: Vec::new() };
        let mut files = Vec::new();
        let mut deadline = self.clock.sleep(self.settings.deadline);
        let items = items(&message.body);
        // All at once, before anything is held: two messages would wait for each other's second picture.
        let sources = items.iter().flat_map(|(_, _, media)| [Some(&media.source), media.cover.as_ref()]).flatten();
        let missing = sources.filter(|source| !job.key(source).is_some_and(|key| self.cache.has(&key))).count();
        job.room = tokio::select! {
            biased;
            room = self.cache.reserve(missing, cap) => room,
            () = &mut deadline => {
                let item = items.first().map(|(item, _, _)| item.clone()).unwrap_or_default();
                let problem = Problem::unreachable("other media under way take all the room that media may have");
                return Err(MediaError { item, problem });
            }
        };
        for (item, kind, media) in items {
            let wanted = Wanted { kind, source: &media.source, hints: Hints::of(media) };
            let mut file = job.within(&mut deadline, &item, wanted).await?;
            if let Some(cover) = &media.cover {
                let wanted = Wanted { kind: Kind::Image, source: cover, hints: Hints::default() };
                file.cover = Some(Box::new(job.within(&mut deadline, &format!("cover of {item}"), wanted).await?));
            }
            files.push(file);
        }
        Ok(Resolved { files, _copies: Arc::new(job.copies) })
    }
}

impl Resolver {
    /// The body that lies at an address, of at most `cap` bytes. Only the guard of media holds for it: it is no media.
    ///
    /// # Errors
    /// [`Problem`], in one line for people.
    pub async fn bytes(&self, address: &str, wants: Wants<'_>, cap: u64) -> Result<Vec<u8>, Problem> {
        match Source::parse(address)? {
            Source::Remote(url) if wants.allow_private => {
                let anywhere = self.anywhere.get_or_init(|| remote::Fetcher::new(true)).as_ref();
                anywhere.map_err(|problem| Problem::unreachable(problem.clone()))?.bytes(url, wants, cap).await
            }
            Source::Remote(url) => self.remote.bytes(url, wants, cap).await,
            _ => Err(Problem::rejected("expected an address that begins with http:// or https://")),
        }
    }
}

/// Every media of a body with its name for people and its kind, in the order of [`Body::media`].
fn items(body: &Body) -> Vec<(String, Kind, &Media)> {
    match body {
        Body::Text { .. } => Vec::new(),
        Body::Image(media) | Body::Voice(media) | Body::Video(media) | Body::File(media) => {
            vec![(body.kind().to_string(), body.kind(), media)]
        }
        Body::Mixed { items } => items
            .iter()
            .zip(1..)
            .filter_map(|(item, number)| {
                let kind = media_kind(item)?;
                Some((format!("item {number} ({kind})"), kind, item.media()?))
            })
            .collect(),
    }
}

fn media_kind(item: &Item) -> Option<Kind> {
    match item {
        Item::Image(_) => Some(Kind::Image),
        Item::Voice(_) => Some(Kind::Voice),
        Item::Video(_) => Some(Kind::Video),
        Item::File(_) => Some(Kind::File),
        Item::Text { .. } | Item::Markdown { .. } | Item::At { .. } | Item::AtAll => None,
    }
}

/// One media to be had.
struct Wanted<'a> {
    kind: Kind,
    source: &'a str,
    hints: Hints,
}

/// The resolving of one message.
struct Job<'a> {
    resolver: &'a Resolver,
    fire: Option<&'a Fire>,
    cap: u64,
    blobs: &'a dyn Blobs,
    /// What was reserved on the disk and is not used yet.
    room: Option<OwnedSemaphorePermit>,
    copies: Vec<Pin>,
}

impl Job<'_> {
    async fn within(
        &mut self,
        deadline: &mut (impl Future<Output = ()> + Unpin),
        item: &str,
        wanted: Wanted<'_>,
    ) -> Result<MediaFile, MediaError> {
        let allowed = self.resolver.settings.deadline;
        tokio::select! {
            biased;
            file = self.one(wanted) => file,
            () = deadline => Err(Problem::unreachable(format!("not there within {allowed:?}"))),
        }
        .map_err(|problem| MediaError { item: item.to_owned(), problem })
    }

    /// By what the copy of a source is shared, or None where it is not.
    fn key(&self, source: &str) -> Option<Key> {
        let inline = matches!(Source::parse(source), Ok(Source::Inline { .. } | Source::Blob(_)));
        let fire = self.fire?;
        let Resolver { id, .. } = self.resolver;
        Some(Key { resolver: *id, fire: (!inline).then(|| fire.clone()), source: source.to_owned(), cap: self.cap })
    }

    async fn one(&mut self, wanted: Wanted<'_>) -> Result<MediaFile, Problem> {
        let source = Source::parse(wanted.source)?;
        let url = match &source {
            Source::Remote(_) => Some(wanted.source.to_owned()),
            _ => None,
        };
        let key = self.key(wanted.source);
        let cache = &self.resolver.cache;
        let mut room = self.room.take();
        let fetch = async {
            let mut told = Hints::default();
            let content = self.read(source, &mut told).await?;
            Ok(Copy::new(content, told, self.resolver.dir.clone(), &mut room))
        };
        let pin = match key {
            Some(key) => cache.get(key, fetch).await,
            None => fetch.await.map(Pin::alone),
        };
        self.room = room;
        let pin = pin?;
        let copy = pin.copy().ok_or_else(|| Problem::unreachable("the copy is gone"))?;
        let Hints { source_name, declared_type, inline, .. } = copy.told.clone();
        let hints = Hints { source_name, declared_type, inline, ..wanted.hints };
        let named = naming::name(wanted.kind, &copy.head, hints)?;
        let file = MediaFile {
            path: copy.path.to_path_buf(),
            len: copy.len,
            filename: named.filename,
            mime_type: named.mime_type,
            sha256: copy.sha256.clone(),
            url,
            cover: None,
        };
        self.copies.push(pin);
        Ok(file)
    }

    /// Copies the content; what the source itself tells of its name and type goes into `hints`.
    async fn read(&self, source: Source<'_>, hints: &mut Hints) -> Result<Content, Problem> {
        let (dir, cap) = (self.resolver.dir.clone(), self.cap);
        let spool = blocking(move || dir.spool(cap)).await?;
        match source {
            Source::Remote(url) => self.resolver.remote.fetch(url, spool, hints).await,
            Source::Local(path) => {
                hints.source_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                let settings = self.resolver.settings.clone();
                blocking(move || local::copy(&path, &settings, spool)).await
            }
            Source::Inline { declared, base64 } => {
                (hints.declared_type, hints.inline) = (declared, true);
                let bytes = inline::decode(base64, self.cap)?;
                blocking(move || spool.fill(&*bytes)).await
            }
            Source::Blob(sha256) => {
                let bytes = self.blobs.blob(sha256).await.map_err(Problem::Unreachable)?;
                let bytes = bytes.ok_or_else(|| Problem::rejected("the stored inline content is gone"))?;
                blocking(move || spool.fill(&*bytes)).await
            }
        }
    }
}
