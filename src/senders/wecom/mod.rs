//! What WeCom's group robots and applications share (sheet weixin.md, parts B and C): the envelope of answers, the
//! error table, uploads with their cache, and the counting of limits that the platform does not tell.

mod answer;
mod forms;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::multipart::Form as Multipart;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use url::Url;

use self::answer::FIELDS;
pub(super) use self::answer::{Answer, class_of, is_media_gone, is_token_error};
pub(super) use self::forms::{Form, LARGEST_FILE, Limits, choose_form, next_form, read};
use super::sender::MemoryError;
use super::shared::failure::{Class, Failure, Sent};
use super::shared::upload;
use super::shared::verdict::Verdict;
use super::shared::wire::Wire;
use crate::domain::limits::{CHATS, Quota, Tallies, Tally, Usage, Window};
use crate::domain::push::MediaFile;
use crate::domain::{Locked, Secret, UtcMs};

/// Uploads live three days; an hour less, so that none dies between the look and the send.
const UPLOAD_LIFE: Duration = Duration::from_secs(71 * 3600);
/// Uploads remembered per account.
const UPLOADS_KEPT: usize = 64;
/// So many members are counted before those are forgotten to whom nothing went of late.
const TALLIES_KEPT: usize = 1000;
/// The waits after "too often" double with each that follows at once, up to this.
const LONGEST_COOL_DOWN: Duration = Duration::from_secs(16 * 60);

/// An upload that may serve again.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Upload {
    form: String,
    sha256: String,
    media_id: String,
    at: UtcMs,
}

#[derive(Default)]
struct State {
    uploads: Vec<Upload>,
    /// What was sent of late, and the rest that the platform asked for, as they were told last or have become since.
    usage: Usage,
    /// What was kept under the senders' own keys.
    others: HashMap<String, String>,
    /// Refusals as "too often", one after the other.
    refusals: u32,
}

impl State {
    fn add(&mut self, upload: Upload) {
        self.uploads.retain(|old| (&old.form, &old.sha256) != (&upload.form, &upload.sha256));
        self.uploads.push(upload);
        let surplus = self.uploads.len().saturating_sub(UPLOADS_KEPT);
        self.uploads.drain(..surplus);
    }
}

/// One account's way to WeCom, with what it remembers.
pub(super) struct Wecom {
    pub wire: Wire,
    /// The windows in which the sends to a subject are counted.
    windows_of: fn(&str) -> &'static [Window],
    state: Mutex<State>,
    keeping: tokio::sync::Mutex<()>,
    loaded: OnceCell<()>,
}

const MEMORY_UPLOADS: &str = "uploads";
const MEMORY_TALLY: &str = "sent:";

impl Wecom {
    pub(super) fn new(wire: Wire, windows_of: fn(&str) -> &'static [Window]) -> Wecom {
        let (state, keeping, loaded) = (Mutex::default(), tokio::sync::Mutex::default(), OnceCell::new());
        Wecom { wire, windows_of, state, keeping, loaded }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.locked()
    }

    /// Reads what earlier runs remembered, once. Without it uploads are repeated and counts begin at zero, so a
    /// failure is told and tried again the next time.
    pub(super) async fn load(&self) {
        let loaded = self.loaded.get_or_try_init(async || {
            let entries = self.wire.load().await?;
            let (mut state, now) = (self.state(), self.wire.steady.now());
            for (key, value) in entries {
                if key == MEMORY_UPLOADS {
                    state.uploads = serde_json::from_str(&value).unwrap_or_default();
                    // Made before the clock was put back: nobody knows how old they are.
                    state.uploads.retain(|upload| upload.at <= now);
                } else if let Some(subject) = key.strip_prefix(MEMORY_TALLY) {
                    let mut tally: Tally = serde_json::from_str(&value).unwrap_or_default();
                    tally.bring_back((self.windows_of)(subject), now);
                    *state.usage.tallies.of(subject) = tally;
                } else {
                    state.others.insert(key, value);
                }
            }
            Ok::<(), MemoryError>(())
        });
        if let Err(error) = loaded.await {
            tracing::warn!(account = self.wire.account, %error, "cannot load the account's uploads and counts");
        }
    }

    /// What an earlier run kept under a key of the sender's own, once it was loaded; handed out once.
    pub(super) fn take_loaded(&self, key: &str) -> Option<String> {
        self.state().others.remove(key)
    }

    /// Keeps what `newest` says under `key`: one writer at a time, each with the newest state, so that no older one
    /// is kept last.
    pub(super) async fn keep<T: Serialize>(&self, key: &str, newest: impl FnOnce() -> T) {
        let _keeping = self.keeping.lock().await;
        // Our own types have string keys only, so that they always have a JSON form.
        let value = serde_json::to_string(&newest()).unwrap_or_default();
        if let Err(error) = self.wire.save(key, &value).await {
            tracing::warn!(account = self.wire.account, key, %error, "cannot save the state of an account");
        }
    }

    /// What was used of the limits.
    pub(super) fn usage(&self) -> Usage {
        let usage = &mut self.state().usage;
        usage.number += 1;
        usage.line = self.wire.steady.line();
        usage.clone()
    }

    /// Sends a message, counted before it leaves; one that never left is taken back.
    ///
    /// # Errors
    /// The quota is used up, or there is no answer.
    pub(super) async fn send(
        &self,
        quota: &Quota<'_>,
        request: RequestBuilder,
        deadline: Duration,
    ) -> Result<Answer, Failure> {
        self.check_quota(quota)?;
        let at = self.wire.steady.now();
        self.tally(quota, |tally| tally.add(quota.windows, at)).await;
        let answer = self.call(request, deadline).await;
        if answer.as_ref().is_err_and(|failure| failure.class == Class::Unreachable) {
            self.tally(quota, |tally| tally.take_back(quota.windows, at)).await;
        }
        answer
    }

