//! MNT01: do the paths lie under a mount?

use crate::checks::environment::has_path;
use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::ray::Place;

/// The check.
pub static CHECK: Check = Check {
    code: "MNT01",
    name: "path-under-no-mount",
    severity: Severity::Error,
    help: "\
A path of `RAY_TLS_SERVER_CERT`, `RAY_TLS_SERVER_KEY` or `RAY_TLS_CA_CERT` lies under no mount of the container, so that only the image could hold the file.

Why it matters: Python stops with `FileNotFoundError`. C++ reads a missing file as empty: without a certificate or key it aborts with a text about `Address already in use`; without the CA it starts
and refuses every client.

Mend it: Mount the Secret's volume in this very container at the folder of the path. Certificates baked into an image are possible, but a private key does not belong there.

Authority: Ray `src/ray/rpc/grpc_server.cc`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::tell(
        case,
        findings,
        Confidence::Predicted,
        |file| has_path(file) && file.place == Place::NoMount && super::unread(file),
        |party, slots| {
            let paths: Vec<String> = slots
                .iter()
                .map(|&slot| lens::file(party, slot))
                .map(|file| format!("{} ({})", file.path.found().map_or("", String::as_str), file.variable))
                .collect();
            format!("nothing is mounted in {} at {}", party.id, paths.join(", "))
        },
    );
}
