//! What a pod printed becomes evidence. Nothing in it is trusted: sizes, names and values are checked again, and no text
//! that may be a key is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::collect::assemble::{kept_name, kept_value};
use crate::collect::tlsfile;
use crate::evidence::{
    Answer, DialInside, FileFacts, FileInside, Inside, KeyFacts, KeyForm, Process, Seen, Shape, Why,
};
use crate::grpc::pem::Reading;
use crate::probe::inside::{DIALS, Visit};

/// Stands before the line of JSON.
pub(super) const MARK: &[u8] = b"raytls-inside-1 ";

/// The most processes of one container that are kept.
const PROCESSES: usize = 64;
/// The most files of one container that are kept.
const FILES: usize = 12;
/// The most listening ports of one process that are kept.
const PORTS: usize = 64;

/// The evidence in the line behind the mark.
///
/// # Errors
/// One clause, when it is not what the program prints.
pub(super) fn read(line: &[u8], visit: &Visit, asked_at: Timestamp) -> Result<Inside, String> {
    let told: Told = serde_json::from_slice(line).map_err(|error| {
        format!("the pod answered with something else (line of {} bytes, column {})", line.len(), error.column())
    })?;
    Ok(told.kept(visit, asked_at))
}

/// What stands for a dial that was not made, for there is no gRPC in the container.
pub(super) fn not_made(host: &str, port: u16, why: &str) -> DialInside {
    DialInside {
        host: host.to_owned(),
        port,
        tls: false,
        answer: Answer::Status(NO_GRPC.into(), why.to_owned()),
        words: Vec::new(),
    }
}

/// The status of a dial that was not made.
pub(super) const NO_GRPC: &str = "NO_GRPC";

/// What the programs tell, as it comes.
#[derive(Default, Deserialize)]
pub(super) struct Told {
    pub(super) clock: i64,
    /// Version of Python; sh has none.
    python: String,
    #[serde(default)]
    ray: Option<String>,
    #[serde(default)]
    grpcio: Option<String>,
    pub(super) reader: u32,
    #[serde(default)]
    pub(super) processes: Vec<OneProcess>,
    #[serde(default)]
    pub(super) counts: BTreeMap<String, u32>,
    #[serde(default)]
    pub(super) files: Vec<OneFile>,
    #[serde(default)]
    dials: Vec<Dial>,
    #[serde(default)]
    no_grpc: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct OneProcess {
    pub(super) pid: u32,
    pub(super) kind: String,
    pub(super) started: Option<i64>,
    pub(super) uid: Option<u32>,
    pub(super) variables: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) withheld: Vec<String>,
    pub(super) ports: Option<Vec<u16>>,
}

#[derive(Default, Deserialize)]
pub(super) struct OneFile {
    pub(super) variable: String,
    pub(super) path: String,
    pub(super) resolved: String,
    pub(super) pid: u32,
    #[serde(default)]
    pub(super) size: u64,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mode: Option<u32>,
    pub(super) changed: Option<i64>,
    pub(super) readable: Option<bool>,
    #[serde(default)]
    pub(super) absent: bool,
    #[serde(default)]
    pub(super) denied: bool,
    pub(super) error: Option<String>,
    pub(super) shape: Option<String>,
    #[serde(default)]
    pub(super) withheld: bool,
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) keys: Vec<OneKey>,
}

#[derive(Deserialize)]
pub(super) struct OneKey {
    pub(super) algorithm: String,
    pub(super) bits: u32,
    pub(super) spki: Option<String>,
    pub(super) form: KeyForm,
}

#[derive(Deserialize)]
struct Dial {
    host: String,
    port: u16,
    #[serde(default)]
    tls: bool,
    status: Option<String>,
    #[serde(default)]
    details: String,
    impossible: Option<String>,
    #[serde(default)]
    words: Vec<String>,
}

