//! DOC01: a document or file that could not be read.

use crate::checks::{Case, Check, Findings, Severity, Subject};

/// The check.
pub static CHECK: Check = Check {
    code: "DOC01",
    name: "unreadable-document",
    severity: Severity::Error,
    help: "\
A document or file that was given could not be read, so nothing in it was judged. The others were.

Why it matters: what is not read may hold the very object that breaks the cluster, and `kubectl apply` refuses it too.

Mend it: correct the line that is named; `kubectl apply --dry-run=client -f FILE` shows what Kubernetes reads.

Authority: YAML 1.2; the object shapes of the Kubernetes API.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for problem in &case.evidence.problems {
        let object = problem.object.clone().unwrap_or_default();
        let file = problem.origin.file.clone();
        let subject = match &problem.object {
            Some(_) => Subject {
                kind: object.kind,
                namespace: Some(object.namespace).filter(|ns| !ns.is_empty()),
                name: object.name,
                key: None,
                file,
                line: problem.origin.line,
            },
            None => Subject {
                kind: "File".into(),
                name: file.clone().unwrap_or_else(|| "-".into()),
                file,
                line: problem.origin.line,
                ..Subject::default()
            },
        };
        findings.add(subject, problem.message.clone());
    }
}
