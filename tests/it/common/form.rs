//! Reading the multipart forms that senders upload.

use super::fake_im::Request;

/// One field of a multipart form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub name: String,
    pub filename: Option<String>,
    pub mime_type: Option<String>,
    pub content: Vec<u8>,
}

impl Field {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.content.clone()).unwrap()
    }
}

/// The fields of a multipart form, in order; panics where the body is none.
pub(crate) fn form(request: &Request) -> Vec<Field> {
    let boundary = request.header("content-type").unwrap().split_once("boundary=").unwrap().1;
    let mut fields = Vec::new();
    let mut rest = request.body.as_slice();
    let delimiter = format!("--{boundary}\r\n").into_bytes();
    let closing = format!("\r\n--{boundary}").into_bytes();
    while let Some(after) = rest.strip_prefix(delimiter.as_slice()) {
        let (head, after) = cut(after, b"\r\n\r\n");
        let (content, _) = cut(after, &closing);
        rest = &after[content.len() + 2..];
        let head = String::from_utf8(head.to_vec()).unwrap();
        let between = |start: &str, end: &str| Some(head.split_once(start)?.1.split(end).next()?.to_owned());
        fields.push(Field {
            name: between(" name=\"", "\"").unwrap(),
            filename: between("filename=\"", "\""),
            mime_type: between("Content-Type: ", "\r\n"),
            content: content.to_vec(),
        });
    }
    assert_eq!(rest, format!("--{boundary}--\r\n").as_bytes(), "the form is closed");
    fields
}

fn cut<'a>(bytes: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = bytes.windows(at.len()).position(|window| window == at).expect("a complete form");
    (&bytes[..found], &bytes[found + at.len()..])
}
