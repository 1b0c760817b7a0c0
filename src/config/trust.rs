//! Who else on this machine can change what the configuration says.
//!
//! Root can do all anyway, and we ourselves may. A group may too: it was given the file on purpose.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::text::shown;
use crate::texts::{self, Text};

/// Whose a file or directory is, and what others may do with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    pub owner: u32,
    /// Permission bits.
    pub mode: u32,
}

/// Why somebody else decides what stands in a file, and what to do.
#[derive(Debug, PartialEq)]
pub(super) struct Doubt {
    pub problem: Text,
    pub hint: Text,
}

impl Rights {
    pub(super) fn of(meta: &Metadata) -> Rights {
        Rights { owner: meta.uid(), mode: meta.mode() }
    }

    pub(super) fn private(owner: u32) -> Rights {
        Rights { owner, mode: 0o600 }
    }

    pub(super) fn all_may_read(self) -> bool {
        self.mode & 0o004 != 0
    }

    pub(super) fn all_may_something(self) -> bool {
        self.mode & 0o007 != 0
    }

    pub(super) fn doubt_of_file(self, path: &Path, user: u32) -> Option<Doubt> {
        self.doubt(path, user, self.mode & 0o002 != 0, &texts::change_this_file())
    }

    fn doubt_of_directory(self, path: &Path, user: u32) -> Option<Doubt> {
        // With the sticky bit (/tmp) each may remove only what is theirs.
        let open = self.mode & 0o1002 == 0o002;
        self.doubt(path, user, open, &texts::replace_files_here())
    }

    fn doubt(self, path: &Path, user: u32, open: bool, deed: &Text) -> Option<Doubt> {
        if open {
            let problem = texts::every_user_can(deed);
            return Some(Doubt { problem, hint: texts::chmod("o-w", shown(path)) });
        }
        if self.owner != 0 && self.owner != user {
            let problem = texts::owner_can(self.owner, deed);
            return Some(Doubt { problem, hint: texts::chown_root(shown(path)) });
        }
        None
    }
}

/// Directories on the way to these files, by their names and by what links lead to, that others rule.
pub(super) fn doubtful_directories<'a>(
    files: impl IntoIterator<Item = &'a PathBuf>,
    user: u32,
) -> Vec<(PathBuf, Doubt)> {
    let mut directories = BTreeSet::new();
    for file in files {
        for path in [std::path::absolute(file), std::fs::canonicalize(file)].into_iter().flatten() {
            directories.extend(path.ancestors().skip(1).flat_map(std::fs::canonicalize));
        }
    }
    let doubt = |directory: PathBuf| {
        let rights = Rights::of(&std::fs::metadata(&directory).ok()?);
        let doubt = rights.doubt_of_directory(&directory, user)?;
        Some((directory, doubt))
    };
    directories.into_iter().filter_map(doubt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_who_can_change_a_file_or_its_place_are_told() {
        let us = 998;
        // Owner, mode, then who is told of a file and of a directory.
        let table = [
            (0, 0o640, None, None),
            (us, 0o660, None, None),
            (0, 0o755, None, None),
            (0, 0o666, Some("every user"), Some("every user")),
            (us, 0o777, Some("every user"), Some("every user")),
            (0, 0o1777, Some("every user"), None),
            (1000, 0o1777, Some("every user"), Some("user 1000")),
            (1000, 0o700, Some("user 1000"), Some("user 1000")),
        ];
        for (owner, mode, file, directory) in table {
            let rights = Rights { owner, mode };
            let told = |doubt: Option<Doubt>| doubt.map(|doubt| doubt.problem.english().to_owned());
            for (told, expected) in [
                (told(rights.doubt_of_file(Path::new("f"), us)), file),
                (told(rights.doubt_of_directory(Path::new("d"), us)), directory),
            ] {
                let fits = match (&told, expected) {
                    (Some(told), Some(who)) => told.starts_with(&format!("{who} of this machine can ")),
                    (told, expected) => told.is_none() && expected.is_none(),
                };
                assert!(fits, "{rights:?}: {told:?}");
            }
        }
    }
}
