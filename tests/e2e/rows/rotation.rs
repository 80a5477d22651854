//! Files that changed under running pods.

use crate::manifest::{Manifest, client, head, worker};
use crate::pki::{Ca, Leaf, NAMES};
use crate::row::{ANSWERED, CLIENT, Expect, HEAD, Row, STARTED, Symptom, WORKER, cause};
use crate::scene::Scene;

const NOT_VERIFIED: &str = "CERTIFICATE_VERIFY_FAILED";

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "rotated-without-restart",
        short: true,
        what: "a new CA and leaf in the Secret of a running cluster: Ray goes on with what it read at its start",
        made: "the Secret is made anew; a client is started afterwards",
        make: rotated,
        shows: &[Symptom::Log(CLIENT, NOT_VERIFIED)],
        expect: Expect::Differs(&[cause!("ROT01", "ray-tls")]),
    },
    Row {
        name: "leaf-renewed-without-restart",
        short: false,
        what: "a new leaf of the same CA in the Secret of a running cluster, which goes on working until the old leaf ends",
        made: "the leaf is made anew; a client is started afterwards",
        make: |scene| {
            let ca = Ca::new();
            start(scene, &ca, &[head(), worker()]);
            rotate(scene, &ca, &ca.leaf(&NAMES));
            scene.apply(&[client()]);
        },
        shows: &[Symptom::Log(CLIENT, ANSWERED)],
        expect: Expect::Warned(&["LIV04", "ROT01"]),
    },
    Row {
        name: "rotated-under-sub-path",
        short: false,
        what: "as rotated-without-restart, with files that are mounted by subPath and never change in a running pod",
        made: "three subPath mounts in head and worker; the Secret is made anew; a client is started afterwards",
        make: |scene| {
            start(scene, &Ca::new(), &[by_sub_path(head()), by_sub_path(worker())]);
            let ca = Ca::new();
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            scene.apply(&[client()]);
        },
        shows: &[Symptom::Log(CLIENT, NOT_VERIFIED)],
        expect: Expect::Differs(&[cause!("ROT01", "ray-tls")]),
    },
];

/// A healthy cluster whose CA and leaf are made anew; and a client that is started afterwards.
pub(super) fn rotated(scene: &Scene) {
    start(scene, &Ca::new(), &[head(), worker()]);
    let ca = Ca::new();
    rotate(scene, &ca, &ca.leaf(&NAMES));
    scene.apply(&[client()]);
}

/// A healthy cluster.
fn start(scene: &Scene, ca: &Ca, manifests: &[Manifest]) {
    scene.tls("ray-tls", ca, &ca.leaf(&NAMES));
    scene.apply(manifests);
    scene.wait(Symptom::Log(HEAD, STARTED));
    scene.wait(Symptom::Log(WORKER, STARTED));
}

/// Other files in the Secret, and in the pods.
fn rotate(scene: &Scene, ca: &Ca, leaf: &Leaf) {
    scene.tls("ray-tls", ca, leaf);
    for selector in [HEAD, WORKER] {
        scene.wait_for_file(selector, "/etc/ray/tls/tls.crt", &leaf.certificate);
    }
}

fn by_sub_path(manifest: Manifest) -> Manifest {
    let mounts: String = ["ca.crt", "tls.crt", "tls.key"]
        .map(|file| {
            format!("        - {{name: tls, mountPath: /etc/ray/tls/{file}, subPath: {file}, readOnly: true}}\n")
        })
        .concat();
    manifest.with("        - {name: tls, mountPath: /etc/ray/tls, readOnly: true}\n", &mounts)
}
