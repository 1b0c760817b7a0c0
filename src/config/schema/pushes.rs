//! Pushes, in our spellings and the plugin SDK's.

use serde_json::{Value, json};

use super::blocks::{
    Key, VARIABLE, any_of_required, choice, has, key, known, object, or_empty, reference, required, visible,
};
use crate::config::keys::{FALLBACK_KEYS, MOST_RECIPIENTS, SOURCES, TARGET_KEYS};
use crate::domain::BadState;

const IMS: [&str; 3] = ["im", "imType", "im_type"];
const TARGETS: [&str; 6] = ["group", "groupCode", "group_code", "user", "userID", "user_id"];
const CONTENTS: [&str; 12] = [
    "text", "content", "image", "imageUrl", "voice", "voiceUrl", "video", "videoUrl", "file", "fileUrl", "mixed",
    "items",
];

pub(super) fn push() -> Value {
    let (mut schema, mut contents) = any_push();
    // One kind of content, or a title alone, which is the text then.
    let mut title_alone = without_content();
    title_alone["properties"]["title"] = has("title")["properties"]["title"].clone();
    title_alone["required"] = has("title")["required"].clone();
    contents.push(title_alone);
    schema["allOf"] = json!([whom(), {"oneOf": contents}]);
    schema
}

/// A push of a job that has its content made: it may be without one of its own.
pub(super) fn prepared_push() -> Value {
    let (mut schema, mut contents) = any_push();
    contents.push(without_content());
    schema["allOf"] = json!([whom(), {"oneOf": contents}]);
    schema
}

fn without_content() -> Value {
    let mut schema = json!({"properties": {}});
    for content in CONTENTS {
        schema["properties"][content] = json!({"not": visible()});
    }
    schema
}

/// The keys of a push, and the kinds of content of which it has one.
fn any_push() -> (Value, Vec<Value>) {
    let items = json!({"type": "array", "minItems": 1, "items": reference("item")});
    let media = or_empty(reference("media"));
    let mut keys = common("The text.", &ids());
    let to = "Names under targets, instead of im and group or user: a push for each recipient.";
    let names = json!({"type": "array", "minItems": 1, "items": reference("name")});
    keys.push(key("to", or_empty(json!({"anyOf": [reference("name"), names]})), to));
    let fallbacks = json!({"type": "array", "minItems": 1, "items": reference("fallback")});
    let fallback = json!({"anyOf": [reference("fallback"), fallbacks]});
    keys.push(key("fallback", or_empty(fallback), "Who gets the same message once this push has ended badly."));
    for (names, schema, words) in [
        (&CONTENTS[2..4], &media, "A picture: an address, a path, base64://…, data:…;base64,…, or a mapping."),
        (&CONTENTS[4..6], &media, "A voice message: a source or a mapping."),
        (&CONTENTS[6..8], &media, "A video: a source or a mapping."),
        (&CONTENTS[8..10], &media, "A file: a source or a mapping."),
        (&CONTENTS[10..], &or_empty(items), "Several items in the order of reading."),
    ] {
        keys.extend(names.iter().map(|name| key(name, schema.clone(), words)));
    }
    keys.push(render());
    (object(keys), CONTENTS.iter().map(|content| has(content)).collect())
}

/// What a name under `targets` means: im and ids, or names of others.
pub(super) fn target() -> Value {
    let member = json!({"anyOf": [reference("name"), recipients()]});
    json!({"anyOf": [recipients(), {"type": "array", "minItems": 1, "items": member}]})
}

fn recipients() -> Value {
    let schema = object([
        key("im", reference("name"), "The im: that of the accounts which may send it."),
        key("group", ids(), "The group's id on the platform, or several. Either this or user."),
        key("user", ids(), "The user's id on the platform, or several. Either this or group."),
        key("account", reference("optional_text"), "The id of the account that must send it."),
        key("from", reference("list"), "A list of recipients that is read for each fire, instead of group or user."),
        key(
            "at_most",
            super::whole(1, Some(MOST_RECIPIENTS as u64)),
            "With more on the list the fire fails, and nothing of it is sent.",
        )
        .or(1000),
    ]);
    let mut schema = known(schema, &TARGET_KEYS);
    schema["required"] = json!(["im"]);
    schema["oneOf"] = json!([has("group"), has("user"), super::required("from")]);
    schema["dependentRequired"] = json!({"at_most": ["from"]});
    schema
}