impl Told {
    /// What is kept of it.
    pub(super) fn kept(self, visit: &Visit, asked_at: Timestamp) -> Inside {
        let mut dials: Vec<DialInside> = self.dials.into_iter().take(DIALS).map(Dial::kept).collect();
        // Without gRPC nothing is dialled; each dial says so.
        if let Some(why) = &self.no_grpc {
            let why = format!("grpcio cannot be loaded: {}", plain(why, 200));
            dials = visit.dials.iter().map(|(host, port)| not_made(host, *port, &why)).collect();
        }
        // A pod tells of what it was asked only.
        dials.retain(|dial| visit.dials.iter().any(|(host, port)| *host == dial.host && *port == dial.port));
        Inside {
            namespace: visit.namespace.clone(),
            pod: visit.pod.clone(),
            container: visit.container.clone(),
            asked_at,
            clock: time(self.clock),
            interpreter: format!("Python {}", plain(&self.python, 32)),
            ray: self.ray.map(|version| plain(&version, 64)),
            grpcio: self.grpcio.map(|version| plain(&version, 64)),
            reader: self.reader,
            processes: self.processes.into_iter().take(PROCESSES).map(OneProcess::kept).collect(),
            counts: self.counts.into_iter().take(32).map(|(kind, count)| (plain(&kind, 32), count)).collect(),
            files: self.files.into_iter().take(FILES).filter_map(OneFile::kept).collect(),
            dials,
        }
    }
}

impl OneProcess {
    fn kept(self) -> Process {
        let mut variables = BTreeMap::new();
        let mut withheld: Vec<String> = self.withheld.iter().take(128).map(|name| plain(name, 128)).collect();
        for (name, value) in self.variables.iter().flatten().filter(|(name, _)| kept_name(name)).take(128) {
            match kept_value(value) {
                // A value that was cut is another one.
                Some(kept) if kept == *value => _ = variables.insert(plain(name, 128), kept),
                _ => withheld.push(plain(name, 128)),
            }
        }
        Process {
            pid: self.pid,
            kind: plain(&self.kind, 32),
            started_at: self.started.and_then(time),
            uid: self.uid,
            variables: self.variables.map(|_| variables),
            withheld,
            ports: self.ports.map(|ports| ports.into_iter().take(PORTS).collect()),
        }
    }
}

impl OneFile {
    fn kept(self) -> Option<FileInside> {
        if !matches!(self.variable.as_str(), "RAY_TLS_SERVER_CERT" | "RAY_TLS_SERVER_KEY" | "RAY_TLS_CA_CERT") {
            return None;
        }
        let content = match &self.error {
            _ if self.absent => Seen::Absent,
            Some(error) => Seen::Unseen(Why::Unreadable(plain(error, 200))),
            None if self.withheld => Seen::Unseen(Why::Unreadable(
                "a block labelled CERTIFICATE holds something else, which stayed in the pod".into(),
            )),
            None => self.facts().map_or_else(|why| Seen::Unseen(Why::Unreadable(why)), Seen::Found),
        };
        Some(FileInside {
            variable: self.variable,
            path: kept_value(&self.path)?,
            resolved: kept_value(&self.resolved)?,
            pid: self.pid,
            content,
            readable: if self.denied { Some(false) } else { self.readable },
            owner: self.uid.zip(self.gid).zip(self.mode).map(|((uid, gid), mode)| (uid, gid, mode & 0o7777)),
            changed_at: self.changed.and_then(time),
        })
    }

    fn facts(&self) -> Result<FileFacts, String> {
        let shaped = |shape| {
            Ok(FileFacts { size: self.size, sha256: None, shape, certificates: Reading::default(), keys: Vec::new() })
        };
        let text = match (self.shape.as_deref(), &self.text) {
            (Some("empty"), _) => return shaped(Shape::Empty),
            (Some("jks"), _) => return shaped(Shape::Jks),
            (Some("pkcs12"), _) => return shaped(Shape::Pkcs12),
            (Some("der"), _) => return shaped(Shape::Der),
            (Some("base64-of-pem"), _) => return shaped(Shape::Base64OfPem),
            (Some("placeholder"), _) => return shaped(Shape::Text { placeholder: true }),
            (Some("text"), _) => return shaped(Shape::Text { placeholder: false }),
            (Some("binary"), _) => return shaped(Shape::Binary),
            (None, Some(text)) => text,
            _ => return Err("the pod says nothing of its content".into()),
        };
        // Each character is a byte of the file.
        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let bytes = bytes.ok_or("the pod sent text that is no file")?;
        let (mut facts, keys) = tlsfile::read(&bytes);
        if !keys.is_empty() {
            return Err("the pod sent a private key, which was thrown away".into());
        }
        facts.size = self.size;
        // Blocks that are cut off have no facts but that they are there.
        let cut = facts.keys.split_off(self.keys.len().min(facts.keys.len()));
        facts.keys = self.keys.iter().take(8).map(OneKey::kept).chain(cut).collect();
        Ok(facts)
    }
}

