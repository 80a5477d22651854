use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{FileFacts, Seen};

/// What one container of a live pod told of itself, by `--inside`: `/proc` of its Ray processes, the files that they
/// name, and dials that were made there. No private half of a key is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inside {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// When it was asked by this machine's clock, UTC.
    pub asked_at: Timestamp,
    /// The pod's own clock then, UTC, in whole seconds.
    pub clock: Option<Timestamp>,
    /// What answered: `Python 3.11.2` or `sh`.
    pub interpreter: String,
    /// Version of the package `ray`, where one is installed for that interpreter.
    pub ray: Option<String>,
    /// Version of the package `grpcio`, as [`Inside::ray`].
    pub grpcio: Option<String>,
    /// Process id of the process whose variables and files stand for the container: the GCS, else the raylet, else the first.
    pub reader: u32,
    /// Ray's processes, the first one (kind `first`) and the one that answered (kind `exec`, with the container's own
    /// environment); at most four of a kind.
    pub processes: Vec<Process>,
    /// How many processes of each kind there are.
    pub counts: BTreeMap<String, u32>,
    /// The files that the processes name, the reader's first.
    pub files: Vec<FileInside>,
    /// Dials that were made there.
    pub dials: Vec<DialInside>,
}

/// A clock that is not this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// When it was asked by this machine's clock, UTC.
    pub asked_at: Timestamp,
    /// What it said, UTC, in whole seconds.
    pub said: Timestamp,
}

/// A process in a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Process id in the container.
    pub pid: u32,
    /// `gcs_server`, `raylet`, `agent`, `ray-client-server`, `session`, `dashboard`, `monitor`, `runtime-env-agent`,
    /// `worker`, `first`, `exec`.
    pub kind: String,
    /// When it started, UTC, to about a second.
    pub started_at: Option<Timestamp>,
    /// Effective user id.
    pub uid: Option<u32>,
    /// `RAY_*` variables that hold no secret, as it was started with; none when they cannot be read.
    pub variables: Option<BTreeMap<String, String>>,
    /// Names of those whose values are not kept, though their names would be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// TCP ports it listens on, sorted; none when they cannot be read.
    pub ports: Option<Vec<u16>>,
}

/// A file as a process of the container finds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileInside {
    /// The variable that names it.
    pub variable: String,
    /// The path as it is written there.
    pub path: String,
    /// The path from the root.
    pub resolved: String,
    /// The process that names it so.
    pub pid: u32,
    /// What is there. Unreadable by whoever asked is `Unseen`.
    pub content: Seen<FileFacts>,
    /// Whether the process may read it; none when that cannot be told.
    pub readable: Option<bool>,
    /// Owner's user id, group id and permission bits.
    pub owner: Option<(u32, u32, u32)>,
    /// When the file was last changed, UTC.
    pub changed_at: Option<Timestamp>,
}

/// A dial made inside a container by Python's gRPC, with the files and variables of the reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialInside {
    /// Host as it was dialled.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether TLS was spoken, as `RAY_USE_TLS` of the reader says.
    pub tls: bool,
    /// What came of it.
    pub answer: Answer,
    /// What gRPC printed on it, at most a handful of lines.
    pub words: Vec<String>,
}

/// What came of a dial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// gRPC ended it with this status: its name (`OK`, `UNIMPLEMENTED`, `UNAVAILABLE`) and its details.
    Status(String, String),
    /// Python could not even make the channel, as Ray's Python processes could not: one clause.
    Impossible(String),
}

impl Clock {
    /// How far it is ahead of this machine's; none when the two agree to a minute, for an answer takes its time.
    pub fn ahead(self) -> Option<SignedDuration> {
        let ahead = self.said.duration_since(self.asked_at);
        (ahead.abs() > AGREES).then_some(ahead)
    }
}

/// Longer than an answer may take: it is asked at one time, and says what it says later.
const AGREES: SignedDuration = SignedDuration::from_secs(60);

impl Inside {
    /// How far the pod's clock is ahead of this machine's; none when they agree to a minute or it was not told.
    pub fn ahead(&self) -> Option<SignedDuration> {
        Clock { asked_at: self.asked_at, said: self.clock? }.ahead()
    }

    /// The process whose variables and files stand for the container.
    pub fn reader(&self) -> Option<&Process> {
        self.processes.iter().find(|process| process.pid == self.reader)
    }

    /// The value of a variable in the reader; the outer `None` when it was not seen.
    #[allow(clippy::option_option)]
    pub fn variable(&self, name: &str) -> Option<Option<&str>> {
        let reader = self.reader()?;
        let variables = reader.variables.as_ref().filter(|_| !reader.withheld.iter().any(|other| other == name))?;
        Some(variables.get(name).map(String::as_str))
    }

    /// The value that the container was started with, whatever its command did to it; as [`Inside::variable`].
    #[allow(clippy::option_option)]
    pub fn given(&self, name: &str) -> Option<Option<&str>> {
        let own = self.processes.iter().find(|process| process.kind == "exec")?;
        let variables = own.variables.as_ref().filter(|_| !own.withheld.iter().any(|other| other == name))?;
        Some(variables.get(name).map(String::as_str))
    }

    /// The file that the reader names by this variable.
    pub fn file(&self, variable: &str) -> Option<&FileInside> {
        self.files.iter().find(|file| file.pid == self.reader && file.variable == variable)
    }

    /// Ports of the processes of one kind.
    pub fn ports<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = u16> + 'a {
        let of_kind = self.processes.iter().filter(move |process| process.kind == kind);
        of_kind.flat_map(|process| process.ports.iter().flatten().copied())
    }
}

impl DialInside {
    /// Whether the port took the connection: any answer of a gRPC server, whatever it says to the call.
    /// None when a proxy may have answered, or nothing was dialled.
    pub fn accepted(&self) -> Option<bool> {
        let Answer::Status(code, details) = &self.answer else { return None };
        match code.as_str() {
            "UNAVAILABLE" | "DEADLINE_EXCEEDED" => Some(false),
            _ if details.contains("http2 header with status") => None,
            "OK" | "UNIMPLEMENTED" | "UNAUTHENTICATED" | "PERMISSION_DENIED" | "NOT_FOUND" => Some(true),
            _ => None,
        }
    }
}
