//! What a load found in the file system, so that it can be asked whether another one would find the same.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::files::{self, State};

/// As many links one after the other as Linux follows.
const MOST_LINKS: usize = 40;

/// Every file that was asked for, whether or not it was there, and what directories and patterns led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    files: Vec<(PathBuf, Option<State>)>,
    lists: Vec<(ListOf, Vec<PathBuf>)>,
}

/// What leads to files.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ListOf {
    /// The YAML files in it.
    Directory(PathBuf),
    /// A pattern with its whole path.
    Pattern(String),
}

impl ListOf {
    fn now(&self) -> Vec<PathBuf> {
        match self {
            ListOf::Directory(path) => files::in_directory(path).unwrap_or_default(),
            ListOf::Pattern(pattern) => glob::glob(pattern).into_iter().flatten().filter_map(Result::ok).collect(),
        }
    }

    /// The part of the way to it that no pattern changes.
    fn base(&self) -> PathBuf {
        match self {
            ListOf::Directory(path) => path.clone(),
            ListOf::Pattern(pattern) => {
                // Up to the first directory whose name is a pattern itself.
                let plain = pattern.split('/').take_while(|part| !is_pattern(part)).collect::<Vec<_>>().join("/");
                let path = PathBuf::from(if plain.is_empty() { "/" } else { &plain });
                if plain.len() < pattern.len() { path } else { parent(&path) }
            }
        }
    }

    /// The directories that are looked into for it now.
    fn directories(&self) -> Vec<PathBuf> {
        let mut directories = vec![self.base()];
        if let ListOf::Pattern(pattern) = self {
            let ends =
                pattern.match_indices('/').map(|(at, _)| at).chain(pattern.ends_with("**").then_some(pattern.len()));
            for way in ends.map(|end| &pattern[..end]).filter(|way| way.split('/').any(is_pattern)) {
                let found = glob::glob(way).into_iter().flatten().filter_map(Result::ok);
                directories.extend(found.filter(|path| path.is_dir()));
            }
        }
        directories
    }
}

fn is_pattern(part: &str) -> bool {
    part.contains(['*', '?', '['])
}

impl Seen {
    /// Notes how a file is that is about to be read: what is written meanwhile differs then.
    pub(super) fn file(&mut self, path: &Path) {
        self.files.push((path.to_owned(), files::state_of(path)));
    }

    /// The same of the YAML files of a directory.
    pub(super) fn directory(&mut self, path: &Path) {
        let list = ListOf::Directory(path.to_owned());
        self.lists.push((list.clone(), list.now()));
    }

    /// The same of what a pattern leads to.
    pub(super) fn pattern(&mut self, pattern: &str) {
        let list = ListOf::Pattern(pattern.to_owned());
        self.lists.push((list.clone(), list.now()));
    }

    /// The same files, as they are now.
    pub fn now(&self) -> Seen {
        Seen {
            files: self.files.iter().map(|(path, _)| (path.clone(), files::state_of(path))).collect(),
            lists: self.lists.iter().map(|(list, _)| (list.clone(), list.now())).collect(),
        }
    }

    /// Where something happens now if one of the files changes: the directory of each, and of each link that leads there, with
    /// the name in it. Of a directory that is not there, the place where the way to it ends.
    pub fn places(&self) -> BTreeSet<(PathBuf, OsString)> {
        let mut places: BTreeSet<_> = self.files.iter().flat_map(|(path, _)| hops(path)).collect();
        let mut wanted: BTreeSet<PathBuf> = places.iter().map(|(directory, _)| directory.clone()).collect();
        wanted.extend(self.lists.iter().map(|(list, _)| list.base()));
        places.extend(wanted.iter().filter_map(|directory| end_of_the_way(directory)));
        places
    }

    /// Directories in which any name may come to count, as they are now.
    pub fn directories(&self) -> BTreeSet<PathBuf> {
        self.lists.iter().flat_map(|(list, _)| list.directories()).collect()
    }
}

