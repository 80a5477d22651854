//! The doctor against real Ray on a real Kubernetes: two healthy clusters and five faults, each in a namespace of its
//! own. Behind the feature `e2e`, so that a machine without a cluster does not count them as passed. `KUBECONFIG` names
//! a cluster whose nodes have the image `ray.local/ray:2.60.0`, and kubectl is on PATH; `.ci/run` sees to that. Reports and
//! pod logs go to `RAYTLS_E2E_DIR`, or to `tmp/e2e` of the target directory, with `results.md`: one row per scenario.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod cluster;
mod pki;

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::Value;

use cluster::Namespace;
use pki::{Ca, Ends, Leaf};

const PER_POD: &str = include_str!("manifests/per-pod.yaml");
const HEAD: &str = include_str!("manifests/static-head.yaml");
const WORKER: &str = include_str!("manifests/static-worker.yaml");
const STARTED: &str = "Ray runtime started.";

/// What Ray dials in `static-head.yaml` and `static-worker.yaml`.
const NAMES: [&str; 4] = ["ray-head", "ray-worker", "localhost", "127.0.0.1"];

#[test]
fn a_leaf_per_pod_is_healthy() {
    let ns = Namespace::new("healthy-per-pod");
    let ca = Ca::new();
    ns.secret("ray-ca", &[("ca.crt", &ca.certificate), ("ca.key", &ca.key)]);
    ns.apply(PER_POD);
    ns.wait_for_log("head", STARTED);
    ns.wait_for_log("worker", STARTED);
    let report = expect_healthy(&ns);
    // The keys never leave the pods, so nobody else can be seen to be accepted: the served leaf is judged by the rules.
    let own = list(&report, "connections").iter().find(|c| c["dialer"] == c["target"] && c["port"] == 6379).unwrap();
    assert_eq!(
        (&own["predicted"]["core"]["verdict"], &own["predicted"]["python"]["verdict"]),
        (&"accept".into(), &"accept".into())
    );
    assert_eq!(own["observed"]["verdict"], "cannot-tell", "accepted without a certificate: {own:#}");
    assert!(!list(&report, "notJudged").is_empty(), "what was made in the pods is not listed");
}

#[test]
fn one_leaf_with_the_names_of_all_nodes_is_healthy() {
    let ns = Namespace::new("healthy-static");
    let ca = Ca::new();
    secret(&ns, "ray-tls", &ca, &ca.leaf(&NAMES, Ends::NextYear));
    start(&ns, HEAD, WORKER);
    let report = expect_healthy(&ns);
    let seen = list(&report, "connections").iter().filter(|c| c["observed"]["verdict"] == "accept").count();
    assert!(seen > 0, "healthy, but no connection was seen to work");
    expect_same_report_from_a_snapshot(&ns);
}

#[test]
fn no_pod_ip_in_the_leaf() {
    let ns = Namespace::new("no-pod-ip");
    let ca = Ca::new();
    secret(&ns, "ray-tls", &ca, &ca.leaf(&NAMES, Ends::NextYear));
    // Without the option Ray takes the pod IP.
    ns.apply(&with(HEAD, "--node-ip-address=ray-head ", ""));
    ns.apply(&with(WORKER, "--node-ip-address=ray-worker ", ""));
    ns.wait_until_head_listens();
    ns.wait_until_running("worker");
    expect_cause(&ns, &["NAM03"], "ray-tls");
}

#[test]
fn worker_of_another_ca() {
    let ns = Namespace::new("other-ca");
    let (ca, other) = (Ca::new(), Ca::new());
    secret(&ns, "ray-tls", &ca, &ca.leaf(&NAMES, Ends::NextYear));
    secret(&ns, "ray-tls-worker", &other, &other.leaf(&NAMES, Ends::NextYear));
    ns.apply(HEAD);
    ns.apply(&with(WORKER, "secretName: ray-tls", "secretName: ray-tls-worker"));
    ns.wait_for_log("head", STARTED);
    ns.wait_until_running("worker");
    expect_cause(&ns, &["CHN01", "CHN02"], "ray-tls-worker");
}

#[test]
fn expired_leaf() {
    let ns = Namespace::new("expired");
    let ca = Ca::new();
    secret(&ns, "ray-tls", &ca, &ca.leaf(&NAMES, Ends::LongAgo));
    ns.apply(HEAD);
    ns.apply(WORKER);
    ns.wait_until_head_listens();
    ns.wait_until_running("worker");
    expect_cause(&ns, &["CRT01"], "ray-tls");
}

#[test]
fn worker_without_the_switch() {
    let ns = Namespace::new("worker-without-tls");
    let ca = Ca::new();
    secret(&ns, "ray-tls", &ca, &ca.leaf(&NAMES, Ends::NextYear));
    ns.apply(HEAD);
    ns.apply(&with(WORKER, "        - {name: RAY_USE_TLS, value: \"1\"}\n", ""));
    ns.wait_for_log("head", STARTED);
    ns.wait_until_running("worker");
    expect_cause(&ns, &["ENV01"], "ray-worker");
}

