//! Matrix, through the client-server API (`protocols/others.md` §6).
//!
//! Every event carries a transaction id made from the push's key, so a repeat is answered with the event that is
//! already there. The server keys that memory by device: a new access token means a new device, and a push retried
//! across that change may appear twice. Rooms are written to unencrypted; in an encrypted room clients say so, and so
//! does the push.

mod answer;
mod content;
mod direct;
mod places;
mod rooms;

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::answer::{Refusal, judge, text_of};
use self::content::{Event, plan};
use self::places::{Place, Places};
use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::budget::Budget;
use super::shared::deliver::{Attempt, Post, Turn};
use super::shared::failure::{Class, Failure, Sent};
use super::shared::key_ages::key_holds;
use super::shared::parts::add_note;
use super::shared::setting::{CA_FILE, flag, secret, url};
use super::shared::upload::{self, Uploads};
use super::shared::wire::Wire;
use super::shared::{ogg, settings};
use crate::domain::{
    Account, Delivery, Locked, MediaFile, Report, Secret, SenderSpec, Support, Target, UtcMs, WrongTarget,
};

const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Synapse forgets a transaction id after a day.
const KEY_WINDOW: Duration = Duration::from_secs(24 * 3600);
/// How long the server's cap on uploads counts before it is asked for again.
const CAP_LASTS: Duration = Duration::from_secs(3600);
/// Every byte that needs no percent-encoding in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "matrix",
    about: "Matrix, through any homeserver (rooms without encryption)",
    default_im: "matrix",
    settings: &[
        url("url", "the homeserver's address, such as https://matrix.example.org").required(),
        secret("token", "an access token; a new one is a new device, which does not know what the old one sent")
            .required(),
        flag("notice", "send texts as notices, which clients show without a sound and bots do not answer"),
        CA_FILE,
    ],
    support: |_, _| Support::Native,
    target: has_its_sign,
    idempotent: |_| true,
    concurrency: 4,
    min_interval_ms: 0,
    // The server's own cap is asked for before an upload; 50 MB is what Synapse takes by default.
    max_media_bytes: u64::MAX,
};

/// Every id of Matrix begins with a sign that tells what it is of, and those that people read end with their server.
fn has_its_sign(target: &Target) -> Result<(), WrongTarget> {
    let id = target.id();
    let (signs, problem, expected): (&[char], _, _) = match target {
        Target::Group(_) => {
            (&['!', '#'], "is no room of Matrix", "a room's id (!…) or its alias such as #name:example.org")
        }
        Target::User(_) => (&['@'], "is no user of Matrix", "a user's id such as @name:example.org"),
    };
    let is_whole = |id: &str| id.starts_with(signs) && (id.starts_with('!') || id.contains(':'));
    if is_whole(id) {
        return Ok(());
    }
    // A link to the room or the user, as clients share it.
    let linked = id.split_once("matrix.to/#/").and_then(|(_, id)| id.split('?').next());
    let meant = linked.filter(|id| is_whole(id)).map(str::to_owned);
    Err(WrongTarget { problem, expected, meant, is_secret: false })
}

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let url = settings::required_url(account, "url")?;
    let token = account.settings.secret("token").ok_or_else(|| settings::missing(account, "token"))?;
    Ok(Box::new(Matrix {
        base_url: url.as_str().trim_end_matches('/').to_owned(),
        token: token.clone(),
        text_type: if account.settings.bool("notice") == Some(true) { "m.notice" } else { "m.text" },
        wire: Wire::new(account, environment)?,
        user_id: OnceCell::new(),
        upload_cap: Mutex::default(),
        uploads: Uploads::default(),
        places: Places::default(),
        listing: tokio::sync::Mutex::default(),
    }))
}

struct Matrix {
    base_url: String,
    token: Secret,
    text_type: &'static str,
    wire: Wire,
    /// Ours, as the server knows it.
    user_id: OnceCell<String>,
    /// The largest upload that the server takes, where it says so, and when it was asked.
    upload_cap: Mutex<Option<(Option<u64>, UtcMs)>>,
    uploads: Uploads,
    places: Places,
    /// Held while the account's list of direct rooms is read, added to and written.
    listing: tokio::sync::Mutex<()>,
}

#[async_trait]
impl Sender for Matrix {
    async fn send(&self, delivery: &Delivery) -> Report {
        let key_holds = key_holds(delivery, KEY_WINDOW, self.wire.now());
        Attempt::new(delivery, &self.wire.clock).guarded(key_holds).run(plan(delivery, self.text_type), self).await
    }

    async fn probe(&self) -> Probe {
        match self.call(self.wire.http.get(self.path(&["account", "whoami"])), PROBE_TIMEOUT).await {
            Ok(_) => Probe::up(),
            Err(refusal) => Probe::down(refusal.failure.error),
        }
    }

    fn is_idempotent(&self, delivery: &Delivery, now: UtcMs) -> bool {
        key_holds(delivery, KEY_WINDOW, now)
    }

    fn reloaded(&self) {
        self.places.doubt_all();
    }
}

