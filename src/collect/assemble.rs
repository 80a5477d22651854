//! Kubernetes objects, from wherever, become evidence.

mod alike;
mod data;
mod field;
mod issuance;
mod kuberay;
mod policy;
mod redact;
mod shapes;
mod shell;
mod template;
mod volume;
mod wanted;
mod workloads;

pub use field::{Mark, Marks};
pub(crate) use redact::{kept_name, kept_value};
pub use wanted::{mounts_trust_bundles, wanted};

use jiff::Timestamp;
use serde_json::Value;

use self::alike::Specs;
use self::data::Settings;
use self::field::{Field, Reading};
use self::shapes::{Shape, Within};
use super::keyring::{Keyring, Pairing};
use crate::evidence::{Container, Evidence, Mode, ObjectRef, Origin, Problem, Workload};

/// One object as the API server or a manifest gives it.
pub struct Object {
    /// The whole object.
    pub value: Value,
    /// Where it was read.
    pub origin: Origin,
    /// Lines and spellings, where a manifest gives them; empty for the API server's objects.
    pub marks: Marks,
}

impl Object {
    /// An object of the API server.
    pub fn live(value: Value) -> Self {
        Object { value, origin: Origin::default(), marks: Marks::default() }
    }
}

/// What was read of some of the objects, before it is put together with the rest.
pub struct Part {
    evidence: Evidence,
    /// RayJobs and RayServices of which the RayCluster was met.
    made_by: Vec<ObjectRef>,
}

impl Default for Part {
    fn default() -> Self {
        let nothing = Evidence::new(Mode::Live, String::new(), Timestamp::UNIX_EPOCH);
        Part { evidence: nothing, made_by: Vec::new() }
    }
}

impl Part {
    /// Adds objects of a list, reduced. Secrets and ConfigMaps do not come this way.
    pub fn add(&mut self, objects: Vec<Object>) {
        let made_by = reduce(objects, &mut self.evidence, &mut Keyring::default());
        self.made_by.extend(made_by);
    }

    /// Adds all that was read to the evidence, as [`assemble`] would have in one go.
    pub fn join(parts: Vec<Part>, evidence: &mut Evidence) {
        let mut made_by = Vec::new();
        for mut part in parts {
            // All fields are named, so that a new one is not lost here.
            let Evidence {
                workloads,
                services,
                network_policies,
                ray_resources,
                lookups,
                gaps,
                problems,
                // These do not come in lists of this kind.
                issuance: _,
                trust_bundles: _,
                secrets: _,
                config_maps: _,
                handshakes: _,
                inside: _,
                format: _,
                taken_at: _,
                mode: _,
                source: _,
                partial: _,
                incomplete: _,
                server_clock: _,
            } = part.evidence;
            workloads::merge(workloads, evidence);
            evidence.services.extend(services);
            evidence.network_policies.extend(network_policies);
            evidence.ray_resources.extend(ray_resources);
            evidence.lookups.extend(lookups);
            evidence.gaps.extend(gaps);
            evidence.problems.extend(problems);
            made_by.append(&mut part.made_by);
        }
        stand_for(&made_by, evidence);
        sort(evidence);
    }
}

/// Adds the objects to the evidence, reduced and redacted, and their keys to the keyring.
///
/// Order of objects does not matter but for an object that is given twice. Which values of Secrets and ConfigMaps are kept as text depends
/// on the workloads, so these must come in the same call or an earlier one. The evidence comes out sorted.
pub fn assemble(objects: Vec<Object>, evidence: &mut Evidence, keys: &mut Keyring) {
    let made_by = reduce(objects, evidence, keys);
    stand_for(&made_by, evidence);
}

/// The RayCluster that a RayJob or RayService made stands for it.
fn stand_for(made_by: &[ObjectRef], evidence: &mut Evidence) {
    evidence.workloads.retain(|workload| workload.group.is_none() || !made_by.contains(&workload.object));
}

