//! `retry:`, `misfire:` and their kin: what a job or `defaults` says, and what is filled in where it says nothing.

use std::time::Duration;

use super::decoder::Decoder;
use super::draft::{MisfireKeys, RetryKeys};
use super::keys::{MISFIRE_KEYS, MISFIRE_POLICIES, MOST_ATTEMPTS, MOST_CAUGHT_UP, RETRY_KEYS};
use super::yaml::{Node, Value};
use crate::domain::{Misfire, RetryPolicy, length};
use crate::policy::schedule::{zone_doubt, zone_meant};
use crate::texts::{self, Text};

/// The built-in deadline of one attempt.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);

impl RetryKeys {
    /// These keys, then those of `defaults`, then the built-in values.
    pub(super) fn filled(&self, defaults: &RetryKeys) -> RetryPolicy {
        let built_in = RetryPolicy::default();
        let backoff = self.backoff.or(defaults.backoff).unwrap_or(built_in.backoff);
        RetryPolicy {
            max_attempts: self.max_attempts.or(defaults.max_attempts).unwrap_or(built_in.max_attempts),
            backoff,
            factor: self.factor.or(defaults.factor).unwrap_or(built_in.factor),
            // A long first wait that was asked for is not cut by a limit that was not.
            max_backoff: self.max_backoff.or(defaults.max_backoff).unwrap_or(built_in.max_backoff).max(backoff),
            jitter: self.jitter.or(defaults.jitter).unwrap_or(built_in.jitter),
            give_up_after: self.give_up_after.or(defaults.give_up_after).unwrap_or(built_in.give_up_after),
            resend_unknown: self.resend_unknown.or(defaults.resend_unknown).unwrap_or(built_in.resend_unknown),
        }
    }
}

impl MisfireKeys {
    /// These keys, then those of `defaults`, then the built-in values.
    pub(super) fn filled(&self, defaults: &MisfireKeys) -> Misfire {
        let built_in = Misfire::default();
        Misfire {
            policy: self.policy.or(defaults.policy).unwrap_or(built_in.policy),
            within: self.within.or(defaults.within).unwrap_or(built_in.within),
            grace: self.grace.or(defaults.grace).unwrap_or(built_in.grace),
            max: self.max.or(defaults.max).unwrap_or(built_in.max),
        }
    }
}

impl Decoder<'_> {
    pub(super) fn retry(&mut self, node: &Node) -> Option<RetryKeys> {
        let mut retry = RetryKeys::default();
        let mut max_backoff_at = node.at;
        for entry in self.map("retry", node)? {
            let value = &entry.node;
            match &*entry.key {
                "max_attempts" => retry.max_attempts = self.count("max_attempts", value, 1, MOST_ATTEMPTS),
                "backoff" => retry.backoff = self.duration("backoff", value),
                "factor" => retry.factor = self.float("factor", value, 1.0, 100.0),
                "max_backoff" => {
                    max_backoff_at = value.at;
                    retry.max_backoff = self.duration("max_backoff", value);
                }
                "jitter" => retry.jitter = self.float("jitter", value, 0.0, 1.0),
                "give_up_after" => {
                    retry.give_up_after = self.duration_from("give_up_after", value, Duration::from_secs(1));
                }
                "resend_unknown" => retry.resend_unknown = self.bool("resend_unknown", value),
                _ => self.unknown_key(entry, Text::same("retry"), RETRY_KEYS),
            }
        }
        if let (Some(backoff), Some(max)) = (retry.backoff, retry.max_backoff)
            && max < backoff
        {
            self.error(max_backoff_at, texts::max_backoff_below());
        }
        Some(retry)
    }

    /// A mapping, or the policy's word alone.
    pub(super) fn misfire(&mut self, node: &Node) -> Option<MisfireKeys> {
        let mut misfire = MisfireKeys::default();
        if let Value::Scalar(_) = node.value() {
            misfire.policy = self.choice("misfire", node, &MISFIRE_POLICIES);
            return Some(misfire);
        }
        for entry in self.map("misfire", node)? {
            let value = &entry.node;
            match &*entry.key {
                "policy" => misfire.policy = self.choice("policy", value, &MISFIRE_POLICIES),
                "within" => misfire.within = self.duration("within", value),
                "grace" => misfire.grace = self.duration("grace", value),
                "max" => misfire.max = self.count("max", value, 1, MOST_CAUGHT_UP),
                _ => self.unknown_key(entry, Text::same("misfire"), MISFIRE_KEYS),
            }
        }
        Some(misfire)
    }

    /// The deadline of one attempt. A bare number counts milliseconds, as in the plugin SDK.
    pub(super) fn timeout(&mut self, node: &Node) -> Option<Duration> {
        let value = self.parsed("timeout", node, texts::a_timeout(), |text| {
            text.parse().ok().map(Duration::from_millis).or_else(|| length(text))
        })?;
        if !(LEAST_TIMEOUT..=Duration::from_secs(3600)).contains(&value) {
            self.wrong("timeout", node, texts::timeout_range());
            return None;
        }
        Some(value)
    }

    pub(super) fn count(&mut self, key: &str, node: &Node, from: u64, to: u64) -> Option<u32> {
        self.int(key, node, from, to).and_then(|count| u32::try_from(count).ok())
    }

    /// The name of a zone that the system knows.
    pub(super) fn zone(&mut self, node: &Node) -> Option<String> {
        let name = self.seen_text("timezone", node)?;
        if jiff::tz::TimeZone::get(&name).is_ok_and(|zone| !zone.is_unknown()) {
            if let Some((problem, hint)) = zone_doubt(&name) {
                self.warning(node.at, texts::of_key("timezone", problem)).hint(hint);
            }
            return Some(name);
        }
        let diagnostic = self.wrong("timezone", node, texts::a_zone());
        if let Some(meant) = zone_meant(&name) {
            diagnostic.hint(texts::did_you_mean(meant));
        }
        None
    }
}
