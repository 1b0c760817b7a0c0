//! A month in a second: the engine's core over virtual time, with nothing sent, nothing asked, and nothing written but the
//! database of its own that somebody asks for.
//!
//! Every decision is the live daemon's own: the timer and the core of [`crate::engine`] decide here as they do there, and
//! this module only hands them the hour, the dice, and what a script says of platforms, of the clock and of the daemon.
//! Windows and counted limits of platforms hold as they do there: the same values, used up by what is sent here.

mod changes;
mod course;
mod driver;
mod error;
mod platform;
mod rows;
mod usage;
mod written;

use std::time::Duration;

use crate::config::{Config, Scenario};
use crate::domain::{Database, Job, UtcMs};
use crate::policy::clock_doubt::doubt;
use crate::policy::schedule::ScheduleCache;
use crate::store::create_simulated;

pub use changes::{Change, changes};
pub use course::{AttemptSeen, Course, DayLoad, Load, PushSeen, Silence, Sums};
pub use error::{MOST_INSTANTS, SimulateError};

const DAY: Duration = Duration::from_secs(86_400);

/// What is to be simulated.
pub struct Request<'a> {
    pub config: &'a Config,
    pub scenario: &'a Scenario,
    pub from: UtcMs,
    /// Exclusive.
    pub until: UtcMs,
    pub seed: u64,
    pub zone_version: String,
}

/// Lives through the time that is asked for. One seed gives one course of events.
///
/// # Errors
/// [`SimulateError`]; nothing comes of it then.
pub fn simulate(request: &Request<'_>) -> Result<Course, SimulateError> {
    simulate_into(request, None)
}

/// The same; what a daemon would write to its database is written to this one, which is there once it is whole.
///
/// # Errors
/// As [`simulate`], and those of the database.
pub fn simulate_into(request: &Request<'_>, into: Option<&Database>) -> Result<Course, SimulateError> {
    let Request { config, scenario, from, until, seed, zone_version } = request;
    if until <= from {
        return Err(SimulateError::NoTime { from: *from, until: *until });
    }
    // By a clock that it would not believe, a daemon does nothing at all.
    if let Some(doubt) = doubt(*from, None) {
        return Err(SimulateError::Unbelievable { from: *from, problem: doubt.to_string() });
    }
    refuse_too_much(&config.jobs, *from, *until)?;
    let hashed: Vec<(Job, i64)> = config.jobs.iter().cloned().zip(1..).collect();
    let platform = platform::Platform::new(config, scenario, *seed);
    let into = into.map(|database| create_simulated(database, *from)).transpose()?;
    let written = written::Written::new(into);
    let mut driver = driver::Driver::new(platform, scenario, &hashed, *from, *seed, zone_version.clone(), written);
    let most = usize::try_from(MOST_INSTANTS).unwrap_or(usize::MAX);
    driver.run(*until, most)?;
    let shown_at_end = driver.hour();
    Ok(Course::new(driver.rows, *from, *until, shown_at_end))
}

/// By the instants of the first day: who asks for a century hears it before that was lived through.
fn refuse_too_much(jobs: &[Job], from: UtcMs, until: UtcMs) -> Result<(), SimulateError> {
    let days = (until.since(from).as_secs_f64() / DAY.as_secs_f64()).max(1.0);
    let mut cache = ScheduleCache::default();
    let mut of_a_day = 0;
    for job in jobs.iter().filter(|job| job.enabled) {
        let schedule = cache
            .get_or_compile(job.timing())
            .map_err(|error| SimulateError::Schedule { job: job.name.clone(), error })?;
        of_a_day += schedule.count_called(from, (from + DAY).min(until));
    }
    let instants = (of_a_day as f64 * days) as u64;
    if instants > MOST_INSTANTS {
        return Err(SimulateError::TooMany { instants });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
