//! What sh printed becomes evidence, by the rules of [`super::answer`]: lines of a word and what belongs to it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::answer::{OneFile, OneKey, OneProcess, Told};
use crate::evidence::{Inside, KeyForm};
use crate::probe::inside::Visit;

/// The line before the first.
pub(super) const MARK: &[u8] = b"raytls-inside-sh-1";
/// The line after the last.
pub(super) const END: &[u8] = b"raytls-inside-sh-1 end";
/// What is said to have answered.
pub(super) const NAME: &str = "sh";

/// The evidence in the lines between the marks.
///
/// # Errors
/// One clause, when they are not what the program prints.
pub(super) fn read(text: &[u8], visit: &Visit, asked_at: Timestamp) -> Result<Inside, String> {
    let mut told = Told::default();
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        add(&mut told, line)
            .ok_or_else(|| format!("the pod's sh answered with something else (line {})", at + 1))??;
    }
    Ok(Inside { interpreter: NAME.into(), ..told.kept(visit, asked_at) })
}

/// Adds one line; none when it is not one of the program's, an error when the program could not do its work.
fn add(told: &mut Told, line: &[u8]) -> Option<Result<(), String>> {
    // Each byte of a text is one character, as Python sends it.
    let latin: String = line.iter().map(|byte| char::from(*byte)).collect();
    let (word, rest) = latin.split_once(' ').unwrap_or((&latin, ""));
    let words: Vec<&str> = rest.split(' ').collect();
    match (word, words.as_slice()) {
        ("lacks", _) => return Some(Err(format!("the container has neither Python nor {rest}"))),
        // A `date` that knows no seconds tells nothing.
        ("clock", [seconds]) => told.clock = seconds.parse().unwrap_or(i64::MAX),
        ("count", [kind]) => *told.counts.entry((*kind).to_owned()).or_default() += 1,
        ("reader", [pid]) => told.reader = pid.parse().ok()?,
        ("process", [pid, kind, uid, started]) => told.processes.push(OneProcess {
            pid: pid.parse().ok()?,
            kind: (*kind).to_owned(),
            uid: uid.parse().ok(),
            started: started.parse().ok(),
            ..OneProcess::default()
        }),
        ("variable", [pid, name, ..]) => {
            let value = rest.splitn(3, ' ').nth(2)?;
            let process = process(told, pid)?;
            // A later duplicate loses, as for getenv.
            if !process.withheld.iter().any(|other| other == name) {
                let variables = process.variables.get_or_insert_with(BTreeMap::new);
                variables.entry((*name).to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        ("withheld", [pid, name]) => process(told, pid)?.withheld.push((*name).to_owned()),
        ("environ", [pid]) => _ = process(told, pid)?.variables.get_or_insert_with(BTreeMap::new),
        ("file", [variable]) => {
            told.files.push(OneFile { variable: (*variable).to_owned(), pid: told.reader, ..OneFile::default() })
        }
        _ => return of_file(told.files.last_mut()?, word, rest, &words).map(Ok),
    }
    Some(Ok(()))
}

fn of_file(file: &mut OneFile, word: &str, rest: &str, words: &[&str]) -> Option<()> {
    match (word, words) {
        ("text", _) => {
            let text = file.text.get_or_insert_with(String::new);
            text.push_str(rest);
            text.push('\n');
        }
        // The last line of the file has no end.
        ("unended", _) => _ = file.text.as_mut()?.pop(),
        ("path", _) => file.path = rest.to_owned(),
        ("resolved", _) => file.resolved = rest.to_owned(),
        ("absent", _) => file.absent = true,
        ("denied", _) => file.denied = true,
        ("readable", _) => file.readable = Some(true),
        ("withheld-block", _) => file.withheld = true,
        ("error", _) => file.error = Some(rest.to_owned()),
        ("shape", [shape]) => file.shape = Some((*shape).to_owned()),
        ("size", [size]) => file.size = size.parse().ok()?,
        ("stat", [size, uid, gid, mode, changed]) => {
            file.size = size.parse().ok()?;
            (file.uid, file.gid, file.changed) = (uid.parse().ok(), gid.parse().ok(), changed.parse().ok());
            file.mode = u32::from_str_radix(mode, 8).ok();
        }
        ("key", [form, algorithm, bits, spki]) => file.keys.push(OneKey {
            algorithm: (*algorithm).to_owned(),
            bits: bits.parse().unwrap_or(0),
            spki: Some((*spki).to_owned()).filter(|spki| *spki != "-"),
            form: match *form {
                "encrypted" => KeyForm::Encrypted,
                "open-ssh" => KeyForm::OpenSsh,
                "pkcs1" => KeyForm::Pkcs1,
                "pkcs8" => KeyForm::Pkcs8,
                "sec1" => KeyForm::Sec1,
                "unreadable" => KeyForm::Unreadable,
                _ => return None,
            },
        }),
        _ => return None,
    }
    Some(())
}

fn process<'t>(told: &'t mut Told, pid: &str) -> Option<&'t mut OneProcess> {
    let pid: u32 = pid.parse().ok()?;
    told.processes.iter_mut().rfind(|process| process.pid == pid)
}

#[cfg(test)]
mod tests;