/// [`assemble`], but for the objects that another one stands for, which it gives back.
fn reduce(objects: Vec<Object>, evidence: &mut Evidence, keys: &mut Keyring) -> Vec<ObjectRef> {
    let mut flat = Vec::new();
    for object in objects {
        flatten(object, 0, &mut flat, evidence);
    }
    let is_data = |kind: &str| matches!(kind, "ConfigMap" | "Secret" | "Service");
    let (data, others): (Vec<_>, Vec<_>) =
        flat.into_iter().partition(|(object, _, shape)| shape.is_none() && is_data(&object.kind));

    let mut found: Vec<Workload> = Vec::new();
    let mut made_by: Vec<ObjectRef> = Vec::new();
    let mut specs = Specs::default();
    for (reference, object, shape) in &others {
        let (reference, origin) = (reference.clone(), object.origin.clone());
        let mut reading = Reading { object: reference, origin, marks: &object.marks, problems: Vec::new() };
        let root = Field::root(&object.value);
        let kind = match shape {
            Some(Shape::Cluster) => "RayCluster".into(),
            Some(Shape::Pod) => "PodTemplate".into(),
            None => reading.object.kind.clone(),
        };
        match kind.as_str() {
            "PodTemplate" => found.push(workloads::from_template(&root, &mut reading)),
            "NetworkPolicy" => {
                evidence.network_policies.retain(|old| old.object != reading.object);
                evidence.network_policies.extend(policy::policy(&root, &mut reading));
            }
            "ClusterTrustBundle" => {
                let bundle = data::trust_bundle(&root, &mut reading);
                evidence.trust_bundles.retain(|old| old.object != bundle.object);
                evidence.trust_bundles.push(bundle);
            }
            "Pod" => workloads::pod(&root, &mut specs, &mut reading, &mut found),
            kind @ ("RayCluster" | "RayCronJob" | "RayJob" | "RayService") => {
                let resource = kuberay::resource(kind, &root, &mut reading);
                found.extend(resource.workloads);
                made_by.extend(resource.made_by);
                evidence.ray_resources.retain(|old| old.object != reading.object);
                evidence.ray_resources.push(resource.resource);
            }
            kind if issuance::group(kind).is_some() => issuance::add(&root, &mut reading, &mut evidence.issuance),
            kind => found.extend(workloads::controller(kind, &root, &mut reading)),
        }
        evidence.problems.extend(reading.problems);
    }
    workloads::merge(found, evidence);

    let settings = Settings::of(evidence);
    let mut pairing = Pairing::default();
    for (reference, object, _) in data {
        add_data(reference, object, &settings, evidence, &mut pairing);
    }
    pairing.finish(keys);
    sort(evidence);
    made_by
}

/// Every container of the evidence with its namespace, KubeRay's autoscalers included.
pub(crate) fn containers(evidence: &Evidence) -> impl Iterator<Item = (&str, &Container)> {
    let of_workloads = evidence.workloads.iter().flat_map(|workload| {
        let containers = workload.init_containers.iter().chain(&workload.containers);
        containers.map(|container| (workload.object.namespace.as_str(), container))
    });
    let autoscalers = evidence.ray_resources.iter();
    of_workloads.chain(autoscalers.filter_map(|r| Some((r.object.namespace.as_str(), r.autoscaler.as_ref()?))))
}

fn add_data(
    reference: ObjectRef,
    mut object: Object,
    settings: &Settings,
    evidence: &mut Evidence,
    pairing: &mut Pairing,
) {
    let mut reading = Reading { object: reference, origin: object.origin, marks: &object.marks, problems: Vec::new() };
    evidence.lookups.retain(|lookup| lookup.object != reading.object);
    match reading.object.kind.as_str() {
        "ConfigMap" => {
            let new = data::config_map(&Field::root(&object.value), &mut reading, settings, pairing);
            if let Some(at) = evidence.config_maps.iter().position(|old| old.object == new.object) {
                let old = evidence.config_maps.remove(at);
                if !data::replaces(&old.origin, &new.origin) {
                    evidence.gaps.push(workloads::twice(&old.object, &old.origin, &new.origin));
                }
            }
            evidence.config_maps.push(new);
        }
        "Secret" => {
            let new = data::secret(&mut object.value, &mut reading, settings, pairing);
            evidence.secrets.retain(|old| old.object != new.object || !data::replaces(&old.origin, &new.origin));
            // The later one first: it is what the cluster ends up with.
            evidence.secrets.insert(0, new);
        }
        _ => {
            let new = data::service(&Field::root(&object.value), &mut reading);
            evidence.services.retain(|old| old.object != new.object);
            evidence.services.push(new);
        }
    }
    evidence.problems.extend(reading.problems);
}

/// An object with what its `spec` is taken for, where its kind does not say so.
type Flat = (ObjectRef, Object, Option<Shape>);

