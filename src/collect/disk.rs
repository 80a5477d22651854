//! Files and folders, read with limits.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Largest file that is read, in bytes.
pub(crate) const LARGEST: u64 = 64 * 1024 * 1024;

/// Deepest folder that is looked into.
const DEEPEST: usize = 32;

/// Why a file was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// There is none.
    Missing,
    /// One clause.
    Because(String),
}

/// The bytes of a file, overwritten when dropped.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let unread = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Unread::Missing,
        ErrorKind::PermissionDenied => Unread::Because("permission denied".into()),
        ErrorKind::IsADirectory => Unread::Because("a folder, not a file".into()),
        _ => Unread::Because(error.to_string()),
    };
    let meta = fs::metadata(path).map_err(unread)?;
    if meta.is_dir() {
        return Err(Unread::Because("a folder, not a file".into()));
    }
    if meta.len() > LARGEST {
        return Err(too_large());
    }
    read_from(&mut File::open(path).map_err(unread)?)
}

/// All that a stream gives, up to [`LARGEST`].
pub(crate) fn read_from(stream: &mut dyn Read) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = stream.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| Unread::Because(error.to_string()))?;
    if bytes.len() as u64 > LARGEST { Err(too_large()) } else { Ok(bytes) }
}

/// The regular files below a folder with one of these extensions, sorted; names with a leading dot are left out.
/// A folder is entered once, however many links lead to it.
pub(crate) fn walk(folder: &Path, extensions: &[&str], problems: &mut Vec<(PathBuf, String)>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    descend(folder, extensions, 0, &mut BTreeSet::new(), &mut found, problems);
    found.sort();
    found
}

fn descend(
    folder: &Path,
    extensions: &[&str],
    depth: usize,
    entered: &mut BTreeSet<PathBuf>,
    found: &mut Vec<PathBuf>,
    problems: &mut Vec<(PathBuf, String)>,
) {
    if depth > DEEPEST {
        problems.push((folder.into(), format!("more than {DEEPEST} folders deep: not looked into")));
        return;
    }
    let listed = fs::canonicalize(folder)
        .and_then(|real| if entered.insert(real) { fs::read_dir(folder).map(Some) } else { Ok(None) });
    let entries = match listed {
        Ok(Some(entries)) => entries,
        Ok(None) => return,
        Err(error) => {
            problems.push((folder.into(), error.to_string()));
            return;
        }
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => descend(&path, extensions, depth + 1, entered, found, problems),
            Ok(meta) if meta.is_file() && has_extension(&path, extensions) => found.push(path),
            Ok(_) => {}
            Err(error) if has_extension(&path, extensions) => problems.push((path, error.to_string())),
            Err(_) => {}
        }
    }
}

/// Whether the name ends in one of these, in any case.
pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| extensions.contains(&extension.as_str()))
}

fn too_large() -> Unread {
    Unread::Because(format!("larger than {} MiB: not read", LARGEST / 1024 / 1024))
}
