//! The access token: one for all calls, fetched by one of them while the others wait (sheet C1).

use std::time::Duration;

use tokio::sync::Mutex;
use url::Url;

use crate::domain::{Outcome, Report, Secret, UtcMs};
use crate::senders::shared::settings;
use crate::senders::shared::verdict::number;
use crate::senders::wecom::Wecom;

/// How long before its end a token is renewed.
const EARLY: Duration = Duration::from_secs(300);
/// Where the platform does not say how long it lives.
const LIFE: Duration = Duration::from_secs(7200);

/// The tokens of one application.
pub struct Tokens {
    /// Where tokens come from, with the corporation's id and secret.
    url: Url,
    secret: Secret,
    /// Locked while one is fetched: who comes meanwhile gets the same.
    current: Mutex<Option<Token>>,
}

struct Token {
    text: Secret,
    /// By the steady line.
    renew_at: UtcMs,
}

impl Tokens {
    pub fn new(base: &Url, corp_id: &str, secret: Secret) -> Tokens {
        let mut url = settings::under(&settings::under(base, "cgi-bin"), "gettoken");
        url.query_pairs_mut().append_pair("corpid", corp_id).append_pair("corpsecret", secret.expose());
        Tokens { url, secret, current: Mutex::default() }
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The present token, or a new one.
    ///
    /// # Errors
    /// There is none to be had. Nothing was sent yet, whatever became of the call.
    pub async fn get(&self, wecom: &Wecom, deadline: Duration) -> Result<Secret, Report> {
        let mut current = self.current.lock().await;
        let now = wecom.steady.now();
        if let Some(token) = current.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.text.clone());
        }
        let answer = wecom.call(wecom.get(self.url.clone()), deadline).await.map_err(Report::before_the_send)?;
        let Some(text) = answer.text("access_token").filter(|_| answer.code == 0) else {
            if answer.code == 0 {
                return Err(Report::failed(Outcome::Unreachable, "the answer holds no access_token"));
            }
            let mut report = wecom.report(&answer, &[&self.secret]);
            report.error = report.error.map(|error| format!("no access token: {error}"));
            // No message was judged, so whatever is wrong is the account's.
            if matches!(report.outcome, Outcome::Rejected | Outcome::TargetGone) {
                report.outcome = Outcome::AccountDown;
            }
            return Err(report);
        };
        let life = answer
            .body
            .get("expires_in")
            .and_then(number)
            .and_then(|life| u64::try_from(life).ok())
            .map_or(LIFE, Duration::from_secs);
        let text = Secret::new(text.to_owned());
        *current = Some(Token { text: text.clone(), renew_at: now + life.saturating_sub(EARLY) });
        Ok(text)
    }

    /// Drops a token that the platform calls void, unless another call has renewed it already.
    pub async fn forget(&self, void: &Secret) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|token| token.text == *void) {
            *current = None;
        }
    }
}
