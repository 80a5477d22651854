//! An API server on loopback with one namespace `ray`, whose pods run what is exec'd in them on this machine, or misbehave.
#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What an exec does.
#[derive(Clone)]
pub(crate) enum Exec {
    /// Runs on this machine, where the process 1 of the pod is not.
    Run,
    /// As [`Exec::Run`], in a container without Python.
    Shell,
    /// Prints this and ends well.
    Print(Vec<u8>),
    /// Prints this again and again.
    Flood(Vec<u8>),
    /// Complains of this again and again, and never ends.
    Complain(Vec<u8>),
    /// Is accepted and silent.
    Stall,
    /// Breaks the connection off.
    Reset,
    /// The API server answers this status instead.
    Refuse(u16, &'static str),
    /// Ends with this message of the runtime.
    Fail(&'static str),
}

/// The server; it lives as long as the process.
pub(crate) struct Pods {
    /// Its port.
    pub(crate) port: u16,
    /// Paths that were asked for, in order, without their query.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Pods {
    /// Serves these objects (`plural` to objects) and pods.
    pub(crate) fn start(objects: BTreeMap<&'static str, Vec<Value>>, exec: Exec) -> Pods {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (objects, exec, heard) = (objects.clone(), exec.clone(), heard.clone());
                std::thread::spawn(move || serve(stream, &objects, &exec, &heard));
            }
        });
        Pods { port, asked }
    }

    /// A kubeconfig for it.
    pub(crate) fn kubeconfig(&self, token: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: there\n\
             contexts: [{{name: there, context: {{cluster: there, user: me, namespace: ray}}}}]\n\
             clusters: [{{name: there, cluster: {{server: \"http://127.0.0.1:{}\"}}}}]\n\
             users: [{{name: me, user: {{token: {token}}}}}]\n",
            self.port
        )
    }
}

/// A running pod of a container that starts a Ray head, with an emptyDir for its TLS files.
pub(crate) fn head(name: &str, env: &[(&str, &str)]) -> Value {
    let env: Vec<Value> = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "ray", "labels": {"app": "ray"}},
        "spec": {
            "containers": [{"name": "ray", "image": "rayproject/ray:2.60.0", "env": env,
                "command": ["ray", "start", "--head", "--port=6379", "--block"]}],
        },
        "status": {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}],
            "containerStatuses": [{"name": "ray", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]},
    })
}

fn serve(mut stream: TcpStream, objects: &BTreeMap<&'static str, Vec<Value>>, exec: &Exec, asked: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
    if path.ends_with("/exec") {
        return attach(stream, &head, query, exec);
    }
    let plural = path.rsplit('/').next().unwrap_or_default();
    let (status, body) = match path {
        "/version" => (200, json!({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})),
        "/api/v1/namespaces/ray" => (200, json!({"kind": "Namespace", "metadata": {"name": "ray"}})),
        p if p.starts_with("/apis/authorization.k8s.io") => (404, json!({"kind": "Status", "code": 404})),
        p if p.contains("/secrets/") || p.contains("/configmaps/") => (404, json!({"kind": "Status", "code": 404})),
        _ => {
            let items = objects.get(plural).cloned().unwrap_or_default();
            (200, json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}))
        }
    };
    respond(&mut stream, status, &body.to_string());
}

fn respond(stream: &mut TcpStream, status: u16, body: &str) {
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn attach(mut stream: TcpStream, head: &str, query: &str, exec: &Exec) {
    if let Exec::Refuse(status, message) = exec {
        let body = json!({"kind": "Status", "status": "Failure", "code": status, "message": message, "reason": "X"});
        return respond(&mut stream, *status, &body.to_string());
    }
    let header = |name: &str| {
        let found = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    };
    let key = header("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let protocol = header("sec-websocket-protocol").split(',').next().unwrap_or_default().trim().to_owned();
    let _ = write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
         Sec-WebSocket-Protocol: {protocol}\r\n\r\n",
        STANDARD.encode(hash.as_ref())
    );
    let well = json!({"metadata": {}, "status": "Success"}).to_string();
    match exec {
        Exec::Run => run(stream, query),
        Exec::Shell if query.contains("command=python") => {
            let failed = json!({"status": "Failure", "message": "executable file not found in $PATH"});
            frame(&mut stream, 3, failed.to_string().as_bytes());
            drain(stream);
        }
        Exec::Shell => run(stream, query),
        Exec::Print(text) => {
            frame(&mut stream, 1, text);
            frame(&mut stream, 3, well.as_bytes());
            drain(stream);
        }
        Exec::Flood(text) => while frame(&mut stream, 1, text) {},
        Exec::Complain(text) => while frame(&mut stream, 2, text) {},
        Exec::Stall => drain(stream),
        Exec::Fail(message) => {
            let failed = json!({"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError"});
            frame(&mut stream, 3, failed.to_string().as_bytes());
            drain(stream);
        }
        Exec::Reset | Exec::Refuse(..) => {}
    }
}

fn run(mut stream: TcpStream, query: &str) {
    let command: Vec<String> = query.split('&').filter_map(|pair| pair.strip_prefix("command=")).map(decoded).collect();
    let [program, arguments @ ..] = command.as_slice() else { return };
    let spawned = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        let failed = json!({"status": "Failure", "message": "executable file not found in $PATH"});
        frame(&mut stream, 3, failed.to_string().as_bytes());
        return drain(stream);
    };
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut out = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = stdout.read(&mut chunk) {
            frame(&mut out, 1, &chunk[..count]);
        }
        frame(&mut out, 3, json!({"metadata": {}, "status": "Success"}).to_string().as_bytes());
    });
    // Standard input stays open, as through an API server that cannot close it.
    while let Some(payload) = next_frame(&mut stream) {
        if payload.first() == Some(&0) && stdin.write_all(&payload[1..]).is_err() {
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// One binary frame of a channel; false when nobody takes it.
fn frame(stream: &mut TcpStream, channel: u8, data: &[u8]) -> bool {
    let mut payload = vec![channel];
    payload.extend_from_slice(data);
    let mut bytes = vec![0x82];
    match payload.len() {
        short @ 0..=125 => bytes.push(short as u8),
        middle @ 126..=65535 => {
            bytes.push(126);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    stream.write_all(&bytes).is_ok()
}

fn next_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    let length = match head[1] & 0x7f {
        126 => {
            let mut octets = [0; 2];
            stream.read_exact(&mut octets).ok()?;
            usize::from(u16::from_be_bytes(octets))
        }
        127 => {
            let mut octets = [0; 8];
            stream.read_exact(&mut octets).ok()?;
            usize::try_from(u64::from_be_bytes(octets)).ok()?
        }
        short => usize::from(short),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).ok()?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).ok()?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    (head[0] & 0x0f != 8).then_some(payload)
}

fn drain(mut stream: TcpStream) {
    while next_frame(&mut stream).is_some() {}
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}
