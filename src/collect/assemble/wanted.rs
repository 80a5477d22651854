//! Which Secrets and ConfigMaps have to be looked up.

use std::collections::BTreeSet;

use super::{redact, template};
use crate::evidence::{Container, EnvSource, Evidence, ObjectRef, SourceKind, VolumeSource, Workload};

/// Secrets and ConfigMaps that Ray's settings in the evidence refer to and that are not in it, sorted.
///
/// Those are: sources of kept variables; whole sources (`envFrom`) and mounted volumes of a workload that has to do with Ray. A Secret
/// that has nothing to do with Ray is never asked for.
pub fn wanted(evidence: &Evidence) -> Vec<ObjectRef> {
    let mut wanted = BTreeSet::new();
    for workload in &evidence.workloads {
        // A workload that takes in whole objects may get RAY_* from them: only ConfigMaps are opened on the mere chance.
        let ray = is_ray(workload) || takes_ray_settings(workload, evidence);
        for container in workload.init_containers.iter().chain(&workload.containers) {
            add(container, Some(workload), ray, &workload.object.namespace, &mut wanted);
        }
    }
    for resource in &evidence.ray_resources {
        if let Some(autoscaler) = &resource.autoscaler {
            add(autoscaler, None, true, &resource.object.namespace, &mut wanted);
        }
        if resource.operator_tls && resource.object.kind == "RayCluster" {
            // What the operator mounts into pods that may not be there yet.
            let secret = |part: &str| format!("ray-{part}-secret-{}", resource.object.name);
            let namespace = &resource.object.namespace;
            wanted.extend(["head", "worker"].map(|part| object(SourceKind::Secret, namespace, &secret(part))));
        }
    }
    let there = |object: &ObjectRef| {
        let lists = match object.kind.as_str() {
            "Secret" => evidence.secrets.iter().any(|secret| secret.object == *object),
            _ => evidence.config_maps.iter().any(|map| map.object == *object),
        };
        lists || evidence.lookups.iter().any(|lookup| lookup.object == *object)
    };
    wanted.into_iter().filter(|object| !object.name.is_empty() && !there(object)).collect()
}

/// Whether a workload that has to do with Ray mounts a ClusterTrustBundle.
pub fn mounts_trust_bundles(evidence: &Evidence) -> bool {
    fn is_bundle(source: &VolumeSource) -> bool {
        match source {
            VolumeSource::TrustBundle { .. } => true,
            VolumeSource::Projected(sources) => sources.iter().any(is_bundle),
            _ => false,
        }
    }
    let mounts = |workload: &Workload| workload.volumes.iter().any(|volume| is_bundle(&volume.source));
    evidence.workloads.iter().any(|w| mounts(w) && (is_ray(w) || takes_ray_settings(w, evidence)))
}

fn add(
    container: &Container,
    workload: Option<&Workload>,
    ray: bool,
    namespace: &str,
    wanted: &mut BTreeSet<ObjectRef>,
) {
    let referred = template::references(container);
    for variable in &container.env {
        if let EnvSource::Key { kind, name, .. } = &variable.source
            && (redact::kept_name(&variable.name) || ray && referred.contains(&variable.name))
        {
            wanted.insert(object(*kind, namespace, name));
        }
    }
    for from in &container.env_from {
        if ray || from.kind == SourceKind::ConfigMap {
            wanted.insert(object(from.kind, namespace, &from.name));
        }
    }
    let Some(workload) = workload.filter(|_| ray) else { return };
    for mount in &container.mounts {
        for volume in workload.volumes.iter().filter(|volume| volume.name == mount.volume) {
            add_volume(&volume.source, namespace, wanted);
        }
    }
}

fn add_volume(source: &VolumeSource, namespace: &str, wanted: &mut BTreeSet<ObjectRef>) {
    match source {
        VolumeSource::Object { kind, name, .. } => {
            wanted.insert(object(*kind, namespace, name));
        }
        VolumeSource::Projected(sources) => sources.iter().for_each(|source| add_volume(source, namespace, wanted)),
        _ => {}
    }
}

fn object(kind: SourceKind, namespace: &str, name: &str) -> ObjectRef {
    let kind = match kind {
        SourceKind::ConfigMap => "ConfigMap",
        SourceKind::Secret => "Secret",
    };
    ObjectRef::new(kind, namespace, name)
}

/// Whether a workload runs Ray, dials it, or has any of its TLS settings.
fn is_ray(workload: &Workload) -> bool {
    let container = |container: &Container| {
        container.env.iter().any(|variable| is_tls(&variable.name) || variable.name == "RAY_ADDRESS")
            || container.command.iter().any(|word| word.contains("ray://") || word.contains("RAY_"))
            || container.command.windows(2).any(|two| {
                two.first().is_some_and(|word| word.rsplit('/').next() == Some("ray"))
                    && two.last().is_some_and(|word| matches!(word.as_str(), "health-check" | "start" | "status"))
            })
    };
    workload.group.is_some()
        || workload.labels.keys().any(|label| label.starts_with("ray.io/"))
        || workload.init_containers.iter().chain(&workload.containers).any(container)
}

/// Whether a ConfigMap or Secret that is taken in as a whole, and is known, has TLS settings or an address of Ray.
fn takes_ray_settings(workload: &Workload, evidence: &Evidence) -> bool {
    let namespace = &workload.object.namespace;
    let containers = workload.init_containers.iter().chain(&workload.containers);
    containers.flat_map(|container| &container.env_from).any(|from| {
        let ray = |key: &String| {
            let name = format!("{}{key}", from.prefix);
            is_tls(&name) || name == "RAY_ADDRESS"
        };
        match from.kind {
            SourceKind::ConfigMap => {
                evidence.config_map(namespace, &from.name).found().is_some_and(|map| map.data.keys().any(ray))
            }
            SourceKind::Secret => {
                evidence.secret(namespace, &from.name).found().is_some_and(|secret| secret.data.keys().any(ray))
            }
        }
    })
}

fn is_tls(name: &str) -> bool {
    name == "RAY_USE_TLS" || name.starts_with("RAY_TLS_")
}
