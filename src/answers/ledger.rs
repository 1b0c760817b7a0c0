//! Does every instant that was called for have its one row, and has no row vanished?

use serde::Serialize;

use super::refusal::{Kind, Refusal};
use crate::domain::{LedgerIds, LedgerJob, UtcMs};
use crate::policy::ledger::{Balance, Ledger, Unclear};
use crate::policy::schedule::ScheduleCache;
use crate::store::{History, StoreError};

/// Jobs that are read at once.
const JOBS: u64 = 500;

/// Rows that are read at once.
const ROWS: u64 = 10_000;

/// A daemon may write between two of our looks. What is still wrong at the last of so many is wrong.
const LOOKS: usize = 3;

/// The time that is looked at, and by which rules of the zones.
pub(crate) struct Audit {
    pub from: Option<UtcMs>,
    pub until: UtcMs,
    pub zone_version: String,
}

/// What all jobs come to.
#[derive(Debug, Serialize)]
pub(crate) struct Audited {
    pub balanced: bool,
    pub from: Option<UtcMs>,
    pub until: UtcMs,
    pub jobs: usize,
    pub expected: u64,
    pub recorded: u64,
    pub missing: u64,
    pub surplus: u64,
    pub wrong: Vec<Wrong>,
    /// Empty where one job was asked for.
    pub ids: Vec<Ids>,
}

/// A job that is not as it should be.
#[derive(Debug, Serialize)]
pub(crate) struct Wrong {
    pub job: String,
    /// That of its newest revision.
    #[serde(skip)]
    pub timezone: String,
    #[serde(flatten)]
    pub verdict: Verdict,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Verdict {
    Balance(Balance),
    /// Its schedules cannot be read or evaluated any more.
    Unclear {
        problem: String,
    },
}

/// What became of all ids of one kind.
#[derive(Debug, Serialize)]
pub(crate) struct Ids {
    #[serde(flatten)]
    pub ids: LedgerIds,
    /// Below zero where there are rows that no id accounts for.
    pub missing: i64,
}

impl Audited {
    /// The kinds of which not every id is accounted for.
    pub(crate) fn uneven_ids(&self) -> impl Iterator<Item = &Ids> {
        self.ids.iter().filter(|ids| ids.missing != 0)
    }

    fn add(&mut self, verdict: &Verdict) {
        self.jobs += 1;
        if let Verdict::Balance(balance) = verdict {
            self.expected += balance.expected;
            self.recorded += balance.recorded;
            self.missing += balance.missing;
            self.surplus += balance.surplus;
        }
    }
}

/// Checks all jobs, or only one. What is wrong is handed to `tell` as soon as it is found.
///
/// # Errors
///
/// When nothing is known of the one job.
pub(crate) async fn check(
    store: &dyn History,
    only: Option<&str>,
    audit: &Audit,
    mut tell: impl FnMut(&Wrong),
) -> Result<Audited, Refusal> {
    let mut cache = ScheduleCache::default();
    let mut all = audit.begin();
    let mut after = String::new();
    loop {
        let jobs = store.ledger_jobs(only, &after, JOBS).await?;
        let Some(last) = jobs.last() else { break };
        after = last.name.to_string();
        for job in jobs {
            let verdict = audit.verdict(store, &job, &mut cache).await?;
            all.add(&verdict);
            if verdict.is_wrong() {
                let timezone = job.revisions.last().map_or("UTC", |revision| &revision.timezone).to_owned();
                let wrong = Wrong { job: job.name.to_string(), timezone, verdict };
                tell(&wrong);
                all.wrong.push(wrong);
            }
        }
    }
    if let Some(name) = only.filter(|_| all.jobs == 0) {
        return Err(Refusal::new(Kind::NotFound, format!("nothing is known of a job '{name}'")));
    }
    if only.is_none() {
        let ids = store.ledger_ids().await?;
        all.ids = ids.into_iter().map(|ids| Ids { missing: ids.missing(), ids }).collect();
    }
    all.balanced = all.wrong.is_empty() && all.uneven_ids().next().is_none();
    Ok(all)
}

impl Audit {
    fn begin(&self) -> Audited {
        Audited {
            balanced: true,
            from: self.from,
            until: self.until,
            jobs: 0,
            expected: 0,
            recorded: 0,
            missing: 0,
            surplus: 0,
            wrong: Vec::new(),
            ids: Vec::new(),
        }
    }

    async fn verdict(
        &self,
        store: &dyn History,
        job: &LedgerJob,
        cache: &mut ScheduleCache,
    ) -> Result<Verdict, StoreError> {
        let mut verdict = self.look(store, job, cache).await?;
        for _ in 1..LOOKS {
            if !verdict.is_wrong() {
                break;
            }
            let again = store.ledger_jobs(Some(&job.name), "", 1).await?;
            let Some(job) = again.first() else { break };
            verdict = self.look(store, job, cache).await?;
        }
        Ok(verdict)
    }

    async fn look(
        &self,
        store: &dyn History,
        job: &LedgerJob,
        cache: &mut ScheduleCache,
    ) -> Result<Verdict, StoreError> {
        let mut ledger = match Ledger::open(job, self.from, self.until, &self.zone_version, cache) {
            Ok(ledger) => ledger,
            Err(error) => return Ok(Verdict::from(error)),
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
}

impl From<Unclear> for Verdict {
    fn from(error: Unclear) -> Verdict {
        Verdict::Unclear { problem: error.to_string() }
    }
}
