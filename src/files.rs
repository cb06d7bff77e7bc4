//! Files of the language on disk: which of them may be used by others, and their bytes.
//!
//! A file may use those below one folder: that of the nearest `saga.toml` upward, or else of the file that was named
//! first. What a link leads to counts, not where the link stands; and only regular files, so that nothing is waited for.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::check::{Library, NotFound, Place};

/// The name of the file with the settings; it marks the folder of a project.
pub const SETTINGS: &str = "saga.toml";

/// Of a larger folder not all names are looked at.
const NAMES_MAX: usize = 1_000;

/// The folder from which files may be used, and the file that was named first.
#[derive(Clone, Debug)]
pub struct Folder {
    first: PathBuf,
    root: PathBuf,
}

impl Folder {
    /// For a file that was named first; it need not be there yet, as of a text from standard input.
    ///
    /// # Errors
    /// Its folder is not there.
    pub fn around(first: &Path) -> io::Result<Self> {
        let first = fs::canonicalize(first).or_else(|_| {
            let folder = first.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs::canonicalize(folder).map(|folder| folder.join(first.file_name().unwrap_or_default()))
        })?;
        let folder = first.parent().unwrap_or(Path::new("/"));
        let root = folder.ancestors().find(|above| above.join(SETTINGS).is_file()).unwrap_or(folder).to_owned();
        Ok(Self { first, root })
    }
}

/// The most entries of folders that are looked at for the users of a file: a second's work.
pub const ENTRIES_MAX: usize = 50_000;

/// Folders that hold what tools have made: large, and no sources.
const MADE: [&str; 2] = ["target", "node_modules"];

/// The files that may use a file, and itself: those below the folder of the nearest `saga.toml`, and those in the folders
/// above it, from which it may be used too. None where there is more than [`ENTRIES_MAX`] to look at.
///
/// Hidden folders are passed over, and links are not followed.
#[must_use]
pub fn users(file: &Path) -> Option<BTreeSet<PathBuf>> {
    let above: Vec<&Path> = file.ancestors().skip(1).collect();
    let project = above.iter().find(|folder| folder.join(SETTINGS).is_file());
    let mut open: Vec<(PathBuf, bool)> = above.iter().map(|folder| (folder.to_path_buf(), false)).collect();
    open.extend(project.map(|folder| (folder.to_path_buf(), true)));
    let mut found = BTreeSet::new();
    let mut entries = 0;
    while let Some((folder, with_those_below)) = open.pop() {
        // One that cannot be read holds nothing that could be used.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            entries += 1;
            if entries > ENTRIES_MAX {
                return None;
            }
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            let is_made = name.to_string_lossy().starts_with('.') || MADE.iter().any(|made| *made == name);
            if kind.is_dir() && with_those_below && !is_made {
                open.push((entry.path(), true));
            } else if kind.is_file() && is_ours(&entry.path()) {
                found.insert(entry.path());
            }
        }
    }
    Some(found)
}

/// Whether a file is one of the language by its name.
fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "saga" || extension == "yaml" || extension == "yml")
}

impl Library for Folder {
    fn first(&self, name: &str) -> Place {
        Place { key: self.first.to_string_lossy().into_owned(), name: name.to_owned() }
    }

    fn find(&self, from: &Place, path: &str) -> Result<Place, NotFound> {
        let folder = Path::new(&from.key).parent().unwrap_or(Path::new("/"));
        let outside = || NotFound::Outside { folder: self.root.to_string_lossy().into_owned() };
        let wanted = folder.join(path);
        let found = fs::canonicalize(&wanted).map_err(|error| match error.kind() {
            // Nobody learns what else there is on the machine.
            _ if !straight(&wanted).starts_with(&self.root) => outside(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NotFound::Missing { beside: beside(&wanted) },
            _ => NotFound::Unreadable(error.to_string()),
        })?;
        if !found.starts_with(&self.root) {
            return Err(outside());
        }
        if !found.is_file() {
            return Err(NotFound::NotAFile);
        }
        let key = found.into_os_string().into_string();
        let key = key.map_err(|_| NotFound::Unreadable("its path is not UTF-8".to_owned()))?;
        let shown = Path::new(&from.name).parent().unwrap_or(Path::new("")).join(path);
        Ok(Place { key, name: straight(&shown).to_string_lossy().into_owned() })
    }

    fn read(&self, place: &Place, most: usize) -> Result<Vec<u8>, NotFound> {
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        let read = File::open(&place.key).and_then(|file| file.take(limit).read_to_end(&mut bytes));
        read.map(|_| bytes).map_err(|error| NotFound::Unreadable(error.to_string()))
    }
}

/// The path without `.` and, where it can be told, without `..`.
fn straight(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(straight.components().next_back(), Some(Component::Normal(_))) => {
                straight.pop();
            }
            part => straight.push(part),
        }
    }
    straight
}

/// The names of the files of the language beside which a path would stand.
#[must_use]
pub fn beside(path: &Path) -> Vec<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().take(NAMES_MAX).map(|entry| entry.path()).filter(|path| is_ours(path));
    paths.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
}
