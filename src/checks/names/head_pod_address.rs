//! NAM03: does the head's certificate name the head pod's own IP?

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::Role;

/// The check.
pub static CHECK: Check = Check {
    code: "NAM03",
    name: "head-pod-address-not-in-certificate",
    severity: Severity::Error,
    help: "\
The certificate that the head presents does not name the IP of the head's pod.

Why it matters: Every Ray node is dialled by its IP, and the head dials itself that way first. Without its own IP in the certificate the GCS
starts, nothing of the head can reach it, and `ray start --head` repeats `Failed to connect to GCS at address <pod IP>:6379` for minutes. The
raylet, the dashboard and Ray Client never start, while a TCP probe on 6379 is green. This is the most common fault of Ray clusters with TLS.

A certificate in a Secret is made before the pod has an address, so offline it is enough that the certificate names no address but loopback: it
can never hold the pod's.

Mend it: Make a certificate per pod in an init container that knows `status.podIP` (Ray's and KubeRay's own way), or let KubeRay 1.7 manage them
(`tlsOptions`), or give the node a fixed name with `--node-ip-address` and put that name in the certificate. Adding today's IP to a shared
certificate lasts until the pod is replaced.

Authority: Ray documentation *TLS authentication*; measured with Ray 2.60 (`No match found for server name: 10.99.0.5`); ray#53651, kuberay#889.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::pod_addresses(case, findings, "head", |party| party.role == Role::Head);
}
