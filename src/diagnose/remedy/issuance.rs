//! Steps in cert-manager's language: what it made is not mended by hand, for it would make it again.

use super::super::causes::RemedyStep;
use super::super::edit::{Fix, Slot};
use super::restart;
use crate::evidence::issuance::{Certificate as Order, IssuerKind};
use crate::evidence::{Evidence, Mode, ObjectRef, Seen, SourceKind};
use crate::ray::issuance::{
    BadDuration, NoCa, Red, Trouble, bad_duration, bundle_of, first_red, issuer, no_ca, owner, synced,
};
use crate::ray::{Model, Party, Place};

/// The Certificate behind the certificate file of the first of these parties that has one.
pub(super) fn order<'e>(evidence: &'e Evidence, holders: &[&'e Party]) -> Option<&'e Order> {
    holders.iter().find_map(|party| of_slot(evidence, party, Slot::Certificate))
}

/// What makes cert-manager issue a Secret.
pub(super) fn unblock(model: &Model, evidence: &Evidence, namespace: &str, secret: &str) -> Vec<RemedyStep> {
    let Some(order) = owner(evidence, namespace, secret) else { return Vec::new() };
    let mut steps = match (by_ca(evidence, order), first_red(evidence, order), bad_duration(order)) {
        (Some(step), ..) => vec![step],
        (None, Some(red), _) => vec![mend(evidence, &red)],
        (None, None, Some(bad)) => vec![duration(evidence, order, &bad)],
        (None, None, None) => no_ca(evidence, order).map(|ca| make_ca(evidence, ca)).into_iter().collect(),
    };
    match evidence.secret(namespace, secret) {
        Seen::Absent => steps.push(RemedyStep {
            text: format!("Then wait for Secret {namespace}/{secret}: pods that wait for it start by themselves"),
            command: Some(format!(
                "kubectl -n {namespace} wait --for=condition=Ready certificate/{}",
                order.object.name
            )),
            patch: None,
        }),
        _ => {
            let users = model.parties.iter().filter(|party| {
                [Slot::Certificate, Slot::Key, Slot::Trust]
                    .into_iter()
                    .any(|slot| is_in(party, slot, namespace, secret))
            });
            steps.extend(users.map(restart));
        }
    }
    steps
}

/// Adds names to what is ordered.
pub(super) fn add_names(evidence: &Evidence, order: &Order, names: &[&str]) -> Vec<RemedyStep> {
    let (addresses, hosts): (Vec<&str>, Vec<&str>) =
        names.iter().partition(|name| name.parse::<std::net::IpAddr>().is_ok());
    let new = |old: &[String], added: &[&str]| -> Vec<String> {
        added.iter().filter(|name| !old.iter().any(|o| o == *name)).map(|name| (*name).to_owned()).collect()
    };
    let (hosts, addresses) = (new(&order.dns_names, &hosts), new(&order.ip_addresses, &addresses));
    if names.is_empty() {
        return Vec::new();
    }
    if hosts.is_empty() && addresses.is_empty() {
        return vec![RemedyStep {
            text: format!("{} orders {} already: see why it was not issued again", order.object, names.join(", ")),
            command: Some(describe(&order.object)),
            patch: None,
        }];
    }
    let mut spec = Vec::new();
    let mut told = Vec::new();
    for (field, old, added) in [("dnsNames", &order.dns_names, hosts), ("ipAddresses", &order.ip_addresses, addresses)]
    {
        if !added.is_empty() {
            told.push(format!("{} to spec.{field}", added.join(", ")));
            spec.push((field, old.iter().cloned().chain(added).collect::<Vec<_>>()));
        }
    }
    let text = format!("Add {} of {}: cert-manager issues it again", told.join(" and "), order.object);
    let fields: Vec<(&str, String)> = spec.into_iter().map(|(field, list)| (field, json(&list))).collect();
    vec![change(evidence, order, text, &fields)]
}

/// Changes what is ordered, or has it issued again.
pub(super) fn reissue(evidence: &Evidence, order: &Order, fixes: &[Fix]) -> Vec<RemedyStep> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    let mut told = Vec::new();
    if fixes.contains(&Fix::Uses) {
        told.push("spec.usages to digital signature, key encipherment, server auth and client auth");
        fields.push(("usages", r#"["digital signature","key encipherment","server auth","client auth"]"#.into()));
    }
    if fixes.contains(&Fix::Key) {
        told.push("spec.privateKey to RSA of 2048 bits");
        fields.push(("privateKey", r#"{"algorithm":"RSA","size":2048,"rotationPolicy":"Always"}"#.into()));
    }
    if fields.is_empty() {
        let Order { object, .. } = order;
        return vec![RemedyStep {
            text: format!("Let cert-manager issue {object} again"),
            command: Some(format!("cmctl renew -n {} {}", object.namespace, object.name)),
            patch: None,
        }];
    }
    let text = format!("Set {} of {}: cert-manager issues it again", told.join(" and "), order.object);
    vec![change(evidence, order, text, &fields)]
}

/// A file that cert-manager should write.
pub(super) fn provide(evidence: &Evidence, party: &Party, slot: Slot) -> Option<Vec<RemedyStep>> {
    if let Some(step) = sync(evidence, party, slot) {
        return Some(vec![step]);
    }
    let order = of_slot(evidence, party, slot)?;
    let red = first_red(evidence, order);
    Some(vec![match red {
        Some(red) => mend(evidence, &red),
        None => RemedyStep {
            text: format!("See what cert-manager says of {}, which makes Secret {}", order.object, order.secret),
            command: Some(describe(&order.object)),
            patch: None,
        },
    }])
}

/// That a Secret which does not exist may be cert-manager's to make, where its Certificates were not all seen.
pub(super) fn perhaps_ordered(evidence: &Evidence, party: &Party, slot: Slot) -> Option<RemedyStep> {
    let Place::Key { kind: SourceKind::Secret, namespace, name, .. } = &party.file(slot).place else { return None };
    if evidence.mode != Mode::Live || evidence.issuance.listed.contains(namespace) {
        return None;
    }
    Some(RemedyStep {
        text: format!(
            "But if cert-manager is to make Secret {namespace}/{name} (its Certificates there were not seen), do not create it by hand: mend the Certificate with this spec.secretName"
        ),
        command: Some(format!("kubectl -n {namespace} get certificates -o wide")),
        patch: None,
    })
}

/// A file that trust-manager should write.
fn sync(evidence: &Evidence, party: &Party, slot: Slot) -> Option<RemedyStep> {
    let Place::Key { kind, namespace, name, .. } = &party.file(slot).place else { return None };
    let bundle = bundle_of(evidence, *kind, name)?;
    Some(RemedyStep {
        text: format!(
            "Mend Bundle {name}, with which trust-manager writes {kind:?} {namespace}/{name}: {}",
            synced(bundle)
        ),
        command: Some(describe(&bundle.object)),
        patch: None,
    })
}

fn of_slot<'e>(evidence: &'e Evidence, party: &'e Party, slot: Slot) -> Option<&'e Order> {
    match &party.file(slot).place {
        Place::Key { kind: SourceKind::Secret, namespace, name, .. } => owner(evidence, namespace, name),
        _ => None,
    }
}

fn is_in(party: &Party, slot: Slot, namespace: &str, secret: &str) -> bool {
    matches!(&party.file(slot).place, Place::Key { kind: SourceKind::Secret, namespace: ns, name, .. }
        if ns == namespace && name == secret)
}

/// The step that mends the first red link.
fn mend(evidence: &Evidence, red: &Red<'_>) -> RemedyStep {
    let Red { link, order, .. } = red;
    let step = |text: String, command: String| RemedyStep { text, command: Some(command), patch: None };
    let namespace = &link.namespace;
    match red.trouble {
        Trouble::IssuerMissing => issuer_missing(evidence, red),
        Trouble::IssuerNotReady => step(format!("Mend {link}, which has to be Ready"), describe(link)),
        Trouble::CaSecret => step(
            format!("Put the CA's certificate and key into {link}, as tls.crt and tls.key"),
            format!("kubectl -n {namespace} create secret tls {} --cert=ca.crt --key=ca.key", link.name),
        ),
        Trouble::Denied => step(
            format!(
                "Have {link} approved by who denied it, or change {} so that it is; then have it tried again",
                order.object
            ),
            format!("{}\ncmctl renew -n {} {}", describe(link), order.object.namespace, order.object.name),
        ),
        Trouble::NotApproved => {
            step(format!("Approve {link}: no approver has"), format!("cmctl approve -n {namespace} {}", link.name))
        }
        Trouble::NoAnswer if order.issuer.is_own() => step(
            format!("Find out why cert-manager does not answer {link}"),
            format!("{}\nkubectl -n cert-manager logs deploy/cert-manager --tail=50", describe(link)),
        ),
        Trouble::NoAnswer => step(
            format!(
                "Install or mend the controller of {}, which has to sign {link}, or name another issuer in spec.issuerRef of {}",
                order.issuer.group, order.object
            ),
            describe(link),
        ),
        Trouble::NotSigned => step(format!("Mend what {link} says of its issuer"), describe(link)),
        Trouble::NotReady => step(
            format!("Find out why cert-manager does nothing for {}", order.object),
            format!("{}\nkubectl -n cert-manager logs deploy/cert-manager --tail=50", describe(&order.object)),
        ),
    }
}

fn issuer_missing(evidence: &Evidence, red: &Red<'_>) -> RemedyStep {
    let Red { link, order, .. } = red;
    let namesake = evidence.issuance.issuers.iter().find(|i| {
        let here = i.object.namespace.is_empty() || i.object.namespace == order.object.namespace;
        i.object.name == link.name && i.object.kind != link.kind && here
    });
    if let Some(other) = namesake {
        let text =
            format!("Set spec.issuerRef.kind of {} to {}: {} exists", order.object, other.object.kind, other.object);
        let reference = format!(r#"{{"name":"{}","kind":"{}"}}"#, link.name, other.object.kind);
        return change(evidence, order, text, &[("issuerRef", reference)]);
    }
    RemedyStep {
        text: format!("Create {link}, or name an issuer that exists in spec.issuerRef of {}", order.object),
        command: Some(format!("kubectl get clusterissuers\nkubectl -n {} get issuers", order.object.namespace)),
        patch: None,
    }
}

fn duration(evidence: &Evidence, order: &Order, bad: &BadDuration) -> RemedyStep {
    let good = if bad.field == "duration" { "2160h" } else { "720h" };
    let text = format!("Write spec.{} of {} in hours, less than its duration", bad.field, order.object);
    let text = if bad.field == "duration" { text.replace(", less than its duration", "") } else { text };
    change(evidence, order, text, &[(bad.field, format!("\"{good}\""))])
}

/// A CA for a Certificate whose issuer gives none.
fn by_ca(evidence: &Evidence, order: &Order) -> Option<RemedyStep> {
    if !issuer(evidence, order).found().is_some_and(|issuer| issuer.kind == IssuerKind::Acme) {
        return None;
    }
    let text = format!(
        "Let a CA issuer of your own issue {}: an issuer with spec.ca.secretName, whose Secret comes from a self-signed Certificate with isCA: true",
        order.object
    );
    Some(change(evidence, order, text, &[("issuerRef", r#"{"name":"ray-ca","kind":"Issuer"}"#.into())]))
}

/// A CA where an issuer has something else.
fn make_ca(evidence: &Evidence, ca: NoCa<'_>) -> RemedyStep {
    match ca {
        NoCa::Ordered(maker) => {
            let text = format!("Set spec.isCA of {} to true: only then its issuer signs", maker.object);
            change(evidence, maker, text, &[("isCA", "true".into())])
        }
        NoCa::Stored(secret) => {
            let text = format!(
                "Put a CA's certificate (basicConstraints CA:TRUE) and its key into {secret}, as tls.crt and tls.key"
            );
            RemedyStep { text, ..RemedyStep::default() }
        }
    }
}

/// A change of a Certificate: a command for a cluster, YAML for a manifest. Values are JSON, which YAML takes too.
fn change(evidence: &Evidence, order: &Order, text: String, fields: &[(&str, String)]) -> RemedyStep {
    let Order { object: ObjectRef { namespace, name, .. }, .. } = order;
    let all = fields.iter().map(|(field, value)| value.as_str().len() + field.len()).sum::<usize>();
    let plain = |text: &str| !text.contains('\'') && all < 4000;
    if evidence.mode == Mode::Live {
        let spec: Vec<String> = fields.iter().map(|(field, value)| format!(r#""{field}":{value}"#)).collect();
        let spec = spec.join(",");
        let command = plain(&spec).then(|| {
            format!("kubectl -n {namespace} patch certificate {name} --type=merge -p '{{\"spec\":{{{spec}}}}}'")
        });
        return RemedyStep { text, command, patch: None };
    }
    let lines: String = fields.iter().map(|(field, value)| format!("\n  {field}: {value}")).collect();
    RemedyStep { text, command: None, patch: Some(format!("spec:{lines}")) }
}

fn describe(object: &ObjectRef) -> String {
    let kind = object.kind.to_lowercase();
    match object.namespace.as_str() {
        "" => format!("kubectl describe {kind} {}", object.name),
        namespace => format!("kubectl -n {namespace} describe {kind} {}", object.name),
    }
}

fn json(list: &[String]) -> String {
    serde_json::to_string(list).unwrap_or_default()
}
