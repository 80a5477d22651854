//! Variables, mounts and Secrets.

use crate::manifest::{Manifest, client, head, worker};
use crate::pki::{Ca, NAMES};
use crate::row::{CLIENT, CLIENT_FAILS, Cause, Expect, HEAD, NO_GCS, Row, STARTED, Symptom, WORKER, cause};
use crate::scene::Scene;

const WRONG_VERSION: &str = "WRONG_VERSION_NUMBER";

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "worker-without-tls",
        short: true,
        what: "the worker speaks plaintext, the head TLS",
        made: "`RAY_USE_TLS` missing on the worker",
        make: |scene| start(scene, &[head(), worker().unset("RAY_USE_TLS")]),
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::Log(WORKER, NO_GCS),
            Symptom::File(HEAD, "gcs_server.err", WRONG_VERSION),
        ],
        expect: Expect::Causes(&[cause!("ENV01", "ray-worker")]),
    },
    Row {
        name: "worker-with-tls-head-without",
        short: false,
        what: "the worker speaks TLS, the head plaintext",
        made: "`RAY_USE_TLS` missing on the head",
        make: |scene| start(scene, &[head().unset("RAY_USE_TLS"), worker()]),
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(WORKER, WRONG_VERSION), Symptom::Log(WORKER, NO_GCS)],
        expect: Expect::Causes(&[cause!("ENV01", "ray-head")]),
    },
    Row {
        name: "client-without-tls",
        short: false,
        what: "the client speaks plaintext, the head TLS",
        made: "no variable of TLS in the client",
        make: |scene| start(scene, &[head(), client().plaintext()]),
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::File(HEAD, "ray_client_server.err", WRONG_VERSION),
            Symptom::Log(CLIENT, CLIENT_FAILS),
        ],
        expect: Expect::Causes(&[cause!("CLI01", "ray-client")]),
    },
    Row {
        name: "client-with-tls-head-without",
        short: false,
        what: "the client speaks TLS, the head plaintext",
        made: "no variable of TLS in head and worker",
        make: |scene| start(scene, &[head().plaintext(), worker().plaintext(), client()]),
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(WORKER, STARTED), Symptom::Log(CLIENT, WRONG_VERSION)],
        expect: Expect::Causes(&[Cause { codes: &["ENV01", "CLI01", "CLI02"], subject: "ray-client" }]),
    },
    Row {
        name: "client-variable-unset",
        short: false,
        what: "the client has TLS on and one path variable is missing",
        made: "`RAY_TLS_SERVER_CERT` missing in the client",
        make: |scene| start(scene, &[head(), client().unset("RAY_TLS_SERVER_CERT")]),
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(CLIENT, "must also be set.")],
        expect: Expect::Causes(&[cause!("ENV04", "ray-client")]),
    },
    Row {
        name: "head-variables-unset",
        short: false,
        what: "the head has TLS on and none of the three paths",
        made: "only `RAY_USE_TLS` in the head",
        make: |scene| {
            let head = ["RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"].into_iter();
            start(scene, &[head.fold(crate::manifest::head(), Manifest::unset), worker()]);
        },
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid cert chain file.")],
        expect: Expect::Causes(&[cause!("ENV04", "ray-head")]),
    },
    Row {
        name: "switch-says-yes",
        short: true,
        what: "`RAY_USE_TLS: \"yes\"`, which Ray reads as off",
        made: "the value in the worker",
        make: |scene| start(scene, &[head(), worker().set("RAY_USE_TLS", "yes")]),
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::Log(WORKER, NO_GCS),
            Symptom::File(HEAD, "gcs_server.err", WRONG_VERSION),
        ],
        expect: Expect::Causes(&[cause!("ENV02", "ray-worker")]),
    },
    Row {
        name: "switch-with-line-end",
        short: false,
        what: "the value of `RAY_USE_TLS` ends with a line end, which Ray reads as off",
        made: "the worker takes it from a Secret made of `1` and a line end, as `echo 1 | kubectl create secret` makes it",
        make: |scene| {
            scene.secret("ray-switch", &[("use-tls", "1\n")]);
            let from = "        - {name: RAY_USE_TLS, valueFrom: {secretKeyRef: {name: ray-switch, key: use-tls}}}\n";
            start(scene, &[head(), worker().with("        - {name: RAY_USE_TLS, value: \"1\"}\n", from)]);
        },
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::Log(WORKER, NO_GCS),
            Symptom::File(HEAD, "gcs_server.err", WRONG_VERSION),
        ],
        expect: Expect::Causes(&[cause!("ENV02", "ray-worker")]),
    },
    Row {
        name: "path-not-in-the-secret",
        short: false,
        what: "the path of the certificate names no file of the mounted Secret",
        made: "`RAY_TLS_SERVER_CERT=/etc/ray/tls/cert.pem` in the client",
        make: |scene| start(scene, &[head(), client().set("RAY_TLS_SERVER_CERT", "/etc/ray/tls/cert.pem")]),
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::Log(CLIENT, "No such file or directory: '/etc/ray/tls/cert.pem'"),
        ],
        expect: Expect::Causes(&[cause!("SEC02", "ray-tls")]),
    },
    Row {
        name: "path-under-no-mount",
        short: false,
        what: "the paths are under no mount",
        made: "the head's mount is at /etc/tls, its variables name /etc/ray/tls",
        make: |scene| start(scene, &[head().with("mountPath: /etc/ray/tls", "mountPath: /etc/tls"), worker()]),
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid cert chain file.")],
        expect: Expect::Causes(&[cause!("MNT01", "ray-head")]),
    },
    Row {
        name: "key-missing-in-the-secret",
        short: false,
        what: "the Secret has no tls.key",
        made: "a Secret with ca.crt and tls.crt alone",
        make: |scene| {
            let ca = Ca::new();
            scene.secret("ray-tls", &[("ca.crt", &ca.certificate), ("tls.crt", &ca.leaf(&NAMES).certificate)]);
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid private key.")],
        expect: Expect::Causes(&[cause!("SEC02", "ray-tls")]),
    },
    Row {
        name: "secret-missing",
        short: true,
        what: "the Secret is not there",
        made: "head and worker without it",
        make: |scene| scene.apply(&[head(), worker()]),
        shows: &[Symptom::Event("secret \"ray-tls\" not found")],
        expect: Expect::Causes(&[cause!("SEC01", "ray-tls")]),
    },
];

fn start(scene: &Scene, manifests: &[Manifest]) {
    let ca = Ca::new();
    scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
    scene.apply(manifests);
}
