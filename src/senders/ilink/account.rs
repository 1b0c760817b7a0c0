//! What an account knows: its login, its bot's contacts and refusals, and when it may send.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::OnceCell;

use super::api::{self, Api, CDN_BASE, SHORT, base};
use super::credentials::Credentials;
use super::window::{self, BOT, Contact, Refusals};
use crate::domain::limits::{Conversation, Gate, Replies, Tallies, Tally, Usage};
use crate::domain::{Account, Locked, Moment, Reading, Secret, Target, UtcMs};
use crate::senders::sender::{BuildError, Environment, MemoryError};
use crate::senders::shared::failure::Failure;
use crate::senders::shared::settings;
use crate::texts;

/// Whom a push calls the user who scanned.
pub(super) const ME: &str = "me";
/// A login that was called stale is tried again after this time, should no new one come.
const STALE_FOR: Duration = Duration::from_secs(3600);

/// One account. What it knows of its contacts belongs to a bot, since another login is another bot.
pub(super) struct Ilink {
    pub api: Api,
    pub cdn_url: String,
    pub rules: Replies,
    credentials: PathBuf,
    loaded: OnceCell<()>,
    state: Mutex<State>,
    keeping: tokio::sync::Mutex<()>,
    /// Held while a push goes out, so that pushes keep their distance.
    pub turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
pub(super) struct State {
    pub login: Option<Credentials>,
    pub bots: HashMap<String, Bot>,
    pub pace: Tally,
    /// How often its usage was told.
    told: u64,
    /// When the last send went out.
    pub last_send: Option<Moment>,
    /// The token that the platform called stale, and when.
    stale: Option<(Secret, UtcMs)>,
    pub polled_at: Option<UtcMs>,
    /// Pushes, by key and step, whose upload was refused once.
    pub refused_uploads: HashSet<(String, usize)>,
}

/// What is kept for a bot over restarts.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Bot {
    #[serde(default)]
    pub cursor: String,
    #[serde(default)]
    pub contacts: HashMap<String, Contact>,
    #[serde(default)]
    pub refusals: Refusals,
}

