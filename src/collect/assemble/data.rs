//! Secrets, ConfigMaps and Services.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use super::field::{Field, Reading};
use super::{redact, template};
use crate::collect::keyring::Pairing;
use crate::collect::tlsfile;
use crate::evidence::{
    ConfigMap, Container, Content, EnvSource, Evidence, Origin, Secret, Service, ServicePort, SourceKind, TrustBundle,
};

/// The keys of Secrets and ConfigMaps whose text Ray's settings are made of.
#[derive(Default)]
pub(crate) struct Settings {
    referred: BTreeSet<String>,
    keys: BTreeSet<(SourceKind, String, String, String)>,
    prefixes: BTreeSet<(SourceKind, String, String, String)>,
}

impl Settings {
    /// What the containers of the evidence refer to.
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut settings = Settings::default();
        for (namespace, container) in super::containers(evidence) {
            settings.add(namespace, container);
        }
        settings
    }

    fn add(&mut self, namespace: &str, container: &Container) {
        let referred = template::references(container);
        for variable in &container.env {
            if let EnvSource::Key { kind, name, key, .. } = &variable.source
                && (redact::kept_name(&variable.name) || referred.contains(&variable.name))
            {
                self.keys.insert((*kind, namespace.into(), name.clone(), key.clone()));
            }
        }
        for from in container.env_from.iter().filter(|from| !from.prefix.is_empty()) {
            self.prefixes.insert((from.kind, namespace.into(), from.name.clone(), from.prefix.clone()));
        }
        self.referred.extend(referred);
    }

    fn has(&self, kind: SourceKind, namespace: &str, name: &str, key: &str) -> bool {
        let setting = |name: &str| redact::kept_name(name) || self.referred.contains(name);
        let prefixed = |(of_kind, ns, of_name, prefix): &(SourceKind, String, String, String)| {
            let full = format!("{prefix}{key}");
            let wanted = redact::kept_name(&full) || self.referred.contains(&full) && !redact::private_name(&full);
            *of_kind == kind && ns == namespace && of_name == name && wanted
        };
        // A prefix may make the path of a key file of it: `RAY_` and `TLS_SERVER_KEY`.
        let private = redact::private_name(key) && !redact::kept_name(key);
        let named = setting(key) || self.keys.contains(&(kind, namespace.into(), name.into(), key.into()));
        (named && !private) || self.prefixes.iter().any(prefixed)
    }
}

/// Reads a Secret, whose text values are overwritten in memory.
pub(crate) fn secret(
    value: &mut Value,
    reading: &mut Reading<'_>,
    settings: &Settings,
    pairing: &mut Pairing,
) -> Secret {
    let mut data = BTreeMap::new();
    let mut invalid = BTreeMap::new();
    for part in ["data", "stringData"] {
        let root = Field::root(value);
        for (key, field) in root.get(reading, part).entries(reading) {
            if !valid_key(key, part, reading) {
                continue;
            }
            let bytes = match field.value() {
                // The API server takes null as an empty value.
                None | Some(Value::Null) => Ok(Zeroizing::default()),
                Some(Value::String(text)) if part == "data" => decode(text),
                Some(Value::String(text)) => Ok(Zeroizing::new(text.as_bytes().to_vec())),
                Some(_) => Err("not a string: quote it".to_owned()),
            };
            match bytes {
                Ok(bytes) => {
                    let setting =
                        settings.has(SourceKind::Secret, &reading.object.namespace, &reading.object.name, key);
                    invalid.remove(key);
                    data.insert(key.to_owned(), content(&bytes, setting, reading, pairing));
                }
                Err(found) => {
                    data.remove(key);
                    invalid.insert(key.to_owned(), found);
                }
            }
        }
    }
    let root = Field::root(value);
    let annotations = root.at(reading, &["metadata", "annotations"]).texts(reading);
    let secret = Secret {
        object: reading.object.clone(),
        origin: reading.origin.clone(),
        kind: root.get(reading, "type").text(reading).unwrap_or_else(|| "Opaque".into()),
        data,
        invalid,
        changed_at: changed_at(&root, reading, &["f:data", "f:stringData"]),
        created_at: root.at(reading, &["metadata", "creationTimestamp"]).time(reading),
        annotations: annotations.into_iter().filter(|(key, _)| key.contains("cert-manager.io/")).collect(),
    };
    for part in ["data", "stringData"] {
        wipe(value.get_mut(part));
    }
    secret
}

/// Reads a ConfigMap.
pub(crate) fn config_map(
    root: &Field<'_>,
    reading: &mut Reading<'_>,
    settings: &Settings,
    pairing: &mut Pairing,
) -> ConfigMap {
    let mut data = BTreeMap::new();
    for part in ["binaryData", "data"] {
        for (key, field) in root.get(reading, part).entries(reading) {
            if !valid_key(key, part, reading) {
                continue;
            }
            let Some(text) = field.text(reading) else { continue };
            let bytes = match part {
                "data" => Zeroizing::new(text.into_bytes()),
                _ => match decode(&text) {
                    Ok(bytes) => bytes,
                    Err(found) => {
                        reading
                            .problem(field.path(), format!("{} is {found}; the API server refuses it", field.path()));
                        continue;
                    }
                },
            };
            let setting = settings.has(SourceKind::ConfigMap, &reading.object.namespace, &reading.object.name, key);
            data.insert(key.to_owned(), content(&bytes, setting, reading, pairing));
        }
    }
    let changed_at = changed_at(root, reading, &["f:data", "f:binaryData"]);
    ConfigMap { object: reading.object.clone(), origin: reading.origin.clone(), data, changed_at }
}

