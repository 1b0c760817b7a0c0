//! Does every instant that was called for have its one row, and has no row vanished?

use serde_json::{Value, json};

use super::refusal::{Kind, Refusal};
use super::when;
use super::words::counted;
use crate::domain::{LedgerIds, LedgerJob, UtcMs};
use crate::policy::ledger::{self, Balance, Finding};
use crate::policy::schedule::ScheduleCache;
use crate::store::{History, StoreError};

/// Jobs that are read at once.
const JOBS: u64 = 500;

/// Rows that are read at once.
const ROWS: u64 = 10_000;

/// A daemon may write between two of our looks. What is still wrong at the last of so many is wrong.
const LOOKS: usize = 3;

/// Checks all jobs, or only one. What is wrong with a job is handed to `tell`, job by job.
///
/// # Errors
///
/// When nothing is known of the one job.
pub async fn check(
    store: &dyn History,
    only: Option<&str>,
    audit: &Audit,
    mut tell: impl FnMut(String),
) -> Result<Sums, Refusal> {
    let mut cache = ScheduleCache::default();
    let mut sums = Sums::default();
    let mut after = String::new();
    loop {
        let jobs = store.ledger_jobs(only, &after, JOBS).await?;
        let Some(last) = jobs.last() else { break };
        after = last.name.to_string();
        for job in jobs {
            let verdict = audit.balance(store, &job, &mut cache).await?;
            if sums.add(&job, &verdict) {
                tell(verdict.line(&job));
            }
        }
    }
    if let Some(name) = only.filter(|_| sums.jobs == 0) {
        return Err(Refusal::new(Kind::NotFound, format!("nothing is known of a job '{name}'")));
    }
    if only.is_none() {
        sums.ids = store.ledger_ids().await?;
    }
    Ok(sums)
}

/// The time that is looked at, and by which rules of the zones.
pub struct Audit {
    pub from: Option<UtcMs>,
    pub until: UtcMs,
    pub zone_version: String,
}

/// What is to be told of a job.
enum Verdict {
    Balance(Balance),
    /// Its schedules cannot be read or evaluated any more.
    Unclear(ledger::Unclear),
}

impl Audit {
    async fn balance(
        &self,
        store: &dyn History,
        job: &LedgerJob,
        cache: &mut ScheduleCache,
    ) -> Result<Verdict, StoreError> {
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

    async fn look(
        &self,
        store: &dyn History,
        job: &LedgerJob,
        cache: &mut ScheduleCache,
    ) -> Result<Verdict, StoreError> {
        let mut ledger = match ledger::Ledger::open(job, self.from, self.until, &self.zone_version, cache) {
            Ok(ledger) => ledger,
            Err(error) => return Ok(Verdict::Unclear(error)),
        };
        let (mut from, until) = ledger.span();
        let mut last_due_at = UtcMs::MIN;
        loop {
            let rows = store.ledger_rows(&job.name, from, until, ROWS).await?;
            // A row that stands for many comes again with each page that it reaches into.
            rows.iter().filter(|row| row.due_at > last_due_at).for_each(|row| ledger.enter(row));
            match rows.last() {
                Some(last) if rows.len() as u64 >= ROWS => last_due_at = last.due_at,
                _ => return Ok(Verdict::Balance(ledger.close())),
            }
            from = UtcMs(last_due_at.0 + 1);
        }
    }
}

impl Verdict {
    fn is_wrong(&self) -> bool {
        !matches!(self, Verdict::Balance(balance) if balance.is_even())
    }

    /// What is wrong with a job, and what to do.
    fn line(&self, job: &LedgerJob) -> String {
        let balance = match self {
            Verdict::Balance(balance) => balance,
            Verdict::Unclear(error) => return format!("{}: cannot be checked: {error}", job.name),
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
pub struct Sums {
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
    fn add(&mut self, job: &LedgerJob, told: &Verdict) -> bool {
        self.jobs += 1;
        if let Verdict::Balance(balance) = told {
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

    /// What is wrong with the ids, in lines.
    pub fn lines_of_ids(&self) -> impl Iterator<Item = String> {
        self.uneven_ids().map(line_of_ids)
    }

    fn uneven_ids(&self) -> impl Iterator<Item = &LedgerIds> {
        self.ids.iter().filter(|ids| ids.missing() != 0)
    }

    pub fn is_even(&self) -> bool {
        self.wrong == 0 && self.uneven_ids().next().is_none()
    }

    /// All in a line.
    pub fn line(&self) -> String {
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

    /// All for programs.
    pub fn as_json(&self, audit: &Audit) -> Value {
        let Balance { expected, recorded, missing, surplus, .. } = self.all;
        json!({
            "balanced": self.is_even(),
            "from": audit.from,
            "until": audit.until,
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

fn as_json(job: &LedgerJob, told: &Verdict) -> Value {
    let balance = match told {
        Verdict::Unclear(error) => return json!({ "job": job.name, "problem": error.to_string() }),
        Verdict::Balance(balance) => balance,
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
