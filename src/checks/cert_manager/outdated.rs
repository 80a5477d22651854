//! CM15: a Certificate was changed, and its Secret is still of before.

use crate::checks::{Case, Check, Findings, Severity};
use crate::evidence::issuance::Condition;

/// The check.
pub static CHECK: Check = Check {
    code: "CM15",
    name: "certificate-change-not-issued",
    severity: Severity::Warning,
    help: "\
A Certificate is Ready, but its status speaks of an older generation than what is written there now.

Why it matters: the Secret is of the former order: names that were added are not in it yet.

Mend it: wait a moment; if it lasts, see whether cert-manager runs. Then start the pods again.

Authority: Kubernetes API conventions, `observedGeneration`; cert-manager 1.21 sets it in each condition.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for one in super::ordered(case) {
        let Some(ready) = one.order.condition("Ready").filter(|ready: &&Condition| ready.holds()) else { continue };
        let (Some(seen), Some(now)) = (ready.observed_generation, one.order.generation) else { continue };
        if seen >= now {
            continue;
        }
        let message = format!(
            "{} was changed, and cert-manager has not looked at it yet (generation {now}, seen {seen}): Secret {}/{} is of before",
            one.order.object, one.namespace, one.secret
        );
        let finding = findings.add(super::subject(case, &one.order.object), message);
        finding.edits = vec![one.edit()];
        super::weigh(case, finding, None);
    }
}
