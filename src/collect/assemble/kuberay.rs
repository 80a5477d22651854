//! KubeRay's custom resources: one workload per group, and what they say beside their templates.

use std::collections::BTreeMap;

use super::field::{Field, Reading};
use super::redact;
use super::template::container;
use super::workloads::{from_template, owner};
use crate::evidence::{Container, ObjectRef, RayGroup, RayResource, Workload};

/// What came out of one custom resource.
pub(crate) struct Resource {
    pub(crate) resource: RayResource,
    pub(crate) workloads: Vec<Workload>,
    /// The RayJob or RayService that made a RayCluster.
    pub(crate) made_by: Option<ObjectRef>,
}

/// rayStartParams that are kept; the others may hold passwords.
const PARAMS: [&str; 13] = [
    "address",
    "block",
    "dashboard-agent-listen-port",
    "dashboard-host",
    "head",
    "max-worker-port",
    "min-worker-port",
    "node-ip-address",
    "node-manager-port",
    "object-manager-port",
    "port",
    "ray-client-server-port",
    "worker-port-list",
];

/// Reads a RayCluster, RayJob, RayCronJob or RayService.
pub(crate) fn resource(kind: &str, root: &Field<'_>, reading: &mut Reading<'_>) -> Resource {
    let mut workloads = Vec::new();
    let job = match kind {
        "RayCronJob" => {
            let template = root.at(reading, &["spec", "jobTemplate"]);
            let inner = template.get(reading, "spec");
            if inner.present() { inner } else { template }
        }
        _ => root.get(reading, "spec"),
    };
    let cluster = match kind {
        "RayCluster" => job.clone(),
        "RayService" => job.get(reading, "rayClusterConfig"),
        _ => job.get(reading, "rayClusterSpec"),
    };
    if !cluster.present() && !job.get(reading, "clusterSelector").present() {
        let path = cluster.path().to_owned();
        reading.problem(&path, format!("{path} is missing; KubeRay refuses it"));
    }
    let head = cluster.get(reading, "headGroupSpec");
    if head.present() {
        workloads.extend(group(&head, true, reading));
    }
    for worker in cluster.get(reading, "workerGroupSpecs").items(reading) {
        workloads.extend(group(&worker, false, reading));
    }
    if matches!(kind, "RayCronJob" | "RayJob") {
        let submitter = job.get(reading, "submitterPodTemplate");
        if submitter.present() {
            workloads.push(from_template(&submitter, reading));
        }
    }
    let named = head.at(reading, &["headService", "metadata", "name"]).text(reading);
    // The name of a cluster inside of another object is for its controller to choose.
    let usual = (reading.object.kind == "RayCluster").then(|| format!("{}-head-svc", reading.object.name));
    let options = cluster.get(reading, "autoscalerOptions");
    let autoscaling = cluster.get(reading, "enableInTreeAutoscaling").flag(reading);
    let resource = RayResource {
        object: reading.object.clone(),
        origin: reading.origin.clone(),
        ray_version: cluster.get(reading, "rayVersion").text(reading),
        head_service: named.or(usual),
        autoscaling,
        autoscaler: options.present().then(|| Container { name: "autoscaler".into(), ..container(&options, reading) }),
        operator_tls: cluster.at(reading, &["tlsOptions", "enabled"]).flag(reading),
        tls_left_open: cluster.get(reading, "tlsOptions").present()
            && !cluster.at(reading, &["tlsOptions", "enabled"]).present(),
    };
    let made_by = owner(root, reading).filter(|owner| matches!(owner.kind.as_str(), "RayJob" | "RayService"));
    Resource { resource, workloads, made_by }
}

fn group(spec: &Field<'_>, head: bool, reading: &mut Reading<'_>) -> Option<Workload> {
    let pod_template = spec.get(reading, "template");
    if !pod_template.present() {
        reading.problem(pod_template.path(), format!("{} is missing; KubeRay refuses it", pod_template.path()));
        return None;
    }
    let name = if head { String::new() } else { spec.get(reading, "groupName").text_or_empty(reading) };
    let cluster = reading.object.name.clone();
    let mut workload = from_template(&pod_template, reading);
    // As KubeRay labels the pods it makes.
    let group_label = if head { "headgroup" } else { &name };
    let labels = [
        ("ray.io/cluster", cluster.as_str()),
        ("ray.io/group", group_label),
        ("ray.io/is-ray-node", "yes"),
        ("ray.io/node-type", if head { "head" } else { "worker" }),
    ];
    workload.labels.extend(labels.map(|(label, value)| (label.into(), value.into())));
    workload.replicas = match head {
        true => Some(1),
        false => spec.get(reading, "replicas").number(reading),
    };
    workload.group = Some(RayGroup { cluster, head, name, start_params: start_params(spec, reading) });
    Some(workload)
}

fn start_params(spec: &Field<'_>, reading: &mut Reading<'_>) -> BTreeMap<String, String> {
    let params = spec.get(reading, "rayStartParams").texts(reading);
    let kept = params.into_iter().filter(|(name, _)| PARAMS.contains(&name.as_str()));
    kept.filter_map(|(name, value)| Some((name, redact::kept_value(&value)?))).collect()
}
