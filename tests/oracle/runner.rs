//! What real gRPC says: pairs of Python processes, one that presents a chain and one that judges it.
//!
//! A refusal counts only when gRPC's own words show that it is about TLS or the files. Whatever else comes, above all
//! silence, is tried once more alone, and is then *not measured*: never a verdict.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::corpus::{Measured, Situation};

/// A grpcio wheel.
#[derive(Clone)]
pub(crate) struct Wheel {
    /// Interpreter.
    pub(crate) python: PathBuf,
    /// The folder it is unpacked in.
    pub(crate) packages: PathBuf,
    /// As it says itself.
    pub(crate) version: String,
}

/// A chain, key and CA that both wheels accept, for the side that is not in question.
pub(crate) struct Good {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) ca: String,
    pub(crate) name: String,
}

/// One question: a situation and the presenter's role.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) situation: &'a Situation,
    /// `server` or `client`.
    pub(crate) role: &'static str,
}

/// The answers to questions, in their order; an error says why there is none.
pub(crate) fn measure(wheel: &Wheel, good: &Good, questions: &[Question<'_>]) -> Vec<Result<Measured, String>> {
    let answers = Mutex::new(questions.iter().map(|_| None).collect::<Vec<_>>());
    let next = Mutex::new(0..questions.len());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let mut pair = Pair::new(wheel, good);
                loop {
                    let Some(at) = next.lock().unwrap().next() else { return };
                    let answer = pair.ask(questions[at]);
                    answers.lock().unwrap()[at] = Some(answer);
                }
            });
        }
    });
    let mut alone = Pair::new(wheel, good);
    let answers = answers.into_inner().unwrap().into_iter().enumerate();
    answers
        .map(|(at, answer)| match answer.unwrap() {
            Ok(measured) if measured.stage != "crash" => Ok(measured),
            // A crash counts only when it comes again in new processes.
            first => {
                alone.end();
                let second = alone.ask(questions[at]);
                match (first, second) {
                    (Ok(crash), Ok(again)) if again.stage != crash.stage => {
                        Err(format!("it crashed once only: {}", crash.verifier_log))
                    }
                    (_, second) => second,
                }
            }
        })
        .collect()
}

const WORKERS: usize = 2;

/// More than the deadline of an RPC in `runner.py`.
const PATIENCE: Duration = Duration::from_secs(40);

const ABORTED: i32 = 6;

/// Words of gRPC that show a refusal of files while they are loaded.
const LOAD: [&str; 6] = [
    "Invalid cert chain file",
    "Invalid private key",
    "Could not load any root certificate",
    "SAN IP Address contained invalid IP",
    "Handshaker factory creation failed",
    "Invalid verification certs",
];

/// Words of gRPC that show a refusal by the peer.
const HANDSHAKE: [&str; 8] = [
    "SAN IP Address contained invalid IP",
    "Handshake failed with",
    "is not in peer certificate",
    "Hostname Verification Check failed",
    "call host does not match SSL server name",
    "SSL_ERROR_SSL",
    "Could not get subject name from certificate",
    "Could not extract utf8 from asn1 string",
];

/// The two processes; each is started when it is needed.
struct Pair<'a> {
    wheel: &'a Wheel,
    good: &'a Good,
    presenter: Option<Process>,
    verifier: Option<Process>,
}

/// Why a process gave no answer.
enum Silent {
    /// It was ended by this signal, or ended itself.
    Died(Option<i32>),
    Late,
}

impl<'a> Pair<'a> {
    fn new(wheel: &'a Wheel, good: &'a Good) -> Self {
        Pair { wheel, good, presenter: None, verifier: None }
    }

    fn end(&mut self) {
        self.presenter = None;
        self.verifier = None;
    }

    fn ask(&mut self, question: Question<'_>) -> Result<Measured, String> {
        let answer = self.connect(question);
        // Whoever has not answered in good order is not asked again.
        if answer.as_ref().is_ok_and(|measured| measured.stage != "crash") {
            return answer;
        }
        self.end();
        answer
    }

    fn connect(&mut self, Question { situation, role }: Question<'_>) -> Result<Measured, String> {
        let Good { chain, key, ca, name } = self.good;
        let presenting = json!({"chain": situation.chain_pem, "key": situation.key_pem, "ca": ca});
        let verifying = json!({"chain": chain, "key": key, "ca": situation.ca_pem});
        let presenter = Process::started(&mut self.presenter, self.wheel)?;
        let verifier = Process::started(&mut self.verifier, self.wheel)?;
        // What was still logged of the case before.
        _ = (presenter.log(), verifier.log());
        let is_server = role == "server";
        let (serving, server, serve) = if is_server {
            (&mut *presenter, "load", presenting.clone())
        } else {
            (&mut *verifier, "trust", verifying.clone())
        };
        let served = match serving.answer("serve", serve) {
            Ok(served) => served,
            Err(silent) => return crashed(silent, serving, server),
        };
        if served["ok"] != true {
            return refused(&served, serving.log(), server, &LOAD);
        }
        let (dialling, client, mut dial) =
            if is_server { (&mut *verifier, "trust", verifying) } else { (&mut *presenter, "load", presenting) };
        dial["port"] = served["port"].clone();
        dial["name"] = json!(if is_server { &situation.name } else { name });
        let dialled = match dialling.answer("dial", dial) {
            Ok(dialled) => dialled,
            Err(silent) => return crashed(silent, dialling, client),
        };
        let serving = if is_server { &mut *presenter } else { &mut *verifier };
        match serving.answer("stop", json!({})) {
            Ok(stopped) if stopped["ok"] == true => {}
            Ok(stopped) => return Err(format!("the server does not stop: {stopped}")),
            Err(silent) => return crashed(silent, serving, server),
        }
        let (judging, presented) = (verifier.log(), presenter.log());
        if dialled["ok"] == true {
            return Ok(accepted());
        }
        let (stage, words) = if is_load(&dialled) { (client, &LOAD[..]) } else { ("handshake", &HANDSHAKE[..]) };
        // Whether signature schemes are common, only the presenter may know.
        let has_words = words.iter().any(|word| judging.contains(word));
        refused(&dialled, if has_words && stage != "load" { judging } else { presented + &judging }, stage, words)
    }
}

