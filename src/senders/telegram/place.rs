//! Where a push goes: a chat, and perhaps a topic of a forum.

/// The general topic of a forum has this number, which Telegram refuses: what names no topic goes there.
const GENERAL: i64 = 1;

pub struct Place<'a> {
    pub chat: &'a str,
    pub topic: Option<i64>,
}

/// A chat's number, a channel's `@name`, and after a slash a topic's number: `-1001234567890/17`.
///
/// # Errors
/// What was expected, what came, and what to write.
pub fn place(id: &str) -> Result<Place<'_>, String> {
    let (chat, topic) = match id.split_once('/') {
        Some((chat, topic)) => (chat, Some(topic)),
        None => (id, None),
    };
    let topic = topic.map(|topic| topic.parse().ok().filter(|topic| *topic > 0));
    if !is_chat(chat) || topic == Some(None) {
        return Err(refusal(id));
    }
    Ok(Place { chat, topic: topic.flatten().filter(|topic| *topic != GENERAL) })
}

fn is_chat(chat: &str) -> bool {
    match chat.strip_prefix('@') {
        Some(name) => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
        None => !chat.starts_with('+') && chat.parse::<i64>().is_ok_and(|number| number != 0),
    }
}

fn refusal(id: &str) -> String {
    let expected = "expected a chat's number such as -1001234567890 or a channel's @name, with a topic's number after a \
                    slash if there is one";
    // Somebody took the wrong line of @BotFather's answer.
    let is_token = id.len() > 30 && id.split_once(':').is_some_and(|(bot, _)| bot.parse::<u64>().is_ok());
    if is_token {
        return format!("the target looks like a bot's token: {expected}");
    }
    let link = id.trim_start_matches("https://").trim_start_matches("http://");
    let advice = match link.strip_prefix("t.me/").or_else(|| link.strip_prefix("telegram.me/")) {
        Some(name) if is_chat(&format!("@{name}")) => format!("; write @{name}"),
        _ if is_chat(&format!("@{id}")) => format!("; write @{id}"),
        _ => match id.split_once(':') {
            Some((chat, topic)) if place(&format!("{chat}/{topic}")).is_ok() => format!("; write {chat}/{topic}"),
            _ => String::new(),
        },
    };
    format!("'{id}' is no chat of Telegram: {expected}{advice}")
}
