//! The lists, each reduced to evidence page by page: of an API server's answer only one page is held at a time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::api::{Api, Failed, Page, encoded};
use super::rights::Rights;
use super::{in_order, text, why};
use crate::collect::assemble::{Object, Part};
use crate::evidence::{Evidence, Gap};

/// A kind of object that is listed.
pub(super) struct Kind {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    /// Whether the label selector holds for it.
    pub(super) selected: bool,
    /// Field selector that leaves out what is no evidence; empty for none.
    pub(super) fields: &'static str,
}

/// The API group of KubeRay's resources.
const RAY: &str = "ray.io";

/// Pods that are over are no party's any more.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

pub(super) const KINDS: [Kind; 11] = [
    Kind { group: "", version: "v1", plural: "pods", kind: "Pod", selected: true, fields: RUNNING },
    Kind { group: "apps", version: "v1", plural: "deployments", kind: "Deployment", selected: true, fields: "" },
    Kind { group: "apps", version: "v1", plural: "statefulsets", kind: "StatefulSet", selected: true, fields: "" },
    Kind { group: "apps", version: "v1", plural: "daemonsets", kind: "DaemonSet", selected: true, fields: "" },
    Kind { group: "batch", version: "v1", plural: "cronjobs", kind: "CronJob", selected: true, fields: "" },
    Kind { group: "batch", version: "v1", plural: "jobs", kind: "Job", selected: true, fields: "" },
    Kind { group: "", version: "v1", plural: "services", kind: "Service", selected: false, fields: "" },
    Kind { group: RAY, version: "v1", plural: "rayclusters", kind: "RayCluster", selected: false, fields: "" },
    Kind { group: RAY, version: "v1", plural: "raycronjobs", kind: "RayCronJob", selected: false, fields: "" },
    Kind { group: RAY, version: "v1", plural: "rayjobs", kind: "RayJob", selected: false, fields: "" },
    Kind { group: RAY, version: "v1", plural: "rayservices", kind: "RayService", selected: false, fields: "" },
];

impl Kind {
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }

    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let inside = namespace.map_or_else(String::new, |name| format!("/namespaces/{name}"));
        format!("{root}/{}{inside}/{}", self.api_version(), self.plural)
    }

    fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.into() } else { format!("{}.{}", self.plural, self.group) }
    }

    fn query(&self, selector: Option<&str>) -> String {
        let labels = selector.filter(|_| self.selected).map(|selector| format!("labelSelector={}", encoded(selector)));
        let fields = (!self.fields.is_empty()).then(|| format!("fieldSelector={}", encoded(self.fields)));
        labels.into_iter().chain(fields).collect::<Vec<_>>().join("&")
    }
}

/// Every object of the kinds above, as far as it can be had; the rest becomes gaps.
///
/// The lists are asked for without `resourceVersion=0`: from its cache the API server gives a whole list at once and
/// heeds no `limit`, so that memory would grow with the pods, and what it gives may be old.
pub(super) async fn lists(
    api: &Api,
    rights: &Rights,
    namespace: Option<&str>,
    selector: Option<&str>,
    evidence: &mut Evidence,
) {
    let ask = |kind: &'static Kind, clusters: Option<&BTreeSet<Name>>| {
        let clusters = clusters.filter(|_| kind.group == RAY).cloned();
        one(api, rights, kind, namespace, kind.query(selector), clusters)
    };
    let mut found: Vec<List> = match selector {
        None => at_once(KINDS.iter().map(|kind| ask(kind, None)).collect()).await,
        // Ray's own resources are chosen by the pods, which are asked for first.
        Some(_) => at_once(KINDS.iter().filter(|kind| kind.group != RAY).map(|kind| ask(kind, None)).collect()).await,
    };
    if selector.is_some() {
        let clusters: BTreeSet<Name> = found.iter().flat_map(|list| list.clusters.iter().cloned()).collect();
        let rays = KINDS.iter().filter(|kind| kind.group == RAY).map(|kind| ask(kind, Some(&clusters)));
        found.extend(at_once(rays.collect()).await);
    }
    let mut refused: BTreeMap<&str, Vec<&Kind>> = BTreeMap::new();
    let mut parts = Vec::new();
    for List { kind, part, failed, strange, begun, .. } in found {
        match failed {
            None => {}
            // The operator is not installed: there are none.
            Some(Failed::NotFound { .. }) if kind.group == RAY && !begun => {}
            Some(Failed::Forbidden) if !begun => refused.entry(kind.group).or_default().push(kind),
            Some(failed) => missed(kind, namespace, &failed, begun, evidence),
        }
        if let Some(why) = strange {
            gap(kind, namespace, why, evidence);
        }
        parts.push(part);
    }
    Part::join(parts, evidence);
    for kinds in refused.values() {
        forbidden(kinds, namespace, evidence);
    }
}

/// Namespace and name.
type Name = (String, String);

/// What came of one list.
struct List {
    kind: &'static Kind,
    part: Part,
    /// The Ray clusters that listed pods belong to.
    clusters: BTreeSet<Name>,
    failed: Option<Failed>,
    /// What is wrong with single items, which were left out.
    strange: Option<String>,
    /// Whether some of it came.
    begun: bool,
}