fn accepted() -> Measured {
    Measured { verdict: "accept".into(), ..Measured::default() }
}

/// Whether a client failed before it dialled.
fn is_load(dialled: &Value) -> bool {
    let error = dialled["error"].as_str().unwrap_or_default();
    error.contains("empty address list") || error.contains("Failed to create security handshaker")
}

fn refused(answer: &Value, log: String, stage: &str, words: &[&str]) -> Result<Measured, String> {
    let error = without_port(answer["error"].as_str().unwrap_or_default());
    let told = format!("{error}\n{log}");
    if answer["late"] == true || !words.iter().any(|word| told.contains(word)) {
        return Err(format!("no refusal at {stage} by gRPC's words: {told}"));
    }
    Ok(Measured { verdict: "reject".into(), stage: stage.into(), error, verifier_log: log })
}

fn crashed(silent: Silent, process: &mut Process, stage: &str) -> Result<Measured, String> {
    let log = process.log();
    match silent {
        Silent::Died(Some(ABORTED)) => Ok(Measured {
            verdict: "reject".into(),
            stage: "crash".into(),
            error: format!("SIGABRT at {stage}"),
            verifier_log: log,
        }),
        Silent::Died(signal) => Err(format!("the process ended at {stage}, signal {signal:?}: {log}")),
        Silent::Late => Err(format!("no answer at {stage} in {PATIENCE:?}: {log}")),
    }
}

/// `127.0.0.1:PORT`, as in recorded verdicts.
fn without_port(text: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut parts = text.split(HOST);
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        out += HOST;
        out += "PORT";
        out += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out
}

/// What TLS and the credentials log, without place and time, joined as in recorded verdicts; and whatever does not look like
/// gRPC's log, such as a Python traceback.
fn shortened(log: &str) -> String {
    let mut lines = Vec::new();
    for line in log.lines() {
        let text = match line.split_once("] ") {
            Some((place, text)) if place.contains(" ssl_") || place.contains(" tls_") => text.trim(),
            Some(_) => continue,
            None => line.trim(),
        };
        if !text.is_empty() && !lines.contains(&text) {
            lines.push(text);
        }
    }
    without_port(&lines.join(" | "))
}

/// A running `runner.py`.
struct Process {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
    log: File,
}

impl Process {
    fn started<'p>(place: &'p mut Option<Process>, wheel: &Wheel) -> Result<&'p mut Process, String> {
        if place.is_none() {
            let mut process = Process::new(wheel).map_err(|error| format!("the runner does not start: {error}"))?;
            process.read().map_err(|_| format!("the runner does not start: {}", process.log()))?;
            *place = Some(process);
        }
        place.as_mut().ok_or_else(|| "no process".into())
    }

    fn new(wheel: &Wheel) -> std::io::Result<Process> {
        let log = tempfile::NamedTempFile::new()?;
        let mut child = Command::new(&wheel.python)
            .args(["-c", include_str!("runner.py")])
            .env_clear()
            .env("PYTHONPATH", &wheel.packages)
            .env("GRPC_VERBOSITY", "INFO")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.reopen()?)
            .spawn()?;
        let requests = child.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
        let lines = BufReader::new(child.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?).lines();
        let (sender, answers) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Ok(Process { child, requests, answers, log: log.into_file() })
    }

    fn answer(&mut self, op: &str, mut request: Value) -> Result<Value, Silent> {
        request["op"] = json!(op);
        // A process that has ended shows when it is read.
        let _ = writeln!(self.requests, "{request}").and_then(|()| self.requests.flush());
        self.read()
    }

    fn read(&mut self) -> Result<Value, Silent> {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).map_err(|_| Silent::Late),
            Err(RecvTimeoutError::Timeout) => Err(Silent::Late),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Silent::Died(self.child.wait().ok().and_then(|status| status.signal())))
            }
        }
    }

    /// What was logged since the last time.
    fn log(&mut self) -> String {
        let mut text = Vec::new();
        // From where this handle stands; the process writes through another.
        let _ = self.log.read_to_end(&mut text);
        shortened(&String::from_utf8_lossy(&text))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