/// Who gets the message of a push that ended badly.
pub(super) fn fallback() -> Value {
    let names = json!({"type": "array", "minItems": 1, "items": reference("name")});
    let states = choice(&BadState::ALL.map(BadState::as_str));
    let listed = json!({"type": "array", "minItems": 1, "items": states});
    let after = json!({"anyOf": [states, listed]});
    let schema = object([
        key("to", or_empty(json!({"anyOf": [reference("name"), names]})), "Names under targets."),
        key("im", reference("name"), "The im. That of the push when absent."),
        key("group", ids(), "The group's id on the platform, or several."),
        key("user", ids(), "The user's id on the platform, or several."),
        key(
            "account",
            reference("optional_text"),
            "The account that must send it. Alone: the same target by another account.",
        ),
        key("after", after, "The states of the push after which it goes out.").or("failed, expired"),
    ]);
    let mut schema = known(schema, &FALLBACK_KEYS);
    let beside = ["im", "group", "user"].map(has);
    let whom = ["to", "group", "user", "account"].map(has);
    let one = ["group", "user"].map(has);
    schema["allOf"] = json!([
        {"anyOf": whom},
        {"anyOf": [{"not": has("to")}, {"not": {"anyOf": beside}}]},
        {"anyOf": [{"not": has("im")}, {"anyOf": one.clone()}]},
        {"not": {"allOf": one}},
    ]);
    schema
}

/// One id, or a list of them.
fn ids() -> Value {
    let id = json!({"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": 256});
    json!({"anyOf": [reference("id"), {"type": "array", "minItems": 1, "maxItems": MOST_RECIPIENTS, "items": id}]})
}

/// Whom a push goes to: im and ids, or names.
fn whom() -> Value {
    let beside: Vec<Value> = IMS.into_iter().chain(TARGETS).map(has).collect();
    let mut named = has("to");
    named["not"] = json!({"anyOf": beside});
    json!({"oneOf": [{"allOf": [one_im(), one_target(), {"not": has("to")}]}, named]})
}

/// A push without content of its own: where a report goes.
pub(super) fn report_push() -> Value {
    let mut schema = object(common("A text before the report.", &reference("id")));
    schema["allOf"] = json!([one_im(), one_target()]);
    schema
}

/// The keys of every push, in all spellings.
fn common(text: &str, ids: &Value) -> Vec<Key> {
    let ours = "The id of the account that must send it. When absent the im's default, else the first one online.";
    let title = "A note. Fills the title where the protocol has one, and is the text where there is no content.";
    let mut keys = Vec::new();
    for (names, schema, words) in [
        (&IMS[..], reference("name"), "The im: that of the accounts which may send it."),
        (&TARGETS[..3], ids.clone(), "The group's id on the platform. Either this or user."),
        (&TARGETS[3..], ids.clone(), "The user's id on the platform. Either this or group."),
        (&["title"], reference("optional_text"), title),
        (&CONTENTS[..2], reference("optional_text"), text),
        (&["account"], reference("optional_text"), ours),
    ] {
        keys.extend(names.iter().map(|name| key(name, schema.clone(), words)));
    }
    keys.push(timeout());
    keys.push(key("options", or_empty(reference("options")), "The plugin SDK's options."));
    keys
}

pub(super) fn timeout() -> Key {
    let words = "The deadline of one attempt, 100ms to 1h. A bare number counts milliseconds.";
    key("timeout", reference("timeout"), words).or("15s")
}

