//! `qianxun`: WeChat on a Windows machine, driven through the Qianxun hook's HTTP interface (sheet qx.md).
//!
//! - Both generations (Pro and old) and both plans (the framework, which serves several WeChats, or one WeChat's own
//!   port) are told from the address's path or from `api:`. Text is raw UTF-8 with lines that end in CR, emoji as the
//!   generation writes them, at most 1,600 UTF-16 units a part; codes such as `[@,wxid=…]` in somebody's text are
//!   made harmless.
//! - Media goes as content inside the request (Pro, up to 5 MB), as a link, through a folder that both machines share
//!   (`shared_dir` here, `shared_dir_on_host` there), or as larger content. What the hook cannot read in one form is
//!   sent in the next, at last as a text with the link. Voices and videos go as files. Content costs no memory, it
//!   is read from disk while it goes out. A media may take 60 s and a second for each 128 kB beyond the timeout.
//! - A mixed message is a sequence; parts keep the account's least time between sends. Mentions work in groups, in a
//!   private chat they are text.
//! - There is no idempotency key. A `code` other than 200 without a known meaning is `unknown`, unless WeChat turns
//!   out to be offline: then nothing can have been sent.
//! - `code` 200 means that the hook took the message. With `callback_listen`, to which the framework's HTTP callback
//!   must point, each message is confirmed when its own event (10010) comes back; log-outs and the end of the licence
//!   are heard at once. A send whose answer was lost then waits for its event, 30 s for a text and 120 s for a media
//!   beyond the timeout, before it is called `unknown`. Callbacks carry no secret: let only the Windows machine reach
//!   the port. One account, one port.
//!
//! Unconfirmed by the sheet, and handled either way: several ids in one `sendId` (the first is the message's, all are
//! awaited); links for files in the old generation (tried after the share); what a send to an unknown target answers
//! (with `check_target` the hook is asked before the first part, and only its plain "knows nothing" counts as gone);
//! the code of a refused safekey (told by its words).

mod api;
mod callback;
mod health;
mod media;
mod text;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use self::api::{Api, Call, Refusal};
use self::callback::{Arrival, Event, Ledger};
use self::media::{Form, Share, Way, windows_name};
use super::sender::{BuildError, Environment, EventSink, Probe, Sender, SenderEvent};
use super::shared::budget::Budget;
use super::shared::deliver::{Attempt, Post, Turn};
use super::shared::failure::{Class, Failure, Sent};
use super::shared::parts::kind_as;
use super::shared::setting::{CA_FILE, choice, flag, path, secret, text, url};
use super::shared::settings;
use super::shared::steps::Step;
use super::shared::wire::Wire;
use crate::domain::account::Account;
use crate::domain::sender::any_target;
use crate::domain::{Delivery, Kind, Locked, MediaFile, Outcome, Report, SenderSpec, Support, Target};
use crate::texts::{self, Text};

/// A media call may cover the hook's own download.
const MEDIA_EXTRA: Duration = Duration::from_secs(60);
/// How long a callback may take (sheet §8).
const TEXT_ECHO: Duration = Duration::from_secs(30);
const MEDIA_ECHO: Duration = Duration::from_secs(120);
/// The callback may overtake the recording of the attempt that it confirms.
const CONFIRM_DELAY: Duration = Duration::from_secs(1);

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "qianxun",
    about: "WeChat on Windows through the Qianxun hook (Pro and old)",
    default_im: "qx",
    settings: &[
        url("url", "the hook's address, such as http://192.168.1.5:7777; without a path it is that of `api`")
            .required(),
        choice(
            "api",
            &["pro_framework", "pro_wechat", "old_framework", "old_wechat"],
            "the hook's generation, and whether the framework or one WeChat's own port is spoken to",
        )
        .or("told from the url's path, else pro_framework"),
        text("wxid", "the sending WeChat; needed with the framework, which may serve several").or("the one in the url"),
        secret("safekey", "the key that was set in the framework").or("none"),
        path(
            "shared_dir",
            "a folder that the Windows machine sees too; media is passed through it where nothing better works",
        )
        .or("none"),
        text("shared_dir_on_host", "the same folder as the Windows machine calls it, such as Z:/pushcron").or("none"),
        flag(
            "check_target",
            "ask before each message whether the hook knows the target; one it knows nothing of is given up",
        ),
        text("callback_listen", "IP:PORT to hear the framework's HTTP callbacks at, which confirm deliveries")
            .or("none"),
        CA_FILE,
    ],
    support,
    target: any_target,
    idempotent: |_| false,
    concurrency: 1,
    // The hook has been seen to crash on bursts.
    min_interval_ms: 3000,
    max_media_bytes: u64::MAX,
};

