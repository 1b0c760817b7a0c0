//! Time zones by the names that people write.

use jiff::tz::{TimeZone, db};

use super::error::{ScheduleError, nearest};
use crate::texts::{self, Text};

/// Names of other systems, lower case.
const FOREIGN: [(&str, &str); 12] = [
    ("china standard time", "Asia/Shanghai"),
    ("taipei standard time", "Asia/Taipei"),
    ("tokyo standard time", "Asia/Tokyo"),
    ("korea standard time", "Asia/Seoul"),
    ("singapore standard time", "Asia/Singapore"),
    ("india standard time", "Asia/Kolkata"),
    ("gmt standard time", "Europe/London"),
    ("w. europe standard time", "Europe/Berlin"),
    ("romance standard time", "Europe/Paris"),
    ("eastern standard time", "America/New_York"),
    ("central standard time", "America/Chicago"),
    ("pacific standard time", "America/Los_Angeles"),
];

pub(super) fn find_zone(name: &str) -> Result<TimeZone, ScheduleError> {
    let known = db().get(name).ok().filter(|zone| !zone.is_unknown());
    known.ok_or_else(|| ScheduleError::UnknownZone { name: name.to_owned(), near: zone_meant(name) })
}

/// The zone that was probably meant by a name that is none. Offsets and abbreviations have no answer: many zones share
/// them, and CST alone is three.
pub fn zone_meant(name: &str) -> Option<String> {
    let lower = name.trim().to_lowercase();
    if ["beijing", "peking", "北京", "中国"].iter().any(|city| lower.contains(city)) {
        return Some("Asia/Shanghai".to_owned());
    }
    if let Some((_, zone)) = FOREIGN.iter().find(|(foreign, _)| *foreign == lower) {
        return Some((*zone).to_owned());
    }
    // The old names without a place (EST5EDT …) help nobody who wrote an offset or an abbreviation.
    let mut known =
        db().available().map(|name| name.to_string()).filter(|name| name.contains('/') && !name.starts_with("Etc/"));
    if lower.contains('/') {
        let known: Vec<String> = known.collect();
        return nearest(name, known.iter().map(String::as_str));
    }
    let city = lower.replace(' ', "_");
    known.find(|known| known.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city)))
}

/// What is doubtful about a zone that there is, and what to do.
pub fn zone_doubt(name: &str) -> Option<(Text, Text)> {
    if name.eq_ignore_ascii_case("Factory") {
        let problem = texts::zone_of_the_factory();
        return Some((problem, texts::name_a_place()));
    }
    let offset = name.get(4..).filter(|_| name.to_ascii_lowercase().starts_with("etc/gmt"))?.get(3..)?;
    let (side, sign) = match offset.chars().next()? {
        '+' => (texts::west(), '-'),
        '-' => (texts::east(), '+'),
        _ => return None,
    };
    let hours: u8 = offset[1..].parse().ok().filter(|hours| *hours > 0)?;
    let problem = texts::reversed_zone(name, hours, side, sign);
    Some((problem, texts::name_a_clear_place()))
}
