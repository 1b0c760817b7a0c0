//! Lists of recipients: what was read becomes entries, or the line that is wrong is told. A list is taken whole or not at all.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::domain::{ListEntries, ListEntry, ListFormat, RecipientList, is_invisible};

/// Reads a list.
///
/// # Errors
/// In words, with the line: what keeps it from being read, or that there are too many.
pub fn entries(list: &RecipientList, bytes: &[u8]) -> Result<ListEntries, String> {
    let text = text(bytes)?;
    if let Some(tag) = page_of_the_web(text) {
        return Err(format!(
            "it is a page of the web, which begins with {tag}: a page to log in, perhaps, or one that says what is wrong"
        ));
    }
    let mut taken = Taken { list, known: HashSet::new(), entries: ListEntries::default() };
    match list.format {
        ListFormat::Csv => taken.csv(text)?,
        ListFormat::Lines => {
            for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
                taken.take(line.trim(), Map::new()).map_err(|problem| format!("line {number}: {problem}"))?;
            }
        }
        ListFormat::Json => taken.json(text)?,
    }
    let found = taken.entries.entries.len();
    if found > list.at_most {
        return Err(format!("it has {found} recipients, and may have {} (at_most)", list.at_most));
    }
    Ok(taken.entries)
}

/// Without the mark that some programs put before UTF-8.
fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it is UTF-16: save it as UTF-8".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line}: it is not UTF-8 (GBK perhaps): save it as UTF-8")
    })?;
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() + 1;
        return Err(format!("line {line}: it holds a NUL character, which no list does"));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// What a page of the web begins with, where it is one: servers answer with pages where they were asked for something else,
/// and with 200, and each line of one would be a recipient.
fn page_of_the_web(text: &str) -> Option<&'static str> {
    let mut rest = text.trim_start();
    // Remarks stand before anything else.
    while let Some((_, after)) = rest.strip_prefix("<!--").and_then(|remark| remark.split_once("-->")) {
        rest = after.trim_start();
    }
    let begins = |tag: &&str| {
        let is_it = rest.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag));
        is_it && !rest[tag.len()..].starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    ["<!doctype", "<html", "<?xml", "<head>", "<body>", "<script"].into_iter().find(begins)
}

/// The entries of a JSON list. Of an object with a key twice nobody can tell which value is meant, and a map of values would
/// silently have the last.
struct JsonList(Vec<Value>);

impl<'de> Deserialize<'de> for JsonList {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(JsonList(Vec::<Entry>::deserialize(from)?.into_iter().map(|entry| entry.0).collect()))
    }
}

