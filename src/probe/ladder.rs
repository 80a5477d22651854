//! The rungs above a connected stream: first bytes, TLS, HTTP/2 SETTINGS.
//!
//! gRPC never sends a TLS alert: a refused client certificate is a bare end of the stream, after the handshake in
//! TLS 1.3 and within it in TLS 1.2 (measured with grpcio 1.58 to 1.85 and Ray 2.60's `gcs_server`). So only a
//! SETTINGS frame back means that the connection is accepted.

use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ClientConnection, Error, ProtocolVersion};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::record::Recorder;
use crate::evidence::{Outcome, Settings, Step, Tls, Why};

/// How long a server that speaks first is listened to before TLS is spoken to it.
const FIRST_BYTES: Duration = Duration::from_millis(700);
/// How long the rest of a first word may take.
const FIRST_WORD: Duration = Duration::from_secs(2);
/// How long a TLS handshake may take.
const TLS: Duration = Duration::from_secs(5);
/// How long the SETTINGS frame may take.
const SETTINGS: Duration = Duration::from_secs(4);
/// The most bytes that are read for one rung.
const MOST: usize = 1 << 20;

/// The HTTP/2 client preface and an empty SETTINGS frame (RFC 9113, 3.4 and 6.5).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// Why a rung was left before its answer came.
pub(super) enum Late {
    /// The time of this rung was over: the port is silent.
    Rung,
    /// The time for everything was over: nothing is said of the port.
    Deadline,
}

impl Late {
    /// The outcome of a dial that was late at this step.
    pub(super) fn outcome(self, step: &str) -> Outcome {
        match self {
            Late::Rung => Outcome::TimedOut { step: step.into() },
            Late::Deadline => Outcome::NotPossible(Why::TimedOut),
        }
    }
}

/// Waits for `work` as long as this rung and the deadline allow.
pub(super) async fn within<T>(rung: Duration, deadline: Instant, work: impl Future<Output = T>) -> Result<T, Late> {
    let end = Instant::now() + rung;
    match timeout_at(end.min(deadline), work).await {
        Ok(value) => Ok(value),
        Err(_) if end <= deadline => Err(Late::Rung),
        Err(_) => Err(Late::Deadline),
    }
}

/// Climbs from a connected stream as far as it goes. Each rung is added to `steps`.
pub(super) async fn climb<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    server_name: &str,
    recorder: &Arc<Recorder>,
    deadline: Instant,
    steps: &mut Vec<Step>,
) -> Outcome {
    if let Some(outcome) = first_bytes(&mut stream, deadline, steps).await {
        return outcome;
    }
    let mut connection = match connection(server_name, recorder) {
        Ok(connection) => connection,
        Err(error) => {
            steps.push(step("tls", false, format!("could not be tried: {error}")));
            return Outcome::NotPossible(Why::Unreadable(format!("TLS client: {error}")));
        }
    };
    if let Some(outcome) = tls(&mut stream, &mut connection, recorder, deadline, steps).await {
        return outcome;
    }
    match settings(&mut stream, &mut connection, deadline).await {
        Ok(settings) => {
            let (ok, seen) = settings_text(&settings);
            steps.push(step("settings", ok, seen));
            Outcome::Tls(Box::new(described(&connection, recorder, settings)))
        }
        Err(Late::Rung) => {
            steps.push(step("settings", false, "nothing came".into()));
            Outcome::Tls(Box::new(described(&connection, recorder, Settings::TimedOut)))
        }
        Err(late) => {
            steps.push(step("settings", false, "the time for all dials was over".into()));
            late.outcome("settings")
        }
    }
}

/// One rung.
pub(super) fn step(name: &str, ok: bool, seen: String) -> Step {
    Step { name: name.into(), ok, seen }
}

