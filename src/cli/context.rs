//! What verbs share: where the files and the database are, and how they are opened.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::args::Global;
use super::failure::{Exit, Failure};
use crate::acts::{Actor, Acts, Files, literal, surroundings};
use crate::answers::check::{self, Report};
use crate::answers::contacts::{Known, contacts};
use crate::answers::jobs::or_not_loaded;
use crate::answers::next::{self, KnownOfJobs};
use crate::answers::refusal::Refusal;
use crate::answers::status;
use crate::clock::SharedClock;
use crate::config::{self, Config, ConfigErrors, DatabaseLocation, LoadEnvironment, Problem, Scenario, Sight};
use crate::daemon::Options;
use crate::domain::presence::Runs;
use crate::domain::{Account, Calendar, Database, PushSpec, StateDir, UtcMs};
use crate::senders::http::Http;
use crate::senders::{self, Environment, Memory, MemoryError};
use crate::store::{self, Access, Backend, History, Holder, SharedStore};
use crate::texts::{self, Language};

/// Where the files are when nobody says otherwise.
const SYSTEM_CONFIG: &str = "/etc/pushcron";

pub(super) struct Context {
    global: Global,
    pub clock: SharedClock,
    language: OnceCell<Language>,
}

impl Context {
    pub(super) fn new(global: Global, clock: SharedClock) -> Context {
        Context { global, clock, language: OnceCell::new() }
    }

    pub(super) fn now(&self) -> UtcMs {
        self.clock.now()
    }

    /// The files and directories of the configuration: `-c`, else `$PUSHCRON_CONFIG`, else the system's directory.
    /// Empty where there is none of them: then the embedded example holds.
    pub(super) fn config_paths(&self) -> Vec<PathBuf> {
        if !self.global.config.is_empty() {
            return self.global.config.clone();
        }
        match std::env::var_os("PUSHCRON_CONFIG").filter(|paths| !paths.is_empty()) {
            Some(paths) => std::env::split_paths(&paths).collect(),
            None if Path::new(SYSTEM_CONFIG).exists() => vec![PathBuf::from(SYSTEM_CONFIG)],
            None => Vec::new(),
        }
    }

    /// The language of who asks: that of the locale, else the one that the files say.
    pub(super) fn language(&self) -> Language {
        *self.language.get_or_init(|| {
            let around = self.surroundings();
            let of_locale = Language::of_locale(|name| (around.variable)(name));
            of_locale.or_else(|| config::language(&self.config_paths(), &around)).unwrap_or_default()
        })
    }

    /// The whole configuration. Its warnings are told by `check` and `run`.
    pub(super) fn config(&self) -> Result<Config, ConfigErrors> {
        self.of_this_database(config::load(&self.config_paths(), &senders::specs(), &self.surroundings())?)
    }

    /// The configuration, unless it is the built-in example, and the database knows other jobs: then somebody forgot to name
    /// their files, and what would be told or sent is not what runs.
    fn of_this_database(&self, config: Config) -> Result<Config, ConfigErrors> {
        let forgotten = if config.files.is_empty() { self.forgotten(&config) } else { Vec::new() };
        if forgotten.is_empty() { Ok(config) } else { Err(ConfigErrors::of(forgotten)) }
    }

    /// As `check` says it: that this is told by the built-in example, since no file is named.
    pub(super) fn tell_of_example(&self) {
        if self.config_paths().is_empty() && !self.is_quiet() {
            let _ = writeln!(io::stderr(), "{}", texts::by_the_example().in_language(self.language()));
        }
    }

    /// As [`Context::config`], for what is sent from here, since no daemon runs.
    ///
    /// # Errors
    ///
    /// Where only secrets are missing, with what to do about that.
    pub(super) fn config_to_send(&self) -> Result<Config, Failure> {
        self.config().map_err(|errors| self.without_secrets(errors.into()))
    }

    /// Why something cannot be sent from here, where that is because only the service sees what some accounts are given.
    fn without_secrets(&self, failure: Failure) -> Failure {
        let Ok(config) = self.config_to_look_at() else { return failure };
        let unseen = config.unseen_accounts();
        if unseen.is_empty() {
            return failure;
        }
        let text = texts::secrets_unseen(unseen.join(", "));
        failure.saying(text)
    }

    /// As [`Context::config`], for what needs no secret: without accounts of which only the running service sees all.
    pub(super) fn config_to_look_at(&self) -> Result<Config, ConfigErrors> {
        self.of_this_database(config::load(&self.config_paths(), &senders::specs(), &self.seeing(Sight::Onlooker))?)
    }

    /// As [`Context::config_to_look_at`], of other files.
    pub(super) fn config_of(&self, path: &Path) -> Result<Config, ConfigErrors> {
        config::load(&[path.to_owned()], &senders::specs(), &self.seeing(Sight::Onlooker))
    }

