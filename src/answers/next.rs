//! A calendar of the coming fires.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::names::no_job;
use super::refusal::{Kind, Refusal};
use super::when::{self, Lean};
use crate::domain::{Job, UtcMs};
use crate::policy::schedule::{CompiledSchedule, DayNote, DstNote, Occurrence, ScheduleCache, Skip};
use crate::store::{History, StoreError, Table};
use crate::texts::{self, Text};

const DAY_MS: i64 = 86_400_000;

/// Fires of one job in the calendar of a day; a job that fires every few seconds would bury the others.
const MOST_OF_A_JOB: usize = 5;

/// Fires shown of a single job.
const OF_ONE_JOB: usize = 10;

/// The names of paused jobs; None where they cannot be told.
pub(crate) type Paused = Option<HashSet<String>>;

/// One line of the calendar.
pub(crate) struct Fire<'a> {
    pub at: UtcMs,
    pub job: &'a Job,
    pub notes: Vec<Note>,
}

/// What is to be known of an instant beside its hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// Its time does not exist on that day, and the job leaves it out.
    SkippedInGap,
    /// What summer time makes of it.
    Dst(DstNote),
    /// What the job's lists of days say of the day.
    Day(DayNote),
    /// So many more of the job's fires lie within the calendar.
    More(u64),
}

impl Note {
    /// In words.
    fn text(&self) -> Text {
        match self {
            Note::SkippedInGap => texts::note_skipped_in_gap(),
            Note::Dst(note) => note.text(),
            Note::Day(note) => note.text(),
            Note::More(more) => texts::note_more(more),
        }
    }
}

/// Has the jobs that fire so often and no more end with the last instant at which they can, as far as that is known: `counted`
/// says how often each has fired. What will be skipped or missed until then is not known.
pub(crate) fn bring_to_their_ends(jobs: &mut [Job], counted: &HashMap<String, u64>, now: UtcMs) -> Result<(), Refusal> {
    let mut cache = ScheduleCache::default();
    for job in jobs {
        let Some(max) = job.max_fires() else { continue };
        let left = max.saturating_sub(counted.get(&job.name).copied().unwrap_or(0));
        let schedule = cache.get_or_compile(job.timing()).map_err(|error| Refusal::of(Kind::BadConfig, &error))?;
        let last = match usize::try_from(left) {
            Ok(0) => Some(now),
            Ok(left) if left <= MOST_BETWEEN => schedule.occurrences(UtcMs(now.0 + 1), UtcMs::MAX).nth(left - 1),
            // Nobody is shown so many.
            _ => None,
        };
        if let (Some(last), Some(life)) = (last, &mut job.life) {
            life.until = Some(life.until.map_or(last, |until| until.min(last)));
        }
    }
    Ok(())
}

/// What the database alone knows of jobs.
#[derive(Debug, Default)]
pub(crate) struct KnownOfJobs {
    /// Those that verbs made.
    pub by_verbs: Vec<Job>,
    /// The one that was asked for, which may have come to its end.
    pub asked: Option<Job>,
    pub paused: HashSet<String>,
    /// How often jobs with a `max_fires` have fired, as far as that counts.
    pub counted: HashMap<String, u64>,
}

/// Reads it.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn known(store: &dyn History, asked: Option<&str>) -> Result<KnownOfJobs, StoreError> {
    let asked = match asked {
        // Of one that the database does not know the files may.
        Some(name) => store.definition(name).await.ok().map(|found| found.job),
        None => None,
    };
    let (by_verbs, paused) = (store.verb_jobs().await?, store.paused_jobs().await?.into_iter().collect());
    Ok(KnownOfJobs { by_verbs, asked, paused, counted: store.counted_fires().await?.into_iter().collect() })
}

/// The coming fires of the job `only`, even if it is disabled, else of all that are enabled: the first `number`, else ten
/// of that job, else the calendar of a day.
///
/// # Errors
///
/// With a near match, when there is no such job; when a schedule cannot be evaluated.
pub(crate) fn coming<'a>(
    jobs: &'a [Job],
    only: Option<&str>,
    number: Option<usize>,
    now: UtcMs,
) -> Result<Vec<Fire<'a>>, Refusal> {
    let compiled = compiled(jobs, only)?;
    Ok(match number.or(only.map(|_| OF_ONE_JOB)) {
        Some(number) => first(&compiled, now, number),
        None => calendar(&compiled, now),
    })
}

