//! The documented deployment of django-ray with its overlay `dev-tls`. There is no Django here: the images are Ray's, the
//! worker of django-ray is the client of `client.yaml` under its own name, variables and mounts, and nobody waits for a database.

use crate::manifest::{Manifest, client, gencert};
use crate::pki::Ca;
use crate::row::{ANSWERED, Cause, Expect, Row, STARTED, Symptom, cause};

const OVERLAY: &str = include_str!("../../../fixtures/django-ray/overlays_dev-tls.yaml");

const HEAD: &str = "app=ray,component=head";
const WORKER: &str = "app=ray,component=worker";
const CLIENT: &str = "app=django-ray,component=worker";

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "django-ray-as-applied",
        short: false,
        what: "django-ray's overlay `dev-tls` as it is applied",
        made: "its Secret is a placeholder with three empty values, which `kubectl apply -k` writes over the filled one",
        make: |scene| scene.apply(&deployed()),
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid cert chain file.")],
        expect: Expect::Causes(&[cause!("SEC03", "ray-tls-certs")]),
    },
    Row {
        name: "django-ray-with-its-certificate",
        short: true,
        what: "django-ray's overlay with the certificate of its script, which has neither the Service's name nor pod IPs",
        made: "a leaf with the script's names (`ray-head…`, localhost, 127.0.0.1) in the Secret; the pods dial `ray-head-svc`",
        make: |scene| {
            scene.apply(&deployed());
            let ca = Ca::new();
            let ns = &scene.namespace;
            let names = ["", &format!(".{ns}"), &format!(".{ns}.svc"), &format!(".{ns}.svc.cluster.local")]
                .map(|end| format!("ray-head{end}"));
            let names: Vec<&str> = names.iter().map(String::as_str).chain(["localhost", "127.0.0.1"]).collect();
            scene.kubectl(&["delete", "secret", "ray-tls-certs"]);
            scene.tls("ray-tls-certs", &ca, &ca.leaf(&names));
            scene.kubectl(&["delete", "pods", "--all", "--grace-period=0", "--force"]);
        },
        shows: &[
            Symptom::Log(HEAD, "Failed to connect to GCS at address"),
            Symptom::File(HEAD, "gcs_server.err", "No match found for server name: 10."),
            Symptom::File(HEAD, "gcs_server.err", "No match found for server name: ray-head-svc"),
        ],
        expect: Expect::Causes(&[
            cause!("NAM03", "ray-tls-certs"),
            // The same missing name for workers and client, and one change that adds it.
            Cause { codes: &["NAM01", "NAM02"], subject: "ray-tls-certs" },
        ]),
    },
    Row {
        name: "healthy-django-ray-mended",
        short: false,
        what: "django-ray's overlay, mended",
        made: "an init container makes a leaf per pod with `ray-head-svc` and the pod IP, instead of the mounted Secret",
        make: |scene| {
            let ca = Ca::new();
            scene.secret("ray-ca", &[("ca.crt", &ca.certificate), ("ca.key", &ca.key)]);
            scene.apply(&[gencert().with("ray-head", "ray-head-svc")]);
            let mended = deployed().into_iter().map(|pod| match pod.0.contains("secretName: ray-tls-certs") {
                true => mended(pod),
                false => pod,
            });
            scene.apply(&mended.collect::<Vec<_>>());
        },
        shows: &[Symptom::Log(WORKER, STARTED), Symptom::Log(CLIENT, ANSWERED)],
        expect: Expect::Healthy,
    },
];

/// The objects that Ray needs: configuration, the Secrets, the Service, and the Deployments of head, workers and client.
fn deployed() -> Vec<Manifest> {
    let wanted = [
        "  name: django-ray-config\n",
        "  name: grafana-dashboard-import-script\n",
        "  name: django-ray-secret\n",
        "  name: ray-tls-certs\n",
        "  name: ray-head-svc\n",
        "  name: ray-head\n",
        "  name: ray-worker\n",
        "  name: django-ray-worker\n",
    ];
    let kinds = ["kind: ConfigMap\n", "kind: Secret\n", "kind: Service\n", "kind: Deployment\n"];
    let documents = OVERLAY.split("\n---\n").map(|document| format!("{document}\n"));
    let chosen = documents.filter(|document| {
        let metadata = document.split("\nspec:").next().unwrap_or_default();
        wanted.iter().any(|w| metadata.contains(w)) && kinds.iter().any(|k| document.contains(k))
    });
    let chosen: Vec<Manifest> = chosen.map(|document| here(&document)).collect();
    assert_eq!(chosen.len(), wanted.len(), "the overlay has changed");
    chosen
}

/// What depends on this machine: the namespace, images, ports of the node, sizes.
fn here(document: &str) -> Manifest {
    let mut text = document.replace("  namespace: django-ray\n", "");
    for image in ["django-ray-worker:dev", "django-ray:dev"] {
        text = text.replace(&format!("image: {image}"), "image: ray.local/ray:2.60.0");
    }
    text = text.replace("busybox:1.36", "busybox:1");
    // The busybox that is at hand has no `nc -z`.
    for port in ["ray-head-svc 6379", "ray-head-svc 10001"] {
        text = text.replace(&format!("nc -z {port}"), &format!("nc {port} </dev/null"));
    }
    for (old, new) in [
        ("    nodePort: 30265\n", ""),
        ("memory: 8Gi", "memory: 300Mi"),
        ("cpu: \"2\"", "cpu: 10m"),
        ("--num-cpus=4", "--num-cpus=1"),
        ("--object-store-memory=2000000000", "--object-store-memory=100000000"),
        ("cpu: 500m", "cpu: \"2\""),
        ("    spec:\n      containers:\n", "    spec:\n      terminationGracePeriodSeconds: 0\n      containers:\n"),
    ] {
        text = text.replace(old, new);
    }
    let Some(worker) = text.find("      - args:\n        - worker-cluster\n") else { return Manifest(text) };
    let (driver, database) =
        (driver(), "      - command:\n        - sh\n        - -c\n        - until nc -z postgres-svc");
    text.replace_range(worker.., &text[worker..].replacen("      - args:\n        - worker-cluster\n", &driver, 1));
    let from = text.find(database).expect("an init container that waits for the database");
    let to = from
        + text[from..].find("        name: wait-for-postgres\n").unwrap()
        + "        name: wait-for-postgres\n".len();
    text.replace_range(from..to, "");
    Manifest(text)
}

/// Command and arguments of the client, as the first lines of a container.
fn driver() -> String {
    let client = client().0;
    let from = client.find("        command: [bash, -c]\n").unwrap();
    let to = client.find("        env:\n").unwrap();
    client[from..to].replacen("        command", "      - command", 1)
}

fn mended(pod: Manifest) -> Manifest {
    pod.with("      - name: ray-tls\n        secret:\n          secretName: ray-tls-certs\n", crate::manifest::VOLUMES)
        .with("mountPath: /etc/ray/tls\n          name: ray-tls", "mountPath: /etc/ray/tls\n          name: tls")
        .init_own_leaf()
}
