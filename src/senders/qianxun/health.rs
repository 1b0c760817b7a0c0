//! Whether the WeChat behind an account can send: logged in, and its licence paid (sheet qx.md §7).

use std::time::Duration;

use serde_json::{Value, json};

use super::super::Probe;
use super::super::shared::verdict::number as as_number;
use super::api::{Api, Call, Dialect, Refusal};

/// What a question about the account's state may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

impl Api {
    /// In the sheet's order: the list of WeChats or the login state, this WeChat, its licence.
    pub(super) async fn health(&self) -> Probe {
        let probe = self.state().await.unwrap_or_else(|down| down);
        Probe { error: probe.error.map(|error| self.show(&error)), ..probe }
    }

    /// Ok and Err are both answers; Err ends the questions.
    async fn state(&self) -> Result<Probe, Probe> {
        if self.dialect.is_framework() {
            self.check_list(&self.ask(Call::List).await?["result"])?;
        } else if self.dialect == Dialect::ProWechat {
            check_login(&self.ask(Call::LoginStatus).await?["result"]["status"])?;
        }
        let state = &self.ask(Call::Check).await?["result"];
        if let (Some(asked), Some(found)) = (self.wxid.as_deref(), state["wxid"].as_str())
            && asked != found
        {
            return Err(Probe::down(format!("the hook answers for {found}, not for {asked}")));
        }
        check_licence(state)?;
        // Unknown to older versions, whose refusal says nothing.
        if let Ok(envelope) = self.call(Call::Licence, json!({}), TIMEOUT).await {
            check_licence(&envelope["result"])?;
        }
        Ok(Probe::up())
    }

    fn check_list(&self, list: &Value) -> Result<(), Probe> {
        let mut wxids = list.as_array().into_iter().flatten().filter_map(|one| one["wxid"].as_str());
        match &self.wxid {
            Some(wxid) if !wxids.any(|one| one == wxid) => {
                Err(Probe::down(format!("the framework has no WeChat {wxid} that is logged in: scan its code anew")))
            }
            _ => Ok(()),
        }
    }

    /// A question about the account, asked again where the hook refuses without a reason (§9).
    async fn ask(&self, call: Call) -> Result<Value, Probe> {
        let mut refusal = String::new();
        for _ in 0..3 {
            match self.call(call, json!({}), TIMEOUT).await {
                Ok(envelope) => return Ok(envelope),
                Err(Refusal::Certain(failure)) => return Err(Probe::down(failure.error)),
                Err(Refusal::Media(error) | Refusal::Unclear(error)) => refusal = error,
            }
        }
        Err(Probe { online: None, sendable: None, error: Some(refusal) })
    }
}

/// `status` of getLoginStatus; versions differ in its type.
fn check_login(status: &Value) -> Result<(), Probe> {
    let why = match as_number(status) {
        Some(3) | None => return Ok(()),
        Some(0 | 4) => "WeChat is not logged in",
        Some(1) => "WeChat waits for a confirmation on the phone",
        Some(2) => "WeChat is logging in",
        Some(_) => "WeChat's login state is not known to the hook",
    };
    Err(Probe::down(why))
}

fn check_licence(result: &Value) -> Result<(), Probe> {
    let expire = &result["isExpire"];
    if expire == &json!(true) || as_number(expire) == Some(1) {
        return Err(expired(result["expireTime"].as_str().unwrap_or_default()));
    }
    Ok(())
}

/// Logged in, but every send is refused until the licence is renewed.
pub(super) fn expired(since: &str) -> Probe {
    let since = if since.is_empty() { String::new() } else { format!(" on {since}") };
    Probe { online: Some(true), sendable: Some(false), error: Some(format!("the Qianxun licence ended{since}")) }
}
