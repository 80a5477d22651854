//! Which Ray runs, as far as manifests and objects say, and so which gRPC its core holds.

use std::collections::BTreeSet;

use crate::evidence::Evidence;
use crate::grpc::profile::{Profile, Profiles, RAY, Version};

/// The gRPCs to judge by, and what is not judged where the evidence does not say by which.
pub(super) fn profiles(evidence: &Evidence) -> (Profiles, Option<(String, String)>) {
    let assumed = Profiles::default();
    match core(evidence) {
        Ok(core) => (Profiles { core: core.unwrap_or(assumed.core), ..assumed }, None),
        Err(why) => {
            let what = format!("by another gRPC than that of Ray's core in {RAY}; --ray names one");
            (assumed, Some((what, why)))
        }
    }
}

/// The gRPC of the C++ cores in the evidence; none where no Ray version is named.
///
/// # Errors
/// One clause, when Rays with different rules are there, or one whose gRPC is not known.
fn core(evidence: &Evidence) -> Result<Option<Profile>, String> {
    let mut profiles = Vec::new();
    for version in named(evidence) {
        profiles.push(Profile::core_of_ray(&version.to_string())?);
    }
    match profiles.as_slice() {
        [] => Ok(None),
        [first, rest @ ..] if rest.iter().all(|other| other.has_rules_of(first)) => Ok(profiles.last().copied()),
        _ => {
            let versions = named(evidence).iter().map(ToString::to_string).collect::<Vec<_>>();
            Err(format!("Ray {} hold gRPCs of different rules", versions.join(" and ")))
        }
    }
}

/// The versions that images of Ray and RayClusters name.
fn named(evidence: &Evidence) -> BTreeSet<Version> {
    let containers = evidence.workloads.iter().flat_map(|w| w.containers.iter().chain(&w.init_containers));
    let of_images = containers.filter_map(|container| of_image(&container.image));
    let of_resources = evidence.ray_resources.iter().filter_map(|ray| ray.ray_version.as_deref()?.parse().ok());
    of_images.chain(of_resources).collect()
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
    use crate::evidence::{Mode, ObjectRef, RayResource};

    fn clusters(versions: &[&str]) -> Evidence {
        let resource = |version: &&str| RayResource {
            object: ObjectRef::new("RayCluster", "ray", version),
            origin: Default::default(),
            ray_version: Some((*version).to_owned()),
            head_service: None,
            autoscaling: false,
            autoscaler: None,
            operator_tls: false,
        };
        let mut evidence = Evidence::new(Mode::Live, "test", Default::default());
        evidence.ray_resources = versions.iter().map(resource).collect();
        evidence
    }

    #[test]
    fn clusters_are_judged_by_the_grpc_of_their_core_when_it_is_one() {
        let version = |versions: &[&str]| core(&clusters(versions)).map(|found| found.map(|profile| profile.version));
        assert_eq!(version(&[]), Ok(None));
        assert_eq!(version(&["2.8.1"]), Ok(Some(Version(1, 50, 0))));
        assert_eq!(version(&["2.54.0", "2.60.0"]), Ok(Some(Version(1, 58, 0))), "their rules are the same");
        assert_eq!(version(&["nightly"]), Ok(None));
        assert!(version(&["2.8.1", "2.60.0"]).unwrap_err().contains("2.8.1 and 2.60.0"));
        assert!(version(&["1.13.0"]).is_err());
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
