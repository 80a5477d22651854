//! NAM04: do the workers' certificates name their pods' IPs?

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::Role;

/// The check.
pub static CHECK: Check = Check {
    code: "NAM04",
    name: "worker-pod-address-not-in-certificate",
    severity: Severity::Error,
    help: "\
A certificate that workers present does not name the IPs of their pods.

Why it matters: The GCS and every other node dial a worker by its pod IP. The worker registers and looks alive; then the GCS's health
check dials it back, fails five times, and after about 17 seconds declares it dead: `missed too many heartbeats`, and on the worker `mistakenly been marked as dead
… machine or raylet has become overloaded`. It restarts, and the same happens again. One certificate for all workers cannot keep up with pods that come and go.

Mend it: As for the head: a certificate per pod made in an init container from `status.podIP`, or KubeRay 1.7's `tlsOptions`.

Authority: Ray `src/ray/gcs/gcs_health_check_manager.cc`; measured with Ray 2.60 (`Peer name 127.0.0.2 is not in peer certificate`).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::pod_addresses(case, findings, "worker", |party| party.role != Role::Head);
}
