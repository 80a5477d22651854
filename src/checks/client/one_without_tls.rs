//! CLI02: was one of several Ray Client workloads forgotten?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "CLI02",
    name: "one-client-without-tls",
    severity: Severity::Error,
    help: "\
Several workloads dial the same Ray cluster with TLS, and this one was left without it.

Why it matters: Patches that turn TLS on name Deployments one by one (`django-ray-worker`, but not `django-ray-worker-ml`). The forgotten
one cannot connect; only its queue stalls, so the fault is found late.

Mend it: Give it the same four variables and the same mount as the others, and restart it.

Authority: Ray `python/ray/util/client/worker.py`; a rendered overlay of a real project.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::OneClient, |party, odd| {
        format!(
            "{} dials Ray in plaintext ({}), unlike the others of its cluster ({})",
            party.id,
            switch_text(party),
            lens::used_by(case.model, &odd.others)
        )
    });
}
