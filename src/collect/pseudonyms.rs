#![allow(clippy::disallowed_methods)]
//! Evidence under other names: the same clusters, certificates and verdicts, and nothing that says whose they are.
//!
//! Names are taken apart into words, and each word that is not one of Ray's, Kubernetes' or TLS' own becomes another of the
//! same length: the same one everywhere, also inside certificates. IP addresses, ports, dates and kinds of keys stay, which
//! verdicts hang on; so do serial numbers, names of `RAY_*` variables, letters beyond ASCII, BMPStrings, and words that stand
//! alone in messages of API servers.

mod certificates;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::evidence::Evidence;
use crate::grpc::certificate::Certificate;

/// The evidence under other names, which differ from run to run.
///
/// # Errors
/// One sentence, when a certificate has a key or signature that cannot be made anew.
pub fn rename(evidence: &Evidence) -> Result<Evidence, String> {
    let mut salt = [0; 32];
    SystemRandom::new().fill(&mut salt).map_err(|_| "there is no randomness to make other names of".to_owned())?;
    let mut value = serde_json::to_value(evidence).map_err(|e| e.to_string())?;
    let mut found = Found::default();
    found.gather(&value, "");
    for der in &found.ders {
        if let Ok(certificate) = Certificate::parse(der) {
            let names = [certificate.subject, certificate.issuer].into_iter();
            let names = names.chain(certificate.names.into_iter().flatten().map(|name| name.to_string()));
            names.for_each(|name| found.words.extend(words_of(&name).map(str::to_ascii_lowercase)));
        }
        // Of every other string in it too; what only looks like one does no harm.
        let ascii = |byte: &u8| !byte.is_ascii_graphic();
        let runs = der.split(ascii).filter(|run| run.len() > 3).map(String::from_utf8_lossy);
        runs.for_each(|run| found.words.extend(words_of(&run).filter(|w| w.len() > 3).map(str::to_ascii_lowercase)));
    }
    found.words.extend(words_of(&evidence.source).map(str::to_ascii_lowercase));
    let words = Words::new(found.words, &salt);
    let certificates = certificates::rename(&found.ders, &words)?;
    let hashes = certificates.values().flat_map(|renamed| renamed.hashes.iter().cloned()).collect();
    Renamer { words, certificates, hashes, salt }.value(&mut value, "")?;
    let mut renamed: Evidence =
        serde_json::from_value(value).map_err(|e| format!("the renamed evidence cannot be read ({e})"))?;
    renamed.source.push_str(RENAMED);
    Ok(renamed)
}

/// Behind the source, so that every report tells it.
const RENAMED: &str = " (names replaced by others)";

/// Which word becomes which.
#[derive(Clone)]
pub(super) struct Words {
    others: Arc<BTreeMap<String, String>>,
    in_authority_key_id: bool,
}

impl Words {
    fn new(words: BTreeSet<String>, salt: &[u8]) -> Words {
        let kept = |word: &str| {
            word.len() < 2
                || !word.bytes().any(|b| b.is_ascii_lowercase())
                || KEPT.split_whitespace().any(|k| k == word)
        };
        let words: BTreeSet<String> = words.into_iter().filter(|word| !kept(word)).collect();
        let mut others = BTreeMap::new();
        let mut taken: BTreeSet<String> = words.clone();
        taken.extend(KEPT.split_whitespace().map(str::to_owned));
        for word in words {
            // Short words can run out of others; such a one stays as it is.
            let other = (0..1000_u32).map(|n| other(&word, n, salt)).find(|other| !taken.contains(other));
            if let Some(other) = other {
                taken.insert(other.clone());
                others.insert(word, other);
            }
        }
        Words { others: Arc::new(others), in_authority_key_id: false }
    }

    fn inside_authority_key_id(&self) -> Words {
        Words { in_authority_key_id: true, ..self.clone() }
    }

