//! The long poll: the only source of context tokens and of the user's messages that open the window (sheet A3).

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::account::Ilink;
use super::api::{self, Answer, SHORT};
use super::credentials::Credentials;
use super::window::Contact;
use crate::domain::UtcMs;
use crate::senders::sender::{EventSink, Probe, SenderEvent};

/// How long the platform holds a poll, unless it says otherwise.
const HOLD: Duration = Duration::from_secs(35);
const LONGEST_HOLD: Duration = Duration::from_secs(120);
/// Beyond the hold, for the answer to travel; a poll without any answer by then is an empty one.
const SLACK: Duration = Duration::from_secs(5);
/// Backstop of the HTTP client, should the clock that ends a poll stand still.
const BACKSTOP: Duration = Duration::from_secs(3600);
const AFTER_FAILURE: Duration = Duration::from_secs(2);
const AFTER_THREE: Duration = Duration::from_secs(30);
/// How soon a new login is noticed.
const LOGIN_LOOK: Duration = Duration::from_secs(10);
/// How long before the end of a window it is told that the user should write.
const WARNING: Duration = Duration::from_secs(30 * 60);

/// People who wrote to the bot that are remembered.
const CONTACTS_KEPT: usize = 256;

/// `message_type` of the bot's own messages.
const FROM_BOT: u64 = 2;

/// Polls until the future is dropped.
pub(super) async fn run(ilink: &Ilink, events: &EventSink) {
    let mut poll = Poll { ilink, events, failures: 0, hold: HOLD, told: None, notified: None, warned: None };
    loop {
        let wait = poll.run_once().await;
        if !wait.is_zero() {
            ilink.api.wire.clock.sleep(wait).await;
        }
    }
}

struct Poll<'a> {
    ilink: &'a Ilink,
    events: &'a EventSink,
    failures: u32,
    hold: Duration,
    /// The last health that was told, to tell changes only.
    told: Option<Probe>,
    notified: Option<Notified>,
    /// The window whose end was announced.
    warned: Option<UtcMs>,
}

enum PollError {
    Stale,
    Other(String),
}

impl Poll<'_> {
    /// One poll and what follows from it; returns the wait before the next.
    async fn run_once(&mut self) -> Duration {
        let login = match self.ilink.login().await {
            Ok(login) => login,
            Err(error) => {
                self.notified = None;
                self.tell(Probe::down(error)).await;
                return LOGIN_LOOK;
            }
        };
        if self.notified.as_ref().is_none_or(|notified| notified.login != login) {
            self.notified = Some(Notified::start(self.ilink, &login).await);
        }
        match self.poll(&login).await {
            Ok(()) => {
                self.failures = 0;
                self.ilink.state().polled_at = Some(self.ilink.api.wire.steady.now());
                self.tell(Probe::up()).await;
                self.warn_of_the_end(&login);
                Duration::ZERO
            }
            Err(PollError::Stale) => {
                self.ilink.mark_stale(&login);
                Duration::ZERO
            }
            Err(PollError::Other(error)) => {
                tracing::debug!(account = self.ilink.api.wire.account, error, "a poll failed");
                self.failures += 1;
                if !self.failures.is_multiple_of(3) {
                    return AFTER_FAILURE;
                }
                self.tell(Probe::down(error)).await;
                AFTER_THREE
            }
        }
    }

    async fn poll(&mut self, login: &Credentials) -> Result<(), PollError> {
        let cursor = {
            let state = self.ilink.state();
            state.bots.get(&login.bot_id).map(|bot| bot.cursor.clone()).unwrap_or_default()
        };
        let body = json!({"get_updates_buf": cursor});
        let answer = tokio::select! {
            answer = self.ilink.api.call(login, "ilink/bot/getupdates", body, BACKSTOP) => answer,
            () = self.ilink.api.wire.clock.sleep(self.hold + SLACK) => return Ok(()),
        };
        let answer = answer.map_err(|report| PollError::Other(report.error))?;
        match answer.ret {
            0 => {}
            api::STALE => return Err(PollError::Stale),
            _ => return Err(PollError::Other(answer.refusal())),
        }
        if let Some(ms) = answer.body.get("longpolling_timeout_ms").and_then(Value::as_u64).filter(|ms| *ms > 0) {
            self.hold = Duration::from_millis(ms).min(LONGEST_HOLD);
        }
        self.take_in(login, &answer).await
    }

    /// Notes the messages of a batch; only then its cursor, so that a batch cut short comes again.
    async fn take_in(&self, login: &Credentials, answer: &Answer) -> Result<(), PollError> {
        let now = self.ilink.now();
        let messages = answer.body.get("msgs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let cursor = answer.text("get_updates_buf");
        let inbound: Vec<Inbound> = messages.iter().filter_map(|message| Inbound::read(message, now)).collect();
        if inbound.is_empty() && cursor.is_none() {
            return Ok(());
        }
        let (opened, kept) = self
            .ilink
            .change(&login.bot_id, |bot| {
                for message in &inbound {
                    let contact = bot.contacts.entry(message.from.to_owned()).or_default();
                    contact.inbound(message.at, message.context_token);
                }
                keep_newest(&mut bot.contacts, &login.user_id);
                if !inbound.is_empty() {
                    // A message of the user opens the window again: earlier refusals count no more.
                    bot.refusals = Default::default();
                }
                if let Some(cursor) = cursor {
                    bot.cursor = cursor.to_owned();
                }
                !inbound.is_empty()
            })
            .await;
        kept.map_err(|error| PollError::Other(format!("cannot keep the batch: {error}")))?;
        if opened {
            // Nobody listens any more only when the daemon stops.
            let _ = self.events.send(SenderEvent::GateOpened).await;
        }
        Ok(())
    }

    async fn tell(&mut self, probe: Probe) {
        if self.told.as_ref() != Some(&probe) {
            let _ = self.events.send(SenderEvent::Health(probe.clone())).await;
            self.told = Some(probe);
        }
    }

    fn warn_of_the_end(&mut self, login: &Credentials) {
        let end = {
            let state = self.ilink.state();
            let contact = state.bots.get(&login.bot_id).and_then(|bot| bot.contacts.get(&login.user_id));
            contact.and_then(|contact| contact.conversation.window_end(self.ilink.rules))
        };
        let now = self.ilink.now();
        if let Some(end) = end.filter(|end| (now..now + WARNING).contains(end) && self.warned != Some(*end)) {
            self.warned = Some(end);
            tracing::warn!(account = self.ilink.api.wire.account, %end, "the send window closes soon: write a word to the bot");
        }
    }
}

