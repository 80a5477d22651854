//! KBR01: do the TLS variables of a worker group reach `wait-gcs-ready`?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity};

/// The check.
pub static CHECK: Check = Check {
    code: "KBR01",
    name: "tls-only-in-env-from",
    severity: Severity::Error,
    help: "\
A worker group gets its TLS variables by `envFrom`, and KubeRay's init container `wait-gcs-ready` does not get them.

Why it matters: The operator adds `wait-gcs-ready` to every worker pod and copies `env` and `volumeMounts` of the Ray container to it, but not
`envFrom`. It then asks the head's TLS port in plaintext, for ever: workers stay in `Init:0/1`, and its first 120 seconds of output are thrown away.

Mend it: Write the four variables in `env` of the group's Ray container (literally, or with `valueFrom`).

Authority: KubeRay v1.6.2 and master, `ray-operator/controllers/ray/common/pod.go`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Waiter, |party, _| {
        format!(
            "{} waits for the GCS in plaintext ({}): KubeRay gives it the env of its group, but not the envFrom",
            party.id,
            switch_text(party)
        )
    });
}
