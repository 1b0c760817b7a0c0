//! JSON that people wrote, read as the same would be read in a file of jobs: the digits of a number are kept, and a key that is
//! there twice is a mistake. `serde_json` makes of the id 12345678901234567890123 another one, and takes the last of two keys.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Deeper than anything that we take. Each level is read once more.
const DEEPEST: usize = 16;

/// Why a text is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadJson {
    #[error("{0}")]
    NotJson(#[from] serde_json::Error),
    #[error("the key '{0}' is there twice")]
    Doubled(String),
    #[error("it nests deeper than {DEEPEST} levels")]
    TooDeep,
}

/// A JSON text with its numbers as they stand. One that a whole number of 64 bits does not keep becomes a text of its digits.
///
/// # Errors
///
/// [`BadJson`].
pub fn as_written(text: &str) -> Result<Value, BadJson> {
    // Faults are told with their line and column in the whole.
    serde_json::from_str::<&RawValue>(text)?;
    read(text, 0)
}

fn read(text: &str, depth: usize) -> Result<Value, BadJson> {
    if depth > DEEPEST {
        return Err(BadJson::TooDeep);
    }
    let text = text.trim_ascii();
    if text.starts_with('{') {
        let Entries(entries) = serde_json::from_str(text)?;
        let mut object = Map::with_capacity(entries.len());
        for (key, value) in entries {
            let value = read(value.get(), depth + 1)?;
            if object.insert(key.clone(), value).is_some() {
                return Err(BadJson::Doubled(key));
            }
        }
        return Ok(Value::Object(object));
    }
    if text.starts_with('[') {
        let values: Vec<&RawValue> = serde_json::from_str(text)?;
        return values.into_iter().map(|value| read(value.get(), depth + 1)).collect();
    }
    if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        // One beyond all measure is a text of its digits too.
        let number = serde_json::from_str(text).ok().filter(|number: &Value| is_written(number, text));
        return Ok(number.unwrap_or_else(|| Value::from(text)));
    }
    Ok(serde_json::from_str(text)?)
}

/// The entries of an object, doubled ones too.
struct Entries<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries<'de>, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries<'de>, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

fn is_written(number: &Value, text: &str) -> bool {
    let written = number.to_string();
    written == text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn digits_stay_as_they_were_written() {
        for (text, value) in [
            ("12345678901234567890123", json!("12345678901234567890123")),
            ("18446744073709551616", json!("18446744073709551616")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("-9223372036854775809", json!("-9223372036854775809")),
            ("1e5", json!("1e5")),
            ("1e400", json!("1e400")),
            ("1.50", json!("1.50")),
            ("1.5", json!(1.5)),
            ("-0", json!("-0")),
            (" 7 ", json!(7)),
            ("\"1.50\"", json!("1.50")),
            ("null", Value::Null),
            (r#" { "user" : 1e5, "items" : [ 1.50, {"a": "\ud83d\ude00"} ] } "#, {
                json!({"user": "1e5", "items": ["1.50", {"a": "😀"}]})
            }),
        ] {
            assert_eq!(as_written(text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn a_key_that_is_there_twice_is_a_mistake_however_deep_and_however_it_is_spelt() {
        for text in
            [r#"{"user":"1","user":"1"}"#, r#"{"a":[{"user":1,"b":2,"user":2}]}"#, r#"{"user":1,"\u0075ser":2}"#]
        {
            assert_eq!(as_written(text).unwrap_err().to_string(), "the key 'user' is there twice", "{text}");
        }
        assert!(as_written(r#"{"a":{"b":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn what_is_no_json_or_nests_for_its_own_sake_is_refused() {
        let told = as_written("{\"a\": 1,\n \"b\": }").unwrap_err().to_string();
        assert!(told.contains("line 2 column 7"), "{told}");
        assert!(as_written(&format!("{}1{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST))).is_ok());
        let deep = format!("{}1{}", "[".repeat(DEEPEST + 1), "]".repeat(DEEPEST + 1));
        assert_eq!(as_written(&deep).unwrap_err().to_string(), "it nests deeper than 16 levels");
    }
}
