//! PRM01: could the Secrets with certificates be read?

use crate::checks::{Case, Check, Findings, Severity};

/// The check.
pub static CHECK: Check = Check {
    code: "PRM01",
    name: "secret-not-readable",
    severity: Severity::Info,
    help: "\
A Secret or ConfigMap with Ray's TLS files could not be read.

Why it matters: Dates, names, keys and issuers in it are not judged. That is said under \"not judged\"; it never counts as missing or as good. Certificates
that are served on a port are still judged.

Mend it: Allow `get` on this one name: a Role rule with `resources: [\"secrets\"]`, `resourceNames: [\"<name>\"]`, `verbs: [\"get\"]`. Neither `list` nor
`watch` is needed.

Authority: Kubernetes documentation *Using RBAC Authorization*.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::tell(case, findings, "PRM01", "what is in it is not judged");
}
