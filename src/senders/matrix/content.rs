//! From a message to the contents of its events.

use serde_json::{Map, Value, json};

use crate::domain::{Delivery, Kind, MediaFile, is_blank};
use crate::senders::shared::deliver::file;
use crate::senders::shared::failure::Failure;
use crate::senders::shared::markdown;
use crate::senders::shared::parts::Part;
use crate::senders::shared::segments::{Inline, Segment, render, segments};
use crate::senders::shared::text::{Limit, split};

/// A whole event may have 65,536 bytes; JSON doubles line ends and quotes, and the server adds its own fields.
const TEXT_LIMIT: Limit = Limit::Bytes(30_000);
const CAPTION_LIMIT: Limit = Limit::Bytes(8_000);

/// One event to be.
pub(super) struct Event<'a> {
    kind: Kind,
    /// Complete but for the addresses of the uploads.
    pub content: Value,
    pub file: Option<&'a MediaFile>,
    /// In what other form than asked for it goes out.
    pub note: Option<&'static str>,
}

impl Part for Event<'_> {
    fn kind(&self) -> &'static str {
        self.kind.as_str()
    }
}

/// The events of a message in reading order: a text after a media becomes its caption, everything else stands alone.
///
/// # Errors
/// A media's file is not there.
pub(super) fn plan<'a>(delivery: &'a Delivery, text_type: &str) -> Result<Vec<Event<'a>>, Failure> {
    let mut events = Vec::new();
    for segment in segments(&delivery.message.body) {
        match segment {
            Segment::Text(run) => plan_text(&run, text_type, &mut events),
            Segment::Media { kind, media, index } => {
                let file = file(delivery, index)?;
                events.push(Event { kind, content: media_content(kind, file), file: Some(file), note: None });
                if let Some(caption) = &media.caption {
                    plan_text(&[Inline::Text(caption)], text_type, &mut events);
                }
            }
        }
    }
    Ok(events)
}

fn plan_text(run: &[Inline], text_type: &str, events: &mut Vec<Event>) {
    let text = Text::of(run);
    if is_blank(&text.plain) {
        return;
    }
    if let Some(Event { content, file: Some(file), .. }) = events.last_mut()
        // With a caption the name moves to a key of its own.
        && content.get("filename").is_none()
        && text.fits(CAPTION_LIMIT)
    {
        content["filename"] = json!(file.filename);
        text.put_into(content);
        return;
    }
    let event = |content, note| Event { kind: Kind::Text, content, file: None, note };
    if text.fits(TEXT_LIMIT) {
        let mut content = json!({"msgtype": text_type});
        text.put_into(&mut content);
        events.push(event(content, None));
        return;
    }
    let note = text.html.is_some().then_some("markdown as text");
    let pieces = split(&text.plain, TEXT_LIMIT);
    events.extend(pieces.into_iter().map(|piece| event(json!({"msgtype": text_type, "body": piece}), note)));
}

/// A text, what it looks like where HTML is shown, and whom it calls.
struct Text {
    plain: String,
    html: Option<String>,
    mentions: Option<Value>,
}

impl Text {
    fn of(run: &[Inline]) -> Text {
        let plain = render(run, |inline| match inline {
            Inline::Text(text) | Inline::Markdown(text) => text.to_owned(),
            Inline::At(user) => user.to_owned(),
            Inline::AtAll => "@room".to_owned(),
        });
        let has_markup = run.iter().any(|inline| matches!(inline, Inline::Markdown(_) | Inline::At(_)));
        let html = has_markup.then(|| {
            render(run, |inline| match inline {
                Inline::Text(text) => markdown::escape(text).replace('\n', "<br>"),
                Inline::Markdown(text) => markdown::to_html(text),
                Inline::At(user) => {
                    let user = markdown::escape(user);
                    format!("<a href=\"https://matrix.to/#/{user}\">{user}</a>")
                }
                Inline::AtAll => "@room".to_owned(),
            })
        });
        Text { plain, html, mentions: mentions(run) }
    }

    fn fits(&self, limit: Limit) -> bool {
        let html = self.html.as_deref().unwrap_or_default();
        limit.fits(&format!("{}{html}", self.plain))
    }

    fn put_into(self, content: &mut Value) {
        content["body"] = json!(self.plain);
        if let Some(html) = self.html {
            content["format"] = json!("org.matrix.custom.html");
            content["formatted_body"] = json!(html);
        }
        if let Some(mentions) = self.mentions {
            content["m.mentions"] = mentions;
        }
    }
}

fn mentions(run: &[Inline]) -> Option<Value> {
    let mut mentions = Map::new();
    let user = |inline: &Inline| match inline {
        Inline::At(user) => Some(json!(user)),
        _ => None,
    };
    let users: Vec<Value> = run.iter().filter_map(user).collect();
    if !users.is_empty() {
        mentions.insert("user_ids".into(), Value::Array(users));
    }
    if run.contains(&Inline::AtAll) {
        mentions.insert("room".into(), json!(true));
    }
    (!mentions.is_empty()).then_some(Value::Object(mentions))
}

fn media_content(kind: Kind, file: &MediaFile) -> Value {
    let msgtype = match kind {
        Kind::Image => "m.image",
        Kind::Voice => "m.audio",
        Kind::Video => "m.video",
        Kind::File | Kind::Text | Kind::Mixed => "m.file",
    };
    json!({"msgtype": msgtype, "body": file.filename, "info": {"mimetype": file.mime_type, "size": file.len}})
}
