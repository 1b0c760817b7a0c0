//! A month of some year, and sets of its days: bit 1 is the first.

use jiff::civil::Date;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Month {
    pub year: i16,
    pub number: u32,
    pub length: u32,
    /// The weekday of the first, 0 for Sunday.
    pub first_weekday: u32,
}

impl Month {
    pub(super) fn of(date: Date) -> Month {
        Month {
            year: date.year(),
            number: date.month().unsigned_abs().into(),
            length: date.days_in_month().unsigned_abs().into(),
            first_weekday: date.first_of_month().weekday().to_sunday_zero_offset().unsigned_abs().into(),
        }
    }

    /// Sorts months by time.
    pub(super) fn key(self) -> (i16, u32) {
        (self.year, self.number)
    }

    pub(super) fn following(self) -> Month {
        let (year, number) = if self.number == 12 { (self.year + 1, 1) } else { (self.year, self.number + 1) };
        let length = length(year, number);
        Month { year, number, length, first_weekday: (self.first_weekday + self.length) % 7 }
    }

    pub(super) fn preceding(self) -> Month {
        let (year, number) = if self.number == 1 { (self.year - 1, 12) } else { (self.year, self.number - 1) };
        let length = length(year, number);
        // Five weeks on, so that nothing falls below zero.
        Month { year, number, length, first_weekday: (self.first_weekday + 35 - length) % 7 }
    }

    /// All its days.
    pub(super) fn days(self) -> u32 {
        (u32::MAX >> (31 - self.length)) & !1
    }

    /// Those of its days that fall on one of these weekdays, bit 0 for Sunday.
    pub(super) fn on_weekdays(self, weekdays: u32) -> u32 {
        let falls = |day: &u32| weekdays & 1 << ((self.first_weekday + day - 1) % 7) != 0;
        (1..=self.length).filter(falls).fold(0, |days, day| days | 1 << day)
    }

    /// Those of its days from `from` to `until`, both included.
    pub(super) fn between(self, from: Date, until: Date) -> u32 {
        let (first, last, own) = (Month::of(from).key(), Month::of(until).key(), self.key());
        if from > until || first > own || last < own {
            return 0;
        }
        let mut days = self.days();
        if first == own {
            days &= u32::MAX << from.day();
        }
        if last == own {
            days &= u32::MAX >> (31 - u32::from(until.day().unsigned_abs()));
        }
        days
    }
}

fn length(year: i16, number: u32) -> u32 {
    match number {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