    /// The list of days of that name.
    pub(super) fn calendar(&self, name: &str) -> Result<Calendar, ConfigErrors> {
        config::calendar(&self.config_paths(), name, &senders::specs(), &self.seeing(Sight::Onlooker))
    }

    /// The present of the database: now, or the last moment of what a simulation wrote.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(super) async fn present(&self, store: &dyn History) -> Result<UtcMs, Failure> {
        Ok(store.simulated_until().await?.unwrap_or(self.now()))
    }

    /// The database that was named on the command line.
    pub(super) fn named_database(&self) -> Option<Database> {
        self.global.db.as_ref().map(Database::at)
    }

    /// The script of a simulation of these files.
    pub(super) fn scenario(&self, path: &Path, config: &Config) -> Result<Scenario, ConfigErrors> {
        config::scenario(path, config, &senders::specs(), &self.surroundings())
    }

    /// The whole configuration, and pushes outside any job that are judged by its rules: what of them is named twice is
    /// told. Who sends them must see all that accounts are given; who hands them to the daemon need not.
    ///
    /// # Errors
    ///
    /// A problem of the pushes alone is one of the command line.
    pub(super) fn config_and_pushes(&self, pushes: &Value, sight: Sight) -> Result<(Config, Vec<PushSpec>), Failure> {
        let text = literal(&pushes.to_string());
        let around = self.seeing(sight);
        let loaded = config::load_with_pushes(&self.config_paths(), &text, &senders::specs(), &around);
        let loaded = loaded.and_then(|(config, pushes)| Ok((self.of_this_database(config)?, pushes)));
        let (config, mut pushes) = loaded.map_err(|errors| match sight {
            Sight::Service => self.without_secrets(errors.into()),
            Sight::Judge | Sight::Onlooker | Sight::Text => errors.into(),
        })?;
        let mut known = HashSet::new();
        pushes.retain(|push| {
            let is_new = known.insert((push.im.clone(), push.target.clone(), push.account.clone()));
            if !is_new {
                let told = texts::named_twice(&push.im, &push.target);
                let _ = writeln!(io::stderr(), "{}", told.in_language(self.language()));
            }
            is_new
        });
        Ok((config, pushes))
    }

    /// The files by which jobs are judged that a verb makes.
    ///
    /// # Errors
    ///
    /// Where none is named, and the database knows jobs of others.
    pub(super) fn files(&self) -> Result<Files, Failure> {
        let paths = self.config_paths();
        if paths.is_empty() {
            self.config_to_look_at()?;
        }
        Ok(Files { paths, now: self.now() })
    }

    /// What the database alone knows of jobs; without one there is nothing to know.
    ///
    /// # Errors
    ///
    /// When there is a database that cannot be read.
    pub(super) fn known_of_jobs(&self, asked: Option<&str>) -> Result<KnownOfJobs, Failure> {
        if !self.has_database()? {
            return Ok(KnownOfJobs::default());
        }
        self.reading(async |store| Ok(next::known(store, asked).await?))
    }

    fn surroundings(&self) -> LoadEnvironment {
        surroundings(&self.config_paths(), self.global.db.as_ref(), self.now())
    }

    fn seeing(&self, sight: Sight) -> LoadEnvironment {
        LoadEnvironment { sight, ..self.surroundings() }
    }

    /// Whether nothing is to be said but what goes wrong.
    pub(super) fn is_quiet(&self) -> bool {
        self.global.quiet > 0
    }

    /// What the daemon is told.
    pub(super) fn daemon_options(&self) -> Options {
        Options { config: self.config_paths(), database: self.global.db.clone() }
    }

    /// Where the database is, links followed, and the zone of rows that belong to no job.
    ///
    /// # Errors
    ///
    /// When the files do not tell, and `--db` does not either; when the path can mean no database.
    pub(super) fn whereabouts(&self) -> Result<DatabaseLocation, Failure> {
        let named = self.named_whereabouts();
        // While the files are broken, a daemon goes on by what they said before.
        let is_there = named.as_ref().is_ok_and(|named| store::exists(&named.database));
        if self.global.db.is_none()
            && !is_there
            && let Some(found) = self.of_running()
        {
            return Ok(found);
        }
        let named = named?;
        Ok(DatabaseLocation { database: store::real_name(&named.database)?, ..named })
    }

    /// That of a daemon which runs by these very files, where one does.
    fn of_running(&self) -> Option<DatabaseLocation> {
        let asked = config::real_names(&self.config_paths());
        let mut driven = if asked.is_empty() { Vec::new() } else { store::driven() }.into_iter();
        let now = self.now();
        driven.find_map(|database| {
            let opened = database.clone();
            // This is asked where other work is waited for too, which no other wait may be begun within.
            let noted = std::thread::spawn(move || status::runs(&opened, now)).join().ok().flatten();
            let Runs { timezone, .. } = noted.filter(|runs| runs.files == asked)?;
            Some(DatabaseLocation { database, timezone })
        })
    }

    fn named_whereabouts(&self) -> Result<DatabaseLocation, Failure> {
        let found = config::database_location(&self.config_paths(), &self.seeing(Sight::Onlooker));
        match (&self.global.db, found) {
            (Some(database), Ok(found)) => Ok(DatabaseLocation { database: Database::at(database), ..found }),
            (Some(database), Err(_)) => {
                let timezone = self.surroundings().timezone.unwrap_or_else(|| "UTC".to_owned());
                Ok(DatabaseLocation { database: Database::at(database), timezone })
            }
            (None, found) => Ok(found?),
        }
    }

    /// What is wrong with the files that were named or found, where they cannot even tell where the database is.
    pub(super) fn unread_files(&self) -> Vec<Problem> {
        let found = config::database_location(&self.config_paths(), &self.seeing(Sight::Onlooker));
        found.err().map(|errors| errors.errors).unwrap_or_default()
    }

    /// Whether a daemon runs on the database.
    ///
    /// # Errors
    ///
    /// As [`Context::whereabouts`].
    pub(super) fn daemon_runs(&self) -> Result<bool, Failure> {
        Ok(self.holder()?.is_some_and(|holder| holder.is_daemon))
    }

    /// Who holds the database, if anybody does.
    ///
    /// # Errors
    ///
    /// As [`Context::whereabouts`].
    pub(super) fn holder(&self) -> Result<Option<Holder>, Failure> {
        Ok(store::holder(&self.whereabouts()?.database))
    }

    /// Opens the database to look at it, and hands it to `work`.
    ///
    /// # Errors
    ///
    /// Those of `work`, and when there is no database yet or it cannot be read.
    pub(super) fn reading<T>(&self, work: impl AsyncFnOnce(&dyn History) -> Result<T, Failure>) -> Result<T, Failure> {
        self.with_store(Access::Read, async |store| work(store).await)
    }

    /// As [`Context::reading`], with all that there is beside the rows.
    ///
    /// # Errors
    ///
    /// As [`Context::reading`].
    pub(super) fn reading_all<T>(
        &self,
        work: impl AsyncFnOnce(&dyn Backend) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.with_store(Access::Read, work)
    }

    /// Opens the database to change it, and hands it to `work`. A daemon that runs on it takes notice.
    ///
    /// # Errors
    ///
    /// Those of `work`, and when there is no database yet or it cannot be written.
    pub(super) fn changing<T>(&self, work: impl AsyncFnOnce(&dyn Backend) -> Result<T, Failure>) -> Result<T, Failure> {
        self.with_store(Access::Write, work)
    }

    fn with_store<T>(
        &self,
        access: Access,
        work: impl AsyncFnOnce(&dyn Backend) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let database = self.whereabouts()?.database;
        // Even a verb that writes has nothing to say to a database without any job.
        if !store::exists(&database) {
            let text = format!(
                "there is no database {} yet: `pushcron run` makes it; `check` and `next` work without (or name one with --db)",
                database
            );
            return Err(Failure::new(Exit::OutOfReach, text));
        }
        self.block_on(async {
            let store = store::open(&database, access, self.now()).await?;
            let answer = work(&*store).await;
            store.close().await;
            answer
        })
    }

    /// What this person does to the database.
    pub(super) fn acts(&self, store: &dyn Backend) -> Acts {
        Acts::new(store, self.clock.clone(), self.actor())
    }

    /// This person.
    pub(super) fn actor(&self) -> Actor {
        Actor::CommandLine { uid: rustix::process::getuid().as_raw() }
    }

    /// Whether there is a database yet.
    ///
    /// # Errors
    ///
    /// As [`Context::whereabouts`].
    pub(super) fn has_database(&self) -> Result<bool, Failure> {
        Ok(store::exists(&self.whereabouts()?.database))
    }

    /// A refusal over this job, with what the files know where the database does not know the job.
    pub(super) fn of_job(&self, job: &str, refusal: Refusal) -> Refusal {
        let jobs = || self.config_to_look_at().map(|config| config.jobs).unwrap_or_default();
        let in_files = || jobs().into_iter().map(|job| job.name).collect();
        or_not_loaded(refusal, job, in_files, || self.daemon_runs().unwrap_or(false))
    }

    /// What senders are built with in a process that is not the daemon.
    ///
    /// # Errors
    ///
    /// When the system gives no certificates, or the database is there and cannot be read.
    pub(super) async fn environment(&self) -> Result<Environment, Failure> {
        let database = self.whereabouts()?.database;
        let store = match store::exists(&database) {
            true => Some(store::open(&database, Access::Read, self.now()).await?),
            false => None,
        };
        self.environment_with(ReadOnlyMemory(store), &database)
    }

    /// What the files come to.
    ///
    /// # Errors
    ///
    /// When the system gives no certificates.
    pub(super) fn check(&self) -> Result<Report, Failure> {
        let loaded = config::load(&self.config_paths(), &senders::specs(), &self.seeing(Sight::Judge));
        let mut doubts = Vec::new();
        let refused = match &loaded {
            Ok(config) => {
                let named = self.named_database().unwrap_or_else(|| Database::at(&config.daemon.database));
                let database = store::real_name(&named).unwrap_or_else(|_| named.clone());
                doubts.extend(check::without_directory(&database));
                let mut refused = check::refused_database(&named);
                // What only the senders themselves can judge.
                refused.extend(check::unusable(
                    &config.accounts,
                    &self.environment_with(ReadOnlyMemory(None), &database)?,
                ));
                refused.extend(check::unmet(config, check::is_run_as_root(&database)));
                refused.extend(self.forgotten(config));
                refused
            }
            Err(_) => Vec::new(),
        };
        let names = loaded.as_ref().map(|config| config.account_names.clone()).unwrap_or_default();
        let ended = match &loaded {
            Ok(config) if config.jobs.iter().any(|job| job.max_fires().is_some()) => {
                check::ended(&config.jobs, &self.known_of_jobs(None).unwrap_or_default().counted)
            }
            _ => Vec::new(),
        };
        let mut report = Report::new(loaded, refused);
        report.warnings.extend(doubts);
        report.warnings.extend(ended);
        if report.accepted.is_some() {
            report.warnings.extend(self.vanished(&names));
        }
        Ok(report)
    }

    /// Jobs that the database knows, and the files have no word of.
    fn forgotten(&self, config: &Config) -> Vec<Problem> {
        if !config::asks_for_known_jobs(config) || !self.has_database().unwrap_or(false) {
            return Vec::new();
        }
        let Ok(DatabaseLocation { database, .. }) = self.whereabouts() else { return Vec::new() };
        let now = self.now();
        // This is asked where other work is waited for too, which no other wait may be begun within.
        let known = std::thread::spawn(move || check::known_jobs(&database, now)).join();
        check::forgotten(config, &known.unwrap_or_default())
    }

    /// What the database that was named holds of accounts that the files do not have.
    fn vanished(&self, names: &[(String, String)]) -> Vec<Problem> {
        let database = self.whereabouts().map(|found| found.database);
        // An empty file asks for no account.
        let is_filled = database.is_ok_and(|database| store::size(&database).is_some_and(|size| size > 0));
        if self.global.db.is_none() || !is_filled {
            return Vec::new();
        }
        let told = self.reading(async |store| Ok(check::vanished(store, names).await?));
        told.unwrap_or_else(|failure| vec![Problem::without_place(texts::accounts_not_looked_at(failure.why()))])
    }

    /// What the senders of these accounts know of single contacts, in words. Nothing where the files cannot be read:
    /// what is shown beside it stands without.
    pub(super) fn contacts(&self, wanted: impl Fn(&Account) -> bool) -> Vec<Known> {
        let known = || {
            let config = self.config_to_look_at()?;
            self.block_on(async {
                let environment = self.environment().await?;
                let wanted = config.accounts.iter().filter(|account| wanted(account));
                Ok::<_, Failure>(contacts(wanted, &environment, self.now()).await)
            })
        };
        known().unwrap_or_default()
    }

    fn environment_with(&self, memory: ReadOnlyMemory, database: &Database) -> Result<Environment, Failure> {
        let http = Http::new().map_err(|error| Failure::of(Exit::Failed, &error))?;
        let state_dir = StateDir::of(database).path().to_owned();
        Ok(Environment { clock: self.clock.clone(), http, memory: Arc::new(memory), state_dir })
    }

    /// Runs what has to wait for the database or the network.
    ///
    /// # Errors
    ///
    /// Those of `work`, and when the system gives no thread.
    pub(super) fn block_on<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| Failure::new(Exit::Failed, format!("cannot start: {error}")))?.block_on(work)
    }
}

/// What senders are asked with outside the daemon: they may look at what they remember, and change nothing of it.
struct ReadOnlyMemory(Option<SharedStore>);

#[async_trait]
impl Memory for ReadOnlyMemory {
    async fn load(&self, account: &str) -> Result<Vec<(String, String)>, MemoryError> {
        match &self.0 {
            Some(store) => store.load_state(account).await.map_err(|error| MemoryError(error.to_string())),
            None => Ok(Vec::new()),
        }
    }

    async fn save(&self, _account: &str, _key: &str, _value: &str) -> Result<(), MemoryError> {
        Ok(())
    }
}
