//! One namespace of a real Kubernetes, and what a row does in it by kubectl.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::manifest::Manifest;
use crate::pki::{Ca, Leaf};
use crate::row::Symptom;

/// Ray's pods take seconds to start on an idle machine; the rest is for busy ones.
const PATIENCE: Duration = Duration::from_secs(420);

/// A namespace, deleted at the end whatever happens.
pub(crate) struct Scene {
    pub(crate) namespace: String,
    row: &'static str,
    seen: Mutex<Vec<(String, String)>>,
    user: Mutex<Option<(u8, String)>>,
}

impl Scene {
    /// Makes the namespace `raytls-e2e-ROW-PID`.
    pub(crate) fn new(row: &'static str) -> Scene {
        let namespace = format!("raytls-e2e-{row}-{}", std::process::id());
        kubectl(&["create", "namespace", &namespace], "");
        Scene { namespace, row, seen: Mutex::default(), user: Mutex::default() }
    }

    /// Makes or replaces a Secret.
    pub(crate) fn secret(&self, name: &str, data: &[(&str, &str)]) {
        let data: serde_json::Map<String, Value> = data.iter().map(|(k, v)| (k.to_string(), json!(v))).collect();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        self.apply(&[Manifest(secret.to_string())]);
    }

    /// Makes or replaces the Secret of a leaf and the CA that its holder trusts.
    pub(crate) fn tls(&self, name: &str, ca: &Ca, leaf: &Leaf) {
        self.files(name, &ca.certificate, &leaf.certificate, &leaf.key);
    }

    /// Makes or replaces the Secret with these three files.
    pub(crate) fn files(&self, name: &str, ca: &str, certificate: &str, key: &str) {
        self.secret(name, &[("ca.crt", ca), ("tls.crt", certificate), ("tls.key", key)]);
    }

    /// Applies manifests. Those of a namespace of their own come into this one.
    pub(crate) fn apply(&self, manifests: &[Manifest]) {
        let all: Vec<&str> = manifests.iter().map(|m| m.0.as_str()).collect();
        // Server-side, so that no annotation repeats the keys of a Secret.
        kubectl(&["-n", &self.namespace, "apply", "--server-side", "-f", "-"], &all.join("\n---\n"));
    }

    /// Runs kubectl in the namespace; it must succeed.
    pub(crate) fn kubectl(&self, args: &[&str]) {
        let args: Vec<&str> = ["-n", &self.namespace].iter().chain(args).copied().collect();
        kubectl(&args, "");
    }

    /// From now on the doctor is run as a user with the rights of this level of `raytls rbac`.
    pub(crate) fn as_user(&self, level: u8) {
        let name = self.namespace.clone();
        let program = std::env::var("RAYTLS_E2E_ADDUSER").expect("RAYTLS_E2E_ADDUSER must name the cluster's adduser");
        let made = Command::new(program).arg(&name).output().unwrap();
        assert!(made.status.success(), "adduser: {}", String::from_utf8_lossy(&made.stderr));
        let printed = self.raytls("rbac", &["rbac", "--level", &level.to_string(), "-n", &name, "--user", &name]);
        assert!(printed.status.success());
        if level > 0 {
            self.apply(&[Manifest(String::from_utf8(printed.stdout).unwrap())]);
        }
        *self.user.lock().unwrap() = Some((level, String::from_utf8_lossy(&made.stdout).trim().into()));
    }

    /// The level of [`Scene::as_user`].
    pub(crate) fn level(&self) -> Option<u8> {
        self.user.lock().unwrap().as_ref().map(|(level, _)| *level)
    }

    /// A value of a Secret, when it is there.
    pub(crate) fn secret_of(&self, name: &str, key: &str) -> String {
        let template = format!(r#"go-template={{{{index .data "{key}" | base64decode}}}}"#);
        self.run(&["get", "secret", name, "-o", &template]).unwrap_or_default()
    }

    /// Waits until a value of a Secret is another.
    pub(crate) fn other_secret(&self, name: &str, key: &str, before: &str) -> String {
        self.until(&format!("another {key} in the Secret {name}"), || {
            Some(self.secret_of(name, key)).filter(|now| !now.is_empty() && now != before)
        })
    }

    /// Waits until it is seen; the line that shows it goes to the page.
    pub(crate) fn wait(&self, symptom: Symptom) {
        let mut looks = 0..;
        let line = self.until(&symptom.to_string(), || self.look(symptom, looks.next().unwrap_or_default()));
        let line = (symptom.place(), self.same_each_time(&line));
        let mut seen = self.seen.lock().unwrap();
        if !seen.contains(&line) {
            seen.push(line);
        }
    }

    /// Waits until a file inside a pod with the selector is this.
    pub(crate) fn wait_for_file(&self, selector: &str, path: &str, content: &str) {
        self.until(&format!("the new {path} in {selector}"), || {
            self.pods(selector)
                .iter()
                .find(|(pod, _)| self.run(&["exec", pod, "--", "cat", path]).as_deref() == Some(content))
                .map(|(pod, _)| pod.clone())
        });
    }

    /// The lines that [`Scene::wait`] saw.
    pub(crate) fn seen(&self) -> Vec<(String, String)> {
        self.seen.lock().unwrap().clone()
    }

    /// Runs raytls; keeps what it says.
    pub(crate) fn raytls(&self, keep: &str, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raytls"));
        if let Some((_, kubeconfig)) = &*self.user.lock().unwrap() {
            command.env("KUBECONFIG", kubeconfig);
        }
        let output = command.args(args).stdin(Stdio::null()).output().unwrap();
        self.save(&format!("{keep}.stderr"), &output.stderr);
        self.save(&format!("{keep}.json"), &output.stdout);
        output
    }

    /// Keeps a file for whoever reads the result.
    pub(crate) fn save(&self, name: &str, content: &[u8]) {
        fs::write(self.file(name), content).unwrap();
    }

    /// Where [`Scene::save`] puts a file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        directory().join(format!("{}.{name}", self.row))
    }