    /// # Errors
    /// A send is not even tried, because the platform would refuse or drop it.
    pub(super) fn check_quota(&self, quota: &Quota) -> Result<(), Failure> {
        let now = self.wire.steady.now();
        let Some(free) = self.state().usage.free_at(quota, &Tallies::default(), now) else { return Ok(()) };
        let error = "not called: the sends that WeCom grants in this time are used up";
        Err(Failure::throttled(Some(free.since(now)), error))
    }

    async fn tally(&self, quota: &Quota<'_>, change: impl Fn(&mut Tally)) {
        if quota.subjects != [CHATS] {
            let tallies = &mut self.state().usage.tallies;
            if tallies.len() > TALLIES_KEPT {
                tallies.forget_idle(quota.windows, self.wire.steady.now());
            }
        }
        for subject in &quota.subjects {
            change(self.state().usage.tallies.of(subject));
            let newest = || self.state().usage.tallies.get(subject).cloned().unwrap_or_default();
            self.keep(&format!("{MEMORY_TALLY}{subject}"), newest).await;
        }
    }

    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.wire.http.post(url)
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.wire.http.get(url)
    }

    /// Makes the call and reads `errcode`; any code is an answer.
    ///
    /// # Errors
    /// There is no answer of the API; the text shows neither address nor page, since both may hold the key.
    pub(super) async fn call(&self, request: RequestBuilder, deadline: Duration) -> Result<Answer, Failure> {
        let reply = self.wire.http.call(request, deadline).await?;
        if let Some(failure) = reply.status_failure(self.wire.now()) {
            return Err(Failure { error: format!("HTTP {} instead of an answer", reply.status), ..failure });
        }
        let (code, refusal) = match FIELDS.read(&reply.json().unwrap_or_default()) {
            Verdict::Yes => (0, String::new()),
            Verdict::No(no) => (no.own_code(), no.told("errcode ")),
            Verdict::Nothing => {
                return Err(Failure::unknown("the answer holds no errcode").with_status(reply.status));
            }
        };
        Ok(Answer {
            code,
            body: reply.json_as_it_came().unwrap_or_default(),
            status: reply.status,
            refusal,
            told: reply.retry_after(self.wire.now()),
            secrets: reply.secrets().clone(),
        })
    }

    /// What an answer to a send means, and what it teaches about the rate.
    pub(super) fn judge(&self, answer: &Answer, secrets: &[&Secret]) -> Result<Sent, Failure> {
        if answer.code != 0 {
            return Err(self.refusal(answer, secrets));
        }
        let mut state = self.state();
        (state.refusals, state.usage.blocked_until) = (0, None);
        Ok(Sent::new(answer.text("msgid").map(|id| answer.show(id))).with_status(answer.status))
    }

    /// The failure that an answer with another code than 0 means.
    pub(super) fn refusal(&self, answer: &Answer, secrets: &[&Secret]) -> Failure {
        let mut state = self.state();
        let mut class = class_of(answer.code);
        match &mut class {
            Class::Throttled { wait: Some(wait) } => {
                let cool_down = (*wait * 2_u32.saturating_pow(state.refusals)).min(LONGEST_COOL_DOWN);
                *wait = answer.told.map_or(cool_down, |told| told.max(cool_down));
                state.refusals = (state.refusals + 1).min(8);
                state.usage.blocked_until = Some(self.wire.steady.now() + *wait);
            }
            Class::Throttled { wait } => *wait = answer.told,
            _ => {}
        }
        Failure::new(class, scrub(&answer.refusal, secrets)).with_status(answer.status)
    }

    /// The `media_id` of an earlier upload that still lives.
    pub(super) fn uploaded(&self, form: Form, file: &MediaFile) -> Option<String> {
        let alive = self.wire.steady.now() - UPLOAD_LIFE;
        let state = self.state();
        let same = |upload: &&Upload| upload.form == form.as_str() && upload.sha256 == file.sha256 && upload.at > alive;
        state.uploads.iter().find(same).map(|upload| upload.media_id.clone())
    }

    /// Uploads the file from the disk, piece by piece, and remembers its `media_id`. Nobody sees an upload, so one
    /// that broke off counts as not sent.
    pub(super) async fn upload(
        &self,
        url: Url,
        form: Form,
        file: &MediaFile,
        deadline: Duration,
    ) -> Result<Answer, Failure> {
        let form_data = Multipart::new().part("media", upload::part(file).await?);
        let request = self.post(url).multipart(form_data);
        let answer = self.call(request, deadline).await.map_err(Failure::before_the_send)?;
        if let Some(media_id) = answer.text("media_id") {
            let upload = Upload {
                form: form.as_str().to_owned(),
                sha256: file.sha256.clone(),
                media_id: media_id.to_owned(),
                at: self.wire.steady.now(),
            };
            self.state().add(upload);
            self.keep(MEMORY_UPLOADS, || self.state().uploads.clone()).await;
        }
        Ok(answer)
    }

    /// Forgets an upload that the platform no longer knows.
    pub(super) fn forget_upload(&self, media_id: &str) {
        self.state().uploads.retain(|upload| upload.media_id != media_id);
    }
}

/// Takes secrets out of what the platform said.
fn scrub(text: &str, secrets: &[&Secret]) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    secrets.fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "****"))
}
