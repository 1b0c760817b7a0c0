//! What a text would come to that somebody tries: what is wrong with it, when its jobs fire next, and who would carry each push
//! now, by the very decision of the dispatcher.

use std::time::Duration;

use serde::Serialize;

use super::accounts::AccountLine;
use super::next;
use super::when;
use crate::config::{MayCarry, Problem, Tried};
use crate::domain::{Health, Job, Moment, PushSpec, Reason, Rule, Trigger, UtcMs};
use crate::policy::account::{Candidate, Choice, Fallback, PushQuery, choose, why_not};
use crate::store::Table;
use crate::texts::{self, Text};

/// Jobs that are told one by one.
const JOBS: usize = 100;
/// Fires of each.
const FIRES: usize = 10;
/// Pushes of each.
const PUSHES: usize = 20;
/// Accounts of which is told why they do not carry a push.
const ACCOUNTS: usize = 8;

/// The moment of which everything is told: rests count from it.
const NOW: Moment = Moment(Duration::ZERO);

#[derive(Debug, Serialize)]
pub(crate) struct Preview {
    /// Nothing is wrong, and nothing was refused a look.
    pub ok: bool,
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// There were so many errors that the rest of the text was not looked at.
    pub more: bool,
    pub accounts: Whose,
    pub jobs: Vec<JobPreview>,
    /// Jobs that are right and not told one by one.
    pub more_jobs: usize,
    /// What was not looked at, since that would have taken too long.
    pub cut: Option<Text>,
}

/// Whose accounts carry the pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Whose {
    /// Those of the text, which nobody asked how they are.
    Text,
    /// Those of the running daemon, as it last saw them.
    Running,
}

#[derive(Debug, Serialize)]
pub(crate) struct JobPreview {
    pub job: String,
    pub schedule: String,
    pub timezone: String,
    pub enabled: bool,
    pub next: Vec<FirePreview>,
    pub pushes: Vec<PushPreview>,
    pub more_pushes: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct FirePreview {
    pub due_at: UtcMs,
    pub local: String,
    pub note: Option<Text>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PushPreview {
    pub im: String,
    pub target: String,
    pub kind: &'static str,
    /// Who would carry it now; None: nobody.
    pub account: Option<String>,
    /// By which rule: a word of `attempts.rule`.
    pub rule: Option<&'static str>,
    /// Nobody knows how this account is: it would be asked first.
    pub unprobed: bool,
    /// Why nobody would: a word of `pushes.reason`.
    pub reason: Option<&'static str>,
    /// Until when it waits, where that is known.
    pub until: Option<UtcMs>,
    /// Why each account that could does not.
    pub refused: Vec<RefusedBy>,
    #[serde(skip)]
    pub by: Option<Rule>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RefusedBy {
    pub account: String,
    pub reason: &'static str,
}

impl Preview {
    /// `known` are the accounts as the daemon last saw them; no further job is worked out once there was `enough`.
    pub(crate) fn of(tried: Tried, known: &Table, now: UtcMs, enough: impl Fn() -> bool) -> Preview {
        let Tried { errors, warnings, more, jobs, left_out, accounts, has_accounts, fallback } = tried;
        let healths = accounts.iter().map(|account| if has_accounts { None } else { health(account, known, now) });
        let carriers =
            Carriers { healths: healths.map(Option::unwrap_or_default).collect(), accounts: &accounts, fallback, now };
        let (mut told, mut looked_at, mut is_cut) = (Vec::new(), 0, false);
        for job in &jobs {
            is_cut = told.len() < JOBS && enough();
            if told.len() >= JOBS || is_cut {
                break;
            }
            told.extend(carriers.job(job));
            looked_at += 1;
        }
        let untold = jobs.len() - looked_at;
        let cut = match (left_out, is_cut) {
            (0, false) => None,
            (0, true) => Some(texts::try_untold(untold)),
            (left_out, _) => Some(texts::try_left_out(left_out)),
        };
        Preview {
            ok: errors.is_empty() && left_out == 0,
            errors,
            warnings,
            more,
            accounts: if has_accounts { Whose::Text } else { Whose::Running },
            more_jobs: untold,
            cut,
            jobs: told,
        }
    }
}

/// How the daemon last saw an account.
fn health(account: &MayCarry, known: &Table, now: UtcMs) -> Option<Health> {
    let line = AccountLine::all(known).find(|line| line.account == account.id && line.im == account.im)?;
    Some(Health {
        online: line.online,
        sendable: line.sendable,
        checked_at: line.checked_at,
        last_error: None,
        rest_until: line.cooldown_until.filter(|until| *until > now).map(|until| NOW + until.since(now)),
        cooldown_until: line.cooldown_until,
        failures: 0,
    })
}

struct Carriers<'a> {
    accounts: &'a [MayCarry],
    healths: Vec<Health>,
    fallback: Fallback,
    now: UtcMs,
}

impl Carriers<'_> {
    /// None where its schedule cannot be evaluated, which is told among the errors: that it never fires would be no answer.
    fn job(&self, job: &Job) -> Option<JobPreview> {
        let zone = when::zone(&job.timezone);
        let mut alone = [job.clone()];
        next::bring_to_their_ends(&mut alone, &Default::default(), self.now).ok()?;
        let fires = next::coming(&alone, Some(&job.name), Some(FIRES), self.now).ok()?;
        let fire = |fire: &next::Fire<'_>| FirePreview {
            due_at: fire.at,
            local: when::shown(fire.at, &zone, true, true),
            note: next::in_words(&fire.notes),
        };
        Some(JobPreview {
            job: job.name.clone(),
            schedule: job.schedule.describe(),
            timezone: job.timezone.to_string(),
            enabled: job.enabled,
            next: fires.iter().map(fire).collect(),
            pushes: job.push.iter().take(PUSHES).map(|push| self.push(push)).collect(),
            more_pushes: job.push.len().saturating_sub(PUSHES),
        })
    }