/// Ends the dial when the server speaks first or hangs up; a TLS server waits in silence.
async fn first_bytes(
    stream: &mut (impl AsyncRead + Unpin),
    deadline: Instant,
    steps: &mut Vec<Step>,
) -> Option<Outcome> {
    let mut heard = Vec::new();
    let (ok, seen, outcome) = match within(FIRST_BYTES, deadline, read_to(stream, &mut heard, 1)).await {
        Err(Late::Rung) => (true, "the server waits to be spoken to, as a TLS server does".into(), None),
        Err(late) => (false, "the time for all dials was over".into(), Some(late.outcome("first-bytes"))),
        Ok(Err(error)) if !is_end(&error) => {
            (false, format!("{error}"), Some(Outcome::Unreachable(format!("reading failed: {error}"))))
        }
        Ok(_) if heard.is_empty() => {
            let closed = Outcome::Closed { step: "first-bytes".into() };
            (false, "the server closed the connection without a byte".into(), Some(closed))
        }
        Ok(_) => {
            let _ = within(FIRST_WORD, deadline, read_to(stream, &mut heard, 16)).await;
            let outcome = in_clear(&heard).unwrap_or_else(|| garbage(&heard));
            (false, clear_text(&outcome, "before anything was said to the server"), Some(outcome))
        }
    };
    steps.push(step("first-bytes", ok, seen));
    outcome
}

/// Shakes hands; ends the dial unless that works.
async fn tls<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    connection: &mut ClientConnection,
    recorder: &Recorder,
    deadline: Instant,
    steps: &mut Vec<Step>,
) -> Option<Outcome> {
    let mut raw = Vec::new();
    let failure = match within(TLS, deadline, shake(stream, connection, &mut raw)).await {
        Ok(Ok(())) => {
            let shown = described(connection, recorder, Settings::TimedOut);
            steps.push(step("tls", true, handshake_text(&shown)));
            return None;
        }
        Ok(Err(failure)) => failure,
        Err(late) => {
            let seen = match late {
                Late::Rung if raw.is_empty() => "no answer to the TLS ClientHello",
                Late::Rung => "the handshake did not end in time",
                Late::Deadline => "the time for all dials was over",
            };
            steps.push(step("tls", false, seen.into()));
            return Some(late.outcome("tls"));
        }
    };
    if !looks_like_tls(&raw) && !raw.is_empty() {
        // A server in clear may not have said its whole first word yet.
        let _ = within(FIRST_WORD, deadline, read_to(stream, &mut raw, 16)).await;
        let outcome = in_clear(&raw).unwrap_or_else(|| garbage(&raw));
        steps.push(step("tls", false, clear_text(&outcome, "in answer to the TLS ClientHello")));
        return Some(outcome);
    }
    // TLS 1.2: the server read our certificate, or its absence, before its Finished. What gRPC says then is an end.
    let asked_in_12 = connection.protocol_version() == Some(ProtocolVersion::TLSv1_2) && recorder.noted().requested;
    let refused = match &failure {
        Failure::End if asked_in_12 => Some(Settings::Closed),
        Failure::Tls(Error::AlertReceived(alert)) if asked_in_12 => Some(Settings::Alert(format!("{alert:?}"))),
        _ => None,
    };
    let (seen, outcome) = match (failure, refused) {
        (_, Some(settings)) => {
            let (_, what) = settings_text(&settings);
            let seen = format!("{what}, within the TLS 1.2 handshake, after it asked for a client certificate");
            (seen, Outcome::Tls(Box::new(described(connection, recorder, settings))))
        }
        (Failure::End, None) if raw.is_empty() => (
            "the server closed the connection instead of answering the TLS ClientHello".into(),
            Outcome::Closed { step: "tls".into() },
        ),
        (Failure::End, None) => {
            let text = "the server closed the connection within the handshake";
            (text.into(), Outcome::TlsFailed(text.into()))
        }
        (Failure::Tls(error), None) => (error.to_string(), Outcome::TlsFailed(error.to_string())),
        (Failure::TooMuch, None) => {
            let text = "the server sends without end and never finishes the handshake";
            (text.into(), Outcome::TlsFailed(text.into()))
        }
        (Failure::Io(error), None) => (error.to_string(), Outcome::Unreachable(format!("reading failed: {error}"))),
    };
    steps.push(step("tls", false, seen));
    Some(outcome)
}

