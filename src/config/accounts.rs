//! `accounts:`: the common keys, and the sender's own as its [`SenderSpec`] describes them.

use super::decoder::Decoder;
use super::draft::AccountDraft;
use super::keys::ACCOUNT_KEYS;
use super::secrets::SecretForm;
use super::yaml::{At, Entry, Node, Value};
use crate::domain::account::{SettingValue, Settings};
use crate::domain::sender::{SettingKind, SettingSpec};
use crate::domain::{Account, Secret, SenderSpec};
use crate::texts::{self, Text};

impl Decoder<'_> {
    /// One account. None where it is no mapping.
    pub(super) fn account(&mut self, node: &Node, specs: &[&'static SenderSpec]) -> Option<AccountDraft> {
        let entries = self.map(texts::an_account(), node)?;
        let get = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node);
        let id = self.required(node.at, texts::an_account(), "id", get("id"), |decoder, node| decoder.name("id", node));
        let spec = self.required(node.at, texts::an_account(), "sender", get("sender"), |decoder, node| {
            let names: Vec<_> = specs.iter().map(|spec| (spec.name, *spec)).collect();
            decoder.choice("sender", node, &names)
        });
        let im = match get("im") {
            Some(node) => self.name("im", node),
            None => spec.map(|spec| spec.default_im.to_owned()),
        };
        let is_default = get("default").and_then(|node| self.bool("default", node)).unwrap_or(false);
        let concurrency = get("concurrency").and_then(|node| self.int("concurrency", node, 1, 1024));
        let min_interval = get("min_interval").and_then(|node| self.duration("min_interval", node));
        let unseen_before = self.unseen;
        let settings = match spec {
            Some(spec) => self.settings(node.at, entries, spec),
            None => Settings::default(),
        };
        let account = match (&id, &im, spec) {
            (Some(id), Some(im), Some(spec)) if self.unseen == unseen_before => Some(Account {
                id: id.clone(),
                im: im.clone(),
                sender: spec.name.to_owned(),
                is_default,
                concurrency: concurrency.and_then(|count| u32::try_from(count).ok()),
                min_interval,
                settings,
            }),
            _ => None,
        };
        let place = |key| self.place(get(key).map_or(node.at, |node: &Node| node.at));
        Some(AccountDraft {
            id_at: place("id"),
            im_at: place("im"),
            default_at: place("default"),
            id,
            im,
            spec,
            is_default,
            account,
        })
    }

    fn required<T>(
        &mut self,
        owner_at: At,
        owner: Text,
        key: &str,
        node: Option<&Node>,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Option<T> {
        match node {
            Some(node) => read(self, node),
            None => {
                self.error(owner_at, texts::needs_the_key(owner, key));
                None
            }
        }
    }

    /// The sender's own keys.
    fn settings(&mut self, at: At, entries: &[Entry], spec: &'static SenderSpec) -> Settings {
        let mut settings = Settings::default();
        // A key with a wrong value is not missing.
        let mut seen: Vec<(&'static str, At)> = Vec::new();
        for entry in entries.iter().filter(|entry| !ACCOUNT_KEYS.contains(&&*entry.key)) {
            let Some((setting, form)) = setting_of(spec, &entry.key) else {
                let owner = texts::an_account_of(spec.name);
                self.unknown_key(entry, owner, known_keys(spec).iter().map(String::as_str));
                continue;
            };
            if let Some((_, before)) = seen.iter().find(|(key, _)| *key == setting.key) {
                let other = self.place(*before);
                self.error(entry.key_at, texts::set_twice(setting.key)).other(texts::first_at(), other);
                continue;
            }
            seen.push((setting.key, entry.key_at));
            if matches!(setting.kind, SettingKind::Secret | SettingKind::Url | SettingKind::Text) {
                self.warn_of_cut(entry);
            }
            if entry.node.is_null() {
                self.error(entry.node.at, texts::expected_got(&entry.key, expected(setting.kind), texts::nothing()));
            } else if let Some(value) = self.setting(setting, form, entry) {
                settings.values.insert(setting.key.to_owned(), value);
            }
        }
        self.warn_of_open_line(entries, spec, &settings);
        for setting in spec.settings.iter().filter(|setting| setting.required) {
            if !seen.iter().any(|(key, _)| *key == setting.key) {
                let message = texts::needs_the_key(texts::an_account_of(spec.name), setting.key);
                self.error(at, message).hint(Text::same(setting.doc));
            }
        }
        settings
    }

    /// Warns of a token that goes to another network in the clear.
    fn warn_of_open_line(&mut self, entries: &[Entry], spec: &SenderSpec, settings: &Settings) {
        let of = |kind: SettingKind| spec.settings.iter().filter(move |setting| setting.kind == kind);
        let has_token = of(SettingKind::Secret).any(|setting| settings.secret(setting.key).is_some());
        for setting in of(SettingKind::Url).filter(|_| has_token) {
            let entry = entries.iter().find(|entry| entry.key.starts_with(setting.key));
            if let (Some(address), Some(entry)) = (settings.secret(setting.key), entry)
                && is_open_line(address)
            {
                self.warning(entry.node.at, texts::not_encrypted(&entry.key)).hint(texts::use_https());
            }
        }
    }

    fn setting(&mut self, setting: &SettingSpec, form: SecretForm, entry: &Entry) -> Option<SettingValue> {
        let (key, node) = (&*entry.key, &entry.node);
        match setting.kind {
            SettingKind::Secret => self.secret(form, key, node).map(SettingValue::Secret),
            SettingKind::Url => self.address(form, key, node).map(SettingValue::Secret),
            SettingKind::Text => self.text(key, node).map(|text| SettingValue::Text(text.into_owned())),
            SettingKind::Bool => self.bool(key, node).map(SettingValue::Bool),
            SettingKind::Int => {
                self.parsed(key, node, expected(setting.kind), |text| text.parse().ok()).map(SettingValue::Int)
            }
            SettingKind::Duration => self.duration(key, node).map(SettingValue::Duration),
            SettingKind::List => {
                let texts = self.texts(key, node)?;
                Some(SettingValue::List(texts.into_iter().map(|(_, text)| text.into_owned()).collect()))
            }
            SettingKind::Path => self.path(key, node).map(SettingValue::Path),
            SettingKind::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
                self.choice(key, node, &words).map(|word| SettingValue::Text(word.to_owned()))
            }
        }
    }

    /// An http or https address, which may hold a secret.
    pub(super) fn address(&mut self, form: SecretForm, key: &str, node: &Node) -> Option<Secret> {
        let secret = match form {
            // An address is no secret in itself; one with a query or a user name may be.
            SecretForm::Inline => {
                let text = self.scalar_text(key, node)?;
                let is_literal = matches!(node.value(), Value::Scalar(scalar) if !scalar.text.contains("${"));
                if is_literal && text.contains(['?', '@']) {
                    self.warn_of_plain_secret(key, node.at);
                }
                self.bare(key, node.at, Secret::new(text))?
            }
            _ => self.secret(form, key, node)?,
        };
        let problem = match url::Url::parse(secret.expose()) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => texts::expected_http(key),
            Ok(url) if !url.has_host() => texts::expected_host(key),
            Ok(_) => return Some(secret),
            Err(_) => texts::expected_address(key),
        };
        self.error(node.at, problem);
        None
    }
}

