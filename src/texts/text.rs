//! A text in every language, until it is known who reads it.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use super::language::Language;

/// What a person is told, in every language. It has no `Display`, so that nobody shows it in a language by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    english: Cow<'static, str>,
    /// None where it is the same: a name, a path, what others said.
    chinese: Option<Cow<'static, str>>,
}

impl Text {
    pub(super) const fn fixed(english: &'static str, chinese: &'static str) -> Text {
        Text { english: Cow::Borrowed(english), chinese: Some(Cow::Borrowed(chinese)) }
    }

    pub(super) fn of(english: String, chinese: String) -> Text {
        Text { english: Cow::Owned(english), chinese: Some(Cow::Owned(chinese)) }
    }

    /// What is the same in every language: names, and what platforms, programs and the system say.
    pub(crate) fn same(text: impl Into<Cow<'static, str>>) -> Text {
        Text { english: text.into(), chinese: None }
    }

    /// Nothing.
    pub(crate) const fn none() -> Text {
        Text { english: Cow::Borrowed(""), chinese: None }
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.english.is_empty()
    }

    /// As people of that language read it.
    pub fn in_language(&self, language: Language) -> &str {
        match (language, &self.chinese) {
            (Language::Chinese, Some(chinese)) => chinese,
            _ => &self.english,
        }
    }

    /// As programs and logs have it.
    pub fn english(&self) -> &str {
        &self.english
    }

    pub(super) fn chinese(&self) -> &str {
        self.in_language(Language::Chinese)
    }

    /// Both, one right after the other.
    pub(crate) fn and(&self, other: &Text) -> Text {
        let joined = |language| [self.in_language(language), other.in_language(language)].concat();
        Text::of(joined(Language::English), joined(Language::Chinese))
    }

    /// All of them in one, with `between` in between.
    pub(crate) fn joined(texts: impl IntoIterator<Item = Text>, between: &Text) -> Text {
        let joined = texts.into_iter().reduce(|all, text| all.and(between).and(&text));
        joined.unwrap_or_else(Text::none)
    }
}

/// In English: programs read it.
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.english)
    }
}

/// What may stand inside a text: another text, or what is the same in every language.
pub(crate) trait Spoken {
    /// As it stands in a text of that language.
    fn spoken(&self, language: Language) -> impl fmt::Display;
}

impl<T: fmt::Display> Spoken for T {
    fn spoken(&self, _: Language) -> impl fmt::Display {
        self
    }
}

impl Spoken for Text {
    fn spoken(&self, language: Language) -> impl fmt::Display {
        self.in_language(language)
    }
}

impl Spoken for &Text {
    fn spoken(&self, language: Language) -> impl fmt::Display {
        self.in_language(language)
    }
}

/// How many there are of something: the English word for one is another than for several.
pub(crate) trait Count: fmt::Display {
    fn is_one(&self) -> bool;
}

impl Count for usize {
    fn is_one(&self) -> bool {
        *self == 1
    }
}

impl Count for u64 {
    fn is_one(&self) -> bool {
        *self == 1
    }
}

/// A part of the table of texts: a line each, `name(arguments): English, Chinese;`. Each becomes a function that gives the
/// text. An argument that one of the languages leaves out, or that none of them has, does not compile. What is counted by its
/// first argument has `one | several` in English.
macro_rules! texts {
    ($($name:ident($($argument:ident),*): $english:literal $(| $several:literal)?, $chinese:literal;)*) => {
        $(texts!(@one $name($($argument),*): $english $(| $several)?, $chinese;);)*

        /// What stands in the table, for what is checked of it.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &[&str], &str)] =
            &[$((stringify!($name), &[$english $(, $several)?], $chinese),)*];
    };
    (@one $name:ident(): $english:literal, $chinese:literal;) => {
        pub(crate) const fn $name() -> $crate::texts::Text {
            $crate::texts::Text::fixed($english, $chinese)
        }
    };
    (@one $name:ident($($argument:ident),+): $english:literal, $chinese:literal;) => {
        // They are named in the text that they stand in.
        #[allow(clippy::too_many_arguments)]
        pub(crate) fn $name($($argument: impl $crate::texts::Spoken),+) -> $crate::texts::Text {
            $crate::texts::Text::of(
                format!($english, $($argument = $argument.spoken($crate::texts::Language::English)),+),
                format!($chinese, $($argument = $argument.spoken($crate::texts::Language::Chinese)),+),
            )
        }
    };
    (@one $name:ident($count:ident $(, $argument:ident)*): $one:literal | $several:literal, $chinese:literal;) => {
        pub(crate) fn $name($count: impl $crate::texts::Count $(, $argument: impl $crate::texts::Spoken)*) -> $crate::texts::Text {
            let english = match $count.is_one() {
                true => format!($one, $count = $count $(, $argument = $argument.spoken($crate::texts::Language::English))*),
                false => format!($several, $count = $count $(, $argument = $argument.spoken($crate::texts::Language::English))*),
            };
            let chinese = format!($chinese, $count = $count $(, $argument = $argument.spoken($crate::texts::Language::Chinese))*);
            $crate::texts::Text::of(english, chinese)
        }
    };
}
pub(crate) use texts;