    /// In place; other words are as long, and large letters stay large.
    fn replace_bytes(&self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let length = bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            let word = &mut bytes[at..at + length];
            let lower = String::from_utf8_lossy(word).to_ascii_lowercase();
            if let Some(other) = self.others.get(&lower) {
                for (old, new) in word.iter_mut().zip(other.bytes()) {
                    *old = if old.is_ascii_uppercase() { new.to_ascii_uppercase() } else { new };
                }
            }
            at += length.max(1);
        }
    }

    fn replace(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.replace_bytes(&mut bytes);
        // Only ASCII has become other ASCII.
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A letter for a letter and a digit for a digit.
fn other(word: &str, attempt: u32, salt: &[u8]) -> String {
    let hash = |at: usize| {
        let seed = [salt, word.as_bytes(), &attempt.to_be_bytes(), &(at / 32).to_be_bytes()].concat();
        digest(&SHA256, &seed).as_ref().get(at % 32).copied().unwrap_or_default()
    };
    let change = |(at, byte): (usize, u8)| match byte {
        b'0'..=b'9' => char::from(b'0' + hash(at) % 10),
        _ => char::from(b'a' + hash(at) % 26),
    };
    word.bytes().enumerate().map(change).collect()
}

/// What the evidence holds.
#[derive(Default)]
struct Found {
    words: BTreeSet<String>,
    ders: Vec<Vec<u8>>,
}

impl Found {
    fn gather(&mut self, value: &Value, field: &str) {
        match value {
            Value::String(_) if FIXED.contains(&field) => {}
            Value::String(text) if PROSE.contains(&field) => {
                // Hosts, paths and names with hyphens.
                let telling = |token: &&str| token.contains(['.', '/', '-', '@']) && !is_fixed(token);
                let words = text.split_whitespace().filter(telling).flat_map(words_of).filter(|word| word.len() > 2);
                self.words.extend(words.map(str::to_ascii_lowercase));
            }
            Value::String(text) => match der(text, field) {
                Some(der) if !self.ders.contains(&der) => self.ders.push(der),
                None if is_name(text) => self.words.extend(words_of(text).map(str::to_ascii_lowercase)),
                _ => {}
            },
            Value::Array(items) => items.iter().for_each(|item| self.gather(item, field)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    if NAMED.contains(&field) && !is_fixed(key) {
                        self.words.extend(words_of(key).map(str::to_ascii_lowercase));
                    }
                    self.gather(value, key);
                }
            }
            _ => {}
        }
    }
}

/// Fields with words of the format, of standards and of API servers, which say nothing of their user.
const FIXED: [&str; 25] = [
    "algorithm",
    "alpn",
    "code",
    "duration",
    "encoding",
    "form",
    "format",
    "garbage",
    "group",
    "kind",
    "label",
    "mode",
    "phase",
    "protocol",
    "ray_version",
    "reason",
    "renew_before",
    "resource",
    "rotation",
    "shape",
    "type",
    "usages",
    "vantage",
    "verb",
    "version",
];

/// Fields in which words of the user stand among others.
const PROSE: [&str; 9] = ["found", "impossible", "message", "seen", "status", "unreadable", "waiting", "why", "words"];

/// Fields whose own fields have names of the user's.
const NAMED: [&str; 8] =
    ["annotations", "data", "invalid", "labels", "selector", "start_params", "variables", "environment"];

struct Renamer {
    words: Words,
    certificates: BTreeMap<Vec<u8>, certificates::Renamed>,
    hashes: BTreeMap<String, String>,
    salt: [u8; 32],
}

impl Renamer {
    fn value(&self, value: &mut Value, field: &str) -> Result<(), String> {
        match value {
            Value::String(text) if FIXED.contains(&field) || is_fixed(text) => {}
            Value::String(text) => match der(text, field) {
                Some(der) => {
                    let renamed = self.certificates.get(&der);
                    let renamed = renamed.ok_or("a certificate that cannot be read cannot be renamed either")?;
                    *text = STANDARD.encode(&renamed.der);
                }
                None if is_hash(text) => *text = self.hash(text),
                None => *text = self.words.replace(text),
            },
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.value(item, field))?,
            Value::Object(fields) => {
                let named = NAMED.contains(&field);
                let mut renamed = Map::new();
                for (key, mut value) in std::mem::take(fields) {
                    self.value(&mut value, &key)?;
                    let key = if named && !is_fixed(&key) { self.words.replace(&key) } else { key };
                    renamed.insert(key, value);
                }
                *fields = renamed;
            }
            _ => {}
        }
        Ok(())
    }

    /// Hashes of what was renamed stay equal where they were equal.
    fn hash(&self, text: &str) -> String {
        let salted = || digest(&SHA256, &[&self.salt[..], text.as_bytes()].concat());
        let fresh = || salted().as_ref().iter().map(|b| format!("{b:02x}")).collect();
        self.hashes.get(text).cloned().unwrap_or_else(fresh)
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The DER in fields that hold one.
fn der(text: &str, field: &str) -> Option<Vec<u8>> {
    matches!(field, "chain" | "der").then(|| STANDARD.decode(text).ok()).flatten()
}

/// Whether this may be a name, a path, an image or an address: prose has blanks.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(' ') && !is_hash(text) && !is_fixed(text)
}

