//! Volumes.

use std::collections::BTreeMap;

use super::field::{Field, Reading};
use crate::evidence::{KeyPath, SourceKind, Volume, VolumeSource};

/// Reads an entry of `volumes`.
pub(crate) fn volume(item: &Field<'_>, reading: &mut Reading<'_>) -> Volume {
    let name = item.get(reading, "name").text_or_empty(reading);
    Volume { name, source: source(item, None, reading) }
}

/// `mode` is the `defaultMode` of the projected volume around it.
fn source(item: &Field<'_>, mode: Option<u32>, reading: &mut Reading<'_>) -> VolumeSource {
    // A volume says `secretName`, a projection says `name`.
    for (field, name, kind) in
        [("secret", "secretName", SourceKind::Secret), ("configMap", "name", SourceKind::ConfigMap)]
    {
        let source = item.get(reading, field);
        if source.present() {
            let named = source.get(reading, name).text(reading);
            let items = source.get(reading, "items").items(reading);
            return VolumeSource::Object {
                kind,
                name: named.unwrap_or_else(|| source.get(reading, "name").text_or_empty(reading)),
                items: items.iter().map(|item| key_path(item, reading)).collect(),
                optional: source.get(reading, "optional").flag(reading),
                mode: source.get(reading, "defaultMode").number(reading).or(mode),
            };
        }
    }
    let projected = item.get(reading, "projected");
    if projected.present() {
        let mode = projected.get(reading, "defaultMode").number(reading);
        let sources = projected.get(reading, "sources").items(reading);
        return VolumeSource::Projected(sources.iter().map(|item| source(item, mode, reading)).collect());
    }
    if item.get(reading, "emptyDir").present() {
        return VolumeSource::EmptyDir;
    }
    // The first field that says what it is; a volume of nothing but a name is an emptyDir for the API server.
    let other = item
        .entries(reading)
        .into_iter()
        .find(|(key, field)| *key != "name" && !field.value().is_some_and(|value| value.is_null()));
    other.map_or(VolumeSource::EmptyDir, |(key, field)| special(key, &field, reading))
}

fn special(key: &str, field: &Field<'_>, reading: &mut Reading<'_>) -> VolumeSource {
    let text = |field: &Field<'_>, key: &str, reading: &mut Reading<'_>| field.get(reading, key).text_or_empty(reading);
    let made = |files: Vec<String>| VolumeSource::Made { what: key.into(), files };
    match key {
        "clusterTrustBundle" => VolumeSource::TrustBundle {
            name: text(field, "name", reading),
            signer: text(field, "signerName", reading),
            selector: {
                let selector = field.get(reading, "labelSelector");
                selector.present().then(|| super::policy::selector(&selector, reading))
            },
            path: text(field, "path", reading),
            optional: field.get(reading, "optional").flag(reading),
        },
        "csi" => VolumeSource::Csi {
            driver: text(field, "driver", reading),
            attributes: attributes(&field.get(reading, "volumeAttributes"), reading),
        },
        "downwardAPI" => {
            let items = field.get(reading, "items").items(reading);
            made(items.iter().map(|item| text(item, "path", reading)).collect())
        }
        "hostPath" => VolumeSource::HostPath(text(field, "path", reading)),
        "persistentVolumeClaim" => VolumeSource::Claim(text(field, "claimName", reading)),
        "podCertificate" => {
            let paths = ["keyPath", "certificateChainPath", "credentialBundlePath"];
            let paths = paths.map(|path| text(field, path, reading));
            made(paths.into_iter().filter(|path| !path.is_empty()).collect())
        }
        "serviceAccountToken" => made(vec![text(field, "path", reading)]),
        _ => VolumeSource::Other(key.into()),
    }
}

/// What cert-manager's driver and the Secrets Store driver are told; others may be told secrets.
fn attributes(field: &Field<'_>, reading: &mut Reading<'_>) -> BTreeMap<String, String> {
    let mut all = field.texts(reading);
    all.retain(|name, _| name.starts_with("csi.cert-manager.io/") || name == "secretProviderClass");
    all
}

fn key_path(item: &Field<'_>, reading: &mut Reading<'_>) -> KeyPath {
    KeyPath {
        key: item.get(reading, "key").text_or_empty(reading),
        path: item.get(reading, "path").text_or_empty(reading),
        mode: item.get(reading, "mode").number(reading),
    }
}
