//! Pods and Ray clusters inside of objects of kinds that are not known: found by their shape, or named as not judged.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Object, is_read};
use crate::collect::yaml;
use crate::evidence::{Gap, Lookup, ObjectRef, Origin, Why};

/// What was found in one object.
#[derive(Default)]
pub(crate) struct Within {
    /// Whole objects of kinds that are read.
    pub(crate) objects: Vec<Object>,
    /// Specs of RayClusters and pods, as objects whose `spec` they are.
    pub(crate) shapes: Vec<(ObjectRef, Object, Shape)>,
    /// What is not judged.
    pub(crate) gaps: Vec<Gap>,
    /// Secrets that will be made of it.
    pub(crate) secrets: Vec<Lookup>,
}

/// The shape of a `spec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Of a RayCluster.
    Cluster,
    /// Of a pod.
    Pod,
}

/// How deep an object is walked.
const DEEPEST: usize = 24;

/// Looks into an object of a kind that is not read.
pub(crate) fn within(reference: &ObjectRef, object: &Object) -> Within {
    let mut found = Within::default();
    let version = object.value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    if reference.kind == "CustomResourceDefinition" {
        return found;
    }
    let made = made_secrets(&reference.kind, group, reference, &object.value);
    if !made.is_empty() {
        let why = Why::OutOfReach(format!("it is made by {reference} in the cluster"));
        let secret = |name: String| Lookup {
            object: ObjectRef::new("Secret", &reference.namespace, &name),
            unseen: Some(why.clone()),
        };
        found.secrets = made.into_iter().map(secret).collect();
        return found;
    }
    let filled = (reference.kind == "Template").then(|| with_parameters(&object.value));
    let value = filled.as_ref().unwrap_or(&object.value);
    Walk { reference, object, found: &mut found }.walk(value, None, "", 0);
    if found.objects.is_empty() && found.shapes.is_empty() && speaks_of_ray(value) {
        let helm = matches!(reference.kind.as_str(), "Application" | "HelmChart" | "HelmChartConfig" | "HelmRelease");
        found.gaps.push(Gap {
            what: reference.to_string(),
            why: match helm {
                true => "it holds values for a Helm chart, and no pods".into(),
                false => "it speaks of Ray, and nothing in it has the shape of a pod or of a RayCluster".into(),
            },
            needs: helm.then(|| "render the chart (helm template) and give what comes out".into()),
            code: None,
        });
    }
    found
}

/// Looks into the texts of a ConfigMap that a manifest gives: RayClusters and pods that something else will make.
pub(crate) fn embedded(reference: &ObjectRef, object: &Object) -> Within {
    let mut found = Within::default();
    let data = object.value.get("data").and_then(Value::as_object);
    for (key, text) in data.into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?))) {
        let pods = text.contains("containers:") || text.contains("\"containers\"");
        let of_ray = text.contains("headGroupSpec") || pods && mentions_ray(text);
        if !of_ray {
            continue;
        }
        let gap = |why: String, needs: &str| Gap {
            what: format!("the text under key {key} of {reference}"),
            why,
            needs: Some(needs.into()),
            code: None,
        };
        if ["{{", "{%", "<%", "${"].iter().any(|mark| text.contains(mark)) {
            let why = "it describes pods of Ray in a template language, which whoever reads the ConfigMap fills in";
            found.gaps.push(gap(why.into(), "render it, and give what comes out"));
            continue;
        }
        let mut problems = Vec::new();
        let file = object.origin.file.clone().unwrap_or_default();
        let parsed = yaml::objects(text, &file, &mut problems);
        if let Some(problem) = problems.first() {
            found.gaps.push(gap(format!("it cannot be read: {}", problem.message), "mend it"));
        }
        for Object { value, .. } in parsed {
            // Lines of the text are none of the file.
            let inner = Object { value, origin: object.origin.clone(), marks: Default::default() };
            let name = inner.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or(&reference.name);
            let named = ObjectRef { name: name.into(), ..reference.clone() };
            Walk { reference: &named, object: &inner, found: &mut found }.walk(&inner.value, None, "", 0);
        }
    }
    found
}

struct Walk<'a> {
    reference: &'a ObjectRef,
    object: &'a Object,
    found: &'a mut Within,
}

