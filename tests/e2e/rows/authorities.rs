//! Who signed what, and who is trusted.

use rcgen::{CertificateParams, DnType, KeyUsagePurpose};

use crate::manifest::{client, head, worker};
use crate::pki::{self, Ca, NAMES};
use crate::row::{CLIENT, CLIENT_FAILS, Cause, Expect, HEAD, NO_GCS, Row, STARTED, Symptom, WORKER, cause};

const NO_ISSUER: &str = "unable to get local issuer certificate";
const NOT_VERIFIED: &str = "CERTIFICATE_VERIFY_FAILED";

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "client-trusts-another-ca",
        short: false,
        what: "the client's ca.crt is of another CA",
        made: "a Secret of its own for the client: the right leaf, a foreign ca.crt",
        make: |scene| {
            let (ca, other) =
                (Ca::new(), Ca::made(|params| params.distinguished_name.push(DnType::CommonName, "other")));
            let leaf = ca.leaf(&NAMES);
            scene.tls("ray-tls", &ca, &leaf);
            scene.tls("ray-tls-client", &other, &leaf);
            scene.apply(&[head(), client().secret("ray-tls-client")]);
        },
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(CLIENT, NO_ISSUER)],
        expect: Expect::Causes(&[Cause { codes: &["CHN01", "CHN02"], subject: "ray-tls-client" }]),
    },
    Row {
        name: "client-leaf-of-another-ca",
        short: false,
        what: "the client's certificate is of another CA",
        made: "a Secret of its own for the client: a foreign leaf, the right ca.crt",
        make: |scene| {
            let ca = Ca::new();
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            scene.tls("ray-tls-client", &ca, &Ca::new().leaf(&NAMES));
            scene.apply(&[head(), client().secret("ray-tls-client")]);
        },
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::File(HEAD, "ray_client_server.err", NOT_VERIFIED),
            Symptom::Log(CLIENT, CLIENT_FAILS),
        ],
        expect: Expect::Causes(&[cause!("CHN01", "ray-tls-client")]),
    },
    Row {
        name: "worker-of-another-ca",
        short: true,
        what: "the worker's leaf and ca.crt are of another CA",
        made: "a Secret of its own for the worker, of a CA of another name",
        make: |scene| {
            let (ca, other) =
                (Ca::new(), Ca::made(|params| params.distinguished_name.push(DnType::CommonName, "other")));
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            scene.tls("ray-tls-worker", &other, &other.leaf(&NAMES));
            scene.apply(&[head(), worker().secret("ray-tls-worker")]);
        },
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(WORKER, NOT_VERIFIED), Symptom::Log(WORKER, NO_GCS)],
        expect: Expect::Causes(&[Cause { codes: &["CHN01", "CHN02"], subject: "ray-tls-worker" }]),
    },
    Row {
        name: "ca-made-anew-under-its-name",
        short: false,
        what: "the CA was made again under its old name, and one pod has the new files",
        made: "the worker's Secret is of a second CA with the same subject",
        make: |scene| {
            let (ca, again) = (Ca::new(), Ca::new());
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            scene.tls("ray-tls-worker", &again, &again.leaf(&NAMES));
            scene.apply(&[head(), worker().secret("ray-tls-worker")]);
        },
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(WORKER, NOT_VERIFIED)],
        expect: Expect::Causes(&[Cause { codes: &["CHN01", "CHN02"], subject: "ray-tls-worker" }]),
    },
    Row {
        name: "intermediate-missing",
        short: false,
        what: "tls.crt lacks the intermediate",
        made: "a leaf of an intermediate alone in tls.crt, the root in ca.crt",
        make: |scene| {
            let root = Ca::new();
            scene.tls("ray-tls", &root, &root.intermediate().leaf(&NAMES));
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::Log(HEAD, NOT_VERIFIED), Symptom::Log(HEAD, NO_GCS)],
        // Nothing that the doctor sees has the intermediate: an unknown issuer is as true.
        expect: Expect::Causes(&[Cause { codes: &["CHN03", "CHN01"], subject: "ray-tls" }]),
    },
    Row {
        name: "chain-in-wrong-order",
        short: false,
        what: "the intermediate comes before the leaf in tls.crt",
        made: "intermediate, then leaf",
        make: |scene| {
            let root = Ca::new();
            let between = root.intermediate();
            let leaf = between.leaf(&NAMES);
            let chain = format!("{}{}", between.certificate, leaf.certificate);
            scene.files("ray-tls", &root.certificate, &chain, &leaf.key);
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid cert chain file.")],
        expect: Expect::Causes(&[cause!("CRT12", "ray-tls")]),
    },
    Row {
        name: "ca-expired",
        short: false,
        what: "the CA has ended, the leaf has not",
        made: "a CA that ended in 2024",
        make: |scene| {
            let ca = Ca::made(pki::expired);
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::Log(HEAD, NOT_VERIFIED), Symptom::Log(HEAD, NO_GCS)],
        expect: Expect::Causes(&[cause!("CHN04", "ray-tls")]),
    },
    Row {
        name: "ca-cannot-sign",
        short: false,
        what: "the CA's keyUsage lacks keyCertSign",
        made: "a CA with cRLSign alone",
        make: |scene| {
            let ca = Ca::made(|params: &mut CertificateParams| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::Log(HEAD, NOT_VERIFIED), Symptom::Log(HEAD, NO_GCS)],
        expect: Expect::Causes(&[cause!("CHN05", "ray-tls")]),
    },
    Row {
        name: "expired-ca-before-renewed",
        short: true,
        what: "ca.crt has the ended CA before the renewed one of the same name and key: the C++ core accepts, Python refuses",
        made: "both in ca.crt, the ended one first",
        make: |scene| {
            let ca = Ca::new();
            let leaf = ca.leaf(&NAMES);
            let both = format!("{}{}", ca.again(pki::expired).certificate, ca.certificate);
            scene.files("ray-tls", &both, &leaf.certificate, &leaf.key);
            scene.apply(&[head(), worker(), client()]);
        },
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::Log(WORKER, STARTED),
            Symptom::Log(CLIENT, "certificate has expired"),
        ],
        expect: Expect::Causes(&[cause!("CHN16", "ray-tls")]),
    },
    Row {
        name: "renewed-ca-before-expired",
        short: false,
        what: "as before in the other order: Python accepts, the C++ core refuses, and not even the head starts",
        made: "both in ca.crt, the renewed one first",
        make: |scene| {
            let ca = Ca::new();
            let leaf = ca.leaf(&NAMES);
            let both = format!("{}{}", ca.certificate, ca.again(pki::expired).certificate);
            scene.files("ray-tls", &both, &leaf.certificate, &leaf.key);
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::Log(HEAD, NOT_VERIFIED), Symptom::Log(HEAD, NO_GCS)],
        expect: Expect::Causes(&[cause!("CHN16", "ray-tls")]),
    },
];
