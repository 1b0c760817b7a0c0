//! What a source text means.

use std::path::PathBuf;

use url::Url;

use super::error::Problem;

/// A source by its form; nothing of it was looked at yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source<'a> {
    Remote(Url),
    Local(PathBuf),
    /// `base64` may hold white space, and percent escapes where it came in a `data:` address.
    Inline {
        declared: Option<String>,
        base64: &'a str,
    },
    /// The lower-case hex SHA-256 of a content that the store keeps.
    Blob(&'a str),
}

impl<'a> Source<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Source<'a>, Problem> {
        let text = text.trim();
        if let Some(base64) = after(text, "base64://") {
            return Ok(Source::Inline { declared: None, base64 });
        }
        if let Some(rest) = after(text, "data:") {
            return data(rest);
        }
        if let Some(sha256) = after(text, "blob:") {
            return Ok(Source::Blob(sha256));
        }
        match text.split_once("://") {
            _ if text.is_empty() => Err(Problem::rejected("the source is empty")),
            Some((scheme, _)) if is_scheme(scheme) => address(scheme, text),
            _ => Ok(Source::Local(PathBuf::from(text))),
        }
    }
}

/// The rest of `text` behind `prefix`, whatever its case.
pub(super) fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// `[MIME][;parameters];base64,DATA`
fn data(rest: &str) -> Result<Source<'_>, Problem> {
    let form = || Problem::rejected("expected data:MIME;base64,CONTENT");
    let (head, base64) = rest.split_once(',').ok_or_else(form)?;
    let head = head.trim_end();
    let cut = head.len().checked_sub(";base64".len()).filter(|cut| head.is_char_boundary(*cut)).ok_or_else(form)?;
    let (head, encoding) = head.split_at(cut);
    if !encoding.eq_ignore_ascii_case(";base64") {
        return Err(form());
    }
    let mime = head.split(';').next().unwrap_or_default().trim();
    Ok(Source::Inline { declared: (!mime.is_empty()).then(|| mime.to_owned()), base64 })
}

fn address<'a>(scheme: &str, text: &str) -> Result<Source<'a>, Problem> {
    // The parser's error never quotes the address, which may hold a token.
    let parsed = || Url::parse(text).map_err(|error| Problem::rejected(format!("not an address: {error}")));
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => Ok(Source::Remote(parsed()?)),
        "file" => {
            let path = parsed()?.to_file_path();
            path.map(Source::Local)
                .map_err(|()| Problem::rejected("a file:// address must name a path of this machine"))
        }
        other => Err(Problem::rejected(format!(
            "cannot read '{other}://' sources; expected http://, https://, file://, base64://, data: or a path"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_told_by_its_start() {
        let local = |path: &str| Source::Local(path.into());
        let inline = |declared: Option<&str>, base64| Source::Inline { declared: declared.map(Into::into), base64 };
        for (text, expected) in [
            ("./a.png", local("./a.png")),
            ("/srv/a b.png", local("/srv/a b.png")),
            ("日报:1.png", local("日报:1.png")),
            ("a,b://c", local("a,b://c")),
            ("file:///srv/a%20b.png", local("/srv/a b.png")),
            ("FILE://localhost/a", local("/a")),
            ("base64://QUJD", inline(None, "QUJD")),
            ("Data:image/png;base64,QUJD", inline(Some("image/png"), "QUJD")),
            ("data:text/plain;charset=utf-8;base64,QUJD", inline(Some("text/plain"), "QUJD")),
            ("data:;base64,QUJD", inline(None, "QUJD")),
            ("blob:00ff", Source::Blob("00ff")),
            ("HTTPS://a.test/x", Source::Remote(Url::parse("https://a.test/x").unwrap())),
        ] {
            assert_eq!(Source::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in
            ["", "ftp://a/b", "gopher://a", "data:image/png,abc", "data:base64", "file://server/share", "http://"]
        {
            assert!(matches!(Source::parse(text), Err(Problem::Rejected(_))), "{text}");
        }
    }
}
