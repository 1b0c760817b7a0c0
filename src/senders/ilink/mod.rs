//! `ilink`: personal WeChat through Tencent's bot API, iLink or ClawBot (sheet weixin.md, part A).
//!
//! - The bot reaches one WeChat user: the one who scanned its QR code (`pushcron login ACCOUNT`). No groups. A push
//!   names the user by the id that `accounts` shows, or as `me`.
//! - It may write only within a day of that user's last message, and ten times until the next one. A long poll
//!   ([`Sender::listen`]) sees these messages, and what cannot pass waits. Without the long poll (no daemon) the last
//!   known state counts. No more than six sends go out in five minutes, since more was seen to
//!   lock a bot.
//! - A refusal (`ret -2`) stands for window, quota or rate, and trying again prolongs it: the account then waits
//!   90 s, 30 min, 1 h, 2 h, 4 h, over restarts, until a send succeeds or the user writes.
//! - `ret 0` without a message id was seen to mean "accepted and dropped": it is reported as `unknown`. The client id
//!   of a message stays the same over attempts, but whether the platform heeds it is unconfirmed, so that a repeat is
//!   not called safe.
//! - Markdown is laid out as plain text, a text is cut at 3,800 characters (so never over 16,384 bytes), a message of
//!   several contents is a sequence with 2 s between its sends, and voice goes as a file, since the platform accepts
//!   voice and never shows it. Media is encrypted on its way from disk to the CDN; an upload may take longer than the
//!   push's timeout: a second more for each 128 kB.
//!
//! Unconfirmed by the sheet, and therefore settable: the length of the window and its quota.

mod account;
mod api;
mod cdn;
mod credentials;
mod login;
mod poll;
mod send;
mod window;

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;

use self::account::{Ilink, ME};
use self::api::{API_BASE, CDN_BASE};
use self::credentials::Credentials;
use self::send::Sending;
use self::window::{Contact, QUOTA, WINDOW};
use super::login::{LoggedIn, LoginDialog, LoginError};
use super::sender::{BuildError, Environment, EventSink, Probe, Sender};
use super::shared::deliver::deliver;
use super::shared::failure::Failure;
use super::shared::markdown;
use super::shared::parts::Progress;
use super::shared::setting::{CA_FILE, duration, int, text, url};
use super::shared::steps::{Step, Style, plan};
use super::shared::text::Limit;
use crate::domain::account::Settings;
use crate::domain::limits::{Limits, Replies, Usage};
use crate::domain::sender::any_target;
use crate::domain::{Account, Delivery, Kind, Report, SenderSpec, Support, Target, UtcMs};

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "ilink",
    about: "personal WeChat through Tencent's bot API (iLink, ClawBot)",
    default_im: "weixin",
    settings: &[
        url("base_url", "where a login begins; later calls go where the login says").or(API_BASE),
        url("cdn_url", "where media is uploaded").or(CDN_BASE),
        text("route_tag", "value of the header SKRouteTag, where the platform's operators gave one out"),
        duration("window", "how long after the user's last message the bot may write; the platform says 24 h")
            .or("23h"),
        int("quota", "how many messages the bot may write between two of the user's").or("10"),
        CA_FILE,
    ],
    support,
    target: any_target,
    idempotent: |_| false,
    concurrency: 1,
    min_interval_ms: 2000,
    max_media_bytes: 100 * 1024 * 1024,
};

/// A poll that went well within this time proves that the login holds.
const FRESH: Duration = Duration::from_secs(90);
const STYLE: Style = Style {
    mention: |user| format!("@{user}"),
    at_all: Some("@all"),
    plain: Some(markdown::to_plain),
    text_limit: Limit::Chars(3800),
    markdown_limit: Limit::Chars(3800),
};

fn support(kind: Kind, group: bool) -> Support {
    match kind {
        _ if group => Support::Refused("the platform lets no bot into a group"),
        Kind::Text | Kind::Image | Kind::Video | Kind::File => Support::Native,
        Kind::Voice => Support::Fallback("as file"),
        Kind::Mixed => Support::Fallback("as a sequence"),
    }
}

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    Ok(Box::new(Ilink::new(account, environment)?))
}

