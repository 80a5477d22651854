//! The program in this machine's sh, and in busybox where there is one.
#![allow(clippy::disallowed_methods)]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::collect::inside::SHELL;
use crate::collect::tlsfile;
use crate::evidence::{FileFacts, KeyFacts, Seen, Shape, Why};

const CERTIFICATE: &str = include_str!("../../../../fixtures/django-ray/tls.crt");
const AUTHORITY: &str = include_str!("../../../../fixtures/django-ray/ca.crt");
const RSA: &str = include_str!("../../../../fixtures/keys/rsa2048-pkcs1.key");
const EC: &str = include_str!("../../../../fixtures/keys/p256-pkcs8.key");

const PATHS: [&str; 3] = ["RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"];

fn visit() -> Visit {
    Visit { namespace: "ray".into(), pod: "p".into(), container: "c".into(), dials: Vec::new() }
}

/// What the program says with these variables, and all that it printed. Its input stays open.
fn ask(shell: &[&str], env: &[(&str, String)], path: Option<&Path>) -> (Inside, String) {
    // Process 1 of this machine is no pod's.
    let program = SHELL.replace("exec) rank=5", "exec) rank=0");
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg("-s").envs(env.iter().map(|(name, value)| (name, value)));
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh is needed");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(program.as_bytes()).expect("the program is taken");
    let mut printed = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut printed).expect("output");
    let mut complaints = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut complaints).expect("output");
    drop(input);
    child.wait().expect("it ends");
    assert_eq!(complaints, "");
    let rest = printed.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(b"\n")).expect("a mark");
    let told = rest.strip_suffix(END).expect("an end");
    (read(told, &visit(), Timestamp::UNIX_EPOCH).expect("an answer"), String::from_utf8_lossy(&printed).into_owned())
}

/// As the program describes these three files, and all that it printed.
fn described(shell: &[&str], contents: [&[u8]; 3], path: Option<&Path>) -> ([Seen<FileFacts>; 3], String) {
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
    let (inside, printed) = ask(shell, &env, path);
    let content = |name: &str| inside.file(name).map(|file| file.content.clone()).expect("a file");
    (PATHS.map(content), printed)
}

fn shells() -> Vec<Vec<&'static str>> {
    let all = [vec!["sh"], vec!["busybox", "sh"]];
    all.into_iter().filter(|shell| Path::new("/usr/bin").join(shell[0]).exists() || shell[0] == "sh").collect()
}

/// A folder with what a small image has: no openssl.
fn small_image() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for tool in ["date", "od", "readlink", "sed", "stat", "tail", "tr", "wc"] {
        let real = ["/usr/bin", "/bin"].into_iter().map(|at| Path::new(at).join(tool)).find(|path| path.exists());
        symlink(real.expect("a tool"), folder.path().join(tool)).expect("a link");
    }
    folder
}

fn no_line_of_a_key(printed: &str) {
    let bodies = [RSA, EC].into_iter().flat_map(str::lines).filter(|line| line.len() > 30 && !line.starts_with('-'));
    for line in bodies {
        assert!(!printed.contains(line), "a line of a key has left");
    }
    assert!(!printed.contains("hunter2"), "text has left");
}

#[test]
fn files_are_described_as_they_are_where_they_can_be_read() {
    let texts: Vec<Vec<u8>> = vec![
        CERTIFICATE.into(),
        RSA.into(),
        format!("{CERTIFICATE}{AUTHORITY}").into(),
        format!("subject=CN = x\n{CERTIFICATE}").into(),
        EC.into(),
        CERTIFICATE.replace('\n', "\r\n").into(),
        CERTIFICATE.trim_end().into(),
        RSA[..RSA.len() / 2].into(),
        CERTIFICATE[..CERTIFICATE.len() / 2].into(),
        RSA.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1).into(),
        RSA.replace("RSA PRIVATE", "ENCRYPTED PRIVATE").into(),
        RSA.replace("RSA PRIVATE", "OPENSSH PRIVATE").into(),
        b" \n".to_vec(),
        Vec::new(),
        b"REPLACE_ME".to_vec(),
        b"hunter2hunter2".to_vec(),
        vec![0, 1, 2, 255],
        b"\xfe\xed\xfe\xed".to_vec(),
    ];
    for shell in shells() {
        for three in texts.chunks(3) {
            let of = |at: usize| three[at].as_slice();
            let (facts, printed) = described(&shell, [of(0), of(1), of(2)], None);
            for (at, facts) in facts.into_iter().enumerate() {
                let wanted = Seen::Found(tlsfile::read(of(at)).0);
                assert_eq!(facts, wanted, "{shell:?} {}", String::from_utf8_lossy(of(at)));
            }
            no_line_of_a_key(&printed);
        }
    }
}

#[test]
fn without_openssl_a_key_has_no_public_half() {
    let image = small_image();
    for shell in ["/bin/sh", "/usr/bin/busybox"].into_iter().filter(|shell| Path::new(shell).exists()) {
        let argv = if shell.ends_with("busybox") { vec![shell, "sh"] } else { vec![shell] };
        let (facts, printed) = described(&argv, [CERTIFICATE.as_bytes(), EC.as_bytes(), b"x"], Some(image.path()));
        no_line_of_a_key(&printed);
        let Seen::Found(key) = &facts[1] else { panic!("{facts:?}") };
        assert_eq!((key.size, &key.shape), (EC.len() as u64, &Shape::Pem));
        // busybox may have a built-in of its own for everything but this.
        let unknown = KeyFacts { algorithm: "unknown".into(), bits: 0, spki_sha256: None, form: KeyForm::Pkcs8 };
        assert_eq!(key.keys, [unknown]);
        assert_eq!(facts[0], Seen::Found(tlsfile::read(CERTIFICATE.as_bytes()).0));
    }
}

