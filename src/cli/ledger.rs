//! `ledger`: does every instant that was called for have its one row, and has no row vanished?

use clap::Args;
use clap_complete::ArgValueCandidates;
use jiff::tz::TimeZone;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::say::say;
use super::{candidates, render};
use crate::answers::ledger::{self, Audit, Audited, Ids, Verdict, Wrong};
use crate::answers::when;
use crate::answers::words::counted;
use crate::domain::{LedgerIds, UtcMs, escaped};
use crate::policy::ledger::{Balance, Finding};
use crate::zone;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron ledger                                  all jobs, all that is kept of them
  pushcron ledger daily-report --from 7d
  pushcron --db copy.db ledger --json              a backup

What the schedules called for is built anew, from every definition that a job has had and the time in which it held, \
and held against the table fires. Without a job, the ids that were ever given to fires and pushes are held against \
the rows too: one that is neither there nor was taken back or pruned has vanished. Nothing is changed, and a daemon may \
run meanwhile. The exit code is 0 where expected minus recorded is 0 for every job and no id has vanished, else 1.")]
pub(super) struct Ledger {
    /// Only this job, even if it left the files
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: Option<String>,
    /// Only instants since then: 24h, 7d, 2026-01-01, 2026-01-01T09:00, 09:00
    #[arg(long, visible_alias = "since", value_name = "TIME")]
    from: Option<String>,
    /// Only instants before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// A JSON object: the sums, and the jobs that do not balance
    #[arg(long)]
    json: bool,
}

impl Ledger {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let zone = when::zone(&context.whereabouts()?.timezone);
        let tell = |wrong: &Wrong| {
            if !self.json {
                say(escaped(&line_of_job(wrong)));
            }
        };
        let all = context.reading(async |store| {
            let audit = self.audit(&zone, context.present(store).await?)?;
            let all = ledger::check(store, self.job.as_deref(), &audit, tell).await;
            Ok(all.map_err(|refusal| match &self.job {
                Some(job) => context.of_job(job, refusal),
                None => refusal,
            })?)
        })?;
        match self.json {
            true => say(render::pretty(&json!(all))),
            false => {
                all.uneven_ids().for_each(|ids| say(line_of_ids(ids)));
                say(line_of_all(&all));
            }
        }
        Ok(if all.balanced { Exit::Done } else { Exit::Failed })
    }

    fn audit(&self, zone: &TimeZone, now: UtcMs) -> Result<Audit, Failure> {
        let instant = |option: &str, text: &Option<String>| -> Result<Option<UtcMs>, Failure> {
            let stretch = text.as_deref().map(|text| when::parse(text, zone, now)).transpose();
            let stretch = stretch.map_err(|problem| Failure::new(Exit::Usage, format!("--{option}: {problem}")))?;
            Ok(stretch.map(|stretch| stretch.from))
        };
        let (from, end) = (instant("from", &self.from)?, instant("until", &self.until)?);
        if let Some(text) = self.from.as_ref().filter(|_| from.is_some_and(|from| from > now)) {
            let text = format!("--from: {text} is still to come, and the ledger looks at what was");
            return Err(Failure::new(Exit::Usage, text));
        }
        if from.is_some_and(|from| end.is_some_and(|end| end <= from)) {
            return Err(Failure::new(Exit::Usage, "--until is not later than --from: there is nothing between them"));
        }
        let until = end.map_or(now, |end| UtcMs(end.0 - 1).min(now));
        Ok(Audit { from, until, zone_version: zone::data_version() })
    }
}

/// What is wrong with a job, and what to do.
fn line_of_job(Wrong { job, timezone, verdict }: &Wrong) -> String {
    let balance = match verdict {
        Verdict::Balance(balance) => balance,
        Verdict::Unclear { problem } => return format!("{job}: cannot be checked: {problem}"),
    };
    let shown = |at: UtcMs| when::shown(at, &when::zone(timezone), true, true);
    let first: Vec<String> = balance.first.iter().map(|finding| finding_in_words(finding, shown)).collect();
    let Balance { missing, surplus, .. } = balance;
    let more = if missing + surplus > first.len() as u64 { ", …" } else { "" };
    format!("{job}: {missing} missing, {surplus} too many: {}{more}; {}", first.join(", "), advice(balance))
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

fn line_of_ids(Ids { ids, missing }: &Ids) -> String {
    let LedgerIds { kind, given, kept, .. } = ids;
    let gone = ids.gone();
    let found = match missing {
        1.. => format!("{missing} of {given} ids have vanished"),
        _ => format!("{} rows more than the ids account for", missing.unsigned_abs()),
    };
    format!(
        "{kind}: {found} ({given} given, {kept} with their row, {gone} taken back, pruned or never used); somebody wrote to \
         the table, or this is a bug of pushcron"
    )
}

fn line_of_all(all: &Audited) -> String {
    let Audited { expected, recorded, missing, surplus, .. } = all;
    let wrong = match all.wrong.len() {
        0 => String::new(),
        wrong => format!(" ({missing} missing, {surplus} too many; {} wrong)", counted(wrong, "job")),
    };
    let difference = i128::from(*expected) - i128::from(*recorded);
    let jobs = counted(all.jobs, "job");
    let ids = match all.uneven_ids().next() {
        Some(_) => "; not every id is accounted for",
        None => "",
    };
    format!("{jobs}, {expected} instants expected, {recorded} recorded: difference {difference}{wrong}{ids}")
}
