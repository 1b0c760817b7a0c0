//! The name that a server gives a file by `Content-Disposition`, as servers write it and not only as RFC 6266 says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// The name in the header. The extended form wins where it can be read; a broken one does not hide the plain one.
pub(super) fn disposition_name(header: &str) -> Option<String> {
    let (mut plain, mut extended) = (None, None);
    for parameter in split_parameters(header) {
        let Some((key, value)) = parameter.split_once('=') else { continue };
        let value = unquoted(value.trim());
        match key.trim().to_ascii_lowercase().as_str() {
            "filename*" => extended = extended.or_else(|| extended_name(&value)),
            "filename" => plain = plain.or_else(|| Some(words(&value).unwrap_or(value))),
            _ => {}
        }
    }
    extended.or(plain)
}

/// Splits at the semicolons outside quotes.
fn split_parameters(header: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    header
        .split(|c| {
            if escaped {
                escaped = false;
                return false;
            }
            escaped = quoted && c == '\\';
            quoted ^= c == '"';
            c == ';' && !quoted
        })
        .collect()
}

/// The text in double quotes, or in the single ones that some take for quotes.
fn unquoted(value: &str) -> String {
    let between = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    match between('"') {
        Some(inner) => {
            let mut escaped = false;
            let keep = |c: &char| {
                escaped = *c == '\\' && !escaped;
                !escaped
            };
            inner.chars().filter(keep).collect()
        }
        None => between('\'').or_else(|| value.strip_prefix('"')).unwrap_or(value).to_owned(),
    }
}

/// `CHARSET'LANGUAGE'PERCENT-ENCODED` (RFC 8187).
fn extended_name(value: &str) -> Option<String> {
    let mut fields = value.splitn(3, '\'');
    let (charset, _, encoded) = (fields.next()?, fields.next()?, fields.next()?);
    let bytes: Vec<u8> = percent_decode_str(encoded).collect();
    in_charset(charset, bytes).filter(|name| !name.trim().is_empty())
}

/// A text of encoded words, as mail has them (RFC 2047) and as some servers put them into this header.
fn words(value: &str) -> Option<String> {
    let mut name = String::new();
    for word in value.split_ascii_whitespace() {
        let mut fields = word.strip_prefix("=?")?.strip_suffix("?=")?.splitn(3, '?');
        let (charset, encoding, text) = (fields.next()?, fields.next()?, fields.next()?);
        let bytes = match encoding {
            "B" | "b" => STANDARD.decode(text).ok()?,
            "Q" | "q" => percent_decode_str(&text.replace('%', "%25").replace('=', "%").replace('_', " ")).collect(),
            _ => return None,
        };
        name.push_str(&in_charset(charset, bytes)?);
    }
    (!name.is_empty()).then_some(name)
}

/// The text of these bytes, or None where they are no text of the charset, or the charset is one that we do not read.
fn in_charset(charset: &str, bytes: Vec<u8>) -> Option<String> {
    match charset.to_ascii_lowercase().as_str() {
        "iso-8859-1" | "latin1" => Some(bytes.into_iter().map(char::from).collect()),
        "" | "utf-8" | "utf8" | "us-ascii" => String::from_utf8(bytes).ok(),
        // Most of their names are ASCII, which is the same in all of them.
        _ => String::from_utf8(bytes).ok().filter(|name| name.is_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_name_is_read_in_every_form() {
        for (header, name) in [
            ("attachment; filename=a.pdf", Some("a.pdf")),
            ("attachment; filename=\"a; b.pdf\"", Some("a; b.pdf")),
            ("attachment; filename=\"a\\\"; b.pdf\"", Some("a\"; b.pdf")),
            ("inline; FileName=\"x\"; filename*=UTF-8''%E6%97%A5%E6%8A%A5.pdf", Some("日报.pdf")),
            ("attachment; filename*=\"UTF-8''%E6%97%A5%E6%8A%A5.xlsx\"", Some("日报.xlsx")),
            ("attachment; filename*=utf-8'zh-CN'%E6%97%A5.pdf; filename=x", Some("日.pdf")),
            ("attachment; filename*=iso-8859-1'en'%A3%20rates", Some("£ rates")),
            ("attachment; filename*=broken; filename=\"a.xlsx\"", Some("a.xlsx")),
            ("attachment; filename=\"a.xlsx\"; filename*=broken", Some("a.xlsx")),
            ("attachment; filename=a.xlsx; filename*=UTF-8''%ff%fe", Some("a.xlsx")),
            ("attachment; filename=a.xlsx; filename*=UTF-8''", Some("a.xlsx")),
            ("attachment; filename=a.xlsx; filename*=GBK''%C8%D5", Some("a.xlsx")),
            ("attachment; filename=\"=?UTF-8?B?5pel5oqlLnhsc3g=?=\"", Some("日报.xlsx")),
            ("attachment; filename==?UTF-8?B?5pel5oqlLnhsc3g=?=", Some("日报.xlsx")),
            ("attachment; filename=\"=?utf-8?q?=E6=97=A5_1.pdf?=\"", Some("日 1.pdf")),
            ("attachment; filename=\"=?utf-8?B?5pel?= =?utf-8?B?5oqlLnhsc3g=?=\"", Some("日报.xlsx")),
            ("attachment; filename=\"=?utf-8?x?what?=\"", Some("=?utf-8?x?what?=")),
            ("attachment; filename='a b.xlsx'", Some("a b.xlsx")),
            ("attachment; filename=o'clock.txt", Some("o'clock.txt")),
            ("attachment", None),
            ("attachment; filename*=broken", None),
        ] {
            assert_eq!(disposition_name(header).as_deref(), name, "{header}");
        }
    }
}
