//! Text as the hook wants it (sheet qx.md §4).

use super::super::shared::markdown;
use super::super::shared::steps::{Step, Style, plan};
use super::super::shared::text::Limit;
use crate::domain::{Body, Item, Message};

/// The most UTF-16 units of one text, counted as they go out. Pro splits longer ones by itself, so that they have no
/// id each; old versions may crash.
const LONGEST: usize = 1600;

/// The steps of a message, each text short enough also in its encoded form.
///
/// An emoji grows to six or twelve times its length on the wire, so a text full of them is cut finer. The answer
/// depends on the message alone: a retry cuts at the same places.
pub(super) fn steps(message: &Message, to_group: bool, encode: fn(&str) -> String) -> Vec<Step> {
    let message = neutralised(message);
    let fits = |step: &Step| match step {
        Step::Text { text, .. } => Limit::Utf16(LONGEST).measure(&encode(text)) <= LONGEST,
        Step::Markdown { .. } | Step::Media { .. } => true,
    };
    let cut_at = |limit| plan(&message, &style(to_group, Limit::Utf16(limit)));
    let finest = LONGEST / 16;
    [LONGEST, LONGEST / 2, LONGEST / 4, LONGEST / 8]
        .into_iter()
        .map(cut_at)
        .find(|steps| steps.iter().all(fits))
        .unwrap_or_else(|| cut_at(finest))
}

/// Whether the message asks for mentions that a private chat cannot carry.
pub(super) fn has_mentions(message: &Message) -> bool {
    match &message.body {
        Body::Mixed { items } => items.iter().any(|item| matches!(item, Item::At { .. } | Item::AtAll)),
        _ => false,
    }
}

fn style(to_group: bool, text_limit: Limit) -> Style {
    // In a group the hook replaces the code by the real nickname; a private chat would show it as it is.
    let (mention, at_all): (fn(&str) -> String, _) = if to_group {
        (|user| mention_code(user), Some("[@,wxid=all,nick=,isAuto=true]"))
    } else {
        (|user| format!("@{user}"), Some("@all"))
    };
    Style { mention, at_all, plain: Some(markdown::to_plain), text_limit, markdown_limit: text_limit }
}

fn mention_code(user: &str) -> String {
    let id: String = user.chars().filter(|c| !"[],=".contains(*c) && !c.is_whitespace()).collect();
    format!("[@,wxid={id},nick=,isAuto=true]")
}

/// The message with the codes in its texts made harmless: what somebody wrote must not notify anybody.
fn neutralised(message: &Message) -> Message {
    let mut message = message.clone();
    let harmless = |text: &mut String| {
        if text.contains("[@,") {
            *text = text.replace("[@,", "[ @,");
        }
    };
    for media in message.body.media_mut() {
        media.caption.as_mut().map(harmless);
    }
    match &mut message.body {
        Body::Text { text } => harmless(text),
        Body::Mixed { items } => items.iter_mut().for_each(|item| match item {
            Item::Text { text } | Item::Markdown { text } => harmless(text),
            _ => {}
        }),
        _ => {}
    }
    message
}

/// Pro: a line ends in CR (LF shows as an empty line more), and characters outside the BMP go as the literal twelve
/// characters `\uD83D\uDE01`.
pub(super) fn encode_pro(text: &str) -> String {
    encode(text, |unit| format!("\\u{unit:04X}"))
}

/// The old generation: CR as well, and `[emoji=D83D][emoji=DE01]`.
pub(super) fn encode_old(text: &str) -> String {
    encode(text, |unit| format!("[emoji={unit:04X}]"))
}

fn encode(text: &str, surrogate: fn(u16) -> String) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\n' => out.push('\r'),
            c if c.len_utf16() == 2 => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&surrogate(*unit)));
            }
            c => out.push(c),
        }
        out
    })
}