/// One of them.
struct Entry(Value);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Kind;
        impl<'de> Visitor<'de> for Kind {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
                let mut keys = Map::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if keys.contains_key(&key) {
                        return Err(serde::de::Error::custom(format!("{TWICE} the key '{}' twice", shown(&key))));
                    }
                    keys.insert(key, value);
                }
                Ok(Entry(Value::Object(keys)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Entry, A::Error> {
                Ok(Entry(Value::deserialize(SeqAccessDeserializer::new(seq))?))
            }

            fn visit_str<E>(self, text: &str) -> Result<Entry, E> {
                Ok(Entry(text.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Entry, E> {
                Ok(Entry(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Entry, E> {
                Ok(Entry(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Entry, E> {
                Ok(Entry(number.into()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Entry, E> {
                Ok(Entry(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Entry, E> {
                Ok(Entry(Value::Null))
            }
        }
        from.deserialize_any(Kind)
    }
}

/// Begins what is said of a key that stands there twice.
const TWICE: &str = "an entry has";

struct Taken<'a> {
    list: &'a RecipientList,
    known: HashSet<String>,
    entries: ListEntries,
}

impl Taken<'_> {
    fn take(&mut self, id: &str, columns: Map<String, Value>) -> Result<(), String> {
        if id.is_empty() {
            return Err(format!("there is no id in the column '{}'", self.list.id));
        }
        if id.chars().count() > 256 || id.contains(char::is_control) || id.trim() != id || hides_something(id) {
            let expected = "an id of at most 256 printable characters without outer spaces";
            return Err(format!("expected {expected}, got '{}'", shown(id)));
        }
        if self.known.insert(id.to_owned()) {
            self.entries.entries.push(ListEntry { id: id.to_owned(), columns });
        } else {
            self.entries.doubles += 1;
        }
        Ok(())
    }

    fn csv(&mut self, text: &str) -> Result<(), String> {
        let mut records = Records { rest: text, line: 1 };
        let Some((line, names)) = records.next().transpose()? else {
            return Err("it is empty: expected a first line with the names of its columns".to_owned());
        };
        let place = |column: &str| {
            let mut found = names.iter().enumerate().filter(|(_, name)| name.trim() == column).map(|(at, _)| at);
            match (found.next(), found.next()) {
                (Some(first), Some(second)) => Err(format!(
                    "line {line}: columns {} and {} are both named '{column}', and nobody can tell which is meant: rename one",
                    first + 1,
                    second + 1
                )),
                (Some(at), None) => Ok(at),
                (None, _) => {
                    let there: Vec<String> = names.iter().map(|name| format!("'{}'", shown(name.trim()))).collect();
                    Err(format!("its first line names no column '{column}': it names {}", there.join(", ")))
                }
            }
        };
        let id = place(&self.list.id)?;
        let fields = self.list.fields.iter().map(|field| Ok((field.clone(), place(field)?)));
        let fields: Vec<(String, usize)> = fields.collect::<Result<_, String>>()?;
        for record in records {
            let (line, values) = record?;
            if values.len() != names.len() {
                let (got, named) = (values.len(), names.len());
                return Err(format!("line {line}: it has {got} fields, and the first line names {named}"));
            }
            let columns = fields.iter().map(|(name, at)| (name.clone(), Value::from(&*values[*at]))).collect();
            self.take(values[id].trim(), columns).map_err(|problem| format!("line {line}: {problem}"))?;
        }
        Ok(())
    }

    fn json(&mut self, text: &str) -> Result<(), String> {
        let JsonList(values) = serde_json::from_str(text).map_err(|error| match error.is_data() {
            true if error.to_string().starts_with(TWICE) => error.to_string(),
            true => "expected a JSON list of objects or ids".to_owned(),
            false => format!("it is no JSON: {error}"),
        })?;
        for (number, value) in (1..).zip(values) {
            let told = |problem: String| format!("entry {number}: {problem}");
            let (id, columns) = match value {
                Value::Object(mut keys) => {
                    let id = keys.get(&self.list.id).and_then(id_of);
                    let missing = || format!("it has no '{}' that is a text or a whole number", self.list.id);
                    let id = id.ok_or_else(missing).map_err(told)?;
                    let columns = self.list.fields.iter().map(|name| match keys.remove(name) {
                        // The id may be a column too.
                        None if *name == self.list.id => Ok((name.clone(), Value::from(&*id))),
                        None => Err(format!("it has no '{name}'")),
                        Some(value) => Ok((name.clone(), value)),
                    });
                    let columns = columns.collect::<Result<_, String>>().map_err(told)?;
                    (id, columns)
                }
                value => {
                    let id = id_of(&value).ok_or_else(|| told("expected an object or an id".to_owned()))?;
                    match self.list.fields.first() {
                        Some(field) => return Err(told(format!("it has no '{field}', since it is no object"))),
                        None => (id, Map::new()),
                    }
                }
            };
            self.take(id.trim(), columns).map_err(told)?;
        }
        Ok(())
    }
}

fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// Whether an id has something in it that nobody sees, by which it would be the id of a second person who looks like the
/// first. Joiners and selectors that make an emoji of signs are seen: groups are named with them.
fn hides_something(id: &str) -> bool {
    let is_sign = |c: char| !c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace() && !is_invisible(c);
    let mut before = None;
    for (at, c) in id.char_indices() {
        let after = id[at + c.len_utf8()..].chars().next();
        let makes_an_emoji = match c {
            '\u{fe0f}' => before.is_some_and(is_sign),
            '\u{200d}' => before.is_some_and(|c| is_sign(c) || c == '\u{fe0f}') && after.is_some_and(is_sign),
            _ => false,
        };
        if is_invisible(c) && !makes_an_emoji {
            return true;
        }
        before = Some(c);
    }
    false
}

/// What nobody sees is shown by its number.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(40) {
        match is_invisible(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// The records of a CSV text (RFC 4180) with their first lines. Blank lines are none.
struct Records<'t> {
    rest: &'t str,
    line: usize,
}

type Record<'t> = (usize, Vec<Cow<'t, str>>);

impl<'t> Iterator for Records<'t> {
    type Item = Result<Record<'t>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(rest) = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n')) {
            (self.rest, self.line) = (rest, self.line + 1);
        }
        if self.rest.is_empty() {
            return None;
        }
        let begin = self.line;
        let record = self.record();
        if record.is_err() {
            self.rest = "";
        }
        Some(record.map(|fields| (begin, fields)))
    }
}

impl<'t> Records<'t> {
    fn record(&mut self) -> Result<Vec<Cow<'t, str>>, String> {
        let mut fields = Vec::new();
        loop {
            fields.push(self.field()?);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n')) {
                (self.rest, self.line) = (rest, self.line + 1);
            }
            return Ok(fields);
        }
    }

    fn field(&mut self) -> Result<Cow<'t, str>, String> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([',', '\n', '"']).unwrap_or(self.rest.len());
            if self.rest[end..].starts_with('"') {
                return Err(format!(
                    "line {}: a field with a quote in it stands in quotes, with the quote doubled",
                    self.line
                ));
            }
            let (field, rest) = self.rest.split_at(end);
            self.rest = rest;
            let at_end = rest.is_empty() || rest.starts_with('\n');
            let field = if at_end { field.strip_suffix('\r').unwrap_or(field) } else { field };
            return Ok(field.into());
        };
        let begin = self.line;
        let (mut from, mut doubled) = (0, false);
        loop {
            let Some(end) = quoted[from..].find('"').map(|at| from + at) else {
                return Err(format!("line {begin}: a quote is opened, and never closed"));
            };
            if quoted[end + 1..].starts_with('"') {
                (from, doubled) = (end + 2, true);
                continue;
            }
            let field = &quoted[..end];
            self.line += field.matches('\n').count();
            self.rest = &quoted[end + 1..];
            let is_over = self.rest.is_empty() || self.rest.starts_with([',', '\n']) || self.rest.starts_with("\r\n");
            if !is_over {
                return Err(format!(
                    "line {}: after a closing quote a comma or the end of the line is expected",
                    self.line
                ));
            }
            return Ok(if doubled { field.replace("\"\"", "\"").into() } else { field.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use ListFormat::Csv;
    use serde_json::json;

    use super::*;
    use crate::domain::ContentSource;
    use crate::domain::content::ContentFile;

    fn list(format: ListFormat, fields: &[&str]) -> RecipientList {
        let source = ContentSource::File(ContentFile { path: "/list".into(), max_age_ms: None });
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        RecipientList {
            source,
            format,
            id: "qq".to_owned(),
            fields,
            at_most: 500,
            trusted: false,
            stale_at_most_ms: None,
        }
    }

    fn read(format: ListFormat, fields: &[&str], text: &str) -> Result<Vec<(String, Value)>, String> {
        let found = entries(&list(format, fields), text.as_bytes())?;
        Ok(found.entries.into_iter().map(|entry| (entry.id, Value::Object(entry.columns))).collect())
    }

    fn one(id: &str, columns: Value) -> (String, Value) {
        (id.to_owned(), columns)
    }

    #[test]
    fn a_csv_is_read_by_the_names_of_its_first_line() {
        let text = "\u{feff}name,qq,class\r\n\"Li, \"\"Mei\"\"\",10001,3\r\n\r\n王芳, 10002 ,\"a\nb\"\r\n";
        let expected = [
            one("10001", json!({"name": "Li, \"Mei\"", "class": "3"})),
            one("10002", json!({"name": "王芳", "class": "a\nb"})),
        ];
        assert_eq!(read(ListFormat::Csv, &["name", "class"], text).unwrap(), expected);
        assert_eq!(read(ListFormat::Csv, &[], "qq\n1").unwrap(), [one("1", json!({}))]);
        assert_eq!(read(ListFormat::Csv, &[], "qq,name\n").unwrap(), []);
    }

    #[test]
    fn lines_and_json_are_read_too() {
        assert_eq!(read(ListFormat::Lines, &[], "1\n\n  2 \r\n").unwrap(), [one("1", json!({})), one("2", json!({}))]);
        let text = r#"[{"qq": 10001, "name": "Mei", "age": 7}, {"qq": "10002", "name": null}]"#;
        let expected = [one("10001", json!({"name": "Mei"})), one("10002", json!({"name": null}))];
        assert_eq!(read(ListFormat::Json, &["name"], text).unwrap(), expected);
        assert_eq!(read(ListFormat::Json, &[], "[1, \"b\"]").unwrap(), [one("1", json!({})), one("b", json!({}))]);
        assert_eq!(read(ListFormat::Json, &["qq"], "[{\"qq\": 5}]").unwrap(), [one("5", json!({"qq": 5}))]);
    }

    #[test]
    fn a_list_that_is_wrong_anywhere_is_refused_whole_with_its_line() {
        use ListFormat::{Json, Lines};
        for (format, text, told) in [
            (Csv, "", "expected a first line with the names"),
            (Csv, "name,id\na,1\n", "names no column 'qq': it names 'name', 'id'"),
            (Csv, "qq,name,qq\n1,a,2\n", "line 1: columns 1 and 3 are both named 'qq'"),
            (Csv, "\n\nqq, qq \n1,2\n", "line 3: columns 1 and 2 are both named 'qq'"),
            (Json, "[{\"qq\": 1}, {\"qq\": 1,\n\"qq\": 2}]", "an entry has the key 'qq' twice at line 2 column"),
            (Csv, "qq,name\n1,a\n2\n", "line 3: it has 1 fields, and the first line names 2"),
            (Csv, "qq,name\n1,\"a\n2,b\n", "line 2: a quote is opened, and never closed"),
            (Csv, "qq,name\n1,\"a\"b\n", "line 2: after a closing quote"),
            (Csv, "qq,name\n1,a\"b\n", "line 2: a field with a quote in it"),
            (Csv, "qq,name\n,a\n", "line 2: there is no id in the column 'qq'"),
            (Csv, "qq,name\n\"1\n2\",a\n", "line 2: expected an id"),
            (Csv, "qq\n1\0\n", "line 2: it holds a NUL"),
            (Lines, "a\n\u{7}\n", "line 2: expected an id"),
            (Json, "[\"a\", \"b\\u200b\"]", "entry 2: expected an id"),
            (Json, "{}", "expected a JSON list"),
            (Json, "[1", "it is no JSON"),
            (Json, "[{\"name\": 1}]", "entry 1: it has no 'qq'"),
            (Json, "[[1]]", "entry 1: expected an object or an id"),
            (Json, "[1.5]", "entry 1: expected an object or an id"),
        ] {
            let found = read(format, &[], text);
            assert!(found.as_ref().is_err_and(|problem| problem.contains(told)), "{text:?}: {found:?}");
        }
        let missing = read(Json, &["name"], "[{\"qq\": 1}]");
        assert_eq!(missing, Err("entry 1: it has no 'name'".to_owned()));
        let gbk = entries(&list(Csv, &[]), b"qq,name\n1,\xc4\xe3\xba\xc3\n");
        assert_eq!(gbk, Err("line 2: it is not UTF-8 (GBK perhaps): save it as UTF-8".to_owned()));
        assert!(entries(&list(Csv, &[]), b"\xff\xfeq\0").is_err_and(|problem| problem.contains("UTF-16")));
    }

    #[test]
    fn a_page_of_the_web_is_no_list() {
        use ListFormat::{Json, Lines};
        for (page, told) in [
            ("<!DOCTYPE html>\n<p>10001\n", "begins with <!doctype:"),
            ("\u{feff}\n <!-- 10001 -->\n<HTML lang=zh>\n10001\n", "begins with <html:"),
            ("<?xml version=\"1.0\"?>\n<error/>\n", "begins with <?xml:"),
        ] {
            for format in [Csv, Json, Lines] {
                let found = read(format, &[], page);
                assert!(found.as_ref().is_err_and(|problem| problem.contains(told)), "{page:?}: {found:?}");
            }
        }
        // Names of groups are as people like them.
        assert_eq!(read(Lines, &[], "<headquarters>\n<3\n").unwrap().len(), 2);
    }

    #[test]
    fn a_column_that_nobody_asks_for_may_stand_there_twice() {
        assert_eq!(read(Csv, &["name"], "qq,x,name,x\n1,a,b,c\n").unwrap(), [one("1", json!({"name": "b"}))]);
        let told = read(Csv, &["name"], "qq,name,name\n1,a,b\n").unwrap_err();
        assert!(told.starts_with("line 1: columns 2 and 3 are both named 'name'"), "{told}");
    }

    #[test]
    fn nobody_becomes_a_second_person_by_what_nobody_sees() {
        let unseen = "\u{ad}\u{34f}\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202e}\u{2060}\u{2064}\u{2066}\u{feff}\u{fe0f}\u{3164}\u{e0041}";
        for c in unseen.chars() {
            for id in
                [format!("{c}10001"), format!("100{c}01"), format!("10001{c}"), format!("王{c}芳"), format!("☎{c}1{c}")]
            {
                let found = read(ListFormat::Lines, &[], &format!("10001\n{id}\n"));
                let told = format!("{}", c.escape_unicode());
                assert!(
                    found.as_ref().is_err_and(|it| it.starts_with("line 2: ") && it.contains(&told)),
                    "{id:?}: {found:?}"
                );
            }
        }
        // Emoji are made with joiners and selectors, and names of groups with emoji.
        let names = "王芳\n👨\u{200d}👩\u{200d}👧 family\n☎\u{fe0f} 值班\n❤\u{fe0f}\u{200d}🔥";
        assert_eq!(read(ListFormat::Lines, &[], names).unwrap().len(), 4);
    }

    #[test]
    fn whoever_stands_there_twice_is_taken_once_and_too_many_are_too_many() {
        let found = entries(&list(ListFormat::Lines, &[]), b"1\n2\n1\n1\n").unwrap();
        assert_eq!((found.entries.len(), found.doubles), (2, 2));
        let many: String = (0..100_000).map(|number| format!("{number}\n")).collect();
        let told = entries(&list(ListFormat::Lines, &[]), many.as_bytes());
        assert_eq!(told, Err("it has 100000 recipients, and may have 500 (at_most)".to_owned()));
    }
}
