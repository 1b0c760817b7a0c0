//! DingTalk custom robots: a webhook that writes to its one group (`protocols/others.md` §3).
//!
//! The answer holds no message id, and there is no idempotency key and nothing to read back: a lost answer stays
//! `unknown`. Media go out by their public address only, inside markdown. A robot has 20 messages a minute, and who
//! sends more is shut out for ten: the sends are counted here, over restarts, so that it never comes to that.

mod answer;
mod pace;
mod plan;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::OnceCell;

use self::answer::judge;
pub(super) use self::pace::GRANTED;
use self::pace::{PACE, Pace};
use self::plan::{Planned, plan};
use super::sender::{BuildError, Environment, MemoryError, Probe, Sender};
use super::shared::deliver::{Post, Turn, deliver};
use super::shared::failure::{Class, Failure, Sent};
use super::shared::http::CallError;
use super::shared::setting::{CA_FILE, secret, url};
use super::shared::settings;
use super::shared::sign::hmac_sha256_base64;
use super::shared::wire::Wire;
use crate::domain::limits::{Limits, Usage};
use crate::domain::sender::any_target;
use crate::domain::{Account, Delivery, Kind, Locked, Report, Secret, SenderSpec, Support};
use crate::texts;

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "dingtalk_robot",
    about: "DingTalk, through a group's custom robot (webhook)",
    default_im: "dingtalk",
    settings: &[
        url("url", "the whole webhook address, https://oapi.dingtalk.com/robot/send?access_token=…").required(),
        secret("secret", "the signing secret SEC…, where the robot's security settings ask for a signature"),
        CA_FILE,
    ],
    support: |kind, to_group| match kind {
        _ if !to_group => Support::Refused("a custom robot writes to its own group only"),
        Kind::Text | Kind::Mixed => Support::Native,
        Kind::Image | Kind::Voice | Kind::Video | Kind::File => Support::Fallback("as link"),
    },
    target: any_target,
    idempotent: |_| false,
    concurrency: 1,
    min_interval_ms: 0,
    max_media_bytes: u64::MAX,
};

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let url = settings::required_url(account, "url")?;
    if !url.query_pairs().any(|(key, token)| key == "access_token" && !token.is_empty()) {
        return Err(settings::problem(account, texts::webhook_of_dingtalk()));
    }
    Ok(Box::new(DingtalkRobot {
        url: Secret::new(url.into()),
        secret: account.settings.secret("secret").cloned(),
        wire: Wire::new(account, environment)?,
        loaded: OnceCell::new(),
        pace: Mutex::default(),
        told: AtomicU64::default(),
    }))
}

struct DingtalkRobot {
    /// Its query holds the token.
    url: Secret,
    secret: Option<Secret>,
    wire: Wire,
    /// Set once `pace` holds what the memory knew.
    loaded: OnceCell<()>,
    pace: Mutex<Pace>,
    /// How often its usage was told.
    told: AtomicU64,
}

#[async_trait]
impl Sender for DingtalkRobot {
    async fn send(&self, delivery: &Delivery) -> Report {
        deliver(delivery, &self.wire.clock, plan(delivery), self).await
    }

    /// There is no way to ask without sending.
    async fn probe(&self) -> Probe {
        self.load().await;
        Probe::assumed_up()
    }

    fn limits(&self) -> Option<Limits> {
        Some(GRANTED)
    }

    fn usage(&self) -> Option<Usage> {
        let pace = self.pace();
        let number = self.told.fetch_add(1, Ordering::Relaxed) + 1;
        Some(pace.usage(number, self.wire.steady.line()))
    }
}

impl Post<Planned> for DingtalkRobot {
    async fn post(&self, planned: &Planned, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        let left = turn.left()?;
        self.load().await;
        let (now, at) = (self.wire.now(), self.wire.steady.now());
        {
            let mut pace = self.pace();
            if let Some(until) = pace.free_at(at) {
                let error = "not called: the robot's 20 messages of this minute are used up";
                return Err(Failure::throttled(Some(until.since(at)), error));
            }
            pace.count(at);
        }
        self.save().await;
        let mut request = self.wire.http.post(self.url.expose()).json(&planned.body);
        if let Some(secret) = &self.secret {
            // `query` encodes the signature, once.
            request = request.query(&[("timestamp", now.0.to_string()), ("sign", sign(now.0, secret))]);
        }
        let reply = self.wire.http.call(request, left).await.inspect_err(|error| {
            if matches!(error, CallError::NotSent(_)) {
                self.pace().take_back(at);
            }
        })?;
        let done = judge(&reply, now);
        if let Err(Failure { class: Class::Throttled { wait: Some(wait) }, .. }) = &done {
            self.pace().shut_out_until = Some(self.wire.steady.now() + *wait);
            self.save().await;
        }
        turn.note.clone_from(&planned.note);
        done
    }
}

impl DingtalkRobot {
    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.locked()
    }

    async fn load(&self) {
        let load = || async {
            let notes = self.wire.load().await?;
            if let Some((_, pace)) = notes.into_iter().find(|(key, _)| key == PACE) {
                *self.pace() = Pace::parse(&pace, self.wire.steady.now());
            }
            Ok::<(), MemoryError>(())
        };
        if let Err(error) = self.loaded.get_or_try_init(load).await {
            tracing::warn!(account = self.wire.account, %error, "cannot load what the robot sent of late");
        }
    }

    async fn save(&self) {
        let pace = self.pace().to_text();
        if let Err(error) = self.wire.save(PACE, &pace).await {
            tracing::warn!(account = self.wire.account, %error, "cannot save what the robot sent of late");
        }
    }
}

/// The signature of a request made at `ms`.
fn sign(ms: i64, secret: &Secret) -> String {
    hmac_sha256_base64(secret.expose(), &format!("{ms}\n{}", secret.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of others.md §13, made with OpenSSL.
    #[test]
    fn the_signature_is_that_of_the_sheet() {
        let secret = Secret::new("SECdemo".into());
        assert_eq!(sign(1_700_000_000_000, &secret), "lOvVf9TQCVugV68mGbSZCg0gzOl1SVjxWi1MyVZCUuA=");
    }
}
