//! The access token of one application (sheet C1).

use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::domain::Secret;
use crate::senders::shared::failure::{Class, Failure};
use crate::senders::shared::settings;
use crate::senders::shared::token::{Granted, TokenCache};
use crate::senders::wecom::Wecom;

/// The tokens of one application.
pub(super) struct Tokens {
    /// Where tokens come from, with the corporation's id and secret.
    url: Url,
    secret: Secret,
    cache: TokenCache,
}

impl Tokens {
    pub(super) fn new(base: &Url, corp_id: &str, secret: Secret) -> Tokens {
        let mut url = settings::under(&settings::under(base, "cgi-bin"), "gettoken");
        url.query_pairs_mut().append_pair("corpid", corp_id).append_pair("corpsecret", secret.expose());
        Tokens { url, secret, cache: TokenCache::default() }
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The present token, unless the platform calls it `void`, or a new one.
    ///
    /// # Errors
    /// There is none to be had. Nothing was sent yet, whatever became of the call.
    pub(super) async fn get(
        &self,
        wecom: &Wecom,
        void: Option<&Secret>,
        deadline: Duration,
    ) -> Result<Secret, Failure> {
        self.cache.get(&wecom.wire.steady, void, self.fetch(wecom, deadline)).await
    }

    async fn fetch(&self, wecom: &Wecom, deadline: Duration) -> Result<Granted, Failure> {
        let answer = wecom.call(wecom.get(self.url.clone()), deadline).await.map_err(Failure::before_the_send)?;
        if answer.code != 0 {
            let failure = wecom.refusal(&answer, &[&self.secret]);
            let class = match failure.class {
                // No message was judged, so whatever is wrong is the account's.
                Class::Rejected | Class::TargetGone => Class::AccountDown,
                class => class,
            };
            return Err(Failure { class, error: format!("no access token: {}", failure.error), ..failure });
        }
        let text = answer.text("access_token");
        let text = text.ok_or_else(|| Failure::unreachable("the answer holds no access_token"))?;
        Ok(Granted::new(text, answer.body.get("expires_in").unwrap_or(&Value::Null)))
    }
}
