//! The surroundings of a load, with the lists of days that the database keeps.

use std::path::PathBuf;

use tracing::debug;

use crate::config::{self, FetchedList, LoadEnvironment, Sight};
use crate::domain::{Database, UtcMs};
use crate::store::{self, Access, FetchedCalendar};

/// Those of this process. What was fetched is looked up in `database`, else in the one that the files name, and only where a
/// calendar asks for it.
pub(crate) fn surroundings(paths: &[PathBuf], database: Option<&PathBuf>, now: UtcMs) -> LoadEnvironment {
    let (paths, database) = (paths.to_vec(), database.cloned());
    let fetched = move || {
        let (paths, database) = (paths.clone(), database.clone());
        // Files are read where other work is waited for too, which no other wait may be begun within.
        std::thread::spawn(move || look_up(&paths, database, now)).join().unwrap_or_default()
    };
    LoadEnvironment { fetched: Box::new(fetched), ..LoadEnvironment::of_process(now) }
}

fn look_up(paths: &[PathBuf], database: Option<PathBuf>, now: UtcMs) -> Vec<FetchedList> {
    let database = match database {
        Some(database) => Some(Database::at(database)),
        None => {
            let around = LoadEnvironment { sight: Sight::Onlooker, ..LoadEnvironment::of_process(now) };
            config::database_location(paths, &around).ok().map(|found| found.database)
        }
    };
    let Some(database) = database.and_then(|database| store::real_name(&database).ok()) else { return Vec::new() };
    if !store::exists(&database) {
        return Vec::new();
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let looked_up = runtime.block_on(async {
        let store = store::open(&database, Access::Read, now).await?;
        let lists = store.fetched_calendars().await;
        store.close().await;
        lists
    });
    let lists = looked_up.unwrap_or_else(|problem| {
        debug!(%problem, "the lists of days that were fetched cannot be looked up");
        Vec::new()
    });
    let kept = |list: FetchedCalendar| {
        let FetchedCalendar { name, list, good_at, error, .. } = list;
        Some(FetchedList { name, text: list?, good_at: good_at?, error })
    };
    lists.into_iter().filter_map(kept).collect()
}