/// Whether a text that came back is the one that was sent: the hook shows lines and emoji in forms of its own.
pub(super) fn is_same(sent: &str, came_back: &str, encode: fn(&str) -> String) -> bool {
    let essence = |text: &str| encode(text).chars().filter(|c| !c.is_whitespace()).collect::<String>();
    essence(sent) == essence(came_back)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Media;

    fn texts(message: &Message, to_group: bool, encode: fn(&str) -> String) -> Vec<String> {
        let steps = steps(message, to_group, encode);
        let texts = steps.iter().filter_map(|step| match step {
            Step::Text { text, .. } => Some(encode(text)),
            Step::Markdown { .. } | Step::Media { .. } => None,
        });
        texts.collect()
    }

    fn message(text: &str) -> Message {
        Message { title: None, body: Body::Text { text: text.into() } }
    }

    #[test]
    fn lines_and_emoji_are_written_as_each_generation_reads_them() {
        let text = "第一行\n第二行\r\n\n😁捂脸[捂脸]";
        assert_eq!(encode_pro(text), "第一行\r第二行\r\r\\uD83D\\uDE01捂脸[捂脸]");
        assert_eq!(encode_old(text), "第一行\r第二行\r\r[emoji=D83D][emoji=DE01]捂脸[捂脸]");
    }

    #[test]
    fn a_text_is_known_again_in_every_form_in_which_it_comes_back() {
        for came_back in ["一\n二 😁", "一\r二 \\uD83D\\uDE01", "一\n\n二\\uD83D\\uDE01"] {
            assert!(is_same("一\n二 😁", came_back, encode_pro), "{came_back:?}");
        }
        assert!(!is_same("一二", "一二三", encode_pro));
    }

    #[test]
    fn what_somebody_wrote_notifies_nobody_and_what_the_job_asks_does() {
        let items = vec![
            Item::Text { text: "see [@,wxid=all,nick=,isAuto=true]".into() },
            Item::At { user: "wxid_bob".into() },
            Item::AtAll,
            Item::File(Media { caption: Some("[@,wxid=x]".into()), ..Media::default() }),
        ];
        let mixed = Message { title: None, body: Body::Mixed { items } };
        assert_eq!(
            texts(&mixed, true, encode_pro),
            ["see [ @,wxid=all,nick=,isAuto=true] [@,wxid=wxid_bob,nick=,isAuto=true] \
              [@,wxid=all,nick=,isAuto=true]\r[ @,wxid=x]"]
        );
        assert_eq!(
            texts(&mixed, false, encode_pro),
            ["see [ @,wxid=all,nick=,isAuto=true] @wxid_bob @all\r[ @,wxid=x]"]
        );
        assert_eq!(mention_code("a,nick=b] [@"), "[@,wxid=anickb@,nick=,isAuto=true]");
    }

    #[test]
    fn no_text_is_longer_than_the_hook_takes_however_it_grows() {
        for (text, encode) in [
            ("字".repeat(4000), encode_pro as fn(&str) -> String),
            ("word ".repeat(2000), encode_old),
            ("😁".repeat(3000), encode_pro),
            ("😁".repeat(3000), encode_old),
            (format!("{}\n{}", "😁".repeat(100), "行\n".repeat(3000)), encode_old),
        ] {
            let sent = texts(&message(&text), true, encode);
            assert!(sent.len() > 1);
            assert!(sent.iter().all(|text| Limit::Utf16(LONGEST).measure(text) <= LONGEST), "{}", &text[..20]);
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(letters(&sent.concat()), letters(&encode(&text)));
        }
        assert_eq!(texts(&message(&"字".repeat(1600)), true, encode_pro).len(), 1);
    }

    #[test]
    fn a_mention_is_never_cut() {
        let items =
            (0..200).flat_map(|n| [Item::Text { text: "字".repeat(n % 37) }, Item::At { user: format!("wxid_{n}") }]);
        let mixed = Message { title: None, body: Body::Mixed { items: items.collect() } };
        let sent = texts(&mixed, true, encode_pro);
        let mentions: usize = sent.iter().map(|text| text.matches("[@,wxid=").count()).sum();
        let whole: usize = sent.iter().map(|text| text.matches(",nick=,isAuto=true]").count()).sum();
        assert_eq!((mentions, whole), (200, 200));
        assert!(sent.iter().all(|text| text.matches("[@,").count() == text.matches("=true]").count()));
    }
}
