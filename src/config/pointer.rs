//! Where something stands in JSON, as RFC 6901 names it: who sent JSON over HTTP has no lines to look at.

/// The value, or the key of it, that begins at this byte or reaches over it. Of a text that is no JSON something near.
pub(super) fn pointer(json: &str, at: usize) -> String {
    let bytes = json.as_bytes();
    let mut path: Vec<Step> = Vec::new();
    let mut from = 0;
    while from < bytes.len() {
        let until = match bytes[from] {
            b'"' => end_of_text(bytes, from),
            b'{' | b'[' | b'}' | b']' | b',' | b':' | b' ' | b'\n' | b'\t' | b'\r' => from + 1,
            _ => bytes[from..].iter().position(|byte| b",}] \n".contains(byte)).map_or(bytes.len(), |len| from + len),
        };
        let is_key = matches!(path.last(), Some(Step::Member { is_named: false, .. })) && bytes[from] == b'"';
        if is_key && let Some(Step::Member { key, is_named }) = path.last_mut() {
            *key = serde_json::from_str(&json[from..until]).unwrap_or_default();
            *is_named = true;
        }
        if until > at && !matches!(bytes[from], b' ' | b',' | b':' | b'}' | b']') {
            break;
        }
        match (bytes[from], path.last_mut()) {
            (b'{', _) => path.push(Step::Member { key: String::new(), is_named: false }),
            (b'[', _) => path.push(Step::Item(0)),
            (b'}' | b']', _) => drop(path.pop()),
            (b',', Some(Step::Member { is_named, .. })) => *is_named = false,
            (b',', Some(Step::Item(index))) => *index += 1,
            _ => {}
        }
        from = until;
    }
    path.iter().filter(|step| !matches!(step, Step::Member { is_named: false, .. })).map(Step::told).collect()
}

/// The step to a key (RFC 6901).
pub fn pointer_to(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// One step down.
enum Step {
    Member { key: String, is_named: bool },
    Item(usize),
}

impl Step {
    fn told(&self) -> String {
        match self {
            Step::Member { key, .. } => pointer_to(key),
            Step::Item(index) => format!("/{index}"),
        }
    }
}

/// Behind the quote that ends the text that begins here.
fn end_of_text(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_json_text_has_its_pointer() {
        let json = r#"{"im":"qq","push":[{"a/b":1},{"~\"x":[true,{"y":{}}]}],"last":null}"#;
        for (part, wanted) in [
            (r#"{"im""#, ""),
            (r#""im""#, "/im"),
            (r#""qq""#, "/im"),
            (r#"[{"a/b""#, "/push"),
            (r#"{"a/b""#, "/push/0"),
            ("1}", "/push/0/a~1b"),
            (r#"[true"#, "/push/1/~0\"x"),
            ("rue", "/push/1/~0\"x/0"),
            (r#"{}}"#, "/push/1/~0\"x/1/y"),
            (r#""last""#, "/last"),
            ("null", "/last"),
        ] {
            let at = json.find(part).unwrap_or_else(|| panic!("{part}"));
            assert_eq!(pointer(json, at), wanted, "{part}");
        }
        for odd in ["", "{", "\"", "{\"a", "[1,", "\"\\", "}}", "é"] {
            for at in 0..4 {
                pointer(odd, at);
            }
        }
    }
}
