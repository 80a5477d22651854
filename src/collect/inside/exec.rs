//! One exec of the program over a WebSocket, bounded in size. The caller bounds the time.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use kube::client::UpgradeConnectionError;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::{answer, shell};
use crate::probe::inside::Visit;

/// The most bytes that are read of what a container prints.
const OUTPUT: usize = 1 << 20;
/// The most bytes that are read of its complaints.
const COMPLAINTS: usize = 64 << 10;
/// Interpreters, in the order in which they are tried.
const INTERPRETERS: [&str; 2] = ["python3", "python"];

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The API server said 403.
    Forbidden {
        /// The verb it asked for.
        verb: &'static str,
    },
    /// The container has none of the interpreters.
    NoInterpreter,
    /// No answer in time.
    TimedOut,
    /// The pod has gone.
    Gone,
    /// Anything else, one clause.
    Other(String),
}

/// Runs the program in Python and gives the line behind its mark. The program comes over standard input, whose end need
/// not be told: older API servers cannot.
pub(super) async fn python(client: &kube::Client, visit: &Visit, program: &str) -> Result<Vec<u8>, Failed> {
    let loader = format!("import sys;exec(sys.stdin.buffer.read({}))", program.len());
    let mut take = |line: &[u8]| line.strip_prefix(answer::MARK).map(<[u8]>::to_vec);
    for interpreter in INTERPRETERS {
        match once(client, visit, &[interpreter, "-c", &loader], program, &mut take).await {
            Err(Failed::NoInterpreter) => {}
            other => return other,
        }
    }
    Err(Failed::NoInterpreter)
}

/// Runs the program in sh and gives what stands between its marks.
pub(super) async fn sh(client: &kube::Client, visit: &Visit, program: &str) -> Result<Vec<u8>, Failed> {
    let mut told: Option<Vec<u8>> = None;
    let mut take = |line: &[u8]| match &mut told {
        Some(text) if line == shell::END => Some(std::mem::take(text)),
        Some(text) => {
            text.extend_from_slice(line);
            text.push(b'\n');
            None
        }
        None => {
            told = (line == shell::MARK).then(Vec::new);
            None
        }
    };
    once(client, visit, &["sh", "-s"], program, &mut take).await
}

/// Takes what is wanted from the lines of the output, and says when it has come.
type Take<'a> = &'a mut (dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send);

async fn once(
    client: &kube::Client,
    visit: &Visit,
    command: &[&str],
    input: &str,
    take: Take<'_>,
) -> Result<Vec<u8>, Failed> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &visit.namespace);
    let streams = AttachParams::default().container(&visit.container).stdin(true).stdout(true).stderr(true).tty(false);
    let streams = streams.max_stdin_buf_size(64 << 10).max_stdout_buf_size(64 << 10).max_stderr_buf_size(64 << 10);
    let mut process = pods.exec(&visit.pod, command.to_vec(), &streams).await.map_err(|error| refusal(&error))?;
    let complaint = match talk(&mut process, input, take).await {
        Ok(None) => ended(&mut process).await,
        told => {
            process.abort();
            return told.map(Option::unwrap_or_default).map_err(Failed::Other);
        }
    };
    Err(match complaint {
        text if is_not_found(&text) => Failed::NoInterpreter,
        text if text.is_empty() => Failed::Other("the program ended without an answer".into()),
        text => Failed::Other(format!("the program did not run: {}", plain(&text))),
    })
}

/// Sends the program and reads until what is wanted has come; none when the output ended without it.
async fn talk(process: &mut AttachedProcess, input: &str, take: Take<'_>) -> Result<Option<Vec<u8>>, String> {
    let (mut stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
    let send = async {
        if let Some(stdin) = stdin.as_mut() {
            // A container that has no interpreter reads nothing: its status says so.
            let _ = stdin.write_all(input.as_bytes()).await;
            let _ = stdin.flush().await;
        }
        std::future::pending::<()>().await;
    };
    let hear = async {
        match stdout {
            Some(stdout) => listen(stdout, take).await,
            None => Err("the exec has no output".into()),
        }
    };
    tokio::select! {
        heard = hear => heard,
        flood = complaints(stderr) => Err(flood),
        () = send => Ok(None),
    }
}

/// Passes over what the container complains of, and returns when that is too much.
async fn complaints(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let mut total = 0;
    if let Some(mut stderr) = stderr {
        let mut chunk = vec![0; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
            total += count;
            if total > COMPLAINTS {
                return format!("the container printed more than {} KiB of complaints", COMPLAINTS >> 10);
            }
        }
    }
    tracing::debug!(bytes = total, "the container complained");
    std::future::pending().await
}

/// What is taken from the lines. Whatever else the container prints is passed over.
async fn listen(mut stdout: impl AsyncRead + Unpin, take: Take<'_>) -> Result<Option<Vec<u8>>, String> {
    let mut line = Vec::new();
    let mut total = 0;
    let mut chunk = vec![0; 16 << 10];
    loop {
        let count = match stdout.read(&mut chunk).await {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(error) => return Err(format!("the output broke off: {error}")),
        };
        total += count;
        if total > OUTPUT {
            return Err(format!("the container printed more than {} MiB", OUTPUT >> 20));
        }
        for byte in chunk.get(..count).unwrap_or_default() {
            if *byte != b'\n' {
                line.push(*byte);
            } else if let Some(told) = take(&line) {
                return Ok(Some(told));
            } else {
                line.clear();
            }
        }
    }
}

/// What the kubelet says of a process that ended; empty when it ended well.
async fn ended(process: &mut AttachedProcess) -> String {
    let Some(status) = process.take_status() else { return String::new() };
    let Some(status) = status.await else { return "the connection broke off".into() };
    if status.status.as_deref() == Some("Success") {
        return String::new();
    }
    status.message.unwrap_or_default()
}

fn is_not_found(text: &str) -> bool {
    text.contains("executable file not found")
        || text.contains("no such file or directory")
        || text.ends_with("exit code 127")
}

fn refusal(error: &kube::Error) -> Failed {
    let code = match error {
        kube::Error::Api(status) => status.code,
        kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => status.as_u16(),
        _ => 0,
    };
    match code {
        // A WebSocket upgrade is a GET; newer API servers ask for `create` too and say which one is missing.
        403 if error.to_string().contains("cannot create") => Failed::Forbidden { verb: "create" },
        403 => Failed::Forbidden { verb: "get" },
        404 => Failed::Gone,
        _ if is_not_found(&error.to_string()) => Failed::NoInterpreter,
        _ => Failed::Other(format!("exec: {}", plain(&error.to_string()))),
    }
}

/// One line of at most 300 characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect::<String>().trim().to_owned()
}