fn support(kind: Kind, _group: bool) -> Support {
    match kind {
        Kind::Text | Kind::Image | Kind::File => Support::Native,
        Kind::Voice | Kind::Video => Support::Fallback("as file"),
        Kind::Mixed => Support::Fallback("as a sequence"),
    }
}

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let problem = |text: Text| settings::problem(account, text);
    let url = settings::required_url(account, "url")?;
    let values = &account.settings;
    let wire = Wire::new(account, environment)?;
    let api = Api::new(&url, values.text("api"), values.text("wxid"), values.secret("safekey"), &wire);
    let share = match (values.path("shared_dir"), values.text("shared_dir_on_host")) {
        (Some(here), Some(there)) => Some(Share { here: here.to_owned(), there: there.to_owned() }),
        (None, None) => None,
        _ => return Err(problem(texts::both_or_neither("shared_dir", "shared_dir_on_host"))),
    };
    let listen = values.text("callback_listen").map(str::parse).transpose();
    Ok(Box::new(Qianxun {
        api: api.map_err(|error| problem(Text::same(error)))?,
        wire,
        share,
        check_target: values.bool("check_target").unwrap_or(false),
        pause: account.min_interval.unwrap_or(Duration::from_millis(SPEC.min_interval_ms)),
        listen: listen.map_err(|_| problem(texts::ip_and_port("callback_listen")))?,
        ledger: Mutex::default(),
        is_hearing: AtomicBool::new(false),
        heard: Notify::new(),
        confirmed: Notify::new(),
    }))
}

struct Qianxun {
    api: Api,
    wire: Wire,
    share: Option<Share>,
    check_target: bool,
    /// The least time between two parts of one message.
    pause: Duration,
    listen: Option<SocketAddr>,
    ledger: Mutex<Ledger>,
    /// Callbacks are listened to in this process.
    is_hearing: AtomicBool,
    /// A message came back.
    heard: Notify,
    /// The ledger has confirmed messages.
    confirmed: Notify,
}

#[async_trait]
impl Sender for Qianxun {
    async fn send(&self, delivery: &Delivery) -> Report {
        let to_group = delivery.target.is_group();
        let steps = text::steps(&delivery.message, to_group, self.encoding());
        let is_sequence = steps.len() > 1 && delivery.message.body.kind() == Kind::Mixed;
        let has_mentions = !to_group && text::has_mentions(&delivery.message);
        let notes = [(is_sequence, "mixed as a sequence"), (has_mentions, "mentions as text")];
        let notes = notes.into_iter().filter_map(|(applies, note)| applies.then_some(note));
        let attempt = Attempt::new(delivery, &self.wire.clock).pausing(self.pause).noting(notes);
        let report = attempt.run(Ok(steps), self).await;
        self.await_callbacks(&report);
        report
    }

    async fn probe(&self) -> Probe {
        self.api.health().await
    }

    async fn listen(&self, sink: EventSink) {
        let Some(address) = self.listen else { return };
        let (events, arrivals) = mpsc::channel(64);
        self.is_hearing.store(true, Ordering::Relaxed);
        let serving = callback::serve(address, self.api.wxid.clone(), self.wire.clock.clone(), events);
        tokio::join!(serving, self.hear(arrivals, &sink), self.confirm(&sink));
    }
}

