//! The settings of a sender in its spec, a line each: `secret("token", "…").required()`, `url("base_url", "…").or("…")`.

use crate::domain::sender::{SettingKind, SettingSpec};

/// For every sender that speaks https: a certificate authority of its own.
pub(crate) const CA_FILE: SettingSpec = path(
    "ca_file",
    "PEM file with the only certificates to trust, for servers whose certificate is signed by none of the system's",
)
.or("the system's root certificates");

pub(crate) const fn text(key: &'static str, doc: &'static str) -> SettingSpec {
    SettingSpec::new(key, SettingKind::Text, doc)
}

/// May come as `KEY`, `KEY_file` or `KEY_credential`.
pub(crate) const fn secret(key: &'static str, doc: &'static str) -> SettingSpec {
    SettingSpec::new(key, SettingKind::Secret, doc)
}

pub(crate) const fn url(key: &'static str, doc: &'static str) -> SettingSpec {
    SettingSpec::new(key, SettingKind::Url, doc)
}

/// Off unless it is set.
pub(crate) const fn flag(key: &'static str, doc: &'static str) -> SettingSpec {
    SettingSpec::new(key, SettingKind::Bool, doc).or("false")
}

pub(crate) const fn int(key: &'static str, doc: &'static str) -> SettingSpec {
    SettingSpec::new(key, SettingKind::Int, doc)
}

pub(crate) const fn duration(key: &'static str, doc: &'static str) -> SettingSpec {
    SettingSpec::new(key, SettingKind::Duration, doc)
}

pub(crate) const fn path(key: &'static str, doc: &'static str) -> SettingSpec {
    SettingSpec::new(key, SettingKind::Path, doc)
}

/// One of these words.
pub(crate) const fn choice(key: &'static str, words: &'static [&'static str], doc: &'static str) -> SettingSpec {
    SettingSpec::new(key, SettingKind::Choice(words), doc)
}