pub(super) fn render() -> Key {
    let words = "Its texts are templates: {{ due | date('%F') }}. They are rendered once, when the first attempt is opened; \
                 docs/content.md tells what they know.";
    key("render", reference("bool"), words).or(false)
}

pub(super) fn options() -> Value {
    let spellings = [
        (&["account_id", "accountID", "accountId"][..], "As account of the push."),
        (&["filename", "fileName", "file_name"], "As filename of the media."),
        (&["mime_type", "mimeType"], "As mime_type of the media."),
    ];
    let keys = spellings.into_iter().flat_map(|(names, words)| names.iter().map(move |name| (name, words)));
    object(keys.map(|(name, words)| key(name, reference("optional_text"), words)))
}

pub(super) fn media() -> Value {
    let mut mapping = object(media_keys());
    mapping["required"] = json!(["source"]);
    json!({"anyOf": [reference("source"), mapping]})
}

fn media_keys() -> Vec<Key> {
    let source = "An http or https address, a path (relative to this file), base64://…, or data:…;base64,…";
    let mime = format!("^$|^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$|{VARIABLE}");
    let mime = json!({"type": ["string", "null"], "pattern": mime});
    let mime_words = "The media type, such as image/png. Told by the content when absent.";
    let filename = |name| key(name, reference("optional_text"), "The name that the receiver sees.");
    vec![
        key("source", reference("source"), source),
        filename("filename"),
        filename("fileName"),
        filename("file_name"),
        key("mime_type", mime.clone(), mime_words),
        key("mimeType", mime, mime_words),
        key("caption", reference("optional_text"), "A text below the media."),
        key("cover", reference("source"), "The still of a video: a source."),
    ]
}

/// An item of a mixed message tells its type by `type`, or by the key of its content.
pub(super) fn item() -> Value {
    let text = |name| key(name, json!({"type": ["string", "number", "boolean"], "minLength": 1}), "The text.");
    let user = |name| {
        let id = json!({"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": 256});
        key(name, id, "The id of a user to call.")
    };
    let everyone = json!({"anyOf": [{"const": true}, {"type": "string"}]});
    let mut items = vec![
        telling("text", vec![text("text"), text("content")], &["text", "content"]),
        telling("markdown", vec![text("markdown")], &["markdown"]),
        typed("markdown", vec![text("text"), text("content")], &["text", "content"]),
        telling("at", vec![user("at")], &["at"]),
        typed("at", vec![user("user"), user("userID"), user("user_id")], &["user", "userID", "user_id"]),
        telling("at_all", vec![key("at_all", everyone, "Calls everyone.")], &["at_all"]),
        typed("at_all", Vec::new(), &["type"]),
    ];
    for (kind, spelling) in [("image", "imageUrl"), ("voice", "voiceUrl"), ("video", "videoUrl"), ("file", "fileUrl")] {
        for name in [kind, spelling] {
            let source = key(name, reference("media"), "A source or a mapping.");
            items.push(telling(kind, [vec![source], media_keys()].concat(), &[name]));
        }
        let aliases = SOURCES[1..].iter().map(|name| key(name, reference("source"), "As source."));
        items.push(typed(kind, media_keys().into_iter().chain(aliases).collect(), &SOURCES));
    }
    json!({"anyOf": items})
}

/// An item whose type is told by one of its keys; `type` may say it again.
fn telling(kind: &str, keys: Vec<Key>, any: &[&str]) -> Value {
    let kind = key("type", json!({"const": kind}), "What the item is.");
    any_of_required(object([vec![kind], keys].concat()), any)
}

/// An item whose type only `type` tells.
fn typed(kind: &str, keys: Vec<Key>, any: &[&str]) -> Value {
    let mut schema = telling(kind, keys, any);
    schema["required"] = required("type")["required"].clone();
    schema
}

fn one_im() -> Value {
    let ways = IMS.map(has);
    json!({"oneOf": ways})
}

fn one_target() -> Value {
    let ways = TARGETS.map(has);
    json!({"oneOf": ways})
}