/// Takes lists apart and drops what has nothing to do with Ray's connections.
fn flatten(mut object: Object, depth: usize, out: &mut Vec<Flat>, evidence: &mut Evidence) {
    let problem =
        |origin: &Origin, message: &str| Problem { origin: origin.clone(), object: None, message: message.into() };
    let Value::Object(map) = &mut object.value else {
        evidence.problems.push(problem(&object.origin, "not a Kubernetes object: it has no fields"));
        return;
    };
    let Some(Value::String(kind)) = map.get("kind").cloned() else {
        evidence.problems.push(problem(&object.origin, "not a Kubernetes object: it has no kind"));
        return;
    };
    if let Some(of) = kind.strip_suffix("List")
        && let Some(Value::Array(items)) = map.remove("items")
    {
        if depth > 8 {
            evidence.problems.push(problem(&object.origin, "lists inside of lists, nine deep: not read"));
            return;
        }
        for mut value in items {
            // Items of typed lists come without their kind.
            if let Value::Object(item) = &mut value {
                item.entry("kind").or_insert_with(|| of.into());
            }
            flatten(Object { value, origin: object.origin.clone(), marks: Marks::default() }, depth + 1, out, evidence);
        }
        return;
    }
    let read = is_read(&kind, map.get("apiVersion").and_then(Value::as_str));
    let text = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let name = text("/metadata/name").or_else(|| text("/metadata/generateName")).filter(|name| !name.is_empty());
    if name.is_none() && read {
        let message = format!("a {kind} without metadata.name: the API server refuses it");
        evidence.problems.push(problem(&object.origin, &message));
        return;
    }
    let namespace = text("/metadata/namespace").unwrap_or_default();
    let reference = ObjectRef { kind, namespace, name: name.unwrap_or_default() };
    // An object of the API server stands for nothing but itself.
    let within = match object.origin.file.is_some() && depth <= 8 {
        true if !read => shapes::within(&reference, &object),
        true if reference.kind == "ConfigMap" => shapes::embedded(&reference, &object),
        _ => Within::default(),
    };
    if read {
        out.push((reference, object, None));
    }
    evidence.gaps.extend(within.gaps);
    for secret in within.secrets {
        if !evidence.secrets.iter().any(|given| given.object == secret.object) {
            evidence.lookups.push(secret);
        }
    }
    out.extend(within.shapes.into_iter().map(|(reference, object, shape)| (reference, object, Some(shape))));
    for inner in within.objects {
        flatten(inner, depth + 1, out, evidence);
    }
}

/// Kinds of other API groups may have the same names (Knative's Service).
fn is_read(kind: &str, version: Option<&str>) -> bool {
    let group = version.map(|version| version.rsplit_once('/').map_or("", |(group, _)| group));
    let wanted = match kind {
        "ConfigMap" | "Pod" | "Secret" | "Service" => "",
        "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet" => "apps",
        "CronJob" | "Job" => "batch",
        "ClusterTrustBundle" => "certificates.k8s.io",
        "NetworkPolicy" => "networking.k8s.io",
        "RayCluster" | "RayCronJob" | "RayJob" | "RayService" => "ray.io",
        kind => match issuance::group(kind) {
            Some(group) => group,
            None => return false,
        },
    };
    group.is_none_or(|group| group == wanted)
}

fn sort(evidence: &mut Evidence) {
    // Stable, so that of two Secrets of one name the later one stays first.
    evidence.secrets.sort_by(|a, b| key(&a.object).cmp(&key(&b.object)));
    evidence.config_maps.sort_by(|a, b| key(&a.object).cmp(&key(&b.object)));
    evidence.services.sort_by(|a, b| key(&a.object).cmp(&key(&b.object)));
    evidence.network_policies.sort_by(|a, b| key(&a.object).cmp(&key(&b.object)));
    evidence.ray_resources.sort_by(|a, b| key(&a.object).cmp(&key(&b.object)));
    evidence.trust_bundles.sort_by(|a, b| key(&a.object).cmp(&key(&b.object)));
    issuance::sort(&mut evidence.issuance);
    evidence.gaps.sort();
    evidence.gaps.dedup();
    evidence.problems.sort_by(|a, b| (&a.origin, &a.object, &a.message).cmp(&(&b.origin, &b.object, &b.message)));
    evidence.problems.dedup();
}

fn key(object: &ObjectRef) -> (&str, &str, &str) {
    (&object.namespace, &object.kind, &object.name)
}

#[cfg(test)]
mod tests;