/// Of a directory that is not there: the deepest one above it that is, and the name that is missing in it.
fn end_of_the_way(directory: &Path) -> Option<(PathBuf, OsString)> {
    let mut missing = None;
    for above in directory.ancestors() {
        if above.is_dir() {
            return missing.map(|name| (above.to_owned(), name));
        }
        missing = above.file_name().map(ToOwned::to_owned);
    }
    None
}

fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The links on the way to a file, and the file itself.
fn hops(path: &Path) -> Vec<(PathBuf, OsString)> {
    let mut hops = Vec::new();
    let Ok(mut path) = std::path::absolute(path) else { return hops };
    for _ in 0..MOST_LINKS {
        let mut prefix = PathBuf::new();
        let mut parts = path.components();
        let link = loop {
            let Some(part) = parts.next() else { break None };
            prefix.push(part);
            if let Ok(leads_to) = std::fs::read_link(&prefix) {
                break Some(parent(&prefix).join(leads_to).join(parts.as_path()));
            }
        };
        hops.extend(prefix.file_name().map(|name| (parent(&prefix), name.to_owned())));
        match link {
            Some(next) => path = next,
            None => break,
        }
    }
    hops
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(seen: &Seen, root: &Path) -> Vec<String> {
        let shown = |(directory, name): (PathBuf, OsString)| {
            directory.join(name).strip_prefix(root).unwrap().display().to_string()
        };
        seen.places().into_iter().map(shown).collect()
    }

    #[test]
    fn of_a_file_behind_links_each_of_them_is_a_place_where_it_may_change() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("..1")).unwrap();
        std::fs::write(root.join("..1/a.yaml"), "").unwrap();
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
        let mut seen = Seen::default();
        seen.file(&root.join("a.yaml"));
        assert_eq!(names(&seen, &root), ["..data", "a.yaml", "..1/a.yaml"]);
    }

    #[test]
    fn a_file_that_was_written_replaced_removed_or_made_is_not_as_it_was_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a.yaml"), dir.path().join("new"));
        std::fs::write(&path, "a").unwrap();
        std::fs::write(&other, "a").unwrap();
        let seen = || {
            let mut seen = Seen::default();
            seen.file(&path);
            seen.pattern(&format!("{}/b*.yml", dir.path().display()));
            seen
        };
        let changes: [&dyn Fn(); 5] = [
            &|| std::fs::write(&path, "longer").unwrap(),
            &|| std::fs::rename(&other, &path).unwrap(),
            &|| std::fs::remove_file(&path).unwrap(),
            &|| std::fs::write(&path, "back").unwrap(),
            &|| std::fs::write(dir.path().join("b1.yml"), "").unwrap(),
        ];
        for change in changes {
            let before = seen();
            assert_eq!(before.now(), before);
            change();
            assert_ne!(before.now(), before);
        }
    }

    #[test]
    fn a_pattern_is_watched_where_its_files_lie() {
        for (pattern, directory) in
            [("/etc/jobs.d/*.yaml", "/etc/jobs.d"), ("/etc/*/a.yaml", "/etc"), ("/etc/a.yaml", "/etc"), ("/*", "/")]
        {
            assert_eq!(ListOf::Pattern(pattern.to_owned()).base(), Path::new(directory), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_is_watched_in_each_directory_that_it_leads_through() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b/c")).unwrap();
        std::fs::create_dir_all(root.join("d")).unwrap();
        std::fs::write(root.join("d/file"), "").unwrap();
        for (pattern, expected) in [
            ("**/*.yaml", &["", "a", "a/b", "a/b/c", "d"] as &[&str]),
            ("**", &["", "a", "a/b", "a/b/c", "d"]),
            ("*/b/*.yaml", &["", "a", "a/b", "d"]),
            ("a/b/*.yaml", &["a/b"]),
            ("gone/*.yaml", &["gone"]),
        ] {
            let mut seen = Seen::default();
            seen.pattern(&format!("{}/{pattern}", root.display()));
            let found = seen.directories();
            let found: Vec<_> = found.iter().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_awaited_where_the_way_to_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        let mut seen = Seen::default();
        seen.pattern(&format!("{}/a/b/c/*.yaml", root.display()));
        seen.file(&root.join("d/e.yaml"));
        assert_eq!(names(&seen, &root), ["d", "a/b", "d/e.yaml"]);
    }
}
