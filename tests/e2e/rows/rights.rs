//! What a user with few rights is told: with each level of `raytls rbac` the fault that this level is the first to show.

use crate::manifest::{head, worker};
use crate::pki::{self, Ca, NAMES};
use crate::row::{CLIENT, Expect, HEAD, NO_GCS, Row, STARTED, Symptom, WORKER, cause};
use crate::scene::Scene;

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "rights-level-0",
        short: true,
        what: "no right at all",
        made: "a user whom no Role names looks at a worker without TLS",
        make: |scene| worker_without_tls(scene, 0),
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(WORKER, NO_GCS)],
        expect: Expect::Unknown,
    },
    Row {
        name: "rights-level-1",
        short: false,
        what: "lists, and no Secret: a worker without TLS",
        made: "`raytls rbac --level 1` for the user; `RAY_USE_TLS` missing on the worker",
        make: |scene| worker_without_tls(scene, 1),
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(WORKER, NO_GCS)],
        expect: Expect::Causes(&[cause!("ENV01", "ray-worker")]),
    },
    Row {
        name: "rights-level-2",
        short: true,
        what: "and Secrets: an expired leaf",
        made: "`raytls rbac --level 2` for the user; a leaf that ended in 2024",
        make: |scene| {
            scene.as_user(2);
            let ca = Ca::new();
            scene.tls("ray-tls", &ca, &ca.leaf_made(&NAMES, pki::expired));
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::Log(HEAD, "CERTIFICATE_VERIFY_FAILED"), Symptom::Log(HEAD, NO_GCS)],
        expect: Expect::Causes(&[cause!("CRT01", "ray-tls")]),
    },
    Row {
        name: "rights-level-3",
        short: false,
        what: "and the pods: a head that still serves the certificate of before the rotation",
        made: "`raytls rbac --level 3` for the user; as rotated-without-restart",
        make: |scene| {
            scene.as_user(3);
            super::rotation::rotated(scene);
        },
        shows: &[Symptom::Log(CLIENT, "CERTIFICATE_VERIFY_FAILED")],
        expect: Expect::Differs(&[cause!("ROT01", "ray-tls")]),
    },
];

fn worker_without_tls(scene: &Scene, level: u8) {
    scene.as_user(level);
    let ca = Ca::new();
    scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
    scene.apply(&[head(), worker().unset("RAY_USE_TLS")]);
}
