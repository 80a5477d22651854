//! No private key and no token ever leaves: every command and format runs over known ones, and all that it writes is searched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::pods::{Exec, Pods, head};
use common::{Ran, raytls};

const TOKENS: [&str; 4] =
    ["canary-environment-token", "canary-auth-token", "canary-kube-token", "canary-secret-password"];

/// Keys as PEM, and every piece of them that must not be seen.
struct Canary {
    certificate: String,
    key: String,
    other_key: String,
    pieces: Vec<String>,
}

impl Canary {
    fn new() -> Canary {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["ray-head".into()]).unwrap().self_signed(&pair).unwrap();
        let (key, other_key) = (pair.serialize_pem(), other.serialize_pem());
        let mut pieces: Vec<String> = TOKENS.map(str::to_owned).to_vec();
        for (pem, der) in [(&key, pair.serialize_der()), (&other_key, other.serialize_der())] {
            let body: String = pem.lines().filter(|l| !l.starts_with("-----")).collect();
            pieces.extend(windows(&body));
            pieces.extend(windows(&STANDARD.encode(pem)));
            pieces.extend(windows(&der.iter().map(|b| format!("{b:02x}")).collect::<String>()));
            // As `{:?}` of bytes would have it.
            pieces.extend(der.chunks(12).map(|c| c.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")));
        }
        pieces.retain(|p| p.len() >= 16);
        let certificate = certificate.pem();
        let public: String = certificate.lines().filter(|l| !l.starts_with("-----")).collect();
        let public = public + &STANDARD.encode(&certificate);
        // The header of a key and its public half are no secret: the certificate holds the latter.
        let spki = hex(&pair.subject_public_key_info()) + &hex(&other.subject_public_key_info());
        pieces.retain(|p| !public.contains(p.as_str()) && !spki.contains(p.as_str()));
        assert!(pieces.len() > 100);
        Canary { certificate, key, other_key, pieces }
    }

    fn absent(&self, from: &str, text: &str) {
        for piece in &self.pieces {
            assert!(
                !text.contains(piece.as_str()),
                "{from} shows a piece of a private key or a token: {piece}\n{text}"
            );
        }
    }
}

use rcgen::PublicKeyData as _;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn windows(text: &str) -> Vec<String> {
    text.as_bytes().chunks(24).map(|c| String::from_utf8_lossy(c).into_owned()).collect()
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// A head whose Secret holds the keys, with tokens wherever a manifest has room for one. `key_in` is the key of the
/// Secret that holds the private key: the right one, or one where it does not belong.
fn manifest(canary: &Canary, key_in: &str) -> String {
    let [environment, auth, _, password] = TOKENS;
    let certificate = STANDARD.encode(&canary.certificate);
    let (key, other) = (STANDARD.encode(&canary.key), STANDARD.encode(&canary.other_key));
    let rest = if key_in == "tls.crt" { "tls.key" } else { "tls.crt" };
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: ray-head, namespace: ray, annotations: {{note: {password}}}}}
spec:
  selector: {{matchLabels: {{app: ray-head}}}}
  template:
    metadata: {{labels: {{app: ray-head}}}}
    spec:
      containers:
      - name: ray
        image: rayproject/ray:2.60.0
        command: [sh, -c, \"export TOKEN={environment}; ray start --head --port=6379 --redis-password={password}\"]
        env:
        - {{name: RAY_USE_TLS, value: \"1\"}}
        - {{name: RAY_AUTH_TOKEN, value: {auth}}}
        - {{name: DATABASE_URL, value: {environment}}}
        - {{name: RAY_TLS_SERVER_CERT, value: /tls/tls.crt}}
        - {{name: RAY_TLS_SERVER_KEY, value: /tls/tls.key}}
        - {{name: RAY_TLS_CA_CERT, value: /tls/ca.crt}}
        volumeMounts: [{{name: tls, mountPath: /tls}}]
      volumes: [{{name: tls, secret: {{secretName: ray-tls}}}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: ray-tls, namespace: ray}}
data: {{{key_in}: {key}, {rest}: {certificate}, ca.crt: {other}, twice: {twice}}}
stringData: {{password: {password}, RAY_REDIS_PASSWORD: {password}}}
",
        twice = STANDARD.encode(&key),
    )
}

/// Runs with `-vvv` in every format, with an environment full of tokens, and searches what comes out.
fn search(canary: &Canary, folder: &Path, args: &[&str]) {
    for format in ["table", "short", "json"] {
        let file = folder.join("written");
        let to = format!("{format}={}", file.display());
        let mut all = args.to_vec();
        all.extend(["-vvv", "-o", format, "-o", &to]);
        let ran = Ran::of(
            raytls(&all)
                .env("RAY_AUTH_TOKEN", TOKENS[1])
                .env("RAY_USE_TLS", "1")
                .env("RAY_TLS_SERVER_CERT", folder.join("tls.crt"))
                .env("RAY_TLS_SERVER_KEY", folder.join("tls.key"))
                .env("RAY_TLS_CA_CERT", folder.join("both.pem"))
                .env("DATABASE_PASSWORD", TOKENS[0])
                .env("RUST_LOG", "trace"),
        );
        assert!(ran.code >= 0 && ran.code != 4, "{all:?}: {}: {}", ran.code, ran.stderr);
        let name = all.join(" ");
        canary.absent(&name, &ran.stdout);
        canary.absent(&name, &ran.stderr);
        if let Ok(text) = std::fs::read_to_string(&file) {
            canary.absent(&name, &text);
            std::fs::remove_file(&file).unwrap();
        }
    }
}

#[test]
fn the_search_finds_what_it_is_for() {
    let canary = Canary::new();
    let shown = |text: &str| std::panic::catch_unwind(|| canary.absent("test", text)).is_err();
    assert!(shown(&canary.key));
    assert!(shown(&canary.other_key.replace('\n', "")));
    assert!(shown(&manifest(&canary, "tls.key")));
    assert!(shown("a canary-auth-token b"));
    assert!(!shown(&canary.certificate));
}

#[test]
fn files_and_manifests() {
    let (canary, folder) = (Canary::new(), tempfile::tempdir().unwrap());
    let at = |name: &str, text: &str| write(folder.path(), name, text);
    let right = at("right.yaml", &manifest(&canary, "tls.key"));
    let swapped = at("swapped.yaml", &manifest(&canary, "tls.crt"));
    let broken = at("broken.yaml", &format!("{}---\nkind: [\n key: {}\n", manifest(&canary, "tls.key"), TOKENS[3]));
    let certificate = at("tls.crt", &canary.certificate);
    let key = at("tls.key", &canary.key);
    let both = at("both.pem", &format!("{}{}", canary.other_key, canary.certificate));
    let half = at("half.pem", &canary.other_key[..canary.other_key.len() / 2]);
    let bare = at("bare.yaml", &canary.key);
    for file in [&right, &swapped, &broken, &bare] {
        search(&canary, folder.path(), &["gate", "-f", file]);
    }
    search(&canary, folder.path(), &["gate", "-f", &right, "-f", &both, "-f", &half, "-f", &key]);
    search(&canary, folder.path(), &["doctor", "--from", &right]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    let dial = ["probe", &address, "--cert", &certificate, "--key", &key, "--ca", &both, "--timeout", "1s"];
    search(&canary, folder.path(), &dial);
    let crossed = ["probe", &address, "--cert", &key, "--key", &both, "--ca", &half, "--timeout", "1s"];
    search(&canary, folder.path(), &crossed);
    let verify = |[certificate, key, trust]: [&str; 3]| {
        search(&canary, folder.path(), &["verify", "--cert", certificate, "--key", key, "--ca", trust]);
    };
    verify([&certificate, &key, &both]);
    verify([&key, &certificate, &half]);
    verify([&both, &half, &key]);
    verify([&half, &both, &bare]);
    search(&canary, folder.path(), &["doctor", "--as-client", "--kubeconfig", &key, "--timeout", "1s"]);
}

#[test]
fn a_live_cluster_and_its_snapshot() {
    let (canary, folder) = (Canary::new(), tempfile::tempdir().unwrap());
    let server = write_api(&canary);
    let config = write(
        folder.path(),
        "config",
        format!(
            "apiVersion: v1
kind: Config
current-context: there
contexts: [{{name: there, context: {{cluster: there, user: me, namespace: ray}}}}]
clusters: [{{name: there, cluster: {{server: \"http://127.0.0.1:{server}\"}}}}]
users: [{{name: me, user: {{token: {}}}}}]
",
            TOKENS[2]
        ),
    );
    for name in ["tls.crt", "tls.key"] {
        write(folder.path(), name, if name == "tls.crt" { &canary.certificate } else { &canary.key });
    }
    let live = ["--kubeconfig", config.as_str(), "--timeout", "10s"];
    let mut doctor = vec!["doctor", "--as-client"];
    doctor.extend(live);
    search(&canary, folder.path(), &doctor);
    let snapshot = folder.path().join("snapshot");
    let to = snapshot.to_string_lossy().into_owned();
    let mut take = vec!["snapshot", "-vvv", "-o", &to];
    take.extend(live);
    let ran = Ran::of(&mut raytls(&take));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    canary.absent("snapshot", &ran.stdout);
    canary.absent("snapshot -vvv", &ran.stderr);
    let text = std::fs::read_to_string(&snapshot).unwrap();
    assert!(text.contains("ray-tls"), "the Secret was seen: {text}");
    canary.absent("the snapshot", &text);
    search(&canary, folder.path(), &["doctor", "--from", &to]);
}

/// The pod's program over files with known keys, and a pod that sends a key wherever it can.
#[test]
fn from_inside_of_pods() {
    let (canary, folder) = (Canary::new(), tempfile::tempdir().unwrap());
    let at = |name: &str, text: &str| write(folder.path(), name, text);
    let certificate = at("tls.crt", &canary.certificate);
    let key = at("tls.key", &canary.key);
    let both = at("both.pem", &format!("{}{}", canary.other_key, canary.certificate));
    let program = folder.path().join("gcs_server");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let [environment, auth, token, password] = TOKENS;
    let mut gcs = std::process::Command::new(program)
        .arg("600")
        .envs([("RAY_USE_TLS", "1"), ("RAY_TLS_SERVER_CERT", &certificate), ("RAY_TLS_SERVER_KEY", &key)])
        .envs([("RAY_TLS_CA_CERT", both.as_str()), ("RAY_AUTH_TOKEN", auth), ("RAY_REDIS_PASSWORD", password)])
        .envs([("RAY_REDIS_ADDRESS", format!("redis://me:{password}@h").as_str()), ("OTHER", environment)])
        .env("RAY_JSON", format!("{{\"a\": \"{auth}\"}}"))
        .spawn()
        .unwrap();
    let files = ["RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"].map(|name| {
        serde_json::json!({
            "variable": name, "path": "/p", "resolved": canary.key, "pid": 1, "text": canary.key,
            "keys": [{"algorithm": canary.key, "bits": 1, "spki": canary.key, "form": "pkcs8"}], "error": canary.key,
        })
    });
    let told = serde_json::json!({
        "clock": 1, "python": canary.key, "ray": canary.key, "reader": 1,
        "processes": [{"pid": 1, "kind": canary.key, "variables": {"RAY_USE_TLS": "1", "RAY_KEY": canary.key, "RAY_A": canary.key}}],
        "files": files,
        "dials": [{"host": "127.0.0.1", "port": 6379, "status": canary.key, "details": canary.key, "words": [canary.key]}],
    });
    let leak = format!("raytls-inside-1 {told}\n").into_bytes();
    for exec in [Exec::Run, Exec::Print(leak)] {
        let objects =
            std::collections::BTreeMap::from([("pods", vec![head("ray-head-0", &[("RAY_AUTH_TOKEN", auth)])])]);
        let config = at("pods-config", &Pods::start(objects, exec).kubeconfig(token));
        let live = ["--inside", "--no-probe", "--kubeconfig", &config, "--timeout", "30s"];
        search(&canary, folder.path(), &[&["doctor"][..], &live].concat());
        let ran = Ran::of(raytls(&[&["snapshot", "-vvv"][..], &live].concat()).env("RUST_LOG", "trace"));
        assert!(ran.stdout.contains("\"inside\":[{"), "nothing was told from inside: {}{}", ran.stdout, ran.stderr);
        canary.absent("snapshot --inside", &ran.stdout);
        canary.absent("snapshot --inside -vvv", &ran.stderr);
    }
    gcs.kill().unwrap();
    gcs.wait().unwrap();
}

/// An API server that knows one Deployment and its Secret, for as long as the test lives; its port.
fn write_api(canary: &Canary) -> u16 {
    let documents: Vec<serde_json::Value> =
        manifest(canary, "tls.key").split("---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    let [deployment, mut secret]: [serde_json::Value; 2] = documents.try_into().unwrap();
    for (name, value) in secret["stringData"].as_object().unwrap().clone() {
        secret["data"][name] = STANDARD.encode(value.as_str().unwrap()).into();
    }
    secret.as_object_mut().unwrap().remove("stringData");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut some = [0; 4096];
            while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                match stream.read(&mut some) {
                    Ok(n) if n > 0 => request.extend_from_slice(&some[..n]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&request);
            let path = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
            let (status, body) = answer(path, &deployment, &secret);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

fn answer(path: &str, deployment: &serde_json::Value, secret: &serde_json::Value) -> (&'static str, String) {
    let list = |items: serde_json::Value| {
        serde_json::json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}).to_string()
    };
    match path {
        "/version" => ("200 OK", r#"{"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "linux/amd64"}"#.into()),
        "/api/v1/namespaces/ray" => {
            ("200 OK", serde_json::json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "ray"}}).to_string())
        }
        p if p.ends_with("/secrets/ray-tls") => ("200 OK", secret.to_string()),
        p if p.ends_with("/deployments") => ("200 OK", list(serde_json::json!([deployment]))),
        p if p.contains("/secrets/") || p.contains("/configmaps/") => (
            "404 Not Found",
            serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})
                .to_string(),
        ),
        _ => ("200 OK", list(serde_json::json!([]))),
    }
}