/// Reads a ClusterTrustBundle.
pub(crate) fn trust_bundle(root: &Field<'_>, reading: &mut Reading<'_>) -> TrustBundle {
    let spec = root.get(reading, "spec");
    reading.object.namespace.clear();
    TrustBundle {
        object: reading.object.clone(),
        origin: reading.origin.clone(),
        signer: spec.get(reading, "signerName").text_or_empty(reading),
        labels: root.at(reading, &["metadata", "labels"]).texts(reading),
        facts: tlsfile::read(spec.get(reading, "trustBundle").text_or_empty(reading).as_bytes()).0,
    }
}

/// Reads a Service.
pub(crate) fn service(root: &Field<'_>, reading: &mut Reading<'_>) -> Service {
    let spec = root.get(reading, "spec");
    let address = spec.get(reading, "clusterIP").text(reading);
    let ports = spec.get(reading, "ports").items(reading);
    Service {
        object: reading.object.clone(),
        origin: reading.origin.clone(),
        selector: spec.get(reading, "selector").texts(reading),
        ports: ports.iter().filter_map(|item| port(item, reading)).collect(),
        headless: address.as_deref() == Some("None"),
        cluster_ip: address.filter(|address| !matches!(address.as_str(), "" | "None")),
        kind: spec.get(reading, "type").text(reading).unwrap_or_else(|| "ClusterIP".into()),
    }
}

fn port(item: &Field<'_>, reading: &mut Reading<'_>) -> Option<ServicePort> {
    let port: u16 = item.get(reading, "port").number(reading)?;
    let target = item.get(reading, "targetPort");
    let target = match target.value() {
        Some(Value::Number(number)) => number.to_string(),
        _ => target.text(reading).unwrap_or_else(|| port.to_string()),
    };
    Some(ServicePort {
        name: item.get(reading, "name").text_or_empty(reading),
        port,
        target,
        protocol: item.get(reading, "protocol").text(reading).unwrap_or_else(|| "TCP".into()),
    })
}

/// One value: the facts, the text where it is a setting, and the keys into the pairing.
fn content(bytes: &[u8], setting: bool, reading: &Reading<'_>, pairing: &mut Pairing) -> Content {
    let (facts, keys) = tlsfile::read(bytes);
    pairing.add(&reading.object.to_string(), &facts, keys);
    let pem = !facts.certificates.blocks.is_empty() || !facts.keys.is_empty() || facts.certificates.begun > 0;
    let text = std::str::from_utf8(bytes).ok().filter(|_| setting && !pem);
    let traces = std::str::from_utf8(bytes).ok().filter(|_| reading.object.kind == "ConfigMap" && !pem);
    let traces = traces.filter(|text| text.starts_with("#!") || text.contains("openssl"));
    Content {
        text: text.and_then(redact::kept_value),
        facts,
        traces: traces.map(|text| redact::traces(&[text.to_owned()])),
    }
}

/// Whether the API server takes the key. Another one may be a line of a PEM file gone astray, so it is not quoted.
fn valid_key(key: &str, part: &str, reading: &mut Reading<'_>) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let valid = !key.is_empty() && key.len() <= 253 && key.chars().all(good) && !redact::key_like(key);
    if !valid {
        let wanted = "letters, digits, - _ and . only, at most 253 of them";
        reading.problem(part, format!("{part} has a key that is no file name ({wanted}); the API server refuses it"));
    }
    valid
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    // As Go's decoder, which skips line ends (`encoding/base64`) and no other blanks.
    let packed: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect());
    STANDARD.decode(packed.as_bytes()).map(Zeroizing::new).map_err(|error| match error {
        // The byte itself may be of a key.
        base64::DecodeError::InvalidByte(at, _) => format!("not base64: byte {} does not belong there", at + 1),
        base64::DecodeError::InvalidLastSymbol { .. } | base64::DecodeError::InvalidPadding => {
            "not base64: the end is damaged".into()
        }
        _ => "not base64: the length is wrong".into(),
    })
}

fn changed_at(root: &Field<'_>, reading: &mut Reading<'_>, fields: &[&str]) -> Option<Timestamp> {
    let entries = root.at(reading, &["metadata", "managedFields"]).items(reading);
    let mut newest = None;
    for entry in entries {
        let of_entry = entry.get(reading, "fieldsV1");
        if fields.iter().any(|field| of_entry.get(reading, field).present()) {
            newest = newest.max(entry.get(reading, "time").time(reading));
        }
    }
    newest.or_else(|| root.at(reading, &["metadata", "creationTimestamp"]).time(reading))
}

fn wipe(value: Option<&mut Value>) {
    for text in value.and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut()) {
        if let Value::String(text) = text {
            text.zeroize();
        }
    }
}

/// Puts a Secret, ConfigMap or Service into its list: one of the API server replaces what was there.
pub(crate) fn replaces(old: &Origin, new: &Origin) -> bool {
    old.file.is_none() || new.file.is_none() || old == new
}
