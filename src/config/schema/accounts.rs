//! Accounts: the common keys, and for each sender its own.

use serde_json::{Value, json};

use super::blocks::{Key, VARIABLE, choice, key, known, object, one_or_list, reference, required, whole};
use crate::config::keys::ACCOUNT_KEYS;
use crate::domain::SenderSpec;
use crate::domain::sender::{SettingKind, SettingSpec};

pub(super) fn account(specs: &[&'static SenderSpec]) -> Value {
    let common = common(specs);
    let mut schema = known(object(common.clone()), &ACCOUNT_KEYS);
    // Which further keys there are depends on the sender.
    schema["additionalProperties"] = json!(true);
    schema["required"] = json!(["id", "sender"]);
    let case = |spec: &&SenderSpec| {
        json!({
            "if": {"properties": {"sender": {"const": spec.name}}, "required": ["sender"]},
            "then": account_of(spec, &common),
        })
    };
    schema["allOf"] = specs.iter().map(case).collect();
    schema
}

fn common(specs: &[&'static SenderSpec]) -> [Key; 6] {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    let senders: Vec<String> = specs.iter().map(|spec| format!("{}: {}", spec.name, spec.about)).collect();
    [
        key("id", reference("name"), "Yours, and stable: history and jobs call the account by it."),
        key("im", reference("name"), "A free name that binds pushes to accounts. The sender's own when absent."),
        key("sender", choice(&names), &senders.join("\n")),
        key("default", reference("bool"), "Sends what names no account. At most one per im.").or(false),
        key(
            "concurrency",
            whole(1, Some(1024)),
            "How many sends may be under way at once, at most a quarter of them (or one) to one target. The sender's own value when absent.",
        ),
        key(
            "min_interval",
            reference("duration"),
            "The least time between two sends. The sender's own value when absent.",
        ),
    ]
}

/// The keys of an account of this sender, and which of them it needs.
fn account_of(spec: &SenderSpec, common: &[Key]) -> Value {
    let mut keys = common.to_vec();
    let mut conditions: Vec<Value> = Vec::new();
    for setting in spec.settings {
        keys.push(setting_key(setting));
        let mut forms = vec![required(setting.key)];
        if matches!(setting.kind, SettingKind::Secret | SettingKind::Url) {
            let (file, credential) = (format!("{}_file", setting.key), format!("{}_credential", setting.key));
            forms.extend([required(&file), required(&credential)]);
            let words = |from: &str| format!("{from} with {}: {}", setting.key, setting.doc);
            keys.push(key(&file, reference("path"), &words("A private file (mode 0600)")));
            keys.push(key(&credential, reference("text"), &words("The systemd credential")));
        }
        if !setting.required {
            forms.push(json!({"not": {"anyOf": forms}}));
        }
        conditions.push(json!({"oneOf": forms}));
    }
    let mut schema = object(keys);
    if !conditions.is_empty() {
        schema["allOf"] = json!(conditions);
    }
    schema
}

fn setting_key(setting: &SettingSpec) -> Key {
    let words = match setting.default {
        "" => setting.doc.to_owned(),
        default => format!("{} (when absent: {default})", setting.doc),
    };
    let whole = json!({"anyOf": [
        {"type": "integer"},
        {"type": "string", "pattern": format!("^[+-]?[0-9]+$|{VARIABLE}")},
    ]});
    let schema = match setting.kind {
        SettingKind::Text | SettingKind::Secret => reference("text"),
        SettingKind::Url => reference("address"),
        SettingKind::Bool => reference("bool"),
        SettingKind::Int => whole,
        SettingKind::Duration => reference("duration"),
        SettingKind::List => one_or_list("text"),
        SettingKind::Path => reference("path"),
        SettingKind::Choice(words) => choice(words),
    };
    key(setting.key, schema, &words)
}