#[test]
fn what_sh_cannot_tell_apart_stays_in_the_pod() {
    let glued = format!("{}{AUTHORITY}", CERTIFICATE.trim_end());
    let indented: String = EC.lines().map(|line| format!("  {line}\n")).collect();
    let literal = EC.replace('\n', "\\n");
    let one_line = format!("{}\nhunter2\n", RSA.replace('\n', " "));
    let both = format!("{CERTIFICATE}{RSA}");
    let open = format!("-----BEGIN CERTIFICATE-----\nMIIDhunter2\n{EC}");
    let disguised = EC.replace("PRIVATE KEY", "CERTIFICATE");
    let late = format!("{CERTIFICATE}{disguised}");
    let one_body = disguised.trim_end().replace("-----\nMI", "-----@MI").replace('\n', "").replace('@', "\n");
    // A key behind the text of a certificate, in one block.
    let (text, end) = CERTIFICATE.split_once("-----END").expect("an end");
    let key: String = EC.lines().filter(|line| !line.starts_with("-----")).map(|line| format!("{line}\n")).collect();
    let lost_ends = format!("{text}{key}-----END{end}");
    let nested = format!("{text}-----BEGIN X-----\n{key}-----END{end}");
    let headed = format!("-----BEGIN CERTIFICATE-----\nMIIBqDCCAVA=\n{key}-----END{end}");
    let odd = [glued, indented, literal, one_line, both, open, disguised, late, one_body, lost_ends, nested, headed];
    for shell in shells() {
        for three in odd.chunks(3) {
            let of = |at: usize| three[at].as_bytes();
            let (first, printed) = described(&shell, [of(0), b"", of(2)], None);
            no_line_of_a_key(&printed);
            let (second, printed) = described(&shell, [of(1), b"", b""], None);
            no_line_of_a_key(&printed);
            for (text, seen) in [(&three[0], &first[0]), (&three[1], &second[0]), (&three[2], &first[2])] {
                assert!(matches!(seen, Seen::Unseen(Why::Unreadable(_))), "{shell:?} {text} {seen:?}");
            }
        }
        // Whatever is with it, of a key's own file the key is told.
        let (facts, printed) = described(&shell, [b"", format!("{EC}{CERTIFICATE}").as_bytes(), b""], None);
        no_line_of_a_key(&printed);
        assert!(matches!(&facts[1], Seen::Found(facts) if facts.keys[0].algorithm == "P-256"), "{facts:?}");
    }
}

#[test]
fn what_is_not_there_is_absent_and_what_is_private_is_not_told() {
    for shell in shells() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let env = [
            (PATHS[0], at("none")),
            (PATHS[1], at("")),
            (PATHS[2], "relative/ca.crt".into()),
            ("RAY_AUTH_TOKEN", "hunter2".into()),
            ("RAY_LOG", "a\nhunter2".into()),
            ("RAY_JSON", " {\"a\": \"hunter2\"}".into()),
            ("RAY_REDIS", "redis://:hunter2@redis".into()),
            ("RAY_LONG", "hunter2".repeat(200)),
            ("RAY_raylet_start_seconds", "two  words ".into()),
            ("OTHER", "hunter2".into()),
        ];
        let (inside, printed) = ask(&shell, &env, None);
        no_line_of_a_key(&printed);
        assert_eq!(inside.files[0].content, Seen::Absent);
        assert!(matches!(inside.files[1].content, Seen::Unseen(_)));
        assert!(inside.files[2].resolved.ends_with("/relative/ca.crt") && inside.files[2].resolved.starts_with('/'));
        assert_eq!(inside.variable("RAY_raylet_start_seconds"), Some(Some("two  words ")));
        assert_eq!(inside.variable("RAY_LONG"), None, "withheld is not unset");
        assert_eq!(inside.variable("RAY_USE_TLS"), Some(None));
        assert_eq!((inside.interpreter.as_str(), inside.clock.is_some()), ("sh", true));
        assert!(inside.reader().expect("a reader").started_at.is_some());
    }
}

#[test]
fn owner_and_mode_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tls.crt");
    std::fs::write(&path, CERTIFICATE).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    for shell in shells() {
        let (inside, _) = ask(&shell, &[(PATHS[0], path.to_string_lossy().into_owned())], None);
        let file = inside.file(PATHS[0]).expect("a file");
        assert!(matches!(file.owner, Some((_, _, 0o640))), "{file:?}");
        assert_eq!((file.readable, file.changed_at.is_some()), (Some(true), true));
    }
}

#[test]
fn lines_that_are_not_the_programs_are_an_error() {
    let read = |text: &str| read(text.as_bytes(), &visit(), Timestamp::UNIX_EPOCH);
    for text in ["hello", "process 1 first", "process x first 0 1", "variable 1 RAY_X 1", "text x", "key a b c d"] {
        assert!(read(text).is_err(), "{text}");
    }
    let lacks = read("clock 1\nlacks sed, tr or wc").expect_err("nothing is known");
    assert_eq!(lacks, "the container has neither Python nor sed, tr or wc");
    let key = RSA.lines().map(|line| format!("text {line}\n")).collect::<String>();
    let lying = read(&format!("process 1 first 0 1\nreader 1\nfile RAY_TLS_CA_CERT\npath /x\nresolved /x\n{key}"));
    let inside = lying.expect("an answer");
    assert!(matches!(&inside.files[0].content, Seen::Unseen(Why::Unreadable(why)) if why.contains("thrown away")));
}
