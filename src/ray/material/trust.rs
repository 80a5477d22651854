//! The file that the kubelet makes of ClusterTrustBundles.

use crate::evidence::{Evidence, FileFacts, Mode, Seen, Shape, TrustBundle, VolumeSource, Why};
use crate::grpc::pem::Reading;
use crate::ray::Place;

use super::Located;

/// One bundle by name, or the certificates of all that a selector chooses of a signer, each once (core/v1
/// ClusterTrustBundleProjection).
pub(super) fn of_bundles(evidence: &Evidence, source: &VolumeSource) -> Located {
    let VolumeSource::TrustBundle { name, signer, selector, optional, .. } = source else {
        return Located::out_of_reach("projected", "another source of a projected volume".into());
    };
    let which = match name.as_str() {
        "" => format!("ClusterTrustBundle of signer {signer}"),
        name => format!("ClusterTrustBundle {name}"),
    };
    if selector.as_ref().is_some_and(|selector| selector.expressions) {
        return Located::out_of_reach(&which, format!("{which}, chosen by matchExpressions"));
    }
    let content = match evidence.trust_bundles_of(name, signer, selector.as_ref()) {
        Seen::Found(bundles) => Seen::Found(together(&bundles)),
        // The kubelet makes an empty file of nothing.
        Seen::Absent if *optional => Seen::Found(together(&[])),
        Seen::Absent => Seen::Unseen(Why::Unreadable(format!("{which} does not exist, so that the pod cannot start"))),
        Seen::Unseen(why @ (Why::NotInManifests | Why::NotAsked)) => {
            Seen::Unseen(Why::OutOfReach(format!("{which} is {why}")))
        }
        Seen::Unseen(why) => Seen::Unseen(why),
    };
    // A cluster may have more of a signer's than the manifests.
    let some = name.is_empty() && evidence.mode == Mode::Manifests && content.found().is_some();
    let assumed = some.then(|| format!("it is what the manifests have of the {which}"));
    Located { assumed, ..Located::at(Place::Volume(which), content) }
}

fn together(bundles: &[&TrustBundle]) -> FileFacts {
    let mut read = Reading::default();
    for block in bundles.iter().flat_map(|bundle| &bundle.facts.certificates.blocks) {
        if !read.blocks.iter().any(|known| known.der == block.der) {
            read.blocks.push(block.clone());
        }
    }
    read.begun = read.blocks.len();
    FileFacts {
        size: bundles.iter().map(|bundle| bundle.facts.size).sum(),
        // The kubelet writes the certificates anew.
        sha256: None,
        shape: if read.blocks.is_empty() { Shape::Empty } else { Shape::Pem },
        certificates: read,
        keys: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::checks::testing::{Ca, Scene, cluster_with, tls_secret};
    use crate::evidence::{Lookup, Mode, ObjectRef, Seen, Why};
    use crate::judge::Verdict;

    fn scene(mode: Mode, mut bundle: Value, listed: Option<Option<Why>>, given: &[(&str, &Ca, &str)]) -> Scene {
        let (ca, wrong) = (given[0].1, Ca::new("wrong"));
        let mut objects = cluster_with(tls_secret("ray-tls", &ca.leaf(), &wrong.pem));
        bundle["path"] = json!("ca.crt");
        let volume = json!({"name": "tls", "projected": {"sources":
            [{"secret": {"name": "ray-tls"}}, {"clusterTrustBundle": bundle}]}});
        for object in &mut objects[..2] {
            object["spec"]["template"]["spec"]["volumes"][0] = volume.clone();
        }
        let bundle = |(name, ca, tier): &(&str, &Ca, &str)| {
            json!({"apiVersion": "certificates.k8s.io/v1beta1", "kind": "ClusterTrustBundle",
                "metadata": {"name": name, "labels": {"tier": tier}},
                "spec": {"signerName": "example.com/ray", "trustBundle": ca.pem}})
        };
        objects.extend(given.iter().map(bundle));
        let mut scene = Scene::at(crate::checks::testing::NOW, mode, objects, Vec::new());
        let object = ObjectRef::new("ClusterTrustBundle", "", "");
        scene.evidence.lookups.extend(listed.map(|unseen| Lookup { object, unseen }));
        scene.again()
    }

    fn accepted(scene: &Scene) -> bool {
        scene.matrix.iter().all(|judged| *judged.effective() == Verdict::Accept)
    }

    #[test]
    fn a_bundle_is_found_by_name_or_by_signer_and_labels() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("other"));
        let given = [("example.com:ray:v1", &ca, "prod"), ("more", &other, "test")];
        for (mode, listed) in [(Mode::Manifests, None), (Mode::Live, Some(None))] {
            let of = |bundle: Value| scene(mode, bundle, listed.clone(), &given);
            let signed = |selector: Value| of(json!({"signerName": "example.com/ray", "labelSelector": selector}));
            let named = of(json!({"name": "example.com:ray:v1"}));
            assert!(accepted(&named), "{:#?}", named.matrix);
            assert_eq!(named.codes(), Vec::<&str>::new());
            assert!(!accepted(&of(json!({"name": "more"}))));
            assert!(accepted(&signed(json!({"matchLabels": {"tier": "prod"}}))));
            assert!(!accepted(&signed(json!({"matchLabels": {"tier": "test"}}))));
            let all = signed(json!({}));
            assert!(accepted(&all));
            let blocks = all.model.parties[0].trust.content.found().unwrap().certificates.blocks.len();
            assert_eq!(blocks, 2, "one file of both");
        }
    }

    #[test]
    fn what_was_not_seen_is_not_missing() {
        let ca = Ca::new("ray-ca");
        let given = [("here", &ca, "prod")];
        let why = Why::Forbidden { verb: "list".into(), resource: "clustertrustbundles".into(), namespace: None };
        let trust = |scene: &Scene| scene.model.parties[0].trust.content.clone();
        let other = json!({"name": "elsewhere"});
        assert!(matches!(trust(&scene(Mode::Manifests, other.clone(), None, &given)), Seen::Unseen(_)));
        let forbidden = scene(Mode::Live, other.clone(), Some(Some(why.clone())), &given);
        assert_eq!(trust(&forbidden), Seen::Unseen(why.clone()));
        let of_signer = json!({"signerName": "example.com/ray", "labelSelector": {}});
        assert_eq!(trust(&scene(Mode::Live, of_signer, Some(Some(why.clone())), &given)), Seen::Unseen(why));
        let chosen = json!({"signerName": "example.com/ray",
            "labelSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}});
        assert!(matches!(trust(&scene(Mode::Live, chosen, Some(None), &given)), Seen::Unseen(_)));
        let missing = trust(&scene(Mode::Live, other, Some(None), &given));
        assert!(matches!(missing, Seen::Unseen(why) if why.to_string().contains("elsewhere does not exist")));
        let optional = json!({"name": "elsewhere", "optional": true});
        assert_eq!(trust(&scene(Mode::Live, optional, Some(None), &given)).found().map(|f| f.size), Some(0));
    }
}
