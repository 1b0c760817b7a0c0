mod days;
mod fields;
mod instants;
mod refusals;
mod summer_time;

use super::*;

fn cron(text: &str, zone: &str) -> CompiledSchedule {
    with_gap(text, zone, DstGap::Fire)
}

fn with_gap(text: &str, zone: &str, gap: DstGap) -> CompiledSchedule {
    CompiledSchedule::compile(&Schedule::Cron(text.to_owned()), zone, gap)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> ScheduleError {
    CompiledSchedule::compile(&Schedule::Cron(text.to_owned()), "UTC", DstGap::Fire).expect_err(text)
}

fn utc(text: &str) -> UtcMs {
    text.parse().unwrap()
}
