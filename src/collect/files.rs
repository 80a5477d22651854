//! PEM files and folders of them, as evidence of their own.
//!
//! A file is a Secret of kind `File` with the path as its name and one value under the empty key.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::disk::{self, Unread};
use super::keyring::{Keyring, Pairing};
use super::manifests::Error;
use super::{tlsfile, tlskey};
use crate::evidence::{Content, Evidence, KeyFacts, Lookup, Mode, ObjectRef, Origin, Secret, Why};

const TLS_FILES: [&str; 9] = ["cer", "cert", "crt", "der", "jks", "key", "p12", "pem", "pfx"];

/// Reads these files, and those in these folders whose names end as TLS files do.
///
/// # Errors
/// When not one file could be read.
pub fn collect(paths: &[PathBuf], taken_at: Timestamp) -> Result<(Evidence, Keyring), Error> {
    let mut evidence = Evidence::new(Mode::Files, "", taken_at);
    let mut keys = Keyring::default();
    let mut pairing = Pairing::default();
    let mut read = 0;
    let mut unread = Vec::new();
    for path in paths {
        let found = if path.is_dir() { disk::walk(path, &TLS_FILES, &mut unread) } else { vec![path.clone()] };
        if found.is_empty() {
            unread.push((path.clone(), "no .pem, .crt or .key file in this folder".into()));
        }
        for file in found {
            read += add(&file, &mut evidence, &mut pairing);
        }
    }
    for (path, why) in unread {
        lost(&path.to_string_lossy(), Some(Why::Unreadable(why)), &mut evidence);
    }
    if read == 0 {
        let told = evidence.lookups.iter().take(5).map(|lookup| match &lookup.unseen {
            Some(why) => format!("{}: {why}", lookup.object.name),
            None => format!("{}: no such file", lookup.object.name),
        });
        return Err(Error::Nothing(told.collect::<Vec<_>>().join("\n")));
    }
    evidence.source = if read == 1 { "1 file".into() } else { format!("{read} files") };
    evidence.secrets.sort_by(|a, b| a.object.cmp(&b.object));
    pairing.finish(&mut keys);
    Ok((evidence, keys))
}

/// Reads these files, each by itself, for so long altogether: one may be a pipe that nobody closes. What is not there, cannot
/// be read or does not end in time is a look-up that says so. The keys are dropped.
pub fn collect_within(paths: &[PathBuf], taken_at: Timestamp, timeout: Duration) -> Evidence {
    let mut evidence = Evidence::new(Mode::Files, "", taken_at);
    let (sender, receiver) = mpsc::channel();
    let mut open: Vec<&PathBuf> = Vec::new();
    for path in paths.iter().filter(|path| !path.as_os_str().is_empty()) {
        if open.contains(&path) {
            continue;
        }
        let (sender, path_there) = (sender.clone(), path.clone());
        let read = move || {
            let mut one = Evidence::new(Mode::Files, "", taken_at);
            add(&path_there, &mut one, &mut Pairing::default());
            // Nobody listens any more when the time is over.
            let _ = sender.send((path_there, one));
        };
        match std::thread::Builder::new().spawn(read) {
            Ok(_) => open.push(path),
            Err(error) => lost(&path.to_string_lossy(), Some(Why::Unreadable(error.to_string())), &mut evidence),
        }
    }
    let end = Instant::now() + timeout;
    while !open.is_empty() {
        let Ok((path, one)) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) else { break };
        open.retain(|waiting| **waiting != path);
        evidence.secrets.extend(one.secrets);
        evidence.lookups.extend(one.lookups);
    }
    for path in open {
        lost(&path.to_string_lossy(), Some(Why::TimedOut), &mut evidence);
        evidence.incomplete = true;
    }
    evidence.secrets.sort_by(|a, b| a.object.cmp(&b.object));
    evidence.lookups.sort_by(|a, b| a.object.cmp(&b.object));
    evidence
}

/// The facts of every private key block in a PEM text, in its order; the keys themselves are dropped.
pub fn private_keys(pem: &[u8]) -> Vec<KeyFacts> {
    tlskey::read(pem).0
}

/// Whether a path is that of a TLS file by its name.
pub(crate) fn is_tls_file(path: &Path) -> bool {
    disk::has_extension(path, &TLS_FILES)
}

/// Reads one file into the evidence: itself, or a look-up that says why not. Returns how many were read.
pub(crate) fn add(path: &Path, evidence: &mut Evidence, pairing: &mut Pairing) -> usize {
    let name = path.to_string_lossy().into_owned();
    match disk::read(path) {
        Ok(bytes) => {
            let (facts, keys) = tlsfile::read(&bytes);
            pairing.add(&name, &facts, keys);
            let object = ObjectRef::new("File", "", &name);
            evidence.secrets.retain(|old| old.object != object);
            evidence.secrets.push(Secret {
                object,
                origin: Origin { file: Some(name), line: None },
                kind: "file".into(),
                data: BTreeMap::from([(String::new(), Content { facts, text: None, traces: None })]),
                invalid: BTreeMap::new(),
                changed_at: None,
                created_at: None,
                annotations: BTreeMap::new(),
            });
            return 1;
        }
        Err(Unread::Missing) => lost(&name, None, evidence),
        Err(Unread::Because(why)) => lost(&name, Some(Why::Unreadable(why)), evidence),
    }
    0
}

fn lost(name: &str, unseen: Option<Why>, evidence: &mut Evidence) {
    let object = ObjectRef::new("File", "", name);
    if !evidence.lookups.iter().any(|lookup| lookup.object == object) {
        evidence.lookups.push(Lookup { object, unseen });
    }
}