/// Forgets whoever wrote longest ago, where there are many; never the one whom the bot reaches.
fn keep_newest(contacts: &mut HashMap<String, Contact>, reached: &str) {
    while contacts.len() > CONTACTS_KEPT {
        let others = contacts.iter().filter(|(user, _)| *user != reached);
        let Some(oldest) =
            others.min_by_key(|(_, contact)| contact.conversation.last_inbound_at).map(|(user, _)| user.clone())
        else {
            return;
        };
        contacts.remove(&oldest);
    }
}

/// A message of a person.
struct Inbound<'a> {
    from: &'a str,
    at: UtcMs,
    context_token: Option<&'a str>,
}

impl<'a> Inbound<'a> {
    fn read(message: &'a Value, now: UtcMs) -> Option<Inbound<'a>> {
        let text = |key: &str| message.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        if message.get("message_type").and_then(Value::as_u64) == Some(FROM_BOT) || text("group_id").is_some() {
            return None;
        }
        // A platform whose clock is ahead must not make the window longer.
        let at = message.get("create_time_ms").and_then(Value::as_i64).map_or(now, UtcMs).min(now);
        Some(Inbound { from: text("from_user_id")?, at, context_token: text("context_token") })
    }
}

/// Tells the platform that the bot is here, and that it has gone when the value is dropped.
struct Notified {
    login: Credentials,
    api: api::Api,
}

impl Notified {
    async fn start(ilink: &Ilink, login: &Credentials) -> Notified {
        // A courtesy to the platform: polls work without it.
        if let Err(report) = ilink.api.call(login, "ilink/bot/msg/notifystart", json!({}), SHORT).await {
            tracing::debug!(account = ilink.api.wire.account, error = report.error, "notifystart failed");
        }
        Notified { login: login.clone(), api: ilink.api.clone() }
    }
}

impl Drop for Notified {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (login, api) = (self.login.clone(), self.api.clone());
        // The loop is stopped by dropping it, so this goes on by itself for as long as the runtime lives.
        runtime.spawn(async move {
            let _ = api.call(&login, "ilink/bot/msg/notifystop", json!({}), Duration::from_secs(2)).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_who_wrote_the_newest_are_kept_and_always_the_one_who_is_reached() {
        let contact = |at| {
            let mut contact = Contact::default();
            contact.inbound(UtcMs(at), None);
            contact
        };
        let mut contacts: HashMap<String, Contact> =
            (1..300).map(|number| (number.to_string(), contact(number))).collect();
        keep_newest(&mut contacts, "1");
        assert_eq!(contacts.len(), CONTACTS_KEPT);
        assert!(contacts.contains_key("1") && contacts.contains_key("299") && !contacts.contains_key("2"));
    }
}
