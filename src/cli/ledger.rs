//! `ledger`: does every instant that was called for have its one row, and has no row vanished?

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::say::say;
use super::{candidates, render};
use crate::answers::when;
use crate::answers::words::counted;
use crate::domain::{LedgerIds, LedgerJob, UtcMs, escaped};
use crate::policy::ledger::{self, Balance, Finding};
use crate::policy::schedule::ScheduleCache;
use crate::store::History;
use crate::zone;

/// Jobs that are read at once.
const JOBS: u64 = 500;

/// Rows that are read at once.
const ROWS: u64 = 10_000;

/// A daemon may write between two of our looks. What is still wrong at the last of so many is wrong.
const LOOKS: usize = 3;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron ledger                                  all jobs, all that is kept of them
  pushcron ledger daily-report --from 7d
  pushcron --db copy.db ledger --json              a backup

What the schedules called for is built anew, from every definition that a job has had and the time in which it held, \
and held against the table fires. Without a job, the ids that were ever given to fires and pushes are held against \
the rows too: one that is neither there nor was taken back or pruned has vanished. Nothing is changed, and a daemon may \
run meanwhile. The exit code is 0 where expected minus recorded is 0 for every job and no id has vanished, else 1.")]
pub struct Ledger {
    /// Only this job, even if it left the files
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: Option<String>,
    /// Only instants since then: 24h, 7d, 2026-01-01, 2026-01-01T09:00, 09:00
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only instants before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// A JSON object: the sums, and the jobs that do not balance
    #[arg(long)]
    json: bool,
}

impl Ledger {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let zone = when::zone(&context.whereabouts()?.timezone);
        let instant = |option: &str, text: &Option<String>| -> Result<Option<UtcMs>, Failure> {
            let stretch = text.as_deref().map(|text| when::parse(text, &zone, context.now())).transpose();
            let stretch = stretch.map_err(|problem| Failure::new(Exit::Usage, format!("--{option}: {problem}")))?;
            Ok(stretch.map(|stretch| stretch.from))
        };
        let from = instant("from", &self.from)?;
        let until = instant("until", &self.until)?.map_or(context.now(), |until| UtcMs(until.0 - 1).min(context.now()));
        let books = Books { from, until, zone_version: zone::data_version() };
        context.reading(async |store| self.check(store, &books).await)
    }

    async fn check(&self, store: &dyn History, books: &Books) -> Result<Exit, Failure> {
        let only = self.job.as_deref();
        let mut cache = ScheduleCache::default();
        let mut sums = Sums::default();
        let mut after = String::new();
        loop {
            let jobs = store.ledger_jobs(only, &after, JOBS).await?;
            let Some(last) = jobs.last() else { break };
            after = last.name.to_string();
            for job in jobs {
                let told = books.balance(store, &job, &mut cache).await?;
                if sums.add(&job, &told) && !self.json {
                    say(escaped(&told.line(&job)));
                }
            }
        }
        if let Some(name) = only.filter(|_| sums.jobs == 0) {
            return Err(Failure::new(Exit::Failed, format!("nothing is known of a job '{name}'")));
        }
        if only.is_none() {
            sums.ids = store.ledger_ids().await?;
        }
        match self.json {
            true => say(render::pretty(&sums.as_json(books))),
            false => {
                sums.uneven_ids().for_each(|ids| say(line_of_ids(ids)));
                say(sums.line());
            }
        }
        Ok(if sums.is_even() { Exit::Done } else { Exit::Failed })
    }
}

/// The time that is looked at, and by which rules of the zones.
struct Books {
    from: Option<UtcMs>,
    until: UtcMs,
    zone_version: String,
}

/// What is to be told of a job.
enum Told {
    Balance(Balance),
    /// Its schedules cannot be read or evaluated any more.
    Unclear(ledger::Unclear),
}

impl Books {
    async fn balance(&self, store: &dyn History, job: &LedgerJob, cache: &mut ScheduleCache) -> Result<Told, Failure> {
        let mut told = self.look(store, job, cache).await?;
        for _ in 1..LOOKS {
            if !told.is_wrong() {
                break;
            }
            let again = store.ledger_jobs(Some(&job.name), "", 1).await?;
            let Some(job) = again.first() else { break };
            told = self.look(store, job, cache).await?;
        }
        Ok(told)
    }

    async fn look(&self, store: &dyn History, job: &LedgerJob, cache: &mut ScheduleCache) -> Result<Told, Failure> {
        let mut ledger = match ledger::Ledger::open(job, self.from, self.until, &self.zone_version, cache) {
            Ok(ledger) => ledger,
            Err(error) => return Ok(Told::Unclear(error)),
        };
        let (mut from, until) = ledger.span();
        let mut last_due_at = UtcMs::MIN;
        loop {
            let rows = store.ledger_rows(&job.name, from, until, ROWS).await?;
            // A row that stands for many comes again with each page that it reaches into.
            rows.iter().filter(|row| row.due_at > last_due_at).for_each(|row| ledger.enter(row));
            match rows.last() {
                Some(last) if rows.len() as u64 >= ROWS => last_due_at = last.due_at,
                _ => return Ok(Told::Balance(ledger.close())),
            }
            from = UtcMs(last_due_at.0 + 1);
        }
    }
}

impl Told {
    fn is_wrong(&self) -> bool {
        !matches!(self, Told::Balance(balance) if balance.is_even())
    }