    /// Keeps what the pods show, for a row that failed.
    pub(crate) fn save_state(&self) {
        let head = self.pods("ray=head").into_iter().next().map_or_else(String::new, |(pod, _)| pod);
        let files = "tail -n 50 /tmp/ray/session_latest/logs/*.err";
        for (file, args) in [
            ("pods.yaml", &["get", "pods", "-o", "yaml"][..]),
            ("events", &["get", "events", "--sort-by=.lastTimestamp"]),
            ("head.log", &["logs", "-l", "ray=head", "--tail=-1", "--all-containers", "--ignore-errors"]),
            ("worker.log", &["logs", "-l", "ray=worker", "--tail=-1", "--all-containers", "--ignore-errors"]),
            ("client.log", &["logs", "-l", "ray=client", "--tail=-1", "--all-containers", "--ignore-errors"]),
            ("head.err", &["exec", &head, "--", "sh", "-c", files]),
        ] {
            if let Some(text) = self.run(args) {
                self.save(file, text.as_bytes());
            }
        }
    }

    /// What has been seen at the `look`th look. kubectl is not cheap, so that the run before is only asked for now and then.
    fn look(&self, symptom: Symptom, look: usize) -> Option<String> {
        let first = |text: String, part: &str| text.lines().find(|l| l.contains(part)).map(str::to_owned);
        match symptom {
            Symptom::Log(selector, part) => {
                let log = |more: &[&str]| {
                    let args = ["logs", "--tail=-1", "--all-containers", "--ignore-errors"];
                    let args: Vec<&str> = args.iter().chain(more).copied().collect();
                    self.run(&args).and_then(|log| first(log, part))
                };
                let before = |(pod, restarted): &(String, bool)| restarted.then(|| log(&[pod, "--previous"])).flatten();
                log(&["-l", selector]).or_else(|| match look % 3 {
                    2 => self.pods(selector).iter().find_map(before),
                    _ => None,
                })
            }
            Symptom::File(selector, file, part) => self.pods(selector).iter().find_map(|(pod, _)| {
                let path = format!("/tmp/ray/session_latest/logs/{file}");
                self.run(&["exec", pod, "-q", "--", "cat", &path]).and_then(|text| first(text, part))
            }),
            Symptom::Event(part) => {
                let messages = r#"jsonpath={range .items[*]}{.reason}: {.message}{"\n"}{end}"#;
                self.run(&["get", "events", "-o", messages]).and_then(|text| first(text, part))
            }
        }
    }

    fn until(&self, what: &str, mut look: impl FnMut() -> Option<String>) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = look() {
                return line;
            }
            assert!(Instant::now() < end, "not seen in {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_secs(3));
        }
    }

    /// The pods with a selector, and whether a container of theirs was started again.
    fn pods(&self, selector: &str) -> Vec<(String, bool)> {
        let template = r#"jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount} {.status.initContainerStatuses[*].restartCount}{"\n"}{end}"#;
        let lines = self.run(&["get", "pods", "-l", selector, "-o", template]).unwrap_or_default();
        let pod = |line: &str| {
            let mut words = line.split_whitespace();
            words.next().map(|name| (name.to_owned(), words.any(|restarts| restarts != "0")))
        };
        lines.lines().filter_map(pod).collect()
    }

    /// The line without what differs from run to run: times, numbers of processes, addresses, generated names.
    fn same_each_time(&self, line: &str) -> String {
        let mut line = line.replace(&self.namespace, "NAMESPACE");
        if let Some(pods) = self.run(&["get", "pods", "-o", "jsonpath={.items[*].metadata.name}"]) {
            for pod in pods.split_whitespace() {
                let workload = pod.rsplitn(3, '-').last().unwrap_or(pod);
                line = line.replace(pod, &format!("{workload}-POD"));
            }
        }
        crate::page::plain(&line)
    }

    /// Output of a kubectl command in this namespace; none when it fails.
    fn run(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("kubectl").args(["-n", &self.namespace]).args(args).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = Command::new("kubectl")
            .args(["delete", "namespace", &self.namespace, "--wait=false"])
            .stdout(Stdio::null())
            .status();
    }
}

impl Symptom {
    /// Where it is seen, for people: `head`, `head, gcs_server.err`.
    fn place(&self) -> String {
        let role = |selector: &str| selector.rsplit('=').next().unwrap_or_default().to_owned();
        match self {
            Symptom::Log(selector, _) => role(selector),
            Symptom::File(selector, file, _) => format!("{}, {file}", role(selector)),
            Symptom::Event(_) => "event".into(),
        }
    }
}

impl std::fmt::Display for Symptom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Symptom::Log(selector, part) => write!(f, "'{part}' in the log of {selector}"),
            Symptom::File(selector, file, part) => write!(f, "'{part}' in {file} of {selector}"),
            Symptom::Event(part) => write!(f, "an event with '{part}'"),
        }
    }
}

/// Where reports, logs and the page go.
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
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl must be on PATH");
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {} failed: {why}", args.join(" "));
}