impl OneKey {
    fn kept(&self) -> KeyFacts {
        let is_hash = |text: &&String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let known = ["RSA", "P-256", "P-384", "P-521", "Ed25519"].contains(&self.algorithm.as_str());
        KeyFacts {
            algorithm: if known { self.algorithm.clone() } else { "unknown".into() },
            bits: self.bits,
            spki_sha256: self.spki.as_ref().filter(is_hash).map(|hash| hash.to_ascii_lowercase()),
            form: self.form.clone(),
        }
    }
}

impl Dial {
    fn kept(self) -> DialInside {
        let answer = match (self.status, self.impossible) {
            (Some(status), None) => Answer::Status(plain(&status, 40), plain(&self.details, 600)),
            (_, Some(why)) => Answer::Impossible(plain(&why, 300)),
            (None, None) => Answer::Impossible("the pod says nothing of it".into()),
        };
        DialInside {
            host: plain(&self.host, 260),
            port: self.port,
            tls: self.tls,
            answer,
            words: self.words.iter().take(6).map(|line| plain(line, 300)).collect(),
        }
    }
}

/// One line of so many characters at most, and nothing that may be a key.
fn plain(text: &str, most: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect();
    if line.contains("PRIVATE KEY") || line.contains("-----") { "(left out)".into() } else { line }
}

fn time(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit() -> Visit {
        Visit {
            namespace: "ray".into(),
            pod: "ray-head-0".into(),
            container: "ray".into(),
            dials: vec![("ray-head".into(), 6379)],
        }
    }

    fn told(line: &str) -> Result<Inside, String> {
        read(line.as_bytes(), &visit(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for line in ["", "{}", "[]", "null", "\u{0}", r#"{"clock":"x"}"#, &"[".repeat(100_000)] {
            assert!(told(line).is_err(), "{line:.20}");
        }
    }

    #[test]
    fn a_lying_pod_gets_nothing_private_into_the_evidence() {
        let key = rcgen::KeyPair::generate().expect("a key").serialize_pem();
        let line = serde_json::json!({
            "clock": 4_000_000_000_000_000_i64, "python": "3\u{1b}[31m", "reader": 1,
            "processes": [{"pid": 1, "kind": "first", "variables": {
                "RAY_USE_TLS": "1", "RAY_AUTH_TOKEN": "hunter2", "PASSWORD": "hunter2", "RAY_TLS_CA_CERT": key,
            }}],
            "files": [
                {"variable": "RAY_TLS_SERVER_KEY", "path": "/k", "resolved": "/k", "pid": 1, "text": key, "keys": []},
                {"variable": "PASSWORD", "path": "hunter2", "resolved": "/k", "pid": 1},
            ],
            "dials": [
                {"host": "ray-head", "port": 6379, "status": "OK", "details": key, "words": [key]},
                {"host": "elsewhere", "port": 1, "status": "OK"},
            ],
        });
        let inside = told(&line.to_string()).expect("an answer");
        let text = serde_json::to_string(&inside).expect("JSON");
        for piece in key.lines().chain(["hunter2", "\\u001b", "elsewhere"]) {
            assert!(!text.contains(piece), "{piece} in {text}");
        }
        assert_eq!(inside.clock, None);
        assert_eq!(inside.variable("RAY_USE_TLS"), Some(Some("1")));
        assert!(matches!(&inside.files[0].content, Seen::Unseen(Why::Unreadable(why)) if why.contains("thrown away")));
    }
}
