//! The program in this machine's Python, which `.ci/run` needs as well.
#![allow(clippy::disallowed_methods)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;

use super::answer::MARK;
use super::{answer, program};
use crate::collect::tlsfile;
use crate::evidence::{Answer, FileFacts, Inside, Seen, Shape};
use crate::probe::inside::Visit;

const CERTIFICATE: &str = include_str!("../../../fixtures/django-ray/tls.crt");
const AUTHORITY: &str = include_str!("../../../fixtures/django-ray/ca.crt");
const RSA: &str = include_str!("../../../fixtures/keys/rsa2048-pkcs1.key");
const SMALL: &str = include_str!("../../../fixtures/keys/rsa1024-pkcs1.key");
const EC: &str = include_str!("../../../fixtures/keys/p256-pkcs8.key");

/// Where the program looks for the process that it tells of.
const READERS: &str = r#"for kind in ("gcs_server", "raylet", "monitor", "first", "exec"):"#;

const PATHS: [&str; 3] = ["RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"];

/// What the program says in a process of its own with these variables. Its input stays open. What it prints is given too.
fn ask(env: &[(&str, String)], dials: &[(&str, u16)], modules: &Path) -> (Inside, String) {
    let dials = dials.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
    let visit = Visit { namespace: "ray".into(), pod: "p".into(), container: "c".into(), dials };
    // Process 1 of this machine is no pod's.
    let program = program(&visit, true).replace(READERS, r#"for kind in ("exec",):"#);
    let mut child = Command::new("python3")
        .args(["-c", &format!("import sys;exec(sys.stdin.buffer.read({}))", program.len())])
        .envs(env.iter().map(|(name, value)| (name, value)))
        .env("PYTHONPATH", modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for this test");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(program.as_bytes()).expect("the program is taken");
    input.flush().expect("the program is taken");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    drop(input);
    child.wait().expect("it ends");
    let rest = line.as_bytes().strip_prefix(MARK).unwrap_or_else(|| panic!("no mark: {line}"));
    (answer::read(rest, &visit, Timestamp::UNIX_EPOCH).expect("an answer"), line)
}

/// As the program describes these three files.
fn described(contents: [&[u8]; 3]) -> ([FileFacts; 3], String) {
    let folder = tempfile::tempdir().expect("a folder");
    let env: Vec<(&str, String)> = PATHS
        .iter()
        .zip(contents)
        .map(|(name, content)| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("a file");
            (*name, path.to_string_lossy().into_owned())
        })
        .collect();
    let (inside, line) = ask(&env, &[], folder.path());
    let facts = PATHS.map(|name| match inside.files.iter().find(|file| file.variable == name).map(|f| &f.content) {
        Some(Seen::Found(facts)) => facts.clone(),
        other => panic!("{name}: {other:?} in {line}"),
    });
    (facts, line)
}

#[test]
fn files_are_described_as_they_are_where_they_can_be_read() {
    let indented: String = CERTIFICATE.lines().map(|line| format!("  {line}\n")).collect();
    let texts: Vec<Vec<u8>> = vec![
        CERTIFICATE.into(),
        format!("{CERTIFICATE}{AUTHORITY}").into(),
        format!("subject=CN = x\n{CERTIFICATE}").into(),
        CERTIFICATE.replace('\n', "\r\n").into(),
        format!("\u{feff}{CERTIFICATE}").into(),
        indented.into(),
        CERTIFICATE.replace('\n', "\\n").into(),
        CERTIFICATE.replace('\n', " ").into(),
        format!("{}{AUTHORITY}", CERTIFICATE.trim_end()).into(),
        CERTIFICATE[..CERTIFICATE.len() / 2].into(),
        RSA.into(),
        SMALL.into(),
        EC.into(),
        format!("{CERTIFICATE}{RSA}").into(),
        format!("{EC}{CERTIFICATE}").into(),
        RSA[..RSA.len() / 2].into(),
        RSA.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1).into(),
        RSA.replace("RSA PRIVATE", "ENCRYPTED PRIVATE").into(),
        RSA.replace("RSA PRIVATE", "OPENSSH PRIVATE").into(),
        b" \n".to_vec(),
        Vec::new(),
        b"REPLACE_ME".to_vec(),
        b"hunter2hunter2".to_vec(),
        vec![0, 1, 2, 255],
    ];
    for three in texts.chunks(3) {
        let of = |at: usize| three.get(at).unwrap_or(&three[0]).as_slice();
        let (facts, line) = described([of(0), of(1), of(2)]);
        for (at, facts) in facts.iter().enumerate() {
            assert_eq!(*facts, tlsfile::read(of(at)).0, "{}", String::from_utf8_lossy(of(at)));
        }
        for secret in
            [RSA, SMALL, EC].iter().flat_map(|key| key.lines().filter(|line| line.len() > 40 && !line.starts_with('-')))
        {
            assert!(!line.contains(secret), "a line of a key has left");
        }
        assert!(!line.contains("hunter2"), "text has left");
    }
}