impl Walk<'_> {
    fn walk(&mut self, value: &Value, parent: Option<&Map<String, Value>>, path: &str, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.walk(item, None, &format!("{path}[{at}]"), depth + 1);
                }
            }
            Value::Object(map) => self.mapping(map, parent, path, depth),
            _ => {}
        }
    }

    fn mapping(&mut self, map: &Map<String, Value>, parent: Option<&Map<String, Value>>, path: &str, depth: usize) {
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        if let (Some(kind), Some(version)) = (text("kind"), text("apiVersion"))
            && is_read(kind, Some(version))
        {
            return self.whole(map, path);
        }
        if map.get("headGroupSpec").is_some_and(|head| head.get("template").is_some()) {
            return self.shape(Shape::Cluster, Value::Object(map.clone()), json!({}), path);
        }
        if is_pod_spec(map) {
            let metadata = parent.and_then(|parent| parent.get("metadata")).cloned().unwrap_or_default();
            self.shape(Shape::Pod, Value::Object(map.clone()), metadata, path);
        }
        // An object inside of this one has a name of its own.
        let named = map.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Value::as_str);
        let inner = match (text("kind"), text("apiVersion"), named) {
            (Some(kind), Some(_), Some(name)) if depth > 0 => Some(ObjectRef {
                kind: kind.into(),
                name: name.into(),
                namespace: map
                    .get("metadata")
                    .and_then(|metadata| metadata.get("namespace"))
                    .and_then(Value::as_str)
                    .unwrap_or(&self.reference.namespace)
                    .into(),
            }),
            _ => None,
        };
        let reference = inner.as_ref().unwrap_or(self.reference);
        let mut walk = Walk { reference, object: self.object, found: &mut *self.found };
        for (key, value) in map.iter().filter(|(key, _)| !matches!(key.as_str(), "containers" | "initContainers")) {
            walk.walk(value, Some(map), &super::field::join(path, key), depth + 1);
        }
    }

    fn whole(&mut self, map: &Map<String, Value>, path: &str) {
        let mut value = Value::Object(map.clone());
        if let Some(Value::Object(metadata)) = value.get_mut("metadata")
            && !self.reference.namespace.is_empty()
        {
            metadata.entry("namespace").or_insert_with(|| self.reference.namespace.as_str().into());
        }
        self.found.objects.push(self.cut_out(value, path, ""));
    }

    fn shape(&mut self, shape: Shape, spec: Value, metadata: Value, path: &str) {
        let first = !self.found.shapes.iter().any(|(of, _, _)| of.name == self.reference.name);
        let place = path.strip_suffix(".spec").unwrap_or(path);
        let place = place.strip_suffix(".template").unwrap_or(place);
        let name = match first {
            true => self.reference.name.clone(),
            false => format!("{} {place}", self.reference.name),
        };
        let object = self.cut_out(json!({"metadata": metadata, "spec": spec}), path, "spec");
        self.found.shapes.push((ObjectRef { name, ..self.reference.clone() }, object, shape));
    }

    /// A part of the object as an object of its own, with its lines.
    fn cut_out(&self, value: Value, path: &str, root: &str) -> Object {
        let rest = |at: &str| {
            let rest = at.strip_prefix(path)?;
            match rest.chars().next() {
                None | Some('.' | '[') => Some(format!("{root}{rest}")),
                Some(_) if path.is_empty() => Some(super::field::join(root, rest)),
                Some(_) => None,
            }
        };
        let marks = self.object.marks.iter();
        let marks = marks.filter_map(|(at, mark)| Some((rest(at)?.trim_start_matches('.').to_owned(), mark.clone())));
        let line = self.object.marks.get(path).map(|mark| mark.line).or(self.object.origin.line);
        Object { value, origin: Origin { line, ..self.object.origin.clone() }, marks: marks.collect() }
    }
}

/// Whether a mapping is a PodSpec, or has its list of containers.
fn is_pod_spec(map: &Map<String, Value>) -> bool {
    let Some(Value::Array(containers)) = map.get("containers") else { return false };
    let is_container = |item: &Value| {
        item.get("name").is_some_and(Value::is_string)
            && ["args", "command", "env", "envFrom", "image"].iter().any(|key| item.get(key).is_some())
    };
    !containers.is_empty() && containers.iter().all(is_container)
}

fn speaks_of_ray(value: &Value) -> bool {
    mentions_ray(&value.to_string())
}

fn mentions_ray(text: &str) -> bool {
    ["RAY_ADDRESS", "RAY_TLS_", "RAY_USE_TLS", "headGroupSpec", "ray start", "rayproject/ray"]
        .iter()
        .any(|word| text.contains(word))
}

/// The names of the Secrets that a controller makes of an object; empty for any other object.
fn made_secrets(kind: &str, group: &str, reference: &ObjectRef, value: &Value) -> Vec<String> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let own = || reference.name.clone();
    let listed = |pointer: &str, key: &str| -> Vec<String> {
        let items = value.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.get(key).and_then(Value::as_str).map(str::to_owned)).collect()
    };
    match (kind, group) {
        ("SealedSecret", "bitnami.com") => vec![text("/spec/template/metadata/name").unwrap_or_else(own)],
        ("ExternalSecret", "external-secrets.io") => vec![text("/spec/target/name").unwrap_or_else(own)],
        ("VaultDynamicSecret" | "VaultPKISecret" | "VaultStaticSecret", "secrets.hashicorp.com") => {
            vec![text("/spec/destination/name").unwrap_or_else(own)]
        }
        ("OnePasswordItem", "onepassword.com") => vec![own()],
        ("SopsSecret", "isindir.github.com") => listed("/spec/secretTemplates", "name"),
        ("SecretProviderClass", "secrets-store.csi.x-k8s.io") => listed("/spec/secretObjects", "secretName"),
        _ => Vec::new(),
    }
}

/// An OpenShift Template with those `${PARAMETER}` filled in that have a value.
fn with_parameters(template: &Value) -> Value {
    let listed = template.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let text = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let values: BTreeMap<String, String> =
        listed.filter_map(|item| Some((format!("${{{}}}", text(item, "name")?), text(item, "value")?))).collect();
    let mut filled = template.clone();
    fill(&mut filled, &values, 0);
    filled
}

fn fill(value: &mut Value, values: &BTreeMap<String, String>, depth: usize) {
    match value {
        _ if depth > DEEPEST => {}
        Value::String(text) if text.contains("${") => {
            for (parameter, with) in values {
                *text = text.replace(parameter.as_str(), with);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, values, depth + 1)),
        Value::Object(map) => map.values_mut().for_each(|item| fill(item, values, depth + 1)),
        _ => {}
    }
}
