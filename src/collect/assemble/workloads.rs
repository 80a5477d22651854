//! Controllers and pods become workloads.

use std::collections::BTreeMap;

use super::alike::Specs;
use super::field::{Field, Reading};
use super::template::{Template, template};
use crate::evidence::{Evidence, Gap, ObjectRef, Origin, Pod, PodContainer, RayGroup, Security, Workload};

/// Labels that differ between pods of one template.
const OF_ONE_POD: [&str; 8] = [
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "controller-revision-hash",
    "controller-uid",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// Reads a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job or CronJob.
pub(crate) fn controller(kind: &str, root: &Field<'_>, reading: &mut Reading<'_>) -> Option<Workload> {
    // What another object made is told by that object; a Job that is over has no pods any more.
    if matches!(kind, "ReplicaSet" | "Job") && owner(root, reading).is_some() || kind == "Job" && is_over(root, reading)
    {
        return None;
    }
    let spec = match kind {
        "CronJob" => root.at(reading, &["spec", "jobTemplate", "spec"]),
        _ => root.get(reading, "spec"),
    };
    let replicas = match kind {
        "DaemonSet" => None,
        "CronJob" | "Job" => spec.get(reading, "parallelism").number(reading),
        _ => Some(spec.get(reading, "replicas").number(reading).unwrap_or(1)),
    };
    let pod_template = spec.get(reading, "template");
    if !pod_template.present() {
        reading.problem(pod_template.path(), format!("{} is missing; the API server refuses it", pod_template.path()));
        return None;
    }
    Some(Workload { replicas, ..from_template(&pod_template, reading) })
}

/// The workload of a PodTemplateSpec, with the object of `reading`.
pub(crate) fn from_template(pod_template: &Field<'_>, reading: &mut Reading<'_>) -> Workload {
    let read = template(&pod_template.get(reading, "spec"), reading);
    with_template(pod_template, read, reading)
}

fn with_template(pod_template: &Field<'_>, read: Template, reading: &mut Reading<'_>) -> Workload {
    let line = reading.line(pod_template.path());
    let labels = pod_template.at(reading, &["metadata", "labels"]).texts(reading);
    let mut workload = Workload {
        object: reading.object.clone(),
        origin: Origin { line, ..reading.origin.clone() },
        group: None,
        replicas: None,
        labels,
        init_containers: Vec::new(),
        containers: Vec::new(),
        volumes: Vec::new(),
        host_network: false,
        host_aliases: Vec::new(),
        pods: Vec::new(),
        security: Security::default(),
    };
    fill(&mut workload, read);
    workload
}

fn fill(workload: &mut Workload, read: Template) {
    let Template { init_containers, containers, volumes, host_network, host_aliases, security } = read;
    workload.init_containers = init_containers;
    workload.containers = containers;
    workload.volumes = volumes;
    workload.host_network = host_network;
    workload.host_aliases = host_aliases;
    workload.security = security;
}

/// Reads a Pod: of a manifest its template, of the API server also the pod itself. Not one that is over or going.
///
/// Specs that were read for other pods are not read again, and a pod that only differs by itself joins its like.
pub(crate) fn pod(root: &Field<'_>, specs: &mut Specs, reading: &mut Reading<'_>, found: &mut Vec<Workload>) {
    let status = root.get(reading, "status");
    let phase = status.get(reading, "phase").text_or_empty(reading);
    let going = root.at(reading, &["metadata", "deletionTimestamp"]).present();
    if going || matches!(phase.as_str(), "Failed" | "Succeeded") {
        return;
    }
    let spec = root.get(reading, "spec");
    let known = specs.known(&spec, reading);
    let mut workload = with_template(root, Template::default(), reading);
    workload.origin = reading.origin.clone();
    let name = reading.object.name.clone();
    if let Some(owner) = owner(root, reading) {
        workload.object = owner_of_pod(owner, &workload.labels);
    }
    workload.group = labelled_group(&workload.labels, &workload.object);
    workload.labels.retain(|label, _| !OF_ONE_POD.contains(&label.as_str()));
    if status.present() {
        workload.pods = vec![live(name, phase, &status, reading)];
    }
    match known.like.and_then(|at| found.get_mut(at)).filter(|like| is_like(like, &workload)) {
        Some(like) => join(like, workload),
        None => {
            fill(&mut workload, known.template.clone());
            known.like = Some(found.len());
            found.push(workload);
        }
    }
}

/// Adds workloads to the evidence: pods of equal owner, group and template become one, and the template of a
/// running pod stands before the one its controller has. A manifest that is given twice counts once, the later one.
pub(crate) fn merge(found: Vec<Workload>, evidence: &mut Evidence) {
    let mut all: BTreeMap<Key, Vec<Workload>> = BTreeMap::new();
    for workload in std::mem::take(&mut evidence.workloads).into_iter().chain(found) {
        let same = all.entry(key(&workload)).or_default();
        add(workload, same, &mut evidence.gaps);
    }
    evidence.workloads = all.into_values().flatten().collect();
    for workload in &mut evidence.workloads {
        workload.pods.sort_by(|a, b| a.name.cmp(&b.name));
        workload.pods.dedup_by(|a, b| a.name == b.name);
    }
}

/// The controller in `metadata.ownerReferences`.
pub(crate) fn owner(root: &Field<'_>, reading: &mut Reading<'_>) -> Option<ObjectRef> {
    let owners = root.at(reading, &["metadata", "ownerReferences"]).items(reading);
    let controls = |owner: &&Field<'_>| {
        owner.value().and_then(|value| value.get("controller")).and_then(|flag| flag.as_bool()) == Some(true)
    };
    let owner = owners.iter().find(controls).or(owners.first())?;
    let kind = owner.get(reading, "kind").text(reading)?;
    let name = owner.get(reading, "name").text(reading)?;
    Some(ObjectRef { kind, namespace: reading.object.namespace.clone(), name })
}