/// More fires of a stretch than this are a slip.
pub(crate) const MOST_BETWEEN: usize = 100_000;

/// Every fire in `from..until` of the job `only`, even if it is disabled, else of all that are enabled.
///
/// # Errors
///
/// As [`coming`]; and when there are more than [`MOST_BETWEEN`], or the stretch ends before it begins.
pub(crate) fn between<'a>(
    jobs: &'a [Job],
    only: Option<&str>,
    (from, until): (UtcMs, UtcMs),
) -> Result<Vec<Fire<'a>>, Refusal> {
    if until <= from {
        return Err(Refusal::new(Kind::Senseless, "--until lies before --from".to_owned()));
    }
    let compiled = compiled(jobs, only)?;
    let called: u64 = compiled.iter().map(|(_, schedule)| schedule.count_called(from, until)).sum();
    if called > MOST_BETWEEN as u64 {
        let problem = format!(
            "{called} instants lie between these times, more than {MOST_BETWEEN}: name a job, or a shorter time"
        );
        return Err(Refusal::new(Kind::Senseless, problem));
    }
    let mut fires: Vec<Fire> = Vec::new();
    for job in &compiled {
        let shown = std::iter::successors(shown_after(&job.1, UtcMs(from.0 - 1)), |at| shown_after(&job.1, *at));
        fires.extend(shown.take_while(|at| *at < until).map(|at| fire(job, at)));
    }
    fires.sort_by_key(|fire| fire.at);
    Ok(fires)
}

/// The stretch of time that a person means, by the clock of the named job's zone, else of `zone`. Without a beginning it is
/// from `now` on, without an end a day.
///
/// # Errors
///
/// In words, where a time is none.
pub(crate) fn stretch(
    jobs: &[Job],
    only: Option<&str>,
    zone: &str,
    (from, until): (Option<&str>, Option<&str>),
    now: UtcMs,
) -> Result<(UtcMs, UtcMs), Refusal> {
    let zone = only.map(|name| find(jobs, name)).transpose()?.map_or(zone, |job| &job.timezone);
    let parse = |text: &str| {
        when::parse_leaning(text, &when::zone(zone), now, Lean::Ahead)
            .map_err(|problem| Refusal::new(Kind::Senseless, problem))
    };
    let from = from.map(parse).transpose()?.map_or(now, |stretch| stretch.from);
    // A day is meant as a whole.
    let until = until.map(parse).transpose()?.map_or(UtcMs(from.0 + DAY_MS), |stretch| stretch.until);
    Ok((from, until))
}

/// The job of that name.
///
/// # Errors
///
/// With a near match, when there is none.
fn find<'a>(jobs: &'a [Job], name: &str) -> Result<&'a Job, Refusal> {
    jobs.iter().find(|job| job.name == name).ok_or_else(|| no_job(name, jobs.iter().map(|job| &*job.name)))
}

type Compiled<'a> = (&'a Job, Arc<CompiledSchedule>);

/// The job `only`, even if it is disabled, else all that are enabled, with what their schedules mean.
fn compiled<'a>(jobs: &'a [Job], only: Option<&str>) -> Result<Vec<Compiled<'a>>, Refusal> {
    let jobs: Vec<&Job> = match only {
        Some(name) => vec![find(jobs, name)?],
        None => jobs.iter().filter(|job| job.enabled).collect(),
    };
    let mut cache = ScheduleCache::default();
    let compiled: Result<Vec<_>, _> =
        jobs.iter().map(|job| cache.get_or_compile(job.timing()).map(|schedule| (*job, schedule))).collect();
    compiled.map_err(|error| Refusal::of(Kind::BadConfig, &error))
}

/// The first `number` fires of all jobs together.
fn first<'a>(jobs: &[Compiled<'a>], now: UtcMs, number: usize) -> Vec<Fire<'a>> {
    let next = |index: usize, after: UtcMs| shown_after(&jobs[index].1, after).map(|at| Reverse((at, index)));
    let mut heap: BinaryHeap<_> = (0..jobs.len()).filter_map(|index| next(index, now)).collect();
    let mut fires = Vec::with_capacity(number.min(1024));
    while fires.len() < number
        && let Some(Reverse((at, index))) = heap.pop()
    {
        fires.push(fire(&jobs[index], at));
        heap.extend(next(index, at));
    }
    fires
}