    fn push(&self, push: &PushSpec) -> PushPreview {
        let kind = push.message.body.kind();
        let query = PushQuery {
            im: &push.im,
            kind,
            is_group: push.target.is_group(),
            account: push.account.as_deref(),
            trigger: Trigger::Cron,
            chat: None,
            fallback: self.fallback,
            now: NOW,
        };
        let mut told = PushPreview {
            im: push.im.clone(),
            target: push.target.to_string(),
            kind: kind.as_str(),
            account: None,
            rule: None,
            unprobed: false,
            reason: None,
            until: None,
            refused: Vec::new(),
            by: None,
        };
        let (choice, assumed) = self.choose(&query);
        match choice {
            Choice::Use { index, rule } => {
                told.account = self.accounts.get(index).map(|account| account.id.clone());
                told.unprobed = assumed.contains(&index);
                (told.rule, told.by) = (Some(rule.as_str()), Some(rule));
            }
            Choice::Wait { reason, until } => {
                told.until = until.map(|until| self.now + until.since(NOW));
                self.refused(&query, reason, &mut told);
            }
            Choice::Never { reason } => self.refused(&query, reason, &mut told),
            // Not reached: each account is taken to be well once.
            Choice::ProbeFirst { .. } => told.reason = Some(Reason::Probing.as_str()),
        }
        told
    }

    /// The choice of the dispatcher. An account of which nobody knows how it is, and on which it hangs, is taken to be well;
    /// those are told beside it.
    fn choose(&self, query: &PushQuery<'_>) -> (Choice, Vec<usize>) {
        let (mut healths, mut assumed) = (self.healths.clone(), Vec::new());
        for _ in 0..self.accounts.len() {
            let Choice::ProbeFirst { index } = choose(query, &self.candidates(&healths)) else { break };
            healths[index] = Health {
                online: Some(true),
                sendable: Some(true),
                checked_at: Some(self.now),
                ..std::mem::take(&mut healths[index])
            };
            assumed.push(index);
        }
        (choose(query, &self.candidates(&healths)), assumed)
    }

    fn refused(&self, query: &PushQuery<'_>, reason: Reason, told: &mut PushPreview) {
        told.reason = Some(reason.as_str());
        let each = why_not(query, &self.candidates(&self.healths));
        let refused = |(index, reason): (usize, Reason)| {
            let account = self.accounts.get(index)?.id.clone();
            Some(RefusedBy { account, reason: reason.as_str() })
        };
        told.refused = each.into_iter().take(ACCOUNTS).filter_map(refused).collect();
    }

    fn candidates<'a>(&'a self, healths: &'a [Health]) -> Vec<Candidate<'a>> {
        let each = self.accounts.iter().zip(healths);
        each.map(|(account, health)| Candidate {
            id: &account.id,
            im: &account.im,
            is_default: account.is_default,
            health,
            support: account.spec.support,
        })
        .collect()
    }
}