/// Namespace, kind, name, group: what makes workloads belong together, in the order of the evidence.
type Key = (String, String, String, Option<(bool, String)>);

fn key(workload: &Workload) -> Key {
    let ObjectRef { kind, namespace, name } = workload.object.clone();
    // The head comes first.
    (namespace, kind, name, workload.group.as_ref().map(|group| (!group.head, group.name.clone())))
}

fn add(mut new: Workload, same: &mut Vec<Workload>, gaps: &mut Vec<Gap>) {
    let live = |workload: &Workload| !workload.pods.is_empty();
    if let Some(template) = same.iter().find(|old| !live(old)).filter(|_| live(&new)) {
        inherit(&mut new, template);
        same.retain(live);
    } else if !live(&new) && same.iter().any(live) {
        for old in same.iter_mut() {
            inherit(old, &new);
        }
        return;
    } else if live(&new)
        && let Some(old) = same.iter_mut().find(|old| equal(old, &new))
    {
        join(old, new);
        return;
    } else if let Some(old) = same.first().filter(|_| !live(&new)) {
        if old.origin.file.is_some() && old.origin != new.origin {
            gaps.push(twice(&old.object, &old.origin, &new.origin));
        }
        same.clear();
    } else if let Some(old) = same.first() {
        let old = old.clone();
        inherit(&mut new, &old);
    }
    same.push(new);
}

/// What is told of an object that is given twice.
pub(crate) fn twice(object: &ObjectRef, old: &Origin, new: &Origin) -> Gap {
    let place = |origin: &Origin| match (&origin.file, origin.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => "the cluster".into(),
    };
    Gap {
        what: format!("{object} at {}", place(old)),
        why: format!("given again at {}; the later one is judged", place(new)),
        needs: None,
        code: None,
    }
}

/// Whether live pods of one spec have all else in common that makes them one workload.
fn is_like(a: &Workload, b: &Workload) -> bool {
    !a.pods.is_empty() && !b.pods.is_empty() && a.object == b.object && a.group == b.group
}

/// Adds live pods to those of the same workload.
fn join(old: &mut Workload, mut new: Workload) {
    // A Service may select only some of the pods by a label of their own; what all have is kept.
    old.labels.retain(|label, value| new.labels.get(label) == Some(value));
    old.pods.append(&mut new.pods);
}

