//! The program as a user meets it: help, formats, exit codes, bad input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use common::{Ran, raytls, run, run_in};

const HEAD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: ray-head, namespace: ray}
spec:
  selector: {matchLabels: {app: ray-head}}
  template:
    metadata: {labels: {app: ray-head}}
    spec:
      containers:
      - name: ray
        image: rayproject/ray:2.60.0
        command: [ray, start, --head, --port=6379, --block]
";

/// A worker whose switch Ray reads as off.
const YES: &str = "\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ray-worker, namespace: ray}
spec:
  selector: {matchLabels: {app: ray-worker}}
  template:
    metadata: {labels: {app: ray-worker}}
    spec:
      containers:
      - name: ray
        image: rayproject/ray:2.60.0
        command: [ray, start, --address=ray-head:6379, --block]
        env: [{name: RAY_USE_TLS, value: \"yes\"}]
";

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn help_and_version() {
    for command in ["doctor", "gate", "probe", "explain", "snapshot", "demo"] {
        let ran = run(&[command, "--help"]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("Examples:"), "{command}: {}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
    assert!(run(&["--help"]).stdout.contains("Exit codes:"));
    assert_eq!(run(&["--version"]).stdout.trim(), concat!("raytls ", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).stdout.contains("raytls"));
    }
}

#[test]
fn usage_errors_are_2() {
    let wrong: [&[&str]; 9] = [
        &[],
        &["nonsense"],
        &["gate"],
        &["probe", "no-port"],
        &["doctor", "-o", "yaml"],
        &["doctor", "--timeout", "soon"],
        &["doctor", "-o", "json", "-o", "short"],
        &["explain", "XYZ99"],
        &["demo", "no-such-fault"],
    ];
    for args in wrong {
        let ran = run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}: talk goes to stderr");
        assert!(!ran.stderr.is_empty());
    }
}

#[test]
fn explain_knows_codes_and_names() {
    let by_code = run(&["explain", "nam03"]);
    assert_eq!(by_code.code, 0);
    let name = by_code.stdout.lines().next().unwrap().split(' ').nth(2).unwrap().to_owned();
    assert_eq!(run(&["explain", &name]).stdout, by_code.stdout);
}

#[test]
fn formats_agree_on_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.yaml", HEAD);
    let bad = write(folder.path(), "bad.yaml", format!("{HEAD}{YES}"));
    for (file, code) in [(&good, 0), (&bad, 1)] {
        for format in ["table", "short", "json"] {
            let ran = run(&["gate", "-f", file, "-o", format]);
            assert_eq!(ran.code, code, "{file} -o {format}: {}{}", ran.stdout, ran.stderr);
            assert_eq!(ran.stderr, "", "{file} -o {format}");
        }
        let ran = run(&["gate", "-f", file, "-o", "json"]);
        assert_eq!(ran.json()["exitCode"], code);
    }
    assert_eq!(run(&["gate", "-f", &bad, "--fail-on", "never"]).code, 0);
}

#[test]
fn several_outputs_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let bad = write(folder.path(), "bad.yaml", format!("{HEAD}{YES}"));
    let report = folder.path().join("report.json");
    let ran = run(&["gate", "-f", &bad, "-o", "short", "-o", &format!("json={}", report.display())]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.lines().any(|l| l.starts_with("error ENV02 ")), "{}", ran.stdout);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(json["kind"], "Report");
    let ran = run(&["gate", "-f", &bad, "-o", "json=/nonexistent/report.json"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("/nonexistent/report.json"));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let bad = write(folder.path(), "bad.yaml", format!("{HEAD}{YES}"));
    let args = ["gate", "-f", &bad, "-o", "json", "--now", "2027-01-01T00:00:00Z"];
    let once = run(&args);
    assert_eq!(once.json()["takenAt"], "2027-01-01T00:00:00Z");
    assert_eq!(once.stdout, run(&args).stdout);
}

#[test]
fn colour_is_for_terminals_only_and_columns_are_respected() {
    let folder = tempfile::tempdir().unwrap();
    let bad = write(folder.path(), "bad.yaml", format!("{HEAD}{YES}"));
    let plain = run(&["gate", "-f", &bad]);
    assert!(!plain.stdout.contains('\u{1b}'));
    let forced = Ran::of(raytls(&["gate", "-f", &bad]).env("CLICOLOR_FORCE", "1"));
    assert!(forced.stdout.contains('\u{1b}'));
    let never = Ran::of(raytls(&["gate", "-f", &bad]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"));
    assert!(!never.stdout.contains('\u{1b}'));
    let wide = Ran::of(raytls(&["gate", "-f", &bad]).env("COLUMNS", "300"));
    assert!(wide.stdout.lines().count() < plain.stdout.lines().count(), "{}", wide.stdout);
}

#[test]
fn manifests_from_standard_input() {
    let mut child = raytls(&["gate", "-f", "-", "-o", "short"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{HEAD}{YES}").as_bytes()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn standard_input_that_never_ends() {
    let mut child = raytls(&["gate", "-f", "-", "--timeout", "1s"]).stdin(Stdio::piped()).spawn().unwrap();
    let keep_open = child.stdin.take();
    let ran = Ran::from(child.wait_with_output().unwrap());
    drop(keep_open);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("--timeout"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_has_seen_enough() {
    let mut child = raytls(&["explain", "--all"]).spawn().unwrap();
    let mut some = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    // The pipe is closed now; what is left to write is more than it buffers only if the page is long, and either way is fine.
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn unreadable_input_is_2_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let not_yaml = write(folder.path(), "not.yaml", "kind: [unclosed\n  : : :\n");
    let binary = write(folder.path(), "binary.yaml", [0, 159, 146, 150, 255]);
    let huge = folder.path().join("huge.yaml");
    std::fs::File::create(&huge).unwrap().set_len(200 * 1024 * 1024).unwrap();
    let huge = huge.to_string_lossy().into_owned();
    for file in [not_yaml.as_str(), &binary, &huge, "/nonexistent/x.yaml"] {
        let ran = run(&["gate", "-f", file, "-o", "json"]);
        assert_eq!(ran.code, 2, "{file}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(file), "{file}: {}", ran.stderr);
        assert_eq!(ran.json()["exitCode"], 2);
        assert_eq!(ran.json()["verdict"], "unknown");
    }
}

#[test]
fn what_can_be_judged_beside_a_broken_document_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "mixed.yaml", format!("{HEAD}---\nkind: [unclosed\n  : :\n{YES}"));
    let ran = run(&["gate", "-f", &file, "-o", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let report = ran.json();
    let findings = report["findings"].as_array().unwrap();
    let unreadable = findings.iter().find(|f| f["code"] == "DOC01").expect("DOC01");
    assert_eq!(unreadable["subject"]["file"], file);
    assert!(unreadable["subject"]["line"].as_u64().unwrap() > 12, "{unreadable}");
    assert!(!report["connections"].as_array().unwrap().is_empty(), "the head was judged");
}

#[test]
fn documents_nested_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let block = |depth: usize| -> String { (0..depth).map(|at| format!("{}a:\n", " ".repeat(at))).collect() };
    let endless =
        [("block", block(3000)), ("lists", format!("{}x", "- ".repeat(50_000))), ("flow", "[".repeat(50_000))];
    for (name, text) in endless {
        let ran = run(&["gate", "-f", &write(folder.path(), &format!("{name}.yaml"), text)]);
        assert_eq!(ran.code, 2, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains("not YAML"), "{name}: {}", ran.stderr);
    }
    let deep = format!("kind: X\nmetadata: {{name: x}}\n{}", block(60));
    let ran = run(&["gate", "-f", &write(folder.path(), "deep.yaml", deep)]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
}

#[test]
fn files_that_are_pipes_end_with_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    let ran = run(&["doctor", "--kubeconfig", pipe, "--timeout", "1s"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("in time"), "{}", ran.stderr);
    let mut shell = raytls(&["doctor", "--as-client", "--kubeconfig", "/nonexistent", "--timeout", "1s"]);
    let ran = Ran::of(shell.envs([("RAY_USE_TLS", "1"), ("RAY_TLS_CA_CERT", pipe)]));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("RAY_TLS_*"), "{}", ran.stderr);
}

#[test]
fn half_a_pem_and_binary_garbage_in_secrets() {
    use base64::Engine as _;
    let folder = tempfile::tempdir().unwrap();
    let half = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n";
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let tls = HEAD.to_owned()
        + "        env:
        - {name: RAY_USE_TLS, value: \"1\"}
        - {name: RAY_TLS_SERVER_CERT, value: /tls/tls.crt}
        - {name: RAY_TLS_SERVER_KEY, value: /tls/tls.key}
        - {name: RAY_TLS_CA_CERT, value: /tls/ca.crt}
        volumeMounts: [{name: tls, mountPath: /tls}]
      volumes: [{name: tls, secret: {secretName: ray-tls}}]
---
apiVersion: v1
kind: Secret
metadata: {name: ray-tls, namespace: ray}
data:
";
    let garbage = encode(&(0..=255).collect::<Vec<u8>>());
    let file = write(
        folder.path(),
        "secret.yaml",
        format!("{tls}  tls.crt: {}\n  tls.key: {garbage}\n  ca.crt: \"%%%\"\n", encode(half.as_bytes())),
    );
    let ran = run(&["gate", "-f", &file, "-o", "short"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("ray-tls"), "{}", ran.stdout);
    let pem = write(folder.path(), "half.pem", half);
    let ran = run(&["gate", "-f", &file, "-f", &pem, "-o", "json"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn no_cluster_is_one_sentence_and_3() {
    let home = tempfile::tempdir().unwrap();
    let ran = run_in(home.path(), &["doctor"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    let ran = run_in(home.path(), &["doctor", "-o", "json"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.json()["verdict"], "unknown");
    assert_eq!(ran.json()["exitCode"], 3);
    let ran = run_in(home.path(), &["doctor", "--kubeconfig", "/nonexistent/config"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("/nonexistent/config"), "{}", ran.stderr);
}

/// A kubeconfig whose API server is at this address.
fn kubeconfig(folder: &Path, server: &str) -> String {
    let text = format!(
        "apiVersion: v1
kind: Config
current-context: there
contexts: [{{name: there, context: {{cluster: there, user: me, namespace: ray}}}}]
clusters: [{{name: there, cluster: {{server: \"{server}\"}}}}]
users: [{{name: me, user: {{token: not-a-token}}}}]
"
    );
    write(folder, "config", text)
}

/// A port that accepts and does this with every connection, for as long as the test lives.
fn port(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    port
}

fn silent() -> u16 {
    let held = std::sync::Mutex::new(Vec::new());
    port(move |stream| held.lock().unwrap().push(stream))
}

#[test]
fn api_servers_that_are_not_there_or_never_answer() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for port in [free, silent()] {
        let config = kubeconfig(folder.path(), &format!("http://127.0.0.1:{port}"));
        let ran = run(&["doctor", "--kubeconfig", &config, "--timeout", "2s", "-o", "json"]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("127.0.0.1:{port}")), "{}", ran.stderr);
        assert_eq!(ran.json()["verdict"], "unknown");
    }
}

#[test]
fn ports_that_are_silent_or_send_garbage() {
    let garbage = port(|mut stream| {
        let _ = stream.write_all(b"\x05\x04\x03\x02\x01 not TLS, not HTTP");
        let _ = stream.read(&mut [0; 1024]);
    });
    for port in [silent(), garbage] {
        let ran = run(&["probe", &format!("127.0.0.1:{port}"), "--timeout", "3s"]);
        assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(&format!("127.0.0.1:{port}")), "{}", ran.stdout);
        assert!(ran.stdout.contains("tcp"), "the ladder is shown: {}", ran.stdout);
    }
}

#[test]
fn a_port_that_refuses_fails() {
    let shut = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = run(&["probe", &format!("127.0.0.1:{shut}"), "--timeout", "3s", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, report["verdict"].as_str()), (1, Some("broken")), "{}{}", ran.stdout, ran.stderr);
    let finding = &report["findings"][0];
    assert_eq!(finding["code"], "LIV01");
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("port {shut} of 127.0.0.1")) && message.contains("connection refused"),
        "{message}"
    );
    assert!(!report.to_string().contains("kubectl"), "{report:#}");
    assert!(!report.to_string().contains("of pod "), "{report:#}");
}

#[test]
fn an_interrupted_probe_reports_what_answered_before() {
    // As a Ray port in clear: SETTINGS before anything is said to it.
    let (done, answered) = std::sync::mpsc::channel();
    let answering = port(move |mut stream| {
        let _ = stream.write_all(&[&b"\x00\x00\x18\x04\x00\x00\x00\x00\x00"[..], &[0; 24]].concat());
        let _ = stream.read(&mut [0; 1024]);
        let _ = done.send(());
    });
    let (dialled, waiting) = std::sync::mpsc::channel();
    let held = std::sync::Mutex::new(Vec::new());
    let silent = port(move |stream| {
        held.lock().unwrap().push(stream);
        let _ = dialled.send(());
    });
    let targets = [answering, silent].map(|port| format!("127.0.0.1:{port}"));
    let child = raytls(&["probe", &targets[0], &targets[1], "--timeout", "60s", "-o", "json"]).spawn().unwrap();
    waiting.recv().unwrap();
    // The dial of the first has ended when it hangs up; the silent one holds the run for seconds yet.
    answered.recv().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let stopped = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    let report = ran.json();
    assert_eq!((report["incomplete"].as_bool(), report["exitCode"].as_i64()), (Some(true), Some(i64::from(ran.code))));
    assert!(ran.stderr.contains("interrupted: what was seen until now is judged"), "{}", ran.stderr);
    let ends = |c: &&serde_json::Value| c["id"].as_str().unwrap().ends_with(&targets[0]);
    let first = report["connections"].as_array().unwrap().iter().find(ends).unwrap();
    assert_eq!(first["observed"]["verdict"], "reject", "what had answered is lost: {first:#}");
}

#[test]
fn the_demo_lists_its_faults_and_finds_them() {
    let list = run(&["demo", "--list"]);
    assert_eq!(list.code, 0);
    for fault in [
        "healthy",
        "expired",
        "wrong-ca",
        "missing-name",
        "pod-ip-missing",
        "plaintext-worker",
        "yes-is-not-true",
        "key-mismatch",
        "empty-secret",
        "client-auth-missing",
        "rotated-not-restarted",
        "forbidden",
    ] {
        assert!(list.stdout.lines().any(|l| l.split_whitespace().next() == Some(fault)), "{fault}");
    }
    let ran = run(&["demo", "expired", "-o", "json"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json()["causes"][0]["code"], "CRT01");
}

#[test]
fn every_command_that_judges_does_so_by_the_grpc_that_was_asked_for() {
    let gate = ["gate", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/kuberay/env-from.yaml")];
    let verify = ["verify", "--ca", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/django-ray/ca.crt")];
    // Nobody listens on port 1: the report says so, and by which rules it would have judged.
    for command in [&gate[..], &verify[..], &["probe", "127.0.0.1:1"]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_raytls"))
            .args(command)
            .args(["--grpcio", "1.76.0", "--ray", "2.8", "-o", "json"])
            .output()
            .unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let by = |stack: &str| report["judgedBy"][stack].as_str().unwrap().to_owned();
        assert_eq!(by("core"), "gRPC 1.50.0 (measured)", "{command:?}");
        assert_eq!(by("python"), "grpcio 1.76.0 (measured)", "{command:?}");
    }
}

#[test]
fn the_page_about_rights_has_the_role_that_is_printed() {
    let printed = run(&["rbac", "--level", "3", "-n", "ray"]);
    assert_eq!(printed.code, 0);
    let page = include_str!("../docs/rbac.md");
    assert!(page.contains(&printed.stdout), "its last block is not what `raytls rbac --level 3 -n ray` prints");
    for wrong in [&["--level", "4"][..], &["--level", "1", "-n", "Ray"], &["--level", "1", "--service-account", "ci"]] {
        assert_eq!(run(&[&["rbac"][..], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn one_cluster_of_a_fleet_fails_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = kubeconfig(folder.path(), &format!("http://127.0.0.1:{free}"));
    let fleet =
        |more: &[&str]| run(&[&["doctor", "--kubeconfig", &config, "-o", "json", "--timeout", "5s"], more].concat());
    let ran = fleet(&["--context", "there,elsewhere,there"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let report = ran.json();
    let items = report["items"].as_array().unwrap();
    let why = |at: usize| items[at]["report"]["notJudged"][0]["why"].as_str().unwrap().to_owned();
    assert_eq!((report["kind"].as_str(), items.len()), (Some("ReportList"), 2), "a context is asked once");
    assert!(why(0).contains(&free.to_string()), "{}", why(0));
    assert!(why(1).contains("no context elsewhere"), "{}", why(1));
    assert_eq!(fleet(&["--all-contexts"]).json()["items"][0]["context"], "there");
    assert_eq!(fleet(&["--all-contexts", "--as-client"]).code, 2);
    let two = run(&["snapshot", "--kubeconfig", &config, "--context", "there,elsewhere"]);
    assert_eq!(two.code, 2, "a snapshot is of one cluster");
}

#[test]
fn snapshots_of_the_first_format_are_read() {
    for (name, code, cause) in [("ca-empty", 1, Some("SEC03")), ("healthy-kuberay", 0, None)] {
        let path = format!("{}/fixtures/snapshots/format-1-{name}.json", env!("CARGO_MANIFEST_DIR"));
        let ran = run(&["doctor", "--from", &path, "-o", "json"]);
        let report = ran.json();
        assert_eq!((ran.code, report["causes"][0]["code"].as_str()), (code, cause), "{name}: {}", ran.stdout);
    }
}
