//! Events for systemd's journal, in its native protocol.
//!
//! Written here rather than taken from `tracing-journald`, because `journalctl` shows nothing but MESSAGE: it has to
//! hold the keys as well (`push failed push=12 error=…`), or a person sees only "push failed".

use std::io;
use std::os::unix::net::UnixDatagram;

use serde_json::Value;
use tracing::Level;

use super::line::text;
use super::outlet::Hand;
use super::record::Record;
use crate::domain::char_start;

const SOCKET: &str = "/run/systemd/journal/socket";

/// The journal takes datagrams up to the socket's send buffer (some 200 KiB); none of ours comes near.
const LONGEST_MESSAGE: usize = 32 * 1024;

pub(super) struct Journal {
    socket: UnixDatagram,
}

/// Whether standard error is the journal itself, as `$JOURNAL_STREAM` (device:inode) tells.
pub(super) fn owns_stderr() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

impl Journal {
    pub(super) fn open(hand: Hand) -> io::Result<Journal> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(SOCKET)?;
        // A journal that does not keep up must not hold up a verb; a thread of its own may wait for it.
        socket.set_nonblocking(hand == Hand::Own)?;
        Ok(Journal { socket })
    }

    pub(super) fn send(&self, datagram: &[u8]) {
        // Nobody is left to tell when the journal is gone.
        let _ = self.socket.send(datagram);
    }
}

pub(super) fn datagram(record: &Record) -> Vec<u8> {
    let mut message = text(&record.fields);
    message.truncate(char_start(&message, LONGEST_MESSAGE));
    let mut bytes = Vec::with_capacity(256);
    put(&mut bytes, "MESSAGE", &message);
    put(&mut bytes, "PRIORITY", priority(record.level));
    put(&mut bytes, "SYSLOG_IDENTIFIER", "pushcron");
    put(&mut bytes, "TARGET", record.target);
    for (key, value) in &record.fields.rest {
        let name: String =
            key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if value.len() <= LONGEST_MESSAGE {
            put(&mut bytes, &format!("PUSHCRON_{name}"), &value);
        }
    }
    bytes
}

fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

/// The form with an explicit length, in which no value can pass for a field of its own.
fn put(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UtcMs;
    use crate::logging::fields::Fields;

    /// Reads the fields back as the journal does.
    fn parse(mut bytes: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let name = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let len = u64::from_le_bytes(bytes[end + 1..end + 9].try_into().unwrap()) as usize;
            let value = String::from_utf8(bytes[end + 9..end + 9 + len].to_vec()).unwrap();
            assert_eq!(bytes[end + 9 + len], b'\n');
            bytes = &bytes[end + 10 + len..];
            fields.push((name, value));
        }
        fields
    }

    #[test]
    fn the_message_shows_every_key_and_each_key_is_a_field_too() {
        let rest = vec![("push", Value::from(7)), ("error", "a\nPRIORITY=0".into())];
        let fields = Fields { message: "push failed".into(), rest };
        let record = Record { at: UtcMs(0), level: Level::WARN, target: "pushcron::engine", fields };
        let fields = parse(&datagram(&record));
        let expected = [
            ("MESSAGE", "push failed push=7 error=\"a\\nPRIORITY=0\""),
            ("PRIORITY", "4"),
            ("SYSLOG_IDENTIFIER", "pushcron"),
            ("TARGET", "pushcron::engine"),
            ("PUSHCRON_PUSH", "7"),
            ("PUSHCRON_ERROR", "a\nPRIORITY=0"),
        ];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
