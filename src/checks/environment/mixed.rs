//! ENV01: do all parties of a cluster agree on TLS?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "ENV01",
    name: "tls-on-some-parties-only",
    severity: Severity::Error,
    help: "\
A part of a Ray cluster has `RAY_USE_TLS` on and another has it off.

Why it matters: The switch changes every gRPC port and every gRPC client of a process at once; there is no port that takes both. A plain client at a TLS port sees `Socket closed`; a TLS client at a plain port
sees `WRONG_VERSION_NUMBER`; people see `ray client connection timeout` or `Failed to connect to GCS`. The head is taken as the measure, unless it is the only
one that differs.

Mend it: Set the four variables (`RAY_USE_TLS`, `RAY_TLS_SERVER_CERT`, `RAY_TLS_SERVER_KEY`, `RAY_TLS_CA_CERT`) and the mount in every part, or in none, and restart.

Authority: Ray `src/ray/rpc/grpc_server.cc`, `python/ray/_private/grpc_utils.py`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Other, |party, odd| match odd.on {
        true => format!(
            "{} speaks plaintext ({}) while TLS is on in {}",
            party.id,
            switch_text(party),
            lens::used_by(case.model, &odd.others)
        ),
        false => {
            format!("{} has RAY_USE_TLS on while {} speaks plaintext", party.id, lens::used_by(case.model, &odd.others))
        }
    });
}