impl Post<Step> for Qianxun {
    async fn post(&self, step: &Step, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        let target = wxid_of(&turn.delivery.target);
        if turn.is_first && self.check_target {
            self.look_up(&target, turn.left()?).await?;
        }
        let mark = self.ledger().mark();
        let done = match step {
            Step::Text { text, .. } | Step::Markdown { text } => self.send_text(&target, text, turn.left()?).await,
            Step::Media { kind, index } => {
                let file = turn.file(*index)?;
                let source = turn.delivery.message.body.media().get(*index).map_or("", |media| media.source.as_str());
                turn.budget.extend(MEDIA_EXTRA);
                turn.budget.extend_for_bytes(file.len);
                self.send_media(&target, *kind, source, file, turn.budget).await?
            }
        };
        let failure = match done {
            Ok(sent) => return Ok(sent),
            Err(Refusal::Unclear(error)) => self.clear_up(error).await,
            Err(refusal) => refusal.into(),
        };
        match failure.class {
            Class::Unknown => self.echo_of(step, &target, mark).await.ok_or(failure),
            _ => Err(failure),
        }
    }
}

impl Qianxun {
    fn encoding(&self) -> fn(&str) -> String {
        if self.api.dialect.is_pro() { text::encode_pro } else { text::encode_old }
    }