#[test]
fn secret_rotated_without_a_restart() {
    let ns = Namespace::new("rotated");
    let ca = Ca::new();
    secret(&ns, "ray-tls", &ca, &ca.leaf(&NAMES, Ends::NextYear));
    start(&ns, HEAD, WORKER);
    let ca = Ca::new();
    let leaf = ca.leaf(&NAMES, Ends::NextYear);
    secret(&ns, "ray-tls", &ca, &leaf);
    ns.wait_for_file("head", "/etc/ray/tls/tls.crt", &leaf.certificate);
    ns.wait_for_file("worker", "/etc/ray/tls/tls.crt", &leaf.certificate);
    expect_cause(&ns, &["ROT01"], "ray-tls");
}

fn secret(ns: &Namespace, name: &str, ca: &Ca, leaf: &Leaf) {
    ns.secret(name, &[("ca.crt", &ca.certificate), ("tls.crt", &leaf.certificate), ("tls.key", &leaf.key)]);
}

fn start(ns: &Namespace, head: &str, worker: &str) {
    ns.apply(head);
    ns.apply(worker);
    ns.wait_for_log("head", STARTED);
    ns.wait_for_log("worker", STARTED);
}

fn with(manifest: &str, old: &str, new: &str) -> String {
    assert!(manifest.contains(old), "the manifest has no '{old}'");
    manifest.replace(old, new)
}

fn expect_healthy(ns: &Namespace) -> Value {
    let (report, exit) = doctor(ns);
    let errors: Vec<_> = list(&report, "findings").iter().filter(|f| f["severity"] == "error").collect();
    assert!(errors.is_empty(), "error findings on a healthy cluster: {errors:#?}");
    assert_eq!((exit, &report["verdict"]), (Some(0), &Value::from("healthy")));
    report
}

/// `subject` is the name of the object that the first cause must point at.
fn expect_cause(ns: &Namespace, codes: &[&str], subject: &str) {
    let (report, exit) = doctor(ns);
    let first = &report["causes"][0];
    assert!(codes.iter().any(|code| first["code"] == *code), "first cause is not one of {codes:?}: {first:#}");
    assert_eq!(first["subject"]["name"], subject, "{first:#}");
    assert_eq!((exit, &report["verdict"]), (Some(1), &Value::from("broken")));
    assert!(!list(first, "mends").is_empty(), "a cause that mends nothing: {first:#}");
    assert!(!list(&first["remedy"], "steps").is_empty(), "a cause without a remedy: {first:#}");
}

/// A live cluster and its snapshot, judged at the same time, give the same bytes.
fn expect_same_report_from_a_snapshot(ns: &Namespace) {
    let file = ns.file("snapshot");
    let file = file.to_str().unwrap();
    let now = jiff::Timestamp::now().to_string();
    let written = ns.raytls("snapshot", &["-n", &ns.name, "-o", file]);
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let live = ns.raytls("doctor", &["-n", &ns.name, "-o", "json", "--now", &now]);
    let again = ns.raytls("doctor", &["--from", file, "-o", "json", "--now", &now]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), String::from_utf8_lossy(&live.stdout));
    assert_eq!(again.status.code(), live.status.code());
    let snapshot = std::fs::read_to_string(file).unwrap();
    assert!(!snapshot.contains("PRIVATE KEY"), "{file} holds a private key");
}

/// Runs the doctor, keeps its report and adds the row of the scenario to `results.md`.
fn doctor(ns: &Namespace) -> (Value, Option<i32>) {
    let output = ns.raytls("doctor", &["-n", &ns.name, "-o", "json"]);
    ns.save("json", &output.stdout);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|why| panic!("no JSON report ({why}); stderr: {}", String::from_utf8_lossy(&output.stderr)));
    let exit = output.status.code();
    let causes: Vec<_> = list(&report, "causes").iter().filter_map(|c| c["code"].as_str()).collect();
    let connections = list(&report, "connections");
    let observed = |verdict| connections.iter().filter(|c| c["observed"]["verdict"] == verdict).count();
    let row = format!(
        "| {} | {} | {} | {} | {} of {} accepted, {} rejected |\n",
        ns.name,
        report["verdict"].as_str().unwrap_or("?"),
        exit.map_or("killed".into(), |code| code.to_string()),
        causes.join(" "),
        observed("accept"),
        connections.len(),
        observed("reject"),
    );
    let table = OpenOptions::new().create(true).append(true).open(cluster::directory().join("results.md"));
    table.unwrap().write_all(row.as_bytes()).unwrap();
    let _ = write!(std::io::stderr(), "{row}");
    (report, exit)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
