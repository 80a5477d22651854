//! `--inside` against an API server in this process, whose pods run the program on this machine or misbehave. Python 3 is
//! needed, as for the rest of `.ci/run`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::pods::{Exec, Pods, head};
use common::{Ran, raytls};
use serde_json::Value;

/// A process that looks like Ray's GCS and has these variables.
struct Gcs(Child, #[allow(dead_code, reason = "held")] MutexGuard<'static, ()>);

/// One at a time: every one of them is found.
static ALONE: Mutex<()> = Mutex::new(());

impl Gcs {
    fn start(folder: &Path, env: &[(&str, &str)]) -> Gcs {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let program = folder.join("gcs_server");
        std::fs::copy("/bin/sleep", &program).unwrap();
        Gcs(Command::new(program).arg("600").envs(env.iter().copied()).spawn().unwrap(), alone)
    }
}

impl Drop for Gcs {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn snapshot(folder: &Path, exec: Exec, timeout: &str) -> (i32, Value, Vec<String>) {
    let pods = Pods::start(BTreeMap::from([("pods", vec![head("ray-head-0", &[("RAY_USE_TLS", "0")])])]), exec);
    let config = folder.join("config");
    std::fs::write(&config, pods.kubeconfig("token")).unwrap();
    let ran = Ran::of(&mut raytls(&[
        "snapshot",
        "--inside",
        "--no-probe",
        "--timeout",
        timeout,
        "--kubeconfig",
        &config.to_string_lossy(),
    ]));
    let asked = pods.asked.lock().unwrap().clone();
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr)), asked)
}

/// The one gap about the inside of pods: what, why, needs.
fn gap(evidence: &Value) -> (String, String, String) {
    let of_inside = |gap: &&Value| gap["what"].as_str().unwrap().starts_with("the inside");
    let gaps: Vec<&Value> = evidence["gaps"].as_array().unwrap().iter().filter(of_inside).collect();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let text = |name: &str| gaps[0][name].as_str().unwrap_or_default().to_owned();
    (text("what"), text("why"), text("needs"))
}

/// What a pod tells whose process has other variables than its template, a certificate and key of its own and no CA file.
fn asked_of_process(exec: Exec) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["ray-head".into()]).unwrap().self_signed(&pair).unwrap().pem();
    let at = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_string_lossy().into_owned()
    };
    let (crt, key) = (at("tls.crt", &certificate), at("tls.key", &pair.serialize_pem()));
    let missing = folder.path().join("ca.crt").to_string_lossy().into_owned();
    let _gcs = Gcs::start(
        folder.path(),
        &[
            ("RAY_USE_TLS", "1"),
            ("RAY_TLS_SERVER_CERT", &crt),
            ("RAY_TLS_SERVER_KEY", &key),
            ("RAY_TLS_CA_CERT", &missing),
            ("RAY_AUTH_TOKEN", "hunter2"),
            ("OTHER", "hunter2"),
        ],
    );
    let (code, evidence, asked) = snapshot(folder.path(), exec, "60s");
    assert_eq!(code, 0);
    assert!(asked.iter().filter(|path| path.ends_with("/exec")).count() <= 3, "{asked:?}");
    let told = &evidence["inside"][0];
    let process = told["processes"].as_array().unwrap().iter().find(|p| p["pid"] == told["reader"]).unwrap();
    assert_eq!((&process["kind"], &process["variables"]["RAY_USE_TLS"]), (&"gcs_server".into(), &"1".into()));
    let file = |name: &str| {
        let own =
            told["files"].as_array().unwrap().iter().find(|f| f["variable"] == name && f["pid"] == told["reader"]);
        own.unwrap()["content"].clone()
    };
    assert_eq!(file("RAY_TLS_SERVER_CERT")["found"]["certificates"]["blocks"].as_array().unwrap().len(), 1);
    assert_eq!(file("RAY_TLS_SERVER_KEY")["found"]["keys"][0]["algorithm"], "P-256");
    assert_eq!(file("RAY_TLS_CA_CERT"), "absent");
    let text = evidence.to_string();
    let body: Vec<&str> = pair.serialize_pem().leak().lines().filter(|line| !line.starts_with("-----")).collect();
    for secret in body.into_iter().chain(["hunter2"]) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    evidence
}

#[test]
fn what_the_process_has_wins_over_its_template() {
    let evidence = asked_of_process(Exec::Run);
    assert!(evidence["inside"][0]["interpreter"].as_str().unwrap().starts_with("Python 3"));
}

#[test]
fn without_python_sh_tells_of_variables_and_files_and_dials_nothing() {
    let evidence = asked_of_process(Exec::Shell);
    let told = &evidence["inside"][0];
    assert_eq!(told["interpreter"], "sh");
    let dials = told["dials"].as_array().unwrap();
    assert!(!dials.is_empty() && dials.iter().all(|dial| dial["answer"]["status"][0] == "NO_GRPC"), "{dials:?}");
    let gaps = evidence["gaps"].as_array().unwrap();
    let of_dials: Vec<&Value> =
        gaps.iter().filter(|gap| gap["what"].as_str().unwrap().starts_with("the dials")).collect();
    let [gap] = of_dials.as_slice() else { panic!("{gaps:?}") };
    assert_eq!(gap["what"], "the dials of pod ray/ray-head-0, container ray");
    assert_eq!(gap["why"], "not observed from inside: no Python with grpcio in the container");
}

#[test]
fn pods_that_misbehave_are_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let why = |exec: Exec| {
        let (code, evidence, _) = snapshot(folder.path(), exec, "60s");
        assert_eq!((code, &evidence["inside"]), (0, &serde_json::json!([])));
        gap(&evidence)
    };
    let (_, ended, _) = why(Exec::Print(b"hello\n".to_vec()));
    assert_eq!(ended, "the program ended without an answer");
    let (_, garbage, _) = why(Exec::Print(b"noise\nraytls-inside-1 {\"clock\": []}\n".to_vec()));
    assert!(garbage.contains("answered with something else"), "{garbage}");
    let (_, flood, _) = why(Exec::Flood(vec![b'x'; 30_000]));
    assert_eq!(flood, "the container printed more than 1 MiB");
    let (_, python, needs) =
        why(Exec::Fail("OCI runtime exec failed: exec: \"python3\": executable file not found in $PATH"));
    assert!(python.contains("neither Python nor sh") && needs.contains("python3"), "{python} {needs}");
    let (_, complaints, _) = why(Exec::Complain(vec![b'x'; 30_000]));
    assert_eq!(complaints, "the container printed more than 64 KiB of complaints");
    let (_, killed, _) = why(Exec::Fail("command terminated with exit code 137"));
    assert!(killed.contains("exit code 137"), "{killed}");
    let (_, gone, _) = why(Exec::Refuse(404, "pods \"ray-head-0\" not found"));
    assert_eq!(gone, "the pod is not there any more");
    let (what, refused, needs) =
        why(Exec::Refuse(403, "pods \"ray-head-0\" is forbidden: User \"me\" cannot create resource"));
    assert_eq!(what, "the insides of pods in namespace ray");
    assert!(refused.contains("pods/exec") && needs.contains("\"create\", \"get\""), "{refused} {needs}");
    let (_, reset, _) = why(Exec::Reset);
    assert!(!reset.is_empty());
}

#[test]
fn a_pod_that_stalls_does_not_hold_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (code, evidence, _) = snapshot(folder.path(), Exec::Stall, "2s");
    assert_eq!(code, 3, "incomplete");
    assert_eq!(gap(&evidence).1, "no answer in time");
    assert_eq!(evidence["workloads"].as_array().unwrap().len(), 1);
}
