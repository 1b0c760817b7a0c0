//! `ilink`: personal WeChat through Tencent's bot API, iLink or ClawBot (sheet weixin.md, part A).
//!
//! - The bot reaches one WeChat user: the one who scanned its QR code (`pushcron login ACCOUNT`). No groups. A push
//!   names the user by the id that `accounts` shows, or as `me`.
//! - It may write only within a day of that user's last message, and ten times until the next one. A long poll
//!   ([`Sender::listen`]) sees these messages, and [`Sender::gate`] parks what cannot pass. Without the long poll
//!   (no daemon) the last known state counts. No more than six sends go out in five minutes, since more was seen to
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

mod api;
mod cdn;
mod credentials;
mod login;
mod poll;
mod send;
mod window;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::OnceCell;

use self::api::Api;
use self::credentials::Credentials;
use self::send::Attempt;
use self::window::{Contact, PACE, Refusals, Rules};
use super::login::{LoggedIn, LoginDialog, LoginError};
use super::sender::{BuildError, Environment, EventSink, Gate, Memory, MemoryError, Probe, Sender};
use super::shared::setting::{CA_FILE, duration, int, text, url};
use super::shared::sliding::{self, Tally};
use super::shared::steady::Steady;
use super::shared::steps::{Budget, Progress, Step, Style, plan};
use super::shared::text::Limit;
use super::shared::{markdown, settings};
use crate::domain::sender::any_target;
use crate::domain::{Account, Delivery, Kind, Outcome, Report, Secret, SenderSpec, Support, Target, UtcMs};

pub static SPEC: SenderSpec = SenderSpec {
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

const API_BASE: &str = "https://ilinkai.weixin.qq.com";
const CDN_BASE: &str = "https://novac2c.cdn.weixin.qq.com/c2c";

/// A login that was called stale is tried again after this time, should no new one come.
const STALE_FOR: Duration = Duration::from_secs(3600);
/// A poll that went well within this time proves that the login holds.
const FRESH: Duration = Duration::from_secs(90);
/// For calls that send nothing.
const SHORT: Duration = Duration::from_secs(10);

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

pub fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    Ok(Box::new(Ilink::new(account, environment)?))
}

pub fn login<'a>(
    account: &'a Account,
    environment: &'a Environment,
    dialog: &'a mut dyn LoginDialog,
) -> Pin<Box<dyn Future<Output = Result<LoggedIn, LoginError>> + 'a>> {
    Box::pin(login::login(account, environment, dialog))
}

fn api(account: &Account, environment: &Environment) -> Result<Api, BuildError> {
    Ok(Api {
        http: settings::http(account, environment)?,
        clock: environment.clock.clone(),
        route_tag: account.settings.text("route_tag").map(str::to_owned),
    })
}

fn base(account: &Account, key: &str, default: &str) -> Result<String, BuildError> {
    Ok(settings::url(account, key)?.map_or_else(|| default.to_owned(), String::from))
}

/// One account. What it knows of its contacts belongs to a bot, since another login is another bot.
struct Ilink {
    account: String,
    api: Api,
    /// What paces and rests go by; the window goes by the platform's own day.
    steady: Steady,
    cdn_url: String,
    rules: Rules,
    credentials: PathBuf,
    memory: Arc<dyn Memory>,
    recalled: OnceCell<()>,
    state: Mutex<State>,
    keeping: tokio::sync::Mutex<()>,
    /// Held while a push goes out, so that pushes keep their distance: when the last send was, by the monotonic clock.
    turn: tokio::sync::Mutex<Option<Duration>>,
}

#[derive(Default)]
struct State {
    login: Option<Credentials>,
    bots: HashMap<String, Bot>,
    pace: Tally,
    /// The token that the platform called stale, and when.
    stale: Option<(Secret, UtcMs)>,
    polled_at: Option<UtcMs>,
    /// Pushes, by key and step, whose upload was refused once.
    refused_uploads: HashSet<(String, usize)>,
}

/// What is kept for a bot over restarts.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Bot {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    contacts: HashMap<String, Contact>,
    #[serde(default)]
    refusals: Refusals,
}

