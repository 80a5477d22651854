//! Which Ray runs, as far as manifests and objects say, and so which gRPC its core holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Evidence, ObjectRef};
use crate::grpc::profile::{Profile, Profiles, RAY, Version};

use super::Role;
use super::parties::Draft;

/// What Rays were named: the gRPCs to judge by.
pub(super) struct Named {
    /// Where nothing else is said.
    pub(super) profiles: Profiles,
    /// By cluster, where Rays with different rules are in the evidence.
    pub(super) cores: BTreeMap<usize, Profile>,
    /// What is not judged, because the evidence does not say by which.
    pub(super) unknown: Vec<(String, String)>,
}

/// The gRPCs of the parties, whose clusters are known.
pub(super) fn profiles(evidence: &Evidence, drafts: &[Draft]) -> Named {
    let assumed = Profiles::default();
    let all = named(evidence, |_| true, |_| true);
    let mut found = Named { profiles: assumed, cores: BTreeMap::new(), unknown: Vec::new() };
    if let Ok(core) = core(&all) {
        found.profiles.core = core.unwrap_or(assumed.core);
        return found;
    }
    let clusters: BTreeSet<usize> = drafts.iter().map(|draft| draft.party.cluster).collect();
    for cluster in clusters {
        let ours = || drafts.iter().filter(|draft| draft.party.cluster == cluster);
        let is_node = |draft: &&Draft| matches!(draft.party.role, Role::Head | Role::Worker(_));
        let nodes: BTreeSet<usize> = ours().filter(is_node).filter_map(|draft| draft.party.workload).collect();
        let of_group = |object: &ObjectRef| {
            ours().any(|d| d.group.as_deref() == Some(&object.name) && d.party.namespace == object.namespace)
        };
        match core(&named(evidence, |at| nodes.contains(&at), of_group)) {
            Ok(core) => {
                found.cores.insert(cluster, core.unwrap_or(assumed.core));
            }
            Err(why) => {
                let head = ours().find(|draft| draft.party.role == Role::Head).map(|draft| draft.party.id.as_str());
                let of = head.map_or_else(String::new, |head| format!(" of the cluster of {head}"));
                let what = format!("by another gRPC than that of Ray's core in {RAY}{of}; --ray names one");
                found.unknown.push((what, why));
            }
        }
    }
    found
}

/// The gRPC of these Rays' C++ cores; none where no version is named.
///
/// # Errors
/// One clause, when Rays with different rules are there, or one whose gRPC is not known.
fn core(versions: &BTreeSet<Version>) -> Result<Option<Profile>, String> {
    let mut profiles = Vec::new();
    for version in versions {
        profiles.push(Profile::core_of_ray(&version.to_string())?);
    }
    match profiles.as_slice() {
        [] => Ok(None),
        [first, rest @ ..] if rest.iter().all(|other| other.has_rules_of(first)) => Ok(profiles.last().copied()),
        _ => {
            let versions = versions.iter().map(ToString::to_string).collect::<Vec<_>>();
            Err(format!("Ray {} hold gRPCs of different rules", versions.join(" and ")))
        }
    }
}

/// The versions that images of Ray in these workloads and these RayClusters name.
fn named(
    evidence: &Evidence,
    workload: impl Fn(usize) -> bool,
    resource: impl Fn(&ObjectRef) -> bool,
) -> BTreeSet<Version> {
    let workloads = evidence.workloads.iter().enumerate().filter(|(at, _)| workload(*at));
    let containers = workloads.flat_map(|(_, w)| w.containers.iter().chain(&w.init_containers));
    let of_images = containers.filter_map(|container| of_image(&container.image));
    let resources = evidence.ray_resources.iter().filter(|ray| resource(&ray.object));
    of_images.chain(resources.filter_map(|ray| ray.ray_version.as_deref()?.parse().ok())).collect()
}

/// `rayproject/ray:2.53.0-py311-gpu` → 2.53.0. Tags of other images are no versions of Ray.
fn of_image(image: &str) -> Option<Version> {
    let (name, tag) = image.split('@').next()?.rsplit('/').next()?.split_once(':')?;
    if !matches!(name, "ray" | "ray-ml" | "ray-llm") {
        return None;
    }
    let version = tag.split('-').next()?;
    if version.split('.').count() != 3 {
        return None;
    }
    version.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{Scene, party};
    use crate::evidence::{Mode, RayResource};

    fn clusters(versions: &[&str]) -> Evidence {
        let resource = |version: &&str| RayResource {
            object: ObjectRef::new("RayCluster", "ray", version),
            origin: Default::default(),
            ray_version: Some((*version).to_owned()),
            head_service: None,
            autoscaling: false,
            autoscaler: None,
            operator_tls: false,
            tls_left_open: false,
        };
        let mut evidence = Evidence::new(Mode::Live, "test", Default::default());
        evidence.ray_resources = versions.iter().map(resource).collect();
        evidence
    }

    #[test]
    fn clusters_are_judged_by_the_grpc_of_their_core_when_it_is_one() {
        let version = |versions: &[&str]| {
            let all = named(&clusters(versions), |_| true, |_| true);
            core(&all).map(|found| found.map(|profile| profile.version))
        };
        assert_eq!(version(&[]), Ok(None));
        assert_eq!(version(&["2.8.1"]), Ok(Some(Version(1, 50, 0))));
        assert_eq!(version(&["2.54.0", "2.60.0"]), Ok(Some(Version(1, 58, 0))), "their rules are the same");
        assert_eq!(version(&["nightly"]), Ok(None));
        assert!(version(&["2.8.1", "2.60.0"]).unwrap_err().contains("2.8.1 and 2.60.0"));
        assert!(version(&["1.13.0"]).is_err());
    }

    #[test]
    fn each_cluster_is_judged_by_its_own_ray() {
        let of = |name: &str, version: &str| -> serde_json::Value {
            let text = crate::checks::staging::ray_cluster().to_string();
            let text = text.replace("2.60.0", version).replace("\"demo\"", &format!("\"{name}\""));
            serde_json::from_str(&text).unwrap()
        };
        let scene = Scene::manifests(vec![of("old", "2.8.1"), of("new", "2.60.0")]);
        let core = |id: &str| scene.model.profiles_of(party(&scene, id)).core.version;
        assert_eq!(core("ray/old:head"), Version(1, 50, 0));
        assert_eq!(core("ray/old:small"), Version(1, 50, 0));
        assert_eq!(core("ray/new:small"), Version(1, 58, 0));
        assert!(!scene.model.not_judged.iter().any(|(what, _)| what.contains("gRPC")), "{:?}", scene.model.not_judged);
    }

    #[test]
    fn images_of_ray_name_its_version() {
        assert_eq!(of_image("rayproject/ray:2.53.0-py311-gpu"), Some(Version(2, 53, 0)));
        assert_eq!(of_image("registry:5000/mirror/ray-ml:2.8.1@sha256:00"), Some(Version(2, 8, 1)));
        for image in
            ["rayproject/ray", "rayproject/ray:latest", "rayproject/ray:nightly-py311", "me/app:2.8.1", "ray:2", ""]
        {
            assert_eq!(of_image(image), None, "{image}");
        }
    }
}
