//! The six fields of a cron text: what may stand in each, and what was meant by what may not.

use super::error::ScheduleError;

/// A field of a cron text.
pub(super) struct Field {
    pub(super) name: &'static str,
    expected: &'static str,
    words: &'static [&'static str],
    /// Its lowest value.
    first: u16,
    /// How many values it has. A longer step is refused: `*/90` minutes would be once an hour.
    pub(super) values: u16,
    /// Letters that may follow a value, or stand alone as a `special`.
    suffix: Option<char>,
    special: &'static [&'static str],
}

pub(super) const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

pub(super) const FIELDS: [Field; 6] = [
    Field {
        name: "second",
        expected: "0-59, a list 0,30, a range 0-29, a step */10 or *",
        words: &[],
        first: 0,
        values: 60,
        suffix: None,
        special: &[],
    },
    Field {
        name: "minute",
        expected: "0-59, a list 0,30, a range 0-29, a step */5 or *",
        words: &[],
        first: 0,
        values: 60,
        suffix: None,
        special: &[],
    },
    Field {
        name: "hour",
        expected: "0-23, a list 8,20, a range 9-17, a step */2 or *",
        words: &[],
        first: 0,
        values: 24,
        suffix: None,
        special: &[],
    },
    Field {
        name: "day of month",
        expected: "1-31, a list 1,15, a range 1-7, a step */2, L (last day), 15W (nearest working day), LW or *",
        words: &[],
        first: 1,
        values: 31,
        suffix: Some('W'),
        special: &["L", "LW", "?"],
    },
    Field {
        name: "month",
        expected: "1-12, JAN-DEC, a list 1,7, a range 6-8, a step */3 or *",
        words: &MONTHS,
        first: 1,
        values: 12,
        suffix: None,
        special: &[],
    },
    Field {
        name: "day of week",
        expected: "0-7 (0 and 7 are Sunday), SUN-SAT, a list 1,3, a range 1-5, 5L (last Friday), 1#2 (second Monday) or *",
        words: &WEEKDAYS,
        first: 0,
        values: 7,
        suffix: Some('L'),
        special: &["?"],
    },
];

impl Field {
    pub(super) fn error(&self, found: &str, column: usize) -> ScheduleError {
        ScheduleError::Field { field: self.name, column, found: found.to_owned(), expected: self.expected }
    }

    /// Refuses what croner reads too generously: it replaces names wherever they stand (so that `JANFEB` becomes 12)
    /// and passes over empty items.
    pub(super) fn check(&self, text: &str, mut column: usize) -> Result<(), ScheduleError> {
        for item in text.split(',') {
            if let Some((problem, meant)) = self.meant(&item.to_ascii_uppercase()) {
                return Err(ScheduleError::Meant { field: self.name, column, found: item.to_owned(), problem, meant });
            }
            if !self.accepts(&item.to_ascii_uppercase()) {
                return Err(self.error(item, column));
            }
            column += item.chars().count() + 1;
        }
        Ok(())
    }

    /// What is wrong with an item, and what was surely meant by it: `5-1`, `22-6/2`, `0/5`.
    fn meant(&self, item: &str) -> Option<(&'static str, String)> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u16>().ok().filter(|step| *step > 0)?)),
            None => (item, None),
        };
        let last = self.first + self.values - 1;
        if let Some(from) = self.value(range) {
            let step = step?;
            let range = if from == self.first { "*".to_owned() } else { format!("{range}-{last}") };
            return Some(("a step needs a range", format!("{range}/{step}")));
        }
        let (from_word, to_word) = range.split_once('-')?;
        let (from, to) = (self.value(from_word)?, self.value(to_word)?);
        let is_weekday = self.values == 7;
        // Sunday ends a week as well as it begins one, and croner knows both.
        if from <= to && !(is_weekday && from == 7) || is_weekday && to_word == "SUN" {
            return None;
        }
        let backwards = "the range runs backwards";
        if let Some(step) = step {
            let count = usize::from(self.values);
            let wrapped: Vec<u16> = (from..=last).chain(self.first..=to).step_by(step.into()).take(count).collect();
            let values: Vec<String> = wrapped.iter().map(u16::to_string).collect();
            return Some((backwards, values.join(",")));
        }
        let names_it = |word: &str| self.words.contains(&word);
        let (lowest, highest) = match (names_it(from_word) && names_it(to_word), is_weekday) {
            (true, _) => (self.words[0].to_owned(), self.words[self.words.len() - 1].to_owned()),
            (false, true) => ("0".to_owned(), "7".to_owned()),
            (false, false) => (self.first.to_string(), last.to_string()),
        };
        let span = |from: &str, to: &str| if from == to { from.to_owned() } else { format!("{from}-{to}") };
        Some((
            backwards,
            match (from, to) {
                (7, _) if is_weekday => span("0", to_word),
                (_, 0) if is_weekday => span(from_word, &highest),
                _ => format!("{},{}", span(from_word, &highest), span(&lowest, to_word)),
            },
        ))
    }

    /// The value that a number or a name stands for, if the field has it. A weekday may be 7.
    fn value(&self, word: &str) -> Option<u16> {
        let named = || self.words.iter().position(|known| *known == word).and_then(|at| u16::try_from(at).ok());
        let value =
            if word.bytes().all(|byte| byte.is_ascii_digit()) { word.parse().ok()? } else { named()? + self.first };
        let past = self.first + self.values + u16::from(self.values == 7);
        (self.first..past).contains(&value).then_some(value)
    }

    fn accepts(&self, item: &str) -> bool {
        let number = |text: &str| !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = |text: &str| number(text) || self.words.contains(&text);
        if item == "*" || self.special.contains(&item) || value(item) {
            return true;
        }
        if let Some((range, step)) = item.split_once('/') {
            let fits = number(step) && step.parse().is_ok_and(|step: u16| step <= self.values);
            return fits && (range == "*" || range.split_once('-').is_some_and(|(a, b)| value(a) && value(b)));
        }
        if let Some((from, to)) = item.split_once('-') {
            return value(from) && value(to);
        }
        if let Some((weekday, nth)) = item.split_once('#') {
            return self.suffix == Some('L') && value(weekday) && number(nth);
        }
        self.suffix.is_some_and(|suffix| item.strip_suffix(suffix).is_some_and(value))
    }
}

/// The fields with the column, from 1, at which each begins.
pub(super) fn split(text: &str) -> Vec<(usize, &str)> {
    let start = text.as_ptr() as usize;
    text.split_whitespace().map(|field| (text[..field.as_ptr() as usize - start].chars().count() + 1, field)).collect()
}
