//! Cases for the tests of checks: objects as Kubernetes would give them, with real certificates.

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use serde_json::{Value, json};

use super::{Case, Check, Finding, Findings};
use crate::collect::assemble::{Object, assemble};
use crate::collect::keyring::Keyring;
use crate::evidence::{Evidence, Lookup, Mode, ObjectRef, Origin, Why};
use crate::judge::Judged;
use crate::ray::Model;

/// When cases are judged, unless a test says otherwise. Certificates are valid from 2026-01-01 to 2027-01-01,
/// CAs to 2036-01-01.
pub(crate) const NOW: &str = "2026-06-01T00:00:00Z";

/// Everything a [`Case`] borrows.
pub(crate) struct Scene {
    pub(crate) evidence: Evidence,
    pub(crate) model: Model,
    pub(crate) matrix: Vec<Judged>,
    pub(crate) now: Timestamp,
}

impl Scene {
    /// What `raytls gate` would see of these objects, each with a line of its own.
    pub(crate) fn manifests(objects: Vec<Value>) -> Scene {
        Scene::at(NOW, Mode::Manifests, objects, Vec::new())
    }

    /// What `raytls doctor` would see of a cluster with these objects. `lost` are Secrets of namespace `ray` that
    /// were asked for, with why they were not seen; none when they do not exist.
    pub(crate) fn live(objects: Vec<Value>, lost: Vec<(&str, Option<Why>)>) -> Scene {
        Scene::at(NOW, Mode::Live, objects, lost)
    }

    /// At another time.
    pub(crate) fn at(now: &str, mode: Mode, objects: Vec<Value>, lost: Vec<(&str, Option<Why>)>) -> Scene {
        let now: Timestamp = now.parse().unwrap();
        let file = (mode == Mode::Manifests).then(|| "ray.yaml".to_owned());
        let object = |(index, value): (usize, Value)| {
            let line = file.is_some().then_some(1 + 100 * u32::try_from(index).unwrap());
            Object { value, origin: Origin { file: file.clone(), line }, marks: Default::default() }
        };
        let mut evidence = Evidence::new(mode, "test", now);
        let objects = objects.into_iter().enumerate().map(object).collect();
        assemble(objects, &mut evidence, &mut Keyring::default());
        evidence.lookups.extend(
            lost.into_iter().map(|(name, unseen)| Lookup { object: ObjectRef::new("Secret", "ray", name), unseen }),
        );
        Scene::of(evidence, now)
    }

    /// Any evidence.
    pub(crate) fn of(evidence: Evidence, now: Timestamp) -> Scene {
        let model = crate::ray::parties::model(&evidence);
        let matrix = crate::judge::matrix::judge(&evidence, &model, now);
        Scene { evidence, model, matrix, now }
    }

    pub(crate) fn case(&self) -> Case<'_> {
        Case { evidence: &self.evidence, model: &self.model, matrix: &self.matrix, now: self.now }
    }

    /// What one check finds.
    pub(crate) fn run(&self, check: &'static Check) -> Vec<Finding> {
        let mut findings = Findings::of(check);
        (check.run)(&self.case(), &mut findings);
        findings.into_vec()
    }

    /// The codes of every finding of every check, sorted, each once.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        let mut codes: Vec<_> = super::examine(&self.case()).into_iter().map(|f| f.code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// Head, one worker group of two pods and the head's Service in namespace `ray`, all reading Secret `ray-tls`.
pub(crate) fn cluster() -> Vec<Value> {
    vec![head("ray-tls"), worker("ray-tls"), service()]
}

/// The cluster with this Secret.
pub(crate) fn cluster_with(secret: Value) -> Vec<Value> {
    let mut objects = cluster();
    objects.push(secret);
    objects
}

/// Deployment `ray-head`.
pub(crate) fn head(secret: &str) -> Value {
    deployment("ray-head", 1, "ray start --head --port=6379 --node-ip-address=ray-head-svc --block", secret)
}

/// Deployment `ray-worker`.
pub(crate) fn worker(secret: &str) -> Value {
    deployment("ray-worker", 2, "ray start --address=ray-head-svc:6379 --node-ip-address=ray-worker --block", secret)
}

fn deployment(name: &str, replicas: u32, command: &str, secret: &str) -> Value {
    let variables = [
        ("RAY_USE_TLS", "1"),
        ("RAY_TLS_SERVER_CERT", "/etc/ray/tls/tls.crt"),
        ("RAY_TLS_SERVER_KEY", "/etc/ray/tls/tls.key"),
        ("RAY_TLS_CA_CERT", "/etc/ray/tls/ca.crt"),
    ];
    let env: Vec<Value> = variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "ray"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [{
                        "name": "ray", "image": "rayproject/ray:2.60.0",
                        "command": ["/bin/bash", "-c", command], "env": env,
                        "volumeMounts": [{"name": "tls", "mountPath": "/etc/ray/tls", "readOnly": true}],
                    }],
                    "volumes": [{"name": "tls", "secret": {"secretName": secret}}],
                },
            },
        },
    })
}

