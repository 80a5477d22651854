//! CHN14: what stands after a block that cannot be read is ignored.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Slot;

/// The check.
pub static CHECK: Check = Check {
    code: "CHN14",
    name: "pem-block-ignored",
    severity: Severity::Warning,
    help: "\
A certificate or trust file has a block that cannot be read after others that can: half a block, or two joined without a line break.

Why it matters: gRPC stops there without a word. What came before counts, that block and all after it do not, so a second CA that seems to be
trusted is not, or an intermediate is not sent.

Mend it: write the file again from its parts, each with its own line break at the end.

Authority: gRPC `ssl_transport_security.cc` ends at the first PEM_read_bio_X509 that fails (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for shared in lens::shared(case, &[Slot::Certificate, Slot::Trust]) {
        let reading = &shared.facts.certificates;
        let (Some(stop), false) = (&reading.stopped, reading.blocks.is_empty()) else { continue };
        let message = format!(
            "{} is read only up to line {} ({}): {} of the {} certificates that begin in it count for {}",
            lens::opening(&shared.subject),
            stop.line,
            stop.found,
            reading.blocks.len(),
            reading.begun,
            lens::used_by(case.model, &shared.parties()),
        );
        let finding = findings.add(shared.subject.clone(), message);
        finding.fact("line", stop.line.to_string(), lens::phrase(&shared.subject));
        shared.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn a_broken_second_block_is_told_and_a_broken_first_one_is_not() {
        let (ca, second) = (Ca::new("ray-ca"), Ca::new("new-ca").pem);
        let scene = |trust: &str| Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), trust)));
        let half = second.split_at(200).0;
        let finding = only(&scene(&format!("{}{half}", ca.pem)), &CHECK);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.contains("1 of the 2 certificates"), "{}", finding.message);
        // CRT11's.
        assert_eq!(scene(half).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
