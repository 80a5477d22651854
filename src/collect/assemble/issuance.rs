//! cert-manager's and trust-manager's objects.

use super::field::{Field, Reading};
use crate::evidence::ObjectRef;
use crate::evidence::issuance::{
    Bundle, Certificate, CertificateRequest, Condition, Issuance, Issuer, IssuerKind, IssuerRef, PrivateKey,
};

/// The most characters of a condition's message: issuers quote whole answers of servers in it.
const MESSAGE: usize = 400;

/// The API group of a kind that is read here.
pub(crate) fn group(kind: &str) -> Option<&'static str> {
    match kind {
        "Certificate" | "CertificateRequest" | "ClusterIssuer" | "Issuer" => Some("cert-manager.io"),
        "Bundle" => Some("trust.cert-manager.io"),
        _ => None,
    }
}

/// Puts one of these objects in its list, in the place of one of its name.
pub(crate) fn add(root: &Field<'_>, reading: &mut Reading<'_>, to: &mut Issuance) {
    match reading.object.kind.as_str() {
        "Certificate" => put(&mut to.certificates, certificate(root, reading), |c| &c.object),
        "CertificateRequest" => put(&mut to.requests, request(root, reading), |r| &r.object),
        "Bundle" => put(&mut to.bundles, bundle(root, reading), |b| &b.object),
        _ => put(&mut to.issuers, issuer(root, reading), |i| &i.object),
    }
}

/// Sorts every list.
pub(crate) fn sort(issuance: &mut Issuance) {
    issuance.certificates.sort_by(|a, b| a.object.cmp(&b.object));
    issuance.requests.sort_by(|a, b| a.object.cmp(&b.object));
    issuance.issuers.sort_by(|a, b| a.object.cmp(&b.object));
    issuance.bundles.sort_by(|a, b| a.object.cmp(&b.object));
    issuance.no_issuers.sort();
    issuance.no_issuers.dedup();
    issuance.listed.sort();
    issuance.listed.dedup();
}

fn put<T>(list: &mut Vec<T>, new: T, object: impl Fn(&T) -> &ObjectRef) {
    list.retain(|old| object(old) != object(&new));
    list.push(new);
}

fn certificate(root: &Field<'_>, reading: &mut Reading<'_>) -> Certificate {
    let spec = root.get(reading, "spec");
    let key = spec.get(reading, "privateKey");
    let status = root.get(reading, "status");
    let literal = spec.get(reading, "literalSubject").text(reading);
    Certificate {
        object: reading.object.clone(),
        origin: reading.origin.clone(),
        generation: root.at(reading, &["metadata", "generation"]).number(reading),
        secret: spec.get(reading, "secretName").text_or_empty(reading),
        common_name: spec.get(reading, "commonName").text(reading).or_else(|| literal.as_deref().and_then(common_name)),
        dns_names: texts(&spec.get(reading, "dnsNames"), reading),
        ip_addresses: texts(&spec.get(reading, "ipAddresses"), reading),
        uris: texts(&spec.get(reading, "uris"), reading),
        usages: texts(&spec.get(reading, "usages"), reading),
        duration: spec.get(reading, "duration").written(reading),
        renew_before: spec.get(reading, "renewBefore").written(reading),
        renew_before_percentage: spec.get(reading, "renewBeforePercentage").number(reading),
        is_ca: spec.get(reading, "isCA").flag(reading),
        key: PrivateKey {
            algorithm: key.get(reading, "algorithm").text(reading),
            size: key.get(reading, "size").number(reading),
            encoding: key.get(reading, "encoding").text(reading),
            rotation: key.get(reading, "rotationPolicy").text(reading),
        },
        issuer: reference(&spec, reading),
        conditions: conditions(&status, reading),
        not_before: status.get(reading, "notBefore").time(reading),
        not_after: status.get(reading, "notAfter").time(reading),
        renewal_time: status.get(reading, "renewalTime").time(reading),
        revision: status.get(reading, "revision").number(reading),
        failed_attempts: status.get(reading, "failedIssuanceAttempts").number(reading),
        last_failure: status.get(reading, "lastFailureTime").time(reading),
    }
}

