//! What the KubeRay operator adds to the pods of a RayCluster.

use crate::evidence::{Container, Evidence, RayResource, Workload};

use super::Role;
use super::parties::{Draft, dialled, draft};

/// What KubeRay adds to pods that do not exist yet: `wait-gcs-ready` in every worker, which gets the Ray container's
/// `env` and mounts but not its `envFrom` (`pod.go`), and the autoscaler sidecar, which gets nothing.
pub(super) fn injected(evidence: &Evidence, resource: &RayResource, drafts: &[Draft]) -> Vec<Draft> {
    let namespace = &resource.object.namespace;
    let mut made = Vec::new();
    let has = |role: &Role, made: &[Draft]| {
        drafts.iter().chain(made).any(|d| {
            d.group.as_deref() == Some(&resource.object.name)
                && d.party.role == *role
                && d.party.namespace == *namespace
        })
    };
    for (index, workload) in evidence.workloads.iter().enumerate() {
        let Some(group) = workload.group.as_ref().filter(|g| g.cluster == resource.object.name) else { continue };
        let Some(ray) = workload.containers.first().filter(|_| workload.object.namespace == *namespace) else {
            continue;
        };
        if !workload.pods.is_empty() {
            continue;
        }
        if !group.head {
            let container =
                Container { name: "wait-gcs-ready".into(), env_from: Vec::new(), command: Vec::new(), ..ray.clone() };
            let mut waiter = draft(evidence, workload, &container, Role::Waiter);
            waiter.dials.push(dialled(evidence, workload, &container, "$FQ_RAY_IP"));
            waiter.party.id = format!("{}:wait-gcs-ready", waiter.party.id);
            waiter.party.workload = Some(index);
            made.push(waiter);
        } else if resource.autoscaling && !has(&Role::Autoscaler, &made) {
            let container =
                resource.autoscaler.clone().unwrap_or(Container { name: "autoscaler".into(), ..Container::default() });
            let container = Container { name: "autoscaler".into(), ..container };
            let mut scaler = draft(evidence, workload, &container, Role::Autoscaler);
            scaler.party.id = format!("{namespace}/{}:autoscaler", resource.object.name);
            scaler.party.workload = Some(index);
            made.push(scaler);
        }
    }
    made
}

/// Whether the operator itself will give the pods of this template TLS (`tlsOptions`), before there are any.
pub(super) fn makes_tls(evidence: &Evidence, workload: &Workload) -> bool {
    let Some(group) = &workload.group else { return false };
    workload.pods.is_empty()
        && evidence
            .ray_resources
            .iter()
            .any(|r| r.operator_tls && r.object.is(&workload.object.namespace, &group.cluster))
}
