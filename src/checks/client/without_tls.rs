//! CLI01: does the Ray Client workload speak TLS?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "CLI01",
    name: "client-without-tls",
    severity: Severity::Error,
    help: "\
The Ray cluster has TLS on, and a workload that dials it (`ray://`, `RAY_ADDRESS`) does not.

Why it matters: The workload speaks plaintext to a TLS port. It tries for 5, 10 and 15 seconds in silence and says `ray client connection
timeout`; the head logs `WRONG_VERSION_NUMBER`. Probes of such a workload mostly stay green. TLS in Ray is mutual: the client needs a certificate
and a key of its own, not only the CA.

Mend it: Give the workload the four variables and the mount, and restart it. They must be in the environment before `import ray`.

Authority: Ray `python/ray/util/client/worker.py`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Client, |party, odd| {
        format!(
            "{} dials Ray in plaintext ({}) while TLS is on in {}",
            party.id,
            switch_text(party),
            lens::used_by(case.model, &odd.others)
        )
    });
}