/// The Certificate is named in an annotation; the owner is it too.
fn request(root: &Field<'_>, reading: &mut Reading<'_>) -> CertificateRequest {
    let spec = root.get(reading, "spec");
    let annotations = root.at(reading, &["metadata", "annotations"]).texts(reading);
    let status = root.get(reading, "status");
    CertificateRequest {
        object: reading.object.clone(),
        origin: reading.origin.clone(),
        certificate: annotations.get("cert-manager.io/certificate-name").cloned().unwrap_or_default(),
        revision: annotations.get("cert-manager.io/certificate-revision").and_then(|number| number.parse().ok()),
        created_at: root.at(reading, &["metadata", "creationTimestamp"]).time(reading),
        issuer: reference(&spec, reading),
        conditions: conditions(&status, reading),
        failure_time: status.get(reading, "failureTime").time(reading),
    }
}

fn issuer(root: &Field<'_>, reading: &mut Reading<'_>) -> Issuer {
    let spec = root.get(reading, "spec");
    if reading.object.kind == "ClusterIssuer" {
        reading.object.namespace.clear();
    }
    let ca = spec.get(reading, "ca");
    let kind = if ca.present() {
        IssuerKind::Ca { secret: ca.get(reading, "secretName").text_or_empty(reading) }
    } else if spec.get(reading, "selfSigned").present() {
        IssuerKind::SelfSigned
    } else if spec.get(reading, "acme").present() {
        IssuerKind::Acme
    } else if spec.get(reading, "vault").present() {
        IssuerKind::Vault
    } else if spec.get(reading, "venafi").present() {
        IssuerKind::Venafi
    } else {
        IssuerKind::Other
    };
    Issuer {
        object: reading.object.clone(),
        origin: reading.origin.clone(),
        kind,
        conditions: conditions(&root.get(reading, "status"), reading),
    }
}

fn bundle(root: &Field<'_>, reading: &mut Reading<'_>) -> Bundle {
    reading.object.namespace.clear();
    let spec = root.get(reading, "spec");
    let target = spec.get(reading, "target");
    let sources = spec.get(reading, "sources").items(reading);
    Bundle {
        object: reading.object.clone(),
        origin: reading.origin.clone(),
        config_map_key: target.at(reading, &["configMap", "key"]).text(reading),
        secret_key: target.at(reading, &["secret", "key"]).text(reading),
        sources: sources.iter().map(|source| bundle_source(source, reading)).collect(),
        namespace_labels: target.at(reading, &["namespaceSelector", "matchLabels"]).texts(reading),
        conditions: conditions(&root.get(reading, "status"), reading),
    }
}

fn bundle_source(source: &Field<'_>, reading: &mut Reading<'_>) -> String {
    for (field, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
        let object = source.get(reading, field);
        if object.present() {
            let name = object.get(reading, "name").text(reading).unwrap_or_else(|| "by label".into());
            let key = object.get(reading, "key").text(reading).unwrap_or_else(|| "all".into());
            return format!("{kind} {name} key {key}");
        }
    }
    match source.get(reading, "useDefaultCAs").flag(reading) {
        true => "default CAs".into(),
        false => "inline".into(),
    }
}

fn reference(spec: &Field<'_>, reading: &mut Reading<'_>) -> IssuerRef {
    let field = spec.get(reading, "issuerRef");
    let or = |text: Option<String>, default: &str| text.filter(|t| !t.is_empty()).unwrap_or_else(|| default.into());
    IssuerRef {
        kind: or(field.get(reading, "kind").text(reading), "Issuer"),
        name: field.get(reading, "name").text_or_empty(reading),
        group: or(field.get(reading, "group").text(reading), "cert-manager.io"),
    }
}

fn conditions(status: &Field<'_>, reading: &mut Reading<'_>) -> Vec<Condition> {
    let items = status.get(reading, "conditions").items(reading);
    let mut list: Vec<Condition> = items
        .iter()
        .map(|item| Condition {
            kind: item.get(reading, "type").text_or_empty(reading),
            status: item.get(reading, "status").text_or_empty(reading),
            reason: one_line(&item.get(reading, "reason").text_or_empty(reading)),
            message: one_line(&item.get(reading, "message").text_or_empty(reading)),
            observed_generation: item.get(reading, "observedGeneration").number(reading),
            since: item.get(reading, "lastTransitionTime").time(reading),
        })
        .collect();
    // The API server gives them in the order of their writing.
    list.sort_by(|a, b| a.kind.cmp(&b.kind));
    list
}

fn texts(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<String> {
    field.items(reading).iter().filter_map(|item| item.text(reading)).collect()
}

fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE).collect();
    clean.trim().to_owned()
}

/// The CN of `CN=ray,O=x`.
fn common_name(subject: &str) -> Option<String> {
    subject.split(',').find_map(|part| part.trim().strip_prefix("CN=").map(str::to_owned))
}