/// Service `ray-head-svc`.
pub(crate) fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "ray-head-svc", "namespace": "ray"},
        "spec": {"selector": {"app": "ray-head"}, "ports": [{"name": "gcs", "port": 6379}, {"name": "client", "port": 10001}]},
    })
}

/// An Opaque Secret of namespace `ray` with these values.
pub(crate) fn secret(name: &str, values: &[(&str, &str)]) -> Value {
    let data: serde_json::Map<String, Value> = values.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": "ray"}, "stringData": data,
    })
}

/// The Secret with an issued pair and a CA.
pub(crate) fn tls_secret(name: &str, pair: &Pair, ca: &str) -> Value {
    secret(name, &[("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", ca)])
}

/// A file with this text.
pub(crate) fn facts(text: &str) -> crate::evidence::FileFacts {
    crate::collect::tlsfile::read(text.as_bytes()).0
}

/// A CA.
pub(crate) struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate.
    pub(crate) pem: String,
}

/// A certificate with its key, both PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Ca {
    /// A root of this common name.
    pub(crate) fn new(name: &str) -> Ca {
        Ca::with(name, |_| {})
    }

    /// A root with other properties.
    pub(crate) fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Ca {
        let mut params = ca_params(name);
        change(&mut params);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Ca { pem: issuer.pem(), issuer }
    }

    /// An intermediate below this CA.
    pub(crate) fn intermediate(&self, name: &str) -> Ca {
        let issuer = CertifiedIssuer::signed_by(ca_params(name), KeyPair::generate().unwrap(), &self.issuer).unwrap();
        Ca { pem: issuer.pem(), issuer }
    }

    /// A self-signed certificate of the same name and key with other properties.
    pub(crate) fn again(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = ca_params(name);
        change(&mut params);
        params.self_signed(self.issuer.key()).unwrap().pem()
    }

    /// A P-256 leaf for the head's and the workers' names, for both roles.
    pub(crate) fn leaf(&self) -> Pair {
        self.leaf_with(|_| {})
    }

    /// A leaf with other properties.
    pub(crate) fn leaf_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        self.leaf_of(KeyPair::generate().unwrap(), change)
    }

    /// A leaf with another key.
    pub(crate) fn leaf_of(&self, key: KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let names = ["ray-head-svc", "ray-worker", "localhost", "127.0.0.1"];
        let mut params = CertificateParams::new(names.map(str::to_owned).to_vec()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "ray-node");
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2036, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

/// The cluster with good files.
pub(crate) fn healthy() -> Scene {
    let ca = Ca::new("ray-ca");
    Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem)))
}

/// Asserts that a check says nothing of good files, nor of a Secret that is not in the manifests, forbidden or late.
pub(crate) fn assert_quiet(check: &'static Check) {
    assert_eq!(healthy().run(check), []);
    assert_eq!(Scene::manifests(cluster()).run(check), []);
    let forbidden = Why::Forbidden { verb: "get".into(), resource: "secrets".into(), namespace: Some("ray".into()) };
    for why in [forbidden, Why::TimedOut] {
        assert_eq!(Scene::live(cluster(), vec![("ray-tls", Some(why))]).run(check), []);
    }
}

/// The one finding of a check.
pub(crate) fn only(scene: &Scene, check: &'static Check) -> Finding {
    let mut findings = scene.run(check);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

/// What fails without an error among the findings that is about it, and failures of which no cause is told.
pub(crate) fn unexplained(scene: &Scene) -> Vec<String> {
    let findings = super::examine(&scene.case());
    let causes = crate::diagnose::causes::causes(&scene.model, &scene.evidence, scene.now, &scene.matrix, &findings);
    super::unexplained(&scene.model, &scene.matrix, &findings, &causes)
}

/// Index of a party by its id.
pub(crate) fn party(scene: &Scene, id: &str) -> usize {
    scene.model.parties.iter().position(|p| p.id == id).unwrap_or_else(|| panic!("no party {id}"))
}

/// Asserts that a finding's edits alone make every connection work that it breaks.
pub(crate) fn assert_mends(scene: &Scene, finding: &Finding) {
    assert!(!finding.breaks.is_empty());
    let edits: Vec<_> = finding.edits.iter().collect();
    let edited = crate::diagnose::edit::apply(&scene.evidence, &scene.model, scene.now, &edits);
    let judged = crate::judge::matrix::judge(&scene.evidence, &edited, scene.now);
    for &index in &finding.breaks {
        let verdict = judged[index].effective();
        let connection = &scene.model.connections[index].id;
        assert!(!matches!(verdict, crate::judge::Verdict::Reject { .. }), "{connection}: {verdict:?}");
    }
}

mod tests {
    use super::*;

    #[test]
    fn the_healthy_cluster_is_healthy() {
        let scene = healthy();
        assert_eq!(scene.codes(), Vec::<&str>::new());
        assert!(!scene.matrix.is_empty());
        assert!(scene.matrix.iter().all(|j| *j.effective() == crate::judge::Verdict::Accept), "{:#?}", scene.matrix);
    }
}
