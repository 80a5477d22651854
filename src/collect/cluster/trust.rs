//! ClusterTrustBundles, asked for by one list and only where a pod of Ray mounts one.

use super::api::{Api, Failed};
use super::issuance::list;
use super::lists::{Kind, forbidden, missed};
use super::why;
use crate::collect::assemble::{Object, assemble, mounts_trust_bundles};
use crate::collect::keyring::Keyring;
use crate::evidence::{Evidence, Lookup, ObjectRef, Why};

/// The newer version first: a cluster serves one or the other, or none.
pub(super) static KINDS: [Kind; 2] = [of("v1beta1"), of("v1alpha1")];

const fn of(version: &'static str) -> Kind {
    Kind {
        group: "certificates.k8s.io",
        version,
        plural: "clustertrustbundles",
        kind: "ClusterTrustBundle",
        selected: false,
        fields: "",
    }
}

/// Adds all ClusterTrustBundles, and a look-up without a name that says whether these are all.
pub(super) async fn collect(api: &Api, evidence: &mut Evidence, keys: &mut Keyring) {
    if !mounts_trust_bundles(evidence) {
        return;
    }
    let mut unseen = Some(Why::OutOfReach("the API server has no ClusterTrustBundles of v1beta1 or v1alpha1".into()));
    for kind in &KINDS {
        let listed = list(api, kind, None).await;
        match &listed.failed {
            Some(Failed::NotFound { .. }) => continue,
            Some(Failed::Forbidden) => forbidden(&[kind], None, evidence),
            Some(failed) => missed(kind, None, failed, !listed.items.is_empty(), evidence),
            None => {}
        }
        unseen = listed.failed.map(|failed| why(&failed, "list", "clustertrustbundles.certificates.k8s.io", None));
        assemble(listed.items.into_iter().map(Object::live).collect(), evidence, keys);
        break;
    }
    evidence.lookups.push(Lookup { object: ObjectRef::new("ClusterTrustBundle", "", ""), unseen });
}