/// Writes the preface and waits for the first frame. The inner answer is never [`Settings::TimedOut`].
async fn settings<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    connection: &mut ClientConnection,
    deadline: Instant,
) -> Result<Settings, Late> {
    let mut heard = Vec::new();
    let answer = async {
        // A refusing server may be gone before it reads this; what it said before that is still to be read.
        let sent = connection.writer().write_all(PREFACE).is_ok() && flush(stream, connection).await.is_ok();
        loop {
            match connection.reader().take(64).read_to_end(&mut heard) {
                Ok(_) if heard.len() < FRAME_HEADER => return ended(&heard),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock && heard.len() < FRAME_HEADER => {
                    return ended(&heard);
                }
                _ => {}
            }
            if heard.len() >= FRAME_HEADER {
                return first_frame(&heard);
            }
            let _ = sent && flush(stream, connection).await.is_ok();
            match feed(stream, connection, &mut Vec::new()).await {
                Ok(()) => {}
                Err(Failure::End) => return ended(&heard),
                Err(Failure::Tls(Error::AlertReceived(alert))) => return Settings::Alert(format!("{alert:?}")),
                Err(Failure::Tls(error)) => return Settings::Other(error.to_string()),
                Err(Failure::Io(error)) => return Settings::Other(format!("reading failed: {error}")),
                Err(Failure::TooMuch) => return Settings::Other("bytes without end and no frame".into()),
            }
        }
    };
    within(SETTINGS, deadline, answer).await
}

/// Why a handshake ended early.
enum Failure {
    /// The stream ended or was reset.
    End,
    Io(io::Error),
    Tls(Error),
    /// More bytes than any handshake has.
    TooMuch,
}

/// Length of an HTTP/2 frame header.
const FRAME_HEADER: usize = 9;

async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    connection: &mut ClientConnection,
    raw: &mut Vec<u8>,
) -> Result<(), Failure> {
    let mut rounds = 0;
    loop {
        let sent = flush(stream, connection).await;
        if !connection.is_handshaking() {
            return Ok(());
        }
        rounds += 1;
        if rounds > MOST / 64 {
            return Err(Failure::TooMuch);
        }
        match (feed(stream, connection, raw).await, sent) {
            (Ok(()), Ok(())) => {}
            (Ok(()), Err(error)) if is_end(&error) => return Err(Failure::End),
            (Ok(()), Err(error)) => return Err(Failure::Io(error)),
            (Err(failure), _) => return Err(failure),
        }
    }
}

/// Reads once from the stream into the connection. `raw` keeps the first bytes of all, at most 64.
async fn feed<S: AsyncRead + Unpin>(
    stream: &mut S,
    connection: &mut ClientConnection,
    raw: &mut Vec<u8>,
) -> Result<(), Failure> {
    let mut buffer = [0; 4096];
    let mut read = match stream.read(&mut buffer).await {
        Ok(0) => return Err(Failure::End),
        Ok(n) => buffer.get(..n).unwrap_or_default(),
        Err(error) if is_end(&error) => return Err(Failure::End),
        Err(error) => return Err(Failure::Io(error)),
    };
    raw.extend(read.iter().take(64_usize.saturating_sub(raw.len())));
    while !read.is_empty() {
        match connection.read_tls(&mut read) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Err(Failure::Io(error)),
        }
        connection.process_new_packets().map_err(Failure::Tls)?;
    }
    Ok(())
}

async fn flush<S: AsyncWrite + Unpin>(stream: &mut S, connection: &mut ClientConnection) -> io::Result<()> {
    let mut out = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut out)?;
    }
    if out.is_empty() {
        return Ok(());
    }
    stream.write_all(&out).await?;
    stream.flush().await
}

/// Reads until `heard` has `enough` bytes or the stream ends; what came before a time-out stays in `heard`.
async fn read_to(stream: &mut (impl AsyncRead + Unpin), heard: &mut Vec<u8>, enough: usize) -> io::Result<()> {
    let mut buffer = [0; 64];
    while heard.len() < enough {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            break;
        }
        heard.extend(buffer.iter().take(n));
    }
    Ok(())
}