/// Addresses and times stay, and so do names of Ray's variables, in which a misspelling is the fault.
fn is_fixed(text: &str) -> bool {
    text.starts_with("RAY_") || text.parse::<IpAddr>().is_ok() || text.parse::<Timestamp>().is_ok()
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// Words that say nothing of their user: of the evidence's own format, of Ray, Kubernetes and TLS.
const KEPT: &str = include_str!("pseudonyms/kept.txt");

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::checks::{Case, examine};
    use crate::collect::{manifests, snapshot};
    use crate::judge::matrix;
    use crate::ray::parties::model;

    /// Codes of findings and verdicts of connections: what must not change.
    fn judged(evidence: &Evidence) -> (Vec<String>, Vec<String>) {
        let now = evidence.taken_at;
        let model = model(evidence);
        let matrix = matrix::judge(evidence, &model, now);
        let findings = examine(&Case { evidence, model: &model, matrix: &matrix, now });
        let mut codes: Vec<String> =
            findings.iter().map(|f| format!("{} {:?} {:?}", f.code, f.severity, f.breaks.len())).collect();
        codes.sort();
        let word = |verdict: &crate::judge::Verdict| format!("{verdict:?}").split([' ', '(']).next().map(str::to_owned);
        let mut verdicts: Vec<String> = matrix
            .iter()
            .map(|judged| {
                format!("{:?} {:?} {:?}", word(&judged.core), word(&judged.python), judged.observed.as_ref().map(word))
            })
            .collect();
        verdicts.sort();
        (codes, verdicts)
    }

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
    }

    #[test]
    fn verdicts_stay_under_other_names() {
        for name in ["ca-empty", "healthy-kuberay"] {
            let path = fixture(&format!("snapshots/format-1-{name}.json"));
            let evidence = snapshot::read(&path, &mut io::empty()).unwrap();
            let renamed = rename(&evidence).unwrap();
            assert_eq!(judged(&renamed), judged(&evidence), "{name}");
            assert_ne!(renamed, evidence);
            assert!(renamed.source.ends_with("(names replaced by others)"), "{}", renamed.source);
        }
    }

    #[test]
    fn no_name_is_left_outside_or_inside_of_certificates() {
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf =
            rcgen::CertificateParams::new(["ray-head-svc.acme.svc".to_owned()]).unwrap().self_signed(&key).unwrap();
        let (mut evidence, _) = manifests::collect(
            &[fixture("django-ray/overlays_dev-tls.yaml")],
            &mut io::empty(),
            "2026-12-01T00:00:00Z".parse().unwrap(),
        )
        .unwrap();
        evidence.source = "context acme-prod, namespace django-ray".into();
        let content = evidence.secrets[0].data.values_mut().next().unwrap();
        content.facts.certificates = crate::grpc::pem::read(leaf.pem().as_bytes());
        let text = |evidence: &Evidence| {
            let value = serde_json::to_value(evidence).unwrap();
            let mut found = Found::default();
            found.gather(&value, "");
            let inside: String = found.ders.iter().map(|der| String::from_utf8_lossy(der).to_lowercase()).collect();
            (value.to_string().to_lowercase(), inside)
        };
        let (before, after) = (text(&evidence), text(&rename(&evidence).unwrap()));
        for word in ["django", "acme", "prod"] {
            assert!(before.0.contains(word) && !after.0.contains(word), "{word}");
        }
        assert!(before.1.contains("acme") && !after.1.contains("acme") && after.1.contains("ray-head-svc."));
        assert!(after.0.contains("ray-head-svc") && after.0.contains("/etc/ray/tls"), "Ray's own words stay");
    }

    #[test]
    fn what_leads_where_stays() {
        use serde_json::json;
        let head = "ray start --head --node-ip-address=acme-head";
        let workload = |name: &str, spec: Value| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "ray"},
                "spec": {"template": {"metadata": {"labels": {"app": name}}, "spec": spec}}})
        };
        let client = json!({"hostAliases": [{"ip": "10.96.0.7", "hostnames": ["acme-api"]}], "containers": [{
            "name": "c", "image": "x", "env": [{"name": "RAY_ADDRESS", "value": "ray://acme-api:10001"}]}]});
        let objects = vec![
            workload("acme-head", json!({"containers": [{"name": "r", "image": "x", "command": ["sh", "-c", head]}]})),
            workload("acme-app", client),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "acme-head", "namespace": "ray"},
                "spec": {"clusterIP": "10.96.0.7", "selector": {"app": "acme-head"}, "ports": [{"port": 10001}]}}),
        ];
        let scene = crate::checks::testing::Scene::manifests(objects);
        let renamed = rename(&scene.evidence).unwrap();
        assert!(!serde_json::to_string(&renamed).unwrap().contains("acme"));
        assert_eq!(judged(&renamed), judged(&scene.evidence));
        let ends = |evidence: &Evidence| model(evidence).connections.iter().filter(|c| c.misdirected.is_none()).count();
        assert_eq!(ends(&renamed), ends(&scene.evidence));
    }

    #[test]
    fn words_are_replaced_whole_one_for_one_and_in_their_length() {
        let words = Words::new(["acme", "prod", "b", "10", "ray"].map(str::to_owned).into(), &[1]);
        let text = words.replace("Acme-prod-ray.b 10 acmes PROD acme");
        let parts: Vec<&str> = text.split(['-', '.', ' ']).collect();
        assert_eq!((parts.len(), text.len()), (8, 34), "{text}");
        assert_eq!((parts[2], parts[3], parts[4], parts[5]), ("ray", "b", "10", "acmes"));
        assert_eq!((parts[0].to_lowercase(), parts[6].to_lowercase()), (parts[7].into(), parts[1].into()));
        assert!(parts[0].starts_with(char::is_uppercase) && !text.to_lowercase().contains("acme-"));
    }
}