    /// What is wrong with a job, and what to do.
    fn line(&self, job: &LedgerJob) -> String {
        let balance = match self {
            Told::Balance(balance) => balance,
            Told::Unclear(error) => return format!("{}: cannot be checked: {error}", job.name),
        };
        let zone = job.revisions.last().map_or("UTC", |revision| &revision.timezone);
        let shown = |at: UtcMs| when::shown(at, &when::zone(zone), true, true);
        let first: Vec<String> = balance.first.iter().map(|finding| finding_in_words(finding, shown)).collect();
        let all = balance.missing + balance.surplus;
        let more = if all > first.len() as u64 { ", …" } else { "" };
        format!(
            "{}: {} missing, {} too many: {}{more}; {}",
            job.name,
            balance.missing,
            balance.surplus,
            first.join(", "),
            advice(balance)
        )
    }
}

fn finding_in_words(finding: &Finding, shown: impl Fn(UtcMs) -> String) -> String {
    match finding {
        Finding::Missing { at } => format!("{} has no row", shown(*at)),
        Finding::Surplus { at, because } => format!("the row of {} is too many ({because})", shown(*at)),
        Finding::Miscounted { at, until, count, called } => {
            format!("the row from {} to {} stands for {count} instants of {called}", shown(*at), shown(*until))
        }
    }
}

fn advice(balance: &Balance) -> String {
    if let Some(rules) = &balance.other_rules {
        return format!("its rows were decided by the rules of {rules}: a change of the zone's rules may be all it is");
    }
    let advice = match (balance.missing, balance.surplus) {
        (0, _) => "somebody wrote to the table, or this is a bug of pushcron",
        _ => {
            "nothing was sent for what has no row (`pushcron fire` makes up for it); unless somebody wrote to the \
              table this is a bug of pushcron"
        }
    };
    advice.to_owned()
}

fn line_of_ids(ids: &LedgerIds) -> String {
    let LedgerIds { kind, given, kept, .. } = ids;
    let gone = ids.gone();
    let found = match ids.missing() {
        missing @ 1.. => format!("{missing} of {given} ids have vanished"),
        missing => format!("{} rows more than the ids account for", missing.unsigned_abs()),
    };
    format!(
        "{kind}: {found} ({given} given, {kept} with their row, {gone} taken back, pruned or never used); somebody wrote to \
         the table, or this is a bug of pushcron"
    )
}

/// What all jobs come to.
#[derive(Default)]
struct Sums {
    jobs: usize,
    wrong: usize,
    all: Balance,
    /// The wrong ones.
    told: Vec<Value>,
    /// Empty where one job was asked for.
    ids: Vec<LedgerIds>,
}

impl Sums {
    /// Adds a job. Returns whether it is wrong.
    fn add(&mut self, job: &LedgerJob, told: &Told) -> bool {
        self.jobs += 1;
        if let Told::Balance(balance) = told {
            self.all.expected += balance.expected;
            self.all.recorded += balance.recorded;
            self.all.missing += balance.missing;
            self.all.surplus += balance.surplus;
        }
        if told.is_wrong() {
            self.wrong += 1;
            self.told.push(as_json(job, told));
        }
        told.is_wrong()
    }

    fn uneven_ids(&self) -> impl Iterator<Item = &LedgerIds> {
        self.ids.iter().filter(|ids| ids.missing() != 0)
    }

    fn is_even(&self) -> bool {
        self.wrong == 0 && self.uneven_ids().next().is_none()
    }

    fn line(&self) -> String {
        let Balance { expected, recorded, missing, surplus, .. } = self.all;
        let wrong = match self.wrong {
            0 => String::new(),
            wrong => format!(" ({missing} missing, {surplus} too many; {} wrong)", counted(wrong, "job")),
        };
        let difference = i128::from(expected) - i128::from(recorded);
        let jobs = counted(self.jobs, "job");
        let ids = match self.uneven_ids().next() {
            Some(_) => "; not every id is accounted for",
            None => "",
        };
        format!("{jobs}, {expected} instants expected, {recorded} recorded: difference {difference}{wrong}{ids}")
    }

    fn as_json(&self, books: &Books) -> Value {
        let Balance { expected, recorded, missing, surplus, .. } = self.all;
        json!({
            "balanced": self.is_even(),
            "from": books.from,
            "until": books.until,
            "jobs": self.jobs,
            "expected": expected,
            "recorded": recorded,
            "missing": missing,
            "surplus": surplus,
            "wrong": self.told,
            "ids": self.ids.iter().map(ids_as_json).collect::<Vec<_>>(),
        })
    }
}

fn ids_as_json(ids: &LedgerIds) -> Value {
    let mut all = json!(ids);
    all["missing"] = ids.missing().into();
    all
}

fn as_json(job: &LedgerJob, told: &Told) -> Value {
    let balance = match told {
        Told::Unclear(error) => return json!({ "job": job.name, "problem": error.to_string() }),
        Told::Balance(balance) => balance,
    };
    let first = balance.first.iter().map(|finding| match finding {
        Finding::Missing { at } => json!({ "finding": "missing", "due_at": at }),
        Finding::Surplus { at, because } => {
            json!({ "finding": "surplus", "due_at": at, "because": because.to_string() })
        }
        Finding::Miscounted { at, until, count, called } => {
            json!({ "finding": "miscounted", "due_at": at, "until_at": until, "count": count, "called": called })
        }
    });
    json!({
        "job": job.name,
        "expected": balance.expected,
        "recorded": balance.recorded,
        "missing": balance.missing,
        "surplus": balance.surplus,
        "first": first.collect::<Vec<_>>(),
        "other_rules": balance.other_rules,
    })
}
