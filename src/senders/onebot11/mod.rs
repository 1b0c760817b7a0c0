//! QQ through OneBot v11 over HTTP: NapCat, LLBot, Lagrange, go-cqhttp (qq.md §1 to §5).
//!
//! The protocol has no idempotency key, so what may have gone out stays unknown. Success is HTTP 2xx and retcode 0
//! beside no `status` that says otherwise. Messages are arrays of segments, never strings, in which CQ codes would be obeyed. Ids are texts.

mod answer;
mod api;
mod media;
mod message;
mod outgoing;
mod product;
mod strain;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use self::api::Api;
use self::message::{Send, notes, plan};
use self::outgoing::Outgoing;
use self::product::Product;
use self::strain::Strain;
use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::json_body::Slots;
use super::shared::parts::{Budget, Progress};
use super::shared::setting::{CA_FILE, flag, secret, text, url};
use super::shared::settings;
use crate::clock::SharedClock;
use crate::domain::account::Account;
use crate::domain::{Delivery, Outcome, Report, SenderSpec, Support};

pub static SPEC: SenderSpec = SenderSpec {
    name: "onebot11",
    about: "QQ through a OneBot v11 implementation: NapCat, LLBot, Lagrange, go-cqhttp",
    default_im: "qq",
    settings: &[
        url("url", "the implementation's HTTP server, such as http://127.0.0.1:3000").required(),
        secret("token", "its access token, sent as Authorization: Bearer").or("no authentication"),
        text("self_id", "the QQ number that must be logged in; another one counts as offline").or("any"),
        flag(
            "local_files",
            "the implementation reads this machine's files: media go by path instead of inside the request",
        ),
        CA_FILE,
    ],
    support: |_, _| Support::Native,
    target: super::shared::targets::no_number_for_people,
    idempotent: |_| false,
    // One send at a time to a target, and a few targets at once, so that one that hangs holds up no other. QQ's own
    // limits are not published: real accounts set `min_interval` (docs/senders.md).
    concurrency: 4,
    min_interval_ms: 0,
    max_media_bytes: 100 * 1024 * 1024,
};

/// Between the parts of one message (qq.md §5.1), unless the account names its own pace.
const PACE: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

pub fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    Ok(Box::new(OneBot {
        api: Api {
            http: settings::http(account, environment)?,
            clock: environment.clock.clone(),
            base: settings::required_url(account, "url")?,
            authorization: settings::bearer(account, "token")?,
        },
        clock: environment.clock.clone(),
        self_id: account.settings.text("self_id").map(str::to_owned),
        local_files: account.settings.bool("local_files") == Some(true),
        pace: account.min_interval.unwrap_or(PACE),
        product: Mutex::new(None),
        strain: Strain::new(&environment.clock),
    }))
}

struct OneBot {
    api: Api,
    clock: SharedClock,
    self_id: Option<String>,
    local_files: bool,
    pace: Duration,
    /// As the last probe found it; it may change with an update of the implementation.
    product: Mutex<Option<Product>>,
    strain: Strain,
}

#[async_trait]
impl Sender for OneBot {
    async fn send(&self, delivery: &Delivery) -> Report {
        let sends = plan(&delivery.message);
        if sends.is_empty() {
            return Report::failed(Outcome::Rejected, "nothing to send: the text is empty");
        }
        let mut progress = Progress::resume(delivery, &sends);
        notes(&delivery.message, delivery.target.is_group()).into_iter().for_each(|note| progress.note(note));
        let mut budget = Budget::new(&self.clock, delivery.timeout);
        let mut is_first = true;
        for (index, send) in sends.iter().enumerate() {
            if progress.is_sent(index) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                // The timeout of a push is meant for one message.
                budget.extend(self.pace + delivery.timeout);
                self.clock.sleep(self.pace).await;
            }
            let report = self.send_one(delivery, send, &mut budget).await.unwrap_or_else(|failed| failed);
            if !progress.record(index, report) {
                break;
            }
        }
        let report = progress.finish();
        self.strain.note(&delivery.target, &report);
        report
    }

    /// Online by the implementation's own word and as the right account; sendable unless one target after the other
    /// fails, since risk control leaves everything else looking well.
    async fn probe(&self) -> Probe {
        match self.look().await {
            Ok(online) if online != Some(false) && self.strain.is_likely() => Probe {
                online,
                sendable: Some(false),
                error: Some("several targets in a row got nothing: perhaps QQ's risk control".to_owned()),
            },
            Ok(Some(false)) => Probe::down("QQ is offline (get_status)"),
            Ok(online) => Probe { online, sendable: online, error: None },
            Err(error) => Probe::down(error),
        }
    }
}

impl OneBot {
    /// Whether QQ is online, None where the implementation does not know; or why nobody can be asked. Most open their
    /// port only after the login, so a refused connection is a word on QQ too.
    async fn look(&self) -> Result<Option<bool>, String> {
        let ask = async |action: &str| {
            let asked = self.api.ask(action, json!({}), PROBE_TIMEOUT).await;
            asked.map_err(|report| report.error.unwrap_or_default())
        };
        let status = ask("get_status").await?;
        let online = status.get("online").and_then(Value::as_bool);
        if online == Some(false) || status.get("good") == Some(&json!(false)) {
            return Ok(Some(false));
        }
        if let Some(expected) = &self.self_id {
            let login = ask("get_login_info").await?;
            let found = login.get("user_id").and_then(id_text).unwrap_or_default();
            if found != *expected {
                let found = self.api.http.show(&found);
                return Err(format!("logged in as '{found}', expected self_id {expected}"));
            }
        }
        if let Ok(version) = ask("get_version_info").await {
            self.remember(Product::tell(&version));
        }
        Ok(online)
    }

    fn remember(&self, product: Product) {
        *self.product.lock().unwrap_or_else(PoisonError::into_inner) = Some(product);
    }

    fn known_product(&self) -> Option<Product> {
        *self.product.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The implementation, asked for it if no probe has done so yet.
    async fn product(&self, budget: &Budget) -> Result<Product, Report> {
        if let Some(product) = self.known_product() {
            return Ok(product);
        }
        let product = match self.api.ask("get_version_info", json!({}), budget.left()?).await {
            Ok(version) => Product::tell(&version),
            // It answered, but does not know the question.
            Err(report) if report.outcome == Outcome::Rejected => Product::Other,
            Err(report) => return Err(report),
        };
        self.remember(product);
        Ok(product)
    }

    async fn send_one(&self, delivery: &Delivery, send: &Send, budget: &mut Budget) -> Result<Report, Report> {
        let product = match send.is_plain() {
            // A text needs no question beforehand.
            true => self.known_product().unwrap_or(Product::Other),
            false => self.product(budget).await?,
        };
        let outgoing = Outgoing { bot: self, delivery, product, slots: Slots::new(), bytes: 0, budget };
        match send {
            Send::Together(pieces) => outgoing.together(pieces).await,
            Send::Alone { kind, index } => outgoing.alone(*kind, *index).await,
        }
    }
}

/// Ids come as numbers or as texts, and LLBot's may be negative.
fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::Number(id) => Some(id.to_string()),
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        _ => None,
    }
}