fn connection(server_name: &str, recorder: &Arc<Recorder>) -> Result<ClientConnection, Error> {
    // An IP address, or a name that is no DNS name, is not sent as SNI; gRPC serves its one certificate either way.
    let name = ServerName::try_from(server_name.to_string())
        .unwrap_or(ServerName::IpAddress(IpAddr::from([127, 0, 0, 1]).into()));
    ClientConnection::new(Arc::new(recorder.client()?), name)
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

fn looks_like_tls(raw: &[u8]) -> bool {
    // Record types 20 to 23, and the major version of every SSL and TLS since 1996.
    matches!(raw, [20..=23, 3, ..] | [20..=23])
}

/// What is spoken in clear, if it is something known.
fn in_clear(heard: &[u8]) -> Option<Outcome> {
    if is_settings(heard) {
        return Some(Outcome::PlainGrpc);
    }
    (heard.starts_with(b"HTTP/") || heard.starts_with(b"<")).then_some(Outcome::PlainHttp)
}

fn garbage(heard: &[u8]) -> Outcome {
    Outcome::Garbage(heard.iter().take(16).map(|b| format!("{b:02x}")).collect())
}

/// Whether this starts with the header of a SETTINGS frame that is no acknowledgement (RFC 9113, 6.5).
fn is_settings(heard: &[u8]) -> bool {
    match heard {
        [0, high, low, 4, 0, 0, 0, 0, 0, ..] => u16::from_be_bytes([*high, *low]).is_multiple_of(6),
        _ => false,
    }
}

fn first_frame(heard: &[u8]) -> Settings {
    if is_settings(heard) {
        return Settings::Received;
    }
    Settings::Other(match heard {
        _ if heard.starts_with(b"HTTP/") => "an HTTP/1 answer inside TLS".into(),
        [_, _, _, 7, ..] => "an HTTP/2 GOAWAY frame".into(),
        _ => format!(
            "bytes that are no SETTINGS frame: {}",
            heard.iter().map(|b| format!("{b:02x}")).collect::<String>()
        ),
    })
}

fn ended(heard: &[u8]) -> Settings {
    if heard.is_empty() { Settings::Closed } else { Settings::Other(format!("{} bytes, then the end", heard.len())) }
}

fn settings_text(settings: &Settings) -> (bool, String) {
    match settings {
        Settings::Received => (true, "a SETTINGS frame came: the server accepts this connection".into()),
        Settings::Closed => (false, "the server closed the connection without a word".into()),
        Settings::Alert(alert) => (false, format!("the server sent the TLS alert {alert}")),
        Settings::Other(what) => (false, what.clone()),
        Settings::TimedOut => (false, "nothing came".into()),
    }
}

fn clear_text(outcome: &Outcome, when: &str) -> String {
    match outcome {
        Outcome::PlainGrpc => format!("a plaintext HTTP/2 SETTINGS frame came {when}: gRPC without TLS"),
        Outcome::PlainHttp => format!("plaintext HTTP/1 or HTML came {when}"),
        Outcome::Garbage(hex) => format!("bytes that are neither TLS nor HTTP came {when}: {hex}"),
        _ => String::new(),
    }
}

fn handshake_text(tls: &Tls) -> String {
    let alpn = tls.alpn.as_ref().map_or_else(|| "no ALPN answer".into(), |alpn| format!("ALPN {alpn}"));
    let asked = if tls.client_certificate_requested {
        "client certificate asked for"
    } else {
        "no client certificate asked for"
    };
    format!("{}, {}, {alpn}, {} certificate(s), {asked}", tls.version, tls.group, tls.chain.len())
}

fn described(connection: &ClientConnection, recorder: &Recorder, settings: Settings) -> Tls {
    let noted = recorder.noted();
    Tls {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".into(),
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".into(),
            Some(other) => format!("{other:?}"),
            None => String::new(),
        },
        alpn: connection.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
        chain: noted.chain.iter().map(|der| STANDARD.encode(der)).collect(),
        client_certificate_requested: noted.requested,
        ca_names: noted.ca_names.clone(),
        group: connection.negotiated_key_exchange_group().map_or_else(String::new, |g| format!("{:?}", g.name())),
        settings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settings_frame_is_known_by_its_header() {
        assert!(is_settings(&[0, 0, 24, 4, 0, 0, 0, 0, 0, 0, 3]));
        assert!(is_settings(&[0, 0, 0, 4, 0, 0, 0, 0, 0]));
        assert!(!is_settings(&[0, 0, 0, 4, 1, 0, 0, 0, 0]), "an acknowledgement");
        assert!(!is_settings(&[0, 0, 24, 4, 0, 0, 0, 0, 1]), "on a stream");
        assert!(!is_settings(&[0, 0, 25, 4, 0, 0, 0, 0, 0]), "not a multiple of six");
        assert!(!is_settings(&[0, 0, 24, 4]));
    }

    #[test]
    fn plaintext_is_told_from_garbage() {
        assert_eq!(in_clear(b"HTTP/1.1 400 Bad Request"), Some(Outcome::PlainHttp));
        assert_eq!(in_clear(b"<!DOCTYPE HTML>"), Some(Outcome::PlainHttp));
        assert_eq!(in_clear(b"SSH-2.0-OpenSSH"), None);
        assert_eq!(garbage(b"SSH-2.0-OpenSSH_9.2p1"), Outcome::Garbage("5353482d322e302d4f70656e5353485f".into()));
    }
}