#[test]
fn a_key_under_the_label_of_a_certificate_stays() {
    let disguised = EC.replace("PRIVATE KEY", "CERTIFICATE");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tls.crt");
    std::fs::write(&path, &disguised).expect("a file");
    let (inside, line) = ask(&[(PATHS[0], path.to_string_lossy().into_owned())], &[], folder.path());
    assert!(matches!(inside.files[0].content, Seen::Unseen(_)), "{:?}", inside.files);
    assert!(disguised.lines().filter(|l| !l.starts_with('-')).all(|body| !line.contains(body)));
}

#[test]
fn what_is_not_there_is_absent_and_a_folder_is_none_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let env = [
        (PATHS[0], at("none")),
        (PATHS[1], at("")),
        (PATHS[2], "relative/ca.crt".into()),
        ("RAY_AUTH_TOKEN", "hunter2".into()),
    ];
    let (inside, line) = ask(&env, &[], folder.path());
    assert_eq!(inside.files[0].content, Seen::Absent);
    assert!(matches!(inside.files[1].content, Seen::Unseen(_)));
    assert!(inside.files[2].resolved.ends_with("/relative/ca.crt") && inside.files[2].resolved.starts_with('/'));
    assert!(!line.contains("hunter2"));
}

/// A module that behaves as grpcio at its worst.
const GRPC: &str = r#"
import os, sys, time
class RpcError(Exception):
    def code(self):
        return type("Code", (), {"name": "UNAVAILABLE"})
    def details(self):
        return "errors resolving it"
def insecure_channel(address, options):
    def call(request, timeout):
        if "aborts" in address:
            sys.stderr.write("Check failed: cert_chain != nullptr\n"); sys.stderr.flush(); os.abort()
        if "stalls" in address:
            time.sleep(600)
        if "fails" in address:
            raise RpcError()
        if "raises" in address:
            raise ValueError("what")
        return b""
    return type("Channel", (), {"unary_unary": lambda self, name: call})()
"#;

#[test]
fn dials_are_apart_from_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("grpc.py"), GRPC).expect("a module");
    let hosts = ["aborts", "accepts", "fails", "raises", "stalls"];
    let (inside, _) = ask(&[("RAY_USE_TLS", "yes".into())], &hosts.map(|host| (host, 6379)), folder.path());
    let answers: Vec<String> = inside
        .dials
        .iter()
        .map(|dial| match &dial.answer {
            Answer::Status(status, _) => status.clone(),
            Answer::Impossible(why) => why.clone(),
        })
        .collect();
    assert_eq!(
        answers,
        [
            "gRPC ended its process: Check failed: cert_chain != nullptr",
            "OK",
            "UNAVAILABLE",
            "ValueError: what",
            "DEADLINE_EXCEEDED"
        ]
    );
    assert_eq!(
        inside.dials.iter().map(crate::evidence::DialInside::accepted).collect::<Vec<_>>(),
        [None, Some(true), Some(false), None, Some(false)]
    );
}

#[test]
fn tls_without_its_files_cannot_be_dialled() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("grpc.py"), GRPC).expect("a module");
    let env = [("RAY_USE_TLS", "TRUE".into()), (PATHS[0], folder.path().join("none").to_string_lossy().into_owned())];
    let (inside, _) = ask(&env, &[("h", 1)], folder.path());
    let Answer::Impossible(why) = &inside.dials[0].answer else { panic!("{:?}", inside.dials) };
    assert!(why.starts_with("RuntimeError: If the environment variable RAY_USE_TLS"), "{why}");
}

#[test]
fn a_text_is_of_one_shape_for_both() {
    let (facts, _) = described([b"changeme", b"0\x82\x01\x02", b"\xfe\xed\xfe\xed"]);
    assert_eq!(facts.map(|facts| facts.shape), [Shape::Text { placeholder: true }, Shape::Binary, Shape::Jks]);
}
