//! Cron texts that mean something, but hardly what their writer meant.

use super::field::{FIELDS, Field, WEEKDAYS, split};
use crate::texts::{self, Text};

/// What looks like a mistake, for people. Columns count as those of a [`super::ScheduleError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    pub column: usize,
    pub problem: Text,
    pub hint: Text,
}

/// What is doubtful in a cron text that can be read.
pub fn doubts(text: &str) -> Vec<Doubt> {
    let fields = split(text);
    let kinds = match fields.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    if let (6, [(column, "*" | "*/1" | "0-59"), ..]) = (fields.len(), &fields[..]) {
        found.push(Doubt { column: *column, problem: texts::every_second(), hint: texts::zero_for_the_seconds() });
    }
    for (at, (kind, (column, field))) in kinds.iter().zip(&fields).enumerate() {
        // Within one hour, or one minute, a step is as even as it can be.
        let is_within_one = fields.get(at + 1).is_some_and(|(_, next)| next.bytes().all(|byte| byte.is_ascii_digit()));
        let is_walked = matches!(kind.name, "second" | "minute") && !is_within_one;
        if is_walked || matches!(kind.name, "hour" | "month") {
            found.extend(uneven(kind, *column, field));
        }
    }
    if let [.., (_, "?"), _, (column, weekday)] = fields[..] {
        found.extend(of_quartz(column, weekday));
    }
    found
}

/// A step that does not divide its field.
fn uneven(kind: &Field, column: usize, field: &str) -> Option<Doubt> {
    let step: u16 = field.strip_prefix("*/")?.parse().ok().filter(|step| *step > 0)?;
    let rest = kind.values % step;
    if rest == 0 {
        return None;
    }
    let Field { name, values, .. } = kind;
    let every = match *name {
        "second" => texts::or_every(step, "s"),
        "minute" => texts::or_every(step, "m"),
        "hour" => texts::or_every(step, "h"),
        _ => Text::none(),
    };
    Some(Doubt {
        column,
        problem: texts::uneven_step(texts::phrase(name), field, values, rest, step),
        hint: texts::even_step(values, every),
    })
}

/// Quartz wants a `?`, and counts weekdays from Sunday as 1.
fn of_quartz(column: usize, weekday: &str) -> Option<Doubt> {
    let days = weekday.find(['#', '/']).unwrap_or(weekday.len());
    let (days, rest) = weekday.split_at(days);
    if !days.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let name = |c: char| match c.to_digit(8) {
        Some(day) => WEEKDAYS[day as usize % 7].to_owned(),
        None => c.to_string(),
    };
    let named: String = days.chars().map(name).collect();
    Some(Doubt { column, problem: texts::weekday_of_quartz(), hint: texts::write_names(format!("{named}{rest}")) })
}
