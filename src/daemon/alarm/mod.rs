//! `on_failure`: who is told when a push ends badly or an account goes down, and when it is well again.
//!
//! The ends of pushes are read from the store, so that a crash between an end and its report loses nothing; what the
//! engine tells only wakes this task. Accounts are known by what the engine tells of them. A report about the reports
//! themselves is never made, whoever else may push to the same place.

mod command;
mod report_log;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use crate::clock::SharedClock;
use crate::config::{Config, OnFailure};
use crate::domain::{Body, CalendarRef, DayRule, Job, Locked, Moment, Outcome, PushSpec, PushState, Trigger, UtcMs};
use crate::engine::dispatcher::Event;
use crate::engine::observer::EngineEvent;
use crate::store::{AdHoc, SharedStore, StoreError};
use crate::texts::Language;
use report_log::{Report, ReportLog, Reported};

/// Trouble seldom comes alone: so long it is gathered before it is told.
const GATHER: Duration = Duration::from_secs(2);
/// How often the store is asked where no event came.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// So long an attempt without a clear answer keeps reports from its account. Of many nothing can be asked, so that only
/// another attempt shows that they are well again; where nobody else uses one, a report has to be that attempt.
const UNCLEAR_FOR: Duration = Duration::from_secs(60);
/// In the last days of a list it is told once a day that no other one has come: for a year from 20 December on.
const LIST_ENDS_WITHIN: i32 = 12;
/// Pushes told one by one.
const TOLD_SINGLY: u64 = 10;
/// Where the store keeps what was told, among what the daemon itself keeps.
const MEMORY: &str = "on_failure";

/// What wakes the alarm.
enum Input {
    BadEnd,
    Account {
        account: String,
        down: bool,
        error: Option<String>,
    },
    /// What the files were refused for; None where they are in force.
    Files {
        refused: Option<String>,
    },
    Settings(Box<Settings>),
}

/// What of the configuration concerns the alarm.
pub(super) struct Settings {
    on_failure: Option<OnFailure>,
    accounts: Vec<ReportAccount>,
    zone: TimeZone,
    language: Language,
    /// The last days of the lists of days by which jobs go.
    lists: BTreeMap<String, Date>,
}

/// An account as far as it may carry a report.
struct ReportAccount {
    id: String,
    im: String,
    is_default: bool,
}

impl Settings {
    pub(super) fn of(config: &Config) -> Settings {
        let report_account = |account: &crate::domain::Account| ReportAccount {
            id: account.id.clone(),
            im: account.im.clone(),
            is_default: account.is_default,
        };
        Settings {
            on_failure: config.daemon.on_failure.clone(),
            accounts: config.accounts.iter().map(report_account).collect(),
            // The configuration was refused if it did not exist.
            zone: TimeZone::get(&config.daemon.timezone).unwrap_or(TimeZone::UTC),
            // Whose locale the daemon was started in says nothing about who reads its reports.
            language: config.daemon.language.unwrap_or_default(),
            lists: last_days(config.jobs.iter().filter(|job| job.enabled)),
        }
    }
}

fn last_days<'a>(jobs: impl Iterator<Item = &'a Job>) -> BTreeMap<String, Date> {
    let named = jobs.filter_map(|job| job.days.as_deref()).flat_map(DayRule::calendars);
    let until = |calendar: &CalendarRef| Some((calendar.name.clone(), calendar.list.as_ref()?.covers?.until));
    named.filter_map(until).collect()
}

/// Why an account may not carry a report.
#[derive(Clone, Copy)]
enum Trouble {
    /// It is down, until it is told otherwise.
    Down,
    /// Its last attempt failed by its own or its platform's fault, or it was down and nobody can tell whether it still is.
    UnclearSince(Moment),
}

type UnhealthyAccounts = Arc<Mutex<HashMap<String, Trouble>>>;

/// What the engine's events are told to.
#[derive(Clone)]
pub(super) struct Handle {
    inbox: mpsc::UnboundedSender<Input>,
    unhealthy: UnhealthyAccounts,
    clock: SharedClock,
}

