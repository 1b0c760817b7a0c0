//! What a sender states about itself. The registry of these lives in `senders`; configuration and policy read them
//! here, so that neither depends on any protocol.

use super::account::Settings;
use super::message::{Kind, Target};

/// The static description of one sender (wire protocol).
#[derive(Clone, Copy, Debug)]
pub struct SenderSpec {
    /// The word used for `sender:` in the YAML.
    pub name: &'static str,
    /// One line for docs and the JSON Schema.
    pub about: &'static str,
    /// The im of accounts that name none.
    pub default_im: &'static str,
    /// Keys that its accounts may have beside the common ones.
    pub settings: &'static [SettingSpec],
    /// How it carries a kind to a group (`true`) or a user (`false`).
    pub support: fn(Kind, bool) -> Support,
    /// Whether this could be a target at all, by its form alone: [`any_target`] where the protocol gives none that is
    /// certain. What might work is never refused.
    pub target: fn(&Target) -> Result<(), WrongTarget>,
    /// Whether the protocol carries an idempotency key, so that a repeat of an attempt whose outcome is unknown
    /// cannot be seen twice by the receiver: `|_| true`, `|_| false`, or as a setting of the account says. Whether
    /// the key of one delivery still holds is asked of the sender.
    pub idempotent: fn(&Settings) -> bool,
    /// Attempts of one account under way at once, unless the account says otherwise.
    pub concurrency: u32,
    /// Least milliseconds between two sends of one account, unless the account says otherwise.
    pub min_interval_ms: u64,
    /// The largest media in bytes that the platform takes; the daemon's own cap holds too.
    pub max_media_bytes: u64,
}

impl SenderSpec {
    pub fn setting(&self, key: &str) -> Option<&'static SettingSpec> {
        self.settings.iter().find(|setting| setting.key == key)
    }
}

/// For senders to whom any text may be a target.
///
/// # Errors
/// Never.
pub fn any_target(_: &Target) -> Result<(), WrongTarget> {
    Ok(())
}

/// What is wrong with a target that none of these senders could ever write to.
pub fn wrong_for_all<'a>(target: &Target, senders: impl IntoIterator<Item = &'a SenderSpec>) -> Option<WrongTarget> {
    let mut wrong = None;
    for sender in senders {
        match (sender.target)(target) {
            Ok(()) => return None,
            Err(problem) => wrong = wrong.or(Some(problem)),
        }
    }
    wrong
}

/// Why a text is no target of a sender. It does not hold the target, which may have come from a variable and then is
/// shown nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongTarget {
    /// `is no chat of Telegram`, `looks like a bot's token`.
    pub problem: &'static str,
    pub expected: &'static str,
    /// What was probably meant, made of the target.
    pub meant: Option<String>,
    pub is_secret: bool,
}

impl WrongTarget {
    /// In one line for people; `shown` stands for the target.
    pub fn told(&self, shown: &str) -> String {
        let WrongTarget { problem, expected, meant, is_secret } = self;
        let shown = if *is_secret { "the target" } else { shown };
        let advice = meant.as_ref().map(|meant| format!("; write {meant}")).unwrap_or_default();
        format!("{shown} {problem}: expected {expected}{advice}")
    }
}

/// One key of an account of this sender.
#[derive(Clone, Copy, Debug)]
pub struct SettingSpec {
    pub key: &'static str,
    pub kind: SettingKind,
    pub required: bool,
    /// What holds when the key is absent, in words; empty when nothing does.
    pub default: &'static str,
    pub doc: &'static str,
}

impl SettingSpec {
    /// A key that may be absent.
    pub const fn new(key: &'static str, kind: SettingKind, doc: &'static str) -> SettingSpec {
        SettingSpec { key, kind, required: false, default: "", doc }
    }

    pub const fn required(self) -> SettingSpec {
        SettingSpec { required: true, ..self }
    }

    /// What holds when the key is absent, in words.
    pub const fn or(self, default: &'static str) -> SettingSpec {
        SettingSpec { default, ..self }
    }
}

/// The type of a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    Text,
    /// May come as `KEY`, `KEY_file` or `KEY_credential`.
    Secret,
    /// An http or https address. It may hold a token in its path or query, so it is kept as a secret and messages
    /// show only its scheme and host.
    Url,
    Bool,
    Int,
    Duration,
    /// A list of texts; a single text counts as a list of one.
    List,
    Path,
    Choice(&'static [&'static str]),
}

/// How a sender carries a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    Native,
    /// Carried in another form, named for people: `as file`, `as link`. The attempt records it.
    Fallback(&'static str),
    /// Refused at load, with the reason.
    Refused(&'static str),
}

impl Support {
    pub fn is_possible(self) -> bool {
        !matches!(self, Support::Refused(_))
    }
}