async fn at_once(asked: Vec<impl Future<Output = List>>) -> Vec<List> {
    in_order(asked).await
}

async fn one(
    api: &Api,
    rights: &Rights,
    kind: &'static Kind,
    namespace: Option<&str>,
    query: String,
    only: Option<BTreeSet<Name>>,
) -> List {
    let new =
        || List { kind, part: Part::default(), clusters: BTreeSet::new(), failed: None, strange: None, begun: false };
    let mut list = new();
    if !rights.may_list(kind.group, kind.plural) {
        return List { failed: Some(Failed::Forbidden), ..list };
    }
    let version = kind.api_version();
    let failed = api
        .list(kind, namespace, &query, |page| match page {
            Page::Anew => list = new(),
            Page::Items(items) => {
                list.begun = true;
                let wanted = |item: &Value| only.as_ref().is_none_or(|clusters| owns(item, clusters));
                let items = items.into_iter().filter_map(|item| list.typed(item, &version, namespace));
                let items: Vec<Value> = items.filter(wanted).collect();
                list.part.add(items.into_iter().map(Object::live).collect());
            }
        })
        .await;
    List { failed, ..list }
}

impl List {
    /// An item with its `apiVersion` and `kind`, which typed lists leave out; none for one of another kind or namespace.
    fn typed(&mut self, mut item: Value, api_version: &str, namespace: Option<&str>) -> Option<Value> {
        let kind = self.kind.kind;
        let own = text(&item, "/metadata/namespace");
        if let Some(namespace) = namespace.filter(|namespace| !own.is_empty() && own != *namespace) {
            let own: String = own.chars().take(63).collect();
            self.strange.get_or_insert_with(|| {
                format!("the API server's list of namespace {namespace} has an item of namespace {own}: it is left out")
            });
            return None;
        }
        let Value::Object(fields) = &mut item else {
            self.strange
                .get_or_insert_with(|| "the API server's list has an item that is no object: it is left out".into());
            return None;
        };
        fields.entry("apiVersion").or_insert_with(|| api_version.into());
        let own = fields.entry("kind").or_insert_with(|| kind.into());
        if own != kind {
            let other: String = own.as_str().unwrap_or("nothing that is a name").chars().take(63).collect();
            self.strange.get_or_insert_with(|| {
                format!("the API server's list has an item that says it is of kind {other}: it is left out")
            });
            return None;
        }
        if kind == "Pod" {
            let cluster = text(&item, "/metadata/labels/ray.io~1cluster");
            if !cluster.is_empty() {
                self.clusters.insert((text(&item, "/metadata/namespace").into(), cluster.into()));
            }
        }
        Some(item)
    }
}

/// Whether a resource of Ray is one of these clusters, or made one of them.
fn owns(item: &Value, clusters: &BTreeSet<Name>) -> bool {
    let names = ["/metadata/name", "/status/rayClusterName", "/status/activeServiceStatus/rayClusterName"];
    names.iter().any(|path| clusters.contains(&(text(item, "/metadata/namespace").into(), text(item, path).into())))
}

pub(super) fn missed(kind: &Kind, namespace: Option<&str>, failed: &Failed, begun: bool, evidence: &mut Evidence) {
    // Half of a list looks like a whole one.
    evidence.incomplete |= begun || failed.is_late();
    let told = why(failed, "list", &kind.resource(), namespace).to_string();
    gap(kind, namespace, if begun { format!("only the first part of the list came: {told}") } else { told }, evidence);
}

fn gap(kind: &Kind, namespace: Option<&str>, why: String, evidence: &mut Evidence) {
    let what = format!("{} objects of {}", kind.kind, place(namespace));
    evidence.gaps.push(Gap { what, why, needs: None, code: None });
}

/// One gap per API group, with the one rule that opens all of it.
pub(super) fn forbidden(kinds: &[&Kind], namespace: Option<&str>, evidence: &mut Evidence) {
    let [first, others @ ..] = kinds else { return };
    let more: Vec<&str> = others.iter().map(|kind| kind.kind).collect();
    let more = if more.is_empty() { String::new() } else { format!("(and {}) ", more.join(", ")) };
    let resources: Vec<&str> = kinds.iter().map(|kind| kind.plural).collect();
    let all: Vec<String> = kinds.iter().map(|kind| kind.resource()).collect();
    let role = if namespace.is_some() { "Role" } else { "ClusterRole" };
    evidence.gaps.push(Gap {
        what: format!("{} objects {more}of {}", first.kind, place(namespace)),
        why: why(&Failed::Forbidden, "list", &all.join(", "), namespace).to_string(),
        needs: Some(role_rule(role, first.group, &resources, &["list"])),
        code: (first.group == RAY).then(|| "PRM03".into()),
    });
}

/// The rule of a `Role` or `ClusterRole` that would have helped.
pub(super) fn role_rule(role: &str, group: &str, resources: &[&str], verbs: &[&str]) -> String {
    format!("{role} rule: apiGroups {:?}, resources {resources:?}, verbs {verbs:?}", [group])
}

/// `namespace ray` or `all namespaces`.
pub(super) fn place(namespace: Option<&str>) -> String {
    namespace.map_or_else(|| "all namespaces".into(), |name| format!("namespace {name}"))
}
