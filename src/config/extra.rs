//! Jobs that no file of the configuration brings.

use std::path::Path;

/// Where jobs stand that no file of the configuration brings.
pub enum Extra<'a> {
    /// The words of a verb, as YAML.
    CommandLine(&'a str),
    /// A file that says nothing but jobs.
    File(&'a Path),
}
