//! This shell: its `RAY_*` environment and the files it names.
#![allow(clippy::disallowed_methods)]

use std::path::PathBuf;

use jiff::Timestamp;

use super::assemble;
use super::files;
use super::keyring::{Keyring, Pairing};
use crate::evidence::{Container, EnvSource, EnvVariable, Evidence, Mode, ObjectRef, Origin, Workload};

/// The three files Ray reads (`ray/_private/tls_utils.py`, `src/ray/rpc/common.cc`).
const FILES: [&str; 3] = ["RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"];

/// The environment of this process as evidence: one workload of kind `Shell`, and a Secret of kind `File` for each of its files.
pub fn collect(taken_at: Timestamp) -> (Evidence, Keyring) {
    let mut evidence = Evidence::new(Mode::Shell, "this shell", taken_at);
    let mut keys = Keyring::default();
    add(&mut evidence, &mut keys);
    (evidence, keys)
}

/// Adds this shell to other evidence.
pub fn add(evidence: &mut Evidence, keys: &mut Keyring) {
    // What is no UTF-8 is none of Ray's settings.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
    add_variables(variables.collect(), evidence, keys);
}

fn add_variables(mut variables: Vec<(String, String)>, evidence: &mut Evidence, keys: &mut Keyring) {
    variables.sort();
    let mut env = Vec::new();
    let mut pairing = Pairing::default();
    for (name, value) in variables.into_iter().filter(|(name, _)| assemble::kept_name(name)) {
        let source = assemble::kept_value(&value).map_or(EnvSource::Dropped, EnvSource::Value);
        if let EnvSource::Value(path) = &source
            && FILES.contains(&name.as_str())
            && !path.is_empty()
        {
            files::add(&PathBuf::from(path), evidence, &mut pairing);
        }
        env.push(EnvVariable { name, source });
    }
    pairing.finish(keys);
    evidence.secrets.sort_by(|a, b| {
        let key = |object: &ObjectRef| (object.namespace.clone(), object.kind.clone(), object.name.clone());
        key(&a.object).cmp(&key(&b.object))
    });
    let object = ObjectRef::new("Shell", "", "this shell");
    evidence.workloads.retain(|workload| workload.object != object);
    let shell = Workload {
        object,
        origin: Origin::default(),
        group: None,
        replicas: Some(1),
        labels: Default::default(),
        init_containers: Vec::new(),
        containers: vec![Container { name: "shell".into(), env, ..Container::default() }],
        volumes: Vec::new(),
        host_network: false,
        host_aliases: Vec::new(),
        pods: Vec::new(),
        security: Default::default(),
    };
    // It has no namespace and sorts before all that have one.
    evidence.workloads.insert(0, shell);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::evidence::{Seen, Why};

    fn shell(variables: &[(&str, String)]) -> (Evidence, Keyring) {
        let mut evidence = Evidence::new(Mode::Shell, "this shell", "2026-12-01T00:00:00Z".parse().unwrap());
        let mut keys = Keyring::default();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        add_variables(variables, &mut evidence, &mut keys);
        (evidence, keys)
    }

    #[test]
    fn settings_and_files_are_taken_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["h".into()]).unwrap().self_signed(&pair).unwrap();
        fs::write(path("tls.crt"), certificate.pem()).unwrap();
        fs::write(path("tls.key"), pair.serialize_pem()).unwrap();
        let (evidence, keys) = shell(&[
            ("RAY_USE_TLS", "1".into()),
            ("RAY_TLS_SERVER_CERT", path("tls.crt")),
            ("RAY_TLS_SERVER_KEY", path("tls.key")),
            ("RAY_TLS_CA_CERT", path("ca.crt")),
            ("RAY_AUTH_TOKEN", "canary".into()),
            ("PATH", "canary".into()),
        ]);
        let env: Vec<_> = evidence.workloads[0].containers[0].env.iter().map(|v| v.name.as_str()).collect();
        assert_eq!(env, ["RAY_TLS_CA_CERT", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_USE_TLS"]);
        assert_eq!(keys.identities().len(), 1);
        assert!(evidence.file(&path("tls.key")).found().unwrap().facts.keys[0].spki_sha256.is_some());
        assert_eq!(evidence.file(&path("ca.crt")), Seen::Absent);
        assert!(!serde_json::to_string(&evidence).unwrap().contains("canary"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_called_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_string_lossy().into_owned();
        let (evidence, _) = shell(&[("RAY_TLS_CA_CERT", path.clone())]);
        assert_eq!(evidence.file(&path), Seen::Unseen(Why::Unreadable("a folder, not a file".into())));
    }
}
