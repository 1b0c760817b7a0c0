//! What is said of a job's hour at run time, put into the keys of the files.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::UtcMs;

/// Keys of which a job has one.
pub(crate) const SCHEDULE: [&str; 4] = ["cron", "every", "at", "on_demand"];

/// How late a reminder may still come after an absence: late is better than never.
const ONE_SHOT_WITHIN: &str = "24h";

/// Has a job fire once, at this instant.
pub(crate) fn put_once(job: &mut Map<String, Value>, at: UtcMs) {
    job.insert("at".to_owned(), json!(at.to_string()));
    let misfire = job.entry("misfire").or_insert_with(|| json!({}));
    if let Some(misfire) = misfire.as_object_mut() {
        misfire.entry("within").or_insert_with(|| json!(ONE_SHOT_WITHIN));
    }
}

/// # Errors
///
/// Where that is no time to come, or none that there is.
pub(crate) fn after(wait: Duration, now: UtcMs) -> Result<UtcMs, String> {
    let at = now + wait;
    match () {
        () if at <= now => Err("that is now: `pushcron push` sends at once".to_owned()),
        () if at == UtcMs::MAX => Err(format!("that is after {at}, which nothing here can show")),
        () => Ok(at),
    }
}