    /// Waits for the callback of a send whose answer was lost; None where nobody listens or it does not come.
    async fn echo_of(&self, step: &Step, target: &str, mark: u64) -> Option<Sent> {
        if !self.is_hearing.load(Ordering::Relaxed) {
            return None;
        }
        let fits = |arrival: &Arrival| {
            let content = match step {
                Step::Text { text, .. } | Step::Markdown { text } => {
                    arrival.kind == 1 && text::is_same(text, &arrival.text, self.encoding())
                }
                // Whatever the form, an image comes back as image or file, everything else as file.
                Step::Media { .. } => matches!(arrival.kind, 3 | 49),
            };
            content && arrival.target == target
        };
        let mut patience =
            self.wire.clock.sleep(if matches!(step, Step::Media { .. }) { MEDIA_ECHO } else { TEXT_ECHO });
        loop {
            // Made before the look, or what arrives in between would be missed.
            let heard = self.heard.notified();
            let found = self.ledger().recognise(mark, fits);
            if let Some(id) = found {
                let shown = self.api.show(&id);
                self.ledger().given(&shown, &id);
                let note = Some("its answer was lost, its callback came".to_owned());
                return Some(Sent::new(Some(shown)).noting(note));
            }
            tokio::select! {
                () = heard => {}
                () = &mut patience => return None,
            }
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.locked()
    }

    async fn send_text(&self, target: &str, text: &str, deadline: Duration) -> Result<Sent, Refusal> {
        let data = json!({"wxid": target, "msg": (self.encoding())(text)});
        self.api.call(Call::Text, data, deadline).await.map(|envelope| self.accepted(&envelope))
    }

    /// Tries the ways of sending a media until the hook can read one. The outer error means that no way was begun.
    async fn send_media(
        &self,
        target: &str,
        kind: Kind,
        source: &str,
        file: &MediaFile,
        budget: &Budget,
    ) -> Result<Result<Sent, Refusal>, Failure> {
        let mut unread = None;
        for way in media::ways(self.api.dialect, self.share.as_ref(), kind, source, file) {
            match self.send_one_way(&way, target, file, budget).await? {
                Err(Refusal::Media(error)) => unread = Some(error),
                done => return Ok(done.map(|sent| sent.noting(note(kind, &way)))),
            }
        }
        let Some(url) = &file.url else {
            let error = unread.unwrap_or_else(|| {
                format!("this generation takes a {kind} only as a link or through a shared folder (shared_dir)")
            });
            return Ok(Err(Refusal::Media(error)));
        };
        let text = format!("{}\n{url}", file.filename);
        let done = self.send_text(target, &text, budget.left()?).await;
        Ok(done.map(|sent| sent.noting(kind_as(kind, "link"))))
    }

    async fn send_one_way(
        &self,
        way: &Way,
        target: &str,
        file: &MediaFile,
        budget: &Budget,
    ) -> Result<Result<Sent, Refusal>, Failure> {
        let mut data = json!({"wxid": target, "path": ""});
        if self.api.dialect.is_pro() {
            data["fileName"] = windows_name(&file.filename).into();
        }
        let done = match (&way.form, &self.share) {
            (Form::Ready(path), _) => {
                data["path"] = path.as_str().into();
                self.api.call(way.call, data, budget.left()?).await
            }
            (Form::Shared, Some(share)) => {
                let put = share.put(file, self.wire.now()).await;
                let failed = |error| Failure::unreachable(format!("cannot write to shared_dir: {error}"));
                data["path"] = put.map_err(failed)?.into();
                self.api.call(way.call, data, budget.left()?).await
            }
            _ => self.api.call_with_content(way.call, data, file, budget.left()?).await,
        };
        Ok(done.map(|envelope| self.accepted(&envelope)))
    }

    /// A send that the hook took. Old versions and stickers bring no id.
    fn accepted(&self, envelope: &Value) -> Sent {
        let ids = envelope["result"]["sendId"].as_str().unwrap_or_default();
        let first = ids.split(',').map(str::trim).find(|id| !id.is_empty());
        let shown = first.map(|id| {
            let shown = self.api.show(id);
            self.ledger().given(&shown, id);
            shown
        });
        Sent::new(shown).with_status(200)
    }

    /// Asks whether the hook knows the target at all.
    async fn look_up(&self, target: &str, deadline: Duration) -> Result<(), Failure> {
        let data = json!({"wxid": target, "type": "1"});
        let Ok(envelope) = self.api.call(Call::Query, data, deadline.min(health::TIMEOUT)).await else { return Ok(()) };
        let known = envelope["result"]["wxid"].as_str().is_some_and(|wxid| !wxid.is_empty());
        if known || target == "filehelper" {
            return Ok(());
        }
        Err(Failure::target_gone(format!("this WeChat knows no '{target}'")))
    }

    /// What an unexplained refusal of a send means: nothing was sent if WeChat is offline, else nobody knows.
    async fn clear_up(&self, error: String) -> Failure {
        match self.probe().await {
            Probe { online: Some(true), sendable: Some(true), .. } | Probe { online: None, .. } => {
                Refusal::Unclear(error).into()
            }
            Probe { error: why, .. } => {
                let why = why.unwrap_or_default();
                Failure::account_down(format!("{error}; {why}")).with_status(200)
            }
        }
    }

    /// Remembers which callbacks will confirm a message.
    fn await_callbacks(&self, report: &Report) {
        let (Some(_), Some(message_id), Outcome::Sent) = (self.listen, &report.message_id, &report.outcome) else {
            return;
        };
        let parts: Vec<String> = if report.parts.is_empty() {
            vec![message_id.clone()]
        } else {
            report.parts.iter().filter_map(|part| part.message_id.clone()).collect()
        };
        self.ledger().sent(message_id, parts);
        self.confirmed.notify_one();
    }

    async fn hear(&self, mut arrivals: mpsc::Receiver<Event>, sink: &EventSink) {
        while let Some(event) = arrivals.recv().await {
            let health = match event {
                Event::Arrived(arrival) => {
                    self.ledger().arrived(arrival);
                    self.heard.notify_waiters();
                    self.confirmed.notify_one();
                    continue;
                }
                // Whoever reaches the port can say so: it is a reason to look, and only the hook's own word counts.
                Event::Online | Event::Offline | Event::LicenceExpired => self.probe().await,
            };
            // The daemon that no longer listens is about to drop us.
            let _ = sink.send(SenderEvent::Health(health)).await;
        }
    }

    async fn confirm(&self, sink: &EventSink) {
        loop {
            self.confirmed.notified().await;
            self.wire.clock.sleep(CONFIRM_DELAY).await;
            let confirmed = self.ledger().take_confirmed();
            for message_id in confirmed {
                let _ = sink.send(SenderEvent::Confirmed { message_id }).await;
            }
        }
    }
}

/// A group's bare number becomes its full id; everything else is taken as it stands.
fn wxid_of(target: &Target) -> String {
    match target {
        Target::Group(id) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => format!("{id}@chatroom"),
        target => target.id().to_owned(),
    }
}

fn note(kind: Kind, way: &Way) -> Option<String> {
    kind_as(kind, if way.call == Call::Image { "image" } else { "file" })
}
