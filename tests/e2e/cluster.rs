//! One namespace of a real Kubernetes, and what a test does in it by kubectl.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Ray's pods take seconds to start on an idle machine; the rest is for busy ones.
const PATIENCE: Duration = Duration::from_secs(480);

/// A head and a worker need ~2 GB, and a build machine may have two cores.
const AT_ONCE: usize = 2;

/// A namespace, deleted at the end whatever happens.
pub(crate) struct Namespace {
    pub(crate) name: String,
    scenario: &'static str,
    _slot: Slot,
}

impl Namespace {
    /// Makes the namespace `raytls-e2e-SCENARIO-PID`; waits first while too many others are at work.
    pub(crate) fn new(scenario: &'static str) -> Namespace {
        let slot = Slot::take();
        let name = format!("raytls-e2e-{scenario}-{}", std::process::id());
        kubectl(&["create", "namespace", &name], "");
        Namespace { name, scenario, _slot: slot }
    }

    /// Makes or replaces a Secret.
    pub(crate) fn secret(&self, name: &str, data: &[(&str, &str)]) {
        let data: serde_json::Map<String, Value> = data.iter().map(|(k, v)| (k.to_string(), json!(v))).collect();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        self.apply(&secret.to_string());
    }

    /// Applies a manifest.
    pub(crate) fn apply(&self, manifest: &str) {
        // Server-side, so that no annotation repeats the keys of a Secret.
        kubectl(&["-n", &self.name, "apply", "--server-side", "-f", "-"], manifest);
    }

    /// Waits until the log of the pod with the label `ray=ROLE` has the text.
    pub(crate) fn wait_for_log(&self, role: &str, text: &str) {
        self.wait(&format!("'{text}' in the log of ray={role}"), || {
            self.run(&["logs", "-l", &format!("ray={role}"), "--tail=-1"]).is_some_and(|log| log.contains(text))
        });
    }

    /// Waits until the pod with the label `ray=ROLE` runs its container.
    pub(crate) fn wait_until_running(&self, role: &str) {
        self.wait(&format!("ray={role} running"), || self.running(role));
    }

    /// Waits until the head's port 6379 answers: its readiness probe is a TCP connect.
    pub(crate) fn wait_until_head_listens(&self) {
        self.wait("the head's port 6379", || {
            let ready = r#"jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}"#;
            self.run(&["get", "pods", "-l", "ray=head", "-o", ready]).is_some_and(|status| status == "True")
        });
    }

    /// Waits until the file inside the pod with the label `ray=ROLE` is this.
    pub(crate) fn wait_for_file(&self, role: &str, path: &str, content: &str) {
        let workload = format!("deployment/ray-{role}");
        self.wait(&format!("the new {path} in ray={role}"), || {
            self.run(&["exec", &workload, "--", "cat", path]).is_some_and(|file| file == content)
        });
    }

    /// Runs raytls; keeps what it says on stderr.
    pub(crate) fn raytls(&self, command: &str, args: &[&str]) -> Output {
        let output =
            Command::new(env!("CARGO_BIN_EXE_raytls")).arg(command).args(args).stdin(Stdio::null()).output().unwrap();
        self.save(&format!("{command}.stderr"), &output.stderr);
        output
    }

    /// Keeps a file for whoever reads the test's result.
    pub(crate) fn save(&self, name: &str, content: &[u8]) {
        fs::write(directory().join(format!("{}.{name}", self.scenario)), content).unwrap();
    }

    /// Where [`Namespace::save`] puts a file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        directory().join(format!("{}.{name}", self.scenario))
    }

    fn running(&self, role: &str) -> bool {
        let started = "jsonpath={.items[*].status.containerStatuses[*].started}";
        self.run(&["get", "pods", "-l", &format!("ray={role}"), "-o", started]).is_some_and(|s| s == "true")
    }

    fn wait(&self, what: &str, mut seen: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !seen() {
            assert!(Instant::now() < end, "{}: not seen in {PATIENCE:?}: {what}", self.scenario);
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Output of a kubectl command in this namespace; none when it fails.
    fn run(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("kubectl").args(["-n", &self.name]).args(args).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn save_state(&self) {
        for (file, args) in [
            ("pods", &["get", "pods", "-o", "wide"][..]),
            ("events", &["get", "events", "--sort-by=.lastTimestamp"]),
            ("head.log", &["logs", "-l", "ray=head", "--tail=-1", "--all-containers"]),
            ("worker.log", &["logs", "-l", "ray=worker", "--tail=-1", "--all-containers"]),
            (
                "gcs_server.err",
                &["exec", "deployment/ray-head", "--", "cat", "/tmp/ray/session_latest/logs/gcs_server.err"],
            ),
        ] {
            if let Some(text) = self.run(args) {
                let _ = fs::write(self.file(file), text);
            }
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.save_state();
        let _ = Command::new("kubectl")
            .args(["delete", "namespace", &self.name, "--wait=false"])
            .stdout(Stdio::null())
            .status();
    }
}

/// Where reports, logs and the table of results go.
pub(crate) fn directory() -> PathBuf {
    let directory = std::env::var_os("RAYTLS_E2E_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("e2e"), PathBuf::from);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn kubectl(args: &[&str], stdin: &str) {
    let mut child = Command::new("kubectl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("kubectl must be on PATH");
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "kubectl {} failed", args.join(" "));
}

/// The right to be one of the scenarios that run at the same time.
struct Slot;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Slot {
    fn take() -> Slot {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = FREED.wait_while(taken, |taken| *taken >= AT_ONCE).unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Slot
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}
