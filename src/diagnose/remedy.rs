//! From edits to steps that a person can paste, with the real names in them.

mod access;
mod authorities;
mod clocks;
mod commands;
mod issuance;
mod operator;
mod policies;
mod services;

use crate::evidence::{Evidence, Mode, ObjectRef, Seen, Shape, SourceKind};
use crate::ray::{Model, NodeAddress, Party, Place, Role};

use super::causes::{Remedy, RemedyStep};
use super::edit::{Edit, Fix, Slot};

/// The steps that carry out these edits.
pub(super) fn of(model: &Model, evidence: &Evidence, edits: &[Edit]) -> Remedy {
    let mut steps: Vec<RemedyStep> = Vec::new();
    // The patch that turns a party's TLS on has its paths too.
    let on = |at: usize| edits.iter().any(|e| matches!(e, Edit::SetSwitch { party, on: true } if *party == at));
    let told = |edit: &Edit| match edit {
        Edit::Share { party, slot, .. } => {
            on(*party) && model.parties.get(*party).is_some_and(|p| p.file(*slot).path == Seen::Absent)
        }
        _ => false,
    };
    for edit in edits.iter().filter(|edit| !told(edit)) {
        for step in steps_of(model, evidence, edit) {
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    // What starts pods again comes after what they should read.
    let (restarts, others): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|s| s.text.starts_with(RESTART) || s.text.starts_with(RESTART_ALL));
    let steps = others.into_iter().chain(restarts);
    match evidence.mode {
        Mode::Manifests => Remedy { steps: steps.map(in_manifests).collect() },
        Mode::Files | Mode::Live | Mode::Shell => Remedy { steps: steps.collect() },
    }
}

/// A step where there are manifests and no cluster was looked at: nothing that runs is changed, the manifest is.
fn in_manifests(step: RemedyStep) -> RemedyStep {
    const CHANGES: [&str; 6] =
        [" set env ", " set selector ", " patch ", " edit ", " rollout restart ", " replace --force "];
    let text = match step.text.strip_prefix(RESTART) {
        Some(rest) => format!("After the next apply see that the pods are started again{rest}"),
        None => step.text,
    };
    let changes = |command: &String| command.contains(" delete pod ") || CHANGES.iter().any(|c| command.contains(c));
    RemedyStep { text, command: step.command.filter(|command| !changes(command)), ..step }
}

const RESTART: &str = "Start the pods again";
const RESTART_ALL: &str = "Start every process that uses these files again";
/// The kind of a party of which nothing but its files is known.
const PROCESS: &str = "Process";

fn steps_of(model: &Model, evidence: &Evidence, edit: &Edit) -> Vec<RemedyStep> {
    let party = |at: &usize| model.parties.get(*at);
    if let Some(steps) = injected(model, edit).or_else(|| access::readable(model, edit)) {
        return steps;
    }
    match edit {
        Edit::SetSwitch { party: at, on } => party(at).map_or_else(Vec::new, |p| switch(model, evidence, p, *on)),
        Edit::Provide { party: at, slot } => party(at).map_or_else(Vec::new, |p| provide(model, evidence, p, *slot)),
        Edit::Share { party: at, slot, from } => match (party(at), party(from)) {
            (Some(p), Some(other)) => share(p, other, *slot),
            _ => Vec::new(),
        },
        Edit::AddNames { certificate, names, pod_addresses } => {
            add_names(model, evidence, certificate, names, *pod_addresses)
        }
        Edit::Reissue { certificate, fixes } => reissue(model, evidence, certificate, fixes),
        Edit::Trust { party: at, issuer_of } => match (party(at), party(issuer_of)) {
            (Some(p), Some(other)) => vec![authorities::both(evidence, p, other), restart(p)],
            _ => Vec::new(),
        },
        Edit::IssueBy { party: at, trusted_by } => match (party(at), party(trusted_by)) {
            (Some(p), Some(other)) => {
                let text = format!(
                    "Issue the certificate of {} ({}) again by the CA that {} trusts ({}), and make that CA its trust file ({})",
                    p.id,
                    place_of(p, Slot::Certificate),
                    other.id,
                    place_of(other, Slot::Trust),
                    place_of(p, Slot::Trust)
                );
                std::iter::once(text_step(text))
                    .chain(authorities::intermediate(p, other))
                    .chain([restart(p)])
                    .collect()
            }
            _ => Vec::new(),
        },
        Edit::Withdraw { namespace, name } => {
            let place =
                evidence.secret(namespace, name).found().map(|secret| secret.origin.clone()).unwrap_or_default();
            let at = match (place.file, place.line) {
                (Some(file), Some(line)) => format!(" ({file}:{line})"),
                _ => String::new(),
            };
            vec![
                text_step(format!(
                    "Take Secret {namespace}/{name}{at} out of what is applied, so that the cluster keeps the one it has"
                )),
                RemedyStep {
                    text: "See that the cluster has it, with all three files".into(),
                    command: Some(format!("kubectl -n {namespace} describe secret {name}")),
                    patch: None,
                },
            ]
        }
        Edit::Issue { namespace, name } => issuance::unblock(model, evidence, namespace, name),
        Edit::Distrust { certificate } => authorities::distrust(model, certificate),
        Edit::RenewCa { certificate } => {
            let mut steps = vec![RemedyStep {
                text: "Renew the CA with the same key and subject, and put it in every trust file in the place of the old one".into(),
                command: authorities::renewal(model, certificate),
                patch: None,
            }];
            steps.extend(model.parties.iter().filter(|p| runs(p)).map(restart));
            steps
        }
        Edit::Start { party: at } => party(at)
            .map_or_else(Vec::new, |p| operator::one_design(evidence, p).map_or_else(|| vec![restart(p)], |s| vec![s])),
        Edit::Restart { party: at } => party(at).map_or_else(Vec::new, |p| vec![restart(p)]),
        Edit::Open { party: at, port } => party(at).map_or_else(Vec::new, |p| {
            if p.object.kind == "Port" {
                return vec![text_step(format!(
                    "Start what should listen on port {port} of {}, or dial another port",
                    p.id
                ))];
            }
            let name = pod_or_workload(p);
            let command = format!("kubectl -n {} logs {name} -c {} --tail=50", p.namespace, p.container);
            vec![RemedyStep {
                text: format!("Find out why nothing answers on port {port} of {}", p.id),
                command: Some(command),
                patch: None,
            }]
        }),
        Edit::Aim { namespace, name } => services::aim(model, evidence, namespace, name),
        Edit::LetIn { policy } => policies::let_in(model, policy),
        Edit::SetClock { party: at } => party(at).map_or_else(Vec::new, |p| vec![clocks::set(p)]),
        Edit::Dial { party: at, from, to } => party(at).map_or_else(Vec::new, |p| {
            vec![text_step(format!("Let {} dial {to} instead of {from}", p.id)), restart(p)]
        }),
    }
}

/// Containers that KubeRay makes are mended in the object they are made from.
fn injected(model: &Model, edit: &Edit) -> Option<Vec<RemedyStep>> {
    let (Edit::SetSwitch { party, .. } | Edit::Provide { party, .. } | Edit::Share { party, .. }) = edit else {
        return None;
    };
    let party = model.parties.get(*party)?;
    let variables = "RAY_USE_TLS, RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY and RAY_TLS_CA_CERT";
    let text = match party.role {
        Role::Waiter => format!(
            "Write {variables} under env, not envFrom, of the Ray container of the worker group in {}: KubeRay copies env and mounts to {}, but not envFrom",
            party.object, party.container
        ),
        Role::Autoscaler => format!(
            "Write {variables} under spec.autoscalerOptions.env of {}, and mount the same files under spec.autoscalerOptions.volumeMounts: KubeRay copies nothing to the autoscaler",
            party.object
        ),
        _ => return None,
    };
    Some(vec![text_step(text), restart(party)])
}

fn switch(model: &Model, evidence: &Evidence, party: &Party, on: bool) -> Vec<RemedyStep> {
    if let Some(step) = commands::says(evidence, party, on) {
        return vec![step];
    }
    let head = model.parties.iter().find(|p| p.cluster == party.cluster && p.role == Role::Head);
    let mut patch = format!("env:\n- name: RAY_USE_TLS\n  value: \"{}\"\n", u8::from(on));
    let mut text =
        format!("Set RAY_USE_TLS to exactly \"{}\" in container {} of {}", u8::from(on), party.container, party.object);
    if on {
        let missing = [Slot::Certificate, Slot::Key, Slot::Trust]
            .into_iter()
            .filter(|slot| party.file(*slot).path == Seen::Absent);
        let missing: Vec<Slot> = missing.collect();
        for slot in &missing {
            let path = head.map_or("…".into(), |head| path_of(head, *slot));
            patch.push_str(&format!("- name: {}\n  value: {path}\n", slot.variable()));
        }
        if !missing.is_empty() {
            let from = head.map_or(String::new(), |head| format!(", and mount there what {} mounts", head.id));
            text.push_str(&format!(", with the paths of its files{from}"));
        }
    }
    let command = match (kubectl_kind(&party.object), missing_none(party)) {
        (Some(kind), true) => Some(format!(
            "kubectl -n {} set env {kind}/{} -c {} RAY_USE_TLS={}",
            party.namespace,
            party.object.name,
            party.container,
            u8::from(on)
        )),
        _ => None,
    };
    vec![RemedyStep { text, command, patch: Some(patch) }]
}

fn missing_none(party: &Party) -> bool {
    [Slot::Certificate, Slot::Key, Slot::Trust].into_iter().all(|slot| party.file(slot).path != Seen::Absent)
}

/// To set a variable of a workload starts its pods again.
fn share(party: &Party, other: &Party, slot: Slot) -> Vec<RemedyStep> {
    let (variable, path) = (slot.variable(), path_of(other, slot));
    let text = format!(
        "Set {variable} to {path} in container {} of {}, as in {}, and mount there what {} mounts, where it is not mounted yet",
        party.container, party.object, other.id, other.id
    );
    let Some(kind) = kubectl_kind(&party.object) else { return vec![text_step(text), restart(party)] };
    let command = format!(
        "kubectl -n {} set env {kind}/{} -c {} {variable}={path}",
        party.namespace, party.object.name, party.container
    );
    vec![RemedyStep { text, command: Some(command), patch: None }]
}

/// The one step for a Secret of which nothing is there: it does not exist, or all its values are empty.
fn whole_secret(evidence: &Evidence, party: &Party) -> Option<RemedyStep> {
    let Place::Key { kind: SourceKind::Secret, namespace, name, .. } = &party.certificate.place else { return None };
    let keys: Vec<&str> = [&party.certificate, &party.key, &party.trust]
        .into_iter()
        .map(|file| match &file.place {
            Place::Key { kind: SourceKind::Secret, namespace: ns, name: n, key: Some(key), .. }
                if (ns, n) == (namespace, name) =>
            {
                Some(key.as_str())
            }
            _ => None,
        })
        .collect::<Option<_>>()?;
    let no_value = |shape: &Shape| matches!(shape, Shape::Empty | Shape::Text { placeholder: true });
    let create = format!(
        "kubectl -n {namespace} create secret generic {name}{}",
        keys.iter().map(|key| format!(" --from-file={key}")).collect::<String>()
    );
    let (text, command) = match evidence.secret(namespace, name) {
        Seen::Absent => (format!("Create Secret {namespace}/{name} from the real files"), create),
        Seen::Found(secret) if !secret.data.values().all(|c| no_value(&c.facts.shape)) => return None,
        Seen::Found(_) if evidence.mode == Mode::Manifests => (
            format!(
                "Take Secret {namespace}/{name} out of what is applied, and create it once by other means (cert-manager, an external secret), or from the real files"
            ),
            create,
        ),
        Seen::Found(secret) => {
            let kind = if secret.kind.is_empty() { "Opaque" } else { &secret.kind };
            (
                format!("Put the real files into Secret {namespace}/{name}"),
                format!("{create} --type={kind} --dry-run=client -o yaml | kubectl apply -f -"),
            )
        }
        Seen::Unseen(_) => return None,
    };
    Some(RemedyStep { text, command: Some(command), patch: None })
}

fn provide(model: &Model, evidence: &Evidence, party: &Party, slot: Slot) -> Vec<RemedyStep> {
    if let Some(steps) = issuance::provide(evidence, party, slot) {
        return steps;
    }
    if let Some(step) = operator::mount(model, evidence, party, slot) {
        return vec![step, restart(party)];
    }
    if let Some(step) = whole_secret(evidence, party) {
        return std::iter::once(step)
            .chain(issuance::perhaps_ordered(evidence, party, slot))
            .chain([restart(party)])
            .collect();
    }
    let file = party.file(slot);
    let wanted = match slot {
        Slot::Certificate => "the PEM certificate (leaf first, then intermediates)",
        Slot::Key => "the unencrypted PEM private key of the certificate",
        Slot::Trust => "the PEM certificate of the CA that signed every party's certificate",
    };
    let text = match &file.place {
        Place::Key { kind, namespace, name, key, .. } => {
            let key = key.as_deref().unwrap_or("…");
            format!("Put {wanted} under key {key} of {kind:?} {namespace}/{name}")
        }
        Place::NoPath => format!(
            "Set {} in container {} of {}, and mount {wanted} there",
            slot.variable(),
            party.container,
            party.object
        ),
        Place::Local(path) => format!("Put {wanted} into {path}"),
        _ => format!("Mount {wanted} at {} in container {} of {}", path_of(party, slot), party.container, party.object),
    };
    vec![text_step(text), restart(party)]
}

fn add_names(
    model: &Model,
    evidence: &Evidence,
    certificate: &str,
    names: &[String],
    pod_addresses: bool,
) -> Vec<RemedyStep> {
    let holders: Vec<&Party> = model.parties.iter().filter(|p| presents(evidence, p, certificate)).collect();
    let mut steps = Vec::new();
    if pod_addresses {
        steps.push(text_step(
            "Either give every pod a certificate of its own with its IP in it: an init container that signs one for POD_IP (fieldRef status.podIP) and 127.0.0.1 into an emptyDir, as KubeRay's ray-cluster.tls.yaml does; a certificate shared by pods cannot hold their IPs",
        ));
        let fixed = holders
            .iter()
            .any(|p| matches!(p.role, Role::Head | Role::Worker(_)) && p.node_address == NodeAddress::PodIp);
        if fixed {
            steps.push(text_step(
                "Or keep the shared certificate, and start every node with --node-ip-address=<a DNS name of that pod which is in the certificate> behind a headless Service",
            ));
        }
    }
    // Restarted pods have other IPs: today's would be wrong by the time the new certificate is read.
    let lasting = |name: &&String| !pod_addresses || name.parse::<std::net::IpAddr>().is_err();
    if let Some(order) = issuance::order(evidence, &holders) {
        let names: Vec<&str> = names.iter().filter(lasting).map(String::as_str).collect();
        steps.extend(issuance::add_names(evidence, order, &names));
        steps.extend(holders.into_iter().map(restart));
        return steps;
    }
    let list: Vec<String> = names.iter().filter(lasting).map(|n| san(n)).collect();
    if !list.is_empty() {
        steps.push(issue(
            evidence,
            &holders,
            &format!("Issue the certificate again with {} added", list.join(", ")),
            &list,
        ));
    }
    steps.extend(holders.into_iter().map(restart));
    steps
}

fn reissue(model: &Model, evidence: &Evidence, certificate: &str, fixes: &[Fix]) -> Vec<RemedyStep> {
    let holders: Vec<&Party> = model.parties.iter().filter(|p| presents(evidence, p, certificate)).collect();
    if let Some(order) = issuance::order(evidence, &holders).filter(|_| !fixes.contains(&Fix::Chain)) {
        let mut steps = issuance::reissue(evidence, order, fixes);
        steps.extend(holders.into_iter().map(restart));
        return steps;
    }
    let what = fixes.iter().map(|fix| match fix {
        Fix::Chain => "its intermediate certificates behind it in the same file",
        Fix::Dates => "new dates",
        Fix::Key => "an RSA or P-256 key",
        Fix::KeyId => "an authorityKeyIdentifier that names its CA's key",
        Fix::Uses => "keyUsage digitalSignature and extendedKeyUsage serverAuth and clientAuth",
    });
    let what: Vec<&str> = what.collect();
    let mut steps = match fixes {
        [Fix::Chain] => vec![authorities::append_chain(&holders)],
        _ => vec![issue(evidence, &holders, &format!("Issue the certificate again with {}", what.join(", ")), &[])],
    };
    steps.extend(holders.into_iter().map(restart));
    steps
}

/// The openssl and kubectl lines that issue a leaf again and put it where it is read.
fn issue(evidence: &Evidence, holders: &[&Party], text: &str, added: &[String]) -> RemedyStep {
    let leaf = holders.iter().find_map(|p| leaf(p));
    let names = leaf.as_ref().and_then(|leaf| leaf.names.clone()).unwrap_or_default();
    let mut sans: Vec<String> = names.iter().map(ToString::to_string).collect();
    sans.extend(added.iter().filter(|san| !sans.contains(san)).cloned().collect::<Vec<_>>());
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || ".:-_*,".contains(c));
    let stored = holders.iter().find_map(|p| match &p.certificate.place {
        Place::Key { kind: SourceKind::Secret, namespace, name, .. } => Some((namespace.clone(), name.clone())),
        _ => None,
    });
    let name_of = leaf.and_then(|leaf| leaf.common_name).filter(|cn| plain(cn)).unwrap_or_else(|| "ray".into());
    let local = holders.iter().any(|p| matches!(p.certificate.place, Place::Local(_)));
    let command = match stored {
        Some((namespace, name)) if plain(&sans.join(",")) && !sans.is_empty() => {
            let kind = evidence.secret(&namespace, &name).found().map_or("Opaque".to_owned(), |s| s.kind.clone());
            let kind = if kind.is_empty() { "Opaque".to_owned() } else { kind };
            Some(format!(
                "{}\n\
                 kubectl -n {namespace} create secret generic {name} --type={kind} --from-file=tls.crt --from-file=tls.key --from-file=ca.crt --dry-run=client -o yaml | kubectl apply -f -",
                made(&name_of, &sans)
            ))
        }
        None if local && plain(&sans.join(",")) && !sans.is_empty() => Some(made(&name_of, &sans)),
        _ => None,
    };
    RemedyStep { text: text.to_owned(), command, patch: None }
}