impl Handle {
    pub(super) fn observe(&self, event: EngineEvent<'_>) {
        let input = match event {
            EngineEvent::Ended { state: PushState::Failed | PushState::Unknown | PushState::Expired, .. } => {
                Input::BadEnd
            }
            EngineEvent::Account { account, health, .. } => {
                match (health.is_down(), health.online, health.sendable) {
                    (true, ..) => drop(self.unhealthy().insert(account.to_owned(), Trouble::Down)),
                    (false, Some(true), Some(true)) => drop(self.unhealthy().remove(account)),
                    // It cannot tell, so that only an attempt can show that it works again.
                    _ => {
                        if let Some(trouble @ Trouble::Down) = self.unhealthy().get_mut(account) {
                            *trouble = Trouble::UnclearSince(self.clock.boottime());
                        }
                    }
                }
                Input::Account { account: account.to_owned(), down: health.is_down(), error: health.last_error.clone() }
            }
            EngineEvent::Attempt { account, outcome, .. } => {
                match outcome {
                    Outcome::Sent | Outcome::Rejected | Outcome::TargetGone => drop(self.unhealthy().remove(account)),
                    _ => {
                        let unclear = Trouble::UnclearSince(self.clock.boottime());
                        let mut unhealthy = self.unhealthy();
                        let trouble = unhealthy.entry(account.to_owned()).or_insert(unclear);
                        if !matches!(trouble, Trouble::Down) {
                            *trouble = unclear;
                        }
                    }
                }
                return;
            }
            EngineEvent::Ended { .. } | EngineEvent::Fires { .. } => return,
        };
        // The other end is gone only once the alarm has ended.
        let _ = self.inbox.send(input);
    }

    /// After a reload.
    pub(super) fn set(&self, settings: Settings) {
        let _ = self.inbox.send(Input::Settings(Box::new(settings)));
    }

    /// What a reload was refused for, if it was.
    pub(super) fn reloaded(&self, refused: Option<String>) {
        let _ = self.inbox.send(Input::Files { refused });
    }

    fn unhealthy(&self) -> std::sync::MutexGuard<'_, HashMap<String, Trouble>> {
        self.unhealthy.locked()
    }

    /// The accounts that may not carry a report now.
    fn in_trouble(&self) -> HashSet<String> {
        let now = self.clock.boottime();
        let is_in_trouble = |trouble: &Trouble| match trouble {
            Trouble::Down => true,
            Trouble::UnclearSince(since) => now < *since + UNCLEAR_FOR,
        };
        self.unhealthy().iter().filter(|(_, trouble)| is_in_trouble(trouble)).map(|(id, _)| id.clone()).collect()
    }
}

/// Where reports go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Channel {
    Push,
    Command,
}

impl Channel {
    fn as_str(self) -> &'static str {
        match self {
            Channel::Push => "push",
            Channel::Command => "command",
        }
    }
}

struct ChannelState {
    log: ReportLog,
    last_at: Option<Moment>,
}

impl ChannelState {
    fn new(told: Reported) -> ChannelState {
        ChannelState { log: ReportLog::new(told), last_at: None }
    }
}

/// The task that sends the reports.
pub(super) struct Alarm {
    store: SharedStore,
    clock: SharedClock,
    dispatcher: mpsc::UnboundedSender<Event>,
    host: String,
    settings: Settings,
    channels: BTreeMap<Channel, ChannelState>,
    inbox: mpsc::UnboundedReceiver<Input>,
    handle: Handle,
    /// A report waits for an account, which was said.
    waits: bool,
    /// What was told as the store keeps it.
    kept: String,
}

