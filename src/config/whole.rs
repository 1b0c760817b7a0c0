//! All that was read, to a configuration: the end of every load.

use std::sync::Arc;

use super::configuration::Config;
use super::environment::LoadEnvironment;
use super::judge::Judge;
use super::loader::Loader;
use super::mask::SecretKeys;
use super::problem::ConfigErrors;
use super::sources::Sources;
use super::validate::validate;
use crate::domain::{PushSpec, SenderSpec};

/// What the files come to, and the push outside any job.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn finish(
    mut loader: Loader<'_>,
    environment: &LoadEnvironment,
    specs: &[&'static SenderSpec],
) -> Result<(Config, Vec<PushSpec>), ConfigErrors> {
    loader.calendar_files();
    loader.doubt_directories();
    let judge = Judge::of(&loader, environment, specs).map(Arc::new);
    let definitions = validate(&mut loader, environment);
    let warnings = loader.diagnostics.finish(&loader.sources, &SecretKeys::new(specs));
    let seen = loader.seen;
    let warnings = match warnings {
        Ok(warnings) => warnings,
        Err(errors) => return Err(ConfigErrors { under_way: loader.under_way, seen, ..errors }),
    };
    let config = Config {
        read_at: environment.now,
        daemon: definitions.daemon,
        accounts: definitions.accounts,
        account_names: definitions.account_names,
        jobs: definitions.jobs,
        fetched: loader.fetched_sources,
        warnings,
        files: loader.files,
        secret_files: loader.secret_files,
        seen,
        sources: Sources(loader.brought),
        judge,
    };
    Ok((config, definitions.pushes))
}