/// The openssl lines that make a key and a leaf for it, signed by the CA.
fn made(common_name: &str, sans: &[String]) -> String {
    format!(
        "openssl req -new -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN={common_name}\n\
         printf 'basicConstraints=critical,CA:FALSE\\nkeyUsage=critical,digitalSignature,keyEncipherment\\nextendedKeyUsage=serverAuth,clientAuth\\nsubjectAltName={}\\n' > tls.ext\n\
         openssl x509 -req -sha256 -days 365 -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile tls.ext -out tls.crt",
        sans.join(",")
    )
}

fn restart(party: &Party) -> RemedyStep {
    let namespace = &party.namespace;
    let (text, command) = match (kubectl_kind(&party.object), party.object.kind.as_str()) {
        (Some(kind), _) => (
            format!("{RESTART} ({}): Ray reads its files at start only", party.object),
            Some(format!("kubectl -n {namespace} rollout restart {kind}/{}", party.object.name)),
        ),
        (None, "RayCluster") => (
            format!("{RESTART} ({}): Ray reads its files at start only", party.object),
            Some(format!("kubectl -n {namespace} delete pod -l ray.io/cluster={}", party.object.name)),
        ),
        (None, PROCESS) => (format!("{RESTART_ALL}: Ray reads its files at start only"), None),
        (None, "Shell") => ("Start the Ray program in this shell again".to_owned(), None),
        (None, kind) => (
            format!("{RESTART} ({}): Ray reads its files at start only", party.object),
            (kind == "Pod").then(|| format!("kubectl -n {namespace} get pod {0} -o yaml > {0}.yaml && kubectl -n {namespace} replace --force -f {0}.yaml", party.object.name)),
        ),
    };
    RemedyStep { text, command, patch: None }
}

