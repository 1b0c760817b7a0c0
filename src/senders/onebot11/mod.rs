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
mod risk_control;

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use self::api::{Api, id_text};
use self::message::{Send, notes, plan};
use self::outgoing::Outgoing;
use self::product::Product;
use self::risk_control::RiskControl;
use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::budget::Budget;
use super::shared::deliver::{Attempt, Post, Turn};
use super::shared::failure::{Class, Failure, Sent};
use super::shared::json_body::Slots;
use super::shared::setting::{CA_FILE, flag, secret, text, url};
use super::shared::settings;
use super::shared::wire::Wire;
use crate::domain::account::Account;
use crate::domain::{Delivery, Locked, Report, SenderSpec, Support};

pub(super) static SPEC: SenderSpec = SenderSpec {
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
    // limits are not published: real accounts set `min_interval` (docs/senders/onebot11.md).
    concurrency: 4,
    min_interval_ms: 0,
    max_media_bytes: 100 * 1024 * 1024,
};

/// Between the parts of one message (qq.md §5.1), unless the account names its own pace.
const PACE: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    Ok(Box::new(OneBot {
        api: Api {
            wire: Wire::new(account, environment)?,
            base: settings::required_url(account, "url")?,
            authorization: settings::bearer(account, "token")?,
        },
        self_id: account.settings.text("self_id").map(str::to_owned),
        local_files: account.settings.bool("local_files") == Some(true),
        pace: account.min_interval.unwrap_or(PACE),
        product: Mutex::new(None),
        risk_control: RiskControl::new(&environment.clock),
    }))
}

struct OneBot {
    api: Api,
    self_id: Option<String>,
    local_files: bool,
    pace: Duration,
    /// As the last probe found it; it may change with an update of the implementation.
    product: Mutex<Option<Product>>,
    risk_control: RiskControl,
}

#[async_trait]
impl Sender for OneBot {
    async fn send(&self, delivery: &Delivery) -> Report {
        let period = self.risk_control.period();
        let notes = notes(&delivery.message, delivery.target.is_group());
        // The timeout of a push is meant for one message.
        let attempt = Attempt::new(delivery, &self.api.wire.clock).pausing(self.pace).with_more_time(delivery.timeout);
        let report = attempt.noting(notes).run(Ok(plan(&delivery.message)), self).await;
        self.risk_control.note(period, &delivery.target, &report);
        report
    }

    /// Online by the implementation's own word and as the right account; sendable unless one target after the other
    /// fails, since risk control leaves everything else looking well.
    async fn probe(&self) -> Probe {
        let found = self.look().await;
        match &found {
            Ok(Some(false)) | Err(_) => self.risk_control.offline(),
            Ok(_) => self.risk_control.online(),
        }
        match found {
            Ok(online) if online != Some(false) && self.risk_control.is_likely() => Probe {
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
            asked.map_err(|failure| failure.error)
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
                let found = self.api.wire.http.show(&found);
                return Err(format!("logged in as '{found}', expected self_id {expected}"));
            }
        }
        if let Ok(version) = ask("get_version_info").await {
            self.remember(Product::tell(&version));
        }
        Ok(online)
    }

    fn remember(&self, product: Product) {
        *self.product.locked() = Some(product);
    }

    fn known_product(&self) -> Option<Product> {
        *self.product.locked()
    }

    /// The implementation, asked for it if no probe has done so yet.
    async fn product(&self, budget: &Budget) -> Result<Product, Failure> {
        if let Some(product) = self.known_product() {
            return Ok(product);
        }
        let product = match self.api.ask("get_version_info", json!({}), budget.left()?).await {
            Ok(version) => Product::tell(&version),
            // It answered, but does not know the question.
            Err(failure) if failure.class == Class::Rejected => Product::Other,
            Err(failure) => return Err(failure),
        };
        self.remember(product);
        Ok(product)
    }
}

impl Post<Send> for OneBot {
    async fn post(&self, send: &Send, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        let product = match send.is_plain() {
            // A text needs no question beforehand.
            true => self.known_product().unwrap_or(Product::Other),
            false => self.product(turn.budget).await?,
        };
        let (delivery, budget) = (turn.delivery, &mut *turn.budget);
        let (api, local_files) = (&self.api, self.local_files);
        let outgoing = Outgoing { api, local_files, delivery, product, slots: Slots::new(), bytes: 0, budget };
        match send {
            Send::Together(pieces) => outgoing.together(pieces).await,
            Send::Alone { kind, index } => outgoing.alone(*kind, *index).await,
        }
    }
}