impl Ilink {
    fn new(account: &Account, environment: &Environment) -> Result<Ilink, BuildError> {
        let quota = account.settings.int("quota").map_or(Some(window::QUOTA), |quota| u32::try_from(quota).ok());
        let quota = quota.filter(|quota| *quota > 0);
        Ok(Ilink {
            account: account.id.clone(),
            steady: Steady::new(&environment.clock),
            api: api(account, environment)?,
            cdn_url: base(account, "cdn_url", CDN_BASE)?,
            rules: Rules {
                window: account.settings.duration("window").unwrap_or(window::WINDOW),
                quota: quota.ok_or_else(|| settings::problem(account, "quota: expected a number from 1"))?,
            },
            credentials: Credentials::path(&environment.state_dir, &account.id),
            memory: environment.memory.clone(),
            recalled: OnceCell::new(),
            state: Mutex::default(),
            keeping: tokio::sync::Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> UtcMs {
        self.api.clock.now()
    }

    fn login_needed(&self) -> String {
        format!("login needed: run `pushcron login {}`", self.account)
    }

    /// The present login, read anew each time, so that a login of another process is seen at once.
    ///
    /// # Errors
    /// There is none, or the platform called it stale: the words for people.
    async fn login(&self) -> Result<Credentials, String> {
        self.recall().await.map_err(|error| format!("cannot recall the send window: {error}"))?;
        let loaded = Credentials::load(&self.credentials).map_err(|error| error.to_string())?;
        let mut state = self.state();
        state.login = loaded.clone();
        let login = loaded.ok_or_else(|| self.login_needed())?;
        let stale = state.stale.as_ref();
        match stale.filter(|(token, at)| *token == login.token && self.steady.now() < *at + STALE_FOR) {
            Some(_) => Err(self.login_needed()),
            None => Ok(login),
        }
    }

    async fn recall(&self) -> Result<(), MemoryError> {
        let recall = async || {
            for (bot_id, value) in self.memory.recall(&self.account).await? {
                match serde_json::from_str::<Bot>(&value) {
                    Ok(mut bot) => {
                        bot.refusals.bring_back(self.steady.now());
                        self.state().bots.insert(bot_id, bot);
                    }
                    // The next message of the user opens a window again.
                    Err(error) => tracing::warn!(account = self.account, bot_id, %error, "unreadable send window"),
                }
            }
            Ok(())
        };
        self.recalled.get_or_try_init(recall).await.copied()
    }

    /// Changes what is known of a bot; the second result tells whether that was kept.
    async fn change<T>(&self, bot_id: &str, change: impl FnOnce(&mut Bot) -> T) -> (T, Result<(), MemoryError>) {
        let result = change(self.state().bots.entry(bot_id.to_owned()).or_default());
        // One writer at a time, each with the newest state, so that no older one is kept last.
        let _keeping = self.keeping.lock().await;
        let bot = self.state().bots.get(bot_id).cloned().unwrap_or_default();
        // Its keys are texts, so that it always has a JSON form.
        let kept = serde_json::to_string(&bot).unwrap_or_default();
        (result, self.memory.remember(&self.account, bot_id, &kept).await)
    }

    /// As [`Ilink::change`], where going on without it being kept does no harm.
    async fn change_or_warn<T>(&self, bot_id: &str, change: impl FnOnce(&mut Bot) -> T) -> T {
        let (result, kept) = self.change(bot_id, change).await;
        if let Err(error) = kept {
            tracing::warn!(account = self.account, %error, "cannot keep the state of the send window");
        }
        result
    }

    fn mark_stale(&self, login: &Credentials) {
        self.state().stale = Some((login.token.clone(), self.steady.now()));
    }

    fn contact(&self, login: &Credentials, user: &str) -> Contact {
        let state = self.state();
        state.bots.get(&login.bot_id).and_then(|bot| bot.contacts.get(user)).cloned().unwrap_or_default()
    }

    fn gate_of(&self, login: &Credentials, user: &str, needed: u32, now: UtcMs) -> Gate {
        let contact = self.contact(login, user);
        let state = self.state();
        let steady = self.steady.now();
        let refused_until = state.bots.get(&login.bot_id).and_then(|bot| bot.refusals.blocked_until(steady));
        let free_at = sliding::free_at(&[&state.pace], PACE, steady);
        let blocked_until = refused_until.max(free_at).map(|at| self.steady.on_the_wall(at, now));
        window::gate(&contact, blocked_until, needed, self.rules, now)
    }

    /// The report of a send that is not tried because it could not pass.
    fn held_back(&self, login: &Credentials, user: &str, needed: u32) -> Option<Report> {
        let now = self.now();
        let Gate::Closed { reason, until } = self.gate_of(login, user, needed, now) else { return None };
        let obstacle = self.contact(login, user).obstacle(needed, self.rules, now);
        let why = obstacle.unwrap_or_else(|| "too many sends of late".to_owned());
        let outcome = Outcome::Throttled { wait: until.map(|until| until.since(now)) };
        Some(Report::failed(outcome, format!("not sent, {reason}: {why}")))
    }
}

#[async_trait]
impl Sender for Ilink {
    async fn send(&self, delivery: &Delivery) -> Report {
        let mut last_send = self.turn.lock().await;
        let login = match self.login().await {
            Ok(login) => login,
            Err(error) => return Report::failed(Outcome::AccountDown, error),
        };
        let Target::User(user) = &delivery.target else {
            return Report::failed(Outcome::Rejected, "the platform lets no bot into a group");
        };
        let user = recipient(user, &login);
        let steps = plan(&delivery.message, &STYLE);
        let mut progress = Progress::resume(delivery, &steps);
        if let Some(report) = self.held_back(&login, user, sends_left(&steps, &progress)) {
            return Report { parts: delivery.parts.clone(), ..report };
        }
        let budget = Budget::new(&self.api.clock, delivery.timeout);
        let mut attempt = Attempt { ilink: self, login: &login, user, delivery, budget, last_send: &mut last_send };
        for (index, step) in steps.iter().enumerate() {
            if progress.is_sent(index) {
                continue;
            }
            let report = attempt.send(index, step).await.unwrap_or_else(|report| report);
            if !progress.record(index, report) {
                break;
            }
        }
        progress.finish()
    }

    async fn probe(&self) -> Probe {
        let login = match self.login().await {
            Ok(login) => login,
            Err(error) => return Probe::down(error),
        };
        if self.state().polled_at.is_none_or(|at| self.steady.now().since(at) >= FRESH) {
            match self.is_alive(&login).await {
                Ok(true) => {}
                Ok(false) => return Probe::down(self.login_needed()),
                Err(error) => return Probe::down(error),
            }
        }
        let blocked =
            self.state().bots.get(&login.bot_id).and_then(|bot| bot.refusals.blocked_until(self.steady.now()));
        match blocked {
            None => Probe::up(),
            Some(until) => Probe {
                online: Some(true),
                sendable: Some(false),
                error: Some(format!(
                    "the platform refused the last send; no sends before {}",
                    self.steady.on_the_wall(until, self.now())
                )),
            },
        }
    }

    fn gate(&self, target: &Target, delivery: Option<&Delivery>, now: UtcMs) -> Gate {
        // Before the first probe nothing is known; the send looks for itself.
        let Some(login) = self.state().login.clone() else { return Gate::Open };
        let needed = delivery.map_or(1, |delivery| {
            let steps = plan(&delivery.message, &STYLE);
            sends_left(&steps, &Progress::resume(delivery, &steps))
        });
        self.gate_of(&login, recipient(target.id(), &login), needed, now)
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
            return vec![(login.user_id.clone(), Contact::default().describe(self.rules, now))];
        };
        let described = |(user, contact): (&String, &Contact)| (user.clone(), contact.describe(self.rules, now));
        let mut contacts: Vec<_> = bot.contacts.iter().map(described).collect();
        contacts.sort();
        contacts
    }
}

impl Ilink {
    /// Whether the login holds: asks for the user's configuration, which sends nothing (sheet A8).
    ///
    /// # Errors
    /// The platform gives no answer: the words for people.
    async fn is_alive(&self, login: &Credentials) -> Result<bool, String> {
        let mut body = json!({"ilink_user_id": login.user_id});
        if let Some(token) = self.contact(login, &login.user_id).context_token {
            body["context_token"] = token.into();
        }
        let answer = self.api.call(login, "ilink/bot/getconfig", body, SHORT).await;
        // Any answer but one, even a refusal, was given to a login that holds.
        let alive = answer.map_err(|report| report.error.unwrap_or_default())?.ret != api::STALE;
        if !alive {
            self.mark_stale(login);
        }
        Ok(alive)
    }
}

/// `me` is the user who scanned.
fn recipient<'a>(user: &'a str, login: &'a Credentials) -> &'a str {
    if user == "me" { &login.user_id } else { user }
}

/// How many sends a delivery still takes.
fn sends_left(steps: &[Step], progress: &Progress) -> u32 {
    let open = (0..steps.len()).filter(|index| !progress.is_sent(*index)).count();
    u32::try_from(open).unwrap_or(u32::MAX)
}
