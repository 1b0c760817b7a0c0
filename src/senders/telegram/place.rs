//! Where a push goes: a chat, and perhaps a topic of a forum.

use super::super::shared::targets::plain_number;
use crate::domain::{Target, WrongTarget};

/// The general topic of a forum has this number, which Telegram refuses: what names no topic goes there.
const GENERAL: i64 = 1;

pub(super) struct Place<'a> {
    pub chat: &'a str,
    pub topic: Option<i64>,
}

/// Whether a target is one of Telegram's: the same judgement before anything is loaded and before anything is sent.
///
/// # Errors
/// As [`place`].
pub(super) fn target(target: &Target) -> Result<(), WrongTarget> {
    // Names are of channels and groups: Telegram answers "chat not found" to a person's, so that a bot writes to a person
    // by the number alone.
    let wrong = match place(target.id()) {
        Ok(place) if target.is_group() || !place.chat.starts_with('@') => return Ok(()),
        Ok(_) => WrongTarget {
            problem: "is a name, and no bot can write to a person by the name",
            expected: "the user's number such as 123456789",
            meant: None,
            is_secret: false,
        },
        Err(wrong) => wrong,
    };
    let is_right = |meant: &String| target.is_group() || !meant.starts_with('@');
    Err(WrongTarget { meant: wrong.meant.filter(is_right), ..wrong })
}

/// A chat's number, a channel's `@name`, and after a slash a topic's number: `-1001234567890/17`.
///
/// # Errors
/// What was expected, what came, and what to write.
pub(super) fn place(id: &str) -> Result<Place<'_>, WrongTarget> {
    read(id).ok_or_else(|| refusal(id))
}

fn read(id: &str) -> Option<Place<'_>> {
    let (chat, topic) = match id.split_once('/') {
        Some((chat, topic)) => (chat, Some(topic.parse().ok().filter(|topic: &i64| *topic > 0)?)),
        None => (id, None),
    };
    is_chat(chat).then_some(Place { chat, topic: topic.filter(|topic| *topic != GENERAL) })
}

fn is_chat(chat: &str) -> bool {
    match chat.strip_prefix('@') {
        Some(name) => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
        None => !chat.starts_with('+') && chat.parse::<i64>().is_ok_and(|number| number != 0),
    }
}

fn refusal(id: &str) -> WrongTarget {
    let wrong = WrongTarget {
        problem: "is no chat of Telegram",
        expected: "a chat's number such as -1001234567890 or a channel's @name, with a topic's number after a slash if \
                   there is one",
        meant: meant_by(id),
        is_secret: false,
    };
    // Somebody took the wrong line of @BotFather's answer.
    let is_token = id.len() > 30 && id.split_once(':').is_some_and(|(bot, _)| bot.parse::<u64>().is_ok());
    match is_token {
        true => WrongTarget { problem: "looks like a bot's token", meant: None, is_secret: true, ..wrong },
        false => wrong,
    }
}

fn meant_by(id: &str) -> Option<String> {
    let link = id.strip_prefix("https://").or_else(|| id.strip_prefix("http://")).unwrap_or(id);
    let path = link.strip_prefix("t.me/").or_else(|| link.strip_prefix("telegram.me/"));
    let written = match path.map(|path| path.strip_prefix("c/").ok_or(path)) {
        // A link to a message in a private chat has the number, without what marks it as a channel's.
        Some(Ok(chat)) => format!("-100{}", chat.split('/').next()?),
        // An invitation (`joinchat/…`) names nobody; what else stands behind a name are numbers of messages.
        Some(Err(path)) if path.split('/').skip(1).any(|part| part.parse::<u64>().is_err()) => return None,
        Some(Err(name)) => format!("@{}", name.split('/').next()?),
        None if id.starts_with(|c: char| c.is_ascii_alphabetic()) => format!("@{id}"),
        None => plain_number(&id.replacen(':', "/", 1))?,
    };
    read(&written).is_some().then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant_is_told_and_nothing_is_guessed() {
        let rows = [
            ("news", Some("@news")),
            ("t.me/news", Some("@news")),
            ("https://t.me/news/17", Some("@news")),
            ("https://t.me/c/1234567890/17", Some("-1001234567890")),
            ("-1001234567890:17", Some("-1001234567890/17")),
            ("-100 1234 567 890", Some("-1001234567890")),
            ("- 1001234567890 / 17", Some("-1001234567890/17")),
            ("\u{2212}1001234567890", Some("-1001234567890")),
            ("１２３４５", Some("12345")),
            ("1\u{a0}234", Some("1234")),
            ("https://t.me/+AbCdEf", None),
            ("https://t.me/joinchat/AbC", None),
            ("-1001234567890/abc", None),
            ("the news", None),
            ("--5", None),
            ("0", None),
        ];
        for (id, meant) in rows {
            let wrong = place(id).err().unwrap();
            assert_eq!(wrong.meant.as_deref(), meant, "{id}");
        }
        let user = target(&Target::User("news".to_owned())).unwrap_err();
        assert_eq!(user.meant, None, "no bot writes to a person by the name");
        let user = target(&Target::User("@somebody".to_owned())).unwrap_err();
        assert_eq!((user.expected, user.meant), ("the user's number such as 123456789", None));
        assert_eq!(target(&Target::Group("@somebody".to_owned())), Ok(()));
        assert_eq!(target(&Target::User("12 345".to_owned())).unwrap_err().meant.as_deref(), Some("12345"));
    }
}