pub(super) fn login<'a>(
    account: &'a Account,
    environment: &'a Environment,
    dialog: &'a mut dyn LoginDialog,
) -> Pin<Box<dyn Future<Output = Result<LoggedIn, LoginError>> + 'a>> {
    Box::pin(login::login(account, environment, dialog))
}

#[async_trait]
impl Sender for Ilink {
    async fn send(&self, delivery: &Delivery) -> Report {
        let _turn = self.turn.lock().await;
        let login = match self.login().await {
            Ok(login) => login,
            Err(error) => return Failure::account_down(error).into(),
        };
        let Target::User(user) = &delivery.target else {
            return Failure::rejected("the platform lets no bot into a group").into();
        };
        let user = recipient(user, &login);
        let steps = plan(&delivery.message, &STYLE);
        if let Err(failure) = self.check_window(&login, user, sends_left(&steps, delivery)) {
            return Report { parts: delivery.parts.clone(), ..failure.into() };
        }
        let sending = Sending { ilink: self, login: &login, user };
        deliver(delivery, &self.api.wire.clock, Ok(steps), &sending).await
    }

    async fn probe(&self) -> Probe {
        let login = match self.login().await {
            Ok(login) => login,
            Err(error) => return Probe::down(error),
        };
        if self.state().polled_at.is_none_or(|at| self.api.wire.steady.now().since(at) >= FRESH) {
            match self.is_alive(&login).await {
                Ok(true) => {}
                Ok(false) => return Probe::down(self.login_needed()),
                Err(error) => return Probe::down(error),
            }
        }
        let blocked =
            self.state().bots.get(&login.bot_id).and_then(|bot| bot.refusals.blocked_until(self.api.wire.steady.now()));
        match blocked {
            None => Probe::up(),
            Some(until) => Probe {
                online: Some(true),
                sendable: Some(false),
                error: Some(format!(
                    "the platform refused the last send; no sends before {}",
                    self.api.wire.steady.on_the_wall(until, self.now())
                )),
            },
        }
    }

    fn limits(&self) -> Option<Limits> {
        Some(granted(self.rules))
    }

    fn usage(&self) -> Option<Usage> {
        let login = self.state().login.clone();
        Some(self.usage_of(login.as_ref()))
    }

    async fn listen(&self, events: EventSink) {
        poll::run(self, &events).await;
    }

    async fn contacts(&self, now: UtcMs) -> Vec<(String, String)> {
        // Without a login there is no contact.
        let _ = self.login().await;
        let state = self.state();
        let Some(login) = &state.login else { return Vec::new() };
        let Some(bot) = state.bots.get(&login.bot_id) else {
            return vec![(login.user_id.clone(), Contact::default().conversation.describe(self.rules, now))];
        };
        let described =
            |(user, contact): (&String, &Contact)| (user.clone(), contact.conversation.describe(self.rules, now));
        let mut contacts: Vec<_> = bot.contacts.iter().map(described).collect();
        contacts.sort();
        contacts
    }
}

/// What the platform grants.
pub(super) fn limits(settings: &Settings) -> Limits {
    // A quota that is no number from 1 is refused when the sender is made.
    granted(window::replies(settings).unwrap_or(Replies { window: WINDOW, quota: QUOTA }))
}

fn granted(replies: Replies) -> Limits {
    window::granted(replies, |delivery| sends_left(&plan(&delivery.message, &STYLE), delivery))
}

/// `me` is the user who scanned.
fn recipient<'a>(user: &'a str, login: &'a Credentials) -> &'a str {
    if user == ME { &login.user_id } else { user }
}

/// How many sends a delivery still takes.
fn sends_left(steps: &[Step], delivery: &Delivery) -> u32 {
    let progress = Progress::resume(delivery, steps);
    let open = (0..steps.len()).filter(|index| !progress.is_sent(*index)).count();
    u32::try_from(open).unwrap_or(u32::MAX)
}