fn kubectl_kind(object: &ObjectRef) -> Option<&'static str> {
    match object.kind.as_str() {
        "DaemonSet" => Some("daemonset"),
        "Deployment" => Some("deployment"),
        "StatefulSet" => Some("statefulset"),
        _ => None,
    }
}

fn pod_or_workload(party: &Party) -> String {
    match party.pods.first() {
        Some(pod) => format!("pod/{}", pod.name),
        None => format!("{}/{}", party.object.kind.to_lowercase(), party.object.name),
    }
}

fn runs(party: &Party) -> bool {
    !matches!(party.role, Role::Waiter)
}

fn presents(evidence: &Evidence, party: &Party, sha256: &str) -> bool {
    super::edit::presents(evidence, party, sha256)
}

fn leaf(party: &Party) -> Option<crate::grpc::certificate::Certificate> {
    super::edit::certificates(&party.certificate).into_iter().next()
}

fn path_of(party: &Party, slot: Slot) -> String {
    party.file(slot).path.found().cloned().unwrap_or_else(|| "…".into())
}

fn place_of(party: &Party, slot: Slot) -> String {
    match &party.file(slot).place {
        Place::Key { kind, namespace, name, key, .. } => {
            format!("{kind:?} {namespace}/{name} key {}", key.as_deref().unwrap_or("…"))
        }
        Place::Local(path) => path.clone(),
        _ => path_of(party, slot),
    }
}

fn san(name: &str) -> String {
    match name.parse::<std::net::IpAddr>() {
        Ok(_) => format!("IP:{name}"),
        Err(_) => format!("DNS:{name}"),
    }
}

fn text_step(text: impl Into<String>) -> RemedyStep {
    RemedyStep { text: text.into(), command: None, patch: None }
}

#[cfg(test)]
mod tests;