/// The coming 24 hours, and one fire of each job that has none in them.
fn calendar<'a>(jobs: &[Compiled<'a>], now: UtcMs) -> Vec<Fire<'a>> {
    let end = UtcMs(now.0 + DAY_MS);
    let mut fires: Vec<Fire> = Vec::with_capacity(jobs.len());
    for compiled in jobs {
        let mut after = now;
        for place in 0..MOST_OF_A_JOB {
            let Some(at) = shown_after(&compiled.1, after).filter(|at| place == 0 || *at < end) else { break };
            fires.push(fire(compiled, at));
            after = at;
        }
        let more = compiled.1.count_fires(UtcMs(after.0 + 1), end);
        if after > now
            && after < end
            && more > 0
            && let Some(last) = fires.last_mut()
        {
            last.notes.push(Note::More(more));
        }
    }
    fires.sort_by_key(|fire| fire.at);
    fires
}

fn fire<'a>((job, schedule): &Compiled<'a>, at: UtcMs) -> Fire<'a> {
    let skipped = schedule.next_called_after(UtcMs(at.0 - 1)).is_some_and(|called| called.skipped.is_some());
    let clock = if skipped { Some(Note::SkippedInGap) } else { schedule.note_at(at).map(Note::Dst) };
    Fire { at, job, notes: clock.into_iter().chain(schedule.day_note(at).map(Note::Day)).collect() }
}

/// The next instant to be shown: one that fires, or that the clock swallows. That nothing comes on a day off is what the job
/// says, and no news.
fn shown_after(schedule: &CompiledSchedule, after: UtcMs) -> Option<UtcMs> {
    match schedule.next_called_after(after)? {
        Occurrence { at, skipped: None | Some(Skip::DstGap) } => Some(at),
        Occurrence { .. } => schedule.next_after(after),
    }
}

/// All that is to be known of a fire, where there is something.
pub(crate) fn in_words(notes: &[Note]) -> Option<Text> {
    (!notes.is_empty()).then(|| Text::joined(notes.iter().map(Note::text), &texts::told_semicolon()))
}

/// `qq group:123456`, and how many more.
pub(crate) fn targets(job: &Job) -> String {
    let first = job.push.first().map(|push| format!("{} {}", push.im, push.target)).unwrap_or_default();
    if job.push.len() > 1 { format!("{first} +{}", job.push.len() - 1) } else { first }
}

/// The fires as a table for programs.
pub(crate) fn as_table(fires: &[Fire], paused: &Paused) -> Table {
    let columns = ["job", "due_at", "timezone", "local", "schedule", "enabled", "paused", "note"];
    let row = |fire: &Fire| -> Vec<Value> {
        let Job { name, timezone, schedule, enabled, .. } = fire.job;
        let local = when::shown(fire.at, &when::zone(timezone), true, true);
        let (enabled, is_paused) = (u8::from(*enabled), paused.as_ref().map(|paused| u8::from(paused.contains(name))));
        let values =
            json!([name, fire.at, timezone, local, schedule.describe(), enabled, is_paused, in_words(&fire.notes)]);
        values.as_array().cloned().unwrap_or_default()
    };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: fires.iter().map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(definition: Value) -> Job {
        serde_json::from_value(definition).unwrap()
    }

    #[test]
    fn a_calendar_tells_what_summer_time_moves_and_how_often_a_job_fires_that_would_bury_the_others() {
        let night = json!({ "name": "night", "schedule": { "cron": "30 2 * * *" }, "timezone": "Europe/Berlin" });
        let jobs = [job(json!({ "name": "minutely", "schedule": { "every": 60_000 } })), job(night)];
        let now = "2026-03-29T00:00:00.000Z".parse().unwrap();
        let fires = coming(&jobs, None, None, now).unwrap();
        let of = |name: &str| fires.iter().filter(|fire| fire.job.name == name).collect::<Vec<_>>();
        let (minutely, night) = (of("minutely"), of("night"));
        assert_eq!((minutely.len(), night.len()), (MOST_OF_A_JOB, 1));
        assert_eq!(minutely.iter().flat_map(|fire| &fire.notes).collect::<Vec<_>>(), [&Note::More(1439 - 5)]);
        assert!(matches!(*night[0].notes, [Note::Dst(DstNote::MovedTo { .. })]), "{:?}", night[0].notes);
        let row = as_table(&fires, &None).rows.into_iter().find(|row| row[0] == "night").unwrap();
        assert_eq!(row.last(), Some(&json!("02:30 does not exist on 2026-03-29, fires at 03:00")));
    }
}
