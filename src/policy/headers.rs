//! The headers that go along to the address of a content, as their file says them: a line each, `Name: value`.

/// These are the connection's own, or say what we can read; a file that says them means something else.
const OURS: [&str; 9] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// So many are enough for anybody.
const MOST: usize = 50;

/// The headers of a file, whose values no message may show.
///
/// # Errors
/// In words, with the number of the line.
pub fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once(':').map(|(name, value)| (name.trim_end(), value.trim())) else {
            return Err(format!("line {number}: expected 'Name: value', got no colon"));
        };
        if name.is_empty() || !name.bytes().all(is_of_a_name) {
            return Err(format!("line {number}: what stands before the colon is no name of a header"));
        }
        if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            return Err(format!("line {number}: the header {name} is pushcron's own to say"));
        }
        if value.is_empty() || !value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
            return Err(format!("line {number}: the value of {name} is empty, or has signs that no header can have"));
        }
        found.push((name.to_owned(), value.to_owned()));
        if found.len() > MOST {
            return Err(format!("line {number}: expected at most {MOST} headers"));
        }
    }
    if found.is_empty() { Err("it has no headers: expected lines such as 'Name: value'".to_owned()) } else { Ok(found) }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_header_but_for_blank_ones_and_comments() {
        let text = "# of the weather\nAuthorization: Bearer a:b\r\n\nX-Site:  north \n";
        let expected = [("Authorization", "Bearer a:b"), ("X-Site", "north")];
        assert_eq!(headers(text).unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_no_header_is_told_by_its_line_and_never_by_its_value() {
        for (text, told) in [
            ("", "it has no headers"),
            ("# nothing\n", "it has no headers"),
            ("A: 1\nBearer canary", "line 2: expected 'Name: value'"),
            ("my token: canary", "line 1: what stands before the colon"),
            (": canary", "line 1: what stands before the colon"),
            ("Host: canary", "the header Host is pushcron's own"),
            ("Content-length: 3", "pushcron's own"),
            ("X-Token:", "the value of X-Token is empty"),
            ("X-Token: canary\u{1}", "the value of X-Token"),
            ("X-Token: canary天", "the value of X-Token"),
            (&"A: canary\n".repeat(51), "line 51: expected at most 50"),
        ] {
            let problem = headers(text).unwrap_err();
            assert!(problem.contains(told) && !problem.contains("canary"), "{text:?}: {problem}");
        }
    }
}
