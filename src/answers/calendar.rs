//! What a calendar says of a year.

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::Calendar;
use crate::domain::calendar::Coverage;

#[derive(Debug, Serialize)]
pub(crate) struct Year {
    pub calendar: String,
    pub version: String,
    pub year: i16,
    /// Whether the list answers for every day of it.
    pub covered: bool,
    /// Days from which on the list of the next year may still change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_until: Option<Date>,
    pub holidays: Vec<Holiday>,
    /// Days of a weekend that are worked.
    pub makeup: Vec<Date>,
    pub workdays: usize,
}

/// Days off in a row that have one name.
#[derive(Debug, Serialize)]
pub(crate) struct Holiday {
    pub name: String,
    pub from: Date,
    pub until: Date,
}

impl Year {
    pub(crate) fn of(calendar: &Calendar, year: i16) -> Year {
        let days: Vec<Date> = Coverage::of_year(year).into_iter().flat_map(|year| year.days()).collect();
        let mut holidays: Vec<Holiday> = Vec::new();
        for day in &days {
            let Some(name) = calendar.holiday(*day) else { continue };
            match holidays.last_mut() {
                Some(last) if last.name == name && last.until.tomorrow().is_ok_and(|next| next == *day) => {
                    last.until = *day
                }
                _ => holidays.push(Holiday { name: name.to_owned(), from: *day, until: *day }),
            }
        }
        Year {
            calendar: calendar.name.clone(),
            version: calendar.version.clone(),
            year,
            covered: days.iter().all(|day| calendar.is_covered(*day)),
            settled_until: calendar.covers.and_then(|covers| covers.settled_until).filter(|day| day.year() == year),
            holidays,
            makeup: days
                .iter()
                .copied()
                .filter(|day| calendar.is_covered(*day) && calendar.work.contains(day))
                .collect(),
            workdays: calendar.workdays_in(year),
        }
    }
}