impl Ilink {
    pub(super) fn new(account: &Account, environment: &Environment) -> Result<Ilink, BuildError> {
        let rules = window::replies(&account.settings);
        Ok(Ilink {
            api: Api::new(account, environment)?,
            cdn_url: base(account, "cdn_url", CDN_BASE)?,
            rules: rules.ok_or_else(|| settings::problem(account, texts::expected_number_from_one("quota")))?,
            credentials: Credentials::path(&environment.state_dir, &account.id),
            loaded: OnceCell::new(),
            state: Mutex::default(),
            keeping: tokio::sync::Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.locked()
    }

    pub(super) fn now(&self) -> UtcMs {
        self.api.wire.now()
    }

    pub(super) fn login_needed(&self) -> String {
        format!("login needed: run `pushcron login {}`", self.api.wire.account)
    }

    /// The present login, read anew each time, so that a login of another process is seen at once.
    ///
    /// # Errors
    /// There is none, or the platform called it stale: the words for people.
    pub(super) async fn login(&self) -> Result<Credentials, String> {
        self.load().await.map_err(|error| format!("cannot load the send window: {error}"))?;
        let loaded = Credentials::load(&self.credentials).map_err(|error| error.to_string())?;
        let mut state = self.state();
        state.login = loaded.clone();
        let login = loaded.ok_or_else(|| self.login_needed())?;
        let stale = state.stale.as_ref();
        match stale.filter(|(token, at)| *token == login.token && self.api.wire.steady.now() < *at + STALE_FOR) {
            Some(_) => Err(self.login_needed()),
            None => Ok(login),
        }
    }

    async fn load(&self) -> Result<(), MemoryError> {
        let load = async || {
            for (bot_id, value) in self.api.wire.load().await? {
                match serde_json::from_str::<Bot>(&value) {
                    Ok(mut bot) => {
                        bot.refusals.bring_back(self.api.wire.steady.now());
                        self.state().bots.insert(bot_id, bot);
                    }
                    // The next message of the user opens a window again.
                    Err(error) => {
                        tracing::warn!(account = self.api.wire.account, bot_id, %error, "unreadable send window")
                    }
                }
            }
            Ok(())
        };
        self.loaded.get_or_try_init(load).await.copied()
    }

    /// Changes what is known of a bot; the second result tells whether that was kept.
    pub(super) async fn change<T>(
        &self,
        bot_id: &str,
        change: impl FnOnce(&mut Bot) -> T,
    ) -> (T, Result<(), MemoryError>) {
        let result = change(self.state().bots.entry(bot_id.to_owned()).or_default());
        // One writer at a time, each with the newest state, so that no older one is kept last.
        let _keeping = self.keeping.lock().await;
        let bot = self.state().bots.get(bot_id).cloned().unwrap_or_default();
        // Its keys are texts, so that it always has a JSON form.
        let kept = serde_json::to_string(&bot).unwrap_or_default();
        (result, self.api.wire.save(bot_id, &kept).await)
    }

    /// As [`Ilink::change`], where going on without it being kept does no harm.
    pub(super) async fn change_or_warn<T>(&self, bot_id: &str, change: impl FnOnce(&mut Bot) -> T) -> T {
        let (result, kept) = self.change(bot_id, change).await;
        if let Err(error) = kept {
            tracing::warn!(account = self.api.wire.account, %error, "cannot keep the state of the send window");
        }
        result
    }

    pub(super) fn mark_stale(&self, login: &Credentials) {
        self.state().stale = Some((login.token.clone(), self.api.wire.steady.now()));
    }

    pub(super) fn contact(&self, login: &Credentials, user: &str) -> Contact {
        let state = self.state();
        state.bots.get(&login.bot_id).and_then(|bot| bot.contacts.get(user)).cloned().unwrap_or_default()
    }

    /// What was used of the limits, for the bot of this login.
    pub(super) fn usage_of(&self, login: Option<&Credentials>) -> Usage {
        let mut state = self.state();
        state.told += 1;
        let (number, line) = (state.told, self.api.wire.steady.line());
        // Before the first probe nothing is known; the send looks for itself.
        let Some(login) = login else { return Usage { number, line, ..Usage::default() } };
        let mut tallies = Tallies::default();
        tallies.of(BOT).clone_from(&state.pace);
        let bot = state.bots.get(&login.bot_id).cloned().unwrap_or_default();
        let contacts = bot.contacts.into_iter().map(|(user, contact)| (user, contact.conversation));
        let mut conversations: HashMap<String, Conversation> = contacts.collect();
        if let Some(own) = conversations.get(&login.user_id).cloned() {
            conversations.insert(ME.to_owned(), own);
        }
        let blocked_until = bot.refusals.blocked_until(line.wall);
        Usage { number, line, tallies, blocked_until, conversations: Some(conversations) }
    }

    /// # Errors
    /// So many sends are not tried because they could not pass.
    pub(super) fn check_window(&self, login: &Credentials, user: &str, needed: u32) -> Result<(), Failure> {
        let (usage, limits) = (self.usage_of(Some(login)), window::granted(self.rules, |_| 1));
        let (target, nothing) = (Target::User(user.to_owned()), std::iter::empty());
        let now = Reading { wall: self.now(), moment: usage.line.moment };
        let Gate::Closed { reason, until } = usage.gate(&limits, nothing, &target, needed, now) else {
            return Ok(());
        };
        let obstacle = self.contact(login, user).conversation.obstacle(needed, self.rules, now.wall);
        let why = obstacle.unwrap_or_else(|| "too many sends of late".to_owned());
        Err(Failure::throttled(until.map(|until| until.since(now.wall)), format!("not sent, {reason}: {why}")))
    }

    /// Whether the login holds: asks for the user's configuration, which sends nothing (sheet A8).
    ///
    /// # Errors
    /// The platform gives no answer: the words for people.
    pub(super) async fn is_alive(&self, login: &Credentials) -> Result<bool, String> {
        let mut body = json!({"ilink_user_id": login.user_id});
        if let Some(token) = self.contact(login, &login.user_id).context_token {
            body["context_token"] = token.into();
        }
        let answer = self.api.call(login, "ilink/bot/getconfig", body, SHORT).await;
        // Any answer but one, even a refusal, was given to a login that holds.
        let alive = answer.map_err(|failure| failure.error)?.ret != api::STALE;
        if !alive {
            self.mark_stale(login);
        }
        Ok(alive)
    }
}