/// Whether this is plain http to a host beyond this machine and its network.
fn is_open_line(address: &Secret) -> bool {
    let Ok(url) = url::Url::parse(address.expose()) else { return false };
    let is_near = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        // Names without a dot are those of hosts beside us.
        Some(url::Host::Domain(name)) => {
            !name.contains('.') || [".local", ".lan", ".internal", ".home.arpa"].iter().any(|end| name.ends_with(end))
        }
        None => true,
    };
    url.scheme() == "http" && !is_near
}

/// The setting that a key stands for, and the form of its value.
fn setting_of(spec: &'static SenderSpec, key: &str) -> Option<(&'static SettingSpec, SecretForm)> {
    if let Some(setting) = spec.setting(key) {
        return Some((setting, SecretForm::Inline));
    }
    [("_file", SecretForm::File), ("_credential", SecretForm::Credential)].into_iter().find_map(|(end, form)| {
        let setting = spec.setting(key.strip_suffix(end)?)?;
        matches!(setting.kind, SettingKind::Secret | SettingKind::Url).then_some((setting, form))
    })
}

/// Every key that an account of this sender may have.
pub(super) fn known_keys(spec: &SenderSpec) -> Vec<String> {
    let mut keys: Vec<String> = ACCOUNT_KEYS.map(str::to_owned).to_vec();
    for setting in spec.settings {
        keys.push(setting.key.to_owned());
        if matches!(setting.kind, SettingKind::Secret | SettingKind::Url) {
            keys.extend([format!("{}_file", setting.key), format!("{}_credential", setting.key)]);
        }
    }
    keys
}

fn expected(kind: SettingKind) -> Text {
    match kind {
        SettingKind::Text | SettingKind::Secret => texts::a_text(),
        SettingKind::Url => texts::an_http_address(),
        SettingKind::Bool => texts::true_or_false(),
        SettingKind::Int => texts::a_whole_number(),
        SettingKind::Duration => texts::a_duration(),
        SettingKind::List => texts::texts_or_list(),
        SettingKind::Path => texts::a_path(),
        SettingKind::Choice(_) => texts::one_of_a_few(),
    }
}