/// Takes over what only the controller's object says.
fn inherit(pods: &mut Workload, controller: &Workload) {
    pods.replicas = pods.replicas.or(controller.replicas);
    pods.origin = controller.origin.clone();
    if let (Some(group), Some(theirs)) = (&mut pods.group, &controller.group)
        && group.start_params.is_empty()
    {
        group.start_params = theirs.start_params.clone();
    }
}

fn equal(a: &Workload, b: &Workload) -> bool {
    let group = |workload: &Workload| workload.group.as_ref().map(|group| group.cluster.clone());
    group(a) == group(b)
        && a.init_containers == b.init_containers
        && a.containers == b.containers
        && a.volumes == b.volumes
        && a.host_network == b.host_network
        && a.host_aliases == b.host_aliases
        && a.security == b.security
}

fn owner_of_pod(owner: ObjectRef, labels: &BTreeMap<String, String>) -> ObjectRef {
    if owner.kind != "ReplicaSet" {
        return owner;
    }
    let hash = labels.get("pod-template-hash").map(|hash| format!("-{hash}"));
    match hash.and_then(|hash| owner.name.strip_suffix(&hash).map(str::to_owned)) {
        Some(name) => ObjectRef { kind: "Deployment".into(), name, ..owner },
        None => owner,
    }
}

/// The group KubeRay's labels name. Labels alone do not make a group: people put them on their own Deployments.
fn labelled_group(labels: &BTreeMap<String, String>, owner: &ObjectRef) -> Option<RayGroup> {
    let node_type = labels.get("ray.io/node-type")?;
    let head = node_type == "head";
    if owner.kind != "RayCluster" || !head && node_type != "worker" {
        return None;
    }
    let name = if head { "" } else { labels.get("ray.io/group").map_or("", String::as_str) };
    let cluster = labels.get("ray.io/cluster").unwrap_or(&owner.name).clone();
    Some(RayGroup { cluster, head, name: name.into(), start_params: BTreeMap::new() })
}

fn live(name: String, phase: String, status: &Field<'_>, reading: &mut Reading<'_>) -> Pod {
    let listed = status.get(reading, "podIPs").items(reading);
    let mut texts: Vec<String> = listed.iter().filter_map(|item| item.get(reading, "ip").text(reading)).collect();
    if texts.is_empty() {
        texts.extend(status.get(reading, "podIP").text(reading));
    }
    let mut containers = Vec::new();
    for list in ["initContainerStatuses", "containerStatuses"] {
        let statuses = status.get(reading, list).items(reading);
        containers.extend(statuses.iter().map(|item| container_status(item, reading)));
    }
    Pod { name, ips: texts.iter().filter_map(|ip| ip.parse().ok()).collect(), phase, containers }
}

fn container_status(item: &Field<'_>, reading: &mut Reading<'_>) -> PodContainer {
    let waiting = item.at(reading, &["state", "waiting"]);
    let reason = waiting.get(reading, "reason").text(reading);
    let message = waiting.get(reading, "message").text(reading);
    let waiting = match (reason, message) {
        (Some(reason), Some(message)) => Some(format!("{reason}: {}", short(&message))),
        (reason, message) => reason.or(message.map(|message| short(&message))),
    };
    PodContainer {
        name: item.get(reading, "name").text_or_empty(reading),
        started_at: item.at(reading, &["state", "running", "startedAt"]).time(reading),
        waiting,
        restarts: item.get(reading, "restartCount").number(reading).unwrap_or(0),
    }
}

fn short(message: &str) -> String {
    message.chars().take(300).collect()
}

fn is_over(root: &Field<'_>, reading: &mut Reading<'_>) -> bool {
    let conditions = root.at(reading, &["status", "conditions"]).items(reading);
    conditions.iter().any(|condition| {
        let kind = condition.get(reading, "type").text_or_empty(reading);
        let status = condition.get(reading, "status").text_or_empty(reading);
        matches!(kind.as_str(), "Complete" | "Failed") && status == "True"
    })
}