impl Alarm {
    /// An alarm that tells what happens from `since` on, or from where an earlier process stopped.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn new(
        settings: Settings,
        store: SharedStore,
        clock: SharedClock,
        dispatcher: mpsc::UnboundedSender<Event>,
        since: UtcMs,
    ) -> Result<Alarm, StoreError> {
        let kept = store.load_state("").await?.into_iter().find(|(key, _)| key == MEMORY);
        // What cannot be read was written by another release; then the report begins anew.
        let told: BTreeMap<Channel, Reported> =
            kept.and_then(|(_, json)| serde_json::from_str(&json).ok()).unwrap_or_default();
        let (sender, inbox) = mpsc::unbounded_channel();
        let handle = Handle { inbox: sender, unhealthy: UnhealthyAccounts::default(), clock: clock.clone() };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let channels = told.into_iter().map(|(channel, told)| (channel, ChannelState::new(told))).collect();
        let mut alarm = Alarm {
            store,
            clock,
            dispatcher,
            host,
            settings,
            channels,
            inbox,
            handle,
            waits: false,
            kept: String::new(),
        };
        alarm.set_channels(since);
        Ok(alarm)
    }

    /// Where events are to be told.
    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until aborted.
    pub(super) async fn run(mut self) {
        let clock = self.clock.clone();
        // The daemon has just read its files, and none was refused.
        self.on_input(Input::Files { refused: None });
        // From here on a crash makes the next process go on where this one stopped, also before the first report.
        self.look_and_say().await;
        loop {
            let every = self.settings.on_failure.as_ref().map_or(LOOK_EVERY, |on_failure| on_failure.every);
            tokio::select! {
                Some(input) = self.inbox.recv() => {
                    self.on_input(input);
                    clock.sleep(GATHER).await;
                    while let Ok(input) = self.inbox.try_recv() {
                        self.on_input(input);
                    }
                }
                () = clock.sleep(every.min(LOOK_EVERY)) => {}
            }
            self.look_and_say().await;
        }
    }

    async fn look_and_say(&mut self) {
        if let Err(error) = self.look().await {
            // The next look comes soon, and a database in trouble is told by whoever writes.
            debug!(%error, "cannot see what is to be reported");
        }
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::BadEnd => {}
            Input::Account { account, down, error } => {
                let now = self.clock.now();
                for state in self.channels.values_mut() {
                    state.log.note(&account, down, error.as_deref(), now);
                }
            }
            Input::Files { refused } => {
                let now = self.clock.now();
                for state in self.channels.values_mut() {
                    state.log.note_files(refused.as_deref(), now);
                }
            }
            Input::Settings(settings) => {
                self.settings = *settings;
                self.set_channels(self.clock.now());
            }
        }
    }

    /// The channels that the settings name. A new one begins at `since`.
    fn set_channels(&mut self, since: UtcMs) {
        let channels = self.settings.on_failure.as_ref().map(|on_failure| {
            [(Channel::Push, on_failure.push.is_some()), (Channel::Command, on_failure.command.is_some())]
        });
        let channels: Vec<Channel> =
            channels.into_iter().flatten().filter_map(|(channel, named)| named.then_some(channel)).collect();
        self.channels.retain(|channel, _| channels.contains(channel));
        for channel in channels {
            // What the start itself ends may carry the very instant of the start.
            let since = Some(since - Duration::from_millis(1));
            let fresh = || {
                ChannelState::new(Reported {
                    after: 0,
                    since,
                    down: BTreeSet::new(),
                    lists_told_on: None,
                    files_refused: false,
                })
            };
            let state = self.channels.entry(channel).or_insert_with(fresh);
            state.log.keep(|id| self.settings.accounts.iter().any(|account| account.id == id));
        }
    }

    /// Tells what is to be told by now.
    async fn look(&mut self) -> Result<(), StoreError> {
        let Some(on_failure) = self.settings.on_failure.clone() else { return Ok(()) };
        let mut outcome = Ok(());
        for channel in [Channel::Push, Channel::Command] {
            let told = self.tell(channel, &on_failure).await;
            outcome = outcome.and(told);
        }
        let json = self.memory(None);
        if json != self.kept {
            self.store.save_state("", MEMORY, &json, self.clock.now()).await?;
            self.kept = json;
        }
        outcome
    }

    /// What was told, as the store keeps it; `once` a report went out, if one is about to.
    fn memory(&self, once: Option<(Channel, &Report)>) -> String {
        let told = |(channel, state): (&Channel, &ChannelState)| {
            let mut log = state.log.clone();
            if let Some((_, report)) = once.filter(|(of, _)| of == channel) {
                log.close(report);
            }
            (*channel, log.reported)
        };
        let told: BTreeMap<Channel, Reported> = self.channels.iter().map(told).collect();
        // Plain data, and writing to memory cannot fail.
        serde_json::to_string(&told).unwrap_or_default()
    }

    /// Sends a report through this channel, if there is something to report and it is time.
    async fn tell(&mut self, channel: Channel, on_failure: &OnFailure) -> Result<(), StoreError> {
        let (now, moment) = (self.clock.now(), self.clock.boottime());
        let Some(state) = self.channels.get_mut(&channel) else { return Ok(()) };
        if state.last_at.is_some_and(|last| moment < last + on_failure.every) {
            return Ok(());
        }
        // A clock that was set back must not silence the alarm until the old hour comes round.
        let told = &mut state.log.reported;
        told.since = told.since.map(|since| since.min(now));
        let (after, since) = (told.after, told.since);
        let ours = on_failure.push.as_ref().map(|push| (push.im.as_str(), &push.target));
        let ends = self.store.bad_ends(after, since, ours, TOLD_SINGLY).await?;
        let today = now.to_jiff().to_zoned(self.settings.zone.clone()).date();
        let ending = |(name, until): (&String, &Date)| {
            ((*until - today).get_days() < LIST_ENDS_WITHIN).then(|| (name.clone(), *until))
        };
        let ending = self.settings.lists.iter().filter_map(ending).collect();
        let report = state.log.report(ends, &ending, today);
        if report.is_empty() {
            state.log.close(&report);
            return Ok(());
        }
        let text = text::text(&report, &self.host, &self.settings.zone, self.settings.language);
        let went_out = match (channel, &on_failure.push, &on_failure.command) {
            (Channel::Push, Some(push), _) => self.push(push, &text, &report, now).await?,
            (Channel::Command, _, Some(argv)) => self.run_command(argv, &text).await,
            _ => false,
        };
        let Some(state) = self.channels.get_mut(&channel) else { return Ok(()) };
        if went_out {
            state.last_at = Some(moment);
            state.log.close(&report);
            info!(way = channel.as_str(), "a report on failures went out");
        } else if channel == Channel::Command {
            state.last_at = Some(moment);
        }
        self.waits &= !went_out;
        Ok(())
    }

    /// Hands the report to the dispatcher, pinned to an account that works, if there is one.
    async fn push(&mut self, push: &PushSpec, text: &str, report: &Report, now: UtcMs) -> Result<bool, StoreError> {
        let unhealthy = self.handle.in_trouble();
        let Some(account) = report_account(push, &self.settings.accounts, &unhealthy) else {
            if !std::mem::replace(&mut self.waits, true) {
                warn!(
                    im = push.im,
                    "a report on failures waits: the accounts that could carry it are in trouble themselves"
                );
            }
            return Ok(false);
        };
        let push = AdHoc { spec: with_report(push, account, text), triggered_by: Trigger::Manual, chat: None };
        // In one transaction: no kill comes between the report and the note that it was made.
        let memory = self.memory(Some((Channel::Push, report)));
        let id = self.store.push_and_save_state(push, MEMORY, &memory, now).await?;
        self.kept = memory;
        // It is recorded: whatever fails from here on, it must not be made again.
        match self.store.open_pushes().await {
            // A dispatcher that is gone leaves it to the next start.
            Ok(open) => {
                let ours = open.into_iter().filter(|open| open.id == id).collect();
                let _ = self.dispatcher.send(Event::Opened(ours));
            }
            Err(error) => debug!(push = id, %error, "a report waits until open pushes are read anew"),
        }
        Ok(true)
    }

    async fn run_command(&self, argv: &[String], text: &str) -> bool {
        // A program that adds it to a file would glue the next one to it.
        let ran = command::run(argv, &format!("{text}\n"), &self.clock).await;
        if let Err(error) = &ran {
            warn!(error, "the command of on_failure did not take a report; it gets it again with the next one");
        }
        ran.is_ok()
    }
}

/// The account to pin a report to: the named one, else, where one of the im is in trouble, another that is not, the
/// default first. None: nobody can carry it now.
fn report_account(push: &PushSpec, accounts: &[ReportAccount], unhealthy: &HashSet<String>) -> Option<Option<String>> {
    if let Some(named) = &push.account {
        return (!unhealthy.contains(named)).then(|| Some(named.clone()));
    }
    let of_im = || accounts.iter().filter(|account| account.im == push.im);
    if !of_im().any(|account| unhealthy.contains(&account.id)) {
        return Some(None);
    }
    let well = || of_im().filter(|account| !unhealthy.contains(&account.id));
    well().find(|account| account.is_default).or_else(|| well().next()).map(|account| Some(account.id.clone()))
}

/// The configured push, its text followed by the report.
fn with_report(push: &PushSpec, account: Option<String>, report: &str) -> PushSpec {
    let mut push = PushSpec { account, ..push.clone() };
    if let Body::Text { text } = &mut push.message.body {
        *text = [text.as_str(), report].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("\n");
    }
    push
}

#[cfg(test)]
mod tests;
