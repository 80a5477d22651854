//! KBR03: does every worker group of a KubeRay cluster speak TLS?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "KBR03",
    name: "worker-group-without-tls",
    severity: Severity::Error,
    help: "\
The Ray cluster has TLS on, and a worker group of it does not.

Why it matters: Every group of a RayCluster has a pod template of its own; nothing is inherited from the head. The group's pods stay in
`wait-gcs-ready`, or never register, while the other groups work.

Mend it: Put the four variables and the mount into the Ray container of this group too.

Authority: KubeRay `RayCluster` API reference (`workerGroupSpecs[].template`).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Group, |party, odd| {
        format!(
            "worker group {} speaks plaintext ({}) while TLS is on in {}: it never joins",
            party.id,
            switch_text(party),
            lens::used_by(case.model, &odd.others)
        )
    });
}
