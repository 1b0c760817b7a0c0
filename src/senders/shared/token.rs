//! Access tokens that a platform grants for a while: one for all calls, fetched by one of them while the others wait.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;

use super::failure::Failure;
use super::steady::Steady;
use super::verdict::number;
use crate::domain::{Secret, UtcMs};

/// How long before its end a token is renewed: a push must not begin with one that ends under it.
const EARLY: Duration = Duration::from_secs(300);
/// Where the platform does not say how long it lives.
const LIFE: Duration = Duration::from_secs(7200);

/// The token of one application.
#[derive(Default)]
pub(crate) struct TokenCache {
    /// Locked while one is fetched: who comes meanwhile gets the same.
    current: Mutex<Option<Token>>,
}

struct Token {
    text: Secret,
    /// By the steady line.
    renew_at: UtcMs,
}

/// A new token.
pub(crate) struct Granted {
    text: Secret,
    life: Duration,
}

impl Granted {
    /// `life`: the field that tells the seconds for which it lives.
    pub(crate) fn new(text: &str, life: &Value) -> Granted {
        let seconds = number(life).and_then(|life| u64::try_from(life).ok());
        Granted { text: Secret::new(text.to_owned()), life: seconds.map_or(LIFE, Duration::from_secs) }
    }
}

impl TokenCache {
    /// The present token, unless it is the `void` one, or else what `fetch` brings.
    ///
    /// # Errors
    /// That of `fetch`.
    pub(crate) async fn get(
        &self,
        steady: &Steady,
        void: Option<&Secret>,
        fetch: impl Future<Output = Result<Granted, Failure>>,
    ) -> Result<Secret, Failure> {
        let mut current = self.current.lock().await;
        let now = steady.now();
        if let Some(token) = current.as_ref().filter(|token| Some(&token.text) != void && now < token.renew_at) {
            return Ok(token.text.clone());
        }
        let Granted { text, life } = fetch.await?;
        *current = Some(Token { text: text.clone(), renew_at: now + life.saturating_sub(EARLY) });
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::{ManualClock, SharedClock};

    #[tokio::test]
    async fn a_token_serves_until_shortly_before_its_end_or_until_it_is_called_void() {
        let manual = ManualClock::new(UtcMs(0));
        let clock: SharedClock = manual.clone();
        let (steady, cache) = (Steady::new(&clock), TokenCache::default());
        let granted = |text, life| async move { Ok(Granted::new(text, &life)) };
        let get = async |void: Option<&Secret>, text, life| {
            cache.get(&steady, void, granted(text, life)).await.unwrap().expose().to_owned()
        };
        assert_eq!(get(None, "a", json!("3600")).await, "a");
        manual.advance(Duration::from_secs(3299));
        assert_eq!(get(None, "b", json!(3600)).await, "a");
        manual.advance(Duration::from_secs(1));
        assert_eq!(get(None, "c", json!(null)).await, "c");
        manual.advance(LIFE - EARLY - Duration::from_secs(1));
        assert_eq!(get(None, "d", json!(1)).await, "c");
        assert_eq!(get(Some(&Secret::new("c".into())), "e", json!(1)).await, "e");
        assert_eq!(get(Some(&Secret::new("c".into())), "f", json!(3600)).await, "f", "too short a life to be kept");
        assert_eq!(
            get(Some(&Secret::new("c".into())), "g", json!(1)).await,
            "f",
            "another call has renewed it already"
        );
    }
}
