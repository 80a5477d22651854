//! CRT11: PEM that gRPC cannot find or read.

use crate::checks::lens::{self, Shared};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Slot;
use crate::evidence::{Misplaced, Shape};

/// The check.
pub static CHECK: Check = Check {
    code: "CRT11",
    name: "malformed-pem",
    severity: Severity::Error,
    help: "\
One of Ray's TLS files is PEM to the eye, but gRPC finds nothing in it that it can read: a byte order mark, indented lines, line ends that
became blanks or the two characters `\\n`, two blocks on one line, half a block.

Why it matters: `-----BEGIN` has to stand in column 0 of a line, and the first block that cannot be read ends the reading without a word.
The process then does not start, or trusts less than the file seems to say. Other tools are more lenient.

Mend it: write the file again from the original PEM; in YAML use a block scalar (`|`) with the PEM indented evenly. `raytls verify` reads it
as gRPC does.

Authority: RFC 7468; BoringSSL `PEM_read_bio` (measured with grpcio 1.58 and 1.85).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for shared in lens::shared(case, &lens::SLOTS) {
        let Some(found) = found(&shared) else { continue };
        let parties = shared.parties();
        let variable = shared.uses[0].file.variable;
        let message = format!(
            "{} cannot be read by gRPC ({found}), and Ray of {} needs it for {variable}",
            lens::opening(&shared.subject),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = lens::provide(&shared.uses);
        finding.fact("found", found, lens::phrase(&shared.subject));
        shared.tell(case, finding);
    }
}

fn found(shared: &Shared<'_>) -> Option<String> {
    let facts = shared.facts;
    match facts.shape {
        Shape::PemOutOfPlace(Misplaced::ByteOrderMark) => {
            return Some("a byte order mark stands before -----BEGIN".into());
        }
        Shape::PemOutOfPlace(Misplaced::Indented) => return Some("its lines are indented".into()),
        Shape::PemOutOfPlace(Misplaced::LiteralNewlines) => {
            return Some("its line ends are the two characters \\n".into());
        }
        Shape::PemOutOfPlace(Misplaced::OneLine) => return Some("its line ends became blanks".into()),
        Shape::Pem => {}
        _ => return None,
    }
    if shared.uses.iter().all(|u| u.slot == Slot::Key) || facts.certificates.begun == 0 {
        return None;
    }
    match (&facts.certificates.stopped, facts.certificates.blocks.first()) {
        (Some(stop), None) => Some(format!("line {}: {}", stop.line, stop.found)),
        (_, Some(first)) if lens::parsed(facts).is_empty() => {
            Some(format!("the block of line {} is no X.509 certificate", first.line))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    fn scene(ca: &Ca, trust: &str) -> Scene {
        let pair = ca.leaf();
        let values = [("tls.crt", pair.certificate.as_str()), ("tls.key", &pair.key), ("ca.crt", trust)];
        Scene::manifests(cluster_with(secret("ray-tls", &values)))
    }

    #[test]
    fn each_way_to_spoil_pem_is_told_by_name() {
        let ca = Ca::new("ray-ca");
        let pem = ca.pem.clone();
        let indented: String = pem.lines().map(|line| format!("  {line}\n")).collect();
        let half = pem.split_at(200).0.to_owned();
        let joined = format!("{}{pem}", pem.trim_end());
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cases = [
            (format!("\u{feff}{pem}"), "byte order mark"),
            (indented, "indented"),
            (pem.replace('\n', "\\n"), "the two characters"),
            (pem.replace('\n', " "), "became blanks"),
            (half, "line 1"),
            (joined, "line 1"),
            (junk.to_owned(), "no X.509 certificate"),
        ];
        for (trust, found) in cases {
            let scene = scene(&ca, &trust);
            let finding = only(&scene, &CHECK);
            assert!(finding.message.contains(found), "{found}: {}", finding.message);
            assert_eq!(finding.subject.key.as_deref(), Some("ca.crt"));
            assert_eq!(finding.edits.len(), 2);
            assert_mends(&scene, &finding);
        }
    }

    #[test]
    fn what_grpc_reads_is_fine() {
        let ca = Ca::new("ray-ca");
        let pem = &ca.pem;
        assert_eq!(scene(&ca, &format!("a comment\n{}", pem.replace('\n', "\r\n"))).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
