//! Steps where KubeRay makes the TLS of a cluster itself (`tlsOptions`).

use super::super::causes::RemedyStep;
use super::super::edit::Slot;
use crate::checks::kuberay::two_designs;
use crate::evidence::{Evidence, Mode, RayResource};
use crate::ray::kuberay::resource_of;
use crate::ray::{Model, Party, Place, Role};

/// The choice between the operator's TLS and the own one of a resource that has both; none where a party's has not.
pub(super) fn one_design(evidence: &Evidence, party: &Party) -> Option<RemedyStep> {
    let resource = makes_tls(evidence, party)?;
    let places = two_designs::places(evidence, resource);
    if places.is_empty() {
        return None;
    }
    let text = format!(
        "Take out of {}, and let the operator do it: {}. Or take spec.tlsOptions out, and keep them: KubeRay refuses both together",
        resource.object,
        places.join("; ")
    );
    let kind = resource.object.kind.to_lowercase();
    let command = (evidence.mode == Mode::Live)
        .then(|| format!("kubectl -n {} edit {kind} {}", resource.object.namespace, resource.object.name));
    Some(RemedyStep { text, command, patch: None })
}

/// The mount of the Secret that the operator makes, for a client that has no files of its own.
pub(super) fn mount(model: &Model, evidence: &Evidence, party: &Party, slot: Slot) -> Option<RemedyStep> {
    let named = matches!(party.file(slot).place, Place::NoPath | Place::NoMount);
    if !named || party.role != Role::Client {
        return None;
    }
    let head = model.parties.iter().find(|p| p.cluster == party.cluster && p.role == Role::Head)?;
    let resource = makes_tls(evidence, head).filter(|resource| resource.object.kind == "RayCluster")?;
    let secret = format!("ray-worker-secret-{}", resource.object.name);
    let (container, object) = (&party.container, &party.object);
    let mut text = format!(
        "Mount Secret {}/{secret}, which KubeRay makes for {}, at /etc/ray/tls in container {container} of {object}",
        resource.object.namespace, resource.object
    );
    if resource.object.namespace != party.namespace {
        text.push_str(&format!("; pods of namespace {} need a copy of it there, renewed with it", party.namespace));
    }
    let patch = format!(
        "volumes:\n- name: ray-tls\n  secret:\n    secretName: {secret}\n# in container {container}\nvolumeMounts:\n- name: ray-tls\n  mountPath: /etc/ray/tls\n  readOnly: true\n"
    );
    Some(RemedyStep { text, command: None, patch: Some(patch) })
}

fn makes_tls<'e>(evidence: &'e Evidence, party: &Party) -> Option<&'e RayResource> {
    let workload = evidence.workloads.get(party.workload?)?;
    resource_of(evidence, workload).filter(|resource| resource.operator_tls)
}