impl Post<Event<'_>> for Matrix {
    async fn post(&self, event: &Event<'_>, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        let (delivery, key) = (turn.delivery, turn.key());
        // An earlier try may have arrived, and must not arrive in another room as well.
        let perhaps = turn.is_repeat && !delivery.retry.resend_unknown;
        let budget = &mut *turn.budget;
        let mut place = self.place(delivery, budget).await?;
        let mut was_refused = false;
        let mut content = event.content.clone();
        loop {
            if perhaps && let Some(before) = place.lead.elsewhere(delivery) {
                return Err(may_have_arrived(before, &place));
            }
            if !was_refused {
                self.upload_into(&mut content, event, budget).await?;
            }
            let path = self.path(&["rooms", &place.lead.room, "send", "m.room.message", &key]);
            let failure = match self.call(self.wire.http.put(path).json(&content), budget.left()?).await {
                Ok(answer) => return accepted(&answer, event, &place),
                Err(refusal) => refusal.failure,
            };
            if failure.class != Class::TargetGone || was_refused {
                return Err(failure);
            }
            // The room may have been replaced since it was looked at.
            let other = self.other_place(&place, delivery, budget).await?;
            if other.lead.room == place.lead.room {
                return Err(failure);
            }
            (place, was_refused) = (other, true);
        }
    }
}

impl Matrix {
    async fn upload_into(&self, content: &mut Value, event: &Event<'_>, budget: &mut Budget) -> Result<(), Failure> {
        let Some(file) = event.file else { return Ok(()) };
        content["url"] = json!(self.uploaded(file, budget).await?);
        if let Some(ms) = ogg::opus_duration_ms(&file.path).await {
            content["info"]["duration"] = json!(ms);
        }
        if let Some(cover) = &file.cover {
            content["info"]["thumbnail_url"] = json!(self.uploaded(cover, budget).await?);
            content["info"]["thumbnail_info"] = json!({"mimetype": cover.mime_type, "size": cover.len});
        }
        Ok(())
    }

    /// The address of the file on the server, where it is put unless it lies there already.
    async fn uploaded(&self, file: &MediaFile, budget: &mut Budget) -> Result<String, Failure> {
        let now = self.wire.steady.now();
        if let Some(uri) = self.uploads.get(file, "", now) {
            return Ok(uri);
        }
        self.check_size(file, budget).await?;
        budget.extend_for_bytes(file.len);
        let request = self.wire.http.post(format!("{}/_matrix/media/v3/upload", self.base_url));
        let request = upload::raw(request.query(&[("filename", &file.filename)]), file).await?;
        let answer = self.prepare(request, budget).await.map_err(|failure| {
            if failure.http_status == Some(413) {
                // Another cap than the one that we know.
                *self.upload_cap.locked() = None;
            }
            match failure.class {
                // A refusal to store this file says nothing about the room.
                Class::TargetGone => failure.classed(Class::Rejected),
                _ => failure,
            }
        })?;
        let uri = text_of(&answer, "content_uri")?;
        self.uploads.put(file, "", &uri, now);
        Ok(uri)
    }

    /// Spares an upload that the server is bound to refuse. A server that does not tell its cap is simply tried.
    async fn check_size(&self, file: &MediaFile, budget: &Budget) -> Result<(), Failure> {
        match self.cap(budget).await? {
            Some(cap) if file.len > cap => {
                let error = format!("'{}' has {} bytes, the server takes {cap}", file.filename, file.len);
                Err(Failure::rejected(error))
            }
            _ => Ok(()),
        }
    }

    async fn cap(&self, budget: &Budget) -> Result<Option<u64>, Failure> {
        let now = self.wire.steady.now();
        let known = *self.upload_cap.locked();
        if let Some((cap, asked_at)) = known
            && now.since(asked_at) < CAP_LASTS
        {
            return Ok(cap);
        }
        let url = format!("{}/_matrix/client/v1/media/config", self.base_url);
        let cap = match self.call(self.wire.http.get(url), budget.left()?).await {
            Ok(config) => config["m.upload.size"].as_u64(),
            Err(refusal) if refusal.failure.class == Class::Rejected => None,
            Err(refusal) => return Err(refusal.failure.before_the_send()),
        };
        *self.upload_cap.locked() = Some((cap, now));
        Ok(cap)
    }

    fn path(&self, segments: &[&str]) -> String {
        let mut url = format!("{}/_matrix/client/v3", self.base_url);
        for segment in segments {
            url.push('/');
            url.extend(utf8_percent_encode(segment, SEGMENT));
        }
        url
    }

    /// A call before the send, which nobody sees: whatever became of it, the message is not out.
    async fn prepare(&self, request: RequestBuilder, budget: &Budget) -> Result<Value, Failure> {
        self.call(request, budget.left()?).await.map_err(|refusal| refusal.failure.before_the_send())
    }

    async fn call(&self, request: RequestBuilder, deadline: Duration) -> Result<Value, Box<Refusal>> {
        match self.wire.http.call(request.bearer_auth(self.token.expose()), deadline).await {
            Ok(reply) => judge(&reply, self.wire.now()),
            Err(error) => Err(Box::new(Refusal { errcode: String::new(), failure: error.into() })),
        }
    }
}

/// An event that the server took.
fn accepted(answer: &Value, event: &Event<'_>, place: &Place) -> Result<Sent, Failure> {
    let Some(event_id) = answer["event_id"].as_str().filter(|id| !id.is_empty()) else {
        return Err(Failure::unknown("the answer names no event"));
    };
    let mut note = None;
    add_note(&mut note, event.note);
    if place.replaces {
        add_note(&mut note, Some(&format!("the room was replaced by {}", place.lead.room)));
    }
    add_note(&mut note, place.encrypted.then_some("unencrypted in an encrypted room"));
    Ok(Sent::new(Some(event_id.to_owned())).with_status(200).noting(note))
}

/// The target leads to another room than when the push was first tried, and the transaction id says nothing there.
fn may_have_arrived(before: &str, place: &Place) -> Failure {
    let room = &place.lead.room;
    let error = format!(
        "it may have arrived in {before}, and the target leads to {room} since: look there, or say resend_unknown to \
         have such a push sent again"
    );
    Failure::target_gone(error)
}
