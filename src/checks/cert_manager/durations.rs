//! CM12: a duration that cert-manager does not take.

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::issuance::bad_duration;

/// The check.
pub static CHECK: Check = Check {
    code: "CM12",
    name: "certificate-duration",
    severity: Severity::Error,
    help: "\
`duration` or `renewBefore` of a Certificate is no duration of Go's, too short, or they do not fit together.

Why it matters: cert-manager's webhook refuses the object. Where the webhook is not installed, one `duration: 90d` keeps cert-manager from reading any Certificate of
the whole cluster (`time: unknown unit \"d\"`), so that nothing is issued or renewed any more.

Mend it: hours: `2160h` for 90 days. `duration` is at least 1h, `renewBefore` at least 5m and less than `duration`.

Authority: Go `time.ParseDuration`; cert-manager 1.21, `ValidateDuration`; the stop of all issuing was seen with cert-manager 1.21.2.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for one in super::ordered(case) {
        let Some(bad) = bad_duration(one.order) else { continue };
        let message = format!("spec.{} of {} is {}", bad.field, one.order.object, bad.text);
        let finding = findings.add(super::subject(case, &one.order.object), message);
        finding.edits = vec![one.edit()];
        finding.fact(bad.field, bad.written, one.order.object.to_string());
    }
}
